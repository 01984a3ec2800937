"""Displacement and stress around a tip, for pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nrm_plugin.columns import ComplexArray, FloatArray, IntArray
from nrm_plugin.fea.arguments import number
from nrm_plugin.fea.forces import amplitude_of, numerics_of
from nrm_plugin.fea.geometry import Layer, Tip, check
from nrm_plugin.fea.harmonic import strain_at_nodes
from nrm_plugin.fea.pool import one_thread
from nrm_plugin.fea.problem import at_depth

_COMPONENTS = ("rr", "tt", "zz", "rz", "rt", "tz")  # in the order of the strain


@dataclass(frozen=True, eq=False, kw_only=True)
class Fields:
    """What a tip does to the layer, in the half plane (r, z); the rest follows from the angle.

    Attributes
    ----------
    r, z : ndarray of shape (n,)
        Nodes: distance from the axis and height above the electrode, in m.
    triangles : ndarray of int, shape (m, 3)
        Of nodes.
    displacement : ndarray of shape (3, n), complex
        U, V, W in m: the layer moves by ``U cos t`` outwards, ``V sin t`` around, ``W cos t`` up,
        at the angle t to the direction of the motion.
    stress : dict of str to ndarray of shape (n,), complex
        In Pa: rr, tt, zz and rz to be multiplied by cos t, rt and tz by sin t. Where the modulus
        jumps, the mean of both sides.
    tip, layer
        What it is for.
    depth : float
        Of the apex below the surface, in m.
    amplitude : float
        Of the motion, in m, peak.
    """

    r: FloatArray
    z: FloatArray
    triangles: IntArray
    displacement: ComplexArray
    stress: dict[str, ComplexArray]
    tip: Tip
    layer: Layer
    depth: float
    amplitude: float

    @property
    def displacement_amplitude(self) -> FloatArray:
        """Largest displacement within a period, in the plane of the motion, in m, shape (n,)."""
        u, _, w = self.displacement
        return largest([u, w])

    @property
    def von_mises(self) -> FloatArray:
        """Largest von Mises stress within a period, in the plane of the motion, in Pa, shape (n,).

        In that plane, where t is 0 or 180 degrees, rt and tz are zero.
        """
        rr, tt, zz, rz = (self.stress[name] for name in ("rr", "tt", "zz", "rz"))
        half = np.sqrt(0.5)
        return largest([half * (rr - tt), half * (tt - zz), half * (zz - rr), np.sqrt(3.0) * rz])

    def contour(self, height: float | None = None, count: int = 200) -> FloatArray:
        """Points (r, z) of the tip in m from the apex upwards, shape (2, count).

        Parameters
        ----------
        height : float, optional
            Above the electrode, in m, where they end; the surface of the layer if not given.
        """
        apex = self.layer.thickness - self.depth
        top = self.layer.thickness if height is None else height
        s = np.linspace(0.0, self.tip.length(top - apex), count)
        return np.asarray(self.tip.surface(s) + np.array([[0.0], [apex]]))


def largest(parts: ArrayLike) -> FloatArray:
    """Largest length within a period of vectors whose parts swing, each with its own phase.

    The end of such a vector goes round an ellipse; this is half of its long axis.

    Parameters
    ----------
    parts : ndarray of shape (k, ...), complex
        Amplitudes.
    """
    z = np.asarray(parts)
    return np.asarray(np.sqrt(0.5 * ((np.abs(z) ** 2).sum(0) + np.abs((z**2).sum(0)))))


def fields(
    tip: Tip,
    layer: Layer,
    depth: float,
    amplitude: float,
    *,
    fineness: float = 2.0,
    resolution: float | None = None,
) -> Fields:
    """Displacement and stress around a tip.

    Parameters
    ----------
    depth : float
        Of the apex below the surface, in m.
    amplitude, fineness, resolution
        As in `lateral_force`.

    Raises
    ------
    InvalidInput
    """
    at = float(check(tip, layer, number("the depth", depth))[0])
    peak = amplitude_of(amplitude)
    with one_thread():
        solved = at_depth(tip, layer, at, numerics_of(fineness, resolution))
    a, b, w = peak * solved.solution.displacement.T
    space, unit = solved.space, tip.radius
    strain, pressure = strain_at_nodes(space, solved.solution)
    shear = solved.modulus.mean(axis=1)[:, None] / (2.0 * (1.0 + layer.poisson_ratio))
    scale = peak / unit
    twice = np.array([2.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    nodal = shear[:, :, None] * twice * strain
    nodal[..., :3] += pressure[:, :, None]
    count = np.bincount(space.nodes.ravel(), minlength=space.n_nodes)
    stress: dict[str, ComplexArray] = {}
    for row, name in enumerate(_COMPONENTS):
        values = scale * nodal[..., row].ravel()
        sums = [
            np.bincount(space.nodes.ravel(), part, space.n_nodes)
            for part in (values.real, values.imag)
        ]
        stress[name] = np.asarray((sums[0] + 1j * sums[1]) / count)
    r, z = unit * space.mesh.doflocs
    displacement = np.array([a + b, b - a, w])
    return Fields(
        r=r,
        z=z,
        triangles=_triangles(space.nodes),
        displacement=displacement,
        stress=stress,
        tip=tip,
        layer=layer,
        depth=at,
        amplitude=peak,
    )


def _triangles(nodes: IntArray) -> IntArray:
    """Eight triangles around the centre of each element."""
    ring = [0, 4, 1, 5, 2, 6, 3, 7]
    pairs = zip(ring, [*ring[1:], ring[0]], strict=True)
    return np.concatenate([nodes[:, [8, first, last]] for first, last in pairs])
