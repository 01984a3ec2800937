"""Images: raw numbers and values, and pySPM on both sides."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figure_results import made_results

import nrm_plugin as nrm
from nrm_plugin import Image, InvalidInput
from nrm_plugin.statistics import result_views

RAW = np.array([[-3, 0, 7], [100, 200, 301]], "i2")


def test_values_alone() -> None:
    image = Image("Height", RAW * 0.5, "m", (3e-6, 2e-6), "trace")
    assert (image.shape, image.size, image.direction) == ((2, 3), (3e-6, 2e-6), "trace")
    np.testing.assert_array_equal(image.data, RAW * 0.5)
    np.testing.assert_array_equal(image.raw, RAW * 0.5)


def test_raw_and_values() -> None:
    image = Image("Friction", RAW * 0.25 - 1.0, "V", raw=RAW)
    assert image.raw.dtype == np.int16
    np.testing.assert_array_equal(image.raw, RAW)
    np.testing.assert_allclose(image.data, RAW * 0.25 - 1.0, rtol=1e-14)
    assert (image.gain, image.offset) == (0.25, -1.0)
    assert math.isnan(image.size[0])


def test_constant_raw() -> None:
    image = Image("Height", np.full((2, 2), 5.0), "m", raw=np.full((2, 2), 3, "i4"))
    np.testing.assert_array_equal(image.data, np.full((2, 2), 5.0))
    np.testing.assert_array_equal(image.raw, np.full((2, 2), 3))


@pytest.mark.parametrize(
    ("data", "raw"),
    [
        (RAW.astype(float) ** 2, RAW),  # not raw times a gain plus an offset
        (RAW * 0.5, RAW[:1]),
        (np.arange(3.0), None),
        (RAW + 1j, None),
        (RAW.astype("U"), None),
    ],
)
def test_data_that_make_no_sense(data: Any, raw: Any) -> None:
    with pytest.raises(InvalidInput):
        Image("Height", data, "m", raw=raw)


def test_the_callers_array_is_copied() -> None:
    data = RAW * 1.0
    image = Image("Height", data, "m")
    data[:] = 0
    image.data[:] = 1
    np.testing.assert_array_equal(image.data, RAW)


def test_to_pyspm_and_back() -> None:
    pytest.importorskip("pySPM")
    image = Image("Friction", RAW * 1e-3, "V", (3e-6, 2e-6), "retrace", RAW)
    theirs = image.to_pyspm()
    assert theirs.pixels[0, 2] == 7e-3  # row 0 stays the first
    assert theirs.size["real"] == {"unit": "m", "x": 3e-6, "y": 2e-6}
    assert (theirs.channel, theirs.zscale, theirs.type) == ("Friction", "V", "retrace")
    back = Image.from_pyspm(theirs)
    np.testing.assert_array_equal(back.data, image.data)
    assert (back.name, back.unit, back.direction) == ("Friction", "V", "retrace")
    assert back.size == (3e-6, 2e-6)


def test_from_pyspm_turns_units_into_si() -> None:
    pyspm = pytest.importorskip("pySPM")
    size = {"unit": "nm", "x": 500.0, "y": 250.0}
    image = Image.from_pyspm(pyspm.SPM_image(RAW, channel="Height", real=size, zscale="nm"))
    assert image.unit == "m"
    assert image.size == pytest.approx((5e-7, 2.5e-7), rel=1e-14)
    np.testing.assert_array_equal(image.data, RAW * 1e-9)
    bad = pyspm.SPM_image(RAW, real={"unit": "V", "x": 1.0, "y": 1.0})
    with pytest.raises(InvalidInput):
        Image.from_pyspm(bad)


def test_maps_of_results_to_pyspm_and_back_onto_curves(tmp_path: Path) -> None:
    """Rows by y, in SI, with the extent of all pixels."""
    pytest.importorskip("pySPM")
    results = made_results(3, 4)
    views = result_views(results, distances=[5e-9])
    theirs = {view.title: view.image().to_pyspm() for view in views.images}
    stiff = theirs["storage modulus E' at 5 nm"]
    wanted = results["storage_modulus"].sel(depth=5e-9, method="nearest").values.reshape(3, 4)
    np.testing.assert_array_equal(stiff.pixels, wanted)
    steps = [float(np.ptp(results[axis].values)) / (n - 1) for axis, n in (("x", 4), ("y", 3))]
    real = stiff.size["real"]
    assert (real["x"], real["y"]) == pytest.approx((4 * steps[0], 3 * steps[1]), rel=1e-12)
    assert (stiff.zscale, real["unit"]) == ("Pa", "m")

    image = Image.from_pyspm(stiff)
    curves = nrm.CurveSet.from_arrays({"height": (np.zeros((12, 5)), "m")}, images=[image])
    curves.save(tmp_path / "with-map.h5")
    (again,) = nrm.open(tmp_path / "with-map.h5").images
    np.testing.assert_array_equal(again.data, wanted)
    assert (again.name, again.unit) == ("storage modulus E' at 5 nm", "Pa")
