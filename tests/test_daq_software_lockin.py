"""The lock-in in software that works while it is recorded: its bits, its files, its bad ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import live_pages
import numpy as np
import pytest
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_daq.config import DaqConfig
from nrm_daq.device import Board, InstantClock, Signal, SimulatedDaq
from nrm_daq.device.electrode import RampingElectrode
from nrm_daq.recovery import recover
from nrm_daq.run import raw_of, record
from nrm_daq.trial import checked
from nrm_plugin.cli import main
from nrm_plugin.demodulation import DigitalLockIn, locked_in

HERE = Path(__file__).resolve().parent
TURN = 2.0 * np.pi
CHANNELS = {
    "height": {"terminal": "Sim1/ai0", "scale": "200 nm/V"},
    "lateral": {"terminal": "Sim1/ai1", "range": 0.05},
    "reference": {"terminal": "Sim1/ai2", "range": 2.0},
}


def wave(frequency: float, amplitude: float, phase: float = 0.0, offset: float = 0.0) -> Signal:
    return lambda numbers, rate: (
        offset + amplitude * np.sin(TURN * frequency * numbers / rate + phase)
    )


def board(**changes: Any) -> Board:
    """Deflection that ramps, 20 mV at 1013.3 Hz and its reference, with 16 bits."""
    inputs: dict[str, Signal] = {
        "ai0": lambda numbers, rate: np.abs(numbers / rate % 2.0 - 1.0),
        "ai1": wave(1013.3, 20e-3, 0.5, 5e-3),
        "ai2": wave(1013.3, 1.0),
    }
    inputs |= changes.pop("inputs", {})
    return Board(inputs, edges={"PFI0": 0.2}, **changes)


def config_for(
    daq: SimulatedDaq, lock_in: Mapping[str, Any] | None = None, **more: Any
) -> DaqConfig:
    values = {
        "backend": f"remote {daq.address}",
        "channels": CHANNELS,
        "lock_in": {"model": "digital", **(lock_in or {})},
    }
    return DaqConfig.from_values(values | more)


def recorded(
    out: Path, seconds: float, lock_in: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    with SimulatedDaq(more.pop("board", None) or board(), InstantClock()) as daq:
        return record(config_for(daq, lock_in, **more), out, seconds)


def complex_of(curves: nrm.CurveSet, stem: str = "lateral") -> np.ndarray:
    return curves.read(f"{stem}_in_phase") + 1j * curves.read(f"{stem}_quadrature")


def moments(curves: nrm.CurveSet) -> np.ndarray:
    """Microseconds since 1970 of every value."""
    starts = curves.curve_table["start_time"].astype("i8")
    return np.asarray(starts.repeat(curves.row_size) + 1e6 * curves.read("time"))


# The same as afterwards


@pytest.mark.parametrize("block", ["0.2 s", "11 ms"])
@pytest.mark.parametrize("simultaneous", [True, False])
def test_it_has_the_bits_of_nrm_lockin(tmp_path: Path, block: str, simultaneous: bool) -> None:
    """Of all samples, whatever the blocks; one converter for all channels, too."""
    out = tmp_path / "out.h5"
    settings = {"keep_raw": True, "harmonics": [3], "poles": 3, "bandwidth": "50 Hz"}
    inputs: dict[str, Signal] = {"ai3": wave(317.0, 0.5)}  # later than the first channel
    more = {"channels": CHANNELS | {"aux_late": {"terminal": "Sim1/ai3"}}}
    made = board(simultaneous=simultaneous, inputs=inputs)
    report = recorded(out, 6.0, settings, block=block, board=made, **more)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.h5", "out.raw.h5"]
    assert report["raw"]["n_samples"] == 300_000
    online, raw = nrm.open(out), nrm.open(raw_of(out))
    assert ("lateral_delay" in raw.metadata) is not simultaneous
    offline, told = locked_in(raw, DigitalLockIn(harmonics=(3,), poles=3, bandwidth=50.0))
    assert list(online.channels) == list(offline.channels)
    for name in offline.channels:
        assert online.channels[name].unit == offline.channels[name].unit
        assert online.channels[name].source in (
            offline.channels[name].source,
            "the board's sample clock",
        )
        if name != "time":
            assert np.array_equal(online.read(name), offline.read(name)), name
    np.testing.assert_allclose(moments(online), moments(offline), rtol=0.0, atol=1.0)
    assert online.metadata["lockin_noise_bandwidth"] == told.noise_bandwidth
    for key in ("dither_frequency", "lockin_lag", "lockin_convention", "lockin_filter"):
        assert online.metadata[key] == offline.metadata[key]
    assert online.n_curves == offline.n_curves
    assert len(online.warnings) == len(raw.warnings)
    steady = complex_of(online)[5:-5] * np.sqrt(2.0)
    np.testing.assert_allclose(np.abs(steady), 20e-3, rtol=1e-4)
    np.testing.assert_allclose(np.angle(steady), 0.5, atol=1e-4)


def test_a_lock_in_without_a_reference_counts_from_the_first_sample(tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    channels = {
        "height": {"terminal": "Sim1/ai0", "scale": "200 nm/V"},
        "lateral": {"terminal": "Sim1/ai1", "range": 0.05},
    }
    recorded(out, 3.0, {"frequency": 1013.3, "convention": "peak"}, channels=channels)
    assert [p.name for p in tmp_path.iterdir()] == ["out.h5"]
    curves = nrm.open(out)
    np.testing.assert_allclose(complex_of(curves), 20e-3 * np.exp(0.5j), rtol=2e-4)
    assert curves.metadata["dither_frequency"] == 1013.3
    assert not any("line" in warning for warning in curves.warnings)


def test_several_tones_and_what_they_make_of_each_other(tmp_path: Path) -> None:
    low, high = 900.0, 1400.0

    def lateral(numbers: np.ndarray, rate: float) -> np.ndarray:
        one = 10e-3 * np.sin(TURN * low * numbers / rate + 0.2)
        two = 5e-3 * np.sin(TURN * high * numbers / rate - 0.4)
        return np.asarray(one + two + 10.0 * one * two)  # at 500 and 2300 Hz: 0.25 mV each

    def both(numbers: np.ndarray, rate: float) -> np.ndarray:
        return wave(low, 0.5)(numbers, rate) + wave(high, 0.5)(numbers, rate)

    tones = [
        {"frequency": low, "amplitude": "1 nm", "phase": "10 deg"},
        {"frequency": high, "amplitude": "0.5 nm", "phase": "20 deg"},
    ]
    out = tmp_path / "out.h5"
    settings = {"tones": tones, "convention": "peak", "keep_raw": True}
    report = recorded(out, 4.0, settings, board=board(inputs={"ai1": lateral, "ai2": both}))
    curves = nrm.open(out)
    np.testing.assert_allclose(complex_of(curves), 10e-3 * np.exp(0.2j), rtol=1e-3)
    np.testing.assert_allclose(complex_of(curves, "lateral_2"), 5e-3 * np.exp(-0.4j), rtol=1e-3)
    assert curves.metadata["dither_amplitude"] == 1e-9
    assert curves.metadata["lateral_2_dither_amplitude"] == 0.5e-9
    assert curves.metadata["lateral_2_lockin_phase"] == pytest.approx(np.deg2rad(20.0))
    assert curves.metadata["lateral_2_frequency"] == pytest.approx(high, rel=1e-8)
    lines = str(report["lock_in"]["lockin_intermodulation"]).split("; ")
    assert "-1 x 900 Hz + 1 x 1400 Hz = 500 Hz: 250 µV peak" in lines
    assert nrm.open(raw_of(out)).metadata["dither_amplitude"] == 1e-9


def test_the_times_after_a_trigger(tmp_path: Path) -> None:
    """The first value is half a filter behind the first sample, by the arrival of blocks."""
    out = tmp_path / "out.h5"
    with SimulatedDaq(board()) as daq:
        trigger = {"terminal": "/Sim1/PFI0"}
        record(config_for(daq, {"keep_raw": True}, trigger=trigger), out, 3.0)
    online, offline = nrm.open(out), locked_in(nrm.open(raw_of(out)))[0]
    np.testing.assert_allclose(moments(online), moments(offline), rtol=0.0, atol=100.0)


def test_a_reference_that_is_lost_and_a_signal_that_is_clipped(tmp_path: Path) -> None:
    def reference(numbers: np.ndarray, rate: float) -> np.ndarray:
        return np.where(numbers / rate % 4.0 < 3.0, wave(1013.3, 1.0)(numbers, rate), 0.0)

    def lateral(numbers: np.ndarray, rate: float) -> np.ndarray:
        return np.clip(wave(1013.3, 20e-3)(numbers, rate), -15e-3, 15e-3)

    out = tmp_path / "out.h5"
    recorded(out, 8.0, board=board(inputs={"ai1": lateral, "ai2": reference}))
    curves = nrm.open(out)
    lost = np.isnan(complex_of(curves))
    assert 0.2 < lost.mean() < 0.27
    said = " ".join(curves.warnings)
    assert f"the reference was lost for {lost.sum()} values" in said
    assert "lateral was clipped, or constant, for 16 half seconds" in said


# What is refused


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lock_in": {"model": "digital", "harmonic": 3}}, "lock_in.harmonic'. Did you mean harm"),
        ({"lock_in": {"model": "digital", "signal": "lat"}}, "no channel channels.lat"),
        ({"lock_in": {"model": "digital", "harmonics": [1]}}, "harmonics count from 2"),
        ({"lock_in": {"model": "digital", "periods": 3, "bandwidth": "80 Hz"}}, "say the same"),
        (
            {"lock_in": {"model": "digital", "frequency": 1e3, "tones": [{"frequency": 2e3}]}},
            "one tone, or several",
        ),
        (
            {
                "lock_in": {
                    "model": "digital",
                    "tones": [
                        {"frequency": "1 kHz", "amplitude": "1.5 nm"},
                        {"frequency": "2 kHz", "amplitude": "0.6 nm"},
                    ],
                }
            },
            "2.1 nm together, more than 2 nm",
        ),
        (
            {
                "lock_in": {
                    "model": "digital",
                    "tones": [{"frequency": "1 kHz", "amplitude": "1.5 nm"}],
                },
                "metadata": {"dither_amplitude": 1e-9},
            },
            "metadata.dither_amplitude is given, and by lock_in.tones",
        ),
        (
            {"lock_in": {"model": "digital"}, "channels": {"lateral": {"terminal": "a/ai0"}}},
            "what the dither's frequency is",
        ),
        ({"lock_in": "digital"}, "lock_in is a table"),
    ],
)
def test_refused(change: dict[str, Any], said: str) -> None:
    values = {"channels": {k: {"terminal": f"a/{k}"} for k in ("lateral", "reference")}}
    with pytest.raises(nrm.NrmError) as caught:
        DaqConfig.from_values(values | change)
    assert said in str(caught.value)


def test_no_reference_is_no_recording(tmp_path: Path) -> None:
    """It ends with the reason once five seconds were looked at; what was to be kept is kept."""
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(1 << 16)
    silent = board(inputs={"ai2": lambda m, rate: noise[m.astype(np.int64) % len(noise)]})
    with pytest.raises(nrm.OutputError, match="the reference is no single tone"):
        recorded(tmp_path / "out.h5", 60.0, board=silent)
    assert list(tmp_path.iterdir()) == []
    report = recorded(tmp_path / "out.h5", 60.0, {"keep_raw": True}, board=silent)
    assert "the lock-in cannot begin" in report["stopped"]
    assert [p.name for p in tmp_path.iterdir()] == ["out.raw.h5"]
    assert report["n_samples"] >= 1 << 18


def test_shorter_than_its_filter(tmp_path: Path) -> None:
    with pytest.raises(nrm.OutputError, match="shorter than the lock-in's filter"):
        recorded(tmp_path / "out.h5", 0.01)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_there_are_not_written_over(tmp_path: Path) -> None:
    raw_of(tmp_path / "out.h5").write_bytes(b"mine")
    with pytest.raises(nrm.NrmError, match=r"out\.raw\.h5"):
        recorded(tmp_path / "out.h5", 1.0, {"keep_raw": True})
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"mine"]


# Bad ends

KILLED = """
import sys
from pathlib import Path
from test_daq_software_lockin import board, config_for
from nrm_daq.device import SimulatedDaq
from nrm_daq.run import record
with SimulatedDaq(board()) as daq:
    config = config_for(daq, {"keep_raw": True})
    print("ready", flush=True)
    record(config, Path(sys.argv[1]))
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(HERE)}


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_it_loses_no_more_than_the_last_second(tmp_path: Path) -> None:
    """Both files are there up to the last second, and the one has the bits of the other."""
    import time

    from nrm_daq import recording

    for number, size in enumerate((8_000, 30_000, 90_000)):
        out = tmp_path / f"{number}.h5"
        part, raw_part = (p.with_name(p.name + ".part") for p in (out, raw_of(out)))
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(out)], env=environment())
        deadline = time.monotonic() + 120.0
        while not (part.exists() and part.stat().st_size > size):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        killed = time.time()
        process.kill()
        process.wait()
        contents = recording.read(part)
        began = sum(contents.known()["began"]) / 2e9
        rate = contents.header["setup"]["rate"]
        assert killed - began - contents.n_samples / rate < 1.0
        online = recover(part, out)
        assert any("not ended" in warning for warning in online.warnings)
        raw = recover(raw_part, raw_of(out))
        assert killed - began - raw.n_samples / 50e3 < 1.0
        offline, _ = locked_in(raw)
        n = online.n_samples
        assert 0 <= offline.n_samples - n < 1.0 * rate
        for name in ("lateral_in_phase", "lateral_quadrature", "height", "lateral"):
            assert np.array_equal(nrm.open(out).read(name), offline.read(name)[:n])


FULL = """
import json, resource, sys
from pathlib import Path
import nrm_plugin as nrm
from nrm_daq import recording, recovery
from nrm_daq.device import InstantClock, SimulatedDaq
from nrm_daq.run import raw_of, record
from test_daq_software_lockin import board, config_for
folder, told = Path(sys.argv[1]), []
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for keep in (True, False):
    for limit in (0, 1000, 100_000, 2_500_000):
        out = folder / f"{keep}{limit}.h5"
        with SimulatedDaq(board(), InstantClock()) as daq:
            config = config_for(daq, {"keep_raw": keep})
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            error = ""
            try:
                report = record(config, out, 300.0 if limit < 2_500_000 else 60.0)
                error = report["stopped"]
            except nrm.OutputError as caught:
                error = str(caught)
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        sizes = {}
        for one in (out, raw_of(out)):
            part = one.with_name(one.name + ".part")
            if part.exists():
                sizes[one.name] = recovery.recover(part, one, overwrite=True).n_samples
            elif one.exists():
                sizes[one.name] = nrm.open(one).n_samples
        told.append([keep, limit, error, sizes])
print(json.dumps(told))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of files")
def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    """What fits is there: of all samples 12 bytes each, of values 40 bytes each."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300.0,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for keep, limit, error, sizes in json.loads(done.stdout):
        if keep or limit < 2_500_000:
            assert "File too large" in error
        name = f"{keep}{limit}"
        if keep and limit == 2_500_000:
            assert sizes[f"{name}.raw.h5"] * 12 > limit - 200_000
            assert sizes[f"{name}.h5"] > 0
        elif limit == 100_000 and not keep:
            assert sizes[f"{name}.h5"] * 40 > limit - 30_000
        elif limit < 100_000:
            assert sizes == {}


def test_a_board_that_goes_leaves_what_there_was(tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    boards: list[SimulatedDaq] = []

    def height(m: np.ndarray, rate: float) -> np.ndarray:
        if m[-1] > 150_000:
            boards[0].rack.unplug()
        return np.zeros(len(m))

    with SimulatedDaq(board(inputs={"ai0": height}), InstantClock()) as daq:
        boards.append(daq)
        report = record(config_for(daq, {"keep_raw": True}), out, 60.0)
    assert "the board has gone" in report["stopped"]
    offline, _ = locked_in(nrm.open(raw_of(out)))
    assert offline.n_samples == nrm.open(out).n_samples > 1000
    assert np.array_equal(complex_of(nrm.open(out)), complex_of(offline))


# The command


CONFIG = """
rate = "50 kHz"
[channels.deflection]
terminal = "Dev1/ai0"
[channels.height]
terminal = "Dev1/ai3"
scale = "1 um/V"
[channels.potential]
terminal = "Dev1/ai4"
[channels.lateral]
terminal = "Dev1/ai6"
[channels.reference]
terminal = "Dev1/ai7"
[lock_in]
model = "digital"
keep_raw = true
"""


def test_command_line(tmp_path: Path) -> None:
    config, out = tmp_path / "DAQ.toml", tmp_path / "out.h5"
    config.write_text(CONFIG)
    told = ["acquire", "--simulate", "--config", str(config)]
    asked = CliRunner().invoke(main, [*told, "--check"])
    assert asked.exit_code == 0, asked.output
    assert "lock-in in software, with the reference reference" in asked.output
    assert "noise bandwidth 79.9 Hz" in asked.output
    assert "lateral_in_phase, lateral_quadrature: 5 kHz" in asked.output
    assert "missing" not in asked.output
    done = CliRunner().invoke(main, [*told, "--duration", "3s", "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert "lock-in at 5 kHz, noise bandwidth 79.9 Hz" in done.output
    assert f"{tmp_path / 'out.raw.h5'}: all 150000 samples (simulated)" in done.output


def test_a_check_without_a_reference_says_so(tmp_path: Path) -> None:
    with SimulatedDaq(board(inputs={"ai2": lambda m, rate: np.zeros(len(m))})) as daq:
        with pytest.raises(nrm.NrmError, match="no single tone"):
            checked(config_for(daq))
        channels = {"lateral": {"terminal": "Sim1/ai1"}}
        said = checked(config_for(daq, {"frequency": "1 kHz"}, channels=channels))["said"]
    assert any("with no reference" in line for line in said)
    assert any("needed for moduli: dither_amplitude" in line for line in said)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT")
def test_the_live_page_shows_what_it_makes(tmp_path: Path) -> None:
    config = tmp_path / "DAQ.toml"
    config.write_text(CONFIG)
    with (
        live_pages.started(tmp_path, "--config", str(config), "--json") as (process, url),
        live_pages.Page(url) as page,
    ):
        ramp = page.wait("ramp", 2)[1]
        status, marker = page.post("api/marker", text="Argon on")
        process.send_signal(signal.SIGINT)
        page.wait("ended")
        frames = page.of("live")
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60.0)
    assert json.loads(stdout)["stopped"] == ""
    assert (status, marker["text"]) == (200, "Argon on")
    assert ramp["error"] is None
    assert ramp["profile"]["storage"]
    shown = {"deflection", "lateral_in_phase", "lateral_quadrature", "height", "potential"}
    assert set(frames[-1]["channels"]) == shown
    curves = nrm.open(tmp_path / "out.h5")
    assert "Argon on" in curves.metadata["markers"]
    assert "Argon on" in nrm.open(tmp_path / "out.raw.h5").metadata["markers"]


# Moduli


def test_moduli_are_those_of_a_box_and_of_the_electrode(tmp_path: Path) -> None:
    """One electrode by both routes: layers of 10 + 3i MPa up to 8 nm and of 2 + 1i MPa."""
    from nrm_plugin import simulate as sim

    electrode = RampingElectrode(voltammogram=sim.Voltammogram(start=0.0, turn=-1.0, rate=1e-3))
    results = []
    for raw in (True, False):
        values = electrode.settings(raw=raw)
        del values["channels"]["marker"]
        out = tmp_path / f"{raw}.h5"
        with SimulatedDaq(electrode.board(), InstantClock()) as daq:
            record(DaqConfig.from_values(values | {"backend": f"remote {daq.address}"}), out, 20.2)
        results.append(nrm.process(out))
    middle = {"depth": [4e-9, 6e-9, 13e-9, 16e-9]}
    for name, known in (
        ("storage_modulus", np.array([10e6, 10e6, 2e6, 2e6])),
        ("loss_modulus", np.array([3e6, 3e6, 1e6, 1e6])),
    ):
        found = [r[name].sel(middle, method="nearest").values[:8] for r in results]
        errors = [r[f"{name}_stderr"].sel(middle, method="nearest").values[:8] for r in results]
        off = (found[0] - found[1]) / np.hypot(*errors)
        assert np.sqrt(np.nanmean(off**2)) < 1.5
        n = np.isfinite(found[0]).sum(axis=0)
        of_truth = np.nanmean(found[0], axis=0) - known
        allowed = 0.04 * known + 3.0 * errors[0][0] / np.sqrt(n)
        assert (np.abs(of_truth) < allowed).all()
