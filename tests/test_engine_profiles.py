"""Derivative of the lateral force against the simulator's truth: E* in MPa, distances in nm."""

from __future__ import annotations

import numpy as np
import pytest

from nrm_plugin import simulate as sim
from nrm_plugin.engine.compiled import CURVE, Lever, ReferencedBlock
from nrm_plugin.engine.contact import find_contacts
from nrm_plugin.engine.derivative import profiles
from nrm_plugin.engine.signals import parts, plan, read_block
from nrm_plugin.engine.survey import survey
from nrm_plugin.recipe import Recipe

NM = 1e-9
DEPTH = np.arange(121) * 0.5 * NM
TWO = sim.Interphase((sim.Layer(8 * NM, 10e6 + 3e6j), sim.Layer(12 * NM, 2e6 + 1e6j)), 3e-9)


def moduli(
    sample: sim.Sample, instrument: sim.Instrument, n: int, half_width: float = 2 * NM
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """E* (n, depth), its standard errors as a complex number, valid depth, and the truth."""
    way = sim.Ramp(length=307 * NM, retract=False)
    curves, truth = sim.simulate(sample, instrument, way, n_curves=n, seed=4)
    curves, how = plan(curves)
    block = read_block(curves, how, parts(curves, "approach"), slice(None), "approach")
    shared = survey(block, interference=True, spikes=True)
    recipe = Recipe()
    referenced = find_contacts(block, how, recipe.contact, shared)
    own = np.zeros(n, CURVE)
    own["delay"], own["cosine"] = np.nan_to_num(how.lag / block.interval), 1.0
    layer = ReferencedBlock(
        begin=block.begin,
        height=block.height,
        deflection=referenced.clean,
        in_phase=block.in_phase,
        quadrature=block.quadrature,
        contacts=referenced.contacts,
        depth=DEPTH,
        lever=Lever(half_width, how.amplitude, how.lateral_stiffness, 0.3),
        curves=own,
        correlation=shared.correlation,
    )
    out = profiles(layer, recipe.derivative)
    per_pascal = 4 * instrument.shape_factor * instrument.dither_amplitude
    measured = (out.gradient_in_phase + 1j * out.gradient_quadrature) / per_pascal
    stderr = (out.stderr_in_phase + 1j * out.stderr_quadrature) / per_pascal
    valid = out.depth_valid_min
    true = np.array([truth.modulus(i, DEPTH) for i in range(n)])
    return measured / 1e6, stderr / 1e6, valid, true / 1e6


def part(low: float, high: float) -> np.ndarray:
    return (low * NM - 1e-15 <= DEPTH) & (high * NM > DEPTH)


def test_noise_free_modulus_is_exact_in_the_interior() -> None:
    """Every factor of 2, pi and root two in Eq. 5."""
    sample = sim.Sample(sim.Interphase((sim.Layer(40 * NM, 10e6 + 3e6j),), 3e-9))
    quiet = sim.Detector(deflection_noise=1e-16, lateral_noise=1e-19)
    measured, _, _, true = moduli(sample, sim.Instrument(detector=quiet), 3)
    inside = part(4, 36)
    np.testing.assert_allclose(measured[:, inside], true[:, inside], rtol=1e-3)
    outside = part(43, 60)
    assert np.abs(measured[:, outside]).max() < 1e-3


def test_stiff_layer_is_corrected_for_the_lever() -> None:
    sample = sim.Sample(sim.Interphase((sim.Layer(40 * NM, 1e9 + 0j),), 3e-9))
    quiet = sim.Detector(deflection_noise=1e-16, lateral_noise=1e-19)
    instrument = sim.Instrument(detector=quiet, lateral_stiffness=30.0)
    measured, _, _, true = moduli(sample, instrument, 2)
    inside = part(4, 36)
    np.testing.assert_allclose(measured[:, inside].real, true[:, inside].real, rtol=1e-2)


def test_first_nanometres_and_plateaus() -> None:
    detector = sim.Detector(deflection_noise=0.2 * NM, lateral_noise=10e-12)
    measured, stderr, valid, true = moduli(sim.Sample(TWO), sim.Instrument(detector=detector), 400)
    assert np.nanmedian(valid) < 1.6 * NM
    near = part(0.5, 5)
    error = (measured - true)[:, near]
    error = error[np.isfinite(error)]
    for what in (error.real, error.imag):
        assert np.sqrt(np.mean(what**2)) <= 1.0
        assert abs(what.mean()) <= 0.15
    for low, high in ((11, 17), (23, 35)):
        off, width = (measured - true)[:, part(low, high)], stderr[:, part(low, high)]
        assert 0.93 <= np.mean(np.abs(off.real) <= 1.96 * width.real) <= 0.985
        assert 0.93 <= np.mean(np.abs(off.imag) <= 1.96 * width.imag) <= 0.985
    # se(E) = sqrt(15/7 sigma^2 delta / h^3) / (4 r_g A), with 10 pN, 0.3 nm, 2 nm
    law = np.sqrt(15 / 7 * 10e-12**2 * 0.2998 * NM / (2 * NM) ** 3) / (4 * 1.25 * NM) / 1e6
    assert np.median(stderr[:, part(23, 35)].real) == pytest.approx(law, rel=0.10)


def test_edge_of_a_step_is_a_half_width_wide() -> None:
    sample = sim.Sample(
        sim.Interphase((sim.Layer(20 * NM, 10e6 + 0j), sim.Layer(20 * NM, 2e6 + 0j)), 1e-9)
    )
    quiet = sim.Detector(deflection_noise=1e-16, lateral_noise=1e-19)
    measured, _, _, _ = moduli(sample, sim.Instrument(detector=quiet), 2)
    profile = measured[0].real
    near = part(15, 25)
    low, high = (np.interp(-(2 + 8 * f), -profile[near], DEPTH[near]) for f in (0.9, 0.1))
    assert high - low <= 1.10 * 2 * NM


def test_lag_of_the_lock_in_is_shifted_back() -> None:
    """2 poles of 2 ms at 300 nm/s are 1.2 nm."""
    detector = sim.Detector(deflection_noise=0.1 * NM, lateral_noise=1e-12)
    lock_in = sim.LockIn(time_constant=2e-3, poles=2)
    instrument = sim.Instrument(detector=detector, lock_in=lock_in)
    measured, _, _, true = moduli(sim.Sample(TWO), instrument, 100)
    plateau = part(12, 16)
    assert abs(np.nanmean((measured - true)[:, plateau].real)) <= 0.4
