"""Parts of Asylum's curves: approach, retract and dwells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, zip_longest

import numpy as np

from nrm_importers.asylum.igor_wave import IgorWave
from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.errors import CorruptFile
from nrm_plugin.tables import SEGMENT
from nrm_plugin.vocabulary import SegmentKind

#: Begin, end and kind of a part of a curve; without a kind where none is told.
Span = tuple[int, int, SegmentKind | None]

_KINDS: dict[float, SegmentKind] = {1.0: "approach", -1.0: "retract", 0.0: "hold"}

#: The last border is the last sample, but for this part of a curve.
_SHORT = 0.01

#: A part in which z moves by less than this of the curve's span is a dwell.
_STANDS = 0.1


def spans_of(wave: IgorWave) -> list[Span] | None:
    """Parts of a curve by its note; None where it does not say, or ends long before the curve.

    Indexes name the samples at the borders, the first and last of the curve among them; Direction
    has one entry per border, of which the first means nothing. Parts may be empty.

    Raises
    ------
    CorruptFile
        If the borders do not rise, or lie outside the curve.
    """
    borders = _numbers(wave.note.values.get("Indexes", ""))
    kinds = _numbers(wave.note.values.get("Direction", ""))
    if len(borders) < 2 or not all(math.isfinite(b) for b in borders):
        return None
    n = wave.length
    if borders[-1] + 1 < (1.0 - _SHORT) * wave.shape[0] - 1:
        return None
    edges = [0, *(int(b) + 1 - wave.lead for b in borders[1:-1]), n]
    if edges != sorted(edges):
        raise CorruptFile(wave.stamp.path, None, f"borders inside {n} samples", str(borders)[:80])
    return [
        (begin, end, _KINDS.get(kinds[i + 1], "other") if i + 1 < len(kinds) else None)
        for i, (begin, end) in enumerate(pairwise(edges))
        if begin < end
    ]


def _numbers(text: str) -> list[float]:
    out = []
    for piece in text.strip().strip(",").split(","):
        try:
            out.append(float(piece))
        except ValueError:
            return []
    return out


def kinds_by_motion(spans: Sequence[Span], height: FloatArray) -> list[SegmentKind]:
    """Kinds of a curve's parts: as told, else by how its height moves in them."""
    finite = height[np.isfinite(height)]
    reach = float(np.ptp(finite)) if len(finite) else 0.0
    kinds: list[SegmentKind] = []
    for begin, end, kind in spans:
        part = height[begin:end]
        part = part[np.isfinite(part)]
        moved = float(part[-1] - part[0]) if len(part) else 0.0
        if kind is not None:
            kinds.append(kind)
        elif abs(moved) <= _STANDS * reach:
            kinds.append("hold" if reach else "other")
        else:
            kinds.append("approach" if moved < 0 else "retract")
    return kinds


def segments_of(
    of_curves: Sequence[Sequence[Span]], kinds: Sequence[SegmentKind] | None = None
) -> AnyArray:
    """Segments of all curves.

    Parameters
    ----------
    of_curves : sequence of sequence of Span
    kinds : sequence of SegmentKind, optional
        Those of the first curve's parts, for parts of which none is told.
    """
    found = []
    for curve, spans in enumerate(of_curves):
        for (begin, end, kind), other in zip_longest(spans, (kinds or ())[: len(spans)]):
            found.append((curve, begin, end, kind or other or "other"))
    return np.array(found, SEGMENT)
