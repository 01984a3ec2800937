"""The normal channel of simulated curves, against what the simulator was told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import nrm_plugin as nrm
from nrm_plugin import kernels
from nrm_plugin import simulate as sim
from nrm_plugin.engine.normal_channel import normal_channel
from nrm_plugin.variables import NORMAL, NORMAL_BIT

LAYERS = sim.Interphase((sim.Layer(8e-9, 10e6 + 3e6j), sim.Layer(12e-9, 2e6 + 1e6j)), 3e-9)
K, NOISE = 0.3, 0.2e-9
SPACING = 300e-9 / 1024


def processed(
    interphase: sim.Interphase,
    *,
    adhesion: float = 0.0,
    n_curves: int = 100,
    seed: int = 11,
    noise: float = NOISE,
    samples: int = 1024,
    told: dict[str, object] | None = None,
    **settings: object,
) -> xr.Dataset:
    detector = sim.Detector(deflection_noise=noise, lateral_noise=10e-12)
    instrument = sim.Instrument(
        spring_constant=K, lateral_stiffness=20.0, detector=detector, **settings
    )
    curves, _ = sim.simulate(
        sim.Sample(interphase, sim.Electrode(lateral_stiffness=100.0)),
        instrument,
        sim.Ramp(adhesion=adhesion, samples=samples),
        n_curves=n_curves,
        told=told,
        seed=seed,
    )
    return nrm.process(curves, {"direction": "both"})


def flag(results: xr.Dataset, name: str, direction: str) -> np.ndarray:
    values = results["normal_quality"].sel(direction=direction).values
    return (values & NORMAL_BIT[name]) != 0


def test_onset_and_work_of_a_layer() -> None:
    """Onset where 3 nN (1 - z / 20 nm)^1.5 is four standard errors; the work is 2/5 F t = 24 aJ."""
    results = processed(LAYERS)
    limit = 4.0 * NOISE * np.sqrt(1.0 / 9.0 + 4.0 / 700.0) * K
    expected = 20e-9 * (1.0 - (limit / 3e-9) ** (2.0 / 3.0))
    for direction in ("approach", "retract"):
        one = results.sel(direction=direction)
        assert float(one["normal_onset"].median()) == pytest.approx(expected, abs=0.5e-9)
        assert float(one["normal_onset"].std()) < 0.8e-9
        assert float(one["normal_work"].mean()) == pytest.approx(0.4 * 3e-9 * 20e-9, rel=0.03)
        assert one["adhesion_force"].isnull().all()
        for name in ("no_force", "never_free", "broke_through", "attracted", "onsets_apart"):
            assert flag(results, name, direction).sum() <= 2, name
    assert (results["break_through_count"].sel(direction="approach") == 0).all()
    assert results["break_through_count"].sel(direction="retract").isnull().all()


def test_onset_comes_nearer_to_the_edge_the_less_noise_there_is() -> None:
    results = processed(LAYERS, noise=0.01e-9, n_curves=10)
    onset = results["normal_onset"].sel(direction="approach")
    assert float(onset.median()) == pytest.approx(19.7e-9, abs=0.3e-9)
    assert results["normal_work"].values == pytest.approx(24e-18, rel=0.01)


def test_lateral_onset_is_where_the_layer_is_felt() -> None:
    """4 r_g A E (t - z) is 5 standard errors of nine samples of 10 pN at 19 nm or so."""
    onset = processed(LAYERS)["lateral_onset"].sel(direction="approach")
    per_distance = 4 * 1.25 * 1e-9 * abs(2e6 + 1e6j)
    limit = 5 * 10e-12 / np.sqrt(9)
    assert float(onset.median()) == pytest.approx(20e-9 - limit / per_distance, abs=0.5e-9)


def test_adhesion_pull_off_and_the_energy_of_the_jump() -> None:
    """6 nN from the solid; the cantilever gives up F^2 / 2k = 60 aJ."""
    results = processed(sim.Interphase(), adhesion=6e-9).sel(direction="retract")
    # The last sample before the jump lies anywhere within a sample's spacing of it.
    force = results["adhesion_force"]
    assert 6e-9 - K * SPACING - 0.02e-9 < float(force.mean()) < 6e-9 + 0.02e-9
    assert float(force.std()) < 1.2 * K * NOISE
    np.testing.assert_allclose(results["adhesion_distance"], 0.0, atol=4 * NOISE)
    np.testing.assert_allclose(results["pull_off_distance"], 0.0, atol=4 * NOISE)
    work = float((force**2).mean()) / (2 * K)
    assert float(results["adhesion_work"].mean()) == pytest.approx(work, rel=0.05)
    assert float(results["normal_work"].mean()) == pytest.approx(-work, rel=0.05)


def test_break_through_of_a_crust() -> None:
    """1.5 nN of crust and 2 nN 0.4^1.5 of layer at 12 nm, once, on the way down."""
    crust = replace(LAYERS, force=2e-9, crust=sim.Crust(force=1.5e-9, distance=12e-9))
    results = processed(crust)
    down = results.sel(direction="approach")
    assert (down["break_through_count"] == 1).all()
    force = 1.5e-9 + 2e-9 * 0.4**1.5
    for name in ("break_through", "first_break_through"):
        assert float(down[f"{name}_force"].mean()) == pytest.approx(force, abs=K * SPACING)
        assert float(down[f"{name}_distance"].mean()) == pytest.approx(12e-9, abs=0.4e-9)
    assert flag(results, "broke_through", "approach").all()
    # Its triangle of 1.5 nN and 2 nm and, in the jump, what the cantilever gives up.
    difference = (down["normal_work"] - results["normal_work"].sel(direction="retract")).mean()
    assert 1.5e-18 < float(difference) < 5e-18


def test_first_and_largest_of_two_break_throughs() -> None:
    """A curve drawn by hand: falls from 1.2 nN at 30 nm and from 2.4 nN at 15 nm."""
    height = np.linspace(200e-9, -40e-9, 2401)
    gap = np.maximum(height, 0.0)
    force = np.where(gap > 30e-9, 1.2e-9 * np.clip(1 - (gap - 30e-9) / 10e-9, 0, None), 0.0)
    force += np.where((gap > 15e-9) & (gap < 25e-9), 2.4e-9 * (25e-9 - gap) / 10e-9, 0.0)
    bent = force / K + np.maximum(-height, 0.0)
    base = gap - force / K  # heights at which the tip is there
    order = np.minimum.accumulate(np.where(height < 0, height, base))
    rng = np.random.default_rng(0)
    begin = np.array([0, len(height)])
    noisy = bent + 0.05e-9 * rng.standard_normal(len(bent))
    settings = dict.fromkeys(kernels.CONTACT_SETTINGS.names, 0.0)
    settings |= {"slope": -1.0, "slope_stderr": 0.001, "other_slope": -1.0}
    contacts, clean = kernels.find_contacts(
        begin, order, noisy, kernels.record(kernels.CONTACT_SETTINGS, **settings)
    )
    profile = dict.fromkeys(kernels.PROFILE_SETTINGS.names, 0.0) | {"spring_constant": K}
    own = np.zeros(1, kernels.CURVE)
    own["cosine"] = 1.0
    found = kernels.normal_channel(
        kernels.record(kernels.PROFILE_SETTINGS, **profile),
        begin,
        order,
        clean,
        None,
        contacts,
        own,
    )[0]
    assert found["breaks"] == 2
    assert found["first_force"] == pytest.approx(1.2e-9, rel=0.03)
    assert found["first_at"] == pytest.approx(30e-9, abs=0.4e-9)
    assert found["largest_force"] == pytest.approx(2.4e-9, rel=0.03)
    assert found["largest_at"] == pytest.approx(15e-9, abs=0.4e-9)
    assert np.isnan(found["lateral_onset"])


@pytest.mark.real
def test_bilayers_of_lipids_break_as_the_samples_read(real_files: Path) -> None:
    """Two bilayers: the samples' deflections rise to 6.06 and 7.08 nm and fall; 0.3634 N/m."""
    results = nrm.process(real_files / "bruker" / "DPPC-DSPC_100times00154.021")
    assert results["break_through_count"].values.tolist() == [2]
    for name, bent, height in (
        ("first_break_through", 6.06e-9, -1.1e-9),
        ("break_through", 7.08e-9, -4.4e-9),
    ):
        assert float(results[f"{name}_force"][0]) == pytest.approx(0.3634 * bent, rel=0.01)
        distance = height + bent / abs(float(results["wall_slope"][0]))
        assert float(results[f"{name}_distance"][0]) == pytest.approx(distance, abs=0.15e-9)
    quality = int(results["normal_quality"].values[0])
    assert quality & NORMAL_BIT["broke_through"]


def test_a_bare_electrode_has_its_onset_at_itself() -> None:
    results = processed(sim.Interphase(), seed=5)
    assert float(results["normal_onset"].max()) < 1e-9
    assert float(abs(results["normal_work"]).max()) < 0.2e-18


def test_a_force_that_is_no_layers_parts_the_onsets() -> None:
    """Electrostatic repulsion of 1 nN with 15 nm is felt at 30 nm and more, the layer at 18 nm."""
    results = processed(replace(LAYERS, repulsion=1e-9, repulsion_decay=15e-9), n_curves=50)
    assert flag(results, "onsets_apart", "approach").mean() > 0.9
    assert flag(processed(LAYERS, n_curves=50), "onsets_apart", "approach").mean() < 0.02


def test_distances_count_in_units_of_the_wall() -> None:
    """A sensitivity 5 % off scales forces and works, and leaves distances."""
    told = {"deflection_sensitivity": 1.05 * 30e-9}
    right = processed(LAYERS, adhesion=3e-9)
    wrong = processed(LAYERS, adhesion=3e-9, told=told)
    for name, factor in (
        ("normal_onset", 1.0),
        ("adhesion_force", 1.05),
        ("adhesion_work", 1.05),
    ):
        assert float(wrong[name].mean()) == pytest.approx(
            factor * float(right[name].mean()), rel=0.01
        )


def test_sparse_ramps() -> None:
    """2.3 nm per sample: work to 5 %, adhesion to a sample's spacing."""
    results = processed(LAYERS, adhesion=6e-9, samples=128)
    assert float(results["normal_work"].sel(direction="approach").mean()) == pytest.approx(
        24e-18, rel=0.05
    )
    force = results["adhesion_force"].sel(direction="retract")
    assert abs(float(force.mean()) - 6e-9) < K * 300e-9 / 128


def test_false_events_are_rare() -> None:
    """White noise, layers of 0 to 60 nm: no break-through and no attraction in 400 curves."""
    for seed, thickness in enumerate((0.0, 10e-9, 30e-9, 60e-9)):
        layers = (sim.Layer(thickness, 2e6 + 1e6j),) if thickness else ()
        results = processed(sim.Interphase(layers, 3e-9 if layers else 0.0), seed=20 + seed)
        assert float(results["break_through_count"].sel(direction="approach").sum()) <= 1
        assert results["adhesion_force"].notnull().sum() <= 1


def test_curves_without_contact_say_nothing() -> None:
    found = np.full(2, np.nan, kernels.NORMAL_CHANNEL)
    contacts = np.full(2, np.nan, kernels.CONTACT)
    values = normal_channel(found, contacts, np.array([10, 10]), inwards=True, lateral=False)
    assert set(values) == set(NORMAL)
    expected = NORMAL_BIT["no_force"] | NORMAL_BIT["never_free"]
    assert values["normal_quality"].tolist() == [expected, expected]
