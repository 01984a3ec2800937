"""What a comparison of samples is made of, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import xarray as xr

from nrm_plugin.statistics.regions import ALL_CURVES, Region, Regions
from nrm_plugin.statistics.selection import Analysis

#: Quantity of questions about the distance at which |G*| passes the common modulus.
THICKNESS = "thickness"

#: Ratios and differences are those of the first to, or minus, the second.
CONDITIONS, REGIONS = "conditions", "regions"


@dataclass(frozen=True, eq=False, kw_only=True)
class StudySample:
    """One electrode, and what was measured on it.

    Attributes
    ----------
    name, condition : str
    results : Dataset
        From `nrm_plugin.process`; files may be opened lazily.
    regions : Regions
        Curves by potential, or all of them (`regions.everything`).
    lever, session, day : str
        Samples with the same lever share the errors of its calibration, those with the same
        session that of the sensitivity. Empty: not told.
    direction : str, optional
        Way of the ramp, where the results have both; by default the first.
    """

    name: str
    condition: str
    results: xr.Dataset
    regions: Regions
    lever: str = ""
    session: str = ""
    day: str = ""
    direction: str | None = None

    @cached_property
    def analysis(self) -> Analysis:
        """One direction of the results, with what was computed of it."""
        return Analysis(self.results, self.direction)

    def region(self, label: str) -> Region | None:
        """Region of this label; all regions' curves together for "", None if there is none."""
        if label:
            return next((one for one in self.regions if one.label == label), None)
        if len(self.regions) == 1:
            return next(iter(self.regions))
        import numpy as np

        curves = np.unique(np.concatenate([one.curves for one in self.regions] or [np.arange(0)]))
        return Region(ALL_CURVES, float("nan"), float("nan"), curves)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is compared.

    Attributes
    ----------
    quantity : str
        A variable over depth, as for `mean_profile`; or ``thickness``.
    distance : (float, float) or None
        Range of distances over which each curve is averaged, m; None for a thickness.
    region : str
        Label of a region of the potential, as ``0.005-0.5 V``; "" for all regions' curves.
    """

    quantity: str = "storage_modulus"
    distance: tuple[float, float] | None = (2e-9, 5e-9)
    region: str = ""

    @property
    def label(self) -> str:
        """In words, as ``storage modulus at 2-5 nm, 0.005-0.5 V``."""
        where = ""
        if self.distance is not None:
            low, high = (1e9 * end for end in self.distance)
            where = f" at {low:.4g}-{high:.4g} nm"
        return f"{self.quantity_words}{where}, {self.region or ALL_CURVES}"

    @property
    def quantity_words(self) -> str:
        """Name of the quantity as people write it."""
        return self.quantity.replace("_", " ")


@dataclass(frozen=True, kw_only=True)
class SampleValue:
    """The value of one sample for one question; SI, nan where there is none.

    Attributes
    ----------
    sample, condition : str
    question : Question
    mean, stderr, low, high : float
        Mean of the sample with the error and the interval that its own places leave (see
        `mean_interval`). For a thickness, the distance and its interval.
    n : int
        Curves.
    n_effective : float
        Independent places that tell as much.
    unit : str
    positive : bool
        Whether the mean is more than two standard errors above 0: its logarithm can be used.
    note : str
        Why there is no value, or what it is a bound of.
    """

    sample: str
    condition: str
    question: Question
    mean: float
    stderr: float
    low: float
    high: float
    n: int
    n_effective: float
    unit: str
    positive: bool
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """One question, asked of two conditions, or of two regions within the samples.

    Everything is None where it means nothing: `sentence` says why.

    Attributes
    ----------
    question : Question
        Of a contrast of regions, with the region "": `first` and `second` name them.
    first, second : str
        Conditions, or labels of regions.
    kind : str
        "conditions" or "regions".
    condition : str
        Of a contrast of regions: the condition whose samples are looked at.
    primary : bool
        Whether this is the question that was named before the run.
    unit : str
        Of the difference.
    first_mean, second_mean : float or None
        Mean over samples: the geometric mean where `ratio` is given, else the arithmetic one.
    ratio, ratio_low, ratio_high : float or None
        First over second, of geometric means of samples.
    difference, difference_low, difference_high : float or None
        First minus second, of means of samples, in `unit`.
    effect_size, effect_size_low, effect_size_high : float or None
        Hedges' g: the difference (of logarithms where there is a ratio) in units of the spread
        between samples.
    p : float or None
        Of no difference, two-sided; it counts samples.
    p_holm : float or None
        The same, corrected by Holm for all tests of its family: those of the primary question, or
        all others.
    n_first, n_second : int
        Samples.
    freedom : float or None
        Degrees of freedom of the test.
    calibration : float or None
        Standard error of the ratio, relative, that calibrations add which the spread between
        samples does not show; 0 where they cancel, None where it is not known.
    level : float
        Of the intervals.
    far_sample : str
        Sample that lies far from the others of its condition; empty where none does.
    far_by : float
        By which factor, where there is a ratio; else by how much, in `unit`.
    sentence : str
        What this says, or why it says nothing.
    """

    question: Question
    first: str
    second: str
    kind: str = CONDITIONS
    condition: str = ""
    primary: bool = False
    unit: str = ""
    first_mean: float | None = None
    second_mean: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    effect_size: float | None = None
    effect_size_low: float | None = None
    effect_size_high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    n_first: int = 0
    n_second: int = 0
    freedom: float | None = None
    calibration: float | None = None
    level: float = 0.95
    far_sample: str = ""
    far_by: float = float("nan")
    sentence: str = ""

    @property
    def paired(self) -> bool:
        """Whether two regions are compared within each sample."""
        return self.kind == REGIONS


@dataclass(frozen=True, eq=False, kw_only=True)
class ProfileContrast:
    """Ratio and difference of two mean profiles, with bands that hold at all distances at once.

    Attributes
    ----------
    first, second, kind, condition : str
        As of a `Contrast`.
    quantity, region : str
    profile : Dataset
        Over ``depth`` (m): ``ratio``, ``ratio_low``, ``ratio_high`` (simultaneous), and
        ``ratio_low_here``, ``ratio_high_here`` (at each distance alone); the same of
        ``difference``; ``n_first``, ``n_second`` (samples). nan where there is none.
    n_first, n_second : int
        Samples.
    level : float
    sentence : str
    """

    first: str
    second: str
    kind: str = CONDITIONS
    condition: str = ""
    quantity: str
    region: str
    profile: xr.Dataset
    n_first: int
    n_second: int
    level: float = 0.95
    sentence: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """What samples say about conditions and regions.

    Attributes
    ----------
    contrasts : tuple of Contrast
        The primary question first; then the others, conditions before regions.
    sample_values : tuple of SampleValue
        What the contrasts are made of.
    profiles : tuple of ProfileContrast
    thickness : tuple of Contrast
        At the common modulus; also of the regions.
    thickness_modulus : float
        |G*| in Pa; nan where there is none.
    statements : tuple of str
        What holds for all of it: levels, what was named before the run, what is confounded.
    conditions, samples : tuple of str
        In the order in which they were given.
    level : float
    """

    contrasts: tuple[Contrast, ...] = ()
    sample_values: tuple[SampleValue, ...] = ()
    profiles: tuple[ProfileContrast, ...] = ()
    thickness: tuple[Contrast, ...] = ()
    thickness_modulus: float = float("nan")
    statements: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    level: float = 0.95
    primary: Question | None = None

    @property
    def primary_contrasts(self) -> Sequence[Contrast]:
        """Contrasts of the question that was named before the run."""
        return [one for one in self.contrasts if one.primary]
