"""Make the files beside this one: curves, and what the engine compiled by numba found for them.

They were made at commit 683e836, the last before the loops were written in C::

    git worktree add /tmp/numba 683e836 && pip install -e /tmp/numba
    python tests/frozen/make_frozen.py

Each case holds raw numbers (``raw_*``) with what makes them signals, the survey of all curves, and
per direction what the kernels found; two cases also what `nrm_plugin.process` gave.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from curves import built

from nrm_plugin import Recipe, process
from nrm_plugin import simulate as sim
from nrm_plugin.engine import kernels
from nrm_plugin.engine.contact import find_contacts, settings_for
from nrm_plugin.engine.derivative import profiles
from nrm_plugin.engine.signals import parts, plan, read_block
from nrm_plugin.engine.survey import survey
from nrm_plugin.model import CurveSet

HERE = Path(__file__).parent
NM = 1e-9
SIGNALS = ("height", "deflection", "lateral_in_phase", "lateral_quadrature")
METHODS = ("local-linear", "savitzky-golay", "total-variation")
#: Variables of the results that are kept.
KEPT = (
    "contact_height",
    "contact_height_stderr",
    "contact_height_systematic",
    "quality",
    "depth_valid_min",
    "surface_slope",
    "wall_slope",
    "wall_length",
    "baseline_slope",
    "baseline_deflection",
    "deflection_noise",
    "force_normal",
    "storage_modulus",
    "storage_modulus_stderr",
    "loss_modulus",
    "loss_modulus_stderr",
    "shear_modulus_magnitude",
    "viscosity",
)

LAYERS = (sim.Layer(8 * NM, 10e6 + 3e6j), sim.Layer(12 * NM, 2e6 + 1e6j))
SOFT = sim.Sample(sim.Interphase(LAYERS, force=3e-9), thickness_spread=0.3, modulus_spread=0.2)
LOCK_IN = sim.LockIn(time_constant=2e-3, poles=2, phase=0.3)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Curves, and the recipe and the directions that they are processed with."""

    sample: sim.Sample = SOFT
    ramp: sim.Ramp = field(default_factory=lambda: approach(768))
    lock_in: sim.LockIn = LOCK_IN
    detector: dict[str, float] = field(default_factory=dict)
    lateral_stiffness: float = 30.0
    n_curves: int = 12
    recipe: dict[str, Any] = field(default_factory=dict)
    directions: tuple[str, ...] = ("approach",)
    lateral: bool = True
    bits: int = 16
    spoilt: bool = False
    process: bool = False


def approach(samples: int, **settings: float) -> sim.Ramp:
    return sim.Ramp(length=307 * NM, samples=samples, retract=False, **settings)


CASES = {
    "layers": Case(process=True, n_curves=16),
    "both_directions": Case(
        ramp=sim.Ramp(length=200 * NM, samples=400, adhesion=1e-9),
        directions=("approach", "retract"),
        n_curves=10,
    ),
    "fringe": Case(detector={"fringe": 0.5 * NM, "tilt": 0.01}, n_curves=24, ramp=approach(512)),
    "two_line": Case(
        recipe={"contact": {"method": "two-line", "slope": "free", "spikes": False}},
        detector={"glitches": 0.5},
    ),
    "calibrated": Case(
        recipe={"contact": {"slope": "calibrated", "interference": False}},
        detector={"flicker": 0.3 * NM, "full_scale": 1.6, "bits": 12},
        ramp=approach(768, stop_inside=0.3),
    ),
    "contact_only": Case(lateral=False, detector={"glitches": 0.5}, ramp=approach(1024)),
    "coarse": Case(ramp=approach(128), n_curves=24, recipe={"derivative": {"half_width": 8 * NM}}),
    "dense": Case(ramp=approach(12288), n_curves=2, lock_in=sim.LockIn(2e-2, 4)),
    "stiff": Case(
        sample=sim.Sample(sim.Interphase((sim.Layer(15 * NM, 1e9 + 2e8j),), 9e-9)),
        detector={"deflection_noise": 0.4 * NM, "lateral_noise": 50e-12},
        bits=64,
        n_curves=6,
        ramp=approach(512),
    ),
    "spoilt": Case(bits=64, n_curves=14, spoilt=True, ramp=approach(480), process=True),
}


def simulated(case: Case) -> tuple[dict[str, np.ndarray], CurveSet]:
    """Signals as tables (curve, sample), and the curves that they belong to."""
    detector = sim.Detector(**{"deflection_noise": 0.15 * NM, "glitches": 0.1} | case.detector)
    instrument = sim.Instrument(
        lateral_stiffness=case.lateral_stiffness, lock_in=case.lock_in, detector=detector
    )
    curves, _ = sim.simulate(case.sample, instrument, case.ramp, n_curves=case.n_curves, seed=14)
    names = SIGNALS if case.lateral else SIGNALS[:2]
    return {n: curves.read(n).reshape(case.n_curves, -1) for n in names}, curves


def spoil(tables: dict[str, np.ndarray]) -> None:
    """Make curves what no curve should be."""
    height, deflection = tables["height"], tables["deflection"]
    in_phase, quadrature = tables["lateral_in_phase"], tables["lateral_quadrature"]
    n = height.shape[1]
    deflection[0] = np.nan
    deflection[1] = 0.0
    deflection[2, 100] = np.inf
    height[3] = height[3, 0]
    height[4] = height[4, ::-1]
    height[5, n // 2 :: 3] += 3 * NM
    deflection[6, n // 2 :: 7] += 30 * NM
    in_phase[7] = 0.0
    quadrature[8, 30] = np.nan
    in_phase[9], quadrature[9] = 3e-4 * deflection[9] / NM, 0.0
    deflection[10, n - 60 :] = np.sort(deflection[10, n - 60 :])[::-1]
    height[11] = np.round(height[11] / (2 * NM)) * 2 * NM


def stored(case: Case) -> tuple[dict[str, Any], CurveSet]:
    """What a case's file holds of its curves, and the curves made of just that."""
    tables, curves = simulated(case)
    if case.spoilt:
        spoil(tables)
    about: dict[str, Any] = {
        "metadata": dict(curves.metadata),
        "interval": float(np.diff(curves.read("time", 0)[:2])[0]),
        "segments": [[int(s["start"]), int(s["stop"]), str(s["kind"])] for s in curves.segments
                     if s["curve"] == 0],
        "units": {name: curves.channels[name].unit for name in tables},
        "gains": {},
        "recipe": case.recipe,
        "directions": case.directions,
    }  # fmt: skip
    held: dict[str, Any] = {}
    for name, table in tables.items():
        gain = float(np.abs(table).max() / 32000) if case.bits == 16 else 1.0
        held[f"raw_{name}"] = np.rint(table / gain).astype("<i2") if case.bits == 16 else table
        about["gains"][name] = gain
    held["about"] = json.dumps(about)
    return held, built(held)


def kernels_found(curves: CurveSet, recipe: Recipe, direction: str) -> dict[str, Any]:
    """What the kernels give for all curves of a direction."""
    curves, how = plan(curves)
    block = read_block(curves, how, parts(curves, direction), slice(None), direction)
    shared = survey(block, interference=recipe.contact.interference, spikes=recipe.contact.spikes)
    contacts = find_contacts(block, how, recipe.contact, shared, None)
    n = len(block)
    depth = np.arange(41) * 1.5 * NM
    stiffness = how.lateral_stiffness if recipe.lateral.series_compliance else 0.0
    settings = np.array(
        [recipe.derivative.half_width, how.amplitude, stiffness, how.spring_constant]
    )
    delay = np.nan_to_num(how.lag / block.interval, posinf=0.0) if how.lag else np.zeros(n)
    settled = np.where(np.arange(n) % 2, 5.0, 0.0)
    own = np.stack([delay * np.where(direction == "approach", 1, -1), settled,
                    np.where(np.arange(n) % 3, 1.0, 0.97)], axis=1)  # fmt: skip
    slip, dead = np.full((n, 3), np.nan), np.zeros(n, bool)
    if how.lateral:
        lateral = block.in_phase, block.quadrature
        kernels.slip_exponent(block.begin, contacts.clean, *lateral, contacts.rows, slip)
        kernels.dead(block.begin, *lateral, dead)
    held = {
        "survey": np.array([shared.walls, shared.slope, shared.slope_stderr,
                            shared.slope_spread, shared.wave]),
        "correlation": shared.correlation,
        "contact_settings": settings_for(recipe.contact, shared),
        "rows": contacts.rows,
        "systematic": contacts.systematic,
        "quality": contacts.quality,
        "clean": contacts.clean.reshape(n, -1)[:: max(n // 2, 1)] if shared.wave else
                 hashlib.sha256(contacts.clean.tobytes()).hexdigest(),
        "signals": hashlib.sha256(b"".join(v.tobytes() for v in (
            block.height, block.deflection, block.in_phase, block.quadrature))).hexdigest(),
        "interval": block.interval,
        "depth": depth,
        "settings": settings,
        "own": own,
        "slip": slip,
        "dead": dead,
    }  # fmt: skip
    for method in METHODS if how.lateral else METHODS[:2]:
        found, valid = profiles(block, contacts, depth, settings, own, shared.correlation, method)
        held[f"profiles_{method}"], held[f"valid_{method}"] = found, valid
    return {f"{direction}_{name}": value for name, value in held.items()}


def small_kernels() -> dict[str, Any]:
    """Functions that other parts call by themselves."""
    rng = np.random.default_rng(3)
    held: dict[str, Any] = {}
    for n in (3, 9, 40, 300, 1001):
        y = rng.standard_normal(n).cumsum()
        held[f"noise_{n}"] = np.append(y, kernels.second_difference_noise(y))
    n = 120
    z = np.sort(rng.uniform(0.0, 30.0, n))
    values = np.interp(z, [0, 10, 20, 30], [5, 2, 1, 1]) + 0.1 * rng.standard_normal(n)
    weight, limit, fit = rng.uniform(0.5, 2.0, n), rng.uniform(0.5, 3.0, n - 2), np.empty(n)
    gap = kernels.trend_filter(z, values, weight, limit, fit)
    return held | {"trend": np.stack([z, values, weight, fit]), "limit": limit, "gap": gap}


def main() -> None:
    for name, case in CASES.items():
        held, curves = stored(case)
        recipe = Recipe().replace(**case.recipe)
        for direction in case.directions:
            held |= kernels_found(curves, recipe, direction)
        if case.process:
            results = process(curves, recipe)
            held |= {f"results_{v}": results[v].values for v in KEPT}
            held["warnings"] = results.attrs["warnings"]
        path = HERE / f"{name}.npz"
        np.savez_compressed(path, **held)
    np.savez_compressed(HERE / "small_kernels.npz", **small_kernels())


if __name__ == "__main__":
    main()
