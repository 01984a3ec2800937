"""A recording as curves: cut into ramps, scaled, and with all that is known about it.

Every sample of the recording belongs to a curve: what lies behind a ramp goes with it, and what
comes before the first one with that. Segments say which samples are the ramp.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nrm_daq.config import DaqConfig
from nrm_daq.demodulated_files import shifted_back, with_summary
from nrm_daq.recording import ORIGIN, EmptyRecording, RecordingContents, read
from nrm_daq.recording_metadata import Start, header_text, with_markers, with_metadata
from nrm_daq.segmentation import Segmentation, segmented
from nrm_plugin import __version__
from nrm_plugin.calibration.lockin import settling
from nrm_plugin.columns import AnyArray, Rows, scaled_copy
from nrm_plugin.errors import CorruptFile, NrmError
from nrm_plugin.hookspecs import LockInSettings
from nrm_plugin.model import Channel, CurveSet, Origin
from nrm_plugin.splitting import Curve
from nrm_plugin.store import save_curves
from nrm_plugin.tables import SEGMENT

#: Samples between ramps that go with a curve; more of them are rows of their own.
LONGEST_GAP = 1 << 22

#: What is said of a lock-in in software when its recording is over.
_OF_SOFTWARE = (
    "dither_frequency",
    "lockin_noise_bandwidth",
    "lockin_filter",
    "lockin_intermodulation",
)
_OUTPUTS = ("lockin_output_x", "lockin_output_y")
_DEMODULATED = ("_in_phase", "_quadrature")


class VoltColumn:
    """Volts of one channel in a recording.

    Parameters
    ----------
    lag : float
        How long behind the first channel it was sampled, in samples. It is shifted back by as
        much, linearly between neighbours.
    spoilt : sequence of (int, int)
        Samples (start, stop) that mean nothing and read as NaN.
    """

    def __init__(
        self,
        recorded: RecordingContents,
        channel: int,
        rows: Rows,
        lag: float = 0.0,
        spoilt: tuple[tuple[int, int], ...] = (),
    ) -> None:
        self.recorded, self.channel, self.rows = recorded, channel, rows
        self.lag, self.spoilt, self.dtype = lag, spoilt, recorded.dtype

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        start, end = self.rows.start(first), self.rows.start(stop)
        before = min(start, 1) if self.lag else 0
        volts = self.recorded.volts(self.channel, start - before, end)
        if self.lag and len(volts) > 1:
            volts = shifted_back(volts, self.lag)[before:]
        for a, b in self.spoilt:
            volts[max(0, a - start) : max(0, b - start)] = np.nan
        scaled_copy(out, volts, gain, offset)


class ClockColumn:
    """Number of each sample in its curve."""

    dtype: np.dtype[Any] = np.dtype("<i4")

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        starts = np.array([self.rows.start(i) for i in range(first, stop)], np.int64)
        number = np.arange(self.rows.start(first), self.rows.start(stop))
        number -= np.repeat(starts, self.rows.sizes[first:stop])
        scaled_copy(out, number.astype(np.int32), gain, offset)


def recover(part: Path, out: Path, *, overwrite: bool = False) -> CurveSet:
    """Turn a recording, finished or not, into a common file.

    Returns
    -------
    CurveSet
        What was written.

    Raises
    ------
    MissingFile, CorruptFile
        If there is no recording, or nothing in it.
    OutputError
    """
    try:
        curves = as_curves(read(part))
    except NrmError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        expected = "what describes the recording"
        raise CorruptFile(part, None, expected, repr(error), ORIGIN) from error
    save_curves(curves, out, overwrite=overwrite)
    return curves


def as_curves(recorded: RecordingContents) -> CurveSet:
    """Return a recording as curves whose samples stay in it.

    Raises
    ------
    CorruptFile
        If there are no samples; EmptyRecording if there is nothing at all.
    """
    path, header = recorded.stamp.path, recorded.header
    if not recorded.n_samples and recorded.cut:
        raise CorruptFile(path, None, "samples", "none that are whole", ORIGIN)
    if not recorded.n_samples:
        raise EmptyRecording(path)
    config = config_of(header)
    notes = recorded.known()
    rate = float(header["setup"]["rate"])
    segmentation = segmented(recorded, config)
    ramps = segmentation.curves
    start = Start.of(recorded, notes, rate)
    curves = cut(recorded, config, ramps, list(_pieces(ramps, recorded.n_samples)), start)
    spoilt = _spoilt(notes, start, rate, recorded.n_samples)
    said = (*segmentation.warnings, *_warnings(recorded, notes, segmentation, spoilt))
    curves = with_markers(replace(curves, warnings=said), recorded, start)
    curves = with_metadata(curves, config, header, notes, start)
    return with_summary(curves, recorded) if "digital" in header else curves


def latest(
    recorded: RecordingContents, config: DaqConfig, ramps: list[Curve], start: Start
) -> CurveSet:
    """Return ramps that follow each other in a recording that goes on; later samples are left out.

    Their segments hold the same samples as in the file that the recording becomes.
    """
    ends = [*(ramp.start for ramp in ramps[1:]), ramps[-1].stop]
    pieces = [(ramp.start, end, i) for i, (ramp, end) in enumerate(zip(ramps, ends, strict=True))]
    lead = [(0, ramps[0].start, -1)] if ramps[0].start else []
    curves = cut(recorded, config, ramps, lead + pieces, start)[len(lead) :]
    return with_metadata(curves, config, recorded.header, recorded.known(), start)


def config_of(header: Mapping[str, Any]) -> DaqConfig:
    """Return the configuration that a recording was made with."""
    # What the lock-in was set to has an entry of its own; the plugin that asked it may be gone.
    return DaqConfig.from_values({**header["config"], "lock_in": {}})


def cut(
    recorded: RecordingContents,
    config: DaqConfig,
    ramps: list[Curve],
    pieces: list[tuple[int, int, int]],
    start: Start,
) -> CurveSet:
    """Return consecutive pieces of a recording as curves whose samples stay in it.

    Parameters
    ----------
    recorded : RecordingContents
    config : DaqConfig
    ramps : list of Curve
    pieces : list of (int, int, int)
        From sample 0 on without gaps: start, stop, number of the ramp or -1.
    start : Start
    """
    setup, described = recorded.header["setup"], recorded.header["channels"]
    rate = float(setup["rate"])
    rows = Rows(np.array([stop - begin for begin, stop, _ in pieces], np.int64))
    undriven = tuple(_undriven(recorded, rate, pieces[-1][1]))
    spoilt = (*_spoilt(recorded.known(), start, rate, pieces[-1][1]), *undriven)
    channels = {
        "time": Channel(
            "time", "s", ClockColumn(rows), 1.0 / rate, 0.0, "", "the board's sample clock"
        )
    }
    for number, one in enumerate(described):
        name = one["name"]
        shifted = config.skew == "correct" and not one.get("as_sampled")
        lag = setup["delays"][number] * rate if shifted else 0.0
        untrue = undriven if name.endswith(_DEMODULATED) else ()
        untrue = spoilt if name in _OUTPUTS else untrue
        column = VoltColumn(recorded, number, rows, lag, untrue)
        source = one.get("source") or f"{one['terminal']}, {one['range']:g} V range"
        channels[name] = Channel(
            name, one["unit"], column, one["gain"], one["offset"], one["terminal"], source
        )
    segments = _segments(pieces, ramps)
    path = recorded.stamp.path
    origin = Origin(path.name, "daq", f"nrm-plugin {__version__}", header_text(recorded), str(path))
    return CurveSet(
        rows,
        channels,
        origins=(origin,),
        segments_from=lambda: segments,
        table_from=lambda: _table(rows, pieces, ramps, start, rate),
    )


def report_of(curves: CurveSet, path: Path, stopped: str = "") -> dict[str, Any]:
    """Return what became of a recording, for people and programs."""
    with_ramp = {int(s["curve"]) for s in curves.segments if s["kind"] != "other"}
    interval = curves.channels["time"].gain
    about = {key: curves.metadata[key] for key in _OF_SOFTWARE if key in curves.metadata}
    return {
        "path": str(path),
        "n_curves": curves.n_curves,
        "curves_found": len(with_ramp),
        "n_samples": curves.n_samples,
        "duration": curves.n_samples * interval,
        "rate": round(1.0 / interval, 6),
        "channels": list(curves.channels),
        "simulated": bool(curves.metadata.get("simulated", False)),
        "stopped": stopped,
        **({"lock_in": about} if "lockin_filter" in about else {}),
        "warnings": list(curves.warnings),
    }


def _pieces(ramps: list[Curve], n_samples: int) -> Iterator[tuple[int, int, int]]:
    """Rows as (start, stop, number of the curve or -1); together they are the recording."""

    def gap(start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        for at in range(start, stop, LONGEST_GAP):
            yield at, min(stop, at + LONGEST_GAP), -1

    starts = [curve.start for curve in ramps]
    if not ramps or starts[0] > LONGEST_GAP:
        yield from gap(0, starts[0] if ramps else n_samples)
    elif ramps:
        starts[0] = 0
    for number, curve in enumerate(ramps):
        stop = starts[number + 1] if number + 1 < len(ramps) else n_samples
        if stop - curve.stop > LONGEST_GAP:
            yield starts[number], curve.stop, number
            yield from gap(curve.stop, stop)
        else:
            yield starts[number], stop, number


def _segments(pieces: list[tuple[int, int, int]], ramps: list[Curve]) -> AnyArray:
    rows: list[tuple[int, int, int, str]] = []
    for row, (start, stop, number) in enumerate(pieces):
        if number < 0:
            rows.append((row, 0, stop - start, "other"))
            continue
        lead = ramps[number].start - start
        for segment in ramps[number].segments:
            rows.append((row, lead + segment.start, lead + segment.stop, segment.kind))
    return np.array(rows, SEGMENT)


def _table(
    rows: Rows,
    pieces: list[tuple[int, int, int]],
    ramps: list[Curve],
    start: Start,
    rate: float,
) -> dict[str, AnyArray]:
    n = len(rows)
    since = np.array([piece[0] for piece in pieces]) / rate
    table: dict[str, AnyArray] = {
        "start_time": np.datetime64(start.local, "us") + np.round(since * 1e6).astype("m8[us]"),
        "start_time_source": np.full(n, "time_channel"),
        "start_time_uncertainty": np.full(n, start.uncertainty),
    }
    potential = np.array([ramps[i].potential if i >= 0 else np.nan for _, _, i in pieces])
    if np.isfinite(potential).any():
        table["potential"] = potential
    return table


def _spoilt(
    notes: Mapping[str, Any], start: Start, rate: float, n_samples: int
) -> tuple[tuple[int, int], ...]:
    """Samples during which the lock-in's outputs could not be trusted."""
    stretches = []
    for begin, end, _ in notes.get("spoilt", ()):
        first = max(0, int((begin - start.time) * rate))
        last = min(n_samples, int((end - start.time) * rate) + 1)
        if first < last:
            stretches.append((first, last))
    return tuple(stretches)


def _undriven(
    recorded: RecordingContents, rate: float, n_samples: int
) -> Iterator[tuple[int, int]]:
    """Samples at which the dither of the board was not whole: as it rose, and after it broke.

    A lock-in box comes to what the dither has risen to as its filter settles.
    """
    dither = recorded.header.get("dither")
    if not dither:
        return
    lead = float(recorded.header.get("lead", 0.0))
    box = LockInSettings(**recorded.header["lock_in"])
    whole = float(dither["ramp"])
    if box.time_constant and box.poles:
        whole += settling(box.time_constant, box.poles)
    rising = min(n_samples, round(whole * rate) + 1)
    yield 0, rising
    stopped = recorded.known().get("dither_stopped")
    if stopped is not None:
        # Of what a lock-in in software made, samples from before and behind the break are in one.
        broken = max(rising, (stopped - 2.0 * lead) * rate)
        if broken < n_samples:
            yield int(broken), n_samples


def _undriven_said(
    recorded: RecordingContents, segmentation: Segmentation, rate: float
) -> Iterator[str]:
    for a, b in _undriven(recorded, rate, recorded.n_samples):
        hit = [str(i) for i, c in enumerate(segmentation.curves) if a < c.stop and c.start < b]
        what = "rose to its amplitude, and X and Y with it," if not a else "had stopped"
        names = [one["name"] for one in recorded.header["channels"]]
        made = any(name in _OUTPUTS or name.endswith(_DEMODULATED) for name in names)
        nan = ": X and Y are NaN there" if made else ""
        if a or hit:
            where = f"curves {', '.join(hit)}" if hit else "no curve"
            yield (
                f"the dither {what} from {a / rate:.4g} to {b / rate:.4g} s of the recording, in "
                f"{where}{nan}"
            )


def _warnings(
    recorded: RecordingContents,
    notes: Mapping[str, Any],
    segmentation: Segmentation,
    spoilt: tuple[tuple[int, int], ...],
) -> Iterator[str]:
    yield from recorded.header.get("warnings", ())
    if "ended" not in notes:
        yield "the recording was not ended: it holds what was on the disk when it broke off"
    elif notes["ended"]:
        yield str(notes["ended"])
    if "not_asked" in notes:
        yield str(notes["not_asked"])
    if recorded.cut:
        yield f"{recorded.cut} bytes at the end of the recording are no whole block"
    for name, blocks in (segmentation.clipped | notes.get("clipped", {})).items():
        least = "at least " if name in notes.get("clipped", {}) and "ended" not in notes else ""
        yield f"{name} reaches the end of the board's range in {least}{blocks} blocks"
    yield from _undriven_said(recorded, segmentation, float(recorded.header["setup"]["rate"]))
    if spoilt:
        faults = dict.fromkeys(f for _, _, words in notes["spoilt"] for f in words)
        hit = [
            i
            for i, c in enumerate(segmentation.curves)
            if any(a < c.stop and c.start < b for a, b in spoilt)
        ]
        curves = f"curves {', '.join(map(str, hit))}" if hit else "no curve"
        yield f"the lock-in's outputs are NaN where it reported {', '.join(faults)}: in {curves}"
