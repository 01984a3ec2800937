"""Remarks of a person while something was recorded: when, and what.

Curves keep them in their metadata, under ``markers``: a line each of local time (ISO 8601),
seconds since the first sample, number of the curve and text, with tabs between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: Where markers are in the metadata of curves and results.
KEY = "markers"


@dataclass(frozen=True, kw_only=True)
class Marker:
    """A remark.

    Attributes
    ----------
    time : str
        By the clock of the computer that recorded, ISO 8601.
    seconds : float
        Since the first sample.
    curve : int
        Number of the curve; -1 where it belongs to none.
    text : str
        In one line.
    """

    time: str
    seconds: float
    curve: int
    text: str


def as_text(markers: Iterable[Marker]) -> str:
    """Return markers as metadata hold them."""
    return "\n".join(
        "\t".join((m.time, f"{m.seconds:.3f}", str(m.curve), " ".join(m.text.split())))
        for m in markers
    )


def markers_of(metadata: Mapping[str, Any]) -> list[Marker]:
    r"""Return the markers in metadata, in order of time; what is no marker is left out.

    Examples
    --------
    >>> markers_of({"markers": "2026-11-29T10:00:00.000\t1.500\t0\tArgon on"})[0].text
    'Argon on'
    """
    found = []
    for line in str(metadata.get(KEY, "")).splitlines():
        time, *rest = line.split("\t", 3)
        try:
            seconds, curve, text = float(rest[0]), int(rest[1]), rest[2]
        except (IndexError, ValueError):
            continue
        found.append(Marker(time=time, seconds=seconds, curve=curve, text=text))
    return found
