"""What a file of results says in a few numbers, for people and for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import h5py
import numpy as np

from nrm_plugin.columns import AnyArray
from nrm_plugin.decisions import Decisions, in_words
from nrm_plugin.engine.checks.check import Check, from_json
from nrm_plugin.experiment.stated import Facts
from nrm_plugin.store import results_file
from nrm_plugin.store.derived_variables import derivable
from nrm_plugin.store.nexus import text
from nrm_plugin.text import table, with_unit
from nrm_plugin.variables import BIT, DERIVED, EXCLUDED, NORMAL, NORMAL_BIT

#: Edges of the distances from the electrode over which moduli are averaged, in nm.
EDGES = (0, 5, 10, 20, 40, 60, 100, 200, 500, 1000)

#: Values of a profile that are read at once.
_AT_ONCE = 1 << 22


def summarize(results: h5py.Group, decisions: Decisions | None = None) -> dict[str, Any]:
    """Curves, contacts, flags, first depth and moduli, in types that JSON has.

    A flag counts once for a curve, whatever the direction. Moduli are the median over curves with
    a contact of each curve's mean over a range of distances.

    Parameters
    ----------
    results : h5py.Group
        From `nrm_plugin.store.results_file.opened_results`.
    decisions : Decisions, optional
        What was decided by hand: medians are over the curves that were not excluded.
    """
    each = np.atleast_2d(results["quality"][()])  # (direction, curve)
    quality = np.bitwise_or.reduce(each, axis=0)
    counts = {name: int(np.count_nonzero(quality & bit)) for name, bit in BIT.items()}
    by_hand = _by_hand(results, decisions)
    contact = ((each & BIT["no_hard_contact"]) == 0) & (by_hand & EXCLUDED == 0)
    first = np.atleast_2d(results["depth_valid_min"][()])[contact]
    return {
        "n_curves": len(quality),
        "n_contacts": int(np.count_nonzero((quality & BIT["no_hard_contact"]) == 0)),
        "n_unflagged": int(np.count_nonzero(quality == 0)),
        "flags": {name: n for name, n in counts.items() if n},
        "depth_valid_min": _median(first),
        "normal": list(_normal(results, contact)) if "normal_onset" in results else [],
        "moduli": list(_moduli(results, contact)) if "storage_modulus" in results else [],
        "shape_factor": results.attrs.get("shape_factor_source"),
        "shape_factor_note": results.attrs.get("shape_factor_note"),
        "simulated": bool(results.attrs.get("simulated", False)),
        "checks": [check.plain() for check in checks_of(results)],
        "warnings": text(results.attrs.get("warnings", "")).splitlines(),
        **_decided(by_hand, decisions),
    }


def _by_hand(results: h5py.Group, decisions: Decisions | None) -> AnyArray:
    """Bits of what was decided by hand: by the file of decisions, else as results have it."""
    if decisions is not None:
        return decisions.by_hand
    if "by_hand" in results:
        return np.asarray(results["by_hand"][()])
    return np.zeros(results["quality"].shape[-1], np.int8)


def _decided(by_hand: AnyArray, decisions: Decisions | None) -> dict[str, Any]:
    """What was decided by hand; nothing where nothing was."""
    said = in_words(by_hand)
    if decisions is not None and len(decisions):
        said = f"{decisions.path.name}: {said or 'none of its decisions applies'}"
        return {"decisions": {"text": said, **json.loads(decisions.as_json())}}
    return {"decisions": {"text": said}} if said else {}


def decided(results: h5py.Group, path: str) -> str:
    """What was decided by hand about the curves of results, in few words."""
    decisions = results_file.decisions_of(results, path)
    said = _decided(_by_hand(results, decisions), decisions)
    return str(said["decisions"]["text"]) if said else ""


def checks_of(results: h5py.Group) -> list[Check]:
    """Self-checks of results; none where a version that had none made them."""
    return from_json(text(results.attrs.get("checks", "")) or "[]")


def _median(values: AnyArray) -> float | None:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else None


def _normal(results: h5py.Group, contact: AnyArray) -> Iterator[dict[str, Any]]:
    """Medians of the normal channel over the curves with contact, by direction."""
    directions = results["direction"].asstr()[()].tolist() if "direction" in results else [None]
    for number, direction in enumerate(directions):
        found = {
            name: np.atleast_2d(results[name][()])[number][contact[number]]
            for name in (*NORMAL, "lateral_onset")
            if name in results
        }
        about: dict[str, Any] = {} if direction is None else {"direction": direction}
        for flag in ("broke_through", "attracted"):
            about[f"n_{flag}"] = int(np.count_nonzero(found["normal_quality"] & NORMAL_BIT[flag]))
        yield about | {
            name: _median(values) for name, values in found.items() if values.dtype.kind == "f"
        }


def _moduli(results: h5py.Group, contact: AnyArray) -> Iterator[dict[str, Any]]:
    """Medians of both moduli by direction and distance, where there are any."""
    depth = results["depth"][()] * 1e9
    names = ("storage_modulus", "loss_modulus")
    ratio = None
    if "shape_factor_computed" in results:
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = results["shape_factor"][()] / results["shape_factor_computed"][()]
    directions = results["direction"].asstr()[()].tolist() if "direction" in results else [None]
    for number, direction in enumerate(directions):
        at = () if direction is None else (number,)
        means = [_means(results[name], at, depth, contact[number], 1.0) for name in names]
        beside = [_means(results[name], at, depth, contact[number], ratio) for name in names]
        for i, (low, high) in enumerate(pairwise(EDGES)):
            if means[0][i] is None:
                continue
            row: dict[str, Any] = {} if direction is None else {"direction": direction}
            row |= {"from": low * 1e-9, "to": high * 1e-9}
            row |= {name: mean[i] for name, mean in zip(names, means, strict=True)}
            if ratio is not None:
                row |= {f"{n}_computed": mean[i] for n, mean in zip(names, beside, strict=True)}
            yield row


def _means(
    profiles: h5py.Dataset,
    direction: tuple[int, ...],
    depth: AnyArray,
    contact: AnyArray,
    ratio: AnyArray | float | None,
) -> list[float | None]:
    """Median over curves of the mean over each range of distances, of profiles times a ratio."""
    n = len(contact)
    if ratio is None:
        return [None] * (len(EDGES) - 1)
    means = np.full((len(EDGES) - 1, n), np.nan)
    step = max(1, _AT_ONCE // max(len(depth), 1))
    for first in range(0, n, step):
        some = slice(first, min(first + step, n))
        values = profiles[(*direction, some)] * ratio
        for i, (low, high) in enumerate(pairwise(EDGES)):
            inside = values[:, (depth > low + 1e-6) & (depth <= high + 1e-6)]
            finite = np.isfinite(inside)
            count = finite.sum(1)
            total = np.where(finite, inside, 0.0).sum(1, dtype=np.float64)
            means[i, some] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return [_median(row[contact]) for row in means]


def lines(found: dict[str, Any]) -> list[str]:
    """Write a summary for people, one indented line after the other."""
    n = found["n_curves"]
    text = [
        *_of_checks(found["checks"]),
        f"  {n} curve{'' if n == 1 else 's'}: contact found in {found['n_contacts']}, "
        f"{found['n_unflagged']} without flags",
    ]
    if "decisions" in found:
        text.append(f"  {found['decisions']['text']}")
        text += [f"    {note}" for note in found["decisions"].get("notes", [])]
    if found["flags"]:
        text.append("  flags: " + ", ".join(f"{k} {v}" for k, v in found["flags"].items()))
    if found["moduli"]:
        beside = "storage_modulus_computed" in found["moduli"][0]
        right = ", and on the right with the shape factor computed for the tip" if beside else ""
        text.append(f"  median over the curves with contact{right}")
        rows = [
            (
                *([row["direction"]] if "direction" in row else []),
                f"{row['from'] * 1e9:.0f} to {row['to'] * 1e9:.0f} nm",
                f"E' {_pascals(row['storage_modulus'])}",
                f"E'' {_pascals(row['loss_modulus'])}",
                *(
                    [
                        f"| E' {_pascals(row['storage_modulus_computed'])}",
                        f"E'' {_pascals(row['loss_modulus_computed'])}",
                    ]
                    if "storage_modulus_computed" in row
                    else []
                ),
            )
            for row in found["moduli"]
        ]
        text.append(table(rows, 4))
        if found["depth_valid_min"] is not None:
            text.append(f"  first estimate at {found['depth_valid_min'] * 1e9:.3g} nm (median)")
    text += [_of_normal_force(row) for row in found["normal"]]
    if found["shape_factor"]:
        text.append(f"  shape factor {found['shape_factor']}")
    if found.get("shape_factor_note"):
        text.append(f"    {found['shape_factor_note']}")
    if found["simulated"]:
        text.append("  simulated: no instrument recorded these curves")
    return text


def _of_checks(plain: list[dict[str, Any]]) -> list[str]:
    """What the data refute, then what is doubtful, then what could not be checked."""
    found = [Check.from_plain(values) for values in plain]
    text = [f"  WRONG  {c.name}: {c.text}" for c in found if c.verdict == "wrong"]
    text += [f"  doubtful  {c.name}: {c.text}" for c in found if c.verdict == "doubtful"]
    unknown = [c.name for c in found if c.verdict == "unknown"]
    if unknown:
        text.append(f"  not checked: {', '.join(unknown)} (nrm check says why)")
    return text


def _of_normal_force(row: dict[str, Any]) -> str:
    """The normal channel of a direction in a line."""
    parts = [
        f"{what} {with_unit(row[name], 'm', 3)}"
        for name, what in (("normal_onset", "onset"), ("lateral_onset", "lateral onset"))
        if row.get(name) is not None
    ]
    if row["normal_work"] is not None:
        parts.append(f"work {row['normal_work'] * 1e18:.3g} aJ")
    for count, what, name in (
        ("n_broke_through", "break-through", "first_break_through_force"),
        ("n_attracted", "attraction", "adhesion_force"),
    ):
        if row[count]:
            force = "" if row[name] is None else f" {with_unit(row[name], 'N', 3)}"
            parts.append(f"{what}{force} in {row[count]}")
    where = f", {row['direction']}" if "direction" in row else ""
    return f"  normal force{where}: {', '.join(parts) or 'none'}"


def _row(check: Check) -> tuple[str, ...]:
    """A check in the cells of a line."""
    verdict = check.verdict.upper() if check.verdict == "wrong" else check.verdict
    by = "" if check.verdict == "fine" else check.effect_in_words
    return verdict, check.name, check.told_in_words or "-", check.found_in_words or "-", by


def _pascals(value: float | None) -> str:
    return "-" if value is None else with_unit(value, "Pa", 3)


def describe(path: str, results: h5py.Group) -> dict[str, Any]:
    """Everything about results but their numbers, in types that JSON has."""
    result = summarize(results, results_file.decisions_of(results, path))
    attributes = results_file.attributes(results)
    return {
        "path": path,
        "kind": "results",
        "n_curves": result.pop("n_curves"),
        "depth": _grid(results),
        "variables": _variables(results, attributes),
        "calibrations": Facts(str(attributes.get("experiment", ""))).calibrations(),
        "attributes": {k: _plain(v) for k, v in attributes.items() if k != "warnings"},
        "warnings": [
            *result.pop("warnings"),
            *results_file.decisions_left_behind(path, attributes.get("source_sha256", "")),
        ],
        "summary": result,
    }


def thickness_of(path: str) -> list[dict[str, Any]]:
    """Thickness of every region of the potential, or of all curves; SI, None where open.

    Parameters
    ----------
    path : str
        Of a file of results.
    """
    import nrm_plugin
    from nrm_plugin.statistics.region_thickness import region_thickness
    from nrm_plugin.statistics.regions import everything, regions
    from nrm_plugin.statistics.selection import column

    results = nrm_plugin.open_results(path)
    if "storage_modulus" not in results:
        return []
    potential = column(results, "potential")
    known = potential is not None and bool(np.isfinite(potential).any())
    found = region_thickness(results, regions(results) if known else everything(results))
    names = ("mean", "low", "high", "method", "measurable", "n", "n_right", "n_left", "limit")
    return [
        {"region": str(found["region"].values[i])}
        | {name: _plain(found[name].values[i].item()) for name in names}
        for i in range(found.sizes["region"])
    ]


def _of_thickness(row: dict[str, Any]) -> tuple[str, ...]:
    """The thickness of a region in the cells of a line."""
    low, high = (None if row[end] is None else f"{row[end] * 1e9:.3g}" for end in ("low", "high"))
    if row["measurable"]:
        value = f"{row['mean'] * 1e9:.3g} nm ({low} to {high})"
    elif not row["low"]:
        value = "not measurable"
    else:
        value = "not measurable: " + (
            f"at least {low} nm" if high is None else f"{low} to {high} nm"
        )
    return (
        row["region"],
        value,
        f"from {row['method']}",
        f"{row['n']} curves",
        f"{row['n_right']} right",
        f"{row['n_left']} left",
        f"limit {_pascals(row['limit'])}",
    )


def _variables(results: h5py.Group, attributes: dict[str, Any]) -> list[dict[str, Any]]:
    """What is in the file, and what follows from it."""
    known = results_file.variables(results)
    described = [
        (name, results_file.variable_attributes(data), results_file.dims(name, data))
        for name, data in known.items()
    ]
    for name in derivable(known, attributes):
        dims = results_file.dims("storage_modulus", known["storage_modulus"])
        described.append((name, DERIVED[name].attributes, dims))
    return [
        {
            "name": name,
            "unit": about.get("units", ""),
            "meaning": about.get("long_name", ""),
            "dims": list(dims),
        }
        for name, about, dims in described
    ]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _grid(results: h5py.Group) -> dict[str, Any]:
    depth = results["depth"][()]
    step = float(depth[1] - depth[0]) if len(depth) > 1 else None
    return {"stop": float(depth[-1]), "step": step, "count": len(depth)}


def as_text(described: dict[str, Any]) -> str:
    """The same for people."""
    path, attributes, grid = described["path"], described["attributes"], described["depth"]
    text = [f"{path}  (results of nrm process {attributes.get('nrm_plugin_version', '')})"]
    sources = attributes.get("source_name", [])
    if sources:
        more = f" and {len(sources) - 3} more" if len(sources) > 3 else ""
        text.append(f"  from {', '.join(sources[:3])}{more}")
    text += lines({"n_curves": described["n_curves"], **described["summary"]})
    if thickness := described.get("thickness"):
        text.append(
            "  mean thickness with its 95 % interval; censored curves (right: a layer may go on, "
            "left: nothing seen); |G*| that the mean would show"
        )
        text.append(table([_of_thickness(row) for row in thickness], 4))
    steps = f" in steps of {grid['step'] * 1e9:.6g} nm" if grid["step"] else ""
    text.append(f"  {grid['count']} distances up to {grid['stop'] * 1e9:.6g} nm{steps}")
    facts = Facts(str(attributes.get("experiment", "")))
    if rows := [row for row in facts.rows() if isinstance(facts[row[0]].value, float)]:
        text += ["  experiment", table(rows, 4)]
    checks = [Check.from_plain(values) for values in described["summary"]["checks"]]
    if checks:
        text.append("  self-checks (told, found, effect on the moduli)")
        text.append(table([_row(check) for check in checks], 4))
    if attributes.get("electrode"):
        text.append(f"  {attributes['electrode']}")
    text.append("  variables")
    rows = [(v["name"], v["unit"] or "-", v["meaning"]) for v in described["variables"]]
    text.append(table(rows, 4))
    text.append("  recipe")
    text += [f"    {line}".rstrip() for line in attributes.get("recipe", "").splitlines()]
    if described["warnings"]:
        text.append("  warnings")
        text += [f"    - {warning}" for warning in described["warnings"]]
    return "\n".join(text) + "\n"
