"""Results in files: what is streamed is what is in memory, and no accident spoils it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from nrm_generator import Generator, parts_of

import nrm_plugin as nrm
from nrm_plugin.files import open_locked
from nrm_plugin.store import journal

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def curves() -> nrm.CurveSet:
    made = Generator(curves=48, samples=600, stiffness=20.0, retract=True).make()[0]
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
        for key in ("warnings", "checks", "recipe", "experiment", "shape_factor_source"):
            assert found.attrs[key] == reference.attrs[key]


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_the_engine_gives_every_variable(reference: xr.Dataset) -> None:
    empty = {str(name) for name, array in reference.items() if array.isnull().all()}
    # Nothing breaks and nothing attracts here: tests/test_normal_channel.py has curves that do.
    events = {name for name in empty if "break_through" in name or "adhesion" in name}
    assert empty - events == {"pull_off_distance"}, (
        "in nrm_plugin/variables.py, but the engine returns no values for them"
    )


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


def test_xarray_opens_results_by_its_engine(
    curves: nrm.CurveSet, reference: xr.Dataset, tmp_path: Path
) -> None:
    nrm.save(reference, tmp_path / "out.h5")
    with xr.open_dataset(tmp_path / "out.h5", engine="nrm") as found:
        assert not found["storage_modulus"].variable._in_memory
        xr.testing.assert_identical(found.load(), nrm.open_results(tmp_path / "out.h5").load())
    dropped = xr.open_dataset(
        tmp_path / "out.h5", engine="nrm", drop_variables=["quality", "storage_modulus"]
    )
    assert "loss_modulus" in dropped
    assert not {"quality", "storage_modulus"} & set(dropped)
    some = dropped["loss_modulus"].isel(curve=[7, 3], depth=slice(None, None, -5))
    np.testing.assert_array_equal(some, reference["loss_modulus"].values[[7, 3], ::-5].astype("f4"))
    curves.save(tmp_path / "curves.h5")
    assert "sample" in xr.open_dataset(tmp_path / "curves.h5", engine="nrm").dims
    with pytest.raises(nrm.MissingFile):
        xr.open_dataset(tmp_path / "none.h5", engine="nrm")


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


def test_a_part_gives_what_a_set_of_these_curves_gives(curves: nrm.CurveSet) -> None:
    """Bit for bit, from a view as from arrays of its own; without a grid it has the rows of it."""
    chosen = np.arange(48) % 3 != 1
    part = curves[chosen]
    channels = {
        name: (part.read_raw(name).reshape(len(part), -1) * 1.0, channel.unit)
        for name, channel in part.channels.items()
    }
    own = nrm.CurveSet.from_arrays(
        channels, curve_table=part.curve_table, metadata=curves.metadata, segments=part.segments
    )
    found, wanted = nrm.process(part), nrm.process(own)
    assert found.sizes["curve"] == 32
    for name in wanted.variables:
        np.testing.assert_array_equal(found[name].values, wanted[name].values, err_msg=name)
    np.testing.assert_array_equal(found["potential"], curves.curve_table["potential"][chosen])


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
    assert leftovers(tmp_path) == ["out.h5.process"]
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


def test_an_empty_file_in_the_place_of_the_journal(
    curves: nrm.CurveSet, reference: xr.Dataset, tmp_path: Path
) -> None:
    (tmp_path / "out.h5.process").touch()
    nrm.process(curves, None, tmp_path / "out.h5").close()
    equal(tmp_path / "out.h5", reference)
    assert leftovers(tmp_path) == ["out.h5"]


@pytest.mark.parametrize("content", [b"nonsense", b"\x89HDF\r\n\x1a\n" + bytes(500)])
def test_what_is_no_journal_is_left_alone(
    content: bytes, curves: nrm.CurveSet, tmp_path: Path
) -> None:
    (tmp_path / "out.h5.process").write_bytes(content)
    with pytest.raises(nrm.OutputError, match=r"out\.h5\.process is in the way"):
        nrm.process(curves, None, tmp_path / "out.h5")
    assert (tmp_path / "out.h5.process").read_bytes() == content
    assert leftovers(tmp_path) == ["out.h5.process"]


def half_finished(curves: nrm.CurveSet, out: Path, recipe: nrm.Recipe | None = None) -> bytes:
    """What is left of results in whose middle somebody pulled the plug."""

    def stop(done: int, of: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        nrm.process(curves, recipe, out, progress=stop, block=30)
    return out.with_name(f"{out.name}.process").read_bytes()


@pytest.mark.parametrize("kept", [0, 3000, 100_000])
def test_a_damaged_journal_is_begun_anew(
    kept: int, curves: nrm.CurveSet, reference: xr.Dataset, tmp_path: Path
) -> None:
    """HDF5 writes its first bytes last: until then there is our mark."""
    data = half_finished(curves, tmp_path / "out.h5")
    damaged = data[:kept] if kept else b"nrm-results journal\n" + bytes(5000)
    (tmp_path / "out.h5.process").write_bytes(damaged)
    nrm.process(curves, None, tmp_path / "out.h5").close()
    equal(tmp_path / "out.h5", reference)


def test_what_an_earlier_version_left_is_named_and_kept(
    curves: nrm.CurveSet,
    reference: xr.Dataset,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    part = tmp_path / "out.h5.part"
    part.write_bytes(half_finished(curves, tmp_path / "out.h5"))
    (tmp_path / "out.h5.process").unlink()
    before = part.read_bytes()
    nrm.process(curves, None, tmp_path / "out.h5").close()
    equal(tmp_path / "out.h5", reference)
    assert part.read_bytes() == before
    assert "unfinished results of an earlier version" in caplog.text


def test_a_recording_beside_the_results_is_not_touched(
    curves: nrm.CurveSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "out.h5.part").write_bytes(b"NRM recording 1\n" + bytes(100))
    nrm.process(curves, None, tmp_path / "out.h5").close()
    assert (tmp_path / "out.h5.part").read_bytes() == b"NRM recording 1\n" + bytes(100)
    assert "earlier version" not in caplog.text


def test_one_writer_at_a_time(curves: nrm.CurveSet, reference: xr.Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    other = nrm.Recipe().replace(half_width=4e-9)
    refused: list[str] = []

    def meanwhile(done: int, of: int) -> None:
        with pytest.raises(nrm.OutputError, match="another nrm process is writing") as error:
            nrm.process(curves, other, out)
        refused.append(str(error.value))

    nrm.process(curves, None, out, progress=meanwhile, block=30).close()
    assert len(refused) == 2
    equal(out, reference)
    assert leftovers(tmp_path) == ["out.h5"]


def test_a_file_that_another_writer_finished_meanwhile_is_not_replaced(
    curves: nrm.CurveSet, reference: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second begins after the first has let go of the journal; it looks again."""
    out = tmp_path / "out.h5"
    straight = journal.open_locked

    def later(*given: Any) -> Any:
        monkeypatch.undo()
        nrm.process(curves, None, out).close()
        return straight(*given)

    monkeypatch.setattr(journal, "open_locked", later)
    other = nrm.Recipe().replace(half_width=4e-9)
    with pytest.raises(nrm.OutputError, match="--overwrite"):
        nrm.process(curves, other, out, overwrite=False)
    equal(out, reference)
    assert leftovers(tmp_path) == ["out.h5"]


def test_a_file_that_was_renamed_while_it_was_opened_is_opened_again(tmp_path: Path) -> None:
    """What is locked is what the path names: a finished file is nobody's journal."""
    path, final = tmp_path / "journal", tmp_path / "final"
    path.write_bytes(b"finished")

    class Late(FileIO):
        def fileno(self) -> int:  # what the lock asks for: the last moment before
            if path.exists() and path.read_bytes() == b"finished":
                path.replace(final)
            return super().fileno()

    with open_locked(path, "busy", Late) as file:
        file.write(b"new")
    assert (path.read_bytes(), final.read_bytes()) == (b"new", b"finished")


RACER = """
import sys
from nrm_plugin.cli import main
from nrm_plugin.engine import pipeline
sys.stdin.readline()
main(sys.argv[1:])
"""


def test_races_of_two_commands(curves: nrm.CurveSet, tmp_path: Path) -> None:
    """Two of them, ready and let go at once: one wins, the other says so, nothing is mixed."""
    curves.save(tmp_path / "curves.h5")
    out, part = tmp_path / "out.h5", tmp_path / "out.h5.part"
    recording = b"NRM recording 1\n" + bytes(range(256))
    part.write_bytes(recording)
    wanted = []
    for width in ("3 nm", "4 nm"):
        (tmp_path / f"{width}.toml").write_text(f'[derivative]\nhalf_width = "{width}"\n')
        recipe = nrm.Recipe.from_toml(tmp_path / f"{width}.toml")
        wanted.append(nrm.process(curves, recipe)["storage_modulus"].values)
    for _ in range(3):
        racers = []
        for width in ("3 nm", "4 nm"):
            options = ["--recipe", str(tmp_path / f"{width}.toml"), "-o", str(out)]
            command = [sys.executable, "-c", RACER, "process", str(tmp_path / "curves.h5")]
            racers.append(
                subprocess.Popen(
                    [*command, *options],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("\n")
            racer.stdin.flush()
        said = [racer.communicate(timeout=120)[1] for racer in racers]
        codes = [racer.returncode for racer in racers]
        assert sorted(codes) == [0, 1], said
        lost = said[codes.index(1)]
        assert "another nrm process is writing" in lost or "--overwrite" in lost
        with nrm.open_results(out) as found:
            np.testing.assert_array_equal(
                found["storage_modulus"].values, wanted[codes.index(0)].astype("f4")
            )
        assert part.read_bytes() == recording
        assert not (tmp_path / "out.h5.process").exists()
        out.unlink()


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
    assert leftovers(tmp_path) == ["curves.h5", "out.h5.process"]
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
