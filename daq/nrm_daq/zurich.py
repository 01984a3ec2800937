"""Lock-ins of Zurich Instruments (MFLI, HF2LI) through LabOne's data server: read, never changed.

X and Y reach the board by two auxiliary outputs, ``V = scale (X + preoffset) + offset`` with X in
V rms. Nodes: Zurich Instruments, *MFLI* and *HF2 User Manual*, "Device Node Tree".
"""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from nrm_daq import brief
from nrm_plugin.errors import DaqUnavailable, InvalidInput, MissingPackage
from nrm_plugin.hookspecs import LockInSettings

#: Port of the data server for HF2 instruments, which know API level 1 only; and others' level.
_PORT_HF2, _LEVEL_HF2, _LEVEL = 8005, 1, 6

#: Volts at the output that count as its full scale.
_FULL = 10.0

#: What ``outputselect`` says for X and Y of a demodulator.
_X, _Y = 0, 1


class MissingZurichPackage(MissingPackage, DaqUnavailable):
    """zhinst-core is not installed."""

    def __init__(self) -> None:
        super().__init__("zhinst-core", "zurich")


class ZurichSettings(BaseModel):
    """How the instrument is reached, and what of it is recorded; numbers are those on its panel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(default="", description="device, dev3456; empty: not asked")
    host: str = Field(default="localhost", description="computer of the data server")
    port: int = Field(default=8004, gt=0, lt=65536, description="8004; of an HF2, 8005")
    demodulator: int = Field(default=1, ge=1, le=8)
    aux_x: int = Field(default=1, ge=1, le=4, description="auxiliary output that carries X")
    aux_y: int = Field(default=2, ge=1, le=4, description="auxiliary output that carries Y")


class ZurichLockIn:
    """An MFLI or HF2LI that LabOne's data server is connected to. Calls take turns.

    Raises
    ------
    DaqUnavailable
        Without zhinst-core, a data server, or the instrument on it.
    """

    name = "zurich"
    description = "Zurich Instruments MFLI or HF2LI through LabOne, read only"
    Settings = ZurichSettings

    @classmethod
    def connect(cls, settings: ZurichSettings) -> ZurichLockIn:
        """See `nrm_plugin.hookspecs.LockInModel`."""
        return cls(settings)

    @staticmethod
    def check(settings: LockInSettings) -> None:
        """Refuse settings that it cannot have.

        Raises
        ------
        InvalidInput
        """
        if settings.convention != "rms":
            raise InvalidInput("LabOne gives rms values: lockin_convention is rms")

    def __init__(self, settings: ZurichSettings) -> None:
        try:
            from zhinst import core
        except ModuleNotFoundError:
            raise MissingZurichPackage from None
        self._set = settings
        self._device = settings.address.strip("/").lower()
        self._turn = threading.Lock()
        where = f"{settings.host}:{settings.port}"
        level: Any = _LEVEL_HF2 if settings.port == _PORT_HF2 else _LEVEL
        try:
            self._server: Any = core.ziDAQServer(
                settings.host, settings.port, level, allow_version_mismatch=True
            )
        except (RuntimeError, OSError) as error:
            raise DaqUnavailable(
                f"no data server of LabOne answers at {where} ({brief(error)}): start it, or "
                "check host and port (8004; 8005 for an HF2)"
            ) from None
        try:
            kind = self._server.getString(f"/{self._device}/features/devtype")
        except (RuntimeError, OSError) as error:
            self.close()
            raise DaqUnavailable(
                f"the data server at {where} has no {self._device or 'device without a name'} "
                f"({brief(error)}): connect the instrument in LabOne; its name stands on its back"
            ) from None
        self.identity = f"Zurich Instruments,{kind},{self._device}"
        self._hf2 = kind.upper().startswith("HF2")

    def close(self) -> None:
        """Close the connection; the instrument stays as it is."""
        self._server.disconnect()

    def number(self, node: str) -> float:
        """Return the value of a node below the device.

        Raises
        ------
        DaqUnavailable
            If there is none, or it is no finite number.
        """
        with self._turn:
            try:
                value = float(self._server.getDouble(f"/{self._device}/{node}"))
            except (RuntimeError, OSError, TypeError, ValueError) as error:
                raise DaqUnavailable(
                    f"{self._device} does not answer {node} ({brief(error)}): check that it is on "
                    "and connected in LabOne"
                ) from None
        if not math.isfinite(value):
            raise DaqUnavailable(f"{self._device} answered {value} to {node}")
        return value

    def whole(self, node: str) -> int:
        """Return the value of a node that holds a whole number."""
        return round(self.number(node))

    def settings(self) -> LockInSettings:
        """Read all settings.

        Raises
        ------
        DaqUnavailable
        InvalidInput
            If the two outputs have different scales, or such that turn signs.
        """
        demod = f"demods/{self._set.demodulator - 1}"
        source = self.whole(f"{demod}/adcselect")
        current = source == 1 and not self._hf2
        frequency = self.number(f"oscs/{self.whole(f'{demod}/oscselect')}/freq")
        reference = "plls/0" if self._hf2 else "extrefs/0"
        signal: str | None = "current" if current else None
        if source in (0, 1) and not current:
            signal = "A-B" if self.whole(f"sigins/{source}/diff") else "A"
        read = self.watched()
        return replace(
            read,
            identity=self.identity,
            sensitivity=None if current else read.sensitivity,
            output_x=self._carries(self._set.aux_x, _X),
            output_y=self._carries(self._set.aux_y, _Y),
            reference_frequency=frequency if frequency > 0.0 else None,
            harmonic=self.whole(f"{demod}/harmonic"),
            internal_reference=not self.whole(f"{reference}/enable"),
            synchronous=bool(self.whole(f"{demod}/sinc")),
            input=signal,
        )

    def watched(self) -> LockInSettings:
        """Read only what scales, shifts or delays X and Y."""
        demod = f"demods/{self._set.demodulator - 1}"
        scale_x, offset_x = self._scaling(self._set.aux_x)
        scale_y, offset_y = self._scaling(self._set.aux_y)
        if not (scale_x > 0.0 and math.isclose(scale_x, scale_y, rel_tol=1e-6)):
            raise InvalidInput(
                f"the auxiliary outputs {self._set.aux_x} and {self._set.aux_y} have the scales "
                f"{scale_x:g} and {scale_y:g}: give both the same one, above 0"
            )
        return LockInSettings(
            sensitivity=_FULL / scale_x,
            time_constant=self.number(f"{demod}/timeconstant"),
            poles=self.whole(f"{demod}/order"),
            offset_x=offset_x,
            offset_y=offset_y,
            expand_x=1.0,
            expand_y=1.0,
            phase=math.radians(self.number(f"{demod}/phaseshift")),
        )

    def status(self) -> dict[str, bool]:
        """Read what is wrong now: the instrument does not keep what was wrong before.

        Raises
        ------
        DaqUnavailable
        """
        reference = "plls/0" if self._hf2 else "extrefs/0"
        enabled = bool(self.whole(f"{reference}/enable"))
        return {
            "input overload": self._clips(),
            "output overload": any(map(self._at_limit, (self._set.aux_x, self._set.aux_y))),
            "reference unlocked": enabled and not self.whole(f"{reference}/locked"),
        }

    def _scaling(self, output: int) -> tuple[float, float]:
        """Scale of an auxiliary output, and its offset as an SR830's: of full scale, subtracted."""
        scale, before, behind = (
            self.number(f"auxouts/{output - 1}/{name}") for name in ("scale", "preoffset", "offset")
        )
        return scale, -(scale * before + behind) / _FULL

    def _carries(self, output: int, what: int) -> bool:
        node = f"auxouts/{output - 1}"
        return (
            self.whole(f"{node}/outputselect") == what
            and self.whole(f"{node}/demodselect") == self._set.demodulator - 1
        )

    def _clips(self) -> bool:
        """Whether the demodulator's signal input is at the end of its range."""
        source = self.whole(f"demods/{self._set.demodulator - 1}/adcselect")
        if source not in (0, 1):
            return False
        if self._hf2:
            return bool(self.whole(f"status/flags/adcclip/{source}"))
        node = "currins/0" if source else "sigins/0"
        return self.number(f"{node}/max") >= 1.0 or self.number(f"{node}/min") <= -1.0

    def _at_limit(self, output: int) -> bool:
        value, lower, upper = (
            self.number(f"auxouts/{output - 1}/{name}")
            for name in ("value", "limitlower", "limitupper")
        )
        return value <= lower or value >= upper
