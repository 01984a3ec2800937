"""Our contact and derivative methods, compiled for whole blocks of curves.

Recipes look here for settings: numpy and the compiled loops are imported when they are used.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from nrm_plugin.hookspecs import ContactFound
from nrm_plugin.parameters import Field, Fraction, MethodSettings

if TYPE_CHECKING:
    from nrm_plugin.columns import FloatArray
    from nrm_plugin.engine.compiled import Profiles, RecordArray, ReferencedBlock
    from nrm_plugin.engine.contact import ContactBlock

#: Savitzky and Golay's window: points, degree of the polynomial, and length in half-widths. With
#: this length a step of the gradient gets as wide as from the local line, one half-width.
POINTS, DEGREE, LENGTH = 11, 2, 1.64

#: Total variation: bins in a half-width, and the price of a change of slope, twice the standard
#: deviation of its multiplier in the middle of two half-widths of noise around a straight line:
#: L^3 / 192 is the variance of a bend there, once a line through all is taken out.
BINS, PRICE = 10, 2.0 * (2.0**3 / 192.0) ** 0.5


class _ContactMethod:
    def find_block(
        self, block: ContactBlock, settings: Any = None
    ) -> tuple[RecordArray, FloatArray]:
        raise NotImplementedError

    def find(self, height: Any, deflection: Any, settings: Any = None) -> ContactFound:
        """Contact of one curve alone: nothing is known of the slope of its wall."""
        from nrm_plugin.engine.contact import ContactBlock, details

        block = ContactBlock.of_one(height, deflection)
        contacts, _ = self.find_block(block, settings)
        return details(contacts[0], block.height)


class Grown(_ContactMethod):
    """Windows of baseline and wall that grow as long as the data agree with a line."""

    name = "grown"
    description = "windows that grow as long as the data agree with a line"

    def find_block(
        self, block: ContactBlock, settings: Any = None
    ) -> tuple[RecordArray, FloatArray]:
        """Contacts of a block of curves, and their deflection without spikes and fringe."""
        return block.crossed()


class TwoLine(_ContactMethod):
    """The paper's rule (section 5), with the window of the wall by force."""

    name = "two-line"
    description = "the paper's rule: fixed parts of the samples and of the force"

    class Settings(MethodSettings):
        """Windows of the two lines."""

        baseline: Fraction = Field(default=0.4, description="part of the samples that is baseline")
        wall: Fraction = Field(
            default=0.3, description="part of the largest force above which is wall"
        )

    def find_block(
        self, block: ContactBlock, settings: Any = None
    ) -> tuple[RecordArray, FloatArray]:
        """Contacts of a block of curves, and their deflection without spikes and fringe."""
        settings = settings or self.Settings()
        return block.crossed(two_lines=True, baseline=settings.baseline, wall=settings.wall)


class _DerivativeMethod:
    def gradient_block(self, block: ReferencedBlock, settings: Any = None) -> Profiles:
        raise NotImplementedError

    def gradient(
        self, z: Any, force: Any, at: Any, settings: Any = None
    ) -> tuple[FloatArray, FloatArray]:
        """Derivative of one force alone, its noise white and as in the first third of samples."""
        from nrm_plugin.engine.derivative import block_of_one

        found = self.gradient_block(block_of_one(z, force, at), settings)
        return -found.gradient_in_phase[0], found.stderr_in_phase[0]


class LocalLinear(_DerivativeMethod):
    """A line around each distance, weighted by nearness."""

    name = "local-linear"
    description = "a line around each distance"

    def gradient_block(self, block: ReferencedBlock, settings: Any = None) -> Profiles:
        """Forces and gradients of a block of curves."""
        from nrm_plugin.engine import compiled

        return compiled.local_linear(block)


class SavitzkyGolay(_DerivativeMethod):
    """A parabola (Anal. Chem. 36, 1627 (1964)) through bin means on a regular grid.

    The same resolution as from the local line, and next to the electrode, where its window is
    one-sided, less bias and more noise.
    """

    name = "savitzky-golay"
    description = "parabolas on a regular grid, at the same resolution"

    def gradient_block(self, block: ReferencedBlock, settings: Any = None) -> Profiles:
        """Forces and gradients of a block of curves."""
        from nrm_plugin.engine import compiled

        level, slope = _window()
        step = LENGTH * block.lever.half_width / POINTS
        return compiled.savitzky_golay(block, level, slope / step, step)


class TotalVariation(_DerivativeMethod):
    """Layers, each of one gradient: sharper edges and less noise where there are layers.

    Where there are none it gives stairs. It has no standard error: those are nan.
    """

    name = "total-variation"
    description = "layers, each of one gradient (no standard errors)"

    def gradient_block(self, block: ReferencedBlock, settings: Any = None) -> Profiles:
        """Forces and gradients of a block of curves."""
        from nrm_plugin.engine import compiled

        return compiled.layered(block, block.lever.half_width / BINS, PRICE)


@cache
def _window() -> tuple[FloatArray, FloatArray]:
    """Weights of the points of a window in value and derivative at each of them, 1 apart."""
    import numpy as np
    from scipy.signal import savgol_coeffs

    level = [savgol_coeffs(POINTS, DEGREE, pos=p, use="dot") for p in range(POINTS)]
    slope = [savgol_coeffs(POINTS, DEGREE, deriv=1, pos=p, use="dot") for p in range(POINTS)]
    return np.array(level), np.array(slope)


GROWN, TWO_LINE = Grown(), TwoLine()
LOCAL_LINEAR, SAVITZKY_GOLAY, TOTAL_VARIATION = LocalLinear(), SavitzkyGolay(), TotalVariation()
