"""The dither of the board's output: NI's own client against the simulated board."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daq_boards import client

import nrm_plugin as nrm
from nrm_daq.config import DaqConfig
from nrm_daq.device import Board, InstantClock, ManualClock, OutputWire, SimulatedDaq
from nrm_daq.device.shaker import LoopedBack, Shaker, StickingTip
from nrm_daq.recording import Recording, read
from nrm_daq.recovery import _undriven
from nrm_daq.run import record
from nrm_daq.trial import checked
from nrm_daq.waveform import Drive, Waveform
from nrm_plugin.demodulation import DigitalLockIn, locked_in
from nrm_plugin.errors import DaqUnavailable, InvalidInput, RecipeError

DITHER = {"terminal": "Sim1/ao0", "max_voltage": "1 V", "frequency": "1 kHz", "amplitude": "0.5 V"}


def shaken_board(**changes: Any) -> tuple[Board, OutputWire, StickingTip]:
    wire = OutputWire(keep=True)
    tip = StickingTip(shaker=Shaker(wire=wire), **changes)
    board = Board({"ai0": tip, "ai1": LoopedBack(wire)}, outputs={"ao0": wire}, bits=0)
    return board, wire, tip


def values_for(address: str = "", **dither: Any) -> dict[str, Any]:
    return {
        "backend": f"remote {address}" if address else "local",
        "rate": "50 kHz",
        "channels": {
            "lateral": {"terminal": "Sim1/ai0"},
            "aux_drive": {"terminal": "Sim1/ai1"},
        },
        "dither": DITHER | dither,
    }


def after(daq: SimulatedDaq, wire: OutputWire, samples: int) -> None:
    """Wait until so many samples have come out."""
    patience = threading.Event()
    while not (wire.runs and wire.runs[0].due(daq.rack.clock.now()) > samples):
        patience.wait(0.001)


def all_written(wire: OutputWire) -> np.ndarray:
    return np.concatenate([c for run in wire.runs if run.rate for c in run.chunks])


def test_each_sample_and_the_recording_are_what_was_asked_for(tmp_path: Path) -> None:
    board, wire, _ = shaken_board(noise=0.0)
    with SimulatedDaq(board, InstantClock()) as daq:
        config = DaqConfig.from_values(values_for(daq.address, ramp="0.1 s"))
        report = record(config, tmp_path / "a.h5", 3.0, quiet=True)
        now = daq.rack.clock.now()
    assert report["stopped"] == ""
    assert report["n_samples"] == 150_000
    played, voltage = wire.runs
    assert (played.rate, played.first) == (50_000.0, 0.0)
    curves = nrm.open(tmp_path / "a.h5")
    time = np.arange(150_000) / 50e3
    rise = np.where(time < 0.1, 0.5 - 0.5 * np.cos(np.pi * time / 0.1), 1.0)
    held = np.pi * 1e3 / 50e3 / np.sin(np.pi * 1e3 / 50e3)  # the steps make it smaller
    truth = 0.5 * held * rise * np.sin(2.0 * np.pi * 1e3 * (time + 0.5 / 50e3))
    assert curves.read("aux_drive") == pytest.approx(truth, abs=1e-6)
    # It fades within the ramp, and ends at 0 V.
    samples = all_written(wire)
    silent = np.flatnonzero(samples)[-1] + 1
    assert played.ended * 50e3 >= silent
    assert np.abs(samples).max() <= 0.5 * held * (1.0 + 1e-12) < 1.0
    steps = np.abs(np.diff(samples[: silent + 1]))
    assert steps.max() <= 0.5 * held * 2.0 * np.pi * 1e3 / 50e3 * 1.01
    assert voltage.chunks[0].tolist() == [0.0]
    assert wire.volts(np.array([now, now + 1e3])).tolist() == [0.0, 0.0]


def test_metadata_say_what_drove_the_sample_and_nothing_more(tmp_path: Path) -> None:
    board, *_ = shaken_board()
    with SimulatedDaq(board, InstantClock()) as daq:
        record(DaqConfig.from_values(values_for(daq.address)), tmp_path / "v.h5", 1.0, quiet=True)
        in_nm = values_for(
            daq.address,
            amplitude="1 nm",
            sensitivity="4 nm/V",
            response=1.25,
            tones=[{"frequency": "1.5 kHz", "amplitude": "0.1 V"}],
        )
        record(DaqConfig.from_values(in_nm), tmp_path / "n.h5", 1.0, quiet=True)
    said = nrm.open(tmp_path / "v.h5")
    mine = {k: v for k, v in said.metadata.items() if k.startswith("dither")}
    assert mine == {
        "dither_frequency": 1000.0,
        "dither_drive": 0.5,
        "dither_drive_convention": "peak",
    }
    assert said.metadata_source["dither_frequency"] == "board output Sim1/ao0"
    mine = nrm.open(tmp_path / "n.h5").metadata
    assert mine["dither_amplitude"] == pytest.approx(1e-9)
    assert mine["dither_drive"] == pytest.approx(0.2)
    assert (mine["dither_sensitivity"], mine["dither_response"]) == (4e-9, 1.25)
    assert (mine["dither_2_frequency"], mine["dither_2_drive"]) == (1500.0, 0.1)
    assert "dither_2_amplitude" not in mine


def test_the_generated_tone_is_a_reference_without_a_cable(tmp_path: Path) -> None:
    board, _, tip = shaken_board(noise=0.0)
    with SimulatedDaq(board, InstantClock()) as daq:
        config = DaqConfig.from_values(values_for(daq.address, rate="200 kHz"))
        record(config, tmp_path / "a.h5", 2.0, quiet=True)
    settings = DigitalLockIn(reference="", frequencies=(1000.0,), convention="peak")
    out, _ = locked_in(nrm.open(tmp_path / "a.h5"), settings)
    value = out.read("lateral_in_phase") + 1j * out.read("lateral_quadrature")
    truth = 0.5 * tip.per_metre * complex(tip.shaker.transfer(np.array(1000.0)))
    assert np.abs(value[-20:] / truth - 1.0).max() < 2e-4


MOVED = {"sensitivity": "2 nm/V", "response": 1.0}
TWO = {"tones": [{"frequency": "3 kHz", "amplitude": "0.1 V"}]}


@pytest.mark.parametrize(
    ("dither", "lock_in", "words"),
    [
        ({}, {"frequency": "1000.9 Hz"}, "demodulates 1000.9 Hz, and .dither. puts out 1000 Hz"),
        (TWO, {"frequency": "3 kHz"}, "demodulates 3000 Hz, and .dither. puts out 1000 Hz and 3"),
        (TWO, {"tones": [{"frequency": 3e3}, {"frequency": 1e3}]}, "3000 Hz and 1000 Hz, and"),
        (MOVED, {"tones": [{"frequency": 1e3, "amplitude": "1.5 nm"}]}, "amplitude is what .dith"),
        (TWO, {"frequency": "1 kHz"}, ""),
        (TWO, {"tones": [{"frequency": 1e3}, {"frequency": 3e3}]}, ""),
        ({}, {"tones": [{"frequency": 1e3, "amplitude": "1.5 nm"}]}, ""),
        (MOVED, {"tones": [{"frequency": 1e3, "phase": "20 deg"}]}, ""),
    ],
)
def test_a_lock_in_in_software_has_the_tones_of_the_board(
    dither: dict[str, Any], lock_in: dict[str, Any], words: str
) -> None:
    """Where there is no reference: a tone beside it would turn, another one have its amplitude."""
    values = values_for(**dither) | {"lock_in": {"model": "digital", **lock_in}}
    if not words:
        assert DaqConfig.from_values(values).digital() is not None
        return
    with pytest.raises(RecipeError, match=words):
        DaqConfig.from_values(values)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amplitude": "1.2 V"}, "would reach 1.2 V, above dither.max_voltage = 1 V"),
        (
            {"tones": [{"frequency": "2 kHz", "amplitude": "0.6 V"}]},
            "1.1 V, above dither.max_voltage = 1 V: the peaks of all tones",
        ),
        ({"amplitude": "1 nm"}, "needs dither.sensitivity"),
        ({"amplitude": "1 nm", "sensitivity": "2 nm/V"}, "and dither.response"),
        (
            {"amplitude": "3 nm", "sensitivity": "10 nm/V", "response": 1.0},
            "3 nm, peak, above dither.max_motion = 2 nm",
        ),
        (
            {
                "amplitude": "1.5 nm",
                "sensitivity": "10 nm/V",
                "response": 1.0,
                "tones": [{"frequency": "2 kHz", "amplitude": "1 nm", "response": 1.0}],
            },
            "2.5 nm, peak, above dither.max_motion = 2 nm",
        ),
        ({"amplitude": "-1 V"}, "is no amplitude"),
        ({"tones": [{"frequency": "1 kHz", "amplitude": "0.1 V"}]}, "the same frequency"),
    ],
)
def test_too_much_is_refused_before_anything_starts(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        DaqConfig.from_values(values_for(**changes))


def test_a_largest_voltage_is_needed() -> None:
    values = values_for()
    values["dither"] = {k: v for k, v in DITHER.items() if k != "max_voltage"}
    with pytest.raises(RecipeError, match=r"dither\.max_voltage: Field required"):
        DaqConfig.from_values(values)


def test_metadata_and_the_dither_do_not_say_the_same_twice() -> None:
    with pytest.raises(RecipeError, match=r"metadata\.dither_amplitude is what"):
        DaqConfig.from_values(
            values_for(sensitivity="2 nm/V", response=1.0)
            | {"metadata": {"dither_amplitude": "1 nm"}}
        )
    with pytest.raises(RecipeError, match=r"metadata\.dither_frequency is what"):
        DaqConfig.from_values(values_for() | {"metadata": {"dither_frequency": "1 kHz"}})
    DaqConfig.from_values(values_for() | {"metadata": {"dither_amplitude": "1 nm"}})


def test_what_the_steps_need_beside_the_tone_counts(tmp_path: Path) -> None:
    board, wire, _ = shaken_board()
    with SimulatedDaq(board, InstantClock()) as daq:
        values = values_for(daq.address, frequency="5 kHz", amplitude="1 V", rate="50 kHz")
        with pytest.raises(InvalidInput, match=r"samples would reach 1\.017 V, above max_voltage"):
            record(DaqConfig.from_values(values), tmp_path / "a.h5", 1.0, quiet=True)
        values = values_for(daq.address, frequency="5 kHz", rate="20 kHz")
        with pytest.raises(InvalidInput, match="needs at least 25 kHz samples"):
            record(DaqConfig.from_values(values), tmp_path / "a.h5", 1.0, quiet=True)
        for terminal, words in (
            ("Sim1/ao7", "no such output; there are: Sim1/ao0"),
            ("Other/ao0", "not on Sim1"),
        ):
            values = values_for(daq.address, terminal=terminal)
            with pytest.raises((DaqUnavailable, InvalidInput), match=words):
                record(DaqConfig.from_values(values), tmp_path / "a.h5", 1.0, quiet=True)
    assert wire.runs == []
    assert not list(tmp_path.iterdir())


def test_check_shows_the_dither() -> None:
    board, *_ = shaken_board()
    with SimulatedDaq(board, InstantClock()) as daq:
        config = DaqConfig.from_values(values_for(daq.address, sensitivity="2 nm/V", response=1.0))
        lines = checked(config)["said"]
    assert (
        "dither at Sim1/ao0, 50000 samples per second, begun with the inputs; never above 1 V"
        in (lines)
    )
    assert "  1 kHz, 500 mV peak: 1 nm of the sample" in lines


def test_it_ends_at_zero_when_somebody_ends_it(tmp_path: Path) -> None:
    board, wire, _ = shaken_board()
    ending = threading.Event()
    with SimulatedDaq(board, InstantClock()) as daq:
        config = DaqConfig.from_values(values_for(daq.address, ahead="1 s", ramp="0.05 s"))

        def end() -> None:
            after(daq, wire, 20_000)
            ending.set()

        threading.Thread(target=end).start()
        report = record(config, tmp_path / "a.h5", quiet=True, ending=ending)
        assert wire.volts(np.array([daq.rack.clock.now()]))[0] == 0.0
    assert report["stopped"] == ""
    run = wire.runs[0]
    silent = np.flatnonzero(all_written(wire))[-1] + 1
    assert run.ended >= run.first + silent / run.rate
    assert np.abs(np.diff(all_written(wire))).max() < 0.5 * 2.0 * np.pi * 1e3 / 50e3 * 1.02


def test_a_lost_sampling_task_lets_the_dither_fade(tmp_path: Path) -> None:
    """The inputs end with an error; the output has a clock of its own and comes to 0 V."""
    board, wire, _ = shaken_board()
    with SimulatedDaq(board, InstantClock()) as daq:
        config = DaqConfig.from_values(values_for(daq.address, ahead="1 s", ramp="0.05 s"))

        def lose() -> None:
            after(daq, wire, 20_000)
            inputs = next(t for t in daq.rack.tasks.values() if t.output is None)
            inputs._asked_ring = 1  # it runs over at once

        threading.Thread(target=lose).start()
        report = record(config, tmp_path / "a.h5", quiet=True)
        assert wire.volts(np.array([daq.rack.clock.now()]))[0] == 0.0
    assert "stopped at sample" in report["stopped"]
    silent = np.flatnonzero(all_written(wire))[-1] + 1
    assert wire.runs[0].ended >= wire.runs[0].first + silent / wire.runs[0].rate


@pytest.mark.parametrize("lock_in", [{}, {"model": "digital"}])
def test_an_output_that_runs_dry_ends_the_recording_and_is_set_to_zero(
    tmp_path: Path, lock_in: dict[str, Any]
) -> None:
    """Time leaps by more than was written ahead, as when this computer does nothing for long."""
    board, wire, _ = shaken_board(noise=0.0)
    clock = ManualClock()
    with SimulatedDaq(board, clock) as daq:
        values = values_for(daq.address, ahead="0.5 s") | {"lock_in": lock_in}
        config = DaqConfig.from_values(values)
        stop = threading.Event()

        def go_on() -> None:
            while not (wire.runs and wire.runs[0].first <= clock.now()) and not stop.wait(0.01):
                pass
            for _ in range(8):
                clock.advance(0.1)
                stop.wait(0.05)
            clock.advance(3.0)
            while not stop.wait(0.02):
                clock.advance(0.1)

        thread = threading.Thread(target=go_on)
        thread.start()
        report = record(config, tmp_path / "a.h5", 300.0, quiet=True)
        stop.set()
        thread.join()
        assert wire.volts(np.array([clock.now()]))[0] == 0.0
    assert (
        "the dither stopped: this computer did not write its samples in time" in (report["stopped"])
    )
    assert any("the dither had stopped" in w or "dither stopped" in w for w in report["warnings"])
    if lock_in:  # each value is of a dither that was whole, or none
        curves = nrm.open(tmp_path / "a.h5")
        size = np.hypot(curves.read("lateral_in_phase"), curves.read("lateral_quadrature"))
        known = size[np.isfinite(size)]
        assert len(known) > 50
        assert known == pytest.approx(np.full(len(known), known[0]), rel=2e-3)


def test_a_lock_in_box_settles_behind_the_dither(tmp_path: Path) -> None:
    """Its outputs come to what the dither has risen to only as its filter does."""
    board, *_ = shaken_board()
    with SimulatedDaq(board, InstantClock()) as daq:
        values = values_for(daq.address, ramp="0.1 s")
        values["channels"]["lockin_output_x"] = values["channels"].pop("aux_drive")
        values["lock_in"] = {"sensitivity": "10 mV", "time_constant": "30 ms", "poles": 1}
        record(DaqConfig.from_values(values), tmp_path / "a.h5", 1.0, quiet=True)
    curves = nrm.open(tmp_path / "a.h5")
    unknown = np.flatnonzero(np.isnan(curves.read("lockin_output_x")))
    # 1 - exp(-t / tau) within 1e-3 of its end
    assert len(unknown) == pytest.approx(50e3 * (0.1 + 0.03 * np.log(1e3)), abs=2)
    assert unknown[-1] == len(unknown) - 1
    assert np.isfinite(curves.read("lateral")).all()


KILLED = """
import sys
from pathlib import Path
from nrm_daq.config import DaqConfig
from nrm_daq.run import record
import json
record(DaqConfig.from_values(json.loads(sys.argv[1])), Path(sys.argv[2]), quiet=True)
"""


def test_killed_in_the_middle_it_runs_dry_and_stays_within_its_bound(tmp_path: Path) -> None:
    """What can be promised: the samples that were written ahead are the last ones, and bounded."""
    import json

    board, wire, _ = shaken_board()
    with SimulatedDaq(board) as daq:
        values = values_for(daq.address, ahead="5 s")
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, json.dumps(values), str(tmp_path / "a.h5")],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        clock = daq.rack.clock
        until = clock.now() + 60.0
        while not (wire.runs and wire.runs[0].due(clock.now()) > 50_000) and clock.now() < until:
            clock.wait_until(clock.now() + 0.02, threading.Event())
        process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        process.wait(60)
        killed = clock.now()
        run = wire.runs[0]
        while run.due(clock.now()) <= run.written and clock.now() < killed + 60.0:
            clock.wait_until(clock.now() + 0.05, threading.Event())
        assert len(wire.runs) == 1
        assert run.first + run.written / run.rate <= killed + 6.0  # one write was under way
        assert np.abs(all_written(wire)).max() < 0.51
        # The board holds the last sample; nrm dither off brings it to 0 V.
        held = wire.volts(np.array([clock.now(), clock.now() + 10.0]))
        assert held[0] == held[1] == run.chunks[-1][-1]
        for task in list(daq.rack.tasks):
            daq.rack.clear(task)  # what a device server does when it is reset
        from nrm_daq.analog_output import set_to_zero
        from nrm_daq.hardware import Connection

        with client(daq) as options:
            table = DaqConfig.from_values(values).dither
            assert table is not None
            assert set_to_zero(Connection(options, "here"), table) == ""
        assert wire.volts(np.array([clock.now()]))[0] == 0.0


def test_what_is_no_number_is_never_put_out() -> None:
    wave = Waveform(1e4, 100, 1.0)
    with pytest.raises(InvalidInput, match="above max_voltage"):
        wave.add(0, [Drive(frequency=100.0, volts=float("nan"))])
    assert not wave.samples(0, 10).any()


def test_the_peaks_of_all_tones_add_up() -> None:
    wave = Waveform(1e4, 100, 1.0)
    tones = [Drive(frequency=f, volts=0.5) for f in (100.0, 230.0)]
    with pytest.raises(InvalidInput, match=r"samples would reach 1\.00"):
        wave.add(0, tones)
    wave = Waveform(1e4, 100, 1.002)
    wave.add(0, tones)
    assert 0.99 < np.abs(wave.samples(0, 10_000)).max() <= 1.002


@pytest.mark.parametrize("lead", [0.0, 0.0125])
def test_values_about_a_break_of_the_dither_are_not_kept(tmp_path: Path, lead: float) -> None:
    """A value of a lock-in in software is made of the samples up to twice `lead` behind its own."""
    path, rate = tmp_path / "a.part", 1000.0
    header = {"channels": [{}], "dither": {"ramp": 0.1}, "lock_in": {}, "lead": lead}
    with Recording(path, header) as made:
        made.note(dither_stopped=1.2504)
    rising, broken = _undriven(read(path), rate, 2000)
    assert rising == (0, 101)
    ends = np.arange(2000) / rate + 2.0 * lead  # of the samples that each value is made of
    assert broken == (np.flatnonzero(ends < 1.2504)[-1], 2000)


def test_a_waveform_never_jumps() -> None:
    wave = Waveform(10_000.0, 500, 2.0)
    wave.add(0, [Drive(frequency=200.0, volts=1.0)])
    wave.add(3000, [Drive(frequency=333.0, volts=1.8)])
    wave.add(3200, [Drive(frequency=100.0, volts=0.1)])  # in the middle of a ramp
    silent = wave.end(6000)
    values = wave.samples(0, 8000)
    assert np.abs(values).max() <= 1.8 * 1.01
    assert not values[silent:].any()
    assert np.abs(np.diff(values)).max() < 1.8 * 2.0 * np.pi * 333.0 / 10_000.0 * 1.05
    assert (wave.samples(2990, 300) == values[2990:3290]).all()
    assert np.abs(values[2000:3000]).max() == pytest.approx(1.0, rel=2e-3)
