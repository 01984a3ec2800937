"""Several data on the same axes: the next colours, and a legend that tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from nrm_plugin.model import CurveSet

#: Attribute of axes that remembers what was drawn on them.
_DRAWN = "nrm_drawn"


@dataclass(kw_only=True)
class Overlay:
    """What one call drew on axes.

    Attributes
    ----------
    label : str
        What the data are called.
    always : bool
        Whether the legend names the data even where they are the only ones.
    lines : list of Line2D
    names : list of str
        Of the lines; empty for one that needs no name beside that of the data.
    colours : int
        How many colours are taken.
    low, high, far : float
        Limits that hold the data, in the units shown; nan where they don't matter.
    """

    label: str
    always: bool
    lines: list[Line2D]
    names: list[str]
    colours: int
    low: float = float("nan")
    high: float = float("nan")
    far: float = float("nan")


def overlays(ax: Axes) -> list[Overlay]:
    """Return what was drawn on axes before and still stands there."""
    drawn: list[Overlay] = getattr(ax, _DRAWN, [])
    there = set(map(id, ax.get_lines()))
    return [one for one in drawn if any(id(line) in there for line in one.lines)]


def add(ax: Axes, overlay: Overlay) -> list[Overlay]:
    """Add what was drawn to what stands there, name all lines, and return all."""
    drawn = [*overlays(ax), overlay]
    setattr(ax, _DRAWN, drawn)
    labels = [one.label for one in drawn]
    for number, one in enumerate(drawn, 1):
        label = one.label or str(number)
        if labels.count(one.label) > 1 and one.label:
            label = f"{label} ({number})"
        named = len(drawn) > 1 or one.always
        for line, name in zip(one.lines, one.names, strict=True):
            line.set_label(": ".join([label, name] if name else [label]) if named else name or "_")
    return drawn


def handles(drawn: Sequence[Overlay], *more: Artist) -> list[Any]:
    """Return everything that the legend shows."""
    lines = [line for one in drawn for line in one.lines]
    return [*(line for line in lines if not str(line.get_label()).startswith("_")), *more]


def label_of(data: CurveSet | xr.Dataset) -> str:
    """Return what data are called: their title or their file; empty if there is neither."""
    about: Any = data.attrs if isinstance(data, xr.Dataset) else data.metadata
    title = str(about.get("title") or "")
    if title:
        return title
    if isinstance(data, CurveSet):
        return data.origins[0].name if data.origins else ""
    names = about.get("source_name", [])
    return names if isinstance(names, str) else str(next(iter(names), ""))
