"""What a study file says: samples with their files, and what is compared and drawn.

Nothing here imports numpy: a run that finds nothing to do is over before it would be imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nrm_plugin.files import refused_by_windows

#: Potentials in V between which the paper's regions lie: those of `nrm_plugin.statistics`.
EDGES = (2.0, 1.5, 1.0, 0.5, 0.005)


@dataclass(frozen=True, kw_only=True)
class SampleEntry:
    """A sample: one electrode in one cell, and everything that belongs to its curves.

    Attributes
    ----------
    name, condition : str
    files : tuple of str
        Files, folders and patterns with its curves, as the study file has them: relative to its
        folder.
    experiment, table, recipe, decisions : str
        Experiment file, table map, recipe and file of decisions; empty where there is none.
    logs : tuple of str
        Of the potentiostat; several follow each other.
    clock_offset : float or None
        Added to the log's times, s.
    time_zone, log_start : str
    log_units : mapping of str to str
        Units of columns of a log whose titles have none.
    settings : mapping
        Metadata in SI that outrank the experiment file.
    names : mapping of str to str
        Channels by the vendor's names.
    lever, session, day : str
        What samples may share beside their condition.
    line : int
        Where it stands in the file.
    """

    name: str
    condition: str
    files: tuple[str, ...]
    experiment: str = ""
    table: str = ""
    recipe: str = ""
    decisions: str = ""
    logs: tuple[str, ...] = ()
    clock_offset: float | None = None
    time_zone: str = ""
    log_start: str = ""
    log_units: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    lever: str = ""
    session: str = ""
    day: str = ""
    line: int = 0

    @property
    def folder(self) -> str:
        """Name of its folder in that of a run: the name, but for what no folder may be called."""
        return folder_name(self.name)


def folder_name(name: str) -> str:
    """Name of a folder that every system takes.

    Examples
    --------
    >>> folder_name("EC/DMC 1:1"), folder_name("con.")
    ('EC_DMC 1_1', '_con')
    """
    plain = "".join(c if c.isprintable() and c not in '<>:"/\\|?*' else "_" for c in name)
    plain = plain.strip(" .")[:80] or "_"
    return f"_{plain}" if refused_by_windows(plain) else plain


@dataclass(frozen=True, kw_only=True)
class RegionSettings:
    """How curves are sorted into regions: see `nrm_plugin.statistics.regions`.

    Attributes
    ----------
    edges : tuple of float
        In V.
    sweep : str or None
    cycle : int, str or None
    surface, run : str
    """

    edges: tuple[float, ...] = EDGES
    sweep: str | None = None
    cycle: int | str | None = None
    surface: str = "any"
    run: str = "all"


@dataclass(frozen=True, kw_only=True)
class PrimaryQuestion:
    """What was named before the run: one quantity at one distance in one region.

    Attributes
    ----------
    quantity : str
    distance : (float, float)
        In m.
    region : (float, float) or None
        Its potentials in V; None for all curves.
    """

    quantity: str = "storage_modulus"
    distance: tuple[float, float] = (2e-9, 5e-9)
    region: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two conditions that are compared, or two regions within each sample.

    Attributes
    ----------
    first, second : str
        Conditions; empty for regions.
    regions : ((float, float), (float, float)) or None
        Potentials of two regions in V.
    """

    first: str = ""
    second: str = ""
    regions: tuple[tuple[float, float], tuple[float, float]] | None = None


@dataclass(frozen=True, kw_only=True)
class Study:
    """A checked study file.

    Attributes
    ----------
    path : Path
        Of the file; what is relative in it is relative to its folder.
    title : str
    recipe : str
        Path of the recipe; empty for the defaults.
    figures : tuple of str or None
        Kinds of figures; None for all that can be drawn.
    regions : RegionSettings
    bins : tuple of (float, float)
        Ranges of distance in m; empty for those of the statistics.
    primary : PrimaryQuestion or None
    thickness_modulus : float or None
        In Pa.
    pairs : tuple of Pair
        Empty: all pairs of conditions.
    samples : tuple of SampleEntry
    text : str
        The file, verbatim.
    """

    path: Path
    title: str = ""
    recipe: str = ""
    figures: tuple[str, ...] | None = None
    regions: RegionSettings = field(default_factory=RegionSettings)
    bins: tuple[tuple[float, float], ...] = ()
    primary: PrimaryQuestion | None = None
    thickness_modulus: float | None = None
    pairs: tuple[Pair, ...] = ()
    samples: tuple[SampleEntry, ...] = ()
    text: str = field(default="", repr=False)

    @property
    def conditions(self) -> list[str]:
        """Conditions in the order of the file."""
        return list(dict.fromkeys(sample.condition for sample in self.samples))

    def at(self, place: str) -> Path:
        """Path of something that the file names."""
        return self.path.parent / place

    def recipe_of(self, sample: SampleEntry) -> str:
        """Path of the recipe for a sample, as the file names it; empty for the defaults."""
        return sample.recipe or self.recipe
