"""Two recordings of one experiment: which curves are the same, by which clocks, and as one set."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.pairing.pair import Pairing, pair, paired

__all__ = ["Pairing", "merge", "pair", "paired"]

Recording = CurveSet | str | PathLike[str]


def merge(board: Recording | Sequence[CurveSet], microscope: Recording | None = None) -> CurveSet:
    """Make one set of curves of an experiment that two instruments recorded.

    The curves are paired by the shape of their deflection and their order. Height, positions,
    images and calibration are the microscope's, lateral signals and potential the board's, on the
    microscope's samples; curves without a pair are nan there. ``warnings`` of what is returned say
    what was found; `pair` gives the numbers.

    Parameters
    ----------
    board : CurveSet or path
        The recording with the lateral signal: a board's stream, a table, another microscope's file.
    microscope : CurveSet or path
        The microscope's curves. Without it `board` is a sequence of sets, which are joined one
        behind the other, as ``nrm.join`` does.

    Raises
    ------
    InvalidInput
        If there is nothing to pair by, or the recordings cannot be told to belong together.
    """
    if microscope is None:
        from nrm_plugin.joining import join

        if isinstance(board, CurveSet | str | PathLike):
            raise InvalidInput("merge takes two recordings: the board's and the microscope's")
        return join(board)
    first, second = _opened(board), _opened(microscope)
    return paired(first, second, pair(first, second))


def _opened(recording: Recording | Sequence[CurveSet]) -> CurveSet:
    if isinstance(recording, CurveSet):
        return recording
    if isinstance(recording, str | PathLike):
        from nrm_plugin.formats import open as open_curves

        return open_curves(recording)
    from nrm_plugin.joining import join

    return join(recording)
