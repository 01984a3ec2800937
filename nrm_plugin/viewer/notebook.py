"""The page in a cell of a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet

if TYPE_CHECKING:
    import xarray as xr

    from nrm_plugin.viewer.page_server import Server

OnePath = str | PathLike[str]

#: Least height of the page in a cell, in pixels.
_LEAST = 200


class View:
    """The page in a cell; Jupyter and marimo show it when it is a cell's last value.

    Attributes
    ----------
    url : str
        Address of the page on this computer. It holds a secret: whoever has it can read the data
        and decide on curves while the view is open.
    """

    def __init__(self, server: Server, height: int) -> None:
        self._server, self._height = server, height
        self.url = server.url

    def close(self) -> None:
        """Stop serving; the page in the cell stays as it is, without data."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<View at port {self._server.port}>"

    def _repr_html_(self) -> str:
        """Return what Jupyter shows."""
        return (
            f'<iframe src="{escape(self.url)}" title="nrm view" width="100%" '
            f'height="{self._height}" style="border: 1px solid #8888"></iframe>'
        )

    def _mime_(self) -> tuple[str, str]:
        """Return what marimo shows."""
        return "text/html", self._repr_html_()


def view(
    results: xr.Dataset | CurveSet | OnePath,
    curves: CurveSet | OnePath | Sequence[OnePath] | None = None,
    height: int = 800,
) -> View:
    """Show curves, results or both in the cell of a notebook, as ``nrm view`` does in a browser.

    Parameters
    ----------
    results : Dataset, CurveSet or path
        Results, or curves. Decisions about results that are in memory are not saved; those about
        a file lie beside it.
    curves : CurveSet, path or paths, optional
        What the results were made from. A file of results finds them by itself where they lie
        beside it.
    height : int
        Of the page, in pixels.

    Returns
    -------
    View
        Served on this computer until it is closed, or the notebook's kernel ends.

    Raises
    ------
    InvalidInput
        If the curves are not those of the results.
    NrmError
        From opening the files.
    """
    from nrm_plugin.store.read_results import open_results
    from nrm_plugin.viewer import opening
    from nrm_plugin.viewer.page_server import serve
    from nrm_plugin.viewer.sessions import Session

    if type(height) is not int or height < _LEAST:
        raise InvalidInput(f"the height of the page is at least {_LEAST} pixels, not {height!r}")
    given = _paths(curves)
    if isinstance(results, str | PathLike):
        if isinstance(curves, CurveSet):
            made = open_results(results, decisions=False)
            opening.check_same(made, curves)
            looked_at = opening.viewed(made, curves, path=Path(results))
        else:
            looked_at = opening.opened([Path(results)], given)
    else:
        opened = opening.together(given) if given else curves
        if isinstance(results, CurveSet):
            looked_at = opening.viewed(None, results)
        else:
            opened = opened if isinstance(opened, CurveSet) else None
            if opened is not None:
                opening.check_same(results, opened)
            looked_at = opening.viewed(results, opened)
    session = Session(looked_at)
    server = serve(session)
    session.begin()
    return View(server, height)


def _paths(curves: CurveSet | OnePath | Sequence[OnePath] | None) -> list[Path]:
    if curves is None or isinstance(curves, CurveSet):
        return []
    return [Path(p) for p in ([curves] if isinstance(curves, str | PathLike) else curves)]
