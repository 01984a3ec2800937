"""What finite elements show: displacement and stress around a tip, forces, a stiff skin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from nrm_plugin.errors import InvalidInput
from nrm_plugin.figures import style
from nrm_plugin.figures.sections import (
    displacement,
    displacement_3d,
    reach_of,
    stress,
    stress_limits,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nrm_plugin.columns import ComplexArray, FloatArray
    from nrm_plugin.fea import Fields, Inverted, LateralForce, Layer, ShapeFactor

__all__ = [
    "displacement",
    "displacement_3d",
    "figure2",
    "forces",
    "inverted",
    "skin",
    "stress",
    "stress_limits",
]

_NM, _MPA = 1e9, 1e-6
_WORTH_A_LINE = 0.05  # weight of another explanation
_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")


@style.styled
def forces(
    found: Mapping[str, LateralForce],
    ax: Axes | None = None,
    *,
    line: tuple[str, ShapeFactor, float] | None = None,
    width: float = style.COLUMN,
) -> Axes:
    """In-phase force against penetration, on a logarithmic scale.

    Parameters
    ----------
    found : mapping of str to LateralForce
        With their names in the legend.
    line : (str, ShapeFactor, float), optional
        Name of a force, its shape factor and its modulus in Pa: the line that gives the constant.

    Raises
    ------
    InvalidInput
        If the line is for a force that is not there.
    """
    ax = style.one(ax, width)
    if not found:
        return style.words(ax, "no forces are given")
    if line is not None and line[0] not in found:
        raise InvalidInput(f"the line is for {line[0]!r}, and forces are given for {list(found)}")
    for number, (name, force) in enumerate(found.items()):
        colour = style.COLOURS[number % len(style.COLOURS)]
        ax.plot(force.depth * _NM, force.force.real * _NM, color=colour, label=name)
    handles = sorted(ax.get_lines(), key=lambda drawn: -float(np.max(drawn.get_ydata())))
    if line is not None:
        name, factor, modulus = line
        handles += ax.plot(
            *_line(found[name], factor, modulus),
            color=style.MARK,
            ls="--",
            lw=0.8,
            label=rf"line: $r_g$ = {factor.constant:.3g}",
        )
    ax.set(xlabel="penetration (nm)", ylabel="lateral force (nN)", yscale="log")
    ax.yaxis.set_major_formatter(_PLAIN)
    ax.yaxis.set_minor_formatter(NullFormatter())
    _room_below(ax, list(found.values()), 0.85 * len(handles))
    ax.legend(handles=handles, loc="lower right")
    return ax


def _room_below(ax: Axes, found: Sequence[LateralForce], lines: float) -> None:
    """Leave room on a logarithmic axis for a legend below the right part of the curves."""
    low, high = ax.get_ylim()
    lowest = min(
        float(np.interp(0.35 * force.depth.max(), force.depth, force.force.real)) * _NM
        for force in found
    )
    part = style.room_for(ax, lines, 6.5)
    ax.set_ylim(min(low, (lowest / high**part) ** (1.0 / (1.0 - part))), high)


def _line(
    force: LateralForce, factor: ShapeFactor, modulus: float
) -> tuple[FloatArray, FloatArray]:
    """Penetrations in nm and forces in nN on the line whose slope is the shape factor."""
    from nrm_plugin.fea.shape import penetrations

    points = penetrations(factor.layer.thickness)
    middle = np.interp(points, force.depth, force.force.real).mean()
    slope = 4.0 * force.amplitude * modulus * factor.constant
    depth = np.linspace(*factor.window, 100)
    return depth * _NM, (middle + slope * (depth - points.mean())) * _NM


@style.styled
def skin(
    force: LateralForce,
    layer: Layer,
    apparent: FloatArray,
    ax: Axes | None = None,
    *,
    width: float = style.COLUMN,
) -> Axes:
    """In-phase force in a layered medium, what Eq. 5 makes of its derivative, and the truth.

    What is stiffer than the softest part of the layer is shaded.

    Parameters
    ----------
    apparent : ndarray
        Storage modulus from Eq. 5 at the depths of the force, in Pa.
    """
    ax = style.one(ax, width)
    heights, moduli = _profile(layer)
    truth = moduli.real
    ax.fill_between(
        (layer.thickness - heights) * _NM,
        0.0,
        1.0,
        where=truth > 1.01 * truth.min(),
        transform=ax.get_xaxis_transform(),
        color=style.COLOURS[5],
        alpha=0.35,
        lw=0,
    )
    ax.plot(force.depth * _NM, force.force.real * _NM, color=style.IN_PHASE, label="force")
    ax.set(
        xlabel="penetration (nm)",
        ylabel="lateral force (nN)",
        ylim=(0.0, 1.05 * force.force.real.max() * _NM),
    )
    ax.yaxis.label.set_color(style.IN_PHASE)
    other = ax.twinx()
    other.spines["right"].set_visible(True)
    other.plot(
        force.depth * _NM,
        apparent * _MPA,
        color=style.QUADRATURE,
        label=r"d$F$/d$z$ / (4 $A\,r_g$)",
    )
    other.plot(
        (layer.thickness - heights) * _NM,
        truth * _MPA,
        color=style.MARK,
        lw=0.6,
        ls=":",
        label="true modulus",
    )
    other.set_ylabel("modulus (MPa)", color=style.QUADRATURE)
    highest = max(float(truth.max()), float(np.nanmax(apparent))) * _MPA
    style.with_headroom(other, 0.0, 1.05 * highest, 1.0)
    ax.set_ylim(top=ax.get_ylim()[1] * other.get_ylim()[1] / (1.05 * highest))
    other.legend(
        handles=[*ax.get_lines(), *other.get_lines()],
        loc="upper center",
        ncols=3,
        columnspacing=1.0,
    )
    return ax


@style.styled
def inverted(
    found: Inverted,
    ax: Axes | None = None,
    *,
    truth: Layer | None = None,
    width: float = style.COLUMN,
) -> Axes:
    """Storage and loss modulus against the height, with their 95 % bands.

    Dashed: the storage modulus of other layers that explain the force, with their weights.

    Parameters
    ----------
    truth : Layer, optional
        Whose moduli are drawn as well, dotted.
    """
    ax = style.one(ax, width)
    edges = found.cells * _NM
    parts = [(r"$E'$", found.modulus.real, found.storage_low, found.storage_high, style.IN_PHASE)]
    if np.any(found.modulus.imag > 0.0):
        parts.append(
            (r"$E''$", found.modulus.imag, found.loss_low, found.loss_high, style.QUADRATURE)
        )
    for name, values, low, high, colour in parts:
        ax.stairs(
            high * _MPA, edges, baseline=low * _MPA, fill=True, color=colour, alpha=0.25, lw=0
        )
        ax.stairs(values * _MPA, edges, baseline=None, color=colour, lw=1.0, label=name)
    for one in found.alternatives:
        if one.layers is None or one.layers is found.layers or one.weight < _WORTH_A_LINE:
            continue
        bounds = np.array([0.0, *np.asarray(one.layers.edges), found.cells[-1]]) * _NM
        ax.stairs(
            np.asarray(one.layers.moduli).real * _MPA,
            bounds,
            baseline=None,
            color=style.IN_PHASE,
            ls="--",
            lw=0.6,
            label=f"{one.words}, {one.weight:.0%}",
        )
    if truth is not None:
        heights, moduli = _profile(truth)
        for part in (moduli.real, moduli.imag):
            if np.any(part > 0.0):
                ax.plot(heights * _NM, part * _MPA, color=style.MARK, lw=0.6, ls=":")
    ax.set(xlabel="height (nm)", ylabel="modulus (MPa)", yscale="log", xlim=edges[[0, -1]])
    ax.yaxis.set_major_formatter(_PLAIN)
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.legend(loc="best", title=f"bands hold for\n{found.told.short}")
    return ax


def _profile(layer: Layer) -> tuple[FloatArray, ComplexArray]:
    """Heights in m across a layer, and moduli in Pa, on both sides where they jump."""
    edges = np.array(layer.interfaces)
    step = 1e-9 * layer.thickness
    even = np.linspace(0.0, layer.thickness, 301)
    heights = np.sort(np.concatenate([even, edges - step, edges + step]))
    return heights, layer.moduli(heights)


@style.styled
def figure2(
    sections: Sequence[Fields],
    found: Mapping[str, LateralForce],
    line: tuple[str, ShapeFactor, float],
    layered: tuple[LateralForce, Layer, FloatArray],
) -> Figure:
    """All of it, as wide as a page: displacement, stress at two depths, forces, a skin.

    Parameters
    ----------
    sections : two Fields
        At two depths; the displacement is that of the second.
    found, line
        See `forces`.
    layered
        See `skin`.

    Raises
    ------
    InvalidInput
        If there are not two sections.
    """
    if len(sections) != 2:
        raise InvalidInput(f"this figure shows two depths, and {len(sections)} are given")
    figure = style.new_figure(style.PAGE, 0.95 * style.PAGE)
    grid = figure.add_gridspec(3, 2)
    solid: Any = figure.add_subplot(grid[0, 0], projection="3d")
    reach = max(reach_of(section, None) for section in sections)
    displacement_3d(sections[1], solid, reach=reach)
    others = [figure.add_subplot(grid[k // 2, k % 2]) for k in range(1, 6)]
    displacement(sections[1], others[0], reach=reach)
    limits = stress_limits(sections, reach)
    for ax, section in zip(others[1:3], sections, strict=True):
        stress(section, ax, limits=limits, reach=reach)
        ax.set_title(f"{section.depth * _NM:.3g} nm deep", loc="left")
    forces(found, others[3], line=line)
    skin(*layered, others[4])
    for ax, name in zip([solid, *others], "abcdef", strict=True):
        style.letter(ax, name)
    return figure
