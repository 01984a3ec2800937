"""From the gradient of the lateral force to moduli (Eqs. 2 to 7 of the paper)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from nrm_plugin import kernels
from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.engine.compiled import PROFILES, Profiles
from nrm_plugin.engine.signals import Plan


def modulus_settings(how: Plan) -> kernels.RecordArray:
    """What moduli are made with, as the library takes it."""
    return kernels.record(
        kernels.MODULUS_SETTINGS,
        amplitude=how.amplitude,
        poisson_ratio=how.poisson_ratio,
        frequency=how.frequency,
    )


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
    found = np.stack([getattr(profiles, name) for name in PROFILES], axis=1)
    rows = kernels.moduli(modulus_settings(how), found, shape, lateral=how.lateral)
    return dict(zip(kernels.RESULTS, rows, strict=False))


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
