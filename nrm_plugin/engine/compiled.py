"""The Python face of the compiled loops: named records in, named records out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.engine import kernels

#: Records have the fields of a structured array, all of float64.
RecordArray = NDArray[np.void]


def _record(names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.float64) for name in names.split()])


#: What is found for each curve: contact height and standard error (m); samples of the baseline,
#: its slope and its deflection at height 0 (m); first sample, slope from the baseline's, standard
#: error, length (m) and samples of the wall; white noise and noise of long runs (m); spikes and
#: saturated samples; the contact with another slope of the wall (m).
CONTACT = _record(
    "contact stderr baseline_end baseline_slope baseline_at wall_begin wall_slope "
    "wall_slope_stderr wall_length wall_samples noise long_run spikes saturated other_contact"
)
#: Of each curve: delay of the lock-in in samples, negative where samples run against the time;
#: samples before the hard contact in which the lock-in feels it; cosine of the surface's slope.
CURVE = _record("delay settling cosine")
#: Exponent with which the lateral force grows with the load, its error, and 1 for a straight line.
SLIP = _record("exponent stderr straight")


class Crossing(NamedTuple):
    """How `reference` finds the contact.

    Attributes
    ----------
    two_lines : bool
        The two-line rule instead of grown windows.
    baseline, wall : float
        Of the two-line rule: part of the samples that is baseline, and part of the largest
        deflection above which is wall.
    slope, slope_stderr : float
        What is known of the wall's slope; an infinite error leaves it free.
    wave : float
        Wave number of a fringe in rad/m; 0 for none.
    spikes : bool
        Whether spikes are taken out.
    other_slope, other_slope_stderr : float
        Another slope, for ``other_contact``.
    """

    two_lines: bool = False
    baseline: float = 0.0
    wall: float = 0.0
    slope: float = 0.0
    slope_stderr: float = inf
    wave: float = 0.0
    spikes: bool = True
    other_slope: float = 0.0
    other_slope_stderr: float = inf


class Lever(NamedTuple):
    """What `ReferencedBlock` is differentiated with.

    Attributes
    ----------
    half_width : float
        Half of the window, in m.
    amplitude : float
        Of the dither, peak, in m.
    lateral_stiffness, spring_constant : float
        In N/m; no lateral stiffness is 0.
    """

    half_width: float
    amplitude: float
    lateral_stiffness: float
    spring_constant: float


@dataclass(frozen=True, kw_only=True)
class ReferencedBlock:
    """Some curves with their contacts, as a derivative method takes them.

    Attributes
    ----------
    begin : (n + 1,) array of int
        Where each curve begins in the flat arrays, and the end.
    height, deflection : flat arrays
        In m, samples from far away to the surface; without spikes and fringe.
    in_phase, quadrature : flat arrays
        Peak force in N; empty without lateral signals.
    contacts : (n,) array of `CONTACT`
    depth : (m,) array
        Distances from the electrode in m, rising.
    lever : Lever
    curves : (n,) array of `CURVE`
    correlation : (k,) array
        Autocorrelation of the lateral noise, from lag 0 on.
    """

    begin: IntArray
    height: FloatArray
    deflection: FloatArray
    in_phase: FloatArray
    quadrature: FloatArray
    contacts: RecordArray
    depth: FloatArray
    lever: Lever
    curves: RecordArray
    correlation: FloatArray

    def __len__(self) -> int:
        return len(self.begin) - 1

    def _arguments(self) -> tuple[AnyArray, ...]:
        signals = (self.begin, self.height, self.deflection, self.in_phase, self.quadrature)
        rows, own = _matrix(self.contacts), _matrix(self.curves)
        return *signals, rows, self.depth, np.array(self.lever), own, self.correlation


@dataclass(frozen=True, kw_only=True)
class Profiles:
    """Forces and gradients against the distance from the electrode; nan without an estimate.

    Attributes
    ----------
    force_normal, force_in_phase, force_quadrature : (n, m) arrays
        In N.
    gradient_in_phase, gradient_quadrature, stderr_in_phase, stderr_quadrature : (n, m) arrays
        Towards the electrode, in N/m, and their standard errors.
    depth_valid_min : (n,) array
        The smallest distance with an estimate, in m.
    """

    force_normal: FloatArray
    force_in_phase: FloatArray
    force_quadrature: FloatArray
    gradient_in_phase: FloatArray
    gradient_quadrature: FloatArray
    stderr_in_phase: FloatArray
    stderr_quadrature: FloatArray
    depth_valid_min: FloatArray


_PROFILES = [field.name for field in fields(Profiles)][:-1]


def _matrix(records: RecordArray) -> FloatArray:
    """The same memory as rows of numbers."""
    return records.view(np.float64).reshape(len(records), len(records.dtype.fields or ()))


def reference(
    begin: IntArray, height: FloatArray, deflection: FloatArray, crossing: Crossing
) -> tuple[RecordArray, FloatArray]:
    """Find the solid contact of every curve of a block.

    Returns
    -------
    contacts : (n,) array of `CONTACT`
        nan where there is no contact.
    clean : flat array
        The deflection without spikes and fringe.
    """
    contacts, clean = np.empty(len(begin) - 1, CONTACT), np.empty_like(deflection)
    settings = np.array(crossing, np.float64)
    kernels.reference(begin, height, deflection, settings, clean, _matrix(contacts))
    return contacts, clean


def tail_slopes(
    begin: IntArray, height: FloatArray, deflection: FloatArray, sizes: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Slopes of the last samples of every curve for windows of many sizes, and their errors."""
    slopes = np.empty((len(begin) - 1, len(sizes)))
    errors = np.empty_like(slopes)
    kernels.tail_slopes(begin, height, deflection, sizes, slopes, errors)
    return slopes, errors


def slip(
    begin: IntArray,
    clean: FloatArray,
    in_phase: FloatArray,
    quadrature: FloatArray,
    contacts: RecordArray,
) -> RecordArray:
    """How the lateral force grows with the load on each wall, as `SLIP`; nan on a short one."""
    found = np.empty(len(contacts), SLIP)
    kernels.slip_exponent(begin, clean, in_phase, quadrature, _matrix(contacts), _matrix(found))
    return found


def dead(begin: IntArray, in_phase: FloatArray, quadrature: FloatArray) -> NDArray[np.bool_]:
    """Whether the lateral signal of each curve has a hole, or a part of it never changes."""
    found = np.empty(len(begin) - 1, bool)
    kernels.dead(begin, in_phase, quadrature, found)
    return found


def local_linear(block: ReferencedBlock) -> Profiles:
    """Lines around each distance."""
    found, valid = _room(block)
    kernels.profiles(*block._arguments(), found, valid)
    return _named(found, valid)


def savitzky_golay(
    block: ReferencedBlock, level: FloatArray, slope: FloatArray, step: float
) -> Profiles:
    """Polynomials over a window of a grid of a step in m.

    Parameters
    ----------
    level, slope : (k, k) arrays
        Weights of the k points of a window, k odd, in value and derivative at each of them.
    """
    found, valid = _room(block)
    kernels.savitzky_golay(*block._arguments(), level, slope, step, found, valid)
    return _named(found, valid)


def layered(block: ReferencedBlock, step: float, price: float) -> Profiles:
    """Layers, each of one gradient, where lines around the distance have estimates.

    Parameters
    ----------
    step : float
        Width of the bins whose means are fitted, in m.
    price : float
        Of a change of slope, in standard deviations of one sample times the root of the samples
        in a half-width.
    """
    found, valid = _room(block)
    kernels.profiles(*block._arguments(), found, valid)
    if len(block.in_phase):
        kernels.layered(*block._arguments(), step, price, found)
    return _named(found, valid)


def layer_samples(block: ReferencedBlock, curve: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distances (m) and lateral forces (N) of the samples of a curve above the hard contact."""
    a, b = block.begin[curve], block.begin[curve + 1]
    z, normal, x, y = np.empty((4, b - a))
    reach = block.depth[-1] / block.curves["cosine"][curve] + block.lever.half_width
    signals = (block.height, block.deflection, block.in_phase, block.quadrature)
    kept, _, _ = kernels.referenced(
        *(signal[a:b] for signal in signals),
        _matrix(block.contacts)[curve],
        np.array(block.lever),
        _matrix(block.curves)[curve],
        reach,
        *(z, normal, x, y),
    )
    return z[:kept], x[:kept], y[:kept]


def _room(block: ReferencedBlock) -> tuple[FloatArray, FloatArray]:
    return np.empty((len(block), len(_PROFILES), len(block.depth))), np.empty(len(block))


def _named(found: FloatArray, valid: FloatArray) -> Profiles:
    parts = {name: found[:, i] for i, name in enumerate(_PROFILES)}
    return Profiles(**parts, depth_valid_min=valid)
