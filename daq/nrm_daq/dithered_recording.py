"""The dither of a recording: prepared with its inputs, watched, and what is said of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from nrm_daq.analog_output import AnalogOutput, RunningOutput, prepared_output
from nrm_daq.config import DaqConfig
from nrm_daq.hardware import Connection, Setup
from nrm_daq.waveform import Drive, Waveform
from nrm_plugin.text import with_unit


class Dither:
    """The tones of a recording, at an output that is set up and not started.

    Attributes
    ----------
    drives : tuple of Drive
    """

    def __init__(self, output: AnalogOutput, drives: Sequence[Drive]) -> None:
        self.drives, self.output = tuple(drives), output
        self._waveform: Waveform = output.waveform()
        self._waveform.add(0, self.drives)
        self._running: RunningOutput | None = None

    def started(self, ending: threading.Event) -> RunningOutput:
        """Return what plays from the inputs' start on; it sets `ending` if it breaks."""
        self._running = RunningOutput(self.output, self._waveform, ending.set)
        return self._running

    @property
    def problem(self) -> str:
        """Why it stopped by itself; empty where it did not."""
        return self._running.problem if self._running else ""

    @property
    def left_on(self) -> str:
        """Why it could not be brought to 0 V in the end; empty where it could."""
        return self._running.left_on if self._running else ""

    def header(self) -> dict[str, Any]:
        """Return what a recording's header says of it."""
        table = self.output.table
        return {
            "terminal": table.terminal,
            "rate": self.output.rate,
            "ramp": table.ramp,
            "max_voltage": table.max_voltage,
            "tones": [asdict(drive) for drive in self.drives],
        }

    def notes(self) -> dict[str, Any]:
        """Return what is to be written down at the end."""
        running = self._running
        if running is None or not running.problem:
            return {}
        return {"dither_problem": running.problem, "dither_stopped": running.stopped_at}

    def said(self) -> list[str]:
        """Return lines for a person who checks a configuration."""
        table = self.output.table
        lines = [
            f"dither at {table.terminal}, {self.output.rate:.9g} samples per second, begun with "
            f"the inputs; never above {with_unit(table.max_voltage, 'V')}"
        ]
        for drive in self.drives:
            moves = "motion not known: no sensitivity and response"
            if drive.motion is not None:
                moves = f"{with_unit(drive.motion, 'm', 4)} of the sample"
            lines.append(
                f"  {with_unit(drive.frequency, 'Hz', 9)}, {with_unit(drive.volts, 'V', 4)} peak: "
                f"{moves}"
            )
        return lines


@contextmanager
def prepared_dither(
    connection: Connection, config: DaqConfig, setup: Setup
) -> Iterator[Dither | None]:
    """Set up the dither of a configuration, checked and not started; None where it has none.

    Raises
    ------
    DaqUnavailable, InvalidInput
    """
    if config.dither is None:
        yield None
        return
    drives = config.dither.drives(config.known_metadata())
    highest = max(drive.frequency for drive in drives)
    with prepared_output(connection, config.dither, setup, highest) as output:
        yield Dither(output, drives)
