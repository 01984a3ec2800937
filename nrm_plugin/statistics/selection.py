"""What statistics are made of: which curves, which direction, which numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.variables import BIT, DERIVED, LATERAL, Variable
from nrm_plugin.vocabulary import nearest

#: Curves with these flags are left out unless asked for.
LEFT_OUT = ("no_hard_contact", "saturated")


@dataclass(frozen=True, kw_only=True)
class ProfileVariable:
    """A variable with two parts, or one, that are read from the results.

    Attributes
    ----------
    name, unit, meaning : str
    parts : tuple of str
        Variable of the results; two for the in-phase and the out-of-phase part of a complex one.
    shear : bool
        Whether the parts are Young's moduli, to be divided by 2 (1 + nu).
    """

    name: str
    unit: str
    meaning: str
    parts: tuple[str, ...]
    shear: bool = False

    @property
    def magnitude(self) -> bool:
        """Whether it is the magnitude of a complex quantity."""
        return len(self.parts) == 2

    def values(self, results: xr.Dataset, curves: AnyArray) -> AnyArray:
        """Values of some curves, complex for a magnitude."""
        parts = self._read(results, curves, "")
        values = parts[0] + 1j * parts[1] if self.magnitude else parts[0]
        return np.asarray(values / self._divisor(results))

    def sizes(self, results: xr.Dataset, curves: AnyArray) -> FloatArray:
        """Values of some curves; magnitudes of single values where it is a magnitude."""
        parts = self._read(results, curves, "")
        values = np.hypot(*parts) if self.magnitude else parts[0]
        divisor = self._divisor(results)
        return values if divisor == 1.0 else np.asarray(values / divisor)

    def noise(self, results: xr.Dataset, curves: AnyArray) -> FloatArray:
        """Standard error of one part; the root mean square of both for a magnitude.

        nan where the results have none.
        """
        if any(f"{part}_stderr" not in results for part in self.parts):
            return np.full(results[self.parts[0]].isel(curve=curves).shape, np.nan)
        parts = self._read(results, curves, "_stderr")
        mean = np.hypot(*parts) / np.sqrt(2.0) if self.magnitude else parts[0]
        return np.asarray(mean / self._divisor(results))

    def _read(self, results: xr.Dataset, curves: AnyArray, ending: str) -> list[FloatArray]:
        whole = len(curves) == results.sizes["curve"] and bool(np.all(np.diff(curves) == 1))
        arrays = (results[f"{part}{ending}"] for part in self.parts)
        return [_finite((one if whole else one.isel(curve=curves)).values) for one in arrays]

    def _divisor(self, results: xr.Dataset) -> float:
        return 2.0 * (1.0 + float(results.attrs.get("poisson_ratio", 0.5))) if self.shear else 1.0


def _finite(values: AnyArray) -> FloatArray:
    """Values in double precision, nan for what is infinite."""
    finite = np.asarray(values, np.float64)
    infinite = np.isinf(finite)
    return np.where(infinite, np.nan, finite) if infinite.any() else finite


_YOUNG = ("storage_modulus", "loss_modulus")
_GRADIENT = ("force_gradient_in_phase", "force_gradient_quadrature")

#: Quantities that the results hold only in parts.
_MADE = {
    name: ProfileVariable(name=name, unit=unit, meaning=meaning, parts=parts, shear=shear)
    for name, unit, meaning, parts, shear in (
        ("force_gradient_magnitude", "N/m", "magnitude of the force gradient", _GRADIENT, False),
        ("modulus_magnitude", "Pa", "magnitude of the modulus |E*|", _YOUNG, False),
        ("shear_modulus_magnitude", "Pa", "magnitude of the shear modulus |G*|", _YOUNG, True),
        ("shear_storage_modulus", "Pa", "shear storage modulus G'", _YOUNG[:1], True),
        ("shear_loss_modulus", "Pa", "shear loss modulus G''", _YOUNG[1:], True),
    )
}


def profile_variable(results: xr.Dataset, variable: str) -> ProfileVariable:
    """Find a variable over depth by its name.

    Raises
    ------
    InvalidInput
        If there is no such variable, or the results don't hold what it is made of.
    """
    if variable in _MADE:
        made = _MADE[variable]
        if all(part in results for part in made.parts):
            return made
        raise InvalidInput(
            f"the results have no {variable}: they were made without a lateral signal"
        )
    if variable in results and "depth" in results[variable].dims:
        array = results[variable]
        if "curve" in array.dims:
            about = (LATERAL | DERIVED).get(variable, Variable("", variable))
            unit = str(array.attrs.get("units", about.unit))
            return ProfileVariable(
                name=variable,
                unit=unit,
                meaning=str(array.attrs.get("long_name", about.meaning)),
                parts=(variable,),
            )
    profiles = [str(n) for n, a in results.data_vars.items() if {"curve", "depth"} <= set(a.dims)]
    raise InvalidInput(
        f"the results have no profiles of {variable!r}.{nearest(variable, [*profiles, *_MADE])}"
    )


def one_direction(results: xr.Dataset, direction: str | None = None) -> xr.Dataset:
    """Results of one way of the ramp: the one asked for, or the first.

    Raises
    ------
    InvalidInput
        If it is not in the results, or what is given are no results.
    """
    if not {"curve", "depth"} <= set(results.dims):
        raise InvalidInput("these are no results: they have no dimensions curve and depth")
    if "direction" not in results.dims:
        return results
    directions = [str(name) for name in results["direction"].values]
    if direction is not None and direction not in directions:
        raise InvalidInput(f"the results have no direction {direction!r}: {', '.join(directions)}")
    return results.isel(
        direction=0 if direction is None else directions.index(direction), drop=True
    )


def select(
    results: xr.Dataset,
    curves: Sequence[int] | AnyArray | None = None,
    quality: Sequence[str] = LEFT_OUT,
) -> tuple[IntArray, int]:
    """Numbers of the curves that count, and how many were left out for their flags.

    Parameters
    ----------
    results : Dataset
        Of one direction.
    curves : array of int or bool, optional
        By default all.
    quality : sequence of str
        Flags for which a curve is left out.

    Raises
    ------
    InvalidInput
        For a flag that does not exist, or curves that don't.
    """
    unknown = [name for name in quality if name not in BIT]
    if unknown:
        raise InvalidInput(f"there is no flag {unknown[0]!r}.{nearest(unknown[0], BIT)}")
    n = results.sizes["curve"]
    numbers = np.arange(n) if curves is None else np.asarray(curves)
    if numbers.dtype == bool:
        if len(numbers) != n:
            raise InvalidInput(f"{len(numbers)} marks were given for {n} curves")
        numbers = np.flatnonzero(numbers)
    numbers = numbers.astype(np.int64)
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= n):
        raise InvalidInput(f"there are no curves outside 0 to {n - 1}")
    if "quality" not in results:
        return numbers, 0
    mask = sum(BIT[name] for name in quality)
    bad = (results["quality"].values[numbers].astype(np.int64) & mask) != 0
    return numbers[~bad], int(bad.sum())


def column(results: xr.Dataset, name: str) -> AnyArray | None:
    """Column of the curve table, if there is one."""
    array: Any = results.coords.get(name)
    if array is None and name in results and results[name].dims == ("curve",):
        array = results[name]
    return None if array is None else np.asarray(array.values)


def half_width(results: xr.Dataset) -> float:
    """Half-width of the derivative's window, m: the recipe's, or two steps of the depth."""
    import tomllib

    try:
        recipe = tomllib.loads(str(results.attrs.get("recipe", "")))
        return float(recipe["derivative"]["half_width"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError):
        return 4.0 * step(results)


def step(results: xr.Dataset) -> float:
    """Step between depths, m."""
    depth = results["depth"].values
    return float(depth[1] - depth[0]) if len(depth) > 1 else 1e-9
