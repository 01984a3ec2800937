"""What self-checks look at, made of numbers: each is what its name says, and nothing is measured.

Right values are those of a lever of 0.3 N/m and 26 N/m (lateral), dithered by 1 nm on a wall that
is as steep as 1, recorded with 0.1 nm between samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

import nrm_plugin as nrm
from nrm_plugin.engine.checks import Evidence, Measured, ProcessedCurves
from nrm_plugin.engine.checks.directions import Directions
from nrm_plugin.engine.checks.sampled_signals import SampledSignals
from nrm_plugin.engine.checks.wall_signal import WallSignal
from nrm_plugin.engine.fringes import Fringe
from nrm_plugin.engine.shape_factor import ShapeFactorValues
from nrm_plugin.engine.signals import Plan, ScaledChannel
from nrm_plugin.engine.survey import Survey
from nrm_plugin.kernels import CONTACT, LATERAL_CHECK, RecordArray

NM, NN = 1e-9, 1e-9

#: Distances of the results.
DEPTH = np.arange(0.5, 60.5) * NM


def contacts(n: int = 12, **values: Any) -> RecordArray:
    """Records of contacts at 0 with baselines of 600 samples; other fields are nan."""
    made = np.zeros(n, CONTACT)
    for name in CONTACT.names or ():
        made[name] = math.nan
    usual = {"contact": 0.0, "stderr": 0.1 * NM, "baseline_end": 600.0, "baseline_slope": 0.0}
    usual |= {"baseline_at": 0.0, "wall_slope": -1.0, "wall_slope_stderr": 0.002}
    usual |= {"noise": 0.1 * NM, "long_run": 0.1 * NM, "outer_contact": 0.0, "half_contact": 0.0}
    usual |= {"other_contact": 0.0, "wall_begin": 700.0}
    for name, value in (usual | values).items():
        made[name] = value
    return made


def survey(**values: Any) -> Survey:
    usual: dict[str, Any] = {"walls": True, "slope": -1.0, "slope_stderr": 0.002}
    usual |= {"slope_common": 0.0, "slope_spread": 0.002, "modes": (), "contact_common": 0.0}
    usual |= {"fringe": Fringe(), "correlation": np.ones(1), "turn": 0.0, "spacing": 0.1 * NM}
    return Survey(**usual | values)


def measured(n: int = 12, **values: Any) -> Measured:
    usual: dict[str, Any] = {"direction": "approach", "survey": survey(), "numbers": np.arange(n)}
    usual |= {"contacts": contacts(n), "lateral": np.zeros(0, LATERAL_CHECK)}
    usual |= {"layer": np.full(n, math.nan + 0j), "quality": np.zeros(n, np.int64)}
    usual |= {"travel": np.full(n, 99.9 * NM), "samples": np.full(n, 1000)}
    usual |= {"interval": np.full(n, 1e-3)}
    return Measured(**usual | values)


def plan(**values: Any) -> Plan:
    usual: dict[str, Any] = {"deflection": ScaledChannel("deflection", 1.0)}
    usual |= {"in_phase": ScaledChannel("lock_x", 1.0), "quadrature": ScaledChannel("lock_y", 1.0)}
    usual |= {"amplitude": 1 * NM, "frequency": 500.0, "time_constant": 1e-3, "poles": 2.0}
    usual |= {"timed": True, "phase": 0.0, "spring_constant": 0.3, "lateral_stiffness": 26.0}
    return Plan(**usual | {"poisson_ratio": 0.5} | values)


def signals(n: int = 12, **values: Any) -> SampledSignals:
    """Approaches from 80 nm to -20 nm at 0.1 nm per sample and 100 nm/s, on a rigid wall."""
    height = np.tile(80 * NM - 0.1 * NM * np.arange(1001), (n, 1))
    usual: dict[str, Any] = {"direction": "approach", "numbers": np.arange(n), "height": height}
    usual |= {"lengths": np.full(n, height.shape[1]), "deflection": np.maximum(-height, 0.0)}
    usual |= {"lateral": None, "contacts": contacts(n, wall_begin=800.0)}
    return SampledSignals(**usual | {"interval": np.full(n, 1e-3)} | values)


def wall(force: complex = 0.9 * 26.0 * NN, **values: Any) -> WallSignal:
    """A tip that sticks, 0.9 of the dither on a lever of 26 N/m, below a layer without loss."""
    usual: dict[str, Any] = {"force": force, "contact": force, "phase": float(np.angle(force))}
    usual |= {"force_stderr": abs(force) / 1000, "phase_stderr": 1e-3, "layer": (1 + 0.2j) * NN}
    usual |= {"layer_stderr": 1e-3 * NN, "exponent": 0.02, "exponent_stderr": 0.01, "turn": 0.0}
    usual |= {"turn_stderr": 1e-3, "load": 20 * NM, "motion": abs(force) / (26.0 * NN)}
    return WallSignal(**usual | {"hidden": False, "n_curves": 12} | values)


def profiles(storage: Any = 10e6, loss: Any = 1e6, n: int = 12) -> ProcessedCurves:
    """Moduli in Pa at `DEPTH`, alike in all curves."""
    both = {"storage_modulus": storage, "loss_modulus": loss}
    values = {name: np.tile(np.broadcast_to(v, DEPTH.shape), (n, 1)) for name, v in both.items()}
    return ProcessedCurves(
        depth=DEPTH, distance_bin=DEPTH, values=values, valid=np.full(n, DEPTH[0])
    )


SLIPPING: Mapping[str, Any] = {"exponent": 0.9}
UNSURE: Mapping[str, Any] = {"exponent": 0.5}


def evidence(
    *,
    metadata: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    processed: Measured | None = None,
    how: Plan | None = None,
    shape: ShapeFactorValues | None = None,
    lateral_unit: str = "N",
    n: int = 12,
    missing: tuple[str, ...] = (),
    on_wall: WallSignal | None = None,
    directions: Directions | None = None,
    of_moduli: ProcessedCurves | Mapping[str, ProcessedCurves] | None = None,
    table: Mapping[str, Any] | None = None,
    **of: SampledSignals,
) -> Evidence:
    """Evidence of curves about which nothing is known but what is given.

    The keywords that are left are the signals of a direction.
    """
    flat = np.zeros((n, 4))
    channels = {"height": (flat + np.arange(4.0, 0.0, -1.0) * NM, "m"), "deflection": (flat, "m")}
    channels |= dict.fromkeys(("lock_x", "lock_y"), (flat, lateral_unit))
    curves = nrm.CurveSet.from_arrays(channels, metadata=metadata, curve_table=table)
    steps = nrm.Recipe().replace(**recipe or {})
    names = of_moduli if isinstance(of_moduli, Mapping) else steps.directions[:1]
    found = dict.fromkeys(names, processed or measured(n))
    made_of = of_moduli if isinstance(of_moduli, Mapping) else dict.fromkeys(names, of_moduli)
    made = Evidence(
        curves=curves,
        recipe=steps,
        plan=how or plan(),
        depth=DEPTH,
        shape=shape or ShapeFactorValues(values=np.full(len(DEPTH), 1.25), source=""),
        measure=found.get,
        profile=made_of.get,
        missing=frozenset(missing),
    )
    known: dict[str, object] = {f"signals of {d}": of.get(d) for d in ("approach", "retract")}
    known |= {"signal of the walls": on_wall, "directions": directions}
    for key, value in known.items():
        made.remember(key, lambda value=value: value)
    return made
