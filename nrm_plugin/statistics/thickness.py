"""Thickness: the distance from which on an interphase is felt, or a bound on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.kernels import RecordArray
from nrm_plugin.statistics import thickness_words as words
from nrm_plugin.statistics.bin_noise import whitening
from nrm_plugin.statistics.binned_forces import (
    NEEDED,
    bin_width,
    binned_forces,
    far_window,
    memory,
)
from nrm_plugin.statistics.falling_moduli import decay_length, threshold_distance
from nrm_plugin.statistics.hidden_layers import hidden
from nrm_plugin.statistics.onset import KnotSearch
from nrm_plugin.statistics.selection import (
    Analysis,
    analysis_of,
    blocks,
    column,
    excluded,
    profile_variable,
    words_of_excluded,
)

#: What `censored` tells, by its values.
MEASURED, RIGHT, LEFT, NO_PROFILE = range(4)
MEANINGS = ("measured", "right", "undetermined", "no_profile")

#: Width of the layer whose modulus is the detection limit (m).
LIMIT_WIDTH = 10e-9

#: Curves from which the noise is learned.
_FOR_NOISE = 2048

#: Curves that are looked at with lines under the force first, and the part of them that has to have
#: other edges then for all to be looked at.
_FOR_LINES, _SOME = 4096, 0.01

#: Edges that a line under the force brings nearer by more than this (m) are doubted.
_APART = 2e-9

#: A slope of the force far away is one from so many standard errors on, and worth a word where a
#: layer that has it is stiffer than this part of the limit.
_SURE, _OF_LIMIT = 5.0, 0.1

#: Standard error of an edge over the distance of correlation beyond a bin: the lock-in smears it.
_SMEAR = 0.2

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
        seen), ``n_censored``, ``limit_width``, ``threshold``, ``doubts`` (sentences, one per
        line, where a layer may be taken for zero: what is not seen may be there), ``warnings``
        (one per line, these doubts first).

    Raises
    ------
    InvalidInput
        Without moduli in the results.
    """
    analysis = analysis_of(results, direction)
    return analysis.once(("thickness", threshold), lambda: _thickness(analysis.results, threshold))


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Edges of curves as distances from the electrode, in m.

    Attributes
    ----------
    edge, stderr, low, high : (n,) arrays
        nan where nothing is seen.
    other : (n,) array
        Edge where any straight line may lie under the force.
    other_stderr, other_low : (n,) arrays
    onsets : (n,) array of `kernels.ONSET`
    nearest : (n,) array
        Nearest distance that is looked at.
    there : (n,) array of bool
        Whether there is a profile.
    limit, white_limit : (n,) arrays
        Pa; the second one if noise were white.
    memory : float
        Distance over which the noise is correlated.
    decay : (n,) array
        Decay length of forces that fall off exponentially.
    """

    edge: FloatArray
    stderr: FloatArray
    low: FloatArray
    high: FloatArray
    other: FloatArray
    other_stderr: FloatArray
    other_low: FloatArray
    onsets: RecordArray
    nearest: FloatArray
    there: AnyArray
    limit: FloatArray
    white_limit: FloatArray
    memory: float
    decay: FloatArray


def _thickness(results: xr.Dataset, threshold: float | None) -> xr.Dataset:
    profile_variable(results, "modulus_magnitude")
    if any(name not in results for name in NEEDED):
        return _unknown(results.sizes["curve"])
    found = _search(results)
    out = excluded(results)
    if out.any():
        edge = np.where(out, np.nan, found.edge)
        found = replace(found, edge=edge, there=found.there & ~out)
    last = float(results["depth"].values[-1])
    seen = np.isfinite(found.edge)
    apart = found.edge - found.other
    doubt = np.hypot(found.stderr, found.other_stderr)
    graded = seen & np.isfinite(found.decay)
    drifting = seen & ~graded & (apart > _APART + 2.0 * doubt)
    # Of an edge at the very end, noise tells on which side it lies.
    beyond = seen & (found.edge > last + np.fmin(1.5 * found.stderr, _APART)) & ~drifting
    column_of = column(results, "potential")
    potential = None if column_of is None else column_of.astype(np.float64)
    graded &= ~beyond
    right = seen & (
        beyond | drifting | graded | hidden(found.onsets, found.edge, found.stderr, potential)
    )
    measured = seen & ~right
    kinds = [~found.there, measured, right]
    censored = np.select(kinds, [NO_PROFILE, MEASURED, RIGHT], LEFT).astype(np.int8)
    from_contact = np.hypot(
        _of_curves(results, "contact_height_stderr"),
        _of_curves(results, "contact_height_systematic"),
    )
    stderr = np.hypot(found.stderr, from_contact)
    wide = 1.96 * from_contact
    low = found.edge - np.hypot(found.edge - found.low, wide)
    low = np.where(drifting, np.fmin(low, found.other_low - wide), low)
    low = np.where(seen, np.minimum(low, last), found.nearest)
    high = np.where(measured, found.edge + np.hypot(found.high - found.edge, wide), np.inf)
    there = found.there
    values = {
        "thickness": np.where(measured, found.edge, np.nan),
        "thickness_stderr": np.where(measured, stderr, np.nan),
        "thickness_low": np.where(there, np.maximum(low, 0.0), np.nan),
        "thickness_high": np.where(there, high, np.nan),
        "limit": np.where(there, found.limit, np.nan),
    }
    limits = values["limit"][np.isfinite(values["limit"])]
    if threshold is None:
        threshold = float(limits.max()) if len(limits) else float("nan")
    values["threshold_distance"] = threshold_distance(results, found.edge, threshold)
    values["decay_length"] = np.where(seen, found.decay, np.nan)
    counts = {
        "n_measured": int(there.sum()),
        "n_detected": int(seen.sum()),
        "n_censored": int(np.sum((censored == RIGHT) | (censored == LEFT))),
    }
    # Doubts come first: what the curves show and don't show depends on them.
    straight = _straight_forces(results, found, np.flatnonzero(censored == LEFT))
    doubts = words.of_checks(results, ("lateral_baseline",)) + straight
    messages = doubts + words.of_counts(
        counts["n_measured"],
        censored,
        beyond,
        drifting,
        found.decay[graded],
        limits,
        last,
        doubted=bool(doubts),
    )
    if len(limits):
        white = float(np.median(found.white_limit[there]))
        limit = float(np.median(limits))
        messages += words.of_noise(limit, white, found.memory, doubted=bool(doubts))
    messages += words.of_checks(results, ("lockin_lag",)) + words_of_excluded(results)
    return _dataset(values, censored, counts | {"threshold": threshold}, messages, doubts)


def _straight_forces(results: xr.Dataset, found: _Found, curves: IntArray) -> list[str]:
    """Say where the force of curves that show no edge is a line that may be a layer's.

    A layer that fills the ramp is a straight line that falls with the height, alike in all curves;
    where the other direction has told that it drifts, nothing is said.
    """
    names = ("lateral_baseline_slope_in_phase", "lateral_baseline_slope_quadrature")
    if any(name not in results for name in names) or words.verdict(
        results, "lateral_baseline"
    ) not in ("", "unknown"):
        return []
    parts = np.stack([np.asarray(results[name].values, np.float64)[curves] for name in names])
    parts = parts[:, np.isfinite(parts).all(axis=0)]
    n = parts.shape[1]
    if n < 3:
        return []
    slope = np.median(parts, axis=1)
    spread = 1.4826 * np.median(np.abs(parts - slope[:, None]), axis=1)
    stderr = np.maximum(1.2533 * spread / np.sqrt(n), 1e-300)
    modulus = float(np.hypot(*slope)) / force_per_shear(results)
    stiff = modulus > _OF_LIMIT * float(np.median(found.limit[curves]))
    if slope[0] < 0.0 and np.hypot(*(slope / stderr)) > _SURE and stiff:
        return [words.of_straight_forces(len(curves), float(slope[0]), modulus)]
    return []


def _search(results: xr.Dataset) -> _Found:
    n = results.sizes["curve"]
    every = np.arange(n)
    width, join = bin_width(results)
    bins = results.sizes["distance_bin"] // join
    outside = bins * width
    depth = np.asarray(results["depth"].values, np.float64)
    outer = max(4, int((outside - depth[-1]) / width))
    some = slice(None, None, max(1, len(every) // _FOR_NOISE))
    forces = binned_forces(results, some, join, width)
    far = forces.values[forces.count > 0][:, :outer]
    line = "line" in str(results.attrs.get("lateral_baseline", ""))
    white = whitening(far, bins, far_window(results, outside, width), line=line)
    smear = _SMEAR * max(0.0, memory(results, width) - 1.0)
    search = KnotSearch.calibrated(white, far, smear)
    parts = []
    for block in [slice(0, 0), *blocks(every, bins)]:
        forces = binned_forces(results, block, join, width)
        lengths = decay_length(forces, float(np.mean(np.diag(white.covariance))))
        parts.append((search(forces), forces.count, forces.noise, lengths))
    onsets, count, sizes, lengths = (np.concatenate(part) for part in zip(*parts, strict=True))
    others = onsets.copy()
    # Of many curves, some tell whether edges depend on the baseline at all.
    looked_at = np.unique(np.linspace(0, len(every) - 1, _FOR_LINES).astype(int)) if n else every
    for numbers in (looked_at, np.setdiff1d(every, looked_at)):
        for block in blocks(numbers, bins):
            forces = binned_forces(results, numbers[block], join, width)
            others[numbers[block]] = search.beside_a_line(forces)
        nearer = (others["edge"] - onsets["edge"])[numbers] * width > _APART
        if np.sum(nearer) < _SOME * len(numbers):
            break
    per_shear = sizes / width / force_per_shear(results)
    return _Found(
        edge=outside - onsets["edge"] * width,
        stderr=np.hypot(onsets["stderr"], smear) * width,
        low=outside - (onsets["high"] + 1.96 * smear) * width,
        high=outside - (onsets["low"] - 1.96 * smear) * width,
        other=outside - others["edge"] * width,
        other_stderr=np.hypot(others["stderr"], smear) * width,
        other_low=outside - (others["high"] + 1.96 * smear) * width,
        onsets=onsets,
        nearest=outside - count * width,
        there=count > 0,
        limit=search.slope_limit(LIMIT_WIDTH / width) * per_shear,
        white_limit=search.white_slope_limit(LIMIT_WIDTH / width) * per_shear,
        memory=white.memory * width,
        decay=lengths,
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
    values = np.asarray(results[name].values, np.float64) if name in results else np.zeros(n)
    return np.nan_to_num(values)


def _dataset(
    values: dict[str, FloatArray],
    censored: AnyArray,
    counts: dict[str, float],
    messages: list[str],
    doubts: Sequence[str] = (),
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
    texts = {"warnings": "\n".join(messages), "doubts": "\n".join(doubts)}
    attributes = counts | {"limit_width": LIMIT_WIDTH} | texts
    return xr.Dataset(made | {"censored": ("curve", censored, flags)}, attrs=attributes)


def _unknown(n: int) -> xr.Dataset:
    names = ("thickness", "thickness_stderr", "thickness_low", "thickness_high", "limit")
    nothing = dict.fromkeys((*names, "threshold_distance", "decay_length"), np.full(n, np.nan))
    counts = {"n_measured": 0, "n_detected": 0, "n_censored": 0, "threshold": float("nan")}
    censored = np.full(n, NO_PROFILE, np.int8)
    return _dataset(nothing, censored, counts, [UNKNOWN_LIMIT] if n else [])
