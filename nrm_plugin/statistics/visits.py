"""Which curves make one map: those of one grid, one visit and one region of the potential."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.regions import ALL_CURVES, Region, Regions
from nrm_plugin.statistics.regions import regions as regions_of
from nrm_plugin.statistics.repeats import places, positions, times
from nrm_plugin.statistics.selection import (
    Analysis,
    analysis_of,
    column,
    excluded,
)

#: How curves may be sorted into maps.
REGION_AND_VISIT, REGION, VISIT = "region+visit", "region", "visit"
_SAME = {"both": REGION_AND_VISIT, "visit+region": REGION_AND_VISIT}

#: Positions that are off by more than this part of the pitch belong to another grid.
_OFF = 0.5

#: Up to this part of a file's curves may have a stray position without making a grid of their own.
_STRAY = 0.01


#: Potentials of curves that have none.
NOWHERE = (float("nan"), float("nan"))


@dataclass(frozen=True, kw_only=True)
class MapPart:
    """Curves that make one map.

    Attributes
    ----------
    curves : array of int
        Numbers of the curves.
    grid, grids : int
        Number of the grid, from 1, and how many grids there are. Curves beside any grid count as
        one more.
    visits : tuple of int
        Numbers of the visits to the same places, from 1, in the order of time: the volumes of one
        grid, or the ramps at one place. Several where they were asked for together.
    region : Region, optional
        None where the curves were not sorted by potential.
    potential : (low, high) in V
        Of the curves; nan where they have none.
    """

    curves: IntArray
    grid: int = 1
    grids: int = 1
    visits: tuple[int, ...] = (1,)
    region: Region | None = None
    potential: tuple[float, float] = NOWHERE

    @property
    def name(self) -> str:
        """Grid, region or potential, and visit, as in the title of a panel."""
        words = [f"grid {self.grid}"] if self.grids > 1 else []
        low, high = self.potential
        label = "" if self.region is None else self.region.label
        if label and label != ALL_CURVES:
            words.append(label)
        elif np.isfinite(low):
            words.append(
                f"{low:.3g} V" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g} to {high:.3g} V"
            )
        if len(self.visits) == 1:
            words.append(f"visit {self.visits[0]}")
        else:
            words.append(f"mean of {len(self.visits)} visits")
        return ", ".join(words)


@dataclass(frozen=True, kw_only=True)
class MapParts:
    """All maps that curves make.

    Attributes
    ----------
    parts : tuple of MapPart
        By grid, then visit; without those that have no curves.
    left_out : int
        Curves that are on none of the maps.
    warnings : tuple of str
    """

    parts: tuple[MapPart, ...]
    left_out: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def mixed(self) -> str:
        """What one map of all would mix, in words; empty if nothing."""
        grids = len({part.grid for part in self.parts})
        visits = len({visit for part in self.parts for visit in part.visits})
        words = [f"{grids} grids"] if grids > 1 else []
        words += [f"{visits} visits to the same places"] if visits > 1 else []
        seen = {part.region.label for part in self.parts if part.region is not None}
        words += [f"{len(seen)} regions of the potential"] if len(seen) > 1 else []
        return " and ".join(words)


def map_parts(
    results: xr.Dataset | Analysis,
    by: str | Iterable[Region] = REGION_AND_VISIT,
    *,
    regions: Iterable[Region] | None = None,
    visits: Iterable[int] | None = None,
) -> MapParts:
    """Sort curves into maps that mix nothing.

    Grids are always apart. Two volumes are on one grid where their places agree to half the
    pitch. The visits of a grid are its volumes in the order of time; where places are ramped
    several times in one volume, the first ramps of all places are one visit, the second ones the
    next, and so on.

    Parameters
    ----------
    results : Dataset
    by : str or Regions
        ``region+visit`` (or ``both``): a map for every region of the potential and every visit;
        regions given are taken, with visits apart. ``region``: visits together; ``visit``:
        whatever the potential.
    regions : Regions, optional
        The paper's if not given. By ``visit``, curves outside of given ones are left out.
    visits : ints, optional
        Only these visits, from 1.

    Raises
    ------
    InvalidInput
        For an unknown way of sorting, or visits that there are not.
    """
    analysis = analysis_of(results)
    grid, visit = analysis.once("visits", lambda: visits_of(analysis.results))
    results = analysis.results
    potential = _potential(results)
    messages: list[str] = []
    if not isinstance(by, str):
        regions, by = by, REGION_AND_VISIT
    by = _SAME.get(by, by)
    if by not in (REGION_AND_VISIT, REGION, VISIT):
        raise InvalidInput(
            f"maps are split by region+visit, region or visit, or by regions, not {by!r}"
        )
    chosen = _chosen(visit, visits)
    sorted_by: list[tuple[Region | None, IntArray]] = [(None, np.arange(len(grid)))]
    if regions is not None or (by != VISIT and np.isfinite(potential).any()):
        given = regions_of(results) if regions is None else regions
        inside = [(region, region.curves) for region in given]
        selected = isinstance(given, Regions) and given.note
        if any(len(curves) for _, curves in inside) or selected:
            sorted_by = [*inside]
        else:
            messages.append("no curve is in a region of the potential: maps are of visits alone")
        if by == VISIT:
            sorted_by = [(None, np.unique(np.concatenate([curves for _, curves in sorted_by])))]
    every = np.arange(len(grid))
    parts = []
    for region, members in sorted_by:
        curves = members[chosen[members]]
        keys = np.stack([grid[curves], visit[curves]])
        if by == REGION:
            keys[1] = 0
        for key in np.unique(keys, axis=1).T:
            some = curves[(keys == key[:, None]).all(0)]
            known = potential[some][np.isfinite(potential[some])]
            part = MapPart(
                curves=some,
                grid=int(key[0]),
                grids=len(np.unique(grid)),
                visits=tuple(np.unique(visit[some]).tolist()),
                region=region,
                potential=(float(known.min()), float(known.max())) if len(known) else NOWHERE,
            )
            parts.append(part)
    parts.sort(key=lambda part: (part.grid, part.visits[0] if by != REGION else 0))
    drawn = np.zeros(len(every), bool)
    for part in parts:
        drawn[part.curves] = True
    left_out = int(np.sum(chosen & ~drawn & ~excluded(results)))
    if left_out:
        messages.append(
            f"{left_out} of {len(every)} curves are in no region of the potential and on no map: "
            "by='visit' draws them all"
        )
    return MapParts(parts=tuple(parts), left_out=left_out, warnings=tuple(messages))


def _chosen(visit: IntArray, wanted: Iterable[int] | None) -> NDArray[np.bool_]:
    """Which curves are of the visits that are wanted."""
    if wanted is None:
        return np.ones(len(visit), bool)
    numbers = list(wanted)
    most = int(visit.max(initial=0))
    unknown = [number for number in numbers if not 1 <= number <= most]
    if unknown:
        raise InvalidInput(f"there is no visit {unknown[0]}: there are {most}, from 1")
    return np.isin(visit, numbers)


def _potential(results: xr.Dataset) -> FloatArray:
    found = column(results, "potential")
    return np.full(results.sizes["curve"], np.nan) if found is None else found.astype(np.float64)


def visits_of(results: xr.Dataset) -> tuple[IntArray, IntArray]:
    """Number of the grid and of the visit of every curve, both from 1. See `map_parts`."""
    every = np.arange(results.sizes["curve"])
    row, col = (_integers(results, name, -1) for name in ("row", "column"))
    source = _integers(results, "source", 0)
    order = _in_time(results, source)
    grid, visit = np.zeros(len(every), np.int64), np.ones(len(every), np.int64)
    on_grid = (row >= 0) & (col >= 0)
    cells = _Cells(row=row, column=col, at=positions(results, every))
    for number, members in enumerate(_grids(cells, source, order[on_grid[order]]), 1):
        grid[members] = number
        visit[members] = _visits_of_cells(cells.numbers(members), source[members])
    rest = order[~on_grid[order]]
    if len(rest):
        grid[rest] = grid.max(initial=0) + 1
        visit[rest] = _ranks(places(results, rest)) + 1
    return grid, visit


def _integers(results: xr.Dataset, name: str, otherwise: int) -> IntArray:
    found = column(results, name)
    n = results.sizes["curve"]
    return np.full(n, otherwise) if found is None else found.astype(np.int64)


def _in_time(results: xr.Dataset, source: IntArray) -> IntArray:
    """Numbers of the curves in the order of time, else in that of files and of acquisition."""
    every = np.arange(len(source))
    time = times(results, every)
    start = column(results, "start_time")
    if start is not None and np.isfinite(time).all():
        return np.asarray(np.lexsort((every, time)))
    order = column(results, "acquisition_order")
    return np.asarray(np.lexsort((every, every if order is None else order, source)))


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """Cells of grids in which curves lie, and where they are."""

    row: IntArray
    column: IntArray
    at: FloatArray

    def numbers(self, members: IntArray) -> IntArray:
        """Number of the cell of some curves."""
        return self.row[members] * (int(self.column.max(initial=0)) + 1) + self.column[members]

    def _terms(self, members: IntArray) -> FloatArray:
        return np.stack([np.ones(len(members)), self.column[members], self.row[members]], axis=1)

    def fits(self, members: IntArray, others: IntArray, stray: float = 0.0) -> bool:
        """Whether `others` lie on the grid of `members`, in so far as places are known.

        Up to the part `stray` of each may lie elsewhere.
        """
        members = members[np.isfinite(self.at[members]).all(1)]
        others = others[np.isfinite(self.at[others]).all(1)]
        if len(members) < 2 or not len(others):
            return True
        off, pitch = self._off(members, others)
        few = int(stray * len(members))
        if few:  # a stray position may have turned the grid
            order = np.argsort(self._off(members, members)[0], kind="stable")
            off, pitch = self._off(members[order[: len(members) - few]], others)
        elsewhere = off > (_OFF * pitch if pitch > 0.0 else 0.0)
        return bool(elsewhere.mean() <= stray)

    def _off(self, members: IntArray, others: IntArray) -> tuple[FloatArray, float]:
        """Distances of `others` from the grid that fits `members` best, and its pitch, m."""
        terms = self._terms(members)
        middle = terms.mean(0) * [0.0, 1.0, 1.0]
        steps, _, _, _ = np.linalg.lstsq(terms - middle, self.at[members], rcond=None)
        lengths = np.hypot(*steps[1:].T)
        pitch = float(np.min(lengths[np.ptp(terms[:, 1:], axis=0) > 0], initial=np.inf))
        return np.hypot(*((self._terms(others) - middle) @ steps - self.at[others]).T), pitch

    def spans(self, members: IntArray) -> bool:
        """Whether curves lie in several rows and columns, so that they tell of the whole grid."""
        return bool(np.ptp(self.row[members]) and np.ptp(self.column[members]))


def _grids(cells: _Cells, source: IntArray, order: IntArray) -> list[IntArray]:
    """Curves of every grid, each in the order of time."""
    found: list[IntArray] = []
    names, first = np.unique(source[order], return_index=True)
    for name in names[np.argsort(first)]:
        for run in _runs(cells, order[source[order] == name]):
            for number, members in enumerate(found):
                joined = np.concatenate([members, run])
                reference = members if cells.spans(members) else joined
                if cells.fits(reference, run, stray=_STRAY):
                    found[number] = joined
                    break
            else:
                found.append(run)
    position = np.empty(int(order.max(initial=-1)) + 1, np.int64)
    position[order] = np.arange(len(order))
    return [members[np.argsort(position[members])] for members in found]


def _runs(cells: _Cells, members: IntArray) -> list[IntArray]:
    """Parts of a file's curves, in their order, that each lie on one grid."""
    if cells.fits(members, members, stray=_STRAY):
        return [members]
    runs = []
    for part in np.split(members, _breaks(cells, members)):
        while not cells.fits(part, part):
            short, long = 1, len(part)  # the longest beginning that lies on one grid
            while long - short > 1:
                middle = (short + long) // 2
                if cells.fits(part[:middle], part[:middle]):
                    short = middle
                else:
                    long = middle
            runs.append(part[:short])
            part = part[short:]
        runs.append(part)
    # Positions that follow no grid at all tell nothing.
    return runs if len(runs) <= max(8, len(members) // 16) else [members]


def _breaks(cells: _Cells, members: IntArray) -> IntArray:
    """Where a cell comes again at another place."""
    from scipy.spatial import cKDTree

    at, number = cells.at[members], cells.numbers(members)
    known = np.unique(at[np.isfinite(at).all(1)], axis=0)
    if len(known) < 2:
        return np.arange(0)
    apart = _OFF * float(np.median(np.asarray(cKDTree(known).query(known, k=2)[0])[:, 1]))
    breaks: list[int] = []
    seen: dict[int, int] = {}
    for i, cell in enumerate(number.tolist()):
        before = seen.get(cell)
        if before is not None and np.hypot(*(at[i] - at[before])) > apart:
            breaks.append(i)
            seen = {}
        seen[cell] = i
    return np.array(breaks, np.int64)


def _visits_of_cells(cell: IntArray, source: IntArray) -> IntArray:
    """Number of the visit of every curve of a grid, which are in the order of time.

    A volume, or the n-th ramps of one, goes with the visit before it unless that has been to one
    of its cells.
    """
    _, file = np.unique(source, return_inverse=True)
    width = int(cell.max(initial=0)) + 1
    rank = _ranks(file * width + cell)
    layers, first, layer = np.unique(
        np.stack([file, rank]), axis=1, return_index=True, return_inverse=True
    )
    layer = layer.reshape(-1)
    numbers = np.empty(layers.shape[1], np.int64)
    number, been = 1, np.zeros(width, bool)
    for one in np.argsort(first):
        here = cell[layer == one]
        if been[here].any():
            number += 1
            been[:] = False
        been[here] = True
        numbers[one] = number
    return numbers[layer]


def _ranks(groups: AnyArray) -> IntArray:
    """How many of the same group came before, for every element."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    begins = np.r_[True, ordered[1:] != ordered[:-1]] if len(ordered) else np.zeros(0, bool)
    start = np.maximum.accumulate(np.where(begins, np.arange(len(ordered)), 0))
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(ordered)) - start
    return ranks
