"""Curves for other programs: NumPy's archives, and the HDF5 that afmformats and nanite read."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nrm_plugin import __version__
from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import InvalidInput, MissingCalibration
from nrm_plugin.model import CurveSet
from nrm_plugin.store.nexus import Disk

log = logging.getLogger("nrm")

#: The version of afmformats whose HDF5 is written.
_AFMFORMATS = "0.18.0"


def write_npz(curves: CurveSet, path: Path) -> None:
    """Write every channel as a flat array in SI, with ``row_size``, segments, table and metadata.

    Arrays are ``channel/NAME``, ``row_size``, ``segments`` (curve, start, stop, kind),
    ``table/NAME``; ``metadata`` and ``units`` are JSON. Numbers are written piece by piece.
    """
    if not curves.n_curves:
        raise InvalidInput("there are no curves to write; images go to .h5")
    units = {name: channel.unit for name, channel in curves.channels.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name in curves.channels:
            with archive.open(f"channel/{name}.npy", "w", force_zip64=True) as file:
                header = {"descr": "<f8", "fortran_order": False, "shape": (curves.n_samples,)}
                np.lib.format.write_array_header_1_0(file, header)
                for first, stop in curves.blocks(1 << 20):
                    file.write(curves.read(name, slice(first, stop)).astype("<f8").tobytes())
        small = {"row_size": curves.row_size, "segments": curves.segments}
        small |= {f"table/{name}": _plain(curves.curve_table[name]) for name in curves.curve_table}
        small["metadata"] = np.array(json.dumps(dict(curves.metadata), default=str))
        small["units"] = np.array(json.dumps(units))
        for name, values in small.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)


def write_afmformats(curves: CurveSet, path: Path) -> None:
    """Write the HDF5 that afmformats reads, and so nanite and PyJibe.

    A group per curve, ``0`` and on: force (N), height (m), time (s) and ``segment`` (0 approach, 1
    retract). Their ``height (measured)`` is our ``height``, which nanite asks for, also where that
    is the commanded ramp. A curve needs an approach and a retract; what lies between them is left
    out, and so are curves without one of them, which is told.

    Raises
    ------
    InvalidInput
        If there is no height or no force, and how to have it.
    MissingCalibration
        If the deflection cannot become a force.
    """
    force = _force(curves)
    segments = curves.segments
    firsts = np.searchsorted(segments["curve"], np.arange(curves.n_curves + 1))
    table = curves.curve_table
    with Disk(path, "w+") as disk, h5py.File(disk, "w") as file:
        file.attrs["software"] = "afmformats"
        file.attrs["software version"] = _AFMFORMATS
        number = 0
        for curve in range(curves.n_curves):
            parts = _parts(segments[firsts[curve] : firsts[curve + 1]])
            if not {"approach", "retract"} <= set(parts):
                continue
            (a, b), (c, d) = parts["approach"], parts["retract"]
            group = file.create_group(str(number))
            columns = {"force": force(curve), "height (measured)": curves.read("height", curve)}
            if "height_commanded" in curves.channels:
                columns["height (piezo)"] = curves.read("height_commanded", curve)
            if "time" in curves.channels:
                columns["time"] = curves.read("time", curve)
            for name, values in columns.items():
                data = np.concatenate([values[a:b], values[c:d]])
                made = group.create_dataset(name, data=data, compression="gzip", fletcher32=True)
                made.attrs["unit"] = {"force": "N", "time": "s"}.get(name, "m")
            kinds = np.repeat(np.array([0, 1], np.uint8), [b - a, d - c])
            group.create_dataset("segment", data=kinds, compression="gzip", fletcher32=True)
            group["segment"].attrs["unit"] = ""
            for key, value in _metadata(curves, table, curve, number, b - a + d - c).items():
                group.attrs[key] = value
            if "time" in columns:
                group.attrs["duration"] = float(np.ptp(columns["time"]))
            number += 1
    if 0 < number < curves.n_curves:
        log.warning(
            "afmformats: %d of %d curves have no approach or no retract and are not in it",
            curves.n_curves - number,
            curves.n_curves,
        )
    if not number:
        raise InvalidInput("no curve has both an approach and a retract, which afmformats asks for")


def _force(curves: CurveSet) -> Callable[[int], FloatArray]:
    """How the force of a curve is read, in N."""
    if "height" not in curves.channels:
        raise InvalidInput("there is no height: say which channel is it with --map NAME=height")
    if "force_normal" in curves.channels and curves.channels["force_normal"].unit == "N":
        return lambda curve: curves.read("force_normal", curve)
    if "deflection" not in curves.channels:
        raise InvalidInput("there is neither force nor deflection: --map NAME=deflection")
    needed = ["spring_constant"]
    if curves.channels["deflection"].unit != "m":
        needed.append("deflection_sensitivity")
    missing = [name for name in needed if name not in curves.metadata]
    if missing:
        raise MissingCalibration(missing)
    factor = float(np.prod([float(curves.metadata[name]) for name in needed]))
    return lambda curve: curves.read("deflection", curve) * factor


def _parts(segments: AnyArray) -> dict[str, tuple[int, int]]:
    """Start and stop of the first segment of each kind of one curve."""
    found: dict[str, tuple[int, int]] = {}
    for _, start, stop, kind in segments.tolist():
        found.setdefault(str(kind), (start, stop))
    return found


def _metadata(curves: CurveSet, table: Any, curve: int, number: int, n: int) -> dict[str, Any]:
    """Attributes of a group, by afmformats' names."""
    origin = curves.origins[0] if curves.origins else None
    out: dict[str, Any] = {
        "enum": number,
        "curve id": f"{origin.sha256[:16] if origin and origin.sha256 else 'curve'}:{curve}",
        "format": "nrm-plugin",
        "imaging mode": "force-distance",
        "path": origin.name if origin else "",
        "point count": n,
        "segment count": 2,
        "session id": origin.sha256[:16] if origin and origin.sha256 else "0",
        "software": "nrm-plugin",
        "software version": __version__,
    }
    names = {"sensitivity": "deflection_sensitivity", "spring constant": "spring_constant"}
    out |= {key: float(curves.metadata[n]) for key, n in names.items() if n in curves.metadata}
    for key, column in (("position x", "x"), ("position y", "y")):
        if column in table and np.isfinite(table[column][curve]):
            out[key] = float(table[column][curve])
    if "row" in table and "column" in table and table["row"][curve] >= 0:
        rows, columns = table["row"], table["column"]
        out["grid index x"], out["grid index y"] = int(columns[curve]), int(rows[curve])
        out["grid shape x"], out["grid shape y"] = int(columns.max()) + 1, int(rows.max()) + 1
    return out


def _plain(values: AnyArray) -> AnyArray:
    values = np.asarray(values)
    return values.astype(str) if values.dtype.kind == "O" else values
