"""Find again what the files beside this one hold of their curves, and keep it.

    python tests/frozen/freeze_again.py            # says what differs, and changes nothing
    python tests/frozen/freeze_again.py --write    # keeps what may differ; refuses the rest

What the loops found was first frozen at commit 683e836, the last before they were written in C,
from curves of the simulator of that time; the curves stay. `MAY_DIFFER` lists what has changed
since by design. The rest has to agree.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from curves import built  # noqa: E402

from nrm_plugin import Recipe, kernels, process  # noqa: E402
from nrm_plugin.engine.contact import crossing_for, find_contacts  # noqa: E402
from nrm_plugin.engine.derivative import lever_for  # noqa: E402
from nrm_plugin.engine.methods import own  # noqa: E402
from nrm_plugin.engine.signals import Plan, parts, plan, read_block  # noqa: E402
from nrm_plugin.engine.survey import survey  # noqa: E402
from nrm_plugin.model import CurveSet  # noqa: E402

#: Fewer numbers than this are a record: each has its own unit.
_RECORD = 14

#: Patterns of names, behind that of the case if it is only one, and why numbers are other ones.
MAY_DIFFER = {
    "coarse: .*": "2.4 nm from sample to sample: windows on the wall begin with 6 samples instead "
    "of 12 where these are longer than 10 nm, short baselines grow in smaller steps, and what is "
    "flagged as too few samples follows their number",
    "fringe: .*": "periods are sought in as many points as baselines have means of samples",
    "contact_settings": "windows of the two-line rule are 0 where another rule is used; three "
    "more: the slope of walls that give way, its error, and what follows the turn of a retract",
    "survey|rows|systematic|quality|slip|clean"
    "|results_(contact_height.*|quality|wall_.*|baseline_.*)": "windows agree within two standard "
    "errors instead of four, and what a window may have of a layer's tail is in the other slope; "
    "slow noise is in the contact's error; walls differ by 0.0015 instead of 0.003 from place to "
    "place; two more contacts, of half of the wall and of two thirds of the baseline; the other "
    "contact is that of the slope's error; a wall is none from 4 standard errors on instead of 3",
    "settings": "three more: the slope that distances count in, the doubt about it, and whether a "
    "line is taken out of the lateral signal",
    "profiles_.*|valid_.*": "distances in units of the wall's slope; samples end where the wall "
    "begins, where the tip stands, or where the slope leaves the distance in doubt; "
    "the deflection is averaged over no more than 1.3 nm to either side; standard errors contain "
    "the gain of the correction for the lever, and slow noise of the deflection, "
    "where it is more than white",
    "results_(depth_valid_min|force_normal|(storage|loss)_modulus(_stderr)?"
    "|shear_modulus_magnitude|viscosity)": "the same",
}


def numbers(record: kernels.RecordArray) -> np.ndarray:
    """Fields of records as columns, in the header's order."""
    table = np.stack([record[name] for name in record.dtype.names or ()], axis=-1)
    return np.asarray(table, float)


def of_direction(held: dict[str, Any], curves: CurveSet, how: Plan, recipe: Recipe, direction: str
) -> dict[str, Any]:  # fmt: skip
    """What the loops find for all curves of a direction."""
    block = read_block(curves, how, parts(curves, direction), slice(None), direction)
    contact = recipe.contact
    shared = survey(block, interference=contact.interference, spikes=contact.spikes)
    referenced = find_contacts(block, how, contact, shared)
    contacts, clean, n = referenced.contacts, referenced.clean, len(block)
    crossing = crossing_for(contact, shared)._replace(
        **own(contact.chosen).crossing(contact.settings)
    )
    lateral = (block.in_phase, block.quadrature) if how.lateral else None
    lever = lever_for(recipe, how, shared)
    signals = block.height, block.deflection, block.in_phase, block.quadrature
    found: dict[str, Any] = {
        "survey": np.array(
            [shared.walls, shared.slope, shared.slope_stderr, shared.slope_spread, shared.wave]
        ),
        "correlation": shared.correlation,
        "contact_settings": numbers(crossing.record()),
        "rows": numbers(contacts),
        "systematic": referenced.systematic,
        "quality": referenced.quality,
        "clean": clean.reshape(n, -1)[:: max(n // 2, 1)]
        if shared.wave
        else hashlib.sha256(clean.tobytes()).hexdigest(),
        "signals": hashlib.sha256(b"".join(v.tobytes() for v in signals)).hexdigest(),
        "settings": numbers(lever.record("local-linear"))[1:],
    }
    if lateral is not None:
        checks = kernels.check_lateral(block.begin, clean, *lateral, contacts)
        found["slip"] = np.stack([checks[k] for k in ("exponent", "stderr", "straight")], axis=1)
        found["dead"] = checks["missing"] > 0.0
    curve = np.ascontiguousarray(held[f"{direction}_own"]).view(kernels.CURVE)[:, 0]
    for method in kernels.METHODS if how.lateral else kernels.METHODS[:2]:
        found[f"profiles_{method}"], found[f"valid_{method}"] = kernels.profiles(
            lever.record(method),
            block.begin,
            block.height,
            clean,
            lateral,
            contacts,
            curve,
            shared.correlation,
            held[f"{direction}_depth"],
        )
    return {f"{direction}_{name}": value for name, value in found.items()}


def of_case(held: dict[str, Any]) -> dict[str, Any]:
    """What is found for the curves of a file."""
    about = json.loads(str(held["about"]))
    recipe = Recipe().replace(**about["recipe"])
    curves, how = plan(built(held))
    found: dict[str, Any] = {}
    for direction in about["directions"]:
        found |= of_direction(held, curves, how, recipe, direction)
    if "results_quality" in held:
        results = process(built(held), recipe)
        found |= {
            k: results[k.removeprefix("results_")].values for k in held if k[:8] == "results_"
        }
    return found


def difference(before: Any, now: Any) -> str:
    """How the numbers differ, in words; nothing if they agree."""
    before, now = np.asarray(before), np.asarray(now)
    if before.ndim == 1 and before.size < _RECORD:
        before, now = before[None], now[None]
    if before.shape != now.shape:
        return f"shape {before.shape} -> {now.shape}"
    if before.dtype.kind not in "fiub":
        return "" if str(before) == str(now) else "another hash"
    gone = int(np.sum(np.isnan(now.astype(float)) != np.isnan(before.astype(float))))
    both = np.isfinite(now.astype(float)) & np.isfinite(before.astype(float))
    off = np.abs(np.where(both, now, 0.0).astype(float) - np.where(both, before, 0.0))
    size = np.where(both, np.abs(before.astype(float)), 0.0)
    # Columns of records have units of their own.
    each = size.max(axis=0, initial=0.0) if size.ndim == 2 else size.max(initial=0.0)
    scale = float(size.max(initial=0.0))
    if gone or not np.all(off <= 1e-9 * (size + each)):
        return f"{gone} of {now.size} come or go, else by {off.max(initial=0.0):.3g} of {scale:.3g}"
    return ""


def main() -> None:
    """Say what differs; write it if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep what may differ")
    write = parser.parse_args().write
    logging.getLogger("nrm_plugin").setLevel(logging.ERROR)
    wrong = 0
    for path in sorted(HERE.glob("*.npz")):
        if path.stem == "small_kernels":
            continue
        held: dict[str, Any] = dict(np.load(path))
        found = of_case(held)
        changed = False
        for name in found:
            words = difference(held[name], found[name]) if name in held else "new"
            if not words:
                continue
            bare = re.sub("^(approach|retract)_", "", name)
            names = bare, f"{path.stem}: {bare}"
            allowed = any(re.fullmatch(k, n) for k in MAY_DIFFER for n in names)
            wrong += not allowed
            changed = True
            note = "" if allowed else "  NOT EXPECTED"
            sys.stdout.write(f"{path.stem}: {name}: {words}{note}\n")
            held[name] = found[name]
        if write and changed and not wrong:
            np.savez_compressed(path, **held)
    if wrong:
        sys.exit(f"{wrong} differ that should not: nothing more was written")


if __name__ == "__main__":
    main()
