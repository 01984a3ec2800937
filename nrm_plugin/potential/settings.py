"""What is known about the potential besides the numbers, and what is found for every curve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.model import CurveSet
from nrm_plugin.potential.clocks import zone
from nrm_plugin.vocabulary import METADATA

#: Settings that are kept as metadata, by the names of the arguments.
_KEYS = {
    "gain": "potential_gain",
    "offset": "potential_offset",
    "reference": "reference_potential",
    "clock_offset": "clock_offset",
    "time_zone": "time_zone",
}


@dataclass(frozen=True)
class Settings:
    """Arguments, and metadata where there are none.

    Attributes
    ----------
    given : dict
        Arguments under the names of metadata.
    known : dict
        Metadata of the curves.
    """

    given: dict[str, Any]
    known: Mapping[str, Any]

    @classmethod
    def of(cls, data: CurveSet | xr.Dataset, given: Mapping[str, Any]) -> Settings:
        """Check the arguments.

        Raises
        ------
        InvalidInput
        """
        named = {_KEYS[k]: METADATA[_KEYS[k]].check(_KEYS[k], v) for k, v in given.items()}
        known = data.metadata if isinstance(data, CurveSet) else {}
        settings = cls(named, known)
        if settings.text("time_zone"):
            zone(settings.text("time_zone"))
        return settings

    def number(self, key: str) -> float | None:
        """Value of a number, None if nobody gave it."""
        value = self.given.get(key, self.known.get(key))
        return None if value is None else float(value)

    def text(self, key: str) -> str:
        """Value of a text, empty if nobody gave it."""
        return str(self.given.get(key, self.known.get(key, "")))

    def scale(self, *, monitor: bool) -> tuple[float, float, str]:
        """Gain and offset of all together, and both in words.

        Metadata of the monitor are for the recorded channel, and not for a log.
        """
        known = self if monitor else replace(self, known={})
        gain = known.number("potential_gain")
        offset = known.number("potential_offset") or 0.0
        reference = self.number("reference_potential") or 0.0
        gain = 1.0 if gain is None else gain
        words = f"gain {gain:g}, offset {offset:g} V, " if monitor or self._scaled else ""
        return gain, offset + reference, f"{words}reference {reference:g} V"

    @property
    def _scaled(self) -> bool:
        return bool({"potential_gain", "potential_offset"} & set(self.given))


@dataclass
class Found:
    """Columns, where they come from, and warnings."""

    columns: dict[str, AnyArray]
    source: str
    warnings: list[str]


def starts(data: CurveSet | xr.Dataset) -> tuple[AnyArray, FloatArray]:
    """When each curve began, and how far that may be off in s."""
    if isinstance(data, CurveSet):
        table: Mapping[str, AnyArray] = data.curve_table
    else:
        table = {str(k): v.values for k, v in data.coords.items() if v.dims == ("curve",)}
    n = data.n_curves if isinstance(data, CurveSet) else data.sizes.get("curve", 0)
    began = table.get("start_time", np.full(n, np.datetime64("NaT", "us")))
    return (
        began.astype("M8[us]"),
        np.asarray(table.get("start_time_uncertainty", np.full(n, np.nan)), np.float64),
    )


def empty(n: int) -> dict[str, AnyArray]:
    """Columns of curves of which nothing is known."""
    return {
        "potential": np.full(n, math.nan),
        "potential_uncertainty": np.full(n, math.nan),
        "sweep": np.zeros(n, np.int64),
        "cycle": np.full(n, -1, np.int64),
    }
