"""What cannot be paired, in the words that a user reads, and what is said of two recordings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from double_recordings import double_recording

import nrm_plugin as nrm
from nrm_plugin.errors import InvalidInput
from nrm_plugin.pairing import Pairing, merge, pair, paired
from nrm_plugin.pairing.pair_paths import Intervals, best_path

#: Samples per second of the board.
RATE = 3e3


@functools.cache
def recordings() -> tuple[nrm.CurveSet, nrm.CurveSet]:
    """The board's and the microscope's."""
    both = double_recording(121, times="exact", n=40, samples=256, rate=RATE)
    return both.board, both.microscope


def board() -> nrm.CurveSet:
    return recordings()[0]


def microscope() -> nrm.CurveSet:
    return recordings()[1]


@pytest.fixture(scope="module")
def found() -> Pairing:
    return pair(board(), microscope())


def changed(curves: nrm.CurveSet, **channels: Any) -> nrm.CurveSet:
    """The same curves with other values in some channels."""
    arrays = {n: (curves.read(n), c.unit) for n, c in curves.channels.items()}
    arrays |= {n: (values, arrays[n][1]) for n, values in channels.items()}
    return nrm.CurveSet.from_arrays(
        arrays,
        curves.row_size,
        curves.segments,
        dict(curves.curve_table),
        metadata=dict(curves.metadata),
    )


def with_time(curves: nrm.CurveSet, change: Callable[[Any], Any]) -> nrm.CurveSet:
    return changed(curves, time=change(curves.read("time")))


def jumping(time: Any) -> Any:
    time = np.array(time)
    time[5::9] += 4e-4
    return time


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: pair(with_time(board(), lambda t: np.where(t > 1.0, np.nan, t)), microscope()),
            "the recording has fewer than three samples with times",
        ),
        (
            lambda: pair(with_time(board(), jumping), microscope()),
            "the times of the recording's samples are not evenly spaced",
        ),
        (
            lambda: pair(with_time(board(), lambda t: -t), microscope()),
            "the times of the recording's samples are not evenly spaced",
        ),
        (
            lambda: pair(with_time(board(), lambda t: 1000.0 * t), microscope()),
            "the recording has a sample every 333 ms, too few for peaks of",
        ),
        (
            lambda: pair(
                changed(board(), deflection=np.zeros(len(board().read("time")))), microscope()
            ),
            "the recording's deflection has no peaks like those of the microscope's curves (",
        ),
        (
            lambda: merge(microscope()),
            "merge takes two recordings: the board's and the microscope's",
        ),
    ],
)
def test_what_is_refused(call: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        call()
    assert str(caught.value).startswith(sentence)


def test_curves_that_have_no_pair_say_why(found: Pairing) -> None:
    """One with a hole, one that is flat: the others are paired as before."""
    bent = microscope().read("deflection").reshape(40, -1).copy()
    holed, flat = (int(n) for n in found.curve[[5, 9]])
    bent[holed, 100] = np.nan
    bent[flat] = 1e-12 * np.random.default_rng(0).standard_normal(bent.shape[1])
    again = pair(board(), changed(microscope(), deflection=bent.ravel()))
    assert again.unpaired[holed] == "it has missing samples"
    assert again.unpaired[flat] == (
        "it does not press against a surface, or from its first or to its last sample"
    )
    assert set(again.curve) == set(found.curve) - {holed, flat}


def test_samples_of_the_deflection_that_are_lost(found: Pairing) -> None:
    """A board that was overloaded between two curves: their pairs stay."""
    bent = board().read("deflection").copy()
    at = round(found.begin[10] * RATE) - 30
    bent[at : at + 20] = np.nan
    again = pair(changed(board(), deflection=bent), microscope())
    np.testing.assert_array_equal(again.curve, found.curve)
    np.testing.assert_allclose(again.begin, found.begin, rtol=0, atol=0.02 / RATE)


def test_start_times_that_tell_nothing(found: Pairing) -> None:
    """All curves began in one moment, as the file says: they are paired by shape and order."""
    when = np.full(40, np.datetime64("2026-03-02T09:00:00", "us"))
    same = nrm.CurveSet.from_arrays(
        {n: (microscope().read(n), c.unit) for n, c in microscope().channels.items()},
        microscope().row_size,
        microscope().segments,
        {"start_time": when},
    )
    again = pair(board(), same)
    np.testing.assert_array_equal(again.curve, found.curve)
    np.testing.assert_allclose(again.begin, found.begin, rtol=0, atol=0.02 / RATE)


def test_names_that_both_have_and_values_that_differ(found: Pairing) -> None:
    """The lateral signal's settings are the recording's; what both call `noise` is kept twice."""
    told = board().with_metadata({"dither_frequency": 5100.0, "spring_constant": 9.0}, "board")
    afm = microscope().with_metadata({"dither_frequency": 4900.0}, "afm")
    channel = replace(microscope().channels["deflection"], name="potential", unit="V")
    afm = afm.with_channel(channel)
    both = paired(told, afm, found)
    assert (
        "dither_frequency is 5100.0 by the recording and 4900.0 by the microscope's file; the "
        "recording's is taken"
    ) in both.warnings
    assert both.metadata["dither_frequency"] == 5100.0
    assert both.metadata["spring_constant"] == microscope().metadata["spring_constant"] != 9.0
    np.testing.assert_array_equal(both.read("microscope_potential"), afm.read("potential"))
    number = int(found.curve[3])
    known = both.read("potential", [number])
    assert np.nanmin(known) > 0.0
    assert np.nanmax(known) < 0.9


def test_merge_takes_sets_in_memory(found: Pairing) -> None:
    """Alone they are joined; beside a microscope's they are one recording."""
    half = board().n_curves // 2
    parts = [board()[np.arange(half)], board()[np.arange(half, board().n_curves)]]
    assert merge(parts).n_curves == board().n_curves
    both = merge(parts, microscope())
    np.testing.assert_allclose(
        both.read("lockin_output_x"), paired(board(), microscope(), found).read("lockin_output_x")
    )


def test_paths_through_nothing() -> None:
    none = np.empty(0)
    path = best_path(
        np.empty((0, 0), np.float32), Intervals(first=none, second=none, same=1.0, other=1.0)
    )
    assert (len(path.first), path.evidence) == (0, 0.0)
