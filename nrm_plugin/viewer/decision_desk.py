"""Decisions that the page takes: saved at once, with undo and redo."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nrm_plugin.columns import AnyArray, IntArray
from nrm_plugin.curve_origins import CurveOrigins
from nrm_plugin.decisions import ContactByHand, Decision, Decisions, decisions_path
from nrm_plugin.errors import InvalidInput
from nrm_plugin.files import changing
from nrm_plugin.text import counted
from nrm_plugin.viewer.viewed import Viewed

#: Changes that can be undone.
_MOST = 200

#: Of what a person may have seen while deciding.
VISIBLE = ("potential", "moduli", "condition")

_DONE = {"exclude": "excluded", "accept": "accepted", "contact": "moved by hand"}


class DecisionDesk:
    """Takes decisions about the curves that are looked at, and keeps their file.

    A file that a person has changed meanwhile is read again before anything is added to it.

    Parameters
    ----------
    view : Viewed
    """

    def __init__(self, view: Viewed) -> None:
        self._view = view
        self._lock = threading.RLock()
        self._undo: list[tuple[str, str]] = []
        self._redo: list[tuple[str, str]] = []
        self._stamp: tuple[int, ...] | None = None
        self._decisions: Decisions | None = None

    @property
    def path(self) -> Path | None:
        """The file; None where results are in memory alone."""
        return None if self._view.out is None else decisions_path(self._view.out)

    @property
    def decisions(self) -> Decisions:
        """What is decided, as the file says now.

        Raises
        ------
        RecipeError, InvalidInput
            If the file cannot be read, or is about other curves.
        """
        with self._lock:
            stamp = _stamp(self.path)
            if self._decisions is None or stamp != self._stamp:
                self._decisions = self._read()
                self._stamp = stamp
                self._view.decided(self._decisions)
            return self._decisions

    def _read(self) -> Decisions:
        view = self._view
        if self.path is None:
            if self._decisions is not None:
                return self._decisions
            return Decisions(path=Path("decisions.toml"), origins=self._origins())
        if view.results is not None:
            return Decisions.read(self.path, self._origins())
        assert view.out is not None
        return Decisions.for_curves(view.curves, view.out)

    def _origins(self) -> CurveOrigins:
        if self._view.results is not None:
            return CurveOrigins.of_results(self._view.results)
        return CurveOrigins.of_curves(self._view.curves)

    def look_at(self, view: Viewed) -> None:
        """Decide about new results of the same curves."""
        with self._lock:
            self._view, self._decisions = view, None
            self._undo.clear()
            self._redo.clear()

    def state(self) -> dict[str, Any]:
        """Everything that is decided, for JSON."""
        with self._lock:
            decisions = self.decisions
            bits = decisions.by_hand
            curves = np.flatnonzero(bits)
            listed = []
            for decision, holds in decisions.listed():
                one = {
                    "decision": decision.decision,
                    "curves": decision.curves,
                    "holds": len(holds),
                    "reason": decision.reason,
                    "time": decision.time and decision.time.isoformat(timespec="seconds"),
                    "visible": decision.visible,
                    "blind": decision.blind,
                }
                if decision.contact is not None:
                    one |= {"direction": decision.direction, **decision.contact._asdict()}
                listed.append(one)
            return {
                "file": self.path.name if self.path else "",
                "saved": self.path is not None,
                "summary": decisions.summary(),
                "decisions": listed,
                "notes": decisions.notes,
                "by_hand": {"curves": curves, "values": bits[curves]},
                "undo": len(self._undo),
                "redo": len(self._redo),
            }

    def decide(
        self,
        kind: str,
        curves: AnyArray,
        *,
        reason: str = "",
        visible: tuple[str, ...] | None = None,
        direction: str = "approach",
        contact: ContactByHand | None = None,
    ) -> dict[str, Any]:
        """Decide about curves, and save it.

        Raises
        ------
        InvalidInput, RecipeError, OutputError, ChangedFile
        """
        with self._alone():
            before = self._for_change()
            decision = Decision(
                decision=kind,
                curves=curves,
                reason=reason,
                visible=visible,
                direction=direction,
                contact=contact,
            )
            after = before.with_decision(decision)
            said = f"{counted(len(np.unique(curves)))} {_DONE[kind]}"
            return self._changed(before, after, said, undoable=True)

    def clear(self, kind: str, curves: IntArray, direction: str | None = None) -> dict[str, Any]:
        """Take decisions of one kind about curves back, and save it.

        Raises
        ------
        InvalidInput, RecipeError, OutputError, ChangedFile
        """
        if kind not in _DONE:
            raise InvalidInput(f"a decision is one of {', '.join(_DONE)}")
        n = self._view.n_curves
        if len(curves) and not (curves.min() >= 0 and curves.max() < n):
            raise InvalidInput(f"there are curves 0 to {n - 1}")
        with self._alone():
            before = self._for_change()
            after = before.without(curves, kind, direction)
            if after is before:
                return self._answer(np.empty(0, np.int64), "there is nothing to take back")
            said = f"{counted(len(curves))} no longer {_DONE[kind]}"
            return self._changed(before, after, said, undoable=True)

    def undo(self) -> dict[str, Any]:
        """Take the last change back."""
        return self._step(self._undo, self._redo, "undone", "there is nothing to undo")

    def redo(self) -> dict[str, Any]:
        """Do what was undone again."""
        return self._step(self._redo, self._undo, "done again", "there is nothing to do again")

    def _step(
        self, here: list[tuple[str, str]], there: list[tuple[str, str]], said: str, nothing: str
    ) -> dict[str, Any]:
        with self._alone():
            if not here:
                return self._answer(np.empty(0, np.int64), nothing)
            now = self.decisions
            old, expected = here[-1]
            if now.text != expected:
                here.clear()
                there.clear()
                raise InvalidInput(
                    f"{now.path.name} was changed meanwhile, by hand or by another nrm view: what "
                    "was decided before that can only be taken back curve by curve"
                )
            changed = self._changed(now, self._with_text(now, old), said, undoable=False)
            there.append((expected, here.pop()[0]))
            return changed | {"undo": len(self._undo), "redo": len(self._redo)}

    def _with_text(self, now: Decisions, text: str) -> Decisions:
        from nrm_plugin import decisions_file

        named, entries = decisions_file.parse(text, now.path.name) if text else ((), ())
        return replace(now, text=text, of=tuple(named), entries=tuple(entries))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes decisions: no other thread, and no other viewer of the same file.

        Raises
        ------
        ChangedFile
            If the results are no longer those that were looked at while deciding.
        """
        with self._lock, contextlib.nullcontext() if self.path is None else changing(self.path):
            self._view.check_files()
            yield

    def _for_change(self) -> Decisions:
        """What is decided, with the hashes of the files that the curves came from."""
        decisions = self.decisions
        if self._view.results is None and not decisions.of and self.path is not None:
            decisions = replace(decisions, origins=self._origins())
        return decisions

    def _changed(
        self, before: Decisions, after: Decisions, said: str, *, undoable: bool
    ) -> dict[str, Any]:
        if self.path is not None:
            after.write()
        self._decisions, self._stamp = after, _stamp(self.path)
        self._view.decided(after)
        if undoable:
            self._undo.append((before.text, after.text))
            del self._undo[:-_MOST]
            self._redo.clear()
        kept = "" if self.path is not None else ": not saved, since the results are not in a file"
        changed = np.flatnonzero(before.by_hand != after.by_hand)
        moved = {c for c, _ in before.contacts.items() ^ after.contacts.items()}
        curves = np.union1d(changed, np.array([c for c, _ in moved], np.int64)).astype(np.int64)
        return self._answer(curves, said + kept)

    def _answer(self, curves: IntArray, said: str) -> dict[str, Any]:
        bits = self.decisions.by_hand
        return {
            "by_hand": {"curves": curves, "values": bits[curves]},
            "undo": len(self._undo),
            "redo": len(self._redo),
            "message": said,
            "summary": self.decisions.summary(),
        }


def _stamp(path: Path | None) -> tuple[int, ...] | None:
    """Tells whether a file has changed; None where there is none."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def contact_of(asked: dict[str, Any], old: tuple[float, float]) -> ContactByHand:
    """Return a contact as a page gives it, in m, with what was found.

    Raises
    ------
    InvalidInput
    """
    height, stderr = (asked.get(name) for name in ("height", "stderr"))
    numbers = []
    for name, value in (("height", height), ("stderr", stderr)):
        if name == "stderr" and value is None:
            numbers.append(math.nan)
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1.0:
            raise InvalidInput(f"{name} of a contact is a number in m")
        numbers.append(float(value))
    if numbers[1] <= 0.0:
        raise InvalidInput("the standard error of a contact is more than 0")
    return ContactByHand(numbers[0], numbers[1], *old)
