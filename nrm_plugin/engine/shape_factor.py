"""The shape factor r_g of Eq. 4: the paper's number, another one, or a curve r_g(z)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.delimited import load
from nrm_plugin.errors import InvalidInput, MissingFile, NrmError, RecipeError
from nrm_plugin.files import drive_error, opened_hdf5
from nrm_plugin.model import CurveSet
from nrm_plugin.units import factor
from nrm_plugin.vocabulary import where_from

#: Section 4 of the paper, from its finite elements.
PAPER = 1.25

#: Thickness in m of the layer that a tip's own factor is computed for, where nobody knows it: at
#: distances up to 60 nm one of 150 nm changes it by less than 5 %.
LAYER = 100e-9


@dataclass(frozen=True, kw_only=True)
class ShapeFactorValues:
    """r_g against the distance from the electrode, and where it comes from.

    Attributes
    ----------
    values : array
        One per distance asked for; nan outside a curve's range.
    source : str
    tip_radius : float or None
        In m, that a curve was computed for.
    computed : array or None
        What this package's finite elements give for the tip, at the same distances; None where the
        tip is not known, or `values` is such a curve already.
    constant : float
        Slope of a line through the forces that `computed` stands for; nan without it.
    case : str
        Tip and layer that `computed` is for.
    note : str
        What to know of a constant: whose it is, and what the finite elements give.
    """

    values: FloatArray
    source: str
    tip_radius: float | None = None
    computed: FloatArray | None = None
    constant: float = float("nan")
    case: str = ""
    note: str = ""


def shape_factor(choice: float | str, curves: CurveSet, depth: FloatArray) -> ShapeFactorValues:
    """Return r_g at distances from the electrode.

    Parameters
    ----------
    choice : float or str
        "paper", a number, or a file with a curve. With "paper", a ``shape_factor`` among the
        metadata of the curves is used instead of 1.25.
    depth : (m,) array
        In m.

    Raises
    ------
    RecipeError, MissingFile
    """
    if choice != "paper":
        try:
            found = _constant(float(choice), depth, "given in the recipe")
        except ValueError:
            return _curve(Path(str(choice)), depth)
    elif "shape_factor" in curves.metadata:
        said = curves.metadata_source.get("shape_factor", "") or "metadata"
        said = where_from("shape_factor", curves.metadata, said)
        found = _constant(float(curves.metadata["shape_factor"]), depth, said)
    else:
        found = _constant(PAPER, depth, "the paper's (finite elements, section 4)")
    return _with_computed(found, depth, curves.metadata)


def _with_computed(
    found: ShapeFactorValues, depth: FloatArray, metadata: Mapping[str, Any]
) -> ShapeFactorValues:
    """Put beside a constant what the finite elements give for the tip, or ask for the tip."""
    used = float(found.values[0])
    whose = "the paper's number" if used == PAPER else "a number"
    begin = f"{used:g} is {whose} for all distances, whatever the tip"
    radius = metadata.get("tip_radius")
    if not isinstance(radius, float):
        note = (
            f"{begin}: this package's finite elements give 0.42 for a tip of 10 nm and 0.59 for "
            "one of 20 nm in a layer of 100 nm. Give tip_radius (and tip_half_angle), and the "
            "moduli under the factor of this tip stand beside"
        )
        return replace(found, note=note)
    # Here, since only a tip that is known needs the table.
    from nrm_plugin.fea.geometry import Layer, Tip
    from nrm_plugin.fea.shape_table import look_up, thickest

    angle = float(metadata.get("tip_half_angle", 0.0))
    thickness = min(max(LAYER, 1.5 * float(depth[-1])), thickest(radius))
    try:
        tip = Tip(radius, angle)
        layer = Layer(thickness, poisson_ratio=float(metadata.get("poisson_ratio", 0.5)))
        computed = look_up(tip, layer)
    except NrmError as error:
        return replace(found, note=f"{begin}; for this tip none is in the table: {error}")
    shape = "cylindrical" if angle == 0.0 else f"{np.degrees(angle):.3g}° conical"
    near = ", ".join(
        f"{v:.2g} at {z * 1e9:g} nm"
        for z, v in zip((2e-9, 10e-9), computed.at([2e-9, 10e-9]), strict=True)
        if np.isfinite(v)
    )
    case = f"a bonded {shape} tip of {radius * 1e9:.3g} nm in a layer of {thickness * 1e9:.3g} nm"
    note = (
        f"{begin}. This package's finite elements give {computed.constant:.3g} for {case}"
        + (f", and {near} from the electrode" if near else "")
        + ": moduli under that curve stand beside"
    )
    return replace(
        found,
        computed=computed.at(depth),
        constant=computed.constant,
        case=case,
        note=note,
    )


def _constant(value: float, depth: FloatArray, source: str) -> ShapeFactorValues:
    if not (np.isfinite(value) and value > 0.0):
        raise RecipeError(f"shape_factor: {value:g} is no shape factor; it is a positive number")
    return ShapeFactorValues(values=np.full(len(depth), value), source=f"{value:g}, {source}")


def _curve(path: Path, depth: FloatArray) -> ShapeFactorValues:
    if not path.is_file():
        raise MissingFile(path, 'there is no such file (shape_factor is "paper", a number or one)')
    reader = {".h5": _from_hdf5, ".json": _from_json}.get(path.suffix.lower(), _from_text)
    try:
        distance, values = (np.asarray(part, float).ravel() for part in reader(path))
    except NrmError:
        raise
    except Exception as error:  # whatever a reader says of a stranger's file
        raise RecipeError(
            f"{path}: no curve of a shape factor can be read from it ({error}). It is an .h5 with "
            "distance and shape_factor, or a table with two columns, distance (nm) and r_g"
        ) from error
    good = len(distance) == len(values) >= 2 and np.isfinite([distance, values]).all()
    if not good or not (np.diff(distance) > 0.0).all() or not (values > 0.0).all():
        raise RecipeError(
            f"{path}: a curve of a shape factor has rising distances and positive values"
        )
    if distance[-1] > 1e-3:
        raise RecipeError(
            f"{path}: a distance of {distance[-1]:g} m; say which unit the first "
            "column has, distance (nm)"
        )
    found = np.interp(depth, distance, values, left=np.nan, right=np.nan)
    reach = f"{distance[0] * 1e9:.3g} to {distance[-1] * 1e9:.3g} nm"
    about, radius = _about(path)
    return ShapeFactorValues(
        values=found, source=f"curve from {path.name}, {reach}{about}", tip_radius=radius
    )


def _about(path: Path) -> tuple[str, float | None]:
    """What a curve was computed for, and the radius of the tip; nothing where it does not say."""
    if path.suffix.lower() != ".h5":
        return "", None
    try:
        with opened_hdf5(path) as file:
            said = dict(file.attrs)
        radius, thickness = float(said["tip_radius"]), float(said["layer_thickness"])
        angle, ratio = float(said["tip_half_angle"]), float(said["poisson_ratio"])
        shape = "cylindrical" if angle == 0.0 else f"{np.degrees(angle):.3g}° conical"
        surface = said["tip_surface"]
    except (OSError, RuntimeError, KeyError, TypeError, ValueError):
        return "", None
    return (
        f", for a {surface} {shape} tip of {radius * 1e9:.3g} nm radius in a layer of "
        f"{thickness * 1e9:.3g} nm, Poisson ratio {ratio:.3g}",
        radius,
    )


def _from_hdf5(path: Path) -> tuple[Any, Any]:
    from nrm_plugin.fea.shape_file import read_curve
    from nrm_plugin.hdf5_guard import reason

    try:
        with opened_hdf5(path) as file:
            return read_curve(file)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise drive_error(path, error) or RecipeError(
            f"{path}: no curve of a shape factor can be read from it: {reason(error)}"
        ) from error


def _from_json(path: Path) -> tuple[Any, Any]:
    values = json.loads(path.read_text(encoding="utf-8-sig"))
    values = values.get("curve", values)
    return values["distance"], values["shape_factor"]


def _from_text(path: Path) -> tuple[Any, Any]:
    """Read two columns; a header with ``(nm)`` behind the first name says its unit, else m."""
    data, encoding = load(path)
    lines = [
        line.replace(",", " ").replace(";", " ").replace("\t", " ")
        for line in data.decode(encoding).splitlines()
        if line.strip() and not line.startswith("#")
    ]
    scale = 1.0
    if lines and not lines[0].lstrip(" +-.")[:1].isdigit():
        inside = lines[0].partition("(")[2].partition(")")[0] or "m"
        scale = factor(inside.strip(), "m")
        lines = lines[1:]
    table = np.array([[float(v) for v in line.split()] for line in lines])
    if table.ndim != 2 or table.shape[1] != 2:
        raise InvalidInput(f"{path}: two columns are needed, distance and shape factor")
    return table[:, 0] * scale, table[:, 1]
