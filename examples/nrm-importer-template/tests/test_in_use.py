"""The installed plugin from the command line: processed, drawn and reported by its own objects."""

import json
import subprocess
import sys

import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_plugin import simulate as sim

NM = 1e-9

RECIPE = """
[contact]
method = "fixed-wall"

[contact.fixed-wall]
wall = "10 nm"

[derivative]
method = "sliding-line"

[derivative.sliding-line]
half_width = "3 nm"
"""


def run(*words, code=0):
    """Run nrm as a user would, and return what it prints."""
    command = [sys.executable, "-m", "nrm_plugin", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with 60 simulated curves, and their results by the methods of the plugin."""
    folder = tmp_path_factory.mktemp("work")
    layer = sim.Layer(20e-9, 3e6 + 1e6j)
    sample = sim.Sample(sim.Interphase((layer,), force=3e-9))
    curves, truth = sim.simulate(sample, sim.Instrument(), sim.Ramp(), n_curves=60, seed=1)
    curves.save(folder / "curves.h5")
    np.save(folder / "contact.npy", truth.contact_height)
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    run(
        *("process", folder / "curves.h5", "-o", folder / "results.h5"),
        *("--recipe", folder / "recipe.toml", "--set", "poisson_ratio=0.45"),
    )
    return folder


def test_all_of_it_is_registered():
    (plugin,) = (p for p in json.loads(run("plugins", "--json")) if p["name"] == "hfc")
    assert not plugin["failure"]
    text = json.dumps(plugin)
    for name in ("hfc", "fixed-wall", "sliding-line", "walls", "nrm_commands"):
        assert name in text


def test_results_are_those_of_the_contact_method(work):
    results = nrm.open_results(work / "results.h5")
    off = results["contact_height"].values - np.load(work / "contact.npy")
    stderr = results["contact_height_stderr"].values
    assert (np.abs(off) < 5 * stderr).all()
    # The details are the method's own: the wall is as long as the recipe says.
    np.testing.assert_allclose(results["wall_length"].values, 10 * NM, atol=0.5 * NM)
    # Nothing of another method stands in for what this one does not tell.
    assert np.isnan(results["contact_height_systematic"]).all()
    assert "fixed-wall" in results.attrs["recipe"]


@pytest.fixture(scope="module")
def biased(work):
    """Results of other settings: the wall begins in the film, the derivative's window is short."""
    other = RECIPE.replace('"10 nm"', '"46 nm"').replace('"3 nm"', '"1 nm"')
    (work / "biased.toml").write_text(other, encoding="utf-8")
    files = work / "curves.h5", "-o", work / "biased.h5"
    run("process", *files, "--recipe", work / "biased.toml")
    return nrm.open_results(work / "biased.h5")


def test_no_curve_is_flagged_because_another_method_would_differ(work, biased):
    off = biased["contact_height"].values - np.load(work / "contact.npy")
    assert np.median(off) > 0.5 * NM
    quality = biased["quality"]
    masks = np.atleast_1d(quality.attrs["flag_masks"])
    masks = dict(zip(quality.attrs["flag_meanings"].split(), masks, strict=True))
    assert quality.shape == (60,)
    assert not (quality.values & int(masks["prior_conflict"])).any()
    assert np.isnan(biased["contact_height_systematic"]).all()


def test_moduli_are_those_of_the_derivative_method(work, biased):
    results = nrm.open_results(work / "results.h5")
    middle = results["storage_modulus"].sel(depth=slice(8 * NM, 12 * NM)).median()
    assert float(middle) == pytest.approx(3e6, rel=0.15)
    noisier = biased["storage_modulus_stderr"].median()
    assert float(noisier / results["storage_modulus_stderr"].median()) > 2


def test_a_wrong_setting_is_refused_by_name(work):
    wrong = work / "wrong.toml"
    wrong.write_text(RECIPE.replace("half_width", "half_widht"), encoding="utf-8")
    text = run("process", work / "curves.h5", "-o", work / "no.h5", "--recipe", wrong, code=1)
    assert "half_widht" in text
    assert "half_width" in text.replace("half_widht", "")


def test_the_figure_and_its_option(work):
    assert "walls" in run("plot", "--help")
    for name, options in {"all.png": (), "relative.png": ("--relative",)}.items():
        run("plot", work / "results.h5", "--kind", "walls", *options, "-o", work / name)
    pictures = [(work / name).read_bytes() for name in ("all.png", "relative.png")]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert pictures[0] != pictures[1]


def test_the_report_names_the_methods(work):
    run("report", work / "results.h5", "-o", work / "report.html")
    page = (work / "report.html").read_text(encoding="utf-8")
    assert "fixed-wall" in page
    assert "sliding-line" in page


def test_the_command(tmp_path):
    from write_hfc import write_hfc

    write_hfc(tmp_path / "map.hfc")
    assert run("hfc-header", tmp_path / "map.hfc").startswith("HFC 1\ndate: 2026-03-14T09:26:53\n")
