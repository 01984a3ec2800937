"""From a recording to curves: rows, segments, scale, skew, times, metadata, what is not trusted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daq_boards import STEP, config_for, converted, known_board

import nrm_plugin as nrm
from nrm_daq import recording, recovery
from nrm_daq.config import DaqConfig
from nrm_daq.device import Board, BoardClock, InstantClock, SimulatedDaq, WallClock
from nrm_daq.device.electrode import RampingElectrode
from nrm_daq.recovery import recover
from nrm_daq.run import record
from nrm_plugin.testing import check_curves, check_round_trip

RATE = 5e3


def acquired(
    tmp_path: Path, board: Board, seconds: float, clock: BoardClock | None = None, **changes: Any
) -> nrm.CurveSet:
    """Record a board whose configuration is that of the simulated electrode, with changes."""
    with SimulatedDaq(board, clock or InstantClock()) as daq:
        values = RampingElectrode().settings() | {"backend": f"remote {daq.address}", "rate": RATE}
        del values["channels"]["marker"]
        record(DaqConfig.from_values(values | changes), tmp_path / "out.h5", seconds)
    return nrm.open(tmp_path / "out.h5")


@pytest.fixture(scope="module")
def electrode() -> RampingElectrode:
    return RampingElectrode()


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory, electrode: RampingElectrode) -> nrm.CurveSet:
    """20 s of the simulated electrode: 8 ramps, the first at 0.225 s."""
    return acquired(tmp_path_factory.mktemp("electrode"), electrode.board(), 20.0)


def test_it_is_an_ordinary_file(curves: nrm.CurveSet) -> None:
    check_curves(curves)
    check_round_trip(curves)
    assert curves.importer == "nrm"
    assert curves.metadata["simulated"] is True


def test_rows_are_the_recording(curves: nrm.CurveSet, electrode: RampingElectrode) -> None:
    """No sample is dropped: the rows together are the stream, the ramps are segments of them."""
    assert (curves.n_curves, curves.n_samples) == (8, round(20.0 * RATE))
    period = round(electrode.period * RATE)
    assert set(curves.row_size[1:-1]) == {period}
    potential = electrode.voltammogram.potential(np.arange(curves.n_samples) / RATE)
    assert np.abs(curves.read("potential") - potential).max() < STEP


def test_segments(curves: nrm.CurveSet, electrode: RampingElectrode) -> None:
    """Begin and end of each way to 1 ms; the tip is at the surface where the approach ends."""
    begin = 0.5 * (electrode.period - 2 * electrode.length / electrode.speed - electrode.hold)
    way = electrode.length / electrode.speed
    starts = np.concatenate([[0], np.cumsum(curves.row_size)])
    for number in range(8):
        found = [s for s in curves.segments if s["curve"] == number]
        assert [s["kind"] for s in found] == ["approach", "hold", "retract"]
        moments = np.array([starts[number] + s[e] for s in found for e in ("start", "stop")]) / RATE
        true = begin + np.array(
            [0, way, way, way + electrode.hold, way + electrode.hold, 2 * way + electrode.hold]
        )
        np.testing.assert_allclose(moments - number * electrode.period, true, atol=1e-3)
        height = curves.read("height", number)
        assert height[found[0]["stop"]] == pytest.approx(-electrode.trigger, abs=0.1e-9)


def test_scale_offset_and_polarity(tmp_path: Path, electrode: RampingElectrode) -> None:
    """The z sensor's volts fall as the cantilever rises; every number is that of the simulator."""
    channels = electrode.settings()["channels"]
    del channels["marker"]
    channels["height"] |= {"offset": "30 nm"}
    channels["potential"] |= {"scale": "2 V/V", "offset": -0.25}
    curves = acquired(tmp_path, electrode.board(bits=0), 5.0, channels=channels)
    true = np.concatenate([electrode.height(i, RATE) for i in range(2)])
    np.testing.assert_allclose(curves.read("height"), true + 30e-9, atol=1e-13)
    potential = electrode.voltammogram.potential(np.arange(curves.n_samples) / RATE)
    np.testing.assert_allclose(curves.read("potential"), 2 * potential - 0.25, atol=1e-6)
    assert curves.channels["height"].gain == -100e-9  # the volts are still there
    assert curves.read_raw("height")[0] == np.float32(-electrode.height(0, RATE)[0] / 100e-9)


def test_times(curves: nrm.CurveSet) -> None:
    table = curves.curve_table
    starts = np.concatenate([[0], np.cumsum(curves.row_size)])[:-1]
    since = (table["start_time"] - table["start_time"][0]) / np.timedelta64(1, "us")
    np.testing.assert_allclose(since, 1e6 * starts / RATE, atol=1.0)
    began = datetime.fromisoformat(curves.metadata["start_time"])
    assert np.datetime64(began, "us") == table["start_time"][0]
    assert abs((datetime.now() - began).total_seconds()) < 120.0  # a clock without a zone
    assert 0.0 < table["start_time_uncertainty"][0] < 1.0
    time_of = curves.read("time", 3)
    np.testing.assert_allclose(time_of, np.arange(len(time_of)) / RATE, atol=1e-12)


def test_potential_per_curve(curves: nrm.CurveSet, electrode: RampingElectrode) -> None:
    """The mean over each ramp, of a linear sweep: its value in the middle."""
    middle = electrode.period * (np.arange(8) + 0.5)
    true = electrode.voltammogram.potential(middle)
    np.testing.assert_allclose(curves.curve_table["potential"], true, atol=STEP)


def test_metadata(curves: nrm.CurveSet, electrode: RampingElectrode) -> None:
    lock_in = electrode.instrument.lock_in
    expected = {
        "lockin_sensitivity": lock_in.sensitivity,
        "lockin_time_constant": lock_in.time_constant,
        "lockin_poles": 4.0,
        "lockin_expand_x": 1.0,
        "lockin_offset_y": 0.0,
        "lockin_convention": "rms",
        "lockin_phase": lock_in.phase,
        "dither_amplitude": 1e-9,
        "dither_frequency": 5000.0,
        "spring_constant": 0.3,
        "deflection_sensitivity": 30e-9,
        "lateral_stiffness": 80.0,
        "height_source": "sensor",
    }
    assert expected.items() <= curves.metadata.items()
    assert all(curves.metadata_source[key] for key in expected)
    header = json.loads(curves.header)
    assert header["setup"]["device"]["product"] == "Simulated electrode"
    assert header["config"]["rate"] == RATE
    assert header["blocks"] == 100


def test_curves_do_not_depend_on_blocks(
    tmp_path: Path, curves: nrm.CurveSet, electrode: RampingElectrode
) -> None:
    other = acquired(tmp_path, electrode.board(), 20.0, block=0.0374)
    np.testing.assert_array_equal(other.segments, curves.segments)
    for name in curves.channels:
        np.testing.assert_array_equal(other.read(name), curves.read(name))


@pytest.mark.parametrize("by", ["marker", "deflection"])
def test_other_ways_to_find_ramps(tmp_path: Path, electrode: RampingElectrode, by: str) -> None:
    channels = electrode.settings()["channels"]
    del channels["height" if by == "marker" else "marker"]
    if by == "deflection":
        del channels["height"]
    split = {"threshold": 0.2, "pre": 0.9, "post": 0.9} if by == "deflection" else {}
    curves = acquired(tmp_path, electrode.board(), 20.0, channels=channels, split=split)
    assert curves.n_curves == 8
    assert {"approach", "retract"} <= set(curves.segments["kind"])


def test_without_ramps_everything_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "LONGEST_GAP", 20_000)
    with SimulatedDaq(known_board(), InstantClock()) as daq:
        report = record(config_for(daq), tmp_path / "out.h5", 1.5)
    curves = nrm.open(tmp_path / "out.h5")
    assert (report["curves_found"], report["n_curves"]) == (0, 4)
    np.testing.assert_array_equal(curves.row_size, [20_000, 20_000, 20_000, 15_000])
    assert set(curves.segments["kind"]) == {"other"}
    assert any("not cut into curves" in warning for warning in curves.warnings)


def test_long_rests_are_rows_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, electrode: RampingElectrode
) -> None:
    monkeypatch.setattr(recovery, "LONGEST_GAP", 1000)
    curves = acquired(tmp_path, electrode.board(), 6.0)
    assert curves.n_samples == round(6.0 * RATE)
    kinds = [
        tuple(s["kind"] for s in curves.segments if s["curve"] == i) for i in range(curves.n_curves)
    ]
    ramp = ("approach", "hold", "retract")
    assert [k for k in kinds if k != ("other",)][:2] == [ramp, ramp]
    assert kinds[:2] == [("other",), ("other",)]  # 1125 samples before the first ramp
    assert max(curves.row_size) < 2.4 * RATE


# Channels that are sampled one after the other


@pytest.mark.parametrize("skew", ["correct", "keep"])
def test_skew(tmp_path: Path, skew: str) -> None:
    """Straight lines, sampled late by up to 4/5 of a sample: corrected they agree exactly."""
    slopes = (1e-4, -2e-4, 3e-4, 4e-4, -5e-4)
    inputs = {f"ai{k}": (lambda n, rate, a=a: a * n) for k, a in enumerate(slopes)}
    board = Board(inputs, simultaneous=False, largest_rate=250e3, bits=0)
    with SimulatedDaq(board, InstantClock()) as daq:
        record(config_for(daq, skew=skew, rate=50e3), tmp_path / "out.h5", 0.2)
    curves = nrm.open(tmp_path / "out.h5")
    numbers = np.arange(curves.n_samples)
    names = [name for name in curves.channels if name != "time"]
    for k, (name, slope) in enumerate(zip(names, slopes, strict=True)):
        late = slope * 0.2 * k
        off = curves.read(name) - slope * numbers
        assert off[0] == pytest.approx(late, abs=1e-6)  # nothing came before
        assert np.abs(off[1:] - (0.0 if skew == "correct" else late)).max() < 1e-6


def test_skew_at_the_edges_of_curves() -> None:
    """Curve by curve or all at once: the same values."""
    from nrm_daq.recovery import VoltColumn
    from nrm_plugin.columns import Rows

    class Straight:
        dtype = np.dtype("f4")

        def volts(self, channel: int, start: int, stop: int) -> np.ndarray:
            return np.arange(start, stop, dtype=np.float32) ** 2

    rows = Rows(np.array([3, 1, 4, 2]))
    column = VoltColumn(Straight(), 0, rows, 0.25, ((2, 5),))  # type: ignore[arg-type]
    whole = np.empty(10)
    column.fill(0, 4, whole)
    pieces = [np.empty(n) for n in rows.sizes]
    for i, piece in enumerate(pieces):
        column.fill(i, i + 1, piece)
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    n = np.arange(10.0)
    true = n**2 - 0.25 * (n**2 - (n - 1) ** 2)
    true[0], true[2:5] = 0.0, np.nan
    np.testing.assert_allclose(whole, true, rtol=1e-6)


def test_skew_refused() -> None:
    board = known_board(2, simultaneous=False, largest_rate=250e3)
    with SimulatedDaq(board, InstantClock()) as daq:
        config = config_for(daq, 2, skew="refuse")
        with pytest.raises(nrm.InvalidInput, match="one after the other"):
            record(config, Path("never.h5"), 1.0)
    assert not Path("never.h5.part").exists()


# What cannot be trusted, and what else is known


def test_input_at_the_end_of_its_range(tmp_path: Path) -> None:
    with SimulatedDaq(known_board(), InstantClock()) as daq:
        channels = {
            "deflection": {"terminal": "Sim1/ai0", "range": 5.0},
            "lateral": {"terminal": "Sim1/ai1"},
        }
        report = record(config_for(daq, channels=channels), tmp_path / "out.h5", 1.0)
    said = [w for w in report["warnings"] if "range" in w]
    assert said == ["deflection reaches the end of the board's range in 5 blocks"]


@pytest.fixture
def lock_in(tmp_path: Path) -> tuple[str, str, Callable[[str, str], None]]:
    """An SR830 behind VISA: library, address, and a hand on its knobs."""
    pytest.importorskip("pyvisa_sim")
    from test_daq_sr830 import GPIB, simulated, turn

    from nrm_daq.sr830 import SR830

    library = simulated(tmp_path)
    hand = SR830(GPIB, library=library)
    return library, GPIB, lambda question, answer: turn(hand, question, answer)


def with_lock_in(
    tmp_path: Path, lock_in: Any, then: Callable[[], None] | None = None, seconds: float = 3.0
) -> nrm.CurveSet:
    library, address, _ = lock_in
    timer = threading.Timer(1.2, then or (lambda: None))
    timer.start()
    electrode = RampingElectrode(period=0.6, length=100e-9, speed=1e-6, trigger=20e-9)
    settings = {"lock_in": {"address": address, "library": library}}
    channels = electrode.settings()["channels"]
    del channels["marker"]
    with SimulatedDaq(electrode.board()) as daq:
        values = electrode.settings() | {"backend": f"remote {daq.address}", "rate": RATE}
        values |= {"channels": channels, **settings}
        record(DaqConfig.from_values(values), tmp_path / "out.h5", seconds)
    timer.join()
    return nrm.open(tmp_path / "out.h5")


def test_lock_in_is_asked(tmp_path: Path, lock_in: Any) -> None:
    curves = with_lock_in(tmp_path, lock_in, seconds=1.5)
    assert curves.metadata["lockin_sensitivity"] == 1e-3  # SENS? 17
    assert curves.metadata["lockin_offset_x"] == pytest.approx(0.4)
    assert curves.metadata["lockin_expand_x"] == 10.0
    assert "SR830" in curves.metadata_source["lockin_sensitivity"]
    assert not any("NaN" in warning for warning in curves.warnings)


def test_overload_spoils_its_stretch(tmp_path: Path, lock_in: Any) -> None:
    """X and Y are NaN around the overload and nowhere else; other channels stay."""
    turn = lock_in[2]

    def overload() -> None:
        turn("LIAS?", "4")
        time.sleep(0.6)
        turn("LIAS?", "0")

    curves = with_lock_in(tmp_path, lock_in, overload)
    lost = np.isnan(curves.read("lockin_output_x"))
    np.testing.assert_array_equal(lost, np.isnan(curves.read("lockin_output_y")))
    assert 0.5 * RATE < lost.sum() < 2.4 * RATE
    assert np.count_nonzero(np.diff(lost.astype(int))) <= 2
    assert not lost[: int(0.3 * RATE)].any()
    assert np.isfinite(curves.read("deflection")).all()
    (said,) = [w for w in curves.warnings if "NaN" in w]
    assert "output overload" in said
    assert "curves" in said


def test_setting_that_changed(tmp_path: Path, lock_in: Any) -> None:
    """What is not the same before and after is not known, and the stretch is spoilt."""
    turn = lock_in[2]
    curves = with_lock_in(tmp_path, lock_in, lambda: turn("SENS?", "18"))
    assert "lockin_sensitivity" not in curves.metadata
    assert curves.metadata["lockin_expand_x"] == 10.0
    assert any("sensitivity changed from 0.001 to 0.002" in w for w in curves.warnings)
    assert np.isnan(curves.read("lockin_output_x"))[-1]


def test_lock_in_that_contradicts_the_configuration(tmp_path: Path, lock_in: Any) -> None:
    library, address, _ = lock_in
    with SimulatedDaq(known_board(), InstantClock()) as daq:
        settings = {"address": address, "library": library, "sensitivity": "5 mV"}
        with pytest.raises(nrm.InvalidInput, match="lockin_sensitivity"):
            record(config_for(daq, lock_in=settings), tmp_path / "out.h5", 1.0)
    assert not list(tmp_path.glob("out*"))


def test_experiment_file(tmp_path: Path) -> None:
    """It goes with the recording, and outranks the configuration, with a word about it."""
    (tmp_path / "e.toml").write_text(
        '[cantilever]\nspring_constant = "0.25 N/m"\n[electrolyte]\ncomposition = "LP30"\n'
    )
    text = """
rate = "5 kHz"
experiment = "e.toml"
[channels]
deflection.terminal = "Sim1/ai0"
[metadata]
spring_constant = "0.3 N/m"
electrode = "HOPG"
"""
    (tmp_path / "daq.toml").write_text(text)
    config = DaqConfig.from_toml(tmp_path / "daq.toml")
    with SimulatedDaq(known_board(), InstantClock()) as daq:
        config = config.model_copy(update={"backend": f"remote {daq.address}"})
        record(config, tmp_path / "out.h5", 1.0)
    curves = nrm.open(tmp_path / "out.h5")
    assert curves.metadata["spring_constant"] == 0.25
    assert curves.metadata["electrode"] == "HOPG"
    assert any("spring_constant = 0.25 of e.toml replaces 0.3" in w for w in curves.warnings)


def test_triggered(tmp_path: Path) -> None:
    """The first sample is that of the edge, 0.25 s late, and its time is told from the blocks."""
    electrode = RampingElectrode()
    before = time.time()
    curves = acquired(
        tmp_path,
        electrode.board(),
        1.0,
        clock=WallClock(),
        trigger={"terminal": "/Sim1/PFI0"},
    )
    assert curves.n_samples == round(RATE)
    header = json.loads(curves.header)
    armed = 1e-9 * header["notes"][0]["began"][0]
    began = datetime.fromisoformat(curves.metadata["start_time"]).timestamp()
    assert before < armed
    assert began - armed == pytest.approx(0.25, abs=0.15)


def test_descriptions_that_are_damaged(tmp_path: Path) -> None:
    """A recording whose description lacks something is a named error."""
    with recording.Recording(tmp_path / "a.part", {"channels": [{}]}) as made:
        made.append(recording.SampleBlock(0, converted(0, np.arange(10))[None].astype("f4"), 0, 0))
    with pytest.raises(nrm.CorruptFile, match="describes the recording"):
        recover(tmp_path / "a.part", tmp_path / "a.h5")
