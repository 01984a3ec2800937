"""What of the readers the inputs so far reach: ``python -m fuzzing.reached [TARGET ...]``.

Seeds, corpus and failures of each target are run once. Lines and branches are those of the modules
that read; what else they use counts for nobody.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import click
import coverage

from fuzzing import FAILURES, ROOT

#: Modules that read what a target gives; the parts of one that do something else are left out.
READERS: dict[str, tuple[str, ...]] = {
    **{
        name: (f"importers/nrm_importers/{name}/*",)
        for name in ("bruker", "jpk", "park", "asylum", "nanosurf", "gwyddion", "table")
    },
    "log": ("importers/nrm_importers/potentiostat/*",),
    "columns": ("nrm_plugin/delimited.py",),
    "curves": ("nrm_plugin/store/read_curves.py", "nrm_plugin/store/nexus.py"),
    "results": ("nrm_plugin/store/read_results.py", "nrm_plugin/store/results_file.py"),
    "journal": ("nrm_plugin/store/journal.py", "nrm_plugin/hdf5_guard.py"),
    "recording": tuple(
        f"daq/nrm_daq/{name}.py" for name in ("recording", "recording_metadata", "recovery")
    ),
    "shape-factor": ("nrm_plugin/fea/shape_file.py",),
    "experiment": ("nrm_plugin/experiment/*", "nrm_plugin/statements.py"),
    "recipe": ("nrm_plugin/recipe.py",),
    "study": ("nrm_plugin/study/study_file.py", "nrm_plugin/study/study_values.py"),
    "decisions": ("nrm_plugin/decisions.py", "nrm_plugin/decisions_file.py"),
    "daq": ("daq/nrm_daq/config.py", "daq/nrm_daq/config_values.py"),
    "table-map": ("importers/nrm_importers/table/table_map.py",),
    "viewer": ("nrm_plugin/viewer/access.py", "nrm_plugin/viewer/app.py"),
    "quantity": ("nrm_plugin/units.py",),
}

#: What writes, or is a command: no changed input reaches it.
_NOT_READ = (
    *("*/write*", "*/templates.py", "*/updates.py", "*/table_command.py", "*/memory.py"),
    *("*/file_plug_in.py", "*/gwyddion_window.py", "*/menu_entry.py"),
)


def main(names: list[str]) -> None:
    """Print how much of its modules the inputs of all targets reach."""
    measured = coverage.Coverage(branch=True, data_file=None, source=_sources(), config_file=False)
    measured.start()
    from fuzzing.campaigns import HOME
    from fuzzing.ceilings import failure_of
    from fuzzing.seeds import write_seeds
    from fuzzing.targets import TARGETS, prepare

    prepare()
    counts = {}
    with tempfile.TemporaryDirectory() as scratch:
        tempfile.tempdir = scratch
        for name in names or TARGETS:
            kept = [*write_seeds(name, Path(scratch) / "seeds" / name)]
            for folder in (HOME / "corpus" / name, FAILURES / name):
                kept += sorted(folder.iterdir()) if folder.exists() else []
            for path in kept:
                failure_of(TARGETS[name].run, path.read_bytes())
            counts[name] = len(kept)
        measured.stop()
        click.echo(f"{'target':14}{'inputs':>8}{'lines':>8}{'branches':>10}")
        for name, count in counts.items():
            if name in READERS:
                lines, branches = _shares(measured, READERS[name], Path(scratch) / "report.json")
                click.echo(f"{name:14}{count:8}{lines:7.0%}{branches:9.0%}")


def _sources() -> list[str]:
    return [str(ROOT / folder) for folder in ("nrm_plugin", "importers", "daq")]


def _shares(
    measured: coverage.Coverage, files: tuple[str, ...], report: Path
) -> tuple[float, float]:
    """Shares of the lines and of the branches of some files that were run."""
    include = [str(ROOT / file) for file in files]
    measured.json_report(include=include, omit=list(_NOT_READ), outfile=str(report))
    found = json.loads(report.read_text())["totals"]
    return (
        found["covered_lines"] / found["num_statements"],
        found["covered_branches"] / found["num_branches"],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
