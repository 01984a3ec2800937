"""Single curves: as recorded, referenced to the electrode, and what follows from one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.figures import overlays, style
from nrm_plugin.figures.quantities import DISTANCE, NANO, Scale, readable_scale, scale
from nrm_plugin.figures.referencing import Recorded, checked, recorded
from nrm_plugin.model import CurveSet
from nrm_plugin.statistics.selection import (
    excluded,
    flags_of,
    one_direction,
)
from nrm_plugin.variables import BIT

#: More curves than this are counted, not named.
_NAMED = 7

#: How a solid contact is marked.
_CONTACT: dict[str, Any] = {
    "color": style.MARK,
    "ls": "",
    "marker": "o",
    "mfc": "white",
    "mew": 0.7,
}

#: Half of a 95 % interval in standard errors.
_REACH = 1.96


@style.styled
def raw(
    curves: CurveSet,
    numbers: Sequence[int] | int | None = None,
    *,
    results: xr.Dataset | None = None,
    label: str | None = None,
    ax: Axes | None = None,
    figure: Any = None,
    width: float = style.COLUMN,
) -> Axes:
    """Deflection against height, with baseline, wall and solid contact (Figs. 1b and 3c).

    Parameters
    ----------
    curves : CurveSet
    numbers : ints, optional
        Curves to draw; three that are spread evenly if not given.
    results : Dataset, optional
        Of these curves; without them, contacts are found by the default recipe.
    label : str, optional
        What the data are called in the legend; their title or file if not given, where curves of
        several data are drawn on the same axes.
    ax, figure : Axes, Figure, optional
        Axes to draw on, or an empty figure to fill; a new one `width` m wide if neither is given.

    Returns
    -------
    Axes
        A deflection that is not calibrated is shown in V, without lines.

    Raises
    ------
    InvalidInput
    """
    some = recorded(curves, numbers, results)
    ax = style.one(ax, width, figure=figure)
    unit = some[0].unit
    shown = scale(unit)
    lines = []
    for one, colour in zip(some, _colours(len(some), ax), strict=True):
        down = one.approach
        _line(ax, one.height * NANO, shown(one.deflection), color=colour, alpha=0.35, lw=0.5)
        lines.append(_line(ax, one.height[down] * NANO, shown(one.deflection[down]), color=colour))
        if one.referenced:
            _draw_contact(ax, one)
    ax.set_xlabel("height (nm)")
    ax.set_ylabel(f"{some[0].signal} ({shown.unit})")
    handles = overlays.handles(_added(ax, curves, some, lines, label))
    marks = {line.get_gid() for line in ax.get_lines()}
    if "baseline" in marks:
        handles.append(Line2D([], [], color=style.MARK, lw=0.6, ls="--", label="baseline, wall"))
    if "contact" in marks:
        handles.append(Line2D([], [], label="solid contact", **_CONTACT))
    style.legend_above(ax, handles, *_limits(ax))
    if len(some) > _NAMED:
        style.title(ax, f"{len(some)} curves")
    style.mark(ax, bool(curves.metadata.get("simulated", False)))
    return ax


def _draw_contact(ax: Axes, one: Recorded) -> None:
    """The contact, with the lines that cross there, each a little beyond it."""
    if one.lines:
        _draw_lines(ax, one)
    ax.plot(one.contact * NANO, one.baseline * NANO, zorder=4, gid="contact", **_CONTACT)


def _draw_lines(ax: Axes, one: Recorded) -> None:
    """Baseline and wall."""
    height, deflection = one.height[one.approach], one.deflection[one.approach]
    far, near = float(height.max()), float(height.min())
    short = 0.1 * (far - near)
    flat = np.array([one.contact - short, far])
    steep = np.array([max(near, one.contact - 0.9 * (one.contact - near)), one.contact])
    over = min(short, float(np.ptp(deflection)) * 0.1)
    steep[1] += over
    dashed: dict[str, Any] = {"color": style.MARK, "lw": 0.6, "ls": "--", "zorder": 3}
    ax.plot(flat * NANO, one.baseline_at(flat) * NANO, gid="baseline", **dashed)
    ax.plot(steep * NANO, one.wall_at(steep) * NANO, gid="wall", **dashed)


@style.styled
def referenced(
    curves: CurveSet,
    numbers: Sequence[int] | int | None = None,
    *,
    results: xr.Dataset | None = None,
    show: Literal["distance", "deflection"] = "distance",
    label: str | None = None,
    ax: Axes | None = None,
    figure: Any = None,
    width: float = style.COLUMN,
) -> Axes:
    """Curves with the electrode as their origin (Fig. 3d).

    Parameters
    ----------
    curves : CurveSet
    numbers : ints, optional
        Curves to draw; the first six if not given.
    results : Dataset, optional
        Of these curves; without them, contacts are found by the default recipe.
    show : {"distance", "deflection"}
        The distance of the tip from the electrode over the samples of one curve after the other,
        or deflection against that distance.
    label : str, optional
        As for `raw`, of deflections.
    ax, figure : Axes, Figure, optional
        Axes to draw on, or an empty figure to fill; a new one `width` m wide if neither is given.

    Returns
    -------
    Axes

    Raises
    ------
    InvalidInput
    """
    if show not in ("distance", "deflection"):
        raise InvalidInput(f"show is distance or deflection, not {show!r}")
    if numbers is None:
        numbers = list(range(min(curves.n_curves, 6)))
    some = [one for one in recorded(curves, numbers, results) if one.referenced]
    ax = style.one(ax, width, figure=figure)
    if not some:
        return style.words(
            ax, "No solid contact was found in these curves, or their deflection is not calibrated."
        )
    if show == "distance":
        _one_after_the_other(ax, some)
    else:
        lines = []
        for one, colour in zip(some, _colours(len(some), ax), strict=True):
            bent = (one.deflection - one.baseline_at(one.height))[one.approach]
            lines.append(_line(ax, one.distance[one.approach] * NANO, bent * NANO, color=colour))
        ax.axvline(0.0, color=style.MARK, lw=0.6, ls="--", zorder=0)
        ax.set_xlabel(DISTANCE)
        ax.set_ylabel("deflection (nm)")
        every = _added(ax, curves, some, lines, label)
        style.legend_above(ax, overlays.handles(every), *_limits(ax))
        if len(some) > _NAMED:
            style.title(ax, f"{len(some)} curves")
    style.mark(ax, bool(curves.metadata.get("simulated", False)))
    return ax


def _one_after_the_other(ax: Axes, some: Sequence[Recorded]) -> None:
    begin, middles = 0, []
    for one, colour in zip(some, _colours(len(some), ax), strict=True):
        sample = np.arange(begin, begin + len(one.height))
        _line(ax, sample, one.distance * NANO, color=colour, label=f"curve {one.number}")
        middles.append(begin + len(sample) / 2)
        begin += len(sample)
    ax.axhline(0.0, color=style.MARK, lw=0.6, ls="--", zorder=3)
    ax.set_xlim(0, begin)
    ax.set_xticks(middles, [str(one.number) for one in some])
    ax.tick_params(axis="x", length=0.0)
    ax.set_xlabel("curve, sample by sample")
    ax.set_ylabel(DISTANCE)


@style.styled
def curve(
    results: xr.Dataset,
    number: int | None = None,
    *,
    direction: str | None = None,
    axes: Sequence[Axes] | None = None,
    figure: Any = None,
    width: float = style.COLUMN,
) -> list[Axes]:
    """Lateral force of one curve and its derivative, against distance (Fig. 1c and d).

    Parameters
    ----------
    results : Dataset
    number : int, optional
        The middle one of those without a flag if not given.
    direction : str, optional
        The first one if the results hold both.
    axes, figure : two Axes, Figure, optional
        Axes to draw on, or an empty figure to fill; a new one `width` m wide if neither is given.

    Returns
    -------
    list of Axes
        Lateral force; derivative, with 95 % intervals of the noise.

    Raises
    ------
    InvalidInput
        If there is no such curve.
    """
    width = style.width_of(figure, width)
    results = one_direction(results, direction)
    number = (
        _good_one(results) if number is None else int(checked(number, results.sizes["curve"])[0])
    )
    axes = style.several(
        axes,
        2,
        width,
        figure=figure,
        columns=1,
        row_height=0.5 * width,
        sharex=True,
        simulated=bool(results.attrs.get("simulated", 0)),
    )
    if "force_gradient_in_phase" not in results:
        for ax in axes:
            style.words(ax, "The curves have no lateral signal: there is no lateral force.")
        return axes
    of_curve = results.isel(curve=number)
    z = results["depth"].values.astype(np.float64) * NANO
    for ax, kind, name in zip(
        axes, ("lateral_force", "force_gradient"), ("lateral force", "derivative"), strict=True
    ):
        shown = _scale_of(of_curve, kind)
        _parts(ax, of_curve, z, kind, shown)
        symbol = r"$F_l$" if kind == "lateral_force" else r"d$F_l$/d$z_p$"
        ax.set_ylabel(f"{name} {symbol} ({shown.unit})")
        ax.axhline(0.0, color=style.MUTED, lw=0.5, zorder=0)
        ax.label_outer()
    axes[-1].set_xlabel(DISTANCE)
    axes[-1].set_xlim(0.0, float(z[-1]))
    handles = axes[0].get_legend_handles_labels()[0]
    style.legend_above(axes[0], handles, *axes[0].get_ylim(), f"curve {number}")
    _without_estimate(axes, float(of_curve["depth_valid_min"].values) * NANO)
    return axes


def _scale_of(of_curve: xr.Dataset, kind: str) -> Scale:
    """Unit for both parts: that of gradients, or pN or nN as the force needs it."""
    parts = [of_curve[f"{kind}_{part}"] for part in ("in_phase", "quadrature")]
    unit = str(parts[0].attrs.get("units", ""))
    if unit != "N":
        return scale(unit)
    return readable_scale(np.concatenate([part.values for part in parts]), unit)


def _parts(ax: Axes, of_curve: xr.Dataset, z: FloatArray, kind: str, shown: Scale) -> None:
    """In-phase and out-of-phase part, with errors where the results have them."""
    for part, said, colour in (
        ("in_phase", "in phase (Re)", style.IN_PHASE),
        ("quadrature", "out of phase (Im)", style.QUADRATURE),
    ):
        y = shown(of_curve[f"{kind}_{part}"].values)
        if not np.isfinite(y).any():
            continue
        ax.plot(z, y, color=colour, label=said)
        if f"{kind}_{part}_stderr" in of_curve:
            reach = _REACH * shown(of_curve[f"{kind}_{part}_stderr"].values)
            ax.fill_between(z, y - reach, y + reach, color=colour, alpha=0.25, lw=0.0)


def _without_estimate(axes: Sequence[Axes], valid: float) -> None:
    """Shade the distances at which the solid contact leaves no estimate."""
    if not np.isfinite(valid):
        style.words(axes[0], "This curve has no solid contact: nothing can be said of its depths.")
        return
    for ax in axes:
        ax.axvspan(0.0, valid, color=style.NOTHING, lw=0.0, zorder=0)


def _good_one(results: xr.Dataset) -> int:
    """Return the middle one of the curves with nothing to report, else of those with a contact."""
    quality, out = flags_of(results), excluded(results)
    for bad in (~0, BIT["no_hard_contact"] | BIT["saturated"]):
        good = np.flatnonzero(((quality & bad) == 0) & ~out)
        if len(good):
            return int(good[len(good) // 2])
    return int(checked(None, len(quality))[0])


def _colours(n: int, ax: Axes) -> list[str]:
    """Colours after those that are taken on the axes."""
    taken = sum(one.colours for one in overlays.overlays(ax))
    return [style.COLOURS[(taken + i) % len(style.COLOURS)] for i in range(n)]


def _added(
    ax: Axes, curves: CurveSet, some: Sequence[Recorded], lines: list[Line2D], label: str | None
) -> list[overlays.Overlay]:
    """Add curves to what stands on the axes; many of them have one name together."""
    named = len(some) <= _NAMED
    overlay = overlays.Overlay(
        label=overlays.label_of(curves) if label is None else label,
        always=label is not None,
        lines=lines if named else lines[:1],
        names=[f"curve {one.number}" for one in some] if named else [""],
        colours=len(some),
    )
    return overlays.add(ax, overlay)


def _limits(ax: Axes) -> tuple[float, float]:
    """Vertical limits that hold all lines, also where there are limits already."""
    ax.autoscale(True, axis="y")
    return ax.get_ylim()


def _line(ax: Axes, x: AnyArray, y: FloatArray, **options: Any) -> Line2D:
    """Draw a line; as pixels if it has very many samples."""
    (line,) = ax.plot(x, y, rasterized=len(x) > style.MANY, **options)
    return line
