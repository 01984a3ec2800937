"""Metadata: free texts with free keys, of which only few are known to mean something."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime

from nrm_importers.found import Found
from nrm_importers.gwyddion.names import MARK
from nrm_plugin import units
from nrm_plugin.errors import InvalidInput
from nrm_plugin.vocabulary import METADATA

#: Keys that describe the measurement, as the importers of Gwyddion pass them on.
_DESCRIBING = {
    "date": "start_time",
    "microscope": "instrument",
    "instrument": "instrument",
    "scanner type": "scanner",
    "operating mode": "operating_mode",
    "comment": "comment",
}

#: Keys that calibrate, with the unit that they must have. Taken from the curves' own texts only.
_CALIBRATING = {
    "spring constant": "spring_constant",
    "deflection sensitivity": "deflection_sensitivity",
    "sens. deflsens": "deflection_sensitivity",
}

_DATES = ("%I:%M:%S %p %a %b %d %Y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")


def describe(metas: Iterable[dict[str, str]], found: Found) -> None:
    """Take over what all texts of a file agree on."""
    said: dict[str, set[str]] = {}
    names: dict[str, str] = {}
    for meta in metas:
        for key, text in meta.items():
            known = _DESCRIBING.get(key.lower())
            if known is not None and text.strip() and MARK not in meta:
                value = _date(text) if known == "start_time" else text.strip()
                if value:
                    said.setdefault(known, set()).add(value)
                    names[known] = key
    for known, values in said.items():
        if len(values) == 1 and known not in found.values:
            found.add(known, values.pop(), names[known])


def calibrate(meta: dict[str, str], found: Found) -> None:
    """Take over what the texts of the curves themselves say about their calibration."""
    for key, text in meta.items():
        known = _CALIBRATING.get(key.lower())
        if known is None or known in found.values:
            continue
        with contextlib.suppress(InvalidInput):
            if not text.strip()[-1:].isdigit():  # a number without a unit tells too little
                found.add(known, units.parse(text, METADATA[known].unit), key)


def restore(meta: dict[str, str], found: Found) -> None:
    """Take over the metadata that this package wrote."""
    for key, text in meta.items():
        known = METADATA.get(key)
        if known is None:
            continue
        value: float | str = text
        if not known.text and not known.words and key != "simulated":
            try:
                value = units.parse(text, known.unit)
            except InvalidInput as error:
                found.warn(f"{key} is left out: {error}")
                continue
        found.add(key, value, key)


def _date(text: str) -> str:
    for form in _DATES:
        with contextlib.suppress(ValueError):
            return datetime.strptime(text.strip(), form).isoformat()
    return ""
