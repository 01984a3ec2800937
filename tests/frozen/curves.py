"""The curves of a frozen file."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from nrm_plugin.columns import ArrayColumn, Rows
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import SEGMENT


def built(held: dict[str, Any]) -> CurveSet:
    """Curves of a case's file."""
    about = json.loads(str(held["about"]))
    n, samples = held["raw_height"].shape
    rows = Rows.uniform(n, samples)
    clock = np.tile(np.arange(samples) * about["interval"], n)
    channels = {"time": Channel("time", "s", ArrayColumn(clock, rows))}
    for name, unit in about["units"].items():
        column = ArrayColumn(held[f"raw_{name}"].ravel(), rows)
        channels[name] = Channel(name, unit, column, about["gains"][name], original=name)
    table = np.zeros(n * len(about["segments"]), SEGMENT)
    table["curve"] = np.repeat(np.arange(n), len(about["segments"]))
    for k, key in enumerate(("start", "stop", "kind")):
        table[key] = np.tile([s[k] for s in about["segments"]], n)
    return CurveSet(rows, channels, metadata=about["metadata"], segments_from=lambda: table)
