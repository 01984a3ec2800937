"""Quantities that the page can show for every curve: what they are called and where they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray
from nrm_plugin.statistics.selection import column
from nrm_plugin.variables import BIT, FLAGS, SURFACES

NUMBER, CLASS, FLAG_BITS = "number", "class", "flags"

#: SI units, the factor to what is shown, and its name.
UNITS = {
    "m": (1e9, "nm"),
    "N": (1e9, "nN"),
    "N/m": (1e3, "pN/nm"),
    "Pa": (1e-6, "MPa"),
    "rad": (180.0 / np.pi, "°"),
    "J": (1e18, "aJ"),
}

#: Classes of the contact with the wall.
STICK = ("unknown", "stick", "slip")


@dataclass(frozen=True, kw_only=True)
class ShownQuantity:
    """A quantity of every curve.

    Attributes
    ----------
    name, label, unit : str
        The unit is SI.
    of_depth : bool
        Whether it has a value at every distance.
    kind : str
        ``number``, ``class`` (the values count `classes`; -1 is none) or ``flags`` (bits).
    log : bool
        Whether it spreads over orders of magnitude.
    moduli : bool
        Whether the blind mode hides it.
    classes : tuple of str
    slow : bool
        Whether it is computed of all curves, which takes seconds.
    """

    name: str
    label: str
    unit: str = ""
    of_depth: bool = False
    kind: str = NUMBER
    log: bool = False
    moduli: bool = False
    classes: tuple[str, ...] = ()
    slow: bool = False

    @property
    def shown(self) -> tuple[float, str]:
        """Factor from SI, and the unit that people read."""
        return UNITS.get(self.unit, (1.0, self.unit))


def _profile(name: str, label: str, unit: str, *, moduli: bool = True) -> ShownQuantity:
    return ShownQuantity(
        name=name, label=label, unit=unit, of_depth=True, log=unit != "N", moduli=moduli
    )


def _number(name: str, label: str, unit: str = "") -> ShownQuantity:
    return ShownQuantity(name=name, label=label, unit=unit)


_PROFILES = (
    _profile("storage_modulus", "storage modulus E'", "Pa"),
    _profile("loss_modulus", "loss modulus E''", "Pa"),
    _profile("shear_modulus_magnitude", "|G*|", "Pa"),
    _profile("viscosity", "viscosity η'", "Pa s"),
    _profile("lateral_force_in_phase", "lateral force, in phase", "N"),
    _profile("lateral_force_quadrature", "lateral force, out of phase", "N"),
    _profile("force_normal", "normal force", "N", moduli=False),
)

_NUMBERS = (
    _number("contact_height", "height of the contact", "m"),
    _number("contact_height_stderr", "its standard error", "m"),
    _number("depth_valid_min", "first valid distance", "m"),
    _number("wall_slope", "slope of the wall"),
    _number("wall_length", "length of the wall", "m"),
    _number("wall_lateral_amplitude", "lateral motion on the wall", "m"),
    _number("normal_onset", "onset of the normal force", "m"),
    _number("lateral_onset", "onset of the lateral force", "m"),
    _number("break_through_force", "force of a break-through", "N"),
    _number("adhesion_force", "adhesion", "N"),
    _number("surface_slope", "slope of the surface", "rad"),
)

THICKNESS = ShownQuantity(name="thickness", label="thickness", unit="m", moduli=True, slow=True)
LARGEST_FORCE = _number("largest_force", "F_max", "N")
POTENTIAL = ShownQuantity(name="potential", label="potential", unit="V")
CURVE_NUMBER = _number("curve_number", "number of the curve")
REGION = ShownQuantity(name="region", label="region of the potential", kind=CLASS, slow=True)


def quantities(results: xr.Dataset, spring_constant: float | None) -> Iterator[ShownQuantity]:
    """What there is to show of results."""
    yield from (one for one in _PROFILES if one.name in results)
    yield from (one for one in _NUMBERS if one.name in results)
    if "storage_modulus" in results:
        yield THICKNESS
    if spring_constant and "wall_end" in results:
        yield LARGEST_FORCE
    if "quality" in results:
        yield ShownQuantity(name="quality", label="flags", kind=FLAG_BITS, classes=FLAGS)
        yield ShownQuantity(name="flag_count", label="number of flags")
        yield ShownQuantity(
            name="stick", label="stick or slip on the wall", kind=CLASS, classes=STICK
        )
    if "surface_class" in results:
        yield ShownQuantity(
            name="surface_class", label="class of the surface", kind=CLASS, classes=SURFACES
        )
    if has_potential(results):
        yield POTENTIAL
        yield REGION


def has_potential(results: xr.Dataset) -> bool:
    """Whether any curve has a potential."""
    potential = column(results, "potential")
    return potential is not None and bool(np.isfinite(potential.astype(np.float64)).any())


def stick_of(bits: AnyArray, sticks: bool) -> AnyArray:
    """Class of each curve's contact with the wall: see `STICK`.

    Parameters
    ----------
    bits : array of int
        Flags of the curves.
    sticks : bool
        Whether the check of all curves found that the tip sticks.
    """
    found = np.where(bits & BIT["slip"], 2, 1 if sticks else 0)
    nothing = BIT["no_hard_contact"] | BIT["missing_lateral"]
    return np.where(bits & nothing, 0, found)


def flag_count(bits: AnyArray) -> AnyArray:
    """Number of flags of each curve."""
    return sum(((bits >> i) & 1 for i in range(len(FLAGS))), np.zeros_like(bits))
