"""Reads an experiment file, and says where it is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from os import PathLike
from pathlib import Path

from nrm_plugin.errors import InvalidInput, RecipeError
from nrm_plugin.experiment.experiment_file import Experiment
from nrm_plugin.experiment.schema import BY_KEY, BY_PLACE, SECTIONS, Entry, names_in
from nrm_plugin.files import decode, read_settings
from nrm_plugin.statements import LONGEST_NAME, dotted, read_toml, statements
from nrm_plugin.units import parse as number_of
from nrm_plugin.vocabulary import CHANNELS, METADATA, nearest

#: Bytes. A filled-in template has about a tenth of it.
LIMIT = 1 << 18
LONGEST_NUMBER = 100
LONGEST_TEXT = 20_000
#: Mistakes that one error names.
NAMED = 20

UNFILLED = "..."

#: A standard error that nobody knows, as a person writes it.
UNKNOWN = "unknown"

#: Sections of a recipe, which is the other file that a person has.
_RECIPE = ("contact", "derivative", "depth", "lateral")

Lines = Mapping[tuple[str, ...], int]


def read(path: str | PathLike[str]) -> Experiment:
    """Read and check an experiment file.

    Raises
    ------
    MissingFile
        If there is nothing at the path, or a folder.
    RecipeError
        If something in the file is wrong; it names the lines.
    """
    path = Path(path)
    return check(decode(load(path), path.name)[0], path.name)


def load(path: Path) -> bytes:
    """Bytes of an experiment file."""
    return read_settings(path, LIMIT, "an experiment file")


def check(text: str, name: str = "experiment file") -> Experiment:
    """Make an `Experiment` of a text.

    Parameters
    ----------
    text : str
    name : str
        What the file is called in errors and as the source of its values.

    Raises
    ------
    RecipeError
        It names each mistake with its line.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    tree = read_toml(text, name, "this is no experiment file", RecipeError)
    lines: dict[tuple[str, ...], int] = {}
    for statement in statements(text):
        for path in _upwards(statement.path):
            lines.setdefault(path, statement.first)
    reader = _Reader(lines, name)
    for section, content in tree.items():
        reader.section(section, content)
    reader.finish()
    return Experiment(
        name=name, metadata=reader.metadata, channels=reader.channels, text=text, lines=lines
    )


def _dotted(path: tuple[str, ...]) -> str:
    return path[0] if len(path) == 1 and path[0] in BY_KEY else dotted(path)


class _Reader:
    """Checks a tree section by section and collects the mistakes."""

    def __init__(self, lines: Lines, name: str) -> None:
        self.lines, self.name = lines, name
        self.metadata: dict[str, float | str | bool] = {}
        self.channels: dict[str, str] = {}
        self.places: dict[str, tuple[str, ...]] = {}
        self.mistakes: list[tuple[int, str]] = []

    def finish(self) -> None:
        """Raise what was collected, in the order of the lines."""
        if not self.mistakes:
            return
        named = [f"{self.name}, line {line}: {what}" for line, what in sorted(self.mistakes)]
        if len(named) > NAMED:
            named[NAMED:] = [f"{self.name}: {len(named) - NAMED} more mistakes"]
        raise RecipeError("\n".join(named))

    def wrong(self, what: str, *path: str) -> None:
        """Note a mistake at a path, or at the nearest above it that has a line."""
        line = next((self.lines[p] for p in _upwards(path) if p in self.lines), 1)
        self.mistakes.append((line, what))

    def section(self, section: str, content: object) -> None:
        """Check everything in a section."""
        if section in BY_KEY and not isinstance(content, dict):
            self.entry(BY_KEY[section], content, section)
        elif section not in SECTIONS:
            self.wrong(self._unknown_section(section, content), section)
        elif not isinstance(content, dict):
            self.wrong(f"{section} is a section, and there is one: write [{section}]", section)
        elif section == "channels":
            for old, new in content.items():
                self.channel(old, new)
        else:
            for name, value in content.items():
                self.value(section, name, value)

    def _unknown_section(self, section: str, content: object) -> str:
        short = _short(section)
        if isinstance(content, dict):
            like = re.sub(r"[\s-]+", "_", short.lower())
            near = "" if self._many else nearest(like, SECTIONS)
            if section in _RECIPE:
                near = (
                    " It is one of a recipe; is that what the file is? Then give it with --recipe"
                )
            return f"there is no section [{short}].{near or f' There are: {_list(SECTIONS)}'}"
        return f"{short} stands in no section.{self._belongs(section, '')}"

    @property
    def _many(self) -> bool:
        """Whether there are so many mistakes that no more hints are looked for."""
        return len(self.mistakes) > NAMED

    def _belongs(self, name: str, section: str) -> str:
        """Hint for an unknown key."""
        if self._many:
            return ""
        name = _short(name).lower()
        if name in BY_KEY:
            return f" Write it as {BY_KEY[name].place}"
        places = [e.place for e in BY_PLACE.values() if e.name == name]
        if places:
            return f" It belongs to {' or '.join(places)}"
        known = names_in(section) or [e.name for e in BY_PLACE.values()]
        hint = nearest(name, known) or nearest(name, [e.place for e in BY_PLACE.values()])
        return hint or (f" There are: {_list(known)}" if section else "")

    def value(self, section: str, name: str, value: object) -> None:
        """Check the value of a key."""
        entry = BY_PLACE.get((section, name))
        if entry is None:
            hint = self._belongs(name, section)
            self.wrong(f"there is no key {_short(name)!r} in [{section}].{hint}", section, name)
            return
        self.entry(entry, value, section, name)

    def entry(self, entry: Entry, value: object, *path: str) -> None:
        """Check a value that stands in its section, or above all under its metadata key."""
        if entry.key in self.places:
            first = self.places[entry.key]
            line = next((self.lines[p] for p in _upwards(first) if p in self.lines), 1)
            same = f"{_dotted(path)} and {_dotted(first)} are the same value"
            self.wrong(f"{same}; the first is in line {line}: take one out", *path)
            return
        self.places[entry.key] = path
        is_error = entry.key.endswith("_stderr")
        if is_error and isinstance(value, str) and value.strip().lower() == UNKNOWN:
            return
        try:
            found = checked(entry, value, path[-1])
        except InvalidInput as error:
            self.wrong(f"[{path[0]}] {error}" if len(path) > 1 else str(error), *path)
            return
        if not (is_error and found == 0.0):  # an error of nothing is one that nobody knows
            self.metadata[entry.key] = found

    def channel(self, old: str, new: object) -> None:
        """Check a line of the channel map."""
        if isinstance(new, dict):
            self.wrong(
                f"[channels] {_short(old)}: a name with a point stands in quotes", "channels", old
            )
        elif not isinstance(new, str) or not old or len(old) > LONGEST_NAME:
            self.wrong('[channels] has lines such as "Input1" = "lockin_output_x"', "channels", old)
        elif new.strip().startswith(UNFILLED):
            self.wrong(
                f"[channels] {old!r} is not filled in: replace the dots, or put a # in front",
                "channels",
                old,
            )
        elif new not in CHANNELS:
            near = "" if self._many else nearest(_short(new).lower(), CHANNELS)
            hint = near or f" There are: {_list(CHANNELS)}"
            self.wrong(
                f"[channels] {old!r}: there is no channel {_short(new)!r}.{hint}", "channels", old
            )
        elif new in self.channels.values():
            other = next(o for o, n in self.channels.items() if n == new)
            self.wrong(f"[channels] {old!r} and {other!r} cannot both be {new}", "channels", old)
        else:
            self.channels[old] = new


def checked(entry: Entry, value: object, name: str = "") -> float | str | bool:
    """Value of a key as the file gives it, in SI.

    Parameters
    ----------
    entry : Entry
    value : object
    name : str, optional
        What the key is called there, if not as in its section.

    Raises
    ------
    InvalidInput
        Its message begins with the key's name in the file.
    """
    key = METADATA[entry.key]
    name = name or entry.name
    if isinstance(value, str) and value.strip().startswith(UNFILLED):
        raise InvalidInput(f"{name} is not filled in: replace the dots, or put a # in front")
    if key.words and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if key.text and type(value) is date:
        value = value.isoformat()
    if key.text or key.words:
        if isinstance(value, str) and (len(value) > LONGEST_TEXT or not _printable(value)):
            raise InvalidInput(f"{name} is too long or has control characters")
        if not isinstance(value, str):
            raise InvalidInput(f"{name} is {' or '.join(key.words) or 'text'}, in quotes")
        return key.check(name, value)
    unit = key.unit or "1"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        example = f'"1 {entry.unit or key.unit}"' if key.unit else "1"
        raise InvalidInput(f"{name} is a number in {unit}, written such as {example}")
    if isinstance(value, str):
        return _number(entry, value, name)
    try:
        return key.check(name, float(value))
    except OverflowError:
        raise InvalidInput(f"{name} is too large") from None
    except InvalidInput as error:
        hint = f". A number without a unit is in {unit}" if key.unit not in ("", "rad") else ""
        raise InvalidInput(f"{error}{hint}") from None


def _number(entry: Entry, text: str, name: str) -> float | str | bool:
    """Value of a number with its unit."""
    key = METADATA[entry.key]
    if len(text) > LONGEST_NUMBER:
        raise InvalidInput(f"{name}: a number has at most {LONGEST_NUMBER} characters")
    if re.match(r"\s*[-+]?\d*,\d", text):
        raise InvalidInput(f"{name}: {text!r} is not a number: the decimal sign is a point")
    try:
        number = number_of(text, key.unit)
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}") from None
    return key.check(name, number)


def _printable(text: str) -> bool:
    return all(c.isprintable() or c.isspace() for c in text)


def _upwards(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    while path:
        yield path
        path = path[:-1]


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _list(names: Mapping[str, object] | list[str]) -> str:
    return ", ".join(names)
