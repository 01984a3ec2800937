"""Images."""

from __future__ import annotations

import math

from nrm_importers.gwyddion.names import si_unit, split_title, unit_text
from nrm_importers.gwyddion.positions import is_length
from nrm_importers.gwyddion.stored_columns import ImageColumn
from nrm_importers.gwyddion.tree import Node
from nrm_importers.metadata import Metadata
from nrm_plugin.images import Image


def read_image(
    node: Node, title: str, number: int, meta: dict[str, str], metadata: Metadata
) -> Image:
    """Make an image of a data field, without reading it.

    Raises
    ------
    CorruptFile
        If its numbers are not as many as it says.
    """
    columns, rows, data = node.integer("xres"), node.integer("yres"), node.numbers("data")
    if columns < 1 or rows < 1 or data is None or data.count != rows * columns:
        count = "none" if data is None else data.count
        raise node.source.corrupt(node.start, f"an image of {rows} x {columns}", count)
    gain, unit, warning = si_unit(unit_text(node.child("si_unit_z") or node.child("unit_z")))
    metadata.warn(warning)
    name, direction = split_title(title)
    if direction.lower() not in ("trace", "retrace"):
        name, direction = title, meta.get("Line Direction", "")
    direction = direction.lower()
    return Image(
        name or f"image {number}",
        ImageColumn(node.source.stamp, data, rows, columns),
        unit,
        _size(node),
        direction if direction in ("trace", "retrace") else "",
        shape=(rows, columns),
        gain=gain,
        original=title,
    )


def _size(node: Node) -> tuple[float, float]:
    """Width and height in m; nan where they are no lengths."""
    size = (node.number("xreal"), node.number("yreal"))
    if not is_length(node, "si_unit_xy", "unit_xy") or not all(0 < s < 1 for s in size):
        return math.nan, math.nan
    return size
