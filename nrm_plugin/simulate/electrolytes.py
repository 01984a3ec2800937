"""A study of two electrolytes, some electrodes in each, whose differences are known.

In the first electrolyte the inner layer of the interphase is stiffer by a known factor; the outer
layer is the same in both, but on one electrode of the second electrolyte, which came out otherwise
and must not be taken for what the electrolyte does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.simulate.instrument import Detector, Instrument, LockIn
from nrm_plugin.simulate.measurement import Ramp, Truth, simulate
from nrm_plugin.simulate.sample import Electrode, Interphase, Layer, Sample, Voltammogram
from nrm_plugin.simulate.sodiation import as_measured, potentiostat
from nrm_plugin.statistics.comparison_types import Question

#: Names of the electrolytes, and what the experiment files tell of them.
CARBONATE, ETHER = "carbonate", "ether"
_TOLD = {CARBONATE: "1.0 M NaPF6 in EC:DEC (1:1 v/v)", ETHER: "1.0 M NaPF6 in diglyme"}

#: Potential (V); thickness (nm), E' and E'' (MPa) of the inner and of the outer layer.
_GROWTH = np.array(
    [
        [0.005, 10.0, 8.0, 2.4, 14.0, 3.0, 1.2],
        [0.5, 9.0, 8.0, 2.4, 12.0, 3.0, 1.2],
        [1.0, 8.0, 6.0, 1.8, 6.0, 2.4, 1.0],
        [1.5, 7.0, 5.0, 1.5, 3.0, 2.0, 0.8],
        [2.0, 6.0, 4.0, 1.2, 1.0, 1.5, 0.6],
    ]
)

#: Standard deviations of logarithms from electrode to electrode: moduli of the layers, thickness.
_MODULI, _THICKNESS = 0.10, 0.05

#: Relative error of a lever's lateral stiffness.
_OF_LEVER = 0.1

_LOWEST = "0.005-0.5 V"

#: Words of seeds.
_SAMPLES, _LEVERS = 1, 2


@dataclass(frozen=True)
class Carbon(Sample):
    """Hard carbon on which an interphase grows; its layers are stiffer by factors."""

    inner: float = 1.0
    outer: float = 1.0
    thick: float = 1.0

    def grown(self, potential: float) -> Interphase:
        """Return the interphase at a potential in V against Na/Na+."""
        row = [np.interp(potential, _GROWTH[:, 0], column) for column in _GROWTH.T[1:]]
        layers = tuple(
            Layer(self.thick * t * 1e-9, factor * complex(storage, loss) * 1e6)
            for (t, storage, loss), factor in (
                (row[:3], self.inner),
                (row[3:], self.outer),
            )
        )
        return Interphase(layers, force=0.15 * sum(layer.thickness for layer in layers))


@dataclass(frozen=True, kw_only=True)
class SimulatedSample:
    """An electrode of a simulated study.

    Attributes
    ----------
    name, condition, lever, session, day : str
    curves : CurveSet
        With dates; the potential is in the log.
    log : dict
        ``time`` in s since `start`, ``potential`` in V, ``current`` in A.
    start : datetime64
        When the log's time is 0.
    truth : Truth
    inner, outer : float
        By what this electrode's layers are stiffer than those of the table.
    lever_factor : float
        By what the lateral stiffness that is told is larger than the true one.
    """

    name: str
    condition: str
    lever: str
    session: str
    day: str
    curves: CurveSet
    log: dict[str, FloatArray]
    start: np.datetime64
    truth: Truth
    inner: float
    outer: float
    lever_factor: float


@dataclass(frozen=True, kw_only=True)
class SimulatedStudy:
    """Electrodes in two electrolytes, and what is true of these.

    Attributes
    ----------
    samples : tuple of SimulatedSample
    shift : float
        True ratio of the first to the second electrolyte where they differ.
    outlier : str
        Name of the electrode that came out otherwise; "" for none.
    changed, unchanged : Question
        Where the electrolytes differ by `shift`, and where they do not differ.
    """

    samples: tuple[SimulatedSample, ...]
    shift: float
    outlier: str
    changed: Question
    unchanged: Question

    @property
    def between(self) -> tuple[str, str]:
        """Electrolytes in the order of the ratio."""
        return (CARBONATE, ETHER)


def simulated_study(
    seed: int = 0,
    n_samples: int = 3,
    *,
    shift: float = 2.0,
    outlier: float = 4.0,
    grid: tuple[int, int] = (8, 8),
    progress: Callable[[int, int], None] | None = None,
) -> SimulatedStudy:
    """Simulate a study: first sodiations of hard carbon in two electrolytes.

    Each lever measures one electrode of either electrolyte on one day, one after the other, so that
    no electrolyte is confounded with lever or day.

    Parameters
    ----------
    seed : int
        The same seed gives the same study.
    n_samples : int
        Electrodes in each electrolyte.
    shift : float
        By what the inner layer in the carbonate is stiffer than in the ether.
    outlier : float
        By what the outer layer of the last electrode in the ether is stiffer than it should be; 1
        for no outlier.
    grid : (int, int)
        Rows and columns of curves on each electrode, 100 nm apart.
    progress : callable, optional
        Called with the curves made so far and their number.

    Raises
    ------
    InvalidInput
        For no samples, or factors that are not positive.
    """
    if n_samples < 1 or not (shift > 0.0 and outlier > 0.0):
        raise InvalidInput("a study has samples, and its factors are positive")
    rng = np.random.default_rng((seed, _SAMPLES))
    levers = np.exp(_OF_LEVER * np.random.default_rng((seed, _LEVERS)).standard_normal(n_samples))
    made: list[SimulatedSample] = []
    total = 2 * n_samples * grid[0] * grid[1]
    for condition in (CARBONATE, ETHER):
        for number in range(n_samples):
            inner, outer = np.exp(_MODULI * rng.standard_normal(2))
            thick = float(np.exp(_THICKNESS * rng.standard_normal()))
            inner *= shift if condition == CARBONATE else 1.0
            if condition == ETHER and number == n_samples - 1:
                outer *= outlier
            done = len(made) * grid[0] * grid[1]

            def count(curves: int, _: int, done: int = done) -> None:
                if progress is not None:
                    progress(done + curves, total)

            made.append(
                _sample(
                    condition,
                    number,
                    Carbon(
                        electrode=Electrode(roughness=8e-9, correlation_length=60e-9),
                        thickness_spread=0.1,
                        modulus_spread=0.3,
                        inner=float(inner),
                        outer=float(outer),
                        thick=thick,
                    ),
                    float(levers[number]),
                    grid,
                    int(rng.integers(1 << 31)),
                    count,
                )
            )
    return SimulatedStudy(
        samples=tuple(made),
        shift=shift,
        outlier="" if outlier == 1.0 else made[-1].name,
        changed=Question(distance=(2e-9, 5e-9), region=_LOWEST),
        unchanged=Question(distance=(13e-9, 18e-9), region=_LOWEST),
    )


def _sample(
    condition: str,
    number: int,
    carbon: Carbon,
    lever_factor: float,
    grid: tuple[int, int],
    seed: int,
    progress: Callable[[int, int], None],
) -> SimulatedSample:
    sweep = Voltammogram(start=2.0, turn=0.005, rate=1e-3)
    duration = abs(sweep.start - sweep.turn) / sweep.rate
    n, length, stiffness = grid[0] * grid[1], 160e-9, 80.0
    instrument = Instrument(
        spring_constant=0.3,
        lateral_stiffness=stiffness,
        dither_amplitude=1e-9,
        dither_frequency=1100.0,
        lock_in=LockIn(time_constant=1e-3, poles=2),
        detector=Detector(deflection_noise=0.15e-9, lateral_noise=8e-12, tilt=2e-4),
    )
    told = stiffness * lever_factor
    curves, truth = simulate(
        carbon,
        instrument,
        Ramp(length, samples=512, speed=2.0 * length * n / duration, trigger=40e-9),
        grid=grid,
        pitch=100e-9,
        voltammogram=sweep,
        told={"lateral_stiffness": told},
        seed=seed,
    )
    progress(n, n)
    day = np.datetime64("2026-03-02", "D") + 7 * number
    start = day.astype("M8[us]") + np.timedelta64(9 if condition == CARBONATE else 14, "h")
    about = {
        "title": f"Hard carbon in {condition}, electrode {number + 1} (simulated)",
        "electrolyte": _TOLD[condition],
        "lateral_stiffness_stderr": _OF_LEVER * told,
    }
    began = np.arange(n, dtype=np.float64) * (duration / n)
    return SimulatedSample(
        name=f"{condition} {number + 1}",
        condition=condition,
        lever=chr(ord("A") + number),
        session=f"{day} {'am' if condition == CARBONATE else 'pm'}",
        day=str(day),
        curves=as_measured(curves, np.zeros(n), began, start=start, about=about),
        log=potentiostat(sweep, duration, seed),
        start=start,
        truth=truth,
        inner=carbon.inner,
        outer=carbon.outer,
        lever_factor=lever_factor,
    )
