"""Draw the pictures of the pages anew: ``python docs/make_pictures.py``.

The commands of the walk-through are run, as they stand on the page, in an empty folder; their
figures, and a picture of the viewer if playwright and a Chromium are there, go to docs/pictures.
"""

import contextlib
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).resolve().parent
PICTURES = DOCS / "pictures"
#: Where the map is clicked for the picture of the viewer: a curve with a layer.
PLACE = (230, 300)
NRM = [sys.executable, "-m", "nrm_plugin"]
#: Figures of the walk-through, and their width in pixels.
FIGURES = {"raw.png": 600, "figure4.png": 1200}


def follow(page: Path) -> None:
    """Do what a page says, in this folder."""
    blocks = re.findall(
        r"(?:<!-- file: (\S+) -->\n)?^```(\w+)\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S
    )
    for name, language, text in blocks:
        if name:
            Path(name).write_text(text, encoding="utf-8")
        elif language == "python" and "print(" not in text:
            Path("block.py").write_text(text, encoding="utf-8")
            runpy.run_path("block.py")
        elif language == "console":
            for command in re.findall(r"^\$ nrm (.*)$", text, re.M):
                subprocess.run([*NRM, "-q", *shlex.split(command)], stdout=subprocess.DEVNULL)


def keep(path: Path, width: int) -> None:
    """Put a picture into docs/pictures: smaller, with few colours."""
    picture = Image.open(path).convert("RGB")
    size = (width, round(picture.height * width / picture.width))
    small = picture.resize(size, Image.Resampling.LANCZOS).quantize(128)
    small.save(PICTURES / path.name, optimize=True)


def photograph_viewer(results: str) -> None:
    """Show results in the viewer, and keep what Chromium shows."""
    from playwright.sync_api import sync_playwright

    serving = subprocess.Popen([*NRM, "view", results, "--json"], stdout=subprocess.PIPE)
    try:
        assert serving.stdout is not None
        url = json.loads(serving.stdout.readline())["url"]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(url)
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(2000)
            page.mouse.click(*PLACE)
            page.wait_for_timeout(2000)
            page.screenshot(path="viewer.png")
            browser.close()
    finally:
        serving.terminate()
        serving.wait()


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        follow(DOCS / "walk-through.md")
        for name, width in FIGURES.items():
            Path(name).rename(f"walk-through-{name}")
            keep(Path(f"walk-through-{name}"), width)
        try:
            photograph_viewer("results.h5")
        except ImportError:
            print("without playwright the picture of the viewer stays as it is")
        else:
            keep(Path("viewer.png"), 1200)


if __name__ == "__main__":
    main()
