"""The compiled loops against what they found before: `frozen/freeze_again.py`."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_plugin import kernels, process
from nrm_plugin.engine.compiled import Crossing
from nrm_plugin.engine.signals import Block, parts, plan, read_block
from nrm_plugin.engine.survey import survey
from nrm_plugin.kernels import build
from nrm_plugin.recipe import Recipe

from .frozen.curves import built

FROZEN = Path(__file__).parent / "frozen"
CASES = sorted(path.stem for path in FROZEN.glob("*.npz") if path.stem != "small_kernels")
#: Columns of the frozen rows, in their order.
ROWS = (
    "contact",
    "stderr",
    "baseline_end",
    "baseline_slope",
    "baseline_at",
    "wall_begin",
    "wall_slope",
    "wall_slope_stderr",
    "wall_length",
    "wall_samples",
    "noise",
    "long_run",
    "spikes",
    "saturated",
    "other_contact",
    "half_contact",
    "outer_contact",
)
COUNTS = ("baseline_end", "wall_begin", "wall_samples", "spikes", "saturated")
#: The system of ARM that the emulator's programs see.
ARM = Path("/usr/aarch64-linux-gnu")
#: A contact may differ by this much (m).
TINY = 1e-18


class Frozen:
    """A case's file, one direction of it."""

    def __init__(self, name: str) -> None:
        self.held: dict[str, Any] = dict(np.load(FROZEN / f"{name}.npz"))
        about = json.loads(str(self.held["about"]))
        self.directions: list[str] = about["directions"]
        self.recipe = Recipe().replace(**about["recipe"])
        self.curves, self.plan = plan(built(self.held))

    def __call__(self, direction: str, name: str) -> Any:
        return self.held[f"{direction}_{name}"]

    def block(self, direction: str) -> Block:
        ranges = parts(self.curves, direction)
        return read_block(self.curves, self.plan, ranges, slice(None), direction)

    def contact_settings(self, direction: str) -> kernels.RecordArray:
        named = Crossing()._asdict()  # what is newer than the file
        named |= dict(zip(Crossing._fields, self(direction, "contact_settings"), strict=False))
        return kernels.record(kernels.CONTACT_SETTINGS, **named)

    def profile_settings(self, direction: str, method: str) -> kernels.RecordArray:
        values = (kernels.METHODS.index(method), *self(direction, "settings"))
        named = dict(zip(kernels.PROFILE_SETTINGS.names or (), values, strict=True))
        return kernels.record(kernels.PROFILE_SETTINGS, **named)

    def own(self, direction: str) -> kernels.RecordArray:
        return np.ascontiguousarray(self(direction, "own")).view(kernels.CURVE)[:, 0]

    def rows(self, direction: str) -> kernels.RecordArray:
        return np.ascontiguousarray(self(direction, "rows")).view(kernels.CONTACT)[:, 0]


@pytest.fixture(scope="module", params=CASES)
def frozen(request: Any) -> Frozen:
    return Frozen(request.param)


def lateral(block: Block) -> tuple[np.ndarray, np.ndarray] | None:
    return (block.in_phase, block.quadrature) if len(block.in_phase) else None


def same_contacts(found: kernels.RecordArray, expected: np.ndarray) -> None:
    assert kernels.CONTACT.names == ROWS
    for column, name in zip(expected.T, ROWS, strict=True):
        if name in COUNTS:
            np.testing.assert_array_equal(found[name], column, err_msg=name)
        elif name in ("contact", "other_contact", "half_contact", "outer_contact"):
            np.testing.assert_allclose(found[name], column, rtol=0.0, atol=TINY, err_msg=name)
        elif name == "baseline_slope":
            np.testing.assert_allclose(found[name], column, rtol=1e-9, atol=1e-14, err_msg=name)
        else:
            np.testing.assert_allclose(found[name], column, rtol=1e-9, atol=TINY, err_msg=name)


def test_signals(frozen: Frozen) -> None:
    for direction in frozen.directions:
        block = frozen.block(direction)
        signals = block.height, block.deflection, block.in_phase, block.quadrature
        digest = hashlib.sha256(b"".join(signal.tobytes() for signal in signals)).hexdigest()
        assert digest == str(frozen(direction, "signals"))


def test_survey(frozen: Frozen) -> None:
    contact = frozen.recipe.contact
    for direction in frozen.directions:
        found = survey(
            frozen.block(direction), interference=contact.interference, spikes=contact.spikes
        )
        numbers = [found.walls, found.slope, found.slope_stderr, found.slope_spread, found.wave]
        np.testing.assert_allclose(numbers, frozen(direction, "survey"), rtol=1e-12)
        np.testing.assert_allclose(
            found.correlation, frozen(direction, "correlation"), rtol=1e-12, atol=1e-15
        )


def test_contacts(frozen: Frozen) -> None:
    for direction in frozen.directions:
        block = frozen.block(direction)
        settings = frozen.contact_settings(direction)
        found, clean = kernels.find_contacts(block.begin, block.height, block.deflection, settings)
        same_contacts(found, frozen(direction, "rows"))
        expected = frozen(direction, "clean")
        if expected.ndim:  # a fringe was taken out
            n = len(block)
            part = clean.reshape(n, -1)[:: max(n // 2, 1)]
            np.testing.assert_allclose(part, expected, rtol=0.0, atol=TINY)
        else:
            assert hashlib.sha256(clean.tobytes()).hexdigest() == str(expected)


#: What is frozen of contacts in files of instruments.
OF_REAL = ("contact", "stderr", "baseline_end", "wall_begin", "wall_samples", "spikes", "saturated")


def real_settings(rule: str) -> kernels.RecordArray:
    """Contacts that know nothing of other curves, by the wall or by the paper's two lines."""
    two_lines = rule == "two-line"
    baseline, wall = (0.4, 0.3) if two_lines else (0.5, 0.5)
    return Crossing(
        two_lines=two_lines, spikes=not two_lines, baseline=baseline, wall=wall
    ).record()


@pytest.mark.real
def test_contacts_of_real_curves(real_files: Path) -> None:
    """In files of instruments; only numbers are kept here.

    They agreed with commit 683e836 to 1e-9 until windows on the wall of sparse ramps began with 6
    samples (1.95 nm from sample to sample here: contacts moved by a third of their standard errors,
    since free slopes take other windows), short baselines grew in smaller steps, and what lies
    beside a jump was no longer a spike.
    """
    frozen = np.load(FROZEN / "real" / "contacts.npz")
    for key in frozen.files:
        path, channel, direction, rule = key.split("|")
        curves = nrm.open(real_files / path)
        ranges = parts(curves, direction)
        numbers = np.flatnonzero(ranges[:, 1] - ranges[:, 0] > 100)[:4]
        turn = slice(None, None, -1 if direction == "retract" else 1)
        height, deflection = (
            [curves.read(name, int(i))[slice(*ranges[i])][turn] for i in numbers]
            for name in ("height", channel)
        )
        begin = np.concatenate([[0], np.cumsum([len(one) for one in height])])
        found, _ = kernels.find_contacts(
            begin, np.concatenate(height), np.concatenate(deflection), real_settings(rule)
        )
        for column, name in zip(frozen[key].T, OF_REAL, strict=True):
            np.testing.assert_allclose(
                found[name], column, rtol=1e-9, atol=TINY, err_msg=f"{key} {name}"
            )


def test_lateral_checks(frozen: Frozen) -> None:
    for direction in frozen.directions:
        block = frozen.block(direction)
        if not len(block.in_phase):
            continue
        settings = frozen.contact_settings(direction)
        contacts, clean = kernels.find_contacts(
            block.begin, block.height, block.deflection, settings
        )
        found = kernels.check_lateral(
            block.begin, clean, block.in_phase, block.quadrature, contacts
        )
        for column, name in zip(
            frozen(direction, "slip").T, ("exponent", "stderr", "straight"), strict=True
        ):
            np.testing.assert_allclose(found[name], column, rtol=1e-9, atol=1e-15)
        np.testing.assert_array_equal(found["missing"], frozen(direction, "dead"))


@pytest.mark.parametrize("method", kernels.METHODS)
def test_profiles(frozen: Frozen, method: str) -> None:
    """Of the frozen contacts, so that nothing but the profiles differs."""
    for direction in frozen.directions:
        if f"{direction}_profiles_{method}" not in frozen.held:
            continue
        block = frozen.block(direction)
        _, clean = kernels.find_contacts(
            block.begin, block.height, block.deflection, frozen.contact_settings(direction)
        )
        found, valid = kernels.profiles(
            frozen.profile_settings(direction, method),
            block.begin,
            block.height,
            clean,
            lateral(block),
            frozen.rows(direction),
            frozen.own(direction),
            frozen(direction, "correlation"),
            frozen(direction, "depth"),
        )
        expected = frozen(direction, f"profiles_{method}")
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
        np.testing.assert_array_equal(valid, frozen(direction, f"valid_{method}"))
        # Relative to the largest of each profile: where a force crosses zero, nothing is relative.
        scale = np.nanmax(np.abs(expected), axis=2, keepdims=True, initial=0.0)
        off = np.abs(found - expected) / np.where(scale > 0.0, scale, 1.0)
        assert np.nanmax(off, initial=0.0) < 1e-9


def test_small_kernels() -> None:
    held = np.load(FROZEN / "small_kernels.npz")
    for name in (n for n in held.files if n.startswith("noise_")):
        *values, expected = held[name]
        assert kernels.noise(np.array(values)) == pytest.approx(expected, rel=1e-12)
    z, values, weight, expected = held["trend"]
    fit, gap = kernels.trend_filter(z, values, weight, held["limit"])
    np.testing.assert_allclose(fit, expected, rtol=1e-9)
    assert gap == pytest.approx(float(held["gap"]), rel=1e-6)


def bits(*arrays: np.ndarray) -> bytes:
    """Bytes of all numbers; one nan is as good as another."""
    numbers = np.concatenate([array.reshape(-1).view(np.float64) for array in arrays])
    return np.where(np.isnan(numbers), np.nan, numbers).tobytes()


@pytest.mark.slow
def test_another_platform_finds_the_same_bits(tmp_path: Path) -> None:
    """The loops on ARM, under an emulator, on all curves of the frozen files.

    For the C library of a wheel's own target, which is there; for a static program the compiler
    would make one.
    """
    emulator = shutil.which("qemu-aarch64")
    if emulator is None or not ARM.is_dir() or not importlib.util.find_spec("ziglang"):
        pytest.skip("needs ziglang, and Debian's packages qemu-user and libc6-arm64-cross")
    program = tmp_path / "driver.exe"
    sources = [str(path) for path in build.sources() if path.suffix == ".c"]
    words = [sys.executable, "-m", "ziglang", "cc", "-target", build.TARGETS["linux-aarch64"].zig]
    words += [*build.OPTIONS, *build.WARNINGS, f"-I{build.HERE}", *sources]
    driver = Path(__file__).with_name("kernels_driver.c")
    subprocess.run([*words, str(driver), "-o", str(program)], check=True)
    command = [emulator, "-L", str(ARM), str(program)]
    for name in CASES:
        frozen = Frozen(name)
        for direction in frozen.directions:
            block = frozen.block(direction)
            signals = lateral(block)
            if signals is None:
                continue
            how, own = frozen.contact_settings(direction), frozen.own(direction)
            rho, depth = frozen(direction, "correlation"), frozen(direction, "depth")
            contacts, clean = kernels.find_contacts(
                block.begin, block.height, block.deflection, how
            )
            checks = kernels.check_lateral(block.begin, clean, *signals, contacts)
            expected = [contacts, clean, checks]
            settings = [frozen.profile_settings(direction, method) for method in kernels.METHODS]
            for one in settings:
                expected += kernels.profiles(
                    one, block.begin, block.height, clean, signals, contacts, own, rho, depth
                )
            sizes = np.array([len(block), len(clean), len(depth), len(rho), len(settings)])
            arrays = (sizes, block.begin, how, *settings, block.height, block.deflection)
            data = b"".join(a.tobytes() for a in (*arrays, *signals, own, rho, depth))
            done = subprocess.run(command, input=data, capture_output=True, check=True)
            assert bits(np.frombuffer(done.stdout)) == bits(*expected), f"{name}, {direction}"


def test_results_of_process() -> None:
    """From the curves to the results, survey and flags among them."""
    for name in ("layers", "spoilt"):
        frozen = Frozen(name)
        results = process(built(frozen.held), frozen.recipe)
        for key in (key for key in frozen.held if key.startswith("results_")):
            found, expected = results[key.removeprefix("results_")].values, frozen.held[key]
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(np.isnan(found), np.isnan(expected), err_msg=key)
            if key == "results_quality":
                np.testing.assert_array_equal(found, expected)
            elif found.dtype == np.float64:
                np.testing.assert_allclose(found, expected, rtol=1e-9, atol=TINY, err_msg=key)
            else:  # single precision: its last bit, where a profile crosses zero that of the rest
                scale = np.nanmax(np.abs(expected))
                np.testing.assert_allclose(
                    found, expected, rtol=1e-6, atol=1e-9 * scale, err_msg=key
                )
