"""Calibrations as objects of the registry, and the commands that are made of them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Annotated, Literal

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import BaseModel, Field

from nrm_plugin import CurveSet, cli
from nrm_plugin import simulate as sim
from nrm_plugin.calibration import Estimate
from nrm_plugin.delimited import read_table
from nrm_plugin.errors import InvalidInput
from nrm_plugin.hookspecs import Calibration
from nrm_plugin.plugins import installed
from nrm_plugin.testing import check_calibration
from nrm_plugin.units import Unit

OURS = [
    "deflection",
    "thermal",
    "sader",
    "lateral geometry",
    "lateral lock-in",
    "lateral loop",
    "lateral wedge",
    "lateral given",
    "dither drive",
    "dither hard",
    "phase hard",
    "phase elastomer",
    "phase given",
    "response",
]


class Bead:
    """Spring constant from the weight of a bead.

    FILEs are not needed.
    """

    name = "bead"
    description = "Spring constant from a weight."

    class Settings(BaseModel):
        mass: Annotated[float, Unit("kg", "ug")] = Field(1e-9, description="Mass of the bead.")
        bending: Annotated[float, Unit("m", "nm")] = Field(description="How far it bends.")
        beads: int = Field(1, description="How many there are.")
        place: Literal["end", "tip"] = Field("end", description="Where they are.")
        wet: bool = Field(False, description="Whether in water.")
        names: list[str] = Field(default_factory=list, description="What they are called.")

    def estimate(self, inputs, settings=None):
        weight = settings.beads * settings.mass * 9.81 * (0.5 if settings.wet else 1.0)
        method = f"{settings.place} {' '.join(settings.names)}".strip()
        return Estimate("spring_constant", weight / settings.bending, float("nan"), method)


@pytest.fixture
def strangers(monkeypatch):
    """A registry with a stranger's calibrations in it."""
    other = Bead()
    other.name = "lateral bead"
    monkeypatch.setitem(installed().calibrations, "bead", Bead())
    monkeypatch.setitem(installed().calibrations, "lateral bead", other)


def run(*words: str):
    return CliRunner().invoke(cli.main, ["calibrate", *words], prog_name="nrm")


@pytest.mark.parametrize("name", OURS)
def test_ours_are_in_the_registry(name):
    deferred = installed().calibrations[name]
    target = deferred.target()
    assert isinstance(deferred, Calibration)
    result = run(*name.split(), "--help")
    assert result.exit_code == 0
    assert " ".join(type(target).__doc__.split("\n")[0].split()) in " ".join(result.output.split())
    model = getattr(target, "Settings", None)
    for field, about in {} if model is None else model.model_fields.items():
        assert about.description
        assert f"--{(about.alias or field).replace('_', '-')}" in result.output


def test_no_method_has_more_than_five_options():
    for name in OURS:
        model = getattr(installed().calibrations[name].target(), "Settings", None)
        assert model is None or len(model.model_fields) <= 5


def test_help_lists_all_without_numpy(strangers):
    shown = run("--help").output
    for name in [*OURS, "bead", "lateral bead"]:
        assert f"\n  {name} " in shown
    assert "\n  bead " in run("lateral", "--help").output
    script = "import sys; from nrm_plugin.cli import main; main(['calibrate', '--help'], 'nrm', \
        standalone_mode=False); print('numpy' in sys.modules, 'pydantic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False False"


def test_a_strangers_settings_are_options(strangers):
    words = ["--mass", "2ug", "--bending=98.1 nm", "--beads=3", "--wet", "--names=a", "--names=b"]
    for name in (["bead"], ["lateral", "bead"]):
        (found,) = json.loads(run(*name, *words, "--place", "tip", "--json").output)
        assert found["value"] == pytest.approx(0.3)
        assert found["stderr"] is None
        assert found["method"] == "tip a b"
    assert (
        run("bead", "--bending", "98.1nm").output == "spring_constant = 0.1 N/m +- unknown  (end)\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Missing option '--bending'"),
        (["--bending=98"], "has no unit: write for example '98 nm'"),
        (["--bending=98 V"], "--bending: V cannot be turned into m"),
        (["--bending=98nm", "--beads=x"], "--beads: Input should be a valid integer"),
        (["--bending=98nm", "--place=middle"], "'end', 'tip'"),
    ],
)
def test_settings_that_make_no_sense(strangers, words, said):
    result = run("bead", *words)
    assert result.exit_code == 2
    assert said in result.output


def test_methods_as_they_were_asked_for_before():
    given = ["--value", "300 nm/V", "--of", "lock-in"]
    wanted = run("lateral", "given", *given).output
    assert wanted.startswith("lateral_sensitivity = 300 nm/V +- unknown  (given)")
    for words in (["--method", "given", *given], [*given, "--method=given"]):
        assert run("lateral", *words).output == wanted
    assert "cantilever_length" in run("lateral", "--set", "spring_constant=1N/m").output
    wrong = run("lateral", "--method", "wegde")
    assert wrong.exit_code == 2
    assert "Did you mean wedge?" in wrong.output
    other = run("lateral", "--method", "given", *given, "--limit", "1V")
    assert other.exit_code == 2
    assert "No such option" in other.output


def test_check_calibration():
    (given,) = check_calibration(
        installed().calibrations["phase given"],
        [],
        installed().calibrations["phase given"].Settings(value="40 deg"),
    )
    assert given.value == pytest.approx(np.radians(40))
    instrument = sim.Instrument(lateral_stiffness=26.0)
    curves, _ = sim.simulate(sim.Sample(), instrument, sim.Ramp(), n_curves=4, volts=True)
    (found,) = check_calibration(installed().calibrations["deflection"], [curves])
    assert found.value == pytest.approx(curves.metadata["deflection_sensitivity"], rel=2e-3)
    twice = check_calibration(installed().calibrations["deflection"], [curves, curves])
    assert twice[0].value == pytest.approx(found.value, rel=1e-6)
    assert twice[0].notes[0].startswith("8 curves")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "Two Words"}, "lower-case"),
        ({"description": ""}, "no description"),
        ({"estimate": lambda *_: Estimate("spring", 1.0, 0.1, "x")}, "no metadata key"),
        ({"estimate": lambda *_: Estimate("spring_constant", -1.0, 0.1, "x")}, "spring_constant"),
        ({"estimate": lambda *_: Estimate("spring_constant", 1.0, -0.1, "x")}, "of -0.1"),
        ({"estimate": lambda *_: []}, "no estimate"),
        ({"estimate": lambda *_: [0.2]}, "no Estimate"),
        (
            {
                "estimate": lambda *_: Estimate(
                    "spring_constant", float(np.random.default_rng().random()), 0.1, "x"
                )
            },
            "another result",
        ),
    ],
)
def test_check_calibration_finds(change, said):
    bead = Bead()
    for name, value in change.items():
        setattr(bead, name, value)
    with pytest.raises(AssertionError, match=said):
        check_calibration(bead, [], Bead.Settings(bending=1e-7))


def test_one_file_is_needed(tmp_path):
    (tmp_path / "a.csv").write_text("frequency (Hz),psd (V^2/Hz)\n1,2\n", encoding="utf-8")
    table = read_table(tmp_path / "a.csv")
    thermal = installed().calibrations["thermal"].target()
    for inputs in ([], [CurveSet.from_arrays({})], [table, table]):
        with pytest.raises(InvalidInput, match="one file with a spectrum or a trace is needed"):
            thermal.estimate(inputs)
    with pytest.raises(InvalidInput, match="no default for loss_tangent"):
        installed().calibrations["phase elastomer"].estimate([])
