"""The errors that a user can meet: each says in one sentence what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path

StrPath = str | PathLike[str]


class NrmError(Exception):
    """Base of every error that this package raises on purpose."""


class MissingFile(NrmError):
    """There is no file at the path: nothing at all, a folder, or something that cannot be read."""

    def __init__(self, path: StrPath, reason: str | Exception) -> None:
        reason = getattr(reason, "strerror", None) or str(reason)
        super().__init__(path, reason)
        self.path, self.reason = Path(path), reason

    def __str__(self) -> str:
        return f"{fspath(self.args[0])}: {self.reason}"


class UnknownFormat(NrmError):
    """No importer recognises the file.

    Attributes
    ----------
    path : Path
    scores : dict
        What each importer gave for the file, 0 to 100.
    """

    def __init__(
        self, path: StrPath, scores: Mapping[str, int] | None = None, hint: str = ""
    ) -> None:
        super().__init__(path, scores, hint)
        self.path, self.scores, self.hint = Path(path), dict(scores or {}), hint

    def __str__(self) -> str:
        asked = f" (asked: {', '.join(sorted(self.scores))})" if self.scores else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.path}: no importer knows this kind of file{asked}.{hint}"


class CorruptFile(NrmError):
    """The file is of a known format, but damaged or cut short.

    Attributes
    ----------
    path : Path
    offset : int or None
        Byte at which the contradiction was met, where there is one.
    expected, found : str
    origin : str
        What wrote the file, and has the original.
    """

    def __init__(
        self,
        path: StrPath,
        offset: int | None,
        expected: object,
        found: object,
        origin: str = "the microscope",
    ) -> None:
        super().__init__(path, offset, expected, found, origin)
        self.path, self.offset = Path(path), offset
        self.expected, self.found, self.origin = expected, found, origin

    def __str__(self) -> str:
        at = "" if self.offset is None else f" at byte {self.offset}"
        return (
            f"{self.path}: expected {self.expected}{at}, found {self.found}. "
            f"The file is damaged or incomplete: copy it from {self.origin} again."
        )


class NewerFile(CorruptFile):
    """The file is of a newer major version of this package's format, and not damaged."""

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, found {self.found}."


class ChangedFile(NrmError):
    """A file has changed, moved or gone since it was opened; open it again."""

    def __init__(self, path: StrPath) -> None:
        super().__init__(path)
        self.path = Path(path)

    def __str__(self) -> str:
        return f"{self.path} has changed since it was opened; open it again."


class InvalidInput(NrmError, ValueError):
    """A value that was given makes no sense: wrong unit, length, name or range."""


class NoSuchCurve(InvalidInput, IndexError):
    """There are fewer curves than the number that was asked for."""


class UnknownChannel(NrmError, KeyError):
    """The curves have no channel of that name."""

    def __init__(self, name: str, available: Iterable[str]) -> None:
        names = list(available)
        super().__init__(name, names)
        self.name, self.available = name, names

    def __str__(self) -> str:
        names = ", ".join(self.available) or "none"
        return f"there is no channel {self.name!r}; the channels are: {names}."


class MissingCalibration(NrmError):
    """A value that the file does not hold is needed.

    Attributes
    ----------
    keys : tuple of str
        The metadata keys that are missing.
    meanings : dict
        What each of them means, and its unit; `vocabulary.missing` knows it.
    """

    def __init__(self, keys: Iterable[str], meanings: Mapping[str, str] | None = None) -> None:
        self.keys = (keys,) if isinstance(keys, str) else tuple(keys)
        self.meanings = dict(meanings or {})
        super().__init__(self.keys, self.meanings)

    def __str__(self) -> str:
        named = [f"{k} ({self.meanings[k]})" if k in self.meanings else k for k in self.keys]
        return (
            f"missing: {'; '.join(named)}. "
            "Give it with --set KEY=VALUE, in the experiment file, or in metadata."
        )


class MissingPackage(NrmError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(package, extra)
        self.package, self.extra = package, extra

    def __str__(self) -> str:
        return (
            f"this needs the package {self.package}, which is not installed: "
            f'pip install "nrm-plugin[{self.extra}]"'
        )


class LibraryError(NrmError):
    """The compiled library is missing, or another one than the sources beside it make."""

    def __init__(self, path: StrPath, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = Path(path), reason

    def __str__(self) -> str:
        return (
            f"the compiled library {self.path} {self.reason}. In a checkout `python3 run.py` "
            "builds it, or `pip install -e .`; otherwise install nrm-plugin again"
        )


class OutputError(NrmError):
    """A file cannot be written: it exists, the disk is full, or the place is read-only."""

    def __init__(self, path: StrPath, reason: object) -> None:
        super().__init__(path, reason)
        self.path, self.reason = Path(fspath(path)), reason

    def __str__(self) -> str:
        return (
            f"{fspath(self.args[0])} was not written: {self.reason}"  # an address has two slashes
        )


class RecipeError(NrmError):
    """A recipe or experiment file has an unknown key or a value that makes no sense."""


class BatchError(NrmError):
    """Processes or a cluster that should do the work cannot, or are lost."""


class DaqUnavailable(NrmError):
    """The acquisition board, its driver or its server is not there."""
