"""Ctrl-C at random moments of every command: one sentence, exit code 130, and no traceback.

    python benchmarks/fault_interrupts.py [WORD ...] [--times 220] [--folder DIR]

Each command runs in a Python of its own, so that imports and the end of the program are among the
moments. A command that has ended before the signal counts where it ended well.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import fault_kills
from fault_commands import COMMANDS, Command, leftovers, prepare
from fault_recordings import RECORD

#: What Ctrl-C is answered with begins so.
SENTENCE = "nrm: stopped"

#: Begins a command with the handler of a terminal: a shell's background jobs ignore the signal.
_BEGIN = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from nrm_plugin.entry_point import run; run()"
)

#: What else takes a while.
OTHERS = (
    Command(name="info", words=("info", "{data}/a.h5", "{data}/series.000")),
    Command(name="check", words=("check", "{data}/results.h5")),
    Command(name="view", words=("view", "{data}/results.h5", "--no-browser")),
    replace(RECORD, name="acquire --live", words=(*RECORD.words, "--live", "--no-browser")),
)

#: Of these the page and the recording end well with Ctrl-C.
_ENDED = ("view", "acquire", "acquire --live")


def interrupt(command: Command, folder: Path, data: Path, after: float) -> tuple[int, str, str]:
    """Run a command and press Ctrl-C after so many seconds; return its code and what it said."""
    command.prepare(folder, data)
    words = [sys.executable, "-c", _BEGIN, *command.arguments(data)]
    begin = time.monotonic()
    process = subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    time.sleep(max(0.0, after - (time.monotonic() - begin)))
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=fault_kills.LIMIT)
    return process.returncode, out, said


def wrong(command: Command, code: int, out: str, said: str, left: list[str]) -> str:
    """What is wrong with how a command ended; empty where nothing is."""
    whole = out + said
    if "Traceback" in whole or "Error" in said or "Exception" in said:
        return whole.strip()[-1500:]
    kept = {name for name in left if name.endswith((".process", ".h5.part"))}
    if set(left) - kept - {name for name in left if name.startswith("out/")}:
        return f"left over: {left}"
    if code == 130 and said.count(SENTENCE) != 1:
        return f"130 and {said.strip()[-300:]!r}"
    if code not in (0, 130) and not (command.name in _ENDED and code == 1 and "nrm: " in said):
        return f"exit code {code}: {said.strip()[-300:]!r}"
    return ""


def main() -> None:
    """Interrupt everything, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*")
    parser.add_argument("--times", type=int, default=220)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/nrm-interrupts"))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    work = given.folder.resolve()
    fault_kills.main_environment(work)
    data = work / "data"
    prepare(data)
    chosen = [c for c in (*COMMANDS, RECORD, *OTHERS) if c.call is None]
    chosen = [c for c in chosen if not given.words or any(w in c.name for w in given.words)]
    rng, counted, faults = random.Random(given.seed), Counter(), []
    lengths: dict[str, float] = {}
    for number in range(given.times):
        command = chosen[number % len(chosen)]
        length = lengths.get(command.name, 5.0)
        begin = time.monotonic()
        code, out, said = interrupt(command, work / "run", data, rng.uniform(0.0, length))
        if code == 0:  # it was over: press earlier
            lengths[command.name] = 0.9 * min(length, time.monotonic() - begin)
        if "Traceback" in said and "entry_point.py" not in said:
            counted["Python had not begun the program"] += 1
            continue
        counted[code] += 1
        if why := wrong(command, code, out, said, leftovers(work / "run")):
            faults.append(f"{command.name}: {why}")
            print(faults[-1], flush=True)
    print(f"{given.times} times, exit codes {dict(counted)}, {len(faults)} things went wrong")


if __name__ == "__main__":
    main()
