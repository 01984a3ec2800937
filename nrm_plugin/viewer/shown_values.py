"""Values of a quantity for all curves: what the map, its strip and its histogram are made of."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.maps import AT_LEAST
from nrm_plugin.statistics.selection import LEFT_OUT
from nrm_plugin.variables import BIT
from nrm_plugin.viewer import shown_quantities as shown
from nrm_plugin.viewer.shown_quantities import ShownQuantity

if TYPE_CHECKING:
    from nrm_plugin.viewer.viewed import Viewed

#: Bytes of values that are kept for when they are asked for again.
_KEPT = 16 << 20

#: A value counts as below the noise under so many standard errors.
_NOISE = 3.0

#: Percentiles between which the colours lie.
_ROBUST = (2.0, 98.0)


@dataclass(frozen=True, kw_only=True)
class Values:
    """A quantity of all curves.

    Attributes
    ----------
    values : array of float32
        In SI; nan where there is none.
    below_noise : array of uint8
    range : (float, float)
        Between which most values lie.
    quantity : ShownQuantity
    depth : float or None
        The distance that was taken, m.
    censored : array of uint8, optional
        Of a thickness: 1 where it is a lower bound, 2 where nothing was seen, 3 without a profile.
    """

    values: AnyArray
    below_noise: AnyArray
    range: tuple[float, float]
    quantity: ShownQuantity
    depth: float | None = None
    censored: AnyArray | None = None


class ShownValues:
    """Values of the quantities of what is looked at; the latest are kept.

    Parameters
    ----------
    view : Viewed
    """

    def __init__(self, view: Viewed) -> None:
        self._view = view
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Values] = OrderedDict()

    def forget(self) -> None:
        """Read all values anew: something was decided."""
        # What is being read meanwhile goes where nobody looks any more.
        self._kept = OrderedDict()

    def values(self, name: str, depth: float | None = None, direction: str | None = None) -> Values:
        """Return a quantity of all curves.

        Raises
        ------
        InvalidInput
            For a quantity, distance or direction that there is not.
        Wait
        """
        quantity = self._view.quantities.get(name)
        if quantity is None:
            raise InvalidInput(f"there is no quantity {name!r}")
        way = self._view.direction(direction)
        index = self._view.nearest_depth(depth) if quantity.of_depth else None
        key = (name, index, way)
        kept = self._kept
        with self._lock:
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
        made = self._made(quantity, index, way)
        with self._lock:
            kept[key] = made
            most = max(4, _KEPT // max(1, 5 * self._view.n_curves))
            while len(kept) > most:
                kept.popitem(last=False)
        return made

    def _made(self, quantity: ShownQuantity, index: int | None, direction: str) -> Values:
        view = self._view
        found = view.places if view.results is None else view.analysis(direction)
        results = found.results
        noise = np.zeros(view.n_curves, bool)
        if index is not None:
            values = results[quantity.name].isel(depth=index).values
            error = f"{quantity.name}_stderr"
            if error in results:
                with np.errstate(invalid="ignore"):
                    noise = np.abs(values) < _NOISE * results[error].isel(depth=index).values
        else:
            values = self._of_curves(quantity, direction)
        values = np.asarray(values, np.float32)
        good = (view.quality(direction) & sum(BIT[f] for f in LEFT_OUT)) == 0
        return Values(
            values=values,
            below_noise=noise.astype(np.uint8),
            range=robust_range(values[good & ~noise]),
            quantity=quantity,
            depth=None if index is None else float(view.depth[index]),
            censored=self._censored(direction) if quantity.name == "thickness" else None,
        )

    def _censored(self, direction: str) -> AnyArray:
        return np.asarray(self.thickness(direction)["censored"].values, np.uint8)

    def _of_curves(self, quantity: ShownQuantity, direction: str) -> AnyArray:
        match quantity.name:
            case "thickness":
                table = self.thickness(direction)
                bound = table["thickness_low"].where(table["censored"] == AT_LEAST)
                return np.asarray(table["thickness"].fillna(bound).values)
            case "largest_force":
                return self.largest_force(direction)
            case "flag_count":
                return shown.flag_count(self._view.quality(direction))
            case "stick":
                return shown.stick_of(self._view.quality(direction), self._view.sticks)
            case "region":
                return self._view.region_numbers
            case "potential":
                found = self._view.column("potential")
                return np.full(self._view.n_curves, np.nan) if found is None else found
            case "curve_number":
                return np.arange(self._view.n_curves)
        return self._view.of_curves(quantity.name, direction)

    def largest_force(self, direction: str | None = None) -> FloatArray:
        """Force in N at which each ramp turned: what the wall's line says of its end."""
        names = ("wall_begin", "wall_end", "contact_height", "wall_slope")
        begin, end, contact, slope = (self._view.of_curves(name, direction) for name in names)
        stiffness = self._view.told.number("spring_constant", "N/m") or np.nan
        return np.asarray((contact - np.minimum(begin, end)) * np.abs(slope) * stiffness)

    def thickness(self, direction: str | None = None) -> xr.Dataset:
        """Thickness of every curve, as `nrm_plugin.statistics.thickness` returns it.

        Raises
        ------
        Wait
        """
        from nrm_plugin.statistics.thickness import thickness

        analysis = self._view.analysis(direction)
        return self._view.in_background(
            ("thickness", self._view.direction(direction)),
            "the thickness of all curves is being determined",
            lambda: thickness(analysis),
        )


def robust_range(values: AnyArray) -> tuple[float, float]:
    """Lowest and highest value without the outermost 2 % on either side; nan without values."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return (float("nan"), float("nan"))
    low, high = np.percentile(finite, _ROBUST)
    return float(low), float(high)
