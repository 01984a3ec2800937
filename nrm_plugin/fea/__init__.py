"""Finite elements: lateral force on a tip in a layer, shape factor, layered media, inversion.

The names are imported when they are first used, so that the table of shape factors costs no solver.

Examples
--------
>>> from nrm_plugin.fea import Layer, Tip, lateral_force
>>> layer = Layer(100e-9, modulus=1e6 + 0.2e6j, poisson_ratio=0.49)
>>> found = lateral_force(Tip(10e-9), layer, depths=[30e-9, 50e-9], amplitude=1e-9)
>>> found.force.shape
(2,)
"""

from typing import TYPE_CHECKING, Any

_HOME = {
    "Fields": "stress_field",
    "Influence": "layered_media",
    "InversionFailed": "forward",
    "Inverted": "inversion",
    "LateralForce": "forces",
    "Layer": "geometry",
    "ShapeFactor": "shape",
    "Steps": "geometry",
    "Tabulated": "geometry",
    "Tip": "geometry",
    "apparent_modulus": "layered_media",
    "fields": "stress_field",
    "influence": "layered_media",
    "invert": "inversion",
    "lateral_force": "forces",
    "read_shape_factor": "shape_file",
    "shape_factor": "shape_solution",
    "write_shape_factor": "shape_file",
}

__all__ = [*sorted(_HOME)]

if TYPE_CHECKING:
    from nrm_plugin.fea.forces import LateralForce as LateralForce
    from nrm_plugin.fea.forces import lateral_force as lateral_force
    from nrm_plugin.fea.forward import InversionFailed as InversionFailed
    from nrm_plugin.fea.geometry import Layer as Layer
    from nrm_plugin.fea.geometry import Steps as Steps
    from nrm_plugin.fea.geometry import Tabulated as Tabulated
    from nrm_plugin.fea.geometry import Tip as Tip
    from nrm_plugin.fea.inversion import Inverted as Inverted
    from nrm_plugin.fea.inversion import invert as invert
    from nrm_plugin.fea.layered_media import Influence as Influence
    from nrm_plugin.fea.layered_media import apparent_modulus as apparent_modulus
    from nrm_plugin.fea.layered_media import influence as influence
    from nrm_plugin.fea.shape import ShapeFactor as ShapeFactor
    from nrm_plugin.fea.shape_file import read_shape_factor as read_shape_factor
    from nrm_plugin.fea.shape_file import write_shape_factor as write_shape_factor
    from nrm_plugin.fea.shape_solution import shape_factor as shape_factor
    from nrm_plugin.fea.stress_field import Fields as Fields
    from nrm_plugin.fea.stress_field import fields as fields


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"nrm_plugin.fea.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
