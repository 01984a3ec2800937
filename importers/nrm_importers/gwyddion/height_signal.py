"""Which signal is the height, which way it runs, and what the segments are by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nrm_importers.gwyddion import names
from nrm_importers.gwyddion.curve_group import CurveGroup, first_curve
from nrm_importers.metadata import Metadata
from nrm_plugin.columns import FloatArray
from nrm_plugin.model import Channel
from nrm_plugin.vocabulary import SegmentKind

#: A sensor must follow at least this part of the commanded ramp to be trusted as height.
_FOLLOWS = 0.1

#: Below this part of a height's span, a segment does not move.
_LEVEL = 0.05

#: Force at the contact is more than this many times the usual distance from the baseline.
_STANDS_OUT = 4.0

_BY_NUMBER: dict[int, list[SegmentKind]] = {
    2: ["approach", "retract"],
    3: ["approach", "hold", "retract"],
}


def settle(
    group: CurveGroup, channels: dict[str, Channel], metadata: Metadata
) -> list[SegmentKind] | None:
    """Add ``height`` to the channels, and return the kinds of the segments."""
    curve = first_curve(group.rows)
    kinds: list[SegmentKind | None] = []
    if group.bounds is not None:
        kinds = [names.segment_kind(label) for label in group.bounds.labels]
    if curve is None:
        return _finished(kinds, metadata)
    approach = _approach(group, kinds, curve)
    _name_plain_height(channels, metadata)
    if not group.literal:
        contact = _contact(channels, curve)
        for name in ("height_sensor", "height_commanded", "height"):
            if name in channels:
                channels[name] = _falling(channels[name], curve, approach, contact)
    _choose(channels, curve, metadata)
    if group.bounds is not None and "height" in channels:
        height = _values(channels["height"], curve)
        moves = [_moves(height, a, b) for a, b in group.bounds.edges[curve]]
        kinds = [kind or moved for kind, moved in zip(kinds, moves, strict=True)]
    return _finished(kinds, metadata)


def _name_plain_height(channels: dict[str, Channel], metadata: Metadata) -> None:
    """A signal called no more than height is the commanded one where a sensor lies beside it."""
    known = metadata.values.get("height_source")
    if "height" in channels and known != "given" and "height_sensor" in channels:
        channels.setdefault(
            "height_commanded", replace(channels["height"], name="height_commanded")
        )
        del channels["height"]


def _choose(channels: dict[str, Channel], curve: int, metadata: Metadata) -> None:
    if "height" in channels:
        metadata.values.setdefault("height_source", "given")
        metadata.sources.setdefault("height_source", channels["height"].source)
        return
    sensor, commanded = channels.get("height_sensor"), channels.get("height_commanded")
    told = metadata.values.get("height_source")
    best, what = commanded, "commanded"
    if sensor is not None and (told != "commanded" or commanded is None):
        ramp = float(np.ptp(_values(commanded, curve))) if commanded is not None else 0.0
        span = float(np.ptp(_values(sensor, curve)))
        if told == "sensor" or (span > 0 and span >= _FOLLOWS * ramp):
            best, what = sensor, "sensor"
        else:
            metadata.warn("the height sensor does not follow the ramp and is not used as height")
    if best is None:
        metadata.warn(
            "there is no height among the signals; if one of them is, say so: --map LABEL=height"
        )
        metadata.values.pop("height_source", None)
        return
    channels["height"] = replace(best, name="height")
    metadata.values["height_source"] = what
    metadata.sources.setdefault("height_source", best.source)


def _values(channel: Channel, curve: int) -> FloatArray:
    rows = channel.column.rows
    out = np.empty(rows.start(curve + 1) - rows.start(curve))
    channel.fill(curve, curve + 1, out)
    return out


def _approach(group: CurveGroup, kinds: list[SegmentKind | None], curve: int) -> slice | None:
    """Samples of the first segment that is called an approach; None if none is."""
    if group.bounds is None or "approach" not in kinds:
        return None
    begin, end = group.bounds.edges[curve, kinds.index("approach")].tolist()
    return slice(begin, end) if end - begin > 1 else None


def _contact(channels: dict[str, Channel], curve: int) -> int | None:
    """Sample of a curve at which force or deflection is farthest from its baseline."""
    for name in ("force_normal", "deflection"):
        if name in channels:
            values = _values(channels[name], curve)
            if not np.isfinite(values).all():
                return None
            away = np.abs(values - np.median(values))
            sample = int(np.argmax(away))
            return sample if away[sample] > _STANDS_OUT * np.median(away) else None
    return None


def _falling(channel: Channel, curve: int, approach: slice | None, contact: int | None) -> Channel:
    """Turn the sign of a height that rises in the approach.

    Without segments that have names, a height is lowest at the contact. Where that cannot be
    seen either, a height with a peak inside the curve is one that rises: curves begin and end far
    from the sample.
    """
    values = _values(channel, curve)
    if len(values) < 2 or not np.isfinite(values).all():
        return channel
    low, high = float(values.min()), float(values.max())
    if approach is not None:
        part = values[approach]
        end = max(1, len(part) // 20)
        rises = bool(np.mean(part[-end:]) > np.mean(part[:end]))
    elif contact is not None:
        rises = values[contact] - low > high - values[contact]
    else:
        middle = 0.5 * (values[0] + values[-1])
        rises = high - middle > 2.0 * (middle - low)
    if not rises:
        return channel
    source = f"{channel.source}, sign turned: larger = farther"
    return replace(channel, gain=-channel.gain, source=source)


def _moves(height: FloatArray, begin: int, end: int) -> SegmentKind:
    """Kind of a segment by what the height does in it."""
    part = height[begin:end]
    if len(part) < 2 or not np.isfinite(part).all():
        return "other"
    span = float(np.nanmax(height) - np.nanmin(height))
    rise = float(part[-1] - part[0])
    if abs(rise) <= _LEVEL * span:
        return "hold" if float(np.ptp(part)) <= _LEVEL * span else "other"
    return "approach" if rise < 0 else "retract"


def _finished(kinds: list[SegmentKind | None], metadata: Metadata) -> list[SegmentKind] | None:
    """Kinds of all segments; without names and height, the usual ones of so many."""
    if not kinds:
        return None
    if all(kind is None for kind in kinds):
        usual = _BY_NUMBER.get(len(kinds))
        if usual is not None:
            metadata.warn(
                f"the segments have no names and there is no height to tell them by: taken as "
                f"{', '.join(usual)}"
            )
            return usual
    return [kind or "other" for kind in kinds]


def turn_around(
    kinds: list[SegmentKind | None], x: list[FloatArray], y: list[FloatArray] | None
) -> tuple[list[bool], float, bool]:
    """Find which parts of a curve are stored against time, and which way its abscissa counts.

    A graph's abscissae ascend, whichever way the tip went. The tip is at the sample where an
    approach leaves its baseline: it ends there, and a retract begins there.

    Parameters
    ----------
    kinds : list
        Kind of each part.
    x, y : list of array
        Abscissae of each part, and its forces or deflections if there are any.

    Returns
    -------
    list of bool, float, bool
        For each part whether to turn it around; the sign that makes the abscissa a height; and
        whether the forces decided it, or only the custom of running from far to near.
    """
    main = kinds.index("approach") if "approach" in kinds else 0
    near_end, seen = True, False
    if y is not None and len(y[main]) > 2 and np.isfinite(y[main]).all():
        values = y[main]
        base, few = np.median(values), max(1, len(values) // 50)
        left, right = (abs(np.mean(part) - base) for part in (values[:few], values[-few:]))
        near_end, seen = bool(right >= left), bool(right != left)
    along = x[main]
    if len(along) < 2:
        return [False] * len(kinds), 1.0, seen
    contact, far = (along[-1], along[0]) if near_end else (along[0], along[-1])
    sign = -1.0 if contact > far else 1.0
    reverse = []
    for kind, part in zip(kinds, x, strict=True):
        if kind not in ("approach", "retract") or len(part) < 2:
            reverse.append(False)
            continue
        ends_near = abs(part[-1] - contact) < abs(part[0] - contact)
        reverse.append(ends_near != (kind == "approach"))
    return reverse, sign, seen
