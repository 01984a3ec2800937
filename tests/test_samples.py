"""The sample files: made again they are the same, and every importer and command takes them."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

import pytest

import nrm_plugin as nrm
from nrm_plugin import plugins
from nrm_plugin.cli.demo import convert_samples
from nrm_plugin.testing import CUTS, check_importer

SAMPLES = Path(__file__).resolve().parent.parent / "sample_data"
ALL = sorted(
    p
    for p in SAMPLES.rglob("*")
    if p.is_file() and p.parent.name not in ("sample_data", "__pycache__")
)
LOGS = [p for p in ALL if p.parent.name == "potentiostat"]
FILES = [p for p in ALL if p not in LOGS]


def test_the_script_makes_the_same_bytes(tmp_path: Path) -> None:
    run_path(str(SAMPLES / "make_samples.py"))["main"](tmp_path)
    made = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert made == {p.relative_to(SAMPLES): p.read_bytes() for p in ALL}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_its_importer_keeps_all_promises(path: Path) -> None:
    foreign = [p for p in ALL if p.parent != path.parent]
    importer = plugins.installed().importers[path.parent.name]
    # Nothing in a text tells that rows behind its end are missing.
    cuts = () if path.suffix == ".csv" else CUTS
    check_importer(importer, [path], foreign=foreign, cuts=cuts)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_no_other_importer_takes_it(path: Path) -> None:
    head = path.read_bytes()[:4096]
    scores = {n: i.sniff(head, path) for n, i in plugins.installed().importers.items()}
    # Any text may be a table of columns, which the table importer says with a low score.
    sure = {name for name, score in scores.items() if score > (5 if name == "table" else 0)}
    assert sure == {path.parent.name}


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.name)
def test_readers_of_logs_take_logs_and_nothing_else(path: Path) -> None:
    head = path.read_bytes()[:4096]
    readers = plugins.installed().potential_logs
    scores = {n: r.sniff(head, path) for n, r in readers.items()}
    assert any(scores.values()) == (path in LOGS)


@pytest.mark.parametrize("path", LOGS, ids=lambda p: p.name)
def test_logs_agree(path: Path) -> None:
    """All of them show one cycle from 2 V to 0.005 V and back at 1 mV/s."""
    log = nrm.read_log(path)
    time = log.time[-160:] - log.time[-160]
    expected = 0.005 + abs(1.995 - 1e-3 * time)
    assert abs(log.potential[-160:] - expected).max() < 1e-5


def test_the_demo_converts_all_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert_samples(tmp_path, quiet=True) == 0
    assert f"{len(FILES)} written" in capsys.readouterr().out
    for path in FILES:
        converted = nrm.open(tmp_path / f"{path.name}.h5")
        assert converted.n_samples == nrm.open(path).n_samples
