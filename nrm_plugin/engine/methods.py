"""Our contact and derivative methods, compiled for whole blocks of curves.

Recipes look here for settings: numpy and the compiled loops are imported when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nrm_plugin.hookspecs import ContactFound, Deferred
from nrm_plugin.parameters import Field, Fraction, MethodSettings

if TYPE_CHECKING:
    from nrm_plugin.columns import FloatArray
    from nrm_plugin.engine.compiled import Profiles, RecordArray, ReferencedBlock
    from nrm_plugin.engine.contact import ContactBlock


class OwnContactMethod:
    """A contact method that the compiled loops know: what `crossing` says chooses it."""

    def crossing(self, settings: Any = None) -> dict[str, Any]:
        """Fields of `compiled.Crossing` that the method sets."""
        return {}

    def find_block(
        self, block: ContactBlock, settings: Any = None
    ) -> tuple[RecordArray, FloatArray]:
        """Contacts of a block of curves, and their deflection without spikes and fringe."""
        return block.crossed(**self.crossing(settings))

    def find(self, height: Any, deflection: Any, settings: Any = None) -> ContactFound:
        """Contact of one curve alone: nothing is known of the slope of its wall."""
        from nrm_plugin.engine.contact import ContactBlock, details

        block = ContactBlock.of_one(height, deflection)
        contacts, _ = self.find_block(block, settings)
        return details(contacts[0], block.height)


class Grown(OwnContactMethod):
    """Windows of baseline and wall that grow as long as the data agree with a line."""

    name = "grown"
    description = "windows that grow as long as the data agree with a line"


class TwoLine(OwnContactMethod):
    """The paper's rule (section 5), with the window of the wall by force."""

    name = "two-line"
    description = "the paper's rule: fixed parts of the samples and of the force"

    class Settings(MethodSettings):
        """Windows of the two lines."""

        baseline: Fraction = Field(default=0.4, description="part of the samples that is baseline")
        wall: Fraction = Field(
            default=0.3, description="part of the largest force above which is wall"
        )

    def crossing(self, settings: Any = None) -> dict[str, Any]:
        """Fields of `compiled.Crossing` that the method sets."""
        settings = settings or self.Settings()
        return {"two_lines": True, "baseline": settings.baseline, "wall": settings.wall}


class OwnDerivativeMethod:
    """A derivative method that the compiled loops know by its name."""

    name: str

    def gradient_block(self, block: ReferencedBlock, settings: Any = None) -> Profiles:
        """Forces and gradients of a block of curves."""
        from nrm_plugin.engine import compiled

        return compiled.profiles(block, self.name)

    def gradient(
        self, z: Any, force: Any, at: Any, settings: Any = None
    ) -> tuple[FloatArray, FloatArray]:
        """Derivative of one force alone, its noise white and as in the first third of samples."""
        from nrm_plugin.engine.derivative import block_of_one

        found = self.gradient_block(block_of_one(z, force, at), settings)
        return -found.gradient_in_phase[0], found.stderr_in_phase[0]


class LocalLinear(OwnDerivativeMethod):
    """A line around each distance, weighted by nearness."""

    name = "local-linear"
    description = "a line around each distance"


class SavitzkyGolay(OwnDerivativeMethod):
    """A parabola (Anal. Chem. 36, 1627 (1964)) through bin means on a regular grid.

    The same resolution as from the local line, and next to the electrode, where its window is
    one-sided, less bias and more noise.
    """

    name = "savitzky-golay"
    description = "parabolas on a regular grid, at the same resolution"


class TotalVariation(OwnDerivativeMethod):
    """Layers, each of one gradient: sharper edges and less noise where there are layers.

    Where there are none it gives stairs. It has no standard error: those are nan.
    """

    name = "total-variation"
    description = "layers, each of one gradient (no standard errors)"


GROWN, TWO_LINE = Grown(), TwoLine()
LOCAL_LINEAR, SAVITZKY_GOLAY, TOTAL_VARIATION = LocalLinear(), SavitzkyGolay(), TotalVariation()
_OWN = (GROWN, TWO_LINE, LOCAL_LINEAR, SAVITZKY_GOLAY, TOTAL_VARIATION)


def own(method: Any) -> Any:
    """Return a method if the compiled loops know it, None if it is a plugin's."""
    method = method.target() if isinstance(method, Deferred) else method
    return method if any(method is one for one in _OWN) else None
