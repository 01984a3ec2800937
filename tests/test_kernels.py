"""The compiled library: whatever comes in, it stays inside its arrays, and says what is wrong.

With NRM_SANITIZED=1 the tests of hostile numbers run a second time in a process whose library is
compiled with AddressSanitizer and UndefinedBehaviorSanitizer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nrm_plugin import kernels
from nrm_plugin.errors import LibraryError
from nrm_plugin.kernels import build

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
#: What no measurement should hold, and what one may.
NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 1e-9, -1e-9]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-1e-7, 1e-7),
)
SEEDS = st.integers(0, 2**32 - 1)


def spoilt(rng: np.random.Generator, n: int, odd: list[float]) -> np.ndarray:
    """A ramp with noise, of which some samples are odd."""
    values = np.linspace(300e-9, -50e-9, n) + rng.normal(0.0, 1e-9, n)
    where = rng.integers(0, max(n, 1), min(len(odd), n))
    values[where] = odd[: len(where)]
    return values


def any_record(rng: np.random.Generator, dtype: np.dtype[np.void], odd: list[float]) -> Any:
    """A record of a kind with odd values."""
    made = np.zeros((), dtype)
    for name in dtype.names or ():
        made[name] = odd[rng.integers(len(odd))] if odd and rng.random() < 0.5 else rng.normal()
    return made


ODD = st.lists(NUMBERS, min_size=1, max_size=12)
LENGTHS = st.lists(st.integers(0, 400), min_size=0, max_size=5)


@FEW
@given(lengths=LENGTHS, odd=ODD, seed=SEEDS)
def test_contacts_and_profiles_of_anything(lengths: list[int], odd: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    begin = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    n = int(begin[-1])
    x, y, re, im = (spoilt(rng, n, odd) for _ in range(4))
    how = any_record(rng, kernels.CONTACT_SETTINGS, odd)
    contacts, clean = kernels.find_contacts(begin, x, y, how)
    assert len(contacts) == len(lengths)
    assert len(clean) == n
    for i, length in enumerate(lengths):
        if length < 24:
            assert np.isnan(contacts["contact"][i])
    if rng.random() < 0.5:  # contacts as a plugin might make them
        for i in range(len(contacts)):
            contacts[i] = any_record(rng, kernels.CONTACT, odd)
    checks = kernels.check_lateral(begin, clean, re, im, contacts)
    assert set(np.unique(checks["missing"])) <= {0.0, 1.0}
    own = np.zeros(len(lengths), kernels.CURVE)
    for i in range(len(own)):
        own[i] = any_record(rng, kernels.CURVE, odd)
    delayed = kernels.check_lateral(begin, clean, re, im, contacts, own, x)
    np.testing.assert_array_equal(delayed["exponent"], checks["exponent"])
    depth = np.sort(rng.uniform(0.0, 60e-9, rng.integers(0, 30)))
    if len(depth) and rng.random() < 0.3:
        depth[rng.integers(len(depth))] = odd[0]
    correlation = rng.normal(size=rng.integers(1, 250))
    for method in range(len(kernels.METHODS)):
        profile = any_record(rng, kernels.PROFILE_SETTINGS, odd)
        profile["method"] = method
        for lateral in ((re, im), None):
            found, valid = kernels.profiles(
                profile, begin, x, clean, lateral, contacts, own, correlation, depth
            )
            assert found.shape == (len(lengths), 7, len(depth))
            assert len(valid) == len(lengths)
            normal = kernels.normal_channel(profile, begin, x, clean, lateral, contacts, own)
            assert len(normal) == len(lengths)
        if len(depth):
            width, n_bins = odd[-1], int(rng.integers(0, 100))
            bins = kernels.force_bins(
                profile, begin, x, clean, (re, im), contacts, own, depth, width, n_bins
            )
            assert bins.shape == (len(lengths), 3, n_bins)
            assert 0.0 <= bins[:, 2].sum() <= n
    turns = np.array([0.0, *odd[:2], np.nan])
    slopes, _ = kernels.tail_slopes(begin, x, y, np.array([1, 12, 40, 10**12, -3]), turns)
    assert slopes.shape == (len(turns), len(lengths), 5)
    kernels.rough_baselines(begin, x, y)


@FEW
@given(
    kind=st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "f2", "?"]),
    lengths=LENGTHS,
    data=st.binary(min_size=0, max_size=4096),
    odd=ODD,
    seed=SEEDS,
)
def test_a_pass_over_random_bytes(
    kind: str, lengths: list[int], data: bytes, odd: list[float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    raw = np.resize(np.frombuffer(data or b"\0", np.uint8), 8 * (sum(lengths) + 1))
    if kind == "?":
        raw = raw & 1
    numbers = raw.view(kind)[: sum(lengths)].copy()
    signal = kernels.RawSignal(numbers=numbers, gain=odd[0], offset=odd[-1], limit=1e-2)
    job = kernels.Job(
        turn=0.6 + 0.8j,
        backwards=bool(seed % 2),
        contact=any_record(rng, kernels.CONTACT_SETTINGS, odd),
        profile=any_record(rng, kernels.PROFILE_SETTINGS, [float(seed % 3)]),
        correlation=np.ones(1),
        depth=np.linspace(0.0, 50e-9, 11),
        shape=np.full(11, 1.25, np.float32),
        n_rows=11,
        bin_width=odd[0],
        n_bins=seed % 70,
    )
    length = np.array(lengths, np.int64)
    first = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)[: len(length)]
    own = np.zeros(len(length), kernels.CURVE)
    own["cosine"] = 1.0
    for lateral, rows in (((signal, signal), 11), ((signal, signal), 7), (None, 1)):
        job = replace(job, n_rows=rows)
        made = kernels.process(job, signal, signal, lateral, first, length, own)
        assert made.rows.shape == (rows, len(length), 11)
        assert made.bins.shape == (3 if lateral else 0, len(length), job.n_bins)
    if len(length):
        for wrong in (-1, len(numbers) + 1, 2**62):
            with pytest.raises(ValueError, match="lengths"):
                kernels.process(job, signal, signal, None, first + wrong, length + 1, own)


@FEW
@given(values=st.lists(NUMBERS, max_size=60), cuts=st.lists(st.integers(0, 60), max_size=4))
def test_streams_do_not_depend_on_how_they_are_cut(values: list[float], cuts: list[int]) -> None:
    stream = np.array(values, float)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    results = []
    for parts in ([0, len(stream)], edges):
        carry, means = np.zeros((), kernels.OPEN_BIN), np.empty(len(stream))
        done = 0
        for a, b in pairwise(parts):
            done += kernels.bin_means(stream[a:b], 4, carry, means[done:])
        results.append(means[:done])
    assert len(results[0]) == len(stream) // 4
    np.testing.assert_array_equal(*results)


def test_wrong_arrays_are_refused() -> None:
    begin = np.array([0, 100, 50])
    signals = np.zeros(100), np.zeros(100)
    how = np.zeros((), kernels.CONTACT_SETTINGS)
    with pytest.raises(ValueError, match="lengths"):
        kernels.find_contacts(begin, *signals, how)
    with pytest.raises(ValueError, match="lengths"):
        kernels.find_contacts(np.array([0, 101]), *signals, how)
    with pytest.raises(ValueError, match="in one piece"):
        kernels.find_contacts(np.array([0, 100]), signals[0][:50], signals[1], how)
    with pytest.raises(ValueError, match="fields are"):
        kernels.record(kernels.OPEN_BIN, sum=0.0)
    with pytest.raises(ValueError, match="no room"):
        kernels.bin_means(np.zeros(8), 2, np.zeros((), kernels.OPEN_BIN), np.empty(3))


def wall(n: int) -> tuple[np.ndarray, np.ndarray, kernels.RecordArray]:
    """Height and deflection of a bare wall (m), and settings that know nothing of its slope."""
    height = np.linspace(300e-9, -100e-9, n)
    how = np.zeros((), kernels.CONTACT_SETTINGS)
    for name in (name for name in how.dtype.names or () if name.endswith("stderr")):
        how[name] = np.inf
    return height, np.maximum(0.0, -height), how


def test_noise_is_no_smaller_than_a_step_of_the_converter() -> None:
    """Most second differences are none: a uniform error of one step, 1 nm / sqrt(12)."""
    height, deflection, how = wall(400)
    stepped = 1e-9 * np.round(deflection / 1e-9)
    found, _ = kernels.find_contacts(np.array([0, 400]), height, stepped, how)
    assert found["noise"][0] == pytest.approx(1e-9 / np.sqrt(12.0), rel=1e-6)


@pytest.mark.parametrize(("level", "left"), [(1, 400), (2, 398), (5, 395)])
def test_a_wall_ends_where_the_detector_does(level: int, left: int) -> None:
    """Of one largest sample nobody knows; two or more are all left out."""
    height, deflection, how = wall(400)
    deflection += 0.1e-9 * np.random.default_rng(5).standard_normal(400)
    deflection[-level:] = deflection.max() + 1e-12
    found, _ = kernels.find_contacts(np.array([0, 400]), height, deflection, how)
    assert found["wall_begin"][0] + found["wall_samples"][0] == left
    assert found["contact"][0] == pytest.approx(0.0, abs=1e-9)


def test_bins_lie_along_the_normal_of_a_slope() -> None:
    """A layer on a slope is thinner than its vertical extent by the cosine."""
    height, deflection, how = wall(4000)
    begin, signal = np.array([0, 4000]), 1e-9 * (1.0 + height / 1e-7)
    contacts, clean = kernels.find_contacts(begin, height, deflection, how)
    profile = np.zeros((), kernels.PROFILE_SETTINGS)
    profile["half_width"], profile["amplitude"], profile["spring_constant"] = 2e-9, 1e-9, 1.0
    for name in set(kernels.PROFILE_SETTINGS.names or ()) & {"slope", "distance_slope"}:
        profile[name] = -1.0
    own, bins = np.zeros(1, kernels.CURVE), {}
    for cosine in (1.0, 0.5):
        own["cosine"] = cosine
        made = kernels.force_bins(
            profile,
            begin,
            height,
            clean,
            (signal, signal),
            contacts,
            own,
            np.array([0.0, 20e-9]),
            1e-9,
            40,
        )
        bins[cosine] = made[0, 0]
    ratio = (bins[0.5][10:38] - bins[0.5][9:37]) / (bins[1.0][10:38] - bins[1.0][9:37])
    np.testing.assert_allclose(ratio, 2.0, rtol=0.05)


def test_another_library_than_the_sources_make_is_named(tmp_path: Path) -> None:
    """A copy of the package's folder: as it is, with other sources, and without a library."""
    folder = tmp_path / "kernels"
    shutil.copytree(build.HERE, folder)
    library = build.library_path(folder)
    program = "import nrm_plugin, sys; nrm_plugin.__path__.insert(0, sys.argv[1])\n"
    program += "import nrm_plugin.kernels"

    def load() -> str:
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stderr

    assert load() == ""
    source = folder / "library.c"
    source.write_text(source.read_text() + "/* changed */\n")
    assert f"{LibraryError.__name__}: the compiled library {library} was built from other" in load()
    library.unlink()
    assert f"{library} is missing. In a checkout `python3 run.py`" in load()


#: What zig's linker adds to a library for macOS, and has no option to hide: where it begins.
OF_THE_LINKER = {"__mh_dylib_header", "___dso_handle"}


def exports(library: Path) -> set[str]:
    """Names of the functions that a library offers."""
    program = "nm" if library.suffix == ".so" else "llvm-nm"
    nm = shutil.which(program)
    if nm is None or sys.platform != "linux":
        pytest.skip(f"needs {program}, on Linux")
    dynamic = ["-D"] if library.suffix == ".so" else ["-g"]
    words = [nm, *dynamic, "--defined-only", "--format=just-symbols", str(library)]
    names = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    if library.suffix == ".so":
        return set(names)
    return {name.removeprefix("_") for name in names if name not in OF_THE_LINKER}


def declared() -> set[str]:
    """Names of the functions that the header declares."""
    return {
        line.split("(")[0].split()[-1].lstrip("*")
        for line in (build.HERE / "nrm_kernels.h").read_text().splitlines()
        if line.startswith("NRM_EXPORT ")
    }


def test_the_library_exports_what_the_header_says() -> None:
    assert exports(build.library_path()) == declared()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linux-x86_64", "linux-aarch64", "musl-x86_64", "macos-arm64"])
def test_a_library_of_a_wheel_is_the_same_bytes_when_it_is_built_again(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any folder of this machine in it, and with nothing but the header's functions."""
    if not find_spec("ziglang"):
        pytest.skip("needs ziglang")
    target = build.TARGETS[name]
    libraries = [tmp_path / folder / f"_kernels{target.suffix}" for folder in ("one", "another")]
    for library in libraries:
        library.parent.mkdir()
        build.compile_library(library, target)
        # Nothing of the first may be used for the second.
        monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(tmp_path / "cache"))
    made = libraries[0].read_bytes()
    assert made == libraries[1].read_bytes()
    assert str(tmp_path).encode() not in made
    assert str(build.HERE).encode() not in made
    assert exports(libraries[0]) == declared()


@pytest.mark.slow
def test_hostile_numbers_under_sanitizers(tmp_path: Path) -> None:
    """Run this file's other tests with a library that stops at the first wrong access."""
    if os.environ.get("NRM_SANITIZED") or not build.system_compiler() or sys.platform != "linux":
        pytest.skip("needs a compiler with sanitizers, on Linux")
    folder = tmp_path / "kernels"
    shutil.copytree(build.HERE, folder)
    build.compile_library(build.library_path(folder), sanitize=True)
    preload = [
        subprocess.run(
            [*build.system_compiler(), f"-print-file-name={name}"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        f"import nrm_plugin\nnrm_plugin.__path__.insert(0, {str(tmp_path)!r})\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-k",
            "of_anything or random_bytes or are_cut",
            __file__,
        ],
        cwd=Path(__file__).parents[1],
        env={
            **os.environ,
            "NRM_SANITIZED": "1",
            "PYTHONPATH": str(site),
            "LD_PRELOAD": " ".join(preload),
            "ASAN_OPTIONS": "detect_leaks=0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "3 passed" in done.stdout


def test_loads_of_the_wall_count_to_the_last_sample() -> None:
    """Quarters of a rise from 0 to 1 that stays at 1: the last quarter has what stays."""
    clean = np.concatenate([np.zeros(100), np.linspace(0.0, 1.0, 95), np.ones(5)])
    contacts = np.zeros(1, kernels.CONTACT)
    contacts["wall_begin"], contacts["wall_samples"] = 100, 100
    signal = 2.0 * clean
    (found,) = kernels.check_lateral(np.array([0, 200]), clean, signal, -signal, contacts)
    wall = clean[100:]
    quarter = np.minimum((4.0 * wall).astype(int), 3)
    wanted = [wall[quarter == q].mean() for q in range(4)]
    np.testing.assert_allclose(found["load"], wanted, rtol=1e-12)
    np.testing.assert_allclose(found["wall_x"], np.multiply(wanted, 2.0), rtol=1e-12)
    np.testing.assert_allclose(found["wall_y"], np.multiply(wanted, -2.0), rtol=1e-12)


def test_the_wall_begins_where_five_samples_lie_on_it() -> None:
    """Down in steps of 0.26 nm, and on the wall from sample 200: 0.31 nm on the mean of 197-201."""
    height = 52e-9 - 0.26e-9 * np.arange(281)
    clean = np.maximum(-height, 0.0)
    contacts = np.zeros(1, kernels.CONTACT)
    contacts["wall_slope"], contacts["baseline_end"] = -1.0, 100
    contacts["wall_begin"], contacts["wall_samples"] = 240, 41
    begin = np.array([0, 281])
    (found,) = kernels.check_lateral(begin, clean, clean, -clean, contacts, None, height)
    first = 201
    onset, top = clean[first - 4 : first + 1].mean(), clean[-5:].mean()
    assert found["onset"] == pytest.approx(onset, rel=1e-9)
    load = clean[first:]
    part = 4.0 * (load - onset) / (top - onset)
    quarter = np.minimum(part.astype(int), 3)
    wanted = [load[(quarter == q) & (part >= 0.0)].mean() for q in range(4)]
    np.testing.assert_allclose(found["load"], wanted, rtol=1e-9)


def test_a_force_that_never_leaves_the_baseline_has_no_onset() -> None:
    n = 400
    height = np.linspace(300e-9, 0.0, n)
    contacts, own = np.zeros(1, kernels.CONTACT), np.zeros(1, kernels.CURVE)
    contacts["noise"], contacts["baseline_end"], own["cosine"] = 1e-10, 200, 1.0
    settings = np.zeros(1, kernels.PROFILE_SETTINGS)
    settings["spring_constant"], settings["half_width"] = 1.0, 2e-9
    begin, clean = np.array([0, n]), np.zeros(n)
    (found,) = kernels.normal_channel(settings, begin, height, clean, None, contacts, own)
    assert np.isnan(found["onset"])


@pytest.mark.parametrize("turn", [1.0, 1j, -1.0, np.exp(0.7j)])
def test_a_layer_is_found_whatever_the_phase(turn: complex) -> None:
    """The force may be all in phase, all in quadrature, or between."""
    rng = np.random.default_rng(5)
    m, knot = 40, 25
    noise = (rng.normal(size=m) + 1j * rng.normal(size=m)) / 10.0
    values = noise + 2.0 * np.maximum(np.arange(m) - knot, 0.0)
    found = kernels.find_onsets(
        (turn * values)[None],
        np.ones((1, m)),
        np.array([m]),
        np.eye(m),
        np.full(m + 1, 20.0),
    )
    plain = kernels.find_onsets(
        values[None], np.ones((1, m)), np.array([m]), np.eye(m), np.full(m + 1, 20.0)
    )
    assert abs(found["edge"][0] - knot) < 1.0
    outside = plain["outside_x"] + 1j * plain["outside_y"]
    np.testing.assert_allclose(found["outside_x"] + 1j * found["outside_y"], turn * outside)
    for name in set(found.dtype.names or ()) - {"outside_x", "outside_y"}:
        np.testing.assert_allclose(found[name], plain[name], rtol=1e-9, err_msg=name)
