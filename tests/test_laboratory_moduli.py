"""Moduli near the electrode do not depend on what was told of the deflection.

Deep figures: ``python benchmarks/laboratory.py moduli composite sparse``.
"""

from __future__ import annotations

import pytest
from laboratory_campaigns import MODULI, moduli_case

SEED = 20_000

#: Levers of other stiffness, and ways back whose friction takes some nm to turn, are apart.
APART = ("k_l", "lever friction +4%, retract", "lever friction -4%, retract")
NAMES = [name for name in MODULI if not name.startswith(APART)]


@pytest.mark.parametrize("name", NAMES)
def test_moduli_at_2_to_5_nm_hold_whatever_was_told_wrongly(name: str) -> None:
    found = moduli_case(name, [SEED])
    assert abs(found.storage) < 6.0
    assert abs(found.loss) < 8.0
    # 95 % of 100 curves with two independent distances each: four standard deviations below
    assert 87.0 <= found.storage_cover <= 99.0
    assert 87.0 <= found.loss_cover <= 99.0
    assert found.far_off <= 1.0
    assert found.missing == 0.0
    assert found.first <= (1.5 if name == "exact" else 2.5)
