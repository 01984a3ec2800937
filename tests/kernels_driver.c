/* Runs the loops on curves from standard input and writes what they find to standard output: so
 * that the same can be asked on another processor, under an emulator.
 *
 * In:  int64 n_curves, n_samples, n_depths, n_lags, n_methods; int64 begin (n_curves + 1); settings
 *      of the contacts, of the profiles (n_methods); height, deflection, in phase, quadrature
 *      (n_samples each); own (n_curves); correlation; depth.
 * Out: contacts, deflection without spikes, checks; profiles and smallest distances of each method.
 */

#include "nrm_kernels.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef _WIN32 /* numbers, no lines of text */
#include <fcntl.h>
#include <io.h>
static void as_bytes(void) { _setmode(0, _O_BINARY), _setmode(1, _O_BINARY); }
#else
static void as_bytes(void) {}
#endif

static void *taken(size_t count, size_t size) {
    void *values = calloc(count ? count : 1, size);
    if (!values || fread(values, size, count, stdin) != count) exit(2);
    return values;
}

static void given(const void *values, size_t count, size_t size) {
    if (fwrite(values, size, count, stdout) != count) exit(3);
}

int main(void) {
    as_bytes();
    const int64_t *sizes = taken(5, sizeof *sizes);
    const size_t curves = (size_t)sizes[0], n = (size_t)sizes[1], depths = (size_t)sizes[2];
    const size_t methods = (size_t)sizes[4], columns = curves * NRM_N_COLUMNS * depths;
    const int64_t *begin = taken(curves + 1, sizeof *begin);
    const nrm_contact_settings *how = taken(1, sizeof *how);
    const nrm_profile_settings *profile = taken(methods, sizeof *profile);
    const double *height = taken(n, sizeof *height), *deflection = taken(n, sizeof *height);
    const double *in_phase = taken(n, sizeof *height), *quadrature = taken(n, sizeof *height);
    const nrm_curve_settings *own = taken(curves, sizeof *own);
    const double *correlation = taken((size_t)sizes[3], sizeof *height);
    const double *depth = taken(depths, sizeof *height);

    nrm_contact *contacts = calloc(curves + 1, sizeof *contacts);
    nrm_lateral_check *checks = calloc(curves + 1, sizeof *checks);
    double *clean = calloc(n + 1, sizeof *clean);
    if (!contacts || !checks || !clean) return 2;
    int failed = nrm_find_contacts(how, sizes[0], begin, height, deflection, sizes[1], clean,
                                   contacts);
    failed |= nrm_check_lateral(sizes[0], begin, NULL, clean, in_phase, quadrature, sizes[1],
                                contacts, NULL, checks);
    given(contacts, curves, sizeof *contacts);
    given(clean, n, sizeof *clean);
    given(checks, curves, sizeof *checks);
    for (size_t m = 0; m < methods; m++) {
        double *found = calloc(columns + 1, sizeof *found);
        double *valid = calloc(curves + 1, sizeof *valid);
        if (!found || !valid) return 2;
        failed |= nrm_profiles(&profile[m], sizes[0], begin, height, clean, in_phase, quadrature,
                               sizes[1], contacts, own, correlation, sizes[3], depth, sizes[2],
                               found, valid);
        given(found, columns, sizeof *found);
        given(valid, curves, sizeof *valid);
        free(found), free(valid);
    }
    return failed;
}
