"""What the metadata say: those of the curves, or those that results were made with."""

from __future__ import annotations

import tomllib
from functools import cached_property
from typing import Any

import xarray as xr

from nrm_plugin.errors import NrmError
from nrm_plugin.model import CurveSet
from nrm_plugin.statements import parsed
from nrm_plugin.units import parse


class ToldMetadata:
    """Metadata of what is looked at; the curves' own count first.

    Parameters
    ----------
    results : Dataset or None
    curves : CurveSet or None
    """

    def __init__(self, results: xr.Dataset | None, curves: CurveSet | None) -> None:
        self._results, self._curves = results, curves

    @cached_property
    def written(self) -> dict[str, Any]:
        """Metadata that the results were made with, as they are written there."""
        text = "" if self._results is None else str(self._results.attrs.get("experiment", ""))
        try:
            return parsed(text)
        except tomllib.TOMLDecodeError:
            return {}

    def number(self, key: str, unit: str) -> float | None:
        """Return a number in SI, None if it is not known."""
        if self._curves is not None and key in self._curves.metadata:
            return float(self._curves.metadata[key])
        value = self.written.get(key)
        try:
            return None if value is None else float(parse(str(value), unit))
        except NrmError:
            return None

    def text(self, key: str) -> str:
        """Return a text; empty if there is none."""
        if self._curves is not None and key in self._curves.metadata:
            return str(self._curves.metadata[key])
        return str(self.written.get(key, ""))
