"""Electrodes and the interphases on them.

Distances count from the solid electrode outwards, in m. Moduli are Young's, complex, at the
frequency of the dither.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.errors import InvalidInput


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


class ForceOnTip(Protocol):
    """Lateral force against depth, as `nrm_plugin.fea.lateral_force` returns it (m, N)."""

    @property
    def depth(self) -> FloatArray:
        """Of the apex below the surface."""

    @property
    def distance(self) -> FloatArray:
        """Of the apex from the electrode."""

    @property
    def force(self) -> ComplexArray:
        """Peak."""

    @property
    def amplitude(self) -> float:
        """Of the motion, peak."""


@dataclass(frozen=True, eq=False)
class StiffnessTable:
    """Lateral stiffness that layers offer to a tip, known at distances, instead of Eq. 4.

    Between the distances it is interpolated by a monotonic cubic. Nearer than the first it is as
    at the first, beyond the last as at the last.

    Attributes
    ----------
    distance : array
        From the electrode in m, ascending.
    stiffness : array
        Complex, in N/m.
    """

    distance: ArrayLike
    stiffness: ArrayLike

    def __post_init__(self) -> None:
        distance = np.asarray(self.distance, float)
        stiffness = np.asarray(self.stiffness, complex)
        if distance.shape != stiffness.shape or distance.ndim != 1 or distance.size < 2:
            raise InvalidInput("a table of stiffness has as many distances as values, at least two")
        if not np.all(np.diff(distance) > 0.0):
            raise InvalidInput("the distances of a table of stiffness do not ascend")

    @classmethod
    def from_force(cls, found: ForceOnTip) -> StiffnessTable:
        """Take the stiffness from forces on a tip; at the layer's surface it is 0."""
        order = np.argsort(found.distance)
        thickness = float(found.depth[0] + found.distance[0])
        stiffness = np.asarray(found.force)[order] / found.amplitude
        return cls(np.append(found.distance[order], thickness), np.append(stiffness, 0.0))

    def __call__(self, distance: FloatArray) -> ComplexArray:
        """Stiffness in N/m at distances in m."""
        from scipy.interpolate import PchipInterpolator

        known = np.asarray(self.distance, float)
        values = np.asarray(self.stiffness, complex)
        at = np.clip(distance, known[0], known[-1])
        real, imag = (PchipInterpolator(known, part)(at) for part in (values.real, values.imag))
        found = np.asarray(real + 1j * imag, complex)
        found[at == known[-1]] = values[-1]
        return found

    def scaled(self, factor: float) -> StiffnessTable:
        """Return a copy for layers stiffer by a factor."""
        return StiffnessTable(self.distance, np.asarray(self.stiffness) * factor)


@dataclass(frozen=True, kw_only=True)
class Relaxation:
    """Layers that have not recovered when the tip goes up: the way up differs from the way down.

    Attributes
    ----------
    delay : float
        Time constant in s with which the layer lets go of the tip: its lateral stiffness on the
        way up is that of where the tip was, smoothed exponentially. At a steady speed its onset
        moves outwards by speed times delay.
    force_lost : float
        Part of the layer's normal force that is missing on the way up.
    """

    delay: float = 0.0
    force_lost: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Crust:
    """A crust that resists more and more until the tip breaks through; on the way up it is broken.

    Attributes
    ----------
    force : float
        In N at which it breaks, beside that of the layers.
    distance : float
        From the electrode in m where it breaks.
    width : float
        Way in m over which its force rises, evenly.
    """

    force: float
    distance: float
    width: float = 2e-9

    def normal_force(self, distance: FloatArray) -> FloatArray:
        """Force in N on a tip that comes down, at distances in m."""
        risen = 1.0 - (np.asarray(distance) - self.distance) / self.width
        return np.where((risen >= 0.0) & (risen <= 1.0), self.force * risen, 0.0)


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
    repulsion, repulsion_decay : float
        A force in N at the electrode that falls as exp(-z/decay) with a decay in m, beside that of
        the layers: steric or electrostatic.
    crust : Crust or None
        What the tip breaks through on its way down.
    relaxation : Relaxation or None
        What has not recovered on the way up.
    lateral : StiffnessTable or None
        Lateral stiffness in place of Eq. 4, such as finite elements give it.
    """

    layers: tuple[Layer, ...] = ()
    force: float = 0.0
    exponent: float = 1.5
    decay: float | None = None
    _: KW_ONLY
    repulsion: float = 0.0
    repulsion_decay: float = 3e-9
    crust: Crust | None = None
    relaxation: Relaxation | None = None
    lateral: StiffnessTable | None = None

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

        ``4 r_g`` times the integral of E* from the tip outwards; or from the table `lateral`.
        """
        if self.lateral is not None:
            return self.lateral(distance)
        outer: ComplexArray = np.zeros(np.shape(distance), complex)
        bottom = 0.0
        for layer in self.layers:
            top = bottom + layer.thickness
            outer += layer.modulus * (top - np.clip(distance, bottom, top))
            bottom = top
        return np.asarray(4.0 * shape_factor * outer, complex)

    def normal_force(self, distance: FloatArray) -> FloatArray:
        """Normal force in N on a tip at these distances, as large as at 0 below it."""
        z = np.maximum(distance, 0.0)
        if not self.force:
            layers: FloatArray = np.zeros(np.shape(distance))
        elif self.decay is not None:
            layers = self.force * np.exp(-z / self.decay)
        else:
            layers = self.force * np.clip(1.0 - z / self.thickness, 0.0, None) ** self.exponent
        if self.repulsion:
            layers = layers + self.repulsion * np.exp(-z / self.repulsion_decay)
        return layers if self.crust is None else layers + self.crust.normal_force(z)

    @property
    def at_electrode(self) -> float:
        """Normal force in N when the tip has come through."""
        return float(self.normal_force(np.array(0.0)))

    @property
    def reach(self) -> float:
        """Distance beyond which the normal force is nil, in m."""
        layers = self.thickness if self.decay is None else 20.0 * self.decay
        if self.repulsion:
            layers = max(layers, 20.0 * self.repulsion_decay)
        if self.crust is not None:
            layers = max(layers, self.crust.distance + self.crust.width)
        return layers

    def scaled(self, thickness: float = 1.0, modulus: float = 1.0) -> Interphase:
        """Return a copy thicker and stiffer by factors.

        Raises
        ------
        InvalidInput
            If it is to be thicker and has a table of stiffness, which holds for one thickness.
        """
        if self.lateral is not None and thickness != 1.0:
            raise InvalidInput("a table of lateral stiffness holds for layers of one thickness")
        layers = tuple(Layer(a.thickness * thickness, a.modulus * modulus) for a in self.layers)
        lateral = None if self.lateral is None else self.lateral.scaled(modulus)
        return replace(self, layers=layers, lateral=lateral)


@dataclass(frozen=True, kw_only=True)
class Film:
    """A stiff layer on the electrode that the tip dents and does not pierce.

    A sphere on an elastic layer that is bonded to a rigid ground (Dimitriadis et al., Biophys. J.
    82 (2002) 2798, to third order): Hertz where the contact is small against the thickness.

    Attributes
    ----------
    modulus : complex
        Young's modulus in Pa. Its imaginary part acts sideways only.
    thickness : float
        In m; infinite for a solid of the film's own.
    tip_radius : float
        In m.
    poisson_ratio : float
    """

    modulus: complex
    thickness: float = np.inf
    tip_radius: float = 10e-9
    poisson_ratio: float = 0.4

    def normal_force(self, indentation: FloatArray) -> FloatArray:
        """Force in N at an indentation in m."""
        depth = np.maximum(indentation, 0.0)
        reduced = self.modulus.real / (1.0 - self.poisson_ratio**2)
        hertz = 4.0 / 3.0 * reduced * np.sqrt(self.tip_radius) * depth**1.5
        terms = np.array([1.0, *self._ground()])
        return np.asarray(hertz * np.polynomial.polynomial.polyval(self._narrow(depth), terms))

    def stiffness(self, indentation: FloatArray) -> FloatArray:
        """Normal contact stiffness in N/m: the force's derivative."""
        depth = np.maximum(indentation, 0.0)
        reduced = self.modulus.real / (1.0 - self.poisson_ratio**2)
        # Each power of chi adds half a power of the depth.
        terms = np.array([1.0, *self._ground()]) * (1.5 + 0.5 * np.arange(4)) / 1.5
        hertz = 2.0 * reduced * np.sqrt(self.tip_radius * depth)
        return np.asarray(hertz * np.polynomial.polynomial.polyval(self._narrow(depth), terms))

    def lateral_stiffness(self, indentation: FloatArray) -> ComplexArray:
        """Lateral contact stiffness in N/m (Mindlin): the normal one times 2 (1 - nu)/(2 - nu)."""
        nu = self.poisson_ratio
        loss = 1.0 + 1j * self.modulus.imag / self.modulus.real
        return np.asarray(self.stiffness(indentation) * 2.0 * (1.0 - nu) / (2.0 - nu) * loss)

    def _narrow(self, depth: FloatArray) -> FloatArray:
        """Radius of the contact over the thickness."""
        return np.asarray(np.sqrt(self.tip_radius * depth) / self.thickness)

    def _ground(self) -> tuple[float, float, float]:
        """What the rigid ground adds, by powers of the contact's radius over the thickness."""
        nu = self.poisson_ratio
        a = -(1.2876 - 1.4678 * nu + 1.3442 * nu**2) / (1.0 - nu)
        b = (0.6387 - 1.0277 * nu + 1.5164 * nu**2) / (1.0 - nu)
        pi = np.pi
        return (
            -2.0 * a / pi,
            4.0 * a**2 / pi**2,
            -8.0 / pi**3 * (a**3 + 4.0 * pi**2 / 15.0 * b),
        )


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
        Coefficient of friction; the tip sticks while the lateral force stays below it times load
        and adhesion. Infinite: it always sticks.
    adhesion : float
        Force in N that presses the tip to the solid beside the load, where friction counts, and
        holds it on the way up if the ramp has no adhesion of its own.
    film : Film or None
        A film that the tip does not pierce, instead of the wall and of its lateral stiffness.
        Distances count from its surface.
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
    adhesion: float = 0.0
    film: Film | None = None
    roughness: float = 0.0
    correlation_length: float = 0.0

    @property
    def rigid(self) -> bool:
        """Whether the wall does not give way."""
        walls = (self.stiffness, self.modulus)
        return self.film is None and not any(np.isfinite(wall) for wall in walls)

    def normal_force(self, indentation: FloatArray) -> FloatArray:
        """Force in N at an indentation in m of a wall that gives way."""
        depth = np.maximum(indentation, 0.0)
        if self.film is not None:
            return self.film.normal_force(depth)
        if np.isfinite(self.modulus):
            return np.asarray(4.0 / 3.0 * self.modulus * np.sqrt(self.tip_radius) * depth**1.5)
        return np.asarray(self.stiffness * depth)

    def contact_stiffness(self, load: FloatArray, indentation: FloatArray) -> ComplexArray:
        """Lateral stiffness of the solid contact in N/m at loads in N and indentations in m."""
        if self.film is not None:
            return self.film.lateral_stiffness(indentation)
        return np.asarray(self.lateral_stiffness * np.cbrt(load / 1e-9))


@dataclass(frozen=True)
class Sample:
    """An electrode with its interphase.

    Attributes
    ----------
    interphase : Interphase
    electrode : Electrode
    thickness_spread, modulus_spread : float
        Standard deviation of the logarithm of thickness and modulus from place to place.
    other_electrode : Electrode or None
        What a composite electrode shows at other places, such as its binder. Roughness and
        correlation length are those of `electrode`.
    other_share : float
        Part of the places.
    onset : float
        Potential in V below which the interphase grows when a voltammogram is given; it has its
        full thickness at 0 V.
    """

    interphase: Interphase = Interphase()
    electrode: Electrode = Electrode()
    _: KW_ONLY
    thickness_spread: float = 0.0
    modulus_spread: float = 0.0
    other_electrode: Electrode | None = None
    other_share: float = 0.0
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
