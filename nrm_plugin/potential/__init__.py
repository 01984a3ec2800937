"""The electrode potential of every curve: recorded with it, or from a potentiostat's log.

>>> curves = with_potential(curves, "cv.mpr", clock_offset=30.0)           # doctest: +SKIP
>>> curves.curve_table["potential"], curves.curve_table["sweep"]           # doctest: +SKIP
"""

from nrm_plugin.potential.assign import with_potential
from nrm_plugin.potential.log import Log
from nrm_plugin.potential.reading import read_log

__all__ = ["Log", "read_log", "with_potential"]
