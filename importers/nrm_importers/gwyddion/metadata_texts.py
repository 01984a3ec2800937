"""Metadata: free texts with free keys, of which only few are known to mean something."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime

from nrm_importers.gwyddion.names import MARK
from nrm_importers.metadata import Metadata
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


def describe(metas: Iterable[dict[str, str]], metadata: Metadata) -> None:
    """Take over what all texts of a file agree on."""
    texts: dict[str, set[str]] = {}
    names: dict[str, str] = {}
    for meta in metas:
        for key, text in meta.items():
            known = _DESCRIBING.get(key.lower())
            if known is not None and text.strip() and MARK not in meta:
                value = _date(text) if known == "start_time" else text.strip()
                if value:
                    texts.setdefault(known, set()).add(value)
                    names[known] = key
    for known, values in texts.items():
        if len(values) == 1 and known not in metadata.values:
            metadata.add(known, values.pop(), names[known])


def calibrate(meta: dict[str, str], metadata: Metadata) -> None:
    """Take over what the texts of the curves themselves say about their calibration."""
    for key, text in meta.items():
        known = _CALIBRATING.get(key.lower())
        if known is None or known in metadata.values:
            continue
        with contextlib.suppress(InvalidInput):
            if not text.strip()[-1:].isdigit():  # a number without a unit tells too little
                metadata.add(known, units.parse(text, METADATA[known].unit), key)


def restore(meta: dict[str, str], metadata: Metadata) -> None:
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
                metadata.warn(f"{key} is left out: {error}")
                continue
        metadata.add(key, value, key)


def _date(text: str) -> str:
    for form in _DATES:
        with contextlib.suppress(ValueError):
            return datetime.strptime(text.strip(), form).isoformat()
    return ""
