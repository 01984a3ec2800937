"""The tip, the layer that it stands in, and what can be asked of the two."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.arguments import (
    ascending,
    complex_number,
    complex_numbers,
    number,
    positive,
    row,
)
from nrm_plugin.text import with_unit

#: Young's modulus (Pa) at heights above the electrode (m).
ModulusProfile = Callable[[FloatArray], ComplexArray]

#: Depths, and gaps to the electrode, below this part of the tip's radius are refused.
SMALLEST = 0.01
#: A layer is divided into no more parts than this.
MOST = 1000
_THICKEST, _WIDEST = 1e4, 1e3  # in tip radii, in thicknesses
_CONTRAST = 1e12  # of moduli
_SOFTEST, _STIFFEST = 1e-30, 1e30  # Pa
_DEFAULT_DOMAIN = 10.0  # layer thicknesses; 4 are enough for 0.2 %


@dataclass(frozen=True)
class Tip:
    """A rigid tip: a spherical end that goes over smoothly into a cylinder or a cone.

    Attributes
    ----------
    radius : float
        Of the spherical end, in m.
    half_angle : float
        Of the cone, in rad; 0 is a cylinder.
    bonded : bool
        Whether the layer sticks to the tip. If not, it slides along without friction and without
        opening a gap.
    """

    radius: float
    half_angle: float = 0.0
    bonded: bool = True

    def __post_init__(self) -> None:
        positive("the tip's radius", self.radius)
        if not 0.0 <= number("the half angle", self.half_angle) <= math.radians(80.0):
            raise InvalidInput(
                f"the half angle {math.degrees(self.half_angle):.4g}° is not between 0 and 80°: "
                "0 is a cylinder, AFM tips have 5 to 35°"
            )
        if self.bonded not in (True, False):
            raise InvalidInput(
                f"bonded is {self.bonded!r}: it is True, or False for a tip without friction"
            )

    @property
    def cap_length(self) -> float:
        """Arc from the apex to where cylinder or cone begins, in m."""
        return self.radius * (math.pi / 2.0 - self.half_angle)

    @property
    def cap_height(self) -> float:
        """Height of the spherical end, in m."""
        return self.radius * (1.0 - math.sin(self.half_angle))

    def length(self, height: float) -> float:
        """Arc length along the surface from the apex up to a height above it, in m."""
        if height <= self.cap_height:
            # The half angle's sine keeps its digits where the arc cosine has lost them.
            return 2.0 * self.radius * math.asin(math.sqrt(height / (2.0 * self.radius)))
        return self.cap_length + (height - self.cap_height) / math.cos(self.half_angle)

    def surface(self, length: ArrayLike) -> FloatArray:
        """Points (radius, height above the apex) at arc lengths from the apex, in m.

        Returns
        -------
        ndarray of shape (2, n)
        """
        s = np.asarray(length, float)
        angle = np.minimum(s, self.cap_length) / self.radius
        beyond = np.maximum(s - self.cap_length, 0.0)
        return np.array(
            [
                self.radius * np.sin(angle) + beyond * math.sin(self.half_angle),
                2.0 * self.radius * np.sin(angle / 2.0) ** 2 + beyond * math.cos(self.half_angle),
            ]
        )

    def normal(self, length: ArrayLike) -> FloatArray:
        """Unit normals (r, z) out of the tip at arc lengths from the apex, shape (2, n)."""
        angle = np.minimum(np.asarray(length, float), self.cap_length) / self.radius
        return np.array([np.sin(angle), -np.cos(angle)])

    def width(self, height: float) -> float:
        """Radius of the cross-section at a height above the apex, in m."""
        return float(self.surface(self.length(height))[0])


@dataclass(frozen=True)
class Layer:
    """A layer on a rigid electrode, free above.

    Attributes
    ----------
    thickness : float
        In m.
    modulus : complex or callable
        Young's modulus E' + iE'' in Pa, or a function of the height above the electrode (array in
        m) that gives it, such as `Steps` or `Tabulated`.
    poisson_ratio : float
        0 to 0.5.
    domain : float or None
        Radius in m at which the layer is held; 10 thicknesses beyond the tip if not given.
    """

    thickness: float
    modulus: complex | ModulusProfile = 1e6
    poisson_ratio: float = 0.49
    domain: float | None = None

    def __post_init__(self) -> None:
        positive("the layer's thickness", self.thickness)
        if self.domain is not None:
            positive("the domain's radius", self.domain)
        if not 0.0 <= number("the Poisson ratio", self.poisson_ratio) <= 0.5:
            raise InvalidInput(
                f"a Poisson ratio of {self.poisson_ratio:.6g} is not between 0 and 0.5, where 0.5 "
                "is incompressible"
            )
        if not callable(self.modulus):
            _moduli(complex_number("the modulus, which is no function,", self.modulus))

    @property
    def homogeneous(self) -> bool:
        """Whether the modulus is one number."""
        return not callable(self.modulus)

    @property
    def interfaces(self) -> tuple[float, ...]:
        """Heights in m at which the modulus is known to jump."""
        edges = getattr(self.modulus, "edges", ())
        return tuple(float(e) for e in edges if 0.0 < e < self.thickness)

    def moduli(self, heights: FloatArray) -> ComplexArray:
        """E* in Pa at heights above the electrode in m.

        Raises
        ------
        InvalidInput
            If the function gives anything but finite values with a positive real part.
        """
        if not callable(self.modulus):
            return np.full(np.shape(heights), complex(self.modulus))
        values = _moduli(self.modulus(heights))
        if values.shape not in ((), np.shape(heights)):
            raise InvalidInput(
                f"the modulus, a function, gives values of shape {values.shape} for heights of "
                f"shape {np.shape(heights)}: it must give one for each"
            )
        return np.broadcast_to(values, np.shape(heights))

    def radius(self, tip: Tip) -> float:
        """Radius of the domain in m, for this tip."""
        if self.domain is not None:
            return self.domain
        return _DEFAULT_DOMAIN * self.thickness + tip.width(self.thickness)


@dataclass(frozen=True, eq=False)
class Steps:
    """A modulus constant between edges.

    Attributes
    ----------
    edges : sequence of float
        Heights above the electrode in m at which the modulus changes, ascending: one fewer than
        moduli.
    moduli : sequence of complex
        In Pa, from the electrode outwards.

    Examples
    --------
    >>> Steps([45e-9, 55e-9], [1e6, 10e6, 1e6])(np.array([50e-9])).real
    array([10000000.])
    """

    edges: ArrayLike
    moduli: ArrayLike

    def __post_init__(self) -> None:
        edges = ascending("the edges of steps", self.edges)
        moduli = np.atleast_1d(_moduli(self.moduli))
        if moduli.shape != (edges.size + 1,):
            raise InvalidInput(
                f"{edges.size} edges have {edges.size + 1} moduli between and outside them, and "
                f"{moduli.size} are given"
            )
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "moduli", moduli)

    def __call__(self, heights: FloatArray) -> ComplexArray:
        """E* in Pa at heights in m."""
        moduli: ComplexArray = np.asarray(self.moduli)
        return moduli[np.searchsorted(np.asarray(self.edges), heights, side="right")]


@dataclass(frozen=True, eq=False)
class Tabulated:
    """A modulus known at heights, between which logarithm and phase are linear.

    Attributes
    ----------
    heights : sequence of float
        Above the electrode in m, ascending; the modulus is constant beyond the ends.
    moduli : sequence of complex
        In Pa.
    """

    heights: ArrayLike
    moduli: ArrayLike

    def __post_init__(self) -> None:
        heights = ascending("the heights of a tabulated modulus", self.heights)
        moduli = np.atleast_1d(_moduli(self.moduli))
        if heights.shape != moduli.shape or not heights.size:
            raise InvalidInput(
                f"a tabulated modulus needs a value at each height, and {moduli.size} are given "
                f"at {heights.size}"
            )
        object.__setattr__(self, "heights", heights)
        object.__setattr__(self, "moduli", moduli)

    def __call__(self, heights: FloatArray) -> ComplexArray:
        """E* in Pa at heights in m."""
        logarithm = np.log(np.asarray(self.moduli))
        at = np.asarray(self.heights)
        return np.asarray(
            np.exp(
                np.interp(heights, at, logarithm.real) + 1j * np.interp(heights, at, logarithm.imag)
            )
        )


def check(tip: Tip, layer: Layer, depths: ArrayLike) -> FloatArray:
    """Depths as an array, if the tip can stand at each.

    Raises
    ------
    InvalidInput
        Naming the depth that the tip cannot reach, or what else is wrong.
    """
    checked = row("depths", depths)
    if not checked.size:
        raise InvalidInput("no depths were given: give at least one")
    thickness, domain = with_unit(layer.thickness, "m"), with_unit(layer.radius(tip), "m")
    if layer.thickness > _THICKEST * tip.radius:
        raise InvalidInput(
            f"a layer of {thickness} is more than {_THICKEST:.0f} tip radii thick, too many to be "
            "solved for: is the radius in m?"
        )
    if layer.radius(tip) > _WIDEST * layer.thickness + tip.width(layer.thickness):
        raise InvalidInput(
            f"a domain of radius {domain} is needlessly wide: {_DEFAULT_DOMAIN:.0f} layer "
            "thicknesses are enough"
        )
    if len(layer.interfaces) > MOST:
        raise InvalidInput(
            f"the modulus jumps at {len(layer.interfaces)} heights: give {MOST} at most, or a "
            "table of a smooth modulus"
        )
    shallow, close = SMALLEST * tip.radius, layer.thickness - SMALLEST * tip.radius
    rounding = 1e-9 * tip.radius  # depths at the very limit are computed, too
    for depth in checked:
        if not np.isfinite(depth) or depth <= 0.0:
            raise InvalidInput(
                f"a depth of {with_unit(depth, 'm')} is not inside the layer: give one above 0"
            )
        if depth >= layer.thickness:
            raise InvalidInput(
                f"at a depth of {with_unit(depth, 'm')} the tip would go through the electrode: "
                f"the layer is {thickness} thick"
            )
        if not shallow - rounding <= depth <= close + rounding:
            raise InvalidInput(
                f"a depth of {with_unit(depth, 'm')} is too close to the surface or the electrode: "
                f"both must be {SMALLEST:.0%} of the tip's radius away, {with_unit(shallow, 'm')}"
            )
    deepest = tip.width(float(checked.max()))
    if layer.radius(tip) < 1.2 * max(deepest, tip.radius):
        raise InvalidInput(
            f"a domain of radius {domain} has no room around a tip of radius "
            f"{with_unit(max(deepest, tip.radius), 'm')}: give at least 4 layer thicknesses"
        )
    return checked


def _moduli(modulus: object) -> ComplexArray:
    values = complex_numbers("moduli", modulus)
    wrong = ~(np.isfinite(values) & (values.real > 0.0))
    if np.any(wrong):
        raise InvalidInput(
            f"a modulus of {complex(values[wrong][0]):.4g} Pa cannot be solved for: the storage "
            "modulus must be positive and both parts finite"
        )
    size = np.abs(values)
    wrong = (size < _SOFTEST) | (size > _STIFFEST)
    if np.any(wrong):
        raise InvalidInput(
            f"a modulus of {complex(values[wrong][0]):.4g} Pa is out of range: no material is that "
            "soft or stiff"
        )
    if size.size and size.max() > _CONTRAST * size.min():
        raise InvalidInput(
            f"moduli from {size.min():.4g} to {size.max():.4g} Pa differ too much to be solved for "
            f"together: {_CONTRAST:.0e} is the limit"
        )
    return values
