/* What the lateral signal of a curve says of itself: far away, on the wall, whether it is missing. */

#include "nrm_kernels.h"

#include <math.h>
#include <stddef.h>

/* Whether any of n samples differs from the one before it. */
static bool moves(const double *values, int64_t n) {
    for (int64_t i = 1; i < n; i++)
        if (values[i] != values[i - 1]) return true;
    return false;
}

/* Exponent with which the lateral force grows with the load on the wall.
 *
 * A tip that slips shows an exponent of about 1 and a straight line, since friction is proportional
 * to the load. The contact of a tip that sticks stiffens with the cubic root of the load that the
 * wall bears: the line is bent. */
static void slip_exponent(const double *clean, const double *in_phase, const double *quadrature,
                          int64_t n, const nrm_contact *contact, double *work,
                          nrm_lateral_check *check) {
    const int64_t k = nrm_count(contact->wall_samples, n);
    const int64_t begin = nrm_count(contact->wall_begin, n);
    if (!isfinite(contact->height) || k < 2 * NRM_SMALLEST_WALL || begin + k > n) return;
    double *load = work, *size = work + k;
    const double zero = contact->baseline_at + contact->baseline_slope * contact->height;
    for (int64_t i = 0; i < k; i++) {
        double x = in_phase[begin + i], y = quadrature[begin + i];
        load[i] = clean[begin + i] - zero;
        size[i] = sqrt(x * x + y * y);
    }
    const nrm_line line = nrm_fit_line(load, size, 0, k);
    if (!(load[0] > 0.0 && load[k - 1] > 1.5 * load[0] && line.sxx > 0.0 && line.mean_y > 0.0))
        return;
    double left = 0.0;
    for (int64_t i = 0; i < k; i++) {
        double off = size[i] - line.mean_y - line.slope * (load[i] - line.mean_x);
        left += off * off;
    }
    const double first_half = nrm_fit_line(load, size, 0, k / 2).slope;
    const double per_slope = line.mean_x / line.mean_y;
    check->straight = nrm_fit_line(load, size, k / 2, k).slope > 0.7 * first_half ? 1.0 : 0.0;
    check->exponent = line.slope * per_slope;
    check->exponent_stderr = sqrt(left / (double)(k - 2) / line.sxx) * per_slope;
}

/* Mean and scatter of the signal in the farther half of the baseline; without one in the first
 * quarter of the samples. */
static void far_from_the_sample(const double *in_phase, const double *quadrature, int64_t n,
                                const nrm_contact *contact, nrm_lateral_check *check) {
    const int64_t base = nrm_count(contact->baseline_end, n);
    const int64_t far = base > 1 ? (base + 1) / 2 : n / 4;
    if (far < 1) return;
    const nrm_scatter found = nrm_scatter_of(in_phase, quadrature, far);
    check->offset_x = found.mean_x;
    check->offset_y = found.mean_y;
    check->noise_x = sqrt(found.var_x);
    check->noise_y = sqrt(found.var_y);
}

enum { FEW = 5 }; /* samples of a mean that takes noise away */

/* First sample on the wall: where the mean distance of five samples from it sinks below half a
 * nanometre, or noise; begin of the fitted wall where there are no heights. Not in the farther half
 * of the baseline, and no such mean is where no single distance is as small. */
static int64_t first_on_wall(const double *height, const double *clean, int64_t n,
                             const nrm_contact *contact) {
    enum { TOGETHER = 64 };
    const int64_t begin = nrm_count(contact->wall_begin, n);
    if (!height || !(contact->wall_slope < 0.0)) return begin;
    const double tilt = contact->baseline_slope, at = contact->baseline_at;
    const double zero = contact->height, over = 1.0 / contact->wall_slope;
    const double near = contact->noise > 0.5e-9 ? contact->noise : 0.5e-9;
    const int64_t middle = nrm_count(contact->baseline_end, n) / 2;
    double z[TOGETHER + FEW];
    for (int64_t first = middle > FEW ? middle : FEW; first < begin; first += TOGETHER) {
        const int64_t stop = first + TOGETHER < begin ? first + TOGETHER : begin;
        const int64_t before = first - FEW + 1, count = stop - before;
        int64_t some = 0;
        for (int64_t i = 0; i < count; i++) {
            const double bent = clean[before + i] - at - tilt * height[before + i];
            z[i] = height[before + i] - zero - over * bent;
            some += z[i] < near;
        }
        for (int64_t i = 0; some && i + FEW <= count; i++)
            if (z[i] + z[i + 1] + z[i + 2] + z[i + 3] + z[i + 4] < near * (double)FEW)
                return first + i;
    }
    return begin;
}

/* Means of load and signal over the quarters of what the wall bears.
 *
 * The signal of a sample is taken from where the lock-in gives it, `delay` samples later; what
 * follows the begin of the wall by less than twice the delay still feels what was before. */
static void by_load(const double *height, const double *clean, const double *in_phase,
                    const double *quadrature, int64_t n, const nrm_contact *contact, double delay,
                    nrm_lateral_check *check) {
    enum { FEWEST = 3 };
    const int64_t k = nrm_count(contact->wall_samples, n);
    const int64_t stop = nrm_count(contact->wall_begin, n) + k;
    if (!isfinite(contact->height) || k < FEW || stop > n) return;
    if (!(fabs(delay) < (double)n)) return;
    const double zero = contact->baseline_at + contact->baseline_slope * contact->height;
    const double top = nrm_mean_of(clean + stop - FEW, FEW) - zero;
    const int64_t begin = first_on_wall(height, clean, n, contact);
    const double onset = height ? nrm_mean_of(clean + (begin < FEW ? 0 : begin - FEW + 1), FEW) - zero
                                : 0.0;
    if (!(top > 0.0 && onset < 0.9 * top)) return;
    check->onset = onset > 0.0 ? onset : 0.0;
    const double bears = top - check->onset;
    const int64_t later = (int64_t)floor(delay + 0.5);
    int64_t count[NRM_QUARTERS] = {0};
    double sums[3][NRM_QUARTERS] = {{0.0}};
    const double per_load = (double)NRM_QUARTERS / bears;
    for (int64_t i = begin + (later > 0 ? 2 * later : 0); i < stop; i++) {
        const int64_t at = i + later;
        if (at < 0 || at >= n) continue;
        const double load = clean[i] - zero;
        const double part = per_load * (load - check->onset);
        if (!(part >= 0.0)) continue;
        const int q = part < (double)NRM_QUARTERS ? (int)part : NRM_QUARTERS - 1;
        count[q]++;
        sums[0][q] += load;
        sums[1][q] += in_phase[at];
        sums[2][q] += quadrature[at];
    }
    for (int q = 0; q < NRM_QUARTERS; q++) {
        if (count[q] < FEWEST) continue;
        const double samples = (double)count[q];
        check->load[q] = sums[0][q] / samples;
        check->wall_x[q] = sums[1][q] / samples - check->offset_x;
        check->wall_y[q] = sums[2][q] / samples - check->offset_y;
    }
}

void nrm_check_lateral_of(const double *height, const double *clean, const double *in_phase,
                          const double *quadrature, int64_t n, bool finite,
                          const nrm_contact *contact, double delay, double *work,
                          nrm_lateral_check *check) {
    *check = (nrm_lateral_check){NAN, NAN, NAN, 0.0, NAN, NAN, NAN, NAN, NAN, {0.0}, {0.0}, {0.0}};
    for (int q = 0; q < NRM_QUARTERS; q++)
        check->load[q] = check->wall_x[q] = check->wall_y[q] = (double)NAN;
    slip_exponent(clean, in_phase, quadrature, n, contact, work, check);
    far_from_the_sample(in_phase, quadrature, n, contact, check);
    by_load(height, clean, in_phase, quadrature, n, contact, delay, check);
    const bool x = moves(in_phase, n), y = moves(quadrature, n);
    /* Without noise far from the surface, a part may well be zero throughout. */
    const bool noisy = moves(in_phase, n / 3) || moves(quadrature, n / 3);
    check->missing = !finite || !(x || y) || (noisy && !(x && y)) ? 1.0 : 0.0;
}

int nrm_check_lateral(int64_t n_curves, const int64_t *begin, const double *height,
                      const double *clean, const double *in_phase, const double *quadrature,
                      int64_t n_samples, const nrm_contact *contacts,
                      const nrm_curve_settings *own, nrm_lateral_check *checks) {
    int64_t longest;
    nrm_scratch scratch;
    int problem = nrm_check_begin(n_curves, begin, n_samples, &longest);
    if (!problem) problem = nrm_scratch_make(&scratch, longest, NRM_CONTACT_WORK);
    if (problem) return problem;
    for (int64_t i = 0; i < n_curves; i++) {
        const int64_t a = begin[i], n = begin[i + 1] - a;
        const bool finite = nrm_all_finite(in_phase + a, n) && nrm_all_finite(quadrature + a, n);
        nrm_check_lateral_of(height ? height + a : NULL, clean + a, in_phase + a, quadrature + a, n,
                             finite, contacts + i, own ? own[i].delay : 0.0, scratch.work,
                             checks + i);
    }
    nrm_scratch_free(&scratch);
    return NRM_OK;
}
