"""Self-checks: what the data say of what was told.

Each check is a function of `Evidence`; `CHECKS` has all of them in the order in which they are
reported. What the input alone refutes is refused (`refusals`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nrm_plugin.engine.checks.baselines import baseline, fringe, lateral_baseline, sampling
from nrm_plugin.engine.checks.check import VERDICTS, Check, Verdict, as_json, effect, from_json
from nrm_plugin.engine.checks.deflection_scale import deflection_sensitivity
from nrm_plugin.engine.checks.directions import (
    DragShift,
    directions_of,
    drag,
    drag_shift,
    friction,
)
from nrm_plugin.engine.checks.doubts import log, warnings
from nrm_plugin.engine.checks.evidence import (
    COMPARED,
    LOOKED_AT,
    Evidence,
    Measured,
    ProcessedCurves,
)
from nrm_plugin.engine.checks.films import film, what_distances_are
from nrm_plugin.engine.checks.lockin_lag import lockin_lag
from nrm_plugin.engine.checks.moduli_factors import lateral_stiffness, shape_factor
from nrm_plugin.engine.checks.refusals import (
    lateral_flags,
    on_the_wall,
    refuse_output_volts,
    refuse_wrong_signs,
)
from nrm_plugin.engine.checks.stability import stability
from nrm_plugin.engine.checks.stick_or_slip import lateral_scale, stick
from nrm_plugin.engine.checks.wall_phase import WallPhase, lockin_phase, phase_of_the_wall

__all__ = [
    "CHECKS",
    "COMPARED",
    "LOOKED_AT",
    "VERDICTS",
    "Check",
    "DragShift",
    "Evidence",
    "Measured",
    "ProcessedCurves",
    "Verdict",
    "WallPhase",
    "as_json",
    "directions_of",
    "drag_shift",
    "effect",
    "from_json",
    "lateral_flags",
    "log",
    "on_the_wall",
    "phase_of_the_wall",
    "refuse_output_volts",
    "refuse_wrong_signs",
    "run",
    "warnings",
    "what_distances_are",
]

#: All checks by their names, in the order in which they are reported.
CHECKS: Mapping[str, Callable[[Evidence], Check]] = {
    "deflection_sensitivity": deflection_sensitivity,
    "lateral_scale": lateral_scale,
    "lockin_phase": lockin_phase,
    "lockin_lag": lockin_lag,
    "lateral_stiffness": lateral_stiffness,
    "drag": drag,
    "friction": friction,
    "film": film,
    "sampling": sampling,
    "baseline": baseline,
    "fringe": fringe,
    "lateral_baseline": lateral_baseline,
    "shape_factor": shape_factor,
    "stick": stick,
    "stability": stability,
}


def run(evidence: Evidence) -> list[Check]:
    """Run all checks."""
    return [check(evidence) for check in CHECKS.values()]
