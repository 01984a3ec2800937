"""Paths through the table of all pairs of two series of peaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import FloatArray
from nrm_plugin.kernels.library import LIBRARY, check, doubles, pointer, whole
from nrm_plugin.kernels.records import PATH_SETTINGS, RecordArray


def peak_likeness(
    first: FloatArray,
    second: FloatArray,
    same: FloatArray,
    other: FloatArray,
    least: float,
    most: float,
) -> NDArray[np.float32]:
    """Evidence that peaks of two series are the same, by parts of their shapes, (n, m) array.

    For each part it is the logarithm of the ratio of two normal densities of the difference.

    Parameters
    ----------
    first, second : (n, parts) and (m, parts) arrays
    same, other : (parts,) arrays
        Standard deviations of the differences between records of one peak, and of two.
    least, most : float
        Bounds of what one part can give.
    """
    (n, parts), m = first.shape, len(second)
    out = np.empty((n, m), np.float32)
    one, two, same, other = whole(first.T), whole(second.T), whole(same), whole(other)
    check(
        LIBRARY.nrm_likeness(
            doubles(one, n * parts),
            doubles(two, m * parts),
            n,
            m,
            parts,
            doubles(same, parts),
            doubles(other, parts),
            least,
            most,
            pointer(out, np.float32, n * m),
        )
    )
    return out


def collect_paths(
    likeness: NDArray[np.float32],
    first: FloatArray,
    second: FloatArray,
    settings: RecordArray,
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Return the most evidence of paths that end in each pair, and how each was reached.

    Parameters
    ----------
    likeness : (n, m) array
        Evidence of each pair's shapes.
    first, second : (n,) and (m,) arrays
        Times of the peaks in s.
    settings : record of `PATH_SETTINGS`

    Returns
    -------
    evidence, steps : (n, m) arrays
        A step is 0 where a path begins, 1 where a stretch does, else 2 plus the peaks left out of
        the first series times ``skips_second + 1`` plus those left out of the second.
    """
    n, m = likeness.shape
    likeness = np.ascontiguousarray(likeness, np.float32)
    first, second = whole(first), whole(second)
    score, steps = np.empty((n, m), np.float32), np.empty((n, m), np.int8)
    check(
        LIBRARY.nrm_collect_paths(
            pointer(likeness, np.float32, n * m),
            n,
            m,
            doubles(first, n),
            doubles(second, m),
            pointer(settings, PATH_SETTINGS, 1),
            pointer(score, np.float32, n * m),
            pointer(steps, np.int8, n * m),
        )
    )
    return score, steps
