"""Damaged, cut and hostile Gwyddion files: a named error within bounds of time and memory."""

from __future__ import annotations

import os
import random
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bounds import rewrite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from writers import gwyddion
from writers.gwyddion import CONTAINERS, Obj, data_field, graph, write

import nrm_plugin as nrm
from nrm_importers.gwyddion import GwyddionImporter
from nrm_importers.gwyddion.names import split_title
from nrm_plugin import formats
from nrm_plugin.errors import CorruptFile

SECONDS = 5.0
MEGABYTES = 100
EXAMPLES = int(os.environ.get("NRM_FUZZ_EXAMPLES", "0"))  # 0: few, and always the same

Maker = Callable[..., Any]
MAKERS: dict[str, Maker] = {
    "map": gwyddion.example_map,
    "ragged": lambda path, **o: gwyddion.example_map(path, ragged=True, empty=(1,), **o),
    "images": gwyddion.example_images,
    "volume": gwyddion.example_volume,
    "spectra": gwyddion.example_spectra,
    "graphs": gwyddion.example_graphs,
    "time": gwyddion.example_time_graphs,
    "own graphs": lambda path, container: own_graphs(path),
}
every = pytest.mark.parametrize("name", MAKERS)
containers = pytest.mark.parametrize("container", CONTAINERS)


def own_graphs(path: Path) -> None:
    values = np.linspace(1, 0, 20) ** 2
    curves = nrm.CurveSet.from_arrays(
        {"height": (values, "m"), "deflection": (values, "V")}, row_size=[12, 0, 8]
    )
    formats.save(curves, path)


def made(tmp_path: Path, name: str, container: str) -> bytes:
    path = tmp_path / "good.gwy"
    MAKERS[name](path, container=container)
    return path.read_bytes()


@contextmanager
def within_bounds(size: int = 0, *, memory: bool = True) -> Iterator[None]:
    """Fail if the block takes too long, or more memory than the file and a fixed amount."""
    peak = 0
    if memory:
        tracemalloc.start()
    begin = time.process_time()
    try:
        yield
    finally:
        seconds = time.process_time() - begin
        if memory:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert seconds < (SECONDS * 4 if memory else SECONDS)
    assert peak < MEGABYTES * 1e6 + 8 * size


def read_all(path: Path) -> None:
    """Open a file by the importer itself and read everything; only named errors may come."""
    try:
        curves = GwyddionImporter().open(path)
        repr(curves), curves.segments, curves.curve_table, curves.header
        for name in curves.channels:
            curves.read(name)
            if curves.n_curves:
                curves.read(name, curves.n_curves - 1)
        for image in curves.images:
            assert image.data.shape == image.shape
    except nrm.NrmError as error:
        str(error)


# ------------------------------------------------------------------ cut and changed


@every
@containers
def test_every_cut_is_refused(tmp_path: Path, name: str, container: str) -> None:
    data = made(tmp_path, name, container)
    path = tmp_path / "cut.gwy"
    places = sorted({*range(min(200, len(data))), *range(0, len(data), len(data) // 100 or 1)})
    for place in places:
        rewrite(path, data[:place])
        with pytest.raises(nrm.NrmError):
            GwyddionImporter().open(path)


@every
@containers
def test_changed_bytes(tmp_path: Path, name: str, container: str) -> None:
    data = made(tmp_path, name, container)
    rng = random.Random(f"{name} {container}")
    path = tmp_path / "changed.gwy"
    for _ in range(EXAMPLES or 60):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 5))):
            at = rng.randrange(4, len(data))
            changed[at] = rng.choice((0, 1, 255, rng.randrange(256), changed[at] ^ 1))
        rewrite(path, changed)
        with within_bounds(len(data), memory=False):
            read_all(path)


@every
@containers
def test_changed_structure(tmp_path: Path, name: str, container: str) -> None:
    """Bytes change where there are few numbers: names, types, sizes, counts."""
    data = made(tmp_path, name, container)
    words = [
        i
        for i in range(4, len(data) - 8)
        if data[i : i + 1].isalpha() and data[i + 1 : i + 2].isalpha()
    ]
    rng = random.Random(f"{name} {container}")
    path = tmp_path / "changed.gwy"
    for _ in range(EXAMPLES or 60):
        changed = bytearray(data)
        at = min(max(4, rng.choice(words) + rng.randrange(-12, 12)), len(data) - 4)
        changed[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 2, 255, 2**31 - 1, 2**32 - 1)))
        rewrite(path, changed)
        read_all(path)


@settings(
    max_examples=EXAMPLES or 60,
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    magic=st.sampled_from(
        [b"GWYPGwyContainer\0", b"GWYQGwyFile\0", b"GWYOGwyContainer\0", b"GWYP"]
    ),
    body=st.binary(max_size=400),
    honest=st.booleans(),
)
def test_anything_behind_the_magic(tmp_path: Path, magic: bytes, body: bytes, honest: bool) -> None:
    size = struct.pack("<Q" if magic[3:4] == b"Q" else "<I", len(body)) if honest else b""
    path = tmp_path / "any.gwy"
    path.write_bytes(magic + size + body)
    read_all(path)


# ------------------------------------------------------------------ built to do harm


def test_deep_nesting(tmp_path: Path) -> None:
    """A hundred thousand objects inside each other are passed over without being entered."""
    depth, head = 100_000, b"a\0oGwyContainer\0"
    step = len(head) + 4
    sizes = step * (depth - np.arange(depth))
    body = b"".join(head + struct.pack("<I", int(size) - step) for size in sizes)
    inner = b"/lawn/0/meta\0oGwyContainer\0" + struct.pack("<I", len(body)) + body
    for key in (b"/lawn/0", b"/0/data", b"/brick/0", b"/0/graph/graph/1", b"/sps/0", b"/9/meta"):
        root = inner + key + inner[inner.index(b"\0") :]
        path = tmp_path / "deep.gwy"
        path.write_bytes(b"GWYPGwyContainer\0" + struct.pack("<I", len(root)) + root)
        with within_bounds(path.stat().st_size):
            read_all(path)


def test_countless_items(tmp_path: Path) -> None:
    for number, (item, code) in enumerate(((b"\0b\0", "items"), (b"a\0c\0", "items"))):
        body = item * 4_000_000
        path = tmp_path / f"{number}.gwy"
        path.write_bytes(b"GWYPGwyContainer\0" + struct.pack("<I", len(body)) + body)
        with within_bounds(memory=False), pytest.raises(CorruptFile, match=f"{code} in all"):
            GwyddionImporter().open(path)


def test_countless_texts(tmp_path: Path) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy")
    for name, code in (("curve_labels", "S"), ("segment_labels", "S")):
        parts = [p for p in truth.lawn.parts if p[0] != name] + [(name, code, [""] * 3_000_000)]
        path = write(tmp_path / "b.gwy", [("/lawn/0", "o", Obj("GwyLawn", parts))])
        with within_bounds(memory=False), pytest.raises(CorruptFile, match="items in all"):
            GwyddionImporter().open(path)


def test_a_text_without_end(tmp_path: Path) -> None:
    path = tmp_path / "a.gwy"
    write(
        path,
        [("/0/data", "o", data_field(np.zeros((2, 2)))), ("/0/data/title", "s", "x" * (1 << 25))],
    )
    with within_bounds(1 << 25), pytest.raises(CorruptFile, match="text of at most"):
        GwyddionImporter().open(path)
    data = path.read_bytes()[:-1] + b"y"
    path.write_bytes(data)
    with within_bounds(1 << 25), pytest.raises(CorruptFile, match="a text with an end"):
        GwyddionImporter().open(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("xres", 2**31 - 1),
        ("xres", 0),
        ("xres", -3),
        ("yres", 2**30),
        ("ncurves", 2**31 - 1),
        ("ncurves", -1),
        ("ncurves", 2),
        ("nsegments", 2**31 - 1),
        ("nsegments", 1),
        ("curvelengths", [2**31 - 1] * 6),
        ("curvelengths", [-1] * 6),
        ("curvelengths", [36] * 5),
        ("curvelengths", [0] * 6),
        ("data", [1.0]),
        ("segments", [0, 99] * 12),
        ("segments", [-5, 3] * 12),
        ("segments", [20, 0] * 12),
        ("segments", [0, 1]),
        ("xreal", float("nan")),
        ("xreal", 1e300),
        ("xreal", -1.0),
        ("xoff", float("inf")),
        ("curve_labels", []),
        ("curve_labels", [""] * 3),
        ("curve_labels", ["\x07\t é"] * 3),
        ("si_units_curves", []),
        ("si_units_curves", [gwyddion.unit("m" * 100_000)] * 3),
        ("si_units_curves", [gwyddion.unit("10^99999999 V**9**9**9")] * 3),
    ],
)
@containers
def test_a_map_that_lies(tmp_path: Path, name: str, value: Any, container: str) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy")
    entries = [("/lawn/0", "o", truth.lawn.replaced(**{name: value}))]
    path = write(tmp_path / "b.gwy", entries, container)
    with within_bounds(path.stat().st_size):
        read_all(path)


@pytest.mark.parametrize("name", ["xres", "ncurves", "curvelengths", "data", "segments"])
def test_a_part_of_the_wrong_type(tmp_path: Path, name: str) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy")
    for code, value in (
        ("s", "text"),
        ("d", 3.7),
        ("D", [1.0, 2.0]),
        ("o", gwyddion.unit("m")),
        ("q", 2**62),
        ("S", ["a"]),
        ("C", [1]),
    ):
        parts = [(k, code, value) if k == name else (k, c, v) for k, c, v in truth.lawn.parts]
        read_all(write(tmp_path / "b.gwy", [("/lawn/0", "o", Obj("GwyLawn", parts))]))


def test_images_volumes_and_spectra_that_lie(tmp_path: Path) -> None:
    field = data_field(np.zeros((2, 3)))
    brick = gwyddion.brick(np.zeros((4, 2, 3)), ("m", "V"))
    line = gwyddion.data_line(np.zeros(4), ("m", "N"))
    spectra = Obj("GwySpectra", [("coords", "D", [0.0, 0.0]), ("data", "O", [line])])
    x = np.arange(3.0)
    model = graph("Force", [("Approach", x, x)], ("m", "N"))
    curve = model.get("curves")[0]
    cases = [
        ("/0/data", field.replaced(xres=2**31 - 1)),
        ("/0/data", field.replaced(xres=-2, yres=-3)),
        ("/0/data", field.replaced(data=[])),
        ("/0/data", field.without("data")),
        ("/brick/0", brick.replaced(zres=2**31 - 1)),
        ("/brick/0", brick.replaced(xres=0)),
        ("/brick/0", brick.replaced(zreal=float("nan"))),
        ("/brick/0", brick.without("data")),
        ("/sps/0", spectra.replaced(coords=[0.0])),
        ("/sps/0", spectra.without("coords")),
        ("/sps/0", spectra.replaced(data=[line.replaced(res=5)])),
        ("/sps/0", spectra.replaced(data=[spectra])),
        ("/sps/0", spectra.replaced(data=[])),
        ("/0/graph/graph/1", model.replaced(curves=[curve.replaced(xdata=[1.0])])),
        ("/0/graph/graph/1", model.replaced(curves=[])),
        ("/0/graph/graph/1", model.replaced(curves=[field])),
        ("/0/graph/graph/1", model.replaced(curves=[curve.replaced(xdata=[], ydata=[])])),
        ("/0/graph/graph/1", model.replaced(curves=[curve.replaced(ydata=[np.nan] * 3)])),
        ("/surface/0", Obj("GwySurface", [("data", "D", [1.0, 2.0, 3.0])])),
        ("/lawn/0", field),
        ("/0/data", model),
        ("/lawn/0", Obj("GwyLawn")),
        ("/brick/0", Obj("GwyBrick")),
        ("/sps/0", Obj("GwySpectra")),
        ("/0/data", Obj("GwyDataField")),
        ("/0/graph/graph/1", Obj("GwyGraphModel")),
    ]
    for key, obj in cases:
        for container in CONTAINERS:
            read_all(write(tmp_path / "b.gwy", [(key, "o", obj)], container))


def test_a_file_that_changes_after_it_was_opened(tmp_path: Path) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy")
    curves = GwyddionImporter().open(truth.path)
    truth.path.write_bytes(truth.path.read_bytes()[:-100])
    with pytest.raises(nrm.NrmError, match="changed"):
        curves.read("deflection")


@containers
def test_a_file_of_2_gb_opens_at_once(tmp_path: Path, container: str) -> None:
    path = sparse_map(tmp_path / "large.gwy", container)
    GwyddionImporter().open(path)
    begin = time.process_time()
    curves = GwyddionImporter().open(path)
    seconds = time.process_time() - begin
    assert seconds < 0.5  # bench_gwyddion.py measures; this is no race
    assert curves.n_samples * 2 * 8 == 1 << 31
    with within_bounds():
        GwyddionImporter().open(path).read("deflection", 4000)


def sparse_map(path: Path, container: str = "GWYP", side: int = 64, samples: int = 1 << 15) -> Path:
    """Make a map of two signals whose numbers are a hole in the file."""
    small = gwyddion.lawn(
        [np.zeros((2, 1))] * (side * side),
        side,
        side,
        ["Ramp", "Deflection"],
        ["m", "V"],
        None,
        None,
    )
    parts = [p for p in small.parts if p[0] != "data"]
    parts = [(k, c, [samples] * side**2 if k == "curvelengths" else v) for k, c, v in parts]
    if container == "GWYQ":
        parts = gwyddion.modern(Obj("GwyLawn", parts), root=False).parts
    count = 2 * samples * side**2
    size = "<Q" if container == "GWYQ" else "<I"
    start = len("GwyLawn\0") + struct.calcsize(size)
    body = gwyddion.serialise(Obj("GwyLawn", parts), container)[start:]
    body += b"data\0D" + struct.pack(size, count)
    key = {
        "GWYP": b"/lawn/0\0o",
        "GWYQ": b"/cmap/0\0o",
        "GWYO": struct.pack("<I", 80) + b"/lawn/0\0",
    }[container]
    lawn = key + b"GwyLawn\0" + struct.pack(size, len(body) + 8 * count) + body
    root = b"GwyFile\0" if container == "GWYQ" else b"GwyContainer\0"
    with path.open("wb") as file:
        file.write(container.encode() + root + struct.pack(size, len(lawn) + 8 * count) + lawn)
        file.truncate(file.tell() + 8 * count)
    return path


@pytest.mark.parametrize(
    ("title", "parts"),
    [
        ("Height [nm]", ("Height", "nm")),
        (" Force (retract) [nN] ", ("Force (retract)", "nN")),
        ("[V]", ("", "V")),
        ("a [b) ", ("a", "b")),
        ("a (b]c)", ("a (b]c)", "")),
        ("a (b)c)", ("a (b)c)", "")),
        ("a [b", ("a [b", "")),
        ("", ("", "")),
    ],
)
def test_titles_end_with_what_stands_in_brackets(title: str, parts: tuple[str, str]) -> None:
    assert split_title(title) == parts


@pytest.mark.parametrize("title", [" " * 20_000 + "x", "(" * 20_000, "[ " * 10_000])
def test_titles_take_time_in_proportion_to_their_length(title: str) -> None:
    start = time.process_time()
    assert split_title(title) == (title.strip(), "")
    assert time.process_time() - start < 1.0
