"""Sweeps of the dither against a simulated shaker whose transfer and slip are known."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from daq_boards import client
from test_daq_dither import all_written, shaken_board, values_for

from nrm_daq.config import DaqConfig
from nrm_daq.device import InstantClock, OutputWire, SimulatedDaq
from nrm_daq.device.shaker import StickingTip
from nrm_daq.dither_sweep import Sweeper, SweepPoint, SweepSettings, doubts, frequency_sweep
from nrm_daq.hardware import Connection
from nrm_daq.linear_regime import linear_regime, told
from nrm_daq.waveform import Drive
from nrm_plugin.calibration.response import response
from nrm_plugin.cli import main
from nrm_plugin.errors import InvalidInput

QUICK = SweepSettings(settle=0.05, average=0.1)


@contextmanager
def sweeper(
    settings: SweepSettings = QUICK, changes: dict[str, Any] | None = None, **dither: Any
) -> Iterator[tuple[Sweeper, OutputWire, StickingTip, list[SweepPoint]]]:
    board, wire, tip = shaken_board(**(changes or {}))
    seen: list[SweepPoint] = []
    with SimulatedDaq(board, InstantClock()) as daq, client(daq) as options:
        config = DaqConfig.from_values(values_for(daq.address, **dither))
        connection = Connection(options, "here")
        yield Sweeper(connection, config, "lateral", settings, shown=seen.append), wire, tip, seen


def test_a_sweep_finds_the_transfer_that_is_there() -> None:
    with sweeper() as (one, wire, tip, seen):
        found = frequency_sweep(one, 150.0, 5000.0, 0.1, points=30)
    assert len(found) == len(seen) > 40  # steps about the resonance were made smaller
    frequency = np.array([p.drive.frequency for p in found])
    assert (np.diff(frequency) > 0).all()
    truth = 0.1 * tip.per_metre * tip.shaker.transfer(frequency)
    signal = np.array([p.signal for p in found])
    error = np.array([p.stderr for p in found])
    off = np.abs(signal - truth)
    assert (off < 5.0 * error + 1e-3 * np.abs(truth)).all()
    assert 0.5 < np.median(off / error) < 3.0  # errors are what they say
    # What nrm calibrate response makes of it.
    result = response(frequency, np.abs(signal), np.angle(signal))
    here = result.at(1000.0)
    gain = complex(tip.shaker.transfer(np.array(1000.0))) / tip.shaker.sensitivity
    assert here.gain == pytest.approx(abs(gain), rel=0.01)
    assert here.phase == pytest.approx(np.angle(gain), abs=0.01)
    (peak,) = result.resonances()
    assert peak.frequency == pytest.approx(3000.0, rel=0.01)
    assert peak.quality == pytest.approx(8.0, rel=0.05)
    # Each round ends at 0 V, and nothing was ever above what was asked for.
    assert np.abs(all_written(wire)).max() < 0.1 * 1.02
    for run in wire.runs:
        if not run.rate:
            assert run.chunks[0].tolist() == [0.0]
            continue
        samples = np.concatenate(run.chunks)
        silent = np.flatnonzero(samples)[-1] + 1
        assert run.ended >= run.first + silent / run.rate
        assert np.abs(np.diff(samples)).max() < 0.1 * 2.0 * np.pi * 5000.0 / run.rate * 1.1


def test_the_linear_regime_ends_where_the_tip_lets_go() -> None:
    volts = np.geomspace(0.1, 0.99, 25)
    with sweeper(changes={"grip": 1e-9}, max_motion="5 nm") as (one, _, tip, _seen):
        found = one.points([Drive(frequency=1000.0, volts=float(v)) for v in volts])
    signal = np.array([p.signal for p in found])
    per_volt = abs(complex(tip.shaker.transfer(np.array(1000.0))))
    onset = tip.grip / per_volt  # 0.44 V
    truth = np.array([tip.held(float(v) * per_volt) for v in volts])
    assert np.abs(signal) == pytest.approx(volts * per_volt * tip.per_metre * truth, rel=3e-3)
    regime = linear_regime(volts, signal, np.array([p.stderr for p in found]), 0.02)
    assert regime.up_to is not None
    assert regime.beyond is not None
    # The step behind the onset is the first whose first harmonic is 2 % too small.
    assert regime.up_to == volts[truth > 0.98].max()
    assert onset * 0.99 < regime.up_to < onset * 1.12
    third = np.array([p.harmonics[1] for p in found])
    assert third[volts < onset].max() < 0.005
    assert third[-1] > 0.1
    sentence = told(regime, [f"{v:.3f} V" for v in volts])
    assert sentence.startswith(f"F*/A is constant within 2 % from 0.100 V up to {regime.up_to:.3f}")


@pytest.mark.parametrize(
    ("bend", "expected"), [(0.0, None), (0.05, "within"), (0.5, "early"), (-0.5, "early")]
)
def test_a_regime_in_numbers(bend: float, expected: str | None) -> None:
    """A ratio of 1 + bend a^2: it leaves 2 % at a = sqrt(0.02 / |bend|)."""
    volts = np.geomspace(0.02, 1.0, 30)
    rng = np.random.default_rng(3)
    error = np.full(30, 2e-5)
    noise = error * (rng.standard_normal(30) + 1j * rng.standard_normal(30))
    regime = linear_regime(volts, volts * (1.0 + bend * volts**2) * np.exp(0.3j) + noise, error)
    if expected is None:
        assert regime.beyond is None
        assert told(regime, ["x"] * 30).endswith("the largest amplitude that was tried")
        assert regime.constant == pytest.approx(np.exp(0.3j), rel=1e-3)
        return
    edge = np.sqrt(0.02 / abs(bend))
    assert regime.up_to is not None
    assert 0.85 * edge < regime.up_to < 1.25 * edge


def test_noise_is_no_end_of_the_regime_and_is_told() -> None:
    rng = np.random.default_rng(1)
    volts = np.geomspace(0.1, 1.0, 12)
    ends = 0
    for _ in range(200):
        noise = 0.02 * (rng.standard_normal(12) + 1j * rng.standard_normal(12))
        regime = linear_regime(volts, volts + noise, np.full(12, 0.02))
        ends += regime.beyond is not None
    assert ends <= 6
    assert "would hide a change by up to" in told(regime, ["x"] * 12) or regime.beyond is not None
    with pytest.raises(InvalidInput, match="4 or more"):
        linear_regime(volts[:3], volts[:3] + 0j, volts[:3])


def test_what_cannot_be_believed_is_said() -> None:
    with sweeper(changes={"noise": 1.0}) as (one, *_):
        found = one.points([Drive(frequency=500.0, volts=0.001)])
    assert "not seen above its noise in 1 of 1" in " ".join(doubts(found))
    with sweeper(changes={"per_metre": 2e10, "noise": 0.0}) as (one, *_):
        found = one.points([Drive(frequency=500.0, volts=0.9)])
    assert "the signal is clipped" in " ".join(doubts(found))


def test_too_much_is_refused_and_a_sweep_can_be_ended() -> None:
    with sweeper(sensitivity="2 nm/V", response=1.0) as (one, wire, _, _seen):
        with pytest.raises(InvalidInput, match=r"above dither\.max_voltage"):
            one.points([Drive(frequency=500.0, volts=1.01)])
        with pytest.raises(InvalidInput, match=r"above dither\.max_motion"):
            one.points([Drive(frequency=500.0, volts=0.9, motion=3e-9)])
        assert wire.runs == []
        ending = threading.Event()
        one._ending, one._shown = ending, lambda point: ending.set()
        found = one.points([Drive(frequency=f, volts=0.1) for f in (500.0, 600.0, 700.0, 800.0)])
        assert 1 <= len(found) < 4
        assert wire.volts(np.array([1e9]))[0] == 0.0


def run(*args: str) -> Any:
    return CliRunner().invoke(main, ["dither", *args], catch_exceptions=False)


def test_what_a_volt_moves_may_stand_with_the_metadata() -> None:
    """The largest motion is kept to, as while it is recorded."""
    from nrm_daq.dither_command import _drive, _volts

    values = values_for(amplitude="1 nm")
    values["metadata"] = {"dither_sensitivity": "4 nm/V", "dither_response": 1.25}
    config = DaqConfig.from_values(values)
    one = Sweeper(Connection(None, "here"), config, "lateral", QUICK)
    assert _volts(None, one) == pytest.approx(0.2)
    drive = _drive(one, "0.5 V", None)
    assert drive.motion == pytest.approx(2.5e-9)
    with pytest.raises(InvalidInput, match=r"above dither\.max_motion = 2 nm"):
        one.points([drive])
    assert _drive(one, "0.5 V", "2 kHz").motion is None  # the response is that at 1 kHz


def test_the_command_sweeps_and_switches_off(tmp_path: Path) -> None:
    board, wire, tip = shaken_board()
    with SimulatedDaq(board, InstantClock()) as daq:
        config = tmp_path / "daq.toml"
        config.write_text(
            f'backend = "remote {daq.address}"\nrate = "50 kHz"\n'
            '[channels.lateral]\nterminal = "Sim1/ai0"\n[dither]\nterminal = "Sim1/ao0"\n'
            'max_voltage = "2 V"\nmax_motion = "5 nm"\nfrequency = "1 kHz"\namplitude = "0.1 V"\n'
            'sensitivity = "2 nm/V"\nresponse = 1.124\n',
            encoding="utf-8",
        )
        table, picture = tmp_path / "s.csv", tmp_path / "l.png"
        quick = ("--config", str(config), "--settle", "50ms", "--average", "0.1s")
        result = run("sweep", "150Hz:5kHz", "--points", "30", "-o", str(table), *quick)
        assert result.exit_code == 0, result.output
        made = CliRunner().invoke(
            main, ["calibrate", "response", str(table), "--at", "1kHz", "--json"]
        )
        assert json.loads(made.output)[0]["value"] == pytest.approx(1.1243, rel=0.01)
        again = run("sweep", "150Hz:5kHz", "-o", str(table), *quick)
        assert again.exit_code == 2 or "exists" in again.output
        result = run(
            "linearity",
            "0.2nm:4nm",
            "-o",
            str(tmp_path / "l.csv"),
            "--plot",
            str(picture),
            "--json",
            *quick,
        )
        told_ = json.loads(result.output)
        held = tip.grip / (2e-9 * 1.124)
        assert told_["up_to"] < 1.12 * held < 1.12 * told_["beyond"]
        assert told_["beyond"] / told_["up_to"] == pytest.approx(20.0 ** (1 / 15))
        assert told_["simulated"]
        assert picture.read_bytes().startswith(b"\x89PNG")
        rows = (tmp_path / "l.csv").read_text(encoding="utf-8").splitlines()
        assert rows[1].startswith("# F*/A is constant within 2 %")
        wire.set(0.7, daq.rack.clock.now())
        assert run("off", "--config", str(config)).output == "Sim1/ao0: 0 V\n"
        assert wire.volts(np.array([daq.rack.clock.now() + 1.0]))[0] == 0.0
    assert run("sweep", "1:2", "-o", "x.csv").exit_code == 2
