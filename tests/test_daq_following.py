"""A recording read while it grows, and remarks that are written into it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from daq_boards import config_for, converted, known_board

import nrm_plugin as nrm
from nrm_daq.config import DaqConfig
from nrm_daq.device import InstantClock, SimulatedDaq
from nrm_daq.device.electrode import RampingElectrode
from nrm_daq.recording import Recording, SampleBlock, read
from nrm_daq.recording_metadata import Start
from nrm_daq.recording_tail import RecordingTail
from nrm_daq.recovery import as_curves, config_of, latest, recover
from nrm_daq.run import record
from nrm_daq.segmentation import segmented
from nrm_plugin.cli import main
from nrm_plugin.errors import ChangedFile, CorruptFile
from nrm_plugin.markers import Marker, as_text, markers_of

RATE = 5e3


def block(first: int, n: int = 1000) -> SampleBlock:
    numbers = np.arange(first, first + n)
    volts = np.stack([converted(k, numbers) for k in range(2)]).astype(np.float32)
    return SampleBlock(first, volts, time.time_ns(), 0)


def header(**changes: Any) -> dict[str, Any]:
    """What a recording of two known channels says of itself."""
    one = {"unit": "V", "gain": 1.0, "offset": 0.0, "range": 10.0}
    channels = [one | {"name": n, "terminal": f"Sim1/ai{k}"} for k, n in enumerate("ab")]
    terminals = {f"aux_{n}": {"terminal": f"Sim1/ai{k}"} for k, n in enumerate("ab")}
    config = DaqConfig.from_values({"rate": RATE, "channels": terminals})
    for channel in channels:
        channel["name"] = f"aux_{channel['name']}"
    return {
        "config": config.model_dump(mode="json"),
        "setup": {"rate": RATE, "delays": [0.0, 0.0]},
        "channels": channels,
        "lock_in": {},
        "simulated": True,
        "warnings": [],
    } | changes


# The tail


def test_a_tail_reads_what_has_come_and_no_more(tmp_path: Path) -> None:
    part = tmp_path / "out.h5.part"
    with Recording(part, header()) as recording, RecordingTail(part) as tail:
        assert (tail.read(), tail.header["simulated"], tail.samples) == ([], True, 0)
        for first in range(0, 5000, 1000):
            recording.append(block(first))
        first, second = tail.read(2)
        np.testing.assert_array_equal(
            np.hstack([first, second]), np.hstack([block(0).values, block(1000).values])
        )
        assert tail.samples == 2000
        assert len(tail.read()) == 3
        assert tail.read() == []
        recording.append(block(5000))
        recording.mark("x")
        assert len(tail.read()) == 1
        assert tail.contents().notes[-1]["marker"] == "x"
        got = tail.contents().volts(1, 900, 5100)
        np.testing.assert_array_equal(got, block(900, 4200).values[1])
        tail.forget(3500)
        contents = tail.contents()
        assert list(contents.firsts) == [3000, 4000, 5000]
        np.testing.assert_array_equal(
            contents.volts(0, 3500, 4200), converted(0, np.arange(3500, 4200)).astype(np.float32)
        )
    part.unlink()
    with pytest.raises(ChangedFile):
        contents.volts(0, 3500, 4200)


def test_a_record_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    """Whatever part of the file is there, the tail has the whole records, then goes on."""
    whole = tmp_path / "whole.part"
    with Recording(whole, header()) as recording:
        for first in range(0, 3000, 1000):
            recording.append(block(first))
    data, part = whole.read_bytes(), tmp_path / "part"
    part.write_bytes(b"")
    with part.open("ab") as grows:
        grows.write(data[:20])
        grows.flush()
        with RecordingTail(part) as tail:
            found: list[Any] = []
            for at in range(20, len(data), 777):
                found += tail.read()
                grows.write(data[at : at + 777])
                grows.flush()
            found += tail.read()
    volts = np.hstack(found)
    np.testing.assert_array_equal(volts, block(0, 3000).values)


def test_a_tail_of_something_else_says_so(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(b"something else, which is no recording")
    with RecordingTail(part) as tail, pytest.raises(CorruptFile, match="a recording"):
        tail.read()


@pytest.fixture(scope="module")
def ramps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 s of the simulated electrode as the running recording leaves them: 8 ramps."""
    part = tmp_path_factory.mktemp("ramps") / "out.h5.part"
    kept = part.with_name("kept.part")
    unlink = Path.unlink

    def keep(path: Path, *arguments: Any, **more: Any) -> None:
        if path == part:
            kept.write_bytes(path.read_bytes())
        unlink(path, *arguments, **more)

    with (
        SimulatedDaq(RampingElectrode().board(), InstantClock()) as daq,
        pytest.MonkeyPatch.context() as patch,
    ):
        values = RampingElectrode().settings() | {"backend": f"remote {daq.address}", "rate": RATE}
        del values["channels"]["marker"]
        patch.setattr(Path, "unlink", keep)
        record(DaqConfig.from_values(values), part.with_suffix(""), 20.0)
    return kept


def test_the_latest_ramps_are_those_of_the_file(ramps: Path) -> None:
    """Segments hold the same samples, times and potentials, whatever came before them."""
    whole = read(ramps)
    file, config = as_curves(whole), config_of(whole.header)
    found = segmented(whole, config).curves
    start = Start.of(whole, whole.known(), RATE)
    for first, stop in ((0, 1), (0, 3), (2, 3), (5, 8)):
        with RecordingTail(ramps) as tail:
            while tail.read():
                pass
            tail.forget(found[first].start - 1)
            part = latest(tail.contents(), config, found[first:stop], start)
            assert part.n_curves == stop - first
            for i in range(first, stop):
                theirs = [
                    file.segments[file.segments["curve"] == i]
                    for file, i in ((file, i), (part, i - first))
                ]
                assert [str(s["kind"]) for s in theirs[0]] == [str(s["kind"]) for s in theirs[1]]
                for name in ("height", "deflection", "lockin_output_x", "potential"):
                    one, two = file.read(name, i), part.read(name, i - first)
                    for a, b in zip(*theirs, strict=True):
                        np.testing.assert_array_equal(
                            one[a["start"] : a["stop"]], two[b["start"] : b["stop"]]
                        )
            assert part.metadata == file.metadata
            np.testing.assert_array_equal(
                part.curve_table["potential"], file.curve_table["potential"][first:stop]
            )


# Remarks


def test_remarks_are_in_the_file_with_the_curve_they_fall_in(tmp_path: Path) -> None:
    """Written from another thread while blocks are written; kept by recover, shown by info."""
    part, out = tmp_path / "out.h5.part", tmp_path / "out.h5"
    texts = [f'remark {k}: \u00e4, "quotes" </b> \t tab' for k in range(50)]
    with Recording(part, header()) as recording:
        began = time.time_ns()
        recording.note(began=(began, began))

        def remark() -> None:
            for text in texts:
                recording.mark(text)

        thread = threading.Thread(target=remark)
        thread.start()
        for first in range(0, 200_000, 1000):
            recording.append(block(first))
        thread.join()
        ended = time.time_ns()
    for target in (out, tmp_path / "again.h5"):
        recover(part, target)
        curves = nrm.open(target)
        assert curves.n_samples == 200_000
        found = markers_of(curves.metadata)
        assert [m.text for m in found] == [" ".join(t.split()) for t in texts]
        assert all(-0.001 <= m.seconds <= 1e-9 * (ended - began) + 0.001 for m in found)
        assert [m.curve for m in found if m.seconds > 0.001] == [0] * len(
            [m for m in found if m.seconds > 0.001]
        )
    result = CliRunner().invoke(main, ["info", str(out)])
    assert "markers" in result.output
    assert 'remark 7: \u00e4, "quotes" </b> tab' in result.output
    (told,) = json.loads(CliRunner().invoke(main, ["info", "--json", str(out)]).output)
    assert [m["text"] for m in told["markers"]] == [m.text for m in found]


def test_remarks_survive_text() -> None:
    markers = [
        Marker(time="2026-11-29T10:00:00.000", seconds=-1.5, curve=-1, text="before"),
        Marker(time="2026-11-29T10:00:01.000", seconds=12.25, curve=3, text="Argon\ton\nnow"),
    ]
    text = as_text(markers)
    assert [m.text for m in markers_of({"markers": text})] == ["before", "Argon on now"]
    assert markers_of({"markers": text})[1].seconds == 12.25
    assert markers_of({"markers": "no marker\n\t\t\t\nx\t1\ty\tz"}) == []
    assert markers_of({}) == []


def test_a_recording_without_remarks_has_none(tmp_path: Path) -> None:
    with SimulatedDaq(known_board(2), InstantClock()) as daq:
        record(config_for(daq, 2), tmp_path / "out.h5", 1.0)
    assert "markers" not in nrm.open(tmp_path / "out.h5").metadata
