"""From the results of single curves to statements about the sample, with honest errors.

>>> from nrm_plugin import statistics as st
>>> st.DEFAULT_EDGES
(2.0, 1.5, 1.0, 0.5, 0.005)
"""

from nrm_plugin.statistics.comparison import (
    Comparison,
    Contrast,
    ProfileContrast,
    Question,
    SampleValue,
    StudySample,
    compare,
)
from nrm_plugin.statistics.comparison_table import comparison_table, sample_table, write_table
from nrm_plugin.statistics.density import Density, density
from nrm_plugin.statistics.map_differences import MapDifference, map_differences
from nrm_plugin.statistics.maps import Map, map_of
from nrm_plugin.statistics.modulus_spectrum import modulus_spectrum
from nrm_plugin.statistics.profiles import mean_profile
from nrm_plugin.statistics.region_thickness import region_thickness
from nrm_plugin.statistics.regions import DEFAULT_EDGES, Region, Regions, regions
from nrm_plugin.statistics.result_views import ResultViews, result_views
from nrm_plugin.statistics.selection import Analysis
from nrm_plugin.statistics.summary import summary, write_summary
from nrm_plugin.statistics.thickness import thickness
from nrm_plugin.statistics.trend import Trend, trend
from nrm_plugin.statistics.violins import DEFAULT_BINS, Violin, violins
from nrm_plugin.statistics.visits import MapPart, MapParts, map_parts

__all__ = [
    "DEFAULT_BINS",
    "DEFAULT_EDGES",
    "Analysis",
    "Comparison",
    "Contrast",
    "Density",
    "Map",
    "MapDifference",
    "MapPart",
    "MapParts",
    "ProfileContrast",
    "Question",
    "Region",
    "Regions",
    "ResultViews",
    "SampleValue",
    "StudySample",
    "Trend",
    "Violin",
    "compare",
    "comparison_table",
    "density",
    "map_differences",
    "map_of",
    "map_parts",
    "mean_profile",
    "modulus_spectrum",
    "region_thickness",
    "regions",
    "result_views",
    "sample_table",
    "summary",
    "thickness",
    "trend",
    "violins",
    "write_summary",
    "write_table",
]
