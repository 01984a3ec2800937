"""Gain, offset, reference and clock of the potential, and the columns that every curve gets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.model import CurveSet
from nrm_plugin.potential.moments import zone
from nrm_plugin.vocabulary import METADATA

if TYPE_CHECKING:
    import xarray as xr

#: Settings that are kept as metadata, by the names of the arguments.
_KEYS = {
    "gain": "potential_gain",
    "offset": "potential_offset",
    "reference": "reference_potential",
    "clock_offset": "clock_offset",
    "time_zone": "time_zone",
}


@dataclass(frozen=True)
class PotentialSettings:
    """Arguments, and metadata where there are none.

    Attributes
    ----------
    arguments : dict
        Under the names of metadata.
    metadata : dict
        Of the curves.
    """

    arguments: dict[str, Any]
    metadata: Mapping[str, Any]

    @classmethod
    def of(cls, data: CurveSet | xr.Dataset, arguments: Mapping[str, Any]) -> PotentialSettings:
        """Check the arguments.

        Raises
        ------
        InvalidInput
        """
        named = {_KEYS[k]: METADATA[_KEYS[k]].check(_KEYS[k], v) for k, v in arguments.items()}
        settings = cls(named, data.metadata if isinstance(data, CurveSet) else {})
        if settings.text("time_zone"):
            zone(settings.text("time_zone"))
        return settings

    def number(self, key: str) -> float | None:
        """Value of a number, None if nobody gave it."""
        value = self.arguments.get(key, self.metadata.get(key))
        return None if value is None else float(value)

    def text(self, key: str) -> str:
        """Value of a text, empty if nobody gave it."""
        return str(self.arguments.get(key, self.metadata.get(key, "")))

    def scale(self, *, monitor: bool) -> tuple[float, float, str]:
        """Gain and offset of all together, and both in words.

        Metadata of the monitor are for the recorded channel, and not for a log.
        """
        applicable = self if monitor else replace(self, metadata={})
        gain = applicable.number("potential_gain")
        offset = applicable.number("potential_offset") or 0.0
        reference = self.number("reference_potential") or 0.0
        gain = 1.0 if gain is None else gain
        words = f"gain {gain:g}, offset {offset:g} V, " if monitor or self._scaled else ""
        return gain, offset + reference, f"{words}reference {reference:g} V"

    @property
    def _scaled(self) -> bool:
        return bool({"potential_gain", "potential_offset"} & set(self.arguments))


@dataclass
class CurvePotentials:
    """Potential, sweep and cycle of every curve, where they come from, warnings and metadata."""

    columns: dict[str, AnyArray]
    source: str
    warnings: list[str]
    metadata: dict[str, Any] = field(default_factory=dict)


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


def empty_columns(n: int) -> dict[str, AnyArray]:
    """Columns of n curves without potentials."""
    return {
        "potential": np.full(n, math.nan),
        "potential_uncertainty": np.full(n, math.nan),
        "sweep": np.zeros(n, np.int64),
        "cycle": np.full(n, -1, np.int64),
    }
