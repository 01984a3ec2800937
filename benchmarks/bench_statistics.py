"""Densities: ours, a bare histogram, and the exact estimate. By hand: how often intervals cover.

    python benchmarks/bench_statistics.py [repetitions]

prints coverage of 95 % intervals on correlated maps and on simulated operando sets, how near the
thickness comes, and the time and error of the density against `scipy.stats.gaussian_kde`.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from measure import Table, rate
from scipy.stats import gaussian_kde

from nrm_plugin import statistics as st
from nrm_plugin.statistics.intervals import mean_interval, sampling

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from made_results import (
    correlated,
    expected_profile,
    map_places,
    operando,
    results_of,
)
from test_statistics_thickness import forces_of


def populations(n: int, m: int) -> xr.Dataset:
    """Two populations whose |G*| falls with depth; curves begin at 1, 1.5 or 2 nm."""
    rng = np.random.default_rng(0)
    depth = np.arange(m) * 0.5e-9
    kind = np.where(rng.random((n, 1)) < 0.4, 3e6, 7.5e6)
    values = kind * (0.3 + np.exp(-depth / 10e-9)) * np.exp(0.15 * rng.standard_normal((n, m)))
    values[depth < rng.choice([1e-9, 1.5e-9, 2e-9], (n, 1))] = np.nan
    return results_of(values * np.exp(0.3j), stderr=3e5)


def measure(table: Table) -> None:
    """A density of a million points, and the mean of 1024 profiles."""
    if table.wants("density of a million points"):
        million = populations(8400, 120)
        values = np.abs(million["storage_modulus"].values)
        there = np.isfinite(values)
        x, y = np.broadcast_to(million["depth"].values, values.shape)[there], values[there]
        table.compare(
            {
                "bare histogram of points that are there": lambda: np.histogram2d(x, y, 256),
                "density": lambda: st.density(million),
            },
            note=rate(x.size, "points"),
        )
    if table.wants("thickness of 65 536 curves"):
        layers = ((8e-9, 10e6 + 3e6j), (12e-9, 2e6 + 1e6j))
        some = forces_of([layers] * 4096, np.random.default_rng(0))
        many = some.isel(curve=np.arange(65536) % 4096)
        table.compare(
            {
                "reading the forces": lambda: np.abs(many["binned_force_in_phase"].values).sum(),
                "thickness": lambda: st.thickness(many),
            },
            note=rate(65536, "curves"),
        )
    if table.wants("mean of 1024 profiles"):
        made = populations(1024, 120).assign_coords(
            {name: ("curve", column) for name, column in map_places(32).items()}
        )
        values = made["storage_modulus"].values
        table.compare(
            {
                "bare sum": lambda: np.nansum(values, axis=0),
                "naive interval": lambda: st.mean_profile(made, interval="naive"),
                "effective interval": lambda: st.mean_profile(made, interval="effective"),
            }
        )


# By hand


def maps(repetitions: int) -> None:
    print(f"coverage of 95 % intervals on lognormal maps, {repetitions} of each")
    for spread in (0.5, 1.0):
        for side, length in (
            (32, 0.0),
            (32, 0.5),
            (32, 1.0),
            (32, 2.0),
            (32, 3.2),
            (48, 4.8),
            (64, 0.0),
            (64, 6.4),
        ):
            how = sampling(
                results_of(np.ones((side**2, 2)), **map_places(side)), np.arange(side**2)
            )
            rng = np.random.default_rng(1)
            truth = np.exp(spread**2 / 2)
            hits = {"effective": 0, "naive": 0}
            for begin in range(0, repetitions, 100):
                count = min(100, repetitions - begin)
                values = np.exp(spread * correlated(rng, side, length, count))
                for interval in hits:
                    found = mean_interval(values, how, interval)
                    hits[interval] += int(((found.low <= truth) & (truth <= found.high)).sum())
            shares = ", ".join(f"{k} {v / repetitions:.3f}" for k, v in hits.items())
            print(f"  {side} x {side}, correlation {length} pixels, spread {spread}: {shares}")


def sodiations(sets: int) -> None:
    print(f"{sets} operando sets of 1000 curves: coverage from 2.5 to 45 nm by region")
    variables: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "storage_modulus": np.real,
        "loss_modulus": np.imag,
        "shear_modulus_magnitude": lambda modulus: np.abs(modulus) / 3.0,
    }
    hits: dict[tuple[str, str], list[float]] = {}
    near: dict[str, list[float]] = {}
    for seed in range(sets):
        results, truth = operando(seed, grid=(25, 40))
        depth = results["depth"].values
        here = (depth >= 2.5e-9) & (depth < 45e-9)
        thick = st.thickness(results)["thickness"].values
        thick -= [interphase.thickness for interphase in truth.interphases]
        for region in st.regions(results):
            expected = expected_profile(results["potential"].values[region.curves], depth, 0.2)
            for name, part in variables.items():
                found = st.mean_profile(results, name, region.curves)
                inside = (found["low"] <= part(expected)) & (part(expected) <= found["high"])
                hits.setdefault((name, region.label), []).append(float(inside[here].mean()))
            errors = thick[region.curves]
            near.setdefault(region.label, []).extend(errors[np.isfinite(errors)])
    for (name, label), shares in hits.items():
        print(f"  {name}, {label}: {np.mean(shares):.3f}")
    for label, errors in near.items():
        away = 1e9 * np.array(errors)
        close = np.mean(np.abs(away) < 2.0)
        print(
            f"  thickness, {label}: {len(away) / sets:.0f} detected per set, bias "
            f"{np.median(away):+.2f} nm, within 2 nm {close:.3f}"
        )


def against_the_exact_estimate() -> None:
    made = populations(1030, 100)
    values = np.hypot(made["storage_modulus"].values, made["loss_modulus"].values) / 3.0
    there = np.isfinite(values)
    depth = np.broadcast_to(made["depth"].values, values.shape)
    points = np.stack([depth[there], values[there]])
    exact = gaussian_kde(points)
    some = 200
    begin = time.perf_counter()
    exact(points[:, :some])
    slow = (time.perf_counter() - begin) / some * 256**2
    times = []
    for _ in range(7):
        begin = time.perf_counter()
        st.density(made)
        times.append(time.perf_counter() - begin)
    fast = float(np.median(times))
    print(
        f"density of {there.sum()} points: {fast * 1e3:.0f} ms; exact on the same grid "
        f"{slow:.0f} s (from {some} of its points), {slow / fast:.0f} times as long"
    )


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    against_the_exact_estimate()
    maps(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    sodiations(50)
