"""What processing refuses or says where files, curves or surveys are others than expected."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nrm_generator import Generator, parts_of

import nrm_plugin as nrm
from nrm_plugin.decisions import ContactByHand, Decision, Decisions
from nrm_plugin.engine.contacts_by_hand import decisions_of, notes
from nrm_plugin.engine.ensemble import Ensemble
from nrm_plugin.engine.kept_survey import KeptSurvey
from nrm_plugin.engine.shape_factor import shape_factor
from nrm_plugin.engine.stand_ins import with_stand_ins
from nrm_plugin.engine.surface import slope_of_places
from nrm_plugin.engine.whole import rows_of
from nrm_plugin.engine.workbench import Workbench
from nrm_plugin.errors import MissingCalibration, MissingFile, NrmError

BARE = nrm.CurveSet.from_arrays({"height": (np.zeros((1, 4)), "m")})
DEPTH = np.array([1e-9, 2.5e-9, 5e-9])


def refuses(call: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(NrmError) as caught:
        call()
    assert str(caught.value) == sentence


# Shape factors

RISING = "a curve of a shape factor has rising distances and positive values"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 2 3\n4 5 6\n", "two columns are needed, distance and shape factor"),
        ("", "two columns are needed, distance and shape factor"),
        ("# nothing\n\n", "two columns are needed, distance and shape factor"),
        ("distance (nm),r\n4,1\n1,2\n", RISING),
        ("1e-9 -1\n2e-9 1\n", RISING),
        ("1e-9 nan\n2e-9 1\n", RISING),
        ("1e-9 2\n", RISING),
        (
            "distance,r\n1,2\n4,3\n",
            "a distance of 4 m; say which unit the first column has, distance (nm)",
        ),
    ],
)
def test_shape_factors_that_are_none(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text, encoding="utf-8")
    refuses(lambda: shape_factor(str(path), BARE, DEPTH), f"{path}: {sentence}")


@pytest.mark.parametrize("text", ["1e-9 1.3\n4e-9 2.5\n", "distance (nm);r\n1;1.3\n4;2.5\n"])
def test_shape_factors_of_text_are_interpolated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text, encoding="utf-8")
    np.testing.assert_allclose(shape_factor(str(path), BARE, DEPTH).values, [1.3, 1.9, np.nan])


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf])
def test_shape_factors_of_metadata(value: float) -> None:
    refuses(
        lambda: shape_factor(value, BARE, DEPTH),
        f"shape_factor: {value:g} is no shape factor; it is a positive number",
    )
    told = BARE.with_metadata({"shape_factor": 1.5}, "test")
    assert shape_factor("paper", told, DEPTH).values.tolist() == [1.5] * 3
    assert shape_factor("paper", BARE, DEPTH).values.tolist() == [1.25] * 3


# Curves and decisions


@pytest.fixture(scope="module")
def approaches() -> nrm.CurveSet:
    channels, metadata = parts_of(
        Generator(curves=4, samples=600, stiffness=20.0, retract=False).make()[0]
    )
    return nrm.CurveSet.from_arrays(channels, metadata=metadata)


def test_curves_that_are_not_there(approaches: nrm.CurveSet) -> None:
    bench = Workbench(approaches)
    for number in (-1, 4):
        refuses(lambda n=number: bench.curve(n), f"there is no curve {number}: there are 4")
    refuses(
        lambda: bench.curve(1, direction="retract"),
        "no curve has a part that is called retract",
    )


def test_decisions_by_path(approaches: nrm.CurveSet, tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    with pytest.raises(MissingFile) as caught:
        decisions_of(approaches, None, missing)
    assert str(caught.value) == f"{missing}: there is no such file of decisions"
    path = tmp_path / "curves.h5"
    approaches.save(path)
    curves = nrm.open(path)
    out = tmp_path / "out.h5"
    made = Decisions.for_results(nrm.process(curves), out).with_decision(
        Decision(decision="exclude", curves=[2], reason="dust")
    )
    made.write()
    (file,) = [p for p in tmp_path.iterdir() if p not in (path, out)]
    for given, where in ((file, None), (str(file), None), (None, out), (made, None)):
        found = decisions_of(curves, where, given)
        assert found is not None
        assert len(found) == 1
    assert decisions_of(curves, out, False) is None


def test_contacts_by_hand_that_are_not_used() -> None:
    hand = ContactByHand(1e-9, 1e-9)
    said = notes({(3, "approach"): hand, (4, "retract"): hand}, ["approach"], {}, [])
    assert said == [
        "1 contact set by hand in a direction of the ramp that is not processed",
        "1 contact set by hand cannot be used: the curve (3) has no baseline",
    ]


# What was learnt before


@pytest.mark.parametrize(
    ("survey", "why"),
    [
        ("", "the results are of a version that kept no survey of its curves"),
        (json.dumps({"version": 999}), "the survey in the results is of a newer version"),
    ],
)
def test_surveys_that_cannot_be_used(survey: str, why: str) -> None:
    assert KeptSurvey.of({"survey": survey}) == (None, why)


def test_rows_of_other_curves_are_not_known(approaches: nrm.CurveSet, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.h5", "b.h5")]
    for path in paths:
        approaches.save(path)
    first, other = map(nrm.open, paths)
    results = nrm.process(first)
    found = rows_of(results, first[np.array([3, 1])])
    assert found is not None
    assert found.tolist() == [3, 1]
    assert rows_of(results, other) is None
    assert rows_of(results.drop_vars("source"), first) is None


def test_directions_that_a_recipe_does_not_have(approaches: nrm.CurveSet) -> None:
    ensemble: Ensemble = Workbench(approaches).ensemble(nrm.Recipe())
    refuses(lambda: ensemble.direction("retract"), "the recipe has no direction retract")


# Slopes and scales


def test_slopes_of_a_plane_and_of_two_places() -> None:
    """A plane that rises by 0.3 per length along x and 0.4 along y: atan(0.5)."""
    row, column = np.divmod(np.arange(25), 5)
    table = {"x": 1e-7 * column, "y": 1e-7 * row, "location": np.full(25, -1)}
    height = 0.3 * table["x"] + 0.4 * table["y"]
    np.testing.assert_allclose(slope_of_places(table, height, {}), np.arctan(0.5), rtol=1e-9)
    two = table | {"location": row % 2}
    assert np.isnan(slope_of_places(two, height, {})).all()
    assert np.isnan(slope_of_places(table, height, {"height_source": "commanded"})).all()


def wall(channel: str, unit: str, per_m: float, kind: str = "approach") -> nrm.CurveSet:
    """Two curves whose signal rises by `per_m` on 40 nm of wall."""
    height = np.linspace(200e-9, -40e-9, 481)
    height = height if kind == "approach" else height[::-1]
    signal = per_m * np.maximum(-height, 0.0)
    segments = np.array(
        [(i, 0, 481, kind) for i in range(2)],
        [("curve", "i4"), ("start", "i4"), ("stop", "i4"), ("kind", "U10")],
    )
    zero = np.zeros((2, 481))
    return nrm.CurveSet.from_arrays(
        {
            "height": (np.tile(height, (2, 1)), "m"),
            channel: (np.tile(signal, (2, 1)), unit),
            "lateral_in_phase": (zero, "V"),
            "lateral_quadrature": (zero, "V"),
        },
        segments=segments,
    )


@pytest.mark.parametrize("kind", ["approach", "retract"])
def test_walls_give_the_scale_that_nobody_told(kind: str) -> None:
    """40 mV per nm are 25 nm/V; 0.3 nN per nm are 0.3 N/m."""
    curves, missing = with_stand_ins(wall("deflection", "V", 40e6, kind))
    assert "deflection_sensitivity" in missing
    assert curves.metadata["deflection_sensitivity"] == pytest.approx(25e-9)
    curves, missing = with_stand_ins(wall("force_normal", "N", 0.3, kind))
    assert "spring_constant" in missing
    assert curves.metadata["spring_constant"] == pytest.approx(0.3)


@pytest.mark.parametrize(("channel", "unit"), [("deflection", "V"), ("force_normal", "N")])
def test_without_a_wall_there_is_no_scale(channel: str, unit: str) -> None:
    with pytest.raises(MissingCalibration):
        with_stand_ins(wall(channel, unit, 0.0))
