"""Densities of the modulus over depth, one map per region (Fig. 4c)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from nrm_plugin.figures import style
from nrm_plugin.figures.panels import far, is_simulated, regions_of, title_of, why_empty
from nrm_plugin.figures.quantities import DISTANCE, NANO, SHORT_DISTANCE, axis_label, scale
from nrm_plugin.statistics.density import Density
from nrm_plugin.statistics.density import density as density_of
from nrm_plugin.statistics.regions import Region
from nrm_plugin.statistics.selection import Analysis, analysis_of

#: Less than this part of the density at which colours end is white.
_EDGE = 0.01

#: How much of weak data is veiled, so that the hatches show.
_VEIL = 0.6


@style.styled
def density(
    results: xr.Dataset | Analysis,
    regions: Iterable[Region] | None = None,
    variable: str = "shear_modulus_magnitude",
    *,
    conditional: bool = False,
    log: bool = False,
    direction: str | None = None,
    to: float | None = None,
    axes: Sequence[Axes] | None = None,
    figure: Any = None,
    width: float = style.PAGE,
) -> list[Axes]:
    """Density of a variable over depth for every region, darker where there is more (Fig. 4c).

    The dashed line is what noise alone shows. Where most values are below three times their
    noise, the map is hatched. Above stand the number of curves, how many independent ones tell as
    much, and the part of the values below the noise floor.

    Parameters
    ----------
    results : Dataset
    regions : Regions, optional
        The paper's if not given; all curves together where there are no potentials.
    variable : str
    conditional, log, direction
        As for `nrm_plugin.statistics.density`.
    to : float, optional
        Largest distance that is shown, in m; half as much again as the thickness if not given.
    axes, figure : one Axes per region, Figure, optional
        Axes to draw on, or an empty figure to fill; a new one `width` m wide if neither is given.

    Returns
    -------
    list of Axes
        One per region; with words where a region shows nothing.

    Raises
    ------
    InvalidInput
    """
    analysis = analysis_of(results, direction)
    results = analysis.results
    shown = regions_of(results, regions)
    width = style.width_of(figure, width)
    columns = min(len(shown), 4 if width > 1.5 * style.COLUMN else 2)
    axes = style.several(
        axes,
        len(shown),
        width,
        figure=figure,
        columns=columns,
        simulated=is_simulated(results),
        row_height=max(0.95 * width / max(columns, 2), 38e-3),
        sharex=True,
        sharey=True,
    )
    densities = [
        density_of(analysis, r.curves, variable, conditional=conditional, log=log) for r in shown
    ]
    drawn = [d for d in densities if _is_there(d)]
    norm = Normalize(0.0, max((most_of(d) for d in drawn), default=1.0))
    colours: ScalarMappable | None = None
    for ax, region, one in zip(axes, shown, densities, strict=True):
        if not _is_there(one):
            style.words(ax, why_empty(results, region))
        else:
            colours = draw_density(ax, one, norm)
        style.title(ax, title_of(region) + (_counts(ax, one) if _is_there(one) else ""))
    with_data = [ax for ax, one in zip(axes, densities, strict=True) if _is_there(one)]
    if colours is not None:
        with_common_limits(with_data, drawn, far(analysis) if to is None else to)
        style.colour_bar(axes[0], colours, bar_label(drawn[0]), axes[1:], extend="max")
        style.legend_below(axes[-1], explanations(drawn), fontsize=style.SMALL)
    return list(axes)


def draw_density(ax: Axes, one: Density, norm: Normalize) -> ScalarMappable:
    """Draw one density, hatched where it is weak, with its noise floor."""
    unit = scale(one.unit)
    z, value = one.depth * NANO, unit(one.value)
    seen = np.nan_to_num(one.values) > _EDGE * most_of(one) * _per(one)
    values = np.ma.masked_array(one.values / _per(one), ~seen).T
    shown = ax.pcolormesh(
        z, value, values, norm=norm, cmap=style.DENSITIES, shading="nearest", rasterized=True
    )
    weak = one.hatched & seen
    if weak.any():
        ax.contourf(
            z,
            value,
            weak.T.astype(float),
            levels=[0.5, 1.5],
            colors=["white"],
            alpha=_VEIL,
            hatches=["//////"],
        )
    if np.isfinite(one.floor).any():
        ax.plot(z, unit(one.floor), color=style.MARK, lw=0.7, ls="--", gid="floor")
    if one.log:
        ax.set_yscale("log")
    return shown


def _counts(ax: Axes, one: Density) -> str:
    """Curves, how many independent ones tell as much, and the part of values that is noise."""
    text = f"\nn = {one.n}, eff. {one.n_effective:.0f}"
    if not np.isfinite(one.floor).any():
        return text
    noise = f"{one.n_below / one.n_values:.0%} noise"
    fits = 4.3 * len(f"{text}, {noise}") < style.size_of(ax)[0]
    return f"{text}, {noise}" if fits else f"{text}\n{noise}"


def with_common_limits(axes: Sequence[Axes], drawn: Sequence[Density], to: float) -> None:
    """Common limits, and labels at the outer panels only."""
    unit = scale(drawn[0].unit)
    ends = np.array([_reach(d, to) for d in drawn])
    for ax in axes:
        ax.set_xlim(0.0, to * NANO)
        ax.set_ylim(
            float(unit(ends[:, 0].min())) if drawn[0].log else 0.0, float(unit(ends[:, 1].max()))
        )
        ax.set_xlabel(DISTANCE if len(axes) == 1 else SHORT_DISTANCE)
        ax.set_ylabel(axis_label(drawn[0].variable, drawn[0].unit, drawn[0].meaning))
        ax.label_outer()


def explanations(drawn: Sequence[Density]) -> list[Line2D | Patch]:
    """What dashes and hatches mean."""
    handles: list[Line2D | Patch] = []
    if any(np.isfinite(d.floor).any() for d in drawn):
        handles.append(Line2D([], [], color=style.MARK, lw=0.7, ls="--", label="noise floor"))
    if any(d.hatched.any() for d in drawn):
        handles.append(
            Patch(
                facecolor="none",
                edgecolor=style.MARK,
                lw=0.0,
                hatch="//////",
                label="below 3 × noise",
            )
        )
    return handles


def _is_there(one: Density) -> bool:
    return bool(one.n_values and np.isfinite(one.values).any() and np.nanmax(one.values) > 0)


def _per(one: Density) -> float:
    """Density in SI per density in the units shown."""
    unit = 1.0 if one.log else scale(one.unit).factor
    return unit if one.conditional else unit * NANO


def most_of(one: Density) -> float:
    """Density at which the colours end: the largest of what is not weak.

    Far from the electrode all curves show the same noise, which is denser than anything else.
    """
    positive = np.isfinite(one.values) & (one.values > 0)
    strong = positive & ~one.hatched
    return float(np.max(one.values[strong if strong.any() else positive])) / _per(one)


def _reach(one: Density, to: float) -> tuple[float, float]:
    """Smallest and largest value with a density worth seeing."""
    near = one.values[one.depth <= to] if (one.depth <= to).any() else one.values
    dense = np.flatnonzero((np.nan_to_num(near) > _EDGE * most_of(one) * _per(one)).any(axis=0))
    if not len(dense):
        return float(one.value[0]), float(one.value[-1])
    return float(one.value[dense[0]]), float(one.value[dense[-1]])


def bar_label(one: Density) -> str:
    """Words beside the colours."""
    per = "decade" if one.log else scale(one.unit).unit
    if one.conditional:
        return f"density (1/{per})"
    return f"density (1/(nm {per}))"
