"""What a reader may conclude of a comparison, in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nrm_plugin.statistics.comparison_types import CONDITIONS, Contrast
from nrm_plugin.text import counted, with_unit


def of_far_samples(contrasts: Sequence[Contrast]) -> list[str]:
    """Say of each sample that lies far from the others in how many contrasts it does."""
    tested = [one for one in contrasts if one.kind == CONDITIONS]
    found = []
    for name in dict.fromkeys(one.far_sample for one in tested if one.far_sample):
        its = [one for one in tested if one.far_sample == name]
        ratios = [one for one in its if one.ratio is not None]
        most = max(ratios, key=lambda one: abs(math.log(one.far_by)), default=its[0])
        amount = (
            f"{_short(most.far_by)} times their mean"
            if most.ratio is not None
            else f"{with_unit(most.far_by, most.unit, 3)} from their mean"
        )
        found.append(
            f"{name} lies far from the other samples of its condition in {len(its)} of "
            f"{counted(len(tested), 'contrast')} ({most.question.label}: {amount}). It is kept: "
            "it widens the intervals and is not taken for an effect of the condition. Only a "
            "reason of its own (calibration, tip, self-checks), not its value, is one to leave it "
            "out."
        )
    return found


def of_other_tests(contrasts: Sequence[Contrast], primary: bool, level: float) -> list[str]:
    """What the tests beside the primary question say together, in plain words."""
    others = [one for one in contrasts if not one.primary]
    tested = [one for one in others if one.p is not None and one.p_holm is not None]
    limit = 1.0 - level
    said = []
    if not primary:
        said.append(
            "No question was named before the run: all comparisons are exploratory. What stands "
            "out is a question for new samples, and no finding."
        )
    if tested:
        below = sum((one.p or 0.0) < limit for one in tested)
        held = [one for one in tested if (one.p_holm or 0.0) < limit]
        names = ", ".join(f"{one.first} / {one.second}: {one.question.label}" for one in held[:5])
        more = f" and {len(held) - 5} more" if len(held) > 5 else ""
        said.append(
            f"{'Of all' if not primary else 'Beside it, of'} {counted(len(tested), 'test')} "
            f"{below} {'has' if below == 1 else 'have'} p < {limit:.2g}; where nothing differs "
            f"about {limit * len(tested):.2g} would. Corrected for their number (Holm), "
            + (
                f"{len(held)} {'has' if len(held) == 1 else 'have'}: {names}{more}."
                if held
                else "none has: they are questions for new samples, no findings."
            )
        )
    if len(others) > len(tested):
        untested = len(others) - len(tested)
        said.append(f"{counted(untested, 'contrast')} cannot be tested: the table says why.")
    return said


def conclusion(contrast: Contrast) -> str:
    """What a reader may conclude of a contrast, in plain words; empty where nothing is tested."""
    first, second = contrast.first, contrast.second
    if contrast.p is None or contrast.freedom is None:
        return (
            "Nothing follows for other samples: there is no test, and the numbers describe these "
            "samples alone."
        )
    if contrast.ratio is not None:
        ends, alike = (contrast.ratio_low, contrast.ratio_high), 1.0
        low, high = map(_short, ends)
    else:
        ends, alike = (contrast.difference_low, contrast.difference_high), 0.0
        low, high = (with_unit(end, contrast.unit, 3) for end in ends)
    if None in ends:
        return ""
    if (ends[0] or 0.0) <= alike <= (ends[1] or 0.0):
        return (
            f"The interval holds {alike:g}: these samples show neither that {first} and {second} "
            f"differ nor that they are alike. Anything from {low} to {high} agrees with them."
        )
    larger = "larger" if (ends[0] or 0.0) > alike else "smaller"
    what = "factor" if contrast.ratio is not None else "difference"
    return (
        f"The value of {first} is {larger} than that of {second}, by more than samples of one "
        f"condition differ among themselves; the {what} lies between {low} and {high}."
    )


def without_lateral(names: Sequence[str], all_of_them: bool) -> str:
    """Say which samples have no lateral signal, and what that leaves."""
    if not all_of_them:
        return (
            f"{', '.join(names)}: there is no lateral signal, so there are no moduli and no "
            "thickness; the comparison is of the other samples."
        )
    return (
        "No sample has a lateral signal: there are no moduli and no thickness, and nothing is "
        "compared. Contacts, flags and maps of heights are there. If the curves do hold the "
        "lock-in's X and Y, name their channels under map in the study file."
    )


def _short(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"
