"""A study file: what it says, what is wrong with it, and what is proposed for a folder."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from writers.study import WHOLE

from nrm_importers.potentiostat import log_table
from nrm_plugin.cli import main
from nrm_plugin.errors import InvalidInput, MissingFile
from nrm_plugin.study import propose, read_study
from nrm_plugin.study.found_files import name_stem
from nrm_plugin.study.proposal import _patterns
from nrm_plugin.study.study_plan import Pair, folder_name
from nrm_plugin.study.study_values import between

ROOT = Path(__file__).resolve().parent.parent
BRUKER, LOGS = ROOT / "sample_data" / "bruker", ROOT / "sample_data" / "potentiostat"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ec1", "dme1"):
        (tmp_path / name).mkdir()
        shutil.copy(BRUKER / "volume-3x5.spm", tmp_path / name / "map.spm")
    shutil.copy(LOGS / "voltammogram.csv", tmp_path / "cv.csv")
    (tmp_path / "ec1.toml").write_text("", encoding="utf-8")
    (tmp_path / "recipe.toml").write_text('direction = "approach"\n', encoding="utf-8")
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_that_it_says(folder):
    study = read_study(written(folder, WHOLE))
    assert study.title == "Carbonate against ether"
    assert study.conditions == ["carbonate", "ether"]
    assert study.figures == ("profiles", "violin")
    assert (study.regions.edges, study.regions.sweep, study.regions.cycle) == (
        (2.0, 1.0, 0.5),
        "cathodic",
        1,
    )
    assert study.bins == ((0.0, pytest.approx(5e-9)), (pytest.approx(5e-9), pytest.approx(10e-9)))
    assert study.primary.quantity == "loss_modulus"
    assert study.primary.distance == (pytest.approx(2e-9), pytest.approx(5e-9))
    assert study.primary.region == (0.5, 1.0)
    assert study.thickness_modulus == pytest.approx(0.5e6)
    assert study.pairs == (
        Pair(first="carbonate", second="ether"),
        Pair(regions=((0.5, 1.0), (1.0, 2.0))),
    )
    first, second = study.samples
    assert (first.files, first.logs, first.clock_offset) == (("ec1/*.spm",), ("cv.csv",), 60.0)
    assert first.settings == {"spring_constant": pytest.approx(0.2)}
    assert (first.day, first.lever, second.files) == ("2025-03-04", "A", ("dme1",))
    assert study.recipe_of(second) == "recipe.toml"


def test_all_mistakes_at_once_with_their_lines(folder):
    text = WHOLE.replace("title", "titel").replace("ec1/*.spm", "ec1/*.smp")
    text = text.replace('sweep = "cathodic"', 'swep = "cathodic"')
    text = text.replace('"carbonate", "ether"', '"carbonat", "ether"')
    text = text.replace('log = "cv.csv"', 'log = "cv.cvs"').replace('"0.5-1.0 V"', '"0.4-1.0 V"')
    text = text.replace('name = "DME 1"', 'name = "ec 1"').replace('"violin"', '"violins"')
    text = text.replace("spring_constant", "spring_konstant")
    with pytest.raises(InvalidInput) as told:
        read_study(written(folder, text))
    lines = str(told.value).splitlines()
    wanted = [
        (2, "'titel' is not known. Did you mean title?"),
        (4, "figures: there is no 'violins'"),
        (7, "[regions] 'swep' is not known. Did you mean sweep?"),
        (14, "region: there is no region '0.4-1.0 V'; there are: 1-2 V, 0.5-1 V"),
        (18, "no sample has the condition 'carbonat'; there are: carbonate, ether. Did you mean"),
        (24, "files: no file has a name as 'ec1/*.smp'"),
        (26, "log: there is no file 'cv.cvs'. Did you mean cv.csv?"),
        (28, "set: there is no key 'spring_konstant'. Did you mean spring_constant?"),
        (32, "there is a sample 'ec 1' already (line 21): 'EC 1' has its folder"),
    ]
    for line, (number, what) in zip(lines, wanted, strict=True):
        assert line.startswith(f"study.toml, line {number}: "), line
        assert what in line


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "there is no sample"),
        ("title = ", "line 1, column 9: this is not TOML"),
        ("sample = 3", "there may be several: write [[sample]]"),
        ("[[sample]]\nname = 3\ncondition = 'a'\nfiles = 'dme1'", "name is a short text"),
        ("[[sample]]\nname = 'a'\nfiles = 'dme1'", "a sample has a condition"),
        ("[[sample]]\nname = 'a'\ncondition = 'a'\nfiles = 'x'", "there is no file 'x'"),
        (
            "[[sample]]\nname='a'\ncondition='a'\nfiles='dme1'\nclock_offset='3 s'",
            "clock_offset is for a log",
        ),
        ("[primary]\ndistance = '5-2 nm'", "'5-2 nm' ends before it begins"),
        ("[primary]\ndistance = '2-5'", "'2' has no unit"),
        ("[regions]\nedges = [1.0]", "edges are two or more potentials"),
        ("[thickness]\nmodulus = '3 nm'", "modulus: nm cannot be turned into Pa"),
        ("[[comparison]]\nbetween = ['a']", "between has two different names"),
        ("a.b.c.d.e.f.g.h.i.j.k = 1", "a name of many parts"),
    ],
)
def test_each_mistake_is_named(folder, text, told):
    with pytest.raises(InvalidInput) as error:
        read_study(written(folder, text))
    assert told in str(error.value)


def test_two_samples_cannot_have_the_same_file(folder):
    text = WHOLE.replace('files = "dme1"', 'files = ["./ec1/*.spm"]')
    with pytest.raises(InvalidInput, match=r"line 34: files: .* belongs to 'EC 1' already"):
        read_study(written(folder, text))


def test_no_file(tmp_path):
    with pytest.raises(MissingFile):
        read_study(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("name", "folder"),
    [("EC 1", "EC 1"), ("EC/DMC 1:1", "EC_DMC 1_1"), ("con", "_con"), ("..", "_"), ("a.", "a")],
)
def test_folders_that_every_system_takes(name, folder):
    assert folder_name(name) == folder


def test_a_proposal_by_folders(tmp_path):
    for condition in ("carbonate", "ether"):
        for number in (1, 2):
            home = tmp_path / condition / f"cell{number}"
            home.mkdir(parents=True)
            for series in range(5):
                name = f"series.{series % 3:03}" if series < 3 else f"map{series}.spm"
                source = "series.000" if series < 3 else "volume-3x5.spm"
                shutil.copy(BRUKER / source, home / name)
            shutil.copy(LOGS / "voltammogram.mpt", home / "cv.mpt")
    (tmp_path / "ether" / "wiring.toml").write_text(
        '[electrode]\nmaterial = "HC"\n', encoding="utf-8"
    )
    text = propose(tmp_path)
    path = written(tmp_path, text)
    study = read_study(path)
    assert [(s.condition, s.name) for s in study.samples] == [
        ("carbonate", "carbonate cell1"),
        ("carbonate", "carbonate cell2"),
        ("ether", "ether cell1"),
        ("ether", "ether cell2"),
    ]
    first = study.samples[0]
    assert first.logs == ("carbonate/cell1/cv.mpt",)
    assert "carbonate/cell1/*.spm" in first.files
    assert [s.experiment for s in study.samples] == ["", "", *["ether/wiring.toml"] * 2]
    assert study.pairs == (Pair(first="carbonate", second="ether"),)
    assert study.primary is None
    assert "guessed: the folder above its own" in text
    assert "# [primary]" in text


def test_a_proposal_by_names(tmp_path):
    for name in ("ec1_001", "ec1_002", "ec2_001", "dme1_001"):
        shutil.copy(BRUKER / "volume-3x5.spm", tmp_path / f"{name}.spm")
    shutil.copy(LOGS / "voltammogram.csv", tmp_path / "ec1.csv")
    done = CliRunner().invoke(main, ["study", str(tmp_path), "-o", str(tmp_path / "study.toml")])
    assert done.exit_code == 0, done.output
    study = read_study(tmp_path / "study.toml")
    assert {s.name: (s.condition, s.files, s.logs) for s in study.samples} == {
        "ec1": ("ec", ("ec1_001.spm", "ec1_002.spm"), ("ec1.csv",)),
        "ec2": ("ec", ("ec2_001.spm",), ()),
        "dme1": ("dme", ("dme1_001.spm",), ()),
    }
    again = CliRunner().invoke(main, ["study", str(tmp_path), "-o", str(tmp_path / "study.toml")])
    assert again.exit_code == 1
    assert "--overwrite" in again.stderr


def test_days_in_names_are_no_conditions(tmp_path):
    for name in ("2024-03-04 EC_001", "2024-03-04 EC_002", "20240305 EC_001", "DME_2024-03-06"):
        shutil.copy(BRUKER / "volume-3x5.spm", tmp_path / f"{name}.spm")
    (tmp_path / "DME.toml").write_text('[notes]\nelectrolyte = "DME"\n', encoding="utf-8")
    text = propose(tmp_path)
    study = read_study(written(tmp_path, text))
    assert {s.name: (s.condition, len(s.files)) for s in study.samples} == {
        "2024-03-04 EC": ("EC", 2),
        "20240305 EC": ("EC", 1),
        "DME_2024-03-06": ("DME", 1),
    }
    assert "# guessed: its name without day and number" in text
    assert "# Its experiment file cannot be read: DME.toml, line 2: " in text


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("glass 2024-03-04.tiff", "glass 2024-03-04"),
        ("map_2024-03-04_16.29.jpk-force", "map_2024-03-04"),
        ("20240305_diglyme_00023.spm", "20240305_diglyme"),
        ("spot3-0192.jpk-force", "spot3"),
        ("series.021", "series"),
        ("00012.spm", "00012"),
    ],
)
def test_numbers_at_the_end_of_names_count_curves(name, stem):
    assert name_stem(Path(name)) == stem


def test_paths_of_a_proposal_count_from_its_file(tmp_path):
    data, notes = tmp_path / "data", tmp_path / "notes"
    data.mkdir()
    notes.mkdir()
    shutil.copy(BRUKER / "volume-3x5.spm", data / "a1.spm")
    path = notes / "study.toml"
    path.write_text(propose(data, notes), encoding="utf-8")
    assert read_study(path).samples[0].files == ("../data/a1.spm",)


def test_nothing_to_propose(tmp_path):
    with pytest.raises(InvalidInput, match="there are no curves"):
        propose(tmp_path)
    with pytest.raises(MissingFile):
        propose(tmp_path / "none")


def test_a_range_of_many_characters_is_refused_at_once():
    start = time.process_time()
    with pytest.raises(InvalidInput, match="is no range"):
        between("1" + " " * 20_000, "m")
    assert time.process_time() - start < 1.0


def test_thousands_of_numbered_files_take_no_time(tmp_path):
    """As many suffixes as files: each was looked for among all."""
    files = [tmp_path / f"series.{number:04}" for number in range(3000)]
    for path in files:
        path.touch()
    begin = time.process_time()
    assert _patterns(files, tmp_path.parent) == [tmp_path.name]
    assert len(_patterns(files[1:], tmp_path)) == 2999
    assert time.process_time() - begin < 2.0


def test_patterns_mean_just_their_files(tmp_path):
    for name in ("a1.spm", "a2.spm", "a3.spm", "a4.spm", "b1.spm", "a1.h5", "plain", "a5"):
        (tmp_path / name).touch()
    a, others = [tmp_path / f"a{n}.spm" for n in (1, 2, 3, 4)], [tmp_path / "b1.spm"]
    assert _patterns(a, tmp_path) == ["a*.spm"]
    assert _patterns(a + others, tmp_path) == ["*.spm"]
    assert _patterns(a[1:] + others, tmp_path) == ["a2.spm", "a3.spm", "a4.spm", "b1.spm"]
    assert _patterns([*a, tmp_path / "a5"], tmp_path) == ["a5", "a*.spm"]


def test_files_of_which_an_importer_is_certain_are_no_logs(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(log_table, "sniff", lambda head: asked.append(head) or 0)
    shutil.copy(BRUKER / "series.000", tmp_path)
    (tmp_path / "notes.txt").write_text("time (s)\n")
    assert "series.000" in propose(tmp_path)
    assert asked == [b"time (s)\n"]
