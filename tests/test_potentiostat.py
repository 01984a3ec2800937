"""Potentiostats' files with known contents: what is read, and what is refused."""

from __future__ import annotations

import os
import random
import struct
import tracemalloc
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from writers import potentiostat as written
from writers.potentiostat import Voltammogram

import nrm_plugin as nrm
from nrm_importers.potentiostat import BioLogicLog, GamryLog, IxdatLog, TextLog
from nrm_plugin import Log, plugins
from nrm_plugin.errors import CorruptFile, InvalidInput, MissingFile
from nrm_plugin.testing import FOREIGN

START = np.datetime64(written.START, "us")
TWO = Voltammogram(high=1.0, low=0.2, rate=1e-3, interval=40.0, cycles=2)
EXAMPLES = int(os.environ.get("NRM_FUZZ_EXAMPLES", "0")) or 60

Maker = Callable[[Path], Voltammogram]
MAKERS: dict[str, Maker] = {
    "cv.mpr": written.write_mpr,
    "cv.mpt": written.write_mpt,
    "cv.DTA": written.write_dta,
    "cv.csv": written.write_csv,
    "cv.ixdat.csv": written.write_ixdat,
}
every = pytest.mark.parametrize("name", list(MAKERS))
READERS = [BioLogicLog(), GamryLog(), IxdatLog(), TextLog()]


def read(path: Path, text: str) -> Log:
    path.write_text(text, encoding="utf-8", newline="")
    return nrm.read_log(path)


def refused(path: Path, text: str) -> str:
    with pytest.raises((InvalidInput, CorruptFile)) as caught:
        read(path, text)
    assert str(path) in str(caught.value)
    return str(caught.value)


# What every reader gives


@every
def test_values_are_those_that_were_written(tmp_path: Path, name: str) -> None:
    cv = MAKERS[name](tmp_path / name)
    log = nrm.read_log(tmp_path / name)
    n = len(cv.time)
    np.testing.assert_allclose(np.diff(log.time[-n:]), 25.0, atol=2e-3)
    np.testing.assert_allclose(log.potential[-n:], cv.potential, atol=1e-6)
    assert log.current is not None
    np.testing.assert_allclose(log.current[-n:], cv.current, rtol=1e-6)
    assert log.start is not None
    whole = START.astype("M8[s]") if name == "cv.DTA" else START
    assert abs(log.start - whole) <= np.timedelta64(1, "ms")
    assert log.time_zone == ("UTC" if name.endswith("csv") else "")
    rounded = {"cv.mpr": 0.0, "cv.ixdat.csv": 0.0, "cv.DTA": 1.0}
    assert log.start_uncertainty == rounded.get(name, 0.001)
    readers = {"mpr": "biologic", "mpt": "biologic", "DTA": "gamry", "csv": "text"}
    assert (log.name, log.reader) == (name, {**readers, "ixdat.csv": "ixdat"}[name[3:]])
    assert len(log.sha256) == 64


@every
def test_it_is_known_by_its_contents(tmp_path: Path, name: str) -> None:
    MAKERS[name](tmp_path / "nameless")
    head = (tmp_path / "nameless").read_bytes()[:4096]
    scores = {r.name: r.sniff(head, tmp_path / "nameless") for r in READERS}
    assert max(scores, key=lambda n: scores[n]) == nrm.read_log(tmp_path / "nameless").reader
    assert not any(i.sniff(head, tmp_path) for i in plugins.installed().importers.values())


@pytest.mark.parametrize("reader", READERS, ids=lambda r: r.name)
def test_nobody_takes_foreign_files(reader: BioLogicLog) -> None:
    assert [reader.sniff(head, Path("no-such-file")) for head in FOREIGN] == [0] * len(FOREIGN)


# BioLogic


@pytest.mark.parametrize("long_headers", [False, True])
def test_mpr_of_old_and_new_versions(tmp_path: Path, long_headers: bool) -> None:
    written.write_mpr(tmp_path / "cv.mpr", TWO, long_headers=long_headers)
    log = nrm.read_log(tmp_path / "cv.mpr")
    np.testing.assert_array_equal(log.time, TWO.time)
    np.testing.assert_array_equal(log.cycle, TWO.cycle)
    assert log.start == START


def test_mpr_without_the_time_of_its_start(tmp_path: Path) -> None:
    written.write_mpr(tmp_path / "cv.mpr", log=False)
    assert nrm.read_log(tmp_path / "cv.mpr").start is None


def test_mpr_without_a_potential(tmp_path: Path) -> None:
    written.write_mpr(tmp_path / "cv.mpr", columns=("time", "current"))
    with pytest.raises(InvalidInput, match=r"no potential over time, only the columns.*4, 76"):
        nrm.read_log(tmp_path / "cv.mpr")


@pytest.mark.parametrize("long_headers", [False, True])
@pytest.mark.parametrize(
    ("unknown", "first"),
    [
        (((4242, "<f4"),), False),
        (((4242, "<f4"),), True),
        (((4242, "<f8"),), True),
        (((4242, "<u2"),), True),
        (((883, "<f8"), (884, "<f8")), True),
        (((883, "<f4"), (884, "<f4"), (885, "<f4")), True),
        (((883, "<f4"), (884, "<f8")), False),  # which is which does not matter behind the others
        (((883, "<f4"), (884, "<f8")), True),  # nor before them
    ],
)
def test_mpr_with_columns_that_nobody_knows(
    tmp_path: Path, unknown: tuple[tuple[int, str], ...], first: bool, long_headers: bool
) -> None:
    path = tmp_path / "cv.mpr"
    cv = written.write_mpr(path, unknown=unknown, unknown_first=first, long_headers=long_headers)
    log = nrm.read_log(path)
    np.testing.assert_array_equal(log.time, cv.time)
    np.testing.assert_allclose(log.potential, cv.potential, atol=1e-6)
    np.testing.assert_array_equal(log.cycle, cv.cycle)


def test_mpr_whose_potential_lies_between_unknown_columns(tmp_path: Path) -> None:
    path = tmp_path / "cv.mpr"
    columns = written.with_column(883, "<f4"), written.with_column(884, "<f8")
    written.write_mpr(path, columns=(columns[0], "time", "potential", columns[1]))
    with pytest.raises(InvalidInput, match=r"883, 884 are not known.*export the file from EC-Lab"):
        nrm.read_log(path)


@pytest.mark.parametrize("points", [0, 1])
def test_mpr_with_nothing_in_it(tmp_path: Path, points: int) -> None:
    cv = Voltammogram(high=1.0, low=0.0, rate=1.0, interval=3.0)
    assert len(cv.time) == 1
    written.write_mpr(tmp_path / "zir.mpr", cv)
    if not points:
        data = (tmp_path / "zir.mpr").read_bytes()
        at = data.index(b"VMP data") + 51
        (tmp_path / "zir.mpr").write_bytes(data[:at] + bytes(4) + data[at + 4 :])
    with pytest.raises(InvalidInput, match=f"nothing to read in it.* {points or 'no'} points"):
        nrm.read_log(tmp_path / "zir.mpr")


def test_cycles_only_where_the_technique_has_them(tmp_path: Path) -> None:
    written.write_mpr(tmp_path / "ca.mpr", TWO, technique=24)
    assert nrm.read_log(tmp_path / "ca.mpr").cycle is None
    for technique, cycles in (
        ("Chronoamperometry / Chronocoulometry", False),
        ("Cyclic Voltammetry", True),
        ("Galvanostatic Cycling with Potential Limitation", True),
    ):
        written.write_mpt(tmp_path / "log.mpt", TWO)
        data = (tmp_path / "log.mpt").read_bytes()
        changed = data.replace(b"Cyclic Voltammetry", technique.encode())
        (tmp_path / "log.mpt").write_bytes(changed)
        assert (nrm.read_log(tmp_path / "log.mpt").cycle is not None) == cycles


@pytest.mark.parametrize(("technique", "cycles"), [(4, True), (24, False)])
def test_two_half_cycles_are_a_cycle_of_the_export(
    tmp_path: Path, technique: int, cycles: bool
) -> None:
    """Galvanostatic cycling stores half cycles; EC-Lab's text counts 0, 0, 1, 1 of them."""
    columns = ("time", "control", "potential", "half cycle")
    written.write_mpr(tmp_path / "gcpl.mpr", TWO, columns=columns, technique=technique)
    log = nrm.read_log(tmp_path / "gcpl.mpr")
    if not cycles:
        assert log.cycle is None
        return
    np.testing.assert_array_equal(log.cycle, TWO.cycle - 1)


def test_a_damaged_log_is_not_copied_from_the_microscope(tmp_path: Path) -> None:
    written.write_mpr(tmp_path / "cv.mpr")
    data = (tmp_path / "cv.mpr").read_bytes()
    (tmp_path / "cv.mpr").write_bytes(data[:-300])
    with pytest.raises(CorruptFile, match="copy it from the potentiostat's computer again"):
        nrm.read_log(tmp_path / "cv.mpr")


@pytest.mark.parametrize("decimal", [".", ","])
def test_mpt_is_what_galvani_reads(tmp_path: Path, decimal: str) -> None:
    """galvani reads EC-Lab's text too, as an independent witness."""
    from galvani.BioLogic import MPTfile

    written.write_mpt(tmp_path / "cv.mpt", TWO, decimal=decimal)
    log = nrm.read_log(tmp_path / "cv.mpt")
    with (tmp_path / "cv.mpt").open("rb") as file:
        theirs, _ = MPTfile(file, encoding="latin-1")
    np.testing.assert_array_equal(log.time, theirs["time/s"])
    np.testing.assert_array_equal(log.potential, theirs["Ewe/V"])
    np.testing.assert_allclose(log.current, theirs["I/mA"] * 1e-3)
    np.testing.assert_array_equal(log.cycle, theirs["cycle number"])


def test_mpt_with_moments_instead_of_seconds(tmp_path: Path) -> None:
    cv = written.write_mpt(tmp_path / "cv.mpt", dates=True)
    log = nrm.read_log(tmp_path / "cv.mpt")
    assert log.start == START
    np.testing.assert_allclose(log.time, cv.time, atol=1e-6)


@pytest.mark.parametrize("count", ["3", "999", "99999999", "none"])
def test_mpt_whose_header_has_another_length(tmp_path: Path, count: str) -> None:
    written.write_mpt(tmp_path / "cv.mpt")
    text = (tmp_path / "cv.mpt").read_bytes().replace(b"lines : 12", f"lines : {count}".encode())
    (tmp_path / "cv.mpt").write_bytes(text)
    with pytest.raises(CorruptFile, match="line"):
        nrm.read_log(tmp_path / "cv.mpt")


# Gamry


def test_dta_numbers_cycles_and_puts_open_circuit_before_them(tmp_path: Path) -> None:
    written.write_dta(tmp_path / "cv.DTA", TWO, open_circuit=80.0, conditioning=20.0)
    log = nrm.read_log(tmp_path / "cv.DTA")
    n = len(TWO.time)
    np.testing.assert_allclose(log.time[:-n], 20.0 + np.arange(8.0, 81.0, 8.0))
    np.testing.assert_allclose(log.time[-n:], 100.0 + TWO.time)
    np.testing.assert_array_equal(log.cycle, np.r_[np.full(10, -1), TWO.cycle])
    assert any(
        "100 s after the file's date (conditioning 20 s, open circuit 80 s)" in w for w in log.notes
    )


@pytest.mark.parametrize("restart", [0.0, 40.0])
def test_dta_whose_tables_begin_again(tmp_path: Path, restart: float) -> None:
    """One behind the other, as if nothing lay between; that this is not known is said."""
    written.write_dta(tmp_path / "cv.DTA", TWO, open_circuit=80.0, restart=restart)
    log = nrm.read_log(tmp_path / "cv.DTA")
    n = len(TWO.time)
    np.testing.assert_allclose(log.time[-n:], 80.0 + restart + TWO.time)
    np.testing.assert_allclose(log.potential[-n:], TWO.potential, atol=1e-6)
    np.testing.assert_array_equal(log.cycle[-n:], TWO.cycle)
    (note,) = [w for w in log.notes if "begin again" in w]
    assert note.startswith("the times of CURVE2, CURVE3 begin again")
    assert "a pause between them is not told" in note


def test_dta_whose_tables_overlap(tmp_path: Path) -> None:
    written.write_dta(tmp_path / "cv.DTA", TWO, open_circuit=0.0, restart=500.0)
    with pytest.raises(InvalidInput, match=r"cv\.DTA: the times of CURVE2 begin at 500 s, before"):
        nrm.read_log(tmp_path / "cv.DTA")


def test_dta_with_decimal_commas(tmp_path: Path) -> None:
    cv = written.write_dta(tmp_path / "cv.DTA", decimal=",", open_circuit=0.0)
    log = nrm.read_log(tmp_path / "cv.DTA")
    np.testing.assert_allclose(log.time, cv.time)
    np.testing.assert_allclose(log.potential, cv.potential, atol=1e-6)


@pytest.mark.parametrize(
    ("date", "day", "notes"),
    [
        ("3/4/2025", "2025-03-04", 1),
        ("3/14/2025", "2025-03-14", 0),
        ("14/3/2025", "2025-03-14", 0),
        ("4.3.2025", "2025-03-04", 0),
        ("2025-03-04", "2025-03-04", 0),
        ("4/4/2025", "2025-04-04", 0),
    ],
)
def test_dta_dates_as_windows_writes_them(tmp_path: Path, date: str, day: str, notes: int) -> None:
    written.write_dta(tmp_path / "cv.DTA", date=date, open_circuit=0.0)
    log = nrm.read_log(tmp_path / "cv.DTA")
    assert str(log.start)[:19] == f"{day}T09:41:07"
    assert ["taken as month/day/year" in note for note in log.notes] == [True] * notes


def test_dta_that_was_stopped_early(tmp_path: Path) -> None:
    cv = written.write_dta(tmp_path / "cv.DTA", announce=True, open_circuit=0.0)
    data = (tmp_path / "cv.DTA").read_bytes()
    (tmp_path / "cv.DTA").write_bytes(data[: len(data) // 2])
    log = nrm.read_log(tmp_path / "cv.DTA")
    np.testing.assert_allclose(log.potential, cv.potential[: len(log.potential)], atol=1e-6)
    assert any("announces 160 points, and has" in note for note in log.notes)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "CURVE\tTABLE\t3\n",
        "CURVE\tTABLE\n\tPt\tT\tVf\n\t#\ts\tV\n\t0\tx\ty\n",
        "ZCURVE\tTABLE\n\tPt\tFreq\n\t#\tHz\n\t0\t1\n\t1\t2\n",
    ],
)
def test_dta_without_points(tmp_path: Path, body: str) -> None:
    refused(tmp_path / "cv.DTA", f"EXPLAIN\nTAG\tCV\n{body}")


def test_dta_of_two_short_tables(tmp_path: Path) -> None:
    table = "TABLE\n\tPt\tT\tVf\n\t#\ts\tV\n\t0\t1\t1\n\t1\t2\t1\n"
    text = f"EXPLAIN\nTAG\tCV\nCURVE1\t{table}CURVE2\t{table}"
    (tmp_path / "cv.DTA").write_text(text, encoding="ascii")
    np.testing.assert_allclose(nrm.read_log(tmp_path / "cv.DTA").time, [1.0, 2.0, 3.0, 4.0])


# Tables as text

ROWS = ((0.0, 2.0), (60.0, 1.94), (120.0, 1.88))


@pytest.mark.parametrize(
    ("titles", "rows"),
    [
        ("time (s),E (V)", "{0},{1}"),
        ("time/s\tEwe/V\t<I>/mA", "{0}\t{1}\t0"),
        ("Elapsed time [min];Potential [mV vs. Li/Li+]", "{2};{3}"),
        ("t_h,voltage_mV", "{4},{3}"),
        ("Time/sec, Potential/V, Current/A", "{0}, {1}, -1e-6"),
        ("time(s)  E(V)", "{0}  {1}"),
        ('"Time (s)","WE(1).Potential (V)"', '"{0}","{1}"'),
        ("Index,Time (s),WE(1).Potential (V),cycle number", "1,{0},{1},1"),
        ("E (V vs. Na/Na+),time (s)", "{1},{0}"),
        ("# time (s), E (V)", "{0}, {1}"),
        ("time (s);E (V)\ns;V", "{0};{1}"),
    ],
)
def test_titles_and_units(tmp_path: Path, titles: str, rows: str) -> None:
    lines = [rows.format(t, e, t / 60, e * 1e3, t / 3600) for t, e in ROWS]
    for text in ("\n".join([titles, *lines]), "\r\n".join(["a header", "", titles, *lines, ""])):
        log = read(tmp_path / "log.txt", text)
        np.testing.assert_allclose(log.time, [0, 60, 120])
        np.testing.assert_allclose(log.potential, [2.0, 1.94, 1.88])
        assert log.start is None
        assert log.notes == ()


@pytest.mark.parametrize(
    ("first", "second", "start", "zone", "step"),
    [
        ("2025-03-04 09:41:07", "2025-03-04 09:42:07", "2025-03-04T09:41:07", "", 1.0),
        ("2025-03-04T09:41:07.5", "2025-03-04T09:42:07.5", "2025-03-04T09:41:07.5", "", 0.1),
        ("2025-03-04T09:41:07Z", "2025-03-04T09:42:07Z", "2025-03-04T09:41:07", "UTC", 1.0),
        (
            "2025-03-04T09:41:07+01:00",
            "2025-03-04T09:42:07+01:00",
            "2025-03-04T08:41:07",
            "+01:00",
            1.0,
        ),
        ("2025/03/04 09:41", "2025/03/04 09:42", "2025-03-04T09:41", "", 60.0),
        ("14/03/2025 09:41:07", "14/03/2025 09:42:07", "2025-03-14T09:41:07", "", 1.0),
        ("03/14/2025 09:41:07 PM", "03/14/2025 09:42:07 PM", "2025-03-14T21:41:07", "", 1.0),
        ("04.03.2025 09:41:07", "04.03.2025 09:42:07", "2025-03-04T09:41:07", "", 1.0),
    ],
)
@pytest.mark.parametrize("title", ["date", "Time", "Timestamp"])
def test_moments(
    tmp_path: Path, title: str, first: str, second: str, start: str, zone: str, step: float
) -> None:
    log = read(tmp_path / "log.csv", f"{title},E (V)\n{first},2\n{second},1.94\n")
    assert log.start == np.datetime64(start, "us")
    assert (log.time_zone, log.start_uncertainty) == (zone, pytest.approx(step))
    np.testing.assert_allclose(log.time, [0, 60])


def test_seconds_since_1970(tmp_path: Path) -> None:
    log = read(tmp_path / "log.csv", "unix time (s),E (V)\n1741081267.5,2\n1741081327.5,1.94\n")
    assert (log.start, log.time_zone) == (np.datetime64("2025-03-04T09:41:07.5", "us"), "UTC")
    assert "unix time" in refused(tmp_path / "log.csv", "date,E (V)\n17410,2\n17411,1.94\n")


def test_moments_beside_seconds_give_the_start(tmp_path: Path) -> None:
    rows = "2025-03-04 09:41:07,5.25,2\n2025-03-04 09:41:08,6.5,1.9\n"
    log = read(tmp_path / "log.csv", f"date,time (s),E (V)\n{rows}")
    assert log.start == np.datetime64("2025-03-04T09:41:01.75", "us")
    np.testing.assert_allclose(log.time, [5.25, 6.5])


@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("# start 2025-03-04 09:41:07", "2025-03-04T09:41:07"),
        ("Started on: 2025-03-04T09:41:07.25", "2025-03-04T09:41:07.25"),
        ("Measurement start : 14.03.2025 09:41:07", "2025-03-14T09:41:07"),
        ("# restarted 2025-03-04 09:41:07", None),
        ("# start: in the morning", None),
    ],
)
def test_the_start_above_the_titles(tmp_path: Path, line: str, start: str | None) -> None:
    log = read(tmp_path / "log.csv", f"{line}\ntime (s),E (V)\n0,2\n1,1.9\n")
    assert log.start == (None if start is None else np.datetime64(start, "us"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,E (V)\n0,2\n1,1.9\n", "call it 'time (s)'"),
        ("time (s),E\n0,2\n1,1.9\n", "call it 'E (V)'"),
        ("time (m),E (V)\n0,2\n1,1.9\n", "must be in s"),
        ("time (s),E (A)\n0,2\n1,1.9\n", "must be in V"),
        ("date,E (V)\n03/04/2025 09:41:07,2\n03/04/2025 09:42:07,1.9\n", "two dates"),
        ("time (s),E (V)\n", "nothing to read in it"),
        ("time (s),E (V)\nx,y\nz,w\n", "0 of its 2 lines"),
        ("time (s),E (V)\n1,2\n0,2\n", "go back"),
        ("time (s),E (V)\n1,2\n", "1 of its 1 lines"),
        ("time (s),pressure (Pa)\n1,2\n1,2\n", "no reader"),
        ("nothing of the kind", "no reader"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path / "log.csv", text)


def test_lines_without_numbers_are_counted(tmp_path: Path) -> None:
    rows = "0,2\n1,1.9\nOVERLOAD,1\n3,\n4,1.6,9,9\n5,1.5\n"
    log = read(tmp_path / "log.csv", f"time (s),E (V)\n{rows}")
    np.testing.assert_array_equal(log.time, [0, 1, 4, 5])
    assert log.notes == ("2 of 6 lines without time or potential are left out",)


def test_a_current_without_unit_is_left_out(tmp_path: Path) -> None:
    log = read(tmp_path / "log.csv", "time (s),E (V),I\n0,2,1\n1,1.9,1\n")
    assert log.current is None
    assert "the current is left out" in log.notes[0]


def test_utf_16_and_byte_order_marks(tmp_path: Path) -> None:
    text = "time (s)\tE (V)\n0\t2\n1\t1.9\n"
    for encoding in ("utf-16", "utf-8-sig"):
        (tmp_path / "log.txt").write_text(text, encoding=encoding)
        np.testing.assert_array_equal(nrm.read_log(tmp_path / "log.txt").potential, [2, 1.9])


# Programs' exports


@pytest.mark.parametrize("program", list(written.EXPORTS))
def test_exports_of_other_programs(tmp_path: Path, program: str) -> None:
    cv = written.write_export(tmp_path / "log.txt", program, TWO)
    log = nrm.read_log(tmp_path / "log.txt")
    np.testing.assert_allclose(log.time, cv.time, atol=1e-3)
    np.testing.assert_allclose(log.potential, cv.potential, atol=1e-6)
    assert log.current is not None
    np.testing.assert_allclose(log.current, cv.current, rtol=1e-6)
    dated = program in ("landt", "neware")
    if program == "arbin":  # 03/04/2025
        assert "gives no start" in log.notes[0]
    assert (log.start is not None) == dated
    if dated:
        assert log.start is not None
        assert abs(log.start - START) <= np.timedelta64(1, "s")


@pytest.mark.parametrize("program", ["landt in German", "autolab", "in French", "landt"])
def test_exports_with_decimal_commas(tmp_path: Path, program: str) -> None:
    cv = written.write_export(tmp_path / "log.txt", program, TWO, decimal=",")
    log = nrm.read_log(tmp_path / "log.txt")
    np.testing.assert_allclose(log.time, cv.time, atol=1e-3)
    np.testing.assert_allclose(log.potential, cv.potential, atol=1e-6)


def test_a_clock_that_begins_again_with_each_step(tmp_path: Path) -> None:
    cv = written.write_export(tmp_path / "a.csv", "neware", TWO, lines=10)
    log = nrm.read_log(tmp_path / "a.csv")
    np.testing.assert_allclose(log.time, cv.time, atol=1e-3)
    assert "begins again: the dates give the times" in log.notes[0]
    written.write_export(tmp_path / "b.csv", "neware without dates", TWO, lines=10)
    log = nrm.read_log(tmp_path / "b.csv")
    steps = np.arange(len(cv.time)) // 10
    np.testing.assert_allclose(log.time, cv.time - 40.0 * steps, atol=1e-3)
    assert "steps are put one behind the other" in log.notes[0]


def test_a_total_time_goes_before_that_of_the_step(tmp_path: Path) -> None:
    rows = "".join(f"{i},0:00:{i % 5:02d},0:00:{i:02d},{i / 10}\n" for i in range(20))
    (tmp_path / "a.csv").write_text("DataPoint,Time,Total Time,Voltage(V)\n" + rows)
    log = nrm.read_log(tmp_path / "a.csv")
    assert log.time.tolist() == list(range(20))
    assert not log.notes


@pytest.mark.parametrize("quiet", [0.0, 2.0])
def test_a_sweep_without_times_has_them_from_its_rate(tmp_path: Path, quiet: float) -> None:
    path = tmp_path / "cv.txt"
    written.write_chi(path, TWO, quiet=quiet)
    log = nrm.read_log(path)
    np.testing.assert_allclose(log.time, quiet + TWO.time, atol=1e-2)
    np.testing.assert_allclose(log.potential, TWO.potential, atol=1e-6)
    assert log.start == START.astype("M8[s]")
    assert any("they follow from the scan rate, 0.001 V/s" in note for note in log.notes)
    assert any("first line is taken for the start" in note for note in log.notes)
    text = path.read_text(encoding="latin-1").replace("Scan Rate (V/s)", "Scan Rate")
    assert "no line says the scan rate with its unit" in refused(path, text)


@pytest.mark.parametrize(
    ("units", "titles", "rows"),
    [
        ({"potential": "mV"}, "time (s);E", ("0;2000", "0,5;1997", "1;1994")),
        ({"potential": "V", "time": "min"}, "t;U", ("0;2", "0,5;1,997", "1;1,994")),
        ({"potential": "V"}, "Time,Voltage", ("0:00:00,2", "0:00:30,1.997", "0:01:00.0,1.994")),
        ({}, "time;E\ns;mV", ("0;2000", "0,5;1997", "1;1994")),
    ],
)
def test_units_that_titles_do_not_say(
    tmp_path: Path, units: dict[str, str], titles: str, rows: tuple[str, ...]
) -> None:
    (tmp_path / "log.csv").write_text("\n".join([titles, *rows]), encoding="utf-8")
    log = nrm.read_log(tmp_path / "log.csv", units=units)
    np.testing.assert_allclose(log.potential, [2.0, 1.997, 1.994])
    scale = {"t": 60.0, "T": 60.0}.get(titles[0], 1.0) if "time" not in titles else 1.0
    np.testing.assert_allclose(log.time, np.array([0, 0.5, 1]) * scale)


def test_units_that_contradict_or_are_none(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("time (s),E (V)\n0,2\n1,1.9\n", encoding="utf-8")
    for units, said in (
        ({"potential": "mV"}, "E is in V by its title, and given in mV"),
        ({"potential": "mm"}, "must be in V"),
        ({"colour": "V"}, "is no column of a log"),
    ):
        with pytest.raises(InvalidInput, match=said):
            nrm.read_log(path, units=units)
    written.write_mpr(tmp_path / "cv.mpr")
    with pytest.raises(InvalidInput, match="say their units themselves"):
        nrm.read_log(tmp_path / "cv.mpr", units={"potential": "mV"})


def test_ixdat_without_a_moment_or_a_potential(tmp_path: Path) -> None:
    path = tmp_path / "cv.csv"
    written.write_ixdat(path, stamp="None")
    log = nrm.read_log(path)
    assert (log.start, log.time_zone) == (None, "")
    assert "tstamp" in log.notes[-1]
    text = path.read_text(encoding="utf-8")
    assert "no potential over time" in refused(path, text.replace("time/s,<Ewe>", "when,<Ewe>"))
    with pytest.raises(CorruptFile, match="number of header lines"):
        read(path, text.replace("N_header_lines = 9", "N_header_lines = 9999"))


# Decimal signs, dates and lost lines


@pytest.mark.parametrize(
    ("text", "time", "potential"),
    [
        ("time (s);E (mV)\n0;2000\n0,5;1997\n1;1994\n", [0, 0.5, 1], [2, 1.997, 1.994]),
        (
            "Datum;U (V)\n04.03.2025 09:41:00;1,9876\n04.03.2025 09:41:01;1,9\n",
            [0, 1],
            [1.9876, 1.9],
        ),
        ("version;time (s);E (V)\nv1.2;0;1,5\nv1.2;1;1,6\n", [0, 1], [1.5, 1.6]),
        ('time (s),E (V)\n"1,5","1,989"\n"2,5","1,9"\n', [1.5, 2.5], [1.989, 1.9]),
        ("time (s);E (V)\n1.234,5;1,5\n1.235,5;1,6\n", [1234.5, 1235.5], [1.5, 1.6]),
        ('time (s)\tE (V)\n"1,234.5"\t1.5\n"1,235.5"\t1.6\n', [1234.5, 1235.5], [1.5, 1.6]),
        ("time (s);E (V)\n0;\u22121,5\n1;-1,6\n", [0, 1], [-1.5, -1.6]),
    ],
)
def test_decimal_signs(
    tmp_path: Path, text: str, time: list[float], potential: list[float]
) -> None:
    log = read(tmp_path / "log.csv", text)
    np.testing.assert_allclose(log.time, time)
    np.testing.assert_allclose(log.potential, potential)
    assert log.notes == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time (s),E (V)\n0,5,1,9\n1,5,1,8\n2,5,1,7\n", "both the decimal sign and between"),
        ("time (s);E (V)\n0.5;1\n1,5;2\n", "decimal points and decimal commas"),
        ("time (s);E (V)\n1,000;1.5\n1,001;1.6\n", "decimals or for thousands"),
        ("time (s);E (mV)\n0;998\n1;999\n2;1,000\n", "thousands, as there are whole numbers"),
        ("time (s);E (V)\n" + "0;1\nx;2\n" * 5, "5 of 10 lines below the titles have no time"),
        ("time (s),E (V)\n0,1\n" + '1,"2\n' * 50, "only 26 can be told apart"),
        ("time (s);E (V)\n0;1\n0;2\n0;3\n", "all of its times are 0 s"),
    ],
)
def test_what_cannot_be_told_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path / "log.csv", text)


def test_commas_that_may_stand_for_thousands_are_told(tmp_path: Path) -> None:
    """A potential below 1 says what they are."""
    path = tmp_path / "log.csv"
    for last, said in (("1,250", ("E",)), ("0,250", ())):
        path.write_text(f"time (s);E (V)\n0;1,125\n1;1,250\n2;{last}\n", encoding="utf-8")
        log = nrm.read_log(path)
        np.testing.assert_allclose(log.potential[:2], [1.125, 1.25])
        assert [n.split()[2] for n in log.notes if "they are taken for decimals" in n] == [*said]


def test_exported_zeros(tmp_path: Path) -> None:
    cv = written.write_mpt(tmp_path / "cp.mpt")
    path = tmp_path / "cp.mpt"
    lines = path.read_text(encoding="latin-1").splitlines()
    head, rows = lines[:12], [line.split("\t") for line in lines[12:]]
    ewe = head[11].split("\t").index("Ewe/V")
    for k, row in enumerate(rows):
        if k % 3 and k < 100:
            row[ewe] = "0.0000000E+000"
    zeros = sum(1 for k in range(len(rows)) if k % 3 and k < 100)

    def write(columns: list[str], values: list[list[str]]) -> None:
        named = "\t".join([head[11], *columns])
        body = ["\t".join([*r, *v]) for r, v in zip(rows, values, strict=True)]
        path.write_text("\n".join([*head[:11], named, *body]), encoding="latin-1")

    write(["<Ece>/V", "Ewe-Ece/V"], [["5.0", f"{e - 5.0:.7E}"] for e in cv.potential])
    log = nrm.read_log(path)
    np.testing.assert_allclose(log.potential, cv.potential, atol=1e-6)
    assert f"{zeros} of 160 potentials are exported as 0 V" in log.notes[0]
    rows = [row for row in rows if abs(float(row[ewe])) > 0.06 or float(row[ewe]) == 0]
    write([], [[] for _ in rows])
    with pytest.raises(
        InvalidInput, match=f"{zeros} of .* potentials are exactly 0 V.*Use the .mpr"
    ):
        nrm.read_log(path)


def test_zeros_of_any_table_are_named(tmp_path: Path) -> None:
    rows = "".join(f"{k},{2.0 if k % 2 else 0}\n" for k in range(20))
    log = read(tmp_path / "log.csv", "time (s),E (V)\n" + rows)
    assert "10 of 20 potentials are exactly 0 V" in log.notes[0]


@pytest.mark.parametrize("date", ["13/02/2022 10:00:00", "13.02.2022 10:00:00"])
def test_an_odd_date_leaves_a_log_without_a_start(tmp_path: Path, date: str) -> None:
    written.write_mpt(tmp_path / "cv.mpt")
    data = (tmp_path / "cv.mpt").read_bytes()
    changed = data.replace(b"03/04/2025 09:41:07.250", date.encode())
    (tmp_path / "cv.mpt").write_bytes(changed)
    log = nrm.read_log(tmp_path / "cv.mpt")
    assert log.start is None
    assert "is no date that can be read" in log.notes[0]


def test_clocks_with_dots_and_months_with_names(tmp_path: Path) -> None:
    for date in ("2025-03-04 09.41.07", "4. März 2025 09:41:07", "04-Mar-2025 09:41:07"):
        log = read(tmp_path / "log.csv", f"# start {date}\ntime (s),E (V)\n0,2\n1,1.9\n")
        if date[0] == "2":
            assert log.start == np.datetime64("2025-03-04T09:41:07", "us")
        log = read(tmp_path / "log.csv", f"date;E (V)\n{date};2\n{date[:-1]}8;1.9\n")
        assert log.start == np.datetime64("2025-03-04T09:41:07", "us")
        np.testing.assert_allclose(log.time, [0, 1])


def test_a_short_first_line_is_a_stray(tmp_path: Path) -> None:
    rows = "0\n" + "".join(f"{k};x;1.{k}\n" for k in range(1, 5))
    log = read(tmp_path / "log.csv", "time (s);note;E (V)\n" + rows)
    np.testing.assert_allclose(log.potential, [1.1, 1.2, 1.3, 1.4])
    assert log.notes == ("1 of 5 lines without time or potential are left out",)


def test_a_clock_may_show_the_time_of_day(tmp_path: Path) -> None:
    log = read(tmp_path / "log.csv", "Uhrzeit;U (V)\n23:59:59;2\n00:00:01;1,9\n")
    np.testing.assert_allclose(log.time, [86399, 86401])
    assert "(--log-start) is 00:00 of that day" in log.notes[0]


def test_a_day_and_a_time_of_day_apart(tmp_path: Path) -> None:
    text = "Datum;Zeit;U (V)\n04.03.2025;09:41:07;2\n04.03.2025;09:42:07;1,9\n"
    log = read(tmp_path / "log.csv", text)
    assert log.start == np.datetime64("2025-03-04T09:41:07", "us")
    np.testing.assert_allclose(log.time, [0, 60])


def test_means_with_the_unit_inside_and_cells_after_electrodes(tmp_path: Path) -> None:
    text = "time/s\t<Ewe/V>\t<I/mA>\n0\t2\t1\n1\t1,9\t1\n"
    log = read(tmp_path / "log.txt", text)
    np.testing.assert_allclose(log.potential, [2, 1.9])
    np.testing.assert_allclose(log.current, [1e-3, 1e-3])
    text = "time/s\tEcell/V\tEwe/V\n0\t2\t-1\n1\t1.9\t-1.1\n"
    np.testing.assert_allclose(read(tmp_path / "log.txt", text).potential, [-1, -1.1])


def test_gamry_tables_beside_the_measurement_are_left_out(tmp_path: Path) -> None:
    written.write_dta(tmp_path / "cv.DTA", open_circuit=0.0)
    before = nrm.read_log(tmp_path / "cv.DTA")
    with (tmp_path / "cv.DTA").open("a", encoding="latin-1") as file:
        file.write("FRACURVE\tTABLE\n\tPt\tT\tVf\n\t#\ts\tV\n\t0\t0\t1\n\t1\t0.1\t2\n")
    log = nrm.read_log(tmp_path / "cv.DTA")
    np.testing.assert_array_equal(log.time, before.time)
    assert "the table FRACURVE is left out" in log.notes[0]


# Whatever is no log


def test_missing_and_empty_files(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv", tmp_path / "\0"):
        with pytest.raises(MissingFile):
            nrm.read_log(path)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(InvalidInput, match="empty"):
        nrm.read_log(tmp_path / "empty.csv")
    with pytest.raises(InvalidInput, match="there are: biologic, gamry, ixdat, text"):
        nrm.read_log(__file__, reader="fortune")


def survives(path: Path, *, memory: bool = True) -> Log | None:
    """Read within bounds; None where it ends in one of our errors. All else fails the test.

    Following the memory makes everything four times slower.
    """
    head = path.read_bytes()[:4096]
    scores = [(r.sniff(head, path), r) for r in READERS]
    score, reader = max(scores, key=lambda pair: pair[0])
    if not score:
        return None
    said, peak = "", 0
    import_module("pandas")  # what importing takes is not the file's

    if memory:
        tracemalloc.start()
    try:
        return reader.read(path)
    except nrm.NrmError as error:
        said = str(error)
        return None
    finally:
        if memory:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 20 * path.stat().st_size + 20e6
        assert len(said) < 1000


@every
def test_cut_files(tmp_path: Path, name: str) -> None:
    """A beginning is refused, or gives the points that are whole in it."""
    cv = MAKERS[name](tmp_path / name)
    whole = nrm.read_log(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    path = tmp_path / f"cut-{name}"
    read = 0
    for number, part in enumerate(np.linspace(0, 1, 41)[:-1]):
        path.write_bytes(data[: int(part * len(data))])
        log = survives(path, memory=number % 8 == 0)
        if log is None:
            continue
        read += 1
        n = len(log.time) - 1  # the last number may be cut
        assert n < len(whole.time)
        np.testing.assert_array_equal(log.potential[:n], whole.potential[:n])
        if name != "cv.DTA":  # open circuit shifts all that follows
            np.testing.assert_array_equal(log.time[:n], whole.time[:n])
    assert (read == 0) == (name == "cv.mpr")
    assert len(cv.time) == 160


@every
def test_changed_bytes(tmp_path: Path, name: str) -> None:
    MAKERS[name](tmp_path / name)
    data = (tmp_path / name).read_bytes()
    rng = random.Random(len(name))
    path = tmp_path / f"changed-{name}"
    for number in range(EXAMPLES):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 1, 3, 20])):
            place = rng.randrange(min(len(data), rng.choice([600, len(data)])))
            changed[place] = rng.choice([0, 9, 10, 34, 44, 48, 127, 255, rng.randrange(256)])
        path.write_bytes(bytes(changed))
        log = survives(path, memory=number % 8 == 0)
        assert log is None or np.isfinite(log.potential).all()


@pytest.mark.parametrize("place", ["length", "points"])
def test_numbers_in_a_header_decide_nothing(tmp_path: Path, place: str) -> None:
    written.write_mpr(tmp_path / "cv.mpr")
    data = bytearray((tmp_path / "cv.mpr").read_bytes())
    at = data.index(b"VMP data")
    where = at + 35 if place == "length" else at + 51
    data[where : where + 4] = struct.pack("<I", 0xFFFFFFF0)
    (tmp_path / "cv.mpr").write_bytes(bytes(data))
    assert survives(tmp_path / "cv.mpr") is None


@pytest.mark.parametrize("head", ["EXPLAIN\n", "EC-Lab ASCII FILE\r\nNb header lines : 3\r\n", ""])
def test_long_lines_and_quotes(tmp_path: Path, head: str) -> None:
    for body in (
        "\t" * 500_000,
        "time (s),E (V)\n" + '"' * 300_000,
        "time (s)" * 60_000,
        "time (s),E (V)\n0,1\n" + '1,"2\n' * 50_000,
        "(" * 200_000 + "\n",
        "CURVE\tTABLE\n" * 20_000,
        "time/s\tEwe/V\n" + "9" * 200_000 + "\t1\n1\t2\n",
    ):
        (tmp_path / "log.csv").write_text(head + body, encoding="utf-8", newline="")
        survives(tmp_path / "log.csv")


def test_a_file_in_a_day_that_does_not_exist(tmp_path: Path) -> None:
    written.write_dta(tmp_path / "cv.DTA", date="31/31/2025", open_circuit=0.0)
    log = nrm.read_log(tmp_path / "cv.DTA")
    assert log.start is None
    assert "31/31/2025 is no date" in log.notes[0] or "'31/31/2025' is no date" in log.notes[0]
    written.write_mpr(tmp_path / "cv.mpr", start=datetime(2025, 12, 31, 23, 59, 59))
    assert nrm.read_log(tmp_path / "cv.mpr").start == np.datetime64("2025-12-31T23:59:59")


def test_blanks_before_the_slash_of_a_unit(tmp_path: Path) -> None:
    """As Ivium titles its columns."""
    log = read(tmp_path / "a.txt", "t /s   E /V\n0.0   0.5\n1.0   0.6\n2.0   0.7\n")
    np.testing.assert_allclose(log.time, [0, 1, 2])
    np.testing.assert_allclose(log.potential, [0.5, 0.6, 0.7])


def test_minutes_and_seconds(tmp_path: Path) -> None:
    """Without hours, where a fraction of seconds tells them from hours and minutes."""
    log = read(tmp_path / "a.csv", "time,E (V)\n59:58.5,0.1\n59:59.5,0.2\n00:00.5,0.3\n")
    np.testing.assert_allclose(log.time - log.time[0], [0, 1, 2])


def test_potentials_that_no_electrode_has(tmp_path: Path) -> None:
    log = read(tmp_path / "a.csv", "time (s),E (V)\n0,-500\n1,100\n")
    assert any("reach 500 V" in note and "mV" in note for note in log.notes)
    assert not read(tmp_path / "a.csv", "time (s),E (V)\n0,-5\n1,100\n").notes
