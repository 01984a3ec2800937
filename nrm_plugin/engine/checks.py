"""Doubts about whole experiments: wrong signs, wrong sensitivities, what could not be corrected."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.calibration import lockin
from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.engine.contact import STEEPEST, Referenced
from nrm_plugin.engine.shape_factor import ShapeFactorValues
from nrm_plugin.engine.signals import Block, Plan
from nrm_plugin.engine.survey import LEAST_SLOPE, RIGID, Survey
from nrm_plugin.errors import InvalidInput
from nrm_plugin.kernels import RecordArray
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe
from nrm_plugin.store.write_results import Results
from nrm_plugin.variables import BIT
from nrm_plugin.vocabulary import LATERAL_PAIRS

#: A lateral force that grows with the load to a larger power than this belongs to a tip that slips.
SLIPS = 0.6

#: Share of the walls that must show it before all curves are called wrong.
_MOST = 0.5

#: Slope of the wall that is off by more than this is worth a word.
_DOUBTFUL = 0.05


def refuse_wrong_signs(block: Block, referenced: Referenced) -> None:
    """Raise if walls show that a sign or the deflection's sensitivity is wrong.

    On the wall of a rigid sample the deflection grows by as much as the height falls.

    Raises
    ------
    InvalidInput
    """
    walls_found = referenced.contacts
    slope = walls_found["wall_slope"]
    swing = walls_found["wall_length"] * np.abs(slope)
    sure = swing > 20.0 * walls_found["noise"]
    sure &= np.abs(slope) > 5.0 * walls_found["wall_slope_stderr"]
    walls = max(int(sure.sum()), 1)
    if np.sum(sure & (slope > 0.1)) > _MOST * walls:
        risen = _risen(block)
        if np.sum(risen[sure] < 0.0) > _MOST * walls:
            raise InvalidInput(
                "the deflection falls where the tip is pressed onto the sample: its sign is wrong. "
                "Give deflection_sensitivity the other sign"
            )
        raise InvalidInput(
            "the height grows where the tip is pressed onto the sample: its sign is wrong. "
            "height must be larger where the tip is farther away"
        )
    if np.sum(sure & (slope < -STEEPEST)) > _MOST * walls:
        raise InvalidInput(
            f"on the wall the deflection grows by {-np.median(slope[sure]):.3g} nm per nm, and no "
            "more than 1 is possible: deflection_sensitivity is too large by that factor"
        )


def _risen(block: Block) -> FloatArray:
    """Deflection at the last samples of every curve less that at the first."""
    risen = np.zeros(len(block))
    for i in range(len(block)):
        part = block.deflection[block.begin[i] : block.begin[i + 1]]
        few = max(len(part) // 50, 1)
        if len(part):
            risen[i] = part[-few:].mean() - part[:few].mean()
    return risen


def refuse_output_volts(curves: CurveSet, how: Plan, numbers: IntArray) -> None:
    """Raise if volts at the lock-in's output are called volts at its input."""
    for source in (how.in_phase, how.quadrature):
        if source is not None and curves.channels[source.channel].unit == "V":
            lockin.refuse_output_volts(curves, curves.read(source.channel, numbers[:64]))


def lateral_flags(found: RecordArray) -> NDArray[np.int64]:
    """Flags that the lateral signal raises: it slips on the wall, or is missing.

    Parameters
    ----------
    found : array of `kernels.LATERAL_CHECK`
    """
    with np.errstate(invalid="ignore"):
        slips = found["exponent"] - 3.0 * found["stderr"] > SLIPS
        slips &= found["straight"] > 0.0
    gone = found["missing"] > 0.0
    return slips * np.int64(BIT["slip"]) | gone * np.int64(BIT["missing_lateral"])


def warnings(
    curves: CurveSet,
    recipe: Recipe,
    how: Plan,
    shape: ShapeFactorValues,
    surveys: Sequence[Survey],
    results: Results,
) -> list[str]:
    """Everything that a user should know before trusting the results, a sentence each."""
    found = [*curves.warnings, *_of_wall(surveys, recipe)]
    if not np.isfinite(how.spring_constant):
        found.append("spring_constant is not known: there is no normal force")
    if not how.lateral:
        half = [n for pair in LATERAL_PAIRS for n in pair if n in curves.channels]
        found.append(
            "there is no lateral signal: contacts are given, moduli are not"
            + (f" (only {', '.join(half)} is there)" if half else "")
        )
        return found
    if not how.lateral_stiffness and recipe.lateral.series_compliance:
        found.append(
            "lateral_stiffness is not known: moduli are not corrected for the lever's own "
            "compliance, and too small where the sample is stiff"
        )
    if not np.isfinite(how.frequency):
        found.append("dither_frequency is not known: there is no viscosity")
    if recipe.lateral.lag:
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


def _of_lag(how: Plan) -> Iterator[str]:
    if not how.time_constant:
        yield "lockin_time_constant is not known: the lock-in's lag is not corrected"
    elif not how.timed:
        yield "there are no sample times: the lock-in's lag is not corrected"
    elif not how.lag:
        yield "lockin_poles is not known: the lock-in's lag is not corrected"


def _of_wall(surveys: Sequence[Survey], recipe: Recipe) -> Iterator[str]:
    for found in surveys:
        if not found.walls:
            yield (
                f"in no curve does the deflection grow by {LEAST_SLOPE:g} nm per nm: either no "
                "ramp reaches the electrode, or deflection_sensitivity is too small"
            )
        off = abs(found.slope - RIGID[0])
        if off > _DOUBTFUL + 3.0 * found.slope_stderr:
            yield (
                f"the walls have a slope of {found.slope:.3f} nm/nm instead of -1: the electrode "
                "gives way, or deflection_sensitivity is wrong by that factor"
            )
        if found.wave and recipe.contact.interference:
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
        logging.getLogger("nrm_plugin").warning(line)
