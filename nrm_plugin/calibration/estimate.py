"""The result of a calibration."""

from __future__ import annotations

from dataclasses import dataclass

from nrm_plugin.errors import NrmError


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
        In SI; the standard error holds what the calibration itself can know of.
    method : str
        How it was found, in a few words, with the source of the formula.
    notes : tuple of str
        What a reader should know: assumptions, corrections, warnings.
    """

    key: str
    value: float
    stderr: float
    method: str
    notes: tuple[str, ...] = ()
