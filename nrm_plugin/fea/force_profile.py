"""Lateral forces to invert: from results, of one curve or the mean of many, and from tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike

import numpy as np
import xarray as xr

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.delimited import read_table
from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import with_unit

_CONTACT = ("contact_height_stderr", "contact_height_systematic")
_PARTS = ("lateral_force_in_phase", "lateral_force_quadrature")


@dataclass(frozen=True, eq=False, kw_only=True)
class ForceProfile:
    """Lateral force against the distance from the electrode.

    Attributes
    ----------
    label : str
        What it is the force of.
    distance : ndarray
        In m, ascending.
    force : ndarray of complex
        In N.
    noise : complex or None
        Standard deviation of both parts in N, where it is known.
    window : float
        Distance in m within which the noise is one and the same, as the fits of `process` make it.
    contact_stderr : float or None
        Standard error in m by which all distances are off, where it is known.
    """

    label: str
    distance: FloatArray
    force: ComplexArray
    noise: complex | None = None
    window: float = 0.0
    contact_stderr: float | None = None

    def binned(self, width: float, low: float, high: float) -> ForceProfile:
        """Means over equal steps between two distances; the noise falls as for a mean.

        Parameters
        ----------
        width : float
            Of a step, in m; at least `window` where the noise is not known.
        low, high : float
            Distances in m.

        Raises
        ------
        InvalidInput
            If there is no force in between.
        """
        inside = np.isfinite(self.force) & (self.distance > low) & (self.distance < high)
        if not inside.any():
            raise InvalidInput(
                f"no force lies between {with_unit(low, 'm')} and {with_unit(high, 'm')}"
            )
        distance, force = self.distance[inside], self.force[inside]
        if self.noise is None:  # to be found from the scatter of the means
            width = max(width, self.window)
        steps = np.floor(distance / width)
        _, cell, count = np.unique(steps, return_inverse=True, return_counts=True)
        means = [np.bincount(cell, part) / count for part in (distance, force.real, force.imag)]
        independent = float(np.median(count))
        if self.window > 0.0:
            independent = min(independent, max(1.0, width / self.window))
        noise = None if self.noise is None else self.noise / np.sqrt(independent)
        force = np.asarray(means[1] + 1j * means[2], complex)
        return replace(self, distance=means[0], force=force, noise=noise)


def from_table(path: str | PathLike[str]) -> ForceProfile:
    """Read a table with ``distance (nm), force in phase (nN), force quadrature (nN)``.

    Raises
    ------
    MissingFile, CorruptFile, InvalidInput
    """
    table = read_table(path)
    distance = table.si("m", "distance")
    force = table.si("N", "in phase", "in_phase") + 0j
    if table.has("quadrature"):
        force = force + 1j * table.si("N", "quadrature")
    order = np.argsort(distance)
    return ForceProfile(
        label=str(path), distance=distance[order], force=np.asarray(force[order], complex)
    )


def from_results(
    results: xr.Dataset, curve: int | None = None, edges: Sequence[float] | None = None
) -> list[ForceProfile]:
    """Forces of results: of one curve, or means over regions of the potential, or over all.

    Of results with both directions of the ramp, the first.

    Parameters
    ----------
    curve : int, optional
        From 0.
    edges : sequence of float, optional
        Of the regions, in V.

    Raises
    ------
    InvalidInput
        If the results have no lateral force, not that curve, or no curve in any region.
    """
    from nrm_plugin.statistics import mean_profile, regions
    from nrm_plugin.statistics.selection import half_width

    if _PARTS[0] not in results:
        raise InvalidInput("the results have no lateral force: the curves had no lateral channels")
    distance = np.asarray(results["depth"].values, float)
    if curve is not None:
        if not 0 <= curve < results.sizes["curve"]:
            raise InvalidInput(
                f"there is no curve {curve}: the last is {results.sizes['curve'] - 1}"
            )
        one = results.isel(curve=curve)
        if "direction" in one.dims:
            one = one.isel(direction=0)
        parts = [np.asarray(one[name].values, float) for name in _PARTS]
        force = parts[0] + 1j * parts[1]
        # Fits that share no sample are two half-widths apart.
        return [
            ForceProfile(
                label=f"curve {curve}",
                distance=distance,
                force=force,
                noise=None,
                window=2.0 * half_width(results),
                contact_stderr=_contact_stderr(one),
            )
        ]
    groups: list[tuple[str, object]] = [("all curves", None)]
    if edges is not None:
        by_potential = regions(results, edges)
        groups = [(r.label, r.curves) for r in by_potential if len(r)]
        if not groups:
            reason = next(iter(by_potential.warnings), "none has a potential between the edges")
            raise InvalidInput(f"no curve lies in a region: {reason}")
    profiles = []
    for label, curves in groups:
        means = [mean_profile(results, name, curves) for name in _PARTS]  # type: ignore[arg-type]
        values = [np.asarray(mean["mean"].values, float) for mean in means]
        errors = [float(mean["stderr"].median()) for mean in means]  # NaN of a single curve
        noise = complex(*errors) if all(e > 0.0 for e in errors) else None
        force = values[0] + 1j * values[1]
        profiles.append(
            ForceProfile(
                label=label,
                distance=distance,
                force=force,
                noise=noise,
                window=half_width(results),
                contact_stderr=_contact_stderr(results, curves),
            )
        )
    return profiles


def _contact_stderr(results: xr.Dataset, curves: object = None) -> float | None:
    """Error in m of the contact of one curve, or of a mean: the noise of that falls."""
    if _CONTACT[0] not in results:
        return None
    if "direction" in results[_CONTACT[0]].dims:
        results = results.isel(direction=0)
    noise, systematic = (
        np.atleast_1d(np.asarray(results[name].values, float)) if name in results else np.zeros(1)
        for name in _CONTACT
    )
    if curves is None and "by_hand" in results and noise.size > 1:
        from nrm_plugin.statistics.selection import excluded

        curves = np.flatnonzero(~excluded(results))
    if curves is not None:
        noise = noise[np.asarray(curves)]
        systematic = systematic[np.asarray(curves)] if systematic.size > 1 else systematic
    noise, systematic = noise[np.isfinite(noise)], systematic[np.isfinite(systematic)]
    if not noise.size:
        return None
    of_mean = float(np.median(noise)) / np.sqrt(noise.size)
    return float(np.hypot(of_mean, np.median(systematic) if systematic.size else 0.0))
