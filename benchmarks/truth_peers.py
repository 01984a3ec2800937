"""Contacts that nanite and PyFMRheo find in files of the benchmark, as JSON.

Runs in whatever environment has them: ``python truth_peers.py FILE.afm.h5``. It imports nothing of
ours: the file is read by afmformats.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

NANITE = (
    "deviation_from_baseline",
    "fit_constant_line",
    "fit_constant_polynomial",
    "fit_line_polynomial",
    "frechet_direct_path",
    "gradient_zero_crossing",
)

#: PyFMRheo's window in m; its default of 350 nm is longer than the ramps.
WINDOW = 20e-9

Estimator = Callable[[np.ndarray, np.ndarray, float], float]


def estimators() -> dict[str, Estimator]:
    """What is installed: name, and contact height of height (m), force (N), spring constant."""
    found: dict[str, Estimator] = {}
    try:
        from nanite.poc import compute_poc
    except ImportError:
        pass
    else:

        def by_nanite(method: str) -> Estimator:
            return lambda height, force, _: height[int(compute_poc(force, method=method))]

        found |= {f"nanite {name}": by_nanite(name) for name in NANITE}
    try:
        from pyfmrheo.utils import force_curves
    except ImportError:
        return found

    def pyfmrheo(name: str, setting: float) -> Estimator:
        find = getattr(force_curves, f"get_poc_{name}_method")

        def contact(height: np.ndarray, force: np.ndarray, spring: float) -> float:
            # It counts the height towards the sample and wants a baseline at 0.
            bent = (force - np.median(force[: len(force) // 3])) / spring
            return -float(find(-height, bent, setting)[0])

        return contact

    found["PyFMRheo RoV"] = pyfmrheo("RoV", WINDOW)
    found["PyFMRheo regula falsi"] = pyfmrheo("regulaFalsi", 5)
    return found


def fit(path: str) -> bool | None:
    """Whether nanite fits a Hertz model to the first curve; None without nanite."""
    try:
        import nanite
    except ImportError:
        return None
    one = nanite.load_group(path)[0]
    one.apply_preprocessing(
        ["compute_tip_position", "correct_force_offset", "correct_tip_offset"],
        options={"correct_tip_offset": {"method": "fit_constant_line"}},
    )
    one.fit_model(
        model_key="hertz_para", params_initial=one.get_initial_fit_parameters("hertz_para")
    )
    fitted = one.fit_properties
    return bool(fitted.get("success")) and bool(np.isfinite(fitted["params_fitted"]["E"].value))


def main(path: str) -> None:
    """Print the contacts of every method and its processor time per curve in s."""
    import afmformats

    curves = []
    # HDF5 sorts groups as text: 0, 1, 10, 11, 2.
    for one in sorted(afmformats.load_data(path), key=lambda one: int(one.metadata["enum"])):
        down = np.asarray(one["segment"]) == 0
        height, force = (np.asarray(one[n])[down] for n in ("height (measured)", "force"))
        curves.append((height, force, float(one.metadata["spring constant"])))
    answer: dict[str, Any] = {"methods": {}, "versions": {}}
    for name, method in estimators().items():
        found: list[float | None] = []
        _height(method, *curves[0])
        begin = time.process_time()
        for curve in curves:
            found.append(_height(method, *curve))
        seconds = (time.process_time() - begin) / len(curves)
        answer["methods"][name] = {"contact": found, "seconds": seconds}
    for name in ("nanite", "afmformats", "pyfmrheo", "numpy", "scipy"):
        try:
            answer["versions"][name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    answer["fitted"] = fit(path)
    print(json.dumps(answer))


def _height(method: Estimator, *curve: Any) -> float | None:
    """Contact, or None where the method gives up."""
    try:
        value = float(method(*curve))
    except Exception:
        return None
    return value if np.isfinite(value) else None


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1])
