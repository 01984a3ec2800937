/* From recorded numbers to signals, and how noisy they are. */

#include "nrm_kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* All arrays in one piece, each a little longer than the longest curve. */
int nrm_scratch_make(nrm_scratch *scratch, int64_t longest, int64_t arrays) {
    const size_t room = (size_t)longest + 32, all = 5 + (size_t)arrays;
    memset(scratch, 0, sizeof *scratch);
    if (longest < 0 || room > SIZE_MAX / sizeof(double) / all) return NRM_MEMORY;
    scratch->memory = malloc(all * room * sizeof(double));
    if (!scratch->memory) return NRM_MEMORY;
    scratch->longest = longest;
    scratch->height = scratch->memory;
    scratch->deflection = scratch->height + room;
    scratch->clean = scratch->deflection + room;
    scratch->in_phase = scratch->clean + room;
    scratch->quadrature = scratch->in_phase + room;
    scratch->work = scratch->quadrature + room;
    return NRM_OK;
}

void nrm_scratch_free(nrm_scratch *scratch) { free(scratch->memory); }

int nrm_check_begin(int64_t n_curves, const int64_t *begin, int64_t n_samples, int64_t *longest) {
    *longest = 0;
    if (n_curves < 0 || n_samples < 0 || begin[0] < 0) return NRM_LENGTHS;
    for (int64_t i = 0; i < n_curves; i++) {
        if (begin[i + 1] < begin[i] || begin[i + 1] > n_samples) return NRM_LENGTHS;
        if (begin[i + 1] - begin[i] > *longest) *longest = begin[i + 1] - begin[i];
    }
    return NRM_OK;
}

int64_t nrm_count(double value, int64_t most) {
    if (!(value > 0.0)) return 0;
    return value < (double)most ? (int64_t)value : most;
}

/* Largest size that a number of a kind has; floats may be anything. */
static double largest_number(int64_t kind) {
    switch (kind) {
    case NRM_INT8: case NRM_UINT8: return 256.0;
    case NRM_INT16: case NRM_UINT16: return 65536.0;
    case NRM_INT32: case NRM_UINT32: return 4294967296.0;
    case NRM_INT64: case NRM_UINT64: return 18446744073709551616.0;
    default: return INFINITY;
    }
}

/* Bytes of a number. */
static size_t size_of(int64_t kind) {
    switch (kind) {
    case NRM_INT8: case NRM_UINT8: return 1;
    case NRM_INT16: case NRM_UINT16: return 2;
    case NRM_INT32: case NRM_UINT32: case NRM_FLOAT32: return 4;
    default: return 8;
    }
}

/* Ask for numbers that are gathered soon: most of the time of a gather is waiting for memory. */
void nrm_prefetch_part(const nrm_signal *signal, int64_t first, int64_t n) {
    enum { LINE = 64 };
    const size_t size = size_of(signal->kind);
    const char *from = (const char *)signal->numbers + (size_t)first * size;
    for (size_t at = 0; at < (size_t)n * size; at += LINE) __builtin_prefetch(from + at);
}

/* One loop per kind of number: scale, and make nan of what is absurdly large. */
#define SCALED(type)                                                                          \
    do {                                                                                      \
        const type *number = (const type *)signal->numbers + first;                           \
        if (fits)                                                                             \
            for (int64_t i = 0; i < n; i++) out[i] = (double)number[i] * gain + offset;       \
        else                                                                                  \
            for (int64_t i = 0; i < n; i++) {                                                 \
                double value = (double)number[i] * gain + offset;                             \
                out[i] = fabs(value) <= limit ? value : (double)NAN;                          \
            }                                                                                 \
    } while (0)

/* Whether all values are finite: where numbers are whole and fit, there is nothing to look at. */
bool nrm_gather_part(const nrm_signal *signal, int64_t first, int64_t n, bool backwards,
                     double *NRM_RESTRICT out) {
    const double gain = signal->gain, offset = signal->offset, limit = signal->limit;
    const bool fits = largest_number(signal->kind) * fabs(gain) + fabs(offset) <= limit;
    switch (signal->kind) {
    case NRM_INT8: SCALED(int8_t); break;
    case NRM_UINT8: SCALED(uint8_t); break;
    case NRM_INT16: SCALED(int16_t); break;
    case NRM_UINT16: SCALED(uint16_t); break;
    case NRM_INT32: SCALED(int32_t); break;
    case NRM_UINT32: SCALED(uint32_t); break;
    case NRM_INT64: SCALED(int64_t); break;
    case NRM_UINT64: SCALED(uint64_t); break;
    case NRM_FLOAT32: SCALED(float); break;
    default: SCALED(double); break;
    }
    for (int64_t i = 0; backwards && i < n / 2; i++) {
        double value = out[i];
        out[i] = out[n - 1 - i];
        out[n - 1 - i] = value;
    }
    return fits || nrm_all_finite(out, n);
}

int nrm_gather(const nrm_signal *signal, int64_t n_curves, const int64_t *first,
               const int64_t *begin, int64_t backwards, double *out, int64_t n_out) {
    int64_t longest;
    int problem = nrm_check_begin(n_curves, begin, n_out, &longest);
    if (problem) return problem;
    if (signal->kind < NRM_INT8 || signal->kind > NRM_FLOAT64) return NRM_LENGTHS;
    for (int64_t i = 0; i < n_curves; i++) {
        int64_t n = begin[i + 1] - begin[i];
        if (first[i] < 0 || first[i] > signal->count || n > signal->count - first[i])
            return NRM_LENGTHS;
    }
    for (int64_t i = 0; i < n_curves; i++)
        nrm_gather_part(signal, first[i], begin[i + 1] - begin[i], backwards != 0, out + begin[i]);
    return NRM_OK;
}

bool nrm_all_finite(const double *values, int64_t n) {
    /* A value less itself is 0, and nan for infinities and nan. */
    nrm_pair sum[4] = {{0.0, 0.0}, {0.0, 0.0}, {0.0, 0.0}, {0.0, 0.0}};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 4; k++) {
            const nrm_pair value = nrm_pair_at(values + i + 2 * k);
            sum[k] += value - value;
        }
    for (; i < n; i++) sum[0][0] += values[i] - values[i];
    return nrm_sum_of_pairs(sum) + nrm_sum_of_pairs(sum + 2) == 0.0;
}

/* ------------------------------------------------------------------ the median */

static void insertion_sort(double *values, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        double value = values[i];
        int64_t k = i;
        for (; k > 0 && values[k - 1] > value; k--) values[k] = values[k - 1];
        values[k] = value;
    }
}

static double middle_of_three(double a, double b, double c) {
    if (a > b) {
        double swap = a;
        a = b;
        b = swap;
    }
    return c < a ? a : c > b ? b : c;
}

/* Move values below a pivot (or not above it) to the front; returns how many there are. Without a
 * branch in the loop, since half of them would be guessed wrong. */
static int64_t below_first(double *values, int64_t n, double pivot, bool equal_too) {
    int64_t front = 0;
    for (int64_t i = 0; i < n; i++) {
        double value = values[i];
        values[i] = values[front];
        values[front] = value;
        front += equal_too ? value <= pivot : value < pivot;
    }
    return front;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Put the value of rank k where it belongs, no larger ones before it and no smaller ones behind
 * (quickselect); after many bad guesses sort what is left. */
static void select_rank(double *values, int64_t n, int64_t k) {
    int64_t low = 0, high = n;
    for (int guess = 0; high - low > 16; guess++) {
        if (guess > 100) {
            qsort(values + low, (size_t)(high - low), sizeof(double), by_size);
            return;
        }
        double pivot = middle_of_three(values[low], values[low + (high - low) / 2],
                                       values[high - 1]);
        int64_t less = low + below_first(values + low, high - low, pivot, false);
        if (k < less) {
            high = less;
            continue;
        }
        int64_t equal = less + below_first(values + less, high - less, pivot, true);
        if (k < equal) return;
        low = equal;
    }
    insertion_sort(values + low, high - low);
}

/* Median of n > 0 values without nan, which are put in another order. */
double nrm_median(double *values, int64_t n) {
    int64_t k = (n - 1) / 2;
    select_rank(values, n, k);
    if (n % 2) return values[k];
    double next = values[k + 1];
    for (int64_t i = k + 2; i < n; i++) next = values[i] < next ? values[i] : next;
    return (values[k] + next) / 2.0;
}

/* ------------------------------------------------------------------ noise */

/* The median of |second differences| of white noise is its standard deviation times
 * sqrt(6) / 1.4826. Differences that share a sample say little more than one of them. */
double nrm_second_differences(const double *y, int64_t n, double *work) {
    int64_t apart = n >= 256 ? 3 : 1;
    int64_t count = (n - 2) / apart;
    if (count < 8) return 0.0;
    for (int64_t k = 0; k < count; k++) {
        const double *at = y + apart * k;
        work[k] = fabs(at[0] - 2.0 * at[1] + at[2]);
        if (work[k] != work[k]) return (double)NAN;
    }
    return nrm_median(work, count) * 1.482602218505602 / sqrt(6.0);
}

/* Noise, no smaller than what the smallest step between neighbours, that of the converter, stands
 * for: step / sqrt(12). One step below the noise's own is enough to know. */
double nrm_noise_of(const double *y, int64_t n, double *work) {
    const double noise = nrm_second_differences(y, n, work), enough = noise * sqrt(12.0);
    double least = INFINITY;
    for (int64_t i = 0; i + 1 < n; i++) {
        const double step = fabs(y[i + 1] - y[i]);
        if (step > 0.0 && step < least) {
            if (step <= enough) return noise;
            least = step;
        }
    }
    return least < (double)INFINITY ? least / sqrt(12.0) : noise;
}

double nrm_noise(const double *values, int64_t n) {
    if (n < 10) return 0.0;
    double *work = malloc((size_t)n * sizeof(double));
    if (!work) return (double)NAN;
    double noise = nrm_second_differences(values, n, work);
    free(work);
    return noise;
}

/* ------------------------------------------------------------------ lines */

nrm_line nrm_fit_line(const double *x, const double *y, int64_t a, int64_t b) {
    const double at = x[a], n = (double)(b - a);
    nrm_pair sx[2] = {{0.0, 0.0}, {0.0, 0.0}}, sy[2] = {{0.0, 0.0}, {0.0, 0.0}};
    int64_t i = a;
    for (; i + 4 <= b; i += 4)
        for (int k = 0; k < 2; k++) {
            sx[k] += nrm_pair_at(x + i + 2 * k) - at;
            sy[k] += nrm_pair_at(y + i + 2 * k);
        }
    for (; i < b; i++) {
        sx[0][0] += x[i] - at;
        sy[0][0] += y[i];
    }
    const double mean_x = nrm_sum_of_pairs(sx) / n, mean_y = nrm_sum_of_pairs(sy) / n;
    nrm_pair sxx[2] = {{0.0, 0.0}, {0.0, 0.0}}, sxy[2] = {{0.0, 0.0}, {0.0, 0.0}};
    for (i = a; i + 4 <= b; i += 4)
        for (int k = 0; k < 2; k++) {
            const nrm_pair dx = nrm_pair_at(x + i + 2 * k) - at - mean_x;
            sxx[k] += dx * dx;
            sxy[k] += dx * (nrm_pair_at(y + i + 2 * k) - mean_y);
        }
    for (; i < b; i++) {
        double dx = x[i] - at - mean_x;
        sxx[0][0] += dx * dx;
        sxy[0][0] += dx * (y[i] - mean_y);
    }
    const double spread = nrm_sum_of_pairs(sxx), common = nrm_sum_of_pairs(sxy);
    return (nrm_line){mean_x + at, mean_y, spread > 0.0 ? common / spread : 0.0, spread};
}
