"""Gives every curve its potential, with the uncertainty, the sweep and the cycle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.potential.blur import blur_warnings
from nrm_plugin.potential.from_curves import from_channel, from_column
from nrm_plugin.potential.from_logs import from_logs
from nrm_plugin.potential.log import Log
from nrm_plugin.potential.moments import moment
from nrm_plugin.potential.reading import read_log
from nrm_plugin.potential.settings import CurvePotentials, PotentialSettings
from nrm_plugin.tables import complete_table
from nrm_plugin.vocabulary import COLUMNS

if TYPE_CHECKING:
    import xarray as xr

Data = TypeVar("Data", bound="CurveSet | xr.Dataset")
LogSource = str | PathLike[str] | Log


def with_potential(
    data: Data,
    source: LogSource | Iterable[LogSource] | None = None,
    *,
    gain: float | None = None,
    offset: float | None = None,
    reference: float | None = None,
    clock_offset: float | None = None,
    time_zone: str | None = None,
    start: str | np.datetime64 | None = None,
) -> Data:
    """Return curves or results with the electrode potential of every curve.

    Without a log it is the mean over each curve of the recorded channel ``potential``; a column
    ``potential`` without such a channel stays as it is. With a log it is the log's mean while the
    curve was taken, which takes the curves' start times and their ``time`` channel. Results have
    no channels: the log's value when the curve began is used.

    Parameters
    ----------
    data : CurveSet or Dataset
    source : path, Log, or several of them, optional
        A potentiostat's log; several that follow each other.
    gain : float, optional
        Volts at the electrode per recorded volt, negative where the monitor inverts the sign. By
        default the metadata's ``potential_gain`` for a channel, else 1.
    offset : float, optional
        Added to the recorded potential, after the gain, in V; likewise ``potential_offset``, or 0.
    reference : float, optional
        Potential of the reference electrode against the metal's (Na/Na+, Li/Li+) in V, added;
        by default the metadata's ``reference_potential``, or 0.
    clock_offset : float, optional
        Added to the log's times to have the microscope's, in s.
    time_zone : str, optional
        Time zone of the microscope's clock, for a log whose times have a zone: ``Europe/London``.
    start : str or datetime64, optional
        When the log began by the microscope's clock, for one that does not say.

    Returns
    -------
    CurveSet or Dataset
        With the columns ``potential`` (V; nan for a curve outside the log),
        ``potential_uncertainty`` (V; how far the potential may have been from it while the curve
        was taken: uncertain start time, change during the curve, steps of the log; nan where the
        start time's uncertainty is not known), ``sweep`` (+1 anodic, -1 cathodic, 0 unknown: also
        where a curve may lie on either side of a vertex) and ``cycle`` (-1 unknown); of curves also
        ``potential_blur`` (V; highest less lowest potential during the curve), and where they
        were recorded ``current`` (A; mean during the curve) and ``charge_passed`` (C, as the log
        counts). The metadata, or attributes, have ``potential_source`` and what the log says of
        ``reference_electrode``, ``sweep_rate``, ``ohmic_resistance``, ``ohmic_compensation``.

    Raises
    ------
    InvalidInput
        If there is nothing to take a potential from; if no curve was taken while the log ran; if
        the log's start, or a time zone, is needed and not known.
    MissingFile, CorruptFile
        From the log.
    """
    arguments = {
        "gain": gain,
        "offset": offset,
        "reference": reference,
        "clock_offset": clock_offset,
        "time_zone": time_zone,
    }
    container: CurveSet | xr.Dataset = data
    settings = PotentialSettings.of(
        container, {k: v for k, v in arguments.items() if v is not None}
    )
    logs: list[Log] = []
    if source is not None:
        logs = _logs(source)
        began = None if start is None else moment(start)
        potentials = from_logs(container, logs, settings, began)
    elif isinstance(container, CurveSet) and "potential" in container.channels:
        potentials = from_channel(container, settings)
    else:
        potentials = from_column(container, settings)
    if isinstance(container, CurveSet):
        return cast(Data, _beside_curves(container, potentials, settings, tuple(logs)))
    return cast(Data, _beside_results(container, potentials))


def _logs(source: LogSource | Iterable[LogSource]) -> list[Log]:
    if isinstance(source, str | PathLike | Log):
        source = [source]
    try:
        logs = [one if isinstance(one, Log) else read_log(one) for one in source]
    except TypeError:
        raise InvalidInput("a log is given as a path, a Log, or a list of them") from None
    if not logs:
        raise InvalidInput("no log is given")
    return logs


def _beside_curves(
    curves: CurveSet,
    potentials: CurvePotentials,
    settings: PotentialSettings,
    logs: tuple[Log, ...],
) -> CurveSet:
    table = complete_table({**curves.curve_table, **potentials.columns}, curves.n_curves)
    moving = blur_warnings(table, [origin.name for origin in curves.origins])
    warnings = tuple(dict.fromkeys((*curves.warnings, *potentials.warnings, *moving)))
    changed = replace(curves, table_from=lambda: table, warnings=warnings, logs=logs or curves.logs)
    named = changed.with_metadata(potentials.metadata, "the potentiostat's log")
    named = named.with_metadata(settings.arguments, "given")
    return named.with_metadata({"potential_source": potentials.source}, "potential")


def _beside_results(results: xr.Dataset, potentials: CurvePotentials) -> xr.Dataset:
    coordinates: dict[str, Any] = {}
    for name, values in potentials.columns.items():
        about = {"units": COLUMNS[name].units[0], "long_name": COLUMNS[name].meaning}
        coordinates[name] = ("curve", values, about)
    before = [line for line in str(results.attrs.get("warnings", "")).splitlines() if line]
    warnings = "\n".join(dict.fromkeys((*before, *potentials.warnings)))
    return results.assign_coords(coordinates).assign_attrs(
        potential_source=potentials.source, warnings=warnings, **potentials.metadata
    )
