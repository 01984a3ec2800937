"""Lateral stiffness of cantilever and tip from geometry: k_t / l_t^2.

For rectangular ("diving board") beams. Bending and torsion depend on thickness in the same way, so
that the measured spring constant takes the place of the thickness, which is badly known:
``k_c = E w t^3 / 4 L^3`` and ``k_t = G w t^3 / 3 L`` give ``k_t = (4/3) (G/E) k_c L^2``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import pi
from typing import Any, Literal

import numpy as np
from pydantic import Field

from nrm_plugin.calibration import CalibrationFailed, Estimate
from nrm_plugin.calibration.inputs import merged
from nrm_plugin.calibration.shared_settings import (
    CalibrationSettings,
    Errors,
    Pure,
    RegisteredCalibration,
)
from nrm_plugin.calibration.silicon import ElasticModuli, isotropic, silicon
from nrm_plugin.columns import FloatArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.vocabulary import missing_calibration

#: Metadata keys that `stiffness_from_geometry` needs.
NEEDED = (
    "spring_constant",
    "cantilever_length",
    "cantilever_width",
    "cantilever_thickness",
    "cantilever_orientation",
    "tip_height",
)

_ERRORS = (
    "spring_constant",
    "cantilever_length",
    "cantilever_width",
    "cantilever_thickness",
    "tip_height",
    "tip_setback",
)
_SKEWED = 1.15  # linear over Monte Carlo error from which on a note says so


def torsional_stiffness(
    spring_constant: Any,
    length: Any,
    shear_over_young: float,
    *,
    setback: Any = 0.0,
    spring_at: str = "tip",
) -> Any:
    """Torsional stiffness k_t in N m / rad of a wide, thin rectangular beam, at the tip.

    ``(4/3) (G/E) k_c l^2`` with the distance l from base to tip; for an isotropic material that
    is ``(2/3) k_c l^2 / (1 + nu)``.

    Parameters
    ----------
    spring_constant : float or array
        k_c in N/m.
    length : float or array
        Of the whole beam, m.
    shear_over_young : float
        G/E (`silicon.ElasticModuli.ratio`).
    setback : float or array
        Distance of the tip from the free end, m.
    spring_at : str
        Where k_c holds: ``tip``, where the force acts, or ``end``, which most calibrations and
        makers give: then ``k_t = (4/3) (G/E) k_c L^2 * L / (L - setback)``.
    """
    if spring_at not in ("tip", "end"):
        raise InvalidInput(f"the spring constant holds at the tip or at the end, not {spring_at!r}")
    to_tip = length - setback
    if spring_at == "tip":
        return 4.0 / 3.0 * shear_over_young * spring_constant * to_tip**2
    return 4.0 / 3.0 * shear_over_young * spring_constant * length**3 / to_tip


def width_factor(width: Any, thickness: Any, anisotropy: float = 1.0) -> Any:
    """Torsional stiffness of a beam over that of an infinitely wide one.

    The series of Saint-Venant, ``1 - (192/pi^5) (t/w) sum tanh(n pi w / 2t) / n^5`` over odd n,
    close to ``1 - 0.63 t/w``. In an anisotropic beam w counts times ``sqrt(anisotropy)``
    (Lekhnitskii).

    Parameters
    ----------
    width, thickness : float or array
        m.
    anisotropy : float
        ``shear_normal / shear`` of `silicon.ElasticModuli`; 1 for isotropic ones.
    """
    ratio = np.asarray(width / thickness * np.sqrt(anisotropy), float)
    n = np.arange(1.0, 40.0, 2.0)
    terms = np.tanh(n * pi / 2.0 * ratio[..., None]) / n**5
    factor = 1.0 - 192.0 / pi**5 / ratio * terms.sum(axis=-1)
    return float(factor) if factor.ndim == 0 else factor


def lever_arm(tip_height: Any, thickness: Any) -> Any:
    """Distance l_t in m from the tip's apex to the axis of torsion: tip height plus t/2."""
    return tip_height + 0.5 * thickness


def moduli(orientation: str, poisson_ratio: float | None = None) -> ElasticModuli:
    """ElasticModuli by the value of ``cantilever_orientation``: 110, 100 or isotropic.

    Parameters
    ----------
    orientation : str
    poisson_ratio : float, optional
        Of an isotropic cantilever's material (not the layer's, which ``poisson_ratio`` in the
        metadata is): 0.25 for silicon nitride.

    Raises
    ------
    InvalidInput
        For an isotropic one without Poisson ratio.
    """
    if orientation != "isotropic":
        return silicon(orientation)
    if poisson_ratio is None:
        raise InvalidInput("an isotropic cantilever needs the Poisson ratio of its material")
    return isotropic(poisson_ratio)


def stiffness_from_geometry(
    metadata: Mapping[str, Any],
    *,
    poisson_ratio: float | None = None,
    errors: Mapping[str, float] | None = None,
    shear_error: float = 0.0,
    spring_at: str = "tip",
    draws: int = 100_000,
    seed: int = 0,
) -> Estimate:
    """Lateral stiffness k_t / l_t^2 in N/m of a rectangular cantilever.

    Parameters
    ----------
    metadata : mapping
        The keys in `NEEDED`, in SI, and ``tip_setback`` if it is not 0.
    poisson_ratio : float, optional
        Of the cantilever's material, if it is isotropic.
    errors : mapping, optional
        Standard errors, in SI, by key. That of the spring constant is taken from
        ``spring_constant_stderr`` if it is not given here.
    shear_error : float
        Relative standard error of G/E.
    spring_at : str
        Where the spring constant holds: ``tip`` or ``end``.
    draws : int
        Of the Monte Carlo cross-check of the linear propagation; 0 for none.

    Raises
    ------
    MissingCalibration
        Naming every key that is missing.
    InvalidInput
        For errors of unknown quantities, or values that make no beam.
    CalibrationFailed
        If errors are so large that a stiffness cannot be told from none.
    """
    missing = [key for key in NEEDED if key not in metadata]
    if missing:
        raise missing_calibration(missing)
    stderrs = {"spring_constant": float(metadata.get("spring_constant_stderr", 0.0))}
    stderrs |= dict(errors or {})
    for key, error in stderrs.items():
        if key not in _ERRORS or not (np.isfinite(error) and error >= 0.0):
            raise InvalidInput(f"{error!r} is no standard error of {key}")
    material = moduli(str(metadata["cantilever_orientation"]), poisson_ratio)
    means = np.array([float(metadata.get(key, 0.0)) for key in _ERRORS])
    spreads = np.array([stderrs.get(key, 0.0) for key in _ERRORS])
    length, width, thickness, setback = means[1], means[2], means[3], means[5]
    if setback >= length or thickness >= width or width >= length:
        raise InvalidInput("a beam is longer than wide, wider than thick, and carries its tip")

    def model(values: FloatArray) -> FloatArray:
        k, long, wide, thick, height, back = np.moveaxis(values, -1, 0)
        torsion = torsional_stiffness(k, long, material.ratio, setback=back, spring_at=spring_at)
        torsion = torsion * width_factor(wide, thick, material.shear_normal / material.shear)
        return np.asarray(torsion / lever_arm(height, thick) ** 2)

    value = float(model(means))
    parts = _contributions(model, means, spreads) | {"G/E": value * shear_error}
    error = float(np.sqrt(sum(part**2 for part in parts.values())))
    if error > 0.5 * value:
        raise CalibrationFailed(
            f"the errors add up to {100 * error / value:.0f} % of the lateral stiffness"
        )
    notes = [f"k_t = {value * float(lever_arm(means[4], thickness)) ** 2:.4g} N m/rad at the tip"]
    if setback:
        notes.append(f"the spring constant is taken to hold at the {spring_at}")
    notes += _budget(parts, value)
    if draws:
        notes.append(_monte_carlo(model, means, spreads, shear_error, (value, error), draws, seed))
    return Estimate(
        "lateral_stiffness",
        value,
        error,
        f"geometry: (4/3)(G/E) k_c l^2 / l_t^2, G/E = {material.ratio:.4f}",
        notes=tuple(notes),
    )


def _contributions(model: Any, means: FloatArray, spreads: FloatArray) -> dict[str, float]:
    """What each error adds to that of the result, by central differences."""
    parts = {}
    for i, key in enumerate(_ERRORS):
        if not spreads[i]:
            continue
        step = np.zeros(len(means))
        step[i] = 1e-4 * max(means[i], spreads[i])
        change = float(model(means + step) - model(means - step)) / (2.0 * step[i])
        parts[key] = abs(change) * float(spreads[i])
    return parts


def _budget(parts: Mapping[str, float], value: float) -> list[str]:
    """Contributions, and what has none."""
    shown = [f"{key} {100 * part / value:.1f} %" for key, part in parts.items() if part]
    notes = [f"contributions: {', '.join(shown)}"] if shown else []
    silent = [key for key in _ERRORS if not parts.get(key) and key != "tip_setback"]
    if silent:
        notes.append(f"no error was given for {', '.join(silent)}: theirs is not in the result's")
    return notes


def _monte_carlo(
    model: Any,
    means: FloatArray,
    spreads: FloatArray,
    shear_error: float,
    linear: tuple[float, float],
    draws: int,
    seed: int,
) -> str:
    """Draw all quantities from normal distributions, and compare with linear propagation."""
    rng = np.random.default_rng(seed)
    sets = means + spreads * rng.standard_normal((draws, len(means)))
    sets = sets[(sets[:, :5] > 0.0).all(axis=1) & (sets[:, 5] < 0.9 * sets[:, 1])]
    values = model(sets) * (1.0 + shear_error * rng.standard_normal(len(sets)))
    low, middle, high = np.percentile(values, [2.5, 50.0, 97.5])
    text = f"Monte Carlo of {draws}: median {middle:.4g}, 95 % from {low:.4g} to {high:.4g} N/m"
    spread = (high - low) / (2.0 * 1.96)
    if linear[1] and not 1.0 / _SKEWED < spread / linear[1] < _SKEWED:
        text += "; wider and more skewed than the standard error says"
    return text


class GeometryCalibration(RegisteredCalibration):
    """Lateral stiffness of a rectangular cantilever from its geometry.

    Known values come from FILEs, --experiment and --set, in rising order of rank.
    """

    class Settings(CalibrationSettings):
        """Material, place and standard errors."""

        material_poisson: Pure | None = Field(
            None, description="Poisson ratio of an isotropic cantilever, 0.25 for silicon nitride."
        )
        spring_at: Literal["tip", "end"] = Field(
            "tip", description="Where the spring constant holds, if the tip is set back."
        )
        error: Errors = Field(
            default_factory=dict,
            description="Standard error of a known value, tip_height=1um; may be repeated.",
        )

    def _calibrate(self, inputs: Sequence[CurveSet], settings: Settings) -> Estimate:
        return stiffness_from_geometry(
            merged(inputs).metadata,
            poisson_ratio=settings.material_poisson,
            errors=settings.error,
            spring_at=settings.spring_at,
        )


GEOMETRY = GeometryCalibration()
