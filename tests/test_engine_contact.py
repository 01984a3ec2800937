"""Contact referencing against the simulator's truth; deflection noise and errors in nm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nrm_plugin import simulate as sim
from nrm_plugin.engine.compiled import Crossing, reference
from nrm_plugin.engine.contact import Referenced, find_contacts
from nrm_plugin.engine.signals import Block, parts, plan, read_block, sampled_blocks
from nrm_plugin.engine.survey import survey
from nrm_plugin.errors import MissingCalibration
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe
from nrm_plugin.tables import SEGMENT
from nrm_plugin.variables import BIT

NM = 1e-9


def layer(thickness: float, force: float, **settings: float) -> sim.Interphase:
    return sim.Interphase((sim.Layer(thickness * NM, 2e6 + 1e6j),), force * 1e-9, **settings)


def ramp(trigger: float = 50.0, **settings: float) -> sim.Ramp:
    return sim.Ramp(length=307 * NM, trigger=trigger * NM, retract=False, **settings)


def noise(sigma: float, **settings: float) -> sim.Detector:
    return sim.Detector(deflection_noise=sigma * NM, lateral_noise=1e-12, **settings)


def block_of(curves: CurveSet, direction: str = "approach") -> Block:
    curves, how = plan(curves)
    return read_block(curves, how, parts(curves, direction), slice(None), direction)


def refer(curves: CurveSet, recipe: Recipe | None = None) -> Referenced:
    contact = (recipe or Recipe()).contact
    block = block_of(curves)
    found = survey(block, interference=contact.interference, spikes=contact.spikes)
    return find_contacts(block, plan(curves)[1], contact, found)


def errors(
    sample: sim.Sample,
    way: sim.Ramp,
    detector: sim.Detector,
    n: int = 300,
    recipe: Recipe | None = None,
) -> tuple[np.ndarray, Referenced, sim.Truth]:
    curves, truth = sim.simulate(
        sample, sim.Instrument(detector=detector), way, n_curves=n, seed=11
    )
    found = refer(curves, recipe)
    return (found.contacts["contact"] - truth.contact_height) / NM, found, truth


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def flagged(found: Referenced, name: str) -> np.ndarray:
    return (found.quality & BIT[name]) != 0


@pytest.mark.parametrize(
    ("interphase", "sigma", "trigger", "limit"),
    [
        (sim.Interphase(), 0.1, 50, 0.12),
        (layer(20, 3), 0.1, 50, 0.12),
        (layer(20, 3), 0.5, 50, 0.20),
        (layer(60, 9), 0.2, 56, 0.15),
        (layer(20, 3), 0.2, 18, 0.40),
        (layer(60, 9), 0.2, 38, 0.40),
        (layer(20, 6, decay=6 * NM), 0.2, 50, 0.15),
    ],
)
def test_finds_the_electrode_below_a_layer(
    interphase: sim.Interphase, sigma: float, trigger: float, limit: float
) -> None:
    error, _, _ = errors(sim.Sample(interphase), ramp(trigger), noise(sigma))
    assert rms(error) <= limit
    assert np.abs(error).max() < 3.0


def test_mixed_layers_and_clean_curves_carry_no_flag() -> None:
    sample = sim.Sample(layer(20, 3), thickness_spread=0.5)
    error, found, _ = errors(sample, ramp(), noise(0.2))
    assert rms(error) <= 0.15
    assert np.mean(found.quality == 0) >= 0.95


@pytest.mark.parametrize("period", [120.0, 260.0])
def test_takes_a_fringe_away_that_all_curves_share(period: float) -> None:
    detector = noise(0.2, fringe=0.5 * NM, fringe_period=period * NM)
    error, _, _ = errors(sim.Sample(layer(20, 3)), ramp(), detector)
    assert rms(error) <= 0.25
    untreated = Recipe().replace(interference=False)
    error, _, _ = errors(sim.Sample(layer(20, 3)), ramp(), detector, recipe=untreated)
    assert rms(error) > 0.5


def test_slow_noise_is_not_taken_for_a_fringe() -> None:
    curves, _ = sim.simulate(
        sim.Sample(layer(20, 3)),
        sim.Instrument(detector=noise(0.2, flicker=0.3 * NM)),
        ramp(),
        n_curves=200,
        seed=2,
    )
    assert survey(block_of(curves), interference=True, spikes=True).wave == 0.0


def test_spikes_do_not_move_the_contact() -> None:
    error, found, truth = errors(sim.Sample(layer(20, 3)), ramp(), noise(0.2, glitches=0.5))
    assert rms(error) <= 0.20
    assert np.mean(flagged(found, "spikes")[truth.glitched]) >= 0.95
    assert np.mean(flagged(found, "spikes")[~truth.glitched]) <= 0.05


def test_soft_substrate_is_referenced_to_its_own_wall() -> None:
    sample = sim.Sample(layer(20, 3), sim.Electrode(modulus=1e9, tip_radius=10 * NM))
    error, _, _ = errors(sample, ramp(), noise(0.2))
    assert abs(error.mean()) <= 0.3


@pytest.mark.parametrize("sigma", [0.1, 0.5])
@pytest.mark.parametrize("interphase", [layer(20, 3), layer(60, 9)])
def test_a_ramp_that_stops_in_the_layer_is_told(sigma: float, interphase: sim.Interphase) -> None:
    error, found, truth = errors(sim.Sample(interphase), ramp(stop_inside=0.3), noise(sigma), n=400)
    stopped = ~truth.came_through
    assert np.mean(flagged(found, "no_hard_contact")[stopped]) >= 0.98
    assert np.mean(flagged(found, "no_hard_contact")[~stopped]) <= 0.01
    assert rms(error[~stopped]) <= 0.2


def test_saturation_is_told_and_left_out() -> None:
    detector = sim.Detector(deflection_noise=0.2 * NM, full_scale=1.5)
    error, found, _ = errors(sim.Sample(layer(20, 3)), ramp(60), detector)
    assert np.mean(flagged(found, "saturated")) >= 0.98
    assert rms(error) <= 0.4


def test_two_exact_lines_reach_the_cramer_rao_bound() -> None:
    """Windows known, slopes free: variance = s^2 / (b1 - b2)^2 (sum of 1/n + (xc - mean)^2 / S)."""
    rng = np.random.default_rng(5)
    n, curves, sigma = 1000, 3000, 0.2
    x = np.linspace(300.0, -50.0, n)
    exact = np.where(x < 0, -x, 0.0)
    begin = np.arange(curves + 1) * n
    y = (exact + sigma * rng.standard_normal((curves, n))).reshape(-1)
    crossing = Crossing(two_lines=True, baseline=0.8, wall=0.2, spikes=False)
    contacts, _ = reference(begin, np.tile(x, curves), y, crossing)
    base, wall = x[:800], x[exact > 0.2 * exact.max()]
    bound = sum(1 / len(w) + w.mean() ** 2 / np.sum((w - w.mean()) ** 2) for w in (base, wall))
    std = contacts["contact"].std()
    assert std == pytest.approx(sigma * np.sqrt(bound), rel=0.05)
    assert np.median(contacts["stderr"]) == pytest.approx(sigma * np.sqrt(bound), rel=0.05)


def test_a_shift_of_everything_changes_nothing() -> None:
    curves, _ = sim.simulate(
        sim.Sample(layer(20, 3)), sim.Instrument(detector=noise(0.2)), ramp(), n_curves=50
    )
    block = block_of(curves)
    found = survey(block, interference=True, spikes=True)
    moved = replace(block, height=block.height + 500 * NM)
    contact = Recipe().contact
    here = find_contacts(block, plan(curves)[1], contact, found).contacts["contact"]
    there = find_contacts(moved, plan(curves)[1], contact, found).contacts["contact"]
    np.testing.assert_allclose(there - here, 500 * NM, atol=1e-15)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d * np.nan,
        lambda d: d * 0.0,
        lambda d: d[:1],
        lambda d: d[:0],
        lambda d: np.where(np.arange(len(d)) == 500, np.inf, d),
    ],
    ids=["nan", "constant", "one sample", "empty", "one infinite"],
)
def test_a_spoilt_curve_is_flagged_and_others_are_not_touched(spoil: object) -> None:
    good, _ = sim.simulate(
        sim.Sample(layer(20, 3)), sim.Instrument(detector=noise(0.2)), ramp(), n_curves=60
    )
    rows = [good.read("deflection", i) for i in range(60)]
    heights = [good.read("height", i) for i in range(60)]
    rows[2] = spoil(rows[2])  # type: ignore[operator]
    heights[2] = heights[2][: len(rows[2])]
    sizes = [len(r) for r in rows]
    ends = np.cumsum([0, *sizes])
    segments = np.array(
        [(i, 0, n, "approach") for i, n in enumerate(sizes)],
        [("curve", "i8"), ("start", "i8"), ("stop", "i8"), ("kind", "U10")],
    )
    spoilt = CurveSet.from_arrays(
        {"height": (np.concatenate(heights), "m"), "deflection": (np.concatenate(rows), "m")},
        row_size=sizes,
        segments=segments,
    )
    found = refer(spoilt)
    assert flagged(found, "no_hard_contact")[2]
    alone = refer(good)
    others = np.delete(np.arange(60), 2)
    assert ends[-1] == spoilt.n_samples
    np.testing.assert_allclose(
        found.contacts["contact"][others], alone.contacts["contact"][others], atol=0.02 * NM
    )


def test_missing_calibration_names_every_key() -> None:
    curves = CurveSet.from_arrays(
        {
            name: (np.zeros((1, 10)), "V")
            for name in ("deflection", "lateral_in_phase", "lateral_quadrature")
        }
        | {"height": (np.zeros((1, 10)), "m")}
    )
    with pytest.raises(MissingCalibration) as caught:
        plan(curves)
    assert set(caught.value.keys) == {
        "deflection_sensitivity",
        "dither_amplitude",
        "lockin_convention",
        "lateral_sensitivity",
        "lateral_stiffness",
    }


@pytest.mark.parametrize("together", [1, 1000, 1 << 20])
def test_sampled_blocks_are_spread_evenly_and_hold_the_direction_asked_for(together: int) -> None:
    """The last curve has no retract: of the eleven others, five."""
    n, length = 12, 40
    height = np.arange(n)[:, None] * 1e-6 + np.abs(np.arange(length) - length // 2) * NM
    curves = CurveSet.from_arrays(
        {"height": (height, "m"), "deflection": (height / 2.0, "m")},
        segments=np.array(
            [
                (curve, start, start + 20, kind)
                for curve in range(n)
                for kind, start in (("approach", 0), ("retract", 20))[: 1 if curve == n - 1 else 2]
            ],
            SEGMENT,
        ),
    )
    how = plan(curves)[1]
    found = list(sampled_blocks(curves, how, "retract", most=5, samples=together))
    assert np.concatenate([numbers for numbers, _ in found]).tolist() == [0, 2, 5, 8, 10]
    for numbers, raw in found:
        block = raw.gathered()
        np.testing.assert_array_equal(block.height, height[numbers, :19:-1].ravel())
        np.testing.assert_array_equal(block.deflection, height[numbers, :19:-1].ravel() / 2.0)
    every = [numbers for numbers, _ in sampled_blocks(curves, how, "approach", samples=together)]
    assert np.concatenate(every).tolist() == list(range(n))
    assert (len(every) == n) == (together == 1)
