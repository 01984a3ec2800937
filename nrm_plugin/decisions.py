"""What a person decided about curves: left out, accepted, or with a contact set by hand.

Decisions lie in ``NAME.decisions.toml`` beside the results ``NAME.h5``. They name curves by the
file that these came from and the number in it, so that they hold for results made anew.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nrm_plugin import curve_runs, decisions_file
from nrm_plugin.columns import AnyArray, IntArray
from nrm_plugin.curve_origins import CurveOrigins, NamedOrigin
from nrm_plugin.decisions_file import KINDS, DecisionEntry
from nrm_plugin.errors import InvalidInput
from nrm_plugin.files import decode, read_settings, replacing
from nrm_plugin.text import counted, listed, with_unit
from nrm_plugin.variables import ACCEPTED, EXCLUDED, MOVED

SUFFIX = ".decisions.toml"

#: Part of its range by which a contact may lie outside of the heights of its curve.
_BEYOND = 0.25


def decisions_path(results: str | PathLike[str]) -> Path:
    """Where the decisions about results lie."""
    path = Path(results)
    return path.with_name(f"{path.stem}{SUFFIX}")


class ContactByHand(NamedTuple):
    """A contact set by hand, and the one that the method had found (m); nan where not said."""

    height: float
    stderr: float = np.nan
    old_height: float = np.nan
    old_stderr: float = np.nan

    def misses(self, heights: ArrayLike) -> bool:
        """Whether it lies far outside of the heights of its curve (m): no contact can be there.

        Far is farther than a quarter of the heights' range. Of fewer than two heights nothing is
        known.
        """
        known = np.asarray(heights, np.float64)
        known = known[np.isfinite(known)]
        if len(known) < 2:
            return False
        low, high = float(known.min()), float(known.max())
        beyond = _BEYOND * (high - low)
        return not low - beyond <= self.height <= high + beyond


def far_outside(contacts: Sequence[tuple[int, ContactByHand]]) -> str:
    """Say that contacts of curves are not used because they miss them."""
    places = [f"curve {number} at {with_unit(c.height, 'm', 4)}" for number, c in contacts]
    return (
        f"{counted(len(contacts), 'contact')} set by hand far outside of the heights of the curve "
        f"and not used: {listed(places)}"
    )


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A decision about curves of results, or of a set of curves.

    Attributes
    ----------
    decision : str
        exclude, accept or contact.
    curves : array of int
        Numbers in the results.
    reason : str
    time : datetime or None
        By default now, where it is added to others.
    visible : tuple of str or None
        What the person could see: potential, moduli, condition; empty in blind mode, None where
        nobody knows.
    direction : str
        Of a contact.
    contact : ContactByHand or None
    """

    decision: str
    curves: ArrayLike
    reason: str = ""
    time: datetime | None = None
    visible: tuple[str, ...] | None = None
    direction: str = "approach"
    contact: ContactByHand | None = None

    @property
    def blind(self) -> bool:
        """Whether nothing could be seen of what the curve would do to the outcome."""
        return self.visible == ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Decisions:
    """Decisions about the curves of results. Unchangeable: what changes them returns new ones.

    Attributes
    ----------
    path : Path
        Where they lie, or would lie.
    origins : CurveOrigins
        Whose curves the numbers of all properties are.
    entries : tuple of DecisionEntry
        As they stand in the file.
    of : tuple of NamedOrigin
        The files that are named there.
    text, encoding : str
        The file, verbatim but for the ends of its lines.
    """

    path: Path
    origins: CurveOrigins
    entries: tuple[DecisionEntry, ...] = ()
    of: tuple[NamedOrigin, ...] = ()
    text: str = field(default="", repr=False)
    encoding: str = "utf-8"
    line_end: str = field(default="\n", repr=False)

    @classmethod
    def read(cls, path: str | PathLike[str], origins: CurveOrigins) -> Self:
        """Read a file of decisions about curves of some origins; no file is no decisions.

        Raises
        ------
        RecipeError
            If something in the file is wrong; it names the lines.
        InvalidInput
            If the decisions are about curves of other files.
        """
        path = Path(path)
        if not path.exists():
            return cls(path=path, origins=origins)
        data = read_settings(path, decisions_file.LIMIT, "a file of decisions")
        text, encoding = decode(data, path.name)
        line_end = "\r\n" if "\r\n" in text else "\n"
        text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        named, entries = decisions_file.parse(text, path.name)
        made = cls(
            path=path,
            origins=origins,
            entries=tuple(entries),
            of=tuple(named),
            text=text,
            encoding=encoding,
            line_end=line_end,
        )
        _ = made._places  # whose curves they are is said at once
        return made

    @classmethod
    def for_results(cls, results: Any, path: str | PathLike[str]) -> Self:
        """Read the decisions beside results.

        Parameters
        ----------
        results : xarray.Dataset
        path : path
            File of the results.
        """
        return cls.read(decisions_path(path), CurveOrigins.of_results(results))

    @classmethod
    def for_curves(cls, curves: Any, path: str | PathLike[str]) -> Self:
        """Read the decisions beside results of a `CurveSet` that are made or will be."""
        beside = decisions_path(path)
        if not beside.exists():  # no file is hashed for nothing
            return cls(
                path=beside, origins=CurveOrigins.of([], [], curves.curve_table, len(curves))
            )
        return cls.read(beside, CurveOrigins.of_curves(curves))

    def write(self, path: str | PathLike[str] | None = None) -> None:
        """Write the file, whole or not at all.

        Raises
        ------
        OutputError
        """
        to = self.path if path is None else Path(path)
        data = self.text.replace("\n", self.line_end).encode(self.encoding)
        with replacing(to, overwrite=True) as part:
            part.write_bytes(data)

    def __len__(self) -> int:
        return len(self.entries)

    # Which curves they are about

    @cached_property
    def _places(self) -> tuple[int | None, ...]:
        """For each decision, which of the files it is about; None if that is not here."""
        found: dict[str, int | None] = {}
        for origin in self.of:
            try:
                found[origin.name] = self.origins.matching(origin)
            except InvalidInput as error:
                raise InvalidInput(f"{self.path} is about other curves: {error}") from None
        places = []
        for entry in self.entries:
            if entry.origin and entry.origin not in found:
                found[entry.origin] = self.origins.matching(NamedOrigin(entry.origin, ""))
            if entry.origin:
                places.append(found[entry.origin])
            elif len(self.of) == 1:
                places.append(found[self.of[0].name])
            elif len(self.origins.labels) == 1 and not self.of:
                places.append(0)
            else:
                raise InvalidInput(
                    f"{self.path.name}, line {entry.line}: the curves are of several files: say "
                    f'which, as in origin = "{(self.of or self.origins.labels)[0].name}"'
                )
        if places and all(place is None for place in places):
            theirs = listed(
                dict.fromkeys(
                    [o.name for o in self.of] + [e.origin for e in self.entries if e.origin]
                )
            )
            ours = listed(label.name or "curves without a file" for label in self.origins.labels)
            raise InvalidInput(f"{self.path} is about curves of {theirs}, and these are of {ours}")
        return tuple(places)

    def _curves(self, number: int) -> IntArray:
        """Curves that a decision is about, as numbered here."""
        place = self._places[number]
        if place is None:
            return np.empty(0, np.int64)
        return self.origins.curves(place, self.entries[number].runs)

    @cached_property
    def _in_time(self) -> list[int]:
        """Decisions in the order in which they were taken; one without a time as in the file."""
        last = datetime.min.replace(tzinfo=UTC)
        times = []
        for entry in self.entries:
            last = entry.time or last
            times.append(last)
        return sorted(range(len(times)), key=times.__getitem__)

    @cached_property
    def _holding(self) -> dict[str, IntArray]:
        """For each curve the decision of a group that holds, the last one; -1 for none."""
        n = len(self.origins.index)
        holding = {group: np.full(n, -1, np.int64) for group in ("", *decisions_file.DIRECTIONS)}
        for number in self._in_time:
            holding[_group(self.entries[number])][self._curves(number)] = number
        return holding

    def _judged(self, kind: str) -> IntArray:
        is_kind = np.array([entry.decision == kind for entry in self.entries] + [False])
        return np.flatnonzero(is_kind[self._holding[""]])

    @cached_property
    def excluded(self) -> IntArray:
        """Curves that are left out, sorted."""
        return self._judged("exclude")

    @cached_property
    def accepted(self) -> IntArray:
        """Curves that count as good whatever is doubtful about them, sorted."""
        return self._judged("accept")

    @cached_property
    def contacts(self) -> dict[tuple[int, str], ContactByHand]:
        """Contacts by hand, by curve and direction."""
        made = {}
        for direction in decisions_file.DIRECTIONS:
            holds = self._holding[direction]
            for curve in np.flatnonzero(holds >= 0).tolist():
                entry = self.entries[holds[curve]]
                made[curve, direction] = ContactByHand(
                    entry.height, entry.stderr, entry.old_height, entry.old_stderr
                )
        return made

    @cached_property
    def by_hand(self) -> NDArray[np.int8]:
        """Bits for each curve: excluded, accepted, contact by hand."""
        bits = np.zeros(len(self.origins.index), np.int8)
        bits[self.excluded] |= EXCLUDED
        bits[self.accepted] |= ACCEPTED
        bits[[curve for curve, _ in self.contacts]] |= MOVED
        return bits

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What does not apply to these curves, and which decisions contradict each other."""
        found = []
        for number, (entry, place) in enumerate(zip(self.entries, self._places, strict=True)):
            at = f"line {entry.line} of {self.path.name}"
            n = int((entry.runs[:, 1] - entry.runs[:, 0] + 1).sum())
            here_now = self._curves(number)
            if self.origins.repeated:
                here_now = np.unique(self.origins.number[here_now])
            missing = n - len(here_now)
            if place is None:
                found.append(f"{at}: no longer applies: {entry.origin} is not among the files here")
            elif missing:
                here = counted(self.origins.count(place))
                name = self.origins.labels[place].name or "the curves"
                found.append(
                    f"{at}: {missing} of its {counted(n)} are not here: there are {here} of {name}"
                )
        return (*found, *itertools.islice(self._contradictions(), _CONTRADICTIONS))

    def _contradictions(self) -> Iterable[str]:
        """Decisions that a later one takes back."""
        for number, entry in enumerate(self.entries):
            winners = self._holding[_group(entry)][self._curves(number)]
            others = np.flatnonzero(np.bincount(winners[winners != number])).tolist()
            against = [i for i in others if not _same(entry, self.entries[i])]
            if against:
                n = int(np.isin(winners, against).sum())
                lines = ", ".join(str(self.entries[i].line) for i in against[:5])
                yield (
                    f"line {entry.line} of {self.path.name}: {entry.decision} is taken back for "
                    f"{counted(n)} by the later decision in line {lines}"
                )

    def listed(self, most: int | None = None) -> list[tuple[Decision, IntArray]]:
        """Decisions in the order of the file with their curves, and those for which each holds."""
        made = []
        for number, entry in enumerate(self.entries[:most]):
            curves = self._curves(number)
            moved = entry.decision == "contact"
            holds = self._holding[_group(entry)]
            contact = ContactByHand(entry.height, entry.stderr, entry.old_height, entry.old_stderr)
            decision = Decision(
                decision=entry.decision,
                curves=curves,
                reason=entry.reason,
                time=entry.time,
                visible=entry.visible,
                direction=entry.direction,
                contact=contact if moved else None,
            )
            made.append((decision, curves[holds[curves] == number]))
        return made

    # Changes

    def with_decision(self, decision: Decision) -> Self:
        """Return these decisions and one more, which holds where earlier ones contradict it.

        Raises
        ------
        InvalidInput
            If it names curves that are not here, or makes no sense.
        """
        curves = np.unique(np.asarray(decision.curves, np.int64).reshape(-1))
        n = len(self.origins.index)
        if not len(curves):
            raise InvalidInput("a decision is about one curve at least")
        if curves[0] < 0 or curves[-1] >= n:
            raise InvalidInput(f"there are curves 0 to {n - 1}; not {curves[-1]}")
        if decision.decision not in KINDS:
            raise InvalidInput(f"a decision is one of {', '.join(KINDS)}")
        if (decision.decision == "contact") != (decision.contact is not None):
            raise InvalidInput("a contact has a height, and no other decision has")
        contact = decision.contact or ContactByHand(np.nan)
        if decision.contact and not abs(contact.height) < 1.0:
            raise InvalidInput("the height of a contact is a number of metres")
        if decision.direction not in decisions_file.DIRECTIONS:
            raise InvalidInput("the direction of a contact is approach or retract")
        text, of, entries = self.text or decisions_file.new_text(self._results), self.of, []
        places = self.origins.index[curves]
        for place in np.unique(places).tolist():
            origin = self.origins.labels[place]
            name = next((o.name for o in of if self.origins.matching(o) == place), None)
            if name is None:
                name, of = origin.name, (*of, origin)
                text = decisions_file.with_origin(text, origin)
            entry = DecisionEntry(
                decision=decision.decision,
                origin=name,
                runs=curve_runs.runs_of_numbers(self.origins.number[curves[places == place]]),
                reason=decision.reason.strip()[: decisions_file.LONGEST_REASON],
                time=(decision.time or datetime.now(UTC)).astimezone(),
                visible=decision.visible,
                direction=decision.direction,
                **contact._asdict(),
            )
            line = text.rstrip().count("\n") + 3
            entries.append(replace(entry, line=line))
            text = decisions_file.with_entry(text, entry)
        return replace(self, text=text, of=of, entries=(*self.entries, *entries))

    @property
    def _results(self) -> str:
        return f"{self.path.name.removesuffix(SUFFIX)}.h5"

    def without(self, curves: ArrayLike, kind: str, direction: str | None = None) -> Self:
        """Return these decisions without those of one kind about some curves.

        Parameters
        ----------
        curves : array of int
            As numbered here.
        kind : str
            exclude, accept or contact.
        direction : str, optional
            Of a contact; by default both.
        """
        chosen = np.zeros(len(self.origins.index), bool)
        chosen[np.asarray(curves, np.int64)] = True
        changed: dict[int, IntArray] = {}
        for number, entry in enumerate(self.entries):
            same = entry.decision == kind and direction in (None, entry.direction)
            theirs = self._curves(number)
            if same and chosen[theirs].any():
                gone = self.origins.number[theirs[chosen[theirs]]]
                changed[number] = curve_runs.without_numbers(entry.runs, gone)
        if not changed:
            return self
        text = decisions_file.with_runs(self.text, changed, len(self.entries))
        of, entries = decisions_file.parse(text, self.path.name)
        return replace(self, text=text, of=tuple(of), entries=tuple(entries))

    def summary(self) -> str:
        """What was decided, in few words: ``10 curves excluded by hand``; empty for nothing."""
        return in_words(self.by_hand)

    def as_json(self) -> str:
        """Return what results say of the decisions that were applied to them."""
        holding = set(np.unique(np.concatenate(list(self._holding.values()))).tolist())
        blind = (i for i, entry in enumerate(self.entries) if entry.visible == ())
        listing = [_plain(decision, holds) for decision, holds in self.listed(_LISTED)]
        while len(json.dumps(listing, ensure_ascii=False).encode()) > _BYTES:
            listing.pop()
        found = {
            "file": self.path.name,
            "excluded": len(self.excluded),
            "accepted": len(self.accepted),
            "contacts": len(self.contacts),
            "blind": sum(number in holding for number in blind),
            "decisions": listing,
            "more": len(self.entries) - len(listing),
            "notes": [note[:300] for note in self.notes[:_NOTED]],
        }
        return json.dumps(found, ensure_ascii=False)


#: Decisions and notes that results keep: attributes of HDF5 have at most 64 kB.
_LISTED, _NOTED, _RUNS, _BYTES = 100, 20, 8, 40_000
#: So many decisions that are taken back are named.
_CONTRADICTIONS = 50


def _plain(decision: Decision, holds: IntArray) -> dict[str, Any]:
    runs = curve_runs.runs_text(curve_runs.runs_of_numbers(holds))
    more = [f"and {len(runs) - _RUNS} more"] if len(runs) > _RUNS else []
    made: dict[str, Any] = {
        "decision": decision.decision,
        "n_curves": len(holds),
        "curves": ", ".join(runs[:_RUNS] + more),
        "reason": decision.reason[:200],
        "time": decision.time.isoformat(timespec="seconds") if decision.time else "",
        "visible": None if decision.visible is None else list(decision.visible),
    }
    if decision.contact is not None:
        values = decision.contact._asdict().items()
        made |= {"direction": decision.direction}
        made |= {key: value for key, value in values if np.isfinite(value)}
    return made


def by_hand(results: Any) -> list[str]:
    """What was decided by hand about curves of results, as a sentence; none where nothing was."""
    said = in_words(results["by_hand"].values) if "by_hand" in results else ""
    return [said] if said else []


def in_words(by_hand: AnyArray) -> str:
    """Count what was decided by hand: ``10 curves excluded, 1 contact set by hand``."""
    parts = [
        (EXCLUDED, "curve", "excluded"),
        (ACCEPTED, "curve", "accepted"),
        (MOVED, "contact", "set"),
    ]
    counts = [(int((by_hand & bit != 0).sum()), noun, verb) for bit, noun, verb in parts]
    said = [f"{counted(n, noun)} {verb}" for n, noun, verb in counts if n]
    return f"{', '.join(said)} by hand" if said else ""


def _group(entry: DecisionEntry) -> str:
    """Decisions of one group take each other back: verdicts, and contacts of one direction."""
    return entry.direction if entry.decision == "contact" else ""


def _same(a: DecisionEntry, b: DecisionEntry) -> bool:
    """Whether two decisions come to the same."""
    return (a.decision, a.height, a.stderr) == (b.decision, b.height, b.stderr) or (
        a.decision == b.decision != "contact"
    )
