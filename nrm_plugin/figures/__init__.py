"""Figures of single curves, of maps and of the statistics, in publication quality.

Each function draws on the axes that it is given, or on those of a new figure, and returns them:

>>> from nrm_plugin import figures
>>> ax = figures.profiles(results)                             # doctest: +SKIP
>>> figures.save(ax.figure, "profiles.pdf")                    # doctest: +SKIP

Those of finite elements are in `nrm_plugin.figures.fea`. matplotlib is imported when the first of
them is used.
"""

from typing import TYPE_CHECKING, Any

_HOME = {
    "COLUMN": "style",
    "DEPTH": "map_panels",
    "PAGE": "style",
    "TOPOGRAPHY": "map_panels",
    "comparison_density": "comparison_spread",
    "comparison_profiles": "comparison_lines",
    "comparison_ratio": "comparison_points",
    "comparison_ratio_profiles": "comparison_lines",
    "comparison_thickness": "comparison_points",
    "comparison_violins": "comparison_spread",
    "curve": "single_curves",
    "density": "densities",
    "differences": "map_changes",
    "figure4": "composed",
    "journal_style": "style",
    "kept_trace": "potentials",
    "log_on_levels": "logs",
    "log_over_time": "logs",
    "log_trace": "potentials",
    "map": "map_panels",
    "maps": "map_panels",
    "paired_recordings": "recordings",
    "profiles": "averages",
    "quality": "flags",
    "raw": "single_curves",
    "recorded_trace": "potentials",
    "referenced": "single_curves",
    "region_maps": "map_changes",
    "save": "output",
    "study_figures": "comparison_set",
    "thickness": "thicknesses",
    "topography": "heights",
    "violin": "distributions",
    "voltammogram": "potentials",
}

__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from nrm_plugin.figures.averages import profiles as profiles
    from nrm_plugin.figures.comparison_lines import comparison_profiles as comparison_profiles
    from nrm_plugin.figures.comparison_lines import (
        comparison_ratio_profiles as comparison_ratio_profiles,
    )
    from nrm_plugin.figures.comparison_points import comparison_ratio as comparison_ratio
    from nrm_plugin.figures.comparison_points import comparison_thickness as comparison_thickness
    from nrm_plugin.figures.comparison_set import study_figures as study_figures
    from nrm_plugin.figures.comparison_spread import comparison_density as comparison_density
    from nrm_plugin.figures.comparison_spread import comparison_violins as comparison_violins
    from nrm_plugin.figures.composed import figure4 as figure4
    from nrm_plugin.figures.densities import density as density
    from nrm_plugin.figures.distributions import violin as violin
    from nrm_plugin.figures.flags import quality as quality
    from nrm_plugin.figures.heights import topography as topography
    from nrm_plugin.figures.logs import log_on_levels as log_on_levels
    from nrm_plugin.figures.logs import log_over_time as log_over_time
    from nrm_plugin.figures.map_changes import differences as differences
    from nrm_plugin.figures.map_changes import region_maps as region_maps
    from nrm_plugin.figures.map_panels import DEPTH as DEPTH
    from nrm_plugin.figures.map_panels import TOPOGRAPHY as TOPOGRAPHY
    from nrm_plugin.figures.map_panels import map as map
    from nrm_plugin.figures.map_panels import maps as maps
    from nrm_plugin.figures.output import save as save
    from nrm_plugin.figures.potentials import kept_trace as kept_trace
    from nrm_plugin.figures.potentials import log_trace as log_trace
    from nrm_plugin.figures.potentials import recorded_trace as recorded_trace
    from nrm_plugin.figures.potentials import voltammogram as voltammogram
    from nrm_plugin.figures.recordings import paired_recordings as paired_recordings
    from nrm_plugin.figures.single_curves import curve as curve
    from nrm_plugin.figures.single_curves import raw as raw
    from nrm_plugin.figures.single_curves import referenced as referenced
    from nrm_plugin.figures.style import COLUMN as COLUMN
    from nrm_plugin.figures.style import PAGE as PAGE
    from nrm_plugin.figures.style import journal_style as journal_style
    from nrm_plugin.figures.thicknesses import thickness as thickness


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
