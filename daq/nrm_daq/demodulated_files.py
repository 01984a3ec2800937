"""What a lock-in in software made: what describes its recording, and what that says at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nrm_daq.recording import RecordingContents, Volts
from nrm_plugin.demodulation import LockInPlan, PeriodFilter
from nrm_plugin.demodulation.signal_doubts import doubts_of_reference, intermodulation_text
from nrm_plugin.model import CurveSet


def shifted_back(volts: Volts, lag: float) -> Volts:
    """Return samples as they were `lag` samples before, linearly between neighbours.

    The first one stays.
    """
    out = volts.copy()
    with np.errstate(over="ignore", invalid="ignore"):  # what a damaged recording holds
        out[1:] -= np.float32(lag) * np.diff(volts)
    return out


def made_header(
    header: Mapping[str, Any], plan: LockInPlan, others: Sequence[int], doubts: Sequence[str]
) -> dict[str, Any]:
    """Return what describes the recording of what is made."""
    raw, channels = header["channels"], []
    for i in others:
        source = f"{raw[i]['terminal']}, {raw[i]['range']:g} V range"
        source += f", means of {plan.interval} samples"
        channels.append(raw[i] | {"gain": 1.0, "offset": 0.0, "range": None, "source": source})
    (unit,) = [one["unit"] for one in raw if one["name"] == plan.settings.signal]
    for name in (name for pair in plan.names for name in pair):
        channels.append(
            {
                "name": name,
                "unit": unit,
                "gain": plan.size,
                "offset": 0.0,
                "terminal": name,
                "range": None,
                "source": plan.shown(name),
            }
        )
    filter_ = plan.filter_
    setup = header["setup"]
    made = {k: v for k, v in header["made"].items() if k != "lateral_delay"}
    return {
        **header,
        "channels": channels,
        "setup": setup | {"rate": plan.rate / plan.interval, "delays": [0.0] * len(channels)},
        "samples": "<f8",
        "further": 1 + len(plan.lines),
        "lead": plan.lead,
        "made": made | plan.metadata(),
        "digital": {
            "sample_rate": plan.rate,
            "interval": plan.interval,
            "length": plan.length,
            "delay": plan.delay,
            "referenced": bool(plan.settings.reference),
            "size": plan.size,
            "lines": plan.lines,
            "filter": {
                "rate": filter_.rate,
                "box": filter_.box,
                "poles": filter_.poles,
                "combs": filter_.combs,
            },
        },
        "warnings": [*header["warnings"], *doubts],
    }


def with_summary(curves: CurveSet, recorded: RecordingContents) -> CurveSet:
    """Add what only the whole of a recording says of its lock-in in software."""
    digital, notes = recorded.header["digital"], recorded.known()
    n = recorded.n_channels
    further = np.concatenate([block[n:] for block in recorded.all_columns()], axis=1)
    deviation = further[0][np.isfinite(further[0])]
    frequency = float(recorded.header["made"]["dither_frequency"])
    values: dict[str, Any] = {}
    if len(deviation):
        values["dither_frequency"] = frequency + float(deviation.mean())
    convention = str(recorded.header["made"]["lockin_convention"])
    if digital["lines"]:
        power = further[1:].mean(axis=1)
        values["lockin_intermodulation"] = intermodulation_text(
            {
                name: (f, float(digital["size"]) * float(np.sqrt(p)))
                for (name, f), p in zip(digital["lines"].items(), power, strict=True)
            },
            convention,
        )
    curves = curves.with_metadata(values, "nrm acquire")
    lost = int(np.isnan(further[0]).sum()) if digital["referenced"] else 0
    combs = tuple((int(d), float(c)) for d, c in digital["filter"]["combs"])
    filter_ = PeriodFilter(**digital["filter"] | {"combs": combs})
    largest = float(np.abs(deviation).max(initial=0.0))
    for text in doubts_of_reference(lost, largest, filter_):
        curves = curves.with_warning(text)
    least = "" if "ended" in notes else "at least "
    for name, count in notes.get("clipped_waves", {}).items():
        curves = curves.with_warning(
            f"{name} was clipped, or constant, for {least}{count} half seconds: X and Y are wrong "
            "there. Record it with a larger range, or less gain"
        )
    return curves
