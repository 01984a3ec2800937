"""What the lateral signal shows: on the wall, at the onset, and far away."""

from __future__ import annotations

import numpy as np

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.kernels.library import LIBRARY, check, doubles, pointer, whole
from nrm_plugin.kernels.records import CONTACT, CURVE, LATERAL_BASELINE, LATERAL_CHECK, RecordArray


def check_lateral(
    begin: IntArray,
    clean: FloatArray,
    in_phase: FloatArray,
    quadrature: FloatArray,
    contacts: RecordArray,
    own: RecordArray | None = None,
    height: FloatArray | None = None,
) -> RecordArray:
    """Return what each curve's lateral signal says of itself, (n,) array of `LATERAL_CHECK`.

    `own`, (n,) array of `CURVE`, has the delays of the lock-in; none without it. Heights say where
    the wall is met; without them only the fitted wall is looked at.
    """
    height = None if height is None else whole(height)
    begin, clean = np.ascontiguousarray(begin, np.int64), whole(clean)
    in_phase, quadrature = whole(in_phase), whole(quadrature)
    contacts = np.ascontiguousarray(contacts, CONTACT)
    n, size = len(begin) - 1, clean.size
    checks = np.empty(n, LATERAL_CHECK)
    check(
        LIBRARY.nrm_check_lateral(
            n,
            pointer(begin, np.int64, n + 1),
            doubles(height, size),
            doubles(clean, size),
            doubles(in_phase, size),
            doubles(quadrature, size),
            size,
            pointer(contacts, CONTACT, n),
            pointer(own, CURVE, n),
            pointer(checks, LATERAL_CHECK, n),
        )
    )
    return checks


def lateral_baselines(
    begin: IntArray,
    height: FloatArray,
    in_phase: FloatArray,
    quadrature: FloatArray,
    contacts: RecordArray,
    reach: float,
) -> RecordArray:
    """Return the lateral signal of each curve beyond `reach` (m), (n,) array of `LATERAL_BASELINE`.

    nan without a contact.
    """
    begin, height = np.ascontiguousarray(begin, np.int64), whole(height)
    in_phase, quadrature = whole(in_phase), whole(quadrature)
    contacts = np.ascontiguousarray(contacts, CONTACT)
    n, size = len(begin) - 1, height.size
    baselines = np.empty(n, LATERAL_BASELINE)
    check(
        LIBRARY.nrm_lateral_baselines(
            n,
            pointer(begin, np.int64, n + 1),
            doubles(height, size),
            doubles(in_phase, size),
            doubles(quadrature, size),
            size,
            pointer(contacts, CONTACT, n),
            reach,
            pointer(baselines, LATERAL_BASELINE, n),
        )
    )
    return baselines


def noise_amounts(
    passed: FloatArray, slow: FloatArray, power: FloatArray, count: FloatArray
) -> FloatArray:
    """Amounts of noise that a power spectrum has behind filters.

    Parameters
    ----------
    passed : (k, n) array
        Part of the power that each of k filters lets through.
    slow : (n,) array
        Spectrum of 1/f noise before the filter.
    power, count : (n,) arrays
        The spectrum, and how many values each is the mean of.

    Returns
    -------
    (k, 3) array
        White noise and 1/f noise before the filter, and white noise behind it.
    """
    passed, slow, power, count = map(whole, (passed, slow, power, count))
    k, n = passed.shape
    amounts = np.empty((k, 3))
    check(
        LIBRARY.nrm_noise_amounts(
            k,
            n,
            doubles(passed, k * n),
            doubles(slow, n),
            doubles(power, n),
            doubles(count, n),
            doubles(amounts, k * 3),
        )
    )
    return amounts
