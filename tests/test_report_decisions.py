"""The report tells what was decided by hand, why, with what in view, and what it changes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from made_results import without_lateral
from test_report import Page

import nrm_plugin as nrm
from nrm_plugin import cli
from nrm_plugin.decisions import ContactByHand, Decision, Decisions
from nrm_plugin.report import render
from nrm_plugin.report.by_hand import decisions_sections
from nrm_plugin.simulate.sodiation import sodiation
from nrm_plugin.statistics import mean_profile
from nrm_plugin.statistics.regions import everything
from nrm_plugin.statistics.selection import Analysis

OUT = [1, 4, 8, 9, 13]
REASON = 'tip jumped <script>alert("x")</script> `rm`'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a small sodiation."""
    folder = tmp_path_factory.mktemp("decided")
    curves, _, _ = sodiation((4, 6), seed=1)
    curves.save(folder / "curves.h5")
    nrm.process(nrm.open(folder / "curves.h5"), out=folder / "r.h5")
    return folder / "r.h5"


@pytest.fixture(scope="module")
def decided(made: Path) -> xr.Dataset:
    before = nrm.open_results(made, decisions=False)
    height = float(before["contact_height"][3])
    (
        Decisions.for_results(before, made)
        .with_decision(Decision(decision="exclude", curves=OUT, reason=REASON, visible=()))
        .with_decision(Decision(decision="accept", curves=[2], visible=("moduli", "potential")))
        .with_decision(
            Decision(
                decision="contact",
                curves=[3],
                reason="kink",
                contact=ContactByHand(height + 2e-9, 1e-9, height, 0.4e-9),
            )
        )
        .write()
    )
    return nrm.open_results(made)


@pytest.fixture(scope="module")
def page(made: Path, decided: xr.Dataset) -> Page:
    return Page(render(decided, file=made))


def test_the_report_lists_decisions(page, decided):
    text = " ".join(page.text.split())
    assert "5 curves excluded, 1 curve accepted, 1 contact set by hand (r.decisions.toml)." in text
    assert "5 curves excluded, 1 curve accepted, 1 contact set by hand: the section on" in text
    assert (
        "Of 3 decisions: 1 blind, with condition, potential and moduli hidden; 1 with some of "
        in text
    )
    assert "1 without a note of what could be seen" in text
    assert 'tip jumped <script>alert("x")</script>' in text  # as text
    assert "1, 4, 8-9, 13" in text
    assert "moduli, potential" in text
    old = float(decided["contact_height"][3] - 2e-9) * 1e9
    assert f"{old:.2f} ± 0.4 nm to {old + 2:.2f} ± 1 nm, approach" in text
    assert ("script", {}) in [(tag, attrs) for tag, attrs in page.tags]
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "1 contact moved by hand after the processing" in text


def test_headline_values_with_and_without(made, decided, page):
    text = " ".join(page.text.split())
    assert "What the decisions change" in text
    plain = nrm.open_results(made, decisions=False)
    n = [mean_profile(results).attrs["n_curves"] for results in (decided, plain)]
    assert n == [19, 24]
    part = text[text.index("What the decisions change") :]
    part = part[: part.index("the result stands or falls")]
    counts = {"with": 0, "without": 0}
    for name, count in re.findall(r"(with|without) (\d+) ", part):
        counts[name] += int(count)
    assert counts == {"with": n[0], "without": n[1]}


def test_results_in_memory_and_strange_attributes(decided):
    for said in ("[]", "{", '{"decisions": [5, {}], "file": 3, "more": "x", "notes": 1}', "null"):
        analysis = Analysis(decided.assign_attrs(decisions=said))
        one = everything(analysis.results)
        (section,) = decisions_sections(analysis, one, None, None, everything)
        (table,) = section.parts[0].tables
        assert [[cell.text for cell in row][1:3] for row in table.rows] == [
            ["with", str(len(one.inside[0]))],
            ["without", "24"],
        ]


def test_characters_that_turn_the_writing_round_are_not_shown(decided):
    said = {
        "file": "r\u202e.toml",
        "decisions": [
            {
                "decision": "exclude",
                "n_curves": 1,
                "curves": "3",
                "reason": "tip \u202edepmuj\a\x1b[2J\nagain \ud800",
                "visible": ["moduli\u2066"],
                "time": "2026\x00",
            }
        ],
    }
    results = decided.assign_attrs(decisions=json.dumps(said))
    (section,) = decisions_sections(Analysis(results), everything(results), None, None, everything)
    assert section.words[0].endswith("by hand (r .toml).")
    assert [cell.text for cell in section.tables[0].rows[0]] == [
        "excluded",
        "1",
        "3",
        "–",
        "tip depmuj [2J again ?",
        "moduli",
        "2026",
    ]


def test_everything_excluded(decided):
    n = decided.sizes["curve"]
    by_hand = decided["by_hand"].copy(data=np.ones(n, np.int8))
    text = Page(render(decided.assign(by_hand=by_hand))).text
    assert "24 curves excluded by hand" in text
    assert "all curves were excluded by hand" in text


@pytest.fixture
def light(made: Path, decided: xr.Dataset, tmp_path: Path) -> Path:
    """The same without a lateral signal, decisions beside it."""
    path = tmp_path / "r.h5"
    nrm.save(without_lateral(nrm.open_results(made, decisions=False)), path)
    shutil.copy(made.with_name("r.decisions.toml"), tmp_path)
    return path


def test_commands_honour_them(made, light, tmp_path):
    run = CliRunner().invoke
    for name, options in (("with", []), ("without", ["--no-decisions"])):
        out = tmp_path / f"{name}.html"
        result = run(cli.main, ["report", str(light), "-o", str(out), *options])
        assert result.exit_code == 0, result.output
        text = out.read_text(encoding="utf-8")
        for said in ("Decisions by hand", 'id="decisions"', "by hand"):
            assert (said in text) == (name == "with")
        assert ("5 curves excluded" in result.stderr) == (name == "with")
        figure = tmp_path / f"{name}.svg"
        result = run(
            cli.main, ["plot", str(made), "-o", str(figure), "--kind", "profiles", *options]
        )
        assert result.exit_code == 0, result.output
        assert ("5 curves excluded" in result.stderr) == (name == "with")
    assert (tmp_path / "with.svg").read_bytes() != (tmp_path / "without.svg").read_bytes()
    result = run(cli.main, ["info", str(made)])
    assert (
        "r.decisions.toml: 5 curves excluded, 1 curve accepted, 1 contact set by hand"
        in result.stdout
    )
    described = json.loads(run(cli.main, ["info", "--json", str(made)]).stdout)[0]
    assert described["summary"]["decisions"]["excluded"] == 5
    result = run(cli.main, ["check", str(made)])
    assert "5 curves excluded" in result.stdout


def test_a_file_of_other_data_is_refused_by_name(made, decided, tmp_path):
    curves, _, _ = sodiation((2, 3), seed=2)
    curves.save(tmp_path / "others.h5")
    other = tmp_path / "other.h5"
    nrm.save(without_lateral(nrm.process(nrm.open(tmp_path / "others.h5"))), other)
    text = made.with_name("r.decisions.toml").read_text(encoding="utf-8")
    (tmp_path / "other.decisions.toml").write_text(text, encoding="utf-8")
    for command in (["report", "-o", str(tmp_path / "x.html")], ["info"], ["check"]):
        result = CliRunner().invoke(cli.main, [command[0], str(other), *command[1:]])
        assert result.exit_code == 1, command
        assert "other.decisions.toml" in result.output
        assert "curves" in result.output
    out = str(tmp_path / "x.html")
    result = CliRunner().invoke(cli.main, ["report", str(other), "-o", out, "--no-decisions"])
    assert result.exit_code == 0
