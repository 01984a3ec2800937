"""Synthetic files of potentiostats with a known truth: a voltammogram from `START` on.

The layout of .mpr is that of EC-Lab's modules: a name, a length and a version before each, and
the points behind 405 or 406 bytes of numbers of columns; EC-Lab 11.50 and later write four more
words and 1007 bytes (the real files cp.mpr, ocv.issue_149.mpr, gcpl.issue_230.mpr have these).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

START = datetime(2025, 3, 4, 9, 41, 7, 250000)

_MAGIC = b"BIO-LOGIC MODULAR FILE\x1a".ljust(48) + bytes(4)

#: Column numbers of EC-Lab, and how their values are stored; flags share a byte.
_FLAGS = (1, 2, 3, 21, 31)
_COLUMNS = {
    "time": (4, "<f8"),
    "control": (5, "<f4"),
    "potential": (6, "<f4"),
    "current": (76, "<f4"),
    "cycle": (24, "<f8"),
}
_FURTHER: dict[str, tuple[int, str]] = {"half cycle": (468, "<u4")}


def with_column(number: int, width: str) -> str:
    """Name of a further column of .mpr, with its number and type."""
    _FURTHER[f"column {number}"] = (number, width)
    return f"column {number}"


@dataclass(frozen=True)
class Voltammogram:
    """Points of a sweep from `high` to `low` and back, `cycles` times.

    Attributes
    ----------
    high, low : float
        In V.
    rate : float
        In V/s.
    interval : float
        Between points, in s.
    """

    high: float = 2.0
    low: float = 0.005
    rate: float = 1e-3
    interval: float = 25.0
    cycles: int = 1

    @property
    def time(self) -> FloatArray:
        """Since the start, in s."""
        return np.arange(0.0, 2 * self.cycles * self._half + 1e-9, self.interval)

    @property
    def _half(self) -> float:
        return (self.high - self.low) / self.rate

    def at(self, time: FloatArray) -> FloatArray:
        """Potential in V."""
        swept = np.mod(time, 2 * self._half)
        return self.high - self.rate * np.where(swept <= self._half, swept, 2 * self._half - swept)

    @property
    def potential(self) -> FloatArray:
        """In V."""
        return self.at(self.time)

    @property
    def current(self) -> FloatArray:
        """In A: a capacitor's, with the sign of the sweep."""
        back = np.mod(self.time, 2 * self._half) > self._half
        return np.where(back, 2e-6, -2e-6)

    @property
    def cycle(self) -> NDArray[np.int64]:
        """From 1."""
        return 1 + (self.time // (2 * self._half)).astype(np.int64)


def write_mpr(
    path: Path,
    cv: Voltammogram | None = None,
    *,
    start: datetime = START,
    log: bool = True,
    long_headers: bool = False,
    columns: tuple[str, ...] = tuple(_COLUMNS),
    unknown: tuple[tuple[int, str], ...] = (),
    unknown_first: bool = False,
    technique: int = 6,
    reference: str = "",
) -> Voltammogram:
    """Write a binary file.

    Parameters
    ----------
    log : bool
        Whether it has the module with the time at which it began.
    long_headers : bool
        As EC-Lab 11.50 and later write them.
    columns : tuple of str
        Which there are besides the flags.
    unknown : tuple
        Numbers and types of further columns, at the end, or with `unknown_first` before the others.
    technique : int
        As EC-Lab numbers them; 6 is cyclic voltammetry.
    reference : str
        Reference electrode in the settings, where the real file cp.mpr has it; none are written
        without.
    """
    cv = cv or Voltammogram()
    known = {**_COLUMNS, **_FURTHER}
    named = [(known[c][0], c, known[c][1]) for c in columns]
    further = [(number, f"column {number}", width) for number, width in unknown]
    named = [*further, *named] if unknown_first else [*named, *further]
    numbers = [*_FLAGS, *(number for number, _, _ in named)]
    kind = np.dtype([("flags", "u1"), *((name, width) for _, name, width in named)])
    points = np.zeros(len(cv.time), kind)
    values = {
        "time": cv.time,
        "control": cv.potential,
        "potential": cv.potential,
        "current": cv.current * 1e3,
        "cycle": cv.cycle,
        "half cycle": 2 * (cv.cycle - 1) + (cv.current > 0),
    }
    for name in columns:
        points[name] = values.get(name, 0)
    head = struct.pack("<IH" if long_headers else "<IB", len(points), len(numbers))
    head += np.array(numbers, "<u2").tobytes()
    head = head.ljust(1007 if long_headers else 405, b"\0")
    settings = bytes([technique]) + bytes(200)
    if reference:
        named = bytes([len(reference)]) + reference.encode("cp1252")
        settings = settings.ljust(0x215, b"\0") + named + bytes(200)
    modules = [
        ("VMP Set", "VMP settings", settings, 10),
        ("VMP data", "VMP data", head + points.tobytes(), 11 if long_headers else 2),
    ]
    if log:
        days = (start - datetime(1899, 12, 30)) / timedelta(days=1)
        modules.append(("VMP LOG", "VMP LOG", bytes(465) + struct.pack("<d", days) + bytes(200), 0))
    with path.open("wb") as file:
        file.write(_MAGIC)
        for short, long, data, version in modules:
            file.write(b"MODULE" + short.encode().ljust(10) + long.encode().ljust(25))
            if long_headers:
                file.write(struct.pack("<IIII", 0xFFFFFFFF, len(data), 0, version))
            else:
                file.write(struct.pack("<II", len(data), version))
            file.write(start.strftime("%m/%d/%y").encode() + data)
    return cv


def write_mpt(
    path: Path,
    cv: Voltammogram | None = None,
    *,
    start: datetime = START,
    decimal: str = ".",
    dates: bool = False,
) -> Voltammogram:
    """Write EC-Lab's export as text; with `dates`, the times are moments."""
    cv = cv or Voltammogram()
    began = start.strftime("%m/%d/%Y %H:%M:%S.%f")[:-3]
    header = [
        "EC-Lab ASCII FILE",
        "",
        "",
        "Cyclic Voltammetry",
        "",
        "Run on channel : 1 (SN 0000)",
        "Electrode connection : standard",
        f"Acquisition started on : {began}",
        "Device : none, this is a sample",
        "Electrode surface area : 0.001 cm²",
        "",
    ]
    titles = ["mode", "ox/red", "error", "time/s", "control/V", "Ewe/V", "<I>/mA", "cycle number"]
    header[1] = f"Nb header lines : {len(header) + 1}"
    lines = [*header, "\t".join(titles)]
    for t, e, i, n in zip(cv.time, cv.potential, cv.current, cv.cycle, strict=True):
        moment = (start + timedelta(seconds=float(t))).strftime("%m/%d/%Y %H:%M:%S.%f")
        time = moment if dates else f"{t:.15E}"
        cells = ["2", "1", "0", time, f"{e:.7E}", f"{e:.7E}", f"{i * 1e3:.7E}", f"{n:.15E}"]
        lines.append("\t".join(c if c is moment else c.replace(".", decimal) for c in cells))
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode("latin-1"))
    return cv


def write_dta(
    path: Path,
    cv: Voltammogram | None = None,
    *,
    start: datetime = START,
    date: str = "",
    decimal: str = ".",
    open_circuit: float = 50.0,
    conditioning: float = 0.0,
    announce: bool = False,
    restart: float | None = None,
) -> Voltammogram:
    """Write a file of Gamry Framework: open circuit for so many s, and a table for each cycle.

    With `restart`, the times of each table begin there again, as repeated techniques write them.
    """
    cv = cv or Voltammogram()
    day = date or f"{start.month}/{start.day}/{start.year}"
    lines = [
        "EXPLAIN",
        "TAG\tCV",
        "TITLE\tLABEL\tCyclic Voltammetry\tTest &Identifier",
        f"DATE\tLABEL\t{day}\tDate",
        f"TIME\tLABEL\t{start:%H:%M:%S}\tTime",
        "NOTES\tNOTES\t1\t&Notes...",
        "\tthis is a sample",
        "PSTAT\tPSTAT\tnone\tPotentiostat",
        f"SCANRATE\tQUANT\t{cv.rate * 1e3:.5E}\t&Scan Rate (mV/s)",
        f"CONDIT\tTWOPARAM\t{'T' if conditioning else 'F'}\t{conditioning or 15:.5E}\t0.00000E+000"
        "\tConditionin&g\tTime(s)\tE(V)",
        "EQDELAY\tQUANT\t0.00000E+000\tEquil. &Time (s)",
    ]
    if open_circuit:
        times = np.arange(cv.interval / 5, open_circuit + 1e-9, cv.interval / 5)
        lines += [
            f"OCVCURVE\tTABLE\t{len(times)}",
            "\tPt\tT\tVf\tVm\tAch\tOver",
            "\t#\ts\tV vs. Ref.\tV\tV\tbits",
        ]
        lines += [
            f"\t{k}\t{t:g}\t{cv.high:.5E}\t{cv.high:.5E}\t0.00000E+000\t..........."
            for k, t in enumerate(times)
        ]
        lines.append(f"EOC\tQUANT\t{cv.high:.5f}\tOpen Circuit (V)")
    number = 0
    for cycle in np.unique(cv.cycle):
        here = np.flatnonzero(cv.cycle == cycle)
        times = cv.time if restart is None else cv.time - cv.time[here[0]] + restart
        many = f"\t{len(here)}" if announce else ""
        lines += [
            f"CURVE{cycle}\tTABLE{many}",
            "\tPt\tT\tVf\tIm\tVu\tSig\tAch\tIERange\tOver",
            "\t#\ts\tV vs. Ref.\tA\tV\tV\tV\t#\tbits",
        ]
        for k in here:
            e = f"{cv.potential[k]:.6E}"
            lines.append(
                f"\t{number}\t{times[k]:.8g}\t{e}\t{cv.current[k]:.5E}\t0.0E+000\t{e}"
                "\t-1.0E-003\t5\t..........."
            )
            number += 1
    if decimal != ".":
        keep = ("DATE", "TIME")
        lines = [
            line if line.startswith(keep) or line.endswith("\tTime") else _with(line, decimal)
            for line in lines
        ]
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode("latin-1"))
    return cv


def _with(line: str, decimal: str) -> str:
    """Numbers of a line with another decimal sign; dots of overloads stay."""
    cells = line.split("\t")
    return "\t".join(c.replace(".", decimal) if any(d.isdigit() for d in c) else c for c in cells)


def write_csv(
    path: Path, cv: Voltammogram | None = None, *, start: datetime = START
) -> Voltammogram:
    """Write a table as a script might: moments in UTC, millivolts, microamperes."""
    cv = cv or Voltammogram()
    lines = ["# this is a sample", "date,potential (mV vs. Na/Na+),current (uA)"]
    for t, e, i in zip(cv.time, cv.potential, cv.current, strict=True):
        moment = (start + timedelta(seconds=float(t))).isoformat(timespec="milliseconds")
        lines.append(f"{moment}Z,{e * 1e3:.3f},{i * 1e6:.3f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return cv


def write_chi(
    path: Path, cv: Voltammogram | None = None, *, start: datetime = START, quiet: float = 2.0
) -> Voltammogram:
    """Write CH Instruments' export of a voltammogram, which has no times.

    As CHI 660 and 760 are described to write it; no such export was at hand. It has the date, the
    technique, settings as ``Name (unit) = value``, titles, an empty line, points.
    """
    cv = cv or Voltammogram()
    lines = [
        f"{start:%b. %d, %Y   %H:%M:%S}",
        "Cyclic Voltammetry",
        "File: sample.bin",
        "Data Source: Experiment",
        "Instrument Model:  CHI760E",
        "Header: ",
        "Note: ",
        "",
        f"Init E (V) = {cv.high:g}",
        f"High E (V) = {cv.high:g}",
        f"Low E (V) = {cv.low:g}",
        "Init P/N = N",
        f"Scan Rate (V/s) = {cv.rate:g}",
        f"Segment = {2 * cv.cycles}",
        "Sample Interval (V) = 0.001",
        f"Quiet Time (sec) = {quiet:g}",
        "Sensitivity (A/V) = 1e-5",
        "",
        "Potential/V, Current/A",
        "",
    ]
    lines += [f"{e:.6f}, {i:.3e}" for e, i in zip(cv.potential, cv.current, strict=True)]
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode("latin-1"))
    return cv


#: Titles and a line of each program's export, by name. Landt (LAND) and Neware: the columns that
#: public converters list (cellpy, beep, galvani's examples); Arbin: its CSV of MITS Pro; Autolab:
#: NOVA's ASCII export; Ivium: IviumSoft's CSV; Maccor: its text export.
EXPORTS = {
    "landt": (
        "Record\tCycle\tTestTime/Sec.\tStepTime/Sec.\tCurrent/mA\tVoltage/V\tSysTime",
        "{k}\t{n}\t{t:.3f}\t{t:.3f}\t{ma:.6f}\t{e:.6f}\t{date:%Y-%m-%d %H:%M:%S}",
    ),
    "landt in German": (
        "Nr;Zyklus;Testzeit/Sek;Strom/mA;Spannung/V",
        "{k};{n};{t:.3f};{ma:.6f};{e:.6f}",
    ),
    "neware": (
        "Record ID,Step ID,Cycle ID,Time(h:min:s.ms),Voltage(V),Current(mA),Realtime",
        "{k},{n},{n},{h}:{m:02d}:{s:06.3f},{e:.6f},{ma:.6f},{date:%Y-%m-%d %H:%M:%S}",
    ),
    "neware without dates": (
        "Record Index,Step,Relative Time(h:min:s.ms),Cur(mA),Voltage(V)",
        "{k},{n},{h}:{m:02d}:{s:06.3f},{ma:.6f},{e:.6f}",
    ),
    "arbin": (
        "Data_Point,Test_Time(s),Date_Time,Step_Time(s),Cycle_Index,Current(A),Voltage(V)",
        "{k},{t:.4f},{date:%m/%d/%Y %H:%M:%S},{t:.4f},{n},{a:.9f},{e:.6f}",
    ),
    "autolab": (
        "Potential applied (V);Time (s);WE(1).Current (A);WE(1).Potential (V);Scan;Index",
        "{e:.6f};{t:.4f};{a:.9f};{e:.6f};{n};{k}",
    ),
    "ivium": ("time /s, E /V, I /A", "{t:.4f}, {e:.6f}, {a:.4e}"),
    "maccor": ("Rec#\tCyc#\tTest (Sec)\tAmps\tVolts", "{k}\t{n}\t{t:.2f}\t{a:.9f}\t{e:.6f}"),
    "in French": ("Temps (s);Courant (A);Potentiel (V)", "{t:.4f};{a:.9f};{e:.6f}"),
}


def write_export(
    path: Path, program: str, cv: Voltammogram | None = None, *, decimal: str = ".", lines: int = 0
) -> Voltammogram:
    """Write what a program exports as text; with `lines`, its clock begins again after so many."""
    cv = cv or Voltammogram()
    titles, row = EXPORTS[program]
    out = [titles]
    for k, (t, e, i, n) in enumerate(zip(cv.time, cv.potential, cv.current, cv.cycle, strict=True)):
        clock = cv.time[k % lines] if lines else t
        values = {"k": k + 1, "t": t, "e": e, "a": i, "ma": i * 1e3, "n": n}
        values |= {"h": int(clock // 3600), "m": int(clock // 60 % 60), "s": clock % 60}
        text = row.format(date=START + timedelta(seconds=float(t)), **values)
        out.append(text.replace(".", decimal))
    path.write_text("\n".join(out) + "\n", encoding="utf-8", newline="\n")
    return cv


def write_ixdat(
    path: Path, cv: Voltammogram | None = None, *, start: datetime = START, stamp: str = ""
) -> Voltammogram:
    """Write ixdat's export of an electrochemical measurement, as version 0.4.0 does.

    Its calibrated potential is against another zero, and stands first.
    """
    cv = cv or Voltammogram()
    seconds = (start - datetime(1970, 1, 1)).total_seconds()
    aliases = '{"t": ["time/s"], "raw_potential": ["<Ewe>/V"], "raw_current": ["I/mA"]}'
    lines = [
        "ixdat version = 0.4.0",
        "name = sample",
        "technique = CV",
        f"tstamp = {stamp or seconds}",
        "timecol 'time/s' for: '<Ewe>/V' and 'I/mA' and 'selector'",
        f"aliases = {aliases}",
        "N_header_lines = 8",
        "",
        "potential / [V],time/s,<Ewe>/V,I/mA,selector",
    ]
    lines[6] = f"N_header_lines = {len(lines)}"
    lines += [
        f"{e + 0.7},{t},{e:.7f},{i * 1e3:.7f},0"
        for t, e, i in zip(cv.time, cv.potential, cv.current, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return cv


def write_samples(folder: Path) -> None:
    """Write the small files that the project shows."""
    folder.mkdir(parents=True, exist_ok=True)
    write_mpr(folder / "voltammogram.mpr")
    write_mpt(folder / "voltammogram.mpt")
    write_dta(folder / "voltammogram.DTA")
    write_csv(folder / "voltammogram.csv")
