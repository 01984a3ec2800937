"""Fuzzing: changed files for every reader, with ceilings of time and memory; see README.md."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: Inputs that failed once, in a folder for each target: tests/test_fuzzing.py runs them all.
FAILURES = Path(__file__).resolve().parent / "failures"

# The writers of the tests make the seeds.
if str(ROOT / "tests") not in sys.path:
    sys.path.insert(0, str(ROOT / "tests"))

# No table map of whoever runs this is used, and none is left in their configuration.
os.environ["NRM_NO_MEMORY"] = "1"
