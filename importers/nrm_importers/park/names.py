"""Names of channels and units as Park spells them."""

from __future__ import annotations

from nrm_importers.metadata import Metadata
from nrm_plugin import units
from nrm_plugin.vocabulary import own_slug

#: What Park records, in small letters, under canonical name and unit.
CANONICAL = {
    "vertical (a-b)": ("deflection", "V"),
    "a-b": ("deflection", "V"),
    "force": ("force_normal", "N"),
    "z scan": ("height_commanded", "m"),
    "z drive": ("height_commanded", "m"),
    "z detector": ("height_sensor", "m"),
    "z height": ("height_sensor", "m"),
    "zheight": ("height_sensor", "m"),
    "lateral (c-d)": ("lateral", "V"),
    "c-d": ("lateral", "V"),
    "lateral force": ("lateral", "V"),
    "lateral": ("lateral", "V"),
    "lfm": ("lateral", "V"),
    "time stamp": ("time", "s"),
}

_SPELLINGS = {
    "usec": "us",
    "msec": "ms",
    "nsec": "ns",
    "sec": "s",
    "second": "s",
    "microsecond": "us",
    "millisecond": "ms",
    "volt": "V",
    "millivolt": "mV",
    "meter": "m",
    "micrometer": "um",
    "micron": "um",
    "nanometer": "nm",
    "newton": "N",
    "micronewton": "uN",
    "nanonewton": "nN",
    "ampere": "A",
    "microampere": "uA",
    "nanoampere": "nA",
    "picoampere": "pA",
    "degree": "deg",
    "hertz": "Hz",
    "kilohertz": "kHz",
}


def si_unit(unit: str) -> tuple[float, str]:
    """Factor and SI symbol of a unit; a unit that is not known stays as it is.

    Examples
    --------
    >>> si_unit("usec")
    (1e-06, 's')
    """
    return units.si(_SPELLINGS.get(unit.lower(), unit)) or (1.0, unit)


def name_of(original: str, unit: str, metadata: Metadata) -> str:
    """Name of a channel that Park calls `original`, if its unit fits; else a slug."""
    name, wanted = CANONICAL.get(original.lower(), ("", ""))
    if name and si_unit(unit)[1] != wanted:
        if original.lower() == "force" and si_unit(unit)[1] == "V":
            return "deflection"
        metadata.warn(f"{original} is in {unit or 'no unit'} and not in {wanted}: kept as it is")
        name = ""
    return name or own_slug(original or "channel", "park")
