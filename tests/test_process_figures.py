"""How right contacts and moduli are, on curves of a generator of its own; errors in nm and MPa."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from nrm_generator import MPA, NM, Generator, Truth, flagged, parts_of, rms

import nrm_plugin as nrm

#: Layers of 5 to 60 nm that bend the lever by 2 to 30 nm before they are pierced.
_random = np.random.default_rng(3)
THICK = _random.uniform(5.0, 60.0, 300)
BENT = np.interp(THICK, [5.0, 60.0], [1.7, 30.0])
KINDS = _random.choice(["hertz", "exponential", "pierced"], 300)
MIXED: dict[str, Any] = {"kind": KINDS, "top": THICK, "lateral": False}


def mixed(spring: float = 0.3, **settings: Any) -> Generator:
    """Mixed layers above a wall of at least 25 nm."""
    made = {"spring": spring, "force": BENT * spring, "trigger": BENT + 25.0, **settings}
    return Generator(**{**MIXED, **made})


def contacts(
    generator: Generator, recipe: nrm.Recipe | None = None
) -> tuple[np.ndarray, xr.Dataset, Truth]:
    """Errors of the contacts, results, and the truth."""
    curves, truth = generator.make()
    results = nrm.process(curves, recipe)
    return (results["contact_height"].values - truth.asymptote) / NM, results, truth


def bare(**settings: Any) -> Generator:
    return Generator(**{"lateral": False, **settings})


# The solid contact


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"trigger": 56.0},
        {"spring": 0.1},
        {"spring": 3.0},
        {"spacing": 0.1, "samples": 2048},
        {"spacing": 1.0, "samples": 512},
        {"tilt": np.linspace(-0.01, 0.01, 300)},
        {"drift": 1.0, "height": 30_000.0},
        {"least_bit": 0.1, "height": -3_000.0, "unit": "V"},
    ],
    ids=str,
)
def test_mixed_layers(settings: dict[str, Any]) -> None:
    error, _, _ = contacts(mixed(**settings))
    assert rms(error) <= 0.15
    assert np.abs(error).max() <= 3.0


@pytest.mark.parametrize(
    ("noise", "force", "limit"), [(0.1, 3.0, 0.12), (0.1, 0.0, 0.12), (0.5, 3.0, 0.20)]
)
def test_a_layer_of_20_nm(noise: float, force: float, limit: float) -> None:
    error, _, _ = contacts(bare(noise=noise, force=force))
    assert rms(error) <= limit


@pytest.mark.parametrize(("top", "force"), [(20.0, 3.0), (60.0, 9.0)])
def test_8_nm_of_wall(top: float, force: float) -> None:
    error, results, _ = contacts(bare(top=top, force=force, trigger=force / 0.3 + 8.0))
    told = flagged(results, "no_hard_contact") | flagged(results, "saturated")
    assert told.mean() < 0.1
    assert rms(error[~told]) <= 0.4


@pytest.mark.parametrize(
    "settings",
    [
        {"fringe_period": 120.0},
        {},
        {"seed": 2},
        {"fringe_period": 400.0},
        {"tilt": 0.02},
        {"uneven": 0.6, "fringe_period": 120.0},
        {"glitches": 0.5},
        {"curves": 5},
    ],
    ids=str,
)
def test_a_fringe(settings: dict[str, Any]) -> None:
    error, _, _ = contacts(bare(fringe=0.5, **settings))
    assert rms(error) <= 0.25


@pytest.mark.parametrize("seed", [1, 4, 5])
def test_wild_samples_in_half_of_the_curves(seed: int) -> None:
    error, results, truth = contacts(bare(glitches=0.5, seed=seed))
    assert rms(error) <= 0.20
    assert flagged(results, "spikes")[truth.glitched].mean() >= 0.95


@pytest.mark.parametrize("kind", ["none", "hertz"])
def test_a_substrate_of_1_gpa(kind: str) -> None:
    error, _, _ = contacts(bare(kind=kind, substrate=1.0))
    assert abs(error.mean()) <= 0.3


def test_two_exact_lines_reach_the_bound() -> None:
    """The variance of two least-squares lines whose windows are known."""
    curves, truth = bare(curves=3000, kind="none").make()
    recipe = nrm.Recipe().replace(contact={"method": "two-line"})
    found = nrm.process(curves, recipe)["contact_height"].values
    error = (found - truth.contact) / NM
    height = (curves.read("height").reshape(3000, -1) - truth.contact[:, None]) / NM
    base = height[:, : int(0.4 * 1024)]
    bound = []
    for far, near in zip(base, height, strict=True):
        wall = near[near < -0.3 * 50.0]
        bound.append(
            sum(1 / len(x) + x.mean() ** 2 / np.sum((x - x.mean()) ** 2) for x in (far, wall))
        )
    assert error.std() == pytest.approx(0.2 * np.sqrt(np.mean(bound)), rel=0.05)


def test_errors_are_as_stated() -> None:
    error, results, _ = contacts(bare())
    stated = np.hypot(results["contact_height_stderr"], results["contact_height_systematic"]) / NM
    assert np.mean(np.abs(error) < 1.96 * stated) >= 0.85


def test_a_shift_changes_nothing() -> None:
    curves, _ = Generator(noise=0.2).make()
    channels, metadata = parts_of(curves)
    channels["height"] = (channels["height"][0] + 500.0 * NM, "m")
    moved = nrm.process(nrm.CurveSet.from_arrays(channels, metadata=metadata))
    found = nrm.process(curves)
    change = moved["contact_height"].values - 500.0 * NM - found["contact_height"].values
    assert np.abs(change).max() < 1e-6 * NM
    np.testing.assert_array_equal(moved["quality"], found["quality"])
    np.testing.assert_allclose(
        moved["storage_modulus"], found["storage_modulus"], rtol=1e-5, atol=1e2
    )


# Flags


@pytest.mark.parametrize("noise", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_ramps_that_stop_in_the_layer(noise: float, share: float) -> None:
    """At 30 to 95 % of the largest force of the layer."""
    random = np.random.default_rng(5)
    part = random.uniform(0.3, 0.95, 300)
    n = int(share * 300)
    made: dict[str, Any] = {"kind": "hertz", "noise": noise}
    soft, _ = mixed(
        **made | {"curves": n, "top": THICK[:n], "force": 0.3 * BENT[:n], "trigger": 0.0},
        stops_at=(THICK * (1.0 - part ** (1 / 1.5)))[:n],
    ).make()
    hard, _ = mixed(**made, seed=2).make()
    together, metadata = parts_of(hard)
    for name, (values, unit) in parts_of(soft)[0].items():
        together[name] = (np.concatenate([values, together[name][0]]), unit)
    results = nrm.process(nrm.CurveSet.from_arrays(together, metadata=metadata))
    told = flagged(results, "no_hard_contact")
    assert told[:n].mean() >= 0.98
    assert told[n:].mean() <= 0.01


@pytest.mark.parametrize("kind", ["hertz", "exponential"])
def test_all_ramps_stop_in_the_layer(kind: str) -> None:
    stops = np.random.default_rng(5).uniform(1.0, 8.0, 300)
    _, results, _ = contacts(bare(kind=kind, stops_at=stops))
    assert flagged(results, "no_hard_contact").mean() >= 0.98


@pytest.mark.parametrize("top", [20.0, 30.0, 45.0])
def test_saturation(top: float) -> None:
    _, results, _ = contacts(bare(saturates_at=top))
    assert flagged(results, "saturated").mean() >= 0.98
    _, results, _ = contacts(bare())
    assert not flagged(results, "saturated").any()


@pytest.mark.parametrize(
    "settings", [{}, {"retract": True}, {"noise": 0.1}, {"wall": "stick"}], ids=str
)
def test_clean_curves_carry_no_flag(settings: dict[str, Any]) -> None:
    _, results, _ = contacts(mixed(lateral=True, **settings))
    assert np.mean(results["quality"].values == 0) >= 0.95


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_few_curves(n: int) -> None:
    """Rather wide errors than wrong ones, and no false alarm."""
    error: list[float] = []
    told = 0
    for seed in range(8):
        found, results, _ = contacts(Generator(curves=n, samples=700, seed=seed))
        error += list(found)
        told += int(np.sum(results["quality"].values != 0))
    assert np.abs(error).max() < 3.0
    assert rms(error) <= 0.6
    assert told <= 0.1 * len(error) + 1


# Moduli


def profiles(
    generator: Generator, recipe: nrm.Recipe | None = None
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Values, standard errors and truth of E' and E'' in MPa, (curve, depth) and (depth,)."""
    results = nrm.process(generator.make()[0], recipe)
    truth = generator.modulus(results["depth"].values / NM)
    return [
        (results[name].values / MPA, results[f"{name}_stderr"].values / MPA, part)
        for name, part in (("storage_modulus", truth.real), ("loss_modulus", truth.imag))
    ]


Z = np.arange(121) * 0.5
#: Distances farther than a half-width (2 nm) from the electrode and from the boundaries.
PLATEAU = (Z > 2.0) & (np.abs(Z - 8.0) > 2.0) & (np.abs(Z - 20.0) > 2.0) & (Z < 45.0)

WALLS = [{"wall": "constant"}, {"wall": "stick", "stiffness": 30.0}, {"wall": "slip"}]
LAGS: dict[str, Any] = {"lateral_noise_kind": "lockin", "time": True, "time_constant": 2e-3}


@pytest.mark.parametrize(
    "settings",
    [*WALLS, {"spacing": 0.15, "samples": 2048}, {"spring": 3.0, "force": 30.0}, {"tilt": 0.02}],
    ids=str,
)
def test_moduli_next_to_the_electrode(settings: dict[str, Any]) -> None:
    """From the first valid distance to 5 nm, in 10 + 3i MPa: the wall's jump must not leak."""
    near = Z <= 5.0
    for values, _, truth in profiles(Generator(**settings)):
        error = (values - truth)[:, near]
        assert np.isfinite(values[:, Z == 2.0]).mean() > 0.9
        assert rms(error) <= 1.0
        assert abs(np.nanmean(error)) <= 0.15


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"noise": 0.1},
        {"noise": 0.5},
        {"kind": "none"},
        {"kind": "exponential"},
        {"stack": ((60.0, 10 + 3j),), "top": 60.0},
        {"spacing": 1.0, "samples": 512},
        LAGS,
        {**LAGS, "samples": 600},
    ],
    ids=str,
)
def test_coverage_on_plateaus(settings: dict[str, Any]) -> None:
    for values, stderr, truth in profiles(Generator(**settings)):
        there = np.isfinite(values) & PLATEAU
        covered = np.abs(values - truth) < 1.96 * stderr
        assert 0.93 <= covered[there].mean() <= 0.985


def test_a_crust_that_gives_way() -> None:
    """The tip jumps from 10 to 6 nm: there is nothing to know in between, and no nonsense."""
    for values, stderr, truth in profiles(Generator(kind="pierced")):
        for place in (Z > 2.0) & (Z <= 4.0), (Z >= 12.0) & (Z <= 18.0):
            error = (values - truth)[:, place]
            assert abs(np.nanmean(error)) <= 0.15
            there = np.isfinite(error)
            assert np.mean(np.abs(error[there]) < 1.96 * stderr[:, place][there]) >= 0.93
        assert not np.isfinite(values[:, Z == 8.0]).any()


def test_standard_error_follows_its_law() -> None:
    """(1/c) sqrt(15/7 sigma^2 delta / h^3), c = 4 r_g A; far from the layer only noise is left."""
    law = 1e-12 * np.sqrt(15 / 7 * 100.0 * 0.3e-9 / 8e-27) / (4 * 1.25 * NM) / MPA
    for values, stderr, _ in profiles(Generator()):
        plateau = (Z > 25.0) & (Z < 50.0)
        assert np.median(stderr[:, plateau]) == pytest.approx(law, rel=0.1)
        assert values[:, plateau].std() == pytest.approx(law, rel=0.1)


@pytest.mark.parametrize("half_width", [1.0, 2.0, 3.0])
def test_edge_of_a_step(half_width: float) -> None:
    """From 10 to 2 MPa; 10 to 90 % within 1.1 half-widths."""
    step = Generator(
        curves=100,
        samples=2048,
        spacing=0.1,
        noise=0.05,
        lateral_noise=1.0,
        stack=((20.0, 10 + 3j), (20.0, 2 + 1j)),
        top=40.0,
    )
    recipe = nrm.Recipe().replace(half_width=half_width * NM, step=0.1 * NM, stop=30 * NM)
    results = nrm.process(step.make()[0], recipe)
    z = results["depth"].values / NM
    around = (z > 12.0) & (z < 28.0)
    fallen = (10.0 - results["storage_modulus"].values[:, around].mean(0) / MPA) / 8.0
    low, middle, high = np.interp([0.1, 0.5, 0.9], fallen, z[around])
    assert high - low <= 1.1 * half_width
    assert middle == pytest.approx(20.0, abs=0.1)


@pytest.mark.parametrize("direction", ["approach", "retract"])
def test_lag_of_the_lock_in(direction: str) -> None:
    """Two poles of 2 ms at 300 nm/s are 1.2 nm behind."""
    curves = Generator(**LAGS, retract=True)
    recipe = nrm.Recipe().replace(direction=direction)
    for values, _, truth in profiles(curves, recipe):
        for place in PLATEAU & (Z > 4.0) & (Z < 6.0), (Z > 10.0) & (Z < 18.0), (Z > 22.0):
            assert abs(np.nanmean((values - truth)[:, place & (Z < 45.0)])) <= 0.4


def test_lag_is_taken_out_as_a_whole() -> None:
    """A lever that nothing bends goes 1.2 nm on meanwhile."""
    found = []
    for lag in (True, False):
        recipe = nrm.Recipe().replace(lag=lag)
        values, _, _ = profiles(Generator(**LAGS, kind="none"), recipe)[0]
        around = (Z > 5.0) & (Z < 11.0)
        fallen = (10.0 - np.nanmean(values[:, around], 0)) / 8.0
        found.append(np.interp(0.5, fallen, Z[around]))
    assert found[0] == pytest.approx(8.0, abs=0.15)
    assert found[0] - found[1] == pytest.approx(1.2, abs=0.2)


def test_noise_free_recovery() -> None:
    uniform = Generator(curves=20, noise=0.0, lateral_noise=0.0, top=60.0, stack=((60.0, 10 + 3j),))
    for values, _, truth in profiles(uniform):
        inside = (Z > 3.0) & (Z < 55.0)
        np.testing.assert_allclose(values[:, inside], np.tile(truth[inside], (20, 1)), rtol=1e-3)


def test_noise_free_recovery_of_1_gpa() -> None:
    stiff = Generator(
        curves=20,
        noise=0.0,
        lateral_noise=0.0,
        top=60.0,
        wall="stick",
        stack=((60.0, 1000 + 100j),),
        stiffness=30.0,
    )
    for values, _, truth in profiles(stiff):
        inside = (Z > 3.0) & (Z < 55.0)
        np.testing.assert_allclose(values[:, inside], np.tile(truth[inside], (20, 1)), rtol=1e-2)
