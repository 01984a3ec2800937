r"""The importer of HFC files. Copy it, and make it read your own format.

HFC, *home-built force curves*, is a format made up for this template. A text header ends with the
line ``end``; lines end with ``\n``::

    HFC 1
    date: 2026-03-14T09:26:53
    curves: 6
    samples: 1200 800                of the approach and of the retract
    rate_hz: 2000                    samples per second
    z_nm_per_count: 0.01
    deflection_mv_per_count: 0.3
    spring_constant_n_per_m: 0.2     may be missing, like all lines below
    sensitivity_nm_per_v: 35
    x_um: 0 1 2 0 1 2
    y_um: 0 0 0 1 1 1
    end

Behind it lie the curves, one after the other. Each is all of its z, then all of its deflection, as
little-endian 16-bit integers in the order of time. z grows towards the sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nrm_plugin import CorruptFile

if TYPE_CHECKING:
    from nrm_plugin import CurveSet

MAGIC = b"HFC 1\n"
END = b"\nend\n"
LONGEST_HEADER = 1 << 20


class HfcImporter:
    """Reads HFC files."""

    name = "hfc"
    description = "HFC, force curves of a home-built microscope (importer template)"
    suffixes: Sequence[str] = (".hfc",)

    def sniff(self, head: bytes, path: Path) -> int:
        """Recognise the first line; the name of the file says nothing."""
        return 100 if head.startswith(MAGIC) else 0

    def open(self, path: Path) -> CurveSet:
        """Read the header, and say where the samples lie."""
        # What is heavy is imported here, so that `nrm --help` stays fast.
        import numpy as np

        from nrm_plugin.columns import FileColumn, FileStamp, RepeatedColumn
        from nrm_plugin.model import Channel, CurveSet, Origin
        from nrm_plugin.tables import regular_segments

        stamp = FileStamp.of(path)
        header = HfcHeader(path)
        (n_curves,) = header.counts("curves", 1)
        approach, retract = header.counts("samples", 2)
        n = approach + retract

        # The size first: no number of the header may make us ask for memory.
        expected = header.size + n_curves * 2 * n * 2
        if stamp.size != expected:
            raise CorruptFile(path, None, f"{expected} bytes", f"{stamp.size}")

        # A curve is 2 n numbers: z from number 0 on, deflection from number n on.
        stride = 2 * n * 2
        z = FileColumn.regular(
            stamp, np.dtype("<i2"), header.size, n_curves, [(0, n, False)], stride
        )
        volts = FileColumn.regular(
            stamp, np.dtype("<i2"), header.size, n_curves, [(n, n, False)], stride
        )
        clock = RepeatedColumn(np.arange(n) / header.number("rate_hz"), z.rows)

        # SI: the gain turns counts into m, V and s. Larger heights are farther from the sample.
        channels = [
            Channel("time", "s", clock, source="sample number / rate_hz"),
            Channel(
                "height",
                "m",
                z,
                -1e-9 * header.number("z_nm_per_count"),
                original="z",
                source="z, sign turned: larger = farther",
            ),
            Channel(
                "deflection",
                "V",
                volts,
                1e-3 * header.number("deflection_mv_per_count"),
                original="deflection",
                source="deflection",
            ),
        ]

        # What the file does not say stays absent. Never fill in a usual value.
        metadata: dict[str, float | str] = {"height_source": "sensor"}
        if "date" in header.items:
            metadata["start_time"] = header.items["date"]
        if "spring_constant_n_per_m" in header.items:
            metadata["spring_constant"] = header.number("spring_constant_n_per_m")
        if "sensitivity_nm_per_v" in header.items:
            metadata["deflection_sensitivity"] = 1e-9 * header.number("sensitivity_nm_per_v")

        table = {
            axis: np.array(header.numbers(f"{axis}_um", n_curves)) * 1e-6
            for axis in "xy"
            if f"{axis}_um" in header.items
        }
        curves = CurveSet(
            z.rows,
            {channel.name: channel for channel in channels},
            origins=(Origin(path.name, self.name, header=header.text, path=str(path.absolute())),),
            segments_from=lambda: regular_segments(
                n_curves, [("approach", approach), ("retract", retract)]
            ),
            table_from=lambda: table,
        )
        return curves.with_metadata(metadata, "header")


class HfcHeader:
    """Text in front of the samples, and its size in bytes."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            head = file.read(LONGEST_HEADER)
        if END not in head:
            raise CorruptFile(path, len(head), "the line 'end' of the header", "none")
        self.path, self.size = path, head.index(END) + len(END)
        self.text = head[: self.size].decode("ascii", "replace")
        pairs = (line.partition(":") for line in self.text.splitlines())
        self.items = {key.strip(): value.strip() for key, colon, value in pairs if colon}

    def numbers(self, key: str, count: int) -> list[float]:
        """Return that many finite numbers."""
        text = self.items.get(key, "")
        try:
            values = [float(word) for word in text.split()]
        except ValueError:
            values = []
        if len(values) != count or not all(map(math.isfinite, values)):
            raise CorruptFile(
                self.path, None, f"{count} number(s) in the line {key!r}", text[:40] or "none"
            )
        return values

    def number(self, key: str) -> float:
        """Return a positive number."""
        (value,) = self.numbers(key, 1)
        if value <= 0:
            raise CorruptFile(self.path, None, f"a positive number in the line {key!r}", value)
        return value

    def counts(self, key: str, count: int) -> list[int]:
        """Return that many whole numbers from 1 on."""
        values = self.numbers(key, count)
        if not all(value >= 1 and value.is_integer() for value in values):
            raise CorruptFile(
                self.path, None, f"whole numbers from 1 on in the line {key!r}", self.items[key]
            )
        return [int(value) for value in values]
