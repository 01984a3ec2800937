"""What is reached where things are not as told: ``python benchmarks/laboratory.py [PART ...]``.

A laboratory of a known truth (``tests/nrm_laboratory.py``) makes curves, the package sees what a
user would give it, and tables say how near it comes and what it says. Parts: moduli, contact,
sparse, fringes, mistakes, alarms, rates, drag, lag, films, stability,
composite, shape. ``--seeds 10`` is the
number of data sets of each case (alarms and rates: times 10), ``--first 1`` the first seed.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import laboratory_campaigns as campaigns


def row(*cells: Any) -> None:
    """Print a row of a table."""
    shown = [f"{c:.2f}" if isinstance(c, float) else str(c) for c in cells]
    print("| " + " | ".join(shown) + " |", flush=True)


def head(title: str, *cells: str) -> None:
    """Print a title and the head of a table."""
    print(f"\n## {title}\n")
    row(*cells)
    row(*["---"] * len(cells))


def moduli(seeds: range) -> None:
    """E' and E'' at 2 to 5 nm."""
    head(
        f"Moduli at 2 to 5 nm, {len(seeds)} x 100 curves",
        *("case", "E' bias %", "E'' bias %", "E' cover", "E'' cover"),
        *("30 % off", "first nm (95 %)", "missing %"),
    )
    for name in campaigns.MODULI:
        f = campaigns.moduli_case(name, seeds)
        row(name, f.storage, f.loss, f.storage_cover, f.loss_cover, f.far_off, f.first, f.missing)


CONTACT = ("bias", "rms", "cover", "cover (se alone)", "missing %", "flagged %", "> 2 nm unflagged")


def _contact(f: campaigns.ContactFigures) -> tuple[float, ...]:
    return (f.bias, f.rms, f.cover, f.cover_statistical, f.missing, f.flagged, f.unflagged_2)


def contact(seeds: range) -> None:
    """Contacts and their coverage."""
    head(f"Contact, {len(seeds)} x 100 curves", "layer", "noise nm", "wall nm", *CONTACT)
    for name, changes in campaigns.LAYERS.items():
        for noise in (0.1, 0.2, 0.5):
            for wall in (8.0, 20.0, 50.0):
                deep = {"noise": noise, "trigger": campaigns.wall_of(changes, wall)}
                f = campaigns.contact_case(changes | deep, seeds, line="electrode" in changes)
                row(name, noise, wall, *_contact(f))


def sparse(seeds: range) -> None:
    """Few samples per ramp."""
    columns = ("E' bias %", "E'' bias %", "cover", "missing %")
    head(
        f"Sparse ramps, {len(seeds)} x 100 curves",
        *("samples", "nm", "nm per sample", "half-width", "contact bias", "rms", "missing %"),
        *(f"2-5: {c}" for c in columns),
        *(f"10-17: {c}" for c in columns),
        "said",
    )
    for samples, length in campaigns.SPARSE:
        rows = [campaigns.sparse_figures(campaigns.sparse(samples, length, s)) for s in seeds]
        f = campaigns.mean_contacts([r["contact"] for r in rows])
        cells: list[Any] = [samples, length, length / samples, rows[0]["half_width"]]
        cells += [f.bias, f.rms, f.missing]
        for name in ("2", "10"):
            m = campaigns.mean_of([r[name] for r in rows])
            cells += [m.storage, m.loss, m.storage_cover, m.missing]
        row(*cells, rows[0]["said"])


def fringes(seeds: range) -> None:
    """Uneven fringes, and ramps without one."""
    head(
        f"Fringes of +-60 %, {len(seeds)} x 100 curves",
        *("amplitude", "period", "2 pi a/T", *CONTACT, "> 1 nm", "> 1 nm unflagged"),
    )
    for amplitude, period in campaigns.FRINGES:
        f = campaigns.fringe_case(amplitude, period, seeds)
        steep = 2 * np.pi * amplitude / period
        row(amplitude, period, f"{steep:.3f}", *_contact(f), f.off_1, f.unflagged_1)
    head(
        f"Fringes that the baseline cannot carry, {len(seeds)} x 100 curves",
        *("amplitude", "period", "baseline", "periods", "rms", "> 2 nm unflagged", "set says"),
    )
    for period, baseline in campaigns.SHORT_FRINGES:
        rows = [campaigns.short_fringe(period, baseline, s) for s in seeds]
        f = campaigns.mean_contacts([r[0] for r in rows])
        say = 100.0 * float(np.mean([r[1] for r in rows]))
        row(1.0, period, baseline, baseline / period, f.rms, f.unflagged_2, say)
    head("No fringe", "baseline nm", "sets", "fringe taken out in", "contact rms", "bias")
    for baseline in (20.0, 30.0, 50.0, 80.0, 150.0, 300.0):
        rows = [campaigns.fringe_free(baseline, s) for s in seeds]
        f = campaigns.mean_contacts([r[0] for r in rows])
        row(baseline, len(rows), sum(r[1] for r in rows), f.rms, f.bias)


def mistakes(seeds: range) -> None:
    """The users' table, sticking and slipping."""
    for slips in (False, True):
        words = "mu 0.3 at 15 nN" if slips else "sticking"
        head(
            f"The users' table, {words}, {len(seeds)} x 64 curves",
            *(
                "mistake",
                "named %",
                "verdicts of its check",
                "other alarms",
                "says so, for example",
            ),
        )
        for name, (_, key) in campaigns.MISTAKES.items():
            found = [campaigns.said(campaigns.mistaken(name, s, slips=slips)) for s in seeds]
            verdicts = Counter(f.verdict(key) for f in found)
            named = np.mean([f.refused != "" or key in f.alarms for f in found])
            others = Counter(n for f in found for n in f.alarms if n != key)
            text = found[0].refused or found[0].checks.get(key, ("", ""))[1]
            row(name, 100.0 * float(named), _counted(verdicts), _counted(others), text[:160])


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "-"


def alarms(seeds: range) -> None:
    """What is said of data sets that are told rightly."""
    many = range(seeds.start, seeds.start + 10 * len(seeds))
    for title, make in (("any", campaigns.right), ("sticking", campaigns.sticking)):
        found = [(s, campaigns.said(make(s))) for s in many]
        _verdicts(f"Right data sets ({title}), {len(found)} of 48 curves", found)


def _verdicts(title: str, found: list[tuple[int, campaigns.Said]]) -> None:
    names = list(dict.fromkeys(name for _, f in found for name in f.checks))
    head(
        title, "check", "fine %", "unknown %", "doubtful", "wrong", "seeds", "says so, for example"
    )
    for name in names:
        verdicts = [(s, *f.checks[name]) for s, f in found if name in f.checks]
        share = {
            v: 100.0 * float(np.mean([w == v for _, w, _ in verdicts])) for v in ("fine", "unknown")
        }
        bad = [(s, v, text) for s, v, text in verdicts if v in ("doubtful", "wrong")]
        counts = Counter(v for _, v, _ in bad)
        row(
            name,
            share["fine"],
            share["unknown"],
            counts["doubtful"],
            counts["wrong"],
            " ".join(str(s) for s, _, _ in bad[:6]),
            bad[0][2][:160] if bad else "",
        )
    some = [s for s, f in found if f.alarms]
    refused = [(s, f.refused) for s, f in found if f.refused]
    print(f"\nany alarm: {len(some)} of {len(found)}; refused: {refused[:5]}")


def rates(seeds: range) -> None:
    """Mistakes in random sticking data sets."""
    many = range(seeds.start, seeds.start + 10 * len(seeds))
    for title, make in (("sticking", campaigns.sticking), ("slipping", campaigns.slipping)):
        head(
            f"Mistakes in random {title} data sets, {len(many)} each",
            *("mistake", "named %", "verdicts", "fine"),
        )
        for name in campaigns.RATES:
            _, key = campaigns.RATES[name]
            found = [campaigns.said(campaigns.spoilt(make(s), name)) for s in many]
            verdicts = Counter(f.verdict(key) for f in found)
            named = np.mean([f.refused != "" or key in f.alarms for f in found])
            row(name, 100.0 * float(named), _counted(verdicts), verdicts["fine"])


def drag(seeds: range) -> None:
    """Drag off and on the wall."""
    head(
        f"Drag, {len(seeds)} x 100 curves",
        *("drag nm", "on the wall", "drift nm/s", *CONTACT, "drag says"),
    )
    for size, wall, drift in campaigns.DRAGS:
        changes = {"drag": size, "drag_on_wall": wall, "drift": drift}
        found = [campaigns.contact_and_said({**changes, "seed": s}) for s in seeds]
        f = campaigns.mean_contacts([c for c, _ in found])
        row(size, wall, drift, *_contact(f), _counted(Counter(s.verdict("drag") for _, s in found)))


def lag(seeds: range) -> None:
    """Lags that are told, not told, told wrongly, and layers that relax."""
    head(
        f"Lag, {len(seeds)} sets of 64", "case", "lockin_lag says", "E' 2-5 bias %", "first advice"
    )
    for name, changes in campaigns.LAGS.items():
        found = [campaigns.moduli_and_said({"seed": s, "curves": 64, **changes}) for s in seeds]
        verdicts = Counter(s.verdict("lockin_lag") for _, s in found)
        m = campaigns.mean_of([f for f, _ in found])
        advice = found[0][1].checks.get("lockin_lag", ("", ""))[1]
        row(name, _counted(verdicts), m.storage, advice[:160])


def stability(seeds: range) -> None:
    """What changes from curve to curve."""
    head(
        f"A run of 100 curves, {len(seeds)} sets", "what changes", "stability says", "other alarms"
    )
    for name, changes in campaigns.CHANGES.items():
        found = [campaigns.moduli_and_said({**changes, "seed": s})[1] for s in seeds]
        verdicts = Counter(f.verdict("stability") for f in found)
        others = Counter(n for f in found for n in f.alarms if n != "stability")
        row(name, _counted(verdicts), _counted(others))


def films(seeds: range) -> None:
    """Films that are not pierced."""
    head(
        f"Films, {len(seeds)} sets of 64",
        *("film nm", "GPa", "lever N/m", "film says", "other alarms", "contact bias", "sys"),
    )
    for thickness, modulus, spring in campaigns.FILMS:
        changes = campaigns.film(thickness, modulus, spring)
        found = [campaigns.contact_and_said({**changes, "seed": s}) for s in seeds]
        f = campaigns.mean_contacts([c for c, _ in found])
        verdicts = Counter(s.verdict("film") for _, s in found)
        others = Counter(n for _, s in found for n in s.alarms if n != "film")
        row(thickness, modulus, spring, _counted(verdicts), _counted(others), f.bias, f.systematic)


def composite(seeds: range) -> None:
    """Curves on 1 GPa among stiff ones."""
    head(
        f"Composite electrodes: 30 % on 1 GPa among 20 GPa, {len(seeds)} x 100 curves",
        *("case", "E' bias %", "E'' bias %", "cover", "30 % off", "first", "soft found %", "false"),
    )
    for error in (-5, 0, 5):
        found, hits = [], []
        for seed in seeds:
            f, hit = campaigns.composite_case(error, seed)
            found.append(f)
            hits.append(hit)
        m = campaigns.mean_of(found)
        right, false = np.nanmean(hits, 0)
        cells = (m.storage, m.loss, m.storage_cover, m.far_off, m.first)
        row(f"sensitivity {error:+d} %", *cells, 100.0 * float(right), 100.0 * float(false))


def shape(seeds: range) -> None:
    """The finite elements as forward model."""
    head(
        "Finite elements as forward law, MPa",
        *("nm", "E' found", "E' that this shape factor gives there", "layer", "shape_factor says"),
    )
    for line in campaigns.finite_elements(seeds.start):
        row(*line)


_ABOUT_MODULI = (moduli, contact, sparse, fringes, composite, shape)
_ABOUT_CHECKS = (mistakes, alarms, rates, drag, lag, films, stability)
PARTS: dict[str, Callable[[range], None]] = {
    part.__name__: part for part in (*_ABOUT_MODULI, *_ABOUT_CHECKS)
}


def main(words: Iterable[str] | None = None) -> None:
    """Print the tables that are asked for; all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=1)
    given = parser.parse_args(words if words is None else list(words))
    logging.disable(logging.CRITICAL)
    np.seterr(all="ignore")
    for name in given.parts or PARTS:
        start = time.process_time()
        PARTS[name](range(given.first, given.first + given.seeds))
        print(f"\n{name}: {time.process_time() - start:.0f} s of processor time", flush=True)


if __name__ == "__main__":
    main()
