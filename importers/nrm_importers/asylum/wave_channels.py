"""Asylum's columns as channels: ``Raw``, ``Defl`` and ``ZSnsr``, under our names and signs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from nrm_importers.clocks import PartClock
from nrm_importers.height_choice import choose_height
from nrm_importers.metadata import Metadata
from nrm_plugin import units
from nrm_plugin.columns import Column, FloatArray, Rows
from nrm_plugin.model import Channel
from nrm_plugin.vocabulary import CHANNELS, own_slug


class Meaning(NamedTuple):
    """What a column is here: its name, its unit, and whether the sign is turned."""

    name: str
    unit: str
    turned: bool = False


#: Columns by the begin of their labels in small letters: longer names are overwritten by shorter
#: ones. The first that fits counts.
MEANINGS = {
    "raw": Meaning("height_commanded", "m", turned=True),
    "zsnsr": Meaning("height_sensor", "m", turned=True),
    "zsensor": Meaning("height_sensor", "m", turned=True),
    "lvdt": Meaning("height_sensor", "m", turned=True),
    "deflv": Meaning("deflection", "V"),
    "defl": Meaning("deflection", "m"),
    "lat": Meaning("lateral", "V"),
}

#: The deflection cannot move faster than the piezo; sensitivities are a few per cent off.
_STEEPEST = 1.1


def meaning_of(label: str) -> Meaning | None:
    """Return what a column is by its label; None for one that has no canonical name."""
    small = label.lower()
    return next((one for begin, one in MEANINGS.items() if small.startswith(begin)), None)


def make_channels(
    sources: Mapping[str, Column],
    rows: Rows,
    step: float,
    metadata: Metadata,
    told: Mapping[str, str] | None = None,
) -> dict[str, Channel]:
    """Every column, under canonical names where there are such; force and times are made.

    Parameters
    ----------
    sources : mapping of str to Column
        By their labels.
    rows : Rows
    step : float
        Time between samples, s.
    metadata : Metadata
    told : mapping of str to str, optional
        Units of the columns, where the file says them.
    """
    channels: dict[str, Channel] = {}
    sensitivity = metadata.values.get("deflection_sensitivity")
    stiffness = metadata.values.get("spring_constant")
    for label, column in sources.items():
        one = meaning_of(label)
        factor, unit = 1.0, one.unit if one else ""
        if told is not None:
            factor, unit = units.si(told.get(label, "")) or (1.0, told.get(label, ""))
        if one is not None and unit not in CHANNELS[one.name].units:
            metadata.warn(f"{label} is in {unit or 'no unit'} and is kept under its own name")
            one = None
        name = metadata.free_name(one.name if one else own_slug(label, "asylum"), label, channels)
        gain, source = factor, f"Asylum {label}"
        if one is not None and one.turned:
            gain, source = -gain, f"{source}, sign turned: larger = farther"
        elif name == "deflection":
            force = _force(channels, column, unit, sensitivity, stiffness, label)
            if force is not None:
                channels["force_normal"] = force
            if unit == "m" and sensitivity:
                gain, unit, source = 1.0 / sensitivity, "V", f"{source} over InvOLS"
        elif name == "lateral" and told is None:
            metadata.warn(f"{label} is taken to be in volts: the file does not say its unit")
        channels[name] = Channel(name, unit, column, gain, 0.0, label, source)
    if math.isfinite(step) and 0.0 < step < 1e6:
        source = "derived from the sample interval"
        channels["time"] = Channel(
            "time", "s", PartClock(rows.sizes[:, None], [step], rows), 1.0, 0.0, "", source
        )
    choose_height(channels, metadata)
    return channels


def _force(
    channels: Mapping[str, Channel],
    column: Column,
    unit: str,
    sensitivity: float | None,
    stiffness: float | None,
    label: str,
) -> Channel | None:
    """Force of a deflection, where the note says what it takes."""
    per_unit = 1.0 if unit == "m" else sensitivity
    if not stiffness or not per_unit or "force_normal" in channels:
        return None
    by = "SpringConstant" if unit == "m" else "InvOLS and SpringConstant"
    return Channel(
        "force_normal", "N", column, per_unit * stiffness, 0.0, label, f"Asylum {label} by {by}"
    )


def first_curve(channel: Channel) -> FloatArray:
    """Values of the first curve."""
    values = np.empty(channel.column.rows.start(1))
    channel.fill(0, 1, values)
    return values


def doubt_slope(channels: Mapping[str, Channel], end: int, metadata: Metadata) -> None:
    """Warn where the deflection of the first curve moves faster than the piezo.

    Parameters
    ----------
    channels : mapping of str to Channel
    end : int
        Samples of its approach.
    metadata : Metadata
    """
    sensitivity = metadata.values.get("deflection_sensitivity")
    if "height" not in channels or "deflection" not in channels:
        return
    height, deflection = (first_curve(channels[n]) for n in ("height", "deflection"))
    if channels["deflection"].unit == "V":
        deflection = deflection * (sensitivity or np.nan)
    few = max(8, end // 10)
    if end <= 2 * few:
        return
    z, d = height[end - few : end], deflection[end - few : end]
    if not (np.isfinite(z).all() and np.isfinite(d).all() and np.ptp(z) > 0):
        return
    slope = float(np.polyfit(z, d, 1)[0])
    if -slope > _STEEPEST:
        most = f"at most {-1e9 * sensitivity / slope:.3g} nm/V" if sensitivity else "smaller"
        metadata.warn(
            f"the deflection moves {-slope:.3g} times as fast as the piezo, which cannot be: the "
            f"true InvOLS is {most}, and forces and moduli are too large by that factor"
        )
