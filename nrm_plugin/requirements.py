"""What stands between curves and moduli: which channels and values are missing, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from nrm_plugin.vocabulary import CHANNELS, LATERAL_PAIRS

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet


class Missing(NamedTuple):
    """A channel or a metadata key that is missing, and why it is needed."""

    key: str
    why: str

    @property
    def is_channel(self) -> bool:
        """Whether it is a channel."""
        return self.key in CHANNELS


@dataclass(frozen=True, slots=True)
class Need:
    """A rule: a key is needed for `why`, where `applies` says so of the curves.

    Attributes
    ----------
    key : str
    why : str
    applies : callable
        Takes the curves.
    when : str
        The same in words, for a template without curves.
    """

    key: str
    why: str
    applies: Callable[[CurveSet], bool] = lambda curves: True
    when: str = ""


def _in_volts(curves: CurveSet, *names: str) -> bool:
    return any(n in curves.channels and curves.channels[n].unit == "V" for n in names)


def _lateral_in_volts(curves: CurveSet) -> bool:
    pair = curves.lateral_pair
    return pair is not None and _in_volts(curves, *pair)


def _records_outputs(curves: CurveSet) -> bool:
    return curves.lateral_pair == LATERAL_PAIRS[2]


def _needs_force_as_deflection(curves: CurveSet) -> bool:
    return "deflection" not in curves.channels and "force_normal" in curves.channels


_OUTPUTS = "if the lock-in's X and Y outputs were recorded"
_VOLTS = "if the lateral signal is in V"
_SCALE = "turns the recorded output into volts at the lock-in's input"

#: Values, in the order of the experiment file.
NEEDS: tuple[Need, ...] = (
    Need("lockin_convention", "a factor of 1.41 in the moduli lies between rms and peak"),
    Need("lockin_sensitivity", _SCALE, _records_outputs, _OUTPUTS),
    Need("lockin_expand_x", f"{_SCALE}; 1 = off", _records_outputs, _OUTPUTS),
    Need("lockin_expand_y", f"{_SCALE}; 1 = off", _records_outputs, _OUTPUTS),
    Need("lockin_offset_x", f"{_SCALE}; 0 = off", _records_outputs, _OUTPUTS),
    Need("lockin_offset_y", f"{_SCALE}; 0 = off", _records_outputs, _OUTPUTS),
    Need("dither_amplitude", "the moduli are the lateral force divided by it"),
    Need(
        "spring_constant",
        "turns the force into the deflection",
        _needs_force_as_deflection,
        "if the file has a force and no deflection",
    ),
    Need(
        "lateral_stiffness",
        "turns the lateral motion of the tip into a force",
        _lateral_in_volts,
        _VOLTS,
    ),
    Need(
        "deflection_sensitivity",
        "the depth is height plus deflection, both in m",
        lambda curves: _in_volts(curves, "deflection"),
        "if the deflection is in V",
    ),
    Need(
        "lateral_sensitivity",
        "turns the lateral signal into a motion of the tip",
        _lateral_in_volts,
        _VOLTS,
    ),
)


def missing(curves: CurveSet) -> list[Missing]:
    """What moduli need and curves do not have: channels first, then metadata keys.

    Values that moduli can do without (the dither's frequency for the viscosity, the lock-in's
    time constant for its lag) are not among them; the template lists those as optional.

    Parameters
    ----------
    curves : CurveSet

    Returns
    -------
    list of Missing
        Pairs (key, why); empty if moduli can be computed.
    """
    result = _missing_channels(curves)
    for need in NEEDS:
        if need.key not in curves.metadata and need.applies(curves):
            result.append(Missing(need.key, need.why))
    return result


def when_needed(key: str) -> str:
    """When a key is needed, in words; empty if it never is."""
    return next((n.when for n in NEEDS if n.key == key), "")


def unknown_channels(curves: CurveSet) -> list[str]:
    """Return the channels of which the file does not say what they are."""
    return [name for name in curves.channels if name not in CHANNELS]


def _missing_channels(curves: CurveSet) -> list[Missing]:
    if not curves.n_curves:
        wanted = ("height", "deflection", *LATERAL_PAIRS[0])
        return [Missing(name, "the file has no curves") for name in wanted]
    found = []
    if "height" not in curves.channels:
        found.append(Missing("height", "the depth is height plus deflection"))
    if not {"deflection", "force_normal"} & set(curves.channels):
        found.append(Missing("deflection", "the contact with the electrode is found in it"))
    if curves.lateral_pair is None:
        half = next((p for p in LATERAL_PAIRS if set(p) & set(curves.channels)), None)
        unknown = [curves.channels[name].original or name for name in unknown_channels(curves)]
        hint = f"; if one of these holds it, say so: {', '.join(unknown)}" if unknown else ""
        for name in half or LATERAL_PAIRS[0]:
            if name not in curves.channels:
                found.append(Missing(name, f"the moduli come from the lateral signal{hint}"))
    return found
