"""What people see of a quantity: the unit, the factor to it, and the words on an axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nrm_plugin.text import PREFIXES

#: Units of results, and what is shown instead.
_SHOWN = {
    "m": (1e9, "nm"),
    "N": (1e9, "nN"),
    "N/m": (1e3, "pN/nm"),
    "Pa": (1e-6, "MPa"),
    "Pa s": (1.0, "Pa s"),
    "V": (1.0, "V"),
    "J": (1e18, "aJ"),
    "rad": (180.0 / np.pi, "°"),
}

_SYMBOLS = {
    "lateral_force_in_phase": r"Re $F_l$",
    "lateral_force_quadrature": r"Im $F_l$",
    "force_gradient_in_phase": r"Re d$F_l$/d$z_p$",
    "force_gradient_quadrature": r"Im d$F_l$/d$z_p$",
    "force_gradient_magnitude": r"|d$F_l$/d$z_p$|",
    "storage_modulus": r"storage modulus $E'$",
    "loss_modulus": r"loss modulus $E''$",
    "modulus_magnitude": r"|$E$*|",
    "shear_storage_modulus": r"shear storage modulus $G'$",
    "shear_loss_modulus": r"shear loss modulus $G''$",
    "shear_modulus_magnitude": r"|$G$*|",
    "viscosity": r"viscosity $\eta'$",
    "force_normal": r"normal force $F_n$",
    "thickness": "thickness",
    "contact_height": "height of the solid contact",
}

DISTANCE = "distance from the electrode (nm)"

#: The same for narrow panels.
SHORT_DISTANCE = "distance (nm)"

NANO = 1e9


@dataclass(frozen=True)
class Scale:
    """Factor from SI to the unit that is shown."""

    factor: float
    unit: str

    def __call__(self, values: ArrayLike) -> np.ndarray:
        """Values in the unit shown."""
        return np.asarray(values, np.float64) * self.factor


def scale(unit: str) -> Scale:
    """Return the scale for a unit of the results."""
    return Scale(*_SHOWN.get(unit, (1.0, unit)))


def length_scale(*values: ArrayLike) -> Scale:
    """Nanometres, or micrometres where lengths span more than 1 µm."""
    joined = np.concatenate([np.ravel(np.asarray(v, np.float64)) for v in values])
    joined = joined[np.isfinite(joined)]
    return Scale(1e6, "µm") if len(joined) and np.ptp(joined) > 1e-6 else Scale(1e9, "nm")


def readable_scale(values: ArrayLike, unit: str) -> Scale:
    """Scale with a prefix so that the largest value has one to three digits before the point."""
    size = np.abs(np.asarray(values, np.float64))
    largest = float(np.max(size[np.isfinite(size)], initial=0.0))
    powers = (0, -3, -6, -9, -12)
    power = next((p for p in powers if largest * 10.0**-p >= 1.0), powers[-1 if largest else 0])
    return Scale(10.0**-power, PREFIXES[power] + unit)


def axis_label(name: str, unit: str, meaning: str = "") -> str:
    """Words on an axis: symbol or meaning, and the unit that is shown."""
    words = _SYMBOLS.get(name) or meaning or name.replace("_", " ")
    shown = scale(unit).unit
    return f"{words} ({shown})" if shown else words
