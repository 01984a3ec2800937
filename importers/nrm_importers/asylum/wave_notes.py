"""Asylum's notes: lines of keys and values, and what they say of an instrument and a ramp."""

from __future__ import annotations

import math
from datetime import datetime
from functools import cached_property

import numpy as np

from nrm_importers.metadata import Metadata

#: InvOLS as the instrument leaves the factory, m/V.
FACTORY = 1e-7

_EPOCH = np.datetime64("1904-01-01T00:00:00", "us")


class WaveNote:
    """A note: ``key: value`` on lines that end with a carriage return.

    Of a key that repeats, the first value is the curve's own; later ones are left over from panels
    of the program.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def values(self) -> dict[str, str]:
        """Text of each key."""
        out: dict[str, str] = {}
        for line in self.text.replace("\n", "\r").split("\r"):
            key, sign, value = line.partition(":")
            if sign:
                out.setdefault(key.strip(), value.strip())
        return out

    def number(self, key: str) -> float | None:
        """Value of a key as a number; None where it is missing or none."""
        try:
            value = float(self.values[key])
        except (KeyError, ValueError):
            return None
        return value if math.isfinite(value) else None

    @property
    def date(self) -> np.datetime64 | None:
        """When a curve was taken: Date and Time, else Seconds since 1904; None without either."""
        day, clock = self.values.get("Date", ""), self.values.get("Time", "")
        for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %I:%M:%S %p", "%m/%d/%Y %I:%M:%S %p"):
            try:
                return np.datetime64(datetime.strptime(f"{day} {clock}", form), "us")
            except ValueError:
                continue
        seconds = self.number("Seconds")
        if seconds is None or not 0.0 < seconds < 1e10:
            return None
        return _EPOCH + np.timedelta64(round(seconds * 1e6), "us")

    def describe(self, metadata: Metadata) -> None:
        """Add cantilever, trigger, ramp and instrument to the metadata."""
        for key, name in (
            ("spring_constant", "SpringConstant"),
            ("deflection_sensitivity", "InvOLS"),
            ("ramp_size", "ForceDist"),
            ("ramp_rate", "ForceScanRate"),
            ("scan_size", "FastScanSize"),
        ):
            value = self.number(name)
            metadata.add(key, value if value else None, name)
        angle = self.number("ScanAngle")
        metadata.add("scan_angle", math.radians(angle) if angle else None, "ScanAngle")
        for key, name in (
            ("instrument", "MicroscopeModel"),
            ("software_version", "Version"),
            ("operating_mode", "ImagingMode"),
        ):
            metadata.add(key, self.values.get(name), name)
        if self.values.get("TriggerChannel") == "DeflVolts":
            metadata.add("trigger_threshold", self.number("TriggerPoint"), "TriggerPoint")
            metadata.add("trigger_mode", "relative to the baseline", "TriggerPoint")
        date = self.date
        metadata.add("start_time", None if date is None else str(date), "Date and Time, or Seconds")
        if metadata.values.get("deflection_sensitivity") == FACTORY:
            metadata.warn(
                "InvOLS is 100 nm/V, as the instrument leaves the factory: the deflection's "
                "sensitivity was not calibrated, and forces are wrong by as much as it is off"
            )
