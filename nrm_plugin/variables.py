"""What results hold: each variable's unit, meaning and dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

CURVE = ("curve",)
PROFILE = ("curve", "depth")
DEPTH = ("depth",)
BINNED = ("curve", "distance_bin")

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

#: What a flag means, and what helps.
FLAG_WORDS = {
    "no_hard_contact": (
        "the ramp did not reach the electrode, or its wall is softer than that of the others",
        "a larger trigger force next time",
    ),
    "short_wall": (
        "less than 10 nm or 8 samples of wall, or a contact that is uncertain by more than 0.5 nm",
        "a larger trigger force",
    ),
    "short_baseline": ("too little baseline to draw a line through", "a longer ramp"),
    "saturated": ("the detector was at its end", "a smaller trigger force"),
    "slope_outlier": (
        "the wall's slope differs from that of the other curves",
        "look for a particle, or a tip that slips",
    ),
    "structure": (
        "the baseline is not straight: interference, slow noise, a long-ranged force",
        "compare the contact's height with the neighbours'; interference = true in the recipe",
    ),
    "spikes": ("single samples were far off and have been replaced", "nothing, if they are few"),
    "lag": (
        "the lock-in's delay is more than 0.5 nm of the ramp",
        "a slower ramp or a smaller time constant",
    ),
    "prior_conflict": (
        "the contact moves by more than 0.5 nm within the error of the wall's slope",
        "a larger trigger force, more curves; check the deflection sensitivity",
    ),
    "slip": (
        "on the wall the lateral force grows with the load: the tip slips",
        "a smaller dither",
    ),
    "slope_of_surface": (
        "the surface is steeper than 20° here",
        "correct_slope = true in the recipe, or leave them out",
    ),
    "missing_lateral": (
        "there is no lateral signal, or it has holes or is dead",
        "look at the wiring of the lock-in",
    ),
}


#: What the normal channel of a curve is like, in the order of the bits of `normal_quality`.
NORMAL_FLAGS = (
    "no_force",
    "never_free",
    "broke_through",
    "attracted",
    "no_lateral_onset",
    "onsets_apart",
)
NORMAL_BIT = {name: 1 << i for i, name in enumerate(NORMAL_FLAGS)}


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


#: Dimensions with values.
AXES = {
    "depth": Variable("m", "distance from the electrode", DEPTH, "f8"),
    "distance_bin": Variable("m", "middle of a bin of distances", ("distance_bin",), "f8"),
}

#: Width of the bins, and how far they go on beyond the last depth (m).
BIN_WIDTH, BEYOND = 1e-9, 30e-9

#: What the wall of a curve is, by the values of `surface_class`; -1 where it cannot be told.
SURFACES = ("hard", "yielding")

_SURFACES = {"flag_values": [-1, 0, 1], "flag_meanings": " ".join(("unknown", *SURFACES))}

_FLAGS = {"flag_masks": list(BIT.values()), "flag_meanings": " ".join(FLAGS)}

_NORMAL_FLAGS = {
    "flag_masks": list(NORMAL_BIT.values()),
    "flag_meanings": " ".join(NORMAL_FLAGS),
}

#: The normal channel of a curve. Distances count from the electrode.
NORMAL = {
    "normal_onset": Variable("m", "distance at which the normal force begins", CURVE),
    "break_through_count": Variable("", "how often the tip breaks through", CURVE),
    "break_through_force": Variable("N", "largest force of a break-through", CURVE),
    "break_through_distance": Variable("m", "distance at which it acts", CURVE),
    "first_break_through_force": Variable("N", "force of the first break-through", CURVE),
    "first_break_through_distance": Variable("m", "distance at which it acts", CURVE),
    "adhesion_force": Variable("N", "largest attraction, positive", CURVE),
    "adhesion_distance": Variable("m", "distance at which it acts", CURVE),
    "pull_off_distance": Variable("m", "largest distance at which there is attraction", CURVE),
    "normal_work": Variable("J", "normal force integrated over the distance", CURVE),
    "adhesion_work": Variable("J", "the same of the attraction alone, positive", CURVE),
    "normal_quality": Variable(
        "", "what the normal channel is like", CURVE, "i4", about=_NORMAL_FLAGS
    ),
}

#: Bits of `by_hand`.
EXCLUDED, ACCEPTED, MOVED = 1, 2, 4

#: There where something was decided by hand; of a curve, whatever the directions of its ramp.
DECIDED = {
    "by_hand": Variable(
        "",
        "what was decided by hand",
        CURVE,
        "i1",
        about={
            "flag_masks": [EXCLUDED, ACCEPTED, MOVED],
            "flag_meanings": "excluded accepted contact_by_hand",
        },
    )
}

#: Found for every curve.
CONTACT = {
    "contact_height": Variable("m", "height of the solid contact", CURVE, "f8"),
    "contact_height_stderr": Variable("m", "its standard error", CURVE, "f8"),
    "contact_height_systematic": Variable(
        "m", "error of the solid contact that curves have in common", CURVE, "f8"
    ),
    "quality": Variable("", "what is doubtful about the curve", CURVE, "i4", about=_FLAGS),
    "depth_valid_min": Variable(
        "m", "smallest distance from the electrode with an estimate", CURVE, "f8"
    ),
    "surface_slope": Variable("rad", "angle between surface and horizontal", CURVE, "f8"),
    "surface_class": Variable(
        "", "whether the wall is as hard as the steepest or gives way", CURVE, "i1", about=_SURFACES
    ),
    "wall_slope": Variable("", "slope of deflection against height on the wall", CURVE, "f8"),
    "wall_length": Variable("m", "length of the wall that was used", CURVE, "f8"),
    "wall_begin": Variable("m", "height at which the wall begins", CURVE, "f8"),
    "wall_end": Variable("m", "height at which it ends", CURVE, "f8"),
    "baseline_begin": Variable("m", "height at which the baseline begins", CURVE, "f8"),
    "baseline_end": Variable("m", "height at which it ends", CURVE, "f8"),
    "baseline_slope": Variable("", "slope of deflection against height far away", CURVE, "f8"),
    "baseline_deflection": Variable("m", "the baseline at the solid contact", CURVE, "f8"),
    "deflection_noise": Variable("m", "noise of one sample of the deflection", CURVE, "f8"),
    **NORMAL,
    "force_normal": Variable("N", "normal force"),
}

_GRADIENTS = {
    "force_gradient_in_phase": Variable("N/m", "in-phase force gradient"),
    "force_gradient_quadrature": Variable("N/m", "out-of-phase force gradient"),
}
_OF_SHEAR = {
    "shear_modulus_magnitude": Variable("Pa", "magnitude of the shear modulus |G*|"),
    "viscosity": Variable("Pa s", "dynamic viscosity at the dither frequency"),
}

#: Found where there is a lateral signal.
LATERAL = _with_errors(
    {
        "wall_lateral_amplitude": Variable(
            "m", "lateral motion of the tip at the highest loads on the wall, peak", CURVE, "f8"
        ),
        "wall_lateral_phase": Variable(
            "rad", "phase of the lateral force there, after the correction", CURVE, "f8"
        ),
        "lateral_onset": Variable("m", "distance at which the lateral force begins", CURVE),
        "shape_factor": Variable("", "shape factor r_g", DEPTH, "f8"),
        "lateral_force_in_phase": Variable("N", "in-phase lateral force"),
        "lateral_force_quadrature": Variable("N", "out-of-phase lateral force"),
        "storage_modulus": Variable("Pa", "storage modulus E'"),
        "loss_modulus": Variable("Pa", "loss modulus E''"),
        "binned_force_in_phase": Variable("N", "in-phase lateral force in a bin", BINNED),
        "binned_force_quadrature": Variable(
            "N", "mean out-of-phase lateral force in a bin", BINNED
        ),
        "binned_force_count": Variable("", "samples in a bin", BINNED, "u2"),
        "lateral_baseline_in_phase": Variable("N", "in-phase lateral force far away", CURVE, "f8"),
        "lateral_baseline_quadrature": Variable("N", "out-of-phase one far away", CURVE, "f8"),
        "lateral_baseline_slope_in_phase": Variable(
            "N/m", "slope against height of the in-phase lateral force far away", CURVE, "f8"
        ),
        "lateral_baseline_slope_quadrature": Variable(
            "N/m", "slope against height of the out-of-phase one far away", CURVE, "f8"
        ),
        "lateral_noise_in_phase": Variable(
            "N", "noise of one sample of the in-phase lateral force", CURVE, "f8"
        ),
        "lateral_noise_quadrature": Variable(
            "N", "noise of one sample of the out-of-phase one", CURVE, "f8"
        ),
        "lateral_noise_correlation": Variable(
            "", "samples over which the noise of the lateral force is correlated", CURVE, "f8"
        ),
    },
    "storage_modulus",
    "loss_modulus",
)

#: Found beside a shape factor that is not the tip's own, where the tip is known.
COMPUTED = {
    "shape_factor_computed": Variable(
        "", "shape factor r_g that finite elements give for the tip", DEPTH, "f8"
    )
}

#: Found where distances are corrected for the slope of the surface.
OF_SLOPES = {
    "slope_cosine": Variable(
        "", "cosine of the surface's slope, by which distances were multiplied", CURVE, "f8"
    )
}

#: Follow from moduli and shape factor; found only where a distance has no shape factor.
GRADIENTS = _with_errors(_GRADIENTS, *_GRADIENTS)

#: Follow from other variables, unless they are there (`nrm_plugin.store.derived_variables`).
DERIVED = GRADIENTS | _with_errors(_OF_SHEAR, *_OF_SHEAR)
