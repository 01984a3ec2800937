"""Kills commands at random moments, and lets two of them write one output.

A parent that has imported everything forks a child for each command, so that a kill costs a tenth
of a second. Half of the moments are even in time, half are just before a random action of the
command on a file of its folder (it is opened, renamed, removed, or a folder is made).
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fault_commands import COMMANDS, Command, contents, environment, leftovers

#: A command that has not ended after so many seconds hangs.
LIMIT = 300.0

_ACTIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}


@dataclass
class Ended:
    """How a command ended: its exit code (-9 killed), what it said, and how long it took, s."""

    code: int
    said: str
    seconds: float
    actions: int = 0


@dataclass
class Outcome:
    """What came of the kills of one command.

    Attributes
    ----------
    kills : int
        Commands that died of the signal.
    left : Counter
        Endings of names that they left behind.
    faults : list of str
        What was lost, half-written or wrong.
    """

    name: str
    kills: int = 0
    resumed: int = 0
    left: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def warm_up() -> None:
    """Import what commands import, so that children have it."""
    import importlib
    import pkgutil

    import h5netcdf  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import xarray  # noqa: F401

    import nrm_importers
    import nrm_plugin

    for package in (nrm_plugin, nrm_importers):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if "notebook" not in module.name and not module.name.endswith("__main__"):
                with contextlib.suppress(ImportError):
                    importlib.import_module(module.name)


class Forked:
    """A command in a child of this process.

    Parameters
    ----------
    command : Command
    folder, data : Path
    at_action : int
        Just before this action on a file of the folder it kills itself; 0 for never.
    pause : float
        It waits so long before it begins, s.
    child : callable, optional
        Called in the child before it begins.
    """

    def __init__(
        self,
        command: Command,
        folder: Path,
        data: Path,
        *,
        at_action: int = 0,
        pause: float = 0.0,
        child: Callable[[], None] | None = None,
    ) -> None:
        reader, writer = os.pipe()
        self.begin = time.perf_counter()
        self.pid = os.fork()
        if not self.pid:
            os.close(reader)
            _be(command, folder, data, writer, at_action, pause, child)
        os.close(writer)
        self._reader = reader

    def kill(self) -> None:
        """Kill it."""
        os.kill(self.pid, signal.SIGKILL)

    def end(self) -> Ended:
        """Wait for its end."""
        signal.alarm(int(LIMIT))
        said = b""
        while piece := os.read(self._reader, 1 << 16):
            said += piece
        os.close(self._reader)
        _, status = os.waitpid(self.pid, 0)
        signal.alarm(0)
        text = said.decode(errors="replace")
        actions = 0
        if "\0" in text:
            text, _, count = text.partition("\0")
            actions = int(count)
        seconds = time.perf_counter() - self.begin
        return Ended(os.waitstatus_to_exitcode(status), text, seconds, actions)


def _be(
    command: Command,
    folder: Path,
    data: Path,
    writer: int,
    at_action: int,
    pause: float,
    child: Callable[[], None] | None,
) -> None:
    """Be the command; does not return."""
    code, count, here = 1, 0, str(folder)

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event not in _ACTIONS or not arguments:
            return
        name = arguments[0]
        if not isinstance(name, (str, bytes, os.PathLike)):
            return
        place = str(Path(here, os.fsdecode(name)))
        if place.startswith(here):
            count += 1
            if count == at_action:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        os.chdir(folder)
        os.environ["HOME"] = here
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(writer, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        time.sleep(pause)
        sys.addaudithook(watch)
        if child is not None:
            child()
        command.run(data)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os.write(2, b"\0%d" % count)
        os._exit(code)


def straight(command: Command, folder: Path, data: Path) -> tuple[dict[str, str], Ended]:
    """Run a command that nothing disturbs: what it writes, and how it ended."""
    command.prepare(folder, data)
    ended = Forked(command, folder, data).end()
    if ended.code:
        raise SystemExit(f"{command.name} fails without a fault:\n{ended.said}")
    return contents(folder), ended


def kill_often(
    command: Command, kills: int, folder: Path, data: Path, rng: random.Random
) -> Outcome:
    """Kill a command at random moments, let it run again each time, and look at the files."""
    made = Outcome(command.name)
    wanted, ended = straight(command, folder, data)
    again, other = straight(command, folder, data)
    if again != wanted:
        differ = sorted(name for name in {*wanted, *again} if wanted.get(name) != again.get(name))
        made.faults.append(f"two undisturbed runs differ in {', '.join(differ)}")
    length, actions = min(ended.seconds, other.seconds), max(ended.actions, 1)
    tries = 0
    while made.kills < kills and tries < 4 * kills + 20:
        tries += 1
        command.prepare(folder, data)
        before = contents(folder)
        by_action = tries % 2 == 0
        child = Forked(command, folder, data, at_action=rng.randint(1, actions) if by_action else 0)
        if not by_action:
            time.sleep(rng.uniform(0.0, length))
            child.kill()
        if child.end().code != -signal.SIGKILL:
            continue
        made.kills += 1
        _look(made, before, wanted, folder)
        second = Forked(command, folder, data).end()
        if second.code:
            made.faults.append(f"exit code {second.code} after a kill: {second.said.strip()}")
        elif (now := contents(folder)) != wanted:
            differ = sorted(n for n in {*now, *wanted} if now.get(n) != wanted.get(n))
            made.faults.append(f"other bytes after a kill: {', '.join(differ)}")
        journals = [n for n in leftovers(folder) if not n.split("/")[-1].startswith(".")]
        kept = {name for name in command.before if name.endswith(".part")}
        if set(journals) - kept:
            made.faults.append(f"left over after the second run: {', '.join(journals)}")
    return made


def _look(made: Outcome, before: dict[str, str], wanted: dict[str, str], folder: Path) -> None:
    """Every file is what was there before or what is wanted, and nothing is lost."""
    found = contents(folder)
    for name in {*before, *found}:
        if name not in found:
            made.faults.append(f"{name} is lost")
        elif found[name] not in (before.get(name), wanted.get(name)) and "decisions" not in name:
            made.faults.append(f"{name} is half-written")
    for name in leftovers(folder):
        made.left[name[name.rindex(".") :] if not name.startswith(".") else "hidden .part"] += 1


def campaign(
    kills: int, work: Path, data: Path, seed: int, commands: tuple[Command, ...] = COMMANDS
) -> list[Outcome]:
    """Spread kills over commands by their weights."""
    rng = random.Random(seed)
    total = sum(command.weight for command in commands)
    done, given, outcomes = 0, 0, []
    for command in commands:
        given += command.weight
        share = round(kills * given / total) - done
        done += share
        begin = time.perf_counter()
        outcome = kill_often(command, share, work / "kills", data, rng)
        outcomes.append(outcome)
        print(
            f"{outcome.name}: {outcome.kills} kills, {time.perf_counter() - begin:.0f} s, left "
            f"{dict(outcome.left)}, faults {dict(Counter(outcome.faults))}",
            flush=True,
        )
    return outcomes


@dataclass(frozen=True)
class Race:
    """Two commands that write one output; `same`: what both write is one file each leaves whole."""

    name: str
    first: Command
    second: Command
    after: Callable[[Path], str] | None = None


def _other(command: Command, *words: str) -> Command:
    return Command(name=command.name, words=(*command.words, *words), before=command.before)


def races() -> tuple[Race, ...]:
    """Pairs of commands with one output between them."""
    named = {command.name: command for command in COMMANDS}
    process, convert = named["process a file"], named["convert a file"]
    plot, calibrate = named["plot"], named["calibrate"]
    return (
        Race("process", _other(process), _other(process, "--set", "lateral_stiffness=50N/m")),
        Race("convert", _other(convert), _other(convert, "--set", "title=other")),
        Race("plot", _other(plot), _other(plot, "--width", "85mm")),
        Race("calibrate", _other(calibrate), _other(calibrate, "--value-error", "3nm/V")),
    )


def race(pair: Race, times: int, folder: Path, data: Path, rng: random.Random) -> Outcome:
    """Let two commands write one output at once: it is whole, and one of the two's."""
    made = Outcome(f"two at once: {pair.name}")
    alone = [straight(command, folder, data) for command in (pair.first, pair.second)]
    whole = [found for found, _ in alone]
    length = max(ended.seconds for _, ended in alone)
    for _ in range(times):
        pair.first.prepare(folder, data)
        ahead, behind = rng.choice(((0.0, 1.0), (1.0, 0.0)))
        late = rng.uniform(0.0, length)
        children = [
            Forked(pair.first, folder, data, pause=ahead * late),
            Forked(pair.second, folder, data, pause=behind * late),
        ]
        codes = []
        for child in children:
            ended = child.end()
            codes.append(ended.code)
            if ended.code:
                made.left[ended.said.strip()] += 1
            if "Traceback" in ended.said:
                made.faults.append(ended.said)
        made.kills += 1
        made.resumed += codes.count(0) == 2
        if 0 not in codes:
            made.faults.append("neither wrote")
        if (found := contents(folder)) not in whole:
            differ = ", ".join(sorted(set(found) ^ set(whole[0])) or found)
            made.faults.append(f"a file of neither: {differ}")
        if left := leftovers(folder):
            made.faults.append(f"left over: {', '.join(left)}")
    return made


def main_environment(work: Path) -> None:
    """Give this process and its children variables under which bytes repeat."""
    work.mkdir(parents=True, exist_ok=True)
    os.environ.update(environment(work))
