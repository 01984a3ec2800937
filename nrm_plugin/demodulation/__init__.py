"""The digital lock-in: X + iY of a raw lateral signal recorded beside its reference."""

from nrm_plugin.demodulation.demodulator import Demodulated, Demodulator, Tone
from nrm_plugin.demodulation.period_filter import PeriodFilter
from nrm_plugin.demodulation.raw_recording import DigitalLockIn, LockInReport, locked_in
from nrm_plugin.demodulation.reference_tone import find_frequency

__all__ = [
    "Demodulated",
    "Demodulator",
    "DigitalLockIn",
    "LockInReport",
    "PeriodFilter",
    "Tone",
    "find_frequency",
    "locked_in",
]
