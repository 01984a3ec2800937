"""Variables of results that follow from others, and how: files don't hold them.

Moduli are stored in single precision; so are these given, after sums and squares in double.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import numpy as np

from nrm_plugin.variables import DERIVED


@dataclass(frozen=True)
class Formula:
    """How a variable follows from others.

    Attributes
    ----------
    function : callable
        Takes variables and attributes in the order of their names.
    variables, attributes : tuple of str
    """

    function: Callable[..., Any]
    variables: tuple[str, ...]
    attributes: tuple[str, ...]

    def __call__(self, variables: list[Any], attributes: list[float]) -> Any:
        """Compute it; variables are arrays with named dimensions."""
        return self.function(*variables, *attributes).astype(np.float32)


def _gradient(modulus: Any, shape_factor: Any, amplitude: float) -> Any:
    """Eq. 5 the other way round, dF*/dz_l = 4 r_g A E*."""
    return modulus * (4.0 * shape_factor * amplitude)


def _root_of_squares(a: Any, b: Any) -> Any:
    return np.sqrt(a.astype(np.float64) ** 2 + b.astype(np.float64) ** 2).astype(np.float32)


def _per_shear(poisson_ratio: float) -> float:
    """Eq. 6: E* = 2 (1 + nu) G*."""
    return 2.0 * (1.0 + poisson_ratio)


def _shear_modulus(storage: Any, loss: Any, poisson_ratio: float) -> Any:
    return _root_of_squares(storage, loss) / np.float32(_per_shear(poisson_ratio))


def _shear_modulus_stderr(
    storage: Any, loss: Any, storage_stderr: Any, loss_stderr: Any, poisson_ratio: float
) -> Any:
    error = _root_of_squares(storage * storage_stderr, loss * loss_stderr)
    size = _root_of_squares(storage, loss)
    return error / size / np.float32(_per_shear(poisson_ratio))


def _viscosity(loss: Any, poisson_ratio: float, frequency: float) -> Any:
    """Eq. 7, for any Poisson ratio: eta = G'' / (2 pi f)."""
    return loss * np.float32(1.0 / (_per_shear(poisson_ratio) * 2.0 * np.pi * frequency))


_YOUNG = ("storage_modulus", "loss_modulus")
_SHEAR, _FLOW = ("poisson_ratio",), ("poisson_ratio", "dither_frequency")

FORMULAS = {
    f"force_gradient_{part}{ending}": Formula(
        _gradient, (f"{modulus}{ending}", "shape_factor"), ("dither_amplitude",)
    )
    for part, modulus in zip(("in_phase", "quadrature"), _YOUNG, strict=True)
    for ending in ("", "_stderr")
} | {
    "shear_modulus_magnitude": Formula(_shear_modulus, _YOUNG, _SHEAR),
    "shear_modulus_magnitude_stderr": Formula(
        _shear_modulus_stderr, (*_YOUNG, *(f"{name}_stderr" for name in _YOUNG)), _SHEAR
    ),
    "viscosity": Formula(_viscosity, ("loss_modulus",), _FLOW),
    "viscosity_stderr": Formula(_viscosity, ("loss_modulus_stderr",), _FLOW),
}


def derivable(variables: Container[str], attributes: Container[str]) -> list[str]:
    """Names of what follows from some variables and attributes, and is not among them."""
    return [
        name
        for name in DERIVED
        if name not in variables
        and all(part in variables for part in FORMULAS[name].variables)
        and all(part in attributes for part in FORMULAS[name].attributes)
    ]
