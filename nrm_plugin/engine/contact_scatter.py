"""What contacts scatter by beyond their standard errors: slow noise, and fringes that are fitted.

Standard errors of single curves are those of two lines and of noise that is white over a baseline.
"""

from __future__ import annotations

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine.compiled import Crossing, RecordArray, reference
from nrm_plugin.engine.fringes import FITTED_PART, Fringe
from nrm_plugin.engine.signals import Block

#: Noise over 16 samples against that of single ones, above which it is slow.
SLOW = 1.5

#: Curves whose fits of a fringe are looked at.
_FITTED = 64


def contact_scatter(
    block: Block, contacts: RecordArray, crossing: Crossing, fringe: Fringe
) -> float:
    """Error of each contact beside its standard error, in m.

    Parameters
    ----------
    block : Block
        Some curves.
    contacts : (n,) array of `kernels.CONTACT`
        Of them.
    crossing : Crossing
        How they were found.
    fringe : Fringe
        What was taken out.
    """
    slow = _middle(contacts["long_run"]) > SLOW * _middle(contacts["noise"])
    parts = []
    if slow:
        # The outer part of a baseline and half of a wall show what slow noise makes of the rest.
        names = ("outer_contact", "half_contact")
        parts += [_spread(contacts[name] - contacts["contact"]) for name in names]
    if fringe.wave and crossing.wave:
        other = crossing._replace(wave=crossing.wave + fringe.wave_stderr)
        moved, _ = reference(block.begin, block.height, block.deflection, other)
        parts.append(_spread(moved["contact"] - contacts["contact"], 0.0))
        parts.append(_of_fits(block, contacts, fringe.wave))
    return float(np.sqrt(np.sum(np.square(parts))))


def _middle(values: FloatArray) -> float:
    """Median of the finite values; nan if there are none."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else np.nan


def _spread(values: FloatArray, middle: float | None = None) -> float:
    """Robust standard deviation about the median, or a known middle; 0 for fewer than three."""
    values = values[np.isfinite(values)]
    if len(values) < 3:
        return 0.0
    about = np.median(values) if middle is None else middle
    return 1.4826 * float(np.median(np.abs(values - about)))


def _of_fits(block: Block, contacts: RecordArray, wave: float) -> float:
    """What sine and cosine add to the error of a baseline's line at the contact, median, in m.

    A baseline that holds one period hardly tells them from a line. On the wall they are taken off
    as well.
    """
    found = []
    usable = np.flatnonzero(np.isfinite(contacts["contact"]) & (contacts["wall_samples"] > 0))
    for i in usable[np.linspace(0, len(usable) - 1, min(_FITTED, len(usable))).astype(int)]:
        first = int(block.begin[i])
        far, at = block.height[first], contacts["contact"][i]
        end = int(FITTED_PART * contacts["baseline_end"][i])
        wall = first + int(contacts["wall_begin"][i])
        stop = wall + int(contacts["wall_samples"][i])
        if end < 16:
            continue
        along = wave * (block.height[first : first + end] - far)
        on_wall = wave * (block.height[wall:stop] - far)
        here = wave * (at - far)
        fitted = np.stack([np.ones(end), along, np.cos(along), np.sin(along)], axis=1)
        there = np.array([1.0, here, np.cos(on_wall).mean(), np.sin(on_wall).mean()])
        normal = fitted.T @ fitted
        alone = there[:2] @ np.linalg.lstsq(normal[:2, :2], there[:2], rcond=None)[0]
        together = there @ np.linalg.lstsq(normal, there, rcond=None)[0]
        slope = max(abs(float(contacts["wall_slope"][i])), 0.1)
        found.append(contacts["noise"][i] * np.sqrt(max(together - alone, 0.0)) / slope)
    return float(np.median(found)) if found else 0.0
