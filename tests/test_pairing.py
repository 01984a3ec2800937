"""Two recorders of one experiment: pairs, clocks and moduli against the truth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from double_recordings import DoubleRecording, double_recording

import nrm_plugin as nrm
from nrm_plugin import kernels
from nrm_plugin.cli import main
from nrm_plugin.errors import InvalidInput
from nrm_plugin.pairing import Pairing, merge, pair, paired
from nrm_plugin.pairing.pair_paths import Intervals, best_path

SMALL = {"n": 150, "samples": 256, "rate": 3e3}


def check_pairs(recorded: DoubleRecording, found: Pairing) -> None:
    """Nearly all curves that the board saw are paired, none with another, each to a sample."""
    off = np.abs(found.begin - recorded.begins[found.curve] / recorded.rate)
    assert off.max() < 0.25 * found.sample_interval
    assert recorded.seen[found.curve].all()
    assert len(found.curve) >= 0.985 * recorded.seen.sum()
    assert sorted([*found.curve, *found.unpaired]) == list(range(found.n_curves))
    assert all(found.unpaired.values())


@pytest.mark.parametrize(
    ("times", "paused", "seed"),
    [
        ("exact", "", 91),
        ("exact", "board", 92),
        ("second", "microscope", 93),
        ("none", "board", 94),
        ("none", "", 95),
    ],
)
def test_pairs_are_those_of_the_truth(times: str, paused: str, seed: int) -> None:
    recorded = double_recording(seed, times=times, paused=paused, **SMALL)
    found = pair(recorded.board, recorded.microscope)
    check_pairs(recorded, found)
    assert (found.stderr < 0.1 * found.sample_interval).all()
    if times == "exact":
        first = found.curve[0]
        assert found.skew == pytest.approx(recorded.skew, abs=3.0 * found.skew_stderr)
        assert found.skew_stderr < 5e-6
        assert found.clock_offset == pytest.approx(recorded.ahead[first], abs=1e-3)
    if times == "none":
        assert np.isnan(found.skew)
        assert np.isnan(found.clock_offset)
    stretches = 2 if (times, paused) == ("exact", "board") else 1
    assert len(set(found.stretch)) == stretches
    assert ("1 pause of one of the recorders" in found.sentences()) is (stretches == 2)


def test_margins_of_a_table_by_hand() -> None:
    """Two curves and two peaks: each pair against the others of its row and of its column."""
    times = np.array([0.0, 1.0])
    intervals = Intervals(first=times, second=times, same=1.0, other=1.0)  # tell nothing
    path = best_path(np.array([[5.0, 4.0], [-9.0, 5.0]], np.float32), intervals)
    assert (path.first.tolist(), path.second.tolist()) == ([0, 1], [0, 1])
    assert path.evidence == 10.0
    assert path.margin.tolist() == [6.0, 6.0]  # instead of both: the first curve, second peak
    assert path.stretch.tolist() == [0, 0]
    lonely = best_path(np.array([[5.0, 4.0], [4.0, -9.0]], np.float32), intervals)
    assert (lonely.first.tolist(), lonely.second.tolist()) == ([0], [0])
    assert lonely.margin.tolist() == [1.0]


def test_times_to_the_second_tell_the_offset_to_a_second() -> None:
    recorded = double_recording(106, times="second", **SMALL)
    found = pair(recorded.board, recorded.microscope)
    off = found.clock_offset - recorded.ahead[found.curve[0]]
    assert abs(off) <= found.clock_offset_stderr == 1.0
    assert any(text.endswith("to 1 s") for text in found.sentences())


def test_a_map_that_is_stored_from_the_other_end() -> None:
    """Curves in the file's order are not in the order of time; their start times tell."""
    recorded = double_recording(107, times="exact", **SMALL)
    found = pair(recorded.board, recorded.microscope)
    turned = pair(recorded.board, recorded.microscope[np.arange(149, -1, -1)])
    assert (149 - turned.curve[::-1]).tolist() == found.curve.tolist()
    np.testing.assert_array_equal(turned.begin[::-1], found.begin)
    assert turned.clock_offset == pytest.approx(found.clock_offset, abs=1e-6)
    assert {149 - n: why for n, why in turned.unpaired.items()} == found.unpaired


def test_samples_without_a_number_spoil_no_others() -> None:
    """Where a lock-in was overloaded its outputs are nan."""
    recorded = double_recording(108, times="exact", n=40, samples=256, rate=3e3)
    board = recorded.board
    found = pair(board, recorded.microscope)
    whole = paired(board, recorded.microscope, found)
    x = board.read("lockin_output_x")
    at = round(recorded.begins[found.curve[3]] + 0.5 * recorded.rate)
    x[at : at + 15] = np.nan
    channels = {n: (board.read(n), c.unit) for n, c in board.channels.items()}
    channels["lockin_output_x"] = x, "V"
    spoilt = nrm.CurveSet.from_arrays(
        channels, board.row_size, board.segments, {"start_time": board.curve_table["start_time"]}
    )
    both = paired(spoilt, recorded.microscope, pair(spoilt, recorded.microscope))
    number = int(found.curve[3])
    was, now = (one.read("lockin_output_x", [number]) for one in (whole, both))
    lost = np.isnan(now)
    assert 3 <= lost.sum() <= 5  # 15 samples of the board and a window of 6 on either side
    near = slice(np.flatnonzero(lost)[0], np.flatnonzero(lost)[-1] + 1)
    assert lost[near].all()
    np.testing.assert_allclose(now[~lost], was[~lost], rtol=0, atol=1e-9 * np.abs(was).max())


def test_rows_of_different_rates_are_no_stream() -> None:
    recorded = double_recording(109, times="none", n=20, samples=128, rate=2e3)
    board = recorded.board
    time = board.read("time")
    slow = np.repeat(np.arange(board.n_curves) >= 1, board.row_size)
    channels = {n: (board.read(n), c.unit) for n, c in board.channels.items()}
    channels["time"] = np.where(slow, 1.5 * time, time), "s"
    mixed = nrm.CurveSet.from_arrays(channels, board.row_size, board.segments)
    with pytest.raises(InvalidInput, match="different rates"):
        pair(mixed, recorded.microscope)


def test_a_file_of_another_day_is_refused() -> None:
    one, other = (double_recording(seed, times="none", **SMALL) for seed in (96, 97))
    with pytest.raises(InvalidInput, match="do not seem to be of one experiment"):
        pair(other.board, one.microscope)


def test_two_maps_that_look_alike_are_refused() -> None:
    recorded = double_recording(98, times="none", **SMALL)
    board = recorded.board
    rng = np.random.default_rng(98)
    twice = {
        name: (np.concatenate([board.read(name)] * 2), channel.unit)
        for name, channel in board.channels.items()
    }
    values, unit = twice["deflection"]
    twice["deflection"] = values + 1e-3 * np.ptp(values) * rng.standard_normal(len(values)), unit
    sizes = np.tile(board.row_size, 2)
    segments = np.concatenate([board.segments] * 2)
    segments["curve"][len(board.segments) :] += board.n_curves
    longer = nrm.CurveSet.from_arrays(twice, sizes, segments, metadata=dict(board.metadata))
    with pytest.raises(InvalidInput, match="more than one place"):
        pair(longer, recorded.microscope)


def test_moduli_are_those_of_one_recorder(tmp_path: Path) -> None:
    recorded = double_recording(99, times="second", **SMALL)
    for name, curves in (("board", recorded.board), ("afm", recorded.microscope)):
        curves.save(tmp_path / f"{name}.h5")
    both = merge(tmp_path / "board.h5", tmp_path / "afm.h5")
    both.save(tmp_path / "both.h5")
    found = pair(recorded.board, recorded.microscope)
    merged, whole = nrm.process(tmp_path / "both.h5"), nrm.process(recorded.whole)
    near = slice(8, 36)  # 4 to 18 nm
    for name in ("storage_modulus", "loss_modulus"):
        ratio = merged[name].values[found.curve][:, near] / whole[name].values[found.curve][:, near]
        assert np.nanmedian(ratio) == pytest.approx(1.0, abs=0.01)
    alone = sorted(found.unpaired)
    assert np.isnan(merged["storage_modulus"].values[alone]).all()
    again = nrm.open(tmp_path / "both.h5")
    assert [o.name for o in again.origins] == ["afm.h5", "board.h5"]
    assert len({o.sha256 for o in again.origins if len(o.sha256) == 64}) == 2
    assert again.channels["board_deflection"].unit == "V"
    assert "lockin_sensitivity" in again.metadata


def test_channels_at_the_moments_of_the_samples() -> None:
    """The board's deflection is the microscope's, times the gain that is found."""
    recorded = double_recording(100, times="none", **SMALL)
    found = pair(recorded.board, recorded.microscope)
    both = paired(recorded.board, recorded.microscope, found)
    for which in (0, len(found.curve) // 2):
        number = int(found.curve[which])
        theirs = both.read("board_deflection", [number])
        mine = both.read("deflection", [number])
        expected = found.gain[which] * mine + found.offset[which]
        noise = 0.25e-9 * abs(found.gain[which])  # of both recorders
        assert np.std(theirs - expected) < noise
    alone = next(iter(found.unpaired))
    assert np.isnan(both.read("lockin_output_x", [alone])).all()
    assert both.images == recorded.microscope.images


def test_two_microscopes() -> None:
    """A second microscope's controller recorded the same ramps as curves of its own."""
    recorded = double_recording(101, times="exact", aborted=0.0, late=0, early=0, **SMALL)
    whole = recorded.whole
    table = {"start_time": recorded.microscope.curve_table["start_time"] + np.timedelta64(9, "s")}
    channels = {
        name: (whole.read(name), channel.unit)
        for name, channel in whole.channels.items()
        if name != "height"
    }
    second = nrm.CurveSet.from_arrays(channels, whole.row_size, whole.segments, table)
    found = pair(second, recorded.microscope)
    assert found.curve.tolist() == list(range(150))
    assert found.clock_offset == pytest.approx(9.0, abs=1e-3)
    rows = np.searchsorted(found.clock.starts, found.begin + 0.1, side="right") - 1
    assert rows.tolist() == list(range(150))


def test_what_cannot_be_paired_is_said() -> None:
    recorded = double_recording(102, times="none", n=20, samples=128, rate=2e3)
    microscope, board = recorded.microscope, recorded.board

    def without(curves: nrm.CurveSet, name: str) -> nrm.CurveSet:
        return replace(curves, channels={k: v for k, v in curves.channels.items() if k != name})

    with pytest.raises(InvalidInput, match="recording has no deflection"):
        pair(without(board, "deflection"), microscope)
    with pytest.raises(InvalidInput, match="curves have no time channel"):
        pair(board, without(microscope, "time"))
    with pytest.raises(InvalidInput, match="recording has no time channel"):
        pair(without(board, "time"), microscope)
    flat = {
        name: (np.zeros_like(microscope.read(name)), channel.unit)
        for name, channel in microscope.channels.items()
    }
    flat["time"] = microscope.read("time"), "s"
    idle = nrm.CurveSet.from_arrays(flat, microscope.row_size, microscope.segments)
    with pytest.raises(InvalidInput, match="0 of 20 curves press"):
        pair(board, idle)
    with pytest.raises(InvalidInput, match="two recordings"):
        merge(board)


def test_the_command(tmp_path: Path) -> None:
    recorded = double_recording(103, times="exact", n=40, samples=256, rate=3e3, late=3, early=2)
    other = double_recording(104, times="exact", n=40, samples=256, rate=3e3)
    recorded.board.save(tmp_path / "daq.h5")
    recorded.microscope.save(tmp_path / "afm.h5")
    other.board.save(tmp_path / "other.h5")
    out = tmp_path / "both.h5"
    given = ["merge", str(tmp_path / "daq.h5"), str(tmp_path / "afm.h5"), "-o", str(out)]
    run = CliRunner().invoke(main, [*given, "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert told["n_paired"] == recorded.seen.sum()
    assert {one["curve"] for one in told["unpaired"]} == {0, 1, 2, 38, 39}
    assert told["polarity"] in (-1, 1)
    assert (tmp_path / "both.pairs.png").read_bytes().startswith(b"\x89PNG")
    assert nrm.open(out).n_curves == 40
    again = CliRunner().invoke(main, given)
    assert again.exit_code == 1
    assert "exists" in again.stderr
    wrong = tmp_path / "wrong.h5"
    refused = CliRunner().invoke(
        main, ["merge", str(tmp_path / "other.h5"), str(tmp_path / "afm.h5"), "-o", str(wrong)]
    )
    assert refused.exit_code == 1
    assert "do not seem to be of one experiment" in refused.stderr
    assert not wrong.exists()
    assert not wrong.with_suffix(".pairs.png").exists()


def test_a_table_as_the_recording(tmp_path: Path) -> None:
    """A board that wrote text: one row a sample."""
    recorded = double_recording(105, times="none", n=40, samples=256, rate=2e3, late=3, early=2)
    board = recorded.board
    stamps = board.curve_table["start_time"]
    since = np.repeat((stamps - stamps[0]) / np.timedelta64(1, "s"), board.row_size)
    table = np.stack(
        [since + board.read("time"), board.read("deflection"), board.read("lockin_output_x")]
    ).T
    np.savetxt(
        tmp_path / "daq.csv",
        table,
        "%.9g",
        delimiter=",",
        header="time (s),deflection (V),lockin_output_x (V)",
        comments="",
    )
    daq = nrm.open(tmp_path / "daq.csv")
    assert "nrm merge" in daq.warnings[0]
    found = pair(daq, recorded.microscope)
    check_pairs(recorded, found)


def test_means_over_windows_of_a_line_and_of_samples() -> None:
    """Of a line a window's mean is its middle; windows are cut where samples end."""
    line = np.arange(10.0)
    at = np.array([4.0, 4.3, 0.0, 9.0, -0.4, 9.4])
    for half in (0.0, 0.3, 2.25):
        inside = [(max(p - half, 0.0), min(p + half, 9.0)) for p in at]
        expected = [0.5 * (low + high) for low, high in inside]
        expected[4:] = expected[4:] if half > 0.4 else [0.0, 9.0]
        np.testing.assert_allclose(kernels.window_means(line, at, half), expected, rtol=1e-14)
    assert np.isnan(kernels.window_means(line, np.array([-0.6, 9.6]), 2.0)).all()
    step = np.array([0.0, 0.0, 6.0, 6.0])  # its line rises between samples 1 and 2
    assert kernels.window_means(step, np.array([1.5]), 1.0)[0] == 3.0
    assert kernels.window_means(step, np.array([1.0]), 1.0)[0] == 1.5


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_a_lost_sample_spoils_the_windows_that_hold_it(lost: float) -> None:
    values = np.ones(20)
    values[10] = lost
    means = kernels.window_means(values, np.arange(20.0), 2.0)
    assert np.flatnonzero(np.isnan(means)).tolist() == [8, 9, 10, 11, 12]
    assert (means[[*range(8), *range(13, 20)]] == 1.0).all()
    between = kernels.window_means(values, np.array([9.0, 9.5, 10.0, 10.5, 11.0]), 0.0)
    assert np.isnan(between).tolist() == [False, True, True, True, False]


def test_a_recording_that_is_read_by_rows_is_paired_the_same(tmp_path: Path) -> None:
    """From memory and from a file any sample is read; of a part of a set, whole rows."""
    recorded = double_recording(111, times="exact", n=40, samples=256, rate=3e3)
    board, microscope = recorded.board, recorded.microscope
    board.save(tmp_path / "board.h5")
    whole_rows = board[np.arange(board.n_curves)]
    found = pair(board, microscope)
    values = paired(board, microscope, found).read("lockin_output_x")
    for other in (whole_rows, nrm.open(tmp_path / "board.h5")):
        again = pair(other, microscope)
        np.testing.assert_array_equal(again.begin, found.begin)
        read = paired(other, microscope, again).read("lockin_output_x")
        np.testing.assert_array_equal(read, values)
