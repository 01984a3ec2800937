"""The fluid around a vibrating cantilever: its hydrodynamic function, and air."""

from __future__ import annotations

import numpy as np
from numpy.polynomial.polynomial import polyval
from scipy.special import kve

from nrm_plugin.errors import InvalidInput

# Sader, J. Appl. Phys. 84, 64 (1998), Eq. 21: coefficients of powers of log10(Re).
_REAL_TOP = (0.91324, -0.48274, 0.46842, -0.12886, 0.044055, -0.0035117, 0.00069085)
_REAL_BOTTOM = (1.0, -0.56964, 0.48690, -0.13444, 0.045155, -0.0035862, 0.00069085)
_IMAG_TOP = (-0.024134, -0.029256, 0.016294, -0.00010961, 0.000064577, -0.000044510)
_IMAG_BOTTOM = (1.0, -0.59702, 0.55182, -0.18357, 0.079156, -0.014369, 0.0028361)

#: Reynolds numbers for which Eq. 21 was made.
RANGE = (1e-6, 1e4)


def reynolds(density: float, viscosity: float, frequency: float, width: float) -> float:
    """Reynolds number ``2 pi f rho w**2 / (4 eta)`` of a vibrating cantilever of this width."""
    return 2.0 * np.pi * frequency * density * width**2 / (4.0 * viscosity)


def circular(reynolds_number: float) -> complex:
    """Hydrodynamic function of a circular cylinder.

    ``1 + 4 i K1(z) / (sqrt(i Re) K0(z))`` with ``z = -i sqrt(i Re)``: Sader 1998, Eq. 20, exact
    (Rosenhead 1963). For motion as exp(-i omega t): the imaginary part, the damping, is positive.
    """
    root = np.sqrt(1j * reynolds_number)
    # Scaled functions: both fall off as exp(-z), which their ratio does not show.
    return complex(1.0 + 4j * kve(1, -1j * root) / (root * kve(0, -1j * root)))


def rectangular(reynolds_number: float) -> complex:
    """Hydrodynamic function of a thin rectangular blade that moves normal to its face.

    That of the cylinder times a correction (Sader 1998, Eqs. 20 and 21) that follows the exact
    solution (Tuck 1969) to 0.1 %.

    Raises
    ------
    InvalidInput
        Outside Reynolds numbers of 1e-6 to 1e4.
    """
    if not RANGE[0] <= reynolds_number <= RANGE[1]:
        raise InvalidInput(
            f"the Reynolds number {reynolds_number:.3g} is outside {RANGE[0]:g} to {RANGE[1]:g}: "
            "check width, frequency, density and viscosity, and their units"
        )
    tau = np.log10(reynolds_number)
    real = polyval(tau, _REAL_TOP) / polyval(tau, _REAL_BOTTOM)
    imaginary = polyval(tau, _IMAG_TOP) / polyval(tau, _IMAG_BOTTOM)
    return complex(real, imaginary) * circular(reynolds_number)


def air(temperature: float, pressure: float = 101325.0) -> tuple[float, float]:
    """Density (kg/m^3) and viscosity (Pa s) of dry air.

    Ideal gas of 28.965 g/mol; Sutherland's law with 1.716e-5 Pa s at 273.15 K and 110.4 K.

    Parameters
    ----------
    temperature : float
        In K.
    pressure : float
        In Pa.
    """
    density = pressure * 0.0289652 / (8.314462618 * temperature)
    ratio = temperature / 273.15
    viscosity = 1.716e-5 * ratio**1.5 * (273.15 + 110.4) / (temperature + 110.4)
    return density, viscosity
