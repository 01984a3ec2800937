/* Sums of a stream's samples: weighted by taps (an FIR filter at the instants of its output only),
 * and over windows about any moments. */

#include "nrm_kernels.h"

#include <math.h>

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

static double plain_sum(const double *x, int64_t length) {
    nrm_pair part[2] = {{0.0, 0.0}, {0.0, 0.0}};
    int64_t k = 0;
    for (; k + 4 <= length; k += 4) {
        part[0] += nrm_pair_at(x + k);
        part[1] += nrm_pair_at(x + k + 2);
    }
    double sum = nrm_sum_of_pairs(part);
    for (; k < length; k++) sum += x[k];
    return sum;
}

/* Integral of the line through samples a and a + 1, from a on over a part of the way. */
static double line_integral(const double *x, int64_t a, double part) {
    return part > 0.0 ? part * (x[a] + 0.5 * part * (x[a + 1] - x[a])) : 0.0;
}

static double window_mean(const double *x, int64_t last, double low, double high) {
    const int64_t a = (int64_t)low, b = (int64_t)high;
    double sum = line_integral(x, b, high - (double)b) - line_integral(x, a, low - (double)a);
    if (b > a) sum += 0.5 * (x[a] + x[b]) + plain_sum(x + a + 1, b - a - 1);
    if (high - low > 0.0) return sum / (high - low);
    return x[a < last ? a : last];
}

static double clipped(double value, double last) {
    return value < 0.0 ? 0.0 : value > last ? last : value;
}

int nrm_window_means(const double *x, int64_t n, const double *position, int64_t count, double half,
                     double *out) {
    if (n < 1 || !(half >= 0.0)) return 1;
    const double last = (double)(n - 1);
    for (int64_t i = 0; i < count; i++) {
        const double at = position[i];
        double value = NAN;
        if (at >= -0.5 && at <= last + 0.5) {
            if (half > 0.0) {
                value = window_mean(x, n - 1, clipped(at - half, last), clipped(at + half, last));
            } else {
                const double inside = clipped(at, last);
                const int64_t a = (int64_t)inside;
                const double part = inside - (double)a;
                value = part > 0.0 ? x[a] + part * (x[a + 1] - x[a]) : x[a];
            }
        }
        out[i] = isfinite(value) ? value : (double)NAN;
    }
    return 0;
}
