"""Which curves are doubtful, why, and which of them to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from nrm_plugin.columns import IntArray
from nrm_plugin.statistics.selection import LEFT_OUT, column
from nrm_plugin.variables import BIT

#: What a flag means, and what helps.
FLAG_WORDS = {
    "no_hard_contact": (
        "the ramp did not reach the electrode, or its wall is softer than that of the others",
        "a larger trigger force next time",
    ),
    "short_wall": (
        "less than 10 nm of wall, or a contact that is uncertain by more than 0.5 nm",
        "a larger trigger force",
    ),
    "short_baseline": ("too little baseline to draw a line through", "a longer ramp"),
    "saturated": ("the detector was at its end", "a smaller trigger force"),
    "slope_outlier": (
        "the wall's slope differs from that of the other curves",
        "look for a particle, or a tip that slips",
    ),
    "structure": (
        "the baseline is not straight: interference, slow noise, a long-ranged force",
        "compare the contact's height with the neighbours'; interference = true in the recipe",
    ),
    "spikes": ("single samples were far off and have been replaced", "nothing, if they are few"),
    "lag": (
        "the lock-in's delay is more than 0.5 nm of way",
        "a slower ramp or a smaller time constant",
    ),
    "prior_conflict": (
        "the contact moves by more than 0.5 nm if the wall has the slope −1",
        "check the deflection sensitivity",
    ),
    "slip": (
        "on the wall the lateral force grows with the load: the tip slips",
        "a smaller dither",
    ),
    "slope_of_surface": (
        "the surface is steeper than 20° here",
        "correct_slope = true in the recipe, or leave them out",
    ),
    "missing_lateral": (
        "there is no lateral signal, or it has holes or is dead",
        "look at the wiring of the lock-in",
    ),
}

#: So many examples are named for every flag.
_NAMED = 4


@dataclass(frozen=True)
class Flag:
    """Curves that carry a flag.

    Attributes
    ----------
    name, meaning, advice : str
    count : int
    examples : list of int
        Curves to look at: those with the fewest other flags.
    left_out : bool
        Whether averages leave such curves out.
    """

    name: str
    meaning: str
    advice: str
    count: int
    examples: list[int]
    left_out: bool


@dataclass(frozen=True)
class Quality:
    """What is doubtful about curves.

    Attributes
    ----------
    n : int
        All curves.
    unflagged, used, contacts : int
        With nothing to report; with no flag for which averages leave a curve out; with a contact.
    flags : list of Flag
        Those that any curve carries, most frequent first.
    """

    n: int
    unflagged: int
    used: int
    contacts: int
    flags: list[Flag]


def quality_of(results: xr.Dataset) -> Quality:
    """Count flags; where there are two directions, a curve has those of both."""
    bits = results["quality"].values.astype(np.int64)
    if "direction" in results["quality"].dims:
        bits = np.bitwise_or.reduce(bits, axis=results["quality"].dims.index("direction"))
    flags = [_flag(name, bits) for name in BIT if (bits & BIT[name]).any()]
    bad = sum(BIT[name] for name in LEFT_OUT)
    return Quality(
        len(bits),
        int((bits == 0).sum()),
        int(((bits & bad) == 0).sum()),
        int(((bits & BIT["no_hard_contact"]) == 0).sum()),
        sorted(flags, key=lambda flag: -flag.count),
    )


def _flag(name: str, bits: IntArray) -> Flag:
    carrying = np.flatnonzero(bits & BIT[name])
    others = np.array([int(b).bit_count() for b in bits[carrying]])
    first = carrying[np.argsort(others, kind="stable")][:_NAMED]
    meaning, advice = FLAG_WORDS[name]
    return Flag(name, meaning, advice, len(carrying), sorted(first.tolist()), name in LEFT_OUT)


def places(results: xr.Dataset, numbers: list[int]) -> list[str]:
    """Where curves are, in words: ``at (0.4, 1.2) µm``, or nothing."""
    x, y = column(results, "x"), column(results, "y")
    if x is None or y is None:
        return ["" for _ in numbers]
    return [
        f"at ({x[i] * 1e6:.3g}, {y[i] * 1e6:.3g}) µm" if np.isfinite(x[i] + y[i]) else ""
        for i in numbers
    ]
