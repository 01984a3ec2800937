"""What the settings of calibrations have in common: their base, units, standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from nrm_plugin.calibration import Estimate
from nrm_plugin.errors import InvalidInput
from nrm_plugin.parameters import MethodSettings, Unit
from nrm_plugin.units import quantity
from nrm_plugin.vocabulary import METADATA, nearest

Pure = Annotated[float, Unit("")]
Frequency = Annotated[float, Unit("Hz", "kHz")]
Stiffness = Annotated[float, Unit("N/m")]
Angle = Annotated[float, Unit("rad", "deg")]
PerVolt = Annotated[float, Unit("m/V", "nm/V")]

ContactError = Annotated[Stiffness, Field(description="Standard error of the contact's stiffness.")]


class CalibrationSettings(MethodSettings):
    """Settings of a calibration; a default may be a text with its unit, too."""

    model_config = ConfigDict(validate_default=True)


class HardContactSettings(CalibrationSettings):
    """What else was recorded of a tip that sticks to a hard sample."""

    third_harmonic: str | None = Field(
        None, description="Channel with the third harmonic's amplitude, if recorded."
    )


def _in_si(values: Any) -> Any:
    if not isinstance(values, dict):
        return values
    errors = {}
    for key, value in values.items():
        if key not in METADATA:
            raise ValueError(f"{key!r} is no metadata key.{nearest(key, METADATA)}")
        try:
            errors[key] = quantity(value, METADATA[key].unit) if isinstance(value, str) else value
        except InvalidInput as error:
            raise ValueError(f"{key}: {error}") from None
    return errors


#: Standard errors of known values by metadata key, each in the key's unit.
Errors = Annotated[dict[str, float], BeforeValidator(_in_si)]


class RegisteredCalibration:
    """A calibration that `nrm_plugin.builtin` registers under a name, with a description.

    Its docstring is the help of its command. See `nrm_plugin.hookspecs.Calibration`.
    """

    Settings: type[BaseModel]

    def _calibrate(self, inputs: Sequence[Any], settings: Any) -> Estimate | Sequence[Estimate]:
        raise NotImplementedError

    def estimate(
        self, inputs: Sequence[Any], settings: Any = None
    ) -> Estimate | Sequence[Estimate]:
        """Estimate values from curves or tables, by the defaults without settings.

        Raises
        ------
        InvalidInput
            If one of the settings is needed and has no default.
        """
        if settings is None:
            try:
                settings = self.Settings()
            except ValidationError as error:
                names = ", ".join(str(e["loc"][0]) for e in error.errors())
                raise InvalidInput(
                    f"settings are needed: there is no default for {names}"
                ) from None
        return self._calibrate(inputs, settings)
