"""Tests of the importer. Every plugin should have the first one; it finds most mistakes."""

import numpy as np
import pytest
from nrm_importer_template.hfc import HfcImporter
from write_hfc import write_hfc

import nrm_plugin as nrm
from nrm_plugin import plugins
from nrm_plugin.testing import check_importer


def test_it_is_a_good_importer(tmp_path):
    write_hfc(tmp_path / "map.hfc")
    write_hfc(tmp_path / "one.hfc", columns=1, rows=1, approach=50, retract=1)
    write_hfc(tmp_path / "bare.hfc", leave_out=("date", "spring_constant_n_per_m", "x_um", "y_um"))
    (tmp_path / "other.txt").write_text("HFC 2\n")
    check_importer(HfcImporter(), sorted(tmp_path.glob("*.hfc")), foreign=[tmp_path / "other.txt"])


def test_it_is_installed(tmp_path):
    failures = {plugin.name: plugin.failure for plugin in plugins.installed().found}
    assert failures.get("hfc", "not installed: pip install -e .") == ""
    write_hfc(tmp_path / "map.hfc")
    curves = nrm.open(tmp_path / "map.hfc")
    assert curves.origins[0].version.startswith("nrm-importer-template ")


def test_values(tmp_path):
    height, deflection = write_hfc(tmp_path / "map.hfc")
    curves = HfcImporter().open(tmp_path / "map.hfc")
    assert curves.n_curves == 6
    np.testing.assert_allclose(curves.read("height"), height.ravel(), rtol=1e-12)
    np.testing.assert_allclose(curves.read("deflection", 4), deflection[4], rtol=1e-12)
    assert curves.read("time", 0)[-1] == pytest.approx(1999 / 2000)
    assert list(curves.segments["kind"][:2]) == ["approach", "retract"]
    np.testing.assert_allclose(curves.curve_table["y"], [0, 0, 0, 1e-6, 1e-6, 1e-6])
    assert curves.metadata["deflection_sensitivity"] == pytest.approx(35e-9)


def test_what_the_file_does_not_say_is_absent(tmp_path):
    write_hfc(tmp_path / "bare.hfc", leave_out=("sensitivity_nm_per_v", "x_um"))
    curves = HfcImporter().open(tmp_path / "bare.hfc")
    assert "deflection_sensitivity" not in curves.metadata
    assert np.isnan(curves.curve_table["x"]).all()


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        (b"curves: 6", b"curves: 1000000000000"),
        (b"curves: 6", b"curves: 0"),
        (b"samples: 1200 800", b"samples: 1200"),
        (b"samples: 1200 800", b"samples: nan 800"),
        (b"rate_hz: 2000", b"rate_hz: fast"),
        (b"z_nm_per_count: 0.01", b"z_nm_per_count: -1"),
        (b"x_um: 0 1 2 0 1 2", b"x_um: 0 1"),
        (b"\nend\n", b"\n"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(tmp_path, line, instead):
    path = tmp_path / "bad.hfc"
    write_hfc(path)
    path.write_bytes(path.read_bytes().replace(line, instead, 1))
    with pytest.raises(nrm.CorruptFile):
        HfcImporter().open(path)
