"""Sentences about whole experiments: what could not be corrected, what is odd about the sample."""

from __future__ import annotations

import logging
import math
import shlex
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine.checks.check import VERDICTS, Check
from nrm_plugin.engine.shape_factor import ShapeFactorValues
from nrm_plugin.engine.signals import Plan
from nrm_plugin.engine.survey import Survey
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe
from nrm_plugin.requirements import unknown_channels
from nrm_plugin.store.write_results import Results
from nrm_plugin.vocabulary import LATERAL_PAIRS

_LOG = logging.getLogger("nrm_plugin")


def warnings(
    curves: CurveSet,
    recipe: Recipe,
    how: Plan,
    shape: ShapeFactorValues,
    surveys: Sequence[Survey],
    results: Results,
    checks: Sequence[Check],
) -> list[str]:
    """Everything that a user should know before trusting the results, a sentence each.

    What the data refute comes first, then what is doubtful; what a check cannot know comes last.
    """
    said = {verdict: [c.sentence for c in checks if c.verdict == verdict] for verdict in VERDICTS}
    silent = {c.name for c in checks if c.verdict == "fine"}
    others = _others(curves, recipe, how, shape, surveys, results, silent)
    return [*said["wrong"], *said["doubtful"], *others, *said["unknown"]]


def _others(
    curves: CurveSet,
    recipe: Recipe,
    how: Plan,
    shape: ShapeFactorValues,
    surveys: Sequence[Survey],
    results: Results,
    silent: Set[str],
) -> list[str]:
    """What no check says; `silent` are those that are fine, and say nothing."""
    found = list(curves.warnings)
    if "fringe" in silent and recipe.contact.interference:
        found += _of_fringes(surveys)
    if not np.isfinite(how.spring_constant):
        found.append("spring_constant is not known: there is no normal force")
    if not how.lateral:
        half = [n for pair in LATERAL_PAIRS for n in pair if n in curves.channels]
        found.append(
            "there is no lateral signal: contacts are given, moduli are not"
            + (f" (only {', '.join(half)} is there)" if half else "")
        )
        found += _of_unnamed(curves)
        return found
    alone = recipe.lateral.series_compliance and "lateral_stiffness" in silent
    if not how.lateral_stiffness and alone:
        found.append(
            "lateral_stiffness is not known: moduli are not corrected for the lever's own "
            "compliance, and too small where the sample is stiff"
        )
    if not np.isfinite(how.frequency):
        found.append("dither_frequency is not known: there is no viscosity")
    if recipe.lateral.lag and "lockin_lag" in silent:
        found += _of_lag(how)
    if np.isnan(shape.values).any():
        found.append(f"the shape factor ({shape.source}) does not reach all depths")
    said = curves.metadata.get("tip_radius")
    if isinstance(said, float) and shape.tip_radius and abs(said / shape.tip_radius - 1.0) > 0.01:
        found.append(
            f"the shape factor is that of a tip of {shape.tip_radius * 1e9:.3g} nm radius, and "
            f"tip_radius says {said * 1e9:.3g} nm: compute the curve of this tip"
        )
    for number in range(len(surveys)):
        found += _of_signs(results, number)
    return found


def _of_unnamed(curves: CurveSet) -> Iterator[str]:
    """Inputs of which the file does not say what they are, and how to name them."""
    channels = [curves.channels[name] for name in unknown_channels(curves)]
    names = [c.original or c.name for c in channels if c.unit in ("V", "N")]
    if names:
        wired = zip(names[:2], LATERAL_PAIRS[2], strict=False)
        maps = " ".join(shlex.join(["--map", f"{name}={new}"]) for name, new in wired)
        yield (
            f"nobody has said what {', '.join(names[:8])} "
            f"{'is' if len(names) == 1 else 'are'}: where the lock-in's outputs were recorded "
            f"there, name them, {maps}, or in [channels] of an experiment file, and process again "
            "with --overwrite"
        )


def _of_lag(how: Plan) -> Iterator[str]:
    if how.told_lag == 0.0:
        return
    if math.isnan(how.told_lag) and not how.time_constant:
        yield "lockin_time_constant is not known: the lock-in's lag is not corrected"
    elif not how.timed:
        yield "there are no sample times: the lock-in's lag is not corrected"
    elif not how.lag:
        yield "lockin_poles is not known: the lock-in's lag is not corrected"


def _of_fringes(surveys: Sequence[Survey]) -> Iterator[str]:
    for found in surveys:
        if found.wave:
            period = 2e9 * np.pi / found.wave
            yield f"an interference fringe of period {period:.0f} nm was taken out"


def _of_signs(results: Results, number: int) -> Iterator[str]:
    """Whether the loss or the storage modulus of the whole ensemble is negative."""
    loss, storage = (results.means[name][number] for name in ("loss_modulus", "storage_modulus"))
    if _below(storage):
        yield (
            "the storage modulus of the whole ensemble is negative: the phase of the instrument "
            "(lockin_phase) is off by half a turn, or the in-phase signal has the wrong sign"
        )
    elif _below(loss) and abs(np.nanmean(loss)) > 0.02 * abs(np.nanmean(storage)):
        yield (
            "the loss modulus of the whole ensemble is negative: the quadrature has the wrong "
            "sign, or the phase of the instrument (lockin_phase) is off"
        )


def _below(values: FloatArray) -> bool:
    """Whether the mean over curves is below zero beyond doubt."""
    values = values[np.isfinite(values)]
    if len(values) < 3:
        return False
    return bool(values.mean() < -5.0 * values.std(ddof=1) / np.sqrt(len(values)))


def log(warnings: str) -> None:
    """Say the warnings where logs go; on a terminal or in a notebook they are shown."""
    for line in warnings.splitlines():
        _LOG.warning(line)


@contextmanager
def unlogged() -> Iterator[None]:
    """Keep the warnings out of the logs: the caller says them, with the name of the file."""

    def mute(record: logging.LogRecord) -> bool:
        return False

    _LOG.addFilter(mute)
    try:
        yield
    finally:
        _LOG.removeFilter(mute)
