"""From the gradient of the lateral force to moduli (Eqs. 2 to 7 of the paper)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.engine.compiled import Profiles
from nrm_plugin.engine.signals import Plan


def moduli(profiles: Profiles, how: Plan, shape: FloatArray) -> dict[str, AnyArray]:
    """Profiles of some curves, by the names of the results.

    Eq. 5: ``E* = (dF*/dz_l) / (4 r_g A)`` with z_l = -z_p; Eq. 6: ``G* = E* / 2(1 + nu)``;
    Eq. 7, for any Poisson ratio: ``eta = G'' / (2 pi f)``.

    Parameters
    ----------
    profiles : Profiles
    how : Plan
    shape : (m,) array
        r_g.

    Returns
    -------
    mapping of str to (n, m) array of float32
    """
    found = {name: values.astype(np.float32) for name, values in vars(profiles).items()}
    shape = shape.astype(np.float32)
    values = {"force_normal": found["force_normal"]}
    if not how.lateral:
        return values
    per_gradient = 1.0 / (4.0 * shape * how.amplitude)
    shear = 2.0 * (1.0 + how.poisson_ratio)
    storage, loss = (
        found["gradient_in_phase"] * per_gradient,
        found["gradient_quadrature"] * per_gradient,
    )
    storage_error, loss_error = (
        found["stderr_in_phase"] * per_gradient,
        found["stderr_quadrature"] * per_gradient,
    )
    size = np.hypot(storage, loss)
    with np.errstate(invalid="ignore", divide="ignore"):
        size_error = np.hypot(storage * storage_error, loss * loss_error) / size
    per_loss = 1.0 / (shear * 2.0 * np.pi * how.frequency)
    return values | {
        "lateral_force_in_phase": found["force_in_phase"],
        "lateral_force_quadrature": found["force_quadrature"],
        "force_gradient_in_phase": found["gradient_in_phase"],
        "force_gradient_in_phase_stderr": found["stderr_in_phase"],
        "force_gradient_quadrature": found["gradient_quadrature"],
        "force_gradient_quadrature_stderr": found["stderr_quadrature"],
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
