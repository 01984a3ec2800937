"""A contact method with a setting, which says how it found the contact."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.hookspecs import ContactFound
from nrm_plugin.parameters import Field, Fraction, Length, MethodSettings

FloatArray = NDArray[np.float64]


class FixedWall:
    """The contact is where the line through the baseline meets the line through the wall."""

    name = "fixed-wall"
    description = "the wall is a length before the deepest sample"

    class Settings(MethodSettings):
        """Windows of the two lines; they stand in a recipe under ``[contact.fixed-wall]``."""

        wall: Length = Field(default=8e-9, description="length above the deepest sample")
        baseline: Fraction = Field(default=0.4, description="part of the ramp, from its far end")

    def find(
        self, height: FloatArray, deflection: FloatArray, settings: Settings | None = None
    ) -> ContactFound:
        """Return the contact of one curve, in m; nan where there is none."""
        settings = settings or self.Settings()
        low, high = height.min(), height.max()
        wall = height <= low + settings.wall
        baseline = height >= high - settings.baseline * (high - low)
        if wall.sum() < 3 or baseline.sum() < 3:
            return ContactFound(height=np.nan)

        # Each line is value + slope * (height - centre): so its two errors are independent.
        far, near = (
            Line(height[baseline], deflection[baseline]),
            Line(height[wall], deflection[wall]),
        )
        bend = far.slope - near.slope
        if bend <= 0:
            return ContactFound(height=np.nan)  # the deflection does not rise on the wall
        contact = (near.offset - far.offset) / bend
        variance = sum(line.variance_at(contact) for line in (far, near))
        return ContactFound(
            height=contact,
            stderr=float(np.sqrt(variance)) / bend,
            baseline=(float(height[baseline].min()), float(high)),
            wall=(float(low), float(height[wall].max())),
            lines=(far.offset, far.slope, near.offset, near.slope),
            noise=far.noise,
        )


#: What `nrm_contact_methods` names.
FIXED_WALL = FixedWall()


class Line:
    """A straight line by least squares: offset + slope * x."""

    def __init__(self, x: FloatArray, y: FloatArray) -> None:
        self.centre, self.count = float(x.mean()), len(x)
        self.spread = float(((x - self.centre) ** 2).sum())
        self.slope = float((x - self.centre) @ y) / self.spread
        self.offset = float(y.mean()) - self.slope * self.centre
        residuals = y - self.offset - self.slope * x
        self.noise = float(np.sqrt(residuals @ residuals / (len(x) - 2)))

    def variance_at(self, x: float) -> float:
        """Variance of the line's value at a place."""
        return self.noise**2 * (1 / self.count + (x - self.centre) ** 2 / self.spread)
