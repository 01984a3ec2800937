"""PinPoint maps at their edges: frames that are missing, dead signals, nothing recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from writers.park_pinpoint import (
    CURVE,
    SCAN_START,
    SCAN_STOP,
    as_frame,
    curve,
    scan_start,
    scan_stop,
    write_frames,
)

import nrm_plugin as nrm

FALLS = np.array([3, 2, 1, 2, 3], "<f4")
START = (SCAN_START, as_frame(scan_start(1, 2)))
STOP = (SCAN_STOP, as_frame(scan_stop()))


def pixels(*values: Any, force: Any = None) -> list[tuple[int, bytes]]:
    """Frames of curves along a line, with a height and perhaps a force."""
    frames = []
    for fast, z in enumerate(values):
        channels = [("ZHeight", "micrometer", z)]
        if force is not None:
            channels.append(("Force", "volt", force))
        frames.append((CURVE, as_frame(curve(channels, fast, 0))))
    return frames


REFUSED = {
    "start": ([*pixels(FALLS, FALLS), STOP], "expected a frame scan.start, found none"),
    "curves": ([START, STOP], "expected frames with curves, found none"),
    "lengths": (
        [START, *pixels(FALLS, FALLS, force=FALLS[:3]), STOP],
        "found several lengths",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_sentence(tmp_path: Path, case: str) -> None:
    frames, sentence = REFUSED[case]
    with pytest.raises(nrm.CorruptFile) as caught:
        nrm.open(write_frames(tmp_path / "m.ps-ppt", frames))
    assert sentence in str(caught.value)


def test_a_z_that_stands_still_is_no_height(tmp_path: Path) -> None:
    still = np.full(5, 2.0, "<f4")
    frames = [START, *pixels(still, still, force=FALLS), STOP]
    curves = nrm.open(write_frames(tmp_path / "m.ps-ppt", frames))
    assert "ZHeight is dead: it is 2e-06 m" in curves.warnings
    assert "there is no height: no z was recorded that changes" in curves.warnings
    assert "height" not in curves.channels


def test_a_map_of_empty_curves(tmp_path: Path) -> None:
    nothing = np.empty(0, "<f4")
    frames = [START, *pixels(nothing, nothing), STOP]
    curves = nrm.open(write_frames(tmp_path / "m.ps-ppt", frames))
    assert curves.row_size.tolist() == [0, 0]
    assert curves.read("height").size == 0
