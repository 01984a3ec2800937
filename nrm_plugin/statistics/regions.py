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
from nrm_plugin.statistics.instrument_steps import instrument_step
from nrm_plugin.statistics.repeats import times
from nrm_plugin.statistics.selection import column, excluded, words_of_excluded
from nrm_plugin.variables import SURFACES

#: Potentials in V between which the paper's regions lie (Fig. 4).
DEFAULT_EDGES = (2.0, 1.5, 1.0, 0.5, 0.005)

CATHODIC, ANODIC = -1, 1
#: Asks for all passes, or all cycles, together.
ANY = "any"
#: Parts of a run, by a step of the instrument.
ALL, RUNS = "all", ("before", "after")

#: Label of all curves together, where there are no potentials.
ALL_CURVES = "all curves"

#: A potential that changes by less (V) is held; correlation of the held potentials' ranks with
#: their mean times from which on potential and time are one.
_STEADY, _TOGETHER = 0.02, 0.9

_NAMES = {CATHODIC: "cathodic", ANODIC: "anodic"}


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


@dataclass(frozen=True, kw_only=True)
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
    surface : str
        Class of the surface: hard, yielding, or any.
    run : str
        Part of the run: before or after the step of the instrument, or all.
    not_separable : str
        Why potential and time cannot be told apart; empty where they can.
    warnings : tuple of str
    """

    inside: tuple[Region, ...]
    outside: int
    without_potential: int
    other_pass: int = 0
    sweep: str = "any"
    cycle: int | None = None
    surface: str = "any"
    run: str = "all"
    not_separable: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def caption(self) -> str:
        """What was selected, as ``cathodic pass, cycle 2, hard surfaces``; empty for everything."""
        parts = [f"{self.sweep} pass"] if self.sweep in _NAMES.values() else []
        several = self.other_pass or (self.cycle or 0) > 1
        parts += [f"cycle {self.cycle}"] if self.cycle is not None and several else []
        parts += [] if self.surface == ANY else [f"{self.surface} surfaces"]
        parts += [] if self.run == ALL else [f"{self.run} the instrument's step"]
        return ", ".join(parts)

    @property
    def note(self) -> str:
        """The caption, where curves were left out by a choice."""
        chosen = self.surface != ANY or self.run != ALL or self.other_pass
        return self.caption if chosen else ""

    def __iter__(self) -> Iterator[Region]:
        return iter(self.inside)

    def __len__(self) -> int:
        return len(self.inside)


def regions(
    results: xr.Dataset,
    edges: Iterable[float] = DEFAULT_EDGES,
    sweep: int | str | None = None,
    cycle: int | str | None = None,
    *,
    surface: str = ANY,
    run: str = ALL,
) -> Regions:
    """Sort curves into regions of the electrode potential.

    A region reaches from its lower edge up to, but not including, its upper one; the highest edge
    belongs to the highest region.

    Parameters
    ----------
    results : Dataset
        With a column ``potential``; ``sweep`` (+1 anodic, -1 cathodic, 0 unknown) and ``cycle``,
        or they are found in the course of the potential.
    edges : floats
        In V.
    sweep : {-1, +1, "cathodic", "anodic", "any"}, optional
        Pass of the voltammogram. By default the cathodic one if there are both: passes are mixed
        only when "any" is asked for.
    cycle : int or "any", optional
        By default the first that has curves.
    surface : {"any", "hard", "yielding"}
        Class of the surface (`surface_class`); curves of which it is unknown are in neither.
    run : {"all", "before", "after"}
        Part of the run before or after the largest step of the instrument (wall slope, noise,
        adhesion) over the acquisition.

    Returns
    -------
    Regions
        Empty regions are there, with no curves.

    Raises
    ------
    InvalidInput
        For fewer than two edges, or a pass, a surface or a part of the run that does not exist.
    """
    bounds = _bounds(edges)
    n = results.sizes["curve"]
    column_of_potential = column(results, "potential")
    if column_of_potential is None:
        column_of_potential = np.full(n, np.nan)
    potential = column_of_potential.astype(np.float64)
    has_potential = np.isfinite(potential)
    messages = []
    if not n:
        messages.append("there are no curves")
    elif not has_potential.any():
        messages.append("no curve has a potential: give it with nrm process --potential LOG")
    elif not has_potential.all():
        messages.append(f"{n - int(has_potential.sum())} of {n} curves have no potential")
    sweeps, cycles = _passes(results, potential, has_potential)
    chosen_curves, pass_name = _of_sweep(sweeps, has_potential, sweep, messages)
    chosen_curves, number = _of_cycle(cycles, chosen_curves, cycle, messages)
    other_pass = int(has_potential.sum()) - int(chosen_curves.sum())
    messages += words_of_excluded(results, chosen_curves)
    chosen_curves = chosen_curves & curves_of(results, surface, run)
    inside = tuple(
        Region(label(low, high), low, high, _within(potential, chosen_curves, low, high, bounds[0]))
        for high, low in itertools.pairwise(bounds)
    )
    n_inside = sum(len(region) for region in inside)
    messages += [
        f"there are no curves in {r.label}" for r in inside if has_potential.any() and not len(r)
    ]
    messages += _uncertain(results, potential, chosen_curves, bounds)
    chosen = int(chosen_curves.sum())
    return Regions(
        inside=inside,
        outside=chosen - n_inside,
        without_potential=n - int(has_potential.sum()),
        other_pass=other_pass,
        sweep=pass_name,
        cycle=number,
        surface=surface,
        run=run,
        not_separable=_not_separable(results, potential, chosen_curves, other_pass),
        warnings=tuple(messages),
    )


def everything(results: xr.Dataset, surface: str = ANY, run: str = ALL) -> Regions:
    """All curves, or those of a class of surface and of a part of the run, as one region."""
    n = results.sizes["curve"]
    name = ", ".join(
        [
            *([ALL_CURVES] if surface == ANY else [f"{surface} surfaces"]),
            *([] if run == ALL else [f"{run} the instrument's step"]),
        ]
    )
    curves = np.flatnonzero(curves_of(results, surface, run))
    one = Region(name, float("nan"), float("nan"), curves)
    return Regions(
        inside=(one,),
        outside=0,
        without_potential=n,
        surface=surface,
        run=run,
        warnings=tuple(words_of_excluded(results)),
    )


def curves_of(results: xr.Dataset, surface: str = ANY, run: str = ALL) -> NDArray[np.bool_]:
    """Whether each curve is of a class of surface and of a part of the run, and not excluded.

    Raises
    ------
    InvalidInput
        If there is no such class or part, or the results cannot tell.
    """
    chosen = ~excluded(results)
    if surface != ANY:
        if surface not in SURFACES:
            raise InvalidInput(f"there is no surface {surface!r}: {', '.join((ANY, *SURFACES))}")
        classes = column(results, "surface_class")
        if classes is None:
            raise InvalidInput(
                "the results do not tell hard surfaces from yielding ones: process the curves again"
            )
        chosen &= classes == SURFACES.index(surface)
    if run != ALL:
        if run not in RUNS:
            raise InvalidInput(f"there is no part {run!r} of a run: {', '.join((ALL, *RUNS))}")
        step = instrument_step(results)
        if step is None:
            raise InvalidInput(
                "neither wall slope nor noise nor adhesion jump in this run: there is no part "
                f"{run} a step"
            )
        chosen &= step.after if run == "after" else ~step.after
    return chosen


def _not_separable(
    results: xr.Dataset, potential: FloatArray, chosen: NDArray[np.bool_], others: int
) -> str:
    """Sentence where the potential goes one way over time, so that one could be the other."""
    some = np.flatnonzero(chosen & np.isfinite(potential))
    if len(some) < 3 or np.ptp(potential[some]) < _STEADY:
        return ""
    time = times(results, some)
    order = np.argsort(time if np.isfinite(time).all() else some, kind="stable")
    held, level = np.unique(np.round(potential[some][order] / _STEADY), return_inverse=True)
    when, count = np.arange(len(some)), np.bincount(level)
    middle = np.bincount(level, when) / count
    # Where a potential comes back, its curves lie far apart in time.
    if len(held) < 2 or np.var(middle[level]) < 0.5 * np.var(when):
        return ""
    if abs(float(np.corrcoef(np.arange(len(held)), middle)[0, 1])) < _TOGETHER:
        return ""
    way = (
        f"compare with the other passes or cycles, which hold {others} curves"
        if others
        else "repeat the sweep or some places, or measure a reference before and after"
    )
    return (
        "Potential and time are not separable in this selection: the potential goes one way while "
        "the curves are taken, so that growth with the potential, wear of the tip and drift look "
        f"alike; {way}."
    )


def _passes(
    results: xr.Dataset, potential: FloatArray, has_potential: NDArray[np.bool_]
) -> tuple[IntArray, IntArray]:
    """Sweep and cycle of every curve: from their columns, else from the course of the potential."""
    n = len(potential)
    sweeps, cycles = column(results, "sweep"), column(results, "cycle")
    if sweeps is None or (cycles is None and not (sweeps == 0).all()):
        from nrm_plugin.potential.sweeps import find_sweeps

        time = times(results, np.arange(n))
        order = np.flatnonzero(has_potential)
        if np.isfinite(time[order]).all():
            order = order[np.argsort(time[order], kind="stable")]
        passes = find_sweeps(potential[order])
        own_sweeps, own_cycles = np.zeros(n, np.int64), np.full(n, -1)
        own_sweeps[order], own_cycles[order] = passes.sweep, passes.cycle
        sweeps = own_sweeps if sweeps is None else sweeps
        cycles = own_cycles if cycles is None else cycles
    if cycles is None:
        cycles = np.full(n, -1)
    return sweeps.astype(np.int64), cycles.astype(np.int64)


def _of_sweep(
    sweeps: IntArray,
    has_potential: NDArray[np.bool_],
    wanted: int | str | None,
    messages: list[str],
) -> tuple[NDArray[np.bool_], str]:
    """Curves of the pass that is wanted, and its name."""
    present = sorted({int(s) for s in sweeps[has_potential] if s in (CATHODIC, ANODIC)})
    if wanted is None:
        if len(present) < 2:
            return has_potential, _NAMES[present[0]] if present else "unknown"
        chosen = has_potential & (sweeps == CATHODIC)
        messages.append(
            "there are both passes: the cathodic one is used, "
            f"{int(has_potential.sum() - chosen.sum())} curves of the other are left out"
        )
        return chosen, "cathodic"
    if wanted == ANY:
        if len(present) == 2:
            messages.append("cathodic and anodic pass are mixed")
        return has_potential, ANY
    number = {name: sign for sign, name in _NAMES.items()}.get(str(wanted), wanted)
    if number not in (CATHODIC, ANODIC):
        raise InvalidInput(f"there is no sweep {wanted!r}: cathodic (-1), anodic (+1) or any")
    return has_potential & (sweeps == number), _NAMES[int(number)]


def _of_cycle(
    cycles: IntArray, chosen: NDArray[np.bool_], wanted: int | str | None, messages: list[str]
) -> tuple[NDArray[np.bool_], int | None]:
    """Curves of the cycle that is wanted, and its number; None for all."""
    present = sorted({int(c) for c in cycles[chosen] if c >= 0})
    if wanted == ANY:
        if len(present) > 1:
            messages.append(f"{len(present)} cycles are mixed")
        return chosen, None
    if wanted is None:
        if len(present) < 2:
            return chosen, present[0] if present else None
        wanted = present[0]
        rest = int(np.sum(chosen & (cycles != wanted)))
        messages.append(
            f"there are {len(present)} cycles: cycle {wanted} is used, {rest} curves of others are "
            "left out"
        )
    if not isinstance(wanted, int | np.integer):
        raise InvalidInput(f"a cycle is a number or any, not {wanted!r}")
    return chosen & (cycles == wanted), int(wanted)


def _uncertain(
    results: xr.Dataset, potential: FloatArray, chosen: NDArray[np.bool_], bounds: list[float]
) -> list[str]:
    """Say how many curves might belong to the next region."""
    error = column(results, "potential_uncertainty")
    if error is None:
        return []
    away = np.abs(potential[:, None] - np.array(bounds[1:-1])).min(1, initial=np.inf)
    with np.errstate(invalid="ignore"):
        near = int(np.sum(chosen & (away < error)))
    if not near:
        return []
    return [f"{near} curves are nearer to an edge than the uncertainty of their potential"]


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
    values: FloatArray, chosen: NDArray[np.bool_], low: float, high: float, highest: float
) -> IntArray:
    below = values <= high if high == highest else values < high
    return np.flatnonzero(chosen & (values >= low) & below)
