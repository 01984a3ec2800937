"""What is seen on the terminal while a recording runs: one line, renewed."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any, Self

import numpy as np

from nrm_daq.acquisition import Acquisition
from nrm_daq.config import DaqConfig
from nrm_daq.hardware import Setup
from nrm_daq.lockin_watch import Faults
from nrm_daq.recording import SampleBlock
from nrm_daq.segmentation import in_units, range_limits, splitter_for
from nrm_plugin.errors import NrmError

#: Time in s between two looks of the line.
RENEWED = 0.25


class StatusLine:
    """Rate, ring, overload, potential and curves of a running recording; a context manager.

    It looks at every block, to count the ramps, and writes on a terminal only.
    """

    def __init__(
        self, config: DaqConfig, setup: Setup, channels: list[dict[str, Any]], *, quiet: bool
    ) -> None:
        self._setup, self._channels = setup, channels
        self._shown = not quiet and sys.stderr.isatty()
        self._splitter = splitter_for(setup.rate, config.split, config.channels)
        self._limits = range_limits(channels)
        self._simulated = "SIMULATED  " if setup.device.simulated else ""
        self._renewed = 0.0
        self._width = 0
        self._held = False
        self.curves = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shown:
            sys.stderr.write("\n")

    def show(self, block: SampleBlock, acquisition: Acquisition, watch: Faults | None) -> None:
        """Take note of a block, and renew the line if it is time."""
        if not self._shown:
            return
        values = in_units(self._channels, block.values)
        self._count(values)
        now = time.monotonic()
        if self._held or now - self._renewed < RENEWED:
            return
        self._renewed = now
        seconds = (block.first + block.values.shape[1]) / self._setup.rate
        parts = [
            f"{self._simulated}{seconds:.1f} s",
            f"{self._setup.rate / 1e3:g} kS/s",
            f"ring {100.0 * acquisition.backlog / self._setup.ring:.0f} %",
        ]
        if acquisition.queued > 0.1:
            parts.append(f"disk behind {100.0 * acquisition.queued:.0f} %")
        parts.append(self._overload(block, watch))
        if "potential" in values:
            parts.append(f"{values['potential'].mean():+.3f} V")
        parts.append(f"{self.curves} curves")
        line = "  ".join(parts)[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write("\r" + line.ljust(self._width))
        sys.stderr.flush()
        self._width = len(line)

    def hold(self) -> None:
        """Let a person type in peace, until something is said."""
        if self._shown:
            self._held = True
            sys.stderr.write("\rremark: ".ljust(self._width))
            sys.stderr.write("\rremark: ")
            sys.stderr.flush()

    def say(self, sentence: str) -> None:
        """Leave a sentence above the line."""
        self._held = False
        if self._shown:
            sys.stderr.write(f"\r{sentence}".ljust(self._width) + "\n")
            sys.stderr.flush()

    def _count(self, values: dict[str, Any]) -> None:
        if self._splitter is None:
            return
        try:
            self.curves += len(self._splitter.push(values))
        except NrmError:  # reported when the file is made; the recording goes on
            self._splitter = None

    def _overload(self, block: SampleBlock, watch: Faults | None) -> str:
        over = np.abs(block.values).max(axis=1) > self._limits
        names = [c["name"] for c, full in zip(self._channels, over, strict=True) if full]
        now = time.time()
        names += watch.faults(now - 2.0, now) if watch is not None else ()
        return f"OVERLOAD {', '.join(names)}" if names else "no overload"
