"""A whole operando experiment: an interphase grows on rough hard carbon as the potential falls.

What is assumed follows section 5 of the paper: a thin film next to the surface above 1.5 V, which
thickens and stiffens as the electrolyte is reduced; below 0.5 V a soft outer layer that reaches
20 to 30 nm, over an inner one that is softer than it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.files import write_text
from nrm_plugin.model import CurveSet
from nrm_plugin.simulate.instrument import Detector, Instrument, LockIn
from nrm_plugin.simulate.measurement import Ramp, Truth, simulate
from nrm_plugin.simulate.sample import Electrode, Interphase, Layer, Sample, Voltammogram

#: When the experiment began, by the clocks of microscope and potentiostat alike.
BEGAN = np.datetime64("2026-03-02T09:30:00", "us")

#: Potential (V); thickness (nm), E' and E'' (MPa) of the inner and of the outer layer.
_GROWTH = np.array(
    [
        [0.005, 7.0, 9.0, 2.5, 20.0, 2.4, 1.4],
        [0.5, 6.0, 14.0, 3.5, 14.0, 2.6, 1.3],
        [1.0, 5.0, 12.0, 3.0, 8.0, 2.0, 0.9],
        [1.5, 3.0, 6.0, 1.5, 4.0, 0.8, 0.4],
        [2.0, 2.0, 3.0, 0.8, 1.0, 0.3, 0.2],
    ]
)

#: Height in m and wavelength in m of the grains on which the finer roughness sits.
_GRAINS, _GRAIN_SIZE = 70e-9, 2.3e-6


@dataclass(frozen=True)
class HardCarbon(Sample):
    """Hard carbon in an electrolyte with a sodium salt."""

    def grown(self, potential: float) -> Interphase:
        """Return the interphase at a potential in V against Na/Na+."""
        row = [np.interp(potential, _GROWTH[:, 0], column) for column in _GROWTH.T[1:]]
        inner, outer = row[:3], row[3:]
        layers = tuple(
            Layer(float(t) * 1e-9, complex(storage, loss) * 1e6)
            for t, storage, loss in (inner, outer)
        )
        thickness = sum(layer.thickness for layer in layers)
        return Interphase(layers, force=0.15 * thickness)  # 4 nN through 27 nm


def sodiation(
    grid: tuple[int, int] = (20, 20),
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[CurveSet, dict[str, FloatArray], Truth]:
    """Force curves of a first sodiation at 1 mV/s, and the log of the potentiostat.

    The potential falls from 2 V to 0.005 V while the grid is measured line by line. Curves hold
    times, not potentials: these are in the log, as in life.

    Parameters
    ----------
    grid : (int, int)
        Rows and columns, 100 nm apart.
    seed : int
    progress : callable, optional
        Called with the curves made so far and their number.

    Returns
    -------
    CurveSet
    dict
        The log: ``time`` in s since `BEGAN`, ``potential`` in V, ``current`` in A.
    Truth
    """
    sweep = Voltammogram(start=2.0, turn=0.005, rate=1e-3)
    duration = abs(sweep.start - sweep.turn) / sweep.rate
    length = 250e-9
    ramp = Ramp(
        length,
        samples=1024,
        speed=2.0 * length * grid[0] * grid[1] / duration,
        trigger=45e-9,
        stop_inside=0.02,
    )
    sample = HardCarbon(
        electrode=Electrode(roughness=8e-9, correlation_length=60e-9),
        thickness_spread=0.2,
        modulus_spread=0.35,
    )
    instrument = Instrument(
        spring_constant=0.3,
        lateral_stiffness=80.0,
        dither_amplitude=1e-9,
        dither_frequency=1100.0,
        lock_in=LockIn(time_constant=1e-3, poles=2),
        detector=Detector(deflection_noise=0.15e-9, lateral_noise=8e-12, tilt=2e-4, glitches=0.02),
    )
    curves, truth = simulate(
        sample,
        instrument,
        ramp,
        grid=grid,
        pitch=100e-9,
        voltammogram=sweep,
        seed=seed,
        progress=progress,
    )
    x, y = curves.curve_table["x"], curves.curve_table["y"]
    grains = _GRAINS * (
        np.sin(2 * np.pi * x / _GRAIN_SIZE + 0.4) + np.cos(2 * np.pi * (y - 0.4 * x) / _GRAIN_SIZE)
    )
    truth = replace(
        truth,
        contact_height=truth.contact_height + grains,
        surface_height=truth.surface_height + grains,
    )
    began = np.arange(curves.n_curves, dtype=np.float64) * (duration / curves.n_curves)
    return as_measured(curves, grains, began), potentiostat(sweep, duration, seed), truth


def write_log(log: dict[str, FloatArray], path: Path, start: np.datetime64 = BEGAN) -> None:
    """Write the log as a table of text, as potentiostats export it, whatever is there.

    `start` is the date at which its time is 0.

    Raises
    ------
    OutputError
    """
    dates = start + (log["time"] * 1e6).round().astype("m8[us]")
    lines = ["# simulated: no potentiostat recorded this", "date,potential (V),current (uA)"]
    lines += [
        f"{date},{potential:.6f},{current * 1e6:.4f}"
        for date, potential, current in zip(dates, log["potential"], log["current"], strict=True)
    ]
    write_text(path, "\n".join(lines) + "\n")


#: What the experiment file tells of the cell and of the errors of calibrations.
_ABOUT: dict[str, object] = {
    "title": "First sodiation of hard carbon (simulated)",
    "electrode": "hard carbon",
    "electrolyte": "1.0 M NaPF6 in EC:DEC (1:1 v/v)",
    "reference_electrode": "Na/Na+",
    "tip_radius": 10e-9,
    "poisson_ratio": 0.5,
    "dither_amplitude_stderr": 0.05e-9,
    "lateral_stiffness_stderr": 8.0,
}


def as_measured(
    curves: CurveSet,
    grains: FloatArray,
    began: FloatArray,
    *,
    start: np.datetime64 = BEGAN,
    about: Mapping[str, object] | None = None,
) -> CurveSet:
    """Curves at their heights on the grains, with dates instead of potentials.

    Parameters
    ----------
    curves : CurveSet
    grains : (n,) array
        Heights in m.
    began : (n,) array
        When each curve began, in s after `start`.
    start : datetime64
    about : mapping, optional
        Metadata that are told otherwise than those of the first sodiation.
    """
    n = curves.n_curves
    channels = {
        name: (curves.read(name).reshape(n, -1), curve.unit)
        for name, curve in curves.channels.items()
    }
    height, unit = channels["height"]
    channels["height"] = (height + grains[:, None], unit)
    table = {
        name: values
        for name, values in curves.curve_table.items()
        if name in ("x", "y", "row", "column")
    }
    table["start_time"] = start + (began * 1e6).round().astype("m8[us]")
    table["start_time_uncertainty"] = np.full(n, 0.5)
    told = {**curves.metadata, **_ABOUT, **(about or {})}
    return CurveSet.from_arrays(channels, curve_table=table, metadata=told)


def potentiostat(sweep: Voltammogram, duration: float, seed: int) -> dict[str, FloatArray]:
    """What the potentiostat recorded, once a second, from 10 s before to 10 s after."""
    time = np.arange(-10.0, duration + 11.0)
    potential = np.clip(sweep.potential(np.clip(time, 0.0, duration)), sweep.turn, sweep.start)
    rng = np.random.default_rng(seed + 1)
    peaks = ((0.02, 0.09, -85e-6), (0.55, 0.14, -30e-6), (1.05, 0.2, -12e-6))
    current = -4e-6 + sum(
        (height * np.exp(-0.5 * ((potential - at) / width) ** 2) for at, width, height in peaks),
        np.zeros_like(potential),
    )
    noise = rng.standard_normal((2, len(time)))
    return {
        "time": time,
        "potential": potential + 0.2e-3 * noise[0],
        "current": current + 0.2e-6 * noise[1],
    }
