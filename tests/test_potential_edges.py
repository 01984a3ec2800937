"""Potentials at their edges: what logs tell, clocks without dates, and too little to go by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_potential import DAY, NAN, curves_at, seconds, sweep_log
from test_potential_by_shape import both
from test_potential_by_steps import BEGAN, experiment, log_of

import nrm_plugin as nrm
from nrm_plugin.columns import RepeatedColumn
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import Channel
from nrm_plugin.potential import Log, with_potential
from nrm_plugin.potential.blur import blur_warnings
from nrm_plugin.potential.by_shape import clock_by_shape, moved
from nrm_plugin.potential.by_steps import clock_by_steps
from nrm_plugin.potential.curve_levels import CurveLevels, curve_levels
from nrm_plugin.potential.recorded_potential import recorded_potential

# ------------------------------------------------------------------ what a log tells


def test_what_a_log_tells_of_itself() -> None:
    log = Log(
        [0.0, 1.0, 2.0],
        [0.1, 0.2, 0.3],
        current=[1e-3, NAN, -2e-3],
        cycle=[1, 1, 2],
        reference="Ag/AgCl",
        sweep_rate=0.01,
        ohmic_resistance=12.5,
        ohmic_compensation=0.85,
    )
    assert log.told() == [
        ("current", "-0.002 to 0.001 A"),
        ("reference", "Ag/AgCl"),
        ("sweep rate", "10 mV/s"),
        ("resistance", "12.5 Ohm"),
        ("compensated", "85 % of the ohmic drop"),
    ]
    assert "1 to 2" in log._repr_html_()
    assert replace(log, ohmic_compensation=0.0).told()[-1] == ("compensated", "nothing")


def test_dates_that_are_none() -> None:
    with pytest.raises(InvalidInput) as caught:
        Log(np.array(["NaT", "NaT"], "M8[s]"), [0.0, 1.0])
    assert str(caught.value) == "a log has at least two points with time and potential"


def test_a_current_that_is_known_once_has_no_mean() -> None:
    current = np.full(400, NAN)
    current[7] = 1e-3
    found = with_potential(curves_at(5, 30), sweep_log(current=current), clock_offset=0)
    assert np.isnan(found.curve_table["current"]).all()
    assert np.isfinite(found.curve_table["potential"]).all()


def test_one_clock_for_all_curves_is_as_good_as_many() -> None:
    """Curves of 20 s: the mean over them, whether times are stored once or for every curve."""
    many = curves_at(10, 100, duration=20.0)
    clock = RepeatedColumn(np.array([0.0, 10.0, 20.0]), many.rows)
    once = many.with_channel(Channel("time", "s", clock))
    for curves in (many, once):
        found = with_potential(curves, sweep_log(), clock_offset=0).curve_table["potential"]
        np.testing.assert_allclose(found, 2.0 - 0.01 * np.array([20, 110]))


def test_nothing_known_is_not_blurred() -> None:
    assert blur_warnings({"potential": np.full(5, NAN)}) == []


# ------------------------------------------------------------------ by its shape


def test_a_clock_that_runs_fast_is_told() -> None:
    log, recorded = both(71, 5.0, cycles=6, skew=400e-6)
    found = clock_by_shape(log, recorded)
    (said,) = [text for text in found.sentences() if "ppm" in text]
    rate = float(said.split()[4])
    assert said.startswith("the recorder's clock runs +")
    assert rate == pytest.approx(1e6 * found.skew, abs=0.5)


def test_a_recording_without_a_date_has_no_place_for_a_log() -> None:
    log, recorded = both(60, 0.0)
    clock = clock_by_shape(log, replace(recorded, first=None))
    with pytest.raises(InvalidInput) as caught:
        moved(log, clock, replace(recorded, first=None))
    sentence = "the recording tells no date, so the log has no place by its clock"
    assert str(caught.value) == sentence


POTENTIALS = {
    "no times": (
        nrm.CurveSet.from_arrays({"deflection": (np.zeros((4, 3)), "V")}).curve_table,
        "the recording holds no potential that the log could be laid on",
    ),
    "two curves": (
        {"start_time": seconds(0, 1, 2), "potential": np.array([0.1, NAN, 0.3])},
        "fewer than three curves have a potential and a start time",
    ),
}


@pytest.mark.parametrize("case", POTENTIALS)
def test_too_little_to_lay_a_log_on(case: str) -> None:
    table, sentence = POTENTIALS[case]
    made = nrm.CurveSet.from_arrays(
        {"deflection": (np.zeros((len(table["start_time"]), 3)), "V")},
        curve_table={name: table[name] for name in ("start_time", "potential") if name in table},
    )
    with pytest.raises(InvalidInput) as caught:
        recorded_potential(made)
    assert str(caught.value) == sentence


def test_curves_of_one_sample_tell_no_potential_over_time() -> None:
    def recorded(*sizes: int) -> nrm.CurveSet:
        n = sum(sizes)
        channels = {"potential": (np.arange(n) * 0.1, "V"), "time": (np.arange(n) * 1.0, "s")}
        return nrm.CurveSet.from_arrays(channels, row_size=list(sizes))

    with pytest.raises(InvalidInput, match=r"^the recording holds no samples of the potential$"):
        recorded_potential(recorded(1, 1))
    found = recorded_potential(recorded(1, 3))
    np.testing.assert_allclose(found.potential, [0.1, 0.2, 0.3])


def test_potentials_of_curves_in_the_order_of_time() -> None:
    table = {"start_time": seconds(20, 0, 10, 30), "potential": [0.3, 0.1, 0.2, NAN]}
    made = nrm.CurveSet.from_arrays({"deflection": (np.zeros((4, 3)), "V")}, curve_table=table)
    found = recorded_potential(made)
    np.testing.assert_array_equal(found.potential, [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(found.time, [0, 10, 20])
    assert found.first == DAY


# ------------------------------------------------------------------ by its steps


def test_a_log_without_a_date_is_laid_by_its_steps() -> None:
    """It has no offset, but a begin; and there is no other place."""
    levels = curve_levels(experiment(12.3, 25.0))
    found = clock_by_steps(log_of(start=None), levels)
    assert np.isnan(found.offset)
    assert found.as_json()["offset"] is None
    said = list(found.sentences())
    assert f"the log's time 0 was at {found.start} (--log-start), within" in said[1]
    began = (found.start - levels.first) / np.timedelta64(1, "s")
    assert abs(began - 25.0) <= found.within
    assert ("of the next place" in said[-1]) == bool(np.isfinite(found.next_place))


def test_signals_that_never_vary_tell_nothing() -> None:
    levels = CurveLevels(first=BEGAN, time=np.arange(50) * 5.0, unsure=0.0, levels={})
    with pytest.raises(InvalidInput) as caught:
        clock_by_steps(log_of(), levels)
    assert "(looked at: there is no signal that varies)" in str(caught.value)


def test_a_signal_with_an_empty_curve_is_left_out_of_the_levels() -> None:
    """Without a clock in the curves their begins are the times of the levels."""
    number = np.arange(14.0)
    lost = np.tile(number[:, None], (1, 5))
    lost[3] = NAN
    whole = np.tile(number[:, None], (1, 5))
    curves = nrm.CurveSet.from_arrays(
        {"deflection": (lost, "V"), "lateral": (whole, "V")},
        curve_table={"start_time": BEGAN + (10 * np.arange(14)).astype("m8[s]")},
    )
    levels = curve_levels(curves)
    assert list(levels.levels) == ["the lateral offset"]
    np.testing.assert_array_equal(levels.levels["the lateral offset"], number)
    np.testing.assert_array_equal(levels.time, 10.0 * number)
