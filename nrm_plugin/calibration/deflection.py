"""Deflection sensitivity from the wall of curves on a stiff sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from nrm_plugin.calibration import CalibrationFailed, Estimate
from nrm_plugin.calibration.inputs import merged
from nrm_plugin.calibration.linearity import Wall, softness, straight_part
from nrm_plugin.calibration.pooling import Pooled, pool
from nrm_plugin.calibration.shared_settings import CalibrationSettings, RegisteredCalibration
from nrm_plugin.calibration.wall import Unusable, WallContact, contact_of, robust_line
from nrm_plugin.columns import FloatArray
from nrm_plugin.model import CurveSet

Direction = Literal["approach", "retract", "both"]

#: Most curves that are looked at, evenly spread; more would not make the result surer.
_MOST = 1000


@dataclass(frozen=True)
class _CurveContacts:
    """The contacts of one curve, one per direction."""

    number: int
    contacts: tuple[WallContact, ...]


def deflection_sensitivity(curves: CurveSet, direction: Direction = "both") -> Estimate:
    """Deflection sensitivity in m/V from curves on a sample much stiffer than the cantilever.

    On such a sample the tip stands still: the deflection is what the height loses, and its slope
    against the height is minus one over the sensitivity. Per curve, a robust line is fitted to the
    upper part of the contact; the baseline's slope (virtual deflection) is subtracted. The part is
    the largest that is straight over all curves together. Slopes are averaged over curves with
    their scatter within and between them.

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
        error as a rectangular distribution, a slight curvature as what it means for a Hertzian
        contact.

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
    contacts = [curve.contacts for curve in found]
    wall = straight_part(contacts)
    softening, notes = softness(contacts, wall)
    lines = [[robust_line(c, wall.count(c)) for c in both] for both in wall.contacts]
    slopes = np.array([[line.slope for line in row] for row in lines])
    variances = np.array([[line.variance for line in row] for row in lines])
    pooled = pool(slopes.mean(axis=1), variances.mean(axis=1) / len(kinds))
    error = float(np.hypot(pooled.stderr, softening * pooled.mean))
    if len(kinds) == 2:
        systematic, note = _hysteresis(slopes, variances, pooled.mean)
        error = float(np.hypot(error, systematic))
        notes.append(note)
    value, relative = -1.0 / pooled.mean, abs(error / pooled.mean)
    notes = _notes_on(curves, wall, kinds, reasons, pooled) + notes
    notes += _old_value(curves, value)
    method = "wall of force curves, " + " and ".join(kinds)
    return Estimate("deflection_sensitivity", value, value * relative, method, notes=tuple(notes))


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
    present = set(curves.segments["kind"])
    kinds = tuple(kind for kind in wanted if kind in present)
    if not kinds:
        raise CalibrationFailed(f"the curves have no {' or '.join(wanted)} segment")
    return kinds


def _contacts(
    curves: CurveSet, kinds: tuple[str, ...]
) -> tuple[list[_CurveContacts], Counter[str], int]:
    """Contacts of each curve in all directions asked for; why others have none; wrong signs."""
    n = curves.n_curves
    chosen = np.unique(np.linspace(0, n - 1, min(n, _MOST)).astype(np.int64))
    segments = curves.segments
    found: list[_CurveContacts] = []
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
        found.append(_CurveContacts(int(curve), contacts))
    return found, reasons, turned


def _of_kind(segments: np.ndarray, kind: str, height: FloatArray, volts: FloatArray) -> WallContact:
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


def _notes_on(
    curves: CurveSet, wall: Wall, kinds: tuple[str, ...], reasons: Counter[str], pooled: Pooled
) -> list[str]:
    flat = [c for both in wall.contacts for c in both]
    runs = [abs(c.height[wall.count(c) - 1] - c.height[0]) for c in flat]
    notes = [
        f"{len(wall.contacts)} curves, wall of {np.median(runs) * 1e9:.3g} nm "
        f"({wall.part:.0%} of the contact)",
        f"scatter between curves {abs(pooled.between / pooled.mean):.2%}, error of one curve "
        f"{abs(pooled.within / pooled.mean):.2%}",
    ]
    if wall.skipped:
        notes.append(
            f"the {wall.skipped:.0%} of the contact next to the turn were left out: the slope is "
            "another there, as after a turn of a creeping scanner"
        )
    if reasons:
        counted = ", ".join(f"{n} {why}" for why, n in reasons.most_common())
        notes.append(f"curves left out: {counted}")
    if pooled.outliers:
        notes.append(f"{pooled.outliers} curves whose slope stands apart were left out")
    cut = sum(any(c.saturated for c in both) for both in wall.contacts)
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


class DeflectionCalibration(RegisteredCalibration):
    """Deflection sensitivity from the wall of curves on a bare, stiff sample.

    FILEs are curves with the deflection in volts.
    """

    class Settings(CalibrationSettings):
        """Which direction of the curves is used."""

        direction: Direction = Field("both", description="Direction of the curves; both: the mean.")

    def _calibrate(self, inputs: Sequence[CurveSet], settings: Settings) -> Estimate:
        return deflection_sensitivity(merged(inputs), settings.direction)


DEFLECTION = DeflectionCalibration()
