"""Gwyddion files with known contents, of its three containers; independent of the package.

``write(path, entries, container)`` takes an object tree made of `Obj`; the ``example_`` functions
make whole files and return their truth. Names and keys of Gwyddion 3 are put in by `modern`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nrm_plugin.model import CurveSet

CONTAINERS = ("GWYP", "GWYQ", "GWYO")

_OLD = {"b": 20, "c": 16, "i": 24, "q": 40, "d": 60, "s": 64, "o": 80}
_DTYPES = {"C": "i1", "I": "<i4", "Q": "<i8", "D": "<f8"}


@dataclass
class Obj:
    """An object: its class and its components (name, type, value)."""

    kind: str
    parts: list[tuple[str, str, Any]] = field(default_factory=list)

    def get(self, name: str) -> Any:
        return next(value for key, _, value in self.parts if key == name)

    def without(self, *names: str) -> Obj:
        return Obj(self.kind, [p for p in self.parts if p[0] not in names])

    def replaced(self, **values: Any) -> Obj:
        return Obj(self.kind, [(k, c, values.get(k, v)) for k, c, v in self.parts])


def _value(code: str, value: Any, container: str) -> bytes:
    count = "<Q" if container == "GWYQ" else "<I"
    if code in "or":
        return serialise(value, container)
    if code == "s":
        raw = value if isinstance(value, bytes) else value.encode()
        return bytes(raw) + b"\0"
    if code == "b":
        return bytes([bool(value)])
    if code == "c":
        return struct.pack("<b", value)
    if code in "iqd":
        return struct.pack(f"<{code}", value)
    if code == "S":
        return struct.pack(count, len(value)) + b"".join(v.encode() + b"\0" for v in value)
    if code == "O":
        return struct.pack(count, len(value)) + b"".join(serialise(v, container) for v in value)
    array = np.asarray(value).astype(_DTYPES[code])
    return struct.pack(count, array.size) + array.tobytes()


def serialise(obj: Obj, container: str, *, root: bool = False) -> bytes:
    """Bytes of an object; of a GWYO file only the outermost container has items of its own kind."""
    body = b""
    for name, code, value in obj.parts:
        if container == "GWYO" and root:
            body += struct.pack("<I", _OLD[code]) + name.encode() + b"\0"
        else:
            body += name.encode() + b"\0" + code.encode()
        body += _value(code, value, container)
    size = struct.pack("<Q" if container == "GWYQ" else "<I", len(body))
    return obj.kind.encode() + b"\0" + size + body


def write(path: Path, entries: list[tuple[str, str, Any]], container: str = "GWYP") -> Path:
    """Write a file; entries are keys, types and values as in Gwyddion 2."""
    root = Obj("GwyContainer", entries)
    if container == "GWYQ":
        root = modern(root)
    path.write_bytes(container.encode() + serialise(root, container, root=True))
    return path


# ------------------------------------------------------------------ Gwyddion 3

_KINDS = {
    "GwyContainer": "GwyDict",
    "GwyDataField": "GwyField",
    "GwyDataLine": "GwyLine",
    "GwySIUnit": "GwyUnit",
}
_BRANCHES = (
    ("/lawn/", "/cmap/"),
    ("/brick/", "/volume/"),
    ("/sps/", "/spectra/"),
    ("/0/graph/graph/", "/graph/"),
    ("/surface/", "/xyz/"),
)


def _modern_key(key: str) -> str:
    for old, new in _BRANCHES:
        if key.startswith(old):
            return key.replace(old, new, 1)
    number, _, rest = key[1:].partition("/")
    if not number.isdigit():
        return key
    rest = {"data": "", "data/title": "/title", "data/visible": "/visible"}.get(rest, f"/{rest}")
    return f"/image/{number}{rest}"


def modern(obj: Obj, *, root: bool = True) -> Obj:
    """Return an object of Gwyddion 2 as Gwyddion 3 has it."""
    parts = []
    for name, code, value in obj.parts:
        if isinstance(value, Obj):
            value = modern(value, root=False)
        elif code == "O":
            value = [modern(v, root=False) for v in value]
        name = _modern_key(name) if root else name.replace("si_unit", "unit")
        parts.append((name, code, value))
    if obj.kind == "GwySurface":
        flat = np.asarray(obj.get("data")).reshape(-1, 3)
        parts = [p for p in parts if p[0] != "data"]
        parts += [
            ("nvalues", "i", len(flat)),
            ("xy", "D", flat[:, :2].ravel()),
            ("data", "D", flat[:, 2]),
        ]
        return Obj("GwyScatter", parts)
    return Obj("GwyFile" if root else _KINDS.get(obj.kind, obj.kind), parts)


# ------------------------------------------------------------------ objects


def unit(text: str) -> Obj:
    return Obj("GwySIUnit", [("unitstr", "s", text)])


def texts(**values: str) -> Obj:
    return Obj("GwyContainer", [(k, "s", v) for k, v in values.items()])


def log(line: str) -> Obj:
    return Obj("GwyStringList", [("strings", "S", [line])])


def data_field(
    data: np.ndarray,
    unit_z: str = "m",
    size: tuple[float, float] = (3e-6, 2e-6),
    unit_xy: str = "m",
    offset: tuple[float, float] = (0.0, 0.0),
) -> Obj:
    return Obj(
        "GwyDataField",
        [
            ("xres", "i", data.shape[1]),
            ("yres", "i", data.shape[0]),
            ("xreal", "d", size[0]),
            ("yreal", "d", size[1]),
            ("xoff", "d", offset[0]),
            ("yoff", "d", offset[1]),
            ("si_unit_xy", "o", unit(unit_xy)),
            ("si_unit_z", "o", unit(unit_z)),
            ("data", "D", data.ravel()),
        ],
    )


def data_line(data: np.ndarray, units: tuple[str, str], real: float = 1.0, off: float = 0.0) -> Obj:
    return Obj(
        "GwyDataLine",
        [
            ("res", "i", len(data)),
            ("real", "d", real),
            ("off", "d", off),
            ("si_unit_x", "o", unit(units[0])),
            ("si_unit_y", "o", unit(units[1])),
            ("data", "D", data),
        ],
    )


def brick(
    data: np.ndarray,
    units: tuple[str, str],
    size: tuple[float, float, float] = (3e-6, 2e-6, 1e-6),
    off: float = 0.0,
    calibration: np.ndarray | None = None,
) -> Obj:
    """Volume data of shape (z, y, x); units of z and of the values."""
    nz, ny, nx = data.shape
    parts = [
        ("xres", "i", nx),
        ("yres", "i", ny),
        ("zres", "i", nz),
        ("xreal", "d", size[0]),
        ("yreal", "d", size[1]),
        ("zreal", "d", size[2]),
        ("zoff", "d", off),
        ("si_unit_x", "o", unit("m")),
        ("si_unit_y", "o", unit("m")),
        ("si_unit_z", "o", unit("" if calibration is not None else units[0])),
        ("si_unit_w", "o", unit(units[1])),
        ("data", "D", data.ravel()),
    ]
    if calibration is not None:
        parts.append(("calibration", "O", [data_line(calibration, ("", units[0]))]))
    return Obj("GwyBrick", parts)


def graph(
    title: str,
    curves: list[tuple[str, np.ndarray, np.ndarray]],
    units: tuple[str, str],
    labels: tuple[str, str] = ("x", "y"),
) -> Obj:
    made = [
        Obj(
            "GwyGraphCurveModel",
            [("xdata", "D", x), ("ydata", "D", y), ("description", "s", text), ("type", "i", 2)],
        )
        for text, x, y in curves
    ]
    return Obj(
        "GwyGraphModel",
        [
            ("title", "s", title),
            ("bottom_label", "s", labels[0]),
            ("left_label", "s", labels[1]),
            ("x_unit", "o", unit(units[0])),
            ("y_unit", "o", unit(units[1])),
            ("curves", "O", made),
        ],
    )


@dataclass
class MapTruth:
    """A curve map: for each pixel its signals (signal, sample) and its segments."""

    path: Path
    rows: int
    columns: int
    labels: list[str]
    units: list[str]
    pixels: list[np.ndarray]
    segments: list[list[tuple[int, int]]]
    lawn: Obj

    def signal(self, label: str) -> np.ndarray:
        number = self.labels.index(label)
        return np.concatenate([p[number] for p in self.pixels])


def lawn(
    pixels: list[np.ndarray],
    rows: int,
    columns: int,
    labels: list[str] | None,
    units: list[str] | None,
    segments: list[list[tuple[int, int]]] | None,
    segment_labels: list[str] | None,
    size: tuple[float, float] = (3e-6, 2e-6),
    offset: tuple[float, float] = (0.0, 0.0),
) -> Obj:
    parts: list[tuple[str, str, Any]] = [
        ("xres", "i", columns),
        ("yres", "i", rows),
        ("xreal", "d", size[0]),
        ("yreal", "d", size[1]),
        ("xoff", "d", offset[0]),
        ("yoff", "d", offset[1]),
        ("si_unit_xy", "o", unit("m")),
        ("ncurves", "i", len(pixels[0])),
        ("curvelengths", "I", [p.shape[1] for p in pixels]),
        ("data", "D", np.concatenate([p.ravel() for p in pixels])),
    ]
    if units is not None:
        parts.append(("si_units_curves", "O", [unit(u) for u in units]))
    if labels is not None:
        parts.append(("curve_labels", "S", labels))
    if segments is not None:
        parts.append(("nsegments", "i", len(segments[0])))
        parts.append(("segments", "I", np.array(segments).ravel()))
    if segment_labels is not None:
        parts.append(("segment_labels", "S", segment_labels))
    return Obj("GwyLawn", parts)


def ramp(approach: int, retract: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Height in m, falling and rising, and deflection in V with a contact at a quarter of it."""
    down, up = np.linspace(1.0, 0.0, approach), np.linspace(0.0, 1.0, retract)
    height = np.concatenate([down, up])
    random = (np.arange(height.size) * 7919 + seed * 104729) % 1000 / 500 - 1
    deflection = np.maximum(0.25 - height, 0.0) * 8 + noise * random
    return height * 1e-6, deflection


# ------------------------------------------------------------------ whole files


def example_map(
    path: Path,
    rows: int = 2,
    columns: int = 3,
    *,
    container: str = "GWYP",
    approach: int = 20,
    retract: int = 16,
    ragged: bool = False,
    empty: tuple[int, ...] = (),
    labels: list[str] | None = None,
    units: list[str] | None = None,
    segments: bool = True,
    segment_labels: list[str] | None = None,
    sign: float = 1.0,
    meta: Obj | None = None,
    log_line: str = "",
    images: bool = True,
) -> MapTruth:
    """Make a map of height, deflection and lateral signal, with an image, a title and metadata."""
    labels = labels if labels is not None else ["Z sensor", "Deflection", "Input1"]
    units = units if units is not None else ["m", "V", "V"]
    pixels, bounds = [], []
    for number in range(rows * columns):
        a, r = (approach + number, retract + 2 * number) if ragged else (approach, retract)
        a, r = (0, 0) if number in empty else (a, r)
        height, deflection = ramp(a, r, 0.001, number)
        lateral = np.arange(a + r) * 0.5 + number
        pixels.append(np.stack([sign * height, deflection, lateral][: len(labels)]))
        bounds.append([(0, a), (a, a + r)])
    made = lawn(pixels, rows, columns, labels, units, bounds if segments else None, segment_labels)
    entries: list[tuple[str, str, Any]] = [
        ("/lawn/0", "o", made),
        ("/lawn/0/title", "s", "Force map"),
        ("/lawn/0/visible", "b", True),
        ("/filename", "s", "a/b.gwy"),
    ]
    if meta is not None:
        entries.append(("/lawn/0/meta", "o", meta))
    if log_line:
        entries.append(("/lawn/0/log", "o", log(log_line)))
    if images:
        entries.append(("/2/data", "o", data_field(np.arange(6.0).reshape(2, 3) * 1e-9)))
        entries.append(("/2/data/title", "s", "Topography"))
    write(path, entries, container)
    return MapTruth(path, rows, columns, labels, units, pixels, bounds, made)


def example_images(path: Path, container: str = "GWYP") -> list[np.ndarray]:
    """Make a file of two images, one of them masked; returns them topmost row first."""
    height = np.arange(12.0).reshape(3, 4) * 1e-9
    friction = (np.arange(12) * 37 % 11 / 5 - 1).reshape(3, 4)
    entries = [
        ("/0/data", "o", data_field(height, "m", (4e-6, 3e-6))),
        ("/0/data/title", "s", "Height"),
        ("/0/mask", "o", data_field(height * 0, "")),
        ("/0/base/palette", "s", "Gwyddion.net"),
        ("/7/data", "o", data_field(friction, "V", (4e-6, 3e-6), offset=(1e-6, 2e-6))),
        ("/7/data/title", "s", "Friction"),
        (
            "/7/meta",
            "o",
            Obj(
                "GwyContainer",
                [("Line Direction", "s", "Retrace"), ("Microscope", "s", "MultiMode 8")],
            ),
        ),
        ("/8/data/log", "o", log("proc::level()")),
    ]
    write(path, entries, container)
    return [height, friction]


def example_volume(path: Path, container: str = "GWYP", *, uneven: bool = False) -> Any:
    """Make deflection and height of an approach and a retract, as volume data with one z axis.

    Returns deflections (segment, z, y, x) and the abscissa: contact lies at its low end.
    """
    z = np.linspace(0.0, 1e-6, 24, endpoint=False)
    calibration = z**2 * 1e6 if uneven else None
    axis = calibration if calibration is not None else z
    base = np.maximum(2e-7 - axis, 0.0) * 1e7
    cells = np.arange(6.0).reshape(2, 3)
    data = [base[:, None, None] * (1 + cells) + part for part in (0.0, 0.001)]
    entries = []
    for number, name in enumerate(("Extend-spm", "Retract-spm")):
        entries.append(
            (f"/brick/{number}", "o", brick(data[number], ("m", "V"), calibration=calibration))
        )
        entries.append((f"/brick/{number}/title", "s", f"vDeflection [{name}]"))
    write(path, entries, container)
    return np.stack(data), axis


def example_spectra(path: Path, container: str = "GWYP") -> Any:
    """Make two sets of spectra at the same five points; returns forces and positions."""
    xy = np.arange(10.0).reshape(5, 2) * 1e-7
    force = (np.arange(40) * 37 % 41 / 20 - 1).reshape(5, 8) * 1e-9
    entries = []
    for number, (title, name, values) in enumerate(
        (("Force", "N", force), ("Current", "A", force * 2))
    ):
        lines = [data_line(v, ("m", name), 8e-9, 1e-9 * i) for i, v in enumerate(values)]
        parts = [
            ("title", "s", title),
            ("si_unit_xy", "o", unit("m")),
            ("coords", "D", xy.ravel()),
            ("data", "O", lines),
        ]
        entries.append((f"/sps/{number}", "o", Obj("GwySpectra", parts)))
    write(path, entries, container)
    return force, xy


def example_graphs(path: Path, container: str = "GWYP", *, far_first: bool = True) -> Any:
    """Make a force curve as NanoScope's importer does: force over distance, and the z sensor.

    Both halves ascend in the abscissa, so one of them lies against time. Returns force and z of
    the approach and the retract in the order of time.
    """
    height, force = ramp(30, 30, 0.0005, 4)
    force = force * 1e-9
    halves = [(force[:30], height[:30]), (force[30:], height[30:])]
    x = np.linspace(0, 1e-6, 30, endpoint=False)
    turn = [False, True] if far_first else [True, False]
    names = ("Approach", "Retract")
    one, two = [], []
    for name, (f, z), t in zip(names, halves, turn, strict=True):
        one.append((name, x, f[::-1] if t else f))
        two.append((name, np.arange(30.0) * 2, (-z)[::-1] if t else -z))
    entries = [
        ("/0/graph/graph/1", "o", graph("F-Z spectrum", one, ("m", "N"), ("Distance", "Force"))),
        (
            "/0/graph/graph/2",
            "o",
            graph("F-Z spectrum", two, ("", "m"), ("Sample number", "Height Sensor")),
        ),
    ]
    write(path, entries, container)
    return force, height


def example_time_graphs(path: Path, container: str = "GWYP") -> Any:
    """Make a curve as Igor's importer does: a graph per signal, over time."""
    height, deflection = ramp(40, 30, 0.0005, 1)
    time = np.arange(70) * 5e-4
    entries = []
    for number, (name, values) in enumerate(
        (("Raw", -height), ("Defl", deflection * 1e-8), ("ZSnsr", -height * 1.01)), start=1
    ):
        made = graph(name, [(name, time, values)], ("s", "m"))
        entries.append((f"/0/graph/graph/{number}", "o", made))
    write(path, entries, container)
    return time, height, deflection * 1e-8


def write_samples(folder: Path) -> None:
    """Write the sample files of this format."""
    folder.mkdir(parents=True, exist_ok=True)
    meta = Obj(
        "GwyContainer",
        [("Spring constant", "s", "0.2 N/m"), ("Comment", "s", "made by a script")],
    )
    example_map(
        folder / "map-2x3-ragged.gwy",
        approach=120,
        retract=100,
        ragged=True,
        empty=(4,),
        labels=["Z sensor", "Deflection", "Friction"],
        segment_labels=["Approach", "Retract"],
        meta=meta,
    )
    example_map(
        folder / "map-3x4-gwyddion3.gwy",
        3,
        4,
        container="GWYQ",
        approach=100,
        retract=100,
        sign=-1.0,
        labels=["Ramp", "DeflectionError"],
        units=["m", "V"],
    )
    example_graphs(folder / "force-curve-graphs.gwy")
    example_time_graphs(folder / "curve-over-time.gwy")
    example_volume(folder / "volume-2x3.gwy")
    example_spectra(folder / "spectra.gwy")
    example_images(folder / "images-gwyddion1.gwy", "GWYO")


def assert_saved(a: CurveSet, b: CurveSet) -> None:
    """Everything that a .gwy file can hold is equal, numbers bit for bit."""
    np.testing.assert_array_equal(a.row_size, b.row_size)
    assert set(a.channels) == set(b.channels)
    for name, channel in a.channels.items():
        assert channel.unit == b.channels[name].unit
        np.testing.assert_array_equal(
            a.read(name).view("i8"), b.read(name).view("i8"), err_msg=name
        )
    np.testing.assert_array_equal(a.segments, b.segments)
    assert a.grid == b.grid
    for column in ("x", "y"):
        np.testing.assert_allclose(
            a.curve_table[column], b.curve_table[column], rtol=1e-12, atol=1e-20
        )
    assert a.metadata.items() <= b.metadata.items()
    assert len(a.images) == len(b.images)
    for one, two in zip(a.images, b.images, strict=True):
        assert (one.name, one.unit, one.direction) == (two.name, two.unit, two.direction)
        np.testing.assert_array_equal(one.size, two.size)
        np.testing.assert_array_equal(one.data.view("i8"), two.data.view("i8"))
