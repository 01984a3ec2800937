"""What calibrations refuse, in the words that a user reads; one list of cases per module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_loops import SHAPE

from nrm_plugin import CurveSet, Image
from nrm_plugin import simulate as sim
from nrm_plugin.calibration import (
    friction,
    lateral_sensitivity,
    lockin,
    oscillator,
    phase,
    response,
    shared_settings,
    spectrum,
    spring,
    stick,
    wedge,
)
from nrm_plugin.delimited import read_table
from nrm_plugin.errors import MissingCalibration, NrmError

Call = Callable[[], Any]
Cases = Sequence[tuple[Call, str]]


def refuses(call: Call, sentence: str) -> None:
    with pytest.raises(NrmError) as caught:
        call()
    assert str(caught.value) == sentence


# Spectra

HZ = np.arange(1.0, 201.0)
TRACE = np.random.default_rng(0).standard_normal(300)
EVEN = np.arange(300.0) * 1e-5


def table(tmp_path: Any, head: str, rows: Any) -> Any:
    path = tmp_path / "table.csv"
    np.savetxt(path, np.asarray(rows), delimiter=",", header=head, comments="")
    return read_table(path)


def curves(**channels: Any) -> CurveSet:
    return CurveSet.from_arrays(channels)


UNEVEN = curves(time=(EVEN**2, "s"), deflection=(TRACE, "V"))

SPECTRA: Cases = [
    (
        lambda: spectrum.measured(HZ, HZ[:-1], "V^2/Hz"),
        "200 frequencies for 199 densities",
    ),
    (
        lambda: spectrum.measured(HZ, HZ, "N/sqrt(Hz)"),
        "a thermal spectrum is in V^2/Hz, m^2/Hz or their roots (V/sqrt(Hz)), not in N/sqrt(Hz)",
    ),
    (
        lambda: spectrum.from_traces([TRACE], 0.0, "V"),
        "the sampling rate is a number above 0 Hz, not 0.0",
    ),
    (
        lambda: spectrum.from_curves(
            curves(time=(np.empty((0, 9)), "s"), deflection=(np.empty((0, 9)), "V"))
        ),
        "the file has no curves",
    ),
    (
        lambda: spectrum.from_curves(
            UNEVEN.with_channel(replace(UNEVEN.channels["deflection"], unit=""))
        ),
        "deflection is in V or m, not in no unit",
    ),
    (
        lambda: spectrum.from_curves(
            curves(time=(np.zeros((3, 1)), "s"), deflection=(np.zeros((3, 1)), "V"))
        ),
        "the curves have no samples",
    ),
    (
        lambda: spectrum.from_curves(UNEVEN),
        "the samples are not evenly spaced in time",
    ),
]


@pytest.mark.parametrize(("call", "sentence"), SPECTRA)
def test_spectra(call: Call, sentence: str) -> None:
    refuses(call, sentence)


@pytest.mark.parametrize(
    ("head", "time", "sentence"),
    [
        ("time (s),deflection (N)", EVEN, "deflection is in V or m, not in N"),
        ("time (s),deflection (V)", EVEN[::-1], "the times of a trace must rise"),
        (
            "time (s),deflection (V)",
            EVEN + 1e-3 * (EVEN[150] < EVEN),
            "the times of a trace must be evenly spaced: samples are missing",
        ),
    ],
)
def test_traces_of_text(tmp_path: Any, head: str, time: Any, sentence: str) -> None:
    rows = np.stack([time, TRACE], axis=1)
    refuses(lambda: spectrum.from_table(table(tmp_path, head, rows)), sentence)


# Oscillators


def peak(resonance: float, quality: float, step: float, high: float) -> spectrum.Spectrum:
    """The spectrum itself, without scatter."""
    f = np.arange(1, round(high / step) + 1) * step
    density = oscillator.lorentzian(f, resonance, quality)
    floor = oscillator.lorentzian(np.array([resonance]), resonance, quality) / 100.0
    return spectrum.measured(f, 1e-6 * (density + floor), "V^2/Hz")


AIR = peak(70e3, 50.0, 100.0, 150e3)

OSCILLATORS: Cases = [
    (
        lambda: oscillator.fit_oscillator(AIR, band=(80e3, 60e3)),
        "a band goes from a lower to a higher frequency, not (80000.0, 60000.0)",
    ),
    (
        lambda: oscillator.fit_oscillator(AIR, band=(70e3, 72e3)),
        "the band has fewer than 30 points of the spectrum",
    ),
    (
        lambda: oscillator.fit_oscillator(replace(AIR, density=np.full(1500, 1e-300))),
        "a density of 1e-300 is no thermal noise: check the units",
    ),
    (
        lambda: oscillator.fit_oscillator(peak(41e3, 2.0, 100.0, 150e3), expected=30e3),
        "the peak at 4.1e+04 Hz is not the one at 30000 Hz",
    ),
    (
        lambda: oscillator.fit_oscillator(AIR, expected=140e3),
        "no resonance stands out of the spectrum within a third of 140000 Hz: it is outside the "
        "band, or hidden in noise, or there are too few averages",
    ),
    (
        lambda: oscillator.fit_oscillator(peak(400.0, 2.0, 100.0, 4000.0)),
        "the peak at 300 Hz is not resolved: 9 points in the window around it",
    ),
]


@pytest.mark.parametrize(("call", "sentence"), OSCILLATORS)
def test_oscillators(call: Call, sentence: str) -> None:
    refuses(call, sentence)


def test_springs() -> None:
    wrong: Any = "lever"
    refuses(
        lambda: spring.thermal_tune(AIR, 298.0, deflection_sensitivity=3e-8, detection=wrong),
        "detection is optical_lever or displacement, not 'lever'",
    )
    sader = spring.SADER
    known = CurveSet.from_arrays({}, metadata={"cantilever_length": 4e-4})
    settings = sader.Settings(fluid="air")
    with pytest.raises(MissingCalibration) as caught:
        sader.estimate([known], settings)
    assert caught.value.keys == ("temperature",)


# Friction loops

NOISE = 1e-3 * np.random.default_rng(1).standard_normal((2, 8, 64))
SIDE = 10e-9 * np.minimum(np.arange(64), 63 - np.arange(64))


def pair(trace: Any, retrace: Any) -> list[Image]:
    return [
        Image("Friction", trace, "V", (1e-6, 1e-6), "trace"),
        Image("Friction", retrace, "V", (1e-6, 1e-6), "retrace"),
    ]


def swept(position: Any) -> CurveSet:
    position = np.asarray(position)
    return curves(lateral=(np.zeros(position.shape), "V"), stage=(position, "m"))


LOOPS: Cases = [
    (
        lambda: friction.loops_from_images(pair(NOISE[0], NOISE[1][:, :32])),
        "trace and retrace of 'Friction' differ in size or unit",
    ),
    (
        lambda: friction.loops_from_curves(swept(np.empty((0, 64))), "stage"),
        "there are no curves",
    ),
    (
        lambda: friction.loops_from_curves(swept([SIDE, 1.1 * SIDE]), "stage"),
        "stage has different steps from curve to curve",
    ),
    (
        lambda: friction.shape_of(friction.Loops(1e-9, NOISE[0][:, :7], NOISE[1][:, :7])),
        "a line of fewer than 8 samples shows no loop",
    ),
    (
        lambda: lateral_sensitivity.from_loops(SHAPE, 0.0, 100.0),
        "stiffnesses are positive",
    ),
    (
        lambda: lateral_sensitivity.from_loops(SHAPE, 26.0, 0.0),
        "stiffnesses are positive",
    ),
    (
        lambda: lateral_sensitivity.from_loops(replace(SHAPE, slope=-2e6), 26.0, 100.0),
        "the stick part of the friction loop does not rise",
    ),
]


@pytest.mark.parametrize(("call", "sentence"), LOOPS)
def test_friction_loops(call: Call, sentence: str) -> None:
    refuses(call, sentence)


def test_wedges(tmp_path: Any) -> None:
    refuses(
        lambda: wedge.WEDGE.estimate(
            [
                CurveSet.from_arrays(
                    {}, metadata={"lateral_stiffness": 26.0, "lateral_output_gain": 1.0}
                )
            ]
        ),
        "one table of friction loops is needed, and 0 were given",
    )
    head = "slope (deg),load (nN),half_width (mV),offset (mV)"
    rows = [[0.0, 1.0, 2.0, 3.0], [0.0, 2.0, np.nan, 3.0]]
    holed = table(tmp_path, head, rows)
    refuses(
        lambda: wedge.facets_from_table(holed),
        f"{holed.path}: every line has a number for slope, load, half_width, offset",
    )


# Lock-in

LOCK_INS: Cases = [
    (
        lambda: lockin.at_input(curves(height=(HZ, "m"))),
        "there is no channel 'lockin_output_x'; the channels are: height.",
    ),
    (
        lambda: lockin.at_the_lockin(curves(height=(HZ, "m"))),
        "there is no channel 'lateral_in_phase'; the channels are: height.",
    ),
]


@pytest.mark.parametrize(("call", "sentence"), LOCK_INS)
def test_lock_ins(call: Call, sentence: str) -> None:
    refuses(call, sentence)


# Hard contact

INSTRUMENT = sim.Instrument(lateral_stiffness=26.0, lock_in=sim.LockIn(phase=0.7))
RAMP = sim.Ramp(samples=250, retract=False)
GLASS = sim.Sample(sim.Interphase(), sim.Electrode(lateral_stiffness=200.0))


def recorded(n: int = 4, ramp: sim.Ramp = RAMP) -> CurveSet:
    return sim.simulate(GLASS, INSTRUMENT, ramp, n_curves=n, volts=True, seed=1)[0]


def with_deflection(found: CurveSet, change: Callable[[Any], Any]) -> CurveSet:
    arrays = {n: (found.read(n), c.unit) for n, c in found.channels.items()}
    volts, unit = arrays["deflection"]
    arrays["deflection"] = (change(volts), unit)
    return CurveSet.from_arrays(arrays, row_size=found.row_size, metadata=found.metadata)


def test_hard_contacts() -> None:
    rng = np.random.default_rng(2)
    refuses(
        lambda: phase.from_hard_contact(
            with_deflection(recorded(), lambda v: 0.1 * rng.standard_normal(len(v)))
        ),
        "no hard contact in 4 of 4 curves: the deflection does not rise over a straight baseline. "
        "Take the phase from a reference elastomer, or give that of the drive line, instead",
    )


def test_loads_that_hardly_differ() -> None:
    """A lock-in of 4 x 6 ms has settled for the last 4 nN of 14 only."""
    slow = replace(INSTRUMENT, lock_in=sim.LockIn(phase=0.7, time_constant=6e-3, poles=4))
    ramp = replace(RAMP, samples=1024)
    found = sim.simulate(GLASS, slow, ramp, n_curves=6, volts=True, seed=1)[0]
    refuses(
        lambda: stick.plateau(found, alternative="Ramp slower"),
        "the wall must be seen over loads that differ by a factor of 1.5. Ramp slower",
    )


def test_elastomers() -> None:
    layer = sim.Layer(200e-9, 2e6 * (1 + 0.3j))
    sample = sim.Sample(sim.Interphase((layer,), force=100e-9))
    loud = replace(INSTRUMENT, detector=sim.Detector(lateral_noise=5e-11))
    ramp = replace(RAMP, trigger=30e-9)
    noisy = sim.simulate(sample, loud, ramp, n_curves=3, volts=True, seed=0)[0]
    refuses(
        lambda: phase.from_elastomer(noisy, 0.3),
        "too much noise to see whether the phase changes with the load",
    )


# Scanner


def test_a_jump_of_the_phase_hides_a_resonance() -> None:
    f = np.arange(100.0, 5100.0, 100.0)
    refuses(
        lambda: response.response(f, np.ones(50), 0.5 * np.pi * (f > 2050.0)),
        "too coarse: the phase changes by 90 degrees between 2000 and 2100 Hz, which hides a "
        "resonance; measure with smaller steps there",
    )


def test_scanners() -> None:
    f = np.concatenate([np.arange(100.0, 2000.0, 100.0), np.arange(2000.0, 8000.0, 40.0)])
    u = f / 5e3
    narrow = np.abs(1.0 / (1.0 - u**2 + 0.01j * u)) ** 0.3
    refuses(
        lambda: response.response(f, narrow).resonances(),
        "too coarse: the resonance near 5000 Hz has 3 points in its width, 4 are needed; measure "
        "with smaller steps around it",
    )


# Settings


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        ({"tip_heigth": 1e-6}, "'tip_heigth' is no metadata key. Did you mean tip_height?"),
        ({"tip_height": "1 N"}, "tip_height: "),
        (["tip_height"], "Input should be a valid dictionary"),
    ],
)
def test_errors_of_known_values(errors: Any, sentence: str) -> None:
    from nrm_plugin.calibration.lateral import GEOMETRY

    with pytest.raises(ValueError, match="error") as caught:
        GEOMETRY.Settings(error=errors)
    assert sentence in str(caught.value)
    assert issubclass(GEOMETRY.Settings, shared_settings.CalibrationSettings)
