"""Thickness: the distance from which on an interphase is felt, or a bound on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.statistics.bin_noise import whitening
from nrm_plugin.statistics.binned_forces import (
    NEEDED,
    bin_width,
    binned_forces,
    far_window,
)
from nrm_plugin.statistics.falling_moduli import decay_length, threshold_distance
from nrm_plugin.statistics.onset import KnotSearch, Onsets
from nrm_plugin.statistics.selection import Analysis, analysis_of, blocks, profile_variable

#: What `censored` tells, by its values.
MEASURED, RIGHT, LEFT, NO_PROFILE = range(4)
MEANINGS = ("measured", "right", "undetermined", "no_profile")

#: Width of the layer whose modulus is the detection limit (m).
LIMIT_WIDTH = 10e-9

#: What results of an earlier version have to be told.
UNKNOWN_LIMIT = (
    "limit unknown; process again: the results hold no lateral force beyond the profiles, "
    "so that there is no thickness"
)


def thickness(
    results: xr.Dataset | Analysis, direction: str | None = None, *, threshold: float | None = None
) -> xr.Dataset:
    """Outermost edge of the layer of every curve, or a bound where it cannot be measured.

    The lateral force in bins of 1 nm is described by straight pieces (Eq. 4: above a layer of
    uniform modulus the force is a straight line), from outside inwards. The first knot that gains
    more than the noise of this data set offers is the edge. How strong and how correlated the
    noise is, is taken from each curve's own baseline and from the bins beyond the profiles.

    Parameters
    ----------
    results : Dataset
        From `nrm_plugin.process`, with moduli.
    direction : str, optional
        Way of the ramp, where the results have both; by default the first.
    threshold : float, optional
        |G*| in Pa for ``threshold_distance``; by default the largest limit of the curves, up to
        which all of them can be compared.

    Returns
    -------
    Dataset
        Over ``curve``:

        - ``censored``: 0 measured; 1 right: the layer may go on beyond ``thickness_low``;
          2 undetermined: nothing was seen, which excludes layers stiffer than ``limit`` and
          ``limit_width`` wide beyond ``thickness_low``; 3 there is no profile.
        - ``thickness``, ``thickness_stderr``: m; finite only where it was measured.
        - ``thickness_low``, ``thickness_high``: bounds of 95 % in m, inf where it is open.
        - ``limit``: |G*| in Pa of a layer of ``limit_width`` that is found in half of the cases.
        - ``threshold_distance``: outermost distance in m at which |G*| is above the threshold;
          inf where it is up to the end of the profile, nan where it never is.
        - ``decay_length``: m, where the force falls off exponentially rather than in straight
          pieces.

        Attributes: ``n_measured`` (curves with a profile), ``n_detected`` (in which a layer is
        seen), ``n_censored``, ``limit_width``, ``threshold``, ``warnings`` (one per line).

    Raises
    ------
    InvalidInput
        Without moduli in the results.
    """
    analysis = analysis_of(results, direction)
    return analysis.once(("thickness", threshold), lambda: _thickness(analysis.results, threshold))


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Edges of curves as distances from the electrode, in m."""

    edge: FloatArray
    stderr: FloatArray
    low: FloatArray
    high: FloatArray
    seen: AnyArray
    unsure: AnyArray
    nearest: FloatArray
    there: AnyArray
    limit: FloatArray


def _thickness(results: xr.Dataset, threshold: float | None) -> xr.Dataset:
    profile_variable(results, "modulus_magnitude")
    n = results.sizes["curve"]
    if any(name not in results for name in NEEDED):
        return _unknown(results, n)
    found = _search(results)
    depth = np.asarray(results["depth"].values, np.float64)
    last = float(depth[-1])
    beyond = found.seen & (found.edge > last)
    right = beyond | (found.seen & found.unsure)
    measured = found.seen & ~right
    censored = np.select(
        [~found.there, measured, right], [NO_PROFILE, MEASURED, RIGHT], LEFT
    ).astype(np.int8)
    contact = np.nan_to_num(_of_curves(results, "contact_height_stderr"))
    shared = np.nan_to_num(_of_curves(results, "contact_height_systematic"))
    from_contact = np.hypot(contact, shared)
    wide = 1.96 * from_contact
    low = np.where(measured, found.edge - np.hypot(found.edge - found.low, wide), found.nearest)
    low = np.where(right, np.minimum(found.low, last), low)
    high = np.where(measured, found.edge + np.hypot(found.high - found.edge, wide), np.inf)
    there = found.there
    values = {
        "thickness": np.where(measured, found.edge, np.nan),
        "thickness_stderr": np.where(measured, np.hypot(found.stderr, from_contact), np.nan),
        "thickness_low": np.where(there, np.maximum(low, 0.0), np.nan),
        "thickness_high": np.where(there, high, np.nan),
        "limit": np.where(there, found.limit, np.nan),
    }
    limits = values["limit"][np.isfinite(values["limit"])]
    if threshold is None:
        threshold = float(limits.max()) if len(limits) else float("nan")
    values["threshold_distance"] = threshold_distance(
        results, np.where(found.seen, found.edge, np.nan), threshold
    )
    values["decay_length"] = decay_length(results, found.seen, found.edge)
    counts = {
        "n_measured": int(there.sum()),
        "n_detected": int(found.seen.sum()),
        "n_censored": int(np.sum((censored == RIGHT) | (censored == LEFT))),
    }
    messages = _messages(counts, censored, beyond, limits, last)
    return _dataset(values, censored, counts | {"threshold": threshold}, messages)


def _search(results: xr.Dataset) -> _Found:
    every = np.arange(results.sizes["curve"])
    width, join = bin_width(results)
    bins = results.sizes["distance_bin"] // join
    outside = bins * width
    depth = np.asarray(results["depth"].values, np.float64)
    outer = max(4, int((outside - depth[-1]) / width))
    some = slice(None, None, max(1, len(every) // 2048))
    forces = binned_forces(results, some, join, width)
    far = forces.values[forces.count > 0][:, :outer]
    white = whitening(
        far,
        bins,
        far_window(results, outside, width),
        line="line" in str(results.attrs.get("lateral_baseline", "")),
    )
    search = KnotSearch.of(white).calibrated(far)
    slope = search.slope_limit(LIMIT_WIDTH / width)
    onsets, parts = [], []
    for block in [slice(0, 0), *blocks(every, bins)]:
        forces = binned_forces(results, block, join, width)
        onsets.append(search(forces.values, forces.weight, forces.count))
        parts.append((forces.count, forces.noise))
    found = Onsets.together(onsets)
    count, noise = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return _Found(
        edge=outside - found.edge * width,
        stderr=found.stderr * width,
        low=outside - found.high * width,
        high=outside - found.low * width,
        seen=found.seen,
        unsure=found.unsure,
        nearest=outside - count * width,
        there=count > 0,
        limit=slope * noise / width / force_per_shear(results),
    )


def force_per_shear(results: xr.Dataset) -> float:
    """Slope of the lateral force over |G*|: 4 r_g A 2 (1 + nu), of the middle of the profiles."""
    if "dither_amplitude" not in results.attrs or "shape_factor" not in results:
        return float("nan")
    shape = float(np.nanmedian(results["shape_factor"].values))
    poisson = float(results.attrs.get("poisson_ratio", 0.5))
    return 4.0 * shape * float(results.attrs["dither_amplitude"]) * 2.0 * (1.0 + poisson)


def _of_curves(results: xr.Dataset, name: str) -> FloatArray:
    n = results.sizes["curve"]
    return np.asarray(results[name].values, np.float64) if name in results else np.zeros(n)


def _messages(
    counts: dict[str, int], censored: AnyArray, beyond: AnyArray, limits: FloatArray, last: float
) -> list[str]:
    """Sentences about what could not be measured."""
    n, messages = counts["n_measured"], []
    nothing, right = int(np.sum(censored == LEFT)), int(np.sum(censored == RIGHT))
    if nothing:
        seen = (
            f": no layer stiffer than {np.median(limits) * 1e-6:.2g} MPa (|G*|, "
            f"{LIMIT_WIDTH * 1e9:.0f} nm wide; median of the curves)"
            if len(limits)
            else ""
        )
        messages.append(f"nothing is detected in {nothing} of {n} curves{seen}")
    if beyond.any():
        messages.append(
            f"in {int(beyond.sum())} of {n} curves the layer goes on beyond the profiles' end at "
            f"{last * 1e9:.0f} nm: they are thicker, by an unknown amount"
        )
    hidden = right - int(beyond.sum())
    if hidden > 0:
        messages.append(
            f"in {hidden} of {n} curves a softer layer may lie outside the edge that is seen: "
            "their thickness is a lower bound"
        )
    return messages


def _dataset(
    values: dict[str, FloatArray], censored: AnyArray, counts: dict[str, float], messages: list[str]
) -> xr.Dataset:
    about = {
        "thickness": ("m", "distance of the outermost edge that is detected"),
        "thickness_stderr": ("m", "standard error of the thickness"),
        "thickness_low": ("m", "lower bound of the thickness (95 %)"),
        "thickness_high": ("m", "upper bound of the thickness (95 %)"),
        "limit": ("Pa", "shear modulus |G*| that would have been detected"),
        "threshold_distance": ("m", "outermost distance at which |G*| is above the threshold"),
        "decay_length": ("m", "decay length of the lateral force"),
    }
    made = {
        name: ("curve", values[name], {"units": unit, "long_name": meaning})
        for name, (unit, meaning) in about.items()
    }
    flags = {
        "long_name": "whether the thickness was measured or is a bound",
        "flag_values": list(range(len(MEANINGS))),
        "flag_meanings": " ".join(MEANINGS),
    }
    attributes = counts | {"limit_width": LIMIT_WIDTH, "warnings": "\n".join(messages)}
    return xr.Dataset(made | {"censored": ("curve", censored, flags)}, attrs=attributes)


def _unknown(results: xr.Dataset, n: int) -> xr.Dataset:
    nothing = dict.fromkeys(
        (
            *("thickness", "thickness_stderr", "thickness_low", "thickness_high"),
            *("limit", "threshold_distance", "decay_length"),
        ),
        np.full(n, np.nan),
    )
    counts = {"n_measured": 0, "n_detected": 0, "n_censored": 0, "threshold": float("nan")}
    messages = [UNKNOWN_LIMIT] if n else []
    return _dataset(nothing, np.full(n, NO_PROFILE, np.int8), counts, messages)
