"""SR860 and SR865A lock-ins over VISA (GPIB, USB, Ethernet, RS-232): read, and never changed.

Commands and status bits: Stanford Research Systems, *SR860* and *SR865A Operation Manual*,
chapter 4.
"""

from __future__ import annotations

from dataclasses import replace

from nrm_daq.visa_lockin import VisaLockIn
from nrm_plugin.hookspecs import LockInSettings
from nrm_plugin.vocabulary import EXPANDS

#: Full scales in V rms, 1 V to 1 nV, by the number that ``SCAL?`` answers.
SCALES = (1.0, *(float(f"{d}e{p}") for p in range(-1, -10, -1) for d in (5, 2, 1)))
#: Time constants in s, 1 us to 30 ks, by the number that ``OFLT?`` answers.
FILTER_TIMES = tuple(float(f"{d}e{p}") for p in range(-6, 5) for d in (1, 3))

#: Bits that ``LIAS?`` answers, and the faults that they mean; other bits are none.
FAULTS = {
    1 << 0: "output overload of CH1",
    1 << 1: "output overload of CH2",
    1 << 3: "reference unlocked",
    1 << 4: "input overload",
    1 << 5: "synchronous filter out of its range",
    1 << 6: "synchronous filter overload",
}


class SR860(VisaLockIn):
    """An SR860; see `VisaLockIn`.

    With its advanced filters on, poles and lag are other than those of RC filters: the poles are
    not known then.
    """

    name = "sr860"
    description = "Stanford Research SR860 over VISA, read only"
    model = "SR860"
    faults = FAULTS
    chooses_interface = False

    def offset(self, axis: int) -> float:
        """Offset of the output x (0) or y (1), as a fraction of full scale; 0 where it is off."""
        if not self.choice(f"COFA? {axis}", (False, True)):
            return 0.0
        return self.number(f"COFP? {axis}") / 100.0

    def settings(self) -> LockInSettings:
        """Read all settings.

        Raises
        ------
        DaqUnavailable
            If the instrument does not answer, or not sensibly.
        """
        read = self.watched()
        current = self.choice("IVMD?", (False, True))
        return replace(
            read,
            identity=self.identity,
            # On the current input the same numbers stand for amperes.
            sensitivity=None if current else read.sensitivity,
            # A ratio divides X and Y by an auxiliary input: they are no volts then.
            output_x=self.choice("COUT? 0", (True, False)) and not self.number("CRAT? 0"),
            output_y=self.choice("COUT? 1", (True, False)) and not self.number("CRAT? 1"),
            reference_frequency=self.reference_frequency(),
            harmonic=int(self.number("HARM?")),
            sine_amplitude=self.number("SLVL?"),
            internal_reference=self.choice("RSRC?", (True, False, False, False)),
            synchronous=self.choice("SYNC?", (False, True)),
            input="current" if current else self.choice("ISRC?", ("A", "A-B")),
        )

    def watched(self) -> LockInSettings:
        """Read only what scales, shifts or delays X and Y."""
        advanced = self.choice("ADVFILT?", (False, True))
        return LockInSettings(
            sensitivity=self.choice("SCAL?", SCALES),
            time_constant=self.choice("OFLT?", FILTER_TIMES),
            poles=None if advanced else self.choice("OFSL?", self.poles_known),
            offset_x=self.offset(0),
            offset_y=self.offset(1),
            expand_x=self.choice("CEXP? 0", EXPANDS),
            expand_y=self.choice("CEXP? 1", EXPANDS),
            phase=self.phase(),
        )


class SR865A(SR860):
    """An SR865A: as an SR860, to higher frequencies."""

    name = "sr865a"
    description = "Stanford Research SR865A over VISA, read only"
    model = "SR865A"
