"""Reads a potentiostat's file with whoever knows its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nrm_plugin import plugins
from nrm_plugin.errors import CorruptFile, InvalidInput, NrmError, StrPath
from nrm_plugin.files import HEAD, read_start, sha256
from nrm_plugin.hookspecs import PotentialLog
from nrm_plugin.potential.log import Log

#: Where a damaged file has its original.
_ORIGIN = "the potentiostat's computer"


def read_log(
    path: StrPath, reader: str | None = None, *, units: Mapping[str, str] | None = None
) -> Log:
    """Read what a potentiostat recorded.

    Parameters
    ----------
    path : str or Path
    reader : str, optional
        Name of the reader (``nrm plugins`` lists them); by default the one that is surest.
    units : mapping, optional
        Units of columns whose titles have none, for tables as text: ``{"potential": "mV"}``.

    Returns
    -------
    Log

    Raises
    ------
    MissingFile
        If there is nothing at the path, or a folder.
    InvalidInput
        If no reader knows the file, there is no potential over time in it, or units are given for
        a file that says its own.
    CorruptFile
        If the file is damaged or cut short.
    """
    path = Path(path)
    head = read_start(path, HEAD)
    if not head:
        raise InvalidInput(f"{path}: the file is empty")
    chosen = _chosen(path, head, reader)
    try:
        log = _read(chosen, path, units)
        if not isinstance(log, Log):
            raise TypeError(f"it returned a {type(log).__name__}")
    except InvalidInput as error:
        message = str(error)
        raise InvalidInput(message if str(path) in message else f"{path}: {message}") from None
    except CorruptFile as error:
        error.origin = _ORIGIN
        raise
    except NrmError:
        raise
    except Exception as error:  # a fault of the reader, or of the library that it uses
        what = f"{type(error).__name__}: {error}".rstrip(": ")[:200]
        wanted = f"a file that the reader {chosen.name} can read"
        raise CorruptFile(path, None, wanted, what, _ORIGIN) from error
    return replace(
        log,
        name=log.name or path.name,
        reader=log.reader or chosen.name,
        sha256=log.sha256 or sha256(path),
    )


def is_log(path: StrPath) -> bool:
    """Whether a reader of potentiostats' files is surer of a file than every importer of curves.

    Raises
    ------
    MissingFile
    """
    path = Path(path)
    head = read_start(path, HEAD)
    registry = plugins.installed()
    logs, curves = (
        max(registry.surest(kind, head, path)[1].values(), default=0)
        for kind in ("potential_logs", "importers")
    )
    return bool(head) and logs > curves


def _read(chosen: PotentialLog, path: Path, units: Mapping[str, str] | None) -> Log:
    if not units:
        return chosen.read(path)
    if not getattr(chosen, "takes_units", False):
        raise InvalidInput(f"files that the reader {chosen.name} reads say their units themselves")
    return chosen.read(path, units=units)  # type: ignore[call-arg]


def _chosen(path: Path, head: bytes, name: str | None) -> PotentialLog:
    registry = plugins.installed()
    if name is None:
        name, scores, _ = registry.surest("potential_logs", head, path)
        if name is None:
            asked = ", ".join(sorted(scores)) or "nobody"
            raise InvalidInput(
                f"{path}: no reader of potentiostats' files knows this kind of file "
                f"(asked: {asked}). "
                "A table as text with titles such as 'time (s)' and 'E (V)' can be read"
            )
    log: PotentialLog = registry.choose("potential_logs", name)
    return log
