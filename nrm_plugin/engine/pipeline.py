"""From curves to results: survey, then blocks of curves on several threads, in bounded memory."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nrm_plugin.batch.tasks import travels
from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.decisions import ContactByHand, Decisions
from nrm_plugin.engine import checks, contacts_by_hand, provenance
from nrm_plugin.engine.chain import Chain, SurveyedDirection
from nrm_plugin.engine.ensemble import Surveyor, cosines
from nrm_plugin.engine.surface import STEEP, surface_slope
from nrm_plugin.engine.whole import Whole
from nrm_plugin.errors import OutputError
from nrm_plugin.formats import open as open_curves
from nrm_plugin.model import CurveSet
from nrm_plugin.potential.from_curves import mean_over_curves
from nrm_plugin.recipe import Recipe, as_recipe
from nrm_plugin.store.write_results import Results
from nrm_plugin.variables import BIT

if TYPE_CHECKING:
    import xarray as xr

#: Samples in work at once: all threads together, and each of them.
_IN_WORK, _IN_BLOCK = 1 << 21, 1 << 20

#: Curves are processed elsewhere if that takes less than a byte for as many of their samples.
_TO_SEND = 8

Progress = Callable[[int, int], None]

#: Calls a function for pieces of curves (first, stop), and gives these and what it returned.
Elsewhere = Callable[
    [Callable[[int, int], Any], Iterable[tuple[int, int]]], Iterator[tuple[int, int, Any]]
]


def process(
    curves: CurveSet | str | PathLike[str],
    recipe: Recipe | Mapping[str, Any] | str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    *,
    progress: Progress | None = None,
    threads: int | None = None,
    block: int | None = None,
    overwrite: bool = True,
    survey: xr.Dataset | str | PathLike[str] | None = None,
    decisions: Decisions | str | PathLike[str] | bool | None = None,
) -> xr.Dataset:
    """Find the solid contact of every curve, and the moduli of what lies above it.

    Parameters
    ----------
    curves : CurveSet or path
    recipe : Recipe, mapping or path, optional
        What is done; by default what `Recipe()` says.
    out : path, optional
        Results go to this file (.h5) while they are made, and what is returned reads from it when
        asked. The file gets its name when it is complete; after an interruption, the same call
        goes on where it stopped.
    progress : callable, optional
        Called with the curves done so far and their number. What it raises ends the chain.
    threads : int, optional
        By default one per processor. Results don't depend on it.
    block : int, optional
        Curves that are processed at once. Results don't depend on it.
    overwrite : bool
        Whether a file that is at `out` may be replaced, once the new one is complete.
    survey : Dataset or path, optional
        Results of all curves of which these are a part. What was learnt of all then (slope of the
        walls, fringe, drag, phase on the wall, slope of the surface) holds for the part, and each
        curve is processed as it was among all. A warning says what it was learnt by where the
        recipe is another one.
    decisions : Decisions, path or bool, optional
        What a person decided about these curves. Contacts by hand replace those that the method
        finds, and what follows from a contact follows from them. By default those that lie in
        ``NAME.decisions.toml`` beside `out`, if they are there; False leaves them out.

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
    curves = curves if isinstance(curves, CurveSet) else open_curves(curves)
    out = None if out is None else Path(out)
    decided = contacts_by_hand.decisions_of(curves, out, decisions)
    results = run(
        curves,
        as_recipe(recipe),
        out,
        progress=progress,
        threads=threads,
        block=block,
        overwrite=overwrite,
        survey=survey,
        decisions=False if decided is None else decided,
    )
    if out is None:
        made = results.dataset()
        if decided is None:
            return made
        from nrm_plugin.store.decided_results import with_decisions

        return with_decisions(made, decided)
    from nrm_plugin.store.read_results import open_results

    return open_results(out)


def run(
    curves: CurveSet | str | PathLike[str],
    recipe: Recipe,
    out: Path | None,
    *,
    progress: Progress | None = None,
    threads: int | None = None,
    block: int | None = None,
    overwrite: bool = True,
    survey: xr.Dataset | str | PathLike[str] | None = None,
    decisions: Decisions | str | PathLike[str] | bool | None = None,
    elsewhere: Elsewhere | None = None,
) -> Results:
    """Do what `process` does, without xarray: it takes longer to import than a small file to make.

    Parameters
    ----------
    elsewhere : callable, optional
        Calls a function for pieces (first, stop) on other computers, and gives first, stop and
        what it returned, in order: `nrm_plugin.batch.cluster.Cluster.blocks`. Otherwise threads
        here do it. Results don't depend on it.

    Returns
    -------
    Results
        Complete.
    """
    if not isinstance(curves, CurveSet):
        curves = open_curves(curves)
    if out is not None:
        _refuse_to_replace(curves, out)
    whole = None if survey is None else Whole.of(survey, curves)
    decided = contacts_by_hand.decisions_of(curves, out, decisions)
    by_hand = decided.contacts if decided is not None else {}
    ensemble = Surveyor(curves, whole.survey if whole else None, part=True).learn(recipe, by_hand)
    chain, directions, attributes = ensemble.chain, ensemble.directions, ensemble.attributes
    curves, evidence, shape = chain.curves, ensemble.evidence, chain.shape
    if by_hand:
        attributes["contacts_by_hand"] = contacts_by_hand.as_json(by_hand)
    hashes = provenance.hashes(curves)
    with Results(
        out,
        curves.n_curves,
        chain.axes,
        chain.variables,
        recipe.directions if len(directions) > 1 else None,
        attributes,
        _fingerprint(attributes, directions),
        overwrite,
    ) as results:
        # Samples that lie in files are read where they are needed; those in memory stay here.
        light = chain.to_send
        many = elsewhere is not None and travels(light, curves.n_samples // _TO_SEND)

        def all_blocks(
            function: Callable[[int, int], Any], begin: int = 0
        ) -> Iterator[tuple[int, int, Any]]:
            pieces = _pieces(curves, begin, block, 1 if many else threads)
            if many and elsewhere is not None:
                return elsewhere(function, pieces)
            return _blocks(function, pieces, threads)

        there = light if many else chain

        for number, direction in enumerate(directions):
            asked = whole is not None and recipe.correct_slope
            cosine = whole.cosine(direction.name) if whole and asked else None
            if cosine is None:
                cosine = cosines(chain, direction, all_blocks)
            begin = min(max(results.done - number * curves.n_curves, 0), curves.n_curves)
            work = partial(there.block, direction, cosine)
            for first, stop, made in all_blocks(work, begin):
                results.write(number, first, stop, made)
                hashes.follow(stop / curves.n_curves)
                if progress is not None:
                    progress(number * curves.n_curves + stop, len(directions) * curves.n_curves)
        for number, direction in enumerate(directions):
            known = whole.places(direction.name) if whole else None
            _flag_slopes(results, curves, number, known)
        notes = list(decided.notes) if decided else []
        if by_hand:
            found_now, missing = _of_contacts(chain, directions)
            used = by_hand.keys() - missing
            results.set("by_hand", contacts_by_hand.moved_bits(used, curves.n_curves))
            notes += contacts_by_hand.notes(by_hand, recipe.directions, found_now, missing)
        results.set("shape_factor", shape.values)
        if shape.computed is not None:
            results.set("shape_factor_computed", shape.computed)
        results.coordinates = curves.curve_table
        results.logs = curves.logs
        if out is not None and not curves.logs and "current" in curves.channels:
            results.curve_current = mean_over_curves(curves, "current")
        results.attributes["source_sha256"] = hashes.result()
        if out is not None:
            results.attributes["source_path"] = provenance.places(curves, out)
        notes += whole.notes(recipe) if whole else ()
        if whole and whole.survey:
            said = whole.warnings
            results.attributes |= whole.attributes
        else:
            found = checks.run(evidence)
            results.attributes["checks"] = checks.as_json(found)
            results.attributes["electrode"] = checks.what_distances_are(evidence)
            surveys = [d.survey for d in directions]
            said = checks.warnings(curves, recipe, evidence.plan, shape, surveys, results, found)
        results.attributes["warnings"] = "\n".join([*notes, *said])
    # What was said of the whole is not said again of every part.
    checks.log("\n".join(notes if whole and whole.survey else [*notes, *said]))
    return results


def _refuse_to_replace(curves: CurveSet, out: Path) -> None:
    """Raise if results would replace the file that the curves are read from."""
    for channel in curves.channels.values():
        stamp = getattr(channel.column, "stamp", None)
        if stamp is not None and out.exists() and out.samefile(stamp.path):
            raise OutputError(out, "the curves are read from it; give results another name")


def _pieces(
    curves: CurveSet, begin: int, block: int | None, threads: int | None
) -> Iterator[tuple[int, int]]:
    """Consecutive curves (first, stop) that are processed together."""
    if block is not None:
        for first in range(begin, curves.n_curves, block):
            yield first, min(first + block, curves.n_curves)
        return
    for first, stop in curves.blocks(min(_IN_WORK // _workers(threads), _IN_BLOCK)):
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


def _flag_slopes(
    results: Results, curves: CurveSet, number: int, known: tuple[FloatArray, IntArray] | None
) -> None:
    """Find the slope of the surface, once all contacts are known, and flag steep places.

    Of a part, `known` has slopes and flags as they are among all curves.
    """
    quality = results.get("quality", number)
    if known is None:
        height = results.get("contact_height", number)
        height[(quality & BIT["no_hard_contact"]) != 0] = np.nan
        angle = surface_slope(curves, height)
        with np.errstate(invalid="ignore"):
            steep = np.where(angle > STEEP, BIT["slope_of_surface"], 0)
    else:
        angle, steep = known
    results.set("surface_slope", angle, number)
    results.set("quality", quality | steep, number)


def _of_contacts(
    chain: Chain, directions: Sequence[SurveyedDirection]
) -> tuple[dict[tuple[int, str], ContactByHand], list[tuple[int, str]]]:
    """What the method finds where a person set contacts, and those that miss their curves."""
    found, missing = {}, []
    by_method = replace(chain, by_hand={})
    for direction in directions:
        for number in sorted(i for i, name in chain.by_hand if name == direction.name):
            block, now = by_method.referenced(direction, number, number + 1)
            if chain.by_hand[number, direction.name].misses(block.height):
                missing.append((number, direction.name))
                continue
            moved = chain.referenced(direction, number, number + 1)[1]
            if np.isfinite(moved.contacts["contact"][0]):
                stderr = direction.contact_stderr(now.contacts)
                height = now.contacts["contact"] + direction.drag[0]
                found[number, direction.name] = ContactByHand(float(height[0]), float(stderr[0]))
    return found, missing


def _fingerprint(attributes: dict[str, Any], directions: Sequence[SurveyedDirection]) -> str:
    """Tell whether a half-finished file is of the same curves, recipe and version."""
    digest = hashlib.sha256(repr(sorted(attributes.items())).encode())
    for direction in directions:
        digest.update(np.ascontiguousarray(direction.ranges).tobytes())
        digest.update(repr(direction.survey).encode())
    return digest.hexdigest()
