"""The thickness of regions: means with what censored curves allow, and edges of mean forces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
import xarray as xr

from nrm_plugin.columns import IntArray
from nrm_plugin.statistics.binned_forces import NEEDED
from nrm_plugin.statistics.censored_curves import CensoredCurves, kaplan_meier
from nrm_plugin.statistics.intervals import FEW, mean_interval, sampling
from nrm_plugin.statistics.mean_edge import (
    BinNoise,
    MeanEdge,
    MeanForce,
    decay_of,
    mean_edge,
    mean_force,
    noise_of_bins,
)
from nrm_plugin.statistics.onset import KnotSearch
from nrm_plugin.statistics.profiles import mean_profile
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import (
    LEFT_OUT,
    Analysis,
    analysis_of,
    column,
    half_width,
    select,
)
from nrm_plugin.statistics.thickness import (
    LEFT,
    LIMIT_WIDTH,
    MEASURED,
    RIGHT,
    force_per_shear,
    thickness,
)

#: How a region's value was made.
CURVES, PROFILE, BOUNDS, NOTHING = "curves", "mean profile", "bounds", "none"

#: Part of the curves that must be measured for their mean to be the region's.
_MOST = 0.9

#: Part of the curves that show nothing where a region is said to show nothing: noise alone passes
#: for a layer in a few.
_NOTHING = 0.98

#: An interval (m) that is wider, and wider than this part of the value, measures nothing.
_WIDE, _RELATIVE = 4e-9, 0.75

#: Width (m) of an outer rim that is invisible in single curves: half a bin.
_RIM = 0.5e-9

#: Part of the curves whose slope must be known for a thickness along the normal.
_KNOWN = 0.9

#: Variables over the region: unit and meaning.
_VARIABLES = {
    "mean": ("m", "mean thickness"),
    "low": ("m", "lower end of its interval"),
    "high": ("m", "upper end of its interval, inf where it is open"),
    "stderr": ("m", "its standard error"),
    "spread": ("m", "standard deviation of the measured curves"),
    "median": ("m", "median of the curves, where profiles or ramps that end censor alone"),
    "normal_mean": ("m", "mean thickness along the normal of the surface"),
    "normal_low": ("m", "lower end of its interval"),
    "normal_high": ("m", "upper end of its interval"),
    "outermost": ("m", "outermost edge in the region: onset of the mean force"),
    "outermost_low": ("m", "lower end of its interval"),
    "outermost_high": ("m", "upper end of its interval: the last of spread edges"),
    "limit": ("Pa", "|G*| that the mean force would show"),
    "threshold_distance": ("m", "outermost distance at which the mean |G*| is above the threshold"),
    "threshold_low": ("m", "the same of the lower end of its interval"),
    "threshold_high": ("m", "the same of the upper end of its interval"),
    "decay_length": ("m", "decay length of the mean force, where it falls off exponentially"),
    "n": ("", "curves"),
    "n_detected": ("", "curves in which a layer is seen"),
    "n_right": ("", "curves whose layer may go on beyond the edge that is seen"),
    "n_left": ("", "curves in which nothing is seen"),
    "n_effective": ("", "effective number of places"),
    "measurable": ("", "whether there is a mean with an interval worth the name"),
}
_COUNTS = ("n", "n_detected", "n_right", "n_left")


def region_thickness(
    results: xr.Dataset | Analysis,
    regions: Iterable[Region],
    level: float = 0.95,
    direction: str | None = None,
    *,
    quality: Sequence[str] = LEFT_OUT,
    threshold: float | None = None,
) -> xr.Dataset:
    """Mean thickness of every region with its interval, and where its mean force begins.

    Where nine of ten curves are measured, the mean is theirs. Where fewer are and the curves are
    alike, it comes from the likelihood of their mean force (`mean_edge.mean_edge`), which sees
    soft layers that single curves hide; its interval is never left out of that of the curves.
    Otherwise there are bounds: as if the hidden layers all ended at the edge that is seen, and as
    if they all went on to the outermost edge of the region. The contact's common error is in every
    interval, and so is the correlation of neighbours.

    Parameters
    ----------
    results : Dataset
    regions : Regions, or regions
    level : float
    direction : str, optional
    quality : sequence of str
        Curves with one of these flags are left out.
    threshold : float, optional
        |G*| in Pa at which regions are compared; by default the largest of their limits, so that
        no region is thicker only because less noise hides its outer part. Samples are compared at
        the largest limit of all of them.

    Returns
    -------
    Dataset
        Over ``region`` (labels). ``mean``, ``low``, ``high``, ``stderr`` and ``spread`` (standard
        deviation of the measured curves) in m; ``n`` curves, ``n_detected``, ``n_right`` and
        ``n_left`` among them, ``n_effective``; ``method``: curves, mean profile, bounds or none;
        ``measurable``, and a sentence in the warnings where it is False: then ``mean`` is nan,
        and ``low`` and ``high`` are bounds (0 and inf where there are none).

        ``outermost`` edge in the region: the onset of its mean force, never a mean thickness; its
        interval reaches out to where the mean force allows one in forty of spread edges to end;
        ``limit``: |G*| that the mean force would show in a layer ``limit_width`` wide;
        ``threshold_distance``: outermost distance at which the mean |G*| is above the attribute
        ``threshold``, with ``threshold_low`` and ``threshold_high``; ``decay_length`` where
        the mean force falls off exponentially; ``median`` where profiles that end censor
        alone (Kaplan and Meier 1958); ``normal_mean``, ``normal_low`` and ``normal_high``: times
        the cosine, where the slope is known.

        Attributes: ``level``, ``limit_width``, ``threshold``, ``growth`` (a sentence that compares
        the regions), ``warnings`` (one per line).
    """
    analysis = analysis_of(results, direction)
    inside = tuple(regions)
    curves = tuple((region.label, region.curves.tobytes()) for region in inside)
    key = ("thickness of regions", curves, level, tuple(quality), threshold)
    return analysis.once(key, lambda: _thicknesses(analysis, inside, level, quality, threshold))


def _thicknesses(
    analysis: Analysis,
    inside: tuple[Region, ...],
    level: float,
    quality: Sequence[str],
    threshold: float | None,
) -> xr.Dataset:
    known = all(name in analysis.results for name in NEEDED)
    bins = analysis.once("bin noise", lambda: noise_of_bins(analysis.results)) if known else None
    curves = tuple((region.label, region.curves.tobytes()) for region in inside)
    without_threshold = analysis.once(
        ("regions before their comparison", curves, level, tuple(quality)),
        lambda: [_Region.of(analysis, region, bins, level, quality) for region in inside],
    )
    found = [replace(one, values=dict(one.values)) for one in without_threshold]
    limits = np.array([one.values.get("limit", np.nan) for one in found])
    if threshold is None:
        threshold = float(np.nanmax(limits)) if np.isfinite(limits).any() else np.nan
    for one in found:
        one.compare(analysis, threshold, level, quality)
    growth = _growth(found, threshold)
    messages = list(dict.fromkeys(text for one in found for text in one.messages))
    if found and not known:
        messages.insert(0, str(thickness(analysis).attrs["warnings"]))
    elif found:
        messages.insert(0, str(thickness(analysis).attrs["doubts"]))
    made = {}
    for name, (unit, meaning) in _VARIABLES.items():
        values = np.array([one.values.get(name, np.nan) for one in found], np.float64)
        kind = bool if name == "measurable" else int if name in _COUNTS else float
        made[name] = ("region", values.astype(kind), {"units": unit, "long_name": meaning})
    made["method"] = ("region", np.array([one.method for one in found], "U12"), {})
    return xr.Dataset(
        made,
        {"region": [region.label for region in inside]},
        {
            "level": level,
            "limit_width": LIMIT_WIDTH,
            "threshold": threshold,
            "growth": growth,
            "warnings": "\n".join(text for text in messages if text),
        },
    )


@dataclass(kw_only=True)
class _Region:
    """What is found of a region."""

    region: Region
    values: dict[str, float]
    method: str
    messages: list[str]
    nearest: float
    doubted: bool = False

    @property
    def nothing(self) -> str:
        """What is said of curves in which nothing is seen."""
        return "undetermined" if self.doubted else "nothing is detected"

    @classmethod
    def of(
        cls,
        analysis: Analysis,
        region: Region,
        bins: BinNoise | None,
        level: float,
        quality: Sequence[str],
    ) -> _Region:
        """Everything but the comparison with others."""
        numbers, _ = select(analysis.results, region.curves, quality)
        forces = mean_force(analysis.results, numbers, bins) if bins is not None else None
        of_curves = thickness(analysis)
        doubted = bool(of_curves.attrs["doubts"])
        one = cls(
            region=region, values={}, method=NOTHING, messages=[], nearest=0.0, doubted=doubted
        )
        curves = CensoredCurves.of_results(of_curves, numbers)
        one.values |= curves.counts()
        if bins is not None and forces is not None:
            one._outermost(analysis.results, forces, bins)
        edge = None if forces is None else mean_edge(forces, level)
        last = float(analysis.results["depth"].values[-1])
        if edge is not None and edge.high > last:
            edge = None  # the force far away, which is taken for none, may be that of the layer
        if edge is not None:
            one._farthest(analysis.results, edge)
        one._decay(forces, edge)
        one._mean(analysis, curves, edge, level)
        one._normal(analysis.results, curves)
        return one

    def _say(self, text: str) -> None:
        self.messages.append(f"{self.region.label}: {text}")

    def _outermost(self, results: xr.Dataset, forces: MeanForce, bins: BinNoise) -> None:
        """Onset of the mean force, and the modulus that it would show."""
        search = KnotSearch(whitening=forces.white, excess=bins.search.excess)
        width = bins.width
        values = (forces.mean * forces.weight / forces.noise)[None]
        onset = search.find(values, forces.weight[None], np.array([len(forces.z)]))[0]
        outside = float(forces.z[0]) + 0.5 * width
        shared = 1.96 * _shared(results, self.region.curves)
        per_shear = force_per_shear(results)
        self.values["limit"] = search.slope_limit(LIMIT_WIDTH / width) * forces.noise / width
        self.values["limit"] /= per_shear
        self.nearest = float(forces.z[-1]) - 0.5 * width
        if not np.isfinite(onset["edge"]):
            return
        edge, low, high = (outside - float(onset[name]) * width for name in ("edge", "high", "low"))
        self.values["outermost"] = edge
        self.values["outermost_low"] = edge - np.hypot(edge - low, shared)
        self.values["outermost_high"] = edge + np.hypot(high - edge, shared)
        last = float(results["depth"].values[-1])
        if edge > last:  # the force far away, which is taken for none, may be that of the layer
            self.values["outermost_low"] = min(self.values["outermost_low"], last)
            self.values["outermost_high"] = np.inf

    def _farthest(self, results: xr.Dataset, edge: MeanEdge) -> None:
        """Let the outermost edge reach out to where the last of spread edges may be.

        The onset of their mean force is that of a straight line, which lies farther in.
        """
        shared = 1.96 * _shared(results, self.region.curves)
        onset, high = (self.values.get(name, np.nan) for name in ("outermost", "outermost_high"))
        if np.isfinite(onset) and edge.fits:
            self.values["outermost"] = max(onset, edge.mean)
            self.values["outermost_high"] = max(high, edge.farthest + shared)

    def _decay(self, forces: MeanForce | None, edge: MeanEdge | None) -> None:
        """Decay length, where an exponential explains the mean force as well as edges do."""
        if forces is None or edge is None:
            return
        length, square = decay_of(forces, edge.used)
        if square < edge.square + 4.0:
            self.values["decay_length"] = length
            self._say(
                f"the mean force falls off exponentially (decay length {length * 1e9:.2g} nm): its "
                "onset follows the stiffness; compare the distances at one modulus instead"
            )

    def _mean(
        self, analysis: Analysis, curves: CensoredCurves, edge: MeanEdge | None, level: float
    ) -> None:
        """The region's value, by the way that its curves allow."""
        n = len(curves.numbers)
        shared = _shared(analysis.results, curves.numbers)
        outermost = self.values.get("outermost_high", np.inf)
        if not n or not len(curves.there):
            self._say(f"nothing is detected: there is no profile in any of {n} curves")
            return
        measured = curves.of(MEASURED)
        reach = float(scipy.special.ndtri(0.5 + level / 2.0))
        if len(measured) > 1:
            self.values["spread"] = float(np.std(curves.thickness[measured], ddof=1))
        if len(measured) >= _MOST * len(curves.there):
            self._of_curves(analysis, curves, outermost, level)
        elif edge is not None and edge.alike and edge.fits and np.isfinite(edge.high):
            self.method, self.values["mean"] = PROFILE, edge.mean
            self.values["low"], self.values["high"] = np.inf, -np.inf
            self._say(
                f"single curves show {len(measured)} of {len(curves.there)} edges: the mean is "
                "that of their mean force, as curves that are alike make it"
            )
        elif edge is None and len(curves.of(LEFT)) >= _NOTHING * len(curves.there):
            limit = self.values.get("limit", np.nan)
            self.values["low"], self.values["high"] = 0.0, np.inf
            seen = len(curves.there) - len(curves.of(LEFT))
            which = f"{n - seen} of {n}" if seen or self.doubted else f"any of {n}"
            self._say(
                f"{self.nothing} in {which} curves, nor in their mean: nothing is stiffer "
                f"than {limit * 1e-6:.2g} MPa (|G*|, {LIMIT_WIDTH * 1e9:.0f} nm wide) beyond "
                f"{self.nearest * 1e9:.1f} nm{', beside what is taken for zero' * self.doubted}; "
                "that is no thickness of 0"
            )
            return
        else:
            self._bounds(analysis, curves, outermost, level)
        if self.method in (CURVES, PROFILE) and edge is not None and edge.alike and edge.fits:
            self._with_edge(analysis, curves, edge, level)
        elif self.method == CURVES:
            self.values["high"] += _RIM  # no mean force tells whether there is one
        self._widened(reach * shared)
        self._judged(curves)

    def _of_curves(
        self, analysis: Analysis, curves: CensoredCurves, outermost: float, level: float
    ) -> None:
        """Mean of the measured curves; the few others are somewhere between their bounds."""
        measured = curves.of(MEASURED)
        sample = sampling(analysis, measured)
        result = mean_interval(curves.thickness[measured][:, None], sample, level=level)
        mean = float(result.mean[0])
        least, most = (float(np.mean(values)) for values in curves.between(outermost))
        self.method = CURVES
        self.values["mean"], self.values["stderr"] = mean, float(result.stderr[0])
        self.values["n_effective"] = float(result.n_effective[0])
        self.values["low"] = float(result.low[0]) - max(mean - least, 0.0)
        self.values["high"] = float(result.high[0]) + max(most - mean, 0.0)

    def _with_edge(
        self, analysis: Analysis, curves: CensoredCurves, edge: MeanEdge, level: float
    ) -> None:
        """Take the interval of the mean force in, with the spread of the sample."""
        used = curves.there if len(edge.values) == len(curves.there) else None
        result = None
        if used is not None:
            result = mean_interval(edge.values[:, None], sampling(analysis, used), level=level)
            self.values["n_effective"] = float(result.n_effective[0])
        effective = max(self.values.get("n_effective", np.nan), 1.0)
        if not np.isfinite(effective):
            effective = float(len(edge.values))
        reach = float(scipy.special.ndtri(0.5 + level / 2.0))
        of_sample = edge.spread / np.sqrt(effective)
        if result is not None and edge.linear and np.isfinite(result.stderr[0]):
            of_sample = np.sqrt(max(float(result.stderr[0]) ** 2 - edge.own**2, 0.0))
            reach = max(reach, float((result.high[0] - result.low[0]) / (2.0 * result.stderr[0])))
        low = edge.mean - np.hypot(edge.mean - edge.low, reach * of_sample)
        high = edge.mean + np.hypot(edge.high - edge.mean, reach * of_sample)
        self.values["low"] = float(np.fmin(self.values["low"], low))
        self.values["high"] = float(np.fmax(self.values["high"], high))
        if self.method == PROFILE:
            self.values["stderr"] = float((high - low) / (2.0 * reach))

    def _bounds(
        self, analysis: Analysis, curves: CensoredCurves, outermost: float, level: float
    ) -> None:
        """All hidden layers end at the edges that are seen, or all at the outermost edge."""
        self.method = BOUNDS
        sample = sampling(analysis, curves.there)
        low, high = (
            mean_interval(values[:, None], sample, level=level)
            for values in curves.between(outermost)
        )
        self.values["n_effective"] = float(low.n_effective[0])
        ends = [float(low.low[0]), float(high.high[0])]
        ends = [
            end if np.isfinite(end) else float(mean)
            for end, mean in zip(ends, (low.mean[0], high.mean[0]), strict=True)
        ]
        unseen = len(curves.of(LEFT)) > (1.0 - _MOST) * len(curves.there)  # no thin layers
        open_end = unseen or not np.isfinite(curves.between(outermost)[1]).all()
        self.values["low"] = max(ends[0], 0.0)
        self.values["high"] = np.inf if open_end else ends[1]
        middle = float(low.mean[0]) if open_end else 0.5 * float(low.mean[0] + high.mean[0])
        self.values["mean"] = middle
        if curves.only_ends:
            self.values["median"] = kaplan_meier(
                np.where(curves.censored == MEASURED, curves.thickness, curves.low)[curves.there],
                curves.censored[curves.there] == MEASURED,
            )

    def _widened(self, by: float) -> None:
        """Take the contact's common error in."""
        mean = self.values["mean"]
        for name, sign in (("low", -1.0), ("high", 1.0)):
            end = self.values[name]
            if np.isfinite(end):
                self.values[name] = max(mean + sign * np.hypot(end - mean, by), 0.0)

    def _judged(self, curves: CensoredCurves) -> None:
        """Whether that is a measurement, and if not, why."""
        mean, low, high = (self.values[name] for name in ("mean", "low", "high"))
        n, n_right = len(curves.there), len(curves.of(RIGHT))
        seen = n - len(curves.of(LEFT))
        narrow = self.method == CURVES or high - low <= max(_WIDE, _RELATIVE * mean)
        self.values["measurable"] = bool(np.isfinite(mean) and narrow and not np.isinf(high))
        if n_right and self.method == CURVES:
            self._say(f"in {n_right} of {n} curves a softer or farther layer may be hidden")
        if self.values.get("n_effective", np.nan) < FEW:
            self._say(f"fewer than {FEW:.0f} effective places")
        if seen < _MOST * n and self.method != PROFILE:
            self._say(f"{self.nothing} in {n - seen} of {n} curves, which is no thickness of 0")
        if self.values["measurable"]:
            return
        if not np.isinf(high):
            why = f"it lies between {low * 1e9:.1f} and {high * 1e9:.1f} nm"
        else:
            why = f"it is at least {low * 1e9:.1f} nm"
            if np.isfinite(self.values.get("median", np.nan)):
                why += f"; half of the curves have more than {self.values['median'] * 1e9:.1f} nm"
        hidden = f"{n_right} of {n} curves may hide a layer, {n - seen} show nothing"
        self._say(f"the mean thickness is not measurable: {why} ({hidden})")
        self.values["mean"] = np.nan
        self.values["stderr"] = np.nan

    def _normal(self, results: xr.Dataset, curves: CensoredCurves) -> None:
        """Thickness along the normal, where slopes are known."""
        slope = column(results, "surface_slope")
        if slope is None or not len(curves.there):
            return
        cosine = np.cos(np.asarray(slope, np.float64)[curves.there])
        known = np.isfinite(cosine)
        if known.mean() < _KNOWN:
            return
        weight = np.nan_to_num(curves.thickness[curves.there], nan=0.0)[known]
        factor = float(np.average(cosine[known], weights=weight if weight.any() else None))
        for name in ("mean", "low", "high"):
            self.values[f"normal_{name}"] = self.values.get(name, np.nan) * factor

    def compare(
        self, analysis: Analysis, threshold: float, level: float, quality: Sequence[str]
    ) -> None:
        """Distance at which the mean |G*| falls below the common modulus."""
        if not np.isfinite(threshold) or not len(self.region.curves):
            return
        profile = mean_profile(
            analysis, "shear_modulus_magnitude", self.region.curves, level=level, quality=quality
        )
        depth = np.asarray(profile["depth"].values, np.float64)
        edge = self.values.get("outermost", np.nan)
        if not np.isfinite(edge):  # nothing is above it, as far in as the mean is seen
            none = 0.0 if np.isfinite(self.values.get("limit", np.nan)) else np.nan
            ends = {"distance": none, "low": none, "high": none + self.nearest}
            self.values |= {f"threshold_{name}": value for name, value in ends.items()}
            return
        for name, of in (("distance", "mean"), ("low", "low"), ("high", "high")):
            edge = self.values[f"outermost{'' if of == 'mean' else '_' + of}"]
            above = np.flatnonzero((profile[of].values > threshold) & (depth <= edge))
            distance = float(depth[above[-1]]) if len(above) else 0.0
            if len(above) and above[-1] == len(depth) - 1:
                distance = np.inf
            self.values[f"threshold_{name}"] = distance
        # The derivative's window sees a stiff layer from as far outside.
        nearer = self.values["threshold_low"] - half_width(analysis.results)
        self.values["threshold_low"] = max(nearer, 0.0)


def _shared(results: xr.Dataset, curves: IntArray) -> float:
    """Error of the contact that curves have in common, m."""
    values = column(results, "contact_height_systematic")
    some = np.empty(0) if values is None else np.asarray(values, np.float64)[curves]
    some = some[np.isfinite(some)]
    return float(np.median(some)) if len(some) else 0.0


def _growth(found: list[_Region], threshold: float) -> str:
    """Sentence on whether regions differ, and whether they still do at the common modulus."""
    usable = [one for one in found if not np.isnan(one.values.get("threshold_distance", np.nan))]
    if len(usable) < 2 or not np.isfinite(threshold):
        return ""
    at = f"|G*| = {threshold * 1e-6:.2g} MPa"

    def differ(low: str, high: str) -> bool:
        ends = [(one.values.get(low, np.nan), one.values.get(high, np.nan)) for one in usable]
        lows, highs = (np.array(values, float) for values in zip(*ends, strict=True))
        there = ~np.isnan(lows + highs)
        return bool(there.sum() > 1 and lows[there].max() > highs[there].min())

    by_onset, common = (
        differ("outermost_low", "outermost_high"),
        differ("threshold_low", "threshold_high"),
    )
    if common:
        return (
            f"The regions differ at one common modulus, {at}, which the noise hides in none of "
            "them: the difference in thickness is no matter of noise."
        )
    if by_onset:
        return (
            f"The onsets of the regions differ, but the distances at which {at} is passed do not "
            "beyond their intervals: the growth is of material softer than that, which the noise "
            "may hide in some of the regions, or no growth."
        )
    return (
        f"The regions do not differ, neither in their onsets nor at {at}, beyond their intervals."
    )
