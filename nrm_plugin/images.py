"""Images that travel with the curves: topography, friction, trace and retrace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from nrm_plugin.columns import AnyArray, ArrayColumn, Column, FloatArray, Rows
from nrm_plugin.errors import InvalidInput, MissingPackage

if TYPE_CHECKING:
    from pySPM import SPM_image


class Image:
    """One image; row 0 has the smallest y.

    Parameters
    ----------
    name : str
        Names repeat: trace and retrace of one signal are two images.
    data : (rows, columns) array, or a Column with `shape`
        Values in `unit`; with `raw` or a column, raw numbers are scaled instead.
    unit : str
    size : (float, float)
        Extent in x and y, in m; nan where it is not known.
    direction : str
        trace, retrace, or empty.
    raw : (rows, columns) array, optional
        The vendor's own numbers behind `data`.
    original : str
        The vendor's name.
    """

    def __init__(
        self,
        name: str,
        data: ArrayLike | Column,
        unit: str,
        size: tuple[float, float] = (float("nan"), float("nan")),
        direction: str = "",
        raw: ArrayLike | None = None,
        *,
        shape: tuple[int, int] | None = None,
        gain: float = 1.0,
        offset: float = 0.0,
        original: str = "",
    ) -> None:
        self.name, self.unit, self.direction = name, unit, direction
        self.size = (float(size[0]), float(size[1]))
        self.gain, self.offset, self.original = float(gain), float(offset), original
        if shape is not None:
            self.column: Column = data  # type: ignore[assignment]
            self.shape = shape
            return
        values = np.asarray(data)
        if values.ndim != 2 or values.dtype.kind not in "iuf":
            raise InvalidInput(f"image {name!r} needs a table of numbers, not {values.shape}")
        self.shape = (int(values.shape[0]), int(values.shape[1]))
        numbers = values if raw is None else np.asarray(raw)
        if raw is not None:
            self.gain, self.offset = _scale(name, values.astype(np.float64), numbers)
        self.column = ArrayColumn(numbers.copy(), Rows.uniform(1, numbers.size))

    @property
    def raw(self) -> AnyArray:
        """The vendor's own numbers, (rows, columns)."""
        out: AnyArray = np.empty(self.shape, self.column.dtype.newbyteorder("="))
        self.column.fill(0, 1, out.reshape(-1))
        return out

    @property
    def data(self) -> FloatArray:
        """Values in `unit`, (rows, columns) of float64."""
        out = np.empty(self.shape, np.float64)
        self.column.fill(0, 1, out.reshape(-1), self.gain, self.offset)
        return out

    def __repr__(self) -> str:
        rows, columns = self.shape
        direction = f" {self.direction}" if self.direction else ""
        return f"<Image {self.name}{direction}: {rows} x {columns}, {self.unit or 'no unit'}>"

    def to_pyspm(self) -> SPM_image:
        """Hand over to pySPM, which keeps the row with the smallest y first as well.

        Raises
        ------
        MissingPackage
            Without the extra ``pyspm``.
        """
        spm_image = _pyspm()
        return spm_image(
            self.data,
            channel=self.name,
            real={"unit": "m", "x": self.size[0], "y": self.size[1]},
            zscale=self.unit,
            _type=self.direction or "Unknown",
        )

    @classmethod
    def from_pyspm(cls, image: SPM_image) -> Image:
        """Take over an image of pySPM.

        Raises
        ------
        InvalidInput
            If its size is not a length.
        MissingPackage
            Without the extra ``pyspm``.
        """
        from nrm_plugin import units

        _pyspm()
        real: dict[str, Any] = image.size["real"]
        per_unit = units.factor(str(real["unit"]), "m")
        known = units.si(str(image.zscale))
        gain, unit = known if known is not None else (1.0, str(image.zscale))
        return cls(
            str(image.channel),
            np.asarray(image.pixels, np.float64) * gain,
            unit,
            (float(real["x"]) * per_unit, float(real["y"]) * per_unit),
            image.type if image.type in ("trace", "retrace") else "",
        )


def _scale(name: str, data: FloatArray, raw: AnyArray) -> tuple[float, float]:
    """Gain and offset between raw numbers and data; they must fit exactly."""
    if raw.shape != data.shape or raw.dtype.kind not in "iuf":
        raise InvalidInput(f"image {name!r}: raw has shape {raw.shape}, not {data.shape}")
    numbers = raw.astype(np.float64)
    low, high = int(np.argmin(numbers)), int(np.argmax(numbers))
    span = numbers.flat[high] - numbers.flat[low]
    gain = float((data.flat[high] - data.flat[low]) / span) if span else 1.0
    offset = float(data.flat[low] - gain * numbers.flat[low])
    if not np.allclose(numbers * gain + offset, data, rtol=1e-12, atol=abs(gain) * 1e-9):
        raise InvalidInput(f"image {name!r}: data is not raw times a gain plus an offset")
    return gain, offset


def _pyspm() -> Any:
    try:
        from pySPM import SPM_image
    except ImportError:
        raise MissingPackage("pySPM", "pyspm") from None
    return SPM_image
