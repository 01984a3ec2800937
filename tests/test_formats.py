"""Opening and saving by kind of file; text that reads back exactly."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_plugin import (
    CurveSet,
    InvalidInput,
    MissingFile,
    NrmError,
    OutputError,
    UnknownFormat,
    formats,
)


def test_open_chooses_by_content(samples: Any, tmp_path: Path) -> None:
    truth = samples.single("single.h5")  # whatever the suffix says
    assert nrm.open(truth.path).importer == "bruker"
    samples.curves().save(tmp_path / "ours.000")
    assert nrm.open(str(tmp_path / "ours.000")).importer == "nrm"


def test_open_with_an_importer_by_name(samples: Any) -> None:
    path = samples.single().path
    assert nrm.open(path, importer="bruker").n_curves == 1
    with pytest.raises(NrmError):
        nrm.open(path, importer="nrm")
    with pytest.raises(InvalidInput, match=r"no importer 'brucker'; there are: .*bruker"):
        nrm.open(path, importer="brucker")


@pytest.mark.parametrize("name", ["missing.spm", ".", "nul\0.spm", "x" * 300, "file/below"])
def test_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MissingFile):
        nrm.open(tmp_path / name)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"x,y\n1,2\n", bytes(73728), np.random.default_rng(0).bytes(73728), b"\\*"],
)
@pytest.mark.parametrize("suffix", [".spm", ".txt"])
def test_files_of_no_known_kind(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(UnknownFormat) as caught:
        nrm.open(path)
    assert ("empty" in str(caught.value)) == (not content)


def test_unknown_format_says_who_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.spm"
    path.write_bytes(b"noise")
    with pytest.raises(UnknownFormat) as caught:
        nrm.open(path)
    assert caught.value.scores["bruker"] == 0
    assert "bruker" in str(caught.value)


def test_save_by_suffix(samples: Any, tmp_path: Path) -> None:
    curves = samples.curves()
    nrm.save(curves, tmp_path / "a.H5")
    assert nrm.open(tmp_path / "a.H5").n_curves == 4
    for name in ("a.xyz", "a"):
        with pytest.raises(InvalidInput, match=r"no exporter writes .*\.csv"):
            nrm.save(curves, tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["a.H5"]


def read_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="", encoding="utf-8") as file:
        title, *rows = csv.reader(file)
    return title, rows


def test_csv_reads_back_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    values = np.r_[0.1, -0.0, 5e-324, 1.7976931348623157e308, np.nan, np.inf, rng.normal(size=5)]
    kinds = np.array(
        [(0, 0, 2, "approach"), (0, 2, 4, "retract"), (2, 1, 7, "hold")],
        [("curve", "i8"), ("start", "i8"), ("stop", "i8"), ("kind", "U10")],
    )
    curves = CurveSet.from_arrays(
        {
            "height": (np.arange(11, dtype="i4"), "nm"),
            "deflection": (values, "V"),
            "counts": (np.arange(11, dtype="f4") / 3, ""),
        },
        row_size=[4, 0, 7],
        segments=kinds,
    )
    path = tmp_path / "a.csv"
    nrm.save(curves, path)
    title, rows = read_csv(path)
    assert title == ["curve", "segment", "sample", "height (m)", "deflection (V)", "counts"]
    assert [r[0] for r in rows] == ["0"] * 4 + ["2"] * 7
    assert [r[1] for r in rows] == ["approach"] * 2 + ["retract"] * 2 + [""] + ["hold"] * 6
    assert [r[2] for r in rows] == list("0123") + list("0123456")
    for column, expected in ((3, np.arange(11) * 1e-9), (4, values)):
        read = np.array([float(r[column]) for r in rows])
        assert read.tobytes() == expected.tobytes()
    np.testing.assert_array_equal([np.float32(r[5]) for r in rows], np.arange(11, dtype="f4") / 3)


def test_csv_of_many_blocks(tmp_path: Path) -> None:
    values = np.arange(300_000.0)
    sizes = np.r_[1000, 199_000, 0, 100_000]
    nrm.save(CurveSet.from_arrays({"deflection": (values, "V")}, sizes), tmp_path / "a.csv")
    _, rows = read_csv(tmp_path / "a.csv")
    read = np.array(rows)
    np.testing.assert_array_equal(read[:, 3].astype(float), values)
    np.testing.assert_array_equal(read[:, 0].astype(int), np.repeat(range(4), sizes))
    np.testing.assert_array_equal(
        read[:, 2].astype(int), np.concatenate([np.arange(n) for n in sizes])
    )


def test_csv_of_no_curves(samples: Any, tmp_path: Path) -> None:
    images = nrm.open(samples.images().path)
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(InvalidInput, match="no curves to write as text"):
        nrm.save(images, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "old"


def test_save_refuses_to_overwrite(samples: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(OutputError, match="it exists"):
        nrm.save(samples.curves(), tmp_path / "a.csv", overwrite=False)
    assert (tmp_path / "a.csv").read_text() == "old"


def test_files_are_in_the_order_of_their_numbers() -> None:
    """A raised number is no number of a series."""
    names = ["fv.2", "fv.10", "fv.2\u00b93", "map 10.h5", "map 2.h5", "map 2\u00b9.h5", "x\u00b2"]
    found = sorted((Path(name) for name in names), key=formats.by_number)
    assert [path.name for path in found] == [
        "fv.2",
        "fv.2\u00b93",
        "fv.10",
        "map 2.h5",
        "map 2\u00b9.h5",
        "map 10.h5",
        "x\u00b2",
    ]
