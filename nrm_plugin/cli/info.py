"""``nrm info``: what is in files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from nrm_plugin import formats
from nrm_plugin.cli import exit_code
from nrm_plugin.cli.batch import with_files
from nrm_plugin.cli.options import log_unit_option, log_units_of
from nrm_plugin.errors import NrmError
from nrm_plugin.experiment.stated import Facts
from nrm_plugin.markers import KEY, markers_of
from nrm_plugin.model import CurveSet
from nrm_plugin.text import table

if TYPE_CHECKING:
    from nrm_plugin.potential import Log


@click.command("info")
@with_files
@click.option("--table", "table_map", metavar="MAP.toml", help="What the columns of a table mean.")
@log_unit_option
@click.option("--json", "as_json", is_flag=True, help="Print a list with one object per file.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    table_map: str | None,
    log_units: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say what is in files: curves, channels, calibration, images, and what was guessed.

    Of a potentiostat's log: its span, points, cycles, and when it began.
    """
    units = log_units_of(log_units)
    reports: list[dict[str, Any]] = []
    codes = []
    for path in files:
        try:
            report, text = _described(path, table_map, units)
            reports.append(report)
        except NrmError as error:
            reports.append({"path": path, "error": str(error)})
            codes.append(exit_code(error))
            if not as_json:
                click.echo(f"nrm: {error}", err=True)
            continue
        if not as_json:
            click.echo(text())
    if as_json:
        click.echo(json.dumps(reports, indent=2))
    if codes:
        ctx.exit(codes[0] if len(files) == 1 else 1)


def _described(
    path: str, table_map: str | None, units: Mapping[str, str]
) -> tuple[dict[str, Any], Callable[[], str]]:
    """What is in a file, curves, results or a log, for programs and for people."""
    from nrm_plugin.potential.reading import is_log, read_log
    from nrm_plugin.store.read_curves import holds_results
    from nrm_plugin.store.results_file import opened_results

    if holds_results(path):
        from nrm_plugin.cli import results_summary

        with opened_results(path) as results:
            described = results_summary.describe(path, results)
        described["thickness"] = results_summary.thickness_of(path)
        return described, lambda: results_summary.as_text(described)
    if table_map is None and is_log(path):
        log = read_log(path, units=units)
        return describe_log(path, log), lambda: log_as_text(path, log)
    curves = formats.open_with(path, table_map)
    return describe(path, curves), lambda: as_text(path, curves)


def describe(path: str, curves: CurveSet) -> dict[str, Any]:
    """Everything about a set of curves but its samples, in types that JSON has."""
    return {
        "path": path,
        "kind": "curves",
        "importer": curves.importer,
        "n_curves": curves.n_curves,
        "n_samples": curves.n_samples,
        "grid": list(curves.grid) if curves.grid else None,
        "channels": [
            {"name": c.name, "unit": c.unit, "original": c.original, "source": c.source}
            for c in curves.channels.values()
        ],
        "segments": first_kinds(curves),
        "metadata": curves.metadata,
        "metadata_source": curves.metadata_source,
        "calibrations": Facts.of(curves.metadata, curves.metadata_source).calibrations(),
        "images": [
            {"name": i.name, "shape": list(i.shape), "unit": i.unit, "direction": i.direction}
            for i in curves.images
        ],
        "markers": [asdict(marker) for marker in markers_of(curves.metadata)],
        "warnings": list(curves.warnings),
    }


def describe_log(path: str, log: Log) -> dict[str, Any]:
    """Everything about a potentiostat's log but its points, in types that JSON has."""
    counted = log.cycle[log.cycle >= 0] if log.cycle is not None else np.empty(0, np.int64)
    return {
        "path": path,
        "kind": "log",
        "reader": log.reader,
        "n_points": len(log.time),
        "time": [float(log.time[0]), float(log.time[-1])],
        "duration": log.duration,
        "potential": [float(log.potential.min()), float(log.potential.max())],
        **{
            name: None if (span := log.span(name)) is None else list(span)
            for name in ("current", "charge", "ohmic_drop")
        },
        "cycles": [int(counted.min()), int(counted.max())] if len(counted) else None,
        "start": None if log.start is None else str(log.start),
        "start_uncertainty": log.start_uncertainty,
        "time_zone": log.time_zone or None,
        "reference": log.reference or None,
        "sweep_rate": log.sweep_rate,
        "ohmic_resistance": log.ohmic_resistance,
        "ohmic_compensation": log.ohmic_compensation,
        "sha256": log.sha256,
        "notes": list(log.notes),
    }


def log_as_text(path: str, log: Log) -> str:
    """The same for people."""
    about = describe_log(path, log)
    low, high = about["potential"]
    lines = [
        f"{path}  (a potentiostat's log, read by {log.reader})",
        f"  {about['n_points']} points over {log.duration:.6g} s, from {low:.4g} to {high:.4g} V",
    ]
    zone = log.time_zone or "by the potentiostat's clock, without a zone"
    begins = "not in the file: give it with --log-start"
    if log.start is not None:
        rounded = f", rounded to {log.start_uncertainty:g} s" if log.start_uncertainty else ""
        first = (log.start + np.timedelta64(round(log.time[0] * 1e6), "us")).astype("M8[ms]")
        begins = f"{first} ({zone}{rounded})"
    rows = [("first point", begins)]
    rows += log.told()
    numbers = about["cycles"]
    rows.append(
        ("cycles", f"{numbers[0]} to {numbers[1]}" if numbers else "not counted in the file")
    )
    lines.append(table(rows, 4))
    if log.notes:
        lines.append("  warnings")
        lines += [f"    - {note}" for note in log.notes]
    return "\n".join(lines) + "\n"


def first_kinds(curves: CurveSet) -> list[str]:
    """Kinds of the first curve's segments, in order."""
    segments = curves.segments
    return [str(kind) for kind in segments["kind"][segments["curve"] == 0]]


def as_text(path: str, curves: CurveSet) -> str:
    """The same for people."""
    lines = [f"{path}  (read by {curves.importer})"]
    if curves.n_curves:
        sizes = np.unique(curves.row_size)
        length = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        grid = f" on a grid of {curves.grid[0]} x {curves.grid[1]}" if curves.grid else ""
        noun = "curve" if curves.n_curves == 1 else "curves"
        lines.append(f"  {curves.n_curves} {noun} of {length} samples{grid}")
        lines.append(f"  segments: {', '.join(first_kinds(curves)) or 'none'}")
    else:
        lines.append("  no curves")
    lines += _part(
        "channels",
        [(c.name, c.unit or "-", c.source or c.original) for c in curves.channels.values()],
    )
    lines += _part(
        "images",
        [
            (i.name, i.direction or "-", f"{i.shape[0]} x {i.shape[1]}", i.unit or "-")
            for i in curves.images
        ],
    )
    facts = Facts.of(curves.metadata, curves.metadata_source).rows()
    lines += _part("metadata", [row for row in facts if row[0] != KEY])
    lines += _part(
        "markers",
        [
            (m.time, f"{m.seconds:.3f} s", f"curve {m.curve}" if m.curve >= 0 else "", m.text)
            for m in markers_of(curves.metadata)
        ],
    )
    if curves.warnings:
        lines.append("  warnings")
        lines += [f"    - {warning}" for warning in curves.warnings]
    return "\n".join(lines) + "\n"


def _part(title: str, rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [f"  {title}", table(rows, 4)] if rows else []
