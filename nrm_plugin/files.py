"""Files: their heads, text and hashes, and how they are written without leaving halves behind."""

from __future__ import annotations

import codecs
import contextlib
import errno
import hashlib
import logging
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nrm_plugin.errors import MissingFile, NrmError, OutputError, RecipeError, StrPath

if TYPE_CHECKING:
    import h5py

log = logging.getLogger("nrm")

#: Bytes of a file's beginning by which its format is recognised.
HEAD = 4096

#: Bytes that are hashed at once; they stay in the processor's cache.
_HASHED = 1 << 18

#: What a drive answers that has no locks.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL})

#: What a drive answers when it does not give a file's bytes, which says nothing about the file.
_OF_THE_DRIVE = _NO_LOCKS - {errno.EINVAL} | {
    getattr(errno, name)
    for name in (
        *("EIO", "ESTALE", "ETIMEDOUT", "ENOTCONN", "ENODEV", "ENXIO", "EREMOTEIO"),
        *("EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "ECONNRESET"),
        *("ECONNABORTED", "EACCES", "EPERM"),
    )
    if hasattr(errno, name)
}
#: How HDF5 quotes an error of the system.
_HDF5_ERRNO = re.compile(r"errno = (\d+), error message = '([^']+)'")

_BUSY = frozenset({errno.EAGAIN, errno.EWOULDBLOCK})

#: The byte that Windows locks, far behind the end of any file: what it locks nobody can read.
_LOCKED = 1 << 62

OpenedFile = TypeVar("OpenedFile", bound=FileIO)

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def system_reason(error: BaseException) -> str:
    """What the system said, in its words: without number and name, and from inside of HDF5."""
    if found := _HDF5_ERRNO.search(str(error)):
        return found[2]
    return getattr(error, "strerror", None) or str(error)


def read_start(path: StrPath, size: int, wanted: str = "a file") -> bytes:
    """Return the first `size` bytes of a file, all of them if it is shorter.

    Parameters
    ----------
    path : str or Path
    size : int
    wanted : str
        What should be there, with its article, for the error.

    Raises
    ------
    MissingFile
        If there is nothing at the path, a folder, or something that cannot be read twice.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise MissingFile(path, f"this is a folder, not {wanted}")
        if not path.exists():
            raise MissingFile(path, "there is no such file")
        if not path.is_file():
            raise MissingFile(path, "this is not a file that can be read twice")
        with path.open("rb") as file:
            return file.read(size)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise MissingFile(path, f"it cannot be read ({system_reason(error)})") from error


def read_settings(path: StrPath, limit: int, wanted: str) -> bytes:
    """Return the contents of a file that a person wrote.

    Parameters
    ----------
    path : str or Path
    limit : int
        More bytes than this are none of that kind.
    wanted : str
        What should be there, with its article: ``"a recipe"``.

    Raises
    ------
    MissingFile, RecipeError
    """
    data = read_start(path, limit + 1, wanted)
    if len(data) > limit:
        raise RecipeError(f"{path}: this is not {wanted}: it has more than {limit // 1024} kB")
    return data


def decode(data: bytes, name: str) -> tuple[str, str]:
    """Text of a file as an editor wrote it, and its encoding.

    Raises
    ------
    RecipeError
        If it is not UTF-8, nor UTF-16 with a mark.
    """
    encoding = next((e for bom, e in _BOMS if data.startswith(bom)), "utf-8")
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecipeError(
            f"{name}, line {line}: there is a character that is not UTF-8. "
            "Save the file with the encoding UTF-8."
        ) from None


def opened_hdf5(path: StrPath, *, ours: bool = True) -> h5py.File:
    """Open an HDF5 file for reading, also on a drive that has no locks.

    Parameters
    ----------
    path : path
    ours : bool
        Whether it should be one that nrm wrote; those of other programs may hold links to other
        files, and sizes that nobody reads.

    Raises
    ------
    MissingFile
        If the drive does not give the file, or another program is writing it; for a pipe or a
        device, which would keep the program waiting.
    OSError
        If it is no HDF5 file, or a damaged one, or not safe to read.
    """
    import h5py

    from nrm_plugin.hdf5_guard import GuardedFile, check_texts

    if Path(path).exists() and not Path(path).is_file():
        raise MissingFile(path, "this is not a file that can be read twice")
    kind = GuardedFile if ours else h5py.File
    try:
        try:
            file = kind(path, "r", locking="best-effort")
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            file = kind(path, "r", locking=False)
        try:
            check_texts(file, Path(path))
        except (RuntimeError, ValueError, KeyError, TypeError) as error:  # h5py's, of damage
            file.close()
            number = _HDF5_ERRNO.search(str(error))
            told = (int(number[1]), number[2]) if number else (str(error),)
            raise OSError(*told) from None
        except BaseException:
            file.close()
            raise
        return file
    except OSError as error:
        raise drive_error(path, error) or error from None


def drive_error(path: StrPath, error: BaseException) -> MissingFile | None:
    """What to say where not the file is at fault but the drive that it lies on; None else."""
    code = getattr(error, "errno", None)
    if code in _BUSY:
        return MissingFile(path, "another program is writing to it: wait until it has closed it")
    if code not in _OF_THE_DRIVE:
        return None
    assert code is not None
    return MissingFile(
        path,
        f"the drive that it lies on does not give it ({os.strerror(code)}): try again, or copy it "
        "to a drive of this computer",
    )


def sha256(path: StrPath) -> str:
    """Hash of a file, or an empty string where there is none any more."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


class FileHashes:
    """SHA-256 of files, made while what is in them is read for another purpose.

    As much is hashed at a time as was read by others, so that the system still has it in memory
    and no disk is read twice.

    Parameters
    ----------
    files : iterable of (sha256, path)
        A hash that is known already needs no file.
    """

    def __init__(self, files: Iterable[tuple[str, StrPath]]) -> None:
        self._files = list(files)
        self._digests: list[str] = []
        self._size, self._done = 0, 0
        for known, path in self._files:
            with contextlib.suppress(OSError):
                self._size += Path(path).stat().st_size if path and not known else 0
        self._pieces = self._hashed()

    def _hashed(self) -> Iterator[int]:
        """Hash all files, and give the size of each piece."""
        room = memoryview(bytearray(_HASHED))
        for known, path in self._files:
            digest = hashlib.sha256()
            try:
                if not known and path:
                    with Path(path).open("rb", buffering=0) as file:
                        while size := file.readinto(room):
                            digest.update(room[:size])
                            yield size
                    known = digest.hexdigest()
            except OSError:  # it is not there any more
                known = ""
            self._digests.append(known)

    def follow(self, part: float) -> None:
        """Hash as far as this part of all files together."""
        while self._done < part * self._size:
            self._done += next(self._pieces, self._size)

    def result(self) -> list[str]:
        """Hash the rest, and return all hashes; empty where there is no file."""
        for _ in self._pieces:
            pass
        return self._digests


#: Names that Windows keeps for devices, whatever their suffix.
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in "0123456789\xb9\xb2\xb3"}
)
_NOT_IN_WINDOWS = frozenset('<>:"/\\|?*') | frozenset(map(chr, range(32)))

#: Names about which something has been said.
_told: set[str] = set()


def refused_by_windows(name: str) -> str:
    """Why Windows has no file or folder of this name; empty where it can have one.

    Examples
    --------
    >>> refused_by_windows("aux.toml"), refused_by_windows("out.h5")
    ('AUX is a device there', '')
    """
    device = name.split(".")[0].rstrip(" ").upper()
    if device.lower() in _DEVICES:
        return f"{device} is a device there"
    if wrong := next((c for c in name if c in _NOT_IN_WINDOWS), ""):
        return f"{wrong!r} is not allowed in names there"
    if name.endswith((" ", ".")) and name.strip("."):
        return "names do not end with a dot or a blank there"
    return ""


def check_output(path: Path, *, overwrite: bool) -> None:
    """Refuse a place where nothing can or may be written.

    Raises
    ------
    OutputError
    """
    if "\0" in str(path):
        raise OutputError(path, "there is a NUL in its name")
    if why := refused_by_windows(path.name):
        if sys.platform == "win32":
            raise OutputError(path, f"Windows has no file of this name: {why}")
        if path.name not in _told:
            _told.add(path.name)
            log.warning("%s: Windows has no file of this name: %s", path, why)
    try:
        exists, is_file, is_dir = path.exists(), path.is_file(), path.is_dir()
        if not path.parent.exists():
            raise OutputError(path, f"there is no folder {path.parent}")
    except OSError as error:  # a name that is too long
        raise OutputError(path, error.strerror or error) from error
    if exists and not is_file:
        raise OutputError(path, "it is a folder" if is_dir else "it is not a regular file")
    if exists and not overwrite:
        raise OutputError(path, "it exists, and is replaced only with --overwrite")


@contextlib.contextmanager
def replacing(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it there once the block has ended well.

    Whatever stops the block, `path` holds the old file or none, never a half-written one.

    Raises
    ------
    OutputError
    """
    check_output(path, overwrite=overwrite)
    _tidy(path.parent)
    part = path.with_name(f".{path.stem[:50]}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        part.touch(exist_ok=False)
        yield part
        to_disk(part)
        part.replace(path)
    except NrmError:
        raise
    except (OSError, RuntimeError) as error:  # h5py turns a full disk into a RuntimeError
        raise OutputError(path, system_reason(error)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


_MARK = re.compile("[0-9a-f]{8}")

#: Names of temporary files of `replacing`, and how old they are when nobody can be writing them, s.
_PART = re.compile(r"\..{1,50}\.[0-9a-f]{8}\.part(?:\.[^.]*)?")
_ABANDONED = 86400.0

#: Folders that have been looked through.
_tidied: set[str] = set()


def _tidy(folder: Path) -> None:
    """Remove what killed programs left behind in a folder more than a day ago; once for each."""
    place = os.path.abspath(folder)  # noqa: PTH100 (no look at the drive)
    if place in _tidied:
        return
    _tidied.add(place)
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if not entry.name.startswith(".") or not _PART.fullmatch(entry.name):
                continue
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if time.time() - status.st_mtime > _ABANDONED:
                    if stat.S_ISDIR(status.st_mode):
                        shutil.rmtree(entry.path)
                    elif stat.S_ISREG(status.st_mode):
                        Path(entry.path).unlink()
                    else:
                        continue
                    log.info("removed %s, which a killed program had left", entry.path)


def write_text(path: StrPath, text: str) -> None:
    """Write a text as UTF-8 and with the ends of lines that it has, whatever is there.

    Raises
    ------
    OutputError
    """
    with replacing(Path(path), overwrite=True) as part:
        part.write_text(text, encoding="utf-8", newline="")


def time_of_writing() -> datetime:
    """Now in UTC, as files say when they were written.

    The environment variable ``SOURCE_DATE_EPOCH`` (s since 1970) stands for another moment, so that
    the same files are the same bytes.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(given), UTC) if given.isdecimal() else datetime.now(UTC)


@contextlib.contextmanager
def replacing_folder(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary folder beside `path`, and move it there once the block has ended well.

    A folder that is replaced is deleted only when the new one has its name. A program that is
    killed between the two leaves it under a hidden name, from which the next call brings it back.

    Raises
    ------
    OutputError
    """
    _bring_back(path)
    if path.is_dir():
        if not overwrite:
            raise OutputError(path, "it exists, and is replaced only with --overwrite")
        if any(path.iterdir()) and not any(path.glob("*zarr*")) and not any(path.glob(".z*")):
            raise OutputError(path, "it is a folder with other things in it")
    else:
        check_output(path, overwrite=overwrite)
    _tidy(path.parent)
    mark = secrets.token_hex(4)
    part = path.with_name(f".{path.stem[:50]}.{mark}.part{path.suffix}")
    old = path.with_name(f".{path.stem[:50]}.{mark}.old{path.suffix}")
    try:
        part.mkdir()
        yield part
        if path.exists():
            path.replace(old)
        part.replace(path)
    except NrmError:
        raise
    except (OSError, RuntimeError) as error:
        if old.exists() and not path.exists():
            old.replace(path)
        raise OutputError(path, system_reason(error)) from error
    finally:
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)


def _bring_back(path: Path) -> None:
    """Give a folder its name again that a killed program had moved away to replace it."""
    name = f".{path.stem[:50]}."
    with contextlib.suppress(OSError):
        for old in path.parent.iterdir():
            mark = old.name.removeprefix(name).removesuffix(f".old{path.suffix}")
            if old.name != f"{name}{mark}.old{path.suffix}" or not _MARK.fullmatch(mark):
                continue
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.replace(path)


def to_disk(path: Path) -> None:
    """Make sure that a file's bytes are on the disk before it gets its name."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


class PatientFile(FileIO):
    """A file that gives all bytes that it has, though its drive may give fewer at a time."""

    def readinto(self, room: Any) -> int:
        """Fill the room as far as the file goes; returns the number of bytes."""
        left = memoryview(room).cast("B")
        size = len(left)
        while left and (count := super().readinto(left)):
            left = left[count:]
        return size - len(left)

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes, or to the end of the file."""
        data = super().read(-1 if size is None else size) or b""
        if size is None or size < 0:
            return data
        while len(data) < size and (more := super().read(size - len(data))):
            data += more
        return data


def open_locked(path: Path, busy: str, kind: type[OpenedFile]) -> OpenedFile:
    """Open a file for reading and writing that no other program writes until it is closed.

    A file that is not there is made, an existing one keeps what is in it.

    Parameters
    ----------
    path : Path
    busy : str
        Who else writes it, and what to do then, for the error.
    kind : type
        FileIO, or a child of it.

    Raises
    ------
    OutputError
        If another program holds the lock, or the file cannot be opened.
    """
    while True:
        try:
            file = kind(path, "r+", opener=lambda name, how: os.open(name, how | os.O_CREAT, 0o666))
        except (OSError, ValueError) as error:
            raise OutputError(path, system_reason(error)) from error
        try:
            if not _lock(file):
                raise OutputError(path, busy)
            if _names(path, file):
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # whoever held the lock renamed or removed it: open what is there now


@contextlib.contextmanager
def changing(path: Path, seconds: float = 10.0) -> Iterator[None]:
    """Read and replace a file while no other program that asks here first does.

    A lock beside it, since the file itself gets replaced; gone afterwards.

    Raises
    ------
    OutputError
        If another program has not ended its change after so many seconds.
    """
    busy = "another program is changing it: try again"
    lock = path.with_name(f".{path.name}.lock")
    end = time.monotonic() + seconds
    while True:
        try:
            file = open_locked(lock, busy, FileIO)
        except OutputError as error:
            if error.reason != busy:  # nothing can be written here: whoever writes is told so
                yield
                return
            if time.monotonic() > end:
                raise OutputError(path, busy) from None
            time.sleep(0.005)
        else:
            break
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()
        file.close()


def _lock(file: FileIO) -> bool:
    """Lock a file, unless somebody else has; closing it, and the end of the program, unlock it."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(_LOCKED)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            file.seek(0)
    else:
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        except OSError as error:
            why = error.strerror
            log.warning("%s cannot be locked (%s): write it from one program only", file.name, why)
    return True


def _names(path: Path, file: FileIO) -> bool:
    """Whether a path still leads to an open file."""
    opened = os.fstat(file.fileno())
    if not stat.S_ISREG(opened.st_mode):
        raise OutputError(path, "it is not a regular file")
    try:
        return os.path.samestat(path.stat(), opened)
    except FileNotFoundError:
        return False


def close_after(file: FileIO, change: Callable[[], Any]) -> None:
    """Rename or remove a locked file and close it; under its lock where the system allows it."""
    if sys.platform == "win32":  # where no open file can be renamed or removed
        file.close()
    try:
        change()
    finally:
        file.close()
