"""The configuration of a recording: what is read, and what is refused in which words."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from nrm_daq.analog_input import AnalogInput, scaling
from nrm_daq.config import DaqConfig, LockInTable, Split, Trigger
from nrm_daq.digital_config import DigitalLockInTable, LockInTone
from nrm_daq.dither_table import DitherTable
from nrm_daq.visa_lockin import VisaSettings
from nrm_plugin.errors import InvalidInput, RecipeError

ONE = {"deflection": {"terminal": "Dev1/ai0"}}


def made(**values: Any) -> DaqConfig:
    return DaqConfig.from_values({"channels": ONE} | values)


def test_defaults() -> None:
    config = made()
    assert (config.backend, config.rate, config.ring, config.skew) == (
        "local",
        50e3,
        10.0,
        "correct",
    )
    channel = config.channels["deflection"]
    assert (channel.range, channel.wiring, channel.polarity) == (10.0, "default", "normal")
    assert scaling("deflection", channel) == (1.0, 0.0, "V")


def test_toml_with_units(tmp_path: Path) -> None:
    path = tmp_path / "daq.toml"
    path.write_text("""
backend = "remote 192.168.0.7:31763"
rate = "20 kHz"
ring = "15 s"
block = "100 ms"

[channels.height]
terminal = "Dev1/ai3"
range = "5 V"
scale = "1.5 um/V"
offset = "-200 nm"
polarity = "inverted"
wiring = "rse"

[lock_in]
sensitivity = "500 uV"
offset_x = "20 %"
expand_x = 10
poles = 4

[metadata]
dither_amplitude = "1.2 nm"
electrode = "HOPG"
""")
    config = DaqConfig.from_toml(path)
    assert config.address == "192.168.0.7:31763"
    assert (config.rate, config.ring, config.block) == (20e3, 15.0, 0.1)
    gain, offset, unit = scaling("height", config.channels["height"])
    assert (gain, offset, unit) == (pytest.approx(-1.5e-6), pytest.approx(-200e-9), "m")
    settings = config.lock_in.given()
    assert (settings.sensitivity, settings.offset_x, settings.expand_x, settings.poles) == (
        500e-6,
        0.2,
        10.0,
        4,
    )
    assert config.known_metadata() == {"dither_amplitude": 1.2e-9, "electrode": "HOPG"}


@pytest.mark.parametrize(
    ("name", "scale", "gain", "unit"),
    [
        ("deflection", 1.0, 1.0, "V"),
        ("deflection", "30 nm/V", 30e-9, "m"),
        ("deflection", "10 V/V", 10.0, "V"),
        ("potential", 2, 2.0, "V"),
        ("potential", "10", 10.0, "V"),
        ("current", "1 mA/V", 1e-3, "A"),
        ("current", "1 uA/mV", 1e-3, "A"),
        ("height", "100 nm/V", 100e-9, "m"),
        ("aux_temperature", "100 K/V", 100.0, "K"),
        ("marker", 1.0, 1.0, "V"),
    ],
)
def test_scales(name: str, scale: float | str, gain: float, unit: str) -> None:
    found = scaling(name, AnalogInput(terminal="Dev1/ai0", scale=scale))
    assert found == (pytest.approx(gain), 0.0, unit)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rat": 1e3}, "there is no key 'rat'. Did you mean rate?"),
        ({"chanels": {}}, "there is no key 'chanels'. Did you mean channels?"),
        ({"channels": {"deflection": {"termnal": "a"}}}, "Did you mean terminal?"),
        ({"channels": {"deflction": {"terminal": "a"}}}, "Did you mean deflection?"),
        ({"channels": {"temperature": {"terminal": "a"}}}, "Others begin with aux_"),
        ({"trigger": {"terminal": "a", "egde": "rising"}}, "Did you mean edge?"),
        ({"lock_in": {"sensitivty": 1}}, "Did you mean sensitivity?"),
        ({"split": {"thershold": 1}}, "Did you mean threshold?"),
        ({"split": {"threshold": "0.2 V"}}, "split.threshold: a plain number in the unit of the"),
        ({"split": {"threshold": "-0.2"}}, "split.threshold: Input should be greater than 0"),
        ({"metadata": {"spring_konstant": 1}}, "Did you mean spring_constant?"),
        ({"channels": {}}, "channels"),
        ({"channels": 5}, "channels"),
        ({"rate": "fast"}, "rate"),
        ({"rate": "1 m"}, "rate: m cannot be turned into Hz"),
        ({"rate": 0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": 1e12}, "rate"),
        ({"ring": "2 s"}, "ring: Input should be greater than or equal to 10"),
        ({"block": 0}, "block"),
        ({"backend": "remote"}, '"remote HOST:PORT"'),
        ({"backend": "remote host:abc"}, '"remote HOST:PORT"'),
        ({"backend": "simulate"}, '"simulated"'),
        ({"skew": "ignore"}, "skew"),
        ({"split": {"by": "marker"}}, "needs a channel of that name"),
        ({"channels": {"height": {"terminal": "a"}}}, "channels.height needs a scale in m/V"),
        ({"channels": {"height": {"terminal": "a", "scale": "3 V/V"}}}, "not in m/V"),
        ({"channels": {"height": {"terminal": "a", "scale": "0 m/V"}}}, "cannot be used"),
        ({"channels": {"height": {"terminal": "a", "scale": "nan m/V"}}}, "cannot be used"),
        ({"channels": {"deflection": {"terminal": ""}}}, "terminal"),
        ({"channels": {"deflection": {"terminal": "a", "range": -1}}}, "range"),
        ({"channels": {"deflection": {"terminal": "a", "wiring": "fancy"}}}, "wiring"),
        ({"channels": {"time": {"terminal": "a"}}}, "there is no channel 'channels.time'"),
        (
            {
                "channels": {
                    "deflection": {"terminal": "/Dev1/ai0"},
                    "lateral": {"terminal": "dev1/ai0"},
                }
            },
            "two channels are wired to dev1/ai0",
        ),
        ({"lock_in": {"poles": 7}}, "1 to 4 poles"),
        ({"lock_in": {"sensitivity": 1e6}}, "not believable"),
        ({"metadata": {"dither_amplitude": "1 m"}}, "not believable"),
    ],
)
def test_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        made(**values)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["rate = ", "rate = 1\nrate = 2", "[channels", "\x00"])
def test_files_that_are_no_toml(tmp_path: Path, text: str) -> None:
    (tmp_path / "daq.toml").write_text(text)
    with pytest.raises(RecipeError, match=r"daq\.toml"):
        DaqConfig.from_toml(tmp_path / "daq.toml")
    with pytest.raises(RecipeError, match="No such file"):
        DaqConfig.from_toml(tmp_path / "none.toml")
    with pytest.raises(RecipeError):
        DaqConfig.from_toml(tmp_path)


def test_simulated() -> None:
    config = DaqConfig.simulated()
    assert config.backend == "simulated"
    assert list(config.channels) == [
        "deflection",
        "lockin_output_x",
        "lockin_output_y",
        "height",
        "potential",
    ]


def test_a_configuration_tried_on_the_simulated_electrode() -> None:
    """Its rate and channels, the electrode's wiring and scales."""
    real = DaqConfig.from_values(
        {
            "rate": "20 kHz",
            "channels": {
                "height": {"terminal": "Dev3/ai7", "scale": "2 um/V"},
                "lockin_output_x": {"terminal": "Dev3/ai1"},
                "current": {"terminal": "Dev3/ai2", "scale": "1 mA/V"},
            },
            "lock_in": {"address": "GPIB0::8::INSTR"},
            "trigger": {"terminal": "/Dev3/PFI4"},
        }
    )
    config = real.as_simulated()
    assert (config.rate, config.lock_in.address) == (20e3, "")
    assert list(config.channels) == ["lockin_output_x", "height"]
    assert config.channels["height"].terminal == "Sim1/ai3"
    assert config.trigger is not None
    with pytest.raises(RecipeError):
        DaqConfig.from_values({"channels": {"lateral": {"terminal": "Dev1/ai0"}}}).as_simulated()


def test_invalid_names_of_channels() -> None:
    with pytest.raises(InvalidInput):
        scaling("aux_ä", AnalogInput(terminal="Dev1/ai0"))


# What the page says


def page() -> str:
    folder = Path(__file__).resolve().parent.parent / "docs"
    return (folder / "acquisition.md").read_text(encoding="utf-8")


def test_the_example_on_the_page_is_a_configuration() -> None:
    examples = re.findall(r"^```toml\n(.*?)^```", page(), re.M | re.S)
    values = tomllib.loads(examples[0])
    config = DaqConfig.from_values(values)
    assert config.lock_in.address
    assert len(config.channels) == 5
    dither = next(example for example in examples if "[dither]" in example)
    del values["metadata"]  # the amplitude is what the dither says
    config = DaqConfig.from_values(values | tomllib.loads(dither))
    assert config.dither is not None
    assert config.dither.drives({})[0].volts == pytest.approx(1.0 / 2.0 / 1.02)
    software = next(example for example in examples if "digital" in example)
    digital = DaqConfig.from_values(tomllib.loads(software)).digital()
    assert digital is not None
    assert (digital.reference, digital.harmonics) == ("reference", (2, 3))


@pytest.mark.parametrize(
    "part",
    [
        DaqConfig,
        AnalogInput,
        Split,
        LockInTable,
        DigitalLockInTable,
        LockInTone,
        VisaSettings,
        Trigger,
        DitherTable,
    ],
)
def test_every_key_is_on_the_page(part: type[BaseModel]) -> None:
    for name in part.model_fields:
        assert f"`{name}`" in page(), name
