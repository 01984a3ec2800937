"""The potential of every curve, against the simulator's truth and closed forms."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import trapezoid
from writers.potentiostat import write_csv

import nrm_plugin as nrm
from nrm_plugin import Log, with_potential
from nrm_plugin import simulate as sim
from nrm_plugin.errors import InvalidInput
from nrm_plugin.potential.piecewise import PiecewiseLinear, window_maximum
from nrm_plugin.potential.sweeps import find_sweeps
from nrm_plugin.tables import complete_table

NAN = np.nan
DAY = np.datetime64("2025-03-04T09:00:00", "us")
RATE = 0.01
CV = sim.Voltammogram(start=2.0, turn=0.005, rate=RATE)
HALF = (2.0 - 0.005) / RATE
RAMP = sim.Ramp(samples=48, length=200e-9, trigger=20e-9, speed=200e-9)
DURATION = (2 * RAMP.samples - 1) * RAMP.interval


def seconds(*values: float) -> np.ndarray:
    """Moments so many seconds after `DAY`."""
    return DAY + (np.array(values) * 1e6).round().astype("m8[us]")


def curves_at(
    *began: float, uncertainty: float = 0.0, duration: float = 0.0, **columns: Any
) -> nrm.CurveSet:
    """Curves of three samples that begin at these seconds."""
    n = len(began)
    time = np.broadcast_to(np.array([0.0, 0.5, 1.0]) * duration, (n, 3))
    channels = {"deflection": (np.zeros((n, 3)), "V"), "time": (time, "s")}
    table = {"start_time": seconds(*began), "start_time_uncertainty": np.full(n, uncertainty)}
    return nrm.CurveSet.from_arrays(channels, curve_table=table | columns)


def sweep_log(until: float = 2 * HALF, step: float = 1.0, start: Any = DAY, **more: Any) -> Log:
    time = np.arange(0.0, until + step / 2, step)
    return Log(time, CV.potential(time), start=start, **more)


def column(data: Any, name: str) -> np.ndarray:
    return np.asarray(data.curve_table[name] if isinstance(data, nrm.CurveSet) else data[name])


# The simulator's truth


@pytest.mark.parametrize("unsure", [0.0, 3.0, 20.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_truth_within_scan_rate_times_uncertainty(unsure: float, seed: int) -> None:
    """Curves whose start times are wrong by up to their uncertainty."""
    made, truth = sim.simulate(
        sim.Sample(), sim.Instrument(), RAMP, n_curves=190, voltammogram=CV, seed=seed
    )
    wrong = np.random.default_rng(seed).uniform(-unsure, unsure, made.n_curves)
    began = made.curve_table["start_time"] + (wrong * 1e6).round().astype("m8[us]")
    table = {k: v for k, v in made.curve_table.items() if k != "potential"}
    table |= {"start_time": began, "start_time_uncertainty": np.full(made.n_curves, unsure)}
    curves = replace(made, table_from=lambda: complete_table(table, made.n_curves))
    log = Log(
        np.arange(-100.0, 600.0),
        CV.potential(np.maximum(np.arange(-100.0, 600.0), 0.0)),
        start=np.datetime64("1970-01-01"),
    )
    found = with_potential(curves, log, clock_offset=0)
    error = np.abs(column(found, "potential") - truth.potential)
    bound = column(found, "potential_uncertainty")
    assert (error <= bound).all()
    assert error.max() <= RATE * (unsure + DURATION / 2) + 1e-9
    # Away from vertices the uncertainty is a closed form; near them it may only be smaller.
    expected = RATE * (unsure + DURATION / 2 + 0.5)
    assert bound.max() <= expected + 1e-6
    at = np.arange(made.n_curves) * 2 * RAMP.samples * RAMP.interval
    far = (np.abs(np.mod(at + HALF / 2, HALF) - HALF / 2) > 2 * unsure + 5) & (at < 2 * HALF)
    np.testing.assert_allclose(bound[far], expected, rtol=1e-3)
    sweep = column(found, "sweep")
    assert (sweep[far] == np.where(at[far] < HALF, -1, 1)).all()
    wrong_way = (sweep != 0) & (sweep != np.where(np.mod(at, 2 * HALF) < HALF, -1, 1))
    assert not wrong_way.any()
    assert set(column(found, "cycle")[far]) == {1}


def test_the_mean_over_the_curve_is_taken() -> None:
    found = with_potential(curves_at(10, 100, duration=20.0), sweep_log(), clock_offset=0)
    np.testing.assert_allclose(column(found, "potential"), 2.0 - RATE * np.array([20, 110]))
    np.testing.assert_allclose(column(found, "potential_uncertainty"), RATE * (10 + 0.5))


def test_a_vertex_inside_the_curve() -> None:
    """Mean of a triangle: a quarter of the change below the middle of its ends."""
    log = Log([0.0, 50.0, 100.0], [1.0, 0.5, 1.0], start=DAY)
    found = with_potential(curves_at(40, duration=20.0), log, clock_offset=0)
    assert column(found, "potential")[0] == pytest.approx(0.5 + 0.05)
    assert column(found, "sweep")[0] == 0


def test_results_take_the_value_at_the_start(tmp_path: Path) -> None:
    made, truth = sim.simulate(
        sim.Sample(), sim.Instrument(), RAMP, n_curves=8, voltammogram=CV, seed=3
    )
    nrm.process(made, out=tmp_path / "results.h5")
    results = nrm.open_results(tmp_path / "results.h5")
    log = sweep_log(start=np.datetime64("1970-01-01"))
    found = with_potential(results, log, reference=0.25, clock_offset=0)
    np.testing.assert_allclose(found["potential"], truth.potential + 0.25, atol=1e-9)
    assert found["potential"].attrs["units"] == "V"
    assert (found["sweep"] == -1).all()
    assert "clock offset 0 s; reference 0.25 V" in found.attrs["potential_source"]
    nrm.save(found, tmp_path / "again.h5")
    again = nrm.open_results(tmp_path / "again.h5")
    for name in ("potential", "potential_uncertainty", "sweep", "cycle"):
        np.testing.assert_array_equal(again[name], found[name])
    assert again.attrs["potential_source"] == found.attrs["potential_source"]
    np.testing.assert_array_equal(again["contact_height"], results["contact_height"])


# Outside the log


def test_curves_outside_are_counted() -> None:
    began = [-5.0, 0.0, 398.0, 395.0, NAN]
    curves = curves_at(*began[:4], 0, duration=2.0)
    table = {
        **curves.curve_table,
        "start_time": np.append(seconds(*began[:4]), np.datetime64("NaT")),
    }
    curves = replace(curves, table_from=lambda: complete_table(table, 5))
    found = with_potential(curves, sweep_log(399.0), clock_offset=0)
    np.testing.assert_array_equal(
        np.isnan(column(found, "potential")), [True, False, True, False, True]
    )
    assert found.warnings == (
        "2 of 5 curves were not taken while the potentiostat's log ran: they have no potential",
        "1 of 5 curves have no start time, and so no potential",
    )
    assert (column(found, "sweep")[[0, 2, 4]] == 0).all()
    assert (column(found, "cycle")[[0, 2, 4]] == -1).all()


@pytest.mark.parametrize(
    ("shift", "hint"),
    [
        (3600.0, "With a clock_offset of 3600 s (+1 h, as between time zones) they would meet"),
        (-19800.0, "With a clock_offset of -19800 s (-5.5 h, as between time zones)"),
        (90000.0 * 4, "With a clock_offset of 360010 s they would begin together"),
    ],
)
def test_no_overlap_says_which_offset_would_help(shift: float, hint: str) -> None:
    began = np.array([10.0, 300.0]) + shift
    with pytest.raises(InvalidInput) as caught:
        with_potential(curves_at(*began), sweep_log(), clock_offset=0)
    said = str(caught.value)
    first = str(seconds(began[0])[0].astype("M8[s]")).replace("T", " ")
    assert hint in said
    assert f"the curves began from {first}" in said
    assert "the log is from 2025-03-04 09:00:00 to 2025-03-04 09:06:39" in said
    offset = float(hint.split("clock_offset of ")[1].split(" s")[0])
    found = with_potential(curves_at(*began), sweep_log(), clock_offset=offset)
    assert np.isfinite(column(found, "potential")).any()


def test_curves_without_start_times() -> None:
    curves = nrm.CurveSet.from_arrays({"deflection": (np.zeros((2, 3)), "V")})
    with pytest.raises(InvalidInput, match="no start times"):
        with_potential(curves, sweep_log())


# Clocks


def test_two_clocks_without_a_zone_are_a_warning() -> None:
    found = with_potential(curves_at(10, 20), sweep_log())
    assert ["both clocks are taken to show the same time" in w for w in found.warnings] == [True]
    for said in ({"clock_offset": 0.0}, {"time_zone": "Europe/London"}):
        assert with_potential(curves_at(10, 20), sweep_log(), **said).warnings == ()
    known = curves_at(10, 20).with_metadata({"clock_offset": 5.0}, "experiment file")
    found = with_potential(known, sweep_log())
    assert found.warnings == ()
    np.testing.assert_allclose(column(found, "potential"), 2.0 - RATE * np.array([5, 15]))


def test_the_offset_is_added_to_the_log() -> None:
    """The log's clock is 30 s behind: at its 0 s the microscope shows 30 s."""
    found = with_potential(curves_at(40), sweep_log(), clock_offset=30)
    assert column(found, "potential")[0] == pytest.approx(2.0 - RATE * 10)
    assert found.metadata["clock_offset"] == 30.0
    assert "clock offset 30 s" in found.metadata["potential_source"]


@pytest.mark.parametrize(
    ("date", "zone", "ahead"),
    [
        ("2025-03-04T09:00", "Europe/London", 0),
        ("2025-07-04T09:00", "Europe/London", 1),
        ("2025-07-04T09:00", "America/New_York", -4),
        ("2025-07-04T09:00", "Asia/Kolkata", 5.5),
        ("2025-07-04T09:00", "UTC", 0),
    ],
)
def test_a_log_in_utc(date: str, zone: str, ahead: float) -> None:
    began = np.datetime64(date, "us") + np.timedelta64(round((ahead * 3600 + 10) * 1e6), "us")
    curves = curves_at(float((began - DAY) / np.timedelta64(1, "s")))
    log = sweep_log(start=np.datetime64(date, "us"), time_zone="UTC")
    found = with_potential(curves, log, time_zone=zone)
    assert column(found, "potential")[0] == pytest.approx(2.0 - RATE * 10)
    assert found.warnings == ()
    with pytest.raises(InvalidInput, match="--time-zone"):
        with_potential(curves, log)


BACK = np.datetime64("2026-10-25T01:00", "us")  # UTC: in Berlin 03:00 becomes 02:00
FORWARD = np.datetime64("2026-03-29T01:00", "us")  # 02:00 becomes 03:00


@pytest.mark.parametrize(("change", "before", "after"), [(BACK, 2, 1), (FORWARD, 1, 2)])
@pytest.mark.parametrize("utc", [True, False])
def test_clocks_are_put_back_while_a_log_runs(
    change: np.datetime64, before: int, after: int, utc: bool
) -> None:
    """Curves by a clock that follows the law; the potential falls by 0.1 V in an hour."""
    hour = np.timedelta64(1, "h")
    seconds = np.arange(-5400.0, 5401.0, 900.0)
    begin = change - 2 * hour
    time = np.arange(0.0, 4 * 3600.0 + 1)
    log = Log(
        time,
        2.0 - time / 36e3,
        start=begin if utc else begin + before * hour,
        time_zone="UTC" if utc else "",
    )
    moments = change + (seconds * 1e6).astype("m8[us]")
    shown = np.where(seconds < 0, moments + before * hour, moments + after * hour)
    curves = curves_at(*((shown - DAY) / np.timedelta64(1, "s")))
    found = with_potential(curves, log, time_zone="Europe/Berlin")
    np.testing.assert_allclose(column(found, "potential"), 1.8 - seconds / 36e3, atol=1e-5)
    word = "back" if before > after else "forward"
    assert next(w for w in found.warnings if "clocks were" in w).startswith(
        f"clocks were put {word} by 1 h in Europe/Berlin"
    )


def test_which_of_two_hours_it_was_cannot_always_be_told() -> None:
    hour = np.timedelta64(1, "h")
    log = sweep_log(until=4 * 3600.0, start=BACK - 2 * hour, time_zone="UTC")
    shown = BACK + np.timedelta64(90, "m") + np.arange(3) * np.timedelta64(60, "s")
    curves = curves_at(*((np.append(shown, BACK) - DAY) / np.timedelta64(1, "s")))
    found = with_potential(curves, log, time_zone="Europe/Berlin")
    assert np.isnan(column(found, "potential")[:3]).all()
    assert any("3 of 4 curves were taken in an hour" in w for w in found.warnings)


def test_a_log_with_an_offset_from_utc() -> None:
    log = sweep_log(start=DAY - np.timedelta64(2, "h"), time_zone="+02:00")
    found = with_potential(curves_at(10), log)
    assert column(found, "potential")[0] == pytest.approx(2.0 - RATE * 10)
    assert "+02:00 of UTC" in found.warnings[0]


def test_a_log_that_does_not_say_when_it_began() -> None:
    log = sweep_log(start=None, name="cv.csv")
    with pytest.raises(InvalidInput, match=r"cv\.csv does not say when it began.*--log-start"):
        with_potential(curves_at(10), log)
    found = with_potential(curves_at(10), log, start="2025-03-04T09:00:02")
    assert column(found, "potential")[0] == pytest.approx(2.0 - RATE * 8)
    assert found.warnings == ()


@pytest.mark.parametrize(
    "said",
    [
        {"time_zone": "Europe/Londn"},
        {"time_zone": "../etc/passwd"},
        {"start": "yesterday"},
        {"clock_offset": NAN},
        {"clock_offset": "soon"},
        {"gain": 0.0},
        {"reference": 1e9},
    ],
)
def test_settings_that_make_no_sense(said: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        with_potential(curves_at(10), sweep_log(), **said)


def test_unknown_uncertainty_of_the_start_stays_unknown() -> None:
    found = with_potential(curves_at(10, uncertainty=NAN), sweep_log(), clock_offset=0)
    assert column(found, "potential")[0] == pytest.approx(1.9)
    assert np.isnan(column(found, "potential_uncertainty")[0])
    assert column(found, "sweep")[0] == -1


def test_the_log_s_own_uncertainty_counts() -> None:
    log = sweep_log(start_uncertainty=4.0)
    found = with_potential(curves_at(100, uncertainty=3.0), log, clock_offset=0)
    assert column(found, "potential_uncertainty")[0] == pytest.approx(RATE * (7 + 0.5))


# Several logs


def test_logs_that_follow_each_other() -> None:
    rest = Log([0.0, 10.0, 20.0], [2.0, 2.0, 2.0], start=DAY, name="ocv")
    sweep = sweep_log(start=DAY + np.timedelta64(25, "s"), name="cv")
    late = Log([0, 1, 2], [1.5, 1.5, 1.5], start=DAY + np.timedelta64(1000, "s"), name="late")
    found = with_potential(curves_at(5, 22, 35, 700, 1001), [late, sweep, rest], clock_offset=0)
    np.testing.assert_allclose(column(found, "potential"), [2.0, 2.0, 1.9, NAN, 1.5])
    np.testing.assert_array_equal(column(found, "sweep"), [-1, -1, -1, 0, -1])
    for name in ("ocv", "cv", "late"):
        assert f"{name} (given" in found.metadata["potential_source"]
    with pytest.raises(InvalidInput, match="cover the same time"):
        with_potential(curves_at(5), [rest, rest], clock_offset=0)
    with pytest.raises(InvalidInput, match="one log"):
        with_potential(curves_at(5), [rest, late], start=DAY)


def test_the_log_s_own_cycles_are_believed() -> None:
    log = sweep_log(cycle=np.full(400, 7))
    assert column(with_potential(curves_at(10), log, clock_offset=0), "cycle")[0] == 7


@pytest.mark.parametrize("source", [[], 5, [5]])
def test_what_is_no_log(source: Any) -> None:
    with pytest.raises(InvalidInput, match="log is given"):
        with_potential(curves_at(10), source)


@pytest.mark.parametrize(
    ("time", "potential", "more", "said"),
    [
        ([0, 1], [1.0], {}, "as many times"),
        ([0], [1.0], {}, "two points"),
        ([0, NAN], [1.0, 1.0], {}, "two points"),
        ([0, 1, 0.5], [1.0, 1.0, 1.0], {}, "go back from 1 s to 0.5 s"),
        ([0, 1], [1.0, 2000.0], {}, "unit"),
        ([0, 1e12], [1.0, 1.0], {}, "1e\\+12 s long"),
        (["a", "b"], [1.0, 1.0], {}, "array of numbers"),
        ([0, 1], [1.0, 1.0], {"current": [1.0]}, "as many values of current"),
        ([0, 1], [1.0, 1.0], {"start": "tomorrow"}, "no date"),
        ([[0, 1]], [[1.0, 1.0]], {}, "as many times"),
    ],
)
def test_a_log_is_checked(time: Any, potential: Any, more: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Log(time, potential, **more)


def test_a_log_of_dates() -> None:
    log = Log(seconds(5, 6, 8), [1.0, 2.0, 3.0])
    assert (log.start, log.duration) == (seconds(5)[0], 3.0)
    np.testing.assert_array_equal(log.time, [0, 1, 3])


# Recorded with the curves


def recorded(values: Any, **more: Any) -> nrm.CurveSet:
    values = np.asarray(values, float)
    channels = {"deflection": (np.zeros(values.shape), "V"), "potential": (values, "V")}
    return nrm.CurveSet.from_arrays(channels, **more)


def test_gain_offset_polarity_and_reference_of_a_channel() -> None:
    """An inverting monitor of a tenth of the potential, with an offset, against silver."""
    true = np.linspace(0.4, 0.2, 8).reshape(2, 4)
    curves = recorded((true - 0.1 - 2.5) / -10.0)
    found = with_potential(curves, gain=-10.0, offset=0.1, reference=2.5)
    np.testing.assert_allclose(column(found, "potential"), true.mean(1), rtol=1e-12)
    keys = ("potential_gain", "potential_offset", "reference_potential")
    assert [found.metadata[k] for k in keys] == [-10.0, 0.1, 2.5]
    blur = column(found, "potential_blur")  # of the halves' means, as far as a steady change goes
    np.testing.assert_allclose(blur, 4.0 * 0.2 / 7.0, rtol=1e-9)
    assert len(found.warnings) == 1
    assert "potential changed by more than 50 mV, at most by 0.114 V" in found.warnings[0]
    again = with_potential(found)
    np.testing.assert_array_equal(column(again, "potential"), column(found, "potential"))


def test_a_channel_without_gain_is_taken_as_it_is() -> None:
    found = with_potential(recorded([[1.0, 1.2], [NAN, 0.8], [NAN, NAN]]))
    np.testing.assert_allclose(column(found, "potential"), [1.1, 0.8, NAN])
    assert any("potential_gain is not given" in w for w in found.warnings)
    assert any("1 of 3 curves have no number" in w for w in found.warnings)


def test_uncertainty_of_a_channel_is_half_of_its_change() -> None:
    """A line that falls by 0.2 V: halves 0.1 V apart, and nearly no error of the mean."""
    falling = np.linspace(1.0, 0.8, 10_000)
    found = with_potential(recorded([falling]), gain=2.0)
    expected = 2.0 * (0.1 + 0.2 / np.sqrt(12) / 100)
    assert column(found, "potential_uncertainty")[0] == pytest.approx(expected, rel=1e-3)


def test_sweep_and_cycle_by_the_order_of_the_curves() -> None:
    volts = np.r_[np.linspace(2, 0.1, 20), np.linspace(0.2, 2, 20), np.linspace(1.9, 0.1, 20)]
    shuffled = np.random.default_rng(4).permutation(60)
    table = {"start_time": seconds(*np.arange(60.0)[shuffled])}
    curves = recorded(np.repeat(volts[shuffled, None], 5, 1), curve_table=table)
    found = with_potential(curves, gain=1.0)
    expected = np.repeat([-1, 1, -1], 20)[shuffled]
    np.testing.assert_array_equal(column(found, "sweep"), expected)
    np.testing.assert_array_equal(column(found, "cycle"), np.repeat([1, 1, 2], 20)[shuffled])


def test_the_order_within_files_counts_without_dates() -> None:
    volts = np.linspace(2, 0, 6)
    table = {"acquisition_order": [2, 1, 0, 2, 1, 0], "source": [0, 0, 0, 1, 1, 1]}
    curves = recorded(volts[[2, 1, 0, 5, 4, 3]][:, None] * np.ones(4), curve_table=table)
    assert (column(with_potential(curves, gain=1.0), "sweep") == -1).all()


def test_a_known_column_gets_sweep_and_cycle() -> None:
    made, truth = sim.simulate(
        sim.Sample(), sim.Instrument(), RAMP, n_curves=190, voltammogram=CV, seed=5
    )
    found = with_potential(made)
    np.testing.assert_array_equal(column(found, "potential"), truth.potential)
    at = np.arange(190) * 2 * RAMP.samples * RAMP.interval
    clear = np.abs(at - HALF) > 5
    np.testing.assert_array_equal(column(found, "sweep")[clear], np.where(at < HALF, -1, 1)[clear])
    kept = with_potential(found)
    np.testing.assert_array_equal(column(kept, "sweep"), column(found, "sweep"))
    with pytest.raises(InvalidInput, match="final"):
        with_potential(made, gain=2.0)


def test_nothing_to_take_a_potential_from() -> None:
    with pytest.raises(InvalidInput, match="neither a channel nor a column potential"):
        with_potential(curves_at(1, 2))


def test_no_curves() -> None:
    with pytest.raises(InvalidInput):
        with_potential(nrm.CurveSet.from_arrays({}), sweep_log())


def test_columns_survive_the_common_file_and_merging(tmp_path: Path) -> None:
    found = with_potential(curves_at(10, 250), sweep_log(), clock_offset=0)
    found.save(tmp_path / "curves.h5")
    again = nrm.open(tmp_path / "curves.h5")
    for name in ("potential", "potential_uncertainty", "sweep", "cycle"):
        np.testing.assert_array_equal(column(again, name), column(found, name))
    assert again.metadata["potential_source"] == found.metadata["potential_source"]
    both = nrm.join([found, curves_at(10)])
    np.testing.assert_array_equal(column(both, "sweep"), [-1, 1, 0])
    np.testing.assert_array_equal(column(both, "cycle"), [1, 1, -1])


def test_a_path_is_read(tmp_path: Path) -> None:
    cv = write_csv(tmp_path / "cv.csv")
    began = np.datetime64("2025-03-04T09:41:17.25", "us")
    shift = (began - DAY) / np.timedelta64(1, "s")
    curves = curves_at(float(shift))
    found = with_potential(curves, tmp_path / "cv.csv", time_zone="UTC")
    assert column(found, "potential")[0] == pytest.approx(cv.at(np.array([10.0]))[0], abs=1e-6)
    assert "cv.csv (text, sha256 " in found.metadata["potential_source"]


# Passes


def triangle(n: int, *vertices: float) -> np.ndarray:
    """`n` points on each way from vertex to vertex."""
    ways = [np.linspace(a, b, n, endpoint=False) for a, b in pairwise(vertices)]
    return np.concatenate([*ways, [vertices[-1]]])


@pytest.mark.parametrize("seed", range(5))
def test_passes_in_noise_with_holds(seed: int) -> None:
    """Open circuit, two cycles with holds in the middle of a sweep and at the vertices."""
    down, up = np.linspace(2, 0.005, 400), np.linspace(0.005, 2, 400)
    parts = [
        (np.full(300, 2.0), -1, 0),
        (down[:200], -1, 0),
        (np.full(500, down[200]), -1, 0),
        (down[200:], -1, 0),
        (np.full(500, 0.005), -1, 0),
        (up, 1, 1),
        (np.full(50, 2.0), 1, 1),
        (down, -1, 2),
        (up, 1, 3),
    ]
    potential = np.concatenate([values for values, _, _ in parts])
    potential = potential + np.random.default_rng(seed).normal(0, 1e-3, len(potential))
    found = find_sweeps(potential)
    sweep = np.concatenate([np.full(len(v), s) for v, s, _ in parts])
    number = np.concatenate([np.full(len(v), k) for v, _, k in parts])
    edges = np.flatnonzero(np.diff(number))
    clear = np.abs(np.arange(len(potential))[:, None] - edges).min(1) > 12  # 6 sigma over the rate
    np.testing.assert_array_equal(found.number[clear], number[clear])
    np.testing.assert_array_equal(found.sweep[clear], sweep[clear])
    np.testing.assert_array_equal(found.cycle[clear], np.array([1, 1, 2, 2])[number[clear]])


@pytest.mark.parametrize("direction", [-1, 1])
def test_passes_without_noise_are_exact(direction: int) -> None:
    found = find_sweeps(direction * triangle(100, 2, 0, 2, 0))
    way = -direction
    np.testing.assert_array_equal(
        found.sweep, np.r_[np.full(101, way), np.full(100, -way), np.full(100, way)]
    )


@pytest.mark.parametrize(
    "potential",
    [np.full(100, 0.5), 0.5 + 0.005 * np.sin(np.arange(500)), np.array([1.0]), np.empty(0)],
)
def test_what_does_not_sweep_has_no_sweep(potential: np.ndarray) -> None:
    found = find_sweeps(potential)
    assert not found.sweep.any()
    assert (found.cycle == -1).all()


def test_a_staircase_and_two_points() -> None:
    np.testing.assert_array_equal(find_sweeps(np.repeat(np.linspace(1, 0, 11), 7)).sweep, -1)
    np.testing.assert_array_equal(find_sweeps(np.array([0.0, 1.0])).sweep, 1)


# Parts


@pytest.mark.parametrize("seed", range(3))
def test_window_maximum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=257)
    first = rng.integers(0, 257, 500)
    stop = first + 1 + rng.integers(0, 257 - first)
    expected = [values[a:b].max() for a, b in zip(first, stop, strict=True)]
    np.testing.assert_array_equal(window_maximum(values, first, stop), expected)
    assert window_maximum(values, first[:0], stop[:0]).shape == (0,)


def test_means_between_points_are_those_of_the_lines() -> None:
    rng = np.random.default_rng(1)
    time = np.sort(rng.uniform(0, 100, 40))
    trace = PiecewiseLinear(time, rng.normal(size=40))
    begin = rng.uniform(time[0], 50, 20)
    end = begin + rng.uniform(0, time[-1] - 50, 20)
    for a, b, mean in zip(begin, end, trace.mean(begin, end), strict=True):
        inner = time[(time > a) & (time < b)]
        x = np.r_[a, inner, b]
        assert mean == pytest.approx(trapezoid(trace.at(x), x) / (b - a))
