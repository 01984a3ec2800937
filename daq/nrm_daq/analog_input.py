"""An analog input of a configuration: its terminal, and what its volts mean."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nrm_daq.config_values import ConfigTable, Volts
from nrm_daq.digital_config import REFERENCE
from nrm_plugin import units
from nrm_plugin.errors import InvalidInput
from nrm_plugin.vocabulary import CHANNELS, check_name, nearest

#: A channel that only marks the ramps, in V.
MARKER = "marker"

#: What a channel of another kind is called.
AUXILIARY = "aux_"

#: Names that a channel can have, beside auxiliary ones.
ROLES = (
    *(name for name in CHANNELS if name not in ("time", "height_sensor", "height_commanded")),
    MARKER,
    REFERENCE,
)


class AnalogInput(ConfigTable):
    """An analog input: ``value = polarity * scale * volts + offset``."""

    terminal: str = Field(min_length=1, description="input of the board, Dev1/ai0")
    range: Volts = Field(default=10.0, description="largest voltage, both ways")
    wiring: Literal["default", "differential", "rse", "nrse", "pseudo-differential"] = Field(
        default="default", description="terminal configuration"
    )
    scale: float | str = Field(default=1.0, description='per volt, "100 nm/V"; else volts are kept')
    offset: float | str = Field(default=0.0, description="added behind the scale, with its unit")
    polarity: Literal["normal", "inverted"] = Field(
        default="normal", description="inverted where the voltage falls as the value rises"
    )


def scaling(name: str, channel: AnalogInput) -> tuple[float, float, str]:
    """Gain (per volt), offset and unit of a channel.

    Raises
    ------
    InvalidInput
        If the channel cannot be called so, or has no such unit.
    """
    if name not in ROLES and not name.startswith(AUXILIARY):
        raise InvalidInput(
            f"there is no channel 'channels.{name}'.{nearest(name, ROLES)} "
            f"Others begin with {AUXILIARY}"
        )
    check_name(name, "channel")
    gain, unit = _per_volt(name, channel.scale)
    if name in CHANNELS and unit not in CHANNELS[name].units:
        wanted = " or ".join(f"{u}/V" for u in CHANNELS[name].units)
        raise InvalidInput(f"channels.{name} needs a scale in {wanted}")
    offset = channel.offset
    offset = units.parse(offset, unit) if isinstance(offset, str) else float(offset)
    gain = -gain if channel.polarity == "inverted" else gain
    if not (0.0 < abs(gain) < float("inf") and abs(offset) < float("inf")):
        raise InvalidInput(
            f"channels.{name}: a scale of {gain:g} and an offset of {offset:g} cannot be used"
        )
    return gain, offset, unit


def _per_volt(name: str, scale: float | str) -> tuple[float, str]:
    """Scale in SI, and the unit that it leads to."""
    if not isinstance(scale, str):
        return float(scale), "V"
    number, slash, volts = scale.rpartition("/")
    if not slash:
        return units.parse(scale, ""), "V"
    per = units.parse(f"1 {volts}", "V")
    targets = CHANNELS[name].units if name in CHANNELS else ("V", "A", "m", "N", "K", "Pa", "")
    for target in targets:
        try:
            return units.parse(number, target) / per, target
        except InvalidInput:
            continue
    raise InvalidInput(
        f"channels.{name}: the scale {scale!r} is not in "
        + " or ".join(f"{t or '1'}/V" for t in targets)
    )
