/* Loops over a stream: means of bins, and where it turns, crosses a level or switches.
 *
 * Each carries its state from one call to the next, so that what is found does not depend on how
 * the stream is cut into blocks. */

#include "nrm_kernels.h"

#include <math.h>

int64_t nrm_bin_means(const double *values, int64_t n, int64_t width, nrm_open_bin *carry,
                      double *out, int64_t n_out) {
    const double full = (double)width;
    nrm_open_bin bin = *carry;
    int64_t bins = 0;
    for (int64_t i = 0; i < n; i++) {
        bin.sum += values[i];
        bin.count += 1.0;
        if (bin.count == full) {
            if (bins == n_out) return -1;
            out[bins++] = bin.sum / full;
            bin = (nrm_open_bin){0.0, 0.0};
        }
    }
    *carry = bin;
    return bins;
}

/* Position before which a search through values ends. */
static int64_t search_end(int64_t n, int64_t first, int64_t limit) {
    return limit - first < n ? limit : first + n;
}

int nrm_next_turn(const double *values, int64_t n, int64_t first, int64_t limit, double travel,
                  nrm_turn_state *state, int64_t *at) {
    nrm_turn_state s = *state;
    int64_t i = *at;
    const int64_t end = search_end(n, first, limit);
    int met = NRM_NOTHING;
    for (; i >= first && i < end && met == NRM_NOTHING; i++) {
        double value = values[i - first], position = (double)i;
        if (value < s.low) {
            s.low = value;
            s.low_at = position;
        }
        if (value > s.high) {
            s.high = value;
            s.high_at = position;
        }
        if (s.direction >= 0.0 && value <= s.high - travel) {
            met = NRM_FALLING;
            s.direction = -1.0;
            s.low = value;
            s.low_at = position;
        } else if (s.direction <= 0.0 && value >= s.low + travel) {
            met = NRM_RISING;
            s.direction = 1.0;
            s.high = value;
            s.high_at = position;
        }
    }
    if (met == NRM_NOTHING && i >= limit) met = NRM_LIMIT;
    *state = s;
    *at = i;
    return met;
}

int nrm_next_contact(const double *values, int64_t n, int64_t first, int64_t limit,
                     double threshold, double release, double settle, nrm_contact_state *state,
                     int64_t *at) {
    nrm_contact_state s = *state;
    int64_t i = *at;
    const double step = threshold / settle;
    const int64_t end = search_end(n, first, limit);
    int met = NRM_NOTHING;
    for (; i >= first && i < end && met == NRM_NOTHING; i++) {
        double value = values[i - first];
        if (isnan(s.baseline)) s.baseline = value;
        double above = value - s.baseline;
        if (s.inside > 0.0) {
            if (above < release) {
                s.inside = 0.0;
                met = NRM_LEFT;
            }
        } else if (above > threshold) {
            s.inside = s.seen = 1.0;
            met = NRM_ENTERED;
        } else {
            /* Like a running median: neither noise nor a short dip moves the baseline. */
            double move = above > -step ? above : -step;
            s.baseline += move < step ? move : step;
            s.below = above < -threshold ? s.below + 1.0 : 0.0;
            if (s.below >= settle && s.seen == 0.0) { /* the stream began in contact */
                s.baseline = value;
                s.below = 0.0;
                s.dropped = 1.0;
            }
        }
    }
    if (met == NRM_NOTHING && i >= limit) met = NRM_LIMIT;
    *state = s;
    *at = i;
    return met;
}

int nrm_next_edge(const double *values, int64_t n, double high, double low, double *level,
                  int64_t *at) {
    int64_t i = *at;
    int met = NRM_NOTHING;
    for (; i >= 0 && i < n && met == NRM_NOTHING; i++) {
        double value = values[i];
        if (isnan(*level)) {
            *level = value >= high ? 1.0 : 0.0;
            met = *level > 0.0 ? NRM_ENTERED : NRM_NOTHING;
        } else if (*level == 0.0 && value >= high) {
            *level = 1.0;
            met = NRM_ENTERED;
        } else if (*level == 1.0 && value <= low) {
            *level = 0.0;
            met = NRM_LEFT;
        }
    }
    *at = i;
    return met;
}
