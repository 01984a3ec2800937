"""Results whose truth is known, without curves behind them, and simulated operando sets."""

from __future__ import annotations

import numpy as np
import xarray as xr

from nrm_plugin import Recipe, process
from nrm_plugin import simulate as sim

HALF_WIDTH = 2e-9


def results_of(modulus, depth=None, stderr=1e5, poisson_ratio=0.5, **columns) -> xr.Dataset:
    """Results with a complex modulus E* (curve, depth) in Pa, and columns of the curve table."""
    modulus = np.asarray(modulus, complex)
    n, m = modulus.shape
    depth = np.arange(m) * 0.5e-9 if depth is None else depth
    quality = columns.pop("quality", np.zeros(n, "i4"))
    dims = ("curve", "depth")
    error = np.where(np.isfinite(modulus), np.broadcast_to(stderr, (n, m)), np.nan)
    return xr.Dataset(
        {
            "storage_modulus": (dims, modulus.real, {"units": "Pa", "long_name": "E'"}),
            "storage_modulus_stderr": (dims, error, {"units": "Pa"}),
            "loss_modulus": (dims, modulus.imag, {"units": "Pa"}),
            "loss_modulus_stderr": (dims, error, {"units": "Pa"}),
            "quality": ("curve", np.asarray(quality, "i4")),
        },
        {"depth": depth} | {name: ("curve", np.asarray(v)) for name, v in columns.items()},
        {"poisson_ratio": poisson_ratio, "recipe": Recipe().to_toml(comments=False)},
    )


def without_lateral(results: xr.Dataset) -> xr.Dataset:
    """The same results without a lateral signal: a report of them has few figures."""
    words = ("modulus", "gradient", "lateral", "viscosity", "shape_factor")
    return results.drop_vars([n for n in results.data_vars if any(w in str(n) for w in words)])


def map_places(side: int, pitch: float = 50e-9) -> dict[str, np.ndarray]:
    """Columns of a square map taken row by row."""
    row, column = np.divmod(np.arange(side * side), side)
    return {"row": row, "column": column, "x": pitch * column, "y": pitch * row}


def correlated(rng, side: int, length: float, count: int) -> np.ndarray:
    """Normal fields (side**2, count) on a square map, correlated as exp(-distance / length)."""
    if not length:
        return rng.standard_normal((side * side, count))
    size = 2 * side
    y = np.fft.fftfreq(size, 1 / size)
    power = np.maximum(np.fft.fft2(np.exp(-np.hypot(y[:, None], y) / length)).real, 0.0)
    white = rng.standard_normal((2, count, size, size))
    field = np.fft.ifft2(np.fft.fft2(white[0] + 1j * white[1]) * np.sqrt(power)).real
    return field[:, :side, :side].reshape(count, -1).T


LAYERS = (sim.Layer(8e-9, 10e6 + 3e6j), sim.Layer(12e-9, 2e6 + 1e6j))


def operando(seed, grid=(10, 20), spread=0.2, length=0.0, **detector):
    """Simulate a sodiation from 2.0 to 0.005 V; returns results and truth."""
    sample = sim.Sample(
        sim.Interphase(LAYERS, force=3e-9),
        sim.Electrode(roughness=50e-9, correlation_length=length),
        thickness_spread=spread,
        modulus_spread=spread,
    )
    ramp = sim.Ramp(length=150e-9, samples=512, trigger=30e-9, retract=False)
    duration = grid[0] * grid[1] * 2 * ramp.samples * ramp.interval
    instrument = sim.Instrument(lateral_stiffness=80.0, detector=sim.Detector(**detector))
    curves, truth = sim.simulate(
        sample,
        instrument,
        ramp,
        grid=grid,
        seed=seed,
        voltammogram=sim.Voltammogram(2.0, 0.005, 1.995 / duration),
    )
    return process(curves), truth


def expected_profile(potential, depth, spread, onset=1.5) -> np.ndarray:
    """Mean E* over places and potentials of `operando`, as a window of 2 nm shows it.

    A layer's boundary b lies beyond z with the probability that its lognormal thickness does; the
    slope of local lines shows the truth under a biweight of the window's half-width.
    """
    from scipy.special import ndtr

    fine = np.arange(-HALF_WIDTH, depth[-1] + HALF_WIDTH, 0.05e-9) + 0.025e-9
    z = np.maximum(fine, 1e-12)
    inside = np.zeros((2, len(z)))
    edges = np.cumsum([layer.thickness for layer in LAYERS])
    for u in potential:
        scale = max(0.02, min(1.0, 1.0 - u / onset))
        for i, edge in enumerate(edges):
            inside[i] += ndtr(np.log(edge * scale / z) / spread) if spread else z < edge * scale
    inside /= len(potential)
    inner, outer = (layer.modulus for layer in LAYERS)
    truth = (inner * inside[0] + outer * (inside[1] - inside[0])) * np.exp(spread**2 / 2)
    u = np.arange(-HALF_WIDTH, HALF_WIDTH + 1e-12, 0.05e-9) / HALF_WIDTH
    kernel = (1 - u**2) ** 2
    smooth = np.convolve(truth, kernel / kernel.sum(), "same")
    return np.interp(depth, fine, smooth.real) + 1j * np.interp(depth, fine, smooth.imag)
