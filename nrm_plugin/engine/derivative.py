"""Profiles of a block by the method that the recipe names."""

from __future__ import annotations

from typing import Any

import numpy as np

from nrm_plugin.engine import compiled
from nrm_plugin.engine.compiled import CONTACT, CURVE, Lever, Profiles, ReferencedBlock
from nrm_plugin.engine.contact import distance_slope, force_factor
from nrm_plugin.engine.signals import Plan
from nrm_plugin.engine.survey import Survey
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.hookspecs import DerivativeMethod, with_settings
from nrm_plugin.recipe import Derivative, Recipe

#: Samples without which a method is not asked.
_FEWEST = 5


def lever_for(recipe: Recipe, how: Plan, found: Survey) -> Lever:
    """What the curves of a direction are differentiated with."""
    return Lever(
        half_width=found.half_width(recipe.derivative.half_width),
        amplitude=how.amplitude,
        lateral_stiffness=how.lateral_stiffness if recipe.lateral.series_compliance else 0.0,
        spring_constant=how.spring_constant * force_factor(recipe.contact, found.slope),
        wall_slope=distance_slope(recipe.contact, found.slope),
        # As told, distances are off by it, and so is where the wall seems to begin.
        doubt=abs(1.0 + found.slope) * (1.0 if recipe.contact.distance == "wall" else 2.0),
        lateral_line=found.lateral.line,
    )


def profiles(block: ReferencedBlock, derivative: Derivative) -> Profiles:
    """Forces and gradients of the curves of a block.

    Parameters
    ----------
    block : ReferencedBlock
    derivative : Derivative
        Of the recipe. Its method is asked for the whole block where it has ``gradient_block``, else
        curve by curve.

    Raises
    ------
    InvalidInput
        Naming the method, if it fails or gives something else than two arrays of numbers.
    """
    method = derivative.chosen
    settings = with_settings(method, derivative.settings)
    whole = getattr(method, "gradient_block", None)
    try:
        found: Profiles = (
            _curve_by_curve(block, method, settings) if whole is None else whole(block, *settings)
        )
        return found
    except NrmError:
        raise
    except Exception as error:
        raise InvalidInput(
            f"the derivative method {method.name} failed ({type(error).__name__}: {error})"
        ) from error


def _curve_by_curve(
    block: ReferencedBlock, method: DerivativeMethod, settings: tuple[Any, ...]
) -> Profiles:
    """Gradients from the method; forces, which it says nothing of, from lines around distances."""
    found = compiled.profiles(block, "local-linear")
    if not len(block.in_phase):
        return found
    slopes = (found.gradient_in_phase, found.gradient_quadrature)
    errors = (found.stderr_in_phase, found.stderr_quadrature)
    for array in (*slopes, *errors, found.depth_valid_min):
        array[:] = np.nan
    for curve in np.flatnonzero(np.isfinite(block.contacts["contact"])).tolist():
        z, *forces = compiled.layer_samples(block, curve)
        if len(z) < _FEWEST:
            continue
        at = block.depth / block.curves["cosine"][curve]
        for force, slope, error in zip(forces, slopes, errors, strict=True):
            gradient, stderr = (
                np.asarray(part, float) for part in method.gradient(z, force, at, *settings)
            )
            if not gradient.shape == stderr.shape == at.shape:
                raise ValueError(
                    f"shapes {gradient.shape} and {stderr.shape} for {len(at)} distances"
                )
            slope[curve], error[curve] = -gradient, stderr
        known = np.isfinite(slopes[0][curve]) & np.isfinite(slopes[1][curve])
        if known.any():
            found.depth_valid_min[curve] = block.depth[np.argmax(known)]
    return found


def block_of_one(z: Any, force: Any, at: Any) -> ReferencedBlock:
    """One force against distances, differentiated with the default half-width."""
    z, force, at = (np.asarray(values, float) for values in (z, force, at))
    contacts, curves = np.zeros(1, CONTACT), np.zeros(1, CURVE)
    zero = z.min(initial=0.0) - 1e-9  # nothing is cut for being next to the electrode
    contacts["contact"], contacts["baseline_end"] = zero, len(z)
    curves["cosine"] = 1.0
    return ReferencedBlock(
        begin=np.array([0, len(z)]),
        height=z,
        deflection=np.zeros_like(z),
        in_phase=force,
        quadrature=np.zeros_like(z),
        contacts=contacts,
        depth=at - zero,
        lever=Lever(Derivative().half_width, 1.0, 0.0, 0.0),
        curves=curves,
        correlation=np.ones(1),
    )
