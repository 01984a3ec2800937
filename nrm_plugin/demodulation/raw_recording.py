"""From a recording with raw lateral and reference signals to curves with X and Y."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from nrm_plugin.columns import AnyArray, ArrayColumn, Rows
from nrm_plugin.demodulation.lock_in_plan import (
    DigitalLockIn,
    LockInPlan,
    found_frequencies,
    plain_rate,
)
from nrm_plugin.demodulation.reference_tone import ENOUGH
from nrm_plugin.demodulation.row_stream import RowStream, StreamedRows, beginning
from nrm_plugin.demodulation.signal_doubts import (
    doubts_of_frequency,
    doubts_of_reference,
    doubts_of_square_wave,
    doubts_without_reference,
    intermodulation_text,
)
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import segment_array
from nrm_plugin.text import with_unit

#: Of a lock-in box that was recorded too; its lag does not hold here.
_OF_A_BOX = ("lockin_time_constant", "lockin_poles")


@dataclass(frozen=True, kw_only=True)
class LockInReport:
    """What the lock-in did.

    Attributes
    ----------
    sample_rate, output_rate : float
        In Hz.
    noise_bandwidth : float
        In Hz.
    length : int
        Samples that each value is made of: half of them are lost at either end of a stream.
    delay : float
        Time in s from the middle of these samples to the last.
    channels : dict of str to float
        Frequency in Hz of each pair, by the name of its in-phase channel.
    deviation : float
        Largest deviation of the reference's frequency, in Hz.
    intermodulation : dict of str to (float, float)
        Of each line of two tones: frequency in Hz and amplitude (rms over the recording, by the
        convention), noise included.
    streams : int
        How often the stream begins anew.
    """

    sample_rate: float
    output_rate: float
    noise_bandwidth: float
    length: int
    delay: float
    channels: dict[str, float]
    deviation: float
    intermodulation: dict[str, tuple[float, float]] = field(default_factory=dict)
    streams: int = 1


def locked_in(
    curves: CurveSet, settings: DigitalLockIn | None = None
) -> tuple[CurveSet, LockInReport]:
    """Demodulate the raw lateral signal of a recording.

    Row after row is read. What stands in a row of the result is that of the same time: X and Y
    about it, and of all other channels the mean over one interval of the output about it, so that
    nothing lags behind anything. Rows that go on where the one before ended are one stream;
    elsewhere the filter begins anew, and half its length is lost at either end.

    Returns
    -------
    curves : CurveSet
        With ``lateral_in_phase`` and ``lateral_quadrature`` in the signal's unit (rms or peak by
        ``lockin_convention``), ``lateral_2_in_phase`` for a second tone,
        ``lateral_harmonic_3_in_phase`` for a harmonic, and a ``lockin_lag`` of 0.
    report : LockInReport

    Raises
    ------
    UnknownChannel, InvalidInput
    """
    settings = settings or DigitalLockIn()
    settings.check()
    signal = curves.channel(settings.signal)
    if settings.reference:
        curves.channel(settings.reference)
    rate = plain_rate(settings.sample_rate or _rate(curves))
    plan = _plan(curves, settings, rate)
    for name in _names_of(plan.names):
        if name in curves.channels:
            raise InvalidInput(
                f"the recording has {name} already: give that channel another name first"
            )
    made = RowStream(curves, plan, timed=settings.sample_rate is None)
    rows = made.run()
    if not rows.sizes.any():
        raise InvalidInput(
            f"no row is as long as the filter, {with_unit(plan.length / rate, 's', 3)}: fewer "
            "poles or periods, or a larger bandwidth, make it shorter"
        )
    report = LockInReport(
        sample_rate=rate,
        output_rate=rate / plan.interval,
        noise_bandwidth=plan.filter_.noise_bandwidth,
        length=plan.length,
        delay=plan.lead,
        channels={x: t.demodulated for (x, _), t in zip(plan.names, plan.tones, strict=True)},
        deviation=rows.deviation,
        intermodulation={
            name: (f, plan.size * float(a))
            for (name, f), a in zip(plan.lines.items(), rows.line_amplitudes, strict=True)
        },
        streams=rows.streams,
    )
    out = _as_curves(curves, rows, made.same, plan, signal.unit)
    known = plan.metadata(rows.mean_deviation)
    if report.intermodulation:
        known["lockin_intermodulation"] = intermodulation_text(
            report.intermodulation, settings.convention
        )
    out = out.with_metadata(known, "nrm lockin")
    doubts = list(
        doubts_of_frequency(curves.metadata.get("dither_frequency"), plan.tones[0].frequency)
    )
    head = beginning(curves, settings.reference or settings.signal, rate, ENOUGH)
    if settings.reference:
        doubts += doubts_of_square_wave(head, rate, plan.tones[0].frequency)
    else:
        doubts += doubts_without_reference(head, rate, plan.tones)
    for text in [*_warnings(plan, rows, report), *doubts]:
        out = out.with_warning(text)
    return out, report


def _plan(curves: CurveSet, settings: DigitalLockIn, rate: float) -> LockInPlan:
    """Plan by as much of the reference as it takes."""
    frequencies: Sequence[float] | None = settings.frequencies
    if settings.reference:
        head = beginning(curves, settings.reference, rate, ENOUGH)
        frequencies = found_frequencies(settings, rate, head)
    delay = float(curves.metadata.get("lateral_delay", 0.0))
    return LockInPlan.made(settings, rate, frequencies or (), delay=delay)


def _as_curves(
    curves: CurveSet,
    made: StreamedRows,
    same: dict[str, str],
    plan: LockInPlan,
    unit: str,
) -> CurveSet:
    """Return curves with the new channels, and with what else is known of the recording."""
    rows = Rows(made.sizes)
    columns = {name: ArrayColumn(values, rows) for name, values in made.columns.items()}
    channels = {"time": Channel("time", "s", columns["time"], source="nrm lockin")}
    for name, first in same.items():
        channel = curves.channels[name]
        source = ", ".join(
            part for part in (channel.source, f"means of {plan.interval} samples") if part
        )
        channels[name] = replace(
            channel, column=columns[first], gain=1.0, offset=0.0, source=source
        )
    for name in _names_of(plan.names):
        channels[name] = Channel(name, unit, columns[name], plan.size, source=plan.shown(name))
    segments, table = _segments(curves, made), dict(curves.curve_table)
    metadata = {key: value for key, value in curves.metadata.items() if key not in _OF_A_BOX}
    return replace(
        curves,
        rows=rows,
        channels=channels,
        metadata=metadata,
        metadata_source={k: v for k, v in curves.metadata_source.items() if k in metadata},
        segments_from=lambda: segments,
        table_from=lambda: table,
    )


def _segments(curves: CurveSet, made: StreamedRows) -> AnyArray:
    """Segments of the recording, in values of the output; those without any are left out."""
    rows, out = Rows(made.sizes), curves.segments.copy()
    for segment in out:
        at = rows.start(int(segment["curve"]))
        own = made.positions[at : at + int(made.sizes[segment["curve"]])]
        ends = np.searchsorted(own, [segment["start"] - 0.5, segment["stop"] - 0.5])
        segment["start"], segment["stop"] = ends
    return segment_array(out[out["stop"] > out["start"]], rows)


def _warnings(plan: LockInPlan, made: StreamedRows, report: LockInReport) -> Iterator[str]:
    settings = plan.settings
    if made.too_short:
        yield (
            f"{made.too_short} of {made.streams} rows are shorter than the filter, "
            f"{with_unit(report.length / report.sample_rate, 's', 3)}, and are empty"
        )
    if made.streams > 1 and not settings.reference:
        yield (
            f"the recording is in {made.streams} pieces and has no reference: the phase counts "
            "from the first sample of each, and says nothing from one to the next"
        )
    rows = made.sizes.size
    if number := made.clipped[settings.signal]:
        yield (
            f"the signal {settings.signal} is clipped, or constant, in {number} of {rows} "
            "rows: X and Y are too small there. Record it with a larger range, or less gain"
        )
    if number := made.clipped.get(settings.reference, 0):
        yield (
            f"the reference {settings.reference} is clipped in {number} of {rows} rows: it serves, "
            "but as a square wave does, with a phase that trembles by a part of a sample"
        )
    yield from doubts_of_reference(made.lost, made.deviation, plan.filter_)


def _rate(curves: CurveSet) -> float:
    """Samples per second by the times of the first row that has any."""
    if "time" not in curves.channels:
        raise InvalidInput("the recording has no times: give its samples per second")
    for row in range(curves.n_curves):
        if curves.row_size[row] > 1:
            time = curves.read("time", row)
            span = float(time[-1] - time[0])
            if span > 0.0:
                return (len(time) - 1) / span
            break
    raise InvalidInput("the times of the recording do not rise")


def _names_of(pairs: Sequence[tuple[str, str]]) -> list[str]:
    return [name for pair in pairs for name in pair]
