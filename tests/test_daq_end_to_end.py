"""A known electrode, recorded with NI's client, and what comes out: moduli, the lock-in's lag."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_daq.config import DaqConfig
from nrm_daq.device import Board, InstantClock, SimulatedDaq
from nrm_daq.device.electrode import RampingElectrode
from nrm_daq.run import record
from nrm_plugin import simulate as sim
from nrm_plugin.calibration.lockin import at_input, peak_factor, rotated

RATE = 20e3


def recorded(board: Board, values: dict[str, Any], out: Path, seconds: float) -> nrm.CurveSet:
    with SimulatedDaq(board, InstantClock()) as daq:
        given = values | {"backend": f"remote {daq.address}", "rate": RATE}
        report = record(DaqConfig.from_values(given), out, seconds)
    assert report["stopped"] == ""
    return nrm.open(out)


# The lag


WAVELENGTH, SPEED, PEAK = 10e-9, 100e-9, 100e-6


def lagging(lock_in: sim.LockIn) -> Board:
    """A lateral signal PEAK exp(-D / WAVELENGTH) behind a lock-in, ramp after ramp of 5 s."""
    n, length, turn = round(5.0 * RATE), 150e-9, 2.5
    time = np.arange(n) / RATE
    height = np.clip(SPEED * np.abs(time - turn), 0.0, length)
    volts = lock_in.filtered(PEAK * np.exp(-height / WAVELENGTH) + 0j, 1.0 / RATE).real
    output = lock_in.output(volts, lock_in.expand_x, lock_in.offset_x)
    signals = {"ai0": height / 100e-9, "ai1": output}
    return Board(
        {pin: (lambda m, rate, v=v: v[m.astype(np.int64) % n]) for pin, v in signals.items()},
        bits=0,
    )


@pytest.mark.parametrize("x", [0.02, 0.06, 0.15, 0.3])
@pytest.mark.parametrize(
    ("poles", "offset", "expand"), [(1, 0.0, 1.0), (2, 0.2, 1.0), (4, 0.03, 10.0)]
)
def test_the_residual_of_the_lag_is_the_analytic_one(
    tmp_path: Path, x: float, poles: int, offset: float, expand: float
) -> None:
    """In x = speed * time constant / WAVELENGTH: (1 + x)^-n as recorded, (1 + x)^-n exp(n x) once
    shifted by n time constants; on the way up with the other sign. To 1e-4, through client, file,
    splitter and the inversion of the lock-in's output."""
    lock_in = sim.LockIn(
        time_constant=x * WAVELENGTH / SPEED,
        poles=poles,
        sensitivity=1e-3,
        convention="peak",
        expand_x=expand,
        offset_x=offset,
    )
    values = {
        "channels": {
            "height": {"terminal": "Sim1/ai0", "scale": "100 nm/V"},
            "lockin_output_x": {"terminal": "Sim1/ai1", "range": 10.0},
        },
        "lock_in": {"sensitivity": "1 mV", "expand_x": expand, "offset_x": offset},
    }
    curves = at_input(recorded(lagging(lock_in), values, tmp_path / "out.h5", 10.0))
    assert curves.n_curves == 2
    signal, height = curves.read("lateral_in_phase", 1), curves.read("height", 1)
    lag = poles * lock_in.time_constant * RATE
    assert lag == pytest.approx(round(lag), abs=1e-9)  # a shift by whole samples
    shifted = np.roll(signal, -round(lag))
    true = PEAK * np.exp(-height / WAVELENGTH)
    for kind, sign in (("approach", 1.0), ("retract", -1.0)):
        (part,) = [s for s in curves.segments if s["curve"] == 1 and s["kind"] == kind]
        inside = slice(int(part["start"]), int(part["stop"]))
        # Behind the turn the filter has to forget, before it nothing may be shifted from behind.
        low = (30.0 * x if sign < 0 else poles * x) * WAVELENGTH + 1e-9
        near = (height[inside] > low) & (height[inside] < low + 2 * WAVELENGTH)
        assert near.sum() > 500
        if sign < 0 and x > 0.2:  # it forgets no faster than the signal falls
            continue
        analytic = (1.0 + sign * x) ** -poles
        found = signal[inside][near] / true[inside][near]
        np.testing.assert_allclose(found, analytic, rtol=1e-4)
        found = shifted[inside][near] / true[inside][near]
        np.testing.assert_allclose(found, analytic * np.exp(sign * poles * x), rtol=1e-4)


# Moduli


@pytest.fixture(scope="module")
def quiet() -> RampingElectrode:
    """Layers of full thickness, 10 + 3i MPa up to 8 nm and 2 + 1i MPa up to 20 nm; no noise."""
    instrument = RampingElectrode().instrument
    return RampingElectrode(
        instrument=replace(instrument, detector=sim.Detector(0.0, 0.0)),
        voltammogram=sim.Voltammogram(start=0.0, turn=-1.0, rate=1e-3),
    )


def electrode_curves(electrode: RampingElectrode, out: Path, seconds: float) -> nrm.CurveSet:
    values = electrode.settings()
    del values["channels"]["marker"]
    bits = 16 if electrode.instrument.detector.lateral_noise else 0
    return recorded(electrode.board(bits=bits), values, out, seconds)


def test_stiffness_of_a_known_electrode(tmp_path: Path, quiet: RampingElectrode) -> None:
    """From volts to N/m with nothing but the file: Eq. 4 of the layers, lever in series.

    Where the layer's stiffness grows linearly on a length that is long against the lag, shifting
    by n time constants leaves nothing; the corners between layers are left out.
    """
    curves = electrode_curves(quiet, tmp_path / "out.h5", 5.0)
    known = curves.metadata
    signal = rotated(at_input(curves))
    volts = signal.read("lateral_in_phase", 1) + 1j * signal.read("lateral_quadrature", 1)
    k = known["lateral_stiffness"]
    volts *= peak_factor(known["lockin_convention"])
    stiffness = volts * k * known["lateral_sensitivity"] / known["dither_amplitude"]
    lag = known["lockin_poles"] * known["lockin_time_constant"] * RATE
    stiffness = np.roll(stiffness, -round(lag))
    stiffness = stiffness * k / (k - stiffness)
    distance = curves.read("height", 1) + (
        known["deflection_sensitivity"] * curves.read("deflection", 1)
    )
    (part,) = [s for s in curves.segments if s["curve"] == 1 and s["kind"] == "approach"]
    inside = slice(int(part["start"]), int(part["stop"]))
    z, found = distance[inside], stiffness[inside]
    true = quiet.interphase(1).stiffness(z, quiet.instrument.shape_factor)
    for low, high in ((2e-9, 6e-9), (10e-9, 17e-9)):
        layer = (z > low) & (z < high)
        assert layer.sum() > 200
        np.testing.assert_allclose(found[layer], true[layer], rtol=2e-3)


@pytest.mark.skipif(not hasattr(nrm, "process"), reason="this version does not process curves")
def test_moduli_of_a_known_electrode(tmp_path: Path, quiet: RampingElectrode) -> None:
    """Acquire, process, compare: without noise to 1 %, with noise within what is stated."""
    curves = electrode_curves(quiet, tmp_path / "quiet.h5", 7.5)
    results = nrm.process(curves)
    np.testing.assert_allclose(results["contact_height"], 0.0, atol=0.05e-9)
    middle = {"depth": [4e-9, 14e-9]}
    storage = results["storage_modulus"].sel(middle, method="nearest")
    loss = results["loss_modulus"].sel(middle, method="nearest")
    np.testing.assert_allclose(storage, [[10e6, 2e6]] * 3, rtol=0.01)
    np.testing.assert_allclose(loss, [[3e6, 1e6]] * 3, rtol=0.01)

    noisy = replace(quiet, instrument=RampingElectrode().instrument)
    curves = electrode_curves(noisy, tmp_path / "noisy.h5", 20.0)
    results = nrm.process(curves)
    np.testing.assert_allclose(results["contact_height"], 0.0, atol=0.5e-9)
    storage = results["storage_modulus"].sel(middle, method="nearest")
    stated = results["storage_modulus_stderr"].sel(middle, method="nearest")
    off = (storage - np.array([10e6, 2e6])) / stated
    assert float(np.abs(off).max()) < 5.0
    np.testing.assert_allclose(storage.mean("curve"), [10e6, 2e6], rtol=0.1)
