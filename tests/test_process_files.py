"""Results in files: what is streamed is what is in memory, and no accident spoils it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from nrm_generator import Generator, parts_of

import nrm_plugin as nrm

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def curves() -> nrm.CurveSet:
    made = Generator(curves=48, samples=600, retract=True).make()[0]
    channels, metadata = parts_of(made)
    place = np.arange(48) % 8 * 50e-9, np.arange(48) // 8 * 50e-9
    table: dict[str, Any] = {"x": place[0], "y": place[1], "potential": np.linspace(0.1, 1.2, 48)}
    return nrm.CurveSet.from_arrays(channels, metadata=metadata, curve_table=table)


@pytest.fixture(scope="module")
def reference(curves: nrm.CurveSet) -> xr.Dataset:
    return nrm.process(curves)


def equal(path: Path, reference: xr.Dataset) -> None:
    """Hold that a file has the same bits, names and units as results in memory."""
    with nrm.open_results(path) as found:
        assert set(found.data_vars) == set(reference.data_vars)
        for name in reference.variables:
            np.testing.assert_array_equal(found[name].values, reference[name].values, err_msg=name)
            assert found[name].dims == reference[name].dims
            units = [data[name].attrs.get("units", "") for data in (found, reference)]
            assert units[0] == units[1], name
        for key in ("warnings", "recipe", "experiment", "shape_factor_source"):
            assert found.attrs[key] == reference.attrs[key]


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("direction", ["approach", "both"])
@pytest.mark.parametrize("block", [None, 5])
def test_a_file_is_what_is_in_memory(
    direction: str, block: int | None, curves: nrm.CurveSet, tmp_path: Path
) -> None:
    recipe = nrm.Recipe().replace(direction=direction)
    out = tmp_path / "out.h5"
    lazy = nrm.process(curves, recipe, out, block=block)
    np.testing.assert_array_equal(lazy["potential"], curves.curve_table["potential"])
    lazy.close()
    equal(out, nrm.process(curves, recipe))
    assert leftovers(tmp_path) == ["out.h5"]


def test_saved_results_are_what_was_streamed(
    curves: nrm.CurveSet, reference: xr.Dataset, tmp_path: Path
) -> None:
    nrm.save(reference, tmp_path / "saved.h5")
    equal(tmp_path / "saved.h5", reference)


def test_curves_from_a_file_give_the_same(
    curves: nrm.CurveSet, reference: xr.Dataset, tmp_path: Path
) -> None:
    curves.save(tmp_path / "curves.h5")
    found = nrm.process(nrm.open(tmp_path / "curves.h5"))
    for name in reference.data_vars:
        np.testing.assert_array_equal(found[name].values, reference[name].values, err_msg=name)


def test_a_file_says_how_it_was_made(curves: nrm.CurveSet, tmp_path: Path) -> None:
    recipe = nrm.Recipe().replace(half_width=3e-9)
    nrm.process(curves, recipe, tmp_path / "out.h5").close()
    with nrm.open_results(tmp_path / "out.h5") as found:
        again = tmp_path / "again.toml"
        again.write_text(found.attrs["recipe"], encoding="utf-8")
        assert nrm.Recipe.from_toml(again) == recipe
        assert "dither_amplitude" in found.attrs["experiment"]
        assert found.attrs["nrm_plugin_version"] == nrm.__version__
        assert not found.attrs["simulated"]


class Stop(Exception):
    pass


@pytest.mark.parametrize("direction", ["approach", "both"])
def test_what_progress_raises_ends_it_and_a_second_call_goes_on(
    direction: str, curves: nrm.CurveSet, tmp_path: Path
) -> None:
    recipe = nrm.Recipe().replace(direction=direction)
    out = tmp_path / "out.h5"
    total = 48 * len(recipe.directions)

    def stop(done: int, of: int) -> None:
        assert of == total
        if done >= total // 2 + 4:
            raise Stop

    with pytest.raises(Stop):
        nrm.process(curves, recipe, out, progress=stop, block=4, threads=2)
    assert leftovers(tmp_path) == ["out.h5.part"]
    calls: list[int] = []
    nrm.process(curves, recipe, out, progress=lambda done, of: calls.append(done), block=4).close()
    assert min(calls) > total // 2
    assert calls[-1] == total
    equal(out, nrm.process(curves, recipe))
    assert leftovers(tmp_path) == ["out.h5"]


def test_another_recipe_begins_anew(curves: nrm.CurveSet, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"

    def stop(done: int, of: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        nrm.process(curves, None, out, progress=stop, block=30)
    other = nrm.Recipe().replace(half_width=4e-9)
    nrm.process(curves, other, out).close()
    equal(out, nrm.process(curves, other))


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x89HDF\r\n\x1a\n" + bytes(500)])
def test_rubbish_in_the_place_of_a_half_made_file(
    content: bytes, curves: nrm.CurveSet, reference: xr.Dataset, tmp_path: Path
) -> None:
    (tmp_path / "out.h5.part").write_bytes(content)
    nrm.process(curves, None, tmp_path / "out.h5").close()
    equal(tmp_path / "out.h5", reference)


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import nrm_plugin as nrm
folder, last = Path(sys.argv[2]), int(sys.argv[3])

def progress(done, of):
    print(done, flush=True)
    if done == last:
        os.kill(os.getpid(), signal.SIGKILL)

nrm.process(nrm.open(folder / "curves.h5"), None, folder / "out.h5", progress=progress, block=4,
            threads=2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_run_goes_on_where_it_stopped(
    curves: nrm.CurveSet, reference: xr.Dataset, tmp_path: Path
) -> None:
    curves.save(tmp_path / "curves.h5")

    def child(last: int) -> tuple[int, list[int]]:
        command = [sys.executable, "-c", CHILD, str(HERE), str(tmp_path), str(last)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        return ended.returncode, [int(line) for line in ended.stdout.split()]

    code, done = child(12)
    assert (code, done[-1]) == (-signal.SIGKILL, 12)
    assert leftovers(tmp_path) == ["curves.h5", "out.h5.part"]
    code, done = child(-1)
    assert (code, done[0], done[-1]) == (0, 16, 48)
    with nrm.open_results(tmp_path / "out.h5") as found:
        for name in reference.data_vars:
            np.testing.assert_array_equal(found[name].values, reference[name].values, err_msg=name)


def test_no_place_for_the_file(curves: nrm.CurveSet, tmp_path: Path) -> None:
    folder = tmp_path / "folder.h5"
    folder.mkdir()
    with pytest.raises(nrm.OutputError, match="folder"):
        nrm.process(curves, None, folder)
    with pytest.raises(nrm.OutputError, match="nowhere"):
        nrm.process(curves, None, tmp_path / "nowhere" / "out.h5")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(nrm.OutputError):
        nrm.process(curves, None, tmp_path / "file" / "out.h5")
    assert leftovers(tmp_path) == ["file", "folder.h5"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no file system that takes no files")
def test_a_place_where_nobody_may_write(curves: nrm.CurveSet) -> None:
    with pytest.raises(nrm.OutputError, match="/proc"):
        nrm.process(curves, None, "/proc/out.h5")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_read_only_folder(curves: nrm.CurveSet, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(nrm.OutputError, match="locked"):
        nrm.process(curves, None, folder / "out.h5")


FULL_DISK = """
import resource, sys
from pathlib import Path
import nrm_plugin as nrm
folder = Path(sys.argv[1])
curves = nrm.open(folder / "curves.h5")
nrm.process(curves, None, folder / "whole.h5").close()
size = (folder / "whole.h5").stat().st_size
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
out = folder / "out.h5"
out.write_bytes(b"precious")
for limit in (0, 5000, size // 2, size - 1):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        nrm.process(curves, None, out, block=4)
    except nrm.OutputError as error:
        outcome = "refused" if "out.h5" in str(error) else str(error)
    else:
        outcome = "written"
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    print(outcome, out.read_bytes() == b"precious")
nrm.process(curves, None, out).close()
print(sorted(p.name for p in folder.iterdir()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes to play a full disk")
def test_a_full_disk(curves: nrm.CurveSet, reference: xr.Dataset, tmp_path: Path) -> None:
    """A limit on file sizes plays the full disk; with room again the same call ends well."""
    curves.save(tmp_path / "curves.h5")
    ended = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines == ["refused True"] * 4 + ["['curves.h5', 'out.h5', 'whole.h5']"]
    with nrm.open_results(tmp_path / "out.h5") as found:
        np.testing.assert_array_equal(found["storage_modulus"].values, reference["storage_modulus"])


def test_the_curves_own_file_is_not_replaced(tmp_path: Path) -> None:
    Generator(curves=3).make()[0].save(tmp_path / "curves.h5")
    before = (tmp_path / "curves.h5").read_bytes()
    with pytest.raises(nrm.OutputError, match="the curves are read from it"):
        nrm.process(nrm.open(tmp_path / "curves.h5"), out=tmp_path / "curves.h5")
    assert (tmp_path / "curves.h5").read_bytes() == before
