"""What a run has done, of what: ``study-run.json``, and whether it is still what would be done.

A step is up to date if its settings and versions are the same, and its files, those that it read
and those that it made, have the same size and time as then, or else the same SHA-256. Nothing here
imports numpy.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nrm_plugin import __version__, plugins
from nrm_plugin.errors import OutputError
from nrm_plugin.files import replacing, sha256

NAME = "study-run.json"
FORMAT = "nrm study run 1"

#: A file that was younger than this (ns) when it was looked at may have changed within one tick of
#: the drive's clock: it is hashed the next time.
_TICK = 2_000_000_000


@dataclass(frozen=True)
class FileState:
    """A file as it was when a step was done.

    Attributes
    ----------
    size : int
        In bytes.
    time : int
        Of its last change, ns since 1970; 0 where it was too young for its time to tell.
    sha256 : str
    """

    size: int
    time: int
    sha256: str


@dataclass(kw_only=True)
class StepRecord:
    """A step that was done.

    Attributes
    ----------
    inputs : dict of str to FileState
        Files that it read, by their places seen from the study file.
    parts : dict of str to FileState
        Files of the run that it read, seen from the run's folder.
    outputs : dict of str to FileState
        Files that it made, seen from the run's folder.
    settings, versions : dict
    failed : list of (str, str)
        Files that could not be read, and why.
    wrong : list of str
        What self-checks of the results find wrong.
    doubtful : list of str
        What was told differently of samples without a reason.
    """

    inputs: dict[str, FileState] = field(default_factory=dict)
    parts: dict[str, FileState] = field(default_factory=dict)
    outputs: dict[str, FileState] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> StepRecord:
        """Make one of what JSON holds."""
        made = cls(**plain)
        for name in ("inputs", "parts", "outputs"):
            states = {place: FileState(**state) for place, state in plain[name].items()}
            setattr(made, name, states)
        made.failed = [(file, sentence) for file, sentence in plain["failed"]]
        return made


class StudyRecord:
    """The steps of a run that were done.

    Parameters
    ----------
    folder : Path
        Of the run; its record is read where there is one.
    base : Path
        Folder of the study file.
    rehash : bool
        Whether a file's size and time are not believed.

    Attributes
    ----------
    steps : dict of str to StepRecord
    copied : dict of str to str
        SHA-256 of the study's file of decisions that was copied for each sample.
    """

    def __init__(self, folder: Path, base: Path, rehash: bool = False) -> None:
        self.folder, self.base, self.rehash = folder, base, rehash
        self.steps: dict[str, StepRecord] = {}
        self.copied: dict[str, str] = {}
        self._seen: dict[Path, FileState | None] = {}
        try:
            plain = json.loads((folder / NAME).read_text(encoding="utf-8"))
            if plain["format"] == FORMAT:
                self.steps = {n: StepRecord.from_plain(step) for n, step in plain["steps"].items()}
                self.copied = {str(n): str(digest) for n, digest in plain["copied"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self.steps, self.copied = {}, {}  # none, or not ours: everything is done

    def write(self) -> None:
        """Write the record, whole or not at all.

        Raises
        ------
        OutputError
        """
        steps = {name: asdict(step) for name, step in self.steps.items()}
        plain = {"format": FORMAT, "copied": self.copied, "steps": steps}
        with replacing(self.folder / NAME, overwrite=True) as part:
            part.write_text(json.dumps(plain, indent=1), encoding="utf-8", newline="\n")

    def up_to_date(
        self,
        name: str,
        inputs: Iterable[str],
        parts: Iterable[str],
        settings: Mapping[str, Any],
        versions: Mapping[str, str],
    ) -> bool:
        """Whether a step would do again what it did.

        Parameters
        ----------
        name : str
        inputs, parts : iterable of str
            Files that it will read at least: it may have read others that belong to them.
        settings, versions : mapping
        """
        step = self.steps.get(name)
        if step is None or step.settings != settings or step.versions != versions:
            return False
        if not set(inputs) <= set(step.inputs) or set(parts) != set(step.parts):
            return False
        for root, states in (
            (self.base, step.inputs),
            (self.folder, step.parts),
            (self.folder, step.outputs),
        ):
            for place, state in states.items():
                if not self._is(root / place, state):
                    return False
                states[place] = self._seen.get(root / place) or state
        return True

    def _is(self, path: Path, state: FileState) -> bool:
        """Whether a file is still as it was."""
        if path not in self._seen:
            self._seen[path] = self._looked_at(path, state)
        now = self._seen[path]
        return now is not None and (now.size, now.sha256) == (state.size, state.sha256)

    def _looked_at(self, path: Path, state: FileState) -> FileState | None:
        try:
            about = path.stat()
        except OSError:
            return None
        if about.st_size != state.size:
            return FileState(about.st_size, 0, "")
        if not self.rehash and about.st_mtime_ns == state.time:
            return state
        return state_of(path)

    def done(self, name: str, step: StepRecord) -> None:
        """Note that a step was done, and write it down."""
        for place in step.outputs:
            self._seen.pop(self.folder / place, None)
        self.steps[name] = step
        self.write()

    def input_states(self, places: Iterable[str], known: Mapping[str, str]) -> dict[str, FileState]:
        """Files of the study as they are now; hashes that are known are not made again."""
        return _states(self.base, places, known)

    def states(self, places: Iterable[str]) -> dict[str, FileState]:
        """Files of the run as they are now."""
        return _states(self.folder, places, {})

    def place_of(self, path: Path) -> str:
        """Place of a file seen from the study file, with forward slashes."""
        return relative(path, self.base)


def relative(path: Path, folder: Path) -> str:
    """Place of a file seen from a folder; as it is where there is no way (another drive)."""
    try:
        return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def state_of(path: Path, known: str = "") -> FileState:
    """Size, time and hash of a file, unless that is known; a file that cannot be read has none."""
    try:
        about = path.stat()
    except OSError:
        return FileState(-1, 0, "")
    young = abs(time.time_ns() - about.st_mtime_ns) < _TICK
    return FileState(about.st_size, 0 if young else about.st_mtime_ns, known or sha256(path))


def _states(root: Path, places: Iterable[str], known: Mapping[str, str]) -> dict[str, FileState]:
    return {p: state_of(root / p, known.get(p, "")) for p in dict.fromkeys(places)}


def versions_of(*packages: str) -> dict[str, str]:
    """Versions of this program, of other plugins, and of packages that numbers depend on."""
    found = {"nrm-plugin": __version__}
    for plugin in plugins.installed().found:
        if not plugin.failure:
            found.setdefault(plugin.distribution, plugin.version)
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def made_folder(folder: Path) -> None:
    """Make a folder, with those above it.

    Raises
    ------
    OutputError
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(folder, error.strerror or error) from None
