"""Up to which amplitude the signal is proportional to the dither: F*/A constant within errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.errors import InvalidInput

#: Standard errors by which a ratio is off beyond chance.
_SIGMAS = 3.0
#: Fewest amplitudes.
_FEWEST = 4
#: Amplitudes that are trusted to tell the ratio at first.
_FIRST = 2


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearRegime:
    """Ratio of signal over drive, and where it stops to be constant.

    Attributes
    ----------
    volts : (n,) array
        Amplitudes, rising.
    ratio : (n,) array of complex
        Signal over drive.
    stderr : (n,) array
        Of the ratio's parts.
    constant : complex
        The ratio in the linear regime.
    within : float
        What counts as constant, as part of it.
    up_to : float or None
        Largest amplitude that is in the linear regime; None where not even the smallest are.
    beyond : float or None
        The next one, which is not; None where all are.
    resolved : float
        Largest part of the ratio that could hide in the errors within the linear regime.
    """

    volts: FloatArray
    ratio: ComplexArray
    stderr: FloatArray
    constant: complex
    within: float
    up_to: float | None
    beyond: float | None
    resolved: float

    @property
    def deviation(self) -> ComplexArray:
        """Ratio over that of the linear regime, minus 1."""
        return np.asarray(self.ratio / self.constant - 1.0)


def linear_regime(
    volts: FloatArray, signal: ComplexArray, stderr: FloatArray, within: float = 0.02
) -> LinearRegime:
    """Find the amplitudes up to which signal over drive is constant.

    From the smallest amplitude on, each ratio is compared with the weighted mean of those before
    that are at most 0.7 times as large, so that a slow bend is not averaged into what it is
    compared with. It has changed where it differs by more than `within` and by more than three
    standard errors, there and at the next amplitude.

    Parameters
    ----------
    volts : (n,) array
        Amplitudes of the drive.
    signal : (n,) array of complex
    stderr : (n,) array
        Of its real and of its imaginary part.
    within : float
        Part of the ratio.

    Raises
    ------
    InvalidInput
        For fewer than four amplitudes.
    """
    if len(volts) < _FEWEST:
        raise InvalidInput(f"{len(volts)} amplitudes; {_FEWEST} or more are needed")
    order = np.argsort(volts, kind="stable")
    a = np.asarray(volts, np.float64)[order]
    ratio = np.asarray(signal)[order] / a
    error = np.asarray(stderr, np.float64)[order] / a
    weight = 1.0 / np.maximum(error, 1e-12 * np.abs(ratio).max()) ** 2
    off = np.zeros(len(a), bool)
    hidden = np.zeros(len(a))
    for i in range(len(a)):
        before = np.arange(len(a)) < max(i, 1)
        lower = before & (a <= 0.7 * a[i])
        trusted = lower if lower.sum() >= _FIRST else np.arange(len(a)) < _FIRST
        mean = np.sum(weight[trusted] * ratio[trusted]) / np.sum(weight[trusted])
        unsure = float(np.hypot(error[i], 1.0 / np.sqrt(np.sum(weight[trusted]))))
        hidden[i] = _SIGMAS * unsure / abs(mean)
        off[i] = abs(ratio[i] - mean) > max(within * abs(mean), _SIGMAS * unsure)
    left = next((i for i in range(len(a)) if off[i] and off[i + 1 : i + 2].all()), len(a))
    kept = slice(0, max(left, _FIRST))
    # The largest amplitudes have the smallest errors, and are the first to bend.
    alike = 1.0 / (1.0 / weight[kept] + (within / 3.0 * np.abs(ratio[kept])) ** 2)
    constant = complex(np.sum(alike * ratio[kept]) / np.sum(alike))
    return LinearRegime(
        volts=a,
        ratio=ratio,
        stderr=error,
        constant=constant,
        within=within,
        up_to=float(a[left - 1]) if left > _FIRST else None,
        beyond=float(a[left]) if left < len(a) else None,
        resolved=float(hidden[:left].max(initial=0.0)),
    )


def told(regime: LinearRegime, amounts: Sequence[str]) -> str:
    """Say it in a sentence; `amounts` are the amplitudes in words, in the same order."""
    words = dict(zip(regime.volts.tolist(), amounts, strict=True))
    bound = f"{100 * regime.within:.3g} %"
    if regime.up_to is None:
        return (
            f"no linear regime was found: F*/A changes by more than {bound} from {amounts[0]} on. "
            "Begin with smaller amplitudes"
        )
    text = f"F*/A is constant within {bound} from {amounts[0]} up to {words[regime.up_to]}"
    if regime.beyond is None:
        text += ", the largest amplitude that was tried"
    else:
        at = int(np.flatnonzero(regime.volts == regime.beyond)[0])
        change = abs(regime.ratio[at] / regime.constant) - 1.0
        turn = np.degrees(np.angle(regime.ratio[at] / regime.constant))
        text += (
            f"; at {words[regime.beyond]} its amplitude has changed by {100 * change:+.3g} % and "
            f"its phase by {turn:+.2g} degrees"
        )
    if regime.resolved > regime.within:
        text += (
            f". The errors would hide a change by up to {100 * regime.resolved:.2g} %: average "
            "longer to say more"
        )
    return text
