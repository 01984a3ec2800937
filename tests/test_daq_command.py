"""``nrm acquire`` as it is called."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from daq_boards import NAMES, converted, known_board

import nrm_plugin as nrm
from nrm_daq.analog_input import scaling
from nrm_daq.config import DaqConfig
from nrm_daq.device import InstantClock, SimulatedDaq
from nrm_daq.recording import Recording, SampleBlock
from nrm_plugin.cli import main
from nrm_plugin.hookspecs import LockInSettings
from nrm_plugin.markers import markers_of

REAL = """
backend = "{backend}"
[channels]
deflection.terminal = "{terminal}"
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["acquire", *map(str, arguments)])


def configured(
    folder: Path, backend: str = "local", terminal: str = "Sim1/ai0", more: str = ""
) -> Path:
    path = folder / "daq.toml"
    path.write_text(more + REAL.format(backend=backend, terminal=terminal))
    return path


def assert_no_traceback(result: Result, code: int, *words: str) -> None:
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    for word in words:
        assert word in result.output
    assert "Traceback" not in result.output


# The simulated electrode


def test_simulate(tmp_path: Path) -> None:
    """Needs nothing but a name, ramps at least every 3 s, and says what it is."""
    out = tmp_path / "out.h5"
    result = run("--simulate", "--duration", "7 s", "-o", out, "--json")
    assert_no_traceback(result, 0)
    told = json.loads(result.stdout)
    assert (told["n_samples"], told["rate"], told["stopped"]) == (350_000, 50e3, "")
    assert told["curves_found"] >= 2
    assert told["simulated"] is True
    assert not [w for w in told["warnings"] if "not over at the end" not in w]
    curves = nrm.open(out)
    assert curves.n_curves == told["n_curves"] >= 7.0 / 3.0
    assert {"deflection", "lockin_output_x", "lockin_output_y", "height", "potential"} <= set(
        curves.channels
    )
    assert [s["kind"] for s in curves.segments if s["curve"] == 1][::2] == ["approach", "retract"]
    assert curves.metadata["simulated"] is True
    assert [path.name for path in tmp_path.iterdir()] == ["out.h5"]
    assert_no_traceback(run("--simulate", "--duration", "1s", "-o", out), 1, "--overwrite")
    again = run("--simulate", "--duration", "1s", "-o", out, "--overwrite")
    assert_no_traceback(again, 0, "50000 samples", "(simulated)")


def started(tmp_path: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "nrm_plugin", "acquire", *arguments]
    return subprocess.Popen(command, text=True, cwd=tmp_path, **options)


def wait_for(path: Path, size: int) -> None:
    deadline = time.monotonic() + 30.0
    while not (path.exists() and path.stat().st_size > size):
        assert time.monotonic() < deadline, f"{path} does not grow"
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to send")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_with_a_complete_file(tmp_path: Path, number: int) -> None:
    process = started(
        tmp_path,
        "--simulate",
        "-o",
        "out.h5",
        "--json",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for(tmp_path / "out.h5.part", 1_500_000)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60.0)
    assert (process.returncode, stderr) == (0, "")
    told = json.loads(stdout)
    assert told["stopped"] == ""
    assert nrm.open(tmp_path / "out.h5").n_samples == told["n_samples"] >= 70_000
    assert not (tmp_path / "out.h5.part").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_recover(tmp_path: Path) -> None:
    """What a killed run leaves becomes a file, as often as one likes."""
    part = tmp_path / "out.h5.part"
    process = started(tmp_path, "--simulate", "-o", "out.h5", stderr=subprocess.DEVNULL)
    wait_for(part, 2_500_000)
    process.kill()
    process.wait()
    assert not (tmp_path / "out.h5").exists()
    again = run("--simulate", "--duration", "1s", "-o", tmp_path / "out.h5")
    assert_no_traceback(again, 1, "--recover")
    result = run("--recover", part, "--json")
    assert_no_traceback(result, 0)
    told = json.loads(result.stdout)
    assert told["path"] == str(tmp_path / "out.h5")
    assert told["n_samples"] * 20 >= part.stat().st_size - 300_000
    assert any("not ended" in warning for warning in told["warnings"])
    other = run("--recover", part, "-o", tmp_path / "r.h5")
    assert_no_traceback(other, 0, "(simulated)")
    one, two = nrm.open(tmp_path / "out.h5"), nrm.open(tmp_path / "r.h5")
    np.testing.assert_array_equal(one.read("height"), two.read("height"))
    assert_no_traceback(run("--recover", part), 1, "--overwrite")


def test_a_second_recorder_leaves_the_first_alone(tmp_path: Path) -> None:
    """The second ends with a sentence; the first has every sample."""
    process = started(
        tmp_path, "--simulate", "--duration", "9s", "-o", "out.h5", "--json", stdout=subprocess.PIPE
    )
    wait_for(tmp_path / "out.h5.part", 100)
    second = run("--simulate", "--duration", "1s", "-o", tmp_path / "out.h5", "--overwrite")
    assert_no_traceback(second, 1, "another nrm acquire is recording to it")
    stdout, _ = process.communicate(timeout=120.0)
    told = json.loads(stdout)
    assert (process.returncode, told["n_samples"], told["stopped"]) == (0, 450_000, "")
    assert nrm.open(tmp_path / "out.h5").n_samples == 450_000
    assert not (tmp_path / "out.h5.part").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminal")
def test_display(tmp_path: Path) -> None:
    """On a terminal: rate, ring, overload, potential, curves; and nothing of it elsewhere."""
    import pty

    ours, theirs = pty.openpty()
    process = started(
        tmp_path,
        "--simulate",
        "--duration",
        "5s",
        "-o",
        "out.h5",
        stderr=theirs,
        stdout=subprocess.PIPE,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end has closed
            break
        if not part:
            break
        shown += part
    stdout, _ = process.communicate(timeout=60.0)
    os.close(ours)
    assert process.returncode == 0
    last = shown.decode().split("\r")[-3]
    assert "SIMULATED" in shown.decode()
    for word in ("50 kS/s", "ring 0 %", "no overload", " V  ", "curves"):
        assert word in shown.decode()
    assert last.strip()
    assert stdout.startswith("out.h5: 2 curves, 250000 samples, 5.0 s (simulated)")


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminal")
def test_a_line_typed_on_the_terminal_is_a_marker(tmp_path: Path) -> None:
    """Enter alone holds the line that is renewed; the program ends with the terminal open."""
    import pty

    ours, theirs = pty.openpty()
    process = started(
        tmp_path, "--simulate", "-o", "out.h5", stdin=theirs, stderr=theirs, stdout=subprocess.PIPE
    )
    os.close(theirs)
    shown = b""

    def until(word: bytes) -> None:
        nonlocal shown
        deadline = time.monotonic() + 60.0
        while word not in shown:
            assert time.monotonic() < deadline, shown[-500:]
            shown += os.read(ours, 4096)

    until(b"kS/s")
    os.write(ours, "Argon an, Zelle gespült\n".encode())
    until("gespült".encode())
    until(b"marker at")
    os.write(ours, b"\n")
    until(b"remark: ")
    before = len(shown)
    os.write(ours, b"second\n")
    while b"second" not in shown[before:].partition(b"marker at")[2]:
        shown += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60.0)
    os.close(ours)
    assert (process.returncode, b"Traceback" in shown) == (0, False)
    markers = markers_of(nrm.open(tmp_path / "out.h5").metadata)
    assert [marker.text for marker in markers] == ["Argon an, Zelle gespült", "second"]


def test_list_devices_and_check(tmp_path: Path) -> None:
    result = run("--simulate", "--list-devices")
    assert_no_traceback(result, 0, "Sim1: Simulated electrode (simulated", "Sim1/ai0")
    (device,) = json.loads(run("--simulate", "--list-devices", "--json").stdout)
    assert device["terminals"][0] == "Sim1/ai0"
    result = run("--simulate", "--check")
    assert_no_traceback(result, 0, "50000 samples per second", "ramps are found by height")
    assert json.loads(run("--simulate", "--check", "--json").stdout)["setup"]["rate"] == 50e3
    assert list(tmp_path.iterdir()) == []


def test_check_says_what_is_missing(tmp_path: Path) -> None:
    board = known_board(3, simultaneous=False, largest_rate=250e3)
    with SimulatedDaq(board, InstantClock()) as daq:
        path = configured(tmp_path, f"remote {daq.address}", more='rate = "30 kHz"\n')
        path.write_text(
            path.read_text() + 'lockin_output_x.terminal = "Sim1/ai1"\n'
            'lockin_output_y.terminal = "Sim1/ai2"\n'
        )
        result = run("--check", "--config", path)
    assert_no_traceback(
        result,
        0,
        "one after the other",
        "will not be cut into curves",
        "lockin_sensitivity",
        "samples at 30003.0003 Hz",
    )


def test_recording_a_board_that_is_reached_over_the_network(tmp_path: Path) -> None:
    with SimulatedDaq(known_board(), InstantClock()) as daq:
        path = configured(tmp_path, f"remote {daq.address}")
        result = run("--config", path, "-o", tmp_path / "out.h5", "--duration", "2s")
    assert_no_traceback(result, 0, "100000 samples")
    curves = nrm.open(tmp_path / "out.h5")
    np.testing.assert_array_equal(curves.read(NAMES[0]), converted(0, np.arange(100_000)))


# What goes wrong, in a sentence and an exit code


def has_driver() -> bool:
    from nidaqmx.errors import DaqNotFoundError, DaqNotSupportedError
    from nidaqmx.system import System

    try:
        return bool(System.local().driver_version)
    except (DaqNotFoundError, DaqNotSupportedError):
        return False


@pytest.mark.skipif(has_driver(), reason="NI-DAQmx is installed here")
@pytest.mark.parametrize("more", [["--list-devices"], ["--check"], ["-o", "out.h5"]])
def test_no_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert_no_traceback(run("--config", configured(tmp_path), *more), 4, "NI-DAQmx", "--simulate")
    assert_no_traceback(run(*more), 4, "NI-DAQmx", "--simulate")
    assert not (tmp_path / "out.h5.part").exists()


@pytest.mark.skipif(has_driver(), reason="NI-DAQmx is installed here")
def test_a_kind_of_computer_without_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a Mac: another error of NI's package, the same kind of answer."""
    import nidaqmx._lib

    monkeypatch.setattr(nidaqmx._lib.sys, "platform", "darwin")
    result = run("--config", configured(tmp_path), "--check")
    assert_no_traceback(result, 4, "remote HOST:PORT")


def test_no_server(tmp_path: Path) -> None:
    result = run("--config", configured(tmp_path, "remote 127.0.0.1:9"), "--check")
    assert_no_traceback(result, 4, "no NI gRPC Device Server answers")


def test_reserved(tmp_path: Path) -> None:
    from daq_boards import running

    with running(known_board(2), InstantClock()) as (task, daq):
        task.start()
        path = configured(tmp_path, f"remote {daq.address}")
        result = run("--config", path, "-o", tmp_path / "out.h5", "--duration", "1s")
    assert_no_traceback(result, 4, "in use by another program")
    assert [p.name for p in tmp_path.iterdir()] == ["daq.toml"]


@pytest.mark.parametrize(
    ("terminal", "more", "said"),
    [
        ("Sim1/ai99", "", "there is no such input; there are: Sim1/ai0, Sim1/ai1"),
        ("Dev7/ai0", "", "there is no such input; there are: Sim1/ai0, Sim1/ai1"),
        ("Sim1/ai0", "rate = 5e6\n", "channels: Requested sample rate is larger"),
        ("Sim1/ai0", '[trigger]\nterminal = "/Sim1/PFI9"\n', "trigger /Sim1/PFI9"),
    ],
)
def test_what_the_board_cannot_do(tmp_path: Path, terminal: str, more: str, said: str) -> None:
    with SimulatedDaq(known_board(2)) as daq:
        text = REAL.format(backend=f"remote {daq.address}", terminal=terminal)
        path = tmp_path / "daq.toml"
        path.write_text(more + text if more.startswith("rate") else text + more)
        assert_no_traceback(run("--config", path, "--check"), 4, said)


def test_range_that_the_board_has_not(tmp_path: Path) -> None:
    with SimulatedDaq(known_board(1)) as daq:
        path = configured(tmp_path, f"remote {daq.address}")
        path.write_text(path.read_text() + "deflection.range = 42\n")
        assert_no_traceback(run("--config", path, "--check"), 4, "range of 42 V")


def test_stopped_runs_end_with_1(tmp_path: Path) -> None:
    import threading

    with SimulatedDaq(known_board(1)) as daq:
        path = configured(tmp_path, f"remote {daq.address}")
        timer = threading.Timer(1.5, daq.rack.unplug)
        timer.start()
        result = run("--config", path, "-o", tmp_path / "out.h5")
        timer.join()
    assert_no_traceback(result, 1, "stopped at sample", "the board has gone")
    assert nrm.open(tmp_path / "out.h5").n_samples > 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--simulate"],
        ["--simulate", "-o", "out.csv"],
        ["--simulate", "-o", "out.h5", "--duration", "soon"],
        ["--simulate", "-o", "out.h5", "--duration", "0 s"],
        ["--simulate", "-o", "out.h5", "--duration", "nan"],
        ["--simulate", "-o", "out.h5", "--duration", "-3 s"],
        ["--recover", "out.h5"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    assert_no_traceback(run(*arguments), 2)


@pytest.mark.parametrize("text", ["", "rate = 5", "[channels]\ndeflection = 3", "rate ="])
def test_bad_configuration(tmp_path: Path, text: str) -> None:
    path = tmp_path / "daq.toml"
    path.write_text(text)
    assert_no_traceback(run("--config", path, "--check"), 1, "daq.toml")


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder.h5").mkdir()
    (tmp_path / "nothing").mkdir(mode=0o500)
    for out in ("folder.h5", "no/such/out.h5", "a\0b.h5", "x" * 300 + ".h5"):
        result = run("--simulate", "--duration", "1s", "-o", tmp_path / out)
        assert_no_traceback(result, 1, "not written")


def test_ended_before_the_first_sample(tmp_path: Path) -> None:
    """A trigger that never comes: Ctrl-C leaves nothing behind."""
    import threading

    from nrm_daq.config import DaqConfig
    from nrm_daq.run import record

    ending = threading.Event()
    with SimulatedDaq(known_board(1, edges={"PFI0": 1e9})) as daq:
        path = configured(tmp_path, f"remote {daq.address}")
        path.write_text(path.read_text() + '[trigger]\nterminal = "/Sim1/PFI0"\n')
        timer = threading.Timer(0.5, ending.set)
        timer.start()
        with pytest.raises(nrm.OutputError, match="before the first sample"):
            record(DaqConfig.from_toml(path), tmp_path / "out.h5", ending=ending)
        timer.join()
    assert [p.name for p in tmp_path.iterdir()] == ["daq.toml"]


def test_start_up_is_light() -> None:
    """Registering the command imports neither numpy nor NI's package."""
    code = (
        "import sys, nrm_daq.command; "
        "print([m for m in ('numpy', 'nidaqmx', 'grpc', 'h5py', 'pydantic', 'pyvisa') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# Without the extra daq

BARE = (
    "import sys; sys.modules.update(dict.fromkeys(('nidaqmx', 'grpc', 'pyvisa'))); "
    "from nrm_plugin.cli import main; main()"
)


def without_the_extra(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What ``nrm`` does where the packages of the extra cannot be imported."""
    command = [sys.executable, "-c", BARE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--simulate", "--duration", "1s", "-o", "out.h5"],
        ["--list-devices"],
        ["--config", "daq.toml", "--check"],
    ],
)
def test_recording_without_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    configured(tmp_path)
    done = without_the_extra("acquire", *arguments)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        "nrm: this needs the package nidaqmx, which is not installed: "
        'pip install "nrm-plugin[daq]"\n'
    )
    assert [path.name for path in tmp_path.iterdir()] == ["daq.toml"]


def test_what_needs_no_extra(tmp_path: Path) -> None:
    """Help, the list of plugins, recovering and reading."""
    assert "--recover" in without_the_extra("acquire", "--help").stdout
    (plugin,) = (
        one
        for one in json.loads(without_the_extra("plugins", "--json").stdout)
        if one["name"] == "daq"
    )
    assert (plugin["failure"], plugin["lockins"]) == (
        "",
        ["sr830", "sr844", "sr860", "sr865a", "zurich"],
    )
    with Recording(tmp_path / "out.h5.part", recording_of_one_channel()) as made:
        made.append(SampleBlock(0, converted(0, np.arange(1000))[None].astype("f4"), 0, 0))
    done = without_the_extra("acquire", "--recover", tmp_path / "out.h5.part")
    assert (done.returncode, "1000 samples" in done.stdout) == (0, True), done.stderr
    np.testing.assert_array_equal(
        nrm.open(tmp_path / "out.h5").read("deflection"),
        converted(0, np.arange(1000)).astype("f4"),
    )


def recording_of_one_channel() -> dict[str, Any]:
    """What a recording of the first known channel says of itself."""
    from nrm_daq.config import DaqConfig
    from nrm_daq.hardware import connected, prepared
    from nrm_daq.run import described

    with SimulatedDaq(known_board(1), InstantClock()) as daq:
        config = DaqConfig.from_values(
            {
                "backend": f"remote {daq.address}",
                "channels": {"deflection": {"terminal": "Sim1/ai0"}},
            }
        )
        with connected(config) as connection, prepared(connection, config) as (_, setup):
            return described(config, setup, LockInSettings())


# A configuration to fill in


def uncommented(text: str) -> str:
    """A configuration with all that it only suggests."""
    return re.sub(r"(?m)^# (?=\[|\w+ = )", "", text)


@pytest.mark.parametrize("change", [str, uncommented])
def test_a_configuration_to_fill_in_loads(tmp_path: Path, change: Callable[[str], str]) -> None:
    path = tmp_path / "daq.toml"
    result = run("--write-config", "--simulate", "-o", path)
    assert_no_traceback(result, 0, "for Sim1, Simulated electrode")
    path.write_text(change(path.read_text("utf-8")), "utf-8")
    config = DaqConfig.from_toml(path)
    assert (config.backend, config.rate) == ("simulated", 50e3)
    terminals = {name: channel.terminal for name, channel in config.channels.items()}
    simulated = DaqConfig.simulated().channels
    assert terminals == {name: channel.terminal for name, channel in simulated.items()}
    assert scaling("height", config.channels["height"]) == scaling("height", simulated["height"])
    if change is str:
        assert_no_traceback(run("--config", path, "--check"), 0, "ramps are found by height")
        recorded = run("--config", path, "--duration", "4 s", "-o", tmp_path / "a.h5", "--json")
        assert json.loads(recorded.stdout)["curves_found"] >= 1


def test_a_configuration_says_what_the_board_can(tmp_path: Path) -> None:
    """Few inputs, small ranges, and a rate that its channels share."""
    board = known_board(3, simultaneous=False, largest_rate=100e3, ranges=(1.0, 5.0))
    with SimulatedDaq(board, InstantClock()) as daq:
        path = configured(tmp_path, f"remote {daq.address}")
        text = run("--write-config", "--config", path).stdout
    config = DaqConfig.from_values(tomllib.loads(text))
    assert config.backend == f"remote {daq.address}"
    assert [c.range for c in config.channels.values()] == [5.0] * 3
    assert config.rate == 33e3
    assert "Ranges, both ways: 1, 5 V" in text
    assert "at most 33333.3 samples per second" in text
    assert "# [channels.height]" in text


def test_a_configuration_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "daq.toml"
    path.write_text("mine")
    assert_no_traceback(run("--write-config", "--simulate", "-o", path), 1, "--overwrite")
    assert path.read_text() == "mine"
    assert_no_traceback(run("--write-config", "--simulate", "-o", tmp_path / "a.h5"), 2, ".toml")
    told = json.loads(run("--write-config", "--simulate", "--json").stdout)
    assert told["board"]["name"] == "Sim1"
    assert DaqConfig.from_values(tomllib.loads(told["config"])).channels
