"""Sentences about thickness: what could not be measured, and why."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray

#: Checks of the signals whose doubts are doubts about edges, and what they do to them.
_OF_EDGES = {
    "lockin_lag": "edges are displaced by as much",
    "lateral_baseline": "edges follow what is taken for zero",
}

#: How much larger than with white noise a limit is that is said to be one of correlated noise.
_CORRELATED = 1.7


def of_counts(
    n: int,
    censored: AnyArray,
    beyond: AnyArray,
    drifting: AnyArray,
    lengths: FloatArray,
    limits: FloatArray,
    last: float,
) -> list[str]:
    """What the curves show and do not show.

    Parameters
    ----------
    n : int
        Curves with a profile.
    censored, beyond, drifting : arrays
        Of all curves: what is known; layers that go on beyond the profiles; edges that depend on
        the baseline.
    lengths : array
        Decay lengths of the curves whose force falls off exponentially, m.
    limits : array
        Detection limits, Pa.
    last : float
        End of the profiles, m.
    """
    messages = []
    nothing, right = int(np.sum(censored == 2)), int(np.sum(censored == 1))
    if nothing:
        limit = f": no layer of 10 nm stiffer than {_modulus(limits)} (|G*|)" if len(limits) else ""
        messages.append(f"nothing is detected in {nothing} of {n} curves{limit}")
    if beyond.any():
        messages.append(
            f"in {int(beyond.sum())} of {n} curves the layer goes on beyond the profiles' end at "
            f"{last * 1e9:.0f} nm: they are thicker, by an unknown amount"
        )
    if drifting.any():
        messages.append(
            f"in {int(drifting.sum())} of {n} curves the edge depends on the lateral baseline by "
            "more than 2 nm: the lateral offset drifts, or a layer fills the ramp. Begin ramps "
            "farther away, or let the lock-in settle"
        )
    if len(lengths):
        messages.append(
            f"in {len(lengths)} of {n} curves the force falls off exponentially (decay length "
            f"{float(np.median(lengths)) * 1e9:.1f} nm, median): there is no edge, and where they "
            "are no longer detected follows their stiffness. Compare decay lengths, and distances "
            "at one modulus"
        )
    hidden = right - int(np.sum(beyond | drifting)) - len(lengths)
    if hidden > 0:
        messages.append(
            f"in {hidden} of {n} curves a softer layer may lie outside the edge that is seen: "
            "their thickness is a lower bound"
        )
    return messages


def of_noise(limit: float, white: float, reach: float) -> list[str]:
    """Say that correlated noise raises the limit.

    Parameters
    ----------
    limit, white : float
        Limit, and what it would be if the noise were white.
    reach : float
        Distance in m over which the noise is correlated.
    """
    if not limit > _CORRELATED * white:
        return []
    return [
        f"the noise of the lateral force is correlated over distances up to {reach * 1e9:.0f} nm "
        "(1/f noise, or a long time constant of the lock-in): the detection limit is "
        f"{limit / white:.1f} times that of white noise"
    ]


def of_checks(results: xr.Dataset) -> list[str]:
    """Doubts about the signals that are doubts about edges."""
    try:
        checks: list[dict[str, Any]] = json.loads(str(results.attrs.get("checks", "[]")))
    except ValueError:
        return []
    return [
        f"{check['name']} is {check['verdict']}, and {_OF_EDGES[check['name']]}: {check['advice']}"
        for check in checks
        if check.get("name") in _OF_EDGES and check.get("verdict") in ("doubtful", "wrong")
    ]


def _modulus(limits: FloatArray) -> str:
    return f"{float(np.median(limits)) * 1e-6:.2g} MPa"
