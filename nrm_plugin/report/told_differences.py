"""Where what was told of samples differs, and what that does to their comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nrm_plugin.engine.checks.check import VERDICTS, Verdict
from nrm_plugin.experiment.stated import Facts
from nrm_plugin.report.facts import facts_of, texts
from nrm_plugin.statistics.comparison_types import StudySample
from nrm_plugin.text import printable, with_unit
from nrm_plugin.vocabulary import BESIDE, METADATA, calibrated_by

#: Power with which moduli go with a value: E* is (dF/dz) / (4 r_g A), F* is k_l s_l V.
POWERS = {
    "lateral_sensitivity": 1.0,
    "lateral_stiffness": 1.0,
    "shape_factor": -1.0,
    "dither_amplitude": -1.0,
    "lateral_output_gain": -1.0,
}

#: Values of the lever or of the laser's path: another lever or session has others.
_OF_LEVER = (
    "lateral_sensitivity",
    "lateral_stiffness",
    "deflection_sensitivity",
    "spring_constant",
    "cantilever_length",
    "cantilever_width",
    "cantilever_thickness",
    "cantilever_resonance",
    "cantilever_quality_factor",
    "tip_height",
    "tip_radius",
    "tip_half_angle",
)

#: Of these a difference is one of the recording, and of nothing that is compared.
_NEVER = (
    "title",
    "comment",
    "start_time",
    "clock_offset",
    "potential_source",
    "markers",
    "simulated",
    "time_zone",
    "height_source",
    "scan_angle",
    "scan_size",
    "ramp_size",
    "trigger_mode",
    "software_version",
    "lateral_baseline",
)

#: What a difference of other values does.
_EFFECTS = {
    "dither_frequency": "moduli at two frequencies are two quantities",
    "deflection_sensitivity": "no modulus; normal forces, and distances by less than the tip bends",
    "lateral_stiffness": "the correction for what the lever gives way",
    "spring_constant": "no modulus; the force at which a surface counts as the electrode",
    "poisson_ratio": "E* is the same, |G*| is not",
    "tip_radius": "the shape factor, and how near the electrode moduli are apparent",
    "tip_half_angle": "the shape factor",
    "lockin_time_constant": "where in depth the signal lags",
    "lockin_poles": "where in depth the signal lags",
    "lockin_lag": "where in depth the signal lags",
    "lockin_sensitivity": "the scale, in proportion, where it is not what the lock-in was set to",
    "approach_speed": "the rate at which the layer is pressed, and where in depth the signal lags",
    "temperature": "the layer itself",
    "electrolyte": "what is compared, or a second difference beside it",
    "electrode": "what is compared, or a second difference beside it",
    "reference_electrode": "at which potentials regions lie",
}

_BESIDE = tuple(f"_{what}" for what in BESIDE)

_ROOT_TWO = math.sqrt(2.0)


@dataclass(frozen=True, kw_only=True)
class RatioChange:
    """By how many per cent the ratio of two conditions would change.

    Attributes
    ----------
    first, second : str
        The ratio is first over second.
    storage, loss : float
        In per cent; nan where it is not known.
    """

    first: str
    second: str
    storage: float
    loss: float

    @property
    def known(self) -> bool:
        """Whether anything is known of it."""
        return math.isfinite(self.storage) or math.isfinite(self.loss)

    @property
    def text(self) -> str:
        """In words."""
        if not self.known:
            return f"{self.first} / {self.second}: not known"
        parts = [
            f"{letter} {'not known' if math.isnan(value) else f'{value:+.1f} %'}"
            for letter, value in (("E'", self.storage), ("E''", self.loss))
        ]
        return f"{self.first} / {self.second}: {', '.join(parts)}"


@dataclass(frozen=True, kw_only=True)
class ToldDifference:
    """A value that was told differently of samples.

    Attributes
    ----------
    key, title : str
    values : mapping of str to list of str
        Samples by the value in words, "not told" where there is none.
    verdict : str
        ``fine`` where another lever or session explains it, else ``doubtful``.
    reason : str
        Why so.
    changes : list of RatioChange
        Of conditions, if all samples really had one and the same value.
    effect : str
        What it does, where that is no percentage.
    """

    key: str
    title: str
    values: Mapping[str, list[str]]
    verdict: Verdict
    reason: str
    changes: Sequence[RatioChange] = ()
    effect: str = ""

    @property
    def in_words(self) -> str:
        """Values with their samples."""
        return "; ".join(f"{value}: {', '.join(names)}" for value, names in self.values.items())

    @property
    def sentence(self) -> str:
        """All of it, for people."""
        does = "; ".join(change.text for change in self.changes) or self.effect
        return f"{self.title} differs ({self.in_words}): {self.reason}" + (
            f"; {does}" if does else ""
        )


@dataclass(frozen=True, kw_only=True)
class _ToldOfSamples:
    """Samples with their facts."""

    samples: Sequence[StudySample]
    facts: Sequence[Facts] = field(default=())

    @property
    def pairs(self) -> list[tuple[str, str]]:
        names = list(dict.fromkeys(one.condition for one in self.samples))
        return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]

    @property
    def in_newtons(self) -> bool:
        """Whether the lateral signal was recorded in N, so that no scale is told."""
        return not any("lateral_sensitivity" in facts for facts in self.facts)

    def members(self, condition: str) -> list[int]:
        return [i for i, one in enumerate(self.samples) if one.condition == condition]


def told_differences(samples: Sequence[StudySample]) -> list[ToldDifference]:
    """Find what was told differently of samples; the doubtful first.

    Changes are what would happen to the ratio of two conditions if the value of one sample held
    for all: geometric means over the samples of a condition, with each sample's own phase between
    E' and E''.
    """
    every = _ToldOfSamples(samples=samples, facts=[facts_of(one.results) for one in samples])
    keys = dict.fromkeys(key for facts in every.facts for key in facts)
    found = [
        one
        for key in keys
        if key not in _NEVER and not key.endswith(_BESIDE) and not calibrated_by(key)
        if (one := _difference(key, every)) is not None
    ]
    found += [one for one in (_recipes(samples), _versions(samples)) if one is not None]
    order = {name: rank for rank, name in enumerate(VERDICTS)}
    return sorted(found, key=lambda one: (order[one.verdict], not one.changes))


def _difference(key: str, every: _ToldOfSamples) -> ToldDifference | None:
    told = [facts.get(key) for facts in every.facts]
    numbers = [facts.number(key) for facts in every.facts]
    if len({None if one is None else str(one.value) for one in told}) < 2:
        return None
    known = [value for value in numbers if value is not None]
    if len(known) == len(told) and np.allclose(known, known[0], rtol=1e-9, atol=0.0):
        return None
    groups: dict[str, list[str]] = {}
    for sample, one, value in zip(every.samples, told, numbers, strict=True):
        if one is None:
            text = "not told"
        else:
            text = one.text if value is None else with_unit(value, METADATA[key].unit, 4)
        groups.setdefault(printable(text)[:200], []).append(printable(sample.name))
    verdict, reason = _judged(key, every, [None if one is None else str(one.value) for one in told])
    changes = _changes(key, numbers, every, [None if one is None else one.value for one in told])
    return ToldDifference(
        key=key,
        title=_title(key),
        values=groups,
        verdict=verdict,
        reason=reason,
        changes=changes,
        effect=_EFFECTS.get(key, ""),
    )


def _title(key: str) -> str:
    meaning = METADATA[key].meaning if key in METADATA else key
    return meaning[:1].upper() + meaning[1:]


def _judged(key: str, every: _ToldOfSamples, values: Sequence[str | None]) -> tuple[Verdict, str]:
    """Verdict and reason: another lever or session explains its own values."""
    if any(value is None for value in values):
        return "doubtful", "it was told of some samples only"
    if key not in _OF_LEVER:
        if key in POWERS or key.startswith(("lockin", "dither")):
            return "doubtful", "a setting that is not the same for all: is each what was set?"
        if key in ("electrolyte", "electrode") and _one_each(
            [one.condition for one in every.samples], values
        ):
            return "fine", "each condition has its own"
        return "doubtful", "a second difference beside the one that is compared"
    of_session = key in ("deflection_sensitivity", "lateral_sensitivity")
    for name in ("lever", "session") if of_session else ("lever",):
        labels = [getattr(one, name) for one in every.samples]
        if all(labels) and _one_each(labels, values):
            return "fine", f"each {name} has its own"
    if not all(one.lever for one in every.samples):
        return "doubtful", "with which lever each was measured is not told"
    return "doubtful", f"told twice for the same lever{' and session' if of_session else ''}"


def _one_each(labels: Sequence[str], values: Sequence[str | None]) -> bool:
    """Whether all samples with a label have the same value."""
    given: dict[str, set[str | None]] = {}
    for label, value in zip(labels, values, strict=True):
        given.setdefault(label, set()).add(value)
    return all(len(one) == 1 for one in given.values())


def _changes(
    key: str, numbers: Sequence[float | None], every: _ToldOfSamples, values: Sequence[object]
) -> list[RatioChange]:
    """What one value for all would do to the ratios of conditions."""
    if key == "lockin_phase":
        return ratio_changes(_of_phase(numbers, every), every.samples)
    if key == "lockin_convention":
        made = [{"rms": math.log(_ROOT_TWO), "peak": 0.0}.get(str(v), math.nan) for v in values]
    elif key in POWERS and not (key == "lateral_stiffness" and every.in_newtons):
        made = [math.nan if not v else POWERS[key] * math.log(abs(v)) for v in numbers]
    else:
        return []
    return ratio_changes([(-one, -one) for one in made], every.samples)


def ratio_changes(
    logs: Sequence[tuple[float, float]], samples: Sequence[StudySample]
) -> list[RatioChange]:
    """Change of the ratio of every two conditions.

    Parameters
    ----------
    logs : sequence of (float, float)
        For every sample, the logarithm of the factor by which E' and E'' would change.
    samples : sequence of StudySample
    """
    every = _ToldOfSamples(samples=samples)
    found = []
    for first, second in every.pairs:
        change = [
            100.0
            * math.expm1(
                float(np.mean([logs[i][part] for i in every.members(first)]))
                - float(np.mean([logs[i][part] for i in every.members(second)]))
            )
            for part in (0, 1)
        ]
        names = {"first": printable(first), "second": printable(second)}
        found.append(RatioChange(**names, storage=change[0], loss=change[1]))
    return [one for one in found if not _is_nothing(one)]


def _is_nothing(change: RatioChange) -> bool:
    return abs(change.storage) < 0.05 and abs(change.loss) < 0.05


def _of_phase(numbers: Sequence[float | None], every: _ToldOfSamples) -> list[tuple[float, float]]:
    """Logarithms of what the first phase told would make of E' and E'' of every sample."""
    first = next((value for value in numbers if value is not None), 0.0)
    logs = []
    for sample, value in zip(every.samples, numbers, strict=True):
        tangent = loss_tangent(sample)
        turn = math.nan if value is None else value - first
        storage = math.cos(turn) - tangent * math.sin(turn)
        loss = math.cos(turn) + math.sin(turn) / tangent if tangent else math.nan
        logs.append((_log(storage), _log(loss)))
    return logs


def _log(factor: float) -> float:
    return math.log(factor) if factor > 0.0 else math.nan


def loss_tangent(sample: StudySample, between: tuple[float, float] = (2e-9, 10e-9)) -> float:
    """Mean E'' over mean E' of a sample at some distances (m); nan where there is none."""
    results = sample.analysis.results
    if not {"storage_modulus", "loss_modulus"} <= set(results):
        return math.nan
    depth = np.asarray(results["depth"].values, np.float64)
    inside = np.flatnonzero((depth >= between[0]) & (depth <= between[1]))
    if not len(inside):
        return math.nan
    part = results.isel(depth=slice(int(inside[0]), int(inside[-1]) + 1))
    storage, loss = (
        np.asarray(part[name].values, np.float64) for name in ("storage_modulus", "loss_modulus")
    )
    both = np.isfinite(storage) & np.isfinite(loss)
    total = float(storage[both].sum())
    return float(loss[both].sum()) / total if total > 0.0 else math.nan


def _recipes(samples: Sequence[StudySample]) -> ToldDifference | None:
    return _of_attribute(samples, "recipe", "Recipe", "how moduli were made of the curves")


def _versions(samples: Sequence[StudySample]) -> ToldDifference | None:
    name, effect = "nrm_plugin_version", "numbers, as the list of changes says"
    return _of_attribute(samples, name, "Version of nrm-plugin", effect)


def _of_attribute(
    samples: Sequence[StudySample], name: str, title: str, effect: str
) -> ToldDifference | None:
    groups: dict[str, list[str]] = {}
    for sample in samples:
        groups.setdefault("; ".join(texts(sample.results, name)), []).append(printable(sample.name))
    if len(groups) < 2:
        return None
    if name == "recipe":
        named = {f"recipe {i}": names for i, names in enumerate(groups.values(), 1)}
    else:
        named = {text or "not known": names for text, names in groups.items()}
    return ToldDifference(
        key=name,
        title=title,
        values=named,
        verdict="doubtful",
        reason="samples that are compared are processed alike",
        effect=effect,
    )
