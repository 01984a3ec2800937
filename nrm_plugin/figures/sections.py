"""Sections through a layer around a tip: displacement and stress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from matplotlib.tri import LinearTriInterpolator, Triangulation

from nrm_plugin.errors import InvalidInput
from nrm_plugin.figures import style
from nrm_plugin.text import PREFIXES, power_of

if TYPE_CHECKING:
    from nrm_plugin.columns import FloatArray
    from nrm_plugin.fea import Fields

    Displacement = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]

_NM = 1e9
_TIP, _EDGE = "#BDBDBD", "#4D4D4D"
_STICKS_OUT = 0.2  # of the tip above the layer, in thicknesses
_BEYOND = 0.002  # part of a section's area whose stress is off the colours, at either end
_RANGE = 1e-3  # and no stress is shown that is smaller than this part of the largest
# How surfaces are drawn; the square that matplotlib reserves for them is too small.
_SOLID: Any = {
    "rstride": 1,
    "cstride": 1,
    "lw": 0,
    "antialiased": False,
    "rasterized": True,
    "clip_on": False,
}


@style.styled
def displacement(
    fields: Fields,
    ax: Axes | None = None,
    *,
    reach: float | None = None,
    width: float = style.COLUMN,
) -> Axes:
    """Section along the motion, with the amplitude of the displacement.

    Where its parts are not in step, that is the largest displacement within a period.

    Parameters
    ----------
    reach : float, optional
        How far the section goes to each side, in m.
    """
    ax = style.one(ax, width, _height(fields, reach, width))
    values = fields.displacement_amplitude * _NM
    shown = _section(ax, fields, values, Normalize(0.0, float(values.max())), reach)
    _bar(ax, shown, "displacement (nm)")
    return ax


@style.styled
def stress(
    fields: Fields,
    ax: Axes | None = None,
    *,
    limits: Normalize | None = None,
    reach: float | None = None,
    width: float = style.COLUMN,
) -> Axes:
    """Section along the motion, with the von Mises stress: the largest within a period.

    Parameters
    ----------
    limits : Normalize, optional
        Of the colours, in Pa; see `stress_limits`.
    reach : float, optional
        How far the section goes to each side, in m.
    """
    ax = style.one(ax, width, _height(fields, reach, width))
    limits = stress_limits([fields], reach) if limits is None else limits
    low, high = limits.vmin or 0.0, limits.vmax or 1.0
    values = np.maximum(fields.von_mises, low)  # a logarithm of 0 has no colour
    power = max(0, power_of(high))
    shown = _section(ax, fields, values, limits, reach)
    bar = _bar(ax, shown, f"von Mises stress ({PREFIXES[power]}Pa)", "both")
    bar.ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 10.0**power:g}"))
    return ax


def stress_limits(sections: Sequence[Fields], reach: float | None = None) -> LogNorm:
    """Logarithmic colours in Pa that suit sections, but for the singularities at the tip."""
    values, areas = [], []
    for fields in sections:
        r, z = fields.r[fields.triangles], fields.z[fields.triangles]
        inside = r.max(axis=1) <= reach_of(fields, reach)
        x, y = r[inside] - r[inside, :1], z[inside] - z[inside, :1]
        areas.append(np.abs(x[:, 1] * y[:, 2] - x[:, 2] * y[:, 1]))
        values.append(fields.von_mises[fields.triangles[inside]].mean(axis=1))
    value, area = np.concatenate(values), np.concatenate(areas)
    order = np.argsort(value)
    part = np.cumsum(area[order]) / area.sum()
    low, high = np.interp([_BEYOND, 1.0 - _BEYOND], part, value[order])
    return LogNorm(max(low, _RANGE * high), high)


def _section(
    ax: Axes, fields: Fields, values: FloatArray, limits: Normalize, reach: float | None
) -> Any:
    """Both halves of the plane of the motion, with the tip and the way that it goes."""
    height, edge = fields.layer.thickness * _NM, reach_of(fields, reach) * _NM
    shown: Any = None
    for side in (1.0, -1.0):
        mesh = Triangulation(side * fields.r * _NM, fields.z * _NM, fields.triangles)
        shown = ax.tripcolor(
            mesh, values, shading="gouraud", cmap=style.VALUES, norm=limits, rasterized=True
        )
    top = (1.0 + _STICKS_OUT) * height
    r, z = fields.contour(top / _NM) * _NM
    ax.fill(np.concatenate([-r[::-1], r]), np.concatenate([z[::-1], z]), fc=_TIP, ec=_EDGE, lw=0.6)
    arrow, level = 0.22 * edge, 0.5 * (height + top)
    wall = float(np.interp(level, z, r)) + 0.02 * edge
    for side in (1.0, -1.0):
        ax.annotate(
            "",
            (side * (wall + arrow), level),
            (side * wall, level),
            arrowprops={
                "arrowstyle": "-|>",
                "lw": 0.8,
                "shrinkA": 0,
                "shrinkB": 0,
                "mutation_scale": 6.0,
                "fc": style.MARK,
            },
        )
    ax.text(
        wall + 1.15 * arrow,
        level,
        f"±{fields.amplitude * _NM:.3g} nm",
        va="center",
        fontsize=style.SMALL,
    )
    ax.set(
        xlim=(-edge, edge), ylim=(0.0, top), aspect="equal", xlabel="x (nm)", ylabel="height (nm)"
    )
    return shown


def reach_of(fields: Fields, reach: float | None) -> float:
    """How far a section goes to each side, in m: as far as it is asked to, and there is a layer.

    Raises
    ------
    InvalidInput
        If there would be nothing to see beside the tip.
    """
    wall = fields.tip.width(fields.depth)
    if reach is None:
        wide = fields.tip.width(fields.depth + _STICKS_OUT * fields.layer.thickness)
        reach = max(0.8 * fields.layer.thickness, 1.8 * wide)
    elif not reach > wall:
        raise InvalidInput(
            f"a section that goes {reach * _NM:.4g} nm to each side shows the tip alone, which is "
            f"{wall * _NM:.4g} nm in radius: give more"
        )
    return min(reach, float(fields.r.max()))


def _height(fields: Fields, reach: float | None, width: float) -> float:
    """Height in m of a figure of that width which a section fills."""
    part = 0.5 * (1.0 + _STICKS_OUT) * fields.layer.thickness / reach_of(fields, reach)
    panel = (width - 26e-3) / 1.065  # beside labels and colour bar
    return min(panel * part + 12e-3, style.TALLEST)


def _bar(ax: Axes, shown: Any, label: str, extend: str = "neither") -> Any:
    """Colour bar as high as the panel, which keeps its proportions."""
    bar = style.root(ax).colorbar(shown, cax=ax.inset_axes((1.03, 0.0, 0.035, 1.0)), extend=extend)
    squat = ax.get_ylim()[1] < 0.5 * np.ptp(ax.get_xlim())
    bar.set_label(label.replace(" (", "\n(") if squat else label)
    bar.outline.set_linewidth(0.6)
    return bar


@style.styled
def displacement_3d(
    fields: Fields, ax: Any = None, *, reach: float | None = None, width: float = style.COLUMN
) -> Any:
    """Block cut open along the motion, coloured by the amplitude of the displacement.

    Parameters
    ----------
    ax : Axes3D, optional
    reach : float, optional
        How far the block goes to each side, in m.
    """
    zoom = 1.2
    if ax is None:  # there is no room for labels beside it
        ax, zoom = style.new_figure(width, 0.8 * width).add_subplot(projection="3d"), 0.95
    ax.computed_zorder = False  # the parts are drawn from the back to the front
    height, edge = fields.layer.thickness * _NM, reach_of(fields, reach) * _NM
    inside = fields.contour(count=60) * _NM
    outwards = np.linspace(0.0, 1.0, 50) ** 1.5
    half_turn = np.linspace(0.0, np.pi, 61)
    moved = everywhere(fields)
    limits = Normalize(0.0, float(fields.displacement_amplitude.max() * _NM))

    wall = inside[0, -1]
    r, angle = np.meshgrid(wall + (edge - wall) * outwards, half_turn)
    top = r * np.cos(angle), r * np.sin(angle), np.full_like(r, height)
    _surface(ax, moved, limits, top, zorder=1)

    # Rows of the cut begin on the axis under the tip, and on its contour beside it.
    below = np.linspace(0.0, inside[1, 0], 40)[:-1]
    start = np.concatenate([np.zeros_like(below), inside[0]])[:, None]
    z = np.concatenate([below, inside[1]])[:, None]
    x = start + (edge - start) * outwards
    for side in (1.0, -1.0):
        cut = side * x, np.zeros_like(x), np.broadcast_to(z, x.shape)
        _surface(ax, moved, limits, cut, zorder=2)

    end = (1.0 + _STICKS_OUT) * height
    whole = fields.contour(end / _NM) * _NM
    outside = whole[:, whole[1] >= height]
    for (r, z), angles in ((inside, half_turn - np.pi), (outside, 2.0 * half_turn)):
        ax.plot_surface(
            r[:, None] * np.cos(angles),
            r[:, None] * np.sin(angles),
            np.broadcast_to(z[:, None], (z.size, angles.size)),
            color=_TIP,
            zorder=3,
            **_SOLID,
        )
    lid = outside[0, -1] * np.outer([0.0, 1.0], np.exp(2j * half_turn))
    ax.plot_surface(
        lid.real, lid.imag, np.full(lid.shape, end), color=_TIP, shade=False, zorder=4, **_SOLID
    )
    for side in (1.0, -1.0):
        start = side * 1.2 * outside[0, -1]
        ax.quiver(
            start,
            0.0,
            0.5 * (height + end),
            side * 0.3 * edge,
            0.0,
            0.0,
            color=style.MARK,
            lw=0.8,
            arrow_length_ratio=0.35,
            clip_on=False,
            zorder=5,
        )
    ax.set(
        xlim=(-edge, edge),
        ylim=(0.0, edge),
        zlim=(0.0, height),
        xlabel="x (nm)",
        ylabel="y (nm)",
        zlabel="height (nm)",
    )
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_locator(MaxNLocator(2))
    ax.zaxis.set_major_locator(MaxNLocator(5 if height > 0.8 * edge else 2))
    ax.tick_params(pad=-2.0)
    for axis, pad in ((ax.xaxis, -4.0), (ax.yaxis, -6.0), (ax.zaxis, -6.0)):
        axis.labelpad = pad
    ax.set_box_aspect((2.0 * edge, edge, height), zoom=zoom)
    ax.view_init(elev=24.0, azim=-65.0)
    return ax


def _surface(
    ax: Any, moved: Displacement, limits: Normalize, corners: Sequence[FloatArray], zorder: int
) -> None:
    """Draw a surface, given by the corners (x, y, z) of its faces, in the colours of `moved`."""
    x, y, z = corners
    at = moved(x, y, z)
    middle = 0.25 * (at[1:, 1:] + at[1:, :-1] + at[:-1, 1:] + at[:-1, :-1])
    faces = colormaps[style.VALUES](limits(middle))
    ax.plot_surface(x, y, z, facecolors=faces, shade=False, zorder=zorder, **_SOLID)


def everywhere(fields: Fields) -> Displacement:
    """Amplitude of the displacement in nm as a function of x, y and the height in nm."""
    from nrm_plugin.fea.stress_field import largest

    mesh = Triangulation(fields.r * _NM, fields.z * _NM, fields.triangles)
    rim, surface = fields.r.max() * _NM, fields.layer.thickness * _NM
    hair = 1e-6 * fields.tip.radius * _NM  # what lies on the tip or the surface, rounded, is inside
    parts = [
        (LinearTriInterpolator(mesh, part.real), LinearTriInterpolator(mesh, part.imag))
        for part in fields.displacement * _NM
    ]

    def moved(x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        angle = np.arctan2(y, x)
        r, z = np.clip(np.hypot(x, y) + hair, 0.0, rim - hair), np.minimum(z, surface - hair)
        turns = np.cos(angle), np.sin(angle), np.cos(angle)
        found = [
            (re(r, z) + 1j * im(r, z)) * turn for (re, im), turn in zip(parts, turns, strict=True)
        ]
        return largest(np.ma.filled(np.ma.stack(found), np.nan))

    return moved
