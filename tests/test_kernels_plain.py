"""Loops of the library against the same in plain numpy, one sample or window after the other.

What is written here follows the comments of the sources in C: slowly, without lanes, blocks and
shortcuts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nrm_plugin import kernels

NM = 1e-9
Array = Any


@dataclass(kw_only=True)
class Ramp:
    """A curve with its contact, and how its profile is made."""

    height: Array
    clean: Array
    in_phase: Array
    quadrature: Array
    contact: dict[str, float]
    own: dict[str, float] = field(default_factory=lambda: {"cosine": 1.0})
    settings: dict[str, float]
    correlation: Array = field(default_factory=lambda: np.ones(1))
    depth: Array = field(default_factory=lambda: np.linspace(0.0, 30.0, 31) * NM)
    bin_width: float = 1.0 * NM
    n_bins: int = 0

    def __getattr__(self, name: str) -> float:
        return self.contact[name]

    @property
    def n(self) -> int:
        return len(self.height)

    @property
    def s(self) -> float:
        """Deflection per distance."""
        return self.settings["wall_slope"] or 1.0

    @property
    def stiff(self) -> float:
        """Lateral force at which the lever gives way by all of the dither, N; 0: it does not."""
        return self.settings["amplitude"] * self.settings["lateral_stiffness"]

    def records(self) -> tuple[Array, Array, Array]:
        made = []
        kinds = (kernels.PROFILE_SETTINGS, kernels.CONTACT, kernels.CURVE)
        for kind, values in zip(kinds, (self.settings, self.contact, self.own), strict=True):
            one = np.zeros((), kind)
            for name, value in values.items():
                one[name] = value
            made.append(one)
        return made[0], made[1][None], made[2][None]

    def profiles(self, *, lateral: bool = True) -> tuple[Array, float]:
        how, contacts, own = self.records()
        signals = (self.in_phase, self.quadrature) if lateral else None
        begin = np.array([0, self.n])
        found, valid = kernels.profiles(
            how,
            begin,
            self.height,
            self.clean,
            signals,
            contacts,
            own,
            self.correlation,
            self.depth,
        )
        return found[0], float(valid[0])

    def samples(self) -> tuple[Array, Array, Array]:
        how, contacts, own = self.records()
        signals = self.in_phase, self.quadrature
        return kernels.samples_above(
            how, self.height, self.clean, signals, contacts[0], own[0], self.depth
        )

    def bins(self) -> Array:
        how, contacts, own = self.records()
        return kernels.force_bins(
            how,
            np.array([0, self.n]),
            self.height,
            self.clean,
            (self.in_phase, self.quadrature),
            contacts,
            own,
            self.depth,
            self.bin_width,
            self.n_bins,
        )[0]


def line(x: Array, y: Array) -> tuple[float, float, float, float]:
    """Means, slope, and sum of squares of x about its mean."""
    dx = x - x.mean()
    return x.mean(), y.mean(), float(dx @ (y - y.mean()) / (dx @ dx)), float(dx @ dx)


class Plain:
    """What the library finds of a ramp."""

    def __init__(self, ramp: Ramp) -> None:
        r = self.ramp = ramp
        self.raw = r.clean - r.baseline_slope * r.height - r.baseline_at
        jumps = np.abs(np.diff(r.clean)) > r.s * np.abs(np.diff(r.height)) + 6.0 * r.noise
        self.jumps = np.array([True, *jumps, True])  # before each sample, and behind the last
        way = abs(r.height[-1] - r.height[0])
        self.half = min(int(1.3 * NM * (r.n - 1) / way), 4)
        whole = r.wall_samples > 0 and r.wall_begin >= 0
        self.wall = min(int(r.wall_begin), r.n) if whole else r.n
        self.reach = r.depth[-1] / r.own["cosine"] + r.settings["half_width"]
        bins = r.n_bins * r.bin_width / r.own["cosine"]
        self.within = max(self.reach, bins)
        self._find_distances()
        self._find_end()
        self._find_far()

    def smoothed(self, i: int) -> float:
        """Mean of the deflection over a sample and its neighbours up to the next jumps."""
        low, high = i, i + 1
        while low > i - self.half and not self.jumps[low]:
            low -= 1
        while high < i + 1 + self.half and not self.jumps[high]:
            high += 1
        return float(self.raw[low:high].mean())

    def _find_distances(self) -> None:
        r = self.ramp
        self.z = r.height - r.contact["contact"] + self.raw / r.s
        self.bent = np.zeros(r.n)
        self.cut = max(4.0 * r.noise / r.s / np.sqrt(2 * self.half + 1), 0.3 * NM)
        self.corner = self.wall
        for i in range(self.wall):
            if self.z[i] > self.within + 10.0 * NM:
                continue
            self.bent[i] = self.smoothed(i)
            self.z[i] = r.height[i] - r.contact["contact"] + self.bent[i] / r.s
            if self.z[i] < self.cut:
                self.corner = i
                break

    def _another_slope(self) -> float:
        r = self.ramp
        off = abs(abs(r.wall_slope) - r.s)
        middle = self.wall + min(int(r.wall_samples), r.n) // 2
        if not off > 2.0 * r.wall_slope_stderr or middle >= r.n:
            return 0.0
        return off * abs(self.raw[middle]) / r.s

    def _find_end(self) -> None:
        r, z, corner = self.ramp, self.z, self.corner
        end = min(corner, r.n - 1)
        bent = self.smoothed(end) / r.s
        least = self.cut + r.settings["doubt"] * abs(bent)
        above = max(1.5 * self.cut, 0.5 * NM)
        z_hard = r.height[end] - r.contact["contact"] + bent
        highest = z_hard + 2.5 * NM + self._another_slope()
        hard, at_hard = corner, end
        for i in range(end - 1, -1, -1):
            if not (z[i] < highest and z[i] < z_hard + above):
                break
            if z[i] - z_hard < 0.25 * (r.height[i] - r.height[at_hard]):
                hard = at_hard = i
                z_hard = z[i]
        self.last = next((i for i in range(hard) if z[i] < least), hard)
        if hard != self.wall:
            self.last = min(self.last, max(hard - self.half, 0))

    def _find_far(self) -> None:
        r = self.ramp
        base = min(int(r.baseline_end), r.n)
        above = r.height[:base] - r.contact["contact"] > self.reach
        far = base if above.all() else int(np.argmin(above))
        self.far = far = max(far, base // 3, 1)
        self.variance = np.zeros(2)
        self.means, self.slopes, self.slope_variance = np.zeros(2), np.zeros(2), 0.0
        h = r.height[:far]
        self.far_height = h.mean()
        long = far >= 64 and abs(h[-1] - h[0]) >= 0.5 * self.reach
        for v, signal in enumerate((r.in_phase[:far], r.quadrature[:far])):
            self.means[v] = signal.mean()
            if r.settings["lateral_line"] > 0.0 and long:
                _, _, self.slopes[v], sxx = line(h, signal)
                left = signal - signal.mean() - self.slopes[v] * (h - h.mean())
                self.variance[v] = left @ left / (far - 2)
                run = r.correlation[0] + 2.0 * r.correlation[1:].sum()
                self.slope_variance = max(run, 0.1) / sxx
            else:
                self.variance[v] = signal.var(ddof=1 if far > 1 else 0)

    def layer(self) -> tuple[Array, Array, Array]:
        """Numbers of the samples, their distances, and the lateral forces (2)."""
        r = self.ramp
        delay = r.own.get("delay", 0.0)
        whole = int(np.floor(delay))
        part = delay - whole
        felt = self.last - min(int(r.own.get("settling", 0.0)), r.n)
        kept = [
            i
            for i in range(self.last)
            if self.z[i] <= self.within and i + whole >= 0 and i + whole + 1 < felt
        ]
        kept = np.array(kept, int)
        forces = []
        for v, signal in enumerate((r.in_phase, r.quadrature)):
            later = (1.0 - part) * signal[kept + whole] + part * signal[kept + whole + 1]
            height = r.height[kept + whole] - self.far_height
            forces.append(later - self.means[v] - self.slopes[v] * height)
        force = forces[0] + 1j * forces[1]
        if r.stiff > 0.0:
            force = force / (1.0 - force / r.stiff)
        return kept, self.z[kept], force

    def noise_of_slopes(self) -> float:
        """Noise of differences of neighbouring means over a half-width, where it is slow."""
        r = self.ramp
        if not r.long_run > 1.5 * r.noise:
            return r.noise
        step = (r.height[-1] - r.height[0]) / (r.n - 1)
        size = max(min(int(r.settings["half_width"] / abs(step)), 64), 2)
        blocks = min(int(r.baseline_end), r.n) // size
        if blocks < 8:
            return r.noise
        means = r.clean[: blocks * size].reshape(blocks, size).mean(1)
        apart = np.diff(means) - r.baseline_slope * step * size
        slow = np.sqrt(np.sum(apart**2) / (blocks - 1) / 2.0 * size)
        return max(slow, r.noise)

    def variances(self, weights: Array) -> tuple[float, float]:
        """Of weighted sums of the lateral noise, and of white noise after a running mean."""
        n, rho = len(weights), self.ramp.correlation

        def product(lag: int) -> float:
            return float(weights[: n - lag] @ weights[lag:]) if lag < n else 0.0

        last = min(len(rho), n)
        together = max((last - 2) // 16 + 1, 1)
        total = product(0)
        for first in range(1, last, together):
            stop = min(first + together, last)
            total += 2.0 * rho[first:stop].sum() * product((first + stop - 1) // 2)
        m = 2 * self.half + 1
        smoothed = m * product(0) + 2.0 * sum((m - lag) * product(lag) for lag in range(1, m))
        return max(total, 0.1 * product(0)), smoothed / m**2

    def profiles(self) -> tuple[Array, float]:
        """As `kernels.profiles` gives them."""
        r = self.ramp
        kept, z, force = self.layer()
        order = np.argsort(z, kind="stable")
        order = order[z[order] <= self.reach]
        kept, z, force = kept[order], z[order], force[order]
        normal = r.settings["spring_constant"] * self.bent[kept]
        h, noise = r.settings["half_width"], self.noise_of_slopes() / r.s
        found = np.full((kernels.N_COLUMNS, len(r.depth)), np.nan)
        for g, depth in enumerate(r.depth / r.own["cosine"]):
            here = np.flatnonzero((z > depth - h) & (z < depth + h))
            if len(here) < 5 or len(z) < 5 or z[here[0]] > depth or z[here[-1]] < depth + 0.5 * h:
                continue
            dz = z[here] - depth
            q = 1.0 - (dz / h) ** 2
            s0, s1, s2 = q.sum(), q @ dz, q @ dz**2
            det = s0 * s2 - s1 * s1
            to_level, to_slope = (s2 * q - s1 * q * dz) / det, (s0 * q * dz - s1 * q) / det
            level, slope = to_level @ force[here], to_slope @ force[here]
            correlated, smoothed = self.variances(to_slope)
            correlated += self.slope_variance
            gain = 1.0
            if r.stiff > 0.0:
                gain = (1.0 + level / r.stiff) ** 2
            var_x = gain.real**2 * self.variance[0] + gain.imag**2 * self.variance[1]
            var_y = gain.real**2 * self.variance[1] + gain.imag**2 * self.variance[0]
            found[:, g] = (
                to_level @ normal[here],
                level.real,
                level.imag,
                -slope.real,
                -slope.imag,
                np.sqrt(var_x * correlated + slope.real**2 * smoothed * noise**2),
                np.sqrt(var_y * correlated + slope.imag**2 * smoothed * noise**2),
            )
        some = np.flatnonzero(np.isfinite(found[0]))
        return found, float(r.depth[some[0]]) if len(some) else np.nan

    def bins(self) -> Array:
        """As `kernels.force_bins` gives them."""
        r = self.ramp
        _, z, force = self.layer()
        at = np.floor(z * r.own["cosine"] / r.bin_width)
        made = np.full((3, r.n_bins), np.nan)
        for k in range(r.n_bins):
            made[2, k] = np.sum(at == k)
            if made[2, k]:
                made[:2, k] = force[at == k].real.mean(), force[at == k].imag.mean()
        return made


def ramp(seed: int, n: int = 260, **changes: Any) -> Ramp:
    """A ramp over a soft layer to a wall, with noise; by name, what is otherwise."""
    rng = np.random.default_rng(seed)
    far, near = changes.pop("span", (90.0, -15.0))
    s, noise = changes.pop("s", 1.0), changes.pop("noise", 0.1)
    height = np.linspace(far, near, n) + rng.normal(0.0, 0.01, n)
    force = np.where(height < 25.0, 0.02 * (25.0 - height), 0.0)
    bent = np.where(height < 0.0, -s * height, 0.0) + np.where(height < 25.0, s * force, 0.0)
    clean = bent + rng.normal(0.0, noise, n) + 0.003 * height + 2.0
    signals = rng.normal(0.0, 0.02, (2, n)) + np.exp(-np.clip(height, 0.0, None) / 8.0)
    wall = int(np.argmax(height < -1.0)) if near < -1.0 else n
    contact = {
        "contact": 0.0,
        "baseline_end": float(np.argmax(height < 30.0) if near < 30.0 else n),
        "baseline_slope": 0.003,
        "baseline_at": 2.0 * NM,
        "wall_begin": float(wall),
        "wall_samples": float(n - wall),
        "wall_slope": -s,
        "wall_slope_stderr": 0.001,
        "noise": noise * NM,
        "long_run": noise * NM,
    }
    settings = {
        "method": 0.0,
        "half_width": 3.0 * NM,
        "amplitude": 2.0 * NM,
        "lateral_stiffness": 0.0,
        "spring_constant": 0.3,
        "wall_slope": s if s != 1.0 else 0.0,
        "doubt": 0.0,
        "lateral_line": 0.0,
    }
    own = {"delay": 0.0, "settling": 0.0, "cosine": 1.0}
    for values in (contact, settings, own):
        values |= {name: changes.pop(name) for name in [*values] if name in changes}
    return Ramp(
        height=height * NM,
        clean=clean * NM,
        in_phase=signals[0] * NM,
        quadrature=0.5 * signals[1] * NM,
        contact=contact,
        settings=settings,
        own=own,
        **changes,
    )


def with_jump(made: Ramp, at: int, by: float) -> Ramp:
    """The same with a deflection that jumps, m."""
    made.clean = made.clean + np.where(np.arange(made.n) >= at, by, 0.0)
    return made


FALLING = 0.8 ** np.arange(200)
RAMPS = {
    "plain": lambda: ramp(1),
    "no wall": lambda: ramp(2, span=(90.0, 1.0)),
    "above": lambda: ramp(3, span=(90.0, 12.0), n=157),
    "sparse": lambda: ramp(4, n=71),
    "of seven": lambda: ramp(5, n=140, half_width=6.0 * NM),
    "dense": lambda: ramp(6, n=700, correlation=FALLING[:70]),
    "delayed": lambda: ramp(7, delay=2.25, settling=3.0),
    "back": lambda: ramp(8, delay=-1.5),
    "lever": lambda: ramp(9, lateral_stiffness=2.0, correlation=FALLING[:9]),
    "line": lambda: ramp(10, n=400, lateral_line=1.0, correlation=FALLING[:12]),
    "short line": lambda: ramp(11, n=160, lateral_line=1.0, span=(60.0, -10.0)),
    "slope": lambda: ramp(12, s=0.5, doubt=0.1, wall_slope_stderr=0.0),
    "another slope": lambda: ramp(13, s=1.25, wall_slope=1.0),
    "slanted": lambda: ramp(14, cosine=0.8, n_bins=50),
    "bins": lambda: ramp(15, n_bins=90, bin_width=0.7 * NM),
    "noisy": lambda: ramp(16, noise=0.8, doubt=0.02),
    "slow noise": lambda: ramp(17, n=600, long_run=0.4 * NM),
    "slow noise of few": lambda: ramp(18, n=90, long_run=0.4 * NM),
    "breaks through": lambda: with_jump(ramp(19, n=300), 205, -2.0 * NM),
    "jumps off": lambda: with_jump(ramp(20, n=300), 190, 1.5 * NM),
    "dense and breaks through": lambda: with_jump(ramp(24, n=700), 470, -2.0 * NM),
    "noisy and stands": lambda: ramp(25, noise=2.5, span=(90.0, 3.0), n=900),
    "near": lambda: ramp(21, span=(36.0, -8.0)),
    "stands": lambda: ramp(22, span=(90.0, 1.0), wall_begin=-1.0),
    "many lags": lambda: ramp(23, n=900, correlation=FALLING),
}


@pytest.mark.parametrize("name", RAMPS)
def test_profiles_of_local_lines(name: str) -> None:
    made = RAMPS[name]()
    made.n_bins, bins = 0, made.n_bins
    found, valid = made.profiles()
    expected, expected_valid = Plain(made).profiles()
    assert np.isfinite(expected).any()
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    scale = np.nanmax(np.abs(expected), axis=1, keepdims=True)
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0.0, atol=1e-9)
    assert valid == expected_valid
    alone, _ = made.profiles(lateral=False)
    assert np.isnan(alone[1:]).all()
    z, x, y = made.samples()
    _, of_kept, force = Plain(made).layer()
    np.testing.assert_allclose(z, of_kept, rtol=0.0, atol=1e-18)
    np.testing.assert_allclose(x + 1j * y, force, rtol=0.0, atol=1e-19)
    made.n_bins = bins or 35
    binned = made.bins()
    plain = Plain(made)
    np.testing.assert_allclose(binned, plain.bins(), rtol=1e-9, atol=1e-20)


def test_no_mean_reaches_across_a_jump() -> None:
    """Wherever it lies: samples are looked at in blocks."""
    for at in range(440, 512):
        made = with_jump(ramp(26, n=700, noise=0.02), at, -1.5 * NM)
        z, x, _ = made.samples()
        _, expected, force = Plain(made).layer()
        np.testing.assert_allclose(z, expected, rtol=0.0, atol=1e-18)
        np.testing.assert_allclose(x, force.real, rtol=0.0, atol=1e-19)


def baseline_of(made: Ramp, reach: float) -> dict[str, float]:
    """As `kernels.lateral_baselines` gives it."""
    base = min(int(made.baseline_end), made.n)
    above = made.height[:base] - made.contact["contact"] > reach
    far = max(base if above.all() else int(np.argmin(above)), base // 3, 1)
    names = kernels.records.LATERAL_BASELINE.names or ()
    found = dict.fromkeys(names, np.nan)
    if far < 8:
        return found
    h, blocks = made.height[:far], far // 16
    of_16 = (h[: 16 * blocks] - h.mean()).reshape(blocks, 16).sum(1)
    squares, of_means = np.zeros(2), np.zeros(2)
    for v, part in enumerate(("in_phase", "quadrature")):
        signal = getattr(made, part)
        _, mean, slope, found["spread"] = line(h, signal[:far])
        left = signal - mean - slope * (made.height - h.mean())
        found[part], found[f"slope_{part}"] = mean, slope
        squares[v] = left[:far] @ left[:far] / (far - 2)
        found[f"noise_{part}"] = np.sqrt(squares[v])
        sums = (signal[: 16 * blocks] - mean).reshape(blocks, 16).sum(1) - slope * of_16
        of_means[v] = sums @ sums / (16 * (blocks - 2)) if blocks > 3 else np.nan
        halves = [line(made.height[a:b], signal[a:b])[2] for a, b in pairwise((0, far // 2, far))]
        found[f"bend_{part}"] = halves[1] - halves[0]
        wall = int(made.wall_begin)
        if made.wall_samples > 0 and 20 <= wall < made.n:
            found[f"rise_{part}"] = left[wall - 20 : wall - 4].mean()
    found["correlation"] = of_means.sum() / squares.sum()
    found["length"] = abs(h[-1] - h[0])
    return found


@pytest.mark.parametrize(
    ("n", "reach", "changes"),
    [
        (260, 40.0, {}),
        (257, 40.0, {"wall_begin": 20.0}),
        (258, 40.0, {"wall_begin": 19.0}),
        (259, 85.0, {}),
        (301, 60.0, {"baseline_end": 64.0}),
        (260, 60.0, {"baseline_end": 50.0}),
        (260, 60.0, {"baseline_end": 8.0}),
        (260, 60.0, {"baseline_end": 7.0}),
        (260, 95.0, {"baseline_end": 26.0, "wall_samples": 0.0}),
        (260, 95.0, {"baseline_end": 24.0}),
        (260, 95.0, {"baseline_end": 23.0}),
        (260, -50.0, {"baseline_end": 1e9}),
    ],
)
def test_lateral_baselines(n: int, reach: float, changes: dict[str, float]) -> None:
    made = ramp(31, n=n, **changes)
    _, contacts, _ = made.records()
    begin, signals = np.array([0, n]), (made.in_phase, made.quadrature)
    found = kernels.lateral_baselines(begin, made.height, *signals, contacts, reach * NM)[0]
    for name, expected in baseline_of(made, reach * NM).items():
        assert found[name] == pytest.approx(expected, rel=1e-9, nan_ok=True), name


#: A power of two near 2 nm: sums of distances and products with them are exact.
STEP = 2.0**-29


def exact(steps: list[float], **changes: Any) -> Ramp:
    """A ramp of which each sample lies at its height (in STEP), with the contact at 0."""
    height = np.array([*np.linspace(60.0, 40.0, 40), *steps, -20.0]) * STEP
    settings = {"method": 0.0, "half_width": STEP, "amplitude": STEP, "spring_constant": 1.0}
    settings |= {"lateral_stiffness": 0.0, "wall_slope": 0.0, "doubt": 0.0, "lateral_line": 0.0}
    contact = dict.fromkeys(kernels.CONTACT.names or (), 0.0)
    contact |= {"baseline_end": 40.0, "wall_begin": float(len(height) - 1), "wall_samples": 1.0}
    return Ramp(
        height=height,
        clean=np.zeros(len(height)),
        in_phase=np.where(height < 30.0 * STEP, 30.0 * STEP - height, 0.0),
        quadrature=np.zeros(len(height)),
        contact=contact,
        settings=settings,
        depth=np.array([10.0, 11.0]) * STEP,
        **changes,
    )


@pytest.mark.parametrize(
    ("steps", "there"),
    [
        ([10.75, 10.5, 10.0, 9.75, 9.5], True),
        ([10.75, 10.5, 10.0, 9.75], False),  # four samples
        ([11.0, 10.5, 10.0, 9.75, 9.5], False),  # a window's end is outside of it
        ([10.75, 10.5, 10.0, 9.75, 9.0], False),
        ([10.875, 10.75, 10.5, 10.25, 10.0], True),  # from the distance itself on
        ([10.875, 10.75, 10.5, 10.25, 10.125], False),
        ([10.5, 10.25, 10.0, 9.75, 9.5], True),  # up to half of the half-width behind it
        ([10.375, 10.25, 10.0, 9.75, 9.5], False),
        ([10.75, 10.75, 10.75, 10.75, 9.75], True),  # no gap there of more than a half-width
        ([10.75, 10.75, 10.75, 10.75, 9.625], False),
        ([11.0 - 2.0**-30, 10.0, 10.0, 10.0, 10.0], False),  # no line through four in one place
        ([11.0 - 2.0**-28, 10.0, 10.0, 10.0, 10.0], True),
    ],
)
def test_windows_of_the_local_line(steps: list[float], there: bool) -> None:
    """A straight force gives its slope, exactly, where its samples tell a line."""
    found, valid = exact([20.0, 15.0, *steps, 6.0, 5.0, 4.0]).profiles()
    if there:
        assert found[kernels.IN_PHASE, 0] == pytest.approx(20.0 * STEP, rel=1e-6)
        assert found[kernels.GRADIENT_X, 0] == pytest.approx(1.0, rel=1e-6)
        assert valid == 10.0 * STEP
    else:
        assert np.isnan(found[:, 0]).all()


def test_through_samples_at_one_height_goes_a_level_line() -> None:
    """The nearer half of the signal rests: the bend is less the slope of the farther one."""
    made = ramp(33, n=200, baseline_end=40.0)
    made.height[20:40] = made.height[20]
    _, contacts, _ = made.records()
    signals = made.in_phase, made.quadrature
    found = kernels.lateral_baselines(
        np.array([0, 200]), made.height, *signals, contacts, made.height[39] - 1.0 * NM
    )[0]
    for part, signal in zip(("in_phase", "quadrature"), signals, strict=True):
        slope = line(made.height[:20], signal[:20])[2]
        assert found[f"bend_{part}"] == pytest.approx(-slope, rel=1e-9)
