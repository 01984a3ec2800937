"""What can go wrong around a command: one table of faults, each tried on every command."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: Smallest piece of a tmpfs.
PAGE = 4096


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes
    ----------
    name : str
    variables : mapping of str to str
        What the preloaded library and Python are told; {data} and {folder} stand for these.
    around : callable, optional
        Context in which the command runs: takes the disk (the folder above the one in which the
        command runs) and the bytes that the command writes.
    child : callable, optional
        Called in the command's process before it begins.
    fresh : bool
        A Python of its own instead of a child that has imported everything.
    harmless : bool
        The command has to succeed with the same bytes as ever.
    own_data : bool
        It gets a copy of what it reads.
    may_differ : bool
        What it writes may differ, since what it reads does.
    but : tuple of str
        Commands that are left out.
    """

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    around: Callable[[Path, int], contextlib.AbstractContextManager[None]] | None = None
    child: Callable[[], None] | None = None
    fresh: bool = False
    harmless: bool = False
    own_data: bool = False
    may_differ: bool = False
    but: tuple[str, ...] = ()


def _mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True)


@contextlib.contextmanager
def _full(disk: Path, room: int) -> Iterator[None]:
    """Fill the disk (a tmpfs) but for so many bytes."""
    free = os.statvfs(disk).f_bavail * PAGE - room // PAGE * PAGE
    with (disk / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free)
    try:
        yield
    finally:
        (disk / "filler").unlink()


@contextlib.contextmanager
def _read_only(disk: Path, size: int) -> Iterator[None]:
    _mount("-o", "remount,ro", disk)
    try:
        yield
    finally:
        _mount("-o", "remount,rw", disk)


@contextlib.contextmanager
def _of_another(disk: Path, size: int) -> Iterator[None]:
    """Everything belongs to another user, who lets others read it."""
    _give(disk, 65534)
    try:
        yield
    finally:
        _give(disk, os.getuid())


def _give(disk: Path, user: int) -> None:
    for path in (disk, *disk.rglob("*")):
        os.chown(path, user, -1)


def _without_rights() -> None:
    """Give up root's right to write and read everything (capset: keep no capability)."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset")


def _little_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (700 << 20, resource.RLIM_INFINITY))


def _ascii() -> dict[str, str]:
    return {
        "LC_ALL": "C",
        "LANG": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
    }


def _locale(name: str) -> dict[str, str]:
    return {"LC_ALL": name, "LANG": name, "LOCPATH": "{folder}/locales"}


def _read(kind: str, at: int) -> dict[str, str]:
    return {"FAULT": kind, "FAULT_PATH": "{data}", "FAULT_AT": str(at)}


FAULTS: tuple[Fault, ...] = (
    Fault(name="full disk: nothing left", around=lambda disk, size: _full(disk, 0)),
    Fault(
        name="full disk: room for half of it", around=lambda disk, size: _full(disk, size // 2)
    ),
    Fault(name="full while it writes", variables={"FAULT": "full", "FAULT_AT": "3"}),
    Fault(name="fsync fails", variables={"FAULT": "eiosync"}),
    Fault(name="read-only folder", around=_read_only),
    Fault(name="folder of another user", around=_of_another, child=_without_rights),
    Fault(name="no locks", variables={"FAULT": "nolocks"}, harmless=True),
    Fault(name="slow disk", variables={"FAULT": "slow"}, harmless=True),
    Fault(name="short reads and writes", variables={"FAULT": "short"}, harmless=True),
    Fault(  # on Windows alone a journal is closed before it is renamed: `files.close_after`
        name="an open file stays (Windows)",
        variables={"FAULT": "sharing"},
        harmless=True,
        but=("process a file", "process a folder"),
    ),
    Fault(name="clock that jumps", variables={"FAULT": "clock"}, harmless=True),
    Fault(name="input cannot be read", variables=_read("eio", 1)),
    Fault(name="input cannot be read any more", variables=_read("eio", 6), may_differ=True),
    *(
        Fault(name=f"input {word} at read {at}", variables=_read(kind, at), own_data=True,
              may_differ=True)
        for kind, word in (("cut", "cut"), ("gone", "removed"), ("changed", "changed"))
        for at in (2, 9)
    ),
    Fault(name="700 MB of memory", child=_little_memory, fresh=True),
    Fault(name="ASCII terminal, LC_ALL=C", variables=_ascii(), fresh=True, harmless=True),
    Fault(name="de_DE.UTF-8", variables=_locale("de_DE.UTF-8"), fresh=True, harmless=True),
    Fault(name="tr_TR.ISO-8859-9", variables=_locale("tr_TR.ISO-8859-9"), fresh=True,
          harmless=True),
)  # fmt: skip


def make_locales(folder: Path) -> None:
    """Compile the locales."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("de_DE.UTF-8", "tr_TR.ISO-8859-9"):
        language, _, charset = name.partition(".")
        words = ["localedef", "-c", "-i", language, "-f", charset, str(folder / name)]
        subprocess.run(words, check=False, capture_output=True)


@contextlib.contextmanager
def disk(place: Path, size: str = "64m") -> Iterator[Path]:
    """A small disk of its own (a tmpfs; only root can mount one)."""
    place.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", place)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
        shutil.rmtree(place, ignore_errors=True)
