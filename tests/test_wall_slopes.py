"""The sensitivity that walls show, whatever was told, and walls that give way; no seed tuned on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nrm_generator import NM, Generator, rms
from nrm_laboratory import Laboratory

from nrm_plugin.engine.compiled import reference
from nrm_plugin.engine.contact import crossing_for
from nrm_plugin.engine.signals import Block, parts, plan, read_block
from nrm_plugin.engine.survey import Survey, survey
from nrm_plugin.engine.wall_slopes import wall_modes
from nrm_plugin.recipe import Recipe


def block_of(*made: Generator, told: float = 1.0) -> Block:
    """Curves of generators one behind the other, in units of a sensitivity wrong by a factor."""
    blocks = []
    for one in made:
        curves, how = plan(one.make()[0])
        blocks.append(read_block(curves, how, parts(curves, "approach"), slice(None), "approach"))
    lengths = np.concatenate([block.lengths for block in blocks])
    return Block(
        begin=np.concatenate([[0], np.cumsum(lengths)]),
        height=np.concatenate([block.height for block in blocks]),
        deflection=np.concatenate([block.deflection for block in blocks]) * told,
        in_phase=np.empty(0),
        quadrature=np.empty(0),
        travel=np.concatenate([block.travel for block in blocks]),
        interval=np.concatenate([block.interval for block in blocks]),
        direction="approach",
    )


def without_lateral(**settings: Any) -> Generator:
    return Generator(**{"curves": 60, "lateral": False, "seed": 2026, **settings})


def surveyed(*made: Generator, told: float = 1.0) -> Survey:
    return survey(block_of(*made, told=told), interference=False, spikes=True)


@pytest.mark.parametrize("told", [0.55, 1 / 1.4, 0.9, 1.0, 1.1, 1.4, 1.9])
def test_the_walls_say_what_the_sensitivity_is(told: float) -> None:
    """Up to a factor of two either way, and whether or not some ramps end in a layer."""
    stops = list(np.random.default_rng(7).uniform(1.0, 12.0, 20))
    for made in (
        [without_lateral()],
        [without_lateral(), without_lateral(curves=20, stops_at=stops)],
    ):
        found = surveyed(*made, told=told)
        assert found.walls
        assert found.slope == pytest.approx(-told, rel=0.003)


@pytest.mark.parametrize("told", [1.0, 1.4])
@pytest.mark.parametrize("soft", [0.3, 0.7])
def test_electrodes_that_give_way_do_not_count(soft: float, told: float) -> None:
    """1 GPa among 20 GPa: slopes of about 0.96, smaller at small loads, and 0.994."""
    hard = surveyed(without_lateral(substrate=20.0), told=told)
    n = round(100 * soft)
    both = surveyed(
        without_lateral(substrate=20.0, curves=100 - n),
        without_lateral(substrate=1.0, curves=n, seed=3),
        told=told,
    )
    assert both.slope == pytest.approx(hard.slope, abs=0.002 * told)
    assert len(both.modes) == 2
    assert both.hard_share == pytest.approx(1.0 - soft, abs=0.05)
    assert both.modes[1].slope == pytest.approx(-0.962 * told, abs=0.008 * told)
    assert len(hard.modes) == 1


@pytest.mark.parametrize(("force", "top", "stops_at"), [(9.0, 20.0, 8.0), (9.0, 30.0, 4.0)])
def test_curved_layers_are_no_walls(force: float, top: float, stops_at: float) -> None:
    """All ramps end in the same layer at the same force: slopes agree, but are not straight."""
    assert not surveyed(without_lateral(force=force, top=top, stops_at=stops_at)).walls


def test_contacts_of_electrodes_that_give_way() -> None:
    """Each kind is fitted with the slope of its own."""
    block = block_of(
        without_lateral(substrate=20.0, curves=70), without_lateral(substrate=1.0, curves=30)
    )
    truth = np.concatenate(
        [
            without_lateral(substrate=20.0, curves=70).make()[1].asymptote,
            without_lateral(substrate=1.0, curves=30).make()[1].asymptote,
        ]
    )
    found = survey(block, interference=False, spikes=True)
    crossing = crossing_for(Recipe().contact, found)
    contacts, _ = reference(block.begin, block.height, block.deflection, crossing)
    assert rms((contacts["contact"] - truth) / NM) <= 0.2


@pytest.mark.parametrize("friction", [0.04, -0.04])
def test_friction_that_turns_around_is_no_wall(friction: float) -> None:
    """After the turn, within 3 nm, slopes are between -2.4 and 0.4."""
    curves, _ = Laboratory(
        curves=40, lever_friction=friction, turns_over=3.0, retract=True, seed=2027
    ).make()
    curves, how = plan(curves)
    block = read_block(curves, how, parts(curves, "retract"), slice(None), "retract")
    found = survey(block, interference=False, spikes=True)
    assert found.slope == pytest.approx(-1.0 + friction, abs=0.015)
    assert 3e-9 < found.turn < 18e-9


def test_noise_is_no_mode() -> None:
    """In 60 sets of one kind of wall at most 4 show two (binomial: 0.02 would give 6 in 0.1 %)."""
    random = np.random.default_rng(2026)
    several = 0
    for _ in range(60):
        errors = random.uniform(0.001, 0.01, 200)
        several += len(wall_modes(-1.0 + errors * random.standard_normal(200), errors)) > 1
    assert several <= 4
