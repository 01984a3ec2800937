"""NI-DAQmx through NI's own package, in the one place that imports it, and its errors in words.

The package belongs to the extra ``daq``: importing this module without it raises
`MissingDaqPackage`. Everything else takes NI's names from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nrm_daq import MissingDaqPackage
from nrm_plugin.errors import DaqUnavailable

try:
    import grpc
    import nidaqmx
    from nidaqmx._stubs import nidaqmx_pb2 as messages
    from nidaqmx.constants import (
        AcquisitionType,
        Edge,
        RegenerationMode,
        TaskMode,
        TerminalConfiguration,
    )
    from nidaqmx.error_codes import DAQmxErrors
    from nidaqmx.errors import (
        DaqError,
        DaqNotFoundError,
        DaqNotSupportedError,
        DaqWriteError,
        RpcError,
    )
    from nidaqmx.stream_readers import AnalogMultiChannelReader
    from nidaqmx.stream_writers import AnalogSingleChannelWriter
    from nidaqmx.system import System
except ModuleNotFoundError:
    raise MissingDaqPackage("nidaqmx") from None

__all__ = [
    "DRIVER_ERRORS",
    "AcquisitionType",
    "AnalogMultiChannelReader",
    "AnalogSingleChannelWriter",
    "DAQmxErrors",
    "DaqError",
    "DaqWriteError",
    "Edge",
    "RegenerationMode",
    "RpcError",
    "System",
    "TaskMode",
    "TerminalConfiguration",
    "driver_errors_named",
    "explained",
    "grpc",
    "messages",
    "nidaqmx",
]

DRIVER_ERRORS = (DaqError, DaqNotFoundError, DaqNotSupportedError, RpcError)

#: What the driver reports for a board that has been unplugged or switched off.
GONE = {
    DAQmxErrors.DEV_ABSENT_OR_UNAVAILABLE,
    DAQmxErrors.DEVICE_REMOVED,
    DAQmxErrors.DEV_CANNOT_BE_ACCESSED,
    DAQmxErrors.RUNTIME_ABORTED_ROUTING,
    DAQmxErrors.PAL_TRANSFER_ABORTED,
}


@contextmanager
def driver_errors_named(where: str) -> Iterator[None]:
    """Turn what NI's package raises into one sentence.

    Raises
    ------
    DaqUnavailable
    """
    try:
        yield
    except DRIVER_ERRORS as error:
        absent = isinstance(error, DaqNotFoundError | DaqNotSupportedError)
        text = explained(error)
        raise DaqUnavailable(text if absent else f"{where}: {text}") from None


def explained(error: Exception) -> str:
    """What an error of NI's package means, and what to do."""
    if isinstance(error, DaqNotFoundError):
        return (
            "NI-DAQmx is not installed on this computer: install NI's driver, reach a computer "
            'that has it with backend = "remote HOST:PORT", or try --simulate'
        )
    if isinstance(error, DaqNotSupportedError):
        return (
            "NI-DAQmx does not exist for this kind of computer: reach one that has it with "
            'backend = "remote HOST:PORT", or try --simulate'
        )
    if isinstance(error, RpcError):
        if "UNAVAILABLE" in str(error):
            return (
                "no NI gRPC Device Server answers: start it there, and check address and firewall"
            )
        return " ".join(str(error).split())
    assert isinstance(error, DaqError)
    code = error.error_type
    first = str(error).strip().splitlines()[0]
    if code is DAQmxErrors.PAL_RESOURCE_RESERVED:
        return "the board is in use by another program or task: close that first"
    if code in GONE:
        return f"the board has gone: check its cable and power ({first})"
    return f"{first} (NI-DAQmx error {error.error_code})"
