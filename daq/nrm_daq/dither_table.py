"""The section ``[dither]`` of a configuration: what the board's output drives the shaker with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from nrm_daq.config_values import ConfigTable, Hertz, Seconds, Volts, in_unit
from nrm_daq.waveform import Drive
from nrm_plugin import units
from nrm_plugin.errors import InvalidInput
from nrm_plugin.text import with_unit

#: Metadata that a dither of the board says itself.
OWN = ("dither_frequency", "dither_amplitude", "dither_drive", "dither_drive_convention")

PerVolt = Annotated[
    float,
    in_unit("m/V"),
    Field(gt=0.0, allow_inf_nan=False),
]
Metres = Annotated[float, in_unit("m"), Field(gt=0.0, allow_inf_nan=False)]
Factor = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class DitherTone(ConfigTable):
    """A tone: its amplitude is in V, or in nm where it is known what a volt moves."""

    frequency: Hertz
    amplitude: float | str = Field(description='peak: "0.5 V", or "1 nm"')
    response: Factor | None = Field(
        default=None, description="motion at this frequency over that at rest"
    )


class DitherTable(ConfigTable):
    """The board's output that drives the shaker."""

    terminal: str = Field(min_length=1, description="output of the board, Dev1/ao0")
    max_voltage: Volts = Field(description="what no sample of the output is above, both ways")
    frequency: Hertz | None = None
    amplitude: float | str | None = Field(default=None, description='peak: "0.5 V", or "1 nm"')
    response: Factor | None = Field(
        default=None, description="motion at the frequency over that at rest"
    )
    sensitivity: PerVolt | None = Field(default=None, description="motion per volt at rest")
    tones: tuple[DitherTone, ...] = Field(default=(), description="further ones, at once")
    max_motion: Metres = Field(default=2e-9, description="what the peaks add up to at most")
    ramp: Annotated[Seconds, Field(ge=0.01, le=10.0)] = Field(
        default=0.2, description="time in which the dither rises and falls"
    )
    ahead: Annotated[Seconds, Field(ge=0.5, le=10.0)] = Field(
        default=2.0, description="how far the samples are written ahead"
    )
    rate: Hertz | None = Field(
        default=None, description="samples per second of the output, by default 20 per period"
    )

    def drives(self, metadata: Mapping[str, Any]) -> tuple[Drive, ...]:
        """Return the tones, checked.

        Parameters
        ----------
        metadata : mapping
            ``dither_sensitivity`` and, for the first tone, ``dither_response`` are taken from it
            where they are not given here.

        Raises
        ------
        InvalidInput
            Without frequency and amplitude; for a motion that cannot be turned into volts; above
            the largest voltage or motion.
        """
        if self.frequency is None or self.amplitude is None:
            raise InvalidInput("dither.frequency and dither.amplitude are missing")
        known = self.response or metadata.get("dither_response")
        first = DitherTone(frequency=self.frequency, amplitude=self.amplitude, response=known)
        drives = tuple(self.drive(tone, metadata) for tone in (first, *self.tones))
        if len({d.frequency for d in drives}) < len(drives):
            raise InvalidInput("two tones of the dither have the same frequency")
        self.check(drives)
        return drives

    def drive(self, tone: DitherTone, metadata: Mapping[str, Any]) -> Drive:
        """Return a tone in volts, with the motion where that is known.

        Raises
        ------
        InvalidInput
        """
        sensitivity = self.sensitivity or metadata.get("dither_sensitivity")
        moves = (
            None if sensitivity is None or tone.response is None else sensitivity * tone.response
        )
        volts, motion = self._volts(tone.amplitude, moves)
        return Drive(
            frequency=tone.frequency,
            volts=volts,
            motion=motion,
            sensitivity=sensitivity,
            response=tone.response,
        )

    def _volts(self, amplitude: float | str, moves: float | None) -> tuple[float, float | None]:
        """Amplitude in V, and in m where that is known."""
        in_metres = False
        if isinstance(amplitude, str):
            try:
                volts = units.parse(amplitude, "V")
            except InvalidInput:
                try:
                    volts, in_metres = units.parse(amplitude, "m"), True
                except InvalidInput:
                    raise InvalidInput(
                        f'dither.amplitude: {amplitude!r} is neither in V nor in nm: "0.5 V", '
                        '"1 nm"'
                    ) from None
        else:
            volts = float(amplitude)
        if in_metres and moves is None:
            raise InvalidInput(
                f"dither.amplitude = {amplitude!r} needs dither.sensitivity (motion per volt at "
                "rest) and dither.response (motion at the frequency over that at rest: 1 far below "
                "all resonances, else what nrm calibrate response says); or give it in V"
            )
        if in_metres:
            assert moves is not None
            volts /= moves
        if not 0.0 < volts < float("inf"):
            raise InvalidInput(f"dither.amplitude: {amplitude!r} is no amplitude")
        return volts, None if moves is None else volts * moves

    def check(self, drives: tuple[Drive, ...]) -> None:
        """Refuse tones whose peaks add up to too much.

        Raises
        ------
        InvalidInput
        """
        volts = sum(d.volts for d in drives)
        if volts > self.max_voltage * (1.0 + 1e-12):
            raise InvalidInput(
                f"the dither would reach {with_unit(volts, 'V')}, above dither.max_voltage = "
                f"{with_unit(self.max_voltage, 'V')}"
                + (": the peaks of all tones add up" if len(drives) > 1 else "")
            )
        motion = sum(d.motion or 0.0 for d in drives)
        if motion > self.max_motion * (1.0 + 1e-12):
            raise InvalidInput(
                f"the dither would move the sample by {with_unit(motion, 'm')}, peak, above "
                f"dither.max_motion = {with_unit(self.max_motion, 'm')}: the sum of all tones; a "
                "larger max_motion allows it"
            )


def dither_metadata(dither: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata of a recording from its header's ``dither``; what is unknown is left out."""
    said: dict[str, Any] = {}
    for number, tone in enumerate(dither["tones"], 1):
        start = "dither" if number == 1 else f"dither_{number}"
        values = {
            "frequency": tone["frequency"],
            "drive": tone["volts"],
            "drive_convention": "peak",
            "amplitude": tone["motion"],
            "response": tone["response"],
        }
        if number == 1:
            values["sensitivity"] = tone["sensitivity"]
        said |= {f"{start}_{key}": value for key, value in values.items() if value is not None}
    return said
