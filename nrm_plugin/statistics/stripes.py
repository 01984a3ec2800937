"""What differs from line to line of a map: an offset of whole lines, and its share in the mean."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import scipy
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.statistics.repeats import per_place, positions
from nrm_plugin.statistics.selection import column

#: Lines, and curves of a line, below which nothing is told.
_LEAST = 8

#: Rows, which are lines of most maps, differ if chance does it in fewer than one of ten; columns in
#: fewer than one of a hundred.
_LEVELS = (0.9, 0.99)

#: Correlations of neighbouring lines that are tried.
_RHO = np.linspace(0.0, 0.9, 10)


@dataclass(frozen=True)
class Grid:
    """Rows and columns of places on a grid.

    Attributes
    ----------
    row, column : (n,) arrays of int
        From 0.
    """

    row: IntArray
    column: IntArray


def grid_of(results: xr.Dataset, curves: IntArray, place: IntArray) -> Grid | None:
    """Rows and columns of places: as the curve table has them, else from positions on a grid."""
    row, col = column(results, "row"), column(results, "column")
    if row is None or col is None or min(row.min(initial=0), col.min(initial=0)) < 0:
        where = positions(results, curves)
        if not len(where) or not np.isfinite(where).all():
            return None
        numbers = [_numbers(axis) for axis in where.T]
    else:
        numbers = [np.asarray(axis[curves], np.float64) for axis in (row, col)][::-1]
    table = np.rint(per_place(np.column_stack(numbers), place)).astype(np.int64)
    if len(table) < _LEAST**2:
        return None
    x, y = (axis - axis.min() for axis in table.T)
    if min(x.max(), y.max()) + 1 < _LEAST or (x.max() + 1) * (y.max() + 1) > 4 * len(table):
        return None
    return Grid(y, x)


def _numbers(axis: FloatArray) -> FloatArray:
    """Number of every position on an axis, by the smallest clear step between them."""
    steps = np.diff(np.unique(axis))
    if not len(steps):
        return np.zeros(len(axis))
    return np.asarray((axis - axis.min()) / np.median(steps[steps > 0.2 * steps.max()]))


def between_lines(left: FloatArray, finite: AnyArray, grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Variance of the mean that comes from line to line, and its degrees of freedom.

    Means of rows differ from those of their neighbours by what the field does, as those of columns
    do, and by an offset of each line: what rows have more (or columns) is a first-order
    autoregression of the lines. Only where Fisher's test of neighbours says that it is there.

    Parameters
    ----------
    left : (n, m) array
        Residuals of places, 0 where there is no value.
    finite : (n, m) array of bool
    grid : Grid

    Returns
    -------
    (m,), (m,) arrays
        0 and infinity where lines do not differ.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing
        rows, columns = (_means(left, finite, axis) for axis in (grid.row, grid.column))
        by_row = _more(rows, columns, _LEVELS[0])
        by_column = _more(columns, rows, _LEVELS[1])
    more = by_row[0] >= by_column[0]
    return np.where(more, by_row[0], by_column[0]), np.where(more, by_row[1], by_column[1])


def _means(left: FloatArray, finite: AnyArray, line: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean of every line, nan where less than half of it is there, and curves of a line."""
    n = len(line)
    membership = scipy.sparse.csr_array((np.ones(n), (line, np.arange(n))))
    count = membership @ finite.astype(np.float64)
    whole = count.max(0)
    mean = membership @ left / np.where(2 * count >= np.maximum(whole, 1), count, np.nan)
    return mean, np.nanmean(np.where(np.isfinite(mean), count, np.nan), axis=0)


def _more(
    lines: tuple[FloatArray, FloatArray], others: tuple[FloatArray, FloatArray], level: float
) -> tuple[FloatArray, FloatArray]:
    """What lines have more than the others, see `between_lines`."""
    (mean, count), (other, of_other) = lines, others
    side = np.isfinite(mean).sum(0)
    as_many = of_other / count  # the mean of more curves varies less
    freedom = _freedom(np.diff(mean, axis=0), np.diff(other, axis=0))
    lags = np.arange(1, max(2, min(len(mean), len(other)) // 4) + 1)
    gamma = np.stack([_gamma(mean, int(lag)) for lag in lags])
    usual = np.stack([_gamma(other, int(lag)) for lag in lags]) * as_many
    differ = gamma[0] > usual[0] * scipy.special.fdtri(freedom, freedom, level)
    excess = gamma - usual
    weight = (1.0 / lags - 1.0 / len(mean))[:, None] / (gamma + usual) ** 2
    best = np.full(len(side), np.inf)
    variance, independent = np.zeros(len(side)), np.full(len(side), 2.0)
    for rho in _RHO:
        f = (1.0 - rho**lags)[:, None]
        square = np.maximum((weight * f * excess).sum(0) / (weight * f * f).sum(0), 0.0)
        misfit = (weight * (excess - square * f) ** 2).sum(0)
        better = misfit < best
        best = np.where(better, misfit, best)
        sums = _sum_of(rho, side)
        variance = np.where(better, square * sums / side, variance)
        independent = np.where(better, side / sums, independent)
    there = differ & np.isfinite(variance) & (variance > 0.0)
    freedom = np.clip(independent - 1.0, 1.0, freedom)
    return np.where(there, variance, 0.0), np.where(there, freedom, np.inf)


def _gamma(mean: FloatArray, lag: int) -> FloatArray:
    return np.asarray(0.5 * np.nanmean((mean[lag:] - mean[:-lag]) ** 2, axis=0))


def _freedom(first: FloatArray, second: FloatArray) -> FloatArray:
    """Degrees of freedom of the mean square of differences, which are correlated themselves."""
    lines = min(len(first), len(second))
    more = np.zeros(first.shape[1])
    for lag in range(1, min(8, lines // 3) + 1):
        squares = [
            (np.nanmean(d[lag:] * d[:-lag], axis=0) / np.nanmean(d * d, axis=0)) ** 2
            for d in (first, second)
        ]
        more += 2.0 * np.maximum(np.mean(squares, axis=0) - 1.0 / (lines - lag), 0.0)
    return np.maximum(lines / (1.0 + np.nan_to_num(more)), 2.0)


def _sum_of(rho: float, side: IntArray) -> FloatArray:
    """Sum of correlations of one line with all: ``side`` times the variance of their mean."""
    if rho == 0.0:
        return np.ones(len(side))
    whole = (1.0 + rho) / (1.0 - rho)
    ends = 2.0 * rho * (1.0 - rho**side) / (np.maximum(side, 1) * (1.0 - rho) ** 2)
    return np.asarray(whole - ends)
