"""The harmonic solver against closed forms, exact identities and references of lateral forces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from skfem import MeshQuad, MeshQuad2

from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea import Layer, Steps, Tabulated, Tip, lateral_force
from nrm_plugin.fea.harmonic import FREE, Solution, Space, solve
from nrm_plugin.fea.kernel import influence
from nrm_plugin.fea.problem import Numerics, at_depth, stiffness_of_stack

NM = 1e-9
TIP = Tip(10 * NM)
LAYER = Layer(100 * NM, 1e6, 0.49, 400 * NM)
SKIN = Steps([45 * NM, 55 * NM], [1e6 + 2e5j, 1e7 + 5e5j, 2e6 + 8e5j])

Map = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def shear(poisson_ratio: float) -> float:
    """Shear modulus of a Young's modulus of 1."""
    return 0.5 / (1.0 + poisson_ratio)


def curved(first: np.ndarray, second: np.ndarray, place: Map) -> Space:
    """Space on a rectangular grid whose nodes are moved to (r, z) = place(first, second)."""
    flat = MeshQuad2.from_mesh(MeshQuad.init_tensor(first, second))
    nodes = np.ascontiguousarray(place(*flat.doflocs))
    nodes[0][np.abs(nodes[0]) < 1e-12] = 0.0
    return Space(MeshQuad2(nodes, flat.t))


def moved(
    space: Space, poisson_ratio: float, tip: np.ndarray, held: np.ndarray, *even: np.ndarray
) -> Solution:
    """Bonded where `tip`, held where `held`, and without vertical motion where `even`."""
    given = np.full((space.n_nodes, 3), FREE)
    for plane in even:
        given[plane, 2] = 0.0
    given[space.mesh.doflocs[0] == 0.0, 1:] = 0.0
    given[held] = 0.0
    given[tip] = 1.0, 0.0, 0.0
    return solve(space, np.ones(space.r.shape), poisson_ratio, given)


def observed(errors: list[float]) -> float:
    """Order of convergence over the last halving of the elements."""
    return float(np.log2(errors[-2] / errors[-1]))


# ---------------------------------------------------------------- closed forms

# Solved by hand from the four harmonic modes of Navier's equations in the plane; at a Poisson
# ratio of 0.5 the annulus is Stokes' flow between cylinders.
ANNULUS = {
    (0.3, 3.0): 4.41373300,
    (0.3, 6.3): 2.42985197,
    (0.3, 50.0): 1.04316285,
    (0.49, 3.0): 11.52140709,
    (0.49, 6.3): 4.30169342,
    (0.49, 50.0): 1.38404394,
    (0.5, 3.0): 14.02752118,
    (0.5, 6.3): 4.70808354,
    (0.5, 50.0): 1.43805190,
}


def annulus(poisson_ratio: float, rim: float, count: int) -> complex:
    """Force per length on a disc of radius 1 in a clamped annulus, in plane strain."""
    length = 0.3
    radii = np.linspace(0.0, np.log(rim), count + 1)
    space = curved(radii, np.array([0.0, length]), lambda s, z: (np.exp(s), z))
    r = space.mesh.doflocs[0]
    everywhere = np.ones(r.size, bool)
    tip, held = r < 1.0 + 1e-9, r > rim - 1e-9
    return moved(space, poisson_ratio, tip, held, everywhere).force / length


@pytest.mark.parametrize(("poisson_ratio", "rim"), ANNULUS)
def test_disc_in_a_clamped_annulus(poisson_ratio: float, rim: float) -> None:
    expected = ANNULUS[poisson_ratio, rim]
    errors = [abs(annulus(poisson_ratio, rim, n) / expected - 1.0) for n in (8, 16, 32)]
    assert errors[-1] < 1e-5
    assert observed(errors) >= 3.5


def test_disc_in_an_annulus_without_lateral_contraction() -> None:
    ratio, kappa = 4.0, 3.0
    squares = (ratio**2 - 1.0) / (ratio**2 + 1.0)
    expected = 8.0 * np.pi * shear(0.0) / (kappa * np.log(ratio) - squares / kappa)
    assert annulus(0.0, ratio, 32) == pytest.approx(expected, rel=1e-5)


def ball(poisson_ratio: float, rim: float, count: int, around: int) -> complex:
    """Force on a sphere of radius 1 in a concentric shell that is held outside."""
    space = curved(
        np.linspace(0.0, np.log(rim), count + 1),
        np.linspace(0.0, 0.5 * np.pi, around + 1),
        lambda s, t: (np.exp(s) * np.sin(t), np.exp(s) * np.cos(t)),
    )
    r, z = space.mesh.doflocs
    distance = np.hypot(r, z)
    tip, held = distance < 1.0 + 1e-9, distance > rim * (1.0 - 1e-9)
    return 2.0 * moved(space, poisson_ratio, tip, held, z < 1e-9).force


@pytest.mark.parametrize(
    ("rim", "expected"), [(2.0, 45.83029283), (5.0, 11.03230154), (20.0, 7.07715673)]
)
def test_concentric_spheres_incompressible(rim: float, expected: float) -> None:
    """Stokes' flow between spheres: 6 pi G R times a known function of the ratio of radii."""
    errors = [abs(ball(0.5, rim, n, n) / expected - 1.0) for n in (8, 16, 32)]
    assert errors[-1] < 1e-5
    assert observed(errors) >= 3.5


@pytest.mark.parametrize("poisson_ratio", [0.0, 0.3, 0.49, 0.5])
def test_sphere_in_an_infinite_medium(poisson_ratio: float) -> None:
    """The compliance of a shell approaches that of the medium as one over its radius."""
    near, far = (1.0 / ball(poisson_ratio, rim, n, 16) for rim, n in ((100.0, 40), (200.0, 46)))
    expected = 24.0 * np.pi * shear(poisson_ratio) * (1.0 - poisson_ratio)
    expected /= 5.0 - 6.0 * poisson_ratio
    assert 1.0 / (2.0 * far - near) == pytest.approx(expected, rel=1e-4)


def punch(poisson_ratio: float, rim: float, count: int) -> complex:
    """Force on a flat punch of radius 1 that only grips sideways, on a half space.

    Spheroidal coordinates around the disc are as singular as the stress at its edge.
    """
    space = curved(
        np.linspace(0.0, np.arcsinh(rim), count + 1),
        np.linspace(0.0, 0.5 * np.pi, 13),
        lambda s, t: (np.cosh(s) * np.cos(t), -np.sinh(s) * np.sin(t)),
    )
    r, z = space.mesh.doflocs
    given = np.full((space.n_nodes, 3), FREE)
    given[r == 0.0, 1:] = 0.0
    given[np.hypot(r / np.hypot(1.0, rim), z / rim) > 1.0 - 1e-6] = 0.0
    given[(np.abs(z) < 1e-12) & (r < 1.0 + 1e-12), :2] = 1.0, 0.0
    return solve(space, np.ones(space.r.shape), poisson_ratio, given).force


@pytest.mark.parametrize("poisson_ratio", [0.0, 0.3, 0.49, 0.5])
def test_flat_punch_of_mindlin(poisson_ratio: float) -> None:
    near, far = (1.0 / punch(poisson_ratio, rim, n) for rim, n in ((50.0, 24), (100.0, 28)))
    expected = 8.0 * shear(poisson_ratio) / (2.0 - poisson_ratio)
    assert 1.0 / (2.0 * far - near) == pytest.approx(expected, rel=1e-3)


# ---------------------------------------------------------------- exact identities


@pytest.mark.parametrize("poisson_ratio", [0.0, 0.3, 0.5])
def test_modulus_and_amplitude_scale_out(poisson_ratio: float) -> None:
    one = lateral_force(TIP, Layer(100 * NM, 1.0, poisson_ratio), 40 * NM, 1.0)
    other = lateral_force(TIP, Layer(100 * NM, 3.7e8, poisson_ratio), 40 * NM, 2.3 * NM)
    assert other.force == pytest.approx(one.force * 3.7e8 * 2.3 * NM, rel=1e-12)


def test_all_lengths_scale_out() -> None:
    one = lateral_force(TIP, LAYER, [30 * NM, 50 * NM], NM)
    other = lateral_force(Tip(1.0), Layer(10.0, 1e6, 0.49, 40.0), [3.0, 5.0], 0.1)
    assert other.force * 1e-16 == pytest.approx(one.force, rel=1e-9)


@pytest.mark.parametrize("tip", [TIP, Tip(10 * NM, bonded=False)], ids=["bonded", "sliding"])
def test_constant_loss_tangent_passes_through(tip: Tip) -> None:
    edges, storage = [45 * NM, 55 * NM], np.array([1e6, 1e7, 2e6])
    elastic = Layer(100 * NM, Steps(edges, storage), 0.49, 400 * NM)
    lossy = Layer(100 * NM, Steps(edges, storage * (1.0 + 0.35j)), 0.49, 400 * NM)
    force = lateral_force(tip, elastic, 40 * NM, NM).force
    assert lateral_force(tip, lossy, 40 * NM, NM).force == pytest.approx(
        force * (1.0 + 0.35j), rel=1e-12
    )


def test_steps_of_one_modulus_are_a_homogeneous_layer() -> None:
    plain = lateral_force(TIP, LAYER, 40 * NM, NM).force
    divided = Layer(100 * NM, Steps([30 * NM, 80 * NM], [1e6, 1e6, 1e6]), 0.49, 400 * NM)
    assert lateral_force(TIP, divided, 40 * NM, NM).force == pytest.approx(plain, rel=5e-4)


@pytest.mark.parametrize("poisson_ratio", [0.0, 0.3, 0.5])
def test_force_is_the_sum_of_modulus_times_influence(poisson_ratio: float) -> None:
    cells = [0.0, 20 * NM, 45 * NM, 55 * NM, 90 * NM, 100 * NM]
    layer = Layer(100 * NM, SKIN, poisson_ratio, 400 * NM)
    found = influence(TIP, layer, [30 * NM, 70 * NM], NM, cells=cells)
    total = found.matrix @ SKIN(found.heights)
    assert total == pytest.approx(found.force.force, rel=1e-10)
    integral = (found.kernel * SKIN(found.heights)) @ np.diff(cells)
    assert integral == pytest.approx(found.force.force, rel=1e-10)


@pytest.mark.parametrize("tip", [TIP, Tip(10 * NM, bonded=False)], ids=["bonded", "sliding"])
@pytest.mark.parametrize("factor", [1.0, 1j], ids=["storage", "loss"])
def test_influence_against_finite_differences(tip: Tip, factor: complex) -> None:
    """The force is analytic in each modulus: a change of the loss counts as one of the storage."""
    depth, part = 40 * NM, 1e-4
    cells = [0.0, *SKIN.edges, 100 * NM]
    layer = Layer(100 * NM, SKIN, 0.49, 400 * NM)
    row = influence(tip, layer, depth, NM, cells=cells).matrix[0]
    for k, modulus in enumerate(SKIN.moduli):
        step = np.zeros(3, complex)
        step[k] = part * abs(modulus) * factor
        up, down = (
            lateral_force(
                tip, Layer(100 * NM, Steps(SKIN.edges, SKIN.moduli + s), 0.49, 400 * NM), depth, NM
            ).force[0]
            for s in (step, -step)
        )
        assert (up - down) / (2.0 * step[k]) == pytest.approx(row[k], rel=1e-7)


def test_derivative_to_an_interface_against_finite_differences() -> None:
    """Differences remesh, so they are good for a percent only."""
    tip, shift, numerics = Tip(1.0), 0.2, Numerics(1.0)
    edges, moduli = np.array([4.0, 7.5]), [1.0 + 0.2j, 3.0 + 0.5j, 1.5 + 0.5j]
    _, _, row = stiffness_of_stack(tip, Layer(10.0, Steps(edges, moduli), 0.49), 5.0, numerics)
    for k in range(2):
        step = np.where(np.arange(2) == k, shift, 0.0)
        up, down = (
            stiffness_of_stack(tip, Layer(10.0, Steps(e, moduli), 0.49), 5.0, numerics)[0]
            for e in (edges + step, edges - step)
        )
        assert (up - down) / (2.0 * shift) == pytest.approx(row[k], rel=0.02)


def test_solution_keeps_to_its_boundaries() -> None:
    solved = at_depth(TIP, LAYER, 50 * NM)
    u, mesh = solved.solution.displacement, solved.mesh
    np.testing.assert_array_equal(u[mesh.tip], np.tile([1.0, 0.0, 0.0], (mesh.tip.size, 1)))
    assert not u[mesh.held].any()
    assert not u[mesh.axis, 1:].any()
    assert np.abs(u).max() < 1.5
    r, z = mesh.mesh.doflocs[:, mesh.tip]
    away = np.where(z < 6.0, np.hypot(r, z - 6.0), r)  # sphere around (0, 6), cylinder above
    assert away == pytest.approx(1.0, abs=1e-12)


# ---------------------------------------------------------------- references


@pytest.mark.parametrize(
    ("tip", "layer", "depth", "expected", "tolerance"),
    [
        (TIP, LAYER, 50.0, 96.668, 0.02),
        (Tip(10 * NM, bonded=False), LAYER, 50.0, 75.12, 0.02),
        (Tip(20 * NM), Layer(100 * NM, 1e6, 0.3, 500 * NM), 80.0, 215.591, 0.1),
        (TIP, LAYER, 6.0, 24.750, 0.02),
    ],
    ids=["bonded", "sliding", "wide", "cap"],
)
def test_reference_forces(
    tip: Tip, layer: Layer, depth: float, expected: float, tolerance: float
) -> None:
    """Force per modulus and amplitude in nm, by another code, checked in three dimensions."""
    force = lateral_force(tip, layer, depth * NM, NM).force[0]
    assert force.imag == 0.0
    assert force.real / (1e6 * NM) / NM == pytest.approx(expected, abs=tolerance)


def test_force_settles_with_the_fineness() -> None:
    """At the usual fineness 0.02 %, at a coarse one 0.05 %."""
    coarse, usual, fine = (
        lateral_force(TIP, LAYER, 50 * NM, NM, fineness=f).force.real[0] for f in (0.7, 1.0, 2.0)
    )
    assert fine == pytest.approx(96.668 * NM * NM * 1e6, rel=1e-4)
    assert usual == pytest.approx(fine, rel=2e-4)
    assert coarse == pytest.approx(fine, rel=5e-4)


def test_force_lies_between_those_of_the_stiffest_and_the_softest_part() -> None:
    rising = Tabulated([0.0, 100 * NM], [4e6, 1e6])
    found = lateral_force(TIP, Layer(100 * NM, rising, 0.49, 400 * NM), 50 * NM, NM).force.real
    soft = lateral_force(TIP, LAYER, 50 * NM, NM).force.real
    assert soft < found < 4.0 * soft


def test_depths_are_solved_one_by_one() -> None:
    depths = np.array([70.0, 20.0, 50.0]) * NM
    found = lateral_force(TIP, LAYER, depths, NM)
    np.testing.assert_array_equal(found.depth, depths)
    assert found.distance == pytest.approx(np.array([30.0, 80.0, 50.0]) * NM, rel=1e-12)
    alone = [lateral_force(TIP, LAYER, d, NM).force[0] for d in depths]
    np.testing.assert_array_equal(found.force, alone)


# ---------------------------------------------------------------- bad input

ACCEPTED = pytest.mark.xfail(reason="is not refused")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Tip(0.0), "0 nm"),
        (lambda: Tip(-10 * NM), "-10 nm"),
        (lambda: Tip(float("nan")), "nan"),
        (lambda: Tip(10 * NM, half_angle=1.5), "85.94"),
        (lambda: Tip(10 * NM, half_angle=-0.1), "-5.73"),
        (lambda: Tip(10 * NM, half_angle=float("nan")), "nan"),
        (lambda: Layer(-100 * NM), "-100 nm"),
        (lambda: Layer(float("inf")), "inf"),
        (lambda: Layer(100 * NM, poisson_ratio=0.51), "0.51"),
        (lambda: Layer(100 * NM, poisson_ratio=-0.1), "-0.1"),
        (lambda: Layer(100 * NM, poisson_ratio=float("nan")), "nan"),
        (lambda: Layer(100 * NM, modulus=0.0), "modulus"),
        (lambda: Layer(100 * NM, modulus=-1e6 + 1e6j), "modulus"),
        (lambda: Layer(100 * NM, modulus=complex("nan")), "modulus"),
        (lambda: Layer(100 * NM, domain=0.0), "domain"),
        (lambda: Steps([1.0], [1e6]), "2 moduli"),
        (lambda: Steps([2.0, 1.0], [1e6, 1e6, 1e6]), "ascending"),
        pytest.param(lambda: Steps([float("nan")], [1e6, 1e6]), "ascending", marks=ACCEPTED),
        (lambda: Tabulated([0.0, 1.0], [1e6]), "heights"),
        (lambda: Tabulated([1.0, 0.0], [1e6, 1e6]), "ascending"),
        pytest.param(lambda: Tabulated([], []), "heights", marks=ACCEPTED),
        (lambda: Tabulated([0.0, 1.0], [1e6, -1e6]), "modulus"),
    ],
)
def test_impossible_tips_and_layers(make: Callable[[], object], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        make()


@pytest.mark.parametrize(
    ("depths", "says"),
    [
        (0.0, "0 nm"),
        (-5 * NM, "-5 nm"),
        ([30 * NM, 100 * NM], "through the electrode"),
        (2.0, "through the electrode"),
        (0.01 * NM, "too close"),
        (99.99 * NM, "too close"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        ([], "at least one"),
        ([[30 * NM]], "depths"),
    ],
)
def test_impossible_depths(depths: object, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        lateral_force(TIP, LAYER, depths, NM)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"amplitude": 0.0}, "amplitude"),
        ({"amplitude": float("nan")}, "amplitude"),
        ({"fineness": 0.0}, "fineness"),
        ({"fineness": 1e3}, "fineness"),
        ({"fineness": float("nan")}, "fineness"),
        ({"resolution": 0.0}, "resolution"),
        ({"resolution": float("nan")}, "resolution"),
        pytest.param({"workers": 0}, "workers|processes", marks=ACCEPTED),
        pytest.param({"workers": -3}, "workers|processes", marks=ACCEPTED),
    ],
)
def test_impossible_settings(options: dict[str, float], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        lateral_force(TIP, LAYER, 50 * NM, **{"amplitude": NM, **options})  # type: ignore[arg-type]


def test_a_domain_without_room_for_the_tip() -> None:
    with pytest.raises(InvalidInput, match="no room"):
        lateral_force(TIP, Layer(100 * NM, domain=11 * NM), 50 * NM, NM)


def test_a_profile_that_gives_nonsense_somewhere() -> None:
    layer = Layer(100 * NM, lambda z: np.where(z < 20 * NM, np.nan, 1e6).astype(complex))
    with pytest.raises(InvalidInput, match="modulus"):
        lateral_force(TIP, layer, 50 * NM, NM, workers=1)


@pytest.mark.parametrize("cells", [0, [], [0.0], [0.0, 50 * NM], [0.0, 60 * NM, 50 * NM, 100 * NM]])
def test_cells_that_do_not_divide_the_layer(cells: object) -> None:
    with pytest.raises(InvalidInput, match="cells"):
        influence(TIP, LAYER, 50 * NM, NM, cells=cells)  # type: ignore[arg-type]
