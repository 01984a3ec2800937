/* What the library says of itself, so that Python can tell whether it is the right one. */

#include "nrm_kernels.h"

#ifndef NRM_SOURCES
#define NRM_SOURCES ""
#endif

const char *nrm_sources(void) { return NRM_SOURCES; }

int64_t nrm_record_size(int64_t record) {
    static const int64_t sizes[] = {
        sizeof(nrm_signal),           sizeof(nrm_contact_settings), sizeof(nrm_contact),
        sizeof(nrm_lateral_check),    sizeof(nrm_profile_settings), sizeof(nrm_curve_settings),
        sizeof(nrm_job),              sizeof(nrm_open_bin),         sizeof(nrm_turn_state),
        sizeof(nrm_contact_state),    sizeof(nrm_normal),           sizeof(nrm_lateral_baseline),
        sizeof(nrm_onset),            sizeof(nrm_path_settings),
    };
    const int64_t count = sizeof sizes / sizeof *sizes;
    return record >= 0 && record < count ? sizes[record] : -1;
}
