"""Noise of a given standard deviation and spectrum."""

from __future__ import annotations

import numpy as np

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.simulate.instrument import LockIn, ResonantNoise


def white_lateral(
    rng: np.random.Generator, lock_in: LockIn, sigma: float, n: int, interval: float
) -> ComplexArray:
    """Noise that has passed the lock-in's filter, of the standard deviation asked for."""
    lead = 64 + (int(20 * lock_in.poles * lock_in.time_constant / interval))
    white = rng.standard_normal(n + lead) + 1j * rng.standard_normal(n + lead)
    filtered = lock_in.filtered(white, interval)
    return sigma * filtered[lead:] / _gain_of_noise(lock_in.time_constant, lock_in.poles, interval)


def _gain_of_noise(time_constant: float, poles: int, interval: float) -> float:
    """Standard deviation of unit white noise behind the filter, from its impulse response."""
    if not time_constant:
        return 1.0
    impulse = np.zeros(64 + int(40 * poles * time_constant / interval), complex)
    impulse[1] = 1.0
    response = LockIn(time_constant, poles).filtered(impulse, interval)
    return float(np.sqrt(np.sum(np.abs(response) ** 2)))


def flicker(rng: np.random.Generator, n: int) -> FloatArray:
    """1/f noise of standard deviation 1."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum[0] = 0.0
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    noise = np.fft.irfft(spectrum, n)
    return np.asarray(noise / noise.std())


def resonant(
    rng: np.random.Generator, resonance: ResonantNoise, n: int, interval: float
) -> FloatArray:
    """Noise about a frequency: white noise through a damped oscillator.

    A frequency above half the sampling rate folds down, as it does where no filter is before the
    converter.
    """
    rate = 1.0 / interval
    folded = abs(resonance.frequency - rate * round(resonance.frequency / rate))
    frequency = np.fft.rfftfreq(n, interval)
    response = 1.0 / (
        (folded**2 - frequency**2) + 1j * frequency * max(folded, rate / n) / resonance.quality
    )
    response[0] = 0.0
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * response, n)
    # Scaled by what the spectrum gives on average, not by this curve's own.
    power = np.abs(response) ** 2
    power[1:] *= 2.0
    if n % 2 == 0:
        power[-1] /= 2.0
    return np.asarray(resonance.amplitude * noise / np.sqrt(power.sum() / n))
