"""Tables of columns as curves: text, NumPy, Parquet, TDMS, a lock-in's export, our own text."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from bounds import Bounds
from click.testing import CliRunner

import nrm_plugin as nrm
from nrm_importers.table import TableImporter
from nrm_importers.table.text_table import open_text
from nrm_plugin.cli import main
from nrm_plugin.testing import check_importer

BOUNDS = Bounds(TableImporter(), asks=True)


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's configuration folder of its own, in which maps are remembered."""
    monkeypatch.delenv("NRM_NO_MEMORY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "nrm-plugin" / "tables"


def nrm_(*arguments: object, code: int = 0) -> str:
    ran = CliRunner().invoke(main, [str(a) for a in arguments])
    assert ran.exit_code == code, ran.output
    return ran.output


def ramps(n: int = 3, rate: float = 10_000.0, *, rest: float = 0.1) -> dict[str, np.ndarray]:
    """A long recording: z falls by 300 nm and rises again `n` times, with rests between."""
    half = int(0.2 * rate)
    one = np.concatenate([np.linspace(300e-9, 0, half), np.linspace(0, 300e-9, half)])
    gap = np.full(int(rest * rate), 300e-9)
    z = np.concatenate([gap, *([one, gap] * n)])
    time = np.arange(len(z)) / rate
    deflection = np.maximum(60e-9 - z, 0.0) / 80e-9
    return {
        "time": time,
        "z": z,
        "deflection": deflection,
        "x": 1e-3 * np.exp(-z / 20e-9),
        "y": 3e-4 * np.exp(-z / 20e-9),
    }


def write(path: Path, titles: list[str], columns: list[np.ndarray], **how: str) -> Path:
    separator, decimal = how.get("separator", ","), how.get("decimal", ".")
    rows = [
        separator.join(f"{v:.9g}".replace(".", decimal) for v in row)
        for row in zip(*columns, strict=True)
    ]
    text = how.get("above", "") + "\n".join([separator.join(titles), *rows]) + "\n"
    path.write_bytes(text.encode(how.get("encoding", "utf-8")))
    return path


def falling(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    z = np.concatenate([np.linspace(300, 0, n), np.linspace(0, 300, n)])
    return z, np.maximum(40 - z, 0.0) / 100


# ------------------------------------------------------------------ plain titles


@pytest.mark.parametrize(
    ("suffix", "how"),
    [
        (".csv", {}),
        (".csv", {"separator": ";", "decimal": ","}),
        (".tsv", {"separator": "\t"}),
        (".txt", {"separator": "  "}),
        (".txt", {"separator": "\t", "above": "# made by hand\nSample: 4\n\n"}),
        (".csv", {"encoding": "utf-16"}),
        (".dat", {"separator": ";"}),
    ],
)
def test_titles_with_units_need_nothing(tmp_path: Path, suffix: str, how: dict[str, str]) -> None:
    z, volts = falling()
    path = write(tmp_path / f"a{suffix}", ["Z sensor (nm)", "Deflection [V]"], [z, volts], **how)
    curves = nrm.open(path)
    assert curves.importer == "table"
    np.testing.assert_allclose(curves.read("height"), z * 1e-9, rtol=1e-8)
    np.testing.assert_allclose(curves.read("deflection"), volts, rtol=1e-8)
    assert curves.segments["kind"].tolist() == ["approach", "retract"]
    assert curves.channels["height"].original == "Z sensor"


def test_our_own_text_comes_back(tmp_path: Path) -> None:
    """Every number to its last bit, every curve and segment."""
    rng = np.random.default_rng(2)
    sizes = [50, 61, 40]
    table = {
        "height": (np.concatenate([np.linspace(1e-7, 0, n) for n in sizes]), "m"),
        "deflection": (rng.normal(size=sum(sizes)), "V"),
        "lateral_in_phase": (rng.normal(size=sum(sizes)) * 1e-9, "N"),
        "lateral_quadrature": (rng.normal(size=sum(sizes)) * 1e-9, "N"),
    }
    segments = np.array(
        [
            (i, a, b, k)
            for i, n in enumerate(sizes)
            for a, b, k in ((0, 20, "approach"), (20, n, "hold"))
        ],
        nrm.CurveSet.from_arrays({}).segments.dtype,
    )
    first = nrm.CurveSet.from_arrays(table, row_size=sizes, segments=segments)
    first.save(tmp_path / "a.csv")
    again = nrm.open(tmp_path / "a.csv")
    assert again.row_size.tolist() == sizes
    assert set(again.channels) == set(first.channels)
    for name in first.channels:
        np.testing.assert_array_equal(again.read(name), first.read(name))
        assert again.channels[name].unit == first.channels[name].unit
    np.testing.assert_array_equal(again.segments, first.segments)


def test_our_own_heights_and_times_come_back(tmp_path: Path) -> None:
    """A sensor that is not the height does not take its place; half a step at the begin stays."""
    n = 40
    table = {
        "height_sensor": (np.full(n, -9.8e-6), "m"),
        "height_commanded": (np.linspace(1e-7, 0, n), "m"),
        "deflection": (np.arange(n) * 1e-3, "V"),
        "time": ((np.arange(n) + 0.5) * 1e-3, "s"),
        "height": (np.linspace(1e-7, 0, n), "m"),
    }
    nrm.CurveSet.from_arrays(table, row_size=[n]).save(tmp_path / "a.csv")
    again = nrm.open(tmp_path / "a.csv")
    assert set(again.channels) == set(table)
    for name, (values, _) in table.items():
        np.testing.assert_array_equal(again.read(name), values)


@pytest.mark.parametrize("grows", [False, True])
def test_a_z_that_grows_towards_the_surface_is_turned(tmp_path: Path, grows: bool) -> None:
    z = np.concatenate([np.linspace(300, 0, 200), np.linspace(0, 300, 200)])
    defl = np.clip(50 - z, 0, None) * 0.02 + 1e-4 * np.sin(np.arange(400))
    rows = "".join(f"{-a if grows else a},{b}\n" for a, b in zip(z, defl, strict=True))
    (tmp_path / "a.csv").write_text("Z (nm),Deflection (V)\n" + rows)
    curves = nrm.open(tmp_path / "a.csv")
    np.testing.assert_allclose(curves.read("height"), z * 1e-9, rtol=1e-12)
    assert curves.segments["kind"].tolist() == ["approach", "retract"]
    assert len(curves.warnings) == int(grows)
    # What a person said about the column stays as it was said.
    (tmp_path / "map.toml").write_text('height = "Z"\ndeflection = "Deflection"\n')
    told = nrm.open(tmp_path / "a.csv", "table", settings=tmp_path / "map.toml")
    np.testing.assert_allclose(told.read("height"), (-z if grows else z) * 1e-9, rtol=1e-12)
    assert any("a minus" in text for text in told.warnings) is grows


def test_groups_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for i in range(12):
            for title, unit in (("Z", "nm"), ("Deflection", "V")):
                file[f"curve{i}/{title}"] = np.linspace(300.0, 0.0, 50 + i)
                file[f"curve{i}/{title}"].attrs["unit"] = unit
    assert nrm.open(tmp_path / "a.h5").row_size.tolist() == list(range(50, 62))


def test_columns_that_mean_nothing_plain_are_kept(tmp_path: Path) -> None:
    z, volts = falling()
    path = write(
        tmp_path / "a.csv",
        ["z (nm)", "force (nN)", "Aux In 0 (V)", "remark"],
        [z, volts, volts * 2, z],
    )
    curves = nrm.open(path)
    np.testing.assert_allclose(curves.read("force_normal"), volts * 1e-9, rtol=1e-8)
    np.testing.assert_allclose(curves.read("aux_in_0"), volts * 2, rtol=1e-8)


def test_curves_and_places_by_columns(tmp_path: Path) -> None:
    z, volts = falling(20)
    n = len(z)
    path = write(
        tmp_path / "a.csv",
        ["curve", "x (um)", "y (um)", "z (nm)", "deflection (V)"],
        [
            np.repeat([7.0, 3.0], n),
            np.repeat([1.0, 2.0], n),
            np.full(2 * n, 5.0),
            np.tile(z, 2),
            np.tile(volts, 2),
        ],
    )
    curves = nrm.open(path)
    assert curves.row_size.tolist() == [n, n]
    np.testing.assert_allclose(curves.curve_table["x"], [1e-6, 2e-6])
    np.testing.assert_allclose(curves.curve_table["y"], 5e-6)


def test_ramps_of_a_long_recording(tmp_path: Path) -> None:
    table = ramps()
    path = write(
        tmp_path / "a.csv",
        ["time (s)", "z (m)", "deflection (V)"],
        [table["time"], table["z"], table["deflection"]],
    )
    curves = nrm.open(path)
    assert curves.n_curves == 3
    assert set(curves.segments["kind"]) == {"approach", "retract"}
    np.testing.assert_allclose(curves.row_size, 4000, atol=30)
    starts = curves.read("time")[[0, *np.cumsum(curves.row_size)[:-1]]]
    np.testing.assert_array_equal(starts, 0.0)
    assert curves.read("height", 1).min() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.real
def test_halves_side_by_side_of_a_real_file(real_files: Path) -> None:
    """AFM Workshop's export: approach and retract in columns of their own, z towards the sample."""
    curves = nrm.open(real_files / "other" / "fmt-afm-workshop-fd_single_2020-02-14_13.41.25.csv")
    force, height = curves.read("force_normal"), curves.read("height")
    half = int(curves.segments["stop"][0])
    assert curves.segments["kind"].tolist() == ["approach", "retract"]
    np.testing.assert_allclose(force[[0, half]], [1276.4373e-9, 3809.6950e-9], rtol=1e-12)
    np.testing.assert_allclose(height[[0, half]], [-15072.4571e-9, -18452.4571e-9], rtol=1e-12)
    assert any("its sign is turned" in w for w in curves.warnings)


# ------------------------------------------------------------------ what is not plain


@pytest.mark.parametrize(
    "titles",
    [
        ["lateral (V)", "reference (V)"],  # no times
        ["time (s)", "reference (V)"],  # no signal
        ["time (s)", "lateral (V)", "extent (furlong)"],  # what is that?
    ],
)
def test_a_recording_without_height_must_be_plain(tmp_path: Path, titles: list[str]) -> None:
    path = write(tmp_path / "a.csv", titles, [np.arange(50.0)] * len(titles))
    with pytest.raises(nrm.InvalidInput, match="it is not plain which column is the height"):
        nrm.open(path)


def test_what_is_not_understood_is_said(tmp_path: Path) -> None:
    z, volts = falling()
    path = write(tmp_path / "a.csv", ["a (nm)", "b"], [z, volts])
    with pytest.raises(nrm.InvalidInput) as caught:
        nrm.open(path)
    message = str(caught.value)
    assert "not plain which column is the height and the deflection, force or lateral" in message
    assert "'a' in nm, 'b' without a unit" in message
    assert "nrm table a.csv -o map.toml" in message


def test_a_log_is_left_to_those_who_read_logs(tmp_path: Path) -> None:
    t = np.arange(20.0)
    path = write(tmp_path / "log.csv", ["time (s)", "potential (V)"], [t, t])
    with pytest.raises(nrm.UnknownFormat):
        nrm.open(path)


@pytest.mark.parametrize("bad", ["", "n/a", "1.2.3", "--"])
def test_a_cell_without_a_number_is_named(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{100 - i},{i}" for i in range(50)]
    rows[30] = f"70,{bad}"
    path.write_text("z (nm),deflection (V)\n" + "\n".join(rows) + "\n")
    with pytest.raises(nrm.NrmError, match="row 31 of 'deflection'"):
        nrm.open(path).read("deflection")


def test_a_row_with_more_cells_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{100 - i},{i}" for i in range(50)]
    rows[30] = "70,1,2,3"
    path.write_text("z (nm),deflection (V)\n" + "\n".join(rows) + "\n")
    with pytest.raises(nrm.InvalidInput, match="not every row has 2 cells"):
        nrm.open(path)


HEAD = "z (nm),deflection (V)\n"


def lines(form: str, n: int = 300) -> str:
    """Rows of z (from `n` nm down) and a deflection, as a form writes them."""
    return "".join(form.format(z=n - i, d=i / 4) + "\n" for i in range(n))


@pytest.mark.parametrize(
    "text",
    [
        "z,deflection\nnm,V\n" + lines("{z},{d}"),
        "z;deflection\n[nm];[V]\n" + lines("{z};{d}"),
        HEAD + lines("{z},{d},"),
        HEAD.replace(",", ";") + lines("{z};{d}").replace(".", ","),
        '"z (nm)","deflection (V)"\n' + lines('"{z}","{d}"').replace(".", ","),
        "z (nm),deflection (V),note\n" + lines("{z},{d},a"),
        "when;z (nm);deflection (V)\n" + lines("04.03.2025 09:41:00;{z};{d}"),
        "z (nm);deflection (V);temperature\n" + lines("{z};{d};"),
    ],
)
def test_tables_as_people_have_them(tmp_path: Path, text: str) -> None:
    """Units below the titles, separators at the end, quotes, and columns that nobody needs."""
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    curves = nrm.open(tmp_path / "a.csv")
    np.testing.assert_allclose(curves.read("height"), np.arange(300, 0, -1) * 1e-9, rtol=1e-12)
    np.testing.assert_allclose(curves.read("deflection"), np.arange(300) / 4)
    left_out = [w for w in curves.warnings if w.startswith("a column is left out")]
    assert len(left_out) == (len(text.split("\n")[0].replace(",", ";").split(";")) == 3)


def test_a_decimal_comma_that_comes_late(tmp_path: Path) -> None:
    rows = [f"{400 - i};{i}" for i in range(100)] + [f"{300 - i},5;{i},25" for i in range(100)]
    text = "\n".join(["z (nm);deflection (V)", *rows]) + "\n"
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    curves = nrm.open(tmp_path / "a.csv")
    np.testing.assert_allclose(curves.read("deflection")[[99, 100, 199]], [99, 0.25, 99.25])


@pytest.mark.parametrize("between", ["", "\n"])
def test_titles_above_each_curve(tmp_path: Path, between: str) -> None:
    one = HEAD + lines("{z},{d}", 60)
    (tmp_path / "a.csv").write_text(between.join([one] * 3), encoding="utf-8")
    curves = nrm.open(tmp_path / "a.csv")
    assert curves.row_size.tolist() == [60, 60, 60]
    np.testing.assert_allclose(curves.read("height", 2)[0], 60e-9)


@pytest.mark.parametrize("small", ["{z}.5,{d}", "{z},7"])
def test_signs_for_thousands_are_named(tmp_path: Path, small: str) -> None:
    """They would be lost, or be taken for decimal commas."""
    text = HEAD + '"1,300",0\n"1,200",0\n' + lines(small)
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(nrm.InvalidInput, match=r"1,300.* is no row .* sign for thousands"):
        nrm.open(tmp_path / "a.csv")


def thousands(rows: Iterable[tuple[int, str]], separator: str) -> str:
    """Table as a spreadsheet writes it that shows signs for thousands."""
    head = separator.join(("z (nm)", "deflection (V)"))
    return "\n".join([head, *(f"{z:,}{separator}{d}" for z, d in rows)]) + "\n"


@pytest.mark.parametrize("separator", ["\t", ";"])
@pytest.mark.parametrize("highest", [1300, 1003])
def test_a_thousand_nanometres_are_not_one(tmp_path: Path, separator: str, highest: int) -> None:
    """Decimal points, or whole numbers beside it, say that a comma stands for thousands."""
    for first in (highest, highest - 400):  # with commas from the first row on, and later
        rows = [(first + (i if first < 1000 else -i), i) for i in range(500)]
        for text in ("{}", "{}.5"):
            (tmp_path / "a.txt").write_text(
                thousands(((z, text.format(i)) for z, i in rows), separator), encoding="utf-8"
            )
            with pytest.raises(nrm.InvalidInput, match=r"1,\d{3}.*without a sign for thousands"):
                nrm.open(tmp_path / "a.txt")


def test_a_comma_that_may_stand_for_thousands_is_told(tmp_path: Path) -> None:
    """Every number of a column has one, before three digits; one below 1 says what it is."""
    rows = [(1300 - i, f"{9 - i % 7},125") for i in range(200)]
    (tmp_path / "a.txt").write_text(thousands(rows, "\t"), encoding="utf-8")
    curves = nrm.open(tmp_path / "a.txt")
    np.testing.assert_allclose(curves.read("height")[:2], [1.3e-9, 1.299e-9])
    assert any("1,300 is read as 1.300: if its comma" in text for text in curves.warnings)
    (tmp_path / "a.txt").write_text(thousands([*rows, (1100, "0,125")], "\t"), encoding="utf-8")
    assert not any("comma" in text for text in nrm.open(tmp_path / "a.txt").warnings)


def test_a_micrometre_in_latin_1(tmp_path: Path) -> None:
    text = HEAD.replace("(nm)", "(µm)").replace("nm", "µm") + lines("{z},{d}", 60)
    (tmp_path / "a.csv").write_text(text, encoding="latin-1")
    np.testing.assert_allclose(nrm.open(tmp_path / "a.csv").read("height")[0], 60e-6)


def test_pauses_in_the_times_are_told(tmp_path: Path) -> None:
    rows = [f"{i + (5 if i > 30 else 0)},{60 - i},{max(0, i - 50)}" for i in range(60)]
    text = "\n".join(["time (s),z (nm),deflection (V)", *rows]) + "\n"
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    assert any("times are not even" in text for text in nrm.open(tmp_path / "a.csv").warnings)


def test_no_cell_of_longer_first_rows_is_lost(tmp_path: Path) -> None:
    text = HEAD + lines("{z},{d},7", 10) + lines("{z},{d}", 300)
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(nrm.InvalidInput, match="not every row has 2 cells"):
        nrm.open(tmp_path / "a.csv")


def parts_of(path: Path, title: str, values: Sequence[object]) -> Path:
    """Table of rows that fall and rise, with a column of parts."""
    n = len(values)
    rows = [f"{abs(n // 2 - i)},{max(0, 9 - abs(n // 2 - i))},{v}" for i, v in enumerate(values)]
    path.write_text("\n".join([f"z (nm),deflection (V),{title}", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("words", [("0.0", "1.0"), ("0", "1"), ("Extend", "Retract")])
def test_words_and_numbers_of_segments(tmp_path: Path, words: tuple[str, str]) -> None:
    path = parts_of(tmp_path / "a.csv", "segment", np.repeat(words, 30).tolist())
    curves = nrm.open(path)
    assert curves.segments["kind"].tolist() == ["approach", "retract"]
    assert curves.segments["start"].tolist() == [0, 30]
    assert not any("segments called" in text for text in curves.warnings)


@pytest.mark.parametrize("words", [("fwd", "bwd"), ("0.0", "0.5"), ("true", "false")])
def test_segments_of_unknown_names_are_told(tmp_path: Path, words: tuple[str, str]) -> None:
    path = parts_of(tmp_path / "a.csv", "segment", np.repeat(words, 30).tolist())
    curves = nrm.open(path)
    assert curves.segments["kind"].tolist() == ["other", "other"]
    assert any("segments called" in text and words[1] in text.lower() for text in curves.warnings)


@pytest.mark.parametrize("title", ["curve", "segment"])
@pytest.mark.parametrize("words", [("0", "1"), ("approach", "retract")])
def test_parts_that_only_their_first_rows_name(
    tmp_path: Path, title: str, words: tuple[str, str]
) -> None:
    values = [words[i // 30] if i % 30 == 0 else "" for i in range(60)]
    with pytest.raises(nrm.InvalidInput, match=f"row 2 of '{title}' is empty"):
        nrm.open(parts_of(tmp_path / "a.csv", title, values))


def test_a_table_of_text_is_not_copied_from_the_microscope(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEAD + lines("{z},{d}") + "the end,of it\n", encoding="utf-8")
    with pytest.raises(nrm.InvalidInput, match="no number in row 301 of 'z'") as caught:
        nrm.open(tmp_path / "a.csv")
    assert "microscope" not in str(caught.value)


def test_a_recording_of_ni_daqmx(tmp_path: Path) -> None:
    """Units in words, and a clock in place of a column of times."""
    nptdms = pytest.importorskip("nptdms")
    z, volts = falling()
    about = {"wf_increment": 1e-3, "wf_start_time": np.datetime64("2025-03-04T09:41:07", "us")}
    with nptdms.TdmsWriter(tmp_path / "a.tdms") as writer:
        channels = [
            nptdms.ChannelObject("g", name, values, {"unit_string": unit, **about})
            for name, values, unit in (("z", z * 1e-9, "Meters"), ("deflection", volts, "Volts"))
        ]
        writer.write_segment(channels)
    curves = nrm.open(tmp_path / "a.tdms")
    np.testing.assert_allclose(curves.read("time"), 1e-3 * np.arange(len(z)))
    assert curves.curve_table["start_time"][0] == np.datetime64("2025-03-04T09:41:07")
    assert curves.channels["deflection"].unit == "V"


def test_a_recording_that_was_broken_off(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    nptdms = pytest.importorskip("nptdms")
    z, volts = falling()
    path = tmp_path / "a.tdms"
    with nptdms.TdmsWriter(path) as writer:
        named = (("z (nm)", z), ("deflection (V)", volts))
        writer.write_segment([nptdms.ChannelObject("g", name, values) for name, values in named])
        writer.write_segment([nptdms.ChannelObject("g", name, values) for name, values in named])
    assert not any("last block" in w for w in nrm.open(path).warnings)
    data = path.read_bytes()
    for lost, left in ((100, 227), (1950, 120)):  # within the last numbers, within what names them
        path.write_bytes(data[:-lost])
        curves = nrm.open(path)
        assert curves.rows.total == left
        assert any("the file ends within its last block" in w for w in curves.warnings)
    assert "nptdms" not in "".join(capfd.readouterr())


def test_memory_goes_with_the_numbers(tmp_path: Path) -> None:
    """Also where titles stand again above each curve; the bound is for the whole of nrm.open."""
    rows = "".join(f"{i * 1e-4:.4f},{500 - i},{i % 7}.25,-{i % 9}.125\n" for i in range(1000))
    one = "time (s),z (nm),deflection (V),x (V)\n" + rows
    (tmp_path / "small.csv").write_text(one * 2, encoding="utf-8")
    (tmp_path / "large.csv").write_text(one * 500, encoding="utf-8")
    numbers = 500 * 1000 * 5 * 8 / 1e6
    script = """
import resource, sys
import nrm_plugin as nrm
nrm.open(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert len(nrm.open(sys.argv[2])) == 500
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3)
"""
    command = [sys.executable, "-c", script, tmp_path / "small.csv", tmp_path / "large.csv"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(ran.stdout) < 4 * numbers


@pytest.mark.parametrize("late", ["", "# a comment\n", "0.5,1,é\n", "0.5,1,x\r\n", "1,5,True\n"])
def test_pieces_are_as_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    """Numbers, texts that come late, and ends of lines do not depend on where pieces end."""
    text = "z (nm),deflection (V),note\n" + "".join(f"{9 - i},{i}.5,{i}\n" for i in range(9)) * 40
    path = tmp_path / "a.csv"
    path.write_bytes((text + late).encode())
    whole = [column.read() for column in open_text(path).columns]
    assert whole[2].dtype.kind == ("O" if late.startswith(("0", "1")) else "i")
    assert (whole[2][:9].astype(str) == [str(i) for i in range(9)]).all()
    monkeypatch.setattr("nrm_importers.table.text_rows._CELLS", 1)
    for piece in (1, 7, 400):
        monkeypatch.setattr("nrm_importers.table.text_rows._PIECE", piece)
        for a, b in zip(whole, (c.read() for c in open_text(path).columns), strict=True):
            assert a.dtype == b.dtype
            assert (a == b).all()


# ------------------------------------------------------------------ the table map


def labone(path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A demodulator's samples as LabOne exports them: ticks of 60 MHz, volts, auxiliary inputs."""
    table = ramps()
    ticks = np.rint(table["time"] * 60e6) + 987654321000
    columns = [
        np.zeros(len(ticks)),
        ticks,
        table["x"],
        table["y"],
        np.full(len(ticks), 1e3),
        np.zeros(len(ticks)),
        np.zeros(len(ticks)),
        np.zeros(len(ticks)),
        table["z"] / 1.2e-6,
        table["deflection"],
    ]
    titles = ["chunk", "timestamp", "x", "y", "freq", "phase", "dio", "trigger", "auxin0", "auxin1"]
    rows = [";".join(f"{v:.15g}" for v in row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([";".join(titles), *rows]) + "\n")
    return path, table


LABONE = """\
time = { column = "timestamp", unit = "s", scale = 1.6666666666666667e-8 }
lateral_in_phase = { column = "x", unit = "V" }
lateral_quadrature = { column = "y", unit = "V" }
height = { column = "auxin0", unit = "V", scale = "1.2 um/V" }
deflection = { column = "auxin1", unit = "V" }
curves = { by = "height", travel = "100 nm" }
"""


def test_a_lockins_export_by_one_command_and_six_lines(tmp_path: Path) -> None:
    path, _ = labone(tmp_path / "dev4225_demods_0_sample_00000.csv")
    (tmp_path / "map.toml").write_text(LABONE)
    assert len(LABONE.splitlines()) == 6
    nrm_("convert", path, "--table", tmp_path / "map.toml", "-o", tmp_path / "a.h5")
    curves = nrm.open(tmp_path / "a.h5")
    assert curves.n_curves == 3
    height = curves.read("height", 0)
    assert height.min() == pytest.approx(0.0, abs=1e-12)
    assert height.max() == pytest.approx(300e-9, rel=1e-3)
    x = curves.read("lateral_in_phase", 0)
    np.testing.assert_allclose(x, 1e-3 * np.exp(-height / 20e-9), rtol=1e-6)
    assert "auxin0" in curves.header
    assert "1.2 um/V" in curves.header


def test_a_labview_recording_by_one_command_and_six_lines(tmp_path: Path) -> None:
    nptdms = pytest.importorskip("nptdms")
    table = ramps()
    path = tmp_path / "rec.tdms"
    volts = {
        "Z": table["z"] / 2e-6,
        "Defl": table["deflection"],
        "CH1": table["x"] * 1e3,
        "CH2": table["y"] * 1e3,
        "E": np.full(len(table["z"]), 0.42),
    }
    properties = {"wf_increment": 1e-4, "unit_string": "V"}
    with nptdms.TdmsWriter(path) as writer:
        writer.write_segment(
            [nptdms.ChannelObject("Recording", n, v, properties) for n, v in volts.items()]
        )
    (tmp_path / "map.toml").write_text(
        'height = { column = "Z", scale = "2 um/V" }\n'
        'deflection = "Defl"\n'
        'lockin_output_x = "CH1"\n'
        'lockin_output_y = "CH2"\n'
        'potential = "E"\n'
        'curves = { by = "height", travel = "100 nm" }\n'
    )
    nrm_("convert", path, "--table", tmp_path / "map.toml", "-o", tmp_path / "a.h5")
    curves = nrm.open(tmp_path / "a.h5")
    assert curves.n_curves == 3
    height = curves.read("height", 2)
    np.testing.assert_allclose(
        curves.read("lockin_output_x", 2), np.exp(-height / 20e-9), rtol=1e-6
    )
    np.testing.assert_allclose(curves.read("potential"), 0.42)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    """A column of another length, a table in an archive: never dropped in silence."""
    z, volts = falling()
    np.savez(tmp_path / "a.npz", **{"z (nm)": z, "deflection (V)": volts, "picture": np.eye(3)})
    assert any("left out" in w and "picture" in w for w in nrm.open(tmp_path / "a.npz").warnings)
    nptdms = pytest.importorskip("nptdms")
    columns = {"z (nm)": z, "deflection (V)": volts, "slow (V)": volts[::10]}
    with nptdms.TdmsWriter(tmp_path / "a.tdms") as writer:
        writer.write_segment([nptdms.ChannelObject("g", n, v) for n, v in columns.items()])
    curves = nrm.open(tmp_path / "a.tdms")
    assert any("left out" in w and "slow (V)" in w for w in curves.warnings)


def test_channels_of_different_rates_are_no_table(tmp_path: Path) -> None:
    nptdms = pytest.importorskip("nptdms")
    z, volts = falling()
    with nptdms.TdmsWriter(tmp_path / "a.tdms") as writer:
        writer.write_segment(
            [
                nptdms.ChannelObject("g", "z (nm)", z, {"wf_increment": 1e-4}),
                nptdms.ChannelObject("g", "deflection (V)", volts, {"wf_increment": 2e-4}),
            ]
        )
    with pytest.raises(nrm.InvalidInput, match="recorded at different rates"):
        nrm.open(tmp_path / "a.tdms")


def test_arrays_of_numpy_and_parquet(tmp_path: Path) -> None:
    z, volts = falling()
    np.savez(tmp_path / "a.npz", **{"height (nm)": z, "deflection (V)": volts})
    curves = nrm.open(tmp_path / "a.npz")
    np.testing.assert_allclose(curves.read("height"), z * 1e-9, rtol=1e-12)
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pandas.DataFrame({"z (nm)": z, "force (nN)": volts}).to_parquet(tmp_path / "a.parquet")
    curves = nrm.open(tmp_path / "a.parquet")
    np.testing.assert_allclose(curves.read("force_normal"), volts * 1e-9, rtol=1e-12)


@pytest.mark.parametrize("compound", [False, True])
def test_another_programs_hdf5(tmp_path: Path, compound: bool) -> None:
    """A lock-in's recording as arrays of a group, or as one array of records."""
    h5py = pytest.importorskip("h5py")
    table = ramps()
    columns = {
        "timestamp": table["time"] * 60e6,
        "x": table["x"],
        "y": table["y"],
        "auxin0": table["z"] / 1.2e-6,
        "auxin1": table["deflection"],
    }
    with h5py.File(tmp_path / "a.h5", "w") as file:
        if compound:
            record = np.empty(len(table["z"]), [(name, "f8") for name in columns])
            for name, values in columns.items():
                record[name] = values
            file["000/dev4225/demods/0/sample"] = record
        else:
            for name, values in columns.items():
                file[f"000/dev4225/demods/0/sample/{name}"] = values
        file["000/dev4225/clockbase"] = np.array([60e6])
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/")
    (tmp_path / "map.toml").write_text(LABONE)
    curves = nrm.open(tmp_path / "a.h5", "table", settings=tmp_path / "map.toml")
    assert curves.n_curves == 3
    np.testing.assert_allclose(curves.read("height", 1).max(), 300e-9, rtol=1e-3)


@pytest.mark.real
def test_a_real_hdf5_of_another_program(real_files: Path) -> None:
    """What afmformats exports: a group per curve, units as attributes."""
    curves = nrm.open(real_files / "other" / "fmt-hdf5-fd_version_0.13.3.h5")
    h5py = pytest.importorskip("h5py")
    with h5py.File(real_files / "other" / "fmt-hdf5-fd_version_0.13.3.h5") as file:
        force, height = file["0/force"][:], file["0/height (measured)"][:]
    np.testing.assert_array_equal(curves.read("force_normal", 0), force)
    np.testing.assert_array_equal(curves.read("height", 0), height)
    assert curves.segments["kind"][:2].tolist() == ["approach", "retract"]


def test_an_array_that_was_never_written_takes_no_memory(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("height", "deflection"):
            file.create_dataset(name, (10**13,), "f8", chunks=(1024,))
    z, volts = falling()
    nrm.open(write(tmp_path / "b.csv", ["z (nm)", "deflection (V)"], [z, volts]))  # imports count
    assert "without columns of one length" in BOUNDS.refused(tmp_path / "a.h5")


def test_the_command_writes_a_map_to_fill_in(tmp_path: Path) -> None:
    path, _ = labone(tmp_path / "a.csv")
    shown = nrm_("table", path, "-o", tmp_path / "map.toml")
    assert "auxin0" in shown
    text = (tmp_path / "map.toml").read_text()
    assert '# height = { column = "?", unit = "um" }  # the z sensor' in text
    nrm_("table", path, "-o", tmp_path / "map.toml", code=1)
    report = json.loads(nrm_("table", path, "--json"))
    assert [c["title"] for c in report["columns"]][:3] == ["chunk", "timestamp", "x"]
    # A plain table's map is complete: it reads back as the table is read without it.
    z, volts = falling()
    plain = write(tmp_path / "b.csv", ["z (nm)", "deflection (V)"], [z, volts])
    nrm_("table", plain, "-o", tmp_path / "b.toml")
    curves = nrm.open(plain, "table", settings=tmp_path / "b.toml")
    np.testing.assert_allclose(curves.read("height"), z * 1e-9, rtol=1e-8)


def test_a_map_is_remembered_by_the_heading(tmp_path: Path, memory: Path) -> None:
    path, _ = labone(tmp_path / "a.csv")
    (tmp_path / "map.toml").write_text(LABONE)
    with pytest.raises(nrm.InvalidInput):
        nrm.open(path)
    nrm.open(path, "table", settings=tmp_path / "map.toml")
    assert len(list(memory.glob("*.toml"))) == 1
    other, _ = labone(tmp_path / "b.csv")
    curves = nrm.open(other)
    assert curves.n_curves == 3
    assert any(str(memory) in w for w in curves.warnings)
    assert "remembered" in nrm_("info", other)
    # Not for another heading, nor where it is not wanted.
    text = other.read_text().replace("auxin0", "auxin2", 1)
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(nrm.InvalidInput):
        nrm.open(tmp_path / "c.csv")


def test_nothing_is_remembered_where_it_is_not_wanted(
    tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRM_NO_MEMORY", "1")
    path, _ = labone(tmp_path / "a.csv")
    (tmp_path / "map.toml").write_text(LABONE)
    nrm.open(path, "table", settings=tmp_path / "map.toml")
    assert not memory.exists()
    with pytest.raises(nrm.InvalidInput):
        nrm.open(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('heigth = "x"\n', "'heigth' is no channel of ours. Did you mean height?"),
        ('height = { column = "x", unit = "V" }\n', "must be in m"),
        ('height = { column = "nowhere", unit = "m" }\n', "no column is called 'nowhere'"),
        ('height = { column = "x", unit = "furlong" }\n', "the unit 'furlong' is not known"),
        ('height = { column = "x", unit = "V", scale = "2 nm/A" }\n', "is per A"),
        ('height = { column = "x", scale = "much" }\n', "is no number with a unit"),
        (
            'height = { column = "x", colour = 1 }\n',
            "height.colour: Extra inputs are not permitted",
        ),
        ('curves = { by = "magic" }\n', "curves.by"),
        ("height = {\n", "map.toml"),
        ("", "the table map names no channel"),
    ],
)
def test_wrong_maps_are_named(tmp_path: Path, text: str, message: str) -> None:
    path, _ = labone(tmp_path / "a.csv")
    (tmp_path / "map.toml").write_text(text)
    with pytest.raises(nrm.NrmError) as caught:
        nrm.open(path, "table", settings=tmp_path / "map.toml")
    assert message in str(caught.value)


def test_an_importer_without_settings_says_so(tmp_path: Path) -> None:
    path, _ = labone(tmp_path / "a.csv")
    with pytest.raises(nrm.RecipeError, match="park has no settings"):
        nrm.open(path, "park", settings={})


# ------------------------------------------------------------------ hostile ones


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 5000,
        b"1,2\n" * 10,
        b"z (nm),deflection (V)\n",
        b"z (nm),deflection (V)\n1\n",
        b"z (nm),deflection (V)\n" + b"1e999,2\n" * 20,
        b"z (nm),deflection (V)\n" + b"nan,nan\n" * 20,
        b"," * 100_000 + b"\n" + b"1," * 100_000,
        b"z (nm),z (nm),deflection (V)\n" + b"1,2,3\n" * 20,
        b"(" * 3000 + b",b\n1,2\n3,4\n",
        b"z (nm)\tdeflection (V)\n" + b"\0\t1\n" * 20,
    ],
)
def test_odd_texts(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    BOUNDS.survives(path)


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".tdms"])
def test_cut_files(tmp_path: Path, suffix: str) -> None:
    z, volts = falling()
    path = tmp_path / f"a{suffix}"
    if suffix == ".npz":
        np.savez(path, **{"z (nm)": z, "deflection (V)": volts})
    elif suffix == ".parquet":
        pytest.importorskip("pyarrow")
        pandas = pytest.importorskip("pandas")
        pandas.DataFrame({"z (nm)": z, "deflection (V)": volts}).to_parquet(path)
    else:
        nptdms = pytest.importorskip("nptdms")
        with nptdms.TdmsWriter(path) as writer:
            channels = {"z (nm)": z, "deflection (V)": volts}
            writer.write_segment([nptdms.ChannelObject("g", n, v) for n, v in channels.items()])
    data = path.read_bytes()
    assert nrm.open(path).n_curves == 1
    for length in range(0, len(data) - 1, max(1, len(data) // 40)):
        path.write_bytes(data[:length])
        BOUNDS.survives(path, memory=False)


def test_a_pickle_in_an_archive_is_not_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{"z (nm)": np.array([{}], object)})
    with pytest.raises(nrm.CorruptFile):
        nrm.open(tmp_path / "a.npz")


def test_importer_keeps_all_promises(tmp_path: Path) -> None:
    made = ramps(2, 1000.0)
    titles = ["time (s)", "height (m)", "deflection (V)"]
    columns = [made[name] for name in ("time", "z", "deflection")]
    text = write(tmp_path / "a.csv", titles, columns)
    np.savez(tmp_path / "a.npz", **dict(zip(titles, columns, strict=True)))
    # A part of a table of text is a table: nothing says that it was cut.
    check_importer(TableImporter(), [text], cuts=())
    check_importer(TableImporter(), [tmp_path / "a.npz"])
