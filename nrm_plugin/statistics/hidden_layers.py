"""Soft layers outside the edges that are seen: what many curves show and none of them alone."""

from __future__ import annotations

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.kernels import RecordArray
from nrm_plugin.statistics.regions import DEFAULT_EDGES

#: A curve whose force outside the edge has such a square (two degrees of freedom, one curve of
#: 800 by noise alone) is not compatible with nothing.
_ALONE = 13.4

#: The same of the mean of curves with edges nearby, which is looked at many times.
_TOGETHER = 18.0

#: Edges (m) that are looked at together, and the fewest of them.
_NEARBY, _FEWEST = 2e-9, 5

#: Standard error of an edge (m) that is not sure, and how far in other edges are looked at then.
_UNSURE, _FARTHER_IN = 0.6e-9, 10e-9

#: Standard errors by which a curve must lie below the mean to have no such layer.
_CLEAR = 1.96


def hidden(
    onsets: RecordArray, edge: FloatArray, stderr: FloatArray, potential: FloatArray | None
) -> AnyArray:
    """Whether a softer layer may lie outside the edge of each curve, (n,) array of bool.

    It may where the force just outside is not compatible with nothing, and where the mean of
    curves whose edges lie nearby (in the same range of potentials) is not and the curve itself
    does not exclude it.

    Parameters
    ----------
    onsets : (n,) array of `kernels.ONSET`
    edge : (n,) array
        m, nan where nothing is seen.
    stderr : (n,) array
        Its standard error, m.
    potential : (n,) array or None
        V.
    """
    outside = onsets["outside_x"] + 1j * onsets["outside_y"]
    known = np.isfinite(outside) & np.isfinite(edge)
    found: AnyArray = known & (np.abs(outside) ** 2 > _ALONE)
    group = np.zeros(len(edge), np.int64)
    if potential is not None:
        group = np.digitize(np.nan_to_num(potential, nan=np.inf), sorted(DEFAULT_EDGES))
    for number in np.unique(group[known]):
        some = np.flatnonzero(known & (group == number))
        some = some[np.argsort(edge[some], kind="stable")]
        at, values = edge[some], outside[some]
        # An edge that is not sure may be that of a layer of which more is hidden.
        inwards = np.where(stderr[some] > _UNSURE, _FARTHER_IN, _NEARBY)
        first = np.searchsorted(at, at - inwards, "left")
        stop = np.searchsorted(at, at + _NEARBY, "right")
        total = np.append(0.0, np.cumsum(values))
        count = stop - first
        mean = (total[stop] - total[first]) / count
        shown = (count >= _FEWEST) & (count * np.abs(mean) ** 2 > _TOGETHER) & (mean.real > 0.0)
        size = np.maximum(np.abs(mean), 1e-12)
        along = (values * mean.conj()).real / size
        found[some[shown & (along > size - _CLEAR)]] = True
    return found
