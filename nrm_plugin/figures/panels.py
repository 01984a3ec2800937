"""What the figures by region share: the regions, their colours and their names."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr

from nrm_plugin.errors import InvalidInput
from nrm_plugin.figures import style
from nrm_plugin.statements import parsed
from nrm_plugin.statistics.regions import ALL_CURVES, Region, everything, regions
from nrm_plugin.statistics.selection import LEFT_OUT, Analysis, analysis_of, column, select
from nrm_plugin.statistics.thickness import thickness
from nrm_plugin.text import counted

#: Profiles are shown at least as far as the first; the end is a multiple of the second (m).
_LEAST, _ROUND = 20e-9, 5e-9

#: Curves from which that is found.
_ENOUGH = 2048


def regions_of(results: xr.Dataset, given: Iterable[Region] | None = None) -> tuple[Region, ...]:
    """Regions given, or the paper's; all curves as one where no curve has a potential."""
    if given is not None:
        return tuple(given)
    if not has_potential(results):
        return tuple(everything(results))
    return tuple(regions(results))


def note_of(given: Iterable[Region] | None) -> str:
    """What was selected, where curves were left out for it, with a comma in front; else nothing."""
    note = str(getattr(given, "note", ""))
    return f", {note}" if note else ""


def far(results: xr.Dataset | Analysis, direction: str | None = None) -> float:
    """Distance in m as far as profiles are worth seeing: half as much again as the interphase.

    Farther out there is noise alone, and it would take most of the room. Of many curves, some that
    are spread evenly tell it.
    """
    analysis = analysis_of(results, direction)
    return analysis.once("far", lambda: _far(analysis.results))


def _far(results: xr.Dataset) -> float:
    last = float(results["depth"].values[-1])
    some = slice(None, None, max(1, results.sizes["curve"] // _ENOUGH))
    try:
        found = thickness(results.isel(curve=some))
    except InvalidInput:
        return last
    seen = (found["censored"] < 2).values  # measured, or thicker than the lower bound
    onsets = np.where(found["censored"] == 0, found["thickness"], found["thickness_low"])[seen]
    onsets = onsets[np.isfinite(onsets)]
    if not len(onsets):
        return last
    wanted = max(1.5 * float(np.quantile(onsets, 0.9)), _LEAST)
    return min(last, float(np.ceil(wanted / _ROUND) * _ROUND))


def has_potential(results: xr.Dataset) -> bool:
    """Whether any curve has a potential."""
    potential = column(results, "potential")
    return potential is not None and bool(np.isfinite(potential.astype(np.float64)).any())


def potential_label(results: xr.Dataset) -> str:
    """Words on an axis of potentials, with the electrode against which they are given."""
    given = results.attrs.get("reference_electrode")
    if given is None:
        try:
            given = parsed(str(results.attrs.get("experiment", ""))).get("reference_electrode")
        except tomllib.TOMLDecodeError:
            given = None
    return f"E vs. {given} (V)" if given else "potential (V)"


def colour_of(number: int) -> str:
    """Colour of a region by its place among the others."""
    return style.COLOURS[number % len(style.COLOURS)]


def title_of(region: Region) -> str:
    """Name of a region as it is printed."""
    return region.label.replace("-", "–")


def together(names: Sequence[str]) -> str:
    """Names of several regions, with the unit once."""
    bare = [name.removesuffix(" V") for name in names[:-1]]
    return ", ".join([*bare, names[-1]])


def why_empty(results: xr.Dataset, region: Region) -> str:
    """Words for a region that shows nothing."""
    if not len(region.curves):
        return "no curves" if region.label != ALL_CURVES else "there are none"
    usable, left_out = select(results, region.curves)
    if not len(usable):
        flags = " or ".join(name.replace("_", " ") for name in LEFT_OUT)
        return f"{counted(left_out)}, flagged: {flags}"
    return f"{counted(len(usable))} without an estimate"


def is_simulated(results: xr.Dataset) -> bool:
    """Whether the data are simulated."""
    return bool(results.attrs.get("simulated", 0))
