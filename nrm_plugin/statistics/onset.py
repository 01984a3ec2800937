"""Where the lateral force begins: straight pieces, sought from outside inwards.

Above a layer of uniform modulus the force is a straight line (Eq. 4), so that each layer's outer
edge is a knot. From outside inwards, more and more bins are looked at; the first knot that gains
more than noise offers is the outermost edge, whatever lies farther in (`kernels.find_onsets`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nrm_plugin import kernels
from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.kernels import RecordArray
from nrm_plugin.statistics.bin_noise import Whitening
from nrm_plugin.statistics.binned_forces import BinnedForces

#: Chance that noise alone passes for a layer, per curve.
FALSE = 0.004

#: Trials that a search over one bin more adds, from simulated noise.
_TRIALS = 3.2

#: Median of the largest gain of white noise over the logarithm of the bins, and how much lower the
#: first quartile is.
_MEDIAN, _TO_QUARTER = 2.47, 1.58

#: Gain that a second knot must have where it leaves the edge, and more by the logarithm of how far
#: it moves it.
_SECOND, _FARTHER = 9.0, 4.0

#: Bins left out beside an edge where a layer outside is looked for.
_MARGIN = 0.5

#: Gain beyond the needed one with which nearly all layers are found, whatever noise does, on stiff
#: ones too: half of them are found at 0.65 (nothing beneath) to 0.95 times the modulus.
_SURE = 35.0


def thresholds(bins: int) -> FloatArray:
    """Gain that noise exceeds in `FALSE` of the curves, by how many bins are searched."""
    return np.asarray(2.0 * np.log(_TRIALS * np.maximum(np.arange(bins + 1), 1) / FALSE))


def penalties(bins: int) -> FloatArray:
    """Gain that a second knot must have to move the edge outwards, by how many bins it does.

    Noise offers the more such knots the farther out they may lie.
    """
    return np.asarray(_SECOND + _FARTHER * np.log1p(np.arange(bins)))


@dataclass(frozen=True, kw_only=True)
class KnotSearch:
    """A search for the outermost knot in some noise.

    Attributes
    ----------
    whitening : Whitening
    excess : float
        How much larger gains are than the noise lets them be.
    smear : float
        Bins over which the signal's own memory smears a knot.
    """

    whitening: Whitening
    excess: float = 1.0
    smear: float = 0.0

    @classmethod
    def calibrated(cls, whitening: Whitening, outer: AnyArray, smear: float = 0.0) -> KnotSearch:
        """Search whose excess is what a search among bins beyond the profiles shows.

        Parameters
        ----------
        whitening : Whitening
        outer : (n, k) complex array
            Values of such bins.
        smear : float
        """
        n, k = outer.shape
        if n < 1 or k < 6:
            return cls(whitening=whitening, smear=smear)
        height = kernels.find_onsets(
            outer,
            np.ones(outer.shape),
            np.full(n, k),
            whitening.inverse[:k, :k],
            np.full(k + 1, np.inf),
        )["height"]
        # Layers that reach there raise the larger ones.
        ratio = np.quantile(height, 0.25) / (_MEDIAN * np.log(k) - _TO_QUARTER)
        return cls(whitening=whitening, excess=max(1.0, float(ratio)), smear=smear)

    def __call__(self, forces: BinnedForces) -> RecordArray:
        """Find the onsets, (n,) array of `kernels.ONSET`."""
        white = self.whitening.part
        weight = 1.0 / np.sqrt(1.0 - white + white / forces.samples)
        return self.find(forces.values * weight, weight, forces.count)

    def beside_a_line(self, forces: BinnedForces) -> RecordArray:
        """The same where any straight line may lie under the force, as a drift is."""
        ones = np.ones(forces.values.shape)
        inverse = self.whitening.inverse_beside_lines
        return self.find(forces.values, ones, forces.count, inverse)

    def find(
        self,
        values: AnyArray,
        weight: FloatArray,
        count: IntArray,
        inverse: FloatArray | None = None,
    ) -> RecordArray:
        """Find the onsets of some values, as `kernels.find_onsets` takes them."""
        inverse = self.whitening.inverse if inverse is None else inverse
        m = values.shape[1]
        return kernels.find_onsets(
            values,
            weight,
            count,
            inverse / np.sqrt(self.excess),
            thresholds(m),
            penalties(m),
            _MARGIN + self.smear,
        )

    def slope_limit(self, bins: float) -> float:
        """Slope per bin over the noise of a layer so wide that nearly all of them are found."""
        return self._slope(bins, self.whitening.inverse / np.sqrt(self.excess))

    def white_slope_limit(self, bins: float) -> float:
        """The same if the noise of the bins were white."""
        return self._slope(bins, np.eye(len(self.whitening.factor)))

    def _slope(self, bins: float, whitening: FloatArray) -> float:
        wide, m = max(2, round(bins)), len(whitening)
        begin = m // 2
        knot = np.clip(np.arange(m) - begin + 0.5, 0.0, None)
        power = float(np.sum((whitening @ knot)[begin : begin + wide] ** 2))
        return float(np.sqrt((thresholds(m)[-1] + _SURE) / power))
