"""Synthetic JPK archives with a known truth, laid out as the instruments' own are.

Names, keys and the order of things follow real archives: the channels' encoders and conversions
stand in a part that all segments share, members are deflated or stored, folders are members, too.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

SENSITIVITY, STIFFNESS = 6.5e-8, 0.25  # m/V, N/m

#: Converters of 16 bits: V per count and V at 0. The sensor's counts are m.
COMMANDS = ("height", "head-height", "cellhesion-height")
DEFLECTION = (3.1e-4, -0.0147)
LATERAL = (3.2e-4, -0.0048)
PIEZO = (1.5e-3, 50.0)
SENSOR = (3e-9, 1.6e-5)
OTHER = (3.1e-4, 0.0)
_SCALES = {
    "vDeflection": DEFLECTION,
    "hDeflection": LATERAL,
    **dict.fromkeys(COMMANDS, PIEZO),
    "measuredHeight": SENSOR,
    "capacitiveSensorHeight": SENSOR,
}


def scale_of(name: str, *, wide: bool) -> tuple[float, float]:
    """Value per count, and value at 0; converters of 32 bits count finer."""
    gain, offset = _SCALES.get(name, OTHER)
    return (gain / 65536 if wide else gain), offset


def counts_of(name: str, values: Any, *, wide: bool) -> Any:
    """Values as counts."""
    gain, offset = scale_of(name, wide=wide)
    return np.rint((np.asarray(values) - offset) / gain).astype(int)


_METRIC = "type=metric-unit"


@dataclass(frozen=True)
class Part:
    """A segment: counts of every channel, in the order of the file."""

    style: str
    seconds: float
    counts: Mapping[str, Any]
    _: KW_ONLY
    planned: int | None = None
    stamp: str = "2021-06-30 13\\:48\\:08.425 +0200"


def _linear(at: str, scale: tuple[float, float], unit: str) -> list[str]:
    return [
        f"{at}.type=linear",
        f"{at}.style=offsetmultiplier",
        f"{at}.offset={scale[1]!r}",
        f"{at}.multiplier={scale[0]!r}",
        f"{at}.unit.{_METRIC}",
        f"{at}.unit.unit={unit}",
    ]


def _conversion(at: str, name: str, base: str, scale: tuple[float, float], unit: str) -> list[str]:
    here = f"{at}conversion-set.conversion.{name}"
    return [
        f"{here}.name={name.title()}",
        f"{here}.defined=true",
        f"{here}.type=simple",
        f"{here}.comment=",
        f"{here}.base-calibration-slot={base}",
        f"{here}.calibration-slot={name}",
        *_linear(f"{here}.scaling", scale, unit),
    ]


def _undefined(at: str, *names: str) -> list[str]:
    return [f"{at}conversion-set.conversion.{name}.defined=false" for name in names]


def channel_lines(at: str, name: str, *, inline: bool, wide: bool, known: int = 2) -> list[str]:
    """Type, encoder and conversions of a channel.

    Parameters
    ----------
    known : int
        How many of sensitivity and spring constant the instrument knew.
    """
    if name in ("time", "seriesTime"):
        return [f"{at}type=raster-data", f"{at}unit.{_METRIC}", f"{at}unit.unit=s"]
    sensor = name in ("measuredHeight", "capacitiveSensorHeight")
    if name.startswith("smoothed"):
        base, encoder = "absolute", []
        kind = "float-data"
    else:
        base = "absolute" if sensor else "volts"
        scale = scale_of(name, wide=wide)
        dot = "data." if inline else ""
        encoder = [
            f"{at}{dot}encoder.type={'signedinteger' if wide else 'signedshort'}",
            *_linear(f"{at}{dot}encoder.scaling", scale, "m" if sensor else "V"),
        ]
        kind = ("integer" if wide else "short") + ("" if inline else "-data")
    sets = f"{at}conversion-set.conversions."
    lines = [f"{at}{'data.' if inline else ''}type={kind}", f"{sets}base={base}", *encoder]
    if kind == "float-data":
        lines += [f"{at}unit.{_METRIC}", f"{at}unit.unit=m"]
    lines += _undefined(at, base)
    if name == "vDeflection":
        chain = [
            _conversion(at, "distance", "volts", (SENSITIVITY, 0.0), "m"),
            _conversion(at, "force", "distance", (STIFFNESS, 0.0), "N"),
        ]
        lines += [f"{sets}list=distance force"]
        lines += [f"{sets}default={('volts', 'distance', 'force')[known]}"]
        for line in chain[:known]:
            lines += line
        lines += _undefined(at, *("distance", "force")[known:])
    elif name in COMMANDS:
        lines += [f"{sets}list=nominal calibrated", f"{sets}default=calibrated"]
        lines += _conversion(at, "nominal", "volts", (-1e-6, 1e-4), "m")
        lines += _conversion(at, "calibrated", "nominal", (0.75, 0.0), "m")
    elif base == "absolute":
        lines += [f"{sets}list=nominal", f"{sets}default=nominal"]
        lines += _conversion(at, "nominal", "absolute", (1.0, 2e-6), "m")
    else:
        lines += [f"{sets}list=distance force", f"{sets}default=volts"]
        lines += _undefined(at, "distance", "force")
    return lines


class _Members:
    """Writes members with one date: the same bytes each time."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def writestr(self, name: str, data: str | bytes) -> None:
        member = zipfile.ZipInfo(name, (2021, 6, 30, 13, 48, 8))
        member.compress_type = self.archive.compression
        self.archive.writestr(member, data)


@dataclass(frozen=True, kw_only=True)
class JpkWriter:
    """How an archive is laid out.

    Attributes
    ----------
    inline : bool
        Version 0.12: every segment describes its channels itself.
    wide : bool
        Whole numbers of 32 bits.
    known : int
        How many of sensitivity and spring constant the instrument knew.
    grid : (rows, columns), optional
        Of a map.
    back_and_forth : bool
    header_last : bool
        Whether the archive's own header is its last member.
    pad : int
        Shared descriptions in front of those that are used: numbers of two digits.
    """

    inline: bool = False
    wide: bool = True
    known: int = 2
    grid: tuple[int, int] | None = None
    back_and_forth: bool = False
    header_last: bool = False
    pad: int = 0
    pitch: float = 1e-6
    deflate: bool = True
    extra: Mapping[str, bytes] = field(default_factory=dict)

    def write(
        self, path: Path, curves: Sequence[Sequence[Part]], indices: Sequence[int] | None = None
    ) -> Path:
        """Write the curves; a single one without a grid is no map."""
        kind = "force-scan-map" if self.grid else "force-scan-series"
        indices = range(len(curves)) if indices is None else indices
        names = list(dict.fromkeys(n for c in curves for p in c for n in p.counts))
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if self.deflate else 0) as archive:
            file = _Members(archive)
            if not self.header_last:
                file.writestr("header.properties", self._top(kind, len(curves)))
            for number, (curve, index) in enumerate(zip(curves, indices, strict=True)):
                folder = f"index/{number}/" if self.grid else ""
                if self.grid:
                    file.writestr(f"{folder}header.properties", self._curve_header(index))
                for s, part in enumerate(curve):
                    here = f"{folder}segments/{s}/"
                    file.writestr(here, b"")
                    file.writestr(f"{here}segment-header.properties", self._segment(part, s, names))
                    for name, counts in part.counts.items():
                        if name not in ("time", "seriesTime"):
                            data = np.asarray(counts).astype(self._type(name)).tobytes()
                            file.writestr(f"{here}channels/{name}.dat", data)
            for name, data in self.extra.items():
                file.writestr(name, data)
            if not self.inline:
                file.writestr("shared-data/header.properties", self._shared(curves, names))
            if self.header_last:
                file.writestr("header.properties", self._top(kind, len(curves)))
        return path

    def _type(self, name: str) -> str:
        return ">f4" if name.startswith("smoothed") else ">i4" if self.wide else ">i2"

    def _top(self, kind: str, n_curves: int) -> str:
        lines = ["#Wed Jun 30 13:48:08 CEST 2021", f"type={kind}"]
        if not self.inline:
            lines += ["jpk-data-file=spm-forcefile", "file-format-version=2.0"]
        lines += [
            f"{kind}.description.instrument=JPK00001",
            f"{kind}.description.name=no name entry",
            f"{kind}.description.comment=\\u00B5 \\:",
            f"{kind}.description.source-software=6.1.171",
        ]
        if self.grid is None:
            return "\n".join([*lines, *self._position(kind, 0)]) + "\n"
        rows, columns = self.grid
        at = f"{kind}.position-pattern."
        lines += [
            f"{kind}.indexes.min=0",
            f"{kind}.indexes.max={n_curves + 250}",
            f"{kind}.start-time=2021-06-30 13\\:00\\:00.500 +0200",
            f"{at}back-and-forth={str(self.back_and_forth).lower()}",
            f"{at}grid.xcenter=1.0E-5",
            f"{at}grid.ycenter=-2.0E-5",
            f"{at}grid.ulength={columns * self.pitch!r}",
            f"{at}grid.vlength={rows * self.pitch!r}",
            f"{at}grid.theta=0.0",
            f"{at}grid.reflect=false",
            f"{at}grid.ilength={columns}",
            f"{at}grid.jlength={rows}",
        ]
        return "\n".join(lines) + "\n"

    def place(self, index: int) -> tuple[int, int]:
        """Row and column of a point of the scan."""
        assert self.grid is not None
        row, column = divmod(index, self.grid[1])
        return row, self.grid[1] - 1 - column if self.back_and_forth and row % 2 else column

    def position(self, index: int) -> tuple[float, float]:
        """Where a point is, m: points are the middles of cells."""
        if self.grid is None:
            return -1.5e-6, 2.5e-6
        row, column = self.place(index)
        x = 1e-5 + (column + 0.5 - self.grid[1] / 2) * self.pitch
        return x, -2e-5 + (row + 0.5 - self.grid[0] / 2) * self.pitch

    def _position(self, kind: str, index: int) -> list[str]:
        x, y = self.position(index)
        at = f"{kind}.header.position"
        return [f"{at}.x={x!r}", f"{at}.y={y!r}", f"{at}-index={index}"]

    def _curve_header(self, index: int) -> str:
        kind = "force-scan-series"
        return "\n".join([f"type={kind}", *self._position(kind, index)]) + "\n"

    def _segment(self, part: Part, number: int, names: list[str]) -> str:
        n = len(next(iter(part.counts.values())))
        at = "force-segment-header."
        lines = ["#Wed Jun 30 13:48:08 CEST 2021"]
        if not self.inline:
            lines += [f"{at}force-segment-header-info.*={number + self.pad}"]
        else:
            lines += self._settings(at, part, n)
        lines += [
            f"{at}num-points={n}",
            f"{at}duration={part.seconds!r}",
            f"{at}time-stamp={part.stamp}",
            f"{at}baseline.baseline=-0.5",
            f"{at}baseline.measured=true",
            f"channels.list={' '.join(part.counts)}",
        ]
        for name in part.counts:
            here = f"channel.{name}."
            if self.inline:
                lines += channel_lines(here, name, inline=True, wide=self.wide, known=self.known)
            else:
                lines += [f"{here}lcd-info.*={names.index(name) + self.pad}"]
            if name in ("time", "seriesTime"):
                first = float(part.counts[name][0])
                step = float(part.counts[name][1]) - first
                lines += [f"{here}data.start={first!r}", f"{here}data.step={step!r}"]
            else:
                lines += [f"{here}data.file.name=channels/{name}.dat"]
                lines += [f"{here}data.file.format=raw"]
            lines += [f"{here}data.num-points={n}"]
        return "\n".join(lines) + "\n"

    def _settings(self, at: str, part: Part, n: int) -> list[str]:
        here = f"{at}settings.segment-settings."
        return [
            f"{here}style={part.style}",
            f"{here}duration={part.seconds!r}",
            f"{here}num-points={part.planned or n}",
            f"{here}z-start=2.0E-6",
            f"{here}z-end=0.0",
            f"{here}setpoint={'1.5' if part.style == 'extend' else 'NaN'}",
        ]

    def _shared(self, curves: Sequence[Sequence[Part]], names: list[str]) -> str:
        lines = [f"lcd-infos.count={len(names) + self.pad}"]
        for i in range(self.pad):
            lines += channel_lines(f"lcd-info.{i}.", "error", inline=False, wide=False)
        for i, name in enumerate(names):
            lines += channel_lines(
                f"lcd-info.{i + self.pad}.", name, inline=False, wide=self.wide, known=self.known
            )
        longest = max(curves, key=len)
        for s, part in enumerate(longest):
            at = f"force-segment-header-info.{s + self.pad}."
            lines += self._settings(at, part, len(next(iter(part.counts.values()))))
        return "\n".join(lines) + "\n"


def ramp(n: int, m: int, *, seed: int = 1, pause: int = 0, wide: bool = True) -> list[Part]:
    """An approach, a pause if there is one, and a retract.

    The piezo goes 20 V up and back, which is 20 um nominal; the sensor sees 8.5 um of it.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for style, count, seconds in (("extend", n, 0.5), ("pause", pause, 2.0), ("retract", m, 0.25)):
        if not count:
            continue
        down = {"extend": np.linspace(0, 1, count), "pause": np.ones(count)}.get(
            style, np.linspace(1, 0, count)
        )
        values = {
            "height": 40.0 + 20.0 * down,
            "vDeflection": -0.5 + 7.5 * np.maximum(down - 0.8, 0) + 1e-3 * rng.normal(size=count),
            "hDeflection": 1e-3 * rng.normal(size=count),
            "measuredHeight": 2e-5 - 8.5e-6 * down,
        }
        counts = {name: counts_of(name, v, wide=wide) for name, v in values.items()}
        parts.append(Part(style, seconds, counts))
    return parts


def write_samples(folder: Path) -> None:
    """Write the sample files."""
    folder.mkdir(parents=True, exist_ok=True)
    curves = [ramp(120 + 4 * i, 110, seed=i) for i in range(6)]
    JpkWriter(grid=(2, 3), back_and_forth=True).write(folder / "map-2x3.jpk-force-map", curves)
    JpkWriter(inline=True, wide=False, known=1).write(
        folder / "curve-inline.jpk-force", [ramp(200, 200, pause=60, wide=False)]
    )
