"""One of several tones in the place of the first, from which moduli are made."""

from __future__ import annotations

import re
from dataclasses import replace

from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet

_PAIR = ("in_phase", "quadrature")
_SECOND = re.compile(r"lateral_(\d+)_in_phase")
#: What a tone has of its own: the key of the first, and what follows ``lateral_2_``.
_OWN = {
    "dither_frequency": "frequency",
    "dither_amplitude": "dither_amplitude",
    "lockin_phase": "lockin_phase",
}


def tones(curves: CurveSet) -> dict[int, float | None]:
    """Frequencies in Hz of the tones that were demodulated, by number; None where not told."""
    numbers = [int(found[1]) for name in curves.channels if (found := _SECOND.fullmatch(name))]
    known = curves.metadata
    if "lateral_in_phase" not in curves.channels:
        return {}
    return {1: known.get("dither_frequency")} | {
        number: known.get(f"lateral_{number}_frequency") for number in sorted(numbers)
    }


def with_tone(curves: CurveSet, number: int) -> CurveSet:
    """Return a copy whose lateral signal is that of a further tone.

    Its X and Y become ``lateral_in_phase`` and ``lateral_quadrature``, its frequency, amplitude and
    phase those of the dither; those of the first tone are kept as ``lateral_1_...``. What is not
    told of the tone is not told of the copy, so that nothing of the first tone is taken for it.

    Raises
    ------
    InvalidInput
        If there is no such tone.
    """
    there = tones(curves)
    if number not in there:
        known = ", ".join(str(one) for one in there) or "none: see nrm lockin --tone"
        raise InvalidInput(f"there is no tone {number}; tones of the lateral signal: {known}")
    if number == 1:
        return curves
    names = {f"lateral_{part}": f"lateral_1_{part}" for part in _PAIR}
    names |= {f"lateral_{number}_{part}": f"lateral_{part}" for part in _PAIR}
    named = curves.with_names(names)
    kept, first, own = dict(named.metadata), {}, {}
    for key, end in _OWN.items():
        if key in kept:
            first[f"lateral_1_{end}"] = kept.pop(key)
        if f"lateral_{number}_{end}" in kept:
            own[key] = kept.pop(f"lateral_{number}_{end}")
    # Standard errors and methods of the first tone's values belong to those.
    kept = {key: value for key, value in kept.items() if not key.startswith(tuple(_OWN))}
    bare = replace(named, metadata=kept)
    return bare.with_metadata(first | own, f"tone {number} of the recording")
