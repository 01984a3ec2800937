"""The structure of the project: imports run one way, one name stands for one thing."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import run  # noqa: E402

PACKAGES = ("nrm_plugin", "importers/nrm_importers", "daq/nrm_daq")

#: File names that stand for the same role in rooms beside each other, and why.
SAME_ROLE = {
    "__init__.py": "every package has one",
    "read.py": "opens a file of the format",
    "images.py": "images of the format; and the model's",
    "names.py": "the vendor's names, and ours",
    "positions.py": "where the format says that curves lie",
}

#: Class names that stand in two places, and why.
SAME_CLASS = {
    "Layer": "public in both nrm.fea and nrm.simulate since the first version",
    "Settings": "every object that can be tuned has its own, by the rules of the hooks",
}

#: Public since the first version: plugins may give all their fields by position.
POSITIONAL = {"Channel", "Origin", "Log"}


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


@cache
def classes() -> list[tuple[str, ast.ClassDef]]:
    """Every class, and the module that it stands in."""
    return [
        (path.relative_to(ROOT).as_posix(), node)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]


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


def test_the_page_names_files_that_exist() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/.-]+(?:/|\.(?:py|md|toml)))`", page))
    homes = (ROOT, ROOT / "nrm_plugin", ROOT / "importers", *(ROOT / p for p in PACKAGES))
    parts = {"read.py", "__init__.py"}  # of the folder that is spoken of
    lost = [n for n in named - parts if not any((home / n).exists() for home in homes)]
    assert lost == [], "ARCHITECTURE.md"


def test_no_module_name_stands_for_two_things() -> None:
    homes = defaultdict(list)
    for path in modules():
        if "cli" not in path.parts:  # there a module has its command's name
            homes[path.name].append(path.relative_to(ROOT).as_posix())
    doubled = {name: where for name, where in homes.items() if len(where) > 1}
    assert {name: where for name, where in doubled.items() if name not in SAME_ROLE} == {}
    assert set(SAME_ROLE) <= set(doubled), "an exception that is not needed any more"


def test_no_class_name_stands_for_two_things() -> None:
    homes = defaultdict(list)
    for module, node in classes():
        homes[node.name].append(module)
    doubled = {name: where for name, where in homes.items() if len(where) > 1}
    assert {name: where for name, where in doubled.items() if name not in SAME_CLASS} == {}
    assert set(SAME_CLASS) <= set(doubled), "an exception that is not needed any more"


def is_positional_dataclass(node: ast.ClassDef) -> bool:
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        if getattr(call, "id", getattr(call, "attr", "")) != "dataclass":
            continue
        options = decorator.keywords if isinstance(decorator, ast.Call) else []
        return not any(option.arg == "kw_only" for option in options)
    return False


def positional_fields(node: ast.ClassDef) -> int:
    count = 0
    for line in node.body:
        if not isinstance(line, ast.AnnAssign):
            continue
        annotation = ast.unparse(line.annotation)
        if annotation == "KW_ONLY":
            break
        count += not annotation.startswith("ClassVar") and "kw_only=True" not in ast.unparse(line)
    return count


def test_dataclasses_of_many_fields_name_them() -> None:
    unnamed = [
        f"{module}: {node.name}"
        for module, node in classes()
        if is_positional_dataclass(node)
        and positional_fields(node) > 4
        and node.name not in POSITIONAL
    ]
    assert unnamed == []


def test_the_formatter_decides() -> None:
    marker = "# fmt" + ": skip"
    files = [*modules(), *sorted((ROOT / "tests").rglob("*.py"))]
    assert sum(path.read_text(encoding="utf-8").count(marker) for path in files) < 30
