"""The report: what it says is true, nothing in a file can break out of it, and it says what is
missing. What a browser makes of it is in test_report_browser.py."""

from __future__ import annotations

import base64
import hashlib
import importlib
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from made_results import without_lateral

import nrm_plugin as nrm
from nrm_plugin import cli
from nrm_plugin.engine.checks.check import Check, as_json
from nrm_plugin.errors import InvalidInput, OutputError
from nrm_plugin.potential import read_log, with_potential
from nrm_plugin.report import conditions, render, write_report
from nrm_plugin.report.conditions import BAD, DOUBTFUL, GOOD, UNKNOWN
from nrm_plugin.report.elements import count, interval, number
from nrm_plugin.report.facts import Facts
from nrm_plugin.report.quality import FLAG_WORDS, quality_of
from nrm_plugin.report.regional import normal_table
from nrm_plugin.report.uncertainty import compare, systematic
from nrm_plugin.simulate.sodiation import sodiation, write_log
from nrm_plugin.statistics import Region, mean_profile, regions
from nrm_plugin.text import significant
from nrm_plugin.variables import BIT, FLAGS

POTENTIAL = ("potential", "potential_uncertainty", "sweep", "cycle")


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Curves of a small sodiation, its log's path, and results in memory."""
    folder = tmp_path_factory.mktemp("experiment")
    made, log, _ = sodiation((4, 6), seed=1)
    made.save(folder / "curves.h5")
    write_log(log, folder / "cv.csv")
    curves = with_potential(nrm.open(folder / "curves.h5"), folder / "cv.csv", clock_offset=0.0)
    return curves, folder / "cv.csv", nrm.process(curves, out=folder / "results.h5").load()


@pytest.fixture(scope="module")
def whole(experiment):
    """Report with everything."""
    curves, log, results = experiment
    return render(results, curves=curves, log=read_log(log))


def flagged(results: xr.Dataset, bits: object) -> xr.Dataset:
    return results.assign(quality=results["quality"] * 0 + xr.DataArray(bits, dims="curve"))


class Page(HTMLParser):
    """What is in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text, self.headings, self._open = "", [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        self._open = tag
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_data(self, data):
        if self._open not in ("style", "script"):
            self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def text_of(html: str) -> str:
    return " ".join(Page(html).text.split())


# Numbers as they are read


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (12.345, 3, "12.3"),
        (0.0, 3, "0"),
        (1234.5, 3, "1230"),
        (-0.01234, 3, "−0.0123"),
        (99.96, 3, "100.0"),
        (5e-7, 2, "5.0e-07"),
        (math.nan, 3, "–"),
        (math.inf, 3, "–"),
    ],
)
def test_significant_digits(value, digits, text):
    assert significant(value, digits) == text


def test_an_interval_has_two_digits_of_its_half_width():
    assert interval(0.7534, 0.6004, 0.9064).text == "0.75 (0.60 to 0.91)"
    assert interval(24.4e-9, 23.35e-9, 25.6e-9, 1e9).text == "24.4 (23.4 to 25.6)"
    assert interval(5.0, -30.0, 40.0).text == "5 (−30 to 40)"
    assert interval(2.0, math.nan, math.nan).text == "2.00"  # one curve has none
    assert interval(math.nan, 0.0, 1.0).text == "–"


def test_cells_sort_by_their_number_and_nothing_goes_last():
    assert number(2.5e-9, 1e9, unit="nm").sort == "2.5"
    assert count(12).sort == "12"
    assert number(math.nan).sort == number(None).sort == ""


# What is known of the experiment


def test_facts_are_those_of_the_curves(experiment):
    curves, _, results = experiment
    known = Facts(results.attrs["experiment"])
    assert known.readable
    for key, value in curves.metadata.items():
        assert known[key].value == pytest.approx(value) if isinstance(value, float) else True
    assert known.number("dither_amplitude") == pytest.approx(1e-9)
    assert known["dither_amplitude"].text == "1 nm"
    assert known["electrode"].text == "hard carbon"
    assert known["lateral_stiffness"].source == "given"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "][",
        'dither_amplitude = "five apples"',
        "dither_amplitude = 1e300",
        "dither_amplitude = [1, 2]",
        "x = {a = 1}",
        "dither_amplitude = nan",
        "\0",
    ],
)
def test_an_experiment_that_nobody_can_read_is_no_number(text):
    assert Facts(text).number("dither_amplitude") is None


# Conditions


def with_experiment(results: xr.Dataset, **values: str) -> xr.Dataset:
    text = "".join(f"{key} = {value}\n" for key, value in values.items())
    return results.assign_attrs(experiment=text)


def verdict(results: xr.Dataset, name: str, **values: str) -> str:
    found = conditions(with_experiment(results, **values))
    return next(c.verdict for c in found if name in c.name)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("(peak)", {"dither_amplitude": '"0.4 nm"'}, DOUBTFUL),
        ("(peak)", {"dither_amplitude": '"0.5 nm"'}, GOOD),
        ("(peak)", {"dither_amplitude": '"2 nm"'}, GOOD),
        ("(peak)", {"dither_amplitude": '"2.1 nm"'}, BAD),
        ("(peak)", {}, UNKNOWN),
        ("over tip", {"dither_amplitude": '"2 nm"', "tip_radius": '"10 nm"'}, GOOD),
        ("over tip", {"dither_amplitude": '"2 nm"', "tip_radius": '"8 nm"'}, DOUBTFUL),
        ("over tip", {"dither_amplitude": '"2 nm"', "tip_radius": '"3 nm"'}, BAD),
        ("over tip", {"dither_amplitude": '"2 nm"'}, UNKNOWN),
        ("frequency", {"dither_frequency": '"1 kHz"', "dither_response": "1.04"}, GOOD),
        ("frequency", {"dither_frequency": '"1 kHz"', "dither_response": "1.2"}, DOUBTFUL),
        ("frequency", {"dither_frequency": '"1 kHz"', "dither_response": "3"}, BAD),
        ("frequency", {"dither_frequency": '"1 kHz"'}, UNKNOWN),
        ("Spring", {"spring_constant": '"0.09 N/m"'}, BAD),
        ("Spring", {"spring_constant": '"0.1 N/m"'}, GOOD),
        ("Spring", {"spring_constant": '"3 N/m"'}, GOOD),
        ("Spring", {"spring_constant": '"3.1 N/m"'}, BAD),
        ("Phase", {"lockin_phase": '"0.1 rad"'}, GOOD),
        ("Phase", {}, UNKNOWN),
    ],
)
def test_conditions_are_judged_by_the_papers_ranges(experiment, name, values, expected):
    assert verdict(experiment[2], name, **values) == expected


@pytest.mark.parametrize(
    ("speed", "poles", "expected", "shown"),
    [
        (250, 2, GOOD, "0.500 nm"),
        (300, 2, DOUBTFUL, "0.600 nm"),
        (300, 4, DOUBTFUL, "1.20 nm"),
        (1500, 4, BAD, "6.00 nm"),
    ],
)
def test_the_lag_is_speed_times_time_constant_times_poles(
    experiment, speed, poles, expected, shown
):
    results = with_experiment(
        experiment[2],
        lockin_time_constant='"1 ms"',
        lockin_poles=str(poles),
        approach_speed=f'"{speed} nm/s"',
    )
    (lag,) = (c for c in conditions(results) if c.name.startswith("Lag"))
    assert (lag.verdict, lag.value) == (expected, shown.replace(" ", "\N{NO-BREAK SPACE}"))


def test_a_lag_that_was_not_corrected_is_outside(experiment):
    results = with_experiment(
        experiment[2], lockin_time_constant='"1 ms"', lockin_poles="2", approach_speed='"300 nm/s"'
    ).assign_attrs(warnings="there are no sample times: the lock-in's lag is not corrected")
    (lag,) = (c for c in conditions(results) if c.name.startswith("Lag"))
    assert lag.verdict == BAD
    assert "not corrected" in lag.effect


@pytest.mark.parametrize(
    ("samples", "expected"), [(1000, GOOD), (601, GOOD), (400, DOUBTFUL), (200, BAD)]
)
def test_samples_per_nanometre_are_counted_in_the_curves(experiment, samples, expected):
    height = np.r_[np.linspace(300e-9, 0.0, samples), np.linspace(0.0, 300e-9, samples)]
    time = np.arange(2 * samples) * (1.0 / samples)
    n = 24
    curves = nrm.CurveSet.from_arrays(
        {
            "height": (np.tile(height, (n, 1)), "m"),
            "deflection": (np.zeros((n, 2 * samples)), "m"),
            "time": (np.tile(time, (n, 1)), "s"),
        }
    )
    results = with_experiment(experiment[2], lockin_time_constant='"1 ms"', lockin_poles="1")
    found = {c.name: c for c in conditions(results, curves)}
    assert found["Samples per nanometre"].verdict == expected
    per_nm = (samples - 1) / 300.0
    assert float(found["Samples per nanometre"].value) == pytest.approx(per_nm, rel=0.02)
    # 300 nm in almost a second, one pole of 1 ms: 0.3 nm
    lag = found["Lag of the lock-in, as depth"].value
    assert float(lag.split("\N{NO-BREAK SPACE}")[0]) == pytest.approx(0.3, rel=0.02)


def test_conditions_of_results_alone_are_those_of_bins_and_self_checks(experiment):
    check = Check(name="lockin_lag", unit="s", verdict="fine", advice="each ms is 0.25 nm of depth")
    results = experiment[2].assign_attrs(experiment="", checks=as_json([check]))
    n = results.sizes["curve"]
    count = np.zeros((n, 8))
    count[:, 1:7] = [4, 0, 4, 0, 4, 4]  # 16 samples in 6 nm
    results = results.drop_dims("distance_bin", errors="ignore").assign(
        binned_force_count=(("curve", "distance_bin"), count)
    )
    results = results.assign_coords(distance_bin=(np.arange(8) + 0.5) * 1e-9)
    found = {c.name: c for c in conditions(results)}
    assert float(found["Samples per nanometre"].value) == pytest.approx(16 / 6, abs=0.05)
    lag = found["Lag of the lock-in, as depth"]
    assert lag.verdict == GOOD
    assert "each ms is 0.25 nm of depth" in lag.effect


def test_every_condition_says_what_it_does(experiment):
    for one in conditions(experiment[2].assign_attrs(experiment="")):
        assert one.effect.endswith(".")
        assert one.wanted


# Quality


def test_flags_are_counted_and_examples_carry_them(experiment):
    results = experiment[2]
    bits = np.zeros(24, "i4")
    bits[[2, 3, 5, 7, 9]] = BIT["spikes"]
    bits[3] |= BIT["slip"]
    bits[20] = BIT["no_hard_contact"] | BIT["short_wall"]
    found = quality_of(flagged(results, bits))
    assert (found.n, found.unflagged, found.used, found.contacts) == (24, 18, 23, 23)
    counts = {flag.name: flag.count for flag in found.flags}
    assert counts == {"spikes": 5, "slip": 1, "no_hard_contact": 1, "short_wall": 1}
    spikes = found.flags[0]
    assert spikes.name == "spikes"
    assert spikes.examples == [2, 5, 7, 9]  # 3 has another flag, and is no good example
    assert {flag.name for flag in found.flags if flag.left_out} == {"no_hard_contact"}


def test_a_curve_has_the_flags_of_both_directions(experiment):
    results = experiment[2]
    bits = np.zeros((2, 24), "i4")
    bits[0, 1], bits[1, 2] = BIT["spikes"], BIT["lag"]
    both = xr.Dataset({"quality": (("direction", "curve"), bits)}, results.coords)
    assert quality_of(both).unflagged == 22


def test_every_flag_has_words():
    assert tuple(FLAG_WORDS) == FLAGS


# Systematic uncertainty


def test_calibrations_and_their_errors(experiment):
    found = systematic(experiment[2])
    # 5 % of the dither and 10 % of the stiffness, in quadrature
    assert found.relative == pytest.approx(math.hypot(0.05, 0.10), rel=1e-6)
    assert {p.name: p.relative for p in found.terms} == {
        "lateral stiffness": pytest.approx(0.1),
        "dither amplitude": pytest.approx(0.05),
    }
    none = systematic(with_experiment(experiment[2], dither_amplitude='"1 nm"').drop_attrs())
    assert none.relative is None


def test_moduli_under_the_papers_shape_factor(experiment):
    results = experiment[2]
    used = results.assign(shape_factor=results["shape_factor"] * 0 + 2.5)
    used = used.drop_vars("shape_factor_computed")
    everything = Region("all curves", math.nan, math.nan, np.arange(24))
    found = compare(used, [everything], {})
    assert found is not None
    assert found.choices == ["as processed", "the paper's 1.25"]
    mean = mean_profile(results, "storage_modulus")
    z = mean["depth"].values
    for one in found.moduli:
        inside = (z >= one.low) & (z < one.high)
        expected = np.nanmean(mean["mean"].values[inside])
        (r_used, e_used), (r_paper, e_paper) = one.under
        assert (r_used, r_paper) == (2.5, 1.25)
        assert e_used == pytest.approx(expected, rel=1e-6)
        assert e_paper == pytest.approx(2.0 * expected, rel=1e-6)


def test_moduli_of_the_tip_beside_where_no_thickness_is_known(experiment):
    """E' times r_g is the same under all of them."""
    results = experiment[2]
    everything = Region("all curves", math.nan, math.nan, np.arange(24))
    found = compare(results, [everything], {})
    assert found is not None
    assert found.choices == ["the paper's 1.25, as processed", "computed for the tip"]
    assert found.words[0] == f"{results.attrs['shape_factor_note']}."
    flat = results.assign(shape_factor_computed=results["shape_factor"] * 0 + 0.5)
    known = [one for one in compare(flat, [everything], {}).moduli if one.under[0][1] > 0]
    assert known
    for one in known:
        (r_used, e_used), (r_tip, e_tip) = one.under
        assert (r_used, r_tip) == (1.25, 0.5)
        assert e_tip == pytest.approx(2.5 * e_used, rel=1e-6)


def test_words_where_the_shape_factor_cannot_be_computed(experiment):
    everything = Region("all curves", math.nan, math.nan, np.arange(24))
    bare = with_experiment(experiment[2], dither_amplitude='"1 nm"')
    found = compare(bare, [everything], {"all curves": 20e-9})
    assert found is not None
    assert any("tip_radius" in word for word in found.words)


def test_moduli_under_the_computed_shape_factor(experiment):
    from nrm_plugin import fea

    results = experiment[2]
    everything = Region("all curves", math.nan, math.nan, np.arange(24))
    found = compare(results, [everything], {"all curves": 30e-9}, [(10e-9, 10.1e-9)])
    assert found is not None
    assert found.choices[-1] == "computed for tip and layer"
    layer = fea.Layer(30e-9, poisson_ratio=0.5)
    expected = float(fea.shape_factor(fea.Tip(10e-9), layer, table=True).at(10e-9))
    (_, used), (factor, modulus) = found.moduli[0].under
    assert factor == pytest.approx(expected)
    assert modulus == pytest.approx(used * 1.25 / expected)


# The page


def test_the_page_needs_nothing_from_outside(whole):
    page = Page(whole)
    for _, attrs in page.tags:
        for name in {"src", "href"} & set(attrs):
            assert attrs[name].startswith(("data:", "#")), attrs[name][:80]
    assert "url(" not in whole
    assert "@import" not in whole


def test_the_policy_lets_its_own_style_and_script_pass_and_nothing_else(whole):
    (policy,) = (a["content"] for a in Page(whole).all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; img-src data:; ")
    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", whole, re.S)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_structure_for_those_who_cannot_see(whole):
    """What checkers ask for, as far as it can be read off the source."""
    page = Page(whole)
    assert page.all("html") == [{"lang": "en"}]
    assert page.headings.count(1) == 1
    steps = np.diff(page.headings)
    assert page.headings[0] == 1
    assert steps.max() <= 1
    pictures = page.all("img")
    assert len(pictures) >= 10
    assert all(len(p["alt"]) > 20 and int(p["width"]) and int(p["height"]) for p in pictures)
    assert all(a.get("scope") in ("col", "row") for a in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for a in page.all("a") if a["href"].startswith("#")}
    assert targets <= set(ids)


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    digits = colour * 2 if len(colour) == 3 else colour
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colours_of_text_have_enough_contrast(whole):
    named = dict(re.findall(r"--(\w+): #([0-9a-f]{3,6})\b", whole))
    grounds = [named["paper"], named["shade"], "fff6e5"]
    for name in ("ink", "muted", "link", "good", "doubtful", "bad", "unknown"):
        for ground in grounds:
            light, dark = sorted([luminance(named[name]), luminance(ground)], reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground)


def test_it_says_what_was_measured_and_how(experiment, whole):
    results = experiment[2]
    text = text_of(whole)
    for wanted in (
        "First sodiation of hard carbon (simulated)",
        "Simulated data.",
        "24 curves on a grid of 4 × 6",
        "1.0 M NaPF6 in EC:DEC (1:1 v/v)",
        "curves.h5",
        results.attrs["source_sha256"][0],
        "half_width = 2e-09",
        f"nrm-plugin {nrm.__version__}",
        "cathodic pass",
        "relative standard error of 11 %",
        "No place was measured more than once",
    ):
        assert " ".join(wanted.split()) in text, wanted


def test_numbers_in_the_tables_are_those_of_the_statistics(experiment, whole):
    from nrm_plugin.statistics import region_thickness, regions

    results = experiment[2]
    found = regions(results)
    thickness = region_thickness(results, found)
    text = text_of(whole)
    assert thickness["measurable"].any()
    for i, region in enumerate(found):
        values = (float(thickness[k].values[i]) for k in ("mean", "low", "high"))
        measurable = thickness["measurable"].values[i]
        cell = interval(*values, 1e9).text if measurable else "not measurable"
        label = region.label.replace("-", "–").replace(" ", "\N{NO-BREAK SPACE}")
        row = f"{label} {len(region)} {len(region)} {cell}"
        assert " ".join(row.split()) in text


def test_the_normal_channel_by_region_and_direction(experiment, whole):
    results = experiment[2]
    first = next(iter(regions(results)))
    onset = float(np.median(results["normal_onset"].values[first.curves])) * 1e9
    assert "Normal force" in text_of(whole)
    label = first.label.replace("-", "–").replace(" ", "\N{NO-BREAK SPACE}")
    row = f"{label} {len(first)} {number(onset).text}"
    assert " ".join(row.split()) in text_of(whole)
    ways = xr.concat([results] * 2, "direction", data_vars="all")
    ways = ways.assign_coords(direction=["approach", "retract"])
    ways["adhesion_force"][1, :] = 4.2e-9
    found = normal_table(ways, regions(results))
    assert [column.title for column in found.columns[:4]] == [
        "Region",
        "Direction",
        "Curves",
        "Onset (nm)",
    ]
    at = [column.title for column in found.columns].index("Attraction (nN)")
    assert {row[at].text for row in found.rows if row[1].text == "approach"} == {"–"}
    assert {row[at].text for row in found.rows if row[1].text == "retract"} == {"4.20"}


def test_the_summary_can_be_saved(whole):
    (link,) = (a for a in Page(whole).all("a") if "download" in a)
    assert link["download"].endswith("-summary.csv")
    table = base64.b64decode(link["href"].partition(",")[2]).decode()
    assert table.startswith("region,potential_low,potential_high,bin,")
    # For each of four regions: three bins of distance, and the thickness.
    assert len(table.splitlines()) == 1 + 4 * (3 + 1)


HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>\'"&--></pre></title>'


def test_names_from_files_cannot_break_out(experiment):
    from nrm_plugin.text import quoted

    results = without_lateral(experiment[2]).isel(curve=slice(0, 2))
    told = "\n".join(f"{key} = {quoted(HOSTILE)}" for key in ("electrode", "comment", "scanner"))
    hostile = results.assign_attrs(
        title=HOSTILE,
        experiment=f"{told}\nspring_constant = 0.3 # {HOSTILE}\n",
        recipe=f"# {HOSTILE}",
        channels=f"height = {HOSTILE}; deflection = `x`",
        source_name=[HOSTILE],
        source_sha256=[HOSTILE],
        source_importer=[HOSTILE],
        warnings=HOSTILE,
        potential_source=HOSTILE,
        nrm_plugin_version=HOSTILE,
        simulated=0,
    )
    html = render(hostile)
    page = Page(html)
    assert len(page.all("script")) == 1
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert all(a["src"].startswith("data:image/") for a in page.all("img"))
    assert html.count("<title>") == html.count("</title>") == 1
    assert HOSTILE in page.text


def test_control_characters_in_a_report_are_shown(experiment):
    evil = "a\x1b[31m\a\r\u202eb"
    html = render(without_lateral(experiment[2]).assign_attrs(title=evil, source_name=[evil]))
    assert not set(html) & set("\x1b\a\r\u202e")
    assert html.count(r"a\x1b[31m\x07\x0d\u202eb") >= 3  # title of the page, heading, sources


def test_results_that_are_not_simulated_do_not_say_so(experiment):
    html = render(without_lateral(experiment[2]).assign_attrs(simulated=0, title="A cell"))
    assert "Simulated data" not in text_of(html)
    assert "<h1>A cell</h1>" in html


# Words for what is missing


def test_words_without_potentials(experiment):
    results = without_lateral(experiment[2]).drop_vars(list(POTENTIAL))
    text = text_of(render(results))
    assert "No curve has an electrode potential" in text
    assert "nrm process with --potential" in text


def test_results_without_potentials_get_those_of_a_log(experiment):
    results = without_lateral(experiment[2]).drop_vars(list(POTENTIAL))
    text = text_of(render(results, log=read_log(experiment[1])))
    # The first curve begins at 2 V, give or take the noise: inside or outside.
    assert re.search(r"In the 4 regions below \(cathodic pass\): (23|24) curves", text)


def test_a_log_that_does_not_overlap_is_an_error_with_both_times(experiment):
    results = without_lateral(experiment[2]).drop_vars(list(POTENTIAL))
    later = results.assign_coords(start_time=results["start_time"] + np.timedelta64(3, "D"))
    with pytest.raises(InvalidInput, match="2026-03-05"):
        render(later, log=read_log(experiment[1]))


def test_words_without_a_lateral_signal(experiment):
    text = text_of(render(without_lateral(experiment[2])))
    assert "The curves have no lateral signal" in text
    assert "there are no moduli" in text


def test_words_where_all_curves_are_flagged(experiment):
    html = render(flagged(experiment[2], np.full(24, BIT["no_hard_contact"])))
    text = text_of(html)
    assert "all curves in the regions are left out for their flags" in text
    assert "A solid contact was found in 0 of 24 curves" in text
    assert "no hard contact 24 100 % left out" in text


def test_words_where_no_curve_lies_in_a_region(experiment):
    text = text_of(render(experiment[2], edges=[4.0, 3.0, 2.5]))
    assert "no curve was taken at these potentials" in text
    assert "outside of all regions: 24" in text


def test_words_without_curves(experiment):
    text = text_of(render(experiment[2].isel(curve=slice(0, 0))))
    assert "There are no curves." in text


def test_one_curve_in_one_region(experiment):
    text = text_of(render(experiment[2].isel(curve=[0])))
    assert "In the 4 regions below (cathodic pass): 1 curve." in text


def test_results_that_say_nothing_of_themselves(experiment):
    results = without_lateral(experiment[2]).drop_attrs()
    results = results.drop_vars([c for c in results.coords if c != "depth"])
    text = text_of(render(results))
    assert "The results hold no description of the experiment" in text
    assert "The curves have no positions" in text
    assert "No calibration has a standard error" in text


def test_attributes_of_the_wrong_kind(experiment):
    odd = without_lateral(experiment[2]).assign_attrs(
        dither_frequency=[1, 2],
        calibration_relative_stderr="much",
        recipe="=",
        warnings=3,
        source_name=3,
        source_sha256=None,
        shape_factor_source=None,
        title=None,
        channels=1.5,
    )
    html = render(odd)
    assert "<h1>Results</h1>" in html
    assert "No calibration has a standard error" in text_of(html)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_profiles_without_anything_in_them(experiment, value):
    results = experiment[2].isel(curve=slice(0, 24, 3))
    names = [n for n, a in results.data_vars.items() if {"curve", "depth"} <= set(a.dims)]
    text = text_of(render(results.assign({n: results[n] * 0.0 + value for n in names})))
    assert "In the 4 regions below (cathodic pass): 8 curves." in text


def test_both_directions(experiment):
    ways = xr.concat([without_lateral(experiment[2])] * 2, "direction", data_vars="all")
    results = ways.assign_coords(direction=["approach", "retract"])
    assert "this report shows approach" in text_of(render(results))


# Files


def test_curves_of_another_measurement_are_refused(experiment, tmp_path):
    _, _, results = experiment
    fewer = nrm.CurveSet.from_arrays({"height": (np.zeros((2, 10)), "m")})
    with pytest.raises(InvalidInput, match="24 curves, and 2 curves were given"):
        render(results, curves=fewer)
    other, _, _ = sodiation((4, 6), seed=2)
    other.save(tmp_path / "other.h5")
    with pytest.raises(InvalidInput, match=r"made from curves\.h5, and other curves"):
        render(results, curves=nrm.open(tmp_path / "other.h5"))


def test_what_are_no_results_is_refused():
    with pytest.raises(InvalidInput, match="no results"):
        render(xr.Dataset({"a": ("x", [1.0])}))


def test_a_report_that_fails_leaves_the_old_one(experiment, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(InvalidInput):
        write_report(experiment[2], path, edges=[1.0])
    with pytest.raises(OutputError, match="overwrite"):
        write_report(experiment[2], path, overwrite=False)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def run(*arguments: object):
    return CliRunner().invoke(cli.main, [str(a) for a in arguments], prog_name="nrm")


def test_the_command(experiment, tmp_path):
    results = without_lateral(experiment[2])
    nrm.save(results, tmp_path / "r.h5")
    done = run("report", tmp_path / "r.h5", "-o", tmp_path / "r.html", "--edges", "2,1,0")
    assert done.exit_code == 0, done.output
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    digest = hashlib.sha256((tmp_path / "r.h5").read_bytes()).hexdigest()
    assert digest in html
    assert "1.0–2.0\N{NO-BREAK SPACE}V" in html
    again = run("report", tmp_path / "r.h5", "-o", tmp_path / "r.html")
    assert again.exit_code == 1
    assert "--overwrite" in again.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["missing.h5", "-o", "r.html"], 1, "missing.h5"),
        (["cv.csv", "-o", "r.html"], 1, "holds no results"),
        (["cv.csv", "-o", "r.pdf"], 2, "written as .html"),
        (["cv.csv", "-o", "r.html", "--edges", "two"], 2, "--edges"),
    ],
)
def test_mistakes_are_named(experiment, tmp_path, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    Path("cv.csv").write_bytes(experiment[1].read_bytes())
    done = run("report", *arguments)
    assert (done.exit_code, said in done.output) == (code, True), done.output
    assert not Path("r.html").exists()


def test_a_report_computes_the_thickness_once(experiment, monkeypatch):
    module = importlib.import_module("nrm_plugin.statistics.thickness")
    sizes = []
    compute = module._thickness

    def recorded(results, threshold):
        sizes.append(results.sizes["curve"])
        return compute(results, threshold)

    monkeypatch.setattr(module, "_thickness", recorded)
    regional = importlib.import_module("nrm_plugin.statistics.region_thickness")
    found, of_regions = [], regional._thicknesses

    def of_regions_recorded(*given):
        found.append(given)
        return of_regions(*given)

    monkeypatch.setattr(regional, "_thicknesses", of_regions_recorded)
    results = experiment[2]
    render(results.isel(curve=np.arange(4104) % results.sizes["curve"]), edges=[2.0, 0.005])
    # All curves for the maps and tables, every other one for the distance that is drawn.
    assert sorted(sizes) == [2052, 4104]
    # The table, the figure and the summary show the same regions.
    assert len(found) == 1


def test_one_class_of_surface(experiment, tmp_path):
    """What was selected stands in the captions, and that one sweep cannot tell time apart."""
    nrm.save(experiment[2], tmp_path / "r.h5")
    options = ("--surface", "hard", "--edges", "2,1,0.005")
    done = run("report", tmp_path / "r.h5", "-o", tmp_path / "r.html", *options)
    assert done.exit_code == 0, done.output
    text = text_of((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "Curves: cathodic pass, hard surfaces." in text
    assert "Potential and time are not separable in this selection" in text
    done = run("report", tmp_path / "r.h5", "-o", tmp_path / "s.html", "--run", "after")
    assert done.exit_code == 1
    assert "neither wall slope nor noise nor adhesion jump" in done.output
