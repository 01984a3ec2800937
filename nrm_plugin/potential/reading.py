"""Reads a potentiostat's file with whoever knows its kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nrm_plugin import plugins
from nrm_plugin.errors import CorruptFile, InvalidInput, NrmError, StrPath
from nrm_plugin.files import HEAD, read_start, sha256
from nrm_plugin.hookspecs import PotentialLog
from nrm_plugin.potential.log import Log


def read_log(path: StrPath, reader: str | None = None) -> Log:
    """Read what a potentiostat recorded.

    Parameters
    ----------
    path : str or Path
    reader : str, optional
        Name of the reader (``nrm plugins`` lists them); by default the one that is surest.

    Returns
    -------
    Log

    Raises
    ------
    MissingFile
        If there is nothing at the path, or a folder.
    InvalidInput
        If no reader knows the file, or there is no potential over time in it.
    CorruptFile
        If the file is damaged or cut short.
    """
    path = Path(path)
    head = read_start(path, HEAD)
    if not head:
        raise InvalidInput(f"{path}: the file is empty")
    chosen = _chosen(path, head, reader)
    try:
        log = chosen.read(path)
        if not isinstance(log, Log):
            raise TypeError(f"it returned a {type(log).__name__}")
    except InvalidInput as error:
        message = str(error)
        raise InvalidInput(message if str(path) in message else f"{path}: {message}") from None
    except NrmError:
        raise
    except Exception as error:  # a fault of the reader, or of the library that it uses
        what = f"{type(error).__name__}: {error}".rstrip(": ")[:200]
        wanted = f"a file that the reader {chosen.name} can read"
        raise CorruptFile(path, None, wanted, what) from error
    return replace(
        log,
        name=log.name or path.name,
        reader=log.reader or chosen.name,
        sha256=log.sha256 or sha256(path),
    )


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
