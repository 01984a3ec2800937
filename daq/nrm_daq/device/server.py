"""The simulated board on a port: the part of NI's gRPC service that recording needs.

NI's own client talks to it as to a computer with NI-DAQmx and the NI gRPC Device Server. Whatever
is not written here is answered with UNIMPLEMENTED.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Self

import numpy as np

from nrm_daq.device.board import Board, Refused
from nrm_daq.device.board_clocks import BoardClock
from nrm_daq.device.board_tasks import Task
from nrm_daq.device.rack import Rack
from nrm_daq.driver import DAQmxErrors, grpc, messages
from nrm_plugin.columns import FloatArray

_SERVICE = "nidaqmx_grpc.NiDAQmx"
_VERSION = {0x1272: 24, 0x1923: 0, 0x2F22: 0}
_UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))

Method = Callable[[Any], Any]


class NotServed(Exception):
    """A request that the simulated board does not know."""


class SimulatedDaq:
    """Boards that exist in memory, served on a port of this computer; a context manager.

    Parameters
    ----------
    boards : Board or iterable of Board
    clock : BoardClock, optional
        By default real time.

    Attributes
    ----------
    rack : Rack
        The boards: unplug them here.
    address : str
        Host and port, once it runs.
    """

    def __init__(self, boards: Board | Iterable[Board], clock: BoardClock | None = None) -> None:
        self.rack = Rack([boards] if isinstance(boards, Board) else boards, clock)
        self.address = ""
        self._workers = ThreadPoolExecutor(16, "simulated board")
        self._server = grpc.server(self._workers, [_Handlers(self.rack)], options=_UNLIMITED)

    def __enter__(self) -> Self:
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self.address = f"127.0.0.1:{port}"
        return self

    def __exit__(self, *exception: object) -> None:
        self.rack.unplug()  # nobody waits for samples any more
        self._server.stop(grace=0.5).wait()
        self._workers.shutdown()


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Finds the method for a request."""

    def __init__(self, rack: Rack) -> None:
        self._methods = _methods(rack)

    def service(self, details: Any) -> Any:
        service, _, name = details.method.lstrip("/").partition("/")
        method = self._methods.get(name) if service == _SERVICE else None
        if method is None:
            return None

        def answer(request: Any, context: Any) -> bytes:
            try:
                response = method(request)
            except Refused as error:
                metadata = [("ni-error", str(error.code.value))]
                if name.startswith("Read"):
                    metadata.append(("ni-samps-per-chan-read", "0"))
                if name.startswith("Write"):
                    metadata.append(("ni-samps-per-chan-written", str(error.written)))
                context.set_trailing_metadata(metadata)
                context.abort(grpc.StatusCode.UNKNOWN, str(error))
            except NotServed:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, "the simulated board lacks this")
            return response if isinstance(response, bytes) else response.SerializeToString()

        return grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=getattr(messages, f"{name}Request").FromString
        )


def _methods(rack: Rack) -> dict[str, Method]:
    """What is served, by the names of NI's service."""

    def task(request: Any) -> Task:
        return rack.task(request.task.name)

    def create(request: Any) -> Any:
        response = messages.CreateTaskResponse(new_session_initialized=True)
        response.task.name = rack.add_task(request.session_name).name
        return response

    def done(name: str, action: Callable[[Any], object]) -> Method:
        """Return a method that answers with nothing but success."""
        response = getattr(messages, f"{name}Response")

        def method(request: Any) -> Any:
            action(request)
            return response()

        return method

    def attribute(name: str, table: Callable[[Any], dict[int, Callable[[], Any]]]) -> Method:
        """Return a method that answers with the value of an attribute."""
        response = getattr(messages, f"{name}Response")

        def method(request: Any) -> Any:
            number = request.attribute_raw or request.attribute
            entries = table(request)
            if number not in entries:
                raise NotServed(number)
            return response(value=entries[number]())

        return method

    actions: dict[str, Callable[[Any], object]] = {
        "ClearTask": lambda r: rack.clear(r.task.name),
        "StartTask": lambda r: task(r).start(),
        "StopTask": lambda r: task(r).stop(),
        "TaskControl": lambda r: task(r).control(r.action_raw or r.action),
        "CreateAIVoltageChan": lambda r: task(r).add_input(
            r.physical_channel, r.name_to_assign_to_channel, r.min_val, r.max_val
        ),
        "CreateAOVoltageChan": lambda r: task(r).add_output(
            r.physical_channel, r.min_val, r.max_val
        ),
        "WriteAnalogScalarF64": lambda r: task(r).write(
            np.array([r.value]), r.timeout, start=r.auto_start
        ),
        "SetWriteAttributeInt32": lambda r: _set_write(task(r), r),
        "CfgSampClkTiming": lambda r: task(r).set_clock(
            r.rate, r.sample_mode_raw or r.sample_mode, r.samps_per_chan
        ),
        "CfgDigEdgeStartTrig": lambda r: task(r).set_trigger(r.trigger_source),
        "SetBufferAttributeUInt32": lambda r: _set_buffer(task(r), r),
    }
    attributes: dict[str, Callable[[Any], dict[int, Callable[[], Any]]]] = {
        "GetSystemInfoAttributeUInt32": lambda r: {
            number: partial(int, value) for number, value in _VERSION.items()
        },
        "GetSystemInfoAttributeString": lambda r: {0x193B: lambda: ", ".join(rack.boards)},
        "GetTaskAttributeString": lambda r: {0x1276: lambda: task(r).name},
        "GetBufferAttributeUInt32": lambda r: {
            0x186C: lambda: task(r).ring_size,
            0x186D: lambda: task(r).playing.buffer,
        },
        "GetWriteAttributeUInt64": lambda r: {
            0x192B: lambda: task(r).playing.generated(rack.clock.now()),
            0x1458: lambda: task(r).playing.written,
        },
        "GetReadAttributeUInt32": lambda r: {
            0x217B: lambda: len(task(r).channels),
            0x1223: lambda: task(r).acquired - task(r).position,
        },
        "GetReadAttributeUInt64": lambda r: {
            0x1221: lambda: task(r).position,
            0x192A: lambda: task(r).acquired,
        },
        "GetTimingAttributeDouble": lambda r: _timing(task(r)),
        "GetDeviceAttributeString": lambda r: {
            0x0631: lambda: rack.board(r.device_name).product,
            0x231E: lambda: ", ".join(rack.board(r.device_name).terminals),
            0x231F: lambda: ", ".join(rack.board(r.device_name).output_terminals),
        },
        "GetDeviceAttributeUInt32": lambda r: {0x0632: lambda: rack.board(r.device_name).serial},
        "GetDeviceAttributeBool": lambda r: {
            0x22CA: lambda: bool(rack.board(r.device_name)),
            0x298F: lambda: rack.board(r.device_name).simultaneous,
        },
        "GetDeviceAttributeDouble": lambda r: dict.fromkeys(
            (0x298C, 0x298D, 0x2997), lambda: rack.board(r.device_name).largest_rate
        ),
        "GetDeviceAttributeDoubleArray": lambda r: {
            0x2990: lambda: [v for x in rack.board(r.device_name).ranges for v in (-x, x)]
        },
    }
    return {
        "CreateTask": create,
        "ReadAnalogF64": lambda r: _packed(
            task(r).read(r.num_samps_per_chan, r.timeout), by_channel=(r.fill_mode_raw == 0)
        ),
        "WriteAnalogF64": lambda r: messages.WriteAnalogF64Response(
            samps_per_chan_written=task(r).write(
                np.array(r.write_array, np.float64), r.timeout, start=r.auto_start
            )
        ),
        **{name: done(name, action) for name, action in actions.items()},
        **{name: attribute(name, table) for name, table in attributes.items()},
    }


def _set_buffer(task: Task, request: Any) -> None:
    number = request.attribute_raw or request.attribute
    if number not in (0x186C, 0x186D):
        raise NotServed
    (task.set_ring if number == 0x186C else task.set_buffer)(request.value)


def _set_write(task: Task, request: Any) -> None:
    if (request.attribute_raw or request.attribute) != 0x1453:
        raise NotServed
    task.set_regeneration(request.value_raw or request.value)


def _timing(task: Task) -> dict[int, Callable[[], Any]]:
    def convert_rate() -> float:
        if not task.convert_period:
            raise Refused(
                DAQmxErrors.ATTRIBUTE_NOT_SUPPORTED_IN_TASK_CONTEXT,
                "Specified property is not supported by the device.\nProperty: AIConv.Rate",
            )
        return 1.0 / task.convert_period

    return {0x1344: lambda: task.rate, 0x1848: convert_rate}


def _packed(values: FloatArray, *, by_channel: bool) -> bytes:
    """A ReadAnalogF64Response, written by hand: protobuf would copy number by number.

    Field 2 holds the samples as packed doubles, field 3 the samples per channel.
    """
    data = np.ascontiguousarray(values if by_channel else values.T, "<f8").tobytes()
    return b"".join((b"\x12", _varint(len(data)), data, b"\x18", _varint(values.shape[1])))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
