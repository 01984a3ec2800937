"""What a file of results holds, what follows from it, and files of the version before."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from nrm_generator import NM, Generator

import nrm_plugin as nrm
from nrm_plugin import files
from nrm_plugin.cli import main
from nrm_plugin.files import FileHashes
from nrm_plugin.variables import CONTACT, DERIVED, GRADIENTS, LATERAL

#: Made by the version before: 6 curves of two layers, 31 distances, format 1.0.
EARLIER = Path(__file__).parent / "frozen" / "results-1.0.h5"

STEP = 0.5 * NM


@pytest.fixture(scope="module")
def curves() -> nrm.CurveSet:
    return Generator(curves=40, samples=600, retract=True).make()[0]


@pytest.fixture(scope="module")
def results(curves: nrm.CurveSet) -> xr.Dataset:
    return nrm.process(curves)


@pytest.fixture(scope="module")
def file(curves: nrm.CurveSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("results") / "out.h5"
    nrm.process(curves, out=path).close()
    return path


def stored(path: Path) -> set[str]:
    """Names of what was found that a file itself holds."""
    with h5py.File(path) as opened:
        return set(opened["entry/results"]) & {*CONTACT, *LATERAL, *DERIVED}


# What is in the file


def test_a_file_holds_what_does_not_follow(file: Path) -> None:
    assert stored(file) == {*CONTACT, *LATERAL}
    with h5py.File(file) as opened:
        assert opened.attrs["format_version"] == "2.1"
        group = opened["entry/results"]
        assert group.attrs["signal"] == "storage_modulus"
        assert group["storage_modulus"].dtype == np.float32
        assert group["binned_force_count"].shape == (40, 90)
    as_before = 40 * (15 * 121 * 4 + 11 * 8)
    # Later came numbers and headers of small variables: 13 of the normal channel, 7 of the lateral
    # signal far away and 2 on the wall, and the class of the surface; then the groups of NXafm.
    assert file.stat().st_size < 0.8 * as_before + 25 * 1024


def test_a_newer_version_is_refused(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "newer.h5"
    copy.write_bytes(file.read_bytes())
    with h5py.File(copy, "r+") as opened:
        opened.attrs["format_version"] = "3.0"
    with pytest.raises(nrm.CorruptFile, match=r"version 3\.0, made by a newer nrm-plugin"):
        nrm.open_results(copy)


def test_files_that_are_laid_out_alike_hold_their_own_numbers(
    curves: nrm.CurveSet, tmp_path: Path
) -> None:
    """One behind the other: alike, of another recipe, and alike again after an interruption."""
    back = curves[np.arange(len(curves))[::-1]]
    coarse = nrm.Recipe().replace(stop="30 nm")
    cases = ((curves, None), (back, None), (curves, coarse), (back, coarse), (curves, None))

    def stop(done: int, total: int) -> None:
        if done >= 12:
            raise KeyboardInterrupt

    for number, (some, recipe) in enumerate(cases):
        path = tmp_path / f"{number}.h5"
        if number in (1, 4):
            with pytest.raises(KeyboardInterrupt):
                nrm.process(some, recipe, path, progress=stop, block=4)
        found, wanted = nrm.process(some, recipe, path), nrm.process(some, recipe)
        for name in wanted.variables:
            np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)
        assert found.attrs["recipe"] == wanted.attrs["recipe"]


# What follows


def test_what_follows_is_what_the_equations_say(results: xr.Dataset) -> None:
    """E* = (dF*/dz) / 4 r_g A, G* = E* / 2 (1 + nu), eta = G'' / 2 pi f."""
    attributes, per_gradient = results.attrs, 4.0 * 1.25 * results.attrs["dither_amplitude"]
    shear = 2.0 * (1.0 + attributes["poisson_ratio"])
    storage, loss = (
        results[f"{name}_modulus"].values.astype(float) for name in ("storage", "loss")
    )
    errors = [
        results[f"{name}_modulus_stderr"].values.astype(float) for name in ("storage", "loss")
    ]
    size = np.hypot(storage, loss)
    per_flow = shear * 2.0 * np.pi * attributes["dither_frequency"]
    expected = {
        "force_gradient_in_phase": storage * per_gradient,
        "force_gradient_quadrature": loss * per_gradient,
        "force_gradient_in_phase_stderr": errors[0] * per_gradient,
        "force_gradient_quadrature_stderr": errors[1] * per_gradient,
        "shear_modulus_magnitude": size / shear,
        "shear_modulus_magnitude_stderr": np.hypot(storage * errors[0], loss * errors[1])
        / size
        / shear,
        "viscosity": loss / per_flow,
        "viscosity_stderr": errors[1] / per_flow,
    }
    assert set(expected) == set(DERIVED)
    for name, values in expected.items():
        found = results[name]
        assert found.dtype == np.float32
        assert found.attrs == DERIVED[name].attributes
        assert np.isfinite(found.values).any()
        np.testing.assert_allclose(found.values, values, rtol=3e-7, err_msg=name)


def test_it_is_computed_as_far_as_it_is_asked_for(file: Path, results: xr.Dataset) -> None:
    opened = xr.open_dataset(file, engine="nrm")
    for name in DERIVED:
        for data in (opened, results):
            assert not data[name].variable._in_memory
        whole = results[name].values
        np.testing.assert_array_equal(opened[name], whole)
        some = opened[name].isel(curve=[7, 3, 11], depth=[30, 20])
        np.testing.assert_array_equal(some, whole[np.ix_([7, 3, 11], [30, 20])])
        np.testing.assert_array_equal(opened[name][5, ::-3], whole[5, ::-3])
        assert opened[name][5, 20].item() == whole[5, 20]
        assert not results[name].variable._in_memory


def test_two_directions(curves: nrm.CurveSet, tmp_path: Path) -> None:
    recipe = nrm.Recipe().replace(direction="both")
    opened = nrm.process(curves, recipe, tmp_path / "both.h5")
    alone = nrm.process(curves, recipe.replace(direction="retract"))
    assert opened["viscosity"].dims == ("direction", "curve", "depth")
    retract = opened.sel(direction="retract")
    for name in ("viscosity", "force_gradient_in_phase_stderr", "binned_force_in_phase"):
        np.testing.assert_array_equal(retract[name], alone[name])


def test_values_can_be_changed_in_memory(curves: nrm.CurveSet, tmp_path: Path) -> None:
    """And are then kept, while what still follows is not written twice."""
    results = nrm.process(curves)
    results["viscosity"][:, 3] = 7.0
    nrm.save(results, tmp_path / "changed.h5")
    assert stored(tmp_path / "changed.h5") == {*CONTACT, *LATERAL, "viscosity"}
    found = nrm.open_results(tmp_path / "changed.h5")
    for name in DERIVED:
        np.testing.assert_array_equal(found[name], results[name])
    assert (found["viscosity"].values[:, 3] == 7.0).all()


def test_saving_loaded_or_lazy_results_doubles_nothing(file: Path, tmp_path: Path) -> None:
    for number, results in enumerate((nrm.open_results(file), nrm.open_results(file).load())):
        again = tmp_path / f"{number}.h5"
        nrm.save(results, again)
        assert stored(again) == stored(file)
        nrm.save(results.isel(curve=slice(5, 9)), again)
        assert stored(again) == stored(file)
        found = nrm.open_results(again)["viscosity"]
        np.testing.assert_array_equal(found, results["viscosity"][5:9])


def test_other_programs_get_all_of_it(file: Path, tmp_path: Path) -> None:
    results = nrm.open_results(file)
    for engine in ("h5netcdf", "netcdf4"):
        path = tmp_path / f"{engine}.nc"
        results.to_netcdf(path, engine=engine)
        with xr.open_dataset(path, engine=engine) as found:
            assert set(found.data_vars) == set(results.data_vars) >= set(DERIVED)
            for name in DERIVED:
                np.testing.assert_array_equal(found[name], results[name])


def test_a_gradient_is_not_lost_where_there_is_no_shape_factor(
    curves: nrm.CurveSet, results: xr.Dataset, tmp_path: Path
) -> None:
    table = tmp_path / "rg.csv"
    table.write_text("distance (nm), r_g\n5, 1.25\n20, 1.25\n")
    recipe = nrm.Recipe().replace(shape_factor=str(table))
    found = nrm.process(curves, recipe, tmp_path / "out.h5")
    assert stored(tmp_path / "out.h5") == {*CONTACT, *LATERAL, *GRADIENTS}
    inside = (results["depth"] > 4.9 * NM) & (results["depth"] < 20.1 * NM)
    assert found["storage_modulus"][:, ~inside].isnull().all()
    for name in GRADIENTS:
        assert np.isfinite(found[name].values[:, 100]).all()
        np.testing.assert_allclose(found[name], results[name], rtol=3e-7)
    for name in ("storage_modulus", "viscosity"):
        np.testing.assert_array_equal(found[name][:, inside], results[name][:, inside])
    np.testing.assert_array_equal(nrm.process(curves, recipe)["viscosity"], found["viscosity"])


def test_without_a_lateral_signal_nothing_follows(curves: nrm.CurveSet) -> None:
    channels = {
        name: (curves.read(name), channel.unit)
        for name, channel in curves.channels.items()
        if not name.startswith("lateral")
    }
    bare = nrm.CurveSet.from_arrays(
        channels, curves.row_size, curves.segments, metadata=curves.metadata
    )
    found = nrm.process(bare)
    assert set(found.data_vars) == set(CONTACT)
    assert "distance_bin" not in found.dims


# Windows and bins


@pytest.mark.parametrize("direction", ["approach", "retract"])
def test_windows_of_the_fits(curves: nrm.CurveSet, direction: str) -> None:
    found = nrm.process(curves, nrm.Recipe().replace(direction=direction))
    begin, end, wall, stop = (
        found[name].values for name in ("baseline_begin", "baseline_end", "wall_begin", "wall_end")
    )
    for curve in range(len(curves)):
        kind, height = curves.segments[curves.segments["curve"] == curve], curves[curve]
        (part,) = kind[kind["kind"] == direction]
        ramp = height.read("height")[part["start"] : part["stop"]]
        ramp = ramp if direction == "approach" else ramp[::-1]
        assert begin[curve] == pytest.approx(ramp[0], abs=1e-15)
        assert stop[curve] == pytest.approx(ramp[-1], abs=1e-15)
        assert np.abs(ramp - end[curve]).min() < 1e-15
    contact = found["contact_height"].values
    assert ((begin > end) & (end > contact) & (contact > wall) & (wall > stop)).all()
    np.testing.assert_allclose(np.abs(wall - stop), found["wall_length"], rtol=1e-9)


def test_a_curve_without_a_wall_has_no_window(curves: nrm.CurveSet) -> None:
    flat = {name: (curves.read(name), c.unit) for name, c in curves.channels.items()}
    first = slice(0, int(curves.row_size[0]))
    flat["deflection"][0][first] = np.random.default_rng(1).normal(0.0, 0.1 * NM, first.stop)
    odd = nrm.CurveSet.from_arrays(flat, curves.row_size, curves.segments, metadata=curves.metadata)
    found = nrm.process(odd).isel(curve=0)
    if np.isnan(found["contact_height"]):
        assert np.isnan(found["wall_begin"])
        assert np.isnan(found["binned_force_in_phase"]).all()
        assert (found["binned_force_count"] == 0).all()


def test_bins_are_means_of_the_samples(results: xr.Dataset) -> None:
    """30 nm on beyond the last depth; near the profile, whose window is wider, inside its error."""
    bins = results["distance_bin"].values
    np.testing.assert_allclose(bins, (np.arange(90) + 0.5) * NM, rtol=1e-12)
    count = results["binned_force_count"].values
    for part in ("in_phase", "quadrature"):
        binned = results[f"binned_force_{part}"].values
        np.testing.assert_array_equal(np.isnan(binned), count == 0)
        at_bins = results[f"lateral_force_{part}"].values[:, 1:-1:2]  # 0.5, 1.5 ... nm
        slope = results[f"force_gradient_{part}"].values[:, 1:-1:2]
        off = np.abs(binned[:, :60] - at_bins)
        spread = np.nanstd(binned[:, 65:])  # of one bin, where no force is
        assert np.nanmax(off - 0.5 * NM * np.abs(slope)) < 6.0 * spread
        assert abs(np.nanmean(binned[:, 65:])) < 0.3 * spread
    per_nm = count[:, 70:].mean()
    assert count[:, 30:].sum(1) == pytest.approx(60 * per_nm, rel=0.05)


def test_bins_of_known_samples() -> None:
    """By hand: lever at rest, ramp of 0.25 nm, force equal to the distance."""
    from nrm_plugin import kernels

    z = np.arange(399, -1, -1) * 0.25 * NM + 0.1 * NM
    contacts, own = np.zeros(1, kernels.CONTACT), np.ones(1, kernels.CURVE)
    contacts["baseline_end"], own["delay"], own["settling"] = 1, 0.0, 0.0
    settings = kernels.record(
        kernels.PROFILE_SETTINGS,
        method=0,
        half_width=2 * NM,
        amplitude=NM,
        lateral_stiffness=0.0,
        spring_constant=1.0,
        wall_slope=1.0,
        doubt=0.0,
        lateral_line=0.0,
    )
    force = z - z[0]  # the first sample is far away, and taken off
    bins = kernels.force_bins(
        settings,
        np.array([0, 400]),
        z,
        np.zeros(400),
        (force, -force),
        contacts,
        own,
        np.array([10.0, 20.0]) * NM,
        NM,
        50,
    )[0]
    assert bins[2, 5:].tolist() == [4.0] * 45  # beyond the last depth, 20 nm, too
    middle = (np.arange(5, 50) + 0.1 + 0.375) * NM
    np.testing.assert_allclose(bins[0, 5:], middle - z[0], atol=1e-18)
    np.testing.assert_allclose(bins[1, 5:], z[0] - middle, atol=1e-18)


@pytest.mark.parametrize("method", ["savitzky-golay", "total-variation"])
def test_bins_do_not_depend_on_the_derivative(
    curves: nrm.CurveSet, results: xr.Dataset, method: str
) -> None:
    found = nrm.process(curves, {"derivative": {"method": method}})
    for name in ("binned_force_in_phase", "binned_force_quadrature", "binned_force_count"):
        np.testing.assert_array_equal(found[name], results[name])


# Files of the version before


def test_results_of_before_open_plot_and_report(tmp_path: Path) -> None:
    results = nrm.open_results(EARLIER)
    assert dict(results.sizes) == {"curve": 6, "depth": 31}
    assert set(DERIVED) <= set(results.data_vars)
    assert "wall_begin" not in results
    mean = results["storage_modulus"].sel(depth=slice(2 * NM, 5 * NM)).mean().item()
    assert mean == pytest.approx(10e6, rel=0.05)

    def run(*arguments: Any) -> str:
        done = CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    assert "6 curves: contact found in 6" in run("info", EARLIER)
    run("plot", EARLIER, "-o", tmp_path / "profiles.png", "--kind", "profiles")
    run("report", EARLIER, "-o", tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size > 50_000


def test_results_of_before_are_saved_to_the_bit(tmp_path: Path) -> None:
    """Gradients that were stored differ in their last bit from those that follow, and stay."""
    before = nrm.open_results(EARLIER)
    nrm.save(before, tmp_path / "again.h5")
    assert stored(tmp_path / "again.h5") == {*stored(EARLIER)} - (set(DERIVED) - set(GRADIENTS))
    xr.testing.assert_identical(nrm.open_results(tmp_path / "again.h5").load(), before.load())


# Hashes


def test_hashes_follow_what_is_read(tmp_path: Path) -> None:
    """What lies beyond the part that was read is hashed as it is later."""
    path, whole = tmp_path / "a.bin", np.arange(1 << 20, dtype="<u4").tobytes()
    path.write_bytes(whole)
    hashes = FileHashes([("", path), ("known", tmp_path / "none"), ("", ""), ("", tmp_path / "b")])
    hashes.follow(0.5)
    half = len(whole) // 2
    with path.open("r+b") as file:
        file.seek(half)
        file.write(bytes(half))
    expected = hashlib.sha256(whole[:half] + bytes(half)).hexdigest()
    assert hashes.result() == [expected, "known", "", ""]


def test_process_hashes_what_it_reads(
    curves: nrm.CurveSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While curves are read, as much of their file as they are of all; nothing if it is known."""
    path, seen, hashed = tmp_path / "curves.h5", [], [0]
    nrm.save(curves, path)
    size = path.stat().st_size

    class Counted:
        def __init__(self) -> None:
            self.whole = hashlib.sha256()

        def update(self, data: Any) -> None:
            hashed[0] += len(data)
            self.whole.update(data)

        def hexdigest(self) -> str:
            return self.whole.hexdigest()

    monkeypatch.setattr(files, "hashlib", SimpleNamespace(sha256=Counted))
    monkeypatch.setattr(files, "_HASHED", 4096)
    opened = nrm.open(path)
    made = nrm.process(opened, progress=lambda n, _: seen.append((n, hashed[0])), block=5)
    assert [n for n, _ in seen] == list(range(5, 41, 5))
    for n, done in seen:
        assert n / 40 * size <= done < n / 40 * size + 4096
    assert hashed[0] == size
    assert made.attrs["source_sha256"] == [hashlib.sha256(path.read_bytes()).hexdigest()]
    known = tuple(replace(origin, sha256="0" * 64) for origin in opened.origins)
    assert nrm.process(replace(opened, origins=known)).attrs["source_sha256"] == ["0" * 64]
    assert hashed[0] == size
