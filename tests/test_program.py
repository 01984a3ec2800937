"""The program itself: Ctrl-C at any moment, full outputs, names, and what terminals obey."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_plugin import delimited, entry_point

ONE_SENTENCE = "nrm: stopped with Ctrl-C\n"

#: Presses Ctrl-C when a module is about to be imported.
PRESSING = """
import os, signal, sys
from importlib.abc import MetaPathFinder
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
class Press(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
from nrm_plugin.entry_point import run
sys.meta_path.insert(0, Press())
sys.argv = ["nrm", *{arguments!r}]
run()
"""


def nrm_command(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nrm_plugin", *arguments]
    return subprocess.run(command, text=True, check=False, timeout=120, **more)


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "curves.h5"
    height = np.linspace(0.0, 1e-7, 20).reshape(2, 10)
    curves = nrm.CurveSet.from_arrays({"height": (height, "m")}, metadata={"spring_constant": 0.2})
    curves.save(path)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to oneself")
@pytest.mark.parametrize(
    "module",
    ["click", "nrm_plugin.cli.info", "numpy", "h5py._hl"],
)
def test_interrupt_while_importing(common: Path, module: str) -> None:
    code = PRESSING.format(module=module, arguments=["info", str(common)])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (130, ONE_SENTENCE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["info", "FILE"]])
def test_full_output(common: Path, arguments: list[str]) -> None:
    arguments = [str(common) if one == "FILE" else one for one in arguments]
    with Path("/dev/full").open("w") as full:
        done = nrm_command(*arguments, stdout=full, stderr=subprocess.PIPE)
        both = nrm_command(*arguments, stdout=full, stderr=full)
    assert done.returncode == both.returncode == 1
    assert done.stderr == "nrm: the output cannot be written (No space left on device)\n"


@pytest.mark.skipif(sys.platform == "win32", reason="other bounds of names")
def test_long_names(common: Path) -> None:
    name = "x" * 300 + ".h5"
    for arguments in (["info", name], ["convert", str(common), "-o", name]):
        done = nrm_command(*arguments, capture_output=True)
        assert done.returncode == 1
        assert done.stderr.startswith("nrm: ")
        assert done.stderr.count("\n") == 1


def test_control_characters_are_shown(common: Path, tmp_path: Path) -> None:
    path = tmp_path / "evil.h5"
    path.write_bytes(common.read_bytes())
    with h5py.File(path, "r+") as file:
        metadata = file["entry/metadata"]
        metadata["note"] = "a\x1b]0;b\x07\u202ec\x9bd"
        metadata["note"].attrs["source"] = "e\x1b[31m"
        metadata["odd\x1b[2J"] = "f"
    done = nrm_command("info", str(path), capture_output=True, encoding="utf-8")
    assert done.returncode == 0
    assert not set(done.stdout) & set("\x1b\x07\u202e\x9b")
    assert r"a\x1b]0;b\x07\u202ec\u009bd" in done.stdout
    as_json = nrm_command("info", "--json", str(path), capture_output=True, encoding="utf-8")
    assert not set(as_json.stdout) & set("\x1b\x07\u202e\x9b")
    assert "\\u202e" in as_json.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to oneself")
def test_interrupt_reaches_a_running_command() -> None:
    """A library that turns the interrupt into an error of its own changes nothing."""
    code = PRESSING.format(module="nothing", arguments=["recipe"]).replace(
        "run()",
        "import nrm_plugin.cli.recipe as one\n"
        "def disguised(*a, **k):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        for _ in range(10000): pass\n"
        "    except KeyboardInterrupt:\n"
        "        raise ImportError('a part of it could not be loaded') from None\n"
        "one.command.callback = disguised\n"
        "run()",
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (130, ONE_SENTENCE)


def test_what_killed_programs_left_is_removed(common: Path, tmp_path: Path) -> None:
    """Only temporary files of ours, and only when nobody can be writing them any more."""
    old, young = tmp_path / ".a.0123abcd.part.h5", tmp_path / ".b.0123abcd.part.h5"
    others = [
        tmp_path / name for name in (".a.part.h5", "a.0123abcd.part.h5", ".a.0123abcd.old.h5")
    ]
    for path in (old, young, *others):
        path.write_bytes(b"x")
    long_ago = time.time() - 2 * 86400
    for path in (old, *others):
        os.utime(path, (long_ago, long_ago))
    nrm.open(common).save(tmp_path / "new.h5")
    assert not old.exists()
    assert young.exists()
    assert all(path.exists() for path in others)


def test_titles_of_tables_take_no_time() -> None:
    began = time.process_time()
    for title in ("[" * 20_000, "a (" * 20_000, " " * 20_000 + "x", ", a " * 20_000):
        assert delimited.title(title)[1] == ""
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 5000, "a = " + "1" * 5000, 'a = "\0"', "a" + ".a" * 5000 + " = 1"]
)
def test_no_toml_is_a_traceback(tmp_path: Path, text: str) -> None:
    config = pytest.importorskip("nrm_daq.config")
    path = tmp_path / "odd.toml"
    path.write_text(text)
    for read in (config.DaqConfig.from_toml, nrm.Recipe.from_toml):
        with pytest.raises(nrm.RecipeError):
            read(path)


def test_numbers_of_hundreds_of_digits() -> None:
    for key in nrm.Recipe.model_fields:
        with pytest.raises(nrm.RecipeError):
            nrm.Recipe.from_text(f"{key} = {'1' * 400}")


@pytest.mark.skipif(sys.platform == "win32", reason="no such names")
def test_names_cannot_write_over_a_line(common: Path, tmp_path: Path) -> None:
    """A CR would take the terminal back to the beginning of the line."""
    path = tmp_path / "evil\rnrm.h5"
    path.write_bytes(common.read_bytes())
    call = [sys.executable, "-m", "nrm_plugin", "info", str(path), str(tmp_path / "no\r.h5")]
    done = subprocess.run(call, capture_output=True, check=False, timeout=120)
    assert (done.returncode, rb"evil\x0dnrm.h5" in done.stdout) == (1, True)
    assert rb"no\x0d.h5: there is no such file" in done.stderr
    assert b"\r" not in (done.stdout + done.stderr).replace(os.linesep.encode(), b"")


def test_lines_of_progress_are_renewed_on_the_standard_error_alone() -> None:
    raw = io.BytesIO()
    shown = entry_point.VisibleText(raw, "utf-8", newline="")
    shown.write("\ra\rb\u061c\r\n")
    shown.renews = True
    shown.write("\rc\rd")
    shown.flush()
    assert raw.getvalue() == b"\\x0da\\x0db\\u061c\r\n\rc\\x0dd"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a folder that is used")
def test_a_folder_that_is_gone() -> None:
    code = (
        "import os, sys, tempfile; gone = tempfile.mkdtemp(); os.chdir(gone); os.rmdir(gone);"
        "from nrm_plugin.entry_point import run; sys.argv = 'nrm recipe -o r.toml'.split(); run()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "nrm: the system refuses (No such file or directory)\n"
