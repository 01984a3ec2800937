"""The harmonic solver against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skfem import MeshQuad, MeshQuad2

from nrm_plugin.fea.harmonic import FREE, Space, solve
from nrm_plugin.fea.pool import one_thread


@pytest.fixture(autouse=True, scope="module")
def one_thread_for_linear_algebra():
    with one_thread():
        yield


def mapped(s, t, place):
    """Mesh of a grid (s, t) whose nodes, also those on the edges, lie at ``place(s, t)``."""
    flat = MeshQuad2.from_mesh(MeshQuad.init_tensor(s, t))
    return MeshQuad2(np.ascontiguousarray(place(*flat.doflocs)), flat.t)


def force(mesh, poisson_ratio, fix):
    space = Space(mesh)
    given = np.full((space.n_nodes, 3), FREE)
    fix(*mesh.doflocs, given)
    found = solve(space, np.ones(space.r.shape, complex), poisson_ratio, given)
    assert found.force.imag == 0.0
    return found.force.real


# Plane strain: a rigid disc of radius 1 in an annulus whose rim is held, force per height


def annulus(poisson_ratio, rim):
    """8 pi G (1 - nu) / (k ln b - (b^2 - 1) / (k (b^2 + 1))), k = 3 - 4 nu."""
    shear, k = 0.5 / (1.0 + poisson_ratio), 3.0 - 4.0 * poisson_ratio
    return (
        8.0
        * math.pi
        * shear
        * (1.0 - poisson_ratio)
        / (k * math.log(rim) - (rim**2 - 1.0) / (k * (rim**2 + 1.0)))
    )


def annulus_by_elements(poisson_ratio, rim, elements):
    mesh = mapped(
        np.linspace(0.0, math.log(rim), elements + 1),
        np.array([0.0, 1.0]),
        lambda s, t: np.array([np.exp(s), t]),
    )

    def fix(r, z, given):
        given[:, 2] = 0.0
        given[r < 1.0 + 1e-9] = 1.0, 0.0, 0.0
        given[r > rim * (1.0 - 1e-9)] = 0.0

    return force(mesh, poisson_ratio, fix)


@pytest.mark.parametrize(
    ("poisson_ratio", "rim", "known"),
    [
        (0.3, 3.0, 4.41373300),
        (0.3, 6.3, 2.42985197),
        (0.3, 50.0, 1.04316285),
        (0.49, 3.0, 11.52140709),
        (0.49, 6.3, 4.30169342),
        (0.49, 50.0, 1.38404394),
        (0.5, 3.0, 14.02752118),
        (0.5, 6.3, 4.70808354),
        (0.5, 50.0, 1.43805190),
    ],
)
def test_disc_in_an_annulus(poisson_ratio, rim, known):
    assert annulus(poisson_ratio, rim) == pytest.approx(known, rel=1e-8)
    assert annulus_by_elements(poisson_ratio, rim, 32) == pytest.approx(known, rel=1e-5)


@pytest.mark.parametrize("poisson_ratio", [0.3, 0.49, 0.5])
def test_force_converges_with_the_fourth_power(poisson_ratio):
    known = annulus(poisson_ratio, 6.3)
    errors = [abs(annulus_by_elements(poisson_ratio, 6.3, n) / known - 1.0) for n in (8, 16, 32)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(orders > 3.5)
    assert errors[-1] < 1e-5


# Concentric spheres, the inner one moved: by symmetry the upper half, with w = 0 on its base


def spheres_by_elements(poisson_ratio, rim, elements):
    mesh = mapped(
        np.linspace(0.0, math.log(rim), elements + 1),
        np.linspace(0.0, 0.5 * math.pi, elements + 1),
        lambda s, t: np.exp(s) * np.array([np.sin(t), np.cos(t)]),
    )

    def fix(r, z, given):
        distance = np.hypot(r, z)
        given[np.abs(z) < 1e-9, 2] = 0.0
        given[r < 1e-9, 1:] = 0.0
        given[distance < 1.0 + 1e-9] = 1.0, 0.0, 0.0
        given[distance > rim * (1.0 - 1e-9)] = 0.0

    return 2.0 * force(mesh, poisson_ratio, fix)


@pytest.mark.parametrize(
    ("rim", "known"), [(2.0, 45.83029283), (5.0, 11.03230154), (20.0, 7.07715673)]
)
def test_incompressible_concentric_spheres(rim, known):
    """6 pi G 4 (1 - l^5) / (4 - 9 l + 10 l^3 - 9 l^5 + 4 l^6) with l = 1/b, as in Stokes flow."""
    ratio = 1.0 / rim
    stokes = 4.0 * (1.0 - ratio**5)
    stokes /= 4.0 - 9.0 * ratio + 10.0 * ratio**3 - 9.0 * ratio**5 + 4.0 * ratio**6
    assert 6.0 * math.pi / 3.0 * stokes == pytest.approx(known, rel=1e-8)
    assert spheres_by_elements(0.5, rim, 32) == pytest.approx(known, rel=1e-5)


def test_spheres_converge_with_the_fourth_power():
    errors = [abs(spheres_by_elements(0.5, 5.0, n) / 11.03230154 - 1.0) for n in (8, 16, 32)]
    assert np.all(np.log2(np.array(errors[:-1]) / errors[1:]) > 3.5)


@pytest.mark.parametrize(
    ("poisson_ratio", "known"),
    [(0.0, 7.53982237), (0.3, 6.34360055), (0.49, 6.26394313), (0.5, 2.0 * math.pi)],
)
def test_sphere_in_an_infinite_medium(poisson_ratio, known):
    """24 pi G (1 - nu) / (5 - 6 nu), with the rim taken to infinity."""
    shear = 0.5 / (1.0 + poisson_ratio)
    formula = 24.0 * math.pi * shear * (1.0 - poisson_ratio) / (5.0 - 6.0 * poisson_ratio)
    assert formula == pytest.approx(known, rel=1e-8)
    near, far = (1.0 / spheres_by_elements(poisson_ratio, rim, 36) for rim in (100.0, 200.0))
    assert 1.0 / (2.0 * far - near) == pytest.approx(known, rel=1e-4)


# A flat punch on a half-space, moved sideways, without normal pressure (Mindlin)


def punch_by_elements(poisson_ratio, rim):
    near = np.geomspace(1e-4, 0.5, 15)
    inner = np.concatenate([[0.0, 0.25], 1.0 - near[::-1], [1.0]])
    outer = 1.0 + np.concatenate([near, np.geomspace(0.5, rim - 1.0, 12)[1:]])
    down = np.concatenate([[0.0], near, np.geomspace(0.5, rim, 12)[1:]])
    mesh = mapped(np.concatenate([inner, outer]), down, lambda s, t: np.array([s, -t]))

    def fix(r, z, given):
        given[r < 1e-9, 1:] = 0.0
        given[(z > -1e-12) & (r < 1.0 + 1e-9), :2] = 1.0, 0.0
        given[(z < -rim * (1.0 - 1e-9)) | (r > rim * (1.0 - 1e-9))] = 0.0

    return force(mesh, poisson_ratio, fix)


@pytest.mark.parametrize(
    ("poisson_ratio", "known"),
    [(0.0, 2.0), (0.3, 1.80995475), (0.49, 1.77785679), (0.5, 1.77777778)],
)
def test_flat_punch(poisson_ratio, known):
    """8 G / (2 - nu), with the rim taken to infinity."""
    shear = 0.5 / (1.0 + poisson_ratio)
    assert 8.0 * shear / (2.0 - poisson_ratio) == pytest.approx(known, rel=1e-8)
    near, far = (1.0 / punch_by_elements(poisson_ratio, rim) for rim in (50.0, 100.0))
    assert 1.0 / (2.0 * far - near) == pytest.approx(known, rel=1e-3)
