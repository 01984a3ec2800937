"""Sentences of a comparison: what it says, and why it says nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.statistics.comparison_types import (
    REGIONS,
    THICKNESS,
    Contrast,
    Question,
    SampleValue,
    StudySample,
)
from nrm_plugin.statistics.study_levels import USUAL, AddedError, Confounded, relative_words
from nrm_plugin.statistics.welch import MeanDifference
from nrm_plugin.text import counted, with_unit

#: Parts of the spread between samples that their own errors explain: little, most.
_LITTLE, _MOST = 0.1, 0.5

#: Differences in spreads between samples that Welch's test at 5 % finds in 80 % of studies, by the
#: samples of each condition (100 000 simulated studies each).
_SEEN = {2: 10.4, 3: 3.5, 4: 2.5, 5: 2.1, 6: 1.8, 7: 1.7, 8: 1.5}


def of_conditions(contrast: Contrast, used: Sequence[SampleValue], meaningless: bool) -> str:
    """What a contrast of two conditions says."""
    about = f"{contrast.question.label}: {_amount(contrast)}"
    if min(contrast.n_first, contrast.n_second) < 2:
        return (
            f"{about}. There is {_counts(contrast)}: how much samples of one condition differ is "
            "not known, so there is no interval and no test. However many curves an electrode "
            f"has, it is one electrode{_own(contrast, used)}"
        )
    if contrast.freedom is None:
        return f"{about}. The values of the samples do not differ at all: there is no test"
    tested = (
        "no p value is given, see below"
        if meaningless
        else f"p = {_probability(contrast.p)}, Welch's test of {_counts(contrast)}"
    )
    return f"{about} ({_interval(contrast)}; {tested}){_why_difference(contrast, used)}"


def of_regions(contrast: Contrast, used: Sequence[SampleValue]) -> str:
    """What a contrast of two regions within samples says."""
    about = (
        f"{contrast.question.quantity_words}{_distance(contrast)}, {contrast.condition}: "
        + _amount(contrast)
    )
    n = contrast.n_first
    if n < 2:
        return (
            f"{about}. There is one sample: whether others do the same is not known, so there is "
            f"no interval and no test{_own(contrast, used)}"
        )
    if contrast.freedom is None:
        return f"{about}. The samples do not differ at all: there is no test"
    return (
        f"{about} ({_interval(contrast)}; p = {_probability(contrast.p)}, paired within "
        f"{counted(n, 'sample')}){_why_difference(contrast, used)}"
    )


def of_ends(contrast: Contrast, span: tuple[float, float] | None, names: Sequence[str]) -> str:
    """What a contrast of thickness says where in some samples nothing is above the modulus.

    Parameters
    ----------
    contrast : Contrast
        With the interval and p that hold wherever the layers of these samples end.
    span : (float, float) or None
        Smallest and largest difference of the means that they leave; None where it is not known.
    names : sequence of str
        Those samples.
    """
    of = f", {contrast.condition}" if contrast.kind == REGIONS else ""
    why = f"In {', '.join(names)} nothing is above the modulus"
    about = f"{contrast.question.label}{of}: {contrast.first} minus {contrast.second}"
    if span is None:
        return f"{about} is not known. {why}: the layer ends between 0 and where the mean is seen."
    low, high = (with_unit(end, contrast.unit, 3) for end in span)
    where = f"{why}: a layer may end anywhere between 0 and where the mean is first seen"
    if contrast.difference_low is None:
        few = min(contrast.n_first, contrast.n_second) < 2
        return f"{about} is between {low} and {high}. {where}" + (
            f". There is {_counts(contrast)}: no interval and no test." if few else "."
        )
    return (
        f"{about} is between {low} and {high} ({_interval(contrast)}; p at most "
        f"{_probability(contrast.p)}). {where}; the interval and p hold for all of this."
    )


def nothing(contrast: Contrast, values: Sequence[SampleValue]) -> str:
    """Why there is nothing to compare."""
    reasons = dict.fromkeys(one.note for one in values if not math.isfinite(one.mean) and one.note)
    who = (
        f"no sample of {contrast.condition} has values in both regions"
        if contrast.kind == REGIONS
        else "no sample of "
        + " and none of ".join(
            name
            for name, n in (
                (contrast.first, contrast.n_first),
                (contrast.second, contrast.n_second),
            )
            if not n
        )
        + " has a value"
    )
    return f"{contrast.question.label}: {who}" + (f" ({'; '.join(reasons)})." if reasons else ".")


def of_added(contrast: Contrast, added: AddedError, tied: Sequence[Confounded]) -> list[str]:
    """What calibrations add, and what the condition is confounded with."""
    found = [one.sentence for one in tied]
    if added.variance > 0.0:
        found.append(
            f"Calibrations that samples of one condition share add {relative_words(added.variance)}"
            " to the ratio's standard error, which is in the interval and in p"
        )
    if not added.known:
        found.append(
            f"No error is stated for {', '.join(added.not_stated)}, which the two conditions do not"
            " share: it is unknown and not in the interval" + _usual(contrast, added)
        )
    return found


def _usual(contrast: Contrast, added: AddedError) -> str:
    if contrast.ratio is None or contrast.ratio_low is None or contrast.ratio_high is None:
        return ""
    reach = 1.96 * math.sqrt(added.usual)
    ends = []
    for end, sign in ((contrast.ratio_low, -1.0), (contrast.ratio_high, 1.0)):
        own = math.log(end / contrast.ratio)
        ends.append(contrast.ratio * math.exp(sign * math.hypot(own, reach)))
    return (
        f". With an error of {100 * USUAL:.0f} % each, as is usual, it would reach from "
        f"{_number(ends[0])} to {_number(ends[1])}"
    )


def of_far_sample(
    sample: StudySample, away: float, without: MeanDifference | None, logs: bool
) -> str:
    """Say that one sample lies far from the others of its condition."""
    amount = f" (by a factor of {_number(math.exp(away))})" if logs else ""
    said = (
        f"{sample.name} lies far from the other samples of {sample.condition}{amount}: it widens "
        "the interval and is no effect of the condition"
    )
    if without is None:
        return said
    ends = (without.difference, without.low, without.high)
    if logs:
        ratio, low, high = (math.exp(min(one, 700.0)) for one in ends)
        said += (
            f". Without it the ratio would be {_number(ratio)} ({_number(low)} to {_number(high)})"
        )
    return f"{said}; leaving it out needs a reason other than its value"


def of_own_errors(
    means: Sequence[FloatArray],
    groups: Sequence[Sequence[StudySample]],
    values: Mapping[str, SampleValue],
    logs: bool,
) -> list[str]:
    """Say whether more curves or more samples would narrow the interval."""
    if min(len(one) for one in means) < 2:
        return []
    spread = sum(float(np.var(np.log(one) if logs else one, ddof=1)) for one in means)
    own = 0.0
    for group in groups:
        errors = [
            values[one.name].stderr / (values[one.name].mean if logs else 1.0) for one in group
        ]
        own += float(np.mean(np.square(errors)))
    if not math.isfinite(own) or not spread:
        return []
    if own < _LITTLE * spread:
        return [
            "The errors within samples are small beside the spread between them: more samples "
            "would narrow the interval, more curves would not"
        ]
    if own > spread:
        return [
            "The samples differ less than their own errors let expect: with so few samples that is "
            "chance, and the interval may be too narrow"
        ]
    if own > _MOST * spread:
        return [
            "The errors within samples explain most of the spread between them: more curves in "
            "each sample would narrow the interval"
        ]
    return []


def _amount(contrast: Contrast) -> str:
    """First against second, as a ratio where there is one."""
    if contrast.ratio is not None:
        return f"{contrast.first} is {_number(contrast.ratio)} times {contrast.second}"
    amount = with_unit(contrast.difference, contrast.unit, 3)
    return f"{contrast.first} minus {contrast.second} is {amount}"


def _interval(contrast: Contrast) -> str:
    level = f"{100 * contrast.level:.3g} % interval"
    if contrast.ratio is not None and contrast.ratio_low is not None:
        low, high = _number(contrast.ratio_low), _number(contrast.ratio_high)
    else:
        low, high = (
            with_unit(end, contrast.unit, 3)
            for end in (contrast.difference_low, contrast.difference_high)
        )
    return f"{level} {low} to {high}"


def _why_difference(contrast: Contrast, used: Sequence[SampleValue]) -> str:
    """Say why there is no ratio."""
    if contrast.ratio is not None or contrast.question.quantity == THICKNESS:
        return ""
    names = list(dict.fromkeys(one.sample for one in used if not one.positive))
    return (
        f". There is no ratio: the mean of {', '.join(names)} is not two standard errors above "
        "0, so that differences are compared"
    )


def _own(contrast: Contrast, used: Sequence[SampleValue]) -> str:
    """Interval that only the places within the samples leave."""
    if contrast.ratio is None:
        return ""
    groups = (
        [
            [one for one in used if one.question.region == name]
            for name in (contrast.first, contrast.second)
        ]
        if contrast.kind == REGIONS
        else [
            [one for one in used if one.condition == name]
            for name in (contrast.first, contrast.second)
        ]
    )
    variance = sum(
        sum((one.stderr / one.mean) ** 2 for one in group) / len(group) ** 2
        for group in groups
        if group
    )
    if not math.isfinite(variance) or not variance:
        return ""
    low, high = (
        contrast.ratio * math.exp(sign * 1.96 * math.sqrt(variance)) for sign in (-1.0, 1.0)
    )
    return (
        f"; the places within these samples leave {_number(low)} to {_number(high)}, which says "
        "nothing of other samples"
    )


def _counts(contrast: Contrast) -> str:
    first, second = (counted(n, "sample") for n in (contrast.n_first, contrast.n_second))
    return f"{first} of {contrast.first} and {second} of {contrast.second}"


def _distance(contrast: Contrast) -> str:
    if contrast.question.distance is None:
        return ""
    low, high = (1e9 * end for end in contrast.question.distance)
    return f" at {low:.4g}-{high:.4g} nm"


def _probability(p: float | None) -> str:
    if p is None:
        return "unknown"
    return f"{p:.2g}" if p >= 1e-3 else f"{p:.0e}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"


def levels(groups: Mapping[str, Sequence[StudySample]]) -> str:
    """What counts, and what is averaged."""
    counts = ", ".join(f"{name}: {counted(len(one), 'sample')}" for name, one in groups.items())
    return (
        f"Samples are compared, not curves ({counts}): each sample counts once, with the mean over "
        "its curves; maps and sessions within a sample are averaged in it. Intervals and p values "
        "rest on how much the samples of a condition differ (Welch's test, no mixed model)."
    )


def named(primary: Question | None, contrasts: Sequence[Contrast]) -> str:
    """What was named before the run, and what the correction is for."""
    tested = sum(one.p is not None for one in contrasts if not one.primary)
    other = "" if primary is None else "other "
    others = (
        f" The {tested} {other}tests are corrected for their number (Holm)." if tested > 1 else ""
    )
    if primary is None:
        return (
            "No primary question was named before the run: all of this is exploratory, and what "
            f"stands out should be tested on new samples.{others}"
        )
    return f"The primary question, named before the run: {primary.label}.{others}"


def too_few(groups: Mapping[str, Sequence[StudySample]]) -> str:
    """Say what so few samples can show."""
    single = [name for name, one in groups.items() if len(one) < 2]
    if single:
        return (
            f"{', '.join(single)}: one sample of a condition shows nothing about others of it, "
            "however many curves it has. The numbers are descriptive."
        )
    least = min(len(one) for one in groups.values())
    if least not in _SEEN:
        return ""
    return (
        f"With {least} samples of a condition only differences of about "
        f"{_SEEN[least]:.2g} times the spread between samples are found in 8 of 10 studies: "
        "an interval that includes 1 does not show that conditions are alike."
    )


def at_modulus(modulus: float, values: Sequence[SampleValue]) -> str:
    """At which modulus thickness is compared."""
    if not values:
        return "Thickness is not compared: the results do not tell what their noise hides."
    return (
        f"Thickness is compared at one modulus, |G*| = {with_unit(modulus, 'Pa', 3)}, where no "
        "sample hides it in noise. Errors of calibrations shift where it is passed and are not in "
        "these intervals."
    )
