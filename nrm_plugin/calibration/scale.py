"""Uncertainty of the absolute scale of E*: one factor common to all moduli of an experiment.

``E* = (1 / 4 r_g A) dF*/dz`` with ``F = k_lat S V`` and ``k_lat = (4/3) (G/E) k_c L**2 / l_t**2``.
An error of any of these multiplies every modulus by the same factor. It is kept beside the moduli,
never in the errors of single points: those say how sure differences between depths are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet

#: Powers with which E* depends on what scales it.
POWERS: dict[str, float] = {
    "spring_constant": 1.0,
    "cantilever_length": 2.0,
    "tip_height": -2.0,
    "shear_over_young": 1.0,
    "lateral_sensitivity": 1.0,
    "dither_amplitude": -1.0,
    "shape_factor": -1.0,
}

#: What a lateral stiffness whose own error is known stands for.
_INSIDE = ("spring_constant", "cantilever_length", "tip_height", "shear_over_young")

MEANING: dict[str, str] = {
    "spring_constant": "spring constant k_c",
    "cantilever_length": "length L, counts twice",
    "tip_height": "arm of the tip l_t, counts twice",
    "shear_over_young": "ratio of shear to Young's modulus G/E of the lever",
    "lateral_stiffness": "lateral stiffness k_t / l_t^2",
    "lateral_sensitivity": "lateral sensitivity S",
    "dither_amplitude": "dither amplitude A",
    "shape_factor": "shape factor r_g",
}


@dataclass(frozen=True, kw_only=True)
class ModulusScale:
    """How far all moduli together may be off.

    Attributes
    ----------
    total : float
        Relative standard error of the scale, from the contributions that are known.
    contributions : dict
        Relative standard error of E* that each of them makes (its own, times the power with which
        it enters), under metadata keys.
    unknown : tuple of str
        What also scales E* and has no error given. The total is too small by these.
    interval : (float, float)
        95 % interval of the factor between measured and true modulus, all inputs log-normal.
    monte_carlo : float
        Relative standard deviation of that factor in a simulation, to be compared with `total`.
    """

    total: float
    contributions: dict[str, float]
    unknown: tuple[str, ...]
    interval: tuple[float, float]
    monte_carlo: float

    @property
    def complete(self) -> bool:
        """Whether the error of everything that scales E* is known."""
        return not self.unknown

    def lines(self) -> list[str]:
        """One line per contribution, largest first, for reports."""
        order = sorted(self.contributions, key=lambda k: -self.contributions[k])
        text = [f"{MEANING[k]}: {self.contributions[k]:.1%}" for k in order]
        text += [f"{MEANING[k]}: unknown" for k in self.unknown]
        bound = "" if self.complete else " or more"
        low, high = self.interval
        return [*text, f"together: {self.total:.1%}{bound}, 95 % within {low:.2f} to {high:.2f}"]

    def attributes(self) -> dict[str, Any]:
        """Numbers and texts to be stored with results, once."""
        return {
            "scale_stderr": self.total,
            "scale_interval": list(self.interval),
            "scale_unknown": ", ".join(self.unknown),
            **{f"scale_stderr_{name}": value for name, value in self.contributions.items()},
        }


def scale_of(
    curves: CurveSet | Mapping[str, Any],
    relative: Mapping[str, float] | None = None,
    *,
    draws: int = 100_000,
    seed: int = 0,
) -> ModulusScale:
    """Uncertainty of the scale of E* from what is known of the calibration.

    Parameters
    ----------
    curves : CurveSet or mapping
        Metadata with ``..._stderr`` beside the values. Where ``lateral_stiffness_stderr`` is there,
        it stands for spring constant, length, arm and G/E together.
    relative : mapping, optional
        Relative standard errors of single inputs under the names of `MEANING`, for those that
        metadata have no error of (``cantilever_length``, ``tip_height``, ``shear_over_young``),
        or instead of theirs.
    draws, seed : int
        Of the simulation.

    Raises
    ------
    InvalidInput
        For an unknown name or an error that is no number of 0 or more.
    """
    metadata = curves.metadata if isinstance(curves, CurveSet) else curves
    inputs = _relative_errors(metadata, dict(relative or {}))
    whole = "lateral_stiffness" in inputs
    names = [n for n in POWERS if not (whole and n in _INSIDE)]
    names += ["lateral_stiffness"] * whole
    powers = POWERS | {"lateral_stiffness": 1.0}
    unknown = tuple(n for n in names if n not in inputs)
    known = {n: inputs[n] for n in names if n in inputs}
    contributions = {n: abs(powers[n]) * u for n, u in known.items()}
    total = float(np.sqrt(sum(c * c for c in contributions.values())))
    factor = _simulated(known, powers, draws, seed)
    low, high = np.quantile(factor, [0.025, 0.975])
    # Half of the width that 68 % of a normal distribution have: not upset by the long tail.
    middle = np.quantile(np.log(factor), [0.158655, 0.841345])
    spread = float(middle[1] - middle[0]) / 2.0
    return ModulusScale(
        total=total,
        contributions=contributions,
        unknown=unknown,
        interval=(float(low), float(high)),
        monte_carlo=spread,
    )


def _relative_errors(metadata: Mapping[str, Any], relative: dict[str, float]) -> dict[str, float]:
    for name, error in relative.items():
        if name not in MEANING:
            raise InvalidInput(f"{name!r} does not scale E*; there are: {', '.join(MEANING)}")
        if not (np.isfinite(error) and error >= 0.0):
            raise InvalidInput(f"the relative error of {name} is a number of 0 or more: {error}")
    errors = {}
    for name in MEANING:
        stderr, value = metadata.get(f"{name}_stderr"), metadata.get(name)
        if isinstance(stderr, float) and isinstance(value, float) and value != 0.0 and stderr > 0.0:
            errors[name] = abs(stderr / value)
    if any(name in relative for name in _INSIDE):
        errors.pop("lateral_stiffness", None)
    return errors | relative


def _simulated(
    known: Mapping[str, float], powers: Mapping[str, float], draws: int, seed: int
) -> np.ndarray:
    """Factors between measured and true modulus, shape (draws,).

    Each input is log-normal about its value, with its relative standard error.
    """
    rng = np.random.default_rng(seed)
    product = np.ones(draws)
    for name, error in known.items():
        width = np.sqrt(np.log1p(error**2))
        product *= np.exp(width * rng.standard_normal(draws)) ** powers[name]
    return product
