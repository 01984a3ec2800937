"""An SR830 lock-in over VISA (GPIB, RS-232): read, and never changed.

Commands and status bits: Stanford Research Systems, *Model SR830 manual*, chapter 5.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from nrm_daq import MissingDaqPackage
from nrm_plugin.errors import DaqUnavailable, InvalidInput
from nrm_plugin.hookspecs import LockInSettings
from nrm_plugin.vocabulary import EXPANDS

T = TypeVar("T")

#: Full scales in V rms, 2 nV to 1 V, by the number that ``SENS?`` answers.
SENSITIVITIES = tuple(float(f"{d}e{p}") for p in range(-9, 1) for d in (1, 2, 5))[1:-2]
#: Time constants in s, 10 us to 30 ks, by the number that ``OFLT?`` answers.
TIME_CONSTANTS = tuple(float(f"{d}e{p}") for p in range(-5, 5) for d in (1, 3))
#: Poles of the filter (6 dB per octave each), by the number that ``OFSL?`` answers.
POLES = (1, 2, 3, 4)
#: What ``ISRC?`` answers; the last two differ in gain.
INPUTS = ("A", "A-B", "current", "current")

#: Bits that ``LIAS?`` answers, and the faults that they mean; other bits are none.
FAULTS = {
    1: "input overload",
    2: "filter overload",
    4: "output overload",
    8: "reference unlocked",
    16: "frequency range switched",
    32: "time constant changed by itself",
}


class SR830Settings(BaseModel):
    """How an SR830 is reached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(default="", description="VISA name, GPIB0::8::INSTR; empty: not asked")
    library: str = Field(default="", description='VISA library, "@py" for PyVISA-py')
    baud_rate: int = Field(default=9600, gt=0, description="of RS-232")


class SR830:
    """An SR830 on GPIB or RS-232, opened and asked who it is.

    It is only read. The one thing ever sent that is no question is ``OUTX``, which says on which of
    its two interfaces it is to answer. Calls from several threads take turns.

    Parameters
    ----------
    address : str
        VISA's name of the instrument, such as ``GPIB0::8::INSTR`` or ``ASRL3::INSTR``.
    library : str
        VISA library to use; empty for the one that is installed, ``@py`` for PyVISA-py.
    timeout : float
        Time in s to wait for each answer.
    baud_rate : int
        Of RS-232, as set on the instrument.

    Raises
    ------
    DaqUnavailable
        Without a VISA library, without an instrument there, or if it is no SR830.
    """

    name = "sr830"
    description = "Stanford Research SR830 over VISA, read only"
    Settings = SR830Settings

    @classmethod
    def connect(cls, settings: SR830Settings) -> SR830:
        """See `nrm_plugin.hookspecs.LockInModel`."""
        return cls(settings.address, library=settings.library, baud_rate=settings.baud_rate)

    @staticmethod
    def check(settings: LockInSettings) -> None:
        """Refuse settings that no SR830 can have.

        Raises
        ------
        InvalidInput
        """
        if settings.poles not in (None, *POLES):
            raise InvalidInput(f"an SR830 has 1 to 4 poles, not {settings.poles}")
        if settings.convention != "rms":
            raise InvalidInput("an SR830 shows rms values: lockin_convention is rms")

    def __init__(
        self, address: str, *, library: str = "", timeout: float = 2.0, baud_rate: int = 9600
    ) -> None:
        try:
            import pyvisa
        except ModuleNotFoundError:
            raise MissingDaqPackage("PyVISA") from None
        self.address = address
        self._timeout, self._baud_rate = timeout, baud_rate
        self._turn = threading.Lock()
        self._errors = (pyvisa.Error, OSError, ValueError, KeyError, NotImplementedError)
        try:
            manager = pyvisa.ResourceManager(library)
        except self._errors as error:
            raise DaqUnavailable(
                f"no VISA library was found ({_brief(error)}): install NI-VISA, or PyVISA-py and "
                "give library @py, or write the lock-in's settings into the configuration"
            ) from None
        try:
            device = manager.open_resource(address)
        except self._errors as error:
            raise self._nobody(manager, error) from None
        if not isinstance(device, pyvisa.resources.MessageBasedResource):
            device.close()
            raise self._nobody(manager, InvalidInput("no GPIB or RS-232 address"))
        self._device = device
        try:
            self._greet()
        except self._errors as error:
            self.close()
            raise self._nobody(manager, error) from None
        except DaqUnavailable:
            self.close()
            raise

    def _greet(self) -> None:
        """Set up the connection and ask who is there."""
        from pyvisa.resources import SerialInstrument

        device = self._device
        device.timeout = 1000.0 * self._timeout
        device.write_termination = "\n"
        device.read_termination = "\n"
        if isinstance(device, SerialInstrument):
            device.read_termination = "\r"
            device.baud_rate = self._baud_rate
        device.write("OUTX 0" if isinstance(device, SerialInstrument) else "OUTX 1")
        self.identity = self._answer("*IDN?")
        if "SR830" not in self.identity.upper().split(","):
            raise DaqUnavailable(
                f"what answers at {self.address} is no SR830 but {self.identity!r}"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the instrument stays as it is."""
        self._device.close()

    def ask(self, question: str) -> str:
        """Return the answer to one question.

        Raises
        ------
        DaqUnavailable
            If there is none.
        """
        with self._turn:
            try:
                return self._answer(question)
            except self._errors as error:
                self._forget()
                raise DaqUnavailable(
                    f"the lock-in at {self.address} does not answer {question} "
                    f"({_brief(error)}): check cable and power, and that no other program uses it"
                ) from None

    def number(self, question: str) -> float:
        """Return the answer to one question as a finite number."""
        return self.numbers(question, 1)[0]

    def numbers(self, question: str, n: int) -> tuple[float, ...]:
        """Return the answer to one question as `n` finite numbers.

        Raises
        ------
        DaqUnavailable
            If it is something else.
        """
        answer = self.ask(question)
        try:
            values = tuple(float(part) for part in answer.split(","))
        except ValueError:
            values = ()
        if len(values) != n or not all(map(math.isfinite, values)):
            with self._turn:
                self._forget()  # perhaps the late answer to another question
            raise self._odd(question, answer)
        return values

    def choice(self, question: str, table: Sequence[T]) -> T:
        """Return the entry of a table that the instrument's answer stands for.

        Raises
        ------
        DaqUnavailable
            If it stands for none.
        """
        return self._entry(question, self.number(question), table)

    def offset_and_expand(self, axis: str) -> tuple[float, float]:
        """Offset (as a fraction of full scale) and expand of the output x or y."""
        question = f"OEXP? {'xy'.index(axis) + 1}"
        percent, number = self.numbers(question, 2)
        return percent / 100.0, self._entry(question, number, EXPANDS)

    def phase(self) -> float:
        """Shift of the reference in rad."""
        return math.radians(self.number("PHAS?"))

    def settings(self) -> LockInSettings:
        """Read all settings.

        Raises
        ------
        DaqUnavailable
            If the instrument does not answer, or not sensibly.
        """
        read = self.watched()
        current = self.choice("ISRC?", INPUTS)
        frequency = self.number("FREQ?")
        return replace(
            read,
            identity=self.identity,
            # On the current input the same numbers stand for amperes.
            sensitivity=None if current == "current" else read.sensitivity,
            output_x=self.choice("FPOP? 1", (False, True)),
            output_y=self.choice("FPOP? 2", (False, True)),
            reference_frequency=frequency if frequency > 0.0 else None,
            harmonic=int(self.number("HARM?")),
            sine_amplitude=self.number("SLVL?"),
            internal_reference=self.choice("FMOD?", (False, True)),
            synchronous=self.choice("SYNC?", (False, True)),
            input=current,
        )

    def watched(self) -> LockInSettings:
        """Read only what scales, shifts or delays X and Y: a third of the questions."""
        offset_x, expand_x = self.offset_and_expand("x")
        offset_y, expand_y = self.offset_and_expand("y")
        return LockInSettings(
            sensitivity=self.choice("SENS?", SENSITIVITIES),
            time_constant=self.choice("OFLT?", TIME_CONSTANTS),
            poles=self.choice("OFSL?", POLES),
            offset_x=offset_x,
            offset_y=offset_y,
            expand_x=expand_x,
            expand_y=expand_y,
            phase=self.phase(),
        )

    def status(self) -> dict[str, bool]:
        """Read what has happened since this was last asked; asking clears it.

        Raises
        ------
        DaqUnavailable
        """
        bits = int(self.number("LIAS?"))
        return {fault: bool(bits & bit) for bit, fault in FAULTS.items()}

    def _entry(self, question: str, number: float, table: Sequence[T]) -> T:
        if not (number.is_integer() and 0 <= number < len(table)):
            raise self._odd(question, f"{number:g}")
        return table[int(number)]

    def _answer(self, question: str) -> str:
        device = self._device
        device.write(question)
        answer = device.read_raw().decode("ascii", "replace")
        # PyVISA only warns of an answer that was cut short.
        if not answer.endswith(str(device.read_termination)):
            raise ValueError(f"the answer is cut short: {answer!r}")
        return answer.strip()

    def _forget(self) -> None:
        """Throw away what may still arrive, so that no answer meets the next question."""
        try:
            self._device.clear()
        except self._errors:
            return

    def _nobody(self, manager: Any, error: Exception) -> DaqUnavailable:
        try:
            listed = ", ".join(manager.list_resources("?*"))
        except self._errors:
            listed = ""
        return DaqUnavailable(
            f"no lock-in answers at {self.address!r} ({_brief(error)}): check address, cable and "
            f"power, and that no other program uses it; VISA lists {listed or 'nothing'}"
        )

    def _odd(self, question: str, answer: str) -> DaqUnavailable:
        return DaqUnavailable(
            f"the lock-in at {self.address} answered {answer!r} to {question}: check that no other "
            "program talks to it"
        )


def _brief(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
