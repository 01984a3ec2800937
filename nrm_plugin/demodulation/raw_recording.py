"""From a recording with raw lateral and reference signals to curves with X and Y."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import Any

import numpy as np

from nrm_plugin.columns import AnyArray, ArrayColumn, FloatArray, Rows
from nrm_plugin.demodulation.demodulator import Demodulator, Tone
from nrm_plugin.demodulation.period_filter import PeriodFilter
from nrm_plugin.demodulation.reference_tone import ENOUGH, find_frequency
from nrm_plugin.demodulation.row_stream import RowStream, StreamedRows
from nrm_plugin.demodulation.signal_doubts import doubts_of_frequency, doubts_without_reference
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import Channel, CurveSet
from nrm_plugin.tables import segment_array
from nrm_plugin.text import with_unit

#: Response at the reference's deviation below which the filter was too narrow for it.
_TOO_FAR = 0.7
#: Of a lock-in box that was recorded too; its lag does not hold here.
_OF_A_BOX = ("lockin_time_constant", "lockin_poles")


@dataclass(frozen=True, kw_only=True)
class DigitalLockIn:
    """What is demodulated and how.

    Attributes
    ----------
    signal, reference : str
        Channels; without a reference the empty text, and then frequencies must be given.
    frequencies : tuple of float
        Of the tones in Hz; none: that of the reference.
    harmonics : tuple of int
        Of the first tone, besides the first.
    poles, periods, bandwidth
        Of the filter; see `PeriodFilter.matched`.
    output_rate : float, optional
        Values per second; by default about four for the length of one mean, whole periods apart.
    sample_rate : float, optional
        Samples per second where the recording has no times.
    convention : str
        What X and Y are: rms or peak.
    delay : float
        Time in s by which the converter takes the signal later than the reference.
    """

    signal: str = "lateral"
    reference: str = "reference"
    frequencies: tuple[float, ...] = ()
    harmonics: tuple[int, ...] = ()
    poles: int = 4
    periods: int | None = None
    bandwidth: float = 80.0
    output_rate: float | None = None
    sample_rate: float | None = None
    convention: str = "rms"
    delay: float = 0.0


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
    signal = curves.channel(settings.signal)
    if settings.reference:
        curves.channel(settings.reference)
    elif not settings.frequencies:
        raise InvalidInput("without a reference the frequency must be given")
    if settings.convention not in ("rms", "peak"):
        raise InvalidInput(f"X and Y are rms or peak, not {settings.convention!r}")
    rate = settings.sample_rate or _rate(curves)
    tones, names = _tones(curves, settings, rate)
    for name in _names_of(names):
        if name in curves.channels:
            raise InvalidInput(
                f"the recording has {name} already: give that channel another name first"
            )
    lines = _lines(tones, rate)
    filter_ = PeriodFilter.matched(
        rate,
        [tone.demodulated for tone in tones],
        poles=settings.poles,
        periods=settings.periods,
        bandwidth=settings.bandwidth,
        lines=list(lines.values()),
    )
    period = rate / tones[0].frequency
    interval = max(1, round(max(1, round(filter_.box / (4.0 * period))) * period))
    if settings.output_rate is not None:
        if not 0.0 < settings.output_rate <= rate:
            raise InvalidInput(f"the output's rate lies between 0 and {rate:g} Hz")
        interval = round(rate / settings.output_rate)

    def demodulator() -> Demodulator:
        return Demodulator(
            tones,
            filter_,
            interval,
            referenced=bool(settings.reference),
            delay=settings.delay,
            lines=list(lines.values()),
        )

    stream = RowStream(
        curves,
        settings.signal,
        settings.reference,
        rate=rate,
        timed=settings.sample_rate is None,
        make=demodulator,
        names=names,
    )
    made, length = stream.run(), demodulator().length
    if not made.sizes.any():
        raise InvalidInput(
            f"no row is as long as the filter, {with_unit(length / rate, 's', 3)}: fewer poles or "
            "periods, or a larger bandwidth, make it shorter"
        )
    size = sqrt(0.5) if settings.convention == "rms" else 1.0
    report = LockInReport(
        sample_rate=rate,
        output_rate=rate / interval,
        noise_bandwidth=filter_.noise_bandwidth,
        length=length,
        delay=0.5 * (length - 1) / rate,
        channels={x: t.demodulated for (x, _), t in zip(names, tones, strict=True)},
        deviation=made.deviation,
        intermodulation={
            name: (f, size * float(a))
            for (name, f), a in zip(lines.items(), made.line_amplitudes, strict=True)
        },
        streams=made.streams,
    )
    shown = {
        name: (f"{settings.signal} demodulated at {with_unit(tone.demodulated, 'Hz', 9)}", size)
        for pair, tone in zip(names, tones, strict=True)
        for name in pair
    }
    out = _as_curves(curves, made, stream.same, shown, signal.unit, interval)
    out = out.with_metadata(_metadata(settings, filter_, tones, names, made), "nrm lockin")
    doubts = list(doubts_of_frequency(curves.metadata.get("dither_frequency"), tones[0].frequency))
    if not settings.reference:
        doubts += doubts_without_reference(_longest(curves, settings.signal), rate, tones)
    for text in [*_warnings(settings, filter_, made, report), *doubts]:
        out = out.with_warning(text)
    return out, report


def _as_curves(
    curves: CurveSet,
    made: StreamedRows,
    same: dict[str, str],
    shown: dict[str, tuple[str, float]],
    unit: str,
    interval: int,
) -> CurveSet:
    """Return curves with the new channels, and with what else is known of the recording."""
    rows = Rows(made.sizes)
    columns = {name: ArrayColumn(values, rows) for name, values in made.columns.items()}
    channels = {"time": Channel("time", "s", columns["time"], source="nrm lockin")}
    for name, first in same.items():
        channel = curves.channels[name]
        source = ", ".join(
            part for part in (channel.source, f"means of {interval} samples") if part
        )
        channels[name] = replace(
            channel, column=columns[first], gain=1.0, offset=0.0, source=source
        )
    for name, (source, size) in shown.items():
        channels[name] = Channel(name, unit, columns[name], size, source=source)
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


def _metadata(
    settings: DigitalLockIn,
    filter_: PeriodFilter,
    tones: list[Tone],
    names: list[tuple[str, str]],
    made: StreamedRows,
) -> dict[str, Any]:
    said: dict[str, Any] = {
        "dither_frequency": tones[0].frequency + made.mean_deviation,
        "lockin_convention": settings.convention,
        "lockin_lag": 0.0,
        "lockin_noise_bandwidth": filter_.noise_bandwidth,
        "lockin_filter": f"{filter_.poles} means of {filter_.box} samples in a row at "
        f"{filter_.rate:.9g} samples per second, stamped with the time of their middle",
    }
    for (x, _), tone in zip(names[1:], tones[1:], strict=True):
        said[f"{x.removesuffix('_in_phase')}_frequency"] = tone.demodulated
    return said


def _warnings(
    settings: DigitalLockIn, filter_: PeriodFilter, made: StreamedRows, report: LockInReport
) -> Iterator[str]:
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
    if made.lost:
        yield f"the reference was lost for {made.lost} values; X and Y are nan there"
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
    if float(filter_.response(np.array(made.deviation))) < _TOO_FAR:
        yield (
            f"the reference's frequency moved by {made.deviation:.3g} Hz, too far for a filter of "
            f"{filter_.noise_bandwidth:.3g} Hz: amplitudes are uncertain. Fewer periods help"
        )


def _rate(curves: CurveSet) -> float:
    """Samples per second by the times of the first row that has any."""
    if "time" not in curves.channels:
        raise InvalidInput("the recording has no times: give its samples per second")
    for row in range(curves.n_curves):
        if curves.row_size[row] > 1:
            time = curves.read("time", row)
            span = float(time[-1] - time[0])
            if span > 0.0:
                rate = (len(time) - 1) / span
                # Times that were written in decimal are of rates that are whole.
                return float(round(rate)) if abs(rate - round(rate)) < 1e-7 * rate else rate
            break
    raise InvalidInput("the times of the recording do not rise")


def _longest(curves: CurveSet, name: str) -> FloatArray:
    """Return the beginning of the first row that is long enough to find frequencies, or longest."""
    row = int(np.argmax(curves.row_size > min(ENOUGH, int(curves.row_size.max(initial=0)) - 1)))
    return curves.read(name, row)[:ENOUGH]


def _tones(
    curves: CurveSet, settings: DigitalLockIn, rate: float
) -> tuple[list[Tone], list[tuple[str, str]]]:
    """Tones, the first one's harmonics behind it, and the names of their channels."""
    frequencies = list(settings.frequencies)
    if settings.reference:
        recorded = _longest(curves, settings.reference)
        near: list[float | None] = [*frequencies] or [None]
        frequencies = [find_frequency(recorded, rate, one) for one in near]
    if len(set(frequencies)) < len(frequencies):
        raise InvalidInput("two tones have the same frequency")
    if any(h < 2 for h in settings.harmonics) or len(set(settings.harmonics)) < len(
        settings.harmonics
    ):
        raise InvalidInput("harmonics count from 2, each once; the first is always there")
    tones, stems = [Tone(frequencies[0])], ["lateral"]
    for harmonic in settings.harmonics:
        tones.append(Tone(frequencies[0], harmonic))
        stems.append(f"lateral_harmonic_{harmonic}")
    for number, frequency in enumerate(frequencies[1:], 2):
        tones.append(Tone(frequency))
        stems.append(f"lateral_{number}")
    return tones, [(f"{stem}_in_phase", f"{stem}_quadrature") for stem in stems]


def _names_of(pairs: list[tuple[str, str]]) -> list[str]:
    return [name for pair in pairs for name in pair]


def _lines(tones: list[Tone], rate: float) -> dict[str, float]:
    """Lines that appear where the signal of two tones is not linear, up to the third order."""
    fundamentals = sorted({tone.frequency for tone in tones})
    taken = [tone.demodulated for tone in tones]
    lines: dict[str, float] = {}
    for i, a in enumerate(fundamentals):
        for b in fundamentals[i + 1 :]:
            for m, n in ((1, 1), (-1, 1), (2, -1), (-1, 2), (2, 1), (1, 2)):
                f = abs(m * a + n * b)
                known = any(abs(f - other) < 1e-9 * rate for other in [*taken, *lines.values()])
                if 0.0 < f < 0.5 * rate and not known:
                    lines[f"{m} x {a:.6g} Hz {'+' if n > 0 else '-'} {abs(n)} x {b:.6g} Hz"] = f
    return lines
