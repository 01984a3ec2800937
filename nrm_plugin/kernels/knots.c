/* The outermost knot of a force that consists of straight pieces, sought from outside inwards. */

#include "nrm_kernels.h"

#include <math.h>
#include <stdlib.h>

/* Bins of a layer outside the edge that is looked for, and the fewest of them. */
enum { OUTSIDE = 10, FEWEST_OUTSIDE = 4 };

/* The edge is placed with at least so many bins within the layer, and with knots up to so many bins
 * outside the one that was seen first; knots are tried at so many places of a bin. */
enum { WITHIN = 6, FARTHER_OUT = 12, PARTS = 4 };

/* Least standard error of an edge, in bins, since knots lie between them; and in its interval, as
 * layers end within some tenths of a nanometre. */
static const double LEAST = 0.15, LEAST_OF_INTERVAL = 0.22;

/* Loss of gain at the ends of an interval of 95 %, and at one standard error. */
static const double NINETY_FIVE = 3.84, ONE = 1.0;

/* Square of a knot of unit slope, in variances of the noise, below which it tells nothing. */
static const double TELLS = 1e-3;

/* One curve while it is looked at. */
typedef struct {
    int64_t m, count;
    const double *values, *weight, *whitening; /* values: in phase and quadrature in turns */
    double *knots; /* (m, m): row p holds what each knot e <= p gives in bin p */
    double *white_x, *white_y; /* m each: whitened values */
    double *along_x, *along_y, *power; /* m each: sums over the bins up to now */
    double *knot, *cross; /* m each: of knots that are tried */
    double *one, *two, *best; /* PARTS m each: gains */
} search;

/* Whiten bin p and all knots there, and add to the sums. */
static void take_bin(const search *s, int64_t p) {
    const double *row = s->whitening + p * s->m;
    double x = 0.0, y = 0.0;
    for (int64_t j = 0; j <= p; j++) {
        x += row[j] * s->values[2 * j];
        y += row[j] * s->values[2 * j + 1];
    }
    s->white_x[p] = x;
    s->white_y[p] = y;
    /* A knot at e rises by a half in bin e and by one more in each that follows. */
    double *knots = s->knots + p * s->m, sum = 0.0, knot = 0.0;
    for (int64_t e = p; e >= 0; e--) {
        const double here = row[e] * s->weight[e];
        knot += sum + 0.5 * here;
        sum += here;
        knots[e] = knot;
    }
    s->along_x[p] = s->along_y[p] = s->power[p] = 0.0;
    for (int64_t e = 0; e <= p; e++) {
        s->along_x[e] += knots[e] * x;
        s->along_y[e] += knots[e] * y;
        s->power[e] += knots[e] * knots[e];
    }
}

static double gain_of(const search *s, int64_t e) {
    if (!(s->power[e] > TELLS)) return 0.0;
    return (s->along_x[e] * s->along_x[e] + s->along_y[e] * s->along_y[e]) / s->power[e];
}

/* Sums of a knot with the values, and of its square. */
typedef struct {
    double along_x, along_y, power;
} knot_sums;

/* A knot within bin e, `part` of the bin from its outer end, over bins e to end.
 *
 * It lies between those at both ends of the bin, less part (1 - part) / 2 in the bin itself. */
static knot_sums knot_within(const search *s, int64_t e, double part, int64_t end) {
    const double outer = 1.0 - part, less = 0.5 * part * outer * s->weight[e];
    knot_sums sums = {0.0, 0.0, 0.0};
    for (int64_t p = e; p < end; p++) {
        const double *knots = s->knots + p * s->m;
        const double inner = p > e ? knots[e + 1] : 0.0;
        const double knot = outer * knots[e] + part * inner - less * s->whitening[p * s->m + e];
        s->knot[p] = knot;
        sums.along_x += knot * s->white_x[p];
        sums.along_y += knot * s->white_y[p];
        sums.power += knot * knot;
    }
    return sums;
}

static double gain_of_one(const knot_sums *k) {
    if (!(k->power > TELLS)) return 0.0;
    return (k->along_x * k->along_x + k->along_y * k->along_y) / k->power;
}

/* Largest gain of the knot within bin e that was made last with one farther in, at the end of a
 * bin. */
static double gain_of_two(const search *s, const knot_sums *k, int64_t e, int64_t end) {
    double most = gain_of_one(k);
    const int64_t first = e + 2, last = end - 1;
    for (int64_t f = first; f < last; f++) s->cross[f] = 0.0;
    for (int64_t p = first; p < end; p++) {
        const double *knots = s->knots + p * s->m, knot = s->knot[p];
        const int64_t stop = p + 1 < last ? p + 1 : last;
        for (int64_t f = first; f < stop; f++) s->cross[f] += knot * knots[f];
    }
    for (int64_t f = first; f < last; f++) {
        const double cross = s->cross[f], determinant = k->power * s->power[f] - cross * cross;
        if (!(determinant > 1e-9 * k->power * s->power[f])) continue;
        const double a_x = s->power[f] * k->along_x - cross * s->along_x[f];
        const double a_y = s->power[f] * k->along_y - cross * s->along_y[f];
        const double b_x = k->power * s->along_x[f] - cross * k->along_x;
        const double b_y = k->power * s->along_y[f] - cross * k->along_y;
        const double gain = (a_x * k->along_x + a_y * k->along_y + b_x * s->along_x[f]
                             + b_y * s->along_y[f])
                            / determinant;
        if (gain > most) most = gain;
    }
    return most;
}

/* Where a curve over knots has fallen from its top by a loss; between low and high. */
static double falls(const double *curve, int64_t low, int64_t high, int64_t best, double edge,
                    double top, double loss, int64_t step) {
    double before_at = edge, before = top;
    int64_t at = best;
    while (at >= low && at <= high && curve[at] > top - loss) {
        before_at = (double)at;
        before = curve[at];
        at += step;
    }
    if (at < low) return (double)low;
    if (at > high) return (double)high;
    /* Near the top it is a parabola: distances go as the root of the loss. */
    const double a = sqrt(top > before ? top - before : 0.0);
    const double b = sqrt(top > curve[at] ? top - curve[at] : 0.0);
    double part = b > a ? (sqrt(loss) - a) / (b - a) : 1.0;
    part = part < 0.0 ? 0.0 : part > 1.0 ? 1.0 : part;
    return before_at + part * ((double)at - before_at);
}

/* Place the outermost knot, whose layer was seen first in bin `first` with a knot at `seen`.
 *
 * One knot describes the bins unless two do so much better that noise does not offer it. Knots are
 * tried at parts of the bins: curves below run over them. */
static void place(const search *s, int64_t first, int64_t seen, const double *penalties,
                  nrm_onset *found) {
    const int64_t lag = first - seen > WITHIN ? first - seen : WITHIN;
    const int64_t end = first + 1 + lag < s->count ? first + 1 + lag : s->count;
    for (int64_t p = first + 1; p < end; p++) take_bin(s, p);
    const int64_t low = PARTS * (seen > FARTHER_OUT ? seen - FARTHER_OUT : 0);
    const int64_t high = PARTS * (first + 2 < end ? first + 2 : end - 1);
    int64_t alone = low;
    for (int64_t i = low; i <= high; i++) {
        const int64_t e = i / PARTS;
        const knot_sums k = knot_within(s, e, (double)(i % PARTS) / (double)PARTS, end);
        s->one[i] = gain_of_one(&k);
        s->two[i] = penalties ? gain_of_two(s, &k, e, end) : s->one[i];
        if (s->one[i] > s->one[alone]) alone = i;
    }
    int64_t paired = low;
    double least = -1.0;
    for (int64_t i = low; i <= high; i++) {
        s->best[i] = s->one[i];
        if (!penalties) continue;
        const double two = s->two[i] - penalties[i < alone ? (alone - i) / PARTS : 0];
        if (two > least) least = two;
        if (two > s->one[i]) s->best[i] = two;
        if (s->two[i] > s->two[paired]) paired = i;
    }
    const bool two = least > s->one[alone];
    const double *curve = two ? s->two : s->one;
    const int64_t best = two ? paired : alone;
    double edge = (double)best, top = curve[best];
    if (best > low && best < high) {
        const double before = curve[best - 1], after = curve[best + 1];
        const double bend = before - 2.0 * curve[best] + after;
        if (bend < 0.0) {
            const double shift = 0.5 * (before - after) / bend;
            edge += shift;
            top -= 0.25 * (before - after) * shift;
        }
    }
    const double wide = 0.5 * (falls(curve, low, high, best, edge, top, ONE, 1)
                               - falls(curve, low, high, best, edge, top, ONE, -1));
    const double *outer = two ? curve : s->best;
    found->edge = edge / (double)PARTS;
    const double rim = NINETY_FIVE * LEAST_OF_INTERVAL * LEAST_OF_INTERVAL;
    const double before =
        (edge - falls(outer, low, high, best, edge, top, NINETY_FIVE, -1)) / (double)PARTS;
    const double after =
        (falls(curve, low, high, best, edge, top, NINETY_FIVE, 1) - edge) / (double)PARTS;
    found->low = found->edge - sqrt(before * before + rim);
    found->high = found->edge + sqrt(after * after + rim);
    found->error = sqrt(wide * wide / (PARTS * PARTS) + LEAST * LEAST);
    found->pieces = two ? 2.0 : 1.0;
}

/* Slope of a layer outside the edge, beyond its interval and a margin, over its standard error. */
static void look_outside(const search *s, double margin, nrm_onset *found) {
    const double last = found->edge - margin - 2.0 * found->error;
    const int64_t stop = last > 0.0 ? nrm_count(last, s->count) : 0;
    const int64_t begin = stop > OUTSIDE ? stop - OUTSIDE : 0;
    if (stop - begin < FEWEST_OUTSIDE) return;
    double x = 0.0, y = 0.0, power = 0.0;
    for (int64_t p = begin; p < stop; p++) {
        const double knot = s->knots[p * s->m + begin];
        x += knot * s->white_x[p];
        y += knot * s->white_y[p];
        power += knot * knot;
    }
    if (!(power > 0.0)) return;
    const double root = sqrt(power);
    found->outside_x = x / root;
    found->outside_y = y / root;
    found->outside_power = root;
}

static void find_onset(const search *s, const double *thresholds, const double *penalties,
                       double margin, nrm_onset *found) {
    const double nan = (double)NAN;
    *found = (nrm_onset){nan, nan, nan, nan, nan, nan, nan, nan, nan};
    if (s->count < 4) return;
    const double needed = thresholds[s->count];
    found->height = 0.0;
    for (int64_t p = 0; p < s->count; p++) {
        take_bin(s, p);
        double most = 0.0;
        int64_t seen = p;
        for (int64_t e = 0; e <= p; e++) {
            const double gain = gain_of(s, e);
            if (gain > most) {
                most = gain;
                seen = e;
            }
        }
        if (most > found->height) found->height = most;
        if (most > needed) {
            place(s, p, seen, penalties, found);
            look_outside(s, margin, found);
            return;
        }
    }
}

int nrm_find_onsets(int64_t n_curves, int64_t n_bins, const double *values, const double *weight,
                    const int64_t *count, const double *whitening, const double *thresholds,
                    const double *penalties, double margin, nrm_onset *onsets) {
    if (n_curves < 0 || n_bins < 0) return NRM_LENGTHS;
    for (int64_t i = 0; i < n_curves; i++)
        if (count[i] < 0 || count[i] > n_bins) return NRM_LENGTHS;
    const size_t m = (size_t)n_bins;
    const size_t size = m * m + (7 + 3 * PARTS) * m + 1;
    double *memory = malloc(size * sizeof *memory);
    if (!memory) return NRM_MEMORY;
    double *rest = memory + m * m, *gains = rest + 7 * m;
    search s = {
        .m = n_bins,
        .whitening = whitening,
        .knots = memory,
        .white_x = rest,
        .white_y = rest + m,
        .along_x = rest + 2 * m,
        .along_y = rest + 3 * m,
        .power = rest + 4 * m,
        .knot = rest + 5 * m,
        .cross = rest + 6 * m,
        .one = gains,
        .two = gains + PARTS * m,
        .best = gains + 2 * PARTS * m,
    };
    for (int64_t i = 0; i < n_curves; i++) {
        s.values = values + 2 * i * n_bins;
        s.weight = weight + i * n_bins;
        s.count = count[i];
        find_onset(&s, thresholds, penalties, margin, onsets + i);
    }
    free(memory);
    return NRM_OK;
}
