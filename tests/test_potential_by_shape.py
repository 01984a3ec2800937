"""A log's clock by the shape of the potential, against clocks that are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_plugin.cli import main
from nrm_plugin.errors import InvalidInput
from nrm_plugin.potential import Log
from nrm_plugin.potential.by_shape import clock_by_shape, moved
from nrm_plugin.potential.recorded_potential import RecordedPotential, recorded_potential

BEGAN = np.datetime64("2026-03-02T09:00:00", "us")
GAIN, SHIFT = -1.02, 0.013


def sweeps(time: np.ndarray, rate: float, rest: float = 600.0) -> np.ndarray:
    """2 V to 5 mV and back at `rate` V/s, after a rest."""
    half = 1.995 / rate
    phase = np.clip(time - rest, 0.0, None) % (2.0 * half)
    return np.where(phase < half, 2.0 - rate * phase, 0.005 + rate * (phase - half))


def both(
    seed: int,
    offset: float,
    cycles: int = 3,
    part: tuple[float, float] = (0.05, 0.9),
    interval: float = 1.0,
    skew: float = 40e-6,
) -> tuple[Log, RecordedPotential]:
    """A log, and the same potential recorded by a clock that is `offset` s ahead at its begin."""
    rng = np.random.default_rng(seed)
    rate = rng.uniform(0.003, 0.012)
    end = 600.0 + cycles * 2.0 * 1.995 / rate
    time = np.arange(0.0, end, interval)
    log = Log(time, sweeps(time, rate) + 2e-4 * rng.standard_normal(len(time)), start=BEGAN)
    seen = np.arange(part[0] * end, part[1] * end, 2.7)
    potential = GAIN * sweeps(seen, rate) + SHIFT + 3e-3 * rng.standard_normal(len(seen))
    theirs = seen * (1.0 + skew)
    first = BEGAN + np.timedelta64(round(1e6 * (offset + theirs[0])), "us")
    return log, RecordedPotential(first=first, time=theirs - theirs[0], potential=potential)


@pytest.mark.parametrize("seed", range(60, 66))
def test_offset_and_zone(seed: int) -> None:
    offset = 3600.0 * (seed % 3 - 1) + (7.3, -11.9)[seed % 2]
    log, recorded = both(seed, offset)
    found = clock_by_shape(log, recorded)
    assert found.offset == pytest.approx(offset, abs=0.2)  # of the log's interval of 1 s
    assert abs(found.offset - offset) < 4.0 * found.stderr + 0.1
    assert found.zone == 3600.0 * (seed % 3 - 1)
    assert found.gain == pytest.approx(GAIN, rel=2e-3)
    assert found.shift == pytest.approx(SHIFT, abs=2e-3)
    assert found.residual == pytest.approx(3e-3, rel=0.1)
    assert found.covered == 1.0


def test_a_coarse_log() -> None:
    log, recorded = both(70, 12.0, cycles=1, interval=10.0)
    found = clock_by_shape(log, recorded)
    assert found.offset == pytest.approx(12.0, abs=2.0)
    assert found.stderr >= 0.5


def test_the_skew_is_found_where_it_shows() -> None:
    log, recorded = both(71, 5.0, cycles=6, skew=400e-6)
    found = clock_by_shape(log, recorded)
    assert found.skew == pytest.approx(400e-6, abs=4.0 * found.skew_stderr)
    assert found.skew > 3.0 * found.skew_stderr


def test_a_log_of_another_experiment_is_refused() -> None:
    log, _ = both(72, 0.0)
    time = np.arange(0.0, 1500.0, 2.0)
    other = RecordedPotential(
        first=BEGAN, time=time, potential=0.4 + 0.3 * np.sin(time / 90.0) ** 5
    )
    with pytest.raises(InvalidInput, match="not of this recording"):
        clock_by_shape(log, other)


def test_a_log_that_is_only_like_it_is_refused() -> None:
    """The same sweeps, and a tenth of the variation from something else."""
    log, recorded = both(77, 0.0, skew=0.0)
    other = 0.35 * np.std(recorded.potential) * np.sign(np.sin(recorded.time / 70.0))
    changed = RecordedPotential(
        first=BEGAN, time=recorded.time, potential=recorded.potential + other
    )
    with pytest.raises(InvalidInput, match=r"leaves \d+ % of the potential's variation"):
        clock_by_shape(log, changed)


@pytest.mark.parametrize("offset", [9.0, 3609.0])
def test_cycles_that_are_alike_need_the_clocks(offset: float) -> None:
    log, recorded = both(73, offset, cycles=5, part=(0.45, 0.6))
    found = clock_by_shape(log, recorded)
    assert found.offset == pytest.approx(offset, abs=0.2)
    rate = np.random.default_rng(73).uniform(0.003, 0.012)
    # Half a cycle away the sweeps fit with the other polarity, which is not known either.
    assert found.next_place == pytest.approx(1.995 / rate, rel=1e-3)
    assert any("the clocks decided" in text for text in found.sentences())
    untold = RecordedPotential(first=None, time=recorded.time, potential=recorded.potential)
    with pytest.raises(InvalidInput, match=r"fits the recording at \d+ places"):
        clock_by_shape(log, untold)


def test_clocks_that_are_far_apart_decide_nothing() -> None:
    """A quarter of an hour is no difference of time zones."""
    log, recorded = both(73, 900.0, cycles=5, part=(0.45, 0.6))
    with pytest.raises(InvalidInput, match="the clocks do not tell which"):
        clock_by_shape(log, recorded)


def test_nothing_to_lay_a_log_on() -> None:
    log, recorded = both(74, 0.0)
    flat = RecordedPotential(first=BEGAN, time=recorded.time, potential=0.0 * recorded.potential)
    with pytest.raises(InvalidInput, match="does not vary"):
        clock_by_shape(log, flat)
    noise = 0.01 * np.random.default_rng(74).uniform(-1.0, 1.0, len(recorded.time))
    noisy = RecordedPotential(first=BEGAN, time=recorded.time, potential=noise)
    with pytest.raises(InvalidInput, match="does not vary"):
        clock_by_shape(log, noisy)
    with pytest.raises(InvalidInput, match="holds no potential"):
        recorded_potential(nrm.CurveSet.from_arrays({"height": (np.arange(9.0), "nm")}))


def test_rows_without_start_times_follow_each_other() -> None:
    time, potential = 0.1 * np.arange(400), np.sin(0.02 * np.arange(400))
    whole, rows = (
        recorded_potential(
            nrm.CurveSet.from_arrays(
                {"potential": (potential.reshape(n, -1), "V"), "time": (time.reshape(n, -1), "s")}
            )
        )
        for n in (1, 8)
    )
    assert rows.first is None
    np.testing.assert_allclose(rows.time, whole.time, atol=1e-9)
    np.testing.assert_array_equal(rows.potential, whole.potential)


def test_the_moved_log_gives_the_curves_their_potentials() -> None:
    """The whole way: a board's stream with the potential, and the log by its clock."""
    log, recorded = both(75, 3600.0, skew=0.0)
    n = len(recorded.time) // 100
    values = recorded.potential[: 100 * n]
    table = {
        "start_time": recorded.first
        + np.round(recorded.time[: 100 * n : 100] * 1e6).astype("m8[us]")
    }
    channels = {
        "time": (np.tile(np.arange(100) * 2.7, n), "s"),
        "height": (np.tile(np.abs(np.arange(100) - 50.0), n), "nm"),
        "potential": (values, "V"),
    }
    curves = nrm.CurveSet.from_arrays(channels, np.full(n, 100), curve_table=table)
    seen = recorded_potential(curves)
    assert seen.first == recorded.first
    by_curve = moved(log, clock_by_shape(log, seen), seen)
    given = nrm.with_potential(curves, by_curve)
    own = values.reshape(n, 100).mean(axis=1)
    assert np.abs(GAIN * given.curve_table["potential"] + SHIFT - own).max() < 5e-3


def test_the_command(tmp_path: Path) -> None:
    log, recorded = both(76, 3600.0 + 8.0)
    rows = "".join(f"{t:.3f},{e:.6f}\n" for t, e in zip(log.time, log.potential, strict=True))
    (tmp_path / "cv.csv").write_text("time (s),E (V)\n" + rows, encoding="utf-8")
    channels = {
        "time": (recorded.time, "s"),
        "height": (np.abs(recorded.time - 500.0), "nm"),
        "potential": (recorded.potential, "V"),
    }
    nrm.CurveSet.from_arrays(channels, curve_table={"start_time": np.array([recorded.first])}).save(
        tmp_path / "daq.h5"
    )
    words = ["potential", str(tmp_path / "cv.csv")]
    alone = CliRunner().invoke(main, words)
    assert alone.exit_code == 0, alone.output
    assert f"{len(log.time)} points" in alone.stdout
    picture = tmp_path / "clocks.png"
    words += ["--against", str(tmp_path / "daq.h5")]
    run = CliRunner().invoke(main, [*words, "--json", "--picture", str(picture)])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)["clock"]
    assert told["offset"] is None  # the text tells no date
    expected = float((BEGAN - recorded.first) / np.timedelta64(1, "s")) + 3608.0
    assert told["begin"] == pytest.approx(expected, abs=0.3)
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = CliRunner().invoke(main, words)
    assert "after the recording's first sample" in text.stdout
    assert "(--log-start)" in text.stdout
