"""Files of a folder by what they are, and which of them belong together."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nrm_plugin import plugins
from nrm_plugin.decisions import SUFFIX as DECISIONS
from nrm_plugin.errors import NrmError
from nrm_plugin.files import HEAD, read_start
from nrm_plugin.formats import by_number
from nrm_plugin.study.study_record import NAME, relative

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet

#: Folders below the one that is looked at, and most files that are.
_DEEPEST, MOST = 5, 20_000

#: Score from which on an importer is sure of a file.
_SURE = 50

#: Score that no other goes above: nobody else is asked.
_CERTAIN = 100

#: Metadata that make a condition where samples differ in them.
_OF_CONDITIONS = ("electrolyte", "electrode", "reference_electrode")

#: A day in a name: 2024-03-04, 20240304, 2024_03_04.
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")

#: Sections by which a TOML file is a recipe.
_OF_RECIPES = {"contact", "derivative", "depth", "lateral"}


@dataclass(kw_only=True)
class FoundFiles:
    """What lies in a folder, by what it is."""

    curves: list[Path] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)
    experiments: list[Path] = field(default_factory=list)
    recipes: list[Path] = field(default_factory=list)
    decisions: list[Path] = field(default_factory=list)
    results: list[Path] = field(default_factory=list)
    too_many: bool = False
    unread: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class ProposedSample:
    """A sample that is proposed."""

    name: str
    files: list[Path]
    condition: str = ""
    why: str = ""
    experiment: Path | None = None
    logs: list[Path] = field(default_factory=list)
    decisions: Path | None = None
    facts: dict[str, str] = field(default_factory=dict)
    day_from: str = ""
    spring_constant: float = 0.0
    trouble: str = ""


# What is there


def found_files(folder: Path) -> FoundFiles:
    """Look at all files in a folder, and in folders in it."""
    found = FoundFiles()
    for number, path in enumerate(_walk(folder)):
        if number >= MOST:
            found.too_many = True
            break
        try:
            kind = _kind(path)
        except NrmError as error:
            found.unread.append(str(error))
            continue
        if kind:
            getattr(found, kind).append(path)
    return found


def _walk(folder: Path, depth: int = 0) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir(), key=by_number)
    except OSError:
        return
    for path in entries:
        if path.name.startswith("."):
            continue
        if path.is_file():
            yield path
        elif depth < _DEEPEST and path.is_dir() and not path.is_symlink() and not _of_a_run(path):
            yield from _walk(path, depth + 1)


def _of_a_run(path: Path) -> bool:
    return (path / NAME).exists()


def _kind(path: Path) -> str:
    """What a file is, as a field of `FoundFiles`; empty for something else."""
    if path.name.endswith(DECISIONS):
        return "decisions"
    if path.suffix.lower() == ".toml":
        return _kind_of_toml(path)
    head = read_start(path, HEAD)
    if not head:
        return ""
    registry = plugins.installed()

    def score(kind: str) -> int:
        return max(registry.surest(kind, head, path)[1].values(), default=0)

    of_curves = score("importers")
    if of_curves < _CERTAIN and score("potential_logs") > of_curves:
        return "logs"
    if of_curves >= _SURE:
        return "curves"
    if head.startswith(b"\x89HDF"):
        from nrm_plugin.store.read_curves import holds_results

        return "results" if holds_results(path) else ""
    return ""


def _kind_of_toml(path: Path) -> str:
    from nrm_plugin.experiment.schema import SECTIONS

    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    if "sample" in tree and isinstance(tree["sample"], list):
        return ""  # a study file
    if set(tree) & _OF_RECIPES:
        return "recipes"
    return "experiments" if tree and set(tree) <= {*SECTIONS, "channels"} else ""


# Which belong together


def proposed_samples(folder: Path, found: FoundFiles) -> list[ProposedSample]:
    """Group curves into samples, with what belongs to each."""
    groups: dict[tuple[Path, str], list[Path]] = {}
    homes = {path.parent for path in found.curves}
    for path in found.curves:
        alone = len(homes) > 1 and path.parent != folder
        groups.setdefault((path.parent, "" if alone else name_stem(path)), []).append(path)
    samples: list[ProposedSample] = []
    for (home, stem), files in groups.items():
        name = stem or relative(home, folder).replace("/", " ")
        sample = ProposedSample(name=_unique(name, samples), files=files)
        stems = [other for place, other in groups if place == home]
        sample.experiment = _nearest(found.experiments, home, stem, folder)
        sample.decisions = _same_name(found.decisions, home, stem)
        sample.logs = _logs(found.logs, home, stem, stems, folder)
        samples.append(sample)
    for sample in samples:
        _look(sample)
    _name_conditions(folder, samples)
    _name_levers(samples)
    return samples


def name_stem(path: Path) -> str:
    """Name without its suffix and the number at its end; a day in it stays whole."""
    name = path.name if re.fullmatch(r"\.\d+", path.suffix) else path.stem
    days = list(_DAY.finditer(name))
    end = days[-1].end() if days else 0
    time_of_day = r"(?:[\s._T-]*\d+)*" if end else r"[\s._-]*\d+"
    plain = name[:end] + re.sub(rf"{time_of_day}$", "", name[end:])
    return plain.strip(" ._-") or path.stem


def _unique(name: str, samples: Sequence[ProposedSample]) -> str:
    taken = {sample.name.casefold() for sample in samples}
    names = itertools.chain([name], (f"{name} ({n})" for n in itertools.count(2)))
    return next(one for one in names if one.casefold() not in taken)


def _nearest(files: Sequence[Path], home: Path, stem: str, top: Path) -> Path | None:
    """The file of the same name, or the only one in the folder or in one above it."""
    for folder in (home, *home.parents):
        there = [path for path in files if path.parent == folder]
        named = _same_name(there, folder, stem)
        if named is not None or len(there) == 1:
            return named or there[0]
        if folder == top:
            break
    return None


def _same_name(files: Iterable[Path], home: Path, stem: str) -> Path | None:
    """File whose name begins with that of the sample, or with the folder's."""
    wanted = (stem or home.name).casefold()
    there = [path for path in files if path.parent == home]
    return next((path for path in there if path.name.casefold().startswith(wanted)), None)


def _logs(
    files: Sequence[Path], home: Path, stem: str, stems: Sequence[str], top: Path
) -> list[Path]:
    there = [path for path in files if path.parent == home]
    if len(stems) > 1:
        wanted = stem.casefold()
        named = [path for path in there if path.name.casefold().startswith(wanted)]
        others = [path for path in there if not _names_another(path, stems)]
        return named or (others if len(others) == 1 else [])
    if there or home == top:
        return there
    above = [path for path in files if path.parent == home.parent]
    named = [path for path in above if path.name.casefold().startswith(home.name.casefold())]
    return named


def _names_another(path: Path, stems: Sequence[str]) -> bool:
    return any(path.name.casefold().startswith(stem.casefold()) for stem in stems)


# What they differ in


def _look(sample: ProposedSample) -> None:
    """Open the first file of a sample, and take what it says."""
    from nrm_plugin import formats
    from nrm_plugin.experiment import read

    told = _DAY.search(sample.name)
    if told:
        sample.facts["day"] = "-".join(told.group(1, 3, 4))
        sample.day_from = "its name"
    what, metadata = "Its first file", {}
    try:
        curves: CurveSet = formats.open(sample.files[0])
        metadata = dict(curves.metadata)
        if sample.experiment is not None:
            what = "Its experiment file"
            metadata |= read(sample.experiment).metadata
    except NrmError as error:
        sample.trouble = f"{what} cannot be read: {str(error).splitlines()[0]}"
    sample.facts |= {key: str(metadata[key]) for key in _OF_CONDITIONS if key in metadata}
    started = str(metadata.get("start_time", ""))
    if re.match(r"\d{4}-\d\d-\d\d", started):
        sample.facts["day"], sample.day_from = started[:10], "its first file"
    sample.spring_constant = float(metadata.get("spring_constant", 0.0))


def _name_conditions(folder: Path, samples: Sequence[ProposedSample]) -> None:
    for key in _OF_CONDITIONS:
        values = [sample.facts.get(key, "") for sample in samples]
        if all(values) and len(set(values)) > 1:
            for sample, value in zip(samples, values, strict=True):
                sample.condition, sample.why = value, f"the {key} of its metadata"
            return
    above = [sample.files[0].parent.parent for sample in samples]
    if len(set(above)) > 1 and all(folder in (p, *p.parents) and p != folder for p in above):
        for sample, path in zip(samples, above, strict=True):
            sample.condition, sample.why = path.name, "the folder above its own"
        return
    for sample in samples:
        dated = _DAY.sub("", sample.name).strip(" ._-")
        plain = re.sub(r"[\s._-]*(?:\d+|[A-Ha-h](?<=[\s._-].))$", "", dated).strip(" ._-")
        without = "day and number" if dated != sample.name else "the number"
        sample.condition, sample.why = plain or "all", f"its name without {without}"


def _name_levers(samples: Sequence[ProposedSample]) -> None:
    constants = list(dict.fromkeys(s.spring_constant for s in samples if s.spring_constant > 0))
    if len(constants) > 26:
        return
    for sample in samples:
        if sample.spring_constant > 0:
            sample.facts["lever"] = chr(ord("A") + constants.index(sample.spring_constant))
