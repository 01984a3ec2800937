"""Where the curves of an archive were taken, and when."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nrm_importers.jpk.archive import JpkArchive
from nrm_importers.jpk.java_properties import Properties, number, parse, whole
from nrm_importers.jpk.member_columns import SegmentClock
from nrm_plugin.columns import AnyArray
from nrm_plugin.errors import CorruptFile
from nrm_plugin.tables import CurveTable

_STAMP = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?: ([+-]\d\d)(\d\d))?")

#: Between two segments there are up to so many seconds that no header has.
_BETWEEN = 0.05

#: No stage reaches as far, m.
_FARTHEST = 1.0

#: Up to so many curves, all positions are read when a map is opened; of larger ones, so many.
_LOOKED_AT = 64


@dataclass(frozen=True, kw_only=True)
class MapGrid:
    """The grid of a map, as its header plans it.

    Attributes
    ----------
    columns, rows : int
        Along the fast and the slow axis.
    back_and_forth : bool
        Whether every second row was taken backward.
    length : float
        Along the fast axis, m; points are the middles of cells.
    angle : float or None
        rad.
    """

    columns: int
    rows: int
    back_and_forth: bool
    length: float | None
    angle: float | None

    def place(self, index: AnyArray) -> tuple[AnyArray, AnyArray]:
        """Row and column of points that are numbered in the order of the scan."""
        row, column = np.divmod(index, self.columns)
        if self.back_and_forth:
            column = np.where(row % 2 == 1, self.columns - 1 - column, column)
        return row, column


def grid_of(header: Properties) -> MapGrid | None:
    """Read the grid in the header of a map; None where there is none."""
    at = next((k.removesuffix("ilength") for k in header if k.endswith("grid.ilength")), None)
    if at is None:
        return None
    columns, rows = whole(header, f"{at}ilength"), whole(header, f"{at}jlength")
    if not columns or not rows or not (0 < columns < 1 << 20 and 0 < rows < 1 << 20):
        return None
    pattern = at.removesuffix("grid.")
    return MapGrid(
        columns=columns,
        rows=rows,
        back_and_forth=header.get(f"{pattern}back-and-forth") == "true",
        length=number(header, f"{at}ulength"),
        angle=number(header, f"{at}theta"),
    )


class Places:
    """Positions of the curves, from their own headers.

    Parameters
    ----------
    archive : JpkArchive
    grid : MapGrid or None
    """

    def __init__(self, archive: JpkArchive, grid: MapGrid | None) -> None:
        self._archive, self._grid = archive, grid
        self._members = archive.members("header.properties")
        n = archive.n_curves
        some = np.unique(np.linspace(0, n - 1, _LOOKED_AT).astype(np.int64))
        complete = grid is not None and grid.rows * grid.columns == n
        self.complete = complete and self._in_order(some)

    def _in_order(self, curves: AnyArray) -> bool:
        """Whether the folders count the points of the scan, as far as is looked."""
        index = self._read(curves)[0]
        return bool((index == self._archive.directory.folders[curves]).all())

    @property
    def order(self) -> AnyArray | None:
        """Curves row by row from the smallest y and x on, where the grid is complete."""
        if not self.complete or self._grid is None:
            return None
        row, column = self._grid.place(np.arange(self._archive.n_curves))
        return np.lexsort((column, row))

    def _read(self, curves: AnyArray) -> tuple[AnyArray, AnyArray, AnyArray]:
        """Number in the scan (-1 unknown), x and y of some curves."""
        index = np.full(len(curves), -1, np.int64)
        x, y = (np.full(len(curves), np.nan) for _ in "xy")
        archive = self._archive
        with archive.stamp.opened() as file:
            for i, curve in enumerate(curves.tolist()):
                member = int(self._members[curve])
                if member < 0:
                    continue
                header = archive.header
                if archive.is_map:
                    header = parse(archive.directory.text(member, file))
                at = f"{header.get('type', '')}.header.position"
                found = whole(header, f"{at}-index")
                index[i] = -1 if found is None or not 0 <= found < 1 << 40 else found
                for values, key in ((x, "x"), (y, "y")):
                    value = number(header, f"{at}.{key}")
                    if value is not None and abs(value) < _FARTHEST:
                        values[i] = value
        return index, x, y

    def table(self, clock: SegmentClock) -> Callable[[], CurveTable]:
        """Positions, places on the grid and start times, worked out when they are asked for.

        A segment's time stamp is that of its end. The clock is the instrument's own; its distance
        from universal time is left out, as the vocabulary wants it.
        """

        def read() -> CurveTable:
            archive, grid = self._archive, self._grid
            every = np.arange(archive.n_curves)
            index, x, y = self._read(every)
            out: dict[str, AnyArray] = {"x": x, "y": y}
            if grid is not None:
                row, column = grid.place(index)
                known = (index >= 0) & (row < grid.rows)
                out["row"], out["column"] = (np.where(known, v, -1) for v in (row, column))
            if self.complete and (index != archive.directory.folders).any():
                one = int(np.argmax(index != archive.directory.folders))
                raise CorruptFile(
                    archive.stamp.path, None, f"point {one} in folder {one}", f"point {index[one]}"
                )
            starts, ahead = self._starts(clock)
            if not np.isnat(starts).all():
                known = ~np.isnat(starts)
                out["start_time"] = starts
                out["start_time_source"] = np.where(known, "point_time", "unknown")
                out["start_time_uncertainty"] = np.where(known, _BETWEEN, np.nan)
                out["acquisition_order"] = np.argsort(np.argsort(starts - ahead, kind="stable"))
            return out

        return read

    def _starts(self, clock: SegmentClock) -> tuple[AnyArray, AnyArray]:
        """Begin of each curve, NaT where it is unknown, and how far its clock was ahead of UTC."""
        archive = self._archive
        out = np.full(archive.n_curves, np.datetime64("NaT", "us"))
        ahead = np.zeros(archive.n_curves, "m8[m]")
        durations = clock.durations(0, archive.n_curves)
        firsts = (archive.segments >= 0).argmax(axis=1)
        with archive.stamp.opened() as file:
            for curve, s in enumerate(firsts.tolist()):
                header = archive.segment_header(file, curve, s)
                stamp = header.get("force-segment-header.time-stamp", "")
                end = stamp_of(stamp)
                if end is not None:
                    ahead[curve] = _ahead(stamp)
                    out[curve] = end - np.timedelta64(round(durations[curve, s] * 1e6), "us")
        return out, ahead


def _ahead(stamp: str) -> np.timedelta64:
    """How far the clock of a time stamp was ahead of UTC; 0 where that is not told."""
    match = _STAMP.match(stamp)
    hours, minutes = (match[3], match[4]) if match and match[3] else ("+00", "00")
    return np.timedelta64(60 * int(hours) + int(f"{hours[0]}{minutes}"), "m")


def stamp_of(text: str) -> np.datetime64 | None:
    """Return a time stamp on the instrument's own clock.

    Examples
    --------
    >>> str(stamp_of("2013-05-27 13:57:03.320 +0200"))
    '2013-05-27T13:57:03.320000'
    """
    match = _STAMP.match(text)
    if match is None:
        return None
    try:
        stamp = np.datetime64(f"{match[1]}T{match[2]}", "us")
    except ValueError:
        return None
    return stamp
