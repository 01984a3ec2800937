"""CurveSet: what is given comes back, in SI, for any choice of curves."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_plugin import Channel, CurveSet, InvalidInput, NrmError, UnknownChannel
from nrm_plugin.columns import PartColumn, Rows
from nrm_plugin.tables import SEGMENT

SAMPLE = Path(__file__).parents[1] / "sample_data" / "bruker" / "volume-3x5.spm"

NM = np.array([[30, 20, 10, 15], [31, 21, 11, 16], [32, 22, 12, 17]], "i2")  # 3 curves


@pytest.fixture
def curves() -> CurveSet:
    return CurveSet.from_arrays({"height": (NM, "nm"), "deflection": (NM * 0.5, "V")})


@pytest.fixture
def ragged() -> CurveSet:
    """Four curves of 3, 0, 1 and 2 samples that hold 0 to 5."""
    return CurveSet.from_arrays({"deflection": (np.arange(6.0), "V")}, row_size=[3, 0, 1, 2])


# What is given


def test_table_of_curves(curves: CurveSet) -> None:
    assert (curves.n_curves, curves.n_samples) == (3, 12)
    assert curves.row_size.tolist() == [4, 4, 4]
    height = curves.channels["height"]
    assert (height.unit, height.original, height.source) == ("m", "height", "given")
    np.testing.assert_array_equal(curves.read("height"), NM.ravel().astype(float) * 1e-9)
    np.testing.assert_array_equal(curves.read_raw("height"), NM.ravel())
    assert curves.read_raw("height").dtype == np.int16
    assert curves.read("height").dtype == np.float64


@pytest.mark.parametrize(
    ("name", "unit", "gain", "si"),
    [
        ("height", "nm", 1e-9, "m"),
        ("height", "µm", 1e-6, "m"),
        ("deflection", "mV", 1e-3, "V"),
        ("deflection", "nm", 1e-9, "m"),
        ("lateral_in_phase", "pN", 1e-12, "N"),
        ("height", "inch", 0.0254, "m"),
        ("own_thing", "nm", 1e-9, "m"),
        ("own_thing", "Arb", 1.0, "Arb"),
    ],
)
@pytest.mark.parametrize("dtype", ["i4", "f4", "f8", ">i2"])
def test_units_become_si(name: str, unit: str, gain: float, si: str, dtype: str) -> None:
    values = np.array([3, -7, 1000], dtype)
    made = CurveSet.from_arrays({name: (values, unit)})
    assert made.channels[name].unit == si
    np.testing.assert_array_equal(made.read(name), np.array([3.0, -7.0, 1000.0]) * gain)
    np.testing.assert_array_equal(made.read_raw(name), values)


def test_ragged_and_empty_curves(ragged: CurveSet) -> None:
    assert ragged.row_size.tolist() == [3, 0, 1, 2]
    assert [ragged.read("deflection", i).tolist() for i in range(4)] == [[0, 1, 2], [], [3], [4, 5]]
    assert ragged.segments["curve"].tolist() == [0, 2, 3]


def test_no_curves() -> None:
    for made in (
        CurveSet.from_arrays({}),
        CurveSet.from_arrays({"height": (np.empty((0, 9)), "m")}),
    ):
        assert (made.n_curves, made.n_samples, len(made.segments)) == (0, 0, 0)
        assert made.row_size.shape == (0,)
        assert made.curve_table["x"].shape == (0,)
        assert list(made.blocks()) == []
    assert made.read("height").shape == (0,)
    assert made.read("height", []).shape == (0,)
    with pytest.raises(InvalidInput):
        made.read("height", 0)


def test_the_callers_array_is_copied() -> None:
    values = np.arange(3.0)
    made = CurveSet.from_arrays({"deflection": (values, "V")})
    values[:] = 9
    assert made.read("deflection").tolist() == [0, 1, 2]


def test_nothing_given_can_be_changed(curves: CurveSet) -> None:
    with pytest.raises(ValueError, match="read-only"):
        curves.channels["height"].column.values[0] = 1  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="read-only"):
        curves.row_size[0] = 1
    with pytest.raises(FrozenInstanceError):
        curves.warnings = ()  # type: ignore[misc]
    curves.read("height")[:] = 0
    assert curves.read("height", 0)[0] == 30 * 1e-9


@pytest.mark.parametrize(
    "given",
    [
        {"channels": {"height": (NM, "V")}},
        {"channels": {"height": (NM, "")}},
        {"channels": {"height": (NM, None)}},
        {"channels": {"height": NM}},
        {"channels": {"height": (NM, "nm"), "deflection": (NM.ravel()[:-1], "V")}},
        {"channels": {"height": (NM, "nm"), "deflection": (NM.T, "V")}},
        {"channels": {"height": (NM, "nm")}, "row_size": [4, 4, 3]},
        {"channels": {"height": (NM, "nm")}, "row_size": [3, 4, 5]},
        {"channels": {"height": (NM.ravel(), "nm")}, "row_size": [-1, 13]},
        {"channels": {"height": (NM.ravel(), "nm")}, "row_size": [6.5, 5.5]},
        {"channels": {"height": (NM.ravel(), "nm")}, "row_size": 12},
        {"channels": {"height": (NM[None], "nm")}},
        {"channels": {"height": (3.0, "nm")}},
        {"channels": {"height": ([[1, 2], [3]], "nm")}},
        {"channels": {"height": (NM + 1j, "nm")}},
        {"channels": {"height": (NM.astype("U"), "nm")}},
        {"channels": {"height": (NM > 20, "nm")}},
        {"channels": {"my height": (NM, "nm")}},
        {"channels": {"row_size": (NM, "nm")}},
        {"curve_table": {"x": [0.0, 1.0]}},
        {"curve_table": {"colour": [0, 1, 2]}},
        {"curve_table": {"x": ["left", "middle", "right"]}},
        {"metadata": {"spring_constant": -1.0}},
        {"metadata": {"spring_constant": None}},
        {"metadata": {"my_list": [1, 2]}},
        {"metadata": {"my/key": 1.0}},
    ],
)
def test_bad_input_is_named(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        CurveSet.from_arrays(**{"channels": {"height": (NM, "nm")}, **given})


# Which curves are read


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (None, [0, 1, 2, 3, 4, 5]),
        (0, [0, 1, 2]),
        (-1, [4, 5]),
        (np.int16(2), [3]),
        (slice(None), [0, 1, 2, 3, 4, 5]),
        (slice(2, None), [3, 4, 5]),
        (slice(None, None, -1), [4, 5, 3, 0, 1, 2]),
        (slice(7, 9), []),
        ([0, 3], [0, 1, 2, 4, 5]),
        ([3, 0, 3], [4, 5, 0, 1, 2, 4, 5]),
        ((-4, -1), [0, 1, 2, 4, 5]),
        (np.array([2, 3], "u8"), [3, 4, 5]),
        ([], []),
        (np.array([True, False, False, True]), [0, 1, 2, 4, 5]),
        ([False] * 4, []),
        (range(1, 3), [3]),
    ],
)
def test_choice_of_curves(ragged: CurveSet, chosen: Any, expected: list[float]) -> None:
    assert ragged.read("deflection", chosen).tolist() == expected
    assert ragged.read_raw("deflection", chosen).tolist() == expected


@pytest.mark.parametrize(
    "chosen", [4, -5, [0, 4], [True, False], 0.0, [0.5], "0", [[0, 1]], [[0], [1, 2]], object()]
)
def test_choices_that_make_no_sense(ragged: CurveSet, chosen: Any) -> None:
    with pytest.raises(InvalidInput):
        ragged.read("deflection", chosen)


def test_the_wrong_number_is_named(ragged: CurveSet) -> None:
    with pytest.raises(InvalidInput, match="asked for -9"):
        ragged.read("deflection", [0, -9])


def test_unknown_channel(curves: CurveSet) -> None:
    with pytest.raises(UnknownChannel, match="the channels are: height, deflection"):
        curves.read("force")
    with pytest.raises(KeyError):
        curves.channel("force")


@pytest.mark.parametrize(
    ("sizes", "samples", "blocks"),
    [
        ([4, 4, 4, 4, 4], 8, [(0, 2), (2, 4), (4, 5)]),
        ([4, 4, 4], 1, [(0, 1), (1, 2), (2, 3)]),
        ([4, 4, 4], 99, [(0, 3)]),
        ([3, 0, 1, 9, 2, 0], 4, [(0, 3), (3, 4), (4, 6)]),
        ([0, 0, 0], 4, [(0, 3)]),
    ],
)
def test_blocks(sizes: list[int], samples: int, blocks: list[tuple[int, int]]) -> None:
    made = CurveSet.from_arrays({"deflection": (np.zeros(sum(sizes)), "V")}, row_size=sizes)
    assert list(made.blocks(samples)) == blocks


# Changed copies


def test_metadata_remember_their_source(curves: CurveSet) -> None:
    one = curves.with_metadata({"spring_constant": "0.1"}, "file")
    two = one.with_metadata({"spring_constant": 0.2, "title": "graphite"}, "--set")
    assert (one.metadata["spring_constant"], one.metadata_source["spring_constant"]) == (
        0.1,
        "file",
    )
    assert two.metadata["spring_constant"] == 0.2
    assert two.metadata_source["spring_constant"] == two.metadata_source["title"] == "--set"
    assert two.metadata["height_source"] == two.metadata_source["height_source"] == "given"
    assert "spring_constant" not in curves.metadata


def test_unknown_metadata_key_warns() -> None:
    made = CurveSet.from_arrays({}, metadata={"spring_constnt": 0.2, "operator": "K"})
    assert made.metadata == {"spring_constnt": 0.2, "operator": "K"}
    assert "'spring_constnt' is not known to nrm. Did you mean spring_constant?" in made.warnings[0]
    assert len(made.warnings) == 2


@pytest.fixture
def wired() -> CurveSet:
    """Two inputs of a controller whose X and Y went there crossed."""
    channels = {"input1": (np.array([1.0]), "V"), "input2": (np.array([2.0]), "V")}
    made = CurveSet.from_arrays({**channels, "lateral": (np.array([3.0]), "V")})
    for name, original in (("input1", "Input1"), ("input2", "Input2"), ("lateral", "Friction")):
        made = made.with_channel(replace(made.channels[name], original=original))
    return made


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            {"Input1": "lockin_output_x"},
            {"lockin_output_x": 1.0, "input2": 2.0, "lateral": 3.0},
        ),
        ({"input1": "input2", "Input2": "input1"}, {"input2": 1.0, "input1": 2.0, "lateral": 3.0}),
        # the vendor's own lateral channel gives way, and is not lost
        ({"Input2": "lateral"}, {"input1": 1.0, "lateral": 2.0, "friction": 3.0}),
        ({}, {"input1": 1.0, "input2": 2.0, "lateral": 3.0}),
    ],
)
def test_with_names(wired: CurveSet, names: dict[str, str], expected: dict[str, float]) -> None:
    named = wired.with_names(names)
    assert {n: float(named.read(n)[0]) for n in named.channels} == expected
    assert all(channel.name == name for name, channel in named.channels.items())
    assert bool(named.warnings) == ("friction" in expected)
    assert list(wired.channels) == ["input1", "input2", "lateral"]


@pytest.mark.parametrize(
    ("names", "error"),
    [
        ({"Input9": "lockin_output_x"}, UnknownChannel),
        ({"Input1": "height"}, InvalidInput),  # volts are no metres
        ({"Input1": "lock-in X"}, InvalidInput),
        ({"Input1": "row_size"}, InvalidInput),
        ({"Input1": "lockin_output_x", "Input2": "lockin_output_x"}, InvalidInput),
        ({"Input1": "lockin_output_x", "input1": "lockin_output_y"}, InvalidInput),
    ],
)
def test_with_names_refuses(wired: CurveSet, names: dict[str, str], error: type[NrmError]) -> None:
    with pytest.raises(error):
        wired.with_names(names)


def test_unknown_channel_lists_the_vendors_names(wired: CurveSet) -> None:
    with pytest.raises(UnknownChannel, match="Input1, Input2, Friction"):
        wired.with_names({"Input9": "lateral"})


def test_grid() -> None:
    def grid(row: list[int], column: list[int]) -> tuple[int, int] | None:
        table = {"row": row, "column": column}
        return CurveSet.from_arrays({"height": (np.zeros((6, 2)), "m")}, curve_table=table).grid

    assert grid([0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2]) == (2, 3)
    assert grid([0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 2, 2]) is None  # column by column
    assert grid([0, 0, 0, 1, 1, 2], [0, 1, 2, 0, 1, 2]) is None
    assert grid([-1] * 6, [-1] * 6) is None


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import nrm_plugin, sys; print(sorted({'numpy', 'h5py', 'pint'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_public_names() -> None:
    import nrm_plugin

    for name in nrm_plugin.__all__:
        assert getattr(nrm_plugin, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'opn'"):
        _ = nrm_plugin.opn
    for name in ("MissingFile", "UnknownFormat", "CorruptFile", "InvalidInput", "OutputError"):
        assert issubclass(getattr(nrm_plugin, name), NrmError)


# Parts


def test_parts_are_what_the_whole_holds(ragged: CurveSet) -> None:
    assert len(ragged) == 4
    values = [[0, 1, 2], [], [3], [4, 5]]
    assert [one.read("deflection").tolist() for one in ragged] == values
    for asked, numbers in (
        (slice(1, 3), [1, 2]),
        (slice(None, None, -2), [3, 1]),
        ([3, 1], [3, 1]),
        ([2, 2], [2, 2]),
        (np.array([True, False, False, True]), [0, 3]),
        (-1, [3]),
        (np.int64(2), [2]),
        ([], []),
    ):
        part = ragged[asked]
        assert part.row_size.tolist() == [len(values[i]) for i in numbers]
        assert part.read("deflection").tolist() == [v for i in numbers for v in values[i]]
        assert part.curve_table["acquisition_order"].tolist() == numbers
        assert part.segments["curve"].tolist() == [k for k, i in enumerate(numbers) if values[i]]


def test_parts_of_parts_and_where_they_end(ragged: CurveSet) -> None:
    part = ragged[1:][::-1][[0, 2]]  # curves 3 and 1
    assert part.row_size.tolist() == [2, 0]
    column = part.channels["deflection"].column
    assert isinstance(column, PartColumn)
    assert column.column is ragged.channels["deflection"].column
    assert part.read("deflection", -2).tolist() == [4, 5]
    for beyond in (4, -5, [0, 9]):
        with pytest.raises(IndexError, match="there are 4 curves"):
            ragged[beyond]
    with pytest.raises(InvalidInput, match="mask of 4 curves"):
        ragged[np.array([True, False])]
    assert len(ragged[4:]) == 0
    assert list(ragged[4:]) == []
    with pytest.raises(IndexError, match="there are no curves"):
        ragged[4:][0]


def test_a_part_keeps_what_goes_with_the_curves() -> None:
    row, column = np.divmod(np.arange(12), 4)
    segments = np.array([(i, 0, 5, "approach") for i in range(0, 12, 2)], SEGMENT)
    curves = CurveSet.from_arrays(
        {"height": (np.arange(60.0).reshape(12, 5), "nm")},
        segments=segments,
        curve_table={"x": column * 1e-6, "y": row * 2e-6, "row": row, "column": column},
        metadata={"spring_constant": 2.0},
        images=[nrm.Image("Height", np.zeros((2, 2)), "m")],
    ).with_warning("careful")
    part = curves[4:]
    assert (curves.grid, part.grid) == ((3, 4), (2, 4))
    assert part.curve_table["row"].tolist() == [1] * 4 + [2] * 4
    np.testing.assert_array_equal(part.curve_table["y"], curves.curve_table["y"][4:])
    np.testing.assert_array_equal(part.curve_table["location"], np.arange(4, 12))
    assert part.segments["curve"].tolist() == [0, 2, 4, 6]
    assert (part.metadata, part.images) == (curves.metadata, curves.images)
    assert part.warnings == ("careful",)
    assert part.metadata_source == {"spring_constant": "given", "height_source": "given"}
    window = curves[(row > 0) & (column % 2 == 0)]
    assert window.grid == (2, 2)
    np.testing.assert_array_equal(window.curve_table["x"], [0, 2e-6, 0, 2e-6])
    assert curves[[0, 1, 2, 3, 4]].grid is None
    assert curves[[1, 0, 5, 4]].grid is None
    assert curves[::-1].grid is None
    assert curves[0].grid is None
    assert curves[:].grid == (3, 4)


def test_iterating_reads_nothing() -> None:
    """A column that refuses to be read, of more numbers than memory holds."""

    class Untouched:
        dtype = np.dtype("f8")
        rows = Rows.uniform(65536, 1 << 20)

        def fill(self, *_: Any) -> None:
            raise AssertionError("samples were read")

    column = Untouched()
    curves = CurveSet(
        column.rows, {name: Channel(name, "m", column) for name in ("height", "height_sensor")}
    )
    parts = list(curves)
    assert len(parts) == 65536
    one = parts[-1]
    assert one.n_samples == 1 << 20
    assert one.channels["height"].column is one.channels["height_sensor"].column
    with pytest.raises(AssertionError, match="were read"):
        curves[65535].read("height")


# What people see


def test_rooms_are_there_on_access() -> None:
    code = (
        "import nrm_plugin as nrm, sys; assert 'numpy' not in sys.modules;"
        "rooms = ('figures', 'statistics', 'experiment', 'simulate', 'calibration', 'fea');"
        "assert set(rooms) <= set(dir(nrm));"
        "print([getattr(nrm, room).__name__ for room in rooms])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.count("nrm_plugin.") == 6


def test_no_public_name_is_that_of_a_module() -> None:
    """``nrm.merge`` would be one or the other, depending on what was imported before."""
    rooms = {module.name for module in pkgutil.iter_modules(nrm.__path__)}
    public = {name for name in nrm.__all__ if not isinstance(getattr(nrm, name), ModuleType)}
    assert len(public) > 20
    assert not public & rooms


def test_html_says_what_is_there_and_what_is_missing(curves: CurveSet) -> None:
    shown = curves.with_warning("<b>careful</b>").with_names({"deflection": "own"})._repr_html_()
    assert "CurveSet: 3 curves, 12 samples" in shown
    assert "height (m), own (V)" in shown or "own (V), height (m)" in shown
    assert "missing for moduli</th><td>deflection, lateral_in_phase, lateral_quadrature" in shown
    assert "&lt;b&gt;careful" in shown
    assert "<b>" not in shown
    known = curves.with_metadata({"simulated": True}, "here")._repr_html_()
    assert "12 samples, simulated" in known
    assert "height_source, simulated" in known
    many = curves
    for number in range(9):
        many = many.with_warning(f"w{number}")
    assert "w4; and 4 more" in many._repr_html_()
    assert "missing" not in complete()._repr_html_()


def complete() -> CurveSet:
    """Curves that hold all that moduli need."""
    ramp = np.array([[3.0, 2.0, 1.0]])
    names = {"height": "m", "deflection": "m", "lateral_in_phase": "N", "lateral_quadrature": "N"}
    return CurveSet.from_arrays(
        {name: (ramp * 1e-9, unit) for name, unit in names.items()},
        metadata={"dither_amplitude": 1e-9, "lockin_convention": "rms"},
    )


def test_reprs_are_short(curves: CurveSet) -> None:
    origin = nrm.open(SAMPLE).origins[0]
    assert len(origin.header) > 1000
    for one in (curves, curves.channels["height"], origin, nrm.Recipe()):
        assert len(repr(one)) < 700
    log = nrm.Log(
        np.arange(1000.0), np.linspace(-1.0, 1.0, 1000), current=np.ones(1000), name="<a>"
    )
    assert repr(log) == "<Log <a>: 1000 points over 999 s, -1 to 1 V>"
    assert "Log &lt;a&gt;: 1000 points" in log._repr_html_()
    assert "1 to 1 A" in log._repr_html_()


def test_html_of_recipes_and_experiments(tmp_path: Path) -> None:
    assert "all defaults" in nrm.Recipe()._repr_html_()
    changed = nrm.Recipe().replace(half_width="3 nm", direction="both")._repr_html_()
    assert "direction</th><td>both" in changed
    assert "derivative.half_width</th><td>3e-09" in changed
    path = tmp_path / "e.toml"
    path.write_text('[dither]\namplitude = "1 nm"\n[channels]\nInput1 = "lockin_output_x"\n')
    shown = nrm.experiment.read(path)._repr_html_()
    assert "dither_amplitude</th><td>1 nm" in shown
    assert "Input1 = lockin_output_x" in shown
