"""NanoScope's ASCII export: the header in quotes, then columns of text.

A column is named after signal, unit and half, ``Defl_V_Ex`` or ``Calc_Ramp_Rt_nm``. The same
signal stands there in several units; one of them is enough.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from nrm_importers.bruker.blocks import halves_of
from nrm_importers.bruker.force import choose_height, read_ramp_settings
from nrm_importers.bruker.force_layout import ForceLayout, durations
from nrm_importers.bruker.header import parse
from nrm_importers.bruker.positions import curve_table
from nrm_importers.bruker.read import read_general
from nrm_importers.metadata import Metadata
from nrm_plugin import units
from nrm_plugin.columns import ArrayColumn, FloatArray, Rows
from nrm_plugin.errors import CorruptFile
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import regular_segments
from nrm_plugin.vocabulary import CHANNELS, own_slug

_COLUMN = re.compile(r"(.+?)(?:_([^_]+))?_(Ex|Rt)(?:_([^_]+))?$")

#: Signals under their canonical name and unit, with the units of the export by preference.
_SIGNALS = {
    "time": ("time", "s", ("s",)),
    "calc ramp": ("height_commanded", "m", ("nm",)),
    "height sensor": ("height_sensor", "m", ("nm",)),
    "defl": ("deflection", "V", ("V",)),
    "deflection": ("deflection", "V", ("V",)),
    "friction": ("lateral", "V", ("V",)),
    "lateral": ("lateral", "V", ("V",)),
}


def open_export(path: Path) -> CurveSet:
    """Read an ASCII export, which holds one curve.

    Raises
    ------
    CorruptFile
        If columns are missing or cut short.
    """
    head, titles, lines = _split(path)
    plain = [line.strip().removeprefix('"').removesuffix('"') for line in head.splitlines()]
    header = replace(parse(path, "\n".join(plain)), text=head)
    metadata = Metadata()
    read_general(header, metadata)
    halves = _columns(path, titles, lines)
    chosen = {key: halves[key] for key in _one_unit_each(list(halves))}
    if not chosen:
        raise CorruptFile(path, None, "columns such as Defl_V_Ex", ", ".join(titles[:6]) or "none")
    n_ext, n_ret = (max(len(pair[i]) for pair in chosen.values()) for i in (0, 1))
    announced = halves_of(header, header.first("Ciao force list"))
    if announced is None or (n_ext, n_ret) != (announced.extend, announced.retract):
        wanted = "none" if announced is None else f"{announced.extend} and {announced.retract}"
        raise CorruptFile(path, None, f"{wanted} samples per half", f"{n_ext} and {n_ret}")
    down, up = durations(header)
    layout = ForceLayout(
        parts=[
            ("approach", n_ext, down * n_ext / announced.slot),
            ("retract", n_ret, up * n_ret / announced.slot),
        ],
        runs=[],
        on_disk=n_ext + n_ret,
        slot=announced.slot,
        duration=down + up,
    )
    rows = Rows.uniform(1, n_ext + n_ret)
    channels: dict[str, Channel] = {}
    for (signal, unit), (extend, retract) in chosen.items():
        if len(extend) != n_ext or len(retract) != n_ret:
            raise CorruptFile(path, None, f"{n_ext} and {n_ret} numbers of {signal}", "fewer")
        name, _, _ = _SIGNALS.get(signal, (own_slug(signal, "bruker"), "", ()))
        gain, si_unit = units.si(unit) or (1.0, unit)
        if name in CHANNELS and si_unit not in CHANNELS[name].units:
            name = own_slug(signal, "bruker")
        if name == "time" and n_ext and n_ret:
            retract = np.sort(retract)  # some versions write a half the other way round
            if retract[0] < extend[-1]:
                retract = retract + 2 * extend[-1] - (extend[-2] if n_ext > 1 else 0.0)
        column = ArrayColumn(np.concatenate([extend, retract]), rows)
        channels[name] = Channel(
            name, si_unit, column, gain, 0.0, signal, f"Bruker export, column {signal}"
        )
    _put_in_order(channels, n_ext, rows, metadata)
    choose_height(channels, layout, metadata)
    read_ramp_settings(header, next(iter(header.all("Ciao force image list")), None), metadata)
    curves = CurveSet(
        rows,
        channels,
        segments_from=lambda: regular_segments(1, [("approach", n_ext), ("retract", n_ret)]),
        table_from=curve_table(header, layout),
    )
    return metadata.attached(curves, path, "bruker", header.text)


def _split(path: Path) -> tuple[str, list[str], list[str]]:
    """Text of the header, titles of the columns, and the lines below them."""
    text = path.read_bytes().decode("cp1252", "replace")
    lines = text.splitlines()
    end = next((i for i, line in enumerate(lines) if "ist end" in line[:40]), None)
    if end is None:
        raise CorruptFile(path, len(text), "the end of the header", "none")
    body = [line for line in lines[end + 1 :] if line.strip()]
    if not body:
        raise CorruptFile(path, len(text), "columns of numbers", "the end of the file")
    titles = [t.strip().strip('"') for t in body[0].rstrip("\t").split("\t")]
    if text[-1] not in "\r\n\t":
        raise CorruptFile(path, len(text), "the end of the last line", "the end of the file")
    return "\n".join(lines[:end]), titles, body[1:]


def _columns(
    path: Path, titles: list[str], lines: list[str]
) -> dict[tuple[str, str], tuple[FloatArray, FloatArray]]:
    """Both halves of each signal and unit; of repeated columns the first."""
    halves: dict[tuple[str, str], dict[str, int]] = {}
    cells: dict[int, list[str]] = {}
    for number, title in enumerate(titles):
        match = _COLUMN.match(title)
        if match is None:
            continue
        name, unit, half, behind = match.groups()
        signal = f"{name}_{unit}" if behind and unit else name
        key = signal.replace("_", " ").lower(), behind or unit or ""
        pair = halves.setdefault(key, {})
        if half not in pair:
            pair[half] = number
            cells[number] = []
    for above, line in enumerate(lines):
        for number, cell in enumerate(line.split("\t")):
            if number in cells and cell.strip():
                if len(cells[number]) < above:
                    raise CorruptFile(path, None, f"numbers in column {titles[number]}", "a gap")
                cells[number].append(cell)
    values = {number: _numbers(path, titles[number], texts) for number, texts in cells.items()}
    values[-1] = np.empty(0)
    return {
        key: (values[pair.get("Ex", -1)], values[pair.get("Rt", -1)])
        for key, pair in halves.items()
    }


def _numbers(path: Path, title: str, texts: list[str]) -> FloatArray:
    try:
        values = np.array([float(text) for text in texts])
    except ValueError as error:
        raise CorruptFile(path, None, f"numbers in column {title}", error) from None
    if not np.isfinite(values).all():
        raise CorruptFile(path, None, f"finite numbers in column {title}", "others")
    return values


def _one_unit_each(keys: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Choose one unit for each signal: volts where a sensitivity turns them into more."""
    chosen: dict[str, tuple[str, str]] = {}
    for signal, unit in keys:
        preferred = (*_SIGNALS.get(signal, ("", "", ()))[2], "V", "nm")
        best = chosen.get(signal)
        if best is None or _rank(unit, preferred) < _rank(best[1], preferred):
            chosen[signal] = (signal, unit)
    return [key for key in chosen.values() if key[1] not in ("Lsb", "pN")]


def _rank(unit: str, preferred: tuple[str, ...]) -> float:
    return preferred.index(unit) if unit in preferred else math.inf


def _put_in_order(channels: dict[str, Channel], n_ext: int, rows: Rows, metadata: Metadata) -> None:
    """Turn a half around that was exported against time.

    The approach ends where it is pressed hardest and the retract begins there. Some versions of
    NanoScope Analysis write one of the halves the other way round.
    """
    ramp = channels.get("height_commanded")
    if ramp is None:
        return
    values = np.empty(rows.total)
    ramp.fill(0, 1, values)
    extend, retract = values[:n_ext], values[n_ext:]
    if len(extend) < 2 or len(retract) < 2:
        return
    if (extend[-1] - extend[0]) * (retract[-1] - retract[0]) < 0:
        return
    for name, channel in list(channels.items()):
        if name == "time":
            continue
        column = channel.column
        assert isinstance(column, ArrayColumn)
        both = column.values
        flipped = np.concatenate([both[:n_ext], both[n_ext:][::-1]])
        channels[name] = Channel(
            name,
            channel.unit,
            ArrayColumn(flipped, rows),
            channel.gain,
            channel.offset,
            channel.original,
            channel.source,
        )
    metadata.warn("both halves were exported in one direction of z; the retract is turned around")
