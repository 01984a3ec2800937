"""Real files of potentiostats, with values known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_plugin.errors import InvalidInput

pytestmark = pytest.mark.real


@pytest.fixture
def folder(real_files: Path) -> Path:
    """The potentiostats' files."""
    return real_files / "potentiostat"


@pytest.mark.parametrize("name", ["cp", "ocv.issue_149"])
def test_an_export_equals_its_file(folder: Path, name: str) -> None:
    """Of cp.mpt, EC-Lab 11.33 wrote 117 of 121 potentials as 0 V; the other has <Ewe/V>."""
    text, binary = (nrm.read_log(folder / f"{name}.{kind}") for kind in ("mpt", "mpr"))
    np.testing.assert_allclose(text.time, binary.time, atol=1e-9)
    np.testing.assert_allclose(text.potential, binary.potential, atol=5e-6)
    assert text.start == binary.start
    assert text.cycle is None
    assert binary.cycle is None
    if text.current is not None:
        np.testing.assert_allclose(text.current, binary.current, rtol=1e-6)


def test_zeros_of_a_chronopotentiometry_are_no_potentials(folder: Path) -> None:
    log = nrm.read_log(folder / "cp.mpt")
    assert len(log.time) == 121
    assert (log.potential.min(), log.potential.max()) == pytest.approx((-3.5943, -3.2463), abs=1e-3)
    assert "117 of 121 potentials are exported as 0 V" in log.notes[0]
    assert log.start == np.datetime64("2021-03-02T16:17:59", "us")
    assert log.time[0] == pytest.approx(328.364, abs=1e-3)


@pytest.mark.parametrize("name", ["cp.mpr", "ocv.issue_149.mpr"])
def test_another_library_reads_the_same(folder: Path, name: str) -> None:
    from galvani.BioLogic import MPRfile

    with (folder / name).open("rb") as file:
        theirs = MPRfile(file)
    log = nrm.read_log(folder / name)
    np.testing.assert_array_equal(log.time, theirs.data["time/s"])
    np.testing.assert_array_equal(log.potential, theirs.data["<Ewe>/V"])
    assert log.start == np.datetime64(theirs.timestamp)


def test_columns_that_are_not_known(folder: Path) -> None:
    """Columns 883 and 884 of EC-Lab 11.6 lie behind the potential."""
    log = nrm.read_log(folder / "gcpl.issue_230.mpr")
    assert len(log.time) == 19025
    assert log.duration == pytest.approx(556287, abs=1)
    np.testing.assert_allclose(log.potential[:3], [3.454602, 3.454449, 3.453763], atol=1e-6)
    assert (log.potential.min(), log.potential.max()) == pytest.approx((2.7, 4.3), abs=1e-3)
    assert log.start == np.datetime64("2025-07-11T15:08:04.427", "us")
    assert np.flatnonzero(np.diff(log.cycle)).tolist() == [9216, 17482]
    assert (log.cycle[0], log.cycle[-1]) == (0, 2)


def test_a_single_impedance_is_no_log(folder: Path) -> None:
    with pytest.raises(InvalidInput, match=r"there is nothing to read in it: .* 1 point") as caught:
        nrm.read_log(folder / "zir.mpr")
    assert "microscope" not in str(caught.value)
