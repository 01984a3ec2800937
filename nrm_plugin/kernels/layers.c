/* Profiles by other methods than the local line: parabolas on a regular grid, and straight pieces,
 * whose derivatives are layers. Both begin with means of bins. */

#include "nrm_kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double smaller(double a, double b) { return a < b ? a : b; }
static double larger(double a, double b) { return a > b ? a : b; }

/* ------------------------------------------------------------------ bins */

/* Bins of samples by rising distance: bin k holds the samples edge[k] up to edge[k + 1]. */
typedef struct {
    int64_t n;
    int64_t *edge;
    double *at; /* mean distance, m */
} bins;

/* A bin begins with a sample and holds what lies less than step from it, so that no bin is empty
 * and mean distances differ. */
static bins binned(const nrm_layer *layer, double step, int64_t *edge, double *at) {
    bins made = {0, edge, at};
    for (int64_t i = 0; i < layer->n; i++)
        if (made.n == 0 || layer->z[i] >= layer->z[edge[made.n - 1]] + step) edge[made.n++] = i;
    edge[made.n] = layer->n;
    for (int64_t k = 0; k < made.n; k++) {
        double total = 0.0;
        for (int64_t i = edge[k]; i < edge[k + 1]; i++) total += layer->z[i];
        at[k] = total / (double)(edge[k + 1] - edge[k]);
    }
    return made;
}

/* Means of a bin, N. */
typedef struct {
    double normal, in_phase, quadrature;
} forces;

/* Number of values, which rise, below a limit. */
static int64_t count_below(const double *values, int64_t n, double limit) {
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (values[middle] < limit) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* ------------------------------------------------------------------ Savitzky and Golay */

/* Points of the window and its length in half-widths: with this length a step of the gradient gets
 * as wide as from the local line, one half-width. */
enum { POINTS = 11 };
static const double LENGTH = 1.64;

/* Weight of a point in value and derivative of the parabola at another (points 1 apart), by Gram's
 * polynomials: 1, t and t^2 - 10, of squares 11, 110 and 858. */
static double level_weight(double point, double at) {
    return 1.0 / 11.0 + point * at / 110.0 + (point * point - 10.0) * (at * at - 10.0) / 858.0;
}

static double slope_weight(double point, double at) {
    return point / 110.0 + (point * point - 10.0) * 2.0 * at / 858.0;
}

/* Weights of bins first up to last in value and derivative. */
typedef struct {
    int64_t first, last;
    double *level, *slope;
} bin_weights;

/* Spread the weights of a regular grid's points over the bins between which they lie; first and
 * last are equal where bins are farther apart than widest. */
static void spread_weights(const bins *b, double start, double step, int64_t place, double widest,
                           bin_weights *weights) {
    int64_t k = 0;
    while (k < b->n - 2 && b->at[k + 1] <= start) k++;
    weights->first = weights->last = k;
    weights->level[k] = weights->level[k + 1] = weights->slope[k] = weights->slope[k + 1] = 0.0;
    const double at = (double)(place - POINTS / 2);
    for (int j = 0; j < POINTS; j++) {
        const double point = start + j * step, number = (double)(j - POINTS / 2);
        while (k < b->n - 2 && b->at[k + 1] < point) {
            k++;
            weights->level[k + 1] = weights->slope[k + 1] = 0.0;
        }
        const double apart = b->at[k + 1] - b->at[k];
        if (apart > widest) return;
        const double part = smaller(larger((point - b->at[k]) / apart, 0.0), 1.0);
        const double level = level_weight(number, at), slope = slope_weight(number, at) / step;
        weights->level[k] += (1.0 - part) * level;
        weights->level[k + 1] += part * level;
        weights->slope[k] += (1.0 - part) * slope;
        weights->slope[k + 1] += part * slope;
    }
    weights->last = k + 1;
}

static double between(double value, double low, double high) {
    return value < low ? low : value > high ? high : value;
}

/* Profiles by parabolas over a window of a regular grid (Anal. Chem. 36, 1627 (1964)).
 *
 * Through each distance goes a grid of its own, with values interpolated between the means of
 * neighbouring bins. The window is centred where the samples allow it, and ends where they end. */
void nrm_savitzky_golay(const nrm_curve *curve, const nrm_layer *layer, double *room,
                        double *found, double *valid) {
    const int64_t n = curve->n, m = curve->n_depths;
    const double half_width = curve->settings->half_width, step = LENGTH * half_width / (double)POINTS;
    const bins b = binned(layer, step, (int64_t *)room, room + n + 1);
    forces *mean = (forces *)(room + 2 * n + 1);
    double *weights = room + 8 * n + 1;
    bin_weights spread = {0, 0, room + 6 * n + 1, room + 7 * n + 1};
    if (b.n < 2) return;
    for (int64_t k = 0; k < b.n; k++) {
        forces sum = {0.0, 0.0, 0.0};
        const double count = (double)(b.edge[k + 1] - b.edge[k]);
        for (int64_t i = b.edge[k]; i < b.edge[k + 1]; i++) {
            sum.normal += layer->normal[i];
            sum.in_phase += layer->in_phase[i];
            sum.quadrature += layer->quadrature[i];
        }
        mean[k] = (forces){sum.normal / count, sum.in_phase / count, sum.quadrature / count};
    }
    for (int64_t g = 0; g < m; g++) {
        const double here = curve->depth[g] / curve->own.cosine;
        const double before = (here - b.at[0]) / step, after = (b.at[b.n - 1] - here) / step;
        if (!(before >= 0.0 && after * step >= 0.5 * half_width)) continue;
        int64_t place = (int64_t)between(before, 0.0, (double)(POINTS / 2));
        const int64_t least = POINTS - 1 - (int64_t)between(after, 0.0, (double)(POINTS - 1));
        if (place < least) place = least;
        if ((double)place > before) continue;
        spread_weights(&b, here - (double)place * step, step, place, 0.5 * half_width, &spread);
        if (spread.last == spread.first) continue;
        if (!isfinite(*valid)) *valid = curve->depth[g];
        forces level = {0.0, 0.0, 0.0};
        double slope_x = 0.0, slope_y = 0.0;
        for (int64_t k = spread.first; k <= spread.last; k++) {
            level.normal += spread.level[k] * mean[k].normal;
            level.in_phase += spread.level[k] * mean[k].in_phase;
            level.quadrature += spread.level[k] * mean[k].quadrature;
            slope_x += spread.slope[k] * mean[k].in_phase;
            slope_y += spread.slope[k] * mean[k].quadrature;
        }
        found[NRM_NORMAL * m + g] = level.normal;
        if (!curve->in_phase) continue;
        const int64_t from = b.edge[spread.first], to = b.edge[spread.last + 1];
        for (int64_t k = spread.first; k <= spread.last; k++)
            for (int64_t i = b.edge[k]; i < b.edge[k + 1]; i++)
                weights[i - from] = spread.slope[k] / (double)(b.edge[k + 1] - b.edge[k]);
        memset(weights + (to - from), 0, 18 * sizeof(double));
        double correlated, smoothed;
        nrm_weight_variances(weights, to - from, curve->correlation, curve->n_lags,
                             layer->smoothed, &correlated, &smoothed);
        smoothed *= layer->noise * layer->noise;
        correlated += layer->line;
        const nrm_variances var = nrm_behind_lever(curve, layer, level.in_phase, level.quadrature);
        found[NRM_IN_PHASE * m + g] = level.in_phase;
        found[NRM_QUADRATURE * m + g] = level.quadrature;
        found[NRM_GRADIENT_X * m + g] = -slope_x;
        found[NRM_GRADIENT_Y * m + g] = -slope_y;
        found[NRM_STDERR_X * m + g] = sqrt(var.x * correlated + slope_x * slope_x * smoothed);
        found[NRM_STDERR_Y * m + g] = sqrt(var.y * correlated + slope_y * slope_y * smoothed);
    }
}

/* ------------------------------------------------------------------ straight pieces */

/* A positive definite matrix of five diagonals: a, b beside it, then c. */
static void factor_five(double *a, double *b, const double *c, int64_t n) {
    for (int64_t i = 0; i + 1 < n; i++) {
        a[i + 1] -= b[i] * b[i] / a[i];
        if (i + 2 < n) {
            b[i + 1] -= b[i] * c[i] / a[i];
            a[i + 2] -= c[i] * c[i] / a[i];
        }
    }
}

/* Solve for x, in place, with what factor_five leaves. */
static void solve_five(const double *a, const double *b, const double *c, double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (i > 0) x[i] -= b[i - 1] / a[i - 1] * x[i - 1];
        if (i > 1) x[i] -= c[i - 2] / a[i - 2] * x[i - 2];
    }
    for (int64_t i = n - 1; i >= 0; i--) {
        if (i + 1 < n) x[i] -= b[i] * x[i + 1];
        if (i + 2 < n) x[i] -= c[i] * x[i + 2];
        x[i] /= a[i];
    }
}

/* Diagonals of D W^-1 D', where D takes the changes of slope, and those of the values. */
static void changes_of_slope(const double *z, const double *values, const double *weight,
                             int64_t n, double *a, double *b, double *c, double *change) {
    for (int64_t i = 0; i < n; i++) {
        const double left = 1.0 / (z[i + 1] - z[i]), right = 1.0 / (z[i + 2] - z[i + 1]);
        const double both = left + right;
        change[i] = right * (values[i + 2] - values[i + 1]) - left * (values[i + 1] - values[i]);
        a[i] = left * left / weight[i] + both * both / weight[i + 1]
               + right * right / weight[i + 2];
        b[i] = c[i] = 0.0;
        if (i + 1 < n) {
            const double next = 1.0 / (z[i + 3] - z[i + 2]);
            b[i] = -both * right / weight[i + 1] - right * (right + next) / weight[i + 2];
            if (i + 2 < n) c[i] = right * next / weight[i + 2];
        }
    }
}

/* Length of a step, cut to `most` of what would make a positive value 0. */
static double shorter(double length, double value, double step, double most) {
    return value + length * step < (1.0 - most) * value ? -most * value / step : length;
}

/* Straight pieces through values, as nrm_trend_filter says. Minimises
 *     sum(weight (values - fit)^2) / 2 + sum(limit |change of slope|)
 * over fit, as Kim et al., SIAM Review 51, 339 (2009) do, but for values at any distances: the
 * multipliers of the changes, which stay within limit, by a primal-dual interior-point method
 * (Mehrotra, SIAM J. Optim. 2, 575 (1992)) whose linear equations have five diagonals. Room in
 * work: 17 n. */
static double straight_pieces(int64_t points, const double *z, const double *values,
                              const double *weight, const double *limit, double *fit,
                              double *work) {
    const int64_t n = points - 2;
    double *a = work, *b = a + n, *c = b + n, *change = c + n, *nu = change + n;
    double *to_upper = nu + n, *to_lower = to_upper + n, *above = to_lower + n;
    double *below = above + n, *force = below + n, *fa = force + n, *fb = fa + n;
    double *step = fb + n, *up = step + n, *down = up + n, *bent_up = down + n;
    double *bent_down = bent_up + n;
    double gap = INFINITY, largest = 0.0;
    changes_of_slope(z, values, weight, n, a, b, c, change);
    for (int64_t i = 0; i < n; i++) largest = larger(fabs(change[i]), largest);
    for (int64_t i = 0; i < n; i++) {
        nu[i] = 0.0;
        to_upper[i] = to_lower[i] = limit[i];
        above[i] = below[i] = largest + 1e-300;
    }
    for (int round = 0; round < 60; round++) {
        double off = 0.0;
        gap = 0.0;
        for (int64_t i = 0; i < n; i++) {
            force[i] = a[i] * nu[i] - change[i];
            if (i > 0) force[i] += b[i - 1] * nu[i - 1];
            if (i > 1) force[i] += c[i - 2] * nu[i - 2];
            if (i + 1 < n) force[i] += b[i] * nu[i + 1];
            if (i + 2 < n) force[i] += c[i] * nu[i + 2];
            gap += above[i] * to_upper[i] + below[i] * to_lower[i];
            off += fabs(force[i] + above[i] - below[i]) * limit[i];
            fa[i] = a[i] + above[i] / to_upper[i] + below[i] / to_lower[i];
            fb[i] = b[i];
            step[i] = up[i] = down[i] = 0.0;
        }
        if (gap + off <= 1e-4) break;
        factor_five(fa, fb, c, n);
        double aim = 0.0, length = 0.0;
        for (int second = 0; second < 2; second++) { /* which knows how far the first one led */
            const double most = second ? 0.995 : 1.0;
            for (int64_t i = 0; i < n; i++) {
                bent_up[i] = (aim + step[i] * up[i]) / to_upper[i];
                bent_down[i] = (aim - step[i] * down[i]) / to_lower[i];
                step[i] = bent_down[i] - bent_up[i] - force[i];
            }
            solve_five(fa, fb, c, step, n);
            length = 1.0;
            for (int64_t i = 0; i < n; i++) {
                up[i] = bent_up[i] + above[i] * (step[i] / to_upper[i] - 1.0);
                down[i] = bent_down[i] - below[i] * (step[i] / to_lower[i] + 1.0);
                length = shorter(length, to_upper[i], -step[i], most);
                length = shorter(length, to_lower[i], step[i], most);
                length = shorter(length, above[i], up[i], most);
                length = shorter(length, below[i], down[i], most);
            }
            if (second) break;
            double ahead = 0.0;
            for (int64_t i = 0; i < n; i++) {
                ahead += (above[i] + length * up[i]) * (to_upper[i] - length * step[i]);
                ahead += (below[i] + length * down[i]) * (to_lower[i] + length * step[i]);
            }
            const double part = ahead / gap;
            aim = part * part * part * gap / (double)(2 * n);
        }
        for (int64_t i = 0; i < n; i++) {
            nu[i] += length * step[i];
            to_upper[i] -= length * step[i];
            to_lower[i] += length * step[i];
            above[i] += length * up[i];
            below[i] += length * down[i];
        }
    }
    memcpy(fit, values, (size_t)points * sizeof(double));
    for (int64_t i = 0; i < n; i++) {
        const double before = nu[i] / (z[i + 1] - z[i]), after = nu[i] / (z[i + 2] - z[i + 1]);
        fit[i] -= before / weight[i];
        fit[i + 1] += (before + after) / weight[i + 1];
        fit[i + 2] -= after / weight[i + 2];
    }
    return gap;
}

int nrm_trend_filter(int64_t n, const double *z, const double *values, const double *weight,
                     const double *limit, double *fit, double *gap) {
    if (n < 3) return NRM_LENGTHS;
    nrm_scratch scratch;
    if (nrm_scratch_make(&scratch, n, 17)) return NRM_MEMORY;
    *gap = straight_pieces(n, z, values, weight, limit, fit, scratch.work);
    nrm_scratch_free(&scratch);
    return NRM_OK;
}

/* ------------------------------------------------------------------ total variation */

/* Bins in a half-width, and the price of a change of slope: twice the standard deviation of its
 * multiplier in the middle of two half-widths of noise around a straight line. L^3 / 192 is the
 * variance of a bend there, once a line through all is taken out; L is 2. */
static const double BINS = 10.0;

/* The next depth, from g on, at which there is a gradient; m if there is none. */
static int64_t next_known(const double *found, int64_t m, int64_t g) {
    while (g < m && !(isfinite(found[NRM_GRADIENT_X * m + g])
                      && isfinite(found[NRM_GRADIENT_Y * m + g])))
        g++;
    return g;
}

/* A gradient at the bins, interpolated between the depths at which it is known. */
static void gradient_at_bins(const nrm_curve *curve, const double *found, const double *gradient,
                             const bins *b, double *out) {
    const int64_t m = curve->n_depths;
    const double stretch = curve->own.cosine;
    int64_t left = next_known(found, m, 0), right = next_known(found, m, left + 1);
    for (int64_t k = 0; k < b->n; k++) {
        while (right < m && b->at[k] >= curve->depth[right] / stretch) {
            left = right;
            right = next_known(found, m, right + 1);
        }
        const double z = curve->depth[left] / stretch;
        out[k] = gradient[left];
        if (right < m && b->at[k] > z)
            out[k] += (gradient[right] - gradient[left]) / (curve->depth[right] / stretch - z)
                      * (b->at[k] - z);
    }
}

/* Fit straight pieces to a lateral force, of which `noise` is the variance of one sample with all
 * its correlation. A sample counts by its variance: that, and what its distance adds on the slope.
 * The price of a change of slope follows the multiplier that noise alone would have there. Room in
 * work: 21 bins. */
static void fit_force(const nrm_curve *curve, const nrm_layer *layer, const bins *b,
                      const double *force, const double *gradient, double noise, double *fit,
                      double *work) {
    const int64_t n = b->n;
    const double half_width = curve->settings->half_width, price = 2.0 * sqrt(8.0 / 192.0);
    double *variance = work, *scaled_z = variance + n, *scaled = scaled_z + n;
    double *limit = scaled + n, *room = limit + n;
    double reach = 0.0, least = INFINITY, most = 0.0;
    bool number = true;
    for (int64_t k = 0; k < n; k++) reach = larger(fabs(force[k] - force[0]), reach);
    const double floor_of_it = 1e-6 * reach * (1e-6 * reach);
    for (int64_t k = 0; k < n; k++) {
        const double added = gradient[k] * layer->noise;
        variance[k] = noise + added * added;
        number = number && variance[k] == variance[k];
        variance[k] = larger(floor_of_it, variance[k]);
        least = smaller(least, variance[k]);
        most = larger(most, variance[k]);
    }
    const double unit = sqrt(least);
    if (!(number && unit > 0.0 && isfinite(most))) { /* all alike, or absurd */
        memcpy(fit, force, (size_t)n * sizeof(double));
        return;
    }
    for (int64_t k = 0; k < n; k++) {
        const double near =
            (double)(count_below(layer->z, layer->n, b->at[k] + 0.5 * half_width)
                     - count_below(layer->z, layer->n, b->at[k] - 0.5 * half_width));
        limit[k] = price * unit * sqrt(near / variance[k]);
        variance[k] = (double)(b->edge[k + 1] - b->edge[k]) * unit * unit / variance[k]; /* weight */
        scaled_z[k] = b->at[k] / half_width;
        scaled[k] = force[k] / unit;
    }
    straight_pieces(n, scaled_z, scaled, variance, limit + 1, fit, room);
    for (int64_t k = 0; k < n; k++) fit[k] *= unit;
}

/* Value and derivative of straight pieces at a distance. */
static void along_pieces(const bins *b, const double *fit, double here, double *value,
                         double *slope) {
    int64_t k = count_below(b->at, b->n, here) - 1;
    k = k < 0 ? 0 : k > b->n - 2 ? b->n - 2 : k;
    *slope = (fit[k + 1] - fit[k]) / (b->at[k + 1] - b->at[k]);
    *value = fit[k] + *slope * (here - b->at[k]);
}

/* Replace lateral forces and gradients, where there are any, by those of straight pieces, whose
 * derivatives are layers of one value each. There are no standard errors. Room in work: 28 n. */
void nrm_total_variation(const nrm_curve *curve, nrm_layer *layer, double *work, double *found) {
    const int64_t n = curve->n, m = curve->n_depths;
    for (int64_t g = 0; g < m; g++)
        found[NRM_STDERR_X * m + g] = found[NRM_STDERR_Y * m + g] = (double)NAN;
    if (next_known(found, m, 0) == m) return;
    int64_t finite = 0;
    for (int64_t i = 0; i < layer->n; i++) {
        if (!isfinite(layer->in_phase[i]) || !isfinite(layer->quadrature[i])) continue;
        layer->z[finite] = layer->z[i];
        layer->in_phase[finite] = layer->in_phase[i];
        layer->quadrature[finite++] = layer->quadrature[i];
    }
    layer->n = finite;
    const bins b = binned(layer, curve->settings->half_width / BINS, (int64_t *)work, work + n + 1);
    double *force = work + 2 * n + 1, *gradient = force + n, *fit_x = gradient + n;
    double *fit_y = fit_x + n, *room = fit_y + n;
    if (b.n < 3) {
        for (int64_t k = NRM_IN_PHASE * m; k < NRM_STDERR_X * m; k++) found[k] = (double)NAN;
        return;
    }
    double run = curve->correlation[0];
    for (int64_t l = 1; l < curve->n_lags; l++) run += 2.0 * curve->correlation[l];
    run = larger(0.1, run);
    for (int part = 0; part < 2; part++) {
        for (int64_t k = 0; k < b.n; k++) {
            double total = 0.0;
            for (int64_t i = b.edge[k]; i < b.edge[k + 1]; i++)
                total += part ? layer->quadrature[i] : layer->in_phase[i];
            force[k] = total / (double)(b.edge[k + 1] - b.edge[k]);
        }
        gradient_at_bins(curve, found, found + (NRM_GRADIENT_X + part) * m, &b, gradient);
        fit_force(curve, layer, &b, force, gradient, (part ? layer->var_y : layer->var_x) * run,
                  part ? fit_y : fit_x, room);
    }
    for (int64_t g = next_known(found, m, 0); g < m; g = next_known(found, m, g + 1)) {
        const double here = curve->depth[g] / curve->own.cosine;
        double slope_x, slope_y;
        along_pieces(&b, fit_x, here, &found[NRM_IN_PHASE * m + g], &slope_x);
        along_pieces(&b, fit_y, here, &found[NRM_QUADRATURE * m + g], &slope_y);
        found[NRM_GRADIENT_X * m + g] = -slope_x;
        found[NRM_GRADIENT_Y * m + g] = -slope_y;
    }
}
