"""What a few of the curves show: which way z runs, which channels are dead, how Force was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nrm_importers.metadata import Metadata
from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.model import Channel

#: So many curves, from the first to the last, are looked at.
_LOOKED_AT = 9

#: A sensor must follow at least this part of the commanded ramp to be trusted as height.
_FOLLOWS = 0.1

#: Force and spring constant times sensitivity may differ by rounding.
_AGREES = 0.01

#: Force counts as made from the deflection where they lie on a line as well as this.
_ON_A_LINE = 0.999


class Probe:
    """Samples of a few curves of a channel, in halves.

    Parameters
    ----------
    channel : Channel
    counts : (n_curves, 2) array of int
        Samples of each half.
    """

    def __init__(self, channel: Channel, counts: IntArray) -> None:
        self.halves: list[tuple[FloatArray, FloatArray]] = []
        for curve in np.unique(np.linspace(0, len(counts) - 1, _LOOKED_AT).astype(int)).tolist():
            down, up = (int(n) for n in counts[curve])
            values = np.empty(down + up)
            channel.fill(curve, curve + 1, values)
            self.halves.append((values[:down], values[down:]))

    def median(self, measure: Callable[[FloatArray], float], half: int) -> float:
        """Median of a measure of one half of each curve."""
        return float(np.median([measure(pair[half]) for pair in self.halves]))

    def constant(self) -> float | None:
        """Value of a channel that has the same one everywhere; None for one that is alive."""
        values = np.concatenate([half for pair in self.halves for half in pair])
        return float(values[0]) if len(values) > 1 and (values == values[0]).all() else None


def fall(values: FloatArray) -> float:
    """How far values fall from their beginning to their end."""
    end = max(1, len(values) // 20)
    return float(values[:end].mean() - values[-end:].mean()) if len(values) else 0.0


def settle(channels: dict[str, Channel], counts: IntArray, metadata: Metadata) -> tuple[str, str]:
    """Choose the height, and report what is wrong with the channels.

    Returns
    -------
    (str, str)
        Kinds of the two halves.
    """
    with np.errstate(all="ignore"):
        return _settle(channels, counts, metadata)


def _settle(channels: dict[str, Channel], counts: IntArray, metadata: Metadata) -> tuple[str, str]:
    probes = {name: Probe(channel, counts) for name, channel in channels.items() if name != "time"}
    for name, one in probes.items():
        constant = one.constant()
        if constant is not None:
            channel = channels[name]
            metadata.warn(
                f"{channel.original} is dead: it is {constant:g} {channel.unit}".rstrip()
                + " in all samples that were looked at"
            )
    kinds = _choose_height(channels, probes, metadata)
    if "deflection" in probes and "force_normal" in probes:
        _compare_force(probes["deflection"], probes["force_normal"], metadata)
    return kinds


def _choose_height(
    channels: dict[str, Channel], probes: dict[str, Probe], metadata: Metadata
) -> tuple[str, str]:
    """Give ``height``: the sensor if it varies with the ramp, else what was commanded."""
    falls: dict[str, float] = {}
    for name in ("height_sensor", "height_commanded"):
        if name not in channels:
            continue
        falls[name] = probes[name].median(fall, 0)
        if falls[name] < 0:
            channels[name] = upward(channels[name])
    sensor, commanded = (
        abs(falls.get(name, 0.0)) for name in ("height_sensor", "height_commanded")
    )
    chosen = "height_commanded"
    if sensor > 0 and sensor >= _FOLLOWS * commanded:
        chosen = "height_sensor"
    elif "height_sensor" in channels and probes["height_sensor"].constant() is None:
        what = channels["height_sensor"].original
        metadata.warn(f"{what} does not follow the ramp and is not used as height")
    if chosen not in channels:
        metadata.warn("there is no height: neither a z sensor nor a commanded ramp was recorded")
        return "other", "other"
    channels["height"] = replace(channels[chosen], name="height")
    metadata.values["height_source"] = chosen.removeprefix("height_")
    metadata.sources["height_source"] = channels[chosen].source
    rises = probes[chosen].median(fall, 1) * (1.0 if falls[chosen] >= 0 else -1.0) < 0
    if not falls[chosen] or not rises:
        metadata.warn("the height does not fall and rise again: approach and retract are not told")
        return "other", "other"
    return "approach", "retract"


def upward(channel: Channel) -> Channel:
    """A z that rises towards the sample, with the sign that makes it a height."""
    return replace(
        channel,
        gain=-channel.gain,
        offset=-channel.offset,
        source=f"{channel.source}, sign turned: larger = farther",
    )


def _compare_force(deflection: Probe, force: Probe, metadata: Metadata) -> None:
    """Report a Force that was made with another sensitivity than the header's."""
    slopes = []
    for volts, newtons in zip(deflection.halves, force.halves, strict=True):
        x, y = np.concatenate(volts), np.concatenate(newtons)
        x, y = x - x.mean(), y - y.mean()
        xx, yy, xy = float(x @ x), float(y @ y), float(x @ y)
        if xx > 0 < yy and xy**2 > _ON_A_LINE * xx * yy:
            slopes.append(xy / xx)
    if not slopes:
        return
    slope = float(np.median(slopes))
    if slope < 0:
        metadata.warn("Force falls as Vertical (A-B) rises: one of the two has the wrong sign")
    stiffness = metadata.values.get("spring_constant")
    sensitivity = metadata.values.get("deflection_sensitivity")
    if stiffness is None or sensitivity is None:
        return
    expected = stiffness * sensitivity
    if abs(slope - expected) > _AGREES * abs(expected):
        metadata.warn(
            f"the stored Force was made with {slope * 1e9:.6g} nN/V, but force constant and "
            f"sensitivity in the header give {expected * 1e9:.6g} nN/V "
            f"({100 * (slope / expected - 1):+.1f} %): Force is kept as it is stored"
        )
