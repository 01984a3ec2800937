"""Frequency response of the scanner."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from intervals import REPETITIONS, assert_covered

from nrm_plugin import CurveSet, InvalidInput
from nrm_plugin.calibration import CalibrationFailed
from nrm_plugin.calibration.response import from_curves, response
from nrm_plugin.cli import main
from nrm_plugin.errors import UnknownChannel

RESONANCE, QUALITY = 12e3, 15.0
SWEEP = np.linspace(200.0, 20e3, 100)


def truth(f: np.ndarray | float) -> np.ndarray:
    u = np.asarray(f) / RESONANCE
    return 1.0 / (1.0 - u**2 + 1j * u / QUALITY)


def swept(
    rng: np.random.Generator, f: np.ndarray = SWEEP, noise: float = 0.01
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frequency, amplitude in units of 3.3 mV at rest, phase with an offset of 0.7 rad."""
    h = truth(f)
    amplitude = 3.3e-3 * np.abs(h) * np.exp(noise * rng.standard_normal(len(f)))
    return f, amplitude, np.angle(h) + 0.7 + noise * rng.standard_normal(len(f))


@pytest.mark.parametrize(
    ("sweep", "at"),
    [
        (SWEEP, 3e3),
        (SWEEP, 8e3),  # gain 1.8, steep
        (np.linspace(200.0, 20e3, 200), 5e3),
        (np.geomspace(100.0, 20e3, 400), 2e3),
    ],
)
def test_errors_cover_the_truth(sweep: np.ndarray, at: float) -> None:
    rng = np.random.default_rng(1)
    z = []
    for _ in range(REPETITIONS):
        here = response(*swept(rng, sweep, 0.005)).at(at)
        assert here.phase is not None
        z.append(
            (
                (here.gain - abs(truth(at))) / here.gain_stderr,
                (here.phase - np.angle(truth(at))) / here.phase_stderr,
            )
        )
    assert_covered(z)


def test_resonance_is_found() -> None:
    f = np.linspace(200.0, 20e3, 400)
    (found,) = response(*swept(np.random.default_rng(2), f, 0.003)).resonances()
    peak = RESONANCE * np.sqrt(1.0 - 0.5 / QUALITY**2)
    assert found.frequency == pytest.approx(peak, rel=2e-3)
    assert found.quality == pytest.approx(QUALITY, rel=0.03)
    assert found.gain == pytest.approx(QUALITY, rel=0.02)


def test_rest_lies_below_the_first_of_two_resonances() -> None:
    """At rest both add up to 1.25: the second, at 8 times the frequency, has a quarter."""
    f = np.linspace(50.0, 20e3, 2000)
    both = sum(
        part / (1.0 - (f / at) ** 2 + 1j * f / at / QUALITY)
        for part, at in ((1.0, 2e3), (0.25, 16e3))
    )
    found = response(f, 4.0 * np.abs(both)).at(200.0)
    u = 200.0 / np.array([2e3, 16e3])
    by_hand = np.abs([1.0, 0.25] @ (1.0 / (1.0 - u**2 + 1j * u / QUALITY))) / 1.25
    assert found.gain == pytest.approx(by_hand, rel=1e-3)


def test_safe_band_ends_where_the_gain_leaves_it() -> None:
    """Gain 1.05 at f0 sqrt(1 - 1/1.05) = 0.218 f0; phase 2 degrees at 0.407 f0."""
    f = np.linspace(50.0, 20e3, 2000)
    smooth = response(f, np.abs(truth(f)), np.angle(truth(f)))
    low, high = smooth.safe_band()
    assert low == 50.0
    assert high == pytest.approx(0.218 * RESONANCE, rel=0.01)
    tan = np.tan(np.radians(1.0))  # u / Q / (1 - u^2)
    u = (np.sqrt(1.0 / QUALITY**2 + 4.0 * tan**2) - 1.0 / QUALITY) / (2.0 * tan)
    assert smooth.safe_band(gain=10.0, phase=np.radians(1.0))[1] == pytest.approx(
        u * RESONANCE, rel=0.02
    )


def test_estimate_says_all() -> None:
    found = response(*swept(np.random.default_rng(3), noise=0.003))
    safe = found.estimate(2e3)
    assert safe.key == "dither_response"
    assert safe.value == pytest.approx(abs(truth(2e3)), abs=3 * safe.stderr)
    text = "\n".join(safe.notes)
    for part in ("resonance at", "safe dither band", "lockin_phase", "within 5%", "2 degrees"):
        assert part in text
    assert any("outside the safe band" in note for note in found.estimate(8e3).notes)
    without = response(*swept(np.random.default_rng(3), noise=0.003)[:2]).estimate(2e3)
    assert any("no phase" in note for note in without.notes)


def test_order_repeats_and_nan_do_not_matter() -> None:
    f, a, p = swept(np.random.default_rng(4))
    plain = response(f, a, p).at(3e3)
    order = np.random.default_rng(5).permutation(2 * len(f))
    twice = [np.append(np.tile(x, 2)[order], [np.nan, 1e3]) for x in (f, a, p)]
    twice[1][-1] = np.nan
    again = response(*twice).at(3e3)
    assert again.gain == pytest.approx(plain.gain, rel=1e-9)
    assert again.phase == pytest.approx(plain.phase, abs=1e-9)


def test_coarse_and_senseless_data_are_refused() -> None:
    rng = np.random.default_rng(6)
    f, a, p = swept(rng)
    with pytest.raises(CalibrationFailed, match="too coarse: 10"):
        response(f[::10], a[::10], p[::10])
    coarse = np.linspace(200.0, 40e3, 30)
    with pytest.raises(CalibrationFailed, match="too coarse: the amplitude"):
        response(*swept(rng, coarse))
    narrow = 1.0 / (1.0 - (f / RESONANCE) ** 2 + 1j * f / RESONANCE / 2000.0)
    hidden = np.clip(np.abs(narrow), 0.5, 1.5)  # a levelled amplitude
    with pytest.raises(CalibrationFailed, match=r"hides a resonance|too coarse"):
        response(f, hidden, np.angle(narrow))
    high = f > 5e3
    with pytest.raises(CalibrationFailed, match="too high to know"):
        response(f[high], a[high], p[high])
    with pytest.raises(CalibrationFailed, match="0 frequencies"):
        response(f * np.nan, a)
    with pytest.raises(CalibrationFailed, match="0 frequencies"):
        response(np.array([]), np.array([]))
    with pytest.raises(InvalidInput, match="above 0"):
        response(f, -a)
    with pytest.raises(CalibrationFailed, match="too noisy"):
        response(f, rng.exponential(1.0, len(f)))
    with pytest.raises(InvalidInput, match="lengths"):
        response(f, a[:-1])
    with pytest.raises(InvalidInput, match="outside the response"):
        response(f, a, p).at(30e3)


def test_a_scanner_that_never_follows_has_no_safe_band() -> None:
    f = np.linspace(200.0, 20e3, 400)
    late = np.exp(-2j * np.pi * f * 1e-3)  # a millisecond late: 72 degrees at 200 Hz
    found = response(f, np.abs(late), np.angle(late * np.exp(2j * np.pi * f * 0.9e-3)))
    with pytest.raises(CalibrationFailed, match="no safe band"):
        found.safe_band()


def test_frequencies_that_differ_by_rounding_are_one() -> None:
    """20 of them, twice, 1e-11 of each apart; the mean is that of the logarithms."""
    f = np.geomspace(100.0, 20e3, 20)
    twice = np.concatenate([f, f * (1.0 + 1e-11)])
    found = response(twice, np.repeat([1.0, 1.0 + 1e-6], 20))
    assert found.frequency == pytest.approx(f, rel=1e-10)
    assert found.log_gain == pytest.approx(np.zeros(20), abs=1e-12)


def test_a_scanner_that_always_follows_is_safe_everywhere() -> None:
    f = np.linspace(10.0, 1000.0, 100)
    assert response(f, np.full(100, 3.3e-3)).safe_band() == (10.0, 1000.0)


def test_curves_are_sweeps() -> None:
    f, a, p = swept(np.random.default_rng(7))
    signal = a * np.exp(1j * p)
    curves = CurveSet.from_arrays(
        {
            "drive_frequency": (f / 1e3, "kHz"),
            "lateral_in_phase": (signal.real, "V"),
            "lateral_quadrature": (signal.imag, "V"),
        }
    )
    plain = response(f, a, p).at(3e3)
    assert from_curves(curves).at(3e3).gain == pytest.approx(plain.gain)
    polar = CurveSet.from_arrays(
        {"frequency": (f, "Hz"), "lateral_amplitude": (a, "V"), "lateral_phase": (p, "rad")}
    )
    assert from_curves(polar).at(3e3).phase == pytest.approx(plain.phase)
    with pytest.raises(UnknownChannel, match="frequency"):
        from_curves(CurveSet.from_arrays({"lateral_amplitude": (a, "V")}))
    with pytest.raises(InvalidInput, match="not in Hz"):
        from_curves(CurveSet.from_arrays({"frequency": (f, ""), "lateral_amplitude": (a, "V")}))


def test_command(tmp_path) -> None:
    f, a, p = swept(np.random.default_rng(8), noise=0.003)
    path = tmp_path / "sweep.csv"
    rows = np.stack([f / 1e3, a * 1e3, np.degrees(p)], axis=1)
    np.savetxt(
        path, rows, delimiter=",", comments="", header="frequency (kHz),amplitude (mV),phase (deg)"
    )
    result = CliRunner().invoke(
        main, ["calibrate", "response", str(path), "--at", "2kHz", "--json"]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)[0]
    assert found["value"] == pytest.approx(abs(truth(2e3)), abs=4 * found["stderr"])
    nowhere = CliRunner().invoke(main, ["calibrate", "response", str(path)])
    assert (nowhere.exit_code, "dither_frequency" in nowhere.output) == (1, True)
    path.write_text("frequency,amplitude\n" + "1,1\n" * 30, encoding="utf-8")
    unit_less = CliRunner().invoke(main, ["calibrate", "response", str(path), "--at", "2kHz"])
    assert (unit_less.exit_code, "has no unit" in unit_less.output) == (1, True)
