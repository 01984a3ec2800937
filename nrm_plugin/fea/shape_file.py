"""The file of a shape factor's curve, which a recipe takes.

``distance`` (m, from the electrode) and ``shape_factor`` at the root of an HDF5 file, with
``units`` and ``long_name``; attributes of the root say what they are for and how they were found.
Lines between the points are within 0.1 % of the curve.
"""

from __future__ import annotations

from importlib.metadata import version
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nrm_plugin import __version__
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import CorruptFile, InvalidInput, MissingFile
from nrm_plugin.fea.arguments import ascending, numbers
from nrm_plugin.fea.geometry import Layer, Tip
from nrm_plugin.fea.shape import MARGIN, ShapeFactor, crowded
from nrm_plugin.files import drive_error, opened_hdf5, replacing
from nrm_plugin.hdf5_guard import reason
from nrm_plugin.store import nexus

FORMAT, FORMAT_VERSION = "nrm-shape-factor", "1.0"
_POINTS = 401
_WORDS = {True: "bonded", False: "frictionless"}


def write_shape_factor(
    factor: ShapeFactor, path: str | PathLike[str], *, overwrite: bool = False
) -> None:
    """Write a shape factor for a recipe: ``shape_factor = "rg.h5"``.

    Raises
    ------
    OutputError
        If the file exists and may not be replaced, or the file cannot be written.
    """
    thickness = factor.layer.thickness
    distance = crowded(MARGIN * factor.tip.radius, thickness, _POINTS)[1:-1]
    distance = np.concatenate([factor.distance[:1], distance, factor.distance[-1:]])
    made = BytesIO()  # HDF5 complains at length where a disk is full
    with replacing(Path(path), overwrite=overwrite) as part:
        with h5py.File(made, "w") as file:
            _write(file, factor, distance)
        part.write_bytes(made.getvalue())


def _write(file: h5py.File, factor: ShapeFactor, distance: FloatArray) -> None:
    for name, values, unit, meaning in (
        ("distance", distance, "m", "distance of the apex from the electrode"),
        ("shape_factor", factor.at(distance), "1", "local shape factor r_g"),
    ):
        file[name] = values
        file[name].attrs.update(units=unit, long_name=meaning)
    file.attrs.update(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        creator="nrm-plugin",
        creator_version=__version__,
        solver=f"scikit-fem {version('scikit-fem')}",
        source=factor.source,
        tip_radius=factor.tip.radius,
        tip_half_angle=factor.tip.half_angle,
        tip_surface=_WORDS[factor.tip.bonded],
        layer_thickness=factor.layer.thickness,
        poisson_ratio=factor.layer.poisson_ratio,
        domain_radius=factor.layer.radius(factor.tip),
        constant=factor.constant,
        constant_from=factor.window[0],
        constant_to=factor.window[1],
        constant_r_squared=factor.r_squared,
        radius_sensitivity=factor.radius_sensitivity,
    )


def read_curve(file: h5py.File) -> tuple[Any, Any]:
    """Distances in m, and the shape factor at them; without units they are in m.

    Raises
    ------
    UnreadablePart
        If a unit does not fit.
    """
    values = []
    for name, unit in (("distance", "m"), ("shape_factor", "")):
        data = file[name]
        gain = nexus.gain_to(unit, name, data) if "units" in data.attrs else 1.0
        values.append(data[()] if gain == 1.0 else data[()] * gain)
    return values[0], values[1]


def read_shape_factor(path: str | PathLike[str]) -> ShapeFactor:
    """Read what `write_shape_factor` wrote.

    Raises
    ------
    MissingFile, CorruptFile
    """
    try:
        with opened_hdf5(path) as file:
            about = dict(file.attrs)
            distance, curve = read_curve(file)
        if about["format"] != FORMAT:
            raise CorruptFile(path, None, f"a file of format {FORMAT}", about["format"])
        distance, curve = ascending("distances", distance), numbers("shape factors", curve)
        if distance.size < 2 or curve.shape != distance.shape or not np.all(curve > 0.0):
            raise InvalidInput("each of two distances or more needs a shape factor above 0")
        tip = Tip(
            float(about["tip_radius"]),
            float(about["tip_half_angle"]),
            about["tip_surface"] == _WORDS[True],
        )
        layer = Layer(
            float(about["layer_thickness"]),
            1.0,
            float(about["poisson_ratio"]),
            float(about["domain_radius"]),
        )
        return ShapeFactor(
            distance=distance,
            curve=curve,
            constant=float(about["constant"]),
            window=(float(about["constant_from"]), float(about["constant_to"])),
            r_squared=float(about["constant_r_squared"]),
            radius_sensitivity=float(about["radius_sensitivity"]),
            tip=tip,
            layer=layer,
            source=str(about["source"]),
        )
    except FileNotFoundError:
        raise MissingFile(path, "there is no such file") from None
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise drive_error(path, error) or CorruptFile(
            path, None, "a shape factor in HDF5", reason(error), "where it was written"
        ) from None
