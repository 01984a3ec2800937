"""Figures of single curves, of maps and of the statistics, in publication quality.

Each function draws on the axes that it is given, or on those of a new figure, and returns them:

>>> from nrm_plugin import figures
>>> ax = figures.profiles(results)                             # doctest: +SKIP
>>> figures.save(ax.figure, "profiles.pdf")                    # doctest: +SKIP

Those of finite elements are in `nrm_plugin.figures.fea`.
"""

from nrm_plugin.figures.averages import profiles
from nrm_plugin.figures.composed import figure4
from nrm_plugin.figures.densities import density
from nrm_plugin.figures.distributions import violin
from nrm_plugin.figures.output import save
from nrm_plugin.figures.places import DEPTH, map, quality
from nrm_plugin.figures.potentials import log_trace, recorded_trace, voltammogram
from nrm_plugin.figures.signals import curve, raw, referenced
from nrm_plugin.figures.style import COLUMN, PAGE, journal_style
from nrm_plugin.figures.surface import topography

__all__ = [
    "COLUMN",
    "DEPTH",
    "PAGE",
    "curve",
    "density",
    "figure4",
    "journal_style",
    "log_trace",
    "map",
    "profiles",
    "quality",
    "raw",
    "recorded_trace",
    "referenced",
    "save",
    "topography",
    "violin",
    "voltammogram",
]
