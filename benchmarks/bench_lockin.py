"""The digital lock-in: how many times faster than the samples come."""

from __future__ import annotations

from functools import partial

import numpy as np
from measure import Cost, Table

from nrm_plugin.demodulation import Demodulator, PeriodFilter, Tone

RATE, SECONDS, BLOCK = 200e3, 1.0, 20_000


def demodulate(signal: np.ndarray, reference: np.ndarray, tones: list[Tone]) -> None:
    """A stream in blocks of a tenth of a second."""
    chosen = PeriodFilter.matched(RATE, [tone.demodulated for tone in tones])
    lock_in = Demodulator(tones, chosen, chosen.box // 4)
    for i in range(0, len(signal), BLOCK):
        lock_in.push(signal[i : i + BLOCK], reference[i : i + BLOCK])


def measure(table: Table) -> None:
    """See `run`."""
    if not table.wants("demodulate 1 s of two channels at 200 kS/s"):
        return
    time = np.arange(round(SECONDS * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal(len(time))
    reference = np.sin(2 * np.pi * 1234.5 * time) + np.sin(2 * np.pi * 1834.5 * time)
    signal = noise + reference
    one = [Tone(1234.5)]
    run = partial(partial, demodulate, signal, reference)

    def note(cost: Cost) -> str:
        return f"{SECONDS / cost.processor:.0f} times real time" if cost.processor else ""

    table.compare(
        {
            "copy": lambda: (signal.copy(), reference.copy()),
            "one tone": run(one),
            "and its third harmonic": run([*one, Tone(1234.5, 3)]),
            "two tones": run([*one, Tone(1834.5)]),
        },
        note=note,
    )
