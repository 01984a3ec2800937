"""The lateral signal on the hard wall, pooled over curves: stick or slip, motion and phase.

A tip that sticks is held by lever and contact, springs in series: its force hardly depends on the
load (a contact that stiffens as load^(1/3) gives an exponent of at most 1/3), and is in phase with
the dither. A tip that slips is held by friction, which grows as the load, and lags behind.

A layer beside the contact pulls as well. Its force is that just above the wall, and is taken out
as a spring that lies parallel to the contact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.engine.checks.evidence import Evidence, Measured
from nrm_plugin.kernels import QUARTERS
from nrm_plugin.variables import BIT

#: A tip that sticks: largest exponent of the load, and change of phase (rad) between the two
#: highest quarters of the load.
MOST_EXPONENT, MOST_TURN = 0.42, math.radians(2.0)

#: From this exponent on the tip slips.
SLIPS = 0.6

#: Part of the force on the wall that has to be the contact's.
_LEAST_CONTACT = 0.3

#: Fewer curves cannot tell, and neither can loads that differ by a smaller factor, nor a signal
#: that is not so many of its standard errors.
_FEWEST, _LEAST_RANGE, _LEAST_SIGNAL = 3, 1.25, 10.0


#: Logarithm of the ratio of what the wall bears in the two highest quarters, and by how much at
#: least friction then changes: adhesion is at most ten times the load. Error of a motion.
_SPAN, _LEAST_CHANGE, _MARGIN = math.log(0.875 / 0.625), 0.25 / 10.9, 1.15


@dataclass(frozen=True, kw_only=True)
class SlipLaw:
    """A spring that a slider holds, for rising friction; arrays.

    With x the friction over the force that would not slip and theta = arccos(1 - 2 x), in phase is
    (theta - sin(2 theta) / 2) / pi, in quadrature 4 x (1 - x) / pi.

    Attributes
    ----------
    phase, motion : arrays
        In rad; force over the one that would not slip.
    exponent, turn : arrays
        Change of the logarithm of the motion, and of the phase (rad), by that of the friction.
    """

    phase: FloatArray
    motion: FloatArray
    exponent: FloatArray
    turn: FloatArray


def _slip_law() -> SlipLaw:
    x = np.linspace(0.002, 0.998, 999)
    theta = np.arccos(1.0 - 2.0 * x)
    force = (theta - np.sin(2.0 * theta) / 2.0) / np.pi + 4j * x * (1.0 - x) / np.pi
    motion, phase, friction = np.abs(force), np.angle(force), np.log(x)
    return SlipLaw(
        phase=phase,
        motion=motion,
        exponent=np.gradient(np.log(motion), friction),
        turn=np.gradient(phase, friction),
    )


_SLIP = _slip_law()


@dataclass(frozen=True, kw_only=True)
class WallSignal:
    """What the lateral signal on the walls of a direction says; standard errors are of the pool.

    Attributes
    ----------
    force, force_stderr : complex, float
        At the highest loads, N (peak), less that far away.
    contact : complex
        The same without the layer beside the contact.
    layer, layer_stderr : complex, float
        Force just above the wall, N, corrected for the lever's compliance where it is known.
    exponent, exponent_stderr : float
        With which the contact's force grows with the load.
    turn, turn_stderr : float
        Change of its phase from the quarter of the load below the highest one, rad.
    phase, phase_stderr : float
        Phase of the contact's force at the highest loads, rad.
    load : float
        What the wall bears in the highest quarter, as a deflection (m).
    motion : float
        Of the contact's part over the dither, nan where the scale is not known.
    hidden : bool
        Whether the layer pulls so much more than the contact that nothing is known of that.
    n_curves : int
        With a wall.
    """

    force: complex
    force_stderr: float
    contact: complex
    layer: complex
    layer_stderr: float
    exponent: float
    exponent_stderr: float
    turn: float
    turn_stderr: float
    phase: float
    phase_stderr: float
    load: float
    motion: float
    hidden: bool
    n_curves: int

    @property
    def seen(self) -> bool:
        """Whether there is a signal."""
        return abs(self.force) > _LEAST_SIGNAL * self.force_stderr

    @property
    def sticks(self) -> bool | None:
        """Whether the tip sticks at the highest loads; None if the signal cannot tell."""
        if not self.seen or self.hidden or not math.isfinite(self.exponent):
            return None
        power, error = self.exponent, 2.0 * self.exponent_stderr
        turned, turn_error = abs(self.turn), 2.0 * self.turn_stderr
        if power - error > SLIPS or turned - turn_error > MOST_TURN:
            return False
        if power + error < MOST_EXPONENT and turned + turn_error < MOST_TURN:
            return None if self.may_slip else True
        return None

    @property
    def may_slip(self) -> bool:
        """Whether a tip that adhesion presses on would show the same, for it slips at any load.

        The slip law ties phase, motion and how both go with the friction that is there.
        """
        if not 0.0 < self.phase < math.pi / 2.0:
            return False
        at = int(np.argmin(np.abs(_SLIP.phase - self.phase)))
        if self.motion > _MARGIN * _SLIP.motion[at]:
            return False
        power = self.exponent + 2.0 * self.exponent_stderr
        if power < _LEAST_CHANGE / _SPAN * _SLIP.exponent[at]:
            return False
        turn = _SLIP.turn[at] * power * _SPAN / _SLIP.exponent[at]
        return bool(self.turn - 2.0 * self.turn_stderr < 0.5 * turn)


def wall_signal(evidence: Evidence) -> WallSignal | None:
    """What the walls of the processed direction say; None without walls or lateral signal."""
    found = evidence.remember("signal of the walls", lambda: _wall_signal(evidence))
    assert found is None or isinstance(found, WallSignal)
    return found


def _wall_signal(evidence: Evidence) -> WallSignal | None:
    measured = evidence.of(evidence.direction)
    if measured is None or not len(measured.lateral):
        return None
    good = (measured.quality & (BIT["no_hard_contact"] | BIT["missing_lateral"])) == 0
    force = measured.lateral["wall_x"] + 1j * measured.lateral["wall_y"]
    load = measured.lateral["load"] - measured.lateral["onset"][:, None]
    good &= np.isfinite(force).sum(1) > 0
    if good.sum() < 1:
        return None
    return _pooled(evidence, measured, force[good], load[good], good)


def _pooled(
    evidence: Evidence, measured: Measured, force: ComplexArray, load: FloatArray, good: FloatArray
) -> WallSignal:
    n = len(force)
    layer = measured.layer[good]
    plan = evidence.plan
    scale = plan.lateral_stiffness * plan.amplitude
    known = scale > 0.0 and not evidence.missing & SCALE_KEYS
    layer_mean, layer_error = pooled_complex(layer)
    corrected = evidence.recipe.lateral.series_compliance
    alone = _without_layer(force, layer_mean, scale, corrected) if known else force
    last = QUARTERS - 1 - np.argmax(np.isfinite(force)[:, ::-1], axis=1)
    top = np.take_along_axis(force, last[:, None], 1)[:, 0]
    mean, error = pooled_complex(top)
    left = pooled_complex(np.take_along_axis(alone, last[:, None], 1)[:, 0])[0]
    hidden = abs(left) < _LEAST_CONTACT * abs(mean)
    contact = force if hidden else alone
    top_contact = np.take_along_axis(contact, last[:, None], 1)[:, 0]
    contact_mean, contact_error = pooled_complex(top_contact)
    exponents, turns = _dependence(contact, load, last)
    exponent, exponent_error = pooled(exponents)
    turn, turn_error = pooled(turns)
    return WallSignal(
        force=mean,
        force_stderr=error,
        contact=contact_mean,
        layer=layer_mean,
        layer_stderr=layer_error,
        exponent=exponent,
        exponent_stderr=exponent_error,
        turn=turn,
        turn_stderr=turn_error,
        phase=float(np.angle(contact_mean)),
        phase_stderr=contact_error / max(abs(contact_mean), 1e-300),
        load=float(np.nanmedian(np.take_along_axis(load, last[:, None], 1))),
        motion=abs(contact_mean) / scale if known else math.nan,
        hidden=hidden,
        n_curves=n,
    )


#: Keys without which the lateral force has no scale.
SCALE_KEYS = frozenset(
    {
        "dither_amplitude",
        "lockin_convention",
        "lockin_sensitivity",
        "lockin_expand_x",
        "lockin_expand_y",
        "lateral_sensitivity",
        "lateral_stiffness",
    }
)


def _without_layer(
    force: ComplexArray, layer: complex, scale: float, corrected: bool
) -> ComplexArray:
    """Force of the contact alone, (n, q): the layer is a spring beside it.

    With r = F/(k_l A), a stiffness is k_l r / (1 - r), and stiffnesses add. The layer's force is
    A times its stiffness where it is corrected for the lever's compliance.
    """
    if not np.isfinite(layer) or np.nanmax(np.abs(force)) > 1.1 * scale:
        return force
    ratio = force / scale
    beside = layer / scale if corrected else layer / (scale - layer)
    with np.errstate(invalid="ignore", divide="ignore"):
        stiffness = ratio / (1.0 - ratio) - beside
        alone: ComplexArray = scale * stiffness / (1.0 + stiffness)
    return alone


def _dependence(
    force: ComplexArray, load: FloatArray, last: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Exponent of the load, and turn of the phase, of each curve over its two highest quarters."""
    rows, below = np.arange(len(force)), np.maximum(last - 1, 0)
    high, low = force[rows, last], force[rows, below]
    with np.errstate(invalid="ignore", divide="ignore"):
        span = np.log(load[rows, last] / load[rows, below])
        ratio = high / low
        exponent = np.log(np.abs(ratio)) / span
        turn = np.angle(ratio)
    short = ~(span > math.log(_LEAST_RANGE))
    exponent[short], turn[short] = np.nan, np.nan
    return exponent, turn


def pooled(values: FloatArray) -> tuple[float, float]:
    """Median, and its standard error from the scatter; nan for fewer than three values."""
    values = values[np.isfinite(values)]
    if len(values) < _FEWEST:
        return math.nan, math.nan
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return middle, 1.2533 * spread / math.sqrt(len(values))


def pooled_complex(values: ComplexArray) -> tuple[complex, float]:
    """Median of both parts, and the larger standard error; of one or two values the mean."""
    values = values[np.isfinite(values)]
    if 0 < len(values) < _FEWEST:
        return complex(values.mean()), math.nan
    (x, dx), (y, dy) = pooled(values.real), pooled(values.imag)
    return complex(x, y), max(dx, dy)


# ---------------------------------------------------------------- for the checks that look at it

#: A sensitivity that was calibrated in air and used in a liquid is wrong by its refractive index.
AIR_IN_LIQUID = (1.3, 1.45)

NO_LATERAL = "there is no lateral signal"

GLASS = (
    "curves on bare glass (the same lever and liquid, electrode = glass) tell: nrm check GLASS "
    "--set electrode=glass"
)


def readable_signal(evidence: Evidence) -> tuple[WallSignal | None, str]:
    """What the walls say, or why they say nothing."""
    if not evidence.plan.lateral:
        return None, NO_LATERAL
    signal = wall_signal(evidence)
    if signal is None:
        return None, (
            "no curve ends on a wall where the lateral signal could be looked at: press harder, "
            f"or {GLASS}"
        )
    if not signal.seen:
        return None, (
            "there is no lateral signal on the wall: is the dither on, and the lock-in at its "
            "frequency?"
        )
    return signal, ""


def why_not_confirmed(signal: WallSignal) -> str:
    """Why the wall cannot confirm what was told."""
    if signal.sticks is False:
        return f"The tip slips there (the force goes as load to the power {signal.exponent:.2f})"
    return "Whether the tip sticks there is not known"


def or_none(value: float) -> float | None:
    """None for nan."""
    return value if math.isfinite(value) else None
