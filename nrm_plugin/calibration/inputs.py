"""Known values that a calibration needs, and where it says which are missing."""

from __future__ import annotations

from math import sqrt

from nrm_plugin.model import CurveSet
from nrm_plugin.vocabulary import missing_calibration


def require(curves: CurveSet, *keys: str) -> dict[str, float]:
    """Return metadata values, or say which of them are missing, all at once.

    Text such as ``lockin_convention`` is left out of what is returned; use `per_peak` for that.

    Raises
    ------
    MissingCalibration
    """
    missing = [key for key in dict.fromkeys(keys) if key not in curves.metadata]
    if missing:
        raise missing_calibration(missing)
    found = {key: curves.metadata[key] for key in keys}
    return {key: float(value) for key, value in found.items() if not isinstance(value, str)}


def stderr_of(curves: CurveSet, key: str) -> float:
    """Relative standard error of a metadata value; 0 where none is given."""
    error = float(curves.metadata.get(f"{key}_stderr", 0.0))
    return error / abs(float(curves.metadata[key])) if error else 0.0


def peak_factor(convention: str) -> float:
    """What a lock-in's number is multiplied by to be the peak of the sine it belongs to.

    Parameters
    ----------
    convention : str
        ``rms`` or ``peak``.
    """
    return sqrt(2.0) if convention == "rms" else 1.0
