"""Many sets of curves as one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nrm_plugin import CurveSet, InvalidInput, join
from nrm_plugin.model import Channel, Origin

NAN = float("nan")


def made(name: str, raw: list[int], gain: float = 0.5, **options: Any) -> CurveSet:
    """One curve whose deflection in V is raw times gain, from a file of that name."""
    curves = CurveSet.from_arrays({"deflection": (np.array(raw, "i2"), "V")}, **options)
    curves = curves.with_channel(replace(curves.channels["deflection"], gain=gain))
    return replace(curves, origins=(Origin(name, "bruker", "1"),))


def test_raw_numbers_stay_raw_where_scales_agree() -> None:
    both = join([made("a", [1, 2, 3]), made("b", [4])])
    assert both.row_size.tolist() == [3, 1]
    assert both.read_raw("deflection").dtype == np.int16
    assert both.read_raw("deflection").tolist() == [1, 2, 3, 4]
    assert both.read("deflection").tolist() == [0.5, 1.0, 1.5, 2.0]
    assert both.read("deflection", [1, 0]).tolist() == [2.0, 0.5, 1.0, 1.5]
    assert both.curve_table["source"].tolist() == [0, 1]
    assert [o.name for o in both.origins] == ["a", "b"]


def test_values_are_joined_where_scales_differ() -> None:
    both = join([made("a", [1, 2]), made("b", [4, 6], gain=2.0)])
    assert both.read("deflection").tolist() == [0.5, 1.0, 8.0, 12.0]
    assert both.read("deflection", 1).tolist() == [8.0, 12.0]


def test_two_channels_of_one_column_keep_their_scales() -> None:
    def set_of(gain: float) -> CurveSet:
        curves = made("a", [1, 2], gain)
        column = curves.channels["deflection"].column
        return curves.with_channel(Channel("lateral", "V", column, 10 * gain))

    both = join([set_of(1.0), set_of(2.0)])
    assert both.read("deflection").tolist() == [1, 2, 2, 4]
    assert both.read("lateral").tolist() == [10, 20, 20, 40]


def test_a_channel_that_one_lacks_is_nan_there() -> None:
    other = CurveSet.from_arrays({"height": (np.array([7.0, 8.0]), "m")})
    both = join([made("a", [1]), replace(other, origins=(Origin("b"),))])
    np.testing.assert_array_equal(both.read("deflection"), [0.5, NAN, NAN])
    np.testing.assert_array_equal(both.read("height"), [NAN, 7.0, 8.0])
    assert [w for w in both.warnings if "missing" in w] == [
        "deflection is missing in b; it is NaN there",
        "height is missing in a; it is NaN there",
    ]


def test_a_file_of_images_does_not_touch_the_curves(samples: Any) -> None:
    images = replace(CurveSet.from_arrays({}), images=samples.curves().images)
    both = join([images, made("a", [1, 2]), images])
    assert both.read_raw("deflection").dtype == np.int16
    assert both.read("deflection").tolist() == [0.5, 1.0]
    assert (both.n_curves, len(both.images), both.warnings) == (1, 4, ())


def test_metadata_on_which_files_disagree_are_left_out() -> None:
    sets = [
        made("a", [1], metadata={"spring_constant": k, "title": t, "scan_size": 1e-6})
        for k, t in ((0.2, "one"), (0.3, "two"))
    ]
    both = join(sets)
    assert both.metadata == {"scan_size": 1e-6}
    assert both.warnings == (
        "spring_constant differs between the files (0.2, 0.3) and is left out",
    )


def test_earliest_start_time() -> None:
    times = ["2025-03-04T10:00:00", "2025-03-04T09:00:00"]
    both = join([made("a", [1], metadata={"start_time": t}) for t in times])
    assert both.metadata["start_time"] == times[1]


def test_warnings_name_their_file() -> None:
    both = join([made("a", [1]).with_warning("odd"), made("b", [1])])
    assert both.warnings == ("a: odd",)


def test_segments_and_table_are_joined() -> None:
    def ramp(x: float, **table: Any) -> CurveSet:
        height = np.array([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0]])
        table = {"x": [x, x + 1e-6], "y": [0.0, 0.0], **table}
        return CurveSet.from_arrays({"height": (height, "nm")}, curve_table=table)

    both = join([ramp(0.0), ramp(0.0, cycle=[4, 5], potential=[0.1, 0.2])])
    assert both.segments["curve"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert both.segments["kind"].tolist() == ["approach", "retract"] * 4
    assert both.curve_table["location"].tolist() == [0, 1, 0, 1]
    assert both.curve_table["cycle"].tolist() == [-1, -1, 4, 5]
    np.testing.assert_array_equal(both.curve_table["potential"], [NAN, NAN, 0.1, 0.2])
    assert both.row_size.tolist() == [3] * 4


def test_join_refuses() -> None:
    with pytest.raises(InvalidInput, match="nothing to join"):
        join([])
    metres = CurveSet.from_arrays({"deflection": (np.zeros(2), "nm")})
    with pytest.raises(InvalidInput, match="different units in the files: V, m"):
        join([made("a", [1]), metres])


def test_one_set_is_itself() -> None:
    one = made("a", [1])
    assert join([one]) is one


def test_merging_files(samples: Any, tmp_path: Any) -> None:
    """Real (synthetic) files: a volume and a single curve, against the writer's truth."""
    import nrm_plugin as nrm

    truths = [samples.volume(rows=2, columns=3, n_ext=20, n_ret=16), samples.single(n_ext=32)]
    both = join([nrm.open(t.path) for t in truths])
    assert both.n_curves == 7
    expected = np.concatenate([t.volts["DeflectionError"].ravel() for t in truths])
    np.testing.assert_allclose(both.read("deflection"), expected, rtol=1e-13, atol=0)
    assert both.curve_table["source"].tolist() == [0] * 6 + [1]
