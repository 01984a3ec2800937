"""The first result: commands as processes, and in an environment that was just made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench_process import make_file
from measure import Table, command, cost

import nrm_plugin as nrm

ROOT = Path(__file__).resolve().parent.parent


def measure(table: Table) -> None:
    """Commands in this environment, and cold in a fresh one."""
    file, out = table.folder / "32.h5", table.folder / "32-results.h5"
    if table.wants("start of a process"):
        make_file(file, 32)
        nrm.process(nrm.open(file), out=out).close()
        words = [sys.executable, "-m", "nrm_plugin"]
        table.compare(
            {
                "python -c pass": lambda: command(sys.executable, "-c", "pass"),
                "nrm --help": lambda: command(*words, "--help"),
                "nrm info of a results file": lambda: command(*words, "info", out),
                "nrm process, 32 curves": lambda: command(
                    *words, "-q", "process", file, "-o", out, "--overwrite"
                ),
            }
        )
    if table.wants("cold start, in a fresh environment"):
        _cold(table, file, out)


def _cold(table: Table, file: Path, out: Path) -> None:
    """Install the project into an environment of its own, and run it for the first time."""
    make_file(file, 32)
    fresh = table.folder / "fresh"
    command(sys.executable, "-m", "venv", fresh)
    python = fresh / "bin" / "python"
    words = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", ROOT]
    if subprocess.run([*map(str, words)], capture_output=True, check=False).returncode:
        table.skipped("nrm process and nrm demo", "pip could not install the project")
        return
    folders = [f for f in fresh.glob("lib/python*/site-packages") if not f.is_symlink()]
    sizes = {f: f.stat().st_size / 1e6 for of in folders for f in of.rglob("*") if f.is_file()}
    compiled = sum(size for f, size in sizes.items() if f.suffix == ".pyc")
    note = f"site-packages {sum(sizes.values()) - compiled:.0f} MB, byte code {compiled:.0f} MB"
    home = table.folder / "home"  # no caches of matplotlib and of fonts
    home.mkdir()
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "MPL", "PYTHON"))}
    options = {"env": {**clean, "HOME": str(home)}, "cwd": home}
    nrm_words = [python, "-m", "nrm_plugin", "-q"]
    process = [*nrm_words, "process", file, "-o", out, "--overwrite"]
    first = cost(lambda: command(*process, **options))
    table.row("nrm process of 32 curves, first", first, note=note)
    table.row("nrm process of 32 curves, again", cost(lambda: command(*process, **options)), first)
    demo = cost(lambda: command(*nrm_words, "demo", "-o", home / "demo", **options))
    table.row("nrm demo, first", demo, first)
