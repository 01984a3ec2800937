"""What a self-check says: what was told, what the data show, and what the difference does."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import significant, with_unit

Verdict = Literal["fine", "doubtful", "wrong", "unknown"]

#: From the worst to the best.
VERDICTS: tuple[Verdict, ...] = ("wrong", "doubtful", "unknown", "fine")

#: What an effect is given for.
MODULI = ("storage_modulus", "loss_modulus")

#: What people read of a check's name.
TITLES = {
    "deflection_sensitivity": "Deflection sensitivity",
    "lateral_scale": "Lateral scale: motion of the tip on the wall",
    "lockin_phase": "Phase of the lock-in",
    "lockin_lag": "Delay of the lock-in",
    "lateral_stiffness": "Lateral stiffness of the lever",
    "drag": "Drag of the liquid",
    "friction": "Friction on the wall",
    "film": "Stiff film under the tip",
    "sampling": "Sampling: half-width of the derivative",
    "baseline": "Length of the baseline",
    "fringe": "Interference fringe: period",
    "lateral_baseline": "Lateral signal far away: slope",
    "shape_factor": "Shape factor near the electrode",
    "stick": "Stick or slip on the wall",
    "stability": "Stability over the acquisition",
}

_LETTERS = {"storage_modulus": "E'", "loss_modulus": "E''"}


def effect(storage: float = math.nan, loss: float = math.nan) -> dict[str, float]:
    """Change of E' and E'' in per cent if what was found were right; nan where it is not known."""
    return dict(zip(MODULI, (storage, loss), strict=True))


#: What is less is not worth a digit (m).
_LEAST = 1e-12

#: Of what does not touch the moduli.
UNCHANGED = effect(0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a self-check found; ``unknown`` until something is said.

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
    verdict: Verdict = "unknown"
    effect: Mapping[str, float] = field(default_factory=effect)
    advice: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Verdict):
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}, not {self.verdict!r}")

    def says(
        self, verdict: Verdict, advice: str, effect: Mapping[str, float] | None = None
    ) -> Check:
        """The same with a verdict, and what is known of its effect."""
        known = self.effect if effect is None else effect
        return replace(self, verdict=verdict, advice=advice, effect=known)

    @property
    def sentence(self) -> str:
        """Name, verdict, advice and effect, for people."""
        mark = "not checked" if self.verdict == "unknown" else self.verdict
        return f"{self.name} ({mark}): {self.text}"

    @property
    def text(self) -> str:
        """Advice and effect, for people."""
        by = self.effect_in_words
        return f"{self.advice} ({by})" if by else self.advice

    @property
    def left_out(self) -> bool:
        """Whether something was not corrected since what it takes was not told."""
        return self.verdict == "unknown" and "not corrected" in self.advice

    @property
    def title(self) -> str:
        """What people read of the name."""
        return TITLES.get(self.name, self.name.replace("_", " "))

    @property
    def told_in_words(self) -> str:
        """What was told, with its unit; empty if nothing was."""
        return _with_unit(self.told, self.unit)

    @property
    def found_in_words(self) -> str:
        """What was found, with its standard error and unit; empty if nothing was."""
        found = _with_unit(self.found, self.unit)
        value, error = self.found, self.stderr
        if isinstance(value, str) or not value or not (math.isfinite(error) and error > 0.0):
            return found
        if self.unit == "m":
            return found if error < 0.5 * _LEAST else _in_nm(value, error)
        # The error in the value's own unit and prefix.
        number, _, unit = found.partition(" ")
        part = error / abs(value) * abs(float(number.replace("\N{MINUS SIGN}", "-")))
        return f"{number} ± {significant(part, 2)} {unit}".rstrip()

    @property
    def effect_in_words(self) -> str:
        """How much the moduli would change; empty where it is not known."""
        known = [n for n in MODULI if math.isfinite(self.effect.get(n, math.nan))]
        if known and all(abs(self.effect[name]) < 0.5 for name in known):
            return "moduli hardly change" if len(known) == len(MODULI) else ""
        return ", ".join(f"{_LETTERS[name]} {self.effect[name]:+.0f} %" for name in known)

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
            return cls(verdict=given.pop("verdict"), **given)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"this is no check of nrm-plugin: {error}") from None


def _with_unit(value: float | str | None, unit: str, digits: int = 3) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if unit == "m":
        return f"{significant(round(value * 1e9, 3) + 0.0, digits)} nm"
    if unit in ("%", ""):
        return f"{significant(value, digits)} {unit}".rstrip()
    return with_unit(float(value), unit, digits)


def _in_nm(value: float, error: float) -> str:
    """Nanometres with an error of two digits, and no finer than picometres."""
    places = min(max(1 - math.floor(math.log10(error * 1e9)), 0), 3)
    number = round(value * 1e9, places) + 0.0  # no -0
    return f"{number:.{places}f} ± {error * 1e9:.{places}f} nm"


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
