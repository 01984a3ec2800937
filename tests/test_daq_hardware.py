"""With a real board: NRM_DAQ_CONFIG names a configuration. See docs/acquisition-hardware.md.

``NRM_DAQ_CONFIG=daq.toml pytest -m hardware``
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_daq import recording
from nrm_daq.config import DaqConfig
from nrm_daq.hardware import connected, devices, prepared

pytestmark = [
    pytest.mark.hardware,
    pytest.mark.skipif("NRM_DAQ_CONFIG" not in os.environ, reason="no board: NRM_DAQ_CONFIG"),
]


@pytest.fixture
def path() -> Path:
    return Path(os.environ["NRM_DAQ_CONFIG"]).resolve()


def acquire(*arguments: object, code: int = 0) -> dict[str, Any]:
    command = [sys.executable, "-m", "nrm_plugin", "acquire", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300.0)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_the_board_is_real_and_as_configured(path: Path) -> None:
    config = DaqConfig.from_toml(path)
    assert config.backend != "simulated"
    with connected(config) as connection:
        names = [device.name for device in devices(connection)]
        with prepared(connection, config) as (_, setup):
            assert setup.device.name in names
            assert setup.rate == pytest.approx(config.rate, rel=1e-3)
            assert setup.ring >= config.ring * config.rate


def test_a_minute_without_loss(path: Path, tmp_path: Path) -> None:
    """As many samples as asked for; the board's clock and the computer's agree to 0.1 %."""
    told = acquire("--config", path, "-o", tmp_path / "out.h5", "--duration", "60s")
    assert (told["stopped"], told["n_samples"]) == ("", round(60.0 * told["rate"]))
    header = json.loads(nrm.open(tmp_path / "out.h5").header)
    began = np.mean(next(note["began"] for note in header["notes"] if "began" in note))
    if not header["triggered"]:
        seconds = 1e-9 * (header["last_block_arrived"] - began)
        assert seconds == pytest.approx(60.0, abs=0.06 + 0.5)
    assert header["largest_backlog"] < 0.5 * header["setup"]["ring"]


def test_again_and_again(path: Path, tmp_path: Path) -> None:
    """The board is given back every time."""
    for number in range(5):
        told = acquire("--config", path, "-o", tmp_path / f"{number}.h5", "--duration", "1s")
        assert told["stopped"] == ""


def test_reserved(path: Path, tmp_path: Path) -> None:
    config = DaqConfig.from_toml(path)
    with connected(config) as connection, prepared(connection, config) as (task, _):
        task.start()
        command = [
            sys.executable,
            "-m",
            "nrm_plugin",
            "acquire",
            "--config",
            str(path),
            "-o",
            str(tmp_path / "out.h5"),
            "--duration",
            "1s",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100.0)
    assert done.returncode == 4
    assert "in use" in done.stderr


def test_kill(path: Path, tmp_path: Path) -> None:
    """A killed program gives the board back, and leaves a recording that is whole."""
    part = tmp_path / "out.h5.part"
    command = [
        sys.executable,
        "-m",
        "nrm_plugin",
        "acquire",
        "--config",
        str(path),
        "-o",
        str(tmp_path / "out.h5"),
    ]
    with subprocess.Popen(command) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(15.0)
        process.kill()
    assert recording.read(part).n_samples > 0
    assert acquire("--recover", part)["n_samples"] > 0
    assert acquire("--config", path, "-o", tmp_path / "a.h5", "--duration", "1s")["stopped"] == ""
