"""What the lateral stiffness does to moduli where the lateral signal is in volts."""

from __future__ import annotations

import numpy as np
import pytest
from laboratory_campaigns import slipping, sticking

import nrm_plugin as nrm


def test_in_volts_the_correction_does_not_need_it_where_the_wall_confirms_the_sensitivity():
    """A layer that bends the lever by 40 %: moduli go with the stiffness, and with nothing else."""
    curves, _ = sticking(9619, curves=12).make()
    check = {one.name: one for one in nrm.check(curves)}["lateral_stiffness"]
    assert check.verdict == "fine"
    assert "Both moduli are proportional to the stiffness, which no wall shows" in check.advice
    assert check.effect["storage_modulus"] == pytest.approx(15.0)
    told = nrm.process(curves)["storage_modulus"].values
    stiffer = curves.with_metadata(
        {"lateral_stiffness": 1.15 * curves.metadata["lateral_stiffness"]}, "told"
    )
    ratio = nrm.process(stiffer)["storage_modulus"].values / told
    assert np.nanmedian(ratio) == pytest.approx(1.15, rel=1e-6)


def test_on_a_wall_where_the_tip_slips_nothing_confirms_it():
    curves, _ = slipping(9619, curves=12).make()
    check = {one.name: one for one in nrm.check(curves)}["lateral_stiffness"]
    assert check.verdict == "unknown"
