"""What is looked at: results, curves or both, read as far as the page asks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FileStamp, FloatArray, IntArray
from nrm_plugin.decisions import Decisions
from nrm_plugin.engine.checks.check import Check, from_json
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe
from nrm_plugin.statistics.regions import Region, Regions, regions
from nrm_plugin.statistics.selection import Analysis, column
from nrm_plugin.store.read_results import decided
from nrm_plugin.viewer import shown_quantities as shown
from nrm_plugin.viewer.shown_quantities import CURVE_NUMBER, ShownQuantity
from nrm_plugin.viewer.shown_values import ShownValues
from nrm_plugin.viewer.told_metadata import ToldMetadata

T = TypeVar("T")


class Wait(Exception):
    """Something is being computed; the argument says what."""


class Viewed:
    """Results, curves or both.

    Parameters
    ----------
    results : Dataset or None
        As they were made; see `decided`.
    curves : CurveSet or None
        Of the same curves as the results, where there are both.
    recipe : Recipe, optional
        By default that of the results.
    out : Path, optional
        File of the results, or where those of the curves would be written; None where results
        are in memory.
    """

    def __init__(
        self,
        results: xr.Dataset | None,
        curves: CurveSet | None,
        recipe: Recipe | None = None,
        out: Path | None = None,
    ) -> None:
        if results is None and curves is None:
            raise InvalidInput("there is nothing to look at: neither results nor curves")
        self.results, self.curves, self.out = results, curves, out
        self._as_made = results
        self.told = ToldMetadata(results, curves)
        self.decisions: Decisions | None = None
        self.recipe = recipe or _recipe_of(results)
        #: Names of the files and who read them; what was found while opening them, in sentences.
        self.files: list[dict[str, str]] = []
        self.messages: list[str] = []
        #: The files that say which curves these are, as they were when they were opened.
        self.stamps: list[FileStamp] = []
        self._lock = threading.RLock()
        #: Quantities of all curves, as the map shows them.
        self.shown = ShownValues(self)
        self._columns: dict[tuple[str, str], AnyArray] = {}
        self._slow = ThreadPoolExecutor(1, thread_name_prefix="nrm-statistics")
        self._waiting: dict[Hashable, Future[Any]] = {}
        self._analyses: dict[str | None, Analysis] = {}

    def close(self) -> None:
        """Stop what is computed in the background."""
        self._slow.shutdown(wait=False, cancel_futures=True)

    def check_files(self) -> None:
        """Raise if other curves may be in the files by now.

        Raises
        ------
        ChangedFile
        """
        for stamp in self.stamps:
            stamp.check()

    def decided(self, decisions: Decisions) -> None:
        """Take what was decided by hand into account from now on."""
        results = None if self._as_made is None else decided(self._as_made, decisions)
        with self._lock:
            self.decisions, self.results = decisions, results
            self._analyses.clear()
            self._waiting.clear()
            self.shown.forget()
            self._columns.clear()

    @property
    def by_hand(self) -> AnyArray:
        """Bits of what was decided about each curve by hand."""
        if self.results is not None and "by_hand" in self.results:
            return np.asarray(self.results["by_hand"].values, np.int8)
        if self.decisions is None:
            return np.zeros(self.n_curves, np.int8)
        return self.decisions.by_hand

    @property
    def n_curves(self) -> int:
        """Number of curves."""
        if self.results is not None:
            return int(self.results.sizes["curve"])
        assert self.curves is not None
        return self.curves.n_curves

    @cached_property
    def directions(self) -> tuple[str, ...]:
        """Directions of the results; those of the curves where there are no results."""
        if self.results is None:
            kinds = set(np.unique(self.curves.segments["kind"])) if self.curves else set()
            found = tuple(d for d in ("approach", "retract") if d in kinds)
            return found or ("approach",)
        if "direction" in self.results.dims:
            return tuple(str(d) for d in self.results["direction"].values)
        return (self.recipe.directions[0],)

    def direction(self, name: str | None) -> str:
        """Return a direction that there is: the first by default.

        Raises
        ------
        InvalidInput
        """
        if not name:
            return self.directions[0]
        if name not in self.directions:
            raise InvalidInput(f"there is no direction {name!r}: {', '.join(self.directions)}")
        return name

    def analysis(self, direction: str | None = None) -> Analysis:
        """Return one direction of the results, and what has been computed of it.

        Raises
        ------
        InvalidInput
            Without results.
        """
        if self.results is None:
            raise InvalidInput("there are no results: nrm process makes them from these curves")
        name = self.direction(direction)
        with self._lock:
            if name not in self._analyses:
                whole = "direction" in self.results.dims
                self._analyses[name] = Analysis(self.results, name if whole else None)
            return self._analyses[name]

    @cached_property
    def places(self) -> Analysis:
        """Where and when all curves were taken, excluded ones too."""
        if self._as_made is not None:
            return Analysis(self._as_made)
        assert self.curves is not None
        table = {name: ("curve", np.asarray(v)) for name, v in self.curves.curve_table.items()}
        empty = np.empty((self.n_curves, 0), np.float32)
        return Analysis(xr.Dataset({"nothing": (("curve", "depth"), empty)}, table))

    def column(self, name: str) -> AnyArray | None:
        """Column of the curve table, None if there is none."""
        return column(self.places.results, name)

    def integers(self, name: str, otherwise: int) -> IntArray:
        """Column of whole numbers of the curve table."""
        found = self.column(name)
        if found is None:
            return np.full(self.n_curves, otherwise, np.int64)
        return np.asarray(found).astype(np.int64)

    @cached_property
    def quantities(self) -> dict[str, ShownQuantity]:
        """What can be shown for every curve."""
        found = shown.quantities(self.places.results, self.told.number("spring_constant", "N/m"))
        return {q.name: q for q in (*found, *([] if self.results is not None else [CURVE_NUMBER]))}

    @cached_property
    def depth(self) -> FloatArray:
        """Distances of the profiles, m."""
        if self.results is None:
            return np.array(self.recipe.depth.values)
        return np.asarray(self.results["depth"].values, np.float64)

    @cached_property
    def checks(self) -> list[Check]:
        """Self-checks of the results."""
        text = "" if self.results is None else str(self.results.attrs.get("checks", ""))
        return from_json(text) if text else []

    @property
    def sticks(self) -> bool:
        """Whether the tip sticks to the wall in these data, as their self-check found."""
        return any(check.name == "stick" and check.verdict == "fine" for check in self.checks)

    def quality(self, direction: str | None = None) -> IntArray:
        """Flags of the curves as bits."""
        if self.results is None or "quality" not in self.results:
            return np.zeros(self.n_curves, np.int64)
        return self.of_curves("quality", direction).astype(np.int64)

    def of_curves(self, name: str, direction: str | None = None) -> AnyArray:
        """Variable of the results that has one value per curve; nan where there is none.

        It is read once, and then kept.
        """
        key = (name, self.direction(direction))
        with self._lock:
            if key not in self._columns:
                results = self.analysis(direction).results
                there = name in results
                self._columns[key] = (
                    np.asarray(results[name].values) if there else np.full(self.n_curves, np.nan)
                )
            return self._columns[key]

    def in_background(self, key: Hashable, what: str, compute: Callable[[], T]) -> T:
        """Return what is computed in the background once.

        Raises
        ------
        Wait
            If it is not ready yet.
        NrmError
            What computing it raised.
        """
        with self._lock:
            future = self._waiting.get(key)
            if future is None:
                future = self._waiting[key] = self._slow.submit(compute)
        if not future.done():
            raise Wait(what)
        found: T = future.result()
        return found

    def nearest_depth(self, depth: float | None) -> int:
        """Number of the distance that is nearest to one in m.

        Raises
        ------
        InvalidInput
        """
        wanted = 5e-9 if depth is None else depth
        if not np.isfinite(wanted):
            raise InvalidInput("a distance is a number in m")
        return int(np.argmin(np.abs(self.depth - wanted)))

    @cached_property
    def region_numbers(self) -> IntArray:
        """Number of each curve's region of the potential; -1 for none."""
        numbers = np.full(self.n_curves, -1)
        for number, region in enumerate(self.regions):
            numbers[region.curves] = number
        return numbers

    @cached_property
    def all_regions(self) -> Regions | None:
        """Regions of the potential; None where no curve has one."""
        results = self.places.results
        return regions(results) if shown.has_potential(results) else None

    @cached_property
    def regions(self) -> list[Region]:
        """Regions of the potential that have curves, highest potential first."""
        found = self.all_regions or ()
        return [region for region in found if len(region)]


def _recipe_of(results: xr.Dataset | None) -> Recipe:
    text = "" if results is None else str(results.attrs.get("recipe", ""))
    return Recipe.from_text(text) if text else Recipe()


def file_name(origin: str) -> str:
    """Name of a file as people know it: a recording lost its ``.part`` when it was complete."""
    return origin.removesuffix(".part")
