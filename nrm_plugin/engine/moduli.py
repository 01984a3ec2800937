"""From the gradient of the lateral force to moduli (Eqs. 2 to 7 of the paper)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.engine.signals import Plan

#: Places in what `kernels.profiles` finds.
NORMAL, FORCE_X, FORCE_Y, GRADIENT_X, GRADIENT_Y, STDERR_X, STDERR_Y = range(7)


def moduli(found: FloatArray, how: Plan, shape: FloatArray) -> dict[str, AnyArray]:
    """Profiles of some curves, by the names of the results.

    Eq. 5: ``E* = (dF*/dz_l) / (4 r_g A)`` with z_l = -z_p; Eq. 6: ``G* = E* / 2(1 + nu)``;
    Eq. 7, for any Poisson ratio: ``eta = G'' / (2 pi f)``.

    Parameters
    ----------
    found : (n, 7, m) array
        From `kernels.profiles`.
    how : Plan
    shape : (m,) array
        r_g.

    Returns
    -------
    mapping of str to (n, m) array of float32
    """
    found = found.astype(np.float32)
    shape = shape.astype(np.float32)
    values = {"force_normal": found[:, NORMAL]}
    if not how.lateral:
        return values
    per_gradient = 1.0 / (4.0 * shape * how.amplitude)
    shear = 2.0 * (1.0 + how.poisson_ratio)
    storage, loss = found[:, GRADIENT_X] * per_gradient, found[:, GRADIENT_Y] * per_gradient
    storage_error, loss_error = found[:, STDERR_X] * per_gradient, found[:, STDERR_Y] * per_gradient
    size = np.hypot(storage, loss)
    with np.errstate(invalid="ignore", divide="ignore"):
        size_error = np.hypot(storage * storage_error, loss * loss_error) / size
    per_loss = 1.0 / (shear * 2.0 * np.pi * how.frequency)
    return values | {
        "lateral_force_in_phase": found[:, FORCE_X],
        "lateral_force_quadrature": found[:, FORCE_Y],
        "force_gradient_in_phase": found[:, GRADIENT_X],
        "force_gradient_in_phase_stderr": found[:, STDERR_X],
        "force_gradient_quadrature": found[:, GRADIENT_Y],
        "force_gradient_quadrature_stderr": found[:, STDERR_Y],
        "storage_modulus": storage,
        "storage_modulus_stderr": storage_error,
        "loss_modulus": loss,
        "loss_modulus_stderr": loss_error,
        "shear_modulus_magnitude": size / shear,
        "shear_modulus_magnitude_stderr": size_error / shear,
        "viscosity": loss * per_loss,
        "viscosity_stderr": loss_error * per_loss,
    }


def sample_stiffness(results: xr.Dataset) -> xr.Dataset:
    """Lateral stiffness of the sample per depth, S* (Eq. 2), in Pa.

    It needs no shape factor: ``S* = (dF*/dz_l) / A``.

    Parameters
    ----------
    results : Dataset
        From `process`.

    Returns
    -------
    Dataset
        ``in_phase`` and ``quadrature``, each with ``_stderr``.
    """
    names = ("in_phase", "quadrature", "in_phase_stderr", "quadrature_stderr")
    amplitude = float(results.attrs["dither_amplitude"])
    found = {name: results[f"force_gradient_{name}"] / amplitude for name in names}
    return xr.Dataset({name: array.assign_attrs(units="Pa") for name, array in found.items()})
