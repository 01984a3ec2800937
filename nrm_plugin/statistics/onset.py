"""Where the lateral force begins: straight pieces, sought from outside inwards.

Above a layer of uniform modulus the force is a straight line (Eq. 4), so that each layer's outer
edge is a knot. From outside inwards, more and more bins are looked at; the first knot that gains
more than noise offers is the outermost edge, whatever lies farther in.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.statistics.bin_noise import Whitening

#: Chance that noise alone passes for a layer, per curve.
FALSE = 0.004

#: Trials that a search over one bin more adds, from simulated noise.
_TRIALS = 3.2

#: Median of the largest gain of white noise over the logarithm of the bins, and how much lower the
#: first quartile is.
_MEDIAN, _TO_QUARTER = 2.47, 1.58

#: Least standard error of an edge, in bins: knots lie at the edges of bins.
_LEAST = 0.1

#: How much of the gain that is needed noise adds, in half of the cases.
_NOISE_HELPS = 4.0

#: Bins within the layer that place its edge, at least, and per bin that it took to see it.
_WITHIN, _AS_FAR = 6, 1.0

#: A layer so many bins wide outside the edge is doubted to be missing from such a gain on: noise
#: alone does that in one curve of 200.
_HIDDEN, _DOUBT = 10, 10.6

#: Loss in gain at one standard error, and at the ends of an interval of 95 %.
_ONE, _NINETY_FIVE = 1.0, 3.84


@dataclass(frozen=True, kw_only=True)
class Onsets:
    """Outermost edges of curves, in bins from the electrode's side of the outermost one inwards.

    Attributes
    ----------
    edge, stderr, low, high : (n,) arrays
        Where the force begins, counted in bins from the outer end inwards (so that `low` is the
        outermost end of the interval of 95 %); nan where nothing is seen.
    seen : (n,) array of bool
        Whether a layer is seen.
    unsure : (n,) array of bool
        Whether the force outside the edge is neither that of a second layer nor nothing.
    height : (n,) array
        Largest gain of the search.
    """

    edge: FloatArray
    stderr: FloatArray
    low: FloatArray
    high: FloatArray
    seen: AnyArray
    unsure: AnyArray
    height: FloatArray

    @classmethod
    def together(cls, parts: list[Onsets]) -> Onsets:
        """Those of several blocks as one."""
        names = [field.name for field in fields(cls)]
        return cls(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})


def threshold(bins: int | IntArray) -> AnyArray:
    """Gain that noise exceeds in `FALSE` of the curves, in a search over so many bins."""
    return np.asarray(2.0 * np.log(_TRIALS * np.maximum(bins, 1) / FALSE))


@dataclass(frozen=True, kw_only=True)
class KnotSearch:
    """Knots at the edges of bins, whitened.

    Attributes
    ----------
    whitening : Whitening
    hinges : (m, m) array
        Row e: the force of a layer that begins e bins from the outer end, per bin of its slope.
    excess : float
        How much larger gains are than those of white noise.
    """

    whitening: Whitening
    hinges: FloatArray
    excess: float = 1.0

    @classmethod
    def of(cls, whitening: Whitening, excess: float = 1.0) -> KnotSearch:
        """KnotSearch with some noise."""
        m = len(whitening.factor)
        at = np.arange(m)
        hinges = np.where(at >= at[:, None], at - at[:, None] + 0.5, 0.0)
        return cls(whitening=whitening, hinges=hinges, excess=excess)

    def __call__(self, values: AnyArray, weight: FloatArray, count: IntArray) -> Onsets:
        """Find the outermost edges.

        Parameters
        ----------
        values : (n, m) complex array
        weight : (n, m) array
        count : (n,) array of int
            As in `BinnedForces`.
        """
        white = self.whitening(values) / np.sqrt(self.excess)
        n = len(white)
        made = {field.name: np.full(n, np.nan) for field in fields(Onsets)}
        made["seen"], made["unsure"] = np.zeros(n, bool), np.zeros(n, bool)
        for i in range(n):
            last = int(count[i])
            if last < 4:
                continue
            knots = self.whitening(self.hinges * weight[i]) / np.sqrt(self.excess)
            power = np.cumsum(knots**2, axis=1)
            along = np.cumsum(white[i, None, :last] * knots[:last, :last], axis=1)
            with np.errstate(invalid="ignore", divide="ignore"):
                gain = (along.real**2 + along.imag**2) / power[:last, :last]
            at = np.arange(last)
            gain[at[None, :] < at[:, None]] = 0.0
            most = gain.max(axis=0)
            made["height"][i] = most.max()
            enough = most > threshold(last)
            if not enough.any():
                continue
            first = int(enough.argmax())
            edge = int(gain[:, first].argmax())
            end = min(last, first + 1 + max(_WITHIN, round(_AS_FAR * (first - edge))))
            self._place(i, along[:, end - 1], knots[:last, :end], first, made)
        return Onsets(**made)

    def calibrated(self, outer: AnyArray) -> KnotSearch:
        """The same with the excess that a search among bins beyond the profiles shows.

        Parameters
        ----------
        outer : (n, k) complex array
            Values of such bins.
        """
        n, k = outer.shape
        if n < 1 or k < 6:
            return self
        short = KnotSearch.of(Whitening(factor=self.whitening.factor[:k, :k]))
        height = short(outer, np.ones(outer.shape), np.full(n, k)).height
        # Layers that reach there raise the larger ones.
        ratio = np.quantile(height, 0.25) / (_MEDIAN * np.log(k) - _TO_QUARTER)
        return KnotSearch(
            whitening=self.whitening, hinges=self.hinges, excess=max(1.0, float(ratio))
        )

    def slope_limit(self, bins: float) -> float:
        """Slope per bin, in units of the noise, of a layer so wide that half of them are found."""
        wide = max(2, round(bins))
        m = len(self.hinges)
        begin = m // 2
        end = min(begin + wide, m)
        knot = self.whitening(self.hinges[begin : begin + 1])[0, :end]
        power = float(np.sum(knot**2)) / self.excess
        needed = float(threshold(m)) - _NOISE_HELPS
        return float(np.sqrt(needed / power))

    def _place(
        self, i: int, along: AnyArray, knots: FloatArray, first: int, made: dict[str, AnyArray]
    ) -> None:
        """Find where the outermost knot lies, with one or two of them."""
        end = knots.shape[1]
        k = min(end - 1, len(knots))
        knots, along = knots[:k], along[:k]
        products = knots @ knots.T
        square = np.diag(products)
        one = (along.real**2 + along.imag**2) / square
        outer, inner = np.triu_indices(k, 2)
        cross = products[outer, inner]
        determinant = square[outer] * square[inner] - cross**2
        a = (square[inner] * along[outer] - cross * along[inner]) / determinant
        b = (square[outer] * along[inner] - cross * along[outer]) / determinant
        both = (a * along[outer].conj() + b * along[inner].conj()).real
        profile = np.full(k, -np.inf)
        np.maximum.at(profile, outer, both)
        better = float(both.max() - one.max()) if len(both) else 0.0
        two = better > float(threshold(k))
        curve = profile if two else one
        best = int(np.argmax(curve[: first + 1]))
        edge, low, high, error = _interval(curve, best)
        made["edge"][i], made["low"][i], made["high"][i], made["stderr"][i] = edge, low, high, error
        made["seen"][i] = True
        at = best - _HIDDEN
        made["unsure"][i] = (not two) and at >= 0 and profile[at] - one.max() > _DOUBT


def _interval(curve: FloatArray, best: int) -> tuple[float, float, float, float]:
    """Top of a curve over knots, where it has fallen by `_NINETY_FIVE`, and its standard error."""
    edge, top = float(best), float(curve[best])
    if 0 < best < len(curve) - 1 and np.isfinite(curve[best - 1 : best + 2]).all():
        before, here, after = curve[best - 1 : best + 2]
        bend = before - 2.0 * here + after
        if bend < 0.0:
            shift = 0.5 * (before - after) / bend
            edge, top = best + shift, here - 0.25 * (before - after) * shift
    low, one_low = _falls(curve, best, top, edge, -1)
    high, one_high = _falls(curve, best, top, edge, +1)
    return edge, low, high, max(0.5 * (one_high - one_low), _LEAST)


def _falls(curve: FloatArray, best: int, top: float, edge: float, step: int) -> tuple[float, float]:
    """Where a curve has fallen from its top for 95 % and for one standard error."""
    found = []
    for loss in (_NINETY_FIVE, _ONE):
        at, before_at, before = best, edge, top
        while 0 <= at < len(curve) and curve[at] > top - loss:
            before_at, before = float(at), float(curve[at])
            at += step
        if not 0 <= at < len(curve):
            found.append(float(np.clip(at, 0, len(curve) - 1)))
            continue
        here = float(curve[at]) if np.isfinite(curve[at]) else top - 4.0 * loss
        # Near the top it is a parabola: distances go as the root of the loss.
        a, b = np.sqrt(max(top - before, 0.0)), np.sqrt(max(top - here, 1e-12))
        part = (np.sqrt(loss) - a) / max(b - a, 1e-9)
        found.append(before_at + np.clip(part, 0.0, 1.0) * (at - before_at))
    return found[0], found[1]
