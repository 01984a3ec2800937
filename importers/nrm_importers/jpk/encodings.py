"""How a channel of a segment is stored, and the conversions that lead from there to SI."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from nrm_importers.jpk.java_properties import number, whole

#: What encoders make of the raw numbers; all are big-endian. Public readers list the unsigned ones
#: and those of 64 bits, which no file at hand has.
_TYPES = {
    "signedshort": ">i2",
    "unsignedshort": ">u2",
    "signedinteger": ">i4",
    "unsignedinteger": ">u4",
    "signedlong": ">i8",
}
_FLOATS = {"float-data": ">f4", "float": ">f4", "double-data": ">f8", "double": ">f8"}

#: Longest way from a slot to the stored value.
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Slot:
    """A meaning that the stored numbers can be given: ``value = raw * gain + offset``."""

    gain: float
    offset: float
    unit: str


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """A channel as one segment stores it.

    Attributes
    ----------
    name : str
        The vendor's.
    file : str
        Name of the member, from the segment's folder on; empty for an even scale.
    dtype : str
        Of the stored numbers; empty where they are not understood.
    start, step : float
        Of an even scale.
    count : int or None
        Samples, as the header says.
    slots : mapping of str to Slot
        Every conversion that is defined, and the stored value's own.
    base, default : str
        Slot of the stored value, and the one that JPK shows.
    problem : str
        Why it cannot be read, empty if it can.
    """

    name: str
    file: str
    dtype: str
    start: float
    step: float
    count: int | None
    slots: Mapping[str, Slot]
    base: str
    default: str
    problem: str

    def best(self, *names: str) -> tuple[str, Slot]:
        """First of some slots that is defined, else the stored value's own, and its name."""
        for name in (*names, self.base):
            if name in self.slots:
                return name, self.slots[name]
        return "", Slot(1.0, 0.0, "")


def encoding(header: Mapping[str, str], name: str) -> Encoding:
    """Read how a segment stores a channel, from its expanded header."""
    at = f"channel.{name}."
    kind = header.get(f"{at}data.type") or header.get(f"{at}type") or ""
    encoder = f"{at}encoder." if f"{at}encoder.type" in header else f"{at}data.encoder."
    how = header.get(f"{encoder}type", "").removesuffix("-limited")
    problem, dtype, gain, offset = "", "", 1.0, 0.0
    even = kind.startswith("raster")
    start, step = number(header, f"{at}data.start"), number(header, f"{at}data.step")
    if even:
        dtype = ">f8"
        if start is None or step is None:
            problem = "an even scale without start and step"
    elif how:
        dtype = _TYPES.get(how, "")
        problem = "" if dtype else f"stored as {how}"
        scale = _scaling(header, f"{encoder}scaling.")
        if scale is None:
            problem = problem or "a scale of another kind than linear"
        else:
            gain, offset = scale
    else:
        dtype = _FLOATS.get(kind, "")
        problem = "" if dtype else f"stored as {kind or 'nobody says what'}"
    base = header.get(f"{at}conversion-set.conversions.base", "") or "base"
    unit = _unit(header, f"{encoder}scaling.") or _unit(header, at)
    return Encoding(
        name=name,
        file="" if even else header.get(f"{at}data.file.name", ""),
        dtype=dtype,
        start=start or 0.0,
        step=step or 0.0,
        count=whole(header, f"{at}data.num-points"),
        slots=_slots(header, f"{at}conversion-set.", base, Slot(gain, offset, unit)),
        base=base,
        default=header.get(f"{at}conversion-set.conversions.default", ""),
        problem=problem,
    )


def _slots(header: Mapping[str, str], at: str, base: str, stored: Slot) -> dict[str, Slot]:
    """Slots whose chain of linear conversions leads to the stored value."""
    slots = {base: stored}
    for name in header.get(f"{at}conversions.list", "").split():
        chain: list[str] = []
        here = name
        while here != base and here not in chain and len(chain) < _DEEPEST:
            if header.get(f"{at}conversion.{here}.defined") != "true":
                break
            chain.append(here)
            here = header.get(f"{at}conversion.{here}.base-calibration-slot", "")
        if here != base:
            continue
        gain, offset, unit = stored.gain, stored.offset, stored.unit
        for step in reversed(chain):
            scale = _scaling(header, f"{at}conversion.{step}.scaling.")
            if scale is None:
                break
            gain, offset = gain * scale[0], offset * scale[0] + scale[1]
            unit = _unit(header, f"{at}conversion.{step}.scaling.") or unit
        else:
            slots[name] = Slot(gain, offset, unit)
    return slots


def _scaling(header: Mapping[str, str], at: str) -> tuple[float, float] | None:
    """Factor and offset of a linear scale."""
    factor, offset = number(header, f"{at}multiplier"), number(header, f"{at}offset")
    linear = header.get(f"{at}type", "linear") == "linear"
    if not linear or factor is None or offset is None:
        return None
    return (factor, offset) if math.isfinite(factor) and math.isfinite(offset) else None


def _unit(header: Mapping[str, str], at: str) -> str:
    return header.get(f"{at}unit.unit") or header.get(f"{at}unit", "")


def multiplier(header: Mapping[str, str], name: str, slot: str) -> float | None:
    """Factor of one conversion of a channel, None where it is not defined."""
    at = f"channel.{name}.conversion-set.conversion.{slot}."
    if header.get(f"{at}defined") != "true":
        return None
    scale = _scaling(header, f"{at}scaling.")
    return scale[0] if scale else None
