"""The documentation is true: its examples run and print what they say, its lists are complete.

Every fenced block in README.md and docs/ is tried, page by page in a folder with small files:

- ``python`` blocks of a page run one after the other in one namespace;
- ``console`` blocks: lines ``$ nrm ...`` run, other commands are not tried;
- a ``text`` block right behind a python block is what it prints; ``...`` stands for anything;
- a comment before a block: ``<!-- from: FILE -->`` it stands in this file, word for word;
  ``<!-- exit: 1 -->`` its commands end so; ``<!-- needs: PACKAGE -->`` skipped without it;
  ``<!-- file: NAME -->`` it is written into this file, for the commands behind it.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib.util
import inspect
import io
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from writers.nanoscope import (
    ForceChannel,
    example_force_volume,
    example_images,
    example_single_curve,
    write_force,
)
from writers.potentiostat import write_mpt

import nrm_plugin
from nrm_plugin import cli, hookspecs, plugins, testing, variables, vocabulary

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "examples" / "nrm-importer-template"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: Of the core, and of plugins that come with it.
OWN_COMMANDS = [*cli._COMMANDS, "acquire", "dither", "gwyddion", "table"]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str
    directives: dict[str, str]
    follows: bool  # right behind another block

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    directives: dict[str, str] = {}
    between = True  # something else than blank lines since the last block
    number = 0
    while number < len(lines):
        line = lines[number]
        if line.startswith("```"):
            end = lines.index("```", number + 1)
            text = "\n".join(lines[number + 1 : end]) + "\n"
            found.append(Block(page, number + 1, line[3:], text, directives, not between))
            directives, between, number = {}, False, end
        elif match := re.fullmatch(r"<!-- (from|exit|needs|file): (\S+) -->", line):
            directives, between = {match[1]: match[2]}, True
        elif line:
            directives, between = {}, True
        number += 1
    return found


def headings(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.findall(r"^#+ (.*)$", text, re.M)


def section(page: Path, heading: str) -> str:
    text = page.read_text(encoding="utf-8")
    level, rest = re.search(rf"^(#+) {re.escape(heading)}$(.*)", text, re.M | re.S).groups()
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.M)[0]


def assert_printed(block: Block, expected: str, printed: str) -> None:
    assert doctest.OutputChecker().check_output(expected, printed, FLAGS), (
        f"{block.where} does not show what is printed:\n--- page\n{expected}\n--- now\n{printed}"
    )


# Examples run


@pytest.fixture
def example_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder with the files that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    example_force_volume("volume.spm")
    example_single_curve("curve.000")
    example_images("scan.spm")
    for number in range(3):
        date = f"09:4{1 + 2 * number}:07 AM Tue Mar 04 2025"
        example_single_curve(f"series.{number:03}", date=date)
    write_mpt(Path("cv.mpt"), start=datetime(2025, 3, 4, 9, 30))
    raw = np.zeros((1, 200), np.int64)
    never = ForceChannel(
        "Deflection Error", "DeflectionError", raw, 0.000375, 2.5, ("DeflSens", 1.0, "")
    )
    write_force("uncalibrated.spm", [never], n_ext=100, n_ret=100)
    Path("cut.spm").write_bytes(Path("volume.spm").read_bytes()[:-500])
    Path("notes.txt").write_text("Electrolyte: none left.\n", encoding="utf-8")
    load("write_hfc", TEMPLATE / "tests" / "write_hfc.py").write_hfc("example.hfc")
    use_plugins_of({plugins.OWN}, monkeypatch)
    return tmp_path


def use_plugins_of(distributions: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    points = [p for p in entry_points(group="nrm_plugin") if p.dist.name in distributions]
    found = plugins.load(points)
    monkeypatch.setattr(plugins, "installed", lambda: found)
    monkeypatch.setattr(cli.main, "commands", {})  # those of plugins are asked for once


def load(name: str, path: Path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def with_template(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Let the template be found as if it, and no other plugin, were installed."""
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    site = tmp_path_factory.mktemp("site")
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(head, encoding="utf-8")
    points = [f"{k} = {v}" for k, v in project["entry-points"]["nrm_plugin"].items()]
    text = "\n".join(["[nrm_plugin]", *points, ""])
    (info / "entry_points.txt").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(site)
    monkeypatch.syspath_prepend(TEMPLATE)
    use_plugins_of({plugins.OWN, project["name"]}, monkeypatch)
    yield
    for name in [n for n in sys.modules if n.split(".")[0] == "nrm_importer_template"]:
        del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_run(page, example_files, request):
    if page.name == "writing-plugins.md":
        request.getfixturevalue("with_template")
    if page.name == "common-file.md":
        nrm_plugin.open("volume.spm").save("volume.h5")
    namespace: dict[str, object] = {"__name__": "example"}
    printed: str | None = None
    for block in blocks_of(page):
        if block.language == "text" and block.follows and printed is not None:
            assert_printed(block, block.text, printed)
        printed = None
        if "file" in block.directives:
            Path(block.directives["file"]).write_text(block.text, encoding="utf-8")
        source = block.directives.get("from")
        needs = block.directives.get("needs")
        if source is not None:
            text = (ROOT / source).read_text(encoding="utf-8")
            assert block.text in text, f"{block.where} is not what stands in {source}"
        elif needs is not None and importlib.util.find_spec(needs) is None:
            continue
        elif block.language == "python":
            if needs == "ixdat":
                request.getfixturevalue("ixdat")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(
                    compile("\n" * block.line + block.text, block.where, "exec", dont_inherit=True),
                    namespace,
                )
            printed = out.getvalue()
        elif block.language == "console":
            run_console(block)
        elif block.language == "toml":
            tomllib.loads(block.text)
        else:
            # What starts with { the builder of the site tries (run.py docs).
            assert block.language in ("text", "{eval-rst}"), (
                f"{block.where}: {block.language!r} is not tried"
            )


def run_console(block: Block) -> None:
    for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
        command, _, expected = part.partition("\n")
        words = shlex.split(command)
        if words[0] != "nrm":
            assert not expected, f"{block.where}: the output of {words[0]} is not tried"
            continue
        result = CliRunner().invoke(cli.main, words[1:], prog_name="nrm")
        assert result.exit_code == int(block.directives.get("exit", 0)), (
            f"{block.where}: {command} ends with {result.exit_code}: {result.output}"
        )
        assert_printed(block, expected, result.output)


def test_the_runner_notices_a_false_page(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    page = tmp_path / "page.md"
    parts = [
        "```python\nprint(1)\n```",
        "```text\n2\n```",
        "<!-- exit: 3 -->",
        "```console\n$ nrm --version\n```\n",
    ]
    page.write_text("\n\n".join(parts), encoding="utf-8")
    code, text, console = blocks_of(page)
    assert (code.language, code.follows, text.follows, console.follows) == (
        "python",
        False,
        True,
        False,
    )
    assert console.directives == {"exit": "3"}
    with pytest.raises(AssertionError, match="does not show what is printed"):
        assert_printed(text, text.text, "1\n")
    with pytest.raises(AssertionError, match="ends with 0"):
        run_console(console)


# Lists are complete


def signature(function) -> str:
    """Return the signature as it stands in the source."""
    text = str(inspect.signature(function)).replace("'", "")
    return text.replace(f"= {testing.CUTS}", "= CUTS")


HOOKS = {name: value for name, value in vars(hookspecs).items() if name.startswith("nrm_")}
FUNCTIONS = [
    *HOOKS.values(),
    hookspecs.Importer.sniff,
    hookspecs.Importer.open,
    hookspecs.Exporter.write,
    hookspecs.ContactMethod.find,
    hookspecs.LockInModel.connect,
    hookspecs.PotentialLog.read,
    testing.check_importer,
    testing.check_calibration,
    hookspecs.Calibration.estimate,
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_hooks_are_documented_with_their_signature(function):
    page = ROOT / "docs" / "plugin-hooks.md"
    assert f"`{function.__name__}{signature(function)}`" in headings(page)


def test_no_hook_is_documented_that_does_not_exist():
    page = ROOT / "docs" / "plugin-hooks.md"
    named = {m[1] for h in headings(page) if (m := re.match(r"`(nrm_\w+)\(", h))}
    assert named == set(HOOKS)


@pytest.mark.parametrize(
    "protocol",
    [
        hookspecs.Importer,
        hookspecs.Exporter,
        hookspecs.ContactMethod,
        hookspecs.Calibration,
        hookspecs.PotentialLog,
    ],
)
def test_attributes_of_protocols_are_documented(protocol):
    text = section(ROOT / "docs" / "plugin-hooks.md", protocol.__name__)
    for name, kind in protocol.__annotations__.items():
        assert f"`{name}: {kind}`" in text


def commands_in_help() -> list[str]:
    output = CliRunner().invoke(cli.main, ["--help"]).output
    return re.findall(r"^  (\w+) ", output.split("Commands:")[1], re.M)


def test_commands_are_documented():
    own = [name for name in commands_in_help() if name in OWN_COMMANDS]
    documented = re.findall(r"`nrm (\w+)`", "\n".join(headings(ROOT / "docs" / "command-line.md")))
    assert documented == own


@pytest.mark.parametrize("name", OWN_COMMANDS)
def test_options_are_documented(name):
    command = cli.main.get_command(click.Context(cli.main), name)
    text = section(ROOT / "docs" / "command-line.md", f"`nrm {name}`")
    params = command.get_params(click.Context(command))
    options = [p for p in params if isinstance(p, click.Option) and "--help" not in p.opts]
    documented = re.findall(r"^\| `(-.*?)` \|", text, re.M)
    shown = []
    for option in options:
        names = "`, `".join(option.opts)
        shown.append(f"{names} {option.metavar}" if option.metavar else names)
    assert documented == shown


@pytest.mark.parametrize("title", ["CHANNELS", "COLUMNS", "METADATA"])
def test_names_and_units_are_documented(title):
    text = section(ROOT / "docs" / "curves-in-python.md", "Names and units")
    names = re.findall(r"^\| `(\w+)` \| ?(.*?) ?\| (.*?) \|$", text, re.M)
    table = getattr(vocabulary, title)
    for name, entry in table.items():
        unit = entry.unit if title == "METADATA" else " or ".join(entry.units)
        assert any(n == name and u == unit and m.startswith(entry.meaning) for n, u, m in names), (
            f"docs/curves-in-python.md lacks: | `{name}` | {unit} | {entry.meaning} |"
        )
    known = {*vocabulary.CHANNELS, *vocabulary.COLUMNS, *vocabulary.METADATA}
    assert {n for n, _, _ in names} <= known


def test_variables_and_flags_of_results_are_documented():
    page = ROOT / "docs" / "processing.md"
    rows = re.findall(
        r"^\| `(\w+)` \| ?(.*?) ?\| (.*?) \| (.*) \|$", section(page, "The results"), re.M
    )
    table = variables.CONTACT | variables.LATERAL | variables.DERIVED
    expected = [
        (name, v.unit, ", ".join(v.dims), v.meaning.replace("|", r"\|"))
        for name, v in table.items()
        if not name.endswith("_stderr") or name in variables.CONTACT
    ]
    for row in expected:
        assert row in rows, f"docs/processing.md lacks: | `{row[0]}` | {' | '.join(row[1:])} |"
    assert rows == expected, "docs/processing.md: not in the order of nrm_plugin/variables.py"
    flags = re.findall(r"^\| `(\w+)` \|", section(page, "Flags"), re.M)
    assert tuple(flags) == variables.FLAGS


def test_warnings_that_are_explained_exist():
    folder = ROOT / "importers" / "nrm_importers"
    paths = [folder / "metadata.py", *sorted((folder / "bruker").glob("*.py"))]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
    texts = [
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    texts += [entry.meaning for entry in vocabulary.METADATA.values()]
    texts.append(inspect.getsource(vocabulary.Key))
    table = section(ROOT / "docs" / "bruker.md", "Warnings, and what to do")
    for row in re.findall(r"^\| (`.*?) \|", table, re.M):
        for warning in re.findall(r"`(.*?)`", row):
            longest = max(re.split(r"\.\.\.|[+\d.]*\d", warning), key=len).strip(" :")
            assert any(longest in text for text in texts), f"no such warning: {warning}"


# Pages hang together


def test_tables_of_formats_are_those_of_the_registry():
    drawing = [sys.executable, ROOT / "docs" / "list_formats.py", "--check"]
    done = subprocess.run(drawing, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_readme_names_the_two_commands():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line.strip() for line in lines if "run.py" in line] == [
        "python3 run.py demo",
        "python3 run.py test",
    ]


def test_readme_says_at_the_top_what_is_not_there_yet():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    introduction = text.split("## ", 1)[0]
    assert "Not yet" in introduction
    assert len(introduction.strip().splitlines()) <= 8


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings(page))
    return {text.strip().replace(" ", "-") for text in plain}


@pytest.mark.parametrize(
    "page", [*PAGES, TEMPLATE / "README.md"], ids=lambda page: f"{page.parent.name}-{page.name}"
)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(there), f"{page.name}: {target}"


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert page.name == "index.md" or f"({page.name})" in index


def test_the_template_stays_small():
    """Ten lines of pyproject, as the pages promise, and a light module that registers."""
    text = (TEMPLATE / "pyproject.toml").read_text(encoding="utf-8").split("[tool.pytest")[0]
    assert len([line for line in text.splitlines() if line]) <= 12
    modules = {path.stem for path in (TEMPLATE / "nrm_importer_template").glob("*.py")}
    assert modules == {"__init__", "hfc", "contact", "derivative", "figure"}
    code = "import sys, nrm_importer_template; print(*sys.modules)"
    imported = subprocess.run(
        [sys.executable, "-c", code], cwd=TEMPLATE, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"numpy", "pydantic", "matplotlib", "h5py"}.isdisjoint(imported)
