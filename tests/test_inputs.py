"""Folders, patterns and many files where one is taken; files of other programs are named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from writers.igor import curve, write_wave
from writers.jpk import JpkWriter, ramp

import nrm_plugin as nrm
from nrm_plugin import formats
from nrm_plugin.cli import main


def nrm_(*arguments: object, code: int = 0) -> str:
    ran = CliRunner().invoke(main, [str(a) for a in arguments])
    assert ran.exit_code == code, ran.output
    return ran.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three curves, whose numbers are not in the order of their letters, and other things."""
    where = tmp_path / "data"
    where.mkdir()
    for number in (10, 2, 1):
        parts = ramp(40 + number, 40)
        JpkWriter().write(where / f"fv.{number}.jpk-force", [parts])
    (where / "notes.txt").write_text("Dear diary,\nnothing today.\n")
    (where / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    (where / "deeper").mkdir()
    return where


def test_a_folder_stands_for_its_curves(folder: Path, tmp_path: Path) -> None:
    assert [p.name for p in formats.expanded([folder])] == [f"fv.{n}.jpk-force" for n in (1, 2, 10)]
    nrm_("convert", folder, "-o", tmp_path / "all.h5")
    assert nrm.open(tmp_path / "all.h5").row_size.tolist() == [81, 82, 90]
    reports = json.loads(nrm_("info", folder, "--json"))
    assert [Path(r["path"]).name for r in reports] == [f"fv.{n}.jpk-force" for n in (1, 2, 10)]


def test_a_pattern_that_no_shell_expanded(folder: Path, tmp_path: Path) -> None:
    nrm_("convert", folder / "fv.*", "-o", tmp_path / "all.h5")
    assert nrm.open(tmp_path / "all.h5").n_curves == 3
    nrm_("convert", folder / "fv.?.jpk-force", "-o", tmp_path / "two.h5")
    assert nrm.open(tmp_path / "two.h5").n_curves == 2
    # A name with such a sign that is there is that file.
    odd = folder / "a[1].jpk-force"
    odd.write_bytes((folder / "fv.1.jpk-force").read_bytes())
    assert formats.expanded([odd]) == [odd]


def test_nothing_to_be_found_is_said(folder: Path) -> None:
    with pytest.raises(nrm.NrmError, match="no file has such a name"):
        formats.expanded([folder / "*.spm"])
    with pytest.raises(nrm.NrmError, match="no file in this folder that an importer knows"):
        formats.expanded([folder / "deeper"])
    assert "no file has such a name" in nrm_("info", folder / "*.spm", code=1)


def test_files_are_taken_once(folder: Path) -> None:
    one = folder / "fv.1.jpk-force"
    assert formats.expanded([one, folder / "fv.1*", one])[0] == one
    assert len(formats.expanded([one, folder])) == 3


def test_a_map_of_many_files_is_opened_once(tmp_path: Path) -> None:
    where = tmp_path / "map"
    where.mkdir()
    for point in range(3):
        table, note = curve(80, seed=point)
        for column, label in enumerate(("Raw", "Defl", "ZSnsr")):
            path = where / f"Line0000Point{point:04}{label}.ibw"
            write_wave(path, table[:, column], labels=(label,), note={"Indexes": note["Indexes"]})
    nrm_("convert", where, "-o", tmp_path / "all.h5")
    assert nrm.open(tmp_path / "all.h5").n_curves == 3


def test_curves_of_results_from_several_files(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    files = []
    for i in range(2):
        z = np.linspace(300e-9, -20e-9, 800)
        nrm.CurveSet.from_arrays(
            {
                "height": (z, "m"),
                "deflection": (np.maximum(-z, 0.0) + 1e-11 * rng.normal(size=800), "m"),
            },
            metadata={"spring_constant": 1.0},
        ).save(tmp_path / f"c{i}.h5")
        files.append(tmp_path / f"c{i}.h5")
    nrm_("process", *files, "-o", tmp_path / "r.h5")
    pattern = tmp_path / "c?.h5"
    nrm_("plot", tmp_path / "r.h5", "-o", tmp_path / "a.png", "--kind", "raw", "--curves", pattern)
    assert (tmp_path / "a.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("name", "head", "message"),
    [
        (
            "a.mdt",
            b"\x01\xb0\x93\xff" + bytes(90),
            "It is an NT-MDT file (.mdt): open it in Gwyddion",
        ),
        ("a.gdf", b"GDEF" + bytes(90), "It is a DME file (GDEF)"),
        ("a.tif", b"II*\0" + bytes(90), "It is a TIFF image"),
        ("a.xlsx", b"PK\x03\x04" + bytes(90), "It is an Excel sheet: save it as .csv"),
        ("a.zip", b"PK\x03\x04" + bytes(90), "It is a zip archive: unpack it"),
        ("a.mpr", b"BIO-LOGIC MODULAR FILE\x1a" + bytes(90), "give it with --potential"),
    ],
)
def test_foreign_files_are_named(tmp_path: Path, name: str, head: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(head)
    with pytest.raises(nrm.UnknownFormat) as caught:
        nrm.open(path)
    assert message in str(caught.value)
    assert "damaged" not in str(caught.value)


def test_another_programs_hdf5_is_named(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["0/force"] = np.arange(5.0)
    with pytest.raises(nrm.UnknownFormat, match="It is an HDF5 file of another program"):
        nrm.open(tmp_path / "a.h5")
