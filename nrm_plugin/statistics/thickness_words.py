"""Sentences about thickness: what could not be measured, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
    *,
    doubted: bool = False,
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
    doubted : bool
        Whether a layer may be taken for zero.
    """
    messages = []
    nothing, right = int(np.sum(censored == 2)), int(np.sum(censored == 1))
    if nothing:
        messages.append(
            f"{'undetermined' if doubted else 'nothing is detected'} in {nothing} of {n} curves"
        )
        if len(limits):
            beside = ", beside what is taken for zero" if doubted else ""
            messages[0] += (
                f": no layer of 10 nm stiffer than {_modulus(limits)} (|G*|) is seen{beside}"
            )
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


def of_straight_forces(n: int, slope: float, modulus: float) -> str:
    """Say that a force that is a line everywhere may be that of a layer.

    Parameters
    ----------
    n : int
        Curves in which nothing else is seen.
    slope : float
        N/m, negative towards the sample.
    modulus : float
        |G*| in Pa of a layer that would have it.
    """
    return (
        f"in {n} curves in which no edge is seen the lateral force is a straight line over the "
        f"whole baseline, alike in all of them ({1e3 * slope:.2g} pN per nm): a layer of "
        f"{1e-6 * modulus:.2g} MPa (|G*|) that fills the ramp, or a drift of the lateral offset. "
        "The other direction would tell them apart, or ramps that begin farther away"
    )


def of_noise(limit: float, white: float, reach: float, *, doubted: bool = False) -> list[str]:
    """Say that correlated noise raises the limit.

    Parameters
    ----------
    limit, white : float
        Limit, and what it would be if the noise were white.
    reach : float
        Distance in m over which the noise is correlated.
    doubted : bool
        Whether what is taken for noise may be a layer that is taken for zero.
    """
    if not limit > _CORRELATED * white:
        return []
    return [
        f"the noise of the lateral force is correlated over distances up to {reach * 1e9:.0f} nm "
        f"({'a layer that is taken for zero, ' if doubted else ''}1/f noise, or a long time "
        "constant of the lock-in): the detection limit is "
        f"{limit / white:.1f} times that of white noise"
    ]


def verdict(results: xr.Dataset, name: str) -> str:
    """Verdict of a check of the signals that is kept with the results; "" if there is none."""
    return next((str(c.get("verdict")) for c in _checks(results) if c.get("name") == name), "")


def of_checks(results: xr.Dataset, names: Sequence[str]) -> list[str]:
    """Doubts about the signals that are doubts about edges, of some checks."""
    return [
        f"{check['name']} is {check['verdict']}, and {_OF_EDGES[check['name']]}: {check['advice']}"
        for check in _checks(results)
        if check.get("name") in names and check.get("verdict") in ("doubtful", "wrong")
    ]


def _checks(results: xr.Dataset) -> list[dict[str, Any]]:
    try:
        checks: list[dict[str, Any]] = json.loads(str(results.attrs.get("checks", "[]")))
    except ValueError:
        return []
    return checks


def _modulus(limits: FloatArray) -> str:
    return f"{float(np.median(limits)) * 1e-6:.2g} MPa"
