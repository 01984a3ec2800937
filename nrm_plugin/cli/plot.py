"""``nrm plot``: a figure of a file, in the format that the suffix says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from nrm_plugin import formats
from nrm_plugin.errors import InvalidInput
from nrm_plugin.files import check_output
from nrm_plugin.units import parse

if TYPE_CHECKING:
    import xarray as xr

    from nrm_plugin.model import CurveSet
    from nrm_plugin.potential import Log

#: Kinds of figures, and what they are drawn from.
_OF_CURVES = ("raw", "referenced")
_OF_RESULTS = (
    "curve",
    "voltammogram",
    "profiles",
    "density",
    "violin",
    "map",
    "quality",
    "figure4",
)
KINDS = (*_OF_CURVES, *_OF_RESULTS, "topography")

#: Kinds that are as wide as a page unless the width is given.
_WIDE = ("density", "violin", "quality", "figure4")

#: Options that some kinds alone have a use for.
_USES = {
    "numbers": ("raw", "referenced", "curve"),
    "depth": ("map",),
    "variable": ("profiles", "density", "violin", "map", "figure4", "topography"),
    "edges": ("voltammogram", "profiles", "density", "violin", "figure4"),
    "log": ("density", "figure4"),
    "conditional": ("density", "figure4"),
    "potential": ("voltammogram", "profiles", "density", "violin", "figure4"),
    "original": ("raw", "referenced", "voltammogram", "figure4"),
}

SUFFIXES = (".png", ".svg", ".pdf")


@click.command("plot")
@click.argument("file", metavar="FILE")
@click.option(
    "-o", "--output", required=True, metavar="FIG", help="The figure: .png, .svg or .pdf."
)
@click.option(
    "--kind", type=click.Choice(KINDS), metavar="KIND", help=f"One of {', '.join(KINDS)}."
)
@click.option(
    "--curve",
    "numbers",
    multiple=True,
    type=click.IntRange(min=0),
    metavar="N",
    help="Number of a curve, from 0. May be repeated.",
)
@click.option("--depth", metavar="DEPTH", help="Distance of a map from the electrode, 5nm.")
@click.option(
    "--variable",
    metavar="NAME",
    help="What is drawn: storage_modulus, shear_modulus_magnitude, thickness, ...; the "
    "name of an image for topography.",
)
@click.option(
    "--edges",
    metavar="V,V,...",
    help="Potentials between which the regions lie, 2,1.5,1,0.5,0.005.",
)
@click.option("--log", is_flag=True, help="Densities over the logarithm of the modulus.")
@click.option("--conditional", is_flag=True, help="Densities at each distance, not over all.")
@click.option(
    "--potential",
    metavar="LOG",
    help="A potentiostat's log, for the current; and for potentials, if the results have none.",
)
@click.option(
    "--curves", "original", metavar="ORIGINAL", help="The curves that results were made from."
)
@click.option("--width", metavar="WIDTH", help="Width of the figure, 85mm.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@click.pass_context
def command(
    ctx: click.Context,
    file: str,
    output: str,
    kind: str | None,
    numbers: tuple[int, ...],
    depth: str | None,
    variable: str | None,
    edges: str | None,
    log: bool,
    conditional: bool,
    potential: str | None,
    original: str | None,
    width: str | None,
    overwrite: bool,
) -> None:
    """Draw a figure of FILE: results, curves of any kind, or images.

    Without --kind: of results, the paper's Fig. 4 where there are potentials, else the mean
    profiles; of curves, some of them as recorded; of images, the topography.
    """
    out = Path(output)
    if out.suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"-o {output}: figures are written as {', '.join(SUFFIXES)}")
    check_output(out, overwrite=overwrite)
    options = _Options(
        list(numbers),
        _length(depth, "--depth"),
        variable,
        edges_given(edges),
        log,
        conditional,
        potential,
        original,
        _length(width, "--width"),
    )
    quiet = bool(ctx.obj and ctx.obj["quiet"])
    results, curves = _opened(Path(file), original)
    record = None
    if potential is not None and results is not None:
        results, record = _with_log(results, potential)
    kind = kind or _usual(results, curves)
    options.check(kind)
    from nrm_plugin.figures import save

    figure, words = _drawn(kind, results, curves, record, options, file)
    save(figure, out, title=f"{kind} of {Path(file).name}", overwrite=overwrite)
    if not quiet:
        for word in dict.fromkeys(words):
            click.echo(f"nrm: {word}", err=True)
        click.echo(f"nrm: {out} written ({kind})", err=True)


class _Options(NamedTuple):
    """What was asked for."""

    numbers: list[int]
    depth: float | None
    variable: str | None
    edges: list[float] | None
    log: bool
    conditional: bool
    potential: str | None
    original: str | None
    width: float | None

    def check(self, kind: str) -> None:
        """Raise for an option that the figure has no use for."""
        for name, given in zip(self._fields, self, strict=True):
            if given not in (None, [], False) and kind not in _USES.get(name, KINDS):
                option = {"numbers": "curve", "original": "curves"}.get(name, name)
                raise click.UsageError(
                    f"--{option} does not go with --kind {kind}: it is for "
                    + ", ".join(_USES[name])
                )


def _length(given: str | None, option: str) -> float | None:
    """Length in m; a number without a unit is refused, since 5 m and 5 nm are both a 5."""
    if given is None:
        return None
    try:
        if given.strip()[-1:].isdigit():
            raise InvalidInput(f"{given!r} has no unit: write 5nm or 85mm")
        return parse(given, "m")
    except InvalidInput as error:
        raise click.UsageError(f"{option}: {error}") from None


def edges_given(given: str | None) -> list[float] | None:
    """Edges of regions in V from ``--edges``."""
    if given is None:
        return None
    try:
        return [parse(part, "V") for part in given.split(",")]
    except InvalidInput as error:
        raise click.UsageError(f"--edges: {error}") from None


def _opened(path: Path, original: str | None) -> tuple[xr.Dataset | None, CurveSet | None]:
    """Results or curves of a file, and the curves that are given beside."""
    from nrm_plugin.store.opened import holds_results, open_results

    curves = None if original is None else formats.open(original)
    if path.is_file() and holds_results(path):
        return open_results(path), curves
    if original is not None:
        raise click.UsageError(f"--curves goes with results, and {path} holds none")
    return None, formats.open(path)


def _with_log(results: xr.Dataset, path: str) -> tuple[xr.Dataset, Log]:
    """A potentiostat's log, and the results with its potentials if they had none."""
    from nrm_plugin.figures.panels import has_potential
    from nrm_plugin.potential import read_log, with_potential

    log = read_log(path)
    return (results if has_potential(results) else with_potential(results, log)), log


def _usual(results: xr.Dataset | None, curves: CurveSet | None) -> str:
    """Kind of figure for a file."""
    if results is not None:
        from nrm_plugin.figures.panels import has_potential

        if "force_gradient_in_phase" not in results:
            return "quality"
        return "figure4" if has_potential(results) else "profiles"
    return "raw" if curves is not None and curves.n_curves else "topography"


def _drawn(
    kind: str,
    results: xr.Dataset | None,
    curves: CurveSet | None,
    log: Log | None,
    options: _Options,
    file: str,
) -> tuple[Any, list[str]]:
    """Figure, or something that stands in it, and what is to be said of it."""
    from nrm_plugin import figures

    width = options.width or (figures.PAGE if kind in _WIDE else figures.COLUMN)
    numbers = options.numbers or None
    if kind == "topography":
        source = results if results is not None else curves
        assert source is not None
        return figures.topography(source, options.variable, width=width), []
    if kind in _OF_CURVES:
        if curves is None:
            raise InvalidInput(_wants_curves(kind, file, results))
        draw = figures.raw if kind == "raw" else figures.referenced
        return draw(curves, numbers, results=results, width=width), []
    if results is None:
        raise InvalidInput(
            f"{file} holds curves, and {kind} is drawn from results: make them with nrm process"
        )
    if kind == "curve":
        return figures.curve(results, numbers[0] if numbers else None, width=width)[0], []
    if kind == "quality":
        return figures.quality(results, width=width)[0], []
    if kind == "map":
        what = options.variable or "shear_modulus_magnitude"
        depth = figures.DEPTH if options.depth is None else options.depth
        return figures.map(results, what, depth, width=width), []
    return _by_region(kind, results, curves, log, options, width)


def _by_region(
    kind: str,
    results: xr.Dataset,
    curves: CurveSet | None,
    log: Log | None,
    options: _Options,
    width: float,
) -> tuple[Any, list[str]]:
    from nrm_plugin import figures
    from nrm_plugin.figures.panels import has_potential
    from nrm_plugin.statistics import DEFAULT_EDGES, regions

    shown, words = None, []
    if has_potential(results):
        shown = regions(results, options.edges or DEFAULT_EDGES)
        words = list(shown.warnings)
        if shown.outside:
            words.append(f"curves outside the edges: {shown.outside}")
    trace = None
    if log is not None:
        trace = figures.log_trace(log, results)
    elif curves is not None:
        trace = figures.recorded_trace(curves, results)
    if trace is None and kind in _USES["original"] and (log or curves) is not None:
        words.append("there is no current: potentials are shown over time")
    named: dict[str, Any] = {} if options.variable is None else {"variable": options.variable}
    if kind in _USES["log"]:
        named |= {"log": options.log, "conditional": options.conditional}
    if kind == "voltammogram":
        return figures.voltammogram(results, shown, trace=trace, width=width), words
    if kind == "figure4":
        return figures.figure4(results, shown, trace=trace, width=width, **named), words
    if kind == "profiles":
        return figures.profiles(results, shown, width=width, **named), words
    draw = figures.density if kind == "density" else figures.violin
    return draw(results, shown, width=width, **named)[0], words


def _wants_curves(kind: str, file: str, results: xr.Dataset | None) -> str:
    names = [] if results is None else results.attrs.get("source_name", [])
    names = [names] if isinstance(names, str) else list(names)
    made = f" {file} was made from {', '.join(map(str, names))}." if names else ""
    return f"{kind} is drawn from the curves themselves: give them with --curves.{made}"
