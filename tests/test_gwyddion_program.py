"""Round trips through the real Gwyddion: what it saves of our files is what we wrote.

Debian's ``gwyddion`` runs without a display. Where it is not installed, these tests skip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import gwyfile
import numpy as np
import pytest
from writers import gwyddion
from writers.gwyddion import assert_saved

import nrm_plugin as nrm
from nrm_plugin import formats
from nrm_plugin.images import Image

PROGRAM = shutil.which("gwyddion")
SAMPLES = Path(__file__).resolve().parent.parent / "sample_data"
FILES = sorted(
    p
    for p in SAMPLES.rglob("*")
    if p.is_file() and p.parent.name not in ("sample_data", "potentiostat", "__pycache__")
)

pytestmark = [
    pytest.mark.gwyddion,
    pytest.mark.skipif(PROGRAM is None, reason="the program gwyddion is not installed"),
]


@pytest.fixture
def resaved(tmp_path: Path) -> Any:
    """Let Gwyddion load files and save them as one .gwy; returns that."""

    def run(*paths: Path, quiet: bool = True) -> Path:
        assert PROGRAM is not None
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        out = tmp_path / f"resaved-{len(list(tmp_path.iterdir()))}.gwy"
        environment = {k: v for k, v in os.environ.items() if k != "DISPLAY"} | {"HOME": str(home)}
        done = subprocess.run(
            [PROGRAM, f"--convert-to-gwy={out}", *map(str, paths)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        if quiet:
            assert done.stderr.strip() == ""
        return out

    return run


def round_trip(curves: nrm.CurveSet, folder: Path, resaved: Any) -> None:
    """What we write, we read; what Gwyddion makes of it, too."""
    path = folder / "ours.gwy"
    formats.save(curves, path)
    assert_saved(curves, nrm.open(path))
    assert_saved(curves, nrm.open(resaved(path)))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_each_sample(path: Path, tmp_path: Path, resaved: Any) -> None:
    round_trip(nrm.open(path), tmp_path, resaved)


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    [
        "bruker/20200903_Egel2.0_00023.repaired.spm",
        "bruker/cr00028.000",
        "bruker/si.0_00144.spm",
        "park/ForceCurve_009.tiff",
        "park/example_ps.tiff",
        "gwyddion/gwyddion262_from_Egel_FV_repaired.gwy",
        "gwyddion/gwyddion262_from_IgorIBWReader_ForceCurve.ibw.gwy",
        "gwyddion/gwyddion262_from_si.0_00144.spm.gwy",
        "gwyddion/gwyfile_test.gwy",
        "gwyddion/GwiddionReader_chip.gwy",
    ],
)
def test_each_real_file(name: str, real_files: Path, tmp_path: Path, resaved: Any) -> None:
    round_trip(nrm.open(real_files / name), tmp_path, resaved)


def test_ragged_map_with_empty_pixels_and_a_channel_without_unit(
    tmp_path: Path, resaved: Any
) -> None:
    """Gwyddion 2.62 saves a map with an empty unit so that nobody can read it: we give it one."""
    sizes = np.array([9, 0, 7, 3, 0, 12])
    n, number = int(sizes.sum()), np.arange(6)
    curves = nrm.CurveSet.from_arrays(
        {
            "count": (np.arange(n) * 1.5, ""),
            "input": (np.r_[np.nan, np.inf, -0.0, np.arange(n - 3) * 0.1], "V"),
            "lateral_phase": (np.arange(n) * 0.1, "rad"),
            "conductance": (np.arange(n) * 0.2, "A/V"),
        },
        row_size=sizes,
        curve_table={"row": number // 3, "column": number % 3},
        images=[Image("Grafit µ", np.arange(6.0).reshape(2, 3), "")],
    )
    round_trip(curves, tmp_path, resaved)


def test_many_segments(tmp_path: Path, resaved: Any) -> None:
    kinds = ["approach", "modulation", "hold", "modulation", "retract", "other"]
    segments = np.array(
        [(c, 5 * s, 5 * s + 5, k) for c in range(4) for s, k in enumerate(kinds[c:])],
        [("curve", "i8"), ("start", "i8"), ("stop", "i8"), ("kind", "U10")],
    )
    number = np.arange(4)
    table = {
        "row": number // 2,
        "column": number % 2,
        "x": number % 2 * 1e-9,
        "y": number // 2 * 1e-9,
    }
    for places in (table, {}):
        curves = nrm.CurveSet.from_arrays(
            {"height": (np.random.default_rng(1).random((4, 30)), "µm")},
            segments=segments,
            curve_table=places,
        )
        round_trip(curves, tmp_path, resaved)


@pytest.mark.parametrize("container", ["GWYP", "GWYO"])
def test_gwyddion_reads_what_the_tests_write(container: str, tmp_path: Path, resaved: Any) -> None:
    """The files on which the importer is tested are such as Gwyddion takes."""
    names = ("map", "volume", "graphs", "time_graphs", "images", "spectra")
    makers = [getattr(gwyddion, f"example_{name}") for name in names]
    for number, make in enumerate(makers):
        path = tmp_path / f"{number}.gwy"
        make(path, container=container)
        ours, theirs = nrm.open(path), nrm.open(resaved(path))
        assert_saved(ours, theirs)
        assert ours.n_samples or ours.images
        assert ours.warnings == theirs.warnings


def test_a_map_with_an_empty_unit_breaks_in_gwyddion_2(tmp_path: Path, resaved: Any) -> None:
    truth = gwyddion.example_map(tmp_path / "a.gwy", units=["m", "", "V"], images=False)
    broken = resaved(truth.path, quiet=False)
    curves = nrm.open(broken)
    np.testing.assert_array_equal(curves.row_size, [36] * 6)
    name = "gwyddion_deflection"
    np.testing.assert_array_equal(curves.read(name), truth.signal("Deflection"))


@pytest.mark.real
def test_nanoscope_curve_by_gwyddion(real_files: Path, resaved: Any) -> None:
    """Graphs: force already, both halves from far to near; turned to the order of time here."""
    source = real_files / "bruker" / "cr00028.000"
    truth, curves = nrm.open(source), nrm.open(resaved(source))
    assert curves.n_samples == truth.n_samples == 8192
    assert curves.segments.tolist() == truth.segments.tolist()
    per_volt = truth.metadata["deflection_sensitivity"] * truth.metadata["spring_constant"]
    np.testing.assert_allclose(
        curves.read("force_normal"), truth.read("deflection") * per_volt, rtol=1e-9, atol=1e-20
    )
    np.testing.assert_allclose(
        curves.read("height_sensor"), truth.read("height_sensor"), rtol=1e-9, atol=1e-20
    )
    ours, theirs = truth.read("height_commanded"), curves.read("height_commanded")
    np.testing.assert_allclose(np.diff(theirs), np.diff(ours), rtol=1e-6, atol=1e-15)
    assert curves.metadata["height_source"] == "sensor"
    assert not curves.warnings


@pytest.mark.real
def test_uncalibrated_nanoscope_curve_by_gwyddion(real_files: Path, resaved: Any) -> None:
    """Its deflection sensitivity is 1: Gwyddion's newtons are volts, and no force here."""
    curves = nrm.open(resaved(real_files / "bruker" / "si.0_00177.spm"))
    assert "force_normal" not in curves.channels
    assert any("open the original file" in warning for warning in curves.warnings)


@pytest.mark.real
def test_jpk_curve_by_gwyddion(real_files: Path, resaved: Any) -> None:
    """Six graphs are six signals of one curve; Gwyddion 2.62 has lost all of their units."""
    curves = nrm.open(resaved(real_files / "other" / "fmt-jpk-sr_cell1-0008.jpk-force"))
    assert (curves.n_curves, curves.n_samples) == (1, 2048 + 1951)
    assert [c.original for c in curves.channels.values()][:3] == [
        "vDeflection",
        "hDeflection",
        "aux3",
    ]
    assert curves.segments["kind"].tolist() == ["approach", "retract"]
    force, height = curves.read("vdeflection"), curves.read("calibrated")
    assert np.argmax(force) in range(2000, 2100)  # pressed hardest where the approach ends
    assert (np.diff(height[:2048]) <= 0).all()
    assert any("has no unit" in warning for warning in curves.warnings)


@pytest.mark.real
def test_igor_curve_by_gwyddion(real_files: Path, resaved: Any) -> None:
    curves = nrm.open(resaved(real_files / "other" / "fmt-igor-fd_U3_3_p10004.ibw"))
    assert curves.segments["kind"].tolist() == ["approach", "retract"]
    turn = int(curves.segments["stop"][0])
    assert abs(int(np.argmax(curves.read("deflection"))) - turn) < 5
    assert set(curves.channels) == {
        "height",
        "height_sensor",
        "height_commanded",
        "deflection",
        "time",
    }


@pytest.mark.real
def test_gwyddion_shows_the_same(real_files: Path, resaved: Any) -> None:
    """Gwyddion's own reading of each file of its format, as gwyfile sees it, against ours."""
    for path in sorted((real_files / "gwyddion").glob("*.gwy")):
        root, curves = gwyfile.load(str(resaved(path))), nrm.open(path)
        keys = sorted(k for k in root if k.endswith("/data") and k.count("/") == 2)
        assert len(keys) == len(curves.images)
        for key, image in zip(keys, curves.images, strict=True):
            np.testing.assert_array_equal(root[key].data[::-1], image.data)
            field = root[key]
            if "si_unit_xy" in field and field["si_unit_xy"]["unitstr"] == "m":
                assert (field["xreal"], field["yreal"]) == image.size
            unit = field["si_unit_z"]["unitstr"] if "si_unit_z" in field else ""
            assert unit == image.unit
        if "/lawn/0" in root:
            np.testing.assert_array_equal(root["/lawn/0"]["data"], curves.read("deflection"))
