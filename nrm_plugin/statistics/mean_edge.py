"""The outer edge of many curves' layers, from their mean force: what no single curve need show."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy
import xarray as xr

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.statistics.bin_noise import Whitening, whitening
from nrm_plugin.statistics.binned_forces import NEEDED, bin_width, binned_forces, far_window
from nrm_plugin.statistics.onset import KnotSearch
from nrm_plugin.statistics.selection import blocks

#: Curves from which the noise is learned, and bins of a mean force at least.
_CURVES, _FEWEST_BINS = 2048, 8

#: Second differences of the mean beyond the profiles that are needed to tell what curves have in
#: common, and how much larger than the curves' own noise their variance must be to count.
_FEWEST_BEYOND, _COMMON = 10, 2.0

#: Standard deviations from the mean edge to the one that a curve in forty exceeds.
_FARTHEST = 1.96

#: Steps of the outer edge and of the inner one that are tried (m), and how many at most.
_STEP, _MOST = 0.5e-9, 200

#: Nearest distance (m) that is looked at; where the model does not fit, so much farther out.
_NEAREST = (1.5e-9, 3e-9, 5e-9, 8e-9, 12e-9, 17e-9, 23e-9, 30e-9)

#: Spreads of the edge over the curves, as parts of its distance; of the inner one (m).
_SPREADS = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
_BLUR, _SCALED = 0.3e-9, (0.1, 0.2, 0.3)

#: Part of the force by which the model may be off: layers are no ideal steps.
_MODEL = 0.01

#: Chance below which the model does not fit.
_POOR = 1e-3

#: Of a fit: two edges, a spread, and two complex stiffnesses; a second layer must gain as much.
_PARAMETERS = 7

#: Gain in the sum of squares from which on there is a layer, and from which on an outer one.
_SEEN, _SECOND = 40.0, 20.0

#: An outer layer softer than this part of the next one is counted only where it shows by itself.
_SOFT = 0.2

#: Differences of the sum of squares up to which a shape of the distribution is open.
_OPEN = 4.0

#: Standard error (m) up to which the edge follows the data in a straight line.
_LINEAR = 0.5e-9

#: Relative scatter of the outer layer's force that curves which are alike may have beside that
#: of their edges: moduli differ.
_ALIKE = 0.5


@dataclass(frozen=True, kw_only=True)
class MeanEdge:
    """Where the layers of alike curves end on average.

    Attributes
    ----------
    mean, low, high : float
        m; the interval is that of the mean force's noise alone. ``high`` is inf where the layers
        may go on beyond the last bin.
    farthest : float
        Distance beyond which at most a curve in forty ends, as far as the mean force allows, m.
    stderr : float
        The linear standard error of the mean, m.
    own : float
        The part of it that is the curves' own noise, m.
    values : (n,) array
        How much every curve contributes: their mean is ``mean``, and their scatter holds both
        the noise and the spread of the sample.
    spread : float
        Standard deviation of the edge over the curves, m.
    alike : bool
        Whether the curves differ by no more than their edges' spread makes them: otherwise the
        mean force tells of the stiffer and thicker ones, and is no mean of edges.
    fits : bool
        Whether two layers explain the mean force.
    square : float
        Sum of squares that they leave, in units of the noise's variance.
    linear : bool
        Whether the edge follows the data in a straight line, so that `stderr` and `values` mean
        something.
    used : int
        Bins that are explained, from the outermost one inwards.
    """

    mean: float
    low: float
    high: float
    farthest: float
    stderr: float
    own: float
    values: FloatArray
    spread: float
    alike: bool
    fits: bool
    square: float
    linear: bool
    used: int


@dataclass(frozen=True, kw_only=True)
class MeanForce:
    """The mean lateral force of some curves, from outside inwards.

    Attributes
    ----------
    each : (n, m) complex array
        Forces, N; 0 where a curve has none.
    there : (n, m) array of bool
    mean : (m,) complex array
    weight : (m,) array
        Error of the mean far away over that in each bin.
    noise : float
        Of one component of the mean far away, as if it were white, N.
    own : float
        The part of it that is the curves' own and falls with their number, N.
    z : (m,) array
        Middles of the bins, m.
    white : Whitening
        Of bins in units of the noise.
    """

    each: AnyArray
    there: AnyArray
    mean: AnyArray
    weight: FloatArray
    noise: float
    own: float
    z: FloatArray
    white: Whitening


@dataclass(frozen=True, kw_only=True)
class BinNoise:
    """What the noise of the bins is like, in all curves: see `bin_noise`.

    Attributes
    ----------
    white : Whitening
    width : float
        Of a bin, m.
    join : int
        Bins of the results that are taken together.
    search : KnotSearch
    """

    white: Whitening
    width: float
    join: int
    search: KnotSearch


def noise_of_bins(results: xr.Dataset) -> BinNoise:
    """Learn the noise of the bins beyond the profiles, as `thickness` does for single curves."""
    width, join = bin_width(results)
    bins = results.sizes["distance_bin"] // join
    outside = bins * width
    outer = max(4, int((outside - float(results["depth"].values[-1])) / width))
    some = slice(None, None, max(1, results.sizes["curve"] // _CURVES))
    forces = binned_forces(results, some, join, width)
    far = forces.values[forces.count > 0][:, :outer]
    line = "line" in str(results.attrs.get("lateral_baseline", ""))
    white = whitening(far, bins, far_window(results, outside, width), line=line)
    search = KnotSearch.calibrated(white, far)
    return BinNoise(white=white, width=width, join=join, search=search)


def mean_edge(forces: MeanForce, level: float = 0.95) -> MeanEdge | None:
    """Mean distance at which the layers of some curves end.

    The mean force of alike layers is, from outside inwards, a stiffness times the mean of
    (t - z)+ over their edges t (normally or lognormally distributed), and that of the next layer
    added to it. Both stiffnesses are free; the likelihood over the mean edge is that of the mean's
    noise, which falls with the number of curves. Only the part of the profile that two layers
    explain is used.

    Parameters
    ----------
    forces : MeanForce
    level : float
        Of the interval.

    Returns
    -------
    MeanEdge or None
        None where the mean force shows nothing.
    """
    fit = None
    for nearest in _NEAREST:
        used = int(np.sum(forces.z >= nearest))
        if used < _FEWEST_BINS:
            break
        shapes = [_EdgeFit(forces, used, skewed=skewed).edge(level) for skewed in (False, True)]
        found = [one for one in shapes if one is not None]
        if not found:
            break
        fit = _together(found)
        if fit.fits:
            break
    return fit


def decay_of(forces: MeanForce, used: int) -> tuple[float, float]:
    """Decay length (m) of an exponential force in so many bins, and the squares that it leaves."""
    return _EdgeFit(forces, used, skewed=False).decay()


def mean_force(results: xr.Dataset, curves: IntArray, noise: BinNoise) -> MeanForce | None:
    """Mean force of some curves; None for fewer than two, or where there are too few bins."""
    parts = [
        _forces(results.isel(curve=curves[some]), noise.join)
        for some in blocks(curves, results.sizes["distance_bin"])
    ]
    if not parts:
        return None
    each, count, sigma = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    with np.errstate(invalid="ignore"):
        has = np.isfinite(sigma) & (sigma > 0.0) & (count[:, :3] > 0).any(1)
    each, count, sigma = each[has], count[has], sigma[has]
    n, m = each.shape
    there = count > 0
    held = there.sum(0)
    empty = held < 0.5 * max(n, 1)
    inside = int(empty.argmax()) if empty.any() else m
    if n < 2 or inside < _FEWEST_BINS:
        return None
    each, there, held, count = each[:, :inside], there[:, :inside], held[:inside], count[:, :inside]
    with np.errstate(divide="ignore"):
        variance = np.where(there, sigma[:, None] ** 2 / count, 0.0).sum(0) / held**2
    own = float(np.sqrt(np.mean(variance[: max(3, inside // 2)])))
    mean = each.sum(0, dtype=np.complex128) / held
    white = Whitening(factor=noise.white.factor[:inside, :inside])
    beyond = min(int(m - float(results["depth"].values[-1]) / noise.width), inside)
    return MeanForce(
        each=each,
        there=there,
        mean=mean,
        weight=own / np.sqrt(variance),
        noise=own * _common(mean[:beyond] / own, white.covariance[:beyond, :beyond]),
        own=own,
        z=noise.width * (m - np.arange(inside) - 0.5),
        white=white,
    )


def _common(mean: AnyArray, covariance: FloatArray) -> float:
    """How much larger the noise of the mean is than the curves' own, beyond the profiles.

    What curves have in common (an interference, a resonance of the scanner) does not fall with
    their number. It is seen in second differences, which a layer that reaches there does not
    raise but where it ends: their median leaves that out.

    Parameters
    ----------
    mean : (k,) complex array
        Mean force in bins beyond the profiles, in units of the curves' own noise.
    covariance : (k, k) array
        Of one component of that noise.
    """
    if len(mean) < _FEWEST_BEYOND + 2:
        return 1.0
    twice = np.diff(np.eye(len(mean)), 2, axis=0)
    expected = np.diag(twice @ covariance @ twice.T)
    # The square of a complex normal value is exponentially distributed: its median is log 2.
    ratio = float(np.median(np.abs(twice @ mean) ** 2 / (2.0 * np.log(2.0) * expected)))
    return float(np.sqrt(ratio)) if ratio > _COMMON else 1.0


def _forces(results: xr.Dataset, join: int) -> tuple[AnyArray, FloatArray, FloatArray]:
    """Forces (N; 0 where there are none) and samples of bins, outermost first, and their noise."""
    x, y, count, noise_x, noise_y = (np.asarray(results[name].values, float) for name in NEEDED)
    size = x.shape[1] // join * join
    x, y, count = (
        values[:, :size].reshape(len(values), size // join, join)[:, ::-1]
        for values in (x, y, count)
    )
    total = count.sum(2)
    with np.errstate(invalid="ignore", divide="ignore"):
        force = np.where(count > 0, (x + 1j * y) * count, 0.0).sum(2) / total
    there = (total > 0) & np.isfinite(force)
    noise = np.sqrt((noise_x**2 + noise_y**2) / 2.0)
    return np.where(there, force, 0.0).astype(np.complex64), np.where(there, total, 0.0), noise


def _together(found: list[MeanEdge]) -> MeanEdge:
    """The better one of two shapes of the edges' distribution, with what the other leaves open."""
    best = min(found, key=lambda one: one.square)
    others = [one for one in found if one.square < best.square + _OPEN]
    return replace(
        best,
        low=min(one.low for one in others),
        high=max(one.high for one in others),
        farthest=max(one.farthest for one in others),
    )


def _mean_beyond(
    z: FloatArray, edge: FloatArray, spread: FloatArray, *, skewed: bool
) -> FloatArray:
    """Mean of (t - z)+ over edges t: (edge, z).

    They are normally distributed with this mean and standard deviation, or lognormally.
    """
    wide = np.maximum(spread, 1e-12)[:, None]
    edge = edge[:, None]
    if not skewed:
        away = edge - z
        u = away / wide
        return np.asarray(
            away * scipy.special.ndtr(u) + wide * np.exp(-0.5 * u * u) / np.sqrt(2.0 * np.pi)
        )
    sigma = np.sqrt(np.log1p((wide / edge) ** 2))
    u = np.log(edge / z) / sigma
    return np.asarray(
        edge * scipy.special.ndtr(u + 0.5 * sigma) - z * scipy.special.ndtr(u - 0.5 * sigma)
    )


@dataclass(frozen=True, kw_only=True)
class _Tried:
    """Outer edges and spreads (m), the least sum of squares with each, and what bins hide (m)."""

    outer: FloatArray
    spread: FloatArray
    square: FloatArray
    level: float
    rim: float

    def ends(self, within: float) -> list[float]:
        """First and last edge with which the sum of squares stays within a bound."""
        at, square = np.unique(self.outer), self.square.reshape(-1, len(_SPREADS)).min(1)
        good = np.flatnonzero(square < within)
        ends = []
        for last, beyond in ((good[0], good[0] - 1), (good[-1], good[-1] + 1)):
            end = float(at[last])
            if 0 <= beyond < len(at) and np.isfinite(square[beyond]):
                part = (within - square[last]) / (square[beyond] - square[last])
                end += float(part * (at[beyond] - at[last]))
            ends.append(end)
        return ends


class _EdgeFit:
    """The mean force from the outermost bin to some distance, and edges that explain it."""

    def __init__(self, forces: MeanForce, used: int, *, skewed: bool) -> None:
        self.forces, self.used, self.skewed = forces, used, skewed
        self.z = forces.z[:used]
        # Layers are no ideal steps: where forces are large, the noise is not all.
        size = np.abs(forces.mean[:used]) * forces.weight[:used] / forces.noise
        self.trust = 1.0 / np.sqrt(1.0 + (_MODEL * size) ** 2)
        self.data = self._white(forces.mean[None, :used])[0]

    def _white(self, rows: AnyArray) -> AnyArray:
        """Rows of forces (N) in units of the noise of the mean, white; first the outermost bin."""
        padded = np.zeros((len(rows), len(self.forces.z)), rows.dtype)
        padded[:, : self.used] = rows * self.forces.weight[: self.used] / self.forces.noise
        white: AnyArray = self.forces.white(padded)[:, : self.used] * self.trust
        return white

    def _ramps(self, edge: FloatArray, spread: FloatArray) -> FloatArray:
        return self._white(_mean_beyond(self.z, edge, spread, skewed=self.skewed))

    def edge(self, level: float) -> MeanEdge | None:
        """The mean edge with its interval; None where nothing is seen."""
        end = float(self.forces.z[0])
        nearest = float(self.z[-1])
        step = max(_STEP, (end - nearest) / _MOST)
        outer = np.repeat(np.arange(nearest + step, end, step), len(_SPREADS))
        spread = np.tile(_SPREADS, len(outer) // len(_SPREADS)) * outer
        inner = np.arange(nearest, end, step)
        blur = np.concatenate([np.full(len(inner), _BLUR), *(part * inner for part in _SCALED)])
        inner = np.tile(inner, 1 + len(_SCALED))
        single, two, ratio = self._squares(outer, spread, inner, blur)
        total = float(np.sum(np.abs(self.data) ** 2))
        least = np.unravel_index(int(two.argmin()), two.shape)
        if total - min(float(single.min()), float(two[least])) < _SEEN:
            return None
        # An outer layer that is much softer must show by itself.
        shows = float(single.min() - two[least]) > _SECOND
        soft = min(_SOFT, 0.5 * float(ratio[least])) if shows else _SOFT
        two = np.where(ratio >= soft, two, np.inf)
        at, i = int(single.argmin()), np.unravel_index(int(two.argmin()), two.shape)
        start, of_inner = [outer[at], spread[at]], _BLUR
        if float(two[i]) < float(single.min()) - _PARAMETERS:
            start, of_inner = [outer[i[1]], spread[i[1]], inner[i[0]]], float(blur[i[0]])
        # Without an outer layer that shows by itself, a rim may be hidden within a bin.
        rim = 0.0 if shows else 0.5 * float(self.z[0] - self.z[1])
        tried = _Tried(
            outer=outer, spread=spread, square=np.minimum(single, two.min(0)), level=level, rim=rim
        )
        return self._refined(np.array(start), of_inner, tried)

    def decay(self) -> tuple[float, float]:
        """Decay length (m) of an exponential force, and the sum of squares that it leaves."""
        lengths = np.geomspace(1.0, 60.0, 60) * 1e-9
        ramps = self._white(np.exp(-self.z / lengths[:, None]))
        along = ramps @ self.data
        gain = np.abs(along) ** 2 / np.sum(ramps * ramps, 1)
        best = int(gain.argmax())
        return float(lengths[best]), float(np.sum(np.abs(self.data) ** 2) - gain[best])

    def _squares(
        self, outer: FloatArray, spread: FloatArray, inner: FloatArray, blur: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Sums of squares with one edge (k,), with two (l, k), and the outer layer's part there."""
        a, b = self._ramps(outer, spread), self._ramps(inner, blur)
        total = float(np.sum(np.abs(self.data) ** 2))
        aa, bb, ab = np.sum(a * a, 1), np.sum(b * b, 1)[:, None], b @ a.T
        ay, by = a @ self.data, (b @ self.data)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            single = np.where(ay.real > 0.0, total - np.abs(ay) ** 2 / aa, total)
            determinant = aa * bb - ab**2
            of_outer, of_inner = (
                (bb * ay - ab * by) / determinant,
                (aa * by - ab * ay) / determinant,
            )
            two = total - np.real(np.conj(of_outer) * ay + np.conj(of_inner) * by)
            sound = (determinant > 1e-6 * aa * bb) & (outer >= inner[:, None] + _STEP)
            sound &= of_outer.real > 0.0
            ratio = of_outer.real / (of_outer + of_inner).real
        two = np.where(sound, two, np.inf)
        return single, two, np.where(ratio > 0.0, ratio, np.inf)

    def _solved(self, edges: FloatArray, blur: float) -> tuple[AnyArray, AnyArray]:
        """Stiffness of the layers (N/m), and what they leave of the data."""
        at, wide = np.array([edges[0], *edges[2:]]), np.array([edges[1], blur][: len(edges) - 1])
        ramps = self._ramps(at, wide)
        stiffness = np.linalg.lstsq(ramps.T, self.data, rcond=None)[0]
        return stiffness, self.data - stiffness @ ramps

    def _refined(self, start: FloatArray, blur: float, tried: _Tried) -> MeanEdge:
        from scipy.optimize import least_squares

        def residuals(scaled: FloatArray) -> FloatArray:
            return np.asarray(self._solved(scaled * 1e-9, blur)[1].view(np.float64))

        nano = start * 1e9
        low, high = nano - 1.0, nano + 1.0
        low[1], high[1] = 0.0, max(0.4 * nano[0], 0.5)
        nano[1] = np.clip(nano[1], 0.05, high[1] - 0.05)
        found = least_squares(
            residuals, nano, bounds=(low, high), diff_step=np.full(len(nano), 1e-3), x_scale=1.0
        )
        edges = found.x * 1e-9
        stiffness, left = self._solved(edges, blur)
        square = min(float(np.sum(np.abs(left) ** 2)), float(tried.square.min()))
        freedom = max(2 * self.used - _PARAMETERS, 1)
        scale = max(1.0, square / freedom)
        # The spread is known beforehand to a third of the edge, the inner edge to 10 nm.
        known = np.array([0.0, 1.0 / (0.3 * nano[0]) ** 2, 1e-2][: len(nano)])
        slopes = np.asarray(found.jac, np.float64)
        inverse = np.linalg.inv(slopes.T @ slopes + np.diag(known))
        weights = -(inverse @ slopes.T)[0] * 1e-9
        stderr = float(np.sqrt(scale * inverse[0, 0])) * 1e-9
        reach = float(scipy.special.chdtri(1, 1.0 - tried.level))
        within = float(tried.square.min()) + reach * scale
        likely = tried.square < within
        widest = max([edges[1], *tried.spread[likely]])
        farthest = [edges[0] + _FARTHEST * edges[1]]
        likely = (
            tried.square < tried.square.min() + scipy.special.chdtri(2, 1.0 - tried.level) * scale
        )
        farthest.extend(tried.outer[likely] + _FARTHEST * tried.spread[likely])
        mean, beyond = float(edges[0]), float(self.forces.z[0]) - 2.0 * (self.z[0] - self.z[1])
        ends = tried.ends(within)
        if stderr < _LINEAR:
            wide = np.sqrt(reach) * stderr
            ends = [min(mean - wide, ends[0]), max(mean + wide, ends[1])]
        else:  # the edge of a thin or soft outer layer: its likelihood is no parabola
            mean = 0.5 * (ends[0] + ends[1])
        low_end, high_end = ends[0], ends[1] + tried.rim
        return MeanEdge(
            mean=mean,
            low=float(max(low_end, 0.0)),
            high=float(high_end) if high_end < beyond else np.inf,
            farthest=float(max(farthest)) + tried.rim,
            stderr=stderr,
            own=stderr * self.forces.own / self.forces.noise,
            values=self._contributions(mean, weights),
            spread=float(edges[1]),
            alike=self._alike(edges, widest, complex(stiffness[0])),
            fits=float(scipy.special.chdtrc(freedom, square)) > _POOR,
            square=square,
            linear=stderr < _LINEAR,
            used=self.used,
        )

    def _contributions(self, mean: float, weights: FloatArray) -> FloatArray:
        """What each curve adds to the mean edge, from how the edge follows the data."""
        forces = self.forces
        per_bin = np.zeros((2, len(forces.z)))
        per_bin[:, : self.used] = weights.reshape(-1, 2).T * self.trust
        x, y = (
            scipy.linalg.solve_triangular(forces.white.factor, per_bin.T, lower=True, trans=1).T
            * forces.weight
        )
        off = np.where(forces.there, forces.each - forces.mean, 0.0)
        return np.asarray(mean + (off.real @ x + off.imag @ y) / forces.noise, np.float64)

    def _alike(self, edges: FloatArray, widest: float, stiffness: complex) -> bool:
        """Whether the outer layer's force scatters no more than the spread of edges makes it."""
        forces = self.forces
        nearest = edges[2] + 1e-9 if len(edges) > 2 else 0.0
        bins = np.flatnonzero((self.z > nearest) & (self.z < edges[0] + 2.0 * edges[1]))
        if not len(bins):
            return True
        ramp = _mean_beyond(self.z[bins], edges[:1], edges[1:2], skewed=self.skewed)[0]
        square = float(ramp @ ramp)
        amount = np.real(np.conj(stiffness) * (forces.each[:, bins] @ ramp))
        amount = amount / (square * abs(stiffness) ** 2)
        n = len(amount)
        padded = np.zeros(len(forces.z))
        padded[bins] = ramp
        through = forces.white.factor.T @ (padded / forces.weight)
        noise = n * forces.own**2 * float(through @ through) / (square * abs(stiffness)) ** 2
        scatter = float(np.var(amount, ddof=1))
        # What edges that are spread as much as the mean force allows would do.
        draws = edges[0] + widest * scipy.special.ndtri((np.arange(50) + 0.5) / 50.0)
        each = np.clip(draws[:, None] - self.z[bins], 0.0, None) @ ramp / square
        allowed = float(np.var(each)) + _ALIKE**2
        return bool(scatter - noise < allowed + scatter * np.sqrt(2.0 / n))
