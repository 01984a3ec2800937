"""Elastic constants of silicon along a cantilever, from those of the cubic crystal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput

#: Elastic constants of silicon in Pa: Hopcroft, Nix, Kenny, J. Microelectromech. Syst. 19 (2010)
#: 229, after Mason (1958).
C11, C12, C44 = 165.7e9, 63.9e9, 79.6e9

_AXES = {
    # x along the beam, y across it in the plane of the wafer, z normal to the (100) wafer.
    "110": np.array([[1, 1, 0], [-1, 1, 0], [0, 0, np.sqrt(2.0)]]) / np.sqrt(2.0),
    "100": np.eye(3),
}
_PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class ElasticModuli:
    """What bending and torsion of a beam depend on.

    Attributes
    ----------
    young : float
        Along the beam, Pa.
    shear : float
        Between the beam's axis and the one across it in the plane of the wafer, Pa: that of a
        wide beam's torsion.
    shear_normal : float
        Between the beam's axis and the wafer's normal, Pa.
    """

    young: float
    shear: float
    shear_normal: float

    @property
    def ratio(self) -> float:
        """G / E."""
        return self.shear / self.young


def isotropic(poisson_ratio: float) -> ElasticModuli:
    """Moduli, in units of E, of an isotropic material: ``G = E / 2 (1 + nu)``."""
    shear = 1.0 / (2.0 * (1.0 + poisson_ratio))
    return ElasticModuli(1.0, shear, shear)


def silicon(
    orientation: str, c11: float = C11, c12: float = C12, c44: float = C44
) -> ElasticModuli:
    """Moduli of a silicon beam along <110> or <100> on a (100) wafer.

    The stiffness tensor is turned into the beam's axes and inverted; ``E = 1/S11``,
    ``G = 1/S66``. ``E / 2 (1 + nu)`` does not hold for a cubic crystal.

    Parameters
    ----------
    orientation : str
        ``110`` or ``100``.
    c11, c12, c44 : float
        In Pa.

    Raises
    ------
    InvalidInput
        For another orientation.
    """
    if orientation not in _AXES:
        raise InvalidInput(f"silicon beams lie along 110 or 100, not {orientation}")
    turn = _AXES[orientation]
    cubic = np.zeros((6, 6))
    cubic[:3, :3] = c12
    cubic[range(6), range(6)] = (c11, c11, c11, c44, c44, c44)
    tensor = np.zeros((3, 3, 3, 3))
    for a, (i, j) in enumerate(_PAIRS):
        for b, (k, m) in enumerate(_PAIRS):
            tensor[i, j, k, m] = tensor[j, i, k, m] = cubic[a, b]
            tensor[i, j, m, k] = tensor[j, i, m, k] = cubic[a, b]
    turned = np.einsum("ia,jb,kc,ld,abcd->ijkl", turn, turn, turn, turn, tensor)
    stiffness: FloatArray = np.array([[turned[i, j, k, m] for k, m in _PAIRS] for i, j in _PAIRS])
    compliance = np.linalg.inv(stiffness)
    return ElasticModuli(
        float(1.0 / compliance[0, 0]), float(1.0 / compliance[5, 5]), float(1.0 / compliance[4, 4])
    )
