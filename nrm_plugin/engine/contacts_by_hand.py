"""Contacts that a person set instead of those that a method found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from nrm_plugin import kernels
from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.curve_origins import CurveOrigins
from nrm_plugin.decisions import ContactByHand, Decisions, far_outside
from nrm_plugin.engine.contact import Referenced
from nrm_plugin.engine.signals import Block
from nrm_plugin.errors import MissingFile
from nrm_plugin.model import CurveSet
from nrm_plugin.text import counted
from nrm_plugin.variables import MOVED

#: Contacts by hand, by curve and direction.
ByHand = Mapping[tuple[int, str], ContactByHand]

#: Samples of a baseline without which a curve stays without a contact.
_FEWEST = 8

#: Of a record, what moves with the contact: so does its systematic error stay what it was.
_MOVED = ("contact", "other_contact", "half_contact", "outer_contact")


#: A method that finds another contact than before does so if they differ by more than this (m), and
#: by as many standard errors.
_ANOTHER, _SURE = 0.1e-9, 3.0


def decisions_of(
    curves: CurveSet,
    out: Path | None,
    given: Decisions | str | PathLike[str] | bool | None = None,
) -> Decisions | None:
    """Decisions that hold for curves; None without any.

    Parameters
    ----------
    curves : CurveSet
    out : Path or None
        Results that will be made: decisions beside them are taken where none are given.
    given : Decisions, path or bool, optional
        A path is that of a file of decisions; False is none.

    Raises
    ------
    MissingFile, RecipeError
    InvalidInput
        If they are about other curves.
    """
    if isinstance(given, Decisions):
        found = given
    elif isinstance(given, str | PathLike):
        if not Path(given).is_file():
            raise MissingFile(given, "there is no such file of decisions")
        found = Decisions.read(given, CurveOrigins.of_curves(curves))
    elif given is False or out is None:
        return None
    else:
        found = Decisions.for_curves(curves, out)
    return found if len(found) else None


def as_json(contacts: ByHand) -> str:
    """Contacts by hand as the attribute ``contacts_by_hand`` of results has them."""
    values = [
        [curve, direction, hand.height, hand.stderr if np.isfinite(hand.stderr) else None]
        for (curve, direction), hand in sorted(contacts.items())
    ]
    return json.dumps(values, separators=(",", ":"))


def moved_bits(contacts: Iterable[tuple[int, str]], n_curves: int) -> AnyArray:
    """Bits of `by_hand` for contacts."""
    bits = np.zeros(n_curves, np.int8)
    bits[[curve for curve, _ in contacts]] = MOVED
    return bits


def notes(
    contacts: ByHand,
    directions: Sequence[str],
    found: Mapping[tuple[int, str], ContactByHand],
    missing: Sequence[tuple[int, str]],
) -> list[str]:
    """What is to be said of contacts by hand once curves were processed.

    Parameters
    ----------
    contacts : mapping
        By curve and direction.
    directions : sequence of str
        That were processed.
    found : mapping
        What the method finds for the same now; nan where it finds none, nothing where no contact
        can be set.
    missing : sequence of (curve, direction)
        Contacts that lie far outside of their curves.
    """
    made = []
    if missing:
        made.append(far_outside([(key[0], contacts[key]) for key in missing]))
    elsewhere = [key for key in contacts if key[1] not in directions]
    if elsewhere:
        made.append(
            f"{counted(len(elsewhere), 'contact')} set by hand in a direction of the ramp that "
            "is not processed"
        )
    without = [key for key in contacts if key[1] in directions and key not in {*found, *missing}]
    if without:
        made.append(
            f"{counted(len(without), 'contact')} set by hand cannot be used: the curve "
            f"({', '.join(str(curve) for curve, _ in without[:5])}) has no baseline"
        )
    others = []
    for key, now in found.items():
        before = contacts[key]
        moved = abs(now.height - before.old_height)
        if moved > max(_ANOTHER, _SURE * np.hypot(now.stderr, np.nan_to_num(before.old_stderr))):
            others.append((moved, key[0]))
    if others:
        most, curve = max(others)
        made.append(
            f"{counted(len(others), 'contact')} set by hand instead of another one than the "
            f"method finds now (by up to {most * 1e9:.2g} nm, curve {curve}); those by hand are "
            "kept: look at them again"
        )
    return made


def moved_contacts(
    block: Block,
    found: Referenced,
    stderr: FloatArray,
    by_hand: Sequence[ContactByHand | None],
    drag: float,
) -> tuple[Referenced, FloatArray]:
    """Replace contacts; baselines, walls and flags stay those that were found.

    A contact far outside of its curve's heights is not used.

    Parameters
    ----------
    block : Block
    found : Referenced
        Of its curves.
    stderr : (n,) array
        Standard errors of the contacts that were found, in m.
    by_hand : sequence
        One per curve. Without a standard error it is that of the contact that was found, and the
        step from sample to sample.
    drag : float
        How far drag of the liquid moves the contact heights, in m.

    Returns
    -------
    moved : Referenced
    stderr : (n,) array
    """
    contacts, stderr = found.contacts.copy(), stderr.copy()
    for i, hand in enumerate(by_hand):
        if hand is None:
            continue
        part = slice(int(block.begin[i]), int(block.begin[i + 1]))
        height = block.height[part]
        if hand.misses(height):
            continue
        record, at = contacts[i], hand.height - drag
        if np.isfinite(record["contact"]):
            by = at - record["contact"]
            for name in _MOVED:
                record[name] += by
        elif not _with_baseline(record, height, found.clean[part]):
            continue
        record["contact"] = at
        error = hand.stderr
        if not np.isfinite(error):
            error = float(np.hypot(np.nan_to_num(stderr[i]), _step(height)))
        record["stderr"] = stderr[i] = error
    return replace(found, contacts=contacts), stderr


def _with_baseline(record: np.void, height: FloatArray, deflection: FloatArray) -> bool:
    """Give a curve without a contact a baseline, as far as a straight line can tell."""
    finite = len(height) and np.isfinite(height).all() and np.isfinite(deflection).all()
    if not finite:
        return False
    ends = np.array([0, len(height)])
    end = int(kernels.rough_baselines(ends, height, deflection)[0])
    if end < _FEWEST:
        return False
    slope, at = np.polyfit(height[:end], deflection[:end], 1)
    off = deflection[:end] - (at + slope * height[:end])
    record["baseline_end"], record["baseline_slope"], record["baseline_at"] = end, slope, at
    record["noise"] = record["long_run"] = float(np.sqrt(off @ off / (end - 2)))
    return True


def _step(height: FloatArray) -> float:
    """Height from one sample to the next, in m."""
    return float(abs(height[-1] - height[0]) / (len(height) - 1)) if len(height) > 1 else 0.0
