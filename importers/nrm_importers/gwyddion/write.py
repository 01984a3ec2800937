"""Write curves and images so that Gwyddion 2.60 and later, and Gwyddion 3, open them.

Curves on a grid become a curve map, others graphs. Rules that real programs made necessary:

* A curve with a unit comes first, and a curve without one gets `NO_UNIT`: Gwyddion 2.62 drops all
  units where the first is empty, and writes a broken file where another is.
* Only keys that Gwyddion 3 knows: no palettes of previews, no metadata without their object, and
  no single spectra, which it refuses.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nrm_importers.gwyddion import file_parts
from nrm_importers.gwyddion.file_parts import LIMIT, FilePart
from nrm_importers.gwyddion.names import MARK, NO_UNIT
from nrm_importers.gwyddion.write_curve_map import curve_map, map_pixels
from nrm_importers.gwyddion.write_graphs import graphs
from nrm_plugin import __version__
from nrm_plugin.errors import InvalidInput, OutputError
from nrm_plugin.images import Image
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.vocabulary import METADATA


def write_gwy(data: CurveSet, path: Path) -> None:
    """Write a file of Gwyddion 2.

    Raises
    ------
    InvalidInput
        If there are neither curves nor images.
    OutputError
        If it would have 4 GiB or more.
    """
    if not data.n_samples and not data.images:
        raise InvalidInput("there is nothing to write: neither samples nor images")
    meta = texts(data)
    parts: list[FilePart] = []
    if data.n_samples:
        channels = ordered(data)
        where = map_pixels(data)
        if where is not None:
            parts += curve_map(data, channels, where, meta)
        else:
            parts += graphs(data, channels, meta)
    for number, image in enumerate(data.images):
        parts += _image(image, number, meta if not data.n_samples else {})
    save_parts(parts, path)


def save_parts(parts: list[FilePart], path: Path) -> None:
    """Write a file of some components.

    Raises
    ------
    OutputError
        If it would have 4 GiB or more.
    """
    whole = file_parts.body("GwyContainer", parts)
    if whole.size + 4 >= LIMIT:
        raise OutputError(
            path,
            f"a .gwy file holds less than 4 GiB, this one needs {whole.size / 2**30:.1f} GiB: "
            "save as .h5, or fewer curves",
        )
    with path.open("wb") as file:
        file.write(b"GWYP")
        for chunk in whole.chunks():
            file.write(chunk)


def ordered(curves: CurveSet) -> list[Channel]:
    """Channels in the order of the file, each column once, and one with a unit first.

    ``height`` is not written where it is another channel under a second name; which one that is
    stands in the metadata.
    """
    channels = list(curves.channels.values())
    height = curves.channels.get("height")
    named = {"sensor": "height_sensor", "commanded": "height_commanded"}
    twin = curves.channels.get(named.get(str(curves.metadata.get("height_source")), ""))
    if (
        height is not None
        and twin is not None
        and (height.column is twin.column)
        and (height.gain, height.offset, height.unit) == (twin.gain, twin.offset, twin.unit)
    ):
        channels.remove(height)
    first = ["height", "height_sensor", "height_commanded"]
    rank = {name: number for number, name in enumerate(first)}
    return sorted(channels, key=lambda c: (not c.unit, rank.get(c.name, len(first))))


def unit_of(channel: Channel) -> str:
    """Unit as it is written."""
    return channel.unit or NO_UNIT


def texts(curves: CurveSet) -> dict[str, str]:
    """Metadata as texts that this package's importer can take back."""
    out = {MARK: __version__}
    if curves.origins:
        out["source"] = ", ".join(o.name for o in curves.origins[:10])
    for name, value in curves.metadata.items():
        key = METADATA.get(name)
        if isinstance(value, bool):
            out[name] = str(value).lower()
        elif isinstance(value, str):
            out[name] = value
        else:
            out[name] = f"{float(value)!r} {key.unit if key else ''}".rstrip()
    return out


def _image(image: Image, number: int, meta: dict[str, str]) -> list[FilePart]:
    """Components of one image; Gwyddion has the topmost row first, an `Image` the lowest."""
    rows, columns = image.shape
    known = all(np.isfinite(s) and s > 0 for s in image.size)
    width, height = image.size if known else (float(columns), float(rows))
    field = [
        file_parts.small("xres", columns, "i"),
        file_parts.small("yres", rows, "i"),
        file_parts.small("xreal", width, "d"),
        file_parts.small("yreal", height, "d"),
        file_parts.unit("si_unit_xy", "m" if known else ""),
        file_parts.unit("si_unit_z", image.unit),
        file_parts.numbers("data", rows * columns, lambda: [image.data[::-1]]),
    ]
    title = f"{image.name} [{image.direction}]" if image.direction else image.name
    out = [
        file_parts.item(f"/{number}/data", file_parts.body("GwyDataField", field)),
        file_parts.text(f"/{number}/data/title", title),
        file_parts.small(f"/{number}/data/visible", True, "b"),
    ]
    return out + ([file_parts.dictionary(f"/{number}/meta", meta)] if meta else [])
