"""Fuzz readers: ``python -m fuzzing [TARGET ...] --seconds N``; without names, all of them."""

from __future__ import annotations

import importlib.util
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from fuzzing import ROOT
from fuzzing.campaigns import keep, run_plain
from fuzzing.ceilings import failure_of, limit_address_space
from fuzzing.seeds import write_seeds
from fuzzing.targets import TARGETS, prepare

#: Seeds, what a campaign collected, and what failed.
HOME = ROOT / ".fuzzing"


@click.command()
@click.argument("names", nargs=-1, metavar="[TARGET]...", type=click.Choice(list(TARGETS)))
@click.option("--seconds", default=60.0, show_default=True, help="Time for each target.")
@click.option("--seed", default=1, show_default=True, help="Of the random changes.")
@click.option("--plain", is_flag=True, help="Without atheris: changed seeds, nothing guides them.")
@click.option(
    "--run",
    "files",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Run these inputs of one target, and nothing else.",
)
def main(
    names: tuple[str, ...], seconds: float, seed: int, plain: bool, files: tuple[Path, ...]
) -> None:
    """Try readers with changed files; inputs that failed lie in .fuzzing/found/TARGET."""
    if not plain and not importlib.util.find_spec("atheris"):
        raise click.ClickException(
            "atheris is not installed: pip install -e '.[fuzzing]', or --plain"
        )
    prepare()
    shared = Path("/dev/shm")  # in memory, where the system has it
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as scratch:
        os.environ["TMPDIR"] = tempfile.tempdir = scratch
        if files:
            sys.exit(_run_files(names[0], files))
        failed = 0
        click.echo(f"{'target':14}{'executions':>11}{'processor':>11}{'edges':>7}{'failed':>8}")
        for name in names or TARGETS:
            failed += (_plain if plain else _guided)(name, seconds, seed)
    sys.exit(failed > 0)


def _run_files(name: str, files: tuple[Path, ...]) -> int:
    failures = [failure_of(TARGETS[name].run, path.read_bytes()) for path in files]
    for path, failure in zip(files, failures, strict=True):
        click.echo(f"{path}: {failure.report if failure else 'nothing, or a named error'}")
    return sum(failure is not None for failure in failures)


def _seeds(name: str) -> Path:
    folder = HOME / "seeds" / name
    if not folder.exists():
        write_seeds(name, folder)
    return folder


def _plain(name: str, seconds: float, seed: int) -> int:
    limit_address_space()
    seeds = [path.read_bytes() for path in sorted(_seeds(name).iterdir())]
    begin = time.process_time()
    done, found = run_plain(name, seeds, seed=seed, seconds=seconds)
    used = time.process_time() - begin
    for one in found:
        keep(one, HOME / "found" / name)
    click.echo(f"{name:14}{done:11}{used:9.0f} s{'-':>7}{len(found):8}")
    return len(found)


def _guided(name: str, seconds: float, seed: int) -> int:
    """Run processes with atheris until the time is over; one that dies is followed by another."""
    seeds, corpus, found = _seeds(name), HOME / "corpus" / name, HOME / "found" / name
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    longest = max(path.stat().st_size for path in seeds.iterdir())
    end, begin = time.monotonic() + seconds, _used()
    done = edges = 0
    while (left := end - time.monotonic()) > 1:
        options = [
            *(str(corpus), str(seeds), f"-artifact_prefix={found}/", f"-max_total_time={left:.0f}"),
            *(f"-seed={seed}", f"-max_len={2 * longest + 1000}", "-len_control=0"),
            *("-timeout=60", "-rss_limit_mb=6000", "-print_final_stats=1", "-close_fd_mask=1"),
        ]
        command = [sys.executable, "-m", "fuzzing.guided", name, str(seeds), str(found), *options]
        ran = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, check=False)
        said = ran.stderr.decode("utf-8", "replace")
        counted = re.findall(r"number_of_executed_units: (\d+)", said) or re.findall(
            r"#(\d+)\t", said
        )
        if not counted:
            raise click.ClickException(f"the process ended at once:\n{said[-2000:]}")
        done += int(counted[-1])
        edges = max([edges, *map(int, re.findall(r"cov: (\d+)", said))])
        if ran.returncode:
            (found / f"ended-{seed}.log").write_text(said[-20000:], encoding="utf-8")
        seed += 1
    new = {path for path in found.iterdir() if path.suffix != ".txt"} - before
    click.echo(f"{name:14}{done:11}{_used() - begin:9.0f} s{edges:7}{len(new):8}")
    return len(new)


def _used() -> float:
    times = resource.getrusage(resource.RUSAGE_CHILDREN)
    return times.ru_utime + times.ru_stime


if __name__ == "__main__":
    main()
