"""`nrm plot` end to end: files in, pictures out, words where something is missing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from figure_results import made_results
from matplotlib.image import imread

import nrm_plugin as nrm
from nrm_plugin import CurveSet, Image, cli
from nrm_plugin import simulate as sim
from nrm_plugin.plugins import installed

ROOT = Path(__file__).resolve().parent.parent


def run(*words):
    return CliRunner().invoke(cli.main, ["plot", *map(str, words)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A simulated experiment: curves.h5 with a current, and what was made of them, results.h5."""
    folder = tmp_path_factory.mktemp("plot")
    sample = sim.Sample(sim.Interphase((sim.Layer(12e-9, 8e6 + 2e6j),), force=2e-9), onset=2.2)
    curves, _ = sim.simulate(
        sample,
        sim.Instrument(lateral_stiffness=80.0),
        sim.Ramp(samples=512),
        grid=(4, 5),
        voltammogram=sim.Voltammogram(rate=1.9 / 20),
        seed=1,
    )
    potential = np.repeat(curves.curve_table["potential"], curves.row_size)
    channels = {n: (curves.read(n), c.unit) for n, c in curves.channels.items()}
    channels |= {"potential": (potential, "V"), "current": (-1e-6 * potential, "A")}
    curves = CurveSet.from_arrays(
        channels, curves.row_size, curve_table=curves.curve_table, metadata=curves.metadata
    )
    curves.save(folder / "curves.h5")
    nrm.process(nrm.open(folder / "curves.h5"), out=folder / "results.h5")
    return folder


@pytest.mark.parametrize("kind", installed().figures)
def test_every_kind(folder, tmp_path, kind):
    out = tmp_path / "figure.png"
    options = ["--curves", folder / "curves.h5"] if kind in ("raw", "referenced", "figure4") else []
    done = run(folder / "results.h5", "-o", out, "--kind", kind, "--width", "85mm", *options)
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert f"figure.png written ({kind})" in done.stderr
    pixels = imread(out)
    assert pixels.shape[1] == pytest.approx(85 / 25.4 * 300, abs=1)
    assert pixels[..., :3].min() < 0.5  # not an empty sheet


@pytest.mark.parametrize(("suffix", "head"), [(".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_other_formats(folder, tmp_path, suffix, head):
    out = tmp_path / f"figure{suffix}"
    assert run(folder / "results.h5", "-o", out, "--kind", "profiles").exit_code == 0
    assert out.read_bytes().startswith(head)


def test_simulated_data_say_so_in_print(folder, tmp_path):
    """In an SVG whose text is text."""
    import matplotlib as mpl

    from nrm_plugin.figures import style

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(style.STYLE, "svg.fonttype", "none")
        with mpl.rc_context():
            run(folder / "results.h5", "-o", tmp_path / "a.svg", "--kind", "profiles")
    assert "simulated data" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def kind_of(done):
    return re.search(r"written \((\w+)\)", done.stderr)[1]


def test_the_kind_that_is_drawn_unless_asked(folder, tmp_path):
    nrm.save(made_results(potential=None), tmp_path / "no-potential.h5")
    image = Image("Height", np.add.outer(np.arange(4.0), np.arange(5.0) ** 2), "m", (1e-6, 1e-6))
    CurveSet.from_arrays({}, images=[image]).save(tmp_path / "image.h5")
    for path, kind in (
        (folder / "results.h5", "figure4"),
        (folder / "curves.h5", "raw"),
        (tmp_path / "no-potential.h5", "profiles"),
        (tmp_path / "image.h5", "topography"),
    ):
        assert kind_of(run(path, "-o", tmp_path / f"{kind}.png")) == kind


def test_results_without_a_lateral_signal(tmp_path):
    height = np.linspace(200e-9, 0, 600) + np.zeros((3, 1))
    deflection = np.maximum(80e-9 - height, 0)
    curves = CurveSet.from_arrays({"height": (height, "m"), "deflection": (deflection, "m")})
    nrm.process(curves, out=tmp_path / "results.h5")
    assert kind_of(run(tmp_path / "results.h5", "-o", tmp_path / "a.png")) == "quality"
    done = run(tmp_path / "results.h5", "-o", tmp_path / "b.png", "--kind", "profiles")
    assert done.exit_code == 1
    assert "force_gradient_in_phase" in done.stderr


def test_options_reach_the_figure(folder, tmp_path):
    out = tmp_path / "a.svg"
    done = run(
        folder / "results.h5",
        "-o",
        out,
        "--kind",
        "map",
        "--depth",
        "3 nm",
        "--variable",
        "storage_modulus",
    )
    assert done.exit_code == 0
    done = run(
        folder / "results.h5",
        "-o",
        out,
        "--kind",
        "map",
        "--variable",
        "storage_modulos",
        "--overwrite",
    )
    assert done.exit_code == 1
    assert "Did you mean storage_modulus?" in done.stderr
    done = run(
        folder / "results.h5", "-o", out, "--kind", "violin", "--edges", "1.9,1.0", "--overwrite"
    )
    assert done.exit_code == 0
    done = run(
        folder / "results.h5",
        "-o",
        tmp_path / "b.svg",
        "--kind",
        "density",
        "--log",
        "--conditional",
    )
    assert done.exit_code == 0
    done = run(
        folder / "results.h5", "-o", tmp_path / "c.svg", "--kind", "violin", "--edges", "1.9,1.0"
    )
    assert re.search(r"curves outside the edges: [1-9]", done.stderr)


def test_current_and_potential_of_a_log(folder, tmp_path):
    log = tmp_path / "cv.csv"
    time = np.arange(0, 45.0, 0.5)
    rows = [f"{t},{2.0 - 0.045 * t},{-1e-6 * t}" for t in time]
    log.write_text("\n".join(["time (s),potential (V),current (A)", *rows]), encoding="utf-8")
    done = run(folder / "results.h5", "-o", tmp_path / "a.png", "--potential", log)
    assert done.exit_code == 0, done.output
    assert "there is no current" not in done.stderr
    done = run(folder / "results.h5", "-o", tmp_path / "b.png", "--potential", tmp_path / "none")
    assert done.exit_code == 1
    done = run(folder / "results.h5", "-o", tmp_path / "c.png", "--kind", "voltammogram")
    assert done.exit_code == 0


def test_results_alone_cannot_show_curves(folder, tmp_path):
    done = run(folder / "results.h5", "-o", tmp_path / "a.png", "--kind", "raw")
    assert done.exit_code == 1
    assert "give them with --curves. " in done.stderr
    assert "was made from curves.h5" in done.stderr


def test_curves_alone_have_no_profiles(folder, tmp_path):
    done = run(folder / "curves.h5", "-o", tmp_path / "a.png", "--kind", "profiles")
    assert done.exit_code == 1
    assert "make them with nrm process" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "a.docx"], "figures are written as .png, .svg, .pdf"),
        (["-o", "a.png", "--kind", "map", "--depth", "5"], "has no unit"),
        (["-o", "a.png", "--kind", "map", "--depth", "5 Pa"], "cannot be turned into m"),
        (["-o", "a.png", "--edges", "2;1"], "--edges"),
        (["-o", "a.png", "--kind", "violin", "--depth", "5nm"], "it is for map"),
        (["-o", "a.png", "--kind", "quality", "--curve", "1"], "it is for raw, referenced, curve"),
        (["-o", "a.png", "--kind", "map", "--log"], "it is for density, figure4"),
        (["-o", "a.png", "--kind", "pie"], "is not one of"),
    ],
)
def test_wrong_usage(folder, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    done = run(folder / "results.h5", *words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--width", "5mm"], "mm wide"),
        (["--kind", "curve", "--curve", "20"], "the curves are 0 to 19"),
        (["--edges", "1"], "at least two different edges"),
        (["--kind", "map", "--depth", "-5nm"], "depth"),
        (["--kind", "map", "--depth", "1 km"], "depth"),
    ],
)
def test_values_that_make_no_sense(folder, tmp_path, words, said):
    done = run(folder / "results.h5", "-o", tmp_path / "a.png", *words)
    assert done.exit_code == 1, done.output
    assert said in done.stderr.lower()
    assert not list(tmp_path.iterdir())


def test_files_that_exist_stay(folder, tmp_path):
    out = tmp_path / "a.png"
    out.write_bytes(b"mine")
    done = run(folder / "results.h5", "-o", out)
    assert done.exit_code == 1
    assert "--overwrite" in done.stderr
    assert out.read_bytes() == b"mine"
    assert run(folder / "results.h5", "-o", out, "--overwrite").exit_code == 0
    assert out.read_bytes() != b"mine"


def test_files_that_are_not_there_or_unknown(tmp_path):
    assert run(tmp_path / "none.h5", "-o", tmp_path / "a.png").exit_code == 1
    (tmp_path / "notes.txt").write_text("words")
    assert run(tmp_path / "notes.txt", "-o", tmp_path / "a.png").exit_code == 3


# Kinds of plugins, through the same door as ours

STRANGER = """
import warnings
from typing import Literal

from pydantic import BaseModel, Field

from nrm_plugin import hookimpl


class Settings(BaseModel):
    bins: int = Field(10, ge=1, description="number of bins")
    sides: Literal["left", "both"] = Field("both", description="which sides are counted")
    cumulated: bool = Field(False, description="counts add up")
    mark: tuple[float, ...] = Field((), description="where lines are drawn (nm)")
    curves: object = Field(None, description="the curves")


class Contacts:
    name, description, needs = "contacts", "histogram of the contacts' heights", "results"
    Settings = Settings

    def draw(self, data, ax, settings=None):
        heights = data["contact_height"].values * 1e9
        counts, _, _ = ax.hist(heights, settings.bins, cumulative=settings.cumulated)
        for height in settings.mark:
            ax.axvline(height)
        with_curves = "" if settings.curves is None else f" of {settings.curves.n_curves} curves"
        warnings.warn(f"{len(ax.patches)} bars and {len(ax.lines)} lines{with_curves}, "
                      f"the highest is {counts.max():g}")


class Plain:
    name, description, needs, wide = "plain", "nothing but a line", "curves", True

    def draw(self, data, ax):
        ax.plot([0, data.n_curves])


class Two:
    name, description, needs = "two", "two panels", "either"

    def draw(self, data, ax):
        raise AssertionError

    def draw_figure(self, data, figure):
        for ax in figure.subplots(2):
            ax.plot([0, 1])
        figure.set_figheight(1.0)


class Broken:
    name, description, needs = "broken", "always fails", "results"

    def draw(self, data, ax):
        return 1 / 0


@hookimpl
def nrm_figures():
    return [Contacts(), Plain(), Two(), Broken()]
"""


def test_a_strangers_kind_is_chosen_with_its_settings_drawn_and_saved(folder, tmp_path, install):
    install("stranger", STRANGER)
    text = " ".join(run("--help").stdout.split())
    assert "figure4, contacts, plain, two, broken." in text
    assert "--bins NUMBER Number of bins (contacts)." in text
    assert "contacts histogram of the contacts' heights" in text
    out, results, kind = tmp_path / "a.png", folder / "results.h5", ["--kind", "contacts"]
    done = run(results, "-o", out, *kind, "--bins", 7, "--mark", 1, "--mark", 2, "--cumulated")
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines() == [
        "nrm: 7 bars and 2 lines, the highest is 20",
        f"nrm: {out} written (contacts)",
    ]
    assert imread(out).shape[1] == pytest.approx(85 / 25.4 * 300, abs=1)
    done = run(results, "-o", tmp_path / "b.png", *kind, "--curves", folder / "curves.h5")
    assert "10 bars and 0 lines of 20 curves" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--kind", "contacts", "--bins", "0"], 2, "--bins: Input should be greater than"),
        (["--kind", "contacts", "--bins", "many"], 2, "--bins: Input should be a valid integer"),
        (["--kind", "contacts", "--sides", "top"], 2, "'top' is not one of 'left', 'both'"),
        (["--kind", "map", "--bins", "5"], 2, "--bins does not go with --kind map: it is for cont"),
        (["--kind", "contacts", "--depth", "5nm"], 2, "it is for map"),
        (["--kind", "broken"], 1, "the figure broken could not be drawn: ZeroDivisionError"),
        (["--kind", "plain"], 1, "plain is drawn from the curves themselves"),
    ],
)
def test_what_a_strangers_kind_cannot_do(folder, tmp_path, install, words, code, message):
    install("stranger", STRANGER)
    done = run(folder / "results.h5", "-o", tmp_path / "a.png", *words)
    assert done.exit_code == code
    assert message in " ".join(done.stderr.split())
    assert not list(tmp_path.glob("*.png"))


def test_a_strangers_kind_of_curves_and_of_a_whole_figure(folder, tmp_path, install):
    install("stranger", STRANGER)
    assert run(folder / "curves.h5", "-o", tmp_path / "a.png", "--kind", "plain").exit_code == 0
    assert imread(tmp_path / "a.png").shape[1] == pytest.approx(178 / 25.4 * 300, abs=1)
    for name in ("curves.h5", "results.h5"):
        done = run(folder / name, "-o", tmp_path / f"{name}.png", "--kind", "two")
        assert done.exit_code == 0, done.output
        assert imread(tmp_path / f"{name}.png").shape[0] == 300


def test_a_strangers_kind_on_simulated_data_is_marked(folder, tmp_path, install, monkeypatch):
    from nrm_plugin.figures import style

    install("stranger", STRANGER)
    monkeypatch.setitem(style.STYLE, "svg.fonttype", "none")
    run(folder / "curves.h5", "-o", tmp_path / "a.svg", "--kind", "plain")
    assert "simulated data" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_a_kind_that_cannot_be_imported_harms_no_other(folder, tmp_path, install):
    install(
        "gone",
        "from nrm_plugin.hookspecs import Deferred, hookimpl\n"
        "@hookimpl\n"
        "def nrm_figures():\n"
        "    return [Deferred('gone', 'is not there', 'no_such_module:KIND')]\n",
    )
    assert run("--help").exit_code == 0
    assert run(folder / "curves.h5", "-o", tmp_path / "a.png").exit_code == 0
    done = run(folder / "curves.h5", "-o", tmp_path / "b.png", "--kind", "gone")
    assert done.exit_code == 1
    assert "no_such_module" in done.stderr


@pytest.mark.filterwarnings("ignore:there are both passes", "ignore:curves outside")
def test_several_panels_share_the_place_of_axes(folder):
    """As a program calls a kind: `draw` on axes of its own figure."""
    from matplotlib.figure import Figure

    results = nrm.open_results(folder / "results.h5")
    for name, panels in (("curve", 2), ("density", 4), ("quality", 2), ("figure4", 9)):
        figure = Figure(figsize=(14, 10), layout="constrained")
        left, right = figure.subplots(1, 2)
        installed().figures[name].draw(results, left)
        figure.draw_without_rendering()
        beside = [ax for ax in figure.axes if ax is not right and ax.get_label() != "<colorbar>"]
        assert len(beside) == panels
        assert max(ax.get_position().x1 for ax in beside) <= 1.0
        assert right.has_data() is False


def test_every_kind_of_ours_is_documented():
    """The table of the page says every kind and what it is drawn from."""
    page = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    table = page.partition("## What each kind shows")[2].partition("\n\n`raw`")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", table, re.MULTILINE))
    words = {"either": "images, or results"}
    kinds = {n: k for n, k in installed().figures.items() if k.where.startswith("nrm_plugin.")}
    drawn_from = {name: words.get(kind.needs, kind.needs) for name, kind in kinds.items()}
    for name, source in drawn_from.items():
        assert rows.get(name) == source, f"docs/figures.md lacks: | `{name}` | {source} | ..."
    assert rows == drawn_from, "docs/figures.md has a kind that there is not"
    options = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^\| `--kind KIND` \| (.*) \|$", options, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", listed)) == set(kinds), "docs/command-line.md, --kind"
    for kind in kinds.values():
        for name in set(kind.Settings.model_fields) - {"results", "kept"}:
            assert f"--{name}" in page, f"docs/figures.md lacks the option --{name}"
