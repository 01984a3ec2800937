"""Files in HDF5 that ask for memory, for other files, or for ever."""

from __future__ import annotations

import os
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from figure_results import made_results

import nrm_plugin as nrm
from nrm_plugin import hdf5_guard
from nrm_plugin.errors import CorruptFile

N = 20


@pytest.fixture
def common(tmp_path: Path) -> Path:
    height = np.linspace(0.0, 1e-7, 2 * N).reshape(2, N)
    curves = nrm.CurveSet.from_arrays(
        {"height": (height, "m"), "deflection": (height**2, "m")}, metadata={"operator": "A. B."}
    )
    path = tmp_path / "curves.h5"
    curves.save(path)
    return path


def refused(path: Path, why: str) -> None:
    with pytest.raises(CorruptFile, match=why):
        nrm.open(path)


def replaced(path: Path, name: str, **how: object) -> None:
    """Put another dataset in the place of one, with its attributes."""
    with h5py.File(path, "r+") as file:
        about = {
            key: value
            for key, value in file[name].attrs.items()
            if key not in ("DIMENSION_LIST", "CLASS", "NAME", "REFERENCE_LIST")
        }
        del file[name]
        file.create_dataset(name, **how).attrs.update(about)


def test_good_files_pass(common: Path) -> None:
    assert nrm.open(common).read("height").shape == (2 * N,)


@pytest.mark.parametrize(
    "name", ["entry/curves/height", "entry/curves/row_size", "entry/source/header"]
)
def test_shapes_without_data(common: Path, name: str) -> None:
    """A few bytes of a header stand for terabytes."""
    dtype = h5py.string_dtype() if name.endswith("header") else "f8"
    replaced(common, name, shape=(1 << 40,), dtype=dtype)
    assert common.stat().st_size < 100_000
    refused(common, f"there are no numbers of {name}")


def test_chunks_without_data(common: Path) -> None:
    replaced(common, "entry/curves/row_size", shape=(1 << 33,), dtype="i8", chunks=(1 << 20,))
    with h5py.File(common, "r+") as file:
        file["entry/curves/row_size"][:2] = N
    refused(common, "row_size is larger than what the file holds")


def test_compressed_twice(common: Path) -> None:
    with h5py.File(common, "r+") as file:
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_chunk((1 << 20,))
        how.set_deflate(9)
        how.set_deflate(9)
        space = h5py.h5s.create_simple((1 << 20,))
        entry = file["entry/curves"].id
        data = h5py.h5d.create(entry, b"bomb", h5py.h5t.NATIVE_INT64, space, how)
        data.write(h5py.h5s.ALL, h5py.h5s.ALL, np.zeros(1 << 20, np.int64))
    refused(common, "entry/curves/bomb is compressed twice")


def test_data_of_other_files(common: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(16 * N))
    replaced(
        common,
        "entry/curves/height",
        shape=(2 * N,),
        dtype="f4",
        external=[(str(secret), 0, 8 * N)],
    )
    refused(common, "height lie in another file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFO")
def test_data_in_a_fifo(common: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    replaced(
        common, "entry/curves/height", shape=(2 * N,), dtype="f4", external=[(str(fifo), 0, 8 * N)]
    )
    refused(common, "height lie in another file")


def test_virtual_data(common: Path, tmp_path: Path) -> None:
    with h5py.File(common, "r+") as file:
        layout = h5py.VirtualLayout((2 * N,), "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (2 * N,))
        file.create_virtual_dataset("entry/curves/virtual", layout)
    refused(common, "entry/curves/virtual lie in another file")


@pytest.mark.parametrize(
    ("link", "why"),
    [
        (h5py.ExternalLink("other.h5", "/x"), "height lies in another file"),
        (h5py.SoftLink("/nowhere"), "height is a link that leads nowhere"),
        (h5py.SoftLink("/outside"), "height is a link that leads nowhere in this file"),
    ],
)
def test_links(common: Path, link: object, why: str) -> None:
    with h5py.File(common, "r+") as file:
        file["outside"] = h5py.ExternalLink("other.h5", "/x")
        del file["entry/curves/height"]
        file["entry/curves/height"] = link
    refused(common, why)


@pytest.mark.parametrize("name", ["entry/curves", "entry/metadata", "entry/curves/start_time"])
def test_a_part_that_lies_in_another_file(common: Path, tmp_path: Path, name: str) -> None:
    """Whole groups, and columns that a file need not have, are not read from elsewhere either."""
    copy = tmp_path / "other.h5"
    copy.write_bytes(common.read_bytes())
    with h5py.File(common, "r+") as file:
        del file[name]
        file[name] = h5py.ExternalLink(str(copy), name)
    with pytest.raises(CorruptFile, match=f"{name} lies in another file"):
        assert len(nrm.open(common).curve_table)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFO")
def test_links_to_a_fifo(common: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with h5py.File(common, "r+") as file:
        file["fifo"] = h5py.ExternalLink(str(tmp_path / "fifo"), "/x")
        del file["entry/curves/height"]
        file["entry/curves/height"] = h5py.SoftLink("/fifo")
    refused(common, "height is a link that leads nowhere in this file")


def test_links_inside_the_file(common: Path) -> None:
    with h5py.File(common, "r+") as file:
        file["again"] = h5py.SoftLink("/entry")
    assert nrm.open(common).n_curves == 2


@pytest.mark.skipif(not hdf5_guard.LOOKS, reason="HDF5 is older than 2.0")
def test_texts_that_never_end(common: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Free space of no length in a heap lets libhdf5 2.0 run for ever."""
    data = bytearray(common.read_bytes())
    heap = re.search(rb"GCOL\x01\0\0\0", data)
    assert heap is not None
    at = heap.start() + 16
    data[at : at + 2] = bytes(2)
    data[at + 8 : at + 16] = bytes(8)
    common.write_bytes(data)
    monkeypatch.setattr(hdf5_guard, "PATIENCE", 5.0)
    refused(common, "it is damaged: reading its texts does not end|its texts cannot be read")


def test_a_doubtful_file_that_is_good(common: Path) -> None:
    """What looks like such a heap in the middle of numbers costs a process, not the file."""
    with h5py.File(common, "r+") as file:
        heap = b"GCOL\x01\0\0\0" + (64).to_bytes(8, "little") + bytes(48)
        file["entry/curves/other"] = np.frombuffer(heap, np.uint8)
    assert nrm.open(common).read("height").shape == (2 * N,)


def test_a_shape_factor_without_data(tmp_path: Path) -> None:
    from nrm_plugin.fea.shape_file import read_shape_factor

    path = tmp_path / "rg.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("distance", (1 << 40,), "f8")
        file.create_dataset("shape_factor", (1 << 40,), "f8")
    with pytest.raises(CorruptFile, match="there are no numbers of distance"):
        read_shape_factor(path)


def test_another_programs_file_may_hold_links(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["height (m)"] = np.linspace(0.0, 1e-7, N)
        file["deflection (m)"] = np.linspace(0.0, 1e-9, N)
        file["missing"] = h5py.ExternalLink("other.h5", "/x")
        file["unused"] = h5py.SoftLink("/nowhere")
    assert nrm.open(path).n_samples == N


def test_damaged_results_are_named(tmp_path: Path) -> None:
    """A coordinate of another name: the fault shows only when the variables are put together."""
    path = tmp_path / "r.h5"
    nrm.save(made_results(1, 2), path)
    with h5py.File(path, "r+") as file:
        file["entry/results"].attrs["coordinates"] = "acquisition_orde`"
    with pytest.raises(CorruptFile):
        nrm.open_results(path)


def test_data_that_lie_over_each_other_leave_the_gaps_between_them() -> None:
    places = [(50, 60), (10, 30), (15, 20), (55, 1 << 70)]
    assert list(hdf5_guard._gaps(places, 100)) == [(0, 10), (30, 50)]
    assert list(hdf5_guard._gaps([], 100)) == [(0, 100)]
    assert list(hdf5_guard._gaps([(20, 30)], 100)) == [(0, 20), (30, 100)]


LISTS = h5py.vlen_dtype(np.dtype("u1"))


def listed(item: h5py.Dataset, name: str) -> None:
    """Give something an attribute that is a list of any length."""
    value = np.empty((), object)
    value[()] = np.array([1], "u1")
    item.attrs.create(name, value, (), LISTS)


def test_attributes_that_are_lists_of_any_length(common: Path) -> None:
    """Libhdf5 ends the program where a damaged file says that a list is of no kind at all."""
    with h5py.File(common, "r+") as file:
        del file["entry/curves/height"].attrs["units"]
        listed(file["entry/curves/height"], "units")
    refused(common, "the attribute units is neither numbers nor text")


def test_texts_that_are_lists_of_any_length(common: Path) -> None:
    replaced(common, "entry/source/header", shape=(1,), dtype=LISTS)
    with h5py.File(common, "r+") as file:
        file["entry/source/header"][0] = [1, 2]
    refused(common, "entry/source/header is neither numbers nor text")


def test_attributes_that_nobody_asks_for_may_be_of_any_kind(common: Path) -> None:
    with h5py.File(common, "r+") as file:
        listed(file["entry/curves/height"], "mine")
    assert nrm.open(common).read("height").shape == (2 * N,)
