"""Numbers of curves as runs, first and last: read from lists, united, taken out of others."""

from __future__ import annotations

import re

import numpy as np

from nrm_plugin.columns import IntArray
from nrm_plugin.errors import InvalidInput

#: No file has a curve of a higher number.
_LARGEST = 10**15
_RUN = re.compile(r"\s*+(\d{1,15})\s*+(?:-\s*+(\d{1,15})\s*+)?(?:,|$)")


def runs_of(given: object) -> IntArray:
    """First and last number of each run of curves in a list as the file has it.

    Parameters
    ----------
    given : list of int and str
        Numbers, and texts of numbers and ranges: ``[12, 13, "20-40, 55"]``.

    Returns
    -------
    (n, 2) array of int
        Sorted, without overlaps; runs that touch are one.

    Raises
    ------
    InvalidInput
    """
    items = given if isinstance(given, list) else [given]
    pairs: list[tuple[int, int]] = []
    for item in items:
        if isinstance(item, int) and not isinstance(item, bool) and 0 <= item < _LARGEST:
            pairs.append((item, item))
        elif isinstance(item, str):
            at = 0
            while at < len(item) and (match := _RUN.match(item, at)):
                first = int(match[1])
                pairs.append((first, int(match[2]) if match[2] else first))
                at = match.end()
            if at < len(item) or not item.strip():
                raise InvalidInput(f"{item[at : at + 40]!r} is no number of a curve, nor a range")
        else:
            raise InvalidInput(
                f'{item!r:.40} is no number of a curve; curves = [12, 13, "20-40"], from 0'
            )
    made = np.array(pairs, np.int64).reshape(-1, 2)
    wrong = np.flatnonzero(made[:, 0] > made[:, 1])
    if len(wrong):
        first, last = made[wrong[0]]
        raise InvalidInput(f"the range {first}-{last} ends before it begins")
    return _united(made)


def _united(runs: IntArray) -> IntArray:
    """Runs that overlap or touch as one."""
    if len(runs) < 2:
        return runs
    runs = runs[np.argsort(runs[:, 0], kind="stable")]
    reach = np.maximum.accumulate(runs[:, 1])
    begins = np.flatnonzero(np.r_[True, runs[1:, 0] > reach[:-1] + 1])
    return np.stack([runs[begins, 0], reach[np.r_[begins[1:] - 1, len(runs) - 1]]], axis=1)


def runs_of_numbers(numbers: IntArray) -> IntArray:
    """First and last of each run of consecutive numbers."""
    unique = np.unique(numbers)
    if not len(unique):
        return np.empty((0, 2), np.int64)
    begins = np.flatnonzero(np.r_[True, np.diff(unique) > 1])
    return np.stack([unique[begins], unique[np.r_[begins[1:] - 1, len(unique) - 1]]], axis=1)


def without_numbers(runs: IntArray, numbers: IntArray) -> IntArray:
    """Runs without some numbers."""
    holes = runs_of_numbers(numbers)
    made: list[tuple[int, int]] = []
    at = 0
    for first, last in runs.tolist():
        while at < len(holes) and holes[at, 1] < first:
            at += 1
        hole = at
        while hole < len(holes) and holes[hole, 0] <= last:
            if holes[hole, 0] > first:
                made.append((first, int(holes[hole, 0]) - 1))
            first = int(holes[hole, 1]) + 1
            hole += 1
        if first <= last:
            made.append((first, last))
    return np.array(made, np.int64).reshape(-1, 2)


def runs_text(runs: IntArray) -> list[str]:
    """Numbers and ranges as people write them: ``["12", "20-40"]``."""
    return [str(a) if a == b else f"{a}-{b}" for a, b in runs.tolist()]
