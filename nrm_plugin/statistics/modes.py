"""How many modes a distribution has: the dip tells whether one, Silverman's test how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.statistics.bandwidth import linear_counts
from nrm_plugin.statistics.dip import dip

#: Below this number of independent values nothing is said.
LEAST = 10

#: At this probability one more mode is accepted.
LEVEL = 0.05

#: Most modes that are told apart.
MOST = 5

#: Of more values, so many are drawn: that is enough to see modes.
_ENOUGH = 2000

#: A bump below this part of the highest one is no mode but a straggler.
_BUMP = 0.05

_CELLS, _STEPS = 512, 14


@dataclass(frozen=True)
class Modes:
    """Result of the tests.

    Attributes
    ----------
    count : int
        Modes that are there at a level of 5 %; 0 with fewer than 10 independent values, or no
        spread.
    p : float
        Probability of values as uneven as these if there were only one mode.
    """

    count: int
    p: float


def modes(
    values: FloatArray, draws: int = 99, seed: int = 0, *, effective: float | None = None
) -> Modes:
    """Count the modes of a sample.

    Both tests compare with samples drawn from a Gaussian kernel estimate at the critical bandwidth,
    the smallest one that has no more than k modes. Whether there is more than one mode is told by
    the dip (as the excess mass in Ameijeiras-Alonso et al., TEST 28, 900, 2019): its level is
    right for bells, skewed ones too; a flat top is taken for two modes more often. If there is
    more than one, their number is the smallest that Silverman's test does not reject (J. R. Stat.
    Soc. B 43, 97, 1981). Samples are as large as the effective number of values: neighbours that
    are alike make bumps that are no modes.

    Parameters
    ----------
    values : array
        nan are ignored.
    draws : int
        Samples drawn.
    seed : int
    effective : float, optional
        Number of independent values that would tell as much; all of them if not given.
    """
    x = np.asarray(values, np.float64)
    x = np.sort(x[np.isfinite(x)])
    size = len(x) if effective is None else int(min(effective, len(x)) + 1e-6)
    return _modes(x.tobytes(), size, draws, seed)


@lru_cache(maxsize=256)
def _modes(data: bytes, size: int, draws: int, seed: int) -> Modes:
    x = np.frombuffer(data)
    if min(size, len(x)) < LEAST or np.ptp(x) <= 0.0:
        return Modes(0, float("nan"))
    rng = np.random.default_rng(seed)
    x = (x - x.mean()) / x.std()
    x = rng.choice(x, _ENOUGH, replace=False) if len(x) > _ENOUGH else x
    size = min(size, len(x))
    _, drawn = _drawn(x, 1, draws, size, rng)
    measured = dip(x)
    p = _chance(measured, np.array([dip(one) for one in drawn]))
    count = 1
    if p <= LEVEL:
        count = 2
        while count < MOST:
            width, drawn = _drawn(x, count, draws, size, rng)
            if np.mean(_critical(drawn, count) >= width) > LEVEL:
                break
            count += 1
    return Modes(count, p)


def _chance(measured: float, drawn: FloatArray) -> float:
    """Probability of so large a dip; beyond all that were drawn, by Gumbel's distribution."""
    p = float((1.0 + np.sum(drawn >= measured)) / (1.0 + len(drawn)))
    scale = drawn.std() * np.sqrt(6.0) / np.pi
    if p > 1.0 / (1.0 + len(drawn)) or scale <= 0.0:
        return p
    away = (measured - drawn.mean()) / scale + np.euler_gamma
    return min(p, float(-np.expm1(-np.exp(-away))))


def surviving(tests: Sequence[Modes]) -> list[Modes]:
    """Tests that are looked at together: more than one mode where they survive each other.

    One of twenty tests finds modes that are not there, and a report has a dozen. After Benjamini
    and Hochberg (J. R. Stat. Soc. B 57, 289, 1995), of k tests as clear as a given one or clearer
    among m, its p must be below 5 % times k / m.
    """
    p = np.sort([one.p for one in tests if one.count])
    good = p[p <= LEVEL * np.arange(1, len(p) + 1) / len(p)] if len(p) else p
    most = good.max(initial=0.0)
    return [one if one.count < 2 or one.p <= most else Modes(1, one.p) for one in tests]


def _drawn(
    x: FloatArray, k: int, draws: int, size: int, rng: np.random.Generator
) -> tuple[float, FloatArray]:
    """Critical bandwidth for k modes, and samples of as large a spread from that estimate."""
    width = float(_critical(x[None], k)[0])
    drawn = rng.choice(x, (draws, size)) + width * rng.standard_normal((draws, size))
    return width, np.asarray(drawn / np.sqrt(1.0 + width**2))


def _critical(samples: FloatArray, k: int) -> FloatArray:
    """Smallest bandwidth with no more than `k` modes, for every row of samples of spread 1."""
    rows = len(samples)
    low, high = samples.min() - 1.0, samples.max() + 1.0
    cell = (high - low) / _CELLS
    counts = linear_counts(samples.T, low, cell, _CELLS)
    # Twice the length: what runs out at one end must not come in at the other.
    spectrum = scipy.fft.rfft(counts, 2 * _CELLS)
    frequency = np.pi * np.arange(_CELLS + 1) / _CELLS
    short, long = np.full(rows, np.log(cell)), np.full(rows, np.log(3.0))
    for _ in range(_STEPS):
        middle = (short + long) / 2.0
        sigma = np.exp(middle) / cell
        shape = scipy.fft.irfft(spectrum * np.exp(-0.5 * (sigma[:, None] * frequency) ** 2))[
            :, :_CELLS
        ]
        few = bumps(shape) <= k
        long, short = np.where(few, middle, long), np.where(few, short, middle)
    return np.asarray(np.exp(long))


def bumps(shape: FloatArray) -> IntArray:
    """Modes of every row of densities on a grid, without stragglers."""
    inner = shape[:, 1:-1]
    peak = (inner > shape[:, :-2]) & (inner >= shape[:, 2:])
    return np.asarray((peak & (inner > _BUMP * shape.max(1, keepdims=True))).sum(1))
