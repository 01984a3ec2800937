"""Changed files for every reader: a short campaign, always the same, and all that failed once."""

from __future__ import annotations

import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if sys.platform == "win32":
    pytest.skip("limits of time and memory need signals", allow_module_level=True)

from fuzzing import FAILURES, ceilings  # noqa: E402
from fuzzing.campaigns import run_plain  # noqa: E402
from fuzzing.seeds import write_seeds  # noqa: E402
from fuzzing.sizes import CASES, UNKNOWABLE, silent_differences  # noqa: E402
from fuzzing.targets import TARGETS, prepare  # noqa: E402
from nrm_plugin.hdf5_guard import LOOKS  # noqa: E402

KEPT = sorted(path for path in FAILURES.rglob("*") if path.is_file())

#: Changed inputs of the short campaign; files of ours take ten times as long as others.
FEWER = {"curves": 8, "results": 8, "journal": 8, "process": 1, "recording": 5, "log": 10}
EXECUTIONS = dict.fromkeys(TARGETS, 25) | FEWER

#: Fields of each file that are changed here; `python -m fuzzing --sizes` changes all.
SIZES = 30

#: Readers of HDF5: HDF5 1.14 itself ends the program on some damaged files.
HDF5 = ("curves", "results", "journal", "process", "shape-factor", "recognised", "table")


def without_crashes(name: str) -> Any:
    """Mark a target that needs a library that survives damaged files."""
    old = name in HDF5 and not LOOKS
    return pytest.param(name, marks=pytest.mark.skipif(old, reason="HDF5 1.14 may crash on it"))


@pytest.fixture(autouse=True, scope="module")
def scratch_of_pytest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is left in the system's folder where a worker of pytest is ended at once."""
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("fuzzing"))
    yield
    tempfile.tempdir = before


@pytest.fixture(autouse=True)
def prepared() -> Iterator[None]:
    with warnings.catch_warnings():
        prepare()
        yield


@pytest.mark.parametrize("name", [without_crashes(name) for name in TARGETS])
def test_a_short_campaign(name: str, tmp_path: Path) -> None:
    seeds = [path.read_bytes() for path in write_seeds(name, tmp_path / "seeds")]
    done, found = run_plain(name, seeds, seed=1, most=len(seeds) + EXECUTIONS[name])
    assert done == len(seeds) + EXECUTIONS[name]
    assert not found, found[0].failure.report


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_failed_once(path: Path) -> None:
    failure = ceilings.failure_of(TARGETS[path.parent.name].run, path.read_bytes())
    assert failure is None, failure.report


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}{case[2]}")
def test_a_wrong_size_is_noticed(case: Any, tmp_path: Path) -> None:
    """What is silently another is what the list of the unknowable names, and nothing else."""
    name, seed, form, repaired = case
    write_seeds(name, tmp_path)
    tried, found = silent_differences(name, tmp_path / seed, form, repaired, most=SIZES)
    assert tried > 50
    unknowable = UNKNOWABLE.get(name, "$^")
    assert not [str(one) for one in found if not re.search(unknowable, one.field.name)]
