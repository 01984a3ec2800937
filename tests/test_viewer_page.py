"""The page's own code: its tests under node, its types under tsc, its size."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "nrm_plugin" / "viewer" / "page"
NODE = shutil.which("node")


def modules() -> dict[str, list[str]]:
    return {path.name: path.read_text("utf-8").splitlines() for path in PAGE.glob("*.js")}


@pytest.mark.skipif(NODE is None, reason="the program node is not installed")
def test_its_own_tests_pass():
    tests = sorted((ROOT / "tests" / "viewer_page").glob("*.test.js"))
    assert tests
    done = subprocess.run(
        [NODE, "--test", *tests], capture_output=True, text=True, encoding="utf-8", timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def type_checker() -> list[str] | None:
    """The command that runs TypeScript's compiler: installed, or fetched by npx."""
    if tsc := shutil.which("tsc"):
        return [tsc]
    npx = shutil.which("npx")
    if npx is None:
        return None
    command = [npx, "--yes", "--package", "typescript@5", "--", "tsc"]
    try:
        tried = subprocess.run([*command, "--version"], capture_output=True, timeout=120)
    except subprocess.TimeoutExpired:
        return None
    return command if tried.returncode == 0 else None


def test_its_types_hold(tmp_path):
    command = type_checker()
    if command is None:
        pytest.skip("TypeScript is not installed, and npx cannot fetch it")
    done = subprocess.run(
        [*command, "--project", PAGE / "jsconfig.json"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        env={**os.environ, "CI": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_modules_stay_small():
    """Small enough that one person can read the page: lines, and lines that are not comments."""
    lines = modules()
    assert {name: len(text) for name, text in lines.items() if len(text) > 350} == {}
    comment = re.compile(r"\s*(//|/?\*|$)")
    code = {name: sum(not comment.match(line) for line in text) for name, text in lines.items()}
    assert sum(code.values()) <= 4600, code
