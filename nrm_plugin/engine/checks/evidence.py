"""What self-checks look at: plan, recipe, and what was measured of some curves of a direction."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from nrm_plugin.columns import AnyArray, ComplexArray, FloatArray, IntArray
from nrm_plugin.engine.shape_factor import ShapeFactorValues
from nrm_plugin.engine.signals import Plan
from nrm_plugin.engine.survey import Survey
from nrm_plugin.kernels import RecordArray
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe

#: Curves that are looked at, spread evenly: of a direction that is processed, and of one that it is
#: compared with. Profiles are made of as many as the latter.
LOOKED_AT, COMPARED = 256, 128

#: The direction that goes with each.
OPPOSITE = {"approach": "retract", "retract": "approach"}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured of some curves of a direction, spread evenly over all.

    Attributes
    ----------
    direction : str
    survey : Survey
        Of the direction.
    numbers : (n,) array of int
        Of the curves.
    contacts : (n,) array of `kernels.CONTACT`
    lateral : (n,) array of `kernels.LATERAL_CHECK`
        Of the lateral signal after the correction of its phase; empty without one.
    layer : (n,) array of complex
        Lateral force just above the wall (1 to 4 nm), N, less that far away; nan without samples.
    quality : (n,) array of int
        Flags as bits.
    travel : (n,) array
        Height between first and last sample, in m.
    samples : (n,) array of int
        Samples of this direction.
    interval : (n,) array
        Time between samples in s; nan where it is not known.
    """

    direction: str
    survey: Survey
    numbers: IntArray
    contacts: RecordArray
    lateral: RecordArray
    layer: ComplexArray
    quality: IntArray
    travel: FloatArray
    samples: IntArray
    interval: FloatArray

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def speed(self) -> FloatArray:
        """Of the base, in m/s, (n,); nan where it is not known."""
        with np.errstate(invalid="ignore", divide="ignore"):
            speed: FloatArray = self.travel / np.maximum(self.samples - 1, 1) / self.interval
        return np.where(np.isfinite(speed), speed, np.nan)


@dataclass(frozen=True, kw_only=True)
class ProcessedCurves:
    """Profiles of a few of the curves, by the same chain as those of the results.

    Attributes
    ----------
    depth : (m,) array
        Distances of the profiles, in m.
    distance_bin : (k,) array
        Middles of the bins, in m; empty without a lateral signal.
    values : mapping of str to array
        Variables of the results by their names: profiles (n, m), bins (n, k).
    valid : (n,) array
        Smallest distance with an estimate, in m.
    """

    depth: FloatArray
    distance_bin: FloatArray
    values: Mapping[str, AnyArray]
    valid: FloatArray


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What self-checks look at.

    Attributes
    ----------
    curves : CurveSet
    recipe : Recipe
    plan : Plan
    depth : (m,) array
        Distances of the results, in m.
    shape : ShapeFactorValues
        At these distances.
    measure : callable
        Takes a direction and returns what `Measured` says of it; None if the curves do not have it
        or nothing can be found in it. Asked once for each direction.
    profile : callable
        The same for `ProcessedCurves`.
    missing : set of str
        Metadata keys that moduli need and nobody told; values of no meaning stand in for them.
    """

    curves: CurveSet
    recipe: Recipe
    plan: Plan
    depth: FloatArray
    shape: ShapeFactorValues
    measure: Callable[[str], Measured | None]
    profile: Callable[[str], ProcessedCurves | None]
    missing: frozenset[str] = frozenset()
    _known: dict[str, object] = field(default_factory=dict, init=False, repr=False)

    def remember(self, key: str, make: Callable[[], object]) -> object:
        """Return what `make` makes; it is asked once."""
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def of(self, direction: str) -> Measured | None:
        """What was measured of a direction."""
        found = self.remember(f"measured in {direction}", lambda: self.measure(direction))
        assert found is None or isinstance(found, Measured)
        return found

    def profiles_of(self, direction: str) -> ProcessedCurves | None:
        """Profiles of the same curves."""

        def make() -> ProcessedCurves | None:
            return self.profile(direction) if self.of(direction) is not None else None

        found = self.remember(f"profiles of {direction}", make)
        assert found is None or isinstance(found, ProcessedCurves)
        return found

    @property
    def direction(self) -> str:
        """The direction that is processed; the first if both are."""
        return self.recipe.directions[0]

    @property
    def processed(self) -> Measured:
        """What was measured of the direction that is processed."""
        found = self.of(self.direction)
        assert found is not None
        return found

    @property
    def other(self) -> Measured | None:
        """The same of the other direction; None if the curves do not have it."""
        return self.of(OPPOSITE[self.direction])

    def told(self, key: str) -> float:
        """Value of a metadata key; nan if it is not known."""
        value = math.nan if key in self.missing else self.curves.metadata.get(key, math.nan)
        return float(value) if isinstance(value, int | float) else math.nan

    @property
    def in_lateral_volts(self) -> bool:
        """Whether the lateral signal was recorded in volts, so that sensitivities scale it."""
        how = self.plan.in_phase
        return how is not None and self.curves.channels[how.channel].unit == "V"

    def source(self, key: str) -> str:
        """Where the value of a metadata key comes from; empty if it is not known."""
        return self.curves.metadata_source.get(key, "")
