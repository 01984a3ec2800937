"""Deflection sensitivity from the wall of curves on a stiff sample."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nrm_plugin.calibration.estimate import CalibrationFailed, Estimate
from nrm_plugin.calibration.pooling import Pooled, pool
from nrm_plugin.calibration.wall import (
    FEWEST,
    Contact,
    Unusable,
    contact_of,
    robust_line,
    split_slopes,
)
from nrm_plugin.columns import FloatArray
from nrm_plugin.model import CurveSet

Direction = Literal["approach", "retract", "both"]

#: Most curves that are looked at, evenly spread; more would not make the result surer.
_MOST = 1000

#: The wall's window shrinks by this factor while its slope changes along it by this many standard
#: errors and by this part.
_GROWTH, _SIGMAS, _LEAST = 1.15, 3.5, 1e-3

#: Part of the contact that has to be straight, and the change of slope over it that is curved.
_STRAIGHT, _CURVED = 0.3, 5e-3

#: By how much a Hertzian contact makes the sensitivity too large, over the change of slope between
#: the halves of its wall: the slope of F**(-1/3) between 3/4 and 1/4 of the force, and its mean.
_HERTZ = 2.6


@dataclass(frozen=True)
class _Curve:
    """The contacts of one curve, one per direction."""

    number: int
    contacts: tuple[Contact, ...]


def deflection_sensitivity(curves: CurveSet, direction: Direction = "both") -> Estimate:
    """Deflection sensitivity in m/V from curves on a sample much stiffer than the cantilever.

    On such a sample the tip stands still: the deflection is what the height loses, and its slope
    against the height is minus one over the sensitivity. Per curve, a robust line is fitted to the
    upper part of the contact; the baseline's slope (virtual deflection) is subtracted. The part is
    the largest that is straight: over all curves together its halves have one slope, and its last
    fifth has that of the rest. Slopes are averaged over curves with their scatter within and
    between them.

    Parameters
    ----------
    curves : CurveSet
        With ``height`` in m and ``deflection`` in V.
    direction : {"both", "approach", "retract"}
        With both, the mean of the two is taken: an open-loop scanner's hysteresis, and friction on
        the wall, change them by opposite amounts. Curves with only one direction give that.

    Returns
    -------
    Estimate
        ``deflection_sensitivity`` in m/V. A difference between the directions is in the standard
        error as a rectangular distribution.

    Raises
    ------
    CalibrationFailed
        If the deflection is not in V, a sign is turned, the wall is curved (soft contact, detector
        not linear), or no curve has a wall: the reasons are counted.
    UnknownChannel
        Without height or deflection.
    """
    unit = curves.channel("deflection").unit
    if unit != "V" or curves.channel("height").unit != "m":
        raise CalibrationFailed(_wrong_unit(unit, curves.channel("height").unit))
    if not curves.n_curves:
        raise CalibrationFailed("there are no curves")
    kinds = _directions(curves, direction)
    found, reasons, turned = _contacts(curves, kinds)
    looked = len(found) + sum(reasons.values())
    if turned > looked / 2:
        raise CalibrationFailed(
            "the sign of deflection or height is turned: the deflection must rise while the height "
            "falls against the wall"
        )
    if not found:
        counted = ", ".join(f"{n} {why}" for why, n in reasons.most_common())
        raise CalibrationFailed(f"no curve has a wall to fit ({counted})")
    share = _straight_part(found)
    if share < _STRAIGHT:
        raise CalibrationFailed(
            f"only {share:.0%} of the contact is straight: soft contact or a layer on the sample, "
            "or the detector is not linear; use a bare, stiff sample such as silicon or sapphire"
        )
    notes = _curvature(found, share)
    lines = [[robust_line(c, _count(c, share)) for c in curve.contacts] for curve in found]
    slopes = np.array([[line.slope for line in row] for row in lines])
    variances = np.array([[line.variance for line in row] for row in lines])
    pooled = pool(slopes.mean(axis=1), variances.mean(axis=1) / len(kinds))
    error = pooled.stderr
    if len(kinds) == 2:
        systematic, note = _hysteresis(slopes, variances, pooled.mean)
        error = float(np.hypot(error, systematic))
        notes.append(note)
    value, relative = -1.0 / pooled.mean, abs(error / pooled.mean)
    notes = _what_was_used(curves, found, kinds, share, reasons, pooled) + notes
    notes += _old_value(curves, value)
    how = "wall of force curves, " + " and ".join(kinds)
    return Estimate("deflection_sensitivity", value, value * relative, how, tuple(notes))


def _wrong_unit(deflection: str, height: str) -> str:
    if height != "m":
        return f"the height is in {height or 'no unit'}, not in m: it has no calibration itself"
    if deflection == "m":
        return (
            "the deflection is already in m: somebody multiplied it by a sensitivity. Export it in "
            "volts, or open the original file"
        )
    return (
        f"the deflection has {'the unit ' + deflection if deflection else 'no unit'}: a "
        "sensitivity in m/V needs volts of the detector"
    )


def _directions(curves: CurveSet, direction: Direction) -> tuple[str, ...]:
    wanted = ("approach", "retract") if direction == "both" else (direction,)
    there = set(curves.segments["kind"])
    kinds = tuple(kind for kind in wanted if kind in there)
    if not kinds:
        raise CalibrationFailed(f"the curves have no {' or '.join(wanted)} segment")
    return kinds


def _contacts(curves: CurveSet, kinds: tuple[str, ...]) -> tuple[list[_Curve], Counter[str], int]:
    """Contacts of each curve in all directions asked for; why others have none; wrong signs."""
    n = curves.n_curves
    chosen = np.unique(np.linspace(0, n - 1, min(n, _MOST)).astype(np.int64))
    segments = curves.segments
    found: list[_Curve] = []
    reasons: Counter[str] = Counter()
    turned = 0
    for curve in chosen:
        here = segments[np.searchsorted(segments["curve"], curve) :]
        here = here[: np.searchsorted(here["curve"], curve, "right")]
        height, volts = curves.read("height", int(curve)), curves.read("deflection", int(curve))
        turned += _sign_is_wrong(height, volts)
        try:
            contacts = tuple(_of_kind(here, kind, height, volts) for kind in kinds)
        except Unusable as why:
            reasons[str(why)] += 1
            continue
        found.append(_Curve(int(curve), contacts))
    return found, reasons, turned


def _of_kind(segments: np.ndarray, kind: str, height: FloatArray, volts: FloatArray) -> Contact:
    for _, start, stop, name in segments.tolist():
        if name == kind:
            return contact_of(height[start:stop], volts[start:stop], kind == "approach")
    raise Unusable(f"without {kind}")


def _sign_is_wrong(height: FloatArray, volts: FloatArray) -> bool:
    """Whether the deflection leaves its usual value downwards, or where the height is large."""
    good = np.isfinite(height) & np.isfinite(volts)
    if good.sum() < 100:
        return False
    order = np.argsort(height[good], kind="stable")
    v = volts[good][order]
    edge = max(3, len(v) // 33)
    usual = np.median(v)
    near, far = np.median(v[:edge]) - usual, np.median(v[-edge:]) - usual
    noise = 1.4826 * np.median(np.abs(np.diff(v))) / np.sqrt(2.0)
    if max(abs(near), abs(far)) < 10.0 * noise:
        return False
    return bool(near < 0.0 if abs(near) >= abs(far) else abs(far) > 2.0 * abs(near))


def _count(contact: Contact, share: float) -> int:
    return max(FEWEST, round(share * len(contact.height)))


def _straight_part(found: list[_Curve]) -> float:
    """Largest part of the contact, from the turn, that is straight.

    Straight is where the halves have one slope, and the last fifth that of the rest.
    """
    shortest = 2 * FEWEST / float(np.median([len(c.height) for w in found for c in w.contacts]))
    share = 1.0
    while share > shortest:
        if not any(_differs(_change(found, share, at)) for at in (0.5, 0.8)):
            break
        share /= _GROWTH
    return share


def _differs(change: Pooled | None) -> bool:
    return change is not None and abs(change.mean) > max(_SIGMAS * _sure(change), _LEAST)


def _sure(change: Pooled) -> float:
    """Standard error for a decision: few curves can agree by chance."""
    return max(change.stderr, change.least)


def _change(found: list[_Curve], share: float, at: float) -> Pooled | None:
    """Slope of the wall's first part, up to `at`, over that of the rest, minus 1."""
    changes, variances = [], []
    for curve in found:
        pairs = [split_slopes(c, _count(c, share), at) for c in curve.contacts]
        if min(len(c.height) for c in curve.contacts) < 2 * FEWEST:
            continue
        whole = np.mean([(u.slope + w.slope) / 2.0 for u, w in pairs])
        changes.append(np.mean([u.slope - w.slope for u, w in pairs]) / whole)
        own = np.mean([u.variance + w.variance for u, w in pairs]) / len(pairs)
        variances.append(own / whole**2)
    return pool(np.array(changes), np.array(variances)) if changes else None


def _curvature(found: list[_Curve], share: float) -> list[str]:
    """Compare the halves of the wall.

    Raises
    ------
    CalibrationFailed
        If their slopes differ, beyond noise, by more than half a percent, or if a Hertzian contact
        that would explain the curved rest of the contact cannot be told from the wall.
    """
    change = _change(found, share, 0.5)
    if change is None:
        return ["the walls are too short to see whether they are curved"]
    part, error = change.mean, _sure(change)
    whole = change if share == 1.0 else _change(found, 1.0, 0.5)
    assert whole is not None
    hertzian = whole.mean * _hertz_change(share) / _hertz_change(1.0)
    bent = share < 1.0 and whole.mean > max(_SIGMAS * _sure(whole), _LEAST)
    soft = bent and part + 2.5 * error > hertzian
    if soft or abs(part) > max(_SIGMAS * error, _CURVED):
        if not soft and part < 0.0:
            why = "it flattens towards large signals: the detector is not linear there"
        else:
            why = (
                "it grows stiffer with force: soft contact. A Hertzian one would make the "
                f"sensitivity {_HERTZ * whole.mean:.1%} too large; use a stiffer sample"
            )
        raise CalibrationFailed(
            f"the wall is curved: its slope changes by {abs(whole.mean):.1%} (+- "
            f"{whole.stderr:.1%}) between its halves; {why}"
        )
    return [
        f"slope of the wall's upper half over the lower: {part:+.2%} +- {error:.2%}; a Hertzian "
        f"contact within that would make the sensitivity up to "
        f"{_HERTZ * (max(part, 0.0) + 2.0 * error):.1%} too large (not in the standard error)"
    ]


def _hertz_change(share: float) -> float:
    """Change of slope between the halves of a Hertzian wall's upper part, in arbitrary units."""
    return float((1.0 - 0.75 * share) ** (-1.0 / 3.0) - (1.0 - 0.25 * share) ** (-1.0 / 3.0))


def _hysteresis(slopes: FloatArray, variances: FloatArray, mean: float) -> tuple[float, str]:
    """Standard error for the difference of the directions, and a note on it."""
    change = pool(slopes[:, 0] - slopes[:, 1], variances.sum(axis=1))
    part, error = change.mean / mean, abs(change.stderr / mean)
    text = f"slope on approach over retract: {part:+.2%} +- {error:.2%}"
    if abs(part) <= max(3.0 * error, 1e-3):
        return 0.0, text
    return abs(change.mean) / float(np.sqrt(12.0)), (
        f"{text}: hysteresis or creep of an open-loop scanner, or friction on the wall; their mean "
        "is taken, the difference is in the standard error"
    )


def _what_was_used(
    curves: CurveSet,
    found: list[_Curve],
    kinds: tuple[str, ...],
    share: float,
    reasons: Counter[str],
    pooled: Pooled,
) -> list[str]:
    runs = [abs(c.height[_count(c, share) - 1] - c.height[0]) for w in found for c in w.contacts]
    notes = [
        f"{len(found)} curves, wall of {np.median(runs) * 1e9:.3g} nm ({share:.0%} of the contact)",
        f"scatter between curves {abs(pooled.between / pooled.mean):.2%}, error of one curve "
        f"{abs(pooled.within / pooled.mean):.2%}",
    ]
    if reasons:
        counted = ", ".join(f"{n} {why}" for why, n in reasons.most_common())
        notes.append(f"curves left out: {counted}")
    if pooled.outliers:
        notes.append(f"{pooled.outliers} curves whose slope stands apart were left out")
    cut = sum(any(c.saturated for c in w.contacts) for w in found)
    if cut:
        notes.append(f"saturated samples were left out in {cut} curves")
    if len(kinds) == 1:
        notes.append(f"{kinds[0]} alone: hysteresis and friction cannot be seen")
    if curves.metadata.get("height_source") == "commanded":
        notes.append("the height is the commanded one: the scanner's own error goes into the value")
    return notes


def _old_value(curves: CurveSet, value: float) -> list[str]:
    old = curves.metadata.get("deflection_sensitivity")
    if not isinstance(old, float):
        return []
    return [f"the file says {old * 1e9:.4g} nm/V: this is {value / old:.3f} times that"]
