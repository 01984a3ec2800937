"""Samples of a study whose every value is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from figure_results import made_results

from nrm_plugin.engine.checks.check import Check, as_json, effect
from nrm_plugin.statistics import regions
from nrm_plugin.statistics.comparison import StudySample

#: Factors of the moduli of six samples: two conditions whose geometric means are 1 and 1.5.
FACTORS = {
    "EC 1": 0.9,
    "EC 2": 1.0,
    "EC 3": 1 / 0.9,
    "ether 1": 1.35,
    "ether 2": 1.5,
    "ether 3": 1.5**2 / 1.35,
}

TOLD = {
    "dither_amplitude": "1 nm",
    "dither_frequency": "1.1 kHz",
    "lockin_convention": "rms",
    "lockin_phase": "10 deg",
    "lateral_sensitivity": "95 nm/V",
    "lateral_stiffness": "26 N/m",
    "spring_constant": "0.3 N/m",
    "tip_radius": "10 nm",
    "poisson_ratio": "0.5",
    "shape_factor": "1.25",
    "approach_speed": "30 nm/s",
    "electrolyte": "1 M NaPF6",
    "temperature": "298 K",
}


def experiment(**changes: str | None) -> str:
    """Text of an experiment as results hold it."""
    told = {**TOLD, **changes}
    return "".join(
        f"{k} = {json.dumps(v)}  # experiment file a.toml\n" for k, v in told.items() if v
    )


def checks(verdict: str = "fine", percent: float = 0.0, **others: Any) -> str:
    """Two self-checks, of which the lateral scale is `verdict`."""
    scale = Check(
        name="lateral_scale",
        told=1e-9,
        found=others.pop("found", 0.9e-9),
        stderr=1e-11,
        unit="m",
        verdict=verdict,
        effect=effect(percent, percent),
        advice="the tip moves as far as it should" if verdict == "fine" else "it moves too far",
    )
    stick = Check(
        name="stick", found="sticks", verdict="fine", effect=effect(0.0, 0.0), advice="ok"
    )
    return as_json([scale, stick])


def scaled(results: xr.Dataset, factor: float) -> xr.Dataset:
    """Results with all moduli and gradients larger by a factor."""
    names = [n for n in results.data_vars if any(w in str(n) for w in ("modulus", "gradient"))]
    return results.assign({n: results[n] * factor for n in names}).assign_attrs(results.attrs)


def sample(
    name: str,
    factor: float = 1.0,
    *,
    condition: str | None = None,
    told: Mapping[str, str | None] | None = None,
    verdict: str = "fine",
    percent: float = 0.0,
    potential: Any = "falling",
    **about: Any,
) -> StudySample:
    """A sample of 48 curves; `about` goes to the StudySample."""
    seed = 100 + sum(map(ord, name))
    results = made_results(seed=seed, spread=0.05, potential=potential)
    results = scaled(results, factor).assign_attrs(
        experiment=experiment(**(told or {})),
        checks=checks(verdict, percent),
        nrm_plugin_version="0.1.0",
        electrode="distances count from where the tip stopped at F_max = 13.5 nN: a film that was "
        "not pierced at that force counts as electrode",
        source_name=[f"{name}.spm"],
    )
    for variable in results.data_vars:
        results[variable].attrs.setdefault("units", "")
    return StudySample(
        name=name,
        condition=name.split()[0] if condition is None else condition,
        results=results,
        regions=regions(results, (2.0, 1.0, 0.005)),
        **about,
    )


def study(**changes: Any) -> list[StudySample]:
    """Three samples of each of two electrolytes; ether is 1.5 times as stiff."""
    return [sample(name, factor, **changes) for name, factor in FACTORS.items()]


def with_attribute(one: StudySample, **attributes: Any) -> StudySample:
    """The same sample with other attributes of its results."""
    from dataclasses import replace

    return replace(one, results=one.results.assign_attrs(**attributes))


def grid_of(results: xr.Dataset) -> np.ndarray:
    """Depths of results in nm."""
    return np.asarray(results["depth"].values) * 1e9
