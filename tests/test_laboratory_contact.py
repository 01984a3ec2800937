"""Contacts in the laboratory: errors that hold, fringes, drag, lag, and the finite elements.

Deep figures: ``python benchmarks/laboratory.py contact fringes drag lag films shape``.
"""

from __future__ import annotations

from typing import Any

import pytest
from laboratory_campaigns import (
    LAGS,
    LAYERS,
    contact_and_said,
    contact_case,
    finite_elements,
    fringe_case,
    fringe_free,
    moduli_and_said,
    short_fringe,
    wall_of,
)

SEED = 30_000


@pytest.mark.parametrize("name", LAYERS)
def test_contacts_are_near_and_their_errors_hold(name: str) -> None:
    changes = LAYERS[name]
    deep = {"trigger": wall_of(changes, 50.0)}
    found = contact_case(changes | deep, [SEED], line="electrode" in changes)
    assert found.missing == 0.0
    assert found.rms < 0.12
    assert found.cover >= 88.0


@pytest.mark.parametrize(("amplitude", "period"), [(0.5, 130.0), (1.0, 260.0), (2.0, 130.0)])
def test_uneven_fringes_are_taken_out(amplitude: float, period: float) -> None:
    found = fringe_case(amplitude, period, [SEED])
    assert found.rms < 0.35
    assert found.unflagged_2 == 0.0


@pytest.mark.parametrize("baseline", [20.0, 50.0, 150.0])
def test_no_fringe_is_taken_out_where_there_is_none(baseline: float) -> None:
    found, taken = fringe_free(baseline, SEED)
    assert not taken
    assert found.off_1 == 0.0
    # 20 nm hold 67 samples of 0.2 nm noise beside a layer's tail: 0.3 to 0.4 nm, and flagged
    assert found.rms < 0.3 or found.flagged == 100.0


def test_fringe_that_the_baseline_cannot_carry_is_flagged() -> None:
    found, flagged = short_fringe(400.0, 200.0, SEED)
    assert flagged
    assert found.unflagged_2 == 0.0


@pytest.mark.parametrize(
    ("drag", "on_wall", "drift"), [(0.5, 0.0, 0.0), (5.0, 0.0, 0.0), (2.0, -0.1, 1.0)]
)
def test_contacts_are_freed_from_drag(drag: float, on_wall: float, drift: float) -> None:
    changes = {"drag": drag, "drag_on_wall": on_wall, "drift": drift, "seed": SEED}
    found, said = contact_and_said(changes)
    assert found.rms < 0.3
    assert said.checks["drag"][0] in ("fine", "doubtful")


@pytest.mark.parametrize(
    ("case", "verdicts"),
    [
        ("told, 1.2 nm (2 ms x 2)", ("fine",)),
        ("not told, 5 nm", ("doubtful", "wrong")),
        ("10 ms told for 1 ms", ("doubtful", "wrong")),
        ("poles 1 told for 4 (2 ms)", ("doubtful", "wrong")),
        ("stringing layer (1.3)", ("fine", "unknown")),
        ("stringing layer (1.6), adhesion", ("fine", "unknown")),
    ],
)
def test_lags_are_found_and_none_is_invented(case: str, verdicts: tuple[str, ...]) -> None:
    changes: dict[str, Any] = {"curves": 32, "seed": SEED, **LAGS[case]}
    assert moduli_and_said(changes)[1].verdict("lockin_lag") in verdicts


def test_moduli_are_those_of_the_finite_elements_and_apparent_near_the_electrode() -> None:
    rows = finite_elements(SEED)
    for distance, found, apparent, layer, text in rows:
        if 3.0 < float(distance) < 35.0:
            assert found == pytest.approx(apparent, rel=0.12)
        if float(distance) <= 10.0:
            assert found > 2.0 * layer
        assert "apparent" in text
        assert "10 nm" in text
