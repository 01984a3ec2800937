"""Dither and phase: drive, hard contact, elastomer; what must not pass the stick test."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from intervals import REPETITIONS, assert_covered

from nrm_plugin import CurveSet, cli
from nrm_plugin import simulate as sim
from nrm_plugin.calibration import (
    CalibrationFailed,
    dither,
    lateral_contacts,
    lateral_sensitivity,
    lockin,
    phase,
    pooling,
    stick,
)
from nrm_plugin.errors import InvalidInput, MissingCalibration

PHASE = 0.7
INSTRUMENT = sim.Instrument(lateral_stiffness=26.0, lock_in=sim.LockIn(phase=PHASE))
RAMP = sim.Ramp(samples=250, retract=False)
SEI = sim.Interphase((sim.Layer(8e-9, 10e6 + 3e6j), sim.Layer(12e-9, 2e6 + 1e6j)), force=3e-9)
DRIVE = {
    "dither_drive": 0.1,
    "dither_drive_convention": "rms",
    "dither_sensitivity": 8e-9,
    "dither_response": 1.25,
}


NOTHING = sim.Interphase()


def hard(
    interphase=NOTHING, ramp=RAMP, instrument=INSTRUMENT, n=6, seed=1, volts=True, **wall
) -> CurveSet:
    """Approaches onto an electrode with a solid contact of 200 N/m at 1 nN."""
    sample = sim.Sample(interphase, sim.Electrode(**{"lateral_stiffness": 200.0, **wall}))
    return sim.simulate(sample, instrument, ramp, n_curves=n, volts=volts, seed=seed)[0]


def lockin_of(**settings) -> sim.Instrument:
    return replace(INSTRUMENT, lock_in=sim.LockIn(phase=PHASE, **settings))


def without(curves: CurveSet, *keys: str) -> CurveSet:
    return replace(curves, metadata={k: v for k, v in curves.metadata.items() if k not in keys})


# Drive


def test_rms_drive_becomes_a_peak():
    """0.1 V rms, 8 nm/V, response 1.25: 1.414 nm peak; a forgotten root of two is 41 % of E*."""
    curves = CurveSet.from_arrays({}, metadata=DRIVE)
    found = dither.from_drive(curves)
    assert found.value == pytest.approx(np.sqrt(2) * 1e-9, rel=1e-12)
    assert "0.1414 V peak" in found.notes[0]
    peak = dither.from_drive(curves.with_metadata({"dither_drive_convention": "peak"}, "test"))
    assert peak.value == pytest.approx(1e-9, rel=1e-12)


def test_the_drive_names_all_that_is_missing():
    with pytest.raises(MissingCalibration) as caught:
        dither.from_drive(CurveSet.from_arrays({}, metadata={"dither_drive": 0.1}))
    assert set(caught.value.keys) == set(DRIVE) - {"dither_drive"}


def test_coverage_of_the_drive():
    rng = np.random.default_rng(0)
    z = []
    for _ in range(REPETITIONS):
        a, b = rng.standard_normal(2)
        seen = DRIVE | {"dither_sensitivity": 8e-9 + 4e-10 * a, "dither_response": 1.25 + 0.05 * b}
        found = dither.from_drive(
            CurveSet.from_arrays({}, metadata=seen),
            sensitivity_stderr=4e-10,
            response_stderr=0.05,
        )
        z.append((found.value - np.sqrt(2) * 1e-9) / found.stderr)
    assert_covered(z)


# Hard contact


@pytest.mark.parametrize("convention", ["rms", "peak"])
@pytest.mark.parametrize("volts", [True, False])
def test_amplitude_and_phase_from_hard_contact(convention, volts):
    curves = hard(instrument=lockin_of(convention=convention), volts=volts)
    amplitude = dither.from_hard_contact(without(curves, "dither_amplitude"))
    assert amplitude.value == pytest.approx(1e-9, rel=2e-3)
    assert f"lock-in values taken as {convention}" in amplitude.notes
    angle = phase.from_hard_contact(without(curves, "lockin_phase"))
    assert angle.value == pytest.approx(PHASE, abs=2e-4)
    wrong = "peak" if convention == "rms" else "rms"
    other = dither.from_hard_contact(curves.with_metadata({"lockin_convention": wrong}, "test"))
    ratio = np.sqrt(2) if wrong == "rms" else 1 / np.sqrt(2)
    assert other.value / amplitude.value == pytest.approx(ratio, rel=1e-12)


def test_amplitude_from_the_outputs_of_the_lock_in():
    """Volts at the output are not volts at the input: here they differ by 200 and 2000."""
    curves = hard(instrument=lockin_of(sensitivity=5e-2, expand_y=10.0, offset_y=0.02))
    assert "lateral_in_phase" not in curves.channels
    assert dither.from_hard_contact(curves).value == pytest.approx(1e-9, rel=2e-3)
    with pytest.raises(MissingCalibration) as caught:
        dither.from_hard_contact(
            without(curves, "lockin_expand_y", "lockin_sensitivity", "lockin_convention")
        )
    assert set(caught.value.keys) == {"lockin_expand_y", "lockin_sensitivity", "lockin_convention"}
    mistaken = curves.with_names(
        {f"lockin_output_{axis}": name for axis, name in lockin.PARTS.items()}
    )
    with pytest.raises(InvalidInput, match="volts at its output"):
        dither.from_hard_contact(mistaken)


def test_the_phase_is_that_which_makes_the_wall_real():
    curves = hard(instrument=lockin_of())
    found = phase.from_hard_contact(curves)
    turned = lockin.rotated(curves.with_metadata({"lockin_phase": found.value}, "calibrated"))
    wall = lateral_contacts.walls(turned)[0].signal
    assert np.angle(wall.mean()) == pytest.approx(0.0, abs=2e-3)
    assert wall.real.mean() > 0
    # An upside-down detector adds half a turn.
    sign = {n: replace(curves.channels[n], gain=-1.0) for n in lockin.PARTS.values()}
    over = phase.from_hard_contact(replace(curves, channels={**curves.channels, **sign}))
    assert over.value == pytest.approx(PHASE - np.pi, abs=2e-3)


def test_crosstalk_far_from_the_surface_is_subtracted():
    curves = hard()
    shifted = {n: replace(curves.channels[n], offset=3e-4) for n in lockin.PARTS.values()}
    found = phase.from_hard_contact(replace(curves, channels={**curves.channels, **shifted}))
    assert found.value == pytest.approx(PHASE, abs=2e-4)


@pytest.mark.slow
def test_coverage_of_what_hard_contact_gives(monkeypatch):
    """Amplitude, phase and sensitivity against the truth, by the errors of the statistics alone."""
    z = []
    for seed in range(REPETITIONS):
        curves = hard(ramp=replace(RAMP, samples=200), n=6, seed=seed)
        found = stick.plateau(curves, alternative="")
        for module in (dither, phase, lateral_sensitivity):
            monkeypatch.setattr(module, "plateau", lambda *_, found=found, **__: found)
        routes = (
            (dither.from_hard_contact(curves), 1e-9),
            (phase.from_hard_contact(curves), PHASE),
            (lateral_sensitivity.from_hard_contact(curves).estimate(None), 300e-9),
        )
        z.append([(e.value - truth) / e.stderr for e, truth in routes])
    assert_covered(z)


def test_errors_of_what_is_given_are_added():
    curves = hard().with_metadata({"lateral_sensitivity_stderr": 9e-9}, "test")
    found = dither.from_hard_contact(curves)
    assert found.stderr / found.value == pytest.approx(0.03, rel=0.01)


# The stick test


def test_jenkins_element_of_the_simulator():
    """Half of the force it takes to stick: known fractions of k in phase and out of phase."""
    k, amplitude = 20.0, 1e-9
    for part in (0.0, 0.3, 0.5, 1.0, 2.0):
        z = sim.equilibrium.slipping_stiffness(
            np.array([k]), np.array([part * k * amplitude]), amplitude
        )
        t = np.linspace(0, 2 * np.pi, 2001)
        x = np.tile(amplitude * np.cos(t), 3)
        force = np.empty(len(x))
        f = 0.0
        for i, step in enumerate(np.diff(x, prepend=x[0])):
            f = float(np.clip(f + k * step, -part * k * amplitude, part * k * amplitude))
            force[i] = f
        last = force[-2001:-1]
        first = 2 * np.mean(last * np.exp(-1j * t[:-1])) / amplitude
        if part <= 1:
            # In phase with the motion, and ahead of it by a quarter: loss is positive.
            assert z[0] == pytest.approx(first, abs=0.01 * k)
        else:
            assert z[0] == pytest.approx(k)


@pytest.mark.parametrize("friction", [0.05, 0.3, 1.0, 1.5])
def test_slip_is_refused_with_an_alternative(friction):
    curves = hard(friction=friction)
    with pytest.raises(CalibrationFailed, match=r"the tip slips: \|V\*\| follows.*the drive"):
        dither.from_hard_contact(curves)
    with pytest.raises(CalibrationFailed, match=r"the tip slips.*reference elastomer"):
        phase.from_hard_contact(curves)
    with pytest.raises(CalibrationFailed, match=r"the tip slips.*wedge"):
        lateral_sensitivity.from_hard_contact(curves)


@pytest.mark.parametrize("friction", [1.7, 2.0])
def test_partial_slip_is_refused(friction):
    """Near the largest load it all but sticks, and the phase would be wrong by many degrees."""
    curves = hard(friction=friction)
    truth = sim.simulate(
        sim.Sample(sim.Interphase(), sim.Electrode(lateral_stiffness=200.0, friction=friction)),
        INSTRUMENT,
        RAMP,
        n_curves=2,
    )[1]
    assert truth.slips.all()
    wall = lateral_contacts.walls(curves)[0].signal
    assert np.angle(wall.mean()) - PHASE > np.radians(5)
    with pytest.raises(CalibrationFailed, match="slips"):
        phase.from_hard_contact(curves)


@pytest.mark.parametrize("friction", [3.0, 6.0])
def test_a_tip_that_slips_at_small_loads_only_is_used_above_them(friction):
    found = phase.from_hard_contact(hard(friction=friction))
    assert found.value == pytest.approx(PHASE, abs=max(2e-4, 3 * found.stderr))
    assert "smaller loads were left out" in found.notes[-1]
    assert "slips" in found.notes[-1]


def test_a_small_dither_sticks_where_a_large_one_slips():
    """A k_ser < mu F: 1 nm times 25 N/m slips with mu F = 4.5 nN, 0.1 nm does not."""
    quiet = sim.Detector(lateral_noise=1e-12)
    small = replace(INSTRUMENT, dither_amplitude=1e-10, detector=quiet)
    found = dither.from_hard_contact(hard(friction=0.3, instrument=small))
    assert found.value == pytest.approx(1e-10, rel=0.01)


def test_soft_contacts_are_refused():
    gel = hard(modulus=5e6)
    with pytest.raises(CalibrationFailed, match="soft contact"):
        phase.from_hard_contact(gel)
    stops = hard(SEI, replace(RAMP, stop_inside=1.0))
    with pytest.raises(CalibrationFailed, match="no hard contact in 6 of 6"):
        dither.from_hard_contact(stops)
    spring = hard(stiffness=0.6)  # a film twice as stiff as the lever: straight, but not rigid
    with pytest.raises(CalibrationFailed, match=r"slope of the wall is 0\.\d\d of a rigid"):
        dither.from_hard_contact(spring)


def test_a_contact_that_is_soft_against_the_lever_is_refused():
    """Stuck, but without a plateau: |V*| goes as load^0.25. It is not mistaken for slip."""
    with pytest.raises(CalibrationFailed, match="lever, which is too stiff"):
        dither.from_hard_contact(hard(lateral_stiffness=5.0))


def test_a_layer_spoils_the_amplitude_but_hardly_the_phase():
    curves = hard(SEI)
    with pytest.raises(CalibrationFailed, match="bare hard sample"):
        dither.from_hard_contact(curves)
    found = phase.from_hard_contact(curves)
    assert found.value == pytest.approx(PHASE, abs=np.radians(0.5))
    assert any("a layer on the sample" in note for note in found.notes)


def test_no_dither_no_calibration():
    off = replace(INSTRUMENT, dither_amplitude=1.1e-13)
    with pytest.raises(CalibrationFailed, match="no lateral signal"):
        phase.from_hard_contact(hard(instrument=off))
    noisy = replace(INSTRUMENT, detector=sim.Detector(lateral_noise=5e-9))
    with pytest.raises(CalibrationFailed, match=r"cannot tell|no lateral signal"):
        phase.from_hard_contact(hard(instrument=noisy, n=3))


def test_a_saturated_deflection_is_named():
    detector = sim.Detector(full_scale=1.0)  # 30 nm of 50
    with pytest.raises(CalibrationFailed, match="saturated"):
        dither.from_hard_contact(hard(instrument=replace(INSTRUMENT, detector=detector)))


@pytest.mark.parametrize(("poles", "faked"), [(1, 0.001), (4, 0.008)])
def test_a_lock_in_that_lags_is_paired_with_earlier_loads(poles, faked):
    """At 300 nm/s and 4 x 2 ms the signal is 2.4 nm late; untold, the plateau seems to rise."""
    ramp = sim.Ramp(samples=1024, retract=False)
    curves = hard(instrument=lockin_of(time_constant=2e-3, poles=poles), ramp=ramp)
    found = dither.from_hard_contact(curves)
    assert found.value == pytest.approx(1e-9, rel=2e-3)
    told = lateral_contacts.walls(curves)[0]
    untold = lateral_contacts.walls(without(curves, "lockin_time_constant"))[0]
    late = untold.load[-1] - told.load[-1]
    assert late / 0.3 == pytest.approx(300e-9 * poles * 2e-3, rel=1e-3)
    true = stick.plateau(hard(ramp=ramp), alternative="").exponent
    naive = [_exponent(c) for c in lateral_contacts.walls(without(curves, "lockin_time_constant"))]
    assert np.mean(naive) > true + faked
    paired = stick.plateau(curves, alternative="").exponent
    assert paired == pytest.approx(true, abs=5e-3)


def _exponent(contact) -> float:
    x, y = np.log(contact.load), np.log(np.abs(contact.signal))
    return float(np.polyfit(x, y, 1)[0])


def test_a_normal_force_stands_for_the_deflection():
    curves = hard()
    arrays = {n: (curves.read(n), c.unit) for n, c in curves.channels.items()}
    volts, _ = arrays.pop("deflection")
    per_volt = curves.metadata["deflection_sensitivity"] * curves.metadata["spring_constant"]
    forces = CurveSet.from_arrays(
        arrays | {"force_normal": (per_volt * volts, "N")},
        row_size=curves.row_size,
        metadata=curves.metadata,
    )
    found, same = (stick.plateau(c, alternative="") for c in (forces, curves))
    assert (found.load_unit, found.rigid) == ("N", pytest.approx(same.rigid, rel=1e-12))
    assert found.loads == pytest.approx(same.loads, rel=1e-12)


def test_a_slow_lock_in_without_a_clock_is_refused():
    curves = hard(instrument=lockin_of(time_constant=2e-3, poles=4))
    channels = {n: c for n, c in curves.channels.items() if n != "time"}
    curves = replace(curves, channels=channels)
    assert dither.from_hard_contact(curves).value == pytest.approx(1e-9, rel=5e-3)
    with pytest.raises(MissingCalibration, match="approach_speed"):
        dither.from_hard_contact(without(curves, "approach_speed"))
    slow = hard(instrument=lockin_of(time_constant=30e-3, poles=4))
    with pytest.raises(CalibrationFailed, match="has not settled"):
        dither.from_hard_contact(slow)


def test_third_harmonic():
    curves = hard()
    size = np.hypot(*(curves.read(n) for n in lockin.PARTS.values()))
    for part, sticks in ((0.01, True), (0.3, False)):
        arrays = {n: (curves.read(n), c.unit) for n, c in curves.channels.items()}
        there = CurveSet.from_arrays(
            arrays | {"third": (part * size, "V"), "raw_third": (size, "")},
            row_size=curves.row_size,
            metadata=curves.metadata,
        )
        if sticks:
            phase.from_hard_contact(there, third_harmonic="third")
        else:
            with pytest.raises(CalibrationFailed, match=r"third harmonic is \d\d %.*elastomer"):
                phase.from_hard_contact(there, third_harmonic="third")
    with pytest.raises(InvalidInput, match="no unit"):
        phase.from_hard_contact(there, third_harmonic="raw_third")


def test_curves_without_lateral_signal():
    curves = hard()
    bare = {n: c for n, c in curves.channels.items() if not n.startswith("lateral")}
    with pytest.raises(InvalidInput, match="no lateral lock-in signal"):
        dither.from_hard_contact(replace(curves, channels=bare))


def test_approaches_that_show_too_little():
    cases = {
        "two or more curves": hard(n=1),
        "begins in contact": hard(ramp=replace(RAMP, length=60e-9)),
        "no approach of 48 samples": hard(ramp=replace(RAMP, samples=40)),
    }
    curves = hard()
    still = {**curves.channels, "height": replace(curves.channels["height"], gain=0.0)}
    cases["height does not change"] = replace(
        curves, channels=still, segments_from=lambda: curves.segments
    )
    for reason, shown in cases.items():
        with pytest.raises(CalibrationFailed, match=reason):
            phase.from_hard_contact(shown)


def test_uncalibrated_deflection_will_do():
    """Only ratios of loads are needed."""
    curves = without(hard(), "deflection_sensitivity", "spring_constant")
    found = stick.plateau(curves, alternative="")
    assert found.load_unit == "V"
    assert found.rigid_stderr < 1e-3 * found.rigid
    with pytest.raises(CalibrationFailed, match="soft contact"):
        stick.plateau(without(hard(modulus=5e6), "deflection_sensitivity"), alternative="")


def test_scatter_of_few_repeats():
    rng = np.random.default_rng(0)
    for n in (2, 3, 6):
        pairs = (pooling.mean_and_error(rng.standard_normal(n)) for _ in range(REPETITIONS))
        assert_covered([mean / error for mean, error in pairs])
    with pytest.raises(CalibrationFailed, match="at least two"):
        pooling.mean_and_error(np.ones(1))


# Elastomer


QUIET = replace(INSTRUMENT, detector=sim.Detector(lateral_noise=2e-12))


def elastomer(loss=0.3, modulus=2e6, n=6, seed=0, instrument=QUIET) -> CurveSet:
    layer = sim.Layer(200e-9, modulus * (1 + 1j * loss))
    sample = sim.Sample(sim.Interphase((layer,), force=100e-9))
    ramp = replace(RAMP, trigger=30e-9)
    return sim.simulate(sample, instrument, ramp, n_curves=n, volts=True, seed=seed)[0]


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("modulus", [2e6, 20e6])
def test_phase_from_an_elastomer(loss, modulus):
    """The lever's compliance lessens the angle: by 2 degrees for 20 MPa. It is corrected."""
    curves = elastomer(loss, modulus)
    found = phase.from_elastomer(curves, loss)
    assert found.value == pytest.approx(PHASE, abs=max(1e-3, 4 * found.stderr))
    if loss < 1.0:
        raw = phase.from_elastomer(without(curves, "dither_amplitude"), loss)
        assert "not corrected for, without dither_amplitude" in raw.notes[1]
        if modulus == 20e6 and loss == 0.3:
            assert PHASE - raw.value > np.radians(1.5)


def test_phase_from_an_elastomer_in_newtons():
    """The lever's compliance is corrected without a sensitivity: |F| over A k_lat."""
    layer = sim.Layer(200e-9, 20e6 * (1 + 0.3j))
    sample = sim.Sample(sim.Interphase((layer,), force=100e-9))
    ramp = replace(RAMP, trigger=30e-9)
    curves = without(
        sim.simulate(sample, QUIET, ramp, n_curves=6, seed=0)[0], "lateral_sensitivity"
    )
    found = phase.from_elastomer(curves, 0.3)
    assert found.value == pytest.approx(PHASE, abs=max(1e-3, 4 * found.stderr))
    assert "not corrected for" not in " ".join(found.notes)


@pytest.mark.slow
def test_coverage_of_the_elastomer():
    z = []
    for seed in range(REPETITIONS):
        found = phase.from_elastomer(elastomer(seed=seed), 0.3)
        z.append((found.value - PHASE) / found.stderr)
    assert_covered(z)


def test_error_of_the_loss_tangent():
    found = phase.from_elastomer(elastomer(), 0.3, 0.02)
    assert found.stderr == pytest.approx(0.02 / 1.09, rel=0.02)
    with pytest.raises(InvalidInput, match="loss tangent"):
        phase.from_elastomer(elastomer(), -0.1)


def test_elastomers_that_will_not_do():
    with pytest.raises(CalibrationFailed, match="softer reference"):
        phase.from_elastomer(elastomer(0.3, 400e6), 0.3)
    with pytest.raises(CalibrationFailed, match="phase turns"):
        phase.from_elastomer(hard(friction=0.3), 0.3)
    loud = replace(QUIET, detector=sim.Detector(lateral_noise=1e-9))
    with pytest.raises(CalibrationFailed, match=r"too much noise|no lateral signal"):
        phase.from_elastomer(elastomer(instrument=loud), 0.3)


# Given, and the command line


def test_given_phase():
    assert phase.given(3 * np.pi / 2).value == pytest.approx(-np.pi / 2)
    with pytest.raises(InvalidInput, match="degrees"):
        phase.given(40.0)


def run(*words: str):
    return CliRunner().invoke(cli.main, ["calibrate", *words], prog_name="nrm")


def test_commands(tmp_path):
    hard().save(tmp_path / "hard.h5")
    elastomer().save(tmp_path / "soft.h5")
    hard(friction=0.3).save(tmp_path / "slips.h5")
    drive = [f"--set={key}={value}" for key, value in DRIVE.items()]
    drive[0], drive[2] = "--set=dither_drive=100mV", "--set=dither_sensitivity=8nm/V"
    cases = {
        ("dither", *drive): np.sqrt(2) * 1e-9,
        ("dither", "--method=hard", str(tmp_path / "hard.h5")): 1e-9,
        ("phase", str(tmp_path / "hard.h5")): PHASE,
        ("phase", "--method=elastomer", "--loss-tangent=0.3", str(tmp_path / "soft.h5")): PHASE,
        ("phase", "--method=given", "--value=40deg"): np.radians(40),
    }
    for words, expected in cases.items():
        result = run(*words, "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.output)[0]["value"] == pytest.approx(expected, rel=3e-3)
    result = run("phase", str(tmp_path / "slips.h5"))
    assert result.exit_code == 1
    assert "the tip slips" in result.output
    assert "Traceback" not in result.output
    for words in (["phase", "--method=given"], ["phase", "--method=elastomer"]):
        assert run(*words).exit_code == 2
    assert "has no unit" in run("phase", "--method=given", "--value=40").output


def test_results_go_into_an_experiment_file(tmp_path):
    experiment = pytest.importorskip("nrm_plugin.experiment")
    path = tmp_path / "e.toml"
    hard().save(tmp_path / "hard.h5")
    assert run("phase", str(tmp_path / "hard.h5"), "-o", str(path)).exit_code == 0
    result = run("lateral", "--method=given", "--value=300nm/V", "--of=lock-in", "-o", str(path))
    assert result.exit_code == 0, result.output
    known = experiment.read(path).metadata
    assert known["lockin_phase"] == pytest.approx(PHASE, abs=1e-3)
    assert known["lateral_sensitivity"] == pytest.approx(300e-9)
    curves = without(hard(), "lateral_sensitivity")
    curves.save(tmp_path / "bare.h5")
    words = ["dither", "--method=hard", str(tmp_path / "bare.h5"), "--json"]
    assert run(*words).exit_code == 1
    result = run(*words, "--experiment", str(path))
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)[0]["value"] == pytest.approx(1e-9, rel=3e-3)
