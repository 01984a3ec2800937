"""The loader, on real distributions in a folder on the path: good ones and every kind of bad."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_plugin import plugins
from nrm_plugin.cli import main

ROOT = Path(__file__).resolve().parent.parent

IMPORTER = """
from nrm_plugin import hookimpl

class Importer:
    name = {name!r}
    description = "test files"
    suffixes = (".zzz",)
    def sniff(self, head, path):
        return {score}
    def open(self, path):
        import numpy as np
        from nrm_plugin import CurveSet
        return {opened}

@hookimpl
def nrm_importers():
    return [Importer()]
"""
CURVES = "CurveSet.from_arrays({'deflection': (np.zeros(3), 'V')})"
SCORE = "50 * head.startswith(b'ZZZ')"


def importer(name: str = "zzz", score: str = SCORE, opened: str = CURVES) -> str:
    return IMPORTER.format(name=name, score=score, opened=opened)


Install = Callable[..., None]


def found(name: str) -> plugins.Plugin:
    (one,) = [p for p in plugins.installed().found if p.distribution == name]
    return one


def test_what_the_project_registers_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = set(project["entry-points"]["nrm_plugin"])
    missing = wanted - {p.name for p in plugins.load().found if p.distribution == "nrm-plugin"}
    assert not missing, "pyproject.toml has changed: install the project again (pip install -e .)"


def test_our_own_come_first_and_work() -> None:
    loaded = plugins.load()
    ours = [p for p in loaded.found if p.distribution == "nrm-plugin"]
    assert loaded.found[: len(ours)] == ours
    assert {p.name for p in ours} >= {"nrm", "bruker"}
    assert [p.failure for p in ours] == [""] * len(ours)
    assert set(loaded.importers) >= {"nrm", "bruker"}
    assert set(loaded.exporters) >= {".h5", ".csv"}


def test_good_plugin(install: Install, tmp_path: Path) -> None:
    install("good", importer())
    plugin = found("good")
    assert (plugin.version, plugin.failure) == ("1.2", "")
    assert (plugin.hooks, plugin.adds["importers"]) == (["nrm_importers"], ["zzz"])
    (tmp_path / "a.zzz").write_bytes(b"ZZZ")
    curves = nrm.open(tmp_path / "a.zzz")
    assert (curves.n_samples, curves.importer) == (3, "zzz")
    assert curves.origins[0].version == "good 1.2"


@pytest.mark.parametrize(
    ("source", "failure"),
    [
        ("import there_is_no_such_module", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit"),
        (importer().replace("nrm_importers()", "nrm_importer()"), "unknown hook nrm_importer;"),
        (importer().replace("nrm_importers()", "nrm_importers(path)"), "nrm_importers"),
        (importer().replace("return [Importer()]", "return 5"), "TypeError"),
        (importer().replace("return [Importer()]", "return [5]"), "returned 5, which lacks name"),
        (importer().replace("return [Importer()]", "return None"), "TypeError"),
        (importer().replace("return [Importer()]", "1 / 0"), "ZeroDivisionError"),
        (importer().replace("suffixes", "suffix"), "which lacks suffixes"),
        (importer(name=None), "whose name is None"),  # type: ignore[arg-type]
        (importer(name="bruker"), "'bruker' is taken by nrm-plugin"),
    ],
)
def test_bad_plugin_is_reported_and_harms_nobody(
    install: Install, tmp_path: Path, source: str, failure: str
) -> None:
    install("bad", source)
    install("good", importer("good"))
    assert failure in found("bad").failure
    assert found("bad").adds["importers"] == []
    left_out = plugins.installed().manager.get_plugin("bad") is None
    assert left_out == ("is taken by" not in failure)
    assert found("good").adds["importers"] == ["good"]
    ours = plugins.installed().importers["bruker"]
    assert type(ours).__module__ == "nrm_importers.bruker"
    (tmp_path / "a.zzz").write_bytes(b"ZZZ")
    assert nrm.open(tmp_path / "a.zzz").importer == "good"


def test_a_missing_module(install: Install) -> None:
    install("gone", "")
    entry = next(Path(sys.path[0]).glob("gone*/entry_points.txt"))
    entry.write_text("[nrm_plugin]\ngone = no_such_module_at_all\n")
    plugins.installed.cache_clear()
    assert "ModuleNotFoundError" in found("gone").failure


def test_nobody_takes_our_names(install: Install) -> None:
    """Even one that sorts before us: our own distribution loads first."""
    install("aaa", importer("aaa"), entry="bruker")
    assert found("aaa").failure == "the name is taken by nrm-plugin"
    assert "aaa" not in plugins.installed().importers


def test_two_strangers_with_one_importer_name(install: Install) -> None:
    install("first", importer("same"))
    install("second", importer("same"))
    assert found("first").failure == ""
    assert found("second").failure == "'same' is taken by first; that one is used"
    assert plugins.installed().version_of("same") == "first 1.2"


@pytest.mark.parametrize("blocked", ["good", "all", "other, good", "good-entry"])
def test_blocked(install: Install, monkeypatch: pytest.MonkeyPatch, blocked: str) -> None:
    install("good", "raise RuntimeError('imported')", entry="good-entry")
    monkeypatch.setenv("NRM_DISABLE_PLUGINS", blocked)
    plugins.installed.cache_clear()
    assert found("good").failure == "disabled by NRM_DISABLE_PLUGINS"
    assert "bruker" in plugins.installed().importers


def test_our_own_can_be_blocked_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRM_DISABLE_PLUGINS", "bruker")
    assert "bruker" not in plugins.load().importers


@pytest.mark.parametrize(
    ("score", "opener"),
    [
        ("1 / 0", "bruker"),
        ("'high'", "bruker"),
        ("None", "bruker"),
        ("10**6", "bruker"),  # scores end at 100, and at a tie our own comes first
        ("-5", "bruker"),
    ],
)
def test_a_sniff_out_of_order(
    install: Install, tmp_path: Path, score: str, opener: str, samples: object
) -> None:
    install("odd", importer("odd", score))
    curves = nrm.open(samples.single().path)  # type: ignore[attr-defined]
    assert curves.importer == opener
    failed = score in ("1 / 0", "'high'", "None")
    assert any("importer odd failed to look at the file" in w for w in curves.warnings) == failed


@pytest.mark.parametrize("opened", ["None", "1 / 0", "open('/no/such')", "{}['key']", "[CurveSet]"])
def test_an_importer_that_fails_is_a_named_error(
    install: Install, tmp_path: Path, opened: str
) -> None:
    install("odd", importer("odd", opened=opened))
    (tmp_path / "a.zzz").write_bytes(b"ZZZ")
    with pytest.raises(nrm.CorruptFile, match="the importer odd can read"):
        nrm.open(tmp_path / "a.zzz")


COMMANDS = """
import click
from nrm_plugin import hookimpl

@hookimpl
def nrm_commands(cli):
    @cli.command("hello", help="Greet.")
    def hello():
        click.echo("hello from a plugin")
    @cli.command("info")
    def info():
        click.echo("not ours")
    {then}
"""


@pytest.mark.parametrize("then", ["pass", "1 / 0"])
def test_commands_of_plugins(install: Install, then: str) -> None:
    install("adder", COMMANDS.format(then=then))
    install(
        "crash",
        COMMANDS.format(then="pass")
        .replace("import click", "import os")
        .replace('@cli.command("hello", help="Greet.")', "raise ValueError('no')"),
    )
    assert isinstance(main, click.Group)
    main.commands.clear()  # what plugins added to earlier tests
    try:
        shown = CliRunner().invoke(main, ["--help"])
        assert (shown.exit_code, shown.exception) == (0, None)
        assert "hello" in shown.stdout
        assert CliRunner().invoke(main, ["hello"]).stdout == "hello from a plugin\n"
        assert "not ours" not in CliRunner().invoke(main, ["info", "--help"]).stdout
        assert found("crash").failure == "nrm_commands: ValueError: no"
    finally:
        main.commands.clear()


LOG = """
from nrm_plugin import hookimpl

class Reader:
    name = "zzz"
    description = "test logs"
    suffixes = (".zzz",)
    def sniff(self, head, path):
        return 100 * head.startswith(b"ZZZ")
    def read(self, path):
        from nrm_plugin import Log
        return {given}

@hookimpl
def nrm_potential_logs():
    return [Reader()]
"""


def test_a_reader_of_logs(install: Install, tmp_path: Path) -> None:
    install("logs", LOG.format(given="Log([0, 1], [2.0, 1.9], start='2025-03-04')"))
    assert found("logs").adds["potential_logs"] == ["zzz"]
    (tmp_path / "a.zzz").write_bytes(b"ZZZ")
    log = nrm.read_log(tmp_path / "a.zzz")
    assert (log.reader, log.name, list(log.potential)) == ("zzz", "a.zzz", [2.0, 1.9])
    assert "potential log zzz" in CliRunner().invoke(main, ["plugins"]).stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("None", "returned a NoneType"),
        ("Log([0, 1], [2.0])", "as many times"),
    ],
)
def test_a_faulty_reader_of_logs(install: Install, tmp_path: Path, given: str, said: str) -> None:
    install("logs", LOG.format(given=given))
    (tmp_path / "a.zzz").write_bytes(b"ZZZ")
    with pytest.raises(nrm.NrmError, match=said) as caught:
        nrm.read_log(tmp_path / "a.zzz")
    assert str(tmp_path / "a.zzz") in str(caught.value)


def test_what_is_no_reader_of_logs(install: Install) -> None:
    install("logs", LOG.replace("def read(", "def open("))
    assert "lacks read" in found("logs").failure


def test_nrm_plugins_in_a_process_of_its_own(install: Install) -> None:
    install("good", importer())
    install("bad", "import there_is_no_such_module")
    command = [sys.executable, "-m", "nrm_plugin", "plugins"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    listed = {p["distribution"]: p for p in json.loads(done.stdout) if p["name"] != "nrm"}
    assert listed["good"] == {
        "name": "good",
        "distribution": "good",
        "version": "1.2",
        "hooks": ["nrm_importers"],
        "importers": ["zzz"],
        "exporters": [],
        "contact_methods": [],
        "derivative_methods": [],
        "figures": [],
        "calibrations": [],
        "lockins": [],
        "potential_logs": [],
        "failure": "",
        "offers": [
            {"kind": "importers", "name": "zzz", "description": "test files", "settings": {}}
        ],
    }
    assert "there_is_no_such_module" in listed["bad"]["failure"]
    assert done.stderr == ""
    environment = {**os.environ, "NRM_DISABLE_PLUGINS": "good"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "importer zzz" not in done.stdout
    assert "disabled by NRM_DISABLE_PLUGINS" in done.stdout
    assert "FAILED: ModuleNotFoundError" in done.stdout
