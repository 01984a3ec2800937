"""Write results so that Gwyddion shows them: volume data, images, graphs, beside the curve map.

All of a file stands upright: the row with the smallest y is the lowest, in the curve map too.
Gwyddion's images have no numbers for "no value": such places are masked and hold the mean of the
others, as Gwyddion does it. Volume data have no masks, and Gwyddion 2.62 shows planes with nan all
black: there it is 0, and a volume of 0 and 1 says where values are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nrm_importers.gwyddion import file_parts
from nrm_importers.gwyddion.file_parts import FilePart
from nrm_importers.gwyddion.names import RESULTS, UPWARDS
from nrm_importers.gwyddion.write import ordered, save_parts, texts
from nrm_importers.gwyddion.write_curve_map import MapPixels, curve_map
from nrm_plugin import __version__
from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import InvalidInput

if TYPE_CHECKING:
    from nrm_plugin.statistics.map_frames import MapFrame
    from nrm_plugin.statistics.result_views import (
        ResultCurves,
        ResultGraph,
        ResultImage,
        ResultViews,
        ResultVolume,
    )

#: Colours of regions, from the highest potential.
_COLOURS = (
    (0.00, 0.27, 0.55),
    (0.80, 0.25, 0.10),
    (0.10, 0.50, 0.20),
    (0.50, 0.20, 0.60),
    (0.45, 0.35, 0.10),
    (0.00, 0.55, 0.60),
)

#: Lines of a region in a graph: the mean, and both ends of its interval.
_LINES = 3


def write_views(views: ResultViews, path: Path) -> None:
    """Write results as `nrm_plugin.statistics.result_views` shows them.

    Raises
    ------
    InvalidInput
        If there is nothing to show.
    OutputError
        If the file would have 4 GiB or more.
    """
    about = {RESULTS: __version__, **views.about}
    parts: list[FilePart] = []
    for number, curves in enumerate(views.curve_maps):
        parts += _curves(curves, number)
    for number, volume in enumerate(views.volumes):
        parts += _volume(volume, number, about)
    for number, image in enumerate(views.images):
        parts += _image(image, number, about)
    for number, graph in enumerate(views.graphs, start=1):
        parts.append(file_parts.item(f"/0/graph/graph/{number}", _graph(graph)))
        shown = number == len(views.graphs)
        parts.append(file_parts.small(f"/0/graph/graph/{number}/visible", shown, "b"))
    if not parts:
        raise InvalidInput("there is nothing to show: neither profiles nor maps in these results")
    save_parts(parts, path)


def _curves(of: ResultCurves, number: int) -> list[FilePart]:
    """Components of a curve map, its rows upwards."""
    frame = of.frame
    cell = np.full(frame.rows * frame.columns, -1, np.int64)
    cell[frame.cell] = np.arange(of.curves.n_curves)
    pixels = MapPixels(frame.rows, frame.columns, _upright(cell, frame).reshape(-1))
    meta = {**texts(of.curves), UPWARDS: "true"}
    return curve_map(
        of.curves,
        ordered(of.curves),
        pixels,
        meta,
        number=number,
        extent=_extent(frame),
        title=of.title,
    )


def _volume(volume: ResultVolume, number: int, about: Mapping[str, str]) -> list[FilePart]:
    """Components of volume data; its z axis is calibrated with the exact distances."""
    frame, depth = volume.frame, volume.depth
    count = len(depth) * frame.rows * frame.columns
    span = float(depth[-1] - depth[0]) if len(depth) > 1 else 1e-9
    level = span / max(len(depth) - 1, 1)
    axis = [
        file_parts.small("res", len(depth), "i"),
        file_parts.small("real", level * len(depth), "d"),
        file_parts.small("off", float(depth[0]), "d"),
        file_parts.unit("si_unit_x", ""),
        file_parts.unit("si_unit_y", "m"),
        file_parts.numbers("data", len(depth), lambda: [depth]),
    ]
    known = _known(frame)

    def numbers() -> list[AnyArray]:
        values = volume.values()[:, ::-1, :]
        return [np.where(np.isfinite(values), values, 0.0)]

    brick = [
        file_parts.small("xres", frame.columns, "i"),
        file_parts.small("yres", frame.rows, "i"),
        file_parts.small("zres", len(depth), "i"),
        *_extent(frame, units=False),
        file_parts.small("zreal", level * len(depth), "d"),
        file_parts.small("zoff", float(depth[0]), "d"),
        file_parts.unit("si_unit_x", "m" if known else ""),
        file_parts.unit("si_unit_y", "m" if known else ""),
        file_parts.unit("si_unit_z", "m"),
        file_parts.unit("si_unit_w", volume.unit),
        file_parts.numbers("data", count, numbers),
        file_parts.items("calibration", [file_parts.body("GwyDataLine", axis)]),
    ]

    def preview() -> list[AnyArray]:
        return [_mean_over_depth(volume.values())[::-1]]

    key = f"/brick/{number}"
    return [
        file_parts.item(key, file_parts.body("GwyBrick", brick)),
        file_parts.item(
            f"{key}/preview", _field(frame, volume.unit, frame.rows * frame.columns, preview)
        ),
        file_parts.text(f"{key}/title", volume.title),
        file_parts.small(f"{key}/visible", volume.shown, "b"),
        file_parts.dictionary(f"{key}/meta", {**about, **volume.about}),
    ]


def _mean_over_depth(values: FloatArray) -> FloatArray:
    """Mean of every place over its distances; the least of all where it has none."""
    there = np.isfinite(values)
    count = there.sum(0)
    mean = np.where(there, values, 0.0).sum(0) / np.maximum(count, 1)
    lowest = mean[count > 0].min(initial=np.inf)
    return np.where(count > 0, mean, lowest if np.isfinite(lowest) else 0.0)


def _image(image: ResultImage, number: int, about: Mapping[str, str]) -> list[FilePart]:
    """Components of an image; marked places are its mask."""
    frame, there = image.frame, np.isfinite(image.values)
    filled = np.where(there, image.values, image.values[there].mean() if there.any() else 0.0)
    count = frame.rows * frame.columns
    said = {**about, **image.about}
    missing = int((~there).sum())
    if missing:
        said["places without a value"] = f"{missing}, masked; they hold the mean of the others"
    out = [
        file_parts.item(
            f"/{number}/data", _field(frame, image.unit, count, lambda: [filled[::-1]])
        ),
        file_parts.text(f"/{number}/data/title", image.title),
        file_parts.small(f"/{number}/data/visible", image.shown, "b"),
        file_parts.dictionary(f"/{number}/meta", said),
    ]
    if image.marked.any():
        mask = _field(frame, "", count, lambda: [image.marked[::-1].astype(np.float64)])
        out.append(file_parts.item(f"/{number}/mask", mask))
    return out


def _field(frame: MapFrame, unit: str, count: int, make: file_parts.Pieces) -> FilePart:
    """Return an image's numbers."""
    return file_parts.body(
        "GwyDataField",
        [
            file_parts.small("xres", frame.columns, "i"),
            file_parts.small("yres", frame.rows, "i"),
            *_extent(frame),
            file_parts.unit("si_unit_z", unit),
            file_parts.numbers("data", count, make),
        ],
    )


def _extent(frame: MapFrame, *, units: bool = True) -> list[FilePart]:
    """Size of a map; in pixels where positions are not known."""
    known = _known(frame)
    width, height = frame.size if known else (float(frame.columns), float(frame.rows))
    size = [file_parts.small("xreal", width, "d"), file_parts.small("yreal", height, "d")]
    return size + ([file_parts.unit("si_unit_xy", "m" if known else "")] if units else [])


def _known(frame: MapFrame) -> bool:
    return all(np.isfinite(s) and s > 0 for s in frame.size)


def _upright(cells: AnyArray, frame: MapFrame) -> AnyArray:
    """Values of cells with the topmost row first, as Gwyddion has it."""
    return cells.reshape(frame.rows, frame.columns)[::-1]


def _graph(graph: ResultGraph) -> FilePart:
    """Return a graph: a colour for every region, thin lines for the ends of the interval."""
    lines = []
    for number, (name, x, y) in enumerate(graph.lines):
        if not len(x):
            continue
        colour = _COLOURS[number // _LINES % len(_COLOURS)]
        mean = number % _LINES == 0
        lines.append(
            file_parts.body(
                "GwyGraphCurveModel",
                [
                    file_parts.text("description", name),
                    *(
                        file_parts.small(f"color.{channel}", value, "d")
                        for channel, value in zip(("red", "green", "blue"), colour, strict=True)
                    ),
                    file_parts.small("type", 2, "i"),
                    file_parts.small("line_size", 2 if mean else 1, "i"),
                    file_parts.small("line_style", 0 if mean else 1, "i"),
                    file_parts.numbers("xdata", len(x), lambda x=x: [x]),  # type: ignore[misc]
                    file_parts.numbers("ydata", len(y), lambda y=y: [y]),  # type: ignore[misc]
                ],
            )
        )
    return file_parts.body(
        "GwyGraphModel",
        [
            file_parts.text("title", graph.title),
            file_parts.text("top_label", RESULTS),
            file_parts.text("bottom_label", "distance from the electrode"),
            file_parts.text("left_label", graph.label),
            file_parts.unit("x_unit", "m"),
            file_parts.unit("y_unit", graph.unit),
            *_range(graph),
            file_parts.items("curves", lines),
        ],
    )


def _range(graph: ResultGraph) -> list[FilePart]:
    """Range of the ordinate: that of the means, whose intervals may be many times as wide."""
    means = [y for _, _, y in graph.lines[::_LINES] if len(y)]
    if not means:
        return []
    every = np.concatenate(means)
    low, high = min(float(every.min()), 0.0), max(float(every.max()), 0.0)
    margin = 0.1 * (high - low)
    if not margin > 0.0:
        return []
    return [
        file_parts.small("y_min", low - (margin if low < 0.0 else 0.0), "d"),
        file_parts.small("y_min_set", True, "b"),
        file_parts.small("y_max", high + margin, "d"),
        file_parts.small("y_max_set", True, "b"),
    ]
