"""How two recordings of one experiment were paired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from nrm_plugin.figures import style
from nrm_plugin.model import CurveSet
from nrm_plugin.pairing.pair import Pairing
from nrm_plugin.pairing.timing import BoardReader

#: Pairs that are drawn over each other.
_SHOWN = 3


@style.styled
def paired_recordings(
    board: CurveSet,
    microscope: CurveSet,
    pairing: Pairing,
    axes: Sequence[Axes] | None = None,
    *,
    figure: Any = None,
    width: float = style.PAGE,
) -> Any:
    """Draw how well two recordings lie on each other.

    Above, the time of each pair against the line of the two clocks (where the microscope tells
    times), or its error; curves without a pair are marked at their place in the order. Below, the
    first, middle and last pair: the microscope's deflection over the board's.

    Parameters
    ----------
    board, microscope : CurveSet
    pairing : Pairing
    axes : sequence of four Axes, optional
    width : float
        In m.

    Returns
    -------
    figure or what was given
    """
    simulated = bool(board.metadata.get("simulated") or microscope.metadata.get("simulated"))
    if axes is None:
        figure = style.filled(figure, width, 0.62 * width)
        style.mark_whole(figure, simulated)
        grid = figure.add_gridspec(2, _SHOWN, height_ratios=[1.0, 1.2])
        axes = [figure.add_subplot(grid[0, :])]
        axes += [figure.add_subplot(grid[1, i]) for i in range(_SHOWN)]
    _times(axes[0], pairing)
    chosen = np.unique(np.linspace(0, len(pairing.curve) - 1, _SHOWN).round().astype(int))
    for number, (ax, which) in enumerate(zip(axes[1:], chosen, strict=False)):
        _pair(ax, board, microscope, pairing, int(which))
        if number == 0:
            ax.set_ylabel("deflection (recording's unit)")
    return style.root(axes[0])


def _times(ax: Axes, pairing: Pairing) -> None:
    minutes = pairing.begin / 60.0
    if np.isfinite(pairing.clock_residual).all():
        values, label = 1e3 * pairing.clock_residual, "off the line of\nthe clocks (ms)"
    else:
        values, label = 1e3 * pairing.stderr, "error of\nthe time (ms)"
    ax.plot(minutes, values, ".", markersize=3, label=f"{len(minutes)} pairs")
    lone = np.array(sorted(pairing.unpaired), float)
    if len(lone) and len(minutes) > 1:
        step = float(np.median(np.diff(minutes) / np.diff(pairing.curve)))
        at = np.interp(lone, pairing.curve, minutes)
        at += step * (np.minimum(lone - pairing.curve[0], 0.0))
        at += step * (np.maximum(lone - pairing.curve[-1], 0.0))
        ax.plot(
            at,
            np.zeros(len(at)),
            "|",
            transform=ax.get_xaxis_transform(),
            markersize=10,
            clip_on=False,
            label=f"{len(lone)} curves without a pair",
        )
    ax.set_xlabel("time of the recording (min)")
    ax.set_ylabel(label)
    low, high = float(np.min(values)), float(np.max(values))
    ax.set_ylim(low - 0.1 * (high - low), high + 0.5 * (high - low) if high > low else None)
    ax.legend(loc="upper right", ncols=2)


def _pair(ax: Axes, board: CurveSet, microscope: CurveSet, pairing: Pairing, which: int) -> None:
    number = int(pairing.curve[which])
    time = microscope.read("time", [number])
    time = time - time[0]
    bent = microscope.read("deflection", [number])
    reader = BoardReader(board, pairing.clock)
    seen = reader.at("deflection", pairing.begin[which] + time, pairing.sample_interval)
    ax.plot(time, seen, label="recording", linewidth=2.5, alpha=0.5)
    ax.plot(time, pairing.gain[which] * bent + pairing.offset[which], label="microscope", lw=0.8)
    ax.set_xlabel("time (s)")
    style.title(ax, f"curve {number}")
    if which == 0:
        ax.legend(loc="best")
