"""Further tones of the lateral signal: moduli of each, and a table of them by frequency."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_plugin import simulate as sim
from nrm_plugin import statistics
from nrm_plugin.demodulation import tones, with_tone
from nrm_plugin.errors import InvalidInput, MissingCalibration
from nrm_plugin.variables import BIT

FIRST, SECOND = (1000.0, 4e6 + 1e6j), (1600.0, 6e6 + 3e6j)


def recorded(frequency, modulus):
    """A layer of 20 nm as one tone sees it; the same noise for all."""
    sample = sim.Sample(sim.Interphase((sim.Layer(20e-9, modulus),), force=3e-9))
    instrument = sim.Instrument(dither_frequency=frequency, lateral_stiffness=80.0)
    return sim.simulate(sample, instrument, sim.Ramp(), n_curves=8, seed=4)[0]


@pytest.fixture(scope="module")
def both():
    """Curves with two tones, and those of the second alone."""
    first, second = recorded(*FIRST), recorded(*SECOND)
    curves = first
    for part in ("in_phase", "quadrature"):
        channel = second.channels[f"lateral_{part}"]
        curves = curves.with_channel(replace(channel, name=f"lateral_2_{part}"))
    known = {
        "lateral_2_frequency": SECOND[0],
        "lateral_2_dither_amplitude": 1e-9,
        "lateral_2_lockin_phase": 0.0,
    }
    return curves.with_metadata(known, "test"), second


def test_moduli_of_the_second_tone_are_those_of_a_recording_of_it_alone(both):
    curves, alone = both
    assert tones(curves) == {1: 1000.0, 2: 1600.0}
    made, expected = nrm.process(with_tone(curves, 2)), nrm.process(alone)
    for name in ("storage_modulus", "loss_modulus", "storage_modulus_stderr"):
        np.testing.assert_array_equal(made[name], expected[name])
    assert made.attrs["dither_frequency"] == 1600.0
    first = with_tone(curves, 2)
    np.testing.assert_array_equal(first.read("lateral_1_in_phase"), curves.read("lateral_in_phase"))
    assert first.metadata["lateral_1_frequency"] == 1000.0
    assert with_tone(curves, 1) is curves


def test_nothing_of_the_first_tone_is_taken_for_another(both):
    curves, _ = both
    curves = curves.with_metadata({"lockin_phase_stderr": 0.01}, "test")
    untold = {k: v for k, v in curves.metadata.items() if k != "lateral_2_dither_amplitude"}
    bare = with_tone(replace(curves, metadata=untold), 2)
    assert "dither_amplitude" not in bare.metadata
    assert "lockin_phase_stderr" not in bare.metadata
    with pytest.raises(MissingCalibration, match="dither_amplitude"):
        nrm.process(bare)
    with pytest.raises(InvalidInput, match="no tone 3; tones of the lateral signal: 1, 2"):
        with_tone(curves, 3)


def test_moduli_by_frequency_in_the_columns_of_rheojax(both):
    curves, _ = both
    results = [nrm.process(with_tone(curves, number)) for number in (2, 1)]
    table = statistics.modulus_spectrum(results, 5e-9, 15e-9)
    assert list(table)[:3] == ["omega (rad/s)", "E' (Pa)", "E'' (Pa)"]
    np.testing.assert_allclose(table["omega (rad/s)"], [2e3 * np.pi, 3.2e3 * np.pi])
    for row, (_, modulus) in zip(table.itertuples(index=False), (FIRST, SECOND), strict=True):
        stored, lost, stored_error, lost_error, n = row[1:6]
        assert n == 8
        assert abs(stored - modulus.real) < 4.0 * stored_error < 0.1 * modulus.real
        assert abs(lost - modulus.imag) < 4.0 * lost_error < 0.2 * modulus.real
    shear = statistics.modulus_spectrum(results, 5e-9, 15e-9, shear=True)
    assert list(shear)[1:3] == ["G' (Pa)", "G'' (Pa)"]
    factor = 2.0 * (1.0 + float(results[0].attrs["poisson_ratio"]))
    np.testing.assert_allclose(shear["G'' (Pa)"] * factor, table["E'' (Pa)"], rtol=1e-6)
    with pytest.raises(InvalidInput, match="same frequency"):
        statistics.modulus_spectrum([results[0], results[0]], 5e-9, 15e-9)
    with pytest.raises(InvalidInput, match="no curve that counts has E' \\(Pa\\) from 70 to 80 nm"):
        statistics.modulus_spectrum(results, 70e-9, 80e-9)


def test_curves_without_moduli_or_with_flags_are_not_counted(both):
    results = nrm.process(both[0])
    where = {"depth": slice(5e-9, 15e-9)}
    values = results["storage_modulus"].sel(where).mean("depth").values[2:]
    results["quality"][0] = BIT["no_hard_contact"]
    results["loss_modulus"][1] = np.nan
    table = statistics.modulus_spectrum([results], 5e-9, 15e-9)
    assert table["curves"].tolist() == [6]
    np.testing.assert_allclose(table["E' (Pa)"], values.mean(), rtol=1e-6)
    error = values.std(ddof=1) / np.sqrt(6)
    np.testing.assert_allclose(table["E' stderr (Pa)"], error, rtol=1e-6)
    with pytest.raises(InvalidInput, match="no moduli in these results"):
        statistics.modulus_spectrum([results.drop_vars("loss_modulus")], 5e-9, 15e-9)
