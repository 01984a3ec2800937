"""The digital lock-in: its numbers on signals that are known, and files from end to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_plugin import simulate as sim
from nrm_plugin.calibration.lockin import noise_bandwidth
from nrm_plugin.cli import main
from nrm_plugin.columns import ArrayColumn, FloatArray
from nrm_plugin.demodulation import (
    Demodulated,
    Demodulator,
    DigitalLockIn,
    PeriodFilter,
    Tone,
    find_frequency,
    found_frequencies,
    locked_in,
    with_tone,
)
from nrm_plugin.demodulation.lock_in_plan import LockInPlan
from nrm_plugin.demodulation.signal_doubts import doubts_of_reference, is_clipped
from nrm_plugin.errors import InvalidInput

TURN = 2.0 * np.pi

#: Channels of a raw recording beside the lateral signal and its reference.
SHARED = ("time", "height", "deflection")


def sine(rate: float, frequency: float, seconds: float, phase: float = 0.0) -> FloatArray:
    return np.asarray(np.sin(TURN * frequency * np.arange(round(rate * seconds)) / rate + phase))


def demodulated(
    signal: FloatArray,
    reference: FloatArray | None,
    filter_: PeriodFilter,
    *tones: Tone,
    **options: object,
) -> Demodulated:
    interval = max(1, filter_.box // 4)
    lock_in = Demodulator(
        tones,
        filter_,
        interval,
        referenced=reference is not None,
        **options,  # type: ignore[arg-type]
    )
    return lock_in.push(signal, reference)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [20e3, 50e3, 200e3])
@pytest.mark.parametrize("poles", [1, 2, 4])
def test_amplitude_and_phase_without_noise(seed: int, rate: float, poles: int) -> None:
    """Below 1e-9 and 1e-7 rad at any frequency, with an offset a hundred times the signal."""
    rng = np.random.default_rng((seed, int(rate), poles))
    frequency, theta, began = rng.uniform(300.0, 0.35 * rate), *rng.uniform(-3.0, 3.0, 2)
    amplitude = 10.0 ** rng.uniform(-6.0, 0.0)
    signal = amplitude * (sine(rate, frequency, 0.3, began + theta) + 100.0)
    reference = rng.uniform(0.1, 5.0) * sine(rate, frequency, 0.3, began) + 0.3
    found = find_frequency(reference, rate)
    assert found == pytest.approx(frequency, rel=1e-9)
    filter_ = PeriodFilter.matched(rate, [found], poles=poles)
    (z,) = demodulated(signal, reference, filter_, Tone(found)).signal
    assert len(z) > 20
    assert np.abs(np.abs(z) / amplitude - 1.0).max() < 1e-9
    assert np.abs(np.angle(z * np.exp(-1j * theta))).max() < 1e-7
    known = sine(rate, frequency, 0.3, theta) * amplitude
    (z,) = demodulated(known, None, filter_, Tone(frequency)).signal
    assert np.abs(z / (amplitude * np.exp(1j * theta)) - 1.0).max() < 1e-9


@pytest.mark.parametrize("frequency", [997.13, 5021.7])
def test_a_square_wave_as_reference(frequency: float) -> None:
    """Its edges lie between samples: the phase trembles by a part of one."""
    rate = 200e3
    reference = np.where(sine(rate, frequency, 1.0, 0.4) >= 0.0, 5.0, 0.0)
    found = find_frequency(reference, rate)
    assert found == pytest.approx(frequency, rel=1e-5)
    filter_ = PeriodFilter.matched(rate, [found])
    signal = 2e-3 * sine(rate, frequency, 1.0, 0.4 + 0.9)
    (z,) = demodulated(signal, reference, filter_, Tone(found)).signal
    assert np.abs(np.abs(z) / 2e-3 - 1.0).max() < 1e-5
    assert np.abs(np.angle(z) - 0.9).max() < np.pi * frequency / rate


def test_a_square_wave_is_said_to_be_one() -> None:
    raw = raw_curves([40_000])
    square = np.where(raw.read("reference") > 0.0, 5.0, 0.0)
    _, fine = locked_in(raw)
    assert not any("square wave" in text for text in locked_in(raw)[0].warnings)
    channel = replace(raw.channels["reference"], column=ArrayColumn(square, raw.rows))
    (said,) = [t for t in locked_in(raw.with_channel(channel))[0].warnings if "square wave" in t]
    assert f"to {180.0 * 1013.0 / fine.sample_rate:.2g} degrees" in said


def test_sixteen_bits_to_their_quantisation() -> None:
    rate, step = 100e3, 20.0 / 2**16
    signal = np.round(1.234 * sine(rate, 1013.7, 1.0, 0.8) / step) * step
    reference = np.round(4.0 * sine(rate, 1013.7, 1.0) / step) * step
    found = find_frequency(reference, rate)
    filter_ = PeriodFilter.matched(rate, [found])
    (z,) = demodulated(signal, reference, filter_, Tone(found)).signal
    assert np.abs(z - 1.234 * np.exp(0.8j)).max() < 0.1 * step


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_blocks_of_any_size_give_the_same_bits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rate, n = 50e3, 40_000
    signal, reference = rng.standard_normal((2, n)) + sine(rate, 1234.5, n / rate)
    other = rng.standard_normal(n)
    filter_ = PeriodFilter.matched(rate, [1234.5, 3 * 1234.5])
    tones = (Tone(1234.5), Tone(1234.5, 3))

    def run(ends: list[int]) -> list[FloatArray]:
        lock_in = Demodulator(tones, filter_, 37, delay=1e-5)
        parts = [
            lock_in.push(signal[a:b], reference[a:b], {"height": other[a:b]})
            for a, b in zip([0, *ends], [*ends, n], strict=True)
        ]
        one = [np.concatenate([getattr(p, what) for p in parts], -1) for what in ("signal",)]
        return [
            *one,
            np.concatenate([p.position for p in parts]),
            np.concatenate([p.others["height"] for p in parts]),
        ]

    whole = run([])
    for ends in (
        list(range(1, 300)),
        sorted(rng.integers(0, n, 50).tolist()),
        list(range(64, n, 64)),
    ):
        for a, b in zip(run(ends), whole, strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize(
    ("poles", "theory"), [(1, 1 / 2), (2, 1 / 3), (3, 11 / 40), (4, 151 / 630)]
)
def test_noise_bandwidth(poles: int, theory: float) -> None:
    """That of n means of length T is 1/2, 1/3, 11/40, 151/630 over T, and so it is in noise."""
    rate, n = 10e3, 1_500_000
    filter_ = PeriodFilter.matched(rate, [1000.0], poles=poles, periods=4)
    assert filter_.noise_bandwidth == pytest.approx(theory * rate / 40, rel=0.01)
    noise = np.random.default_rng(100 + poles).standard_normal(n)
    lock_in = Demodulator([Tone(1000.0)], filter_, 40, referenced=False)
    (z,) = lock_in.push(noise).signal
    rms = z / np.sqrt(2.0)  # density 2 / rate, one-sided: X and Y have that times the bandwidth
    power = 0.5 * float(np.mean(np.abs(rms) ** 2))
    assert power == pytest.approx(filter_.noise_bandwidth * 2.0 / rate, rel=0.03)


def test_bandwidth_is_what_was_asked_for() -> None:
    for wanted in (5.0, 20.0, 80.0):
        filter_ = PeriodFilter.matched(200e3, [5000.0], bandwidth=wanted)
        assert filter_.noise_bandwidth == pytest.approx(wanted, rel=0.02)


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_tones_and_harmonics_are_separated(seed: int) -> None:
    """Two tones with two harmonics in one signal, one of them a thousand times as large."""
    rng = np.random.default_rng(seed)
    rate, first, second = 200e3, rng.uniform(900.0, 1100.0), rng.uniform(3500.0, 5000.0)
    parts = {
        (first, 1): 1.0 * np.exp(0.3j),
        (first, 2): 1e-3 * np.exp(-1.0j),
        (first, 3): 1e-3 * np.exp(2.0j),
        (second, 1): 1e-3 * np.exp(1.2j),
    }
    t = np.arange(200_000) / rate
    signal = sum((z * np.exp(1j * TURN * k * f * t)).imag for (f, k), z in parts.items())
    reference = np.sin(TURN * first * t) + 0.7 * np.sin(TURN * second * t)
    found = [find_frequency(reference, rate, near) for near in (1.01 * first, 0.99 * second)]
    tones = [Tone(found[0]), Tone(found[0], 2), Tone(found[0], 3), Tone(found[1])]
    filter_ = PeriodFilter.matched(rate, [tone.demodulated for tone in tones])
    made = demodulated(np.asarray(signal), reference, filter_, *tones)
    for z, true in zip(made.signal, parts.values(), strict=True):
        assert np.abs(z / true - 1.0).max() < 1e-6


def test_tones_too_near_each_other_are_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot be told from it"):
        PeriodFilter.matched(200e3, [1000.0, 1010.0])
    filter_ = PeriodFilter.matched(200e3, [1000.0, 1010.0], bandwidth=2.0)
    assert filter_.noise_bandwidth < 2.5
    with pytest.raises(InvalidInput, match="below half"):
        PeriodFilter.matched(10e3, [6000.0])
    with pytest.raises(InvalidInput, match="cannot be told from it"):
        PeriodFilter.matched(10e3, [4999.0])  # its image folds to 2 Hz


def test_a_generator_that_drifts_is_followed() -> None:
    """From -100 to +100 ppm in two seconds: amplitude and phase as if it had not."""
    rate, f = 100e3, 5000.0
    t = np.arange(200_000) / rate
    angle = TURN * f * (t + 1e-4 * (t**2 / 2.0 - t))
    reference, signal = np.sin(angle), 0.01 * np.sin(angle + 0.5)
    filter_ = PeriodFilter.matched(rate, [f])
    made = demodulated(signal, reference, filter_, Tone(f))
    assert np.abs(np.abs(made.signal[0]) / 0.01 - 1.0).max() < 2e-8
    assert np.abs(np.angle(made.signal[0]) - 0.5).max() < 1e-8
    when = made.position / rate
    np.testing.assert_allclose(made.deviation[0], f * 1e-4 * (when - 1.0), atol=1e-5)


def test_each_tone_is_followed_by_its_own_reference() -> None:
    """20 Hz off, and its third harmonic 60 Hz: what the filter loses there is made up for."""
    rate = 100e3
    first, second = sine(rate, 1020.0, 1.0), sine(rate, 4950.0, 1.0)
    third = sine(rate, 3060.0, 1.0, 0.2)
    tones = (Tone(1000.0), Tone(1000.0, 3), Tone(5000.0))
    filter_ = PeriodFilter.matched(rate, [t.demodulated for t in tones], poles=2, bandwidth=100.0)
    made = demodulated(first + third + second, first + second, filter_, *tones)
    np.testing.assert_allclose(made.deviation[0], 20.0, atol=0.02)
    np.testing.assert_allclose(made.deviation[1], -50.0, atol=0.02)
    lost = filter_.response(np.array([20.0, 60.0]))
    assert lost[0] - lost[1] > 0.08
    np.testing.assert_allclose(np.abs(made.signal), 1.0, atol=5e-3)


@pytest.mark.parametrize("samples", [999, 1000, 1001, 1052, 1053, 5000])
def test_every_value_that_is_complete_comes(samples: int) -> None:
    lock_in = Demodulator([Tone(1e3)], PeriodFilter(rate=50e3, box=250, poles=4), 53)
    complete = range(lock_in.length, samples + 1, 53)
    made = lock_in.push(*sine(50e3, 1e3, samples / 50e3) * np.ones((2, 1)))
    assert len(made.position) == made.signal.shape[1] == len(complete)


def test_a_lost_reference_leaves_no_numbers() -> None:
    rate = 50e3
    reference, signal = sine(rate, 1000.0, 1.0), sine(rate, 1000.0, 1.0)
    reference[20_000:30_000] *= 0.05
    filter_ = PeriodFilter.matched(rate, [1000.0])
    made = demodulated(signal, reference, filter_, Tone(1000.0))
    inside = (made.position > 21_000) & (made.position < 29_000)
    assert np.isnan(made.signal[0][inside]).all()
    assert np.isfinite(made.signal[0][made.position < 18_000]).all()
    lock_in = Demodulator([Tone(1000.0)], filter_, filter_.box // 4)
    lock_in.push(signal[:24_000], reference[:24_000])
    weak = lock_in.push(signal[24_000:29_000], reference[24_000:29_000])
    assert len(weak.position) > 10
    assert np.isnan(weak.signal).all()


@pytest.mark.parametrize("harmonic", [1, 3])
def test_the_delay_of_a_multiplexed_converter(harmonic: int) -> None:
    """10 us later is 18 degrees at 5 kHz, and three times that at the third harmonic."""
    rate, f, late = 200e3, 5000.0, 10e-6
    reference = sine(rate, f, 0.2)
    signal = sine(rate, harmonic * f, 0.2, 0.6 + TURN * harmonic * f * late)
    filter_ = PeriodFilter.matched(rate, [f, harmonic * f])
    tone = Tone(f, harmonic)
    (z,) = demodulated(signal, reference, filter_, tone, delay=late).signal
    assert np.abs(np.angle(z) - 0.6).max() < 1e-9


@pytest.mark.parametrize("interval", [53, 54])
def test_the_time_stamps_are_exact(interval: int) -> None:
    """A signal that grows evenly comes out as it is at the times that are given."""
    rate, f = 50e3, 1013.0
    t = np.arange(50_000) / rate
    growing = 0.1 + 0.7 * t
    filter_ = PeriodFilter.matched(rate, [f])
    lock_in = Demodulator([Tone(f)], filter_, interval, referenced=False)
    made = lock_in.push(growing * np.sin(TURN * f * t), None, {"height": growing})
    at = 0.1 + 0.7 * made.position / rate
    np.testing.assert_allclose(made.others["height"], at, rtol=1e-12)
    np.testing.assert_allclose(made.signal[0].real, at, rtol=1e-9)


def test_references_that_are_none() -> None:
    rng = np.random.default_rng(1)
    for values in (rng.standard_normal(10_000), np.zeros(10_000), np.full(100, np.nan)):
        with pytest.raises(InvalidInput, match="reference"):
            find_frequency(values, 50e3)
    with pytest.raises(InvalidInput, match="no line at 3000 Hz"):
        find_frequency(rng.standard_normal(10_000) + sine(50e3, 1000.0, 0.2), 50e3, 3000.0)

    with pytest.raises(InvalidInput, match="no line at 2000 Hz"):  # the foot of another line
        find_frequency(np.round(sine(20e3, 1013.0, 1.0), 9), 20e3, 2000.0)
    with pytest.raises(InvalidInput, match="no line at 980 Hz"):  # it lies 3 % away
        find_frequency(sine(20e3, 1013.0, 1.0) + 1e-4 * rng.standard_normal(20_000), 20e3, 980.0)
    for near in (10e3, 25e3):
        with pytest.raises(InvalidInput, match="below half"):
            find_frequency(sine(20e3, 5e3, 1.0), 20e3, near)


@pytest.mark.parametrize("codes", [2, 20, 700, 30_000])
@pytest.mark.parametrize("frequency", [50.0, 500.0, 1013.7, 5000.0])
def test_a_whole_wave_is_not_clipped(codes: int, frequency: float) -> None:
    """In whole codes of a converter, however few, with noise, and where periods are whole."""
    noise = np.random.default_rng(codes).standard_normal(20_000)
    wave = np.round(codes * sine(20e3, frequency, 1.0, 0.3))
    square = np.where(wave >= 0.0, 5.0, 0.0)
    for values in (sine(20e3, frequency, 1.0, 0.3), wave, square, 100.0 * wave + noise):
        assert not is_clipped(values)
    assert not is_clipped(np.round(codes * sine(20e3, frequency, 1.0, 0.3) + 0.2 * noise))
    assert not is_clipped(np.array([1.0]))


@pytest.mark.parametrize("codes", [100, 700, 30_000])
@pytest.mark.parametrize("frequency", [50.0, 500.0, 1013.7])
def test_a_wave_at_the_end_of_its_range_is_clipped(codes: int, frequency: float) -> None:
    noise = np.random.default_rng(codes).standard_normal(20_000)
    wave = np.round(codes * sine(20e3, frequency, 1.0, 0.3) + noise)
    once = np.where(np.arange(20_000) < 19_000, 0.5 * wave, wave)  # in contact only
    for values in (wave, once):
        for sign in (1.0, -1.0):  # at one end is enough
            assert is_clipped(sign * np.minimum(values, round(0.9 * codes)))
    assert is_clipped(np.full(20_000, 0.1))


# Files


def raw_curves(rows: list[int], rate: float = 50e3, pause: float = 0.0) -> nrm.CurveSet:
    """A stream cut into rows: X of 3 mV peak at 30 degrees, height that falls by 1 um/s."""
    t = np.arange(sum(rows)) / rate
    starts = np.concatenate([[0], np.cumsum(rows)[:-1]])
    since = t - np.repeat(starts, rows) / rate
    began = np.round((starts / rate + pause * np.arange(len(rows))) * 1e6).astype("m8[us]")
    return nrm.CurveSet.from_arrays(
        {
            "time": (since, "s"),
            "lateral": (3e-3 * np.sin(TURN * 1013.0 * t + np.pi / 6) + 0.1, "V"),
            "reference": (np.sin(TURN * 1013.0 * t), "V"),
            "deflection": (0.5 + 0.0 * t, "V"),
            "height": (1e-6 - 1e-6 * t, "m"),
        },
        row_size=rows,
        segments=np.array(
            [(i, 0, n, "approach") for i, n in enumerate(rows)],
            [("curve", "i8"), ("start", "i8"), ("stop", "i8"), ("kind", "U10")],
        ),
        curve_table={"start_time": np.datetime64("2026-03-01T10:00:00", "us") + began},
        metadata={"lockin_time_constant": 1e-3, "lockin_poles": 4},
    )


def test_rows_that_go_on_are_one_stream() -> None:
    one, report = locked_in(raw_curves([50_000]))
    cut, parts = locked_in(raw_curves([12_345, 20_000, 101, 17_554]))
    assert (report.streams, parts.streams) == (1, 1)
    for name in ("lateral_in_phase", "lateral_quadrature", "height", "deflection", "lateral"):
        assert np.array_equal(one.read(name), cut.read(name))
    assert one.channels["lateral_in_phase"].unit == "V"
    rms = 3e-3 / np.sqrt(2.0)
    np.testing.assert_allclose(one.read("lateral_in_phase"), rms * np.cos(np.pi / 6), rtol=1e-9)
    np.testing.assert_allclose(one.read("lateral_quadrature"), rms * np.sin(np.pi / 6), rtol=1e-9)
    np.testing.assert_allclose(one.read("height"), 1e-6 - 1e-6 * one.read("time"), atol=1e-16)
    whole = one.read("time")
    starts = np.repeat(np.cumsum([0, 12_345, 20_000, 101]) / 50e3, cut.row_size)
    np.testing.assert_allclose(cut.read("time") + starts, whole, atol=1e-12)
    assert cut.metadata["lockin_lag"] == 0.0
    assert "lockin_time_constant" not in cut.metadata
    assert cut.metadata["dither_frequency"] == pytest.approx(1013.0, rel=1e-9)


def test_rows_with_pauses_begin_anew() -> None:
    made, report = locked_in(raw_curves([20_000, 20_000, 100], pause=1.0))
    assert report.streams == 3
    lost = report.length / 50e3
    time = made.read("time", 1)
    assert time[0] == pytest.approx(0.5 * (report.length - 1) / 50e3)
    assert time[-1] > 0.4 - lost
    assert made.row_size[2] == 0
    assert any("1 of 3 rows are shorter" in text for text in made.warnings)
    assert made.segments["stop"].tolist() == made.row_size[:2].tolist()
    with pytest.raises(InvalidInput, match="no row is as long as the filter"):
        locked_in(raw_curves([100], pause=1.0), DigitalLockIn(frequencies=(1013.0,), reference=""))


def test_each_tone_has_its_dither_and_together_they_stay_small() -> None:
    raw = raw_curves([40_000])
    settings = DigitalLockIn(
        reference="", frequencies=(1013.0, 1500.0), motions=(0.8e-9, 0.9e-9), phases=(0.1, -0.2)
    )
    made, _ = locked_in(raw, settings)
    found = {key: made.metadata[key] for key in ("dither_amplitude", "lockin_phase")}
    assert found == {"dither_amplitude": 0.8e-9, "lockin_phase": 0.1}
    assert made.metadata["lateral_2_dither_amplitude"] == 0.9e-9
    assert made.metadata["lateral_2_lockin_phase"] == -0.2
    large = replace(settings, motions=(1.2e-9, 0.9e-9))
    with pytest.raises(InvalidInput, match=r"2.1 nm together, more than 2 nm"):
        locked_in(raw, large)
    locked_in(raw, replace(large, largest_motion=2.1e-9))
    with pytest.raises(InvalidInput, match="1 amplitudes of the dither for 2 tones"):
        locked_in(raw, replace(settings, motions=(1e-9,)))
    with pytest.raises(InvalidInput, match="amplitudes above 0"):
        locked_in(raw, replace(settings, motions=(1e-9, -1e-9)))


def test_the_delay_that_a_recording_tells_is_taken() -> None:
    raw = raw_curves([20_000])
    plain, _ = locked_in(raw)
    late, _ = locked_in(raw.with_metadata({"lateral_delay": 1e-5}, "test"))
    given, _ = locked_in(raw, DigitalLockIn(delay=1e-5))
    z = [c.read("lateral_in_phase") + 1j * c.read("lateral_quadrature") for c in (plain, late)]
    assert np.angle(z[1] / z[0]) == pytest.approx(-TURN * 1013.0 * 1e-5, abs=1e-9)
    assert np.array_equal(late.read("lateral_quadrature"), given.read("lateral_quadrature"))


def test_the_reference_is_looked_at_longer_where_half_a_second_does_not_do() -> None:
    rate = 1000.0
    reference = sine(rate, 5.0, 10.0, 0.3)
    found = found_frequencies(DigitalLockIn(), rate, reference)
    assert found == (pytest.approx(5.0, rel=1e-5),)
    assert found_frequencies(DigitalLockIn(), rate, reference[:1999], whole=False) is None
    assert found_frequencies(DigitalLockIn(), rate, reference[:2000], whole=False) == found
    with pytest.raises(InvalidInput, match="at least 8"):
        found_frequencies(DigitalLockIn(), rate, reference[:1000])


def test_command_line(tmp_path: Path) -> None:
    raw = tmp_path / "raw.h5"
    raw_curves([30_000, 20_000]).save(raw)
    out, run = tmp_path / "out.h5", CliRunner()
    told = ["lockin", str(raw), "-o", str(out), "--harmonic", "3", "--rate", "1kHz", "--json"]
    done = run.invoke(main, told, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["output_rate"] == 1000.0
    assert report["channels"]["lateral_harmonic_3_in_phase"] == pytest.approx(3039.0)
    made = nrm.open(out)
    assert made.lateral_pair == ("lateral_in_phase", "lateral_quadrature")
    assert made.origins[0].name == "raw.h5" or made.origins[0].sha256
    assert np.abs(made.read("lateral_harmonic_3_in_phase")).max() < 1e-12
    again = run.invoke(main, told)
    assert again.exit_code == 1
    assert "--overwrite" in again.output
    both = run.invoke(main, [*told, "--overwrite", "--frequency", "1kHz", "--tone", "2kHz"])
    assert both.exit_code == 2


def test_a_table_with_two_tones_and_no_reference(tmp_path: Path) -> None:
    """Text of a board's program; the product of the tones shows as intermodulation."""
    rate = 20e3
    a, b = sine(rate, 1000.0, 0.5, 0.2), sine(rate, 1600.0, 0.5, 0.1)
    lateral = 2e-3 * a + 1e-3 * b + 1e-3 * a * b
    table = np.column_stack(
        [np.arange(len(a)) / rate, lateral, *np.linspace([1.0, 1e-6], 0.0, len(a)).T]
    )
    raw, out = tmp_path / "raw.csv", tmp_path / "out.h5"
    header = "time (s),lateral (V),deflection (V),height (m)"
    np.savetxt(raw, table, "%.9g", ",", header=header, comments="")
    told = ["lockin", str(raw), "-o", str(out), "--tone", "1kHz", "--tone", "1.6kHz"]
    done = CliRunner().invoke(
        main, [*told, "--convention", "peak", "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    made = nrm.open(out)
    first = made.read("lateral_in_phase") + 1j * made.read("lateral_quadrature")
    second = made.read("lateral_2_in_phase") + 1j * made.read("lateral_2_quadrature")
    assert np.abs(first - 2e-3 * np.exp(0.2j)).max() < 1e-8
    assert np.abs(second - 1e-3 * np.exp(0.1j)).max() < 1e-8
    lines = dict(json.loads(done.stdout)["intermodulation"].values())
    assert lines[600.0] == pytest.approx(0.5e-3, rel=1e-4)
    assert lines[2600.0] == pytest.approx(0.5e-3, rel=1e-4)
    assert made.metadata["lateral_2_frequency"] == 1600.0


@pytest.mark.parametrize("kind", ["csv", "tdms", "tdms with times"])
def test_a_recording_of_the_lateral_signal_alone(tmp_path: Path, kind: str) -> None:
    """Without height and deflection: it opens, says what it lacks, and is demodulated."""
    rate = 20e3
    columns = {
        "time": np.arange(20_000) / rate,
        "lateral": 3e-3 * sine(rate, 1013.0, 1.0, 0.5) + 0.1,
        "reference": sine(rate, 1013.0, 1.0),
    }
    suffix = kind.split()[0]
    raw, out = tmp_path / f"raw.{suffix}", tmp_path / "out.h5"
    if kind == "csv":
        header = "time (s),lateral (V),reference (V)"
        np.savetxt(
            raw, np.column_stack([*columns.values()]), "%.12g", ",", header=header, comments=""
        )
    else:
        nptdms = pytest.importorskip("nptdms")
        about = {"unit_string": "V"}
        if kind == "tdms":
            del columns["time"]
            about = {**about, "wf_increment": 1.0 / rate}
        with nptdms.TdmsWriter(raw) as writer:
            writer.write_segment(
                [
                    nptdms.ChannelObject(
                        "g", n, v, {**about, **({"unit_string": "s"} if n == "time" else {})}
                    )
                    for n, v in columns.items()
                ]
            )
    assert any("there is no height" in text for text in nrm.open(raw).warnings)
    told = ["lockin", str(raw), "-o", str(out), "--convention", "peak"]
    done = CliRunner().invoke(main, told, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    made = nrm.open(out)
    z = made.read("lateral_in_phase") + 1j * made.read("lateral_quadrature")
    assert len(z) > 900
    assert np.abs(z / (3e-3 * np.exp(0.5j)) - 1.0).max() < 1e-8


def warned(columns: dict[str, FloatArray], **settings: object) -> list[str]:
    """What is said of a second at 20 kS/s."""
    curves = nrm.CurveSet.from_arrays(
        {"time": (np.arange(20_000) / 20e3, "s"), **{n: (v, "V") for n, v in columns.items()}},
        row_size=[20_000],
        metadata={"dither_frequency": 1013.0},
    )
    made, _ = locked_in(curves, DigitalLockIn(**settings))  # type: ignore[arg-type]
    return list(made.warnings)


def test_what_looks_wrong_is_said() -> None:
    """A sentence each; none where all is well."""
    lateral, reference = sine(20e3, 1013.0, 1.0, 0.5), sine(20e3, 1013.0, 1.0)
    both = {"lateral": lateral, "reference": reference}
    assert warned(both) == []
    assert warned(both, reference="", frequencies=(1013.0,)) == []
    (text,) = warned({**both, "lateral": np.minimum(lateral, 0.9)})
    assert text.startswith("the signal lateral is clipped, or constant, in 1 of 1 rows: X and Y")
    (text,) = warned({**both, "reference": np.minimum(reference, 0.9)})
    assert text.startswith("the reference reference is clipped in 1 of 1 rows: it serves")
    (text,) = warned(both, reference="", frequencies=(1015.0,))
    assert text.startswith("the signal's line is at 1013 Hz, not at 1015 Hz: the phase turns 2 ")
    text, told = warned(both, reference="", frequencies=(5000.0,))
    assert text.startswith("the recording says that the dither was at 1013 Hz")
    assert "demodulated at 5000 Hz" in text
    assert told.startswith("the signal has no line at 5000 Hz")


def test_without_a_reference_the_command_says_what_to_give(tmp_path: Path) -> None:
    raw = tmp_path / "raw.h5"
    raw_curves([30_000]).with_names({"reference": "sine"}).save(raw)
    told = ["lockin", str(raw), "-o", str(tmp_path / "out.h5")]
    failed = CliRunner().invoke(main, told)
    assert failed.exit_code == 1
    assert "--reference CHANNEL, or without one the frequency, --frequency 5kHz" in failed.output
    assert CliRunner().invoke(main, [*told, "--reference", "sine"]).exit_code == 0


# What is refused, and what is said


def plan(rate: float, *frequencies: float, **settings: Any) -> LockInPlan:
    asked = DigitalLockIn(reference="", frequencies=frequencies, **settings)
    return LockInPlan.made(asked, rate, frequencies, delay=0.0)


def of_filter(box: int = 200, **options: Any) -> Demodulator:
    filter_ = PeriodFilter(rate=50e3, box=box, poles=1)
    return Demodulator([Tone(1e3)], filter_, 50, **options)


def begun() -> Demodulator:
    lock_in = of_filter()
    lock_in.push(np.zeros(9), np.zeros(9), {"height": np.zeros(9)})
    return lock_in


FILTER = PeriodFilter(rate=50e3, box=200, poles=1)

REFUSED: list[tuple[Callable[[], object], str]] = [
    (
        lambda: Demodulator([], FILTER, 50),
        "a lock-in needs a tone, and an interval of at least one sample",
    ),
    (
        lambda: Demodulator([Tone(1e3)], FILTER, 0),
        "a lock-in needs a tone, and an interval of at least one sample",
    ),
    (
        lambda: of_filter().push(np.zeros(9)),
        "a reference is given with every block, or with none",
    ),
    (
        lambda: of_filter(referenced=False).push(np.zeros(9), np.zeros(9)),
        "a reference is given with every block, or with none",
    ),
    (
        lambda: of_filter().push(np.zeros(9), np.zeros(8)),
        "signal, reference and other channels must have one length",
    ),
    (
        lambda: begun().push(np.zeros(9), np.zeros(9)),
        "channels come and go in the middle of the stream",
    ),
    (
        lambda: DigitalLockIn(reference="").check(),
        "without a reference the frequency must be given",
    ),
    (
        lambda: DigitalLockIn(convention="mean").check(),
        "X and Y are rms or peak, not 'mean'",
    ),
    (
        lambda: plan(50e3, 1e3, output_rate=60e3),
        "the output's rate lies between 0 and 50000 Hz",
    ),
    (
        lambda: plan(50e3, 1e3, 1e3),
        "two tones have the same frequency",
    ),
    (
        lambda: plan(50e3, 1e3, poles=9),
        "a filter has 1 to 8 poles, not 9",
    ),
    (
        lambda: plan(50e3, 1e3, bandwidth=0.0),
        "the bandwidth must be above 0, and the periods at least 1",
    ),
    (
        lambda: plan(50e3, 1e3, periods=0),
        "the bandwidth must be above 0, and the periods at least 1",
    ),
    (
        lambda: locked_in(raw_curves([9000]).with_names({"deflection": "lateral_quadrature"})),
        "the recording has lateral_quadrature already: give that channel another name first",
    ),
    (
        lambda: locked_in(raw_curves([9000]).with_names({"time": "clock"})),
        "the recording has no times: give its samples per second",
    ),
    (
        lambda: locked_in(timed_by(np.zeros(9000))),
        "the times of the recording do not rise",
    ),
    (
        lambda: locked_in(timed_by(np.arange(9000) / 50e3 + 1e-3 * (np.arange(9000) > 4500))),
        "the samples of curve 0 are not evenly spaced in time: a lock-in needs every sample",
    ),
    (
        lambda: with_tone(raw_curves([9000]), 2),
        "there is no tone 2; tones of the lateral signal: none: see nrm lockin --tone",
    ),
]


def timed_by(time: FloatArray) -> nrm.CurveSet:
    """A recording with these times."""
    curves = raw_curves([len(time)])
    column = ArrayColumn(time, curves.rows)
    return curves.with_channel(replace(curves.channels["time"], column=column))


@pytest.mark.parametrize(("call", "sentence"), REFUSED)
def test_what_is_refused(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        call()
    assert str(caught.value) == sentence


def test_lines_of_two_tones_that_fall_together_count_once() -> None:
    """1 and 3 kHz: 2 and 4, 5 = 2 x 3 - 1 = 2 x 1 + 3; 1 is a tone, 7 above half of the rate."""
    assert sorted(plan(12e3, 1e3, 3e3).lines.values()) == [2e3, 4e3, 5e3]
    assert sorted(plan(16e3, 1e3, 3e3).lines.values()) == [2e3, 4e3, 5e3, 7e3]


def test_a_weak_line_beside_the_tone_is_left_alone() -> None:
    """1 Hz off it could not be taken out without the tone; 337 Hz off it can."""
    beside = PeriodFilter.matched(50e3, [1e3], lines=[1001.0])
    assert float(beside.response(np.array(1.0))) > 0.99
    apart = PeriodFilter.matched(50e3, [1e3], lines=[1337.0])
    assert (
        abs(float(apart.response(np.array(337.0)))) < 1e-9 < float(beside.response(np.array(337.0)))
    )


@pytest.mark.parametrize("times", [True, False])
def test_samples_per_second_that_are_given_count(times: bool) -> None:
    """Whatever the times say, and without any: half of the rate makes half of the frequency."""
    raw = raw_curves([20_000])
    raw = raw if times else raw.with_names({"time": "clock"})
    made, report = locked_in(raw, DigitalLockIn(sample_rate=25e3))
    assert report.sample_rate == 25e3
    assert made.metadata["dither_frequency"] == pytest.approx(506.5, rel=1e-9)
    assert np.diff(made.read("time")) == pytest.approx(1.0 / report.output_rate, rel=1e-9)
    rms = 3e-3 / np.sqrt(2.0)
    np.testing.assert_allclose(made.read("lateral_in_phase"), rms * np.cos(np.pi / 6), rtol=1e-9)


def test_pieces_without_a_reference_are_told() -> None:
    raw = raw_curves([20_000, 20_000], pause=1.0)
    made, _ = locked_in(raw, DigitalLockIn(reference="", frequencies=(1013.0,)))
    assert (
        "the recording is in 2 pieces and has no reference: the phase counts from the first sample "
        "of each, and says nothing from one to the next"
    ) in made.warnings
    assert not any("pieces" in text for text in locked_in(raw)[0].warnings)


def test_a_reference_that_wanders_too_far_is_told() -> None:
    """By 200 Hz, which a filter of 80 Hz does not let through."""
    filter_ = PeriodFilter.matched(50e3, [5e3], bandwidth=80.0)
    assert list(doubts_of_reference(0, 5.0, filter_)) == []
    (text,) = doubts_of_reference(0, 200.0, filter_)
    assert text == (
        f"the reference's frequency moved by 200 Hz, too far for a filter of "
        f"{filter_.noise_bandwidth:.3g} Hz: amplitudes are uncertain. Fewer periods help"
    )
    (lost,) = doubts_of_reference(3, 0.0, filter_)
    assert lost == "the reference was lost for 3 values; X and Y are nan there"


# Moduli


def test_moduli_are_those_of_a_box() -> None:
    """The same electrode by a box of 1 ms and 24 dB/oct, and from raw signals of as much noise."""
    sample = sim.Sample(
        sim.Interphase((sim.Layer(8e-9, 10e6 + 3e6j), sim.Layer(12e-9, 2e6 + 1e6j)), force=3e-9),
        sim.Electrode(lateral_stiffness=10.0),
    )
    quiet = sim.Detector(deflection_noise=0.1e-9, lateral_noise=0.0)
    instrument = sim.Instrument(
        lateral_stiffness=80.0,
        dither_frequency=5000.0,
        detector=quiet,
        lock_in=sim.LockIn(phase=0.4, convention="peak"),
    )
    rate, n, noise = 50e3, 8, 10e-12
    ramp = sim.Ramp(length=100e-9, samples=25_000, speed=200e-9)
    true, _ = sim.simulate(sample, instrument, ramp, n_curves=n, volts=True, seed=31)
    rng = np.random.default_rng(32)
    angle = TURN * 5000.0 * true.read("time") + rng.uniform(0.0, 6.0, n).repeat(true.row_size)
    volts = noise / (80.0 * instrument.lateral_sensitivity)  # of X, peak, behind the box
    white = volts * np.sqrt(rate / (4.0 * noise_bandwidth(1e-3, 4)))
    lateral = true.read("lateral_in_phase") * np.sin(angle)
    lateral += white * rng.standard_normal(len(angle))
    lateral += true.read("lateral_quadrature") * np.cos(angle) + 0.02
    raw = nrm.CurveSet.from_arrays(
        {
            "lateral": (lateral, "V"),
            "reference": (np.sin(angle), "V"),
            **{name: (true.read(name), true.channels[name].unit) for name in SHARED},
        },
        row_size=true.row_size,
        segments=true.segments,
        metadata=true.metadata,
    )
    digital, report = locked_in(raw)
    assert report.noise_bandwidth == pytest.approx(noise_bandwidth(1e-3, 4), rel=0.05)
    box = replace(
        instrument,
        detector=replace(quiet, lateral_noise=noise),
        lock_in=sim.LockIn(time_constant=1e-3, poles=4, phase=0.4),
    )
    by_box, _ = sim.simulate(
        sample, box, replace(ramp, samples=1000), n_curves=n, volts=True, seed=33
    )
    for curves in (digital, by_box):
        far = curves.read("height") > 30e-9
        for name in ("lateral_in_phase", "lateral_quadrature"):
            assert np.std(curves.read(name)[far]) == pytest.approx(volts / np.sqrt(2.0), rel=0.15)
    results = [nrm.process(digital), nrm.process(by_box)]
    middle = {"depth": [4e-9, 6e-9, 13e-9, 16e-9]}
    for name, known in (
        ("storage_modulus", [10e6, 10e6, 2e6, 2e6]),
        ("loss_modulus", [3e6, 3e6, 1e6, 1e6]),
    ):
        values = [r[name].sel(middle, method="nearest").values for r in results]
        errors = [r[f"{name}_stderr"].sel(middle, method="nearest").values for r in results]
        off = (values[0] - values[1]) / np.hypot(*errors)
        assert np.sqrt(np.mean(off**2)) < 1.5
        off = (values[0] - np.array(known)) / errors[0]
        assert np.sqrt(np.mean(off**2)) < 1.5
    np.testing.assert_allclose(results[0]["contact_height"], 0.0, atol=0.3e-9)
    assert "the filter of a digital lock-in is symmetric" in str(results[0].attrs["checks"])
