"""The report of a study: its own check, tables, Methods paragraph, hostile names; in Chromium."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from study_samples import sample, study, with_attribute

import nrm_plugin as nrm
from nrm_plugin.report import study_checks, write_study_report
from nrm_plugin.report.methods_paragraph import method_facts
from nrm_plugin.report.told_differences import told_differences
from nrm_plugin.statistics.comparison import Question, StudySample, compare
from nrm_plugin.study import read_study
from nrm_plugin.study.study_outputs import write_outputs
from nrm_plugin.variables import EXCLUDED

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

REGION = "0.005-1.0 V"


def compared(samples, **options):
    return compare(samples, primary=Question(region=REGION), **options)


def pair(**told):
    """Two samples of two conditions; the second was told other values."""
    return [sample("EC 1"), sample("ether 1", told=told)]


# What was told differently, and what that does


@pytest.mark.parametrize(
    ("key", "value", "factor"),
    [
        # If the second had been measured with the first one's value, EC / ether would be ... times
        ("lateral_sensitivity", "110 nm/V", 110 / 95),
        ("lateral_stiffness", "13 N/m", 13 / 26),
        ("dither_amplitude", "2 nm", 1 / 2),
        ("shape_factor", "0.5", 1.25 / 0.5),
        ("lockin_convention", "peak", 1 / math.sqrt(2)),
    ],
)
def test_another_scale_changes_the_ratio_in_proportion(key, value, factor):
    (one,) = told_differences(pair(**{key: value}))
    assert one.key == key
    assert one.verdict == "doubtful"
    (change,) = one.changes
    assert (change.first, change.second) == ("EC", "ether")
    assert change.storage == pytest.approx(100 * (factor - 1))
    assert change.loss == pytest.approx(100 * (factor - 1))
    assert change.text.startswith("EC / ether: E' ")


def test_another_phase_mixes_storage_and_loss():
    """E'' = E' / 4: turned by -6 degrees, E' of the second is cos 6 - sin 6 / 4 times itself."""
    (one,) = told_differences(pair(lockin_phase="16 deg"))
    (change,) = one.changes
    turn = math.radians(6.0)
    storage = math.cos(turn) - math.sin(turn) / 4
    loss = math.cos(turn) + math.sin(turn) * 4
    assert change.storage == pytest.approx(100 * (1 / storage - 1), abs=0.3)
    assert change.loss == pytest.approx(100 * (1 / loss - 1), abs=0.6)


def test_a_lever_has_its_own_calibration_and_one_lever_has_one():
    told = {"lateral_sensitivity": "110 nm/V"}
    own = [sample("EC 1", lever="A", session="am"), sample("ether 1", told=told, lever="B")]
    (one,) = told_differences(own)
    assert (one.verdict, one.reason) == ("fine", "each lever has its own")
    twice = [replace(one, lever="A") for one in own]
    assert told_differences(twice)[0].verdict == "doubtful"
    sessions = [replace(one, lever="A", session=one.name) for one in own]
    assert told_differences(sessions)[0].reason == "each session has its own"
    # The stiffness of a lever is the same in all sessions.
    stiff = [sample("EC 1", lever="A"), sample("ether 1", told={"lateral_stiffness": "20 N/m"})]
    (one,) = told_differences([replace(s, lever="A", session=s.name) for s in stiff])
    assert one.reason == "told twice for the same lever"


def test_what_is_told_of_some_samples_only_and_other_quantities():
    found = {one.key: one for one in told_differences(pair(temperature=None, electrolyte="ether"))}
    assert found["temperature"].reason == "it was told of some samples only"
    assert found["temperature"].in_words == "298 K: EC 1; not told: ether 1"
    assert found["electrolyte"].effect.startswith("what is compared")
    assert found["electrolyte"].verdict == "fine"
    assert found["electrolyte"].reason == "each condition has its own"
    assert told_differences(pair()) == []


def test_another_recipe_is_a_difference():
    both = pair()
    both[1] = with_attribute(both[1], recipe="[derivative]\nhalf_width = 3e-9\n")
    (one,) = told_differences(both)
    assert one.key == "recipe"
    assert one.in_words == "recipe 1: EC 1; recipe 2: ether 1"


def test_the_check_of_a_study_is_wrong_where_one_sample_is():
    samples = study()
    assert study_checks(samples).verdict == "fine"
    assert not study_checks(samples).wrong
    samples[4] = sample("ether 2", 1.5, verdict="wrong", percent=-20.0)
    found = study_checks(samples)
    assert found.wrong
    assert found.refuted == [
        "ether 2: lateral_scale (wrong): it moves too far (E' -20 %, E'' -20 %)"
    ]
    worst = found.checks[0]
    assert (worst.name, worst.verdict) == ("lateral_scale", "wrong")
    assert worst.samples("wrong") == ["ether 2"]
    # One of three samples of ether would be 0.8 times as stiff.
    (change,) = worst.changes
    assert change.storage == pytest.approx(100 * (0.8 ** (-1 / 3) - 1))


def test_an_error_that_all_samples_share_cancels():
    samples = [replace(one) for one in study(verdict="doubtful", percent=30.0)]
    found = study_checks(samples).checks[0]
    assert (found.verdict, found.changes) == ("doubtful", [])


def test_samples_without_checks_are_named():
    samples = study()
    samples[0] = with_attribute(samples[0], checks="")
    found = study_checks(samples)
    assert found.without == ["EC 1"]
    assert found.verdict == "unknown"


def test_nrm_check_of_several_results_says_what_was_told_differently(tmp_path):
    from nrm_plugin import cli

    paths = []
    for one in pair(lateral_sensitivity="110 nm/V"):
        paths.append(str(tmp_path / f"{one.name}.h5"))
        nrm.save(one.results, paths[-1])
    done = CliRunner().invoke(cli.main, ["check", *paths])
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert "told differently of these 2 results: Lateral motion per volt" in text
    assert "110 nm/V" in text
    alone = CliRunner().invoke(cli.main, ["check", paths[0]])
    assert "told differently" not in alone.stdout


# The Methods paragraph


def test_what_is_known_is_stated_and_what_is_not_says_how_to_give_it():
    samples = study(lever="A")
    samples[1] = sample("EC 2", told={"temperature": "303 K"}, lever="A")
    made = {one.name: one for one in method_facts(samples, compared(samples))}
    assert made["tip force at the electrode (F_max)"].text.endswith("F_max = 13.5 nN")
    assert made["lever"].text == "levers: A"
    assert made["normal spring constant"].text == (
        "the spring constant was 0.3 N/m, error not known (experiment file a.toml)"
    )
    assert made["temperature"].text == (
        "the temperature was 298 K (EC 1, EC 3, ether 1, ether 2, ether 3), 303 K (EC 2)"
    )
    assert made["stick or slip on the electrode"].text == "on the electrode the tip sticks"
    assert made["curves excluded"].text.startswith("of 288 curves 0 were left out by rule")
    assert made["curves excluded"].text.endswith("0 by hand")
    found = replace(compared(samples), thickness_modulus=0.3e6, thickness=())
    for thickness, limit in (
        (found.contrasts, "thickness was compared at |G*| = 0.300 MPa in all samples"),
        ((), ""),  # a modulus, and nothing that is compared
    ):
        again = method_facts(samples, replace(found, thickness=thickness))
        assert {one.name: one.text for one in again}["detection limit X"] == limit
    assert "E*/2(1 + nu)" in made["moduli"].text
    for name in ("half-angle of the cone", "atmosphere (H2O, O2)", "dither axis and crosstalk"):
        assert made[name].in_words.startswith(f"{name}: not stated (")
    wanted = (
        "F_max ramp samples lever spring stiffness radius cone stick limit below Poisson dither "
        "crosstalk lag temperature atmosphere excluded moduli"
    )
    names = " ".join(made)
    assert [word for word in wanted.split() if word not in names] == []


# The page


def written(folder, samples, **options):
    comparison = options.pop("comparison", None) or compared(samples)
    options.setdefault("kinds", [])
    path = folder / "index.html"
    write_study_report(path, title="A study", samples=samples, comparison=comparison, **options)
    return path.read_text(encoding="utf-8")


def plain(html: str) -> str:
    """Words of a page."""
    body = html.partition("<body")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", body).replace("&#39;", "'").split())


def test_links_failures_decisions_and_the_verdict_are_on_the_page(tmp_path):
    samples = study()
    by_hand = np.zeros(48, np.uint8)
    by_hand[[3, 40]] = EXCLUDED
    said = {
        "file": "EC 1.decisions.toml",
        "decisions": [
            {
                "decision": "exclude",
                "curves": "3, 40",
                "n_curves": 2,
                "reason": "dust on the tip",
                "visible": [],
                "time": "2026-01-02T03:04:05",
            }
        ],
    }
    results = samples[0].results.assign(by_hand=("curve", by_hand))
    samples[0] = replace(samples[0], results=results.assign_attrs(decisions=json.dumps(said)))
    samples[4] = sample("ether 2", 1.5, verdict="wrong", percent=-20.0)
    html = written(
        tmp_path,
        samples,
        links={one.name: f"samples/{one.name}/report.html" for one in samples},
        failed=[("ec1/bad.spm", "it is cut off")],
        downloads={"all contrasts": "comparison/table.csv"},
        text='title = "A study"\n',
    )
    text = plain(html)
    assert '<a href="samples/EC%201/report.html">EC 1</a>' in html
    assert '<a href="comparison/table.csv">' in html
    assert "The data refute what was told." in text
    assert "ec1/bad.spm it is cut off" in text
    assert "dust on the tip" in text
    assert "Decisions by hand were taken in EC 1." in text
    rows = re.findall(r"EC 1 0\.005–1\.0 V (with|without) (\d+)", text)
    assert rows == [("with", "23"), ("without", "24")]
    assert "doi:10.1039/D6FD00053C" in text
    assert "Named before the run" in text
    assert "not stated" in text


def test_cells_that_differ_are_marked(tmp_path):
    samples = study()
    samples[1] = sample("EC 2", told={"temperature": "303 K"})
    html = written(tmp_path, samples)
    marked = re.findall(r'class="differs"[^>]*>([^<]+)<', html)
    assert marked == ["≠ 303 K"]


def test_many_samples_stand_together(tmp_path):
    samples = [sample(f"EC {n}") for n in range(1, 6)] + [sample(f"ether {n}") for n in range(1, 6)]
    samples[2] = sample("EC 3", told={"temperature": "303 K"})
    html = written(tmp_path, samples)
    assert re.findall(r'class="differs"[^>]*>([^<]+)<', html) == ["≠ 303 K: EC 3"]


HOSTILE = '<img src=x onerror="alert(1)">&\u202e{{7*7}}`rm`'


def test_hostile_names_are_text(tmp_path):
    samples = [
        sample("EC 1"),
        sample(HOSTILE, condition=HOSTILE, lever=HOSTILE, told={"electrolyte": HOSTILE[:40]}),
    ]
    html = written(
        tmp_path,
        samples,
        links={HOSTILE: "samples/javascript:alert(1)/a b.html"},
        failed=[(HOSTILE, HOSTILE)],
        text=HOSTILE,
        downloads={HOSTILE: "comparison/table.csv"},
    )
    assert "<img src=x" not in html
    assert "\u202e" not in html.partition("<pre>")[0]
    assert "49" not in plain(html).partition("Study file")[2][:40]
    assert 'href="javascript' not in html
    assert 'href="samples/javascript%3Aalert%281%29/a%20b.html"' in html
    assert len(re.findall(r"<script>", html)) == 1


def test_nothing_named_one_sample_each_and_no_sample_at_all(tmp_path):
    two = pair()
    text = plain(written(tmp_path, two, comparison=compare(two, others=[Question(region=REGION)])))
    assert "No question was named before the run" in text
    assert "Contrasts that cannot be tested" in text
    (tmp_path / "none").mkdir()
    text = plain(written(tmp_path / "none", [], comparison=compare([])))
    assert "No sample has results." in text


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="the program chromium is not installed")
def test_the_page_in_a_browser(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    samples = study()
    samples[4] = sample("ether 2", 1.5, verdict="wrong", percent=-20.0)
    folder = tmp_path / "a study #1"
    (folder / "samples" / "EC 1").mkdir(parents=True)
    (folder / "samples" / "EC 1" / "report.html").write_text("<title>sample</title>")
    labels = [region.label for region in samples[0].regions]
    others = [
        Question(quantity=q, region=r) for q in ("storage_modulus", "loss_modulus") for r in labels
    ]
    comparison = compared(samples, others=others, paired_regions=[(labels[1], labels[0])])
    written(
        folder,
        samples,
        comparison=comparison,
        kinds=None,
        links={"EC 1": "samples/EC 1/report.html"},
    )
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((folder / "index.html").as_uri(), wait_until="load")
        assert page.locator("[role=alert]").is_visible()
        pictures = page.locator("figure img")
        assert pictures.count() == 7
        for i in range(pictures.count()):
            assert pictures.nth(i).evaluate("p => p.complete && p.naturalWidth > 100")
        wide = page.locator("div.table").evaluate_all(
            "all => all.filter(t => t.scrollWidth > t.clientWidth).map(t => t.innerText)"
        )
        assert wide == []
        for width in (1280, 800, 400):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.set_viewport_size({"width": 1280, "height": 900})
        assert said == []
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
        page.get_by_role("link", name="EC 1").click()
        page.wait_for_load_state("load")
        assert page.title() == "sample"
        browser.close()


# Without a lateral signal


def bare(one: StudySample) -> StudySample:
    """The same sample, measured without a lateral signal."""
    moduli = [n for n in one.results.data_vars if "modulus" in str(n) or "lateral" in str(n)]
    return replace(one, results=one.results.drop_vars(moduli))


def outputs_of(folder, samples, figures="[]"):
    """What a run makes of results that are there, and the words of its page."""
    text = f"figures = {figures}\n[regions]\nedges = [2.0, 1.0, 0.005]\n"
    text += '[primary]\nquantity = "storage_modulus"\nregion = "0.005-1.0 V"\n'
    for number, one in enumerate(samples):
        (folder / f"{number}.h5").write_bytes(b"")
        (folder / "samples" / one.name).mkdir(parents=True)
        nrm.save(one.results, folder / "samples" / one.name / "results.h5")
        text += f'[[sample]]\nname = "{one.name}"\ncondition = "{one.condition}"\n'
        text += f'files = ["{number}.h5"]\n'
    (folder / "study.toml").write_text(text, encoding="utf-8")
    plan = read_study(folder / "study.toml")
    made, _, without = write_outputs(
        plan, plan.samples, folder, [], lambda entry, name: f"samples/{entry.folder}/{name}"
    )
    return made, without, plain((folder / "index.html").read_text(encoding="utf-8"))


def test_samples_without_a_lateral_signal_have_a_page(tmp_path):
    made, without, text = outputs_of(
        tmp_path, [bare(sample("EC 1")), bare(sample("ether 1"))], '["maps"]'
    )
    assert without.startswith("No sample has a lateral signal: there are no moduli")
    assert without in text
    assert "96 curves of 2 samples were processed." in text
    assert "Heights of the solid contact and flags of EC 1." in text
    assert {path.name for path in made} >= {"maps-1.png", "maps-2.pdf", "table.md", "index.html"}


def test_one_sample_without_a_lateral_signal_is_left_out_of_the_comparison(tmp_path):
    samples = study()
    _, without, text = outputs_of(tmp_path, [bare(samples[0]), *samples[1:]])
    assert without == (
        "EC 1: there is no lateral signal, so there are no moduli and no thickness; the comparison "
        "is of the other samples."
    )
    assert without in text
    assert "Welch's test of 2 samples of EC and 3 samples of ether" in text
