"""Contacts against plain numpy: lines by least squares, one window after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nrm_plugin import kernels

NM = 1e-9


def fitted(x: Any, y: Any) -> tuple[float, float, float, float]:
    """Means, slope, and sum of squares of x about its mean."""
    dx = x - x.mean()
    return x.mean(), y.mean(), dx @ (y - y.mean()) / (dx @ dx), dx @ dx


def noise_of(y: Any) -> float:
    """By the median of second differences; no smaller than the smallest step stands for."""
    apart = 3 if len(y) >= 256 else 1
    second = np.abs(y[:-2] - 2.0 * y[1:-1] + y[2:])[::apart][: (len(y) - 2) // apart]
    noise = np.median(second) * 1.482602218505602 / np.sqrt(6.0) if len(second) >= 8 else 0.0
    steps = np.abs(np.diff(y))
    least = steps[steps > 0.0].min(initial=np.inf)
    return least / np.sqrt(12.0) if noise * np.sqrt(12.0) < least < np.inf else noise


def baseline_end(x: Any, y: Any, noise: float, stop: int) -> int:
    """The baseline grows by blocks until two in a row are off by 3.5 standard errors."""
    size = min(max(stop // 32, 2), 8)
    end = max(min(stop // 4, 64), stop // 8)
    least, outside = min(end // 2, 16), 0
    while end + size <= stop:
        mean_x, mean_y, slope, sxx = fitted(x[:end], y[:end])
        away = x[end : end + size].mean() - mean_x
        off = y[end : end + size].mean() - mean_y - slope * away
        error = noise * np.sqrt(1.0 / size + 1.0 / end + away**2 / sxx)
        outside = outside + 1 if abs(off) > 3.5 * error else 0
        if outside == 2:
            return min(max(end - 3 * size, least), stop)
        end += size
    return stop


def long_run_noise(x: Any, y: Any, end: int) -> float:
    """Noise of one sample as means of 16 show it."""
    blocks = end // 16
    if blocks < 4:
        return 0.0
    mean_x, mean_y, slope, _ = fitted(x[:end], y[:end])
    means = (y[:end] - mean_y - slope * (x[:end] - mean_x))[: 16 * blocks].reshape(-1, 16).mean(1)
    return np.sqrt(means @ means / (blocks - 2) * 16.0)


def grown(x: Any, y: Any, end: int, stop: int, noise: float, known: tuple[float, float]) -> Any:
    """The largest window on the wall whose contact agrees with those of all smaller ones."""
    line_x, line_y, tilt, line_sxx = fitted(x[:end], y[:end])
    in_ten = 10.0 * NM * (len(x) - 1) / abs(x[-1] - x[0])
    smallest = 12 if not in_ten < 12 else max(int(in_ten), 6)
    size, low, high, seen = float(smallest), -np.inf, np.inf, []
    for _ in range(128):
        k = int(min(size, stop))
        if stop - k < end or size >= stop + 1:
            break
        size *= 1.15
        wall_x, wall_y, free, sxx = fitted(x[stop - k : stop], y[stop - k : stop])
        precision, steep = sxx / noise**2, free
        if known[1] < np.inf:
            weight = 1.0 / known[1] ** 2
            steep = (free * precision + (tilt + known[0]) * weight) / (precision + weight)
            precision += weight
        apart = tilt - steep
        if abs(apart) < 0.05:
            continue
        at = (wall_y - steep * wall_x - line_y + tilt * line_x) / apart
        variance = noise**2 * (1.0 / end + (at - line_x) ** 2 / line_sxx + 1.0 / k)
        error = np.sqrt(variance + (at - wall_x) ** 2 / precision) / abs(apart)
        room = 2.5 if known[1] >= 0.01 else 1.2 if k < 3 * smallest else 1.0
        low, high = max(low, at - room * error), min(high, at + room * error)
        if low > high and seen:
            break
        seen.append((at, error, k, free - tilt, noise / np.sqrt(sxx)))
    return seen


def plain_contact(x: Any, y: Any, how: dict[str, float]) -> dict[str, float]:
    """As `kernels.find_contacts` gives it; without spikes, fringe and walls that give way."""
    n, top = len(y), y.max()
    runs = np.split(y == top, np.flatnonzero(np.diff(y == top)) + 1)
    longest = max(len(run) for run in runs if run[0])
    at_top = len(runs[-1]) if runs[-1][0] else 0
    stop = n - min(at_top, n - 16) if at_top >= 2 else n
    while stop > 24 and abs(x[stop - 1] - x[-1]) < how["turn"]:
        stop -= 1
    noise = max(noise_of(y), 1e-9 * (top - y.min()) + 1e-18)
    end = baseline_end(x, y, noise, stop)
    long_run = long_run_noise(x, y, end)
    if long_run > 1.5 * noise:
        end = baseline_end(x, y, long_run, stop)
        long_run = long_run_noise(x, y, end)
    total = max(noise, long_run)
    line_x, line_y, tilt, _ = fitted(x[:end], y[:end])
    found = {
        "saturated": longest if longest >= 4 else 0,
        "noise": noise,
        "long_run": long_run,
        "baseline_end": end,
        "baseline_slope": tilt,
        "baseline_at": line_y - tilt * line_x,
        "spikes": 0.0,
    }
    seen = grown(x, y, end, stop, total, (how["slope"], how["slope_stderr"]))
    if seen:
        at, error, count, slope, slope_stderr = seen[-1]
        found |= {"contact": at, "stderr": error, "wall_samples": count, "wall_slope": slope}
        found |= {"wall_slope_stderr": slope_stderr, "wall_begin": stop - count}
        found["wall_length"] = abs(x[stop - count] - x[stop - 1])
        halves = [height for height, _, k, _, _ in seen if k <= count / 2.0]
        found["half_contact"] = halves[-1] if halves else np.nan
        outer = 2 * (end // 3)
        mean_x, mean_y, other, _ = fitted(x[:outer], y[:outer])
        less = found["baseline_at"] + tilt * at - mean_y - other * (at - mean_x)
        found["outer_contact"] = at - less / slope if outer >= 4 and slope < 0.0 else np.nan
    others = grown(x, y, end, stop, total, (how["other_slope"], how["other_slope_stderr"]))
    found["other_contact"] = others[-1][0] if others else np.nan
    return found


def curve(seed: int, n: int, **changes: Any) -> tuple[Any, Any]:
    """A ramp over a layer to a wall of slope -1, in m."""
    rng = np.random.default_rng(seed)
    far, near = changes.get("span", (200.0, -40.0))
    x = np.linspace(far, near, n) + rng.normal(0.0, 0.02, n)
    thickness = changes.get("layer", 20.0)
    y = np.where(x < thickness, 0.05 * (thickness - x), 0.0) + np.where(x < 0.0, -x, 0.0)
    y += changes.get("tilt", 0.002) * x + rng.normal(0.0, changes.get("noise", 0.1), n)
    y += np.convolve(rng.normal(0.0, changes.get("slow", 0.0), n + 30), np.ones(31) / 31, "valid")
    if step := changes.get("step", 0.0):
        y = np.round(y / step) * step
    if level := changes.get("level"):
        y = np.minimum(y, level)
    return x * NM, y * NM


FREE = {"slope": 0.0, "slope_stderr": np.inf, "other_slope": -1.0, "other_slope_stderr": 0.002}
KNOWN = {"slope": -1.05, "slope_stderr": 0.004, "other_slope": -0.95, "other_slope_stderr": 0.02}


@pytest.mark.parametrize("known", [FREE, KNOWN], ids=["free", "known"])
@pytest.mark.parametrize(
    ("n", "changes", "turn"),
    [
        (600, {}, 0.0),
        (599, {"tilt": -0.01}, 5.0),
        (2000, {"noise": 0.5}, 0.0),
        (256, {"layer": 0.0}, 0.0),
        (255, {"layer": 60.0}, 0.0),
        (90, {}, 0.0),
        (40, {}, 0.0),
        (25, {}, 0.0),
        (24, {}, 0.0),
        (700, {"slow": 1.5}, 0.0),
        (400, {"step": 0.5}, 0.0),
        (400, {"step": 3.0}, 0.0),
        (400, {"level": 25.0}, 0.0),
        (500, {"span": (80.0, 5.0)}, 0.0),
        (500, {"span": (200.0, 60.0)}, 0.0),
        (320, {"span": (200.0, -4.0)}, 0.0),
        (800, {"noise": 0.0}, 2.0),
    ],
)
def test_contacts_by_grown_windows(
    known: dict[str, float], n: int, changes: dict[str, Any], turn: float
) -> None:
    x, y = curve(n, n, **changes)
    how = np.zeros((), kernels.CONTACT_SETTINGS)
    settings = known | {"turn": turn * NM}
    for name, value in settings.items():
        how[name] = value
    found, clean = kernels.find_contacts(np.array([0, n]), x, y, how)
    np.testing.assert_array_equal(clean, y)
    expected = plain_contact(x, y, settings)
    for name in kernels.CONTACT.names or ():
        assert found[name][0] == pytest.approx(
            expected.get(name, np.nan), rel=1e-7, abs=1e-15, nan_ok=True
        ), name


@pytest.mark.parametrize(("level", "saturated"), [(1, 0.0), (3, 0.0), (4, 4.0), (9, 9.0)])
@pytest.mark.parametrize("last", [399, 380])
def test_saturated_are_four_or_more_in_a_row(level: int, saturated: float, last: int) -> None:
    x, y = curve(1, 400)
    y[last + 1 - level : last + 1] = y.max() + NM
    how = np.zeros((), kernels.CONTACT_SETTINGS)
    for name, value in FREE.items():
        how[name] = value
    found, _ = kernels.find_contacts(np.array([0, 400]), x, y, how)
    assert found["saturated"][0] == saturated


def test_two_lines_cross_where_least_squares_do() -> None:
    """A part of the samples, and what lies above a part of the largest deflection."""
    x, y = curve(8, 500, layer=0.0)
    how = np.zeros((), kernels.CONTACT_SETTINGS)
    settings = FREE | {"two_lines": 1.0, "baseline": 0.4, "wall": 0.3}
    for name, value in settings.items():
        how[name] = value
    found = kernels.find_contacts(np.array([0, 500]), x, y, how)[0][0]
    mean_x, mean_y, tilt, sxx = fitted(x[:200], y[:200])
    above = y - mean_y - tilt * (x - mean_x)
    low = np.flatnonzero(above[200:] < 0.3 * above.max())
    begin = 200 + int(low[-1]) + 1
    wall_x, wall_y, slope, wall_sxx = fitted(x[begin:], y[begin:])
    at = (wall_y - slope * wall_x - mean_y + tilt * mean_x) / (tilt - slope)
    count = 500 - begin
    variance = 1 / 200 + (at - mean_x) ** 2 / sxx + 1 / count + (at - wall_x) ** 2 / wall_sxx
    noise = max(found["noise"], found["long_run"])
    expected = {
        "contact": at,
        "stderr": noise * np.sqrt(variance) / abs(tilt - slope),
        "baseline_end": 200.0,
        "baseline_slope": tilt,
        "baseline_at": mean_y - tilt * mean_x,
        "wall_begin": begin,
        "wall_samples": count,
        "wall_slope": slope - tilt,
        "wall_slope_stderr": noise / np.sqrt(wall_sxx),
        "wall_length": x[begin] - x[-1],
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-8), name


def without_spikes(y: Any, noise: float) -> Any:
    """Samples that stand alone replaced by the median about them, or by what a line foretells.

    Alone is what is off by six times the noise from its neighbours' median and from what the
    samples on either side foretell, and by more than these differ.
    """
    clean, limit, n = y.copy(), 6.0 * noise, len(y)
    if n < 16:
        return clean
    for i in range(3, n - 3):
        middle = np.median(y[i - 3 : i + 4])
        before = clean[i - 1] + 0.5 * (clean[i - 1] - clean[i - 3])
        after = y[i + 1] + 0.5 * (y[i + 1] - y[i + 3])
        off = np.abs(y[i] - [middle, before, after]).min()
        bend = abs(y[i] - 0.5 * (y[i - 1] + y[i + 1]))
        if bend >= limit and off > max(limit, abs(before - after)):
            clean[i] = middle
    for k in range(3):
        for at, step in ((2 - k, -1), (n - 3 + k, 1)):
            if not abs(y[at] - clean[at - step]) > limit:
                continue
            back = clean[at - step * np.arange(1, 8)]
            slopes = (back[:4] - back[3:7]) / 3.0
            middle = np.median(back + np.arange(1, 8) * np.median(slopes))
            if abs(y[at] - middle) > max(1.5 * limit, 4.0 * np.ptp(slopes)):
                clean[at] = middle
    return clean


@pytest.mark.parametrize("n", [23, 24, 31, 40, 100, 301])
@pytest.mark.parametrize("seed", range(6))
def test_samples_that_stand_alone_are_replaced(n: int, seed: int) -> None:
    """In the middle, side by side, at both ends, and beside a step, which is no spike."""
    rng = np.random.default_rng(100 * n + seed)
    x, y = curve(seed, n, tilt=0.01 * seed)
    where = rng.choice(n, 5, replace=False)
    where[:3] = ([0, 1, n - 1], [2, n - 2, 3], [n - 3, n - 4, 4])[seed % 3]
    y[where] += rng.choice([-1.0, 1.0], 5) * rng.uniform(0.5, 12.0, 5) * NM
    y[2 * n // 3 :] -= 3.0 * NM * (seed > 3)
    how = np.zeros((), kernels.CONTACT_SETTINGS)
    for name, value in (FREE | {"spikes": 1.0}).items():
        how[name] = value
    found, clean = kernels.find_contacts(np.array([0, n]), x, y, how)
    if n < 24:
        np.testing.assert_array_equal(clean, y)
        return
    expected = without_spikes(y, noise_of(y))
    np.testing.assert_allclose(clean, expected, rtol=0.0, atol=1e-18)
    assert found["spikes"][0] == np.sum(np.abs(expected - y) > 1e-18)


@pytest.mark.parametrize("period", [40.0, 130.0, 260.0])
@pytest.mark.parametrize("phase", [0.0, 1.0, 2.5, 4.0, 5.5])
def test_a_fringe_of_known_period_is_taken_from_all_samples(period: float, phase: float) -> None:
    """Sine and cosine as the baseline has them, and as they go on along the wall."""
    x = np.linspace(400.0, -40.0, 1000) * NM
    wave = 2.0 * np.pi / (period * NM)
    fringe = 2.0 * NM * np.sin(wave * x + phase)
    straight = 0.01 * x + 5.0 * NM + np.where(x < 0.0, -x, 0.0)
    how = np.zeros((), kernels.CONTACT_SETTINGS)
    for name, value in (FREE | {"wave": wave}).items():
        how[name] = value
    found, clean = kernels.find_contacts(np.array([0, 1000]), x, straight + fringe, how)
    np.testing.assert_allclose(clean, straight, rtol=0.0, atol=1e-6 * NM)
    assert found["contact"][0] == pytest.approx(0.0, abs=1e-3 * NM)
    assert found["baseline_slope"][0] == pytest.approx(0.01, rel=1e-6)
    _, same = kernels.find_contacts(np.array([0, 1000]), x, straight, how)
    np.testing.assert_allclose(same, straight, rtol=0.0, atol=1e-6 * NM)
