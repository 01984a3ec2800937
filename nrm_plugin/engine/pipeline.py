"""From curves to results: survey, then blocks of curves on several threads, in bounded memory."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nrm_plugin.calibration import lockin
from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.engine import checks, kernels, provenance
from nrm_plugin.engine.contact import Contacts, find_contacts
from nrm_plugin.engine.derivative import profiles
from nrm_plugin.engine.moduli import moduli
from nrm_plugin.engine.shape import ShapeFactor, shape_factor
from nrm_plugin.engine.signals import Block, Plan, parts, plan, read_block
from nrm_plugin.engine.surface import STEEP, surface_slope
from nrm_plugin.engine.survey import Survey, chosen, survey
from nrm_plugin.errors import InvalidInput, OutputError
from nrm_plugin.hookspecs import ContactMethod
from nrm_plugin.model import CurveSet
from nrm_plugin.plugins import contact_method
from nrm_plugin.recipe import Recipe
from nrm_plugin.store.opened import open_results
from nrm_plugin.store.results import Results
from nrm_plugin.variables import BIT, CONTACT, LATERAL, Variable

#: Samples in work at once, all threads together.
_IN_WORK = 1 << 21

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Way:
    """What is known of one direction before its curves are processed."""

    direction: str
    ranges: AnyArray
    found: Survey


@dataclass(frozen=True)
class _Work:
    """Everything that a block of curves needs."""

    curves: CurveSet
    recipe: Recipe
    how: Plan
    depth: FloatArray
    shape: ShapeFactor
    method: ContactMethod | None
    settings: FloatArray

    def contacts(self, way: _Way, first: int, stop: int) -> tuple[Block, Contacts]:
        """Read some curves and find their contacts."""
        block = read_block(self.curves, self.how, way.ranges, slice(first, stop), way.direction)
        found = find_contacts(block, self.how, self.recipe.contact, way.found, self.method)
        return block, found

    def block(self, way: _Way, stretch: FloatArray, first: int, stop: int) -> dict[str, AnyArray]:
        """Process some curves: everything that the results hold of them."""
        block, contacts = self.contacts(way, first, stop)
        rows, quality = contacts.rows.T, contacts.quality
        own = np.stack([*self._delays(block), stretch[first:stop]], axis=1)
        found, valid = profiles(
            block,
            contacts,
            self.depth,
            self.settings,
            own,
            way.found.correlation,
            self.recipe.derivative.method,
        )
        if self.how.lateral:
            quality = quality | checks.lateral_flags(block, contacts)
        slope, at = rows[kernels.BASELINE_SLOPE], rows[kernels.BASELINE_AT]
        return moduli(found, self.how, self.shape.values) | {
            "contact_height": rows[kernels.CONTACT],
            "contact_height_stderr": rows[kernels.STDERR],
            "contact_height_systematic": contacts.systematic,
            "quality": quality,
            "depth_valid_min": valid,
            "wall_slope": rows[kernels.WALL_SLOPE],
            "wall_length": rows[kernels.WALL_LENGTH],
            "baseline_slope": slope,
            "baseline_deflection": at + slope * rows[kernels.CONTACT],
            "deflection_noise": rows[kernels.NOISE],
        }

    def _delays(self, block: Block) -> tuple[FloatArray, FloatArray]:
        """Delay of the lock-in, and how long it feels the hard contact, in samples."""
        none = np.zeros(len(block))
        if not (self.how.lag and self.recipe.lateral.lag):
            return none, none
        with np.errstate(invalid="ignore", divide="ignore"):
            delay = np.nan_to_num(self.how.lag / block.interval, posinf=0.0)
            if block.direction == "approach":
                return delay, none
            settling = lockin.settling(self.how.time_constant, self.how.poles)
            return -delay, np.ceil(np.nan_to_num(settling / block.interval, posinf=0.0))


def process(
    curves: CurveSet,
    recipe: Recipe | None = None,
    out: str | PathLike[str] | None = None,
    *,
    progress: Progress | None = None,
    threads: int | None = None,
    block: int | None = None,
    overwrite: bool = True,
) -> xr.Dataset:
    """Find the solid contact of every curve, and the moduli of what lies above it.

    Parameters
    ----------
    curves : CurveSet
    recipe : Recipe, optional
        What is done; by default what `Recipe()` says.
    out : path, optional
        Results go to this file (.h5) while they are made, and what is returned reads from it when
        asked. The file gets its name when it is complete; after an interruption, the same call
        goes on where it stopped.
    progress : callable, optional
        Called with the curves done so far and their number. What it raises ends the work.
    threads : int, optional
        By default one per processor. Results don't depend on it.
    block : int, optional
        Curves that are processed at once. Results don't depend on it.
    overwrite : bool
        Whether a file that is at `out` may be replaced, once the new one is complete.

    Returns
    -------
    xarray.Dataset
        SI, dimensions ``curve`` and ``depth`` (distance from the electrode), and ``direction``
        where the recipe asks for both. nan where there is no estimate. ``attrs["warnings"]`` has
        one warning per line.

    Raises
    ------
    MissingCalibration
        Naming every value that is missing.
    InvalidInput
        If there is no height, no deflection, or a sign or a sensitivity cannot be right.
    RecipeError, CorruptFile, ChangedFile, OutputError
    """
    recipe = Recipe() if recipe is None else recipe
    if out is not None:
        _refuse_to_replace(curves, Path(out))
    curves, how = plan(curves)
    depth = np.array(recipe.depth.values)
    shape = shape_factor(recipe.shape_factor, curves, depth)
    work = _Work(
        curves,
        recipe,
        how,
        depth,
        shape,
        contact_method(recipe.contact.method),
        _settings(how, recipe),
    )
    ways = [_survey(work, direction) for direction in recipe.directions]
    attributes = provenance.attributes(curves, recipe, how, shape)
    with (
        ThreadPoolExecutor(1) as aside,
        Results(
            None if out is None else Path(out),
            curves.n_curves,
            depth,
            _variables(how),
            recipe.directions if len(ways) > 1 else None,
            attributes,
            _fingerprint(attributes, ways),
            overwrite,
        ) as results,
    ):
        hashes = aside.submit(provenance.hashes, curves)
        for number, way in enumerate(ways):
            stretch = _stretch(work, way, threads, block)
            begin = min(max(results.done - number * curves.n_curves, 0), curves.n_curves)
            for first, stop, made in _blocks(
                partial(work.block, way, stretch),
                _pieces(curves, begin, block, threads),
                threads,
            ):
                results.write(number, first, stop, made)
                if progress is not None:
                    progress(number * curves.n_curves + stop, len(ways) * curves.n_curves)
        _flag_slopes(results, curves, len(ways))
        results.set("shape_factor", shape.values)
        results.coordinates = curves.curve_table
        results.attributes["source_sha256"] = hashes.result()
        results.attributes["warnings"] = "\n".join(
            checks.warnings(curves, recipe, how, shape, [w.found for w in ways], results)
        )
    checks.log(results.attributes["warnings"])
    return results.dataset() if out is None else open_results(out)


def _refuse_to_replace(curves: CurveSet, out: Path) -> None:
    """Raise if results would replace the file that the curves are read from."""
    for channel in curves.channels.values():
        stamp = getattr(channel.column, "stamp", None)
        if stamp is not None and out.exists() and out.samefile(stamp.path):
            raise OutputError(out, "the curves are read from it; give results another name")


def _settings(how: Plan, recipe: Recipe) -> FloatArray:
    stiffness = how.lateral_stiffness if recipe.lateral.series_compliance else 0.0
    return np.array([recipe.derivative.half_width, how.amplitude, stiffness, how.spring_constant])


def _survey(work: _Work, direction: str) -> _Way:
    """Learn what the curves of a direction share."""
    ranges = parts(work.curves, direction)
    there = np.flatnonzero(ranges[:, 1] > ranges[:, 0])
    if not len(there):
        raise InvalidInput(f"no curve has a part that is called {direction}")
    contact = work.recipe.contact
    numbers = there[chosen(len(there))]
    block = read_block(work.curves, work.how, ranges, numbers, direction)
    found = survey(block, interference=contact.interference, spikes=contact.spikes)
    checks.refuse_wrong_signs(block, find_contacts(block, work.how, contact, found, None))
    checks.refuse_output_volts(work.curves, work.how, numbers)
    return _Way(direction, ranges, found)


def _variables(how: Plan) -> dict[str, Variable]:
    return CONTACT | LATERAL if how.lateral else CONTACT


def _pieces(
    curves: CurveSet, begin: int, block: int | None, threads: int | None
) -> Iterator[tuple[int, int]]:
    """Consecutive curves (first, stop) that are processed together."""
    if block is not None:
        for first in range(begin, curves.n_curves, block):
            yield first, min(first + block, curves.n_curves)
        return
    for first, stop in curves.blocks(_IN_WORK // _workers(threads)):
        if stop > begin:
            yield max(first, begin), stop


def _workers(threads: int | None) -> int:
    return max(1, threads or min(os.cpu_count() or 1, 8))


def _blocks(
    function: Callable[[int, int], Any], pieces: Iterator[tuple[int, int]], threads: int | None
) -> Iterator[tuple[int, int, Any]]:
    """Call a function for every piece on several threads, and give what it returns in order."""
    workers = _workers(threads)
    waiting: deque[tuple[int, int, Future[Any]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="nrm")
    try:
        for first, stop in pieces:
            waiting.append((first, stop, pool.submit(function, first, stop)))
            if len(waiting) > workers:
                a, b, future = waiting.popleft()
                yield a, b, future.result()
        while waiting:
            a, b, future = waiting.popleft()
            yield a, b, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _stretch(work: _Work, way: _Way, threads: int | None, block: int | None) -> FloatArray:
    """Factor of the distances: the cosine of the surface's slope, where the recipe asks for it."""
    n = work.curves.n_curves
    stretch = np.ones(n)
    if not work.recipe.correct_slope:
        return stretch
    height = np.empty(n)
    for first, stop, (_, found) in _blocks(
        partial(work.contacts, way), _pieces(work.curves, 0, block, threads), threads
    ):
        height[first:stop] = found.rows[:, kernels.CONTACT]
        height[first:stop][(found.quality & BIT["no_hard_contact"]) != 0] = np.nan
    angle = surface_slope(work.curves, height)
    known = np.isfinite(angle)
    stretch[known] = np.cos(angle[known])
    return stretch


def _flag_slopes(results: Results, curves: CurveSet, n_ways: int) -> None:
    """Find the slope of the surface, once all contacts are known, and flag steep places."""
    for number in range(n_ways):
        height = results.get("contact_height", number)
        quality = results.get("quality", number)
        height[(quality & BIT["no_hard_contact"]) != 0] = np.nan
        angle = surface_slope(curves, height)
        results.set("surface_slope", angle, number)
        with np.errstate(invalid="ignore"):
            steep = np.where(angle > STEEP, BIT["slope_of_surface"], 0)
        results.set("quality", quality | steep, number)


def _fingerprint(attributes: dict[str, Any], ways: list[_Way]) -> str:
    """Tell whether a half-finished file is of the same curves, recipe and version."""
    digest = hashlib.sha256(repr(sorted(attributes.items())).encode())
    for way in ways:
        digest.update(np.ascontiguousarray(way.ranges).tobytes())
        digest.update(repr(way.found).encode())
    return digest.hexdigest()
