"""Whether standard errors cover the truth as often as they say, from few repetitions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import binom

#: Simulated measurements, of which 95 % must hold the truth within 1.96 standard errors.
#:
#: Honest errors would fail once in 500 such tests. Errors that are wrong by a factor of 1.41 either
#: way (one of two equal terms forgotten, or counted twice) fail with a probability of 0.998, those
#: 20 % too small with 0.96, 25 % too large with 0.78. Seeds are fixed: what passes stays so.
REPETITIONS = 400
LOW, HIGH = binom.interval(0.998, REPETITIONS, 0.95)


def assert_covered(deviations: Any) -> None:
    """Deviations from the truth in standard errors: (repetition,) or (repetition, quantity)."""
    deviations = np.asarray(deviations)
    assert len(deviations) == REPETITIONS
    inside = (np.abs(deviations) < 1.96).sum(axis=0)
    assert ((inside >= LOW) & (inside <= HIGH)).all(), inside
