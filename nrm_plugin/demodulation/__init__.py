"""The digital lock-in: X + iY of a raw lateral signal recorded beside its reference."""

from nrm_plugin.demodulation.demodulator import Demodulated, Demodulator, Tone
from nrm_plugin.demodulation.lock_in_plan import (
    DigitalLockIn,
    LockInPlan,
    found_frequencies,
    looks,
    plain_rate,
)
from nrm_plugin.demodulation.period_filter import PeriodFilter
from nrm_plugin.demodulation.raw_recording import LockInReport, locked_in
from nrm_plugin.demodulation.reference_tone import find_frequency
from nrm_plugin.demodulation.tone_choice import tones, with_tone

__all__ = [
    "Demodulated",
    "Demodulator",
    "DigitalLockIn",
    "LockInPlan",
    "LockInReport",
    "PeriodFilter",
    "Tone",
    "find_frequency",
    "found_frequencies",
    "locked_in",
    "looks",
    "plain_rate",
    "tones",
    "with_tone",
]
