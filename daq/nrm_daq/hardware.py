"""The board that a configuration names: reached, checked, and set up for sampling.

Everything goes through NI's own package ``nidaqmx``: to a driver on this computer, to the NI gRPC
Device Server of another one, or to the simulated board, which speaks the same protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nrm_daq.analog_input import AnalogInput
from nrm_daq.config import DaqConfig
from nrm_daq.driver import (
    DRIVER_ERRORS,
    AcquisitionType,
    DaqError,
    DAQmxErrors,
    Edge,
    RpcError,
    System,
    TaskMode,
    TerminalConfiguration,
    driver_errors_named,
    explained,
    grpc,
    nidaqmx,
)
from nrm_plugin.errors import DaqUnavailable, InvalidInput

if TYPE_CHECKING:
    from nrm_daq.device import BoardClock

_WIRING = {
    "default": TerminalConfiguration.DEFAULT,
    "differential": TerminalConfiguration.DIFF,
    "rse": TerminalConfiguration.RSE,
    "nrse": TerminalConfiguration.NRSE,
    "pseudo-differential": TerminalConfiguration.PSEUDO_DIFF,
}

#: Messages of any length; and a network that swallows everything is noticed.
_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


@dataclass(frozen=True)
class Connection:
    """A connection to NI-DAQmx.

    Attributes
    ----------
    options : object
        Of NI's package, for tasks and enumeration; None for the driver of this computer.
    place : str
        In words.
    """

    options: Any
    place: str

    def system(self) -> System:
        """Return NI's view of the computer with the boards."""
        return System.remote(self.options) if self.options else System.local()


@dataclass(frozen=True, kw_only=True)
class Device:
    """A board as it describes itself.

    Attributes
    ----------
    name, product : str
    serial : str
        In hexadecimal digits, as NI prints it.
    simulated : bool
        By this package or by NI's driver.
    simultaneous : bool
        Whether all channels are sampled at once.
    largest_rate : float
        In Hz, with several channels.
    ranges : tuple of float
        Largest voltages that can be set.
    terminals : tuple of str
        Analog inputs.
    outputs : tuple of str
        Analog outputs.
    largest_output_rate : float
        In Hz; 0 where it cannot generate by a clock.
    """

    name: str
    product: str
    serial: str
    simulated: bool
    simultaneous: bool
    largest_rate: float
    ranges: tuple[float, ...]
    terminals: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    largest_output_rate: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How a board is going to sample.

    Attributes
    ----------
    device : Device
    driver : str
        Version of NI-DAQmx.
    place : str
        Where the board is.
    rate : float
        The one that it really has, in Hz.
    ring : int
        Samples per channel that fit into its memory.
    delays : tuple of float
        How long after the first channel each one is sampled, in s.
    """

    device: Device
    driver: str
    place: str
    rate: float
    ring: int
    delays: tuple[float, ...]

    def values(self) -> dict[str, Any]:
        """What of it is written down."""
        return asdict(self)


@contextmanager
def connected(config: DaqConfig, clock: BoardClock | None = None) -> Iterator[Connection]:
    """Reach the boards that a configuration means; the simulated one is made here.

    Raises
    ------
    DaqUnavailable
    """
    with ExitStack() as stack:
        if config.backend == "local":
            yield Connection(None, "this computer")
            return
        address, place = config.address, config.address
        if config.backend == "simulated":
            from nrm_daq.device import SimulatedDaq
            from nrm_daq.device.electrode import RampingElectrode

            daq = stack.enter_context(SimulatedDaq(RampingElectrode().board(), clock))
            address, place = daq.address, "the simulator"
        channel = stack.enter_context(grpc.insecure_channel(address, options=_CHANNEL_OPTIONS))
        yield Connection(nidaqmx.GrpcSessionOptions(channel, ""), place)


def devices(connection: Connection) -> list[Device]:
    """List the boards of a connection.

    Raises
    ------
    DaqUnavailable
    """
    with driver_errors_named(connection.place):
        return [_described(device) for device in connection.system().devices]


def _described(device: Any) -> Device:
    def asked(name: str, otherwise: Any) -> Any:
        # Not every board answers every question.
        try:
            return getattr(device, name)
        except (DaqError, RpcError):
            return otherwise

    inputs = tuple(str(name) for name in device.ai_physical_chans.channel_names)
    ranges = {float(v) for v in asked("ai_voltage_rngs", ()) if v > 0}
    return Device(
        name=device.name,
        product=str(asked("product_type", "unknown board")),
        serial=f"{asked('serial_num', 0):X}",
        simulated=bool(asked("is_simulated", False)),
        simultaneous=bool(asked("ai_simultaneous_sampling_supported", False)),
        largest_rate=float(asked("ai_max_multi_chan_rate", 0.0)),
        ranges=tuple(sorted(ranges)),
        terminals=inputs,
        outputs=_outputs(device),
        largest_output_rate=float(asked("ao_max_rate", 0.0)),
    )


def _outputs(device: Any) -> tuple[str, ...]:
    try:
        return tuple(str(name) for name in device.ao_physical_chans.channel_names)
    except (DaqError, RpcError):  # a board without outputs need not answer
        return ()


@contextmanager
def prepared(connection: Connection, config: DaqConfig) -> Iterator[tuple[nidaqmx.Task, Setup]]:
    """Set up a task as the configuration says, verified by the driver, not yet started.

    Raises
    ------
    DaqUnavailable
        Without driver, server, board or terminal, or if it cannot do what is asked.
    InvalidInput
        If the channels are sampled one after the other and the configuration refuses that.
    """
    with driver_errors_named(connection.place):
        task = nidaqmx.Task(grpc_options=connection.options)
    try:
        for name, channel in config.channels.items():
            _add(task, connection, name, channel)
        with driver_errors_named("rate and ring"):
            task.timing.cfg_samp_clk_timing(
                config.rate, sample_mode=AcquisitionType.CONTINUOUS, samps_per_chan=1000
            )
            task.in_stream.input_buf_size = round(config.ring * config.rate)
        if config.trigger is not None:
            edge = Edge.RISING if config.trigger.edge == "rising" else Edge.FALLING
            with driver_errors_named(f"trigger {config.trigger.terminal}"):
                task.triggers.start_trigger.cfg_dig_edge_start_trig(config.trigger.terminal, edge)
        with driver_errors_named(
            f"{config.rate:g} samples per second of {len(config.channels)} channels"
        ):
            task.control(TaskMode.TASK_VERIFY)
        with driver_errors_named(connection.place):
            setup = _setup(task, connection, config)
        yield task, setup
    finally:
        _close(task)


def _add(task: nidaqmx.Task, connection: Connection, name: str, channel: AnalogInput) -> None:
    try:
        task.ai_channels.add_ai_voltage_chan(
            channel.terminal,
            name_to_assign_to_channel=name,
            terminal_config=_WIRING[channel.wiring],
            min_val=-channel.range,
            max_val=channel.range,
        )
    except DaqError as error:
        what = explained(error)
        missing = (DAQmxErrors.PHYSICAL_CHAN_DOES_NOT_EXIST, DAQmxErrors.INVALID_DEVICE_ID)
        if error.error_type in missing:
            inputs = [t for device in devices(connection) for t in device.terminals]
            what = f"there is no such input; there are: {', '.join(inputs) or 'none'}"
        elif error.error_type is DAQmxErrors.INVALID_ATTRIBUTE_VALUE:
            what = f"it cannot have a range of {channel.range:g} V or this wiring ({what})"
        raise DaqUnavailable(f"channels.{name}, terminal {channel.terminal}: {what}") from None
    except DRIVER_ERRORS as error:
        raise DaqUnavailable(f"channels.{name}: {explained(error)}") from None


def _setup(task: nidaqmx.Task, connection: Connection, config: DaqConfig) -> Setup:
    names = {c.terminal.strip("/").partition("/")[0] for c in config.channels.values()}
    if len(names) > 1:
        raise InvalidInput(
            f"the channels are on several boards ({', '.join(sorted(names))}), which do not "
            "share a clock: use the inputs of a single board"
        )
    system = connection.system()
    device = _described(system.devices[next(iter(names))])
    version = system.driver_version
    numbers = (version.major_version, version.minor_version, version.update_version)
    return Setup(
        device=device,
        driver=f"NI-DAQmx {'.'.join(map(str, numbers))}",
        place=connection.place,
        rate=float(task.timing.samp_clk_rate),
        ring=int(task.in_stream.input_buf_size),
        delays=_delays(task, device, config),
    )


def _delays(task: nidaqmx.Task, device: Device, config: DaqConfig) -> tuple[float, ...]:
    """How long after the first channel each one is sampled, in s."""
    n = len(config.channels)
    if device.simultaneous or n == 1:
        return (0.0,) * n
    if config.skew == "refuse":
        raise InvalidInput(
            f"{device.product} samples its channels one after the other, and the configuration "
            'says skew = "refuse"'
        )
    try:
        period = 1.0 / float(task.timing.ai_conv_rate)
    except DaqError as error:
        if config.skew == "keep":
            return (0.0,) * n
        raise DaqUnavailable(
            f"{device.product} samples its channels one after the other and does not say how "
            f'fast ({explained(error)}): with skew = "keep" they are recorded as they are'
        ) from None
    return tuple(period * number for number in range(n))


def _close(task: nidaqmx.Task) -> None:
    try:
        task.close()
    except DRIVER_ERRORS:
        return  # the board has gone, and with it the task
