"""Phase of the lock-in: that on the wall, and what passivity says of the layer.

On the wall the tip is in phase with the dither as long as it sticks. A tip that slips lags behind
by up to 90 degrees, never more, and is never ahead.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass, replace

from nrm_plugin.engine.checks.check import Check, Verdict, effect
from nrm_plugin.engine.checks.evidence import Evidence
from nrm_plugin.engine.checks.wall_signal import (
    GLASS,
    WallSignal,
    or_none,
    readable_signal,
    why_not_confirmed,
)
from nrm_plugin.errors import InvalidInput

#: Phases on the wall in rad: what may come from noise and films, and what may not.
_IN_PHASE, _OUT_OF_PHASE = math.radians(2.5), math.radians(12.0)

#: Loss tangent of a film that may lie under the tip, and motion of the tip where it is not known.
_LOSSY, _TYPICAL_MOTION = 0.3, 0.5


def lockin_phase(evidence: Evidence) -> Check:
    """Hold the phase on the wall against 0, and moduli of the layer against passivity."""
    name = "lockin_phase"
    signal, why = readable_signal(evidence)
    told = evidence.told(name)
    about = Check(name=name, told=or_none(told), unit="rad")
    if signal is None:
        return about.says("unknown", why)
    off, error = signal.phase, signal.phase_stderr
    should = _wrapped((0.0 if math.isnan(told) else told) + off)
    about = replace(about, found=should, stderr=error)
    layer = _of_the_layer(signal)
    if signal.sticks:
        return _of_a_tip_that_sticks(evidence, signal, about)
    ahead = -off - 3.0 * error > _OUT_OF_PHASE / 2.0
    behind = off - 3.0 * error > math.pi / 2.0 + _IN_PHASE
    if signal.seen and (ahead or behind):
        return about.says(
            "wrong",
            f"on the wall the lateral force is {math.degrees(abs(off)):.0f} degrees "
            f"{'ahead of' if off < 0.0 else 'behind'} the dither, and no tip, whether it sticks or "
            f"slips, is ahead, or behind by more than 90 degrees: {_phase_suspects(told, off)}",
        )
    if layer:
        return about.says("doubtful", f"{layer}: {_phase_suspects(told, off)}")
    not_told = (
        "lockin_phase is not told and taken as 0: every degree turns 1.7 % of E' into E''. "
        if math.isnan(told)
        else ""
    )
    return about.says(
        "unknown",
        f"{not_told}{why_not_confirmed(signal)}: neither the phase nor the sign of Y, nor whether "
        f"X and Y are swapped, can be checked on the wall. nrm calibrate phase, or {GLASS}",
    )


@dataclass(frozen=True, kw_only=True)
class WallPhase:
    """Phase of the instrument as the wall shows it.

    Attributes
    ----------
    value : float
        In rad.
    source : str
        How it was found, with its errors, and what was told.
    """

    value: float
    source: str


def phase_of_the_wall(evidence: Evidence) -> WallPhase:
    """Return the phase at which the tip is in phase with the dither on the wall.

    A lossy film under the tip turns it by loss tangent x k_l / (k_c + k_l), which the motion of
    the tip bounds: its systematic error.

    Raises
    ------
    InvalidInput
        If the tip slips there, or the wall cannot tell.
    """
    signal, why = readable_signal(evidence)
    if signal is None or not signal.sticks:
        why = why if signal is None else why_not_confirmed(signal)
        raise InvalidInput(
            f"the phase cannot be taken from the wall: {why[:1].lower()}{why[1:]}. Give "
            'lockin_phase (nrm calibrate phase), and phase = "told" in [lateral] of the recipe'
        )
    told = evidence.told("lockin_phase")
    value = _wrapped((0.0 if math.isnan(told) else told) + signal.phase)
    scale = evidence.plan.lateral_stiffness * evidence.plan.amplitude
    motion = min(abs(signal.force) / scale, 1.0) if scale else _TYPICAL_MOTION
    film = math.degrees(_LOSSY * (1.0 - motion))
    was = "nothing was told" if math.isnan(told) else f"told were {math.degrees(told):.1f}"
    return WallPhase(
        value=value,
        source=f"the wall's: {math.degrees(value):.2f} +- {math.degrees(signal.phase_stderr):.2f} "
        f"degrees on {signal.n_curves} curves whose tip sticks ({was}); a film under the tip with "
        f"a loss tangent of {_LOSSY:g} would make it {film:.1f} degrees too large",
    )


def _of_a_tip_that_sticks(evidence: Evidence, signal: WallSignal, about: Check) -> Check:
    off, error = signal.phase, signal.phase_stderr
    told = evidence.told("lockin_phase")
    should = _wrapped((0.0 if math.isnan(told) else told) + off)
    degrees = math.degrees(off)
    seen = f"on the wall the tip sticks, and its force is {degrees:+.1f} degrees out of phase"
    change = _turned(signal.layer, signal.layer_stderr, off)
    if evidence.recipe.lateral.phase == "wall":
        return about.says(
            "fine",
            f"{seen} as told; the recipe takes the wall's phase instead, and used is "
            f"{phase_of_the_wall(evidence).source}",
        )
    layer = _of_the_layer(signal)
    if abs(off) - 2.0 * error <= _IN_PHASE:
        if layer:
            return about.says("doubtful", f"{layer}: {_phase_suspects(told, off)}")
        return about.says("fine", f"{seen}, as it should be{_if_not_told(told)}", effect=change)
    if abs(off) > _OUT_OF_PHASE:
        # Of a file that is still being filled in nothing is held against what is not there yet.
        verdict: Verdict = "unknown" if math.isnan(told) and evidence.missing else "wrong"
        return about.says(verdict, f"{seen}: {_phase_suspects(told, off)}", effect=change)
    stiffness = evidence.plan.lateral_stiffness
    film = (
        " A film under the tip that is lossy can turn it by as much as loss tangent x "
        "lateral_stiffness / (contact + lateral_stiffness)."
        if off > 0.0 and stiffness
        else ""
    )
    return about.says(
        "doubtful",
        f"{seen}: lockin_phase should be {math.degrees(should):.1f} degrees"
        f"{_if_not_told(told)}.{film} nrm calibrate phase on glass tells, and the recipe's "
        'phase = "wall" in [lateral] takes it from the wall',
        effect=change,
    )


def _if_not_told(told: float) -> str:
    return " (it is not told, and taken as 0)" if math.isnan(told) else ""


def _of_the_layer(signal: WallSignal) -> str:
    """What is impossible about the layer's force just above the wall; empty if nothing is."""
    x, y, error = signal.layer.real, signal.layer.imag, signal.layer_stderr
    if not math.isfinite(error) or abs(signal.layer) < 5.0 * error:
        return ""
    if x < -5.0 * error and abs(x) > abs(y):
        return "the layer's force is opposite to the dither, as if E' were negative"
    if y < -5.0 * error and -y > 0.03 * abs(x):
        return "the layer's force is ahead of the dither, as if E'' were negative"
    return ""


def _phase_suspects(told: float, off: float) -> str:
    """What may be wrong where the phase is off (rad), the likeliest first."""
    base = 0.0 if math.isnan(told) else told
    near = math.radians(6.0)

    def fits(angle: float) -> bool:
        return abs(_wrapped(off - angle)) < near

    likely = []
    if math.isnan(told):
        likely.append(
            f"lockin_phase was never told, and should be {math.degrees(_wrapped(off)):.0f} degrees"
        )
    elif abs(_wrapped(2.0 * base)) > near and fits(-2.0 * base):
        likely.append("lockin_phase, or Y, has the wrong sign")
    if fits(math.pi / 2.0 - 2.0 * base):
        likely.append("X and Y are swapped")
    if fits(math.pi):
        likely.append("half a turn: the lateral signal has the wrong sign")
    if not likely:
        found = math.degrees(_wrapped(base + off))
        likely.append(f"lockin_phase should be {found:.0f} degrees")
    return (
        f"{', or '.join(likely)}. Look at lockin_phase (its sign; degrees or radians), the sign of "
        "Y, and whether X and Y are swapped"
    )


def _turned(layer: complex, error: float, off: float) -> dict[str, float]:
    """Change of E' and E'' if the phase on the wall is the instrument's, by the layer's own."""
    if not math.isfinite(error) or abs(layer) < 5.0 * error or not (layer.real and layer.imag):
        return effect()
    turned = layer * cmath.exp(-1j * off)
    return effect(
        100.0 * (turned.real / layer.real - 1.0), 100.0 * (turned.imag / layer.imag - 1.0)
    )


def _wrapped(angle: float) -> float:
    """Angle in (-pi, pi]."""
    return math.pi - (math.pi - angle) % (2.0 * math.pi)
