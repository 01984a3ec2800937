"""Power spectral densities: from a time trace, from curves, or from a table that was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from nrm_plugin import units
from nrm_plugin.calibration import CalibrationFailed
from nrm_plugin.columns import FloatArray
from nrm_plugin.delimited import TextTable
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet

#: Fraction of a trace that its window tapers, at both ends together.
_TAPER = 0.1

#: Fewest samples of a trace and fewest points of a spectrum.
_FEWEST_SAMPLES, _FEWEST_POINTS = 256, 30


@dataclass(frozen=True, eq=False, kw_only=True)
class Spectrum:
    """A one-sided power spectral density.

    Attributes
    ----------
    frequency : (n,) array
        Rising, in Hz.
    density : (n,) array
        In `unit`; its integral over frequency is the mean square of the signal.
    unit : str
        ``V^2/Hz`` or ``m^2/Hz``.
    averages : float
        Independent periodograms (or neighbouring frequencies) behind each value; nan if unknown.
    inflation : float
        By how much windows or overlap make the variance of what is fitted larger than that many
        independent averages would; nan if unknown.
    limit : float
        Frequency up to which the record can show anything (half the sampling rate), in Hz.
    """

    frequency: FloatArray
    density: FloatArray
    unit: str
    averages: float = float("nan")
    inflation: float = float("nan")
    limit: float = inf

    @property
    def spacing(self) -> float:
        """Median distance of the frequencies in Hz."""
        return float(np.median(np.diff(self.frequency)))

    def within(self, low: float, high: float) -> Spectrum:
        """Return the part from `low` to `high`, in Hz."""
        part = (self.frequency >= low) & (self.frequency <= high)
        return replace(self, frequency=self.frequency[part], density=self.density[part])

    def blocked(self, count: int) -> Spectrum:
        """Return means over `count` neighbouring frequencies; averages multiply."""
        n = len(self.frequency) // count
        if count < 2 or n < 1:
            return self
        frequency, density = (
            a[: n * count].reshape(n, count).mean(axis=1) for a in (self.frequency, self.density)
        )
        averages = self.averages * count
        return replace(self, frequency=frequency, density=density, averages=averages)


def measured(frequency: FloatArray, density: FloatArray, unit: str) -> Spectrum:
    """Spectrum from a table.

    Parameters
    ----------
    frequency : (n,) array
        In Hz.
    density : (n,) array
        One-sided.
    unit : str
        A square per Hz (``V^2/Hz``, ``pm^2/Hz``), or an amplitude density (``nm/sqrt(Hz)``).

    Raises
    ------
    InvalidInput
        For a unit that is not a power spectral density of volts or metres, or values that are not.
    CalibrationFailed
        For an empty spectrum.
    """
    f, d = (np.asarray(a, np.float64).reshape(-1) for a in (frequency, density))
    if f.shape != d.shape:
        raise InvalidInput(f"{len(f)} frequencies for {len(d)} densities")
    factor, target, squared = _density_unit(unit)
    good = np.isfinite(f) & np.isfinite(d) & (f > 0.0)
    f, d = f[good], d[good] * factor
    if len(f) < _FEWEST_POINTS:
        raise CalibrationFailed(f"the spectrum has {len(f)} points; 30 or more are needed")
    if (np.diff(f) <= 0.0).any():
        raise InvalidInput("the frequencies of a spectrum must rise")
    if (d < 0.0).any():
        raise InvalidInput("a power spectral density is not negative; is it in decibels?")
    return Spectrum(frequency=f, density=d * d if squared else d, unit=target)


def _density_unit(unit: str) -> tuple[float, str, bool]:
    """Factor to SI, the SI unit, and whether values must be squared to be a power."""
    plain = unit.strip().replace("²", "^2").replace("**", "^").replace(" ", "")
    for root in ("/sqrt(Hz)", "/√Hz", "/Hz^0.5", "/Hz^(1/2)", "/rtHz", "/Hz^.5"):
        if plain.endswith(root):
            known = units.si(plain.removesuffix(root))
            if known is not None and known[1] in ("V", "m"):
                return known[0], f"{known[1]}^2/Hz", True
    above, _, below = plain.partition("/")
    known = units.si(above.removesuffix("^2"))
    if above.endswith("^2") and below == "Hz" and known is not None and known[1] in ("V", "m"):
        return known[0] ** 2, f"{known[1]}^2/Hz", False
    raise InvalidInput(
        f"a thermal spectrum is in V^2/Hz, m^2/Hz or their roots (V/sqrt(Hz)), not in "
        f"{unit.strip() or 'no unit'}"
    )


def from_table(table: TextTable) -> Spectrum:
    """Spectrum from the columns of a text file: frequency and density, or time and deflection.

    Raises
    ------
    InvalidInput
        If there are no such columns, or they have no unit.
    """
    if table.has("frequency"):
        density = table.column("density", "psd", "power", "amplitude", "deflection")
        return measured(table.si("Hz", "frequency", "freq", "f"), density.values, density.unit)
    signal = table.column("deflection", "signal", "amplitude", "voltage")
    known = units.si(signal.unit)
    if known is None or known[1] not in ("V", "m"):
        raise InvalidInput(f"{signal.name} is in V or m, not in {signal.unit or 'no unit'}")
    time = table.si("s", "time", "t")
    steps = np.diff(time)
    if not len(steps) or not np.median(steps) > 0.0:
        raise InvalidInput("the times of a trace must rise")
    step = float(time[-1] - time[0]) / len(steps)
    if np.abs(steps - step).max() > 0.01 * step + 2.0 * _rounding(time):
        raise InvalidInput("the times of a trace must be evenly spaced: samples are missing")
    return from_traces([signal.values * known[0]], 1.0 / step, known[1])


def _rounding(time: FloatArray) -> float:
    """How far printed times can be off: a digit of the last place that shows."""
    return float(np.abs(time).max()) * 1e-6


def from_traces(traces: Sequence[FloatArray], rate: float, unit: str) -> Spectrum:
    """Spectrum of time traces.

    Each trace is freed of its mean and drift (a line), tapered over a tenth of its length (a
    cosine at both ends, against leakage from low frequencies), and transformed whole; the
    periodograms are averaged. Frequencies are as fine as the traces are long: the fit averages
    neighbours as far as the peak's width allows, which loses nothing (Berg-Sørensen & Flyvbjerg,
    Rev. Sci. Instrum. 75, 594 (2004)).

    Parameters
    ----------
    traces : sequence of (n,) arrays
        Deflection in V or m; all of one length.
    rate : float
        Samples per second.
    unit : str
        ``V`` or ``m``.

    Raises
    ------
    CalibrationFailed
        For a trace that is empty, too short, or has nan in it.
    """
    if unit not in ("V", "m"):
        raise InvalidInput(f"a thermal trace is in V or m, not in {unit or 'no unit'}")
    if not (np.isfinite(rate) and rate > 0.0):
        raise InvalidInput(f"the sampling rate is a number above 0 Hz, not {rate}")
    n = min((len(t) for t in traces), default=0)
    if n < _FEWEST_SAMPLES:
        raise CalibrationFailed(f"the trace has {n} samples; 256 or more are needed")
    window = _taper(n)
    total = np.zeros(n // 2 + 1)
    x = np.arange(n) - (n - 1) / 2.0
    for trace in traces:
        y = np.asarray(trace, np.float64)[:n]
        if not np.isfinite(y).all():
            raise CalibrationFailed("there are nan or infinite samples in the trace")
        y = y - y.mean()
        y = y - x * (x @ y) / (x @ x)
        total += np.abs(np.fft.rfft(y * window)) ** 2
    squared = window**2
    density: FloatArray = 2.0 * total / (len(traces) * rate * squared.sum())
    last = len(density) - (1 if n % 2 == 0 else 0)  # what lies at half the rate counts once
    part = slice(1, last)
    inflation = float(n * np.sum(squared**2) / squared.sum() ** 2)
    frequency = np.fft.rfftfreq(n, 1.0 / rate).astype(np.float64)
    return Spectrum(
        frequency=frequency[part],
        density=density[part],
        unit=f"{unit}^2/Hz",
        averages=float(len(traces)),
        inflation=inflation,
        limit=rate / 2.0,
    )


def _taper(n: int) -> FloatArray:
    """Cosine taper (Tukey) with `_TAPER` of the samples in both flanks together."""
    edge = max(1, int(_TAPER * n / 2))
    flank = 0.5 * (1.0 - np.cos(np.pi * (np.arange(edge) + 0.5) / edge))
    window = np.ones(n)
    window[:edge], window[-edge:] = flank, flank[::-1]
    return window


def from_curves(curves: CurveSet) -> Spectrum:
    """Spectrum of curves that recorded the free cantilever: deflection against time.

    Raises
    ------
    CalibrationFailed
        If they are not evenly sampled or hold nothing.
    """
    if not curves.n_curves:
        raise CalibrationFailed("the file has no curves")
    channel = curves.channel("deflection")
    if channel.unit not in ("V", "m"):
        raise InvalidInput(f"deflection is in V or m, not in {channel.unit or 'no unit'}")
    traces, steps = [], []
    for curve in range(curves.n_curves):
        steps.append(np.diff(curves.read("time", curve)))
        traces.append(curves.read("deflection", curve))
    all_steps = np.concatenate(steps)
    if not len(all_steps):
        raise CalibrationFailed("the curves have no samples")
    step = float(np.mean(all_steps))
    if not step > 0.0 or np.abs(all_steps - step).max() > 0.01 * step:
        raise CalibrationFailed("the samples are not evenly spaced in time")
    return from_traces(traces, 1.0 / step, channel.unit)
