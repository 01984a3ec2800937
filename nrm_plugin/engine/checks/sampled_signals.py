"""Signals of a few curves, side by side, for checks that need more than records of contacts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nrm_plugin.columns import ComplexArray, FloatArray, IntArray
from nrm_plugin.engine.checks.evidence import Evidence
from nrm_plugin.engine.contact import find_contacts
from nrm_plugin.engine.signals import intervals, parts, read_raw_block
from nrm_plugin.kernels import RecordArray
from nrm_plugin.recipe import Contact

#: Curves of a direction whose signals are looked at, and samples of all of them together.
_CURVES, _SAMPLES = 128, 1 << 19


@dataclass(frozen=True, kw_only=True)
class SampledSignals:
    """One row per curve, samples from far away to the surface; nan behind the last one.

    Attributes
    ----------
    direction : str
    numbers : (n,) array of int
        Of the curves.
    lengths : (n,) array of int
    height : (n, m) array
        In m.
    deflection : (n, m) array
        In m, without spikes and fringe; its baseline is still in it.
    lateral : (n, m) complex array or None
        Peak force in N after the correction of the instrument's phase.
    contacts : (n,) array of `kernels.CONTACT`
    interval : (n,) array
        Time between samples in s; nan where it is not known.
    """

    direction: str
    numbers: IntArray
    lengths: IntArray
    height: FloatArray
    deflection: FloatArray
    lateral: ComplexArray | None
    contacts: RecordArray
    interval: FloatArray

    def __len__(self) -> int:
        return len(self.numbers)

    def of(self, numbers: IntArray) -> SampledSignals:
        """Only some of the curves, by their numbers."""
        rows = np.flatnonzero(np.isin(self.numbers, numbers))
        if len(rows) == len(self):
            return self
        return SampledSignals(
            direction=self.direction,
            numbers=self.numbers[rows],
            lengths=self.lengths[rows],
            height=self.height[rows],
            deflection=self.deflection[rows],
            lateral=None if self.lateral is None else self.lateral[rows],
            contacts=self.contacts[rows],
            interval=self.interval[rows],
        )

    @property
    def turn(self) -> FloatArray:
        """Height of the last sample before the surface, in m, (n,)."""
        last = np.maximum(self.lengths - 1, 0)
        turn: FloatArray = self.height[np.arange(len(self)), last]
        return turn

    @property
    def begin(self) -> FloatArray:
        """Height of the first sample, far from the surface, in m, (n,)."""
        begin: FloatArray = self.height[:, 0]
        return begin

    @property
    def spacing(self) -> FloatArray:
        """Height between samples, in m, (n,)."""
        return np.abs(self.begin - self.turn) / np.maximum(self.lengths - 1, 1)

    @property
    def speed(self) -> FloatArray:
        """Of the ramp, in m/s, (n,); nan where there are no times."""
        return self.spacing / self.interval

    @cached_property
    def force(self) -> FloatArray:
        """Deflection without its baseline, in m, (n, m)."""
        tilt = self.contacts["baseline_slope"][:, None] * self.height
        force: FloatArray = self.deflection - self.contacts["baseline_at"][:, None] - tilt
        return force

    @cached_property
    def baseline(self) -> np.ndarray:
        """Whether a sample belongs to the baseline, (n, m)."""
        ends = np.nan_to_num(self.contacts["baseline_end"])
        inside: np.ndarray = np.arange(self.height.shape[1]) < ends[:, None]
        return inside

    @cached_property
    def lateral_zero(self) -> ComplexArray:
        """Mean lateral force far from the surface, in N, (n,)."""
        assert self.lateral is not None
        inside = self.baseline & np.isfinite(self.lateral)
        total = np.where(inside, self.lateral, 0.0).sum(1)
        mean: ComplexArray = total / np.maximum(inside.sum(1), 1)
        return mean

    @cached_property
    def touch(self) -> FloatArray:
        """Height at which the tip first is at the electrode, coming from far away, in m, (n,).

        The force of a layer bends the lever before: this is not where the lines cross. A retract
        gives where the tip leaves.
        """
        slope = np.abs(self.contacts["wall_slope"])[:, None]
        z = self.height - self.contacts["contact"][:, None] + self.force / slope
        m = z.shape[1]
        smooth = z.copy()
        smooth[:, 2 : m - 2] = sum(z[:, i : m - 4 + i] for i in range(5)) / 5.0
        limit = np.maximum(0.4e-9, 1.5 * self.contacts["noise"])[:, None]
        with np.errstate(invalid="ignore"):
            inside = smooth < limit
        inside[:, :2] = False
        first = np.argmax(inside, axis=1)
        found: FloatArray = self.height[np.arange(len(self)), first]
        return np.where(inside.any(1), found, np.nan)

    def on_wall(self, low: float, high: float) -> np.ndarray:
        """Whether a sample lies on the wall, between two parts of the largest deflection, (n, m).

        Samples are taken by their number in a row, and not by their deflection: noise would choose
        among them.
        """
        n, m = self.height.shape
        at, last = self.contacts["contact"], self.turn
        reach = np.abs(at - last)
        way = np.abs(self.height - at[:, None]) / np.maximum(reach, 1e-12)[:, None]
        order = np.arange(m) >= np.nan_to_num(self.contacts["wall_begin"], nan=m)[:, None]
        with np.errstate(invalid="ignore"):
            inside: np.ndarray = order & (way >= low) & (way <= high)
        return inside & np.isfinite(at)[:, None] if n else inside


def signals_of(evidence: Evidence, direction: str) -> SampledSignals | None:
    """Read signals of a few curves of a direction; None if the curves do not have it."""
    found = evidence.remember(f"signals of {direction}", lambda: _read(evidence, direction))
    assert found is None or isinstance(found, SampledSignals)
    return found


def both_directions(evidence: Evidence) -> tuple[SampledSignals, SampledSignals] | None:
    """Signals of approach and retract of the same curves; None without one of them."""
    approach, retract = (signals_of(evidence, name) for name in ("approach", "retract"))
    if approach is None or retract is None:
        return None
    numbers = np.intersect1d(approach.numbers, retract.numbers)
    if not len(numbers):
        return None
    return approach.of(numbers), retract.of(numbers)


def _read(evidence: Evidence, direction: str) -> SampledSignals | None:
    measured = evidence.of(direction)
    if measured is None:
        return None
    few = int(np.clip(_SAMPLES // max(int(np.median(measured.samples)), 1), 8, _CURVES))
    # The same curves in both directions.
    of = evidence.processed.numbers
    rows = np.linspace(0, len(of) - 1, min(few, len(of))).round().astype(np.int64)
    ranges = parts(evidence.curves, direction)
    numbers = of[rows][ranges[of[rows], 1] > ranges[of[rows], 0]]
    raw = read_raw_block(evidence.curves, evidence.plan, ranges, numbers, direction)
    block = raw.gathered()
    contact = evidence.recipe.contact
    if not hasattr(contact.chosen, "find_block"):  # it may say nothing of windows
        contact = contact.model_copy(update={"method": Contact().method})
    referenced = find_contacts(block, evidence.plan, contact, measured.survey)
    longest = int(block.lengths.max(initial=0))
    inside = np.arange(longest) < block.lengths[:, None]

    def rows_of(values: FloatArray) -> FloatArray:
        table = np.full(inside.shape, np.nan)
        table[inside] = values
        return table

    lateral = None
    if evidence.plan.lateral:
        lateral = rows_of(block.in_phase) + 1j * rows_of(block.quadrature)
    return SampledSignals(
        direction=direction,
        numbers=numbers,
        lengths=block.lengths,
        height=rows_of(block.height),
        deflection=rows_of(referenced.clean),
        lateral=lateral,
        contacts=referenced.contacts,
        interval=intervals(evidence.curves, ranges, numbers),
    )


def lines(
    x: FloatArray, y: FloatArray, inside: np.ndarray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Straight lines through the rows of two tables.

    Parameters
    ----------
    x, y : (n, m) arrays
    inside : (n, m) array of bool
        Which values count.

    Returns
    -------
    middle : (n,) array
        Mean of x.
    level, slope : (n,) arrays
        Of the line at the middle; nan where fewer than 4 values count.
    """
    inside = inside & np.isfinite(x) & np.isfinite(y)
    count = inside.sum(1)
    few = np.where(count < 4, np.nan, np.maximum(count, 1))
    middle = np.where(inside, x, 0.0).sum(1) / few
    level = np.where(inside, y, 0.0).sum(1) / few
    off = np.where(inside, x - middle[:, None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = (off * np.where(inside, y - level[:, None], 0.0)).sum(1) / (off**2).sum(1)
    return middle, level, slope


def median(values: FloatArray) -> float:
    """Median of what is finite; nan without any."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else np.nan


def mean_over_curves(table: FloatArray, least: float) -> FloatArray:
    """Mean of each column of a table, nan where less than a part of the rows have a value."""
    there = np.isfinite(table)
    count = there.sum(0)
    total = np.where(there, table, 0.0).sum(0, dtype=np.float64)
    return np.where(count > least * len(table), total / np.maximum(count, 1), np.nan)


def pooled(values: FloatArray, least: float = 0.0) -> tuple[float, float]:
    """Median over curves and its standard error, nan without any.

    Parameters
    ----------
    values : (n,) array
        nan where there is none.
    least : float
        Standard error of one value that noise alone gives.
    """
    values = values[np.isfinite(values)]
    n = len(values)
    if not n:
        return np.nan, np.nan
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle))) if n > 2 else 0.0
    # Few values say little of how much they scatter.
    return middle, 1.2533 * max(spread, least) / np.sqrt(n) * (1.0 + 2.0 / n)
