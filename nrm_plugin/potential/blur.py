"""How far the potential moved while a curve, or a map, was taken: a blur of what they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nrm_plugin.columns import AnyArray

#: Regions of the potential are some tenths of a volt wide. A change by a tenth of the usual half
#: volt is on the scale of an edge between two of them (V).
EDGE = 0.05

#: So many curves of one file make a map.
_MAP = 4


def blur_warnings(table: Mapping[str, AnyArray], names: Sequence[str] = ()) -> list[str]:
    """Say where the potential changed by more than an edge between regions is sharp.

    Parameters
    ----------
    table : mapping
        Columns ``potential``, ``potential_blur`` and ``source``, where they are there.
    names : sequence of str
        Files, by the numbers of ``source``.
    """
    return [*_within_curves(table), *_within_maps(table, names)]


def _within_curves(table: Mapping[str, AnyArray]) -> list[str]:
    blur = np.asarray(table.get("potential_blur", np.empty(0)), np.float64)
    blurred = int(np.count_nonzero(blur > EDGE))
    if not blurred:
        return []
    return [
        f"during {blurred} of {len(blur)} curves the potential changed by more than "
        f"{1e3 * EDGE:.0f} mV, at most by {np.nanmax(blur):.3g} V (potential_blur): so far edges "
        "between regions of the potential are blurred, and what one curve shows is not of one "
        "potential"
    ]


def _within_maps(table: Mapping[str, AnyArray], names: Sequence[str]) -> list[str]:
    potential = np.asarray(table["potential"], np.float64)
    source = np.asarray(table.get("source", np.zeros(len(potential))), np.int64)
    known = np.isfinite(potential)
    if not known.any():
        return []
    numbers, group, counts = np.unique(source[known], return_inverse=True, return_counts=True)
    high, low = np.full(len(numbers), -np.inf), np.full(len(numbers), np.inf)
    np.maximum.at(high, group, potential[known])
    np.minimum.at(low, group, potential[known])
    change = np.where(counts >= _MAP, high - low, 0.0)
    moved = np.flatnonzero(change > EDGE)
    if not len(moved):
        return []
    most = int(moved[np.argmax(change[moved])])
    number = int(numbers[most])
    name = names[number] if 0 <= number < len(names) and names[number] else "one file"
    several = f"in {len(moved)} of {len(numbers)} files" if len(numbers) > 1 else "in this file"
    where = f", most in {name} (" if len(numbers) > 1 else " ("
    return [
        f"{several} the potential changed by more than {1e3 * EDGE:.0f} mV from curve to "
        f"curve{where}{change[most]:.3g} V over {counts[most]} curves): such a map is of no one "
        "potential; sort its curves into regions, or compare places at like potentials"
    ]
