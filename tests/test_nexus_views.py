"""What viewers of NeXus files and validators find in our files, and files of the version before."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

import nrm_plugin as nrm
from nrm_plugin import simulate as sim
from nrm_plugin.store.default_plots import GridOfCurves
from nrm_plugin.store.nxafm import write_nxafm

NM = 1e-9
FROZEN = Path(__file__).parent / "frozen"


def on_a_grid(grid: tuple[int, int] = (3, 4)) -> nrm.CurveSet:
    """Curves of 10 MPa, 50 nm apart."""
    sample = sim.Sample(sim.Interphase((sim.Layer(20 * NM, 10e6 + 3e6j),), force=3e-9))
    ramp = sim.Ramp(length=300 * NM, samples=512, retract=False)
    instrument = sim.Instrument(lateral_stiffness=30.0)
    curves = sim.simulate(sample, instrument, ramp, grid=grid, pitch=50 * NM, seed=1)[0]
    told = {
        "electrode": "hard carbon",
        "electrolyte": "1 M NaPF6",
        "deflection_sensitivity": 30e-9,
        "lockin_phase": 0.1,
        "lateral_output_gain": 1000.0,
        "tip_radius": 10e-9,
    }
    return curves.with_metadata(told, "given")


@pytest.fixture(scope="module")
def curves() -> nrm.CurveSet:
    return on_a_grid()


@pytest.fixture(scope="module")
def files(curves: nrm.CurveSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("views")
    curves.save(folder / "curves.h5")
    nrm.process(curves, out=folder / "results.h5").close()
    return folder / "curves.h5", folder / "results.h5"


def digest(arrays: dict[str, Any]) -> str:
    found = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        found.update(name.encode())
        found.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())
    return found.hexdigest()


# The default plot


def test_a_map_is_the_first_plot(files: tuple[Path, Path]) -> None:
    """By the chain of defaults: E' at 5 nm over x and y in m; E'' and the topography beside it."""
    results = nrm.open_results(files[1])
    with h5py.File(files[1]) as file:
        entry = file[file.attrs["default"]]
        group = entry[entry.attrs["default"]]
        assert group.attrs["NX_class"] == "NXdata"
        assert group.name == "/entry/map"
        assert list(group.attrs["axes"]) == ["y", "x"]
        assert list(group.attrs["auxiliary_signals"]) == ["loss_modulus", "contact_height"]
        for name in ("storage_modulus", "loss_modulus"):
            wanted = results[name].sel(depth=5 * NM, method="nearest").values.reshape(3, 4)
            np.testing.assert_array_equal(group[name][()], wanted)
        np.testing.assert_allclose(group["x"][()], np.array([0, 1, 2, 3]) * 50 * NM)
        np.testing.assert_allclose(group["y"][()], np.array([0, 1, 2]) * 50 * NM)
        assert group["x"].attrs["units"] == "m"


@pytest.mark.parametrize("direction", ["approach", "both"])
def test_profiles_are_the_first_plot_without_a_grid(tmp_path: Path, direction: str) -> None:
    ramp = sim.Ramp(length=300 * NM, samples=512)
    curves = sim.simulate(sim.Sample(), sim.Instrument(), ramp, n_curves=3, seed=1)[0]
    nrm.process(curves, nrm.Recipe().replace(direction=direction), tmp_path / "r.h5").close()
    with h5py.File(tmp_path / "r.h5") as file:
        group = file["entry"][file["entry"].attrs["default"]]
        assert group.name == "/entry/results"
        signal = group[group.attrs["signal"]]
        axes = list(group.attrs["axes"])
        assert axes[-2:] == ["curve", "depth"]
        assert axes[:-2] == (["."] if direction == "both" else [])
        assert signal.attrs["interpretation"] == "spectrum"
        np.testing.assert_array_equal(group["curve"][()], [0, 1, 2])  # not zeros
        for name in (group.attrs["signal"], *group.attrs["auxiliary_signals"]):
            assert group[name].shape == group[f"{name}_errors"].shape == signal.shape
            assert group[f"{name}_errors"] == group[f"{name}_stderr"]
    results = nrm.open_results(tmp_path / "r.h5")
    assert not [name for name in results.variables if str(name).endswith("_errors")]
    assert set(results["storage_modulus_stderr"].attrs) == {"units", "long_name"}


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray_opens_results_as_they_are(files: tuple[Path, Path], engine: str) -> None:
    with xr.open_datatree(files[1], engine=engine) as tree:
        assert dict(tree["entry/map"].sizes) == {"y": 3, "x": 4}
        assert tree["entry/results/storage_modulus"].dims == ("curve", "depth")


def test_a_turned_scan_has_distances_along_its_axes() -> None:
    row, column = (axis.ravel() for axis in np.indices((3, 4)))
    u, v, turn = column * 1e-6, row * 2e-6, np.radians(30)
    x, y = u * np.cos(turn) - v * np.sin(turn), u * np.sin(turn) + v * np.cos(turn)
    grid = GridOfCurves.of({"row": row, "column": column, "x": x, "y": y})
    assert grid is not None
    (along_y, unit), (along_x, _) = grid.axes
    np.testing.assert_allclose(along_y, [0, 2e-6, 4e-6], atol=1e-15)
    np.testing.assert_allclose(along_x, [0, 1e-6, 2e-6, 3e-6], atol=1e-15)
    assert unit == "m"


@pytest.mark.parametrize("degrees", [0, 30])
def test_missing_places_move_no_axis(degrees: float) -> None:
    row, column = (axis.ravel() for axis in np.indices((4, 4)))
    u, v, turn = 3e-6 + column * 1e-6, 1e-6 + row * 2e-6, np.radians(degrees)
    x, y = u * np.cos(turn) - v * np.sin(turn), u * np.sin(turn) + v * np.cos(turn)
    kept = ~np.isin(np.arange(16), [2, 3, 7])
    grid = GridOfCurves.of({"row": row[kept], "column": column[kept], "x": x[kept], "y": y[kept]})
    assert grid is not None
    (along_y, unit_y), (along_x, unit_x) = grid.axes
    first = (0.0, 0.0) if degrees else (1e-6, 3e-6)
    np.testing.assert_allclose(along_y, first[0] + 2e-6 * np.arange(4), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(along_x, first[1] + 1e-6 * np.arange(4), rtol=1e-9, atol=1e-15)
    assert unit_y == unit_x == "m"


def test_grids_with_gaps_without_places_and_none() -> None:
    row, column = (axis.ravel() for axis in np.indices((3, 4)))
    grid = GridOfCurves.of({"row": row[1:], "column": column[1:]})
    assert grid is not None
    assert [unit for _, unit in grid.axes] == ["", ""]
    image = grid.image(np.arange(1.0, 12.0))
    assert np.isnan(image[0, 0])
    np.testing.assert_array_equal(image.ravel()[1:], np.arange(1.0, 12.0))
    assert GridOfCurves.of({"row": row * 0, "column": column}) is None  # several in a cell
    assert GridOfCurves.of({"row": row - 1, "column": column}) is None  # not known
    assert GridOfCurves.of({}) is None


# NXafm


def test_the_instrument_as_nxafm_has_it(files: tuple[Path, Path]) -> None:
    """Curves and results say the same of it; nothing that is not known is there."""
    told = []
    for path in files:
        with h5py.File(path) as file:
            entry = file["entry"]
            assert entry["definition"].asstr()[()] == "NXafm"
            assert entry["scan_mode"].asstr()[()] == "contact mode"
            assert entry["sample/name"].asstr()[()] == "hard carbon"
            assert entry["sample/type"].asstr()[()] == "simulated data"
            assert not {"hardware", "software"} & set(entry["instrument"])
            lockin = entry["instrument/lockin_amplifier"]
            told.append({name: (v[()], v.attrs.get("units")) for name, v in lockin.items()})
            config = entry["instrument/cantilever/cantilever_config"]
            assert config["spring_constant"][()] == 0.3
            assert config["calibration/sensitivity"][()] == 30e-9
            control = entry["instrument/scan_environment/scan_control"]
            assert control["scan_region/scan_end_x"][()] == pytest.approx(150 * NM)
            assert control["point_force_scan/scan_points_x"][()] == 4
            assert control["point_force_scan/scan_points_y"][()] == 3
    assert told[0].keys() == told[1].keys()
    for name, (value, unit) in told[0].items():  # results have 15 digits
        assert told[1][name] == (pytest.approx(value, rel=1e-14), unit), name
    assert told[0]["reference_frequency"] == (1000.0, "Hz")
    assert told[0]["reference_amplitude"] == (1e-9, "m")
    assert told[0]["reference_phase"] == (pytest.approx(0.1), "rad")
    assert told[0]["sensitivity_factor"] == (1000.0, None)


def test_a_scan_goes_from_its_least_to_its_largest_places(tmp_path: Path) -> None:
    table = {"x": np.array([2e-6, 3e-6, 1e-6]), "y": np.array([6e-6, 4e-6, 5e-6])}
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        write_nxafm(file.create_group("entry"), {}, [], table)
        region = file["entry/instrument/scan_environment/scan_control/scan_region"]
        told = {name: (value[()], value.attrs["units"]) for name, value in region.items()}
    assert told == {
        "scan_start_x": (1e-6, "m"),
        "scan_end_x": (3e-6, "m"),
        "scan_start_y": (4e-6, "m"),
        "scan_end_y": (6e-6, "m"),
    }


def test_the_vendor_is_known_of_its_own_files(samples: Any, tmp_path: Path) -> None:
    nrm.open(samples.volume(rows=2, columns=3, n_ext=16, n_ret=8).path).save(tmp_path / "v.h5")
    with h5py.File(tmp_path / "v.h5") as file:
        for part in ("hardware", "software"):
            assert file[f"entry/instrument/{part}/vendor"].asstr()[()] == "Bruker"


#: Attributes of HDF5's dimension scales, which are in both files.
SCALES = {"@CLASS", "@NAME", "@REFERENCE_LIST", "@DIMENSION_LIST"}
#: What pynxtools says of our files; docs/common-file.md explains each. Of a simulation nobody made
#: the microscope.
COMPLAINTS = {
    "curves.h5": SCALES
    | {
        "instrument/hardware hasn't been supplied",
        "instrument/software hasn't been supplied",
        "preview/AXISNAME hasn't been supplied",
        "preview/DATA hasn't been supplied",
        "NOT valid",
    },
    "results.h5": SCALES
    | {
        "@coordinates",
        "@flag_masks",
        "@flag_meanings",
        "@flag_values",
        "@_FillValue",
        "@calendar",
        "@interpretation",
        "unit of results/start_time",
        "reserved suffix of results/wall_end",
        "reserved suffix of results/baseline_end",
        "attribute results/title",
        "instrument/hardware hasn't been supplied",
        "instrument/software hasn't been supplied",
        "process/program/@program_url hasn't been supplied",
        "map/AXISNAME hasn't been supplied",
        "map/DATA hasn't been supplied",
        "results/AXISNAME hasn't been supplied",
        "results/DATA hasn't been supplied",
        "NOT valid",
    },
}
#: How pynxtools words them, and how they are written above.
WORDS = (
    (r"WARNING: Attribute /entry/\S+/(@\w+) has no documentation\.", r"\1"),
    (r"WARNING: The required \w+ /entry/(\S+) hasn't been supplied\.", r"\1 hasn't been supplied"),
    (r"WARNING: The unit '.*' at /entry/(\S+)/@units does not match .*", r"unit of \1"),
    (r"WARNING: Reserved suffix '_end' was used in /entry/(\S+), .*", r"reserved suffix of \1"),
    (r"ERROR: The type \('(\w+)'\) of '(\S+)' conflicts with the concept .*", r"\1 \2"),
    (r"WARNING: Invalid: The entry `entry` in file `.*` is (NOT valid) .*`NXafm`.*", r"\1"),
)


def test_pynxtools_complains_of_what_the_page_lists(files: tuple[Path, Path]) -> None:
    """Of nothing else, and of all of it; the command pynx is there after pip install pynxtools."""
    pynx = shutil.which("pynx")
    if pynx is None:
        pytest.skip("pynxtools is not installed: no validation against NXafm")
    page = (Path(__file__).parent.parent / "docs" / "common-file.md").read_text(encoding="utf-8")
    for path in files:
        done = subprocess.run([pynx, "validate", path], capture_output=True, text=True, timeout=600)
        found = set()
        for line in filter(str.strip, (done.stdout + done.stderr).splitlines()):
            short = [
                re.sub(words, ours, line) for words, ours in WORDS if re.fullmatch(words, line)
            ]
            found.add(short[0] if short else line)
        assert found == COMPLAINTS[path.name]
        for complaint in found:
            name = complaint.removesuffix(" hasn't been supplied").rpartition("/")[2].lstrip("@")
            assert name in page


# The versions before


def test_curves_of_version_1_0_are_the_same() -> None:
    curves = nrm.open(FROZEN / "curves-1.0.h5")
    assert (len(curves), len(curves.metadata), len(curves.images)) == (15, 16, 1)
    assert len(curves.warnings) == 1  # of the original: more maps lie behind the data
    found = {name: curves.read(name).ravel() for name in curves.channels}
    assert digest(found) == CURVES


def test_results_of_version_2_0_are_the_same(tmp_path: Path) -> None:
    results = nrm.open_results(FROZEN / "results-2.0.h5")
    numbers = {str(n): v.values for n, v in results.variables.items() if v.dtype.kind in "iuf"}
    assert digest(numbers) == RESULTS
    nrm.save(results, tmp_path / "again.h5")
    xr.testing.assert_identical(nrm.open_results(tmp_path / "again.h5").load(), results.load())


def test_a_newer_minor_version_is_opened_with_a_sentence(files: tuple[Path, Path]) -> None:
    for path in files:
        newer = path.with_name(f"newer-{path.name}")
        shutil.copyfile(path, newer)
        with h5py.File(newer, "r+") as file:
            major = str(file.attrs["format_version"]).split(".")[0]
            file.attrs["format_version"] = f"{major}.9"
    assert "(format 1.9)" in nrm.open(files[0].with_name("newer-curves.h5")).warnings[-1]
    results = nrm.open_results(files[1].with_name("newer-results.h5"))
    assert "(format 2.9)" in results.attrs["warnings"].splitlines()[-1]


CURVES = "12512365e9184678d65628f0d292bbc43a1eec58d445a3813d5c384eda8a6958"
RESULTS = "f5e5918807544c60a0797156c29c28f456cffd8d89d949b05e73bc06f2c2d14d"
