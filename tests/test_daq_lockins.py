"""A stranger's lock-in: named by a configuration, asked, watched, and not needed for recovering."""

from __future__ import annotations

import json
import queue
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from daq_boards import known_board
from live_pages import Page

import nrm_plugin as nrm
from nrm_daq import run
from nrm_daq.config import DaqConfig
from nrm_daq.device import InstantClock, SimulatedDaq
from nrm_daq.live_page import LiveOptions, LivePage
from nrm_plugin import plugins
from nrm_plugin.cli import main

#: What another distribution would hold: a lock-in that shows peak values, has eight poles and one
#: setting of its own.
STRANGER = """
from pydantic import BaseModel
from nrm_plugin import hookimpl
from nrm_plugin.errors import DaqUnavailable
from nrm_plugin.hookspecs import LockInSettings

class Settings(BaseModel, extra="forbid"):
    address: str = ""
    demodulator: int = 0

class Connected:
    asked, closed, overload = 0, 0, False

    def settings(self):
        Connected.asked += 1
        return LockInSettings(
            identity="ACME DLI-1", convention="peak", sensitivity=2e-3, time_constant=1e-3,
            poles=8, offset_x=0.0, offset_y=0.0, expand_x=1.0, expand_y=1.0)

    def status(self):
        return {"input clipped": Connected.overload, "reference lost": False}

    def close(self):
        Connected.closed += 1

class Digital:
    name, description, Settings = "acme", "ACME digital lock-in", Settings

    def connect(self, settings):
        if (settings.address, settings.demodulator) != ("acme.example:8004", 3):
            raise DaqUnavailable(f"no ACME answers at {settings.address}")
        return Connected()

@hookimpl
def nrm_lockins():
    return [Digital()]
"""

DAQ = """
backend = "remote {address}"
rate = "10 kHz"
[channels]
deflection.terminal = "Sim1/ai0"
lockin_output_x.terminal = "Sim1/ai1"
lockin_output_y.terminal = "Sim1/ai2"
[lock_in]
{lock_in}
"""

ACME = 'model = "acme"\naddress = "acme.example:8004"\ndemodulator = 3'


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The class of the connected instrument, after its distribution has been installed."""
    folder = tmp_path / "site"
    info = folder / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nrm_plugin]\nacme = acme_lockin_of_a_test\n")
    (folder / "acme_lockin_of_a_test.py").write_text(STRANGER)
    monkeypatch.syspath_prepend(folder)
    ours = Distribution.from_name("nrm-plugin").entry_points.select(group="nrm_plugin")
    theirs = Distribution.at(info).entry_points
    found = plugins.load([*ours, *theirs])
    monkeypatch.setattr(plugins, "installed", lambda: found)
    import acme_lockin_of_a_test

    yield acme_lockin_of_a_test.Connected
    del sys.modules["acme_lockin_of_a_test"]


@pytest.fixture
def acquire(tmp_path: Path) -> Callable[..., Result]:
    """Call ``nrm acquire`` with a ``[lock_in]`` table, on a board whose samples are known."""

    def call(lock_in: str, *arguments: object) -> Result:
        with SimulatedDaq(known_board(3), InstantClock()) as daq:
            path = tmp_path / "daq.toml"
            path.write_text(DAQ.format(address=daq.address, lock_in=lock_in))
            command = ["acquire", "--config", path, *arguments]
            return CliRunner().invoke(main, [*map(str, command)])

    return call


def test_it_is_listed(stranger: Any) -> None:
    rows = json.loads(CliRunner().invoke(main, ["plugins", "--json"]).stdout)
    assert {row["name"]: row["lockins"] for row in rows if row["lockins"]} == {
        "daq": ["sr830", "sr844", "sr860", "sr865a", "zurich"],
        "acme": ["acme"],
    }


def test_check_asks_it(stranger: Any, acquire: Callable[..., Result]) -> None:
    result = acquire(ACME, "--check")
    assert (result.exit_code, stranger.asked, stranger.closed) == (0, 1, 1), result.output
    assert "missing, and needed for moduli: dither_amplitude\n" in result.output
    absent = acquire('model = "acme"\naddress = "nobody:1"', "--check")
    assert (absent.exit_code, absent.stderr) == (4, "nrm: no ACME answers at nobody:1\n")


def test_its_settings_are_those_of_the_curves(
    stranger: Any, acquire: Callable[..., Result], tmp_path: Path
) -> None:
    result = acquire(ACME, "-o", tmp_path / "out.h5", "--duration", "1s")
    assert result.exit_code == 0, result.output
    curves = nrm.open(tmp_path / "out.h5")
    assert curves.metadata["lockin_convention"] == "peak"
    assert curves.metadata["lockin_sensitivity"] == 2e-3
    assert curves.metadata["lockin_poles"] == 8.0
    assert curves.metadata_source["lockin_sensitivity"] == "ACME DLI-1"
    assert np.isfinite(curves.read("lockin_output_x")).all()
    assert stranger.closed == 1


def test_its_faults_spoil_the_recording(
    stranger: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stranger, "overload", True)
    with SimulatedDaq(known_board(3)) as daq:
        path = tmp_path / "daq.toml"
        path.write_text(DAQ.format(address=daq.address, lock_in=ACME))
        run.record(DaqConfig.from_toml(path), tmp_path / "out.h5", 1.5, quiet=True)
    curves = nrm.open(tmp_path / "out.h5")
    assert any("input clipped" in warning for warning in curves.warnings)
    assert not any("reference lost" in warning for warning in curves.warnings)
    assert np.isnan(curves.read("lockin_output_x")).any()
    assert np.isfinite(curves.read("deflection")).all()


def test_its_faults_are_on_the_live_page(
    stranger: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: queue.Queue[str] = queue.Queue()
    with (
        SimulatedDaq(known_board(3)) as daq,
        LivePage(LiveOptions(), say=opened.put, opened=opened.put) as page,
    ):
        path = tmp_path / "daq.toml"
        path.write_text(DAQ.format(address=daq.address, lock_in=ACME))
        ending = threading.Event()
        arguments = DaqConfig.from_toml(path), tmp_path / "out.h5"
        recorder = threading.Thread(
            target=lambda: run.record(*arguments, quiet=True, ending=ending, page=page)
        )
        recorder.start()
        try:
            with Page(opened.get(timeout=30.0)) as shown:
                shown.wait("live", 2)
                monkeypatch.setattr(stranger, "overload", True)
                before = len(shown.of("live"))
                shown.wait("live", before + 10)
        finally:
            ending.set()
            recorder.join()
    words = [frame["state"]["overloads"] for frame in shown.of("live")]
    assert words[0] == []
    assert "input clipped" in words[-1]


def test_a_recording_is_recovered_without_the_plugin(
    stranger: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / "kept.h5.part"
    recover = run.recover

    def keeping(path: Path, out: Path, *, overwrite: bool) -> nrm.CurveSet:
        shutil.copy(path, part)
        return recover(path, out, overwrite=overwrite)

    monkeypatch.setattr(run, "recover", keeping)
    with SimulatedDaq(known_board(3), InstantClock()) as daq:
        path = tmp_path / "daq.toml"
        path.write_text(DAQ.format(address=daq.address, lock_in=ACME))
        run.record(DaqConfig.from_toml(path), tmp_path / "out.h5", 1.0, quiet=True)
    found = plugins.load(
        Distribution.from_name("nrm-plugin").entry_points.select(group="nrm_plugin")
    )
    monkeypatch.setattr(plugins, "installed", lambda: found)
    result = CliRunner().invoke(main, ["acquire", "--recover", str(part)])
    assert result.exit_code == 0, result.output
    assert nrm.open(tmp_path / "kept.h5").metadata["lockin_sensitivity"] == 2e-3


@pytest.mark.parametrize(
    ("lock_in", "sentence"),
    [
        (
            'model = "amce"',
            "there is no lock-in 'amce'; there are: sr830, sr844, sr860, sr865a, zurich, acme. "
            "Did you mean acme?",
        ),
        (
            'model = "acme"\ndemodulatr = 3',
            "no key 'lock_in.demodulatr'. Did you mean demodulator?",
        ),
        ('model = "acme"\nbaud_rate = 9600', "there is no key 'lock_in.baud_rate'"),
        (
            'model = "acme"\ndemodulator = "x"',
            "lock_in.demodulator: Input should be a valid integer",
        ),
        ("demodulator = 3", "there is no key 'lock_in.demodulator'"),
        ("sensitivty = 3", "there is no key 'lock_in.sensitivty'. Did you mean sensitivity?"),
        ("poles = 8", "an SR830 has 1 to 4 poles, not 8"),
        ("expand_x = 3", "lockin_expand_x is 1, 10 or 100, not 3"),
        ("expand_y = 0.1", "lockin_expand_y is 1, 10 or 100, not 0.1"),
    ],
)
def test_what_is_refused(
    stranger: Any, acquire: Callable[..., Result], lock_in: str, sentence: str
) -> None:
    result = acquire(lock_in, "--check")
    assert result.exit_code == 1
    assert sentence in result.stderr


def test_another_lock_in_may_have_eight_poles(stranger: Any) -> None:
    channels = {"deflection": {"terminal": "Dev1/ai0"}}
    config = DaqConfig.from_values({"channels": channels, "lock_in": {"model": "acme", "poles": 8}})
    assert config.lock_in.given().poles == 8
