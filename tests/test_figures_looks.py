"""How figures look: nothing cut off, overlapping or too small; pictures as their references."""

from __future__ import annotations

import numpy as np
import pytest
from figure_results import made_results
from matplotlib.figure import Figure
from pictures import (
    assert_readable,
    clipped,
    covered,
    difference,
    empty,
    overlapping,
    smallest,
    whole,
)

from nrm_plugin import CurveSet, Image, figures
from nrm_plugin import simulate as sim
from nrm_plugin.variables import BIT

WIDTHS = [figures.COLUMN, figures.PAGE]
VOLTS = np.linspace(2.0, 0.0, 100)
TRACE = VOLTS, -20e-6 * np.exp(-(((VOLTS - 0.7) / 0.2) ** 2)) - 4e-6


def flagged() -> np.ndarray:
    flags = np.zeros(48, int)
    flags[::7] |= BIT["no_hard_contact"]
    flags[3::5] |= BIT["spikes"] | BIT["short_wall"]
    return flags


def ramps() -> CurveSet:
    """Three ramps onto a wall that is known, at different heights."""
    height = np.linspace(300e-9, 0, 300) + np.array([0.0, 150e-9, 60e-9])[:, None]
    wall = np.array([100e-9, 230e-9, 160e-9])[:, None]
    noise = 0.1e-9 * np.random.default_rng(0).standard_normal(height.shape)
    return CurveSet.from_arrays(
        {"height": (height, "m"), "deflection": (np.maximum(wall - height, 0) + noise, "m")},
        metadata={"simulated": True},
    )


def surface() -> CurveSet:
    x = np.linspace(0, 3, 96)
    heights = 60e-9 * np.sin(3 * x) * np.cos(2 * x[:64, None]) + 20e-9 * np.sin(11 * x)
    return CurveSet.from_arrays({}, images=[Image("Height", heights, "m", (3e-6, 2e-6))])


#: Every kind of figure, on data that show all there is.
PICTURES = {
    "raw": lambda width: figures.raw(ramps(), width=width),
    "referenced": lambda width: figures.referenced(ramps(), width=width),
    "referenced-deflection": lambda width: figures.referenced(
        ramps(), show="deflection", width=width
    ),
    "curve": lambda width: figures.curve(made_results(), 40, width=width),
    "voltammogram": lambda width: figures.voltammogram(made_results(), trace=TRACE, width=width),
    "potential": lambda width: figures.voltammogram(made_results(), width=width),
    "profiles": lambda width: figures.profiles(made_results(), width=width),
    "density": lambda width: figures.density(made_results(), width=width),
    "density-log": lambda width: figures.density(
        made_results(), conditional=True, log=True, width=width
    ),
    "violin": lambda width: figures.violin(made_results(), width=width),
    "map": lambda width: figures.map(made_results(quality=flagged()), width=width),
    "quality": lambda width: figures.quality(made_results(quality=flagged()), width=width),
    "topography": lambda width: figures.topography(surface(), width=width),
    "figure4": lambda width: figures.figure4(made_results(), trace=TRACE, width=width),
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PICTURES)
def test_readable(name, width):
    assert_readable(PICTURES[name](width))


ODD = {
    "no potential": {"potential": None},
    "one region": {"potential": 1.7},
    "nothing inside": {"potential": 3.1},
    "flagged": {"quality": BIT["no_hard_contact"]},
    "one curve": {"rows": 1, "columns": 1, "potential": 0.4},
    "no curves": {"rows": 0, "columns": 0},
    "a line": {"rows": 1, "columns": 40},
    "no places": {"places": False},
    "stiff and noisy": {"noise": 3e9, "spread": 3.0},
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("case", ODD)
def test_readable_where_data_are_odd(case, width):
    results = made_results(**ODD[case])
    assert_readable(figures.figure4(results, width=width))
    if width == figures.COLUMN:
        assert_readable(figures.quality(results))
        assert_readable(figures.map(results))


def test_readable_with_many_regions():
    from nrm_plugin.statistics import regions

    results = made_results()
    many = regions(results, [2.0, 1.6, 1.3, 1.0, 0.8, 0.6, 0.3, 0.0])
    for width in WIDTHS:
        assert_readable(figures.figure4(results, many, width=width))


def test_readable_for_a_simulated_experiment():
    """The real chain: curves, results, figures."""
    import nrm_plugin as nrm

    sample = sim.Sample(
        sim.Interphase((sim.Layer(15e-9, 8e6 + 2e6j),), force=2e-9),
        sim.Electrode(roughness=50e-9),
        thickness_spread=0.2,
        onset=2.2,
    )
    curves, _ = sim.simulate(
        sample,
        sim.Instrument(lateral_stiffness=80.0),
        sim.Ramp(samples=512),
        grid=(5, 6),
        voltammogram=sim.Voltammogram(rate=1.9 / 58),
        seed=4,
    )
    results = nrm.process(curves)
    for width in WIDTHS:
        assert_readable(figures.figure4(results, width=width))
        assert_readable(figures.raw(curves, results=results, width=width))


# Pictures against references


@pytest.mark.pictures
@pytest.mark.parametrize("name", PICTURES)
def test_as_the_reference(name, tmp_path):
    """A change of looks is seen: look at the picture, then make the reference anew."""
    width = figures.PAGE if name == "figure4" else figures.COLUMN
    assert difference(PICTURES[name](width), name, tmp_path) is None


@pytest.mark.pictures
def test_a_picture_that_lacks_something_differs(tmp_path):
    ax = PICTURES["profiles"](figures.COLUMN)
    ax.get_legend().remove()
    assert "RMS" in str(difference(ax, "profiles", tmp_path))


# The checks themselves notice what they are for


def plain() -> Figure:
    figure = Figure(figsize=(3, 2))
    figure.add_subplot().plot([0, 1], [0, 1], label="line")
    return figure


def test_checks_notice_text_that_is_cut_off():
    figure = plain()
    figure.text(0.97, 0.5, "much too far out")
    assert "much too far out" in clipped(figure)


def test_checks_notice_text_that_overlaps():
    figure = plain()
    figure.text(0.4, 0.5, "one above", rotation=30, rotation_mode="anchor")
    figure.text(0.42, 0.52, "another")
    assert ("one above", "another") in overlapping(figure)


def test_checks_let_tilted_neighbours_pass():
    figure = plain()
    for place in (0.4, 0.5, 0.6):
        figure.text(place, 0.6, "0.005-0.5", rotation=45, ha="right", rotation_mode="anchor")
    assert overlapping(figure) == []


def test_checks_notice_lines_under_a_legend_small_type_and_empty_panels():
    figure = plain()
    figure.axes[0].legend(loc="center", fontsize=4)
    figure.axes[0].plot([0.5, 0.5, 0.5], [0.4, 0.5, 0.6], label="hidden")
    assert smallest(figure) == 4.0
    assert covered(figure) == ["hidden (None)"]
    assert empty(figure) == []
    assert len(empty(whole(figure.add_axes((0, 0, 0.1, 0.1))))) == 1
