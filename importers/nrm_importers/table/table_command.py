"""``nrm table``: what the columns of a table mean, and a table map to fill in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin.files import check_output, read_start, replacing
from nrm_plugin.text import quoted, table

if TYPE_CHECKING:
    from nrm_importers.table.source_table import SourceTable

#: Columns that most tables have; those that are not found stand in the map as comments.
_WANTED = (
    ("height", "um", "the z sensor"),
    ("deflection", "V", "or force_normal, in N"),
    ("lateral_in_phase", "V", "X of the lock-in, at its input; lockin_output_x for its output"),
    ("lateral_quadrature", "V", "Y of the lock-in"),
    ("time", "s", ""),
    ("potential", "V", "of the electrode"),
)


@click.command("table")
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", metavar="MAP.toml", help="Write a table map to fill in.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print an object with the columns.")
def command(file: str, output: str | None, overwrite: bool, as_json: bool) -> None:
    """Say what the columns of a table mean.

    With -o, a table map is written to fill in.
    The map is given with --table to convert, process, check and info, and is remembered for tables
    with the same heading.
    """
    from nrm_importers.table.memory import remembered
    from nrm_importers.table.open_source import open_source

    path = Path(file)
    read_start(path, 1, "a table")
    source = open_source(path)
    columns = [_described(source, number) for number in range(len(source.columns))]
    kept = remembered(source.heading)
    if as_json:
        report = {
            "path": file,
            "rows": source.length,
            "columns": columns,
            "remembered": None if kept is None else str(kept[1]),
        }
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(f"{file}: {source.length} rows")
        rows = [("column", "title", "unit", "first values", "read as")]
        rows += [
            (str(c["column"]), c["title"], c["unit"] or "-", c["first"], c["channel"] or "?")
            for c in columns
        ]
        click.echo(table(rows, 2))
        if kept is not None:
            click.echo(f"  a table map is remembered for this heading: {kept[1]}")
    if output is None:
        return
    out = Path(output)
    check_output(out, overwrite=overwrite)
    with replacing(out, overwrite=overwrite) as part:
        part.write_text(map_to_fill_in(source), "utf-8")
    click.echo(f"nrm: {out} was written: fill it in and give it with --table {out}", err=True)


def _described(source: SourceTable, number: int) -> dict[str, Any]:
    from nrm_importers.table.meanings import channel_of

    column = source.columns[number]
    first = column.read()[:3].tolist()
    return {
        "column": number + 1,
        "title": column.title,
        "unit": column.unit,
        "first": ", ".join(f"{v:.6g}" if isinstance(v, float) else str(v)[:20] for v in first),
        "channel": channel_of(column.title, column.unit),
    }


def map_to_fill_in(source: SourceTable) -> str:
    """Text of a table map with what titles and units say, and the rest as comments."""
    from nrm_importers.table.meanings import map_of

    found = map_of(source.columns)
    named = {**found.channels}
    named |= {k: v for k in ("curve", "segment", "cycle") if (v := getattr(found, k)) is not None}
    lines = [
        f"# What the columns of {source.path.name} mean. A line without # is read.",
        "# unit: what the numbers are in; scale: a factor, or '1.2 um/V'; offset is added in SI.",
        "# The columns: " + ", ".join(f"{i} {c.title}" for i, c in enumerate(source.columns, 1)),
        "",
    ]
    for name, part in named.items():
        lines.append(f"{name} = {_inline(part.column, part.unit)}")
    for name, unit, about in _WANTED:
        if name not in named:
            lines.append(f"# {name} = {_inline('?', unit)}" + (f"  # {about}" if about else ""))
    lines += [
        "",
        "# One long recording is cut into ramps where z turns; a ramp moves at least so far:",
        '# curves = { by = "height", travel = "50 nm" }',
    ]
    return "\n".join(lines) + "\n"


def _inline(column: str, unit: str) -> str:
    return f"{{ column = {quoted(column)}, unit = {quoted(unit)} }}"
