/* Sums of a stream's samples weighted by taps: an FIR filter at the instants of its output only. */

#include "nrm_kernels.h"

/* Partial sums: their number, and so the order of the additions, is the same for every window. */
#define LANES 8

static double tap_sum(const double *x, const double *taps, int64_t length) {
    double part[LANES] = {0.0}, sum = 0.0;
    int64_t k = 0;
    for (; k + LANES <= length; k += LANES) {
        for (int lane = 0; lane < LANES; lane++) part[lane] += x[k + lane] * taps[k + lane];
    }
    for (; k < length; k++) sum += x[k] * taps[k];
    for (int lane = 0; lane < LANES; lane++) sum += part[lane];
    return sum;
}

int nrm_tap_sums(const double *x, int64_t n, int64_t step, int64_t count, const double *taps,
                 int64_t n_sets, int64_t length, double *out) {
    if (length < 1 || step < 1 || (count > 0 && (count - 1) * step + length > n)) return 1;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t set = 0; set < n_sets; set++) {
            out[set * count + i] = tap_sum(x + i * step, taps + set * length, length);
        }
    }
    return 0;
}
