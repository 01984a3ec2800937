"""Logs as measurements of the real ixdat, and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from writers import potentiostat as written
from writers.potentiostat import Voltammogram

import nrm_plugin as nrm
from nrm_plugin import Log
from nrm_plugin.errors import InvalidInput
from nrm_plugin.simulate.sodiation import sodiation, write_log
from nrm_plugin.store.kept_logs import read_logs

CV = Voltammogram(high=1.0, low=0.2, rate=1e-3, interval=40.0, cycles=2)
#: 2025-03-04T09:41:07.250 in UTC: `date -u -d 2025-03-04T09:41:07.25 +%s.%N`.
STAMP = 1741081267.25
START = np.datetime64("2025-03-04T09:41:07.250", "us")


def log(**more: Any) -> Log:
    n = len(CV.time)
    return Log(
        CV.time,
        CV.potential,
        CV.current,
        CV.cycle,
        START,
        charge=np.linspace(0.0, -2e-3, n),
        ohmic_drop=CV.current * 120.0,
        reference="Na/Na+",
        sweep_rate=1e-3,
        ohmic_resistance=120.0,
        name="cv",
        **more,
    )


def same(one: Log, other: Log) -> None:
    """All that a file says of it; the current goes through mA."""
    for name in ("time", "potential", "cycle", "charge", "ohmic_drop"):
        np.testing.assert_array_equal(getattr(other, name), getattr(one, name), err_msg=name)
    np.testing.assert_allclose(other.current, one.current, rtol=1e-15)
    for name in ("start", "reference", "sweep_rate", "ohmic_resistance", "ohmic_compensation"):
        assert getattr(other, name) == getattr(one, name), name


def test_ixdat_has_what_the_log_has(ixdat: Any) -> None:
    measurement = log(time_zone="UTC").to_ixdat()
    assert isinstance(measurement, ixdat.techniques.ECMeasurement)
    assert (measurement.name, measurement.tstamp) == ("cv", STAMP)
    for name, wanted in (("raw_potential", CV.potential), ("raw_current", CV.current * 1e3)):
        time, values = measurement.grab(name)
        np.testing.assert_array_equal(time, CV.time)
        np.testing.assert_allclose(values, wanted, rtol=1e-15)
    np.testing.assert_array_equal(measurement.U, CV.potential)  # nothing is corrected by itself
    assert measurement["raw_current"].unit.name == "mA"
    one = measurement.as_cv()[1]
    np.testing.assert_array_equal(one.U, CV.potential[CV.cycle == 1])


def test_there_and_back(ixdat: Any) -> None:
    back = Log.from_ixdat(log(time_zone="UTC").to_ixdat())
    same(log(), back)
    assert (back.time_zone, back.name, back.reader) == ("UTC", "cv", "ixdat")
    bare = Log([0.0, 1.0], [0.5, 0.4], start="2025-03-04", time_zone="UTC")
    back = Log.from_ixdat(bare.to_ixdat())
    assert (back.current, back.cycle, back.reference, back.sweep_rate) == (None, None, "", None)


def test_through_a_file_of_ixdat(ixdat: Any, tmp_path: Path) -> None:
    """Its own reader and ours read what it exports of a log."""
    log(time_zone="UTC").to_ixdat().export(tmp_path / "cv.csv")
    theirs = ixdat.Measurement.read(tmp_path / "cv.csv", reader="ixdat")
    for again in (Log.from_ixdat(theirs), nrm.read_log(tmp_path / "cv.csv")):
        np.testing.assert_allclose(again.time, CV.time, rtol=1e-12)
        np.testing.assert_allclose(again.potential, CV.potential, rtol=1e-12)
        np.testing.assert_allclose(again.current, CV.current, rtol=1e-12)
        assert again.start == START
        assert (again.time_zone, again.reader) == ("UTC", "ixdat")


def test_what_ixdat_read_of_a_file_is_what_we_read(ixdat: Any, tmp_path: Path) -> None:
    written.write_mpt(tmp_path / "cv.mpt", CV)
    theirs = ixdat.Measurement.read(tmp_path / "cv.mpt", reader="biologic")
    one, other = nrm.read_log(tmp_path / "cv.mpt"), Log.from_ixdat(theirs)
    np.testing.assert_allclose(other.time, one.time, rtol=1e-12)
    np.testing.assert_array_equal(other.potential, one.potential)
    np.testing.assert_allclose(other.current, one.current, rtol=1e-15)
    np.testing.assert_array_equal(other.cycle, one.cycle)


def test_the_log_that_results_keep(ixdat: Any, tmp_path: Path) -> None:
    curves, given, _ = sodiation((2, 2), seed=3)
    write_log(given, tmp_path / "cv.csv")
    curves = nrm.with_potential(curves, tmp_path / "cv.csv", clock_offset=0)
    nrm.process(curves, out=tmp_path / "r.h5").close()
    (kept,) = read_logs(tmp_path / "r.h5").logs
    measurement = Log(**kept).to_ixdat(time_zone="UTC")
    wanted = nrm.read_log(tmp_path / "cv.csv").potential
    np.testing.assert_array_equal(measurement.grab("raw_potential")[1], wanted)


def test_moments_without_a_zone(ixdat: Any) -> None:
    """London was an hour ahead of UTC on 4 June, and Oslo on 4 March."""
    with pytest.raises(InvalidInput, match="time zone it does not say"):
        log().to_ixdat()
    assert log().to_ixdat(time_zone="Europe/London").tstamp == STAMP
    assert log().to_ixdat(time_zone="Europe/Oslo").tstamp == STAMP - 3600
    assert log(time_zone="+01:00").to_ixdat().tstamp == STAMP  # such a start is in UTC
    with pytest.raises(InvalidInput, match="there is no time zone 'Europe/Londn'"):
        log().to_ixdat(time_zone="Europe/Londn")
    with pytest.raises(InvalidInput, match="when it began"):
        replace(log(), start=None).to_ixdat()


def series(ixdat: Any, name: str, unit: str, values: Any, time: Any, begin: float = STAMP) -> Any:
    clock = ixdat.data_series.TimeSeries(f"t of {name}", "s", np.array(time), begin)
    return ixdat.data_series.ValueSeries(name, unit, np.array(values), tseries=clock)


def made(ixdat: Any, *parts: Any, begin: float = STAMP) -> Any:
    clocks = [part.tseries for part in parts]
    return ixdat.techniques.ECMeasurement("made", series_list=[*clocks, *parts], tstamp=begin)


def test_units_and_clocks_of_their_own(ixdat: Any) -> None:
    """The current was recorded from 1 s later on, every 2 s."""
    potential = series(ixdat, "raw_potential", "mV", [500.0, 400.0, 300.0, 200.0], [0, 1, 2, 3])
    current = series(ixdat, "raw_current", "uA", [1.0, 3.0], [0, 2], STAMP + 1)
    cycle = series(ixdat, "cycle", "", [0, 1], [0, 1.5])
    again = Log.from_ixdat(made(ixdat, potential, current, cycle, begin=STAMP - 60))
    np.testing.assert_allclose(again.potential, [0.5, 0.4, 0.3, 0.2])
    np.testing.assert_allclose(again.current, [np.nan, 1e-6, 2e-6, 3e-6])
    np.testing.assert_array_equal(again.cycle, [0, 0, 1, 1])
    began = again.start + (again.time * 1e6).astype("m8[us]")
    np.testing.assert_array_equal(began, START + np.arange(4).astype("m8[s]"))


def test_what_is_no_log(ixdat: Any) -> None:
    current = series(ixdat, "raw_current", "mA", [1.0, 2.0], [0, 1])
    with pytest.raises(InvalidInput, match="no potential over time"):
        Log.from_ixdat(made(ixdat, current))
    zero = ixdat.data_series.ConstantValue("raw_potential", "V", 0, tseries=current.tseries)
    with pytest.raises(InvalidInput, match="no potential over time"):
        Log.from_ixdat(made(ixdat, zero, current))
    for unit, why in (("mA", "mA cannot be turned into V"), ("", "raw_potential")):
        strange = series(ixdat, "raw_potential", unit, [1.0, 2.0], [0, 1])
        told = rf"'raw_potential' of ixdat as the potential: .*{why}"
        with pytest.raises(InvalidInput, match=told):
            Log.from_ixdat(made(ixdat, strange))
