"""One curve, as the page draws it: samples, windows, lines, profile, and what is said of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from nrm_plugin.columns import AnyArray
from nrm_plugin.decisions import ContactByHand
from nrm_plugin.engine.signals import parts, plan, read_block
from nrm_plugin.engine.workbench import CurveDetail
from nrm_plugin.errors import InvalidInput, MissingCalibration, NrmError
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe
from nrm_plugin.variables import ACCEPTED, BIT, EXCLUDED, FLAG_WORDS, MOVED
from nrm_plugin.viewer import shown_quantities as shown
from nrm_plugin.viewer.bench import Bench
from nrm_plugin.viewer.viewed import Viewed, file_name

#: Variables over depth that are sent.
PROFILES = (
    "storage_modulus",
    "storage_modulus_stderr",
    "loss_modulus",
    "loss_modulus_stderr",
    "force_normal",
    "lateral_force_in_phase",
    "lateral_force_quadrature",
)

Arrays = dict[str, AnyArray]


def curve_reply(
    view: Viewed,
    bench: Bench,
    number: int,
    direction: str | None = None,
    *,
    recipe: Recipe | None = None,
    contact: ContactByHand | float | None = None,
) -> tuple[dict[str, Any], Arrays]:
    """Return header and arrays of a curve.

    Parameters
    ----------
    view : Viewed
    bench : Bench
    number : int
    direction : str, optional
    recipe : Recipe, optional
        Another one than that of the results: the curve is processed now.
    contact : ContactByHand or float, optional
        Set by hand (height in m): the curve is processed now.

    Raises
    ------
    InvalidInput
        If there is no such curve or direction, or there are no curves to process.
    """
    began = time.perf_counter()
    check_number(view, number)
    way = view.direction(direction)
    header = about_curve(view, number, way)
    arrays: Arrays = {}
    now = recipe is not None or contact is not None
    if contact is None and view.decisions is not None and view.curves is not None:
        if view.by_hand[number] & MOVED:
            contact = view.decisions.contacts.get((number, way))
        now |= contact is not None
    if view.results is not None and not now:
        of_results(view, number, way, header, arrays)
    if view.curves is not None:
        one = view.curves[number]
        of_recording(one, way, header, arrays)
        if now or view.results is None or bench.warm:
            _by_the_engine(bench, number, way, recipe, contact, header, arrays)
        else:
            of_signals(one, way, header, arrays)
    elif now:
        raise InvalidInput("the curves are not here: results alone cannot be processed anew")
    header["ms"] = {"server": (time.perf_counter() - began) * 1e3}
    return header, arrays


def _by_the_engine(
    bench: Bench,
    number: int,
    direction: str,
    recipe: Recipe | None,
    contact: ContactByHand | float | None,
    header: dict[str, Any],
    arrays: Arrays,
) -> None:
    """Add what the engine makes of a curve; what the results hold of it stays."""
    if header["missing"]:
        return
    try:
        detail = bench.curve(number, recipe, contact, direction)
    except MissingCalibration as error:
        header["missing"] = str(error)
        return
    except NrmError as error:
        if recipe is not None or contact is not None:
            raise
        header["missing"] = str(error)
        return
    of_samples(detail, arrays)
    if header["processed"] != "results":
        header["processed"] = "now"
        of_detail(detail, bench.sticks, header, arrays)


def of_samples(detail: CurveDetail, arrays: Arrays) -> None:
    """Add the samples of a processed curve."""
    arrays |= {"height": detail.height, "distance": detail.distance}
    for name in ("deflection", "lateral_in_phase", "lateral_quadrature"):
        values = getattr(detail, name)
        if len(values):
            arrays[name] = values.astype(np.float32)


def of_detail(detail: CurveDetail, sticks: bool, header: dict[str, Any], arrays: Arrays) -> None:
    """Add what the engine found in a curve."""
    values = detail.values
    lines = {"baseline": detail.baseline_line, "wall": detail.wall_line}
    header |= {
        "quality": int(values["quality"]),
        "flags": flags_in_words(int(values["quality"])),
        "contact": detail.contact_height,
        "stderr": detail.contact_height_stderr,
        "systematic": float(values["contact_height_systematic"]),
        "found": {"height": detail.contact_found, "stderr": detail.contact_found_stderr},
        "windows": {"baseline": detail.baseline_window, "wall": detail.wall_window},
        "lines": {name: line for name, line in lines.items() if line is not None},
    }
    bits = np.array([int(values["quality"])])
    header["facts"] |= {
        "F_max": detail.force_max,
        "wall_slope": float(values["wall_slope"]),
        "first_valid": float(values["depth_valid_min"]),
        "stick": shown.STICK[int(shown.stick_of(bits, sticks)[0])],
    }
    arrays["depth"] = detail.depth
    for name in PROFILES:
        if name in values:
            arrays[name] = np.asarray(values[name], np.float32)


def check_number(view: Viewed, number: int) -> None:
    """Raise if there is no such curve.

    Raises
    ------
    InvalidInput
    """
    if not view.n_curves:
        raise InvalidInput("there are no curves")
    if not 0 <= number < view.n_curves:
        raise InvalidInput(f"there is no curve {number}: the curves are 0 to {view.n_curves - 1}")


def about_curve(view: Viewed, number: int, direction: str) -> dict[str, Any]:
    """What is known of a curve whatever its samples are."""
    header: dict[str, Any] = {
        "number": number,
        "direction": direction,
        "source": source_of(view, number),
        "row": _one(view, "row", number),
        "column": _one(view, "column", number),
        "x": _one(view, "x", number),
        "y": _one(view, "y", number),
        "potential": _one(view, "potential", number),
        "region": "",
        "quality": 0,
        "flags": [],
        "windows": {},
        "lines": {},
        "contact": None,
        "stderr": None,
        "systematic": None,
        "by_hand": by_hand(view, number, direction),
        "facts": {"F_max": None, "wall_slope": None, "stick": "unknown", "first_valid": None},
        "missing": "",
        "processed": "",
    }
    if view.region_numbers[number] >= 0:
        header["region"] = view.regions[view.region_numbers[number]].label
    return header


def by_hand(view: Viewed, number: int, direction: str) -> dict[str, Any]:
    """What was decided about a curve."""
    bits = int(view.by_hand[number])
    contacts = {} if view.decisions is None else view.decisions.contacts
    found = contacts.get((number, direction))
    contact = None
    if found is not None:
        names = ("height", "stderr", "old_height", "old_stderr")
        contact = dict(zip(names, found, strict=True))
    return {
        "excluded": bool(bits & EXCLUDED),
        "accepted": bool(bits & ACCEPTED),
        "contact": contact,
    }


def source_of(view: Viewed, number: int) -> dict[str, Any]:
    """Name of the file that a curve came from, and its number in it."""
    source = view.integers("source", 0)
    if view.curves is not None and view.curves.origins:
        names = [origin.name for origin in view.curves.origins]
    else:
        told: Any = [] if view.results is None else view.results.attrs.get("source_name", [])
        names = [told] if isinstance(told, str) else list(told)
    which = int(source[number])
    inside = int(np.count_nonzero(source[:number] == which))
    name = file_name(names[which]) if 0 <= which < len(names) else ""
    return {"name": name, "number": inside}


def flags_in_words(bits: int) -> list[dict[str, str]]:
    """Flags of a curve with what they mean and what helps."""
    return [
        {"name": name, "meaning": FLAG_WORDS[name][0], "advice": FLAG_WORDS[name][1]}
        for name, bit in BIT.items()
        if bits & bit
    ]


def of_results(
    view: Viewed, number: int, direction: str, header: dict[str, Any], arrays: Arrays
) -> None:
    """Add what the results hold of a curve."""
    results = view.analysis(direction).results

    def one(name: str) -> float:
        return float(view.of_curves(name, direction)[number])

    bits = int(view.quality(direction)[number])
    header |= {
        "quality": bits,
        "flags": flags_in_words(bits),
        "processed": "results",
        "contact": one("contact_height"),
        "stderr": one("contact_height_stderr"),
        "systematic": one("contact_height_systematic"),
        "windows": {
            "baseline": [one("baseline_begin"), one("baseline_end")],
            "wall": [one("wall_begin"), one("wall_end")],
        },
        "lines": lines_of(
            contact=one("contact_height"),
            baseline=one("baseline_deflection"),
            baseline_slope=one("baseline_slope"),
            wall_slope=one("wall_slope"),
            windows=[
                one("baseline_begin"),
                one("baseline_end"),
                one("wall_begin"),
                one("wall_end"),
            ],
        ),
    }
    facts = header["facts"]
    facts |= {"wall_slope": one("wall_slope"), "first_valid": one("depth_valid_min")}
    if "largest_force" in view.quantities:
        facts["F_max"] = float(view.shown.largest_force(direction)[number])
    if "stick" in view.quantities:
        facts["stick"] = shown.STICK[int(shown.stick_of(np.array([bits]), view.sticks)[0])]
    arrays["depth"] = view.depth
    for name in PROFILES:
        if name in results:
            arrays[name] = np.asarray(results[name].isel(curve=number).values, np.float32)


def lines_of(
    *,
    contact: float,
    baseline: float,
    baseline_slope: float,
    wall_slope: float,
    windows: list[float],
) -> dict[str, list[list[float]]]:
    """Two points of the baseline and of the wall: height and deflection, m."""

    def point(height: float, slope: float) -> list[float]:
        return [height, baseline + slope * (height - contact)]

    far = max(windows[:2])
    lowest = min(windows[2:])
    return {
        "baseline": [point(contact, baseline_slope), point(far, baseline_slope)],
        "wall": [point(contact, wall_slope), point(lowest, wall_slope)],
    }


def of_recording(one: CurveSet, direction: str, header: dict[str, Any], arrays: Arrays) -> None:
    """Add the samples of a curve as they were recorded, from far away to the surface."""
    begin, end = (int(v) for v in parts(one, direction)[0])
    if end <= begin:
        header["missing"] = f"this curve has no part that is called {direction}"
        begin, end = 0, int(one.row_size[0])
    turned = slice(None, None, -1 if direction == "retract" else 1)
    sent = {"height": "height", "deflection": "deflection_raw"}
    if one.lateral_pair is not None:
        names = ("lateral_in_phase_raw", "lateral_quadrature_raw")
        sent |= dict(zip(one.lateral_pair, names, strict=True))
        header["lateral_raw_unit"] = one.channels[one.lateral_pair[0]].unit
    for name, as_name in sent.items():
        if name in one.channels:
            values = one.read(name)[begin:end][turned]
            arrays[as_name] = values if name == "height" else values.astype(np.float32)
    if "deflection" in one.channels:
        header["deflection_raw_unit"] = one.channels["deflection"].unit


def of_signals(one: CurveSet, direction: str, header: dict[str, Any], arrays: Arrays) -> None:
    """Add the signals in m and N and distances, before the engine knows all curves."""
    if header["missing"]:
        return
    try:
        planned, how = plan(one)
        block = read_block(planned, how, parts(one, direction), slice(0, 1), direction)
    except NrmError as error:
        header["missing"] = str(error)
        return
    arrays["height"] = block.height
    arrays["deflection"] = block.deflection.astype(np.float32)
    if how.lateral:
        arrays["lateral_in_phase"] = block.in_phase.astype(np.float32)
        arrays["lateral_quadrature"] = block.quadrature.astype(np.float32)
    baseline = header["lines"].get("baseline")
    if baseline and np.isfinite(baseline).all():
        (near, at), (far, there) = baseline
        slope = (there - at) / (far - near) if far != near else 0.0
        bent = block.deflection - (at + slope * (block.height - near))
        arrays["distance"] = block.height - near + bent


def region_reply(view: Viewed, number: int, direction: str | None) -> tuple[dict[str, Any], Arrays]:
    """Mean profile of the region of the potential in which a curve is, of all curves without one.

    Raises
    ------
    InvalidInput
    Wait
    """
    way = view.direction(direction)
    check_number(view, number)
    if view.results is None:
        raise InvalidInput("there are no means of curves that were not processed: apply the recipe")
    if "storage_modulus" not in view.quantities:
        raise InvalidInput("there are no moduli: the results were made without a lateral signal")
    which = int(view.region_numbers[number])
    found = None if which < 0 else view.regions[which]
    label = "all curves" if found is None else found.label
    analysis = view.analysis(way)

    def compute() -> tuple[Mapping[str, Any], Arrays]:
        from nrm_plugin.statistics.profiles import mean_profile

        arrays: Arrays = {"depth": view.depth}
        header: dict[str, Any] = {"region": label}
        for name, sent in (("storage_modulus", "storage"), ("loss_modulus", "loss")):
            mean = mean_profile(analysis, name, None if found is None else found.curves)
            arrays[sent] = np.asarray(mean["mean"].values, np.float32)
            for end in ("low", "high"):
                arrays[f"{sent}_{end}"] = np.asarray(mean[end].values, np.float32)
            header |= {
                "n": int(mean.attrs["n_curves"]),
                "left_out": int(mean.attrs["left_out"]),
                "level": float(mean.attrs["level"]),
                "warnings": str(mean.attrs["warnings"]).splitlines(),
            }
        return header, arrays

    header, arrays = view.in_background(
        ("region", label, way), "the mean profile of the region is being computed", compute
    )
    return dict(header), arrays


def _one(view: Viewed, name: str, number: int) -> Any:
    found = view.column(name)
    return None if found is None else found[number].item()
