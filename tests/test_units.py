"""Unit strings: factors known from the SI, never from the code."""

from __future__ import annotations

import math

import pytest

from nrm_plugin.errors import InvalidInput
from nrm_plugin.units import factor, parse, si


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("nm", (1e-9, "m")),
        ("~m", (1e-6, "m")),  # how NanoScope writes micrometres
        ("µm", (1e-6, "m")),
        ("μm", (1e-6, "m")),  # the Greek letter, not the micro sign
        ("pA", (1e-12, "A")),
        ("Pa", (1.0, "Pa")),
        ("mV", (1e-3, "V")),
        ("KHz", (1e3, "Hz")),
        ("nm/V", (1e-9, "m/V")),
        (" nm / V ", (1e-9, "m/V")),
        ("1/V", (1.0, "1/V")),
        ("V/mV", (1e3, "")),
        ("º", (math.pi / 180, "rad")),
        ("%", (0.01, "")),
        ("", (1.0, "")),
        ("Å", (1e-10, "m")),
        ("\u212b/V", (1e-10, "m/V")),
    ],
)
def test_si(unit: str, expected: tuple[float, str]) -> None:
    value, symbol = si(unit) or (math.nan, "")
    assert symbol == expected[1]
    assert value == pytest.approx(expected[0], rel=1e-15)


@pytest.mark.parametrize("unit", ["Arb", "LSB", "nm/", "nm/V/V", "/", "Volt"])
def test_si_does_not_guess(unit: str) -> None:
    assert si(unit) is None


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("0.2N/m", "N/m", 0.2),
        ("200 mN/m", "N/m", 0.2),
        ("27 nm/V", "m/V", 27e-9),
        ("27nm/V", "m/V", 27e-9),
        ("25 µm", "m", 25e-6),
        ("-1.5e-3 kV", "V", -1.5),
        (".5", "", 0.5),
        ("50 %", "", 0.5),
        ("180°", "rad", math.pi),
        # what the table does not know goes to pint
        ("1 inch", "m", 0.0254),
        ("2 min", "s", 120.0),
        ("3 N m^-1", "N/m", 3.0),
        ("3 kg/s**2", "N/m", 3.0),
        ("5 1/s", "Hz", 5.0),
    ],
)
def test_parse(text: str, target: str, expected: float) -> None:
    assert parse(text, target) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("0.2 N", "N/m"),
        ("5 V", "m"),
        ("5 m", ""),
        ("27 V/nm", "m/V"),
        ("6283 rad/s", "Hz"),  # pint alone makes 6283 Hz of it, 2 pi too many
        ("60 rpm", "Hz"),
        ("1,5 nm", "m"),
        ("nm", "m"),
        ("", "m"),
        ("3 furlongs per fortnight!", "m/s"),
        ("1 __import__('os')", "m"),
        ("1 9**9**9**9 m", "m"),  # would take for ever
        ("1 " + "m*" * 5000 + "m", "m"),
    ],
)
def test_parse_refuses(text: str, target: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text, target)


def test_factor_needs_a_unit() -> None:
    with pytest.raises(InvalidInput, match="no unit cannot be turned into m"):
        factor("", "m")


def test_hostile_numbers_take_no_time() -> None:
    for text in ("1" + " " * 200_000 + "\nx", "1" * 200_000 + "\nx", " " * 200_000):
        with pytest.raises(InvalidInput):
            parse(text, "m")
