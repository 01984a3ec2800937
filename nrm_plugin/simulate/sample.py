"""Electrodes and the interphases on them.

Distances count from the solid electrode outwards, in m. Moduli are Young's, complex, at the
frequency of the dither.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

import numpy as np

from nrm_plugin.columns import ComplexArray, FloatArray


@dataclass(frozen=True)
class Layer:
    """A layer of one modulus.

    Attributes
    ----------
    thickness : float
        In m.
    modulus : complex
        E' + iE'' in Pa.
    """

    thickness: float
    modulus: complex


@dataclass(frozen=True)
class Interphase:
    """Layers on the electrode, and the normal force with which they resist the tip.

    Attributes
    ----------
    layers : tuple of Layer
        From the electrode outwards.
    force : float
        Normal force in N when the tip has come through to the electrode.
    exponent : float
        The force rises as (1 - z/thickness) to this power: 1.5 as a sphere into an elastic body.
    decay : float or None
        If given, the force falls as exp(-z/decay) instead, in m.
    """

    layers: tuple[Layer, ...] = ()
    force: float = 0.0
    exponent: float = 1.5
    decay: float | None = None

    @property
    def thickness(self) -> float:
        """All layers together, in m."""
        return sum(layer.thickness for layer in self.layers)

    def modulus(self, distance: FloatArray) -> ComplexArray:
        """E* at distances from the electrode, 0 outside the layers."""
        edges = np.cumsum([0.0] + [layer.thickness for layer in self.layers])
        values = np.array([0.0, *(layer.modulus for layer in self.layers), 0.0], complex)
        return values[np.searchsorted(edges, distance, side="right")]

    def stiffness(self, distance: FloatArray, shape_factor: float) -> ComplexArray:
        """Lateral stiffness in N/m that a tip at these distances meets (Eq. 4, integrated).

        ``4 r_g`` times the integral of E* from the tip outwards.
        """
        outer: ComplexArray = np.zeros(np.shape(distance), complex)
        bottom = 0.0
        for layer in self.layers:
            top = bottom + layer.thickness
            outer += layer.modulus * (top - np.clip(distance, bottom, top))
            bottom = top
        return np.asarray(4.0 * shape_factor * outer, complex)

    def normal_force(self, distance: FloatArray) -> FloatArray:
        """Normal force in N on a tip at these distances, as large as at 0 below it."""
        if not self.force:
            return np.zeros(np.shape(distance))
        z = np.maximum(distance, 0.0)
        if self.decay is not None:
            return self.force * np.exp(-z / self.decay)
        inside = np.clip(1.0 - z / self.thickness, 0.0, None)
        return self.force * inside**self.exponent

    @property
    def reach(self) -> float:
        """Distance beyond which the normal force is nil, in m."""
        return self.thickness if self.decay is None else 20.0 * self.decay

    def scaled(self, thickness: float = 1.0, modulus: float = 1.0) -> Interphase:
        """Return a copy thicker and stiffer by factors."""
        layers = tuple(Layer(a.thickness * thickness, a.modulus * modulus) for a in self.layers)
        return replace(self, layers=layers)


@dataclass(frozen=True)
class Electrode:
    """The solid below.

    Attributes
    ----------
    stiffness : float
        Normal contact stiffness in N/m; infinite for a rigid wall.
    modulus, tip_radius : float
        If the modulus (Pa, reduced) is finite, the wall is a Hertz contact of a tip of this radius
        instead.
    lateral_stiffness : float
        Of the solid contact at 1 nN, in N/m; grows as the cube root of the load.
    friction : float
        Coefficient of friction; the tip sticks while the lateral force stays below it times the
        load. Infinite: it always sticks.
    roughness : float
        Standard deviation of the surface's height in m.
    correlation_length : float
        Of the roughness and of all that varies over the sample, in m.
    """

    stiffness: float = np.inf
    _: KW_ONLY
    modulus: float = np.inf
    tip_radius: float = 10e-9
    lateral_stiffness: float = 50.0
    friction: float = np.inf
    roughness: float = 0.0
    correlation_length: float = 0.0

    @property
    def rigid(self) -> bool:
        """Whether the wall does not give way."""
        return not np.isfinite(self.stiffness) and not np.isfinite(self.modulus)

    def normal_force(self, indentation: FloatArray) -> FloatArray:
        """Force in N at an indentation in m of a wall that gives way."""
        depth = np.maximum(indentation, 0.0)
        if np.isfinite(self.modulus):
            return np.asarray(4.0 / 3.0 * self.modulus * np.sqrt(self.tip_radius) * depth**1.5)
        return np.asarray(self.stiffness * depth)


@dataclass(frozen=True)
class Sample:
    """An electrode with its interphase.

    Attributes
    ----------
    interphase : Interphase
    electrode : Electrode
    thickness_spread, modulus_spread : float
        Standard deviation of the logarithm of thickness and modulus from place to place.
    onset : float
        Potential in V below which the interphase grows when a voltammogram is given; it has its
        full thickness at 0 V.
    """

    interphase: Interphase = Interphase()
    electrode: Electrode = Electrode()
    _: KW_ONLY
    thickness_spread: float = 0.0
    modulus_spread: float = 0.0
    onset: float = 1.5

    def grown(self, potential: float) -> Interphase:
        """Return the interphase at a potential in V."""
        return self.interphase.scaled(thickness=max(0.02, min(1.0, 1.0 - potential / self.onset)))


@dataclass(frozen=True)
class Voltammogram:
    """A potential that is swept linearly, there and back, from the start of the experiment on.

    Attributes
    ----------
    start, turn : float
        In V.
    rate : float
        In V/s.
    """

    start: float = 2.0
    turn: float = 0.005
    rate: float = 1e-3

    def potential(self, time: FloatArray) -> FloatArray:
        """Potential in V at times in s since the start."""
        span = abs(self.start - self.turn)
        swept = np.mod(self.rate * np.asarray(time), 2.0 * span)
        passed = np.where(swept <= span, swept, 2.0 * span - swept)
        return np.asarray(self.start + np.sign(self.turn - self.start) * passed)
