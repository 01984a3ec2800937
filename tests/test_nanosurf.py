"""Nanosurf's .nid files: the one real one, made ones, and those that want to do harm."""

from __future__ import annotations

import random
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from bounds import Bounds, rewrite
from writers.nanosurf import made, write_nid

import nrm_plugin as nrm
from nrm_importers.nanosurf import NanosurfImporter
from nrm_plugin.testing import check_importer

BOUNDS = Bounds(NanosurfImporter())


@pytest.mark.parametrize("bits", [16, 32])
def test_curves(tmp_path: Path, bits: int) -> None:
    path, forces = made(tmp_path / "a.nid", bits=bits)
    curves = nrm.open(path)
    assert curves.importer == "nanosurf"
    assert curves.row_size.tolist() == [200, 193, 186]
    for i, force in enumerate(forces):
        np.testing.assert_allclose(curves.read("force_normal", i), force, rtol=1e-12, atol=1e-20)
        np.testing.assert_allclose(
            curves.read("deflection", i), force / 2.5, rtol=1e-12, atol=1e-20
        )
        height = curves.read("height", i)
        top = 100 - 7 * i
        down = -np.linspace(-2e-6, -1e-6, 100)[:top]
        # The converter of the sensor has 28 um in so many counts.
        np.testing.assert_allclose(height[:top], down, atol=0.51 * 2.8e-5 / 2.0**bits)
        np.testing.assert_allclose(height[[top, -1]], [down[-1], 2e-6], atol=2.8e-5 / 2.0**bits)
        ramp = curves.read("height_commanded", i)
        # Commanded z rises from 1 um by the line's own range, and comes back.
        np.testing.assert_allclose(ramp[[0, -1]], -1e-6, rtol=1e-9)
        np.testing.assert_allclose(ramp[[top - 1, top]], -1e-6 - np.ptp(down), rtol=1e-9)
    assert curves.segments["kind"].tolist() == ["approach", "retract"] * 3
    np.testing.assert_allclose(curves.read("time", 1)[[1, 93, 94]], [0.01, 0.925, 0.93], rtol=1e-9)
    assert curves.metadata["spring_constant"] == 2.5
    assert curves.curve_table["start_time"][0] == np.datetime64("2020-12-10T15:16:40")
    check_importer(NanosurfImporter(), [path])


def test_without_a_spring_constant_there_is_a_force_alone(tmp_path: Path) -> None:
    path, _ = made(tmp_path / "a.nid", stiffness=None)
    curves = nrm.open(path)
    assert "deflection" not in curves.channels
    assert "force_normal" in curves.channels
    assert any("the spring constant is not told" in w for w in curves.warnings)


def test_halves_of_different_ranges(tmp_path: Path) -> None:
    """The retract has twice the range: its counts are twice as wide, from the same low end."""
    path, forces = made(tmp_path / "a.nid")
    head, mark, data = path.read_bytes().partition(b"#!")
    before, section, rest = head.partition(b"[DataSet-1:0]")
    rest = rest.replace(b"Dim2Range=4e-06", b"Dim2Range=8e-06", 1)
    path.write_bytes(before + section + rest + mark + data)
    curves = nrm.open(path)
    for i, force in enumerate(forces):
        wanted = force.copy()
        wanted[100 - 7 * i :] = 2.0 * wanted[100 - 7 * i :] + 2e-6
        np.testing.assert_allclose(curves.read("force_normal", i), wanted, rtol=1e-9, atol=1e-18)
    assert curves.channels["force_normal"].column.stamp.path == path


def test_parts_of_different_numbers_are_left_out(tmp_path: Path) -> None:
    """16 bits in one half and 32 in the other: such a signal is no channel."""
    path, _ = made(tmp_path / "a.nid")
    head, mark, data = path.read_bytes().partition(b"#!")
    before, section, rest = head.partition(b"[DataSet-1:0]")
    rest = rest.replace(b"SaveBits=32", b"SaveBits=16", 1)
    path.write_bytes(before + section + rest + mark + data[: -3 * 100 * 2])
    curves = nrm.open(path)
    sentence = "Deflection is left out: its parts have numbers of different lengths"
    assert sentence in curves.warnings
    assert "force_normal" not in curves.channels


def test_images_are_refused_kindly(tmp_path: Path) -> None:
    lines = {("Z-Axis", "m"): [np.arange(8)] * 8}
    path = write_nid(tmp_path / "a.nid", {"Scan forward": lines}, ranges={"Z-Axis": (0.0, 1e-6)})
    with pytest.raises(
        nrm.InvalidInput, match=r"no force spectroscopy .* \(it has: Scan forward\)"
    ):
        nrm.open(path)


@pytest.mark.real
def test_a_real_sweep_is_refused_kindly(real_files: Path) -> None:
    with pytest.raises(nrm.InvalidInput, match="Frequency sweep"):
        nrm.open(real_files / "other" / "NanoSurf_resonancePeak.nid")


def test_the_real_file() -> None:
    """The example that lies in the package NSFopen: values that its reader gives, too."""
    spec = find_spec("NSFopen")
    if spec is None or spec.origin is None:
        pytest.skip("NSFopen, which holds a real file, is not installed")
    path = Path(spec.origin).parent / "example" / "Force_Spectroscopy" / "spectroscopy.nid"
    curves = nrm.open(path)
    assert curves.n_curves == 100
    force, z = curves.read("force_normal", 0), -curves.read("height", 0)
    assert len(force) == 2048
    np.testing.assert_allclose(
        force[[0, 1023, 1024, -1]],
        [-5.270044e-10, 2.733964e-07, 2.738480e-07, -8.349811e-11],
        rtol=5e-7,
    )
    np.testing.assert_allclose(
        [force[:1024].min(), force[1024:].min()], [-4.751168e-09, -1.063292e-08], rtol=5e-7
    )
    np.testing.assert_allclose(
        z[[0, 1023, 1024, -1]],
        [-2.402835e-06, -1.189987e-06, -1.189785e-06, -2.126814e-06],
        rtol=4e-7,
    )
    assert curves.row_size.min() == 980 + 1024
    assert curves.metadata["spring_constant"] == 2.72436
    # Every approach ended at its stop, 0.27 uN.
    ends = np.array(
        [
            curves.read("force_normal", i)[curves.segments["stop"][2 * i] - 1]
            for i in range(curves.n_curves)
        ]
    )
    assert 2.7e-7 < ends.min() < ends.max() < 2.75e-7
    check_importer(NanosurfImporter(), [path])


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return made(tmp_path / "a.nid")[0]


def test_no_part_of_a_file_opens(whole: Path) -> None:
    data = whole.read_bytes()
    rng = random.Random(1)
    for length in [0, 1, 9, 20, len(data) - 1] + [rng.randrange(len(data)) for _ in range(60)]:
        rewrite(whole, data[:length])
        BOUNDS.refused(whole)


def test_flipped_and_lost_bytes(whole: Path) -> None:
    data = whole.read_bytes()
    end = data.index(b"#!")
    rng = random.Random(3)
    for _ in range(250):
        changed = bytearray(data)
        at = rng.randrange(end)
        kind = rng.randrange(3)
        if kind == 0:
            changed[at] = rng.randrange(256)
        elif kind == 1:
            del changed[at : at + rng.choice([1, 4, 40])]
        else:
            changed[at:at] = rng.choice([b"9", b"99999", b"-", b"nan", b"\r\n", b"[", b"1e300"])
        rewrite(whole, changed)
        BOUNDS.survives(whole, memory=False)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"GroupCount=3", b"GroupCount=999999999999"),
        (b"GroupCount=3", b"GroupCount=nan"),
        (b"Points=100", b"Points=99999999999999"),
        (b"Lines=3", b"Lines=1e30"),
        (b"Lines=3", b"Lines=-3"),
        (b"SaveBits=32", b"SaveBits=7"),
        (b"SaveMode=Binary", b"SaveMode=ASCII"),
        (b"Dim2Range=4e-06", b"Dim2Range=inf"),
        (b"LineDim1Points=93", b"LineDim1Points=99999999999999999999"),
        (b"BwModDatapoints=L[100]", b"BwModDatapoints=L[0]"),
    ],
)
def test_odd_values(whole: Path, old: bytes, new: bytes) -> None:
    data = whole.read_bytes()
    assert old in data
    rewrite(whole, data.replace(old, new))
    BOUNDS.survives(whole)
