"""Samples compared: closed forms, levels, sentences where a test means nothing, tables."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from made_results import map_places, results_of
from scipy import stats

from nrm_plugin import statistics as st
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.comparison_conclusions import conclusion, of_other_tests
from nrm_plugin.statistics.comparison_contrasts import corrected
from nrm_plugin.statistics.comparison_table import escaped
from nrm_plugin.statistics.comparison_thickness import thickness_of_conditions
from nrm_plugin.statistics.comparison_types import Contrast, Question, SampleValue, StudySample
from nrm_plugin.statistics.regions import everything, regions
from nrm_plugin.statistics.simultaneous_bands import band
from nrm_plugin.statistics.study_levels import added_error, confounded
from nrm_plugin.statistics.welch import hedges, holm, paired, welch

A = np.array([1.0, 1.3, 0.8, 1.1])
B = np.array([0.2, 0.5, -0.1])

STATED = 'lateral_stiffness = "80 N/m"\nlateral_stiffness_stderr = "8 N/m"\n'


def results(scale: float = 1.0, seed: int = 0, *, high: float = 1.0, noise: float = 0.0):
    """Results of 16 places: E' of `scale` MPa, times `high` below 0.5 V; E'' 0.3 of it."""
    rng = np.random.default_rng(seed)
    factor = 1.0 + noise * rng.standard_normal((16, 1))
    modulus = 1e6 * scale * factor * np.ones((16, 21))
    potential = np.repeat([1.7, 0.3], 8)
    modulus[potential < 0.5] *= high
    return results_of(modulus * (1.0 + 0.3j), potential=potential, **map_places(4))


def sample(name: str, condition: str, scale: float, **more) -> StudySample:
    made = results(scale, high=more.pop("high", 1.0), noise=more.pop("noise", 0.0))
    made.attrs["experiment"] = more.pop("experiment", "")
    edges = more.pop("edges", None)
    inside = everything(made) if edges is None else regions(made, edges)
    return StudySample(name=name, condition=condition, results=made, regions=inside, **more)


def study(first, second, **more) -> list[StudySample]:
    return [
        sample(f"{condition} {number}", condition, scale, **more)
        for condition, scales in (("a", first), ("b", second))
        for number, scale in enumerate(scales)
    ]


# ---------------------------------------------------------------- closed forms


def test_welch_is_that_of_scipy() -> None:
    found, known = welch(A, B), stats.ttest_ind(A, B, equal_var=False)
    interval = known.confidence_interval(0.95)
    assert found is not None
    assert found.p == pytest.approx(known.pvalue, rel=1e-12)
    assert found.freedom == pytest.approx(known.df, rel=1e-12)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-12)


def test_paired_is_that_of_scipy() -> None:
    found, known = paired(A[:3] - B, 0.9), stats.ttest_rel(A[:3], B)
    interval = known.confidence_interval(0.9)
    assert found is not None
    assert (found.p, found.freedom) == pytest.approx((known.pvalue, 2.0), rel=1e-12)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-12)


def test_known_variance_is_added_with_many_degrees_of_freedom() -> None:
    plain, found = welch(A, B), welch(A, B, added=1e6)
    assert plain is not None
    assert found is not None
    assert found.stderr == pytest.approx(math.sqrt(plain.stderr**2 + 1e6))
    assert found.high - found.difference == pytest.approx(1.959964 * 1e3, rel=1e-4)


def test_no_test_of_one_sample_or_of_samples_without_spread() -> None:
    assert welch(A, B[:1]) is None
    assert welch(np.ones(3), np.full(3, 0.1 + 0.2)) is None
    assert paired(A[:1]) is None
    rounded = np.array([0.3, 0.1 + 0.2, 0.3])
    assert welch(rounded, rounded + 1.0) is None
    assert paired(rounded) is None


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_effect_size_is_that_of_hedges(sign: float) -> None:
    first, second = sign * A, sign * B
    g, low, high = hedges(first, second)
    pooled = math.sqrt((3 * first.var(ddof=1) + 2 * second.var(ddof=1)) / 5)
    d = (first.mean() - second.mean()) / pooled
    # Hedges 1981: the exact factor for 5 degrees of freedom is 0.8407.
    assert g == pytest.approx(d * math.gamma(2.5) / (math.sqrt(2.5) * math.gamma(2.0)))
    assert g / d == pytest.approx(0.8407, abs=1e-4)
    per_t = math.sqrt(1 / 4 + 1 / 3)
    tails = [stats.nct.cdf(d / per_t, 5, end / per_t) for end in (low, high)]
    assert tails == pytest.approx([0.975, 0.025], abs=1e-6)


def test_effect_size_of_pairs_is_in_units_of_their_own_spread() -> None:
    found = paired(A)
    assert found is not None
    d = A.mean() / A.std(ddof=1)
    assert found.effect_size == pytest.approx(
        d * math.gamma(1.5) / (math.sqrt(1.5) * math.gamma(1.0))
    )
    ends = (found.effect_size_low, found.effect_size_high)
    tails = [stats.nct.cdf(2.0 * d, 3, 2.0 * end) for end in ends]
    assert tails == pytest.approx([0.975, 0.025], abs=1e-6)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_primary_question_is_a_family_of_its_own() -> None:
    one = Contrast(question=Question(), first="a", second="b", p=0.04)
    made = corrected([replace(one, primary=True), one, replace(one, p=0.02), replace(one, p=None)])
    assert [x.p_holm for x in made] == [0.04, 0.04, 0.04, None]


# ---------------------------------------------------------------- bands


def test_a_band_of_one_common_factor_is_that_of_one_distance() -> None:
    first, second = (np.repeat(x[:, None], 30, 1) for x in (A[:3], B))
    found = band([first, second])
    known = stats.ttest_ind(A[:3], B, equal_var=False).confidence_interval()
    assert found.low_here == pytest.approx(np.full(30, known.low))
    # All distances are one: the band is hardly wider than the interval.
    assert found.high - found.difference == pytest.approx(
        found.high_here - found.difference, rel=0.1
    )


def test_a_band_of_many_distances_is_wider_than_intervals() -> None:
    rng = np.random.default_rng(4)
    found = band(list(rng.standard_normal((2, 3, 20))))
    wider = (found.high - found.low) / (found.high_here - found.low_here)
    assert np.all(wider > 1.5)
    again = band(list(np.random.default_rng(4).standard_normal((2, 3, 20))))
    assert np.array_equal(found.low, again.low)


def test_bands_hold_whole_profiles() -> None:
    rng = np.random.default_rng(8)
    held = here = 0
    for _ in range(150):
        common = rng.standard_normal((6, 1))
        rough = np.repeat(rng.standard_normal((6, 5)), 4, axis=1)
        values = common + rough
        found = band([values[:3], values[3:]])
        held += bool(np.all((found.low < 0.0) & (found.high > 0.0)))
        here += bool(np.all((found.low_here < 0.0) & (found.high_here > 0.0)))
    # 95 % of 150 are 142 +- 2.7; single intervals miss far more.
    assert held >= 134
    assert here < held - 8


def test_rounding_is_no_spread_of_profiles() -> None:
    """Two copies of a sample and one that is computed otherwise: no band of no width."""
    first = np.array([[0.3, 2.0], [0.1 + 0.2, 2.1], [0.3, 1.9]])
    found = band([first, first + 1.0])
    for end in (found.low, found.high, found.low_here, found.high_here):
        assert np.isfinite(end).tolist() == [False, True]


def test_no_band_of_one_sample_and_none_where_a_value_is_missing() -> None:
    first = np.ones((3, 4)) + 0.1 * np.arange(3)[:, None]
    second = np.array(first) * 2.0
    second[1, 2] = np.nan
    found = band([first, second])
    assert np.isnan(found.difference).tolist() == [False, False, True, False]
    assert np.isfinite(found.low).tolist() == [True, True, False, True]
    assert np.isnan(band([first[:1], second]).low).all()


# ---------------------------------------------------------------- conditions


def test_ratio_is_that_of_geometric_means_of_samples() -> None:
    samples = study((1.0, 2.0, 4.0), (1.0, 1.0, 2.0))
    question = Question(distance=(2e-9, 5e-9))
    found = st.compare(samples, primary=question)
    one = found.primary_contrasts[0]
    known = stats.ttest_ind(np.log([1, 2, 4]), np.log([1, 1, 2]), equal_var=False)
    ends = np.exp(known.confidence_interval())
    assert one.ratio == pytest.approx(2.0 / 2.0 ** (1 / 3), rel=1e-9)
    assert (one.ratio_low, one.ratio_high) == pytest.approx(tuple(ends), rel=1e-9)
    assert one.p == one.p_holm == pytest.approx(known.pvalue)
    assert one.difference == pytest.approx(7e6 / 3 - 4e6 / 3, rel=1e-6)
    assert (one.n_first, one.n_second, one.unit) == (3, 3, "Pa")
    assert "3 samples of a and 3 samples of b" in one.sentence
    assert {value.n for value in found.sample_values} == {16}
    assert any("named before the run" in text for text in found.statements)


def test_curves_do_not_count_as_samples() -> None:
    """Sixteen alike curves in each of two samples leave p as large as two values do."""
    found = st.compare(study((1.0, 1.2), (1.1, 1.4)), primary=Question())
    known = stats.ttest_ind(np.log([1, 1.2]), np.log([1.1, 1.4]), equal_var=False)
    assert found.contrasts[0].p == pytest.approx(known.pvalue)
    assert known.pvalue > 0.3


def test_one_sample_per_condition_is_no_test() -> None:
    found = st.compare(study((2.0,), (1.0, 1.1)), primary=Question())
    one = found.contrasts[0]
    assert one.ratio == pytest.approx(2.0 / math.sqrt(1.1))
    assert one.p is one.ratio_low is one.p_holm is one.effect_size is None
    assert "no test" in one.sentence
    assert "it is one electrode" in one.sentence
    assert any("one sample of a condition shows nothing" in text for text in found.statements)
    assert np.isnan(found.profiles[0].profile["ratio_low"]).all()
    assert found.profiles[0].profile["ratio"].values == pytest.approx(2.0 / math.sqrt(1.1))


def test_means_that_are_not_positive_are_compared_as_differences() -> None:
    samples = study((1.0, 1.4, 1.2), (0.3, 0.2, -0.1))
    found = st.compare(samples, primary=Question())
    one = found.contrasts[0]
    known = stats.ttest_ind([1e6, 1.4e6, 1.2e6], [3e5, 2e5, -1e5], equal_var=False)
    assert one.ratio is None
    assert one.p == pytest.approx(known.pvalue)
    assert one.difference_low == pytest.approx(known.confidence_interval().low)
    assert "b 2 is not two standard errors above 0" in one.sentence


def test_without_a_primary_question_all_is_exploratory() -> None:
    found = st.compare(study((1.0, 1.1), (1.2, 1.5)), others=[Question()])
    assert any("exploratory" in text for text in found.statements)
    assert not found.primary_contrasts


def test_an_outlier_is_named_and_is_no_effect() -> None:
    found = st.compare(study((1.0, 1.05, 0.95), (1.02, 0.97, 6.0)), primary=Question())
    one = found.contrasts[0]
    assert one.p is not None
    assert one.p > 0.3
    assert one.ratio_low < 1.0 < one.ratio_high
    assert "b 2 lies far from the other samples of b" in one.sentence
    assert "Without it the ratio would be 1" in one.sentence
    assert one.far_sample == "b 2"
    assert one.far_by == pytest.approx(6.0 / math.sqrt(1.02 * 0.97))
    (said,) = [text for text in found.statements if "lies far" in text]
    assert said.startswith("b 2 lies far from the other samples of its condition in 1 of 1 ")
    assert "6.03 times their mean" in said


def test_a_sample_within_its_own_errors_is_no_outlier() -> None:
    """Distances of 8, 8, 8 and 10, 10, 9.5 nm, each known to 1 nm: 0.5 nm is not far."""
    names = [sample(f"{c} {n}", c, 1.0) for c in "ab" for n in range(3)]
    question = Question(quantity="thickness", distance=None)

    def values(error: float):
        return {
            one.name: SampleValue(
                sample=one.name,
                condition=one.condition,
                question=question,
                mean=nm * 1e-9,
                stderr=error,
                low=(nm - 2) * 1e-9,
                high=(nm + 2) * 1e-9,
                n=16,
                n_effective=16.0,
                unit="m",
                positive=True,
            )
            for one, nm in zip(names, (8, 8, 8, 10, 10, 9.5), strict=True)
        }

    # Beyond 2 sqrt(1 + 2/4) of an error it is.
    far = thickness_of_conditions(question, names[:3], names[3:], values(0.2e-9))
    assert far.far_sample == "b 2"
    for error in (0.21e-9, 1e-9):
        near = thickness_of_conditions(question, names[:3], names[3:], values(error))
        assert near.far_sample == ""
        assert "lies far" not in near.sentence


def test_what_a_reader_may_conclude() -> None:
    found = st.compare(study((2.0, 2.1, 1.9), (1.0, 1.05, 0.95)), primary=Question())
    assert conclusion(found.contrasts[0]).startswith(
        "The value of a is larger than that of b, by more than samples of one condition differ"
    )
    alike = st.compare(study((1.0, 1.3, 0.8), (1.1, 0.9, 1.0)), primary=Question())
    said = conclusion(alike.contrasts[0])
    assert said.startswith("The interval holds 1: these samples show neither that a and b differ")
    single = st.compare(study((2.0,), (1.0, 1.1)), primary=Question())
    assert "Nothing follows for other samples" in conclusion(single.contrasts[0])


def test_other_tests_are_told_from_findings() -> None:
    questions = [Question(distance=(k * 1e-9, (k + 1) * 1e-9)) for k in range(1, 5)]
    found = st.compare(study((2.0, 2.4, 1.7), (1.0, 1.3, 0.8)), others=questions)
    said = " ".join(of_other_tests(found.contrasts, False, 0.95))
    assert "no finding" in said
    assert "Of all 4 tests 4 have p < 0.05; where nothing differs about 0.2 would." in said
    assert found.contrasts[0].p_holm == pytest.approx(4 * found.contrasts[0].p)
    assert "none has: they are questions for new samples" in said
    far = st.compare(study((2.0, 2.01, 1.99), (1.0, 1.01, 0.99)), others=questions)
    assert "(Holm), 4 have: a / b" in " ".join(of_other_tests(far.contrasts, True, 0.95))


def test_unknown_names_are_refused() -> None:
    samples = study((1.0, 1.1), (1.2, 1.5), edges=(2.0, 0.5, 0.005))
    with pytest.raises(InvalidInput, match=r"condition 'c'"):
        st.compare(samples, between=[("a", "c")])
    with pytest.raises(InvalidInput, match=r"Did you mean 0\.005-0\.5 V"):
        st.compare(samples, primary=Question(region="0.05-0.5 V"))
    with pytest.raises(InvalidInput, match="two samples of the name"):
        st.compare([*samples, samples[0]])
    with pytest.raises(InvalidInput, match="range of distances"):
        st.compare(samples, primary=Question(distance=(5e-9, 2e-9)))
    with pytest.raises(InvalidInput, match="no profiles of 'storage'"):
        st.compare(samples, primary=Question(quantity="storage"))


def test_samples_begin_at_one_distance() -> None:
    """Where one sample has no values near the electrode, none is averaged from there on."""
    samples = study((1.0, 1.1), (1.2, 1.5))
    slope = 1.0 + np.arange(21)
    for one in samples:
        one.results["storage_modulus"] *= slope
    near = samples[0].results["storage_modulus"]
    near[:, :5] = np.nan  # nothing below 2.5 nm
    found = st.compare(samples, primary=Question(distance=(0.0, 5e-9)))
    first, last = found.sample_values[0], found.sample_values[3]
    assert first.mean == pytest.approx(1e6 * np.mean(slope[5:10]))
    assert last.mean == pytest.approx(1.5e6 * np.mean(slope[5:10]))
    assert "from 2.5 nm on" in last.note


# ---------------------------------------------------------------- levels


def test_a_shared_calibration_cancels() -> None:
    samples = study((1.0, 1.1), (1.2, 1.5), lever="A", experiment=STATED)
    assert added_error(samples[:2], samples[2:], "Pa").variance == 0.0
    assert st.compare(samples, primary=Question()).contrasts[0].calibration == 0.0


def test_own_calibrations_are_in_the_spread() -> None:
    samples = [
        replace(one, lever=str(number))
        for number, one in enumerate(study((1, 1.1, 1.2), (1, 1.5), experiment=STATED))
    ]
    assert added_error(samples[:3], samples[3:], "Pa").variance == pytest.approx(0.0, abs=1e-15)


def test_a_lever_per_condition_adds_both_errors() -> None:
    samples = [
        replace(one, lever=one.condition)
        for one in study((1, 1.1, 1.2), (1.4, 1.5, 1.6), experiment=STATED)
    ]
    added = added_error(samples[:3], samples[3:], "Pa")
    assert added.variance == pytest.approx(0.1**2 + 0.1**2)
    assert added_error(samples[:3], samples[3:], "1").variance == 0.0
    one = st.compare(samples, primary=Question()).contrasts[0]
    assert one.calibration == pytest.approx(math.sqrt(0.02))
    assert "confounded with the lever" in one.sentence
    assert "14 %" in one.sentence
    narrow = welch(np.log([1, 1.1, 1.2]), np.log([1.4, 1.5, 1.6]))
    assert narrow is not None
    assert math.log(one.ratio_high / one.ratio_low) > narrow.high - narrow.low
    assert one.p > narrow.p


@pytest.mark.parametrize("levers", ["AABBBC", "AABABB", "ABCDEF", "ABCABC", "AAABBB", "ABBBBB"])
def test_what_calibrations_add_is_what_the_spread_lacks(levers: str) -> None:
    """Simulated: mean squared error of the difference is Welch's variance and what is added."""
    samples = [
        replace(one, lever=lever)
        for one, lever in zip(study((1, 1, 1), (1, 1, 1), experiment=STATED), levers, strict=True)
    ]
    rng = np.random.default_rng(1)
    names = sorted(set(levers))
    errors = 0.1 * rng.standard_normal((40_000, len(names)))
    values = errors[:, [names.index(lever) for lever in levers]]
    first, second = values[:, :3], values[:, 3:]
    square = np.mean((first.mean(1) - second.mean(1)) ** 2)
    shown = np.mean(first.var(1, ddof=1) / 3 + second.var(1, ddof=1) / 3)
    added = added_error(samples[:3], samples[3:], "Pa").variance
    assert added == pytest.approx(max(square - shown, 0.0), abs=4e-4)


def test_without_a_stated_error_a_lever_per_condition_has_no_p() -> None:
    samples = [
        replace(one, lever=one.condition)
        for one in study((1, 1.1), (1.4, 1.5), experiment='lateral_stiffness = "80 N/m"\n')
    ]
    one = st.compare(samples, primary=Question()).contrasts[0]
    assert one.p is one.calibration is None
    assert "No error is stated for lateral_stiffness" in one.sentence
    assert "15 % each" in one.sentence


def test_a_day_per_condition_is_said() -> None:
    samples = [
        replace(one, day=f"2025-03-0{1 + (one.condition == 'b')}")
        for one in study((1, 1.1), (1.4, 1.5))
    ]
    assert [one.level for one in confounded(samples[:2], samples[2:])] == ["day"]
    apart = [replace(one, day=f"2025-03-0{n + 1}") for n, one in enumerate(samples)]
    assert "before those of b" in confounded(apart[:2], apart[2:])[0].sentence
    mixed = [replace(one, day="2025-03-01") for one in samples]
    assert not confounded(mixed[:2], mixed[2:])
    found = st.compare(samples, primary=Question())
    assert any("confounded with the day" in text for text in found.statements)
    assert any("No sample tells its lever" in text for text in found.statements)


# ---------------------------------------------------------------- regions, thickness


def test_regions_are_paired_within_samples() -> None:
    edges = (2.0, 0.5, 0.005)
    samples = [
        sample(f"s{number}", "a", scale, high=high, edges=edges)
        for number, (scale, high) in enumerate(((1.0, 2.0), (9.0, 2.2), (0.2, 2.1)))
    ]
    found = st.compare(samples, others=[Question()], paired_regions=[("0.005-0.5 V", "0.5-2.0 V")])
    one = found.contrasts[0]
    known = stats.ttest_1samp(np.log([2.0, 2.2, 2.1]), 0.0)
    assert (one.kind, one.condition, one.paired) == ("regions", "a", True)
    assert one.ratio == pytest.approx((2.0 * 2.2 * 2.1) ** (1 / 3))
    assert one.p == pytest.approx(known.pvalue)
    assert found.profiles[0].profile["ratio"].values == pytest.approx(one.ratio)


def thick(name: str, condition: str, mean: float, high: float = math.nan) -> SampleValue:
    return SampleValue(
        sample=name,
        condition=condition,
        question=Question(quantity="thickness", distance=None),
        mean=mean,
        stderr=math.nan,
        low=mean - 1e-9 if math.isfinite(mean) else 60e-9,
        high=mean + 1e-9 if math.isnan(high) else high,
        n=16,
        n_effective=16.0,
        unit="m",
        positive=0.0 < mean < math.inf,
    )


def thickness_contrast(first, second) -> Contrast:
    samples = study([1.0] * len(first), [1.0] * len(second))
    values = {
        one.name: thick(one.name, one.condition, mean, 2e-9 if mean == 0.0 else math.nan)
        for one, mean in zip(samples, (*first, *second), strict=True)
    }
    n = len(first)
    question = Question(quantity="thickness", distance=None)
    return thickness_of_conditions(question, samples[:n], samples[n:], values)


def test_thickness_that_is_known() -> None:
    one = thickness_contrast((10e-9, 12e-9, 11e-9), (20e-9, 26e-9, 22e-9))
    known = stats.ttest_ind(np.log([10, 12, 11]), np.log([20, 26, 22]), equal_var=False)
    assert one.p == pytest.approx(known.pvalue)
    assert one.calibration is None


def test_thickness_beyond_the_profiles_is_a_bound_and_no_test() -> None:
    one = thickness_contrast((10e-9, 12e-9), (20e-9, math.inf))
    assert one.p is one.ratio is one.difference is None
    assert "b 1 more than 60 nm" in one.sentence


def test_samples_without_a_layer_widen_the_interval() -> None:
    """Nothing above the modulus is a distance between 0 and 2 nm, and p the largest one."""
    first, second = np.array([10e-9, 12e-9, 11e-9]), np.array([0.0, 4e-9, 5e-9])
    one = thickness_contrast(first, second)
    ends = [
        stats.ttest_ind(first, second + np.array([shift, 0, 0]), equal_var=False)
        for shift in (0.0, 2e-9)
    ]
    assert one.p == pytest.approx(max(end.pvalue for end in ends))
    intervals = [end.confidence_interval() for end in ends]
    assert one.difference_low == pytest.approx(min(x.low for x in intervals))
    assert one.difference_high == pytest.approx(max(x.high for x in intervals))
    assert "b 0" in one.sentence
    assert f"p at most {one.p:.2g}" in one.sentence


def test_layers_of_samples_end_at_different_places() -> None:
    """Each of three samples without a layer may be at 0 or at 2 nm: p is the largest of eight."""
    first = np.array([5.0e-9, 5.2e-9, 5.1e-9])
    one = thickness_contrast(first, np.zeros(3))
    ends = [
        welch(first, 2e-9 * np.array(upper)) for upper in itertools.product((0.0, 1.0), repeat=3)
    ]
    assert one.p == pytest.approx(max(end.p for end in ends))
    assert one.p > 80.0 * max(ends[0].p, ends[-1].p)
    assert one.difference_low == pytest.approx(min(end.low for end in ends))
    assert one.difference_high == pytest.approx(max(end.high for end in ends))


@pytest.mark.parametrize("second", [(0.0, 0.0), (0.0, 1e-9), (1.9e-9, 1.8e-9)])
def test_layers_that_may_be_equal_do_not_differ(second) -> None:
    one = thickness_contrast((0.0, 0.0), second)
    assert one.p == 1.0
    assert one.difference_low < 0.0 < one.difference_high


def test_where_the_end_of_layers_is_not_known_there_is_no_test() -> None:
    many = thickness_contrast((0.0,) * 4, (0.0,) * 4)
    assert many.p is many.difference_low is many.effect_size is None
    assert "is not known" in many.sentence
    one = thickness_contrast((0.0,), (10e-9, 12e-9))
    assert one.p is one.difference_low is None
    assert "-11 nm and -9 nm" in one.sentence
    assert "no test" in one.sentence


# ---------------------------------------------------------------- tables


@pytest.fixture(scope="module")
def comparison() -> st.Comparison:
    samples = [
        replace(one, name=one.name.replace("b", "=b_&|%"))
        for one in study((1.0, 1.1, 1.3), (1.2, 1.5, 1.4), noise=0.1)
    ]
    return st.compare(samples, primary=Question(), others=[Question(quantity="loss_modulus")])


def test_csv_has_the_numbers_in_si(comparison: st.Comparison, tmp_path) -> None:
    st.write_table(comparison, tmp_path / "t.csv")
    table = pd.read_csv(tmp_path / "t.csv")
    assert len(table) == len(comparison.contrasts) + len(comparison.thickness)
    for name in ("ratio", "ratio_low", "difference", "p", "p_holm", "effect_size_high"):
        assert table[name][0] == pytest.approx(getattr(comparison.contrasts[0], name))
    assert table["distance_high"][0] == 5e-9
    assert bool(table["primary"][0])


def test_latex_and_markdown_escape_names(comparison: st.Comparison, tmp_path) -> None:
    for ending in ("tex", "md"):
        st.write_table(comparison, tmp_path / f"t.{ending}")
    latex, markdown = ((tmp_path / f"t.{end}").read_text("utf-8") for end in ("tex", "md"))
    assert r"=b\_\&\textbar{}\% 0" in latex
    assert r"=b\_&\|% 0" in markdown
    rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") for line in rows} == {7, 5}
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 2
    unescaped = markdown.replace(r"\|", "")
    assert {line.count("|") for line in unescaped.splitlines() if line[:1] == "|"} == {9, 7}


def test_other_suffixes_are_refused(comparison: st.Comparison, tmp_path) -> None:
    with pytest.raises(InvalidInput, match=r"not \.xlsx"):
        st.write_table(comparison, tmp_path / "t.xlsx")


def test_latex_of_all_special_characters() -> None:
    assert escaped("\\{}_%$#&~^<>|") == (
        r"\textbackslash{}\{\}\_\%\$\#\&\textasciitilde{}\textasciicircum{}"
        r"\textless{}\textgreater{}\textbar{}"
    )


def test_all_pairs_and_empty_comparisons() -> None:
    samples = [
        sample(
            f"{c}{n}",
            c,
            1.0 + n / 10,
        )
        for c in "abc"
        for n in range(2)
    ]
    found = st.compare(samples, others=[Question()])
    assert [(one.first, one.second) for one in found.contrasts] == list(
        itertools.combinations("abc", 2)
    )
    alone = st.compare(samples[:1], primary=Question())
    assert alone.contrasts == ()
    assert isinstance(st.comparison_table(alone), pd.DataFrame)
    assert isinstance(found.profiles[0].profile, xr.Dataset)
