"""What changed at the same places from one region of the potential to the next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.density import WEAK
from nrm_plugin.statistics.maps import Map, map_of
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.repeats import places, positions
from nrm_plugin.statistics.selection import LEFT_OUT, Analysis, analysis_of
from nrm_plugin.statistics.visits import REGION, MapPart, map_parts

#: Heights, whose common change is the scanner's drift.
_HEIGHTS = "contact_height"


@dataclass(frozen=True, kw_only=True)
class MapDifference:
    """A map of what changed at places where curves of two regions are.

    Attributes
    ----------
    first, second : MapPart
        Curves of both regions, each with all its visits.
    map : Map
        Values of the second less those of the first. ``below_noise``: less than three times the
        standard error of the difference. ``measured``: places that both have.
    n : int
        Places that both have.
    median : float
        Of the differences that are known; nan where none is. Of heights, whose median is taken
        away, what was taken away.
    """

    first: MapPart
    second: MapPart
    map: Map
    n: int
    median: float

    @property
    def name(self) -> str:
        """Both regions, as in the title of a panel."""
        names = [part.region.label if part.region else part.name for part in self._both]
        grid = f"grid {self.first.grid}, " if self.first.grids > 1 else ""
        return f"{grid}{names[1]} less {names[0]}"

    @property
    def _both(self) -> tuple[MapPart, MapPart]:
        return self.first, self.second


def map_differences(
    results: xr.Dataset | Analysis,
    what: str,
    depth: float | None = None,
    *,
    regions: Iterable[Region] | None = None,
    visits: Iterable[int] | None = None,
    quality: Sequence[str] = LEFT_OUT,
) -> list[MapDifference]:
    """Differences between one region of the potential and the next, where places repeat.

    At every place the mean over the curves of a region is taken first: the magnitude of the
    complex mean where it is a magnitude. A thickness that is only bounded has no difference. Of
    heights the median difference is taken away, which is the scanner's drift.

    Parameters
    ----------
    results : Dataset
    what, depth, quality
        As for `nrm_plugin.statistics.map_of`.
    regions : Regions, optional
        The paper's if not given; differences are taken in their order.
    visits : ints, optional
        Only these visits, from 1.

    Returns
    -------
    list of MapDifference
        One for every grid and two regions that follow each other on it with places in common;
        none where no place repeats in another region.

    Raises
    ------
    InvalidInput
        As `map_of`; for the quality, which has no differences.
    """
    if what == "quality":
        raise InvalidInput("flags have no differences: draw the map of the quality by region")
    analysis = analysis_of(results)
    parts = map_parts(analysis, REGION, regions=regions, visits=visits).parts
    found = []
    for grid in dict.fromkeys(part.grid for part in parts):
        here = [part for part in parts if part.grid == grid and part.region is not None]
        if len(here) < 2:
            continue
        maps = _maps(analysis, what, depth, here, quality)
        for i in range(len(here) - 1):
            one = _difference(here[i], here[i + 1], maps[i], maps[i + 1], what == _HEIGHTS)
            if one.n:
                found.append(one)
    return found


def _maps(
    analysis: Analysis,
    what: str,
    depth: float | None,
    parts: Sequence[MapPart],
    quality: Sequence[str],
) -> list[Map]:
    """Maps of the parts of a grid on common places; places beside any grid as a row."""
    frame = np.concatenate([part.curves for part in parts])
    results = analysis.results
    on_grid = all(
        name in results.coords and bool((results[name].values[frame] >= 0).all())
        for name in ("row", "column")
    )
    if on_grid:
        return [
            map_of(analysis, what, depth, quality=quality, curves=p.curves, mean=True, frame=frame)
            for p in parts
        ]
    place = places(results, frame)
    where = positions(results, frame)
    n = int(place.max(initial=-1)) + 1
    row = results.isel(curve=frame).drop_vars(["x", "y"], errors="ignore")
    row = row.assign_coords(row=("curve", np.zeros(len(frame), np.int64)), column=("curve", place))
    together = Analysis(row)
    begin = np.cumsum([0, *(len(part.curves) for part in parts)])
    every = np.arange(len(frame))
    maps = []
    for i in range(len(parts)):
        one = map_of(
            together,
            what,
            depth,
            quality=quality,
            curves=every[begin[i] : begin[i + 1]],
            mean=True,
            frame=every,
        )
        maps.append(_beside_a_grid(one, [_mean_at(place, where[:, k], n) for k in (0, 1)]))
    return maps


def _mean_at(place: IntArray, values: FloatArray, n: int) -> FloatArray:
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(
            np.bincount(place[known], values[known], n) / np.bincount(place[known], minlength=n)
        )


def _beside_a_grid(found: Map, at: Sequence[FloatArray]) -> Map:
    """A map of one row of places as one of places that lie anywhere."""
    flat: dict[str, Any] = {
        name: None if getattr(found, name) is None else np.ravel(getattr(found, name))
        for name in ("values", "measured", "below_noise", "censored", "noise")
    }
    return replace(found, x=at[0], y=at[1], grid=False, **flat)


def _difference(
    first: MapPart, second: MapPart, before: Map, after: Map, about_median: bool
) -> MapDifference:
    """Values after less those before."""
    both = _measured(before) & _measured(after)
    values = np.asarray(after.values, np.float64) - np.asarray(before.values, np.float64)
    for one in (before, after):
        if one.censored is not None:
            values = np.where(one.censored == 0, values, np.nan)
    values = np.where(both, values, np.nan)
    known = values[np.isfinite(values)]
    median = float(np.median(known)) if len(known) else float("nan")
    if about_median and len(known):
        values = values - median
    noise = below = None
    if before.noise is not None and after.noise is not None:
        noise = np.hypot(before.noise, after.noise)
        with np.errstate(invalid="ignore"):
            below = np.isfinite(values) & (np.abs(values) < WEAK * noise)
    n = int(both.sum())
    found = replace(
        after,
        values=values,
        missing=n - len(known),
        n=n,
        measured=both,
        below_noise=below,
        censored=None,
        noise=noise,
        warnings=(),
    )
    return MapDifference(first=first, second=second, map=found, n=n, median=median)


def _measured(found: Map) -> NDArray[np.bool_]:
    if found.measured is None:
        return np.ones(np.shape(found.values), bool)
    return found.measured
