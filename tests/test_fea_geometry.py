"""Tips, layers and moduli: their shapes, and that nonsense is refused by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nrm_plugin import NrmError
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea import (
    Layer,
    ShapeFactor,
    Steps,
    Tabulated,
    Tip,
    apparent_modulus,
    fields,
    influence,
    lateral_force,
    shape_factor,
)
from nrm_plugin.fea.forces import LateralForce
from nrm_plugin.fea.pool import Workers

NM = 1e-9
TIP, LAYER = Tip(10 * NM), Layer(100 * NM, 1e6, 0.49, 400 * NM)


def force(tip: Tip = TIP, layer: Layer = LAYER, depths: Any = 50 * NM, **options: Any) -> Any:
    options = {"amplitude": NM, "fineness": 0.4, "workers": 1} | options
    return lateral_force(tip, layer, depths, **options).force


# ---------------------------------------------------------------- shapes


@pytest.mark.parametrize("half_angle", [0.0, 0.3, 1.0])
def test_surface_of_a_tip(half_angle: float) -> None:
    """A sphere up to where the cone touches it, then the cone; the normal is across."""
    tip = Tip(2.0, half_angle)
    on_cap = np.linspace(0.0, tip.cap_length, 7)
    r, z = tip.surface(on_cap)
    np.testing.assert_allclose(np.hypot(r, z - 2.0), 2.0, rtol=1e-12)
    assert z[-1] == pytest.approx(tip.cap_height, rel=1e-12)
    beyond = tip.cap_length + np.array([1.0, 3.0])
    steps = np.diff(tip.surface(beyond))[:, 0]
    assert steps == pytest.approx([2.0 * math.sin(half_angle), 2.0 * math.cos(half_angle)])
    assert tip.normal(beyond)[:, 0] @ steps == pytest.approx(0.0, abs=1e-12)
    for height in (1e-12, 0.1, tip.cap_height, 5.0):
        assert tip.surface(tip.length(height))[1] == pytest.approx(height, rel=1e-12)


def test_steps_and_tables() -> None:
    steps = Steps([45 * NM, 55 * NM], [1e6, 10e6 + 1e6j, 2e6])
    assert steps(np.array([0.0, 50 * NM, 99 * NM])).tolist() == [1e6, 10e6 + 1e6j, 2e6]
    table = Tabulated([10 * NM, 30 * NM], [1e6, 4e6 * np.exp(0.2j)])
    middle = table(np.array([20 * NM]))[0]
    assert abs(middle) == pytest.approx(2e6)
    assert np.angle(middle) == pytest.approx(0.1)
    assert table(np.array([0.0, 1.0]))[0] == pytest.approx(1e6)
    assert table(np.array([0.0, 1.0]))[1] == pytest.approx(4e6 * np.exp(0.2j))


def test_a_layer_knows_its_interfaces_and_its_radius() -> None:
    layer = Layer(100 * NM, Steps([-1.0, 45 * NM, 2.0], [1.0, 1.0, 2.0, 2.0]))
    assert layer.interfaces == (45 * NM,)
    assert layer.radius(TIP) == pytest.approx(1010 * NM)
    assert replace(layer, domain=400 * NM).radius(TIP) == 400 * NM


def test_what_was_given_may_change_afterwards() -> None:
    edges, moduli = np.array([40 * NM]), np.array([1e6, 2e6], complex)
    steps = Steps(edges, moduli)
    edges[0], moduli[0] = 90 * NM, 7.0
    assert steps(np.array([20 * NM, 50 * NM])).tolist() == [1e6, 2e6]


# ---------------------------------------------------------------- what is refused, and how

REQUESTS: list[tuple[Callable[[], object], str]] = [
    (lambda: Tip(-1 * NM), "the tip's radius is -1 nm"),
    (lambda: Tip(0.0), "the tip's radius is 0 m"),
    (lambda: Tip(10 * NM, half_angle=1.5), "half angle 85.94° is not between"),
    (lambda: Tip(10 * NM, half_angle=-0.1), "half angle -5.73°"),
    (lambda: Layer(-100 * NM), "the layer's thickness is -100 nm"),
    (lambda: Layer(100 * NM, poisson_ratio=0.51), "Poisson ratio of 0.51 .*0.5 is incompressible"),
    (lambda: Layer(100 * NM, poisson_ratio=-0.1), "Poisson ratio of -0.1"),
    (lambda: Layer(100 * NM, modulus=-1e6), "storage modulus must be positive"),
    (lambda: Layer(100 * NM, modulus=1e6j), "storage modulus must be positive"),
    (lambda: Layer(100 * NM, modulus=1e6 + 1j * np.inf), "both parts finite"),
    (lambda: Layer(100 * NM, modulus=1e-320), "that soft or stiff"),
    (lambda: Layer(100 * NM, modulus=1e300), "that soft or stiff"),
    (lambda: Layer(100 * NM, domain=0.0), "the domain's radius is 0 m"),
    (lambda: force(depths=0.0), "depth of 0 m is not inside"),
    (lambda: force(depths=-5 * NM), "depth of -5 nm is not inside"),
    (lambda: force(depths=100 * NM), "100 nm the tip would go through the electrode"),
    (lambda: force(depths=[50 * NM, 120 * NM]), "at a depth of 120 nm the tip would go through"),
    (lambda: force(depths=99.99 * NM), "99.99 nm is too close"),
    (lambda: force(depths=0.01 * NM), "10 pm is too close"),
    (lambda: force(depths=[]), "at least one"),
    (lambda: force(depths=[[50 * NM]]), r"depths must be in one row, not an array of shape \(1, 1"),
    (lambda: force(Tip(500 * NM)), "no room around a tip of radius 500 nm"),
    (lambda: force(layer=replace(LAYER, domain=11 * NM)), "radius 11 nm has no room"),
    (lambda: force(layer=replace(LAYER, domain=1.0)), "needlessly wide"),
    (lambda: force(layer=Layer(1.0), depths=0.5), "10000 tip radii thick"),
    (lambda: force(Tip(1e-300)), "10000 tip radii thick"),
    (lambda: force(amplitude=0.0), "the amplitude is 0 m"),
    (lambda: force(fineness=100.0), "fineness of 100 is not between"),
    (lambda: force(resolution=-1.0), "the resolution is -1 m"),
    (lambda: force(resolution=1e-15), "more than 1000 parts"),
    (lambda: Workers(0), "number of processes is 0"),
    (lambda: force(workers=-1), "number of processes is -1"),
    (lambda: force(workers=1.5), "number of processes is 1.5"),
]


@pytest.mark.parametrize(("request_", "said"), REQUESTS)
def test_impossible_requests(request_: Callable[[], object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        request_()
    assert isinstance(caught.value, NrmError)


PROFILES: list[tuple[Callable[[], object], str]] = [
    (lambda: Steps([50 * NM, 40 * NM], [1e6] * 3), "ascending, and 40 nm comes after 50 nm"),
    (lambda: Steps([50 * NM, 50 * NM], [1e6] * 3), "ascending, and 50 nm comes after 50 nm"),
    (lambda: Steps([np.nan], [1e6, 1e6]), "finite, and one is nan"),
    (lambda: Steps([[50 * NM]], [1e6, 1e6]), "in one row"),
    (lambda: Steps(["50 nm"], [1e6, 1e6]), "edges of steps must be numbers, not .'50 nm'"),
    (lambda: Steps([50 * NM], [1e6]), "1 edges have 2 moduli .* 1 are given"),
    (lambda: Steps([], []), "0 edges have 1 moduli .* 0 are given"),
    (lambda: Steps([50 * NM], [1e6, np.nan]), "a modulus of nan"),
    (lambda: Steps([50 * NM], [1e6, 0.0]), "a modulus of 0"),
    (lambda: Steps([50 * NM], [1e6, "soft"]), "moduli must be numbers"),
    (lambda: Steps([50 * NM], [1e-10, 1e6]), "1e-10 to 1e[+]06 Pa differ too much"),
    (lambda: Tabulated([0.0, 0.0], [1e6, 2e6]), "ascending, and 0 m comes after 0 m"),
    (lambda: Tabulated([2.0, 1.0], [1e6, 2e6]), "ascending"),
    (lambda: Tabulated([], []), "0 are given at 0"),
    (lambda: Tabulated([0.0], [1e6, 2e6]), "2 are given at 1"),
    (lambda: Tabulated([0.0, np.inf], [1e6, 2e6]), "finite, and one is inf"),
    (lambda: Tabulated([0.0, 1.0], [1e6, -2e6]), "a modulus of -2e[+]06"),
    (lambda: force(layer=Layer(100 * NM, lambda z: np.ones(3))), r"shape \(3,\) for heights"),
    (lambda: force(layer=Layer(100 * NM, lambda z: np.ones(z.size))), "one for each"),
    (lambda: force(layer=Layer(100 * NM, lambda z: None)), "moduli must be numbers, not None"),  # type: ignore[arg-type, return-value]
    (lambda: force(layer=Layer(100 * NM, lambda z: z * np.nan)), "a modulus of nan"),
    (lambda: force(layer=Layer(100 * NM, lambda z: 1e6 * (z / NM - 50.0))), "must be positive"),
    (
        lambda: force(layer=Layer(100 * NM, Steps(np.arange(1, 2001) * 0.04 * NM, [1.0] * 2001))),
        "jumps at 2000 heights",
    ),
]


@pytest.mark.parametrize(("request_", "said"), PROFILES)
def test_impossible_profiles(request_: Callable[[], object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        request_()


CELLS: list[tuple[object, str]] = [
    (0, "0 cells"),
    (10**9, "give 1 to 1000"),
    ([], "from 0, the electrode"),
    ([0.0], "from 0, the electrode"),
    ([0.0, 1.0], "from 0, the electrode"),
    ([50 * NM, 100 * NM], "from 0, the electrode"),
    ([0.0, 50 * NM, 50 * NM, 100 * NM], "50 nm comes after 50 nm"),
    ([0.0, np.nan, 100 * NM], "one is nan"),
    ([[0.0, 100 * NM]], "in one row"),
    (np.linspace(0.0, 100 * NM, 3000), "2999 cells are too many"),
    ("ten", "must be numbers, not 'ten'"),
]


@pytest.mark.parametrize(("cells", "said"), CELLS)
def test_impossible_cells(cells: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        influence(TIP, LAYER, 50 * NM, NM, cells=cells, fineness=0.4, workers=1)


#: What is no number, or none that can be meant for any of these.
NONSENSE = [
    np.nan,
    np.inf,
    -np.inf,
    "10 nm",
    b"1",
    [],
    [1e-8],
    [[1], [1, 2]],
    1j,
    True,
    {},
    ...,
]

PLACES: dict[str, tuple[Callable[[Any], object], str]] = {
    "radius": (Tip, "radius"),
    "half angle": (lambda x: Tip(10 * NM, x), "half angle"),
    "thickness": (Layer, "thickness"),
    "Poisson ratio": (lambda x: Layer(100 * NM, 1e6, x), "Poisson ratio"),
    "domain": (lambda x: Layer(100 * NM, domain=x), "domain"),
    "modulus": (lambda x: Layer(100 * NM, modulus=x), "modul"),
    "depths": (lambda x: force(depths=[50 * NM, x]), "depth"),
    "amplitude": (lambda x: force(amplitude=x), "amplitude"),
    "fineness": (lambda x: force(fineness=x), "fineness"),
    "resolution": (lambda x: force(resolution=x), "resolution"),
    "workers": (lambda x: force(workers=x), "processes"),
    "depth of fields": (lambda x: fields(TIP, LAYER, x, NM), "depth"),
    "amplitude of fields": (lambda x: fields(TIP, LAYER, 50 * NM, x), "amplitude"),
    "shape factor": (lambda x: apparent_modulus(FORCES, x), "shape factor"),
    "fineness of a shape factor": (lambda x: shape_factor(TIP, LAYER, fineness=x), "fineness"),
}
FORCES = LateralForce(np.array([4.0, 5.0, 6.0]) * 10 * NM, np.zeros(3), np.ones(3, complex), NM)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", NONSENSE, ids=str)
def test_what_is_no_number_is_refused_by_name(place: str, value: object) -> None:
    request_, said = PLACES[place]
    with pytest.raises(InvalidInput, match=said):
        request_(value)


@pytest.mark.parametrize("value", ["yes", None, 2, [], 0.5])
def test_a_tip_is_bonded_or_not(value: Any) -> None:
    with pytest.raises(InvalidInput, match="bonded is"):
        Tip(10 * NM, bonded=value)


@pytest.mark.parametrize(
    ("depths", "said"),
    [
        ([40.0, 50.0], "3 different depths"),
        ([40.0, 50.0, 50.0], "3 different depths"),
        ([40.0, 60.0, 50.0], "ascend, or descend"),
        ([40.0, 50.0, 40.0], "ascend, or descend"),
    ],
)
def test_a_derivative_needs_depths_in_order(depths: list[float], said: str) -> None:
    depth = np.array(depths) * NM
    with pytest.raises(InvalidInput, match=said):
        apparent_modulus(LateralForce(depth, 100 * NM - depth, depth + 0j, NM), 0.4)


@pytest.mark.parametrize("value", [0.0, -0.4])
def test_a_shape_factor_is_positive(value: float) -> None:
    with pytest.raises(InvalidInput, match="it is positive"):
        apparent_modulus(FORCES, value)


def test_fields_are_those_of_one_depth() -> None:
    with pytest.raises(InvalidInput, match=r"the depth is .* it must be a number"):
        fields(TIP, LAYER, [50 * NM, 60 * NM], NM)  # type: ignore[arg-type]


def test_a_number_without_digits_has_no_solution() -> None:
    with pytest.raises(InvalidInput, match="Poisson ratio is too small"):
        force(layer=Layer(100 * NM, 1e6, 5e-324))


def test_counts_may_be_those_of_numpy() -> None:
    one: Any = np.int64(1)
    found = influence(TIP, LAYER, 50 * NM, NM, cells=3 * one, fineness=0.4, workers=one)
    assert found.cells == pytest.approx(np.array([0.0, 100.0, 200.0, 300.0]) * NM / 3.0)


def test_one_depth_given_twice_has_one_force() -> None:
    twice = force(depths=[50 * NM, 50 * NM])
    assert twice[0] == twice[1]


def test_the_curve_is_asked_for_numbers() -> None:
    curve = ShapeFactor(
        distance=np.array([1.0, 2.0]),
        curve=np.array([1.0, 0.5]),
        constant=0.4,
        window=(0.0, 1.0),
        r_squared=1.0,
        radius_sensitivity=0.4,
        tip=TIP,
        layer=LAYER,
    )
    with pytest.raises(InvalidInput, match="distances must be numbers, not '10 nm'"):
        curve.at("10 nm")
    assert curve.at([]).shape == (0,)
    assert curve.at([[1.0, 9.0]]).shape == (1, 2)
