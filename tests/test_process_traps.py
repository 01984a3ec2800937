"""Factors that are easily lost: each against an answer that is known beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from nrm_generator import MPA, NM, Generator, flagged, parts_of

import nrm_plugin as nrm

Z = np.arange(121) * 0.5


def quiet(**settings: Any) -> Generator:
    """Few curves of little noise."""
    made = {"curves": 12, "noise": 0.02, "lateral_noise": 0.5, "samples": 700, **settings}
    return Generator(**made)


def processed(
    parts: tuple[dict[str, Any], dict[str, Any]], recipe: nrm.Recipe | None = None, **table: Any
) -> xr.Dataset:
    channels, metadata = parts
    curves = nrm.CurveSet.from_arrays(channels, metadata=metadata, curve_table=table or None)
    return nrm.process(curves, recipe)


def same(a: xr.Dataset, b: xr.Dataset, factor: float = 1.0, rtol: float = 2e-5) -> None:
    """Hold that all moduli of `a` are `factor` times those of `b`."""
    for name in (
        "storage_modulus",
        "loss_modulus",
        "storage_modulus_stderr",
        "loss_modulus_stderr",
        "shear_modulus_magnitude",
    ):
        np.testing.assert_allclose(a[name], factor * b[name], rtol=rtol, atol=20.0, err_msg=name)


@pytest.fixture(scope="module")
def parts() -> tuple[dict[str, Any], dict[str, Any]]:
    return parts_of(quiet(stiffness=40.0).make()[0])


@pytest.fixture(scope="module")
def plain(parts: tuple[dict[str, Any], dict[str, Any]]) -> xr.Dataset:
    return processed(parts)


def test_rms_is_root_two_smaller_than_peak(parts: Any) -> None:
    channels, metadata = parts
    metadata = {k: v for k, v in metadata.items() if k != "lateral_stiffness"}
    peak = processed((channels, {**metadata, "lockin_convention": "peak"}))
    of_rms = processed((channels, {**metadata, "lockin_convention": "rms"}))
    same(of_rms, peak, 1.41421356, rtol=1e-6)


def test_the_instruments_phase_is_undone(plain: xr.Dataset) -> None:
    same(processed(parts_of(quiet(stiffness=40.0, phase=0.7).make()[0])), plain)


def test_a_phase_turns_storage_into_loss(parts: Any, plain: xr.Dataset) -> None:
    """(X + iY) exp(-i pi/2) = Y - iX, but for the lever's own compliance."""
    channels, metadata = parts
    metadata = {k: v for k, v in metadata.items() if k != "lateral_stiffness"}
    straight = processed((channels, metadata))
    turned = processed((channels, {**metadata, "lockin_phase": np.pi / 2}))
    np.testing.assert_allclose(
        turned["storage_modulus"], straight["loss_modulus"], rtol=1e-5, atol=20.0
    )
    np.testing.assert_allclose(
        turned["loss_modulus"], -straight["storage_modulus"], rtol=1e-5, atol=20.0
    )


def test_volts_at_the_lock_ins_output(parts: Any, plain: xr.Dataset) -> None:
    """V = (X / sensitivity - offset) expand 10 V, as the SR830's manual has it."""
    channels, metadata = parts
    per_volt, sensitivity = 120e-9 * 40.0, 20e-3
    made = {k: channels[k] for k in ("height", "deflection")}
    for axis, name, expand, offset in (
        ("x", "lateral_in_phase", 10.0, 0.012),
        ("y", "lateral_quadrature", 1.0, -0.03),
    ):
        volts = channels[name][0] / per_volt
        made[f"lockin_output_{axis}"] = ((volts / sensitivity - offset) * expand * 10.0, "V")
        metadata = metadata | {f"lockin_expand_{axis}": expand, f"lockin_offset_{axis}": offset}
    metadata = metadata | {"lateral_sensitivity": 120e-9}
    same(processed((made, {**metadata, "lockin_sensitivity": sensitivity})), plain)
    with pytest.raises(nrm.MissingCalibration, match="lockin_sensitivity"):
        processed((made, metadata))


def test_amplitude_and_phase_of_an_internal_lock_in(parts: Any, plain: xr.Dataset) -> None:
    channels, metadata = parts
    made = {k: channels[k] for k in ("height", "deflection")}
    force = channels["lateral_in_phase"][0] + 1j * channels["lateral_quadrature"][0]
    made |= {"lateral_amplitude": (np.abs(force), "N"), "lateral_phase": (np.angle(force), "rad")}
    same(processed((made, metadata)), plain)


def test_volts_are_newtons(plain: xr.Dataset) -> None:
    volts = quiet(stiffness=40.0, unit="V", lateral_unit="V").make()[0]
    found = nrm.process(volts)
    same(found, plain)
    np.testing.assert_allclose(found["force_normal"], plain["force_normal"], rtol=1e-5, atol=1e-16)
    np.testing.assert_allclose(found["contact_height"], plain["contact_height"], atol=1e-15)


def test_normal_force_instead_of_deflection(parts: Any, plain: xr.Dataset) -> None:
    channels, metadata = parts
    made = {k: v for k, v in channels.items() if k != "deflection"}
    made["force_normal"] = (channels["deflection"][0] * metadata["spring_constant"], "N")
    same(processed((made, metadata)), plain)


@pytest.mark.parametrize("ratio", [0.5, 0.3, 0.0])
def test_shear_modulus_and_viscosity(parts: Any, ratio: float) -> None:
    channels, metadata = parts
    found = processed((channels, {**metadata, "poisson_ratio": ratio, "dither_frequency": 820.0}))
    shear = 2.0 * (1.0 + ratio)
    size = np.hypot(found["storage_modulus"], found["loss_modulus"]) / shear
    np.testing.assert_allclose(found["shear_modulus_magnitude"], size, rtol=1e-5)
    viscosity = found["loss_modulus"] / shear / (2.0 * np.pi * 820.0)
    np.testing.assert_allclose(found["viscosity"], viscosity, rtol=1e-5)
    inside = (Z > 3.0) & (Z < 5.0)
    assert float(found["viscosity"].values[:, inside].mean()) == pytest.approx(
        3 * MPA / shear / (2.0 * np.pi * 820.0), rel=0.03
    )


def test_the_lever_gives_way() -> None:
    """F*/A is K/(1 + K/k): 100 MPa over 50 nm is 25 N/m, as stiff as the lever."""
    stiff = quiet(stack=((50.0, 100 + 20j),), top=50.0, stiffness=25.0, wall="stick")
    curves = stiff.make()[0]
    found = nrm.process(curves)
    inside = (Z > 3.0) & (Z < 45.0)
    assert np.median(found["storage_modulus"].values[:, inside]) / MPA == pytest.approx(
        100, rel=0.01
    )
    assert np.median(found["loss_modulus"].values[:, inside]) / MPA == pytest.approx(20, rel=0.02)
    apparent = nrm.process(curves, nrm.Recipe().replace(series_compliance=False))
    depth = 50.0 - Z[inside]
    stiffness = 4 * 1.25 * (100 + 20j) * depth * 1e-3
    slope = 4 * 1.25 * (100 + 20j) * 1e-3 / (1 + stiffness / 25.0) ** 2  # dF/dz over A
    expected = (slope / (4 * 1.25 * 1e-3)).real
    seen = apparent["storage_modulus"].values[:, inside].mean(0) / MPA
    np.testing.assert_allclose(seen, expected, rtol=0.02, atol=0.5)
    channels, metadata = parts_of(curves)
    del metadata["lateral_stiffness"]
    unknown = processed((channels, metadata))
    assert "lateral_stiffness" in unknown.attrs["warnings"]
    same(unknown, apparent)


def test_approach_and_retract_agree() -> None:
    """The lock-in's delay shifts them apart; only its blur is left, which goes either way."""
    lagging = quiet(
        curves=60, lateral_noise=3.0, retract=True, time=True, time_constant=2e-3, kind="none"
    )
    found = nrm.process(lagging.make()[0], nrm.Recipe().replace(direction="both"))
    assert found["storage_modulus"].dims == ("direction", "curve", "depth")
    assert list(found["direction"].values) == ["approach", "retract"]
    down, up = mean_profile(found, 6.5, 50)
    assert np.abs(down - up).max() <= 0.75
    apart = nrm.process(lagging.make()[0], nrm.Recipe().replace(direction="both", lag=False))
    down, up = mean_profile(apart, 6.5, 50)
    assert np.abs(down - up).max() > 2.0


def test_a_lag_beyond_half_a_nanometre_is_flagged() -> None:
    for tau, told in ((2e-3, True), (0.5e-3, False)):
        found = nrm.process(quiet(time=True, time_constant=tau).make()[0])
        assert (flagged(found, "lag") == told).all()


def test_without_times_the_lag_stays_and_is_told() -> None:
    found = nrm.process(quiet(time_constant=2e-3).make()[0])
    assert "lag" in found.attrs["warnings"]


def test_the_hard_contact_does_not_leak() -> None:
    """The wall's lateral force is 20 nN, the layer's 0.5: nothing of it may reach the moduli."""
    found = [nrm.process(quiet(wall=wall).make()[0]) for wall in ("absent", "constant", "slip")]
    same(found[1], found[0])
    same(found[2], found[0])
    assert np.nanmax(np.abs(found[1]["storage_modulus"].values)) < 14 * MPA


@pytest.mark.parametrize(
    ("channel", "word"),
    [("lateral_quadrature", "loss modulus"), ("lateral_in_phase", "storage modulus")],
)
def test_a_wrong_sign_of_the_ensemble(parts: Any, channel: str, word: str) -> None:
    channels, metadata = parts
    values, unit = channels[channel]
    turned = processed(({**channels, channel: (-values, unit)}, metadata))
    assert word in turned.attrs["warnings"]
    assert word not in processed(parts).attrs["warnings"]


def test_the_papers_arithmetic() -> None:
    """1 nN over 100 nm at A = 2 nm and E = 1 MPa gives r_g = 1.25."""
    tip = np.arange(240.0, 0.0, -0.25)
    height = np.tile(np.concatenate([tip, -np.arange(0.0, 40.0, 0.25)]), (3, 1)) + 500.0
    force = np.clip(1.0 - (height - 500.0) / 100.0, 0.0, 1.0)
    channels = {
        "height": (height * NM, "m"),
        "deflection": (np.maximum(500.0 - height, 0.0) * NM, "m"),
        "lateral_in_phase": (force * NM, "N"),
        "lateral_quadrature": (0.0 * force, "N"),
    }
    metadata = {"spring_constant": 0.3, "dither_amplitude": 2 * NM, "lockin_convention": "peak"}
    found = processed((channels, metadata))
    inside = (Z > 3.0) & (Z <= 60.0)
    np.testing.assert_allclose(found["storage_modulus"].values[:, inside], 1 * MPA, rtol=1e-3)
    np.testing.assert_allclose(found["contact_height"], 500 * NM, atol=1e-12)
    gradient = -found["force_gradient_in_phase"].values[:, inside]
    np.testing.assert_allclose(np.abs(gradient), 0.01, rtol=1e-3)
    np.testing.assert_allclose(np.abs(gradient) / (4 * 2 * NM * 1 * MPA), 1.25, rtol=1e-3)


def test_shape_factors(parts: Any, plain: xr.Dataset, tmp_path: Path) -> None:
    assert "paper" in plain.attrs["shape_factor_source"]
    np.testing.assert_array_equal(plain["shape_factor"], 1.25)
    same(processed(parts, nrm.Recipe().replace(shape_factor=2.5)), plain, 0.5)
    channels, metadata = parts
    of_file = processed((channels, {**metadata, "shape_factor": 1.0}))
    same(of_file, plain, 1.25)
    same(
        processed(
            (channels, {**metadata, "shape_factor": 1.0}), nrm.Recipe().replace(shape_factor=1.25)
        ),
        plain,
    )
    table = tmp_path / "curve.csv"
    table.write_text("distance (nm),r_g\n0,1.0\n20,2.0\n40,2.0\n", encoding="utf-8")
    found = processed(parts, nrm.Recipe().replace(shape_factor=str(table)))
    values = np.interp(Z, [0.0, 20.0, 40.0], [1.0, 2.0, 2.0], right=np.nan)
    np.testing.assert_allclose(found["shape_factor"], values)
    expected = plain["storage_modulus"].values * 1.25 / values
    np.testing.assert_allclose(found["storage_modulus"], expected, rtol=1e-5)
    assert "curve.csv" in found.attrs["shape_factor_source"]
    assert "shape factor" in found.attrs["warnings"]


def test_slip_on_the_wall() -> None:
    """A tip that slips shows a force that grows with the load; one that sticks does not."""
    for wall, low, high in (("slip", 0.95, 1.0), ("stick", 0.0, 0.05), ("constant", 0.0, 0.05)):
        for force in (3.0, 9.0):
            made = Generator(curves=60, wall=wall, force=force, trigger=force / 0.3 + 30.0)
            share = flagged(nrm.process(made.make()[0]), "slip").mean()
            assert low <= share <= high, (wall, force, share)


def plane(angle: float) -> tuple[nrm.CurveSet, dict[str, Any]]:
    """A slope of some degrees along x, with layers that are 20 nm thick across."""
    row, column = (i.ravel() for i in np.mgrid[0:6, 0:6])
    place = {"x": 50 * NM * column, "y": 50 * NM * row}
    steep = np.cos(np.radians(angle))
    made = quiet(
        curves=36,
        contact=3000.0 + 50.0 * column * np.tan(np.radians(angle)),
        stack=((20.0 / steep, 10 + 3j), (15.0 / steep, 2 + 1j)),
        top=35.0 / steep,
    )
    channels, metadata = parts_of(made.make()[0])
    return nrm.CurveSet.from_arrays(channels, metadata=metadata, curve_table=place), place


def mean_profile(found: xr.Dataset, low: float, high: float) -> np.ndarray:
    """Storage modulus in MPa, mean over curves, between two distances in nm."""
    return np.asarray(found["storage_modulus"].values[..., (low < Z) & (high > Z)].mean(-2) / MPA)


def boundary(found: xr.Dataset) -> float:
    """Distance at which the modulus is between that of the two layers."""
    middle = (mean_profile(found, 5, 15).mean() + mean_profile(found, 28, 31).mean()) / 2
    return float(np.interp(-middle, -mean_profile(found, 12, 30), Z[(Z > 12) & (Z < 30)]))


@pytest.mark.parametrize(("angle", "steep"), [(0.0, False), (15.0, False), (30.0, True)])
def test_slope_of_the_surface(angle: float, steep: bool) -> None:
    curves, _ = plane(angle)
    found = nrm.process(curves)
    np.testing.assert_allclose(np.degrees(found["surface_slope"]), angle, atol=0.3)
    assert (flagged(found, "slope_of_surface") == steep).all()
    assert boundary(found) == pytest.approx(20.0 / np.cos(np.radians(angle)), abs=0.15)
    corrected = nrm.process(curves, nrm.Recipe().replace(correct_slope=True))
    assert boundary(corrected) == pytest.approx(20.0, abs=0.15)


def test_slope_does_not_touch_the_moduli() -> None:
    """Eq. 4 counts the length of the tip inside the layer, and the tip is upright."""
    curves, _ = plane(30.0)
    corrected = nrm.process(curves, nrm.Recipe().replace(correct_slope=True))
    assert mean_profile(corrected, 4, 17).mean() == pytest.approx(10.0, rel=0.02)


def test_curves_that_were_placed_nowhere_have_no_slope(plain: xr.Dataset) -> None:
    assert np.isnan(plain["surface_slope"]).all()


@pytest.mark.parametrize("settings", [{}, {"fringe": 0.5}, {"glitches": 0.5}])
def test_any_block_and_threads_give_the_same_bits(settings: dict[str, Any]) -> None:
    curves = Generator(curves=60, samples=600, **settings).make()[0]
    whole = nrm.process(curves)
    for block, threads in ((1, 1), (7, 2), (59, 4), (1000, 3)):
        part = nrm.process(curves, block=block, threads=threads)
        xr.testing.assert_identical(whole, part)


def test_curves_do_not_know_their_neighbours_lengths() -> None:
    """Flat curves of several lengths give what each gives among its equals."""
    curves = Generator(curves=40, samples=700).make()[0]
    channels, metadata = parts_of(curves)
    first = [values[:20] for values, _ in channels.values()]
    later = [values[20:, 100:] for values, _ in channels.values()]
    flat = {
        name: (np.concatenate([a.ravel(), b.ravel()]), channels[name][1])
        for name, a, b in zip(channels, first, later, strict=True)
    }
    mixed = nrm.process(
        nrm.CurveSet.from_arrays(flat, row_size=[700] * 20 + [600] * 20, metadata=metadata)
    )
    alone = nrm.process(curves)
    np.testing.assert_allclose(
        mixed["contact_height"][:20], alone["contact_height"][:20], atol=0.2 * NM
    )
    assert np.isfinite(mixed["storage_modulus"].values[20:, 10:80]).all()
