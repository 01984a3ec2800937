"""The simulated board, as NI's own client sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import nidaqmx
import numpy as np
import pytest
from daq_boards import STEP, client, closed_form, converted, known_board, running
from nidaqmx.constants import AcquisitionType, FillMode, TaskMode
from nidaqmx.error_codes import DAQmxErrors
from nidaqmx.errors import DaqError, DaqReadError, RpcError
from nidaqmx.stream_readers import AnalogMultiChannelReader
from nidaqmx.system import System

from nrm_daq.device import Board, InstantClock, ManualClock, SimulatedDaq, WallClock
from nrm_daq.device.electrode import WIRING, RampingElectrode


def read(task: nidaqmx.Task, samples: int, timeout: float = 5.0) -> np.ndarray:
    out = np.empty((task.in_stream.num_chans, samples))
    assert AnalogMultiChannelReader(task.in_stream).read_many_sample(out, samples, timeout) == (
        samples
    )
    return out


# Samples


@pytest.mark.parametrize("block", [1, 1000, 7777, 100_000])
def test_every_sample_equals_the_closed_form(block: int) -> None:
    first, n = 0, max(3 * block, 60_000)
    with running(known_board(5), InstantClock()) as (task, _):
        task.start()
        for _ in range(3 if block == 1 else -(-n // block)):
            values = read(task, block)
            numbers = np.arange(first, first + block)
            for channel, volts in enumerate(values):
                np.testing.assert_array_equal(volts, converted(channel, numbers))
                assert np.abs(volts - closed_form(channel, numbers)).max() <= STEP / 2 * 1.0001
            first += block
        assert task.in_stream.curr_read_pos == first


def test_scan_by_scan() -> None:
    """The other order of samples, through the call below the readers."""
    with running(known_board(3), InstantClock()) as (task, _):
        task.start()
        out = np.empty((100, 3))
        task._interpreter.read_analog_f64(
            task._handle, 100, 5.0, FillMode.GROUP_BY_SCAN_NUMBER.value, out
        )
    assert np.array_equal(out.T, [converted(k, np.arange(100)) for k in range(3)])


def test_range_and_resolution() -> None:
    """Volts beyond the range are cut off; the step is that of the smallest sufficient range."""
    board = Board({"ai0": lambda n, rate: 0.01 * n - 5.0, "ai1": lambda n, rate: 1e-5 * n}, bits=12)
    with (
        SimulatedDaq(board, InstantClock()) as daq,
        client(daq) as options,
        nidaqmx.Task(grpc_options=options) as task,
    ):
        task.ai_channels.add_ai_voltage_chan("Sim1/ai0", min_val=-1.5, max_val=1.5)
        task.ai_channels.add_ai_voltage_chan("Sim1/ai1", min_val=-0.1, max_val=0.1)
        task.timing.cfg_samp_clk_timing(1e3, sample_mode=AcquisitionType.CONTINUOUS)
        task.start()
        volts = read(task, 1000)
    assert (volts[0].min(), volts[0].max()) == (-2.0, 2.0)
    np.testing.assert_allclose(np.diff(np.unique(volts[1])), 0.2 / 4096)


def test_multiplexed_channels_are_sampled_one_after_the_other() -> None:
    """As fast as the converter goes plus 10 us, or evenly where that takes too long."""
    ramp = {f"ai{k}": (lambda n, rate: 1e-3 * n) for k in range(4)}
    board = Board(ramp, simultaneous=False, largest_rate=250e3, bits=0)
    for rate, period in ((1e3, 4e-6 + 10e-6), (50e3, 5e-6)):
        with running(board, InstantClock(), rate) as (task, _):
            assert task.timing.ai_conv_rate == pytest.approx(1 / period)
            task.start()
            volts = read(task, 100)
            late = 1e-3 * rate * period * np.arange(4)[:, None]
            np.testing.assert_allclose(volts, 1e-3 * np.arange(100) + late, atol=1e-12)


@pytest.mark.parametrize(("asked", "given"), [(50e3, 50e3), (30e3, 1e8 / 3333), (1e3, 1e3)])
def test_rates_are_divisions_of_a_timebase(asked: float, given: float) -> None:
    with running(known_board(1), InstantClock(), asked) as (task, _):
        assert task.timing.samp_clk_rate == pytest.approx(given, rel=1e-12)


@pytest.mark.parametrize(
    ("rate", "ring"), [(50.0, 1_000), (5e3, 10_000), (50e3, 100_000), (1e6, 100_000)]
)
def test_usual_rings_are_those_of_ni_daqmx(rate: float, ring: int) -> None:
    """The table on NI's page "How is buffer size determined by NI-DAQmx"."""
    with running(known_board(1), InstantClock(), rate, ring=0) as (task, _):
        assert task.in_stream.input_buf_size == ring


# Clocks


def test_manual_clock() -> None:
    clock = ManualClock()
    with running(known_board(1), clock, 1e3) as (task, _):
        task.start()
        assert task.in_stream.total_samp_per_chan_acquired == 0
        clock.advance(0.5)
        assert task.in_stream.total_samp_per_chan_acquired == 500
        read(task, 200)
        assert task.in_stream.avail_samp_per_chan == 300
        got: list[np.ndarray] = []
        waiting = threading.Thread(target=lambda: got.append(read(task, 400)))
        waiting.start()
        clock.advance(0.099)
        time.sleep(0.1)
        assert not got
        clock.advance(0.001)
        waiting.join(5.0)
        np.testing.assert_array_equal(got[0][0], converted(0, np.arange(200, 600)))
        task.stop()
        clock.advance(10.0)
        assert task.in_stream.total_samp_per_chan_acquired == 600


def test_wall_clock_takes_its_time() -> None:
    with running(known_board(1), WallClock(), 10e3) as (task, _):
        task.start()
        begin = time.monotonic()
        read(task, 3000)
        assert 0.25 < time.monotonic() - begin < 3.0


def test_instant_clock_is_ahead_of_time() -> None:
    with running(known_board(1), InstantClock(), 1e3) as (task, _):
        task.start()
        begin = time.monotonic()
        for _ in range(40):
            read(task, 1000)
        assert time.monotonic() - begin < 10.0  # of 40 s


def test_trigger() -> None:
    clock = ManualClock()
    with running(known_board(1, edges={"PFI0": 0.2}), clock, 1e3) as (task, _):
        task.triggers.start_trigger.cfg_dig_edge_start_trig("/Sim1/PFI0")
        task.start()
        clock.advance(0.1999)
        assert task.in_stream.total_samp_per_chan_acquired == 0
        clock.advance(0.0101)
        assert task.in_stream.total_samp_per_chan_acquired == 10
        np.testing.assert_array_equal(read(task, 10)[0], converted(0, np.arange(10)))


# Errors: code, name and number of each


def overrun(task: nidaqmx.Task, daq: SimulatedDaq, clock: ManualClock) -> None:
    task.start()
    clock.advance(10.001)
    read(task, 100)


def not_yet(task: nidaqmx.Task, daq: SimulatedDaq, clock: ManualClock) -> None:
    task.start()
    clock.advance(0.05)
    threading.Timer(0.1, clock.advance, [1.0]).start()
    read(task, 60_000, timeout=0.5)


def lost(task: nidaqmx.Task, daq: SimulatedDaq, clock: ManualClock) -> None:
    task.start()
    threading.Timer(0.1, daq.rack.unplug).start()
    read(task, 1000)


def reserved(task: nidaqmx.Task, daq: SimulatedDaq, clock: ManualClock) -> None:
    task.start()
    with client(daq) as options, nidaqmx.Task(grpc_options=options) as other:
        other.ai_channels.add_ai_voltage_chan("Sim1/ai0")
        other.timing.cfg_samp_clk_timing(1e3, sample_mode=AcquisitionType.CONTINUOUS)
        other.start()


def add(terminal: str, name: str = "", **options: Any) -> Callable[..., None]:
    return lambda task, daq, clock: task.ai_channels.add_ai_voltage_chan(
        terminal, name_to_assign_to_channel=name, **options
    )


def too_fast(task: nidaqmx.Task, daq: SimulatedDaq, clock: ManualClock) -> None:
    task.timing.cfg_samp_clk_timing(2e6, sample_mode=AcquisitionType.CONTINUOUS)
    task.control(TaskMode.TASK_VERIFY)


def no_channels(task: nidaqmx.Task, daq: SimulatedDaq, clock: ManualClock) -> None:
    with client(daq) as options, nidaqmx.Task(grpc_options=options) as other:
        other.control(TaskMode.TASK_VERIFY)


def while_running(task: nidaqmx.Task, daq: SimulatedDaq, clock: ManualClock) -> None:
    task.start()
    task.in_stream.input_buf_size = 1000


def twice(task: nidaqmx.Task, daq: SimulatedDaq, clock: ManualClock) -> None:
    with client(daq) as options, nidaqmx.Task("a", grpc_options=options):
        nidaqmx.Task("a", grpc_options=options)


def trigger(task: nidaqmx.Task, daq: SimulatedDaq, clock: ManualClock) -> None:
    task.triggers.start_trigger.cfg_dig_edge_start_trig("/Sim1/PFI9")


def conversion(task: nidaqmx.Task, daq: SimulatedDaq, clock: ManualClock) -> None:
    task.timing.ai_conv_rate  # noqa: B018


def cleared(task: nidaqmx.Task, daq: SimulatedDaq, clock: ManualClock) -> None:
    daq.rack.clear(task.name)
    try:
        task.start()
    finally:
        daq.rack.add_task("_unnamedTask<0>")  # for the end of the test


@pytest.mark.parametrize(
    ("action", "name", "number"),
    [
        (overrun, "SAMPLES_NO_LONGER_AVAILABLE", -200279),
        (not_yet, "SAMPLES_NOT_YET_AVAILABLE", -200284),
        (lost, "DEV_ABSENT_OR_UNAVAILABLE", -200324),
        (reserved, "PAL_RESOURCE_RESERVED", -50103),
        (add("Sim1/ai99"), "PHYSICAL_CHAN_DOES_NOT_EXIST", -200170),
        (add("Dev7/ai0"), "INVALID_DEVICE_ID", -200220),
        (
            add("Sim1/ai0", name="a", min_val=-99.0, max_val=99.0),
            "INVALID_ATTRIBUTE_VALUE",
            -200077,
        ),
        (add("Sim1/ai0", name="a", min_val=1.0, max_val=-1.0), "INVALID_ATTRIBUTE_VALUE", -200077),
        (add("Sim1/ai0"), "CHAN_ALREADY_IN_TASK", -200489),
        (too_fast, "INVALID_ATTRIBUTE_VALUE", -200077),
        (no_channels, "CAN_NOT_PERFORM_OP_WHEN_NO_CHANS_IN_TASK", -200478),
        (while_running, "CAN_NOT_PERFORM_OP_WHILE_TASK_RUNNING", -200479),
        (twice, "DUPLICATE_TASK", -200089),
        (trigger, "INVALID_ROUTING_SOURCE_TERMINAL_NAME_ROUTING", -89120),
        (conversion, "ATTRIBUTE_NOT_SUPPORTED_IN_TASK_CONTEXT", -200452),
        (cleared, "INVALID_TASK", -200088),
    ],
)
def test_errors_are_those_of_ni(action: Callable[..., None], name: str, number: int) -> None:
    clock = ManualClock()
    with running(known_board(2), clock) as (task, daq), pytest.raises(DaqError) as caught:
        action(task, daq, clock)
    assert caught.value.error_code == number
    assert caught.value.error_type is DAQmxErrors[name]
    assert DAQmxErrors[name].value == number
    if action in (overrun, not_yet, lost):
        assert isinstance(caught.value, DaqReadError)
        assert caught.value.samps_per_chan_read == 0
    else:
        assert not isinstance(caught.value, DaqReadError)


def test_too_fast_for_one_converter() -> None:
    board = known_board(5, simultaneous=False, largest_rate=200e3)
    with running(board, InstantClock()) as (task, _), pytest.raises(DaqError) as caught:
        task.start()
    assert caught.value.error_code == -200081


def test_channels_of_two_boards() -> None:
    boards = [known_board(1), known_board(1, name="Sim2")]
    with (
        SimulatedDaq(boards) as daq,
        client(daq) as options,
        nidaqmx.Task(grpc_options=options) as task,
    ):
        task.ai_channels.add_ai_voltage_chan("Sim1/ai0")
        with pytest.raises(DaqError) as caught:
            task.ai_channels.add_ai_voltage_chan("Sim2/ai0")
    assert caught.value.error_code == -200558


def test_a_ring_that_ran_over_stays_so() -> None:
    clock = ManualClock()
    with running(known_board(1), clock, 1e3, ring=5000) as (task, _):
        task.start()
        clock.advance(5.0)
        read(task, 100)  # 4900 left: the ring is full and whole
        clock.advance(0.2)
        for _ in range(2):
            with pytest.raises(DaqReadError) as caught:
                read(task, 100)
            assert caught.value.error_code == -200279


def test_the_board_is_free_again_after_a_stop() -> None:
    with running(known_board(1), InstantClock()) as (task, daq):
        task.start()
        task.stop()
        with client(daq) as options, nidaqmx.Task(grpc_options=options) as other:
            other.ai_channels.add_ai_voltage_chan("Sim1/ai0", min_val=-10.0, max_val=10.0)
            other.timing.cfg_samp_clk_timing(1e3, sample_mode=AcquisitionType.CONTINUOUS)
            other.start()
            np.testing.assert_array_equal(read(other, 10)[0], converted(0, np.arange(10)))


@pytest.mark.parametrize(
    "call",
    [
        lambda task: task.in_stream.overloaded_chans_exist,
        lambda task: task.do_channels.add_do_chan("Sim1/port0/line0"),
        lambda task: task.timing.ai_conv_timebase_src,
        lambda task: task.devices[0].ai_gains,
        lambda task: task.register_every_n_samples_acquired_into_buffer_event(100, print),
    ],
)
def test_what_is_not_written_is_unimplemented(call: Callable[[nidaqmx.Task], object]) -> None:
    with (
        running(known_board(1), InstantClock()) as (task, _),
        pytest.raises(RpcError, match="UNIMPLEMENTED"),
    ):
        call(task)


def test_enumeration() -> None:
    board = known_board(3, name="Dev2", product="USB-6216", serial=0xBEEF, simultaneous=False)
    with SimulatedDaq([board, known_board(1)]) as daq, client(daq) as options:
        system = System.remote(options)
        assert system.devices.device_names == ["Dev2", "Sim1"]
        device = system.devices["Dev2"]
        assert (device.product_type, device.serial_num) == ("USB-6216", 0xBEEF)
        assert device.is_simulated
        assert not device.ai_simultaneous_sampling_supported
        assert device.ai_physical_chans.channel_names == ["Dev2/ai0", "Dev2/ai1", "Dev2/ai2"]
        assert max(device.ai_voltage_rngs) == 10.0


def test_nobody_hangs_when_the_simulator_ends() -> None:
    """A reader that waits for samples which never come is released."""
    ended: list[Exception] = []

    def wait(task: nidaqmx.Task) -> None:
        try:
            read(task, 100, timeout=-1.0)
        except (DaqError, RpcError) as error:
            ended.append(error)

    with running(known_board(1), ManualClock()) as (task, daq):
        task.start()
        thread = threading.Thread(target=wait, args=[task])
        thread.start()
        time.sleep(0.1)
        daq.rack.unplug()
        thread.join(5.0)
        assert not thread.is_alive()
        assert len(ended) == 1


# The electrode


@pytest.fixture(scope="module")
def electrode() -> Iterator[RampingElectrode]:
    return RampingElectrode()


@pytest.mark.parametrize("role", list(WIRING))
def test_the_electrode_does_not_depend_on_blocks(electrode: RampingElectrode, role: str) -> None:
    rate = 4e3
    inputs = electrode.board().inputs
    numbers = np.arange(35_000.0)
    whole = inputs[WIRING[role]](numbers, rate)
    cuts = [1, 7, 4000, 9999, 10_000, 10_001, 20_003, 30_000]
    other = electrode.board().inputs  # a cache of its own
    pieces = [other[WIRING[role]](part, rate) for part in np.split(numbers, cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_the_electrode_ramps_often_enough(electrode: RampingElectrode) -> None:
    assert electrode.period <= 3.0
    height = electrode.height(0, 4e3)
    assert len(height) == 10_000
    assert height[0] == height[-1] == height.max()
    assert np.ptp(height) == pytest.approx(electrode.length)


def test_the_electrode_is_the_one_of_the_simulator(electrode: RampingElectrode) -> None:
    """Deflection at the turn, height of the contact, and growth with falling potential."""
    volts = electrode.cycle(0, 4e3)
    sensitivity = electrode.instrument.deflection_sensitivity
    assert volts["deflection"].max() * sensitivity == pytest.approx(electrode.trigger, abs=1e-9)
    assert electrode.equilibrium(0).contact == 0.0
    assert electrode.interphase(0).thickness < electrode.interphase(40).thickness
    assert np.abs(volts["lockin_output_x"]).max() < 10.0


def test_an_electrode_without_lock_in_is_refused() -> None:
    from nrm_plugin import simulate as sim
    from nrm_plugin.errors import InvalidInput

    with pytest.raises(InvalidInput, match="sensitivity"):
        RampingElectrode(instrument=sim.Instrument(lateral_stiffness=80.0))
    with pytest.raises(InvalidInput, match="period"):
        RampingElectrode(period=1.0)
