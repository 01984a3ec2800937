"""Measured lateral forces as an inversion takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.arguments import complex_number, complex_numbers
from nrm_plugin.fea.forces import amplitude_of
from nrm_plugin.fea.geometry import Layer, Tip, check

_CARRIED = 0.5
_ACCURACY = 0.002  # of the solver, next to the noise of the force


@dataclass(frozen=True, eq=False, kw_only=True)
class InversionData:
    """Force against depth, ascending, and its noise.

    Attributes
    ----------
    depth : ndarray
        In m.
    force : ndarray of complex
        In N.
    amplitude : float
        In m, peak.
    noise : (float, float)
        Standard deviation of in-phase part and quadrature in N.
    lossy : bool
        Whether there is a quadrature.
    """

    depth: FloatArray
    force: ComplexArray
    amplitude: float
    noise: tuple[float, float]
    lossy: bool

    @classmethod
    def of(
        cls,
        tip: Tip,
        layer: Layer,
        depths: ArrayLike,
        force: ArrayLike,
        amplitude: float,
        noise: complex | float | None,
    ) -> InversionData:
        """Sort and check.

        Raises
        ------
        InvalidInput
        """
        depth = check(tip, layer, depths)
        values = np.atleast_1d(complex_numbers("forces", force))
        if values.shape != depth.shape or not np.all(np.isfinite(values)):
            raise InvalidInput("an inversion needs one finite force for every depth")
        order = np.argsort(depth)
        depth, values = depth[order], values[order]
        if depth.size < 6 or np.any(np.diff(depth) <= 0.0):
            raise InvalidInput("an inversion needs the force at 6 different depths or more")
        lossy = bool(np.any(values.imag != 0.0))
        if noise is None:
            sigma = _scatter(values.real), _scatter(values.imag)
        else:
            both = complex_number("the noise", noise)
            sigma = (both.real, both.imag) if np.iscomplexobj(noise) else (both.real, both.real)
        if not all(np.isfinite(s) and s > 0.0 for s in sigma[: 1 + lossy]):
            raise InvalidInput(
                "the noise of the force must be positive: give its standard deviation in N"
            )
        return cls(
            depth=depth, force=values, amplitude=amplitude_of(amplitude), noise=sigma, lossy=lossy
        )

    @property
    def numbers(self) -> int:
        """How many numbers were measured: a quadrature counts as well."""
        return self.depth.size * (1 + self.lossy)

    @property
    def carried(self) -> float:
        """How many numbers these can carry: half as many."""
        return _CARRIED * self.numbers

    def criterion(self, misfit: float, parameters: float) -> float:
        """Bayes' information criterion of an explanation, which is -2 ln(weight)."""
        return self.numbers * misfit + parameters * float(np.log(self.numbers))

    def stacked(self, values: ComplexArray) -> FloatArray:
        """In-phase parts and, if there are such, quadratures, in units of their uncertainty."""
        parts = [values.real / np.hypot(self.noise[0], _ACCURACY * self.force.real)]
        if self.lossy:
            parts.append(values.imag / np.hypot(self.noise[1], _ACCURACY * self.force.imag))
        return np.concatenate(parts)

    def misfit(self, force: ComplexArray) -> float:
        """Mean square of the residuals in units of their uncertainty."""
        return float(np.mean(self.stacked(self.force - force) ** 2))


def _scatter(values: FloatArray) -> float:
    """Noise from third differences, which a smooth curve hardly has."""
    return float(1.4826 * np.median(np.abs(np.diff(values, 3))) / np.sqrt(20.0))
