"""Streams cut into curves: turning points known beforehand, through noise, in any blocks."""

from __future__ import annotations

import gc
import math
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrm_plugin import simulate as sim
from nrm_plugin.errors import InvalidInput
from nrm_plugin.splitting import Splitter
from nrm_plugin.splitting.turning_points import cuts

RATE = 20_000.0
TOP = 300e-9
SPEED = 300e-9  # m/s: a ramp takes 1 s
BIN = 0.5e-3


def ramps(*plan, before=0.2, after=0.2, down=1.0, up=1.0):
    """Corners (time, height) of curves, and the times at which each begins, turns and ends.

    ``plan`` has the hold at the surface and the wait at the top for each curve.
    """
    now, corners, truth = before, [(0.0, TOP), (before, TOP)], []
    for hold, wait in plan:
        times = (now, now + down, now + down + hold, now + down + hold + up)
        corners += list(zip(times, (TOP, 0.0, 0.0, TOP), strict=True))
        truth.append(times)
        now = times[-1] + wait
        corners.append((now, TOP))
    corners.append((now + after, TOP))
    return corners, truth


def sampled(corners, rate=RATE, noise=0.0, seed=1):
    """The stream through corners, with white noise."""
    times, values = np.array(corners).T
    stream = np.interp(np.arange(round(times[-1] * rate)) / rate, times, values)
    return stream + noise * np.random.default_rng(seed).standard_normal(len(stream))


def split(channels, rate=RATE, size=1777, **options):
    """Curves of a stream that comes in blocks, and the warnings."""
    splitter = Splitter(rate, **options)
    n = len(next(iter(channels.values())))
    curves = []
    for i in range(0, n, size):
        curves += splitter.push({name: v[i : i + size] for name, v in channels.items()})
    return curves + splitter.finish(), splitter.warnings


def by_height(corners, noise=0.0, **options):
    return split({"height": sampled(corners, noise=noise)}, **options)


def times_of(curve, rate=RATE):
    """Begin, end of the approach, begin of the retract and end in s."""
    ends = {s.kind: (curve.start + s.start, curve.start + s.stop) for s in curve.segments}
    approach, retract = ends["approach"], ends["retract"]
    return np.array([*approach, *retract]) / rate


def kinds(curve):
    return [s.kind for s in curve.segments]


# ---------------------------------------------------------------- by height


def test_corners_without_noise_are_met_to_a_sample():
    corners, truth = ramps((0.0, 0.0), (0.0, 0.3), (0.25, 0.0), (0.1, 0.5), (0.0, 0.0))
    curves, warnings = by_height(corners)
    assert warnings == []
    assert len(curves) == len(truth)
    for curve, expected in zip(curves, truth, strict=True):
        assert times_of(curve) == pytest.approx(expected, abs=1.5 / RATE)
        assert curve.complete
        assert math.isnan(curve.potential)
        assert kinds(curve) == (
            ["approach", "hold", "retract"]
            if expected[2] > expected[1]
            else ["approach", "retract"]
        )
        assert curve.segments[0].start == 0
        assert curve.segments[-1].stop == curve.stop - curve.start
        for one, other in zip(curve.segments, curve.segments[1:], strict=False):
            assert one.stop == other.start
    # Without a wait at the top, one curve ends where the next begins.
    assert curves[0].stop == curves[1].start


@pytest.mark.parametrize("noise", [0.1e-9, 1e-9, 3e-9])
def test_corners_through_noise_are_met_as_well_as_theory_says(noise):
    corners, truth = ramps(*[(0.15 * (i % 2), 0.2 * (i % 3)) for i in range(12)])
    curves, _ = by_height(corners, noise)
    assert len(curves) == len(truth)
    errors = np.concatenate([times_of(c) for c in curves]) - np.concatenate(truth)
    # The window holds n bins, so that the standard error of a straight line's slope,
    # sqrt(12) noise / n^(3/2), is a tenth of the speed; at a corner the slope changes by
    # 3/2 speed / n per bin: a standard error of n / 15 bins.
    of_bin = noise / math.sqrt(BIN * RATE)
    n = max(3.0, (10.0 * math.sqrt(12.0) * of_bin / (SPEED * BIN)) ** (2.0 / 3.0))
    theory = n / 15.0 * BIN
    assert np.sqrt(np.mean(errors**2)) < 1.5 * theory + 0.5 / RATE
    assert np.abs(errors).max() < 6.0 * theory + 1.0 / RATE
    assert abs(errors.mean()) < theory


def test_ramps_of_other_speeds_up_and_down():
    corners, truth = ramps((0.0, 0.0), (0.2, 0.0), down=0.4, up=2.0)
    curves, warnings = by_height(corners, noise=0.2e-9)
    assert warnings == []
    for curve, expected in zip(curves, truth, strict=True):
        assert times_of(curve) == pytest.approx(expected, abs=4 * BIN)


def test_a_scanner_that_bends_its_ramps_turns_where_it_turns():
    n = round(RATE)
    u = np.arange(n) / n
    fall = TOP * (1 - u - 0.2 * u * (1 - u))  # 5 % of hysteresis
    stream = np.concatenate([np.full(n // 5, TOP), fall, TOP - fall, fall, TOP - fall])
    curves, _ = split({"height": np.append(stream, np.full(n // 5, TOP))})
    assert len(curves) == 2
    for i, curve in enumerate(curves):
        expected = 0.2 + 2 * i + np.array([0, 1, 1, 2])
        assert times_of(curve) == pytest.approx(expected, abs=BIN)


def test_a_ramp_that_slows_down_for_a_while_goes_on():
    corners = [(0, TOP), (0.2, TOP), (0.95, 75e-9), (1.0, 69e-9), (1.23, 0), (2.23, TOP), (3, TOP)]
    (curve,), _ = by_height(corners, noise=0.1e-9)
    assert kinds(curve) == ["approach", "retract"]
    assert times_of(curve) == pytest.approx([0.2, 1.23, 1.23, 2.23], abs=2 * BIN)


def test_creep_in_a_hold_belongs_to_the_hold():
    corners = [(0, TOP), (0.2, TOP), (1.2, 0), (2.2, -60e-9), (3.5, 330e-9), (4.0, 330e-9)]
    curves, _ = by_height(corners, noise=0.2e-9)
    (curve,) = curves
    assert kinds(curve) == ["approach", "hold", "retract"]
    assert times_of(curve) == pytest.approx([0.2, 1.2, 2.2, 3.5], abs=4 * BIN)


def test_a_long_wait_behind_a_ramp_is_no_lack_of_ramps():
    """What was found before is not forgotten when the recording ends at rest."""
    corners, truth = ramps((0.1, 0.0), after=5.0)
    curves, said = by_height(corners, longest=3.0)
    assert len(curves) == len(truth)
    assert not [text for text in said if "no ramp of" in text]


def test_small_moves_are_no_ramps():
    corners = [
        (0, TOP),
        (0.5, TOP + 40e-9),
        (1, TOP),
        (2, 0),
        (3, TOP),
        (3.5, TOP - 40e-9),
        (4, TOP),
    ]
    curves, warnings = by_height(corners)
    assert len(curves) == 1
    assert by_height(corners, travel=30e-9)[0] != curves
    curves, warnings = by_height([(0, 0), (1, 40e-9), (2, 0)])
    assert curves == []
    assert warnings[0].startswith("no ramp of 50 nm or more was found in 2 s")


def test_noise_near_the_travel_is_warned_of():
    corners, _ = ramps((0.0, 0.0))
    _, warnings = by_height(corners, noise=8e-9, travel=20e-9)
    assert "give a larger travel" in warnings[0]


# ---------------------------------------------------------------- begin and end


def test_a_recording_that_begins_in_an_approach():
    corners, _ = ramps((0.0, 0.3), (0.0, 0.3))
    (first, second), warnings = split({"height": sampled(corners)[round(0.5 * RATE) :]})
    assert (first.start, first.complete) == (0, False)
    assert times_of(first)[1:] == pytest.approx([0.7, 0.7, 1.7], abs=BIN)
    assert second.complete
    assert warnings == ["the curve at 0.000 s has an approach whose begin is missing"]


def test_a_recording_that_begins_in_a_retract():
    corners, truth = ramps((0.0, 0.3), (0.0, 0.3))
    (only,), warnings = split({"height": sampled(corners)[round(1.5 * RATE) :]})
    assert times_of(only) + 1.5 == pytest.approx(truth[1], abs=BIN)
    assert only.complete
    assert "retract without an approach, and was dropped" in warnings[0]


def test_a_recording_that_ends_in_an_approach_or_a_hold():
    corners, _ = ramps((0.0, 0.3), (0.3, 0.0))
    stream = sampled(corners)
    (_, last), warnings = split({"height": stream[: round(3.0 * RATE)]})
    assert kinds(last) == ["approach"]
    assert (last.stop, last.complete) == (round(3.0 * RATE), False)
    assert "ended before the retract" in warnings[0]
    (_, last), _ = split({"height": stream[: round(3.7 * RATE)]})
    assert kinds(last) == ["approach", "hold"]
    assert (last.start + last.segments[0].stop) / RATE == pytest.approx(3.5, abs=BIN)


def test_a_recording_that_ends_in_a_retract_or_after_it():
    corners, truth = ramps((0.0, 0.0))
    stream = sampled(corners)
    (last,), warnings = split({"height": stream[: round(2.0 * RATE)]})
    assert (last.stop, last.complete) == (round(2.0 * RATE), False)
    assert "not over at the end" in warnings[0]
    (last,), warnings = split({"height": stream})
    assert times_of(last) == pytest.approx(truth[0], abs=1.5 / RATE)
    assert (last.complete, warnings) == (True, [])


def test_a_long_wait_at_the_top_closes_the_curve_and_keeps_none_of_it():
    corners, truth = ramps((0.0, 30.0), (0.0, 0.3), before=25.0)
    curves, warnings = by_height(corners, longest=6.0)
    assert warnings == []
    for curve, expected in zip(curves, truth, strict=True):
        assert times_of(curve) == pytest.approx(expected, abs=BIN)


def test_a_curve_that_does_not_turn_for_too_long_is_dropped_and_said():
    corners, truth = ramps((20.0, 0.5), (0.0, 0.3))
    curves, warnings = by_height(corners, longest=6.0)
    assert len(curves) == 1
    assert times_of(curves[0]) == pytest.approx(truth[1], abs=BIN)
    assert "does not turn within `longest`" in warnings[0]
    assert "0.200 s" in warnings[0]


# ---------------------------------------------------------------- potential


def test_potential_is_the_mean_over_the_curve():
    corners, truth = ramps((0.0, 0.3), (0.2, 0.3))
    height = sampled(corners)
    sweep = 0.1 - 0.05 * np.arange(len(height)) / RATE  # a linear sweep: the value half way
    curves, _ = split({"height": height, "potential": sweep})
    for curve, (begin, *_, end) in zip(curves, truth, strict=True):
        assert curve.potential == pytest.approx(0.1 - 0.05 * (begin + end) / 2, abs=0.05 * BIN)


# ---------------------------------------------------------------- by deflection


def deflection(*contacts, end, offset=0.0, drift=0.0, noise=0.0, adhesion=0.0):
    """Volts: contacts (begin, turn, end of hold, end) with 2 V at the turn; a dip at the end."""
    corners = [(0.0, 0.0)]
    for begin, turn, leave, out in contacts:
        corners += [(begin, 0.0), (turn, 2.0), (leave, 2.0), (out, 0.0)]
        if adhesion:
            corners += [(out + 0.02, -adhesion), (out + 0.0201, 0.0)]
    corners.append((end, 0.0))
    values = sampled(corners, noise=noise)
    return offset + drift * np.arange(len(values)) / RATE + values


OPTIONS = {"by": "deflection", "threshold": 0.2, "pre": 0.5, "post": 0.3}


def test_contacts_with_time_before_and_after():
    volts = deflection((1.0, 1.2, 1.2, 1.4), (3.0, 3.2, 3.5, 3.7), end=5.0, noise=5e-3, offset=-3.0)
    (one, other), warnings = split({"deflection": volts}, **OPTIONS)
    assert warnings == []
    assert kinds(one) == ["approach", "retract"]
    assert kinds(other) == ["approach", "hold", "retract"]
    # It is above 0.2 V after a tenth of the rise of 0.2 s, and below 0.1 V after 95 % of the fall.
    assert times_of(one) == pytest.approx([0.52, 1.2, 1.2, 1.69], abs=2e-3)
    assert times_of(other) == pytest.approx([2.52, 3.2, 3.5, 3.99], abs=2e-3)
    assert one.complete
    assert other.complete


def test_contacts_close_together_share_the_gap():
    volts = deflection((1.0, 1.2, 1.2, 1.4), (1.8, 2.0, 2.0, 2.2), end=3.0)
    (one, other), _ = split({"deflection": volts}, **OPTIONS)
    assert one.stop == other.start
    assert one.stop / RATE == pytest.approx((1.39 + 1.82) / 2, abs=2 * BIN)


def test_a_drifting_baseline_adhesion_and_glitches_make_no_contacts():
    contacts = [(t, t + 0.2, t + 0.2, t + 0.4) for t in np.arange(1.0, 59.0, 2.0)]
    volts = deflection(*contacts, end=60.0, drift=0.05, noise=5e-3, adhesion=0.5)
    volts[round(0.2 * RATE)] += 5.0
    curves, warnings = split({"deflection": volts}, **OPTIONS)
    assert warnings == []
    assert len(curves) == len(contacts)
    turns = [(c.start + c.segments[0].stop) / RATE for c in curves]
    assert turns == pytest.approx([turn for _, turn, *_ in contacts], abs=5e-3)


def test_a_recording_that_begins_in_contact_says_so_and_finds_the_next():
    corners = [(0, 2.0), (1, 2.0), (1.2, 0), (8, 0), (8.2, 2), (8.4, 0), (10, 0)]
    (curve,), warnings = split({"deflection": sampled(corners)}, **OPTIONS)
    assert (curve.start + curve.segments[0].stop) / RATE == pytest.approx(8.2, abs=BIN)
    assert warnings == ["the recording began in contact: what was cut was dropped"]


def test_contacts_cut_by_begin_and_end_are_incomplete():
    volts = deflection((0.3, 0.5, 0.5, 0.7), (2.0, 2.2, 2.2, 2.4), (4.0, 4.2, 4.2, 4.4), end=4.1)
    (one, two, three), warnings = split({"deflection": volts}, **OPTIONS)
    assert [one.complete, two.complete, three.complete] == [False, True, False]
    assert (one.start, three.stop) == (0, len(volts))
    assert kinds(three) == ["approach"]
    assert ["begin" in warnings[0], "end" in warnings[1]] == [True, True]


def test_a_step_that_stays_is_a_new_baseline():
    corners = [(0, 0.0), (1, 0), (1.001, 3), (20, 3), (20.2, 5), (20.4, 3), (22, 3)]
    (curve,), warnings = split({"deflection": sampled(corners)}, longest=6.0, **OPTIONS)
    assert (curve.start + curve.segments[0].stop) / RATE == pytest.approx(20.2, abs=BIN)
    assert "does not end within `longest`" in warnings[0]


def test_simulated_curves_turn_where_the_simulator_turns():
    ramp = sim.Ramp(samples=20_000, length=300e-9, speed=300e-9, trigger=60e-9)
    layers = (sim.Layer(10e-9, 5e6 + 2e6j),)
    sample = sim.Sample(sim.Interphase(layers, force=2e-9))
    instrument = sim.Instrument(lateral_stiffness=50.0)
    curves, _ = sim.simulate(sample, instrument, ramp, n_curves=3, volts=True, seed=2)
    wait = 10_000
    flat = np.concatenate(
        [np.pad(v, (wait, 0), mode="edge") for v in curves.read("deflection").reshape(3, -1)]
    )
    found, _ = split({"deflection": flat}, **(OPTIONS | {"pre": 1.0}))
    turns = [c.start + c.segments[0].stop for c in found]
    expected = wait + ramp.samples + np.arange(3) * (wait + 2 * ramp.samples)
    assert np.abs(np.array(turns) - expected).max() <= 4 * BIN * RATE


# ---------------------------------------------------------------- by a marker


def test_a_gate_is_met_to_the_sample_and_cut_at_the_turning_point():
    corners, _ = ramps((0.0, 0.3), (0.2, 0.3))
    height = sampled(corners, noise=0.1e-9)
    marker = np.zeros(len(height))
    edges = [(3_903, 44_111), (49_701, 94_317)]
    for a, b in edges:
        marker[a:b] = 5.0
    marker[10_000:10_010] = 1.4  # between the TTL levels: stays high
    marker[12_000:12_010] = 0.9
    curves, warnings = split({"marker": marker, "height": height}, by="marker")
    assert [(c.start, c.stop) for c in curves] == edges
    assert [kinds(c) for c in curves] == [
        ["approach", "retract"],
        ["approach", "hold", "retract"],
    ]
    assert times_of(curves[0])[1] == pytest.approx(1.2, abs=4 * BIN)
    assert times_of(curves[1])[1:3] == pytest.approx([3.5, 3.7], abs=4 * BIN)
    assert warnings == []


def test_a_gate_over_one_way_only_and_without_any_height():
    corners, _ = ramps((0.0, 0.3))
    height = sampled(corners)
    marker = np.zeros(len(height))
    marker[6_000:22_000] = marker[26_000:40_000] = 1.0
    options = {"by": "marker", "threshold": 0.5}
    down, up = split({"marker": marker, "height": height}, **options)[0]
    assert [kinds(down), kinds(up)] == [["approach"], ["retract"]]
    assert [(c.start, c.stop) for c in (down, up)] == [(6_000, 22_000), (26_000, 40_000)]
    down, up = split({"marker": marker}, **options)[0]
    assert [kinds(down), kinds(up)] == [["other"], ["other"]]


def test_pulses_begin_curves_and_the_last_is_cut():
    corners, _ = ramps((0.0, 0.0), (0.0, 0.0))
    height = sampled(corners)
    marker = np.zeros(len(height))
    for at in (4_000, 44_000):
        marker[at : at + 20] = 5.0
    curves, warnings = split({"marker": marker, "height": height}, by="marker", pulses=True)
    assert [(c.start, c.stop, c.complete) for c in curves] == [
        (4_000, 44_000, True),
        (44_000, len(height), False),
    ]
    assert len(warnings) == 1


def test_gates_cut_by_begin_and_end_are_incomplete_and_long_ones_dropped():
    marker = np.zeros(10 * round(RATE))
    marker[:5_000] = marker[30_000:180_000] = marker[190_000:] = 5.0
    curves, warnings = split({"marker": marker}, by="marker", longest=6.0)
    assert [(c.start, c.stop, c.complete) for c in curves] == [
        (0, 5_000, False),
        (190_000, 200_000, False),
    ]
    assert "longer than `longest`" in warnings[1]


# ---------------------------------------------------------------- blocks, memory, cost

_CORNERS, _ = ramps((0.0, 0.0), (0.1, 0.1), (0.0, 4.0), (0.05, 0.0), down=0.3, up=0.2)
_HEIGHT = sampled(_CORNERS, rate=5_000.0, noise=2e-9)
_TIME = np.arange(len(_HEIGHT)) / 5_000.0
STREAM = {
    "height": _HEIGHT,
    "deflection": np.maximum(0.0, 100e-9 - _HEIGHT) / 50e-9,
    "potential": np.sin(_TIME),
    "marker": np.where(_HEIGHT < 280e-9, 5.0, 0.0),
}
BLOCKS = [
    {"by": "height", "longest": 3.0},
    {"by": "deflection", "threshold": 0.3, "pre": 0.1, "post": 0.2, "longest": 3.0},
    {"by": "marker", "longest": 3.0},
]


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6_000), min_size=1, max_size=12),
    begin=st.integers(0, len(_HEIGHT) // 2),
)
@pytest.mark.parametrize("options", BLOCKS, ids=lambda o: o["by"])
def test_curves_do_not_depend_on_the_blocks(options, sizes, begin):
    channels = {name: values[begin:] for name, values in STREAM.items()}
    whole, said = split(channels, rate=5_000.0, size=len(_HEIGHT), **options)
    splitter, found, at, i = Splitter(5_000.0, **options), [], 0, 0
    while at < len(channels["height"]):
        stop = at + sizes[i % len(sizes)]
        found += splitter.push({name: v[at:stop] for name, v in channels.items()})
        at, i = stop, i + 1
    found += splitter.finish()
    assert found == whole
    assert sorted(splitter.warnings) == sorted(said)


@pytest.mark.parametrize("options", BLOCKS, ids=lambda o: o["by"])
def test_one_sample_at_a_time_gives_the_same(options):
    whole, _ = split(STREAM, rate=5_000.0, size=len(_HEIGHT), **options)
    assert len(whole) >= 3
    assert split(STREAM, rate=5_000.0, size=1, **options)[0] == whole


@pytest.mark.parametrize("options", BLOCKS, ids=lambda o: o["by"])
def test_memory_does_not_grow_with_the_stream(options):
    rng = np.random.default_rng(0)
    splitter = Splitter(5_000.0, **options)
    tracemalloc.start()
    try:
        used = []
        for _ in range(60):  # 60 times the whole, and as long a wait in every state
            splitter.push(STREAM)
            for level in (TOP, 0.0):
                wait = {name: np.full(40_000, v[-1]) for name, v in STREAM.items()}
                wait["height"] = level + 1e-9 * rng.standard_normal(40_000)
                splitter.push(wait)
            gc.collect()  # circles are no growth
            used.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert max(used[20:]) < max(used[:20]) + 100e3
    assert max(used) < 2e6


def test_cost_is_a_small_part_of_a_core_at_250_kilosamples_per_second():
    rate = 250e3
    corners, _ = ramps((0.0, 0.1), (0.1, 0.1), down=0.3, up=0.3)
    height = np.tile(sampled(corners, rate=rate, noise=1e-9), 4)
    splitter = Splitter(rate)
    began = time.process_time()
    for i in range(0, len(height), 25_000):
        splitter.push({"height": height[i : i + 25_000]})
    took = time.process_time() - began
    assert took < 0.1 * len(height) / rate  # about 0.01 on a quiet machine


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "options",
    [
        {"by": "sound"},
        {"travel": 0.0},
        {"travel": math.nan},
        {"resolution": -1.0},
        {"longest": math.inf},
        {"longest": 1e-3},
        {"by": "deflection"},
        {"by": "deflection", "threshold": 0.1, "pre": 1.0},
        {"by": "deflection", "threshold": -0.1, "pre": 1.0, "post": 1.0},
        {"by": "marker", "threshold": 0.0},
    ],
)
def test_absurd_options_are_refused(options):
    with pytest.raises(InvalidInput):
        Splitter(RATE, **options)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_absurd_rates_are_refused(rate):
    with pytest.raises(InvalidInput, match="rate"):
        Splitter(rate)


def test_bad_blocks_are_refused_with_the_sample_named():
    splitter = Splitter(RATE)
    with pytest.raises(InvalidInput, match="no channel height"):
        splitter.push({"deflection": np.zeros(3)})
    splitter.push({"height": np.zeros(100)})
    bad = np.zeros(10)
    bad[3] = np.nan
    with pytest.raises(InvalidInput, match="height is not a finite number at sample 103"):
        splitter.push({"height": bad})
    with pytest.raises(InvalidInput, match="shape"):
        splitter.push({"height": np.zeros((2, 2))})
    with pytest.raises(InvalidInput, match="shape"):
        splitter.push({"height": np.zeros(4), "potential": np.zeros(3)})
    with pytest.raises(InvalidInput, match="come and go"):
        splitter.push({"height": np.zeros(4), "potential": np.zeros(4)})
    assert splitter.push({"height": np.empty(0)}) == []
    assert splitter.samples == 100
    assert splitter.finish() == []
    assert splitter.finish() == []
    with pytest.raises(InvalidInput, match="finished"):
        splitter.push({"height": np.zeros(4)})


@pytest.mark.parametrize("options", BLOCKS, ids=lambda o: o["by"])
def test_an_empty_stream_has_no_curves(options):
    assert Splitter(RATE, **options).finish() == []


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_cuts_of_next_to_nothing(n):
    a, b = cuts(np.zeros(n))
    assert 0 <= a <= b <= n


@pytest.mark.parametrize("shift", [-0.3, 0.3])
def test_cuts_at_corners_within_a_bin(shift):
    """A bin belongs to what comes after the corner if more than half of it does."""
    i = np.arange(131.0)
    fall, rise = np.maximum(50.0 + shift - i, 0.0), np.maximum(i - 80.0 - shift, 0.0)
    up = 1 if shift > 0.0 else 0
    assert cuts(fall + rise) == (50 + up, 80 + up)


def test_cuts_of_what_does_not_move():
    """Neither a fall nor a rise: all of it is a hold."""
    assert cuts(np.full(10, 5.0)) == (0, 10)


# ---------------------------------------------------------------- while it goes on


def looked_at(channels, size, **options):
    """Curves with the time at which they are first seen, looking after each block; all curves."""
    splitter, seen, curves = Splitter(RATE, **options), [], []
    n = len(next(iter(channels.values())))
    for i in range(0, n, size):
        curves += splitter.push({name: v[i : i + size] for name, v in channels.items()})
        waiting = splitter.over()
        known = curves + ([waiting] if waiting else [])
        seen += [(curve, splitter.samples / RATE) for curve in known[len(seen) :]]
    return seen, curves + splitter.finish()


@pytest.mark.parametrize("size", [400, 1777, 4000])
@pytest.mark.parametrize("noise", [0.0, 0.3e-9, 2e-9])
def test_a_curve_is_seen_before_the_next_one_begins(size, noise):
    """Within a block and 60 ms (more where noise hides the rest), though the next comes late."""
    corners, truth = ramps((0.05, 2.0), (0.05, 1.0), (0.0, 0.4), (0.0, 5.0), after=1.0)
    stream = {"height": sampled(corners, noise=noise)}
    seen, curves = looked_at(stream, size)
    assert len(seen) == len(curves) == len(truth)
    for (early, at), curve, times in zip(seen, curves, truth, strict=True):
        assert at - times[-1] < size / RATE + (0.06 if noise < 1e-9 else 0.2)
        assert (early.start, early.segments[0]) == (curve.start, curve.segments[0])
        assert abs(early.stop - curve.stop) / RATE < 0.01
    assert curves == split(stream, size=1777)[0], "looking changes nothing"


def test_a_curve_by_deflection_is_seen_when_its_time_has_passed():
    times = np.arange(round(6.0 * RATE)) / RATE
    deflection = np.where((times % 3.0 > 1.0) & (times % 3.0 < 1.5), 1.0, 0.0)
    options = {"by": "deflection", "threshold": 0.5, "pre": 0.8, "post": 0.3}
    stream = {"deflection": deflection}
    seen, curves = looked_at(stream, 1000, **options)
    assert [(c.start, c.stop) for c, _ in seen] == [(c.start, c.stop) for c in curves]
    for (_, at), end in zip(seen, (1.8, 4.8), strict=True):
        assert 0.0 <= at - end <= 0.06
    assert curves == split(stream, size=777, **options)[0]


def test_a_ramp_that_goes_on_is_not_over():
    corners, _ = ramps((0.0, 0.0), (0.0, 0.0))
    height = sampled(corners, noise=0.5e-9)
    splitter = Splitter(RATE)
    for i in range(0, round(2.19 * RATE), 200):  # both ramps last 1 s, the first ends at 2.2 s
        splitter.push({"height": height[i : i + 200]})
        assert splitter.over() is None, i / RATE


def test_the_smallest_bins_and_the_longest_curve_that_are_usual():
    """Bins of 0.5 ms, of which a curve has at least a hundred, and curves of two minutes."""
    Splitter(10_000.0, longest=0.05)
    with pytest.raises(InvalidInput, match="cannot be found"):
        Splitter(10_000.0, longest=0.0497)
    Splitter(0.83)
    with pytest.raises(InvalidInput, match="cannot be found"):
        Splitter(0.82)


def test_a_marker_keeps_its_state_between_the_ttl_levels():
    marker = np.concatenate([np.full(100, v) for v in (0.0, 1.99, 2.0, 0.9, 0.81, 0.79, 1.9, 0.0)])
    curves, warnings = split({"marker": marker}, rate=1000.0, by="marker")
    assert [(c.start, c.stop, c.complete) for c in curves] == [(200, 500, True)]
    assert warnings == []
    own, _ = split({"marker": marker / 2}, rate=1000.0, by="marker", threshold=1.0)
    assert [(c.start, c.stop) for c in own] == [(200, 500)]


def test_after_a_curve_and_a_long_rest_no_ramp_is_missed():
    """A curve was found: that none was is not said when the stream ends without another."""
    corners, _ = ramps((0.0, 0.0), after=9.0)
    curves, warnings = by_height(corners, longest=3.0)
    assert len(curves) == 1
    assert warnings == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0, 2.0, 1.0, 0.0, 1.0, 2.0, 3.0], (4, 4)),  # half of a bin belongs to the fall
        ([4.0, 3.0, 2.0, 1.0, 0.0], (5, 5)),
        ([0.0, 1.0, 2.0, 3.0, 4.0], (0, 0)),
        ([1.0, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0], (0, 0)),  # a fall of a tenth of the rise is none
        ([10.0, 8.0, 6.0, 4.0, 2.0, 0.0, 1.0], (7, 7)),
        ([2.0, 0.0, 2.0], (2, 2)),
        ([1.0, 0.0], (2, 2)),
        ([], (0, 0)),
    ],
)
def test_cuts_of_a_few_bins(values, expected):
    assert cuts(np.array(values)) == expected


@pytest.mark.parametrize(("begin", "complete"), [(0.3, True), (0.2995, False), (0.3005, True)])
def test_a_contact_needs_all_of_the_time_before_it(begin, complete):
    """The recording may begin with the curve, and no later."""
    times = np.arange(round(2.0 * RATE)) / RATE
    deflection = np.where((times >= begin) & (times < begin + 0.5), 1.0, 0.0)
    splitter = Splitter(RATE, by="deflection", threshold=0.5, pre=0.3, post=0.2)
    assert splitter.push({"deflection": deflection[: round(1.1 * RATE)]}) == []
    early = splitter.over()
    assert (early.start, early.complete) == (0 if begin <= 0.3 else 10, complete)
    curves = splitter.push({"deflection": deflection[round(1.1 * RATE) :]}) + splitter.finish()
    assert curves == [early]
    cut = ["the curve at 0.000 s is cut by the recording's begin"]
    assert splitter.warnings == ([] if complete else cut)
