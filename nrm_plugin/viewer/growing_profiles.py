"""Mean profiles by the electrode potential while curves come: no curve is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import stdtrit

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.statistics.regions import DEFAULT_EDGES, label
from nrm_plugin.statistics.selection import LEFT_OUT

#: A curve stays in the region of the one before within this distance (V) of its edges: noise of a
#: potential that is held at an edge opens no new visit.
AT_EDGES = 0.01

#: Parts of the modulus.
PARTS = ("storage", "loss")


@dataclass
class RunningMean:
    """Mean and scatter of profiles that come one by one (Welford 1962)."""

    count: IntArray
    mean: FloatArray
    squares: FloatArray

    @classmethod
    def of(cls, n: int) -> RunningMean:
        """Nothing yet, at `n` distances."""
        return cls(np.zeros(n, np.int64), np.zeros(n), np.zeros(n))

    def add(self, values: FloatArray) -> None:
        """Take a profile; nan is none at that distance."""
        known = np.isfinite(values)
        self.count[known] += 1
        away = np.where(known, values - self.mean, 0.0)
        self.mean += away / np.maximum(self.count, 1)
        self.squares += away * np.where(known, values - self.mean, 0.0)

    def interval(self, level: float = 0.95) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mean and the ends of its interval by Student's t; nan where there is none."""
        n = self.count
        freedom = np.maximum(n - 1, 1)
        width = stdtrit(freedom, 0.5 + 0.5 * level) * np.sqrt(
            self.squares / freedom / np.maximum(n, 1)
        )
        mean = np.where(n > 0, self.mean, np.nan)
        width = np.where(n > 1, width, np.nan)
        return mean, mean - width, mean + width


@dataclass(kw_only=True)
class GrowingRegion:
    """Curves of one visit to a range of potentials; None for the range is everything else."""

    label: str
    edges: tuple[float, float] | None
    n: int = 0
    left_out: int = 0
    parts: dict[str, RunningMean] = field(default_factory=dict)


class GrowingProfiles:
    """Means of E' and E'' by region, for curves in order of time.

    Regions are those of `nrm_plugin.statistics.regions`. A range of potentials that is visited
    again is a region of its own: what grew meanwhile is not mixed with what was. Curves are taken
    as independent samples, so the intervals are narrower than those of the statistics, which know
    places and correlations.

    Parameters
    ----------
    edges : floats
        In V.
    """

    def __init__(self, edges: Sequence[float] = DEFAULT_EDGES) -> None:
        self._edges = sorted(edges)
        self._visits: dict[tuple[float, float] | None, int] = {}
        self._now: GrowingRegion | None = None

    def add(
        self,
        potential: float,
        storage: FloatArray | None,
        loss: FloatArray | None,
        flags: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Take the next curve; return its region with the mean so far.

        Parameters
        ----------
        potential : float
            In V; nan where it is not known.
        storage, loss : (n,) arrays or None
            In Pa.
        flags : sequence of str
            With some of them (`LEFT_OUT`) a curve is counted, and left out of the mean.
        """
        region = self._region(potential)
        if any(flag in LEFT_OUT for flag in flags) or storage is None or loss is None:
            region.left_out += 1
        else:
            region.n += 1
            for name, values in zip(PARTS, (storage, loss), strict=True):
                values = np.asarray(values, np.float64)
                if name not in region.parts:
                    region.parts[name] = RunningMean.of(len(values))
                region.parts[name].add(values)
        shown: dict[str, Any] = {
            "label": region.label,
            "potential": region.edges,
            "n": region.n,
            "left_out": region.left_out,
        }
        for name, running in region.parts.items():
            mean, low, high = running.interval()
            shown |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        return shown

    def _region(self, potential: float) -> GrowingRegion:
        now = self._now
        if now is not None and self._inside(now.edges, potential):
            return now
        edges = self._range(potential)
        visit = self._visits[edges] = self._visits.get(edges, 0) + 1
        again = f", visit {visit}" if visit > 1 else ""
        self._now = GrowingRegion(label=self._name(edges) + again, edges=edges)
        return self._now

    def _inside(self, edges: tuple[float, float] | None, potential: float) -> bool:
        if edges is None or math.isnan(potential):
            return edges == self._range(potential)
        return edges[0] - AT_EDGES <= potential <= edges[1] + AT_EDGES

    def _range(self, potential: float) -> tuple[float, float] | None:
        if math.isnan(potential):
            return None
        bounds = [-math.inf, *self._edges, math.inf]
        i = int(np.searchsorted(self._edges, potential, "right"))
        return bounds[i], bounds[i + 1]

    def _name(self, edges: tuple[float, float] | None) -> str:
        if edges is None:
            return "all curves"
        low, high = edges
        if math.isinf(low):
            return f"below {high:g} V"
        if math.isinf(high):
            return f"above {low:g} V"
        return label(low, high)
