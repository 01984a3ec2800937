"""The Python face of the compiled loops: named records in, named records out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import inf
from typing import NamedTuple

from nrm_plugin import kernels
from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.kernels import CONTACT, CURVE, RecordArray

__all__ = [
    "CONTACT",
    "CURVE",
    "PROFILES",
    "Crossing",
    "Lever",
    "Profiles",
    "RecordArray",
    "ReferencedBlock",
    "force_bins",
    "layer_samples",
    "profiles",
    "reference",
]


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
    soft_slope, soft_slope_stderr : float
        Slope of walls that give way; 0 if there are none.
    turn : float
        Height at the end of a curve that its wall leaves out, in m.
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
    soft_slope: float = 0.0
    soft_slope_stderr: float = inf
    turn: float = 0.0

    def record(self) -> RecordArray:
        """Return the same as the library takes it."""
        return kernels.record(kernels.CONTACT_SETTINGS, **self._asdict())


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
    wall_slope : float
        Deflection per height of the wall, positive, in units of which the deflection counts as
        distance: ``z = height - contact + (deflection - baseline) / wall_slope``.
    doubt : float
        Part of the deflection by which distances may be off; nothing nearer is a layer.
    lateral_line : bool
        Whether a line is taken out of the lateral signal, instead of its mean far away.
    """

    half_width: float
    amplitude: float
    lateral_stiffness: float
    spring_constant: float
    wall_slope: float = 1.0
    doubt: float = 0.0
    lateral_line: bool = False

    def record(self, method: str) -> RecordArray:
        """Return the same as the library takes it, with one of `kernels.METHODS`."""
        number = kernels.METHODS.index(method)
        return kernels.record(kernels.PROFILE_SETTINGS, method=number, **self._asdict())


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

    @property
    def lateral(self) -> tuple[FloatArray, FloatArray] | None:
        """The lateral signals, if there are any."""
        return (self.in_phase, self.quadrature) if len(self.in_phase) else None


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


#: Names of the profiles, in the order of `kernels.profiles`.
PROFILES = [field.name for field in fields(Profiles)][:-1]


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
    return kernels.find_contacts(begin, height, deflection, crossing.record())


def profiles(block: ReferencedBlock, method: str) -> Profiles:
    """Forces and gradients of a block by one of `kernels.METHODS`."""
    found, valid = kernels.profiles(
        block.lever.record(method),
        block.begin,
        block.height,
        block.deflection,
        block.lateral,
        block.contacts,
        block.curves,
        block.correlation,
        block.depth,
    )
    parts = {name: found[:, i] for i, name in enumerate(PROFILES)}
    return Profiles(**parts, depth_valid_min=valid)


def force_bins(block: ReferencedBlock, width: float, n_bins: int) -> FloatArray:
    """Lateral force of a block in bins of the distance; see `kernels.force_bins`."""
    return kernels.force_bins(
        block.lever.record(kernels.METHODS[0]),
        block.begin,
        block.height,
        block.deflection,
        (block.in_phase, block.quadrature),
        block.contacts,
        block.curves,
        block.depth,
        width,
        n_bins,
    )


def layer_samples(block: ReferencedBlock, curve: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distances (m) and lateral forces (N) of the samples of a curve above the hard contact."""
    part = slice(block.begin[curve], block.begin[curve + 1])
    return kernels.samples_above(
        block.lever.record(kernels.METHODS[0]),
        block.height[part],
        block.deflection[part],
        (block.in_phase[part], block.quadrature[part]),
        block.contacts[curve : curve + 1],
        block.curves[curve : curve + 1],
        block.depth,
    )
