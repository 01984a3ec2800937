"""How often the bands of an inversion hold the truth: ``python benchmarks/inversion_coverage.py``.

Thin stiff skins seen from 10 depths, a tip told wrong by two, a cone told as a cylinder, and a
contact that is off, each with noise of 0.5 % of the median force, on another mesh than the
inversion's. Names of cases and a number of seeds may follow: ``skin-outside 40``.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nrm_plugin.fea import InversionFailed, Layer, Steps, Tip, invert, lateral_force

NM, AMPLITUDE, NOISE = 1e-9, 1e-9, 0.005
LOSSY = 1.0 + 0.3j
TIP = Tip(10 * NM)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is true, and what the inversion is told."""

    edges: tuple[float, ...]
    moduli: tuple[float, ...]
    thickness: float = 30 * NM
    depths: int = 10
    tip: Tip = TIP
    told: Tip = TIP
    contact: float = 0.0
    errors: dict[str, float] = field(default_factory=dict)

    @property
    def modulus(self) -> Steps:
        """E* in Pa."""
        return Steps(self.edges, np.array(self.moduli) * 1e6 * LOSSY)


TWO = Case(edges=(12 * NM,), moduli=(8.0, 2.0), depths=13)
CASES = {
    "skin-outside": Case(edges=(27 * NM,), moduli=(1.0, 10.0)),
    "skin-inside": Case(edges=(8 * NM, 11 * NM), moduli=(1.0, 10.0, 1.0)),
    "skin-electrode": Case(edges=(3 * NM,), moduli=(10.0, 1.0)),
    "skin-thick": Case(edges=(48 * NM, 51 * NM), moduli=(1.0, 10.0, 1.0), thickness=100 * NM),
    "right": TWO,
    "radius": replace(TWO, told=Tip(20 * NM), errors={"radius_stderr": 10 * NM}),
    "radius-small": replace(TWO, tip=Tip(20 * NM), told=TIP, errors={"radius_stderr": 9 * NM}),
    "cone": replace(
        TWO, tip=Tip(10 * NM, np.radians(15.0)), errors={"cone_angle_stderr": np.radians(15.0)}
    ),
    "contact-near": replace(TWO, contact=1 * NM, errors={"contact_stderr": 1 * NM}),
    "contact-far": replace(TWO, contact=-1 * NM, errors={"contact_stderr": 1 * NM}),
}


def measured(case: Case, count: int, fineness: float) -> None:
    """Invert and print."""
    layer = Layer(case.thickness, case.modulus, 0.49)
    depths = np.linspace(0.1, 0.9, case.depths) * case.thickness
    exact = lateral_force(
        case.tip, layer, depths + case.contact, AMPLITUDE, fineness=1.2, workers=1
    ).force
    sigma = NOISE * complex(np.median(exact.real), np.median(exact.imag))
    rows = []
    for seed in range(1000, 1000 + count):
        random = np.random.default_rng(seed).standard_normal((2, depths.size))
        force = exact + sigma.real * random[0] + 1j * sigma.imag * random[1]
        options: dict[str, Any] = {"noise": sigma, "fineness": fineness, "workers": 1}
        start = time.process_time()
        try:
            found = invert(case.told, layer, depths, force, AMPLITUDE, **options, **case.errors)
        except InversionFailed as error:
            print(f"  {seed}: {error}")
            continue
        true = case.modulus(found.heights)
        inside = (found.storage_low <= true.real) & (true.real <= found.storage_high)
        lossy = (found.loss_low <= true.imag) & (true.imag <= found.loss_high)
        softest = min(case.moduli) * 1e6
        invented = found.storage_high < 0.9 * softest
        rows.append(
            [
                inside.mean(),
                lossy.mean(),
                invented.any(),
                np.median(0.5 * np.log10(found.storage_high / found.storage_low)),
                0 if found.layers is None else np.size(found.layers.moduli),
                time.process_time() - start,
            ]
        )
    table = np.array(rows, float)
    counts = {int(k): int(np.sum(table[:, 4] == k)) for k in np.unique(table[:, 4])}
    print(
        f"  {len(table)} of {count}: bands hold E' {table[:, 0].mean():.3f}, "
        f"E'' {table[:, 1].mean():.3f} (worst {table[:, :2].min():.2f}); "
        f"soft layers invented in {int(table[:, 2].sum())}; "
        f"half-width {np.median(table[:, 3]):.3f} decades; layers (0 is a profile) {counts}; "
        f"{np.median(table[:, 5]):.0f} s each",
        flush=True,
    )


def main(words: list[str]) -> None:
    """Run the cases named, or all."""
    count = int(words.pop()) if words and words[-1].isdigit() else 40
    for name in words or CASES:
        print(f"{name}:", flush=True)
        measured(CASES[name], count, 0.5)


if __name__ == "__main__":
    main(sys.argv[1:])
