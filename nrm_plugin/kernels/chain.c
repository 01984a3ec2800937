/* One pass per curve: from recorded numbers to rows of results. */

#include "nrm_kernels.h"

#include <math.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ moduli */

/* The root of a sum of squares, exact to the last bit but one: squares of single precision fit in
 * double precision. */
static float root_of_squares(float a, float b) {
    return (float)sqrt((double)a * (double)a + (double)b * (double)b);
}

/* A gradient in single precision, and the modulus that it stands for. */
static void scaled(const double *NRM_RESTRICT gradient, int64_t m,
                   const float *NRM_RESTRICT per_gradient, float *NRM_RESTRICT single,
                   float *NRM_RESTRICT modulus) {
    for (int64_t g = 0; g < m; g++) {
        single[g] = (float)gradient[g];
        modulus[g] = single[g] * per_gradient[g];
    }
}

/* 1 / (4 r_g A) at every depth; NULL without memory. */
static float *per_gradients(const nrm_modulus_settings *settings, const float *shape, int64_t m) {
    float *per_gradient = malloc(((size_t)m + 1) * sizeof *per_gradient);
    for (int64_t g = 0; per_gradient && g < m; g++)
        per_gradient[g] = 1.0f / (4.0f * shape[g] * (float)settings->amplitude);
    return per_gradient;
}

/* Eq. 5: E* = dF* / dz_l / (4 r_g A) with z_l = -z_p; Eq. 6: G* = E* / 2 (1 + nu); Eq. 7, for any
 * Poisson ratio: eta = G'' / (2 pi f). Row v of this curve begins at row + v * apart. */
static void moduli_of(const nrm_modulus_settings *settings, bool lateral, int64_t m,
                      const double *found, const float *per_gradient, float *row, int64_t apart) {
    for (int64_t g = 0; g < m; g++) row[NRM_FORCE_NORMAL * apart + g] = (float)found[g];
    if (!lateral) return;
    const double per_shear = 2.0 * (1.0 + settings->poisson_ratio);
    const float shear = (float)per_shear;
    const float per_loss =
        (float)(1.0 / (per_shear * 2.0 * 3.141592653589793 * settings->frequency));
    const double *gradient_x = found + NRM_GRADIENT_X * m, *gradient_y = gradient_x + m;
    const double *stderr_x = found + NRM_STDERR_X * m, *stderr_y = stderr_x + m;
    for (int64_t g = 0; g < m; g++) {
        row[NRM_FORCE_IN_PHASE * apart + g] = (float)found[NRM_IN_PHASE * m + g];
        row[NRM_FORCE_QUADRATURE * apart + g] = (float)found[NRM_QUADRATURE * m + g];
    }
    scaled(gradient_x, m, per_gradient, row + NRM_FORCE_GRADIENT_IN_PHASE * apart,
           row + NRM_STORAGE_MODULUS * apart);
    scaled(stderr_x, m, per_gradient, row + NRM_FORCE_GRADIENT_IN_PHASE_STDERR * apart,
           row + NRM_STORAGE_MODULUS_STDERR * apart);
    scaled(gradient_y, m, per_gradient, row + NRM_FORCE_GRADIENT_QUADRATURE * apart,
           row + NRM_LOSS_MODULUS * apart);
    scaled(stderr_y, m, per_gradient, row + NRM_FORCE_GRADIENT_QUADRATURE_STDERR * apart,
           row + NRM_LOSS_MODULUS_STDERR * apart);
    const float *storage = row + NRM_STORAGE_MODULUS * apart;
    const float *storage_stderr = row + NRM_STORAGE_MODULUS_STDERR * apart;
    const float *loss = row + NRM_LOSS_MODULUS * apart;
    const float *loss_stderr = row + NRM_LOSS_MODULUS_STDERR * apart;
    for (int64_t g = 0; g < m; g++) {
        const float size = root_of_squares(storage[g], loss[g]);
        const float error = root_of_squares(storage[g] * storage_stderr[g],
                                            loss[g] * loss_stderr[g]);
        row[NRM_SHEAR_MODULUS * apart + g] = size / shear;
        row[NRM_SHEAR_MODULUS_STDERR * apart + g] = error / size / shear;
        row[NRM_VISCOSITY * apart + g] = loss[g] * per_loss;
        row[NRM_VISCOSITY_STDERR * apart + g] = loss_stderr[g] * per_loss;
    }
}

int nrm_moduli(const nrm_modulus_settings *settings, int64_t lateral, int64_t n_curves,
               int64_t n_depths, const double *found, const float *shape, float *rows) {
    if (n_curves < 0 || n_depths < 0) return NRM_LENGTHS;
    float *per_gradient = per_gradients(settings, shape, n_depths);
    if (!per_gradient) return NRM_MEMORY;
    for (int64_t i = 0; i < n_curves; i++)
        moduli_of(settings, lateral != 0, n_depths, found + i * NRM_N_COLUMNS * n_depths,
                  per_gradient, rows + i * n_depths, n_curves * n_depths);
    free(per_gradient);
    return NRM_OK;
}

/* ------------------------------------------------------------------ all of it */

/* Whether a signal holds the curves' parts. */
static bool holds(const nrm_signal *signal, int64_t n_curves, const int64_t *first,
                  const int64_t *length) {
    if (signal->kind < NRM_INT8 || signal->kind > NRM_FLOAT64) return false;
    for (int64_t i = 0; i < n_curves; i++)
        if (first[i] < 0 || length[i] < 0 || first[i] > signal->count
            || length[i] > signal->count - first[i])
            return false;
    return true;
}

static int check_job(const nrm_job *job, int64_t n_curves, const int64_t *first,
                     const int64_t *length) {
    if (n_curves < 0 || job->n_depths < 0 || job->n_lags < 1) return NRM_LENGTHS;
    const nrm_signal *signals[4] = {&job->height, &job->deflection, &job->in_phase,
                                    &job->quadrature};
    const int n_signals = job->in_phase.numbers && job->quadrature.numbers ? 4 : 2;
    for (int k = 0; k < n_signals; k++)
        if (!signals[k]->numbers || !holds(signals[k], n_curves, first, length)) return NRM_LENGTHS;
    return NRM_OK;
}

/* Multiply the lateral signal by a number of size 1, which takes the instrument's phase out. */
static void turn(double *NRM_RESTRICT in_phase, double *NRM_RESTRICT quadrature, int64_t n,
                 double re, double im) {
    if (re == 1.0 && im == 0.0) return;
    for (int64_t i = 0; i < n; i++) {
        const double x = in_phase[i], y = quadrature[i];
        in_phase[i] = x * re - y * im;
        quadrature[i] = x * im + y * re;
    }
}

int nrm_process(const nrm_job *job, int64_t n_curves, const int64_t *first, const int64_t *length,
                const nrm_curve_settings *own, nrm_contact *contacts, nrm_lateral_check *checks,
                double *valid, float *rows) {
    int problem = check_job(job, n_curves, first, length);
    if (problem) return problem;
    const bool lateral = job->in_phase.numbers && job->quadrature.numbers;
    const bool backwards = job->backwards != 0;
    const int64_t m = job->n_depths, profile_work = nrm_profile_work(&job->profile);
    int64_t longest = 0;
    for (int64_t i = 0; i < n_curves; i++) longest = length[i] > longest ? length[i] : longest;
    nrm_scratch scratch;
    problem = nrm_scratch_make(
        &scratch, longest, profile_work > NRM_CONTACT_WORK ? profile_work : NRM_CONTACT_WORK);
    if (problem) return problem;
    double *found = malloc(((size_t)m + 1) * NRM_N_COLUMNS * sizeof(double));
    float *per_gradient = per_gradients(&job->modulus, job->shape, m);
    if (!found || !per_gradient) {
        free(found);
        free(per_gradient);
        nrm_scratch_free(&scratch);
        return NRM_MEMORY;
    }
    for (int64_t i = 0; i < n_curves; i++) {
        const int64_t n = length[i];
        nrm_gather_part(&job->height, first[i], n, backwards, scratch.height);
        nrm_gather_part(&job->deflection, first[i], n, backwards, scratch.deflection);
        nrm_contact_of(&job->contact, scratch.height, scratch.deflection, n, scratch.clean,
                       scratch.work, contacts + i);
        if (!rows) continue;
        if (lateral) {
            nrm_gather_part(&job->in_phase, first[i], n, backwards, scratch.in_phase);
            nrm_gather_part(&job->quadrature, first[i], n, backwards, scratch.quadrature);
            turn(scratch.in_phase, scratch.quadrature, n, job->turn_re, job->turn_im);
            nrm_check_lateral_of(scratch.clean, scratch.in_phase, scratch.quadrature, n,
                                 contacts + i, scratch.work, checks + i);
        }
        const nrm_curve curve = {
            scratch.height, scratch.clean, lateral ? scratch.in_phase : NULL,
            lateral ? scratch.quadrature : NULL, n, contacts + i, &job->profile, own[i],
            job->correlation, job->n_lags, job->depth, m,
        };
        nrm_profile_of(&curve, scratch.work, found, valid + i);
        moduli_of(&job->modulus, lateral, m, found, per_gradient, rows + i * m, n_curves * m);
    }
    free(found);
    free(per_gradient);
    nrm_scratch_free(&scratch);
    return NRM_OK;
}
