"""Samples, not curves: conditions and regions compared by the means of samples.

See `docs/comparing.md` for what is computed, and for its sources.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence

from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics import comparison_words as words
from nrm_plugin.statistics.comparison_conclusions import of_far_samples
from nrm_plugin.statistics.comparison_contrasts import (
    Values,
    contrast_of_conditions,
    contrast_of_regions,
    corrected,
)
from nrm_plugin.statistics.comparison_profiles import profile_of_conditions, profile_of_regions
from nrm_plugin.statistics.comparison_thickness import (
    thickness_of_conditions,
    thickness_of_regions,
)
from nrm_plugin.statistics.comparison_types import (
    THICKNESS,
    Comparison,
    Contrast,
    ProfileContrast,
    Question,
    SampleValue,
    StudySample,
)
from nrm_plugin.statistics.comparison_values import (
    common_modulus,
    means_of_samples,
    thicknesses_of_samples,
)
from nrm_plugin.statistics.study_levels import confounded, not_told
from nrm_plugin.vocabulary import nearest

__all__ = [
    "Comparison",
    "Contrast",
    "ProfileContrast",
    "Question",
    "SampleValue",
    "StudySample",
    "compare",
]

Pair = tuple[str, str]


def compare(
    samples: Sequence[StudySample],
    *,
    primary: Question | None = None,
    others: Sequence[Question] = (),
    between: Sequence[Pair] | None = None,
    paired_regions: Sequence[Pair] | None = None,
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
        For a condition or a region that no sample has, a quantity that the results don't hold, or
        two samples of one name.
    """
    groups = _groups(samples)
    pairs = _pairs(groups, between)
    within = list(paired_regions or ())
    questions = list(dict.fromkeys([*([primary] if primary else []), *others]))
    asked: dict[Question, Values] = {}

    def values_of(question: Question) -> Values:
        if question not in asked:
            found = means_of_samples(samples, question, level)
            asked[question] = {one.sample: one for one in found}
        return asked[question]

    contrasts = [
        contrast_of_conditions(
            question,
            groups[first],
            groups[second],
            _of(values_of(question), groups[first], groups[second]),
            level,
            primary=question == primary,
        )
        for question in questions
        for first, second in pairs
    ]
    for quantity, distance in dict.fromkeys((one.quantity, one.distance) for one in questions):
        plain = Question(quantity=quantity, distance=distance)
        for pair in within:
            both = [
                values_of(Question(quantity=quantity, distance=distance, region=label))
                for label in pair
            ]
            contrasts += [
                contrast_of_regions(plain, pair, group, [_of(one, group) for one in both], level)
                for group in groups.values()
            ]
    labels = list(dict.fromkeys(region.label for one in samples for region in one.regions))
    modulus = common_modulus(samples, labels) if thickness_modulus is None else thickness_modulus
    thick = thicknesses_of_samples(samples, labels, modulus, level)
    thick = [] if all(math.isnan(one.mean) for one in thick) else thick
    thickness = _thickness(groups, pairs, within, labels, thick, level)
    together = corrected([*contrasts, *thickness])
    contrasts, thickness = together[: len(contrasts)], together[len(contrasts) :]
    return Comparison(
        contrasts=tuple(contrasts),
        sample_values=(*(one for values in asked.values() for one in values.values()), *thick),
        profiles=tuple(_profiles(groups, pairs, within, questions, labels, level)),
        thickness=tuple(thickness),
        thickness_modulus=modulus,
        statements=tuple(_statements(groups, pairs, primary, together, modulus, thick)),
        conditions=tuple(groups),
        samples=tuple(one.name for one in samples),
        level=level,
        primary=primary,
    )


def _groups(samples: Sequence[StudySample]) -> dict[str, list[StudySample]]:
    """Samples by condition, in the order given."""
    doubles = [name for name, n in Counter(one.name for one in samples).items() if n > 1]
    if doubles:
        raise InvalidInput(f"there are two samples of the name {doubles[0]!r}")
    groups: dict[str, list[StudySample]] = {}
    for one in samples:
        groups.setdefault(one.condition, []).append(one)
    return groups


def _pairs(groups: dict[str, list[StudySample]], between: Sequence[Pair] | None) -> list[Pair]:
    if between is None:
        return list(itertools.combinations(groups, 2))
    for name in (name for pair in between for name in pair):
        if name not in groups:
            raise InvalidInput(f"no sample has the condition {name!r}.{nearest(name, groups)}")
    for first, second in between:
        if first == second:
            raise InvalidInput(f"{first!r} is compared with itself")
    return list(between)


def _of(values: Values, *groups: Sequence[StudySample]) -> dict[str, SampleValue]:
    return {one.name: values[one.name] for group in groups for one in group}


def _thickness(
    groups: dict[str, list[StudySample]],
    pairs: Sequence[Pair],
    within: Sequence[Pair],
    labels: Sequence[str],
    values: Sequence[SampleValue],
    level: float,
) -> list[Contrast]:
    by_region = {
        label: {one.sample: one for one in values if one.question.region == label}
        for label in labels
    }
    if not values:
        return []
    found = [
        thickness_of_conditions(
            Question(quantity=THICKNESS, distance=None, region=label),
            groups[first],
            groups[second],
            _of(by_region[label], groups[first], groups[second]),
            level,
        )
        for label in labels
        for first, second in pairs
    ]
    return found + [
        thickness_of_regions(pair, group, [_of(by_region[one], group) for one in pair], level)
        for pair in within
        for group in groups.values()
    ]


def _profiles(
    groups: dict[str, list[StudySample]],
    pairs: Sequence[Pair],
    within: Sequence[Pair],
    questions: Sequence[Question],
    labels: Sequence[str],
    level: float,
) -> list[ProfileContrast]:
    """Profiles of all quantities, in all regions that are asked for, in the regions' order."""
    everyone = [one for group in groups.values() for one in group]
    if not questions and all("storage_modulus" in one.results for one in everyone):
        questions = [Question()]
    regions = {one.region for one in questions}
    found = []
    for quantity in dict.fromkeys(one.quantity for one in questions):
        found += [
            profile_of_conditions(quantity, region, groups[first], groups[second], level)
            for region in ("", *labels)
            if region in regions
            for first, second in pairs
        ]
        found += [
            profile_of_regions(quantity, pair, group, level, everyone=everyone)
            for pair in within
            for group in groups.values()
        ]
    return [one for one in found if one is not None]


def _statements(
    groups: dict[str, list[StudySample]],
    pairs: Sequence[Pair],
    primary: Question | None,
    contrasts: Sequence[Contrast],
    modulus: float,
    thick: Sequence[SampleValue],
) -> list[str]:
    """What holds for all of the comparison, as sentences."""
    if not groups:
        return ["There are no samples: nothing is compared."]
    found = [words.levels(groups), words.named(primary, contrasts)]
    if len(groups) == 1:
        found.append(f"All samples are of one condition, {next(iter(groups))}.")
    found += [words.too_few(groups)] if pairs else []
    for first, second in pairs:
        found += [f"{one.sentence}." for one in confounded(groups[first], groups[second])]
    found += [f"{one}." for one in not_told([one for group in groups.values() for one in group])]
    found += of_far_samples(contrasts)
    found.append(words.at_modulus(modulus, thick))
    return [one for one in dict.fromkeys(found) if one]
