"""Tips in layers: reference numbers, exact properties, meshes, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import trapezoid

from nrm_plugin.fea import Layer, Steps, Tabulated, Tip, fields, influence, lateral_force
from nrm_plugin.fea.harmonic import FREE, Space, solve
from nrm_plugin.fea.mesh import around_tip
from nrm_plugin.fea.pool import one_thread
from nrm_plugin.fea.problem import Numerics, at_depth, stiffness, stiffness_of_stack

NM = 1e-9
LAYER = Layer(100 * NM, 1e6, 0.49, 400 * NM)
SKIN = Steps([45 * NM, 55 * NM], [1e6 + 0.2e6j, 10e6 + 4e6j, 1e6 + 0.2e6j])


@pytest.fixture(autouse=True, scope="module")
def one_thread_for_linear_algebra():
    with one_thread():
        yield


def per_modulus(tip, layer, depth, **options):
    """F/(E A) in nm."""
    found = lateral_force(tip, layer, depth, NM, workers=1, **options)
    return found.force.real / (layer.modulus.real * NM) / NM


# Reference numbers, from other meshes and another program


def test_reference_force():
    assert per_modulus(Tip(10 * NM), LAYER, 50 * NM)[0] == pytest.approx(96.668, abs=0.02)
    fine = per_modulus(Tip(10 * NM), LAYER, 50 * NM, fineness=2.0)[0]
    assert fine == pytest.approx(96.668, rel=5e-5)


@pytest.mark.parametrize(
    ("radius", "depth", "domain", "poisson_ratio", "bonded", "known"),
    [
        (10, 50, 400, 0.49, False, 75.123),
        (20, 80, 500, 0.3, True, 215.591),
        (10, 6, 400, 0.49, True, 24.750),
    ],
)
def test_reference_forces(radius, depth, domain, poisson_ratio, bonded, known):
    layer = Layer(100 * NM, 1e6, poisson_ratio, domain * NM)
    found = per_modulus(Tip(radius * NM, bonded=bonded), layer, depth * NM)[0]
    assert found == pytest.approx(known, rel=5e-4)


def test_force_at_several_radii():
    """At a depth of 50 nm, domain 1000 nm: R = 5, 10, 20, 40 nm."""
    layer = replace(LAYER, domain=1000 * NM)
    known = {5: 73.7, 10: 96.5, 20: 135.1, 40: 204.5}
    for radius, value in known.items():
        found = per_modulus(Tip(radius * NM), layer, 50 * NM)[0]
        assert found == pytest.approx(value, abs=0.06)


def test_a_wider_domain_changes_nothing():
    near, far = (
        per_modulus(Tip(10 * NM), replace(LAYER, domain=r * NM), 50 * NM)[0] for r in (400, 1000)
    )
    assert far == pytest.approx(near, rel=2e-3)


# Exact properties


def test_modulus_and_amplitude_scale_out():
    tip, depths = Tip(10 * NM), [20 * NM, 60 * NM]
    one = lateral_force(tip, LAYER, depths, NM, workers=1).force
    modulus = 3.7e7 * (1.0 + 0.4j)
    other = lateral_force(tip, replace(LAYER, modulus=modulus), depths, 2.5 * NM, workers=1).force
    assert other / one == pytest.approx(2.5 * modulus / 1e6, rel=1e-12)


def test_size_scales_out():
    one = per_modulus(Tip(10 * NM), LAYER, 50 * NM)[0]
    large = Layer(100e-6, 1e6, 0.49, 400e-6)
    found = lateral_force(Tip(10e-6), large, 50e-6, NM, workers=1).force[0].real / (1e6 * NM)
    assert found / 1e-6 == pytest.approx(one, rel=1e-10)


def test_constant_loss_tangent_passes_through():
    tip, depths = Tip(10 * NM), [40 * NM, 70 * NM]
    elastic = replace(LAYER, modulus=Steps(SKIN.edges, [1e6, 10e6, 1e6]))
    lossy = replace(LAYER, modulus=Steps(SKIN.edges, np.array([1e6, 10e6, 1e6]) * (1 + 0.35j)))
    storage = lateral_force(tip, elastic, depths, NM, workers=1).force
    found = lateral_force(tip, lossy, depths, NM, workers=1).force
    assert found.imag / found.real == pytest.approx(0.35, rel=1e-12)
    assert found.real == pytest.approx(storage.real, rel=1e-12)


def test_incompressible_is_nothing_special():
    """At 0.5 no volume changes, weighted with any pressure; just below, the force is the same."""
    depth = 50 * NM
    exact = at_depth(Tip(10 * NM), replace(LAYER, poisson_ratio=0.5), depth, Numerics(0.6))
    space, found = exact.space, exact.solution
    nodal = found.displacement.real[space.nodes].reshape(space.nodes.shape[0], 1, -1)
    dilation = np.sum(space.dilation * nodal, axis=2)
    weights = (space.weight[..., None] * space.pressure).transpose(2, 0, 1)
    change, size = (
        np.bincount(space.corners.T.ravel(), (weights * part).sum(axis=2).ravel())
        for part in (dilation, np.abs(dilation))
    )
    assert np.abs(change).max() < 1e-10 * size.max()
    near = replace(LAYER, poisson_ratio=0.5 - 1e-9)
    below = at_depth(Tip(10 * NM), near, depth, Numerics(0.6)).solution.force
    assert found.force.real == pytest.approx(below.real, rel=1e-7)


@pytest.mark.parametrize("poisson_ratio", [0.0, 0.3, 0.49, 0.5])
def test_force_is_the_sum_of_modulus_and_influence(poisson_ratio):
    layer = Layer(100 * NM, SKIN, poisson_ratio)
    cells = np.sort(np.concatenate([np.linspace(0, 100, 21) * NM, [45 * NM, 55 * NM]]))
    found = influence(
        Tip(10 * NM), layer, [30 * NM, 52 * NM], NM, cells=np.unique(cells.round(12)), workers=1
    )
    total = found.matrix @ SKIN(found.heights)
    assert np.abs(total / found.force.force - 1.0).max() < 1e-10


@pytest.mark.parametrize("poisson_ratio", [0.3, 0.49, 0.5])
def test_influence_is_the_derivative(poisson_ratio):
    solved = at_depth(Tip(10 * NM), Layer(100 * NM, SKIN, poisson_ratio), 50 * NM, Numerics(0.5))
    space, modulus = solved.space, solved.modulus
    given = np.full((space.n_nodes, 3), FREE)
    given[solved.mesh.tip] = 1.0, 0.0, 0.0
    given[solved.mesh.axis, 1:] = 0.0
    given[solved.mesh.held] = 0.0
    for low, high in ((2.0, 4.0), (4.5, 5.5), (8.0, 9.0)):
        there = (space.z > low) & (space.z < high)
        step = 1e-3 * np.abs(modulus[there]).max() * there
        up, down = (solve(space, modulus + s * step, poisson_ratio, given).force for s in (1, -1))
        central = (up - down) / (2.0 * step.max())
        up, down = (solve(space, modulus + s * step, poisson_ratio, given).force for s in (2, -2))
        wide = (up - down) / (4.0 * step.max())
        found = solved.solution.influence[there].sum()
        assert abs(found / ((4.0 * central - wide) / 3.0) - 1.0) < 1e-7


def test_moving_an_edge_is_a_derivative():
    tip, depth, step = Tip(10 * NM), 30 * NM, 0.1 * NM

    def force(shift):
        modulus = Steps(np.array([45 * NM + shift, 55 * NM]), SKIN.moduli)
        return stiffness_of_stack(tip, replace(LAYER, modulus=modulus), depth, Numerics(1.0))

    difference = (force(step)[0] - force(-step)[0]) / (2.0 * step)
    assert abs(force(0.0)[2][0] / difference - 1.0) < 0.02


def test_influence_on_a_coarse_layered_mesh_is_still_exact():
    """With div u instead of the pressure it would be off by tenths."""
    cells = [0.0, 45 * NM, 55 * NM, 100 * NM]
    found = influence(
        Tip(10 * NM), Layer(100 * NM, SKIN, 0.49), 50 * NM, NM, cells=cells, fineness=0.4, workers=1
    )
    total = found.matrix @ SKIN(found.heights)
    assert np.abs(total / found.force.force - 1.0).max() < 1e-10


# Profiles


def test_an_interface_may_lie_anywhere():
    """Close to the apex the force must not depend on how the mesh meets the interface."""
    tip, layer = Tip(10 * NM), Layer(100 * NM, 1e6, 0.49)
    offsets = np.array([-1.2, -0.9, -0.5, -0.2, -0.05, 0.05, 0.2, 0.5, 0.9, 1.2]) * NM
    found = []
    for offset in offsets:
        modulus = Steps([50 * NM + offset, 60 * NM + offset], [1e6, 10e6, 1e6])
        found.append(stiffness(tip, replace(layer, modulus=modulus), 50 * NM, Numerics(0.8)).real)
    assert np.all(np.diff(found) > 0.0)  # a skin that comes nearer from below, then surrounds
    smooth = np.polyval(np.polyfit(offsets / NM, found, 4), offsets / NM)
    assert np.abs(found / smooth - 1.0).max() < 6e-3


def test_a_table_is_followed():
    heights = np.linspace(0.0, 100.0, 21) * NM
    moduli = 5e6 * np.exp(-heights / (40 * NM)) * (1.0 + 0.1j)
    table = Layer(100 * NM, Tabulated(heights, moduli), 0.49)
    function = Layer(100 * NM, lambda z: 5e6 * np.exp(-z / (40 * NM)) * (1.0 + 0.1j), 0.49)
    forces = [
        lateral_force(Tip(10 * NM), layer, 50 * NM, NM, workers=1).force[0]
        for layer in (table, function)
    ]
    assert abs(forces[0] / forces[1] - 1.0) < 1e-10


def test_fine_and_coarse_meshes_of_a_skin_agree():
    tip, layer = Tip(10 * NM), Layer(100 * NM, SKIN, 0.49)
    depths = [20 * NM, 44 * NM, 50 * NM, 56 * NM]
    coarse = lateral_force(tip, layer, depths, NM, workers=1).force
    fine = lateral_force(tip, layer, depths, NM, fineness=1.3, resolution=3 * NM, workers=1).force
    assert np.abs(coarse / fine - 1.0).max() < 3e-3


# Meshes


@pytest.mark.parametrize("half_angle", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("thickness", [0.6, 3.0, 20.0])
@pytest.mark.parametrize("part", [0.03, 0.3, 0.7, 0.97])
@pytest.mark.parametrize("offset", [None, -0.4, -0.02, 0.002, 0.2])
def test_no_element_is_turned_inside_out(half_angle, thickness, part, offset):
    tip, depth = Tip(1.0, half_angle), part * thickness
    jumps = [] if offset is None else [thickness - depth + offset]
    jumps = [e for e in jumps if 0.02 < e < thickness - 0.02]
    domain = 10 * thickness + tip.width(thickness)
    mesh = around_tip(tip, thickness, domain, depth, fineness=0.6, jumps=jumps).mesh
    areas = mesh._mapping().detDF(np.array([[0, 1, 1, 0, 0.5], [0, 0, 1, 1, 0.5]]))
    assert np.all(areas * np.sign(areas[0, -1]) > 0.0)
    assert np.sum(Space(mesh).weight / (np.pi * Space(mesh).r)) == pytest.approx(
        domain * thickness - section(tip, depth), rel=2e-3
    )


def section(tip, depth):
    """Half the area of the tip's longitudinal section."""
    r, z = tip.surface(np.linspace(0.0, tip.length(depth), 4001))
    return trapezoid(r, z)


def test_narrow_gaps():
    """Towards the electrode the force grows like the logarithm of the gap, or faster."""
    tip = Tip(10 * NM)
    gaps = np.array([10.0, 2.0, 0.5, 0.2]) * NM
    found = per_modulus(tip, LAYER, LAYER.thickness - gaps)
    fine = per_modulus(tip, LAYER, LAYER.thickness - gaps, fineness=1.5)
    assert found == pytest.approx(fine, rel=1e-3)
    assert np.all(np.diff(found) > 0.0)


# Fields


def test_fields():
    found = fields(Tip(10 * NM), LAYER, 50 * NM, 2 * NM)
    u, v, w = found.displacement.real
    on_tip = np.hypot(found.r, found.z - 60 * NM) < 10.001 * NM
    assert u[on_tip & (found.z < 60 * NM)] == pytest.approx(2 * NM)
    assert v[on_tip & (found.z < 60 * NM)] == pytest.approx(-2 * NM)
    assert np.abs(w[on_tip & (found.z < 60 * NM)]).max() < 1e-15
    assert np.abs(found.displacement[:, found.z < 1e-12]).max() == 0.0
    assert found.triangles.max() == found.r.size - 1
    assert set(found.stress) == {"rr", "tt", "zz", "rz", "rt", "tz"}
    # On the free surface, away from the tip, neither pull nor shear.
    top = (found.z > 100 * NM - 1e-15) & (found.r > 30 * NM) & (found.r < 100 * NM)
    size = np.abs(found.stress["rr"][top]).max()
    for name in ("zz", "rz", "tz"):
        assert np.abs(found.stress[name][top]).max() < 0.05 * size


def test_stress_balances_the_force():
    """Shear stress on the electrode, integrated, is the force, but for what the rim takes."""
    layer = replace(LAYER, domain=1000 * NM)
    found = fields(Tip(10 * NM), layer, 50 * NM, NM, fineness=2.5)
    force = lateral_force(Tip(10 * NM), layer, 50 * NM, NM, fineness=2.0, workers=1).force[0].real
    below = np.flatnonzero(found.z < 1e-15)
    below = below[np.argsort(found.r[below])]
    r = found.r[below]
    traction = (found.stress["rz"] - found.stress["tz"])[below].real
    assert np.pi * trapezoid(traction * r, r) == pytest.approx(force, rel=0.02)
