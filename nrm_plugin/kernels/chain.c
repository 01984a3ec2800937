/* One pass per curve: from recorded numbers to rows of results. */

#include "nrm_kernels.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ moduli */

/* 1 / (4 r_g A) at every depth, single precision as all that follows; NULL without memory. */
static float *per_gradients(double amplitude, const float *shape, int64_t m) {
    float *per_gradient = malloc(((size_t)m + 1) * sizeof *per_gradient);
    for (int64_t g = 0; per_gradient && g < m; g++)
        per_gradient[g] = 1.0f / (4.0f * shape[g] * (float)amplitude);
    return per_gradient;
}

static void single(const double *NRM_RESTRICT values, int64_t n, float *NRM_RESTRICT out) {
    for (int64_t i = 0; i < n; i++) out[i] = (float)values[i];
}

/* Eq. 5: E* = dF* / dz_l / (4 r_g A) with z_l = -z_p. */
static void modulus(const double *NRM_RESTRICT gradient, int64_t m,
                    const float *NRM_RESTRICT per_gradient, float *NRM_RESTRICT out) {
    for (int64_t g = 0; g < m; g++) out[g] = (float)gradient[g] * per_gradient[g];
}

/* Rows of a curve; row v begins at row + v * apart. */
static void rows_of(int64_t n_rows, int64_t m, const double *found, const float *per_gradient,
                    float *row, int64_t apart) {
    const double *gradient_x = found + NRM_GRADIENT_X * m, *stderr_x = found + NRM_STDERR_X * m;
    const double *gradient_y = found + NRM_GRADIENT_Y * m, *stderr_y = found + NRM_STDERR_Y * m;
    single(found + NRM_NORMAL * m, m, row + NRM_FORCE_NORMAL * apart);
    if (n_rows < NRM_FORCE_GRADIENT_IN_PHASE) return;
    single(found + NRM_IN_PHASE * m, m, row + NRM_FORCE_IN_PHASE * apart);
    single(found + NRM_QUADRATURE * m, m, row + NRM_FORCE_QUADRATURE * apart);
    modulus(gradient_x, m, per_gradient, row + NRM_STORAGE_MODULUS * apart);
    modulus(stderr_x, m, per_gradient, row + NRM_STORAGE_MODULUS_STDERR * apart);
    modulus(gradient_y, m, per_gradient, row + NRM_LOSS_MODULUS * apart);
    modulus(stderr_y, m, per_gradient, row + NRM_LOSS_MODULUS_STDERR * apart);
    if (n_rows < NRM_N_RESULTS) return;
    single(gradient_x, m, row + NRM_FORCE_GRADIENT_IN_PHASE * apart);
    single(stderr_x, m, row + NRM_FORCE_GRADIENT_IN_PHASE_STDERR * apart);
    single(gradient_y, m, row + NRM_FORCE_GRADIENT_QUADRATURE * apart);
    single(stderr_y, m, row + NRM_FORCE_GRADIENT_QUADRATURE_STDERR * apart);
}

static bool known_rows(int64_t n_rows) {
    return n_rows == 1 || n_rows == NRM_FORCE_GRADIENT_IN_PHASE || n_rows == NRM_N_RESULTS;
}

int nrm_moduli(double amplitude, int64_t n_rows, int64_t n_curves, int64_t n_depths,
               const double *found, const float *shape, float *rows) {
    if (n_curves < 0 || n_depths < 0 || !known_rows(n_rows)) return NRM_LENGTHS;
    float *per_gradient = per_gradients(amplitude, shape, n_depths);
    if (!per_gradient) return NRM_MEMORY;
    for (int64_t i = 0; i < n_curves; i++)
        rows_of(n_rows, n_depths, found + i * NRM_N_COLUMNS * n_depths, per_gradient,
                rows + i * n_depths, n_curves * n_depths);
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
    if (job->n_bins < 0 || !known_rows(job->n_rows)) return NRM_LENGTHS;
    const nrm_signal *signals[4] = {&job->height, &job->deflection, &job->in_phase,
                                    &job->quadrature};
    const int n_signals = job->in_phase.numbers && job->quadrature.numbers ? 4 : 2;
    if (n_signals == 2 && job->n_rows > 1) return NRM_LENGTHS;
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
                nrm_normal *normals, nrm_lateral_baseline *baselines, double *valid, float *rows,
                float *bins) {
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
    const int64_t n_bins = job->n_bins;
    double *found = malloc(((size_t)m * NRM_N_COLUMNS + 3 * (size_t)n_bins + 1) * sizeof(double));
    float *per_gradient = per_gradients(job->profile.amplitude, job->shape, m);
    if (!found || !per_gradient) {
        free(found);
        free(per_gradient);
        nrm_scratch_free(&scratch);
        return NRM_MEMORY;
    }
    for (int64_t i = 0; i < n_curves; i++) {
        const int64_t n = length[i];
        bool finite = nrm_gather_part(&job->height, first[i], n, backwards, scratch.height);
        finite = nrm_gather_part(&job->deflection, first[i], n, backwards, scratch.deflection)
                 && finite;
        /* Asked for while the contact is sought; and of the next curve while this one's profiles
         * are made. */
        if (lateral) nrm_prefetch_part(&job->in_phase, first[i], n);
        if (lateral) nrm_prefetch_part(&job->quadrature, first[i], n);
        nrm_contact_of(&job->contact, scratch.height, scratch.deflection, n, finite, scratch.clean,
                       scratch.work, contacts + i);
        if (i + 1 < n_curves) nrm_prefetch_part(&job->height, first[i + 1], length[i + 1]);
        if (!rows) continue;
        if (lateral) {
            finite = nrm_gather_part(&job->in_phase, first[i], n, backwards, scratch.in_phase);
            finite = nrm_gather_part(&job->quadrature, first[i], n, backwards, scratch.quadrature)
                     && finite;
            turn(scratch.in_phase, scratch.quadrature, n, job->turn_re, job->turn_im);
            nrm_check_lateral_of(scratch.height, scratch.clean, scratch.in_phase,
                                 scratch.quadrature, n, finite, contacts + i, own[i].delay,
                                 scratch.work, checks + i);
        }
        if (i + 1 < n_curves) nrm_prefetch_part(&job->deflection, first[i + 1], length[i + 1]);
        nrm_curve curve = {
            scratch.height, scratch.clean, lateral ? scratch.in_phase : NULL,
            lateral ? scratch.quadrature : NULL, n, contacts + i, &job->profile, own[i],
            job->correlation, job->n_lags, job->depth, m, job->bin_width, n_bins, NULL,
        };
        nrm_normal_of(&curve, scratch.work, normals + i);
        nrm_scatter far;
        if (lateral && nrm_lateral_baseline_of(&curve, nrm_reach_of(&curve), baselines + i, &far))
            curve.far = &far;
        double *of_bins = lateral ? found + m * NRM_N_COLUMNS : NULL;
        nrm_profile_of(&curve, scratch.work, found, valid + i, of_bins);
        rows_of(job->n_rows, m, found, per_gradient, rows + i * m, n_curves * m);
        for (int v = 0; lateral && v < 3; v++)
            single(of_bins + v * n_bins, n_bins, bins + (v * n_curves + i) * n_bins);
    }
    free(found);
    free(per_gradient);
    nrm_scratch_free(&scratch);
    return NRM_OK;
}
