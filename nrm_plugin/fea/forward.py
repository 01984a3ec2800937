"""Force and influence at all depths of the data, for any profile of the modulus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.fea.geometry import Layer, ModulusProfile, Steps, Tip
from nrm_plugin.fea.inversion_data import InversionData
from nrm_plugin.fea.pool import Workers
from nrm_plugin.fea.problem import (
    Numerics,
    stiffness,
    stiffness_and_influence,
    stiffness_of_stack,
)

_RANGE = 1e4  # moduli are at most so many times the mean, or at least that part of it


class InversionFailed(NrmError):
    """No profile explains the force: the reason says what went wrong."""


@dataclass(frozen=True, eq=False)
class Forward:
    """What an inversion solves again and again.

    Attributes
    ----------
    tip, layer
        The modulus of the layer is replaced.
    data : InversionData
    pool : Workers
    """

    tip: Tip
    layer: Layer
    data: InversionData
    pool: Workers

    def force(self, modulus: complex | ModulusProfile, numerics: Numerics) -> ComplexArray:
        """Force in N at the depths of the data."""
        return (
            np.array(self._map(stiffness, modulus, numerics), np.complex128) * self.data.amplitude
        )

    def influence(
        self, modulus: ModulusProfile, numerics: Numerics
    ) -> tuple[ComplexArray, ComplexArray]:
        """Force in N, and its derivative in N/Pa to the moduli of the cells, (depths, cells)."""
        solutions = self._map(stiffness_and_influence, modulus, numerics)
        force = np.array([k for k, _ in solutions], np.complex128)
        rows = np.array([row for _, row in solutions], np.complex128)
        return force * self.data.amplitude, rows * self.data.amplitude

    def stack(
        self, modulus: Steps, numerics: Numerics
    ) -> tuple[ComplexArray, ComplexArray, ComplexArray]:
        """Force in N, and its derivatives to moduli (N/Pa) and edges (N/m), (depths, numbers)."""
        solutions = self._map(stiffness_of_stack, modulus, numerics)
        parts = [np.array(part, np.complex128) for part in zip(*solutions, strict=True)]
        force, by_modulus, by_edge = (part * self.data.amplitude for part in parts)
        for column in by_edge.T:
            unknown = np.isnan(column)
            if not np.all(unknown):  # where the apex is at the edge, the depths around must do
                depth = self.data.depth
                column[unknown] = np.interp(depth[unknown], depth[~unknown], column[~unknown])
        return force, by_modulus, np.nan_to_num(by_edge)

    def _map(
        self, function: Callable[..., Any], modulus: complex | ModulusProfile, numerics: Numerics
    ) -> list[Any]:
        layer = replace(self.layer, modulus=modulus)
        jobs = [(self.tip, layer, depth, numerics) for depth in self.data.depth.tolist()]
        return self.pool.map(function, jobs)

    def start(self, heights: FloatArray) -> ComplexArray:
        """Guess of E* at heights: the slope of the force over that of a homogeneous layer.

        Raises
        ------
        InversionFailed
            If the force points the wrong way.
        """
        data, mean = self.data, self.mean
        reference = np.gradient(self._homogeneous, data.depth)
        slope = np.gradient(data.force.real, data.depth) / reference
        modulus = np.interp(
            heights,
            self.layer.thickness - data.depth[::-1],
            np.clip(slope, 0.1 * mean.real, 30.0 * mean.real)[::-1],
        )
        return np.asarray(modulus * mean / mean.real)

    def plausible(self, moduli: ComplexArray) -> None:
        """Refuse what is too far from the mean to be worth a solution.

        Raises
        ------
        InvalidInput
        """
        part = np.abs(moduli) / abs(self.mean)
        if not np.all((part > 1.0 / _RANGE) & (part < _RANGE)):
            worst = part[np.argmax(np.abs(np.log(part)))]
            raise InvalidInput(f"a modulus of {worst:.2g} times the layer's mean is out of range")

    @cached_property
    def mean(self) -> complex:
        """Modulus in Pa of the homogeneous layer that comes closest.

        Raises
        ------
        InversionFailed
            If the force points the wrong way.
        """
        mean = complex(self._homogeneous @ self.data.force / np.sum(self._homogeneous**2))
        if not mean.real > 0.0:
            raise InversionFailed(
                "the in-phase force points the wrong way, as if the layer pushed the tip along: "
                "check sign and phase of the lateral signal"
            )
        return mean

    @cached_property
    def _homogeneous(self) -> FloatArray:
        """Force in N per Pa in a homogeneous layer."""
        return self.force(1.0, Numerics(0.7)).real
