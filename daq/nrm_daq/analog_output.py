"""The board's output that drives the shaker: begun with the sampling, and always ended at 0 V.

The output has a clock of its own, from the board's one timebase as that of the inputs, and starts
with their start trigger. So it does not depend on the inputs going on: whatever ends them, the
dither fades and the output stays at 0 V. Samples are written ahead, and the board does not repeat
them: if this program is killed they run out, and the board holds the last one.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import numpy as np

from nrm_daq.dither_table import DitherTable
from nrm_daq.driver import (
    DRIVER_ERRORS,
    AcquisitionType,
    AnalogSingleChannelWriter,
    DaqError,
    DAQmxErrors,
    DaqWriteError,
    RegenerationMode,
    TaskMode,
    driver_errors_named,
    explained,
    nidaqmx,
)
from nrm_daq.hardware import Connection, Setup
from nrm_daq.waveform import Waveform
from nrm_plugin.errors import DaqUnavailable, InvalidInput

#: Samples per period where the rate of the output is not given.
PER_PERIOD = 20

#: Longest time in s that one write waits for room.
_PATIENCE = 1.0

#: Longest time in s, beyond what was written ahead, that the output may take to come to 0 V.
_LATE = 10.0


class AnalogOutput:
    """An output set up for a waveform, not started.

    Attributes
    ----------
    rate : float
        Samples per second that it really has.
    buffer : int
        Samples that are written ahead.
    """

    def __init__(self, connection: Connection, table: DitherTable, task: nidaqmx.Task) -> None:
        self.connection, self.table, self.task = connection, table, task
        self.rate = float(task.timing.samp_clk_rate)
        self.buffer = int(task.out_stream.output_buf_size)
        self.writer = AnalogSingleChannelWriter(task.out_stream)
        self._closed = False
        self.writer.verify_array_shape = False  # it would ask the driver every time

    def waveform(self) -> Waveform:
        """Return a waveform without tones for this output."""
        return Waveform(self.rate, round(self.table.ramp * self.rate), self.table.max_voltage)

    def generated(self) -> int:
        """Samples that have come out so far."""
        return int(self.task.out_stream.total_samp_per_chan_generated)

    def close(self) -> None:
        """Give the output back; it holds the last sample that came out."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(*DRIVER_ERRORS):
                self.task.close()


@contextmanager
def prepared_output(
    connection: Connection, table: DitherTable, setup: Setup, highest: float
) -> Iterator[AnalogOutput]:
    """Set up the output, verified by the driver, not yet started.

    Parameters
    ----------
    connection : Connection
    table : DitherTable
    setup : Setup
        Of the inputs that it starts with.
    highest : float
        Frequency in Hz that it has to give.

    Raises
    ------
    DaqUnavailable
        If there is no such output, or it cannot start with the inputs.
    InvalidInput
        If it is on another board.
    """
    board = table.terminal.strip("/").partition("/")[0]
    if board != setup.device.name:
        raise InvalidInput(
            f"dither.terminal {table.terminal} is not on {setup.device.name}, whose inputs are "
            "recorded: two boards do not share a clock"
        )
    most = setup.device.largest_output_rate or PER_PERIOD * highest
    rate = table.rate
    if rate is None:
        whole = max(1, int(np.ceil(PER_PERIOD * highest / setup.rate - 1e-9)))
        rate = whole * setup.rate if whole * setup.rate <= most else most
    with driver_errors_named(connection.place):
        task = nidaqmx.Task(grpc_options=connection.options)
    output = None
    try:
        _add(task, table, setup)
        with driver_errors_named(
            f"dither, {rate:g} samples per second that start with the inputs (a board without a "
            "clock for its outputs cannot do this)"
        ):
            ahead = round(table.ahead * rate)
            task.timing.cfg_samp_clk_timing(
                rate, sample_mode=AcquisitionType.CONTINUOUS, samps_per_chan=ahead
            )
            task.out_stream.output_buf_size = ahead
            task.out_stream.regen_mode = RegenerationMode.DONT_ALLOW_REGENERATION
            task.triggers.start_trigger.cfg_dig_edge_start_trig(f"/{board}/ai/StartTrigger")
            task.control(TaskMode.TASK_VERIFY)
            output = AnalogOutput(connection, table, task)
        yield output
    finally:
        if output is not None:
            output.close()
        else:
            with contextlib.suppress(*DRIVER_ERRORS):
                task.close()


def _add(task: nidaqmx.Task, table: DitherTable, setup: Setup) -> None:
    try:
        task.ao_channels.add_ao_voltage_chan(
            table.terminal, min_val=-table.max_voltage, max_val=table.max_voltage
        )
    except DaqError as error:
        what = explained(error)
        missing = (DAQmxErrors.PHYSICAL_CHAN_DOES_NOT_EXIST, DAQmxErrors.INVALID_DEVICE_ID)
        if error.error_type in missing:
            outputs = ", ".join(setup.device.outputs) or "none"
            what = f"there is no such output; there are: {outputs}"
        elif error.error_type is DAQmxErrors.INVALID_ATTRIBUTE_VALUE:
            what = f"it cannot put out {table.max_voltage:g} V ({what})"
        raise DaqUnavailable(f"dither.terminal {table.terminal}: {what}") from None
    except DRIVER_ERRORS as error:
        raise DaqUnavailable(f"dither.terminal {table.terminal}: {explained(error)}") from None


class RunningOutput:
    """An output that plays from the inputs' start on; a context manager that ends it at 0 V.

    Parameters
    ----------
    output : AnalogOutput
    waveform : Waveform
        With its first tones.
    broken : callable
        Called when the output stops by itself.

    Attributes
    ----------
    problem : str
        Why it stopped by itself; empty where it did not.
    stopped_at : float
        Time in s after the first sample at which it did, as far as is known.
    left_on : str
        Why it could not be brought to 0 V; empty where it could.
    """

    def __init__(
        self, output: AnalogOutput, waveform: Waveform, broken: Callable[[], object]
    ) -> None:
        self._output, self._waveform, self._broken = output, waveform, broken
        self._off = threading.Event()
        self._position = 0  # samples written
        self._thread = threading.Thread(target=self._run, name="board writer", daemon=True)
        self.problem, self.left_on = "", ""
        self.stopped_at = float("inf")

    def __enter__(self) -> Self:
        with driver_errors_named(f"dither at {self._output.table.terminal}"):
            self._write(self._output.buffer)
            self._output.task.start()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._off.set()
        self._thread.join(self._output.table.ahead + self._output.table.ramp + 2.0 * _LATE)
        if self._thread.is_alive() and not self.problem:
            self.problem = "the driver does not take the dither's samples any more"
        self._output.close()
        self.left_on = set_to_zero(self._output.connection, self._output.table)

    # In the writer's thread

    def _run(self) -> None:
        try:
            while not self._off.is_set():
                self._write(max(1, self._output.buffer // 8))
            self._fade()
        except DRIVER_ERRORS as error:
            self._stopped(_why(error))
        except Exception as error:  # whatever it is, the output must not stay where it is
            self._stopped(f"{type(error).__name__}: {error}")

    def _stopped(self, why: str) -> None:
        self.problem = f"the dither stopped: {why}"
        with contextlib.suppress(*DRIVER_ERRORS):
            self.stopped_at = self._output.generated() / self._output.rate
        self._broken()

    def _write(self, count: int) -> None:
        """Write the next samples, waiting for room as long as it takes."""
        values = self._waveform.samples(self._position, count)
        if not float(np.abs(values).max(initial=0.0)) <= self._waveform.max_voltage * (1.0 + 1e-12):
            raise InvalidInput("a sample above max_voltage was not written")
        while len(values):
            try:
                n = self._output.writer.write_many_sample(values, _PATIENCE)
            except DaqWriteError as error:
                if error.error_type is not DAQmxErrors.SAMPLES_CAN_NOT_YET_BE_WRITTEN:
                    raise
                n = error.samps_per_chan_written
                if self._off.is_set() and not self._output.generated():
                    return  # the inputs were never started
            self._position += n
            values = values[n:]

    def _fade(self) -> None:
        """Let the dither fade behind what has been written, and wait until that has come out."""
        if not self._output.generated():
            return
        silent = self._waveform.end(self._position)
        self._write(silent - self._position)
        piece = max(1, self._output.buffer // 8)  # not all at once: it would run dry before
        for _ in range(9):  # zeros: when they are written, the rest has come out
            self._write(piece)
        deadline = time.monotonic() + _LATE
        while self._output.generated() < silent and time.monotonic() < deadline:
            time.sleep(0.01)


def set_to_zero(connection: Connection, table: DitherTable) -> str:
    """Set the output to 0 V at once; return why that failed, empty where it did not."""
    try:
        with nidaqmx.Task(grpc_options=connection.options) as task:
            task.ao_channels.add_ao_voltage_chan(
                table.terminal, min_val=-table.max_voltage, max_val=table.max_voltage
            )
            AnalogSingleChannelWriter(task.out_stream, auto_start=True).write_one_sample(0.0)
    except DRIVER_ERRORS as error:
        return (
            f"the output {table.terminal} could not be set to 0 V ({explained(error)}): it may "
            f"hold any voltage up to {table.max_voltage:g} V; nrm dither off sets it"
        )
    return ""


def _why(error: Exception) -> str:
    code = error.error_type if isinstance(error, DaqError) else None
    if code in (
        DAQmxErrors.GEN_STOPPED_TO_PREVENT_REGEN_OF_OLD_SAMPLES,
        DAQmxErrors.GEN_STOPPED_TO_PREVENT_INTERMEDIATE_BUFFER_REGEN_OF_OLD_SAMPLES,
        DAQmxErrors.OUTPUT_FIFO_UNDERFLOW_2,
    ):
        return (
            "this computer did not write its samples in time: close other programs, or make "
            "dither.ahead longer"
        )
    return explained(error)
