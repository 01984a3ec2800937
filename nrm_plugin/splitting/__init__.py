"""Force curves in a stream of samples: by its height, its deflection, or a marker."""

from nrm_plugin.splitting.ramps import Curve, Segment
from nrm_plugin.splitting.splitter import By, Splitter

__all__ = ["By", "Curve", "Segment", "Splitter"]
