"""Parts of the store by themselves, with what they give known beforehand."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from nrm_plugin import (
    ChangedFile,
    CorruptFile,
    CurveSet,
    Image,
    InvalidInput,
    NrmError,
    open_results,
)
from nrm_plugin.columns import RepeatedColumn, Rows
from nrm_plugin.decisions import Decisions
from nrm_plugin.model import Channel
from nrm_plugin.recipe import Recipe
from nrm_plugin.store import nexus, open_curves
from nrm_plugin.store.decided_results import with_decisions
from nrm_plugin.store.default_plots import GridOfCurves
from nrm_plugin.store.export_curves import write_afmformats
from nrm_plugin.store.export_results import write_zarr
from nrm_plugin.store.nxafm import metadata_of, write_nxafm
from nrm_plugin.store.read_curves import is_common_file
from nrm_plugin.store.results_table import curve_table, profile_tables
from nrm_plugin.store.write_results import Results, write_results
from nrm_plugin.tables import SEGMENT
from nrm_plugin.variables import MOVED, Variable


def test_what_results_say_of_the_experiment_is_read_in_si() -> None:
    """Keys that are not known, and values that are none, leave those behind them."""
    told = (
        'nobody_knows = 3\nspring_constant = "300 pN/nm"\ntemperature = "warm"\n'
        'electrode = "gold 111"\ndither_frequency = 2300.0\nlockin_poles = 4\n'
    )
    known = {
        "spring_constant": pytest.approx(0.3),
        "electrode": "gold 111",
        "dither_frequency": 2300.0,
        "lockin_poles": 4,
    }
    assert metadata_of(told) == known
    assert metadata_of("spring_constant = ") == {}
    assert metadata_of("") == {}


def told_of(group: h5py.Group, path: str = "") -> dict[str, Any]:
    """All that a group holds: values, with their units where they have some, and classes."""
    found: dict[str, Any] = {}
    for name, item in group.items():
        if isinstance(item, h5py.Group):
            found[f"{path}{name}"] = item.attrs["NX_class"]
            found |= told_of(item, f"{path}{name}/")
        else:
            value = item.asstr()[()] if item.dtype.kind == "O" else item[()]
            found[f"{path}{name}"] = (
                (value, item.attrs["units"]) if "units" in item.attrs else value
            )
    return found


def nxafm(
    metadata: dict[str, Any], importers: list[str] | None = None, **columns: list[float]
) -> dict[str, Any]:
    """What is written of an experiment."""
    with h5py.File.in_memory() as file:
        arrays = {name: np.array(values) for name, values in columns.items()}
        write_nxafm(file.create_group("entry"), metadata, importers or [], arrays)
        return told_of(file["entry"])


SCAN = "instrument/scan_environment/scan_control"
NOTHING = {
    "definition": "NXafm",
    "experiment_technique": "AFM",
    "scan_mode": "contact mode",
    "instrument": "NXinstrument",
    "instrument/scan_environment": "NXenvironment",
    SCAN: "NXspm_scan_control",
}


def test_nothing_is_told_of_what_is_not_known() -> None:
    assert nxafm({}) == NOTHING
    assert nxafm({"electrolyte": "NaPF6"}, ["own"], x=[0.0, np.nan], row=[0, -1]) == NOTHING
    assert nxafm({}, x=[], y=[], row=[], column=[]) == NOTHING
    assert nxafm({}, row=[0, 1], column=[0, -1]) == NOTHING
    assert nxafm({}, row=[0, -1], column=[0, 1]) == NOTHING
    assert nxafm({}, ["bruker", "jpk"]) == NOTHING


def test_the_experiment_as_nxafm_has_it() -> None:
    metadata = {
        "title": "A map",
        "peakforce_frequency": 1e3,
        "electrode": "graphite",
        "electrolyte": "NaPF6",
        "temperature": 298.0,
        "simulated": True,
        "instrument": "Icon",
        "dither_frequency": 2300.0,
        "spring_constant": 0.3,
        "deflection_sensitivity": 1e-7,
        "ramp_size": 3e-7,
        "approach_speed": 1e-6,
    }
    places = {"x": [0.0, 2e-6], "y": [3e-6, 1e-6], "row": [0, 2], "column": [1, 4]}
    cantilever, vendor = "instrument/cantilever", "Bruker"
    config = f"{cantilever}/cantilever_config"
    assert nxafm(metadata, ["bruker", "bruker"], **places) == NOTHING | {
        "scan_mode": "peak force tapping mode",
        "title": "A map",
        "sample": "NXsample",
        "sample/name": "graphite",
        "sample/temperature": (298.0, "K"),
        "sample/description": "graphite in NaPF6",
        "sample/type": "simulated data",
        "instrument/hardware": "NXfabrication",
        "instrument/hardware/vendor": vendor,
        "instrument/hardware/name": "Icon",
        "instrument/software": "NXfabrication",
        "instrument/software/vendor": vendor,
        "instrument/lockin_amplifier": "NXlockin",
        "instrument/lockin_amplifier/reference_frequency": (2300.0, "Hz"),
        cantilever: "NXspm_cantilever",
        config: "NXspm_cantilever_config",
        f"{config}/spring_constant": (0.3, "N/m"),
        f"{config}/calibration": "NXcalibration",
        f"{config}/calibration/sensitivity": (1e-7, "m/V"),
        f"{SCAN}/scan_region": "NXspm_scan_region",
        f"{SCAN}/scan_region/scan_range_z": (3e-7, "m"),
        f"{SCAN}/scan_region/scan_start_x": (0.0, "m"),
        f"{SCAN}/scan_region/scan_end_x": (2e-6, "m"),
        f"{SCAN}/scan_region/scan_start_y": (1e-6, "m"),
        f"{SCAN}/scan_region/scan_end_y": (3e-6, "m"),
        f"{SCAN}/point_force_scan": "NXspm_scan_pattern",
        f"{SCAN}/point_force_scan/forward_speed_approach": (1e-6, "m/s"),
        f"{SCAN}/point_force_scan/scan_points_x": 5,
        f"{SCAN}/point_force_scan/scan_points_y": 3,
    }
    told = nxafm({"electrode": "gold", "deflection_sensitivity": 1e-7, "peakforce_amplitude": 1e-8})
    assert told == NOTHING | {
        "scan_mode": "peak force tapping mode",
        "sample": "NXsample",
        "sample/name": "gold",
        cantilever: "NXspm_cantilever",
        config: "NXspm_cantilever_config",
        f"{config}/calibration": "NXcalibration",
        f"{config}/calibration/sensitivity": (1e-7, "m/V"),
    }


def table(x: Any, y: Any, columns: int = 2) -> dict[str, Any]:
    """Columns of the curves of a grid, row by row."""
    row, column = np.divmod(np.arange(len(x)), columns)
    return {"row": row, "column": column, "x": np.array(x), "y": np.array(y)}


def axes(grid: GridOfCurves | None) -> list[tuple[list[float], str]]:
    assert grid is not None
    return [(values.tolist(), unit) for values, unit in grid.axes]


def test_axes_of_a_grid() -> None:
    """Positions as they are; the way along them where the other axis moves by a tenth of a step."""
    straight = table([0.0, 2.0, 0.0, 2.0], [5.0, 5.0, 4.0, 4.0])
    assert axes(GridOfCurves.of(straight)) == [([5.0, 4.0], "m"), ([0.0, 2.0], "m")]
    nearly = table([0.0, 2.0, 0.0, 2.0], [0.0, 0.125, 1.0, 1.125])
    assert axes(GridOfCurves.of(nearly)) == [([0.0625, 1.0625], "m"), ([0.0, 2.0], "m")]
    tenth = table([0.0, 1.0, 0.0, 1.0], [0.0, 0.2, 0.0, 0.0])
    (_, of_y), (along, of_x) = axes(GridOfCurves.of(tenth))
    assert along == [0.0, pytest.approx(np.hypot(1.0, 0.1))]
    assert (of_y, of_x) == ("m", "m")
    turned = table([0.0, 3.0, -4.0, -1.0], [0.0, 4.0, 3.0, 7.0])
    assert axes(GridOfCurves.of(turned)) == [([0.0, 5.0], "m"), ([0.0, 5.0], "m")]
    back = table([0.0, 1.0, 0.5, 0.0, 1.0, 0.5], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0], 3)
    assert axes(GridOfCurves.of(back))[1] == ([0.0, 1.0, 2.0], "")
    still = table([1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0])
    assert axes(GridOfCurves.of(still)) == [([0.0, 1.0], "m"), ([0.0, 1.0], "")]
    unknown = table([0.0, np.nan, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0])
    assert axes(GridOfCurves.of(unknown)) == [([0.0, 1.0], ""), ([0.0, 1.0], "")]


def test_what_is_no_grid() -> None:
    """Fewer than two rows or columns, more than three cells of four empty, two curves in a cell."""
    square = {"row": np.array([0, 0, 1, 1]), "column": np.array([0, 1, 0, 1])}
    assert axes(GridOfCurves.of(square)) == [([0.0, 1.0], ""), ([0.0, 1.0], "")]
    corners = {"row": np.array([0, 1]), "column": np.array([0, 3])}
    grid = GridOfCurves.of(corners)
    assert grid is not None
    image = grid.image(np.array([7.0, 8.0]))
    np.testing.assert_array_equal(image, [[7.0, *3 * [np.nan]], [*3 * [np.nan], 8.0]])
    for row, column in (
        ([0, 0, 0], [0, 1, 2]),
        ([0, 1, 2], [0, 0, 0]),
        ([0, 1], [0, 4]),
        ([0, 1, 1], [0, 1, 1]),
        ([-1, 1, 1], [0, 1, 0]),
        ([0, 1, 1], [0, 1, -1]),
        ([], []),
    ):
        assert GridOfCurves.of({"row": np.array(row), "column": np.array(column)}) is None
    assert GridOfCurves.of({"row": square["row"]}) is None


@pytest.mark.parametrize(
    ("length", "n_curves", "chunk"),
    [(1000, 700, 262_000), (1000, 20, 20_000), (300_000, 2, 300_000), (131_072, 3, 262_144)],
)
def test_numbers_that_repeat_lie_in_chunks_of_whole_curves(
    tmp_path: Path, length: int, n_curves: int, chunk: int
) -> None:
    """As many as 2^18 numbers hold, at least one and at most all."""
    rows = Rows.uniform(n_curves, length)
    column = RepeatedColumn(np.arange(length, dtype="i4"), rows)
    curves = CurveSet.from_arrays({"deflection": (np.zeros(rows.total, "i1"), "V")}, rows.sizes)
    curves.with_channel(Channel("time", "s", column, 1e-3)).save(tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5") as file:
        data = file["entry/curves/time"]
        assert data.chunks == (chunk,)
        np.testing.assert_array_equal(data[-2 * length :], 2 * [*range(length)])


def test_a_table_is_not_read_from_another_file(tmp_path: Path) -> None:
    """Of two files of the same shape the one behind the name is refused, whatever it holds."""
    path, other = tmp_path / "c.h5", tmp_path / "other.h5"
    for place, x in ((path, 1e-6), (other, 2e-6)):
        made = CurveSet.from_arrays(
            {"deflection": (np.zeros((1, 3)), "V")},
            curve_table={"x": [x]},
            segments=np.array([(0, 0, 3, "approach")], SEGMENT),
        )
        made.save(place)
    curves, again = open_curves(path), open_curves(path)
    assert again.curve_table["x"].tolist() == [1e-6]
    other.replace(path)
    with pytest.raises(ChangedFile):
        _ = curves.curve_table
    with pytest.raises(ChangedFile):
        _ = curves.segments


def few_results(**variables: Any) -> xr.Dataset:
    """Results of three curves in one direction."""
    force = np.arange(12.0).reshape(3, 4)
    return xr.Dataset(
        {"force_normal": (("curve", "depth"), force, {"units": "N"}), **variables},
        {"depth": np.arange(4) * 1e-9},
        {"recipe": Recipe().to_toml(comments=False)},
    )


def test_contacts_that_were_taken_back_after_the_processing_are_counted(tmp_path: Path) -> None:
    by_hand = ("curve", np.array([MOVED, 1, MOVED | 2], np.int8))
    heights = ("curve", np.zeros(3), {"units": "m"})
    results = few_results(by_hand=by_hand, contact_height=heights)
    decisions = Decisions.for_results(results, tmp_path / "r.h5")
    said = with_decisions(results, decisions)
    assert (
        "2 contacts set by hand when the curves were processed, and taken back"
        in (said.attrs["warnings"])
    )
    assert said["by_hand"].values.tolist() == [MOVED, 0, MOVED]


def test_zarr_is_written_over_unless_that_is_forbidden(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    first, second = few_results(), few_results() * 2.0
    write_zarr(first, tmp_path / "r.zarr", overwrite=False)
    write_zarr(second, tmp_path / "r.zarr")
    with pytest.raises(FileExistsError):
        write_zarr(first, tmp_path / "r.zarr", overwrite=False)
    with xr.open_zarr(tmp_path / "r.zarr") as found:
        np.testing.assert_array_equal(found["force_normal"], second["force_normal"])


@pytest.mark.parametrize(("n_curves", "chunk"), [(0, 1), (1, 1), (3, 3), (4097, 4096)])
def test_zarr_is_written_in_pieces_of_curves(tmp_path: Path, n_curves: int, chunk: int) -> None:
    zarr = pytest.importorskip("zarr")
    force = ("curve", "depth"), np.zeros((n_curves, 2))
    write_zarr(xr.Dataset({"force_normal": force}), tmp_path / "r.zarr")
    assert zarr.open_group(tmp_path / "r.zarr", mode="r")["force_normal"].chunks == (chunk, 2)


def test_a_damaged_file_that_may_be_ours_counts_as_ours(tmp_path: Path) -> None:
    """By its name, where its beginning says nothing."""
    for name, ours in (("a.h5", True), ("a.H5", True), ("a.hdf5", False)):
        path = tmp_path / name
        path.write_bytes(b"nothing of the kind")
        assert is_common_file(path) is ours
    assert is_common_file(tmp_path / "nowhere.h5") is True
    assert is_common_file(tmp_path / "nowhere.txt") is False


@pytest.mark.parametrize(
    ("unit", "number"),
    [
        ("seconds since 1970-01-01", 1.5),
        ("milliseconds since 1970-1-1 00:00", 1500),
        ("microseconds since 1970-01-01T00:00:00Z", 1_500_000),
        ("nanoseconds since 1970-01-01 0:00:00.0 UTC", 1_500_000_400),
    ],
)
def test_times_in_any_unit(unit: str, number: float) -> None:
    """1.5 s after 1970; where there is none, the smallest integer or nan."""
    with h5py.File.in_memory() as file:
        none = np.nan if isinstance(number, float) else np.iinfo("i8").min
        data = file.create_dataset("start_time", data=np.array([number, none]))
        data.attrs["units"] = unit
        found = nexus.column_values("start_time", data, "s")
    expected = np.array(["1970-01-01T00:00:01.5", "NaT"], "M8[us]")
    np.testing.assert_array_equal(found, expected)


def test_arrays_of_a_file_share_their_dimensions(tmp_path: Path) -> None:
    made = CurveSet.from_arrays(
        {"deflection": (np.zeros((2, 3)), "V")},
        curve_table={"x": [0.0, 1.0]},
        segments=np.array([(0, 0, 3, "approach")], SEGMENT),
    )
    made.save(tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5") as file:
        entry = file["entry"]
        for group, names, dimension in (
            ("source", ("name", "sha256", "importer", "version", "header"), "file"),
            ("segments", ("curve", "start", "stop", "kind"), "segment"),
            ("curves", ("row_size", "x"), "curve"),
            ("curves", ("deflection",), "sample"),
        ):
            for name in names:
                (scale,) = entry[group][name].dims[0].values()
                assert scale.name == f"/entry/{group}/{dimension}", name


def test_of_results_of_both_directions_each_row_names_its_own() -> None:
    quality = np.array([[0, 1], [2, 3]])
    about = {"flag_masks": [1, 2], "flag_meanings": "odd twice"}
    results = xr.Dataset(
        {
            "quality": (("direction", "curve"), quality, about),
            "contact_height": (("direction", "curve"), quality * 0.5, {"units": "m"}),
            "force": (("direction", "curve", "depth"), np.arange(8.0).reshape(2, 2, 2)),
        },
        {"direction": ["approach", "retract"], "depth": [0.0, 1e-9]},
    )
    table = curve_table(results)
    assert table["direction"].tolist() == ["approach", "approach", "retract", "retract"]
    assert table["curve"].tolist() == [0, 1, 0, 1]
    assert table["flags"].tolist() == ["", "odd", "twice", "odd twice"]
    assert table["contact_height (m)"].tolist() == [0.0, 0.5, 1.0, 1.5]
    (first, second) = profile_tables(results)
    for part, direction, force in (
        (first, "approach", [0, 1, 2, 3]),
        (second, "retract", [4, 5, 6, 7]),
    ):
        assert part["direction"].tolist() == 4 * [direction]
        assert part["curve"].tolist() == [0, 0, 1, 1]
        assert part["distance (m)"].tolist() == [0.0, 1e-9, 0.0, 1e-9]
        assert part["force"].tolist() == force
    one = curve_table(results.isel(direction=1, drop=True))
    assert "direction" not in one
    assert one["quality"].tolist() == [2, 3]


FORCE = {"force_normal": Variable("N", "force", ("curve", "depth"), "f4")}


def unfinished(path: Path, *, fingerprint: str = "0" * 64, directions: Any = None) -> Results:
    axes = {"depth": np.arange(2) * 1e-9}
    return Results(path, 3, axes, FORCE, directions, {}, fingerprint)


def interrupted(path: Path, directions: Any, work: Callable[[Results], None]) -> None:
    """Do something with results, and leave them."""
    with contextlib.suppress(KeyboardInterrupt), unfinished(path, directions=directions) as results:
        work(results)
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("directions", "written"),
    [(None, [(0, 0, 2)]), (["approach", "retract"], [(0, 0, 3), (1, 0, 1)])],
)
def test_results_left_half_finished_are_gone_on_with(
    tmp_path: Path, directions: Any, written: list[tuple[int, int, int]]
) -> None:
    """What was written is there, and how much; other results begin anew."""
    path, count = tmp_path / "r.h5", sum(stop - first for _, first, stop in written)

    def begin(results: Results) -> None:
        for direction, first, stop in written:
            rows = np.full((stop - first, 2), 1.0 + direction, np.float32)
            results.write(direction, first, stop, {"force_normal": rows})
        assert results.done == count

    def go_on(results: Results) -> None:
        assert results.done == count
        for direction, first, stop in written:
            kept = results.get("force_normal", direction)[first:stop]
            np.testing.assert_array_equal(kept, np.full((stop - first, 2), 1.0 + direction))

    interrupted(path, directions, begin)
    interrupted(path, directions, go_on)
    with unfinished(path, fingerprint="1" * 64, directions=directions) as results:
        assert results.done == 0
    assert path.is_file()


def test_in_memory_what_was_written_is_counted_too() -> None:
    with Results(None, 3, {"depth": np.zeros(2)}, FORCE, ["approach", "retract"], {}) as results:
        assert results.done == 0
        results.write(1, 0, 2, {"force_normal": np.ones((2, 2))})
        assert results.done == 5
        np.testing.assert_array_equal(results.get("force_normal", 1)[:, 0], [1.0, 1.0, np.nan])


def test_one_curve_of_two_for_afmformats_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = CurveSet.from_arrays(
        {"height": (np.zeros((2, 4)), "m"), "force_normal": (np.ones((2, 4)), "N")},
        segments=np.array(
            [(0, 0, 4, "approach"), (1, 0, 1, "approach"), (1, 2, 4, "retract")], SEGMENT
        ),
    )
    write_afmformats(made, tmp_path / "c.h5")
    assert "1 of 2 curves have no approach or no retract" in caplog.text
    with h5py.File(tmp_path / "c.h5") as file:
        assert file["0/segment"][()].tolist() == [0, 1, 1]
        assert file["0"].attrs["curve id"] == "curve:1"
        assert list(file) == ["0"]
    with pytest.raises(InvalidInput, match="no curve has both"):
        write_afmformats(made[0:1], tmp_path / "d.h5")


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (2.0, 0.0), (1.0, 3.0), (2.0, 3.0)])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i2"])
def test_stored_numbers_are_scaled(tmp_path: Path, dtype: str, gain: float, offset: float) -> None:
    """Also where they lie in the file as they are wanted, and could be copied."""
    numbers = np.arange(12, dtype=dtype).reshape(3, 4)
    CurveSet.from_arrays({"deflection": (numbers, "V")}).save(tmp_path / "c.h5")
    column = open_curves(tmp_path / "c.h5").channels["deflection"].column
    out = np.empty((2, 4))
    column.fill(1, 3, out, gain, offset)
    np.testing.assert_array_equal(out, gain * numbers[1:] + offset)


def test_profiles_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    write_results(few_results(quality=("curve", np.arange(3))), path)
    opened, whole = open_results(path), open_results(path).load()
    np.testing.assert_array_equal(whole["force_normal"], np.arange(12.0).reshape(3, 4))
    path.unlink()
    assert opened["quality"].values.tolist() == [0, 1, 2]
    with pytest.raises(NrmError):
        _ = opened["force_normal"].values


def test_the_map_of_results_on_a_grid(tmp_path: Path) -> None:
    """Moduli at the distance next to 5 nm, and the contact's height, where the curves lie."""
    modulus = np.arange(12.0).reshape(4, 3)
    place = {"x": [0.0, 1e-6, 0.0, 1e-6], "y": [0.0, 0.0, 2e-6, 2e-6]}
    grid = {"row": [0, 0, 1, 1], "column": [0, 1, 0, 1]}
    results = xr.Dataset(
        {
            "storage_modulus": (("curve", "depth"), modulus, {"units": "Pa"}),
            "contact_height": ("curve", [4.0, 3.0, 2.0, 1.0], {"units": "m"}),
        },
        {"depth": [0.0, 4e-9, 9e-9]} | {k: ("curve", v) for k, v in (place | grid).items()},
    )
    write_results(results, tmp_path / "r.h5")
    with h5py.File(tmp_path / "r.h5") as file:
        shown = file["entry/map"]
        assert file["entry"].attrs["default"] == "map"
        assert shown.attrs["signal"] == "storage_modulus"
        assert list(shown.attrs["axes"]) == ["y", "x"]
        np.testing.assert_array_equal(shown["storage_modulus"], [[1.0, 4.0], [7.0, 10.0]])
        np.testing.assert_array_equal(shown["contact_height"], [[4.0, 3.0], [2.0, 1.0]])
        np.testing.assert_array_equal(shown["y"], [0.0, 2e-6])
        assert "at 4 nm" in shown["storage_modulus"].attrs["long_name"]
    write_results(results.drop_vars(["storage_modulus"]), tmp_path / "s.h5")
    write_results(results.drop_vars(["row"]), tmp_path / "t.h5")
    for name in ("s.h5", "t.h5"):
        with h5py.File(tmp_path / name) as file:
            assert "map" not in file["entry"]
            assert file["entry"].attrs["default"] == "results"


def test_words_of_curves_are_words_again(tmp_path: Path) -> None:
    """What told which number stands for which word does not stay beside them."""
    results = few_results().assign_coords(
        start_time=("curve", np.array(["2025-01-01", "NaT", "2025-01-02"], "M8[ns]")),
    )
    first, second, *_ = nexus.WORDS["start_time_source"]
    words = [first, second, first]
    results = results.assign_coords(start_time_source=("curve", words))
    write_results(results, tmp_path / "r.h5")
    found = open_results(tmp_path / "r.h5")
    assert found["start_time_source"].values.tolist() == words
    assert set(found["start_time_source"].attrs) == {"units", "long_name"}
    assert set(found["start_time"].attrs) == {"long_name"}
    np.testing.assert_array_equal(found["start_time"], results["start_time"])


def test_pixels_lie_in_the_middles_of_an_image_or_are_numbered(tmp_path: Path) -> None:
    numbers = np.zeros((2, 3))
    images = [Image("a", numbers, "m", (3e-6, 2e-6), "trace"), Image("b", numbers, "m")]
    CurveSet.from_arrays({}, images=images).save(tmp_path / "i.h5")
    with h5py.File(tmp_path / "i.h5") as file:
        known, unknown = file["entry/images/image_000"], file["entry/images/image_001"]
        np.testing.assert_allclose(known["x"], [0.5e-6, 1.5e-6, 2.5e-6], rtol=1e-12)
        np.testing.assert_allclose(known["y"], [0.5e-6, 1.5e-6], rtol=1e-12)
        np.testing.assert_array_equal(unknown["x"], [0.5, 1.5, 2.5])
        np.testing.assert_array_equal(unknown["y"], [0.5, 1.5])


def test_no_grid_has_fewer_than_no_rows(tmp_path: Path) -> None:
    CurveSet.from_arrays({"height": (np.empty((0, 5)), "m")}).save(tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5", "r+") as file:
        file["entry/curves"].attrs["grid"] = [0, -3]
    with pytest.raises(CorruptFile, match="0 x -3 curves"):
        open_curves(tmp_path / "c.h5")
