"""Results with what was decided by hand about their curves.

A contact that was moved after the processing shifts the distances of its curve. Its profiles are
then read between the distances for which they were computed (straight lines between neighbours,
nothing beyond the last); `nrm process` makes them anew at the distances wanted.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.decisions import ContactByHand, Decisions, far_outside
from nrm_plugin.lazy_arrays import LazyArray, lazy_variable
from nrm_plugin.statements import parsed
from nrm_plugin.text import counted
from nrm_plugin.variables import CURVE, DECIDED, MOVED

#: Contacts that are nearer to each other are one (m).
_SAME = 1e-13

#: Variables of curves that follow from the contact; the last ones are distances from the electrode,
#: which become smaller where the contact lies higher.
_OF_CONTACT = (
    "contact_height",
    "contact_height_stderr",
    "baseline_deflection",
    "depth_valid_min",
    "normal_onset",
    "break_through_distance",
    "first_break_through_distance",
    "adhesion_distance",
    "pull_off_distance",
    "lateral_onset",
)

#: Moduli are the gradient of the force divided by the shape factor, which has a value per depth.
_MODULI = tuple(f"{m}_modulus{end}" for m in ("storage", "loss") for end in ("", "_stderr"))

_EXACT = "nrm process makes them exact"


def with_decisions(results: xr.Dataset, decisions: Decisions) -> xr.Dataset:
    """Return results with `by_hand`, with moved contacts, and with what they say of it.

    Parameters
    ----------
    results : Dataset
        As a file holds them, without what follows from other variables.
    decisions : Decisions
        About their curves.
    """
    by_hand = decisions.by_hand.copy()
    before = results["by_hand"].values & MOVED if "by_hand" in results else 0 * by_hand
    moves = ContactMoves(results, decisions.contacts)
    by_hand[[number for number, _ in moves.missing]] &= ~MOVED
    by_hand[[number for number, _ in decisions.contacts.keys() - moves.missing]] |= MOVED
    by_hand |= before.astype(np.int8)
    stale = int(np.sum((before != 0) & (decisions.by_hand & MOVED == 0)))
    said = [*decisions.notes, *moves.messages]
    if stale:
        said.append(
            f"{counted(stale, 'contact')} set by hand when the curves were processed, and taken "
            "back since: nrm process finds them anew"
        )
    results = results.assign(moves.variables())
    results = results.assign(by_hand=xr.Variable(CURVE, by_hand, DECIDED["by_hand"].attributes))
    earlier = str(results.attrs.get("warnings", "")).splitlines()
    warnings = [*earlier, *(sentence for sentence in said if sentence not in earlier)]
    return results.assign_attrs(decisions=decisions.as_json(), warnings="\n".join(warnings))


#: A direction by its number, and some curves of it.
Rows = tuple[int, IntArray]


class ContactMoves:
    """Contacts that lie elsewhere than those with which results were made.

    Parameters
    ----------
    results : Dataset
    contacts : mapping of (curve, direction) to ContactByHand

    Attributes
    ----------
    messages : list of str
    missing : set of (curve, direction)
        Contacts that lie far outside of their curves, and are left where they were.
    """

    def __init__(
        self, results: xr.Dataset, contacts: Mapping[tuple[int, str], ContactByHand]
    ) -> None:
        self.results, self.messages = results, list[str]()
        self.missing = set[tuple[int, str]]()
        self._directions = _directions(results)
        shape = len(self._directions), results.sizes["curve"]
        self._height, self._stderr = np.full(shape, np.nan), np.full(shape, np.nan)
        self._shift = np.zeros(shape)
        if not contacts:
            return
        elsewhere, ends = 0, self._ends()
        before = _table(results, "contact_height").reshape(shape)
        for (curve, direction), contact in sorted(contacts.items()):
            if direction not in self._directions:
                elsewhere += 1
                continue
            at = self._directions.index(direction), curve
            differs = not abs(contact.height - before[at]) <= _SAME
            if ends is not None and differs and contact.misses(ends[:, at[0], curve]):
                self.missing.add((curve, direction))
            else:
                self._height[at], self._stderr[at] = contact.height, contact.stderr
        if self.missing:
            self.messages.append(
                far_outside([(key[0], contacts[key]) for key in sorted(self.missing)])
            )
        if elsewhere:
            self.messages.append(
                f"{counted(elsewhere, 'contact')} set by hand in a direction of the ramp that "
                "these results do not have"
            )
        wanted = np.isfinite(self._height)
        if not wanted.any():
            return
        by = self._height - before
        lost = int(np.sum(wanted & ~np.isfinite(by)))
        self._shift[wanted] = np.where(np.abs(by) <= _SAME, 0.0, by)[wanted]
        if lost:
            self.messages.append(
                f"{counted(lost, 'contact')} set by hand where none had been found: these curves "
                "have no profiles until nrm process makes them"
            )
        moved = int(np.sum(np.isfinite(self._shift) & (self._shift != 0.0)))
        if moved:
            self.messages.append(
                f"{counted(moved, 'contact')} moved by hand after the processing: distances of "
                "these curves are shifted and their profiles read between the distances for which "
                f"they were computed; {_EXACT}"
            )

    def _ends(self) -> FloatArray | None:
        """Heights at which curves begin and end, as far as results tell; else the outermost."""
        names = ("wall_end", "baseline_begin")
        if not set(names) <= set(self.results.variables):  # results of an earlier version
            return None
        ends = np.stack([_table(self.results, name).reshape(self._shift.shape) for name in names])
        known = [row[np.isfinite(row)] for row in ends.reshape(2, -1)]
        if all(map(len, known)):
            for row, outermost in zip(ends, (known[0].min(), known[1].max()), strict=True):
                row[~np.isfinite(row)] = outermost
        return ends

    def variables(self) -> dict[str, xr.Variable]:
        """Variables that change with the contacts; their numbers are made when asked for."""
        rows = (self._shift != 0.0) | np.isfinite(self._stderr)
        if not rows.any():
            return {}
        made = {}
        for name, array in self.results.variables.items():
            if self._changes(str(name), array):
                changed = _ChangedRows(array, str(name), rows, self)
                made[str(name)] = lazy_variable(array.dims, changed, array.attrs, array.encoding)
        return made

    def _changes(self, name: str, array: xr.Variable) -> bool:
        """Whether a variable changes with the contact."""
        return "curve" in array.dims and (
            bool({"depth", "distance_bin"} & set(array.dims)) or name in _OF_CONTACT
        )

    def changed(self, name: str, at: Rows, rows: AnyArray) -> AnyArray:
        """Rows of a variable as the contacts of these curves have them."""
        dims = self.results[name].dims
        if "depth" in dims:
            shape = self._shape_factor if name in _MODULI else None
            return self._between(rows, self._distance(at), "depth", shape)
        if "distance_bin" in dims:
            return self._between(rows, self._distance(at), "distance_bin")
        if name == "contact_height":
            return _replaced(rows, self._height[at])
        if name == "contact_height_stderr":
            return _replaced(rows, self._stderr[at])
        if name == "depth_valid_min":
            return self._smallest(at)
        if name == "baseline_deflection":
            return np.asarray(rows + self._of(at, "baseline_slope") * self._shift[at])
        return np.asarray(rows - self._distance(at))

    def _of(self, at: Rows, name: str) -> FloatArray:
        """Values of a variable of the curves; nothing where results have none."""
        if name not in self.results:
            return np.zeros(len(at[1]))
        values: FloatArray = _table(self.results, name).reshape(self._shift.shape)[at]
        return values

    def _distance(self, at: Rows) -> FloatArray:
        """By how much distances become smaller."""
        shift = np.asarray(self._shift[at])
        if "slope_cosine" in self.results:
            return np.asarray(shift * self._of(at, "slope_cosine"))
        if _corrected_for_slope(self.results):  # results of an earlier version
            shift = shift * np.cos(np.nan_to_num(self._of(at, "surface_slope")))
        return shift

    @property
    def _shape_factor(self) -> FloatArray:
        factor = _table(self.results, "shape_factor")
        positive: FloatArray = np.where(factor > 0, factor, np.nan)
        return positive

    def _between(
        self, rows: AnyArray, shift: FloatArray, axis: str, factor: FloatArray | None = None
    ) -> FloatArray:
        """Rows at the distances that the axis has by the new contacts."""
        x = np.asarray(self.results[axis].values, np.float64)
        values = np.asarray(rows, np.float64)
        if factor is not None:
            values = values * factor
        made = np.full(values.shape, np.nan)
        for row, by in enumerate(shift.tolist()):
            if by == 0.0:
                made[row] = values[row]
            elif np.isfinite(by):
                made[row] = _at(x + by, x, values[row])
        return made if factor is None else made / factor

    def _smallest(self, at: Rows) -> FloatArray:
        """Smallest distance with a normal force."""
        force = self.results["force_normal"].variable
        if "direction" in force.dims:
            force = force.isel(direction=at[0])
        rows = self._between(force.isel(curve=at[1]).values, self._distance(at), "depth")
        there = np.isfinite(rows)
        depth = np.asarray(self.results["depth"].values)
        return np.where(there.any(1), depth[there.argmax(1)], np.nan)


class _ChangedRows(LazyArray):
    """A variable of which some curves' rows are changed when they are read.

    Parameters
    ----------
    source : Variable
        As it is; the last dimension beside the curves is the one along a row.
    name : str
    rows : (direction, curve) array of bool
    moves : ContactMoves
    """

    def __init__(self, source: xr.Variable, name: str, rows: AnyArray, moves: ContactMoves) -> None:
        self.source, self.name, self.rows, self.moves = source, name, rows, moves
        self.shape, self.dtype = source.shape, source.dtype

    def part(self, key: tuple[Any, ...]) -> AnyArray:
        """See `LazyArray.part`."""
        values = np.array(self.source[key].values)
        asked = dict(zip(self.source.dims, key, strict=True))
        chosen = [np.atleast_1d(np.arange(n)[k]) for k, n in zip(key, self.shape, strict=True)]
        there = dict(zip(self.source.dims, chosen, strict=True))
        out = values.reshape([len(numbers) for numbers in chosen])
        for i, direction in enumerate(there.get("direction", np.zeros(1, np.int64)).tolist()):
            found = np.flatnonzero(self.rows[direction][there["curve"]])
            if not len(found):
                continue
            curves = there["curve"][found]
            one = self.source.isel(direction=direction) if "direction" in asked else self.source
            made = self.moves.changed(self.name, (direction, curves), one.isel(curve=curves).values)
            if made.ndim > 1:
                made = made[:, chosen[-1]]
            if self.dtype.kind in "iu":
                made = np.nan_to_num(np.round(made))
            (out[i] if "direction" in asked else out)[found] = made
        return out.reshape(values.shape)


def _at(wanted: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Values on straight lines between neighbours that are there; nan beyond them."""
    step = np.clip(np.searchsorted(x, wanted, "right") - 1, 0, len(x) - 2)
    part = (wanted - x[step]) / (x[step + 1] - x[step])
    part = np.where(np.abs(part - np.round(part)) < 1e-6, np.round(part), part)
    low = np.where(part == 1.0, 0.0, y[step])  # a neighbour without a weight may be missing
    high = np.where(part == 0.0, 0.0, y[step + 1])
    inside = (part >= 0.0) & (part <= 1.0)
    return np.where(inside, low * (1.0 - part) + high * part, np.nan)


def _replaced(values: AnyArray, others: FloatArray) -> FloatArray:
    """Other values where there are some."""
    return np.where(np.isfinite(others), others, values)


def _directions(results: xr.Dataset) -> list[str]:
    """Directions of the ramp that results have, in their order."""
    if "direction" in results.dims:
        return [str(name) for name in results["direction"].values]
    named = _recipe(results).get("direction", "approach")
    return [named if named in ("approach", "retract") else "approach"]


def _corrected_for_slope(results: xr.Dataset) -> bool:
    return bool(_recipe(results).get("correct_slope", False))


def _recipe(results: xr.Dataset) -> dict[str, Any]:
    try:
        return parsed(str(results.attrs.get("recipe", "")))
    except tomllib.TOMLDecodeError:
        return {}


def _table(results: xr.Dataset, name: str) -> FloatArray:
    return np.asarray(results[name].values, np.float64)
