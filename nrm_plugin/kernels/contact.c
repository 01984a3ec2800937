/* The solid contact: where the baseline's line and the wall's cross (section 5 of the paper). */

#include "nrm_kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 8,       /* samples by which a baseline grows; fewer where there are few */
    LONG_BLOCK = 16, /* samples whose means show slow noise */
    WINDOWS = 128    /* windows on the wall, each 1.15 times as long as the one before */
};

/* Part of a baseline that a fringe is fitted to: its end may already feel a layer. */
static const double FRINGE_PART = 0.9;

static double larger(double a, double b) { return a > b ? a : b; }
static double smaller(double a, double b) { return a < b ? a : b; }

/* ------------------------------------------------------------------ spikes and saturation */

/* Median of a few values, at most 7. */
static double middle_of_few(const double *values, int n) {
    double sorted[7];
    for (int i = 0; i < n; i++) {
        int k = i;
        for (; k > 0 && sorted[k - 1] > values[i]; k--) sorted[k] = sorted[k - 1];
        sorted[k] = values[i];
    }
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0;
}

/* What seven samples on one side foretell: from at - step on, in steps of -step. *unsure receives
 * by how much, as they may not lie on a line. */
static double predicted(const double *y, int64_t at, int64_t step, double *unsure) {
    double slopes[4], values[7], low, high;
    for (int64_t k = 0; k < 4; k++)
        slopes[k] = (y[at - (k + 1) * step] - y[at - (k + 4) * step]) / 3.0;
    double slope = middle_of_few(slopes, 4);
    nrm_range_of(slopes, 4, &low, &high);
    *unsure = 4.0 * (high - low);
    for (int64_t k = 0; k < 7; k++)
        values[k] = y[at - (k + 1) * step] + (double)(k + 1) * slope;
    return middle_of_few(values, 7);
}

static double bend(const double *y, int64_t i) { return fabs(y[i] - 0.5 * (y[i - 1] + y[i + 1])); }

/* Whether a sample stands alone: far from the median of its seven neighbours and from what the
 * samples on either side foretell, by more than these two differ. The last sample before a jump is
 * not, nor one where a sparse curve bends. */
static bool is_spike(const double *y, const double *clean, int64_t i, double limit,
                     double *middle) {
    *middle = middle_of_few(y + i - 3, 7);
    double before = clean[i - 1] + 0.5 * (clean[i - 1] - clean[i - 3]);
    double after = y[i + 1] + 0.5 * (y[i + 1] - y[i + 3]);
    double off = smaller(fabs(y[i] - *middle), smaller(fabs(y[i] - before), fabs(y[i] - after)));
    return off > limit && off > fabs(before - after);
}

/* Copy y with samples that stand alone replaced; returns how many. At the ends one side has to do. */
int64_t nrm_without_spikes(const double *y, int64_t n, double noise, double *NRM_RESTRICT clean) {
    memcpy(clean, y, (size_t)n * sizeof(double));
    const double limit = 6.0 * noise;
    int64_t count = 0;
    if (limit <= 0.0 || n < 16) return 0;
    for (int64_t i = 3; i < n - 3;) {
        if (i + BLOCK <= n - 3) { /* nearly all samples are no spikes: eight at a time */
            int64_t away = 0;
            for (int64_t k = i; k < i + BLOCK; k++) away += !(bend(y, k) < limit);
            if (!away) {
                i += BLOCK;
                continue;
            }
        }
        int64_t stop = i + BLOCK < n - 3 ? i + BLOCK : n - 3;
        for (; i < stop; i++) {
            double middle;
            if (!(bend(y, i) < limit) && is_spike(y, clean, i, limit, &middle)) {
                clean[i] = middle;
                count++;
            }
        }
    }
    for (int64_t k = 0; k < 3; k++) {
        const int64_t ends[2][2] = {{2 - k, -1}, {n - 3 + k, 1}};
        for (int side = 0; side < 2; side++) {
            int64_t at = ends[side][0], step = ends[side][1];
            if (!(fabs(y[at] - clean[at - step]) > limit)) continue;
            double unsure, middle = predicted(clean, at, step, &unsure);
            if (fabs(y[at] - middle) > larger(1.5 * limit, unsure)) {
                clean[at] = middle;
                count++;
            }
        }
    }
    return count;
}

void nrm_range_of(const double *y, int64_t n, double *low, double *high) {
    enum { LANES = 8 };
    double least[LANES], most[LANES];
    for (int k = 0; k < LANES; k++) least[k] = most[k] = y[0];
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) {
            least[k] = y[i + k] < least[k] ? y[i + k] : least[k];
            most[k] = y[i + k] > most[k] ? y[i + k] : most[k];
        }
    for (; i < n; i++) {
        least[0] = smaller(y[i], least[0]);
        most[0] = larger(y[i], most[0]);
    }
    *low = least[0];
    *high = most[0];
    for (int k = 1; k < LANES; k++) {
        *low = smaller(*low, least[k]);
        *high = larger(*high, most[k]);
    }
}

/* Samples before the last ones stay at the largest value: there the detector is at its end. */
int64_t nrm_unsaturated(const double *y, int64_t n, double top) {
    int64_t stop = n;
    while (stop > LONG_BLOCK && y[stop - 1] == top) stop--;
    return n - stop >= 2 ? stop : n;
}

/* After the turn of a ramp the lever's friction turns around too: these samples are no wall. */
int64_t nrm_before_turn(const double *x, int64_t n, double turn) {
    int64_t stop = n;
    while (stop > 4 * NRM_FEWEST_ON_WALL && fabs(x[stop - 1] - x[n - 1]) < turn) stop--;
    return stop;
}

/* Length of the longest run of the largest value, 0 if it is shorter than four samples: one of four
 * in a row is a fourth sample. */
static int64_t longest_at(const double *y, int64_t n, double top) {
    int64_t equal = 0, run = 0, longest = 0;
    for (int64_t i = 3; i < n; i += 4) equal += y[i] == top;
    if (equal < 1) return 0;
    for (int64_t i = 0; i < n; i++) {
        run = y[i] == top ? run + 1 : 0;
        if (run > longest) longest = run;
    }
    return longest >= 4 ? longest : 0;
}

/* ------------------------------------------------------------------ the baseline */

/* Sums of samples, heights from one of their own. */
typedef struct {
    double n, x, y, xx, xy;
} sums;

static sums sums_of(const double *x, const double *y, int64_t a, int64_t b, double at) {
    nrm_pair sx = {0.0, 0.0}, sy = {0.0, 0.0}, sxx = {0.0, 0.0}, sxy = {0.0, 0.0};
    int64_t i = a;
    for (; i + 2 <= b; i += 2) {
        const nrm_pair dx = nrm_pair_at(x + i) - at, here = nrm_pair_at(y + i);
        sx += dx;
        sy += here;
        sxx += dx * dx;
        sxy += dx * here;
    }
    if (i < b) {
        const double dx = x[i] - at;
        sx[0] += dx;
        sy[0] += y[i];
        sxx[0] += dx * dx;
        sxy[0] += dx * y[i];
    }
    return (sums){(double)(b - a), sx[0] + sx[1], sy[0] + sy[1], sxx[0] + sxx[1], sxy[0] + sxy[1]};
}

static int64_t within(int64_t value, int64_t least, int64_t most) {
    return value < least ? least : value > most ? most : value;
}

/* Grow the baseline from the far end until two blocks in a row leave its line.
 *
 * A block of m samples leaves it if its mean is off by more than 3.5 standard errors, noise times
 * the root of 1 / m + 1 / n + (distance from the line's middle)^2 / sxx. */
int64_t nrm_baseline_end(const double *x, const double *y, double noise, int64_t stop) {
    const int64_t block_size = within(stop / 32, 2, BLOCK);
    int64_t end = within(stop / 4, 0, 64);
    if (end < stop / 8) end = stop / 8;
    const int64_t least = within(end / 2, 0, LONG_BLOCK);
    const double at = x[0], limit = 3.5 * noise * (3.5 * noise);
    sums line = sums_of(x, y, 0, end, at);
    int outside = 0;
    for (; end + block_size <= stop; end += block_size) {
        const double each = 1.0 / line.n;
        const double spread = line.xx - line.x * line.x * each;
        const double over = spread > 0.0 ? 1.0 / spread : 0.0;
        const double slope = (line.xy - line.x * line.y * each) * over;
        const sums block = sums_of(x, y, end, end + block_size, at);
        const double away = block.x / block.n - line.x * each;
        const double off = block.y / block.n - line.y * each - slope * away;
        const double variance = 1.0 / block.n + each + away * away * over;
        outside = off * off > limit * variance ? outside + 1 : 0;
        if (outside == 2) return within(end - 3 * block_size, least, stop);
        line.n += block.n;
        line.x += block.x;
        line.y += block.y;
        line.xx += block.xx;
        line.xy += block.xy;
    }
    return stop;
}

/* Noise as means of 16 residuals of the baseline show it: correlated noise makes it larger. */
double nrm_long_run_noise(const double *x, const double *y, int64_t end, const nrm_line *line) {
    const int64_t blocks = end / LONG_BLOCK;
    double total = 0.0;
    if (blocks < 4) return 0.0;
    for (int64_t block = 0; block < blocks; block++) {
        const double *bx = x + block * LONG_BLOCK, *by = y + block * LONG_BLOCK;
        nrm_pair sum[2] = {{0.0, 0.0}, {0.0, 0.0}};
        for (int i = 0; i < LONG_BLOCK; i += 4)
            for (int k = 0; k < 2; k++)
                sum[k] += nrm_pair_at(by + i + 2 * k) - line->mean_y
                          - line->slope * (nrm_pair_at(bx + i + 2 * k) - line->mean_x);
        double mean = nrm_sum_of_pairs(sum) / (double)LONG_BLOCK;
        total += mean * mean;
    }
    return sqrt(total / (double)(blocks - 2) * (double)LONG_BLOCK);
}

/* ------------------------------------------------------------------ a fringe of interference */

/* Sine and cosine, without the platform's own, which differ: the angle less whole quarter turns
 * (pi / 2 in three pieces, Cody and Waite), then the series. */
static void sine_cosine(double angle, double *sine, double *cosine) {
    if (!(fabs(angle) < 1e5)) {
        *sine = *cosine = (double)NAN;
        return;
    }
    const double quarters = floor(angle * 0.6366197723675814 + 0.5);
    double r = angle - quarters * 1.57079632673412561417;
    r -= quarters * 6.07710050630396597660e-11;
    r -= quarters * 2.02226624879595063154e-21;
    const double r2 = r * r;
    double s = 1.0, c = 1.0;
    for (int k = 18; k >= 2; k -= 2) { /* s = sin(r) / r and c = cos(r), from the last term on */
        s = 1.0 - s * r2 / (double)(k * (k + 1));
        c = 1.0 - c * r2 / (double)(k * (k - 1));
    }
    s *= r;
    switch ((int)(quarters - 4.0 * floor(quarters / 4.0))) {
    case 0: *sine = s; *cosine = c; break;
    case 1: *sine = c; *cosine = -s; break;
    case 2: *sine = -s; *cosine = -c; break;
    default: *sine = -c; *cosine = s; break;
    }
}

/* Normal equations of a line, a sine and a cosine: matrix times coefficients = right. */
typedef struct {
    double matrix[4][4], right[4];
} normal_equations;

/* Each sample's height as a part of all, and sine and cosine of the fringe there. */
typedef struct {
    const double *along, *sine, *cosine;
} fringe_basis;

static void add_to_fit(const fringe_basis *basis, const double *y, int64_t first, int64_t stop,
                       normal_equations *fit) {
    for (int64_t i = first; i < stop; i++) {
        const double row[4] = {1.0, basis->along[i], basis->sine[i], basis->cosine[i]};
        for (int j = 0; j < 4; j++) {
            fit->right[j] += row[j] * y[i];
            for (int k = 0; k <= j; k++) fit->matrix[j][k] += row[j] * row[k];
        }
    }
    for (int j = 0; j < 4; j++)
        for (int k = 0; k < j; k++) fit->matrix[k][j] = fit->matrix[j][k];
}

/* Solve by elimination, the largest of a column first; false where it cannot be solved. */
static bool solve_four(normal_equations fit, double *x) {
    for (int j = 0; j < 4; j++) {
        fit.matrix[j][j] *= 1.0 + 1e-12;
        if (!(fit.matrix[j][j] > 0.0)) return false;
    }
    for (int j = 0; j < 4; j++) {
        int top = j;
        for (int i = j + 1; i < 4; i++)
            if (fabs(fit.matrix[i][j]) > fabs(fit.matrix[top][j])) top = i;
        for (int k = 0; k < 4; k++) {
            double swap = fit.matrix[j][k];
            fit.matrix[j][k] = fit.matrix[top][k];
            fit.matrix[top][k] = swap;
        }
        double swap = fit.right[j];
        fit.right[j] = fit.right[top];
        fit.right[top] = swap;
        if (fit.matrix[j][j] == 0.0) return false;
        for (int i = j + 1; i < 4; i++) {
            double part = fit.matrix[i][j] / fit.matrix[j][j];
            for (int k = j; k < 4; k++) fit.matrix[i][k] -= part * fit.matrix[j][k];
            fit.right[i] -= part * fit.right[j];
        }
    }
    for (int j = 3; j >= 0; j--) {
        x[j] = fit.right[j];
        for (int k = j + 1; k < 4; k++) x[j] -= fit.matrix[j][k] * x[k];
        x[j] /= fit.matrix[j][j];
    }
    return true;
}

/* Take the fitted sine and cosine from all samples: the fringe is taken to go on in contact. */
static void without_fringe(const fringe_basis *basis, const double *y, int64_t n,
                           const normal_equations *fit, double *NRM_RESTRICT out) {
    double x[4];
    bool solved = solve_four(*fit, x);
    for (int64_t i = 0; i < n; i++)
        out[i] = solved ? y[i] - x[2] * basis->sine[i] - x[3] * basis->cosine[i] : y[i];
}

/* Fit line, sine and cosine to the baseline and take the sine and cosine from all samples.
 *
 * The fringe itself hides where the baseline ends: of fits to eighths of the samples the one
 * counts that leaves the longest baseline. */
static void remove_fringe(const double *x, double *y, int64_t n, int64_t stop, double noise,
                          double wave, double *work) {
    double *along = work, *sine = along + n, *cosine = sine + n, *kept = cosine + n;
    const double scale = fabs(x[stop - 1] - x[0]);
    for (int64_t i = 0; i < n; i++) {
        along[i] = scale > 0.0 ? (x[i] - x[0]) / scale : 0.0;
        sine_cosine(wave * (x[i] - x[0]), &sine[i], &cosine[i]);
    }
    memcpy(kept, y, (size_t)n * sizeof(double));
    const fringe_basis basis = {along, sine, cosine};
    normal_equations fit = {{{0.0}}, {0.0}};
    int64_t longest = 0, last = 0;
    for (int64_t eighth = 2; eighth < 8; eighth++) {
        int64_t end = stop / 8 * eighth + stop % 8 * eighth / 8;
        add_to_fit(&basis, kept, last, end, &fit);
        last = end;
        without_fringe(&basis, kept, n, &fit, y);
        nrm_line line = nrm_fit_line(x, y, 0, end);
        double rough = larger(noise, nrm_long_run_noise(x, y, end, &line));
        int64_t found = nrm_baseline_end(x, y, smaller(rough, 2.0 * noise), stop);
        if (found > longest) longest = found;
    }
    int64_t end = (int64_t)(FRINGE_PART * (double)longest);
    fit = (normal_equations){{{0.0}}, {0.0}};
    add_to_fit(&basis, kept, 0, end > 16 ? end : 16, &fit);
    without_fringe(&basis, kept, n, &fit, y);
}

/* ------------------------------------------------------------------ the wall */

/* A search for the largest window on the wall: its slope as known beforehand, the heights on which
 * all windows so far agree, and the contact that the largest of them gave. */
typedef struct {
    double slope, slope_stderr;
    double low, high;
    bool found, ended;
    nrm_contact *contact;
    int64_t smallest; /* samples of the smallest window */
    int n_seen; /* windows so far, their samples and contacts */
    double samples[WINDOWS], heights[WINDOWS];
} wall_search;

/* Cross the baseline with the wall in one window (sums of w->n samples relative to the last one).
 *
 * With y = y1 + b1 (x - x1) far away and y = y2 + b2 (x - x2) on the wall,
 *     x_c = (y2 - b2 x2 - y1 + b1 x1) / (b1 - b2),
 *     var x_c (b1 - b2)^2 = s^2 (1/n1 + (x_c - x1)^2 / S1 + 1/n2) + (x_c - x2)^2 / p,
 * where p = S2 / s^2 + 1 / (error of the slope known beforehand)^2. */
static void cross(wall_search *search, const nrm_line *baseline, int64_t base, const sums *w,
                  const double *x, const double *y, int64_t stop, double noise) {
    const double spread = w->xx - w->x * w->x / w->n;
    const double free = spread > 0.0 ? (w->xy - w->x * w->y / w->n) / spread : 0.0;
    const double wall_x = x[stop - 1] + w->x / w->n, wall_y = y[stop - 1] + w->y / w->n;
    double precision = spread / (noise * noise), steep = free;
    if (search->slope_stderr < (double)INFINITY) {
        double weight = 1.0 / (search->slope_stderr * search->slope_stderr);
        double prior = baseline->slope + search->slope;
        steep = (free * precision + prior * weight) / (precision + weight);
        precision += weight;
    }
    const double difference = baseline->slope - steep;
    if (fabs(difference) < 0.05 || precision <= 0.0 || baseline->sxx <= 0.0) return;
    const double at = (wall_y - steep * wall_x - baseline->mean_y
                       + baseline->slope * baseline->mean_x) / difference;
    const double from_base = at - baseline->mean_x, from_wall = at - wall_x;
    double variance = 1.0 / (double)base + from_base * from_base / baseline->sxx + 1.0 / w->n;
    variance = noise * noise * variance + from_wall * from_wall / precision;
    const double error = sqrt(variance) / fabs(difference);
    /* An uncertain slope makes small windows so uncertain that one error would stop the growth; of
     * the first windows, which are many for their samples, chance would stop some. */
    const bool known = search->slope_stderr < 0.01, first = w->n < 3.0 * (double)search->smallest;
    const double room = (!known ? 2.5 : first ? 1.2 : 1.0) * error;
    search->low = larger(search->low, at - room);
    search->high = smaller(search->high, at + room);
    if (search->low > search->high && search->found) {
        search->ended = true;
        return;
    }
    const int64_t begin = stop - (int64_t)w->n;
    nrm_contact *contact = search->contact;
    search->found = true;
    search->samples[search->n_seen] = w->n;
    search->heights[search->n_seen++] = at;
    contact->height = at;
    contact->height_stderr = error;
    contact->wall_begin = (double)begin;
    contact->wall_slope = free - baseline->slope;
    contact->wall_slope_stderr = spread > 0.0 ? noise / sqrt(spread) : (double)INFINITY;
    contact->wall_length = fabs(x[begin] - x[stop - 1]);
    contact->wall_samples = w->n;
}

/* Samples of the smallest window on the wall: 12, or what 10 nm hold, but no fewer than 6. */
int64_t nrm_smallest_wall(const double *x, int64_t n) {
    const double samples = 10e-9 * (double)(n - 1) / fabs(x[n - 1] - x[0]);
    if (!(samples < (double)NRM_SMALLEST_WALL)) return NRM_SMALLEST_WALL;
    return within((int64_t)samples, NRM_FEWEST_ON_WALL, NRM_SMALLEST_WALL);
}

/* Cross the baseline with the largest window on the wall that agrees with all smaller ones.
 *
 * Windows grow from the last samples. A crossing must stay within one standard error of that of
 * every smaller window (Lepski's rule). All searches share the sums of the windows. */
static void grow_wall(const double *x, const double *y, const nrm_line *baseline, int64_t base,
                      int64_t stop, double noise, int64_t smallest, wall_search *searches,
                      int n_searches) {
    const double last_x = x[stop - 1], last_y = y[stop - 1];
    sums w = {0.0, 0.0, 0.0, 0.0, 0.0};
    int64_t begin = stop;
    double size = (double)smallest;
    for (int window = 0; window < WINDOWS; window++, size *= 1.15) {
        const int64_t k = size < (double)stop ? (int64_t)size : stop;
        if (stop - k < base || size >= (double)stop + 1.0) return;
        while (begin > stop - k) {
            begin--;
            double dx = x[begin] - last_x, dy = y[begin] - last_y;
            w.x += dx;
            w.y += dy;
            w.xx += dx * dx;
            w.xy += dx * dy;
        }
        w.n = (double)k;
        bool all_ended = true;
        for (int i = 0; i < n_searches; i++) {
            if (!searches[i].ended)
                cross(&searches[i], baseline, base, &w, x, y, stop, noise);
            all_ended = all_ended && searches[i].ended;
        }
        if (all_ended) return;
    }
}

static void search_with(double slope, double slope_stderr, int64_t smallest, nrm_contact *contact,
                        wall_search *search) {
    search->smallest = smallest;
    search->slope = slope;
    search->slope_stderr = slope_stderr;
    search->low = -(double)INFINITY;
    search->high = (double)INFINITY;
    search->found = search->ended = false;
    search->contact = contact;
    search->n_seen = 0;
}

/* Contact of the largest window that has half of the samples at most; nan without one. What it
 * differs by in the mean of many curves, the windows' choice does. */
static double half_of(const wall_search *search) {
    double height = (double)NAN;
    for (int i = 0; i < search->n_seen; i++)
        if (search->samples[i] <= search->contact->wall_samples / 2.0) height = search->heights[i];
    return height;
}

/* The contact if the outer two thirds of the baseline were all of it. */
static double outer_of(const double *x, const double *y, int64_t end, const nrm_contact *contact) {
    const int64_t outer = 2 * (end / 3);
    if (outer < 4 || !(contact->wall_slope < 0.0)) return (double)NAN;
    const double at = contact->height;
    const sums line = sums_of(x, y, 0, outer, x[outer / 2]);
    const double mean_x = line.x / line.n, mean_y = line.y / line.n;
    const double spread = line.xx - line.x * mean_x;
    const double slope = spread > 0.0 ? (line.xy - line.x * mean_y) / spread : 0.0;
    const double less = contact->baseline_at + contact->baseline_slope * at - mean_y
                        - slope * (at - x[outer / 2] - mean_x);
    return at - less / contact->wall_slope;
}

/* Cross two least-squares lines: a part of the samples, and what lies above a part of the largest
 * deflection. The paper's rule (section 5), with the window of the wall by force. */
static void cross_two_lines(const double *x, const double *y, double baseline_part,
                            double wall_part, int64_t stop, double noise, nrm_contact *contact) {
    int64_t base = nrm_count(baseline_part * (double)stop, stop);
    if (base < 2) base = 2;
    const nrm_line line = nrm_fit_line(x, y, 0, base);
    double top = -(double)INFINITY;
    for (int64_t i = 0; i < stop; i++)
        top = larger(top, y[i] - line.mean_y - line.slope * (x[i] - line.mean_x));
    int64_t begin = stop;
    while (begin > base && !(y[begin - 1] - line.mean_y - line.slope * (x[begin - 1] - line.mean_x)
                             < wall_part * top))
        begin--;
    contact->baseline_end = (double)base;
    contact->baseline_slope = line.slope;
    contact->baseline_at = line.mean_y - line.slope * line.mean_x;
    const double k = (double)(stop - begin);
    if (k < 3.0) return;
    const nrm_line wall = nrm_fit_line(x, y, begin, stop);
    if (wall.sxx <= 0.0 || line.sxx <= 0.0 || wall.slope == line.slope) return;
    const double difference = line.slope - wall.slope;
    const double at = (wall.mean_y - wall.slope * wall.mean_x - line.mean_y
                       + line.slope * line.mean_x) / difference;
    const double from_base = at - line.mean_x, from_wall = at - wall.mean_x;
    const double variance = 1.0 / (double)base + from_base * from_base / line.sxx + 1.0 / k
                            + from_wall * from_wall / wall.sxx;
    contact->height = at;
    contact->height_stderr = noise * sqrt(variance) / fabs(difference);
    contact->wall_begin = (double)begin;
    contact->wall_slope = wall.slope - line.slope;
    contact->wall_slope_stderr = noise / sqrt(wall.sxx);
    contact->wall_length = fabs(x[begin] - x[stop - 1]);
    contact->wall_samples = k;
}

/* Whether a wall belongs to those that give way: a longer one of their slope fits, and its own
 * slope is nearer to theirs, and known well enough to tell. */
static bool gives_way(const nrm_contact_settings *settings, const nrm_contact *hard,
                      const nrm_contact *soft) {
    const double apart = fabs(settings->soft_slope - settings->slope);
    return soft->wall_samples > hard->wall_samples && 6.0 * soft->wall_slope_stderr < apart
           && fabs(soft->wall_slope - settings->soft_slope)
                  < fabs(soft->wall_slope - settings->slope);
}

/* ------------------------------------------------------------------ a curve */

static const nrm_contact NO_CONTACT = {
    NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};

void nrm_contact_of(const nrm_contact_settings *settings, const double *height,
                    const double *deflection, int64_t n, bool finite, double *NRM_RESTRICT clean,
                    double *work, nrm_contact *contact) {
    *contact = NO_CONTACT;
    if (n < 4 * NRM_FEWEST_ON_WALL || !finite || height[n - 1] == height[0]) {
        if (n > 0) memcpy(clean, deflection, (size_t)n * sizeof(double));
        return;
    }
    double noise = nrm_noise_of(deflection, n, work), low, high;
    contact->spikes = 0.0;
    if (settings->spikes > 0.0)
        contact->spikes = (double)nrm_without_spikes(deflection, n, noise, clean);
    else
        memcpy(clean, deflection, (size_t)n * sizeof(double));
    nrm_range_of(deflection, n, &low, &high);
    contact->saturated = (double)longest_at(deflection, n, high);
    const int64_t stop =
        nrm_before_turn(height, nrm_unsaturated(deflection, n, high), settings->turn);
    if (contact->spikes > 0.0) nrm_range_of(clean, n, &low, &high);
    noise = larger(noise, 1e-9 * (high - low) + 1e-18);
    if (settings->wave > 0.0)
        remove_fringe(height, clean, n, stop, noise, settings->wave, work);
    int64_t end = nrm_baseline_end(height, clean, noise, stop);
    nrm_line baseline = nrm_fit_line(height, clean, 0, end);
    double long_run = nrm_long_run_noise(height, clean, end, &baseline);
    if (long_run > 1.5 * noise) {
        end = nrm_baseline_end(height, clean, long_run, stop);
        baseline = nrm_fit_line(height, clean, 0, end);
        long_run = nrm_long_run_noise(height, clean, end, &baseline);
    }
    contact->noise = noise;
    contact->long_run = long_run;
    contact->baseline_end = (double)end;
    const double total = larger(noise, long_run);
    const int64_t smallest = nrm_smallest_wall(height, n);
    nrm_contact other = NO_CONTACT, soft = *contact;
    wall_search searches[3];
    search_with(settings->other_slope, settings->other_slope_stderr, smallest, &other, &searches[0]);
    search_with(settings->slope, settings->slope_stderr, smallest, contact, &searches[1]);
    search_with(settings->soft_slope, settings->soft_slope_stderr, smallest, &soft, &searches[2]);
    const bool some_soft = settings->soft_slope < 0.0;
    bool yields = false;
    if (settings->two_lines > 0.0) {
        grow_wall(height, clean, &baseline, end, stop, total, smallest, searches, 1);
        cross_two_lines(height, clean, settings->baseline, settings->wall, stop, total, contact);
    } else {
        contact->baseline_slope = soft.baseline_slope = baseline.slope;
        contact->baseline_at = soft.baseline_at = baseline.mean_y - baseline.slope * baseline.mean_x;
        grow_wall(height, clean, &baseline, end, stop, total, smallest, searches, some_soft ? 3 : 2);
        const double half = half_of(&searches[1]), soft_half = half_of(&searches[2]);
        yields = some_soft && gives_way(settings, contact, &soft);
        if (yields) *contact = soft;
        contact->half_height = yields ? soft_half : half;
        contact->outer_height = outer_of(height, clean, end, contact);
    }
    /* Of a wall that gives way the slope of the others says nothing. */
    contact->other_height = yields ? contact->height : other.height;
}

int nrm_find_contacts(const nrm_contact_settings *settings, int64_t n_curves, const int64_t *begin,
                      const double *height, const double *deflection, int64_t n_samples,
                      double *clean, nrm_contact *contacts) {
    int64_t longest;
    nrm_scratch scratch;
    int problem = nrm_check_begin(n_curves, begin, n_samples, &longest);
    if (!problem) problem = nrm_scratch_make(&scratch, longest, NRM_CONTACT_WORK);
    if (problem) return problem;
    for (int64_t i = 0; i < n_curves; i++) {
        const int64_t a = begin[i], n = begin[i + 1] - a;
        const bool finite = nrm_all_finite(height + a, n) && nrm_all_finite(deflection + a, n);
        nrm_contact_of(settings, height + a, deflection + a, n, finite, clean + a, scratch.work,
                       contacts + i);
    }
    nrm_scratch_free(&scratch);
    return NRM_OK;
}
