"""Contacts that a person set instead of those that a method found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nrm_plugin import kernels
from nrm_plugin.columns import FloatArray
from nrm_plugin.decisions import ContactByHand
from nrm_plugin.engine.contact import Referenced
from nrm_plugin.engine.signals import Block

#: Samples of a baseline without which a curve stays without a contact.
_FEWEST = 8

#: Of a record, what moves with the contact: so does its systematic error stay what it was.
_MOVED = ("contact", "other_contact", "half_contact", "outer_contact")


def moved_contacts(
    block: Block,
    found: Referenced,
    stderr: FloatArray,
    by_hand: Sequence[ContactByHand | None],
    drag: float,
) -> tuple[Referenced, FloatArray]:
    """Replace contacts; baselines, walls and flags stay those that were found.

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
        record, at = contacts[i], hand.height - drag
        if np.isfinite(record["contact"]):
            by = at - record["contact"]
            for name in _MOVED:
                record[name] += by
            record["contact"] = at
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
