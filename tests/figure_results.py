"""Results whose every value is known, in the form in which `process` gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from nrm_plugin.variables import CONTACT, DERIVED, LATERAL

DEPTH = np.arange(61) * 0.5e-9

#: Potentials at the middle of the regions, highest first, and how far each interphase reaches.
POTENTIALS = (1.75, 1.25, 0.75, 0.25)
REACH = (3e-9, 6e-9, 10e-9, 16e-9)

#: Storage modulus on the electrode in Pa; loss is a quarter of it.
STIFF = 8e6
NOISE = 0.2e6
VALID = 1e-9

#: dF/dz per E: 4 r_g A.
PER_MODULUS = 4 * 1.25 * 1e-9


def made_results(
    rows: int = 6,
    columns: int = 8,
    *,
    potential: Any = "falling",
    quality: Any = 0,
    spread: float = 0.25,
    noise: float = NOISE,
    seed: int = 3,
    places: bool = True,
    **attributes: Any,
) -> xr.Dataset:
    """An interphase that decays with distance and grows as the potential falls.

    E'(z) of a curve is ``STIFF * factor * exp(-z / reach)`` plus noise; it is nan below `VALID`.
    """
    rng = np.random.default_rng(seed)
    n = rows * columns
    number = np.arange(n)
    region = number * 4 // max(n, 1)
    factor = np.exp(spread * rng.standard_normal(n))
    reach = np.array(REACH)[region]
    profile = STIFF * factor[:, None] * np.exp(-DEPTH / reach[:, None])
    storage = profile + noise * rng.standard_normal(profile.shape)
    loss = 0.25 * profile + noise * rng.standard_normal(profile.shape)
    for values in (storage, loss):
        values[:, DEPTH < VALID] = np.nan
    return results_of(
        storage,
        loss,
        noise,
        rows=rows,
        columns=columns,
        potential=np.array(POTENTIALS)[region] if isinstance(potential, str) else potential,
        quality=quality,
        places=places,
        **attributes,
    )


def results_of(
    storage: np.ndarray,
    loss: np.ndarray,
    noise: float,
    *,
    rows: int,
    columns: int,
    potential: Any = None,
    quality: Any = 0,
    places: bool = True,
    **attributes: Any,
) -> xr.Dataset:
    """Results with these moduli, (curve, depth) in Pa."""
    n = len(storage)
    row, column = np.divmod(np.arange(n), columns) if columns else (np.arange(0),) * 2
    error = np.full(storage.shape, max(noise, 1.0))
    values: dict[str, Any] = {
        "contact_height": 100e-9 * np.cos(2 * np.pi * (column + 0.5) / max(columns, 1)),
        "contact_height_stderr": np.full(n, 0.05e-9),
        "contact_height_systematic": np.full(n, 0.1e-9),
        "quality": np.broadcast_to(np.asarray(quality, "i4"), n).copy(),
        "depth_valid_min": np.full(n, VALID),
        "storage_modulus": storage,
        "loss_modulus": loss,
        "storage_modulus_stderr": error,
        "loss_modulus_stderr": error,
        "force_gradient_in_phase": storage * PER_MODULUS,
        "force_gradient_quadrature": loss * PER_MODULUS,
        "force_gradient_in_phase_stderr": error * PER_MODULUS,
        "force_gradient_quadrature_stderr": error * PER_MODULUS,
        "lateral_force_in_phase": np.nancumsum(storage[:, ::-1], 1)[:, ::-1] * PER_MODULUS * 0.5e-9,
        "lateral_force_quadrature": np.nancumsum(loss[:, ::-1], 1)[:, ::-1] * PER_MODULUS * 0.5e-9,
        "shear_modulus_magnitude": np.hypot(storage, loss) / 3.0,
        "viscosity": loss / 3.0 / (2 * np.pi * 1e3),
    }
    known = CONTACT | LATERAL | DERIVED
    variables = {
        name: (known[name].dims, array.astype(known[name].dtype), known[name].attributes)
        for name, array in values.items()
    }
    table: dict[str, Any] = {
        "x": 50e-9 * column if places else np.full(n, np.nan),
        "y": 50e-9 * row if places else np.full(n, np.nan),
        "row": row if places else np.full(n, -1),
        "column": column if places else np.full(n, -1),
        "location": np.arange(n),
        "start_time": 2.0 * np.arange(n),
    }
    if potential is not None:
        table["potential"] = np.broadcast_to(np.asarray(potential, float), n)
    coordinates: dict[str, Any] = {name: ("curve", column) for name, column in table.items()}
    coordinates["depth"] = ("depth", DEPTH, {"units": "m"})
    about = {
        "simulated": 1,
        "dither_amplitude": 1e-9,
        "dither_frequency": 1e3,
        "poisson_ratio": 0.5,
        "warnings": "",
        "recipe": "[derivative]\nhalf_width = 2e-9\n",
    }
    return xr.Dataset(variables, coordinates, about | attributes)
