"""An SR830 lock-in over VISA (GPIB, RS-232): read, and never changed.

Commands and status bits: Stanford Research Systems, *Model SR830 manual*, chapter 5.
"""

from __future__ import annotations

from dataclasses import replace

from nrm_daq.visa_lockin import VisaLockIn
from nrm_plugin.hookspecs import LockInSettings
from nrm_plugin.vocabulary import EXPANDS

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


class SR830(VisaLockIn):
    """An SR830 on GPIB or RS-232; see `VisaLockIn`."""

    name = "sr830"
    description = "Stanford Research SR830 over VISA, read only"
    model = "SR830"
    faults = FAULTS

    def offset_and_expand(self, axis: str) -> tuple[float, float]:
        """Offset (as a fraction of full scale) and expand of the output x or y."""
        question = f"OEXP? {'xy'.index(axis) + 1}"
        percent, number = self.numbers(question, 2)
        return percent / 100.0, self._entry(question, number, EXPANDS)

    def settings(self) -> LockInSettings:
        """Read all settings.

        Raises
        ------
        DaqUnavailable
            If the instrument does not answer, or not sensibly.
        """
        read = self.watched()
        current = self.choice("ISRC?", INPUTS)
        return replace(
            read,
            identity=self.identity,
            # On the current input the same numbers stand for amperes.
            sensitivity=None if current == "current" else read.sensitivity,
            output_x=self.choice("FPOP? 1", (False, True)),
            output_y=self.choice("FPOP? 2", (False, True)),
            reference_frequency=self.reference_frequency(),
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
