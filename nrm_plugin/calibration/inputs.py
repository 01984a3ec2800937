"""What calibrations are given: curves, tables and known values."""

from __future__ import annotations

from collections.abc import Sequence

from nrm_plugin.delimited import TextTable
from nrm_plugin.errors import InvalidInput
from nrm_plugin.joining import join
from nrm_plugin.model import CurveSet
from nrm_plugin.vocabulary import missing_calibration


def require(curves: CurveSet, *keys: str) -> dict[str, float]:
    """Return metadata values, or say which of them are missing, all at once.

    Text such as ``lockin_convention`` is left out of what is returned.

    Raises
    ------
    MissingCalibration
    """
    missing = [key for key in dict.fromkeys(keys) if key not in curves.metadata]
    if missing:
        raise missing_calibration(missing)
    values = {key: curves.metadata[key] for key in keys}
    return {key: float(value) for key, value in values.items() if not isinstance(value, str)}


def stderr_of(curves: CurveSet, key: str) -> float:
    """Relative standard error of a metadata value; 0 where none is given."""
    error = float(curves.metadata.get(f"{key}_stderr", 0.0))
    return error / abs(float(curves.metadata[key])) if error else 0.0


def without_errors(curves: CurveSet, *keys: str) -> tuple[str, ...]:
    """Note on the values that go into a result and have no standard error; none if all have one."""
    unknown = [key for key in keys if key in curves.metadata and not stderr_of(curves, key)]
    if not unknown:
        return ()
    return (f"the error of {', '.join(unknown)} is unknown and not in this one",)


def merged(inputs: Sequence[CurveSet | TextTable]) -> CurveSet:
    """Return the curves among the inputs as one set; without any, a set without curves.

    Raises
    ------
    InvalidInput
        If a channel has different units.
    """
    sets = [one for one in inputs if isinstance(one, CurveSet)]
    return join(sets) if sets else CurveSet.from_arrays({})


def only_file(inputs: Sequence[CurveSet | TextTable], content: str) -> CurveSet | TextTable:
    """Return the one table or set of curves among the inputs.

    Parameters
    ----------
    inputs : sequence of CurveSet or TextTable
        Sets without channels hold known values only.
    content : str
        What the file holds, for the error.

    Raises
    ------
    InvalidInput
        If there is none, or more than one.
    """
    files = [one for one in inputs if isinstance(one, TextTable) or one.channels]
    if len(files) != 1:
        raise InvalidInput(f"one file with {content} is needed, and {len(files)} were given")
    return files[0]
