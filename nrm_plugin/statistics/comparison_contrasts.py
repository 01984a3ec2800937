"""Conditions, and regions within samples, held against each other by the values of samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import scipy

from nrm_plugin.columns import FloatArray
from nrm_plugin.statistics import comparison_words as words
from nrm_plugin.statistics.comparison_types import (
    CONDITIONS,
    REGIONS,
    Contrast,
    Question,
    SampleValue,
    StudySample,
)
from nrm_plugin.statistics.study_levels import AddedError, added_error, confounded
from nrm_plugin.statistics.welch import MeanDifference, holm, paired, welch

#: Probability, corrected for the number of samples, below which one is said to lie far away.
_FAR = 0.1

Values = Mapping[str, SampleValue]


def contrast_of_conditions(
    question: Question,
    first: Sequence[StudySample],
    second: Sequence[StudySample],
    values: Values,
    level: float = 0.95,
    *,
    primary: bool = False,
) -> Contrast:
    """Hold two conditions against each other by the values of their samples.

    Parameters
    ----------
    question : Question
    first, second : sequence of StudySample
    values : mapping of sample names to SampleValue
    level : float
    primary : bool
    """
    groups = [
        [one for one in group if math.isfinite(values[one.name].mean)] for group in (first, second)
    ]
    means = [np.array([values[one.name].mean for one in group]) for group in groups]
    some = next(iter(values.values()))
    contrast = Contrast(
        question=question,
        first=first[0].condition,
        second=second[0].condition,
        kind=CONDITIONS,
        primary=primary,
        unit=some.unit,
        n_first=len(groups[0]),
        n_second=len(groups[1]),
        level=level,
    )
    if not min(len(one) for one in means):
        return replace(contrast, sentence=words.nothing(contrast, list(values.values())))
    used = [values[one.name] for group in groups for one in group]
    added = added_error(groups[0], groups[1], some.unit)
    logs = all(one.positive for one in used)
    plain = welch(means[0], means[1], level, added=_of_differences(added, means))
    test = plain
    if logs:
        test = welch(np.log(means[0]), np.log(means[1]), level, added=added.variance)
    tied = confounded(groups[0], groups[1])
    meaningless = [one for one in tied if one.level != "day"] and not added.known
    contrast = _filled(contrast, means, logs, test, plain)
    contrast = replace(
        contrast,
        calibration=math.sqrt(added.variance) if added.known else None,
        p=None if meaningless else contrast.p,
    )
    sentences = [
        words.of_conditions(contrast, used, bool(meaningless)),
        *words.of_added(contrast, added, tied),
    ]
    far = _far_away(groups, means, values, logs)
    if far is not None:
        which, number, away = far
        name = groups[which][number].name
        contrast = replace(contrast, far_sample=name, far_by=math.exp(away) if logs else away)
        without = _without(means, which, number, logs, level, added)
        sentences.append(words.of_far_sample(groups[which][number], away, without, logs))
    if primary:
        sentences += words.of_own_errors(means, groups, values, logs)
    return replace(contrast, sentence=" ".join(f"{one}." for one in sentences if one))


def contrast_of_regions(
    question: Question,
    pair: tuple[str, str],
    samples: Sequence[StudySample],
    values: Sequence[Values],
    level: float = 0.95,
) -> Contrast:
    """Hold two regions against each other within the samples of a condition.

    Parameters
    ----------
    question : Question
        With the region "".
    pair : (str, str)
        Labels of the regions.
    samples : sequence of StudySample
        Of one condition.
    values : (mapping, mapping)
        Of sample names to the values in the first and in the second region.
    level : float
    """
    both = [one for one in samples if all(math.isfinite(value[one.name].mean) for value in values)]
    contrast = Contrast(
        question=question,
        first=pair[0],
        second=pair[1],
        kind=REGIONS,
        condition=samples[0].condition,
        unit=next(iter(values[0].values())).unit,
        n_first=len(both),
        n_second=len(both),
        level=level,
        calibration=0.0,
    )
    used = [value[one.name] for value in values for one in samples]
    if not both:
        return replace(contrast, sentence=words.nothing(contrast, used))
    means = [np.array([value[one.name].mean for one in both]) for value in values]
    used = [value[one.name] for value in values for one in both]
    logs = all(one.positive for one in used)
    plain = paired(means[0] - means[1], level)
    test = paired(np.log(means[0]) - np.log(means[1]), level) if logs else plain
    contrast = _filled(contrast, means, logs, test, plain)
    return replace(contrast, sentence=f"{words.of_regions(contrast, used)}.")


def _filled(
    contrast: Contrast,
    means: Sequence[FloatArray],
    logs: bool,
    test: MeanDifference | None,
    plain: MeanDifference | None,
) -> Contrast:
    centre = [float(np.exp(np.mean(np.log(one)))) if logs else float(np.mean(one)) for one in means]
    filled = replace(
        contrast,
        first_mean=centre[0],
        second_mean=centre[1],
        ratio=centre[0] / centre[1] if logs else None,
        difference=float(np.mean(means[0]) - np.mean(means[1])),
    )
    if plain is not None:
        filled = replace(filled, difference_low=plain.low, difference_high=plain.high)
    if test is None:
        return filled
    if logs:
        low, high = (math.exp(min(end, 700.0)) for end in (test.low, test.high))
        filled = replace(filled, ratio_low=low, ratio_high=high)
    sizes = (test.effect_size, test.effect_size_low, test.effect_size_high)
    known = [one if math.isfinite(one) else None for one in sizes]
    return replace(
        filled,
        effect_size=known[0],
        effect_size_low=known[1],
        effect_size_high=known[2],
        p=test.p,
        freedom=test.freedom,
    )


def _of_differences(added: AddedError, means: Sequence[FloatArray]) -> float:
    """Variance that calibrations add to a difference: each condition's share of the ratio's."""
    return added.variance * sum(float(np.mean(one)) ** 2 for one in means) / 2.0


def _far_away(
    groups: Sequence[Sequence[StudySample]],
    means: Sequence[FloatArray],
    values: Values,
    logs: bool,
) -> tuple[int, int, float] | None:
    """Find the sample that lies far from the others of its condition: group, number, by how much.

    By externally studentized residuals of both conditions together, with Bonferroni's correction
    for the number of samples (Cook and Weisberg 1982), unless it is within two standard errors of
    the others, which their own curves leave. It stays in.
    """
    scaled = [np.log(one) if logs else one for one in means]
    total = sum(len(one) for one in scaled)
    freedom = total - 3
    if freedom < 1 or min(len(one) for one in scaled) < 2:
        return None
    left = [one - one.mean() for one in scaled]
    square = sum(float(np.sum(one**2)) for one in left)
    found: tuple[float, int, int] | None = None
    for which, group in enumerate(left):
        n = len(group)
        for number, residual in enumerate(group):
            own = float(residual) ** 2 * n / (n - 1.0)
            rest = max(square - own, 0.0) / freedom
            if not own or n < 3:
                continue
            t = math.sqrt(own / rest) if rest else math.inf
            p = min(2.0 * float(scipy.special.stdtr(freedom, -t)) * total, 1.0)
            if p < _FAR and (found is None or p < found[0]):
                found = (p, which, number)
    if found is None:
        return None
    _, which, number = found
    away = float(scaled[which][number] - np.delete(scaled[which], number).mean())
    used = [values[one.name] for one in groups[which]]
    errors = np.array([one.stderr / (one.mean if logs else 1.0) for one in used])
    others = np.delete(errors, number)
    reach = 2.0 * math.hypot(errors[number], *(others / len(others)))
    return None if abs(away) <= reach else (which, number, away)


def _without(
    means: Sequence[FloatArray],
    which: int,
    number: int,
    logs: bool,
    level: float,
    added: AddedError,
) -> MeanDifference | None:
    """The test without one sample."""
    scaled = [np.log(one) if logs else one for one in means]
    scaled[which] = np.delete(scaled[which], number)
    return welch(scaled[0], scaled[1], level, added=added.variance if logs else 0.0)


def corrected(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Put Holm's correction in: the primary question's tests are one family, all others another."""
    result = list(contrasts)
    for primary in (True, False):
        tested = [
            number
            for number, one in enumerate(result)
            if one.primary == primary and one.p is not None
        ]
        together = holm([result[number].p or 0.0 for number in tested])
        for number, p in zip(tested, together, strict=True):
            result[number] = replace(result[number], p_holm=p)
    return result
