"""The frequency of a recorded reference: a sine, a square wave, or one of several tones."""

from __future__ import annotations

from math import pi

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput

#: Samples of the reference that are enough to find its frequency.
ENOUGH = 1 << 18
#: Part of the reference's power that its strongest line must have; a square wave's has 0.81.
_CLEAR = 0.5
#: A tone that was told is looked for so near to what was told, and has this part of the power.
_NEAR, _FAINT = 0.02, 1e-6


def find_frequency(reference: FloatArray, rate: float, near: float | None = None) -> float:
    """Frequency in Hz of the strongest line of a reference.

    From the spectrum's peak, then from the turn of the phase between the first and the last third;
    to ten digits.

    Parameters
    ----------
    reference : (n,) array
        At least eight periods; in any unit.
    rate : float
        Samples per second.
    near : float, optional
        The line is looked for within 2 % of this; otherwise it must have most of the power.

    Raises
    ------
    InvalidInput
        If there is no clear line, or `near` is not below half of the rate.
    """
    if near is not None and not 0.0 < near < 0.5 * rate:
        raise InvalidInput(
            f"a tone of {near:.6g} Hz cannot be found at {rate:g} samples per second: it must lie "
            "above 0 and below half of that"
        )
    values = np.asarray(reference, np.float64)[:ENOUGH]
    n = len(values)
    if n < 32 or not np.isfinite(values).all():
        raise InvalidInput("the reference is too short, or holds what is no finite number")
    values = values - values.mean()
    window = np.hanning(n)
    power = np.abs(np.fft.rfft(values * window)) ** 2
    frequencies = np.arange(len(power)) * rate / n
    allowed = frequencies >= 2.0 * rate / n
    if near is not None:
        allowed &= np.abs(frequencies - near) <= max(_NEAR * near, 2.0 * rate / n)
    if not allowed.any() or not power[allowed].max(initial=0.0) > 0.0:
        raise InvalidInput(_unclear(near))
    peak = int(np.argmax(np.where(allowed, power, -1.0)))
    around = power[max(0, peak - 3) : peak + 4]
    if near is None and around.sum() < _CLEAR * power[2:].sum():
        raise InvalidInput(_unclear(near))
    if near is not None and (
        # The foot of another line rises beyond the end of what is allowed.
        power[peak] < max(100.0 * np.median(power[2:]), _FAINT * power[2:].sum(), around.max())
    ):
        raise InvalidInput(_unclear(near))
    if peak < 8:
        raise InvalidInput(f"the reference holds {peak} periods; at least 8 are needed")
    frequency = float(frequencies[peak])
    third = n // 3
    part = np.hanning(third) ** 2  # the image at twice the frequency is far down
    time = np.arange(third)
    for _ in range(4):
        turn = 2.0 * pi * frequency / rate
        wave = part * np.exp(-1j * turn * time)
        first, last = wave @ values[:third], wave @ values[n - third :]
        step = np.angle(last * np.conj(first) * np.exp(-1j * turn * (n - third)))
        frequency += float(step) / (2.0 * pi) * rate / (n - third)
    return float(f"{frequency:.10g}")  # the same whatever part of the reference is looked at


def _unclear(near: float | None) -> str:
    if near is not None:
        return f"the reference has no line at {near:.6g} Hz, or within 2 % of it"
    return (
        "the reference is no single tone: no line has most of its power. Is it the reference? "
        "Where it holds several tones, give their frequencies"
    )
