"""Unfinished results of few variables, as `nrm process` makes them and goes on with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nrm_plugin.store.read_results import open_results
from nrm_plugin.store.write_results import Results
from nrm_plugin.variables import CONTACT, LATERAL

_N_CURVES = 4
_DEPTH = np.arange(5) * 5e-9
_VARIABLES = {name: CONTACT[name] for name in ("contact_height", "quality")} | {
    name: LATERAL[name] for name in ("storage_modulus", "loss_modulus")
}
_FINGERPRINT = "5a" * 32


class _Stopped(Exception):
    pass


def _results(path: Path) -> Results:
    directions = ("approach", "retract")
    about = {"title": "Fuzzing", "recipe": 'direction = "both"'}
    axes = {"depth": _DEPTH}
    return Results(path, _N_CURVES, axes, _VARIABLES, directions, about, _FINGERPRINT)


def _write(results: Results, number: int, first: int, stop: int) -> None:
    made = {
        name: np.ones((stop - first, *([len(_DEPTH)] if "depth" in v.dims else [])), v.dtype)
        for name, v in _VARIABLES.items()
    }
    results.write(number, first, stop, made)


def begin(folder: Path) -> None:
    """Write results that were stopped after two curves, and after all of one direction."""
    for name, curves in (("begun", 2), ("half", _N_CURVES)):
        out = folder / "out.h5"
        try:
            with _results(out) as results:
                _write(results, 0, 0, curves)
                raise _Stopped
        except _Stopped:
            out.with_name("out.h5.process").rename(folder / name)


def finish(path: Path) -> None:
    """Go on with unfinished results, as the chain does, and open them."""
    with _results(path) as results:
        for number in range(2):
            first = min(max(results.done - number * _N_CURVES, 0), _N_CURVES)
            if first < _N_CURVES:
                _write(results, number, first, _N_CURVES)
            results.set("quality", results.get("quality", number) | 1, number)
        results.coordinates = {"x": np.arange(_N_CURVES) * 1e-9}
    open_results(path).close()
