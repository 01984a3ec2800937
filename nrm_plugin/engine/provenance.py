"""What results say of themselves: how they were made, of what, and what is not in their errors."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nrm_plugin import __version__
from nrm_plugin.engine.contact import distance_slope
from nrm_plugin.engine.lateral_baseline import LateralBaseline
from nrm_plugin.engine.shape_factor import ShapeFactorValues
from nrm_plugin.engine.signals import Plan
from nrm_plugin.files import FileHashes
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe
from nrm_plugin.text import as_toml
from nrm_plugin.vocabulary import CHANNELS, METADATA

#: Calibrations in which E* is linear, or nearly so.
_IN_MODULUS = ("lateral_sensitivity", "lateral_stiffness", "dither_amplitude", "shape_factor")

NOT_IN_ERRORS = (
    "Standard errors are those of the noise. The choice of the shape factor and the calibrations "
    "are common to all values and not in them."
)


#: What `Contact.distance` and `Contact.force` of the recipe mean.
_DISTANCES = {
    "wall": "distance = height - contact + (deflection - baseline) / {}: in units of the walls' "
    "own slope, whatever deflection_sensitivity says",
    "told": "distance = height - contact + deflection - baseline: by deflection_sensitivity alone",
}
_FORCES = {
    "told": "normal forces are those of deflection_sensitivity and spring_constant as given",
    "wall": "normal forces are those of the sensitivity that makes the slope of the walls -1, with "
    "spring_constant as given",
    "wall-thermal": "normal forces are those of the sensitivity that makes the slope of the walls "
    "-1, with spring_constant times the square of the slope: its thermal tune had the sensitivity "
    "that was given",
}


def attributes(
    curves: CurveSet, recipe: Recipe, how: Plan, shape: ShapeFactorValues
) -> dict[str, Any]:
    """Return the attributes of the results, but for the hashes of the original files.

    Parameters
    ----------
    curves : CurveSet
    recipe : Recipe
    how : Plan
    shape : ShapeFactorValues
    """
    origins = curves.origins
    found: dict[str, Any] = {
        "title": str(curves.metadata.get("title", "")),
        "simulated": int(bool(curves.metadata.get("simulated", False))),
        "recipe": recipe.to_toml(comments=False),
        "experiment": experiment(curves),
        "nrm_plugin_version": __version__,
        "channels": "; ".join(_wires(curves)),
        "source_name": [o.name for o in origins],
        "source_importer": [f"{o.importer} ({o.version})" for o in origins],
    }
    if "potential_source" in curves.metadata:
        found["potential_source"] = str(curves.metadata["potential_source"])
    said_by_log = ("sweep_rate", "ohmic_resistance", "ohmic_compensation")
    found |= {k: float(curves.metadata[k]) for k in said_by_log if k in curves.metadata}
    if how.lateral:
        found |= {
            "shape_factor_source": shape.source,
            **({"shape_factor_note": shape.note} if shape.note else {}),
            "poisson_ratio": how.poisson_ratio,
            "poisson_ratio_source": _source(curves, "poisson_ratio", "assumed"),
            "dither_amplitude": how.amplitude,
            "dither_frequency": how.frequency,
            "not_in_standard_errors": NOT_IN_ERRORS,
        }
        relative = calibration_error(curves)
        if relative is not None:
            found["calibration_relative_stderr"] = relative
    return found


def of_distances(recipe: Recipe, slopes: Sequence[float]) -> dict[str, Any]:
    """What a deflection is worth in distance and in force, and the walls' slopes, per direction.

    Parameters
    ----------
    recipe : Recipe
    slopes : sequence of float
        Of the walls, m/m, negative; one per direction.
    """
    contact = recipe.contact
    used = [distance_slope(contact, slope) for slope in slopes]
    words = ", ".join(f"{slope:.4f}" for slope in used)
    return {
        "wall_slope_of_all": [float(slope) for slope in slopes],
        "distance_slope": used,
        "distance_rule": _DISTANCES[contact.distance].format(words),
        "force_rule": _FORCES[contact.force],
    }


def of_lateral_baselines(found: Sequence[LateralBaseline]) -> dict[str, Any]:
    """What was taken out of the lateral signal, per direction, and why."""
    return {
        "lateral_baseline": ["line" if one.line else "mean" for one in found],
        "lateral_baseline_rule": "; ".join(dict.fromkeys(one.why for one in found)),
    }


def places(curves: CurveSet, out: Path) -> list[str]:
    """Where the original files are, seen from the folder of the results; "" if not known."""
    folder = out.absolute().parent
    found = []
    for origin in curves.origins:
        place = ""
        if origin.path:
            with contextlib.suppress(ValueError):  # on another drive
                place = Path(os.path.relpath(Path(origin.path).absolute(), folder)).as_posix()
        found.append(place)
    return found


def hashes(curves: CurveSet) -> FileHashes:
    """SHA-256 of the original files, for as far as they are not known."""
    return FileHashes((origin.sha256, origin.path) for origin in curves.origins)


def _wires(curves: CurveSet) -> list[str]:
    """What the file calls each signal."""
    known = [c for name, c in curves.channels.items() if name in CHANNELS and c.original]
    return [f"{c.name} = {c.original}" for c in known]


def experiment(curves: CurveSet) -> str:
    """Return all metadata as TOML, each value with its unit and where it comes from."""
    lines = []
    for key, value in curves.metadata.items():
        unit = METADATA[key].unit if key in METADATA else ""
        said = " ".join(_source(curves, key, "").split())
        lines.append(f"{key} = {as_toml(value, unit)}" + (f"  # {said}" if said else ""))
    return "\n".join(lines) + "\n"


def _source(curves: CurveSet, key: str, otherwise: str) -> str:
    if key not in curves.metadata:
        return otherwise
    return curves.metadata_source.get(key, "")


def calibration_error(curves: CurveSet) -> float | None:
    """Relative standard error that the calibrations put on all moduli, None if none is known."""
    parts = [
        float(curves.metadata[f"{key}_stderr"]) / abs(float(curves.metadata[key]))
        for key in _IN_MODULUS
        if key in curves.metadata and curves.metadata.get(f"{key}_stderr", 0.0) > 0.0
    ]
    return float(np.sqrt(np.sum(np.square(parts)))) if parts else None
