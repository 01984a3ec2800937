"""From volts to newtons: what a number on the lever means, and how well that is known.

Each module has one kind of calibration; each function returns an `Estimate` with its standard
error, or raises an error that says which assumption is broken. What ``nrm calibrate`` offers are
the objects at the end of the modules, registered in `nrm_plugin.builtin`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from math import inf, nan
from typing import Any

from nrm_plugin.errors import NrmError

__all__ = ["CalibrationFailed", "Estimate"]


class CalibrationFailed(NrmError):
    """An assumption of a calibration is broken by the data it was given."""


@dataclass(frozen=True)
class Estimate:
    """A calibrated value.

    Attributes
    ----------
    key : str
        Metadata key that it is for (``vocabulary.METADATA``).
    value, stderr : float
        In SI; the standard error holds what the calibration itself can know of. It is nan where it
        is unknown; one of 0 says that nothing was given that it could come from, and becomes nan.
    method : str
        How it was found, in a few words, with the source of the formula.
    notes : tuple of str
        What a reader should know: assumptions, corrections, warnings.
    file : str
        Name of the file with the measurement, if there is one.
    date : str
        Day of the measurement, or of the calculation, ISO 8601.
    """

    key: str
    value: float
    stderr: float
    method: str
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    file: str = field(default="", kw_only=True)
    date: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if self.stderr == 0.0 or self.stderr == inf:
            object.__setattr__(self, "stderr", nan)

    @property
    def has_error(self) -> bool:
        """Whether the standard error is known."""
        return 0.0 < self.stderr < inf


def __getattr__(name: str) -> Any:
    """Return a module by the name that it had before."""
    if name == "locked":
        return import_module("nrm_plugin.calibration.lateral_sensitivity")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
