"""What a potentiostat recorded."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.potential.moments import moment
from nrm_plugin.text import as_html, listed, with_unit
from nrm_plugin.vocabulary import COLUMNS

if TYPE_CHECKING:
    from ixdat import Measurement
    from ixdat.techniques import ECMeasurement

#: A log is not longer, in s.
_LONGEST = 1e9


@dataclass(frozen=True, eq=False)
class Log:
    """Potential over time, as a potentiostat recorded it. Points that are no numbers are left out.

    Parameters
    ----------
    time : (n,) array
        Seconds since `start`, or dates (datetime64); none earlier than the one before.
    potential : (n,) array
        Potential of the electrode in V, against the potentiostat's reference.
    current : (n,) array, optional
        In A.
    cycle : (n,) array of int, optional
        As the potentiostat counted it.
    start : datetime64, optional
        When `time` is 0; None if the file does not say.
    time_zone : str
        Empty where `start` is by the potentiostat's own clock; ``"UTC"`` or ``"+01:00"`` where
        the file says its zone, and `start` is in UTC.
    start_uncertainty : float
        How far `start` may be off in s, where the file rounds it.
    charge : (n,) array, optional
        Charge that has passed since the program began to count, in C.
    ohmic_drop : (n,) array, optional
        Ohmic drop as the potentiostat measured it beside the potential, in V.
    reference : str
        Reference electrode as the file names it; empty where it does not.
    sweep_rate : float, optional
        Rate of the sweep in V/s that was asked for; None where the file says none, or several.
    ohmic_resistance, ohmic_compensation : float, optional
        Resistance of the electrolyte in Ohm that the file says, and the part of the ohmic drop
        that was compensated.
    notes : tuple of str
        Guesses and oddities met while reading.
    name, reader, sha256 : str
        The file, who read it, and its hash.

    Raises
    ------
    InvalidInput
        If there are not two points, arrays of different lengths, times that go back, or
        potentials that no electrode has.
    """

    time: FloatArray
    potential: FloatArray
    current: FloatArray | None = None
    cycle: IntArray | None = None
    start: np.datetime64 | None = None
    _: KW_ONLY
    time_zone: str = ""
    start_uncertainty: float = 0.0
    charge: FloatArray | None = None
    ohmic_drop: FloatArray | None = None
    reference: str = ""
    sweep_rate: float | None = None
    ohmic_resistance: float | None = None
    ohmic_compensation: float | None = None
    notes: tuple[str, ...] = ()
    name: str = ""
    reader: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        """Check the arrays, and take out what is no number."""
        time, start = _seconds(self.time, self.start)
        potential = _numbers("potential", self.potential)
        if time.shape != potential.shape or time.ndim != 1:
            raise InvalidInput("a log has as many times as potentials")
        finite = np.isfinite(time) & np.isfinite(potential)
        if finite.sum() < 2:
            raise InvalidInput("a log has at least two points with time and potential")
        time, potential = time[finite], potential[finite]
        back = np.flatnonzero(np.diff(time) < 0)
        if len(back):
            step = time[back[0]] - time[back[0] + 1]
            clock = ", or times in s or in UTC if clocks were put back" if step <= 3600.0 else ""
            raise InvalidInput(
                f"its times go back from {time[back[0]]:g} s to {time[back[0] + 1]:g} s: "
                "give measurements that were taken one after the other as files of their own"
                f"{clock}"
            )
        if np.abs(time).max() > _LONGEST:
            raise InvalidInput(
                f"no log is {np.abs(time).max():g} s long: is the unit of its times right?"
            )
        limit = COLUMNS["potential"].limit
        if np.abs(potential).max() > limit:
            raise InvalidInput(
                f"no electrode has {np.abs(potential).max():g} V: is the potential's unit right?"
            )
        self._set("time", time)
        self._set("potential", potential)
        self._set("start", start)
        for name in ("current", "charge", "ohmic_drop"):
            if getattr(self, name) is not None:
                self._set(name, self._beside(name, finite))
        if self.cycle is not None:
            numbers = self._beside("cycle", finite)
            valid = np.isfinite(numbers) & (np.abs(numbers) < 1e9)
            self._set("cycle", np.where(valid, numbers, -1).astype(np.int64))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _beside(self, name: str, finite: np.ndarray) -> FloatArray:
        values = _numbers(name, getattr(self, name))
        if values.shape != finite.shape:
            raise InvalidInput(
                f"a log has as many values of {name.replace('_', ' ')} as of the potential"
            )
        return np.asarray(values[finite])

    @property
    def _extent(self) -> str:
        name = f" {self.name}" if self.name else ""
        return f"Log{name}: {len(self.time)} points over {self.duration:.6g} s"

    def __repr__(self) -> str:
        return f"<{self._extent}, {self.potential.min():.4g} to {self.potential.max():.4g} V>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        zone = f" ({self.time_zone})" if self.time_zone else ""
        rows = [
            ("begins", f"{self.start}{zone}" if self.start is not None else "not in the file"),
            ("potential", f"{self.potential.min():.4g} to {self.potential.max():.4g} V"),
        ]
        rows += self.told()
        if self.cycle is not None:
            rows.append(("cycles", f"{self.cycle.min()} to {self.cycle.max()}"))
        rows += [("read by", self.reader), ("notes", listed(self.notes))]
        return as_html(self._extent, rows)

    def to_ixdat(self, time_zone: str = "") -> ECMeasurement:
        """Return the log as a measurement of ixdat, which plots, calibrates and exports it.

        The current is in mA there; `reference`, `sweep_rate`, `ohmic_resistance` and
        `ohmic_compensation` are among its metadata, and change no potential.

        Parameters
        ----------
        time_zone : str
            Zone of the potentiostat's clock, as ``Europe/London``, where the log does not say it.

        Raises
        ------
        InvalidInput
            If it is not known when the log began, or by which zone.
        MissingPackage
            Without the extra ``ixdat``.
        """
        from nrm_plugin.potential.ixdat_measurements import measurement_of

        return measurement_of(self, time_zone)

    @classmethod
    def from_ixdat(cls, measurement: Measurement) -> Log:
        """Take over what ixdat read: the recorded potential and current, not calibrated ones.

        Raises
        ------
        InvalidInput
            If it has no potential, in a unit of that; or what a log must not have.
        MissingPackage
            Without the extra ``ixdat``.
        """
        from nrm_plugin.potential.ixdat_measurements import log_arguments

        return cls(**log_arguments(measurement))

    def told(self) -> list[tuple[str, str]]:
        """What the file says beside the potential, for people: current, charge, reference, iR."""
        rows = []
        for name, unit in (("current", "A"), ("charge", "C"), ("ohmic_drop", "V")):
            span = self.span(name)
            if span is not None:
                rows.append((name.replace("_", " "), f"{span[0]:.4g} to {span[1]:.4g} {unit}"))
        if self.reference:
            rows.append(("reference", self.reference))
        if self.sweep_rate is not None:
            rows.append(("sweep rate", with_unit(self.sweep_rate, "V/s")))
        if self.ohmic_resistance is not None:
            rows.append(("resistance", with_unit(self.ohmic_resistance, "Ohm")))
        if self.ohmic_compensation is not None:
            part = f"{100.0 * self.ohmic_compensation:.4g} % of the ohmic drop"
            rows.append(("compensated", part if self.ohmic_compensation else "nothing"))
        return rows

    def span(self, name: str) -> tuple[float, float] | None:
        """Lowest and highest value of an array beside the potential; None where it has none."""
        values = getattr(self, name)
        if values is None or not np.isfinite(values).any():
            return None
        return float(np.nanmin(values)), float(np.nanmax(values))

    @property
    def duration(self) -> float:
        """Time in s from the first point to the last."""
        return float(self.time[-1] - self.time[0])


def _numbers(name: str, values: ArrayLike) -> FloatArray:
    try:
        return np.array(values, np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"the {name} of a log is an array of numbers") from None


def _seconds(
    time: ArrayLike, start: np.datetime64 | None
) -> tuple[FloatArray, np.datetime64 | None]:
    """Times in s since the start, which is the first date where dates are given."""
    values = np.asarray(time)
    if values.dtype.kind != "M":
        return _numbers("time", values), None if start is None else moment(start)
    dates = values.astype("M8[us]")
    valid = dates[~np.isnat(dates)]
    if not valid.size:
        raise InvalidInput("a log has at least two points with time and potential")
    seconds = (dates - valid.flat[0]) / np.timedelta64(1, "s")
    return np.asarray(seconds, np.float64), moment(valid.flat[0])
