"""Ramps of a growing recording: told once, told again where one had only paused, bounded memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nrm_daq.config import DaqConfig
from nrm_daq.live_curves import TOGETHER, CurveProcessor, FinishedRamp, RampSeeker
from nrm_daq.recording import Recording, SampleBlock, read
from nrm_daq.recording_tail import RecordingTail
from nrm_daq.recovery import config_of
from nrm_daq.segmentation import segmented
from nrm_plugin.recipe import Recipe

RATE = 2e3

#: Corners of a ramp of 200 nm: 1 s down, 1 s up, and 1 s of rest.
RAMP = [(0.0, 0.0), (0.5, 0.0), (1.5, -2.0), (2.5, 0.0), (3.0, 0.0)]

#: The same with a pause of 0.4 s in the retract.
PAUSED = [(0.0, 0.0), (0.5, 0.0), (1.5, -2.0), (1.9, -1.2), (2.3, -1.2), (2.9, 0.0), (3.0, 0.0)]


def volts(*ramps: list[tuple[float, float]]) -> np.ndarray:
    """Height (100 nm per volt) and deflection of ramps of 3 s, behind each other."""
    parts = []
    for corners in ramps:
        times, heights = np.array(corners).T
        parts.append(np.interp(np.arange(round(3.0 * RATE)) / RATE, times, heights))
    height = np.concatenate(parts)
    return np.stack([height, np.maximum(0.0, -1.5 - height)]).astype(np.float32)


def followed(folder: Path, stream: np.ndarray, size: int) -> tuple[list[FinishedRamp], Any]:
    """Ramps of a recording of the stream, looked for after every block."""
    config = DaqConfig.from_values(
        {
            "rate": RATE,
            "channels": {
                "height": {"terminal": "Sim1/ai0", "scale": "100 nm/V"},
                "deflection": {"terminal": "Sim1/ai1"},
            },
        }
    )
    one = {"offset": 0.0, "range": 10.0}
    header = {
        "config": config.model_dump(mode="json"),
        "setup": {"rate": RATE, "delays": [0.0, 0.0]},
        "channels": [
            one | {"name": "height", "unit": "m", "gain": 1e-7, "terminal": "Sim1/ai0"},
            one | {"name": "deflection", "unit": "V", "gain": 1.0, "terminal": "Sim1/ai1"},
        ],
        "lock_in": {},
        "simulated": True,
        "warnings": [],
    }
    part, found = folder / "out.h5.part", []
    with Recording(part, header) as recording, RecordingTail(part) as tail:
        now = time.time_ns()
        recording.note(began=(now, now))
        tail.read(0)
        seeker = RampSeeker(tail)
        for first in range(0, stream.shape[1], size):
            block = stream[:, first : first + size]
            recording.append(SampleBlock(first, block, time.time_ns(), 0))
            for one_block in tail.read():
                found += seeker.push(one_block)
        kept = len(tail.contents().firsts)
    return found, kept


@pytest.mark.parametrize("size", [50, 400, 5000])
def test_each_ramp_is_told_once(tmp_path: Path, size: int) -> None:
    found, _ = followed(tmp_path, volts(*[RAMP] * 5), size)
    assert [(one.number, one.again) for one in found] == [(k, False) for k in range(5)]
    for one in found:
        ramp = one.ramps[-1]
        assert ramp.start / RATE == pytest.approx(3.0 * one.number + 0.5, abs=0.002)
        assert ramp.stop / RATE == pytest.approx(3.0 * one.number + 2.5, abs=0.002)


def test_a_ramp_that_had_only_paused_is_told_again(tmp_path: Path) -> None:
    found, _ = followed(tmp_path, volts(RAMP, PAUSED, RAMP), 100)
    assert [(one.number, one.again) for one in found] == [
        (0, False),
        (1, False),
        (1, True),
        (2, False),
    ]
    assert found[1].ramps[-1].stop / RATE == pytest.approx(4.9, abs=0.01)
    recorded = read(tmp_path / "out.h5.part")
    file = segmented(recorded, config_of(recorded.header)).curves
    assert found[2].ramps[-1].stop == file[1].stop > found[1].ramps[-1].stop
    assert [one.start for one in found[3].ramps] == [one.start for one in file]


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    """Of 60 ramps, the blocks of the last ones."""
    found, kept = followed(tmp_path, volts(*[RAMP] * 60), 200)
    assert len(found) == 60
    assert len(found[-1].ramps) == TOGETHER
    assert kept <= 30 * (TOGETHER + 1)


def test_what_cannot_be_processed_is_shown_as_recorded(tmp_path: Path) -> None:
    """Without a sensitivity: the curve in volts, and what is missing."""
    found, _ = followed(tmp_path, volts(RAMP, RAMP), 200)
    config = config_of(found[0].recorded.header)
    event, alarms = CurveProcessor(config, RATE, Recipe()).event(found[1])
    assert "deflection_sensitivity" in event["error"]
    assert (event["region"], event["trend"], event["profile"], alarms) == (None, None, None, [])
    curve = event["curve"]
    assert curve["units"] == {"deflection": "V", "lateral": "V"}
    assert curve["deflection"].max() == pytest.approx(0.5, abs=0.01)
    assert curve["height"].min() == pytest.approx(-200e-9, rel=0.01)
    assert abs(int(np.argmin(curve["height"])) - curve["turn"]) <= 1
    assert curve["lateral_x"] is None
