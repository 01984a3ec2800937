"""Park's binary headers as packed types, field by field.

Versions 1.0.1 and 1.0.2 begin alike; the later one goes on where the earlier one ends.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from nrm_importers.park.tiff import Tiff
from nrm_plugin.errors import CorruptFile

V1, V2 = 0x01000001, 0x01000002

#: Types of samples by their number in the header; version 1.0.1 knows the first only.
SAMPLES = (np.dtype("<i2"), np.dtype("<i4"), np.dtype("<f4"))

_Fields = list[tuple[Any, ...]]


def _text(name: str, length: int) -> tuple[Any, ...]:
    """Text of 16-bit characters, filled up with NULs."""
    return name, "<u2", (length,)


_IMAGE_1: _Fields = [
    ("type", "<i4"),
    _text("source", 32),
    _text("head_mode", 8),
    ("low_pass_filter", "<f8"),
    ("auto_flatten", "<i4"),
    ("ac_track", "<i4"),
    ("width", "<i4"),
    ("height", "<i4"),
    ("angle", "<f8"),
    ("sine_scan", "<i4"),
    ("overscan", "<f8"),
    ("forward", "<i4"),
    ("up", "<i4"),
    ("swap_xy", "<i4"),
    ("x_size_um", "<f8"),
    ("y_size_um", "<f8"),
    ("x_offset_um", "<f8"),
    ("y_offset_um", "<f8"),
    ("scan_rate", "<f8"),
    ("set_point", "<f8"),
    _text("set_point_unit", 8),
    ("tip_bias", "<f8"),
    ("sample_bias", "<f8"),
    ("gain", "<f8"),
    ("z_scale", "<f8"),
    ("z_offset", "<f8"),
    _text("unit", 8),
    ("minimum", "<i4"),
    ("maximum", "<i4"),
    ("average", "<i4"),
    ("compression", "<i4"),
    ("log_scale", "<i4"),
    ("square", "<i4"),
]
_IMAGE_2: _Fields = [
    *_IMAGE_1,
    ("z_servo_gain", "<f8"),
    ("z_scanner_range", "<f8"),
    _text("xy_voltage_mode", 8),
    _text("z_voltage_mode", 8),
    _text("xy_servo_mode", 8),
    ("data_type", "<i4"),
    ("pdd_regions", "<i4", (2,)),
    ("ncm_amplitude", "<f8"),
    ("ncm_frequency", "<f8"),
    ("head_rotation", "<f8"),
    _text("cantilever", 16),
    ("rest", "V164"),
]
_SOURCE: _Fields = [
    _text("name", 32),
    _text("unit", 8),
    ("gain", "<f8"),
    ("is_x", "<i4"),
    ("is_y", "<i4"),
]
_SPECTROSCOPY_1: _Fields = [
    ("sources", _SOURCE, (8,)),
    ("n_channels", "<i4"),
    ("average", "<i4"),
    ("n_samples", "<i4"),
    ("n_points", "<i4"),
    ("driving_channel", "<i4"),
    ("forward_period", "<f4"),
    ("backward_period", "<f4"),
    ("forward_speed", "<f4"),
    ("backward_speed", "<f4"),
    ("volume_image", "<i4"),
    ("offset", "<f8", (8,)),
    ("log_scale", "<i4", (8,)),
    ("square", "<i4", (8,)),
]
_SPECTROSCOPY_2: _Fields = [
    *_SPECTROSCOPY_1,
    ("points_per_row", "<i4"),
    ("reference_image", "<i4"),
    ("grid_x_size_um", "<f8"),
    ("grid_y_size_um", "<f8"),
    ("grid_x_offset_um", "<f8"),
    ("grid_y_offset_um", "<f8"),
    ("force_constant", "<f8"),
    ("sensitivity_v_per_um", "<f8"),
    ("force_limit_v", "<f4"),
    ("time_interval", "<f4"),
    ("maximum_v", "<f4"),
    ("minimum_v", "<f4"),
    ("start_v", "<f4"),
    ("end_v", "<f4"),
    ("delay", "<f4"),
    ("z_servo", "<i4"),
    ("source_gain", "<f8"),
    _text("source_unit", 8),
    ("extended", "<i4"),
    ("kind", "<i4"),
    ("mode_values", "<f4", (8,)),
    ("thermal_values", "<f4", (5,)),
    ("data_type", "<i4"),
    ("set_point", "<f4"),
    ("unit_type", "<i4"),
    ("reserved", "<i4", (22,)),
]

IMAGE = {V1: np.dtype(_IMAGE_1), V2: np.dtype(_IMAGE_2)}
SPECTROSCOPY = {V1: np.dtype(_SPECTROSCOPY_1), V2: np.dtype(_SPECTROSCOPY_2)}

#: What follows the spectroscopy header, once per point.
POINT = np.dtype([("x_um", "<f4"), ("y_um", "<f4"), ("time", "<f4")])


class ParkHeader:
    """One binary header, whose fields are asked for by name.

    Parameters
    ----------
    tiff : Tiff
    tag : int
        Where it lies.
    types : dict of int to dtype
        Its layout by version.
    version : int
    """

    def __init__(self, tiff: Tiff, tag: int, types: dict[int, np.dtype[Any]], version: int) -> None:
        dtype = types[version]
        data = tiff.bytes(tag, dtype.itemsize)
        if len(data) < dtype.itemsize:
            field = tiff.fields.get(tag)
            raise CorruptFile(
                tiff.path,
                field.offset if field else None,
                f"a header of {dtype.itemsize} bytes in tag {tag}",
                f"{len(data)} bytes",
            )
        self._record = np.frombuffer(data, dtype, 1)[0]

    def get(self, name: str, default: Any) -> Any:
        """Value of a field, or `default` in versions that do not have it."""
        return self[name] if name in (self._record.dtype.names or ()) else default

    def __getitem__(self, name: str) -> Any:
        """Value of a field: number, text, or list of them."""
        return plain(self._record[name])

    def sample_type(self, tiff: Tiff) -> np.dtype[Any]:
        """Type of the samples.

        Raises
        ------
        CorruptFile
            For an unknown number.
        """
        number = self.get("data_type", 0)
        if not 0 <= number < len(SAMPLES):
            raise CorruptFile(tiff.path, None, "a data type of 0, 1 or 2", number)
        return SAMPLES[number]

    def as_dict(self) -> dict[str, Any]:
        """Return all fields by name."""
        return {name: self[name] for name in self._record.dtype.names or ()}


def believable(gain: float) -> bool:
    """Whether a gain is a number that something can be multiplied by."""
    return 1e-30 < abs(gain) < 1e30


def plain(value: Any) -> Any:
    """Value of a field without numpy's types."""
    names = getattr(value.dtype, "names", None)
    if names and value.shape:
        return [plain(one) for one in value]
    if names:
        return {name: plain(value[name]) for name in names}
    if value.dtype == np.dtype("<u2"):
        return bytes(value.tobytes()).decode("utf-16-le", "replace").split("\0")[0].strip()
    if value.dtype.kind == "V":
        return bytes(value.tobytes()).hex()
    return value.tolist()


def as_text(tiff: Tiff, headers: dict[str, ParkHeader]) -> str:
    """Return the headers and the texts among the tags as JSON: the file's own are binary."""
    texts = {"software": tiff.text(305), "date_time": tiff.text(306), "comments": tiff.text(50436)}
    parts: dict[str, Any] = {"tags": {name: text for name, text in texts.items() if text}}
    parts |= {name: header.as_dict() for name, header in headers.items()}
    return json.dumps(parts, indent=1, ensure_ascii=False)
