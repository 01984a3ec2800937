r"""The grammar of NanoScope headers: ``\key: value`` under ``\*Section`` titles that repeat."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nrm_importers.bruker.header import BrukerHeader, CiaoValue, parse, read_header
from nrm_plugin.errors import CorruptFile

PATH = Path("some.spm")


def header(*lines: str) -> BrukerHeader:
    """Header of these lines, below a first list."""
    return parse(PATH, "\r\n".join(["\\*File list", "\\Version: 0x09200000", *lines]))


def sens(line: str, title: str = "Scanner list") -> BrukerHeader:
    return header(f"\\*{title}", line)


# ------------------------------------------------------------------ values of CIAO objects


@pytest.mark.parametrize(
    ("text", "scale", "hard", "hard_unit", "soft", "unit"),
    [
        (
            "V [Sens. DeflSens] (0.0003750000 V/LSB) 2.500000 V",
            "Sens. DeflSens",
            0.000375,
            "V",
            2.5,
            "V",
        ),
        (
            "V [Sens. Potential] (0.0003051758 V/LSB)       0 V",
            "Sens. Potential",
            0.0003051758,
            "V",
            0.0,
            "V",
        ),
        ("V (0.1000000 us/LSB) 12.00000 us", "", 0.1, "us", 12.0, "us"),
        ("V (0.001525879 1/LSB) 10.00000 ", "", 0.001525879, "1", 10.0, ""),
        ("V (0.005493164 º/LSB) 106.2378 º", "", 0.005493164, "º", 106.2378, "º"),
        ("V (0.0004882813 log(Arb)/LSB) 6.124512 log(Arb)", "", None, None, None, None),
        ("V 13.20300 nm/V", "", None, "", 13.203, "nm/V"),
        ("V 27.39000 ", "", None, "", 27.39, ""),
        ("V 1.000000", "", None, "", 1.0, ""),
        ("V -10.00000 nA/V", "", None, "", -10.0, "nA/V"),
        ("V (5.722046e-009 V/LSB) 24.57600 V", "", 5.722046e-9, "V", 24.576, "V"),
        ("C [4:Z scale] 1.000000 ", "4:Z scale", None, "", 1.0, ""),
        (
            "V [Sens. Zsens] (\\Data length V/LSB) 151.4807 V",
            "Sens. Zsens",
            None,
            None,
            151.4807,
            "V",
        ),
        ("V [Sens. Zsens] (1e999 V/LSB) 1e999 V", "Sens. Zsens", None, "V", None, "V"),
        ("V [Sens. Zsens] (nan V/LSB) inf V", "Sens. Zsens", None, "V", None, "V"),
    ],
)
def test_value(
    text: str,
    scale: str,
    hard: float | None,
    hard_unit: str | None,
    soft: float | None,
    unit: str | None,
) -> None:
    value = CiaoValue.parse(text)
    assert value is not None
    assert (value.scale, value.hard if hard_unit is not None else None) == (scale, hard)
    if hard_unit is not None:
        assert value.hard_unit == hard_unit
    if unit is not None:
        assert (value.soft, value.unit) == (soft, unit)


@pytest.mark.parametrize("text", ['S [Zsweep] "Z"', "", "27.39 nm/V", "V", "X 1 V"])
def test_what_is_no_value(text: str) -> None:
    assert CiaoValue.parse(text) is None


@pytest.mark.parametrize(
    ("text", "internal", "shown"),
    [
        ('S [DeflectionError] "Deflection Error"', "DeflectionError", "Deflection Error"),
        ('S [] "Peak Force Error"', "", "Peak Force Error"),
        ('S [AFMMode] ""', "AFMMode", ""),
        ('S "Height"', "", "Height"),
        ("Deflection Error", "", ""),
        ("V 1.0", "", ""),
    ],
)
def test_selection(text: str, internal: str, shown: str) -> None:
    section = header("\\*Ciao force image list", f"\\@4:Image Data: {text}").first(
        "Ciao force image list"
    )
    assert section.selection("image data") == (internal, shown)


# ------------------------------------------------------------------ keys


@pytest.mark.parametrize(
    "line",
    [
        "\\@4:Ramp size Zsweep: V 5.000000 V",
        "\\@Ramp Size Zsweep: V 5.000000 V",
        "\\@12:RAMP SIZE ZSWEEP: V 5.000000 V",
    ],
)
def test_keys_in_any_case_with_and_without_group(line: str) -> None:
    value = header("\\*Ciao force list", line).first("Ciao force list").value("ramp size zsweep")
    assert value is not None
    assert value.soft == 5


def test_a_key_is_a_whole_key() -> None:
    section = header(
        "\\*Ciao force list",
        "\\Navigator note: Samps/line: 7",
        "\\Old Samps/line: 8",
        "\\Samps/line, retrace: 9",
        "\\@Scan rate: V 3.000000 Hz",
        "\\Samps/line: 1024 512",
        "\\Samps/line: 5 5",
    ).first("Ciao force list")
    assert section.integers("samps/line") == [1024, 512]
    assert section.integer("samps/line, retrace") == 9
    assert section.number("scan rate") is None
    assert section.text("line") is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.017", 1.017),
        ("  2 kHz", 2.0),
        ("-1523.3 nm", -1523.3),
        (".5", 0.5),
        ("5.", 5.0),
        ("2.771651e+001", 27.71651),
        ("none", None),
        ("", None),
        ("1e999", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_number(text: str, number: float | None) -> None:
    assert header(f"\\Key: {text}").sections[0].number("key") == number


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("2 2 ~m", [2e-6, 2e-6]),
        ("1000 nm", [1e-6]),
        ("-1523.3 nm", [-1523.3e-9]),
        ("2 1 um", [2e-6, 1e-6]),
        ("5", []),
        ("2 V", []),
        ("", []),
        ("1e999 nm", []),
    ],
)
def test_lengths(text: str, lengths: list[float]) -> None:
    assert header(f"\\Key: {text}").sections[0].length("key") == pytest.approx(lengths, rel=1e-14)


# ------------------------------------------------------------------ sections


def test_sections_repeat_and_keep_their_order() -> None:
    found = header(
        "\\*Ciao image list",
        "\\Data offset: 1",
        "\\*Ciao scan list",
        "\\Lines: 16",
        "\\*ciao Image List",
        "\\Data offset: 2",
    )
    images = found.all("Ciao image list")
    assert [s.integer("data offset") for s in images] == [1, 2]
    assert found.first("Ciao force list", "Ciao scan list").integer("lines") == 16
    assert found.first("Nothing").text("lines") is None


@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
def test_line_ends(newline: str) -> None:
    text = newline.join(["\\*File list", "\\Version: 0x05120130", "\\*Scanner list", "\\a: 1"])
    found = parse(PATH, text)
    assert found.version == 0x05120130
    assert found.first("Scanner list").integer("a") == 1


@pytest.mark.parametrize("text", ["", "\n", "no list", "\\Version: 0x05120130"])
def test_text_without_lists_is_refused(text: str) -> None:
    with pytest.raises(CorruptFile):
        parse(PATH, text)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("0x09200000", 0x09200000),
        ("0x0920B046", 0x0920B046),
        ("9.2", 0),
        ("", 0),
        ("0x", 0),
        ("0x123456789", 0),
    ],
)
def test_version(text: str, version: int) -> None:
    assert parse(PATH, f"\\*File list\n\\Version: {text}").version == version


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("05:30:10 PM Thu Sep 03 2020", "2020-09-03T17:30:10"),
        ("12:00:01 AM Fri Jan 01 2021", "2021-01-01T00:00:01"),
        ("12:00:01 PM Fri Jan 01 2021", "2021-01-01T12:00:01"),
        ("05:30:10 PM Thu Sep 31 2020", None),
        ("05:30:10 PM Thu Sep 03 0000", None),
        ("17:30:10 Thu Sep 03 2020", None),
        ("05:30:10 PM Don Sep 03 2020", "2020-09-03T17:30:10"),
        ("05:30:10 PM Thu Xyz 03 2020", None),
        ("", None),
    ],
)
def test_date(text: str, date: str | None) -> None:
    assert parse(PATH, f"\\*File list\n\\Date: {text}").date == date


# ------------------------------------------------------------------ sensitivities


@pytest.mark.parametrize("title", ["Scanner list", "Ciao scan list"])
@pytest.mark.parametrize(
    ("text", "value", "unit", "words"),
    [
        ("V 30.85246 nm/V", 30.85246e-9, "m", ""),
        ("V 27.39000 ", 27.39e-9, "m", "nm/V"),
        ("V 1.000000 ", None, "", "not calibrated"),
        ("V 1.000000 nm/V", 1e-9, "m", ""),
        ("V 5.451918 nN/V", 5.451918e-9, "N", ""),
        ("V -10.00000 nA/V", -1e-8, "A", ""),
        ("V 100.0000 mV/V", 0.1, "V", ""),
        ("V 3.000000 log(Arb)/V", None, "log(Arb)/V", ""),
        ("V nonsense nm/V", None, "", ""),
        ("V 1e999 nm/V", None, "", ""),
    ],
)
def test_sensitivity(title: str, text: str, value: float | None, unit: str, words: str) -> None:
    found = sens(f"\\@Sens. DeflSens: {text}", title).sensitivity("Sens. DeflSens")
    assert found.value == (None if value is None else pytest.approx(value, rel=1e-14))
    assert found.unit == unit
    assert words in found.warning
    assert bool(words) == bool(found.warning)


def test_sensitivity_that_is_not_there() -> None:
    found = sens("\\@Sens. Zsens: V 13.20300 nm/V").sensitivity("Sens. DeflSens")
    assert (found.value, found.unit, found.warning) == (None, "", "")


def test_traces_of_damage() -> None:
    found = header(
        "\\*Ciao force list",
        "\\@4:Ramp Size Zsweep: V [Sens. Zsens] (\\Data length V/LSB) 151.4807 V",
        "\\@4:Ramp Begin: V [Sens. Zsens] (0.006713765 V/LSB)       0 V",
        "\\@LogStiffnessOffset: V [Sens. LogStiffnessSens] (0.0004882813 log(Arb)/LSB) 0 log(Arb)",
        '\\@Image Data: S [Some (thing)] "Some (thing)"',
    )
    assert found.damaged_values() == ["Ramp Size Zsweep"]


# ------------------------------------------------------------------ the end, and no end


@pytest.mark.parametrize("end", [b"\\*File list end\r\n\x1a", b"\x1a", b"\\*File list end"])
def test_header_ends_where_it_says(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "f.spm"
    path.write_bytes(b"\\*File list\r\n\\Note: 5 \xb5m at 20 \xba\r\n" + end + b"\\Note: data")
    found = read_header(path)
    assert found.text == "\\*File list\r\n\\Note: 5 µm at 20 º\r\n"
    assert found.sections[0].text("note") == "5 µm at 20 º"


@pytest.mark.parametrize("size", [0, 100, 1 << 17, 1 << 20, 3 << 20])
def test_header_without_an_end(tmp_path: Path, size: int) -> None:
    path = tmp_path / "f.spm"
    path.write_bytes(b"\\*File list\r\n" + b"x" * size)
    with pytest.raises(CorruptFile, match="end of the header"):
        read_header(path)


@pytest.mark.parametrize(
    "line",
    [
        "\\@Foo: V 1.0 a" + " " * 500_000 + "b",
        "\\@Foo: V [" * 60_000,
        "\\@Foo: V (" + "1" * 900_000 + "x V/LSB) 1 V",
        "\\@Foo: V 1" + "1" * 900_000 + "x",
        "\\Foo: " + "1" * 900_000,
        "\\Foo: " * 150_000,
        "\\" + "Foo:" * 230_000,
        ":" * 900_000,
        "\\@" + "1" * 900_000 + ":Foo: V 1 V",
    ],
    ids=range(9),
)
def test_no_line_takes_long(line: str) -> None:
    begin = time.process_time()
    found = sens(line)
    found.damaged_values()
    section = found.first("Scanner list")
    section.value("foo")
    section.number("foo")
    section.integers("foo")
    section.length("foo")
    section.selection("foo")
    found.sensitivity("Foo")
    assert time.process_time() - begin < 2
