"""How well a stiff skin comes out of noisy forces: ``python benchmarks/inversion_of_skin.py [N]``.

A layer of 100 nm and 1 MPa has a skin of 10 nm and 10 MPa. Forces at 49 depths are computed on
another mesh than the inversion's, and get Gaussian noise of 0.5 % of their median, N times (20).
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from nrm_plugin.fea import (
    InversionFailed,
    Layer,
    Steps,
    Tip,
    apparent_modulus,
    invert,
    lateral_force,
    shape_factor,
)

TIP, AMPLITUDE, NOISE = Tip(10e-9), 2e-9, 0.005
EDGES = np.array([45e-9, 55e-9])
SKIN = Steps(EDGES, np.array([1.0, 10.0, 1.0]) * 1e6 * (1.0 + 0.3j))
LAYER = Layer(100e-9, SKIN, 0.49)
DEPTHS = np.arange(2.0, 99.0, 2.0) * 1e-9


def one(seed: int, force: np.ndarray) -> tuple[float, ...] | None:
    """Errors and bands of one inversion; None if it failed."""
    sigma = NOISE * complex(np.median(force.real), np.median(force.imag))
    rng = np.random.default_rng(seed)
    noise = sigma.real * rng.standard_normal(force.size)
    noise = noise + 1j * sigma.imag * rng.standard_normal(force.size)
    start = time.process_time()
    try:
        found = invert(TIP, LAYER, DEPTHS, force + noise, AMPLITUDE, noise=sigma, workers=1)
    except InversionFailed:
        return None
    took = time.process_time() - start
    truth = SKIN(found.heights)
    away = (found.heights > 5e-9) & (found.heights < 95e-9)
    away &= np.min(np.abs(found.heights[:, None] - EDGES), axis=1) > 1.5e-9
    result = [took]
    for value, true, low, high in (
        (found.modulus.real, truth.real, found.storage_low, found.storage_high),
        (found.modulus.imag, truth.imag, found.loss_low, found.loss_high),
    ):
        inside = (low <= true) & (true <= high)
        result += [
            np.sqrt(np.mean(np.log10(value / true) ** 2)),
            np.mean(inside[away]),
            np.median(0.5 * np.log10(high / low)),
        ]
    return tuple(result)


def apparent(seed: int, force: np.ndarray) -> float:
    """Error of Eq. 5 with the local shape factor on the same forces."""
    found = lateral_force(TIP, LAYER, DEPTHS, AMPLITUDE, fineness=0.5)
    noise = np.random.default_rng(seed).standard_normal(force.size)
    noisy = force.real * (1.0 + 0j) + NOISE * np.median(force.real) * noise
    shown = type(found)(found.depth, found.distance, noisy, AMPLITUDE)
    modulus = apparent_modulus(shown, shape_factor(TIP, LAYER, table=True)).real
    error = np.log10(np.abs(modulus) / SKIN(found.distance).real)
    return float(np.sqrt(np.nanmean(error**2)))


def main(count: int, workers: int) -> None:
    """Invert and print."""
    force = lateral_force(
        TIP, LAYER, DEPTHS, AMPLITUDE, fineness=1.3, resolution=2e-9, workers=1
    ).force
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        results = list(pool.map(one, range(count), [force] * count))
    good = np.array([r for r in results if r is not None])
    print(f"{count} inversions, {count - len(good)} failed")
    print(
        f"time on one core: median {np.median(good[:, 0]):.0f} s, longest {good[:, 0].max():.0f} s"
    )
    for name, columns in (("storage", good[:, 1:4]), ("loss", good[:, 4:7])):
        rms, covered, half = columns.T
        print(
            f"{name}: log10-rms error median {np.median(rms):.3f}, "
            f"90 % {np.quantile(rms, 0.9):.3f}; "
            f"bands cover {np.mean(covered):.3f}, half-width {np.median(half):.3f} decades"
        )
    errors = [apparent(seed, force) for seed in range(min(count, 5))]
    print(f"Eq. 5 with the local shape factor: {np.median(errors):.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, min(3, os.cpu_count() or 1))
