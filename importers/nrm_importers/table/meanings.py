"""What columns mean by their titles and units, where these are plain."""

from __future__ import annotations

from collections.abc import Iterable

from nrm_importers.table.source_table import SourceColumn
from nrm_importers.table.table_map import MappedColumn, TableMap
from nrm_plugin import units
from nrm_plugin.vocabulary import CHANNELS, own_slug, slug

#: Titles as slugs. A title means the channel only where its unit fits, too.
_TITLES = {
    "height": "z height z_height z_sensor zsensor zsnsr z_sense height_measured measured_height "
    "z_position sensor_height",
    "height_sensor": "height_sensor",
    "height_commanded": "height_piezo piezo z_piezo height_commanded z_scan",
    "deflection": "deflection defl vdeflection vertical_deflection normal_deflection a_b",
    "force_normal": "force force_normal normal_force vertical_force",
    "lateral": "lateral hdeflection lateral_deflection friction lateral_force",
    "lateral_in_phase": "lateral_in_phase lockin_x lock_in_x lia_x demod_x",
    "lateral_quadrature": "lateral_quadrature lockin_y lock_in_y lia_y demod_y",
    "lateral_amplitude": "lateral_amplitude lockin_r lock_in_r lia_r demod_r",
    "lateral_phase": "lateral_phase lockin_theta lock_in_theta lia_theta demod_theta",
    "lockin_output_x": "lockin_output_x lock_in_output_x",
    "lockin_output_y": "lockin_output_y lock_in_output_y",
    "time": "time t elapsed_time time_stamp",
    "potential": "potential ewe e_we electrode_potential",
    "current": "current",
}
_CHANNEL = {title: name for name, titles in _TITLES.items() for title in titles.split()}

#: Columns that hold one value per curve.
_OF_CURVES = {
    "curve": "curve",
    "curve_number": "curve",
    "segment": "segment",
    "x": "position_x",
    "y": "position_y",
    "position_x": "position_x",
    "position_y": "position_y",
    "cycle": "cycle",
    "cycle_number": "cycle",
}

#: A table of curves has at least one of these heights, best first, and one of these signals.
HEIGHTS = ("height", "height_sensor", "height_commanded")
SIGNALS = ("deflection", "force_normal", "lateral", "lateral_in_phase", "lockin_output_x")

#: Columns that count rows: they are no channels.
_COUNTERS = ("sample", "index", "row", "point", "")


def channel_of(title: str, unit: str) -> str | None:
    """Canonical channel that a title and its unit mean, None where they are not plain."""
    name = _CHANNEL.get(slug(title) if title else "")
    known = units.si(unit)
    if name is None or known is None:
        return None
    return name if known[1] in CHANNELS[name].units else None


def plain(titles: Iterable[tuple[str, str]]) -> bool | None:
    """Whether titles and units alone say which columns are height and signal.

    None for what is plainly no table of curves: the log of a potentiostat.
    """
    titles = list(titles)
    found = {channel_of(title, unit) for title, unit in titles}
    has_height = bool(found & set(HEIGHTS))
    if has_height and found & set(SIGNALS):
        return True
    # A potential alone: a potentiostat's log, which others read; a board records signals with it.
    has_potential = any(_CHANNEL.get(slug(title)) == "potential" for title, _ in titles if title)
    return None if has_potential and not has_height and not found & set(SIGNALS) else False


def map_of(columns: Iterable[SourceColumn]) -> TableMap:
    """Table map by titles and units; columns that mean nothing plain keep their own names."""
    parts: dict[str, MappedColumn] = {}
    for number, column in enumerate(columns, 1):
        key = slug(column.title) if column.title else ""
        name = channel_of(column.title, column.unit) or _of_curves(key, column.unit)
        if name is None or name in parts:
            if key in _COUNTERS or units.si(column.unit) is None:
                continue
            name = own_slug(column.title, "table")
            if name in parts:
                name = f"{name}_{number}"
        parts[name] = MappedColumn(column=column.title or str(number), unit=column.unit)
    return TableMap.model_validate(parts)


def _of_curves(key: str, unit: str) -> str | None:
    name = _OF_CURVES.get(key)
    wanted = "m" if name in ("position_x", "position_y") else ""
    known = units.si(unit)
    return name if known is not None and known[1] == wanted else None
