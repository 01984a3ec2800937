"""Lateral stiffness and sensitivity: closed forms, silicon, loops, wedge, locked tip, coverage."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from intervals import REPETITIONS, assert_covered
from made_loops import SHAPE

from nrm_plugin import CurveSet, Image, cli
from nrm_plugin import simulate as sim
from nrm_plugin.calibration import (
    CalibrationFailed,
    friction,
    lateral,
    lateral_sensitivity,
    silicon,
    wedge,
)
from nrm_plugin.errors import InvalidInput, MissingCalibration

BEAM = {
    "spring_constant": 0.2,
    "cantilever_length": 225e-6,
    "cantilever_width": 28e-6,
    "cantilever_thickness": 1e-6,
    "cantilever_orientation": "110",
    "tip_height": 12e-6,
}
K_LAT = 26.0
INSTRUMENT = sim.Instrument(lateral_stiffness=K_LAT, lock_in=sim.LockIn(phase=0.7))
HARD = sim.Sample(sim.Interphase(), sim.Electrode(lateral_stiffness=200.0))
RAMP = sim.Ramp(samples=250, retract=False)
SLIDING = sim.Electrode(friction=0.4, lateral_stiffness=50.0)
SCAN = sim.Scan(length=20e-9, samples=64, lines=16, load=100e-9)


def hard(instrument=INSTRUMENT, sample=HARD, n=6, seed=1, ramp=RAMP, **metadata) -> CurveSet:
    """Curves in V on a hard sample."""
    curves, _ = sim.simulate(sample, instrument, ramp, n_curves=n, volts=True, seed=seed)
    return curves.with_metadata(metadata, "test")


# Geometry


@pytest.mark.parametrize("nu", [0.0, 0.062, 0.25, 0.27, 0.5])
def test_isotropic_torsion_is_two_thirds_over_one_plus_nu(nu):
    k_t = lateral.torsional_stiffness(0.3, 200e-6, silicon.isotropic(nu).ratio)
    assert k_t == pytest.approx(2 / 3 / (1 + nu) * 0.3 * 200e-6**2, rel=1e-12)


def test_torsion_agrees_with_bending_and_torsion_of_a_plate():
    young, shear, w, t, length = 169e9, 51e9, 30e-6, 0.8e-6, 240e-6
    k_c = young * w * t**3 / (4 * length**3)
    assert lateral.torsional_stiffness(k_c, length, shear / young) == pytest.approx(
        shear * w * t**3 / (3 * length), rel=1e-12
    )


@pytest.mark.parametrize(
    ("orientation", "factor", "young"), [("110", 0.4013, 169.1e9), ("100", 0.816, 130.1e9)]
)
def test_silicon_from_its_elastic_constants(orientation, factor, young):
    found = silicon.silicon(orientation)
    assert 4 / 3 * found.ratio == pytest.approx(factor, abs=5e-4)
    assert found.young == pytest.approx(young, rel=1e-3)


def test_silicon_against_the_closed_form_for_cubic_crystals():
    c11, c12, c44 = silicon.C11, silicon.C12, silicon.C44
    found = silicon.silicon("110")
    assert found.shear == pytest.approx((c11 - c12) / 2, rel=1e-9)
    assert found.shear_normal == pytest.approx(c44, rel=1e-9)
    bulk = (c11 - c12) * (c11 + 2 * c12)
    assert found.young == pytest.approx(4 * bulk * c44 / (2 * c11 * c44 + bulk), rel=1e-9)
    # E / 2 (1 + nu) is not a cubic crystal's shear modulus: 31 or 56 % too high in k_t.
    assert 2 / 3 / 1.27 / (4 / 3 * found.ratio) == pytest.approx(1.31, abs=0.01)
    assert 2 / 3 / 1.062 / (4 / 3 * found.ratio) == pytest.approx(1.56, abs=0.01)
    same = silicon.silicon("110", 3e11, 1e11, 1e11)  # isotropic: 2 c44 = c11 - c12
    assert same.ratio == pytest.approx(silicon.isotropic(0.25).ratio, rel=1e-9)
    with pytest.raises(InvalidInput):
        silicon.silicon("111")


@pytest.mark.parametrize(("ratio", "factor"), [(5, 0.874), (10, 0.937), (20, 0.969)])
def test_finite_width(ratio, factor):
    assert lateral.width_factor(ratio * 1e-6, 1e-6) == pytest.approx(factor, abs=6e-4)
    assert lateral.width_factor(ratio, 1.0) == pytest.approx(1 - 0.63 / ratio, abs=1e-3)


def test_finite_width_of_a_square_and_of_an_anisotropic_beam():
    assert lateral.width_factor(1.0, 1.0) == pytest.approx(0.1406 * 3, rel=1e-3)  # Saint-Venant
    assert lateral.width_factor(np.array([4.0, 8.0]), 1.0, 4.0) == pytest.approx(
        [lateral.width_factor(8.0, 1.0), lateral.width_factor(16.0, 1.0)]
    )
    # Torsion of an anisotropic beam on a grid: G_y psi_zz + G_z psi_yy scaled to one equation.
    n, ratio, anisotropy = 121, 3.0, 79.6 / 50.9
    y, z = np.linspace(-ratio / 2, ratio / 2, n), np.linspace(-0.5, 0.5, n)
    dy, dz = y[1] - y[0], z[1] - z[0]
    from scipy.sparse import diags, eye, kron
    from scipy.sparse.linalg import spsolve

    second = diags([1.0, -2.0, 1.0], [-1, 0, 1], (n - 2, n - 2))
    one = eye(n - 2)
    operator = kron(second / dy**2 / anisotropy, one) + kron(one, second / dz**2)
    psi = spsolve(operator.tocsc(), -2.0 * np.ones((n - 2) ** 2))
    wanted = 2.0 * psi.sum() * dy * dz / (ratio / 3.0)
    assert lateral.width_factor(ratio, 1.0, anisotropy) == pytest.approx(wanted, rel=2e-3)


def test_stiffness_of_a_beam_by_hand():
    found = lateral.stiffness_from_geometry(BEAM, draws=0)
    aniso = np.sqrt(79.6 / 50.9)
    by_hand = 0.40134 * 0.2 * 225e-6**2 * (1 - 0.6302 / 28 / aniso) / 12.5e-6**2
    assert found.value == pytest.approx(by_hand, rel=1e-4)
    assert found.key == "lateral_stiffness"
    assert np.isnan(found.stderr)
    assert not found.has_error
    assert "no error was given for spring_constant" in " ".join(found.notes)


def test_setback():
    """k_c (L/(L-d))^3 and k_t L/(L-d) at the tip, from those of the end."""
    k_end, length, back, ratio = 0.2, 225e-6, 20e-6, 0.301
    at_end = lateral.torsional_stiffness(k_end, length, ratio)
    nearer = length / (length - back)
    from_end = lateral.torsional_stiffness(k_end, length, ratio, setback=back, spring_at="end")
    assert from_end == pytest.approx(at_end * nearer, rel=1e-12)
    from_tip = lateral.torsional_stiffness(k_end * nearer**3, length, ratio, setback=back)
    assert from_tip == pytest.approx(from_end, rel=1e-12)
    with pytest.raises(InvalidInput, match="tip or at the end"):
        lateral.torsional_stiffness(k_end, length, ratio, spring_at="base")


@pytest.mark.parametrize(("spring_at", "factor"), [("tip", (205 / 225) ** 2), ("end", 225 / 205)])
def test_stiffness_at_a_tip_that_stands_back(spring_at, factor):
    back = BEAM | {"tip_setback": 20e-6}
    found = lateral.stiffness_from_geometry(back, spring_at=spring_at, draws=0)
    whole = lateral.stiffness_from_geometry(BEAM, spring_at=spring_at, draws=0)
    assert found.value / whole.value == pytest.approx(factor, rel=1e-12)
    told = f"the spring constant is taken to hold at the {spring_at}"
    assert (told in found.notes, told in whole.notes) == (True, False)


def test_all_missing_dimensions_are_named():
    with pytest.raises(MissingCalibration) as caught:
        lateral.stiffness_from_geometry({"spring_constant": 0.2, "tip_height": 12e-6})
    assert set(caught.value.keys) == set(BEAM) - {"spring_constant", "tip_height"}


def test_dimensions_that_make_no_beam():
    with pytest.raises(InvalidInput, match="longer than wide"):
        lateral.stiffness_from_geometry(BEAM | {"cantilever_thickness": 1e-3})
    with pytest.raises(InvalidInput, match="Poisson ratio of its material"):
        lateral.stiffness_from_geometry(BEAM | {"cantilever_orientation": "isotropic"})
    with pytest.raises(InvalidInput, match="standard error of tip_radius"):
        lateral.stiffness_from_geometry(BEAM, errors={"tip_radius": 1e-9})
    with pytest.raises(CalibrationFailed, match="errors add up"):
        lateral.stiffness_from_geometry(BEAM, errors={"tip_height": 6e-6})
    other = lateral.stiffness_from_geometry(
        BEAM | {"cantilever_orientation": "isotropic"}, poisson_ratio=0.25
    )
    assert "0.4000" in other.method


def test_errors_agree_with_monte_carlo():
    errors = {"spring_constant": 0.02, "cantilever_length": 4e-6, "tip_height": 0.4e-6}
    found = lateral.stiffness_from_geometry(BEAM, errors=errors, shear_error=0.03)
    parts = np.array([0.1, 2 * 4 / 225, 2 * 0.4 / 12.5, 0.03])
    assert found.stderr / found.value == pytest.approx(np.sqrt((parts**2).sum()), rel=1e-3)
    low, high = (float(word) for word in found.notes[-1].split("from ")[1].split()[::2][:2])
    assert (high - low) / (2 * 1.96) == pytest.approx(found.stderr, rel=0.03)
    assert "more skewed" not in found.notes[-1]
    skewed = lateral.stiffness_from_geometry(BEAM, errors={"tip_height": 2.5e-6})
    assert "more skewed" in skewed.notes[-1]


def test_coverage_of_the_geometry():
    """Levers differ from their data sheet by the errors that are stated."""
    errors = {
        "spring_constant": 0.01,
        "cantilever_length": 3e-6,
        "cantilever_width": 1e-6,
        "cantilever_thickness": 0.05e-6,
        "tip_height": 0.3e-6,
    }
    rng = np.random.default_rng(3)
    truth = lateral.stiffness_from_geometry(BEAM, draws=0).value
    z = []
    for _ in range(REPETITIONS):
        measured = dict(BEAM)
        for key, error in errors.items():
            measured[key] = BEAM[key] + error * rng.standard_normal()
        found = lateral.stiffness_from_geometry(measured, errors=errors, draws=0)
        z.append((found.value - truth) / found.stderr)
    assert_covered(z)


# Locked tip


@pytest.mark.parametrize(
    ("contact", "part"), [(20.0, 0.43), (50.0, 0.66), (100.0, 0.79), (300.0, 0.92)]
)
def test_contact_compliance_makes_dv_dx_too_low(contact, part):
    """S_x / S_true for k_lat = 26 N/m; the sensitivity in m/V is S_x's inverse times that."""
    slope = part / 3e-7
    shape = replace(SHAPE, slope=slope)
    found = lateral_sensitivity.from_loops(shape, 26.0, contact)
    assert found.value == pytest.approx(3e-7, rel=0.015)
    assert found.value == pytest.approx(contact / (contact + 26.0) / slope, rel=1e-12)


def test_soft_levers_and_contacts_are_corrected_too():
    """0.5 and 1 N/m: 1 V per um is 1 / 1.5 um per V."""
    shape = replace(SHAPE, slope=1e6)
    found = lateral_sensitivity.from_loops(shape, 0.5, 1.0)
    assert found.value == pytest.approx(1e-6 / 1.5)


def test_mindlin_contact_of_silicon_on_silicon():
    """k = 8 a G*: 10 nm tip, 10 nN: a = 1.0 nm, and the ratio to the normal stiffness 2 a E*."""
    k = lateral_sensitivity.mindlin_stiffness(10e-9, 10e-9, (169e9, 169e9), (0.2, 0.2))
    reduced = 169e9 / 2 / (1 - 0.04)
    radius = (0.75 * 10e-9 * 10e-9 / reduced) ** (1 / 3)
    assert k / (2 * radius * reduced) == pytest.approx(2 * 0.8 / 1.8, rel=1e-9)
    assert 100 < k < 200


def test_static_and_lock_in_sensitivity_are_told_apart():
    static = lateral_sensitivity.given(150e-9, 3e-9, "static")
    with pytest.raises(MissingCalibration, match="lateral_output_gain"):
        static.estimate(None)
    found = static.estimate(2.0)  # 1 V at the lock-in is 2 V in the friction channel
    assert (found.value, found.stderr) == pytest.approx((300e-9, 6e-9))
    assert "friction channel (static)" in found.notes[-1]
    of_lock_in = lateral_sensitivity.given(150e-9, 3e-9, "lock-in").estimate(2.0)
    assert of_lock_in.value == 150e-9
    assert "lock-in's input" in of_lock_in.notes[-1]
    with pytest.raises(InvalidInput):
        lateral_sensitivity.given(-1.0, 0.0, "static")


@pytest.mark.parametrize("convention", ["rms", "peak"])
@pytest.mark.parametrize("settings", [{}, {"sensitivity": 5e-3, "expand_x": 1.0}])
def test_sensitivity_from_hard_contact(convention, settings):
    """The same for a lock-in that gives rms or peak, at its input or at its outputs."""
    lock_in = sim.LockIn(phase=0.7, convention=convention, **settings)
    curves = hard(replace(INSTRUMENT, lock_in=lock_in))
    found = lateral_sensitivity.from_hard_contact(curves).estimate(None)
    assert found.value == pytest.approx(300e-9, rel=2e-3)
    assert abs(found.value - 300e-9) < 4 * found.stderr


def test_sensitivity_with_a_given_contact_stiffness():
    k_con = 200.0 * np.cbrt(5.5)
    curves = hard(ramp=replace(RAMP, trigger=35e-9))
    found = lateral_sensitivity.from_hard_contact(
        curves, contact_stiffness=k_con, contact_stiffness_stderr=100
    )
    assert found.value == pytest.approx(300e-9, rel=0.005)
    assert 0.01 < found.stderr / found.value < 0.03
    for much_softer in (10.0, 0.9):
        with pytest.raises(CalibrationFailed, match="too stiff"):
            lateral_sensitivity.from_hard_contact(curves, contact_stiffness=much_softer)


def test_sensitivity_needs_everything_at_once():
    lock_in = sim.LockIn(sensitivity=5e-3)
    curves = hard(replace(INSTRUMENT, lock_in=lock_in))
    gone = ("dither_amplitude", "lockin_convention", "lockin_expand_x", "lockin_sensitivity")
    bare = replace(curves, metadata={k: v for k, v in curves.metadata.items() if k not in gone})
    with pytest.raises(MissingCalibration) as caught:
        lateral_sensitivity.from_hard_contact(bare)
    assert set(caught.value.keys) == set(gone)


def test_newtons_need_no_sensitivity():
    curves, _ = sim.simulate(HARD, INSTRUMENT, RAMP, n_curves=4)
    with pytest.raises(InvalidInput, match="in N"):
        lateral_sensitivity.from_hard_contact(curves)


# Friction loops


def loops(scan=SCAN, electrode=SLIDING, **options) -> tuple[CurveSet, sim.LoopTruth]:
    options = {"noise": 1e-4, "output_gain": 2.0, "detector_offset": 0.3} | options
    return sim.friction_loops(electrode, INSTRUMENT, scan, **options)


def test_loop_from_images():
    curves, truth = loops()
    shape = friction.shape_of(friction.loops_from_images(curves.images))
    assert shape.half_width == pytest.approx(truth.half_width, rel=1e-3)
    assert shape.offset == pytest.approx(truth.offset, rel=1e-3)
    assert shape.stick_length == pytest.approx(truth.stick_length, rel=0.01)
    found = lateral_sensitivity.from_loops(shape, K_LAT, truth.contact_stiffness)
    assert found.of == "static"
    assert found.value == pytest.approx(truth.static_sensitivity, rel=5e-3)
    assert found.estimate(2.0).value == pytest.approx(300e-9, rel=5e-3)


def test_loop_from_curves_and_with_the_detector_turned_over():
    curves, _ = loops()
    trace, retrace = (image.data for image in curves.images)
    lines = -np.hstack([trace, retrace[:, ::-1]])
    x = np.arange(64) * SCAN.length / 64
    place = np.tile(np.r_[x, x[::-1]], (len(lines), 1))
    there = CurveSet.from_arrays({"lateral": (lines, "V"), "stage": (place, "m")})
    shape = friction.shape_of(friction.loops_from_curves(there, "stage"))
    same = friction.shape_of(friction.loops_from_images(curves.images))
    assert shape.slope == pytest.approx(same.slope, rel=1e-9)
    assert shape.offset == pytest.approx(-same.offset, rel=1e-9)
    with pytest.raises(InvalidInput, match="a position is a length"):
        friction.loops_from_curves(there, "lateral")
    one_way = CurveSet.from_arrays({"lateral": (lines, "V"), "stage": (np.sort(place), "m")})
    with pytest.raises(InvalidInput, match="there and back"):
        friction.loops_from_curves(one_way, "stage")


def test_coverage_of_friction_loops():
    z = []
    for seed in range(REPETITIONS):
        curves, truth = loops(replace(SCAN, lines=10), seed=seed)
        shape = friction.shape_of(friction.loops_from_images(curves.images))
        found = lateral_sensitivity.from_loops(shape, K_LAT, truth.contact_stiffness)
        z.append(
            (
                (found.value - truth.static_sensitivity) / found.stderr,
                (shape.half_width - truth.half_width) / shape.half_width_stderr,
                (shape.offset - truth.offset) / shape.offset_stderr,
            )
        )
    assert_covered(z)


def test_errors_of_the_contact_are_propagated():
    curves, truth = loops()
    shape = friction.shape_of(friction.loops_from_images(curves.images))
    k = truth.contact_stiffness
    found = lateral_sensitivity.from_loops(shape, K_LAT, k, contact_stiffness_stderr=0.2 * k)
    assert found.stderr / found.value == pytest.approx(0.2 * K_LAT / (K_LAT + k), rel=0.02)


@pytest.mark.parametrize("limit", [None, 0.305])
def test_a_saturated_loop_is_refused(limit):
    curves, _ = loops(limit=0.305)
    with pytest.raises(CalibrationFailed, match="saturated"):
        friction.shape_of(friction.loops_from_images(curves.images), limit)


def test_a_loop_within_a_known_limit_is_not_saturated():
    found = friction.loops_from_images(loops()[0].images)
    assert friction.shape_of(found, 10.0) == friction.shape_of(found)
    assert np.abs(found.trace).max() < 10.0


def test_loops_of_few_bits_are_not_taken_for_saturated():
    curves, truth = loops(noise=2e-4)
    step = 3e-4
    images = [
        Image(i.name, np.round(i.data / step) * step, i.unit, i.size, i.direction)
        for i in curves.images
    ]
    shape = friction.shape_of(friction.loops_from_images(images))
    assert shape.half_width == pytest.approx(truth.half_width, rel=0.01)


def test_loops_that_show_nothing():
    def shape(trace, retrace, unit="V"):
        pair = [
            Image("Friction", trace, unit, (1e-6, 1e-6), "trace"),
            Image("Friction", retrace, unit, (1e-6, 1e-6), "retrace"),
        ]
        return friction.shape_of(friction.loops_from_images(pair))

    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, 16, 64))
    with pytest.raises(CalibrationFailed, match="do not differ"):
        shape(noise[0], noise[1])
    line = np.linspace(-1.0, 1.0, 64)
    with pytest.raises(CalibrationFailed, match=r"sticks along the whole line|do not differ"):
        shape(line + 1e-3 * noise[0], line + 1e-3 * noise[1])
    with pytest.raises(InvalidInput, match="no unit"):
        shape(noise[0], noise[1], "")
    with pytest.raises(CalibrationFailed, match="gaps"):
        shape(np.where(noise[0] > 2, np.nan, noise[0]), noise[1])
    with pytest.raises(InvalidInput, match="no trace and retrace of 'Friction'"):
        friction.loops_from_images([Image("Height", noise[0], "m", (1e-6, 1e-6), "trace")])
    curves, truth = loops(replace(SCAN, length=200e-9))
    wide = friction.shape_of(friction.loops_from_images(curves.images))
    assert wide.half_width == pytest.approx(truth.half_width, rel=0.01)
    with pytest.raises(CalibrationFailed, match="fewer than 4"):
        lateral_sensitivity.from_loops(wide, K_LAT, 100.0)


@pytest.mark.real
def test_the_real_loop_is_too_coarse_for_its_stick_part(real_files):
    """2 um in 32 samples: 16 mV of friction, and a stick part of one and a half samples."""
    import nrm_plugin as nrm

    curves = nrm.open(real_files / "bruker" / "si.0_00144.spm")
    shape = friction.shape_of(friction.loops_from_images(curves.images))
    trace, retrace = (i.data[:, 8:24].mean() for i in curves.images if i.name == "Friction")
    assert shape.half_width == pytest.approx((trace - retrace) / 2, rel=0.05)
    assert 0.0155 < shape.half_width < 0.017
    with pytest.raises(CalibrationFailed, match=r"1\.\d samples long"):
        lateral_sensitivity.from_loops(shape, 30.0, 100.0)


# Wedge


def facets(slopes=(0.955, 0.0), friction_=0.35, noise=3e-5, n=12, seed=0, **options):
    seen, truth = sim.wedge_loops(
        replace(SLIDING, friction=friction_),
        INSTRUMENT,
        replace(SCAN, adhesion=5e-9),
        slopes=slopes,
        loads=np.linspace(10e-9, 60e-9, n),
        noise=noise,
        seed=seed,
        **options,
    )
    return [wedge.Facet(a, *np.array(rows).T) for a, rows in seen.items()], truth


@pytest.mark.parametrize("slopes", [(0.955, 0.0), (0.955, -0.955), (0.2, -0.3)])
@pytest.mark.parametrize("mu", [0.05, 0.35, 0.6])
def test_wedge_is_exact_without_noise(slopes, mu):
    found = wedge.wedge(facets(slopes, mu, noise=0.0, crosstalk=2e5)[0])
    truth = facets(slopes, mu, noise=0.0)[1]
    assert found.force_per_volt == pytest.approx(truth.force_per_volt, rel=1e-5)
    assert found.friction == pytest.approx(mu, rel=1e-5)
    sensitivity = found.sensitivity(K_LAT)
    assert sensitivity.of == "static"
    assert sensitivity.estimate(1.0).value == pytest.approx(300e-9, rel=1e-5)


def test_coverage_of_the_wedge():
    z = []
    for seed in range(REPETITIONS):
        made, truth = facets(seed=seed, crosstalk=1e5)
        found = wedge.wedge(made)
        z.append(
            (
                (found.force_per_volt - truth.force_per_volt) / found.force_per_volt_stderr,
                (found.friction - 0.35) / found.friction_stderr,
            )
        )
    assert_covered(z)


def test_wedge_refuses_what_contradicts_itself():
    made, _ = facets()
    with pytest.raises(InvalidInput, match="two different slopes"):
        wedge.wedge([made[0], made[0]])
    with pytest.raises(InvalidInput, match="three or more"):
        wedge.wedge([made[0], replace(made[1], load=0 * made[1].load)])
    with pytest.raises(CalibrationFailed, match="does not grow"):
        wedge.wedge([made[0], replace(made[1], half_width=0 * made[1].half_width + 0.01)])
    with pytest.raises(CalibrationFailed, match="contradict"):
        wedge.wedge([made[0], replace(made[1], half_width=3 * made[1].half_width)])


# Locked tip by the lock-in: coverage, with the other routes that hard contact has, is in
# test_calibration_dither.py.


# Command line


def run(*words: str):
    return CliRunner().invoke(cli.main, ["calibrate", "lateral", *words], prog_name="nrm")


SET = [
    "--set=spring_constant=0.2 N/m",
    "--set=cantilever_length=225um",
    "--set=cantilever_width=28um",
    "--set=cantilever_thickness=1um",
    "--set=cantilever_orientation=110",
    "--set=tip_height=12um",
]


def test_command_geometry():
    result = run(*SET, "--error", "tip_height=1um", "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.output)
    assert found["key"] == "lateral_stiffness"
    assert found["stderr"] / found["value"] == pytest.approx(0.16, rel=0.01)
    assert run(*SET).output.startswith("lateral_stiffness = 25.5")


def test_command_refuses_numbers_without_unit():
    for words in (
        ["--set", "spring_constant=0.2"],
        ["--method", "given", "--of", "static", "--value", "300"],
        [*SET, "--error", "tip_height=1"],
    ):
        result = run(*words)
        assert result.exit_code == 2
        assert "has no unit" in result.output
    assert run("--set", "spring_constnt=1N/m").exit_code == 2
    assert "Did you mean spring_constant" in run("--set", "spring_constnt=1N/m").output


def test_command_given_and_loop(tmp_path):
    result = run("--method=given", "--value", "150 nm/V", "--of=static")
    assert result.exit_code == 1
    assert "lateral_output_gain" in result.output
    curves, truth = loops()
    curves.save(tmp_path / "loop.h5")
    words = ["--method=loop", str(tmp_path / "loop.h5"), "--json"]
    assert run(*words).exit_code == 2
    result = run(*words, "--contact-stiffness", f"{truth.contact_stiffness} N/m")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)[0]["value"] == pytest.approx(300e-9, rel=5e-3)


def test_command_wedge(tmp_path):
    made, _ = facets()
    lines = ["slope (deg), load (nN), half_width (mV), offset [mV]"]
    for facet in made:
        for load, width, offset in zip(facet.load, facet.half_width, facet.offset, strict=True):
            lines.append(f"{np.degrees(facet.slope)}, {load * 1e9}, {width * 1e3}, {offset * 1e3}")
    table = tmp_path / "wedge.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    known = ["--set=lateral_stiffness=26N/m", "--set=lateral_output_gain=1", "--json"]
    result = run("--method=wedge", "--table", str(table), *known)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)[0]["value"] == pytest.approx(300e-9, rel=0.05)
    table.write_text("slope, load\n1, 2", encoding="utf-8")
    assert "has no unit" in run("--method=wedge", "--table", str(table), *known).output
    table.write_text("load (nN), slope (deg)\n1, 2", encoding="utf-8")
    assert "half_width" in run("--method=wedge", "--table", str(table), *known).output


def test_command_lock_in(tmp_path):
    hard().save(tmp_path / "hard.h5")
    result = run("--method=lock-in", str(tmp_path / "hard.h5"), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)[0]["value"] == pytest.approx(300e-9, rel=2e-3)
