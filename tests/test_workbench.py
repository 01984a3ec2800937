"""One curve at a time gives what all curves give, and a contact moved by hand moves all of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nrm_generator import Generator, parts_of

import nrm_plugin as nrm
from nrm_plugin.decisions import ContactByHand
from nrm_plugin.engine.workbench import Workbench
from nrm_plugin.variables import BIT

#: What needs neighbours, and is in the results only.
OF_PLACES = {"surface_slope"}


def made(**how: Any) -> nrm.CurveSet:
    n = how.setdefault("curves", 48)
    channels, metadata = parts_of(
        Generator(samples=600, stiffness=20.0, retract=True, **how).make()[0]
    )
    place = np.arange(n) % 8 * 50e-9, np.arange(n) // 8 * 50e-9
    return nrm.CurveSet.from_arrays(
        channels, metadata=metadata, curve_table={"x": place[0], "y": place[1]}
    )


@pytest.fixture(scope="module")
def curves() -> nrm.CurveSet:
    return made()


@pytest.mark.parametrize("direction", ["approach", "retract"])
@pytest.mark.parametrize("changes", [{}, {"half_width": "3 nm"}, {"slope": "free"}])
def test_a_curve_is_the_row_of_the_whole(
    changes: dict[str, Any], direction: str, curves: nrm.CurveSet
) -> None:
    recipe = nrm.Recipe().replace(direction="both", **changes)
    whole = nrm.process(curves, recipe).sel(direction=direction)
    whole["quality"] = whole["quality"] & ~BIT["slope_of_surface"]
    bench = Workbench(curves)
    for number in (0, 17, 47):
        one = bench.curve(number, recipe, direction=direction)
        for name, value in one.values.items():
            if name not in OF_PLACES:
                np.testing.assert_array_equal(value, whole[name].values[number], err_msg=name)


def test_a_contact_moved_by_hand_moves_distances(curves: nrm.CurveSet) -> None:
    bench = Workbench(curves)
    found = bench.curve(5)
    same = bench.curve(5, contact=ContactByHand(found.contact_height, 1e-9))
    for name, value in same.values.items():
        if name not in ("contact_height_stderr", "contact_height", "baseline_deflection"):
            np.testing.assert_allclose(value, found.values[name], rtol=1e-4, err_msg=name)
    assert same.contact_height == pytest.approx(found.contact_height, abs=1e-15)
    assert same.contact_height_stderr == 1e-9
    moved = bench.curve(5, contact=found.contact_height - 3e-9)
    np.testing.assert_allclose(moved.distance, found.distance + 3e-9, rtol=0, atol=1e-15)
    step = abs(found.height[-1] - found.height[0]) / (len(found.height) - 1)
    wanted = np.hypot(found.contact_height_stderr, step)
    assert moved.contact_height_stderr == pytest.approx(wanted)
    assert moved.contact_by_hand
    assert not found.contact_by_hand
    assert moved.flags == found.flags
    shift = round(3e-9 / (found.depth[1] - found.depth[0]))
    here, there = (one.values["force_normal"] for one in (found, moved))
    inside = slice(10, 80)
    np.testing.assert_allclose(
        there[inside.start + shift : inside.stop + shift], here[inside], rtol=0.02, atol=2e-11
    )
