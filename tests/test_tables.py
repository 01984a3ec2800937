"""Segments and the curve table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nrm_plugin import CurveSet, InvalidInput
from nrm_plugin.columns import Rows
from nrm_plugin.tables import SEGMENT, complete_table, locations, regular_segments, segment_array

NAN = float("nan")


def split(*heights: Any) -> list[tuple[int, int, int, str]]:
    """Segments that curves of these heights (nm) are split into."""
    flat = np.concatenate([np.asarray(h, float) for h in heights])
    made = CurveSet.from_arrays({"height": (flat, "nm")}, row_size=[len(h) for h in heights])
    return made.segments.tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("height", "expected"),
    [
        ([3, 2, 1, 2], [(0, 3, "approach"), (3, 4, "retract")]),
        ([3, 2, 1], [(0, 3, "approach")]),
        ([1, 2, 3], [(0, 3, "retract")]),
        ([5, 5, 5], [(0, 3, "other")]),
        ([7], [(0, 1, "other")]),
        ([], []),
        ([3, NAN, 1, 2, NAN], [(0, 3, "approach"), (3, 5, "retract")]),
        ([NAN, NAN], [(0, 2, "other")]),
        ([NAN, 2, 1, 3], [(0, 3, "approach"), (3, 4, "retract")]),
        ([3, -np.inf, 1, 2, np.inf], [(0, 3, "approach"), (3, 5, "retract")]),
        # a turn of less than 5 % of the span is noise
        ([100, 50, 0, 4], [(0, 4, "approach")]),
        ([100, 50, 0, 6], [(0, 3, "approach"), (3, 4, "retract")]),
        ([4, 0, 50, 100], [(0, 4, "retract")]),
    ],
)
def test_turning_point(height: list[float], expected: list[tuple[int, int, str]]) -> None:
    assert [s[1:] for s in split(height)] == expected


def test_turning_point_with_noise() -> None:
    """300 nm ramps with 0.3 nm of noise turn within a sample or two of the end."""
    rng = np.random.default_rng(3)
    ramp = np.concatenate([np.linspace(300, 0, 500), np.linspace(0.6, 300, 400)])
    curves = [ramp + rng.normal(0, 0.3, 900) for _ in range(20)]
    curves.append(np.linspace(300, 0, 500) + rng.normal(0, 0.3, 500))  # an approach alone
    segments = split(*curves)
    assert [s[3] for s in segments] == ["approach", "retract"] * 20 + ["approach"]
    turns = np.array([s[2] for s in segments[:-1:2]])
    assert np.abs(turns - 500).max() <= 2
    assert segments[-1][1:3] == (0, 500)


def test_every_curve_is_split_on_its_own() -> None:
    assert split([3, 1, 2], [], [5, 4], [1, 2, 3]) == [
        (0, 0, 2, "approach"),
        (0, 2, 3, "retract"),
        (2, 0, 2, "approach"),
        (3, 0, 3, "retract"),
    ]


def test_without_height_a_curve_is_one_segment() -> None:
    made = CurveSet.from_arrays({"deflection": (np.zeros((2, 3)), "V")})
    assert made.segments.tolist() == [(0, 0, 3, "other"), (1, 0, 3, "other")]


def test_given_segments_are_kept_in_order() -> None:
    given = np.array([(1, 0, 4, "hold"), (0, 3, 4, "retract"), (0, 0, 3, "approach")], SEGMENT)
    made = CurveSet.from_arrays({"height": (np.zeros((2, 4)), "m")}, segments=given)
    assert made.segments.tolist() == [given[2].item(), given[1].item(), given[0].item()]


@pytest.mark.parametrize(
    ("segments", "what"),
    [
        ([(0, 0, 5, "approach")], "lies outside curve 0"),
        ([(0, 3, 2, "approach")], "lies outside"),
        ([(0, -1, 2, "approach")], "lies outside"),
        ([(2, 0, 1, "approach")], "curves outside 0 to 1"),
        ([(-1, 0, 1, "approach")], "curves outside"),
        ([(0, 0, 3, "approach"), (0, 2, 4, "retract")], "segments of curve 0 overlap"),
        ([(0, 0, 3, "extend")], "no kinds of segment"),
    ],
)
def test_segments_that_make_no_sense(segments: Any, what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        segment_array(np.array(segments, SEGMENT), Rows.uniform(2, 4))
    with pytest.raises(InvalidInput, match=what):
        CurveSet.from_arrays(
            {"height": (np.zeros((2, 4)), "m")}, segments=np.array(segments, SEGMENT)
        )


def test_segments_need_their_fields() -> None:
    with pytest.raises(InvalidInput, match="fields curve, start, stop, kind"):
        segment_array(np.zeros(3), Rows.uniform(2, 4))


def test_regular_segments() -> None:
    made = regular_segments(2, [("approach", 3), ("hold", 0), ("retract", 2)])
    assert made.tolist() == [
        (0, 0, 3, "approach"),
        (0, 3, 5, "retract"),
        (1, 0, 3, "approach"),
        (1, 3, 5, "retract"),
    ]


def test_table_is_complete_and_typed() -> None:
    table = complete_table({"potential": [1, 2], "row": [0.0, 1.0]}, 2)
    assert np.isnan(table["x"]).all()
    assert table["column"].tolist() == [-1, -1]
    assert table["row"].dtype == np.int64
    assert table["potential"].dtype == np.float64
    assert np.isnat(table["start_time"]).all()
    assert table["start_time_source"].tolist() == ["unknown"] * 2
    assert table["location"].tolist() == [0, 1]  # no positions: places of their own


@pytest.mark.parametrize(
    "given",
    [
        np.array(["2025-03-04T09:41:07.000001", "NaT"], "M8[us]"),
        ["2025-03-04T09:41:07.000001", "NaT"],
        np.array([1741081267.000001, np.nan]),
    ],
)
def test_start_times(given: Any) -> None:
    table = complete_table({"start_time": given}, 2)
    expected = np.array(["2025-03-04T09:41:07.000001", "NaT"], "M8[us]")
    np.testing.assert_array_equal(table["start_time"], expected)
    assert table["start_time_source"].tolist() == ["given"] * 2


@pytest.mark.parametrize(
    "given", [{"start_time": ["soon", "later"]}, {"start_time_source": ["guess", "guess"]}]
)
def test_start_times_that_make_no_sense(given: Any) -> None:
    with pytest.raises(InvalidInput):
        complete_table(given, 2)


def test_locations_repeat() -> None:
    x = np.array([1e-6, 0.0, 1e-6 + 1e-11, NAN, 0.0, NAN])
    y = np.array([0.0, 0.0, 0.0, NAN, 5e-6, 1.0])
    assert locations(x, y).tolist() == [0, 1, 0, 3, 2, 4]
