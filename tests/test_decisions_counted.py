"""Curves excluded or accepted by hand in statistics and figures: as if the others were all."""

from __future__ import annotations

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from figure_results import made_results
from test_statistics_thickness import forces_of

from nrm_plugin import figures
from nrm_plugin.statistics import (
    density,
    map_of,
    map_parts,
    mean_profile,
    region_thickness,
    regions,
    summary,
    thickness,
    trend,
    violins,
)
from nrm_plugin.statistics.instrument_steps import instrument_step
from nrm_plugin.statistics.regions import everything
from nrm_plugin.variables import ACCEPTED, BIT, DECIDED, EXCLUDED

mpl.use("agg")

OUT = [0, 3, 11, 12, 17, 20, 29, 33, 40, 47]
REST = np.setdiff1d(np.arange(48), OUT)
SAID = "10 curves excluded by hand"


def decided(results: xr.Dataset, out=OUT, accepted=()) -> xr.Dataset:
    bits = np.zeros(results.sizes["curve"], np.int8)
    bits[list(out)] |= EXCLUDED
    bits[list(accepted)] |= ACCEPTED
    return results.assign(by_hand=(("curve",), bits, DECIDED["by_hand"].attributes))


@pytest.fixture(scope="module")
def plain() -> xr.Dataset:
    """Ten of them are far off, so that leaving them in would show."""
    results = made_results()
    for name in ("storage_modulus", "loss_modulus"):
        results[name][OUT] = results[name][OUT] * 20.0
    return results


@pytest.fixture(scope="module")
def results(plain) -> xr.Dataset:
    return decided(plain)


def test_means_are_those_of_the_others(plain, results):
    without = mean_profile(plain, curves=REST)
    found = mean_profile(results)
    for name in without.data_vars:
        np.testing.assert_array_equal(found[name], without[name])
    assert found.attrs["n_curves"] == 38
    assert SAID in found.attrs["warnings"]
    assert "by hand" not in without.attrs["warnings"]
    # An average of our own, of one complex modulus per curve.
    at = 8
    moduli = plain["storage_modulus"].values[REST, at] + 1j * plain["loss_modulus"].values[REST, at]
    assert float(found["mean"][at]) == pytest.approx(abs(moduli.mean()) / 3.0, rel=1e-6)
    both = mean_profile(plain)
    assert float(both["mean"][at]) > 2.0 * float(found["mean"][at])
    some = mean_profile(results, curves=[0, 1, 2, 3])
    assert some.attrs["n_curves"] == 2
    assert "2 curves excluded by hand" in some.attrs["warnings"]


def test_regions_hold_the_others(plain, results):
    before, found = regions(plain), regions(results)
    assert SAID in found.warnings
    for a, b in zip(before, found, strict=True):
        np.testing.assert_array_equal(np.setdiff1d(a.curves, OUT), b.curves)
    assert found.outside == before.outside
    one = everything(results)
    np.testing.assert_array_equal(one.inside[0].curves, REST)
    assert one.warnings == (SAID,)
    assert everything(plain).warnings == ()


def test_distributions_are_those_of_the_others(plain, results):
    for function in (density, lambda r, **k: trend(r, **k)):
        a, b = function(plain, curves=REST), function(results)
        assert SAID in b.warnings
        assert [m for m in b.warnings if m != SAID] == list(a.warnings)
    inside = everything(plain)
    for a, b in zip(
        violins(plain.isel(curve=REST), everything(plain.isel(curve=REST))),
        violins(results, inside),
        strict=True,
    ):
        np.testing.assert_array_equal(a.values, b.values)
        assert (a.n, a.mean, a.modes, a.quartiles) == (b.n, b.mean, b.modes, b.quartiles)
    rows = zip(
        summary(plain.isel(curve=REST), regions(plain.isel(curve=REST))),
        summary(results, regions(results)),
        strict=True,
    )
    for a, b in rows:
        assert (a["n"], a["mean"], a["low"]) == pytest.approx(
            (b["n"], b["mean"], b["low"]), nan_ok=True
        )


def test_maps_have_no_value_there(plain, results):
    before = map_of(plain, "shear_modulus_magnitude", 4e-9)
    found = map_of(results, "shear_modulus_magnitude", 4e-9)
    assert SAID in found.warnings
    assert found.values.shape == before.values.shape
    gone = np.isnan(found.values) & np.isfinite(before.values)
    assert gone.sum() == 10
    assert found.missing == before.missing + 10
    parts = map_parts(results)
    assert parts.left_out == 0
    np.testing.assert_array_equal(
        np.sort(np.concatenate([part.curves for part in parts.parts])), REST
    )


def test_thickness_is_that_of_the_others():
    rng = np.random.default_rng(5)
    plain = forces_of([[(20e-9, 5e6)]] * 40, rng)
    out = [1, 5, 9, 30]
    rest = np.setdiff1d(np.arange(40), out)
    results = decided(plain, out)
    found, alone = thickness(results), thickness(plain)
    assert np.isnan(found["thickness"].values[out]).all()
    assert (found["censored"].values[out] == 3).all()
    np.testing.assert_array_equal(found["thickness"][rest], alone["thickness"][rest])
    assert found.attrs["n_measured"] == 36
    assert "4 curves excluded by hand" in found.attrs["warnings"]
    (region,) = everything(plain)
    a = region_thickness(plain, [replace(region, curves=rest)])
    b = region_thickness(results, everything(results))
    assert b["n"].values.tolist() == [36]
    xr.testing.assert_equal(a, b)


def test_accepted_curves_have_no_flags(plain):
    bits = np.zeros(48, int)
    bits[[2, 4, 6]] = BIT["saturated"]
    flagged = plain.assign(quality=plain["quality"] * 0 + xr.DataArray(bits, dims="curve"))
    assert mean_profile(flagged).attrs["left_out"] == 3
    accepted = decided(flagged, [], [4, 6])
    assert mean_profile(accepted).attrs["left_out"] == 1
    assert mean_profile(accepted).attrs["n_curves"] == 47


def test_nothing_is_left(plain):
    nothing = decided(plain, range(48))
    found = mean_profile(nothing)
    assert np.isnan(found["mean"]).all()
    assert "48 curves excluded by hand" in found.attrs["warnings"]
    assert all(len(region) == 0 for region in regions(nothing))
    assert instrument_step(nothing) is None
    figures.quality(nothing)
    figures.profiles(nothing)
    figures.curve(nothing)


def test_the_figure_of_flags_counts_them(results):
    (bars, _) = figures.quality(results)
    assert "excluded by hand" in [label.get_text() for label in bars.get_yticklabels()]
    assert "10" in [text.get_text() for text in bars.texts]
    (before, _) = figures.quality(results.drop_vars("by_hand"))
    assert "excluded by hand" not in [label.get_text() for label in before.get_yticklabels()]
