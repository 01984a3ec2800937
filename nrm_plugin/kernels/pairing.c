/* Most evidence of ordered pairs of two series of peaks. */

#include "nrm_kernels.h"

#include <math.h>
#include <stdlib.h>

/* Logarithm of the ratio of two normal densities of a difference, bounded. */
static double of_difference(double difference, double of_same, double of_other, double gain,
                          double least, double most) {
    double square = difference * difference;
    double value = gain - square * of_same + square * of_other;
    value = value > least ? value : least; /* not fmax: it is a call */
    return value < most ? value : most;
}

int nrm_likeness(const double *first, const double *second, int64_t n, int64_t m, int64_t parts,
                 const double *same, const double *other, double least, double most, float *out) {
    if (n < 0 || m < 0 || parts < 0) return 1;
    for (int64_t i = 0; i < n * m; i++) out[i] = 0.0f;
    for (int64_t k = 0; k < parts; k++) {
        const double wide = fmax(other[k], same[k]);
        const double of_same = 0.5 / (same[k] * same[k]), of_other = 0.5 / (wide * wide);
        const double gain = log(wide / same[k]);
        for (int64_t i = 0; i < n; i++) {
            const double mine = first[k * n + i];
            const double *theirs = second + k * m;
            float *row = out + i * m;
            for (int64_t j = 0; j < m; j++)
                row[j] += (float)of_difference(mine - theirs[j], of_same, of_other, gain, least,
                                               most);
        }
    }
    return 0;
}

/* The best of a row within `width` columns left of each column. */
static void best_within(const float *row, int64_t m, int64_t width, float *out) {
    out[0] = -INFINITY;
    for (int64_t j = 1; j < m; j++) out[j] = row[j - 1];
    for (int64_t b = 2; b <= width; b++)
        for (int64_t j = b; j < m; j++) out[j] = out[j] > row[j - b] ? out[j] : row[j - b];
}

int nrm_collect_paths(const float *likeness, int64_t n, int64_t m, const double *first,
                      const double *second, const nrm_path_settings *settings, float *score,
                      int8_t *steps) {
    const int64_t most_first = (int64_t)settings->skips_first + 1;
    const int64_t most_second = (int64_t)settings->skips_second + 1;
    if (n < 1 || m < 1 || most_first < 1 || most_second < 1 ||
        most_first * most_second > INT8_MAX - 1)
        return 1;
    const double of_same = 0.5 / (settings->same * settings->same);
    const double of_other = 0.5 / (settings->other * settings->other);
    const double gain = log(settings->other / settings->same);
    /* No interval gives more than `gain` (the little beside it is for rounding). */
    const double most = fmin(settings->most, fmax(gain, settings->least_beside) + 1e-9);
    /* The best of all rows before, left of each column; of each of the last rows within reach; and
     * of these, what a path through them has at most: most pairs have none. */
    float *before = malloc((size_t)m * (1 + (size_t)most_first) * sizeof *before);
    double *bound = malloc((size_t)m * sizeof *bound);
    if (!before || !bound) {
        free(before);
        free(bound);
        return 2;
    }
    float *within = before + m;
    for (int64_t j = 0; j < m; j++) before[j] = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < m; j++) bound[j] = -INFINITY;
        if (i) {
            const float *row = score + (i - 1) * m;
            float best = -INFINITY;
            for (int64_t j = 1; j < m; j++) {
                best = best > row[j - 1] ? best : row[j - 1];
                before[j] = before[j] > best ? before[j] : best;
            }
            best_within(row, m, most_second, within + (i - 1) % most_first * m);
        }
        for (int64_t a = 1; a <= most_first && a <= i; a++) {
            const float *reached = within + (i - a) % most_first * m;
            const double cost = settings->skip * (double)(a - 1);
            for (int64_t j = 0; j < m; j++) {
                const double value = (double)reached[j] - cost + most;
                bound[j] = bound[j] > value ? bound[j] : value;
            }
        }
        for (int64_t j = 0; j < m; j++) {
            /* Two peaks as unlike as this are left out rather than paired. */
            if (likeness[i * m + j] < -4.0 * settings->skip) {
                score[i * m + j] = -INFINITY;
                steps[i * m + j] = 0;
                continue;
            }
            double best = 0.0;
            int step = 0;
            if ((double)before[j] - settings->jump > best) {
                best = (double)before[j] - settings->jump;
                step = 1;
            }
            for (int64_t a = 1; a <= most_first && a <= i && bound[j] > best; a++) {
                const float *row = score + (i - a) * m;
                double gone = first[i] - first[i - a];
                for (int64_t b = 1; b <= most_second && b <= j; b++) {
                    double was = (double)row[j - b] - settings->skip * (double)(a + b - 2);
                    if (was + most <= best) continue;
                    double least = b > 1 ? settings->least_beside : settings->least;
                    double difference = gone - (second[j] - second[j - b]);
                    double value = was + of_difference(difference, of_same, of_other, gain, least,
                                                       settings->most);
                    if (value > best) {
                        best = value;
                        step = (int)(2 + (a - 1) * most_second + (b - 1));
                    }
                }
            }
            score[i * m + j] = (float)(best + (double)likeness[i * m + j]);
            steps[i * m + j] = (int8_t)step;
        }
    }
    free(before);
    free(bound);
    return 0;
}
