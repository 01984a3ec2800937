"""Walls, lateral checks, the normal channel and knots: plain numpy and closed forms beside them.

Powers of two as units make sums of samples exact, so that boundaries can be met.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nrm_plugin import kernels

#: A power of two near 1 nm.
STEP = 2.0**-30


def of_kind(kind: Any, **values: float) -> Any:
    made = np.zeros(1, kind)
    for name, value in values.items():
        made[name] = value
    return made


# ------------------------------------------------------------------ the last samples of a curve


@pytest.mark.parametrize(
    ("turn", "left"), [(0.0, 100), (1.0, 99), (1.5, 98), (30.0, 70), (75.5, 24), (1e3, 24)]
)
def test_tails_end_before_the_turn(turn: float, left: int) -> None:
    """What lies within the turn of the last sample is left out; 24 samples always stay.

    Windows are of half of what is left at most.
    """
    height = np.arange(100, 0, -1) * STEP
    bent = np.where(height < 50 * STEP, 50 * STEP - height, 0.0)
    sizes = np.array([left // 2, left // 2 + 1, 12, 0, -1])
    begin = np.array([0, 100])
    slopes, errors = kernels.tail_slopes(begin, height, bent, sizes, np.array([turn * STEP]))
    assert np.isfinite(slopes[0, 0]).tolist() == [True, False, True, False, False]
    assert np.isfinite(errors[0, 0]).tolist() == [True, False, True, False, False]
    inside = left - 12 >= 50
    assert slopes[0, 0, 2] == pytest.approx(-1.0 if inside else 0.0, abs=0.02 if inside else 0.5)


def test_slopes_of_tails_are_those_of_lines() -> None:
    """Less the baseline's, with the noise of one sample over the root of the heights' squares."""
    rng = np.random.default_rng(3)
    height = np.linspace(300.0, -60.0, 400) * STEP
    noise = 0.1 * STEP * rng.standard_normal(400)
    bent = 0.01 * height + np.where(height < 0.0, -0.8 * height, 0.0) + noise
    begin, sizes = np.array([0, 0, 400, 423]), np.array([20, 60])
    flat = np.concatenate([height, height[:23]]), np.concatenate([bent, bent[:23]])
    turns = np.array([0.0, 10 * STEP])
    slopes, errors = kernels.tail_slopes(begin, *flat, sizes, turns)
    assert np.isnan(slopes[:, [0, 2]]).all()
    of_one = kernels.noise(bent)
    end = int(kernels.rough_baselines(np.array([0, 400]), height, bent)[0])
    tilt = np.polyfit(height[:end], bent[:end], 1)[0]
    for k, turn in enumerate(turns):
        stop = int(np.sum(height - height[-1] >= turn))
        for j, size in enumerate(sizes):
            x, y = height[stop - size : stop], bent[stop - size : stop]
            root = np.sqrt(np.sum((x - x.mean()) ** 2))
            assert errors[k, 1, j] == pytest.approx(of_one / root, rel=1e-9)
            expected = np.polyfit(x, y, 1)[0] - tilt
            assert slopes[k, 1, j] == pytest.approx(expected, rel=1e-9)


# ------------------------------------------------------------------ lateral checks


def wall_of(bent: Any, **changes: float) -> dict[str, Any]:
    """A curve of steps above a wall that begins at height 0, and its contact."""
    n = len(bent)
    height = (n - 1 - 40 - np.arange(n)) * STEP
    contact = {
        "contact": 0.0,
        "baseline_end": 20.0,
        "wall_begin": float(n - 41),
        "wall_samples": 41.0,
        "wall_slope": -1.0,
    } | changes
    return {"height": height, "clean": bent * STEP, "contact": of_kind(kernels.CONTACT, **contact)}


def check(
    curve: dict[str, Any], x: Any, y: Any, delay: float = 0.0, *, heights: bool = True
) -> Any:
    begin = np.array([0, len(x)])
    own = of_kind(kernels.CURVE, delay=delay)
    height = curve["height"] if heights else None
    return kernels.check_lateral(begin, curve["clean"], x, y, curve["contact"], own, height)[0]


def plain_quarters(
    curve: dict[str, Any], x: Any, y: Any, delay: float, *, heights: bool
) -> dict[str, Any]:
    """Onset, and means over the quarters of what the wall bears."""
    clean, contact, n = curve["clean"], curve["contact"][0], len(x)
    count = int(contact["wall_samples"])
    first, stop = int(contact["wall_begin"]), int(contact["wall_begin"]) + count
    begin = first
    if heights and contact["wall_slope"] < 0.0:
        raw = clean - contact["baseline_at"] - contact["baseline_slope"] * curve["height"]
        z = curve["height"] - contact["contact"] - raw / contact["wall_slope"]
        near = max(contact["noise"], 0.5e-9)
        middle = max(int(contact["baseline_end"]) // 2, 5)
        ends = (i for i in range(middle, first) if z[i - 4 : i + 1].sum() < 5.0 * near)
        begin = next(ends, first)
    zero = contact["baseline_at"] + contact["baseline_slope"] * contact["contact"]
    top = clean[stop - 5 : stop].mean() - zero
    onset = max(clean[max(begin - 4, 0) :][:5].mean() - zero, 0.0) if heights else 0.0
    later = int(np.floor(delay + 0.5))
    kept = np.arange(begin + max(2 * later, 0), stop)
    kept = kept[(kept + later >= 0) & (kept + later < n)]
    load = clean[kept] - zero
    part = 4.0 * (load - onset) / (top - onset)
    quarter = np.where(part >= 0.0, np.minimum(np.floor(part), 3), -1)
    base = int(contact["baseline_end"])
    far = (base + 1) // 2 if base > 1 else n // 4
    found = {"onset": onset, "offset_x": x[:far].mean(), "offset_y": y[:far].mean()}
    found |= {"noise_x": x[:far].std(ddof=1), "noise_y": y[:far].std(ddof=1)}
    for q in range(4):
        here = quarter == q
        signals = load, x[kept + later], y[kept + later]
        for name, values in zip(("load", "wall_x", "wall_y"), signals, strict=True):
            less = found.get(f"offset_{name[-1]}", 0.0)
            found[f"{name} {q}"] = values[here].mean() - less if here.sum() >= 3 else np.nan
    return found


@pytest.mark.parametrize("heights", [True, False])
@pytest.mark.parametrize(
    ("delay", "changes"),
    [
        (0.0, {}),
        (2.0, {}),
        (2.5, {"baseline_end": 21.0}),
        (-3.0, {"baseline_at": 0.5 * STEP, "baseline_slope": 0.001}),
        (0.0, {"wall_slope": 0.0}),
        (0.0, {"noise": 3 * STEP}),
        (9.0, {"baseline_end": 1.0}),
        (0.0, {"wall_begin": 90.0, "wall_samples": 20.0}),
        (0.0, {"baseline_end": 130.0}),
        (0.0, {"contact": 6 * STEP, "wall_begin": 115.0, "wall_samples": 26.0}),
        (1.0, {"contact": 6 * STEP, "wall_begin": 136.0, "wall_samples": 5.0}),
        (1.0, {"contact": 6 * STEP, "wall_begin": 118.0, "wall_samples": 23.0, "noise": STEP}),
        (0.0, {"contact": 6 * STEP, "wall_begin": 121.0, "wall_samples": 20.0, "wall_slope": -1.1}),
        (
            0.0,
            {"contact": 6 * STEP, "wall_begin": 110.0, "wall_samples": 31.0, "baseline_end": 1.0},
        ),
    ],
)
def test_quarters_of_the_wall(heights: bool, delay: float, changes: dict[str, float]) -> None:
    rng = np.random.default_rng(11)
    n = 141
    height = n - 41 - np.arange(n)
    layer = np.where(height < 30, 0.2 * (30.0 - height), 0.0)
    bent = np.maximum(np.where(height < 0, 6.0 - height, 0.0), layer) + 0.05 * rng.normal(size=n)
    x, y = 0.1 * rng.normal(size=(2, n)) + np.maximum(bent, 0.0) ** [[0.5], [0.7]]
    curve = wall_of(bent, **changes)
    found = check(curve, x, y, delay, heights=heights)
    for name, expected in plain_quarters(curve, x, y, delay, heights=heights).items():
        field, _, quarter = name.partition(" ")
        value = found[field][int(quarter)] if quarter else found[field]
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-21, nan_ok=True), name
    assert found["missing"] == 0.0


def test_the_largest_load_is_of_the_last_quarter() -> None:
    """A wall whose last five samples bear the same, 32 steps: quarters of eight steps."""
    bent = np.concatenate([np.zeros(100), np.arange(36.0), np.full(5, 32.0)])
    bent[100:136] = np.minimum(bent[100:136], 32.0)
    x = np.where(bent < 32.0, 1.0, 5.0)
    x[:100] = 0.0
    curve = wall_of(bent, baseline_end=90.0)
    found = check(curve, x, -x, heights=False)
    loads = [np.arange(8.0), np.arange(8.0, 16.0), np.arange(16.0, 24.0)]
    loads += [np.concatenate([np.arange(24.0, 32.0), np.full(9, 32.0)])]
    np.testing.assert_array_equal(found["load"], [load.mean() * STEP for load in loads])
    np.testing.assert_array_equal(found["wall_x"], [1.0, 1.0, 1.0, (8.0 + 45.0) / 17.0])
    np.testing.assert_array_equal(found["wall_y"], -found["wall_x"])


@pytest.mark.parametrize("power", [1.0, 1.0 / 3.0])
def test_exponent_of_the_force_with_the_load(power: float) -> None:
    """Least squares of the force against the load, in units of both means."""
    bent = np.concatenate([np.zeros(100), np.linspace(4.0, 44.0, 41)])
    curve = wall_of(bent)
    force = bent**power
    found = check(curve, 0.6 * force, -0.8 * force, heights=False)
    load = bent[100:]
    slope, at = np.polyfit(load, load**power, 1)
    left = load**power - slope * load - at
    per_slope = load.mean() / np.mean(load**power)
    assert found["exponent"] == pytest.approx(slope * per_slope, rel=1e-9)
    spread = np.sum((load - load.mean()) ** 2)
    error = np.sqrt(left @ left / 39.0 / spread) * per_slope
    assert found["stderr"] == pytest.approx(error, rel=1e-6, abs=1e-12)
    assert found["straight"] == (1.0 if power == 1.0 else 0.0)


@pytest.mark.parametrize(
    ("samples", "first", "there"),
    [(24.0, 4.0, True), (23.0, 4.0, False), (41.0, 0.0, False), (41.0, 88.0, False)],
)
def test_exponents_need_a_wall(samples: float, first: float, there: bool) -> None:
    """24 samples, of which the last bears half as much again as the first."""
    bent = np.concatenate([np.zeros(100), np.linspace(first, first + 44.0, 41)])
    curve = wall_of(bent, wall_samples=samples)
    found = check(curve, bent, bent, heights=False)
    assert np.isfinite(found["exponent"]) == there


@pytest.mark.parametrize(
    ("x_far", "x_near", "y_far", "y_near", "missing"),
    [
        (0, 1, 0, 1, 0.0),
        (0, 0, 0, 0, 1.0),
        (0, 1, 0, 0, 0.0),  # without noise a part may be zero
        (1, 1, 0, 0, 1.0),
        (0, 0, 1, 1, 1.0),
        (1, 1, 1, 0, 0.0),
        (1, 1, np.nan, 1, 1.0),
    ],
)
def test_a_signal_that_never_changes_is_missing(
    x_far: float, x_near: float, y_far: float, y_near: float, missing: float
) -> None:
    curve = wall_of(np.zeros(141))
    change = np.where(np.arange(141) % 2, 1.0, -1.0)
    far = np.arange(141) < 47
    x, y = (change * np.where(far, a, b) for a, b in ((x_far, x_near), (y_far, y_near)))
    assert check(curve, x, y)["missing"] == missing


# ------------------------------------------------------------------ knots


def knot_power(whitening: Any, weight: Any, e: int, p: int) -> Any:
    """A knot at bin e, whitened: half of the bin's weight there, all weights behind it summed."""
    made = []
    for row in range(p + 1):
        here = whitening[row] * weight
        made.append(sum(here[j] * (j - e + 0.5) for j in range(e, row + 1)))
    return np.array(made)


@pytest.mark.parametrize("turn", [1.0, 1j, 0.6 - 0.8j])
def test_gains_of_knots(turn: complex) -> None:
    """The search's largest gain is that of the best knot; a turn of the phase changes nothing."""
    rng = np.random.default_rng(5)
    m = 14
    values = rng.normal(size=m) + 1j * rng.normal(size=m) + 0.3j * np.maximum(np.arange(m) - 6, 0)
    weight = np.linspace(1.0, 0.5, m)
    whitening = np.tril(np.eye(m) + 0.2 * rng.normal(size=(m, m)))
    never = np.full(m + 1, np.inf)
    for count in (4, 9, m):
        found = kernels.find_onsets(
            turn * values[None], weight[None], np.array([count]), whitening, never
        )[0]
        expected = max(
            abs(np.vdot(knot, whitening[: p + 1, : p + 1] @ values[: p + 1])) ** 2 / (knot @ knot)
            for p in range(count)
            for e in range(p + 1)
            for knot in [knot_power(whitening, weight, e, p)]
        )
        assert found["height"] == pytest.approx(expected, rel=1e-9)
        assert np.isnan(found["edge"])
    few = kernels.find_onsets(values[None], weight[None], np.array([3]), whitening, never)[0]
    assert np.isnan(few["height"])


def test_a_turn_of_the_phase_moves_no_knot() -> None:
    rng = np.random.default_rng(6)
    m = 40
    noise = rng.normal(size=m) + 1j * rng.normal(size=m)
    layer = np.maximum(np.arange(m) + 0.5 - 17.25, 0.0)
    limits = np.full(m + 1, 12.0)
    found = [
        kernels.find_onsets(
            turn * (noise + (2.0 + 1.0j) * layer)[None],
            np.ones((1, m)),
            np.array([m]),
            np.eye(m),
            limits,
            np.full(m, 6.0),
        )[0]
        for turn in (1.0, 1j, 0.6 + 0.8j)
    ]
    assert found[0]["edge"] == pytest.approx(17.25, abs=1.0)
    assert found[0]["low"] < found[0]["edge"] < found[0]["high"]
    for other in found[1:]:
        for name in ("edge", "stderr", "low", "high", "pieces", "height", "outside_power"):
            assert other[name] == pytest.approx(found[0][name], rel=1e-9), name
        power = np.hypot(other["outside_x"], other["outside_y"])
        assert power == pytest.approx(np.hypot(found[0]["outside_x"], found[0]["outside_y"]))


# ------------------------------------------------------------------ the normal channel


def normal_of(
    height: Any, clean: Any, lateral: Any = None, delay: float = 0.0, **contact: float
) -> Any:
    """What the normal force shows: spring constant 1 N/m, distances as they are."""
    settings = of_kind(kernels.PROFILE_SETTINGS, spring_constant=1.0, amplitude=STEP)
    n = len(height)
    known = {"contact": 0.0, "baseline_end": n / 2, "noise": 0.0, "long_run": 0.0} | contact
    own = of_kind(kernels.CURVE, cosine=1.0, delay=delay)
    contacts = of_kind(kernels.CONTACT, **known)
    begin = np.array([0, n])
    return kernels.normal_channel(settings, begin, height, clean, lateral, contacts, own)[0]


def means(values: Any, together: int) -> Any:
    return np.convolve(values, np.ones(together) / together, "valid")


@pytest.mark.parametrize(("pitch", "together"), [(0.1, 9), (0.3, 6), (0.7, 2), (2.5, 1)])
@pytest.mark.parametrize("delay", [0.0, 2.4, -3.0])
def test_the_lateral_onset_is_where_means_leave_those_far_away(
    pitch: float, together: int, delay: float
) -> None:
    """By more than 5 standard errors of both parts together, and the next means by more than 4.

    The scatter is that of means side by side in the outer half of the baseline.
    """
    rng = np.random.default_rng(7)
    m, n, later = together, 600, int(np.floor(delay + 0.5))
    height = (n - 50 - np.arange(n)) * pitch * 1e-9
    signals = rng.normal(size=(2, n)) + np.where(np.arange(n) > 420, 0.05, 0.0) * [
        np.arange(n) - 420.0,
        0.5 * (420.0 - np.arange(n)),
    ]
    found = normal_of(height, np.zeros(n), tuple(signals), delay, baseline_end=400.0)
    blocks = 400 // 2 // m
    outer = signals[:, : blocks * m].reshape(2, blocks, m).mean(2)
    variance = outer.var(axis=1, ddof=1) * (1.0 + 1.0 / blocks)
    away = np.sum(
        [
            (means(signal, m) - mean.mean()) ** 2 / var
            for signal, mean, var in zip(signals, outer, variance, strict=True)
        ],
        axis=0,
    )

    def leaves(i: int) -> bool:
        return i >= 0 and away[i] > 25.0 and away[i + m] > 16.0

    least = blocks * m
    at = next(i for i in range(least, n - 2 * m - later, m) if leaves(i + later))
    first = next(i for i in range(max(at - m + 1, least), at + 1) if leaves(i + later))
    assert found["lateral_onset"] == pytest.approx(height[first : first + m].mean(), rel=1e-9)


@pytest.mark.parametrize(("n", "pitch", "together"), [(101, 0.2499, 8), (101, 0.2501, 7)])
def test_means_are_of_what_two_nanometres_hold(n: int, pitch: float, together: int) -> None:
    """The onset is the middle of the first mean that has left the baseline."""
    height = (n - 1 - np.arange(n)) * pitch * 1e-9
    clean = np.where(np.arange(n) >= 70, 0.05e-9 * (np.arange(n) - 69), 0.0)
    found = normal_of(height, clean, baseline_end=60.0, noise=0.05e-9, long_run=0.06e-9)
    limit = 4.0 * 0.06e-9 * np.sqrt(1.0 / together + 4.0 / 60.0)
    here = means(clean, together)
    first = next(i for i in range(60, n) if here[i] > limit and here[i + together] > 0.75 * limit)
    z = height + clean
    assert found["onset"] == pytest.approx(z[first : first + together].mean(), rel=1e-9)


def test_the_work_of_a_force_is_its_integral() -> None:
    """A straight force over 20 steps, and the last piece down to the electrode."""
    height = np.arange(150, -50, -1) * STEP
    bent = np.where(height <= 20.0 * STEP, 20.0 * STEP - height, 0.0) * 0.25
    bent = np.where(height < 0.0, 5.0 * STEP - height, bent)
    found = normal_of(height, bent, wall_begin=145.0, wall_samples=55.0, baseline_end=100.0)
    z = height + bent
    assert found["breaks"] == 0.0
    assert np.isnan(found["adhesion"])
    onset = found["onset"]
    assert onset == pytest.approx(20.0 * STEP, abs=9.0 * STEP)
    inside = np.arange(200) >= 100
    pieces = 0.5 * (bent[:-1] + bent[1:]) * (z[:-1] - z[1:])
    work = pieces[inside[:-1] & (np.arange(199) < 144)].sum() + bent[144] * z[144]
    assert found["work"] == pytest.approx(work, rel=1e-9)


def test_a_force_that_never_leaves_the_baseline_has_no_onset() -> None:
    height = np.arange(150, -50, -1) * STEP
    found = normal_of(height, np.zeros(200), noise=0.1 * STEP, long_run=0.1 * STEP)
    for name in ("onset", "work", "adhesion", "pull_off", "first_force", "lateral_onset"):
        assert np.isnan(found[name]), name
    assert found["breaks"] == 0.0


def test_the_strongest_attraction_and_where_it_begins() -> None:
    """Means of nine leave the baseline downwards; the sample that is lowest, and its neighbours."""
    height = np.arange(150, -50, -1) * STEP
    bent = np.where(np.arange(200) >= 130, 0.5 * (130.0 - np.arange(200)), 0.0)
    bent = np.where(np.arange(200) >= 140, -4.5 + 0.9 * (np.arange(200) - 139), bent) * STEP
    found = normal_of(height, bent, noise=0.1 * STEP, long_run=0.1 * STEP)
    assert bent.argmin() == 139
    assert found["adhesion"] == pytest.approx((4.0 + 4.5 + 3.6) / 3.0 * STEP, rel=1e-9)
    z = height + bent
    assert found["adhesion_at"] == pytest.approx(z[139], rel=1e-9)
    limit = 0.4 * STEP * np.sqrt(1.0 / 2.0 + 4.0 / 100.0)
    of_two = means(bent, 2)
    first = next(i for i in range(100, 190) if of_two[i] < -limit and of_two[i + 2] < -0.75 * limit)
    assert found["pull_off"] == pytest.approx(z[first : first + 2].mean(), rel=1e-9)


# ------------------------------------------------------------------ noise behind filters


@pytest.mark.parametrize("n", [1, 2, 3, 8, 15])
def test_amounts_of_noise_are_those_of_eighty_updates(n: int) -> None:
    """Each time an amount times the root of what the spectrum asks for over what the model has."""
    rng = np.random.default_rng(n)
    passed, slow = rng.uniform(0.1, 1.0, (2, n)), rng.uniform(0.5, 3.0, n)
    power, count = rng.uniform(0.2, 2.0, n), rng.integers(1, 9, n).astype(float)
    found = kernels.noise_amounts(passed, slow, power, count)
    for own, through in zip(found, passed, strict=True):
        parts = np.array([through, through * slow, np.ones(n)])
        amounts = np.full(3, power.mean() / 3.0)
        for _ in range(80):
            model = amounts @ parts
            asked = parts @ (count * power / model**2)
            amounts = amounts * np.sqrt(asked / (parts @ (count / model)))
        np.testing.assert_allclose(own, amounts, rtol=1e-10)
    with pytest.raises(ValueError, match="lengths"):
        kernels.noise_amounts(passed[:, :0], slow[:0], power[:0], count[:0])


def test_intervals_of_knots_end_where_knots_are_tried() -> None:
    """In noise nothing tells how far inwards an edge may lie: no end is beyond the bins."""
    m = 40
    for seed in range(300):
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=m) + 1j * rng.normal(size=m)
        limits = np.full(m + 1, 6.0)
        found = kernels.find_onsets(noise[None], np.ones((1, m)), np.array([m]), np.eye(m), limits)
        low, edge, high = (found[name][0] for name in ("low", "edge", "high"))
        assert np.isnan(edge) or -1.0 < low < edge < high < m + 1.0
