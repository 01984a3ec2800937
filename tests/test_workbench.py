"""One curve at a time gives what all curves give, and a contact moved by hand moves all of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nrm_generator import Generator, parts_of
from nrm_laboratory import Laboratory

import nrm_plugin as nrm
from nrm_plugin.decisions import ContactByHand
from nrm_plugin.engine.ensemble import Surveyor
from nrm_plugin.engine.kept_survey import KeptSurvey
from nrm_plugin.engine.workbench import Workbench
from nrm_plugin.variables import BIT, DERIVED

SAMPLES = Path(__file__).resolve().parent.parent / "sample_data"

#: What needs neighbours, and is in the results only.
OF_PLACES = {"surface_slope"}


def made(**how: Any) -> nrm.CurveSet:
    how = {"curves": 48, "samples": 600, "stiffness": 20.0, "retract": True} | how
    n = how["curves"]
    channels, metadata = parts_of(Generator(**how).make()[0])
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


RECIPES: list[dict[str, Any]] = [
    {},
    {"direction": "both"},
    {"direction": "retract", "half_width": "3 nm"},
    {"correct_slope": True, "direction": "both"},
    {"contact": {"method": "two-line"}, "distance": "told"},
    {"drag": "ignored", "direction": "both", "slope": "calibrated"},
    {"phase": "wall"},
]


def equal_rows(part: Any, whole: Any, number: int) -> None:
    assert set(part.data_vars) == set(whole.data_vars)
    for name in whole.data_vars:
        wanted = whole[name].isel(curve=[number]) if "curve" in whole[name].dims else whole[name]
        assert part[name].dtype == wanted.dtype
        np.testing.assert_array_equal(part[name].values, wanted.values, err_msg=str(name))


@pytest.mark.parametrize("changes", RECIPES)
def test_a_part_is_processed_as_in_the_whole(
    changes: dict[str, Any], curves: nrm.CurveSet, tmp_path: Path
) -> None:
    recipe = nrm.Recipe().replace(**changes)
    out = tmp_path / "whole.h5"
    with nrm.process(curves, recipe, out) as whole:
        for number in (5, 47):
            equal_rows(nrm.process(curves[number], recipe, survey=whole), whole, number)
        part = nrm.process(curves[[7, 3]], recipe, survey=out)
        for name in ("checks", "electrode", "warnings", "survey", "distance_rule"):
            assert part.attrs[name] == whole.attrs[name]
        bench = Workbench(curves, survey=out)
        for direction in recipe.directions:
            row = whole.sel(direction=direction) if "direction" in whole.dims else whole
            one = bench.curve(7, direction=direction)
            stored = [name for name in row.data_vars if name not in DERIVED]
            assert set(one.values) == {name for name in stored if "curve" in row[name].dims}
            for name, value in one.values.items():
                np.testing.assert_array_equal(value, row[name].values[7], err_msg=name)


def laboratory(**how: Any) -> nrm.CurveSet:
    curves = Laboratory(curves=60, samples=700, **how).make()[0]
    x, y = np.arange(60) % 10 * 20e-9, np.arange(60) // 10 * 20e-9
    return replace(curves, table_from=lambda: {"x": x, "y": y})


#: Data in which what all curves share matters, and recipes for them.
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "drag": (lambda: laboratory(drag=5.0), {}),
    "drag in both": (lambda: laboratory(drag=5.0, fringe=2.0), {"direction": "both"}),
    "phase of the wall": (
        lambda: laboratory(lateral_drift=0.05 + 0.02j, drag=2.0),
        {"phase": "wall", "correct_slope": True},
    ),
    "Bruker": (lambda: nrm.open(SAMPLES / "bruker/volume-3x5.spm"), {"direction": "both"}),
    "JPK": (lambda: nrm.open(SAMPLES / "jpk/map-2x3.jpk-force-map"), {"correct_slope": True}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_only_all_curves_show_stays_with_each(kind: str, tmp_path: Path) -> None:
    make, changes = KINDS[kind]
    curves, recipe = make(), nrm.Recipe().replace(**changes)
    out = tmp_path / "whole.h5"
    with nrm.process(curves, recipe, out) as whole:
        for number in (0, curves.n_curves // 2, curves.n_curves - 1):
            equal_rows(nrm.process(curves[number], recipe, survey=out), whole, number)
        survey = json.loads(whole.attrs["survey"])
    if "drag" in kind:
        alone = nrm.process(curves[1], recipe)
        drags = {name: one["drag"][0] for name, one in survey["directions"].items()}
        assert abs(drags["approach"]) > 1e-9
        assert alone.attrs["survey"] != whole.attrs["survey"]


@pytest.mark.parametrize(
    "changes",
    [
        {"half_width": "4 nm", "depth": {"stop": "90 nm"}},
        {"contact": {"method": "two-line"}},
        {"interference": False},
        {"direction": "both", "drag": "ignored"},
        {"phase": "wall", "lag": False},
        {"correct_slope": True},
    ],
)
def test_another_recipe_gives_what_it_gives_for_all(
    changes: dict[str, Any], curves: nrm.CurveSet, tmp_path: Path
) -> None:
    out = tmp_path / "whole.h5"
    nrm.process(curves, out=out).close()
    recipe = nrm.Recipe().replace(**changes)
    whole = nrm.process(curves, recipe)
    bench = Workbench(curves, survey=out)
    for direction in recipe.directions:
        row = whole.sel(direction=direction) if "direction" in whole.dims else whole
        one = bench.curve(11, recipe, direction=direction)
        for name, value in one.values.items():
            if name not in OF_PLACES and name != "quality":
                np.testing.assert_array_equal(value, row[name].values[11], err_msg=name)


def test_what_was_learnt_by_another_recipe_is_said(curves: nrm.CurveSet) -> None:
    whole = nrm.process(curves)
    part = nrm.process(curves[3], {"contact": {"slope": "free"}}, survey=whole)
    first = part.attrs["warnings"].splitlines()[0]
    assert first.startswith("what all curves share was learnt with other values of contact.slope")
    same = nrm.process(curves[3], {"derivative": {"method": "savitzky-golay"}}, survey=whole)
    assert same.attrs["warnings"] == whole.attrs["warnings"]


def test_threads_may_ask_at_once(curves: nrm.CurveSet) -> None:
    recipes = [nrm.Recipe().replace(half_width=f"{2 + 0.5 * i} nm") for i in range(4)]
    recipes += [nrm.Recipe().replace(slope="free"), nrm.Recipe().replace(direction="retract")]
    tasks = [(number, recipe) for number in range(0, 48, 5) for recipe in recipes]
    alone = Workbench(curves)
    wanted = [alone.curve(*task).values["storage_modulus"] for task in tasks]
    bench = Workbench(curves)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda task: bench.curve(*task).values["storage_modulus"], tasks))
    np.testing.assert_array_equal(found, wanted)


def test_a_curve_comes_at_once(tmp_path: Path) -> None:
    """Processor time: by the clock a busy machine takes as long as it likes."""
    curves = made(curves=512, samples=2048)
    out = tmp_path / "whole.h5"
    nrm.process(curves, out=out).close()
    bench = Workbench(curves, survey=out)
    bench.warm()

    def taken(recipes: Iterable[Any]) -> float:
        times = []
        for number, recipe in enumerate(recipes):
            began = time.thread_time()
            bench.curve(number, recipe)
            times.append(time.thread_time() - began)
        return float(np.median(times))

    assert taken([None] * 9) < 0.1
    widths = [nrm.Recipe().replace(half_width=f"{2 + 0.1 * i} nm") for i in range(1, 8)]
    assert taken(widths) < 0.2
    walls = [{"contact": {"method": "two-line", "wall": 0.2 + 0.02 * i}} for i in range(7)]
    assert taken(walls) < 0.2


def test_saved_results_keep_the_survey(curves: nrm.CurveSet, tmp_path: Path) -> None:
    whole = nrm.process(curves, {"direction": "retract"})
    nrm.save(whole.isel(curve=slice(4, 30)), tmp_path / "some.h5")
    part = nrm.process(curves[[20, 9]], {"direction": "retract"}, survey=tmp_path / "some.h5")
    np.testing.assert_array_equal(part["loss_modulus"], whole["loss_modulus"][[20, 9]])
    np.testing.assert_array_equal(part["surface_slope"], whole["surface_slope"][[20, 9]])


def test_results_without_a_survey_are_said_and_surveyed_anew(curves: nrm.CurveSet) -> None:
    old = nrm.process(curves)
    del old.attrs["survey"]
    part = nrm.process(curves[[3, 4, 5]], survey=old)
    assert "of a version that kept no survey" in part.attrs["warnings"].splitlines()[0]
    alone = nrm.process(curves[[3, 4, 5]])
    np.testing.assert_array_equal(part["storage_modulus"], alone["storage_modulus"])
    bench = Workbench(curves, survey=old)
    assert "no survey" in bench.notes[0]
    value = bench.curve(7).values["storage_modulus"]
    np.testing.assert_array_equal(value, old["storage_modulus"].values[7])


def test_other_calibrations_are_surveyed_anew(curves: nrm.CurveSet) -> None:
    whole = nrm.process(curves)
    other = curves.with_metadata({"dither_amplitude": 2e-9}, "test")
    part = nrm.process(other[[3, 4]], survey=whole)
    assert "calibrations" in part.attrs["warnings"].splitlines()[0]


def test_a_survey_has_all_its_bits(curves: nrm.CurveSet) -> None:
    recipe = nrm.Recipe().replace(direction="both")
    text = nrm.process(curves, recipe).attrs["survey"]
    kept, why = KeptSurvey.of({"survey": text, "recipe": recipe.to_toml(comments=False)})
    assert kept is not None, why
    again = Surveyor(curves, kept).learn(recipe)
    assert again.attributes["survey"] == text
    assert Surveyor(curves).learn(recipe).attributes["survey"] == text
    assert len(text) < 20_000
