"""From volts to newtons: what a number on the lever means, and how well that is known.

Each module has one kind of calibration; each function returns an `Estimate` with its standard
error, or raises an error that says which assumption is broken.
"""

from nrm_plugin.calibration.estimate import CalibrationFailed, Estimate

__all__ = ["CalibrationFailed", "Estimate"]
