"""The voltammogram, with the regions into which curves are sorted (Fig. 4a)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from os import PathLike
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.figures import style
from nrm_plugin.figures.panels import (
    colour_of,
    has_potential,
    is_simulated,
    potential_label,
    regions_of,
)
from nrm_plugin.figures.quantities import readable_scale
from nrm_plugin.model import CurveSet
from nrm_plugin.potential import Log
from nrm_plugin.potential.from_curves import mean_over_curves
from nrm_plugin.statements import parsed
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import column
from nrm_plugin.store.kept_logs import read_logs
from nrm_plugin.units import parse

_POTENTIAL = "potential"

#: What stands between two logs, so that no line joins them.
_GAP = (np.full(1, np.nan), np.full(1, np.nan))

#: Strokes per point of width from which on they are pale, so that those that overlap are darker.
_STROKES = 0.25

#: Part of the panel's width that is left for the number of curves.
_ASIDE = 0.2


@style.styled
def voltammogram(
    results: xr.Dataset,
    regions: Iterable[Region] | None = None,
    *,
    trace: tuple[ArrayLike, ArrayLike] | None = None,
    ax: Axes | None = None,
    figure: Any = None,
    width: float = style.COLUMN,
) -> Axes:
    """Current against potential, or potential against time, with the regions shaded (Fig. 4a).

    Parameters
    ----------
    results : Dataset
        With the column ``potential``.
    regions : Regions, optional
        The paper's if not given.
    trace : (potential, current), optional
        As the potentiostat recorded them, V and A. Without it, the potential of every curve is
        shown against the time at which it was taken.
    ax, figure : Axes, Figure, optional
        Axes to draw on, or an empty figure to fill; a new one `width` m wide if neither is given.

    Returns
    -------
    Axes
        Words, if no curve has a potential.

    Raises
    ------
    InvalidInput
        If potential and current are not as long as each other.
    """
    ax = style.one(ax, width, figure=figure)
    if not has_potential(results):
        return style.words(
            ax,
            "No curve has an electrode potential: give the potentiostat's log "
            "to nrm process with --potential.",
        )
    shown = regions_of(results, regions)
    potential = np.asarray(column(results, _POTENTIAL), np.float64)
    style.mark(ax, is_simulated(results))
    if trace is None:
        _over_time(ax, results, potential, shown)
    else:
        _current(ax, trace, potential, shown)
        ax.set_xlabel(potential_label(results))
    return ax


def recorded_trace(curves: CurveSet, results: xr.Dataset) -> tuple[FloatArray, FloatArray] | None:
    """Potential of every curve, V, with the mean of the current recorded with it, A.

    None if there is no channel ``current``. The potentials are those of the results, which know
    the monitor's gain and the reference electrode.

    Raises
    ------
    InvalidInput
        If the results are of other curves.
    """
    potential = column(results, _POTENTIAL)
    if "current" not in curves.channels or potential is None:
        return None
    if len(potential) != curves.n_curves:
        raise InvalidInput(
            f"the results are of {len(potential)} curves, and these are {curves.n_curves}"
        )
    return _of_curves(potential, mean_over_curves(curves, "current"), curves.row_size > 0)


def _of_curves(
    potential: AnyArray, current: FloatArray, sampled: AnyArray
) -> tuple[FloatArray, FloatArray]:
    """Potential and current of the curves that have both a potential and samples."""
    known = np.isfinite(potential.astype(np.float64)) & sampled
    return potential[known].astype(np.float64), current[known]


def kept_trace(
    path: str | PathLike[str], results: xr.Dataset
) -> tuple[FloatArray, FloatArray] | None:
    """Potential and current that a file of results keeps: of the logs, else of the curves.

    None if there is no current in it. Between logs that follow each other there is a nan.

    Parameters
    ----------
    path : path
        The file.
    results : Dataset
        What was opened from it.

    Raises
    ------
    MissingFile, InvalidInput, CorruptFile
    """
    kept = read_logs(path)
    traces = [log_trace(Log(**about), results) for about in kept.logs]
    parts = [part for trace in traces if trace is not None for part in (trace, _GAP)][:-1]
    if parts:
        return np.concatenate([v for v, _ in parts]), np.concatenate([a for _, a in parts])
    potential = column(results, _POTENTIAL)
    if kept.curve_current is None or potential is None:
        return None
    return _of_curves(potential, kept.curve_current, ~np.isnan(kept.curve_current))


def log_trace(log: Log, results: xr.Dataset) -> tuple[FloatArray, FloatArray] | None:
    """Potential and current of a potentiostat's log; None if it has no current.

    The potential counts from where those of the results do: ``reference_potential`` of the
    experiment is added.
    """
    if log.current is None:
        return None
    try:
        given = parsed(str(results.attrs.get("experiment", ""))).get("reference_potential")
    except tomllib.TOMLDecodeError:
        given = None
    shift = parse(given, "V") if isinstance(given, str) else float(given or 0.0)
    return log.potential + shift, log.current


def _current(
    ax: Axes, trace: tuple[ArrayLike, ArrayLike], potential: FloatArray, shown: tuple[Region, ...]
) -> None:
    volts, amperes = (np.asarray(values, np.float64) for values in trace)
    if volts.shape != amperes.shape or volts.ndim != 1:
        raise InvalidInput("a voltammogram needs as many currents as potentials")
    scale = readable_scale(amperes, "A")
    for number, region in enumerate(shown):
        ax.axvspan(region.low, region.high, color=colour_of(number), alpha=0.22, lw=0.0)
    ax.plot(
        volts, scale(amperes), color=style.MARK, gid="trace", rasterized=len(volts) > style.MANY
    )
    ax.plot(
        potential,
        np.full(len(potential), 0.02),
        "|",
        transform=ax.get_xaxis_transform(),
        color=style.MARK,
        ms=3.5,
        mew=0.4,
        alpha=float(np.clip(_STROKES * style.size_of(ax)[0] / max(len(potential), 1), 0.1, 1.0)),
        gid="curves",
    )
    ax.set_ylabel(f"current ({scale.unit})")
    style.with_headroom(ax, *ax.get_ylim(), lines=1)
    _name_regions(ax, shown, across=True)


def _over_time(
    ax: Axes, results: xr.Dataset, potential: FloatArray, shown: tuple[Region, ...]
) -> None:
    time, label = _time(results)
    for number, region in enumerate(shown):
        ax.axhspan(region.low, region.high, color=colour_of(number), alpha=0.22, lw=0.0)
        ax.plot(time[region.curves], potential[region.curves], ".", color=colour_of(number), ms=3)
    rest = np.setdiff1d(np.arange(len(potential)), np.concatenate([r.curves for r in shown]))
    ax.plot(time[rest], potential[rest], ".", color=style.MUTED, ms=2, zorder=1, gid="outside")
    ax.set_xlabel(label)
    ax.set_ylabel(potential_label(results))
    left, right = ax.get_xlim()
    ax.set_xlim(left, right + _ASIDE * (right - left))
    _name_regions(ax, shown, across=False)


def _name_regions(ax: Axes, shown: tuple[Region, ...], *, across: bool) -> None:
    """Number of curves in every region, beside the panel."""
    for region in shown:
        middle = (region.low + region.high) / 2.0
        if not _fits(ax, region, across):
            continue
        where: dict[str, Any]
        if across:
            transform = ax.get_xaxis_transform()
            where = {"x": middle, "y": 0.97, "transform": transform, "ha": "center", "va": "top"}
        else:
            transform = ax.get_yaxis_transform()
            where = {"x": 0.985, "y": middle, "transform": transform, "ha": "right", "va": "center"}
        text = f"n = {len(region.curves)}"
        ax.text(s=text, fontsize=style.SMALL, color=style.MARK, **where)


def _fits(ax: Axes, region: Region, across: bool) -> bool:
    """Whether the number of curves has room in the region's stripe."""
    low, high = ax.get_xlim() if across else ax.get_ylim()
    width, height = style.size_of(ax)
    stripe = (region.high - region.low) / (high - low)
    return stripe * width > 4.5 * style.SMALL if across else stripe * height > 1.4 * style.SMALL


def _time(results: xr.Dataset) -> tuple[FloatArray, str]:
    """When each curve was taken: minutes or seconds since the first, or its number."""
    began = column(results, "start_time")
    number = np.arange(results.sizes["curve"], dtype=np.float64)
    if began is None:
        return number, "curve"
    if began.dtype.kind == "M":
        seconds = (began - began[~np.isnat(began)].min(initial=began.max())) / np.timedelta64(
            1, "s"
        )
    else:
        seconds = began.astype(np.float64)
        seconds = seconds - np.nanmin(seconds, initial=np.inf)
    if not np.isfinite(seconds).all():
        return number, "curve"
    if np.ptp(seconds) > 600.0:
        return seconds / 60.0, "time (min)"
    return seconds, "time (s)"
