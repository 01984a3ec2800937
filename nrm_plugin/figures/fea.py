"""What finite elements show: displacement and stress around a tip, forces, a stiff skin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.tri import LinearTriInterpolator, Triangulation
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from nrm_plugin.figures import style

if TYPE_CHECKING:
    from nrm_plugin.columns import FloatArray
    from nrm_plugin.fea import Fields, Inverted, LateralForce, Layer, ShapeFactor

_NM = 1e9
#: What a cross-section shows to each side of the axis, in m.
REACH = 60e-9
_TIP = "#9A9A9A"


def displacement_size(fields: Fields) -> FloatArray:
    """Amplitude of the displacement at the nodes, in the plane of the motion, in m."""
    u, _, w = np.abs(fields.displacement)
    return np.asarray(np.hypot(u, w))


def von_mises(fields: Fields) -> FloatArray:
    """Von Mises stress at the nodes, in the plane of the motion, in Pa."""
    rr, tt, zz, rz = (np.abs(fields.stress[name]) * np.sign(fields.stress[name].real)
                      for name in ("rr", "tt", "zz", "rz"))  # fmt: skip
    normal = 0.5 * ((rr - tt) ** 2 + (tt - zz) ** 2 + (zz - rr) ** 2)
    return np.asarray(np.sqrt(normal + 3.0 * rz**2))


@style.styled
def displacement(
    fields: Fields, ax: Axes | None = None, *, reach: float = REACH, width: float = style.COLUMN
) -> Axes:
    """Cross-section with the amplitude of the displacement."""
    ax = style.one(ax, width)
    values = displacement_size(fields) * _NM
    shown = _section(ax, fields, values, Normalize(0.0, values.max()), reach)
    style.colour_bar(ax, shown, "displacement (nm)")
    return ax


@style.styled
def stress(
    fields: Fields, ax: Axes | None = None, *, reach: float = REACH, width: float = style.COLUMN
) -> Axes:
    """Cross-section with the von Mises stress, on a logarithmic scale."""
    ax = style.one(ax, width)
    values = von_mises(fields) * 1e-3
    near = values[(fields.r < reach) & (values > 0.0)]
    high = float(np.percentile(near, 98.0))
    limits = LogNorm(1e-2 * high, high, clip=True)
    shown = _section(ax, fields, np.maximum(values, 1e-2 * high), limits, reach)
    style.colour_bar(ax, shown, "von Mises stress (kPa)", extend="both")
    return ax


def _section(ax: Axes, fields: Fields, values: FloatArray, limits: Normalize, reach: float) -> Any:
    """Both halves of the plane of the motion, with the tip."""
    shown: Any = None
    for side in (1.0, -1.0):
        mesh = Triangulation(side * fields.r * _NM, fields.z * _NM, fields.triangles)
        shown = ax.tripcolor(mesh, values, shading="gouraud", cmap=style.VALUES, norm=limits,
                             rasterized=True)  # fmt: skip
    r, z = fields.surface * _NM
    ax.fill(np.concatenate([-r[::-1], r]), np.concatenate([z[::-1], z]), color=_TIP, lw=0)
    ax.set(xlim=(-reach * _NM, reach * _NM), ylim=(0.0, fields.z.max() * _NM), aspect="equal",
           xlabel="x (nm)", ylabel="height (nm)")  # fmt: skip
    return shown


@style.styled
def displacement_3d(fields: Fields, ax: Any = None, *, reach: float = REACH) -> Any:
    """Block cut open along the plane of the motion, coloured by the amplitude of displacement.

    Parameters
    ----------
    ax : Axes3D, optional
    """
    if ax is None:
        ax = style.new_figure(style.COLUMN, style.COLUMN).add_subplot(projection="3d")
    u, v, w = np.abs(fields.displacement) * _NM
    mesh = Triangulation(fields.r * _NM, fields.z * _NM, fields.triangles)
    parts = [LinearTriInterpolator(mesh, part) for part in (u, v, w)]
    colours, limits = colormaps[style.VALUES], Normalize(0.0, float(np.hypot(u, w).max()))
    edge, height = reach * _NM, fields.z.max() * _NM

    def coloured(x: FloatArray, y: FloatArray, z: FloatArray) -> None:
        r, angle = np.hypot(x, y), np.arctan2(y, x)
        cosine, sine = np.cos(angle), np.sin(angle)
        found = [np.ma.filled(part(r, z), np.nan) for part in parts]
        size = np.sqrt((found[0] ** 2 + found[2] ** 2) * cosine**2 + (found[1] * sine) ** 2)
        faces = colours(limits(np.nan_to_num(size)))
        faces[np.isnan(size)] = 0.0  # the tip
        ax.plot_surface(x, y, z, facecolors=faces, rstride=1, cstride=1, shade=False, lw=0,
                        antialiased=False, rasterized=True)  # fmt: skip

    across, up = np.linspace(-edge, edge, 121), np.linspace(0.0, height * (1 - 1e-9), 101)
    x, z = np.meshgrid(across, up)
    coloured(x, np.zeros_like(x), z)
    wall = float(fields.surface[0, -1]) * _NM
    radius = wall + (edge - wall) * np.linspace(0.0, 1.0, 40) ** 2 + 1e-6
    r, angle = np.meshgrid(radius, np.linspace(0.0, np.pi, 61))
    coloured(r * np.cos(angle), r * np.sin(angle), np.full_like(r, height * (1 - 1e-9)))
    contour, height_of = fields.surface * _NM
    outline = np.column_stack([np.concatenate([-contour[::-1], contour]),
                               np.concatenate([height_of[::-1], height_of])])  # fmt: skip
    face = [(x, -0.2, z) for x, z in outline]
    lid = [(wall * np.cos(t), wall * np.sin(t), height) for t in np.linspace(0.0, np.pi, 60)]
    ax.add_collection3d(Poly3DCollection([face, lid], facecolors=_TIP, zorder=10))
    ax.set(xlim=(-edge, edge), ylim=(0, edge), zlim=(0, height), xlabel="x (nm)", ylabel="y (nm)",
           zlabel="height (nm)", yticks=[0.0, edge])  # fmt: skip
    ax.set_box_aspect((2 * edge, edge, height))
    ax.view_init(elev=24.0, azim=-65.0)
    return ax


@style.styled
def forces(
    found: Mapping[str, LateralForce],
    ax: Axes | None = None,
    *,
    line: tuple[str, ShapeFactor, float] | None = None,
    width: float = style.COLUMN,
) -> Axes:
    """In-phase force against penetration.

    Parameters
    ----------
    found : mapping of str to LateralForce
        With their names in the legend.
    line : (str, ShapeFactor, float), optional
        Name of a force, its shape factor and its modulus in Pa: the line that gives the constant.
    """
    ax = style.one(ax, width)
    for number, (name, force) in enumerate(found.items()):
        colour = style.COLOURS[number % len(style.COLOURS)]
        ax.plot(force.depth * _NM, force.force.real * _NM, color=colour, label=name)
    if line is not None:
        name, factor, modulus = line
        force = found[name]
        low, high = factor.window
        slope = 4.0 * force.amplitude * modulus * factor.constant
        inside = (force.depth >= low) & (force.depth <= high)
        depth = np.linspace(low, high, 60)
        along = force.force.real[inside].mean() + slope * (depth - force.depth[inside].mean())
        ax.plot(depth * _NM, along * _NM, color=style.MARK, ls="--", lw=0.8,
                label=rf"line: $r_g$ = {factor.constant:.3g}")  # fmt: skip
    ax.set(xlabel="penetration (nm)", ylabel="lateral force (nN)", yscale="log")
    ax.legend(loc="lower right")
    return ax


@style.styled
def skin(
    force: LateralForce,
    layer: Layer,
    apparent: FloatArray,
    ax: Axes | None = None,
    *,
    width: float = style.COLUMN,
) -> Axes:
    """Force in a layered medium, what Eq. 5 makes of its derivative, and the truth.

    Parameters
    ----------
    apparent : ndarray
        Storage modulus from Eq. 5 at the depths of the force, in Pa.
    """
    ax = style.one(ax, width)
    edges = [0.0, *layer.interfaces, layer.thickness]
    middles = 0.5 * (np.array(edges[1:]) + np.array(edges[:-1]))
    moduli = layer.moduli(middles).real
    for low, high, modulus in zip(edges, edges[1:], moduli, strict=False):
        if modulus > moduli.min():
            ax.axvspan((layer.thickness - high) * _NM, (layer.thickness - low) * _NM,
                       color=style.COLOURS[5], alpha=0.35, lw=0)  # fmt: skip
    ax.plot(force.depth * _NM, force.force.real * _NM, color=style.IN_PHASE)
    ax.set(xlabel="penetration (nm)", ylabel="lateral force (nN)")
    ax.yaxis.label.set_color(style.IN_PHASE)
    other = ax.twinx()
    other.spines["right"].set_visible(True)
    other.plot(force.depth * _NM, apparent * 1e-6, color=style.QUADRATURE)
    other.step(np.array([layer.thickness - e for e in edges]) * _NM,
               np.concatenate([moduli[:1], moduli]) * 1e-6, where="pre", color=style.MARK,
               lw=0.6, ls=":")  # fmt: skip
    other.set_ylabel("modulus by Eq. 5 (MPa)", color=style.QUADRATURE)
    other.set_ylim(bottom=0.0)
    return ax


@style.styled
def inverted(
    found: Inverted,
    ax: Axes | None = None,
    *,
    truth: Sequence[complex] | None = None,
    width: float = style.COLUMN,
) -> Axes:
    """Moduli against the height, with their bands."""
    ax = style.one(ax, width)
    height = found.heights * _NM
    for name, values, low, high, colour in (
        ("E'", found.modulus.real, found.storage_low, found.storage_high, style.IN_PHASE),
        ("E''", found.modulus.imag, found.loss_low, found.loss_high, style.QUADRATURE),
    ):
        if np.any(values > 0.0):
            ax.fill_between(height, low * 1e-6, high * 1e-6, step="mid", color=colour, alpha=0.25,
                            lw=0)  # fmt: skip
            ax.step(height, values * 1e-6, where="mid", color=colour, label=name)
    if truth is not None:
        for part in (np.real(truth), np.imag(truth)):
            if np.any(part > 0.0):
                ax.step(height, part * 1e-6, where="mid", color=style.MARK, lw=0.6, ls=":")
    ax.set(xlabel="height above the electrode (nm)", ylabel="modulus (MPa)", yscale="log")
    ax.legend(loc="best")
    return ax


@style.styled
def figure2(
    sections: Sequence[Fields],
    found: Mapping[str, LateralForce],
    line: tuple[str, ShapeFactor, float],
    layered: tuple[LateralForce, Layer, FloatArray],
    *,
    width: float = style.PAGE,
) -> Any:
    """All of it: displacement in 3-D and in a section, stress at two depths, forces, a skin.

    Parameters
    ----------
    sections : two Fields
        At two depths; the displacement is that of the second.
    found, line
        See `forces`.
    layered
        See `skin`.

    Returns
    -------
    Figure
    """
    figure = style.new_figure(width, 1.12 * width)
    grid = figure.add_gridspec(3, 2, height_ratios=(1.2, 1.0, 0.9))
    solid: Any = figure.add_subplot(grid[0, 0], projection="3d")
    displacement_3d(sections[1], solid)
    others = [figure.add_subplot(grid[k // 2, k % 2]) for k in range(1, 6)]
    displacement(sections[1], others[0])
    for ax, section in zip(others[1:3], sections, strict=True):
        stress(section, ax)
        depth = section.z.max() - section.surface[1, 0]
        ax.set_title(f"{depth * _NM:.3g} nm deep", loc="left")
    forces(found, others[3], line=line)
    skin(*layered, others[4])
    for ax, name in zip([solid, *others], "abcdef", strict=True):
        style.letter(ax, name)
    return figure
