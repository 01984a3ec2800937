"""The report as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from nrm_plugin import __version__, figures
from nrm_plugin.columns import FloatArray
from nrm_plugin.engine.checks.check import Check
from nrm_plugin.errors import InvalidInput
from nrm_plugin.figures.panels import has_potential, is_simulated
from nrm_plugin.files import replacing, sha256, time_of_writing
from nrm_plugin.model import CurveSet
from nrm_plugin.potential import Log, with_potential
from nrm_plugin.report import findings, regional
from nrm_plugin.report.by_hand import decided, decisions_sections
from nrm_plugin.report.conditions import (
    BAD,
    DOUBTFUL,
    GOOD,
    UNKNOWN,
    Condition,
    conditions,
    conditions_section,
)
from nrm_plugin.report.elements import Section
from nrm_plugin.report.facts import experiment_section, provenance_section, texts
from nrm_plugin.report.quality import Quality, quality_of, quality_section
from nrm_plugin.report.self_checks import checks_of, checks_section, in_short
from nrm_plugin.report.uncertainty import Systematic, compare, errors_section, systematic
from nrm_plugin.statistics import DEFAULT_EDGES, Regions, region_thickness, summary
from nrm_plugin.statistics.selection import Analysis, column, words_of_excluded
from nrm_plugin.text import counted, significant, visible

_NO_CURVES = (
    "They can be drawn where the curves are at hand: give the original to `nrm report` with "
    "`--curves`."
)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the page shows."""

    title: str
    about: str
    simulated: bool
    version: str
    made: str
    short: list[str]
    refuted: list[str]
    warnings: list[str]
    sections: list[Section]
    download_name: str = ""
    kind: str = "1D-NRM report"


def write_report(
    results: xr.Dataset,
    path: str | PathLike[str],
    *,
    curves: CurveSet | None = None,
    edges: Iterable[float] = DEFAULT_EDGES,
    log: Log | None = None,
    file: str | PathLike[str] | None = None,
    selection: Mapping[str, Any] | None = None,
    overwrite: bool = True,
) -> None:
    """Write a report on results: one HTML file that needs neither network nor other files.

    Parameters
    ----------
    results : Dataset
        From `nrm_plugin.process` or `nrm_plugin.open_results`.
    path : str or Path
        Of the report.
    curves : CurveSet, optional
        From which the results were made, for examples and the sampling.
    edges : floats
        Potentials in V between which the regions lie.
    log : Log, optional
        Of the potentiostat: the voltammogram is drawn from it, by default from what `file` keeps
        of the log. Results without potentials get theirs from it.
    file : path, optional
        File of the results; its name and hash are shown, and the log that it keeps.
    selection : mapping, optional
        ``sweep``, ``cycle``, ``surface`` and ``run`` as for `nrm_plugin.statistics.regions`.
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    InvalidInput
        If these are no results, the curves are others, or the edges are none.
    OutputError
    """
    path = Path(path)
    with replacing(path, overwrite=overwrite) as part:
        text = render(results, curves=curves, edges=edges, log=log, file=file, selection=selection)
        part.write_text(text, encoding="utf-8", newline="\n")


def render(
    results: xr.Dataset,
    *,
    curves: CurveSet | None = None,
    edges: Iterable[float] = DEFAULT_EDGES,
    log: Log | None = None,
    file: str | PathLike[str] | None = None,
    selection: Mapping[str, Any] | None = None,
) -> str:
    """Return the report as HTML. See `write_report`."""
    _check(results, curves)
    if log is not None and not has_potential(results):
        results = with_potential(results, log)
    return as_html(_report(results, curves, list(edges), log, file, selection))


def as_html(report: Report) -> str:
    """Return a page as one HTML text that needs nothing else."""
    style, script = (_asset(name) for name in ("page.css", "sort.js"))
    return visible(
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            style=Markup(style),
            script=Markup(script),
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )


@cache
def _environment() -> Environment:
    loader = PackageLoader("nrm_plugin.report", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters["marked"] = marked
    return environment


def marked(text: str) -> Markup:
    """Text in which what stands between backticks is what one types."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _asset(name: str) -> str:
    return files("nrm_plugin.report").joinpath(name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    """What the page's policy lets pass, and nothing else."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _check(results: xr.Dataset, curves: CurveSet | None) -> None:
    """Refuse what are no results, and curves that are not theirs."""
    if not {"curve", "depth"} <= set(results.dims) or "quality" not in results:
        raise InvalidInput("these are no results: nrm process makes them")
    if curves is None:
        return
    n = results.sizes["curve"]
    if curves.n_curves != n:
        raise InvalidInput(
            f"the results are of {counted(n)}, and {counted(curves.n_curves)} were given with "
            "them: give the file that the results were made from"
        )
    wanted = texts(results, "source_sha256")
    given = [o.sha256 or (sha256(o.path) if o.path else "") for o in curves.origins]
    pairs = list(zip(wanted, given, strict=False))
    if len(wanted) == len(given) and any(a and b and a != b for a, b in pairs):
        names = ", ".join(texts(results, "source_name")) or "another file"
        raise InvalidInput(f"the results were made from {names}, and other curves were given")


def _report(
    results: xr.Dataset,
    curves: CurveSet | None,
    edges: list[float],
    log: Log | None,
    file: str | PathLike[str] | None,
    selection: Mapping[str, Any] | None,
) -> Report:
    analysis = Analysis(results)
    shown = analysis.results
    of_results = partial(regional.regions_or_all, edges=edges, selection=selection)
    regions = of_results(shown)
    quality = quality_of(results)
    judged = conditions(results, curves)
    common = systematic(results)
    lateral = "storage_modulus" in shown
    rows = summary(analysis, regions) if lateral else []
    thickness = region_thickness(analysis, regions) if lateral else None
    thicknesses = _thicknesses(regions, thickness)
    compared = compare(analysis, regions, thicknesses)
    trace = _trace(shown, curves, log, file)
    by_potential = findings.potential_section(analysis, regions, thickness, rows, trace, curves)
    by_potential.parts = [*by_potential.parts, findings.normal_part(results, regions)]
    checks = checks_of(results)
    sections = [
        checks_section(checks, str(results.attrs.get("electrode", ""))),
        experiment_section(results),
        conditions_section(judged),
        quality_section(shown, quality, curves, _NO_CURVES),
        *decisions_sections(analysis, regions, file, log, of_results),
        by_potential,
        findings.sample_section(analysis, regions, curves),
        errors_section(shown, common, compared, regions),
        provenance_section(results, _file_and_hash(file)),
    ]
    name = Path(file).name if file is not None else ""
    title = " ".join(texts(results, "title")).strip() or name or "Results"
    return Report(
        title=title,
        about=_about(results, name),
        simulated=is_simulated(results),
        version=__version__,
        made=f"{time_of_writing():%Y-%m-%d %H:%M} UTC",
        short=_short(shown, regions, quality, thickness, rows, common, judged, checks),
        warnings=_warnings(results, regions, shown, checks),
        refuted=[c.sentence for c in checks if c.verdict == "wrong"],
        sections=sections,
        download_name=f"{Path(name).stem or 'results'}-summary.csv",
    )


def _trace(
    results: xr.Dataset,
    curves: CurveSet | None,
    log: Log | None,
    file: str | PathLike[str] | None,
) -> tuple[FloatArray, FloatArray] | None:
    """Potential and current, where the log, the file of the results or the curves hold both."""
    trace = None if log is None else figures.log_trace(log, results)
    if trace is None and file is not None:
        trace = figures.kept_trace(file, results)
    if trace is None and curves is not None:
        return figures.recorded_trace(curves, results)
    return trace


def _file_and_hash(file: str | PathLike[str] | None) -> dict[str, str]:
    if file is None:
        return {}
    return {"name": Path(file).name, "sha256": sha256(str(file))}


def _about(results: xr.Dataset, name: str) -> str:
    sources = texts(results, "source_name")
    parts = [f"Results {name}"] if name else []
    if sources:
        more = f" and {len(sources) - 3} more" if len(sources) > 3 else ""
        parts.append(f"from {', '.join(sources[:3])}{more}")
    began = column(results, "start_time")
    if began is not None and began.dtype.kind == "M" and not np.isnat(began).all():
        first, last = (
            np.datetime_as_string(v, unit="s").replace("T", " ")
            for v in (np.nanmin(began), np.nanmax(began))
        )
        parts.append(f"recorded {first} to {last if last[:10] != first[:10] else last[11:]}")
    text = ", ".join(parts)
    return text[:1].upper() + text[1:] + "." if text else "Results in memory."


def _thicknesses(regions: Regions, thickness: xr.Dataset | None) -> dict[str, float]:
    if thickness is None:
        return {}
    return {r.label: float(thickness["mean"].values[i]) for i, r in enumerate(regions)}


def _short(
    results: xr.Dataset,
    regions: Regions,
    quality: Quality,
    thickness: xr.Dataset | None,
    rows: list[dict[str, Any]],
    common: Systematic,
    judged: list[Condition],
    checks: list[Check],
) -> list[str]:
    """The whole in a few sentences."""
    sentences = [_extent(results, regions)]
    if quality.n:
        sentences.append(
            f"A solid contact was found in {quality.contacts} of {counted(quality.n)}; "
            f"{quality.unflagged} without flags; left out of averages: "
            f"{quality.n - quality.used}."
        )
    if by_hand := decided(results):
        sentences.append(
            f"{by_hand[:1].upper()}{by_hand[1:]}: the section on decisions says which and why."
        )
    if thickness is not None:
        sentences += _thick(thickness, rows)
    nearest = [r for r in rows if np.isfinite(r["mean"]) and r["bin"] == _first_bin(rows, r)]
    if nearest:
        values = [f"{significant(r['mean'] * 1e-6)} MPa {_at(r['region'])}" for r in nearest]
        sentences.append(f"Next to the electrode the mean |G*| is {_listed(values)}.")
        note = str(results.attrs.get("shape_factor_note", ""))
        sentences += [f"Moduli are by a shape factor r_g: {note}."] if note else []
    if "storage_modulus" not in results:
        sentences.append("There is no lateral signal, and so there are no moduli.")
    elif common.relative is None:
        sentences.append(
            "How far all moduli may be off together is not known: no calibration has a "
            "standard error."
        )
    else:
        sentences.append(
            f"All moduli share a factor with a relative standard error of "
            f"{significant(100 * common.relative, 2)} %, which is in none of the intervals."
        )
    if checks:
        sentences.append(in_short(checks))
    sentences.append(_verdicts(judged))
    return sentences


def _thick(thickness: xr.Dataset, rows: list[dict[str, Any]]) -> list[str]:
    """The thickness of the regions, and whether they differ."""
    parts, hidden = [], []
    for i, label in enumerate(thickness["region"].values.tolist()):
        of = {name: float(thickness[name].values[i]) for name in ("mean", "low", "high", "n")}
        if np.isfinite(of["mean"]):
            ends = [significant(of[name] * 1e9) for name in ("low", "high")]
            between = "" if "nan" in ends else f" ({ends[0]} to {ends[1]})"
            parts.append(f"{significant(of['mean'] * 1e9)} nm{between} {_at(label)}")
        elif of["n"]:
            hidden.append(_at(label))
    sentences = []
    if parts:
        sentences.append(f"The mean thickness, with its 95 % interval, is {_listed(parts)}.")
    if hidden and parts:
        sentences.append(f"It is not measurable {_listed(hidden)}.")
    if not parts and any(row["n"] for row in rows):
        sentences.append("No thickness is measurable: the table of the results says why.")
    return sentences + [text for text in [str(thickness.attrs["growth"])] if text]


def _first_bin(rows: list[dict[str, Any]], row: dict[str, Any]) -> str:
    """Label of the bin that is nearest to the electrode in the row's region."""
    return str(next(r["bin"] for r in rows if r["region"] == row["region"]))


def _at(label: str) -> str:
    return f"at {regional.title_of(label)}" if label.endswith("V") else f"({label})"


def _listed(parts: list[str]) -> str:
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]


def _extent(results: xr.Dataset, regions: Regions) -> str:
    n = results.sizes["curve"]
    text = counted(n)[:1].upper() + counted(n)[1:]
    row, col = column(results, "row"), column(results, "column")
    if n and row is not None and col is not None and (row >= 0).all() and (col >= 0).all():
        text += f" on a grid of {row.max() + 1} × {col.max() + 1}"
    x, y = column(results, "x"), column(results, "y")
    if n and x is not None and y is not None and np.isfinite(x).any() and np.isfinite(y).any():
        across, up = (significant(float(np.nanmax(v) - np.nanmin(v)) * 1e6) for v in (x, y))
        text += f" over {across} µm × {up} µm"
    if has_potential(results):
        potential = np.asarray(column(results, "potential"), np.float64)
        low, high = np.nanmin(potential), np.nanmax(potential)
        text += f"; electrode potential between {high:.3f} V and {low:.3f} V"
    else:
        text += "; no electrode potential"
    if regions.caption:
        text += f"; {regions.caption}"
    return text + "."


def _verdicts(judged: list[Condition]) -> str:
    by = {tone: [c for c in judged if c.verdict == tone] for tone in (GOOD, DOUBTFUL, BAD, UNKNOWN)}
    text = f"Of {len(judged)} conditions of the experiment {len(by[GOOD])} are fine"
    for tone, word in (
        (DOUBTFUL, "doubtful"),
        (BAD, "outside of their range"),
        (UNKNOWN, "not known"),
    ):
        if by[tone]:
            names = ", ".join(c.name[:1].lower() + c.name[1:] for c in by[tone])
            text += f"; {word}: {names}"
    return text + "."


def _warnings(
    results: xr.Dataset, regions: Regions, shown: xr.Dataset, checks: list[Check]
) -> list[str]:
    """Warnings beside what the table of the self-checks says."""
    there = {check.sentence for check in checks}
    messages = [m for m in str(results.attrs.get("warnings", "")).splitlines() if m not in there]
    if "direction" in results.dims:
        first = str(results["direction"].values[0])
        messages.append(f"the results hold both directions: this report shows {first}")
    messages += regions.warnings if has_potential(shown) else ()
    messages = [m for m in messages if m not in words_of_excluded(shown)]  # the summary says it
    return list(dict.fromkeys(one[:1].upper() + one[1:] for one in messages if one.strip()))
