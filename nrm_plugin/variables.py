"""What results hold: each variable's unit, meaning and dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

CURVE = ("curve",)
PROFILE = ("curve", "depth")
DEPTH = ("depth",)

#: What can be doubtful about a curve, in the order of the bits of `quality`.
FLAGS = (
    "no_hard_contact",
    "short_wall",
    "short_baseline",
    "saturated",
    "slope_outlier",
    "structure",
    "spikes",
    "lag",
    "prior_conflict",
    "slip",
    "slope_of_surface",
    "missing_lateral",
)
BIT = {name: 1 << i for i, name in enumerate(FLAGS)}


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the results.

    Attributes
    ----------
    unit, meaning : str
    dims : tuple of str
        Without the direction, which comes first where there are two.
    dtype : str
    about : mapping
        Attributes beside unit and meaning.
    """

    unit: str
    meaning: str
    dims: tuple[str, ...] = PROFILE
    dtype: str = "f4"
    _: KW_ONLY
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the variable in a Dataset and in a file."""
        return {"units": self.unit, "long_name": self.meaning, **self.about}


def _with_errors(table: dict[str, Variable], *names: str) -> dict[str, Variable]:
    made: dict[str, Variable] = {}
    for name, variable in table.items():
        made[name] = variable
        if name in names:
            made[f"{name}_stderr"] = Variable(
                variable.unit, f"standard error of {variable.meaning}", variable.dims
            )
    return made


DISTANCE = Variable("m", "distance from the electrode", DEPTH, "f8")

_FLAGS = {"flag_masks": list(BIT.values()), "flag_meanings": " ".join(FLAGS)}

#: Found for every curve.
CONTACT = {
    "contact_height": Variable("m", "height of the solid contact", CURVE, "f8"),
    "contact_height_stderr": Variable("m", "its standard error", CURVE, "f8"),
    "contact_height_systematic": Variable(
        "m", "how far another slope of the wall moves the solid contact", CURVE, "f8"
    ),
    "quality": Variable("", "what is doubtful about the curve", CURVE, "i4", about=_FLAGS),
    "depth_valid_min": Variable(
        "m", "smallest distance from the electrode with an estimate", CURVE, "f8"
    ),
    "surface_slope": Variable("rad", "angle between surface and horizontal", CURVE, "f8"),
    "wall_slope": Variable("", "slope of deflection against height on the wall", CURVE, "f8"),
    "wall_length": Variable("m", "length of the wall that was used", CURVE, "f8"),
    "baseline_slope": Variable("", "slope of deflection against height far away", CURVE, "f8"),
    "baseline_deflection": Variable("m", "the baseline at the solid contact", CURVE, "f8"),
    "deflection_noise": Variable("m", "noise of one sample of the deflection", CURVE, "f8"),
    "force_normal": Variable("N", "normal force"),
}

#: Found where there is a lateral signal.
LATERAL = _with_errors(
    {
        "shape_factor": Variable("", "shape factor r_g", DEPTH, "f8"),
        "lateral_force_in_phase": Variable("N", "in-phase lateral force"),
        "lateral_force_quadrature": Variable("N", "out-of-phase lateral force"),
        "force_gradient_in_phase": Variable("N/m", "in-phase force gradient"),
        "force_gradient_quadrature": Variable("N/m", "out-of-phase force gradient"),
        "storage_modulus": Variable("Pa", "storage modulus E'"),
        "loss_modulus": Variable("Pa", "loss modulus E''"),
        "shear_modulus_magnitude": Variable("Pa", "magnitude of the shear modulus |G*|"),
        "viscosity": Variable("Pa s", "dynamic viscosity at the dither frequency"),
    },
    "force_gradient_in_phase",
    "force_gradient_quadrature",
    "storage_modulus",
    "loss_modulus",
    "shear_modulus_magnitude",
    "viscosity",
)
