"""The experiment file: read, checked, applied, written as a template, updated."""

from __future__ import annotations

import contextlib
import json
import math
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nrm_plugin as nrm
from nrm_plugin import simulate as sim
from nrm_plugin.calibration import Estimate
from nrm_plugin.cli import main
from nrm_plugin.errors import InvalidInput, MissingFile, OutputError, RecipeError
from nrm_plugin.experiment import Experiment, check, missing, read, template, update
from nrm_plugin.experiment.schema import BY_KEY, ENTRIES, FIRST, LEFT_OUT, SECTIONS
from nrm_plugin.experiment.validation import LIMIT
from nrm_plugin.statements import statements
from nrm_plugin.text import as_toml, exact, quoted
from nrm_plugin.units import parse
from nrm_plugin.vocabulary import CALIBRATED, CHANNELS, METADATA, calibrated_by, where_from

WHOLE = """\
# An experiment of 12 March.
[measurement]
temperature = "25 °C"
approach_speed = "300 nm/s"

[channels]
"Input1" = "lockin_output_x"
'Input2' = "lockin_output_y"

[lock_in]
convention = "rms"
sensitivity = "2 mV"
expand_x = 10
expand_y = "1"
offset_x = "-20 %"
offset_y = 0
time_constant = "300 us"
poles = 4
phase = "30 deg"
phase_stderr = "1 deg"

[dither]
amplitude = "1 nm"
frequency = "1.1 kHz"

[cantilever]
spring_constant = "0.2 N/m"
spring_constant_stderr = 0.01
length = "225 µm"
orientation = 110

[calibration]
deflection_sensitivity = 2.8e-8
fluid_viscosity = "0.89 mPa*s"

[tip]
radius = "10 nm"

[layer]
poisson_ratio = 0.5

[electrolyte]
composition = "1 M LiPF6 in EC/DMC"

[electrode]
material = "HOPG"

[potential]
reference = "Li/Li+"

[notes]
comment = '''
spring_constant = 7
as measured on Tuesday'''
"""

#: What WHOLE means, in SI.
MEANS = {
    "temperature": 298.15,
    "approach_speed": 3e-7,
    "lockin_convention": "rms",
    "lockin_sensitivity": 2e-3,
    "lockin_expand_x": 10.0,
    "lockin_expand_y": 1.0,
    "lockin_offset_x": -0.2,
    "lockin_offset_y": 0.0,
    "lockin_time_constant": 3e-4,
    "lockin_poles": 4.0,
    "lockin_phase": math.pi / 6,
    "lockin_phase_stderr": math.pi / 180,
    "dither_amplitude": 1e-9,
    "dither_frequency": 1100.0,
    "spring_constant": 0.2,
    "spring_constant_stderr": 0.01,
    "cantilever_length": 2.25e-4,
    "cantilever_orientation": "110",
    "deflection_sensitivity": 2.8e-8,
    "fluid_viscosity": 8.9e-4,
    "tip_radius": 1e-8,
    "poisson_ratio": 0.5,
    "electrolyte": "1 M LiPF6 in EC/DMC",
    "electrode": "HOPG",
    "reference_electrode": "Li/Li+",
    "comment": "spring_constant = 7\nas measured on Tuesday",
}


def wired(**metadata):
    """Curves in volts with two inputs of which the file says nothing."""
    samples = np.zeros((2, 8))
    channels = dict.fromkeys(("deflection", "Input1", "Input2"), (samples, "V"))
    height = np.abs(np.arange(8.0) - 4) + samples
    return nrm.CurveSet.from_arrays({"height": (height, "nm"), **channels}, metadata=metadata)


def assert_means(found, expected):
    """Texts are equal, numbers agree to 12 digits."""
    assert set(found) == set(expected)
    for key, value in expected.items():
        wanted = value if isinstance(value, str) else pytest.approx(value, rel=1e-12)
        assert found[key] == wanted, key


def needs(curves):
    return [key for key, _ in missing(curves)]


# ------------------------------------------------------------------ the layout


def test_every_metadata_key_has_a_place_or_is_left_out_on_purpose():
    placed = [entry.key for entry in ENTRIES]
    assert len(placed) == len(set(placed))
    assert not set(placed) & set(LEFT_OUT)
    assert set(placed) | set(LEFT_OUT) == set(METADATA)
    assert all(reason for reason in LEFT_OUT.values())


def test_places_are_told_apart_and_in_known_sections():
    places = [(entry.section, entry.name) for entry in ENTRIES]
    assert len(places) == len(set(places))
    assert {section for section, _ in places} | {"channels"} == set(SECTIONS)


def test_the_template_units_fit_the_keys():
    for entry in ENTRIES:
        key = METADATA[entry.key]
        if entry.unit:
            assert parse(f"1 {entry.unit}", key.unit) > 0
        assert bool(entry.unit) == bool(key.unit) or entry.unit == "%"


def test_the_page_lists_every_key():
    page = Path(__file__).resolve().parent.parent / "docs" / "experiment-file.md"
    text = page.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `\[(\w+)\]` \| `(\w+)` \| `(\w+)` \| (.*?) ?\| (.*?) \|$", text, re.M)
    assert [(section, name, key) for section, name, key, _, _ in rows] == [
        (e.section, e.name, e.key) for e in ENTRIES if not calibrated_by(e.key)
    ]
    for _, _, key, unit, meaning in rows:
        assert meaning == METADATA[key].meaning
        wanted = METADATA[key].unit.replace("rad", "deg")  # as people write it
        assert unit == wanted or not wanted
    assert dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|$", text, re.M)) == LEFT_OUT
    for entry in ENTRIES:
        if entry.key.endswith("_stderr"):
            assert f"`{entry.name}`" in text
    assert all(f"`{key}`" in text for key in FIRST)


# ------------------------------------------------------------------ reading


def test_all_values_in_si():
    experiment = check(WHOLE, "E.toml")
    assert_means(experiment.metadata, MEANS)
    assert experiment.channels == {"Input1": "lockin_output_x", "Input2": "lockin_output_y"}
    assert (experiment.name, experiment.source) == ("E.toml", "experiment file E.toml")
    assert experiment.text == WHOLE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_of_editors(tmp_path, encoding, newline):
    path = tmp_path / "E.toml"
    path.write_bytes(WHOLE.replace("\n", newline).encode(encoding))
    assert_means(read(path).metadata, MEANS)


@pytest.mark.parametrize(
    ("text", "kelvin"),
    [("25 °C", 298.15), ("25 degC", 298.15), ("-10.5 °C", 262.65), ("300 K", 300.0), (295, 295.0)],
)
def test_temperatures(text, kelvin):
    value = text if isinstance(text, int) else f'"{text}"'
    read_back = check(f"[measurement]\ntemperature = {value}\n").metadata["temperature"]
    assert read_back == pytest.approx(kelvin, abs=1e-9)


def test_degrees_that_are_not_understood():
    with pytest.raises(RecipeError, match="degF cannot be turned into K"):
        check('[measurement]\ntemperature = "77 degF"\n')


def test_an_empty_file_says_nothing(tmp_path):
    path = tmp_path / "E.toml"
    path.write_bytes(b"")
    assert read(path).metadata == {}
    assert read(str(path)).channels == {}


#: Text, line of the mistake, words that the error holds.
MISTAKES = [
    ("[lock_inn]\n", 1, ["no section [lock_inn]", "Did you mean lock_in?"]),
    ("[Lock-In]\n", 1, ["Did you mean lock_in?"]),
    ("\n[xyz]\n", 2, ["no section [xyz]", "measurement, channels, lock_in"]),
    ("[tip]\n\nradios = 1\n", 3, ["no key 'radios' in [tip]", "Did you mean radius?"]),
    ("[tip]\nspring_constant = 1\n", 2, ["Write it as [cantilever] spring_constant"]),
    ("[tip]\nlockin_sensitivity = 1\n", 2, ["Write it as [lock_in] sensitivity"]),
    ("[tip]\nconvention = 'rms'\n", 2, ["It belongs to [lock_in] convention"]),
    ("[tip]\nqqq = 1\n", 2, ["There are: radius, half_angle, height"]),
    ("radius = 1\n", 1, ["in no section", "belongs to [tip] radius"]),
    ("spring_constant = '0.2 V'\n", 1, ["spring_constant: V cannot be turned into N/m"]),
    ("tip_radius = 1e-8\n[tip]\nradius = 1e-8\n", 3,
     ["[tip] radius and tip_radius are the same value", "the first is in line 1"]),
    ("[tip]\nradius = '1 nm\n", 2, ["quote", "one is missing"]),
    ('[tip]\nradius = "1 nm\n', 2, ["quote", "one is missing"]),
    ("[cantilever]\nspring_constant_stderr = 'about 1'\n", 2, ["is not a number"]),
    ("[measurement]\nsimulated = false\n", 2, ["no key 'simulated'"]),
    ("[cantilever]\nspring_constant = '0.2 V'\n", 2, ["spring_constant: V cannot", "N/m"]),
    ("[cantilever]\nspring_constant = '0.2 quux'\n", 2, ["quux cannot be turned into N/m"]),
    ("[cantilever]\nspring_constant = '200 kN/m'\n", 2, ["= 200000 N/m is not believable"]),
    ("[cantilever]\nspring_constant = -1\n", 2, ["is not believable", "without a unit is in N/m"]),
    ("[cantilever]\nspring_constant = '0,2 N/m'\n", 2, ["not a number", "decimal sign is a point"]),
    ("[cantilever]\nspring_constant = nan\n", 2, ["is not believable"]),
    ("[cantilever]\nspring_constant = true\n", 2, ["spring_constant is a number in N/m"]),
    ("[cantilever]\nspring_constant = [1]\n", 2, ["spring_constant is a number in N/m"]),
    ("[cantilever]\nspring_constant = 2020-01-01\n", 2, ["spring_constant is a number in N/m"]),
    ("[calibration]\ndeflection_sensitivity = 28\n", 2, ["without a unit is in m/V"]),
    ("[dither]\namplitude = '... nm'\n", 2, ["amplitude is not filled in"]),
    ("[electrolyte]\ncomposition = '...'\n", 2, ["composition is not filled in"]),
    ("[lock_in]\nconvention = 'RMS.'\n", 2, ["convention is rms or peak, not 'rms.'"]),
    ("[lock_in]\nconvention = 1.5\n", 2, ["convention is rms or peak"]),
    ("[lock_in]\npoles = 24\n", 2, ["poles = 24 is not believable"]),
    ("[lock_in]\nexpand_x = 3\n", 2, ["expand_x is 1, 10 or 100, not 3"]),
    ("[lock_in]\nexpand_y = '0.1'\n", 2, ["expand_y is 1, 10 or 100, not 0.1"]),
    ("lockin_expand_x = 3\n", 1, ["expand_x is 1, 10 or 100, not 3"]),
    ("lockin_phase = 25\n", 1, ["25 rad (1432.4°)", "if degrees are meant, write 25 deg"]),
    ("[tip]\nhalf_angle = 20\n", 2, ["half_angle = 20 rad", "write 20 deg"]),
    ("[lock_in]\nphase = '7 V'\n", 2, ["phase: V cannot be turned into rad"]),
    ("[electrode]\nmaterial = 5\n", 2, ["material is text, in quotes"]),
    ("[electrode]\nmaterial = 'a\\u0000'\n".replace("'", '"'), 2, ["control characters"]),
    ("[channels]\nInput1 = 'lockin_output_z'\n", 2, ["Did you mean lockin_output_"]),
    ("[channels]\nInput1 = 'quux'\n", 2, ["no channel 'quux'", "There are: time, height"]),
    ("[channels]\nInput1 = 5\n", 2, ['"Input1" = "lockin_output_x"']),
    ("[channels]\nInput1 = '...'\n", 2, ["'Input1' is not filled in"]),
    ("[channels]\nInput.1 = 'height'\n", 2, ["a name with a point stands in quotes"]),
    ("[channels]\na = 'height'\nb = 'height'\n", 3, ["'b' and 'a' cannot both be height"]),
    ("[[tip]]\nradius = 1\n", 1, ["write [tip]"]),
    ("tip = 3\n", 1, ["write [tip]"]),
    ("[tip]\nradius = '1 nm'\n\nradius = '2 nm'\n", 4, ["[tip] radius is there twice", "line 2"]),
    ("[tip]\n[cantilever]\n[tip]\n", 3, ["[tip] is there twice", "the first is in line 1"]),
    ("[tip]\nradius = 10 nm\n", 2, ["line 2, column 13", "not TOML", 'in quotes: "0.2 N/m"']),
    ("[tip]\nradius = “10 nm”\n", 2, ["straight quotes"]),
    ("[tip]\nradius = 0,5\n", 2, ["The decimal sign is a point"]),
    ('[notes]\ncomment = "C:\\data"\n', 2, ["A backslash is written twice"]),
    ("[channels]\nInput 1 = 'height'\n", 2, ["line 2, column 7", "blanks stands in quotes"]),
    ("[tip\nradius = 1\n", 1, ["line 1, column 5", "not TOML"]),
    ("[tip]\nradius = '''1\n", 3, ["not TOML"]),
    ("[notes]\ncomment = '''\n[tip]\nx = 1\n'''\n[tip]\ny = 1\n", 7, ["no key 'y'"]),
    ("[notes]\n" + "a." * 5000 + "b = 1\n", 2, ["a name of many parts"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "words"), MISTAKES, ids=[m[0][:40] for m in MISTAKES])
def test_a_mistake_is_named_with_its_line(tmp_path, text, line, words):
    path = tmp_path / "my.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        read(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    at_end = "'''1\n" in text
    assert message.startswith("my.toml" if at_end else f"my.toml, line {line}")
    for word in words:
        assert word in message


def test_all_mistakes_at_once_in_order():
    text = "[tip]\nradius = '1 V'\nx = 1\n[lock_in]\npoles = 99\n[oops]\n"
    with pytest.raises(RecipeError) as caught:
        check(text, "E.toml")
    starts = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert starts == ["E.toml, line 2", "E.toml, line 3", "E.toml, line 5", "E.toml, line 6"]


def test_very_many_mistakes_are_cut():
    text = "[tip]\n" + "".join(f"k{n} = 1\n" for n in range(5000))
    with pytest.raises(RecipeError) as caught:
        check(text)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "experiment file: 4980 more mistakes"


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "E.toml"
    path.write_bytes(b"[tip]\n# Gr\xf6\xdfe\n")  # Latin-1
    with pytest.raises(RecipeError, match=r"E.toml, line 2: .* not UTF-8"):
        read(path)


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 100_000, "[" * 100_000, "a = " + "9" * 100_000, "a." * 100_000 + "a = 1",
     "[channels]\n" + '"' + "x" * 100_000 + '" = "height"', "a = " + "{b=" * 50_000,
     "[tip]\nradius = '" + "1 " + " " * 100_000 + "x'", "x = '''" * 20_000,
     "".join(f"[[a{n}]]\n" for n in range(20_000))],
    ids=range(9),
)  # fmt: skip
@pytest.mark.slow
def test_hostile_texts_are_refused_soon(text):
    with pytest.raises(RecipeError) as caught:
        check(text)
    assert len(str(caught.value)) < 20_000


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "E.toml"
    path.write_bytes(b"#" * (LIMIT + 1))
    with pytest.raises(RecipeError, match="more than 256 kB"):
        read(path)
    path.write_bytes(b"#" * LIMIT)
    assert read(path).metadata == {}


def test_no_file(tmp_path):
    with pytest.raises(MissingFile, match="there is no such file"):
        read(tmp_path / "absent.toml")
    with pytest.raises(MissingFile, match="this is a folder"):
        read(tmp_path)
    with pytest.raises(MissingFile):
        read("a\0b")


PARTS = st.sampled_from(
    [*(f"[{s}]" for s in SECTIONS), *(e.name for e in ENTRIES), *CHANNELS, " = ", "=", "\n", "\n",
     '"', "'", '"""', "'''", "0.2 N/m", "1e999", "nan", "true", "{", "}", "[", "]", "[[", ".", ",",
     "#", "\\", "\r", "\ufeff", "\0", "1979-05-27", "...", '"1 nm"', '"rms"', "µ", "0x1"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(PARTS | st.text(max_size=5), max_size=25).map("".join) | st.text())
@example("[tip]\nradius = '1 '")
@example("a = '\\")
@example("[channels]\n'' = 'height'")
@example('[channels]\n"\\u0000" = "height"')
def test_any_text_is_an_experiment_or_a_recipe_error(text):
    try:
        experiment = check(text)
    except RecipeError:
        return
    assert isinstance(experiment, Experiment)
    assert set(experiment.metadata) <= set(METADATA)
    assert set(experiment.channels.values()) <= set(CHANNELS)
    named = {statement[:2] for statement in experiment.lines}
    assert {(s, k) for s, k in named_in(experiment.text)} <= named


def named_in(text):
    """Section and key of all values that stand under a header."""
    tree = tomllib.loads(text.removeprefix("\ufeff"))
    return [
        (section, key)
        for section, content in tree.items()
        for key in content
        if f"{section} = {{" not in text
    ]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_experiment_or_a_recipe_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bytes.toml"
    path.write_bytes(data)
    with contextlib.suppress(RecipeError):
        assert isinstance(read(path), Experiment)


def test_lines_of_statements_of_every_form():
    text = (
        '# x = 1\na = 1\n[tip] # ]\n"radius" = \'20\' # = y\nb . "c.d" = """\nx = 3\\"\n"""\n'
        "arr = [\n 1, # ]\n 2]\n[\"x]\"]\nz = {a = 1,\tb = '}'}\n"
    )
    tomllib.loads(text)
    assert [(s.path, s.first, s.last, s.header) for s in statements(text)] == [
        (("a",), 2, 2, False),
        (("tip",), 3, 3, True),
        (("tip", "radius"), 4, 4, False),
        (("tip", "b", "c.d"), 5, 7, False),
        (("tip", "arr"), 8, 10, False),
        (("x]",), 11, 11, True),
        (("x]", "z"), 12, 12, False),
    ]


# ------------------------------------------------------------------ applying


def test_apply_renames_and_sets():
    curves = check(WHOLE, "E.toml").apply(wired(title="a title"))
    assert {"lockin_output_x", "lockin_output_y"} < set(curves.channels)
    assert curves.channels["lockin_output_x"].original == "Input1"
    assert_means({key: curves.metadata[key] for key in MEANS}, MEANS)
    assert {curves.metadata_source[key] for key in MEANS} == {"experiment file E.toml"}
    assert (curves.metadata["title"], curves.metadata_source["title"]) == ("a title", "given")
    assert check(WHOLE, "E.toml").apply(curves).metadata == curves.metadata


def test_precedence_from_python():
    experiment = check("[cantilever]\nspring_constant = '0.2 N/m'\n[tip]\nradius = 1e-8\n", "E")
    vendor = wired(spring_constant=0.3)
    assert experiment.apply(vendor).metadata["spring_constant"] == 0.2
    told = vendor.with_metadata({"spring_constant": 0.4, "tip_radius": 1e-8}, "--set")
    applied = experiment.apply(told)
    assert applied.metadata["spring_constant"] == 0.4
    assert applied.metadata_source["spring_constant"] == "--set"
    assert applied.warnings == (
        "spring_constant = 0.2 N/m in experiment file E is not used: 0.4 N/m was given with --set",
    )
    newer = check("[cantilever]\nspring_constant = 0.5\n", "F").apply(experiment.apply(vendor))
    assert newer.metadata["spring_constant"] == 0.5
    assert newer.metadata_source["spring_constant"] == "experiment file F"


@pytest.mark.parametrize(
    ("line", "words"),
    [("Input9 = 'lockin_output_x'", ["no channel 'Input9'", "Input1"]),
     ("height = 'lockin_output_x'", ["height is in m", "must be in V"])],
)  # fmt: skip
def test_a_channel_that_does_not_fit_is_an_error_with_its_line(line, words):
    experiment = check(f"[channels]\n'Input2' = 'lockin_output_y'\n{line}\n", "E.toml")
    with pytest.raises(RecipeError, match=r"^E\.toml, line 3: \[channels\]") as caught:
        experiment.apply(wired())
    assert all(word in str(caught.value) for word in words)


def test_channels_do_not_matter_where_there_are_no_curves():
    images = nrm.CurveSet.from_arrays({})
    experiment = check(WHOLE, "E.toml")
    assert experiment.apply(images).metadata["spring_constant"] == 0.2


def test_two_channels_can_change_names():
    experiment = check("[channels]\nInput1 = 'deflection'\ndeflection = 'lateral'\n")
    curves = experiment.apply(wired())
    assert curves.channels["deflection"].original == "Input1"
    assert curves.channels["lateral"].original == "deflection"


# ------------------------------------------------------------------ what is missing


def test_what_lockin_outputs_in_volts_miss():
    curves = check("[channels]\nInput1='lockin_output_x'\nInput2='lockin_output_y'").apply(wired())
    assert needs(curves) == [
        "lockin_convention", "lockin_sensitivity", "lockin_expand_x", "lockin_expand_y",
        "lockin_offset_x", "lockin_offset_y", "dither_amplitude", "lateral_stiffness",
        "deflection_sensitivity", "lateral_sensitivity",
    ]  # fmt: skip
    assert all(why for _, why in missing(curves))


def test_curves_in_final_units_need_two_values():
    samples = np.zeros((1, 4))
    curves = nrm.CurveSet.from_arrays(
        {"height": (samples, "m"), "deflection": (samples, "m"),
         "lateral_in_phase": (samples, "N"), "lateral_quadrature": (samples, "N")}
    )  # fmt: skip
    assert needs(curves) == ["lockin_convention", "dither_amplitude"]
    whole = curves.with_metadata({"lockin_convention": "rms", "dither_amplitude": 1e-9}, "x")
    assert missing(whole) == []
    assert "# Nothing is missing for moduli." in template(whole)


def test_an_input_that_nobody_knows_is_asked_about():
    (first, second, *_) = missing(wired())
    assert (first.key, second.key) == ("lateral_in_phase", "lateral_quadrature")
    assert "Input1, Input2" in first.why
    assert first.is_channel
    assert not missing(wired())[-1].is_channel


def test_half_of_a_pair_is_not_enough():
    curves = wired().with_names({"Input1": "lockin_output_x"})
    assert needs(curves)[0] == "lockin_output_y"


def test_amplitude_and_phase_are_a_pair():
    samples = np.zeros((1, 4))
    curves = nrm.CurveSet.from_arrays(
        {"height": (samples, "m"), "force_normal": (samples, "N"),
         "lateral_amplitude": (samples, "V"), "lateral_phase": (samples, "rad")}
    )  # fmt: skip
    assert needs(curves) == ["lockin_convention", "dither_amplitude", "spring_constant",
                             "lateral_stiffness", "lateral_sensitivity"]  # fmt: skip


def test_a_simulated_experiment_misses_nothing():
    layers = (sim.Layer(8e-9, 10e6 + 3e6j),)
    sample = sim.Sample(sim.Interphase(layers, force=3e-9))
    instrument = sim.Instrument(lateral_stiffness=50.0)
    curves, _ = sim.simulate(sample, instrument, sim.Ramp(), n_curves=1, seed=1, volts=True)
    assert missing(curves) == []
    assert "# The data are simulated." in template(curves)


# ------------------------------------------------------------------ the template


def test_template_reads_back_what_curves_have():
    whole = check(WHOLE, "E.toml").apply(wired())
    text = template(whole)
    back = read_text(text)
    shown_only = {e.key for e in ENTRIES if e.varies}
    assert_means(
        back.metadata,
        {k: v for k, v in whole.metadata.items() if k in BY_KEY and k not in shown_only},
    )
    assert back.channels == {}
    assert 'spring_constant = "0.2 N/m"  # experiment file E.toml' in text.splitlines()
    assert '# approach_speed = "300 nm/s"  # experiment file E.toml' in text.splitlines()


def read_text(text):
    return check(text, "template")


def test_template_names_each_gap_and_where_it_goes():
    lines = template(wired(deflection_sensitivity=28.1e-9)).splitlines()
    for line in ["# Missing for moduli, each marked NEEDED below:",
                 "#   lateral_in_phase: [channels]",
                 "#   lockin_convention",
                 "#   dither_amplitude",
                 '# "Input1" = "..."  # in V',
                 '# "Input2" = "..."  # in V',
                 'deflection_sensitivity = "28.1 nm/V"  # given']:  # fmt: skip
        assert line in lines
    at = lines.index('# dither_amplitude = "... nm"')
    assert "peak. NEEDED: " in lines[at - 2]
    assert lines[at - 1].startswith("#   If wrong: 10 nm for 1 nm makes E' and E'' 10 times too")
    (line,) = [line for line in lines if line.startswith('# frequency = "... kHz"')]
    assert "optional; for the viscosity" in line
    at = lines.index('# lockin_sensitivity = "... mV"')
    assert "needed if the lock-in's X and Y outputs were recorded" in lines[at - 2]


def test_template_without_curves_lists_everything():
    text = template(None)
    assert read_text(text).metadata == {}
    lines = text.splitlines()
    for key in ("dither_amplitude", "lockin_convention", "lateral_sensitivity"):
        (at,) = [n for n, x in enumerate(lines) if x.startswith(f"# {key} = ")]
        assert "NEEDED" in lines[at - 2]
        assert METADATA[key].meaning[1:] in lines[at - 2]


def test_the_handful_that_matters_comes_first_with_what_a_mistake_does():
    for text in (template(None), template(wired(spring_constant=0.2))):
        above = text[: text.index("\n[measurement]")]
        placed = re.findall(r"^(?:# )?(\w+) = ", above, re.M)
        assert placed == list(FIRST)
        assert above.count("#   If wrong: ") == len(FIRST) == 8
    assert 'lockin_phase = "... deg"' in above


def test_every_line_to_fill_in_is_refused_as_it_is():
    text = template(None)
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if ' = "...' not in line:
            continue
        taken = [*lines[:number], line.removeprefix("# "), *lines[number + 1 :]]
        with pytest.raises(RecipeError, match=f"line {number + 1}: .* is not filled in"):
            read_text("\n".join(taken))


@settings(max_examples=60, deadline=None)
@given(st.text(), st.text(min_size=1), st.floats(1e-12, 1e-3))
def test_template_of_any_metadata_is_read(electrolyte, title, sensitivity):
    curves = wired(electrolyte=electrolyte, title=title, deflection_sensitivity=sensitivity)
    back = read_text(template(curves.with_warning(title)))
    assert back.metadata["deflection_sensitivity"] == pytest.approx(sensitivity, rel=1e-14)
    assert back.metadata.get("electrolyte", electrolyte) == electrolyte


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.37583, "N/m", "0.37583 N/m"), (14.50635e-9, "m/V", "14.50635 nm/V"), (1e-9, "m", "1 nm"),
     (1100.0, "Hz", "1.1 kHz"), (997.0, "kg/m^3", "997 kg/m^3"), (1000.0, "kg/m^3", "1000 kg/m^3"),
     (-0.2, "", "-0.2"), (4.0, "", "4"), (0.0, "m", "0 m"), (298.15, "K", "298.15 K"),
     (8.9e-4, "Pa*s", "0.00089 Pa*s")],
)  # fmt: skip
def test_numbers_in_units_of_people(value, unit, text):
    assert exact(value, unit) == text


@settings(max_examples=300)
@given(st.floats(1e-290, 1e290) | st.floats(-1e290, -1e-290) | st.just(0.0),
       st.sampled_from(["m", "m/V", "N/m", "V", "Hz", "s", "rad", "K", "", "Pa*s"]))  # fmt: skip
def test_numbers_read_back(value, unit):
    assert parse(exact(value, unit), unit) == pytest.approx(value, rel=1e-14)


@settings(max_examples=200)
@given(st.text())
def test_quoted_texts_read_back(text):
    assert tomllib.loads(f"a = {quoted(text)}")["a"] == text.encode("utf-8", "replace").decode()
    assert as_toml(text, "") == quoted(text)


# ------------------------------------------------------------------ updating


THERMAL = Estimate(
    "spring_constant",
    0.2123456,
    0.0123,
    "thermal tune (Butt and Jaschke 1995)",
    file="cal.ibw",
    date="2026-11-02",
)
BESIDE_THERMAL = {
    "spring_constant_method": "thermal tune (Butt and Jaschke 1995)",
    "spring_constant_file": "cal.ibw",
    "spring_constant_date": "2026-11-02",
}

LAB_BOOK = """\
# My experiment.
[cantilever]  # a soft one
length = "225 um"

# measured on Tuesday
spring_constant = "0.3 N/m"   # from the box
# the end

[tip]
radius = "10 nm"
"""


def test_update_keeps_comments_and_order(tmp_path):
    path = tmp_path / "E.toml"
    path.write_text(LAB_BOOK, encoding="utf-8")
    update(path, [THERMAL])
    lines = path.read_text(encoding="utf-8").splitlines()
    old = LAB_BOOK.splitlines()
    assert lines[:5] == old[:5]
    assert lines[5:10] == [
        'spring_constant = "0.212346 N/m" # before: 0.3 N/m, from the box',
        'spring_constant_stderr = "0.0123 N/m"',
        'spring_constant_method = "thermal tune (Butt and Jaschke 1995)"',
        'spring_constant_file = "cal.ibw"',
        'spring_constant_date = "2026-11-02"',
    ]
    assert lines[10:] == old[6:]
    assert read(path).metadata["spring_constant"] == pytest.approx(0.2123456, abs=1e-6)


def test_update_again_keeps_the_first_comment_and_drops_a_stale_error(tmp_path):
    path = tmp_path / "E.toml"
    path.write_text(LAB_BOOK, encoding="utf-8")
    update(path, [THERMAL])
    update(path, [Estimate("spring_constant", 0.25, float("nan"), "Sader's method")])
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[5:8] == [
        'spring_constant = "0.25 N/m" # before: 0.3 N/m, from the box',
        'spring_constant_stderr = "unknown"',
        'spring_constant_method = "Sader\'s method"',
    ]
    assert lines[8:] == LAB_BOOK.splitlines()[6:]
    assert "spring_constant_stderr" not in read(path).metadata


def test_a_file_that_was_calibrated_before_methods_had_keys_still_works(tmp_path):
    path = tmp_path / "E.toml"
    path.write_text(
        "[cantilever]\n"
        'spring_constant = "0.2 N/m" # calibrated: thermal tune; before: 0.3 N/m, box\n'
        'spring_constant_stderr = "0 N/m"\n',
        encoding="utf-8",
    )
    assert dict(read(path).metadata) == {"spring_constant": 0.2}
    update(path, [THERMAL])
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[1] == 'spring_constant = "0.212346 N/m" # before: 0.3 N/m, box'
    assert lines[2] == 'spring_constant_stderr = "0.0123 N/m"'


def test_update_makes_a_file(tmp_path):
    path = tmp_path / "new.toml"
    update(path, [THERMAL, Estimate("lockin_phase", -0.5, 0.01, "hard contact")])
    assert dict(read(path).metadata) == pytest.approx(
        {"spring_constant": 0.212346, "spring_constant_stderr": 0.0123,
         "lockin_phase": -0.5, "lockin_phase_stderr": 0.01,
         **BESIDE_THERMAL, "lockin_phase_method": "hard contact"}
    )  # fmt: skip
    assert 'phase = "-28.6' in path.read_text(encoding="utf-8")  # degrees, for people
    assert [p.name for p in tmp_path.iterdir()] == ["new.toml"]


def test_update_fills_in_a_template(tmp_path):
    path = tmp_path / "E.toml"
    text = template(wired())
    path.write_text(text, encoding="utf-8")
    update(path, [THERMAL])
    lines = path.read_text(encoding="utf-8").splitlines()
    number = text.splitlines().index('# spring_constant = "... N/m"')
    assert lines[number] == 'spring_constant = "0.212346 N/m"'
    assert lines[number + 1] == 'spring_constant_stderr = "0.0123 N/m"'
    assert lines[number + 5 :] == text.splitlines()[number + 1 :]
    assert read(path).metadata["spring_constant_file"] == "cal.ibw"
    update(path, [Estimate("dither_response", 1.02, 0.01, "sweep"), THERMAL])
    again = path.read_text(encoding="utf-8").splitlines()
    assert again[: number + 5] == lines[: number + 5]
    assert "response = 1.02" in again


@pytest.mark.parametrize(
    "text",
    ["", "# only\n", "[cantilever]", "cantilever = {length = 1e-4}\n", "[tip]\n[notes]\n",
     "cantilever.length = 1e-4\n",
     "[notes]\ncomment = '''\n[cantilever]\n# spring_constant = \"...'''\n",
     "[cantilever]\n'spring_constant' = '''0.1\nN/m'''\n"],
)  # fmt: skip
def test_update_of_files_of_any_form(tmp_path, text):
    path = tmp_path / "E.toml"
    path.write_text(text, encoding="utf-8")
    before = read(path).metadata
    update(path, [THERMAL])
    after = dict(read(path).metadata)
    assert after.pop("spring_constant") == 0.212346
    assert after.pop("spring_constant_stderr") == 0.0123
    assert {k: after.pop(k) for k in BESIDE_THERMAL} == BESIDE_THERMAL
    assert after == {k: v for k, v in before.items() if k != "spring_constant"}


def test_update_keeps_the_editor_s_encoding_and_line_ends(tmp_path):
    path = tmp_path / "E.toml"
    path.write_bytes(LAB_BOOK.replace("\n", "\r\n").encode("utf-8-sig"))
    update(path, [THERMAL])
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf# My experiment.\r\n")
    assert data.count(b"\n") == data.count(b"\r\n") == LAB_BOOK.count("\n") + 4


def test_update_writes_nothing_where_something_is_wrong(tmp_path):
    path = tmp_path / "E.toml"
    path.write_text("[tip]\nradius = 5\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="line 2"):
        update(path, [THERMAL])
    assert path.read_text(encoding="utf-8") == "[tip]\nradius = 5\n"
    with pytest.raises(InvalidInput, match="not believable"):
        update(tmp_path / "new.toml", [Estimate("spring_constant", -1.0, 0.1, "x")])
    with pytest.raises(InvalidInput, match="no place for 'start_time'"):
        update(tmp_path / "new.toml", [Estimate("start_time", 1.0, 0.1, "x")])
    with pytest.raises(OutputError):
        update(tmp_path / "absent" / "new.toml", [THERMAL])
    with pytest.raises(MissingFile, match="folder"):
        update(tmp_path, [THERMAL])
    assert [p.name for p in tmp_path.iterdir()] == ["E.toml"]


# ------------------------------------------------------------------ the command line


def nrm_(*words, code=0):
    ran = CliRunner().invoke(main, [str(word) for word in words])
    assert ran.exit_code == code, ran.output
    return ran


def test_command_prints_or_writes_the_template(samples, tmp_path):
    path = samples.single().path
    printed = nrm_("experiment", path).stdout
    assert '# "Input1" = "..."  # in V' in printed.splitlines()
    out = tmp_path / "E.toml"
    assert nrm_("experiment", path, "-o", out).stdout == ""
    assert out.read_text(encoding="utf-8") == printed
    ran = nrm_("experiment", path, "-o", out, code=1)
    assert "is replaced only with --overwrite" in ran.stderr
    out.write_text("x", encoding="utf-8")
    nrm_("experiment", path, "-o", out, "--overwrite")
    assert out.read_text(encoding="utf-8") == printed


def test_command_for_programs(samples):
    path = samples.single().path
    report = json.loads(nrm_("experiment", path, "--json").stdout)
    assert report["files"] == [Path(path).name]
    assert report["n_curves"] == 1
    (found,) = [f for f in report["found"] if f["key"] == "spring_constant"]
    assert found["place"] == "[cantilever] spring_constant"
    assert found["unit"] == "N/m"
    gaps = {gap["key"]: gap for gap in report["missing"]}
    assert gaps["dither_amplitude"]["place"] == "[dither] amplitude"
    assert gaps["lateral_in_phase"]["place"] == "[channels]"
    assert {"name": "input1", "original": "Input1", "unit": "V", "known": False} in report[
        "channels"
    ]
    assert report["failed"] == []


def test_command_with_several_files(samples, tmp_path):
    one, two = samples.single("a.000").path, samples.single("b.000").path
    printed = nrm_("experiment", one, two).stdout
    assert "# From: a.000, b.000" in printed
    assert "# 2 curves, " in printed
    ran = nrm_("experiment", one, tmp_path / "absent.000", code=1)
    assert "# From: a.000" in ran.stdout
    assert "there is no such file" in ran.stderr
    (tmp_path / "x.txt").write_text("x", encoding="utf-8")
    assert nrm_("experiment", tmp_path / "x.txt", code=3).stdout == ""
    report = json.loads(nrm_("experiment", tmp_path / "x.txt", "--json", code=3).stdout)
    assert [f["path"] for f in report["failed"]] == [str(tmp_path / "x.txt")]


def test_convert_with_an_experiment_file(samples, tmp_path):
    path, toml, out = samples.single().path, tmp_path / "E.toml", tmp_path / "out.h5"
    toml.write_text(
        '[channels]\nInput1 = "lockin_output_x"\nInput2 = "lockin_output_y"\n'
        '[cantilever]\nspring_constant = "0.25 N/m"\n[dither]\namplitude = "1 nm"\n',
        encoding="utf-8",
    )
    vendor = nrm.open(path)
    assert vendor.metadata["spring_constant"] != 0.25
    nrm_("convert", path, "-o", out, "--experiment", toml, "--set", "dither_amplitude=2nm",
         "--map", "Input2=lateral")  # fmt: skip
    made = nrm.open(out)
    assert made.metadata["spring_constant"] == 0.25
    assert made.metadata_source["spring_constant"] == "experiment file E.toml"
    assert made.metadata["dither_amplitude"] == 2e-9
    assert made.metadata_source["dither_amplitude"] == "--set"
    assert made.metadata_source["instrument"] == vendor.metadata_source["instrument"]
    assert made.channels["lockin_output_x"].original == "Input1"
    assert made.channels["lateral"].original == "Input2"


def test_convert_again_when_the_experiment_file_has_changed(samples, tmp_path):
    path, toml, out = samples.single().path, tmp_path / "E.toml", tmp_path / "out"
    toml.write_text("[tip]\nradius = '10 nm'\n", encoding="utf-8")
    words = ("convert", path, "-o", f"{out}/", "--experiment", toml)
    assert "1 written" in nrm_(*words).stderr
    assert "1 up to date" in nrm_(*words).stderr
    toml.write_text("[tip]\nradius = '11 nm'\n", encoding="utf-8")
    nrm_(*words, "--overwrite")
    (made,) = out.iterdir()
    assert nrm.open(made).metadata["tip_radius"] == pytest.approx(11e-9)


def test_convert_says_what_is_wrong_with_an_experiment_file(samples, tmp_path):
    toml = tmp_path / "E.toml"
    toml.write_text("[tip]\nradios = 1\n", encoding="utf-8")
    path, out = samples.single().path, tmp_path / "out.h5"
    ran = nrm_("convert", path, "-o", out, "--experiment", toml, code=1)
    assert "E.toml, line 2: there is no key 'radios'" in ran.stderr
    toml.write_text("[channels]\nInput7 = 'lateral'\n", encoding="utf-8")
    ran = nrm_("convert", path, "-o", out, "--experiment", toml, code=1)
    assert "E.toml, line 2: [channels] there is no channel 'Input7'" in ran.stderr
    assert not out.exists()


def test_the_light_part_imports_no_numpy():
    code = (
        "import sys; import nrm_plugin.experiment as e; e.check('[tip]'); e.template(None); "
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ------------------------------------------------------------------ real files

NOTHING_LATERAL = ["lateral_in_phase", "lateral_quadrature", "lockin_convention",
                   "dither_amplitude"]  # fmt: skip

#: Lines that the template must have, what is missing, and keys that must not be given.
REAL = {
    "cr00028.000": (
        ['spring_constant = "0.37583 N/m"  # header: Spring Constant of the deflection list',
         'deflection_sensitivity = "14.50635 nm/V"  # header: Sens. DeflSens',
         '#   deflection (V): "Deflection Error", Bruker Deflection Error',
         '# instrument = "BioScope Catalyst"  # header: Microscope',
         '# ramp_size = "1 um"  # header: Ramp Size x Sens. Zsens',
         "# 1 curve, 8192 samples"],
        NOTHING_LATERAL,
    ),
    "DPPC-DSPC_100times00154.021": (
        ['spring_constant = "0.363417 N/m"  # header: Spring Constant of the deflection list',
         'deflection_sensitivity = "30.85246 nm/V"  # header: Sens. DeflSens',
         '# ramp_size = "300 nm"  # header: Ramp Size x Sens. Zsens'],
        NOTHING_LATERAL,
    ),
    "20200904_Egel4-Z1.0_00025.spm": (
        ['spring_constant = "0.1332 N/m"  # header: Spring Constant of the deflection list',
         'deflection_sensitivity = "27.39 nm/V"  # header: Sens. DeflSens',
         "#   Sens. DeflSens is 27.39 without a unit: taken as nm/V"],
        NOTHING_LATERAL,
    ),
    "20200903_Egel2.0_00023.spm": (
        ['spring_constant = "0.1332 N/m"  # header: Spring Constant of the deflection list',
         'deflection_sensitivity = "27.39 nm/V"  # header: Sens. DeflSens',
         "# 256 curves, 524288 samples", "# image: Height retrace, in m",
         '# trigger_threshold = "1.2 V"  # header: Trig Threshold Deflection'],
        NOTHING_LATERAL,
    ),
    "20200903_Egel2.0_00023.repaired.spm": (
        ['deflection_sensitivity = "27.39 nm/V"  # header: Sens. DeflSens',
         "# 256 curves, 524288 samples"],
        NOTHING_LATERAL,
    ),
    "si.0_00143.spm": (
        ['spring_constant = "0.999 N/m"  # header: Spring Constant of the deflection list',
         "#   deflection_sensitivity: [calibration] deflection_sensitivity",
         '# ramp_size = "400 nm"  # header: Ramp Size x Sens. Zsens'],
        [*NOTHING_LATERAL, "deflection_sensitivity"],
    ),
    "si.0_00177.spm": (
        ['spring_constant = "0.999 N/m"  # header: Spring Constant of the deflection list',
         '# ramp_size = "400 nm"  # header: Ramp Size x Sens. Zsens', "# 1 curve, 989 samples"],
        [*NOTHING_LATERAL, "deflection_sensitivity"],
    ),
    "si.0_00144.spm": (
        ["# no curves: there is nothing to get moduli from", "# image: Friction trace, in V",
         "# image: Friction retrace, in V", '# instrument = "MultiMode 8"  # header: Microscope'],
        ["height", "deflection", *NOTHING_LATERAL],
    ),
    "jmarini_full_multiple_images.000": (
        ["# no curves: there is nothing to get moduli from", "# image: Amplitude retrace, in V",
         '# instrument = "D3100"  # header: Microscope'],
        ["height", "deflection", *NOTHING_LATERAL],
    ),
    "kpg20080408.007": (
        ["# no curves: there is nothing to get moduli from", "# image: Phase retrace, in rad"],
        ["height", "deflection", *NOTHING_LATERAL],
    ),
}  # fmt: skip

#: Headers without their data, an image of another program, and a table.
REFUSED = {
    "pySPM_bruker_data_header.000": 1,
    "pySPM_bruker_data_header.001": 1,
    "pySPM_bruker_data_header.002": 1,
    "pySPM_bruker_data_header.003": 1,
    "PS161143_Roi.tif": 3,
    "jmarini_reference_raw.csv.gz": 3,
}


@pytest.mark.real
def test_every_real_file_is_expected(real_files):
    names = {path.name for path in (real_files / "bruker").iterdir()}
    assert names == set(REAL) | set(REFUSED)


@pytest.mark.real
@pytest.mark.parametrize("name", list(REAL))
def test_real_files_are_listed_truthfully(real_files, name):
    lines, gaps = REAL[name]
    path = real_files / "bruker" / name
    text = nrm_("experiment", path).stdout
    printed = text.splitlines()
    assert f"# From: {name}" in printed
    for line in lines:
        assert line in printed
    curves = nrm.open(path)
    assert needs(curves) == gaps
    assert text.count("NEEDED: ") == len(gaps)
    # Nothing that the file does not say, and nothing of it lost.
    given = read_text(text)
    shown_only = {e.key for e in ENTRIES if e.varies}
    assert_means(
        given.metadata,
        {k: v for k, v in curves.metadata.items() if k in BY_KEY and k not in shown_only},
    )
    for key in curves.metadata:
        name_here = BY_KEY[key].name if key in BY_KEY else key
        assert any(line.removeprefix("# ").startswith(name_here) for line in printed)
    assert given.channels == {}
    assert_means(given.apply(curves).metadata, curves.metadata)


@pytest.mark.real
@pytest.mark.parametrize("name", list(REFUSED))
def test_real_files_that_are_refused_give_no_template(real_files, name):
    assert nrm_("experiment", real_files / "bruker" / name, code=REFUSED[name]).stdout == ""


# ------------------------------------------------------------------ what goes with a value

CALIBRATED_FILE = """\
spring_constant = "0.25 N/m"
spring_constant_stderr = "0.01 N/m"
spring_constant_method = "thermal tune"
spring_constant_file = "cal.ibw"
spring_constant_date = 2026-11-02
lockin_phase = "25 deg"
lockin_phase_stderr = "unknown"
"""


def test_a_value_told_anew_does_not_keep_the_error_of_the_old_one():
    curves = check(CALIBRATED_FILE, "E.toml").apply(wired())
    assert curves.metadata["spring_constant_date"] == "2026-11-02"
    assert "lockin_phase_stderr" not in curves.metadata
    anew = curves.with_metadata({"spring_constant": 0.4}, "--set")
    assert not {k for k in anew.metadata if k.startswith("spring_constant_")}
    assert not {k for k in anew.metadata_source if k.startswith("spring_constant_")}
    again = check(CALIBRATED_FILE, "E.toml").apply(anew)
    assert again.metadata["spring_constant"] == 0.4
    assert not {k for k in again.metadata if k.startswith("spring_constant_")}
    both = nrm.join([curves, curves.with_metadata({"spring_constant": 0.3}, "x")])
    assert not {k for k in both.metadata if k.startswith("spring_constant")}
    assert both.metadata["lockin_phase"] == pytest.approx(math.radians(25))


def test_where_a_calibrated_value_comes_from():
    known = {f"spring_constant_{what}": what for what in ("method", "file", "date")}
    assert where_from("spring_constant", known, "E") == "method of file, date"
    assert where_from("spring_constant", {}, "experiment file E") == "experiment file E"
    assert set(CALIBRATED) <= set(METADATA)


def test_info_and_results_say_how_a_value_was_found(tmp_path):
    layers = (sim.Layer(20e-9, 5e6 + 1e6j),)
    sample = sim.Sample(sim.Interphase(layers, force=3e-9))
    curves, _ = sim.simulate(
        sample, sim.Instrument(lateral_stiffness=50.0), sim.Ramp(), n_curves=3, seed=1
    )
    vendor, toml, out = tmp_path / "c.h5", tmp_path / "E.toml", tmp_path / "r.h5"
    curves.save(vendor)
    toml.write_text(CALIBRATED_FILE.replace('"25 deg"', '"0 deg"'), encoding="utf-8")
    nrm_("process", vendor, "-o", out, "--experiment", toml)
    told = tmp_path / "told.h5"
    nrm_("convert", vendor, "-o", told, "--experiment", toml)
    for path in (out, told):
        lines = [" ".join(line.split()) for line in nrm_("info", path).stdout.splitlines()]
        assert "spring_constant 0.25 N/m ± 0.01 N/m thermal tune of cal.ibw, 2026-11-02" in lines
        assert "lockin_phase 0 ° ± unknown experiment file E.toml" in lines
        assert not any(line.startswith("spring_constant_") for line in lines)
        (report,) = json.loads(nrm_("info", "--json", path).stdout)
        found = {one["key"]: one for one in report["calibrations"]}
        assert found["lockin_phase"]["stderr"] is None
        assert found["spring_constant"]["stderr"] == 0.01
        assert (found["spring_constant"]["file"], found["spring_constant"]["date"]) == (
            "cal.ibw",
            "2026-11-02",
        )


def test_calibrate_writes_file_and_day(tmp_path):
    toml = tmp_path / "E.toml"
    known = ("--set", "dither_drive=0.1V", "--set", "dither_drive_convention=peak",
             "--set", "dither_sensitivity=10nm/V", "--set", "dither_response=1")  # fmt: skip
    said = nrm_("calibrate", "dither", "drive", *known, "-o", toml).stdout
    assert "dither_amplitude = 1 nm +- unknown" in said
    text = toml.read_text(encoding="utf-8")
    assert 'amplitude_stderr = "unknown"' in text
    assert 'amplitude_method = "drive x sensitivity x response"' in text
    assert re.search(r'amplitude_date = "20\d\d-\d\d-\d\d"', text)
    assert "amplitude_file" not in text
