"""A harmonic oscillator over white noise, fitted to a power spectral density."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import median_filter
from scipy.optimize import least_squares
from scipy.special import chdtrc, gammainccinv

from nrm_plugin.calibration import CalibrationFailed
from nrm_plugin.calibration.peaks import Peak, broad_peaks
from nrm_plugin.calibration.pooling import widening
from nrm_plugin.calibration.spectrum import Spectrum
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput

#: Area, resonance, quality factor and background.
Solution = tuple[float, float, float, float]

#: Points of a spectrum per full width of the peak to which it may be averaged.
_PER_WIDTH = 20

#: Points to which a spectrum is averaged where the peak is looked for, and twice the gain of the
#: logarithm of the likelihood over white noise that a peak needs.
_MOST_POINTS, _STANDS_OUT = 1000, 40.0

#: Part of the fit that may be off, averaged over a sixteenth of the window, before it is refused.
_MISFIT = 0.2


@dataclass(frozen=True, eq=False, kw_only=True)
class Oscillator:
    """A fitted oscillator; powers in the square of the spectrum's signal.

    Attributes
    ----------
    power, power_stderr : float
        Mean square of the oscillator's motion, the area under its peak, in V^2 or m^2.
    frequency, frequency_stderr : float
        Of the undamped oscillator, Hz.
    quality, quality_stderr : float
    background : float
        White noise, in V^2/Hz or m^2/Hz.
    window : (float, float)
        Frequencies in Hz that were fitted.
    points : int
    notes : tuple of str
    """

    power: float
    power_stderr: float
    frequency: float
    frequency_stderr: float
    quality: float
    quality_stderr: float
    background: float
    window: tuple[float, float]
    points: int
    notes: tuple[str, ...]

    def density(self, frequency: FloatArray) -> FloatArray:
        """One-sided power spectral density at frequencies in Hz."""
        shape = lorentzian(frequency, self.frequency, self.quality)
        return np.asarray(self.power * shape + self.background)


def lorentzian(frequency: FloatArray, resonance: float, quality: float) -> FloatArray:
    """One-sided spectrum of an oscillator in a white force, with an area of 1, in 1/Hz.

    ``2 f0**3 / (pi Q) / ((f**2 - f0**2)**2 + (f f0 / Q)**2)``.
    """
    f2, r2 = frequency**2, resonance**2
    bottom = (f2 - r2) ** 2 + f2 * r2 / quality**2
    return np.asarray(2.0 * resonance**3 / (np.pi * quality) / bottom)


def fit_oscillator(
    spectrum: Spectrum, *, expected: float | None = None, band: tuple[float, float] | None = None
) -> Oscillator:
    """Fit area, resonance, quality factor and background by maximum likelihood.

    Averaged periodograms are gamma-distributed about the true spectrum with a spread in
    proportion to it (Whittle, Ark. Mat. 2, 423 (1953)); the likelihood of that is maximised.
    Least squares would weigh the peak's noisy top as if it were as sure as its flanks. The
    standard errors come from the Fisher information with the scatter that the spectrum has,
    correlation of neighbours included.

    Parameters
    ----------
    spectrum : Spectrum
    expected : float, optional
        Rough resonance in Hz.
    band : (float, float), optional
        Frequencies in Hz to fit; by default ten widths of the peak to either side, between a
        fifth and three times the resonance.

    Raises
    ------
    CalibrationFailed
        If there is no peak, or it is not resolved, cut off, near half the sampling rate, or not
        that of one oscillator.
    """
    positive = spectrum.density > 0.0
    if positive.sum() < 30:
        raise CalibrationFailed("the spectrum is empty: fewer than 30 values above 0")
    if band is not None:
        if not 0.0 <= band[0] < band[1]:
            raise InvalidInput(f"a band goes from a lower to a higher frequency, not {band}")
        spectrum = spectrum.within(*band)
        if len(spectrum.frequency) < 30:
            raise CalibrationFailed("the band has fewer than 30 points of the spectrum")
    unit = float(spectrum.density[spectrum.density > 0.0].mean())
    if not (np.isfinite(unit) and unit > 1e-290):
        raise CalibrationFailed(f"a density of {unit:g} is no thermal noise: check the units")
    fitted = _fitted(replace(spectrum, density=spectrum.density / unit), expected, band)
    return replace(
        fitted,
        power=fitted.power * unit,
        power_stderr=fitted.power_stderr * unit,
        background=fitted.background * unit,
    )


def _fitted(
    spectrum: Spectrum, expected: float | None, band: tuple[float, float] | None
) -> Oscillator:
    start = _start(spectrum, _peaks(spectrum, expected))
    spectrum, lines = _without_lines(spectrum, start)
    solution = start
    _, resonance, quality, _ = solution
    for _ in range(3):
        width = resonance / quality
        part = spectrum if band is not None else _around(spectrum, resonance, width)
        part = part.blocked(max(1, int(width / _PER_WIDTH / spectrum.spacing)))
        if len(part.frequency) < 12:
            raise CalibrationFailed(
                f"the peak at {resonance:.4g} Hz is not resolved: {len(part.frequency)} points in "
                "the window around it"
            )
        solution = _maximise(part, solution)
        moved = abs(solution[1] / resonance - 1.0) + abs(np.log(solution[2] / quality))
        _, resonance, quality, _ = solution
        if not _stands_out(part, solution):
            raise CalibrationFailed(_hidden(expected))
        _check(spectrum, part, resonance, resonance / quality, expected)
        if moved < 0.2:
            break
    return _with_errors(part, solution, spectrum.spacing, lines)


def _without_lines(spectrum: Spectrum, solution: Solution) -> tuple[Spectrum, int]:
    """Leave out single points in the peak's surroundings that noise cannot explain: mains, hum."""
    ratio = spectrum.density / _density(spectrum.frequency, solution)
    width = solution[1] / solution[2]
    near = np.abs(spectrum.frequency - solution[1]) < 10.0 * width
    if near.sum() < 12:  # cut off by the band's end, as what follows will find
        return spectrum, 0
    lines = near & (ratio > 2.0 * _line_height(spectrum, ratio[near]))
    if not lines.any() or lines.sum() > 0.05 * near.sum():
        return spectrum, 0
    keep = ~lines
    return replace(
        spectrum, frequency=spectrum.frequency[keep], density=spectrum.density[keep]
    ), int(lines.sum())


def _peaks(spectrum: Spectrum, expected: float | None) -> list[Peak]:
    density = median_filter(spectrum.density, 5, mode="nearest")  # without single lines
    within = (0.0, np.inf) if expected is None else (expected * 2.0 / 3.0, expected * 4.0 / 3.0)
    peaks = broad_peaks(spectrum.frequency, density, within)
    if not peaks:
        raise CalibrationFailed(_hidden(expected))
    return peaks


def _hidden(expected: float | None) -> str:
    where = "" if expected is None else f" within a third of {expected:g} Hz"
    return (
        f"no resonance stands out of the spectrum{where}: it is outside the band, or hidden in "
        "noise, or there are too few averages"
    )


def _start(spectrum: Spectrum, candidates: list[Peak]) -> Solution:
    """Return the likeliest of several peaks, fitted to one and the same part."""
    parts = [_around(spectrum, *one) for one in candidates]
    low = min(float(p.frequency[0]) for p in parts)
    high = max(float(p.frequency[-1]) for p in parts)
    narrow = min(width for _, width in candidates)
    common = replace(spectrum, density=median_filter(spectrum.density, 5, mode="nearest")).within(
        low, high
    )
    least = len(common.frequency) // _MOST_POINTS + 1
    common = common.blocked(max(least, int(narrow / _PER_WIDTH / spectrum.spacing)))
    if len(common.frequency) < 12:
        raise CalibrationFailed(
            f"the peak at {candidates[0][0]:.4g} Hz is not resolved: {len(common.frequency)} "
            "points in the window around it"
        )
    fits = [
        _with_powers(common, resonance, factor * resonance / width)
        for resonance, width in candidates
        for factor in (0.4, 1.0, 2.5)
    ]
    return min(fits, key=lambda f: _deviance(common.density, _density(common.frequency, f)))


def _with_powers(part: Spectrum, resonance: float, quality: float) -> Solution:
    """Area and background that fit best for a resonance and quality factor, roughly."""
    quality = max(quality, 0.7)
    shape = lorentzian(part.frequency, resonance, quality)
    highest, d = float(shape.max()), part.density
    shape = shape / highest
    least = 1e-3 * float(d.mean())
    top = floor = float(d.mean())
    for _ in range(4):
        weight = (top * shape + floor) ** -2.0
        w, ws, wss = float(weight.sum()), float(weight @ shape), float(weight @ shape**2)
        wd, wsd = float(weight @ d), float(weight @ (shape * d))
        determinant = max(w * wss - ws * ws, 1e-12 * w * wss)
        top = max((w * wsd - ws * wd) / determinant, least)
        floor = max((wss * wd - ws * wsd) / determinant, least)
    return top / highest, resonance, quality, floor


def _density(frequency: FloatArray, solution: Solution) -> FloatArray:
    power, resonance, quality, background = solution
    return np.asarray(power * lorentzian(frequency, resonance, quality) + background)


def _deviance(density: FloatArray, model: FloatArray) -> float:
    ratio = density[density > 0.0] / model[density > 0.0]
    return 2.0 * float(np.sum(ratio - 1.0 - np.log(ratio)))


def _stands_out(part: Spectrum, solution: Solution) -> bool:
    """Whether an oscillator explains the spectrum much better than white noise alone."""
    model = _density(part.frequency, solution)
    flat = np.full_like(model, part.density[part.density > 0.0].mean())
    gain = _deviance(part.density, flat) - _deviance(part.density, model)
    return gain > _STANDS_OUT * _scatter(part, part.density / model)


def _around(spectrum: Spectrum, resonance: float, width: float) -> Spectrum:
    low = max(resonance / 5.0, resonance - 10.0 * width)
    high = min(3.0 * resonance, resonance + 10.0 * width)
    return spectrum.within(low, high)


def _check(
    spectrum: Spectrum, part: Spectrum, resonance: float, width: float, expected: float | None
) -> None:
    low, high = float(part.frequency[0]), float(part.frequency[-1])
    if not low < resonance < high:
        raise CalibrationFailed(
            f"the resonance is outside the band: the best fit lies at {resonance:.4g} Hz, the "
            f"spectrum that was fitted goes from {low:.4g} to {high:.4g} Hz"
        )
    if expected is not None and abs(resonance / expected - 1.0) > 1.0 / 3.0:
        raise CalibrationFailed(f"the peak at {resonance:.4g} Hz is not the one at {expected:g} Hz")
    if resonance > 0.5 * spectrum.limit:
        raise CalibrationFailed(
            f"aliasing: the peak at {resonance:.4g} Hz is above a quarter of the sampling rate; "
            "sample faster"
        )
    if resonance + 2.0 * width > spectrum.frequency[-1]:
        raise CalibrationFailed(
            f"the peak at {resonance:.4g} Hz is cut off by the end of the spectrum at "
            f"{spectrum.frequency[-1]:.4g} Hz: record a wider band"
        )
    if width < 2.0 * spectrum.spacing:
        raise CalibrationFailed(
            f"the peak is not resolved: its width of {width:.3g} Hz is less than two steps of the "
            f"spectrum ({spectrum.spacing:.3g} Hz); record longer traces"
        )
    if resonance / width < 0.6:
        raise CalibrationFailed("the motion is overdamped: there is no resonance to fit")


def _model(theta: FloatArray, f: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Spectrum and its derivatives, shape (n, 4), by ln P, ln f0, ln Q and the background."""
    power, resonance, quality = np.exp(theta[:3])
    peak = power * lorentzian(f, resonance, quality)
    f2, r2 = f**2, resonance**2
    damp = f2 * r2 / quality**2
    bottom = (f2 - r2) ** 2 + damp
    by_resonance = 3.0 - (-4.0 * (f2 - r2) * r2 + 2.0 * damp) / bottom
    by_quality = -1.0 + 2.0 * damp / bottom
    slopes = np.stack([peak, peak * by_resonance, peak * by_quality, np.ones_like(f)], axis=1)
    return peak + theta[3], slopes


def _maximise(part: Spectrum, start: Solution) -> Solution:
    """Maximum of the gamma likelihood, as the least sum of squared deviance residuals."""
    use = part.density > 0.0
    f, d = part.frequency[use], part.density[use]
    unit = float(np.median(d))
    floor = start[3] / unit

    def residuals(theta: FloatArray) -> FloatArray:
        ratio = d / unit / np.maximum(_model(theta, f)[0], 1e-300)
        deviance = ratio - 1.0 - np.log(ratio)
        return np.asarray(np.sign(ratio - 1.0) * np.sqrt(2.0 * np.maximum(deviance, 0.0)))

    def slopes(theta: FloatArray) -> FloatArray:
        values, by = _model(theta, f)
        ratio = d / unit / np.maximum(values, 1e-300)
        res = residuals(theta)
        with np.errstate(invalid="ignore", divide="ignore"):
            per_log = np.where(np.abs(res) > 1e-6, (1.0 - ratio) / res, -1.0)
        return np.asarray(per_log[:, None] * by / np.maximum(values, 1e-300)[:, None])

    at = np.array(
        [np.clip(np.log(start[0] / unit), -199.0, 199.0), np.log(start[1]), np.log(start[2]), floor]
    )
    lower = [-200.0, np.log(f[0] / 3.0), np.log(0.3), 0.0]
    upper = [200.0, np.log(f[-1] * 3.0), np.log(1e7), np.inf]
    fit = least_squares(
        residuals,
        at,
        slopes,
        bounds=(lower, upper),
        x_scale=[0.1, 0.02, 0.1, max(floor, 1e-6)],
        ftol=1e-6,
        xtol=1e-8,
        gtol=1e-8,
        max_nfev=100,
    )
    power, resonance, quality = (float(v) for v in np.exp(fit.x[:3]))
    return power * unit, resonance, quality, float(fit.x[3] * unit)


def _with_errors(part: Spectrum, solution: Solution, spacing: float, lines: int) -> Oscillator:
    power, resonance, quality, background = solution
    f, d = part.frequency, part.density
    notes = [f"fitted from {f[0]:.4g} to {f[-1]:.4g} Hz, {len(f)} points"]
    if lines:
        notes.append(f"{lines} points that stand out of the spectrum were left out")
    values, slopes = _model(np.array([*np.log(solution[:3]), background]), f)
    ratio = d / values
    by_log = slopes / values[:, None]
    by_log[:, 3] *= float(np.median(values))  # of one size with the others
    scatter = _scatter(part, ratio)
    covariance = scatter * np.linalg.pinv(by_log.T @ by_log)
    errors = np.sqrt(np.diag(covariance))
    _one_oscillator(f, ratio)
    if resonance / quality < 5.0 * spacing:
        notes.append(
            "the peak is only a few steps of the spectrum wide: Q is too low, k is less affected"
        )
    return Oscillator(
        power=power,
        power_stderr=power * float(errors[0]),
        frequency=resonance,
        frequency_stderr=resonance * float(errors[1]),
        quality=quality,
        quality_stderr=quality * float(errors[2]),
        background=background,
        window=(float(f[0]), float(f[-1])),
        points=len(f),
        notes=tuple(notes),
    )


def _line_height(part: Spectrum, ratio: FloatArray) -> float:
    """Height over the fit that noise reaches once in a thousand spectra."""
    shape = part.averages
    if not np.isfinite(shape):
        spread = 1.4826 * float(np.median(np.abs(ratio - np.median(ratio))))
        shape = max(1.0, 1.0 / max(spread, 1e-3) ** 2)
    return float(gammainccinv(shape, 1e-3 / len(ratio)) / shape)


def _scatter(part: Spectrum, ratio: FloatArray) -> float:
    """Variance of a point about the fit, times what its correlation with neighbours adds."""
    n = len(ratio)
    off = ratio - 1.0
    inflation = float(off @ off) / (n - 4)
    power = max(float(off @ off), 1e-300)
    first = float(off[1:] @ off[:-1]) / power  # windows make neighbours alike: counted as it comes
    inflation *= 1.0 + 2.0 * max(first, -0.1)
    for lag in (2, 3):
        r = float(off[lag:] @ off[:-lag]) / power
        if r > 2.5 / np.sqrt(n):
            inflation *= 1.0 + 2.0 * r
    if not np.isfinite(part.averages):
        # Found from about n / 3 independent numbers.
        return inflation * widening(n / 3.0) ** 2
    known = part.inflation / part.averages
    # The standard deviation of a variance of gamma-distributed values.
    spread = np.sqrt((2.0 + 6.0 / part.averages) / n)
    return known if inflation < known * (1.0 + 3.0 * spread) else inflation


def _one_oscillator(f: FloatArray, ratio: FloatArray) -> None:
    """Raise if the spectrum differs from the fit over more than single points."""
    blocks = np.array_split(np.arange(len(f)), min(16, len(f) // 6))
    means = np.array([ratio[b].mean() - 1.0 for b in blocks])
    sizes = np.array([len(b) for b in blocks])
    # Scatter of points that are far enough apart for a window, and too close for a misfit.
    near, far = (float(np.mean((ratio[n:] - ratio[:-n]) ** 2)) / 2.0 for n in (1, 4))
    scatter = far * (1.0 + 2.0 * max(0.0, 1.0 - near / far))
    misfit = float(np.sum(means**2 * sizes / scatter))
    worst = int(np.argmax(np.abs(means)))
    if chdtrc(len(blocks) - 4, misfit) < 1e-6 and abs(means[worst]) > _MISFIT:
        raise CalibrationFailed(
            "the spectrum is not that of one oscillator over white noise: near "
            f"{f[blocks[worst]].mean():.4g} Hz it differs from the fit by {means[worst]:.0%}. "
            "Give a band without other peaks"
        )
