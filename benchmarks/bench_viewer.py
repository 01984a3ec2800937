"""`nrm view` in a real Chromium: first map, click, another distance, a changed recipe; memory.

    python benchmarks/bench_viewer.py [--curves 65536] [--results FILE] [--folder DIR]

The page itself reports the times, from the key or the click to what the browser has painted
(`window.nrmTimes`); the first map counts from the command. Beside them stands what an empty page of
the same server takes to load. The results are those of bench_report.py; recipes are tried on 400
simulated curves, which have their samples.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from measure import Cost, Table, command

#: Bounds in s, by the name that the page gives its times.
BOUNDS = {"nrm:drawn": 0.1, "nrm:depth-drawn": 0.3, "nrm:recipe-drawn": 0.2}
FIRST_MAP, MEMORY = 3.0, 400


class Viewed:
    """A page of `nrm view` that is open."""

    def __init__(self, page: Any, url: str, pid: int) -> None:
        self.page, self.url, self.pid = page, url, pid

    def times(self, name: str) -> list[float]:
        """What the page measured, in s."""
        return [ms / 1e3 for ms in self.page.evaluate(f"window.nrmTimes?.[{name!r}] ?? []")]

    def wait(self, name: str, count: int = 1, patience: float = 60.0) -> list[float]:
        """Wait until the page has measured something so often."""
        end = time.perf_counter() + patience
        while len(found := self.times(name)) < count:
            if time.perf_counter() > end:
                raise SystemExit(f"{name}: only {len(found)} of {count} within {patience:g} s")
            time.sleep(0.02)
        return found

    def memory(self) -> float:
        """Largest memory of the server so far, in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024  # type: ignore[union-attr]


@contextmanager
def viewing(chromium: Any, path: Path) -> Iterator[tuple[Viewed, float]]:
    """A page that shows the file, and the time in s from the command to its first map."""
    begin = time.perf_counter()
    words = [sys.executable, "-m", "nrm_plugin", "view", str(path), "--no-browser", "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = json.loads(process.stdout.readline())["url"]
        page = chromium.new_page(viewport={"width": 1280, "height": 720})
        page.goto(url, wait_until="commit")
        viewed = Viewed(page, url, process.pid)
        viewed.wait("nrm:first-map")
        first = time.perf_counter() - begin
        viewed.wait("nrm:first-curve")
        yield viewed, first
        page.close()
    finally:
        process.terminate()
        process.wait()


def empty_page(chromium: Any, url: str) -> float:
    """Time in s to load a page of the server in which nothing happens."""
    page = chromium.new_page()
    taken = []
    for _ in range(7):
        begin = time.perf_counter()
        page.goto(url + "style.css")
        taken.append(time.perf_counter() - begin)
    page.close()
    return median(taken)


def clicks(viewed: Viewed, count: int) -> list[float]:
    """Click on places of the map, one after the other."""
    box = viewed.page.locator("[aria-roledescription=map]").bounding_box()
    side = min(box["width"], box["height"])
    for k in range(count):
        share = (k + 0.5) / count
        before = len(viewed.times("nrm:drawn"))
        x = box["x"] + box["width"] / 2 + side * (share - 0.5) * 0.9
        y = box["y"] + box["height"] / 2 + side * ((7 * share) % 1 - 0.5) * 0.9
        viewed.page.mouse.click(x, y)
        viewed.wait("nrm:drawn", before + 1)
    return viewed.times("nrm:drawn")[-count:]


def distances(viewed: Viewed, count: int) -> list[float]:
    """Go away from the electrode, key by key."""
    for _ in range(count):
        before = len(viewed.times("nrm:depth-drawn"))
        viewed.page.keyboard.press("]")
        viewed.wait("nrm:depth-drawn", before + 1)
    return viewed.times("nrm:depth-drawn")[-count:]


def recipes(viewed: Viewed, count: int) -> list[float]:
    """Change one value of the recipe again and again, and see the curve again."""
    page = viewed.page
    for k in range(count):
        before = len(viewed.times("nrm:recipe-drawn"))
        page.evaluate(
            f"""async (width) => {{
                const {{ set }} = await import({viewed.url + "state.js"!r});
                const {{ begin }} = await import({viewed.url + "times.js"!r});
                begin("nrm:recipe");
                set({{ recipe: {{ "derivative.half_width": width }} }});
            }}""",
            (2.0 + 0.1 * k) * 1e-9,
        )
        viewed.wait("nrm:recipe-drawn", before + 1)
    return viewed.times("nrm:recipe-drawn")[-count:]


def with_curves(folder: Path) -> Path:
    """Results of 400 simulated curves that lie beside them."""
    import nrm_plugin as nrm
    from nrm_plugin.simulate.sodiation import sodiation

    curves, _, _ = sodiation(seed=20)
    curves.save(folder / "curves.h5")
    nrm.process(nrm.open(folder / "curves.h5"), out=folder / "results.h5")
    return folder / "results.h5"


def measure(table: Table, results: Path | None = None, n: int | None = None) -> None:
    """First map, clicks, distances and recipes."""
    n = n or min(65_536, 4 * table.curves)
    if not table.wants(f"nrm view of {n} curves, in Chromium"):
        return
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        table.skipped("page", "playwright or chromium is not installed")
        return
    if results is None:
        results = table.folder / "results-of-a-sodiation.h5"
        if not results.exists():
            make = Path(__file__).with_name("bench_report.py")
            command(sys.executable, make, "--curves", n, "--make", results)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with viewing(chromium, results) as (viewed, first):
            empty = Cost(empty_page(chromium, viewed.url), 0.0)
            table.row("an empty page of the server", empty)
            row(table, "from the command to the first map", [first], empty, FIRST_MAP)
            row(table, "click to curve", clicks(viewed, 20), empty, BOUNDS["nrm:drawn"])
            found = distances(viewed, 20)
            row(table, "another distance", found, empty, BOUNDS["nrm:depth-drawn"])
            table.say(f"memory of the server: {viewed.memory():.0f} MB (at most {MEMORY})")
        with viewing(chromium, with_curves(table.folder)) as (viewed, _):
            found = clicks(viewed, 20)
            row(table, "click to curve, with samples", found, empty, BOUNDS["nrm:drawn"])
            recipes(viewed, 2)
            found = recipes(viewed, 10)
            row(table, "changed recipe", found, empty, BOUNDS["nrm:recipe-drawn"])
        chromium.close()


def row(table: Table, name: str, found: list[float], empty: Cost, bound: float) -> None:
    """Median and worst, beside the bound."""
    note = f"worst {max(found) * 1e3:.0f} ms, bound {bound * 1e3:.0f} ms"
    table.row(name, Cost(median(found), 0.0), empty, note)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--curves", type=int, default=65_536)
    options.add_argument("--results", type=Path, help="results that are there already")
    options.add_argument("--folder", type=Path, help="for scratch files")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        table = Table((), 3, given.curves, Path(folder))
        measure(table, given.results, given.curves)
        table.close()


if __name__ == "__main__":
    main()
