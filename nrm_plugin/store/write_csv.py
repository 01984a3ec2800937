"""Curves as text, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import numpy as np

from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet

log = logging.getLogger("nrm")


def write_csv(curves: CurveSet, path: Path) -> None:
    """Write one line per sample: curve, segment, sample and every channel in its unit.

    The numbers are written so that they read back exactly.
    """
    if not curves.n_curves:
        raise InvalidInput("there are no curves to write as text; images go to .h5")
    if curves.images:
        log.warning("%s: the %d images are not in it", path.suffix, len(curves.images))
    names = list(curves.channels)
    segments = curves.segments
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        units = [curves.channels[name].unit for name in names]
        titles = [f"{n} ({u})" if u else n for n, u in zip(names, units, strict=True)]
        writer.writerow(["curve", "segment", "sample", *titles])
        for first, stop in curves.blocks(1 << 17):
            values = [curves.read(name, slice(first, stop)).tolist() for name in names]
            here = segments[np.searchsorted(segments["curve"], first) :]
            here = here[: np.searchsorted(here["curve"], stop)]
            kinds = _kinds(curves, here, first, stop)
            numbers = np.repeat(np.arange(first, stop), curves.row_size[first:stop]).tolist()
            samples = [s for i in range(first, stop) for s in range(int(curves.row_size[i]))]
            writer.writerows(zip(numbers, kinds, samples, *values, strict=True))


def _kinds(curves: CurveSet, segments: np.ndarray, first: int, stop: int) -> list[str]:
    begin = curves.rows.start(first)
    kinds = np.full(curves.rows.start(stop) - begin, "", "U10")
    for curve, start, end, kind in segments.tolist():
        at = curves.rows.start(curve) - begin
        kinds[at + start : at + end] = kind
    return kinds.tolist()
