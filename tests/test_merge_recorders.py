"""`nrm merge` with the recorders of laboratories: LabVIEW, LabOne, plain tables, microscopes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from double_recordings import DoubleRecording, double_recording

import nrm_plugin as nrm
from nrm_plugin.cli import main
from nrm_plugin.pairing import merge, pair

TICKS = 60e6  # of an MFLI's clock per second
GAIN = 10.0 / 500e-6  # of the SR830 that the recordings are of: volts out per volt in

LABONE = """\
time = { column = "timestamp", unit = "s", scale = 1.6666666666666667e-8 }
lateral_in_phase = { column = "x", unit = "V" }
lateral_quadrature = { column = "y", unit = "V" }
deflection = { column = "auxin0", unit = "V" }
potential = { column = "auxin1", unit = "V" }
"""
LABVIEW = """\
deflection = "Defl"
lockin_output_x = "CH1"
lockin_output_y = "CH2"
potential = "E"
"""


@pytest.fixture(scope="module")
def recorded() -> DoubleRecording:
    """60 curves, the microscope's times to the second; the board misses some at the ends."""
    return double_recording(211, 60, times="second", samples=256, rate=3e3, late=3, early=2)


@pytest.fixture(scope="module")
def moduli(recorded: DoubleRecording) -> dict[str, np.ndarray]:
    """What one recorder of everything gives."""
    whole = nrm.process(recorded.whole)
    return {name: whole[name].values for name in ("storage_modulus", "loss_modulus")}


def stream(recorded: DoubleRecording) -> dict[str, np.ndarray]:
    """The board's rows, one behind the other, with times since its first sample."""
    board = recorded.board
    since = (board.curve_table["start_time"] - board.curve_table["start_time"][0]) / np.timedelta64(
        1, "s"
    )
    time = board.read("time") + np.repeat(since, board.row_size)
    names = {"d": "deflection", "x": "lockin_output_x", "y": "lockin_output_y", "e": "potential"}
    return {"t": time, **{k: board.read(name) for k, name in names.items()}}


def labview(recorded: DoubleRecording, path: Path) -> Path:
    """TDMS in pieces of a second, with a clock in place of times and units in words."""
    nptdms = pytest.importorskip("nptdms")
    values = stream(recorded)
    about = {"wf_increment": 1.0 / recorded.rate, "unit_string": "Volts"}
    about["wf_start_time"] = recorded.board.curve_table["start_time"][0]
    with nptdms.TdmsWriter(path) as writer:
        for a in range(0, len(values["t"]), int(recorded.rate)):
            part = slice(a, a + int(recorded.rate))
            writer.write_segment(
                [
                    nptdms.ChannelObject("Recording", name, values[k][part], about)
                    for name, k in (("Defl", "d"), ("CH1", "x"), ("CH2", "y"), ("E", "e"))
                ]
            )
    path.with_suffix(".toml").write_text(LABVIEW)
    return path


def samples(recorded: DoubleRecording) -> dict[str, np.ndarray]:
    """A demodulator's samples by LabOne's names: ticks, volts at the input, auxiliary inputs."""
    values = stream(recorded)
    n = len(values["t"])
    return {
        "timestamp": (np.rint(values["t"] * TICKS) + 987654321000).astype(np.uint64),
        "x": values["x"] / GAIN,
        "y": values["y"] / GAIN,
        "frequency": np.full(n, 5e3),
        "phase": np.zeros(n),
        "dio": np.zeros(n, np.uint32),
        "trigger": np.zeros(n, np.uint32),
        "auxin0": values["d"],
        "auxin1": values["e"],
    }


def labone_text(recorded: DoubleRecording, path: Path) -> Path:
    columns = samples(recorded)
    titles = ["chunk", *columns]
    rows = np.stack([np.zeros(len(columns["x"])), *columns.values()]).T
    np.savetxt(path, rows, "%.15g", delimiter=";", header=";".join(titles), comments="")
    path.with_suffix(".toml").write_text(LABONE)
    return path


def labone_hdf5(recorded: DoubleRecording, path: Path) -> Path:
    """As its data server saves them: a group for each chunk, device and demodulator."""
    with h5py.File(path, "w") as file:
        group = file.create_group("000/dev4225/demods/0/sample")
        for name, values in samples(recorded).items():
            group[name] = values
        header = np.zeros(1, [("systemtime", "u8"), ("createdtimestamp", "u8")])
        group["chunkheader"] = header
    path.with_suffix(".toml").write_text(LABONE)
    return path


def plain_table(recorded: DoubleRecording, path: Path) -> Path:
    """What a script writes; no map is needed."""
    values = stream(recorded)
    titles = "time (s);deflection (V);lockin_output_x (V);lockin_output_y (V);potential (V)"
    np.savetxt(
        path, np.stack(list(values.values())).T, "%.9g", delimiter=";", header=titles, comments=""
    )
    return path


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (labview, "rec.tdms"),
        (labone_text, "dev4225_demods_0_sample_00000.csv"),
        (labone_hdf5, "stream_00000.h5"),
        (plain_table, "rec.csv"),
    ],
)
def test_recorders_of_laboratories(
    recorded: DoubleRecording,
    moduli: dict[str, np.ndarray],
    tmp_path: Path,
    write: Callable[[DoubleRecording, Path], Path],
    name: str,
) -> None:
    path = write(recorded, tmp_path / name)
    recorded.microscope.save(tmp_path / "afm.h5")
    out = tmp_path / "both.h5"
    words = ["merge", str(path), str(tmp_path / "afm.h5"), "-o", str(out), "--json"]
    if path.with_suffix(".toml").exists():
        words += ["--table", str(path.with_suffix(".toml"))]
    run = CliRunner().invoke(main, words)
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    paired = np.array([one["curve"] for one in told["pairs"]])
    assert recorded.seen[paired].all()
    assert len(paired) >= recorded.seen.sum() - 1
    begins = np.array([one["begin"] for one in told["pairs"]])
    interval = np.diff(recorded.microscope.read("time", [0])[:2])[0]
    off = np.abs(begins - recorded.begins[paired] / recorded.rate)
    assert off.max() < 0.25 * interval
    both = nrm.open(out)
    lockin = {k: v for k, v in recorded.board.metadata.items() if k not in both.metadata}
    if "lateral_in_phase" in both.channels:  # nothing stands between the input and the numbers
        output = ("sensitivity", "expand", "offset", "output")
        lockin = {k: v for k, v in lockin.items() if not any(word in k for word in output)}
    found = nrm.process(both.with_metadata(lockin, "given"))
    near = slice(8, 36)  # 4 to 18 nm
    for quantity, whole in moduli.items():
        ratio = found[quantity].values[paired][:, near] / whole[paired][:, near]
        assert np.nanmedian(ratio) == pytest.approx(1.0, abs=0.01)
    assert both.channels["potential"].unit == "V"
    assert [o.name for o in both.origins] == ["afm.h5", path.name]


def test_two_microscopes_give_the_moduli_of_one(
    recorded: DoubleRecording, moduli: dict[str, np.ndarray]
) -> None:
    """The second controller has the lateral signals, a clock and rate of its own, and no height."""
    whole = recorded.whole
    n, size = whole.n_curves, int(whole.row_size[0])
    time = whole.read("time", [0])
    own = np.linspace(time[0], time[-1], int(1.3 * size))
    rng = np.random.default_rng(1)
    columns = {}
    for name in ("deflection", "lockin_output_x", "lockin_output_y"):
        values = whole.read(name).reshape(n, size)
        made = np.stack([np.interp(own, time, row) for row in values])
        if name == "deflection":
            made = -1.7 * made + 1e-3 * np.ptp(made) * rng.standard_normal(made.shape)
        columns[name] = made, whole.channels[name].unit
    columns["time"] = np.tile(own, (n, 1)), "s"
    began = recorded.microscope.curve_table["start_time"] + np.timedelta64(3607, "s")
    lockin = dict(recorded.board.metadata)
    second = nrm.CurveSet.from_arrays(columns, curve_table={"start_time": began}, metadata=lockin)
    found = pair(second, recorded.microscope)
    assert found.curve.tolist() == list(range(n))
    assert np.median(found.gain) < 0.0
    both = nrm.process(merge(second, recorded.microscope))
    near = slice(8, 36)
    for quantity, values in moduli.items():
        ratio = both[quantity].values[:, near] / values[:, near]
        assert np.nanmedian(ratio) == pytest.approx(1.0, abs=0.01)
