"""Names, units and the values that are believed."""

from __future__ import annotations

import math

import pint
import pytest

from nrm_plugin import units
from nrm_plugin.errors import InvalidInput, MissingCalibration
from nrm_plugin.vocabulary import (
    CHANNELS,
    COLUMNS,
    METADATA,
    RESERVED,
    check_name,
    missing_calibration,
    nearest,
    own_slug,
    slug,
)


@pytest.mark.parametrize(
    ("name", "unit"),
    [(name, unit) for name, q in (CHANNELS | COLUMNS).items() for unit in q.units]
    + [(name, key.unit) for name, key in METADATA.items()],
)
def test_every_unit_is_coherent_si(name: str, unit: str) -> None:
    assert pint.application_registry.Quantity(1.0, unit).to_base_units().magnitude == 1.0, name
    assert units.parse(f"2 {unit}", unit) == 2.0, name


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("spring_constant", "0.2", 0.2),
        ("poisson_ratio", 0.5, 0.5),
        ("lockin_convention", "rms", "rms"),
        ("lockin_convention", "Peak", "peak"),
        ("title", "", ""),
        ("simulated", "true", True),
        ("simulated", 0, False),
    ],
)
def test_check_takes(key: str, value: object, expected: object) -> None:
    taken = METADATA[key].check(key, value)
    assert taken == expected
    assert type(taken) is type(expected)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spring_constant", 0.0),
        ("spring_constant", -0.2),
        ("spring_constant", math.nan),
        ("spring_constant", math.inf),
        ("spring_constant", "soft"),
        ("spring_constant", None),
        ("deflection_sensitivity", 27.0),  # nm/V taken for m/V
        ("poisson_ratio", 0.6),
        ("dither_amplitude", 5e-3),
        ("lockin_convention", "r.m.s."),
        ("lockin_convention", 1.0),
        ("title", 5),
        ("simulated", "perhaps"),
    ],
)
def test_check_refuses(key: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=key):
        METADATA[key].check(key, value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Height Sensor (closed loop)", "height_sensor_closed_loop"),
        ("Input1", "input1"),
        ("ΔU", "u"),
        ("  ", "channel"),
        ("x" * 99, "x" * 60),
    ],
)
def test_slug(text: str, name: str) -> None:
    assert slug(text) == name


def test_vendor_names_do_not_pass_for_ours() -> None:
    assert own_slug("Potential", "bruker") == "bruker_potential"  # a map of KPFM, not our electrode
    assert own_slug("X", "bruker") == "bruker_x"  # a column of the curve table
    assert own_slug("Sample", "bruker") == "bruker_sample"  # a dimension of the common file
    assert own_slug("Dissipation", "bruker") == "dissipation"


def test_nearest() -> None:
    assert nearest("spring_constnt", METADATA) == " Did you mean spring_constant?"
    assert nearest("qqq", METADATA) == ""


@pytest.mark.parametrize("name", ["a b", "a/b", "", ".", "µ", "x" * 64, 7, *sorted(RESERVED)])
def test_names_that_a_file_cannot_hold(name: object) -> None:
    with pytest.raises(InvalidInput):
        check_name(name, "channel")


def test_missing_calibration_says_what_and_how() -> None:
    text = str(missing_calibration(["spring_constant", "lateral_stiffness"]))
    assert "spring_constant (spring constant of the cantilever; in N/m)" in text
    assert "lateral_stiffness" in text
    assert "--set KEY=VALUE" in text
    assert MissingCalibration("spring_constant").keys == ("spring_constant",)
