"""Everything that can go wrong around a command that writes, tried on every one.

    python benchmarks/faults.py [WORD ...] [--kills 1000] [--races 200] [--folder DIR]

With words only the faults and commands whose names have one of them, and with `kills`, `races` or
`faults` among them only these. It needs Linux, root (a small
disk is mounted) and a C compiler, and takes about an hour. It prints what the user reads for each
fault, and every case in which something was lost, half-written under its final name, or left over.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter, defaultdict
from pathlib import Path

import fault_kills
from fault_commands import COMMANDS, Command, contents, leftovers, prepare
from fault_recordings import kill_recordings
from fault_table import FAULTS, Fault, disk, make_locales

HERE = Path(__file__).resolve().parent

#: Name of the folder in which commands run.
FOLDER = "Grün µ"

#: One command in a Python of its own.
_ALONE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from fault_commands import COMMANDS
next(c for c in COMMANDS if c.name == sys.argv[2]).run(Path(sys.argv[3]))
"""


class Sentences:
    """What users read under each fault, and what went wrong."""

    def __init__(self) -> None:
        self.read: dict[str, Counter[str]] = defaultdict(Counter)
        self.codes: dict[str, Counter[int]] = defaultdict(Counter)
        self.faults: list[str] = []

    def add(self, fault: Fault, command: Command, ended: fault_kills.Ended) -> None:
        """Keep what was said, without the names of this machine's folders."""
        self.codes[fault.name][ended.code] += 1
        lines = [line for line in ended.said.splitlines() if line.startswith("nrm: ")]
        if ended.code or fault.harmless:
            for line in lines[-2:]:
                self.read[fault.name][_plain(line)] += 1

    def wrong(self, text: str) -> None:
        """Keep and print what went wrong."""
        self.faults.append(text)
        print(f"  WRONG {text}", flush=True)


def _plain(line: str) -> str:
    line = re.sub(r"/\S*/(?=[^/\s]+)", "", line)
    return re.sub(r"\b(out|few|a|b|results|series|rec|rg|r|e|map|study)\.[\w.]+", "FILE", line)


def try_fault(
    fault: Fault, command: Command, wanted: dict[str, str], size: int, work: Path, data: Path
) -> tuple[fault_kills.Ended, str]:
    """Try one fault on one command; return how it ended, and what is wrong with that."""
    place = work / "disk"
    folder = place / FOLDER
    if fault.own_data:
        copy = work / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        data = Path(shutil.copytree(data, copy))
    variables = {k: v.format(data=data, folder=work) for k, v in fault.variables.items()}
    with disk(place):
        command.prepare(folder, data)
        before = contents(folder)

        def child() -> None:
            os.environ.update(variables)
            if fault.child is not None:
                fault.child()

        def run(*, well: bool = False) -> fault_kills.Ended:
            if fault.fresh and not well:
                return _alone(command, folder, data, variables, fault)
            return fault_kills.Forked(command, folder, data, child=None if well else child).end()

        if fault.around is None:
            ended = run()
        else:
            with fault.around(place, size):
                ended = run()
        after, left = contents(folder), leftovers(folder)
        wrong = _judged(fault, command, ended, (before, after, wanted), left)
        if not wrong and not fault.own_data and ended.code:
            again = run(well=True)
            if again.code or contents(folder) != wanted:
                wrong = f"afterwards, without the fault: {again.code} {again.said.strip()[-300:]}"
    return ended, wrong


def _judged(
    fault: Fault,
    command: Command,
    ended: fault_kills.Ended,
    states: tuple[dict[str, str], dict[str, str], dict[str, str]],
    left: list[str],
) -> str:
    """What is wrong with how a command ended; empty where nothing is."""
    before, after, wanted = states
    kept = {name for name in command.before if name.endswith(".part")}
    journals = {name for name in left if name.endswith(".process")}
    if "Traceback" in ended.said:
        return "a traceback:\n" + ended.said.strip()[-1500:]
    if ended.code < 0:
        return f"died of signal {-ended.code}"
    if set(left) - kept - (journals if ended.code else set()):
        return f"left over: {', '.join(left)}"
    if ended.code and "nrm:" not in ended.said and "Error:" not in ended.said:
        return f"exit code {ended.code} without a sentence: {ended.said.strip()[-300:]}"
    if fault.harmless and ended.code:
        return f"exit code {ended.code}: {ended.said.strip()[-400:]}"
    if ended.code == 0 and after != wanted and not fault.may_differ:
        differ = sorted(n for n in {*after, *wanted} if after.get(n) != wanted.get(n))
        return f"exit code 0, and other bytes in {', '.join(differ)[:200]}"
    if ended.code:
        for name in {*before, *after}:
            known = before.get(name), wanted.get(name)
            free = fault.may_differ or "decisions" in name
            if after.get(name) not in known and not free:
                return f"{name} is half-written or lost"
    return ""


def _alone(
    command: Command, folder: Path, data: Path, variables: dict[str, str], fault: Fault
) -> fault_kills.Ended:
    environment = {**os.environ, **variables, "HOME": str(folder)}
    environment.pop("LD_PRELOAD", None)
    words = [sys.executable, "-c", _ALONE, str(HERE), command.name, str(data)]
    done = subprocess.run(
        words, cwd=folder, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        check=False, preexec_fn=fault.child, timeout=fault_kills.LIMIT,
    )  # fmt: skip
    return fault_kills.Ended(done.returncode, done.stderr.decode(errors="replace"), 0.0)


def with_library(work: Path) -> None:
    """Compile the library that misbehaves, and start again with it preloaded."""
    library = work / "fault_shim.so"
    if os.environ.get("LD_PRELOAD") == str(library):
        return
    work.mkdir(parents=True, exist_ok=True)
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    compiler = compiler if shutil.which(compiler) else "cc"
    source = HERE / "fault_shim.c"
    words = [compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"]
    subprocess.run([*map(str, words)], check=True)
    os.environ["LD_PRELOAD"] = str(library)
    os.execv(sys.executable, [sys.executable, *sys.argv])


def main() -> None:
    """Try everything, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--races", type=int, default=200)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/nrm-faults"))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    work = given.folder.resolve()
    with_library(work)
    fault_kills.main_environment(work)
    data = work / "data"
    prepare(data)
    fault_kills.warm_up()
    make_locales(work / "locales")

    def chosen(name: str) -> bool:
        return not given.words or any(word in name for word in given.words)

    commands = tuple(c for c in COMMANDS if chosen(c.name))
    some_faults = tuple(f for f in FAULTS if chosen(f.name))
    commands, faults = commands or COMMANDS, some_faults or FAULTS
    parts = {"kills", "races", "faults"}
    parts = parts & set(given.words) or parts
    wrong = []
    if given.kills and "kills" in parts:
        outcomes = fault_kills.campaign(given.kills, work, data, given.seed, commands)
        if commands is COMMANDS or "acquire" in given.words:
            rng, times = random.Random(given.seed), max(1, round(0.03 * given.kills))
            outcomes.append(kill_recordings(times, work / "recordings", data, rng))
        for one in outcomes:
            wrong += [f"{one.name}, killed: {text}" for text in one.faults]
    if given.races and "races" in parts:
        rng = random.Random(given.seed)
        for pair in fault_kills.races():
            raced = fault_kills.race(pair, given.races, work / "races", data, rng)
            print(f"{raced.name}: {raced.kills}, both wrote {raced.resumed}, {dict(raced.left)}")
            wrong += [f"{raced.name}: {text}" for text in raced.faults]
    if "faults" in parts:
        wrong += _all_faults(commands, faults, work, data)
    print(f"\n{len(wrong)} things went wrong")
    print("\n".join(wrong))


def _all_faults(
    commands: tuple[Command, ...], faults: tuple[Fault, ...], work: Path, data: Path
) -> list[str]:
    sentences = Sentences()
    straight = {}
    for command in commands:
        print(f"undisturbed: {command.name}", flush=True)
        folder = work / "disk" / FOLDER
        wanted, _ = fault_kills.straight(command, folder, data)
        straight[command.name] = (
            wanted,
            max(((folder / name).stat().st_size for name in wanted), default=0),
        )
    for fault in faults:
        print(fault.name, flush=True)
        for command in commands:
            dear = command.dear and (fault.fresh or fault.own_data)
            if dear or command.name in fault.but:
                continue
            ended, wrong = try_fault(fault, command, *straight[command.name], work, data)
            sentences.add(fault, command, ended)
            if wrong:
                sentences.wrong(f"{fault.name} | {command.name} | {wrong}")
        print(f"  exit codes {dict(sentences.codes[fault.name])}")
        for line, count in sentences.read[fault.name].most_common(8):
            print(f"  {count} x {line}", flush=True)
    return sentences.faults


if __name__ == "__main__":
    main()
