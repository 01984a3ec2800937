"""Where a ramp ends and the next begins, to a fraction of a bin and through noise.

The speed is a straight line's through a window that is just long enough for the noise. A ramp is
over when it is below a fifth of the ramp's own speed, and ended where it last was above half of it
(hysteresis: noise alone does not end a ramp). Where a ramp meets a hold, the line has half of the
ramp's speed exactly at the corner; where two ramps meet, it has the mean of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from scipy.signal import savgol_filter  # here, and not while samples are waiting

from nrm_plugin import kernels
from nrm_plugin.columns import FloatArray

#: A ramp's speed is taken between these parts of its travel, away from the extreme.
_NEAR, _FAR = 0.4, 0.9
#: How exactly the window has to tell the speed of the slower ramp.
_PRECISION = 0.1
#: Parts of its speed at which a ramp has ended, and at which it is sure that it has.
_ENDED, _SURE = 0.5, 0.2
#: Ramps shorter than this part of the other are none: the curve only goes one way.
_SHORTEST = 0.1


@dataclass(frozen=True, slots=True)
class Corner:
    """A turning point, or a hold between two ramps.

    Attributes
    ----------
    stop, start : float or None
        Where the ramp before ends and the ramp after begins, as fractional positions of bin
        centres; None where there is no such ramp, or where it goes on.
    noise : float
        Standard deviation of the noise of one bin; 0 where it is not known.
    """

    stop: float | None
    start: float | None
    noise: float


def corner(y: FloatArray, extreme: int, *, before: bool = True, after: bool = True) -> Corner:
    """Find the corner at the lowest place of a fall and a rise.

    A hold shorter than the window is none: fall and rise then meet in one place.

    Parameters
    ----------
    y : (n,) array
        Means of bins, falling and then rising; a hold may lie between.
    extreme : int
        Position of the lowest value.
    before, after : bool
        Whether there is a fall, and a rise.
    """
    fall = _ramp(y[extreme::-1]) if before else None
    rise = _ramp(y[extreme:]) if after else None
    noise = kernels.noise(y)
    speeds = [ramp.speed for ramp in (fall, rise) if ramp is not None]
    if not speeds or len(y) < 3:
        return Corner(None, None, noise)
    lengths = [ramp.far - ramp.near for ramp in (fall, rise) if ramp is not None]
    # The slope of a line through n values has the standard error sqrt(12) noise / n^(3/2).
    wanted = (sqrt(12.0) * noise / (_PRECISION * min(speeds))) ** (2.0 / 3.0)
    window = max(3, min(ceil(wanted) | 1, min(lengths), len(y)))
    window -= 1 - window % 2
    with np.errstate(over="ignore"):  # what damaged files hold in place of heights
        v = np.asarray(savgol_filter(y, window, 1, deriv=1), np.float64)
    stop = start = None
    if fall is not None:
        stop = _end(-v, extreme - (fall.near + fall.far) // 2, fall.speed)
    if rise is not None:
        last = len(v) - 1
        back = _end(v[::-1], last - extreme - (rise.near + rise.far) // 2, rise.speed)
        start = None if back is None else last - back
    if fall and rise and stop is not None and start is not None and start - stop <= window:
        turn = _first_below(-v, int(stop), 0.5 * (fall.speed - rise.speed))
        stop = start = stop if turn is None else min(turn, start)
    return Corner(stop, start, noise)


def cuts(y: FloatArray) -> tuple[int, int]:
    """Bins at which the fall of a whole curve ends and its rise begins.

    A curve that only falls has both at its end, one that only rises both at 0.
    """
    if len(y) < 3:
        return len(y), len(y)
    extreme = int(np.argmin(y))
    fall, rise = float(y[: extreme + 1].max() - y[extreme]), float(y[extreme:].max() - y[extreme])
    before, after = fall > _SHORTEST * rise, rise > _SHORTEST * fall
    turn = corner(y, extreme, before=before, after=after)
    # A bin belongs to what comes after the corner if more than half of it does.
    stop = 0 if not before else len(y) if turn.stop is None else round(turn.stop + 0.5)
    start = len(y) if not after else stop if turn.start is None else round(turn.start + 0.5)
    return min(stop, start), start


@dataclass(frozen=True, slots=True)
class _Ramp:
    """A rise away from an extreme: two positions in its course and the speed between them."""

    near: int
    far: int
    speed: float


def _ramp(away: FloatArray) -> _Ramp | None:
    """Speed of a rise from the extreme at ``away[0]``, in its course."""
    height = away - away[0]
    top = float(height.max())
    if top <= 0.0:
        return None
    # Of the rise nearest to the highest value: a hold may creep.
    far = int(np.argmax(height >= _FAR * top))
    near = int(np.flatnonzero(height[: far + 1] <= _NEAR * top)[-1])
    return _Ramp(near, far, float(height[far] - height[near]) / (far - near))


def _end(v: FloatArray, begin: int, speed: float) -> float | None:
    """Where a ramp that is under way at `begin` ends; None if it goes on."""
    sure = _first_below(v, begin, _SURE * speed)
    if sure is None:
        return None
    fast = np.flatnonzero(v[begin : ceil(sure) + 1] > _ENDED * speed)
    return _first_below(v, begin + int(fast[-1]), _ENDED * speed) if len(fast) else float(begin)


def _first_below(v: FloatArray, begin: int, level: float) -> float | None:
    """Where v is first below a level from `begin` on, between values; None if never."""
    below = v[begin:] < level
    if not below.any():
        return None
    i = begin + int(np.argmax(below))
    return float(i) if i == begin else i - float((v[i] - level) / (v[i] - v[i - 1]))
