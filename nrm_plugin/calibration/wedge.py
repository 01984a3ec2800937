"""The wedge method: lateral force per volt from friction loops on two slopes.

On a slope theta, with load F and friction coefficient mu (and any adhesion), half-width W and
offset of the loop grow with the load as

    alpha dW/dF = mu / D,   alpha d(offset)/dF = (1 + mu^2) sin(theta) cos(theta) / D,
    D = cos^2(theta) - mu^2 sin^2(theta)

with alpha in N/V (Ogletree, Carpick, Salmeron, Rev. Sci. Instrum. 67 (1996) 3298; Varenberg,
Etsion, Halperin, Rev. Sci. Instrum. 74 (2003) 3362). The difference of the offsets on two slopes
(one may be flat) is free of the detector's own crosstalk from normal to lateral.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np

from nrm_plugin.calibration import CalibrationFailed, Estimate
from nrm_plugin.calibration.inputs import merged
from nrm_plugin.calibration.lateral_sensitivity import (
    LateralSensitivity,
    per_lockin_volt,
    stiffness_of,
)
from nrm_plugin.calibration.pooling import widening
from nrm_plugin.columns import FloatArray
from nrm_plugin.delimited import TextTable
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet


@dataclass(frozen=True)
class Facet:
    """Friction loops at several loads on one slope.

    Attributes
    ----------
    slope : float
        Inclination along the scan in rad, positive where the sample rises with x.
    load : (n,) array
        Normal load (without adhesion), N; three or more different ones.
    half_width, offset : (n,) arrays
        Of the loops, V.
    """

    slope: float
    load: FloatArray
    half_width: FloatArray
    offset: FloatArray


@dataclass(frozen=True, kw_only=True)
class Wedge:
    """What the wedge method gives.

    Attributes
    ----------
    force_per_volt, force_per_volt_stderr : float
        alpha, N/V of the friction channel.
    friction, friction_stderr : float
        Coefficient of friction, the same on both slopes.
    residual : float
        By how many standard errors the two slopes disagree about it.
    """

    force_per_volt: float
    force_per_volt_stderr: float
    friction: float
    friction_stderr: float
    residual: float

    def sensitivity(
        self, lateral_stiffness: float, lateral_stiffness_stderr: float = 0.0
    ) -> LateralSensitivity:
        """Static sensitivity in m/V: alpha over the lateral stiffness (N/m).

        The product of both, which forces depend on, is known as well as alpha is.
        """
        value = self.force_per_volt / lateral_stiffness
        relative = hypot(
            self.force_per_volt_stderr / self.force_per_volt,
            lateral_stiffness_stderr / lateral_stiffness,
        )
        return LateralSensitivity(
            value=value,
            stderr=value * relative,
            of="static",
            method="wedge method (Ogletree 1996, Varenberg 2003)",
            notes=(
                f"alpha = {self.force_per_volt:.4g} +- {self.force_per_volt_stderr:.2g} N/V, "
                f"mu = {self.friction:.3f} +- {self.friction_stderr:.2g}",
            ),
        )


def wedge(facets: Sequence[Facet]) -> Wedge:
    """Solve for alpha and mu by weighted least squares.

    Half-widths and offsets are fitted with lines against load; their scatter about these lines
    gives the errors.

    Raises
    ------
    InvalidInput
        Unless there are two slopes with three or more loads each.
    CalibrationFailed
        If half-width or offsets do not change with load, or the two slopes contradict each other.
    """
    from scipy.optimize import least_squares

    if len(facets) != 2 or abs(facets[0].slope - facets[1].slope) < 0.02:
        raise InvalidInput("the wedge method needs two different slopes")
    lines = [_line(f.load, np.asarray(v)) for f in facets for v in (f.half_width, f.offset)]
    angles = np.array([f.slope for f in facets])
    seen = np.array([lines[0][0], lines[2][0], lines[1][0] - lines[3][0]])
    errors = np.array([lines[0][1], lines[2][1], hypot(lines[1][1], lines[3][1])])
    errors = np.maximum(errors, 1e-12 * np.abs(seen).max())
    sign = 1.0 if seen[0] > 0.0 else -1.0
    if np.any(sign * seen[:2] < 3.0 * errors[:2]) or abs(seen[2]) < 3.0 * errors[2]:
        raise CalibrationFailed(
            "half-width or offset of the loops does not grow with the load on both slopes: take "
            "more loads, steeper slopes, or longer lines"
        )

    def model(log_mu: float, log_alpha: float) -> FloatArray:
        mu, alpha = np.exp(log_mu), np.exp(log_alpha)
        below = np.cos(angles) ** 2 - mu**2 * np.sin(angles) ** 2
        offset = (1.0 + mu**2) * np.sin(angles) * np.cos(angles) / below
        return np.array([*(mu / below), abs(offset[0] - offset[1])], np.float64) / float(alpha)

    goal = np.abs(seen)
    mu = _start(angles, float(goal[2] / goal[:2].mean()))
    first = (np.log(mu), np.log(mu / goal[:2].mean()))

    def rest(log: FloatArray) -> FloatArray:
        return np.asarray((model(float(log[0]), float(log[1])) - goal) / errors)

    with np.errstate(all="ignore"):
        result = least_squares(rest, first, x_scale=0.1)
    jacobian = np.asarray(result.jac)
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    residual = float(np.sqrt(2.0 * result.cost))
    mu, alpha = (float(v) for v in np.exp(result.x))
    if not result.success or mu * np.tan(np.abs(angles)).max() >= 1.0 or residual > 6.0:
        raise CalibrationFailed(
            f"the two slopes contradict each other by {residual:.1f} standard errors: friction "
            "differs between them, the angles are wrong, or a loop is clipped"
        )
    return Wedge(
        force_per_volt=alpha,
        force_per_volt_stderr=alpha * float(np.sqrt(covariance[1, 1])),
        friction=mu,
        friction_stderr=mu * float(np.sqrt(covariance[0, 0])),
        residual=residual,
    )


def _start(angles: FloatArray, ratio: float) -> float:
    """The friction coefficient at which offset over half-width has a value; the smaller root."""
    tries = np.geomspace(1e-3, 0.99 / np.tan(np.abs(angles)).max(), 400)
    below = np.cos(angles)[:, None] ** 2 - tries**2 * np.sin(angles)[:, None] ** 2
    offset = (1.0 + tries**2) * (np.sin(angles) * np.cos(angles))[:, None] / below
    shown = np.abs(offset[0] - offset[1]) / (tries / below).mean(axis=0)
    return float(tries[np.argmin(np.abs(np.log(shown / ratio)))])


def _line(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Slope of a line and its standard error, widened by Student's t for few points."""
    x = np.asarray(x, float)
    if x.ndim != 1 or x.shape != y.shape or len(np.unique(x)) < 3:
        raise InvalidInput("three or more different loads are needed on each slope")
    away = x - x.mean()
    spread = float(away @ away)
    slope = float(away @ y) / spread
    left = y - y.mean() - slope * away
    error = np.sqrt(float(left @ left) / (len(x) - 2) / spread)
    return slope, float(error) * widening(len(x) - 2)


def facets_from_table(table: TextTable) -> list[Facet]:
    """Facets of a table with the columns slope, load, half_width and offset, each with its unit.

    One line holds the loops at one load on one slope, ``slope (deg), load (nN), half_width (mV),
    offset (mV)``.

    Raises
    ------
    InvalidInput
        If a column or its unit is missing, or a cell is no number.
    """
    units = {"slope": "rad", "load": "N", "half_width": "V", "offset": "V"}
    columns = {name: table.si(unit, name) for name, unit in units.items()}
    if not all(np.isfinite(values).all() for values in columns.values()):
        raise InvalidInput(f"{table.path}: every line has a number for {', '.join(units)}")
    facets = []
    for slope in np.unique(columns["slope"]):
        on = columns["slope"] == slope
        load, half_width, offset = (columns[name][on] for name in ("load", "half_width", "offset"))
        facets.append(Facet(float(slope), load, half_width, offset))
    return facets


class WedgeCalibration:
    """Lateral sensitivity from friction loops on two slopes (Ogletree, Varenberg).

    FILE is a table with the columns slope, load, half_width and offset, each with its unit,
    'load (nN)': one line per load and slope. Needed are lateral_stiffness and lateral_output_gain.
    """

    needs = "table"

    def estimate(self, inputs: Sequence[CurveSet | TextTable], settings: None = None) -> Estimate:
        """See `wedge`."""
        curves = merged(inputs)
        stiffness, error = stiffness_of(curves)
        tables = [one for one in inputs if isinstance(one, TextTable)]
        if len(tables) != 1:
            raise InvalidInput(
                f"one table of friction loops is needed, and {len(tables)} were given"
            )
        result = wedge(facets_from_table(tables[0]))
        return per_lockin_volt(result.sensitivity(stiffness, error), curves)


WEDGE = WedgeCalibration()
