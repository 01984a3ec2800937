"""Figures of a comparison: what is drawn is what is known; nothing overprints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from pictures import clipped, covered, overlapping, smallest, texts, whole
from scipy.integrate import trapezoid
from study_samples import FACTORS, sample, study

from nrm_plugin import figures
from nrm_plugin.errors import InvalidInput
from nrm_plugin.figures.comparison_lines import shown_region
from nrm_plugin.statistics.comparison import Question, SampleValue, compare
from nrm_plugin.statistics.condition_profiles import condition_density, condition_profile
from nrm_plugin.statistics.profiles import mean_profile

REGION = "0.005-1.0 V"
LABELS = ("1.0-2.0 V", REGION)


@pytest.fixture(scope="module")
def samples():
    return study()


@pytest.fixture(scope="module")
def comparison(samples):
    others = [
        Question(quantity=q, region=r) for q in ("storage_modulus", "loss_modulus") for r in LABELS
    ]
    return compare(
        samples,
        primary=Question(region=REGION),
        others=others,
        paired_regions=[(REGION, LABELS[0])],
    )


def assert_legible(drawn):
    figure = whole(drawn)
    found = texts(figure)
    assert clipped(figure, found) == []
    assert overlapping(figure, found) == []
    assert covered(figure) == []
    assert smallest(figure, found) >= 6.0


def lines(ax, gid):
    return [line for line in ax.get_lines() if line.get_gid() == gid]


def test_a_condition_counts_samples(samples):
    """Mean and Student's interval of three means: t(2 degrees of freedom, 97.5 %) is 4.3027."""
    made = condition_profile(samples[:3], "storage_modulus", REGION)
    each = np.array(
        [
            mean_profile(one.results, "storage_modulus", one.region(REGION).curves)["mean"].values
            for one in samples[:3]
        ]
    )
    at = 10
    mean, half = each[:, at].mean(), 4.30265 * each[:, at].std(ddof=1) / np.sqrt(3)
    assert made["mean"].values[at] == pytest.approx(mean)
    assert made["low"].values[at] == pytest.approx(mean - half, rel=1e-5)
    assert made["high"].values[at] == pytest.approx(mean + half, rel=1e-5)
    assert made["n"].values[at] == 3
    # Where the first sample has no values there is no mean of the other two.
    short = samples[0].results.copy()
    short["storage_modulus"] = short["storage_modulus"].where(short["depth"] > 2.1e-9)
    fewer = [replace(samples[0], results=short), *samples[1:3]]
    cut = condition_profile(fewer, "storage_modulus", REGION)
    begun = cut["n"].values == 3
    assert 0 < begun.sum() < len(begun)
    assert cut["n"].values[~begun].max() == 2
    np.testing.assert_array_equal(np.isfinite(cut["mean"].values), begun)
    np.testing.assert_allclose(cut["high"].values[begun], made["high"].values[begun])
    alone = condition_profile(samples[:1], "storage_modulus", REGION)
    assert np.isnan(alone["low"].values).all()
    assert np.isfinite(alone["mean"].values[at])


def test_profiles_have_a_mean_a_band_and_a_line_per_sample(samples):
    first, second = figures.comparison_profiles(samples)
    assert first.get_title(loc="left") == "1.0–2.0 V"
    means = lines(second, "mean")
    assert [to_hex(line.get_color()).upper() for line in means] == ["#0072B2", "#E69F00"]
    z = means[0].get_xdata()
    at = int(np.argmin(np.abs(z - 3.0)))
    ratio = means[0].get_ydata()[at] / means[1].get_ydata()[at]
    # Of arithmetic means of the factors.
    wanted = np.mean(list(FACTORS.values())[:3]) / np.mean(list(FACTORS.values())[3:])
    assert ratio == pytest.approx(wanted, rel=0.03)
    assert len([ln for ln in second.get_lines() if str(ln.get_gid()).startswith("sample")]) == 6
    words = [t.get_text() for t in whole(first).legends[0].get_texts()]
    assert words == [
        "EC (3 samples)",
        "ether (3 samples)",
        "one sample",
        "95% interval of the mean",
    ]
    assert means[0].get_linestyle() != means[1].get_linestyle()
    assert_legible(first)
    assert_legible(figures.comparison_profiles(samples, width=figures.COLUMN))


def test_one_sample_has_no_band(samples):
    (_, ax) = figures.comparison_profiles([samples[0], samples[3]])
    words = [t.get_text() for t in whole(ax).legends[0].get_texts()]
    assert words[:2] == ["EC (1 sample, no band)", "ether (1 sample, no band)"]


def test_ratio_of_profiles_with_both_bands(comparison):
    axes = figures.comparison_ratio_profiles(comparison)
    titles = [a.get_title(loc="left").splitlines() for a in axes]
    of_conditions = [words[1].split(",")[0] for words in titles if words[0] == "EC / ether"]
    assert of_conditions == [shown_region(label) for label in LABELS]
    ax = axes[of_conditions.index(shown_region(REGION))]
    (ratio,) = lines(ax, "ratio")
    near = ratio.get_xdata() < 10
    values = ratio.get_ydata()[near & np.isfinite(ratio.get_ydata())]
    np.testing.assert_allclose(values, 1 / 1.5, rtol=0.05)
    bands = {c.get_gid(): c.get_paths()[0].vertices for c in ax.collections if c.get_gid()}
    assert np.ptp(bands["simultaneous"][:, 1]) > np.ptp(bands["pointwise"][:, 1])
    assert_legible(axes)
    (other, *_) = figures.comparison_ratio_profiles(comparison, "loss_modulus")
    assert lines(other, "ratio")
    (empty,) = figures.comparison_ratio_profiles(replace(comparison, profiles=()))
    assert "No profiles of storage modulus" in empty.texts[0].get_text().replace("\n", " ")


def test_contrasts_are_drawn_at_their_ratios_and_the_primary_one_first(comparison):
    ax = figures.comparison_ratio(comparison)
    ratios = lines(ax, "ratio")
    primary = comparison.primary_contrasts[0]
    assert ratios[0].get_xdata()[0] == pytest.approx(primary.ratio)
    assert primary.ratio == pytest.approx(1 / 1.5, rel=0.02)
    assert ratios[0].get_marker() == "s"
    assert {line.get_marker() for line in ratios[1:]} == {"o"}
    ends = lines(ax, "interval")[0].get_xdata()
    np.testing.assert_allclose(ends, [primary.ratio_low, primary.ratio_high])
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names[0] == "E' 2–5 nm, 0.005–1.0 V: EC / ether"
    assert ax.get_yticklabels()[0].get_fontweight() == "bold"
    right = next(a for a in whole(ax).axes if a is not ax)
    assert right.get_yticklabels()[0].get_text().endswith("n = 3, 3")
    assert_legible(ax)
    few = figures.comparison_ratio(comparison, most=2)
    assert f"2 of {len(comparison.contrasts)} contrasts" in few.get_title(loc="left")


def test_violins_of_every_sample_and_a_line_at_the_mean_of_their_means(samples):
    axes = figures.comparison_violins(samples, [(2e-9, 5e-9)])
    (ax,) = axes
    assert len([c for c in ax.collections if c.get_gid() == "violin"]) == 12
    assert len(lines(ax, "median")) == 12
    bars = [c for c in ax.collections if c.get_gid() == "condition"]
    heights = [bar.get_segments()[0][0][1] for bar in bars]
    wanted = np.mean(list(FACTORS.values())[:3]) / np.mean(list(FACTORS.values())[3:])
    assert heights[1] / heights[3] == pytest.approx(wanted, rel=0.03)
    assert_legible(axes)


def test_densities_weigh_samples_alike(samples):
    one = condition_density(samples[:3], REGION)
    area = trapezoid(trapezoid(one.values, one.value, axis=1), one.depth)
    assert area == pytest.approx(1.0, abs=0.02)
    assert one.n == 72
    assert condition_density(samples[:3], "nowhere") is None
    axes = figures.comparison_density(samples)
    assert len(axes) == 4
    assert axes[3].get_title(loc="left") == "ether\n0.005–1.0 V\n3 samples, 72 curves"
    assert_legible(axes)


def test_thickness_of_samples_and_their_geometric_mean(comparison):
    question = Question(quantity="thickness", distance=None, region=REGION)

    def value(number, condition, nm):
        return SampleValue(
            sample=f"{condition} {number}",
            condition=condition,
            question=question,
            mean=nm * 1e-9,
            stderr=1e-9,
            low=(nm - 2) * 1e-9,
            high=(nm + 2) * 1e-9,
            n=48,
            n_effective=40.0,
            unit="m",
            positive=True,
        )

    values = [value(1, "EC", 10.0), value(2, "EC", 40.0), value(1, "ether", 8.0)]
    ax = figures.comparison_thickness(
        replace(comparison, sample_values=tuple(values), thickness_modulus=0.3e6)
    )
    assert [line.get_ydata()[0] for line in lines(ax, "sample")] == pytest.approx([10, 40, 8])
    (bar,) = [c for c in ax.collections if c.get_gid() == "condition"]
    assert bar.get_segments()[0][0][1] == pytest.approx(20.0)
    assert ax.get_ylabel() == "thickness at |G*| = 0.300 MPa (nm)"
    assert_legible(ax)
    none = figures.comparison_thickness(replace(comparison, sample_values=()))
    assert "No thickness to compare" in none.texts[0].get_text().replace("\n", " ")
    beyond = replace(values[0], mean=np.inf, low=60e-9, high=np.inf, note="a lower bound")
    unseen = replace(values[2], mean=0.0, low=0.0, high=3e-9, note="nothing is above it")
    ax = figures.comparison_thickness(replace(comparison, sample_values=(beyond, unseen)))
    (least,), (most,) = lines(ax, "at least"), lines(ax, "at most")
    assert (least.get_marker(), least.get_ydata()[0]) == ("^", pytest.approx(60.0))
    assert (most.get_marker(), most.get_ydata()[0]) == ("v", pytest.approx(3.0))
    assert not lines(ax, "not known") + lines(ax, "sample")
    assert ax.get_ylim()[1] > 60.0


def test_all_figures_of_a_study_by_their_kinds(samples, comparison):
    drawn = dict(figures.study_figures(samples[:1], comparison, ["maps"]))
    assert list(drawn) == ["contrasts", "maps-1"]  # no place repeats: no differences
    # A ratio of each quantity whose profiles were compared, and of no other.
    both = ["storage_modulus", "loss_modulus"]
    assert list(dict.fromkeys(one.quantity for one in comparison.profiles)) == both
    other = [one for one in comparison.profiles if one.quantity == "loss_modulus"]
    for compared, wanted in ((comparison.profiles, both), (other, ["loss_modulus"])):
        found = replace(comparison, profiles=tuple(compared))
        names = [name for name, _ in figures.study_figures(samples, found, ["profiles"])]
        ratios = [f"ratio-{quantity}" for quantity in wanted]
        assert [name for name in names if name.startswith("ratio")] == ratios
        assert {"profiles-storage_modulus", "profiles-loss_modulus"} < set(names)
    with pytest.raises(InvalidInput, match="there is no 'pies'"):
        list(figures.study_figures(samples, comparison, ["pies"]))


def test_names_with_formulas_and_of_any_length_are_text(samples):
    odd = [replace(one, condition=f"$x^2$ {one.condition} {'long ' * 20}") for one in samples]
    assert_legible(figures.comparison_profiles(odd))
    assert_legible(figures.comparison_profiles([*samples[:3], sample("a_b{c", condition="\\frac")]))
