"""The structure of the project: imports run one way, one name stands for one thing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import run  # noqa: E402

PACKAGES = ("nrm_plugin", "importers/nrm_importers", "daq/nrm_daq")


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([".", "importers", "daq"])
    return subprocess.run(
        [sys.executable, "-c", run.CHECKS["lint-imports"][1], "--no-cache"],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder


def test_imports_run_one_way(copy: Path) -> None:
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("nrm_plugin/text.py", "def late():\n    from nrm_plugin.model import CurveSet\n", "below"),
        ("nrm_plugin/store/__init__.py", "import nrm_plugin.figures\n", "below"),
        ("nrm_plugin/engine/moduli.py", "import nrm_importers.bruker\n", "no vendor"),
        ("nrm_plugin/fea/stack.py", "import nrm_plugin.fea.inversion\n", "circles"),
    ],
)
def test_an_import_that_runs_back_is_found(copy: Path, module: str, line: str, broken: str) -> None:
    file = copy / module
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(f"{before}\n{line}", encoding="utf-8")
        done = lint_imports(copy)
    finally:
        file.write_text(before, encoding="utf-8")
    assert done.returncode != 0
    assert re.search(rf"{broken}.* BROKEN", done.stdout)


def test_the_page_draws_the_floors_that_are_held() -> None:
    command = [sys.executable, str(ROOT / "docs" / "draw_architecture.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_formatter_decides() -> None:
    marker = "# fmt" + ": skip"
    files = [*modules(), *sorted((ROOT / "tests").rglob("*.py"))]
    assert sum(path.read_text(encoding="utf-8").count(marker) for path in files) < 30
