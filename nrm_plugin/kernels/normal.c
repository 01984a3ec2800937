/* The normal channel: where the force begins, where the tip breaks through, how the sample holds it,
 * and the work of the way. */

#include "nrm_kernels.h"

#include <math.h>
#include <stddef.h>

enum {
    TOGETHER = 9, /* samples whose mean tells a force from noise, fewer where samples are sparse */
    IN_LINE = 5   /* samples on one side of a jump whose line gives the force at it */
};

/* Distance that a mean may span, m. */
static const double SPAN = 2e-9;

static const nrm_normal NOTHING = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};

/* One curve as all of this sees it. */
typedef struct {
    const nrm_curve *curve;
    const double *bent; /* deflection from the baseline, m */
    const double *z;    /* distance from the electrode, m */
    int64_t n;
    int64_t base;     /* samples of the baseline */
    int64_t together; /* samples of a mean */
    double slope;     /* deflection per distance */
    double noise;     /* of one sample as means show it, m */
    double limit;     /* what no mean of the baseline exceeds, m */
} normal_view;

static double mean_of(const double *values, int64_t first, int64_t n) {
    nrm_pair sum = {0.0, 0.0};
    int64_t i = first;
    for (; i + 2 <= first + n; i += 2) sum += nrm_pair_at(values + i);
    if (i < first + n) sum[0] += values[i];
    return (sum[0] + sum[1]) / (double)n;
}

/* Whether the tip jumps between samples i - 1 and i. */
static bool jumps(const normal_view *view, int64_t i) {
    if (i < 1 || i >= view->n) return false;
    const double moved = view->slope * fabs(view->curve->height[i] - view->curve->height[i - 1]);
    return fabs(view->bent[i] - view->bent[i - 1]) > moved + 6.0 * view->curve->contact->noise;
}

/* Deflection at sample i, of the samples from low to high: of their line, or its own if they are few. */
static double on_line(const normal_view *view, int64_t i, int64_t low, int64_t high) {
    if (high - low < 3) return view->bent[i];
    const nrm_line line = nrm_fit_line(view->curve->height, view->bent, low, high);
    return line.mean_y + line.slope * (view->curve->height[i] - line.mean_x);
}

/* The same of the samples before a fall, and of those behind a rise. */
static double before_fall(const normal_view *view, int64_t i) {
    int64_t low = i;
    while (low > 0 && low > i + 1 - IN_LINE && !jumps(view, low)) low--;
    return on_line(view, i, low, i + 1);
}

static double behind_rise(const normal_view *view, int64_t i) {
    int64_t high = i + 1;
    while (high < view->n && high < i + IN_LINE && !jumps(view, high)) high++;
    return on_line(view, i, i, high);
}

/* Deflection at a sample: beside a jump from the line of the samples on its side, else a mean. */
static double deflection_at(const normal_view *view, int64_t i) {
    const bool before = jumps(view, i), behind = jumps(view, i + 1);
    if (behind && !before) return before_fall(view, i);
    if (before && !behind) return behind_rise(view, i);
    const int64_t low = i > 0 && !before ? i - 1 : i;
    const int64_t high = i + 1 < view->n && !behind ? i + 2 : i + 1;
    return mean_of(view->bent, low, high - low);
}

/* Distance at which a mean of samples from `first` on leaves the baseline: of the first sample behind
 * a jump, or of their middle. */
static double distance_of(const normal_view *view, int64_t first) {
    for (int64_t i = first + 1; i < first + view->together; i++)
        if (jumps(view, i)) return view->z[i];
    return mean_of(view->z, first, view->together);
}

/* Whether means from a sample on leave the baseline, the first and the next: upwards (1), downwards
 * (-1), or either way (0). */
static bool outside(const normal_view *view, int64_t first, int direction) {
    const int64_t m = view->together;
    const double here = mean_of(view->bent, first, m);
    const double sign = direction ? (double)direction : here < 0.0 ? -1.0 : 1.0;
    if (!(sign * here > view->limit)) return false;
    return sign * mean_of(view->bent, first + m, m) > 0.75 * view->limit;
}

/* First sample from which on means leave the baseline; -1 if there is none. Whole means are looked
 * at first, then the samples before. */
static int64_t first_outside(const normal_view *view, int direction) {
    const int64_t m = view->together;
    for (int64_t i = view->base; i + 2 * m <= view->n; i += m) {
        if (!outside(view, i, direction)) continue;
        int64_t first = i - m + 1 > view->base ? i - m + 1 : view->base;
        while (first < i && !outside(view, first, direction)) first++;
        return first;
    }
    return -1;
}

/* Samples before the tip is on the solid. */
static int64_t above_the_solid(const normal_view *view) {
    const nrm_contact *contact = view->curve->contact;
    const double unsure = 4.0 * contact->noise / view->slope / 3.0;
    const double cut = unsure > 0.3e-9 ? unsure : 0.3e-9;
    const int64_t wall = contact->wall_samples > 0.0 ? nrm_count(contact->wall_begin, view->n)
                                                     : view->n;
    const int64_t middle = view->together / 2;
    for (int64_t i = view->base; i + view->together <= wall; i++)
        if (view->z[i + middle] < cut + 6.0 * unsure
            && mean_of(view->z, i, view->together) < cut)
            return i + middle;
    return wall;
}

/* Deflection from which the tip falls, and the sample there, between that of the largest mean and one
 * where it has fallen: before the steepest fall, if that is a jump. */
static double last_before_fall(const normal_view *view, int64_t at, int64_t fallen, int64_t *found) {
    int64_t peak = -1;
    double fall = 4.0 * view->noise;
    for (int64_t i = at > 0 ? at - 1 : 0; i <= fallen && i + 1 < view->n; i++)
        if (view->bent[i] - view->bent[i + 1] > fall) {
            fall = view->bent[i] - view->bent[i + 1];
            peak = i;
        }
    /* A fall may take several samples. */
    while (peak > at && view->bent[peak - 1] > view->bent[peak] + view->noise) peak--;
    *found = peak < 0 ? at : peak;
    return peak < 0 ? deflection_at(view, at) : before_fall(view, peak);
}

/* Forces from which the tip falls: through a crust, or where a layer yields. A fall is more than
 * noise makes of means of three, from a force that is repulsive by as much. */
static void break_throughs(const normal_view *view, double k, int64_t last, nrm_normal *found) {
    const double limit = 8.0 * view->noise * sqrt(3.0); /* of sums of three */
    double top = -(double)INFINITY, low = 0.0;
    int64_t at = 0;
    bool falling = false;
    found->breaks = 0.0;
    for (int64_t i = view->base > 1 ? view->base : 1; i + 1 < last; i++) {
        const double here = view->bent[i - 1] + view->bent[i] + view->bent[i + 1];
        if (falling) {
            low = here < low ? here : low;
            if (here - low > limit) {
                falling = false;
                top = here;
                at = i;
            }
        } else if (here > top) {
            top = here;
            at = i;
        } else if (top - here > limit) {
            falling = true;
            low = here;
            if (!(top > limit)) continue;
            int64_t peak;
            const double force = k * last_before_fall(view, at, i, &peak);
            if (found->breaks == 0.0) {
                found->first_force = found->largest_force = force;
                found->first_at = found->largest_at = view->z[peak];
            } else if (force > found->largest_force) {
                found->largest_force = force;
                found->largest_at = view->z[peak];
            }
            found->breaks += 1.0;
        }
    }
}

/* The strongest attraction. */
static void attraction(const normal_view *view, double k, nrm_normal *found) {
    int64_t lowest = view->base;
    double low, high;
    if (lowest >= view->n) return;
    nrm_range_of(view->bent + lowest, view->n - lowest, &low, &high);
    if (!(low < -5.0 * view->noise)) return;
    while (lowest + 1 < view->n && view->bent[lowest] != low) lowest++;
    low = deflection_at(view, lowest);
    if (!(low < -5.0 * view->noise)) return;
    found->adhesion = -k * low;
    found->adhesion_at = view->z[lowest];
    const int64_t first = first_outside(view, -1);
    found->pull_off = first < 0 ? found->adhesion_at : distance_of(view, first);
}

/* Work of the force, and of its attractive part, from a sample on to the solid. Along a jump the
 * force is that of the cantilever, which falls evenly: what it gives up counts. */
static void work_of(const normal_view *view, double k, int64_t first, int64_t last,
                    nrm_normal *found) {
    double all = 0.0, attractive = 0.0;
    for (int64_t i = first; i + 1 < last; i++) {
        const double force = 0.5 * k * (view->bent[i] + view->bent[i + 1]);
        const double piece = force * (view->z[i] - view->z[i + 1]);
        all += piece;
        if (force < 0.0) attractive -= piece;
    }
    if (last > first && last < view->n && view->z[last - 1] > 0.0) /* the rest, nearer than a sample */
        all += k * view->bent[last - 1] * view->z[last - 1];
    found->work = all;
    if (isfinite(found->adhesion_at)) found->adhesion_work = attractive > 0.0 ? attractive : 0.0;
}

/* The lateral signal far away: mean of both parts, and variance of a mean of samples. */
typedef struct {
    double zero[2], variance[2];
} far_lateral;

/* Square of how far the lateral signal of some samples is from what it is far away, in units of its
 * errors. */
static double away(const normal_view *view, const far_lateral *far, int64_t first) {
    const double *parts[2] = {view->curve->in_phase, view->curve->quadrature};
    double sum = 0.0;
    for (int v = 0; v < 2; v++) {
        const double off = mean_of(parts[v], first, view->together) - far->zero[v];
        if (off != 0.0) sum += off * off / far->variance[v];
    }
    return sum;
}

/* Distance at which the lateral signal leaves what it is far away: means of both parts, over the
 * scatter of such means in the outer half of the baseline, beyond 5 together, and the next ones
 * beyond 4. */
static double lateral_onset(const normal_view *view) {
    const double *parts[2] = {view->curve->in_phase, view->curve->quadrature};
    const int64_t m = view->together, blocks = view->base / 2 / m;
    const double delay = view->curve->own.delay;
    if (blocks < 4 || !(fabs(delay) < (double)view->n)) return (double)NAN;
    far_lateral far;
    for (int v = 0; v < 2; v++) {
        const double about = parts[v][0], count = (double)blocks;
        double sum = 0.0, squares = 0.0;
        for (int64_t b = 0; b < blocks; b++) {
            const double off = mean_of(parts[v], b * m, m) - about;
            sum += off;
            squares += off * off;
        }
        far.zero[v] = about + sum / count;
        const double spread = squares - sum * sum / count;
        const double rounding = 1e-9 * far.zero[v];
        far.variance[v] = (spread > 0.0 ? spread : 0.0) / (count - 1.0) * (1.0 + 1.0 / count)
                          + rounding * rounding;
    }
    const int64_t later = (int64_t)floor(delay + 0.5), least = blocks * m;
    for (int64_t i = least; i + 2 * m <= view->n && i + later + 2 * m <= view->n; i += m) {
        if (i + later < 0 || !(away(view, &far, i + later) > 25.0)) continue;
        if (!(away(view, &far, i + later + m) > 16.0)) continue;
        int64_t first = i - m + 1 > least ? i - m + 1 : least;
        while (first < i
               && !(first + later >= 0 && away(view, &far, first + later) > 25.0
                    && away(view, &far, first + later + m) > 16.0))
            first++;
        return distance_of(view, first);
    }
    return (double)NAN;
}

void nrm_normal_of(const nrm_curve *curve, double *work, nrm_normal *found) {
    *found = NOTHING;
    const nrm_contact *contact = curve->contact;
    const int64_t n = curve->n;
    const double stretch = curve->own.cosine, k = curve->settings->spring_constant;
    if (!isfinite(contact->height) || n < 4 * TOGETHER) return;
    const double slope = curve->settings->wall_slope > 0.0 ? curve->settings->wall_slope : 1.0;
    const double over = 1.0 / slope;
    double *NRM_RESTRICT bent = work, *NRM_RESTRICT z = work + n;
    const int64_t base = nrm_count(contact->baseline_end, n);
    /* No sample farther away is looked at. */
    const int64_t from = (curve->in_phase ? base / 2 : base) - 2 * TOGETHER;
    const double *height = curve->height, *clean = curve->clean;
    const double tilt = contact->baseline_slope, at = contact->baseline_at, zero = contact->height;
    for (int64_t i = from > 0 ? from : 0; i < n; i++) {
        bent[i] = clean[i] - tilt * height[i] - at;
        z[i] = stretch * (height[i] - zero + over * bent[i]);
    }
    const double spacing = fabs(curve->height[n - 1] - curve->height[0]) / (double)(n - 1);
    const double fitting = floor(SPAN / spacing);
    const int64_t together = fitting < (double)TOGETHER ? nrm_count(fitting, TOGETHER) : TOGETHER;
    const double noise = contact->long_run > contact->noise ? contact->long_run : contact->noise;
    normal_view view = {curve, bent, z, n, base, together > 1 ? together : 1, slope, noise, 0.0};
    if (!isfinite(noise) || view.base < 2) return;
    view.limit = 4.0 * noise * sqrt(1.0 / (double)view.together + 4.0 / (double)view.base);
    const int64_t last = above_the_solid(&view);
    break_throughs(&view, k, last + view.together < n ? last + view.together : n, found);
    attraction(&view, k, found);
    const int64_t first = first_outside(&view, 0);
    if (first >= 0) {
        const double onset = distance_of(&view, first);
        found->onset = onset > 0.0 ? onset : 0.0;
        work_of(&view, k, first, last, found);
    }
    if (curve->in_phase) found->lateral_onset = lateral_onset(&view);
}

int nrm_normal_channel(const nrm_profile_settings *settings, int64_t n_curves, const int64_t *begin,
                       const double *height, const double *clean, const double *in_phase,
                       const double *quadrature, int64_t n_samples, const nrm_contact *contacts,
                       const nrm_curve_settings *own, nrm_normal *found) {
    int64_t longest;
    nrm_scratch scratch;
    int problem = nrm_check_begin(n_curves, begin, n_samples, &longest);
    if (!problem) problem = nrm_scratch_make(&scratch, longest, NRM_CONTACT_WORK);
    if (problem) return problem;
    for (int64_t i = 0; i < n_curves; i++) {
        const int64_t a = begin[i];
        const nrm_curve curve = {
            height + a, clean + a, in_phase ? in_phase + a : NULL,
            in_phase ? quadrature + a : NULL, begin[i + 1] - a, contacts + i, settings, own[i],
            NULL, 0, NULL, 0, 0.0, 0, NULL,
        };
        nrm_normal_of(&curve, scratch.work, found + i);
    }
    nrm_scratch_free(&scratch);
    return NRM_OK;
}
