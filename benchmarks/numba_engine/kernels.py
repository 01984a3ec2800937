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

#: Samples over which the deflection is averaged for the distance.
SMOOTHED = 9

#: Lags of an autocorrelation that are looked at one by one.
_LAGS = 16

_BLOCK = 8
_LONG_BLOCK = 16
_SMALLEST_WALL = 12


@compiled
def gather(
    values: Any,
    first: Any,
    begin: Any,
    backwards: Any,
    gain: Any,
    offset: Any,
    limit: Any,
    out: Any,
) -> None:
    """Scale a part of every curve, backwards for a retract; what is absurdly large becomes nan.

    Parameters
    ----------
    values : flat array
        Of any type, as recorded.
    first : (n,) array of int
        Where each part begins in `values`.
    begin : (n + 1,) array of int
        Where it begins in `out`, and the end.
    backwards : bool
    gain, offset, limit : float
    out : flat array
        Receives the parts.
    """
    for curve in range(len(first)):
        part = out[begin[curve] : begin[curve + 1]]
        n = len(part)
        source = values[first[curve] : first[curve] + n]
        for i in range(n):
            value = source[i] * gain + offset
            part[i] = value if abs(value) <= limit else np.nan
        if backwards:
            for i in range(n // 2):
                part[i], part[n - 1 - i] = part[n - 1 - i], part[i]


@compiled
def second_difference_noise(y: Any) -> Any:
    """Standard deviation of white noise from second differences; slopes don't count."""
    # Differences that share a sample say little more than one of them, and a median takes time.
    apart = 3 if len(y) >= 256 else 1
    n = (len(y) - 2) // apart
    if n < 8:
        return 0.0
    size = np.empty(n)
    for k in range(n):
        i = apart * k
        size[k] = abs(y[i] - 2.0 * y[i + 1] + y[i + 2])
    return np.median(size) * 1.482602218505602 / np.sqrt(6.0)


@compiled
def noise_of(y: Any) -> Any:
    """Standard deviation of white noise, no smaller than what the converter's steps stand for."""
    least = np.inf
    for i in range(len(y) - 1):
        step = abs(y[i + 1] - y[i])
        if 0.0 < step < least:
            least = step
    noise = second_difference_noise(y)
    return max(noise, least / np.sqrt(12.0)) if least < np.inf else noise


@compiled
def unsaturated(y: Any) -> Any:
    """Samples before the last ones stay at the largest value: there the detector is at its end."""
    top = np.max(y)
    stop = len(y)
    while stop > _LONG_BLOCK and y[stop - 1] == top:
        stop -= 1
    return stop if len(y) - stop >= 2 else len(y)


@compiled
def predicted(y: Any, at: Any, step: Any) -> Any:
    """What seven samples on one side foretell: from at - step on, in steps of -step."""
    slopes = np.empty(4)
    for k in range(4):
        slopes[k] = (y[at - (k + 1) * step] - y[at - (k + 4) * step]) / 3.0
    slope = np.median(slopes)
    values = np.empty(7)
    for k in range(7):
        values[k] = y[at - (k + 1) * step] + (k + 1) * slope
    return np.median(values)


@compiled
def without_spikes(y: Any, noise: Any, out: Any) -> Any:
    """Copy `y` with samples that stand alone replaced.

    A spike is far from the median of its seven neighbours and from what the samples on either side
    foretell: the last sample before a jump is not. At the ends one side has to do.
    """
    n = len(y)
    near = np.empty(7)
    count = 0
    limit = 6.0 * noise
    for i in range(n):
        out[i] = y[i]
    if limit <= 0.0 or n < 16:
        return 0
    for i in range(3, n - 3):
        if abs(y[i] - 0.5 * (y[i - 1] + y[i + 1])) < limit:
            continue
        for j in range(7):
            near[j] = y[i - 3 + j]
        middle = np.median(near)
        before = out[i - 1] + 0.5 * (out[i - 1] - out[i - 3])
        after = y[i + 1] + 0.5 * (y[i + 1] - y[i + 3])
        if min(abs(y[i] - middle), abs(y[i] - before), abs(y[i] - after)) > limit:
            out[i] = middle
            count += 1
    for k in range(3):
        for at, step in ((2 - k, -1), (n - 3 + k, 1)):
            if abs(y[at] - out[at - step]) > limit:
                middle = predicted(out, at, step)
                if abs(y[at] - middle) > 1.5 * limit:
                    out[at] = middle
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
def add_to_fit(rows: Any, y: Any, first: Any, stop: Any, a: Any, b: Any) -> None:
    """Add samples to the normal equations of a line, a sine and a cosine."""
    for i in range(first, stop):
        for j in range(4):
            b[j] += rows[j, i] * y[i]
            for k in range(j + 1):
                a[j, k] += rows[j, i] * rows[k, i]
    for j in range(4):
        for k in range(j):
            a[k, j] = a[j, k]


@compiled
def without_fringe(rows: Any, y: Any, a: Any, b: Any, out: Any) -> None:
    """Take the fitted sine and cosine from all samples: the fringe is taken to go on in contact."""
    matrix = a.copy()
    for j in range(4):
        matrix[j, j] *= 1.0 + 1e-12
        if not matrix[j, j] > 0.0:
            out[:] = y
            return
    found = np.linalg.solve(matrix, b)
    for i in range(len(y)):
        out[i] = y[i] - found[2] * rows[2, i] - found[3] * rows[3, i]


@compiled
def remove_fringe(x: Any, y: Any, stop: Any, noise: Any, wave: Any) -> None:
    """Fit line, sine and cosine to the baseline and take the sine and cosine from all samples.

    The fringe itself hides where the baseline ends: of fits to eighths of the samples the one
    counts that leaves the longest baseline.
    """
    rows = np.empty((4, len(x)))
    scale = abs(x[stop - 1] - x[0])
    for i in range(len(x)):
        phase = wave * (x[i] - x[0])
        rows[0, i] = 1.0
        rows[1, i] = (x[i] - x[0]) / scale if scale > 0.0 else 0.0
        rows[2, i] = np.sin(phase)
        rows[3, i] = np.cos(phase)
    kept = y.copy()
    a = np.zeros((4, 4))
    b = np.zeros(4)
    longest = 0
    last = 0
    for eighth in range(2, 8):
        end = stop * eighth // 8
        add_to_fit(rows, kept, last, end, a, b)
        last = end
        without_fringe(rows, kept, a, b, y)
        rough = max(noise, long_run_noise(x, y, end))
        longest = max(longest, baseline_end(x, y, min(rough, 2.0 * noise), stop))
    a[:] = 0.0
    b[:] = 0.0
    add_to_fit(rows, kept, 0, max(int(FRINGE_PART * longest), 16), a, b)
    without_fringe(rows, kept, a, b, y)


@compiled
def saturated_samples(y: Any) -> Any:
    """Length of the longest run of the largest value, 0 if it is shorter than four samples."""
    top = np.max(y)
    if np.sum(y == top) < 4:
        return 0
    run = 0
    longest = 0
    for i in range(len(y)):
        run = run + 1 if y[i] == top else 0
        longest = max(longest, run)
    return longest if longest >= 4 else 0


@compiled
def all_finite(values: Any) -> Any:
    """Whether all values are numbers."""
    bad = 0
    for i in range(len(values)):
        bad += not abs(values[i]) < np.inf
    return bad == 0


@compiled
def grown_wall(
    x: Any, y: Any, base: Any, stop: Any, noise: Any, prior: Any, prior_stderr: Any, row: Any
) -> Any:
    """Cross the baseline with the largest high-force window that agrees with all smaller ones.

    The window grows from the last samples; its crossing must stay within one standard error of
    that of every smaller window (Lepski's rule). `prior` is a slope known beforehand, from
    the baseline's, with its standard error; an infinite error leaves it free. Writes into `row`.
    """
    mean_x, mean_y, slope, sxx = line(x, y, 0, base)
    low = -np.inf
    high = np.inf
    size = float(_SMALLEST_WALL)
    found = False
    begin = stop
    wx = 0.0
    wy = 0.0
    wxx = 0.0
    wxy = 0.0
    while True:
        k = int(size)
        if stop - k < base:
            break
        while begin > stop - k:
            begin -= 1
            dx = x[begin] - x[stop - 1]
            dy = y[begin] - y[stop - 1]
            wx += dx
            wy += dy
            wxx += dx * dx
            wxy += dx * dy
        spread = wxx - wx * wx / k
        free = (wxy - wx * wy / k) / spread if spread > 0.0 else 0.0
        wall_x = x[stop - 1] + wx / k
        wall_y = y[stop - 1] + wy / k
        precision = spread / (noise * noise)
        steep = free
        if prior_stderr < np.inf:
            weight = 1.0 / (prior_stderr * prior_stderr)
            steep = (free * precision + (slope + prior) * weight) / (precision + weight)
            precision += weight
        difference = slope - steep
        size *= 1.15
        if abs(difference) < 0.05 or precision <= 0.0 or sxx <= 0.0:
            continue
        at = (wall_y - steep * wall_x - mean_y + slope * mean_x) / difference
        variance = 1.0 / base + (at - mean_x) ** 2 / sxx + 1.0 / k
        variance = noise * noise * variance + (at - wall_x) ** 2 / precision
        error = np.sqrt(variance) / abs(difference)
        # An uncertain slope makes small windows so uncertain that one error would stop the growth.
        room = error if prior_stderr < 0.004 else 2.5 * error
        low = max(low, at - room)
        high = min(high, at + room)
        if low > high and found:
            break
        found = True
        row[CONTACT] = at
        row[STDERR] = error
        row[WALL_BEGIN] = begin
        row[WALL_SLOPE] = free - slope
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
    row[WALL_SLOPE] = steep - slope
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
        if n < 4 * _SMALLEST_WALL or not all_finite(x) or not all_finite(deflection[a:b]):
            y[:] = deflection[a:b]
            continue
        if np.abs(x[n - 1] - x[0]) == 0.0:
            y[:] = deflection[a:b]
            continue
        noise = noise_of(deflection[a:b])
        row[SPIKES] = 0.0
        if settings[6] > 0.0:
            row[SPIKES] = without_spikes(deflection[a:b], noise, y)
        else:
            y[:] = deflection[a:b]
        row[SATURATED] = saturated_samples(deflection[a:b])
        stop = unsaturated(deflection[a:b])
        tiny = 1e-9 * (np.max(y) - np.min(y)) + 1e-18
        noise = max(noise, tiny)
        if settings[5] > 0.0:
            remove_fringe(x, y, stop, noise, settings[5])
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
def tail_slopes(
    begin: Any, height: Any, deflection: Any, sizes: Any, slopes: Any, errors: Any
) -> None:
    """Slopes of the last samples of every curve, from the baseline's, for windows of many sizes.

    With the errors that the noise gives them; nan where a curve is too short.
    """
    for curve in range(len(begin) - 1):
        a = begin[curve]
        n = begin[curve + 1] - a
        slopes[curve, :] = np.nan
        errors[curve, :] = np.nan
        if n < 4 * _SMALLEST_WALL:
            continue
        x = height[a : a + n]
        noise = noise_of(deflection[a : a + n])
        y = np.empty(n)
        without_spikes(deflection[a : a + n], noise, y)
        stop = unsaturated(deflection[a : a + n])
        end = min(baseline_end(x, y, noise, stop), stop)
        tilt = line(x, y, 0, end)[2] if end > 1 else 0.0
        for j in range(len(sizes)):
            if sizes[j] <= stop // 2:
                _, _, slope, spread = line(x, y, stop - sizes[j], stop)
                if spread > 0.0:
                    slopes[curve, j] = slope - tilt
                    errors[curve, j] = noise / np.sqrt(spread)


@compiled
def slip_exponent(begin: Any, deflection: Any, in_phase: Any, quadrature: Any, rows: Any,
                  found: Any) -> None:  # fmt: skip
    """Exponent with which the lateral force grows with the load on the wall, and its error.

    A tip that slips shows an exponent of about 1 and a straight line, since friction is
    proportional to the load. The contact of a tip that sticks stiffens with the cubic root of the
    load that the wall bears: the line is bent.

    Parameters
    ----------
    begin, deflection, rows : as in `reference`
        The deflection without spikes and fringe.
    in_phase, quadrature : flat arrays
    found : (n, 3) array
        Receives exponent, standard error, and 1 for a straight line; nan where the wall is too
        short to tell.
    """
    for curve in range(len(begin) - 1):
        found[curve, :] = np.nan
        row = rows[curve]
        if not np.isfinite(row[CONTACT]) or not row[WALL_SAMPLES] >= 2 * _SMALLEST_WALL:
            continue
        a = begin[curve] + int(row[WALL_BEGIN])
        n = int(row[WALL_SAMPLES])
        size = np.sqrt(in_phase[a : a + n] ** 2 + quadrature[a : a + n] ** 2)
        load = deflection[a : a + n] - row[BASELINE_AT] - row[BASELINE_SLOPE] * row[CONTACT]
        first = load[0]
        mean_x, mean_y, slope, spread = line(load, size, 0, n)
        if not (first > 0.0 and load[n - 1] > 1.5 * first and spread > 0.0 and mean_y > 0.0):
            continue
        left = 0.0
        for i in range(n):
            left += (size[i] - mean_y - slope * (load[i] - mean_x)) ** 2
        half = n // 2
        first_half = line(load, size, 0, half)[2]
        straight = line(load, size, half, n)[2] > 0.7 * first_half
        found[curve, 2] = 1.0 if straight else 0.0
        found[curve, 0] = slope * mean_x / mean_y
        found[curve, 1] = np.sqrt(left / (n - 2) / spread) * mean_x / mean_y


@compiled
def moves(values: Any, a: Any, b: Any) -> Any:
    """Whether any of the samples a to b differs from the one before it."""
    i = a + 1
    while i < b and values[i] == values[i - 1]:
        i += 1
    return i < b


@compiled
def dead(begin: Any, in_phase: Any, quadrature: Any, found: Any) -> None:
    """Whether the lateral signal of every curve has a hole, or a part of it never changes.

    Without noise far from the surface, a part may well be zero throughout.
    """
    for curve in range(len(begin) - 1):
        a = begin[curve]
        b = begin[curve + 1]
        third = a + (b - a) // 3
        hole = False
        for i in range(a, b):
            hole = hole or not np.isfinite(in_phase[i]) or not np.isfinite(quadrature[i])
        x = moves(in_phase, a, b)
        y = moves(quadrature, a, b)
        noisy = moves(in_phase, a, third) or moves(quadrature, a, third)
        found[curve] = hole or not (x or y) or (noisy and not (x and y))


@compiled
def jumps(height: Any, deflection: Any, i: Any, noise: Any) -> Any:
    """Whether the tip jumps before sample i: through a crust, or onto the surface."""
    moved = abs(height[i] - height[i - 1])
    return abs(deflection[i] - deflection[i - 1]) > moved + 6.0 * noise


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
        far = 0
        while far < base and height[far] - row[CONTACT] > reach:
            far += 1
        base = max(far, base // 3, 1)  # a layer that does not press may be felt already
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
        bent = deflection[i] - row[BASELINE_SLOPE] * height[i] - row[BASELINE_AT]
        z[i] = height[i] - row[CONTACT] + bent
        if z[i] > reach + 10e-9:  # its mean with its neighbours is not needed
            continue
        lo = i
        while lo > max(0, i - SMOOTHED // 2) and not jumps(height, deflection, lo, row[NOISE]):
            lo -= 1
        hi = i + 1
        while hi < min(n, i + 1 + SMOOTHED // 2) and not jumps(height, deflection, hi, row[NOISE]):
            hi += 1
        bent = 0.0
        for j in range(lo, hi):
            bent += deflection[j] - row[BASELINE_SLOPE] * height[j]
        bent = bent / (hi - lo) - row[BASELINE_AT]
        here = height[i] - row[CONTACT] + bent
        if here < cut:
            last = i - 4
            break
        z[i] = here
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
def line_weights(z: Any, a: Any, b: Any, at: Any, half_width: Any, level: Any, slope: Any) -> Any:
    """Weights of samples a to b in the level and the slope of a weighted line around `at`.

    The samples count by Epanechnikov's kernel. False where they cannot tell a slope.
    """
    s0 = 0.0
    s1 = 0.0
    s2 = 0.0
    for i in range(a, b):
        dz = z[i] - at
        q = 1.0 - (dz / half_width) ** 2
        s0 += q
        s1 += q * dz
        s2 += q * dz * dz
    det = s0 * s2 - s1 * s1
    if det <= 1e-9 * s0 * s0 * half_width * half_width:
        return False
    for i in range(a, b):
        dz = z[i] - at
        q = (1.0 - (dz / half_width) ** 2) / det
        level[i - a] = q * (s2 - s1 * dz)
        slope[i - a] = q * (s0 * dz - s1)
    return True


@compiled
def weighted(weights: Any, values: Any, a: Any, b: Any) -> Any:
    """Weighted sum of samples a to b."""
    total = 0.0
    for i in range(a, b):
        total += weights[i - a] * values[i]
    return total


@compiled
def smoothed_sum(weights: Any, n: Any) -> Any:
    """Sum of squares of n weights after a running mean: what it leaves of white noise."""
    run = 0.0
    total = 0.0
    for i in range(n + SMOOTHED - 1):
        if i < n:
            run += weights[i]
        if i >= SMOOTHED:
            run -= weights[i - SMOOTHED]
        total += (run / SMOOTHED) ** 2
    return total


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
        time; samples before the hard contact in which the lock-in feels it; cosine of the
        surface's slope, by which a layer is thinner than its vertical extent.
    correlation : (k,) array
        Autocorrelation of the lateral noise, from lag 0 on.
    found : (n, 7, m) array
        Receives normal force, lateral force (2), gradient (2) towards the electrode and their
        standard errors (2), and nan where there is no estimate.
    valid : (n,) array
        Receives the smallest distance with an estimate.
    """
    half_width = settings[0]
    lateral = len(in_phase) > 0
    for curve in range(len(begin) - 1):
        found[curve, :, :] = np.nan
        valid[curve] = np.nan
        row = rows[curve]
        if not np.isfinite(row[CONTACT]):
            continue
        reach = depth[len(depth) - 1] / own[curve, 2] + half_width
        a0 = begin[curve]
        b0 = begin[curve + 1]
        n = b0 - a0
        z = np.empty(n)
        normal = np.empty(n)
        fx = np.empty(n)
        fy = np.empty(n)
        spare = np.empty(n)
        kept, var_x, var_y = referenced(
            height[a0:b0], deflection[a0:b0], in_phase[a0:b0], quadrature[a0:b0], row,
            settings, own[curve], reach, z, normal, fx, fy,
        )  # fmt: skip
        if kept < 5:
            continue
        order = np.argsort(z[:kept])
        for values in (normal, fx, fy, z):
            spare[:kept] = values[order]
            values[:kept] = spare[:kept]
        level = np.empty(kept)
        slope = np.empty(kept)
        a = 0
        b = 0
        middle = 0
        for g in range(len(depth)):
            at = depth[g] / own[curve, 2]
            while a < kept and z[a] <= at - half_width:
                a += 1
            b = max(b, a)
            while b < kept and z[b] < at + half_width:
                b += 1
            if b - a < 5:
                continue
            if z[a] > at - 0.5 * half_width and z[a] > at:
                continue
            if z[b - 1] < at + 0.5 * half_width:
                continue
            while middle < b and z[middle] < at:
                middle += 1
            if a < middle < b and z[middle] - z[middle - 1] > half_width:
                continue  # the tip never stopped here
            if not line_weights(z, a, b, at, half_width, level, slope):
                continue
            found[curve, 0, g] = weighted(level, normal, a, b)
            if not np.isfinite(valid[curve]):
                valid[curve] = depth[g]
            if not lateral:
                continue
            slope_x = weighted(slope, fx, a, b)
            slope_y = weighted(slope, fy, a, b)
            total = propagated(slope[: b - a], correlation)
            spread = row[NOISE] * row[NOISE] * smoothed_sum(slope, b - a)
            found[curve, 1, g] = weighted(level, fx, a, b)
            found[curve, 2, g] = weighted(level, fy, a, b)
            found[curve, 3, g] = -slope_x
            found[curve, 4, g] = -slope_y
            found[curve, 5, g] = np.sqrt(var_x * total + slope_x * slope_x * spread)
            found[curve, 6, g] = np.sqrt(var_y * total + slope_y * slope_y * spread)


@compiled
def layer_samples(
    begin: Any, height: Any, deflection: Any, in_phase: Any, quadrature: Any, rows: Any,
    depth: Any, settings: Any, own: Any, curve: Any,
) -> Any:  # fmt: skip
    """Distance, normal and lateral forces of the samples of one curve, by rising distance.

    As `referenced` finds them, with the variances of the lateral signals far away.
    """
    a = begin[curve]
    b = begin[curve + 1]
    z = np.empty(b - a)
    normal = np.empty(b - a)
    fx = np.empty(b - a)
    fy = np.empty(b - a)
    kept, var_x, var_y = referenced(
        height[a:b], deflection[a:b], in_phase[a:b], quadrature[a:b], rows[curve], settings,
        own[curve], depth[len(depth) - 1] / own[curve, 2] + settings[0], z, normal, fx, fy,
    )  # fmt: skip
    order = np.argsort(z[:kept])
    if len(in_phase) == 0:
        fx[:] = 0.0
        fy[:] = 0.0
    return z[order], normal[order], fx[order], fy[order], var_x, var_y


@compiled
def binned(z: Any, step: Any) -> Any:
    """Bins of samples by rising distance: where each begins, and the end.

    A bin begins with a sample and holds what lies less than `step` from it, so that no bin is
    empty and mean distances differ.
    """
    n = len(z)
    edges = np.empty(n + 1, np.int64)
    bins = 0
    for i in range(n):
        if bins == 0 or z[i] >= z[edges[bins - 1]] + step:
            edges[bins] = i
            bins += 1
    edges[bins] = n
    return edges[: bins + 1]


@compiled
def bin_means(values: Any, edges: Any) -> Any:
    """Means of the samples in bins."""
    means = np.empty(len(edges) - 1)
    for k in range(len(means)):
        total = 0.0
        for i in range(edges[k], edges[k + 1]):
            total += values[i]
        means[k] = total / (edges[k + 1] - edges[k])
    return means


@compiled
def propagated(weights: Any, correlation: Any) -> Any:
    """Variance of a weighted sum of correlated samples of variance 1.

    Weights are smooth, so that of many lags one in the middle stands for its neighbours: the cost
    grows with the samples and not with their square.
    """
    n = len(weights)
    white = 0.0
    for i in range(n):
        white += weights[i] * weights[i]
    total = white
    last = min(len(correlation), n)
    together = max((last - 2) // _LAGS + 1, 1)
    for first in range(1, last, together):
        stop = min(first + together, last)
        shift = (first + stop - 1) // 2
        product = 0.0
        for i in range(n - shift):
            product += weights[i] * weights[i + shift]
        total += 2.0 * np.sum(correlation[first:stop]) * product
    return max(total, 0.1 * white)


@compiled
def window_weights(
    at: Any, start: Any, step: Any, level: Any, slope: Any, widest: Any, of_level: Any,
    of_slope: Any,
) -> Any:  # fmt: skip
    """Spread the weights of a regular grid's points over the bins between which they lie.

    Returns the first and the last bin, equal where bins are farther apart than `widest`.
    """
    k = max(np.searchsorted(at, start, side="right") - 1, 0)
    first = k
    of_level[k : k + 2] = 0.0
    of_slope[k : k + 2] = 0.0
    for j in range(len(level)):
        point = start + j * step
        while k < len(at) - 2 and at[k + 1] < point:
            k += 1
            of_level[k + 1] = 0.0
            of_slope[k + 1] = 0.0
        apart = at[k + 1] - at[k]
        if apart > widest:
            return first, first
        part = min(max((point - at[k]) / apart, 0.0), 1.0)
        of_level[k] += (1.0 - part) * level[j]
        of_level[k + 1] += part * level[j]
        of_slope[k] += (1.0 - part) * slope[j]
        of_slope[k + 1] += part * slope[j]
    return first, k + 1


@compiled
def savitzky_golay(
    begin: Any, height: Any, deflection: Any, in_phase: Any, quadrature: Any, rows: Any,
    depth: Any, settings: Any, own: Any, correlation: Any, level: Any, slope: Any, step: Any,
    found: Any, valid: Any,
) -> None:  # fmt: skip
    """Forces and their derivatives by polynomials over a window of a regular grid.

    Through each distance goes a grid of its own, with values interpolated between the means of
    neighbouring bins. The window is centred where the samples allow it, and ends where they end.

    Parameters
    ----------
    begin, height, deflection, in_phase, quadrature, rows, depth, settings, own, correlation
        As in `profiles`.
    level, slope : (k, k) arrays
        Weights of the k points of a window, k odd, in value and derivative at each of them.
    step : float
        Of the grid, in m; bins are as wide.
    found, valid : arrays
        As in `profiles`.
    """
    half_width = settings[0]
    size = len(level)
    lateral = len(in_phase) > 0
    for curve in range(len(begin) - 1):
        found[curve, :, :] = np.nan
        valid[curve] = np.nan
        if not np.isfinite(rows[curve, CONTACT]):
            continue
        z, normal, fx, fy, var_x, var_y = layer_samples(
            begin, height, deflection, in_phase, quadrature, rows, depth, settings, own, curve
        )
        if len(z) < 5:
            continue
        edges = binned(z, step)
        bins = len(edges) - 1
        if bins < 2:
            continue
        at = bin_means(z, edges)
        normal = bin_means(normal, edges)
        fx = bin_means(fx, edges)
        fy = bin_means(fy, edges)
        of_level = np.empty(bins)
        of_slope = np.empty(bins)
        weights = np.empty(len(z))
        for g in range(len(depth)):
            here = depth[g] / own[curve, 2]
            before = (here - at[0]) / step
            after = (at[bins - 1] - here) / step
            if not (before >= 0.0 and after * step >= 0.5 * half_width):
                continue
            place = max(int(min(size // 2, before)), size - 1 - int(min(size - 1, after)))
            if place > before:
                continue
            first, last = window_weights(
                at, here - place * step, step, level[place], slope[place], 0.5 * half_width,
                of_level, of_slope,
            )  # fmt: skip
            if last == first:
                continue
            if not np.isfinite(valid[curve]):
                valid[curve] = depth[g]
            found[curve, 0, g] = weighted(of_level[first:], normal, first, last + 1)
            if not lateral:
                continue
            for k in range(first, last + 1):
                weights[edges[k] : edges[k + 1]] = of_slope[k] / (edges[k + 1] - edges[k])
            used = weights[edges[first] : edges[last + 1]]
            total = propagated(used, correlation)
            spread = rows[curve, NOISE] ** 2 * smoothed_sum(used, len(used))
            slope_x = weighted(of_slope[first:], fx, first, last + 1)
            slope_y = weighted(of_slope[first:], fy, first, last + 1)
            found[curve, 1, g] = weighted(of_level[first:], fx, first, last + 1)
            found[curve, 2, g] = weighted(of_level[first:], fy, first, last + 1)
            found[curve, 3, g] = -slope_x
            found[curve, 4, g] = -slope_y
            found[curve, 5, g] = np.sqrt(var_x * total + slope_x * slope_x * spread)
            found[curve, 6, g] = np.sqrt(var_y * total + slope_y * slope_y * spread)


@compiled
def factor_five(a: Any, b: Any, c: Any) -> None:
    """Factor, in place, a positive definite matrix of five diagonals: a, b beside it, then c."""
    for i in range(len(a) - 1):
        a[i + 1] -= b[i] * b[i] / a[i]
        if i + 2 < len(a):
            b[i + 1] -= b[i] * c[i] / a[i]
            a[i + 2] -= c[i] * c[i] / a[i]


@compiled
def solve_five(a: Any, b: Any, c: Any, x: Any) -> None:
    """Solve for `x`, in place, with what `factor_five` leaves."""
    n = len(a)
    for i in range(n):
        if i > 0:
            x[i] -= b[i - 1] / a[i - 1] * x[i - 1]
        if i > 1:
            x[i] -= c[i - 2] / a[i - 2] * x[i - 2]
    for i in range(n - 1, -1, -1):
        if i + 1 < n:
            x[i] -= b[i] * x[i + 1]
        if i + 2 < n:
            x[i] -= c[i] * x[i + 2]
        x[i] /= a[i]


@compiled
def trend_filter(z: Any, values: Any, weight: Any, limit: Any, fit: Any) -> Any:
    """Straight pieces through values: least squares with a price on the changes of slope.

    Minimises ``sum(weight (values - fit)^2) / 2 + sum(limit |change of slope|)`` over `fit`, as
    Kim et al., SIAM Review 51, 339 (2009) do, but for values at any distances: the multipliers of
    the changes, which stay within `limit`, by a primal-dual interior-point method (Mehrotra, SIAM
    J. Optim. 2, 575 (1992)) whose linear equations have five diagonals.

    Parameters
    ----------
    z, values, weight : (n,) arrays
        `z` rising, n > 2.
    limit : (n - 2,) array
        Positive.
    fit : (n,) array
        Receives the pieces at `z`.

    Returns
    -------
    float
        Bound on how much larger the sum is than the smallest one.
    """
    n = len(z) - 2
    a, b, c, change = changes_of_slope(z, values, weight)
    nu = np.zeros(n)
    to_upper = limit.copy()
    to_lower = limit.copy()
    above = np.full(n, np.max(np.abs(change)) + 1e-300)
    below = above.copy()
    force = np.empty(n)
    fa = np.empty(n)
    fb = np.empty(n)
    step = np.empty(n)
    up = np.empty(n)
    down = np.empty(n)
    bent_up = np.empty(n)
    bent_down = np.empty(n)
    gap = np.inf
    for _ in range(60):
        gap = 0.0
        off = 0.0
        for i in range(n):
            force[i] = a[i] * nu[i] - change[i]
            if i > 0:
                force[i] += b[i - 1] * nu[i - 1]
            if i > 1:
                force[i] += c[i - 2] * nu[i - 2]
            if i + 1 < n:
                force[i] += b[i] * nu[i + 1]
            if i + 2 < n:
                force[i] += c[i] * nu[i + 2]
            gap += above[i] * to_upper[i] + below[i] * to_lower[i]
            off += abs(force[i] + above[i] - below[i]) * limit[i]
            fa[i] = a[i] + above[i] / to_upper[i] + below[i] / to_lower[i]
            fb[i] = b[i]
            step[i] = 0.0
            up[i] = 0.0
            down[i] = 0.0
        if gap + off <= 1e-4:
            break
        factor_five(fa, fb, c)
        aim = 0.0
        length = 0.0
        for most in (1.0, 0.995):  # the second step knows how far the first one led
            for i in range(n):
                bent_up[i] = (aim + step[i] * up[i]) / to_upper[i]
                bent_down[i] = (aim - step[i] * down[i]) / to_lower[i]
                step[i] = bent_down[i] - bent_up[i] - force[i]
            solve_five(fa, fb, c, step)
            length = 1.0
            for i in range(n):
                up[i] = bent_up[i] + above[i] * (step[i] / to_upper[i] - 1.0)
                down[i] = bent_down[i] - below[i] * (step[i] / to_lower[i] + 1.0)
                length = shorter(length, to_upper[i], -step[i], most)
                length = shorter(length, to_lower[i], step[i], most)
                length = shorter(length, above[i], up[i], most)
                length = shorter(length, below[i], down[i], most)
            if most == 1.0:
                ahead = 0.0
                for i in range(n):
                    ahead += (above[i] + length * up[i]) * (to_upper[i] - length * step[i])
                    ahead += (below[i] + length * down[i]) * (to_lower[i] + length * step[i])
                aim = (ahead / gap) ** 3 * gap / (2 * n)
        for i in range(n):
            nu[i] += length * step[i]
            to_upper[i] -= length * step[i]
            to_lower[i] += length * step[i]
            above[i] += length * up[i]
            below[i] += length * down[i]
    for i in range(n + 2):
        fit[i] = values[i]
    for i in range(n):
        before = nu[i] / (z[i + 1] - z[i])
        after = nu[i] / (z[i + 2] - z[i + 1])
        fit[i] -= before / weight[i]
        fit[i + 1] += (before + after) / weight[i + 1]
        fit[i + 2] -= after / weight[i + 2]
    return gap


@compiled
def changes_of_slope(z: Any, values: Any, weight: Any) -> Any:
    """Diagonals of D W^-1 D', where D takes the changes of slope, and those of the values."""
    n = len(z) - 2
    a = np.zeros(n)
    b = np.zeros(n)
    c = np.zeros(n)
    change = np.empty(n)
    for i in range(n):
        left = 1.0 / (z[i + 1] - z[i])
        right = 1.0 / (z[i + 2] - z[i + 1])
        change[i] = right * (values[i + 2] - values[i + 1]) - left * (values[i + 1] - values[i])
        a[i] = left**2 / weight[i] + (left + right) ** 2 / weight[i + 1] + right**2 / weight[i + 2]
        if i + 1 < n:
            next_right = 1.0 / (z[i + 3] - z[i + 2])
            b[i] = -(left + right) * right / weight[i + 1]
            b[i] -= right * (right + next_right) / weight[i + 2]
            if i + 2 < n:
                c[i] = right * next_right / weight[i + 2]
    return a, b, c, change


@compiled
def shorter(length: Any, value: Any, step: Any, most: Any) -> Any:
    """Length of a step, cut to `most` of what would make a positive value 0."""
    if value + length * step < (1.0 - most) * value:
        return -most * value / step
    return length


@compiled
def layered(
    begin: Any, height: Any, deflection: Any, in_phase: Any, quadrature: Any, rows: Any,
    depth: Any, settings: Any, own: Any, correlation: Any, step: Any, price: Any, found: Any,
) -> None:  # fmt: skip
    """Lateral forces of straight pieces, whose derivatives are layers, where there are estimates.

    A sample counts by its variance: that of the lateral noise with all its correlation, and that
    which its distance adds on the slope. The price of a change of slope follows the multiplier
    that noise alone would have there.

    Parameters
    ----------
    begin, height, deflection, in_phase, quadrature, rows, depth, settings, own, correlation
        As in `profiles`.
    step : float
        Width of the bins whose means are fitted, in m.
    price : float
        Of a change of slope, in standard deviations of one sample times the root of the samples
        in a half-width.
    found : (n, 7, m) array
        From `profiles`. Receives lateral forces and gradients; standard errors become nan.
    """
    half_width = settings[0]
    run = correlation[0]
    for shift in range(1, len(correlation)):
        run += 2.0 * correlation[shift]
    run = max(run, 0.1)
    for curve in range(len(begin) - 1):
        found[curve, 5:, :] = np.nan
        known = np.flatnonzero(np.isfinite(found[curve, 3]) & np.isfinite(found[curve, 4]))
        if len(known) == 0:
            continue
        z, _, fx, fy, var_x, var_y = layer_samples(
            begin, height, deflection, in_phase, quadrature, rows, depth, settings, own, curve
        )
        finite = np.isfinite(fx) & np.isfinite(fy)
        z = z[finite]
        edges = binned(z, step)
        bins = len(edges) - 1
        if bins < 3:
            found[curve, 1:5, :] = np.nan
            continue
        at = bin_means(z, edges)
        vertical = depth[known] / own[curve, 2]
        for part in range(2):
            force = bin_means((fx if part == 0 else fy)[finite], edges)
            gradient = np.interp(at, vertical, found[curve, 3 + part, known])
            least = (1e-6 * np.max(np.abs(force - force[0]))) ** 2
            noise = (var_x if part == 0 else var_y) * run
            fit = np.empty(bins)
            straight_pieces(
                z, edges, at, force,
                np.maximum(noise + (gradient * rows[curve, NOISE]) ** 2, least),
                half_width, price, fit,
            )  # fmt: skip
            for g, here in zip(known, vertical):  # noqa: B905
                k = min(max(np.searchsorted(at, here) - 1, 0), bins - 2)
                slope = (fit[k + 1] - fit[k]) / (at[k + 1] - at[k])
                found[curve, 1 + part, g] = fit[k] + slope * (here - at[k])
                found[curve, 3 + part, g] = -slope


@compiled
def straight_pieces(
    z: Any, edges: Any, at: Any, force: Any, variance: Any, half_width: Any, price: Any, fit: Any
) -> None:
    """Straight pieces through bin means `force` at distances `at`, of samples of a variance."""
    unit = np.sqrt(np.min(variance))
    if not (unit > 0.0 and np.isfinite(np.max(variance))):  # all alike, or absurd
        fit[:] = force
        return
    weight = np.empty(len(at))
    limit = np.empty(len(at))
    for k in range(len(at)):
        near = np.searchsorted(z, at[k] + 0.5 * half_width)
        near -= np.searchsorted(z, at[k] - 0.5 * half_width)
        weight[k] = (edges[k + 1] - edges[k]) * unit * unit / variance[k]
        limit[k] = price * unit * np.sqrt(near / variance[k])
    trend_filter(at / half_width, force / unit, weight, limit[1:-1], fit)
    fit *= unit
