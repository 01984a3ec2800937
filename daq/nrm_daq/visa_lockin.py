"""Lock-ins over VISA (GPIB, RS-232, USB, Ethernet): questions and answers, nothing is changed."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from nrm_daq import MissingDaqPackage, brief
from nrm_plugin.errors import DaqUnavailable, InvalidInput
from nrm_plugin.hookspecs import LockInSettings

T = TypeVar("T")


class VisaSettings(BaseModel):
    """How a lock-in is reached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(default="", description="VISA name, GPIB0::8::INSTR; empty: not asked")
    library: str = Field(default="", description='VISA library, "@py" for PyVISA-py')
    baud_rate: int = Field(default=9600, gt=0, description="of RS-232")


class VisaLockIn:
    """A lock-in of Stanford Research Systems, opened and asked who it is.

    It is only read. The one thing ever sent that is no question is ``OUTX``, which says on which of
    its two interfaces an older one is to answer. Calls from several threads take turns.

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

    Attributes
    ----------
    name, description : str
    model : str
        As the instrument calls itself.
    faults : dict of int to str
        Faults by the bits that ``LIAS?`` answers.
    poles_known : tuple of int
        Poles that its filter can have.
    chooses_interface : bool
        Whether it must be told where to answer.

    Raises
    ------
    DaqUnavailable
        Without a VISA library, without an instrument there, or if it is another one.
    """

    name: str
    description: str
    model: ClassVar[str]
    faults: ClassVar[dict[int, str]]
    poles_known: ClassVar[tuple[int, ...]] = (1, 2, 3, 4)
    chooses_interface: ClassVar[bool] = True
    Settings = VisaSettings

    @classmethod
    def connect(cls, settings: VisaSettings) -> Self:
        """See `nrm_plugin.hookspecs.LockInModel`."""
        return cls(settings.address, library=settings.library, baud_rate=settings.baud_rate)

    @classmethod
    def check(cls, settings: LockInSettings) -> None:
        """Refuse settings that it cannot have.

        Raises
        ------
        InvalidInput
        """
        if settings.poles not in (None, *cls.poles_known):
            raise InvalidInput(f"an {cls.model} has 1 to 4 poles, not {settings.poles}")
        if settings.convention != "rms":
            raise InvalidInput(f"an {cls.model} shows rms values: lockin_convention is rms")

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
                f"no VISA library was found ({brief(error)}): install NI-VISA, or PyVISA-py and "
                "give library @py, or write the lock-in's settings into the configuration"
            ) from None
        try:
            device = manager.open_resource(address)
        except self._errors as error:
            raise self._nobody(manager, error) from None
        if not isinstance(device, pyvisa.resources.MessageBasedResource):
            device.close()
            raise self._nobody(manager, InvalidInput("no address of an instrument"))
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
        if self.chooses_interface:
            device.write("OUTX 0" if isinstance(device, SerialInstrument) else "OUTX 1")
        self.identity = self._answer("*IDN?")
        if self.model not in self.identity.upper().split(","):
            raise DaqUnavailable(
                f"what answers at {self.address} is no {self.model} but {self.identity!r}"
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
                    f"({brief(error)}): check cable and power, and that no other program uses it"
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

    def phase(self) -> float:
        """Shift of the reference in rad."""
        return math.radians(self.number("PHAS?"))

    def reference_frequency(self) -> float | None:
        """Frequency of the reference in Hz; None where it is not known."""
        frequency = self.number("FREQ?")
        return frequency if frequency > 0.0 else None

    def status(self) -> dict[str, bool]:
        """Read what has happened since this was last asked; asking clears it.

        Raises
        ------
        DaqUnavailable
        """
        bits = int(self.number("LIAS?"))
        return {fault: bool(bits & bit) for bit, fault in self.faults.items()}

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
            f"no lock-in answers at {self.address!r} ({brief(error)}): check address, cable and "
            f"power, and that no other program uses it; VISA lists {listed or 'nothing'}"
        )

    def _odd(self, question: str, answer: str) -> DaqUnavailable:
        return DaqUnavailable(
            f"the lock-in at {self.address} answered {answer!r} to {question}: check that no other "
            "program talks to it"
        )
