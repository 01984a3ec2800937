"""A log as a measurement of ixdat, and back, in memory.

ixdat's own export and its reader ``ixdat`` make a file of it, which `read_log` reads as well.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np

from nrm_plugin import units
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput, MissingPackage
from nrm_plugin.potential.moments import zone

if TYPE_CHECKING:
    from ixdat.techniques import ECMeasurement

    from nrm_plugin.potential.log import Log

#: Arrays of a log: ixdat's name for it, that of the series here, its unit, and its unit here.
_SERIES = {
    "potential": ("raw_potential", "Ewe/V", "V", "V"),
    "current": ("raw_current", "I/mA", "mA", "A"),
    "cycle": ("cycle", "cycle number", "", ""),
    "charge": ("charge", "(Q-Qo)/C", "C", "C"),
    "ohmic_drop": ("ohmic_drop", "ohmic drop/V", "V", "V"),
}
_METADATA = ("reference", "sweep_rate", "ohmic_resistance", "ohmic_compensation")


def measurement_of(log: Log, time_zone: str) -> ECMeasurement:
    """Return a log as a measurement of ixdat; see `Log.to_ixdat`."""
    ixdat = _ixdat()
    stamp = _stamp(log, time_zone)
    time = ixdat.data_series.TimeSeries("time/s", "s", log.time, stamp)
    series, aliases = [time], {"t": [time.name]}
    for name, (theirs, title, unit, ours) in _SERIES.items():
        values = getattr(log, name)
        if values is not None:
            scaled = values / units.factor(unit, ours) if unit != ours else values
            series.append(ixdat.data_series.ValueSeries(title, unit, scaled, tseries=time))
            aliases[theirs] = [title]
    told = {name: getattr(log, name) for name in _METADATA}
    measurement: ECMeasurement = ixdat.techniques.ECMeasurement(
        log.name or "log",
        technique="EC",
        series_list=series,
        aliases=aliases,
        tstamp=stamp,
        metadata={name: value for name, value in told.items() if value not in ("", None)},
    )
    return measurement


def log_arguments(measurement: Any) -> dict[str, Any]:
    """Return the arguments of a log for a measurement of ixdat; see `Log.from_ixdat`."""
    ixdat = _ixdat()
    found = {name: _series(ixdat, measurement, name) for name in _SERIES}
    potential = found.pop("potential")
    if potential is None:
        raise InvalidInput(f"{measurement} of ixdat has no potential over time (raw_potential)")
    time = np.asarray(potential.t, np.float64)
    begin = float(potential.tseries.tstamp)
    arrays = {
        name: _values(name, series, time + begin - float(series.tseries.tstamp))
        for name, series in found.items()
        if series is not None
    }
    told = measurement.metadata or {}
    return {
        "time": time,
        "potential": _values("potential", potential, time),
        **arrays,
        "start": np.datetime64(round(begin * 1e6), "us"),
        "time_zone": "UTC",
        "name": str(measurement.name),
        "reader": "ixdat",
        **{name: told[name] for name in _METADATA if name in told},
    }


def _series(ixdat: Any, measurement: Any, name: str) -> Any:
    """Return a series as it was recorded; None if there is none, or a zero that stands for it."""
    try:
        series = measurement[_SERIES[name][0]]
    except ixdat.exceptions.SeriesNotFoundError:
        return None
    return None if isinstance(series, ixdat.data_series.ConstantValue) else series


def _values(name: str, series: Any, time: FloatArray) -> FloatArray:
    """Values in SI at times (s) after the series' own start; nan where there are none."""
    target = _SERIES[name][3]
    values = np.asarray(series.data, np.float64)
    if target:
        # What ixdat read from its own export has its unit in the name alone.
        unit = series.unit.name or str(series.name).rpartition("/")[2].strip(" []")
        try:
            values = values * units.factor(unit, target)
        except InvalidInput as error:
            raise InvalidInput(f"{series.name!r} of ixdat as the {name}: {error}") from None
    own = np.asarray(series.t, np.float64)
    if np.array_equal(own, time):
        return values
    if name == "cycle":  # a number that counts has no values between
        at = np.searchsorted(own, time, "right") - 1
        return np.where(at >= 0, values[np.maximum(at, 0)], np.nan)
    return np.asarray(np.interp(time, own, values, np.nan, np.nan))


def _stamp(log: Log, time_zone: str) -> float:
    """Seconds since 1970 (UTC) when the log began."""
    if log.start is None:
        raise InvalidInput(
            "the log does not say when it began, which ixdat must know: "
            "dataclasses.replace(log, start=...)"
        )
    began = log.start.astype("M8[us]").item().replace(tzinfo=UTC)
    if not log.time_zone:
        if not time_zone:
            raise InvalidInput(
                "the log began by a clock whose time zone it does not say, and ixdat counts in "
                'UTC: give the zone of the clock, to_ixdat(time_zone="Europe/London")'
            )
        began = began.replace(tzinfo=zone(time_zone))
    return float(began.timestamp())


def _ixdat() -> Any:
    try:
        import ixdat
        import ixdat.data_series
        import ixdat.exceptions
        import ixdat.techniques
    except ImportError:
        raise MissingPackage("ixdat", "ixdat") from None
    return ixdat
