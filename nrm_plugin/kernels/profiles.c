/* Forces and their derivatives against the distance from the electrode, by a local line. */

#include "nrm_kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ samples above the contact */

double nrm_mean_of(const double *values, int64_t n) {
    nrm_pair sum[2] = {{0.0, 0.0}, {0.0, 0.0}};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 2; k++) sum[k] += nrm_pair_at(values + i + 2 * k);
    for (; i < n; i++) sum[0][0] += values[i];
    return nrm_sum_of_pairs(sum) / (double)n;
}

nrm_scatter nrm_scatter_of(const double *x, const double *y, int64_t n) {
    nrm_pair sx[2] = {{0.0, 0.0}, {0.0, 0.0}}, sy[2] = {{0.0, 0.0}, {0.0, 0.0}};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 2; k++) {
            sx[k] += nrm_pair_at(x + i + 2 * k);
            sy[k] += nrm_pair_at(y + i + 2 * k);
        }
    for (; i < n; i++) {
        sx[0][0] += x[i];
        sy[0][0] += y[i];
    }
    const double mean_x = nrm_sum_of_pairs(sx) / (double)n;
    const double mean_y = nrm_sum_of_pairs(sy) / (double)n;
    nrm_pair xx[2] = {{0.0, 0.0}, {0.0, 0.0}}, yy[2] = {{0.0, 0.0}, {0.0, 0.0}};
    for (i = 0; i + 4 <= n; i += 4)
        for (int k = 0; k < 2; k++) {
            const nrm_pair dx = nrm_pair_at(x + i + 2 * k) - mean_x;
            const nrm_pair dy = nrm_pair_at(y + i + 2 * k) - mean_y;
            xx[k] += dx * dx;
            yy[k] += dy * dy;
        }
    for (; i < n; i++) {
        xx[0][0] += (x[i] - mean_x) * (x[i] - mean_x);
        yy[0][0] += (y[i] - mean_y) * (y[i] - mean_y);
    }
    const double count = (double)(n > 2 ? n - 1 : 1);
    return (nrm_scatter){mean_x, mean_y, nrm_sum_of_pairs(xx) / count, nrm_sum_of_pairs(yy) / count};
}

/* Samples far away: of the baseline those beyond reach, at least a third of it: a layer that does
 * not press may be felt already. */
static int64_t far_samples(const nrm_curve *curve, double reach) {
    enum { TOGETHER = 16 };
    const int64_t base = nrm_count(curve->contact->baseline_end, curve->n);
    const double zero = curve->contact->height, *height = curve->height;
    int64_t far = 0, near = 0;
    for (; far + TOGETHER <= base && !near; far += near ? 0 : TOGETHER)
        for (int64_t i = far; i < far + TOGETHER; i++) near += !(height[i] - zero > reach);
    while (far < base && height[far] - zero > reach) far++;
    if (far < base / 3) far = base / 3;
    return far < 1 ? 1 : far;
}

/* Whether a line may be taken out: the far samples reach as far as half of what lies within reach. */
static bool carries_line(const nrm_curve *curve, int64_t far, double reach) {
    if (far < 64 || far > curve->n) return false;
    return fabs(curve->height[far - 1] - curve->height[0]) >= 0.5 * reach;
}

/* Sum of squares about a line, over n - 2. */
static double variance_about(const double *x, const double *y, int64_t n, const nrm_line *line) {
    nrm_pair sum[2] = {{0.0, 0.0}, {0.0, 0.0}};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 2; k++) {
            const nrm_pair off = nrm_pair_at(y + i + 2 * k) - line->mean_y
                                 - line->slope * (nrm_pair_at(x + i + 2 * k) - line->mean_x);
            sum[k] += off * off;
        }
    for (; i < n; i++) {
        const double off = y[i] - line->mean_y - line->slope * (x[i] - line->mean_x);
        sum[0][0] += off * off;
    }
    return nrm_sum_of_pairs(sum) / (double)(n > 3 ? n - 2 : 1);
}

/* What is taken out of the lateral signal: its mean far away, or the line through it. */
typedef struct {
    nrm_line x, y;
    double var_x, var_y, slope_variance; /* of one sample, N^2; of the slopes, as a part, 1/m^2 */
} far_lateral;

static far_lateral far_away(const nrm_curve *curve, double reach) {
    const bool line = curve->settings->lateral_line > 0.0;
    const int64_t far = line || !curve->far ? far_samples(curve, reach) : 0;
    far_lateral found;
    if (line && carries_line(curve, far, reach)) {
        double run = curve->correlation[0];
        for (int64_t l = 1; l < curve->n_lags; l++) run += 2.0 * curve->correlation[l];
        found.x = nrm_fit_line(curve->height, curve->in_phase, 0, far);
        found.y = nrm_fit_line(curve->height, curve->quadrature, 0, far);
        found.var_x = variance_about(curve->height, curve->in_phase, far, &found.x);
        found.var_y = variance_about(curve->height, curve->quadrature, far, &found.y);
        found.slope_variance = found.x.sxx > 0.0 ? (run > 0.1 ? run : 0.1) / found.x.sxx : 0.0;
        return found;
    }
    const nrm_scatter scatter =
        curve->far ? *curve->far : nrm_scatter_of(curve->in_phase, curve->quadrature, far);
    found.x = (nrm_line){0.0, scatter.mean_x, 0.0, 0.0};
    found.y = (nrm_line){0.0, scatter.mean_y, 0.0, 0.0};
    found.var_x = scatter.var_x;
    found.var_y = scatter.var_y;
    found.slope_variance = 0.0;
    return found;
}

/* Deflection that stands for a unit of distance: what the wall shows, or 1 as told. */
static double deflection_per_distance(const nrm_curve *curve) {
    const double slope = curve->settings->wall_slope;
    return slope > 0.0 ? slope : 1.0;
}

/* Whether the tip jumps before sample i: through a crust, or onto the surface. */
static bool jumps(const nrm_curve *curve, int64_t i, double limit) {
    double moved = deflection_per_distance(curve) * fabs(curve->height[i] - curve->height[i - 1]);
    return fabs(curve->clean[i] - curve->clean[i - 1]) > moved + limit;
}

/* Neighbours on either side over which the deflection is averaged: at most four, and those within
 * 1.3 nm of the base's way, so that sparse ramps are not blurred. */
static int64_t neighbours(const nrm_curve *curve) {
    const double way = fabs(curve->height[curve->n - 1] - curve->height[0]);
    const double within = 1.3e-9 * (double)(curve->n - 1);
    return way > 0.0 ? nrm_count(within / way, NRM_SMOOTHED / 2) : NRM_SMOOTHED / 2;
}

/* Mean of deflection less baseline over a sample and its neighbours, none of them across a jump. */
static double smoothed(const nrm_curve *curve, const double *bent, int64_t i, int64_t half,
                       double limit) {
    int64_t low = i, high = i + 1;
    while (low > 0 && low > i - half && !jumps(curve, low, limit)) low--;
    while (high < curve->n && high < i + 1 + half && !jumps(curve, high, limit)) high++;
    double sum = 0.0;
    for (int64_t k = low; k < high; k++) sum += bent[k];
    return sum / (double)(high - low);
}

/* First sample of the wall that was fitted; n where there is none. */
static int64_t wall_begin(const nrm_curve *curve) {
    const nrm_contact *contact = curve->contact;
    if (!(contact->wall_samples > 0.0 && contact->wall_begin >= 0.0)) return curve->n;
    return nrm_count(contact->wall_begin, curve->n);
}

/* How far the wall's own slope, where it is not that of the data set, puts its distances off (m):
 * the line with the data set's slope goes through its middle, and is off at its beginning. */
static double of_another_slope(const nrm_curve *curve, const double *raw) {
    const nrm_contact *contact = curve->contact;
    const double slope = deflection_per_distance(curve), unsure = 2.0 * contact->wall_slope_stderr;
    const double off = fabs(fabs(contact->wall_slope) - slope);
    const int64_t middle = wall_begin(curve) + nrm_count(contact->wall_samples, curve->n) / 2;
    if (!(off > unsure) || !isfinite(off) || middle >= curve->n) return 0.0;
    return off * fabs(raw[middle]) / slope;
}

/* Noise of the deflection as the window of a derivative feels it (m): of single samples, or, where
 * it is slow (1/f, hum), of the difference of neighbouring means over a half-width each, as large
 * as white noise that makes the same. */
static double noise_of_slopes(const nrm_curve *curve) {
    const nrm_contact *contact = curve->contact;
    const double noise = contact->noise, *y = curve->clean;
    if (!(contact->long_run > 1.5 * noise) || curve->n < 2) return noise;
    const double step = (curve->height[curve->n - 1] - curve->height[0]) / (double)(curve->n - 1);
    int64_t size = nrm_count(curve->settings->half_width / fabs(step), 64);
    if (size < 2) size = 2;
    const int64_t blocks = nrm_count(contact->baseline_end, curve->n) / size;
    if (blocks < 8) return noise;
    const double tilt = contact->baseline_slope * step * (double)size;
    double before = 0.0, total = 0.0;
    for (int64_t block = 0; block < blocks; block++) {
        double mean = 0.0;
        for (int64_t i = block * size; i < (block + 1) * size; i++) mean += y[i];
        mean /= (double)size;
        const double apart = mean - before - tilt;
        if (block > 0) total += apart * apart;
        before = mean;
    }
    const double slow = sqrt(total / (double)(blocks - 1) / 2.0 * (double)size);
    return slow > noise ? slow : noise;
}

/* Least distance that noise lets be told from the electrode (m). */
static double least_distance(const nrm_curve *curve, int64_t half) {
    const double unsure = 4.0 * curve->contact->noise / deflection_per_distance(curve)
                          / sqrt((double)(2 * half + 1));
    return unsure > 0.3e-9 ? unsure : 0.3e-9;
}

/* A tip that goes on by less than STANDS of its base's way stands on an electrode that gives way,
 * no farther than NEAR (m) from where it is found for sure. */
static const double NEAR = 2.5e-9, STANDS = 0.25;

/* Number of samples before the hard contact, which is found for sure at a corner: the first sample
 * of the fitted wall, or the first that is nearer than noise lets be told.
 *
 * Samples end there; where the tip stands before; and where the distance is within what the doubt
 * about the deflection's unit leaves unsure, doubt times the deflection at the corner. */
static int64_t layer_end(const nrm_curve *curve, const double *raw, const double *z,
                         int64_t corner, int64_t half) {
    const double *height = curve->height, over = 1.0 / deflection_per_distance(curve);
    const double cut = least_distance(curve, half), limit = 6.0 * curve->contact->noise;
    const int64_t end = corner < curve->n ? corner : curve->n - 1;
    const double bent = over * smoothed(curve, raw, end, half, limit);
    const double least = cut + curve->settings->doubt * fabs(bent);
    const double above = 1.5 * cut > 0.5e-9 ? 1.5 * cut : 0.5e-9;
    double z_hard = height[end] - curve->contact->height + bent;
    const double highest = z_hard + NEAR + of_another_slope(curve, raw);
    /* Back from there step by step: after a long wall even a steep layer is little of the way. */
    int64_t hard = corner, at_hard = end;
    for (int64_t i = end - 1; i >= 0 && z[i] < highest && z[i] < z_hard + above; i--)
        if (z[i] - z_hard < STANDS * (height[i] - height[at_hard])) {
            hard = at_hard = i;
            z_hard = z[i];
        }
    int64_t last = 0;
    while (last < hard && !(z[last] < least)) last++;
    if (hard == wall_begin(curve)) return last;
    const int64_t apart = hard > half ? hard - half : 0; /* no mean holds a sample of the wall */
    return last < apart ? last : apart;
}

/* Distance of every sample from the electrode, and how far the lever is bent there (m, as told), up
 * to the hard contact: its jump would leak into the slope. Returns how many samples that leaves.
 * Beyond reach + 10 nm the mean with neighbours is not needed, and distances stay rough.
 *
 * z = (h - h_c) + (d - baseline) / |s|, with d from a running mean and s the wall's slope. */
static int64_t distances(const nrm_curve *curve, double reach, double *NRM_RESTRICT raw,
                         double *NRM_RESTRICT bent, double *NRM_RESTRICT z) {
    enum { TOGETHER = 64, HALF = NRM_SMOOTHED / 2 };
    const nrm_contact *contact = curve->contact;
    const double *height = curve->height, *clean = curve->clean;
    const double slope = contact->baseline_slope, at = contact->baseline_at;
    const double per_distance = deflection_per_distance(curve), over = 1.0 / per_distance;
    const double zero = contact->height, limit = 6.0 * contact->noise;
    const int64_t half = curve->n > 0 ? neighbours(curve) : 0;
    const double cut = least_distance(curve, half), enough = reach + 10e-9;
    const int64_t n = curve->n;
    for (int64_t i = 0; i < n; i++) {
        raw[i] = clean[i] - slope * height[i] - at;
        z[i] = height[i] - zero + over * raw[i];
    }
    int64_t corner = wall_begin(curve);
    for (int64_t first = 0; first < corner; first += TOGETHER) {
        const int64_t stop = first + TOGETHER < corner ? first + TOGETHER : corner;
        int64_t near = 0, torn = 0;
        for (int64_t i = first; i < stop; i++) near += !(z[i] > enough);
        if (!near) continue;
        /* Where nothing jumps and no end is near, all means are of as many samples. */
        bool whole = half == HALF && first >= HALF && stop + HALF <= n;
        if (whole) {
            for (int64_t i = first - HALF + 1; i < stop + HALF; i++) {
                double moved = per_distance * fabs(height[i] - height[i - 1]);
                torn += fabs(clean[i] - clean[i - 1]) > moved + limit;
            }
            whole = torn == 0;
        }
        if (whole) {
            for (int64_t i = first; i < stop; i++) {
                double sum = raw[i - 4] + raw[i - 3];
                sum += raw[i - 2];
                sum += raw[i - 1];
                sum += raw[i];
                sum += raw[i + 1];
                sum += raw[i + 2];
                sum += raw[i + 3];
                sum += raw[i + 4];
                bent[i] = sum / (double)NRM_SMOOTHED;
            }
        } else {
            for (int64_t i = first; i < stop; i++)
                if (!(z[i] > enough)) bent[i] = smoothed(curve, raw, i, half, limit);
        }
        for (int64_t i = first; i < stop; i++) {
            if (z[i] > enough) continue;
            z[i] = height[i] - zero + over * bent[i];
            if (z[i] < cut) {
                corner = i;
                break;
            }
        }
    }
    return n > 0 ? layer_end(curve, raw, z, corner, half) : 0;
}

/* Distance (m) up to which samples count. */
double nrm_reach_of(const nrm_curve *curve) {
    const double last = curve->n_depths > 0 ? curve->depth[curve->n_depths - 1] : 0.0;
    return last / curve->own.cosine + curve->settings->half_width;
}

/* Mean of the samples just before the hard contact, none of them beside it. */
static double before_contact(const nrm_curve *curve, const double *values, const nrm_line *line) {
    const int64_t wall = wall_begin(curve);
    if (wall >= curve->n || wall < 20) return (double)NAN;
    double sum = 0.0;
    for (int64_t i = wall - 20; i < wall - 4; i++)
        sum += values[i] - line->mean_y - line->slope * (curve->height[i] - line->mean_x);
    return sum / 16.0;
}

static double bend_of(const double *x, const double *y, int64_t n) {
    return nrm_fit_line(x, y, n / 2, n).slope - nrm_fit_line(x, y, 0, n / 2).slope;
}

/* Sums of a lateral signal about its mean far away: squares, products with the height, and both of
 * sums of 16 samples in a row. */
typedef struct {
    double squares, products, squares_of_16, products_of_16;
} far_sums;

/* Line through a signal, variance of one sample about it, and 16 times that of means of 16. */
static nrm_line line_of(const far_sums *sums, double at, double mean, double spread,
                        double spread_of_16, int64_t n, double *variance, double *of_means) {
    const int64_t blocks = n / 16;
    const double slope = spread > 0.0 ? sums->products / spread : 0.0;
    const double left = sums->squares - slope * sums->products;
    const double left_of_16 = sums->squares_of_16 - 2.0 * slope * sums->products_of_16
                              + slope * slope * spread_of_16;
    *variance = (left > 0.0 ? left : 0.0) / (double)(n > 3 ? n - 2 : 1);
    *of_means = blocks > 3 ? left_of_16 / (double)(16 * (blocks - 2)) : (double)NAN;
    return (nrm_line){at, mean, slope, spread};
}

/* Without bend and rise, which are nan. Sums of squares are in the order of nrm_scatter_of. */
static int64_t measure_far(const nrm_curve *curve, double reach, nrm_line *line_x,
                           nrm_line *line_y, nrm_lateral_baseline *baseline, nrm_scatter *scatter) {
    *baseline =
        (nrm_lateral_baseline){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (curve->n < 1 || !isfinite(curve->contact->height)) return 0;
    const int64_t far = far_samples(curve, reach);
    if (far < 8) return 0;
    const double *height = curve->height, *x = curve->in_phase, *y = curve->quadrature;
    const nrm_pair none = {0.0, 0.0};
    nrm_pair sh[2] = {none, none}, sx[2] = {none, none}, sy[2] = {none, none};
    int64_t i = 0;
    for (; i + 4 <= far; i += 4)
        for (int k = 0; k < 2; k++) {
            sh[k] += nrm_pair_at(height + i + 2 * k);
            sx[k] += nrm_pair_at(x + i + 2 * k);
            sy[k] += nrm_pair_at(y + i + 2 * k);
        }
    for (; i < far; i++) {
        sh[0][0] += height[i];
        sx[0][0] += x[i];
        sy[0][0] += y[i];
    }
    const double samples = (double)far, at = nrm_sum_of_pairs(sh) / samples;
    const double mean_x = nrm_sum_of_pairs(sx) / samples, mean_y = nrm_sum_of_pairs(sy) / samples;
    far_sums in_phase = {0.0, 0.0, 0.0, 0.0}, quadrature = in_phase;
    double spread_of_16 = 0.0;
    nrm_pair xx[2] = {none, none}, yy[2] = {none, none}, hh = none, hx = none, hy = none;
    for (int64_t first = 0; first < far; first += 16) {
        const int64_t stop = first + 16 < far ? first + 16 : far;
        nrm_pair h = none, fx = none, fy = none;
        for (i = first; i + 4 <= stop; i += 4)
            for (int k = 0; k < 2; k++) {
                const nrm_pair dh = nrm_pair_at(height + i + 2 * k) - at;
                const nrm_pair dx = nrm_pair_at(x + i + 2 * k) - mean_x;
                const nrm_pair dy = nrm_pair_at(y + i + 2 * k) - mean_y;
                h += dh;
                fx += dx;
                fy += dy;
                hh += dh * dh;
                xx[k] += dx * dx;
                yy[k] += dy * dy;
                hx += dh * dx;
                hy += dh * dy;
            }
        for (; i < stop; i++) {
            const double dh = height[i] - at, dx = x[i] - mean_x, dy = y[i] - mean_y;
            hh[0] += dh * dh;
            xx[0][0] += dx * dx;
            yy[0][0] += dy * dy;
            hx[0] += dh * dx;
            hy[0] += dh * dy;
        }
        if (stop - first < 16) continue;
        const double of_h = h[0] + h[1], of_x = fx[0] + fx[1], of_y = fy[0] + fy[1];
        spread_of_16 += of_h * of_h;
        in_phase.squares_of_16 += of_x * of_x;
        in_phase.products_of_16 += of_h * of_x;
        quadrature.squares_of_16 += of_y * of_y;
        quadrature.products_of_16 += of_h * of_y;
    }
    const double spread = hh[0] + hh[1];
    in_phase.squares = nrm_sum_of_pairs(xx);
    in_phase.products = hx[0] + hx[1];
    quadrature.squares = nrm_sum_of_pairs(yy);
    quadrature.products = hy[0] + hy[1];
    *scatter = (nrm_scatter){mean_x, mean_y, in_phase.squares / (samples - 1.0),
                             quadrature.squares / (samples - 1.0)};
    double var_x, var_y, means_x, means_y;
    *line_x = line_of(&in_phase, at, mean_x, spread, spread_of_16, far, &var_x, &means_x);
    *line_y = line_of(&quadrature, at, mean_y, spread, spread_of_16, far, &var_y, &means_y);
    baseline->in_phase = line_x->mean_y;
    baseline->quadrature = line_y->mean_y;
    baseline->slope_in_phase = line_x->slope;
    baseline->slope_quadrature = line_y->slope;
    baseline->noise_in_phase = sqrt(var_x);
    baseline->noise_quadrature = sqrt(var_y);
    if (var_x + var_y > 0.0) baseline->correlation = (means_x + means_y) / (var_x + var_y);
    baseline->spread = line_x->sxx;
    baseline->length = fabs(height[far - 1] - height[0]);
    return far;
}

bool nrm_lateral_baseline_of(const nrm_curve *curve, double reach, nrm_lateral_baseline *baseline,
                             nrm_scatter *scatter) {
    nrm_line line_x, line_y;
    return measure_far(curve, reach, &line_x, &line_y, baseline, scatter) > 0;
}

int nrm_lateral_baselines(int64_t n_curves, const int64_t *begin, const double *height,
                          const double *in_phase, const double *quadrature, int64_t n_samples,
                          const nrm_contact *contacts, double reach,
                          nrm_lateral_baseline *baselines) {
    static const nrm_profile_settings none;
    int64_t longest;
    const int problem = nrm_check_begin(n_curves, begin, n_samples, &longest);
    if (problem) return problem;
    for (int64_t i = 0; i < n_curves; i++) {
        const int64_t a = begin[i];
        const nrm_curve curve = {
            height + a, NULL, in_phase + a, quadrature + a, begin[i + 1] - a, contacts + i, &none,
            {0.0, 0.0, 1.0}, NULL, 0, NULL, 0, 0.0, 0, NULL,
        };
        nrm_lateral_baseline *baseline = baselines + i;
        nrm_line line_x, line_y;
        nrm_scatter scatter;
        const int64_t far = measure_far(&curve, reach, &line_x, &line_y, baseline, &scatter);
        if (far < 8) continue;
        baseline->bend_in_phase = bend_of(curve.height, curve.in_phase, far);
        baseline->bend_quadrature = bend_of(curve.height, curve.quadrature, far);
        baseline->rise_in_phase = before_contact(&curve, curve.in_phase, &line_x);
        baseline->rise_quadrature = before_contact(&curve, curve.quadrature, &line_y);
    }
    return NRM_OK;
}

/* A sample's distance and number, for sorting. */
typedef struct {
    double z;
    int64_t sample;
} ranked;

static void turn_around(ranked *samples, int64_t n) {
    for (int64_t i = 0; i < n / 2; i++) {
        const ranked one = samples[i];
        samples[i] = samples[n - 1 - i];
        samples[n - 1 - i] = one;
    }
}

/* Sort by rising distance: runs of sixteen by insertion, then merges, of which those in order
 * already cost nothing. Samples come nearly sorted. */
static void sort_ranked(ranked *samples, ranked *spare, int64_t n) {
    enum { RUN = 16 };
    for (int64_t a = 0; a < n; a += RUN) {
        const int64_t b = a + RUN < n ? a + RUN : n;
        for (int64_t i = a + 1; i < b; i++) {
            const ranked one = samples[i];
            int64_t k = i;
            for (; k > a && samples[k - 1].z > one.z; k--) samples[k] = samples[k - 1];
            samples[k] = one;
        }
    }
    for (int64_t run = RUN; run < n; run *= 2) {
        for (int64_t a = 0; a < n; a += 2 * run) {
            const int64_t middle = a + run < n ? a + run : n;
            const int64_t stop = a + 2 * run < n ? a + 2 * run : n;
            if (middle == stop || samples[middle - 1].z <= samples[middle].z) continue;
            /* What is in order at either end stays where it is. */
            int64_t low = a, high = stop;
            while (samples[low].z <= samples[middle].z) low++;
            while (samples[high - 1].z >= samples[middle - 1].z) high--;
            const int64_t kept = middle - low;
            memcpy(spare, samples + low, (size_t)kept * sizeof *spare);
            int64_t i = 0, k = middle, at = low;
            while (i < kept && k < high)
                samples[at++] = samples[k].z < spare[i].z ? samples[k++] : spare[i++];
            memcpy(samples + at, spare + i, (size_t)(kept - i) * sizeof *spare);
        }
    }
}

/* Lateral force of samples from first to stop: that of the delay later (`whole` samples and a part of
 * one), less what is far away, and corrected for the lever. */
static void lateral_forces(const nrm_curve *curve, const far_lateral *far, int64_t whole,
                           double part, int64_t first, int64_t stop, double *NRM_RESTRICT in_phase,
                           double *NRM_RESTRICT quadrature) {
    const double stiffness = curve->settings->lateral_stiffness;
    const double amplitude = curve->settings->amplitude;
    for (int64_t i = first; i < stop; i++) {
        const double *x = curve->in_phase + i + whole, *y = curve->quadrature + i + whole;
        in_phase[i] = (1.0 - part) * x[0] + part * x[1] - far->x.mean_y;
        quadrature[i] = (1.0 - part) * y[0] + part * y[1] - far->y.mean_y;
    }
    for (int64_t i = first; far->slope_variance > 0.0 && i < stop; i++) {
        const double height = curve->height[i + whole];
        in_phase[i] -= far->x.slope * (height - far->x.mean_x);
        quadrature[i] -= far->y.slope * (height - far->y.mean_x);
    }
    const double gives = 1.0 / stiffness;
    for (int64_t i = first; stiffness > 0.0 && i < stop; i++) {
        const double x = in_phase[i], y = quadrature[i];
        const double re = amplitude - x * gives, im = -y * gives;
        const double over = amplitude / (re * re + im * im);
        in_phase[i] = (x * re + y * im) * over;
        quadrature[i] = (y * re - x * im) * over;
    }
}

/* Samples of a curve above the hard contact and within reach of the depths, by rising distance, or
 * in their own order. Behind these n lie those beyond, up to the last bin, in no order; all are
 * n_binned.
 *
 * The lateral force is that of the delay later, since the lock-in lags, and is corrected for the
 * lever, which gives way by F / k: F / A becomes F / (A - F / k). Room in work: 12 n. */
nrm_layer nrm_layer_samples(const nrm_curve *curve, bool by_distance, double *work) {
    const int64_t n = curve->n;
    const double stretch = curve->own.cosine;
    const double reach = nrm_reach_of(curve);
    const double last_bin = (double)curve->n_bins * curve->bin_width / stretch;
    const double within = last_bin > reach ? last_bin : reach;
    double *normal = work, *in_phase = normal + n, *quadrature = in_phase + n;  /* 3 n */
    ranked *samples = (ranked *)(work + 4 * n);    /* 2 n */
    ranked *spare = samples + n;                   /* 2 n */
    double *z = work + 8 * n, *raw = z + n, *bent = raw + n, *sorted = bent + n; /* 4 n */
    nrm_layer layer = {0, 0, sorted, normal, in_phase, quadrature, 0.0, 0.0, 0.0, 0.0, 1};
    const bool lateral = curve->in_phase != NULL;
    far_lateral far = {{0.0, 0.0, 0.0, 0.0}, {0.0, 0.0, 0.0, 0.0}, 0.0, 0.0, 0.0};
    if (lateral) far = far_away(curve, reach);
    layer.var_x = far.var_x;
    layer.var_y = far.var_y;
    layer.line = far.slope_variance;
    layer.noise = noise_of_slopes(curve) / deflection_per_distance(curve);
    layer.smoothed = 2 * neighbours(curve) + 1;
    const int64_t last = distances(curve, within, raw, bent, z);

    /* A delay of more samples than there are leaves none. */
    const double delay = curve->own.delay;
    const bool sane = fabs(delay) < (double)n + 1.0;
    const int64_t whole = sane ? (int64_t)floor(delay) : 0;
    const double part = sane ? delay - (double)whole : 0.0;
    const int64_t felt = last - nrm_count(curve->own.settling, n); /* the hard contact, from there */
    int64_t kept = 0, beyond = 0, earliest = n, latest = -1;
    for (int64_t i = last - 1; i >= 0; i--) { /* backwards: nearly sorted */
        if (z[i] > within) continue;
        const int64_t j = i + whole;
        if (lateral && (!sane || j + 1 >= felt || j < 0)) continue;
        earliest = i;
        if (latest < 0) latest = i;
        if (z[i] > reach) samples[n - ++beyond] = (ranked){z[i], i};
        else samples[kept++] = (ranked){z[i], i};
    }
    if (by_distance) sort_ranked(samples, spare, kept);
    else turn_around(samples, kept);
    memmove(samples + kept, samples + n - beyond, (size_t)beyond * sizeof *samples);

    const double spring_constant = curve->settings->spring_constant;
    for (int64_t k = 0; k < kept + beyond; k++) {
        sorted[k] = samples[k].z;
        normal[k] = spring_constant * bent[samples[k].sample];
        in_phase[k] = quadrature[k] = 0.0;
    }
    if (lateral && kept + beyond > 0) {
        double *x = (double *)spare, *y = x + n;
        lateral_forces(curve, &far, whole, part, earliest, latest + 1, x, y);
        for (int64_t k = 0; k < kept + beyond; k++) {
            in_phase[k] = x[samples[k].sample];
            quadrature[k] = y[samples[k].sample];
        }
    }
    layer.n = kept;
    layer.n_binned = kept + beyond;
    return layer;
}

static const nrm_layer no_samples;

/* Mean lateral force in bins of the distance, and how many samples each has; nan in empty ones. */
static void fill_bins(const nrm_curve *curve, const nrm_layer *layer, double *NRM_RESTRICT bins) {
    const int64_t n_bins = curve->n_bins;
    double *x = bins, *y = bins + n_bins, *count = bins + 2 * n_bins;
    const double per_metre = curve->own.cosine / curve->bin_width;
    memset(bins, 0, (size_t)(3 * n_bins) * sizeof *bins);
    /* Samples of a bin mostly follow each other: their sums are kept until another bin comes. */
    double sum_x = 0.0, sum_y = 0.0, samples = 0.0;
    int64_t bin = 0;
    for (int64_t i = 0; i < layer->n_binned; i++) {
        const double at = layer->z[i] * per_metre;
        if (!(at >= 0.0 && at < (double)n_bins)) continue;
        if (!isfinite(layer->in_phase[i]) || !isfinite(layer->quadrature[i])) continue;
        const int64_t k = (int64_t)at;
        if (k != bin) {
            x[bin] += sum_x;
            y[bin] += sum_y;
            count[bin] += samples;
            sum_x = sum_y = samples = 0.0;
            bin = k;
        }
        sum_x += layer->in_phase[i];
        sum_y += layer->quadrature[i];
        samples += 1.0;
    }
    if (samples > 0.0) {
        x[bin] += sum_x;
        y[bin] += sum_y;
        count[bin] += samples;
    }
    for (int64_t k = 0; k < n_bins; k++) {
        x[k] = count[k] > 0.0 ? x[k] / count[k] : (double)NAN;
        y[k] = count[k] > 0.0 ? y[k] / count[k] : (double)NAN;
    }
}

/* ------------------------------------------------------------------ noise of weighted sums */

enum { LAGS = 16 }; /* lags of an autocorrelation that are looked at one by one */

/* Sums of products of weights with those `lag` later, for all lags below 2 PAIRS. Lanes are lags,
 * so that each sum has a fixed order; behind the weights lie zeros. */
#define PRODUCTS(PAIRS)                                                                \
    do {                                                                               \
        nrm_pair sum[PAIRS] = {{0.0, 0.0}};                                            \
        for (int64_t i = 0; i < n; i++) {                                              \
            const nrm_pair here = {weights[i], weights[i]};                            \
            for (int k = 0; k < (PAIRS); k++)                                          \
                sum[k] += here * nrm_pair_at(weights + i + 2 * k);                     \
        }                                                                              \
        memcpy(products, sum, sizeof sum);                                             \
    } while (0)

static void products_to_9(const double *weights, int64_t n, double *products) { PRODUCTS(5); }
static void products_to_17(const double *weights, int64_t n, double *products) { PRODUCTS(9); }

static double product_at(const double *weights, int64_t n, int64_t lag) {
    nrm_pair sum[2] = {{0.0, 0.0}, {0.0, 0.0}};
    int64_t i = 0;
    for (; i + 4 <= n - lag; i += 4)
        for (int k = 0; k < 2; k++)
            sum[k] += nrm_pair_at(weights + i + 2 * k) * nrm_pair_at(weights + i + 2 * k + lag);
    for (; i < n - lag; i++) sum[0][0] += weights[i] * weights[i + lag];
    return nrm_sum_of_pairs(sum);
}

/* Variances of weighted sums of noise of variance 1, from the autocorrelation R of the weights.
 *
 * Correlated noise: R(0) + 2 sum rho(l) R(l). Weights are smooth, so that of many lags one in the
 * middle stands for its neighbours. White noise after a running mean of m samples:
 * (m R(0) + 2 sum (m - l) R(l)) / m^2. Behind the weights there are 18 zeros. */
void nrm_weight_variances(const double *weights, int64_t n, const double *correlation,
                          int64_t n_lags, int64_t n_smoothed, double *correlated,
                          double *smoothed) {
    double products[2 * 9];
    const int64_t last = n_lags < n ? n_lags : n;
    const int64_t together = (last - 2) / LAGS + 1 > 1 ? (last - 2) / LAGS + 1 : 1;
    const bool few = last <= 10 || together > 1;
    if (few) products_to_9(weights, n, products);
    else products_to_17(weights, n, products);
    double total = products[0];
    for (int64_t first = 1; first < last; first += together) {
        const int64_t stop = first + together < last ? first + together : last;
        const int64_t lag = (first + stop - 1) / 2;
        double rho = 0.0;
        for (int64_t l = first; l < stop; l++) rho += correlation[l];
        total += 2.0 * rho * (together > 1 ? product_at(weights, n, lag) : products[lag]);
    }
    *correlated = total > 0.1 * products[0] ? total : 0.1 * products[0];
    const double width = (double)n_smoothed;
    double sum = width * products[0];
    for (int lag = 1; lag < (int)n_smoothed; lag++) sum += 2.0 * (width - lag) * products[lag];
    *smoothed = sum / (width * width);
}

/* Variances of the noise far away where the lateral force (corrected for the lever) is F.
 *
 * The correction F A / (A - F / k) of what is measured has the derivative (1 + K / k)^2, complex,
 * with the layer's stiffness K = F / A. */
nrm_variances nrm_behind_lever(const nrm_curve *curve, const nrm_layer *layer, double in_phase,
                               double quadrature) {
    const double force = curve->settings->amplitude * curve->settings->lateral_stiffness;
    if (!(force > 0.0)) return (nrm_variances){layer->var_x, layer->var_y};
    const double re = 1.0 + in_phase / force, im = quadrature / force;
    const double gain_re = re * re - im * im, gain_im = 2.0 * re * im;
    return (nrm_variances){
        gain_re * gain_re * layer->var_x + gain_im * gain_im * layer->var_y,
        gain_re * gain_re * layer->var_y + gain_im * gain_im * layer->var_x,
    };
}

/* ------------------------------------------------------------------ the local line */

/* Sums over a window of kernel weights q times powers of the distance, alone (s0, s1, s2) and with
 * the normal, in-phase and quadrature force (level: sum q F, slope: sum q dz F). */
typedef struct {
    double s0, s1, s2, level[3], slope[3];
} moments;

/* Epanechnikov's kernel, q = 1 - (dz / h)^2; q and q dz of every sample are kept. */
static moments moments_around(const nrm_layer *layer, int64_t a, int64_t b, double at,
                              double half_width, double *NRM_RESTRICT q_of,
                              double *NRM_RESTRICT q_dz_of) {
    const double over = 1.0 / half_width;
    const double *z = layer->z, *f[3] = {layer->normal, layer->in_phase, layer->quadrature};
    nrm_pair s0 = {0.0, 0.0}, s1 = s0, s2 = s0, level[3] = {s0, s0, s0}, slope[3] = {s0, s0, s0};
    int64_t i = a;
    for (; i + 2 <= b; i += 2) {
        const nrm_pair dz = nrm_pair_at(z + i) - at, u = dz * over, q = 1.0 - u * u, q_dz = q * dz;
        s0 += q;
        s1 += q_dz;
        s2 += q_dz * dz;
        for (int k = 0; k < 3; k++) {
            level[k] += q * nrm_pair_at(f[k] + i);
            slope[k] += q_dz * nrm_pair_at(f[k] + i);
        }
        memcpy(q_of + (i - a), &q, sizeof q);
        memcpy(q_dz_of + (i - a), &q_dz, sizeof q_dz);
    }
    if (i < b) {
        const double dz = z[i] - at, u = dz * over, q = 1.0 - u * u, q_dz = q * dz;
        s0[0] += q;
        s1[0] += q_dz;
        s2[0] += q_dz * dz;
        for (int k = 0; k < 3; k++) {
            level[k][0] += q * f[k][i];
            slope[k][0] += q_dz * f[k][i];
        }
        q_of[i - a] = q;
        q_dz_of[i - a] = q_dz;
    }
    moments sum = {s0[0] + s0[1], s1[0] + s1[1], s2[0] + s2[1], {0.0}, {0.0}};
    for (int k = 0; k < 3; k++) {
        sum.level[k] = level[k][0] + level[k][1];
        sum.slope[k] = slope[k][0] + slope[k][1];
    }
    return sum;
}

/* Profiles by a weighted line around each distance, F = level + slope dz:
 *     level = (S2 sum qF - S1 sum q dz F) / det,   slope = (S0 sum q dz F - S1 sum qF) / det,
 * with S_k = sum q dz^k and det = S0 S2 - S1^2. The gradient towards the electrode is -slope; its
 * variance that of the lateral noise, and of the distance's noise on the slope. Room in work: 3 n
 * and 18. */
static void local_lines(const nrm_curve *curve, const nrm_layer *layer, double *work,
                        double *found, double *valid) {
    const double h = curve->settings->half_width, noise = layer->noise;
    const int64_t m = curve->n_depths;
    const double *z = layer->z;
    double *NRM_RESTRICT weights = work, *NRM_RESTRICT q = work + layer->n + 18;
    double *NRM_RESTRICT q_dz = q + layer->n;
    int64_t a = 0, b = 0, middle = 0, filled = 0;
    memset(weights, 0, (size_t)(layer->n + 18) * sizeof(double));
    for (int64_t g = 0; g < m; g++) {
        const double at = curve->depth[g] / curve->own.cosine;
        while (a < layer->n && z[a] <= at - h) a++;
        if (b < a) b = a;
        while (b < layer->n && z[b] < at + h) b++;
        if (b - a < 5) continue;
        if (z[a] > at) continue;
        if (z[b - 1] < at + 0.5 * h) continue;
        while (middle < b && z[middle] < at) middle++;
        if (a < middle && middle < b && z[middle] - z[middle - 1] > h) continue; /* a gap */
        const moments sum = moments_around(layer, a, b, at, h, q, q_dz);
        const double s0 = sum.s0, s1 = sum.s1, s2 = sum.s2;
        const double det = s0 * s2 - s1 * s1;
        if (det <= 1e-9 * s0 * s0 * h * h) continue;
        const double over = 1.0 / det;
        found[NRM_NORMAL * m + g] = (s2 * sum.level[0] - s1 * sum.slope[0]) * over;
        if (!isfinite(*valid)) *valid = curve->depth[g];
        if (!curve->in_phase) continue;
        const double slope_x = (s0 * sum.slope[1] - s1 * sum.level[1]) * over;
        const double slope_y = (s0 * sum.slope[2] - s1 * sum.level[2]) * over;
        for (int64_t i = 0; i < b - a; i++) weights[i] = s0 * q_dz[i] - s1 * q[i];
        for (int64_t i = b - a; i < filled; i++) weights[i] = 0.0; /* left by a longer window */
        filled = b - a;
        double correlated, smoothed;
        nrm_weight_variances(weights, b - a, curve->correlation, curve->n_lags, layer->smoothed,
                             &correlated, &smoothed);
        correlated = correlated * over * over + layer->line;
        smoothed *= over * over * noise * noise;
        const double level_x = (s2 * sum.level[1] - s1 * sum.slope[1]) * over;
        const double level_y = (s2 * sum.level[2] - s1 * sum.slope[2]) * over;
        const nrm_variances var = nrm_behind_lever(curve, layer, level_x, level_y);
        found[NRM_IN_PHASE * m + g] = level_x;
        found[NRM_QUADRATURE * m + g] = level_y;
        found[NRM_GRADIENT_X * m + g] = -slope_x;
        found[NRM_GRADIENT_Y * m + g] = -slope_y;
        found[NRM_STDERR_X * m + g] = sqrt(var.x * correlated + slope_x * slope_x * smoothed);
        found[NRM_STDERR_Y * m + g] = sqrt(var.y * correlated + slope_y * slope_y * smoothed);
    }
}

/* ------------------------------------------------------------------ a curve */

int64_t nrm_profile_work(const nrm_profile_settings *settings) {
    return settings->method == (double)NRM_LOCAL_LINEAR ? NRM_LINES_WORK : NRM_LAYERS_WORK;
}

/* Room in work: nrm_profile_work arrays; in bins, unless it is NULL: 3 n_bins. */
void nrm_profile_of(const nrm_curve *curve, double *work, double *found, double *valid,
                    double *bins) {
    for (int64_t k = 0; k < NRM_N_COLUMNS * curve->n_depths; k++) found[k] = (double)NAN;
    if (bins) fill_bins(curve, &no_samples, bins);
    *valid = (double)NAN;
    if (!isfinite(curve->contact->height) || curve->n < 1 || curve->n_depths < 1) return;
    nrm_layer layer = nrm_layer_samples(curve, true, work);
    if (bins) fill_bins(curve, &layer, bins);
    if (layer.n < 5) return;
    if (curve->settings->method == (double)NRM_SAVITZKY_GOLAY) {
        nrm_savitzky_golay(curve, &layer, work + 12 * curve->n, found, valid);
        return;
    }
    local_lines(curve, &layer, work + 12 * curve->n, found, valid);
    if (curve->settings->method == (double)NRM_TOTAL_VARIATION && curve->in_phase)
        nrm_total_variation(curve, &layer, work + 12 * curve->n, found);
}

int nrm_profiles(const nrm_profile_settings *settings, int64_t n_curves, const int64_t *begin,
                 const double *height, const double *clean, const double *in_phase,
                 const double *quadrature, int64_t n_samples, const nrm_contact *contacts,
                 const nrm_curve_settings *own, const double *correlation, int64_t n_lags,
                 const double *depth, int64_t n_depths, double *found, double *valid) {
    int64_t longest;
    nrm_scratch scratch;
    int problem = nrm_check_begin(n_curves, begin, n_samples, &longest);
    if (!problem && (n_lags < 1 || n_depths < 0)) problem = NRM_LENGTHS;
    if (!problem) problem = nrm_scratch_make(&scratch, longest, nrm_profile_work(settings));
    if (problem) return problem;
    const bool lateral = in_phase && quadrature;
    for (int64_t i = 0; i < n_curves; i++) {
        const int64_t a = begin[i];
        const nrm_curve curve = {
            height + a, clean + a, lateral ? in_phase + a : NULL, lateral ? quadrature + a : NULL,
            begin[i + 1] - a, contacts + i, settings, own[i],
            correlation, n_lags, depth, n_depths, 0.0, 0, NULL,
        };
        nrm_profile_of(&curve, scratch.work, found + i * NRM_N_COLUMNS * n_depths, valid + i, NULL);
    }
    nrm_scratch_free(&scratch);
    return NRM_OK;
}

int nrm_force_bins(const nrm_profile_settings *settings, int64_t n_curves, const int64_t *begin,
                   const double *height, const double *clean, const double *in_phase,
                   const double *quadrature, int64_t n_samples, const nrm_contact *contacts,
                   const nrm_curve_settings *own, const double *depth, int64_t n_depths,
                   double bin_width, int64_t n_bins, double *bins) {
    static const double white = 1.0;
    int64_t longest;
    nrm_scratch scratch;
    int problem = nrm_check_begin(n_curves, begin, n_samples, &longest);
    if (!problem && (n_depths < 1 || n_bins < 0 || !in_phase || !quadrature)) problem = NRM_LENGTHS;
    if (!problem) problem = nrm_scratch_make(&scratch, longest, NRM_LINES_WORK);
    if (problem) return problem;
    for (int64_t i = 0; i < n_curves; i++) {
        const int64_t a = begin[i];
        const nrm_curve curve = {
            height + a, clean + a, in_phase + a, quadrature + a, begin[i + 1] - a, contacts + i,
            settings, own[i], &white, 1, depth, n_depths, bin_width, n_bins, NULL,
        };
        nrm_layer layer = no_samples;
        if (isfinite(contacts[i].height) && curve.n > 0)
            layer = nrm_layer_samples(&curve, true, scratch.work);
        fill_bins(&curve, &layer, bins + i * 3 * n_bins);
    }
    nrm_scratch_free(&scratch);
    return NRM_OK;
}

int nrm_samples_above(const nrm_profile_settings *settings, int64_t n, const double *height,
                      const double *clean, const double *in_phase, const double *quadrature,
                      const nrm_contact *contact, const nrm_curve_settings *own,
                      const double *depth, int64_t n_depths, double *z, double *x, double *y,
                      int64_t *count) {
    static const double white = 1.0;
    *count = 0;
    if (n < 0 || n_depths < 1 || !in_phase || !quadrature) return NRM_LENGTHS;
    if (n == 0 || !isfinite(contact->height)) return NRM_OK;
    nrm_scratch scratch;
    if (nrm_scratch_make(&scratch, n, NRM_LINES_WORK)) return NRM_MEMORY;
    const nrm_curve curve = {height, clean, in_phase, quadrature, n, contact, settings, *own,
                             &white, 1, depth, n_depths, 0.0, 0, NULL};
    const nrm_layer layer = nrm_layer_samples(&curve, false, scratch.work);
    for (int64_t i = 0; i < layer.n; i++) {
        z[i] = layer.z[i];
        x[i] = layer.in_phase[i];
        y[i] = layer.quadrature[i];
    }
    *count = layer.n;
    nrm_scratch_free(&scratch);
    return NRM_OK;
}
