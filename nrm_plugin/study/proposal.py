"""Proposes a study file for a folder: what it guessed stands in its comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from nrm_plugin.errors import InvalidInput, MissingFile
from nrm_plugin.study.found_files import (
    MOST,
    FoundFiles,
    ProposedSample,
    found_files,
    name_stem,
    proposed_samples,
)
from nrm_plugin.study.study_record import relative
from nrm_plugin.text import commented, counted, quoted

#: Files of one name that are listed rather than written as a pattern.
_LISTED = 3

#: Names that mean the calibration of the instrument, not a sample.
_CALIBRATION = re.compile(r"calib|glass|sapphire|mica|silicon|thermal|reference", re.IGNORECASE)


def propose(folder: str | PathLike[str], base: str | PathLike[str] | None = None) -> str:
    """Return the text of a study file for what lies in a folder.

    Curves in a folder of their own are a sample; in one folder, those whose names are alike but for
    a number at the end. Conditions are what samples differ in: the electrolyte that their metadata
    name, the folder above them, or their names without a number. Everything guessed is said in a
    comment.

    Parameters
    ----------
    folder : path
    base : path, optional
        Folder of the study file, from which paths count; by default the one that is looked at.

    Raises
    ------
    MissingFile
        If there is no such folder.
    InvalidInput
        If there are no curves in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingFile(folder, "there is no such folder")
    found = found_files(folder)
    if not found.curves:
        unread = f"; {counted(len(found.unread), 'file')} could not be read" if found.unread else ""
        raise InvalidInput(f"{folder}: there are no curves in it that an importer knows{unread}")
    samples = proposed_samples(folder, found)
    return _text(folder, Path(base) if base is not None else folder, found, samples)


def _text(folder: Path, base: Path, found: FoundFiles, samples: Sequence[ProposedSample]) -> str:
    conditions = list(dict.fromkeys(sample.condition for sample in samples))
    lines = [
        f"# Proposed by nrm study for what lies in {commented(folder.resolve().name)}: "
        f"{counted(len(samples), 'sample')}, {counted(len(conditions), 'condition')}.",
        "# Behind a # stands what was guessed. Mend it, then: nrm run THIS.toml -o FOLDER/",
        f"title = {quoted(commented(folder.resolve().name))}",
    ]
    if len(found.recipes) == 1:
        lines.append(f"recipe = {quoted(relative(found.recipes[0], base))}")
    lines += [
        "",
        "# Name what the study is about before the first run: else all tests are exploratory.",
        "# [primary]",
        '# quantity = "storage_modulus"',
        '# distance = "2-5 nm"',
        *(['# region = "0.005-0.5 V"'] if any(sample.logs for sample in samples) else []),
        "",
        "# [regions]",
        "# edges = [2.0, 1.5, 1.0, 0.5, 0.005]  # V",
    ]
    if len(conditions) == 2:
        names = ", ".join(map(quoted, conditions))
        lines += ["", "[[comparison]]", f"between = [{names}]"]
    elif len(conditions) == 1:
        lines += ["", "# There is one condition: nothing is compared, until samples have others."]
    for sample in samples:
        lines += ["", *_sample_lines(sample, base)]
    return "\n".join([*lines, *_left(found, samples, base)]) + "\n"


def _sample_lines(sample: ProposedSample, base: Path) -> list[str]:
    lines = ["[[sample]]", f"name = {quoted(commented(sample.name))}"]
    if _CALIBRATION.search(sample.name):
        lines.append("# Its name sounds like a calibration: take it out if it is no sample.")
    if sample.trouble:
        lines.append(f"# {commented(sample.trouble)}")
    lines.append(f"condition = {quoted(commented(sample.condition))}  # guessed: {sample.why}")
    lines.append(f"files = [{_listed(_patterns(sample.files, base))}]  # {len(sample.files)}")
    if sample.experiment is not None:
        lines.append(f"experiment = {quoted(relative(sample.experiment, base))}")
    else:
        lines.append('# experiment = "..."  # none was found: nrm experiment FILE -o E.toml')
    if sample.logs:
        key = "log" if len(sample.logs) == 1 else "logs"
        places = _listed(relative(path, base) for path in sample.logs)
        value = places if len(sample.logs) == 1 else f"[{places}]"
        lines += [
            f"{key} = {value}  # guessed: it lies beside the curves",
            "# clock_offset = \"0 s\"  # added to the log's times to have the microscope's",
        ]
    if sample.decisions is not None:
        lines.append(f"decisions = {quoted(relative(sample.decisions, base))}")
    if "lever" in sample.facts:
        constant = f"spring constant {sample.spring_constant:.4g} N/m"
        lines.append(f"lever = {quoted(sample.facts['lever'])}  # guessed: {constant}")
    if "day" in sample.facts:
        lines.append(f"day = {quoted(sample.facts['day'])}  # of {sample.day_from}")
    return lines


def _patterns(files: Sequence[Path], base: Path) -> list[str]:
    """Files as they are, or as a pattern that means just them."""
    if len(files) <= _LISTED:
        return [relative(path, base) for path in files]
    home, start = files[0].parent, name_stem(files[0])
    every = [path for path in home.iterdir() if path.is_file()]
    alike, made = _by_suffix(every), []
    for suffix, own in sorted(_by_suffix(files).items()):
        others = set(alike[suffix] if suffix else every) - set(own)
        patterns = (f"*{suffix}", [*others]), (f"{start}*{suffix}", _beginning(start, others))
        means = [relative(home / pattern, base) for pattern, more in patterns if not more]
        plain = [place for place in means if not set(place) & set("?[") and place.count("*") == 1]
        made += plain[:1] or [relative(path, base) for path in own]
    if len(made) > 2 * _LISTED and set(every) == set(files):
        return [relative(home, base)]
    return made


def _by_suffix(files: Iterable[Path]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for path in files:
        groups.setdefault(path.suffix, []).append(path)
    return groups


def _beginning(start: str, files: Iterable[Path]) -> list[Path]:
    return [path for path in files if path.name.startswith(start)]


def _listed(places: Iterable[str]) -> str:
    return ", ".join(map(quoted, places))


def _left(found: FoundFiles, samples: Sequence[ProposedSample], base: Path) -> list[str]:
    """Comments about files that no sample has."""
    used: set[Path | None] = {path for one in samples for path in one.logs}
    used |= {path for one in samples for path in (one.experiment, one.decisions)}
    lines = []
    for what, files in (
        ("Logs", found.logs),
        ("Experiment files", found.experiments),
        ("Recipes", found.recipes if len(found.recipes) > 1 else []),
        ("Decisions", found.decisions),
        ("Results of nrm process, which nrm run makes anew", found.results),
    ):
        left = [relative(path, base) for path in files if path not in used]
        if left:
            more = f" and {len(left) - 10} more" if len(left) > 10 else ""
            lines += ["", f"# {what} that no sample has: {commented(', '.join(left[:10]))}{more}"]
    for trouble in found.unread[:10]:
        lines += ["", f"# Not looked at: {commented(trouble)}"]
    if len(found.unread) > 10:
        lines += [f"# ... and {counted(len(found.unread) - 10, 'file')} more"]
    if found.too_many:
        lines += ["", f"# There are more than {MOST} files: the rest was not looked at."]
    return lines
