"""What some curves tell before all are processed: surveys, and evidence for self-checks."""

from __future__ import annotations

import contextlib
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from nrm_plugin import kernels
from nrm_plugin.columns import AnyArray, ComplexArray, IntArray
from nrm_plugin.engine import checks
from nrm_plugin.engine.chain import Chain, ProcessedBlock, SurveyedDirection
from nrm_plugin.engine.checks import Evidence, Measured, ProcessedCurves
from nrm_plugin.engine.checks.evidence import OPPOSITE
from nrm_plugin.engine.compiled import RecordArray
from nrm_plugin.engine.contact import (
    Referenced,
    crossing_for,
    find_contacts,
)
from nrm_plugin.engine.contact_scatter import contact_scatter
from nrm_plugin.engine.kept_survey import of_contacts
from nrm_plugin.engine.lateral_baseline import is_level, lateral_baseline
from nrm_plugin.engine.shape_factor import shape_factor
from nrm_plugin.engine.signals import (
    Block,
    RawBlock,
    parts,
    plan,
    read_block,
    read_once,
    sampled_blocks,
)
from nrm_plugin.engine.stand_ins import with_stand_ins
from nrm_plugin.engine.survey import SURVEYED, Survey, chosen, correlation, survey, with_contacts
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Contact, Recipe
from nrm_plugin.variables import (
    BIN_WIDTH,
)


@dataclass(frozen=True, kw_only=True)
class SurveyedCurves:
    """Some curves of a direction, what they share, and their contacts.

    Attributes
    ----------
    ranges : (n_curves, 2) array of int
        From `parts`.
    numbers : (n,) array of int
        Of the curves.
    block : Block
    survey : Survey
        Before it is decided what is taken out of the lateral signal.
    referenced : Referenced
    """

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


class _ReadCurves(NamedTuple):
    ranges: AnyArray
    numbers: IntArray
    block: Block


class SampledCurves:
    """Reads and surveys some curves of a set.

    Parameters
    ----------
    keep : bool
        Whether what was read and found is kept for other recipes, as long as it is small.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self._keep = keep
        self._kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def survey(self, chain: Chain, direction: str, most: int = SURVEYED) -> SurveyedCurves:
        """Learn what the curves of a direction share.

        Raises
        ------
        InvalidInput
            If no curve has this direction.
        """
        contact = chain.recipe.contact
        found: SurveyedCurves = self._made(
            ("survey", direction, most, of_contacts(chain.recipe)),
            lambda: self._survey(chain, direction, most, contact),
        )
        return found

    def raw_blocks(
        self, chain: Chain, direction: str, most: int
    ) -> Iterable[tuple[IntArray, RawBlock]]:
        """Numbers of some curves, as they were recorded; see `sampled_blocks`."""

        def read() -> Iterator[tuple[IntArray, RawBlock]]:
            return sampled_blocks(chain.curves, chain.plan, direction, most)

        if not self._keep:
            return read()
        found: list[tuple[IntArray, RawBlock]] = self._made(
            ("raw", direction, most), lambda: list(read())
        )
        return found

    def _made(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = make()
        if self._keep and _samples(made) <= _MOST_SAMPLES:
            self._kept[key] = made
            while len([1 for kind, *_ in self._kept if kind == key[0]]) > _KEPT[key[0]]:
                del self._kept[next(old for old in self._kept if old[0] == key[0])]
        return made

    def _read(self, chain: Chain, direction: str, most: int) -> _ReadCurves:
        ranges = parts(chain.curves, direction)
        there = np.flatnonzero(ranges[:, 1] > ranges[:, 0])
        if not len(there):
            raise InvalidInput(f"no curve has a part that is called {direction}")
        numbers = there[chosen(len(there), most)]
        block = read_block(chain.curves, chain.plan, ranges, numbers, direction)
        return _ReadCurves(ranges, numbers, block)

    def _survey(self, chain: Chain, direction: str, most: int, contact: Contact) -> SurveyedCurves:
        read: _ReadCurves = self._made(
            ("read", direction, most), lambda: self._read(chain, direction, most)
        )
        block = read.block
        wanted = {"interference": contact.interference, "spikes": contact.spikes}
        found: Survey = self._made(
            ("walls", direction, most, *wanted.values()), lambda: survey(block, **wanted)
        )
        # A method that finds curve by curve need not say anything of walls.
        if not hasattr(contact.chosen, "find_block"):
            contact = contact.model_copy(update={"method": Contact().method})
        referenced = find_contacts(block, chain.plan, contact, found)
        found = with_contacts(found, referenced.contacts)
        if contact is chain.recipe.contact:
            crossing = crossing_for(contact, found)
            scatter = contact_scatter(block, referenced.contacts, crossing, found.fringe)
            found = replace(found, contact_scatter=scatter)
        return SurveyedCurves(
            ranges=read.ranges,
            numbers=read.numbers,
            block=block,
            survey=found,
            referenced=referenced,
        )


#: How many of each kind are kept, and of how many samples at most.
_KEPT = {"survey": 4, "raw": 4, "read": 4, "walls": 16}
_MOST_SAMPLES = 1 << 20


def _samples(made: Any) -> int:
    """Samples that what was made holds."""
    if isinstance(made, SurveyedCurves | _ReadCurves):
        return len(made.block.height)
    if isinstance(made, list):
        return sum(raw.height.numbers.size for _, raw in made)
    return 0


def survey_direction(
    chain: Chain, direction: str, most: int = SURVEYED, sampled: SampledCurves | None = None
) -> SurveyedDirection:
    """Learn what the curves of a direction share, and refuse what cannot be."""
    sampled = sampled or SampledCurves()
    here = sampled.survey(chain, direction, most)
    checks.refuse_wrong_signs(here.block, here.referenced)
    checks.refuse_output_volts(chain.curves, chain.plan, here.numbers)
    return SurveyedDirection(
        direction, here.ranges, _with_lateral_baseline(chain, direction, here, sampled, most)
    )


def _with_lateral_baseline(
    chain: Chain, direction: str, here: SurveyedCurves, sampled: SampledCurves, most: int
) -> Survey:
    """Decide what is taken out of the lateral signal; ask the other direction if it matters."""
    found = here.survey
    if not chain.plan.lateral:
        return found
    reach = float(chain.recipe.depth.values[-1]) + found.half_width(
        chain.recipe.derivative.half_width
    )
    far, other = here.lateral_baselines(reach), None
    if not is_level(far, reach):
        with contextlib.suppress(InvalidInput):
            back = sampled.survey(chain, OPPOSITE[direction], most)
            other = back.lateral_baselines(reach)
    lateral = lateral_baseline(far, other, reach)
    if not lateral.line:
        return replace(found, lateral=lateral)
    return replace(found, lateral=lateral, correlation=correlation(here.block, line=True))


def drag_of(evidence: Evidence) -> checks.DragShift | None:
    """How drag moves the contacts; None where the curves do not have both directions."""
    found = checks.directions_of(evidence)
    return None if found is None else checks.drag_shift(found)


def without_drag(
    directions: Sequence[SurveyedDirection], moved: checks.DragShift | None, contact: Contact
) -> list[SurveyedDirection]:
    """The same with what drag does to the contacts, where both directions show it.

    Drag that is left where it is is a systematic error of theirs.
    """
    if moved is None:
        return list(directions)
    if contact.drag == "ignored":
        left = {name: math.hypot(shift, moved.systematic) for name, shift in moved.shift.items()}
        return [replace(d, drag=(0.0, left[d.name])) for d in directions]
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
    curves = read_once(curves, how)
    depth = np.array(recipe.depth.values)
    shape = shape_factor(recipe.shape_factor, curves, depth)
    chain = Chain(curves=curves, recipe=recipe, plan=how, depth=depth, shape=shape)
    return evidence_of(
        chain, [survey_direction(chain, name) for name in recipe.directions], missing
    )


def evidence_of(
    chain: Chain,
    directions: Sequence[SurveyedDirection],
    missing: frozenset[str] = frozenset(),
    sampled: SampledCurves | None = None,
) -> Evidence:
    """What self-checks look at; directions that are not processed are surveyed when asked for."""
    reading = sampled or SampledCurves()
    known: dict[str, SurveyedDirection | None] = {d.name: d for d in directions}

    def known_of(name: str) -> SurveyedDirection | None:
        if name not in known:
            try:
                known[name] = survey_direction(chain, name, checks.COMPARED, reading)
            except InvalidInput:  # the curves do not have it, or it makes no sense
                known[name] = None
        return known[name]

    processed = {d.name for d in directions}

    def done(
        direction: SurveyedDirection, changed: Chain, most: int
    ) -> Iterator[tuple[IntArray, RawBlock, ProcessedBlock]]:
        for numbers, raw in reading.raw_blocks(chain, direction.name, most):
            yield numbers, raw, changed.done(direction, raw, np.ones(len(numbers)))

    def measure(name: str) -> Measured | None:
        direction = known_of(name)
        if direction is None:
            return None
        # One distance is the least that the chain can be asked for.
        shortest = replace(chain.shape, values=chain.shape.values[:1])
        changed = replace(chain, depth=chain.depth[:1], shape=shortest)
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
        direction = known_of(name)
        if direction is None:
            return None
        made = [found for _, _, found in done(direction, chain, checks.COMPARED)]
        return ProcessedCurves(
            depth=chain.depth,
            distance_bin=chain.axes.get("distance_bin", np.empty(0)),
            values={row: np.concatenate([m.rows[row] for m in made]) for row in made[0].rows},
            valid=np.concatenate([m.valid for m in made]),
        )

    return Evidence(
        curves=chain.curves,
        recipe=chain.recipe,
        plan=chain.plan,
        depth=chain.depth,
        shape=chain.shape,
        measure=measure,
        profile=profile,
        missing=missing,
    )


def _above_the_wall(done: ProcessedBlock) -> ComplexArray:
    """Mean lateral force of each curve between 1 and 4 nm above the wall; nan without samples."""
    if not len(done.lateral):
        return np.full(len(done.contacts), np.nan, complex)
    bins = slice(round(1e-9 / BIN_WIDTH), round(4e-9 / BIN_WIDTH))
    x, y, count = (done.rows[f"binned_force_{name}"][:, bins] for name in kernels.BINS)
    force = np.where(count > 0, x + 1j * y, 0.0) * count
    with np.errstate(invalid="ignore"):
        mean: ComplexArray = force.sum(1) / count.sum(1).astype(float)
    return mean
