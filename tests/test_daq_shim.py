"""The way through NI's package into a C library, where the simulated board does not go.

A small library with NI's name is compiled and found by a program of its own; this process and
the installation never see it. Linux only: elsewhere NI's package looks for other files.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from daq_boards import converted

import nrm_plugin as nrm

SOURCE = Path(__file__).resolve().parent / "shim" / "nidaqmx_shim.c"
NAMES = ("lateral", "deflection", "lockin_output_x", "lockin_output_y", "potential")
TERMINALS = (6, 0, 3, 1, 2)

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="NI's library is a DLL here"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc to compile the library"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shim")
    subprocess.run(
        [
            "gcc",
            "-std=gnu11",
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-shared",
            "-fPIC",
            "-Wl,-soname,libnidaqmx.so",
            str(SOURCE),
            "-o",
            str(folder / "libnidaqmx.so"),
            "-lm",
        ],
        check=True,
    )
    return folder


def nrm_acquire(
    library: Path,
    folder: Path,
    *arguments: str,
    terminals: tuple[int, ...] = TERMINALS,
    **more: str,
) -> subprocess.CompletedProcess[str]:
    lines = ['backend = "local"', "rate = 50e3", "[channels]"]
    lines += [f'{n}.terminal = "Dev1/ai{k}"' for n, k in zip(NAMES, terminals, strict=True)]
    (folder / "daq.toml").write_text("\n".join(lines))
    return subprocess.run(
        [sys.executable, "-m", "nrm_plugin", "acquire", "--config", "daq.toml", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100.0,
        env={**os.environ, "LD_LIBRARY_PATH": str(library), **more},
    )


def test_every_sample(library: Path, tmp_path: Path) -> None:
    done = nrm_acquire(library, tmp_path, "-o", "out.h5", "--duration", "3s", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["n_samples"], told["stopped"], told["simulated"]) == (150_000, "", True)
    curves = nrm.open(tmp_path / "out.h5")
    for name, terminal in zip(NAMES, TERMINALS, strict=True):
        expected = converted(terminal, np.arange(150_000))
        np.testing.assert_array_equal(curves.read(name), expected, name)
    setup = json.loads(curves.header)["setup"]
    assert setup["driver"] == "NI-DAQmx 23.8.1"
    assert setup["device"]["product"] == "Shim-6123"


def test_devices_and_check(library: Path, tmp_path: Path) -> None:
    done = nrm_acquire(library, tmp_path, "--list-devices")
    assert "Dev1: Shim-6123 (simulated, serial number C0FFEE)" in done.stdout
    assert "ranges 5, 10 V" in done.stdout
    done = nrm_acquire(library, tmp_path, "--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_wrong_terminal(library: Path, tmp_path: Path) -> None:
    done = nrm_acquire(library, tmp_path, "--check", terminals=(99, 0, 1, 2, 3))
    assert done.returncode == 4
    assert "Dev1/ai99: there is no such input; there are: Dev1/ai0" in done.stderr


def test_lost_board(library: Path, tmp_path: Path) -> None:
    done = nrm_acquire(library, tmp_path, "-o", "out.h5", NRM_SHIM_LOST_AFTER="1.0")
    assert done.returncode == 1
    assert "the board has gone" in done.stderr
    curves = nrm.open(tmp_path / "out.h5")
    assert 40_000 <= curves.n_samples <= 60_000
    numbers = np.arange(curves.n_samples)
    np.testing.assert_array_equal(curves.read("potential"), converted(2, numbers))
