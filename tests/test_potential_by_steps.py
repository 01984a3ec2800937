"""A log's clock by steps that the curves show, against clocks that are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_plugin import simulate as sim
from nrm_plugin.cli import main
from nrm_plugin.errors import InvalidInput
from nrm_plugin.potential import Log, with_potential
from nrm_plugin.potential.by_steps import clock_by_steps, moved_by_steps, steps_of
from nrm_plugin.potential.curve_levels import CurveLevels, curve_levels
from nrm_plugin.potential.level_jumps import Jumps
from nrm_plugin.tables import SEGMENT

BEGAN = np.datetime64("2026-03-02T09:00:00", "us")
HOLDS = np.array([70.0, 130.0, 90.0, 160.0, 60.0, 110.0, 140.0])
VOLTS = np.array([2.0, 1.2, 0.7, 1.6, 0.4, 1.1, 0.1])


def held(time: np.ndarray, holds: np.ndarray = HOLDS, volts: np.ndarray = VOLTS) -> np.ndarray:
    """Potential that is held and stepped."""
    which = np.searchsorted(np.cumsum(holds), time, side="right")
    return volts[np.minimum(which, len(volts) - 1)]


def log_of(holds: np.ndarray = HOLDS, volts: np.ndarray = VOLTS, **more: Any) -> Log:
    time = np.arange(0.0, holds.sum(), 1.0)
    noise = 2e-4 * np.random.default_rng(1).standard_normal(len(time))
    return Log(time, held(time, holds, volts) + noise, **{"start": BEGAN, **more})


def experiment(offset: float, begin: float, nanometres: float = 4.0, n: int = 150) -> nrm.CurveSet:
    """Simulated curves every 5 s whose deflection has an offset by the potential.

    Their clock is `offset` s ahead of the log's, which began `begin` s after the first curve.
    """
    made, _ = sim.simulate(
        sim.Sample(),
        sim.Instrument(),
        sim.Ramp(samples=48, length=200e-9, trigger=20e-9, speed=200e-9),
        n_curves=n,
        seed=5,
    )
    rng = np.random.default_rng(6)
    since = 5.0 * np.arange(n) + rng.uniform(0.0, 0.5, n)
    moved = nanometres * 1e-9 * held(since - begin) + np.cumsum(2e-11 * rng.standard_normal(n))
    drop = ("potential", "current")
    channels = {k: (made.read(k), c.unit) for k, c in made.channels.items() if k not in drop}
    values, unit = channels["deflection"]
    sensitivity = 1.0 if unit == "m" else float(made.metadata["deflection_sensitivity"])
    channels["deflection"] = values + np.repeat(moved / sensitivity, made.row_size), unit
    first = BEGAN + np.timedelta64(round(1e6 * (offset - begin)), "us")
    table = {
        "start_time": first + np.round(1e6 * since).astype("m8[us]"),
        "start_time_uncertainty": np.full(n, 0.01),
    }
    return nrm.CurveSet.from_arrays(
        channels, made.row_size, made.segments, table, dict(made.metadata)
    )


def test_steps_of_a_log() -> None:
    found = steps_of(log_of())
    np.testing.assert_allclose([s.time for s in found], np.cumsum(HOLDS)[:-1] - 0.5)
    np.testing.assert_allclose([s.size for s in found], np.diff(VOLTS), atol=2e-3)
    time = np.arange(0.0, 400.0)
    assert not steps_of(Log(time, 2.0 - 0.005 * time))
    near = np.searchsorted([100.0, 110.0], time, side="right") + 0.5 * (time == 300.0)
    found = steps_of(Log(time, near))  # two steps 10 s apart, and a peak of one point
    np.testing.assert_allclose([s.time for s in found], [99.5, 109.5, 300.0])
    np.testing.assert_allclose([s.size for s in found], [1.0, 1.0, 0.0])


@pytest.mark.parametrize(("offset", "begin"), [(12.3, -40.0), (3605.0, 25.0), (-7.0, 60.0)])
def test_the_offset_is_found_to_a_curve(offset: float, begin: float) -> None:
    found = clock_by_steps(log_of(), curve_levels(experiment(offset, begin)))
    assert abs(found.offset - offset) <= found.within
    assert found.within < 5.0  # the time from curve to curve
    assert found.zone == 3600.0 * round(offset / 3600.0)
    assert found.signal == "the deflection's offset"
    assert found.seen >= 4
    assert not found.by_clocks


def test_the_moved_log_gives_the_curves_their_potentials() -> None:
    curves, log = experiment(3605.0, 25.0), log_of()
    found = clock_by_steps(log, curve_levels(curves))
    given = with_potential(curves, moved_by_steps(log, found))
    began = curves.curve_table["start_time"]
    since = (began - began[0]) / np.timedelta64(1, "s") - 25.0
    steps = np.cumsum(HOLDS)[:-1]
    far = np.abs(since[:, None] - steps).min(axis=1) > 2.0 * found.within + 3.0
    inside = (since > 1.0) & (since < HOLDS.sum() - 10.0)
    kept = far & inside
    assert kept.sum() > 80
    np.testing.assert_allclose(given.curve_table["potential"][kept], held(since[kept]), atol=1e-3)
    assert any("steps are seen" in text for text in given.warnings)


def test_curves_that_show_nothing_are_refused() -> None:
    with pytest.raises(InvalidInput, match="nothing in the curves steps as the log's potential"):
        clock_by_steps(log_of(), curve_levels(experiment(12.3, 25.0, nanometres=0.0)))


def test_jolts_are_no_steps() -> None:
    """Jumps at other moments than the log's: 40 experiments without an answer."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        time = np.arange(150) * 5.0
        at = rng.integers(5, 145, 6)
        level = rng.standard_normal(150) + sum(
            rng.uniform(-30.0, 30.0) * (np.arange(150) >= i) for i in at
        )
        levels = CurveLevels(first=BEGAN, time=time, unsure=0.0, levels={"level": level})
        with pytest.raises(InvalidInput):
            clock_by_steps(log_of(), levels)


def test_levels_are_those_of_the_begin_of_the_first_approach() -> None:
    number = np.arange(12.0)
    bent = np.full((12, 100), 99.0)
    bent[:, 10:15] = number[:, None]
    parts = [("approach", 10, 60), ("retract", 60, 80), ("approach", 80, 100)]
    segments = np.zeros(36, SEGMENT)
    segments["curve"] = np.repeat(np.arange(12), 3)
    for name, values in zip(("kind", "start", "stop"), zip(*parts, strict=True), strict=True):
        segments[name] = np.tile(values, 12)
    began = BEGAN + (10 * np.arange(12)).astype("m8[s]")
    curves = nrm.CurveSet.from_arrays(
        {"deflection": (bent, "V"), "time": (np.tile(0.1 * np.arange(100), (12, 1)), "s")},
        segments=segments,
        curve_table={"start_time": began},
    )
    levels = curve_levels(curves)
    np.testing.assert_array_equal(levels.levels["the deflection's offset"], number)
    np.testing.assert_allclose(levels.time, 10.0 * number + 1.2)


def test_times_that_are_known_less_well_leave_more_open() -> None:
    levels = curve_levels(experiment(12.3, 25.0))
    sure = clock_by_steps(log_of(), replace(levels, unsure=0.0))
    unsure = clock_by_steps(log_of(), replace(levels, unsure=3.0))
    assert unsure.within == pytest.approx(sure.within + 3.0)


def test_a_pause_tells_of_no_step() -> None:
    """Levels drift while no curves are taken: that is no step at a moment."""
    time = np.arange(120) * 5.0 + 120.0 * (np.arange(120) >= 60)
    noise = np.random.default_rng(4).standard_normal(120)
    levels = {"level": noise + 50.0 * (np.arange(120) >= 60)}
    jumps = Jumps.of(CurveLevels(first=BEGAN, time=time, unsure=0.0, levels=levels))
    assert jumps.told[59] == 0.0
    assert jumps.seen(np.array([350.0]))[0].size == 0


def test_holds_that_are_alike_need_the_clocks() -> None:
    holds, volts = np.full(9, 80.0), np.linspace(2.0, 0.4, 9)
    time = np.arange(150) * 5.0
    rng = np.random.default_rng(3)
    level = 40.0 * held(time - 20.0, holds, volts) + 0.5 * rng.standard_normal(150)
    levels = CurveLevels(
        first=BEGAN - np.timedelta64(12, "s"), time=time, unsure=0.0, levels={"level": level}
    )
    found = clock_by_steps(log_of(holds, volts), levels)
    assert abs(found.begin - 20.0) <= found.within
    assert abs(found.next_place - 80.0) < 5.0
    assert found.by_clocks
    assert any("the clocks decided" in text for text in found.sentences())
    with pytest.raises(InvalidInput, match=r"fit the curves at \d+ places"):
        clock_by_steps(log_of(holds, volts, start=None), levels)


def test_sweeps_and_curves_without_times_are_refused() -> None:
    time = np.arange(0.0, 400.0)
    levels = curve_levels(experiment(0.0, 0.0))
    with pytest.raises(InvalidInput, match="has no steps, of which 3 are needed"):
        clock_by_steps(Log(time, 2.0 - 0.005 * time), levels)
    with pytest.raises(InvalidInput, match="have start times of their own"):
        curve_levels(nrm.CurveSet.from_arrays({"deflection": (np.ones((20, 4)), "V")}))
    with pytest.raises(InvalidInput, match="neither a potential nor a deflection"):
        curve_levels(nrm.CurveSet.from_arrays({"height": (np.ones((20, 4)), "m")}))


def test_the_command(tmp_path: Path) -> None:
    experiment(3605.0, 25.0).save(tmp_path / "curves.h5")
    experiment(3605.0, 25.0, nanometres=0.0).save(tmp_path / "still.h5")
    log = log_of()
    rows = "".join(f"{t:.1f};{e:.5f}\n" for t, e in zip(log.time, log.potential, strict=True))
    start = str(BEGAN).replace("T", " ")
    (tmp_path / "ca.csv").write_text(f"# start {start}\ntime (s);E (V)\n{rows}", "utf-8")
    words = ["potential", str(tmp_path / "ca.csv"), "--against", str(tmp_path / "curves.h5")]
    picture = tmp_path / "clocks.png"
    run = CliRunner().invoke(main, [*words, "--json", "--picture", str(picture)])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)["clock"]
    assert abs(told["offset"] - 3605.0) <= told["within"]
    assert told["zone"] == 3600.0
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = CliRunner().invoke(main, words).stdout
    assert "(--clock-offset)" in text
    assert "no potential is recorded with the curves" in text
    words[-1] = str(tmp_path / "still.h5")
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 1
    assert "nothing in the curves steps" in refused.stderr
    assert "still.h5" in refused.stderr
