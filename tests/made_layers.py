"""Results of layers whose truth is known: forces in bins and moduli, without curves behind them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from made_results import HALF_WIDTH, results_of

NM, MPA = 1e-9, 1e6

#: N/m of the lateral force per MPa of E* at a dither of 1 nm and r_g of 1.25.
PER_MPA = 4.0 * 1.25 * 1e-9 * MPA

Stack = Sequence[tuple[float, complex]]


def layered(
    stacks: Sequence[Stack],
    noise: float = 28.0,
    seed: int = 1,
    *,
    depth: float = 60.0,
    samples: int = 4,
    **columns: np.ndarray,
) -> xr.Dataset:
    """Results of curves with layers.

    Parameters
    ----------
    stacks : sequence of stacks
        For every curve (thickness in nm, complex E* in MPa) from the electrode outwards.
    noise : float
        Of one sample of each component of the lateral force, pN.
    depth : float
        Where profiles end, nm; forces are known 30 nm farther out.
    samples : int
        In a bin of 1 nm.
    """
    random = np.random.default_rng(seed)
    n = len(stacks)
    z = np.arange(depth + 30.0) + 0.5
    at = np.arange(0.0, depth + 0.25, 0.5)
    fine = np.arange(-3.0, depth + 3.0, 0.05)
    u = np.arange(-HALF_WIDTH / NM, HALF_WIDTH / NM + 0.01, 0.05) / (HALF_WIDTH / NM)
    kernel = (1.0 - u**2) ** 2
    force, modulus = np.zeros((n, len(z)), complex), np.zeros((n, len(at)), complex)
    for i, stack in enumerate(stacks):
        low, there = 0.0, np.zeros(len(fine), complex)
        for thick, value in stack:
            top = low + thick
            force[i] += (
                value * PER_MPA * NM * (np.clip(top - z, 0, None) - np.clip(low - z, 0, None))
            )
            there[(fine >= low) & (fine < top)] = value
            low = top
        there[fine < 0] = stack[0][1] if len(stack) else 0.0
        blurred = np.convolve(there, kernel / kernel.sum(), "same")
        modulus[i] = np.interp(at, fine, blurred.real) + 1j * np.interp(at, fine, blurred.imag)
    scatter = noise * 1e-12 / np.sqrt(samples)
    force += scatter * (
        random.standard_normal(force.shape) + 1j * random.standard_normal(force.shape)
    )
    # The error of a slope within a window of two half-widths.
    error = noise * 1e-12 / np.sqrt(samples * 4.0) / (1.15 * NM) / PER_MPA * MPA
    modulus = modulus * MPA
    modulus += error * (
        random.standard_normal(modulus.shape) + 1j * random.standard_normal(modulus.shape)
    )
    modulus[:, at < 1.0] = np.nan
    results = results_of(modulus, at * NM, error, **columns)
    bins = ("curve", "distance_bin")
    given = {
        "binned_force_in_phase": (bins, force.real),
        "binned_force_quadrature": (bins, force.imag),
        "binned_force_count": (bins, np.full(force.shape, samples, "u2")),
        "shape_factor": ("depth", np.full(len(at), 1.25)),
    }
    for name, value in {
        "lateral_noise_in_phase": noise * 1e-12,
        "lateral_noise_quadrature": noise * 1e-12,
        "lateral_noise_correlation": 1.0,
        "lateral_baseline_in_phase": 0.0,
        "lateral_baseline_quadrature": 0.0,
        "lateral_baseline_slope_in_phase": 0.0,
        "lateral_baseline_slope_quadrature": 0.0,
        "contact_height": 3000.0 * NM,
        "contact_height_stderr": 0.0,
        "contact_height_systematic": 0.0,
        "baseline_begin": (3000.0 + depth + 40.0) * NM,
        "baseline_end": (3000.0 + depth + 240.0) * NM,
        "depth_valid_min": 1.0 * NM,
    }.items():
        given[name] = ("curve", np.full(n, value))
    results = results.assign(given).assign_coords(distance_bin=z * NM)
    return results.assign_attrs(dither_amplitude=1e-9, half_width=HALF_WIDTH)


def laboratory(
    rng: np.random.Generator, mean: float, n: int = 64
) -> tuple[list[Stack], np.ndarray]:
    """The users' layers: 8+2i MPa to 5 nm and 2+1i MPa to the edge, which is spread by 20 %."""
    edges = mean * rng.uniform(0.8, 1.2, n)
    stacks: list[Stack] = [
        ((5.0, 8 + 2j), (edge - 5.0, 2 + 1j)) if edge > 5.0 else ((edge, 8 + 2j),) for edge in edges
    ]
    return stacks, edges
