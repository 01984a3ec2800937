"""Curves of one object of a file, before it is known which object is taken."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace

import numpy as np

from nrm_importers.gwyddion import names
from nrm_importers.metadata import Metadata
from nrm_plugin.columns import AnyArray, Column, IntArray, Rows
from nrm_plugin.model import Channel
from nrm_plugin.tables import CurveTable
from nrm_plugin.vocabulary import CHANNELS, SegmentKind, own_slug, slug

#: No file has as many signals in one set of curves.
MOST_SIGNALS = 1024


@dataclass(frozen=True)
class GwySignal:
    """One signal of all curves as Gwyddion names it.

    Attributes
    ----------
    label, unit : str
    column : Column
    name : str
        Name of the channel where label and unit do not decide it.
    sign : float
        -1 for an abscissa that grows towards the sample.
    shared : bool
        Whether groups of equal geometry have it too.
    """

    label: str
    unit: str
    column: Column
    _: KW_ONLY
    name: str = ""
    sign: float = 1.0
    shared: bool = False


@dataclass(frozen=True)
class SegmentBounds:
    """Begin and end of each segment in each curve.

    Attributes
    ----------
    edges : (N, number of segments, 2) array of int
    labels : list of str
        One for each segment, empty where it has none.
    """

    edges: AnyArray
    labels: list[str]


@dataclass(kw_only=True)
class CurveGroup:
    """Curves that a file could be opened as.

    Attributes
    ----------
    what : str
        For people: ``curve map 0 'Deflection'``.
    signals : list of GwySignal
    geometry : object
        Groups of equal geometry are signals of the same curves.
    segments : array, optional
        Where they are known; otherwise `bounds` says how the curves are cut.
    literal : bool
        Whether this package wrote the labels.
    """

    what: str
    rows: Rows
    signals: list[GwySignal]
    geometry: object = None
    grid: tuple[int, int] | None = None
    table: Callable[[], CurveTable] | None = None
    segments: AnyArray | None = None
    bounds: SegmentBounds | None = None
    literal: bool = False
    known: bool = True
    meta: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def choose(groups: list[CurveGroup], metadata: Metadata) -> CurveGroup | None:
    """Return the curves to open a file as: those with the most samples.

    Others of the same geometry add their signals, if they have other names. The rest is named in
    a warning.
    """
    if not groups:
        return None
    best = max(groups, key=lambda c: (c.rows.total, len(c.rows)))
    signals, left = list(best.signals), []
    for other in groups:
        if other is best:
            continue
        labels = {s.label for s in signals}
        fits = best.geometry is not None and other.geometry == best.geometry
        own = [s for s in other.signals if not s.shared]
        if fits and labels.isdisjoint(s.label for s in own):
            signals += own
            best.warnings += other.warnings
        else:
            left.append(other.what)
    if left:
        shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        metadata.warn(
            f"read is {best.what}; left out: {shown} (save those alone in Gwyddion to read them)"
        )
    for warning in best.warnings:
        metadata.warn(warning)
    return replace(best, signals=signals)


def channels_of(group: CurveGroup, metadata: Metadata) -> dict[str, Channel]:
    """Give each signal a channel: canonical where label and unit say so."""
    out: dict[str, Channel] = {}
    for number, signal in enumerate(group.signals):
        gain, unit, warning = names.si_unit(signal.unit)
        metadata.warn(warning)
        label = signal.label or f"curve {number}"
        name = signal.name or names.channel_name(label, unit, group.literal)
        if not unit and not signal.name and names.lost_unit(label) and not group.literal:
            metadata.warn(
                f"{label} has no unit and is kept as {name}: Gwyddion loses units now and then; "
                "the original file has it"
            )
        largest = _largest(signal, gain) if name == "force_normal" and not group.literal else 0.0
        if largest > CHANNELS["force_normal"].limit:
            name = own_slug(label, "gwyddion")
            metadata.warn(
                f"{label} reaches {largest:.3g} N, more than a cantilever can bear: Gwyddion gives "
                "the volts of a NanoScope curve without a deflection sensitivity as newtons, and "
                f"what fills its halves as samples; it is kept as {name}: open the original file"
            )
        if name in out:
            base = name if name not in CHANNELS else f"gwyddion_{slug(label)}"
            name = (
                base
                if base not in out
                else next(f"{base}_{i}" for i in itertools.count(2) if f"{base}_{i}" not in out)
            )
            metadata.warn(f"there is more than one signal {label}; one of them is kept as {name}")
        out[name] = Channel(
            name,
            unit,
            signal.column,
            gain * signal.sign,
            0.0,
            label,
            f"Gwyddion {group.what}, {label}",
        )
    return out


def _largest(signal: GwySignal, gain: float) -> float:
    """Largest magnitude in the first, the middle and the last curve of a signal."""
    rows, n = signal.column.rows, len(signal.column.rows)
    largest = 0.0
    for curve in {0, n // 2, n - 1} if n else set():
        values = np.empty(rows.start(curve + 1) - rows.start(curve))
        signal.column.fill(curve, curve + 1, values, gain)
        largest = max(largest, float(np.nanmax(np.abs(values), initial=0.0)))
    return largest


def first_curve(rows: Rows) -> int | None:
    """Number of the first curve that has samples, or None."""
    filled = np.flatnonzero(rows.sizes) if rows.length is None else np.arange(len(rows))[:1]
    return int(filled[0]) if len(filled) and rows.total else None


def segment_table(bounds: SegmentBounds, kinds: list[SegmentKind], sizes: IntArray) -> AnyArray:
    """Segments of all curves; those without samples are left out."""
    from nrm_plugin.tables import SEGMENT

    n, parts = bounds.edges.shape[:2]
    out = np.empty((n, parts), SEGMENT)
    out["curve"] = np.arange(n)[:, None]
    out["start"], out["stop"] = bounds.edges[..., 0], bounds.edges[..., 1]
    out["kind"] = kinds
    out = out[out["stop"] > out["start"]]
    return out[np.lexsort((out["start"], out["curve"]))]
