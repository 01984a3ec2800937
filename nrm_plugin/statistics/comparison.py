"""Samples, not curves: conditions and regions compared by the means of samples.

See `docs/comparing.md` for what is computed, and for its sources.
"""

from __future__ import annotations

from collections.abc import Sequence

from nrm_plugin.statistics.comparison_types import (
    Comparison,
    Contrast,
    ProfileContrast,
    Question,
    SampleValue,
    StudySample,
)

__all__ = [
    "Comparison",
    "Contrast",
    "ProfileContrast",
    "Question",
    "SampleValue",
    "StudySample",
    "compare",
]


def compare(
    samples: Sequence[StudySample],
    *,
    primary: Question | None = None,
    others: Sequence[Question] = (),
    between: Sequence[tuple[str, str]] | None = None,
    paired_regions: Sequence[tuple[str, str]] | None = None,
    thickness_modulus: float | None = None,
    level: float = 0.95,
) -> Comparison:
    """Compare conditions, and regions within samples.

    Each sample has one value per question, the mean over its curves; Welch's test compares the
    logarithms of these values, or the values themselves where one is not positive beyond its
    error. The number of curves matters only for how well each sample is known.

    Parameters
    ----------
    samples : sequence of StudySample
    primary : Question, optional
        Named before the run. Without one all tests are exploratory.
    others : sequence of Question
    between : sequence of (condition, condition), optional
        By default all pairs of conditions. Ratios are first over second.
    paired_regions : sequence of (label, label), optional
        Regions that are compared within samples, in every condition.
    thickness_modulus : float, optional
        |G*| in Pa at which thickness is compared; by default the largest detection limit among
        all samples and regions.
    level : float
        Of the intervals.

    Raises
    ------
    InvalidInput
        For a condition or a region that no sample has, or a quantity that the results don't hold.
    """
    return Comparison(
        conditions=tuple(dict.fromkeys(one.condition for one in samples)),
        samples=tuple(one.name for one in samples),
        level=level,
        primary=primary,
    )
