"""What an inversion is told and the force does not tell: the tip and the contact, with errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from nrm_plugin.columns import ComplexArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea.arguments import number
from nrm_plugin.fea.forward import Forward
from nrm_plugin.fea.geometry import ModulusProfile, Tip
from nrm_plugin.fea.problem import Numerics
from nrm_plugin.text import with_unit

_SMALLEST = 0.1  # of the radius: no smaller tip is solved for
_STEEPEST = math.radians(80.0)
_NEAR = 0.5  # of the distance to the electrode or the surface: the contact is moved no farther


@dataclass(frozen=True, kw_only=True)
class ToldErrors:
    """Standard errors of what was told; None where none is known.

    Attributes
    ----------
    radius : float or None
        Of the tip's end, in m.
    cone_angle : float or None
        Of the half angle, in rad.
    contact : float or None
        Of the height of the electrode, in m: all distances are off by the same.
    """

    radius: float | None = None
    cone_angle: float | None = None
    contact: float | None = None

    @classmethod
    def of(
        cls, tip: Tip, radius: float | None, cone_angle: float | None, contact: float | None
    ) -> ToldErrors:
        """Check.

        Raises
        ------
        InvalidInput
            For a negative error, or one as large as the radius.
        """
        for what, error, unit in (
            ("radius", radius, "m"),
            ("cone angle", cone_angle, "rad"),
            ("contact", contact, "m"),
        ):
            value = 0.0 if error is None else number(f"the standard error of the {what}", error)
            if not 0.0 <= value < math.inf:
                raise InvalidInput(
                    f"a standard error of the {what} of {with_unit(value, unit)} is not possible: "
                    "give 0 or more, or none where it is unknown"
                )
        if radius is not None and radius >= tip.radius:
            raise InvalidInput(
                f"a radius of {with_unit(tip.radius, 'm')} with a standard error of "
                f"{with_unit(radius, 'm')} is not known at all: the error must be smaller"
            )
        if cone_angle is not None and cone_angle > _STEEPEST:
            raise InvalidInput(
                f"a standard error of the cone angle of {math.degrees(cone_angle):.4g}° is not "
                "possible: give it in rad"
            )
        return cls(radius=radius, cone_angle=cone_angle, contact=contact)

    def changes(
        self, forward: Forward, modulus: ModulusProfile, numerics: Numerics, force: ComplexArray
    ) -> list[ComplexArray]:
        """Change in N of the force of a modulus by one standard error of each.

        In proportion to the force, as the modulus that would explain it is: its logarithm times
        the force. Towards the smaller tip, the wider cone and the nearer electrode, where the
        changes are larger than to the other side.
        """
        others = []
        tip, data = forward.tip, forward.data
        if self.radius:
            smaller = max(tip.radius - self.radius, _SMALLEST * tip.radius)
            others.append((replace(forward, tip=replace(tip, radius=smaller)), 1.0))
        if self.cone_angle:
            wider = tip.half_angle + self.cone_angle
            if wider > _STEEPEST:
                wider = tip.half_angle - self.cone_angle
            others.append((replace(forward, tip=replace(tip, half_angle=wider)), 1.0))
        if self.contact:
            gap = float(np.min(forward.layer.thickness - data.depth))
            moved = min(self.contact, _NEAR * gap)
            nearer = replace(data, depth=data.depth + moved)
            others.append((replace(forward, data=nearer), self.contact / moved))
        return [
            times * force * np.log(other.force(modulus, numerics) / force)
            for other, times in others
        ]

    @property
    def short(self) -> str:
        """What the bands hold, for a figure."""
        short = {"radius": self.radius, "angle": self.cone_angle, "contact": self.contact}
        held = [f"{name} ± {_shown(name, error)}" for name, error in short.items() if error]
        return ",\n".join(held) or "tip and contact as told"

    @property
    def sentence(self) -> str:
        """What the bands hold, and what they do not."""
        named = {"radius": self.radius, "half angle": self.cone_angle, "contact": self.contact}
        told = [f"the {name}" for name, error in named.items() if error is None]
        held = [
            f"the {name} ({_shown(name, error)})"
            for name, error in named.items()
            if error is not None
        ]
        words = f"the bands hold the standard errors of {_listed(held)}. " if held else ""
        if not told:
            return f"{words}Thickness, Poisson ratio and amplitude {_AS_TOLD}"
        start = "The" if held else "the"
        return (
            f"{words}{start} bands hold for {_listed(told)} as told, whose errors are unknown. "
            f"These, thickness, Poisson ratio and amplitude {_AS_TOLD}: with a tip of 10 nm told "
            "as one of 20 nm it is as good, and no band without the error of the radius is right"
        )


_AS_TOLD = "are taken as told, and the misfit does not show if they are wrong"


def _shown(name: str, error: float) -> str:
    return f"{math.degrees(error):.3g}°" if "angle" in name else with_unit(error, "m")


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
