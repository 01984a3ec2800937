"""Recordings that end badly: killed, full disk, slow disk, lost board; and what is left of them."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daq_boards import NAMES, config_for, converted, known_board

import nrm_plugin as nrm
from nrm_daq import recording
from nrm_daq.acquisition import Acquisition, AcquisitionStopped
from nrm_daq.device import InstantClock, ManualClock, SimulatedDaq
from nrm_daq.hardware import connected, prepared
from nrm_daq.recording import SampleBlock
from nrm_daq.recovery import recover
from nrm_daq.run import record

HERE = Path(__file__).resolve().parent


def assert_known(curves: nrm.CurveSet, n_samples: int | None = None) -> None:
    """Every sample of every channel is the one of the closed form."""
    if n_samples is not None:
        assert curves.n_samples == n_samples
    numbers = np.arange(curves.n_samples)
    names = [name for name in curves.channels if name != "time"]
    assert names == list(NAMES[: len(names)])
    for channel, name in enumerate(names):
        np.testing.assert_array_equal(curves.read(name), converted(channel, numbers), name)


def run_script(code: str, *arguments: object, timeout: float = 120.0) -> str:
    """Run a program in a process of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


# A good end


@pytest.mark.parametrize("n_channels", [1, 5])
def test_nothing_is_lost(tmp_path: Path, n_channels: int) -> None:
    out = tmp_path / "out.h5"
    with SimulatedDaq(known_board(8), InstantClock()) as daq:
        report = record(config_for(daq, n_channels), out, 12.34567)
    assert report["n_samples"] == round(12.34567 * 50e3)
    assert (report["stopped"], report["simulated"]) == ("", True)
    assert [path.name for path in tmp_path.iterdir()] == ["out.h5"]
    assert_known(nrm.open(out), report["n_samples"])


def test_the_recording_is_there_while_it_grows(tmp_path: Path) -> None:
    out, part = tmp_path / "out.h5", tmp_path / "out.h5.part"
    ending = threading.Event()
    sizes = []

    def watch() -> None:
        deadline = time.monotonic() + 20.0
        while time.monotonic() < deadline and len(set(sizes)) < 4:
            if part.exists():
                sizes.append(part.stat().st_size)
            assert not out.exists()
            time.sleep(0.02)
        ending.set()

    thread = threading.Thread(target=watch)
    thread.start()
    with SimulatedDaq(known_board()) as daq:
        report = record(config_for(daq), out, ending=ending)
    thread.join()
    assert sizes == sorted(sizes)
    assert len(set(sizes)) >= 4
    assert not part.exists()
    assert_known(nrm.open(out), report["n_samples"])


# The file


def block(first: int, n: int, n_channels: int = 2) -> SampleBlock:
    values = np.stack([converted(k, np.arange(first, first + n)) for k in range(n_channels)])
    return SampleBlock(first, values.astype("f4"), 10**18 + first, 7)


def small(path: Path, blocks: int = 5) -> Path:
    header = {"channels": [{}, {}]}
    with recording.Recording(path, header) as made:
        for number in range(blocks):
            made.append(block(100 * number, 100))
            made.note(after=number)
    return path


def test_file(tmp_path: Path) -> None:
    recorded = recording.read(small(tmp_path / "a.part"))
    assert (recorded.n_samples, recorded.cut) == (500, 0)
    assert [n["after"] for n in recorded.notes] == list(range(5))
    np.testing.assert_array_equal(recorded.firsts, 100 * np.arange(5))
    np.testing.assert_array_equal(recorded.arrived, 10**18 + 100 * np.arange(5))
    np.testing.assert_array_equal(recorded.backlog, np.full(5, 7))
    for start, stop in ((0, 500), (99, 101), (250, 250), (333, 500), (100, 200)):
        for channel in range(2):
            expected = converted(channel, np.arange(start, stop)).astype("f4")
            np.testing.assert_array_equal(recorded.volts(channel, start, stop), expected)
    whole = np.concatenate(list(recorded.blocks()), axis=1)
    np.testing.assert_array_equal(whole[1], recorded.volts(1, 0, 500))


def test_layout_is_the_documented_one(tmp_path: Path) -> None:
    """Read with nothing but struct and zlib."""
    data = small(tmp_path / "a.part", 1).read_bytes()
    assert data[:16] == b"NRM recording 1\n"
    at, kinds = 16, []
    while at < len(data):
        kind, length, crc = struct.unpack_from("<4sII", data, at)
        contents = data[at + 12 : at + 12 + length]
        assert zlib.crc32(contents) == crc
        kinds.append(kind)
        at += 12 + length
    assert kinds == [b"NOTE", b"DATA", b"NOTE"]


def test_cut_anywhere(tmp_path: Path) -> None:
    """All whole blocks are there, whatever the length; a header that is cut is a named error."""
    data = small(tmp_path / "a.part").read_bytes()
    ends = []
    at = 16
    while at < len(data):
        at += 12 + struct.unpack_from("<4sII", data, at)[1]
        ends.append(at)
    cut = tmp_path / "cut.part"
    for length in {*range(0, len(data), 97), *ends, *(e - 1 for e in ends)}:
        cut.write_bytes(data[:length])
        if length < ends[0]:
            with pytest.raises(nrm.CorruptFile):
                recording.read(cut)
            continue
        whole = sum(e <= length for e in ends[1::2])
        recorded = recording.read(cut)
        assert recorded.n_samples == 100 * whole
        assert recorded.cut == length - max(e for e in ends if e <= length)


def test_damaged_anywhere(tmp_path: Path) -> None:
    """A changed byte ends the recording before the block that it is in, and is never data."""
    data = bytearray(small(tmp_path / "a.part").read_bytes())
    good = recording.read(tmp_path / "a.part").volts(0, 0, 500)
    rng = np.random.default_rng(1)
    for position in rng.choice(len(data), 200, replace=False):
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(rng.integers(8))
        (tmp_path / "b.part").write_bytes(damaged)
        try:
            recorded = recording.read(tmp_path / "b.part")
        except nrm.CorruptFile:
            continue
        n = recorded.n_samples
        np.testing.assert_array_equal(recorded.volts(0, 0, n), good[:n])


@pytest.mark.parametrize("contents", [b"", b"NRM", b"\x89HDF\r\n\x1a\n" + bytes(100), bytes(4096)])
def test_what_is_no_recording(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(contents)
    with pytest.raises(nrm.CorruptFile):
        recover(path, tmp_path / "out.h5")
    with pytest.raises(nrm.NrmError):
        recover(tmp_path / "none.part", tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


def test_what_broke_off_at_once_is_said_to_be_empty(tmp_path: Path) -> None:
    """Nothing is said to be worth nothing behind which samples may follow."""
    path, out = tmp_path / "a.part", tmp_path / "out.h5"
    data = small(tmp_path / "b.part").read_bytes()
    with recording.Recording(tmp_path / "c.part", {"channels": [{}, {}]}):
        pass
    described = (tmp_path / "c.part").read_bytes()
    for contents in (b"", data[:5], recording.MAGIC, described):
        path.write_bytes(contents)
        with pytest.raises(nrm.CorruptFile, match="nothing was recorded, and the file can be del"):
            recover(path, out)
    header = len(recording.MAGIC)
    damaged = data[: header + 4] + bytes(4) + data[header + 8 :]
    for contents in (damaged, data[: header + 20], described + data[len(described) :][:30]):
        path.write_bytes(contents)
        with pytest.raises(nrm.CorruptFile, match=r"whole.*computer that recorded it"):
            recover(path, out)
    assert not out.exists()


def test_missing_blocks_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    with recording.Recording(path, {"channels": [{}, {}]}) as made:
        made.append(block(0, 100))
        made.append(block(200, 100))
    with pytest.raises(nrm.CorruptFile, match="expected sample 100"):
        recording.read(path)


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    path = small(tmp_path / "out.h5.part")
    before = path.read_bytes()
    with (
        SimulatedDaq(known_board(), InstantClock()) as daq,
        pytest.raises(nrm.NrmError, match="--recover"),
    ):
        record(config_for(daq), tmp_path / "out.h5", 1.0, overwrite=True)
    assert path.read_bytes() == before


def test_nobody_else_records_to_it_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "out.h5.part"
    with recording.Recording(path, {"channels": [{}, {}]}) as made:
        made.append(block(0, 100))
        with pytest.raises(nrm.OutputError, match="another nrm acquire is recording"):
            recording.Recording(path, {"channels": [{}, {}]})
        assert recording.read(path).n_samples == 100  # reading is allowed
    with pytest.raises(nrm.OutputError, match="--recover"):
        recording.Recording(path, {"channels": [{}, {}]})


def test_a_file_that_is_no_recording_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.h5.part"
    path.write_bytes(b"something else")
    with pytest.raises(nrm.OutputError, match="no recording: rename or delete it"):
        recording.Recording(path, {"channels": [{}]})
    assert path.read_bytes() == b"something else"


# SIGKILL

KILLED = """
import json, os, random, signal, sys, time
from pathlib import Path
import numpy as np
from daq_boards import config_for, converted, known_board
from nrm_daq import recording, recovery, run
from nrm_daq.device import SimulatedDaq
import grpc, scipy.signal                       # all that a trial would have to import

folder, trials, rate = Path(sys.argv[1]), int(sys.argv[2]), 50e3
luck = random.Random(7)

def trial(part):
    with SimulatedDaq(known_board()) as daq:
        run.record(config_for(daq), part.with_suffix(""))

def check(part, killed):
    recorded = recording.read(part)
    began = sum(recorded.notes[0]["began"]) / 2e9
    lost = killed - began - recorded.n_samples / rate
    for channel in range(5):
        numbers = np.arange(recorded.n_samples)
        assert (recorded.volts(channel, 0, len(numbers)) == converted(channel, numbers)).all()
    out = part.with_name(part.stem[:-3] + ".r.h5")
    assert recovery.recover(part, out).n_samples == recorded.n_samples
    return lost, recorded.n_samples

def start(part):
    child = os.fork()
    if not child:
        trial(part)
        os._exit(0)
    return child

lost, sizes = [], []
for batch in range(0, trials, 3):
    parts = [folder / f"{batch + k}.h5.part" for k in range(min(3, trials - batch))]
    children = [start(part) for part in parts]
    for part, child in zip(parts, children):
        while not (part.exists() and part.stat().st_size > 500_000):  # it has begun to record
            time.sleep(0.005)
        time.sleep(luck.uniform(0.0, 0.7))
        killed = time.time()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        seconds, n = check(part, killed)
        lost.append(seconds)
        sizes.append(n)
print(json.dumps({"lost": lost, "sizes": sizes}))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no SIGKILL and no fork here")
@pytest.mark.slow
def test_sigkill_in_mid_stream(tmp_path: Path) -> None:
    """30 recordings in real time, killed at random: all but the last second is there, and right."""
    told = json.loads(run_script(KILLED, tmp_path, 30, timeout=240.0))
    assert len(told["lost"]) == 30
    assert max(told["lost"]) < 1.0
    assert min(told["sizes"]) > 0
    curves = nrm.open(tmp_path / "0.r.h5")
    assert any("not ended" in warning for warning in curves.warnings)
    assert_known(curves)


# Full disk

FULL = """
import json, resource, sys
from pathlib import Path
from daq_boards import config_for, known_board
import nrm_plugin as nrm
from nrm_daq import recording, recovery, run
from nrm_daq.device import InstantClock, SimulatedDaq
folder = Path(sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
told = []
for limit in (0, 10, 1000, 300_000, 1_000_001, 3_333_333):
    out = folder / f"{limit}.h5"
    with SimulatedDaq(known_board(), InstantClock()) as daq:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            run.record(config_for(daq), out, 60.0)
            error = ""
        except nrm.OutputError as caught:
            error = str(caught)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    part = folder / f"{limit}.h5.part"
    n, begin = 0, 0
    if part.exists():
        n = recovery.recover(part, out).n_samples
        begin = int(recording.read(part).offsets[0])
    told.append([limit, error, n, begin])
print(json.dumps(told))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes to play a full disk")
def test_full_disk(tmp_path: Path) -> None:
    """A limit on file sizes plays the full disk: a named stop, and all that fitted is good."""
    for limit, error, n, begin in json.loads(run_script(FULL, tmp_path)):
        assert "too large" in error  # what the system says of this limit
        if limit < 300_000:
            assert (n, list(tmp_path.glob(f"{limit}.*"))) == (0, [])
            continue
        head = 12 + 32  # of a record, and of the block in it
        assert n == (limit - begin + head) // (head + 5 * 4 * 10_000) * 10_000 > 0
        assert f"stopped at sample {n}" in error
        assert "--recover" in error
        assert_known(nrm.open(tmp_path / f"{limit}.h5"), n)


def test_full_disk_before_the_first_sample(tmp_path: Path) -> None:
    with SimulatedDaq(known_board(), InstantClock()) as daq:
        for place in (tmp_path / "no folder" / "out.h5", Path("/dev/full/out.h5")):
            with pytest.raises(nrm.OutputError):
                record(config_for(daq), place, 1.0)


# Slow disk, lost board, overrun, gap


def opened(daq: SimulatedDaq, **options: Any) -> tuple[ExitStack, Acquisition]:
    """An acquisition with a ring of 0.4 s, on an open stack."""
    stack = ExitStack()
    config = config_for(daq)
    connection = stack.enter_context(connected(config))
    task, setup = stack.enter_context(prepared(connection, config))
    setup = replace(setup, ring=20_000)
    acquisition = stack.enter_context(Acquisition(task, setup, block=1000, **options))
    return stack, acquisition


def drained(
    acquisition: Acquisition, then: dict[int, Callable[[], object]]
) -> tuple[int, AcquisitionStopped]:
    """Take all blocks, do things behind certain samples; return how far it went, and the error."""
    reached = 0
    try:
        for one in acquisition.blocks():
            assert one.first == reached
            reached += one.values.shape[1]
            then.get(reached, lambda: None)()
    except AcquisitionStopped as error:
        return reached, error
    raise AssertionError("it did not stop")


def test_slow_disk() -> None:
    """The writer takes 100 blocks and stops: the reader gives up, and says where."""
    with SimulatedDaq(known_board(), InstantClock()) as daq:
        stack, acquisition = opened(daq)
        with stack:
            reached, error = drained(acquisition, {100_000: lambda: time.sleep(1.0)})
    assert error.sample == reached >= 100_000
    assert f"stopped at sample {reached}: the disk is too slow" in str(error)


class SlowDisk(recording.FileIO):
    """A disk that takes its time once, behind the first megabyte."""

    slept = False

    def write(self, data: Any) -> int:
        if self.tell() > 1_000_000 and not self.slept:
            self.slept = True
            time.sleep(6.0)
        return super().write(data)


def test_slow_disk_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the whole of it: the file is complete up to the sample that is named."""
    monkeypatch.setattr(recording, "PatientFile", SlowDisk)
    monkeypatch.setattr("nrm_daq.acquisition.QUEUED", 2)
    with SimulatedDaq(known_board(), InstantClock()) as daq:
        config = config_for(daq, block=2.0)
        report = record(config, tmp_path / "out.h5", 60.0)
    assert "disk is too slow" in report["stopped"]
    monkeypatch.undo()
    curves = nrm.open(tmp_path / "out.h5")
    assert_known(curves, report["n_samples"])
    assert f"stopped at sample {curves.n_samples}:" in report["stopped"]
    assert report["stopped"] in curves.warnings


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_lost_board(tmp_path: Path, seconds: float) -> None:
    out = tmp_path / "out.h5"
    with SimulatedDaq(known_board()) as daq:
        timer = threading.Timer(1.0 + seconds, daq.rack.unplug)
        timer.start()
        report = record(config_for(daq), out, 60.0)
        timer.join()
    assert "the board has gone" in report["stopped"]
    curves = nrm.open(out)
    assert_known(curves, report["n_samples"])
    assert f"stopped at sample {curves.n_samples}:" in report["stopped"]
    assert [path.name for path in tmp_path.iterdir()] == ["out.h5"]


def test_lost_server(tmp_path: Path) -> None:
    """The computer with the board goes, and the connection with it."""
    daq = SimulatedDaq(known_board())
    journal = tmp_path / "out.h5.part"

    def lose() -> None:
        end = time.monotonic() + 60.0
        while time.monotonic() < end and not (journal.exists() and journal.stat().st_size > 20_000):
            time.sleep(0.02)
        daq._server.stop(grace=None)

    with daq:
        loser = threading.Thread(target=lose)
        loser.start()
        report = record(config_for(daq), tmp_path / "out.h5", 60.0)
        loser.join()
    assert "stopped at sample" in report["stopped"]
    assert_known(nrm.open(tmp_path / "out.h5"), report["n_samples"])


def test_ring_overrun(tmp_path: Path) -> None:
    """Time jumps on by more than the ring holds."""
    clock = ManualClock()
    jumped = threading.Event()

    def jump() -> None:
        for _ in range(10):
            clock.advance(0.2)
            time.sleep(0.05)
        jumped.set()
        clock.advance(10.5)

    with SimulatedDaq(known_board(), clock) as daq:
        thread = threading.Timer(1.0, jump)
        thread.start()
        report = record(config_for(daq), tmp_path / "out.h5")
        thread.join()
    assert jumped.is_set()
    assert "the ring ran over" in report["stopped"]
    assert_known(nrm.open(tmp_path / "out.h5"), report["n_samples"])
    assert f"stopped at sample {report['n_samples']}:" in report["stopped"]


def test_gap() -> None:
    """Samples that somebody else takes from the task are noticed, not closed up."""
    with SimulatedDaq(known_board(), InstantClock()) as daq:
        stack, acquisition = opened(daq)
        with stack:
            (task,) = daq.rack.tasks.values()
            reached, error = drained(
                acquisition, {50_000: lambda: setattr(task, "position", task.position + 10)}
            )
    assert error.sample == reached >= 50_000
    assert "samples are missing" in error.reason


def test_board_without_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands still is a named stop, not a hang."""
    monkeypatch.setattr("nrm_daq.acquisition.LATE", 0.2)

    class Stuck(InstantClock):
        def wait_until(self, moment: float, wake: threading.Event) -> None:
            time.sleep(0.05)

    with SimulatedDaq(known_board(), Stuck()) as daq:
        stack, acquisition = opened(daq)
        with stack, pytest.raises(AcquisitionStopped, match="no samples any more"):
            list(acquisition.blocks())


def test_leaving_early_ends_the_reader() -> None:
    with SimulatedDaq(known_board(), InstantClock()) as daq:
        stack, acquisition = opened(daq)
        with stack:
            next(acquisition.blocks())
        assert not acquisition._thread.is_alive()


# Five channels at 50 kS/s

SERVER = """
import sys
from daq_boards import known_board
from nrm_daq.device import SimulatedDaq
with SimulatedDaq(known_board()) as daq:
    print(daq.address, flush=True)
    sys.stdin.read()
"""

LONG = """
import json, resource, sys, time
from pathlib import Path
from daq_boards import NAMES
from nrm_daq import run
from nrm_daq.config import DaqConfig

def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

address, out, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
config = DaqConfig.from_values({"backend": f"remote {address}", "channels": {
    NAMES[k]: {"terminal": f"Sim1/ai{k}"} for k in range(5)}})
write_down, told = run._write_down, {}

def measured(*arguments):
    cpu, wall, before = time.process_time(), time.perf_counter(), memory()
    ended = write_down(*arguments)
    told["cpu"] = (time.process_time() - cpu) / (time.perf_counter() - wall)
    told["memory"] = memory() - before
    return ended

run._write_down = measured
report = run.record(config, out, seconds)
print(json.dumps({**told, "n_samples": report["n_samples"], "stopped": report["stopped"]}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
@pytest.mark.slow
def test_five_channels_at_50_ks(tmp_path: Path) -> None:
    """In real time, the board in a process of its own; NRM_DAQ_SECONDS (10) says how long."""
    seconds = float(os.environ.get("NRM_DAQ_SECONDS", "10"))
    out = tmp_path / "out.h5"
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            address = server.stdout.readline().strip()
            told = json.loads(run_script(LONG, address, out, seconds, timeout=seconds + 100.0))
        finally:
            server.stdin.close()
    assert told["stopped"] == ""
    assert_known(nrm.open(out), round(seconds * 50e3))
    assert told["memory"] < 50e6
    # Noisy neighbours make every instruction dearer; idle, it is a third of this.
    assert told["cpu"] < 0.15, told
