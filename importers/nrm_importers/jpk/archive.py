"""An archive as curves and segments: which headers and which samples belong to which curve."""

from __future__ import annotations

import re
from functools import cached_property
from io import FileIO

import numpy as np

from nrm_importers.jpk.encodings import Encoding, encoding
from nrm_importers.jpk.java_properties import Properties, SharedHeader, parse
from nrm_importers.jpk.zip_directory import ZipDirectory
from nrm_plugin.columns import FileStamp, IntArray, Rows
from nrm_plugin.errors import CorruptFile

_SEGMENT = re.compile(r"segments/(\d{1,6})/segment-header\.properties")
_CHANNEL = re.compile(r"segments/(\d{1,6})/channels/.+")

#: What segments share of their settings.
_INFO = "force-segment-header-info"

#: Lines of a segment's header that say how its channels are stored.
_STORED = re.compile(r"^channel(?:s\.list=|\.(?!\S*num-points=)).*$", re.MULTILINE)

#: No segment has so many channels.
_MOST_CHANNELS = 256


class JpkArchive:
    """Curves, segments and channels of an archive.

    Channels are stored alike in all curves, segment by segment; that is taken from the first curve
    that has the segment, and checked for every other one when its samples are read.

    Parameters
    ----------
    stamp : FileStamp

    Attributes
    ----------
    header : dict
        The archive's own header.
    numbers : list of int
        Numbers of the segments, rising; those that any curve has.
    segments : (n_curves, n_segments) array of int
        Member that holds each segment's header, -1 where a curve lacks the segment.
    encodings : list of dict of str to Encoding
        For each segment, how it stores its channels.
    counts : (n_curves, n_segments) array of int
        Samples, by the lengths of the members.

    Raises
    ------
    CorruptFile
        If the archive or a segment lacks its header, or lengths contradict each other.
    """

    def __init__(self, stamp: FileStamp) -> None:
        self.stamp = stamp
        self.directory = ZipDirectory(stamp)
        self.header_text = self._top("header.properties", needed=True)
        self.header = parse(self.header_text)
        self.shared_text = self._top("shared-data/header.properties")
        self._shared = SharedHeader(parse(self.shared_text))
        members = self._members
        found = {int(m[1]): name for name in members if (m := _SEGMENT.fullmatch(name))}
        self.numbers = sorted(found)
        lone = {int(m[1]) for name in members if (m := _CHANNEL.fullmatch(name))} - set(found)
        if lone:
            raise CorruptFile(stamp.path, None, f"a header of segment {min(lone)}", "none")
        self.segments = self._column([found[number] for number in self.numbers])
        self.first = (self.segments >= 0).argmax(0) if self.n_curves else np.zeros(0, np.int64)
        self._patterns: list[list[str]] = []
        self.encodings: list[dict[str, Encoding]] = []
        self.headers: list[Properties] = []
        with stamp.opened() as file:
            for s, curve in enumerate(self.first):
                self._describe(file, s, int(curve))
        self._checked = np.zeros(self.segments.shape, bool)
        self._checked[self.first, np.arange(len(self.numbers))] = True
        self.counts = self._counts()
        self.rows = Rows(self.counts.sum(axis=1))

    @property
    def kind(self) -> str:
        """What the archive is: force-scan-series, force-scan-map, quantitative-imaging-map ..."""
        return self.header.get("type", "")

    @property
    def kinds_may_differ(self) -> bool:
        """Whether a segment may be of another kind in another curve, by what is shared."""
        told_apart = self._shared.count(_INFO) != len(self.numbers)
        return self.is_map and (told_apart or bool((self.segments < 0).any()))

    def settings(self, header: Properties) -> Properties:
        """Header of a segment of any curve, with what it shares."""
        return self._shared.expanded(header)

    @property
    def is_map(self) -> bool:
        """Whether its curves lie in folders of their own."""
        return bool(len(self.directory.folders))

    @property
    def n_curves(self) -> int:
        """Number of curves."""
        return len(self.directory.folders) if self.is_map else 1

    @property
    def _members(self) -> dict[str, int]:
        """Names in the folder of a curve."""
        return self.directory.parts if self.is_map else self.directory.top

    def _column(self, names: list[str]) -> IntArray:
        """Members of some names: (n_curves, names), -1 where there is none."""
        numbers = [self._members.get(name, -1) for name in names]
        if not self.is_map:
            return np.array(numbers, np.int64).reshape(1, -1)
        none = np.full((self.n_curves, 1), -1, np.int64)
        table = np.concatenate([self.directory.table.astype(np.int64), none], axis=1)
        return table[:, numbers]

    def members(self, name: str) -> IntArray:
        """Member of one name for every curve, -1 where there is none."""
        return self._column([name])[:, 0]

    def _top(self, name: str, *, needed: bool = False) -> str:
        member = self.directory.top.get(name)
        if member is not None:
            return self.directory.text(member)
        if needed:
            raise CorruptFile(self.stamp.path, None, f"{name} in the archive", "none")
        return ""

    def _describe(self, file: FileIO, segment: int, curve: int) -> None:
        text = self.directory.text(int(self.segments[curve, segment]), file)
        header = self._shared.expanded(parse(text))
        names = list(dict.fromkeys(header.get("channels.list", "").split()))
        if len(names) > _MOST_CHANNELS:
            raise CorruptFile(
                self.stamp.path, None, f"at most {_MOST_CHANNELS} channels", f"{len(names)}"
            )
        self.headers.append(header)
        self._patterns.append(_STORED.findall(text))
        self.encodings.append({name: encoding(header, name) for name in names})

    @cached_property
    def _data(self) -> dict[tuple[int, str], IntArray]:
        """Members of every channel of every segment that lies in a file of its own."""
        keys, names = [], []
        for s, encodings in enumerate(self.encodings):
            for name, one in encodings.items():
                if one.file:
                    keys.append((s, name))
                    names.append(f"segments/{self.numbers[s]}/{one.file}")
        table = self._column(names)
        return {key: table[:, i] for i, key in enumerate(keys)}

    def data(self, segment: int, channel: str) -> IntArray:
        """Member that holds a channel of a segment, for every curve."""
        return self._data[segment, channel]

    def _counts(self) -> IntArray:
        """Samples of every segment; its channels must agree."""
        sizes = np.append(self.directory.sizes, 0)
        counts = np.zeros(self.segments.shape, np.int64)
        for s, encodings in enumerate(self.encodings):
            there = self.segments[:, s] >= 0
            known = False
            for name, one in encodings.items():
                if not one.file or one.problem:
                    continue
                members, width = self.data(s, name), np.dtype(one.dtype).itemsize
                here = sizes[members] // width
                odd = there & ((members < 0) | (sizes[members] % width != 0))
                odd |= ~there & (members >= 0)
                if known:
                    odd |= there & (here != counts[:, s])
                if odd.any():
                    curve = int(np.argmax(odd))
                    raise CorruptFile(
                        self.stamp.path,
                        None,
                        f"as many samples of {name} as of the other channels in segment "
                        f"{self.numbers[s]} of curve {curve}",
                        f"{sizes[members[curve]]} bytes of {one.dtype[1:]}",
                    )
                counts[:, s], known = np.where(there, here, 0), True
        for s, encodings in enumerate(self.encodings):
            said = {one.count for one in encodings.values() if one.count is not None}
            held = int(counts[self.first[s], s])
            if encodings and said - {held}:
                raise CorruptFile(
                    self.stamp.path,
                    None,
                    f"{max(said - {held})} samples in segment {self.numbers[s]}",
                    f"{held}",
                )
        return counts

    def segment_header(self, file: FileIO, curve: int, segment: int) -> Properties:
        """Header of a segment of a curve, without what it shares.

        Raises
        ------
        CorruptFile
            If its channels are stored in another way than those of the first curve.
        """
        text = self.directory.text(int(self.segments[curve, segment]), file)
        if not self._checked[curve, segment]:
            if _STORED.findall(text) != self._patterns[segment]:
                raise CorruptFile(
                    self.stamp.path,
                    None,
                    f"channels of curve {curve} stored as those of curve {self.first[segment]}",
                    "others",
                )
            self._checked[curve, segment] = True
        return parse(text)

    def check(self, file: FileIO, curve: int, segment: int) -> None:
        """Check once that a curve stores its channels as the first does; see `segment_header`."""
        if not self._checked[curve, segment]:
            self.segment_header(file, curve, segment)
