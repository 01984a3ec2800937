"""What Gwyddion's free texts mean: labels, units, names of segments.

A label becomes a canonical channel only where label and unit together leave no doubt. Everything
else keeps its own name, and ``--map LABEL=CHANNEL`` says what it is.
"""

from __future__ import annotations

import re

from nrm_importers.gwyddion.tree import Node
from nrm_plugin import units
from nrm_plugin.vocabulary import CHANNELS, SegmentKind, own_slug, slug

#: Key in a container of metadata by which a file that this package wrote is known.
MARK = "nrm-plugin"

#: Key in the metadata, and label of a graph, by which results are known, which are no curves.
RESULTS = "nrm-plugin results"

#: Key in the metadata of a curve map whose row with the smallest y is the lowest.
UPWARDS = "rows upwards"

#: Unit that stands for none: Gwyddion 2 writes a broken file where a curve's unit is empty.
NO_UNIT = "one"

_DEFLECTION = {"V": "deflection", "m": "deflection", "N": "force_normal"}
_FORCE = {"N": "force_normal"}
_LATERAL = {"V": "lateral", "N": "lateral"}
_SENSOR = {"m": "height_sensor"}
_COMMANDED = {"m": "height_commanded"}

#: Canonical channel by label, in small letters and without anything between them, and unit.
_MEANINGS: dict[str, dict[str, str]] = (
    dict.fromkeys(
        (
            "deflection",
            "deflectionerror",
            "defl",
            "vdeflection",
            "verticaldeflection",
            "tmdeflection",
        ),
        _DEFLECTION,
    )
    | dict.fromkeys(("force", "normalforce", "verticalforce"), _FORCE)
    | dict.fromkeys(
        (
            "lateral",
            "friction",
            "hdeflection",
            "lateraldeflection",
            "horizontaldeflection",
            "lateralforce",
            "frictionforce",
        ),
        _LATERAL,
    )
    | dict.fromkeys(
        (
            "zsensor",
            "zsnsr",
            "heightsensor",
            "zdetector",
            "measuredheight",
            "heightmeasured",
            "straingaugeheight",
            "capacitivesensorheight",
        ),
        _SENSOR,
    )
    | dict.fromkeys(("ramp", "raw", "zscan", "zdrive", "zramp"), _COMMANDED)
    | {"height": {"m": "height"}, "time": {"s": "time"}}
)

#: Canonical names that nobody else gives by chance.
_OURS = frozenset(name for name in CHANNELS if "_" in name)

_KINDS: dict[str, SegmentKind] = {
    **dict.fromkeys(
        ("approach", "extend", "advance", "loading", "load", "forward", "trace"), "approach"
    ),
    **dict.fromkeys(
        ("retract", "withdraw", "unloading", "unload", "backward", "retrace"), "retract"
    ),
    **dict.fromkeys(("hold", "pause", "contact", "dwell"), "hold"),
    "modulation": "modulation",
    "modulated": "modulation",
    "other": "other",
}

#: What Gwyddion calls some units after saving.
_SPELLINGS = {"Ω": "Ohm", "s^-1": "1/s", NO_UNIT: ""}

_POWER_OF_TEN = re.compile(r"10\^?-?\d+\s*")


def unit_text(node: Node | None) -> str:
    """Text of a unit object; empty where there is none."""
    text = "" if node is None else node.text("unitstr").strip()
    return _SPELLINGS.get(text, text)


def si_unit(text: str) -> tuple[float, str, str]:
    """Return what values are multiplied by, their SI unit, and a warning.

    To Gwyddion a prefix in a unit of a file means nothing: numbers in a file are in base units,
    and it drops the prefix when it reads. So is it done here. An angle in degrees is one.
    """
    known = units.si(_POWER_OF_TEN.sub("", text))
    if known is None:
        return 1.0, text, ""
    factor, symbol = known
    if factor == 1.0 or (symbol == "rad" and "deg" in text):
        return factor, symbol, ""
    return 1.0, symbol, f"the unit {text!r} is read as {symbol or 'none'}, as Gwyddion does"


def channel_name(label: str, unit: str, literal: bool = False) -> str:
    """Canonical name of a label in a unit, or the label as a slug.

    Parameters
    ----------
    literal : bool
        Whether this package wrote the label: then it is a channel's name.
    """
    if (literal or label in _OURS) and label in CHANNELS and unit in CHANNELS[label].units:
        return label
    name = _MEANINGS.get(re.sub(r"[^0-9a-z]", "", label.lower()), {}).get(unit)
    return name if name is not None else own_slug(label, "gwyddion")


def is_canonical(label: str, unit: str) -> bool:
    """Whether a label and a unit are known to mean a canonical channel."""
    return channel_name(label, unit) in CHANNELS


def lost_unit(label: str) -> bool:
    """Whether a label without a unit would be a canonical channel if it had one."""
    return any(
        slug(label) == name or is_canonical(label, unit)
        for name, known in CHANNELS.items()
        for unit in known.units
    )


def segment_kind(label: str) -> SegmentKind | None:
    """Kind of a segment by its label, ``Retract-spm`` for one; None where it says nothing."""
    for word in re.findall(r"[a-z]+", label.lower()):
        if word in _KINDS:
            return _KINDS[word]
    return None


def split_title(title: str) -> tuple[str, str]:
    """Return a title without what stands in brackets behind it, and that."""
    title = title.strip()
    at = max(title.rfind("["), title.rfind("("))
    inside = title[at + 1 : -1]
    if at < 0 or title[-1] not in "])" or "]" in inside or ")" in inside:
        return title, ""
    return title[:at].strip(), inside
