"""What is left where something around a program fails; the campaign is `benchmarks/faults.py`."""

from __future__ import annotations

import logging
import os
import sys
import time
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_plugin import files, statistics
from nrm_plugin.cli import main
from nrm_plugin.simulate.sodiation import write_log
from nrm_plugin.study import propose

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="a limit on the size of files")


@pytest.fixture
def full_disk():
    """No file can have more than ten bytes."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _log(path: Path) -> None:
    write_log({name: np.zeros(3) for name in ("time", "potential", "current")}, path)


WRITERS = {
    "write_summary": lambda path: statistics.write_summary([{"region": "a"}], path),
    "write_log": _log,
    "write_text": lambda path: files.write_text(path, "a text of more than ten bytes"),
}


@POSIX
@pytest.mark.parametrize("name", WRITERS)
def test_texts_are_whole_or_as_they_were(full_disk: None, tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"precious")
    with pytest.raises(nrm.OutputError, match="File too large"):
        WRITERS[name](path)
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


@POSIX
def test_the_script_for_gwyddion_is_whole_or_not_there(
    full_disk: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    done = CliRunner().invoke(main, ["gwyddion", "install"])
    assert done.exit_code == 1
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_folder_that_was_being_replaced_comes_back(tmp_path: Path) -> None:
    """As it lies after a kill between the two renames."""
    out = tmp_path / "out.zarr"
    old = tmp_path / ".out.0123abcd.old.zarr"
    old.mkdir()
    (old / ".zgroup").write_text("old")
    refused = pytest.raises(nrm.OutputError, match="only with --overwrite")
    with refused, files.replacing_folder(out, overwrite=False):
        pytest.fail("there is one")
    assert (out / ".zgroup").read_text() == "old"
    old.mkdir()
    with files.replacing_folder(out, overwrite=True) as part:
        (part / ".zgroup").write_text("new")
    assert (out / ".zgroup").read_text() == "new"
    assert list(tmp_path.iterdir()) == [out]


def test_folders_of_killed_programs_are_removed_after_a_day(tmp_path: Path) -> None:
    names = (".out.0123abcd.part.zarr", ".out.89abcdef.part.zarr", ".mine.part.zarr")
    for name in names:
        (tmp_path / name / "x").mkdir(parents=True)
    for name in (names[0], names[2]):
        long_ago = time.time() - 100_000.0
        os.utime(tmp_path / name, (long_ago, long_ago))
    files.write_text(tmp_path / "a.txt", "")
    assert {p.name for p in tmp_path.iterdir()} == {*names[1:], "a.txt"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("CON.h5", "CON is a device"),
        ("aux.toml", "AUX is a device"),
        ("com\xb9.csv", "COM\xb9 is a device"),
        ("a:b.h5", "':' is not allowed"),
        ("what?.png", "'?' is not allowed"),
        ("out.", "dot or a blank"),
        ("out.h5 ", "dot or a blank"),
        ("console.h5", ""),
        ("Grün µ.h5", ""),
        ("..", ""),
    ],
)
def test_names_that_windows_refuses(name: str, why: str) -> None:
    refused = files.refused_by_windows(name)
    assert why in refused
    assert bool(why) == bool(refused)


@POSIX
def test_such_names_are_warned_of_elsewhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            files.write_text(tmp_path / "prn.csv", "a")
    assert (tmp_path / "prn.csv").read_text() == "a"
    assert caplog.messages == [
        f"{tmp_path / 'prn.csv'}: Windows has no file of this name: PRN is a device there"
    ]


def test_such_names_are_refused_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.sys, "platform", "win32")
    with pytest.raises(nrm.OutputError, match="NUL is a device there"):
        files.check_output(tmp_path / "nul.h5", overwrite=True)
    assert list(tmp_path.iterdir()) == []


def test_what_hdf5_quotes_of_the_system() -> None:
    said = (
        "Can't close file (file write failed: time = Sun Nov 29 18:02:07 2026\n, filename = 'a', "
        "file descriptor = 5, errno = 28, error message = 'No space left on device', buf = 0x55)"
    )
    assert files.system_reason(RuntimeError(said)) == "No space left on device"
    assert files.system_reason(OSError(2, "No such file", "a.h5")) == "No such file"
    assert files.system_reason(RuntimeError("closed")) == "closed"
    gone = FileNotFoundError(2, "No such file", "a.h5")
    assert str(nrm.MissingFile("b.h5", gone)) == "b.h5: No such file"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file that cannot be read")
def test_files_that_a_proposed_study_could_not_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.h5").symlink_to("/proc/self/mem")
    with pytest.raises(nrm.NrmError, match=r"no curves in it .*; 1 file could not be read"):
        propose(tmp_path)
    curves = nrm.CurveSet.from_arrays({"deflection": (np.zeros(8), "m")}, [8])
    curves.save(tmp_path / "a.h5")
    text = propose(tmp_path)
    assert f"# Not looked at: {tmp_path / 'bad.h5'}: it cannot be read (Input/output error)" in text


@POSIX
def test_a_shape_factor_on_a_full_disk_is_one_sentence(full_disk: None, tmp_path: Path) -> None:
    words = ["fea", "shape-factor", "--radius", "10nm", "--thickness", "20nm", "--table", "-o"]
    done = CliRunner().invoke(main, [*words, str(tmp_path / "rg.h5")])
    assert done.exit_code == 1
    assert done.stderr == f"nrm: {tmp_path / 'rg.h5'} was not written: File too large\n"
    assert list(tmp_path.iterdir()) == []


class OneByteAtATime(FileIO):
    """A drive that gives and takes less than it is asked for."""

    def readinto(self, room: Any) -> int | None:
        return super().readinto(memoryview(room)[:1])

    def read(self, size: int | None = -1) -> bytes | None:
        return super().read(1 if size and size > 0 else size)


class Patient(files.PatientFile, OneByteAtATime):
    """What our files make of it."""


def test_drives_that_give_fewer_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    room = np.zeros(4, "<u2")
    with Patient(path) as file:
        assert (file.read(3), file.read(0), file.readinto(room[:3]), file.read(5)) == (
            *(b"012", b"", 6, b"9"),
        )
        assert room.tobytes()[:6] == b"345678"
        file.seek(1)
        assert file.read() == b"123456789"
        assert file.read(1) == b""
