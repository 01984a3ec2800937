"""The instrument and the sample as NeXus's definition NXafm has them.

Only what is known is written; the metadata of the file hold the same values, and more, under the
names of this package. What the definition asks for and files do not say, and what it has no word
for, is on the page docs/common-file.md.

Source: FAIRmat NeXus definitions, NXafm, NXspm, NXlockin, NXspm_cantilever, NXspm_scan_control.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import h5py
import numpy as np

from nrm_plugin import units
from nrm_plugin.columns import AnyArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statements import parsed
from nrm_plugin.store import nexus
from nrm_plugin.vocabulary import METADATA

#: The definitions that were followed: those in pynxtools 0.16.
DEFINITIONS = "v2024.02-2011-gaf199a51"

#: Who makes the microscopes whose own files an importer reads, and the software that wrote them.
_VENDORS = {
    "bruker": "Bruker",
    "jpk": "JPK",
    "asylum": "Asylum Research",
    "nanosurf": "Nanosurf",
    "park": "Park Systems",
}

_LOCKIN = {
    "reference_frequency": "dither_frequency",
    "reference_amplitude": "dither_amplitude",
    "reference_phase": "lockin_phase",
    "sensitivity_factor": "lateral_output_gain",
    "time_constant": "lockin_time_constant",
    "lp_filter_order": "lockin_poles",
}
_CANTILEVER = {
    "spring_constant": "spring_constant",
    "cantilever_length": "cantilever_length",
    "cantilever_width": "cantilever_width",
    "cantilever_thickness": "cantilever_thickness",
    "curvature_radius": "tip_radius",
}
_REGION = {"scan_range_z": "ramp_size", "scan_angle_x": "scan_angle"}
_RAMP = {"forward_speed_approach": "approach_speed", "backward_speed_retrace": "retract_speed"}

#: Words and values that are told, with the unit of each.
Told = dict[str, tuple[Any, str | None]]


def write_nxafm(
    entry: h5py.Group,
    metadata: Mapping[str, Any],
    importers: Sequence[str],
    table: Mapping[str, AnyArray],
) -> None:
    """Write what is known of the experiment into a new entry.

    Parameters
    ----------
    entry : Group
    metadata : mapping
        In SI, by the names of `nrm_plugin.vocabulary.METADATA`.
    importers : sequence of str
        Names of the importers that read the original files.
    table : mapping of str to array
        The curve table; x and y (m), row and column are used.
    """
    definition = nexus.bare_field(entry, "definition", "NXafm")
    nexus.describe(definition.id, {"version": DEFINITIONS})
    nexus.bare_field(entry, "experiment_technique", "AFM")
    peak_force = {"peakforce_amplitude", "peakforce_frequency"} & metadata.keys()
    mode = "peak force tapping mode" if peak_force else "contact mode"
    nexus.bare_field(entry, "scan_mode", mode)
    for name in ("title", "start_time"):
        if name in metadata:
            nexus.bare_field(entry, name, metadata[name])
    _write_sample(entry, metadata)
    instrument = nexus.group(entry, "instrument", "NXinstrument")
    vendors = {_VENDORS.get(name) for name in importers}
    vendor: Told = {"vendor": (vendors.pop(), None)} if len(vendors) == 1 else {}
    _write(
        instrument, "hardware", "NXfabrication", vendor | _told(metadata, {"name": "instrument"})
    )
    software = _told(metadata, {"model": "software_version"})
    _write(instrument, "software", "NXfabrication", vendor | software)
    _write(instrument, "lockin_amplifier", "NXlockin", _told(metadata, _LOCKIN))
    _write_cantilever(instrument, metadata)
    _write_scan(instrument, metadata, table)


def _told(metadata: Mapping[str, Any], keys: Mapping[str, str]) -> Told:
    """Fields of the definition whose values the metadata know."""
    return {
        field: (metadata[key], METADATA[key].unit or None)
        for field, key in keys.items()
        if key in metadata
    }


def _write(parent: h5py.Group, name: str, kind: str, told: Told) -> None:
    """Write a group, if there is anything to tell."""
    told = {field: value for field, value in told.items() if value[0] is not None}
    if told:
        group = nexus.group(parent, name, kind)
        for field, (value, unit) in told.items():
            nexus.bare_field(group, field, value, unit)


def _write_sample(entry: h5py.Group, metadata: Mapping[str, Any]) -> None:
    if "electrode" not in metadata:  # the definition wants the sample's name
        return
    told = _told(metadata, {"name": "electrode", "temperature": "temperature"})
    if "electrolyte" in metadata:
        told["description"] = f"{metadata['electrode']} in {metadata['electrolyte']}", None
    if metadata.get("simulated"):
        told["type"] = "simulated data", None
    _write(entry, "sample", "NXsample", told)


def _write_cantilever(instrument: h5py.Group, metadata: Mapping[str, Any]) -> None:
    about = _told(metadata, _CANTILEVER)
    sensitivity = _told(metadata, {"sensitivity": "deflection_sensitivity"})
    if about or sensitivity:
        group = nexus.group(instrument, "cantilever", "NXspm_cantilever")
        config = nexus.group(group, "cantilever_config", "NXspm_cantilever_config")
        for field, (value, unit) in about.items():
            nexus.bare_field(config, field, value, unit)
        _write(config, "calibration", "NXcalibration", sensitivity)


def _write_scan(
    instrument: h5py.Group, metadata: Mapping[str, Any], table: Mapping[str, AnyArray]
) -> None:
    region = _told(metadata, _REGION)
    for axis in "xy":
        places = table.get(axis)
        if places is not None and len(places) and np.isfinite(places).all():
            region[f"scan_start_{axis}"] = float(places.min()), "m"
            region[f"scan_end_{axis}"] = float(places.max()), "m"
    ramp = _told(metadata, _RAMP)
    row, column = table.get("row"), table.get("column")
    if row is not None and column is not None and len(row) and min(row.min(), column.min()) >= 0:
        ramp["scan_points_x"] = int(column.max()) + 1, None
        ramp["scan_points_y"] = int(row.max()) + 1, None
    environment = nexus.group(instrument, "scan_environment", "NXenvironment")
    control = nexus.group(environment, "scan_control", "NXspm_scan_control")
    _write(control, "scan_region", "NXspm_scan_region", region)
    _write(control, "point_force_scan", "NXspm_scan_pattern", ramp)


@lru_cache(16)
def metadata_of(experiment: str) -> Mapping[str, Any]:
    """Return what the attribute `experiment` of results says, in SI; nothing that is unreadable."""
    try:
        stated = parsed(experiment)
    except tomllib.TOMLDecodeError:
        return {}
    found: dict[str, Any] = {}
    for name, value in stated.items():
        key = METADATA.get(name)
        if key is None:
            continue
        with suppress(InvalidInput):
            plain = key.text or key.words or not isinstance(value, str)
            found[name] = key.check(name, value if plain else units.parse(value, key.unit))
    return found
