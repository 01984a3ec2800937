"""From curves to results: survey, then blocks of curves on several threads, in bounded memory."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nrm_plugin import kernels
from nrm_plugin.calibration import lockin
from nrm_plugin.columns import AnyArray, ComplexArray, FloatArray, IntArray
from nrm_plugin.engine import checks, compiled, methods, provenance
from nrm_plugin.engine.checks import Evidence, Measured, ProcessedCurves
from nrm_plugin.engine.compiled import CURVE, Crossing, Lever, RecordArray, ReferencedBlock
from nrm_plugin.engine.contact import (
    Referenced,
    crossing_for,
    find_contacts,
    flags,
    surface_class,
    systematic,
    windows,
)
from nrm_plugin.engine.derivative import lever_for, profiles
from nrm_plugin.engine.lateral_baseline import is_level, lateral_baseline, of_curves
from nrm_plugin.engine.moduli import moduli, n_rows
from nrm_plugin.engine.normal_channel import normal_channel
from nrm_plugin.engine.shape_factor import ShapeFactorValues, shape_factor
from nrm_plugin.engine.signals import (
    Block,
    Plan,
    RawBlock,
    parts,
    plan,
    read_block,
    read_raw_block,
    sampled_blocks,
)
from nrm_plugin.engine.stand_ins import with_stand_ins
from nrm_plugin.engine.surface import STEEP, surface_slope
from nrm_plugin.engine.survey import SURVEYED, Survey, chosen, correlation, survey, with_contacts
from nrm_plugin.errors import InvalidInput, OutputError
from nrm_plugin.formats import open as open_curves
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Contact, Recipe, as_recipe
from nrm_plugin.store.write_results import Results
from nrm_plugin.variables import (
    BEYOND,
    BIN_WIDTH,
    BIT,
    COMPUTED,
    CONTACT,
    GRADIENTS,
    LATERAL,
    Variable,
)

if TYPE_CHECKING:
    import xarray as xr

#: Samples in work at once: all threads together, and each of them.
_IN_WORK, _IN_BLOCK = 1 << 21, 1 << 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Direction:
    """What is known of one direction before its curves are processed."""

    name: str
    ranges: AnyArray
    survey: Survey
    #: How far drag of the liquid moves the contact heights (m), and what is unknown of that.
    drag: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What the chain makes of a block of curves.

    Attributes
    ----------
    contacts : array of `kernels.CONTACT`
    lateral : array of `kernels.LATERAL_CHECK`
        Empty without a lateral signal.
    normal : array of `kernels.NORMAL_CHANNEL`
    far : array of `kernels.LATERAL_BASELINE`
        Empty without a lateral signal.
    quality : array of int
        Flags as bits.
    valid : array
        Smallest distance with an estimate, in m.
    rows : mapping of str to array
        Profiles and bins by the names of the results.
    """

    contacts: RecordArray
    lateral: RecordArray
    normal: RecordArray
    far: RecordArray
    quality: IntArray
    valid: FloatArray
    rows: dict[str, AnyArray]


@dataclass(frozen=True, kw_only=True)
class _Work:
    """Everything that a block of curves needs."""

    curves: CurveSet
    recipe: Recipe
    plan: Plan
    depth: FloatArray
    shape: ShapeFactorValues

    @property
    def axes(self) -> dict[str, FloatArray]:
        """Distances of the results, in m."""
        if not self.plan.lateral:
            return {"depth": self.depth}
        count = np.ceil((self.depth[-1] + BEYOND) / BIN_WIDTH - 1e-6)
        return {"depth": self.depth, "distance_bin": (np.arange(count) + 0.5) * BIN_WIDTH}

    @property
    def variables(self) -> dict[str, Variable]:
        """What the results hold."""
        if not self.plan.lateral:
            return CONTACT
        all_rows = n_rows(self.plan, self.shape.values) == len(kernels.RESULTS)
        beside = COMPUTED if self.shape.computed is not None else {}
        return CONTACT | LATERAL | beside | (GRADIENTS if all_rows else {})

    def referenced(self, direction: _Direction, first: int, stop: int) -> tuple[Block, Referenced]:
        """Read some curves and find their contacts."""
        block = read_block(
            self.curves, self.plan, direction.ranges, slice(first, stop), direction.name
        )
        return block, find_contacts(block, self.plan, self.recipe.contact, direction.survey)

    def block(
        self, direction: _Direction, cosine: FloatArray, first: int, stop: int
    ) -> dict[str, AnyArray]:
        """Process some curves: everything that the results hold of them."""
        raw = read_raw_block(
            self.curves, self.plan, direction.ranges, slice(first, stop), direction.name
        )
        done = self.done(direction, raw, cosine[first:stop])
        contacts = done.contacts
        wall = checks.on_the_wall(done.lateral, self.plan.lateral_stiffness)
        slope, at = contacts["baseline_slope"], contacts["baseline_at"]
        drag, unsure = direction.drag
        # The lines cross at the contact, and distances are the same with and without drag.
        with np.errstate(invalid="ignore"):
            undragged = drag * np.nan_to_num(contacts["wall_slope"], nan=-1.0) if drag else 0.0
        return (
            done.rows
            | (wall | of_curves(done.far) if self.plan.lateral else {})
            | windows(raw, contacts)
            | normal_channel(
                done.normal,
                contacts,
                raw.lengths,
                inwards=direction.name == "approach",
                lateral=self.plan.lateral,
            )
            | {
                "contact_height": contacts["contact"] + drag,
                "contact_height_stderr": contacts["stderr"],
                "contact_height_systematic": np.hypot(
                    systematic(contacts), np.hypot(unsure, direction.survey.contact_common)
                ),
                "quality": done.quality,
                "surface_class": surface_class(contacts, done.quality, direction.survey),
                "depth_valid_min": done.valid,
                "wall_slope": contacts["wall_slope"],
                "wall_length": contacts["wall_length"],
                "baseline_slope": slope,
                "baseline_deflection": at + slope * (contacts["contact"] + drag) + undragged,
                "deflection_noise": contacts["noise"],
            }
        )

    def done(self, direction: _Direction, raw: RawBlock, cosine: FloatArray) -> _Done:
        """What the chain makes of some curves."""
        own = self._own(raw, cosine)
        crossing = self._own_crossing(direction)
        if crossing is None:
            done = self._by_methods(direction, raw, own)
        else:
            done = self._in_one_pass(direction, raw, own, crossing)
        self._leave_out(direction.survey.nearest(self.recipe.derivative.half_width), done)
        return done

    def _leave_out(self, nearest: float, done: _Done) -> None:
        """Take away what lies nearer to the electrode than samples can tell."""
        near = self.depth < nearest
        if not near.any():
            return
        for name in set(kernels.RESULTS) & set(done.rows):
            done.rows[name][:, near] = np.nan
        there = np.isfinite(done.rows["force_normal"])
        done.valid[:] = np.where(there.any(1), self.depth[there.argmax(1)], np.nan)

    def _own_crossing(self, direction: _Direction) -> Crossing | None:
        """How the compiled loops find contacts; None if a method of the recipe is a plugin's."""
        contact = self.recipe.contact
        method = methods.own(contact.chosen)
        if method is None or methods.own(self.recipe.derivative.chosen) is None:
            return None
        found: Crossing = crossing_for(contact, direction.survey)._replace(
            **method.crossing(contact.settings)
        )
        return found

    def _in_one_pass(
        self, direction: _Direction, raw: RawBlock, own: RecordArray, crossing: Crossing
    ) -> _Done:
        """Contacts, flags, smallest distances and profiles by our own methods."""
        turn = np.exp(-1j * raw.phase) if raw.phase else 1.0
        job = kernels.Job(
            turn=complex(turn),
            backwards=raw.backwards,
            contact=crossing.record(),
            profile=self._lever(direction).record(self.recipe.derivative.method),
            correlation=direction.survey.correlation,
            depth=self.depth,
            shape=self.shape.values.astype(np.float32),
            n_rows=n_rows(self.plan, self.shape.values),
            bin_width=BIN_WIDTH,
            n_bins=self._n_bins,
        )
        signals = raw.height, raw.deflection, raw.lateral
        made = kernels.process(job, *signals, raw.first, raw.lengths, own)
        quality = flags(raw, self.plan, made.contacts, direction.survey)
        if self.plan.lateral:
            quality = quality | checks.lateral_flags(made.checks)
        profiles = dict(zip(kernels.RESULTS, made.rows, strict=False))
        return _Done(
            contacts=made.contacts,
            lateral=made.checks if self.plan.lateral else made.checks[:0],
            normal=made.normals,
            far=made.baselines,
            quality=quality,
            valid=made.valid,
            rows=profiles | _binned(made.bins),
        )

    def _by_methods(self, direction: _Direction, raw: RawBlock, own: RecordArray) -> _Done:
        """Contacts, flags, smallest distances and profiles by the methods of plugins."""
        block = raw.gathered()
        referenced = find_contacts(block, self.plan, self.recipe.contact, direction.survey)
        layer = ReferencedBlock(
            begin=block.begin,
            height=block.height,
            deflection=referenced.clean,
            in_phase=block.in_phase,
            quadrature=block.quadrature,
            contacts=referenced.contacts,
            depth=self.depth,
            lever=self._lever(direction),
            curves=own,
            correlation=direction.survey.correlation,
        )
        found = profiles(layer, self.recipe.derivative)
        quality = referenced.quality
        lateral = np.empty(0, kernels.LATERAL_CHECK)
        far = np.empty(0, kernels.LATERAL_BASELINE)
        if self.plan.lateral:
            lateral = kernels.check_lateral(
                block.begin,
                referenced.clean,
                block.in_phase,
                block.quadrature,
                layer.contacts,
                own,
                block.height,
            )
            quality = quality | checks.lateral_flags(lateral)
            far = kernels.lateral_baselines(
                block.begin,
                block.height,
                block.in_phase,
                block.quadrature,
                layer.contacts,
                float(self.depth[-1]) + layer.lever.half_width,
            )
        normal = kernels.normal_channel(
            self._lever(direction).record(kernels.METHODS[0]),
            block.begin,
            block.height,
            referenced.clean,
            layer.lateral,
            layer.contacts,
            own,
        )
        rows = moduli(found, self.plan, self.shape.values)
        if self.plan.lateral:
            rows |= _binned(np.moveaxis(compiled.force_bins(layer, BIN_WIDTH, self._n_bins), 1, 0))
        return _Done(
            contacts=referenced.contacts,
            lateral=lateral,
            normal=normal,
            far=far,
            quality=quality,
            valid=found.depth_valid_min,
            rows=rows,
        )

    @property
    def _n_bins(self) -> int:
        return len(self.axes.get("distance_bin", ()))

    def _lever(self, direction: _Direction) -> Lever:
        return lever_for(self.recipe, self.plan, direction.survey)

    def _own(self, block: RawBlock, cosine: FloatArray) -> RecordArray:
        """What differs from curve to curve: delay of the lock-in, how long it feels the contact."""
        curves = np.zeros(len(block), CURVE)
        curves["cosine"] = cosine
        if not (self.plan.lag and self.recipe.lateral.lag):
            return curves
        with np.errstate(invalid="ignore", divide="ignore"):
            curves["delay"] = np.nan_to_num(self.plan.lag / block.interval, posinf=0.0)
            if block.backwards:
                settling = lockin.settling(self.plan.time_constant, self.plan.poles)
                curves["delay"] *= -1.0
                curves["settling"] = np.ceil(np.nan_to_num(settling / block.interval, posinf=0.0))
        return curves


def _binned(bins: AnyArray) -> dict[str, AnyArray]:
    """Bins of the lateral force by the names of the results; counts end where two bytes do."""
    names = (f"binned_force_{name}" for name in kernels.BINS)
    return dict(zip(names, np.minimum(bins, np.iinfo("u2").max), strict=False))


def process(
    curves: CurveSet | str | PathLike[str],
    recipe: Recipe | Mapping[str, Any] | str | PathLike[str] | None = None,
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
    curves : CurveSet or path
    recipe : Recipe, mapping or path, optional
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
    results = run(
        curves,
        as_recipe(recipe),
        None if out is None else Path(out),
        progress=progress,
        threads=threads,
        block=block,
        overwrite=overwrite,
    )
    if out is None:
        return results.dataset()
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
) -> Results:
    """Do what `process` does, without xarray: it takes longer to import than a small file to make.

    Returns
    -------
    Results
        Complete.
    """
    if not isinstance(curves, CurveSet):
        curves = open_curves(curves)
    if out is not None:
        _refuse_to_replace(curves, out)
    curves, how = plan(curves)
    depth = np.array(recipe.depth.values)
    shape = shape_factor(recipe.shape_factor, curves, depth)
    work = _Work(curves=curves, recipe=recipe, plan=how, depth=depth, shape=shape)
    directions = [_survey(work, name) for name in recipe.directions]
    evidence = _evidence(work, directions)
    directions = _without_drag(directions, evidence)
    attributes = provenance.attributes(curves, recipe, how, shape)
    if recipe.lateral.phase == "wall":
        phase = checks.phase_of_the_wall(evidence)
        attributes["lockin_phase_source"] = phase.source
        work = replace(work, plan=replace(how, phase=phase.value))
    attributes |= provenance.of_distances(recipe, [d.survey.slope for d in directions])
    if how.lateral:
        attributes |= provenance.of_lateral_baselines([d.survey.lateral for d in directions])
    asked = recipe.derivative.half_width
    attributes["half_width"] = max(d.survey.half_width(asked) for d in directions)
    hashes = provenance.hashes(curves)
    with Results(
        out,
        curves.n_curves,
        work.axes,
        work.variables,
        recipe.directions if len(directions) > 1 else None,
        attributes,
        _fingerprint(attributes, directions),
        overwrite,
    ) as results:
        for number, direction in enumerate(directions):
            cosine = _cosine(work, direction, threads, block)
            begin = min(max(results.done - number * curves.n_curves, 0), curves.n_curves)
            for first, stop, made in _blocks(
                partial(work.block, direction, cosine),
                _pieces(curves, begin, block, threads),
                threads,
            ):
                results.write(number, first, stop, made)
                hashes.follow(stop / curves.n_curves)
                if progress is not None:
                    progress(number * curves.n_curves + stop, len(directions) * curves.n_curves)
        _flag_slopes(results, curves, len(directions))
        results.set("shape_factor", shape.values)
        if shape.computed is not None:
            results.set("shape_factor_computed", shape.computed)
        results.coordinates = curves.curve_table
        results.attributes["source_sha256"] = hashes.result()
        found = checks.run(evidence)
        results.attributes["checks"] = checks.as_json(found)
        results.attributes["electrode"] = checks.what_distances_are(evidence)
        surveys = [d.survey for d in directions]
        results.attributes["warnings"] = "\n".join(
            checks.warnings(curves, recipe, how, shape, surveys, results, found)
        )
    checks.log(results.attributes["warnings"])
    return results


def _refuse_to_replace(curves: CurveSet, out: Path) -> None:
    """Raise if results would replace the file that the curves are read from."""
    for channel in curves.channels.values():
        stamp = getattr(channel.column, "stamp", None)
        if stamp is not None and out.exists() and out.samefile(stamp.path):
            raise OutputError(out, "the curves are read from it; give results another name")


@dataclass(frozen=True, kw_only=True)
class _Surveyed:
    """Some curves of a direction, what they share, and their contacts."""

    ranges: AnyArray
    numbers: IntArray
    block: Block
    survey: Survey
    referenced: Referenced

    def lateral_baselines(self, reach: float) -> RecordArray:
        """The lateral signals far away."""
        block, contacts = self.block, self.referenced.contacts
        signals = block.height, block.in_phase, block.quadrature
        return kernels.lateral_baselines(block.begin, *signals, contacts, reach)


def _surveyed(work: _Work, direction: str, most: int = SURVEYED) -> _Surveyed:
    """Learn what the curves of a direction share.

    Raises
    ------
    InvalidInput
        If no curve has this direction.
    """
    ranges = parts(work.curves, direction)
    there = np.flatnonzero(ranges[:, 1] > ranges[:, 0])
    if not len(there):
        raise InvalidInput(f"no curve has a part that is called {direction}")
    contact = work.recipe.contact
    numbers = there[chosen(len(there), most)]
    block = read_block(work.curves, work.plan, ranges, numbers, direction)
    found = survey(block, interference=contact.interference, spikes=contact.spikes)
    # A method that finds curve by curve need not say anything of walls.
    if not hasattr(contact.chosen, "find_block"):
        contact = contact.model_copy(update={"method": Contact().method})
    referenced = find_contacts(block, work.plan, contact, found)
    return _Surveyed(
        ranges=ranges,
        numbers=numbers,
        block=block,
        survey=with_contacts(found, referenced.contacts),
        referenced=referenced,
    )


def _survey(work: _Work, direction: str, most: int = SURVEYED) -> _Direction:
    """Learn what the curves of a direction share, and refuse what cannot be."""
    here = _surveyed(work, direction, most)
    checks.refuse_wrong_signs(here.block, here.referenced)
    checks.refuse_output_volts(work.curves, work.plan, here.numbers)
    return _Direction(direction, here.ranges, _with_lateral_baseline(work, direction, here, most))


def _with_lateral_baseline(work: _Work, direction: str, here: _Surveyed, most: int) -> Survey:
    """Decide what is taken out of the lateral signal; ask the other direction if it matters."""
    found = here.survey
    if not work.plan.lateral:
        return found
    reach = float(work.recipe.depth.values[-1]) + found.half_width(
        work.recipe.derivative.half_width
    )
    far, other = here.lateral_baselines(reach), None
    if not is_level(far, reach):
        with contextlib.suppress(InvalidInput):
            opposite = "retract" if direction == "approach" else "approach"
            back = _surveyed(work, opposite, most)
            other = back.lateral_baselines(reach)
    lateral = lateral_baseline(far, other, reach)
    if not lateral.line:
        return replace(found, lateral=lateral)
    return replace(found, lateral=lateral, correlation=correlation(here.block, line=True))


def _without_drag(directions: list[_Direction], evidence: Evidence) -> list[_Direction]:
    """The same with what drag does to the contacts, where both directions show it."""
    if evidence.recipe.contact.drag == "ignored":
        return directions
    found = checks.directions_of(evidence)
    if found is None:
        return directions
    moved = checks.drag_shift(found)
    return [replace(d, drag=(moved.shift[d.name], moved.systematic)) for d in directions]


def evidence(curves: CurveSet, recipe: Recipe) -> Evidence:
    """What self-checks look at, of curves that are not processed. Values may be missing.

    Raises
    ------
    InvalidInput, RecipeError
        As `process`.
    """
    curves, missing = with_stand_ins(curves)
    curves, how = plan(curves)
    depth = np.array(recipe.depth.values)
    shape = shape_factor(recipe.shape_factor, curves, depth)
    work = _Work(curves=curves, recipe=recipe, plan=how, depth=depth, shape=shape)
    return _evidence(work, [_survey(work, name) for name in recipe.directions], missing)


def _evidence(
    work: _Work, directions: Sequence[_Direction], missing: frozenset[str] = frozenset()
) -> Evidence:
    """What self-checks look at; directions that are not processed are surveyed when asked for."""
    known: dict[str, _Direction | None] = {d.name: d for d in directions}

    def surveyed(name: str) -> _Direction | None:
        if name not in known:
            try:
                known[name] = _survey(work, name, checks.COMPARED)
            except InvalidInput:  # the curves do not have it, or it makes no sense
                known[name] = None
        return known[name]

    processed = {d.name for d in directions}

    def done(
        direction: _Direction, changed: _Work, most: int
    ) -> Iterator[tuple[IntArray, RawBlock, _Done]]:
        for numbers, raw in sampled_blocks(work.curves, work.plan, direction.name, most):
            yield numbers, raw, changed.done(direction, raw, np.ones(len(numbers)))

    def measure(name: str) -> Measured | None:
        direction = surveyed(name)
        if direction is None:
            return None
        # One distance is the least that the chain can be asked for.
        shortest = replace(work.shape, values=work.shape.values[:1])
        changed = replace(work, depth=work.depth[:1], shape=shortest)
        most = checks.LOOKED_AT if name in processed else checks.COMPARED
        found = list(done(direction, changed, most))
        return Measured(
            direction=name,
            survey=direction.survey,
            numbers=np.concatenate([numbers for numbers, _, _ in found]),
            contacts=np.concatenate([made.contacts for _, _, made in found]),
            lateral=np.concatenate([made.lateral for _, _, made in found]),
            layer=np.concatenate([_above_the_wall(made) for _, _, made in found]),
            quality=np.concatenate([made.quality for _, _, made in found]),
            travel=np.concatenate([raw.travel for _, raw, _ in found]),
            samples=np.concatenate([raw.lengths for _, raw, _ in found]),
            interval=np.concatenate([raw.interval for _, raw, _ in found]),
        )

    def profile(name: str) -> ProcessedCurves | None:
        direction = surveyed(name)
        if direction is None:
            return None
        made = [found for _, _, found in done(direction, work, checks.COMPARED)]
        return ProcessedCurves(
            depth=work.depth,
            distance_bin=work.axes.get("distance_bin", np.empty(0)),
            values={row: np.concatenate([m.rows[row] for m in made]) for row in made[0].rows},
            valid=np.concatenate([m.valid for m in made]),
        )

    return Evidence(
        curves=work.curves,
        recipe=work.recipe,
        plan=work.plan,
        depth=work.depth,
        shape=work.shape,
        measure=measure,
        profile=profile,
        missing=missing,
    )


def _above_the_wall(done: _Done) -> ComplexArray:
    """Mean lateral force of each curve between 1 and 4 nm above the wall; nan without samples."""
    if not len(done.lateral):
        return np.full(len(done.contacts), np.nan, complex)
    bins = slice(round(1e-9 / BIN_WIDTH), round(4e-9 / BIN_WIDTH))
    x, y, count = (done.rows[f"binned_force_{name}"][:, bins] for name in kernels.BINS)
    force = np.where(count > 0, x + 1j * y, 0.0) * count
    with np.errstate(invalid="ignore"):
        mean: ComplexArray = force.sum(1) / count.sum(1).astype(float)
    return mean


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


def _cosine(
    work: _Work, direction: _Direction, threads: int | None, block: int | None
) -> FloatArray:
    """Factor of the distances: the cosine of the surface's slope, where the recipe asks for it."""
    n = work.curves.n_curves
    cosine = np.ones(n)
    if not work.recipe.correct_slope:
        return cosine
    height = np.empty(n)
    for first, stop, (_, found) in _blocks(
        partial(work.referenced, direction), _pieces(work.curves, 0, block, threads), threads
    ):
        height[first:stop] = found.contacts["contact"]
        height[first:stop][(found.quality & BIT["no_hard_contact"]) != 0] = np.nan
    angle = surface_slope(work.curves, height)
    known = np.isfinite(angle)
    cosine[known] = np.cos(angle[known])
    return cosine


def _flag_slopes(results: Results, curves: CurveSet, n_directions: int) -> None:
    """Find the slope of the surface, once all contacts are known, and flag steep places."""
    for number in range(n_directions):
        height = results.get("contact_height", number)
        quality = results.get("quality", number)
        height[(quality & BIT["no_hard_contact"]) != 0] = np.nan
        angle = surface_slope(curves, height)
        results.set("surface_slope", angle, number)
        with np.errstate(invalid="ignore"):
            steep = np.where(angle > STEEP, BIT["slope_of_surface"], 0)
        results.set("quality", quality | steep, number)


def _fingerprint(attributes: dict[str, Any], directions: list[_Direction]) -> str:
    """Tell whether a half-finished file is of the same curves, recipe and version."""
    digest = hashlib.sha256(repr(sorted(attributes.items())).encode())
    for direction in directions:
        digest.update(np.ascontiguousarray(direction.ranges).tobytes())
        digest.update(repr(direction.survey).encode())
    return digest.hexdigest()
