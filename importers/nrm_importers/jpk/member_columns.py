"""Numbers of a channel that lie in members of an archive, and times that its headers give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nrm_importers.jpk.archive import JpkArchive
from nrm_importers.jpk.encodings import Encoding
from nrm_importers.jpk.java_properties import number
from nrm_plugin.columns import AnyArray, FileStamp, FloatArray, scaled_copy
from nrm_plugin.errors import CorruptFile

#: Settings of a segment in its header.
SETTINGS = "force-segment-header.settings.segment-settings"

#: No segment takes as many seconds.
LONGEST = 1e7


class MemberColumn:
    """One channel of all curves.

    The numbers are the vendor's own where all segments store them alike. Where they do not, or a
    segment lacks the channel, they are what `scales` makes of them, and nan in that segment.

    Parameters
    ----------
    archive : JpkArchive
    channel : str
        The vendor's name.
    scales : sequence of (float, float) or None
        Gain and offset of every segment's numbers; None keeps the vendor's own.
    """

    def __init__(
        self,
        archive: JpkArchive,
        channel: str,
        scales: Sequence[tuple[float, float]] | None = None,
    ) -> None:
        self.archive, self.channel, self.scales = archive, channel, scales
        self.rows = archive.rows
        stored = {e.dtype for e in self._encodings if e is not None}
        self.dtype: np.dtype[Any] = np.dtype(np.float64 if scales is not None else min(stored))

    @property
    def stamp(self) -> FileStamp:
        """The file."""
        return self.archive.stamp

    @property
    def _encodings(self) -> list[Encoding | None]:
        found = [encodings.get(self.channel) for encodings in self.archive.encodings]
        return [None if e is None or e.problem else e for e in found]

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        archive, flat, at = self.archive, out.reshape(-1), 0
        encodings = self._encodings
        with archive.stamp.opened() as file, np.errstate(over="ignore", invalid="ignore"):
            for curve in range(first, stop):
                for s, one in enumerate(encodings):
                    count = int(archive.counts[curve, s])
                    if not count:
                        continue
                    part, at = flat[at : at + count], at + count
                    if one is None:
                        part[...] = np.nan
                        continue
                    archive.check(file, curve, s)
                    if one.file:
                        member = int(archive.data(s, self.channel)[curve])
                        values: AnyArray = np.frombuffer(
                            archive.directory.read(member, file), one.dtype
                        )
                    else:
                        values = one.start + one.step * np.arange(count)
                    if self.scales is None:
                        scaled_copy(part, values, gain, offset)
                    else:
                        scaled_copy(part, values, *self.scales[s])
                        scaled_copy(part, part, gain, offset)


class SegmentClock:
    """Times since the begin of each curve, from the segments' durations.

    A sample is the mean over its interval: the first lies half a step behind the begin. The
    pauses of a few milliseconds between segments are not in it.
    """

    dtype: np.dtype[Any] = np.dtype(np.float64)

    def __init__(self, archive: JpkArchive) -> None:
        self.archive, self.rows = archive, archive.rows
        self._durations: FloatArray = np.full(archive.segments.shape, np.nan)

    @property
    def stamp(self) -> FileStamp:
        """The file."""
        return self.archive.stamp

    def durations(self, first: int, stop: int) -> FloatArray:
        """Seconds of every segment of some curves; 0 where a curve lacks it."""
        archive = self.archive
        unknown = np.isnan(self._durations[first:stop])
        if unknown.any():
            with archive.stamp.opened() as file:
                for row, s in np.argwhere(unknown):
                    curve = first + int(row)
                    seconds = 0.0
                    if archive.segments[curve, s] >= 0:
                        header = archive.segment_header(file, curve, int(s))
                        told = number(header, "force-segment-header.duration")
                        seconds = self.planned(int(s), curve) if told is None else told
                        if not 0.0 <= seconds < LONGEST:
                            raise CorruptFile(
                                archive.stamp.path, None, "a duration in seconds", f"{seconds:g}"
                            )
                    self._durations[curve, s] = seconds
        return self._durations[first:stop]

    def planned(self, segment: int, curve: int) -> float:
        """Seconds of a segment by its settings, for as many samples as there are; 0 without."""
        header = self.archive.headers[segment]
        seconds, samples = (number(header, f"{SETTINGS}.{k}") for k in ("duration", "num-points"))
        if seconds is None or not samples or not samples > 0:
            return 0.0
        return seconds / samples * int(self.archive.counts[curve, segment])

    def fill(
        self, first: int, stop: int, out: AnyArray, gain: float = 1.0, offset: float = 0.0
    ) -> None:
        """See `Column.fill`."""
        flat, at = out.reshape(-1), 0
        counts, durations = self.archive.counts[first:stop], self.durations(first, stop)
        begins = np.cumsum(durations, axis=1) - durations
        for curve in range(stop - first):
            for s, count in enumerate(counts[curve].tolist()):
                if count:
                    step = durations[curve, s] / count
                    times = begins[curve, s] + step * (np.arange(count) + 0.5)
                    scaled_copy(flat[at : at + count], times, gain, offset)
                    at += count
