"""From the gradient of the lateral force to moduli (Eqs. 2 to 5 of the paper)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nrm_plugin import kernels
from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.engine.compiled import PROFILES, Profiles
from nrm_plugin.engine.signals import Plan

if TYPE_CHECKING:
    import xarray as xr


def n_rows(how: Plan, shape: FloatArray) -> int:
    """Rows of `kernels.RESULTS` that are needed: gradients only where they follow from nothing."""
    if not how.lateral:
        return 1
    last = None if np.isnan(shape).any() else kernels.RESULTS.index("force_gradient_in_phase")
    return len(kernels.RESULTS[:last])


def moduli(profiles: Profiles, how: Plan, shape: FloatArray) -> dict[str, AnyArray]:
    """Profiles of some curves, by the names of the results.

    Eq. 5: ``E* = (dF*/dz_l) / (4 r_g A)`` with z_l = -z_p.

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
    rows = kernels.moduli(how.amplitude, found, shape, n_rows(how, shape))
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
    import xarray as xr

    names = ("in_phase", "quadrature", "in_phase_stderr", "quadrature_stderr")
    amplitude = float(results.attrs["dither_amplitude"])
    found = {name: results[f"force_gradient_{name}"] / amplitude for name in names}
    return xr.Dataset({name: array.assign_attrs(units="Pa") for name, array in found.items()})
