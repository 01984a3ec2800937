"""Opens and writes files of any kind that a plugin knows; brings our own .h5 and .csv along."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrm_plugin import plugins
from nrm_plugin.errors import (
    CorruptFile,
    InvalidInput,
    MissingFile,
    NrmError,
    OutputError,
    UnknownFormat,
)
from nrm_plugin.hookspecs import Exporter, Importer, hookimpl

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet

HEAD = 4096


def open(path: str | PathLike[str], importer: str | None = None) -> CurveSet:
    """Open any file that an importer knows, without reading its samples.

    Parameters
    ----------
    path : str or Path
    importer : str, optional
        Name of the importer to use; by default the one that is surest of the file.

    Returns
    -------
    CurveSet

    Raises
    ------
    MissingFile
        If there is nothing at the path, or a folder.
    UnknownFormat
        If no importer knows the file.
    CorruptFile
        If the file is damaged or cut short.
    """
    from nrm_plugin.model import CurveSet, Origin

    path = Path(path)
    head = _head(path)
    doubts: list[str] = []
    found = plugins.installed()
    if importer is not None:
        if importer not in found.importers:
            known = ", ".join(sorted(found.importers))
            raise InvalidInput(f"there is no importer {importer!r}; there are: {known}")
        chosen = found.importers[importer]
    else:
        chosen, doubts = _choose(path, head, found)
    try:
        curves = chosen.open(path)
        if not isinstance(curves, CurveSet):
            raise TypeError(f"it returned a {type(curves).__name__}")
    except NrmError:
        raise
    except Exception as error:  # a fault of the importer; the rest of a batch must go on
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        raise CorruptFile(
            path, None, f"a file that the importer {chosen.name} can read", what
        ) from error
    named = curves.origins or (Origin(path.name, path=str(path.absolute())),)
    origins = tuple(
        replace(o, importer=o.importer or chosen.name, version=found.version_of(chosen.name))
        if not o.version
        else o
        for o in named
    )
    return replace(
        curves, origins=origins, warnings=(*curves.warnings, *doubts), importer=chosen.name
    )


def save(data: Any, path: str | PathLike[str], *, overwrite: bool = True) -> None:
    """Write curves or results to a file; the suffix says which kind.

    Parameters
    ----------
    data : CurveSet or xarray.Dataset
    path : str or Path
        Its suffix names an exporter: ``.h5``, ``.csv``, or what plugins add.
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    OutputError
        If the place cannot be written; whatever was there before is then untouched.
    InvalidInput
        If no exporter knows the suffix.
    """
    path = Path(path)
    exporter = plugins.installed().exporters.get(path.suffix.lower())
    if exporter is None:
        known = ", ".join(sorted(plugins.installed().exporters))
        raise InvalidInput(f"{path}: no exporter writes {path.suffix or 'no suffix'} ({known})")
    from nrm_plugin.model import CurveSet

    if not isinstance(data, CurveSet) and not getattr(exporter, "results", False):
        raise InvalidInput(f"{path}: {exporter.name} holds curves; results are written as .h5")
    with replacing(path, overwrite=overwrite) as part:
        exporter.write(data, part)


@contextlib.contextmanager
def replacing(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it there once the block has ended well.

    Whatever stops the block, `path` holds the old file or none, never a half-written one.

    Raises
    ------
    OutputError
    """
    if "\0" in str(path):
        raise OutputError(path, "there is a NUL in its name")
    try:
        exists, is_file, is_dir = path.exists(), path.is_file(), path.is_dir()
    except OSError as error:  # a name that is too long
        raise OutputError(path, error.strerror or error) from error
    if exists and not is_file:
        raise OutputError(path, "it is a folder" if is_dir else "it is not a regular file")
    if exists and not overwrite:
        raise OutputError(path, "it exists, and is replaced only with --overwrite")
    part = path.with_name(f".{path.stem[:50]}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        part.touch(exist_ok=False)
        yield part
        _to_disk(part)
        part.replace(path)
    except NrmError:
        raise
    except (OSError, RuntimeError) as error:  # h5py turns a full disk into a RuntimeError
        raise OutputError(path, getattr(error, "strerror", None) or error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Make sure that a file's bytes are on the disk before it gets its name."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise MissingFile(path, "this is a folder, not a file")
        if not path.exists():
            raise MissingFile(path, "there is no such file")
        if not path.is_file():
            raise MissingFile(path, "this is not a file that can be read twice")
        with path.open("rb") as file:
            head = file.read(HEAD)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise MissingFile(path, f"it cannot be read ({error})") from error
    if not head:
        raise UnknownFormat(path, hint="The file is empty.")
    return head


def _choose(path: Path, head: bytes, found: plugins.Plugins) -> tuple[Importer, list[str]]:
    scores: dict[str, int] = {}
    doubts = []
    for name, importer in found.importers.items():
        try:
            scores[name] = min(100, int(importer.sniff(head, path)))
        except Exception as error:  # a stranger's sniff must not keep others from reading
            scores[name] = 0
            doubts.append(f"importer {name} failed to look at the file: {error}")
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is None or scores[best] <= 0:
        near = [n for n, i in found.importers.items() if path.suffix.lower() in i.suffixes]
        hint = f"By its suffix it may be a damaged file of: {', '.join(near)}." if near else ""
        broken = [p.name for p in found.found if p.failure]
        if broken:
            hint += f" Plugins that are not loaded: {', '.join(broken)} (see nrm plugins)."
        raise UnknownFormat(path, scores, hint)
    return found.importers[best], doubts


class _CommonFile:
    name = "nrm"
    description = "the common file of nrm-plugin (NeXus-like HDF5)"
    suffixes: Sequence[str] = (".h5",)
    suffix = ".h5"
    results = True

    def sniff(self, head: bytes, path: Path) -> int:
        if not head.startswith(b"\x89HDF\r\n\x1a\n"):
            return 0
        from nrm_plugin.store import is_common_file

        return 100 if is_common_file(path) else 0

    def open(self, path: Path) -> CurveSet:
        from nrm_plugin.store import open_curves

        return open_curves(path)

    def write(self, data: Any, path: Path) -> None:
        from nrm_plugin.model import CurveSet
        from nrm_plugin.store import write_curves

        if isinstance(data, CurveSet):
            write_curves(data, path)
            return
        from nrm_plugin.store.results import write_results

        write_results(data, path)


class _Csv:
    name = "csv"
    description = "one line per sample, all channels in SI units"
    suffix = ".csv"

    def write(self, data: Any, path: Path) -> None:
        from nrm_plugin.textual import write_csv

        write_csv(data, path)


_COMMON = _CommonFile()


@hookimpl
def nrm_importers() -> list[Importer]:
    """Return the importer of our own files."""
    return [_COMMON]


@hookimpl
def nrm_exporters() -> list[Exporter]:
    """Return the exporters of the core."""
    return [_COMMON, _Csv()]
