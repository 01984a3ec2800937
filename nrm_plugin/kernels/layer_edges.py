"""Where the lateral force of a layer begins."""

from __future__ import annotations

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.kernels.library import LIBRARY, check, doubles, pointer, whole
from nrm_plugin.kernels.records import ONSET, RecordArray


def find_onsets(
    values: AnyArray,
    weight: FloatArray,
    count: IntArray,
    whitening: FloatArray,
    thresholds: FloatArray,
    penalties: FloatArray | None = None,
    margin: float = 0.5,
) -> RecordArray:
    """Find the outermost knot of the force of each curve, (n,) array of `ONSET`.

    Parameters
    ----------
    values : (n, m) complex array
        Mean forces in bins, from outside inwards, over their noise.
    weight : (n, m) array
        By how much less noise there is than far away.
    count : (n,) array of int
        Bins that are looked at.
    whitening : (m, m) array
        Lower triangular; makes noise white and of variance 1.
    thresholds : (m + 1,) array
        Gain from which on something is seen in a search over so many bins.
    penalties : (m,) array, optional
        Gain that a second knot must have, by how many bins farther out it puts the edge; none is
        tried without it.
    margin : float
        Bins beside the edge that are left out where a layer outside is looked for.
    """
    n, m = values.shape
    values = np.ascontiguousarray(values, np.complex128)
    weight, whitening = whole(weight), whole(whitening)
    thresholds = whole(thresholds)
    penalties = None if penalties is None else whole(penalties)
    count = np.ascontiguousarray(count, np.int64)
    onsets = np.empty(n, ONSET)
    check(
        LIBRARY.nrm_find_onsets(
            n,
            m,
            pointer(values, np.complex128, n * m),
            doubles(weight, n * m),
            pointer(count, np.int64, n),
            doubles(whitening, m * m),
            doubles(thresholds, m + 1),
            doubles(penalties, m),
            margin,
            pointer(onsets, ONSET, n),
        )
    )
    return onsets
