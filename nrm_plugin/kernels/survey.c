/* What the curves of an experiment share is learnt from these. */

#include "nrm_kernels.h"

#include <math.h>

static double larger(double a, double b) { return a > b ? a : b; }

int nrm_tail_slopes(int64_t n_curves, const int64_t *begin, const double *height,
                    const double *deflection, int64_t n_samples, int64_t n_turns,
                    const double *turns, int64_t n_sizes, const int64_t *sizes, double *slopes,
                    double *errors) {
    int64_t longest;
    nrm_scratch scratch;
    int problem = nrm_check_begin(n_curves, begin, n_samples, &longest);
    if (!problem && (n_turns < 1 || n_sizes < 0)) problem = NRM_LENGTHS;
    if (!problem) problem = nrm_scratch_make(&scratch, longest, NRM_CONTACT_WORK);
    if (problem) return problem;
    for (int64_t i = 0; i < n_curves; i++) {
        const int64_t n = begin[i + 1] - begin[i];
        const double *x = height + begin[i], *y = deflection + begin[i];
        double low, high;
        for (int64_t k = 0; k < n_turns; k++)
            for (int64_t j = 0; j < n_sizes; j++) {
                const int64_t at = (k * n_curves + i) * n_sizes + j;
                slopes[at] = errors[at] = (double)NAN;
            }
        if (n < 4 * NRM_FEWEST_ON_WALL || !nrm_all_finite(x, n) || !nrm_all_finite(y, n)) continue;
        const double noise = nrm_noise_of(y, n, scratch.work);
        nrm_without_spikes(y, n, noise, scratch.clean);
        nrm_range_of(y, n, &low, &high);
        const int64_t full = nrm_unsaturated(y, n, high);
        double tilt = 0.0;
        for (int64_t k = 0; k < n_turns; k++) {
            const int64_t stop = nrm_before_turn(x, full, turns[k]);
            if (k == 0) {
                const int64_t end = nrm_baseline_end(x, scratch.clean, noise, stop);
                tilt = end > 1 ? nrm_fit_line(x, scratch.clean, 0, end).slope : 0.0;
            }
            for (int64_t j = 0; j < n_sizes; j++) {
                if (sizes[j] < 1 || sizes[j] > stop / 2) continue;
                const nrm_line line = nrm_fit_line(x, scratch.clean, stop - sizes[j], stop);
                if (!(line.sxx > 0.0)) continue;
                const int64_t at = (k * n_curves + i) * n_sizes + j;
                slopes[at] = line.slope - tilt;
                errors[at] = noise / sqrt(line.sxx);
            }
        }
    }
    nrm_scratch_free(&scratch);
    return NRM_OK;
}

int nrm_rough_baselines(int64_t n_curves, const int64_t *begin, const double *height,
                        const double *deflection, int64_t n_samples, int64_t *ends) {
    int64_t longest;
    nrm_scratch scratch;
    int problem = nrm_check_begin(n_curves, begin, n_samples, &longest);
    if (!problem) problem = nrm_scratch_make(&scratch, longest, NRM_CONTACT_WORK);
    if (problem) return problem;
    for (int64_t i = 0; i < n_curves; i++) {
        const int64_t n = begin[i + 1] - begin[i];
        const double *x = height + begin[i], *y = deflection + begin[i];
        ends[i] = 0;
        if (n < 256 || !nrm_all_finite(x, n) || !nrm_all_finite(y, n)) continue;
        const nrm_line line = nrm_fit_line(x, y, 0, n / 4);
        const double noise = larger(nrm_second_differences(y, n, scratch.work), 1e-18);
        ends[i] = nrm_baseline_end(x, y, larger(noise, nrm_long_run_noise(x, y, n / 4, &line)), n);
    }
    nrm_scratch_free(&scratch);
    return NRM_OK;
}
