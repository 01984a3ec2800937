/* Noise behind the filters of a lock-in: how much of it passed them. */

#include "nrm_kernels.h"

#include <math.h>

enum { UPDATES = 80, KINDS = 3 };

/* One update: each amount times the root of what the spectrum asks of it over what the model has.
 *
 * With the model M = sum a_k C_k and counts N of the powers P, the likelihood's derivative by a_k
 * is the difference of sum C_k N P / M^2 and sum C_k N / M. */
static void update(int64_t n, const double *passed, const double *slow, const double *power,
                   const double *count, double *amounts) {
    nrm_pair up[KINDS] = {{0.0, 0.0}}, down[KINDS] = {{0.0, 0.0}};
    for (int64_t i = 0; i < n; i += 2) {
        const bool two = i + 1 < n; /* else the second one counts nothing */
        const nrm_pair through = two ? nrm_pair_at(passed + i) : (nrm_pair){passed[i], 1.0};
        const nrm_pair flicker = two ? nrm_pair_at(slow + i) : (nrm_pair){slow[i], 1.0};
        const nrm_pair values = two ? nrm_pair_at(count + i) : (nrm_pair){count[i], 0.0};
        const nrm_pair spectrum = two ? nrm_pair_at(power + i) : (nrm_pair){power[i], 0.0};
        const nrm_pair slowed = through * flicker;
        const nrm_pair over = 1.0 / (amounts[0] * through + amounts[1] * slowed + amounts[2]);
        const nrm_pair weight = values * over, asked = weight * (spectrum * over);
        up[0] += through * asked;
        up[1] += slowed * asked;
        up[2] += asked;
        down[0] += through * weight;
        down[1] += slowed * weight;
        down[2] += weight;
    }
    for (int k = 0; k < KINDS; k++)
        amounts[k] *= sqrt((up[k][0] + up[k][1]) / (down[k][0] + down[k][1]));
}

int nrm_noise_amounts(int64_t n_filters, int64_t n, const double *passed, const double *slow,
                      const double *power, const double *count, double *amounts) {
    if (n_filters < 0 || n < 1) return NRM_LENGTHS;
    double mean = 0.0;
    for (int64_t i = 0; i < n; i++) mean += power[i];
    mean /= (double)n;
    for (int64_t k = 0; k < n_filters; k++) {
        double *own = amounts + k * KINDS;
        for (int j = 0; j < KINDS; j++) own[j] = mean / (double)KINDS;
        for (int step = 0; step < UPDATES; step++) update(n, passed + k * n, slow, power, count, own);
    }
    return NRM_OK;
}
