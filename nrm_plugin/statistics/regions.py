"""Curves by the electrode potential at which they were taken."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.selection import column

#: Potentials in V between which the paper's regions lie (Fig. 4).
DEFAULT_EDGES = (2.0, 1.5, 1.0, 0.5, 0.005)

CATHODIC, ANODIC = -1, 1
_SWEEPS = {CATHODIC: "cathodic", ANODIC: "anodic", 0: "unknown"}


@dataclass(frozen=True)
class Region:
    """Curves between two potentials.

    Attributes
    ----------
    label : str
    low, high : float
        In V.
    curves : array of int
        Numbers of the curves.
    """

    label: str
    low: float
    high: float
    curves: IntArray

    def __len__(self) -> int:
        return len(self.curves)


@dataclass(frozen=True)
class Regions:
    """All regions, highest potential first.

    Attributes
    ----------
    inside : tuple of Region
    outside : int
        Curves of the chosen pass whose potential is in no region.
    without_potential : int
        Curves that have none.
    other_pass : int
        Curves of other passes or cycles, which are left out.
    sweep : str
        Which pass is used: cathodic, anodic, unknown or any.
    cycle : int or None
        Which cycle; None for any.
    warnings : tuple of str
    """

    inside: tuple[Region, ...]
    outside: int
    without_potential: int
    other_pass: int = 0
    sweep: str = "any"
    cycle: int | None = None
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Region]:
        return iter(self.inside)

    def __len__(self) -> int:
        return len(self.inside)


def regions(
    results: xr.Dataset,
    edges: Iterable[float] = DEFAULT_EDGES,
    sweep: int | str | None = None,
    cycle: int | str | None = None,
) -> Regions:
    """Sort curves into regions of the electrode potential.

    A region reaches from its lower edge up to, but not including, its upper one; the highest edge
    belongs to the highest region.

    Parameters
    ----------
    results : Dataset
        With a column ``potential``; ``sweep`` (+1 anodic, -1 cathodic, 0 unknown) and ``cycle``
        where they are known.
    edges : floats
        In V.
    sweep : {-1, +1, "cathodic", "anodic", "any"}, optional
        Pass of the voltammogram. By default the cathodic one if there are both: passes are mixed
        only when "any" is asked for.
    cycle : int or "any", optional
        By default the first that has curves.

    Returns
    -------
    Regions
        Empty regions are there, with no curves.

    Raises
    ------
    InvalidInput
        For fewer than two edges, or a pass that does not exist.
    """
    bounds = _bounds(edges)
    n = results.sizes["curve"]
    potential = column(results, "potential")
    values = np.full(n, np.nan) if potential is None else potential.astype(np.float64)
    known = np.isfinite(values)
    here = known.copy()
    words: list[str] = []
    inside = tuple(
        Region(label(low, high), low, high, _within(values, here, low, high, bounds[0]))
        for high, low in itertools.pairwise(bounds)
    )
    there = sum(len(region) for region in inside)
    return Regions(inside, int(here.sum()) - there, n - int(known.sum()), warnings=tuple(words))


def label(low: float, high: float) -> str:
    """Name of a region, as ``0.5-1.0 V``."""
    return f"{_short(low)}-{_short(high)} V"


def _short(value: float) -> str:
    text = f"{value:.6g}"
    return text if "." in text or "e" in text else f"{text}.0"


def _bounds(edges: Iterable[float]) -> list[float]:
    try:
        bounds = sorted({float(edge) for edge in edges}, reverse=True)
    except (TypeError, ValueError):
        raise InvalidInput("edges of regions are potentials in V") from None
    if len(bounds) < 2 or not np.isfinite(bounds).all():
        raise InvalidInput("regions need at least two different edges in V")
    return bounds


def _within(
    values: FloatArray, here: NDArray[np.bool_], low: float, high: float, highest: float
) -> IntArray:
    below = values <= high if high == highest else values < high
    return np.flatnonzero(here & (values >= low) & below)
