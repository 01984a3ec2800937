"""What to record, how, and with which board: one checked value, read from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from nrm_daq.analog_input import MARKER, AnalogInput, scaling
from nrm_daq.config_values import ConfigTable, Finite, Hertz, Level, Seconds, Volts, in_unit
from nrm_daq.digital_config import DIGITAL, DigitalLockInTable, LockInTone
from nrm_daq.dither_table import OWN, DitherTable
from nrm_daq.lockin_settings import FIELDS, given
from nrm_plugin import plugins, units
from nrm_plugin.demodulation import DigitalLockIn
from nrm_plugin.errors import InvalidInput, RecipeError
from nrm_plugin.hookspecs import ConnectedLockIn, LockInModel, LockInSettings
from nrm_plugin.statements import parsed
from nrm_plugin.vocabulary import METADATA, nearest


class Trigger(ConfigTable):
    """A digital edge that starts the recording."""

    terminal: str = Field(min_length=1, description="/Dev1/PFI0")
    edge: Literal["rising", "falling"] = "rising"


class Split(ConfigTable):
    """What tells ramps apart in the stream of samples."""

    by: Literal["auto", "height", "deflection", "marker"] = Field(
        default="auto", description="auto: a marker, else the height, else the deflection"
    )
    travel: Annotated[float, in_unit("m"), Field(gt=0.0, allow_inf_nan=False)] = Field(
        default=50e-9, description="height: a ramp moves at least so far"
    )
    threshold: Level | None = Field(
        default=None, description="deflection, marker: the level that counts, in the channel's unit"
    )
    pre: Seconds | None = Field(default=None, description="deflection: time before contact")
    post: Seconds | None = Field(default=None, description="deflection: time behind contact")
    pulses: bool = Field(default=False, description="marker: each rise begins a curve")
    longest: Seconds = Field(default=120.0, description="what takes longer is no curve")


class LockInTable(ConfigTable):
    """A lock-in: where to ask it, or what it is set to.

    Further keys are settings of the model's own.
    """

    model_config = ConfigDict(extra="allow")

    model: str = Field(default="sr830", description="which lock-in; nrm plugins lists them")
    address: str = Field(default="", description="GPIB0::8::INSTR; empty: the lock-in is not asked")
    sensitivity: Volts | None = Field(default=None, description="full scale, V rms")
    time_constant: Seconds | None = None
    poles: int | None = Field(default=None, description="6 dB/oct each")
    expand_x: Finite | None = Field(default=None, description="1, 10 or 100")
    expand_y: Finite | None = None
    offset_x: Annotated[Finite, in_unit("")] | None = Field(
        default=None, description='of full scale, "20 %"'
    )
    offset_y: Annotated[Finite, in_unit("")] | None = None
    frequency: Hertz | None = Field(default=None, description="of the dither")

    def given(self) -> LockInSettings:
        """Return what the lock-in is set to, as far as it is given here.

        Raises
        ------
        InvalidInput
            For values that this lock-in cannot have.
        """
        fields = {key: name for key, name in FIELDS.items() if name in type(self).model_fields}
        values = {key: getattr(self, name) for key, name in fields.items()}
        values["dither_frequency"] = self.frequency
        settings = given({k: v for k, v in values.items() if v is not None})
        check = getattr(self._kind(), "check", None)
        if check is not None:
            check(settings)
        return settings

    def connected(self) -> ConnectedLockIn:
        """Reach the lock-in.

        Raises
        ------
        DaqUnavailable, InvalidInput
        """
        lock_in: ConnectedLockIn = self._kind().connect(self.connection())
        return lock_in

    def connection(self) -> Any:
        """Return how the lock-in is reached: an instance of its ``Settings``.

        Raises
        ------
        InvalidInput
            If there is no such model, or it has no such settings.
        """
        kind = self._kind()
        try:
            return kind.Settings(address=self.address, **(self.model_extra or {}))
        except ValidationError as error:
            keys = type(self).model_fields | kind.Settings.model_fields
            raise InvalidInput(_sentence(error, lambda place: keys, "lock_in.")) from None

    def _kind(self) -> LockInModel:
        kind: LockInModel = plugins.installed().choose("lockins", self.model)
        return kind


class DaqConfig(ConfigTable):
    """What is recorded and how.

    Examples
    --------
    >>> DaqConfig.from_values({"rate": "20 kHz", "channels": {
    ...     "deflection": {"terminal": "Dev1/ai0"}}}).rate
    20000.0
    """

    backend: str = Field(default="local", description='"local", "remote HOST:PORT" or "simulated"')
    rate: Hertz = Field(default=50e3, le=10e6, description="samples per second and channel")
    ring: Annotated[Seconds, Field(ge=10.0, le=600.0)] = Field(
        default=10.0, description="how long the board's own memory reaches"
    )
    block: Annotated[Seconds, Field(ge=1e-3, le=2.0)] = Field(
        default=0.2, description="how much is read at once"
    )
    skew: Literal["correct", "refuse", "keep"] = Field(
        default="correct", description="what to do where channels are sampled one after the other"
    )
    split: Split = Split()
    experiment: str = Field(default="", description="experiment file that goes with the curves")
    channels: dict[str, AnalogInput] = Field(min_length=1)
    trigger: Trigger | None = None
    lock_in: LockInTable | DigitalLockInTable = LockInTable()
    dither: DitherTable | None = Field(default=None, description="the board's output as its drive")
    metadata: dict[str, float | str] = Field(default_factory=dict)

    @classmethod
    def from_toml(cls, path: str | PathLike[str]) -> DaqConfig:
        """Read a configuration; an experiment file is looked for beside it.

        Raises
        ------
        RecipeError
            With the nearest known key for one that is not known.
        """
        path = Path(path)
        try:
            values = parsed(path.read_text(encoding="utf-8-sig"))
            config = cls.from_values(values)
        except OSError as error:
            raise RecipeError(f"{path}: {error.strerror or error}") from None
        except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecipeError) as error:
            raise RecipeError(f"{path}: {error}") from None
        if config.experiment:
            beside = str(path.parent / config.experiment)
            config = config.model_copy(update={"experiment": beside})
        return config

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> DaqConfig:
        """Make a configuration of nested values, as a TOML file has them.

        Raises
        ------
        RecipeError
        """
        try:
            return cls.model_validate(dict(values))
        except (ValidationError, InvalidInput) as error:
            if isinstance(error, ValidationError):
                raise RecipeError(_sentence(error, _keys)) from None
            raise RecipeError(str(error)) from None

    @field_validator("lock_in", mode="before")
    @classmethod
    def _of_its_kind(cls, value: Any) -> Any:
        """Tell a lock-in in software from the others, so that mistakes are those of its keys."""
        if isinstance(value, ConfigTable):
            return value
        if not isinstance(value, Mapping):
            raise InvalidInput("lock_in is a table: write [lock_in], and its keys below")
        kind: type[ConfigTable] = (
            DigitalLockInTable if value.get("model") == DIGITAL else LockInTable
        )
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            keys = partial(_keys, kind=kind)
            raise InvalidInput(_sentence(error, keys, "lock_in.")) from None

    @classmethod
    def simulated(cls) -> DaqConfig:
        """Return a configuration for the simulated electrode."""
        from nrm_daq.device.electrode import RampingElectrode

        values = RampingElectrode().settings()
        del values["channels"][MARKER]  # ramps are found by the z sensor
        return cls.from_values(values)

    def as_simulated(self) -> DaqConfig:
        """Return the same for the simulated electrode, with its wiring and its calibrations.

        Raises
        ------
        RecipeError
            If the simulated electrode has none of the channels.
        """
        from nrm_daq.device.electrode import RAW, RampingElectrode

        raw = isinstance(self.lock_in, DigitalLockInTable)
        values = RampingElectrode().settings(raw=raw)
        wanted = {*self.channels, *(RAW if raw else ())}
        values["channels"] = {k: v for k, v in values["channels"].items() if k in wanted}
        if raw:  # of the electrode are signal, reference and tone
            values["lock_in"] = self.lock_in.model_dump(
                exclude={"signal", "reference", "frequency", "tones"}, exclude_none=True
            )
        kept = self.model_dump(include={"rate", "ring", "block", "skew", "split"})
        if self.trigger is not None:
            kept["trigger"] = {"terminal": "/Sim1/PFI0", "edge": self.trigger.edge}
        if self.dither is not None:
            kept["dither"] = self.dither.model_dump() | {"terminal": "Sim1/ao0"}
            values["metadata"] = {k: v for k, v in values["metadata"].items() if k not in OWN}
        return DaqConfig.from_values(values | kept)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.backend not in ("local", "simulated") and not self.address:
            raise InvalidInput(
                f'backend {self.backend!r} is none: use "local", "remote HOST:PORT" or "simulated"'
            )
        for name, channel in self.channels.items():
            scaling(name, channel)
        used = [c.terminal.strip("/").lower() for c in self.channels.values()]
        doubled = next((t for t in used if used.count(t) > 1), None)
        if doubled:
            raise InvalidInput(f"two channels are wired to {doubled}")
        if self.split.by not in ("auto", *self.channels):
            raise InvalidInput(f'split.by = "{self.split.by}" needs a channel of that name')
        if isinstance(self.lock_in, DigitalLockInTable):
            self.digital()
        elif self.lock_in.model_fields_set:
            self.lock_in.connection()
            self.lock_in.given()
        metadata = self.known_metadata()
        if self.dither is not None:
            given_here = self.dither.frequency is not None or self.dither.amplitude is not None
            drives = self.dither.drives(metadata) if given_here else ()
            # What a drive in volts moves may have been measured otherwise.
            unsaid = {"dither_amplitude"} if drives and drives[0].motion is None else set()
            twice = [key for key in OWN if key in metadata and key not in unsaid]
            if twice:
                raise InvalidInput(f"metadata.{twice[0]} is what [dither] says: leave it out")
        return self

    @property
    def address(self) -> str:
        """Host and port of a remote board; empty for others."""
        word, _, address = self.backend.partition(" ")
        host, _, port = address.strip().rpartition(":")
        return address.strip() if word == "remote" and host and port.isdecimal() else ""

    def digital(self) -> DigitalLockIn | None:
        """Return what a lock-in in software does; None where there is another, or none.

        Raises
        ------
        InvalidInput
        """
        if not isinstance(self.lock_in, DigitalLockInTable):
            return None
        generated: tuple[LockInTone, ...] = ()
        if self.dither is not None and self.dither.frequency is not None:
            drives = self.dither.drives(self.known_metadata())
            known = all(drive.motion is not None for drive in drives)
            generated = tuple(
                LockInTone(frequency=d.frequency, amplitude=d.motion if known else None)
                for d in drives
            )
        settings = self.lock_in.settings(self.channels, generated)
        for key, values in (
            ("dither_amplitude", settings.motions),
            ("lockin_phase", settings.phases),
        ):
            if values and key in self.metadata:
                raise InvalidInput(f"metadata.{key} is given, and by lock_in.tones: give one")
        self._check_generated(settings, generated)
        return settings

    def _check_generated(self, settings: DigitalLockIn, generated: Sequence[LockInTone]) -> None:
        """Refuse a lock-in in software that is told other tones than the board puts out."""
        put_out = tuple(tone.frequency for tone in generated)
        told = settings.frequencies
        if put_out and not settings.reference and told != put_out[: len(told)]:
            raise InvalidInput(
                f"lock_in demodulates {' and '.join(f'{f:.9g} Hz' for f in told)}, and [dither] "
                f"puts out {' and '.join(f'{f:.9g} Hz' for f in put_out)}: leave lock_in.frequency "
                "and lock_in.tones out, and those of the dither are taken, in their order"
            )
        known = any(tone.amplitude is not None for tone in generated)
        if known and isinstance(self.lock_in, DigitalLockInTable) and self.lock_in.own_motions:
            raise InvalidInput("lock_in.tones.amplitude is what [dither] says: leave it out")

    @property
    def keeps_raw(self) -> bool:
        """Whether all samples are kept beside what a lock-in in software makes of them."""
        return isinstance(self.lock_in, DigitalLockInTable) and self.lock_in.keep_raw

    def known_metadata(self) -> dict[str, float | str | bool]:
        """Metadata in SI, checked.

        Raises
        ------
        InvalidInput
        """
        metadata = {}
        for name, value in self.metadata.items():
            key = METADATA.get(name)
            if key is None:
                raise InvalidInput(
                    f"there is no key {'metadata.' + name!r}.{nearest(name, METADATA)}"
                )
            if isinstance(value, str) and not (key.text or key.words):
                value = units.parse(value, key.unit)
            metadata[name] = key.check(name, value)
        return metadata


def _sentence(
    error: ValidationError,
    keys: Callable[[tuple[int | str, ...]], Iterable[str]],
    table: str = "",
) -> str:
    """What is wrong, with the nearest known key; `keys` gives those of the table at a place."""
    sentences = []
    for item in error.errors():
        key = table + ".".join(map(str, item["loc"]))
        if item["type"] == "extra_forbidden":
            hint = nearest(str(item["loc"][-1]), keys(item["loc"][:-1]))
            sentences.append(f"there is no key {key!r}.{hint}")
        else:
            what = item["msg"].removeprefix("Value error, ")
            key = key.removesuffix(".")
            named = not key or what.startswith(key) or f"'{key}" in what
            sentences.append(what if named else f"{key}: {what}")
    return "; ".join(sentences)


def _keys(place: tuple[int | str, ...], kind: Any = None) -> Mapping[str, Any]:
    """Keys of the part at a place."""
    kind = kind or DaqConfig
    for name in place:
        field = kind.model_fields.get(str(name))
        if field is not None:  # else it is the name of a channel
            parts = (field.annotation, *get_args(field.annotation))
            kind = next((part for part in parts if hasattr(part, "model_fields")), kind)
    fields: Mapping[str, Any] = kind.model_fields
    return fields
