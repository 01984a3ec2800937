"""Results in pieces: as Dask arrays, and as Zarr in folders and at addresses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from made_results import map_places, results_of

import nrm_plugin as nrm
from nrm_plugin.cli import main
from nrm_plugin.errors import InvalidInput, MissingFile, MissingPackage, OutputError


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of results of 36 curves, with positions, a time, words and attributes."""
    rng = np.random.default_rng(3)
    modulus = rng.uniform(1e5, 1e7, (36, 41)) * (1 + 0.3j)
    modulus[rng.random((36, 41)) < 0.2] = np.nan
    results = results_of(modulus.astype("c8"), **map_places(6))
    results.attrs |= {"source_name": ["a.spm", "b.spm"], "dither_frequency": 1000.0}
    file = tmp_path_factory.mktemp("results") / "map.h5"
    nrm.save(results, file)
    return file


def test_chunks_are_pieces_of_curves_with_the_same_values(path: Path) -> None:
    whole = nrm.open_results(path)
    pieces = nrm.open_results(path, chunks={"curve": 10})
    assert whole.chunks == {}
    assert pieces.chunks["curve"] == (10, 10, 10, 6)
    assert set(pieces.data_vars) == set(whole.data_vars)
    xr.testing.assert_identical(pieces.compute(), whole.load())
    assert nrm.open_results(path, chunks={}).chunks["curve"] == (36,)


@pytest.mark.parametrize("where", ["folder", "file://", "memory://"])
def test_zarr_holds_all_of_it(path: Path, tmp_path: Path, where: str) -> None:
    address = {
        "folder": str(tmp_path / "map.zarr"),
        "file://": (tmp_path / "map.zarr").as_uri(),
        "memory://": f"memory://{tmp_path.name}/map.zarr",
    }[where]
    results = nrm.open_results(path)
    nrm.save(results, address)
    again = nrm.open_results(address)
    assert "shear_modulus_magnitude" in again  # files leave it out
    assert again.attrs == results.attrs
    for name in results.variables:
        np.testing.assert_array_equal(again[name].values, results[name].values, err_msg=name)
        assert again[name].attrs == results[name].attrs, name
        assert again[name].dtype == results[name].dtype, name
    assert nrm.open_results(address, chunks={"curve": 7}).chunks["curve"] == (7,) * 5 + (1,)
    with pytest.raises(OutputError, match="it exists, and is replaced only"):
        nrm.save(results, address, overwrite=False)
    nrm.save(results, address)


def test_the_command_writes_results_to_an_address(path: Path, tmp_path: Path) -> None:
    address = (tmp_path / "map.zarr").as_uri()
    assert CliRunner().invoke(main, ["convert", str(path), "-o", address]).exit_code == 0
    assert nrm.open_results(address).sizes["curve"] == 36
    again = CliRunner().invoke(main, ["convert", str(path), "-o", address])
    assert again.exit_code == 1
    assert (
        again.stderr
        == f"nrm: {address} was not written: it exists, and is replaced only with --overwrite\n"
    )
    two = CliRunner().invoke(main, ["convert", str(path), str(path) + "x", "-o", address])
    assert two.exit_code == 2


def test_what_is_no_zarr_of_results(path: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no complete results at this address"):
        nrm.open_results("memory://nothing/there.zarr")
    with pytest.raises(MissingFile):
        nrm.open_results(tmp_path / "none.zarr")
    other = tmp_path / "other.zarr"
    xr.Dataset({"a": ("x", np.arange(3))}).to_zarr(other, zarr_format=2, consolidated=True)
    with pytest.raises(InvalidInput, match="holds no results"):
        nrm.open_results(other)
    curves = nrm.CurveSet.from_arrays({"height": (np.zeros((2, 8)), "m")})
    with pytest.raises(InvalidInput, match=r"only results as \.zarr go to an address"):
        nrm.save(curves, "memory://curves.h5")
    with pytest.raises((MissingPackage, OutputError)):
        nrm.save(nrm.open_results(path), "s4://nowhere/map.zarr")
