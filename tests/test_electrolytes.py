"""A simulated study: what is planted is found, an outlier is no effect of its electrolyte."""

from __future__ import annotations

import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_plugin import statistics as st
from nrm_plugin.errors import InvalidInput
from nrm_plugin.simulate.electrolytes import CARBONATE, ETHER, SimulatedStudy, simulated_study
from nrm_plugin.simulate.sodiation import write_log

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def study() -> SimulatedStudy:
    return simulated_study(1, grid=(6, 8))


@pytest.fixture(scope="module")
def comparison(study: SimulatedStudy) -> st.Comparison:
    samples = []
    for one in study.samples:
        results = nrm.process(one.curves)
        time = (one.curves.curve_table["start_time"] - one.start) / np.timedelta64(1, "s")
        potential = np.interp(time, one.log["time"], one.log["potential"])
        assert potential == pytest.approx(one.truth.potential, abs=2e-3)
        results = results.assign_coords(potential=("curve", potential))
        samples.append(
            st.StudySample(
                name=one.name,
                condition=one.condition,
                results=results,
                regions=st.regions(results),
                lever=one.lever,
                session=one.session,
                day=one.day,
            )
        )
    return st.compare(
        samples, primary=study.changed, others=[study.unchanged], between=[study.between]
    )


def test_the_planted_difference_is_found(study: SimulatedStudy, comparison: st.Comparison) -> None:
    one = comparison.primary_contrasts[0]
    assert (one.first, one.second) == (CARBONATE, ETHER)
    assert one.ratio_low < study.shift < one.ratio_high
    assert one.p < 0.05
    band = comparison.profiles[0].profile.sel(depth=slice(1.9e-9, 5.1e-9))
    assert bool((band["ratio_low"] < study.shift).all())
    assert bool((band["ratio_high"] > study.shift).all())


def test_the_outlier_is_no_effect(study: SimulatedStudy, comparison: st.Comparison) -> None:
    one = comparison.contrasts[1]
    assert one.ratio_low < 1.0 < one.ratio_high
    assert one.p > 0.1
    assert f"{study.outlier} lies far from the other samples" in one.sentence
    values = [value for value in comparison.sample_values if value.question == study.unchanged]
    assert max(values, key=lambda value: value.mean).sample == study.outlier


def test_nothing_is_confounded_and_levers_cancel(comparison: st.Comparison) -> None:
    assert not any("confounded" in text for text in comparison.statements)
    assert all(one.calibration == 0.0 for one in comparison.contrasts)


def test_thickness_is_compared_at_one_modulus(comparison: st.Comparison) -> None:
    assert 1e4 < comparison.thickness_modulus < 1e5
    lowest = next(one for one in comparison.thickness if one.question.region == "0.005-0.5 V")
    assert lowest.ratio_low < 1.0 < lowest.ratio_high
    assert lowest.first_mean == pytest.approx(26e-9, abs=3e-9)


def test_studies_repeat_and_levers_measure_both(study: SimulatedStudy) -> None:
    small = simulated_study(2, 2, grid=(2, 2))
    again = simulated_study(2, 2, grid=(2, 2))
    first, second = (x.samples[3].curves.read("lateral_in_phase") for x in (small, again))
    assert np.array_equal(np.asarray(first), np.asarray(second))
    assert [one.lever for one in study.samples] == ["A", "B", "C"] * 2
    assert len({one.session for one in study.samples}) == 6
    told = [one.curves.metadata["lateral_stiffness"] for one in study.samples]
    assert told[:3] == told[3:]
    assert told[0] == pytest.approx(80.0 * study.samples[0].lever_factor)


def test_logs_have_the_dates_of_their_samples(study: SimulatedStudy, tmp_path) -> None:
    one = study.samples[4]
    write_log(one.log, tmp_path / "log.csv", one.start)
    assert "2026-03-09T14:00:00" in (tmp_path / "log.csv").read_text("utf-8")


def test_no_samples_are_refused() -> None:
    with pytest.raises(InvalidInput, match="samples"):
        simulated_study(0, 0)
