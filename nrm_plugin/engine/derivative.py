"""Profiles of a block by the method that the recipe names."""

from __future__ import annotations

from functools import cache

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine import kernels
from nrm_plugin.engine.contact import Contacts
from nrm_plugin.engine.signals import Block

#: Savitzky and Golay's window: points, degree of the polynomial, and length in half-widths. With
#: this length a step of the gradient gets as wide as from the local line, one half-width.
POINTS, DEGREE, LENGTH = 11, 2, 1.64

#: Total variation: bins in a half-width, and the price of a change of slope, twice the standard
#: deviation of its multiplier in the middle of two half-widths of noise around a straight line:
#: L^3 / 192 is the variance of a bend there, once a line through all is taken out.
BINS, PRICE = 10, 2.0 * (2.0**3 / 192.0) ** 0.5


def profiles(
    block: Block,
    contacts: Contacts,
    depth: FloatArray,
    settings: FloatArray,
    own: FloatArray,
    correlation: FloatArray,
    method: str,
) -> tuple[FloatArray, FloatArray]:
    """Forces and gradients of the curves of a block.

    ``local-linear`` fits a line around each distance. ``savitzky-golay`` fits a parabola (Anal.
    Chem. 36, 1627 (1964)) to bin means on a regular grid: the same resolution, and next to the
    electrode, where its window is one-sided, less bias and more noise. ``total-variation`` takes
    the gradient as layers, each of one value: sharper edges and less noise where that is so, and
    stairs where it is not. It has no standard error: those are nan.

    Parameters
    ----------
    depth, settings, own, correlation
        As in `kernels.profiles`.
    method : str
        ``derivative.method`` of the recipe.

    Returns
    -------
    found : (n, 7, m) array
        As in `kernels.profiles`.
    valid : (n,) array
        The smallest distance with an estimate, in m.
    """
    found = np.empty((len(block), 7, len(depth)))
    valid = np.empty(len(block))
    half_width = settings[0]
    given = (
        block.begin,
        block.height,
        contacts.clean,
        block.in_phase,
        block.quadrature,
        contacts.rows,
        depth,
        settings,
        own,
        correlation,
    )
    if method == "savitzky-golay":
        level, slope = _window()
        step = LENGTH * half_width / POINTS
        kernels.savitzky_golay(*given, level, slope / step, step, found, valid)
        return found, valid
    kernels.profiles(*given, found, valid)
    if method == "total-variation" and len(block.in_phase):
        kernels.layered(*given, half_width / BINS, PRICE, found)
    return found, valid


@cache
def _window() -> tuple[FloatArray, FloatArray]:
    """Weights of the points of a window in value and derivative at each of them, 1 apart."""
    from scipy.signal import savgol_coeffs

    level = [savgol_coeffs(POINTS, DEGREE, pos=p, use="dot") for p in range(POINTS)]
    slope = [savgol_coeffs(POINTS, DEGREE, deriv=1, pos=p, use="dot") for p in range(POINTS)]
    return np.array(level), np.array(slope)
