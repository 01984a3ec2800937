"""Bad curves and bad recipes: a flag on the curve or a named error, and the others don't mind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from nrm_generator import NM, Generator, flagged, parts_of

import nrm_plugin as nrm
from nrm_plugin.tables import SEGMENT

BAD = 7
OTHERS = np.arange(40) != BAD
CHANNELS = ("height", "deflection", "lateral_in_phase", "lateral_quadrature")

Parts = dict[str, tuple[Any, str]]


@pytest.fixture(scope="module")
def good() -> tuple[Parts, dict[str, Any]]:
    return parts_of(Generator(curves=40, samples=800).make()[0])


@pytest.fixture(scope="module")
def reference(good: tuple[Parts, dict[str, Any]]) -> xr.Dataset:
    return nrm.process(nrm.CurveSet.from_arrays(good[0], metadata=good[1]))


@pytest.fixture
def parts(good: tuple[Parts, dict[str, Any]]) -> Parts:
    """Channels to be spoilt."""
    return {name: (values.copy(), unit) for name, (values, unit) in good[0].items()}


@pytest.fixture
def run(good: tuple[Parts, dict[str, Any]]) -> Callable[..., xr.Dataset]:
    def process(parts: Parts, recipe: nrm.Recipe | None = None, **more: Any) -> xr.Dataset:
        return nrm.process(nrm.CurveSet.from_arrays(parts, metadata=good[1], **more), recipe)

    return process


def others_are_unaffected(found: xr.Dataset, reference: xr.Dataset) -> None:
    """Within the errors: what is pooled over curves changes by a hair when one is missing."""
    change = np.abs(found["contact_height"] - reference["contact_height"]).values[OTHERS]
    stderr = reference["contact_height_stderr"].values[OTHERS]
    assert np.median(change / stderr) < 0.2
    assert (change < 2.0 * stderr).all()
    np.testing.assert_array_equal(found["quality"][OTHERS], reference["quality"][OTHERS])
    for name in ("storage_modulus", "loss_modulus"):
        a, b = found[name].values[OTHERS], reference[name].values[OTHERS]
        both = np.isfinite(a) & np.isfinite(b)
        assert both.sum() > 0.98 * np.isfinite(b).sum()
        limit = 0.5 * reference[f"{name}_stderr"].values[OTHERS]
        assert np.mean(np.abs(a - b)[both] < limit[both]) > 0.99


def identical(found: xr.Dataset, reference: xr.Dataset) -> None:
    """Bit by bit."""
    pick = np.flatnonzero(OTHERS)
    xr.testing.assert_equal(found.isel(curve=pick), reference.isel(curve=pick))


def nothing_infinite(found: xr.Dataset) -> None:
    for name in found.data_vars:
        assert not np.isinf(found[name].values).any(), name


RANDOM = np.random.default_rng(0)
SPOILT: dict[str, Callable[[Any], Any]] = {
    "nan stretch": lambda v: np.where(np.arange(len(v)) // 50 == 6, np.nan, v),
    "nan": lambda v: v * np.nan,
    "constant": lambda v: np.full_like(v, v[0]),
    "zero": lambda v: 0.0 * v,
    "infinite": lambda v: np.where(np.arange(len(v)) == 500, np.inf, v),
    "minus infinite": lambda v: np.where(np.arange(len(v)) == 500, -np.inf, v),
    "1e300": lambda v: np.where(np.arange(len(v)) == 500, 1e300, v),
    "1e300 everywhere": lambda v: np.full_like(v, 1e300),
    "shuffled": lambda v: RANDOM.permutation(v),
    "reversed": lambda v: v[::-1],
    "tenfold": lambda v: 10.0 * v,
    "flipped": lambda v: -v,
}


@pytest.mark.parametrize("channel", ["height", "deflection"])
@pytest.mark.parametrize("how", SPOILT)
def test_one_bad_curve(how: str, channel: str, parts: Parts, run: Any, reference: Any) -> None:
    """The curve is flagged; a single wild value is a spike, which is taken out."""
    parts[channel][0][BAD] = SPOILT[how](parts[channel][0][BAD])
    found = run(parts)
    assert found["quality"].values[BAD] != 0
    nothing_infinite(found)
    others_are_unaffected(found, reference)


@pytest.mark.parametrize("channel", ["lateral_in_phase", "lateral_quadrature"])
@pytest.mark.parametrize("how", list(SPOILT)[:8])
def test_one_bad_lateral_channel(
    how: str, channel: str, parts: Parts, run: Any, reference: Any
) -> None:
    """It says missing_lateral; the contact, which needs none of it, stays."""
    parts[channel][0][BAD] = SPOILT[how](parts[channel][0][BAD])
    found = run(parts)
    assert flagged(found, "missing_lateral")[BAD]
    assert flagged(found, "missing_lateral").sum() == 1
    assert found["contact_height"].values[BAD] == reference["contact_height"].values[BAD]
    nothing_infinite(found)
    identical(found, reference)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("how", [*SPOILT, "random", "1e300 times"])
def test_a_bad_channel_of_all_curves(how: str, channel: str, parts: Parts, run: Any) -> None:
    """It ends, in results or in a named error; a dead or absurd channel is never silent."""
    values, unit = parts[channel]
    if how == "random":
        values = RANDOM.standard_normal(values.shape) * 100 * NM
    elif how == "1e300 times":
        values = values * 1e300
    else:
        values = np.array([SPOILT[how](v) for v in values])
    try:
        found = run({**parts, channel: (values, unit)})
    except nrm.NrmError:
        return
    nothing_infinite(found)
    lateral = channel.startswith("lateral")
    if not lateral and how in ("nan", "constant", "zero", "1e300 everywhere", "shuffled", "random"):
        assert flagged(found, "no_hard_contact").mean() > 0.95
    if lateral and how in ("nan", "constant", "zero", "1e300 everywhere"):
        assert flagged(found, "missing_lateral").all()


@pytest.mark.parametrize(
    ("channel", "how", "words"),
    [
        ("deflection", "flipped", "deflection.*sign"),
        ("height", "flipped", "height.*sign|approach"),
        ("deflection", "tenfold", "deflection_sensitivity"),
    ],
)
def test_wrong_signs_and_sensitivities_are_named(
    channel: str, how: str, words: str, parts: Parts, run: Any
) -> None:
    values, unit = parts[channel]
    with pytest.raises(nrm.NrmError, match=words):
        run({**parts, channel: (np.array([SPOILT[how](v) for v in values]), unit)})


def test_a_sensitivity_that_is_too_small_is_told(parts: Parts, run: Any) -> None:
    values, unit = parts["deflection"]
    found = run({**parts, "deflection": (0.1 * values, unit)})
    assert flagged(found, "no_hard_contact").mean() > 0.95
    assert "deflection_sensitivity" in found.attrs["warnings"]


def flat(parts: Parts, *, keep: int | None = None, last: bool = False) -> tuple[Parts, list[int]]:
    """Flat channels in which the bad curve keeps only some samples."""
    made: Parts = {}
    for name, (values, unit) in parts.items():
        rows = list(values)
        rows[BAD] = rows[BAD][len(rows[BAD]) - (keep or 0) :] if last else rows[BAD][:keep]
        made[name] = (np.concatenate(rows), unit)
    return made, [len(row) for row in rows]


@pytest.mark.parametrize("keep", [0, 1, 2, 3, 7, 47, 48, 60, 100, 200])
@pytest.mark.parametrize("last", [False, True])
def test_a_short_curve(keep: int, last: bool, parts: Parts, run: Any, reference: Any) -> None:
    made, sizes = flat(parts, keep=keep, last=last)
    assert sizes[BAD] == keep
    found = run(made, row_size=sizes)
    assert found["quality"].values[BAD] != 0
    nothing_infinite(found)
    others_are_unaffected(found, reference)


@pytest.mark.parametrize("samples", [0, 1, 2, 5, 47, 60])
def test_all_curves_are_short(samples: int, parts: Parts, run: Any) -> None:
    try:
        found = run({name: (v[:, -samples or 800 :], unit) for name, (v, unit) in parts.items()})
    except nrm.NrmError:
        return
    assert (found["quality"].values != 0).all()


@pytest.mark.parametrize("times", [2, 4])
def test_heights_that_repeat(times: int, parts: Parts, run: Any, reference: Any) -> None:
    height = parts["height"][0]
    height[BAD] = np.repeat(height[BAD][::times], times)
    found = run(parts)
    change = found["contact_height"].values[BAD] - reference["contact_height"].values[BAD]
    assert abs(change) < times * 0.3 * NM
    if times == 2:
        assert np.isfinite(found["storage_modulus"].values[BAD, 10:80]).all()
    others_are_unaffected(found, reference)


def test_a_jittering_height(parts: Parts, run: Any, reference: Any) -> None:
    """A sensor with more noise than the step between samples: many heights fall back."""
    height = parts["height"][0]
    height += RANDOM.normal(0.0, 0.3 * NM, height.shape)
    found = run(parts)
    change = (found["contact_height"] - reference["contact_height"]).values
    assert np.sqrt(np.mean(change**2)) < 0.3 * NM


def test_one_curve_only(parts: Parts, run: Any, reference: Any) -> None:
    found = run({name: (v[3:4], unit) for name, (v, unit) in parts.items()})
    assert found["quality"].values[0] == 0
    change = found["contact_height"].values - reference["contact_height"].values[3:4]
    assert abs(change[0]) < 0.5 * NM
    assert np.isfinite(found["storage_modulus"].values[0, 10:100]).all()


def test_no_curves_at_all(parts: Parts, run: Any) -> None:
    with pytest.raises(nrm.NrmError):
        run({name: (v[:0], unit) for name, (v, unit) in parts.items()})


@pytest.mark.parametrize("samples", [1, 5, 60])
def test_ten_thousand_tiny_curves(samples: int, run: Any) -> None:
    values = RANDOM.standard_normal((10_000, samples)) * NM
    try:
        found = run({name: (values, "m" if i < 2 else "N") for i, name in enumerate(CHANNELS)})
    except nrm.NrmError:
        return
    assert np.mean(found["quality"].values != 0) > 0.95


@pytest.mark.parametrize(
    "missing",
    [("lateral_in_phase",), ("lateral_quadrature",), ("lateral_in_phase", "lateral_quadrature")],
)
def test_missing_lateral_channels(missing: Any, parts: Parts, run: Any, reference: Any) -> None:
    found = run({name: part for name, part in parts.items() if name not in missing})
    assert "storage_modulus" not in found
    assert "lateral" in found.attrs["warnings"]
    assert flagged(found, "missing_lateral").all()
    np.testing.assert_array_equal(found["contact_height"], reference["contact_height"])


@pytest.mark.parametrize("missing", ["height", "deflection"])
def test_missing_normal_channels(missing: str, parts: Parts, run: Any) -> None:
    with pytest.raises(nrm.NrmError, match=missing):
        run({name: part for name, part in parts.items() if name != missing})


@pytest.mark.parametrize("key", ["dither_amplitude", "lockin_convention"])
def test_missing_calibration_is_named(key: str, good: tuple[Parts, dict[str, Any]]) -> None:
    known = {k: v for k, v in good[1].items() if k != key}
    with pytest.raises(nrm.MissingCalibration, match=key) as caught:
        nrm.process(nrm.CurveSet.from_arrays(good[0], metadata=known))
    assert caught.value.keys == (key,)


@pytest.mark.parametrize("how", ["nan", "constant", "1e300 everywhere"])
def test_a_bad_clock(how: str) -> None:
    """Without times the lock-in's lag stays in that curve, and it says so."""
    channels, metadata = parts_of(
        Generator(curves=40, samples=800, time=True, time_constant=0.5e-3).make()[0]
    )
    good = nrm.process(nrm.CurveSet.from_arrays(channels, metadata=metadata))
    assert not flagged(good, "lag").any()
    channels["time"][0][BAD] = SPOILT[how](channels["time"][0][BAD])
    found = nrm.process(nrm.CurveSet.from_arrays(channels, metadata=metadata))
    assert flagged(found, "lag")[BAD]
    identical(found, good)


def segments(*rows: tuple[int, int, int, str]) -> np.ndarray:
    return np.array(list(rows), [("curve", "i8"), ("start", "i8"), ("stop", "i8"), ("kind", "U10")])


def test_segments_of_odd_order(parts: Parts, run: Any, reference: Any) -> None:
    back = segments(*[(i, 0, 800, "approach") for i in range(40)][::-1])
    xr.testing.assert_equal(run(parts, segments=back), reference)
    some = segments(*((i, 0, 800, "approach") for i in range(40) if i != BAD))
    found = run(parts, segments=some)
    assert flagged(found, "no_hard_contact")[BAD]
    others_are_unaffected(found, reference)
    for kinds in (["hold"], ["other"], []):
        rows = segments(*((i, 0, 800, kind) for i in range(40) for kind in kinds))
        with pytest.raises(nrm.NrmError, match="approach"):
            run(parts, segments=rows)


def test_retract_only(parts: Parts, run: Any, reference: Any) -> None:
    turned = {name: (values[:, ::-1], unit) for name, (values, unit) in parts.items()}
    with pytest.raises(nrm.NrmError, match="approach"):
        run(turned)
    found = run(turned, nrm.Recipe().replace(direction="retract"))
    # The tip breaks through on approach only.
    for results in (found, reference):
        assert "break_through_count" in results
    left = found.drop_attrs().drop_vars("break_through_count")
    xr.testing.assert_equal(left, reference.drop_attrs().drop_vars("break_through_count"))


@pytest.mark.parametrize(
    "changes",
    [
        {"step": 60e-9},
        {"stop": 1e-9},
        {"stop": 1e-9, "step": 1e-9},
        {"stop": 5e-6, "step": 1e-9},
        {"half_width": 0.05e-9},
        {"half_width": 100e-9},
        {"contact": {"method": "two-line", "baseline": 0.999}},
        {"contact": {"method": "two-line", "baseline": 1e-6, "wall": 0.999}},
        {"contact": {"spikes": False, "interference": False, "slope": "free"}},
        {"derivative": {"method": "savitzky-golay", "half_width": 100e-9}},
        {"derivative": {"method": "savitzky-golay", "half_width": 0.05e-9}},
        {"derivative": {"method": "total-variation"}, "stop": 1e-9},
    ],
    ids=str,
)
def test_odd_recipes(changes: dict[str, Any], parts: Parts, run: Any) -> None:
    try:
        recipe = nrm.Recipe().replace(**changes)
    except nrm.RecipeError:
        return
    found = run({name: (v[:8], unit) for name, (v, unit) in parts.items()}, recipe)
    assert found.sizes["depth"] == recipe.depth.count
    nothing_infinite(found)


@pytest.mark.parametrize(
    "changes",
    [
        {"half_width": 0.0},
        {"half_width": -1e-9},
        {"half_width": np.nan},
        {"half_width": np.inf},
        {"half_width": 2.0},
        {"half_width": "2 apples"},
        {"step": 0.0},
        {"step": "x"},
        {"stop": 1.0, "step": 1e-12},
        {"direction": "up"},
        {"contact.method": "guess"},
        {"shape_factor": 0.0},
        {"shape_factor": -1.0},
        {"shape_factor": np.nan},
        {"shape_factor": "no such file.csv"},
        {"halfwidth": 2e-9},
        {"derivative": 5},
    ],
    ids=str,
)
def test_impossible_recipes(changes: dict[str, Any], parts: Parts, run: Any) -> None:
    with pytest.raises(nrm.NrmError):
        run(parts, nrm.Recipe().replace(**changes))


def test_a_ramp_that_goes_nowhere_has_no_contact() -> None:
    """A retract and an approach of one sample each, as a broken-off recording leaves them."""
    segments = np.array([(0, 0, 1, "approach"), (0, 1, 2, "retract")], SEGMENT)
    channels = {"height": ([[5e-7, 5e-7]], "m"), "deflection": ([[1e-9, 2e-9]], "m")}
    curves = nrm.CurveSet.from_arrays(channels, segments=segments)
    for direction in ("approach", "both"):
        assert np.isnan(nrm.process(curves, {"direction": direction})["contact_height"]).all()
