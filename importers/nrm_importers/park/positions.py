"""Where each curve of a TIFF file was taken, in which order, and when."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from nrm_importers.metadata import Metadata
from nrm_importers.park.headers import POINT, ParkHeader
from nrm_importers.park.tiff import DATE_TIME, SPECTROSCOPY_HEADER, Tiff
from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import CorruptFile
from nrm_plugin.tables import CurveTable

#: No measurement takes as many seconds; a longer one comes from a damaged header.
_LONGEST = 1e8

#: No stage reaches as far, in micrometres.
_FARTHEST_UM = 1e6


@dataclass(kw_only=True)
class PointPositions:
    """What the file says about its points, in the order of the file.

    Attributes
    ----------
    x, y : (n_points,) array
        In m; nan where unknown.
    times : (n_points,) array or None
        Seconds; None where the file has none.
    order : (n_points,) array of int
        The curves' points: row by row from the smallest y and x on where there is a grid.
    grid : (rows, columns) or None
    """

    x: FloatArray
    y: FloatArray
    times: FloatArray | None
    order: IntArray
    grid: tuple[int, int] | None = None


def read_positions(tiff: Tiff, header: ParkHeader, size: int, metadata: Metadata) -> PointPositions:
    """Read the table of points that follows the spectroscopy header.

    Parameters
    ----------
    size : int
        Length of the header in front of the table.

    Raises
    ------
    CorruptFile
        If the table is shorter than the header says.
    """
    n = header["n_points"]
    end = size + n * POINT.itemsize
    data = tiff.bytes(SPECTROSCOPY_HEADER, end)
    order = np.arange(n)
    if len(data) == size:
        metadata.warn("the file has no table of points: where the curves were taken is not known")
        unknown = np.full(n, np.nan)
        return PointPositions(x=unknown, y=unknown, times=None, order=order)
    if len(data) < end:
        raise CorruptFile(
            tiff.path,
            tiff.fields[SPECTROSCOPY_HEADER].offset + len(data),
            f"a table of {n} points",
            f"{(len(data) - size) // POINT.itemsize} points",
        )
    table = np.frombuffer(data, POINT, n, size)
    with np.errstate(invalid="ignore"):  # a damaged table may hold anything
        x, y = (_position(table[name]) for name in ("x_um", "y_um"))
        times = table["time"].astype(np.float64)
    if np.isnan(x).any() or np.isnan(y).any():
        metadata.warn("some points have no believable position")
    good = np.isfinite(times).all() and (np.diff(times) >= 0).all()
    known = bool(good and times[-1] > times[0] >= 0 and times[-1] < _LONGEST)
    points = PointPositions(x=x, y=y, times=times if known else None, order=order)
    if header["volume_image"]:
        _lay_grid(points, header, metadata)
    return points


def _position(um: AnyArray) -> FloatArray:
    """Coordinates in m, nan for what no stage reaches."""
    wide = um.astype(np.float64)
    known = np.isfinite(wide) & (np.abs(wide) < _FARTHEST_UM)
    return np.where(known, wide, np.nan) * 1e-6


def _lay_grid(points: PointPositions, header: ParkHeader, metadata: Metadata) -> None:
    """Put the points of a volume in order, row by row from the smallest y and x on."""
    n = len(points.x)
    per_row = header.get("points_per_row", 0)
    if per_row == 0:
        per_row = math.isqrt(n)
    if per_row <= 0 or n % per_row:
        metadata.warn(f"{n} points are no whole rows of {per_row}: read as single points")
        return
    index = np.arange(n).reshape(-1, per_row)
    along_x, along_y = (
        np.nanmedian(np.abs(np.diff(p[index], axis=1))) if per_row > 1 else math.inf
        for p in (np.nan_to_num(points.x), np.nan_to_num(points.y))
    )
    if along_y > along_x:
        index = index.T
    index = index[np.argsort(points.y[index].mean(axis=1), kind="stable")]
    backward = points.x[index[:, -1]] < points.x[index[:, 0]]
    index[backward] = index[backward, ::-1]
    if not _is_grid((points.x + 1j * points.y)[index]):
        metadata.warn("the points do not lie on the grid that the header announces: read as points")
        return
    points.order = index.reshape(-1)
    points.grid = index.shape


def _is_grid(points: AnyArray) -> bool:
    """Whether places (x + iy), row by row, lie on a grid of parallelograms, to a quarter of one."""
    rows, columns = points.shape
    along = (points[:, -1] - points[:, 0]).mean() / max(columns - 1, 1)
    across = (points[-1] - points[0]).mean() / max(rows - 1, 1)
    steps = [abs(step) for step, n in ((along, columns), (across, rows)) if n > 1]
    if not all(step > 0 for step in steps):
        return False
    if len(steps) == 2 and abs((along.conjugate() * across).imag) < 0.1 * steps[0] * steps[1]:
        return False
    row, column = np.mgrid[:rows, :columns]
    off = points - row * across - column * along
    return not steps or bool((np.abs(off - off.mean()) < 0.25 * min(steps)).all())


def date_of(tiff: Tiff) -> str | None:
    """Date of the file as ISO 8601, or None."""
    try:
        return datetime.strptime(tiff.text(DATE_TIME), "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return None


def curve_table(
    points: PointPositions, date: str | None, durations: Callable[[], FloatArray]
) -> Callable[[], CurveTable]:
    """Positions, order and start times, worked out when they are asked for.

    The file has one date. Whether it is that of the first curve or of the saving is not known,
    and the uncertainty covers both. Without times of the points, the curves are taken to follow
    each other without a break.

    Parameters
    ----------
    durations : function
        Seconds of each curve, in the order of the curves.
    """

    def table() -> CurveTable:
        order, n = points.order, len(points.order)
        out: dict[str, AnyArray] = {
            "x": points.x[order],
            "y": points.y[order],
            "acquisition_order": order,
        }
        if points.grid is not None:
            out["row"], out["column"] = np.divmod(np.arange(n), points.grid[1])
        if date is None:
            return out
        seconds = durations()
        believable = bool(((seconds >= 0) & (seconds < _LONGEST)).all())
        total = float(seconds.sum()) if believable else math.nan
        if points.times is not None:
            late, source = points.times[order], "point_time"
            total = float(points.times[-1]) + (float(seconds.max()) if believable else 0.0)
        elif n > 1 and believable:
            in_time = np.empty(n)
            in_time[order] = seconds
            late, source = (np.cumsum(in_time) - in_time)[order], "file_date_and_order"
        else:
            late, source = np.zeros(n), "file_date"
        out["start_time"] = np.datetime64(date, "us") + np.round(late * 1e6).astype("m8[us]")
        out["start_time_source"] = np.broadcast_to(np.array(source, "U20"), n)
        out["start_time_uncertainty"] = np.full(n, 1.0 + total if math.isfinite(total) else np.nan)
        return out

    return table
