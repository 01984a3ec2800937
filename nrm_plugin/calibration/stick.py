"""The stick test: whether the tip sticks to the hard sample while the dither moves it.

Amplitude and phase can be taken from hard contact only if it does. A tip that sticks shows a
plateau: lever and contact are springs in series, and the signal does not depend on the normal
load but for the little by which the contact stiffens. A tip that slips is held by friction, which
is proportional to the load; a tip that slips during part of the dither's period lags behind it,
which turns storage into loss, and by an angle that changes with the load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nrm_plugin.calibration import CalibrationFailed, lockin
from nrm_plugin.calibration.lateral_contacts import LateralContact, walls
from nrm_plugin.calibration.pooling import mean_and_error
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet

#: |V*| may grow as load to this power. A contact of stiffness k_con ~ load^(1/3) in series with
#: the lever gives (1/3) k_lat / (k_lat + k_con); slip gives 1.
EXPONENT = 0.2
#: Change of phase in rad over the range of loads; as large may be the error of a phase taken here.
TURN = float(np.radians(0.5))
#: Part of the largest load that a layer on the sample may bear where |V*| is used.
LAYER = 0.05
#: Third harmonic over first; 1/3 for a tip that slips all the time.
THIRD = 0.05

_SLIPS = 0.6  # exponent from which on the tip slips all the time
_RANGE = 1.5  # largest over smallest load that a plateau must be seen over
_FROM = (0.0, 0.3, 0.45, 0.6)  # of the largest load: where the tip may begin to stick


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """The lateral signal of a tip that is pressed against a hard sample.

    Attributes
    ----------
    amplitude, amplitude_stderr : float
        Mean of |V*| over the plateau, as the lock-in gives it (rms or peak), in `unit`.
    rigid, rigid_stderr : float
        What it would be on an infinitely stiff contact: 1/|V*| is linear in load^(-1/3)
        (lever and a Hertz-Mindlin contact in series), and extrapolated to 0.
    phase, phase_stderr : float
        Argument of V*, rad.
    exponent, exponent_stderr : float
        d ln|V*| / d ln load.
    turn, turn_stderr : float
        Change of phase over the range of loads, rad.
    signal_to_noise : float
        |V*| over the noise of one sample.
    layer : float
        Part of the largest load that a layer on the sample bears.
    loads : (float, float)
        The range, in `load_unit`.
    unit, load_unit : str
    n_curves : int
    notes : tuple of str
    """

    amplitude: float
    amplitude_stderr: float
    rigid: float
    rigid_stderr: float
    phase: float
    phase_stderr: float
    exponent: float
    exponent_stderr: float
    turn: float
    turn_stderr: float
    signal_to_noise: float
    layer: float
    loads: tuple[float, float]
    unit: str
    load_unit: str
    n_curves: int
    notes: tuple[str, ...] = ()


def plateau(curves: CurveSet, *, alternative: str, third_harmonic: str | None = None) -> Plateau:
    """Pass the stick test, or say why not.

    Only loads at which the tip sticks are used; at lower ones it may slip.

    Parameters
    ----------
    curves : CurveSet
        Two or more approaches onto a hard sample.
    alternative : str
        What else can be done, for the error.
    third_harmonic : str, optional
        Channel with the amplitude of the third harmonic, where one was recorded, in the unit of
        the lateral signal.

    Raises
    ------
    CalibrationFailed
        With partial or full slip, on a soft contact, without a wall, or if there is too much
        noise to tell.
    MissingCalibration, InvalidInput, UnknownChannel
        If the signals are not there.
    """
    curves = lockin.at_the_lockin(curves)
    unit = curves.channels["lateral_in_phase"].unit
    reason = ""
    try:
        contacts = walls(curves)
        if third_harmonic is not None:
            _check_harmonic(curves, contacts, third_harmonic, unit)
    except CalibrationFailed as error:
        raise CalibrationFailed(f"{error}. {alternative}") from None
    for part in _FROM:
        kept = [k for c in contacts if (k := _above(c, part)) is not None]
        if len(contacts) < 2:
            reason = "two or more curves are needed: their scatter gives the error"
            break
        if len(kept) < max(2, len(contacts) // 2):
            reason = reason or "the wall must be seen over loads that differ by a factor of 1.5"
            break
        found = _fit(kept, unit)
        failed = _why_not(found)
        if not failed:
            return replace(found, notes=_notes(found, reason))
        reason = reason or failed
    raise CalibrationFailed(f"{reason}. {alternative}")


def bare(found: Plateau, alternative: str) -> Plateau:
    """Refuse a plateau that a layer on the sample adds to: its amplitude is not the lever's.

    Raises
    ------
    CalibrationFailed
    """
    if found.layer > LAYER:
        raise CalibrationFailed(
            f"a layer on the sample bears {100 * found.layer:.0f} % of the load; use a bare hard "
            f"sample. {alternative}"
        )
    return found


def _above(contact: LateralContact, part: float) -> LateralContact | None:
    """The contact above a part of its largest load, if a plateau can be seen in it."""
    keep = contact.load >= part * contact.load[-1]
    load = contact.load[keep]
    if len(load) < 10 or load[0] <= 0.0 or load[-1] < _RANGE * load[0]:
        return None
    return replace(contact, load=load, signal=contact.signal[keep], samples=contact.samples[keep])


def _fit(contacts: Sequence[LateralContact], unit: str) -> Plateau:
    """Fit each curve; the scatter of the curves gives the errors."""
    amplitude, inverse, phase, exponent, turn = np.array([_of_one(c) for c in contacts]).T
    centre = float(np.angle(np.mean(np.exp(1j * phase))))
    shift, phase_error = mean_and_error(np.angle(np.exp(1j * (phase - centre))))
    turned, turn_error = mean_and_error(turn)
    if abs(turned) > 3.0 * turn_error:  # the phase is no better known than it is constant
        phase_error = float(np.hypot(phase_error, 0.5 * turned))
    mean, error = mean_and_error(amplitude)
    soft, soft_error = mean_and_error(inverse)
    power, power_error = mean_and_error(exponent)
    return Plateau(
        amplitude=mean,
        amplitude_stderr=error,
        rigid=1.0 / soft,
        rigid_stderr=soft_error / soft**2,
        phase=centre + shift,
        phase_stderr=phase_error,
        exponent=power,
        exponent_stderr=power_error,
        turn=turned,
        turn_stderr=turn_error,
        signal_to_noise=float(
            np.median(amplitude / np.array([max(c.noise, 1e-300) for c in contacts]))
        ),
        layer=float(np.median([c.foot for c in contacts])),
        loads=(
            float(np.median([c.load[0] for c in contacts])),
            float(np.median([c.load[-1] for c in contacts])),
        ),
        unit=unit,
        load_unit=contacts[0].unit,
        n_curves=len({c.curve for c in contacts}),
    )


def _of_one(contact: LateralContact) -> tuple[float, float, float, float, float]:
    """Mean of |V*|, 1/|V*| at infinite load, phase, exponent and turn of one curve."""
    mean = contact.signal.mean()
    along = contact.signal * (abs(mean) / mean)  # no bias by noise, unlike the modulus
    size = np.maximum(along.real, 1e-3 * abs(mean))
    log_load = np.log(contact.load)
    exponent = _line(log_load, np.log(size))[1]
    turn = _line(log_load, np.angle(along))[1] * float(log_load[-1] - log_load[0])
    compliance = contact.load ** (-1.0 / 3.0)
    # Its mean over the loads that the lock-in averages over, to second order.
    compliance *= 1.0 + 2.0 / 9.0 * (contact.smear / contact.load) ** 2
    inverse = _line(compliance, 1.0 / size)[0]
    return float(abs(mean)), inverse, float(np.angle(mean)), exponent, turn


def _line(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Intercept and slope of a straight line."""
    away = x - x.mean()
    slope = float(away @ y) / float(away @ away)
    return float(y.mean()) - slope * float(x.mean()), slope


def _why_not(found: Plateau) -> str:
    """What speaks against a tip that sticks to a hard sample; empty if nothing does."""
    low, high = (f"{load:.3g} {found.load_unit}" for load in found.loads)
    if found.signal_to_noise < 3.0:
        return "there is no lateral signal on the wall: is the dither on, at this frequency?"
    if found.exponent - 2.0 * found.exponent_stderr > _SLIPS:
        return (
            f"the tip slips: |V*| follows the normal load (to the power {found.exponent:.2f}; "
            "a tip that sticks shows a plateau)"
        )
    if abs(found.turn) > max(TURN, 3.0 * found.turn_stderr):
        return (
            "the tip slips during part of the dither's period: the phase turns by "
            f"{np.degrees(found.turn):.1f} degrees while the load goes from {low} to {high}. "
            "Slip turns storage into loss"
        )
    if 2.0 * found.exponent_stderr > EXPONENT or 2.0 * found.turn_stderr > TURN:
        return (
            f"{found.n_curves} curves with this much noise cannot tell whether the tip sticks: "
            "take more of them"
        )
    if abs(found.exponent) > EXPONENT:
        return (
            f"|V*| has no plateau: it goes with the load to the power {found.exponent:.2f} at one "
            "phase, so the contact is soft compared with the lever, which is too stiff for it"
        )
    return ""


def _notes(found: Plateau, below: str) -> tuple[str, ...]:
    low, high = (f"{load:.3g} {found.load_unit}" for load in found.loads)
    notes = [
        f"stick test passed on {found.n_curves} curves between {low} and {high}: |V*| goes with "
        f"the load to the power {found.exponent:.3f}, the phase turns by "
        f"{np.degrees(found.turn):.2f} degrees"
    ]
    if found.layer > LAYER:
        notes.append(
            f"a layer on the sample bears {100 * found.layer:.0f} % of the load; a bare hard "
            "sample is better"
        )
    if below:
        notes.append(f"smaller loads were left out, where {below}")
    return tuple(notes)


def _check_harmonic(
    curves: CurveSet, contacts: Sequence[LateralContact], name: str, unit: str
) -> None:
    """Refuse a third harmonic that only friction makes.

    Raises
    ------
    CalibrationFailed, InvalidInput, UnknownChannel
    """
    if curves.channel(name).unit != unit:
        raise InvalidInput(
            f"{name} is in {curves.channel(name).unit or 'no unit'}, the lateral signal in {unit}: "
            "the third harmonic is compared with the first in one unit"
        )
    parts = []
    for contact in contacts:
        third = np.abs(curves.read(name, contact.curve)[contact.samples])
        top = contact.load >= 0.6 * contact.load[-1]
        parts.append(float(np.nanmean(third[top]) / np.abs(contact.signal[top]).mean()))
    part = float(np.median(parts))
    if part > THIRD:
        raise CalibrationFailed(
            f"the tip slips: the third harmonic is {100 * part:.0f} % of the first on the wall"
        )
