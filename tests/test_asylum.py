"""Asylum's Igor waves: real ones, made ones, and those that want to do harm."""

from __future__ import annotations

import random
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from bounds import Bounds, rewrite
from writers.igor import curve, write_wave

import nrm_plugin as nrm
from nrm_importers.asylum import AsylumImporter
from nrm_plugin.testing import check_importer

BOUNDS = Bounds(AsylumImporter())
LABELS = ("Raw", "Defl", "ZSnsr")

SIN, U3, FROM_MAP = (
    "fmt-igor-fd_SiN_FD_plot.ibw",
    "fmt-igor-fd_U3_3_p10004.ibw",
    "IgorIBWReader_ForceCurve.ibw",
)
SPLIT = "SOFA_fdc_data_2_Line0000Point0000"

# ------------------------------------------------------------------ real files


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "n", "borders", "k", "invols", "defl", "zsnsr", "largest"),
    [
        (SIN, 2016, [1009, 2016], 1.1841, 4.499e-8, (-3.272485e-09, -3.268785e-09),
         (1.195691e-06, 1.220308e-06), 6.16631e-09),
        (U3, 10097, [5058, 10097], 0.31451, 2.0364e-7, (-8.917819e-09, -8.922917e-09),
         (-6.415509e-06, -6.098769e-06), 1.778407e-07),
        (FROM_MAP, 1261, [225, 1233, 1261], 0.018189, 1e-7, (-2.700918e-07, -2.722796e-07),
         (4.897278e-06, 4.733791e-06), -2.551239e-07 * 0.018189),
    ],
)  # fmt: skip
def test_real_curves(
    real_files: Path,
    name: str,
    n: int,
    borders: list[int],
    k: float,
    invols: float,
    defl: tuple[float, float],
    zsnsr: tuple[float, float],
    largest: float,
) -> None:
    curves = nrm.open(real_files / "other" / name)
    assert curves.n_samples == n
    assert curves.segments["stop"].tolist() == borders
    assert curves.metadata["spring_constant"] == k
    assert curves.metadata["deflection_sensitivity"] == invols
    volts, force, height = (curves.read(c) for c in ("deflection", "force_normal", "height"))
    np.testing.assert_allclose(volts[[0, -1]] * invols, defl, rtol=3e-7)
    np.testing.assert_allclose(-height[[0, -1]], zsnsr, rtol=1e-6)
    np.testing.assert_allclose(force, volts * invols * k, rtol=1e-9)
    assert force.max() == pytest.approx(largest, rel=1e-6)


@pytest.mark.real
def test_real_triggers(real_files: Path) -> None:
    """Where the instrument turned, above the free level: what it was told, to a few tenths."""
    for name, channel, told in (
        (SIN, "force_normal", 1e-8),
        (U3, "force_normal", 1.8e-7),
        (FROM_MAP, "deflection", 0.15),
    ):
        curves = nrm.open(real_files / "other" / name)
        values, end = curves.read(channel), int(curves.segments["stop"][0])
        assert values[end - 1] - np.median(values[: end // 10]) == pytest.approx(told, rel=0.004)


@pytest.mark.real
def test_what_the_factory_left_is_named(real_files: Path) -> None:
    curves = nrm.open(real_files / "other" / FROM_MAP)
    assert any(
        w.startswith("InvOLS is 100 nm/V, as the instrument leaves") for w in curves.warnings
    )
    assert any("times as fast as the piezo, which cannot be" in w for w in curves.warnings)
    assert curves.segments["kind"].tolist() == ["approach", "retract", "hold"]
    assert curves.curve_table["start_time"][0] == np.datetime64("2016-02-25T14:32:00.083")
    fine = nrm.open(real_files / "other" / SIN)
    assert fine.warnings == ()
    assert fine.curve_table["start_time"][0] == np.datetime64("2020-02-05T10:47:31")


@pytest.mark.real
def test_a_real_split_map(real_files: Path, tmp_path: Path) -> None:
    for name in (f"{SPLIT}Defl.ibw", f"{SPLIT}ZSnsr.ibw", "SOFA_fdc_image_2.ibw"):
        shutil.copy(real_files / "other" / name, tmp_path)
    curves = nrm.open(tmp_path / f"{SPLIT}ZSnsr.ibw")
    assert curves.segments["stop"].tolist() == [996, 2004, 2108]
    assert curves.metadata["spring_constant"] == 15.904
    force = curves.read("force_normal")
    assert force.max() - np.median(force[:99]) == pytest.approx(8.0725e-07, rel=2e-3)
    table = curves.curve_table
    assert (table["x"][0], table["y"][0]) == (-1.57738873114458e-05, -3.28382284694756e-05)
    assert {o.name for o in curves.origins} >= {f"{SPLIT}Defl.ibw", f"{SPLIT}ZSnsr.ibw"}
    # Without the image nothing is invented.
    (tmp_path / "SOFA_fdc_image_2.ibw").unlink()
    bare = nrm.open(tmp_path / f"{SPLIT}Defl.ibw")
    assert bare.channels["deflection"].unit == "m"
    assert "force_normal" not in bare.channels
    assert "spring_constant" not in bare.metadata
    assert any("no image of the map lies beside them" in w for w in bare.warnings)


@pytest.mark.real
def test_images_are_refused_kindly(real_files: Path) -> None:
    with pytest.raises(nrm.InvalidInput, match="is an image of Asylum's software"):
        nrm.open(real_files / "other" / "SOFA_fdc_image_2.ibw")


@pytest.mark.real
def test_real_files_comply(real_files: Path) -> None:
    files = [real_files / "other" / n for n in (SIN, U3, FROM_MAP)]
    check_importer(AsylumImporter(), files)


@pytest.mark.real
@pytest.mark.parametrize("name", [SIN, U3])
def test_another_reader_agrees(real_files: Path, name: str) -> None:
    afmformats = pytest.importorskip("afmformats")
    curves = nrm.open(real_files / "other" / name)
    (other,) = afmformats.load_data(real_files / "other" / name)
    np.testing.assert_allclose(curves.read("force_normal"), other["force"], rtol=1e-6)
    for ours, theirs in (("height", "height (measured)"), ("height_commanded", "height (piezo)")):
        np.testing.assert_allclose(curves.read(ours), other[theirs], rtol=1e-6)


# ------------------------------------------------------------------ made ones


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dwell", [0, 30])
def test_a_curve(tmp_path: Path, order: str, dwell: int) -> None:
    table, note = curve(300, dwell)
    path = write_wave(tmp_path / "a.ibw", table, labels=LABELS, note=note, order=order, name="c01")
    curves = nrm.open(path)
    wide = table.astype(float)
    np.testing.assert_allclose(curves.read("deflection"), wide[:, 1] / 5.1e-8, rtol=1e-12)
    np.testing.assert_allclose(curves.read("force_normal"), wide[:, 1] * 2.5, rtol=1e-12)
    np.testing.assert_array_equal(curves.read("height"), -wide[:, 2])
    np.testing.assert_array_equal(curves.read("height_commanded"), -wide[:, 0])
    np.testing.assert_allclose(curves.read("time"), np.arange(300) * 5e-4, rtol=1e-12)
    kinds = ["approach", "retract", *(["hold"] if dwell else [])]
    assert curves.segments["kind"].tolist() == kinds
    assert curves.segments["start"][1] == (300 - dwell) // 2
    assert curves.metadata["trigger_threshold"] == 1.96
    assert curves.metadata["title"] == "c01"
    assert curves.curve_table["start_time"][0] == np.datetime64("2020-02-05T18:18:49")
    assert curves.warnings == ()
    check_importer(AsylumImporter(), [path])


def test_the_first_of_a_keys_values_is_the_curves(tmp_path: Path) -> None:
    table, note = curve()
    text = "\r".join(f"{k}: {v}" for k, v in note.items()) + "\rSpringConstant: NaN\rXLVDT: 3e-6\r"
    curves = nrm.open(write_wave(tmp_path / "a.ibw", table, labels=LABELS, note=text))
    assert curves.metadata["spring_constant"] == 2.5
    assert curves.curve_table["x"][0] == -1.5e-5


def test_unknown_columns_are_kept(tmp_path: Path) -> None:
    table, note = curve()
    more = np.concatenate([table, table[:, :1] * 2, table[:, 1:2] * 3], axis=1)
    labels = (*LABELS, "Lateral", "UserIn0Retracetrace")
    curves = nrm.open(write_wave(tmp_path / "a.ibw", more, labels=labels, note=note))
    np.testing.assert_array_equal(curves.read("lateral"), more[:, 3].astype(float))
    assert any("Lateral is taken to be in volts" in w for w in curves.warnings)
    np.testing.assert_array_equal(curves.read("userin0retracetrace"), more[:, 4].astype(float))


@pytest.mark.parametrize("where", ["surface", "far end"])
def test_a_dwell_without_directions(tmp_path: Path, where: str) -> None:
    """Three parts whose kinds are not told: how z moves in them tells."""
    table, note = curve(300, 60)
    half = 120
    if where == "surface":
        dwell = np.repeat(table[half - 1 : half], 60, axis=0)
        table = np.concatenate([table[:half], dwell, table[half:-60]])
    del note["Direction"]
    note["Indexes"] = {"surface": "0,119,179,299", "far end": "0,119,239,299"}[where]
    curves = nrm.open(write_wave(tmp_path / "a.ibw", table, labels=LABELS, note=note))
    kinds = {"surface": ["approach", "hold", "retract"], "far end": ["approach", "retract", "hold"]}
    assert curves.segments["kind"].tolist() == kinds[where]


def test_an_empty_dwell(tmp_path: Path) -> None:
    table, note = curve(300)
    note |= {"Indexes": "0,149,149,299,", "Direction": "NaN,1,0,-1,"}
    curves = nrm.open(write_wave(tmp_path / "a.ibw", table, labels=LABELS, note=note))
    assert curves.segments["kind"].tolist() == ["approach", "retract"]
    assert curves.segments["stop"].tolist() == [150, 300]


def test_borders_that_end_long_before_the_curve(tmp_path: Path) -> None:
    table, note = curve(300)
    note |= {"Indexes": "0,20,40", "Direction": "NaN,1,-1"}
    curves = nrm.open(write_wave(tmp_path / "a.ibw", table, labels=LABELS, note=note))
    assert any(
        "no Indexes that fit: the curve is split where z turns" in w for w in curves.warnings
    )
    stops = curves.segments["stop"]
    assert (abs(stops[0] - 150) < 5, stops[1]) == (True, 300)


@pytest.mark.parametrize("labels", [("raw", "DEFLVolts", "LVDT"), ("Raw", "DeflV", "zsnsr")])
def test_other_labels(tmp_path: Path, labels: tuple[str, ...]) -> None:
    """A deflection in volts is no length, and small letters are letters."""
    table, note = curve()
    curves = nrm.open(write_wave(tmp_path / "a.ibw", table, labels=labels, note=note))
    wide = table.astype(float)
    assert curves.channels["deflection"].unit == "V"
    np.testing.assert_array_equal(curves.read("deflection"), wide[:, 1])
    np.testing.assert_allclose(curves.read("force_normal"), wide[:, 1] * 5.1e-8 * 2.5, rtol=1e-12)
    np.testing.assert_array_equal(curves.read("height_sensor"), -wide[:, 2])
    np.testing.assert_array_equal(curves.read("height_commanded"), -wide[:, 0])


def test_an_old_wave_says_what_to_do(tmp_path: Path) -> None:
    head = bytearray(126) + bytes(100)
    struct.pack_into("<hi", head, 0, 2, 210)
    struct.pack_into("<h", head, 14, -sum(struct.unpack("<63h", bytes(head[:126]))))
    (tmp_path / "a.ibw").write_bytes(head)
    with pytest.raises(nrm.InvalidInput, match="a wave of version 2 of Igor's format: save it"):
        nrm.open(tmp_path / "a.ibw")


def test_points_of_a_map_that_do_not_fit(tmp_path: Path) -> None:
    """Samples that are missing at the begin of one channel; a channel of another length."""
    truth = []
    for point in range(3):
        table, note = curve(200, seed=point)
        for column, label in enumerate(LABELS):
            values = table[:, column].copy()
            if (point, label) == (1, "Defl"):
                values[:4] = np.nan
            if (point, label) == (2, "Defl"):
                values = values[:-9]
            name = f"Line0000Point{point:04}{label}.ibw"
            write_wave(tmp_path / name, values, labels=(label,), note={"Indexes": note["Indexes"]})
        truth.append(table)
    curves = nrm.open(tmp_path / "Line0000Point0000Raw.ibw")
    assert curves.row_size.tolist() == [200, 196]
    np.testing.assert_array_equal(curves.read("height", 1), -truth[1][4:, 2].astype(float))
    assert any("1 points lack samples or a channel" in w for w in curves.warnings)


@pytest.mark.parametrize("folders", [False, True])
def test_a_map_of_files(tmp_path: Path, folders: bool) -> None:
    """A file per point and channel; lengths differ, the first samples may have no number yet."""
    image = np.zeros((3, 2, 2), "f4")
    note = {"FMapScanPoints": "3", "SpringConstant": "2.5", "InvOLS": "5.1e-08"}
    labels = ("MapHeight", "MapAdhesion")
    write_wave(tmp_path / "map.ibw", image, labels=labels, note=note)
    truth = []
    for line in range(2):
        where = tmp_path / f"Line{line:04}" if folders else tmp_path
        where.mkdir(exist_ok=True)
        for point in range(3):
            table, about = curve(200 + 10 * point + line, seed=line * 3 + point)
            own = {
                "Indexes": about["Indexes"],
                "XLVDT": f"{point * 1e-6}",
                "YLVDT": f"{line * 1e-6}",
            }
            lead = 3 if (line, point) == (1, 1) else 0
            table[:lead] = np.nan
            truth.append(table[lead:].astype(float))
            for column, label in enumerate(LABELS):
                write_wave(
                    where / f"Line{line:04}Point{point:04}{label}.ibw",
                    table[:, column],
                    labels=(label,),
                    note=own,
                )
    curves = nrm.open(next(tmp_path.rglob("Line0001Point0002Defl.ibw")))
    assert curves.grid == (2, 3)
    assert curves.row_size.tolist() == [len(t) for t in truth]
    table = curves.curve_table
    assert table["row"].tolist() == [0, 0, 0, 1, 1, 1]
    assert table["column"].tolist() == [0, 1, 2] * 2
    np.testing.assert_allclose(table["x"], [0, 1e-6, 2e-6] * 2, atol=1e-15)
    for i, one in enumerate(truth):
        np.testing.assert_allclose(curves.read("force_normal", i), one[:, 1] * 2.5, rtol=1e-12)
        np.testing.assert_array_equal(curves.read("height", i), -one[:, 2])
    # A point without one of the channels is left out, and said.
    next(tmp_path.rglob("Line0000Point0001Defl.ibw")).unlink()
    fewer = nrm.open(next(tmp_path.rglob("Line0001Point0002Defl.ibw")))
    assert fewer.n_curves == 5
    assert fewer.grid is None
    assert any("1 points lack samples or a channel" in w for w in fewer.warnings)


def test_two_images_are_one_too_many(tmp_path: Path) -> None:
    note = {"FMapScanPoints": "3", "SpringConstant": "2.5", "InvOLS": "5.1e-08"}
    for name in "ab":
        write_wave(tmp_path / f"{name}.ibw", np.zeros((3, 2, 2), "f4"), note=note)
    table, _ = curve()
    for column, label in enumerate(LABELS):
        path = tmp_path / f"Line0000Point0000{label}.ibw"
        write_wave(path, table[:, column], labels=(label,))
    curves = nrm.open(path)
    assert "spring_constant" not in curves.metadata
    assert any("2 images of maps lie beside them" in w for w in curves.warnings)
    # Nor does a note say where the curve turns: z does.
    assert curves.segments["kind"].tolist() == ["approach", "retract"]


# ------------------------------------------------------------------ hostile ones


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    table, note = curve(80, 10)
    return write_wave(tmp_path / "a.ibw", table, labels=LABELS, note=note)


def test_no_part_of_a_file_opens(whole: Path) -> None:
    data = whole.read_bytes()
    rng = random.Random(1)
    lengths = [0, 1, 63, 64, 383, 384, 385, len(data) - 1]
    for length in lengths + [rng.randrange(len(data)) for _ in range(60)]:
        rewrite(whole, data[:length])
        BOUNDS.refused(whole)


def test_headers_that_lie(whole: Path) -> None:
    """The sum of the headers finds what was changed; where it fits again, sizes must agree."""
    data = whole.read_bytes()
    rng = random.Random(2)
    for at in range(0, 384, 4):
        for value in (0x7FFFFFFF, -1, -(2**31), 0, 1):
            changed = bytearray(data)
            struct.pack_into("<i", changed, at, value)
            total = sum(struct.unpack("<192h", bytes(changed[:384])))
            if at and rng.random() < 0.7:
                (sum_,) = struct.unpack_from("<h", changed, 2)
                struct.pack_into("<h", changed, 2, (sum_ - total + 0x8000) % 0x10000 - 0x8000)
            rewrite(whole, changed)
            BOUNDS.survives(whole, memory=False)


def test_flipped_bytes(whole: Path) -> None:
    data = whole.read_bytes()
    rng = random.Random(3)
    for _ in range(200):
        changed = bytearray(data)
        for _ in range(rng.choice([1, 3])):
            changed[rng.randrange(384, len(changed))] = rng.randrange(256)
        rewrite(whole, changed)
        BOUNDS.survives(whole, memory=False)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Indexes", "0,5,3,79"),
        ("Indexes", "0,1e300,79"),
        ("Indexes", "0," * 5000),
        ("Indexes", "a,b"),
        ("Direction", "NaN,7,nan,inf"),
        ("Seconds", "1e400"),
        ("Date", "2020-99-99"),
        ("SpringConstant", "-1e99"),
        ("InvOLS", "0"),
        ("InvOLS", "-inf"),
        ("XLVDT", "1e300"),
        ("ScanAngle", "1e308"),
    ],
)
def test_odd_notes(tmp_path: Path, key: str, value: str) -> None:
    table, note = curve(80, 10)
    note[key] = value
    if key == "Seconds":
        del note["Date"]
    path = write_wave(tmp_path / "a.ibw", table, labels=LABELS, note=note)
    curves = BOUNDS.survives(path)
    assert curves is not None or key == "Indexes"
