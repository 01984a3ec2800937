"""Errors of contacts hold the truth where noise is slow, fringes are taken out, walls are short."""

from __future__ import annotations

import numpy as np
import pytest
from laboratory_campaigns import (
    LAYERS,
    contact_case,
    contacts,
    fringe_case,
    moduli,
    moduli_case,
    quiet,
    wall_of,
)
from nrm_laboratory import Laboratory

import nrm_plugin as nrm
from nrm_plugin.engine.sampled_curves import evidence

SEEDS = range(51, 53)


def test_slow_noise_is_named_and_in_the_errors() -> None:
    """1/f of 0.3 nm: errors of white noise held 70 % of contacts and of E'."""
    laboratory = Laboratory(seed=51, flicker=0.3, hum=0.2)
    curves, truth = laboratory.make()
    with quiet():
        results = nrm.process(curves)
    contact, near = contacts(results, truth.contact), moduli(results, laboratory)
    assert contact.cover > 88.0
    assert near.storage_cover > 86.0
    assert near.loss_cover > 88.0
    checks = {check.name: check for check in nrm.check(results)}
    assert checks["baseline"].verdict == "doubtful"
    assert "slow" in checks["baseline"].advice


def test_white_noise_is_not_slow() -> None:
    curves, _ = Laboratory(seed=51, noise=0.3, lateral=False, retract=False).make()
    found = evidence(curves, nrm.Recipe()).processed.survey
    assert found.contact_scatter == 0.0
    assert {check.name: check for check in nrm.check(curves)}["baseline"].verdict == "fine"


@pytest.mark.parametrize(("amplitude", "period"), [(1.0, 200.0), (1.0, 260.0)])
def test_errors_hold_what_a_fringe_leaves(amplitude: float, period: float) -> None:
    """Of its period, and of its sine and cosine in each curve: 79 to 88 % were held without."""
    found = fringe_case(amplitude, period, SEEDS)
    assert found.rms < 0.15
    assert found.cover > 88.0


def test_the_period_s_error_is_that_of_its_scatter() -> None:
    """Over data sets the period's error over its standard error is about 1."""
    ratios = []
    for seed in range(60, 72):
        curves, _ = Laboratory(
            curves=32,
            seed=seed,
            lateral=False,
            retract=False,
            fringe=0.5,
            fringe_period=200.0,
            fringe_uneven=0.3,
        ).make()
        fringe = evidence(curves, nrm.Recipe()).processed.survey.fringe
        ratios.append((fringe.wave - 2e9 * np.pi / 200.0) / fringe.wave_stderr)
    assert 0.4 < np.sqrt(np.mean(np.square(ratios))) < 2.0


@pytest.mark.parametrize("layer", ["20 nm, 3 nN", "steric 3 nN, 5 nm", "20 nm, 20 GPa"])
def test_errors_of_short_walls_hold_the_tail_of_the_layer(layer: str) -> None:
    """8 nm of wall and 0.5 nm of noise: the pooled slope is that of a window with the layer's tail,
    which half of the window shows.
    """
    changes = LAYERS[layer]
    short = changes | {"noise": 0.5, "trigger": wall_of(changes, 8.0)}
    found = contact_case(short, range(71, 74), line="electrode" in changes)
    assert found.cover > 86.0


def test_clean_moduli_stay_as_they_are() -> None:
    found = moduli_case("exact", range(51, 52))
    assert abs(found.storage) < 2.0
    assert 90.0 < found.storage_cover < 98.0
