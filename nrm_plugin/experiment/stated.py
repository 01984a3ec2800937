"""What curves or results state of their experiment: values as people read them, with errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import with_error, with_unit
from nrm_plugin.units import parse
from nrm_plugin.vocabulary import BESIDE, CALIBRATED, METADATA, calibrated_by, where_from

#: More of a stranger's text than this is not shown.
LONGEST = 2000


@dataclass(frozen=True)
class Fact:
    """A value of the experiment.

    Attributes
    ----------
    value : float, str or bool
        Numbers in SI.
    text : str
        As people read it, with its unit.
    source : str
        Where it comes from: the calibration that gave it, where there is one.
    """

    value: float | str | bool
    text: str
    source: str


class Facts(Mapping[str, Fact]):
    """Values of the experiment by the names of the vocabulary.

    `readable` is whether the text could be read at all.

    Parameters
    ----------
    experiment : str
        The attribute ``experiment`` of results.
    """

    def __init__(self, experiment: str) -> None:
        import tomlkit
        from tomlkit.exceptions import TOMLKitError

        self.readable = True
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        try:
            document = tomlkit.parse(experiment)
        except TOMLKitError:
            self.readable, document = False, tomlkit.document()
        for key, item in document.items():
            trivia = getattr(item, "trivia", None)
            sources[key] = trivia.comment.lstrip("# ") if trivia else ""
            values[key] = item.unwrap() if hasattr(item, "unwrap") else item
        self._facts = _facts(values, sources)

    @classmethod
    def of(cls, metadata: Mapping[str, Any], sources: Mapping[str, str]) -> Facts:
        """Facts of curves, from their metadata."""
        facts = cls("")
        facts._facts = _facts(metadata, sources)
        return facts

    def __getitem__(self, key: str) -> Fact:
        return self._facts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def number(self, key: str) -> float | None:
        """Value of a number in SI, None if there is none."""
        fact = self._facts.get(key)
        usable = fact is not None and isinstance(fact.value, float)
        return float(fact.value) if fact is not None and usable else None

    def stderr(self, key: str) -> float | None:
        """Return the standard error of a value in SI, None where it is unknown."""
        error = self.number(f"{key}_stderr")
        return error if error else None

    @property
    def on_their_own(self) -> list[str]:
        """Keys that do not stand beside another."""
        return [key for key in self if calibrated_by(key) not in self]

    def rows(self) -> list[tuple[str, str, str]]:
        """Key, value with its standard error, and where from, of all that stands on its own."""
        rows = []
        for key in self.on_their_own:
            fact, text = self[key], self[key].text
            if key in CALIBRATED and isinstance(fact.value, float):
                text = with_error(fact.value, self.stderr(key), METADATA[key].unit)
            rows.append((key, text, fact.source))
        return rows

    def calibrations(self) -> list[dict[str, Any]]:
        """Calibrated values in types that JSON has; what is not known is None."""
        found = []
        for key in CALIBRATED:
            if self.number(key) is not None:
                texts = {w: self[f"{key}_{w}"].value for w in BESIDE[1:] if f"{key}_{w}" in self}
                found.append(
                    {
                        "key": key,
                        "value": self.number(key),
                        "unit": METADATA[key].unit,
                        "stderr": self.stderr(key),
                        **{what: texts.get(what) for what in BESIDE[1:]},
                        "source": self[key].source,
                    }
                )
        return found


def _facts(values: Mapping[str, Any], sources: Mapping[str, str]) -> dict[str, Fact]:
    found = {}
    for key, value in values.items():
        source = sources.get(key, "")
        if key in CALIBRATED:
            source = where_from(key, values, source)
        fact = _fact(key, value, source[:LONGEST])
        if fact is not None:
            found[key] = fact
    return found


def _fact(key: str, value: Any, source: str) -> Fact | None:
    """Fact of a value of the experiment; None for a list or a section."""
    entry = METADATA.get(key)
    if isinstance(value, bool):
        return Fact(value, "yes" if value else "no", source)
    if not isinstance(value, str | int | float):
        return None
    if entry is None or entry.text or entry.words or key == "simulated":
        return Fact(str(value), str(value)[:LONGEST], source)
    try:
        number = float(
            entry.check(key, parse(value, entry.unit) if isinstance(value, str) else float(value))
        )
    except (InvalidInput, ValueError, OverflowError):
        return Fact(str(value), str(value)[:LONGEST], source)
    return Fact(number, with_unit(number, entry.unit), source)
