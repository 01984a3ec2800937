"""Finite elements: lateral force on a tip in a layer, shape factor, layered media, inversion.

Examples
--------
>>> from nrm_plugin.fea import Layer, Tip, lateral_force
>>> layer = Layer(100e-9, modulus=1e6 + 0.2e6j, poisson_ratio=0.49)
>>> found = lateral_force(Tip(10e-9), layer, depths=[30e-9, 50e-9], amplitude=1e-9)
>>> found.force.shape
(2,)
"""

from nrm_plugin.fea.forces import LateralForce, lateral_force
from nrm_plugin.fea.forward import InversionFailed
from nrm_plugin.fea.geometry import Layer, Steps, Tabulated, Tip
from nrm_plugin.fea.inversion import Inverted, invert
from nrm_plugin.fea.layered_media import Influence, apparent_modulus, influence
from nrm_plugin.fea.shape import ShapeFactor
from nrm_plugin.fea.shape_file import read_shape_factor, write_shape_factor
from nrm_plugin.fea.shape_solution import shape_factor
from nrm_plugin.fea.stress_field import Fields, fields

__all__ = [
    "Fields",
    "Influence",
    "InversionFailed",
    "Inverted",
    "LateralForce",
    "Layer",
    "ShapeFactor",
    "Steps",
    "Tabulated",
    "Tip",
    "apparent_modulus",
    "fields",
    "influence",
    "invert",
    "lateral_force",
    "read_shape_factor",
    "shape_factor",
    "write_shape_factor",
]
