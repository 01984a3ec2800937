"""What statistics are made of: which curves, which direction, which numbers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statements import parsed
from nrm_plugin.text import counted
from nrm_plugin.variables import ACCEPTED, BIT, DERIVED, EXCLUDED, LATERAL, SURFACES, Variable
from nrm_plugin.vocabulary import nearest

#: Curves with these flags are left out unless asked for.
LEFT_OUT = ("no_hard_contact", "saturated")

#: Values that are read and looked at together.
_BLOCK = 1 << 17

T = TypeVar("T")


class Analysis:
    """One direction of results, and what has been computed of it.

    Functions of `nrm_plugin.statistics` and `nrm_plugin.figures` take it in the place of results;
    what one of them has computed, the next one finds. The report makes one, and a figure with
    several panels. Results must not be changed in the meantime.

    Attributes
    ----------
    results : Dataset
    """

    def __init__(self, results: xr.Dataset, direction: str | None = None) -> None:
        self.results = one_direction(results, direction)
        self._computed: dict[Hashable, Any] = {}

    def once(self, what: Hashable, compute: Callable[[], T]) -> T:
        """Return what was computed under this name, or compute it."""
        if what not in self._computed:
            self._computed[what] = compute()
        computed: T = self._computed[what]
        return computed


def analysis_of(results: xr.Dataset | Analysis, direction: str | None = None) -> Analysis:
    """Return the analysis given, or an empty one of results."""
    return results if isinstance(results, Analysis) else Analysis(results, direction)


def blocks(curves: IntArray, depths: int, times: int = 1) -> Iterator[slice]:
    """Parts of some curves, so that no copies of all their profiles are needed."""
    size = max(1, times * _BLOCK // max(depths, 1))
    return (slice(first, first + size) for first in range(0, len(curves), size))


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

    def divisor(self, results: xr.Dataset) -> float:
        """By what the parts are divided."""
        return 2.0 * (1.0 + float(results.attrs.get("poisson_ratio", 0.5))) if self.shear else 1.0

    def stored(self, results: xr.Dataset, curves: IntArray) -> AnyArray:
        """Values of some curves times the divisor, in the precision in which results hold them."""
        kind = np.result_type(*(results[part].dtype for part in self.parts))
        kind = np.result_type(kind, np.complex64) if self.magnitude else kind
        values = np.empty((len(curves), results.sizes["depth"]), kind)
        for some in blocks(curves, values.shape[1]):
            parts = self._read(results, curves[some], "")
            values.real[some] = parts[0]
            if self.magnitude:
                values.imag[some] = parts[1]
        return values

    def values(self, results: xr.Dataset, curves: AnyArray) -> AnyArray:
        """Values of some curves, complex for a magnitude."""
        parts = self._read(results, curves, "")
        values = parts[0] + 1j * parts[1] if self.magnitude else parts[0]
        return np.asarray(values / self.divisor(results))

    def sizes(self, results: xr.Dataset, curves: AnyArray) -> FloatArray:
        """Values of some curves; magnitudes of single values where it is a magnitude."""
        parts = self._read(results, curves, "")
        values = _quadrature(*parts) if self.magnitude else parts[0]
        divisor = self.divisor(results)
        return values if divisor == 1.0 else np.asarray(values / divisor)

    def noise(self, results: xr.Dataset, curves: AnyArray) -> FloatArray:
        """Standard error of one part; the root mean square of both for a magnitude.

        nan where the results have none.
        """
        return np.sqrt(self.noise_square(results, curves))

    def noise_square(self, results: xr.Dataset, curves: AnyArray) -> FloatArray:
        """Squares of `noise`."""
        if any(f"{part}_stderr" not in results for part in self.parts):
            return np.full(results[self.parts[0]].isel(curve=curves).shape, np.nan)
        parts = self._read(results, curves, "_stderr")
        total = sum(np.square(part) for part in parts)
        return np.asarray(total / (len(parts) * self.divisor(results) ** 2))

    def _read(self, results: xr.Dataset, curves: AnyArray, ending: str) -> list[FloatArray]:
        arrays = [results[f"{part}{ending}"] for part in self.parts]
        if not len(curves):
            return [_finite(array[:0].values) for array in arrays]
        # One piece of the file, which is faster than many single curves.
        first, stop = int(curves.min()), int(curves.max()) + 1
        pieces = (array.isel(curve=slice(first, stop)).values for array in arrays)
        if stop - first == len(curves) and bool(np.all(np.diff(curves) == 1)):
            return [_finite(piece) for piece in pieces]
        return [_finite(piece[curves - first]) for piece in pieces]


def _finite(values: AnyArray) -> FloatArray:
    """Values in double precision, nan for what is infinite."""
    infinite = np.isinf(values)
    finite = np.asarray(values, np.float64)
    return np.where(infinite, np.nan, finite) if infinite.any() else finite


def _quadrature(first: FloatArray, second: FloatArray) -> FloatArray:
    """Root of the sum of two squares; several times as fast as `numpy.hypot`."""
    return np.sqrt(first * first + second * second)


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

    Curves that were excluded by hand never count, those that were accepted have no flags.

    Parameters
    ----------
    results : Dataset
        Of one direction.
    curves : array of int or bool, optional
        By default all.
    quality : sequence of str
        Flags for which a curve is left out, and classes of surface: ``yielding`` or ``hard``.

    Raises
    ------
    InvalidInput
        For a flag that does not exist, or curves that don't.
    """
    known = [*BIT, *SURFACES]
    unknown = [name for name in quality if name not in known]
    if unknown:
        raise InvalidInput(f"there is no flag {unknown[0]!r}.{nearest(unknown[0], known)}")
    numbers = numbers_of(results, curves)
    if "by_hand" in results:
        numbers = numbers[~excluded(results)[numbers]]
    if "quality" not in results:
        return numbers, 0
    mask = sum(BIT[name] for name in quality if name in BIT)
    bad = (flags_of(results)[numbers] & mask) != 0
    classes = [SURFACES.index(name) for name in quality if name in SURFACES]
    if classes and "surface_class" in results:
        bad |= np.isin(results["surface_class"].values[numbers], classes)
    return numbers[~bad], int(bad.sum())


def numbers_of(results: xr.Dataset, curves: Sequence[int] | AnyArray | None = None) -> IntArray:
    """Return numbers of curves, of which all, some or a mask were given.

    Raises
    ------
    InvalidInput
        For curves that don't exist.
    """
    n = results.sizes["curve"]
    numbers = np.arange(n) if curves is None else np.asarray(curves)
    if numbers.dtype == bool:
        if len(numbers) != n:
            raise InvalidInput(f"{len(numbers)} marks were given for {n} curves")
        numbers = np.flatnonzero(numbers)
    numbers = numbers.astype(np.int64)
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= n):
        raise InvalidInput(f"there are no curves outside 0 to {n - 1}")
    return numbers


def excluded(results: xr.Dataset) -> NDArray[np.bool_]:
    """Whether each curve was excluded by hand."""
    if "by_hand" not in results:
        return np.zeros(results.sizes["curve"], bool)
    return np.asarray(results["by_hand"].values & EXCLUDED != 0)


def flags_of(results: xr.Dataset) -> IntArray:
    """Flags of curves as bits; none for those that were accepted by hand."""
    flags = results["quality"].values.astype(np.int64)
    if "by_hand" not in results:
        return flags
    return np.where(results["by_hand"].values & ACCEPTED != 0, 0, flags)


def words_of_excluded(
    results: xr.Dataset, curves: Sequence[int] | AnyArray | None = None
) -> list[str]:
    """How many of some curves were excluded by hand, as a sentence; none if there are none."""
    if "by_hand" not in results:
        return []
    n = int(excluded(results)[numbers_of(results, curves)].sum())
    return [f"{counted(n)} excluded by hand"] if n else []


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
        recipe = parsed(str(results.attrs.get("recipe", "")))
        return float(recipe["derivative"]["half_width"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError):
        return 4.0 * step(results)


def step(results: xr.Dataset) -> float:
    """Step between depths, m."""
    depth = results["depth"].values
    return float(depth[1] - depth[0]) if len(depth) > 1 else 1e-9
