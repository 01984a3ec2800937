"""Finding the solid contact: ours, and nanite's `fit_constant_line` where it is installed.

Run by hand, it prints speed and accuracy for several layers:
``python benchmarks/bench_contact.py``.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from measure import Table, rate

from nrm_plugin import Recipe
from nrm_plugin import simulate as sim
from nrm_plugin.engine.contact import find_contacts
from nrm_plugin.engine.signals import Block, Plan, parts, plan, read_block
from nrm_plugin.engine.survey import Survey, survey

NM = 1e-9
RAMP = sim.Ramp(length=307 * NM, samples=1024, trigger=60 * NM, retract=False)
NOISE = 0.2 * NM

#: An error larger than this, or no contact at all, is a failure.
FAILURE = 3 * NM


def layer(thickness: float, force: float, **settings: float) -> sim.Interphase:
    """A layer of a thickness in nm that it takes a force in nN to pierce."""
    return sim.Interphase((sim.Layer(thickness * NM, 2e6 + 1e6j),), force * 1e-9, **settings)


QUIET = sim.Detector(deflection_noise=NOISE)
RIGID = sim.Electrode()
CASES: dict[str, tuple[sim.Sample, sim.Detector]] = {
    "bare electrode": (sim.Sample(), QUIET),
    "5 nm, 0.5 nN": (sim.Sample(layer(5, 0.5)), QUIET),
    "20 nm, 3 nN": (sim.Sample(layer(20, 3)), QUIET),
    "60 nm, 9 nN": (sim.Sample(layer(60, 9)), QUIET),
    "exp(-z / 6 nm), 6 nN": (sim.Sample(layer(60, 6, decay=6 * NM)), QUIET),
    "20 nm, tilt 1 %": (
        sim.Sample(layer(20, 3)),
        sim.Detector(deflection_noise=NOISE, tilt=0.01),
    ),
    "20 nm, fringe 0.5 nm": (
        sim.Sample(layer(20, 3)),
        sim.Detector(deflection_noise=NOISE, fringe=0.5 * NM),
    ),
    "20 nm, glitches": (
        sim.Sample(layer(20, 3)),
        sim.Detector(deflection_noise=NOISE, glitches=0.5),
    ),
}


def simulated(case: str, n_curves: int) -> tuple[Block, Plan, np.ndarray]:
    """Approaches on a sample, and the true contact of each in m."""
    sample, detector = CASES[case]
    curves, truth = sim.simulate(
        sample, sim.Instrument(detector=detector), RAMP, n_curves=n_curves, seed=23
    )
    curves, how = plan(curves)
    ranges = parts(curves, "approach")
    return read_block(curves, how, ranges, slice(None), "approach"), how, truth.contact_height


def learnt(block: Block) -> Survey:
    contact = Recipe().contact
    return survey(block, interference=contact.interference, spikes=contact.spikes)


def ours(block: Block, how: Plan, found: Survey) -> np.ndarray:
    """Contacts as `process` finds them, on one thread."""
    return find_contacts(block, how, Recipe().contact, found).contacts["contact"]


def nanite_method() -> Callable[..., int]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nanite.poc import compute_poc

        return compute_poc


def nanites(block: Block, compute: Callable[..., int], n_curves: int) -> np.ndarray:
    """Contacts of the first curves as nanite finds them: the height of the sample it names."""
    found = np.empty(n_curves)
    for i in range(n_curves):
        part = slice(block.begin[i], block.begin[i + 1])
        index = compute(block.deflection[part], method="fit_constant_line")
        found[i] = block.height[part][index]
    return found


def accuracy(found: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """Bias and rms of the errors in nm, failures left out of both, and the share of failures."""
    error = found - truth[: len(found)]
    good = np.abs(error) <= FAILURE  # nan is not
    kept = error[good] / NM
    if not len(kept):
        return np.nan, np.nan, 1.0
    return float(kept.mean()), float(np.sqrt(np.mean(kept**2))), float(1.0 - good.mean())


def measure(table: Table) -> None:
    """32 curves on one thread."""
    if not table.wants("contact of 32 curves"):
        return
    block, how, truth = simulated("20 nm, 3 nN", 32)
    found = learnt(block)
    calls: dict[str, Callable[[], Any]] = {"ours": lambda: ours(block, how, found)}
    assert accuracy(calls["ours"](), truth)[1] < 0.2
    calls["nanite, fit_constant_line"] = lambda: nanites(block, nanite_method(), 32)
    table.compare(calls, note=rate(32, "curves"))


def seconds(function: Callable[[], Any], repeats: int) -> float:
    """Median time of a call after a first one that does not count."""
    function()
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        taken.append(time.perf_counter() - begin)
    return median(taken)


def main(n_ours: int = 512, n_nanite: int = 100) -> None:
    """Print curves per second on one thread, and errors on the same curves."""
    try:
        compute: Callable[..., int] | None = nanite_method()
    except ImportError:
        compute = None
        print("nanite is not installed: skipped")
    print(f"{RAMP.samples} samples, {NOISE / NM} nm of noise; bias and rms of the contact in nm")
    print(f"{'':22} {'curves/s':>17} {'ratio':>6} {'bias':>13} {'rms':>12} {'failures':>13}")
    ratios = []
    for case in CASES:
        block, how, truth = simulated(case, n_ours)
        found = learnt(block)
        mine = partial(ours, block, how, found)
        took = seconds(mine, 7) / n_ours
        line = [accuracy(mine()[:n_nanite], truth)]
        speeds = [1.0 / took]
        if compute is not None:
            # Between two runs of ours, so that whatever else the machine does meets both.
            few = min(n_nanite, 24)
            per_curve = seconds(partial(nanites, block, compute, few), 3) / few
            speeds = [2.0 / (took + seconds(mine, 7) / n_ours), 1.0 / per_curve]
            line.append(accuracy(nanites(block, compute, n_nanite), truth))
            ratios.append(speeds[0] / speeds[1])
        print(
            f"{case:22} {' / '.join(f'{v:.0f}' for v in speeds):>17}",
            f"{ratios[-1] if ratios else np.nan:6.0f}",
            f"{' / '.join(f'{v[0]:+.2f}' for v in line):>13}",
            f"{' / '.join(f'{v[1]:.3f}' for v in line):>13}",
            f"{' / '.join(f'{v[2]:.0%}' for v in line):>12}",
        )
    if ratios:
        print(f"ours / nanite on the same {n_nanite} curves; median ratio {median(ratios):.0f}")
    print("load", *(f"{v:.1f}" for v in os.getloadavg()))


if __name__ == "__main__":
    main()
