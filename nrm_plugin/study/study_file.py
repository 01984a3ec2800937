"""Reads a study file, and says everything that is wrong with it at once."""

from __future__ import annotations

import glob
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.files import decode, read_settings
from nrm_plugin.statements import read_toml
from nrm_plugin.study.study_plan import (
    EDGES,
    Pair,
    PrimaryQuestion,
    RegionSettings,
    SampleEntry,
    Study,
)
from nrm_plugin.study.study_values import StudyValues, Table, between
from nrm_plugin.units import parse, quantity
from nrm_plugin.vocabulary import CHANNELS, METADATA, nearest

#: Bytes; a sample has some 300.
LIMIT = 1 << 22
#: Mistakes that one error names.
_NAMED = 20

FIGURES = ("profiles", "density", "violin", "thickness", "maps")
_QUANTITIES = (
    "storage_modulus",
    "loss_modulus",
    "shear_modulus_magnitude",
    "viscosity",
    "force_normal",
)
_TOP = (
    "title",
    "recipe",
    "figures",
    "regions",
    "depth",
    "primary",
    "thickness",
    "comparison",
    "sample",
)
_REGIONS = ("edges", "sweep", "cycle", "surface", "run")
_SWEEPS, _SURFACES = ("cathodic", "anodic", "any"), ("any", "hard", "yielding")
_RUNS = ("all", "before", "after")
_PRIMARY = ("quantity", "distance", "region")
_SAMPLE = (
    "name",
    "condition",
    "files",
    "experiment",
    "log",
    "logs",
    "clock_offset",
    "time_zone",
    "log_start",
    "log_unit",
    "table",
    "map",
    "set",
    "decisions",
    "recipe",
    "lever",
    "session",
    "day",
)


def read_study(path: str | PathLike[str]) -> Study:
    """Read and check a study file.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    MissingFile
        If there is nothing at the path, or a folder.
    InvalidInput
        If something in the file is wrong, or a file that it names is not there; every mistake is
        named with its line.
    """
    path = Path(path)
    text, _ = decode(read_settings(path, LIMIT, "a study file"), path.name)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    reader = _StudyReader(path, text)
    study = reader.study(read_toml(text, path.name, "this is no study file", InvalidInput))
    if reader.mistakes:
        named = [f"{path.name}, line {line}: {what}" for line, what in sorted(reader.mistakes)]
        if len(named) > _NAMED:
            named[_NAMED:] = [f"{path.name}: {len(named) - _NAMED} more mistakes"]
        raise InvalidInput("\n".join(named))
    return study


class _StudyReader(StudyValues):
    """Checks tables one by one and collects the mistakes."""

    def study(self, tree: Table) -> Study:
        """Read the whole; what is wrong is in `mistakes`."""
        for key in tree:
            if key not in _TOP:
                self.wrong(f"{key[:80]!r} is not known.{nearest(key, _TOP)}", key)
        recipe = self.text(tree, "recipe", "recipe")
        self.file(recipe, "recipe", "recipe")
        regions = self._regions(self.table(tree, "regions"))
        samples = tuple(self._sample(*item) for item in self.tables(tree, "sample"))
        if "sample" not in tree:
            self.wrong(
                "there is no sample: write [[sample]] with its name, condition and files", ""
            )
        self._twice(samples)
        conditions = list(dict.fromkeys(s.condition for s in samples if s.condition))
        return Study(
            path=self.path,
            title=self.text(tree, "title", "title"),
            recipe=recipe,
            figures=self._figures(tree),
            regions=regions,
            bins=self._bins(self.table(tree, "depth")),
            primary=self._primary(tree, regions),
            thickness_modulus=self._modulus(self.table(tree, "thickness")),
            pairs=tuple(
                pair
                for table, number in self.tables(tree, "comparison")
                if (pair := self._pair(table, number, conditions, regions)) is not None
            ),
            samples=samples,
            text=self.content,
        )

    def _regions(self, table: Table) -> RegionSettings:
        self.keys(table, _REGIONS, "regions")
        edges: Any = table.get("edges", EDGES)
        try:
            wrong = isinstance(edges, str) or not all(
                type(e) in (int, float) and abs(e) < 100 for e in edges
            )
            bounds = tuple(sorted({float(e) for e in edges}, reverse=True))
        except (TypeError, ValueError, OverflowError):
            wrong, bounds = True, ()
        if wrong or len(bounds) < 2:
            self.wrong(
                "edges are two or more potentials in V: [2.0, 1.0, 0.5]", "regions", 0, "edges"
            )
            bounds = EDGES
        cycle = table.get("cycle")
        if cycle is not None and cycle != "any" and type(cycle) is not int:
            self.wrong('cycle is a number, or "any"', "regions", 0, "cycle")
            cycle = None
        return RegionSettings(
            edges=bounds,
            sweep=self.choice(table, "sweep", _SWEEPS),
            cycle=cycle,
            surface=self.choice(table, "surface", _SURFACES) or "any",
            run=self.choice(table, "run", _RUNS) or "all",
        )

    def _figures(self, tree: Table) -> tuple[str, ...] | None:
        if "figures" not in tree:
            return None
        kinds = self.texts(tree, "figures", "figures")
        for kind in kinds:
            if kind not in FIGURES:
                near = nearest(kind, FIGURES)
                self.wrong(
                    f"figures: there is no {kind[:80]!r}; there are: {', '.join(FIGURES)}.{near}",
                    "figures",
                )
        return tuple(dict.fromkeys(kinds))

    def _bins(self, table: Table) -> tuple[tuple[float, float], ...]:
        self.keys(table, ("bins",), "depth")
        made = []
        for text in self.texts(table, "bins", "depth"):
            try:
                made.append(between(text, "m", "nm"))
            except InvalidInput as error:
                self.wrong(f"bins: {error}", "depth", 0, "bins")
        return tuple(made)

    def _modulus(self, table: Table) -> float | None:
        self.keys(table, ("modulus",), "thickness")
        if "modulus" not in table:
            return None
        try:
            value = quantity(str(table["modulus"]), "Pa", "MPa")
            if not 0.0 < value < 1e15:
                raise InvalidInput("it is a modulus above 0")
        except InvalidInput as error:
            self.wrong(f"modulus: {error}", "thickness", 0, "modulus")
            return None
        return value

    def _primary(self, tree: Table, regions: RegionSettings) -> PrimaryQuestion | None:
        if "primary" not in tree:
            return None
        table = self.table(tree, "primary")
        self.keys(table, _PRIMARY, "primary")
        asked = self.text(table, "quantity", "primary") or PrimaryQuestion.quantity
        if asked not in _QUANTITIES:
            known = ", ".join(_QUANTITIES)
            self.wrong(
                f"quantity: there is no {asked[:80]!r}; there are: {known}."
                f"{nearest(asked, _QUANTITIES)}",
                "primary",
                0,
                "quantity",
            )
        distance = PrimaryQuestion.distance
        if "distance" in table:
            try:
                distance = between(self.text(table, "distance", "primary"), "m", "nm")
            except InvalidInput as error:
                self.wrong(f"distance: {error}", "primary", 0, "distance")
        region = None
        if named := self.text(table, "region", "primary"):
            region = self._region(named, regions, "primary", 0, "region")
        return PrimaryQuestion(quantity=asked, distance=distance, region=region)

    def _region(
        self, text: str, regions: RegionSettings, section: str, number: int, key: str
    ) -> tuple[float, float] | None:
        """Potentials of one of the regions."""
        try:
            low, high = between(text, "V")
        except InvalidInput as error:
            self.wrong(f"{key}: {error}", section, number, key)
            return None
        for upper, lower in pairwise(regions.edges):
            if abs(low - lower) < 1e-9 and abs(high - upper) < 1e-9:
                return lower, upper
        there = ", ".join(f"{b:g}-{a:g} V" for a, b in pairwise(regions.edges))
        self.wrong(f"{key}: there is no region {text!r}; there are: {there}", section, number, key)
        return None

    def _pair(
        self, table: Table, number: int, conditions: list[str], regions: RegionSettings
    ) -> Pair | None:
        self.keys(table, ("between", "regions"), "comparison", number)
        if ("between" in table) == ("regions" in table):
            what = (
                'write between = ["a", "b"] for two conditions, or regions = [..] for two regions'
            )
            self.wrong(what, "comparison", number)
            return None
        key = "between" if "between" in table else "regions"
        names = self.texts(table, key, "comparison", number)
        if len(names) != 2 or names[0] == names[1]:
            self.wrong(f"{key} has two different names", "comparison", number, key)
            return None
        if key == "regions":
            first, second = (
                self._region(name, regions, "comparison", number, key) for name in names
            )
            return Pair(regions=(first, second)) if first and second else None
        for name in names:
            if name not in conditions:
                near = nearest(name, conditions)
                known = ", ".join(conditions) or "none"
                what = f"between: no sample has the condition {name!r}; there are: {known}.{near}"
                self.wrong(what, "comparison", number, key)
        return Pair(first=names[0], second=names[1])

    def _sample(self, table: Table, number: int) -> SampleEntry:
        self.keys(table, _SAMPLE, "sample", number)

        def text(key: str) -> str:
            return self.text(table, key, "sample", number)

        for key in ("name", "condition", "files"):
            if key not in table:
                self.wrong(
                    f"a sample has {'files' if key == 'files' else f'a {key}'}", "sample", number
                )
        files = self.texts(table, "files", "sample", number)
        for place in files:
            self._curves(place, number)
        named = {key: text(key) for key in ("experiment", "table", "recipe", "decisions")}
        logs = (
            *self.texts(table, "log", "sample", number),
            *self.texts(table, "logs", "sample", number),
        )
        for key, place in named.items():
            self.file(place, "sample", key, number)
        for place in logs:
            self.file(place, "sample", "log" if "log" in table else "logs", number)
        clocks = ("clock_offset", "time_zone", "log_start", "log_unit")
        if not logs and (given := [key for key in clocks if key in table]):
            self.wrong(f"{given[0]} is for a log: give one with log", "sample", number, given[0])
        return SampleEntry(
            name=text("name"),
            condition=text("condition"),
            files=files,
            logs=logs,
            clock_offset=self._clock_offset(table, number),
            time_zone=text("time_zone"),
            log_start=text("log_start"),
            log_units=self._words(table, "log_unit", number),
            settings=self._settings(table, number),
            names=self._channels(table, number),
            lever=text("lever"),
            session=text("session"),
            day=text("day"),
            line=self._lines.get(("sample", number), 1),
            **named,
        )

    def _curves(self, place: str, number: int) -> None:
        """Note a file, a folder or a pattern that leads to nothing."""
        path = self.path.parent / place
        if path.exists():
            return
        if any(sign in place for sign in "*?["):
            found = any(Path(name).is_file() for name in glob.glob(str(path)))  # noqa: PTH207
            if not found:
                self.wrong(f"files: no file has a name as {place!r}", "sample", number, "files")
        else:
            what = f"files: there is no file {place!r}{self.near(place)}"
            self.wrong(what, "sample", number, "files")

    def _clock_offset(self, table: Table, number: int) -> float | None:
        value = table.get("clock_offset")
        if value is None:
            return None
        try:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise InvalidInput('it is a time such as "30 s"')
            key = METADATA["clock_offset"]
            found = parse(value, key.unit) if isinstance(value, str) else value
            return float(key.check("clock_offset", found))
        except InvalidInput as error:
            self.wrong(f"clock_offset: {error}", "sample", number, "clock_offset")
            return None

    def _words(self, table: Table, key: str, number: int) -> dict[str, str]:
        found = self.mapping(table, key, number)
        for name, value in found.items():
            if not isinstance(value, str):
                self.wrong(f"{key}: {name[:80]} is a text in quotes", "sample", number, key)
        return {name: value for name, value in found.items() if isinstance(value, str)}

    def _channels(self, table: Table, number: int) -> dict[str, str]:
        names = self._words(table, "map", number)
        for new in names.values():
            if new not in CHANNELS:
                what = f"map: there is no channel {new[:80]!r}.{nearest(new, CHANNELS)}"
                self.wrong(what, "sample", number, "map")
        return names

    def _settings(self, table: Table, number: int) -> dict[str, Any]:
        values = {}
        for name, value in self.mapping(table, "set", number).items():
            key = METADATA.get(name)
            if key is None:
                what = f"set: there is no key {name[:80]!r}.{nearest(name, METADATA)}"
                self.wrong(what, "sample", number, "set")
                continue
            try:
                words = key.text or key.words or isinstance(value, bool)
                number_text = isinstance(value, str) and not words
                values[name] = key.check(name, parse(value, key.unit) if number_text else value)
            except NrmError as error:
                self.wrong(f"set: {name}: {error}", "sample", number, "set")
        return values

    def _twice(self, samples: tuple[SampleEntry, ...]) -> None:
        """Note samples of one name, and curves that two samples have."""
        names: dict[str, SampleEntry] = {}
        files: dict[Path, SampleEntry] = {}
        for number, sample in enumerate(samples):
            first = names.setdefault(sample.folder.casefold(), sample)
            if first is not sample and sample.name:
                same = "" if first.name == sample.name else f": {first.name!r} has its folder"
                what = f"there is a sample {sample.name!r} already (line {first.line}){same}"
                self.wrong(what, "sample", number, "name")
            for place in dict.fromkeys(sample.files):
                owner = files.setdefault((self.path.parent / place).resolve(), sample)
                if owner is not sample:
                    what = f"files: {place!r} belongs to {owner.name!r} already (line {owner.line})"
                    self.wrong(what, "sample", number, "files")
