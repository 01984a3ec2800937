"""An SR844 radio-frequency lock-in over VISA (GPIB, RS-232): read, and never changed.

Commands and status bits: Stanford Research Systems, *Model SR844 User's Manual*, chapter 4.
"""

from __future__ import annotations

from dataclasses import replace

from nrm_daq.visa_lockin import VisaLockIn
from nrm_plugin.hookspecs import LockInSettings

#: Full scales in V rms, 100 nV to 1 V, by the number that ``SENS?`` answers.
FULL_SCALES = (*(float(f"{d}e{p}") for p in range(-7, 0) for d in (1, 3)), 1.0)
#: Time constants in s, 100 us to 30 ks, by the number that ``OFLT?`` answers.
LOW_PASSES = tuple(float(f"{d}e{p}") for p in range(-4, 5) for d in (1, 3))
#: Poles by the number that ``OFSL?`` answers; the first is no filter.
SLOPES = (None, 1, 2, 3, 4)

#: Bits that ``LIAS?`` answers, and the faults that they mean; other bits are none.
FAULTS = {
    1 << 0: "reference unlocked",
    1 << 1: "reference out of range",
    1 << 4: "input overload",
    1 << 5: "intermediate overload",
    1 << 6: "filter overload",
    1 << 7: "reference changed by more than 1 %",
    1 << 8: "output overload of CH1",
    1 << 9: "output overload of CH2",
}


class SR844(VisaLockIn):
    """An SR844; see `VisaLockIn`.

    Its expands and offsets are not read: a configuration has to give them, with the sign of an
    SR830's, ``V = (X / sensitivity - offset) expand 10 V``. The SR844 itself adds its offset.
    """

    name = "sr844"
    description = "Stanford Research SR844 over VISA, read only"
    model = "SR844"
    faults = FAULTS

    def settings(self) -> LockInSettings:
        """Read all settings.

        Raises
        ------
        DaqUnavailable
            If the instrument does not answer, or not sensibly.
        """
        return replace(
            self.watched(),
            identity=self.identity,
            output_x=self.number("DDEF? 1") == 0.0,
            output_y=self.number("DDEF? 2") == 0.0,
            reference_frequency=self.reference_frequency(),
            # 0 for F, 1 for 2F.
            harmonic=self.choice("HARM?", (1, 2)),
            internal_reference=self.choice("FMOD?", (False, True)),
            synchronous=False,
            input="A",
        )

    def watched(self) -> LockInSettings:
        """Read only what scales or delays X and Y."""
        return LockInSettings(
            sensitivity=self.choice("SENS?", FULL_SCALES),
            time_constant=self.choice("OFLT?", LOW_PASSES),
            poles=self.choice("OFSL?", SLOPES),
            phase=self.phase(),
        )
