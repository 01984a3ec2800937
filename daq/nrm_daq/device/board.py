"""A board with analog inputs and outputs that exists in memory, and what is connected to it.

Every sample is a function of its number, computed when it is read, so that a ring of any length
takes no memory and what was read can be compared with what it should be, sample by sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field

from nrm_daq.device.outputs import OutputWire
from nrm_daq.driver import DAQmxErrors
from nrm_plugin.columns import FloatArray

#: Volts at an input, for sample numbers (those of multiplexed channels lie in between) and the
#: sample rate in Hz.
Signal = Callable[[FloatArray, float], FloatArray]


class TimedSignal:
    """Volts at an input that depend on the board's time, as what follows an output does."""

    def at(self, numbers: FloatArray, rate: float, start: float) -> FloatArray:
        """Volts for sample numbers, of which the first was taken at board's time `start` in s."""
        raise NotImplementedError

    def __call__(self, numbers: FloatArray, rate: float) -> FloatArray:
        """Volts where the first sample is taken when the board's time begins."""
        return self.at(numbers, rate, 0.0)


class Refused(Exception):
    """What the driver answers with an error code of its own."""

    def __init__(self, code: DAQmxErrors, text: str, *, written: int = 0) -> None:
        super().__init__(f"{text}\n\nStatus Code: {code.value}")
        self.code, self.written = code, written


def range_for(board: Board, low: float, high: float, name: str) -> float:
    """Smallest range of a board that takes voltages; both ways."""
    limits = [r for r in sorted(board.ranges) if r >= max(abs(low), abs(high)) * (1 - 1e-9)]
    if not limits or not low < high:
        raise Refused(
            DAQmxErrors.INVALID_ATTRIBUTE_VALUE,
            "Requested value is not a supported value for this property.\n"
            f"Property: {name}\nRequested Value: {high:g}\n"
            f"Maximum Value: {max(board.ranges):g}",
        )
    return limits[0]


@dataclass(frozen=True)
class Board:
    """What the board is, and what is connected to it.

    Attributes
    ----------
    inputs : mapping of str to Signal or TimedSignal
        ``ai0``, ... and the volts there.
    outputs : mapping of str to OutputWire
        ``ao0``, ...
    name, product : str
    serial : int
    simultaneous : bool
        Whether every channel has a converter of its own. Otherwise one converter goes from
        channel to channel.
    largest_rate : float
        In Hz: of every channel of a simultaneous board, else of all channels together.
    bits : int
        Of the converter; 0 for one without steps.
    ranges : tuple of float
        Largest voltages that can be set, both ways.
    edges : mapping of str to float
        Digital inputs (``PFI0``) that trigger, and how long in s after the start.
    """

    inputs: Mapping[str, Signal | TimedSignal]
    _: KW_ONLY
    outputs: Mapping[str, OutputWire] = field(default_factory=dict)
    name: str = "Sim1"
    product: str = "Simulated board"
    serial: int = 0x5EED
    simultaneous: bool = True
    largest_rate: float = 1e6
    bits: int = 16
    ranges: tuple[float, ...] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    edges: Mapping[str, float] = field(default_factory=dict)

    @property
    def terminals(self) -> list[str]:
        """Full names of the inputs."""
        return [f"{self.name}/{terminal}" for terminal in self.inputs]

    @property
    def output_terminals(self) -> list[str]:
        """Full names of the outputs."""
        return [f"{self.name}/{terminal}" for terminal in self.outputs]
