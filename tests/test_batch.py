"""Many files in several processes and on a real Dask cluster: the serial run, bit for bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import batch_calls
import h5py
import numpy as np
import pytest
from dask_cluster import PATIENCE, DaskCluster, dask_cluster, until

import nrm_plugin as nrm
from nrm_plugin import simulate as sim
from nrm_plugin.batch import BatchTask, run_tasks
from nrm_plugin.batch.cluster import Cluster, _Checked, signature
from nrm_plugin.batch.tasks import grouped, travels
from nrm_plugin.engine.pipeline import run
from nrm_plugin.errors import BatchError, InvalidInput, MissingPackage
from nrm_plugin.recipe import Recipe

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    """Processes that are started find `batch_calls`."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), *filter(None, [before])])
    yield
    del os.environ["PYTHONPATH"]
    if before is not None:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, importable: None) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as one:
        yield one


def simulated(n_curves: int, seed: int) -> nrm.CurveSet:
    sample = sim.Sample(sim.Interphase((sim.Layer(20e-9, 2e6 + 1e6j),), force=3e-9))
    instrument = sim.Instrument(lateral_stiffness=30.0, lock_in=sim.LockIn(time_constant=2e-3))
    return sim.simulate(sample, instrument, sim.Ramp(), n_curves=n_curves, seed=seed)[0]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six files of three curves, and one that is damaged."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(6):
        simulated(3, number).save(folder / f"map{number}.h5")
    (folder / "map3bad.spm").write_bytes(b"\\*Force file list\r\n\\Version: 0x09400202\r\n")
    return folder


def contents(path: Path) -> dict[str, Any]:
    """All that a file holds, but for the moment at which it was written."""
    found: dict[str, Any] = {}

    def look(name: str, thing: h5py.Group | h5py.Dataset) -> None:
        about = {
            k: repr(v)
            for k, v in thing.attrs.items()
            if k not in ("DIMENSION_LIST", "REFERENCE_LIST")
        }
        value = thing[()] if isinstance(thing, h5py.Dataset) else b""
        found[name] = (
            about,
            value.tobytes()
            if isinstance(value, np.ndarray) and value.dtype != object
            else repr(value),
        )

    with h5py.File(path) as file:
        file.visititems(look)
    found.pop("entry/process/date", None)
    return found


def nrm_command(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nrm_plugin", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=10 * PATIENCE,
        check=False,
    )


def squares(count: int) -> list[BatchTask]:
    return [BatchTask(str(i), batch_calls.square, (i,)) for i in range(count)]


# ---------------------------------------------------------------- tasks


@pytest.mark.parametrize("jobs", [1, 2])
def test_outcomes_come_in_order_with_the_errors_of_each(jobs: int) -> None:
    seen = []
    outcomes = list(run_tasks(squares(20), jobs=jobs, progress=lambda *done: seen.append(done)))
    assert [o.task.name for o in outcomes] == [str(i) for i in range(20)]
    assert [o.value for o in outcomes] == [None if i == 7 else i * i for i in range(20)]
    assert isinstance(outcomes[7].error, InvalidInput)
    assert str(outcomes[7].error) == "seven is refused"
    assert seen == [(i + 1, 20) for i in range(20)]


def test_there_are_no_fewer_processes_than_one() -> None:
    with pytest.raises(InvalidInput, match="give 1 or more"):
        list(run_tasks(squares(2), jobs=0))


def test_a_process_that_died_is_replaced(tmp_path: Path) -> None:
    tasks = [BatchTask(str(i), batch_calls.die_once, (tmp_path / "mark", i)) for i in range(6)]
    assert [o.value for o in run_tasks(tasks, jobs=2)] == list(range(6))


def test_processes_that_always_die_end_it_with_a_sentence() -> None:
    tasks = [BatchTask("deadly.spm", batch_calls.always_die)] * 2
    with pytest.raises(BatchError, match=r"killed 3 times, about where deadly.spm was in work"):
        list(run_tasks(tasks, jobs=2))


def test_small_files_travel_together_and_large_ones_alone() -> None:
    small = [BatchTask(str(i), batch_calls.square, (i,), 1 << 20) for i in range(1000)]
    sizes = [len(group) for group in grouped(small, 2)]
    assert max(sizes) == 32
    assert sum(sizes) == 1000
    assert [len(group) for group in grouped(small[:16], 2)] == [1] * 16  # all workers get some
    large = [BatchTask(str(i), batch_calls.square, (i,), 60 << 20) for i in range(1000)]
    assert {len(group) for group in grouped(large, 2)} == {1}


def test_what_travels_is_small_and_has_no_functions_of_the_spot() -> None:
    assert travels(np.zeros(100), 2000)
    assert not travels(np.zeros(1000), 2000)
    assert not travels(lambda: 0, 2000)


# ---------------------------------------------------------------- commands


@pytest.fixture(scope="module")
def serial(files: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("serial")
    done = nrm_command("process", files, "-o", "out/", cwd=folder)
    assert done.returncode == 1  # one is damaged
    converted = nrm_command("convert", *sorted(files.glob("*.h5")), "-o", "c/", cwd=folder)
    assert converted.returncode == 0
    return {"folder": folder, "out": done.stdout, "err": done.stderr}


def of_folder(folder: Path) -> dict[str, Any]:
    return {path.name: contents(path) for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("where", ["jobs", "scheduler"])
def test_files_are_those_of_the_serial_run(
    where: str, files: Path, serial: dict[str, Any], cluster: DaskCluster, tmp_path: Path
) -> None:
    spread = ("--jobs", 2) if where == "jobs" else ("--scheduler", cluster.address)
    done = nrm_command("process", files, "-o", "out/", *spread, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, serial["out"], serial["err"])
    assert of_folder(tmp_path / "out") == of_folder(serial["folder"] / "out")
    again = nrm_command("process", files, "-o", "out/", *spread, cwd=tmp_path)
    assert again.stderr.endswith("nrm: 6 up to date, skipped, 1 failed\n")
    inputs = sorted(files.glob("*.h5"))
    done = nrm_command("convert", *inputs, "-o", "c/", *spread, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "nrm: 6 written\n")
    assert of_folder(tmp_path / "c") == of_folder(serial["folder"] / "c")


def test_ctrl_c_is_one_sentence_and_the_next_call_goes_on(
    files: Path, serial: dict[str, Any], tmp_path: Path
) -> None:
    words = ["process", *(str(f) for f in sorted(files.glob("*.h5"))), "-o", "out/", "--jobs", "2"]
    running = subprocess.Popen(
        [sys.executable, "-m", "nrm_plugin", *words],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    out = tmp_path / "out"
    until(lambda: running.poll() is not None or len([*out.glob("*.h5")]) > 0, "a first file")
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=PATIENCE)[1]
    if running.returncode != 0:  # it was not done already
        assert running.returncode == 130
        assert said == "nrm: stopped; the same call goes on from here\n"
    done = nrm_command(*words, cwd=tmp_path)
    assert done.returncode == 0
    assert of_folder(out) == of_folder(serial["folder"] / "out")


def test_without_dask_the_command_says_how_to_install_it(tmp_path: Path, files: Path) -> None:
    code = (
        "import sys; sys.modules['distributed'] = None; from nrm_plugin.cli import main; "
        f"main(['process', {str(files / 'map0.h5')!r}, '-o', 'o.h5', '--scheduler', 'tcp://x:1'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert 'pip install "nrm-plugin[dask]"' in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with pytest.raises(MissingPackage):
        raise MissingPackage("distributed", "dask")


# ---------------------------------------------------------------- blocks of one file


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose samples are not kept in memory, 1200 curves of 1024 samples."""
    path = tmp_path_factory.mktemp("large") / "map.h5"
    curves = simulated(12, 5)
    from nrm_plugin.joining import join

    join([curves] * 100).save(path)
    return path


@pytest.mark.parametrize("recipe", [{}, {"direction": "both", "correct_slope": True}])
def test_blocks_of_one_file_give_the_same_bits(
    recipe: dict[str, Any], large: Path, cluster: DaskCluster, tmp_path: Path
) -> None:
    chosen = Recipe().replace(**recipe)
    run(large, chosen, tmp_path / "here.h5")
    asked = []
    with Cluster(cluster.address) as connected:

        def elsewhere(function: Any, pieces: Any) -> Iterator[Any]:
            for made in connected.blocks(function, pieces):
                asked.append(made[:2])
                yield made

        run(large, chosen, tmp_path / "there.h5", elsewhere=elsewhere, block=100)
    passes = 1 if not recipe else 4  # two directions, each with a pass for the slope
    assert asked == [(i, i + 100) for i in range(0, 1200, 100)] * passes
    assert contents(tmp_path / "there.h5") == contents(tmp_path / "here.h5")


# ---------------------------------------------------------------- what goes wrong on a cluster


def test_nobody_at_the_address() -> None:
    with pytest.raises(BatchError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1 "):
        Cluster("tcp://127.0.0.1:1", timeout=1.0).__enter__()
    with pytest.raises(Exception, match="there is no such scheduler file"):
        Cluster("none/scheduler.json").__enter__()


def test_tasks_on_a_cluster_come_in_order(cluster: DaskCluster) -> None:
    outcomes = list(run_tasks(squares(40), scheduler=cluster.address))
    assert [o.value for o in outcomes] == [None if i == 7 else i * i for i in range(40)]
    assert str(outcomes[7].error) == "seven is refused"
    ids = [BatchTask(str(i), batch_calls.process_id, (i,)) for i in range(40)]
    assert len({o.value for o in run_tasks(ids, scheduler=cluster.address)}) == 2


def test_a_worker_of_another_version_is_named(cluster: DaskCluster) -> None:
    other = _Checked(batch_calls.square, signature() | {"nrm-plugin": "0.0.1"}, ())
    with Cluster(cluster.address) as connected:
        future = connected._client.submit(other, 3)
        with pytest.raises(BatchError, match=r"has nrm-plugin .*, and here it is 0\.0\.1: results"):
            connected._result(future, "")


def test_a_worker_that_does_not_see_the_folder_is_named(
    cluster: DaskCluster, tmp_path: Path
) -> None:
    with Cluster(cluster.address) as connected:
        connected.share(tmp_path)
        assert len([*tmp_path.iterdir()]) == 1
        assert [o.value for o in connected.outcomes(squares(3))] == [0, 1, 4]
        for mark in tmp_path.iterdir():
            mark.rename(tmp_path / "elsewhere")
        connected.share(tmp_path)
        connected._shared[0] = (str(tmp_path), ".nrm-not-there")
        with pytest.raises(BatchError, match="does not see the folder"):
            list(connected.outcomes(squares(3)))


def test_a_worker_is_killed_in_the_middle(tmp_path: Path, importable: None) -> None:
    begun, mark = tmp_path / "begun", tmp_path / "mark"
    with dask_cluster(tmp_path, workers=2) as cluster:
        tasks = [BatchTask("long", batch_calls.wait_for, (begun, mark)), *squares(6)]

        def kill() -> None:
            until(begun.exists, "a task")
            for worker in cluster.workers:  # whichever has it
                worker.kill()
                worker.wait()
            mark.touch()
            cluster.start_worker()

        killer = threading.Thread(target=kill)
        killer.start()
        outcomes = list(run_tasks(tasks, scheduler=cluster.address))
        killer.join()
    assert [o.value for o in outcomes] == ["waited", 0, 1, 4, 9, 16, 25]


def test_a_scheduler_is_lost_and_the_next_call_goes_on(
    large: Path, tmp_path: Path, importable: None
) -> None:
    begun, mark = tmp_path / "begun", tmp_path / "mark"
    with dask_cluster(tmp_path, workers=2) as cluster:
        tasks = [*squares(3), BatchTask("long", batch_calls.wait_for, (begun, mark))]

        three = threading.Event()

        def kill() -> None:
            until(lambda: begun.exists() and three.is_set(), "three tasks and a fourth")
            cluster.kill_scheduler()

        killer = threading.Thread(target=kill)
        killer.start()
        sentence = rf"scheduler at {cluster.address} was lost; 3 of 4 files were done, and the same"
        outcomes = run_tasks(tasks, scheduler=cluster.address)
        assert [next(outcomes).value for _ in range(3)] == [0, 1, 4]
        three.set()
        with pytest.raises(BatchError, match=sentence):
            next(outcomes)
        killer.join()
        mark.touch()
        # Of one file in blocks, what was done is kept and not done again.
        out, done = tmp_path / "results.h5", []
        cluster.start_scheduler()
        cluster.start_worker()
        cluster.wait(1)

        def progress(curves: int, total: int) -> None:
            done.append(curves)
            if curves == 600 and len(done) < 10:
                cluster.kill_scheduler()

        with Cluster(cluster.address) as connected, pytest.raises(BatchError, match="was lost"):
            run(
                *(large, Recipe(), out),
                elsewhere=connected.blocks,
                block=100,
                progress=progress,
            )
        assert not out.exists()
        stopped = done[-1]
        assert 600 <= stopped < 1200
        cluster.start_scheduler()
        cluster.start_worker()
        cluster.wait(1)
        done.clear()
        with Cluster(cluster.address) as connected:
            run(
                *(large, Recipe(), out),
                elsewhere=connected.blocks,
                block=100,
                progress=lambda a, _: done.append(a),
            )
        assert done[0] == stopped + 100
        run(large, Recipe(), tmp_path / "here.h5")
        assert contents(out) == contents(tmp_path / "here.h5")


# ---------------------------------------------------------------- finite elements


def test_finite_elements_on_a_cluster_give_the_same_bits(
    cluster: DaskCluster, tmp_path: Path
) -> None:
    layer = ["--radius", "10nm", "--thickness", "50nm", "--modulus", "1MPa"]
    words = ["fea", "force", *layer, "--amplitude", "1nm", "--json"]
    words += [word for depth in (5, 10, 15, 20) for word in ("--depth", f"{depth}nm")]
    here = nrm_command(*words, "--jobs", "1", cwd=tmp_path)
    there = nrm_command(*words, "--scheduler", cluster.address, cwd=tmp_path)
    assert (here.returncode, there.returncode, there.stderr) == (0, 0, "")
    assert there.stdout == here.stdout
