"""The potentiostat's logs in a file of results, so that nobody has to give them twice.

The group ``entry/potentiostat`` has a group ``log_1``, ``log_2`` ... for each log, as it was read:
``time`` (s), ``potential`` (V, against the potentiostat's reference), and ``current`` (A),
``charge`` (C), ``ohmic_drop`` (V) and ``cycle`` where it has them. Without a log,
``curve_current`` is the mean over every curve of the current that was recorded with it (A).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray
from nrm_plugin.store import nexus
from nrm_plugin.store.results_file import opened_results, plain

if TYPE_CHECKING:
    from nrm_plugin.potential.log import Log

GROUP = "potentiostat"

_COLUMNS = {
    "time": ("s", "time since the log began"),
    "potential": ("V", "potential against the potentiostat's reference"),
    "current": ("A", "current"),
    "cycle": ("", "cycle as the potentiostat counted it"),
    "charge": ("C", "charge that has passed"),
    "ohmic_drop": ("V", "ohmic drop measured beside the potential"),
}
_TEXTS = ("name", "reader", "sha256", "time_zone", "reference")
_NUMBERS = ("sweep_rate", "ohmic_resistance", "ohmic_compensation")


@dataclass(frozen=True)
class KeptLogs:
    """What results hold of the potentiostat.

    Attributes
    ----------
    logs : list of dict
        Arguments of `nrm_plugin.potential.Log`, for each.
    curve_current : (n_curves,) array or None
        Mean current of every curve in A.
    """

    logs: list[dict[str, Any]] = field(default_factory=list)
    curve_current: FloatArray | None = None


def write_logs(entry: h5py.Group, logs: Sequence[Log], curve_current: FloatArray | None) -> None:
    """Write logs, or else the current of the curves, into a file of results."""
    if not logs and curve_current is None:
        return
    group = nexus.group(entry, GROUP, "NXcollection")
    for number, log in enumerate(logs, 1):
        of_log = nexus.group(group, f"log_{number}", "NXdata")
        for name, (unit, meaning) in _COLUMNS.items():
            values = getattr(log, name)
            if values is not None:
                _write(of_log, name, values, unit, meaning)
        about = {name: getattr(log, name) for name in _TEXTS}
        about |= {"start_uncertainty": float(log.start_uncertainty), "notes": "\n".join(log.notes)}
        about |= {} if log.start is None else {"start": str(log.start)}
        about |= {k: float(v) for k in _NUMBERS if (v := getattr(log, k)) is not None}
        nexus.describe(of_log.id, about)
    if curve_current is not None and not logs:
        _write(group, "curve_current", curve_current, "A", "mean current of every curve")


def _write(group: h5py.Group, name: str, values: AnyArray, unit: str, meaning: str) -> None:
    data = group.create_dataset(name, data=values, **nexus.packed(len(values)))
    nexus.describe(data.id, {"units": unit, "long_name": meaning})


def read_logs(path: str | PathLike[str]) -> KeptLogs:
    """Read what a file of results holds of the potentiostat: nothing in those of earlier versions.

    Raises
    ------
    MissingFile, InvalidInput, CorruptFile
    """
    with opened_results(path) as results:
        entry = results.parent
        if GROUP not in entry:
            return KeptLogs()
        group = entry[GROUP]
        number, logs = 1, []
        while f"log_{number}" in group:
            logs.append(_read(group[f"log_{number}"]))
            number += 1
        current = np.asarray(group["curve_current"][()]) if "curve_current" in group else None
    return KeptLogs(logs, current)


def _read(group: h5py.Group) -> dict[str, Any]:
    made: dict[str, Any] = {name: np.asarray(group[name][()]) for name in _COLUMNS if name in group}
    about = {name: plain(value) for name, value in group.attrs.items()}
    made |= {name: about.get(name, "") for name in _TEXTS}
    made |= {name: float(about[name]) for name in _NUMBERS if name in about}
    made["start_uncertainty"] = about.get("start_uncertainty", 0.0)
    made["notes"] = tuple(filter(None, str(about.get("notes", "")).split("\n")))
    made["start"] = np.datetime64(about["start"], "us") if "start" in about else None
    return made
