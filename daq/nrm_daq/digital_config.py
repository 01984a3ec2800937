"""The section ``[lock_in]`` of a configuration with ``model = "digital"``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nrm_daq.config_values import ConfigTable, Hertz, in_unit
from nrm_plugin.demodulation import DigitalLockIn
from nrm_plugin.errors import InvalidInput

#: What the model is called.
DIGITAL = "digital"
#: The channel that is the reference where none is named.
REFERENCE = "reference"

Metres = Annotated[float, in_unit("m"), Field(gt=0.0, allow_inf_nan=False)]
Radians = Annotated[float, in_unit("rad"), Field(allow_inf_nan=False)]


class LockInTone(ConfigTable):
    """A tone of the dither."""

    frequency: Hertz
    amplitude: Metres | None = Field(default=None, description="motion of the sample, peak")
    phase: Radians | None = Field(default=None, description="lockin_phase at this frequency")


class DigitalLockInTable(ConfigTable):
    """A lock-in in software, which works while it is recorded."""

    model: Literal["digital"] = "digital"
    signal: str = Field(default="lateral", description="channel of the raw lateral signal")
    reference: str = Field(
        default="", description="channel of the reference; empty: reference, if it is recorded"
    )
    frequency: Hertz | None = Field(default=None, description="of one tone")
    tones: tuple[LockInTone, ...] = Field(default=(), description="several tones, the main first")
    harmonics: tuple[int, ...] = Field(default=(), description="of the first tone")
    poles: int = Field(default=4, description="means over whole periods, one behind the other")
    periods: int | None = Field(default=None, description="of the slowest tone in each mean")
    bandwidth: Hertz | None = Field(default=None, description="equivalent noise bandwidth; 80 Hz")
    output_rate: Hertz | None = Field(default=None, description="values per second")
    convention: Literal["rms", "peak"] = Field(default="rms", description="what X and Y are")
    keep_raw: bool = Field(default=False, description="keep all samples, too, in OUT.raw.h5")
    largest_motion: Metres = Field(default=2e-9, description="of several tones together")

    @model_validator(mode="after")
    def _check_once(self) -> Self:
        if self.frequency is not None and self.tones:
            raise InvalidInput("lock_in has frequency and tones: give one tone, or several")
        if self.periods is not None and self.bandwidth is not None:
            raise InvalidInput("lock_in has periods and bandwidth, which say the same: give one")
        for key in ("amplitude", "phase"):
            if len({getattr(tone, key) is None for tone in self.tones}) > 1:
                raise InvalidInput(f"lock_in.tones: give the {key} of each tone, or of none")
        return self

    @property
    def own_motions(self) -> tuple[float, ...]:
        """Amplitudes in m that are given here."""
        return tuple(tone.amplitude for tone in self.tones if tone.amplitude is not None)

    def reference_of(self, channels: Collection[str]) -> str:
        """Name of the reference's channel; empty where there is none."""
        return self.reference or (REFERENCE if REFERENCE in channels else "")

    def settings(
        self, channels: Collection[str], generated: Sequence[LockInTone] = ()
    ) -> DigitalLockIn:
        """Return what is demodulated and how.

        Parameters
        ----------
        channels : collection of str
            That are recorded.
        generated : sequence of LockInTone
            What the board itself puts out, for a lock-in that is told no frequency.

        Raises
        ------
        InvalidInput
            If the signal is not recorded, or nothing says what the reference is.
        """
        reference = self.reference_of(channels)
        for key, name in (("signal", self.signal), ("reference", reference)):
            if name and name not in channels:
                raise InvalidInput(f"lock_in.{key}: there is no channel channels.{name}")
        tones = self.tones
        if not tones and self.frequency is None and not reference:
            tones = tuple(generated)
        frequencies = tuple(tone.frequency for tone in tones)
        if self.frequency is not None:
            frequencies = (self.frequency,)
        if not reference and not frequencies:
            raise InvalidInput(
                "lock_in: nothing says what the dither's frequency is: record the reference as "
                "channels.reference, or give lock_in.frequency"
            )
        settings = DigitalLockIn(
            signal=self.signal,
            reference=reference,
            frequencies=frequencies,
            harmonics=self.harmonics,
            motions=tuple(t.amplitude for t in tones if t.amplitude is not None),
            phases=tuple(t.phase for t in tones if t.phase is not None),
            largest_motion=self.largest_motion,
            poles=self.poles,
            periods=self.periods,
            bandwidth=80.0 if self.bandwidth is None else self.bandwidth,
            output_rate=self.output_rate,
            convention=self.convention,
        )
        settings.check()
        taken = [n for n in channels if n.startswith("lateral_")]
        if taken:
            raise InvalidInput(f"channels.{taken[0]}: the lock-in in software makes this channel")
        return settings
