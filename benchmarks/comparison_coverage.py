"""How often comparisons of samples hold the truth, and how often they find what is not there.

    python benchmarks/comparison_coverage.py [STUDIES] [SEED] [CHAINS]

STUDIES (2000) at the level of profiles of every case: three samples (or more) in each of two
conditions, 16 curves in each sample, whose means differ from sample to sample as electrodes do.
Prints how often 95 % intervals of the ratio hold the truth, how often p < 0.05 where nothing
differs, how often the simultaneous band holds the whole profile (every eighth study: bands take
time), and the rates of the naive test that takes every curve for a sample. CHAINS (20) studies go
through the whole chain: simulated curves, processing, regions, comparison.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy import stats

from nrm_plugin import statistics as st
from nrm_plugin.columns import FloatArray
from nrm_plugin.statistics.simultaneous_bands import band
from nrm_plugin.statistics.welch import welch

#: Curves of a sample, distances of a profile, and their step in nm.
CURVES, DISTANCES, STEP = 16, 30, 0.5

#: Scatter of curves within a sample, as standard deviation of the logarithm.
WITHIN = 0.3

#: A band is made in every so many studies.
EVERY = 8


@dataclass(frozen=True)
class StudyCase:
    """A kind of study.

    Attributes
    ----------
    name : str
    samples : (int, int)
        In each condition.
    spreads : (float, float)
        Standard deviation of the logarithm between samples, in each condition.
    heavy : bool
        Samples differ by Student's t with 3 degrees of freedom: now and then one is an outlier.
    """

    name: str
    samples: tuple[int, int] = (3, 3)
    spreads: tuple[float, float] = (0.2, 0.2)
    heavy: bool = False


CASES = (
    StudyCase("3 and 3, equal spreads"),
    StudyCase("3 and 3, spreads 1 : 2", spreads=(0.1, 0.2)),
    StudyCase("3 and 3, spreads 1 : 4", spreads=(0.05, 0.2)),
    StudyCase("3 and 3, outliers (t with 3)", heavy=True),
    StudyCase("3 and 5, equal spreads", samples=(3, 5)),
    StudyCase("3 and 5, spreads 2 : 1", samples=(3, 5), spreads=(0.2, 0.1)),
    StudyCase("5 and 5, equal spreads", samples=(5, 5)),
    StudyCase("2 and 2, equal spreads", samples=(2, 2)),
)


@dataclass
class Rates:
    """Counts of studies."""

    studies: int = 0
    held: int = 0
    positive: int = 0
    naive_positive: int = 0
    bands: int = 0
    band: int = 0
    here: int = 0
    widths: list[float] = field(default_factory=list)

    def line(self, name: str) -> str:
        """Row of the table."""
        rates = [
            self.held / self.studies,
            self.positive / self.studies,
            self.naive_positive / self.studies,
            self.band / self.bands,
            self.here / self.bands,
        ]
        cells = " | ".join(f"{100 * rate:.1f}" for rate in rates)
        return f"| {name} | {cells} | {np.median(self.widths):.2f} |"


def profiles(
    rng: np.random.Generator, case: StudyCase, which: int
) -> tuple[FloatArray, FloatArray]:
    """Mean profiles of samples (n, m), and of their curves the means over a bin (n, CURVES).

    Between samples: a factor at all distances, and a part that changes over 3 nm; within samples
    each curve has a factor of its own, and noise that is correlated over 1 nm.
    """
    n, spread = case.samples[which], case.spreads[which]
    z = STEP * np.arange(DISTANCES)
    draw: Callable[..., FloatArray] = rng.standard_normal
    if case.heavy:

        def draw(*shape: int) -> FloatArray:
            values = rng.standard_t(3, shape[0] if len(shape) == 1 else shape)
            return np.asarray(values / np.sqrt(3.0))

    common = draw(n)[:, None]
    local = rng.standard_normal((n, DISTANCES)) @ smooth(3.0)
    samples = spread * (0.9 * common + np.sqrt(1 - 0.81) * local)
    curves = WITHIN * rng.standard_normal((n, CURVES, 1))
    noise = 0.1 * rng.standard_normal((n, CURVES, DISTANCES)) @ smooth(1.0)
    values = np.exp(samples[:, None] + curves) * (1.0 + noise) * np.exp(-z / 8.0)
    return values.mean(1), values[:, :, 4:10].mean(2)


@cache
def smooth(length: float) -> FloatArray:
    """Matrix that makes white values of variance 1 correlated as a Gaussian of this length."""
    z = STEP * np.arange(DISTANCES)
    matrix = np.exp(-(((z[:, None] - z) / length) ** 2))
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))).T)


def at_profiles(case: StudyCase, studies: int, seed: int) -> Rates:
    """Studies without a difference; a ratio that is not 1 shifts both ends and the truth alike.

    The truth is the ratio of the geometric means of all samples that there could be, 1: samples of
    unequal spreads have unequal arithmetic means, but logarithms of equal mean.
    """
    rates = Rates()
    for number in range(studies):
        rng = np.random.default_rng((seed, number))
        (first, curves), (second, others) = (profiles(rng, case, which) for which in (0, 1))
        means = [np.log(one.mean(1)) for one in (curves, others)]
        found = welch(means[0], means[1])
        assert found is not None
        naive = stats.ttest_ind(np.log(curves).ravel(), np.log(others).ravel(), equal_var=False)
        rates.studies += 1
        rates.held += found.low <= 0.0 <= found.high
        rates.positive += found.p < 0.05
        rates.naive_positive += naive.pvalue < 0.05
        rates.widths.append(float(np.exp((found.high - found.low) / 2.0)))
        if number % EVERY:
            continue
        whole = band([np.log(first), np.log(second)])
        rates.bands += 1
        rates.band += bool(np.all((whole.low <= 0.0) & (whole.high >= 0.0)))
        rates.here += bool(np.all((whole.low_here <= 0.0) & (whole.high_here >= 0.0)))
    return rates


def through_the_chain(studies: int, seed: int) -> None:
    """Simulated electrolytes, from force curves to the comparison."""
    import nrm_plugin as nrm
    from nrm_plugin.simulate.electrolytes import SimulatedStudy, simulated_study

    def compared(study: SimulatedStudy) -> tuple[st.Comparison, list[FloatArray]]:
        samples, curves = [], []
        for one in study.samples:
            results = nrm.process(one.curves)
            began = (one.curves.curve_table["start_time"] - one.start) / np.timedelta64(1, "s")
            potential = np.interp(began, one.log["time"], one.log["potential"])
            results = results.assign_coords(potential=("curve", potential))
            inside = st.regions(results)
            samples.append(
                st.StudySample(
                    name=one.name,
                    condition=one.condition,
                    results=results,
                    regions=inside,
                    lever=one.lever,
                    session=one.session,
                    day=one.day,
                )
            )
            low, high = study.unchanged.distance or (0.0, 0.0)
            part = results["storage_modulus"].isel(curve=inside.inside[-1].curves)
            part = part.isel(direction=0) if "direction" in part.dims else part
            curves.append(part.sel(depth=slice(low, high)).mean("depth").values)
        found = st.compare(
            samples, primary=study.changed, others=[study.unchanged], between=[study.between]
        )
        return found, curves

    counts = dict.fromkeys(
        ("planted held", "planted found", "unchanged held", "unchanged found", "naive found"), 0
    )
    spent = time.process_time()
    for number in range(studies):
        study = simulated_study(seed + number)
        found, curves = compared(study)
        planted, unchanged = found.contrasts[:2]
        half = len(curves) // 2
        groups: Sequence[FloatArray] = [
            np.concatenate(curves[:half]),
            np.concatenate(curves[half:]),
        ]
        naive = stats.ttest_ind(*groups, equal_var=False, nan_policy="omit")
        counts["planted held"] += (planted.ratio_low or 9) < study.shift < (planted.ratio_high or 0)
        counts["planted found"] += (planted.p or 1.0) < 0.05
        counts["unchanged held"] += (unchanged.ratio_low or 9) < 1.0 < (unchanged.ratio_high or 0)
        counts["unchanged found"] += (unchanged.p or 1.0) < 0.05
        counts["naive found"] += naive.pvalue < 0.05
        print(
            f"seed {seed + number}: {planted.ratio:.2f} ({planted.ratio_low:.2f} to "
            f"{planted.ratio_high:.2f}), unchanged {unchanged.ratio:.2f} "
            f"({unchanged.ratio_low:.2f} to {unchanged.ratio_high:.2f}), "
            f"naive p {naive.pvalue:.1g}",
            flush=True,
        )
    print(f"{studies} studies, {(time.process_time() - spent) / studies:.1f} s of processor each:")
    print(", ".join(f"{name} {count}" for name, count in counts.items()))


def main(studies: int, seed: int, chains: int) -> None:
    print(
        "| samples | interval holds | p < 0.05 | p < 0.05, all curves taken as samples "
        "| band holds | intervals hold at all distances | half-width, factor |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        print(at_profiles(case, studies, seed).line(case.name), flush=True)
    logging.disable(logging.WARNING)
    if chains:
        through_the_chain(chains, seed)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [2000, 1, 20][len(given) :]))
