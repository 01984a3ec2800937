"""The same tip as a three-dimensional problem, solved by NGSolve."""

from __future__ import annotations

import pytest

from nrm_plugin.fea import Layer, Tip, lateral_force

RADIUS, DEPTH, THICKNESS, DOMAIN, NU = 10.0, 50.0, 100.0, 400.0, 0.49


@pytest.mark.ngsolve
@pytest.mark.slow
def test_agrees_with_three_dimensions():
    """A quarter of the layer, cubic displacements and quadratic pressure, to 0.1 %."""
    pytest.importorskip("ngsolve", reason="NGSolve is not installed", exc_type=ImportError)
    three = stiffness_in_three_dimensions()
    nm = 1e-9
    layer = Layer(THICKNESS * nm, 1e6, NU, DOMAIN * nm)
    found = (
        lateral_force(Tip(RADIUS * nm), layer, DEPTH * nm, nm, fineness=1.5, workers=1)
        .force[0]
        .real
    )
    assert found / (1e6 * nm * nm) == pytest.approx(three, rel=1e-3)


def stiffness_in_three_dimensions(order: int = 3) -> float:
    """F/(E A) in nm."""
    import netgen.occ as occ
    import ngsolve as ng

    bottom, up = occ.Pnt(0, 0, 0), occ.Z
    apex = THICKNESS - DEPTH
    centre = occ.Pnt(0, 0, apex + RADIUS)
    tip = occ.Sphere(centre, RADIUS) + occ.Cylinder(centre, up, RADIUS, THICKNESS)
    quarter = occ.Box(bottom, occ.Pnt(2 * DOMAIN, 2 * DOMAIN, THICKNESS))
    body = (occ.Cylinder(bottom, up, DOMAIN, THICKNESS) * quarter) - tip
    for face in body.faces:
        x, y, z = face.center
        if x < 1e-6:
            face.name = "across"
        elif y < 1e-6:
            face.name = "along"
        elif z < 1e-6 or ((x**2 + y**2) ** 0.5 > 0.5 * DOMAIN and z < THICKNESS - 1e-6):
            face.name = "held"
        elif z > THICKNESS - 1e-6:
            face.name = "free"
        else:
            face.name = "tip"
            face.maxh = 3.0
    for edge in body.edges:
        x, y, z = edge.center
        if z > THICKNESS - 1e-6 and (x**2 + y**2) ** 0.5 < 2 * RADIUS:
            edge.maxh = 0.7
    geometry = occ.OCCGeometry(body)
    mesh = ng.Mesh(geometry.GenerateMesh(maxh=120.0, grading=0.45))
    mesh.Curve(order)
    sideways = ng.H1(mesh, order=order, dirichlet="tip|held")
    across = ng.H1(mesh, order=order, dirichlet="tip|held|along|across")
    upwards = ng.H1(mesh, order=order, dirichlet="tip|held|across")
    space = sideways * across * upwards * ng.H1(mesh, order=order - 1)
    u_x, u_y, u_z, p = space.TrialFunction()
    v_x, v_y, v_z, q = space.TestFunction()

    def strain(*parts):
        gradient = ng.CF(tuple(ng.grad(part) for part in parts), dims=(3, 3))
        return 0.5 * (gradient + gradient.trans), ng.Trace(gradient)

    (e, div_u), (e_test, div_v) = strain(u_x, u_y, u_z), strain(v_x, v_y, v_z)
    shear, compressibility = 0.5 / (1 + NU), (1 - 2 * NU) * (1 + NU) / NU
    form = ng.BilinearForm(space, symmetric=True)
    form += (
        2 * shear * ng.InnerProduct(e, e_test) + p * div_v + q * div_u - compressibility * p * q
    ) * ng.dx
    with ng.TaskManager():
        form.Assemble()
        solution = ng.GridFunction(space)
        solution.components[0].Set(1.0, definedon=mesh.Boundaries("tip"))
        residual = (-form.mat * solution.vec).Evaluate()
        solution.vec.data += form.mat.Inverse(space.FreeDofs()) * residual
        # The residual of the tip is the energy, of which the saddle point has this value.
        reaction = (form.mat * solution.vec).Evaluate()
        return 4.0 * ng.InnerProduct(reaction, solution.vec)
