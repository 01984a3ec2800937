"""What is done with a block of curves: contacts, flags, profiles and moduli, in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nrm_plugin import kernels
from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.decisions import ContactByHand
from nrm_plugin.engine import checks, compiled, methods
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
from nrm_plugin.engine.contacts_by_hand import moved_contacts
from nrm_plugin.engine.derivative import lever_for, profiles
from nrm_plugin.engine.lateral_baseline import of_curves
from nrm_plugin.engine.moduli import moduli, n_rows
from nrm_plugin.engine.normal_channel import normal_channel
from nrm_plugin.engine.shape_factor import ShapeFactorValues
from nrm_plugin.engine.signals import (
    Block,
    Plan,
    RawBlock,
    read_block,
    read_raw_block,
    signals_alone,
)
from nrm_plugin.engine.survey import Survey
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe
from nrm_plugin.variables import (
    BEYOND,
    BIN_WIDTH,
    BIT,
    COMPUTED,
    CONTACT,
    DECIDED,
    GRADIENTS,
    LATERAL,
    OF_SLOPES,
    Variable,
)


@dataclass(frozen=True)
class SurveyedDirection:
    """What is known of one direction before its curves are processed."""

    name: str
    ranges: AnyArray
    survey: Survey
    #: How far drag of the liquid moves the contact heights (m), and what is unknown of that.
    drag: tuple[float, float] = (0.0, 0.0)

    def contact_stderr(self, contacts: RecordArray) -> FloatArray:
        """Standard errors of contacts as results have them, in m."""
        stderr: FloatArray = np.hypot(contacts["stderr"], self.survey.contact_scatter)
        return stderr


@dataclass(frozen=True, kw_only=True)
class ProcessedBlock:
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
    stderr : array
        Standard errors of the contacts, in m.
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
    stderr: FloatArray
    valid: FloatArray
    rows: dict[str, AnyArray]


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Everything that a block of curves needs."""

    curves: CurveSet
    recipe: Recipe
    plan: Plan
    depth: FloatArray
    shape: ShapeFactorValues
    #: Contacts that a person set, by curve and direction.
    by_hand: Mapping[tuple[int, str], ContactByHand] = field(default_factory=dict)

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
        common = CONTACT | (OF_SLOPES if self.recipe.correct_slope else {})
        common |= DECIDED if self.by_hand else {}
        if not self.plan.lateral:
            return common
        all_rows = n_rows(self.plan, self.shape.values) == len(kernels.RESULTS)
        beside = COMPUTED if self.shape.computed is not None else {}
        return common | LATERAL | beside | (GRADIENTS if all_rows else {})

    def referenced(
        self, direction: SurveyedDirection, first: int, stop: int
    ) -> tuple[Block, Referenced]:
        """Read some curves and find their contacts."""
        block = read_block(
            self.curves, self.plan, direction.ranges, slice(first, stop), direction.name
        )
        found = find_contacts(block, self.plan, self.recipe.contact, direction.survey)
        hands = [self.by_hand.get((number, direction.name)) for number in range(first, stop)]
        if any(hands):
            stderr = direction.contact_stderr(found.contacts)
            found = moved_contacts(block, found, stderr, hands, direction.drag[0])[0]
        return block, found

    @property
    def to_send(self) -> Chain:
        """The same for other processes: with as much of the curves as blocks need."""
        return replace(self, curves=signals_alone(self.curves, self.plan))

    def hard_contacts(self, direction: SurveyedDirection, first: int, stop: int) -> FloatArray:
        """Heights of the contacts of some curves, in m; nan without a hard contact."""
        found = self.referenced(direction, first, stop)[1]
        height: FloatArray = found.contacts["contact"].copy()
        height[(found.quality & BIT["no_hard_contact"]) != 0] = np.nan
        return height

    def block(
        self, direction: SurveyedDirection, cosine: FloatArray, first: int, stop: int
    ) -> dict[str, AnyArray]:
        """Process some curves: everything that the results hold of them."""
        raw = read_raw_block(
            self.curves, self.plan, direction.ranges, slice(first, stop), direction.name
        )
        found = self.values(direction, raw, self.done(direction, raw, cosine[first:stop]))
        if self.recipe.correct_slope:
            found["slope_cosine"] = cosine[first:stop]
        numbers = [i for i, name in self.by_hand if name == direction.name and first <= i < stop]
        for number in sorted(numbers):
            hand = self.by_hand[number, direction.name]
            row = self.row_by_hand(direction, number, cosine[number : number + 1], hand)
            for name, values in row.items():
                found[name][number - first] = values[0]
        return found

    def row_by_hand(
        self, direction: SurveyedDirection, number: int, cosine: FloatArray, hand: ContactByHand
    ) -> dict[str, AnyArray]:
        """What the results hold of one curve whose contact a person set."""
        raw = read_raw_block(
            self.curves, self.plan, direction.ranges, np.array([number]), direction.name
        )
        return self.values(direction, raw, self.done_by_hand(direction, raw, cosine, [hand]))

    def values(
        self, direction: SurveyedDirection, raw: RawBlock, done: ProcessedBlock
    ) -> dict[str, AnyArray]:
        """What the results hold of processed curves."""
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
                "contact_height_stderr": done.stderr,
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

    def done(
        self, direction: SurveyedDirection, raw: RawBlock, cosine: FloatArray
    ) -> ProcessedBlock:
        """What the chain makes of some curves."""
        own = self._own(raw, cosine)
        crossing = self._own_crossing(direction)
        if crossing is None:
            block = raw.gathered()
            referenced = find_contacts(block, self.plan, self.recipe.contact, direction.survey)
            done = self._of_contacts(direction, block, referenced, own)
        else:
            done = self._in_one_pass(direction, raw, own, crossing)
        self._leave_out(direction.survey.nearest(self.recipe.derivative.half_width), done)
        return done

    def done_by_hand(
        self,
        direction: SurveyedDirection,
        raw: RawBlock,
        cosine: FloatArray,
        by_hand: Sequence[ContactByHand | None],
    ) -> ProcessedBlock:
        """The same of curves at one slope, with contacts that a person set instead of some."""
        block = raw.gathered()
        referenced = find_contacts(block, self.plan, self.recipe.contact, direction.survey)
        stderr = direction.contact_stderr(referenced.contacts)
        moved, stderr = moved_contacts(block, referenced, stderr, by_hand, direction.drag[0])
        done = self._of_contacts(direction, block, moved, self._own(raw, cosine), float(cosine[0]))
        self._leave_out(direction.survey.nearest(self.recipe.derivative.half_width), done)
        return replace(done, stderr=stderr)

    def _leave_out(self, nearest: float, done: ProcessedBlock) -> None:
        """Take away what lies nearer to the electrode than samples can tell."""
        near = self.depth < nearest
        if not near.any():
            return
        for name in set(kernels.RESULTS) & set(done.rows):
            done.rows[name][:, near] = np.nan
        there = np.isfinite(done.rows["force_normal"])
        done.valid[:] = np.where(there.any(1), self.depth[there.argmax(1)], np.nan)

    def _own_crossing(self, direction: SurveyedDirection) -> Crossing | None:
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
        self, direction: SurveyedDirection, raw: RawBlock, own: RecordArray, crossing: Crossing
    ) -> ProcessedBlock:
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
        return ProcessedBlock(
            contacts=made.contacts,
            lateral=made.checks if self.plan.lateral else made.checks[:0],
            normal=made.normals,
            far=made.baselines,
            quality=quality,
            stderr=direction.contact_stderr(made.contacts),
            valid=made.valid,
            rows=profiles | _binned(made.bins),
        )

    def _of_contacts(
        self,
        direction: SurveyedDirection,
        block: Block,
        referenced: Referenced,
        own: RecordArray,
        cosine: float = 1.0,
    ) -> ProcessedBlock:
        """Flags, smallest distances and profiles of curves whose contacts are known.

        `cosine` is that of the first; how far away the lateral signal is a baseline goes by it.
        """
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
                float(self.depth[-1]) / cosine + layer.lever.half_width,
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
        return ProcessedBlock(
            contacts=referenced.contacts,
            lateral=lateral,
            normal=normal,
            far=far,
            quality=quality,
            stderr=direction.contact_stderr(referenced.contacts),
            valid=found.depth_valid_min,
            rows=rows,
        )

    @property
    def _n_bins(self) -> int:
        return len(self.axes.get("distance_bin", ()))

    def _lever(self, direction: SurveyedDirection) -> Lever:
        return lever_for(self.recipe, self.plan, direction.survey)

    def delay(self, raw: RawBlock) -> float:
        """Samples by which the lock-in lags in the first of some curves."""
        return float(self._own(raw, np.ones(len(raw)))["delay"][0])

    def _own(self, block: RawBlock, cosine: FloatArray) -> RecordArray:
        """What differs from curve to curve: delay of the lock-in, how long it feels the contact."""
        curves = np.zeros(len(block), CURVE)
        curves["cosine"] = cosine
        if not (self.plan.lag and self.recipe.lateral.lag):
            return curves
        with np.errstate(invalid="ignore", divide="ignore"):
            curves["delay"] = np.nan_to_num(self.plan.lag / block.interval, posinf=0.0)
            if block.backwards:
                settling = self.plan.settling
                curves["delay"] *= -1.0
                curves["settling"] = np.ceil(np.nan_to_num(settling / block.interval, posinf=0.0))
        return curves


def _binned(bins: AnyArray) -> dict[str, AnyArray]:
    """Bins of the lateral force by the names of the results; counts end where two bytes do."""
    names = (f"binned_force_{name}" for name in kernels.BINS)
    return dict(zip(names, np.minimum(bins, np.iinfo("u2").max), strict=False))
