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
        a = begin[curve]
        n = begin[curve + 1] - a
        at = first[curve]
        step = -1 if backwards else 1
        if backwards:
            at += n - 1
        for i in range(n):
            value = values[at + step * i] * gain + offset
            out[a + i] = value if abs(value) <= limit else np.nan


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
        # A free slope makes small windows so uncertain that one error would stop the growth.
        room = error if prior_stderr < np.inf else 2.5 * error
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
            kept = y.copy()
            longest = 0
            for eighth in range(2, 8):  # the fringe itself hides where the baseline ends
                y[:] = kept
                remove_fringe(x, y, stop * eighth // 8, settings[5])
                rough = max(noise, long_run_noise(x, y, min(stop * eighth // 8, n)))
                longest = max(longest, baseline_end(x, y, min(rough, 2.0 * noise), stop))
            y[:] = kept
            remove_fringe(x, y, max(int(FRINGE_PART * longest), 16), settings[5])
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
def dead(begin: Any, in_phase: Any, quadrature: Any, found: Any) -> None:
    """Whether the lateral signal of every curve has a hole, or never changes by a bit."""
    for curve in range(len(begin) - 1):
        moves = False
        hole = False
        for i in range(begin[curve], begin[curve + 1]):
            hole = hole or not np.isfinite(in_phase[i]) or not np.isfinite(quadrature[i])
            if i > begin[curve]:
                moves = (
                    moves or in_phase[i] != in_phase[i - 1] or quadrature[i] != quadrature[i - 1]
                )
        found[curve] = hole or not moves


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
        if z[i] * own[2] > reach + 10e-9:  # its mean with its neighbours is not needed
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
            at = depth[g]
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
                valid[curve] = at
            if not lateral:
                continue
            slope_x = weighted(slope, fx, a, b)
            slope_y = weighted(slope, fy, a, b)
            white = 0.0
            for i in range(b - a):
                white += slope[i] * slope[i]
            total = white
            for shift in range(1, min(len(correlation), b - a)):
                product = 0.0
                for i in range(b - a - shift):
                    product += slope[i] * slope[i + shift]
                total += 2.0 * correlation[shift] * product
            total = max(total, 0.1 * white)
            spread = row[NOISE] * row[NOISE] * smoothed_sum(slope, b - a)
            found[curve, 1, g] = weighted(level, fx, a, b)
            found[curve, 2, g] = weighted(level, fy, a, b)
            found[curve, 3, g] = -slope_x
            found[curve, 4, g] = -slope_y
            found[curve, 5, g] = np.sqrt(var_x * total + slope_x * slope_x * spread)
            found[curve, 6, g] = np.sqrt(var_y * total + slope_y * slope_y * spread)
