"""What was given: numbers, or a sentence that says what else it is."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import InvalidInput


def number(what: str, value: object) -> float:
    """Return one number.

    Raises
    ------
    InvalidInput
        For anything else, a text too.
    """
    return float(_single(what, value, "fiu").real)


def whole(what: str, value: object) -> int:
    """Return one whole number.

    Raises
    ------
    InvalidInput
    """
    return int(_single(f"the number of {what}", value, "iu"))


def complex_number(what: str, value: object) -> complex:
    """Return one number that may be complex.

    Raises
    ------
    InvalidInput
    """
    return complex(_single(what, value, "fiuc"))


def numbers(what: str, values: object) -> FloatArray:
    """Return an array of numbers, of any shape.

    Raises
    ------
    InvalidInput
    """
    return np.array(_several(what, values, "fiu"), float)


def complex_numbers(what: str, values: object) -> NDArray[np.complex128]:
    """Return an array of numbers that may be complex, of any shape.

    Raises
    ------
    InvalidInput
    """
    return np.array(_several(what, values, "fiuc"), complex)


def row(what: str, values: object) -> FloatArray:
    """Return numbers in one dimension; a single one is a row of one.

    Raises
    ------
    InvalidInput
    """
    found = numbers(what, values)
    if found.ndim > 1:
        raise InvalidInput(f"{what} must be in one row, not an array of shape {found.shape}")
    return np.atleast_1d(found)


def positive(what: str, value: object) -> float:
    """Return a length in m that is finite and above 0.

    Raises
    ------
    InvalidInput
    """
    found = number(what, value)
    if not 0.0 < found < math.inf:
        raise InvalidInput(f"{what} is {nm(found)}: it must be positive")
    return found


def ascending(what: str, values: object) -> FloatArray:
    """Return finite numbers each of which is larger than the one before.

    Raises
    ------
    InvalidInput
    """
    found = row(what, values)
    if not np.isfinite(found).all():
        raise InvalidInput(f"{what} must be finite, and one is {found[~np.isfinite(found)][0]}")
    falls = np.flatnonzero(np.diff(found) <= 0.0)
    if falls.size:
        before, after = found[falls[0]], found[falls[0] + 1]
        raise InvalidInput(f"{what} must be ascending, and {nm(after)} comes after {nm(before)}")
    return found


def nm(value: float) -> str:
    """Length as people read it."""
    return f"{value * 1e9:.4g} nm"


def _single(what: str, value: object, kinds: str) -> AnyArray:
    found = _array(value)
    if found is None or found.ndim or found.dtype.kind not in kinds:
        raise InvalidInput(f"{what} is {_shown(value)}: it must be a number")
    return found


def _several(what: str, values: object, kinds: str) -> AnyArray:
    found = _array(values)
    if found is None or found.dtype.kind not in kinds:
        raise InvalidInput(f"{what} must be numbers, not {_shown(values)}")
    return found


def _array(value: object) -> AnyArray | None:
    try:
        return np.asarray(value)
    except ValueError:  # rows of different lengths
        return None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
