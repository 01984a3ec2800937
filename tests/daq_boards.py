"""Simulated boards whose every sample is known, and configurations for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import nidaqmx
import numpy as np
from nidaqmx.constants import AcquisitionType

from nrm_daq.config import DaqConfig
from nrm_daq.device import Board, BoardClock, Signal, SimulatedDaq

NAMES = (
    "deflection",
    "lockin_output_x",
    "lockin_output_y",
    "lateral",
    "potential",
    "aux_a",
    "aux_b",
    "aux_c",
)

#: Of 16 bits over -10 V to 10 V.
STEP = 20.0 / 2**16


def closed_form(channel: int, numbers: np.ndarray) -> np.ndarray:
    """Volts from -9 to 9 that differ from sample to sample and from channel to channel."""
    whole = np.floor(numbers).astype(np.int64)
    return ((whole * (7919 + 2 * channel)) % 20011) * (18.0 / 20010) - 9.0


def converted(channel: int, numbers: np.ndarray) -> np.ndarray:
    """The same after a converter of 16 bits for 10 V."""
    return np.rint(closed_form(channel, numbers) / STEP) * STEP


def signal(channel: int) -> Signal:
    return lambda numbers, rate: closed_form(channel, numbers)


def known_board(n_channels: int = 5, **changes: Any) -> Board:
    return Board({f"ai{k}": signal(k) for k in range(n_channels)}, **changes)


def config_for(daq: SimulatedDaq, n_channels: int = 5, **changes: Any) -> DaqConfig:
    """Configuration that records the first inputs of a simulated board as volts."""
    values = {
        "backend": f"remote {daq.address}",
        "channels": {NAMES[k]: {"terminal": f"Sim1/ai{k}"} for k in range(n_channels)},
    }
    return DaqConfig.from_values(values | changes)


@contextmanager
def client(daq: SimulatedDaq) -> Iterator[Any]:
    """Options with which NI's client reaches the board."""
    unlimited = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(daq.address, options=unlimited) as channel:
        yield nidaqmx.GrpcSessionOptions(channel, "")


@contextmanager
def running(
    board: Board, clock: BoardClock | None = None, rate: float = 50e3, ring: int = 500_000
) -> Iterator[tuple[nidaqmx.Task, SimulatedDaq]]:
    """A task on all inputs of a board, set up as NI's examples do, not started."""
    with (
        SimulatedDaq(board, clock) as daq,
        client(daq) as options,
        nidaqmx.Task(grpc_options=options) as task,
    ):
        for terminal in board.terminals:
            task.ai_channels.add_ai_voltage_chan(terminal, min_val=-10.0, max_val=10.0)
        task.timing.cfg_samp_clk_timing(rate, sample_mode=AcquisitionType.CONTINUOUS)
        if ring:
            task.in_stream.input_buf_size = ring
        yield task, daq
