"""What potentiostats' logs say beside the potential: reference, sweep rate, ohmic drop."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from nrm_plugin.potential.log import Log
from nrm_plugin.statements import parsed

#: Metadata that logs say, by the names of `Log`.
KEYS = {
    "reference": "reference_electrode",
    "sweep_rate": "sweep_rate",
    "ohmic_resistance": "ohmic_resistance",
    "ohmic_compensation": "ohmic_compensation",
}


def facts_of(
    logs: Sequence[Log], known: Mapping[str, Any], shift: float
) -> tuple[dict[str, Any], list[str]]:
    """What all logs that say something say alike, as metadata; and warnings.

    Parameters
    ----------
    logs : sequence of Log
    known : mapping
        Metadata of the curves. What somebody said stays.
    shift : float
        Potential of the reference electrode against the metal's, V: with one, potentials are no
        longer against the electrode that the log names.
    """
    found: dict[str, Any] = {}
    warnings = []
    for name, key in KEYS.items():
        said = list(dict.fromkeys(v for log in logs if (v := getattr(log, name)) not in (None, "")))
        if len(said) > 1:
            words = ", ".join(map(str, said))
            warnings.append(f"the logs say different things of {key}: {words}; none is kept")
        elif said and key != "reference_electrode":
            found[key] = said[0]
        elif said and not shift:
            given = known.get(key)
            if given is None:
                found[key] = said[0]
            elif given != said[0]:
                warnings.append(
                    f"the log's potentials are against {said[0]} by its file, and "
                    f"reference_electrode is {given}: that is kept, and nothing is added between "
                    "the two (reference_potential says how far they lie apart)"
                )
    return found, warnings


def stated_in(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of curves as their results keep them."""
    try:
        stated = parsed(str(attributes.get("experiment", "")))
    except tomllib.TOMLDecodeError:
        stated = {}
    return {**stated, **{k: attributes[k] for k in KEYS.values() if k in attributes}}


def words_of(logs: Sequence[Log]) -> list[str]:
    """Against what the potentials were recorded, for the source of a potential."""
    said = dict.fromkeys(log.reference for log in logs if log.reference)
    return [f"recorded against {', '.join(said)}"] if said else []
