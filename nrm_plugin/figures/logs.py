"""A potentiostat's log over time, alone or laid on a recording of the same potential."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from nrm_plugin.figures import style

if TYPE_CHECKING:
    from nrm_plugin.potential.by_shape import LogClock
    from nrm_plugin.potential.by_steps import SteppedClock
    from nrm_plugin.potential.curve_levels import CurveLevels
    from nrm_plugin.potential.log import Log
    from nrm_plugin.potential.recorded_potential import RecordedPotential


@style.styled
def log_over_time(
    log: Log,
    recorded: RecordedPotential | None = None,
    clock: LogClock | None = None,
    ax: Axes | None = None,
    *,
    figure: Any = None,
    width: float = style.PAGE,
) -> Axes:
    """Draw the potential of a log over time; with `recorded` and `clock`, what they say of it.

    The log is then drawn as the other recorder would have seen it: by its clock, with its gain and
    shift. Where the two lie on each other, the place is right.

    Parameters
    ----------
    log : Log
    recorded, clock : optional
        What `clock_by_shape` was given and what it gave (`nrm_plugin.potential.by_shape`).
    ax : Axes, optional
    width : float
        In m.
    """
    ax = style.one(ax, width, 0.45 * width, figure)
    if recorded is None or clock is None:
        ax.plot(log.time / 3600.0, log.potential, lw=0.8)
        ax.set_xlabel("time of the log (h)")
        ax.set_ylabel(f"E vs. {log.reference} (V)" if log.reference else "potential (V)")
        return ax
    time = clock.begin + log.time * (1.0 + clock.skew)
    ax.plot(recorded.time / 3600.0, recorded.potential, lw=2.5, alpha=0.5, label="recorded")
    ax.plot(time / 3600.0, clock.gain * log.potential + clock.shift, lw=0.8, label="log")
    low, high = float(np.min(recorded.time)), float(np.max(recorded.time))
    room = 0.1 * (high - low)
    ax.set_xlim((low - room) / 3600.0, (high + room) / 3600.0)
    ax.set_xlabel("time of the recording (h)")
    ax.set_ylabel("recorded potential (V)")
    style.legend_below(ax, ax.get_legend_handles_labels()[0])
    return ax


@style.styled
def log_on_levels(
    log: Log,
    levels: CurveLevels,
    clock: SteppedClock,
    ax: Axes | None = None,
    *,
    figure: Any = None,
    width: float = style.PAGE,
) -> Axes:
    """Draw the level of the curves that shows the log's steps best, and the steps as lines.

    Parameters
    ----------
    log, levels, clock
        What `clock_by_steps` was given and what it gave (`nrm_plugin.potential.by_steps`).
    ax : Axes, optional
    width : float
        In m.
    """
    from nrm_plugin.potential.by_steps import steps_of

    ax = style.one(ax, width, 0.45 * width, figure)
    ax.plot(levels.time / 3600.0, levels.levels[clock.signal], ".", ms=3, label=clock.signal)
    for number, step in enumerate(steps_of(log)):
        moment = (clock.begin + step.time) / 3600.0
        label = "steps of the log" if not number else None
        ax.axvline(moment, color=style.MARK, lw=0.8, ls="--", label=label)
    room = 0.05 * float(np.ptp(levels.time)) / 3600.0
    ax.set_xlim(levels.time[0] / 3600.0 - room, levels.time[-1] / 3600.0 + room)
    ax.set_xlabel("time of the recording (h)")
    ax.set_ylabel(clock.signal.removeprefix("the "))
    style.legend_below(ax, ax.get_legend_handles_labels()[0])
    return ax
