"""A benchmark of contact (nm) and modulus (MPa): writes 20 data sets with truth, scores programs.

``python benchmarks/truth_benchmark.py FOLDER [--peers PYTHON] [--page docs/benchmark.md]``

``--peers`` is the Python of an environment with nanite, or nanite and PyFMRheo (default: this one).
``--page`` replaces the tables of a page; otherwise they are printed.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import scipy
from truth_cases import CASES, NM, read_table, write

import nrm_plugin as nrm
from nrm_plugin.engine.contact import find_contacts
from nrm_plugin.engine.signals import parts, plan, read_block
from nrm_plugin.engine.survey import survey
from nrm_plugin.statistics.selection import select

#: A contact that is farther off than this, or none, is wrong.
WRONG = 3 * NM

CONTACTS = ("grown", "two-line")
DERIVATIVES = ("local-linear", "savitzky-golay", "total-variation")
BEGIN, END = "<!-- measured: written by benchmarks/truth_benchmark.py -->", "<!-- end -->"


def recipe(contact: str = "grown", derivative: str = "local-linear") -> nrm.Recipe:
    """The default recipe with other methods."""
    return nrm.Recipe.model_validate(
        {"contact": {"method": contact}, "derivative": {"method": derivative}}
    )


def contact_seconds(path: Path, method: str, repeats: int = 5) -> float:
    """Processor time per curve of finding contacts on one thread, reading left out."""
    how_to = recipe(method).contact
    curves, how = plan(nrm.open(path))
    ranges = parts(curves, "approach")
    block = read_block(curves, how, ranges, slice(None), "approach")

    def find() -> None:
        learnt = survey(block, interference=how_to.interference, spikes=how_to.spikes)
        find_contacts(block, how, how_to, learnt)

    find()
    taken = []
    for _ in range(repeats):
        begin = time.process_time()
        find()
        taken.append(time.process_time() - begin)
    return median(taken) / curves.n_curves


def contact_score(
    found: Any, truth: dict[str, np.ndarray], *, either: bool = False
) -> dict[str, Any]:
    """Errors in nm of contacts of curves that came through; `either` allows the first touch."""
    found = np.array([np.nan if one is None else one for one in found], float)
    through = truth["came_through"] > 0
    meant = {"solid": "contact_height_m", "touch": "touch_height_m"}
    scores = []
    for what, column in meant.items() if either else [("solid", meant["solid"])]:
        error = (found - truth[column])[through]
        wrong = ~(np.abs(error) <= WRONG)
        near = error[np.isfinite(error)] / NM
        middle = float(np.median(np.abs(near))) if len(near) else np.inf
        bias = float(np.median(near)) if len(near) else np.nan
        wrong_part = float(wrong.mean())
        scores.append({"median": middle, "bias": bias, "wrong": wrong_part, "meant": what})
    return min(scores, key=lambda one: (one["wrong"], one["median"]))


def own_contacts(results: Any, truth: dict[str, np.ndarray]) -> dict[str, Any]:
    """As `contact_score`; wrong ones without a flag, and contacts where none was reached."""
    found = results.contact_height.values
    score = contact_score(found, truth)
    through, flagged = truth["came_through"] > 0, results.quality.values != 0
    error = found - truth["contact_height_m"]
    silent = np.where(through, ~(np.abs(error) <= WRONG), np.isfinite(found)) & ~flagged
    stderr = results.contact_height_stderr.values
    known = through & np.isfinite(error) & np.isfinite(stderr)
    score["silent"] = float(silent.mean())
    score["covered"] = float((np.abs(error) <= 1.96 * stderr)[known].mean())
    return score


def modulus_score(results: Any, truth: dict[str, np.ndarray]) -> dict[str, float]:
    """Relative errors of E' and E'' at the distances that are asked for, and coverage of 95 %.

    Curves that statistics leave out for their flags give nothing.
    """
    counts = np.zeros(results.sizes["curve"], bool)
    counts[select(results)[0]] = True
    asked = {"curve": truth["curve"].astype(int), "depth": truth["distance_m"]}
    at = np.abs(results.depth.values - asked["depth"][:, None]).argmin(1)
    score = {}
    for short, name, column in (
        ("E'", "storage_modulus", "storage_modulus_pa"),
        ("E''", "loss_modulus", "loss_modulus_pa"),
    ):
        value = results[name].values[asked["curve"], at].astype(float)
        stderr = results[f"{name}_stderr"].values[asked["curve"], at].astype(float)
        error = value - truth[column]
        given = np.isfinite(error) & counts[asked["curve"]]
        off = error[given] / truth[column][given]
        held = given & np.isfinite(stderr)
        inside = np.abs(error[held]) <= 1.96 * stderr[held]
        score[f"{short} bias"] = float(np.median(off)) if given.any() else np.nan
        score[f"{short} error"] = float(np.median(np.abs(off))) if given.any() else np.nan
        score[f"{short} covered"] = float(inside.mean()) if held.any() else np.nan
        score["given"] = float(given.mean())
    return score


def ask_peers(python: str, path: Path) -> dict[str, Any]:
    """What the peers of an environment say of a file."""
    script = Path(__file__).with_name("truth_peers.py")
    done = subprocess.run(
        [python, str(script), str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1:], "methods": {}, "versions": {}}
    return dict(json.loads(done.stdout))


def score_case(number: int, folder: Path, python: str, curves: int, seed: int) -> dict[str, Any]:
    """Write a case, then let ours and the peers read its files."""
    logging.disable(logging.WARNING)
    case = CASES[number - 1]
    path = write(case, number, folder, curves, seed + number)
    stem = path.name.removesuffix(".h5")
    contacts = read_table(folder / f"{stem}.contacts.csv")
    moduli = read_table(folder / f"{stem}.moduli.csv")
    one: dict[str, Any] = {"what": case.what, "contact": {}, "moduli": {}, "seconds": {}}
    for method in CONTACTS:
        results = nrm.process(nrm.open(path), recipe(method))
        one["contact"][method] = own_contacts(results, contacts)
        one["seconds"][method] = contact_seconds(path, method)
        if case.distances:
            one["moduli"][f"{method}, local-linear"] = modulus_score(results, moduli)
    for derivative in DERIVATIVES[1:] if case.distances else ():
        results = nrm.process(nrm.open(path), recipe(derivative=derivative))
        one["moduli"][f"grown, {derivative}"] = modulus_score(results, moduli)
    said = ask_peers(python, folder / f"{stem}.afm.h5")
    one["fitted"], one["failed"] = said.get("fitted"), said.get("failed")
    one["versions"] = said["versions"]
    for method, answer in said["methods"].items():
        one["contact"][method] = contact_score(answer["contact"], contacts, either=True)
        one["seconds"][method] = answer["seconds"]
    print(f"{number:2d} {case.name}: {_cell(one['contact']['grown'])}", file=sys.stderr)
    return one


def score(folder: Path, python: str, curves: int, seed: int, jobs: int) -> dict[str, Any]:
    """Score every case, some at a time."""
    numbers = range(1, len(CASES) + 1)
    each = partial(score_case, folder=folder, python=python, curves=curves, seed=seed)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        scored = list(pool.map(each, numbers))
    versions = {"nrm-plugin": nrm.__version__, "numpy": np.__version__, "scipy": scipy.__version__}
    return {
        "curves": curves,
        "seed": seed,
        "versions": versions,
        "peers": scored[-1]["versions"],
        "cases": {case.name: one for case, one in zip(CASES, scored, strict=True)},
    }


def _cell(score: dict[str, Any] | None) -> str:
    """Median error in nm, t where it is the first touch that is found, and the wrong share."""
    if score is None:
        return ""
    if not np.isfinite(score["median"]):
        return "none"
    wrong = f" ({score['wrong']:.0%})" if score["wrong"] else ""
    return f"{score['median']:.2f}{' t' if score['meant'] == 'touch' else ''}{wrong}"


def _percent(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.0%}"


def _markdown(titles: list[str], rows: list[list[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(out: dict[str, Any]) -> str:
    """Everything that was measured, as Markdown."""
    cases = out["cases"]
    first = next(iter(cases.values()))
    methods = [name for name in first["contact"] if name not in CONTACTS]
    versions = ", ".join(
        f"{name} {version}" for name, version in (out["versions"] | out.get("peers", {})).items()
    )
    text = [f"{out['curves']} curves a case, seed {out['seed']}; {versions}."]
    text += ["### The cases", _markdown(["case", ""], [[n, c["what"]] for n, c in cases.items()])]
    text += ["### Contact: ours"]
    rows = []
    for name, case in cases.items():
        row = [name]
        for method in CONTACTS:
            own = case["contact"][method]
            row += [_cell(own), f"{own['bias']:+.2f}", _percent(own["silent"])]
            row += [_percent(own["covered"])]
        rows.append(row)
    heads = [f"{m}{end}" for m in CONTACTS for end in (", nm", ", bias", ", silent", ", held")]
    text += [_markdown(["case", *heads], rows), "### Contact: all"]
    every = [*CONTACTS, *methods]
    rows = [[n, *(_cell(c["contact"].get(m)) for m in every)] for n, c in cases.items()]
    middle = [
        f"{np.median([c['contact'][m]['median'] for c in cases.values() if m in c['contact']]):.2f}"
        for m in every
    ]
    wrong = [
        f"{np.mean([c['contact'][m]['wrong'] for c in cases.values() if m in c['contact']]):.0%}"
        for m in every
    ]
    spent = {
        m: np.mean([c["seconds"][m] for c in cases.values() if m in c["seconds"]]) for m in every
    }
    ratio = [f"{spent[m] / spent['grown']:.3g}" for m in every]
    rows += [["**middle of the cases**", *middle], ["**wrong, mean**", *wrong]]
    rows += [["**processor time**", *ratio]]
    text += [_markdown(["case", *every], rows)]
    better = [
        f"{name} ({', '.join(m for m in methods if _better(case, m))})"
        for name, case in cases.items()
        if any(_better(case, m) for m in methods)
    ]
    text += [f"Cases where a peer comes nearer than `grown`: {', '.join(better) or 'none'}."]
    for short in ("E'", "E''"):
        text += [f"### {short}", _moduli(cases, short)]
    fitted = [case["fitted"] for case in cases.values() if case["fitted"] is not None]
    if fitted:
        text += [f"nanite fits its Hertz model to a curve of {sum(fitted)} of {len(fitted)} files."]
    else:
        text += ["nanite was not installed: SKIPPED."]
    return "\n\n".join(text) + "\n"


def _moduli(cases: dict[str, Any], short: str) -> str:
    """Median relative error, bias behind it, and how often the intervals hold the truth."""
    combinations = [f"grown, {name}" for name in DERIVATIVES] + ["two-line, local-linear"]
    titles = ["case"]
    for both in combinations:
        titles += [both] if "total" in both else [both, "held"]
    rows = []
    for name, case in cases.items():
        row = [name]
        for both in combinations if case["moduli"] else ():
            own = case["moduli"][both]
            if not own["given"]:
                row += ["none given"] if "total" in both else ["none given", ""]
                continue
            given = f", {own['given']:.0%} given" if own["given"] < 0.995 else ""
            row += [f"{own[f'{short} error']:.0%} ({own[f'{short} bias']:+.0%}{given})"]
            row += [] if "total" in both else [_percent(own[f"{short} covered"])]
        if len(row) > 1:
            rows.append(row)
    return _markdown(titles, rows)


def _better(case: dict[str, Any], method: str) -> bool:
    """Whether a peer has fewer wrong contacts than `grown`, or as few and smaller errors."""
    if method not in case["contact"]:
        return False
    peer, own = case["contact"][method], case["contact"]["grown"]
    return bool((peer["wrong"], peer["median"]) < (own["wrong"], own["median"]))


def main() -> None:
    """Write, score, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the data sets are written")
    parser.add_argument("--peers", default=sys.executable, help="Python that has nanite")
    parser.add_argument("--page", type=Path, help="page whose tables are replaced")
    parser.add_argument("--curves", type=int, default=24)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time")
    told = parser.parse_args()
    told.folder.mkdir(parents=True, exist_ok=True)
    out = score(told.folder, told.peers, told.curves, told.seed, told.jobs)
    text = json.dumps(out, indent=1)
    (told.folder / "scores.json").write_text(text + "\n", encoding="utf-8")
    measured = tables(out)
    if told.page is None:
        print(measured)
        return
    page = told.page.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END, 1)[1]
    told.page.write_text(f"{before}{BEGIN}\n\n{measured}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
