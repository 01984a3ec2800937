"""Thickness: the distance from which on an interphase is felt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.statistics.intervals import FEW, mean_interval, sampling
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import (
    LEFT_OUT,
    Analysis,
    analysis_of,
    blocks,
    half_width,
    profile_variable,
    select,
    step,
)

#: Chance that noise alone passes for an interphase, per curve.
_FALSE = 0.002

#: Chances that a stretch of one window offers: means of overlapping windows differ.
_CHANCES = 4.0

#: Length over which a signal is averaged to be detected, in half-widths of the derivative.
_WINDOW = 2.0

#: Around the place of detection, the profile is fitted so far in and out, in windows.
_INWARD, _OUTWARD = 2.0, 1.0

#: Error of the onset over that of the force across the window, divided by the force's slope.
_PLATEAU = np.sqrt(2.0)

#: Outer part of the profiles in which noise is looked at.
_FAR = 1.0 / 3.0

#: Curves to which pairs of steps are fitted together.
_AT_ONCE = 32

#: A second step must take away so many variances of the noise to be one.
_SECOND = 15.0


def thickness(results: xr.Dataset | Analysis, direction: str | None = None) -> xr.Dataset:
    """Distance of the detectable onset of every curve.

    A signal is detected where the mean modulus over a window of two half-widths of the derivative
    stands out so far that noise alone does it in one curve of 500. How large
    the noise of such means is shows far from the electrode (in the outer third of the profiles,
    all curves together), so that correlated noise counts in full. The onset itself is where the
    step of the modulus lies that fits best there, widened as the derivative widens it; a second
    step farther in is taken along where the profile has one.

    Parameters
    ----------
    results : Dataset
        From `nrm_plugin.process`, with moduli.
    direction : str, optional
        Way of the ramp, where the results have both; by default the first.

    Returns
    -------
    Dataset
        Over ``curve``: ``thickness`` and ``thickness_stderr`` in m, nan where nothing is detected.
        Attributes: ``n_detected``, ``n_measured`` (curves with a profile), ``warnings``.

    Raises
    ------
    InvalidInput
        Without moduli in the results.
    """
    analysis = analysis_of(results, direction)
    return analysis.once("thickness", lambda: _thickness(analysis.results))


def _thickness(results: xr.Dataset) -> xr.Dataset:
    chosen = profile_variable(results, "modulus_magnitude")
    every = np.arange(results.sizes["curve"])
    depth = np.asarray(results["depth"].values, np.float64)

    def relative(some: slice) -> AnyArray:
        """Profiles of some curves in units of their noise."""
        values, noise = (read(results, every[some]) for read in (chosen.values, chosen.noise))
        with np.errstate(invalid="ignore", divide="ignore"):
            values /= noise
        values[~np.isfinite(values)] = np.nan
        return values

    shape = _Shape.of(results)
    onset, error, measured = np.full(len(every), np.nan), np.full(len(every), np.nan), 0
    far = []
    for some in blocks(every, len(depth)):
        profiles = relative(some)
        measured += int(np.isfinite(profiles).any(1).sum())
        far.append(_far(_window_means(profiles, shape.points)))
    sigma = _noise(np.concatenate(far)) if far else float("nan")
    if np.isfinite(sigma) and len(depth) >= 2 * shape.points:
        found = [_detected(relative(some), sigma, shape) for some in blocks(every, len(depth))]
        at, part = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        onset, error = _onsets(at, part, depth, sigma, shape)
    detected = int(np.isfinite(onset).sum())
    messages = []
    if detected < measured:
        messages.append(f"nothing is detected in {measured - detected} of {measured} curves")
    last = depth[-1] - half_width(results)
    cut = int(np.sum(onset > last))
    if cut:
        messages.append(f"{cut} curves feel something as far as profiles reach: they are thicker")
    attributes = {"units": "m"}
    return xr.Dataset(
        {
            "thickness": (
                "curve",
                onset,
                attributes | {"long_name": "distance of detectable onset"},
            ),
            "thickness_stderr": ("curve", error, attributes | {"long_name": "its standard error"}),
        },
        attrs={"n_measured": measured, "n_detected": detected, "warnings": "\n".join(messages)},
    )


def _detected(relative: AnyArray, sigma: float, shape: _Shape) -> tuple[IntArray, FloatArray]:
    """Outermost depth at which each curve is detected, or -1, and the profile around it.

    Profiles are in units of their noise; around the depth they begin `shape.inward` points below.
    """
    m = relative.shape[1]
    means = _window_means(relative, shape.points)
    chances = _CHANCES * max(m / shape.points, 1.0)
    strong = np.abs(means) ** 2 > 2.0 * sigma**2 * np.log(chances / _FALSE)
    at = np.where(strong.any(1), m - 1 - strong[:, ::-1].argmax(1), -1)
    part = np.full((len(at), shape.inward + shape.outward + 1), np.nan)
    some = np.flatnonzero(at >= 0)
    phase = np.exp(-1j * np.angle(means[some, at[some]]))
    index = at[some, None] + np.arange(-shape.inward, shape.outward + 1)
    around = relative[some[:, None], np.clip(index, 0, m - 1)]
    part[some] = np.where((index >= 0) & (index < m), np.real(around * phase[:, None]), np.nan)
    return at, part


def _onsets(
    at: IntArray, part: FloatArray, depth: FloatArray, sigma: float, shape: _Shape
) -> tuple[FloatArray, FloatArray]:
    """Onset of every curve and its error, m, from what `_detected` gives."""
    onset, error = np.full(len(at), np.nan), np.full(len(at), np.nan)
    for number in np.unique(at[at >= 0]):
        curves = np.flatnonzero(at == number)
        begin, end = max(0, number - shape.inward), min(len(depth), number + shape.outward + 1)
        inside = slice(begin - number + shape.inward, end - number + shape.inward)
        edge, height = shape.fit(part[curves, inside], depth[begin:end], depth[number], sigma)
        onset[curves] = edge
        # Both the plateau and where it ends are uncertain; steps are seen as wide ones.
        with np.errstate(invalid="ignore", divide="ignore"):
            plateau = _PLATEAU * shape.points * shape.spacing * sigma / height
        error[curves] = np.hypot(plateau, shape.width / 8.0)
    return onset, error


def _window_means(relative: AnyArray, points: int) -> AnyArray:
    """Mean over each depth and those next to it towards the electrode, as far as there are any."""
    finite = np.isfinite(relative)
    total = np.cumsum(np.where(finite, relative, 0.0), axis=1)
    count = np.cumsum(finite, axis=1)
    total[:, points:] = total[:, points:] - total[:, :-points]
    count[:, points:] = count[:, points:] - count[:, :-points]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = total / count
    means[(count * 4 < points) | ~finite] = np.nan
    # Means of fewer values are less sure.
    return np.asarray(means * np.sqrt(np.minimum(count / points, 1.0)))


def _far(means: AnyArray) -> AnyArray:
    """Windows' means far away."""
    far = means[:, int(means.shape[1] * (1.0 - _FAR)) :]
    return far[np.isfinite(far)]


def _noise(far: AnyArray) -> float:
    """Standard deviation of one part of the windows' means far away, nan without any."""
    if len(far) < 2:
        return float("nan")
    parts = np.concatenate([far.real, far.imag])
    return float(1.4826 * np.median(np.abs(parts - np.median(parts))))


@dataclass(frozen=True)
class _Shape:
    """Steps as the derivative shows them.

    Attributes
    ----------
    spacing, width : float
        Of the depths and half of the derivative's window, m.
    points : int
        Of the window of detection.
    """

    spacing: float
    width: float
    points: int

    @classmethod
    def of(cls, results: xr.Dataset) -> _Shape:
        """Steps in results."""
        spacing, width = step(results), half_width(results)
        return cls(spacing, width, max(2, round(_WINDOW * width / spacing)))

    @property
    def inward(self) -> int:
        """Points of the fit below that of detection."""
        return round(_INWARD * self.points)

    @property
    def outward(self) -> int:
        """Points above it."""
        return round(_OUTWARD * self.points)

    def step(self, depth: FloatArray, at: FloatArray) -> FloatArray:
        """Unit steps that end at some distances: (at, depth)."""
        u = np.clip((at[:, None] - depth) / self.width, -1.0, 1.0)
        # Integral of the biweight 15/16 (1 - u^2)^2.
        return np.asarray(0.5 + 15.0 / 16.0 * (u - 2.0 * u**3 / 3.0 + u**5 / 5.0))

    def fit(
        self, part: FloatArray, depth: FloatArray, detected: float, sigma: float
    ) -> tuple[FloatArray, FloatArray]:
        """Where the outermost step of each curve lies, m, and how high it is."""
        edge, height = np.full(len(part), np.nan), np.full(len(part), np.nan)
        patterns, which = np.unique(np.isfinite(part), axis=0, return_inverse=True)
        reach = self.points * self.spacing
        outer = np.arange(detected - 1.5 * reach, detected + self.width, self.spacing / 4.0)
        outer = outer[outer > 0.0]
        for k in range(len(patterns)):
            rows = np.flatnonzero(which.reshape(-1) == k)
            y, z = part[np.ix_(rows, patterns[k])], depth[patterns[k]]
            # A step far below the first value cannot be seen.
            tried = outer[outer > z[0] - 0.5 * self.width]
            if len(z) < 3 or not len(tried):
                continue
            edge[rows], height[rows] = self._fit(y, z, tried, reach, sigma)
        return edge, height

    def _fit(
        self, y: FloatArray, z: FloatArray, tried: FloatArray, reach: float, sigma: float
    ) -> tuple[FloatArray, FloatArray]:
        steps = self.step(z, tried)
        square = np.einsum("ij,ij->i", steps, steps)
        along = y @ steps.T
        gain = np.where(along > 0.0, along**2 / square, -np.inf)
        best = gain.argmax(1)
        rows = np.arange(len(y))
        edge, height, most = tried[best], (along / square)[rows, best], gain[rows, best]
        first, second = np.nonzero(tried[:, None] - tried >= reach / 2.0)
        if not len(first):
            return edge, height
        cross = np.einsum("ij,ij->i", steps[first], steps[second])
        determinant = square[first] * square[second] - cross**2
        sound = determinant > 1e-3 * square[first] * square[second]
        first, second, cross, determinant = (a[sound] for a in (first, second, cross, determinant))
        outer, both = np.empty(len(y)), np.empty(len(y))
        pair = np.empty(len(y), np.int64)
        for begin in range(0, len(y), _AT_ONCE):
            part = slice(begin, begin + _AT_ONCE)
            a, b = along[part, first], along[part, second]
            outers = (square[second] * a - cross * b) / determinant
            inners = (square[first] * b - cross * a) / determinant
            gains = np.where(outers > 0.0, outers * a + inners * b, -np.inf)
            pair[part] = gains.argmax(1)
            rows = np.arange(len(gains))
            outer[part], both[part] = outers[rows, pair[part]], gains[rows, pair[part]]
        # Noise of neighbouring depths is in common: one variance counts for a whole window.
        worth = _SECOND * sigma**2 * self.points
        better = both > most + worth
        edge = np.where(better, tried[first[pair]], edge)
        return edge, np.where(better, outer, height)


def region_thickness(
    results: xr.Dataset | Analysis,
    regions: Iterable[Region],
    level: float = 0.95,
    direction: str | None = None,
    *,
    quality: Sequence[str] = LEFT_OUT,
) -> xr.Dataset:
    """Mean thickness of every region with its confidence interval.

    Of the curves in which something is detected; how many that are stands beside it.

    Parameters
    ----------
    results : Dataset
    regions : Regions, or regions
    level : float
    direction : str, optional
    quality : sequence of str
        Curves with one of these flags are left out.

    Returns
    -------
    Dataset
        Over ``region`` (labels): ``mean``, ``low``, ``high``, ``stderr`` and ``spread`` (standard
        deviation of curves) in m; ``n`` curves, ``n_detected`` among them, ``n_effective``.
    """
    analysis = analysis_of(results, direction)
    onset = thickness(analysis)["thickness"].values
    regions = list(regions)
    names = ("mean", "low", "high", "stderr", "spread", "n", "n_detected", "n_effective")
    table = np.full((len(regions), len(names)), np.nan)
    messages = []
    for row, region in enumerate(regions):
        numbers, _ = select(analysis.results, region.curves, quality)
        detected = numbers[np.isfinite(onset[numbers])]
        table[row, -3:] = len(numbers), len(detected), 0.0
        if not len(detected):
            messages.append(f"{region.label}: nothing is detected in any of {len(numbers)} curves")
            continue
        sample = sampling(analysis, detected)
        result = mean_interval(onset[detected][:, None], sample, level=level)
        spread = onset[detected].std(ddof=1) if len(detected) > 1 else np.nan
        table[row] = (
            result.mean[0],
            result.low[0],
            result.high[0],
            result.stderr[0],
            spread,
            len(numbers),
            len(detected),
            result.n_effective[0],
        )
        if 10 * len(detected) < 9 * len(numbers):
            messages.append(
                f"{region.label}: something is detected in {len(detected)} of {len(numbers)} "
                "curves, thin ones are missing from the mean"
            )
        if result.n_effective[0] < FEW:
            messages.append(f"{region.label}: fewer than {FEW:.0f} effective places")
    units = dict.fromkeys(names[:5], "m")
    kinds = dict.fromkeys(names[5:7], int)
    return xr.Dataset(
        {
            name: ("region", column.astype(kinds.get(name, float)), {"units": units.get(name, "")})
            for name, column in zip(names, table.T, strict=True)
        },
        {"region": [region.label for region in regions]},
        {"level": level, "warnings": "\n".join(messages)},
    )
