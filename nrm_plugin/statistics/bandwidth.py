"""How wide to smooth: plug-in bandwidths, and smoothing on a grid with reflecting ends."""

from __future__ import annotations

import numpy as np
import scipy

from nrm_plugin.columns import AnyArray, FloatArray

#: Stages of the plug-in rule (Botev et al. recommend 5 or more).
_STAGES = 7

#: Of every stage, ``2/3 (1 + 2^-(s + 1/2)) (1 3 5 ... (2 s - 1)) / sqrt(2 pi)``.
_FACTORS = [
    2.0
    * ((1.0 + 0.5 ** (order + 0.5)) / 3.0)
    * (float(np.prod(np.arange(1.0, 2 * order, 2))) / np.sqrt(2.0 * np.pi))
    for order in range(_STAGES)
]

#: The exponential of minus this number is nothing.
_VANISHED = 700.0

#: Cells of the grid on which the rule is solved.
CELLS = 1024


def plug_in(counts: AnyArray, cell: float, n: float) -> float:
    """Plug-in bandwidth of Botev, Grotowski and Kroese (Ann. Stat. 38, 2916, 2010).

    The improved rule of Sheather and Jones: it follows several modes, which rules made for a
    normal distribution smooth away. Where its equation has no solution, Silverman's robust rule.

    Parameters
    ----------
    counts : array
        Histogram; density is taken to be flat at its ends, as behind a reflecting boundary.
    cell : float
        Width of its cells.
    n : float
        Number of independent values in it.

    Returns
    -------
    float
        Standard deviation of the Gaussian, in the unit of `cell`; nan if everything lies in one
        cell or nothing anywhere.
    """
    counts = np.asarray(counts, np.float64)
    total = counts.sum()
    if total <= 0 or np.count_nonzero(counts) < 2:
        return float("nan")
    size = len(counts)
    square = (scipy.fft.dct(counts / total)[1:] / 2.0) ** 2
    k2 = np.arange(1, size, dtype=np.float64) ** 2
    powers = [k2**order * square for order in range(_STAGES + 1)]

    def derivative(order: int, time: float) -> float:
        """Squared norm of a derivative of the density smoothed for `time`."""
        some = k2[: np.searchsorted(k2, _VANISHED / (np.pi**2 * time))]
        decay = np.exp(-some * np.pi**2 * time)
        return float(2.0 * np.pi ** (2 * order) * np.sum(powers[order][: len(some)] * decay))

    def miss(time: float) -> float:
        norm = derivative(_STAGES, time)
        for order in range(_STAGES - 1, 1, -1):
            time_of_order = (_FACTORS[order] / (n * norm)) ** (2.0 / (3 + 2 * order))
            norm = derivative(order, time_of_order)
        return time - float((2.0 * n * np.sqrt(np.pi) * norm) ** -0.4)

    with np.errstate(all="ignore"):
        times = np.geomspace(1e-9, 0.1, 24)
        signs = np.array([miss(t) for t in times])
        change = np.flatnonzero((signs[:-1] < 0) & (signs[1:] >= 0))
        if len(change):
            i = change[0]
            time = float(scipy.optimize.brentq(miss, times[i], times[i + 1]))
            return float(np.sqrt(time)) * size * cell
    return _silverman(counts, cell, n)


def plug_in_of(values: FloatArray, low: float, high: float, n: float) -> float:
    """Plug-in bandwidth of values between two ends, on a grid of `CELLS` cells; see `plug_in`."""
    cell = (high - low) / CELLS
    return plug_in(linear_counts(values[:, None], low, cell, CELLS)[0], cell, n)


def _silverman(counts: FloatArray, cell: float, n: float) -> float:
    share = np.cumsum(counts) / counts.sum()
    x = (np.arange(len(counts)) + 0.5) * cell
    mean = float(x @ counts / counts.sum())
    spread = float(np.sqrt((x - mean) ** 2 @ counts / counts.sum()))
    middle = float(np.interp(0.75, share, x) - np.interp(0.25, share, x)) / 1.349
    return float(0.9 * (min(spread, middle) or spread) * n**-0.2)


def smoothed(counts: FloatArray, sigma: float) -> FloatArray:
    """Convolve the last axis with a Gaussian of `sigma` cells; the ends reflect.

    The Gaussian is sampled in frequency, where it is exact for `sigma` above half a cell.
    """
    size = counts.shape[-1]
    frequency = np.pi * np.arange(size) / size
    return np.asarray(
        scipy.fft.idct(scipy.fft.dct(counts) * np.exp(-0.5 * (sigma * frequency) ** 2))
    )


def linear_counts(
    values: FloatArray, low: float, cell: float, size: int, marked: AnyArray | None = None
) -> FloatArray:
    """Histogram of every column, in which a value is shared by the two nearest cell centres.

    That widens whatever is smoothed afterwards by a variance of ``cell**2 / 6``, on average.

    Parameters
    ----------
    values : (n, m) array
        What lies outside of the grid, or is nan, is not counted.
    low, cell, size : float, float, int
        Where the grid begins, and its cells.
    marked : (n, m) array of bool, optional
        Values to count once more by themselves.

    Returns
    -------
    (m, size) array, or (2, m, size) with those that are marked
    """
    width = size + 4  # two cells more at both ends: one that folds back, one that is thrown away
    at = values / cell
    at -= low / cell + 0.5
    np.fmax(at, -2.0, out=at)  # nan, too
    np.fmin(at, size + 1.0, out=at)
    at += 2.0 + width * np.arange(values.shape[1])
    at = at.ravel()
    left = at.astype(np.int64)
    at -= left
    counts = _shared(left, at, values.shape[1], width)
    if marked is None:
        return counts
    some = marked.ravel()
    return np.stack([counts, _shared(left[some], at[some], values.shape[1], width)])


def _shared(left: AnyArray, share: FloatArray, rows: int, width: int) -> FloatArray:
    """Counts in rows of cells from the left one of the two cells and the right one's share."""
    right = np.bincount(left, share, rows * width).reshape(rows, width)
    counts = np.bincount(left, minlength=rows * width).reshape(rows, width) - right
    counts[:, 1:] += right[:, :-1]
    counts[:, 2] += counts[:, 1]
    counts[:, -3] += counts[:, -2]
    return np.asarray(counts[:, 2:-2])


def without_binning(bandwidth: float, cell: float) -> float:
    """Sigma in cells that, behind `linear_counts`, gives the bandwidth asked for."""
    return float(np.sqrt(max((bandwidth / cell) ** 2 - 1.0 / 6.0, 0.0)))
