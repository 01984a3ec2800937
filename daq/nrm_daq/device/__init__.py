"""A simulated NI-DAQmx board that NI's own client talks to, for use and for tests without one."""

from nrm_daq.device.board import Board, Signal, TimedSignal
from nrm_daq.device.board_clocks import BoardClock, InstantClock, ManualClock, WallClock
from nrm_daq.device.outputs import OutputWire
from nrm_daq.device.server import SimulatedDaq

__all__ = [
    "Board",
    "BoardClock",
    "InstantClock",
    "ManualClock",
    "OutputWire",
    "Signal",
    "SimulatedDaq",
    "TimedSignal",
    "WallClock",
]
