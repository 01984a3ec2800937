"""Maps that were split into a file per point and channel, in folders of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nrm_importers.asylum.igor_wave import IgorWave, read_wave
from nrm_importers.metadata import Metadata
from nrm_plugin.columns import IntArray
from nrm_plugin.errors import CorruptFile, NrmError

_POINT = re.compile(r"(?P<before>.*)Line(?P<line>\d{4})Point(?P<point>\d{4})(?P<channel>\w+)\.ibw")
_FOLDER = re.compile(r"Line\d{4}")

#: So many other waves, at most, are looked at for the image that holds a map's calibration.
_IMAGES = 64


@dataclass(frozen=True, kw_only=True)
class SplitMap:
    """Points of a map, line by line.

    Attributes
    ----------
    waves : list of dict of str to IgorWave
        For each point, its channels.
    rows, columns : (n,) arrays of int
        Line and point.
    grid : (int, int) or None
        Where all of them are there.
    left_out : int
        Points that lack a channel, or samples of one.
    """

    waves: list[dict[str, IgorWave]]
    rows: IntArray
    columns: IntArray
    grid: tuple[int, int] | None
    left_out: int


def find_map(path: Path, wave: IgorWave) -> SplitMap | None:
    """Find the map that a file belongs to: its own folder, and those of other lines beside it.

    Returns None for a file that is no channel of a point.

    Raises
    ------
    CorruptFile
        If the channels differ in length at every point.
    """
    match = _POINT.fullmatch(path.name)
    if match is None or len(wave.shape) != 1:
        return None
    folders = [path.parent]
    if _FOLDER.fullmatch(path.parent.name):
        folders = sorted(
            p for p in path.parent.parent.iterdir() if p.is_dir() and _FOLDER.fullmatch(p.name)
        )
    found: dict[tuple[int, int], dict[str, Path]] = {}
    for folder in folders:
        for one in sorted(folder.glob("*.ibw")):
            other = _POINT.fullmatch(one.name)
            if other is not None and other["before"] == match["before"]:
                place = int(other["line"]), int(other["point"])
                found.setdefault(place, {})[other["channel"]] = one
    places = sorted(found)
    most = max((found[p] for p in places), key=len)
    whole = []
    waves = []
    for place in places:
        if set(found[place]) != set(most):
            continue
        channels = {name: read_wave(found[place][name]) for name in sorted(most)}
        if len({w.shape for w in channels.values()}) > 1:
            continue
        # The first samples are missing in one channel or in several: the curve begins behind them.
        lead = max(w.lead for w in channels.values())
        whole.append(place)
        waves.append({name: replace(w, lead=lead) for name, w in channels.items()})
    if not whole:
        raise CorruptFile(path, None, "channels of one length at each point", "others at all")
    rows, columns = np.array(whole, np.int64).T
    shape = int(rows.max()) + 1, int(columns.max()) + 1
    return SplitMap(
        waves=waves,
        rows=rows,
        columns=columns,
        grid=shape if shape[0] * shape[1] == len(whole) and len(whole) > 1 else None,
        left_out=len(places) - len(whole),
    )


def calibration_of(path: Path, metadata: Metadata) -> IgorWave | None:
    """Return the image with a map's calibration, if there is just one beside it or above it."""
    folders = [path.parent]
    if _FOLDER.fullmatch(path.parent.name):
        folders += [path.parent.parent, path.parent.parent.parent]
    images = []
    for folder in folders:
        others = [p for p in sorted(folder.glob("*.ibw")) if _POINT.fullmatch(p.name) is None]
        for other in others[:_IMAGES]:
            try:
                wave = read_wave(other)
            except NrmError:
                continue
            if len(wave.shape) == 3 and "FMapScanPoints" in wave.note.values:
                images.append(wave)
        if images:
            break
    if len(images) == 1:
        return images[0]
    metadata.warn(
        "the map's own files have no calibration, and "
        + ("no image of the map lies" if not images else f"{len(images)} images of maps lie")
        + " beside them: give spring_constant and deflection_sensitivity"
    )
    return None
