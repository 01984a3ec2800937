"""The normal channel of every curve by the names of the results, and its flags."""

from __future__ import annotations

import numpy as np

from nrm_plugin.columns import AnyArray, IntArray
from nrm_plugin.engine.compiled import RecordArray
from nrm_plugin.variables import NORMAL_BIT

#: A curve is free of the sample where at least this part of its samples is baseline.
_FREE = 0.1

#: Onsets of normal and lateral force that differ by more than this (m), and by more than this part
#: of the larger one, are of different things.
_APART, _APART_PART = 5e-9, 0.25

#: Names of the results by those of the record.
_NAMES = {
    "normal_onset": "onset",
    "adhesion_force": "adhesion",
    "adhesion_distance": "adhesion_at",
    "pull_off_distance": "pull_off",
    "normal_work": "work",
    "adhesion_work": "adhesion_work",
}
_BREAKS = {
    "break_through_count": "breaks",
    "break_through_force": "largest_force",
    "break_through_distance": "largest_at",
    "first_break_through_force": "first_force",
    "first_break_through_distance": "first_at",
}


def normal_channel(
    found: RecordArray,
    contacts: RecordArray,
    samples: IntArray,
    *,
    inwards: bool,
    lateral: bool,
) -> dict[str, AnyArray]:
    """Variables of `nrm_plugin.variables.NORMAL`, and the lateral onset.

    Parameters
    ----------
    found : (n,) array of `kernels.NORMAL_CHANNEL`
    contacts : (n,) array of `kernels.CONTACT`
    samples : (n,) array of int
        Of each curve.
    inwards : bool
        Whether the tip came nearer: on the way out it breaks through nothing.
    lateral : bool
        Whether there is a lateral signal.
    """
    values: dict[str, AnyArray] = {name: found[field] for name, field in _NAMES.items()}
    for name, field in _BREAKS.items():
        values[name] = found[field] if inwards else np.full(len(found), np.nan)
    onset, sideways = found["onset"], found["lateral_onset"]
    with np.errstate(invalid="ignore"):
        apart = np.abs(sideways - onset)
        apart = (apart > _APART) & (apart > _APART_PART * np.fmax(sideways, onset))
        raised = {
            "no_force": ~np.isfinite(onset),
            "never_free": ~(contacts["baseline_end"] >= _FREE * samples),
            "broke_through": values["break_through_count"] > 0,
            "attracted": np.isfinite(found["adhesion_at"]),
        }
    if lateral:
        values["lateral_onset"] = sideways
        raised |= {"no_lateral_onset": ~np.isfinite(sideways), "onsets_apart": apart}
    quality = np.zeros(len(found), np.int64)
    for name, where in raised.items():
        quality |= np.where(where, NORMAL_BIT[name], 0)
    return values | {"normal_quality": quality}
