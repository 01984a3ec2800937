"""Densities of the modulus over depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
import xarray as xr
from numpy.typing import NDArray

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.bandwidth import (
    CELLS,
    linear_counts,
    plug_in,
    plug_in_of,
    smoothed,
    without_binning,
)
from nrm_plugin.statistics.intervals import mean_interval, sampling
from nrm_plugin.statistics.selection import (
    LEFT_OUT,
    Analysis,
    ProfileVariable,
    analysis_of,
    blocks,
    half_width,
    profile_variable,
    select,
    step,
    words_of_excluded,
)

#: Signal over noise below which a value is weak.
WEAK = 3.0

#: Mean magnitude of pure noise per standard deviation of one part (Rayleigh).
FLOOR = float(np.sqrt(np.pi / 2.0))

#: Cells within one of the grid, odd so that their middle one is its centre.
_FINE = 3

#: Part of the values that may lie beyond the grid, at either end.
_BEYOND = 5e-4

#: The grid goes on for so many bandwidths.
_MARGIN = 5.0

#: Bandwidths below this many fine cells are as good as this one.
_NARROWEST = 0.8

#: Parts of a kernel below this one of its peak are nothing; no exponent is smaller.
_NOTHING, _FAR = 1e-7, -40.0

#: Values from which range and bandwidth are found.
_ENOUGH = 100_000


@dataclass(frozen=True, kw_only=True)
class Density:
    """Density of a variable over depth, on a grid.

    Attributes
    ----------
    depth : (m,) array
        In m.
    value : (k,) array
        In `unit`; equally spaced, or equally spaced in its logarithm.
    values : (m, k) array
        Density. Joint: its integral over depth and value is 1. Conditional: that over value is 1
        at every depth (nan where there are no data). Per `unit` or, with `log`, per decade.
    bandwidth : (float, float)
        In depth (m) and value (`unit`, or decades).
    floor : (m,) array
        What pure noise shows on average: 1.25 times the standard deviation of one part. nan for
        a variable that is no magnitude.
    hatched : (m, k) array of bool
        Where most of the density comes from values below 3 times their noise.
    n : int
        Curves in it.
    n_effective : float
        Independent places that tell as much: the lower quartile over distances where most values
        are not weak (or over all, where none is). The bandwidth is that of all curves.
    n_values, n_weak, n_below : int
        Values in it, how many of them are weak, and how many are below the noise floor.
    valid : float
        Depth in m from which on most curves have values.
    unit, meaning, variable : str
    conditional, log : bool
    warnings : tuple of str
    """

    depth: FloatArray
    value: FloatArray
    values: FloatArray
    bandwidth: tuple[float, float]
    floor: FloatArray
    hatched: NDArray[np.bool_]
    n: int
    n_values: int
    n_weak: int
    n_below: int
    n_effective: float
    valid: float
    unit: str
    meaning: str
    variable: str
    conditional: bool = False
    log: bool = False
    warnings: tuple[str, ...] = ()


def density(
    results: xr.Dataset | Analysis,
    curves: Sequence[int] | AnyArray | None = None,
    variable: str = "shear_modulus_magnitude",
    *,
    conditional: bool = False,
    log: bool = False,
    size: tuple[int, int] = (256, 256),
    bandwidth: tuple[float, float] | None = None,
    reflect: bool = True,
    direction: str | None = None,
    quality: Sequence[str] = LEFT_OUT,
) -> Density:
    """Density of a variable over depth (a two-dimensional kernel density estimate).

    Every curve has one value at each distance, so that a tip that dwells somewhere does not count
    more there. The Gaussian kernel is reflected where each curve begins and ends to have values,
    and at 0 for magnitudes: no mass is lost over an edge. Values are shared by the two nearest of
    fine cells and smoothed there, with the cells' variance taken from the kernel's; over depth the
    sum is exact.

    Parameters
    ----------
    results : Dataset
        From `nrm_plugin.process`.
    curves : array of int or bool, optional
        By default all.
    variable : str
        As for `mean_profile`; magnitudes are those of single curves here.
    conditional : bool
        Give the density of the value at each depth instead of the joint one.
    log : bool
        Estimate the density of the logarithm, per decade.
    size : (int, int)
        Of the grid, depth and value.
    bandwidth : (float, float), optional
        In depth (m) and value (unit or decades). By default plug-in rules of the margins
        (`bandwidth.plug_in`), times ``n**(1/5 - 1/6)`` for two dimensions, where values within one
        window of the derivative count once; over depth, where all curves have values everywhere,
        the margin is that of values that are not weak, and the bandwidth at least a step of the
        depth and at most the half-width of the derivative.
    reflect : bool
        Whether kernels are reflected at the edges.
    direction : str, optional
    quality : sequence of str
        Curves with one of these flags are left out.

    Raises
    ------
    InvalidInput
        For an unknown variable, curve or flag, a size or bandwidth that is none, or the logarithm
        of a variable that can be negative.
    """
    analysis = analysis_of(results, direction)
    results = analysis.results
    chosen = profile_variable(results, variable)
    if log and not chosen.magnitude:
        raise InvalidInput(f"{variable} can be negative and has no logarithm: take a magnitude")
    _check(size, bandwidth)
    numbers, left_out = select(results, curves, quality)
    messages = [f"{left_out} curves are left out for their flags"] if left_out else []
    messages += words_of_excluded(results, curves)
    depth = np.asarray(results["depth"].values, np.float64)
    read = _read(results, chosen, numbers, log)
    values, weak, first, last = read.values, read.weak, read.first, read.last
    n = int(read.count.sum())
    if not n:
        messages.append("there are no values")
    spacing = float(np.diff(depth).min()) if len(depth) > 1 else 1e-9
    if bandwidth is None:
        bandwidth = _bandwidths(read, depth, spacing, half_width(results))
    bounded = chosen.magnitude and not log and reflect
    low, high = _range(_some(values), bandwidth[1], bounded)
    edges = depth[0] - spacing / 2, depth[-1] + spacing / 2
    if n:
        edges = depth[first.min()] - spacing / 2, depth[last.max()] + spacing / 2
    grid = _centres(*edges, size[0])
    value = _centres(low, high, size[1])
    both = np.zeros((2, size[0], size[1] * _FINE))  # all values, and those that are weak
    cell = (high - low) / (size[1] * _FINE)
    sigma = without_binning(max(bandwidth[1], _NARROWEST * cell), cell)
    pairs = np.unique((first * len(depth) + last)[last >= first])
    for a, b in zip(*np.divmod(pairs, len(depth)), strict=True):
        some = np.flatnonzero((first == a) & (last == b))
        part = slice(a, b + 1)
        kernel = _kernel(
            grid, depth[part], bandwidth[0], depth[a] - spacing / 2, depth[b] + spacing / 2, reflect
        )
        counts = np.zeros((2, b + 1 - a, size[1] * _FINE))
        for block in blocks(some, b + 1 - a, times=4):
            rows = some[block]
            counts += linear_counts(
                values[rows, part], low, cell, counts.shape[2], weak[rows, part]
            )
        for sums, table in zip(both, counts, strict=True):
            sums += kernel @ table
    total, weak_part = smoothed(both, sigma)[:, :, _FINE // 2 :: _FINE]
    scale = max(n, 1) * cell
    with np.errstate(invalid="ignore", divide="ignore"):
        hatched = weak_part > 0.5 * total
        scaled = total / scale
        if conditional:
            margin = total.sum(1, keepdims=True) * (value[1] - value[0])
            scaled = total / np.where(margin > 0, margin, np.nan)
    floor = np.full(len(depth), np.nan)
    if chosen.magnitude:
        floor = FLOOR * np.sqrt(read.noise_square)
    return Density(
        depth=grid,
        value=10.0**value if log else value,
        values=scaled,
        bandwidth=bandwidth,
        floor=np.interp(grid, depth, floor),
        hatched=hatched,
        n=len(numbers),
        n_values=n,
        n_weak=int(read.count.sum() - read.strong.sum()),
        n_below=read.below,
        n_effective=_effective(analysis, chosen, numbers, 2 * read.strong > read.count),
        valid=float(np.median(depth[first[last >= first]])) if n else float("nan"),
        unit=chosen.unit,
        meaning=chosen.meaning,
        variable=variable,
        conditional=conditional,
        log=log,
        warnings=tuple(messages),
    )


def _check(size: tuple[int, int], bandwidth: tuple[float, float] | None) -> None:
    if min(size) < 8 or max(size) > 4096:
        raise InvalidInput("size is (depth, value), each from 8 to 4096 cells")
    if bandwidth is not None and not (np.isfinite(bandwidth).all() and min(bandwidth) > 0):
        raise InvalidInput("a bandwidth is (depth in m, value), both positive")


@dataclass(frozen=True, kw_only=True)
class _Values:
    """Values of curves, and what is told by looking at them once.

    Attributes
    ----------
    values, weak : (n, m) arrays
        Values, or their logarithms; whether they are below 3 times their noise.
    first, last : (n,) arrays of int
        First and last depth with a value; first after last where there is none.
    count, strong : (m,) arrays of int
        Values, and how many of them are not weak.
    noise_square : (m,) array
        Mean squared noise, nan where there is none.
    below : int
        Values below the noise floor; 0 for what is no magnitude.
    """

    values: FloatArray
    weak: NDArray[np.bool_]
    first: IntArray
    last: IntArray
    count: IntArray
    strong: IntArray
    noise_square: FloatArray
    below: int


def _read(results: xr.Dataset, chosen: ProfileVariable, curves: IntArray, log: bool) -> _Values:
    """Read values and noise, some curves at a time."""
    n, m = len(curves), results.sizes["depth"]
    values, weak = np.empty((n, m)), np.empty((n, m), bool)
    first, last = np.zeros(n, np.int64), np.zeros(n, np.int64)
    count, strong, noisy, square = (np.zeros(m, kind) for kind in (int, int, int, float))
    below = 0
    for some in blocks(curves, m):
        sizes = chosen.sizes(results, curves[some])
        noise_square = chosen.noise_square(results, curves[some])
        with np.errstate(invalid="ignore", divide="ignore"):
            weak[some] = np.square(sizes) < WEAK**2 * noise_square
            values[some] = np.log10(sizes) if log else sizes
            if chosen.magnitude:
                below += int((np.square(sizes) < FLOOR**2 * noise_square).sum())
        finite = np.isfinite(values[some])
        first[some], last[some] = _ends(finite)
        count += finite.sum(0)
        strong += (finite & ~weak[some]).sum(0)
        known = np.isfinite(noise_square)
        noisy += known.sum(0)
        square += np.where(known, noise_square, 0.0).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _Values(
            values=values,
            weak=weak,
            first=first,
            last=last,
            count=count,
            strong=strong,
            noise_square=square / noisy,
            below=below,
        )


def _effective(
    analysis: Analysis, chosen: ProfileVariable, curves: IntArray, strong: AnyArray
) -> float:
    """Lower quartile of the effective number of curves, where there is more than noise."""
    results = analysis.results
    if not len(curves):
        return 0.0
    every = max(1, round(half_width(results) / step(results)))
    depths = np.arange(results.sizes["depth"])[::every]
    values = chosen.stored(results.isel(depth=depths), curves)
    effective = mean_interval(values, sampling(analysis, curves), neighbours=5).n_effective
    strong = strong[depths] & (effective > 0)
    shown = effective[strong if strong.any() else effective > 0]
    return float(np.quantile(shown, 0.25)) if len(shown) else 0.0


def _centres(low: float, high: float, count: int) -> FloatArray:
    return np.asarray(low + (high - low) * (np.arange(count) + 0.5) / count)


def _ends(finite: NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """First and last depth with a value, by curve; first after last where there is none."""
    first = finite.argmax(1)
    last = finite.shape[1] - 1 - finite[:, ::-1].argmax(1)
    return first, np.where(finite.any(1), last, first - 1)


def _some(values: FloatArray, besides: AnyArray | None = None) -> FloatArray:
    """Values of so many curves that one sees how they are spread, without some of them."""
    every = max(1, values.size // _ENOUGH)
    shown = np.isfinite(values[::every])
    if besides is not None:
        shown &= ~besides[::every]
    return np.asarray(values[::every][shown])


def _range(values: FloatArray, bandwidth: float, bounded: bool) -> tuple[float, float]:
    """Ends of the grid: nearly all values, and as far again as kernels reach."""
    if not len(values):
        return 0.0, 1.0
    low, high = np.quantile(values, [_BEYOND, 1.0 - _BEYOND])
    low, high = float(low) - _MARGIN * bandwidth, float(high) + _MARGIN * bandwidth
    return (0.0, high) if bounded else (low, high)


def _bandwidths(
    read: _Values, depth: FloatArray, step: float, window: float
) -> tuple[float, float]:
    """Plug-in bandwidths in depth and value, see `density`."""
    if not read.count.any():
        return step, 1.0
    curves = len(read.values)
    per_curve = step * read.count.sum() / curves / (2.0 * window)
    n = curves * max(per_curve, 1.0)
    to_plane = n ** (1.0 / 5.0 - 1.0 / 6.0)
    in_depth = plug_in(read.strong, step, n) * to_plane
    in_depth = window if not np.isfinite(in_depth) else in_depth
    # Noise far from the electrode is narrow: a bandwidth made for it leaves stripes elsewhere.
    some = _some(read.values, read.weak if 2 * read.strong.sum() > curves else None)
    low, high = np.quantile(some, [_BEYOND, 1.0 - _BEYOND])
    cell = (high - low) / CELLS
    if cell <= 0.0:  # all the same
        return float(np.clip(in_depth, step, max(window, step))), float(abs(high) * 0.01 or 1.0)
    in_value = plug_in_of(some, low, high, n) * to_plane
    return float(np.clip(in_depth, step, max(window, step))), max(in_value, cell)


def _kernel(
    grid: FloatArray, depth: FloatArray, bandwidth: float, low: float, high: float, reflect: bool
) -> scipy.sparse.csr_array:
    """Kernels at all depths on the grid; between `low` and `high` alone where they reflect.

    A cell of the grid through which a boundary runs has the part that lies inside.
    """
    norm = bandwidth * np.sqrt(2.0 * np.pi)

    def gaussian(centre: FloatArray) -> FloatArray:
        away = (grid[:, None] - centre) / bandwidth
        # Far smaller numbers than those that are kept would be slow to compute.
        return np.asarray(np.exp(np.maximum(-0.5 * away**2, _FAR)) / norm)

    def narrow(kernel: FloatArray) -> scipy.sparse.csr_array:
        """Without what is far away: few products, and none that would wake all processors."""
        return scipy.sparse.csr_array(np.where(kernel > _NOTHING * kernel.max(), kernel, 0.0))

    kernel = gaussian(depth)
    if not reflect:
        return narrow(kernel)
    kernel += gaussian(2.0 * low - depth) + gaussian(2.0 * high - depth)
    cell = grid[1] - grid[0]
    inside = np.clip((grid - low) / cell + 0.5, 0.0, 1.0) * np.clip(
        (high - grid) / cell + 0.5, 0.0, 1.0
    )
    return narrow(kernel * inside[:, None])
