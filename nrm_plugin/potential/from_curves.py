"""Potentials from the curves themselves: a recorded channel, or a column of potentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.potential.settings import CurvePotentials, PotentialSettings, empty_columns, starts
from nrm_plugin.potential.sweeps import find_sweeps

if TYPE_CHECKING:
    import xarray as xr


def from_channel(curves: CurveSet, settings: PotentialSettings) -> CurvePotentials:
    """Take the mean of the recorded channel over every curve; see `with_potential`."""
    n = curves.n_curves
    columns = empty_columns(n)
    columns["potential_blur"] = np.full(n, np.nan)
    gain, shift, words = settings.scale(monitor=True)
    for first, stop in curves.blocks():
        values = curves.read("potential", slice(first, stop))
        sizes = curves.row_size[first:stop]
        begins = np.cumsum(sizes) - sizes
        middles = begins + sizes // 2
        halves = np.stack([begins, middles, begins + sizes], axis=1)
        means, error = _means(values, halves)
        columns["potential"][first:stop] = gain * means[:, 2] + shift
        # Where the potential changes steadily, the halves differ by half of the whole change.
        change = np.nan_to_num(np.abs(means[:, 1] - means[:, 0]))
        columns["potential_uncertainty"][first:stop] = abs(gain) * (change + error)
        columns["potential_blur"][first:stop] = abs(gain) * 2.0 * change
    warnings = []
    if settings.number("potential_gain") is None:
        warnings.append(
            "potential_gain is not given: the recorded voltage is taken for that of the electrode"
        )
    lacking = int(np.isnan(columns["potential"]).sum())
    if lacking:
        warnings.append(f"{lacking} of {n} curves have no number in the channel potential")
    _by_order(curves, columns)
    if "current" in curves.channels:
        columns["current"] = mean_over_curves(curves, "current")
    channel = curves.channels["potential"]
    name = f" ({channel.original})" if channel.original not in ("", "potential") else ""
    return CurvePotentials(columns, f"recorded channel potential{name}; {words}", warnings)


def mean_over_curves(curves: CurveSet, channel: str) -> FloatArray:
    """Mean of a channel over every curve, shape (n_curves,); nan without numbers."""
    out = np.full(curves.n_curves, np.nan)
    for first, stop in curves.blocks():
        sizes = curves.row_size[first:stop]
        begins = np.cumsum(sizes) - sizes
        halves = np.stack([begins, begins + sizes // 2, begins + sizes], axis=1)
        out[first:stop] = _means(curves.read(channel, slice(first, stop)), halves)[0][:, 2]
    return out


def _means(values: FloatArray, edges: AnyArray) -> tuple[FloatArray, FloatArray]:
    """Means of the first half, the second, and all of each curve; standard error of the last.

    Samples that are no numbers are left out.
    """
    finite = np.isfinite(values)
    centre = float(values[finite].mean()) if finite.any() else 0.0
    kept = np.where(finite, values - centre, 0.0)
    sums, squares, counts = (
        np.concatenate([[0.0], np.cumsum(x)])[edges] for x in (kept, kept**2, finite * 1.0)
    )
    total = np.stack([s[:, [1, 2, 2]] - s[:, [0, 1, 0]] for s in (sums, squares, counts)])
    with np.errstate(invalid="ignore", divide="ignore"):
        means = total[0] / total[2]
        variance = np.maximum(total[1] / total[2] - means**2, 0.0)
        error = np.sqrt(variance[:, 2] / total[2, :, 2])
    return means + centre, error


def from_column(data: CurveSet | xr.Dataset, settings: PotentialSettings) -> CurvePotentials:
    """Sweep and cycle of potentials that are known already."""
    table = data.curve_table if isinstance(data, CurveSet) else data.coords
    if "potential" not in table or not np.isfinite(table["potential"]).any():
        lacking = "neither a channel nor a column" if isinstance(data, CurveSet) else "no column"
        raise InvalidInput(
            f"there is {lacking} potential: give the potentiostat's log (--potential), or say "
            "which channel it is (--map Input3=potential)"
        )
    if set(settings.arguments) & {"potential_gain", "potential_offset", "reference_potential"}:
        raise InvalidInput(
            "gain, offset and reference are for a recorded channel or a log; these potentials are "
            "final"
        )
    n = data.n_curves if isinstance(data, CurveSet) else data.sizes["curve"]
    columns = empty_columns(n)
    for name in ("potential", "potential_uncertainty", "potential_blur"):
        if name in table:
            columns[name] = np.array(table[name], np.float64)
    if {"sweep", "cycle"} <= set(table):
        columns |= {name: np.array(table[name], np.int64) for name in ("sweep", "cycle")}
    else:
        _by_order(data, columns)
    metadata = data.metadata if isinstance(data, CurveSet) else data.attrs
    return CurvePotentials(columns, str(metadata.get("potential_source", "given")), [])


def _by_order(data: CurveSet | xr.Dataset, columns: dict[str, AnyArray]) -> None:
    """Fill in sweep and cycle from the potentials of the curves in their order of time."""
    order = _order(data)
    order = order[np.isfinite(columns["potential"][order])]
    sweeps = find_sweeps(columns["potential"][order])
    columns["sweep"][order], columns["cycle"][order] = sweeps.sweep, sweeps.cycle


def _order(data: CurveSet | xr.Dataset) -> AnyArray:
    """Numbers of the curves in order of time: by their dates, else by file and rank in it."""
    began, _ = starts(data)
    if not np.isnat(began).any():
        return np.argsort(began, kind="stable")
    table: Any = data.curve_table if isinstance(data, CurveSet) else data.coords
    ranks = [np.asarray(table[k]) for k in ("acquisition_order", "source") if k in table]
    return np.lexsort([np.arange(len(began)), *ranks])
