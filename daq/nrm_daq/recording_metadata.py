"""What is known about a recording: when it began, and the metadata of its curves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from nrm_daq.config import DaqConfig
from nrm_daq.dither_table import dither_metadata
from nrm_daq.lockin_settings import FREQUENCY_TOLERANCE, as_metadata, changed
from nrm_daq.recording import RecordingContents
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import NrmError
from nrm_plugin.hookspecs import LockInSettings
from nrm_plugin.markers import KEY, Marker, as_text
from nrm_plugin.model import CurveSet

#: Blocks from whose arrival the time of a triggered start is estimated.
FIRST_BLOCKS = 50


@dataclass(frozen=True)
class Start:
    """When the first sample was taken: s since 1970, and how sure that is."""

    time: float
    uncertainty: float

    @classmethod
    def of(cls, recorded: RecordingContents, notes: Mapping[str, Any], rate: float) -> Start:
        """From the clock around the start, or from when blocks arrived after a trigger.

        Of what a lock-in in software made the first value is later than the first sample.
        """
        lead = float(recorded.header.get("lead", 0.0))
        before, after = (1e-9 * t for t in notes.get("began", (0, 0)))
        if before and not recorded.header.get("triggered"):
            return cls(0.5 * (before + after) + lead, 0.5 * (after - before))
        if "arrivals" in notes:
            time, uncertainty = notes["arrivals"]
            return cls(time + lead, uncertainty)
        part = slice(0, FIRST_BLOCKS)
        ends = (recorded.firsts + recorded.counts + recorded.backlog)[part] / rate
        return cls.of_arrivals(1e-9 * recorded.arrived[part] - ends)

    @classmethod
    def of_arrivals(cls, began: FloatArray) -> Start:
        """From times (s since 1970) that blocks say, each by its arrival less its length."""
        # A block comes late, never early.
        return cls(float(began.min()), float(np.ptp(began)))

    @property
    def local(self) -> datetime:
        """The time by this computer's clock, without its zone."""
        return local(self.time)


def local(time: float) -> datetime:
    """Time in s since 1970 by this computer's clock, without its zone."""
    aware = datetime.fromtimestamp(0, UTC) + timedelta(seconds=time)
    return aware.astimezone().replace(tzinfo=None)


def with_markers(curves: CurveSet, recorded: RecordingContents, start: Start) -> CurveSet:
    """Add the remarks that were made while it was recorded, each with the curve it falls in."""
    ends = np.cumsum(curves.row_size) * curves.channels["time"].gain
    found = []
    for note in recorded.notes:
        if "marker" in note:
            time = 1e-9 * note["time"]
            seconds = time - start.time
            curve = int(np.searchsorted(ends, seconds, "right")) if seconds >= 0.0 else -1
            found.append(
                Marker(
                    time=local(time).isoformat(timespec="milliseconds"),
                    seconds=seconds,
                    curve=min(curve, curves.n_curves - 1),
                    text=str(note["marker"]),
                )
            )
    return curves.with_metadata({KEY: as_text(found)}, "recorded") if found else curves


def with_metadata(
    curves: CurveSet,
    config: DaqConfig,
    header: Mapping[str, Any],
    notes: Mapping[str, Any],
    start: Start,
) -> CurveSet:
    """Add metadata: of the configuration, of the lock-in, of the experiment file."""
    recorded: dict[str, Any] = {"start_time": start.local.isoformat(timespec="microseconds")}
    if "height" in curves.channels:
        recorded["height_source"] = "sensor"
    if header["simulated"]:
        recorded["simulated"] = True
    curves = curves.with_metadata(recorded, "recorded")
    curves = curves.with_metadata(config.known_metadata(), "configuration")
    curves = curves.with_metadata(header.get("made", {}), "nrm acquire")
    before = LockInSettings(**header["lock_in"])
    read = as_metadata(before)
    if "lock_in_after" in notes:
        after = LockInSettings(**notes["lock_in_after"])
        for name, (old, new) in changed(before, after).items():
            curves = curves.with_warning(
                f"the lock-in's {name.replace('_', ' ')} changed from {old} to {new} while it was "
                "recorded"
            )
        later = as_metadata(after)
        read = {key: value for key, value in read.items() if _same(value, later.get(key))}
    curves = curves.with_metadata(read, before.identity or "configuration")
    curves = _with_dither(curves, header.get("dither"))
    return _with_experiment(curves, header)


def _with_dither(curves: CurveSet, dither: Mapping[str, Any] | None) -> CurveSet:
    """Add what the board's output drove; a lock-in whose reference is elsewhere is told of."""
    if dither is None:
        return curves
    said = dither_metadata(dither)
    seen = curves.metadata.get("dither_frequency")
    if seen is not None and not _same(float(seen), said["dither_frequency"]):
        curves = curves.with_warning(
            f"the lock-in's reference was at {seen:.6g} Hz, and the board's output drove the "
            f"dither at {said['dither_frequency']:.6g} Hz"
        )
    return curves.with_metadata(said, f"board output {dither['terminal']}")


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return bool(np.isclose(one, other, rtol=FREQUENCY_TOLERANCE))
    return bool(one == other)


def _with_experiment(curves: CurveSet, header: Mapping[str, Any]) -> CurveSet:
    file = header.get("experiment")
    if not file:
        return curves
    from nrm_plugin.experiment import check

    try:
        applied = check(file["text"], file["name"]).apply(curves)
    except NrmError as error:  # nothing recorded is lost for it
        return curves.with_warning(f"the experiment file was not applied: {error}")
    for key, value in applied.metadata.items():
        before = curves.metadata.get(key, value)
        if not _same(before, value):
            applied = applied.with_warning(
                f"{key} = {value} of {file['name']} replaces {before} "
                f"({curves.metadata_source[key]})"
            )
    return applied


def header_text(recorded: RecordingContents) -> str:
    """What describes the recording, with a summary of its block table, as JSON."""
    header = {
        **recorded.header,
        "notes": recorded.notes,
        "blocks": len(recorded.counts),
        "largest_backlog": int(recorded.backlog.max(initial=0)),
        "last_block_arrived": int(recorded.arrived[-1]),
    }
    return json.dumps(header, indent=1)
