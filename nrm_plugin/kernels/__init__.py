"""The compiled loops: a library in C (the files beside this one), and functions that call it.

`nrm_kernels.h` says what every record and function means; records are numpy's structured arrays
with the same fields. A call releases the interpreter, so that blocks of curves run in threads; a
curve's result does not depend on its neighbours.

The library is built when the package is installed (`hatch_build.py`). It holds a hash of its
sources, and another one than that of the files here is refused.
"""

from __future__ import annotations

from nrm_plugin.kernels.contact_search import find_contacts, rough_baselines, tail_slopes
from nrm_plugin.kernels.force_distance import (
    BINS,
    GRADIENT_X,
    GRADIENT_Y,
    IN_PHASE,
    METHODS,
    N_COLUMNS,
    NORMAL,
    QUADRATURE,
    STDERR_X,
    STDERR_Y,
    force_bins,
    normal_channel,
    profiles,
    samples_above,
    trend_filter,
)
from nrm_plugin.kernels.lateral_signal import check_lateral, lateral_baselines, noise_amounts
from nrm_plugin.kernels.layer_edges import find_onsets
from nrm_plugin.kernels.paired_peaks import collect_paths, peak_likeness
from nrm_plugin.kernels.raw_signal import RawSignal, gather, noise
from nrm_plugin.kernels.records import (
    CONTACT,
    CONTACT_SETTINGS,
    CONTACT_STATE,
    CURVE,
    JOB,
    LATERAL_BASELINE,
    LATERAL_CHECK,
    NORMAL_CHANNEL,
    ONSET,
    OPEN_BIN,
    PATH_SETTINGS,
    PROFILE_SETTINGS,
    QUARTERS,
    SIGNAL,
    TURN_STATE,
    RecordArray,
    record,
)
from nrm_plugin.kernels.scanning import (
    ENTERED,
    FALLING,
    LEFT,
    LIMIT,
    NOTHING,
    RISING,
    bin_means,
    next_contact,
    next_edge,
    next_turn,
    tap_sums,
    window_means,
)
from nrm_plugin.kernels.whole_chain import RESULTS, Job, Processed, moduli, process

__all__ = [
    "BINS",
    "CONTACT",
    "CONTACT_SETTINGS",
    "CONTACT_STATE",
    "CURVE",
    "ENTERED",
    "FALLING",
    "GRADIENT_X",
    "GRADIENT_Y",
    "IN_PHASE",
    "JOB",
    "LATERAL_BASELINE",
    "LATERAL_CHECK",
    "LEFT",
    "LIMIT",
    "METHODS",
    "NORMAL",
    "NORMAL_CHANNEL",
    "NOTHING",
    "N_COLUMNS",
    "ONSET",
    "OPEN_BIN",
    "PATH_SETTINGS",
    "PROFILE_SETTINGS",
    "QUADRATURE",
    "QUARTERS",
    "RESULTS",
    "RISING",
    "SIGNAL",
    "STDERR_X",
    "STDERR_Y",
    "TURN_STATE",
    "Job",
    "Processed",
    "RawSignal",
    "RecordArray",
    "bin_means",
    "check_lateral",
    "collect_paths",
    "find_contacts",
    "find_onsets",
    "force_bins",
    "gather",
    "lateral_baselines",
    "moduli",
    "next_contact",
    "next_edge",
    "next_turn",
    "noise",
    "noise_amounts",
    "normal_channel",
    "peak_likeness",
    "process",
    "profiles",
    "record",
    "rough_baselines",
    "samples_above",
    "tail_slopes",
    "tap_sums",
    "trend_filter",
    "window_means",
]
