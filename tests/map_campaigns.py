"""Maps whose mean is known, of the kinds on which intervals fail, and how often theirs hold."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from made_results import correlated, map_places, results_of
from scipy.ndimage import gaussian_filter
from scipy.special import ndtri

from nrm_plugin.statistics.intervals import mean_interval, sampling

#: Values that are made and looked at together.
_TOGETHER = 50


@dataclass(frozen=True)
class MapCase:
    """One kind of map.

    Attributes
    ----------
    name : str
    fields : callable
        ``(rng, side, count)`` gives values (side**2, count).
    truth : float
        Mean of all such maps.
    least : float
        Coverage of 95 % intervals that is promised for 32 x 32 curves.
    """

    name: str
    fields: Callable[[np.random.Generator, int, int], np.ndarray]
    truth: float
    least: float


def smooth(rng, side: int, sigma: float, count: int) -> np.ndarray:
    """Normal fields (side**2, count) with a Gaussian correlation: white noise, filtered."""
    margin = int(4 * sigma) + 1
    white = rng.standard_normal((count, side + 2 * margin, side + 2 * margin))
    kernel = np.zeros((8 * margin + 1,) * 2)
    kernel[4 * margin, 4 * margin] = 1.0
    norm = np.sqrt((gaussian_filter(kernel, sigma) ** 2).sum())
    field = gaussian_filter(white, (0, sigma, sigma)) / norm
    inside = slice(margin, margin + side)
    return field[:, inside, inside].reshape(count, -1).T


def phases(fields: np.ndarray, share: float, rng) -> np.ndarray:
    """Two phases of 2 and 20 MPa, the stiff one where the field is high; each scatters by 10 %."""
    values = np.where(fields > ndtri(1.0 - share), 20e6, 2e6)
    return values * (1.0 + 0.1 * rng.standard_normal(values.shape))


def discs(rng, side: int, radius: float, count: int, share: float = 0.25) -> np.ndarray:
    """Stiff discs at random places (a Boolean model) that cover a share of the plane."""
    density = -np.log(1.0 - share) / (np.pi * radius**2)
    row, column = np.divmod(np.arange(side * side), side)
    wide = side + 2 * radius
    fields = np.zeros((side * side, count), bool)
    for k in range(count):
        centres = rng.uniform(-radius, side + radius, (rng.poisson(density * wide**2), 2))
        for y, x in centres:
            fields[:, k] |= (row - y) ** 2 + (column - x) ** 2 < radius**2
    values = np.where(fields, 20e6, 2e6)
    return values * (1.0 + 0.1 * rng.standard_normal(values.shape))


def lines(rng, side: int, count: int, keep: float) -> np.ndarray:
    """Offsets of lines (side**2, count) of variance 1: a first-order autoregression."""
    made = np.empty((side, count))
    made[0] = rng.standard_normal(count)
    for i in range(1, side):
        made[i] = keep * made[i - 1] + np.sqrt(1 - keep**2) * rng.standard_normal(count)
    return np.repeat(made, side, axis=0)


def _lognormal(field: np.ndarray, spread: float) -> np.ndarray:
    return 1e6 * np.exp(spread * field - spread**2 / 2)


MEAN = 1e6
MIX = 0.75 * 2e6 + 0.25 * 20e6

CASES = (
    MapCase(
        "independent, normal",
        lambda rng, side, n: MEAN * (1 + 0.3 * rng.standard_normal((side**2, n))),
        MEAN,
        0.92,
    ),
    MapCase(
        "independent, lognormal 0.5",
        lambda rng, side, n: _lognormal(rng.standard_normal((side**2, n)), 0.5),
        MEAN,
        0.92,
    ),
    MapCase(
        "Gaussian 1.5 px",
        lambda rng, side, n: MEAN * (1 + 0.3 * smooth(rng, side, 1.5, n)),
        MEAN,
        0.92,
    ),
    MapCase(
        "Gaussian 3 px",
        lambda rng, side, n: MEAN * (1 + 0.3 * smooth(rng, side, 3, n)),
        MEAN,
        0.92,
    ),
    MapCase(
        "exponential 3 px",
        lambda rng, side, n: MEAN * (1 + 0.3 * correlated(rng, side, 3, n)),
        MEAN,
        0.84,
    ),
    MapCase(
        "exponential 6 px",
        lambda rng, side, n: MEAN * (1 + 0.3 * correlated(rng, side, 6, n)),
        MEAN,
        0.84,
    ),
    MapCase(
        "lognormal 0.5, exponential 3 px",
        lambda rng, side, n: _lognormal(correlated(rng, side, 3, n), 0.5),
        MEAN,
        0.88,
    ),
    MapCase(
        "lognormal 1.2, exponential 4 px",
        lambda rng, side, n: _lognormal(correlated(rng, side, 4, n), 1.2),
        MEAN,
        0.88,
    ),
    MapCase(
        "patches 3 px",
        lambda rng, side, n: phases(smooth(rng, side, 3, n), 0.25, rng),
        MIX,
        0.86,
    ),
    MapCase(
        "patches 6 px",
        lambda rng, side, n: phases(smooth(rng, side, 6, n), 0.25, rng),
        MIX,
        0.80,
    ),
    MapCase(
        "ragged patches 3 px",
        lambda rng, side, n: phases(correlated(rng, side, 3, n), 0.25, rng),
        MIX,
        0.86,
    ),
    MapCase(
        "ragged patches 6 px",
        lambda rng, side, n: phases(correlated(rng, side, 6, n), 0.25, rng),
        MIX,
        0.80,
    ),
    MapCase("discs 3 px", lambda rng, side, n: discs(rng, side, 3, n), MIX, 0.86),
    MapCase("discs 6 px", lambda rng, side, n: discs(rng, side, 6, n), MIX, 0.80),
    MapCase(
        "stripes",
        lambda rng, side, n: (
            MEAN * (1 + 0.2 * lines(rng, side, n, 0.0) + 0.3 * rng.standard_normal((side**2, n)))
        ),
        MEAN,
        0.90,
    ),
    MapCase(
        "weak stripes",
        lambda rng, side, n: (
            MEAN * (1 + 0.06 * lines(rng, side, n, 0.0) + 0.3 * rng.standard_normal((side**2, n)))
        ),
        MEAN,
        0.90,
    ),
    MapCase(
        "stripes, correlated 0.5",
        lambda rng, side, n: (
            MEAN * (1 + 0.2 * lines(rng, side, n, 0.5) + 0.3 * rng.standard_normal((side**2, n)))
        ),
        MEAN,
        0.90,
    ),
    MapCase(
        "stripes on exponential 2 px",
        lambda rng, side, n: (
            MEAN * (1 + 0.2 * lines(rng, side, n, 0.3) + 0.3 * correlated(rng, side, 2, n))
        ),
        MEAN,
        0.90,
    ),
)


@dataclass(frozen=True)
class Coverage:
    """Parts of maps whose interval holds the truth, and how wide intervals are.

    Attributes
    ----------
    held, naive : float
        With the effective number, and with all curves as independent ones.
    width : float
        Mean width over that of an interval which knew the scatter of means.
    effective : float
        Median of the effective number.
    """

    held: float
    naive: float
    width: float
    effective: float


def coverage_of(case: MapCase, side: int, repetitions: int, seed: int) -> Coverage:
    """Look at many maps of a kind; the seed is mixed with the kind's name."""
    rng = np.random.default_rng([seed, side, zlib.crc32(case.name.encode())])
    parts = [
        case.fields(rng, side, min(_TOGETHER, repetitions - begin))
        for begin in range(0, repetitions, _TOGETHER)
    ]
    values = np.concatenate(parts, axis=1)
    results = results_of(np.ones((side**2, 2)), **map_places(side))
    how = sampling(results, np.arange(side**2))
    found, naive = (mean_interval(values, how, name) for name in ("effective", "naive"))
    held, plain = (
        np.mean((one.low <= case.truth) & (case.truth <= one.high)) for one in (found, naive)
    )
    should = 2 * 1.96 * values.mean(0).std()
    return Coverage(
        float(held),
        float(plain),
        float(np.mean(found.high - found.low) / should),
        float(np.median(found.n_effective)),
    )


def few_lognormal(n: int, spread: float, repetitions: int, seed: int) -> tuple[float, float]:
    """Coverage of the mean of few independent curves, and how often it is called approximate."""
    rng = np.random.default_rng([seed, n])
    values = np.exp(spread * rng.standard_normal((n, repetitions)) - spread**2 / 2)
    found = mean_interval(values, sampling(results_of(np.ones((n, 2))), np.arange(n)))
    held = (found.low <= 1.0) & (found.high >= 1.0)
    return float(held.mean()), float(np.isfinite(found.coverage).mean())
