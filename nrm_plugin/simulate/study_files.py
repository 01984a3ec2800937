"""Writes a simulated study as the files that a laboratory would have, with their study file."""

from __future__ import annotations

from pathlib import Path

from nrm_plugin.errors import OutputError
from nrm_plugin.files import write_text
from nrm_plugin.simulate.electrolytes import SimulatedSample, SimulatedStudy
from nrm_plugin.simulate.sodiation import write_log
from nrm_plugin.text import quoted

STUDY, DATA = "study.toml", "data"
_CURVES, _LOG = "map.h5", "cv.csv"


def write_study(made: SimulatedStudy, folder: Path) -> Path:
    """Write curves and logs of every sample, and a study file that names them.

    Parameters
    ----------
    made : SimulatedStudy
    folder : Path
        What is in it from an earlier call is replaced.

    Returns
    -------
    Path
        Of the study file.

    Raises
    ------
    OutputError
    """
    low, high = made.changed.distance or (0.0, 0.0)
    first, second = made.between
    lines = [
        "# Simulated: no instrument recorded any of this.",
        'title = "Hard carbon in two electrolytes (simulated)"',
        "",
        "[primary]  # named before the run",
        f"quantity = {quoted(made.changed.quantity)}",
        f'distance = "{low * 1e9:g}-{high * 1e9:g} nm"',
        f"region = {quoted(made.changed.region)}",
        "",
        "[[comparison]]",
        f"between = [{quoted(first)}, {quoted(second)}]",
    ]
    for sample in made.samples:
        place = f"{DATA}/{sample.name.replace(' ', '-')}"
        _write_sample(sample, folder / place)
        lines += [
            "",
            "[[sample]]",
            f"name = {quoted(sample.name)}",
            f"condition = {quoted(sample.condition)}",
            f'files = ["{place}/{_CURVES}"]',
            f'log = "{place}/{_LOG}"',
            'clock_offset = "0 s"',
            f"lever = {quoted(sample.lever)}",
            f"session = {quoted(sample.session)}",
            f"day = {quoted(sample.day)}",
        ]
    path = folder / STUDY
    write_text(path, "\n".join(lines) + "\n")
    return path


def _write_sample(sample: SimulatedSample, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(folder, error.strerror or error) from None
    sample.curves.save(folder / _CURVES)
    write_log(sample.log, folder / _LOG, sample.start)
