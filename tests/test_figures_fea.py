"""Figures of the finite elements: numbers that are known, looks, and the command."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib import colormaps
from matplotlib.image import imread
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from pictures import assert_readable, difference, words_of
from scipy.integrate import trapezoid

from nrm_plugin import cli, figures
from nrm_plugin.errors import InvalidInput
from nrm_plugin.fea import (
    Fields,
    Inverted,
    Layer,
    Steps,
    Tip,
    apparent_modulus,
    fields,
    lateral_force,
    shape_factor,
)
from nrm_plugin.fea.inversion import Explanation
from nrm_plugin.fea.shape import crowded
from nrm_plugin.fea.stress_field import largest
from nrm_plugin.fea.told_errors import ToldErrors
from nrm_plugin.figures import fea, sections, style

NM = 1e-9
TIP = Tip(10 * NM)
LAYER = Layer(100 * NM, 1e6, 0.49, 400 * NM)
SKIN = replace(LAYER, modulus=Steps([45 * NM, 55 * NM], [1e6, 10e6, 1e6]))


def solved(tip: Tip = TIP, layer: Layer = LAYER, depth: float = 70.0, fineness: float = 1.0):
    return fields(tip, layer, depth * NM, 2 * NM, fineness=fineness)


@pytest.fixture(scope="module")
def shown():
    """All that Fig. 2 is drawn from, coarse."""
    numerics = {"fineness": 0.5, "workers": 1}
    depths = crowded(2 * NM, 100 * NM, 17)
    found = {}
    for radius in (10, 20):
        force = lateral_force(Tip(radius * NM), LAYER, depths, 2 * NM, **numerics)
        for modulus in (1, 10):
            name = f"R = {radius} nm, E = {modulus} MPa"
            found[name] = replace(force, force=modulus * force.force)
    factor = shape_factor(TIP, LAYER, **numerics)
    force = lateral_force(TIP, SKIN, np.linspace(2, 98, 33) * NM, 2 * NM, **numerics)
    return SimpleNamespace(
        sections=[solved(depth=30.0), solved()],
        forces=found,
        factor=factor,
        line=("R = 10 nm, E = 1 MPa", factor, 1e6),
        layered=(force, SKIN, apparent_modulus(force, factor).real),
    )


@pytest.fixture(scope="module")
def lossy():
    """A layer of which the stress is 0.2 rad ahead of the strain, and the same without loss."""
    coarse = {"fineness": 0.7}
    return (
        solved(layer=replace(LAYER, modulus=2e6 * np.exp(0.2j)), **coarse),
        solved(layer=replace(LAYER, modulus=2e6), **coarse),
    )


# What is drawn


def test_largest_length_of_what_swings():
    assert largest([3.0, 4.0]) == pytest.approx(5.0)
    assert largest([1.0, 1j]) == pytest.approx(1.0)  # a circle, of which no point is farther
    assert largest([2.0 * np.exp(0.7j), 1j * np.exp(0.7j)]) == pytest.approx(2.0)  # an ellipse
    parts = np.random.default_rng(3).normal(size=(2, 4, 50)).view(complex).reshape(2, 4, 25)
    period = np.exp(1j * np.linspace(0.0, 2.0 * np.pi, 3001))[:, None, None]
    for one in parts:
        moments = np.sqrt(((one * period).real ** 2).sum(axis=1))
        assert largest(one) == pytest.approx(moments.max(axis=0), rel=1e-5)


def stressed(**parts: complex) -> Fields:
    """One point with a stress that is known."""
    stress = {
        name: np.array([parts.get(name, 0.0)], complex)
        for name in ("rr", "tt", "zz", "rz", "rt", "tz")
    }
    nothing = np.zeros(1)
    return Fields(
        r=nothing,
        z=nothing,
        triangles=np.zeros((0, 3), int),
        displacement=np.zeros((3, 1), complex),
        stress=stress,
        tip=TIP,
        layer=LAYER,
        depth=50 * NM,
        amplitude=NM,
    )


@pytest.mark.parametrize(
    ("stress", "expected"),
    [
        ({"zz": -3.0}, 3.0),  # one axis
        ({"rz": 2.0}, 2.0 * math.sqrt(3.0)),  # shear
        ({"rr": 5.0, "tt": 5.0, "zz": 5.0}, 0.0),  # pressure
        ({"zz": 3.0 - 4.0j}, 5.0),  # one axis, out of step with the motion
    ],
)
def test_von_mises(stress, expected):
    assert stressed(**stress).von_mises == pytest.approx(expected, abs=1e-12)


def test_von_mises_of_stresses_out_of_step_is_the_largest_within_a_period():
    parts = {"rr": 3.0, "tt": 1.0 + 1j, "zz": 3j, "rz": 2.0 - 1j}
    turns = np.exp(1j * np.linspace(0.0, 2.0 * np.pi, 10_001))
    rr, tt, zz, rz = ((part * turns).real for part in parts.values())
    moments = 0.5 * ((rr - tt) ** 2 + (tt - zz) ** 2 + (zz - rr) ** 2) + 3.0 * rz**2
    expected = np.sqrt(moments.max())
    assert stressed(**parts).von_mises == pytest.approx(expected, rel=1e-6)


def test_displacement_reaches_the_amplitude_at_the_tip(shown, lossy):
    for section in (*shown.sections, *lossy):
        values = section.displacement_amplitude
        assert values.max() == pytest.approx(2 * NM, rel=1e-12)
        r, z = section.contour()
        at_tip = np.min(np.hypot(section.r[:, None] - r, section.z[:, None] - z), axis=1) < 1e-12
        assert values[at_tip] == pytest.approx(2 * NM, rel=1e-12)
        assert values[section.z < 1e-15].max() == 0.0


def test_stress_grows_with_the_modulus_and_the_displacement_does_not(lossy):
    ahead, without = lossy
    assert ahead.von_mises == pytest.approx(without.von_mises, rel=1e-9)
    assert ahead.displacement == pytest.approx(without.displacement, abs=1e-20)
    assert np.abs(ahead.stress["rz"].imag).max() > 0.0
    softer = solved(fineness=0.7)
    assert without.von_mises == pytest.approx(2.0 * softer.von_mises, rel=1e-9)


@pytest.mark.parametrize("tip", [TIP, Tip(10 * NM, math.radians(15)), Tip(10 * NM, bonded=False)])
def test_traction_on_the_tip_is_the_force(tip):
    """What the layer does to the tip, integrated over the tip, is the force turned around."""
    found = solved(tip, depth=50.0, fineness=2.0)
    force = lateral_force(tip, LAYER, 50 * NM, 2 * NM, workers=1).force[0].real
    s = np.linspace(0.0, tip.length(50 * NM), 20_001)
    contour = tip.surface(s) + np.array([[0.0], [50 * NM]])
    away = np.hypot(found.r[:, None] - contour[0, ::50], found.z[:, None] - contour[1, ::50])
    near = np.flatnonzero(away.min(axis=1) < 0.3 * NM)
    fine = np.hypot(found.r[near, None] - contour[0], found.z[near, None] - contour[1])
    on = fine.min(axis=1) < 1e-3 * NM
    nodes, at = near[on], s[fine.argmin(axis=1)[on]]
    order = np.argsort(at)
    nodes, at = nodes[order], at[order]
    assert nodes.size > 30
    n_r, n_z = tip.normal(at)
    stress = {name: values[nodes].real for name, values in found.stress.items()}
    pull = n_r * (stress["rr"] - stress["rt"]) + n_z * (stress["rz"] - stress["tz"])
    total = -np.pi * trapezoid(pull * found.r[nodes], at)
    assert total == pytest.approx(force, rel=0.03)


# Sections


def test_section_of_the_displacement(shown):
    ax = fea.displacement(shown.sections[1])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x (nm)", "height (nm)")
    assert ax.get_xlim() == pytest.approx((-80.0, 80.0))
    assert ax.get_ylim() == pytest.approx((0.0, 120.0))
    assert words_of(ax).strip() == "±2 nm"
    sides = [mesh for mesh in ax.collections if mesh.get_array() is not None]
    assert len(sides) == 2
    for mesh in sides:
        assert mesh.get_array().max() == pytest.approx(2.0)
        assert (mesh.norm.vmin, mesh.norm.vmax) == pytest.approx((0.0, 2.0))
    (bar,) = ax.child_axes
    assert bar.get_ylabel() == "displacement (nm)"
    (tip,) = ax.patches
    outline = tip.get_xy()
    assert np.abs(outline[:, 0]).max() == pytest.approx(10.0)
    assert outline[:, 1].min() == pytest.approx(30.0)


def test_sections_of_the_stress(shown):
    limits = fea.stress_limits(shown.sections)
    for section in shown.sections:
        ax = fea.stress(section, limits=limits)
        assert ax.child_axes[0].get_ylabel() == "von Mises stress (kPa)"
        drawn = ax.collections[0]
        assert drawn.norm is limits
        highest = section.von_mises.max()
        assert drawn.get_array().max() == pytest.approx(highest)
        assert limits.vmin < limits.vmax < highest
    # E A / R is 200 kPa
    assert 20e3 < limits.vmax < 400e3


def test_unit_of_the_stress_suits_the_layer():
    for modulus, unit in ((1e9, "MPa"), (1e3, "Pa")):
        ax = fea.stress(solved(layer=replace(LAYER, modulus=modulus), fineness=0.5))
        assert ax.child_axes[0].get_ylabel() == f"von Mises stress ({unit})"
        ticks = [t.get_text() for t in ax.child_axes[0].get_yticklabels()]
        assert "50" in ticks  # as for 1 MPa in kPa


def test_colours_of_the_stress_do_not_hang_on_the_mesh(shown):
    coarse = fea.stress_limits([solved(fineness=0.7)])
    fine = fea.stress_limits([solved(fineness=2.0)])
    assert coarse.vmax == pytest.approx(fine.vmax, rel=0.05)
    assert coarse.vmin == pytest.approx(fine.vmin, rel=0.05)


def test_section_as_wide_as_asked_for_and_as_there_is(shown):
    ax = fea.stress(shown.sections[0], reach=30 * NM)
    assert ax.get_xlim() == pytest.approx((-30.0, 30.0))
    assert fea.displacement(shown.sections[0], reach=1e-6).get_xlim()[1] == pytest.approx(400.0)


@pytest.mark.parametrize("reach", [9 * NM, 0.0, -NM, math.nan])
def test_section_that_shows_nothing_is_refused(shown, reach):
    for draw in (fea.displacement, fea.stress, fea.displacement_3d):
        with pytest.raises(InvalidInput, match="10 nm in radius"):
            draw(shown.sections[1], reach=reach)


def test_what_does_not_go_together_is_refused(shown):
    with pytest.raises(InvalidInput, match="E = 2 MPa"):
        fea.forces(shown.forces, line=("E = 2 MPa", shown.factor, 2e6))
    assert "no forces" in words_of(fea.forces({}))
    with pytest.raises(InvalidInput, match="two depths, and 1"):
        fea.figure2(shown.sections[:1], shown.forces, shown.line, shown.layered)


def test_block_is_coloured_by_the_displacement(shown):
    section = shown.sections[1]
    moved = sections.everywhere(section)
    x = np.array([10.001, 0.0, -10.001, 0.0])
    y = np.array([0.0, 10.001, 0.0, -10.001])
    assert moved(x, y, np.full(4, 80.0)) == pytest.approx(2.0, rel=1e-3)  # beside the tip
    assert moved(3.0 * x, y, np.zeros(4)) == pytest.approx(0.0)  # on the electrode
    node = np.argmin(np.hypot(section.r - 30 * NM, section.z - 50 * NM))
    u, v, w = np.abs(section.displacement[:, node]) * 1e9
    for angle in (0.3, 2.0):
        at = section.r[node] * 1e9
        place = np.array([at * np.cos(angle)]), np.array([at * np.sin(angle)])
        expected = np.hypot(np.hypot(u, w) * np.cos(angle), v * np.sin(angle))
        found = moved(*place, np.array([section.z[node] * 1e9]))
        assert found == pytest.approx(expected, rel=1e-6)


def test_block(shown):
    ax = fea.displacement_3d(shown.sections[1])
    assert ax.get_xlim()[1] >= 80.0
    assert (ax.get_xlabel(), ax.get_zlabel()) == ("x (nm)", "height (nm)")
    parts = [drawn for drawn in ax.collections if isinstance(drawn, Poly3DCollection)]
    colours = colormaps[style.VALUES]
    for part, lowest in zip(parts[:3], (0.3, 0.0, 0.0), strict=True):  # surface, and both cuts
        faces = part.get_facecolor()
        for value in (lowest, 1.0):
            assert np.abs(faces - colours(value)).max(axis=1).min() < 0.03
        assert faces[:, 3] == pytest.approx(1.0)  # none is transparent


# Curves


def test_lines_are_the_forces(shown):
    ax = fea.forces(shown.forces, line=shown.line)
    lines = {line.get_label(): line for line in ax.get_lines()}
    for name, force in shown.forces.items():
        assert lines[name].get_xdata() == pytest.approx(force.depth * 1e9)
        assert lines[name].get_ydata() == pytest.approx(force.force.real * 1e9)
    ten, one = (lines[f"R = 10 nm, E = {e} MPa"].get_ydata() for e in (10, 1))
    assert ten == pytest.approx(10.0 * one)
    assert ax.get_yscale() == "log"
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names[0] == "R = 20 nm, E = 10 MPa"  # in the order of the lines, from the top
    assert names[-1] == f"line: $r_g$ = {shown.factor.constant:.3g}"


def test_line_has_the_slope_of_the_constant(shown):
    """1 nN over 100 nm is r_g = 1.25 at 2 nm and 1 MPa: the paper's own arithmetic."""
    factor = replace(shown.factor, constant=1.25)
    ax = fea.forces(shown.forces, line=("R = 10 nm, E = 1 MPa", factor, 1e6))
    x, y = ax.get_lines()[-1].get_data()
    assert (x[0], x[-1]) == pytest.approx((20.0, 80.0))
    assert (y[-1] - y[0]) / 60.0 == pytest.approx(1.0 / 100.0)


def test_line_fits_the_force_in_between(shown):
    ax = fea.forces(shown.forces, line=shown.line)
    x, y = ax.get_lines()[-1].get_data()
    force = shown.forces["R = 10 nm, E = 1 MPa"]
    off = y - np.interp(x, force.depth * 1e9, force.force.real * 1e9)
    assert np.abs(off).max() < 0.05 * y.max()
    assert abs(off.mean()) < 0.005 * y.max()


def test_skin(shown):
    force, _, apparent = shown.layered
    ax = fea.skin(*shown.layered)
    (line,) = ax.get_lines()
    assert line.get_ydata() == pytest.approx(force.force.real * 1e9)
    # The skin is shaded, where the tip meets it
    (shade,) = ax.collections
    corners = np.concatenate([path.vertices for path in shade.get_paths()])
    assert corners[:, 0].min() == pytest.approx(45.0, abs=1e-3)
    assert corners[:, 0].max() == pytest.approx(55.0, abs=1e-3)
    other = ax.figure.axes[1]
    derivative, truth = other.get_lines()
    assert derivative.get_ydata() == pytest.approx(apparent * 1e-6, nan_ok=True)
    assert set(np.round(truth.get_ydata(), 9)) == {1.0, 10.0}
    # Eq. 5 sees the skin, lower and smeared
    highest = np.nanargmax(apparent)
    assert 43.0 < force.depth[highest] * 1e9 < 55.0
    assert 4e6 < apparent[highest] < 10e6


def made_inverted(loss: float) -> Inverted:
    """A profile of 20 cells in a layer of 100 nm, 1 MPa with a skin of 10 MPa."""
    cells = np.linspace(0.0, 100 * NM, 21)
    middle = 0.5 * (cells[1:] + cells[:-1])
    modulus = SKIN.moduli(middle) * (1.0 + 1j * loss)
    wide = 1.3
    nothing = np.full(20, np.nan)
    parts = (modulus.imag / wide, modulus.imag * wide) if loss else (nothing, nothing)
    depth = np.linspace(5, 95, 40) * NM
    return Inverted(
        cells=cells,
        modulus=modulus,
        storage_low=modulus.real / wide,
        storage_high=modulus.real * wide,
        loss_low=parts[0],
        loss_high=parts[1],
        layers=None,
        force=np.zeros(40, complex),
        depth=depth,
        noise=(1e-12, 1e-12),
        misfit=1.0,
    )


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_inverted(loss):
    found = made_inverted(loss)
    ax = fea.inverted(found, truth=SKIN)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == (["$E'$", "$E''$"] if loss else ["$E'$"])
    stairs = [patch.get_data() for patch in ax.patches]
    expected = [(found.storage_high, found.storage_low), (found.modulus.real, None)]
    if loss:
        expected += [(found.loss_high, found.loss_low), (found.modulus.imag, None)]
    assert len(stairs) == len(expected)
    for data, (values, baseline) in zip(stairs, expected, strict=True):
        assert data.edges == pytest.approx(found.cells * 1e9)
        assert data.values == pytest.approx(values * 1e-6)
        if baseline is not None:
            assert data.baseline == pytest.approx(baseline * 1e-6)
    (truth,) = ax.get_lines()
    assert truth.get_ydata().max() == pytest.approx(10.0)
    assert "tip and contact as told" in ax.get_legend().get_title().get_text()


def made_ambiguous() -> Inverted:
    """The same, with four layers that would do as well, and an error of the radius."""
    made, skin = made_inverted(0.3), Steps([45 * NM, 55 * NM], [1e6, 10e6, 1e6])
    four = Steps([40 * NM, 46 * NM, 55 * NM], [1e6, 0.6e6, 11e6, 1e6])
    return replace(
        made,
        layers=skin,
        alternatives=(
            Explanation(layers=skin, misfit=1.0, parameters=8.0, weight=0.7),
            Explanation(layers=four, misfit=0.9, parameters=11.0, weight=0.28),
            Explanation(layers=None, misfit=0.9, parameters=14.0, weight=0.02),
        ),
        told=ToldErrors(radius=2 * NM, cone_angle=np.radians(5.0)),
    )


def test_other_layers_are_drawn_with_their_weights():
    ax = fea.inverted(made_ambiguous())
    legend = ax.get_legend()
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["$E'$", "$E''$", "4 layers, 28%"]
    assert "radius ± 2 nm" in legend.get_title().get_text()
    assert "angle ± 5°" in legend.get_title().get_text()
    dashed = ax.patches[-1].get_data()
    assert dashed.edges == pytest.approx([0.0, 40.0, 46.0, 55.0, 100.0])
    assert dashed.values == pytest.approx([1.0, 0.6, 11.0, 1.0])


# Looks


PICTURES = {
    "fea-displacement-3d": lambda shown, width: fea.displacement_3d(shown.sections[1], width=width),
    "fea-displacement": lambda shown, width: fea.displacement(shown.sections[1], width=width),
    "fea-stress": lambda shown, width: fea.stress(shown.sections[0], width=width),
    "fea-forces": lambda shown, width: fea.forces(shown.forces, line=shown.line, width=width),
    "fea-skin": lambda shown, width: fea.skin(*shown.layered, width=width),
    "fea-inverted-others": lambda _, width: fea.inverted(made_ambiguous(), width=width),
    "fea-inverted": lambda _, width: fea.inverted(made_inverted(0.3), truth=SKIN, width=width),
}


def whole(shown):
    return fea.figure2(shown.sections, shown.forces, shown.line, shown.layered)


@pytest.mark.parametrize("width", [figures.COLUMN, figures.PAGE])
@pytest.mark.parametrize("name", PICTURES)
def test_readable(shown, name, width):
    assert_readable(PICTURES[name](shown, width))


def test_figure_is_readable(shown):
    figure = whole(shown)
    assert_readable(figure)
    letters = [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]
    for letter, title in zip("abcdef", letters, strict=True):
        assert title.startswith(rf"$\mathbf{{{letter}}}$")
    assert "30 nm deep" in letters[2]
    assert "70 nm deep" in letters[3]
    assert figure.get_size_inches()[0] * 25.4e-3 == pytest.approx(figures.PAGE)


@pytest.mark.parametrize(
    ("tip", "layer", "depths"),
    [
        (Tip(10 * NM, math.radians(35)), Layer(50 * NM, 1e6, 0.49, 150 * NM), (15.0, 35.0)),
        (Tip(40 * NM), Layer(30 * NM, 1e9), (9.0, 21.0)),  # the spherical end alone
        (Tip(5 * NM, bonded=False), Layer(300 * NM, 1e3, 0.5), (90.0, 295.0)),
    ],
)
def test_sections_of_other_tips_are_readable(shown, tip, layer, depths):
    sections = [solved(tip, layer, depth, fineness=0.5) for depth in depths]
    figure = fea.figure2(sections, shown.forces, shown.line, shown.layered)
    assert_readable(figure)
    panels = [ax for ax in figure.axes if ax.get_xlabel() == "x (nm)"]
    assert len({ax.get_xlim() for ax in panels[1:]}) == 1  # all sections to one scale


@pytest.mark.pictures
@pytest.mark.parametrize("name", PICTURES)
def test_as_the_reference(shown, name, tmp_path):
    """A change of looks is seen: look at the picture, then make the reference anew."""
    assert difference(PICTURES[name](shown, figures.COLUMN), name, tmp_path) is None


@pytest.mark.pictures
def test_figure_as_the_reference(shown, tmp_path):
    assert difference(whole(shown), "fea-figure2", tmp_path) is None


def test_vector_formats_stay_small(shown, tmp_path):
    """Sections are pixels in them, lines and type are not."""
    figures.save(whole(shown), tmp_path / "figure.svg")
    content = (tmp_path / "figure.svg").read_bytes()
    assert content.startswith(b"<?xml")
    assert len(content) < 2e6
    assert content.count(b"<image") >= 4
    figures.save(fea.stress(shown.sections[0]), tmp_path / "stress.pdf")
    content = (tmp_path / "stress.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert len(content) < 5e5


# The command


def run(*words):
    return CliRunner().invoke(cli.main, ["fea", "figure", *map(str, words)])


def test_command_draws_all(tmp_path):
    out = tmp_path / "figure.png"
    quick = ["--radius", "20nm", "--thickness", "40nm", "--domain", "120nm"]
    done = run("-o", out, *quick)
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert done.stderr == f"nrm: {out} written\n"
    assert imread(out).shape[1] == pytest.approx(178 / 25.4 * 300, abs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]


def test_command_replaces_nothing_unasked(tmp_path):
    out = tmp_path / "figure.png"
    out.write_bytes(b"mine")
    done = run("-o", out, "--radius", "10nm")
    assert done.exit_code == 1
    assert "--overwrite" in done.stderr
    assert out.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-o", "figure.jpg", "--radius", "10nm"], 2, ".png, .svg, .pdf"),
        (["-o", "figure.png"], 2, "--radius"),
        (["-o", "figure.png", "--radius", "10"], 2, "unit"),
        (["-o", "missing/figure.png", "--radius", "10nm"], 1, "figure.png"),
        (["-o", "figure.png", "--radius", "-10nm"], 1, "radius is -10 nm"),
        (["-o", "figure.png", "--radius", "10nm", "--thickness", "0nm"], 1, "thickness"),
        (["-o", "figure.png", "--radius", "10nm", "--poisson", "0.6"], 1, "Poisson"),
        (["-o", "figure.png", "--radius", "10nm", "--poisson", "nan"], 1, "Poisson"),
        (["-o", "figure.png", "--radius", "10nm", "--modulus", "0Pa"], 1, "modulus"),
        (["-o", "figure.png", "--radius", "10nm", "--amplitude", "0nm"], 1, "amplitude"),
        (["-o", "figure.png", "--radius", "10nm", "--domain", "5nm"], 1, "domain"),
        (["-o", "figure.png", "--radius", "500nm"], 1, "radii"),
    ],
)
def test_command_names_what_is_wrong(tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    done = run(*words)
    assert done.exit_code == code, done.output
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []
