"""``dataset.nrm``: figures and statistics for xarray's datasets of curves and of results.

Rooms that stand above this module are reached as a user reaches them, through the package.

>>> results.nrm.plot.profiles()                                # doctest: +SKIP
>>> results.nrm.statistics.thickness()                         # doctest: +SKIP
>>> dataset.nrm.curves                                         # doctest: +SKIP
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

import xarray as xr

from nrm_plugin.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

    from nrm_plugin.model import CurveSet

#: What the first argument of a function is called that takes curves, and one that takes results.
_CURVES, _RESULTS = ("curves",), ("results", "source")


class _Functions:
    """Those functions of a room that take the dataset, which is their first argument here."""

    def __init__(self, room: str, accessor: DatasetAccessor) -> None:
        self._room, self._accessor = room, accessor

    def __dir__(self) -> list[str]:
        room = import_module(self._room)
        return [name for name in room.__all__ if self._takes(getattr(room, name))]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function: Any = getattr(import_module(self._room), name, None)
        if name.startswith("_") or not self._takes(function):
            raise AttributeError(f"{name!r} is none of: {', '.join(dir(self))}")
        accessor = self._accessor

        @wraps(function)
        def of_this_dataset(*arguments: Any, **options: Any) -> Any:
            return function(accessor.data, *arguments, **options)

        return of_this_dataset

    def _takes(self, function: Any) -> bool:
        if not inspect.isfunction(function):
            return False
        first = next(iter(inspect.signature(function).parameters), "")
        return first in (_CURVES if self._accessor.holds_curves else _RESULTS)


@xr.register_dataset_accessor("nrm")  # type: ignore[no-untyped-call,unused-ignore]
class DatasetAccessor:
    """What this package does with a dataset of curves or of results.

    Attributes
    ----------
    plot : namespace
        The functions of `nrm_plugin.figures`, without their first argument.
    statistics : namespace
        Those of `nrm_plugin.statistics`.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset
        self.plot = _Functions("nrm_plugin.figures", self)
        self.statistics = _Functions("nrm_plugin.statistics", self)

    @property
    def holds_curves(self) -> bool:
        """Whether these are curves, with samples; else results."""
        return "sample" in self._dataset.dims

    @property
    def curves(self) -> CurveSet:
        """The curves as a `CurveSet`.

        Raises
        ------
        InvalidInput
            If there are none, but results.
        """
        if not self.holds_curves:
            raise InvalidInput("these are results, not curves: they have no samples")
        from_xarray: CurveSet = import_module("nrm_plugin").CurveSet.from_xarray(self._dataset)
        return from_xarray

    @property
    def data(self) -> Any:
        """What functions of this package take: a `CurveSet`, or the results."""
        return self.curves if self.holds_curves else self._dataset

    def process(self, recipe: Any = None) -> xr.Dataset:
        """Process the curves; see `nrm_plugin.process`."""
        results: xr.Dataset = import_module("nrm_plugin").process(self.curves, recipe)
        return results

    def check(self, recipe: Any = None) -> Any:
        """Hold the data against what is known of the instrument; see `nrm_plugin.check`."""
        return import_module("nrm_plugin").check(self.data, recipe)

    def to_pandas(self, *, profiles: bool = False) -> pd.DataFrame:
        """Return a table: of curves a row per sample; of results one per curve, or per distance.

        Parameters
        ----------
        profiles : bool
            Of results, a row per curve and distance: all of them are in memory then.
        """
        if self.holds_curves:
            return self.curves.to_pandas()
        import pandas as pd

        tables = import_module("nrm_plugin.store.results_table")
        frame: pd.DataFrame = (
            pd.concat(tables.profile_tables(self._dataset), ignore_index=True)
            if profiles
            else tables.curve_table(self._dataset)
        )
        return frame

    def derived(self, name: str) -> xr.DataArray:
        """A quantity of results that follows from others: ``shear_modulus_magnitude``.

        Raises
        ------
        InvalidInput
            If the results do not hold what it follows from.
        """
        known = import_module("nrm_plugin.store.read_results").with_derived(self._dataset)
        if name not in known:
            raise InvalidInput(f"{name} does not follow from these results: {', '.join(known)}")
        array: xr.DataArray = known[name]
        return array
