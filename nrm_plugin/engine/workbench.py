"""One curve at a time, with what is known of all: what a person looks at while deciding."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.decisions import ContactByHand, far_outside
from nrm_plugin.engine.chain import Chain, SurveyedDirection
from nrm_plugin.engine.contact import find_contacts
from nrm_plugin.engine.contacts_by_hand import moved_contacts
from nrm_plugin.engine.derivative import lever_for
from nrm_plugin.engine.ensemble import Ensemble, Surveyor, cosines
from nrm_plugin.engine.kept_survey import KeptSurvey
from nrm_plugin.engine.signals import Block, RawBlock, read_raw_block
from nrm_plugin.engine.whole import Whole
from nrm_plugin.errors import InvalidInput
from nrm_plugin.formats import open as open_curves
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe, as_recipe
from nrm_plugin.variables import BIT, FLAGS

if TYPE_CHECKING:
    import xarray as xr

#: Recipes whose ensembles are kept.
_KEPT = 8

Line = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class CurveDetail:
    """One direction of one curve: its samples, what was found in them, and its row of the results.

    Samples run from far away to the surface; all is SI.

    Attributes
    ----------
    number : int
        Of the curve in its set.
    direction : str
    height : (n,) array
        As recorded, in m.
    deflection, deflection_raw : (n,) arrays
        In m: without spikes and fringe, and as recorded.
    distance : (n,) array
        From the electrode, in m; nan without a contact.
    force_normal : (n,) array
        In N; nan without a spring constant.
    lateral_in_phase, lateral_quadrature : (n,) arrays
        F*x and F*y, peak, in N: with the instrument's phase, the lock-in's lag and the baseline far
        away taken out. Empty without a lateral signal.
    lateral_in_phase_raw, lateral_quadrature_raw : (n,) arrays
        The same as recorded.
    baseline_line, wall_line : ((height, deflection), (height, deflection)) or None
        Two points of each line that was fitted, in m. They cross where the method found the
        contact, which drag (`drag`) and a person may have moved.
    baseline_window, wall_window : (height, height)
        Where the fits begin and end, in m; nan without.
    contact_height, contact_height_stderr : float
        In m, as in the results; by hand where `contact_by_hand` says so.
    contact_found, contact_found_stderr : float
        The same as the method found it.
    contact_by_hand : bool
    drag : float
        How far drag of the liquid moves the contact heights, in m: included in both.
    depth : (m,) array
        Distances of the profiles, in m.
    distance_bin : (k,) array
        Middles of the bins of the lateral force, in m; empty without a lateral signal.
    values : mapping of str to number or array
        The curve's row of the results by their names: storage_modulus, storage_modulus_stderr, ...
    flags : tuple of str
        Names of what is doubtful (bits of ``quality``).
    """

    number: int
    direction: str
    height: FloatArray
    deflection: FloatArray
    deflection_raw: FloatArray
    distance: FloatArray
    force_normal: FloatArray
    lateral_in_phase: FloatArray
    lateral_quadrature: FloatArray
    lateral_in_phase_raw: FloatArray
    lateral_quadrature_raw: FloatArray
    baseline_line: Line | None
    wall_line: Line | None
    baseline_window: tuple[float, float]
    wall_window: tuple[float, float]
    contact_height: float
    contact_height_stderr: float
    contact_found: float
    contact_found_stderr: float
    contact_by_hand: bool
    drag: float
    depth: FloatArray
    distance_bin: FloatArray
    values: Mapping[str, Any]
    flags: tuple[str, ...]

    @property
    def force_max(self) -> float:
        """Largest normal force of the samples, in N; nan where it is not known."""
        finite = self.force_normal[np.isfinite(self.force_normal)]
        return float(finite.max()) if len(finite) else float("nan")


class Workbench:
    """Processes single curves, with the survey of all of them kept. It may be used by threads.

    Parameters
    ----------
    curves : CurveSet or path
    recipe : Recipe, mapping or path, optional
        By default that of the results, if there are some.
    survey : Dataset, path or KeptSurvey, optional
        Results of these curves, or of more of which these are a part: what was learnt of them is
        not learnt again, but for what another recipe changes. Or what was learnt of others that
        came before, as `learnt` gives it.

    Attributes
    ----------
    notes : tuple of str
        What is not as in the results.
    """

    def __init__(
        self,
        curves: CurveSet | str | PathLike[str],
        recipe: Recipe | Mapping[str, Any] | str | PathLike[str] | None = None,
        survey: xr.Dataset | str | PathLike[str] | KeptSurvey | None = None,
    ) -> None:
        self.curves = curves if isinstance(curves, CurveSet) else open_curves(curves)
        known = survey if isinstance(survey, KeptSurvey) else None
        self._whole = None
        if survey is not None and not isinstance(survey, KeptSurvey):
            self._whole = Whole.of(survey, self.curves)
            known = self._whole.survey
        if recipe is None and self._whole is not None:
            recipe = self._whole.recipe
        self.recipe = as_recipe(recipe)
        self.notes = self._whole.notes(self.recipe) if self._whole else ()
        self._surveyor = Surveyor(
            self.curves,
            known,
            part=known is not None if self._whole is None else not self._whole.complete,
            keep=True,
        )
        self._ensembles: OrderedDict[Recipe, Ensemble] = OrderedDict()
        self._cosines: OrderedDict[tuple[Recipe, str], FloatArray] = OrderedDict()
        self._of_places: dict[str, Any] = {}
        self._lock = threading.RLock()

    def warm(self) -> None:
        """Do beforehand what other recipes need, so that curves come fast whatever is changed."""
        ensemble = self.ensemble(self.recipe)
        with self._lock:
            self._surveyor.warm(ensemble)
        for name in ("approach", "retract"):
            with contextlib.suppress(InvalidInput):
                self.curve(0, direction=name)

    def learnt(self) -> KeptSurvey | None:
        """Return what was learnt of the curves under the recipe, for others that follow them."""
        return KeptSurvey.of(self.ensemble(self.recipe).attributes)[0]

    def ensemble(self, recipe: Recipe) -> Ensemble:
        """What all curves share under a recipe."""
        with self._lock:
            found = self._ensembles.get(recipe)
            if found is None:
                found = self._ensembles[recipe] = self._surveyor.learn(recipe)
                while len(self._ensembles) > _KEPT:
                    self._ensembles.popitem(last=False)
            self._ensembles.move_to_end(recipe)
            return found

    def curve(
        self,
        number: int,
        recipe: Recipe | Mapping[str, Any] | str | PathLike[str] | None = None,
        contact: ContactByHand | float | None = None,
        direction: str | None = None,
    ) -> CurveDetail:
        """Process one curve.

        Parameters
        ----------
        number : int
        recipe : Recipe, mapping or path, optional
            Another one than that of the workbench.
        contact : ContactByHand or float, optional
            Contact height in m instead of the one that the method finds.
        direction : str, optional
            approach or retract; by default the first of the recipe.

        Raises
        ------
        InvalidInput
            If there is no such curve, it has no part of this direction, or the contact lies far
            outside of its heights.
        """
        recipe = self.recipe if recipe is None else as_recipe(recipe)
        direction = direction or recipe.directions[0]
        if direction not in recipe.directions:
            recipe = recipe.replace(direction=direction)
        if not 0 <= number < self.curves.n_curves:
            raise InvalidInput(f"there is no curve {number}: there are {self.curves.n_curves}")
        ensemble = self.ensemble(recipe)
        surveyed = ensemble.direction(direction)
        raw = read_raw_block(
            ensemble.chain.curves,
            ensemble.chain.plan,
            surveyed.ranges,
            np.array([number]),
            direction,
        )
        if not raw.lengths[0]:
            raise InvalidInput(f"curve {number} has no part that is called {direction}")
        hand = None
        if contact is not None:
            hand = contact if isinstance(contact, ContactByHand) else ContactByHand(float(contact))
        cosine = self._cosine(ensemble, surveyed, number)
        places = self._places(direction, number)
        return _detail(ensemble.chain, surveyed, raw, cosine, hand, number, places)

    def _cosine(self, ensemble: Ensemble, surveyed: SurveyedDirection, number: int) -> FloatArray:
        recipe = ensemble.chain.recipe
        if not recipe.correct_slope:
            return np.ones(1)
        key = recipe, surveyed.name
        with self._lock:
            if key not in self._cosines:
                known = self._whole.cosine(surveyed.name) if self._whole else None
                found = cosines(ensemble.chain, surveyed) if known is None else known
                self._cosines[key] = found
                while len(self._cosines) > _KEPT:
                    self._cosines.popitem(last=False)
            return self._cosines[key][number : number + 1]

    def _places(self, direction: str, number: int) -> dict[str, Any]:
        """Slope of the surface and its flag, which neighbours tell: from the results."""
        with self._lock:
            if direction not in self._of_places:
                self._of_places[direction] = self._whole.places(direction) if self._whole else None
            known = self._of_places[direction]
        if known is None:
            return {"surface_slope": np.float64(np.nan), "quality": 0}
        return {"surface_slope": known[0][number], "quality": known[1][number]}


def _detail(
    chain: Chain,
    surveyed: SurveyedDirection,
    raw: RawBlock,
    cosine: FloatArray,
    hand: ContactByHand | None,
    number: int,
    places: Mapping[str, Any],
) -> CurveDetail:
    block = raw.gathered()
    if hand is not None and hand.misses(block.height):
        raise InvalidInput(far_outside([(number, hand)]))
    found = find_contacts(block, chain.plan, chain.recipe.contact, surveyed.survey)
    stderr = surveyed.contact_stderr(found.contacts)
    drag = surveyed.drag[0]
    if hand is None:
        done, used = chain.done(surveyed, raw, cosine), found
    else:
        done = chain.done_by_hand(surveyed, raw, cosine, [hand])
        used = moved_contacts(block, found, stderr, [hand], drag)[0]
    kinds = {name: variable.dtype for name, variable in chain.variables.items()}
    row = chain.values(surveyed, raw, done)
    row["quality"] = row["quality"] | places["quality"]
    row["surface_slope"] = np.array([places["surface_slope"]])
    if "slope_cosine" in kinds:
        row["slope_cosine"] = cosine
    values = {name: array[0].astype(kinds[name]) for name, array in row.items() if name in kinds}
    lever = lever_for(chain.recipe, chain.plan, surveyed.survey)
    record = used.contacts[0]
    bent = found.clean - record["baseline_slope"] * block.height - record["baseline_at"]
    distance = block.height - record["contact"] + bent / lever.wall_slope
    reach = float(chain.depth[-1]) / float(cosine[0]) + lever.half_width
    x, y = _lateral(block, record, reach, chain.delay(raw), line=lever.lateral_line)
    unturned = _unturned(raw)
    quality = int(values["quality"])
    return CurveDetail(
        number=number,
        direction=surveyed.name,
        height=block.height,
        deflection=found.clean,
        deflection_raw=block.deflection,
        distance=distance * cosine[0],
        force_normal=lever.spring_constant * bent,
        lateral_in_phase=x,
        lateral_quadrature=y,
        lateral_in_phase_raw=unturned[0],
        lateral_quadrature_raw=unturned[1],
        baseline_line=_baseline(record, block.height),
        wall_line=_wall(found.contacts[0], block.height),
        baseline_window=(float(values["baseline_begin"]), float(values["baseline_end"])),
        wall_window=(float(values["wall_begin"]), float(values["wall_end"])),
        contact_height=float(values["contact_height"]),
        contact_height_stderr=float(values["contact_height_stderr"]),
        contact_found=float(found.contacts["contact"][0] + drag),
        contact_found_stderr=float(stderr[0]),
        contact_by_hand=hand is not None,
        drag=drag,
        depth=chain.depth,
        distance_bin=chain.axes.get("distance_bin", np.empty(0)),
        values=values,
        flags=tuple(name for name in FLAGS if quality & BIT[name]),
    )


def _unturned(raw: RawBlock) -> tuple[FloatArray, FloatArray]:
    """The lateral signal as recorded, in N."""
    block = replace(raw, phase=0.0).gathered()
    return block.in_phase, block.quadrature


def _lateral(
    block: Block, record: AnyArray, reach: float, delay: float, *, line: bool
) -> tuple[FloatArray, FloatArray]:
    """Lateral force of each sample: that of the delay later, less what is far away."""
    if not len(block.in_phase):
        return block.in_phase, block.quadrature
    height, n = block.height, len(block.height)
    end = int(np.nan_to_num(record["baseline_end"]))
    near = np.flatnonzero(~(height[:end] - record["contact"] > reach))
    far = slice(0, max(int(near[0]) if len(near) else end, end // 3, 1))
    at = np.arange(n) + delay
    made = []
    for signal in (block.in_phase, block.quadrature):
        slope, offset = 0.0, float(np.mean(signal[far]))
        if line and far.stop >= 64 and abs(np.ptp(height[far])) >= 0.5 * reach:
            slope, offset = np.polyfit(height[far], signal[far], 1)
        less = signal - offset - slope * height
        made.append(np.interp(at, np.arange(n), less, left=np.nan, right=np.nan))
    return made[0], made[1]


def _baseline(record: AnyArray, height: FloatArray) -> Line | None:
    """The baseline's line from its beginning to where it meets the wall."""
    at, slope, near = (float(record[n]) for n in ("baseline_at", "baseline_slope", "contact"))
    if not np.isfinite([at, slope, near]).all():
        return None
    far = float(height[0])
    return (far, at + slope * far), (near, at + slope * near)


def _wall(record: AnyArray, height: FloatArray) -> Line | None:
    """The wall's line from where it meets the baseline to the end of its window."""
    begin, count = (float(record[n]) for n in ("wall_begin", "wall_samples"))
    at, slope, zero = (float(record[n]) for n in ("baseline_at", "baseline_slope", "contact"))
    steep = slope + float(record["wall_slope"])
    if not (np.isfinite([at, slope, zero, steep, begin]).all() and count > 0.0):
        return None
    end = float(height[min(int(begin + count), len(height)) - 1])
    crossing = at + slope * zero
    return (zero, crossing), (end, crossing + steep * (end - zero))
