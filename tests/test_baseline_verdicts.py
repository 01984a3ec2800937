"""Verdicts of the checks of what is far from the surface, on both sides of each bound."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_evidence import NM, contacts, evidence, measured, plan, profiles, signals, survey

from nrm_plugin.engine.checks import CHECKS, Check
from nrm_plugin.engine.checks.sampled_signals import SampledSignals, lines, mean_over_curves, pooled
from nrm_plugin.engine.fringes import Fringe
from nrm_plugin.variables import BIT

#: Standard error of the median of twelve values of which half lie 1 above, and half 1 below.
OF_TWELVE = 1.2533 * 1.4826 / math.sqrt(12.0) * (1.0 + 2.0 / 12.0)


def alternating(middle: float, apart: float) -> Any:
    """Twelve values, half above and half below."""
    return middle + apart * np.tile([-1.0, 1.0], 6)


def check_of(name: str, *, found: Any = None, **given: Any) -> Check:
    return CHECKS[name](evidence(processed=found, **given))


# ---------------------------------------------------------------- statistics of few curves


def test_medians_of_few_curves() -> None:
    assert pooled(alternating(5.0, 2.0)) == (5.0, pytest.approx(2.0 * OF_TWELVE))
    assert pooled(np.array([1.0, 3.0])) == (2.0, 0.0)
    assert pooled(np.array([1.0, 2.0, 3.0])) == (
        2.0,
        pytest.approx(1.2533 * 1.4826 / math.sqrt(3.0) * (1.0 + 2.0 / 3.0)),
    )
    assert pooled(np.array([7.0, np.nan]), 0.5) == (7.0, pytest.approx(1.2533 * 0.5 * 3.0))
    assert np.isnan(pooled(np.array([np.nan]))).all()


def test_lines_and_means_through_tables() -> None:
    x = np.tile(np.arange(6.0), (3, 1))
    y = 2.0 + 3.0 * x
    y[0, 5] = np.nan
    inside = np.ones(x.shape, bool)
    inside[1, 4:] = False
    inside[2, 3:] = False
    middle, level, slope = lines(x, y, inside)
    np.testing.assert_allclose(middle, [2.0, 1.5, np.nan])
    np.testing.assert_allclose(level, [8.0, 6.5, np.nan])
    np.testing.assert_allclose(slope, [3.0, 3.0, np.nan])
    table = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, 1.0], [5.0, 2.0]])
    np.testing.assert_allclose(mean_over_curves(table, 0.5), [3.0, np.nan])


# ---------------------------------------------------------------- sampling


@pytest.mark.parametrize(
    ("spacing", "asked", "verdict", "words"),
    [
        (1.53, 2.0, "fine", "appear 4 nm wide"),
        (1.55, 2.0, "doubtful", "smeared out"),
        (1.0, 1.3, "fine", "1 samples per nm (1 nm per sample)"),
        (2.9, 2.0, "doubtful", "smeared out"),
        (3.1, 2.0, "doubtful", "within 8.1 nm of the electrode"),
    ],
)
def test_windows_and_samples(spacing: float, asked: float, verdict: str, words: str) -> None:
    """Half a window holds 2.6 samples; of more than twice what was asked for it is told."""
    check = check_of(
        "sampling",
        found=measured(survey=survey(spacing=spacing * NM)),
        recipe={"half_width": asked * NM},
    )
    assert check.verdict == verdict
    assert words in check.advice
    assert check.found == pytest.approx(max(asked, 2.6 * spacing) * NM)
    assert (check.told, check.stderr) == (asked * NM, 0.0)


@pytest.mark.parametrize("spacing", [0.0, math.nan])
def test_heights_that_do_not_change_have_no_sampling(spacing: float) -> None:
    check = check_of("sampling", found=measured(survey=survey(spacing=spacing)))
    assert (check.verdict, check.found) == ("unknown", None)


# ---------------------------------------------------------------- baselines


def baselines(ends: Any, spacing: float = 0.1, n: int = 12, **values: Any) -> Any:
    """Measured curves of 1000 samples whose baselines have so many."""
    travel = np.full(n, 999 * spacing * NM)
    return measured(n, contacts=contacts(n, baseline_end=ends), travel=travel, **values)


@pytest.mark.parametrize(
    ("ends", "spacing", "verdict"),
    [(199, 0.1, "doubtful"), (201, 0.1, "fine"), (23, 1.0, "doubtful"), (24, 1.0, "fine")],
)
def test_baselines_that_are_too_short(ends: float, spacing: float, verdict: str) -> None:
    check = check_of("baseline", found=baselines(ends, spacing))
    assert check.verdict == verdict
    assert check.found == pytest.approx(ends * spacing * NM)
    assert check.stderr == pytest.approx(0.0, abs=1e-20)
    if verdict == "doubtful":
        assert "in 100 % of the curves it is shorter than 20 nm or 24 samples" in check.advice


@pytest.mark.parametrize(("samples", "length"), [(3, 25.0), (2, 50.0), (1, 50.0)])
def test_baselines_of_curves_of_few_samples(samples: int, length: float) -> None:
    found = measured(
        contacts=contacts(baseline_end=1.0),
        travel=np.full(12, 50 * NM),
        samples=np.full(12, samples),
    )
    check = check_of("baseline", found=found)
    assert check.found == pytest.approx(length * NM)


@pytest.mark.parametrize(("n", "verdict"), [(12, "fine"), (10, "fine"), (9, "doubtful")])
def test_two_short_baselines_among_others(n: int, verdict: str) -> None:
    """A fifth may be without one."""
    ends = np.full(n, 600.0)
    ends[:2] = [0.0, math.nan]
    assert check_of("baseline", found=baselines(ends, n=n), n=n).verdict == verdict


@pytest.mark.parametrize(("period", "verdict"), [(75.1, "unknown"), (74.9, "fine")])
def test_a_baseline_shorter_than_its_fringe(period: float, verdict: str) -> None:
    """Baselines of 60 nm hold 0.8 of 75 nm."""
    fringe = Fringe(wave=2.0 * np.pi / (period * NM))
    check = check_of("baseline", found=measured(survey=survey(fringe=fringe)), approach=signals())
    assert check.verdict == verdict
    assert ("less than a fringe of 75 nm" in check.advice) == (verdict == "unknown")


def bent(middle: float, apart: float, moved: float) -> SampledSignals:
    """Baselines of 600 samples: straight over 0.6, half off over 0.3, off at the end (nm)."""
    made = signals()
    steps = np.zeros(made.height.shape[1])
    steps[360:540], steps[540:600] = 0.5, 1.0
    off = alternating(middle, apart)[:, None] * steps * NM
    records = made.contacts.copy()
    records["outer_contact"] = moved * NM
    return replace(made, deflection=made.deflection + off, contacts=records)


@pytest.mark.parametrize(
    ("middle", "apart", "moved", "verdict", "words"),
    [
        (0.049, 0.0, 5.0, "fine", "and straight"),
        (0.051, 0.0, 0.31, "doubtful", "bent by 0.051 nm"),
        (-0.051, 0.0, -0.31, "doubtful", "would lie 0.31 nm elsewhere, and the true ones"),
        (0.051, 0.0, 0.29, "fine", "which their systematic error holds"),
        (0.05 + 4.9 * OF_TWELVE * 0.1, 0.1, 5.0, "fine", "and straight"),
        (0.05 + 5.1 * OF_TWELVE * 0.1, 0.1, 5.0, "doubtful", "would lie 5 nm elsewhere"),
    ],
)
def test_bent_baselines(
    middle: float, apart: float, moved: float, verdict: str, words: str
) -> None:
    """By more than five standard errors and half of the noise of 0.1 nm; 0.3 nm matter."""
    check = check_of("baseline", approach=bent(middle, apart, moved))
    assert check.verdict == verdict
    assert words in check.advice


@pytest.mark.parametrize(
    ("slow", "verdict", "words"),
    [
        (1.49, "fine", "and straight"),
        (1.51, "fine", "of white noise 1.5 times as large"),
        (1.99, "fine", "Contacts scatter by 0.7 nm"),
        (2.01, "doubtful", "Ramp faster"),
    ],
)
def test_slow_noise(slow: float, verdict: str, words: str) -> None:
    records = contacts(long_run=slow * 0.1 * NM)
    found = measured(contacts=records, survey=survey(contact_scatter=0.7 * NM))
    check = check_of("baseline", found=found, approach=signals())
    assert check.verdict == verdict
    assert words in check.advice


# ---------------------------------------------------------------- fringes


def fringe_of(*, rough: float = 1.0, ends: float = 610.0, **given: Any) -> Check:
    records = contacts(long_run=rough * 0.1 * NM, baseline_end=ends)
    flags = np.zeros(12, np.int64)
    flags[: given.pop("flagged", 0)] = BIT["structure"]
    found = measured(
        contacts=records, survey=survey(fringe=given.pop("fringe", Fringe())), quality=flags
    )
    return check_of("fringe", found=found, **given)


@pytest.mark.parametrize("sought", [True, False])
@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({"rough": 2.99}, "fine"),
        ({"rough": 3.01}, "doubtful"),
        ({"flagged": 6}, "fine"),
        ({"flagged": 7}, "doubtful"),
    ],
)
def test_structure_of_baselines(given: dict[str, Any], verdict: str, sought: bool) -> None:
    """Three times the noise that means of 16 have, or a flag on more than half of the curves."""
    check = fringe_of(**given, recipe={"contact.interference": sought})
    assert check.verdict == verdict
    told = "looks for no interference fringe" in check.advice
    assert told == (verdict == "doubtful" and not sought)


@pytest.mark.parametrize(
    ("period", "amplitude", "verdict"),
    [
        (76.0, 0.1, "fine"),
        (76.5, 0.1, "doubtful"),
        (50.0, 0.198, "fine"),
        (50.0, 0.200, "doubtful"),
    ],
)
def test_fringes_that_were_taken_out(period: float, amplitude: float, verdict: str) -> None:
    """61 nm hold 0.8 of 76.25 nm; slopes up to 0.025 were found to be right."""
    wave = 2.0 * np.pi / (period * NM)
    check = fringe_of(fringe=Fringe(wave=wave, amplitude=amplitude * NM))
    assert check.verdict == verdict
    assert check.found == pytest.approx(period * NM)
    if verdict == "doubtful":
        assert f"hold {61.0 / period:.2g} periods" in check.advice
        assert f"{100 * wave * amplitude * NM:.1f} % of the wall" in check.advice


def test_bends_that_may_be_fringes() -> None:
    left = Fringe(left=2.0 * np.pi / (200 * NM), amplitude=1.5 * NM)
    check = fringe_of(fringe=left)
    assert (check.verdict, check.found) == ("doubtful", pytest.approx(200 * NM))
    assert "bent by 1.5 nm" in check.advice
    assert "about 200 nm, of which 61 nm of baseline" in check.advice


@pytest.mark.parametrize(("ends", "verdict"), [(599.0, "unknown"), (601.0, "fine")])
def test_baselines_that_show_no_fringe(ends: float, verdict: str) -> None:
    assert fringe_of(ends=ends).verdict == verdict


# ---------------------------------------------------------------- lateral baselines


def tilted(slope: float, apart: float = 0.0) -> SampledSignals:
    """Lateral forces that change with the height (mN/m) over 0.7 of the baseline, and then fall."""
    made = signals()
    lateral = alternating(slope, apart)[:, None] * 1e-3 * made.height + 0j
    lateral[:, 420:] = -1.0
    return replace(made, lateral=lateral)


@pytest.mark.parametrize(
    ("approach", "retract", "verdict", "words"),
    [
        ((2.49, 0.0), None, "fine", "too little to matter"),
        ((2.51, 0.0), None, "unknown", "The other direction would tell"),
        ((-2.51, 0.0), None, "unknown", "changes by -2.5 pN"),
        ((2.40, 0.0), (2.62, 0.0), "doubtful", "alike in both directions"),
        ((2.40, 0.0), (2.58, 0.0), "fine", "too little to matter"),
        ((-2.51, 0.0), (-2.51, 0.0), "doubtful", "alike in both directions"),
        ((9.0, 0.0), (-9.0, 0.0), "fine", "the offset drifts in time"),
        ((9.0, 9.0 / OF_TWELVE / 4.1), (9.0, 0.0), "doubtful", "alike"),
        ((9.0, 9.0 / OF_TWELVE / 3.9), (9.0, 0.0), "unknown", "too uncertain to tell whether"),
        ((9.0, 0.0), (9.0, 9.0 / OF_TWELVE / 3.9), "unknown", "other direction is too uncertain"),
        ((9.0, 0.0), (-9.0, 9.0 / OF_TWELVE / 3.9), "unknown", "other direction is too uncertain"),
        ((9.0, 0.0), (-9.0, 9.0 / OF_TWELVE / 4.1), "fine", "the other way in the other direction"),
        ((0.0, 1.66 / OF_TWELVE), None, "fine", "too little to matter"),
        ((0.0, 1.68 / OF_TWELVE), None, "unknown", "too uncertain"),
    ],
)
def test_slopes_of_the_lateral_signal(
    approach: Any, retract: Any, verdict: str, words: str
) -> None:
    """With r_g of 1.25 and 1 nm of dither, 2.5 mN/m are 5 % of 10 MPa."""
    given = {"approach": tilted(*approach)}
    given |= {} if retract is None else {"retract": tilted(*retract)}
    modulus = np.full(60, 1e9)
    modulus[2:10] = 10e6
    check = check_of("lateral_baseline", of_moduli=profiles(modulus), **given)
    assert check.verdict == verdict
    assert words in check.advice
    assert check.found == pytest.approx(approach[0] * 1e-3, abs=1e-12)
    assert check.stderr == pytest.approx(approach[1] * OF_TWELVE * 1e-3, abs=1e-12)
    if verdict == "doubtful":
        tail = abs(approach[0] + retract[0]) / 2.0
        assert check.effect["storage_modulus"] == pytest.approx(100.0 * tail * 0.02)


def test_lateral_baselines_of_which_nothing_is_known() -> None:
    assert check_of("lateral_baseline", how=plan(in_phase=None)).verdict == "unknown"
    check = check_of("lateral_baseline")
    assert (check.verdict, check.found) == ("unknown", None)
    short = tilted(1.0)
    short.contacts["baseline_end"] = 4.0
    assert check_of("lateral_baseline", approach=short).found is None
