"""What samples share beside their condition: calibrations, levers, sessions, days."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nrm_plugin.experiment.stated import Facts
from nrm_plugin.statistics.comparison_types import StudySample
from nrm_plugin.text import listed

#: Calibrations to whose value moduli are proportional, or inversely so, and what has its own.
_OF = {
    "lateral_stiffness": ("lever",),
    "lateral_sensitivity": ("lever", "session"),
    "dither_amplitude": ("session",),
    "shape_factor": (),
}

#: Units of quantities that are proportional to them.
_PROPORTIONAL = ("Pa", "Pa s", "N/m", "N")

#: Relative error that is usual for k_l and s_l where none is stated: 10 to 20 %.
USUAL = 0.15

#: What samples of one condition may share.
_LEVELS = ("lever", "session", "day")


@dataclass(frozen=True, kw_only=True)
class AddedError:
    """Error of a ratio of conditions that the spread between samples does not show.

    Attributes
    ----------
    variance : float
        Relative, squared: of the difference of logarithms.
    not_stated : tuple of str
        Calibrations that matter here and have no error in the results.
    usual : float
        The variance that those add if their error is the usual one.
    """

    variance: float = 0.0
    not_stated: tuple[str, ...] = ()
    usual: float = 0.0

    @property
    def known(self) -> bool:
        """Whether all of it is known."""
        return not self.not_stated


def added_error(
    first: Sequence[StudySample], second: Sequence[StudySample], unit: str
) -> AddedError:
    """Return what calibrations add to the error of a ratio of two conditions.

    A calibration that samples share is one error for all of them. With the part p of a condition's
    n samples that share it, it puts ``sum (p_1 - p_2)^2 sigma^2`` on the variance of the ratio;
    ``sum p (1 - p) sigma^2 / (n - 1)`` of it is already in the spread of each condition. What is
    missing is added: nothing where all samples share one calibration (it cancels) or each has its
    own (it is part of the spread), ``2 sigma^2`` where each condition has its own.

    Parameters
    ----------
    first, second : sequence of StudySample
    unit : str
        Of the quantity: only moduli, forces and their gradients are proportional to calibrations.
    """
    if unit not in _PROPORTIONAL:
        return AddedError()
    stated = {
        one.name: Facts(str(one.results.attrs.get("experiment", ""))) for one in (*first, *second)
    }
    variance = usual = 0.0
    missing = []
    for key, levels in _OF.items():
        parts: list[Counter[tuple[str, ...]]] = []
        errors: dict[tuple[str, ...], float | None] = {}
        for group in (first, second):
            count: Counter[tuple[str, ...]] = Counter()
            for one in group:
                fact = stated[one.name].get(key)
                label = (*(getattr(one, level) for level in levels), fact.text if fact else "")
                count[label] += 1
                errors[label] = _relative(stated[one.name], key) if fact else 0.0
            parts.append(count)
        weights = {label: _missing_part(label, parts) for label in errors}
        if sum(weights.values()) <= 1e-12:
            continue
        unknown = [label for label, error in errors.items() if error is None]
        variance += max(sum(weights[one] * (error or 0.0) ** 2 for one, error in errors.items()), 0)
        if any(abs(weights[label]) > 1e-12 for label in unknown):
            missing.append(key)
            usual += max(sum(weights[label] for label in unknown), 0.0) * USUAL**2
    return AddedError(variance=variance, not_stated=tuple(missing), usual=usual)


def _missing_part(label: tuple[str, ...], parts: Sequence[Counter[tuple[str, ...]]]) -> float:
    """Weight of a calibration's variance that the spread of samples does not hold."""
    shares = [count[label] / count.total() for count in parts]
    shown = sum(
        share * (1.0 - share) / (count.total() - 1)
        for share, count in zip(shares, parts, strict=True)
        if count.total() > 1
    )
    return float((shares[0] - shares[1]) ** 2 - shown)


def _relative(facts: Facts, key: str) -> float | None:
    value, error = facts.number(key), facts.stderr(key)
    return abs(error / value) if value and error is not None else None


@dataclass(frozen=True, kw_only=True)
class Confounded:
    """A condition that cannot be told from what its samples share.

    Attributes
    ----------
    level : str
        lever, session or day.
    sentence : str
    """

    level: str
    sentence: str


def confounded(first: Sequence[StudySample], second: Sequence[StudySample]) -> list[Confounded]:
    """Levels that no sample of one condition has in common with the other, but several share.

    Where each sample has a level of its own (its own lever, its own day), the level is part of
    the spread between samples and nothing is confounded.
    """
    found = []
    names = (first[0].condition, second[0].condition)
    for level in _LEVELS:
        labels = [[str(getattr(one, level)) for one in group] for group in (first, second)]
        if not all(all(group) for group in labels):
            continue  # not told
        apart = not set(labels[0]) & set(labels[1])
        if apart and any(len(set(group)) < len(group) for group in labels):
            words = " and ".join(
                f"{level} {listed(dict.fromkeys(group))} for {name}"
                for name, group in zip(names, labels, strict=True)
            )
            found.append(
                Confounded(
                    level=level,
                    sentence=f"The conditions {names[0]} and {names[1]} are confounded with the "
                    f"{level} ({words}): what differs may be the {level}",
                )
            )
        elif level == "day" and apart and _apart_in_time(*labels):
            before, after = names if max(labels[0]) < min(labels[1]) else names[::-1]
            found.append(
                Confounded(
                    level="day",
                    sentence=f"All samples of {before} were measured on days before those of "
                    f"{after}: a drift of the instrument looks like the condition",
                )
            )
    return found


def _apart_in_time(first: Sequence[str], second: Sequence[str]) -> bool:
    if len(first) + len(second) < 4:
        return False
    return max(first) < min(second) or max(second) < min(first)


def not_told(samples: Sequence[StudySample]) -> list[str]:
    """Sentences about levels that are not told, so that nothing can be said of them."""
    found = []
    for level in _LEVELS:
        without = [one.name for one in samples if not getattr(one, level)]
        if not without:
            continue
        who = "No sample" if len(without) == len(samples) else f"{listed(without)}"
        verb = (
            "tells"
            if len(without) == len(samples)
            else "do not tell"
            if len(without) > 1
            else ("does not tell")
        )
        found.append(
            f"{who} {verb} its {level}: whether conditions are confounded with it is unknown"
            + (
                "; samples with the same lateral_stiffness are taken to share its error"
                if level == "lever"
                else ""
            )
        )
    return found


def relative_words(variance: float) -> str:
    """Words for a relative error, as ``14 %``."""
    return f"{100.0 * math.sqrt(variance):.2g} %"
