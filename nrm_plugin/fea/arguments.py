"""Validation of arguments: numbers and arrays of numbers, or an error that names the argument."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import with_unit


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
    result = numbers(what, values)
    if result.ndim > 1:
        raise InvalidInput(f"{what} must be in one row, not an array of shape {result.shape}")
    return np.atleast_1d(result)


def positive(what: str, value: object) -> float:
    """Return a length in m that is finite and above 0.

    Raises
    ------
    InvalidInput
    """
    result = number(what, value)
    if not 0.0 < result < math.inf:
        raise InvalidInput(f"{what} is {with_unit(result, 'm')}: it must be positive")
    return result


def ascending(what: str, values: object) -> FloatArray:
    """Return finite numbers each of which is larger than the one before.

    Raises
    ------
    InvalidInput
    """
    result = row(what, values)
    if not np.isfinite(result).all():
        raise InvalidInput(f"{what} must be finite, and one is {result[~np.isfinite(result)][0]}")
    falls = np.flatnonzero(np.diff(result) <= 0.0)
    if falls.size:
        before, after = result[falls[0]], result[falls[0] + 1]
        raise InvalidInput(
            f"{what} must be ascending, and {with_unit(after, 'm')} comes after "
            f"{with_unit(before, 'm')}"
        )
    return result


def _single(what: str, value: object, kinds: str) -> AnyArray:
    result = _array(value)
    if result is None or result.ndim or result.dtype.kind not in kinds:
        raise InvalidInput(f"{what} is {_shown(value)}: it must be a number")
    return result


def _several(what: str, values: object, kinds: str) -> AnyArray:
    result = _array(values)
    if result is None or result.dtype.kind not in kinds:
        raise InvalidInput(f"{what} must be numbers, not {_shown(values)}")
    return result


def _array(value: object) -> AnyArray | None:
    try:
        return np.asarray(value)
    except ValueError:  # rows of different lengths
        return None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
