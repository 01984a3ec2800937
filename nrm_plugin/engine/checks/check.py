"""What a self-check says: what was told, what the data show, and what the difference does."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from nrm_plugin.errors import InvalidInput

Verdict = Literal["fine", "doubtful", "wrong", "unknown"]

#: From the worst to the best.
VERDICTS: tuple[Verdict, ...] = ("wrong", "doubtful", "unknown", "fine")

#: What an effect is given for.
MODULI = ("storage_modulus", "loss_modulus")

_LETTERS = {"storage_modulus": "E'", "loss_modulus": "E''"}


def effect(storage: float = math.nan, loss: float = math.nan) -> dict[str, float]:
    """Change of E' and E'' in per cent if what was found were right; nan where it is not known."""
    return dict(zip(MODULI, (storage, loss), strict=True))


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a self-check found.

    Attributes
    ----------
    name : str
    told : float or str or None
        What the metadata say, in `unit`; None if nothing was told.
    found : float or str or None
        What the data say, in `unit`; None if they cannot.
    stderr : float
        Standard error of what was found, in `unit`; nan if it is not known.
    unit : str
    verdict : str
        ``fine`` (the data could have shown otherwise), ``doubtful``, ``wrong`` (the data refute
        what was told) or ``unknown`` (the advice says why, and what would tell).
    effect : mapping of str to float
        By how many per cent ``storage_modulus`` and ``loss_modulus`` would change; nan where it
        is not known.
    advice : str
        What was seen, what it does to the moduli, and what to do.
    """

    name: str
    told: float | str | None = None
    found: float | str | None = None
    stderr: float = math.nan
    unit: str = ""
    verdict: Verdict
    effect: Mapping[str, float] = field(default_factory=effect)
    advice: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Verdict):
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}, not {self.verdict!r}")

    @property
    def sentence(self) -> str:
        """Name, verdict, advice and effect, for people."""
        by = self.effect_in_words
        mark = "not checked" if self.verdict == "unknown" else self.verdict
        return f"{self.name} ({mark}): {self.advice}" + (f" ({by})" if by else "")

    @property
    def effect_in_words(self) -> str:
        """How much the moduli would change; empty where it is not known."""
        return ", ".join(
            f"{_LETTERS[name]} {self.effect[name]:+.0f} %"
            for name in MODULI
            if math.isfinite(self.effect.get(name, math.nan))
        )

    def plain(self) -> dict[str, Any]:
        """Return the same in types that JSON has; nan becomes None."""
        values = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        return values | {"effect": {k: _plain(v) for k, v in self.effect.items()}}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Check:
        """Return a check from what `plain` makes of it.

        Raises
        ------
        InvalidInput
        """
        known = {f.name for f in fields(cls)}
        given = {k: v for k, v in values.items() if k in known}
        try:
            if given.get("stderr") is None:
                given["stderr"] = math.nan
            given["effect"] = effect() | {
                k: math.nan if v is None else float(v)
                for k, v in dict(given.get("effect") or {}).items()
            }
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"this is no check of nrm-plugin: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def as_json(checks: Iterable[Check]) -> str:
    """Write checks as one text, as the attributes of results have it."""
    return json.dumps([check.plain() for check in checks])


def from_json(text: str) -> list[Check]:
    """Read what `as_json` wrote.

    Raises
    ------
    InvalidInput
    """
    try:
        return [Check.from_plain(values) for values in json.loads(text)]
    except (ValueError, AttributeError) as error:
        raise InvalidInput(f"the checks of these results cannot be read: {error}") from None
