"""What cannot be processed at all: wrong signs, impossible sensitivities, volts at the output."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.calibration import lockin
from nrm_plugin.columns import ComplexArray, FloatArray, IntArray
from nrm_plugin.engine.contact import Referenced
from nrm_plugin.engine.signals import Block, Plan
from nrm_plugin.engine.wall_slopes import MOST_RATIO
from nrm_plugin.errors import InvalidInput
from nrm_plugin.kernels import RecordArray
from nrm_plugin.model import CurveSet
from nrm_plugin.variables import BIT

#: A lateral force that grows with the load to a larger power than this belongs to a tip that slips.
SLIPS = 0.6

#: Share of the walls that must show it before all curves are called wrong.
_MOST = 0.5


def refuse_wrong_signs(block: Block, referenced: Referenced) -> None:
    """Raise if walls show that a sign or the deflection's sensitivity is wrong.

    On the wall of a rigid sample the deflection grows by as much as the height falls.

    Raises
    ------
    InvalidInput
    """
    walls_found = referenced.contacts
    slope = walls_found["wall_slope"]
    swing = walls_found["wall_length"] * np.abs(slope)
    sure = swing > 20.0 * walls_found["noise"]
    sure &= np.abs(slope) > 5.0 * walls_found["wall_slope_stderr"]
    walls = max(int(sure.sum()), 1)
    if np.sum(sure & (slope > 0.1)) > _MOST * walls:
        risen = _risen(block)
        if np.sum(risen[sure] < 0.0) > _MOST * walls:
            raise InvalidInput(
                "the deflection falls where the tip is pressed onto the sample: its sign is wrong. "
                "Give deflection_sensitivity the other sign"
            )
        raise InvalidInput(
            "the height grows where the tip is pressed onto the sample: its sign is wrong. "
            "height must be larger where the tip is farther away"
        )
    if np.sum(sure & (slope < -MOST_RATIO)) > _MOST * walls:
        raise InvalidInput(
            f"on the wall the deflection grows by {-np.median(slope[sure]):.3g} nm per nm, and no "
            "more than 1 is possible: deflection_sensitivity is too large by that factor"
        )


def _risen(block: Block) -> FloatArray:
    """Deflection at the last samples of every curve less that at the first."""
    risen = np.zeros(len(block))
    for i in range(len(block)):
        part = block.deflection[block.begin[i] : block.begin[i + 1]]
        few = max(len(part) // 50, 1)
        if len(part):
            risen[i] = part[-few:].mean() - part[:few].mean()
    return risen


def refuse_output_volts(curves: CurveSet, how: Plan, numbers: IntArray) -> None:
    """Raise if volts at the lock-in's output are called volts at its input."""
    for source in (how.in_phase, how.quadrature):
        if source is not None and curves.channels[source.channel].unit == "V":
            lockin.refuse_output_volts(curves, curves.read(source.channel, numbers[:64]))


def lateral_flags(found: RecordArray) -> NDArray[np.int64]:
    """Flags that the lateral signal raises: it slips on the wall, or is missing.

    Parameters
    ----------
    found : array of `kernels.LATERAL_CHECK`
    """
    with np.errstate(invalid="ignore"):
        slips = found["exponent"] - 3.0 * found["stderr"] > SLIPS
        slips &= found["straight"] > 0.0
    gone = found["missing"] > 0.0
    return slips * np.int64(BIT["slip"]) | gone * np.int64(BIT["missing_lateral"])


def on_the_wall(lateral: RecordArray, stiffness: float) -> dict[str, FloatArray]:
    """Motion of the tip (m, peak) and phase (rad) at the highest loads on the wall of each curve.

    Parameters
    ----------
    lateral : (n,) array of `kernels.LATERAL_CHECK`
    stiffness : float
        Lateral stiffness in N/m; 0 if it is not known, and then so are motions.
    """
    force = top_force(lateral)
    motion = np.abs(force) / stiffness if stiffness else np.full(len(force), np.nan)
    return {"wall_lateral_amplitude": motion, "wall_lateral_phase": np.angle(force)}


def top_force(lateral: RecordArray) -> ComplexArray:
    """Lateral force (N, peak) of each curve in the highest quarter of the load that has samples."""
    force: ComplexArray = lateral["wall_x"] + 1j * lateral["wall_y"]
    known = np.isfinite(force)
    last = force.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    return np.take_along_axis(force, last[:, None], axis=1)[:, 0]
