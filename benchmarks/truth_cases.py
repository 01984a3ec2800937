"""Twenty samples and instruments whose truth is known, and the files that tell of them.

``python benchmarks/truth_benchmark.py FOLDER`` writes them and scores what reads them.
"""

from __future__ import annotations

import csv
import json
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import nrm_plugin as nrm
from nrm_plugin import simulate as sim

NM, NN, MPA = 1e-9, 1e-9, 1e6


def layers(*pairs: tuple[float, complex]) -> tuple[sim.Layer, ...]:
    """Layers from the electrode out: thickness in nm, E* in MPa."""
    return tuple(sim.Layer(thickness * NM, modulus * MPA) for thickness, modulus in pairs)


TWO = layers((8, 10 + 3j), (12, 2 + 1j))
TWO_LAYERS = sim.Sample(sim.Interphase(TWO, force=3 * NN))
GRADED = layers(*((2, (20 + 6j) * np.exp(-(i + 0.5) / 4)) for i in range(15)))
QUIET = {"deflection_noise": 0.2 * NM, "lateral_noise": 10e-12}


def instrument(
    *, lock_in: sim.LockIn | None = None, scanner: sim.Scanner | None = None, **detector: Any
) -> sim.Instrument:
    """A lever of 0.3 N/m and 80 N/m sideways, dithered by 1 nm, with noise or faults."""
    return sim.Instrument(
        spring_constant=0.3,
        lateral_stiffness=80.0,
        detector=sim.Detector(**(QUIET | detector)),
        lock_in=lock_in or sim.LockIn(time_constant=1e-4, poles=2),
        scanner=scanner or sim.Scanner(),
    )


@dataclass(frozen=True)
class Case:
    """One sample under one instrument.

    Attributes
    ----------
    told : dict
        Metadata that the files tell otherwise than they are.
    distances : sequence of float
        Where moduli are asked for, in nm from the electrode: inside layers, away from their edges.
    """

    name: str
    what: str
    sample: sim.Sample = TWO_LAYERS
    _: KW_ONLY
    instrument: sim.Instrument = field(default_factory=instrument)
    ramp: sim.Ramp = field(default_factory=sim.Ramp)
    told: dict[str, object] = field(default_factory=dict)
    distances: tuple[float, ...] = (4, 5, 11, 13, 15, 17)


def _soft(*pairs: tuple[float, complex], force: float) -> sim.Sample:
    return sim.Sample(sim.Interphase(layers(*pairs), force=force * NN))


_SLOW = sim.LockIn(time_constant=5e-3, poles=2)
_SLIP = sim.Electrode(friction=0.05, adhesion=0.5 * NN)
_ROUGH = sim.Electrode(roughness=30 * NM, correlation_length=200 * NM)

CASES = (
    Case("bare", "bare rigid electrode", sim.Sample(), distances=()),
    Case("two-layers", "8 nm of 10+3i MPa under 12 nm of 2+1i MPa, pierced at 3 nN"),
    Case(
        "noise",
        "the same; noise 1 nm and 40 pN",
        instrument=instrument(deflection_noise=1 * NM, lateral_noise=40e-12),
    ),
    Case(
        "flicker",
        "1/f noise of 0.3 nm and 20 pN",
        instrument=instrument(flicker=0.3 * NM, lateral_flicker=20e-12),
    ),
    Case(
        "drift",
        "tilted baseline (1 %), offsets drift by 1 nm and 0.1 nN a ramp",
        instrument=instrument(tilt=0.01, deflection_drift=1 * NM, lateral_drift=0.1 * NN),
    ),
    Case(
        "fringes",
        "interference of 0.5 nm +- 30 %, period 150 nm",
        instrument=instrument(fringe=0.5 * NM, fringe_spread=0.3, fringe_period=150 * NM),
    ),
    Case(
        "rough",
        "30 nm rms rough, thickness and modulus vary by 10 and 20 %",
        sim.Sample(TWO_LAYERS.interphase, _ROUGH, thickness_spread=0.1, modulus_spread=0.2),
        distances=(4, 12, 14),
    ),
    Case(
        "soft-thick",
        "60 nm of 0.5+0.2i MPa, 2 nN",
        _soft((60, 0.5 + 0.2j), force=2),
        distances=(5, 10, 20, 30, 40, 50),
    ),
    Case(
        "stiff-thin",
        "6 nm of 100+20i MPa, 2 nN",
        _soft((6, 100 + 20j), force=2),
        distances=(3,),
    ),
    Case(
        "three-layers",
        "6 nm of 50+10i, 9 nm of 10+3i, 15 nm of 1+0.5i MPa, 4 nN",
        _soft((6, 50 + 10j), (9, 10 + 3j), (15, 1 + 0.5j), force=4),
        distances=(3, 10, 11, 19, 22, 25),
    ),
    Case(
        "graded",
        "30 nm from 18 MPa down to 0.5 MPa in steps of 2 nm, exponential force",
        sim.Sample(sim.Interphase(GRADED, force=3 * NN, decay=6 * NM)),
        distances=(5, 9, 13, 17, 21),
    ),
    Case(
        "lag",
        "lock-in of 5 ms and 2 poles at 300 nm/s, told",
        instrument=instrument(lock_in=_SLOW),
    ),
    Case(
        "lag-untold",
        "the same, time constant not told",
        instrument=instrument(lock_in=_SLOW),
        told={"lockin_time_constant": None},
    ),
    Case(
        "slip",
        "the tip slips on the electrode (friction 0.05)",
        sim.Sample(TWO_LAYERS.interphase, _SLIP),
    ),
    Case(
        "drag",
        "drag of 1 nm that ends on the wall",
        instrument=instrument(drag=0.3 * 1 * NM / (300 * NM), drag_on_wall=0.0),
    ),
    Case(
        "short-wall",
        "ramps turn 6 nm after the wall begins",
        ramp=sim.Ramp(trigger=16 * NM),
    ),
    Case(
        "stop-inside",
        "half of the ramps turn in the layer",
        ramp=sim.Ramp(stop_inside=0.5),
    ),
    Case("sparse", "128 samples over 300 nm", ramp=sim.Ramp(samples=128)),
    Case(
        "sensitivity",
        "deflection sensitivity told 5 % too large",
        told={"deflection_sensitivity": 1.05 * 30 * NM},
    ),
    Case(
        "scanner",
        "hysteresis 2 %, creep 2 nm, converter of 16 bits",
        instrument=instrument(scanner=sim.Scanner(0.02, 2 * NM), bits=16),
    ),
)


def simulated(case: Case, n_curves: int, seed: int) -> tuple[nrm.CurveSet, sim.Truth]:
    """Curves of a case in a row, and what is true of them."""
    return sim.simulate(
        case.sample, case.instrument, case.ramp, n_curves=n_curves, told=case.told, seed=seed
    )


def touch_height(truth: sim.Truth) -> Any:
    """Height at which the tip first touches the outermost layer, in m."""
    return truth.surface_height + np.array([one.thickness for one in truth.interphases])


def write(case: Case, number: int, folder: Path, n_curves: int, seed: int) -> Path:
    """Write a case's curves (.h5, .afm.h5) and its truth (.json, .csv); return the .h5."""
    curves, truth = simulated(case, n_curves, seed)
    stem = f"{number:02d}-{case.name}"
    path = folder / f"{stem}.h5"
    nrm.save(curves, path, overwrite=True)
    nrm.save(curves, folder / f"{stem}.afm.h5", overwrite=True)
    touch = touch_height(truth)
    _table(
        folder / f"{stem}.contacts.csv",
        ("curve", "contact_height_m", "surface_height_m", "touch_height_m", "came_through"),
        (
            (i, truth.contact_height[i], truth.surface_height[i], touch[i], int(through))
            for i, through in enumerate(truth.came_through)
        ),
    )
    asked = np.array(case.distances) * NM
    _table(
        folder / f"{stem}.moduli.csv",
        ("curve", "distance_m", "storage_modulus_pa", "loss_modulus_pa"),
        (
            (i, z, modulus.real, modulus.imag)
            for i in range(n_curves)
            for z, modulus in zip(asked, truth.modulus(i, asked), strict=True)
        ),
    )
    about = {
        "name": case.name,
        "what": case.what,
        "seed": seed,
        "curves": n_curves,
        "simulator": f"nrm-plugin {nrm.__version__}",
        "told": {key: value for key, value in curves.metadata.items() if key != "simulated"},
        "told_otherwise_than_true": case.told,
        "sample": repr(case.sample),
        "instrument": repr(case.instrument),
        "ramp": repr(case.ramp),
        "moduli": "Young's, at the dither's frequency; lateral stiffness by Eq. 4, r_g = 1.25",
    }
    text = json.dumps(about, indent=1, default=str)
    (folder / f"{stem}.json").write_text(text + "\n", encoding="utf-8")
    return path


def _table(path: Path, titles: tuple[str, ...], rows: Any) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(titles)
        writer.writerows(rows)


def read_table(path: Path) -> dict[str, np.ndarray]:
    """Columns of a table of truth."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    values = np.array(rows[1:], float).reshape(-1, len(rows[0]))
    return dict(zip(rows[0], values.T, strict=True))
