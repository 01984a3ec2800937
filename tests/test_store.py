"""The common file: loses nothing, opens elsewhere, never half written, never half read."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

import nrm_plugin as nrm
from nrm_plugin import (
    ChangedFile,
    CorruptFile,
    CurveSet,
    Image,
    NrmError,
    OutputError,
    UnknownFormat,
)
from nrm_plugin.columns import FileColumn, FileStamp, RepeatedColumn, Rows
from nrm_plugin.errors import MissingFile
from nrm_plugin.files import opened_hdf5
from nrm_plugin.model import Channel, Origin
from nrm_plugin.store import open_curves, save_curves
from nrm_plugin.store.read_curves import contradictions
from nrm_plugin.tables import SEGMENT
from nrm_plugin.testing import assert_same

NAN = float("nan")
TIMES = np.array(
    ["2025-03-04T09:41:07.123456", "NaT", "1969-12-31T23:59:59", "2025-01-01"], "M8[us]"
)


def everything() -> CurveSet:
    """Four curves of 5, 0, 3 and 4 samples with something of all that a file can hold."""
    n = 12
    rng = np.random.default_rng(1)
    rows = Rows(np.array([5, 0, 3, 4]))
    made = CurveSet.from_arrays(
        {
            "height": (rng.integers(-(2**31), 2**31, n, "i4"), "pm"),
            "deflection": (np.arange(-6, 6, dtype="i2"), "mV"),
            "lateral": (rng.normal(size=n).astype("f4"), "V"),
            "potential": (np.r_[NAN, np.inf, -0.0, 5e-324, rng.normal(size=n - 4)], "V"),
            "current": (np.arange(n, dtype=">u2"), "nA"),
            "odd_counts": (np.arange(n, dtype="u1"), "Arb"),
        },
        row_size=rows.sizes,
        segments=np.array(
            [
                (0, 0, 2, "approach"),
                (0, 2, 5, "hold"),
                (2, 1, 3, "modulation"),
                (3, 0, 4, "retract"),
            ],
            SEGMENT,
        ),
        curve_table={
            "x": [0.0, 1e-6, NAN, 3e-6],
            "y": [0.0] * 4,
            "potential": [0.1, NAN, 0.3, -0.4],
            "start_time": TIMES,
            "cycle": [1, 1, 2, 2],
        },
        metadata={
            "spring_constant": 0.1 + 0.2,
            "title": "Grafit µ-Ω 测试",
            "simulated": True,
            "operator": "K",
        },
        images=[
            Image("Friction", RAW * 0.25 - 1, "V", (3e-6, 2e-6), "trace", RAW),
            Image("Friction", RAW * 1.5, "V", (3e-6, 2e-6), "retrace"),
            Image("Höhe", RAW.astype("f4"), "m"),
        ],
    )
    sensor = replace(made.channels["height"], original="Height Sensor", offset=1e-6)
    made = made.with_channel(sensor).with_channel(replace(sensor, name="height_sensor"))
    shifted = replace(sensor, name="height_commanded", offset=0.0, original="Z", source="ramp")
    return replace(
        made.with_channel(shifted).with_warning("guessed: µ"),
        origins=(
            Origin("a.spm", "bruker", "nrm-plugin 0.1", "\\*Force µ\r\n\\Version: 1\r\n"),
            Origin("b.spm", "bruker", "nrm-plugin 0.1", "", "", "ab" * 32),
        ),
    )


RAW = np.array([[-3, 0, 7], [100, 200, 301]], "i2")


def clock() -> CurveSet:
    """Curves of one length with a clock that is the same for all."""
    rows = Rows.uniform(700, 1000)
    made = CurveSet.from_arrays({"deflection": (np.arange(700_000, dtype="i4"), "V")}, [1000] * 700)
    column = RepeatedColumn(np.arange(1000, dtype="i4"), rows)
    return made.with_channel(Channel("time", "s", column, 1e-3, source="ramp"))


SETS: dict[str, Callable[[], CurveSet]] = {
    "everything": everything,
    "clock": clock,
    "nothing": lambda: CurveSet.from_arrays({}),
    "no curves": lambda: CurveSet.from_arrays({"height": (np.empty((0, 5)), "m")}),
    "empty curves": lambda: CurveSet.from_arrays({"height": (np.empty(0), "m")}, row_size=[0, 0]),
    "height alone": lambda: CurveSet.from_arrays({"height": (np.array([[3.0, 1, 2]]), "m")}),
    "no height": lambda: CurveSet.from_arrays({"deflection": (np.zeros((2, 3), "f2"), "V")}),
    "images": lambda: replace(CurveSet.from_arrays({}), images=everything().images),
}


@pytest.fixture(params=SETS, ids=lambda name: name.replace(" ", "-"))
def curves(request: pytest.FixtureRequest) -> CurveSet:
    return SETS[request.param]()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.h5"


# Nothing is lost


def test_round_trip(curves: CurveSet, path: Path) -> None:
    curves.save(path)
    again = open_curves(path)
    assert_same(curves, again)
    for name in curves.channels:
        assert again.read_raw(name).dtype.itemsize == curves.read_raw(name).dtype.itemsize
        assert again.read_raw(name).tobytes() == curves.read_raw(name).tobytes()
    again.save(path.with_name("again.h5"))
    assert_same(curves, open_curves(path.with_name("again.h5")))


@pytest.mark.parametrize("step", [1, -2, 3])
def test_a_part_is_the_same_rows_of_the_whole(curves: CurveSet, path: Path, step: int) -> None:
    """Saved and opened again, a part is what the saved whole gives for the same curves."""
    part = curves[::step]
    part.save(path)
    assert_same(part, open_curves(path))
    curves.save(path)
    assert_same(part, open_curves(path)[::step])
    assert_same(curves[1:][::step], open_curves(path)[1:][::step])


def test_truth_of_everything(path: Path) -> None:
    """The same, against values written down here."""
    everything().save(path)
    again = nrm.open(path)
    assert again.row_size.tolist() == [5, 0, 3, 4]
    assert again.read("deflection", 2).tolist() == [-1 * 1e-3, 0.0, 1e-3]
    assert again.segments["kind"].tolist() == ["approach", "hold", "modulation", "retract"]
    np.testing.assert_array_equal(again.curve_table["start_time"], TIMES)
    np.testing.assert_array_equal(again.curve_table["potential"], [0.1, NAN, 0.3, -0.4])
    assert again.metadata["title"] == "Grafit µ-Ω 测试"
    assert again.metadata["simulated"] is True
    assert again.metadata_source["operator"] == "given"
    assert [(i.name, i.direction) for i in again.images] == [
        ("Friction", "trace"),
        ("Friction", "retrace"),
        ("Höhe", ""),
    ]
    np.testing.assert_array_equal(again.images[0].raw, RAW)
    assert again.header == "\\*Force µ\r\n\\Version: 1\r\n"
    assert again.channels["height_commanded"].source == "ramp"
    with h5py.File(path) as file:
        group = file["entry/curves"]
        assert group["height"] == group["height_sensor"]  # one column, two names
        assert group["height"] != group["height_commanded"]


def test_numbers_that_repeat_take_no_room(path: Path) -> None:
    clock().save(path)
    assert path.stat().st_size < 4 * 700_000 * 1.1
    np.testing.assert_array_equal(nrm.open(path).read("time", 699), np.arange(1000) * 1e-3)
    with h5py.File(path) as file:  # pieces of 2 MB at most, of whole curves
        assert file["entry/curves/time"].chunks == (2**18 // 1000 * 1000,)


def test_odd_texts(path: Path) -> None:
    """NUL, and file names that are not UTF-8."""
    made = CurveSet.from_arrays({"height": (np.zeros(2), "m")}, metadata={"title": "a\0b"})
    made = replace(made, origins=(Origin("caf\udce9.spm", header="x\0y"),)).with_warning("\udce9")
    made.save(path)
    again = nrm.open(path)
    assert again.metadata["title"] == "ab"
    assert again.origins[0].name == "caf\\udce9.spm"
    assert again.header == "xy"


def test_many_warnings(path: Path) -> None:
    texts = tuple(f"file {i}: odd" for i in range(5000))
    replace(CurveSet.from_arrays({}), warnings=texts).save(path)
    assert nrm.open(path).warnings == texts


def test_hash_of_the_original(samples: Any, path: Path) -> None:
    truth = samples.volume(rows=2, columns=3, n_ext=16, n_ret=8)
    digest = hashlib.sha256(truth.path.read_bytes()).hexdigest()
    nrm.open(truth.path).save(path)
    with h5py.File(path) as file:
        source = {name: file["entry/source"][name].asstr()[0] for name in ("name", "sha256")}
        header = file["entry/source/header"].asstr()[0]
    assert source == {"name": "volume.spm", "sha256": digest}
    assert header.startswith("\\*Force file list")
    nrm.open(path).save(path)  # the original's hash, not the copy's
    assert nrm.open(path).origins[0].sha256 == digest


# It opens elsewhere


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray(curves: CurveSet, path: Path, engine: str) -> None:
    if engine == "netcdf4":
        pytest.importorskip("netCDF4")
    curves.save(path)
    with xr.open_datatree(path, engine=engine) as tree:
        names = {str(d) for node in tree.subtree for d in node.dims}
        assert not [n for n in names if n.startswith(("phony", "dim"))]
        data = tree["entry/curves"]
        sizes = {"curve": curves.n_curves, "sample": curves.n_samples}
        assert {d: data.sizes[d] for d in data.sizes} == {
            d: n for d, n in sizes.items() if d in data.sizes
        }
        np.testing.assert_array_equal(data["row_size"], curves.row_size)
        for name, channel in curves.channels.items():
            assert data[name].dims == ("sample",)
            assert data[name].attrs["units"] == channel.unit
            np.testing.assert_array_equal(data[name].values, curves.read(name))
        table = curves.curve_table
        np.testing.assert_array_equal(data["x"], table["x"])
        np.testing.assert_array_equal(data["start_time"].astype("M8[us]"), table["start_time"])
        kinds = tree["entry/segments/kind"]
        words = np.array(kinds.attrs["flag_meanings"].split())
        np.testing.assert_array_equal(words[kinds.values.astype(int)], curves.segments["kind"])
        for number, image in enumerate(curves.images):
            shown = tree[f"entry/images/image_{number:03d}/data"]
            assert shown.dims == ("y", "x")
            np.testing.assert_array_equal(shown.values, image.data)


def nodes(file: h5py.File) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    found: list[tuple[str, Any]] = []
    file.visititems(lambda name, node: found.append((name, node)))
    yield from found


#: Groups of this package's own; the others are those of NXafm.
OURS = {"curves", "segments", "metadata", "images", "source", "preview"}
OF_NXAFM = {
    "NXinstrument",
    "NXfabrication",
    "NXlockin",
    "NXspm_cantilever",
    "NXspm_cantilever_config",
    "NXcalibration",
    "NXenvironment",
    "NXspm_scan_control",
    "NXspm_scan_region",
    "NXspm_scan_pattern",
    "NXsample",
}


def test_nexus(curves: CurveSet, path: Path) -> None:
    """Structure as NeXus has it: classes, names, units, and a default plot that can be drawn."""
    curves.save(path)
    classes = {"NXroot", "NXentry", "NXcollection", "NXdata", *OF_NXAFM}
    with h5py.File(path) as file:
        assert file.attrs["NX_class"] == "NXroot"
        assert file["entry"].attrs["NX_class"] == "NXentry"
        for name, node in nodes(file):
            last = name.rsplit("/")[-1]
            assert re.fullmatch(r"[a-zA-Z0-9_]([a-zA-Z0-9_.]*[a-zA-Z0-9_])?", last), name
            assert len(last) <= 63
            if isinstance(node, h5py.Group):
                assert node.attrs["NX_class"] in classes, name
            elif name.split("/")[1] in OURS:
                assert isinstance(node.attrs["units"], str), name
                assert isinstance(node.attrs["long_name"], str), name
            else:  # as NXafm has it: quantities have units, words have none
                assert ("units" in node.attrs) == (node.dtype.kind == "f"), name
        data = file[file.attrs["default"]]
        if not curves.n_samples and not curves.images:
            assert "default" not in data.attrs  # there is nothing to draw
            return
        data = data[data.attrs["default"]]
        assert data.attrs["NX_class"] == "NXdata"
        signal = data[data.attrs["signal"]]
        assert signal.dtype == np.float64  # physical values, never raw integers
        assert "scale_factor" not in signal.attrs
        axes = list(data.attrs["axes"])
        assert len(axes) == signal.ndim
        for axis, length in zip(axes, signal.shape, strict=True):
            assert data[axis].shape == (length,)


@pytest.mark.parametrize(
    ("name", "signal", "values", "axis", "along"),
    [
        ("everything", "deflection", [-6e-3, -5e-3], "height", None),
        ("no height", "deflection", [0, 0, 0], "sample", [0, 1, 2]),
        ("height alone", "height", [3, 1], "sample", [0, 1]),
        ("images", "image", RAW * 0.25 - 1, "y", [0.5e-6, 1.5e-6]),
    ],
)
def test_default_plot(
    name: str, signal: str, values: Any, axis: str, along: Any, path: Path
) -> None:
    """The first curve's approach against the height, or the first image."""
    made = SETS[name]()
    made.save(path)
    with h5py.File(path) as file:
        data = file["entry/preview"]
        assert data.attrs["signal"] == signal
        assert data.attrs["axes"][0] == axis
        np.testing.assert_allclose(data[signal][()], values, rtol=1e-14)
        if along is None:
            along = made.read("height", 0)[:2]
        np.testing.assert_allclose(data[axis][()], along, rtol=1e-14)


# What is no common file of ours, or no longer one


def rewrite(path: Path, change: Callable[[h5py.File], None]) -> None:
    with h5py.File(path, "r+") as file:
        change(file)


def set_version(text: str) -> Callable[[h5py.File], None]:
    return lambda file: file.attrs.update(format_version=text)


def test_newer_major_version_is_refused_by_name(path: Path) -> None:
    everything().save(path)
    rewrite(path, set_version("2.0"))
    with pytest.raises(
        CorruptFile, match=r"version 2\.0, made by a newer nrm-plugin: update it\.$"
    ):
        nrm.open(path)


def test_newer_minor_version_warns(path: Path) -> None:
    everything().save(path)
    rewrite(path, set_version("1.7"))
    again = nrm.open(path)
    assert "format 1.7" in again.warnings[-1]
    np.testing.assert_array_equal(again.read("deflection"), everything().read("deflection"))


def shorten(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        values = file[name][:-1]
        del file[name]
        file[name] = values

    return change


def put(name: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[name][...] = value

    return change


def remove(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]

    return change


def read_all(curves: CurveSet) -> None:
    for name in curves.channels:
        curves.read(name)
    for image in curves.images:
        _ = image.data
    _ = curves.segments, curves.curve_table


@pytest.mark.parametrize(
    "change",
    [
        set_version("x"),
        remove("entry/curves/row_size"),
        remove("entry/segments"),
        remove("entry/metadata"),
        remove("entry/source"),
        remove("entry/images/image_000/data"),
        shorten("entry/curves/row_size"),
        shorten("entry/curves/x"),
        shorten("entry/segments/stop"),
        put("entry/curves/row_size", -1),
        put("entry/curves/row_size", 2**60),
        put("entry/segments/kind", 200),
        put("entry/segments/curve", 77),
        put("entry/curves/start_time_source", 99),
        put("entry/metadata/spring_constant", -5.0),
        lambda file: file["entry/curves"].attrs.update(grid=[2, 3]),
        lambda file: file["entry/curves/deflection"].attrs.__delitem__("units"),
        lambda file: file["entry/curves/deflection"].attrs.update(scale_factor="many"),
    ],
)
def test_contradictions_are_named(path: Path, change: Callable[[h5py.File], None]) -> None:
    everything().save(path)
    rewrite(path, change)
    with pytest.raises(NrmError):
        read_all(nrm.open(path))


def test_foreign_hdf5(tmp_path: Path) -> None:
    for name in ("other.h5", "other.nxs"):
        with h5py.File(tmp_path / name, "w") as file:
            file["data"] = [1, 2, 3]
        with pytest.raises(UnknownFormat):
            nrm.open(tmp_path / name)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are of other systems")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="can be read twice"):
        opened_hdf5(a_pipe(tmp_path))


@pytest.mark.parametrize("part", [0.0005, 0.01, 0.2, 0.5, 0.9, 0.999])
def test_cut_file(path: Path, part: float) -> None:
    everything().save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    with pytest.raises(CorruptFile):
        nrm.open(path)


DAMAGE = """
import sys, numpy as np, nrm_plugin as nrm
from pathlib import Path
whole = Path(sys.argv[1]).read_bytes()
rng = np.random.default_rng(5)
path = Path(sys.argv[2])
for _ in range(60):
    data = bytearray(whole)
    at = int(rng.integers(len(data)))
    for i in range(at, min(len(data), at + int(rng.integers(1, 40)))):
        data[i] = int(rng.integers(256))
    path.write_bytes(data)
    try:
        curves = nrm.open(path)
        for name in curves.channels:
            curves.read(name)
        curves.segments, curves.curve_table, [i.data for i in curves.images]
    except nrm.NrmError:
        pass
print("survived")
"""


def script(code: str, *arguments: str | Path) -> str:
    """Run a program in a process of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_damaged_file(path: Path) -> None:
    """Bytes changed anywhere: values or a named error, nothing else."""
    everything().save(path)
    assert script(DAMAGE, path, path.with_name("damaged.h5")) == "survived\n"


@pytest.mark.parametrize("change", [Path.unlink, lambda p: os.truncate(p, 900), Path.touch])
def test_file_changed_since_opening(path: Path, change: Callable[[Path], None]) -> None:
    everything().save(path)
    again = nrm.open(path)
    os.utime(path, ns=(1, 1))
    again = nrm.open(path)
    change(path)
    for read in (
        lambda: again.read("deflection"),
        lambda: again.segments,
        lambda: again.curve_table,
        lambda: again.images[0].data,
    ):
        with pytest.raises(ChangedFile):
            read()


# Writing goes well or leaves everything as it was


def test_overwrite(path: Path) -> None:
    save_curves(everything(), path, overwrite=False)
    before = path.read_bytes()
    for save in (
        lambda: everything().save(path, overwrite=False),
        lambda: nrm.save(everything(), path, overwrite=False),
    ):
        with pytest.raises(OutputError, match="--overwrite"):
            save()
    assert path.read_bytes() == before
    clock().save(path)
    assert nrm.open(path).n_curves == 700


@pytest.mark.parametrize("parts", [2, 1])
def test_saving_over_the_file_one_reads_from(path: Path, parts: int) -> None:
    """The new file replaces the old one; curves that still point to the old one say so."""
    everything().save(path)
    opened = nrm.open(path)
    curves = opened.with_metadata({"spring_constant": 0.7}, "--set")
    if parts == 2:
        curves = nrm.join([curves, curves])
    curves.save(path)
    again = nrm.open(path)
    assert again.metadata["spring_constant"] == 0.7
    assert again.n_curves == 4 * parts
    expected = np.tile(everything().read("height"), parts)
    np.testing.assert_array_equal(again.read("height"), expected)
    with pytest.raises(ChangedFile):
        opened.read("height")


@pytest.mark.parametrize("exporter", [nrm.save, lambda c, p: c.save(p)])
def test_a_vendor_file_overwritten_by_its_own_conversion(
    samples: Any, exporter: Callable[[CurveSet, Path], None]
) -> None:
    truth = samples.volume("volume.h5", rows=2, columns=2, n_ext=16, n_ret=8)
    expected = nrm.open(truth.path).read("deflection")
    exporter(nrm.open(truth.path), truth.path)
    np.testing.assert_array_equal(nrm.open(truth.path).read("deflection"), expected)


def parent_is_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("x")
    return tmp_path / "file" / "out.h5"


def a_folder(tmp_path: Path) -> Path:
    (tmp_path / "folder.h5").mkdir()
    return tmp_path / "folder.h5"


def a_pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe.h5")
    return tmp_path / "pipe.h5"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and /proc are of other systems")
@pytest.mark.parametrize(
    "place",
    [
        parent_is_a_file,
        a_folder,
        a_pipe,
        lambda tmp: tmp / "missing" / "out.h5",
        lambda tmp: tmp / "nul\0.h5",
        lambda tmp: tmp / ("x" * 300 + ".h5"),
        lambda tmp: Path("/proc/out.h5"),
    ],
)
def test_places_that_cannot_be_written(tmp_path: Path, place: Callable[[Path], Path]) -> None:
    with pytest.raises(OutputError):
        everything().save(place(tmp_path))
    assert not list(tmp_path.glob("*.part*"))


def test_a_long_name(tmp_path: Path) -> None:
    """Whatever the disk takes as a name, the temporary one beside it fits too."""
    path = tmp_path / ("测" * 80 + ".h5")
    everything().save(path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_failure_midway_leaves_the_old_file(path: Path, tmp_path: Path) -> None:
    """The vendor's file is gone when the writer comes to its channel."""
    path.write_bytes(b"precious")
    source = tmp_path / "source.bin"
    source.write_bytes(bytes(80))
    column = FileColumn.regular(FileStamp.of(source), np.dtype("<i2"), 0, 4, [(0, 10, False)])
    source.unlink()
    made = CurveSet(column.rows, {"deflection": Channel("deflection", "V", column)})
    with pytest.raises(ChangedFile):
        made.save(path)
    assert path.read_bytes() == b"precious"
    assert not list(tmp_path.glob(".*"))


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np, nrm_plugin as nrm
folder = Path(sys.argv[1])
curves = nrm.CurveSet.from_arrays({"height": (np.arange(900_000.0).reshape(900, 1000), "nm"),
                                   "deflection": (np.zeros((900, 1000), "i4"), "V")})
curves.save(folder / "whole.h5")
size = (folder / "whole.h5").stat().st_size
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for name, save in (("out.h5", curves.save), ("out.csv", lambda p: nrm.save(curves, p))):
    path = folder / name
    path.write_bytes(b"precious")
    for limit in (0, 1, 5000, size // 3, size // 2, size - 5000, size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            save(path)
        except nrm.OutputError as error:
            outcome = "refused"
        else:
            outcome = "written"
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        print(outcome, path.read_bytes()[:8] == b"precious")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
curves.save(folder / "out.h5")
print(nrm.open(folder / "out.h5").n_samples, sorted(p.name for p in folder.iterdir()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes to play a full disk")
def test_full_disk(tmp_path: Path) -> None:
    """A limit on file sizes plays the full disk, from the first byte to the last."""
    lines = script(FULL_DISK, tmp_path).splitlines()
    assert lines[:-1] == ["refused True"] * 14
    assert lines[-1] == "900000 ['out.csv', 'out.h5', 'whole.h5']"


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
import numpy as np, nrm_plugin as nrm
folder, kills = Path(sys.argv[1]), int(sys.argv[2])
from nrm_plugin.store import open_curves
curves = open_curves(folder / "new.h5")
curves.segments, curves.curve_table
path = folder / "out.h5"

def save_and_count(last):
    # Count the calls that Python makes while it saves; die at the one of number `last`.
    done = 0
    def tick(frame, event, argument):
        nonlocal done
        done += 1
        if done == last:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(tick)
    curves.save(path)
    sys.setprofile(None)
    return done

save_and_count(-1)
total = save_and_count(-1)
spread = [round(1 + total * k / (kills - 60)) for k in range(kills - 60)]
for k, last in enumerate([*spread, *range(total - 60, total)]):  # the end is when it matters most
    path.unlink(missing_ok=True)
    if k % 2:
        shutil.copy(folder / "old.h5", path)
    child = os.fork()
    if not child:
        save_and_count(last)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, k % 2)
    if path.exists():
        shutil.copy(path, folder / f"after_{k}.h5")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need fork")
def test_killed_while_writing(tmp_path: Path) -> None:
    """SIGKILL at 76 moments of the writing: the old file, nothing, or all of the new."""
    kills = 76
    everything().save(tmp_path / "old.h5")
    rng = np.random.default_rng(2)
    new = CurveSet.from_arrays({"deflection": (rng.integers(0, 9, (50, 99), "i2"), "V")})
    new.save(tmp_path / "new.h5")
    old = (tmp_path / "old.h5").read_bytes()
    lines = [line.split() for line in script(KILLED, tmp_path, kills).splitlines()]
    assert len(lines) == kills
    assert [signal for signal, _ in lines] == ["9"] * kills  # they did die
    outcomes = []
    for k, (_, was_there) in enumerate(lines):
        after = tmp_path / f"after_{k}.h5"
        if not after.exists():
            assert was_there == "0"
            outcomes.append("nothing")
        elif after.read_bytes() == old:
            assert was_there == "1"
            outcomes.append("old")
        else:
            assert_same(open_curves(after), open_curves(tmp_path / "new.h5"))
            outcomes.append("new")
    assert outcomes.count("old") >= 8
    assert outcomes.count("nothing") >= 8


def test_progress(path: Path) -> None:
    seen: list[tuple[int, int]] = []
    save_curves(everything(), path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(12 * i, 84) for i in range(1, 8)]  # eight channels, two of them one column


def test_nothing_stays_open(path: Path) -> None:
    everything().save(path)
    read_all(nrm.open(path))
    with h5py.File(path, "r+") as file:  # HDF5 locks what is open elsewhere
        assert file["entry"].attrs["NX_class"] == "NXentry"


#: A drive on which nothing can be locked.
NO_LOCKS = """
#include <errno.h>
int flock(int file, int how) { (void)file; (void)how; errno = ENOLCK; return -1; }
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("cc"), reason="needs Linux and a C compiler"
)
def test_a_drive_without_locks(tmp_path, samples):
    source = samples.single().path
    curves = nrm.open(source)
    curves.save(tmp_path / "a.h5")
    (tmp_path / "no_locks.c").write_text(NO_LOCKS)
    library = tmp_path / "no_locks.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "no_locks.c"], check=True)
    code = "import sys, nrm_plugin as n; print(n.open(sys.argv[1]).read('deflection').sum())"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.h5"],
        env=os.environ | {"LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert float(done.stdout) == curves.read("deflection").sum()


@pytest.mark.parametrize("number", ["EIO", "ESTALE", "EACCES", "ENOLCK"])
def test_a_drive_that_fails_is_no_damaged_file(tmp_path, number):
    path = tmp_path / "a.h5"
    with pytest.raises(nrm.MissingFile, match="drive") as caught, contradictions(path):
        raise OSError(getattr(errno, number), f"errno = {getattr(errno, number)}")
    assert "damaged" not in str(caught.value)


def test_a_file_that_is_written_meanwhile_is_no_damaged_file(tmp_path, samples):
    nrm.open(samples.single().path).save(tmp_path / "a.h5")
    code = "import h5py, sys; f = h5py.File(sys.argv[1], 'r+'); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "a.h5"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdout.readline()
        try:
            with pytest.raises(nrm.MissingFile, match="another program is writing"):
                nrm.open(tmp_path / "a.h5")
        finally:
            writer.stdin.write(b"\n")
            writer.stdin.close()
