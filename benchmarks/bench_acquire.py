"""Recording: how much more than 5 channels at 50 kS/s goes through, and a soak.

python benchmarks/run.py fetch record       # as fast as it goes
python benchmarks/bench_acquire.py            # ceilings, as multiples of 5 x 50 kS/s
python benchmarks/bench_acquire.py --soak 600 # ten minutes in real time: memory, load, backlog
python benchmarks/bench_acquire.py --live 60  # with and without the live page, in a real browser
"""

from __future__ import annotations

import argparse
import json
import queue
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from daq_boards import NAMES, config_for, running  # noqa: E402
from live_pages import Page  # noqa: E402
from measure import Table, rate  # noqa: E402
from nidaqmx.stream_readers import AnalogMultiChannelReader  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

import nrm_plugin as nrm  # noqa: E402
from nrm_daq import run  # noqa: E402
from nrm_daq.config import DaqConfig  # noqa: E402
from nrm_daq.device import Board, InstantClock, SimulatedDaq  # noqa: E402
from nrm_daq.device.electrode import RampingElectrode  # noqa: E402
from nrm_daq.live_page import LiveOptions, LivePage  # noqa: E402

CHANNELS, RATE = 5, 50e3
CHROMIUM = "/usr/bin/chromium"

SERVER = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from daq_boards import known_board
from nrm_daq.device import SimulatedDaq
from nrm_daq.device.electrode import RampingElectrode
board = known_board() if sys.argv[2] == "known" else RampingElectrode().board()
for signal in board.inputs.values():  # the first ramp takes its time to be computed
    signal(np.arange(10.0), 50e3)
with SimulatedDaq(board) as daq:
    print(daq.address, flush=True)
    sys.stdin.read()
"""

#: In the page: when each curve was first drawn, in ms since 1970.
WATCH = """() => {
  window.nrmCurves = {};
  const look = () => {
    const found = /curve (\\d+)/.exec(document.querySelector("#live-panel").textContent ?? "");
    if (found && !(found[1] in window.nrmCurves)) window.nrmCurves[found[1]] = Date.now();
  };
  new MutationObserver(look).observe(document.querySelector("#live-panel"),
    { subtree: true, childList: true, characterData: true });
}"""


def table_board() -> Board:
    """Inputs that cost next to nothing to make: the ceiling is to be that of the recorder."""
    table = np.random.default_rng(0).uniform(-9.0, 9.0, 1 << 16)
    return Board(
        {
            f"ai{k}": (lambda n, rate, k=k: np.take(table, (n.astype(np.int64) + 7919 * k) & 65535))
            for k in range(CHANNELS)
        }
    )


def client_seconds(block: int, blocks: int) -> float:
    """Time for NI's client to fetch blocks, per second of five channels at 50 kS/s."""
    with running(table_board(), InstantClock(), RATE) as (task, _):
        reader = AnalogMultiChannelReader(task.in_stream)
        out = np.empty((CHANNELS, block))
        task.start()
        reader.read_many_sample(out, block, 10.0)
        begin = time.perf_counter()
        for _ in range(blocks):
            reader.read_many_sample(out, block, 10.0)
        return (time.perf_counter() - begin) / (block * blocks / RATE)


def record_seconds(block: float, seconds: float) -> float:
    """The same for the whole of `nrm acquire`: reader, queue, check sums, disk."""
    told: dict[str, float] = {}
    with (
        measured(told),
        tempfile.TemporaryDirectory() as folder,
        SimulatedDaq(table_board(), InstantClock()) as daq,
    ):
        config = config_for(daq, CHANNELS, block=block)
        run.record(config, Path(folder) / "out.h5", seconds, quiet=True)
    return told["wall"] / seconds


@contextmanager
def measured(told: dict[str, float]) -> Iterator[None]:
    """Clock and processor time between the first block and the last."""
    write_down: Callable[..., str] = run._write_down

    def clocked(*arguments: Any) -> str:
        cpu, wall = time.process_time(), time.perf_counter()
        ended = write_down(*arguments)
        told["cpu"], told["wall"] = time.process_time() - cpu, time.perf_counter() - wall
        return ended

    run._write_down = clocked
    try:
        yield
    finally:
        run._write_down = write_down


def measure(table: Table) -> None:
    """As fast as it goes: real life takes 1 s for 1 s of five channels at 50 kS/s."""
    if table.wants("fetch 4 s of 5 x 50 kS/s"):
        table.compare(
            {
                f"NI's client, {block} samples at once": partial(
                    client_seconds, block, 200_000 // block
                )
                for block in (1000, 10_000, 20_000)
            },
            note=rate(4.0, "s of signals"),
        )
    if table.wants("record 20 s of 5 x 50 kS/s"):
        table.compare(
            {
                f"nrm acquire, blocks of {block:g} s": partial(record_seconds, block, 20.0)
                for block in (0.02, 0.2)
            },
            note=rate(20.0, "s of signals"),
        )


def ceilings() -> None:
    print("times 5 x 50 kS/s (median of 5, everything in one process)")
    for block in (1000, 5000, 10_000, 20_000):
        ratios = [1.0 / client_seconds(block, 600_000 // block) for _ in range(5)]
        print(f"  client alone, {block:6d} samples at once: {statistics.median(ratios):5.1f}")
    for seconds in (0.02, 0.1, 0.2, 0.4):
        ratios = [1.0 / record_seconds(seconds, 30.0) for _ in range(5)]
        samples = round(seconds * RATE)
        print(f"  nrm acquire,  {samples:6d} samples at once: {statistics.median(ratios):5.1f}")


def memory() -> float:
    """Resident memory of this process in MB, or its largest where that is all there is."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize() / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


@contextmanager
def board_elsewhere(kind: str) -> Iterator[str]:
    """Address of a simulated board in another process: known, or the ramping electrode."""
    command = [sys.executable, "-c", SERVER, str(ROOT / "tests"), kind]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


def soak(seconds: float) -> None:
    """Record in real time from a board in another process; look at memory every 10 s."""
    told: dict[str, float] = {}
    levels: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(10.0):
            levels.append(memory())

    with (
        tempfile.TemporaryDirectory() as folder,
        board_elsewhere("known") as address,
        measured(told),
    ):
        config = DaqConfig.from_values(
            {
                "backend": f"remote {address}",
                "channels": {NAMES[k]: {"terminal": f"Sim1/ai{k}"} for k in range(CHANNELS)},
            }
        )
        threading.Thread(target=look, daemon=True).start()
        report = run.record(config, Path(folder) / "out.h5", seconds, quiet=True)
        over.set()
        size = (Path(folder) / "out.h5").stat().st_size / 1e6
    running_levels = levels[: max(1, int(told["wall"] / 10.0))]
    print(
        f"{report['n_samples']} samples per channel in {told['wall']:.1f} s, "
        f"{report['stopped'] or 'none lost'}\n"
        f"reader and writer: {100.0 * told['cpu'] / told['wall']:.1f} % of a core\n"
        f"memory every 10 s, MB: {', '.join(f'{level:.0f}' for level in running_levels)}\n"
        f"memory from the second look to the last: "
        f"{running_levels[-1] - running_levels[min(1, len(running_levels) - 1)]:+.1f} MB; "
        f"file {size:.0f} MB"
    )


def live(seconds: float) -> None:
    """Record in real time without the live page, then with it open in Chromium."""
    for shown in (False, True):
        told: dict[str, float] = {}
        with (
            tempfile.TemporaryDirectory() as folder,
            board_elsewhere("electrode") as address,
            measured(told),
        ):
            settings = RampingElectrode().settings() | {"backend": f"remote {address}"}
            del settings["channels"]["marker"]
            config, out = DaqConfig.from_values(settings), Path(folder) / "out.h5"
            if shown:
                report, seen = recorded_in_a_browser(config, out, seconds)
            else:
                report = run.record(config, out, seconds, quiet=True)
            header = json.loads(nrm.open(out).origins[0].header)
        lost = round(seconds * RATE) - report["n_samples"]
        ring = header["largest_backlog"] / header["setup"]["ring"]
        print(
            f"{'with' if shown else 'without'} the live page: {report['n_samples']} samples per "
            f"channel, {lost} lost, {report['stopped'] or 'not stopped'}; ring at most "
            f"{100.0 * ring:.2f} %; recorder {100.0 * told['cpu'] / told['wall']:.1f} % of a core"
        )
    for words, delays in seen.items():
        print(
            f"{words}, s: median {statistics.median(delays):.2f}, worst {max(delays):.2f}, "
            f"of {len(delays)}"
        )


def recorded_in_a_browser(
    config: DaqConfig, out: Path, seconds: float
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Record with a page in Chromium, and one that only listens; times from the ramps' ends."""
    done: dict[str, Any] = {}
    opened: queue.Queue[str] = queue.Queue()

    def record() -> None:
        done["report"] = run.record(config, out, seconds, quiet=True, page=page)

    with LivePage(LiveOptions(), say=print, opened=opened.put) as page, sync_playwright() as play:
        recorder = threading.Thread(target=record)
        recorder.start()
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        url = opened.get(timeout=60.0)
        with Page(url) as listener:
            tab = browser.new_page()
            tab.goto(url)
            tab.wait_for_selector("#live-panel .live-facts")
            tab.evaluate(WATCH)
            while recorder.is_alive():
                tab.wait_for_timeout(200)
            drawn = {int(k): v / 1e3 for k, v in tab.evaluate("() => window.nrmCurves").items()}
            frames = [at for at, kind, _ in listener.events if kind == "live"]
            ramps = [(at, data) for at, kind, data in listener.events if kind == "ramp"]
        browser.close()
    ends = {data["number"]: at - data["after"] for at, data in ramps}
    return done["report"], {
        "from the ramp's end to the event": [data["after"] for _, data in ramps],
        "from the ramp's end to the screen": [at - ends[k] for k, at in drawn.items() if k in ends],
        "between frames of the stream": np.diff(frames).tolist(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak", type=float, metavar="SECONDS")
    parser.add_argument("--live", type=float, metavar="SECONDS")
    chosen = parser.parse_args()
    if chosen.soak:
        soak(chosen.soak)
    elif chosen.live:
        live(chosen.live)
    else:
        ceilings()
