"""Methods of plugins, in recipes and results: one is as good as ours, and details are its own."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import nrm_plugin as nrm
from nrm_plugin import figures, plugins
from nrm_plugin import simulate as sim
from nrm_plugin.engine import methods
from nrm_plugin.hookspecs import ContactFound
from nrm_plugin.parameters import Field, Fraction, Length, MethodSettings
from nrm_plugin.recipe import Contact, Derivative, Recipe
from nrm_plugin.testing import check_contact_method, check_derivative_method
from nrm_plugin.variables import BIT

NM = 1e-9
OURS = [p for p in entry_points(group="nrm_plugin") if p.name == "nrm"]


class Off:
    """The engine's contact, 0.77 nm off, as a plugin of the version before says it."""

    name = "off"
    description = "0.77 nm off"

    def find(self, height: Any, deflection: Any) -> tuple[float, float]:
        return methods.GROWN.find(height, deflection).height + 0.77 * NM, 0.05 * NM


class Detailed:
    """Two given lines."""

    name = "detailed"
    description = "a contact with all details"

    class Settings(MethodSettings):
        """What it is told."""

        wall: Length = Field(default=20e-9, description="length of the wall")
        part: Fraction = Field(default=0.5, description="part of the samples that is baseline")

    def find(self, height: Any, deflection: Any, settings: Any = None) -> ContactFound:
        at = methods.GROWN.find(height, deflection).height
        end = height[int(settings.part * len(height))]
        return ContactFound(
            height=at,
            stderr=0.1 * NM,
            baseline=(float(height[0]), float(end)),
            wall=(at, at - settings.wall),
            lines=(0.0, 0.0, at, -1.0),
            noise=0.3 * NM,
        )


class Slope:
    """Differences between means on either side of a distance."""

    name = "two-means"
    description = "means on either side"

    class Settings(MethodSettings):
        """What it is told."""

        window: Length = Field(default=4e-9, description="length of either side")

    def gradient(self, z: Any, force: Any, at: Any, settings: Any = None) -> tuple[Any, Any]:
        found = np.full(len(at), np.nan)
        for i, here in enumerate(at):
            far = (z >= here) & (z < here + settings.window)
            near = (z < here) & (z >= here - settings.window)
            if far.sum() > 3 and near.sum() > 3 and here > settings.window:
                run = z[far].mean() - z[near].mean()
                found[i] = (force[far].mean() - force[near].mean()) / run
        return found, np.full(len(at), 1e-3)


class Broken:
    name = "broken"
    description = "fails"

    def find(self, height: Any, deflection: Any) -> Any:
        return "nowhere"

    def gradient(self, z: Any, force: Any, at: Any) -> Any:
        return 0.0, 0.0


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> plugins.Plugins:
    found = plugins.load()
    for one in (Off(), Detailed(), Broken()):
        found.contact_methods[one.name] = one
    for other in (Slope(), Broken()):
        found.derivative_methods[other.name] = other
    monkeypatch.setattr(plugins, "installed", lambda: found)
    return found


@pytest.fixture(scope="module")
def curves() -> nrm.CurveSet:
    layer = sim.Interphase((sim.Layer(20 * NM, 10e6 + 3e6j),), 3e-9)
    quiet = sim.Detector(deflection_noise=0.1 * NM, lateral_noise=1e-12)
    ramp = sim.Ramp(length=307 * NM, trigger=50 * NM, retract=False)
    return sim.simulate(
        sim.Sample(layer), sim.Instrument(detector=quiet), ramp, n_curves=60, seed=4
    )[0]


def test_a_method_that_is_a_little_off_raises_no_flag(curves: nrm.CurveSet) -> None:
    """Compared with our crossing 52 of 60 curves were flagged, for 0.77 nm."""
    ours = nrm.process(curves, {"contact": {"slope": "free"}})
    found = nrm.process(curves, {"contact": {"method": "off"}})
    assert (found.quality == 0).all()
    np.testing.assert_allclose(found.contact_height - ours.contact_height, 0.77 * NM, atol=0.1 * NM)
    for name in ("contact_height_systematic", "wall_slope", "wall_length"):
        assert found[name].isnull().all()
    assert np.isfinite(found.storage_modulus).any()


def lines_of(curves: nrm.CurveSet, results: xr.Dataset) -> list[str]:
    ax = figures.raw(curves, [3], results=results)
    return [line.get_gid() for line in ax.lines if line.get_gid()]


def test_figures_draw_what_the_method_returned(curves: nrm.CurveSet) -> None:
    bare = nrm.process(curves, {"contact": {"method": "off"}})
    whole = nrm.process(curves, {"contact": {"method": "detailed"}})
    assert lines_of(curves, bare) == ["contact"]
    assert sorted(lines_of(curves, whole)) == ["baseline", "contact", "wall"]


def test_details_are_in_results_and_flags(curves: nrm.CurveSet) -> None:
    recipe = Recipe(contact={"method": "detailed", "detailed": {"wall": "15 nm"}})
    found = nrm.process(curves, recipe)
    np.testing.assert_allclose(found.wall_length, 15 * NM)
    np.testing.assert_array_equal(found.wall_slope, -1.0)
    np.testing.assert_array_equal(found.baseline_slope, 0.0)
    np.testing.assert_allclose(found.deflection_noise, 0.3 * NM)
    assert not (found.quality & (BIT["short_wall"] | BIT["short_baseline"])).any()
    for settings, flag in (({"wall": "5 nm"}, "short_wall"), ({"part": 0.01}, "short_baseline")):
        short = nrm.process(curves, recipe.replace(contact={"detailed": settings}))
        assert (short.quality & BIT[flag]).all()


def test_a_derivative_of_a_plugin(curves: nrm.CurveSet) -> None:
    """10 + 3i MPa from 0 to 20 nm; towards the electrode it is positive."""
    found = nrm.process(curves, {"derivative": {"method": "two-means"}})
    here = found.sel(depth=slice(7.9 * NM, 12.1 * NM))
    np.testing.assert_allclose(here.storage_modulus.mean("curve"), 10e6, rtol=0.03)
    np.testing.assert_allclose(here.loss_modulus.mean("curve"), 3e6, rtol=0.05)
    np.testing.assert_allclose(here.force_gradient_in_phase_stderr, 1e-3, rtol=1e-6)
    np.testing.assert_allclose(found.depth_valid_min, 4.5 * NM, atol=1e-15)
    other = Recipe(derivative={"method": "two-means", "two-means": {"window": "6 nm"}})
    np.testing.assert_allclose(nrm.process(curves, other).depth_valid_min, 6.5 * NM, atol=0.6 * NM)


@pytest.mark.parametrize("kind", ["contact", "derivative"])
def test_what_a_method_gives_wrong_is_named(curves: nrm.CurveSet, kind: str) -> None:
    with pytest.raises(nrm.InvalidInput, match=f"the {kind} method broken failed"):
        nrm.process(curves, {kind: {"method": "broken"}})


@pytest.mark.parametrize(("kind", "first"), [("contact", "grown"), ("derivative", "local-linear")])
def test_a_method_that_there_is_not(kind: str, first: str) -> None:
    with pytest.raises(nrm.RecipeError, match=f"no {kind} method 'guess'; there are: {first}, "):
        Recipe(**{kind: {"method": "guess"}})


def test_settings_in_recipes() -> None:
    text = '[contact]\nmethod = "detailed"\n\n[contact.detailed]\nwall = "3 nm"\n'
    recipe = Recipe.from_text(text)
    assert recipe.contact.settings == Detailed.Settings(wall=3e-9)
    assert Recipe.from_text(recipe.to_toml()) == recipe
    assert Recipe.from_text(recipe.to_toml(comments=False)) == recipe
    assert 'wall = "3 nm"  # length of the wall' in recipe.to_toml()
    assert recipe.replace(**{"contact.detailed.wall": "4 nm"}).contact.settings.wall == 4e-9
    assert recipe.replace(window="2 nm").to_dict()["derivative"]["two-means"] == {"window": 2e-9}
    with pytest.raises(nrm.RecipeError) as caught:
        Recipe.from_text(text + "weight = 3\n[contact.grown]\nwall = 1\n")
    said = str(caught.value)
    assert "no key 'weight' in [contact.detailed]." in said
    assert "no key 'wall' in [contact.grown]." in said
    with pytest.raises(nrm.RecipeError, match=r"contact\.detailed\.wall: 3 m cannot be meant"):
        Recipe.from_text(text.replace('"3 nm"', "3"))


def test_settings_where_they_stood_before() -> None:
    """`baseline` and `wall` of two-line stood in [contact] itself."""
    before = Recipe.from_text('[contact]\nmethod = "two-line"\nbaseline = 0.5\nwall = "25 %"\n')
    now = Recipe(contact={"method": "two-line", "two-line": {"baseline": 0.5, "wall": 0.25}})
    assert before == now
    assert hash(before) == hash(now)
    assert (before.contact.wall, Recipe().contact.baseline) == (0.25, 0.4)
    assert "[contact.two-line]\nbaseline = 0.5\nwall = 0.25\n" in before.to_toml(comments=False)
    assert "two-line" not in Recipe().to_toml(comments=False)


def test_what_process_takes(curves: nrm.CurveSet, tmp_path: Path) -> None:
    path, recipe = tmp_path / "c.h5", tmp_path / "r.toml"
    curves.save(path)
    recipe.write_text('[depth]\nstop = "10 nm"\n', encoding="utf-8")
    expected = nrm.process(curves, Recipe().replace(stop=10e-9))
    for given in (recipe, str(recipe), {"depth": {"stop": "10 nm"}}):
        found = nrm.process(path, given)
        for name in expected.data_vars:
            np.testing.assert_array_equal(found[name], expected[name])
    with pytest.raises(nrm.RecipeError, match="Did you mean depth"):
        nrm.process(path, {"depht": {}})


def test_our_methods_alone(curves: nrm.CurveSet) -> None:
    height, deflection = curves.read("height", 0), curves.read("deflection", 0)
    contact = nrm.process(curves, {"contact": {"slope": "free"}}).contact_height.values[0]
    for method in (methods.GROWN, methods.TWO_LINE):
        found = method.find(height, deflection)
        assert abs(found.height - contact) < 0.3 * NM
        offset, slope, wall_offset, wall_slope = found.lines  # type: ignore[misc]
        crossing = (wall_offset - offset) / (slope - wall_slope)
        assert crossing == pytest.approx(found.height, abs=1e-12)
        assert wall_slope == pytest.approx(-1.0, abs=0.02)
    z = np.linspace(100, 1, 1000) * NM
    force = np.where(z < 40 * NM, (40 * NM - z) * 0.05, 0.0)
    at = np.arange(5, 35) * NM
    for other in (methods.LOCAL_LINEAR, methods.SAVITZKY_GOLAY, methods.TOTAL_VARIATION):
        gradient, _ = other.gradient(z, force, at)
        np.testing.assert_allclose(gradient, -0.05, rtol=1e-6)


def test_what_is_registered_is_what_is_there(registry: plugins.Plugins) -> None:
    ours = (methods.GROWN, methods.TWO_LINE)
    for method in (*ours, methods.LOCAL_LINEAR, methods.SAVITZKY_GOLAY, methods.TOTAL_VARIATION):
        kind = "contact_methods" if method in ours else "derivative_methods"
        registered = registry.all(kind)[method.name]
        assert registered.target() is method
        assert registered.description == method.description


def test_good_methods_pass_the_checks() -> None:
    for method in (methods.GROWN, methods.TWO_LINE, Off(), Detailed()):
        check_contact_method(method)
    for other in (methods.LOCAL_LINEAR, methods.SAVITZKY_GOLAY, methods.TOTAL_VARIATION, Slope()):
        check_derivative_method(other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Two Words"}, "not one lower-case word"),
        ({"description": "a\nb"}, "more than one line"),
        ({"find": lambda self, h, d: (0.0, 0.0)}, "500 nm off"),
        ({"find": lambda self, h, d: (h[np.argmax(d > 1e-9)], -1e-9)}, "standard error of -1e-09"),
        ({"find": lambda self, h, d: (h.sort(), 0.0)}, "arrays were changed"),
        (
            {"find": lambda self, h, d: ContactFound(height=h[d < 1e-9][-1], wall=(1.0, 2.0))},
            "window",
        ),
        ({"find": lambda self, h, d: (h[np.flatnonzero(d > 1e-9)[0]], 0.0)}, "IndexError"),
    ],
)
def test_bad_contact_methods_are_told(changes: dict[str, Any], message: str) -> None:
    bad = type("Bad", (Off,), changes)()
    with pytest.raises(AssertionError, match=message):
        check_contact_method(bad, within=2e-9)


@pytest.mark.parametrize(
    ("gradient", "message"),
    [
        (lambda self, z, f, at: (np.zeros(3), np.zeros(3)), "shapes"),
        (lambda self, z, f, at: (np.gradient(-f, z).mean() + 0 * at, 0 * at), "instead of 0.05"),
        (lambda self, z, f, at: (at + np.nan, at), "no estimate"),
        (lambda self, z, f, at: (np.polyfit(z, f, 1)[0] + 0 * at, at - 1), "negative"),
        (lambda self, z, f, at: (np.polyfit(z, f, 1)[0] + 0 * at, at + 0 * z[9]), "5 samples"),
    ],
)
def test_bad_derivative_methods_are_told(gradient: Any, message: str) -> None:
    bad = type("Bad", (), {"name": "bad", "description": "bad", "gradient": gradient})()
    with pytest.raises(AssertionError, match=message):
        check_derivative_method(bad)


def test_the_table_of_methods_is_that_of_the_registry() -> None:
    """Page and registry name the same methods, with the same words and settings."""
    rows = []
    for kind, section in (("contact_methods", Contact), ("derivative_methods", Derivative)):
        for name, method in plugins.load(OURS).all(kind).items():
            model = section.model_of(name)
            settings = ", ".join(f"`{key}`" for key in (model.model_fields if model else ()))
            key = f"`{kind.split('_')[0]}.method`"
            rows.append(f"| {key} | `{name}` | {method.description} | {settings} |")
    page = (Path(__file__).parent.parent / "docs" / "processing.md").read_text(encoding="utf-8")
    table = [line for line in page.splitlines() if line.startswith(("| `contact.m", "| `deriv"))]
    assert table == rows
