"""Arrays of xarray's datasets whose numbers are read or computed when they are asked for.

The only place that touches xarray's indexing; what it uses is what xarray's guide to backends
("How to add a new backend", lazy loading) names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from nrm_plugin.columns import AnyArray


class LazyArray(BackendArray):
    """An array of which parts are made when they are asked for.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    #: How many dimensions may be chosen from by an array of numbers: all, or one (as in h5py).
    one_array = False

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, indexing.OuterIndexer):  # xarray 2025 takes no array of no numbers
            chosen = (slice(0, 0) if np.size(one) == 0 else one for one in key.tuple)
            key = indexing.OuterIndexer(tuple(chosen))
        levels = indexing.IndexingSupport
        support = levels.OUTER_1VECTOR if self.one_array else levels.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, support, self.part)

    def part(self, key: tuple[Any, ...]) -> AnyArray:
        """Return what a number, a slice or an array of numbers per dimension choose."""
        raise NotImplementedError


def lazy_variable(
    dims: Sequence[Any],
    array: LazyArray,
    attributes: Mapping[Any, Any],
    encoding: Mapping[Any, Any] | None = None,
) -> xr.Variable:
    """Return a variable of an array that is read when it is asked for, and may be changed."""
    lazy: Any = indexing.LazilyIndexedArray(array)
    return xr.Variable(dims, indexing.CopyOnWriteArray(lazy), attributes, encoding)
