"""Writes a figure to a file; the suffix says which kind."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from nrm_plugin import __version__, files
from nrm_plugin.errors import InvalidInput
from nrm_plugin.figures import style
from nrm_plugin.text import visible

#: Kinds of files, and the names under which they hold title and program.
KINDS: dict[str, dict[str, Any]] = {
    ".png": {"Software": f"nrm-plugin {__version__}"},
    ".svg": {"Creator": f"nrm-plugin {__version__}", "Date": None},
    ".pdf": {"Creator": f"nrm-plugin {__version__}", "CreationDate": None},
}

_CANVASES = {".png": FigureCanvasAgg, ".svg": FigureCanvasSVG, ".pdf": FigureCanvasPdf}


@style.styled
def save(
    figure: Any,
    path: str | PathLike[str],
    *,
    title: str = "",
    dpi: float = 300.0,
    overwrite: bool = True,
) -> None:
    """Write a figure as PNG, SVG or PDF, at the size that it was made in.

    The same figure gives the same file. Metadata of matplotlib's own (dates) are left out.

    Parameters
    ----------
    figure : Figure
        Or something that stands in one, as axes do.
    path : str or Path
        Ends in .png, .svg or .pdf.
    title : str
        Title in the file's metadata.
    dpi : float
        Pixels per inch of a PNG.
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    InvalidInput
        For another suffix.
    OutputError
        If the place cannot be written; whatever was there before is then untouched.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise InvalidInput(
            f"{path}: figures are written as {', '.join(KINDS)}, not {kind or 'without a suffix'}"
        )
    whole = figure if isinstance(figure, Figure) else figure.figure.figure
    about = KINDS[kind] | ({"Title": visible(title)} if title else {})
    with files.replacing(path, overwrite=overwrite) as part:
        _draw(whole, kind, part, dpi, about)
        if kind == ".svg":  # XML has no control characters; matplotlib takes them from names
            text = visible(part.read_text(encoding="utf-8"))
            part.write_text(text, encoding="utf-8", newline="\n")


def _draw(figure: Figure, kind: str, path: Path, dpi: float, about: dict[str, Any]) -> None:
    """Lay a figure out and draw it once; `Figure.savefig` draws it once more for its layout."""
    canvas, shown_dpi = figure.canvas, figure.dpi
    printer: Any = _CANVASES[kind](figure)  # which is the figure's canvas from now on
    try:
        figure.dpi = dpi
        getattr(printer, f"print_{kind.removeprefix('.')}")(path, metadata=about)
    finally:
        figure.dpi = shown_dpi
        figure.set_canvas(canvas)
