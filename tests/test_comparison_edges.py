"""What a comparison says where values, tests or layers are missing, and its tables there."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from made_layers import NM, layered
from made_results import map_places
from test_comparison import sample, study

from nrm_plugin import statistics as st
from nrm_plugin.errors import InvalidInput
from nrm_plugin.statistics.comparison_conclusions import conclusion
from nrm_plugin.statistics.comparison_types import Comparison, Question, StudySample

NO_TEST = (
    "Nothing follows for other samples: there is no test, and the numbers describe these samples "
    "alone."
)


def without_moduli(one: StudySample) -> StudySample:
    made = one.results.copy(deep=True)
    made["storage_modulus"][:] = np.nan
    return replace(one, results=made)


def test_pairs_that_are_asked_for() -> None:
    samples = [sample(f"{c} {n}", c, 1.0 + n / 10) for c in "abc" for n in range(2)]
    found = st.compare(samples, primary=Question(), between=[("c", "a")])
    assert [(one.first, one.second) for one in found.contrasts] == [("c", "a")]
    with pytest.raises(InvalidInput, match=r"^'b' is compared with itself$"):
        st.compare(samples, between=[("a", "b"), ("b", "b")])


def test_a_condition_without_values() -> None:
    first = study((1.0, 1.1), (1.2, 1.5))
    found = st.compare([*first[:2], *map(without_moduli, first[2:])], primary=Question())
    (one,) = found.contrasts
    assert one.sentence == (
        "storage modulus at 2-5 nm, all curves: no sample of b has a value "
        "(no curve has values at these distances)."
    )
    assert (one.n_first, one.n_second, one.p, one.ratio) == (2, 0, None, None)
    assert conclusion(one) == NO_TEST
    assert [value.note for value in found.sample_values] == [
        "",
        "",
        "no curve has values at these distances",
        "no curve has values at these distances",
    ]


def test_regions_without_values_and_without_curves() -> None:
    edges = (2.0, 0.5, 0.005)
    samples = [sample(f"s{n}", "a", 1.0 + n / 10, edges=edges) for n in range(2)]
    low = samples[0].region("0.005-0.5 V")
    assert low is not None
    hidden = samples[0].results.copy(deep=True)
    hidden["storage_modulus"][low.curves] = np.nan
    samples[0] = replace(samples[0], results=hidden)
    left = [one for one in samples[1].regions if one.label != low.label]
    samples[1] = replace(samples[1], regions=left)
    found = st.compare(samples, others=[Question()], paired_regions=[("0.005-0.5 V", "0.5-2.0 V")])
    (one,) = found.contrasts
    assert one.sentence.startswith(
        "storage modulus at 2-5 nm, all curves: no sample of a has values in both regions ("
    )
    assert "there are no curves in 0.005-0.5 V" in one.sentence
    assert "no curve has values at these distances" in one.sentence
    assert found.statements[-1] == (
        "Thickness is not compared: the results do not tell what their noise hides."
    )
    assert [one.sentence for one in found.profiles] == ["There is one sample: there is no band."]


def test_one_curve_has_no_error() -> None:
    first = study((1.0, 1.1), (1.2, 1.5))
    single = replace(first[0], regions=(st.Region("", 0.0, 2.0, np.array([3])),))
    value = st.compare([single, *first[1:]], primary=Question()).sample_values[0]
    assert (value.note, value.n) == ("there is one curve: the mean has no error", 1)
    assert value.mean == pytest.approx(1e6)
    assert math.isnan(value.stderr)


def test_one_sample_has_no_paired_test() -> None:
    edges = (2.0, 0.5, 0.005)
    pair = [("0.005-0.5 V", "0.5-2.0 V")]
    one = sample("s", "a", 1.0, high=2.0, edges=edges)
    (found,) = st.compare([one], others=[Question()], paired_regions=pair).contrasts
    assert found.ratio == pytest.approx(2.0)
    assert found.p is None
    assert found.sentence.startswith(
        "storage modulus at 2-5 nm, a: 0.005-0.5 V is 2 times 0.5-2.0 V. There is one sample: "
        "whether others do the same is not known, so there is no interval and no test"
    )
    alike = [replace(one, name=f"s{n}") for n in range(3)]
    (found,) = st.compare(alike, others=[Question()], paired_regions=pair).contrasts
    assert found.sentence == (
        "storage modulus at 2-5 nm, a: 0.005-0.5 V is 2 times 0.5-2.0 V. The samples do not differ "
        "at all: there is no test."
    )


@pytest.mark.parametrize(
    ("scales", "sentence"),
    [
        (
            (1.0, 1.01, 0.99),
            "The samples differ less than their own errors let expect: with so few samples that is "
            "chance, and the interval may be too narrow",
        ),
        (
            (1.0, 1.15, 0.9),
            "The errors within samples explain most of the spread between them: more curves in "
            "each sample would narrow the interval",
        ),
        ((1.0, 1.25, 0.8), ""),
        (
            (1.0, 3.0, 0.3),
            "The errors within samples are small beside the spread between them: more samples "
            "would narrow the interval, more curves would not",
        ),
    ],
)
def test_curves_or_samples(scales: tuple[float, ...], sentence: str) -> None:
    """Places that scatter by a half leave each mean of 16 an error of a tenth."""
    found = st.compare(study(scales, scales[::-1], noise=0.5), primary=Question())
    (one,) = found.contrasts
    assert found.sample_values[0].stderr / found.sample_values[0].mean == pytest.approx(
        0.1, abs=0.01
    )
    said = one.sentence.split("3 samples of b)")[1].strip(". ")
    assert said == sentence


def test_what_follows_from_differences() -> None:
    apart = st.compare(study((1.0, 1.4, 1.2), (0.3, 0.2, -0.1)), primary=Question())
    (one,) = apart.contrasts
    low, high = one.difference_low, one.difference_high
    assert conclusion(one) == (
        "The value of a is larger than that of b, by more than samples of one condition differ "
        f"among themselves; the difference lies between {low / 1e3:.0f} kPa and {high / 1e6:.3g} "
        "MPa."
    )
    near = st.compare(study((1.0, 1.4, 1.2), (0.9, 1.2, -0.1)), primary=Question())
    assert conclusion(near.contrasts[0]).startswith("The interval holds 0: these samples show ")


def test_studies_of_many_samples_are_not_warned() -> None:
    warned = "are found in 8 of 10 studies"
    for n, said in ((8, True), (9, False)):
        scales = tuple(1.0 + k / 10 for k in range(n))
        statements = st.compare(study(scales, scales), primary=Question()).statements
        assert any(warned in text for text in statements) is said


# ---------------------------------------------------------------- thickness


def layers(name: str, condition: str, first: float, second: float, seed: int) -> StudySample:
    """Places whose layer of |G*| = 3.5 MPa ends at `first` nm, or at `second` in region two."""
    stacks = [((edge, 10.0 + 3.0j),) for edge in [first] * 8 + [second] * 8]
    made = layered(stacks, noise=5.0, seed=seed, **map_places(4))
    inside = (
        st.Region("one", 0.0, 1.0, np.arange(8)),
        st.Region("two", 1.0, 2.0, np.arange(8, 16)),
    )
    return StudySample(name=name, condition=condition, results=made, regions=inside)


@pytest.fixture(scope="module")
def thick() -> Comparison:
    samples = [
        layers("a 1", "a", 10.0, 20.0, 1),
        layers("a 2", "a", 14.0, 26.0, 2),
        layers("b 1", "b", 20.0, 100.0, 3),
        layers("b 2", "b", 28.0, 30.0, 4),
    ]
    return st.compare(samples, others=[Question()], paired_regions=[("one", "two")])


def test_layers_end_where_they_were_made_to(thick: Comparison) -> None:
    values = [one for one in thick.sample_values if one.question.quantity == "thickness"]
    known = [10.0, 20.0, 14.0, 26.0, 20.0, math.inf, 28.0, 30.0]
    for one, edge in zip(values, known, strict=True):
        assert one.mean / NM == pytest.approx(edge, abs=1.5), one
    endless = values[5]
    assert endless.note == "the layer goes on beyond the profiles' end: a lower bound"
    assert endless.low == pytest.approx(60.0 * NM)


def test_thickness_of_conditions_and_of_regions(thick: Comparison) -> None:
    one, two, within_a, within_b = thick.thickness
    assert one.difference / NM == pytest.approx(12.0 - 24.0, abs=1.5)
    assert one.freedom is not None
    assert within_a.difference / NM == pytest.approx(12.0 - 23.0, abs=1.5)
    assert within_a.sentence.startswith("thickness, a: one is 0.5")
    for endless, names in ((two, "a and b"), (within_b, "one and two")):
        assert endless.difference is endless.p is None
        assert f"{names} are not compared, since layers go on beyond the profiles' end (" in (
            endless.sentence
        )
        assert "b 1 more than 60 nm" in endless.sentence


def test_what_holds_for_all_of_it(thick: Comparison) -> None:
    of_lever, of_session, of_day, modulus = thick.statements[-4:]
    unknown = "whether conditions are confounded with it is unknown"
    assert of_lever == (
        f"No sample tells its lever: {unknown}; samples with the same lateral_stiffness are taken "
        "to share its error."
    )
    assert of_session == f"No sample tells its session: {unknown}."
    assert of_day == f"No sample tells its day: {unknown}."
    assert modulus.startswith("Thickness is compared at one modulus, |G*| = ")


def test_tables_of_bounds_and_of_regions(thick: Comparison, tmp_path) -> None:
    st.write_table(thick, tmp_path / "t.md")
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in (tmp_path / "t.md").read_text("utf-8").splitlines()
        if line.startswith("|")
    ]
    by_name = {tuple(row[:3]): row[3:] for row in rows}
    assert by_name["thickness, two", "a / b", "2 / 2"] == ["–"] * 5
    assert by_name["thickness, within b", "one / two", "2 / 2"] == ["–"] * 5
    assert by_name["b 1", "b", "thickness, two"][0] == (
        r"\> 60 nm (the layer goes on beyond the profiles' end: a lower bound)"
    )
    within = by_name["storage modulus at 2-5 nm, within a", "one / two", "2 / 2"]
    one = next(c for c in thick.contrasts if c.condition == "a")
    assert within[0] == f"{one.ratio:.3g} ({one.ratio_low:.3g} to {one.ratio_high:.3g})"


def test_a_table_of_values_without_intervals(tmp_path) -> None:
    """One sample each: a ratio and no interval; 1e-4 is small enough to be called so."""
    found = st.compare(study((2.0,), (1.0,)), primary=Question())
    sure = replace(found.contrasts[0], p=1e-4, p_holm=0.02)
    st.write_table(replace(found, contrasts=(*found.contrasts, sure)), tmp_path / "t.md")
    text = (tmp_path / "t.md").read_text("utf-8")
    head = "| storage modulus at 2-5 nm, all curves (primary) | a / b | 1 / 1 | 2 | 1 MPa | – |"
    assert rf"{head} – | – |" + "\n" + rf"{head} \< 0.001 | 0.02 |" + "\n" in text


def test_a_table_of_nothing(tmp_path) -> None:
    st.write_table(st.compare([]), tmp_path / "t.csv")
    (head,) = (tmp_path / "t.csv").read_text("utf-8").splitlines()
    assert head.startswith("quantity,distance_low,distance_high,region,")
    assert st.compare([]).statements == ("There are no samples: nothing is compared.",)
