"""JPK archives of real instruments: values that other readers and the vendor's exports gave.

Numbers stand with nine digits, as they were written down from the archives' own bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nrm_plugin as nrm
from nrm_importers.jpk import JpkImporter
from nrm_plugin.testing import check_importer

pytestmark = pytest.mark.real

RELAXATION = "fmt-jpk-sr_cell1-0008.jpk-force"
ONE_WAY = "fmt-jpk-fd_flipsign_2015.05.22-15.31.49.352.jpk-force"
INLINE = "fmt-jpk-fd_spot3-0192.jpk-force"
CREEP = "fmt-jpk-cc_pr14-polymergel-2021.06.30.jpk-force"
MAP = "fmt-jpk-fd_map2x2_extracted.jpk-force-map"
QI = "fmt-jpk-fd_2020.02.07-16.29.05.036.jpk-qi-data"
QI_SERIES = "fmt-jpk-fd_qi-data-2021.04.13.jpk-qi-series"
ABORTED = "invalid_dataset.jpk-force"
NO_CONTACT = "fmt-jpk-fd_map_bad_2013-05-27_1.jpk-force-map"
ONE_SAMPLE = "fmt-jpk-fd_single_bad_2017-01-16_4.jpk-force"
TWO_SAMPLES = "fmt-jpk-fd_single_bad_bead10_2017-04-27.jpk-force"

#: Spring constant, sensitivity, trigger, and for every segment of the first curve: kind, samples,
#: seconds, and first and last of commanded height, sensor, deflection and force.
KNOWN: dict[str, tuple[float, float, float | None, list[tuple[Any, ...]]]] = {
    RELAXATION: (
        1.0677,
        1.1028e-7,
        None,
        [
            (
                "hold",
                256,
                1.0,
                (5.86647048e-05, 5.86575435e-05),
                (1.46105928e-04,) * 2,
                (-0.991188282, -0.990561729),
                (-1.16708412e-07, -1.16634638e-07),
            ),
            (
                "approach",
                2048,
                1.0,
                (5.86575435e-05, 4.65459473e-05),
                (1.46105928e-04, 1.26148697e-04),
                (-0.9896219, 1.75217482),
                (-1.16523977e-07, 2.06311499e-07),
            ),
            (
                "hold",
                7680,
                30.0,
                (4.65361005e-05, 4.71555554e-05),
                (1.26104904e-04,) * 2,
                (1.76032001, -0.00436702424),
                (2.07270562e-07, -5.14199444e-10),
            ),
            (
                "retract",
                1951,
                0.95263671875,
                (4.71555554e-05, 5.86629145e-05),
                (1.26108032e-04, 1.45117451e-04),
                (0.00127195438, -1.73741312),
                (1.49767485e-10, -2.04573369e-07),
            ),
        ],
    ),
    ONE_WAY: (
        0.01868898956509838,
        6.467548816068359e-8,
        3.30928716,
        [
            (
                "approach",
                10000,
                5.0,
                (4.22573593e-05, 8.71402504e-06),
                (6.835545e-05, 1.83575891e-05),
                (-0.283649946, 2.99947198),
                (-3.42853228e-10, 3.62552035e-09),
            ),
            (
                "retract",
                4000,
                2.0,
                (8.70970536e-06, 4.98360146e-05),
                (1.83512239e-05, 6.82187777e-05),
                (3.07771543, -0.349476941),
                (3.72009473e-09, -4.22419602e-10),
            ),
        ],
    ),
    INLINE: (
        0.043493666407368466,
        7.000143623002982e-8,
        1.31379324,
        [
            (
                "approach",
                2000,
                1.0,
                (2.87832234e-05, 2.60935172e-05),
                (2.28156724e-05, 1.78172476e-05),
                (-0.169005678, 1.14297327),
                (-5.14557919e-10, 3.47991827e-09),
            ),
            (
                "retract",
                2000,
                1.0,
                (2.60917453e-05, 3.03725953e-05),
                (1.78172476e-05, 2.2793994e-05),
                (1.1559601, -0.198380649),
                (3.51945822e-09, -6.03993516e-10),
            ),
        ],
    ),
    CREEP: (
        0.061,
        6.086e-8,
        2.69363172,
        [
            (
                "approach",
                3000,
                3.0,
                (3.94108149e-05, 2.14320958e-05),
                (5.5660535e-05, 2.56686432e-05),
                (0.108282479, 2.81686885),
                (4.01994372e-10, 1.04575129e-08),
            ),
            (
                "hold",
                3000,
                3.0,
                (2.14287416e-05, 2.20452994e-05),
                (2.56584731e-05, 2.54131082e-05),
                (2.84457258, 2.83893546),
                (1.05603619e-08, 1.05394343e-08),
            ),
            (
                "retract",
                3000,
                3.0,
                (2.20457752e-05, 4.5987126e-05),
                (2.54108949e-05, 5.53699847e-05),
                (2.83916084, 0.0972056633),
                (1.0540271e-08, 3.60872137e-10),
            ),
        ],
    ),
    MAP: (
        0.015481694150356324,
        6.425794778156255e-8,
        2.01041012,
        [
            (
                "approach",
                12030,
                6.0,
                (5.23397376e-05, 3.18260047e-05),
                (7.05542969e-05, 4.05665098e-05),
                (-0.476737222, 1.54616434),
                (-4.74268626e-10, 1.53815814e-09),
            ),
            (
                "retract",
                12030,
                6.0,
                (3.18241975e-05, 5.89658571e-05),
                (4.05614684e-05, 7.05159376e-05),
                (1.56925976, -0.516480748),
                (1.56113397e-09, -5.13806356e-10),
            ),
        ],
    ),
    QI: (
        0.03011408349962541,
        2.4459525780419943e-8,
        0.13576328,
        [
            (
                "approach",
                300,
                0.028,
                (3.18322704e-06, 2.01714403e-06),
                (4.71615478e-06, 3.39075273e-06),
                (-0.172285582, -0.0134179922),
                (-1.2690146e-10, -9.88337372e-12),
            ),
            (
                "retract",
                300,
                0.028,
                (2.0169894e-06, 3.18314858e-06),
                (3.38598812e-06, 4.57076092e-06),
                (0.00380926154, -0.362903526),
                (2.8058114e-12, -2.67306101e-10),
            ),
        ],
    ),
    QI_SERIES: (
        35.028,
        9.76e-9,
        2.92506042,
        [
            (
                "approach",
                1000,
                0.2,
                (2.81242442e-06, 1.54469113e-06),
                (2.82790497e-06, 1.48076279e-06),
                (-0.501273074, 2.39317041),
                (-1.7137187e-07, 8.18161017e-07),
            ),
            (
                "retract",
                1000,
                0.02,
                (1.54450461e-06, 2.81262047e-06),
                (1.48013231e-06, 2.80747848e-06),
                (2.41412678, -0.501473407),
                (8.25325442e-07, -1.71440359e-07),
            ),
        ],
    ),
    ABORTED: (
        0.03788839333508696,
        6.648187369538243e-8,
        1.58800019,
        [
            (
                "approach",
                28,
                0.0056,
                (1.17020997e-05, 1.16589539e-05),
                (1.49514262e-05, 1.49118939e-05),
                (9.13652156, 10.7797243),
                (2.30139054e-08, 2.71529546e-08),
            ),
            (
                "retract",
                53,
                0.0106,
                (1.16547198e-05, 1.17018971e-05),
                (1.49079836e-05, 1.49535054e-05),
                (10.8313038, 11.5698973),
                (2.72828777e-08, 2.91433147e-08),
            ),
        ],
    ),
}


@pytest.fixture
def folder(real_files: Path) -> Path:
    return real_files / "other"


@pytest.mark.parametrize("name", KNOWN)
def test_values_are_the_known_ones(folder: Path, name: str) -> None:
    stiffness, sensitivity, trigger, segments = KNOWN[name]
    curves = nrm.open(folder / name)
    assert curves.importer == "jpk"
    assert curves.metadata["spring_constant"] == pytest.approx(stiffness, rel=1e-12)
    assert curves.metadata["deflection_sensitivity"] == pytest.approx(sensitivity, rel=1e-12)
    assert curves.metadata.get("trigger_threshold") == (
        None if trigger is None else pytest.approx(trigger, rel=3e-8)
    )
    one = curves[0]
    clock = one.read("time")
    begin = 0.0
    assert one.segments["kind"].tolist() == [kind for kind, *_ in segments]
    for segment, (_, count, seconds, *ends) in zip(one.segments, segments, strict=True):
        part = slice(segment["start"], segment["stop"])
        assert part.stop - part.start == count
        names = ("height_commanded", "height_sensor", "deflection", "force_normal")
        for channel, pair in zip(names, ends, strict=True):
            values = one.read(channel)[part]
            np.testing.assert_allclose(values[[0, -1]], pair, rtol=2e-8, atol=1e-14)
        step = seconds / count
        np.testing.assert_allclose(clock[part][0], begin + step / 2, rtol=1e-9)
        begin += seconds
    np.testing.assert_array_equal(one.read("height"), one.read("height_sensor"))


def test_every_channel_is_there(folder: Path) -> None:
    """Other readers drop the lateral deflection and the auxiliary inputs."""
    curves = nrm.open(folder / RELAXATION)
    lateral, extra = curves.read("lateral"), curves.read("aux3")
    at = curves.segments["start"].tolist()
    np.testing.assert_allclose(
        lateral[at], [0.0898026527, 0.089488321, 0.075972055, 0.089488321], rtol=1e-8
    )
    assert lateral[at[3] :].max() == pytest.approx(0.102690255, rel=1e-8)
    np.testing.assert_allclose(extra[[at[1], at[2] - 1]], [0.0338000532, 0.0341138043], rtol=1e-8)
    np.testing.assert_allclose(curves.read("aux4"), -10.23877, rtol=1e-6)
    assert "aux4 is dead: it is -10.2388 V throughout the first curve" in curves.warnings
    start = curves.curve_table["start_time"][0]
    assert start == np.datetime64("2018-11-22T11:55:12.157")


def test_the_vendors_export_agrees(folder: Path) -> None:
    curves = nrm.open(folder / CREEP)
    force, time = curves.read("force_normal"), curves.read("time")
    np.testing.assert_allclose(force[:3], [4.0199438e-10, 4.131706e-10, 4.077938e-10], rtol=2e-7)
    np.testing.assert_allclose(time[:2], [0.0005, 0.0015], rtol=1e-9)
    # The pause lacks two channels that approach and retract have.
    absent = np.isnan(curves.read("cellhesion_height"))
    kinds = [absent[s["start"] : s["stop"]].mean() for s in curves.segments]
    assert kinds == [0.0, 1.0, 0.0]
    assert not np.isnan(curves.read("height")).any()


def test_setpoint_is_reached(folder: Path) -> None:
    """What the instrument triggered on, V above its baseline, is where the approach ends."""
    for name, baseline in ((INLINE, -0.17326968), (QI_SERIES, -0.52625), (CREEP, 0.10223509)):
        curves = nrm.open(folder / name)
        segment = curves.segments[curves.segments["kind"] == "approach"][0]
        last = curves.read("deflection", 0)[segment["stop"] - 1]
        assert last - baseline == pytest.approx(curves.metadata["trigger_threshold"], rel=0.01)


def test_an_edited_map_keeps_its_places(folder: Path) -> None:
    """Folders 0 to 3 hold the four corners of a grid of ten by ten."""
    curves = nrm.open(folder / MAP)
    table = curves.curve_table
    assert curves.grid is None
    assert table["column"].tolist() == [0, 9, 9, 0]
    assert table["row"].tolist() == [0, 0, 9, 9]
    middle, half = np.array([3.0197265625e-4, -4.835351562500001e-4]), 2.7e-4
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    np.testing.assert_allclose(
        np.stack([table["x"], table["y"]], 1), middle + half * signs, atol=0.007 * 6e-5
    )
    np.testing.assert_array_equal(table["start_time"][0], np.datetime64("2013-05-27T13:56:57.320"))
    lateral = curves.read("lateral", 0)
    np.testing.assert_allclose(lateral[[0, 12029]], [-0.26212538, -0.544417618], rtol=1e-8)


def test_a_quantitative_image(folder: Path) -> None:
    curves = nrm.open(folder / QI)
    table = curves.curve_table
    assert curves.n_curves == 4
    assert table["row"].tolist() == [0] * 4
    assert table["column"].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(table["x"], -4.9609375e-6 + 7.8125e-8 * np.arange(4), atol=1e-15)
    np.testing.assert_allclose(table["y"], -6.9609375e-6, atol=1e-15)


def test_what_was_aborted_is_read(folder: Path) -> None:
    one, two, none = (nrm.open(folder / name) for name in (ONE_SAMPLE, TWO_SAMPLES, NO_CONTACT))
    assert one.segments["stop"].tolist() == [1, 3751]
    assert one.read("deflection")[0] == pytest.approx(9.83274397, rel=1e-8)
    assert one.read("lateral")[1] == pytest.approx(-0.300231141, rel=1e-8)
    np.testing.assert_allclose(two.read("deflection"), [0.374681013, 0.363423008], rtol=1e-8)
    np.testing.assert_allclose(
        none.read("height_sensor")[[0, 12029]], [2.4512721e-05, -5.38492263e-06], rtol=2e-8
    )
    aborted = nrm.open(folder / ABORTED)
    assert aborted.read("amplitude")[0] == pytest.approx(2.69813512e-09, rel=1e-8)
    assert aborted.read("phase")[0] == pytest.approx(np.radians(-19.9617895), rel=1e-8)


def test_importer_complies(folder: Path) -> None:
    check_importer(JpkImporter(), sorted(folder.glob("*.jpk-*")))


def test_another_reader_agrees(folder: Path) -> None:
    """Force and heights of afmformats, sample by sample, in every archive that it opens."""
    afmformats = pytest.importorskip("afmformats")
    for name in KNOWN:
        curves = nrm.open(folder / name)
        for i, other in enumerate(afmformats.load_data(folder / name)):
            for ours, theirs in (
                ("force_normal", "force"),
                ("height", "height (measured)"),
                ("height_commanded", "height (piezo)"),
            ):
                np.testing.assert_allclose(
                    curves.read(ours, i), other[theirs], rtol=1e-9, atol=1e-20, err_msg=name
                )
            told = other.metadata
            assert curves.metadata["spring_constant"] == pytest.approx(told["spring constant"])
            assert curves.metadata["deflection_sensitivity"] == pytest.approx(told["sensitivity"])
