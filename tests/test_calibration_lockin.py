"""Lock-in scaling: numbers of the SR830's manual, lazy channels, what is missing, what is lost."""

from __future__ import annotations

import numpy as np
import pytest

from nrm_plugin import CurveSet
from nrm_plugin import simulate as sim
from nrm_plugin.calibration import lockin
from nrm_plugin.columns import DerivedColumn
from nrm_plugin.errors import InvalidInput, MissingCalibration, UnknownChannel

SETTINGS = {
    "lockin_sensitivity": 1e-3,
    "lockin_expand_x": 10.0,
    "lockin_expand_y": 1.0,
    "lockin_offset_x": 0.0,
    "lockin_offset_y": 0.5,
}


def outputs(x, y, **metadata) -> CurveSet:
    """Curves with these volts at the lock-in's outputs."""
    channels = {"lockin_output_x": (np.atleast_2d(x), "V")}
    if y is not None:
        channels["lockin_output_y"] = (np.atleast_2d(y), "V")
    return CurveSet.from_arrays(channels, metadata=metadata)


@pytest.mark.parametrize(
    ("volts", "sensitivity", "expand", "offset", "expected"),
    [
        (10.0, 1e-3, 1, 0.0, 1e-3),  # full scale
        (10.0, 1e-3, 10, 0.0, 0.1e-3),  # 0.1 mV on the 1 mV scale, expanded by 10
        (0.0, 1e-3, 1, 0.9, 0.9e-3),  # 90 % offset away
        (10.0, 1e-3, 10, 0.9, 1e-3),  # full scale with 90 % offset and expand 10
        (-5.0, 2e-9, 1, 0.0, -1e-9),  # the smallest range
        (1.0, 1.0, 100, -0.5, -0.499),
    ],
)
def test_output_volts_become_input_volts(volts, sensitivity, expand, offset, expected):
    gain, shift = lockin.input_scale(sensitivity, expand, offset)
    x = np.array([volts]) * gain + shift
    assert x == pytest.approx(expected, rel=1e-12)
    lock_in = sim.LockIn(sensitivity=sensitivity)
    assert lock_in.output(x, expand, offset) == pytest.approx(volts, abs=1e-9)


def test_channels_at_the_input_share_the_column_and_are_not_read():
    curves = outputs([[10.0, -5.0]], [[0.0, 10.0]], **SETTINGS)
    there = lockin.at_input(curves)
    assert there.read("lateral_in_phase") == pytest.approx([1e-4, -0.5e-4])
    assert there.read("lateral_quadrature") == pytest.approx([0.5e-3, 1.5e-3])
    for axis, name in lockin.PARTS.items():
        assert there.channels[name].column is curves.channels[f"lockin_output_{axis}"].column
    assert "sensitivity 0.001 V, expand 10" in there.channels["lateral_in_phase"].source
    assert "lateral_in_phase" not in curves.channels
    assert lockin.at_input(there).channels == there.channels


def test_raw_integers_keep_their_scale(samples):
    curves = samples.curves().with_names({"input_1": "lockin_output_x"})
    curves = curves.with_metadata(
        {"lockin_sensitivity": 1e-3, "lockin_expand_x": 10.0, "lockin_offset_x": 0.1}, "test"
    )
    there = lockin.at_input(curves)  # 7 mV as raw integers
    assert there.read_raw("lateral_in_phase").dtype == np.dtype("i2")
    expected = (7e-3 / 100 + 0.1) * 1e-3
    assert there.read("lateral_in_phase")[0] == pytest.approx(expected, rel=1e-12)


def test_all_missing_settings_are_named_at_once():
    curves = outputs([[1.0]], [[1.0]], lockin_expand_x=1.0)
    with pytest.raises(MissingCalibration) as caught:
        lockin.at_the_lockin(curves)
    assert set(caught.value.keys) == set(SETTINGS) - {"lockin_expand_x"}
    with pytest.raises(MissingCalibration) as caught:
        lockin.at_input(outputs([[1.0]], None))
    assert caught.value.keys == ("lockin_sensitivity", "lockin_expand_x", "lockin_offset_x")


def test_two_kinds_of_volts_under_one_name_are_refused():
    curves = outputs([[5.0, 5.0]], [[1.0, 1.0]], **SETTINGS)
    twice = CurveSet.from_arrays(
        {"lateral_in_phase": ([[1e-3, 1e-3]], "V"), "lockin_output_x": ([[5.0, 5.0]], "V")},
        metadata=SETTINGS,
    )
    with pytest.raises(InvalidInput, match="keep the one that is meant"):
        lockin.at_input(twice)
    with pytest.raises(UnknownChannel, match="lateral_quadrature"):
        lockin.at_the_lockin(outputs([[5.0]], None, **SETTINGS))
    other = lockin.at_input(curves).with_metadata({"lockin_sensitivity": 5e-3}, "later")
    with pytest.raises(InvalidInput, match="other values"):
        lockin.at_input(other)


def test_one_output_needs_its_own_settings_only():
    curves = CurveSet.from_arrays({"lockin_output_y": ([[0.0, 10.9]], "V")})
    assert lockin.needed(curves) == (
        "lockin_sensitivity",
        "lockin_expand_y",
        "lockin_offset_y",
    )
    (limit,) = lockin.with_overloads_reported(curves).warnings
    assert "lockin_output_y is at its limit of 10.9 V" in limit


def test_output_volts_called_input_volts_are_found_out():
    curves = CurveSet.from_arrays({}, metadata={"lockin_sensitivity": 1e-3})
    lockin.refuse_output_volts(curves, np.array([1e-3, -2.1e-3, np.nan]))
    with pytest.raises(InvalidInput, match="these are volts at its output"):
        lockin.refuse_output_volts(curves, np.array([0.5]))
    # 1.09 of full scale at the output, and an offset of 1.05, are all that there can be.
    lockin.refuse_output_volts(curves, np.array([(1.09 + 1.05) * 1e-3]))
    with pytest.raises(InvalidInput, match=r"reaches 0\.0023 V.*full scale is 0\.001 V"):
        lockin.refuse_output_volts(curves, np.array([2.3e-3]))


def test_polar_becomes_cartesian_and_survives_saving(tmp_path):
    r, theta = np.array([[1.0, 2.0, 3.0]]), np.array([[0.0, 90.0, 210.0]])
    curves = CurveSet.from_arrays(
        {"lateral_amplitude": (r, "mV"), "lateral_phase": (theta, "deg")},
    )
    there = lockin.at_the_lockin(curves)
    expected = 1e-3 * r * np.exp(1j * np.radians(theta))
    np.testing.assert_allclose(there.read("lateral_in_phase"), expected.real[0], atol=1e-15)
    np.testing.assert_allclose(there.read("lateral_quadrature"), expected.imag[0], atol=1e-15)
    there.save(tmp_path / "a.h5")
    from nrm_plugin import open as nrm_open

    again = nrm_open(tmp_path / "a.h5")
    assert again.read_raw("lateral_quadrature").dtype == np.float64
    np.testing.assert_array_equal(
        again.read("lateral_quadrature"), there.read("lateral_quadrature")
    )


def test_a_derived_column_computes_block_by_block(monkeypatch):
    from nrm_plugin import columns

    sizes = np.array([3, 0, 5, 2, 9, 1])
    values = np.arange(20.0)
    curves = CurveSet.from_arrays({"height": (values, "m")}, row_size=sizes)
    lengths = []

    def squared(x):
        lengths.append(len(x))
        return x**2

    monkeypatch.setattr(columns, "_COMPUTED", 6)
    column = DerivedColumn(curves.rows, squared, curves.channels["height"])
    out = np.empty(16)
    column.fill(2, 5, out[:16], 2.0, 1.0)
    np.testing.assert_array_equal(out, 2.0 * values[3:19] ** 2 + 1.0)
    assert max(lengths) == 9  # one curve at least
    assert lengths == [5, 2, 9]


def test_phase_sign_x_plus_iy_times_exp_minus_i_phase():
    """An elastic response measured by an instrument of phase +0.5 becomes real."""
    z = 2e-3 * np.exp(0.5j)
    curves = CurveSet.from_arrays(
        {"lateral_in_phase": ([[z.real]], "V"), "lateral_quadrature": ([[z.imag]], "V")},
        metadata={"lockin_phase": 0.5},
    )
    turned = lockin.rotated(curves)
    assert turned.read("lateral_in_phase") == pytest.approx(2e-3)
    assert turned.read("lateral_quadrature") == pytest.approx(0.0, abs=1e-18)
    assert turned.metadata["lockin_phase"] == 0.0
    again = lockin.rotated(turned)  # nothing is turned twice
    assert again.read("lateral_in_phase") == pytest.approx(2e-3)
    with pytest.raises(MissingCalibration, match="lockin_phase"):
        lockin.rotated(outputs([[1.0]], [[1.0]], **SETTINGS))


def test_outputs_at_the_limit_are_reported():
    x = np.array([[1.0, 10.9, 10.9], [1.0, 2.0, 3.0], [-10.5, 0.0, -10.9]])
    curves = lockin.with_overloads_reported(outputs(x, 0.0 * x, **SETTINGS))
    limit, above = curves.warnings
    assert "lockin_output_x is at its limit of 10.9 V" in limit
    assert "3 samples of 2 of 3 curves" in limit
    assert "above its full scale of 10 V" in above
    assert "1 samples of 1 of 3 curves" in above
    assert not lockin.with_overloads_reported(outputs([[9.9]], [[0.0]])).warnings


@pytest.mark.parametrize(
    ("poles", "bandwidth", "settled"),
    [(1, 1 / 4, 4.6), (2, 1 / 8, 6.6), (3, 3 / 32, 8.4), (4, 5 / 64, 10.0)],
)
def test_delay_bandwidth_and_settling(poles, bandwidth, settled):
    tau = 3e-3
    assert lockin.delay(tau, poles) == pytest.approx(poles * tau)
    assert lockin.noise_bandwidth(tau, poles) == pytest.approx(bandwidth / tau, rel=1e-12)
    assert lockin.settling(tau, poles, 0.01) == pytest.approx(settled * tau, rel=0.01)


def test_delay_and_bandwidth_are_those_of_the_simulated_lockin():
    lock_in = sim.LockIn(time_constant=1e-3, poles=3)
    step = 2e-5
    ramp = lock_in.filtered(np.arange(4000) * step + 0j, step).real
    assert 3999 * step - ramp[-1] == pytest.approx(lockin.delay(1e-3, 3), rel=1e-3)
    impulse = np.zeros(4000, complex)
    impulse[1] = 1.0 / step
    answer = lock_in.filtered(impulse, step).real
    # One-sided bandwidth: half of the integral of the squared impulse response.
    assert (answer**2).sum() * step / 2 == pytest.approx(lockin.noise_bandwidth(1e-3, 3), rel=1e-3)
    edge = lock_in.filtered(np.r_[0.0, np.ones(3999)] + 0j, step).real
    late = np.argmax(edge > 0.99) * step
    assert late == pytest.approx(lockin.settling(1e-3, 3, 0.01), rel=0.01)


def test_a_whole_chain_of_outputs_gives_back_the_force():
    """Simulated BNC volts of an SR830 with offset and expand, against the same in N."""
    lock_in = sim.LockIn(
        phase=0.4, sensitivity=2e-3, expand_x=10.0, offset_x=0.05, offset_y=-0.1, expand_y=1.0
    )
    layers = (sim.Layer(8e-9, 10e6 + 3e6j), sim.Layer(12e-9, 2e6 + 1e6j))
    sample = sim.Sample(sim.Interphase(layers, force=3e-9))
    instrument = sim.Instrument(lateral_stiffness=26.0, lock_in=lock_in, lateral_sensitivity=9e-7)
    quiet = sim.Instrument(
        lateral_stiffness=26.0, lock_in=sim.LockIn(phase=0.4), lateral_sensitivity=9e-7
    )
    ramp = sim.Ramp(samples=200)
    volts, _ = sim.simulate(sample, instrument, ramp, n_curves=2, seed=5)
    newtons, _ = sim.simulate(sample, quiet, ramp, n_curves=2, seed=5)
    limit = np.abs(volts.read("lockin_output_x")) > 10.89
    for name in lockin.PARTS.values():
        force = lockin.at_input(volts).read(name) * 26.0 * 9e-7
        good = ~limit
        assert good.mean() > 0.5
        np.testing.assert_allclose(force[good], newtons.read(name)[good], rtol=1e-9, atol=1e-18)
