"""Spring constant: hydrodynamic function, Sader's method, thermal tune; tables of text."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from intervals import REPETITIONS, assert_covered
from scipy.integrate import trapezoid
from scipy.signal import lfilter, welch
from scipy.special import kve

from nrm_plugin import CurveSet, InvalidInput, MissingCalibration
from nrm_plugin.calibration import CalibrationFailed, oscillator, spectrum, spring
from nrm_plugin.calibration.hydrodynamics import air, circular, rectangular, reynolds
from nrm_plugin.calibration.oscillator import fit_oscillator, lorentzian
from nrm_plugin.cli import main
from nrm_plugin.delimited import read_table
from nrm_plugin.errors import CorruptFile, MissingFile

KELVIN, SENSITIVITY, STIFFNESS = 298.0, 30e-9, 0.3
POWER = spring.OPTICAL_LEVER_FACTOR * 1.380649e-23 * KELVIN / STIFFNESS / SENSITIVITY**2


def blade(number: float, n: int = 300) -> complex:
    """Hydrodynamic function of a thin blade, from the exact integral equation of Tuck (1969).

    Oscillating two-dimensional Stokeslets on -1 < x < 1 (half width and viscosity 1), of strength
    g(x) / sqrt(1 - x**2), give the blade its velocity; the kernel's logarithm is done exactly with
    Chebyshev polynomials.
    """
    decay = np.sqrt(-1j * number)
    angle = (np.arange(n) + 0.5) * np.pi / n
    x = np.cos(angle)
    distance = np.abs(x[:, None] - x)
    np.fill_diagonal(distance, 1.0)
    z = decay * distance
    kernel = np.exp(-z) * (kve(0, z) + kve(1, z) / z) - 1.0 / z**2
    smooth = kernel + 0.5 * np.log(distance)
    np.fill_diagonal(smooth, -0.5 * np.log(decay / 2.0) - 0.5 * np.euler_gamma - 0.25)
    order = np.arange(n)
    cosines = np.cos(np.outer(order, angle))
    weights = np.where(order == 0, 1.0, 2.0)[:, None] / n * cosines
    of_log = np.where(order == 0, -np.pi * np.log(2.0), -np.pi / np.maximum(order, 1))
    matrix = (smooth * np.pi / n - 0.5 * cosines.T @ (of_log[:, None] * weights)) / (2.0 * np.pi)
    force = np.linalg.solve(matrix, np.ones(n, complex)).sum() * np.pi / n
    return complex(1j * force / (np.pi * number))


@pytest.mark.parametrize("number", [1e-4, 1e-2, 0.1, 1.0, 10.0, 100.0])
def test_hydrodynamic_function_is_that_of_a_blade(number: float) -> None:
    """Sader (1998) states 0.1 % for his correction of the cylinder."""
    assert abs(rectangular(number) / blade(number) - 1.0) < 1e-3


@pytest.mark.parametrize(
    ("number", "expected"),
    [  # Tuck's blade, as computed above with 400 points, to four digits
        (0.01, 41.64 + 140.66j),
        (1.0, 3.734 + 4.075j),
        (10.0, 1.918 + 0.9817j),
        (100.0, 1.326 + 0.2961j),
    ],
)
def test_values_of_the_hydrodynamic_function(number: float, expected: complex) -> None:
    assert rectangular(number).real == pytest.approx(expected.real, rel=6e-4)
    assert rectangular(number).imag == pytest.approx(expected.imag, rel=6e-4)


def test_hydrodynamic_function_between_its_limits() -> None:
    """Cylinder: 1 + sqrt(8/Re) (1 + i) at large Re (Stokes); blade: added mass pi rho w^2 / 4."""
    assert circular(1e6) == pytest.approx(1.0 + np.sqrt(8e-6) * (1 + 1j), rel=1e-5)
    assert rectangular(1e4).real == pytest.approx(1.0, abs=0.06)
    # Maali et al., J. Appl. Phys. 97, 074907 (2005): 3.8018 d/w + 2.7364 (d/w)^2, 1 < Re < 1000
    for number in (1.0, 10.0, 100.0):
        d = np.sqrt(0.5 / number)
        assert rectangular(number).imag == pytest.approx(3.8018 * d + 2.7364 * d * d, rel=0.06)


def test_reynolds_number_outside_the_fit() -> None:
    for number in (1e-7, 1e5, float("nan")):
        with pytest.raises(InvalidInput, match="Reynolds"):
            rectangular(number)


def test_air() -> None:
    """1.204 kg/m^3 and 18.1 uPa s at 20 degrees Celsius."""
    density, viscosity = air(293.15)
    assert density == pytest.approx(1.204, rel=1e-3)
    assert viscosity == pytest.approx(1.813e-5, rel=3e-3)


AIR = {"fluid_density": 1.18, "fluid_viscosity": 1.86e-5}
LEVER = {"length": 397e-6, "width": 29e-6, "resonance": 17.36e3, "quality_factor": 55.5}


def test_sader_on_a_published_lever() -> None:
    """The lever of 397 x 29 um of Sader, Chon & Mulvaney (1999), Table 1, in their air."""
    found = spring.sader(**LEVER, **AIR)
    assert found.value == pytest.approx(0.1573, rel=1e-3)
    number = reynolds(1.18, 1.86e-5, 17.36e3, 29e-6)
    damping = blade(number).imag
    plain = 0.1906 * 1.18 * 29e-6**2 * 397e-6 * 55.5 * (2 * np.pi * 17.36e3) ** 2 * damping
    assert found.value == pytest.approx(plain, rel=1e-3)
    assert np.isnan(found.stderr)
    assert any("no standard error" in note for note in found.notes)


def test_error_of_sader_covers_what_its_inputs_do() -> None:
    rng = np.random.default_rng(1)
    given = LEVER | AIR
    errors = {name: 0.02 * value for name, value in given.items()}
    errors["resonance"] = 10.0
    truth = spring.sader(**given).value
    z = []
    for _ in range(REPETITIONS):
        drawn = {
            name: value + errors[name] * rng.standard_normal() for name, value in given.items()
        }
        found = spring.sader(**drawn, stderr=errors)
        z.append((found.value - truth) / found.stderr)
    assert_covered(z)


def test_sader_outside_of_what_was_tested() -> None:
    told = "the quality factor is below 10, where the method was not tested: use air"
    assert told in spring.sader(**(LEVER | AIR | {"quality_factor": 9.9})).notes
    assert told not in spring.sader(**(LEVER | AIR | {"quality_factor": 10.0})).notes


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"length": 60e-6}, CalibrationFailed, "length / width"),
        ({"quality_factor": 1.2}, CalibrationFailed, "too low"),
        ({"width": 29.0}, InvalidInput, "not believable"),
        ({"resonance": float("nan")}, InvalidInput, "not believable"),
    ],
)
def test_sader_refuses(change: dict[str, float], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        spring.sader(**(LEVER | AIR | change))


def test_sader_refuses_unknown_and_negative_errors() -> None:
    with pytest.raises(InvalidInput, match="thickness"):
        spring.sader(**LEVER, **AIR, stderr={"thickness": 1e-7})
    with pytest.raises(InvalidInput, match="standard error of width"):
        spring.sader(**LEVER, **AIR, stderr={"width": -1e-7})


def test_given_and_at_the_tip() -> None:
    known = spring.given(0.2, 0.02)
    assert (known.value, known.stderr, known.key) == (0.2, 0.02, "spring_constant")
    assert np.isnan(spring.given(0.2).stderr)
    moved = spring.at_tip(known, 225e-6, 15e-6)
    assert moved.value == pytest.approx(0.2 * (225 / 210) ** 3)
    assert moved.stderr / moved.value == pytest.approx(0.1)
    with pytest.raises(InvalidInput):
        spring.given(2e8)
    with pytest.raises(InvalidInput, match="stand back"):
        spring.at_tip(known, 100e-6, 90e-6)


# Thermal tune


def test_factors() -> None:
    """Butt & Jaschke (1995): 0.971 and 0.817; chi = 1.09."""
    assert pytest.approx(0.9707, abs=1e-4) == spring.DISPLACEMENT_FACTOR
    assert pytest.approx(0.817, abs=1.5e-3) == spring.OPTICAL_LEVER_FACTOR
    assert pytest.approx(1.09, abs=2e-3) == spring.CHI


def test_lorentzian_has_an_area_of_one() -> None:
    f = np.linspace(0.0, 400e3, 4_000_001)
    for quality in (2.0, 50.0):
        area = trapezoid(lorentzian(f, 20e3, quality), f)
        assert area == pytest.approx(1.0, abs=3e-3)


def table(
    rng: np.random.Generator,
    resonance: float,
    quality: float,
    averages: float,
    step: float,
    high: float,
    background: float = 1e-2,
) -> spectrum.Spectrum:
    """Averaged periodograms of an oscillator of `POWER` over white noise."""
    f = np.arange(1, int(high / step) + 1) * step
    floor = background * lorentzian(np.array([resonance]), resonance, quality)
    true = POWER * (lorentzian(f, resonance, quality) + floor)
    return spectrum.measured(f, true * rng.gamma(averages, 1.0 / averages, len(f)), "V^2/Hz")


def trace(rng: np.random.Generator, n: int, rate: float, resonance: float, quality: float):
    """Exact motion of a damped oscillator in white noise, with a mean square of `POWER`."""
    omega = 2.0 * np.pi * resonance
    damping = omega / quality
    free = np.sqrt(omega**2 - damping**2 / 4.0)
    root, dt = -damping / 2.0 + 1j * free, 1.0 / rate
    force = 2.0 * damping * omega**2 * POWER
    absolute = force * np.expm1(2.0 * root.real * dt) / (2.0 * root.real)
    square = force * np.expm1(2.0 * root * dt) / (2.0 * root)
    covariance = [[absolute + square.real, square.imag], [square.imag, absolute - square.real]]
    noise = rng.standard_normal((n, 2)) @ np.linalg.cholesky(np.array(covariance) / 2.0).T
    motion = lfilter([1.0], [1.0, -np.exp(root * dt)], noise[:, 0] + 1j * noise[:, 1])
    background = 0.01 * POWER * 2.0 * quality / (np.pi * resonance)
    return motion.imag / free + rng.standard_normal(n) * np.sqrt(background * rate / 2.0)


def tune(found: spectrum.Spectrum, **options) -> spring.ThermalTune:
    return spring.thermal_tune(found, KELVIN, deflection_sensitivity=SENSITIVITY, **options)


def deviations(found: spring.ThermalTune, resonance: float, quality: float) -> list[float]:
    """Of spring constant, resonance and quality factor from the truth, in standard errors."""
    truth = (STIFFNESS, resonance, quality)
    return [(e.value - t) / e.stderr for e, t in zip(found.estimates, truth, strict=True)]


@pytest.mark.slow
def test_thermal_spectrum_covers_the_truth() -> None:
    """Spectra of 20 averages in a liquid."""
    rng = np.random.default_rng(2)
    tunes = (tune(table(rng, 20e3, 3.0, 20.0, 200.0, 150e3)) for _ in range(REPETITIONS))
    assert_covered([deviations(found, 20e3, 3.0) for found in tunes])


@pytest.mark.slow
def test_thermal_trace_covers_the_truth() -> None:
    """Time traces of an exactly simulated oscillator."""
    rng = np.random.default_rng(3)
    traces = (trace(rng, 4096, 100e3, 8e3, 3.0) for _ in range(REPETITIONS))
    tunes = (tune(spectrum.from_traces([one], 100e3, "V")) for one in traces)
    assert_covered([deviations(found, 8e3, 3.0) for found in tunes])


def test_thermal_in_air_by_three_ways() -> None:
    """One long trace, its overlapping Welch spectrum, and the curves that hold it agree."""
    rng = np.random.default_rng(4)
    signal = trace(rng, 2**17, 500e3, 70e3, 50.0)
    f, d = welch(signal, 500e3, nperseg=4096)
    time = np.arange(len(signal)) / 500e3
    curves = CurveSet.from_arrays({"time": (time, "s"), "deflection": (signal, "V")})
    found = [
        tune(spectrum.from_traces([signal], 500e3, "V")),
        tune(spectrum.measured(f, d, "V^2/Hz")),
        tune(spectrum.from_curves(curves)),
    ]
    for one in found:
        k, frequency, quality = one.estimates
        assert abs(k.value - STIFFNESS) < 3.0 * k.stderr
        assert k.stderr < 0.05 * STIFFNESS
        assert abs(frequency.value - 70e3) < 3.0 * frequency.stderr
        assert abs(quality.value - 50.0) < 4.0 * quality.stderr
    assert found[2].spring_constant.value == pytest.approx(found[0].spring_constant.value)


def test_maximum_likelihood_has_no_bias_where_least_squares_has() -> None:
    """One periodogram, not averaged: the mean over 100 is right within its error."""
    rng = np.random.default_rng(5)
    areas = [fit_oscillator(table(rng, 20e3, 5.0, 1.0, 20.0, 150e3)).power for _ in range(100)]
    error = np.std(areas) / np.sqrt(100)
    assert abs(np.mean(areas) - POWER) < 3.0 * error
    assert error < 0.01 * POWER


def test_errors_of_sensitivity_and_temperature_are_in() -> None:
    found = table(np.random.default_rng(6), 20e3, 3.0, 1e4, 100.0, 150e3)
    plain = tune(found).spring_constant
    wide = tune(
        found, deflection_sensitivity_stderr=0.05 * SENSITIVITY, temperature_stderr=3.0
    ).spring_constant
    expected = np.sqrt((plain.stderr / plain.value) ** 2 + 0.1**2 + (3.0 / KELVIN) ** 2)
    assert wide.stderr / wide.value == pytest.approx(expected)
    assert any("counts twice" in note for note in plain.notes)
    free = tune(found, detection="displacement").spring_constant
    assert free.value / plain.value == pytest.approx(spring.CHI**2)


def test_slopes_of_the_model_are_its_derivatives() -> None:
    """By ln P, ln f0, ln Q and the background, against central differences."""
    f = np.linspace(1e3, 60e3, 40)
    theta = np.array([np.log(2e-6), np.log(20e3), np.log(3.0), 1e-12])
    values, slopes = oscillator._model(theta, f)
    np.testing.assert_allclose(values, 2e-6 * lorentzian(f, 20e3, 3.0) + 1e-12)
    for i, step in enumerate((1e-6, 1e-6, 1e-6, 1e-14)):
        away = np.where(np.arange(4) == i, step, 0.0)
        up, down = (oscillator._model(theta + s * away, f)[0] for s in (1.0, -1.0))
        np.testing.assert_allclose(slopes[:, i], (up - down) / (2.0 * step), rtol=1e-6)


@pytest.mark.parametrize(("r", "variance"), [(0.0, 1.0), (1.0, 4.0)])
def test_scatter_of_neighbours_that_are_alike(r: float, variance: float) -> None:
    """Of e_i + r e_(i-1) means of many have the variance (1 + r)^2 per point, not 1 + r^2."""
    e = 0.05 * np.random.default_rng(13).standard_normal(40_001)
    part = spectrum.measured(np.arange(1.0, 40_001.0), np.ones(40_000), "V^2/Hz")
    found = oscillator._scatter(part, 1.0 + e[1:] + r * e[:-1])
    assert found == pytest.approx(0.05**2 * variance, rel=0.04)


def test_a_peak_of_a_few_steps_is_told() -> None:
    """Full widths of 3 and of 7 steps of the spectrum."""
    rng = np.random.default_rng(14)
    told = "the peak is only a few steps of the spectrum wide: Q is too low, k is less affected"
    for steps, said in ((3.0, True), (7.0, False)):
        found = table(rng, 70e3, 70e3 / (100.0 * steps), 200.0, 100.0, 150e3)
        assert (told in tune(found).spring_constant.notes) is said


def test_metres_need_no_sensitivity() -> None:
    volts = table(np.random.default_rng(7), 20e3, 3.0, 50.0, 100.0, 150e3)
    picometres = np.sqrt(volts.density) * SENSITIVITY * 1e12
    found = spectrum.measured(volts.frequency, picometres, "pm/sqrt(Hz)")
    assert found.unit == "m^2/Hz"
    k = spring.thermal_tune(found, KELVIN).spring_constant.value
    assert k == pytest.approx(tune(volts).spring_constant.value, rel=1e-6)
    with pytest.raises(InvalidInput, match="needs no"):
        spring.thermal_tune(found, KELVIN, deflection_sensitivity=SENSITIVITY)


def test_second_mode_mains_and_drift_do_not_matter() -> None:
    rng = np.random.default_rng(8)
    found = table(rng, 15e3, 40.0, 50.0, 50.0, 240e3, background=1e-3)
    second = 0.1 * POWER * lorentzian(found.frequency, 94e3, 120.0)
    drift = 3e-3 * POWER / found.frequency
    density = found.density + second + drift
    density[[298, 301]] *= 30.0  # lines within the window of the fit
    result = tune(spectrum.measured(found.frequency, density, "V^2/Hz"))
    assert result.resonance.value == pytest.approx(15e3, rel=1e-3)
    k = result.spring_constant
    assert abs(k.value - STIFFNESS) < 3.0 * k.stderr
    assert any("stand out" in note for note in k.notes)
    high = tune(spectrum.measured(found.frequency, density, "V^2/Hz"), expected=94e3)
    assert high.resonance.value == pytest.approx(94e3, rel=1e-3)


def refused(found: spectrum.Spectrum, text: str, **options) -> None:
    with pytest.raises(CalibrationFailed, match=text):
        tune(found, **options)


def test_broken_assumptions_are_named() -> None:
    rng = np.random.default_rng(9)
    good = table(rng, 70e3, 100.0, 50.0, 50.0, 200e3)
    refused(good, "within a third of 20000 Hz", expected=20e3)
    refused(good, "no resonance|outside the band", band=(75e3, 110e3))
    refused(table(rng, 70e3, 100.0, 50.0, 50.0, 71e3), "cut off")
    refused(table(rng, 70e3, 400.0, 50.0, 200.0, 200e3), "not resolved")
    refused(table(rng, 70e3, 200.0, 1.0, 300.0, 200e3), "few averages|not resolved|no resonance")
    refused(table(rng, 20e3, 0.45, 1e3, 100.0, 200e3), "overdamped|no resonance")
    f = np.arange(1.0, 2000.0) * 50.0
    white = spectrum.measured(f, 1e-12 * rng.gamma(50, 0.02, len(f)), "V^2/Hz")
    refused(white, "no resonance stands out")
    two = good.density + 0.8 * POWER * lorentzian(good.frequency, 71.5e3, 100.0)
    refused(spectrum.measured(good.frequency, two, "V^2/Hz"), "not that of one oscillator")
    fast = trace(rng, 2**15, 200e3, 70e3, 100.0)
    refused(spectrum.from_traces([fast], 200e3, "V"), "aliasing")


def test_too_few_averages() -> None:
    """A spectrum of one short trace knows the area of a narrow peak badly."""
    rng = np.random.default_rng(10)
    failures = []
    for _ in range(40):
        short = spectrum.from_traces([trace(rng, 8192, 500e3, 70e3, 200.0)], 500e3, "V")
        try:
            assert tune(short).spring_constant.stderr > 0.15 * STIFFNESS / 2.0
        except CalibrationFailed as failure:
            failures.append(str(failure))
    assert len(failures) >= 34
    assert all("too few averages" in failure for failure in failures), failures


def test_units_and_values_that_make_no_sense() -> None:
    f = np.arange(1.0, 200.0)
    for unit in ("", "V", "dB", "V/Hz", "N^2/Hz", "counts^2/Hz"):
        with pytest.raises(InvalidInput, match=r"V\^2/Hz"):
            spectrum.measured(f, f, unit)
    with pytest.raises(InvalidInput, match="decibels"):
        spectrum.measured(f, -f, "V^2/Hz")
    with pytest.raises(InvalidInput, match="must rise"):
        spectrum.measured(f[::-1], f, "V^2/Hz")
    with pytest.raises(CalibrationFailed, match="0 points"):
        spectrum.measured(f, f * np.nan, "V^2/Hz")
    with pytest.raises(CalibrationFailed, match="empty"):
        tune(spectrum.measured(f, 0.0 * f, "V^2/Hz"))
    with pytest.raises(CalibrationFailed, match="0 samples"):
        spectrum.from_traces([], 1e5, "V")
    with pytest.raises(CalibrationFailed, match="nan"):
        spectrum.from_traces([np.append(np.ones(999), np.nan)], 1e5, "V")
    with pytest.raises(InvalidInput, match="V or m"):
        spectrum.from_traces([np.ones(1000)], 1e5, "")
    with pytest.raises(CalibrationFailed, match="empty"):
        tune(spectrum.from_traces([np.ones(1000)], 1e5, "V"))
    good = table(np.random.default_rng(1), 20e3, 3.0, 50.0, 100.0, 150e3)
    with pytest.raises(MissingCalibration, match="temperature"):
        spring.thermal_tune(good, None, deflection_sensitivity=SENSITIVITY)
    with pytest.raises(MissingCalibration, match="deflection_sensitivity"):
        spring.thermal_tune(good, KELVIN)
    with pytest.raises(InvalidInput, match="not believable"):
        spring.thermal_tune(good, KELVIN, deflection_sensitivity=30.0)


def test_unevenly_sampled_curves_are_refused() -> None:
    time = np.arange(1000.0) * 1e-5
    time[500:] += 1e-3
    signal = np.random.default_rng(1).standard_normal(1000)
    curves = CurveSet.from_arrays({"time": (time, "s"), "deflection": (signal, "V")})
    with pytest.raises(CalibrationFailed, match="evenly"):
        spectrum.from_curves(curves)


# Tables of text


@pytest.mark.parametrize(
    "text",
    [
        "frequency (Hz),psd (V^2/Hz)\n1,2\n3,4.5\n",
        "# made by hand\nfrequency [Hz]; psd [V^2/Hz]\n1,0;2\n3;4,5\n",
        "# frequency (Hz)\tpsd (V^2/Hz)\n1\t2\n3\t4.5\n",
        "Title of it\n\nfrequency (Hz)  psd (V^2/Hz)\n1 2\n3 4.5\n",
    ],
)
def test_tables(tmp_path, text: str) -> None:
    path = tmp_path / "spectrum.csv"
    path.write_text(text, encoding="utf-8")
    found = read_table(path)
    assert [(c.name, c.unit) for c in found.columns] == [("frequency", "Hz"), ("psd", "V^2/Hz")]
    assert found.si("Hz", "frequency").tolist() == [1.0, 3.0]
    assert found.column("psd").values.tolist() == [2.0, 4.5]


def test_tables_that_are_none(tmp_path) -> None:
    path = tmp_path / "notes.txt"
    for text in ("", "Electrolyte: none left.\n", "1,2\n3,4\n"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(CorruptFile):
            read_table(path)
    path.write_text("frequency,psd\n1,2\n2,x\n3,nan\n", encoding="utf-8")
    found = read_table(path)
    assert np.isnan(found.column("psd").values[1:]).all()
    with pytest.raises(InvalidInput, match="no unit"):
        found.si("Hz", "frequency")
    with pytest.raises(InvalidInput, match="no column"):
        found.column("amplitude")
    for missing in (tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(MissingFile):
            read_table(missing)
    path.write_bytes(b"\xb5 frequency (Hz),psd (\xb5V^2/Hz)\n1,2\n")
    assert read_table(path).column("psd").unit == "µV^2/Hz"


# Commands


def run(*words: str):
    return CliRunner().invoke(main, ["calibrate", *words])


def test_thermal_command(tmp_path) -> None:
    found = table(np.random.default_rng(11), 20e3, 3.0, 100.0, 100.0, 150e3)
    path = tmp_path / "thermal.csv"
    rows = np.stack([found.frequency / 1e3, found.density * 1e12], axis=1)
    np.savetxt(path, rows, delimiter=",", header="frequency (kHz),psd (uV^2/Hz)")
    known = ["--set", "temperature=298K", "--set", "deflection_sensitivity=30nm/V"]
    result = run("thermal", str(path), *known, "--json")
    assert result.exit_code == 0, result.output
    k, resonance, quality = json.loads(result.output)
    assert k["value"] == pytest.approx(STIFFNESS, abs=3 * k["stderr"])
    assert (k["key"], resonance["key"]) == ("spring_constant", "cantilever_resonance")
    assert quality["value"] == pytest.approx(3.0, rel=0.05)
    assert "temperature" in run("thermal", str(path)).output
    assert run("thermal", str(path), "--set", "temperature=298").exit_code == 2
    for words, window in (
        (("--from", "5kHz", "--to", "60kHz"), "fitted from 5100 to 5.97e+04 Hz, 183 points"),
        (("--to", "60kHz"), "fitted from 150 to 5.995e+04 Hz, 300 points"),
        (("--from", "5kHz"), "fitted from 5100 to 1.497e+05 Hz, 483 points"),
    ):
        banded = json.loads(run("thermal", str(path), *known, *words, "--json").output)[0]
        assert banded["value"] == pytest.approx(STIFFNESS, abs=4 * banded["stderr"])
        assert window in banded["notes"], banded["notes"]


def test_thermal_trace_of_text(tmp_path) -> None:
    signal = trace(np.random.default_rng(12), 2**14, 100e3, 8e3, 3.0)
    path = tmp_path / "trace.txt"
    rows = np.stack([np.arange(len(signal)) / 100.0, signal * 1e3], axis=1)
    np.savetxt(path, rows, fmt="%.6g", header="time (ms)\tdeflection (mV)", delimiter="\t")
    result = run(
        "thermal",
        str(path),
        "--set",
        "temperature=298K",
        "--set",
        "deflection_sensitivity=30nm/V",
        "--json",
    )
    assert result.exit_code == 0, result.output
    k = json.loads(result.output)[0]
    assert k["value"] == pytest.approx(STIFFNESS, abs=4 * k["stderr"])


def test_sader_command(tmp_path) -> None:
    known = [
        "--set",
        "cantilever_length=397um",
        "--set",
        "cantilever_width=29um",
        "--set",
        "cantilever_resonance=17.36kHz",
        "--set",
        "cantilever_quality_factor=55.5",
    ]
    result = run(
        "sader",
        *known,
        "--fluid",
        "air",
        "--set",
        "temperature=25°C",
        "--error",
        "cantilever_width=0.5um",
        "--json",
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)[0]
    assert found["value"] == pytest.approx(0.1573, rel=0.02)
    assert 0.008 < found["stderr"] / found["value"] < 0.02
    tip = run(
        "sader",
        *known,
        "--fluid",
        "air",
        "--set",
        "temperature=25°C",
        "--at",
        "tip",
        "--set",
        "tip_setback=10um",
        "--json",
    )
    higher = json.loads(tip.output)[0]["value"]
    assert higher / found["value"] == pytest.approx((397 / 387) ** 3)
    missing = run("sader", *known)
    assert missing.exit_code == 1
    assert "fluid_density" in missing.output
    assert "fluid_viscosity" in missing.output
    wrong = run(
        "sader", *known, "--fluid", "air", "--set", "temperature=25°C", "--error", "tip_height=1um"
    )
    assert wrong.exit_code == 2
