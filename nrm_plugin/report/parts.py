"""Sections of the report, as the page lays them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nrm_plugin.report.pictures import Picture
from nrm_plugin.report.tables import Table


@dataclass
class Part:
    """Words, tables, pictures and texts under one heading.

    Attributes
    ----------
    title : str
    words : list of str
        One paragraph each.
    missing : bool
        Whether the words say why there is nothing else.
    tables : list of Table
    pictures : list of Picture
    texts : list of (title, text)
        Shown as they are.
    download : str
        Address of the tables as a file.
    """

    title: str
    words: list[str] = field(default_factory=list)
    missing: bool = False
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    download: str = ""


@dataclass
class Section(Part):
    """A section with an anchor, and parts below it."""

    anchor: str = ""
    parts: Sequence[Part] = ()


def missing(title: str, *words: str) -> Part:
    """Part that says why it is empty."""
    return Part(title, list(words), missing=True)
