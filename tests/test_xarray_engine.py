"""Curves and results as xarray has them: the engine, the way back, lazy reading, the accessor."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from nrm_generator import Generator, parts_of

import nrm_plugin as nrm
from nrm_plugin.errors import InvalidInput

SAMPLE_DATA = Path(__file__).resolve().parent.parent / "sample_data"
VOLUME = SAMPLE_DATA / "bruker" / "volume-3x5.spm"
SEGMENTS = [(0, 0, 3, "approach"), (0, 3, 5, "hold"), (0, 5, 8, "retract"), (2, 0, 2, "approach")]


def ragged() -> nrm.CurveSet:
    """Three curves of 8, 0 and 4 samples, the first with three segments."""
    return nrm.CurveSet.from_arrays(
        {"height": (np.arange(12.0), "nm"), "deflection": (np.arange(12) ** 2, "V")},
        row_size=[8, 0, 4],
        segments=np.array(
            SEGMENTS, [("curve", "i8"), ("start", "i8"), ("stop", "i8"), ("kind", "U10")]
        ),
        curve_table={"x": [0.0, 1e-6, np.nan], "potential": [0.1, 0.2, 0.3]},
        metadata={"spring_constant": 0.3, "simulated": True, "title": "three", "my_key": 7.5},
        images=[nrm.Image("Height", np.arange(6.0).reshape(2, 3), "m", (2e-6, 1e-6), "trace")],
    )


def assert_same(one: nrm.CurveSet, other: nrm.CurveSet) -> None:
    assert list(other.channels) == list(one.channels)
    np.testing.assert_array_equal(other.row_size, one.row_size)
    for name, channel in one.channels.items():
        np.testing.assert_array_equal(other.read(name), one.read(name))
        assert repr(other.channels[name]) == repr(channel)
        assert other.channels[name].original == channel.original
    np.testing.assert_array_equal(other.segments, one.segments)
    assert set(other.curve_table) == set(one.curve_table)
    for name, values in one.curve_table.items():
        np.testing.assert_array_equal(other.curve_table[name], values)
        assert other.curve_table[name].dtype == values.dtype
    for name in ("metadata", "metadata_source", "warnings", "origins", "grid", "importer"):
        assert getattr(other, name) == getattr(one, name), name
    for image, again in zip(one.images, other.images, strict=True):
        np.testing.assert_array_equal(again.data, image.data)
        assert (again.name, again.unit, again.direction) == (
            image.name,
            image.unit,
            image.direction,
        )
        np.testing.assert_array_equal(again.size, image.size)


@pytest.mark.parametrize("name", ["bruker/volume-3x5.spm", "bruker/series.000"])
def test_curves_of_a_vendor_are_the_same_after_the_way_there_and_back(
    name: str,
) -> None:
    dataset = xr.open_dataset(SAMPLE_DATA / name, engine="nrm")
    assert not dataset["deflection"].variable._in_memory
    curves = nrm.open(SAMPLE_DATA / name)
    assert_same(curves, nrm.CurveSet.from_xarray(dataset))
    number = curves.n_curves - 1
    np.testing.assert_array_equal(
        dataset["deflection"].isel(curve=number), curves.read("deflection", number)
    )
    assert dataset["deflection"].attrs["units"] == curves.channels["deflection"].unit


def test_opening_computes_no_column_of_the_curve_table() -> None:
    """Numbering the places of a large map would take longer than all the rest."""
    curves = nrm.open(VOLUME)
    dataset = curves.to_xarray()
    assert "curve_table" not in vars(curves)
    columns = {str(name) for name in dataset.coords} - {"sample"}
    assert columns == set(curves.curve_table)
    np.testing.assert_array_equal(dataset["location"], curves.curve_table["location"])


def test_curves_of_different_lengths_through_our_file_and_netcdf(tmp_path: Path) -> None:
    curves = ragged()
    curves.save(tmp_path / "curves.h5")
    saved = nrm.open(tmp_path / "curves.h5")
    dataset = xr.open_dataset(tmp_path / "curves.h5", engine="nrm")
    assert dict(dataset.sizes)["curve"] == 3
    assert dataset["height"].values[0].tolist() == curves.read("height", 0).tolist()
    assert np.isnan(dataset["height"].values[1]).all()
    assert dataset["segment_kind"].values.tolist() == [
        ["approach", "hold", "retract"],
        ["", "", ""],
        ["approach", "", ""],
    ]
    assert dataset["curve_potential"].values.tolist() == [0.1, 0.2, 0.3]
    assert_same(saved, nrm.CurveSet.from_xarray(dataset))
    assert_same(saved, nrm.CurveSet.from_xarray(pickle.loads(pickle.dumps(dataset))))
    dataset.to_netcdf(tmp_path / "curves.nc", engine="netcdf4")
    with xr.open_dataset(tmp_path / "curves.nc", engine="netcdf4") as again:
        back = nrm.CurveSet.from_xarray(again)
        np.testing.assert_array_equal(back.read("deflection"), curves.read("deflection"))
        np.testing.assert_array_equal(back.segments, curves.segments)
        assert back.metadata["simulated"] is True
        assert back.metadata["my_key"] == 7.5


def test_some_curves_of_a_dataset() -> None:
    dataset = xr.open_dataset(VOLUME, engine="nrm")
    curves = nrm.open(VOLUME)
    assert curves.grid == (3, 5)
    part = nrm.CurveSet.from_xarray(dataset.isel(curve=[7, 3]))
    assert part.grid is None
    np.testing.assert_array_equal(part.read("deflection"), curves.read("deflection", [7, 3]))
    np.testing.assert_array_equal(part.segments, curves[[7, 3]].segments)
    assert nrm.CurveSet.from_xarray(dataset.isel(curve=slice(None, None, -1))).grid is None
    one = nrm.CurveSet.from_xarray(dataset.isel(curve=4))
    np.testing.assert_array_equal(one.read("height"), curves.read("height", 4))
    assert one.curve_table["x"][0] == curves.curve_table["x"][4]
    where = {"curve": [2, 0], "sample": slice(10, 2, -3)}
    np.testing.assert_array_equal(
        dataset["deflection"].isel(where),
        curves.read("deflection").reshape(15, -1)[[2, 0], 10:2:-3],
    )
    with pytest.raises(InvalidInput, match="samples of the curves were left out"):
        nrm.CurveSet.from_xarray(dataset.isel(sample=slice(5, None)))


def test_a_dataset_of_ones_own_is_a_set_of_curves() -> None:
    values = np.arange(6.0).reshape(2, 3)
    dataset = xr.Dataset(
        {"height": (("sample", "curve"), values.T, {"units": "um"})}, attrs={"spring_constant": 2.0}
    )
    curves = nrm.CurveSet.from_xarray(dataset)
    np.testing.assert_allclose(curves.read("height"), 1e-6 * values.ravel(), rtol=1e-15)
    assert curves.metadata["spring_constant"] == 2.0
    with pytest.raises(InvalidInput, match="no dimension 'sample'"):
        nrm.CurveSet.from_xarray(xr.Dataset({"a": ("curve", [1.0])}))
    with pytest.raises(InvalidInput, match="not kg"):
        nrm.CurveSet.from_xarray(
            xr.Dataset({"height": (("curve", "sample"), values, {"units": "kg"})})
        )
    with pytest.raises(InvalidInput, match="larger than the 3 samples"):
        nrm.CurveSet.from_xarray(dataset.assign(row_size=("curve", [3, 4])))


def test_chunks_of_dask_are_whole_curves() -> None:
    pytest.importorskip("dask")
    plain = xr.open_dataset(VOLUME, engine="nrm")
    lazy = xr.open_dataset(VOLUME, engine="nrm", chunks={})
    assert lazy["deflection"].chunks == ((15,), (112,))
    parts = plain.chunk(curve=4)
    assert parts["deflection"].chunks == ((4, 4, 4, 3), (112,))
    mean = parts["deflection"].mean("sample").compute()
    np.testing.assert_array_equal(mean, plain["deflection"].load().mean("sample"))


def test_a_tree_has_curves_and_images_or_results(tmp_path: Path) -> None:
    ragged().save(tmp_path / "curves.h5")
    tree = xr.open_datatree(tmp_path / "curves.h5", engine="nrm")
    assert tree.attrs["spring_constant"] == 0.3
    assert tree["curves/height"].shape == (3, 8)
    image = tree["images/image_000/image"]
    assert (image.dims, image.attrs["units"]) == (("y", "x"), "m")
    assert image.values.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


@pytest.mark.real
def test_real_files_are_the_same_after_the_way_there_and_back(real_files: Path) -> None:
    for name in (
        "bruker/20200903_Egel2.0_00023.spm",
        "park/ForceCurve_009.tiff",
        "other/fmt-jpk-fd_map2x2_extracted.jpk-force-map",
        "other/SOFA_fdc_data_2_Line0000Point0000ZSnsr.ibw",
        "gwyddion/gwyddion262_from_Egel_FV_repaired.gwy",
    ):
        dataset = xr.open_dataset(real_files / name, engine="nrm")
        assert_same(nrm.open(real_files / name), nrm.CurveSet.from_xarray(dataset))


def test_other_peoples_hdf5_is_not_claimed(tmp_path: Path) -> None:
    from nrm_plugin.store.xarray_engine import XarrayEngine

    engine = XarrayEngine()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.arange(3.0)
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    (tmp_path / "text.txt").write_text("hello\n")
    (tmp_path / "empty.h5").touch()
    (tmp_path / "cut.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    for name in ("other.h5", "a.nc", "text.txt", "empty.h5", "cut.h5", "none.h5", "."):
        assert not engine.guess_can_open(str(tmp_path / name)), name
    assert not engine.guess_can_open(object())
    ragged().save(tmp_path / "ours.h5")
    assert engine.guess_can_open(tmp_path / "ours.h5")
    assert engine.guess_can_open(str(VOLUME))
    assert "sample" in xr.open_dataset(VOLUME).dims  # without naming it
    with xr.open_dataset(tmp_path / "a.nc") as plain:
        assert list(plain) == ["a"]
    with pytest.raises(nrm.UnknownFormat):
        xr.open_dataset(tmp_path / "other.h5", engine="nrm")


def test_the_accessor_draws_and_counts() -> None:
    channels, metadata = parts_of(Generator(curves=9, samples=600, stiffness=20.0).make()[0])
    place: dict[str, Any] = {"x": np.arange(9) % 3 * 50e-9, "y": np.arange(9) // 3 * 50e-9}
    small_map = nrm.CurveSet.from_arrays(channels, metadata=metadata, curve_table=place)
    results = nrm.process(small_map)
    assert isinstance(results.nrm.plot.profiles(), Axes)
    assert {"map", "profiles", "thickness"} <= set(dir(results.nrm.plot))
    assert "raw" not in dir(results.nrm.plot)
    xr.testing.assert_identical(
        results.nrm.statistics.thickness(), nrm.statistics.thickness(results)
    )
    with pytest.raises(AttributeError, match="'raw' is none of"):
        results.nrm.plot.raw()
    with pytest.raises(InvalidInput, match="results, not curves"):
        _ = results.nrm.curves
    stored = results.drop_vars("shear_modulus_magnitude")
    xr.testing.assert_identical(
        stored.nrm.derived("shear_modulus_magnitude"), results["shear_modulus_magnitude"]
    )
    assert len(results.nrm.to_pandas()) == 9
    assert results.nrm.to_pandas(profiles=True).groupby("curve").ngroups == 9
    dataset = small_map.to_xarray()
    assert len(dataset.nrm.to_pandas()) == small_map.n_samples
    assert isinstance(dataset.nrm.plot.raw(0), Axes)
    xr.testing.assert_allclose(dataset.nrm.process()["storage_modulus"], results["storage_modulus"])


def test_tables_of_pandas_and_polars() -> None:
    curves = ragged()
    frame = curves.to_pandas()
    assert list(frame) == ["curve", "sample", "height", "deflection"]
    assert frame["curve"].tolist() == [0] * 8 + [2] * 4
    assert frame["sample"].tolist() == [*range(8), *range(4)]
    np.testing.assert_array_equal(frame["deflection"], curves.read("deflection"))
    some = curves.to_pandas([2, 0])
    assert some["curve"].tolist() == [2] * 4 + [0] * 8
    pytest.importorskip("polars")
    polars = curves.to_polars()
    for name in frame:
        np.testing.assert_array_equal(polars[name].to_numpy(), frame[name].to_numpy())
