"""What the server of `nrm view` answers, against the smallest file of the page; its memory.

    python benchmarks/bench_answers.py [--curves 65536] [--results FILE]

The server is a process of its own, asked over a socket as the page asks it. Values are of another
distance, and curves others, each time: nothing that was kept is measured.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from measure import Call, Cost, Table, command

#: Distances (nm) that are asked for in turn.
DEPTHS = range(1, 60)


class Asked:
    """A server that runs, and a connection to it."""

    def __init__(self, url: str, pid: int) -> None:
        parts = urlsplit(url)
        self.base, self.pid = parts.path, pid
        self.host, self.port = str(parts.hostname), int(parts.port or 0)
        self.connection = http.client.HTTPConnection(self.host, self.port, timeout=120)

    def get(self, address: str) -> int:
        """Ask for an address; what it says is read and dropped."""
        self.connection.request("GET", self.base + address)
        response = self.connection.getresponse()
        response.read()
        return response.status

    def memory(self) -> tuple[float, float]:
        """Largest memory of the server so far, and what is its own now (not mapped files), MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = (re.search(rf"{name}:\s+(\d+)", status) for name in ("VmHWM", "RssAnon"))
        most, own = (int(match.group(1)) / 1024 for match in found if match)
        return most, own


@contextmanager
def serving(path: Path) -> Iterator[tuple[Asked, Cost]]:
    """A server of results, and what it took from the command to the answers of a first map."""
    begin = time.perf_counter()
    words = [sys.executable, "-m", "nrm_plugin", "view", str(path), "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        asked = Asked(json.loads(process.stdout.readline())["url"], process.pid)
        first = "api/session", "api/layout", "api/values?quantity=storage_modulus&depth=5e-9"
        for address in ("", "main.js", *first):
            asked.get(address)
        wall = time.perf_counter() - begin
        fields = Path(f"/proc/{process.pid}/stat").read_text().split()
        yield asked, Cost(wall, (int(fields[13]) + int(fields[14])) / 100)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def in_turn(asked: Asked, addresses: Callable[[int], str], of: range) -> Call:
    """Return a call that asks for something else each time."""
    numbers = itertools.cycle(of)
    return lambda: asked.get(addresses(next(numbers)))


def measure(table: Table, results: Path | None = None, n: int | None = None) -> None:
    """Answers about results of a large map."""
    n = n or min(65_536, 4 * table.curves)
    if not table.wants(f"answers of nrm view about {n} curves"):
        return
    if results is None:
        results = table.folder / "results-of-a-sodiation.h5"
        if not results.exists():
            make = Path(__file__).with_name("bench_report.py")
            command(sys.executable, make, "--curves", n, "--make", results)
    with serving(results) as (asked, first):
        xarray = time.perf_counter()
        command(sys.executable, "-c", "import h5py, xarray")
        bound = Cost(time.perf_counter() - xarray, 0.0)
        table.row("python that imports h5py and xarray", bound)
        table.row("from the command to the data of a map", first, bound)
        values = "api/values?quantity={}&depth={}e-9".format
        curves = range(0, n, max(1, n // 67))
        table.compare(
            {
                "a file of the page": lambda: asked.get("style.css"),
                "E' at another distance": in_turn(
                    asked, lambda depth: values("storage_modulus", depth), DEPTHS
                ),
                "|G*| at another distance, derived": in_turn(
                    asked, lambda depth: values("shear_modulus_magnitude", depth), DEPTHS
                ),
                "another curve": in_turn(asked, "api/curve?number={}".format, curves),
            }
        )
        most, own = asked.memory()
        table.say(f"memory of the server: at most {most:.0f} MB, {own:.0f} MB without mapped files")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--curves", type=int, default=65_536)
    options.add_argument("--results", type=Path, help="results that are there already")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = Table((), 5, given.curves, Path(folder))
        measure(table, given.results, given.curves)
        table.close()


if __name__ == "__main__":
    main()
