"""Verdicts and effects of the checks of the wall, on both sides of each of their bounds."""

from __future__ import annotations

import cmath
import math
from typing import Any

import numpy as np
import pytest
from made_evidence import NM, NN, SLIPPING, UNSURE, contacts, evidence, measured, plan, survey, wall

from nrm_plugin.engine.checks import CHECKS, Check, phase_of_the_wall
from nrm_plugin.engine.checks.wall_phase import _phase_suspects, _wrapped
from nrm_plugin.engine.checks.wall_signal import (
    _dependence,
    _without_layer,
    pooled,
    pooled_complex,
    readable_signal,
    wall_signal,
)
from nrm_plugin.engine.signals import ScaledChannel
from nrm_plugin.errors import InvalidInput
from nrm_plugin.kernels import LATERAL_CHECK
from nrm_plugin.variables import BIT

#: Motion over the dither on a contact of 150 N/m under a lever of 26 N/m.
USUAL = 150.0 / 176.0


def both(check: Check) -> tuple[float, float]:
    """Effect on E' and E''."""
    return check.effect["storage_modulus"], check.effect["loss_modulus"]


# ---------------------------------------------------------------- motion of the tip


def scale_of(ratio: float, *, like: Any = None, **given: Any) -> Check:
    """The check of a tip that moves by a part of the dither."""
    on_wall = wall(ratio * 26.0 * NN, **(like or {}))
    return CHECKS["lateral_scale"](evidence(on_wall=on_wall, **given))


@pytest.mark.parametrize(
    ("ratio", "verdict", "words"),
    [
        (1.151, "wrong", "1.15 times as far, which cannot be"),
        (1.149, "unknown", "a little more than is possible"),
        (1.051, "unknown", "a little more than is possible"),
        (1.049, "fine", "as a tip does that sticks"),
        (0.721, "fine", "as a tip does that sticks"),
        (0.719, "unknown", "the contact may be soft"),
        (0.251, "unknown", "the contact may be soft"),
        (0.249, "doubtful", "does not depend on the load"),
        (0.121, "doubtful", "does not depend on the load"),
        (0.119, "wrong", "does not depend on the load"),
    ],
)
def test_motion_of_a_tip_that_sticks(ratio: float, verdict: str, words: str) -> None:
    check = scale_of(ratio)
    assert check.verdict == verdict
    assert words in check.advice
    assert check.found == pytest.approx(ratio * NM)
    assert check.stderr == pytest.approx(ratio * NM / 1000)
    if verdict in ("wrong", "doubtful"):
        assert both(check) == pytest.approx([100.0 * (USUAL / ratio - 1.0)] * 2)
        factor = max(USUAL / ratio, ratio / USUAL)
        assert f"wrong by about a factor of {factor:.2g}" in check.advice


@pytest.mark.parametrize(("exponent", "verdict"), [(0.119, "wrong"), (0.121, "unknown")])
def test_a_soft_contact_shows_by_the_load(exponent: float, verdict: str) -> None:
    """With twice its standard error an exponent of 0.14 is that of a soft contact."""
    assert scale_of(0.1, like={"exponent": exponent}).verdict == verdict


@pytest.mark.parametrize(("ratio", "verdict"), [(0.674, "wrong"), (0.676, "unknown")])
def test_glass_is_no_soft_contact(ratio: float, verdict: str) -> None:
    """At least 90 N/m, so that the tip moves by 0.776 of the dither, less 15 %."""
    assert scale_of(ratio, metadata={"electrode": "bare Glass"}).verdict == verdict


def test_a_tip_that_slips_says_only_what_is_too_large() -> None:
    check = scale_of(0.5, like=SLIPPING)
    assert check.verdict == "unknown"
    assert "more than 2.3 times too large could" in check.advice
    assert "goes as load to the power 0.90" in check.advice
    assert scale_of(1.151, like=SLIPPING).verdict == "wrong"
    assert "Whether the tip sticks there is not known" in scale_of(0.9, like=UNSURE).advice


@pytest.mark.parametrize(
    ("ratio", "method", "verdict"),
    [
        (0.951, "", "unknown"),
        (0.950, "", "fine"),
        (0.951, "lock and move", "unknown"),
        (0.951, "Lock and move, corrected", "fine"),
        (0.951, "wedge", "fine"),
    ],
)
def test_a_sensitivity_from_a_contact_that_was_not_corrected(
    ratio: float, method: str, verdict: str
) -> None:
    """In volts a motion as on more than 500 N/m is also that of its own calibration."""
    metadata = {"lateral_sensitivity_method": method} if method else {}
    check = scale_of(ratio, metadata=metadata, lateral_unit="V")
    assert check.verdict == verdict
    if verdict == "unknown":
        assert both(check) == pytest.approx([100.0 * (1.0 / 1.52 - 1.0)] * 2)
    assert scale_of(ratio, metadata=metadata).verdict == "fine"


@pytest.mark.parametrize(
    ("stiffness", "ratio", "method", "verdict", "words"),
    [
        (26.0, 1.3, "pressed on glass", "doubtful", "here by up to 1.52"),
        (26.0, 1.53, "pressed on glass", "wrong", "factor of"),
        (26.0, 1.3, "pressed, corrected", "wrong", "which does not explain it"),
        (26.0, 1.3, "wedge", "wrong", "which does not explain it"),
        (26.0, 1.3, "", "wrong", "if it was calibrated on a contact"),
        (10.0, 1.25, "pressed on glass", "doubtful", "here by up to 1.20"),
        (10.0, 1.27, "pressed on glass", "wrong", "which does not explain it"),
        (10.0, 1.46, "", "wrong", "factor of 1.6"),
    ],
)
def test_a_tip_that_moves_too_far(
    stiffness: float, ratio: float, method: str, verdict: str, words: str
) -> None:
    check = CHECKS["lateral_scale"](
        evidence(
            on_wall=wall(ratio * stiffness * NN),
            how=plan(lateral_stiffness=stiffness),
            metadata={"lateral_sensitivity_method": method} if method else {},
            lateral_unit="V",
        )
    )
    assert check.verdict == verdict
    assert words in check.advice
    assert "lateral_sensitivity" in check.advice


def test_what_is_not_told_holds_no_motion_against_the_dither() -> None:
    check = scale_of(0.9, missing=("lateral_sensitivity", "dither_amplitude"))
    assert (check.verdict, check.found) == ("unknown", None)
    assert "dither_amplitude, lateral_sensitivity not told" in check.advice
    check = scale_of(0.9, how=plan(lateral_stiffness=0.0))
    assert check.verdict == "unknown"
    assert "lateral_stiffness not told" in check.advice


def test_suspects_are_those_that_were_used() -> None:
    assert "lateral_stiffness" in scale_of(1.2).advice.split("Look at")[1]
    check = scale_of(1.6, metadata={"lockin_sensitivity": 1e-3}, lateral_unit="V")
    assert "lockin_sensitivity (1 mV)" in check.advice
    assert "and lateral_sensitivity" in check.advice


# ---------------------------------------------------------------- stick or slip


def test_what_would_stick() -> None:
    """Friction of 0.3 times the load holds lever and contact in series; loads are of a quarter."""
    check = CHECKS["stick"](evidence(on_wall=wall()))
    series, load = 150.0 * 26.0 / 176.0, 0.3 * 20 * NM / 0.875
    assert check.told == pytest.approx(series * NM / (0.3 * load))
    assert (check.verdict, check.found) == ("fine", "sticks")
    assert "sticks up to a dither of 93 pm" in check.advice
    blind = CHECKS["stick"](evidence(on_wall=wall(), how=plan(lateral_stiffness=0.0)))
    assert (blind.verdict, blind.told) == ("fine", None)
    assert "friction coefficient" not in blind.advice
    soft = CHECKS["stick"](evidence(on_wall=wall(), how=plan(spring_constant=math.nan)))
    assert (soft.verdict, soft.told) == ("fine", None)
    lost = CHECKS["stick"](evidence(on_wall=wall(), missing=("lateral_sensitivity",)))
    assert (lost.verdict, lost.told) == ("fine", None)


@pytest.mark.parametrize(
    ("like", "found", "words"),
    [
        (SLIPPING, "slips", "the tip slips on the wall"),
        (UNSURE, None, "do not say whether the tip sticks: the lateral force goes"),
        ({"exponent": math.nan}, None, "their loads differ too little"),
        (
            {"phase": 0.5669, "motion": 0.6, "exponent": 0.1, "turn": -0.02},
            None,
            "also those of a tip that adhesion presses on",
        ),
    ],
)
def test_what_does_not_stick_for_sure(like: dict[str, float], found: str, words: str) -> None:
    check = CHECKS["stick"](evidence(on_wall=wall(**like)))
    assert (check.verdict, check.found) == ("unknown", found)
    assert words in check.advice


@pytest.mark.parametrize(
    ("like", "sticks"),
    [
        ({"exponent": 0.621}, False),
        ({"exponent": 0.619}, None),
        ({"exponent": 0.401}, None),
        ({"exponent": 0.399}, True),
        ({"exponent": -0.3}, True),
        ({"turn": 0.0370}, False),
        ({"turn": -0.0370}, False),
        ({"turn": 0.0368}, None),
        ({"turn": 0.0330}, None),
        ({"turn": -0.0328}, True),
        ({"hidden": True}, None),
        ({"exponent": math.nan}, None),
        ({"force_stderr": 2.35 * NN}, None),
        ({"force_stderr": 2.33 * NN}, True),
    ],
)
def test_who_sticks(like: dict[str, Any], sticks: bool | None) -> None:
    assert wall(**like).sticks is sticks


@pytest.mark.parametrize(
    ("like", "may"),
    [
        ({}, True),
        ({"motion": 0.681}, True),
        ({"motion": 0.682}, False),
        ({"exponent": 0.0415, "turn": -0.02}, False),
        ({"exponent": 0.0420, "turn": -0.02}, True),
        ({"turn": -0.0088}, True),
        ({"turn": -0.0086}, False),
        ({"phase": 0.0}, False),
        ({"phase": -0.5669}, False),
        ({"phase": 1.6}, False),
    ],
)
def test_a_slider_at_half_of_its_friction(like: dict[str, float], may: bool) -> None:
    """theta = pi/2: phase atan(2/pi), motion 0.5927, exponent 0.906, turn -0.577 (closed form)."""
    half: dict[str, float] = {"phase": math.atan(2.0 / math.pi), "motion": 0.6}
    half |= {"exponent": 0.08, "turn": -0.02}
    assert wall(**half | like).may_slip is may


# ---------------------------------------------------------------- what the walls say


def test_a_layer_is_a_spring_beside_the_contact() -> None:
    lever, contact, layer = 26.0, 100.0, 10.0 + 2.0j
    both_springs = contact + layer
    force = np.array([[lever * both_springs / (both_springs + lever)]]) * NN
    alone = lever * contact / (contact + lever) * NN
    found = _without_layer(force, layer * NN, lever * NN, corrected=True)
    assert found[0, 0] == pytest.approx(alone)
    bent = lever * layer / (layer + lever) * NN
    found = _without_layer(force, bent, lever * NN, corrected=False)
    assert found[0, 0] == pytest.approx(alone)


@pytest.mark.parametrize(("size", "untouched"), [(1.11, True), (1.09, False)])
def test_forces_that_cannot_be_are_left(size: float, untouched: bool) -> None:
    force = np.array([[size * 26.0 * NN + 0j]])
    found = _without_layer(force, 1 * NN, 26.0 * NN, corrected=True)
    assert bool(found[0, 0] == force[0, 0]) is untouched
    assert _without_layer(force, complex(math.nan), 26.0 * NN, corrected=True) is force


def test_exponent_and_turn_are_of_the_two_highest_quarters() -> None:
    load = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, np.nan], [1.0, 1.24, 0, 0]])
    load = np.vstack([load, [1.0, 1.26, 0, 0], [1.0, 2.0, 3.0, 4.0]])
    force = load**0.4 * np.exp(0.01j * np.arange(4))
    exponents, turns = _dependence(force, load, np.array([3, 2, 1, 1, 0]))
    np.testing.assert_allclose(exponents, [0.4, 0.4, np.nan, 0.4, np.nan])
    np.testing.assert_allclose(turns, [0.01, 0.01, np.nan, 0.01, np.nan], rtol=1e-9)


def test_pools_are_medians_with_errors_from_the_scatter() -> None:
    middle, error = pooled(np.array([1.0, 2.0, 3.0, 4.0, 100.0, np.nan]))
    assert (middle, error) == (3.0, pytest.approx(1.2533 * 1.4826 / math.sqrt(5.0)))
    assert np.isnan(pooled(np.array([1.0, 2.0]))).all()
    assert np.isfinite(pooled(np.array([1.0, 2.0, 3.0]))).all()
    mean, none = pooled_complex(np.array([1.0 + 1j, 3.0 - 1j, np.nan]))
    assert mean == 2.0
    assert math.isnan(none)
    values = np.array([1.0 + 10j, 2.0 + 20j, 3.0 + 30j])
    assert pooled_complex(values) == (2.0 + 20j, pooled(values.imag)[1])
    assert pooled_complex(values * 1j) == (-20.0 + 2j, pooled(values.imag)[1])


def walls(n: int = 6) -> Any:
    """Forces as load^0.2 that turn by 0.01 rad; the last curve is flagged, the one before empty."""
    lateral = np.zeros(n, LATERAL_CHECK)
    load = np.array([5.0, 10.0, 15.0, 20.0]) * NM
    force = 20 * NN * (load / load[3]) ** 0.2 * np.exp(0.01j * (np.arange(4) + 1))
    lateral["onset"], lateral["load"] = -1 * NM, load - 1 * NM
    lateral["wall_x"], lateral["wall_y"] = force.real, force.imag
    lateral["wall_x"][-2] = np.nan
    lateral["wall_x"][-1] *= 100.0
    quality = np.zeros(n, np.int64)
    quality[-1] = BIT["no_hard_contact"]
    return measured(n, lateral=lateral, quality=quality)


def pooled_walls(layer: complex = complex(math.nan), **given: Any) -> Any:
    made = walls()
    made.layer[:] = layer
    known = evidence(processed=made, **given)
    known._known.pop("signal of the walls")
    return wall_signal(known)


def test_the_pool_of_the_walls() -> None:
    found = pooled_walls()
    assert found.n_curves == 4
    assert found.force == pytest.approx(20 * NN * cmath.exp(0.04j))
    assert found.contact == found.force
    assert (found.exponent, found.turn) == (pytest.approx(0.2), pytest.approx(0.01))
    assert found.phase == pytest.approx(0.04)
    assert found.load == pytest.approx(20 * NM)
    assert found.motion == pytest.approx(20.0 / 26.0)
    assert found.force_stderr < 1e-20
    assert not found.hidden
    assert math.isnan(pooled_walls(missing=("lateral_stiffness",)).motion)
    assert math.isnan(pooled_walls(how=plan(lateral_stiffness=0.0)).motion)


def test_a_layer_that_pulls_more_than_the_contact_hides_it() -> None:
    """A contact of 7.8 N/m has 6 of the 20 nN: less is 0.3 of the force and hides behind it."""
    ratio = 20.0 / 26.0 * cmath.exp(0.04j)
    for own, hidden in ((7.7, True), (7.9, False)):
        layer = (26.0 * ratio / (1.0 - ratio) - own) * NN
        found = pooled_walls(layer=layer)
        assert found.hidden is hidden
        assert found.layer == pytest.approx(layer)
        assert found.force == pytest.approx(20 * NN * cmath.exp(0.04j))
    assert found.contact == pytest.approx(26.0 * 7.9 / 33.9 * NN)


def test_why_nothing_is_said() -> None:
    signal, why = readable_signal(evidence(on_wall=wall(), how=plan(in_phase=None)))
    assert (signal, why) == (None, "there is no lateral signal")
    signal, why = readable_signal(evidence(on_wall=None))
    assert signal is None
    assert "no curve ends on a wall" in why
    signal, why = readable_signal(evidence(on_wall=wall(force_stderr=2.35 * NN)))
    assert signal is None
    assert "is the dither on" in why
    for name in ("lateral_scale", "lockin_phase", "stick"):
        assert CHECKS[name](evidence(on_wall=None)).verdict == "unknown"


# ---------------------------------------------------------------- phase


def phase_of(degrees: float, *, like: Any = None, **given: Any) -> Check:
    """The check of a tip whose force is out of phase."""
    turned = cmath.rect(0.9 * 26.0 * NN, math.radians(degrees))
    return CHECKS["lockin_phase"](evidence(on_wall=wall(turned, **(like or {})), **given))


@pytest.mark.parametrize(
    ("degrees", "verdict"),
    [
        (2.61, "fine"),
        (-2.61, "fine"),
        (2.62, "doubtful"),
        (-2.62, "doubtful"),
        (11.99, "doubtful"),
        (12.01, "wrong"),
        (-12.01, "wrong"),
    ],
)
def test_phase_of_a_tip_that_sticks(degrees: float, verdict: str) -> None:
    """Beyond 2.5 degrees and twice the error of 0.0573 it is doubtful, beyond 12 wrong."""
    off = math.radians(degrees)
    check = phase_of(degrees, metadata={"lockin_phase": 3.1})
    assert check.verdict == verdict
    assert check.found == pytest.approx(3.1 + off - (2 * math.pi if 3.1 + off > math.pi else 0.0))
    assert check.stderr == 1e-3
    turned = (1 + 0.2j) * cmath.exp(-1j * off)
    expected = [100 * (turned.real - 1), 100 * (turned.imag / 0.2 - 1)]
    assert both(check) == pytest.approx(expected)
    assert ("A film under the tip" in check.advice) == (verdict == "doubtful" and degrees > 0)
    if verdict == "doubtful":
        assert f"{degrees:+.1f} degrees out of phase" in check.advice
        assert f"should be {math.degrees(check.found):.1f} degrees" in check.advice


def test_phases_that_nobody_told() -> None:
    assert "taken as 0" in phase_of(1.0).advice
    assert "taken as 0" in phase_of(5.0).advice
    assert "taken as 0" not in phase_of(5.0, metadata={"lockin_phase": 0.0}).advice
    assert phase_of(20.0).verdict == "wrong"
    assert phase_of(20.0, missing=("lockin_phase",)).verdict == "unknown"
    told = {"metadata": {"lockin_phase": 0.1}, "missing": ("dither_amplitude",)}
    assert phase_of(20.0, **told).verdict == "wrong"


@pytest.mark.parametrize(
    ("degrees", "verdict", "words"),
    [
        (-6.18, "wrong", "6 degrees ahead of the dither"),
        (-6.16, "unknown", "nrm calibrate phase"),
        (92.66, "unknown", "nrm calibrate phase"),
        (92.68, "wrong", "93 degrees behind the dither"),
    ],
)
def test_phase_of_a_tip_that_slips(degrees: float, verdict: str, words: str) -> None:
    """It may lag by 90 degrees and 2.5, and be ahead by 6, each beyond three errors."""
    check = phase_of(degrees, like=SLIPPING)
    assert check.verdict == verdict
    assert words in check.advice
    assert ("not told and taken as 0" in check.advice) == (verdict == "unknown")


@pytest.mark.parametrize(
    ("layer", "error", "words"),
    [
        (-1 + 0.5j, 1e-3, "opposite to the dither"),
        (-1 + 1.1j, 1e-3, ""),
        (-0.0049 + 0.0001j, 1e-3, ""),
        (1 - 0.031j, 1e-3, "ahead of the dither"),
        (1 - 0.029j, 1e-3, ""),
        (0.1 - 0.0051j, 1e-3, "ahead of the dither"),
        (0.1 - 0.0049j, 1e-3, ""),
        (1 + 0.5j, 1e-3, ""),
        (-1 + 0.5j, 0.23, ""),
        (-1 + 0.5j, math.nan, ""),
    ],
)
@pytest.mark.parametrize("like", [{}, SLIPPING])
def test_layers_that_drive_the_tip(
    layer: complex, error: float, words: str, like: dict[str, float]
) -> None:
    """A passive layer has a positive loss; one with a negative E' is none."""
    check = phase_of(0.0, like={"layer": layer * NN, "layer_stderr": error * NN, **like})
    usual = "unknown" if like else "fine"
    assert check.verdict == ("doubtful" if words else usual)
    assert words in check.advice


@pytest.mark.parametrize(
    ("told", "off", "words"),
    [
        (0.3, -0.6, ["wrong sign"]),
        (0.3, -0.6 + math.radians(5.9), ["wrong sign"]),
        (0.3, -0.6 - math.radians(6.1), ["should be"]),
        (0.3, math.pi / 2 - 0.6, ["swapped"]),
        (0.3, math.pi - 0.1, ["half a turn"]),
        (0.3, 0.7, ["should be 57 degrees"]),
        (0.05, -0.1, ["should be"]),
        (math.pi / 4, -math.pi / 2, ["wrong sign"]),
        (math.pi / 4, 0.0, ["swapped"]),
        (math.nan, 0.5, ["never told, and should be 29 degrees"]),
        (math.nan, math.pi / 2, ["never told", "swapped"]),
    ],
)
def test_likely_reasons_of_a_phase(told: float, off: float, words: list[str]) -> None:
    likely = _phase_suspects(told, off).split(". Look at")[0]
    likely = likely.replace("lockin_phase, or Y, has", "sign").split(", or ")
    assert len(likely) == len(words)
    assert all(any(word in one for one in likely) for word in words)


def test_angles_end_at_half_a_turn() -> None:
    assert _wrapped(math.pi) == pytest.approx(math.pi)
    assert _wrapped(-math.pi) == pytest.approx(math.pi)
    assert _wrapped(1.5 * math.pi) == pytest.approx(-0.5 * math.pi)
    assert _wrapped(-3.0) == -3.0


@pytest.mark.parametrize(
    ("force", "stiffness", "film"), [(0.9, 26.0, "1.7"), (1.2, 26.0, "0.0"), (0.9, 0.0, "8.6")]
)
def test_the_phase_of_the_wall(force: float, stiffness: float, film: str) -> None:
    """A film with a loss tangent of 0.3 turns it by what the tip does not move."""
    turned = cmath.rect(force * 26.0 * NN, 0.05)
    given: dict[str, Any] = {"on_wall": wall(turned), "how": plan(lateral_stiffness=stiffness)}
    found = phase_of_the_wall(evidence(metadata={"lockin_phase": 0.1}, **given))
    assert found.value == pytest.approx(0.15)
    assert f"{film} degrees too large" in found.source
    assert "8.59 +- 0.06 degrees on 12 curves" in found.source
    assert "told were 5.7" in found.source
    assert phase_of_the_wall(evidence(**given)).value == pytest.approx(0.05)
    check = CHECKS["lockin_phase"](evidence(recipe={"lateral.phase": "wall"}, **given))
    assert check.verdict == "fine"
    assert "the recipe takes the wall's phase" in check.advice


@pytest.mark.parametrize(
    ("on_wall", "words"), [(None, "no curve ends"), (wall(**SLIPPING), "the tip slips there")]
)
def test_no_phase_is_taken_from_walls_that_cannot_tell(on_wall: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        phase_of_the_wall(evidence(on_wall=on_wall))


# ---------------------------------------------------------------- slope of the wall


def slope_of(steep: float, *, error: float = 0.002, recipe: Any = None, **given: Any) -> Check:
    """The check of walls with a slope."""
    made = measured(survey=survey(slope=-steep, slope_stderr=error))
    return CHECKS["deflection_sensitivity"](evidence(processed=made, recipe=recipe, **given))


@pytest.mark.parametrize(
    ("steep", "verdict"),
    [
        (1.0559, "fine"),
        (1.0561, "doubtful"),
        (1.1559, "doubtful"),
        (1.1561, "wrong"),
        (0.9441, "fine"),
        (0.9439, "unknown"),
        (0.8941, "unknown"),
        (0.8939, "doubtful"),
    ],
)
def test_slopes_of_walls(steep: float, verdict: str) -> None:
    """Off by more than 5 % (15 %) and three errors; from 0.9 on, an electrode may give way."""
    check = slope_of(steep)
    assert check.verdict == verdict
    assert check.found == steep
    assert check.stderr == pytest.approx(0.002)
    assert both(check) == (0.0, 0.0)
    told = slope_of(steep, recipe={"contact.distance": "told"})
    assert told.verdict == verdict
    assert np.isnan(both(told)).all()
    assert "leak into the inner moduli" in told.advice
    if steep < 1.0 and verdict != "fine":
        assert f"a contact of {0.3 * steep / (1.0 - steep):.2g} N/m" in check.advice


@pytest.mark.parametrize(
    ("steep", "air"), [(1.29, False), (1.31, True), (1.44, True), (1.46, False), (0.75, True)]
)
def test_an_index_of_refraction_is_named(steep: float, air: bool) -> None:
    assert ("refractive index" in slope_of(steep).advice) == air


def test_the_sensitivity_that_walls_show() -> None:
    how = plan(deflection=ScaledChannel("deflection", -50e-9))
    check = slope_of(1.25, metadata={"deflection_sensitivity": -50e-9}, how=how)
    assert (check.told, check.unit) == (50e-9, "m/V")
    assert check.found == pytest.approx(40e-9)
    assert check.stderr == pytest.approx(40e-9 * 0.002 / 1.25)
    blind = slope_of(1.25, missing=("deflection_sensitivity",), how=how)
    assert (blind.verdict, blind.told, blind.found) == ("unknown", None, pytest.approx(40e-9))


@pytest.mark.parametrize(("spacing", "verdict"), [(4.9, "doubtful"), (5.1, "unknown")])
def test_curves_without_a_wall(spacing: float, verdict: str) -> None:
    made = measured(survey=survey(walls=False, spacing=spacing * NM))
    check = CHECKS["deflection_sensitivity"](evidence(processed=made))
    assert (check.verdict, check.found) == (verdict, None)


@pytest.mark.parametrize(
    ("pool_error", "curve_error", "agreeing", "found", "error"),
    [
        (0.019, 0.01, 12, 0.9, 0.019),
        (0.021, 0.01, 12, 0.97, 0.003),
        (0.021, 0.021, 12, 0.9, 0.021),
        (0.021, 0.01, 6, 0.9, 0.021),
        (0.021, 0.01, 7, 0.97, 0.003),
    ],
)
def test_curves_that_agree_are_surer_than_their_pool(
    pool_error: float, curve_error: float, agreeing: int, found: float, error: float
) -> None:
    records = contacts(wall_slope=-0.97, wall_slope_stderr=curve_error)
    records["wall_slope_stderr"][agreeing:] = 0.5
    made = measured(survey=survey(slope=-0.9, slope_stderr=pool_error), contacts=records)
    check = CHECKS["deflection_sensitivity"](evidence(processed=made))
    assert check.found == pytest.approx(found)
    assert check.stderr == pytest.approx(error)


@pytest.mark.parametrize(("spread", "agree"), [(0.0130, True), (0.0137, False)])
def test_curves_agree_within_two_hundredths(spread: float, agree: bool) -> None:
    """Half of the slopes lie `spread` above, half below: a standard deviation of 1.4826 times."""
    records = contacts(wall_slope_stderr=0.01)
    records["wall_slope"] = -0.97 + spread * np.tile([-1.0, 1.0], 6)
    made = measured(survey=survey(slope=-0.9, slope_stderr=0.021), contacts=records)
    check = CHECKS["deflection_sensitivity"](evidence(processed=made))
    assert check.found == pytest.approx(0.97 if agree else 0.9)
    assert check.stderr == pytest.approx(1.4826 * spread / math.sqrt(12) if agree else 0.021)


# ---------------------------------------------------------------- lever and shape


def stiffness_of(layer: float, **given: Any) -> Check:
    """The check of a layer that pulls with some nN at 1 nm of dither."""
    return CHECKS["lateral_stiffness"](evidence(on_wall=wall(layer=layer * NN + 0j), **given))


@pytest.mark.parametrize(
    ("layer", "stderr", "verdict"),
    [(7.79, 2.6, "fine"), (7.81, 2.6, "unknown"), (5.19, None, "fine"), (5.21, None, "unknown")],
)
def test_what_the_lever_s_own_error_does(layer: float, stderr: float, verdict: str) -> None:
    """Twice layer over lever times its error, of 15 % where nobody told it; more than 6 % count."""
    metadata = {"lateral_stiffness": 26.0}
    metadata |= {"lateral_stiffness_stderr": stderr} if stderr else {}
    check = stiffness_of(layer, metadata=metadata)
    assert check.verdict == verdict
    relative = 0.1 if stderr else 0.15
    assert both(check) == pytest.approx([200.0 * layer / 26.0 * relative] * 2)
    assert f"up to {100 * layer / (26.0 + layer):.2g} % of the dither" in check.advice
    assert ("its error of 10 %" if stderr else "15 % of error") in check.advice
    assert "No wall shows it" in check.advice


@pytest.mark.parametrize(("layer", "verdict"), [(0.299, "fine"), (0.301, "unknown")])
def test_a_lever_that_nobody_told(layer: float, verdict: str) -> None:
    """As on a lever of 20 N/m, which gives way by less than 3 % of E'."""
    check = stiffness_of(layer)
    assert (check.verdict, check.found) == (verdict, None)
    assert both(check) == pytest.approx([200.0 * layer / 20.0] * 2)
    assert "in volts" not in check.advice
    volts = stiffness_of(layer, lateral_unit="V")
    assert volts.verdict == "unknown"
    assert "in volts" in volts.advice


def test_volts_are_proportional_to_the_lever() -> None:
    metadata = {"lateral_stiffness": 26.0}
    assert "also proportional to it" in stiffness_of(1.0, metadata=metadata, lateral_unit="V").text
    assert "No wall shows it" not in stiffness_of(1.0, metadata=metadata, lateral_unit="V").text


def test_levers_of_which_nothing_is_said() -> None:
    assert "no layer above the wall" in CHECKS["lateral_stiffness"](evidence()).advice
    lost = stiffness_of(1.0, missing=("dither_amplitude", "lateral_stiffness"))
    assert lost.verdict == "unknown"
    assert lost.advice.startswith("dither_amplitude not told")
    none = stiffness_of(1.0, how=plan(in_phase=None))
    assert none.advice == "there is no lateral signal"
