"""Tables that are refused, each with its sentence, and values at the edges of what is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nrm_plugin as nrm

Z = np.concatenate([np.linspace(300.0, 0.0, 20), np.linspace(0.0, 300.0, 20)])
VOLTS = np.maximum(40.0 - Z, 0.0) / 100
PLAIN = {"z (nm)": Z, "deflection (V)": VOLTS}
DAYS = np.array(["2024-05-06"] * len(Z), "M8[s]")
SIGNALS = 'height = { column = "1" }\ndeflection = { column = "2" }\n'


def archive(path: Path, columns: dict[str, np.ndarray]) -> Path:
    np.savez(path / "a.npz", **columns)
    return path / "a.npz"


def text(path: Path, *lines: str) -> Path:
    (path / "a.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return path / "a.csv"


def opened(path: Path, table_map: str = "") -> nrm.CurveSet:
    if not table_map:
        return nrm.open(path, "table")
    (path.parent / "map.toml").write_text(table_map)
    return nrm.open(path, "table", settings=path.parent / "map.toml")


REFUSED = {
    "lengths": (
        {"z (nm)": Z, "deflection (V)": VOLTS[:7]},
        "",
        "its columns have different lengths (z: 40, deflection: 7): keep those that were recorded "
        "together in one file",
    ),
    "no samples": (
        {"z (nm)": Z[:0], "deflection (V)": VOLTS[:0]},
        "",
        "its columns are empty: nothing was recorded in it",
    ),
    "no number of the scale": (
        PLAIN,
        'height = { column = "z", scale = inf }\n',
        "column 'z': the scale is inf",
    ),
    "no ramp": (
        {"z (nm)": np.full(40, 5.0), "deflection (V)": VOLTS},
        SIGNALS + 'curves = { by = "height", rate = 1000 }\n',
        "no ramp was found by the height: give a smaller travel, another threshold, or curves = "
        '{ by = "one" } in the table map',
    ),
    "no height to cut by": (
        PLAIN,
        'deflection = { column = "2" }\ncurves = { by = "height" }\n',
        "curves are found by height, and there is no such channel",
    ),
    "no threshold": (
        PLAIN,
        SIGNALS + 'curves = { by = "deflection", rate = 1000 }\n',
        "to find curves by the deflection, give threshold, pre and post in the table map, and "
        "times or a rate",
    ),
    "halves of several lengths": (
        {
            "extend z (nm)": Z[:20],
            "retract z (nm)": np.append(Z[20:39], np.nan)[:20],
            "extend deflection (V)": VOLTS[:20],
            "retract deflection (V)": VOLTS[20:],
        },
        "",
        "the columns of one half have different lengths",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_sentence(tmp_path: Path, case: str) -> None:
    columns, table_map, sentence = REFUSED[case]
    with pytest.raises(nrm.NrmError) as caught:
        opened(archive(tmp_path, columns), table_map)
    assert str(caught.value).removeprefix(f"{tmp_path / 'a.npz'}: ") == sentence


def test_columns_of_dates_and_of_truth(tmp_path: Path) -> None:
    """Dates are no numbers; yes and no are 1 and 0."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    pandas.DataFrame({**PLAIN, "day": DAYS, "trigger": Z < 100.0}).to_parquet(path)
    curves = nrm.open(path)
    assert [w for w in curves.warnings if "dates" in w] == [
        "a column is left out: 'day' has dates, not numbers"
    ]
    np.testing.assert_array_equal(curves.read("trigger"), np.where(Z < 100.0, 1.0, 0.0))


def test_a_column_by_its_number_and_its_title(tmp_path: Path) -> None:
    """Numbers count from 1; a title that is a number comes first."""
    path = archive(tmp_path, {"2": VOLTS, "force (nN)": 3 * VOLTS, "z (nm)": Z})
    curves = opened(
        path,
        'height = { column = "3" }\nforce_normal = { column = "force [nN]" }\n'
        'deflection = { column = "2", unit = "V" }\n',
    )
    np.testing.assert_allclose(curves.read("height"), Z * 1e-9)
    np.testing.assert_allclose(curves.read("force_normal"), 3e-9 * VOLTS)
    np.testing.assert_allclose(curves.read("deflection"), VOLTS)


@pytest.mark.parametrize("wanted", ["0", "4", "-1"])
def test_there_is_no_column_of_that_number(tmp_path: Path, wanted: str) -> None:
    path = archive(tmp_path, PLAIN)
    with pytest.raises(nrm.InvalidInput, match=f"no column is called '{wanted}'; there are: z, d"):
        opened(path, f'height = {{ column = "{wanted}" }}\n')


def test_units_behind_a_slash(tmp_path: Path) -> None:
    """``z/nm`` has its unit there; ``a/b`` is a title."""
    curves = nrm.open(archive(tmp_path, {"z/nm": Z, "deflection/V": VOLTS, "a/bcd": VOLTS}))
    np.testing.assert_allclose(curves.read("height"), Z * 1e-9)
    np.testing.assert_allclose(curves.read("deflection"), VOLTS)
    assert curves.channels["a_bcd"].original == "a/bcd"


def test_titles_that_differ_in_signs_alone(tmp_path: Path) -> None:
    """Both are kept, the second with its number."""
    curves = nrm.open(archive(tmp_path, {**PLAIN, "gain!": Z, "gain?": VOLTS}))
    np.testing.assert_allclose(curves.read("gain"), Z)
    np.testing.assert_allclose(curves.read("gain_4"), VOLTS)


@pytest.mark.parametrize("kind", ["text", "whole"])
def test_halves_side_by_side(tmp_path: Path, kind: str) -> None:
    """Empty cells below the half that is shorter are no samples."""
    rows = [f"{300 - 20 * i},{i},{20 * i},{9 - i}" for i in range(10)]
    if kind == "text":
        rows += ["100,10,,", "80,11,,"]
    path = text(
        tmp_path, "Extend z (nm),Extend force (nN),Retract z (nm),Retract force (nN)", *rows
    )
    curves = nrm.open(path)
    n = 10 if kind == "whole" else 12
    assert curves.segments.tolist() == [(0, 0, n, "approach"), (0, n, n + 10, "retract")]
    force = [*range(n), *range(9, -1, -1)]
    np.testing.assert_allclose(curves.read("force_normal"), np.array(force) * 1e-9)


def test_a_clock_that_stands_tells_no_rate(tmp_path: Path) -> None:
    """Samples count then: the ramps are found all the same."""
    rest, fall = np.full(100, 300.0), np.linspace(300.0, 0.0, 400)
    ramp = np.concatenate([rest, fall, fall[::-1], rest, fall, fall[::-1], rest])
    columns = {"z (nm)": ramp, "deflection (V)": np.maximum(40.0 - ramp, 0.0)}
    path = archive(tmp_path, {**columns, "time (s)": np.zeros(len(ramp))})
    curves = nrm.open(path)
    assert curves.n_curves == 2
    assert np.all(curves.read("time") == 0.0)


def test_a_line_without_end_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"z (nm),deflection (V)\n" + b"1,2\n" * 20 + b"7" * ((1 << 24) + (1 << 20)))
    with pytest.raises(nrm.InvalidInput, match="signs is no row of a table"):
        nrm.open(path, "table")


def test_titles_in_the_units_of_a_lonely_line(tmp_path: Path) -> None:
    """A line such as ``V,m`` with nothing above it: titles, not units."""
    with pytest.raises(nrm.InvalidInput, match="there are 'V' without a unit, 'm' without a unit"):
        nrm.open(text(tmp_path, "V,m", *(f"{i}.5,{i}.25" for i in range(20))), "table")


def test_a_map_is_named_by_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NRM_NO_MEMORY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    from click.testing import CliRunner

    from nrm_plugin.cli import main

    path = archive(tmp_path, PLAIN)
    opened(path, SIGNALS)
    shown = CliRunner().invoke(main, ["table", str(path)])
    (kept,) = (tmp_path / "config").rglob("*.toml")
    assert f"  a table map is remembered for this heading: {kept}" in shown.output


def test_units_and_records_of_an_hdf5_file(tmp_path: Path) -> None:
    """Units of bytes count; fields of a record that are no numbers are left out."""
    h5py = pytest.importorskip("h5py")
    record = np.zeros(40, [("z (nm)", "f8"), ("force (nN)", "f8"), ("tag", "S4"), ("xy", "f8", 2)])
    record["z (nm)"], record["force (nN)"] = Z, 3 * VOLTS
    with h5py.File(tmp_path / "record.h5", "w") as file:
        file["a"] = record
    with h5py.File(tmp_path / "units.h5", "w") as file:
        file["g/z"], file["g/force"] = Z, 3 * VOLTS
        file["g/z"].attrs["unit"] = np.bytes_("nm")
        file["g/force"].attrs["units"] = "nN"
    for name in ("record.h5", "units.h5"):
        curves = nrm.open(tmp_path / name, "table")
        np.testing.assert_allclose(curves.read("height"), Z * 1e-9)
        np.testing.assert_allclose(curves.read("force_normal"), 3e-9 * VOLTS)
        assert set(curves.channels) == {"height", "force_normal"}


@pytest.mark.parametrize(("n", "end"), [(10, "p9"), (11, "p9, ...")])
def test_ten_that_are_left_out_are_named(tmp_path: Path, n: int, end: str) -> None:
    pictures = {f"p{i}": np.eye(2) for i in range(n)}
    (text,) = nrm.open(archive(tmp_path, PLAIN | pictures)).warnings
    assert text.startswith("left out, since it is no column beside the others: p0, p1,")
    assert text.endswith(end)
