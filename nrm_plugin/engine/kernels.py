"""Compiled loops of the engine, all in one module: a cached caller of a changed callee goes stale.

Each works on whole blocks of curves that lie flat one behind the other, with ``begin[i]`` and
``begin[i + 1]`` around curve i, samples running from far away to the surface. Compiled code
releases the interpreter, so that blocks run in a thread pool; a curve's result does not depend on
its neighbours. Without numba, or where nothing can be cached, the same functions run uncompiled or
uncached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function, for good where there is a place to keep it."""
    try:
        from numba import njit
    except ImportError:  # slow, and right
        return function
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to write
        return njit(nogil=True)(function)


#: Columns of what `reference` finds for each curve.
CONTACT, STDERR, BASELINE_END, BASELINE_SLOPE, BASELINE_AT, WALL_BEGIN, WALL_SLOPE = range(7)
WALL_SLOPE_STDERR, WALL_LENGTH, WALL_SAMPLES, NOISE, LONG_RUN, SPIKES, SATURATED = range(7, 14)
OTHER_CONTACT = 14
N_COLUMNS = 15

#: Part of a baseline that a fringe is fitted to: its end may already feel a layer.
FRINGE_PART = 0.9

_BLOCK = 8
_LONG_BLOCK = 16
_SMALLEST_WALL = 12


@compiled
def gather(values: Any, first: Any, begin: Any, backwards: Any, factor: Any, out: Any) -> None:
    """Copy a part of every curve times a factor, for a retract backwards.

    Parameters
    ----------
    values : flat array
    first : (n,) array of int
        Where each part begins in `values`.
    begin : (n + 1,) array of int
        Where it begins in `out`, and the end.
    backwards : bool
    factor : float
    out : flat array
        Receives the parts.
    """
    for curve in range(len(first)):
        a = begin[curve]
        n = begin[curve + 1] - a
        at = first[curve]
        if backwards:
            for i in range(n):
                out[a + i] = values[at + n - 1 - i] * factor
        else:
            for i in range(n):
                out[a + i] = values[at + i] * factor


@compiled
def second_difference_noise(y: Any) -> Any:
    """Standard deviation of white noise from second differences; slopes don't count."""
    n = len(y) - 2
    if n < 8:
        return 0.0
    size = np.empty(n)
    for i in range(n):
        size[i] = abs(y[i] - 2.0 * y[i + 1] + y[i + 2])
    return np.median(size) * 1.482602218505602 / np.sqrt(6.0)


@compiled
def without_spikes(y: Any, noise: Any, out: Any) -> Any:
    """Copy `y` with samples far from the median of their seven neighbours replaced by it."""
    n = len(y)
    near = np.empty(7)
    count = 0
    limit = 6.0 * noise
    for i in range(n):
        out[i] = y[i]
    if limit <= 0.0:
        return 0
    for i in range(3, n - 3):
        if abs(y[i] - 0.5 * (y[i - 1] + y[i + 1])) < limit:
            continue
        for j in range(7):
            near[j] = y[i - 3 + j]
        middle = np.median(near)
        if abs(y[i] - middle) > limit:
            out[i] = middle
            count += 1
    return count


@compiled
def line(x: Any, y: Any, a: Any, b: Any) -> Any:
    """Least-squares line over samples a to b: mean x, mean y, slope, sum of squares of x."""
    n = b - a
    at = x[a]
    sx = 0.0
    sy = 0.0
    for i in range(a, b):
        sx += x[i] - at
        sy += y[i]
    mean_x = sx / n
    mean_y = sy / n
    sxx = 0.0
    sxy = 0.0
    for i in range(a, b):
        dx = x[i] - at - mean_x
        sxx += dx * dx
        sxy += dx * (y[i] - mean_y)
    slope = sxy / sxx if sxx > 0.0 else 0.0
    return mean_x + at, mean_y, slope, sxx


@compiled
def long_run_noise(x: Any, y: Any, end: Any) -> Any:
    """Noise as blocks of the baseline's residuals show it: correlated noise makes it larger."""
    mean_x, mean_y, slope, _ = line(x, y, 0, end)
    blocks = end // _LONG_BLOCK
    if blocks < 4:
        return 0.0
    total = 0.0
    for block in range(blocks):
        mean = 0.0
        for i in range(block * _LONG_BLOCK, (block + 1) * _LONG_BLOCK):
            mean += y[i] - mean_y - slope * (x[i] - mean_x)
        total += (mean / _LONG_BLOCK) ** 2
    return np.sqrt(total / (blocks - 2) * _LONG_BLOCK)


@compiled
def baseline_end(x: Any, y: Any, noise: Any, stop: Any) -> Any:
    """Grow the baseline from the far end until two blocks in a row leave its line."""
    end = min(max(64, stop // 8), stop)
    at = x[0]
    n = 0
    sx = 0.0
    sy = 0.0
    sxx = 0.0
    sxy = 0.0
    for i in range(end):
        dx = x[i] - at
        sx += dx
        sy += y[i]
        sxx += dx * dx
        sxy += dx * y[i]
        n += 1
    outside = 0
    while end + _BLOCK <= stop:
        spread = sxx - sx * sx / n
        slope = (sxy - sx * sy / n) / spread if spread > 0.0 else 0.0
        bx = 0.0
        by = 0.0
        bxx = 0.0
        bxy = 0.0
        for i in range(end, end + _BLOCK):
            dx = x[i] - at
            bx += dx
            by += y[i]
            bxx += dx * dx
            bxy += dx * y[i]
        away = bx / _BLOCK - sx / n
        off = by / _BLOCK - sy / n - slope * away
        variance = 1.0 / _BLOCK + 1.0 / n
        if spread > 0.0:
            variance += away * away / spread
        if abs(off) > 3.5 * noise * np.sqrt(variance):
            outside += 1
            if outside == 2:
                return max(end - 3 * _BLOCK, _LONG_BLOCK)
        else:
            outside = 0
        sx += bx
        sy += by
        sxx += bxx
        sxy += bxy
        n += _BLOCK
        end += _BLOCK
    return stop


@compiled
def remove_fringe(x: Any, y: Any, end: Any, wave: Any) -> None:
    """Fit line, sine and cosine to the baseline and take the sine and cosine from all samples.

    The fringe is taken to go on in contact.
    """
    at = x[0]
    scale = abs(x[end - 1] - at)
    if scale == 0.0:
        scale = 1.0
    a = np.zeros((4, 4))
    b = np.zeros(4)
    row = np.empty(4)
    for i in range(end):
        row[0] = 1.0
        row[1] = (x[i] - at) / scale
        row[2] = np.sin(wave * (x[i] - at))
        row[3] = np.cos(wave * (x[i] - at))
        for j in range(4):
            b[j] += row[j] * y[i]
            for k in range(4):
                a[j, k] += row[j] * row[k]
    for j in range(4):
        a[j, j] *= 1.0 + 1e-12
    found = np.linalg.solve(a, b)
    for i in range(len(y)):
        phase = wave * (x[i] - at)
        y[i] -= found[2] * np.sin(phase) + found[3] * np.cos(phase)


@compiled
def saturated_samples(y: Any) -> Any:
    """Length of the longest run of the largest value, 0 if it is shorter than four samples."""
    top = y[0]
    for i in range(len(y)):
        if y[i] > top:
            top = y[i]
    run = 0
    longest = 0
    for i in range(len(y)):
        run = run + 1 if y[i] == top else 0
        if run > longest:
            longest = run
    return longest if longest >= 4 else 0


@compiled
def grown_wall(
    x: Any, y: Any, base: Any, stop: Any, noise: Any, prior: Any, prior_stderr: Any, row: Any
) -> Any:
    """Cross the baseline with the largest high-force window that agrees with all smaller ones.

    The window grows from the last samples; its crossing must stay within one standard error of
    that of every smaller window (Lepski's rule). `prior` is a slope known beforehand with its
    standard error; an infinite error leaves the slope free. Writes into `row`.
    """
    mean_x, mean_y, slope, sxx = line(x, y, 0, base)
    low = -np.inf
    high = np.inf
    size = float(_SMALLEST_WALL)
    found = False
    while True:
        k = int(size)
        begin = stop - k
        if begin < base:
            break
        wall_x, wall_y, free, spread = line(x, y, begin, stop)
        precision = spread / (noise * noise)
        steep = free
        if prior_stderr < np.inf:
            weight = 1.0 / (prior_stderr * prior_stderr)
            steep = (free * precision + prior * weight) / (precision + weight)
            precision += weight
        difference = slope - steep
        size *= 1.15
        if abs(difference) < 0.05 or precision <= 0.0 or sxx <= 0.0:
            continue
        at = (wall_y - steep * wall_x - mean_y + slope * mean_x) / difference
        variance = 1.0 / base + (at - mean_x) ** 2 / sxx + 1.0 / k
        variance = noise * noise * variance + (at - wall_x) ** 2 / precision
        error = np.sqrt(variance) / abs(difference)
        low = max(low, at - error)
        high = min(high, at + error)
        if low > high and found:
            break
        found = True
        row[CONTACT] = at
        row[STDERR] = error
        row[WALL_BEGIN] = begin
        row[WALL_SLOPE] = free
        row[WALL_SLOPE_STDERR] = noise / np.sqrt(spread) if spread > 0.0 else np.inf
        row[WALL_LENGTH] = abs(x[begin] - x[stop - 1])
        row[WALL_SAMPLES] = k
    row[BASELINE_SLOPE] = slope
    row[BASELINE_AT] = mean_y - slope * mean_x


@compiled
def two_lines(x: Any, y: Any, baseline: Any, wall: Any, stop: Any, noise: Any, row: Any) -> Any:
    """Cross two least-squares lines: a part of the samples, and what lies above a part of the top.

    The paper's rule (section 5), with the window of the wall by force.
    """
    base = max(int(baseline * stop), 2)
    mean_x, mean_y, slope, sxx = line(x, y, 0, base)
    top = -np.inf
    for i in range(stop):
        top = max(top, y[i] - mean_y - slope * (x[i] - mean_x))
    begin = stop
    while begin > base:
        i = begin - 1
        if y[i] - mean_y - slope * (x[i] - mean_x) < wall * top:
            break
        begin -= 1
    row[BASELINE_END] = base
    row[BASELINE_SLOPE] = slope
    row[BASELINE_AT] = mean_y - slope * mean_x
    k = stop - begin
    if k < 3:
        return
    wall_x, wall_y, steep, spread = line(x, y, begin, stop)
    if spread <= 0.0 or sxx <= 0.0 or steep == slope:
        return
    at = (wall_y - steep * wall_x - mean_y + slope * mean_x) / (slope - steep)
    variance = 1.0 / base + (at - mean_x) ** 2 / sxx + 1.0 / k + (at - wall_x) ** 2 / spread
    row[CONTACT] = at
    row[STDERR] = noise * np.sqrt(variance) / abs(slope - steep)
    row[WALL_BEGIN] = begin
    row[WALL_SLOPE] = steep
    row[WALL_SLOPE_STDERR] = noise / np.sqrt(spread)
    row[WALL_LENGTH] = abs(x[begin] - x[stop - 1])
    row[WALL_SAMPLES] = k


@compiled
def reference(
    begin: Any,
    height: Any,
    deflection: Any,
    settings: Any,
    clean: Any,
    rows: Any,
) -> None:
    """Find the solid contact of every curve of a block.

    Parameters
    ----------
    begin : (n + 1,) array of int
        Where each curve begins.
    height, deflection : flat arrays
        In m, samples from far away to the surface.
    settings : (9,) array
        Two-line rule (1) or grown windows (0); part of the samples that is baseline and part of
        the top above which is wall, for the two-line rule; slope of the wall and its standard
        error, infinite for a free slope; wave number of a fringe, 0 for none; whether spikes are
        taken out; another slope of the wall and its standard error, for `OTHER_CONTACT`.
    clean : flat array
        Receives the deflection without spikes and fringe.
    rows : (n, N_COLUMNS) array
        Receives what is found; nan where there is no contact.
    """
    other = np.empty(N_COLUMNS)
    for curve in range(len(begin) - 1):
        a = begin[curve]
        b = begin[curve + 1]
        x = height[a:b]
        y = clean[a:b]
        row = rows[curve]
        row[:] = np.nan
        n = b - a
        if (
            n < 4 * _SMALLEST_WALL
            or not np.all(np.isfinite(x))
            or not np.all(np.isfinite(deflection[a:b]))
        ):
            y[:] = deflection[a:b]
            continue
        if np.abs(x[n - 1] - x[0]) == 0.0:
            y[:] = deflection[a:b]
            continue
        noise = second_difference_noise(deflection[a:b])
        row[SPIKES] = 0.0
        if settings[6] > 0.0:
            row[SPIKES] = without_spikes(deflection[a:b], noise, y)
        else:
            y[:] = deflection[a:b]
        row[SATURATED] = saturated_samples(deflection[a:b])
        stop = n
        if row[SATURATED] > 0.0:
            top = np.max(y)
            while stop > _LONG_BLOCK and y[stop - 1] >= top - 1e-300:
                stop -= 1
            stop = max(stop, _LONG_BLOCK)
        tiny = 1e-9 * (np.max(y) - np.min(y)) + 1e-18
        noise = max(noise, tiny)
        if settings[5] > 0.0:
            rough = max(noise, long_run_noise(x, y, max(64, stop // 4)))
            kept = y.copy()
            for _ in range(3):  # the fringe itself hides where the baseline ends
                end = max(int(FRINGE_PART * baseline_end(x, y, rough, stop)), 64)
                y[:] = kept
                remove_fringe(x, y, min(end, stop), settings[5])
                rough = max(noise, long_run_noise(x, y, end))
        end = baseline_end(x, y, noise, stop)
        long_run = long_run_noise(x, y, end)
        if long_run > 1.5 * noise:
            end = baseline_end(x, y, long_run, stop)
            long_run = long_run_noise(x, y, end)
        row[NOISE] = noise
        row[LONG_RUN] = long_run
        row[BASELINE_END] = end
        total = max(noise, long_run)
        if settings[0] > 0.0:
            two_lines(x, y, settings[1], settings[2], stop, total, row)
        else:
            grown_wall(x, y, end, stop, total, settings[3], settings[4], row)
        other[CONTACT] = np.nan
        grown_wall(x, y, end, stop, total, settings[7], settings[8], other)
        row[OTHER_CONTACT] = other[CONTACT]


@compiled
def tail_slopes(begin: Any, height: Any, deflection: Any, sizes: Any, slopes: Any) -> None:
    """Slopes of the last samples of every curve, for windows of several sizes."""
    for curve in range(len(begin) - 1):
        a = begin[curve]
        n = begin[curve + 1] - a
        slopes[curve, :] = np.nan
        x = height[a : a + n]
        y = deflection[a : a + n]
        stop = n
        if saturated_samples(y) > 0:
            top = np.max(y)
            while stop > 1 and y[stop - 1] >= top:
                stop -= 1
        for j in range(len(sizes)):
            if sizes[j] <= stop // 2:
                slopes[curve, j] = line(x, y, stop - sizes[j], stop)[2]


@compiled
def slip_exponent(begin: Any, deflection: Any, in_phase: Any, quadrature: Any, rows: Any,
                  found: Any) -> None:  # fmt: skip
    """Exponent with which the lateral force grows with the load on the wall, and its error.

    A tip that sticks shows an exponent of 1/3 at most, since its contact stiffens with the load; a
    tip that slips one of 1, since friction is proportional to it.

    Parameters
    ----------
    begin, deflection, rows : as in `reference`
        The deflection without spikes and fringe.
    in_phase, quadrature : flat arrays
    found : (n, 2) array
        Receives exponent and standard error; nan where the wall or the signal is too small.
    """
    for curve in range(len(begin) - 1):
        found[curve, :] = np.nan
        row = rows[curve]
        if not np.isfinite(row[CONTACT]) or not row[WALL_SAMPLES] >= 2 * _SMALLEST_WALL:
            continue
        a = begin[curve] + int(row[WALL_BEGIN])
        n = int(row[WALL_SAMPLES])
        size = np.hypot(in_phase[a : a + n], quadrature[a : a + n])
        load = deflection[a : a + n] - deflection[a] + 0.0
        first = deflection[a] - row[BASELINE_AT]
        first -= row[BASELINE_SLOPE] * row[CONTACT]
        load += first
        mean_x, mean_y, slope, spread = line(load, size, 0, n)
        if not (first > 0.0 and load[n - 1] > 1.5 * first and spread > 0.0 and mean_y > 0.0):
            continue
        left = 0.0
        for i in range(n):
            left += (size[i] - mean_y - slope * (load[i] - mean_x)) ** 2
        found[curve, 0] = slope * mean_x / mean_y
        found[curve, 1] = np.sqrt(left / (n - 2) / spread) * mean_x / mean_y


@compiled
def referenced(
    height: Any, deflection: Any, in_phase: Any, quadrature: Any, row: Any, settings: Any,
    own: Any, reach: Any, z: Any, normal: Any, fx: Any, fy: Any,
) -> Any:  # fmt: skip
    """Distances and forces of the samples of one curve that lie above the hard contact.

    `row`, `settings` and `own` are as in `profiles`. Writes distance from the electrode up to
    `reach`, normal force and lateral force; returns how many samples there are and the variances
    of the lateral signals far away.
    """
    amplitude = settings[1]
    stiffness = settings[2]
    whole = int(np.floor(own[0]))
    part = own[0] - whole
    lateral = len(in_phase) > 0
    n = len(height)
    base = int(row[BASELINE_END])
    mean_x = 0.0
    mean_y = 0.0
    var_x = 0.0
    var_y = 0.0
    if lateral:
        for i in range(base):
            mean_x += in_phase[i]
            mean_y += quadrature[i]
        mean_x /= base
        mean_y /= base
        for i in range(base):
            var_x += (in_phase[i] - mean_x) ** 2
            var_y += (quadrature[i] - mean_y) ** 2
        var_x /= max(base - 1, 1)
        var_y /= max(base - 1, 1)
    # The first sample in hard contact ends the layer: its jump would leak into the slope.
    cut = max(0.3e-9, 4.0 * row[NOISE] / 3.0)
    last = n
    for i in range(n):
        lo = max(0, i - 4)
        hi = min(n, i + 5)
        bent = 0.0
        for j in range(lo, hi):
            bent += deflection[j] - row[BASELINE_AT] - row[BASELINE_SLOPE] * height[j]
        bent /= hi - lo
        here = height[i] - row[CONTACT] + bent
        if here < cut:
            last = i - 4
            break
        z[i] = here * own[2]
        normal[i] = settings[3] * bent
    kept = 0
    for i in range(max(last, 0)):
        if z[i] > reach:
            continue
        if lateral:
            j = i + whole
            if j + 1 >= last - int(own[1]) or j < 0:  # the lock-in feels the hard contact there
                continue
            x = (1.0 - part) * in_phase[j] + part * in_phase[j + 1] - mean_x
            y = (1.0 - part) * quadrature[j] + part * quadrature[j + 1] - mean_y
            if stiffness > 0.0:
                # The tip gives way: F / A becomes F / (A - F / k).
                re = amplitude - x / stiffness
                im = -y / stiffness
                size = (re * re + im * im) / amplitude
                x, y = (x * re + y * im) / size, (y * re - x * im) / size
            fx[kept] = x
            fy[kept] = y
        z[kept] = z[i]
        normal[kept] = normal[i]
        kept += 1
    return kept, var_x, var_y


@compiled
def local_line(
    z: Any, values: Any, order: Any, a: Any, b: Any, at: Any, half_width: Any, weights: Any
) -> Any:
    """Weighted line through samples a to b of `order` around `at`: level, slope, determinant."""
    s0 = 0.0
    s1 = 0.0
    s2 = 0.0
    t = 0.0
    u = 0.0
    for i in range(a, b):
        dz = z[order[i]] - at
        q = 1.0 - (dz / half_width) ** 2
        s0 += q
        s1 += q * dz
        s2 += q * dz * dz
        t += q * values[order[i]]
        u += q * dz * values[order[i]]
    det = s0 * s2 - s1 * s1
    if det <= 1e-9 * s0 * s0 * half_width * half_width:
        return np.nan, np.nan, 0.0
    for i in range(a, b):
        dz = z[order[i]] - at
        weights[i - a] = (1.0 - (dz / half_width) ** 2) * (s0 * dz - s1) / det
    return (s2 * t - s1 * u) / det, (s0 * u - s1 * t) / det, det


@compiled
def profiles(
    begin: Any,
    height: Any,
    deflection: Any,
    in_phase: Any,
    quadrature: Any,
    rows: Any,
    depth: Any,
    settings: Any,
    own: Any,
    correlation: Any,
    found: Any,
    valid: Any,
) -> None:
    """Forces and their derivatives against the distance from the electrode.

    Parameters
    ----------
    begin, height, deflection : as in `reference`
        The deflection without spikes and fringe.
    in_phase, quadrature : flat arrays
        Peak force in N; empty where there is no lateral signal.
    rows : (n, N_COLUMNS) array
        From `reference`.
    depth : (m,) array
        Distances from the electrode in m, rising.
    settings : (4,) array
        Half-width in m; dither amplitude in m; lateral stiffness in N/m, 0 for none; spring
        constant in N/m.
    own : (n, 3) array
        Of each curve: delay of the lock-in in samples, negative where samples run against the
        time; samples before the hard contact in which the lock-in feels it; factor of distances.
    correlation : (k,) array
        Autocorrelation of the lateral noise, from lag 0 on.
    found : (n, 7, m) array
        Receives normal force, lateral force (2), gradient (2) towards the electrode and their
        standard errors (2), and nan where there is no estimate.
    valid : (n,) array
        Receives the smallest distance with an estimate.
    """
    half_width = settings[0]
    reach = depth[len(depth) - 1] + half_width
    lateral = len(in_phase) > 0
    for curve in range(len(begin) - 1):
        found[curve, :, :] = np.nan
        valid[curve] = np.nan
        row = rows[curve]
        if not np.isfinite(row[CONTACT]):
            continue
        a0 = begin[curve]
        b0 = begin[curve + 1]
        n = b0 - a0
        z = np.empty(n)
        normal = np.empty(n)
        fx = np.empty(n)
        fy = np.empty(n)
        kept, var_x, var_y = referenced(
            height[a0:b0], deflection[a0:b0], in_phase[a0:b0], quadrature[a0:b0], row,
            settings, own[curve], reach, z, normal, fx, fy,
        )  # fmt: skip
        if kept < 5:
            continue
        order = np.argsort(z[:kept])
        weights = np.empty(kept)
        a = 0
        b = 0
        for g in range(len(depth)):
            at = depth[g]
            while a < kept and z[order[a]] <= at - half_width:
                a += 1
            b = max(b, a)
            while b < kept and z[order[b]] < at + half_width:
                b += 1
            if b - a < 5:
                continue
            if z[order[a]] > at - 0.5 * half_width and z[order[a]] > at:
                continue
            if z[order[b - 1]] < at + 0.5 * half_width:
                continue
            level, _, det = local_line(z, normal, order, a, b, at, half_width, weights)
            if det == 0.0:
                continue
            found[curve, 0, g] = level
            if not np.isfinite(valid[curve]):
                valid[curve] = at
            if not lateral:
                continue
            level_x, slope_x, _ = local_line(z, fx, order, a, b, at, half_width, weights)
            level_y, slope_y, _ = local_line(z, fy, order, a, b, at, half_width, weights)
            white = 0.0
            for i in range(b - a):
                white += weights[i] * weights[i]
            total = white
            for lag in range(1, min(len(correlation), b - a)):
                product = 0.0
                for i in range(b - a - lag):
                    product += weights[i] * weights[i + lag]
                total += 2.0 * correlation[lag] * product
            total = max(total, 0.1 * white)
            spread = row[NOISE] * row[NOISE] * white
            found[curve, 1, g] = level_x
            found[curve, 2, g] = level_y
            found[curve, 3, g] = -slope_x
            found[curve, 4, g] = -slope_y
            found[curve, 5, g] = np.sqrt(var_x * total + slope_x * slope_x * spread)
            found[curve, 6, g] = np.sqrt(var_y * total + slope_y * slope_y * spread)
