"""The readers that are tried, by name: each takes bytes, and ends in nothing or a named error."""

from __future__ import annotations

import atexit
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from whole_reading import read_whole

from fuzzing import checksums, journals, text_seeds
from fuzzing.viewer_requests import answer_request
from nrm_plugin import plugins
from nrm_plugin.files import HEAD

Run = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes
    ----------
    run : callable
        Takes an input.
    reads : str
        What it reads, in a few words.
    repaired : callable, optional
        Makes the checksums of a changed input right.
    """

    run: Run
    reads: str
    repaired: Callable[[bytes], bytes] | None = None


@cache
def scratch() -> Path:
    """A folder for the inputs as files."""
    made = Path(tempfile.mkdtemp(prefix="nrm-fuzzing-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


#: Suffixes by which a reader of tables chooses.
_SUFFIXES = ((b"\x89HDF", ".h5"), (b"PAR1", ".parquet"), (b"TDSm", ".tdms"), (b"PK", ".npz"))


def _file(data: bytes, suffix: str = "") -> Path:
    path = scratch() / f"input{suffix}"
    path.unlink(missing_ok=True)  # a new one each time: readers remember files that they looked at
    path.write_bytes(data)
    return path


def of_file(read: Callable[[Path], Any], suffix: str = "") -> Run:
    """Return a target that gives the input as a file."""

    def run(data: bytes) -> None:
        read(_file(data, suffix))

    return run


# ------------------------------------------------------------------ curves


def importer(name: str) -> Run:
    """Return the target of an importer: `nrm_plugin.open` would turn its faults into ours."""

    def run(data: bytes) -> None:
        suffix = next((end for head, end in _SUFFIXES if data.startswith(head)), ".csv")
        path = _file(data, suffix if name == "table" else "")
        chosen = plugins.installed().importers[name]
        if 0 < chosen.sniff(data[:HEAD], path) <= 100:
            read_whole(chosen.open(path), path)

    return run


def _recognised(data: bytes) -> None:
    path, head = _file(data), data[:HEAD]
    registry = plugins.installed()
    for reader in (*registry.importers.values(), *registry.potential_logs.values()):
        assert 0 <= reader.sniff(head, path) <= 100


def _log(data: bytes) -> None:
    from nrm_plugin.cli.info import describe_log

    path = _file(data)
    name, _, _ = plugins.installed().surest("potential_logs", data[:HEAD], path)
    if name is not None:
        log = plugins.installed().potential_logs[name].read(path)
        assert len(log.time) == len(log.potential)
        json.dumps(describe_log(str(path), log), allow_nan=False)


# ------------------------------------------------------------------ files of ours


def _results(path: Path) -> None:
    import nrm_plugin as nrm

    results = nrm.open_results(path)
    for name in ("contact_height", "storage_modulus", "viscosity"):
        if name in results:
            results[name].to_numpy()


@cache
def _small_curves() -> Any:
    from fuzzing.seeds import small_curves

    return small_curves()


def _journal(data: bytes) -> None:
    out = scratch() / "out.h5"
    out.unlink(missing_ok=True)
    journal = out.with_name("out.h5.process")
    journal.write_bytes(data)
    try:
        journals.finish(out)
    finally:
        journal.unlink(missing_ok=True)


def _process(data: bytes) -> None:
    import nrm_plugin as nrm
    from fuzzing.seeds import FEW_DEPTHS

    out = scratch() / "out.h5"
    out.unlink(missing_ok=True)
    journal = out.with_name("out.h5.process")
    journal.write_bytes(data)
    try:
        nrm.process(_small_curves(), FEW_DEPTHS, out, block=2, threads=1).close()
    finally:
        journal.unlink(missing_ok=True)


def _recording(path: Path) -> None:
    from nrm_daq.recovery import recover

    out = path.with_name("recovered.h5")
    read_whole(recover(path, out, overwrite=True), path)


def _shape_factor(path: Path) -> None:
    import numpy as np

    from nrm_plugin.fea.shape_file import read_shape_factor

    factor = read_shape_factor(path)
    factor.at(np.linspace(factor.distance[0], factor.distance[-1], 7))


# ------------------------------------------------------------------ texts


def _experiment(path: Path) -> None:
    from nrm_plugin import experiment

    experiment.read(path).apply(_small_curves())


def _recipe(path: Path) -> None:
    from nrm_plugin.recipe import Recipe

    recipe = Recipe.from_toml(path)
    assert Recipe.from_text(recipe.to_toml()) == recipe


def _study(path: Path) -> None:
    from nrm_plugin.study import read_study

    for name in ("recipe.toml", "ec1.toml", "cv.csv", "ec1/a.spm", "dme1/b.spm"):
        beside = path.with_name("study") / name  # what the seed speaks of
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.touch()
    read_study(path.rename(path.with_name("study") / "study.toml"))


def _decisions(path: Path) -> None:
    import numpy as np

    from nrm_plugin.curve_origins import CurveOrigins
    from nrm_plugin.decisions import Decision, Decisions

    hashes = [text_seeds.SHA256]
    of = CurveOrigins.of(["a.spm"], hashes, {"source": np.zeros(20, int)}, 20)
    found = Decisions.read(path, of)
    _ = found.by_hand, found.contacts, found.notes, found.summary()
    json.loads(found.as_json())
    changed = found.with_decision(Decision(decision="exclude", curves=[3, 7])).without(
        [7], "exclude"
    )
    path.write_text(changed.text, encoding="utf-8", newline="")
    again = Decisions.read(path, of)
    assert 3 in again.excluded
    assert 7 not in again.excluded


def _daq(path: Path) -> None:
    from nrm_daq.config import DaqConfig

    config = DaqConfig.from_toml(path)
    config.as_simulated()
    config.known_metadata()


def _table_map(path: Path) -> None:
    from nrm_importers.table.table_map import TableMap, as_toml, parse_map
    from nrm_plugin.formats import settings_for

    read: TableMap = settings_for(plugins.installed().importers["table"], path)
    text = as_toml(read)  # not the maps themselves: a scale may be nan
    assert as_toml(parse_map(text, "again")) == text


def _columns(path: Path) -> None:
    from nrm_plugin.delimited import read_table

    read_table(path)


def _quantity(data: bytes) -> None:
    from nrm_plugin import delimited, units
    from nrm_plugin.errors import InvalidInput

    text = data[:4096].decode("utf-8", "replace")
    delimited.title(text)
    units.si(text)
    for target in ("m", "N/m", "K", "", "V"):
        try:
            assert isinstance(units.quantity(text, target), float)
        except InvalidInput:
            continue


TARGETS: dict[str, Target] = {
    "recognised": Target(_recognised, "the first bytes of any file, by all readers"),
    "bruker": Target(importer("bruker"), "Bruker files"),
    "jpk": Target(importer("jpk"), "JPK archives", checksums.zip_members),
    "park": Target(importer("park"), "Park TIFF and PS-PPT"),
    "asylum": Target(importer("asylum"), "Asylum .ibw and .ardf", checksums.igor_wave),
    "nanosurf": Target(importer("nanosurf"), "Nanosurf .nid"),
    "gwyddion": Target(importer("gwyddion"), "Gwyddion .gwy"),
    "table": Target(importer("table"), "tables of columns: text, npz, Parquet, TDMS, HDF5"),
    "log": Target(_log, "logs of potentiostats"),
    "columns": Target(of_file(_columns), "text tables of calibrations"),
    "curves": Target(importer("nrm"), "our files of curves"),
    "results": Target(of_file(_results, ".h5"), "our files of results"),
    "journal": Target(_journal, "unfinished results"),
    "process": Target(_process, "nrm process that goes on with unfinished results"),
    "recording": Target(
        of_file(_recording, ".part"), "unfinished recordings of nrm acquire", checksums.recording
    ),
    "shape-factor": Target(of_file(_shape_factor, ".h5"), "files of shape factors"),
    "experiment": Target(of_file(_experiment, ".toml"), "experiment files"),
    "recipe": Target(of_file(_recipe, ".toml"), "recipes"),
    "study": Target(of_file(_study, ".toml"), "study files"),
    "decisions": Target(of_file(_decisions, ".toml"), "decisions by hand"),
    "daq": Target(of_file(_daq, ".toml"), "configurations of nrm acquire"),
    "table-map": Target(of_file(_table_map, ".toml"), "table maps"),
    "viewer": Target(answer_request, "requests to the viewer's server"),
    "quantity": Target(_quantity, "numbers with units, titles of columns"),
}


def prepare() -> None:
    """What every process does once before the first input."""
    warnings.simplefilter("error")
    for logger in (logging.getLogger("nrm"), logging.getLogger("nrm_plugin")):
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    plugins.installed()
