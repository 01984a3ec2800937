"""Self-checks: what the data say of what was told.

Each check is a function of `Evidence`; `CHECKS` has all of them in the order in which they are
reported. What the input alone refutes is refused (`refusals`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nrm_plugin.engine.checks.check import VERDICTS, Check, Verdict, as_json, effect, from_json
from nrm_plugin.engine.checks.doubts import log, warnings
from nrm_plugin.engine.checks.evidence import LOOKED_AT, Evidence, Measured, ProcessedCurves
from nrm_plugin.engine.checks.refusals import (
    lateral_flags,
    on_the_wall,
    refuse_output_volts,
    refuse_wrong_signs,
)

__all__ = [
    "CHECKS",
    "LOOKED_AT",
    "VERDICTS",
    "Check",
    "Evidence",
    "Measured",
    "ProcessedCurves",
    "Verdict",
    "as_json",
    "effect",
    "from_json",
    "lateral_flags",
    "log",
    "on_the_wall",
    "refuse_output_volts",
    "refuse_wrong_signs",
    "run",
    "warnings",
]

#: All checks by their names, in the order in which they are reported.
CHECKS: Mapping[str, Callable[[Evidence], Check]] = {}


def run(evidence: Evidence) -> list[Check]:
    """Run all checks."""
    return [check(evidence) for check in CHECKS.values()]
