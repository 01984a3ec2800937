"""Lateral force on a tip at depths in a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.arguments import number, positive
from nrm_plugin.fea.geometry import Layer, Tip, check
from nrm_plugin.fea.pool import Workers
from nrm_plugin.fea.problem import Numerics, stiffness


@dataclass(frozen=True, eq=False)
class LateralForce:
    """Lateral force against depth.

    Attributes
    ----------
    depth : ndarray
        Of the apex below the surface, in m.
    distance : ndarray
        Of the apex from the electrode, in m.
    force : ndarray of complex
        Amplitude in N that moves the tip by `amplitude` against the layer.
    amplitude : float
        In m, peak.
    """

    depth: FloatArray
    distance: FloatArray
    force: ComplexArray
    amplitude: float


def lateral_force(
    tip: Tip,
    layer: Layer,
    depths: ArrayLike,
    amplitude: float,
    *,
    fineness: float = 1.0,
    resolution: float | None = None,
    workers: int | None = None,
) -> LateralForce:
    """Force that moves an embedded tip sideways.

    Linear elasticity with a complex modulus, without inertia: the shear wavelength at kHz is far
    above the layer's thickness. The layer is held at the electrode and at the rim of the domain.

    Parameters
    ----------
    depths : float or sequence of float
        Of the apex below the surface, in m.
    amplitude : float
        Of the lateral motion, in m, peak. The force is proportional to it.
    fineness : float
        Elements get smaller by it. At 1 the force in a homogeneous layer is good for 0.02 %.
    resolution : float, optional
        Largest height of elements in m, for a modulus that varies with the height.
    workers : int, optional
        Processes; see `nrm_plugin.fea.pool.Workers`.

    Returns
    -------
    LateralForce

    Raises
    ------
    InvalidInput
        For a depth at which the tip cannot be, or another argument out of range.
    """
    depth = check(tip, layer, depths)
    numerics = numerics_of(fineness, resolution)
    peak = amplitude_of(amplitude)
    with Workers(workers) as pool:
        stiffnesses = pool.map(stiffness, [(tip, layer, d, numerics) for d in depth.tolist()])
    return LateralForce(
        depth, layer.thickness - depth, np.array(stiffnesses, np.complex128) * peak, peak
    )


def amplitude_of(value: float) -> float:
    """Amplitude, if it is one.

    Raises
    ------
    InvalidInput
    """
    return positive("the amplitude", value)


def numerics_of(fineness: float, resolution: float | None, cells: ArrayLike = ()) -> Numerics:
    """Numerics, if the numbers make sense.

    Raises
    ------
    InvalidInput
    """
    if not 0.3 <= number("the fineness", fineness) <= 10.0:
        raise InvalidInput(f"a fineness of {fineness:.4g} is not between 0.3 and 10; 1 is usual")
    if resolution is not None:
        resolution = positive("the resolution", resolution)
    return Numerics(float(fineness), resolution, tuple(np.asarray(cells, float).tolist()))
