"""What logs say beside the potential, and how it reaches curves, results and axes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from writers.potentiostat import Voltammogram, write_csv, write_dta, write_mpr, write_mpt

import nrm_plugin as nrm
from nrm_plugin import Log, figures, with_potential
from nrm_plugin import simulate as sim
from nrm_plugin.cli import main
from nrm_plugin.figures.panels import potential_label
from nrm_plugin.potential import read_log
from nrm_plugin.store.kept_logs import read_logs

DAY = np.datetime64("2025-03-04T09:00:00", "us")
CV = Voltammogram(high=2.0, low=0.0, rate=1e-2, interval=5.0)
REAL = Path(os.environ.get("NRM_REAL_FILES", "")) / "potentiostat"


def curves_at(*began: float, duration: float = 0.0, source: Any = None) -> nrm.CurveSet:
    n = len(began)
    time = np.broadcast_to(np.array([0.0, 0.5, 1.0]) * duration, (n, 3))
    starts = DAY + (np.array(began) * 1e6).astype("m8[us]")
    table = {"start_time": starts, "start_time_uncertainty": np.zeros(n)}
    if source is not None:
        table["source"] = np.array(source)
    channels = {"deflection": (np.zeros((n, 3)), "V"), "time": (time, "s")}
    return nrm.CurveSet.from_arrays(channels, curve_table=table)


def eclab(path: Path, *lines: str, charge: bool = False) -> None:
    """An export with further lines in its header, and the charge behind the other columns."""
    write_mpt(path, CV)
    head, *rest = path.read_bytes().decode("latin-1").split("\r\n\r\nmode")
    head = "\r\n".join([head, *lines]).replace(
        "Nb header lines : 12", f"Nb header lines : {12 + len(lines)}"
    )
    text = head + "\r\n\r\nmode" + rest[0]
    if charge:
        titles, *points = text.split("\r\nmode", 1)[1].rstrip("\r\n").split("\r\n")
        points = [f"{p}\t{-1e-3 * k:.7E}" for k, p in enumerate(points)]
        text = head + "\r\n\r\n" + "\r\n".join([f"mode{titles}\t(Q-Qo)/mA.h", *points]) + "\r\n"
    path.write_bytes(text.encode("latin-1"))


# Files


def test_settings_of_an_eclab_export(tmp_path: Path) -> None:
    eclab(
        tmp_path / "cv.mpt",
        "Reference electrode : Ag/AgCl / KCl (3.5M) (0,205 V)",
        "dE/dt               10,000              ",
        "dE/dt unit          mV/s                ",
        "Ru                  68.300              ",
        "unit Ru             Ohm                 ",
        "comp. level (%)     85                  ",
        charge=True,
    )
    log = read_log(tmp_path / "cv.mpt")
    assert log.reference == "Ag/AgCl / KCl (3.5M)"
    assert log.sweep_rate == 0.01
    assert (log.ohmic_resistance, log.ohmic_compensation) == (68.3, 0.85)
    assert log.charge is not None
    np.testing.assert_allclose(log.charge, -3.6e-3 * np.arange(len(log.time)), rtol=1e-7)
    assert any("EC-Lab keeps what was once set" in note for note in log.notes)


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Reference electrode : (unspecified)",),
        ("Reference electrode : ", "Ru                  68.300              "),
        (
            "dE/dt               20.000              40.000              ",
            "dE/dt unit          mV/s                mV/s                ",
        ),
        ("dE/dt               20.000              ", "dE/dt unit          furlong             "),
    ],
)
def test_what_is_not_told_is_absent(tmp_path: Path, lines: tuple[str, ...]) -> None:
    eclab(tmp_path / "cv.mpt", *lines)
    log = read_log(tmp_path / "cv.mpt")
    assert (log.reference, log.sweep_rate, log.charge, log.ohmic_drop) == ("", None, None, None)
    assert (log.ohmic_resistance, log.ohmic_compensation) == (None, None)
    assert not log.notes


@pytest.mark.parametrize(
    ("title", "reference"),
    [
        ("E (V vs. Na/Na+)", "Na/Na+"),
        ("Potential (mV vs Ag/AgCl (3 M))", "Ag/AgCl (3 M)"),
        ("Ewe/V vs. SCE", "SCE"),
        ("E (V) vs Li/Li+", "Li/Li+"),
        ("E (V vs. Ref.)", ""),
        ("E (V)", ""),
    ],
)
def test_reference_of_a_title(tmp_path: Path, title: str, reference: str) -> None:
    rows = "".join(f"{t};{2.0 - 0.01 * t:.3f}\n" for t in range(5))
    (tmp_path / "cv.csv").write_text(f"time (s);{title}\n{rows}", encoding="utf-8")
    assert read_log(tmp_path / "cv.csv").reference == reference


def test_lines_above_a_table(tmp_path: Path) -> None:
    lines = [
        "Reference electrode: Na/Na+",
        "Scan Rate (mV/s) = 5",
        "Uncompensated resistance = 120,5 Ohm",
        "time (s);E (V);I (uA);Charge (mAh)",
        *(f"{t};{2.0 - 0.01 * t:.3f};-2.0;{-1e-4 * t:.4f}" for t in range(5)),
    ]
    (tmp_path / "cv.csv").write_text("\n".join(lines), encoding="utf-8")
    log = read_log(tmp_path / "cv.csv")
    assert (log.reference, log.sweep_rate, log.ohmic_resistance) == ("Na/Na+", 5e-3, 120.5)
    assert log.charge is not None
    np.testing.assert_allclose(log.charge, -0.36e-3 * np.arange(5), rtol=1e-9)


def test_gamry_says_rate_and_ohmic_drop(tmp_path: Path) -> None:
    write_dta(tmp_path / "cv.DTA", CV)
    log = read_log(tmp_path / "cv.DTA")
    assert (log.reference, log.sweep_rate, log.ohmic_drop) == ("", pytest.approx(0.01), None)
    text = (tmp_path / "cv.DTA").read_text("latin-1").replace("\t0.0E+000\t", "\t1.5E-003\t")
    (tmp_path / "drop.DTA").write_bytes(text.encode("latin-1"))
    drop = read_log(tmp_path / "drop.DTA")
    assert drop.span("ohmic_drop") == (1.5e-3, 1.5e-3)
    assert any("Vu, the uncompensated voltage, reaches 0.0015 V" in n for n in drop.notes)
    np.testing.assert_array_equal(drop.potential, log.potential)


def test_a_binary_file_names_its_reference(tmp_path: Path) -> None:
    for reference in ("", "(unspecified)", "Ag/AgCl"):
        write_mpr(tmp_path / "cv.mpr", CV, reference=reference)
        expected = "Ag/AgCl" if "Cl" in reference else ""
        assert read_log(tmp_path / "cv.mpr").reference == expected


@pytest.mark.skipif(not REAL.is_dir(), reason="needs real files (NRM_REAL_FILES)")
def test_real_files_agree() -> None:
    text, binary = (read_log(REAL / name) for name in ("cp.mpt", "cp.mpr"))
    assert text.reference == binary.reference == "SCE Saturated Calomel Electrode"
    assert text.charge is not None
    assert binary.charge is not None
    np.testing.assert_allclose(text.charge, binary.charge, atol=1e-6)
    for name in ("gcpl.issue_230.mpr", "ocv.issue_149.mpr"):
        assert read_log(REAL / name).reference == ""  # (unspecified)


# Curves, results, commands, axes


def ramp(**more: Any) -> Log:
    """100 s at 10 mV/s down, 2 uA, a charge that goes with it."""
    time = np.arange(0.0, 101.0)
    return Log(time, 2.0 - 0.01 * time, np.full(101, -2e-6), start=DAY, charge=-2e-6 * time, **more)


def test_current_charge_and_blur_of_every_curve() -> None:
    curves = curves_at(10.0, 40.0, 500.0, duration=4.0)
    found = with_potential(curves, ramp(sweep_rate=0.01, reference="Na/Na+"), clock_offset=0)
    table = found.curve_table
    np.testing.assert_allclose(table["current"], [-2e-6, -2e-6, np.nan])
    np.testing.assert_allclose(table["charge_passed"], [-24e-6, -84e-6, np.nan])
    np.testing.assert_allclose(table["potential_blur"], [0.04, 0.04, np.nan], atol=1e-12)
    assert found.metadata["sweep_rate"] == 0.01
    assert found.metadata["reference_electrode"] == "Na/Na+"
    assert found.metadata_source["reference_electrode"] == "the potentiostat's log"
    assert "recorded against Na/Na+" in found.metadata["potential_source"]
    assert not any("blur" in text for text in found.warnings)


def test_blur_of_a_vertex_is_the_whole_way() -> None:
    log = Log([0.0, 50.0, 100.0], [1.0, 0.5, 1.0], start=DAY)
    found = with_potential(curves_at(40.0, 49.0, duration=20.0), log, clock_offset=0)
    np.testing.assert_allclose(found.curve_table["potential_blur"], [0.1, 0.19])
    (text,) = [w for w in found.warnings if "potential_blur" in w]
    assert "during 2 of 2 curves" in text
    assert "at most by 0.19 V" in text


def test_a_map_during_a_sweep_is_named() -> None:
    began = np.linspace(0.0, 90.0, 10)
    found = with_potential(curves_at(*began), ramp(), clock_offset=0)
    assert any("in this file the potential changed" in w and "0.9 V" in w for w in found.warnings)
    held = Log([0.0, 100.0], [1.0, 1.0], start=DAY)
    quiet = with_potential(curves_at(*began), held, clock_offset=0)
    assert not any("from curve to curve" in w for w in quiet.warnings)
    single = with_potential(curves_at(*began, source=range(10)), ramp(), clock_offset=0)
    assert not any("from curve to curve" in w for w in single.warnings)  # one curve a file
    few = with_potential(curves_at(*began, source=np.arange(10) // 3), ramp(), clock_offset=0)
    assert not any("from curve to curve" in w for w in few.warnings)  # three are no map


def test_gaps_of_the_current_are_gaps() -> None:
    log = ramp()
    assert log.current is not None
    log.current[30:50] = np.nan
    found = with_potential(curves_at(10.0, 28.5, 40.0, 60.0, duration=2.0), log, clock_offset=0)
    np.testing.assert_allclose(found.curve_table["current"], [-2e-6, np.nan, np.nan, -2e-6])


def test_what_somebody_said_stays() -> None:
    curves = curves_at(10.0).with_metadata({"reference_electrode": "silver wire"}, "given")
    found = with_potential(curves, ramp(reference="Na/Na+"), clock_offset=0)
    assert found.metadata["reference_electrode"] == "silver wire"
    assert any("against Na/Na+ by its file" in w for w in found.warnings)
    moved = with_potential(
        curves_at(10.0), ramp(reference="SCE"), clock_offset=0, reference=2.95
    )  # no longer against what the log names
    assert "reference_electrode" not in moved.metadata
    assert "recorded against SCE" in moved.metadata["potential_source"]


def test_logs_that_differ() -> None:
    first = ramp(reference="SCE", sweep_rate=0.01)
    second = Log([200.0, 300.0], [1.0, 1.0], start=DAY, reference="Na/Na+", sweep_rate=0.01)
    found = with_potential(curves_at(10.0, 250.0), [first, second], clock_offset=0)
    assert "reference_electrode" not in found.metadata
    assert found.metadata["sweep_rate"] == 0.01
    assert any("the logs say different things of reference_electrode" in w for w in found.warnings)
    np.testing.assert_allclose(found.curve_table["charge_passed"], [-20e-6, np.nan])
    np.testing.assert_allclose(found.curve_table["current"], [-2e-6, np.nan])


def test_the_common_file_and_results_keep_it(tmp_path: Path) -> None:
    made, _ = sim.simulate(
        sim.Sample(),
        sim.Instrument(),
        sim.Ramp(samples=48, length=200e-9, trigger=20e-9, speed=200e-9),
        n_curves=6,
        seed=3,
    )
    made.save(tmp_path / "curves.h5")
    log = tmp_path / "cv.csv"
    rows = "".join(f"{t};{2.0 - 0.01 * t:.3f};-2.0\n" for t in range(60))
    log.write_text(f"# start 1970-01-01 00:00:00\ntime (s);E (V vs. Na/Na+);I (uA)\n{rows}")
    run = CliRunner().invoke(
        main,
        [
            *("process", str(tmp_path / "curves.h5"), "-o", str(tmp_path / "results.h5")),
            *("--potential", str(log), "--clock-offset", "0s"),
        ],
    )
    assert run.exit_code == 0, run.output
    results = nrm.open_results(tmp_path / "results.h5")
    np.testing.assert_allclose(results["current"], -2e-6)
    assert results["current"].attrs["units"] == "A"
    assert (results["potential_blur"] > 0.0).all()
    assert potential_label(results) == "E vs. Na/Na+ (V)"
    (kept,) = read_logs(tmp_path / "results.h5").logs
    assert Log(**kept).reference == "Na/Na+"
    curves = with_potential(nrm.open(tmp_path / "curves.h5"), read_log(log), clock_offset=0)
    curves.save(tmp_path / "with.h5")
    again = nrm.open(tmp_path / "with.h5")
    for name in ("potential_blur", "current"):
        np.testing.assert_array_equal(again.curve_table[name], curves.curve_table[name])
    assert again.metadata["reference_electrode"] == "Na/Na+"
    later = with_potential(nrm.open_results(tmp_path / "results.h5"), read_log(log), clock_offset=0)
    assert potential_label(later) == "E vs. Na/Na+ (V)"
    np.testing.assert_allclose(later["current"], -2e-6)


def test_info_tells_programs(tmp_path: Path) -> None:
    write_csv(tmp_path / "cv.csv", CV)
    run = CliRunner().invoke(main, ["info", str(tmp_path / "cv.csv"), "--json"])
    (about,) = json.loads(run.stdout)
    assert about["reference"] == "Na/Na+"
    assert about["current"] == [-2e-6, 2e-6]
    unknown = ("charge", "ohmic_drop", "sweep_rate", "ohmic_resistance", "ohmic_compensation")
    assert [about[name] for name in unknown] == [None] * 5
    assert (
        "reference    Na/Na+" in CliRunner().invoke(main, ["info", str(tmp_path / "cv.csv")]).stdout
    )


def test_axes_of_a_log_say_the_reference() -> None:
    assert figures.log_over_time(ramp(reference="Na/Na+")).get_ylabel() == "E vs. Na/Na+ (V)"
    assert figures.log_over_time(ramp()).get_ylabel() == "potential (V)"
