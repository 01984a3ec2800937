"""The store at its edges: what it refuses, by its sentence, and files that others changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from test_store import SETS, everything, rewrite

import nrm_plugin as nrm
from nrm_plugin.decisions import ContactByHand
from nrm_plugin.store import is_common_file
from nrm_plugin.store.decided_results import ContactMoves
from nrm_plugin.store.default_plots import GridOfCurves
from nrm_plugin.store.nxafm import write_nxafm
from nrm_plugin.store.write_results import Results, write_results
from nrm_plugin.testing import assert_same
from nrm_plugin.variables import Variable

APPROACH = np.array([(0, 0, 4, "approach")], nrm.CurveSet.from_arrays({}).segments.dtype)


def one(**channels: str) -> nrm.CurveSet:
    """A curve of four samples, each channel in this unit."""
    made = {name: (np.arange(4.0)[None], unit) for name, unit in channels.items()}
    return nrm.CurveSet.from_arrays(made, segments=APPROACH)


PICTURES = SETS["images"]

NOT_WRITTEN: dict[str, tuple[str, Callable[[], nrm.CurveSet], str]] = {
    "text": (".csv", PICTURES, "there are no curves to write as text; images go to .h5"),
    "numpy": (".npz", PICTURES, "there are no curves to write; images go to .h5"),
    "no height": (
        ".afm.h5",
        lambda: one(force_normal="N"),
        "there is no height: say which channel is it with --map NAME=height",
    ),
    "no force": (
        ".afm.h5",
        lambda: one(height="m"),
        "there is neither force nor deflection: --map NAME=deflection",
    ),
    "no retract": (
        ".afm.h5",
        lambda: one(height="m", force_normal="N"),
        "no curve has both an approach and a retract, which afmformats asks for",
    ),
}


@pytest.mark.parametrize("case", NOT_WRITTEN)
def test_what_another_format_cannot_hold(tmp_path: Path, case: str) -> None:
    suffix, made, sentence = NOT_WRITTEN[case]
    with pytest.raises(nrm.InvalidInput) as caught:
        made().save(tmp_path / f"c{suffix}")
    assert str(caught.value) == sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("unit", "missing"),
    [("V", ["spring_constant", "deflection_sensitivity"]), ("m", ["spring_constant"])],
)
def test_a_force_needs_its_calibrations(tmp_path: Path, unit: str, missing: list[str]) -> None:
    with pytest.raises(nrm.MissingCalibration, match=f"^missing: {'; '.join(missing)}\\. Give it"):
        one(height="m", deflection=unit).save(tmp_path / "c.afm.h5")


def test_heights_of_both_kinds_go_to_afmformats(tmp_path: Path) -> None:
    """The commanded height has the name that afmformats gives the piezo's."""
    n = 3
    segments = np.array([(0, 0, n, "approach"), (0, n, 2 * n, "retract")], APPROACH.dtype)
    channels = {
        "height": (np.arange(6.0)[None], "m"),
        "height_commanded": (10 + np.arange(6.0)[None], "m"),
        "force_normal": (np.zeros((1, 6)), "N"),
        "time": (0.5 * np.arange(6.0)[None], "s"),
    }
    nrm.CurveSet.from_arrays(channels, segments=segments).save(tmp_path / "c.afm.h5")
    with h5py.File(tmp_path / "c.afm.h5") as file:
        np.testing.assert_array_equal(file["0/height (piezo)"], 10 + np.arange(6.0))
        np.testing.assert_array_equal(file["0/height (measured)"], np.arange(6.0))
        assert file["0"].attrs["duration"] == 2.5


def test_images_are_not_in_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    everything().save(tmp_path / "c.csv")
    assert [r.getMessage() for r in caplog.records] == [".csv: the 3 images are not in it"]


# Common files that others changed


def test_a_file_that_was_packed_by_another_program(tmp_path: Path) -> None:
    """As h5repack does it: every array in compressed pieces, the same numbers, whole or in part."""
    first = everything()
    first.save(tmp_path / "c.h5")

    def pack(file: h5py.File) -> None:
        arrays: list[str] = []
        file.visititems(lambda name, node: arrays.append(name) if is_array(node) else None)
        for name in arrays:
            about, values = dict(file[name].attrs), file[name][()]
            if {"CLASS", "REFERENCE_LIST"} & set(about):
                continue  # a dimension
            about.pop("DIMENSION_LIST", None)
            del file[name]
            made = file.create_dataset(name, data=values, chunks=True, compression="gzip")
            made.attrs.update(about)

    def is_array(node: h5py.Group | h5py.Dataset) -> bool:
        return isinstance(node, h5py.Dataset) and node.dtype.kind in "iuf" and node.size > 1

    rewrite(tmp_path / "c.h5", pack)
    again = nrm.open(tmp_path / "c.h5")
    assert_same(again, first)
    for name in first.channels:
        np.testing.assert_array_equal(again.read(name, 2), first.read(name, 2))


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (2.0, 0.0), (1.0, 3.0), (-1.0, 0.0)])
def test_numbers_of_double_precision_are_scaled(tmp_path: Path, gain: float, offset: float) -> None:
    values = np.arange(12.0).reshape(2, 6)
    curves = nrm.CurveSet.from_arrays({"deflection": (values, "V")})
    scaled = replace(curves.channels["deflection"], gain=gain, offset=offset)
    curves.with_channel(scaled).save(tmp_path / "c.h5")
    again = nrm.open(tmp_path / "c.h5")
    np.testing.assert_array_equal(again.read("deflection", 1), values[1] * gain + offset)
    np.testing.assert_array_equal(again.read("deflection"), values.ravel() * gain + offset)


def test_a_group_beside_the_channels_is_left_alone(tmp_path: Path) -> None:
    everything().save(tmp_path / "c.h5")
    rewrite(tmp_path / "c.h5", lambda file: file.create_group("entry/curves/notes"))
    assert_same(nrm.open(tmp_path / "c.h5"), everything())


def test_words_that_are_no_numbers_of_words(tmp_path: Path) -> None:
    everything().save(tmp_path / "c.h5")

    def as_floats(file: h5py.File) -> None:
        values = file["entry/segments/kind"][()]
        del file["entry/segments/kind"]
        file["entry/segments/kind"] = values.astype("f8")

    rewrite(tmp_path / "c.h5", as_floats)
    with pytest.raises(nrm.CorruptFile, match="kind in float64 instead of whole numbers"):
        _ = nrm.open(tmp_path / "c.h5").segments


def test_words_about_the_origins_lie_along_the_files(tmp_path: Path) -> None:
    everything().save(tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5") as file:
        for name in ("importer", "version", "header"):
            (along,) = file["entry/source"][name].dims
            assert [scale.name for scale in along.values()] == ["/entry/source/file"]


@pytest.mark.parametrize(
    ("unit", "step"), [("seconds", 1_000_000), ("milliseconds", 1000), ("nanoseconds", 0.001)]
)
def test_times_in_other_steps(tmp_path: Path, unit: str, step: float) -> None:
    """A program that edits the file may count otherwise; moments are the same."""
    began = np.array(["2025-03-04T09:41:07", "2025-03-04T09:41:09"], "M8[us]")
    curves = nrm.CurveSet.from_arrays(
        {"height": (np.zeros((2, 3)), "m")}, curve_table={"start_time": began}
    )
    curves.save(tmp_path / "c.h5")

    def change(file: h5py.File) -> None:
        data = file["entry/curves/start_time"]
        data[...] = np.round(data[()] / step).astype("i8")
        data.attrs["units"] = f"{unit} since 1970-01-01 00:00:00"

    rewrite(tmp_path / "c.h5", change)
    np.testing.assert_array_equal(nrm.open(tmp_path / "c.h5").curve_table["start_time"], began)


def test_a_damaged_h5_is_called_damaged(tmp_path: Path) -> None:
    """Not of an unknown kind: it may well be one of ours."""
    for name in ("c.h5", "c.hdf5"):
        (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(3000))
    assert is_common_file(tmp_path / "c.h5")
    assert not is_common_file(tmp_path / "c.hdf5")
    with pytest.raises(nrm.CorruptFile):
        nrm.open(tmp_path / "c.h5")


# Results


def results(**arrays: tuple[object, ...]) -> xr.Dataset:
    return xr.Dataset(arrays, {"depth": np.arange(3) * 1e-9, "curve": np.arange(2)})


PAIR = ("curve", "depth")

NO_RESULTS = {
    "no depth": (
        xr.Dataset({"a": ("curve", np.zeros(2))}),
        "results have the dimensions curve and depth, not curve",
    ),
    "another dimension": (
        results(a=((*PAIR, "colour"), np.zeros((2, 3, 4)))),
        "results have the dimensions curve and depth, not curve, depth, colour",
    ),
    "another order": (
        results(a=(PAIR[::-1], np.zeros((3, 2)))),
        "a has dimensions ('depth', 'curve') of float64; results are numbers over direction, curve "
        "and distances",
    ),
    "a coordinate of the user": (
        results(a=(PAIR, np.zeros((2, 3)))).assign_coords(cycl=("curve", [1, 2])),
        "the coordinate 'cycl' is no column of the curve table: leave it out "
        "with drop_vars, or make it a variable of numbers with reset_coords",
    ),
    "curves of other numbers": (
        results(a=(PAIR, np.zeros((2, 3)))).assign_coords(curve=[3, 5]),
        "the coordinate 'curve' is no column of the curve table: leave it out with drop_vars, or "
        "make it a variable of numbers with reset_coords",
    ),
    "a coordinate of words": (
        results(a=(PAIR, np.zeros((2, 3)))).assign_coords(potential=("curve", ["a", "b"])),
        "the coordinate 'potential' holds no numbers",
    ),
    **{
        f"the name {name!r}": (
            results(**{name: (PAIR, np.zeros((2, 3)))}),
            f"no variable of the file can be called {name!r}: rename it",
        )
        for name in ("", ".", "done", "fingerprint", "a/b", "a\0b")
    },
    "an attribute": (
        results(a=(PAIR, np.zeros((2, 3)))).assign_attrs(day=np.datetime64("2026-01-02")),
        "the attribute 'day' of the results is a datetime64: make it a text, a number or a list of "
        "them",
    ),
    "an attribute of a variable": (
        results(a=(PAIR, np.zeros((2, 3)), {"note": {"b": 1}})),
        "the attribute 'note' of a is a dict: make it a text, a number or a list of them",
    ),
    "an attribute of lists of different lengths": (
        results(a=(PAIR, np.zeros((2, 3)), {"note": [[1], [1, 2]]})),
        "the attribute 'note' of a is a list: make it a text, a number or a list of them",
    ),
    "words": (
        results(a=(PAIR, np.full((2, 3), "x"))),
        "a has dimensions ('curve', 'depth') of <U1; results are numbers over direction, curve and "
        "distances",
    ),
}


@pytest.mark.parametrize("case", NO_RESULTS)
def test_what_is_no_dataset_of_results(tmp_path: Path, case: str) -> None:
    dataset, sentence = NO_RESULTS[case]
    with pytest.raises(nrm.InvalidInput) as caught:
        write_results(dataset, tmp_path / "r.h5")
    assert str(caught.value) == sentence
    assert list(tmp_path.iterdir()) == []


def test_results_of_no_curves(tmp_path: Path) -> None:
    """What a selection leaves may be nothing, with the numbers of curves or without."""
    nothing = results(a=(PAIR, np.zeros((2, 3)))).isel(curve=slice(0, 0))
    for made in (nothing, nothing.drop_vars("curve")):
        nrm.save(made, tmp_path / "r.h5")
        assert nrm.open_results(tmp_path / "r.h5")["a"].shape == (0, 3)


def test_results_of_a_users_own(tmp_path: Path) -> None:
    """Numbers that are not ours: kept with their attributes, and texts however they are stored."""
    values = np.arange(6.0).reshape(2, 3)
    write_results(results(colour=(PAIR, values)), tmp_path / "r.h5")
    with h5py.File(tmp_path / "r.h5", "r+") as file:
        assert "signal" not in file["entry/results"].attrs
        file["entry/results/colour"].attrs["paint"] = np.bytes_("grün".encode())
    again = nrm.open_results(tmp_path / "r.h5")
    np.testing.assert_array_equal(again["colour"], values)
    assert again["colour"].attrs["paint"] == "grün"
    groups = xr.open_datatree(tmp_path / "r.h5", engine="nrm")
    np.testing.assert_array_equal(groups["results/colour"], values)


def test_what_was_written_before_a_failure_is_not_made_again(tmp_path: Path) -> None:
    """Three of five curves are done: they are there, and the next begins behind them."""
    about = {"value": Variable("m", "a value", ("curve",), "f8")}
    values = np.arange(5.0)

    def begun() -> Results:
        axes = {"depth": np.arange(3) * 1e-9}
        return Results(tmp_path / "r.h5", 5, axes, about, None, {}, "a" * 64)

    def fail(results: Results) -> None:
        with results:
            results.write(0, 0, 3, {"value": values[:3]})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail(begun())
    with begun() as again:
        assert again.done == 3
        np.testing.assert_array_equal(again.get("value")[:3], values[:3])
        again.write(0, 3, 5, {"value": values[3:]})
        assert again.done == 5
    np.testing.assert_array_equal(nrm.open_results(tmp_path / "r.h5")["value"], values)


def test_words_of_the_curve_table_come_back_as_words(tmp_path: Path) -> None:
    """They are numbers in the file; of the table of words nothing is left on them."""
    words = ["point_time", "file_date"]
    made = results(a=(PAIR, np.zeros((2, 3)))).drop_vars("curve")
    write_results(made.assign_coords(start_time_source=("curve", words)), tmp_path / "r.h5")
    again = nrm.open_results(tmp_path / "r.h5")["start_time_source"]
    assert again.values.tolist() == words
    assert again.attrs == {"units": "", "long_name": "where the start time comes from"}


@pytest.mark.parametrize("recipe", ["correct_slope = true\n", "", "[[broken"])
def test_a_contact_moved_in_results_of_an_earlier_version(recipe: str) -> None:
    """Without windows, slopes of the baseline or cosines: distances follow as they can.

    By 10 nm of height, times the cosine of the slope where that was corrected; the force is a
    line, so that its values between the distances are known.
    """
    depth = np.arange(60) * 1e-9
    made = xr.Dataset(
        {
            "contact_height": ("curve", np.zeros(2)),
            "normal_onset": ("curve", np.full(2, 50e-9)),
            "baseline_deflection": ("curve", np.full(2, 1e-9)),
            "surface_slope": ("curve", np.full(2, 0.3)),
            "force_normal": (PAIR, np.tile(2.0 * depth, (2, 1))),
        },
        {"depth": depth},
        {"recipe": recipe},
    )
    moves = ContactMoves(made, {(1, "approach"): ContactByHand(10e-9, 1e-9, 0.0)})
    shift = 10e-9 * (np.cos(0.3) if recipe.startswith("correct") else 1.0)
    found = {name: variable.values for name, variable in moves.variables().items()}
    np.testing.assert_array_equal(found["contact_height"], [0.0, 10e-9])
    np.testing.assert_allclose(found["normal_onset"], [50e-9, 50e-9 - shift])
    np.testing.assert_array_equal(found["baseline_deflection"], [1e-9, 1e-9])
    np.testing.assert_array_equal(found["force_normal"][0], 2.0 * depth)
    there = depth + shift <= depth[-1]
    np.testing.assert_allclose(found["force_normal"][1][there], 2.0 * (depth + shift)[there])
    assert np.isnan(found["force_normal"][1][~there]).all()


def test_units_that_are_spelt_another_way(tmp_path: Path) -> None:
    """Of the same size: read; of another: refused, not read a thousand times too large."""
    write_results(results(force_normal=(PAIR, np.ones((2, 3)))), tmp_path / "r.h5")

    def opened(unit: str) -> np.ndarray:
        with h5py.File(tmp_path / "r.h5", "r+") as file:
            file["entry/results/force_normal"].attrs["units"] = unit
        return nrm.open_results(tmp_path / "r.h5")["force_normal"].values

    np.testing.assert_array_equal(opened("kg m/s^2"), np.ones((2, 3)))
    with pytest.raises(nrm.CorruptFile, match="force_normal in nN instead of N"):
        opened("nN")


def test_places_that_turn_back_are_no_axis() -> None:
    """Columns at 0, 2 and 1 um, turned: neither places nor distances rise, so they are counted."""
    row, column = (axis.ravel() for axis in np.indices((2, 3)))
    x = np.array([0.0, 2e-6, 1e-6])[column]
    grid = GridOfCurves.of({"row": row, "column": column, "x": x, "y": row * 1e-6})
    assert grid is not None
    (along_y, _), (along_x, unit) = grid.axes
    np.testing.assert_array_equal(along_x, [0.0, 1.0, 2.0])
    assert unit == ""
    np.testing.assert_allclose(along_y, [0.0, 1e-6])


# NXafm


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"electrode": "HC"}, {"name": "HC"}),
        ({"electrode": "HC", "electrolyte": "EC"}, {"name": "HC", "description": "HC in EC"}),
        ({"electrode": "HC", "simulated": True}, {"name": "HC", "type": "simulated data"}),
        ({"electrolyte": "EC"}, {}),
    ],
)
def test_the_sample_as_far_as_it_is_told(
    tmp_path: Path, metadata: dict[str, object], told: dict[str, str]
) -> None:
    with h5py.File(tmp_path / "n.h5", "w") as file:
        write_nxafm(file.create_group("entry"), metadata, [], {})
        sample = file["entry"].get("sample", {})
        assert {name: field.asstr()[()] for name, field in sample.items()} == told


@pytest.mark.parametrize(("first", "points"), [(-1, None), (0, 3)])
def test_a_curve_of_no_place_leaves_no_grid(tmp_path: Path, first: int, points: int | None) -> None:
    table = {"row": np.array([first, 1, 2]), "column": np.array([0, 0, 0])}
    with h5py.File(tmp_path / "n.h5", "w") as file:
        write_nxafm(file.create_group("entry"), {}, [], table)
        scan = file["entry/instrument/scan_environment/scan_control"].get("point_force_scan", {})
        assert (scan["scan_points_y"][()] if scan else None) == points
