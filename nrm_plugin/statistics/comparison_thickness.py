"""Thickness at one common modulus, of samples of which some only give bounds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from nrm_plugin.statistics import comparison_words as words
from nrm_plugin.statistics.comparison_contrasts import (
    Values,
    contrast_of_conditions,
    contrast_of_regions,
)
from nrm_plugin.statistics.comparison_types import (
    CONDITIONS,
    REGIONS,
    THICKNESS,
    Contrast,
    Question,
    SampleValue,
    StudySample,
)

#: Samples without a layer of which all combinations of ends are tried.
_MOST_ENDS = 6


def thickness_of_conditions(
    question: Question,
    first: Sequence[StudySample],
    second: Sequence[StudySample],
    values: Values,
    level: float = 0.95,
) -> Contrast:
    """Hold distances at the common modulus of two conditions against each other.

    A sample in which nothing is above the modulus has a distance between 0 and where its mean is
    first seen, each on its own: the interval covers all combinations, and p is the largest one, 1
    where the means may be equal. Where a layer goes on beyond the profiles there is a lower bound
    and no test.
    """
    names = [[one.name for one in group] for group in (first, second)]
    open_ended = [values[name] for group in names for name in group if _endless(values[name])]
    if open_ended:
        return _bounds(
            Contrast(
                question=question,
                first=first[0].condition,
                second=second[0].condition,
                kind=CONDITIONS,
                unit="m",
                n_first=len(first),
                n_second=len(second),
                level=level,
            ),
            open_ended,
        )

    def made(upper: Collection[SampleValue]) -> Contrast:
        used = {name: _end(values[name], upper) for group in names for name in group}
        return contrast_of_conditions(question, first, second, used, level)

    return _of_all_ends(made, [values[name] for group in names for name in group])


def thickness_of_regions(
    pair: tuple[str, str],
    samples: Sequence[StudySample],
    values: Sequence[Values],
    level: float = 0.95,
) -> Contrast:
    """Hold distances at the common modulus of two regions against each other within samples."""
    question = Question(quantity=THICKNESS, distance=None)
    names = [one.name for one in samples]
    used = [value[name] for value in values for name in names]
    open_ended = [one for one in used if _endless(one)]
    if open_ended:
        return _bounds(
            Contrast(
                question=question,
                first=pair[0],
                second=pair[1],
                kind=REGIONS,
                condition=samples[0].condition,
                unit="m",
                n_first=len(samples),
                n_second=len(samples),
                level=level,
            ),
            open_ended,
        )

    def made(upper: Collection[SampleValue]) -> Contrast:
        ends = [{name: _end(value[name], upper) for name in names} for value in values]
        return contrast_of_regions(question, pair, samples, ends, level)

    return _of_all_ends(made, used)


def _endless(value: SampleValue) -> bool:
    return math.isinf(value.mean)


def _end(value: SampleValue, upper: Collection[SampleValue]) -> SampleValue:
    """Value of a sample, at one end of what it may be where nothing is above the modulus."""
    if value.mean != 0.0:
        return value
    return replace(value, mean=value.high if value in upper else 0.0, positive=False)


def _bounds(contrast: Contrast, open_ended: Sequence[SampleValue]) -> Contrast:
    bounds = ", ".join(
        dict.fromkeys(f"{one.sample} more than {1e9 * one.low:.3g} nm" for one in open_ended)
    )
    return replace(
        contrast,
        sentence=f"{contrast.question.label}: {contrast.first} and {contrast.second} are not "
        f"compared, since layers go on beyond the profiles' end ({bounds}).",
    )


def _of_all_ends(
    made: Callable[[Collection[SampleValue]], Contrast], values: Sequence[SampleValue]
) -> Contrast:
    """Contrast that holds whichever end each sample without a layer is at."""
    empty = [one for one in values if one.mean == 0.0]
    nearest = replace(made(()), calibration=None)
    if not empty:
        return nearest
    names = list(dict.fromkeys(one.sample for one in empty))
    untested = replace(
        nearest,
        effect_size=None,
        effect_size_low=None,
        effect_size_high=None,
        p=None,
        freedom=None,
        difference_low=None,
        difference_high=None,
    )
    if len(empty) > _MOST_ENDS or not all(math.isfinite(one.high) for one in empty):
        return replace(untested, sentence=words.of_ends(untested, None, names))
    ends = [
        made(upper)
        for count in range(len(empty) + 1)
        for upper in itertools.combinations(empty, count)
    ]
    shifts = [one.difference for one in ends if one.difference is not None]
    span = (min(shifts), max(shifts)) if shifts else None
    tests = [one.p for one in ends if one.p is not None]
    if span is None or not tests:
        return replace(untested, sentence=words.of_ends(untested, span, names))
    equal = span[0] <= 0.0 <= span[1]
    found = replace(
        untested,
        p=1.0 if equal else max(tests) if len(tests) == len(ends) else None,
        freedom=nearest.freedom,
        difference_low=min(one.difference_low for one in ends if one.difference_low is not None),
        difference_high=max(one.difference_high for one in ends if one.difference_high is not None),
    )
    return replace(found, sentence=words.of_ends(found, span, names))
