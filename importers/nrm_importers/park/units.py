"""Park's spelling of units."""

from __future__ import annotations

from nrm_plugin import units

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


def si(unit: str) -> tuple[float, str]:
    """Factor and SI symbol of a unit; a unit that is not known stays as it is.

    Examples
    --------
    >>> si("usec")
    (1e-06, 's')
    """
    return units.si(_SPELLINGS.get(unit.lower(), unit)) or (1.0, unit)
