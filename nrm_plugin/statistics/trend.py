"""Repeated ramps at one place: what a ramp does to the interphase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan

import numpy as np
import scipy
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.depth_bins import bins_of, first_depth
from nrm_plugin.statistics.intervals import FEW
from nrm_plugin.statistics.repeats import per_place, places, times
from nrm_plugin.statistics.selection import (
    LEFT_OUT,
    Analysis,
    analysis_of,
    column,
    profile_variable,
    select,
    words_of_excluded,
)
from nrm_plugin.statistics.thickness import LEFT, RIGHT, thickness

#: A potential that changes by less (V) is held.
_STEADY = 0.02

#: Difference of the parts of first and later ramps without a thickness that is worth a word.
_DIFFERENT = 0.1


@dataclass(frozen=True, kw_only=True)
class Trend:
    """Change per ramp at one and the same place.

    Attributes
    ----------
    per_ramp, stderr, low, high : float
        Change of the variable with every ramp, in `unit`, with standard error and interval.
    relative : float
        The change divided by the mean of the first ramps.
    p : float
        Probability of such a change if ramps did nothing; nan where the potential changes
        meanwhile, which no test can tell from what ramps do.
    ramp : (k,) array
        Number of the ramp at its place, from 0.
    mean, mean_stderr : (k,) arrays
        Mean of the places at this ramp, after their own means were made equal.
    n_places, n_curves : int
        With at least two ramps.
    unit, meaning, variable : str
    warnings : tuple of str
    """

    per_ramp: float = nan
    stderr: float = nan
    low: float = nan
    high: float = nan
    relative: float = nan
    p: float = nan
    ramp: FloatArray = field(default_factory=lambda: np.empty(0))
    mean: FloatArray = field(default_factory=lambda: np.empty(0))
    mean_stderr: FloatArray = field(default_factory=lambda: np.empty(0))
    n_places: int = 0
    n_curves: int = 0
    unit: str
    meaning: str
    variable: str
    warnings: tuple[str, ...] = ()


def trend(
    results: xr.Dataset | Analysis,
    variable: str = "shear_modulus_magnitude",
    between: tuple[float, float] = (0.0, 5e-9),
    curves: Sequence[int] | AnyArray | None = None,
    level: float = 0.95,
    direction: str | None = None,
    *,
    quality: Sequence[str] = LEFT_OUT,
) -> Trend:
    """Change of a variable over repeated ramps at one place (damage, or creep of the sample).

    At every place, the ramps are counted in order of time. A line through all of them, with a level
    of its own for every place, gives the change per ramp; its error comes from how differently
    places change, or, with a single place, from the scatter around the line.

    Parameters
    ----------
    results : Dataset
        From `nrm_plugin.process`.
    variable : str
        A variable over depth as for `mean_profile`, averaged within `between`; or ``thickness``,
        ``contact_height`` or another variable of the curves.
    between : (float, float)
        Distances in m.
    curves : array of int or bool, optional
        By default all.
    level : float
        Of the interval.
    direction : str, optional
    quality : sequence of str
        Curves with one of these flags are left out.

    Returns
    -------
    Trend
        With nan where no place has two ramps.

    Raises
    ------
    InvalidInput
        For an unknown variable, curve, flag or level.
    """
    if not 0.0 < level < 1.0:
        raise InvalidInput("the level of an interval lies between 0 and 1, as 0.95")
    analysis = analysis_of(results, direction)
    results = analysis.results
    numbers, left_out = select(results, curves, quality)
    values, unit, meaning = _values(analysis, numbers, variable, between)
    finite = np.isfinite(values)
    messages = [f"{left_out} curves are left out for their flags"] if left_out else []
    messages += words_of_excluded(results, curves)
    if variable == "thickness":
        messages += _censored(analysis, numbers)
    numbers, values = numbers[finite], values[finite]
    place = places(results, numbers)
    ramp = _ramps(place, times(results, numbers))
    repeats = np.bincount(place)[place] > 1 if len(place) else np.zeros(0, bool)
    numbers, values, ramp = numbers[repeats], values[repeats], ramp[repeats]
    _, place = np.unique(place[repeats], return_inverse=True)
    if not len(values):
        messages.append("no place has two ramps: there is no trend")
        return Trend(unit=unit, meaning=meaning, variable=variable, warnings=tuple(messages))
    confounded = _of_potential(results, numbers, place)
    messages += confounded
    level_of_place = per_place(values[:, None], place)[place, 0]
    along = ramp - per_place(ramp[:, None], place)[place, 0]
    square = float(along @ along)
    slope = float(along @ (values - level_of_place)) / square
    left = values - level_of_place - slope * along
    count = int(place.max()) + 1
    stderr, freedom = _error(along * left, left, square, place, count)
    if freedom < FEW - 1:
        messages.append(
            f"the error of the trend has {max(freedom, 0)} degrees of freedom: a rough one"
        )
    reach = stderr * float(scipy.special.stdtrit(max(freedom, 1), 0.5 + level / 2.0))
    p = nan
    if stderr > 0 and not confounded:
        p = float(2.0 * scipy.special.stdtr(max(freedom, 1), -abs(slope) / stderr))
    first = float(values[ramp == 0].mean())
    levels = np.unique(ramp)
    moved = values - level_of_place + values.mean() - slope * (along - ramp + ramp.mean())
    mean = np.array([moved[ramp == k].mean() for k in levels])
    errors = np.array([_stderr(moved[ramp == k]) for k in levels])
    return Trend(
        per_ramp=slope,
        stderr=stderr,
        low=slope - reach,
        high=slope + reach,
        relative=slope / first if first else nan,
        p=p,
        ramp=levels,
        mean=mean,
        mean_stderr=errors,
        n_places=count,
        n_curves=len(values),
        unit=unit,
        meaning=meaning,
        variable=variable,
        warnings=tuple(messages),
    )


def _values(
    analysis: Analysis, numbers: IntArray, variable: str, between: tuple[float, float]
) -> tuple[FloatArray, str, str]:
    """Value of every curve; of a complex one, the part along the mean, which noise cannot raise."""
    results = analysis.results
    if variable == "thickness":
        return thickness(analysis)["thickness"].values[numbers], "m", "thickness"
    if variable in results and results[variable].dims == ("curve",):
        array = results[variable]
        name = str(array.attrs.get("long_name", variable))
        return array.values[numbers].astype(np.float64), str(array.attrs.get("units", "")), name
    chosen = profile_variable(results, variable)
    valid = first_depth(results, chosen, numbers)
    one = bins_of(results, chosen, numbers, [between], valid)[0]
    values = np.full(results.sizes["curve"], np.nan, one.values.dtype)
    values[one.curves] = one.values
    values = values[numbers]
    if chosen.magnitude:
        mean = np.nanmean(values) if np.isfinite(values).any() else 1.0
        values = np.real(values * np.conj(mean)) / abs(mean) if mean else np.abs(values)
    return np.asarray(values, np.float64), chosen.unit, f"{chosen.meaning}, {one.label}"


def _censored(analysis: Analysis, numbers: IntArray) -> list[str]:
    """Sentences where thicknesses of repeated ramps are not measured, and which way that goes."""
    results = analysis.results
    censored = thickness(analysis)["censored"].values[numbers]
    place = places(results, numbers)
    if not len(place):
        return []
    repeated = np.bincount(place)[place] > 1
    hidden, n = repeated & np.isin(censored, (RIGHT, LEFT)), int(repeated.sum())
    if not hidden.any():
        return []
    ramp = _ramps(place, times(results, numbers))
    first = ramp == 0
    parts = [float(hidden[repeated & some].mean()) for some in (first, ~first)]
    text = (
        f"in {int(hidden.sum())} of {n} repeated ramps the thickness is not measured (a layer may "
        "be hidden, or nothing is seen): the trend is that of the others"
    )
    if abs(parts[1] - parts[0]) > _DIFFERENT:
        text += (
            f", and these are {100.0 * parts[0]:.0f} % of the first and "
            f"{100.0 * parts[1]:.0f} % of the later ramps: a change of the thickness may be hidden "
            "in that, or made by it. Compare the distance at one modulus (threshold_distance)"
        )
    return [text]


def _ramps(place: IntArray, time: FloatArray) -> FloatArray:
    """Number of every curve at its place, in order of time (or of the curves, without times)."""
    time = time if np.isfinite(time).all() else np.arange(len(place), dtype=np.float64)
    order = np.lexsort((time, place))
    begin = np.searchsorted(place[order], place[order])
    ramp = np.empty(len(place))
    ramp[order] = np.arange(len(place)) - begin
    return ramp


def _of_potential(results: xr.Dataset, numbers: IntArray, place: IntArray) -> list[str]:
    potential = column(results, "potential")
    if potential is None or not np.isfinite(potential[numbers]).all():
        return []
    away = potential[numbers] - per_place(potential[numbers][:, None], place)[place, 0]
    if np.abs(away).max() < _STEADY:
        return []
    return [
        "the potential changes while ramps are repeated: the trend is not of the ramps alone, and "
        "no p is given, since it would test potential and ramps together"
    ]


def _error(
    score: FloatArray, left: FloatArray, square: float, place: IntArray, count: int
) -> tuple[float, int]:
    """Standard error of the slope, and its degrees of freedom."""
    if count > 1:  # places are what is sampled: their scores add up as they are
        sums = np.bincount(place, score, count)
        return float(np.sqrt(count / (count - 1.0) * (sums @ sums))) / square, count - 1
    freedom = len(left) - 2
    if freedom < 1:
        return nan, 0
    return float(np.sqrt(left @ left / freedom / square)), freedom


def _stderr(values: FloatArray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else nan
