"""``nrm info``: what is in files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import click
import numpy as np

from nrm_plugin.cli import exit_code
from nrm_plugin.cli.batch import open_with, with_files
from nrm_plugin.errors import NrmError
from nrm_plugin.experiment.stated import Facts
from nrm_plugin.model import CurveSet
from nrm_plugin.text import table


@click.command("info")
@with_files
@click.option("--table", "table_map", metavar="MAP.toml", help="What the columns of a table mean.")
@click.option("--json", "as_json", is_flag=True, help="Print a list with one object per file.")
@click.pass_context
def command(
    ctx: click.Context, files: tuple[str, ...], table_map: str | None, as_json: bool
) -> None:
    """Say what is in files: curves, channels, calibration, images, and what was guessed."""
    reports: list[dict[str, Any]] = []
    codes = []
    for path in files:
        try:
            report, text = _described(path, table_map)
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


def _described(path: str, table_map: str | None) -> tuple[dict[str, Any], Callable[[], str]]:
    """What is in a file, curves or results, for programs and for people."""
    from nrm_plugin.store.read_curves import holds_results
    from nrm_plugin.store.results_file import opened_results

    if holds_results(path):
        from nrm_plugin.cli import results_summary

        with opened_results(path) as results:
            described = results_summary.describe(path, results)
        return described, lambda: results_summary.as_text(described)
    curves = open_with(path, table_map)
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
        "warnings": list(curves.warnings),
    }


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
    lines += _part("metadata", Facts.of(curves.metadata, curves.metadata_source).rows())
    if curves.warnings:
        lines.append("  warnings")
        lines += [f"    - {warning}" for warning in curves.warnings]
    return "\n".join(lines) + "\n"


def _part(title: str, rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [f"  {title}", table(rows, 4)] if rows else []
