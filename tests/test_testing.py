"""check_importer: passes good importers, and names each kind of mistake of bad ones."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nrm_plugin import CorruptFile, CurveSet, Image
from nrm_plugin.columns import FileColumn, FileStamp
from nrm_plugin.model import Channel, Origin
from nrm_plugin.plugins import installed
from nrm_plugin.tables import SEGMENT
from nrm_plugin.testing import (
    IMPORTER_RULES,
    assert_same,
    check_curves,
    check_importer,
    check_round_trip,
)


class Toy:
    """Reads a format of our own: TOY!, curves, samples, then the deflection as int16 in mV."""

    name = "toy"
    description = "toy files"
    suffixes = (".toy",)

    def sniff(self, head: bytes, path: Path) -> int:
        return 90 if head.startswith(b"TOY!") else 0

    def open(self, path: Path) -> CurveSet:
        head = path.read_bytes()[:12]
        if len(head) < 12:
            raise CorruptFile(path, 0, "12 bytes of header", f"{len(head)}")
        n, length = struct.unpack("<4xII", head)
        runs = [(0, length, False)]
        column = FileColumn.regular(FileStamp.of(path), np.dtype("<i2"), 12, n, runs)
        channel = Channel("deflection", "V", column, 1e-3, 0.0, "D", "toy")
        return CurveSet(
            column.rows, {"deflection": channel}, origins=(Origin(path.name, path=str(path)),)
        )


@pytest.fixture
def toy_file(tmp_path: Path) -> Path:
    path = tmp_path / "a.toy"
    values = np.arange(50, dtype="<i2").tobytes()
    path.write_bytes(b"TOY!" + struct.pack("<II", 5, 10) + values)
    return path


def test_good_importer(toy_file: Path, samples: Any) -> None:
    check_importer(Toy(), [toy_file, str(toy_file)], foreign=[samples.images().path])


def test_the_built_in_importer(samples: Any, toy_file: Path) -> None:
    from nrm_importers.bruker import BrukerImporter

    files = [samples.single(n_ext=32, n_ret=24).path, samples.volume(n_ext=16, n_ret=8).path]
    check_importer(BrukerImporter(), files, foreign=[toy_file])


def changed(**changes: Any) -> Callable[[CurveSet], CurveSet]:
    return lambda curves: replace(curves, **changes)


def channel(**changes: Any) -> Callable[[CurveSet], CurveSet]:
    def change(curves: CurveSet) -> CurveSet:
        return curves.with_channel(replace(curves.channels["deflection"], **changes))

    return change


def nan_for_a_number(curves: CurveSet) -> CurveSet:
    made = CurveSet.from_arrays({"deflection": (np.full((5, 10), np.nan), "V")})
    return replace(made, origins=curves.origins)


def upside_down(curves: CurveSet) -> CurveSet:
    made = CurveSet.from_arrays(
        {"height": (np.tile(np.arange(10.0), (5, 1)), "nm")},
        segments=np.array([(0, 0, 10, "approach")], SEGMENT),
    )
    return replace(made, origins=curves.origins)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (channel(unit="mV"), "channel deflection: in 'mV'"),
        (channel(gain=1e3), "not believable"),
        (channel(source=""), "does not say where it comes from"),
        (lambda c: replace(c, channels={"defl": c.channels["deflection"]}), "another name"),
        (channel(name="Deflection Error"), "not a slug"),
        (nan_for_a_number, "not finite"),
        (upside_down, "height runs the wrong way"),
        (changed(metadata={"stiffness": 1.0}), "not in the vocabulary"),
        (changed(metadata={"spring_constant": 1.0}), "does not say where it comes from"),
        (changed(metadata={"spring_constant": -1.0}), "a.toy: spring_constant"),
        (changed(segments_from=lambda: np.zeros(3)), "segments are of type float64"),
        (changed(segments_from=lambda: np.ones(2, SEGMENT)), "a.toy: "),
        (changed(grid=(2, 3)), "a grid of 2 x 3"),
        (changed(images=(Image("H", np.zeros((2, 2)), "m", direction="up"),)), "'up'"),
        (changed(images=(Image("H", np.zeros((2, 2)), "m", (3.0, 3.0)),)), "size"),
        (changed(table_from=lambda: {"x": np.full(5, 7.0)}), "x reaches 7"),
        (lambda _: None, "open returned NoneType"),
    ],
)
def test_mistakes_in_curves(toy_file: Path, change: Any, complaint: str) -> None:
    class Bad(Toy):
        def open(self, path: Path) -> CurveSet:
            return change(super().open(path))  # type: ignore[no-any-return]

    with pytest.raises(AssertionError, match=complaint):
        check_importer(Bad(), [toy_file], cuts=())


def test_a_cut_file_that_opens(toy_file: Path) -> None:
    class Padding(Toy):
        def open(self, path: Path) -> CurveSet:
            data = path.read_bytes().ljust(112, b"\0")
            n, length = struct.unpack("<4xII", data[:12])
            values = np.frombuffer(data, "<i2", n * length, 12).reshape(n, length)
            made = CurveSet.from_arrays({"deflection": (values, "mV")})
            return replace(made, origins=(Origin(path.name),))

    check_importer(Padding(), [toy_file], cuts=())
    with pytest.raises(AssertionError, match="opens although it is cut after 97%"):
        check_importer(Padding(), [toy_file], cuts=[0.97])


def test_a_cut_file_with_another_error(toy_file: Path) -> None:
    class Careless(Toy):
        def open(self, path: Path) -> CurveSet:
            struct.unpack("<4xII", path.read_bytes()[:12])
            return super().open(path)

    with pytest.raises(AssertionError, match="cut after 5%: error, not CorruptFile"):
        check_importer(Careless(), [toy_file], cuts=[0.05])


@pytest.mark.parametrize(
    ("sniff", "complaint"),
    [
        (lambda self, head, path: 50, "for a file that begins with"),
        (lambda self, head, path: 50 * head.startswith(b"PK"), "for a file that begins with b'PK"),
        (lambda self, head, path: 0, "sniff gives 0"),
        (lambda self, head, path: 120 * head.startswith(b"TOY!"), "sniff gives 120"),
        (lambda self, head, path: 9 * head.startswith((b"TOY!", b"\\*")), "of another format"),
    ],
)
def test_mistakes_of_sniffing(toy_file: Path, samples: Any, sniff: Any, complaint: str) -> None:
    bad = type("Bad", (Toy,), {"sniff": sniff})()
    with pytest.raises(AssertionError, match=complaint):
        check_importer(bad, [toy_file], foreign=[samples.images().path])


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [
        ({"name": "Toy files"}, "not one lower-case word"),
        ({"suffixes": ["toy"]}, "begin with a dot"),
    ],
)
def test_mistakes_of_naming(toy_file: Path, attributes: Any, complaint: str) -> None:
    bad = type("Bad", (Toy,), attributes)()
    with pytest.raises(AssertionError, match=complaint):
        check_importer(bad, [toy_file])


def test_no_importer_at_all(toy_file: Path) -> None:
    with pytest.raises(AssertionError, match="lacks something"):
        check_importer(object(), [toy_file])  # type: ignore[arg-type]


def test_an_importer_that_writes_to_its_file(toy_file: Path) -> None:
    class Writing(Toy):
        def open(self, path: Path) -> CurveSet:
            with path.open("ab") as file:
                file.write(b"seen")
            return super().open(path)

    with pytest.raises(AssertionError, match="changed the file"):
        check_importer(Writing(), [toy_file], cuts=())


@pytest.mark.parametrize(
    "change",
    [
        channel(gain=2e-3),
        channel(unit="m"),
        channel(original="X"),
        changed(metadata={"title": "x"}),
        changed(warnings=("x",)),
        changed(grid=(1, 5)),
        changed(images=(Image("H", np.zeros((2, 2)), "m"),)),
        changed(origins=()),
        changed(table_from=lambda: {"x": np.zeros(5)}),
    ],
)
def test_assert_same_sees_differences(toy_file: Path, change: Any) -> None:
    curves = Toy().open(toy_file)
    assert_same(curves, Toy().open(toy_file))
    with pytest.raises(AssertionError):
        assert_same(curves, change(curves))


def test_curves_in_memory(samples: Any) -> None:
    check_curves(samples.curves())
    check_round_trip(samples.curves())


def test_a_failure_names_its_rule(toy_file: Path) -> None:
    class Quiet(Toy):
        description = ""

    with pytest.raises(AssertionError, match=r"rule description: "):
        check_importer(Quiet(), [toy_file])
    with pytest.raises(AssertionError, match=r"rule foreign: .*other formats"):
        check_importer(Toy(), [], foreign=[toy_file])


def test_every_rule_is_on_the_page() -> None:
    page = Path(__file__).resolve().parents[1] / "docs" / "writing-plugins.md"
    rows = [f"| `{name}` | {meaning} |" for name, meaning in IMPORTER_RULES.items()]
    assert "\n".join(rows) in page.read_text(encoding="utf-8")


def test_every_importer_of_this_project_is_checked() -> None:
    tests = Path(__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in tests.glob("test_*.py")]
    checked = "".join(text for text in texts if "check_importer(" in text)
    for name, importer in installed().importers.items():
        kind = type(importer)
        if kind.__module__.startswith("nrm_importers."):
            assert f"check_importer({kind.__name__}()" in checked, f"no test checks {name}"
