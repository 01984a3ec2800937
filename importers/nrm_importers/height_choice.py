"""Which of a sensor and a command is the height."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nrm_importers.metadata import Metadata
from nrm_plugin.model import Channel

#: A sensor must follow at least this part of the commanded ramp to be trusted as height.
FOLLOWS = 0.1


def choose_height(channels: dict[str, Channel], metadata: Metadata) -> None:
    """Give ``height``: the sensor if it varies with the ramp of the first curve, else the command.

    What is chosen is told in the metadata; a sensor that stands still, and curves without any
    height, are warned of.
    """
    spans = {
        name: _span(channels[name])
        for name in ("height_sensor", "height_commanded")
        if name in channels
    }
    sensor, commanded = (spans.get(name, 0.0) for name in ("height_sensor", "height_commanded"))
    chosen = "height_commanded" if "height_commanded" in spans else "height_sensor"
    if sensor > 0.0:
        if sensor >= FOLLOWS * commanded:
            chosen = "height_sensor"
        else:
            what = channels["height_sensor"].original
            metadata.warn(f"{what} does not follow the ramp and is not used as height")
    if chosen not in channels:
        metadata.warn("there is no height: neither a z sensor nor a commanded ramp was recorded")
        return
    channels["height"] = replace(channels[chosen], name="height")
    metadata.values["height_source"] = chosen.removeprefix("height_")
    metadata.sources["height_source"] = channels[chosen].source


def _span(channel: Channel) -> float:
    """How far the first curve reaches."""
    values = np.empty(channel.column.rows.start(1))
    channel.fill(0, 1, values)
    values = values[np.isfinite(values)]
    return float(np.ptp(values)) if len(values) else 0.0
