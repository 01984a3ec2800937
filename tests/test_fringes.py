"""Fringes of interference whose amplitudes differ between curves; no seed was tuned on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from laboratory_campaigns import contact_and_said
from nrm_generator import NM, Generator
from nrm_laboratory import Laboratory

from nrm_plugin.engine.contact import Referenced, find_contacts
from nrm_plugin.engine.signals import parts, plan, read_block
from nrm_plugin.engine.survey import Survey, survey
from nrm_plugin.recipe import Recipe
from nrm_plugin.variables import BIT


def referred(**settings: Any) -> tuple[Survey, Referenced, np.ndarray]:
    """Survey, contacts and their errors in nm."""
    curves, truth = Generator(**{"curves": 100, "lateral": False, **settings}).make()
    curves, how = plan(curves)
    block = read_block(curves, how, parts(curves, "approach"), slice(None), "approach")
    found = survey(block, interference=True, spikes=True)
    contacts = find_contacts(block, how, Recipe().contact, found)
    return found, contacts, (contacts.contacts["contact"] - truth.contact) / NM


@pytest.mark.parametrize(
    ("amplitude", "period"),
    [(0.4, 100.0), (0.5, 130.0), (0.7, 180.0), (1.0, 260.0), (0.25, 260.0)],
)
def test_amplitudes_of_each_curves_own(amplitude: float, period: float) -> None:
    """+-60 %, 2 pi a / T up to 0.025, baselines of 0.91 periods and more."""
    found, _, error = referred(fringe=amplitude, fringe_period=period, uneven=0.6, seed=2041)
    assert 2 * np.pi / found.wave / NM == pytest.approx(period, rel=0.05)
    assert np.sqrt(np.mean(error**2)) <= 0.35
    assert np.abs(error).max() < 2.0


@pytest.mark.parametrize(("amplitude", "period"), [(1.0, 100.0), (2.0, 130.0), (2.0, 260.0)])
def test_steeper_ones(amplitude: float, period: float) -> None:
    _, contacts, error = referred(fringe=amplitude, fringe_period=period, uneven=0.6, seed=2042)
    near = np.abs(error) <= 1.0
    assert near.mean() >= 0.95
    assert (contacts.quality[~near] & ~BIT["missing_lateral"]).all()


@pytest.mark.parametrize("baseline", [20.0, 35.0, 60.0, 120.0, 240.0])
def test_none_is_taken_out_where_there_is_none(baseline: float) -> None:
    for seed in range(4):
        made = {"samples": int((baseline + 70.0) / 0.3), "curves": 60}
        found, contacts, _ = referred(seed=2050 + seed, **made)
        assert found.wave == 0.0
        assert not (contacts.quality & BIT["structure"]).all()


@pytest.mark.parametrize("periods", [0.45, 0.6, 0.75])
def test_what_the_baseline_holds_too_little_of_is_flagged(periods: float) -> None:
    """It is taken out where that leaves nothing but noise, and said to be in doubt."""
    made = {"fringe": 1.0, "fringe_period": 237.0 / periods, "uneven": 0.6, "seed": 2043}
    found, contacts, error = referred(**made)
    assert np.sqrt(np.mean(error**2)) <= 0.5
    assert found.fringe.left > 0.0
    assert (contacts.quality & BIT["structure"]).all()


@pytest.mark.parametrize("reach", [20.0, 30.0])
def test_the_tail_of_a_layer_is_no_fringe(reach: float) -> None:
    """A force that dies out over the baseline resembles less than one period of a sine."""
    made = {"push": "exponential", "push_range": reach, "push_force": 5.0, "trigger": 60.0}
    found, _ = contact_and_said({"seed": 61, "samples": 1024, "spacing": 250 / 1024, **made})
    assert found.rms < 2.0
    curves, _ = Laboratory(seed=61, samples=1024, spacing=250 / 1024, **made).make()
    curves, how = plan(curves)
    block = read_block(curves, how, parts(curves, "approach"), slice(None), "approach")
    shared = survey(block, interference=True, spikes=True).fringe
    assert shared.wave == shared.left == 0.0
