"""Every command that writes, on data so small that each costs well under a second."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"

#: Names of what is unfinished: temporary files and folders, journals, locks.
UNFINISHED = (".part", ".process", ".lock", ".old")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command that writes.

    Attributes
    ----------
    name : str
    words : tuple of str
        Its arguments; {data} is the folder of what it reads. It runs in a folder of its own.
    before : mapping of str to str
        Files of the data that lie in its folder at first, by their names there.
    old : str
        A file that is there already and replaced; empty where none is.
    weight : int
        Its part of the kills.
    dear : bool
        It takes seconds, and meets only the faults that are cheap to play.
    call : callable, optional
        What is done instead of a command line.
    """

    name: str
    words: tuple[str, ...] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    old: str = ""
    weight: int = 3
    dear: bool = False
    call: Callable[[Path], None] | None = None

    def prepare(self, folder: Path, data: Path) -> None:
        """Make the folder in which it runs."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, source in self.before.items():
            shutil.copyfile(data / source, folder / name)
        if self.old:
            (folder / self.old).write_bytes(b"what was there before")

    def run(self, data: Path) -> None:
        """Run it in this process and in the folder where this process is; does not return."""
        if self.call is not None:
            self.call(data)
            sys.exit(0)
        from nrm_plugin import entry_point

        sys.argv = ["nrm", *self.arguments(data)]
        entry_point.run()

    def arguments(self, data: Path) -> list[str]:
        """Arguments of the command line."""
        return [word.format(data=data) for word in self.words]


def _decide(data: Path) -> None:
    """Take five decisions, as the page does."""
    import nrm_plugin as nrm
    from nrm_plugin.decisions import Decision, Decisions

    results = Path("results.h5")
    try:
        with nrm.open_results(results) as found:
            for curve in range(5):
                decisions = Decisions.for_results(found, results)
                if curve not in decisions.excluded:
                    decision = Decision(decision="exclude", curves=[curve], time=_WHEN)
                    decisions.with_decision(decision).write()
    except nrm.NrmError as error:
        print(f"nrm: {error}", file=sys.stderr)
        sys.exit(1)


_WHEN = datetime(2026, 3, 2, 9, tzinfo=UTC)
_RESULTS = "{data}/results.h5"

#: What a table of results, an image and a workbook are converted to.
_OF_CURVES = (".csv", ".npz", ".gwy")
_OF_RESULTS = (".csv", ".parquet", ".xlsx", ".nc", ".zarr", ".gwy")

COMMANDS: tuple[Command, ...] = (
    Command(
        name="convert a file",
        words=("convert", "{data}/a.h5", "-o", "out.h5", "--overwrite"),
        old="out.h5",
        weight=60,
    ),
    Command(
        name="convert a folder",
        words=("convert", "{data}/series.000", "{data}/series.001", "{data}/a.h5", "-o", "out/"),
        weight=50,
    ),
    *(
        Command(
            name=f"convert curves to {suffix}",
            words=("convert", "{data}/few.h5", "-o", f"out{suffix}", "--overwrite"),
            old=f"out{suffix}",
            weight=40,
        )
        for suffix in _OF_CURVES
    ),
    *(
        Command(
            name=f"convert results to {suffix}",
            words=("convert", _RESULTS, "-o", f"out{suffix}", "--overwrite"),
            old="" if suffix == ".zarr" else f"out{suffix}",
            weight=25,
        )
        for suffix in _OF_RESULTS
    ),
    Command(
        name="process a file",
        words=("process", "{data}/a.h5", "-o", "out.h5", "--overwrite"),
        old="out.h5",
        weight=90,
    ),
    Command(
        name="process a folder",
        words=("process", "{data}/a.h5", "{data}/b.h5", "-o", "out/"),
        weight=40,
    ),
    Command(
        name="merge",
        words=("merge", "{data}/daq.h5", "{data}/afm.h5", "-o", "out.h5", "--overwrite"),
        old="out.h5",
        weight=25,
    ),
    Command(
        name="report",
        words=("report", _RESULTS, "-o", "out.html", "--overwrite"),
        old="out.html",
        weight=25,
        dear=True,
    ),
    Command(
        name="report --crate",
        words=(
            *("report", _RESULTS, "-o", "out.html", "--curves", "{data}/a.h5"),
            *("--crate", "out.zip", "--overwrite"),
        ),
        old="out.html",
        weight=25,
        dear=True,
    ),
    Command(
        name="run",
        words=("run", "{data}/study/study.toml", "-o", "out"),
        weight=25,
        dear=True,
    ),
    Command(
        name="plot",
        words=("plot", _RESULTS, "-o", "out.png", "--kind", "profiles", "--overwrite"),
        old="out.png",
        weight=25,
    ),
    Command(
        name="study",
        words=("study", "{data}/study", "-o", "study.toml", "--overwrite"),
        old="study.toml",
        weight=30,
    ),
    Command(
        name="experiment",
        words=("experiment", "{data}/a.h5", "-o", "e.toml", "--overwrite"),
        old="e.toml",
        weight=40,
    ),
    Command(
        name="calibrate",
        words=(
            *("calibrate", "lateral", "given", "--value", "95nm/V", "--of", "lock-in"),
            *("-o", "e.toml"),
        ),
        before={"e.toml": "e.toml"},
        weight=60,
    ),
    Command(
        name="recipe", words=("recipe", "-o", "r.toml", "--overwrite"), old="r.toml", weight=60
    ),
    Command(
        name="table",
        words=("table", "{data}/two-ramps.csv", "-o", "map.toml", "--overwrite"),
        old="map.toml",
        weight=40,
    ),
    Command(
        name="potential --picture",
        words=("potential", "{data}/cv.csv", "--picture", "out.png", "--overwrite"),
        old="out.png",
        weight=25,
    ),
    Command(
        name="fea shape-factor",
        words=(
            *("fea", "shape-factor", "--radius", "10nm", "--thickness", "20nm", "--table"),
            *("-o", "rg.h5", "--overwrite"),
        ),
        old="rg.h5",
        weight=30,
    ),
    Command(
        name="lockin",
        words=(
            *("lockin", "{data}/raw.h5", "-o", "out.h5", "--frequency", "5kHz"),
            *("--rate", "500Hz", "--overwrite"),
        ),
        old="out.h5",
        weight=25,
    ),
    Command(name="decisions", before={"results.h5": "results.h5"}, call=_decide, weight=30),
    Command(name="gwyddion install", words=("gwyddion", "install"), weight=30),
    Command(
        name="acquire --recover",
        words=("acquire", "--recover", "rec.h5.part", "--overwrite"),
        before={"rec.h5.part": "rec.h5.part"},
        weight=25,
    ),
)


def contents(folder: Path) -> dict[str, str]:
    """Hashes of all finished files below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(_bytes_of(path)).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not unfinished(path.relative_to(folder))
    }


def _bytes_of(path: Path) -> bytes:
    """A file's bytes; of an archive without the times at which it was written."""
    if path.name == "study-run.json":  # holds the times of files
        with contextlib.suppress(ValueError):
            return b"whole" if json.loads(path.read_bytes()) else b""
    if path.suffix not in (".zip", ".xlsx"):
        return path.read_bytes()
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name != "docProps/core.xml"]
            return b"".join(name.encode() + archive.read(name) for name in sorted(members))
    except zipfile.BadZipFile:
        return path.read_bytes()


def unfinished(path: Path) -> bool:
    """Whether a file's name says that it is none yet."""
    return any(
        part.endswith(UNFINISHED) or ((part.startswith(".") and ".part" in part) or ".old" in part)
        for part in path.parts
    )


def leftovers(folder: Path) -> list[str]:
    """Names of what is unfinished in a folder."""
    found = (path.relative_to(folder) for path in folder.rglob("*"))
    return sorted(p.as_posix() for p in found if unfinished(p) and not unfinished(p.parent))


def environment(home: Path) -> dict[str, str]:
    """Variables under which the same command writes the same bytes."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "XDG_"))}
    return {
        **kept,
        **dict.fromkeys(threads, "1"),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR", str(home / "matplotlib")),
        "SOURCE_DATE_EPOCH": "1700000000",
    }


def prepare(data: Path) -> None:
    """Make what the commands read, unless it is there."""
    if (data / "made").exists():
        return
    sys.path.insert(0, str(TESTS))
    import numpy as np
    from double_recordings import double_recording

    import nrm_plugin as nrm
    from nrm_plugin.simulate.electrolytes import simulated_study
    from nrm_plugin.simulate.study_files import write_study

    data.mkdir(parents=True, exist_ok=True)
    study = simulated_study(3, 1, grid=(3, 4))
    file = write_study(study, data / "study")
    file.write_text("figures = []\n" + file.read_text("utf-8"), "utf-8")
    first, second = sorted((data / "study" / "data").iterdir())
    shutil.copyfile(first / "map.h5", data / "a.h5")
    shutil.copyfile(second / "map.h5", data / "b.h5")
    shutil.copyfile(first / "cv.csv", data / "cv.csv")
    nrm.open(data / "a.h5")[[0, 1]].save(data / "few.h5", overwrite=True)
    nrm.process(nrm.open(data / "a.h5"), out=data / "results.h5").close()
    made = double_recording(3, n=24)
    made.microscope.save(data / "afm.h5", overwrite=True)
    made.board.save(data / "daq.h5", overwrite=True)
    rate = 50e3
    times = np.arange(10_000) / rate
    lateral = np.sin(2 * np.pi * 5e3 * times)
    channels = {"lateral": (lateral, "V"), "time": (times, "s"), "height": (times * 1e-7, "m")}
    nrm.CurveSet.from_arrays(channels, [len(times)]).save(data / "raw.h5", overwrite=True)
    samples = TESTS.parent / "sample_data"
    for name in ("bruker/series.000", "bruker/series.001", "table/two-ramps.csv"):
        shutil.copyfile(samples / name, data / Path(name).name)
    (data / "e.toml").write_text(
        'lateral_sensitivity = "95 nm/V"\nlateral_stiffness = "26 N/m"\n', encoding="utf-8"
    )
    _broken_recording(data / "rec.h5.part")
    (data / "made").touch()


def _broken_recording(part: Path, size: int = 1_000_000) -> None:
    """Leave what a recording leaves that was killed."""
    words = [sys.executable, "-m", "nrm_plugin", "acquire", "--simulate"]
    process = subprocess.Popen([*words, "-o", str(part.with_suffix(""))])
    try:
        while process.poll() is None and not (part.exists() and part.stat().st_size > size):
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
