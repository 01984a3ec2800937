"""A derivative method with a setting."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.parameters import Field, Length, MethodSettings

FloatArray = NDArray[np.float64]

#: Fewer samples in a window give no estimate.
FEWEST = 5


class SlidingLine:
    """The gradient is the slope of a straight line through the samples near a distance."""

    name = "sliding-line"
    description = "a straight line in a sliding window"

    class Settings(MethodSettings):
        """The window; it stands in a recipe under ``[derivative.sliding-line]``."""

        half_width: Length = Field(default=2e-9, description="half of the window")

    def gradient(
        self, z: FloatArray, force: FloatArray, at: FloatArray, settings: Settings | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return the derivative of the force at the distances `at`, and its standard error."""
        half_width = (settings or self.Settings()).half_width
        gradient, stderr = np.full((2, len(at)), np.nan)
        for i, middle in enumerate(at):
            near = np.abs(z - middle) <= half_width
            x, y = z[near] - middle, force[near]
            # Distances beyond the data stay nan: nothing is extrapolated.
            if len(x) < FEWEST or x.min() > 0 or x.max() < 0:
                continue
            dx = x - x.mean()
            gradient[i] = dx @ y / (dx @ dx)
            residuals = y - y.mean() - gradient[i] * dx
            stderr[i] = np.sqrt(residuals @ residuals / (len(x) - 2) / (dx @ dx))
        return gradient, stderr


#: What `nrm_derivative_methods` names.
SLIDING_LINE = SlidingLine()
