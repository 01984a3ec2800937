"""Damaged, cut, foreign and hostile files: a named error within bounds of time and memory."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bounds import Bounds, rewrite
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from writers.nanoscope import (
    PeakForce,
    example_force_volume,
    example_images,
    example_peakforce,
    example_single_curve,
    write_ascii,
)

import nrm_plugin as nrm
from nrm_importers.bruker import BrukerImporter
from nrm_importers.bruker.header import HeaderSection
from nrm_plugin.cli import main
from nrm_plugin.errors import CorruptFile

EXAMPLES = int(os.environ.get("NRM_FUZZ_EXAMPLES", "0"))  # 0: few, and always the same

REAL = [
    "20200903_Egel2.0_00023.repaired.spm",
    "20200903_Egel2.0_00023.spm",
    "20200904_Egel4-Z1.0_00025.spm",
    "DPPC-DSPC_100times00154.021",
    "cr00028.000",
    "si.0_00143.spm",
    "si.0_00144.spm",
    "jmarini_full_multiple_images.000",
    "kpg20080408.007",
]


def curve(path: Path) -> Path:
    return Path(example_single_curve(path, 40, 30, n_hold=10, version=0x09010300).path)


def new_curve(path: Path) -> Path:
    return Path(example_single_curve(path, 40, 30, version=0x09400105).path)


def volume(path: Path) -> Path:
    return Path(example_force_volume(path, 3, 5, 16, 12, height_sensor=True).path)


def old_volume(path: Path) -> Path:
    return Path(example_force_volume(path, 2, 3, 16, 12, version=0x08150203, n_hold=4).path)


def volume_with_maps(path: Path) -> Path:
    return Path(example_force_volume(path, 3, 5, 16, 12, undeclared_maps=3).path)


def capture(path: Path) -> Path:
    settings = PeakForce(50.0, 2.0, 150.0, 250, marker=True)
    return Path(example_peakforce(path, 2, 3, 125, peakforce=settings).path)


def images(path: Path) -> Path:
    return Path(example_images(path, 6, 9).path)


def export(path: Path) -> Path:
    channels = example_single_curve(path, 40, 30).channels
    write_ascii(path, channels, n_ext=40, n_ret=30, ramp_size_nm=300.0, scan_rate=0.5)
    return path


BINARY: list[Callable[[Path], Path]] = [
    curve,
    new_curve,
    volume,
    old_volume,
    volume_with_maps,
    capture,
    images,
]
FEW = [curve, volume, capture, images]
MAKERS = [*BINARY, export]
binary = pytest.mark.parametrize("make", BINARY, ids=lambda make: make.__name__)
few = pytest.mark.parametrize("make", FEW, ids=lambda make: make.__name__)


# ------------------------------------------------------------------ bounds


BOUNDS = Bounds(BrukerImporter(), asks=True)
use, survives, refused = BOUNDS.use, BOUNDS.survives, BOUNDS.refused
HEADER_TEXT = HeaderSection.text
CIAO = re.compile(r"^\\(@(\d+:)?)?")  # what stands before a key


def same(a: nrm.CurveSet, b: nrm.CurveSet) -> bool:
    """Whether two sets have the same numbers."""
    return (
        list(a.channels) == list(b.channels)
        and all(np.array_equal(a.read(name), b.read(name)) for name in a.channels)
        and all(np.array_equal(i.data, j.data) for i, j in zip(a.images, b.images, strict=True))
    )


def header_of(path: Path) -> tuple[str, bytes]:
    """Text of the header up to its end mark, and everything behind it."""
    data = path.read_bytes()
    end = data.index(b"\x1a") + 1
    return data[:end].decode("cp1252"), data[end:]


def with_header(path: Path, text: str, rest: bytes) -> Path:
    """Write a file with another header, its size and the data staying as they are if they can."""
    head = text.encode("cp1252", "replace")
    grown = len(head) + len(rest) - path.stat().st_size
    data = rest[grown:] if grown >= 0 else bytes(-grown) + rest
    rewrite(path, head + data)
    return path


def lines_asked_for(path: Path) -> list[bool]:
    """Which lines of a header the importer asks for while the file opens and is used.

    Lines that it does not ask for are copied and searched as text, whatever stands in them: files
    that differ in nothing else are read alike.
    """
    asked: set[tuple[str, str]] = set()

    def text(section: HeaderSection, *keys: str) -> str | None:
        for key in keys:
            if (value := HEADER_TEXT(section, key)) is not None:
                asked.add((key.lstrip("@").lower(), value))
                return value
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HeaderSection, "text", text)
        use(path)
    lines = [line.partition(":") for line in header_of(path)[0].split("\r\n")]
    return [(CIAO.sub("", key).lower(), value.strip()) in asked for key, _, value in lines]


# ------------------------------------------------------------------ cut files


def cuts(size: int, header: int, n: int) -> list[int]:
    """Lengths to cut to: the ends, the edges of the header, and some in between."""
    rng = random.Random(size)
    edges = [0, 1, 2, 17, header - 1, header, header + 1, *range(size - 9, size)]
    between = [rng.randrange(size) for _ in range(n)]
    return sorted({length for length in edges + between if 0 <= length < size})


@binary
def test_no_part_of_a_file_opens(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    data = make(tmp_path / "whole.pfc").read_bytes()
    short = tmp_path / "short.pfc"
    whole_maps = {len(data) - k * 15 * 4 for k in (1, 2, 3)} if make is volume_with_maps else set()
    for length in cuts(len(data), data.index(b"\x1a"), 60):
        rewrite(short, data[:length])
        if length not in whole_maps:
            refused(short)


@pytest.mark.parametrize("left", [0, 1, 2])
def test_maps_that_nothing_declares_may_be_missing(tmp_path: Path, left: int) -> None:
    path = volume_with_maps(tmp_path / "v.spm")
    whole = nrm.open(path)
    short = tmp_path / "short.spm"
    short.write_bytes(path.read_bytes()[: -(3 - left) * 15 * 4])
    curves = use(short)
    assert same(curves, whole)
    assert sum(f"{left} more maps" in text for text in curves.warnings) == (left > 0)


def test_part_of_an_export_opens_only_if_no_number_is_lost(tmp_path: Path) -> None:
    path = export(tmp_path / "whole.txt")
    whole, data = nrm.open(path), path.read_bytes()
    short = tmp_path / "short.txt"
    opened = 0
    for length in cuts(len(data), data.index(b"list end"), 100):
        rewrite(short, data[:length])
        curves = survives(short)
        assert curves is None or same(curves, whole)
        opened += curves is not None
    assert opened < 12  # the last line's end


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_no_part_of_a_real_file_opens(real_files: Path, tmp_path: Path, name: str) -> None:
    data = (real_files / "bruker" / name).read_bytes()
    short = tmp_path / name
    # Three maps of 16 x 16 lie behind the volume's data.
    whole_maps = {len(data) - k * 1024 for k in (1, 2, 3)} if "Egel2" in name else set()
    for length in cuts(len(data), data.index(b"\x1a"), 25):
        rewrite(short, data[:length])
        if length not in whole_maps:
            refused(short)
    for k, length in enumerate(sorted(whole_maps)):
        rewrite(short, data[:length])
        assert any(f"{k} more maps" in text for text in use(short).warnings) == (k > 0)


@pytest.mark.real
@pytest.mark.parametrize("number", range(4))
def test_headers_without_data(real_files: Path, number: int) -> None:
    path = real_files / "bruker" / f"pySPM_bruker_data_header.00{number}"
    assert "end of the file" in refused(path)
    assert CliRunner().invoke(main, ["info", str(path)]).exit_code == 1


# ------------------------------------------------------------------ foreign files


def noise(n: int = 73728) -> bytes:
    return random.Random(7).randbytes(n)


FOREIGN: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 3),
    "one byte": (b"\\", 3),
    "zeros": (bytes(73728), 3),
    "noise": (noise(), 3),
    "png": (b"\x89PNG\r\n\x1a\n" + noise(1000), 3),
    "tiff": (b"II*\x00" + noise(1000), 3),
    "text": (b"time,height\r\n1,2\r\n", 3),
    "older line": (b"\\*Another list\r\n\\Version: 1\r\n\x1a", 3),
    "first line alone": (b"\\*Force file list\r\n", 1),
    "first line and end": (b"\\*Force file list\r\n\\*File list end\r\n\x1a", 1),
    "first line and noise": (b"\\*File list\r\n" + noise(), 1),
    "first line and zeros": (b"\\*File list\r\n" + bytes(1 << 21), 1),
    "first line and letters": (b"\\*Force file list\r\n" + b"a" * (1 << 21), 1),
    "first line and lists": (b"\\*Force file list\r\n" + b"\\*\r\n" * 200_000 + b"\x1a", 1),
    "many force lists": (
        b"\\*Force file list\r\n\\Version: 0x09200000\r\n"
        + b"".join(
            b"\\*Ciao force image list\r\n\\Data offset: %d\r\n\\Data length: 80\r\n" % (990000 + i)
            for i in range(9000)
        )
        + b"\x1a"
        + bytes(1 << 20),
        1,
    ),
    "export without an end": (b'"\\*Force file list"\r\n"\\Version: 1"\r\n', 1),
    "export of nothing": (b'"\\*Force file list"\r\n"\\*Force file list end"\r\n', 1),
    "export that ends at once": (
        b'"\\*Force file list end"\r\nDefl_V_Ex\tDefl_V_Rt\r\n1\t2\r\n',
        1,
    ),
    "export of noise": (b'"\\*Force file list"\r\n"\\*Force file list end"\r\n' + noise(), 1),
    "export of many columns": (
        b'"\\*Force file list"\r\n"\\*Ciao force list"\r\n"\\Samps/line: 30000 1"\r\n'
        b'"\\*Force file list end"\r\n'
        + b"\t".join(b"c%d_Ex" % i for i in range(15_000))
        + b"\r\n"
        + b"1\r\n" * 30_000,
        1,
    ),
    "utf-16": ("\\*Force file list\r\n\\Version: 1\r\n".encode("utf-16"), 3),
    "bom": (b"\xef\xbb\xbf\\*Force file list\r\n\x1a", 3),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files(tmp_path: Path, kind: str) -> None:
    content, code = FOREIGN[kind]
    path = tmp_path / "strange.spm"
    path.write_bytes(content)
    message = refused(path)
    assert str(path) in message
    for command in (["info"], ["info", "--json"], ["convert", "-o", str(tmp_path / "out.h5")]):
        ran = CliRunner().invoke(main, [*command, str(path)])
        assert ran.exit_code == code, (command, ran.output)
        assert "Traceback" not in ran.output
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize("name", ["a folder", "nothing"])
def test_no_file_at_all(tmp_path: Path, name: str) -> None:
    (tmp_path / "a folder").mkdir()
    with pytest.raises(nrm.MissingFile):
        nrm.open(tmp_path / name)
    assert CliRunner().invoke(main, ["info", str(tmp_path / name)]).exit_code == 1


# ------------------------------------------------------------------ numbers in the header


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (curve, "Samps/line"),
        (new_curve, "Samps/line"),
        (volume, "Samps/line"),
        (volume, "Data length"),
        (volume, "Data offset"),
        (volume, "Number of lines"),
        (volume, "force/line"),
        (volume, "Lines"),
        (curve, "Hold Samples"),
        (images, "Samps/line"),
        (images, "Number of lines"),
        (images, "Data length"),
    ],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_huge_counts_allocate_nothing(tmp_path: Path, make: Any, key: str) -> None:
    path = make(tmp_path / "f.spm")
    text, rest = header_of(path)
    huge = re.sub(
        rf"(?m)^(\\{re.escape(key)}:).*?(\r?)$", r"\1 1000000000000 1000000000000\2", text
    )
    assert huge != text
    survives(with_header(path, huge, rest))


def test_samples_without_end_are_refused(tmp_path: Path) -> None:
    path = curve(tmp_path / "f.000")
    text, rest = header_of(path)
    huge = text.replace("Samps/line: 40 40", "Samps/line: 1000000000000 1000000000000")
    assert "samples" in refused(with_header(path, huge, rest))


HUGE = ["65536", "1000000000000", "1 " * 5000]
ODD = [
    "0",
    "-1",
    "3",
    "0.5",
    "9" * 400,
    "1e308",
    "1e999",
    "1e-320",
    "nan",
    "inf",
    "",
    "º",
    "1,5",
    *HUGE,
]
LAST_NUMBER = re.compile(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?(?=\D*$)")


@few
@pytest.mark.parametrize("odd", ODD, ids=lambda text: text[:6] or "none")
def test_odd_numbers_in_every_line(tmp_path: Path, make: Callable[[Path], Path], odd: str) -> None:
    """Every odd number in each line that is asked for; in each of the others one of them."""
    path = make(tmp_path / "f.pfc")
    text, rest = header_of(path)
    asked = lines_asked_for(path)
    lines = text.split("\r\n")
    for i, line in enumerate(lines):
        if not asked[i] and ODD[i % len(ODD)] != odd:
            continue
        key, colon, value = line.partition(": ")
        changed = {
            re.sub(pattern, lambda _: odd, value, count=1)
            for pattern in (r"[-+]?\d[\d.]*(?:e[-+]?\d+)?", r"[-+]?\d[\d.]*(?=\D*$)")
        }
        for new in sorted(changed - {value}):
            head = "\r\n".join([*lines[:i], key + colon + new, *lines[i + 1 :]])
            survives(with_header(path, head, rest), memory=odd in HUGE)


@few
def test_lines_missing_or_doubled(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """All changes of titles and of lines that are asked for, one of them of each other line."""
    path = make(tmp_path / "f.pfc")
    text, rest = header_of(path)
    asked = lines_asked_for(path)
    lines = text.split("\r\n")
    for i, line in enumerate(lines[:-1]):
        key = line.partition(": ")[0]
        changes = [[], [key], [key + ":"], [line, line], [line[1:]], [line.replace(" ", "")]]
        if ": " in line and not asked[i]:
            changes = [changes[i % len(changes)]]
        for new in changes:
            head = "\r\n".join([*lines[:i], *new, *lines[i + 1 :]])
            survives(with_header(path, head, rest), memory=False)


@binary
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\r\n", "\n"),
        ("\r\n", "\r"),
        ("\r\n", "\n\n"),
        ("\r\n", " "),
        ("\r\n", "\x85"),
        ("\r\n", "\0\r\n"),
        (": ", ":"),
        (": ", " : "),
        ("\\", "/"),
        ("V", "ÿ"),
        ("@", ""),
        ("[", "("),
        (")", ""),
        ('"', "'"),
        ("list", "LIST"),
        ("\\*", "\\"),
    ],
)
def test_other_spellings(tmp_path: Path, make: Callable[[Path], Path], old: str, new: str) -> None:
    path = make(tmp_path / "f.pfc")
    text, rest = header_of(path)
    first, end = text[:20], text[20:]
    survives(with_header(path, first + end.replace(old, new), rest))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32", "cp500"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    for make in MAKERS:
        path = make(tmp_path / "f.pfc")
        data = path.read_bytes()
        path.write_bytes(data.decode("cp1252", "replace").encode(encoding, "replace"))
        survives(path)
        end = data.find(b"\x1a")
        path.write_bytes(data[:end].decode("cp1252").encode(encoding, "replace") + data[end:])
        survives(path)


@pytest.mark.parametrize("n", [10_000, 1_000_000, 3_000_000])
def test_extremely_long_lines(tmp_path: Path, n: int) -> None:
    for make in (curve, export):
        path = make(tmp_path / "f.spm")
        data = path.read_bytes()
        at = data.index(b"\n\\*Scanner" if make is curve else b'\n"\\*Scanner') + 1
        for line in (b"x", b"\\Data offset: ", b"\\@4:Z scale: V [", b"\t", b"1 ", b"a_Ex\t"):
            path.write_bytes(data[:at] + line * (n // len(line)) + b"\r\n" + data[at:])
            survives(path)


def test_data_within_the_header_are_refused(tmp_path: Path) -> None:
    for make in (curve, volume, images):
        path = make(tmp_path / "f.spm")
        text, rest = header_of(path)
        changed = re.sub(r"Data offset: \d+", "Data offset: 100", text)
        assert "within it" in refused(with_header(path, changed, rest))


# ------------------------------------------------------------------ mutations


@dataclass(frozen=True)
class Base:
    """A good file, taken apart."""

    name: str
    lines: tuple[str, ...]
    rest: bytes

    @classmethod
    def of(cls, path: Path, name: str) -> Base:
        data = path.read_bytes()
        mark = b"\x1a" if b"\x1a" in data[:200_000] else b'list end"'
        end = data.index(mark) + len(mark)
        return cls(name, tuple(data[:end].decode("cp1252").split("\r\n")), data[end:])


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> list[Base]:
    folder = tmp_path_factory.mktemp("bases")
    return [Base.of(make(folder / f"{make.__name__}.spm"), make.__name__) for make in MAKERS]


NUMBERS = st.one_of(
    st.sampled_from(ODD[:-1]),
    st.integers(-5, 300).map(str),
    st.integers(-(10**18), 10**18).map(str),
    st.floats().map(repr),
    st.sampled_from(["40", "30", "80960", "40960", "40961", "80961", "2", "4", "15", "16 12"]),
)
UNITS = st.sampled_from(
    ["nm/V", "V", "V/LSB", "m", "~m", "um", "º", "mV/V", "log(Arb)", "Hz", "kHz", "", "Å", "%"]
)
WORDS = st.one_of(
    st.sampled_from(
        [
            "FVOL",
            "FOL",
            "OL",
            "Yes",
            "No",
            "Allow",
            "Down",
            "Retrace",
            "Time",
            "ZSensor",
            "Height",
            "DeflectionError",
            "Sens. Zsens",
            "Sens. DeflSens",
            "\\*Ciao force image list",
            "\\*Ciao image list",
            "\\Hold Samples: 10",
            "\\Segment Number: 3",
            "\\Segment Samples: 20, 30, 20, ",
            "\\Use Ramp Script: Yes",
            "\x1a",
            "\\*File list end",
        ]
    ),
    st.text(st.characters(codec="latin-1"), max_size=12),
)
INDEX = st.integers(0, 10_000)
MUTATIONS = st.one_of(
    st.tuples(st.just("number"), INDEX, NUMBERS),
    st.tuples(st.just("last number"), INDEX, NUMBERS),
    st.tuples(st.just("unit"), INDEX, UNITS),
    st.tuples(st.just("word"), INDEX, WORDS),
    st.tuples(st.just("insert"), INDEX, WORDS),
    st.tuples(st.just("delete"), INDEX, st.just("")),
    st.tuples(st.just("double"), INDEX, st.just("")),
    st.tuples(st.just("move"), INDEX, st.just("")),
    st.tuples(st.just("cut"), INDEX, st.just("")),
)
DATA = st.one_of(
    st.none(),
    st.tuples(st.just("bytes"), st.integers(0, 200_000), st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("remove"), st.integers(0, 200_000), st.binary(min_size=1, max_size=4)),
    st.tuples(st.just("add"), st.integers(0, 200_000), st.binary(min_size=1, max_size=4)),
    st.tuples(st.just("end"), st.integers(0, 200_000), st.just(b"")),
    st.tuples(st.just("append"), st.integers(0, 5000), st.just(b"")),
)


def mutated(lines: list[str], what: str, where: int, new: str) -> list[str]:
    """Header with one change."""
    i = where % len(lines)
    line = lines[i]
    head, colon, value = line.partition(": ")
    if what == "number":
        line = head + colon + re.sub(r"[-+]?\d[\d.]*", lambda _: new, value, count=1)
    elif what == "last number":
        line = head + colon + LAST_NUMBER.sub(lambda _: new, value, count=1)
    elif what == "unit":
        line = re.sub(r"[^\s)]*\)?$", lambda _: new, line, count=1)
    elif what == "word":
        line = head + colon + new
    elif what == "cut":
        line = line[: len(line) // 2]
    changed = [line]
    if what == "insert":
        changed = [line, new]
    elif what == "delete":
        changed = []
    elif what == "double":
        changed = [line, line]
    rest = [*lines[:i], *changed, *lines[i + 1 :]]
    if what == "move":
        rest.insert((where * 7) % len(lines), rest.pop(i))
    return rest or [""]


def mutated_bytes(rest: bytes, what: str, where: int, new: bytes) -> bytes:
    """Everything behind the header with one change."""
    at = where % (len(rest) + 1)
    if what == "end":
        return rest[:at]
    if what == "append":
        return rest + bytes(where)
    behind = {"bytes": len(new), "remove": len(new), "add": 0}[what]
    return rest[:at] + (b"" if what == "remove" else new) + rest[at + behind :]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutants")


@settings(
    max_examples=EXAMPLES or 700,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    which=st.integers(0, len(MAKERS) - 1),
    header=st.lists(MUTATIONS, max_size=6),
    data=DATA,
    encoding=st.sampled_from(["cp1252"] * 12 + ["utf-8", "utf-16", "latin-1"]),
    newline=st.sampled_from(["\r\n"] * 8 + ["\n", "\r", ""]),
    suffix=st.sampled_from([".spm", ".pfc", ".000"]),
    keep_size=st.booleans(),
)
def test_mutated_files(
    bases: list[Base],
    place: Path,
    which: int,
    header: Any,
    data: Any,
    encoding: str,
    newline: str,
    suffix: str,
    keep_size: bool,
) -> None:
    """Whatever is changed in a good file, it opens or ends in one of our errors."""
    base = bases[which]
    lines = list(base.lines)
    for change in header:
        lines = mutated(lines, *change)
    head = newline.join(lines).encode(encoding, "replace")
    rest = base.rest
    grown = len(head) - len("\r\n".join(base.lines))
    if keep_size and base.name != "export":
        rest = rest[grown:] if grown >= 0 else bytes(-grown) + rest
    if data is not None:
        rest = mutated_bytes(rest, *data)
    path = place / f"mutant{suffix}"
    rewrite(path, head + rest)
    survives(path)


def with_blocks(path: Path, first: Callable[[int, int, int], tuple[int, int]]) -> Path:
    """Change where the second block begins and how long the first is.

    `first` gets begin and length of the first block and begin of the second.
    """
    text, rest = header_of(path)
    pair = r"(Data offset: )(\d+)(\r?\n.Data length: )(\d+)"
    one, two = sorted(re.finditer(pair, text), key=lambda m: int(m[2]))[:2]
    begin, length = first(int(one[2]), int(one[4]), int(two[2]))
    edits = [(one.start(4), one.end(4), length), (two.start(2), two.end(2), begin)]
    for start, end, value in sorted(edits, reverse=True):
        text = text[:start] + str(value) + text[end:]
    return with_header(path, text, rest)


@pytest.mark.parametrize("make", [curve, images], ids=lambda make: make.__name__)
def test_blocks_that_share_bytes_are_refused(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """A doubled length, or the offset of the block before: numbers of another channel."""
    nrm.open(with_blocks(make(tmp_path / "a.spm"), lambda begin, length, second: (second, length)))
    doubled = with_blocks(
        make(tmp_path / "b.spm"), lambda begin, length, second: (second, 2 * length)
    )
    shifted = with_blocks(make(tmp_path / "c.spm"), lambda begin, length, second: (begin, length))
    for path in (doubled, shifted):
        with pytest.raises(CorruptFile, match="bytes that belong to both"):
            nrm.open(path)


def test_bytes_between_blocks_are_told(tmp_path: Path) -> None:
    """Half a length leaves bytes that belong to no channel."""
    path = images(tmp_path / "a.spm")
    assert not any("belong to no channel" in one for one in nrm.open(path).warnings)
    with_blocks(path, lambda begin, length, second: (second, length // 2))
    assert any("belong to no channel" in one for one in nrm.open(path).warnings)
