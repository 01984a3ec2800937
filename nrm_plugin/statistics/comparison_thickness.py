"""Thickness at one common modulus, of samples of which some only give bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

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


def thickness_of_conditions(
    question: Question,
    first: Sequence[StudySample],
    second: Sequence[StudySample],
    values: Values,
    level: float = 0.95,
) -> Contrast:
    """Hold distances at the common modulus of two conditions against each other.

    A sample in which nothing is above the modulus has a distance between 0 and where its mean is
    first seen: the interval covers both ends, and p is the larger one. Where a layer goes on
    beyond the profiles there is a lower bound and no test.
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

    def made(upper: Sequence[bool]) -> Contrast:
        used = {
            name: _end(values[name], high)
            for group, high in zip(names, upper, strict=True)
            for name in group
        }
        return contrast_of_conditions(question, first, second, used, level)

    return _of_both_ends(made, [values[name] for group in names for name in group])


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

    def made(upper: Sequence[bool]) -> Contrast:
        ends = [
            {name: _end(value[name], high) for name in names}
            for value, high in zip(values, upper, strict=True)
        ]
        return contrast_of_regions(question, pair, samples, ends, level)

    return _of_both_ends(made, used)


def _endless(value: SampleValue) -> bool:
    return math.isinf(value.mean)


def _end(value: SampleValue, upper: bool) -> SampleValue:
    """Value of a sample, at one end of what it may be where nothing is above the modulus."""
    if value.mean != 0.0 or not math.isfinite(value.high):
        return value
    return replace(value, mean=value.high if upper else 0.0, positive=False)


def _bounds(contrast: Contrast, open_ended: Sequence[SampleValue]) -> Contrast:
    bounds = ", ".join(
        dict.fromkeys(f"{one.sample} more than {1e9 * one.low:.3g} nm" for one in open_ended)
    )
    return replace(
        contrast,
        sentence=f"{contrast.question.label}: {contrast.first} and {contrast.second} are not "
        f"compared, since layers go on beyond the profiles' end ({bounds}).",
    )


def _of_both_ends(
    made: Callable[[Sequence[bool]], Contrast], values: Sequence[SampleValue]
) -> Contrast:
    """Contrast that holds whichever end samples without a layer are at."""
    empty = [one for one in values if one.mean == 0.0]
    if not empty:
        return replace(made((False, False)), calibration=None)
    ends = [made(upper) for upper in ((False, True), (True, False))]
    middle = made((False, False))
    tests = [one.p for one in ends]
    names = ", ".join(dict.fromkeys(one.sample for one in empty))

    def end(name: str, of: Callable[[list[float]], float]) -> float | None:
        known = [getattr(one, name) for one in ends]
        return of(known) if None not in known else None

    return replace(
        middle,
        difference_low=end("difference_low", min),
        difference_high=end("difference_high", max),
        effect_size=None,
        effect_size_low=None,
        effect_size_high=None,
        p=None if None in tests else max(p for p in tests if p is not None),
        calibration=None,
        sentence=f"{middle.sentence} In {names} nothing is above the modulus: the interval "
        "and p of the table hold wherever between 0 and where it is seen the layer ends.",
    )
