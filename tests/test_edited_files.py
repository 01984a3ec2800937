"""Common files, results and shape factors that were changed with another program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from figure_results import made_results

import nrm_plugin as nrm
from nrm_plugin.engine.shape_factor import shape_factor
from nrm_plugin.errors import CorruptFile, InvalidInput, RecipeError

CURVES, SAMPLES = 6, 20

#: Words of h5py and libhdf5, which tell a microscopist nothing.
FOREIGN = ("Unable to", "Can't", "synchronously", "h5py", "dataspace", "object")


@pytest.fixture
def common(tmp_path: Path) -> Path:
    height = np.tile(np.linspace(0.0, 1e-7, SAMPLES), (CURVES, 1))
    curves = nrm.CurveSet.from_arrays(
        {"height": (height, "m"), "deflection": (height**2, "V")},
        metadata={"spring_constant": 0.25, "tip_radius": 2e-8},
        curve_table={"x": np.arange(CURVES) * 1e-6, "start_time": 1.7e9 + np.arange(CURVES)},
    )
    path = tmp_path / "curves.h5"
    curves.save(path)
    return path


def edited(path: Path, name: str, **attributes: Any) -> None:
    with h5py.File(path, "r+") as file:
        file[name].attrs.update(attributes)


def replaced(path: Path, name: str, values: Any) -> None:
    """Give a dataset other numbers, of another type; its unit and its words stay."""
    with h5py.File(path, "r+") as file:
        kept = ("units", "calendar", "flag_meanings", "scale_factor", "add_offset")
        about = {key: file[name].attrs[key] for key in kept if key in file[name].attrs}
        del file[name]
        file[name] = values
        file[name].attrs.update(about)


def everything(path: Path) -> nrm.CurveSet:
    curves = nrm.open(path)
    for name in curves.channels:
        curves.read(name)
    assert len(curves.curve_table["x"]) == CURVES
    assert len(curves.segments)
    return curves


def refused(path: Path, why: str) -> None:
    with pytest.raises((CorruptFile, InvalidInput), match=why) as caught:
        everything(path)
    assert str(path) in str(caught.value)
    assert not any(word in str(caught.value) for word in FOREIGN)


def test_units_are_read_back(common: Path) -> None:
    """What is written in other units of the same kind is turned into SI."""
    edited(common, "entry/curves/height", units="um")
    replaced(common, "entry/metadata/tip_radius", 20.0)
    edited(common, "entry/metadata/tip_radius", units="nm")
    edited(common, "entry/metadata/spring_constant", units="mN/m")
    edited(common, "entry/curves/x", units="um")
    curves = everything(common)
    assert curves.channels["height"].unit == "m"
    assert curves.read("height").max() == pytest.approx(1e-13, rel=1e-12)
    assert curves.metadata["tip_radius"] == pytest.approx(2e-8, rel=1e-12)
    assert curves.metadata["spring_constant"] == pytest.approx(0.25e-3, rel=1e-12)
    np.testing.assert_allclose(curves.curve_table["x"], np.arange(CURVES) * 1e-12, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "unit", "why"),
    [
        ("entry/curves/height", "V", "channel 'height' is in m, not V"),
        ("entry/curves/height", "", "channel 'height' is in m, not no unit"),
        ("entry/metadata/spring_constant", "m", "spring_constant in m instead of N/m"),
        ("entry/metadata/spring_constant", "", "spring_constant in no unit instead of N/m"),
        ("entry/curves/x", "s", "x in s instead of m"),
        ("entry/curves/start_time", "days since yesterday", "start_time in days since yesterday"),
    ],
)
def test_units_of_another_kind(common: Path, name: str, unit: str, why: str) -> None:
    edited(common, name, units=unit)
    refused(common, why)


@pytest.mark.parametrize("kind", [">i8", "<f8", ">f8"])
def test_times_of_other_types(common: Path, kind: str) -> None:
    wanted = everything(common).curve_table["start_time"]
    assert str(wanted[0]) == "2023-11-14T22:13:20.000000"
    replaced(common, "entry/curves/start_time", wanted.astype("i8").astype(kind))
    assert (everything(common).curve_table["start_time"] == wanted).all()


def test_times_in_seconds(common: Path) -> None:
    wanted = everything(common).curve_table["start_time"]
    seconds = wanted.astype("i8") / 1e6
    seconds[1] = np.nan
    replaced(common, "entry/curves/start_time", seconds)
    edited(common, "entry/curves/start_time", units="seconds since 1970-01-01 00:00:00")
    times = everything(common).curve_table["start_time"]
    assert np.isnat(times[1])
    assert (times[2:] == wanted[2:]).all()


def test_times_outside_of_all_years(common: Path) -> None:
    replaced(common, "entry/curves/start_time", np.full(CURVES, -(1 << 62)))
    refused(common, "start_time outside the years 1678 to 2261")


@pytest.mark.parametrize("scale", [np.nan, np.inf, 0.0])
def test_scales_that_are_none(common: Path, scale: float) -> None:
    edited(common, "entry/curves/height", scale_factor=scale)
    refused(common, f"height with the scale {scale:g}")


def test_an_offset_that_is_none(common: Path) -> None:
    edited(common, "entry/curves/height", add_offset=np.nan)
    refused(common, "height with the scale 1 and the offset nan")


def test_a_channel_without_its_scale(common: Path) -> None:
    with h5py.File(common, "r+") as file:
        del file["entry/curves/height"].attrs["scale_factor"]
    refused(common, "height without its scale")


@pytest.mark.parametrize("grid", [(-1, -6), (2, 2)])
def test_grids_that_are_none(common: Path, grid: tuple[int, int]) -> None:
    edited(common, "entry/curves", grid=grid)
    refused(common, rf"expected {grid[0]} x {grid[1]} curves, found 6")


@pytest.mark.parametrize("value", [-1, 5, 200])
def test_kinds_without_a_word(common: Path, value: int) -> None:
    replaced(common, "entry/segments/kind", np.full(CURVES, value, np.int16))
    refused(common, f"kind of {value}, which stands for no word")


def test_words_in_another_order(common: Path) -> None:
    """What the numbers mean is what the file says."""
    edited(common, "entry/segments/kind", flag_meanings="retract hold approach modulation other")
    assert set(everything(common).segments["kind"]) == {"approach"}


@pytest.mark.parametrize("name", ["entry/curves/row_size", "entry/segments/start"])
def test_counts_that_are_not_whole(common: Path, name: str) -> None:
    replaced(common, name, np.full(CURVES, 19.5))
    refused(common, "in float64 instead of whole numbers")


@pytest.mark.parametrize(
    "name", ["entry/curves", "entry/source/name", "entry/segments/kind", "entry/metadata"]
)
def test_parts_that_are_missing(common: Path, name: str) -> None:
    with h5py.File(common, "r+") as file:
        del file[name]
    refused(common, f"there is no {name}")


@pytest.mark.parametrize(
    ("name", "unit"), [("depth", "nm"), ("storage_modulus", "kPa"), ("contact_height", "um")]
)
def test_results_in_other_units(tmp_path: Path, name: str, unit: str) -> None:
    path = tmp_path / "r.h5"
    nrm.save(made_results(1, 2), path)
    assert nrm.open_results(path).sizes["curve"] == 2
    edited(path, f"entry/results/{name}", units=unit)
    with pytest.raises(CorruptFile, match=f"{name} in {unit} instead of"):
        nrm.open_results(path)


def test_results_that_lost_a_unit_are_in_that_of_all_results(tmp_path: Path) -> None:
    """What a user computes has no attributes; such results are written and read."""
    results = made_results(1, 2)
    results["contact_height"] = "curve", results["contact_height"].values * 2.0
    nrm.save(results, tmp_path / "results.h5")
    read = nrm.open_results(tmp_path / "results.h5")["contact_height"]
    np.testing.assert_array_equal(read, results["contact_height"])


def test_a_shape_factor_in_other_units(tmp_path: Path) -> None:
    path = tmp_path / "rg.h5"
    with h5py.File(path, "w") as file:
        file["distance"], file["shape_factor"] = [0.0, 100.0], [1.0, 2.0]
        file["distance"].attrs["units"] = "nm"
    curves = nrm.CurveSet.from_arrays({"height": (np.zeros((1, 2)), "m")})
    depth = np.array([25e-9])
    assert shape_factor(str(path), curves, depth).values == pytest.approx([1.25])
    edited(path, "distance", units="V")
    with pytest.raises(RecipeError, match="distance in V instead of m"):
        shape_factor(str(path), curves, depth)


def test_refused_results_end_the_program_well(common: Path, tmp_path: Path) -> None:
    """Nothing that HDF5 tidies up behind Python may need Python any more."""
    path = tmp_path / "r.h5"
    nrm.save(made_results(1, 2), path)
    edited(path, "entry/results/contact_height", units="um")
    code = (
        "import sys, nrm_plugin as nrm\n"
        "curves = nrm.open(sys.argv[1])\n"
        "curves.curve_table, curves.segments\n"
        "nrm.open_results(sys.argv[2])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(common), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "contact_height in um instead of m" in done.stderr
