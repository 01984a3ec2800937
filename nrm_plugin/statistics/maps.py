"""Values of curves over the sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.density import WEAK
from nrm_plugin.statistics.selection import (
    LEFT_OUT,
    Analysis,
    ProfileVariable,
    analysis_of,
    column,
    numbers_of,
    profile_variable,
    select,
    step,
    words_of_excluded,
)
from nrm_plugin.statistics.thickness import thickness
from nrm_plugin.statistics.visits import VISIT, map_parts
from nrm_plugin.variables import FLAGS

#: Thicknesses that were not measured, as `thickness` marks them: the layer may go on; nothing was
#: seen.
AT_LEAST, UNDETERMINED = 1, 2

#: Part of the places below the noise from which on those left are mostly its upper tail.
_MOSTLY = 0.5


@dataclass(frozen=True, kw_only=True)
class Map:
    """Values of curves at their places.

    Attributes
    ----------
    x, y : arrays
        In m. On a grid: of its columns and rows. Otherwise one per curve.
    values : array
        (rows, columns) on a grid, nan where no curve is; otherwise one per curve.
    unit, label : str
    grid : bool
    missing : int
        Curves without a value.
    meanings : tuple of str
        For the quality, whose values are sums of bits: the flag of every bit.
    warnings : tuple of str
    n : int
        Curves.
    measured : array of bool, optional
        As `values`: where curves are, with or without a value.
    below_noise : array of bool, optional
        As `values`: below three times the standard error. None where results have no errors.
    censored : array of int, optional
        As `values`, of a thickness: 1 where the layer may go on beyond the value, 2 where nothing
        was seen (no value).
    noise : array of float, optional
        As `values`: standard errors, of means where several curves are at a place.
    """

    x: FloatArray
    y: FloatArray
    values: AnyArray
    unit: str
    label: str
    grid: bool
    missing: int = 0
    meanings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    n: int = 0
    measured: NDArray[np.bool_] | None = None
    below_noise: NDArray[np.bool_] | None = None
    censored: IntArray | None = None
    noise: FloatArray | None = None

    @property
    def n_places(self) -> int:
        """Places with curves."""
        return int(np.size(self.values) if self.measured is None else self.measured.sum())

    @property
    def mostly_noise(self) -> bool:
        """Whether more than half is below the noise: values that are left are biased upwards."""
        if self.below_noise is None:
            return False
        left = np.isfinite(np.asarray(self.values, np.float64)) & ~self.below_noise
        return bool(left.any() and self.below_noise.sum() > _MOSTLY * self.n_places)


def map_of(
    results: xr.Dataset | Analysis,
    what: str,
    depth: float | None = None,
    direction: str | None = None,
    *,
    quality: Sequence[str] = LEFT_OUT,
    curves: Sequence[int] | AnyArray | None = None,
    mean: bool = False,
    frame: IntArray | None = None,
) -> Map:
    """Map of a variable at a distance, the thickness, the contact height, or the quality.

    Parameters
    ----------
    results : Dataset
        From `nrm_plugin.process`.
    what : str
        ``thickness``, ``contact_height``, ``quality``, another variable of the curves, or a
        variable over depth as for `mean_profile` (of single curves).
    depth : float, optional
        Distance from the electrode in m, needed for a variable over depth; the nearest one is
        taken.
    direction : str, optional
        Way of the ramp, where the results have both; by default the first.
    quality : sequence of str
        Curves with one of these flags have no value, except in the map of the quality.
    curves : array of int or bool, optional
        Those that are mapped, by default all: those of a part that `map_parts` found.
    mean : bool
        Take the mean over the curves of a place: the magnitude of the complex mean where it is a
        magnitude. Of the quality the flags of all are taken together in any case.
    frame : array of int, optional
        Curves whose rows and columns the map shows, with those that have none of `curves`. By
        default from row and column 0.

    Raises
    ------
    InvalidInput
        For an unknown variable, flag or direction, a depth that is missing or not there, or curves
        of several grids or of several visits to the same places, which one map would mix.
    """
    analysis = analysis_of(results, direction)
    results = analysis.results
    total = results.sizes["curve"]
    every = numbers_of(results, curves)
    _check_unmixed(analysis, every, mean or what == "quality")
    one = _values(analysis, what, depth)
    messages: list[str] = []
    meanings: tuple[str, ...] = ()
    if what == "quality":
        meanings = FLAGS
    else:
        kept, left_out = select(results, every, quality)
        if left_out:
            messages.append(f"{left_out} curves are left out for their flags")
        messages += words_of_excluded(results, every)
        out = np.ones(total, bool)
        out[kept] = False
        values = np.where(out, np.nan, one.values)
        censored = None if one.censored is None else np.where(out, 0, one.censored)
        one = replace(one, values=values, censored=censored)
    one = one.of(every)
    if (varied := _varied_potential(results, every)) and what not in ("quality", "contact_height"):
        messages.append(
            f"the potential changes from place to place ({varied}): differences between places "
            "may be those between potentials"
        )
    missing = int(np.sum(~np.isfinite(one.values)))
    x, y, row, col = (column(results, name) for name in ("x", "y", "row", "column"))
    x, y = (np.full(total, np.nan) if a is None else a.astype(np.float64) for a in (x, y))
    found = Map(
        x=x[every],
        y=y[every],
        values=one.sizes,
        unit=one.unit,
        label=one.label,
        grid=False,
        missing=missing,
        meanings=meanings,
        n=len(every),
        measured=np.ones(len(every), bool),
        below_noise=one.below_noise,
        censored=one.censored,
        noise=one.noise,
    )
    shown = every if frame is None or not len(frame) else np.asarray(frame, np.int64)
    if (
        row is not None
        and col is not None
        and len(every)
        and min(row[shown].min(), col[shown].min()) >= 0
    ):
        first = (0, 0) if frame is None else (int(row[shown].min()), int(col[shown].min()))
        shape = int(row[shown].max()) + 1 - first[0], int(col[shown].max()) + 1 - first[1]
        cells = _GridTable(row=row[every] - first[0], column=col[every] - first[1], shape=shape)
        if cells.repeated:
            messages.append(
                f"{cells.repeated} places have several curves: "
                + ("flags of all are shown" if what == "quality" else "their mean is shown")
            )
        found = replace(
            found,
            x=_axis(x[shown], col[shown] - first[1], shape[1]),
            y=_axis(y[shown], row[shown] - first[0], shape[0]),
            grid=True,
            measured=cells.count.reshape(shape) > 0,
            **cells.filled(one, what == "quality"),
        )
    elif not np.isfinite(found.x + found.y).any():
        messages.append("the curves have no positions")
    if found.mostly_noise and found.below_noise is not None:
        messages.append(
            f"{int(found.below_noise.sum())} of {found.n_places} places are below the noise: the "
            "others are there because noise raised them, so that their values are biased upwards. "
            "The magnitude of the mean over the curves is not"
        )
    return replace(found, warnings=tuple(messages))


def _check_unmixed(analysis: Analysis, curves: IntArray, together: bool) -> None:
    """Refuse curves of several grids or visits.

    Raises
    ------
    InvalidInput
    """
    mixed = [
        part
        for part in map_parts(analysis, VISIT).parts
        if np.isin(part.curves, curves, assume_unique=True).any()
    ]
    grids, visits = {part.grid for part in mixed}, {v for part in mixed for v in part.visits}
    words = [f"{len(grids)} grids"] if len(grids) > 1 else []
    words += (
        [f"{len(visits)} visits to the same places"] if len(visits) > 1 and not together else []
    )
    if words:
        raise InvalidInput(
            f"the curves are of {' and '.join(words)}, which one map would mix: "
            "nrm_plugin.figures.maps(results) draws one map each, and "
            "nrm_plugin.statistics.map_parts(results) gives their curves"
        )


def _varied_potential(results: xr.Dataset, curves: IntArray) -> str:
    """Potentials of a map that was made while they changed by more than 0.1 V."""
    potential = column(results, "potential")
    if potential is None:
        return ""
    known = potential[curves].astype(np.float64)
    known = known[np.isfinite(known)]
    if not len(known) or np.ptp(known) < 0.1:
        return ""
    return f"{known.min():.3g} to {known.max():.3g} V"


@dataclass(frozen=True, kw_only=True)
class _CurveValues:
    """A value of every curve; complex where a mean over curves has to be of complex values."""

    values: AnyArray
    unit: str
    label: str
    noise: FloatArray | None = None
    censored: IntArray | None = None

    def of(self, curves: IntArray) -> _CurveValues:
        noise = None if self.noise is None else self.noise[curves]
        censored = None if self.censored is None else self.censored[curves]
        return replace(self, values=self.values[curves], noise=noise, censored=censored)

    @property
    def sizes(self) -> AnyArray:
        """Values, or magnitudes of complex ones."""
        return np.abs(self.values) if np.iscomplexobj(self.values) else self.values

    @property
    def below_noise(self) -> NDArray[np.bool_] | None:
        return None if self.noise is None else _weak(self.sizes, self.noise)


def _weak(sizes: AnyArray, noise: FloatArray) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(sizes) & (np.abs(sizes) < WEAK * noise))


def _values(analysis: Analysis, what: str, depth: float | None) -> _CurveValues:
    """Value of every curve, its unit, and what it is."""
    results = analysis.results
    if what == "thickness":
        return _thicknesses(analysis)
    if what in results and results[what].dims == ("curve",):
        array = results[what]
        return _CurveValues(
            values=array.values,
            unit=str(array.attrs.get("units", "")),
            label=str(array.attrs.get("long_name", what)),
        )
    chosen = profile_variable(results, what)
    depths = np.asarray(results["depth"].values, np.float64)
    if depth is None:
        raise InvalidInput(f"a map of {what} needs a depth in m")
    at = int(np.argmin(np.abs(depths - depth)))
    if not np.isfinite(depth) or abs(depths[at] - depth) > step(results):
        raise InvalidInput(
            f"there are no results at {depth * 1e9:g} nm, but from {depths[0] * 1e9:g} to "
            f"{depths[-1] * 1e9:g} nm"
        )
    level = results.isel(depth=slice(at, at + 1))
    every = np.arange(results.sizes["curve"])
    values = chosen.values(level, every)[:, 0]
    noise = _noise(chosen, level, every, values)
    return _CurveValues(
        values=values,
        unit=chosen.unit,
        label=f"{chosen.meaning} at {depths[at] * 1e9:.3g} nm",
        noise=noise if np.isfinite(noise).any() else None,
    )


def _noise(
    chosen: ProfileVariable, level: xr.Dataset, every: IntArray, values: AnyArray
) -> FloatArray:
    """Standard errors; of the viscosity those of the loss modulus, which it is made of."""
    if chosen.name != "viscosity":
        return chosen.noise(level, every)[:, 0]
    loss = profile_variable(level, "loss_modulus")
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = values / loss.values(level, every)[:, 0]
        return np.asarray(loss.noise(level, every)[:, 0] * np.abs(ratio))


def _thicknesses(analysis: Analysis) -> _CurveValues:
    """Thickness of every curve; where it is censored, how thick the layer is at least."""
    found = thickness(analysis)
    values, censored = found["thickness"].values, None
    if "censored" in found:
        censored = found["censored"].values.astype(np.int64)
        least = censored == AT_LEAST
        values = np.where(censored == 0, values, np.nan)
        values[least] = found["thickness_low"].values[least]
    label = str(found["thickness"].attrs["long_name"])
    return _CurveValues(values=values, unit="m", label=label, censored=censored)


class _GridTable:
    """Cells of a grid, with the curves in them."""

    def __init__(self, *, row: IntArray, column: IntArray, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.place = row * shape[1] + column
        self.count = np.bincount(self.place, minlength=shape[0] * shape[1])
        self.repeated = int(np.sum(self.count > 1))

    def filled(self, one: _CurveValues, flags: bool) -> dict[str, Any]:
        """Values on the grid, their noise, which of them are below it, and which censored."""
        if flags:
            bits = np.zeros(len(self.count), np.int64)
            np.bitwise_or.at(bits, self.place, one.values.astype(np.int64))
            table = np.where(self.count > 0, bits.astype(np.float64), np.nan)
            nothing = dict.fromkeys(("below_noise", "censored", "noise"))
            return {"values": table.reshape(self.shape), **nothing}
        finite = np.isfinite(one.values)
        n = self._sum(np.ones(int(finite.sum())), finite)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self._sum(one.values[finite], finite) / n
            sizes = np.abs(mean) if np.iscomplexobj(mean) else mean
            below = noise = None
            if one.noise is not None:
                noise = (np.sqrt(self._sum(one.noise[finite] ** 2, finite)) / n).reshape(self.shape)
                below = _weak(sizes.reshape(self.shape), noise)
        censored = None
        if one.censored is not None:
            # A mean that holds a lower bound is one; where there is no value, nothing was seen.
            table, marked = np.zeros(len(self.count), np.int64), one.censored == AT_LEAST
            table[self.place[one.censored == UNDETERMINED]] = UNDETERMINED
            table[n > 0] = 0
            table[self.place[marked]] = AT_LEAST
            censored = table.reshape(self.shape)
        return {
            "values": sizes.reshape(self.shape),
            "below_noise": below,
            "censored": censored,
            "noise": noise,
        }

    def _sum(self, values: AnyArray, which: NDArray[np.bool_]) -> AnyArray:
        """Sum over the curves of every cell, of those that count."""
        place, cells = self.place[which], len(self.count)
        if not np.iscomplexobj(values):
            return np.asarray(np.bincount(place, values, cells))
        real, imaginary = (np.bincount(place, part, cells) for part in (values.real, values.imag))
        return np.asarray(real + 1j * imaginary)


def _axis(positions: FloatArray, numbers: IntArray, count: int) -> FloatArray:
    """Position of every column or row; those without curves go by their neighbours."""
    finite = np.isfinite(positions)
    total = np.bincount(numbers[finite], positions[finite], count)
    n = np.bincount(numbers[finite], minlength=count)
    present = np.flatnonzero(n)
    if not len(present):
        return np.full(count, np.nan)
    mean = total[present] / n[present]
    if len(present) == 1:
        return np.where(n > 0, mean[0], np.nan)
    slope, start = np.polyfit(present, mean, 1)
    axis = start + slope * np.arange(count)
    axis[present] = mean
    return np.asarray(axis)
