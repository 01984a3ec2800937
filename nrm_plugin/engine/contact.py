"""The solid contact of every curve, its errors, and what is doubtful about it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.engine import compiled
from nrm_plugin.engine.compiled import Crossing, RecordArray
from nrm_plugin.engine.signals import Block, Plan, RawBlock
from nrm_plugin.engine.survey import RIGID, Survey
from nrm_plugin.engine.wall_slopes import LEAST_SLOPE
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.hookspecs import ContactFound, ContactMethod, with_settings
from nrm_plugin.recipe import Contact
from nrm_plugin.variables import BIT

#: A wall shorter than this says little (m).
SHORT_WALL = 10e-9

#: So does one of fewer samples, which is the smallest window of a sparse ramp and hardly more.
_FEW_ON_WALL = 8

#: A baseline has at least so many samples, or this part of all where there are few.
_ON_BASELINE, _PART_ON_BASELINE = 100, 0.25

#: Depth by which the lock-in may lag (m).
MOST_LAG = 0.5e-9

#: No wall is steeper than the pooled slope by more than this factor.
_STEEPEST = 1.3

#: What `ContactBlock.prepared` leaves open: all that belongs to a method.
_OF_THE_METHOD = (
    "contact",
    "stderr",
    "wall_begin",
    "wall_slope",
    "wall_slope_stderr",
    "wall_length",
    "wall_samples",
    "other_contact",
    "half_contact",
    "outer_contact",
)


@dataclass(frozen=True, kw_only=True)
class ContactBlock:
    """Some curves as a contact method takes them.

    Attributes
    ----------
    begin : (n + 1,) array of int
        Where each curve begins in the flat arrays, and the end.
    height, deflection : flat arrays
        In m, samples from far away to the surface, as they were recorded.
    crossing : Crossing
        What is known of all curves, and what the recipe asks for.
    """

    begin: IntArray
    height: FloatArray
    deflection: FloatArray
    crossing: Crossing

    @classmethod
    def of_one(cls, height: Any, deflection: Any) -> ContactBlock:
        """One curve, of which nothing is known."""
        arrays = {"height": np.asarray(height, float), "deflection": np.asarray(deflection, float)}
        begin = np.array([0, len(arrays["height"])])
        return cls(begin=begin, crossing=Crossing(spikes=False), **arrays)

    def crossed(self, **changes: Any) -> tuple[RecordArray, FloatArray]:
        """Contacts where two lines cross, and the deflection without spikes and fringe.

        Parameters
        ----------
        **changes
            Fields of `Crossing`.
        """
        crossing = self.crossing._replace(**changes)
        return compiled.reference(self.begin, self.height, self.deflection, crossing)

    def prepared(self) -> tuple[RecordArray, FloatArray]:
        """Curves without spikes and fringe, with noise and baseline, but no contact and no wall."""
        contacts, clean = self.crossed()
        for name in _OF_THE_METHOD:
            contacts[name] = np.nan
        return contacts, clean


@dataclass(frozen=True)
class Referenced:
    """What is found for the curves of a block; arrays have one value per curve.

    Attributes
    ----------
    contacts : array of `compiled.CONTACT`
    clean : flat array
        Deflection without spikes and fringe.
    quality : array of int
        Flags as bits.
    """

    contacts: RecordArray
    clean: FloatArray
    quality: NDArray[np.int64]

    @property
    def systematic(self) -> FloatArray:
        """How far the contact moves with the other slope of `crossing_for`, in m."""
        return systematic(self.contacts)


def systematic(contacts: RecordArray) -> FloatArray:
    """How far the contact moves with the other slope of `crossing_for`, in m."""
    moved: FloatArray = np.abs(contacts["other_contact"] - contacts["contact"])
    return moved


def windows(block: RawBlock, contacts: RecordArray) -> dict[str, FloatArray]:
    """Heights at which each curve's baseline and wall begin and end, in m; nan without them."""
    samples, wall = contacts["baseline_end"], contacts["wall_begin"]
    return {
        "baseline_begin": block.height_at(np.where(samples > 0, 0.0, np.nan)),
        "baseline_end": block.height_at(samples - 1),
        "wall_begin": block.height_at(wall),
        "wall_end": block.height_at(wall + contacts["wall_samples"] - 1),
    }


def distance_slope(contact: Contact, wall_slope: float) -> float:
    """Deflection per height that stands for the distance; positive.

    Parameters
    ----------
    contact : Contact
        Of the recipe.
    wall_slope : float
        Of the data set's walls, negative.
    """
    return abs(wall_slope) if contact.distance == "wall" else 1.0


def force_factor(contact: Contact, wall_slope: float) -> float:
    """Factor of the spring constant, and so of normal forces.

    The wall's slope s corrects the told sensitivity to S / |s|. The spring constant stays, or
    becomes k s^2 where a thermal tune with the told sensitivity gave it.
    """
    return {"told": 1.0, "wall": 1.0 / abs(wall_slope), "wall-thermal": abs(wall_slope)}[
        contact.force
    ]


def crossing_for(contact: Contact, found: Survey) -> Crossing:
    """What is known of all curves, and what the recipe asks for."""
    pooled, calibrated = (found.slope, found.slope_stderr), RIGID
    slope, stderr = {"pooled": pooled, "calibrated": calibrated, "free": (0.0, np.inf)}[
        contact.slope
    ]
    # Another slope for the systematic error: the other of the two, or what errors may make of it.
    other_slope, other_stderr = pooled
    if contact.slope == "free":
        other_slope, other_stderr = calibrated
    elif contact.slope == "pooled":
        other_slope += found.slope_common
    return Crossing(
        slope=slope,
        slope_stderr=stderr,
        wave=found.wave,
        spikes=contact.spikes,
        other_slope=other_slope,
        other_slope_stderr=other_stderr,
        soft_slope=found.soft_slope if contact.slope == "pooled" else 0.0,
        soft_slope_stderr=found.soft_slope_stderr,
        turn=found.turn,
    )


def find_contacts(block: Block, how: Plan, contact: Contact, found: Survey) -> Referenced:
    """Reference the curves of a block.

    Parameters
    ----------
    contact : Contact
        Of the recipe. Its method is asked for the whole block where it has ``find_block``, else
        curve by curve.

    Raises
    ------
    InvalidInput
        Naming the method, if it fails or gives something else than a contact.
    """
    method = contact.chosen
    settings = with_settings(method, contact.settings)
    task = ContactBlock(
        begin=block.begin,
        height=block.height,
        deflection=block.deflection,
        crossing=crossing_for(contact, found),
    )
    whole = getattr(method, "find_block", None)
    try:
        if whole is not None:
            contacts, clean = whole(task, *settings)
        else:
            contacts, clean = _curve_by_curve(method, task, settings)
    except NrmError:
        raise
    except Exception as error:
        raise InvalidInput(
            f"the contact method {method.name} failed ({type(error).__name__}: {error})"
        ) from error
    return Referenced(contacts, clean, flags(block, how, contacts, found))


def _curve_by_curve(
    method: ContactMethod, block: ContactBlock, settings: tuple[Any, ...]
) -> tuple[RecordArray, FloatArray]:
    contacts, clean = block.prepared()
    for i, (a, b) in enumerate(pairwise(block.begin)):
        if a == b:
            continue
        found = method.find(block.height[a:b], clean[a:b], *settings)
        if not isinstance(found, ContactFound):
            height, stderr = found
            found = ContactFound(height=height, stderr=stderr)
        _enter(contacts[i], block.height[a:b], found)
    return contacts, clean


def _enter(record: Any, height: FloatArray, found: ContactFound) -> None:
    """Take what a method found of a curve into its record."""
    record["contact"], record["stderr"] = float(found.height), float(found.stderr)
    if found.baseline is not None:
        first, samples = _window(height, found.baseline)
        record["baseline_end"] = first + samples
    if found.wall is not None:
        record["wall_begin"], record["wall_samples"] = _window(height, found.wall)
        record["wall_length"] = abs(found.wall[1] - found.wall[0])
    if found.lines is not None:
        record["baseline_at"], record["baseline_slope"], _, steep = map(float, found.lines)
        record["wall_slope"] = steep - record["baseline_slope"]
    if np.isfinite(found.noise):
        record["noise"] = found.noise


def _window(height: FloatArray, ends: tuple[float, float]) -> tuple[int, int]:
    """First sample and number of samples between two heights."""
    inside = np.flatnonzero((height >= min(ends)) & (height <= max(ends)))
    return (int(inside[0]), len(inside)) if len(inside) else (0, 0)


def details(record: Any, height: FloatArray) -> ContactFound:
    """Record of a curve as a method returns it."""
    if not np.isfinite(record["contact"]):
        return ContactFound(height=np.nan)
    at, offset, tilt = (float(record[n]) for n in ("contact", "baseline_at", "baseline_slope"))
    steep = tilt + float(record["wall_slope"])
    end, begin = int(record["baseline_end"]), int(record["wall_begin"])
    stop = begin + int(record["wall_samples"])
    return ContactFound(
        height=at,
        stderr=float(record["stderr"]),
        baseline=(float(height[0]), float(height[end - 1])),
        wall=(float(height[begin]), float(height[stop - 1])),
        lines=(offset, tilt, offset + (tilt - steep) * at, steep),
        noise=float(record["noise"]),
    )


#: A wall gives way if its slope is smaller than that of the steepest by so many standard errors,
#: and by this part of it: a rigid one and one of 3 GPa differ by as much.
_SURE, _GIVES_WAY = 3.0, 0.01


def surface_class(
    contacts: RecordArray, quality: NDArray[np.int64], found: Survey
) -> NDArray[np.int8]:
    """Class of every curve's surface, by its wall's slope: a place in `SURFACES`.

    -1 where there is no wall, or nothing tells a ramp that ended in a layer from one on a wall.
    """
    steepest = found.modes[0].slope if found.modes else found.slope
    width = found.modes[0].width if found.modes else found.slope_spread
    error = np.hypot(contacts["wall_slope_stderr"], width)
    softer = contacts["wall_slope"] - steepest
    known = np.isfinite(softer) & np.isfinite(error) & found.walls
    known &= (quality & BIT["no_hard_contact"]) == 0
    yields = softer > np.maximum(_SURE * error, -_GIVES_WAY * steepest)
    return np.where(known, yields, -1).astype(np.int8)


def flags(
    block: Block | RawBlock, how: Plan, contacts: RecordArray, found: Survey
) -> NDArray[np.int64]:
    """Flags of every curve; 0 for a curve without flags."""
    missing = ~np.isfinite(contacts["contact"])
    slope = contacts["wall_slope"]  # what a method says nothing of is nan, and raises no flag
    off = np.abs(slope - found.slope)
    stderr = 4.0 * contacts["wall_slope_stderr"]
    soft = (
        missing | (off > np.fmax(stderr, 0.06 * -found.slope)) | (slope > LEAST_SLOPE * found.slope)
    )
    gives_way = np.abs(slope - found.soft_slope) <= np.fmax(stderr, 3.0 * found.soft_slope_stderr)
    gives_way &= found.soft_slope < 0.0
    baseline = contacts["baseline_end"]
    noise = np.maximum(contacts["noise"], 1e-15)
    spread = max(5.0 * found.slope_spread, 0.02 * -found.slope)
    dragged = np.zeros(len(block), bool)
    if how.lag:
        with np.errstate(invalid="ignore", divide="ignore"):
            speed = block.travel / np.maximum(block.lengths - 1, 1) / block.interval
            dragged = ~(speed * how.lag <= MOST_LAG)  # also where the clock stands
    raised = {
        "no_hard_contact": soft,
        "short_wall": (contacts["wall_length"] < SHORT_WALL)
        | (contacts["wall_samples"] < _FEW_ON_WALL)
        | (contacts["stderr"] > 0.5e-9),
        "short_baseline": (baseline < np.minimum(_ON_BASELINE, _PART_ON_BASELINE * block.lengths))
        | (baseline < contacts["wall_samples"]),
        "saturated": contacts["saturated"] > 0,
        "slope_outlier": ~soft
        & ~gives_way
        & ((off > np.fmax(stderr, spread)) | (slope < _STEEPEST * found.slope)),
        "structure": (contacts["long_run"] > 3.0 * noise) | (found.fringe.left > 0.0),
        "spikes": contacts["spikes"] > 0,
        "lag": dragged,
        "prior_conflict": systematic(contacts) > 0.5e-9,
        "missing_lateral": np.full(len(block), not how.lateral),
    }
    quality = np.zeros(len(block), np.int64)
    for name, where in raised.items():
        quality |= np.where(where, BIT[name], 0)
    return quality
