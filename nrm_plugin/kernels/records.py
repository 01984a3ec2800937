"""Records that the library reads and writes, with the fields of `nrm_kernels.h`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Records: arrays of one of the types below.
RecordArray = NDArray[np.void]


def _numbers(*names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.float64) for name in names])


SIGNAL = np.dtype(
    [
        ("numbers", np.uintp),
        ("count", np.int64),
        ("kind", np.int64),
        ("gain", np.float64),
        ("offset", np.float64),
        ("limit", np.float64),
    ],
    align=True,
)
CONTACT_SETTINGS = _numbers(
    "two_lines",
    "baseline",
    "wall",
    "slope",
    "slope_stderr",
    "wave",
    "spikes",
    "other_slope",
    "other_slope_stderr",
    "soft_slope",
    "soft_slope_stderr",
    "turn",
)
CONTACT = _numbers(
    "contact",
    "stderr",
    "baseline_end",
    "baseline_slope",
    "baseline_at",
    "wall_begin",
    "wall_slope",
    "wall_slope_stderr",
    "wall_length",
    "wall_samples",
    "noise",
    "long_run",
    "spikes",
    "saturated",
    "other_contact",
    "half_contact",
    "outer_contact",
)
QUARTERS = 4
LATERAL_CHECK = np.dtype(
    [
        ("exponent", np.float64),
        ("stderr", np.float64),
        ("straight", np.float64),
        ("missing", np.float64),
        ("offset_x", np.float64),
        ("offset_y", np.float64),
        ("noise_x", np.float64),
        ("noise_y", np.float64),
        ("onset", np.float64),
        ("load", np.float64, (QUARTERS,)),
        ("wall_x", np.float64, (QUARTERS,)),
        ("wall_y", np.float64, (QUARTERS,)),
    ]
)
PROFILE_SETTINGS = _numbers(
    "method",
    "half_width",
    "amplitude",
    "lateral_stiffness",
    "spring_constant",
    "wall_slope",
    "doubt",
    "lateral_line",
)
LATERAL_BASELINE = _numbers(
    "in_phase",
    "quadrature",
    "slope_in_phase",
    "slope_quadrature",
    "noise_in_phase",
    "noise_quadrature",
    "correlation",
    "spread",
    "length",
    "bend_in_phase",
    "bend_quadrature",
    "rise_in_phase",
    "rise_quadrature",
)
CURVE = _numbers("delay", "settling", "cosine")
JOB = np.dtype(
    [
        ("height", SIGNAL),
        ("deflection", SIGNAL),
        ("in_phase", SIGNAL),
        ("quadrature", SIGNAL),
        ("turn_re", np.float64),
        ("turn_im", np.float64),
        ("backwards", np.int64),
        ("contact", CONTACT_SETTINGS),
        ("profile", PROFILE_SETTINGS),
        ("correlation", np.uintp),
        ("n_lags", np.int64),
        ("depth", np.uintp),
        ("shape", np.uintp),
        ("n_depths", np.int64),
        ("n_rows", np.int64),
        ("bin_width", np.float64),
        ("n_bins", np.int64),
    ],
    align=True,
)
NORMAL_CHANNEL = _numbers(
    "onset",
    "breaks",
    "first_force",
    "first_at",
    "largest_force",
    "largest_at",
    "adhesion",
    "adhesion_at",
    "pull_off",
    "work",
    "adhesion_work",
    "lateral_onset",
)
OPEN_BIN = _numbers("sum", "count")
TURN_STATE = _numbers("direction", "low", "low_at", "high", "high_at")
CONTACT_STATE = _numbers("inside", "baseline", "seen", "below", "dropped")

#: All of them, in the header's order.
PATH_SETTINGS = _numbers(
    "same",
    "other",
    "least",
    "least_beside",
    "most",
    "skip",
    "jump",
    "skips_first",
    "skips_second",
)
ONSET = _numbers(
    "edge",
    "stderr",
    "low",
    "high",
    "pieces",
    "height",
    "outside_x",
    "outside_y",
    "outside_power",
)

RECORDS = (
    SIGNAL,
    CONTACT_SETTINGS,
    CONTACT,
    LATERAL_CHECK,
    PROFILE_SETTINGS,
    CURVE,
    JOB,
    OPEN_BIN,
    TURN_STATE,
    CONTACT_STATE,
    NORMAL_CHANNEL,
    LATERAL_BASELINE,
    ONSET,
    PATH_SETTINGS,
)

#: Kinds of recorded numbers, in the header's order.
KINDS = tuple(
    np.dtype(kind) for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
)


def record(dtype: np.dtype[np.void], **values: Any) -> RecordArray:
    """Make a record of a kind, of shape (); every field is named."""
    if set(values) != set(dtype.names or ()):
        raise ValueError(f"fields are {', '.join(dtype.names or ())}")
    made = np.zeros((), dtype)
    for name, value in values.items():
        made[name] = value
    return made
