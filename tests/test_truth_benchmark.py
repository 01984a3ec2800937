"""The benchmark with truth, and the peers that read its files.

Peers are looked for in this environment and in that of ``NRM_PEERS``, a Python with nanite or
PyJibe (which needs Qt); tests of what is not there are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_plugin.cli import main

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def truth_modules():
    """The modules of the benchmark, which lie outside the package."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import truth_benchmark
        import truth_cases
    finally:
        sys.path.remove(str(BENCHMARKS))
    return truth_benchmark, truth_cases


@pytest.fixture(scope="module")
def written(truth_modules, tmp_path_factory):
    """The second case, in files."""
    _, cases = truth_modules
    folder = tmp_path_factory.mktemp("truth")
    case = cases.CASES[1]
    return cases.write(case, 2, folder, n_curves=6, seed=7), case


def test_twenty_cases_ask_for_moduli_inside_their_layers(truth_modules):
    _, cases = truth_modules
    assert len(cases.CASES) == len({case.name for case in cases.CASES}) == 20
    for case in cases.CASES:
        for z in case.distances:
            modulus = case.sample.interphase.modulus(np.array([z - 0.6, z, z + 0.6]) * 1e-9)
            assert np.all(modulus == modulus[1]), (case.name, z)
            assert modulus[1].imag > 0.0


def test_truth_lies_beside_the_curves(truth_modules, written):
    _, cases = truth_modules
    path, case = written
    curves, truth = cases.simulated(case, 6, 7)
    np.testing.assert_allclose(nrm.open(path).read("height"), curves.read("height"))
    stem = str(path).removesuffix(".h5")
    contacts = cases.read_table(Path(f"{stem}.contacts.csv"))
    np.testing.assert_array_equal(contacts["contact_height_m"], truth.contact_height)
    np.testing.assert_allclose(
        contacts["touch_height_m"] - contacts["surface_height_m"], 20e-9, rtol=1e-12
    )
    moduli = cases.read_table(Path(f"{stem}.moduli.csv"))
    assert len(moduli["curve"]) == 6 * len(case.distances)
    inner = moduli["distance_m"] < 8e-9
    assert set(moduli["storage_modulus_pa"][inner]) == {10e6}
    assert set(moduli["loss_modulus_pa"][~inner]) == {1e6}
    about = json.loads(Path(f"{stem}.json").read_text(encoding="utf-8"))
    assert about["told"]["spring_constant"] == 0.3


def test_scores_are_errors_against_the_truth(truth_modules):
    scores, _ = truth_modules
    nm = 1e-9
    truth = {
        "contact_height_m": np.zeros(5),
        "touch_height_m": np.full(5, 20 * nm),
        "came_through": np.array([1, 1, 1, 1, 0]),
    }
    found = [0.1 * nm, -0.3 * nm, 5 * nm, None, 90 * nm]
    solid = scores.contact_score(found, truth)
    assert solid["median"] == pytest.approx(0.3)
    assert solid["bias"] == pytest.approx(0.1)
    assert solid["wrong"] == 0.5
    touched = [20.5 * nm] * 5
    assert scores.contact_score(touched, truth)["wrong"] == 1.0
    either = scores.contact_score(touched, truth, either=True)
    assert either["median"] == pytest.approx(0.5)
    assert either["meant"] == "touch"


def test_ours_are_near_the_truth(truth_modules, written):
    scores, cases = truth_modules
    path, _ = written
    stem = str(path).removesuffix(".h5")
    results = nrm.process(nrm.open(path))
    own = scores.own_contacts(results, cases.read_table(Path(f"{stem}.contacts.csv")))
    assert own["median"] < 0.15
    assert own["wrong"] == own["silent"] == 0.0
    moduli = scores.modulus_score(results, cases.read_table(Path(f"{stem}.moduli.csv")))
    assert moduli["given"] == 1.0
    assert abs(moduli["E' bias"]) < 0.1
    assert moduli["E' error"] < 0.2


def peer(module: str) -> str:
    """A Python that has a module; skips where none is known."""
    for python in filter(None, (sys.executable, os.environ.get("NRM_PEERS"))):
        asked = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
        if not asked.returncode:
            return python
    pytest.skip(f"{module} is neither here nor in the environment of NRM_PEERS")


def said(python: str, code: str, *words: object) -> dict:
    """The JSON that a script of a peer prints last."""
    done = subprocess.run(
        [python, "-W", "ignore", "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def exported(written, tmp_path_factory):
    """What the command line writes for peers."""
    out = tmp_path_factory.mktemp("peers") / "curves.afm.h5"
    ran = CliRunner().invoke(main, ["convert", str(written[0]), "-o", str(out)])
    assert ran.exit_code == 0, ran.output
    return out


NANITE = """
import json, sys, nanite
group = nanite.load_group(sys.argv[1])
one = group[0]
one.apply_preprocessing(["compute_tip_position", "correct_force_offset", "correct_tip_offset"],
                        options={"correct_tip_offset": {"method": "fit_line_polynomial"}})
one.fit_model(model_key="hertz_para", params_initial=one.get_initial_fit_parameters("hertz_para"))
fitted = one.fit_properties
found = fitted["params_fitted"]
print(json.dumps({"curves": len(group), "success": bool(fitted["success"]),
                  "E": found["E"].value, "contact": found["contact_point"].value,
                  "force": float(max(one["force"])), "spring": one.metadata["spring constant"]}))
"""


def test_nanite_fits_a_curve_of_the_export(exported):
    found = said(peer("nanite"), NANITE, exported)
    assert found["curves"] == 6
    assert found["success"]
    assert found["E"] > 0.0
    assert abs(found["contact"]) < 30e-9
    # The ramps turn at a deflection of 50 nm of 0.3 N/m.
    assert found["force"] == pytest.approx(15e-9, rel=0.05)
    assert found["spring"] == 0.3


PYJIBE = """
import json, sys
from PyQt6 import QtCore, QtWidgets
application = QtWidgets.QApplication([])
QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
for scope in QtCore.QSettings.Scope:
    QtCore.QSettings.setPath(QtCore.QSettings.Format.IniFormat, scope, sys.argv[2])
QtCore.QCoreApplication.setOrganizationName("AFM-Analysis")
QtCore.QCoreApplication.setApplicationName("PyJibe")
QtCore.QSettings().setValue("check for updates", 0)
from pyjibe.head.main import PyJibe
window = PyJibe()
window.load_data([sys.argv[1]])
curves = window.subwindows[0].widget().list_curves
lines = [curves.topLevelItem(i).text(1) for i in range(curves.topLevelItemCount())]
print(json.dumps({"lines": lines}), flush=True)
import os
os._exit(0)  # no threads of the window are waited for
"""


def test_the_loader_of_pyjibe_lists_the_curves(exported, tmp_path):
    found = said(peer("pyjibe.head.main"), PYJIBE, exported, tmp_path)
    assert found["lines"] == ["0", "1", "2", "3", "4", "5"]


def test_peers_of_the_benchmark_answer(truth_modules, written):
    scores, cases = truth_modules
    path, _ = written
    stem = str(path).removesuffix(".h5")
    answer = scores.ask_peers(peer("nanite"), Path(f"{stem}.afm.h5"))
    assert answer.get("failed") is None
    assert answer["fitted"] is True
    truth = cases.read_table(Path(f"{stem}.contacts.csv"))
    # It aims at the first touch of the layer, and comes near.
    polynomial = answer["methods"]["nanite fit_constant_polynomial"]
    score = scores.contact_score(polynomial["contact"], truth, either=True)
    assert score["meant"] == "touch"
    assert score["median"] < 1.0
