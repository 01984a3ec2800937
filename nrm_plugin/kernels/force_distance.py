"""Forces against the distance from the electrode, and their derivatives."""

from __future__ import annotations

import ctypes

import numpy as np

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.kernels.library import LIBRARY, check, doubles, pointer, whole
from nrm_plugin.kernels.records import CONTACT, CURVE, NORMAL_CHANNEL, PROFILE_SETTINGS, RecordArray

#: Derivative methods, in the header's order.
METHODS = ("local-linear", "savitzky-golay", "total-variation")

#: Columns of what `profiles` finds.
NORMAL, IN_PHASE, QUADRATURE, GRADIENT_X, GRADIENT_Y, STDERR_X, STDERR_Y = range(7)
N_COLUMNS = 7

#: What is known of each bin of the lateral force.
BINS = ("in_phase", "quadrature", "count")


def profiles(
    settings: RecordArray,
    begin: IntArray,
    height: FloatArray,
    clean: FloatArray,
    lateral: tuple[FloatArray, FloatArray] | None,
    contacts: RecordArray,
    own: RecordArray,
    correlation: FloatArray,
    depth: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Forces and their derivatives against the distance from the electrode.

    Parameters
    ----------
    settings : record of `PROFILE_SETTINGS`
    begin, height, clean
        As in `find_contacts`, and from it.
    lateral : (in phase, quadrature) or None
        Peak force in N.
    contacts : (n,) array of `CONTACT`
    own : (n,) array of `CURVE`
    correlation : (k,) array
        Autocorrelation of the lateral noise, from lag 0 on.
    depth : (m,) array
        Distances from the electrode in m, rising.

    Returns
    -------
    found : (n, 7, m) array
        Normal force, lateral force (2), gradient (2) towards the electrode and their standard
        errors (2); nan where there is no estimate.
    valid : (n,) array
        The smallest distance with an estimate, in m.
    """
    begin, height, clean = np.ascontiguousarray(begin, np.int64), whole(height), whole(clean)
    in_phase, quadrature = map(whole, lateral) if lateral else (None, None)
    contacts, own = np.ascontiguousarray(contacts, CONTACT), np.ascontiguousarray(own, CURVE)
    correlation, depth = whole(correlation), whole(depth)
    n, size = len(begin) - 1, clean.size
    found, valid = np.empty((n, N_COLUMNS, len(depth))), np.empty(n)
    check(
        LIBRARY.nrm_profiles(
            pointer(settings, PROFILE_SETTINGS, 1),
            n,
            pointer(begin, np.int64, n + 1),
            doubles(height, size),
            doubles(clean, size),
            doubles(in_phase, size),
            doubles(quadrature, size),
            size,
            pointer(contacts, CONTACT, n),
            pointer(own, CURVE, n),
            doubles(correlation, 1),
            len(correlation),
            doubles(depth, 0),
            len(depth),
            doubles(found, 0),
            doubles(valid, n),
        )
    )
    return found, valid


def samples_above(
    settings: RecordArray,
    height: FloatArray,
    clean: FloatArray,
    lateral: tuple[FloatArray, FloatArray],
    contact: RecordArray,
    own: RecordArray,
    depth: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distances and lateral forces of the samples of one curve above the hard contact.

    Parameters
    ----------
    settings, height, clean, lateral, depth
        As in `profiles`, of one curve.
    contact, own : records
        Of `CONTACT` and `CURVE`.

    Returns
    -------
    z, in_phase, quadrature : arrays
        In m and N, in the order of the samples.
    """
    height, clean, depth = whole(height), whole(clean), whole(depth)
    in_phase, quadrature = map(whole, lateral)
    contact, own = np.ascontiguousarray(contact, CONTACT), np.ascontiguousarray(own, CURVE)
    n, count = height.size, ctypes.c_int64()
    found = np.empty((3, n))
    z, x, y = found
    check(
        LIBRARY.nrm_samples_above(
            pointer(settings, PROFILE_SETTINGS, 1),
            n,
            doubles(height, n),
            doubles(clean, n),
            doubles(in_phase, n),
            doubles(quadrature, n),
            pointer(contact, CONTACT, 1),
            pointer(own, CURVE, 1),
            doubles(depth, 1),
            len(depth),
            doubles(z, n),
            doubles(x, n),
            doubles(y, n),
            ctypes.byref(count),
        )
    )
    return z[: count.value], x[: count.value], y[: count.value]


def force_bins(
    settings: RecordArray,
    begin: IntArray,
    height: FloatArray,
    clean: FloatArray,
    lateral: tuple[FloatArray, FloatArray],
    contacts: RecordArray,
    own: RecordArray,
    depth: FloatArray,
    width: float,
    n_bins: int,
) -> FloatArray:
    """Lateral force in bins of the distance from the electrode, from 0 on.

    Parameters
    ----------
    settings, begin, height, clean, lateral, contacts, own, depth
        As in `profiles`.
    width : float
        In m.

    Returns
    -------
    (n, 3, n_bins) array
        Named by `BINS`: means in N, nan in empty bins, and numbers of samples.
    """
    begin, height, clean = np.ascontiguousarray(begin, np.int64), whole(height), whole(clean)
    in_phase, quadrature = map(whole, lateral)
    contacts, own = np.ascontiguousarray(contacts, CONTACT), np.ascontiguousarray(own, CURVE)
    n, size, depth = len(begin) - 1, clean.size, whole(depth)
    bins = np.empty((n, len(BINS), n_bins))
    check(
        LIBRARY.nrm_force_bins(
            pointer(settings, PROFILE_SETTINGS, 1),
            n,
            pointer(begin, np.int64, n + 1),
            doubles(height, size),
            doubles(clean, size),
            doubles(in_phase, size),
            doubles(quadrature, size),
            size,
            pointer(contacts, CONTACT, n),
            pointer(own, CURVE, n),
            doubles(depth, 0),
            len(depth),
            width,
            n_bins,
            doubles(bins, 0),
        )
    )
    return bins


def normal_channel(
    settings: RecordArray,
    begin: IntArray,
    height: FloatArray,
    clean: FloatArray,
    lateral: tuple[FloatArray, FloatArray] | None,
    contacts: RecordArray,
    own: RecordArray,
) -> RecordArray:
    """Return what each curve's normal force shows, (n,) array of `NORMAL_CHANNEL`.

    Arguments as in `profiles`.
    """
    begin, height, clean = np.ascontiguousarray(begin, np.int64), whole(height), whole(clean)
    in_phase, quadrature = map(whole, lateral) if lateral else (None, None)
    contacts, own = np.ascontiguousarray(contacts, CONTACT), np.ascontiguousarray(own, CURVE)
    n, size = len(begin) - 1, clean.size
    found = np.empty(n, NORMAL_CHANNEL)
    check(
        LIBRARY.nrm_normal_channel(
            pointer(settings, PROFILE_SETTINGS, 1),
            n,
            pointer(begin, np.int64, n + 1),
            doubles(height, size),
            doubles(clean, size),
            doubles(in_phase, size),
            doubles(quadrature, size),
            size,
            pointer(contacts, CONTACT, n),
            pointer(own, CURVE, n),
            pointer(found, NORMAL_CHANNEL, n),
        )
    )
    return found


def trend_filter(
    z: FloatArray, values: FloatArray, weight: FloatArray, limit: FloatArray
) -> tuple[FloatArray, float]:
    """Straight pieces through values: least squares with a price on the changes of slope.

    Parameters
    ----------
    z, values, weight : (n,) arrays
        `z` rising, n > 2.
    limit : (n - 2,) array
        Positive.

    Returns
    -------
    fit : (n,) array
    gap : float
        Bound on how much larger the sum is than the smallest one.
    """
    z, values, weight, limit = map(whole, (z, values, weight, limit))
    n, gap = len(z), np.empty(1)
    fit = np.empty(n)
    check(
        LIBRARY.nrm_trend_filter(
            n,
            doubles(z, n),
            doubles(values, n),
            doubles(weight, n),
            doubles(limit, n - 2),
            doubles(fit, n),
            doubles(gap, 1),
        )
    )
    return fit, float(gap[0])
