"""Contacts, baselines and walls of curves."""

from __future__ import annotations

import numpy as np

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.kernels.library import LIBRARY, check, doubles, pointer, whole
from nrm_plugin.kernels.records import CONTACT, CONTACT_SETTINGS, RecordArray


def find_contacts(
    begin: IntArray, height: FloatArray, deflection: FloatArray, settings: RecordArray
) -> tuple[RecordArray, FloatArray]:
    """Find the solid contacts of curves.

    Parameters
    ----------
    begin : (n + 1,) array of int
        Where each curve begins in the flat arrays, and the end.
    height, deflection : flat arrays
        In m, from far away to the surface.
    settings : record of `CONTACT_SETTINGS`

    Returns
    -------
    contacts : (n,) array of `CONTACT`
        nan where nothing is found.
    clean : flat array
        Deflection without spikes and fringe.
    """
    begin, height = np.ascontiguousarray(begin, np.int64), whole(height)
    deflection = whole(deflection)
    n, size = len(begin) - 1, deflection.size
    contacts, clean = np.empty(n, CONTACT), np.empty(size)
    check(
        LIBRARY.nrm_find_contacts(
            pointer(settings, CONTACT_SETTINGS, 1),
            n,
            pointer(begin, np.int64, n + 1),
            doubles(height, size),
            doubles(deflection, size),
            size,
            doubles(clean, size),
            pointer(contacts, CONTACT, n),
        )
    )
    return contacts, clean


def tail_slopes(
    begin: IntArray,
    height: FloatArray,
    deflection: FloatArray,
    sizes: IntArray,
    turns: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Slopes of the last samples of every curve, from the baseline's, and their errors.

    Parameters
    ----------
    begin, height, deflection
        As in `find_contacts`.
    sizes : (k,) array of int
        Samples of windows.
    turns : (t,) array
        Heights at the end of each curve that are left out, in m; baselines are those of the first.

    Returns
    -------
    slopes, errors : (t, n, k) arrays
        For windows of `sizes` samples; nan where a curve is too short.
    """
    turns, sizes = whole(turns), np.ascontiguousarray(sizes, np.int64)
    begin, height = np.ascontiguousarray(begin, np.int64), whole(height)
    deflection = whole(deflection)
    n, size = len(begin) - 1, deflection.size
    slopes, errors = np.empty((2, len(turns), n, len(sizes)))
    check(
        LIBRARY.nrm_tail_slopes(
            n,
            pointer(begin, np.int64, n + 1),
            doubles(height, size),
            doubles(deflection, size),
            size,
            len(turns),
            doubles(turns, 1),
            len(sizes),
            pointer(sizes, np.int64, 0),
            doubles(slopes, 0),
            doubles(errors, 0),
        )
    )
    return slopes, errors


def rough_baselines(begin: IntArray, height: FloatArray, deflection: FloatArray) -> IntArray:
    """Samples of the baselines, (n,), as far as straight lines can tell."""
    begin, height = np.ascontiguousarray(begin, np.int64), whole(height)
    deflection = whole(deflection)
    n, size = len(begin) - 1, deflection.size
    ends = np.empty(n, np.int64)
    check(
        LIBRARY.nrm_rough_baselines(
            n,
            pointer(begin, np.int64, n + 1),
            doubles(height, size),
            doubles(deflection, size),
            size,
            pointer(ends, np.int64, n),
        )
    )
    return ends
