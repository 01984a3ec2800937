"""The shape of a friction loop without errors."""

from nrm_plugin.calibration import friction

SHAPE = friction.LoopShape(
    slope=2e6,
    slope_stderr=0.0,
    half_width=0.01,
    half_width_stderr=0.0,
    offset=0.0,
    offset_stderr=0.0,
    stick_length=3e-9,
    stick_samples=10.0,
    n_lines=8,
)
