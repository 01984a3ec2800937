"""The curve model: what every importer fills and everything else reads.

A `CurveSet` holds N force curves of any lengths as flat columns, one per channel, with the number
of samples of each curve beside them. Nothing is read before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nrm_plugin import plugins, requirements, units
from nrm_plugin.columns import (
    AnyArray,
    ArrayColumn,
    Column,
    FloatArray,
    IntArray,
    Rows,
    part_of,
    runs,
)
from nrm_plugin.errors import InvalidInput, NoSuchCurve, UnknownChannel
from nrm_plugin.files import replacing
from nrm_plugin.tables import (
    CurveTable,
    complete_table,
    part_of_grid,
    part_of_segments,
    segment_array,
    source_curves,
    turning_segments,
)
from nrm_plugin.text import as_html, listed
from nrm_plugin.vocabulary import (
    CHANNELS,
    LATERAL_PAIRS,
    METADATA,
    calibrated_by,
    check_name,
    nearest,
    own_slug,
)

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import xarray as xr

    from nrm_plugin.images import Image
    from nrm_plugin.potential.log import Log

Curves = int | slice | Sequence[int] | NDArray[Any] | None


@dataclass(frozen=True)
class Channel:
    """One signal of all curves: ``value = raw * gain + offset`` in `unit`.

    Attributes
    ----------
    name : str
        Canonical name (``vocabulary.CHANNELS``), or the vendor's as a slug.
    unit : str
        SI unit, or the vendor's own where it has none.
    original : str
        The vendor's name.
    source : str
        Where the numbers come from, in words.
    column : Column
        The raw numbers.
    gain, offset : float
    """

    name: str
    unit: str
    column: Column
    gain: float = 1.0
    offset: float = 0.0
    original: str = ""
    source: str = ""

    def __repr__(self) -> str:
        return f"<Channel {self.name}: {self.unit or 'no unit'}, {self.source or 'no source'}>"

    def with_column(self, column: Column) -> Channel:
        """Return the same signal of other curves."""
        return Channel(
            self.name, self.unit, column, self.gain, self.offset, self.original, self.source
        )

    def fill(self, first: int, stop: int, out: FloatArray) -> None:
        """Write the values of consecutive curves into the flat float64 array `out`."""
        self.column.fill(first, stop, out, self.gain, self.offset)


@dataclass(frozen=True)
class Origin:
    """The file that curves came from.

    Attributes
    ----------
    name : str
        File name without folder.
    importer, version : str
        Who read it.
    header : str
        The vendor's header, verbatim.
    path : str
        Where it was, for hashing when the curves are saved; empty if unknown.
    sha256 : str
        Hash of the whole file; empty until it is needed.
    """

    name: str
    importer: str = ""
    version: str = ""
    header: str = field(default="", repr=False)
    path: str = ""
    sha256: str = ""


@dataclass(frozen=True, eq=False)
class CurveSet:
    """N force curves with their channels, segments, table, metadata and images.

    Make one with `nrm_plugin.open` or `CurveSet.from_arrays`. It has a length, and ``curves[5]``,
    ``curves[10:20]``, ``curves[mask]`` and each item of an iteration are sets again.

    Attributes
    ----------
    rows : Rows
        Samples of each curve.
    channels : mapping of str to Channel
    metadata : dict
        SI floats, strings or booleans under the names of ``vocabulary.METADATA``.
    metadata_source : dict
        For each key of `metadata`, where its value comes from.
    images : tuple of Image
    warnings : tuple of str
        Guesses and oddities met while reading.
    origins : tuple of Origin
        The files; the column ``source`` of the curve table counts them.
    grid : (int, int) or None
        Rows and columns, where the curves lie on a complete grid.
    importer : str
        Who opened the file; empty for curves made in memory.
    logs : tuple of Log
        Of the potentiostat, from which the curves have their potentials; results keep them.
    """

    rows: Rows
    channels: Mapping[str, Channel]
    _: KW_ONLY
    metadata: dict[str, Any] = field(default_factory=dict)
    metadata_source: dict[str, str] = field(default_factory=dict)
    images: tuple[Image, ...] = ()
    warnings: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()
    grid: tuple[int, int] | None = None
    importer: str = ""
    logs: tuple[Log, ...] = ()
    segments_from: Callable[[], AnyArray] | None = None
    table_from: Callable[[], CurveTable] | None = None

    @property
    def n_curves(self) -> int:
        """Number of curves."""
        return len(self.rows)

    def __len__(self) -> int:
        return self.n_curves

    def __getitem__(self, curves: Curves) -> CurveSet:
        """Return some of the curves, without reading samples.

        The part keeps segments, positions, metadata, images and origins, and the grid where the
        curves still make one. Numbers in its table (row, column, location, acquisition_order) are
        those of the whole.

        Parameters
        ----------
        curves : int, slice, sequence of int or of bool
            Which, in this order.

        Raises
        ------
        NoSuchCurve, InvalidInput
        """
        chosen = self._indices(curves)
        return self._part(chosen, self.rows.part(chosen))

    def __iter__(self) -> Iterator[CurveSet]:
        chosen = np.arange(self.n_curves)
        same = self.rows.length is not None
        alike = self.rows.part(chosen[:1])
        for curve in range(self.n_curves):
            one = chosen[curve : curve + 1]
            yield self._part(one, alike if same else self.rows.part(one))

    def _part(self, chosen: IntArray, rows: Rows) -> CurveSet:
        columns = {id(c.column): c.column for c in self.channels.values()}
        parts = {key: part_of(column, chosen, rows) for key, column in columns.items()}
        return CurveSet(
            rows,
            {name: c.with_column(parts[id(c.column)]) for name, c in self.channels.items()},
            metadata=self.metadata,
            metadata_source=self.metadata_source,
            images=self.images,
            warnings=self.warnings,
            origins=self.origins,
            grid=part_of_grid(self.grid, chosen),
            importer=self.importer,
            logs=self.logs,
            segments_from=None if self.segments_from is None else lambda: self._segments_of(chosen),
            table_from=lambda: self._table_of(chosen),
        )

    def _table_of(self, chosen: IntArray) -> CurveTable:
        table = {name: v[chosen] for name, v in self.curve_table.items()}
        if len(chosen) != self.n_curves or (np.diff(chosen) != 1).any():
            table["source_curve"] = self._source_curves[chosen]
        return table

    @cached_property
    def _source_curves(self) -> IntArray:
        return source_curves(self.curve_table)

    def _segments_of(self, chosen: IntArray) -> AnyArray:
        return part_of_segments(self.segments, self._segment_bounds, chosen)

    @cached_property
    def _segment_bounds(self) -> IntArray:
        return np.searchsorted(self.segments["curve"], np.arange(self.n_curves + 1))

    @property
    def n_samples(self) -> int:
        """Number of samples of all curves together."""
        return self.rows.total

    @property
    def row_size(self) -> IntArray:
        """Samples of each curve, shape (n_curves,)."""
        return self.rows.sizes

    @cached_property
    def segments(self) -> AnyArray:
        """Structured array with fields curve, start, stop and kind, in order of time.

        ``start`` and ``stop`` count from the curve's first sample; kind is approach, hold,
        retract, modulation or other.
        """
        if self.segments_from is not None:
            return self.segments_from()
        return turning_segments(self)

    @cached_property
    def curve_table(self) -> CurveTable:
        """Per curve, shape (n_curves,): x, y (m), row, column, location, start_time and so on."""
        return complete_table(self.given_table, self.n_curves)

    @cached_property
    def given_table(self) -> CurveTable:
        """Those columns of the curve table that the file has, as they are there."""
        return self.table_from() if self.table_from else {}

    @cached_property
    def header(self) -> str:
        """The vendor's header, verbatim; of the first file if there are several."""
        return self.origins[0].header if self.origins else ""

    def __repr__(self) -> str:
        return f"<CurveSet: {self._counts}; {', '.join(self.channels)}>"

    @property
    def _counts(self) -> str:
        noun = "curve" if self.n_curves == 1 else "curves"
        return f"{self.n_curves} {noun}, {self.n_samples} samples"

    def _repr_html_(self) -> str:
        """Return what a notebook shows; no samples are read."""
        grid = f" on a grid of {self.grid[0]} x {self.grid[1]}" if self.grid else ""
        simulated = ", simulated" if self.metadata.get("simulated") else ""
        channels = [f"{name} ({c.unit})" if c.unit else name for name, c in self.channels.items()]
        rows = [
            ("files", listed(origin.name for origin in self.origins)),
            ("channels", ", ".join(channels)),
            ("images", listed(f"{i.name} {i.direction}".rstrip() for i in self.images)),
            ("metadata", ", ".join(self.metadata)),
            (
                "missing for moduli",
                ", ".join(missing.key for missing in requirements.missing(self)),
            ),
            ("warnings", listed(self.warnings)),
        ]
        return as_html(f"CurveSet: {self._counts}{grid}{simulated}", rows)

    @property
    def lateral_pair(self) -> tuple[str, str] | None:
        """Channels that hold the lateral lock-in signal; None unless both of a pair are there."""
        return next((pair for pair in LATERAL_PAIRS if set(pair) <= set(self.channels)), None)

    def channel(self, name: str) -> Channel:
        """Return a channel by name.

        Raises
        ------
        UnknownChannel
        """
        if name not in self.channels:
            raise UnknownChannel(name, self.channels)
        return self.channels[name]

    def read(self, name: str, curves: Curves = None) -> FloatArray:
        """Values of a channel.

        Parameters
        ----------
        name : str
        curves : int, slice, sequence of int or of bool, optional
            Which curves, in this order; all of them by default.

        Returns
        -------
        (n,) array of float64
            The samples of these curves one behind the other, in the channel's unit.

        Raises
        ------
        UnknownChannel, InvalidInput, ChangedFile, CorruptFile
        """
        channel = self.channel(name)
        out: FloatArray = np.empty(self._count(curves), np.float64)
        for first, stop, part in self._runs(curves):
            channel.fill(first, stop, out[part])
        return out

    def read_raw(self, name: str, curves: Curves = None) -> AnyArray:
        """Return the vendor's own numbers of a channel; like `read`, without gain and offset."""
        column = self.channel(name).column
        out: AnyArray = np.empty(self._count(curves), column.dtype.newbyteorder("="))
        for first, stop, part in self._runs(curves):
            column.fill(first, stop, out[part])
        return out

    def blocks(self, samples: int = 1 << 20) -> Iterator[tuple[int, int]]:
        """Consecutive curves (first, stop) with about `samples` samples together, at least one."""
        first = 0
        while first < self.n_curves:
            stop = first + 1
            if self.rows.length is not None:
                stop = min(self.n_curves, first + max(1, samples // max(1, self.rows.length)))
            else:
                limit = self.rows.start(first) + samples
                while stop < self.n_curves and self.rows.start(stop + 1) <= limit:
                    stop += 1
            yield first, stop
            first = stop

    def save(self, path: str | PathLike[str], *, overwrite: bool = True) -> None:
        """Write the curves; the suffix chooses the exporter, and without one it is the common file.

        Raises
        ------
        OutputError
            If the place cannot be written; whatever was there before is then untouched.
        """
        path = Path(path)
        registry = plugins.installed()
        exporter = registry.exporter_of(path) or registry.exporters[".h5"]
        with replacing(path, overwrite=overwrite) as part:
            exporter.write(self, part)

    # Changed copies. They share the columns with the original.

    def with_metadata(self, values: Mapping[str, Any], source: str) -> CurveSet:
        """Return a copy with metadata added or replaced, and `source` remembered for each key.

        What stood beside a calibrated value that is replaced (its standard error, its method)
        belonged to that value and goes with it.

        Raises
        ------
        InvalidInput
            For a value outside its key's range.
        """
        new = {
            k: METADATA[k].check(k, v) if k in METADATA else _plain(k, v) for k, v in values.items()
        }
        kept = {k: v for k, v in self.metadata.items() if calibrated_by(k) not in new}
        sources = {k: v for k, v in self.metadata_source.items() if calibrated_by(k) not in new}
        return replace(
            self,
            metadata=kept | new,
            metadata_source=sources | dict.fromkeys(new, source),
        )

    def with_channel(self, channel: Channel) -> CurveSet:
        """Return a copy with a channel added or replaced."""
        return replace(self, channels={**self.channels, channel.name: channel})

    def with_warning(self, text: str) -> CurveSet:
        """Return a copy with a warning added."""
        return replace(self, warnings=(*self.warnings, text))

    def with_names(self, names: Mapping[str, str]) -> CurveSet:
        """Return a copy with channels renamed: ``{"Input1": "lockin_output_x"}``.

        A channel that had the new name before is kept under its vendor's, with a warning.

        Parameters
        ----------
        names : mapping
            From the vendor's name, or the present one, to the new one.

        Raises
        ------
        UnknownChannel
            If no channel has the old name.
        InvalidInput
            If the new name cannot be one, is given twice, or its unit does not fit.
        """
        chosen: dict[str, str] = {}
        for old, new in names.items():
            check_name(new, "channel")
            matching = [n for n, c in self.channels.items() if old in (n, c.original)]
            if not matching:
                known = [c.original for c in self.channels.values() if c.original]
                raise UnknownChannel(old, dict.fromkeys([*known, *self.channels]))
            channel = self.channels[matching[0]]
            if new in CHANNELS and channel.unit not in CHANNELS[new].units:
                raise InvalidInput(
                    f"{old} is in {channel.unit or 'no unit'}, "
                    f"{new} must be in {' or '.join(CHANNELS[new].units)}"
                )
            if matching[0] in chosen or new in chosen.values():
                raise InvalidInput(f"{old} = {new}: a channel or a name is given twice")
            chosen[matching[0]] = new
        warnings = list(self.warnings)
        channels = {new: replace(self.channels[old], name=new) for old, new in chosen.items()}
        for name, channel in self.channels.items():
            if name in channels and name not in chosen:
                if any(c.column is channel.column for n, c in self.channels.items() if n != name):
                    continue  # the same numbers are there under another name
                new = own_slug(channel.original or name, "vendor")
                while new in self.channels or new in channels:
                    new += "_2"
                channels[new] = replace(channel, name=new)
                warnings.append(f"the file's own {name} is now called {new}")
            elif name not in chosen:
                channels[name] = channel
        return replace(self, channels=channels, warnings=tuple(warnings))

    @classmethod
    def from_arrays(
        cls,
        channels: Mapping[str, tuple[ArrayLike, str]],
        row_size: ArrayLike | None = None,
        segments: AnyArray | None = None,
        curve_table: Mapping[str, ArrayLike] | None = None,
        metadata: Mapping[str, Any] | None = None,
        images: Sequence[Image] = (),
    ) -> CurveSet:
        """Curves from arrays in memory.

        Parameters
        ----------
        channels : mapping of name to (values, unit)
            Values of shape (curve, sample), or flat together with `row_size`; a flat array without
            `row_size` is one curve. Any unit that can be turned into the channel's SI unit.
        row_size : (n_curves,) array of int, optional
            Samples of each curve.
        segments : structured array, optional
            Fields curve, start, stop, kind. By default each curve is split where the height turns.
        curve_table : mapping, optional
            Columns of shape (n_curves,), names as in ``vocabulary.COLUMNS``.
        metadata : mapping, optional
            SI values under the names of ``vocabulary.METADATA``.
        images : sequence of Image, optional

        Raises
        ------
        InvalidInput
            If lengths, units, segments or values do not fit together.
        """
        arrays = {name: _given(name, pair) for name, pair in channels.items()}
        rows = _rows_of(arrays, row_size)
        made: dict[str, Channel] = {}
        warnings: list[str] = []
        for name, (values, unit) in arrays.items():
            table = (len(rows), rows.length) if len(rows) else values.shape
            if values.size != rows.total or values.shape not in ((rows.total,), table):
                raise InvalidInput(
                    f"channel {name!r}: expected {rows.total} numbers of {len(rows)} curves, "
                    f"got an array of shape {values.shape}"
                )
            gain, target = canonical_unit(name, unit)
            column = ArrayColumn(values.copy(), rows)
            made[name] = Channel(name, target, column, gain, original=name, source="given")
        if segments is not None:
            segments = segment_array(segments, rows)
        complete = complete_table(curve_table or {}, len(rows))  # type: ignore[arg-type]
        curves = cls(
            rows,
            made,
            images=tuple(images),
            grid=_grid_of(complete),
            segments_from=None if segments is None else lambda: segments,
            table_from=lambda: complete,
        )
        given = dict(metadata or {})
        for key in given:
            if key not in METADATA:
                warnings.append(
                    f"metadata key {key!r} is not known to nrm.{nearest(key, METADATA)}"
                )
        if "height" in made:
            given.setdefault("height_source", "given")
        curves = curves.with_metadata(given, "given")
        return replace(curves, warnings=tuple(warnings))

    @classmethod
    def from_xarray(cls, dataset: xr.Dataset) -> CurveSet:
        """Curves of a dataset of xarray; its numbers are read when they are asked for.

        Parameters
        ----------
        dataset : Dataset
            As `to_xarray` makes it, some of its curves, or your own: variables with dimensions
            curve and sample and ``units`` in their attributes are channels, those with the
            dimension curve alone belong to the curve table (names of ``vocabulary.COLUMNS``;
            ``row_size`` where curves differ in length), attributes are metadata.

        Raises
        ------
        InvalidInput
            If lengths, units or values do not fit together, or samples were left out.
        """
        from nrm_plugin.curve_datasets import DatasetParts

        parts = DatasetParts(dataset)
        channels = {}
        for name, column, about in parts.channels():
            check_name(name, "channel")
            gain, unit = canonical_unit(name, about["units"])
            channels[name] = Channel(
                name, unit, column, gain, original=about["original"], source=about["source"]
            )
        segments = parts.segments()
        table = complete_table(parts.table(), len(parts.rows))
        grid = parts.grid(_grid_of(table))
        curves = cls(
            parts.rows,
            channels,
            images=tuple(parts.images()),
            warnings=tuple(parts.attribute("warnings", [])),
            origins=tuple(Origin(**one) for one in parts.attribute("origins", [])),
            grid=grid,
            importer=parts.attribute("importer", ""),
            segments_from=None if segments is None else lambda: segments,
            table_from=lambda: table,
        )
        curves = curves.with_metadata(parts.metadata(), "given")
        return replace(
            curves, metadata_source=curves.metadata_source | parts.attribute("metadata_source", {})
        )

    def to_xarray(self) -> xr.Dataset:
        """Return the curves as a dataset of xarray; samples are read when they are asked for.

        Dimensions are curve, sample (nan behind the end of shorter curves) and segment. Channels,
        the curve table, segments and images are variables, metadata are attributes.
        """
        from nrm_plugin.curve_datasets import dataset_of

        return dataset_of(self)

    def to_pandas(self, curves: Curves = None) -> pd.DataFrame:
        """Return samples as a table of pandas: columns curve, sample and the channels.

        Parameters
        ----------
        curves : int, slice, sequence of int or of bool, optional
            Which; all of them by default, and then all of their samples are in memory.
        """
        from nrm_plugin.curve_frames import pandas_frame

        return pandas_frame(self, self._indices(slice(None) if curves is None else curves))

    def to_polars(self, curves: Curves = None) -> pl.DataFrame:
        """Return the same as `to_pandas` for polars.

        Raises
        ------
        MissingPackage
            Without the extra ``polars``.
        """
        from nrm_plugin.curve_frames import polars_frame

        return polars_frame(self, self._indices(slice(None) if curves is None else curves))

    # Which curves are asked for

    def _indices(self, curves: Curves) -> IntArray:
        n = self.n_curves
        if type(curves) is int and 0 <= curves < n:  # quicker: files are written curve by curve
            return np.array([curves], np.int64)
        if isinstance(curves, slice):
            return np.arange(*curves.indices(n), dtype=np.int64)
        try:
            chosen = np.atleast_1d(np.asarray(curves))
        except ValueError as error:
            raise InvalidInput(f"curves are chosen by number, slice or list: {error}") from None
        if chosen.dtype == bool:
            if chosen.shape != (n,):
                raise InvalidInput(f"a mask of {n} curves is needed, got shape {chosen.shape}")
            return np.flatnonzero(chosen)
        if chosen.size == 0:
            return np.empty(0, np.int64)
        if chosen.dtype.kind not in "iu" or chosen.ndim != 1:
            raise InvalidInput("curves are chosen by number, slice, list of numbers or mask")
        if chosen.min() < -n or chosen.max() >= n:
            worst = chosen.min() if chosen.min() < -n else chosen.max()
            extent = f"there are {n} curves (0 to {n - 1})" if n else "there are no curves"
            raise NoSuchCurve(f"{extent}; asked for {worst}")
        return np.where(chosen < 0, chosen + n, chosen).astype(np.int64)

    def _count(self, curves: Curves) -> int:
        if curves is None:
            return self.n_samples
        return int(self.row_size[self._indices(curves)].sum())

    def _runs(self, curves: Curves) -> Iterator[tuple[int, int, slice]]:
        """Split the curves asked for into consecutive runs, with their place in the output."""
        if curves is None:
            if self.n_curves:
                yield 0, self.n_curves, slice(None)
            return
        chosen = self._indices(curves)
        at = 0
        for first, stop in runs(chosen):
            n = self.rows.start(stop) - self.rows.start(first)
            yield first, stop, slice(at, at + n)
            at += n


def _plain(name: str, value: Any) -> float | str | bool:
    """Value of a metadata key that is not in the vocabulary, in a type that a file can hold."""
    check_name(name, "metadata key")
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        return float(value)
    raise InvalidInput(f"metadata {name!r} is a number, a text, true or false; not {value!r}")


def _given(name: str, pair: Any) -> tuple[AnyArray, str]:
    """Values and unit of a channel as somebody gave them."""
    check_name(name, "channel")
    try:
        given, unit = pair
        values = np.asarray(given)
    except (TypeError, ValueError):
        raise InvalidInput(
            f"channel {name!r} is given as (values, unit), "
            "with curves of different lengths one behind the other and row_size"
        ) from None
    if not isinstance(unit, str) or values.dtype.kind not in "iuf":
        raise InvalidInput(f"channel {name!r}: {values.dtype} in {unit!r} are no real numbers")
    if values.dtype.kind == "f" and values.itemsize not in (4, 8):
        values = values.astype("f4" if values.itemsize < 4 else "f8")
    return values, unit


def _rows_of(arrays: Mapping[str, tuple[AnyArray, str]], row_size: ArrayLike | None) -> Rows:
    """Rows that all arrays agree on."""
    if not arrays:
        return Rows.uniform(0, 0)
    name, (first, _) = next(iter(arrays.items()))
    if row_size is not None:
        given = np.asarray(row_size)
        if given.ndim != 1 or (given.size and (given.dtype.kind not in "iu" or given.min() < 0)):
            raise InvalidInput("row_size is a list of sample counts, one per curve")
        return Rows(given.astype(np.int64))
    if first.ndim not in (1, 2):
        raise InvalidInput(f"channel {name!r} has shape {first.shape}; use (curve, sample)")
    return Rows.uniform(*first.shape) if first.ndim == 2 else Rows.uniform(1, len(first))


def canonical_unit(name: str, unit: str) -> tuple[float, str]:
    """Gain and SI unit for a channel that was given in `unit`.

    Raises
    ------
    InvalidInput
    """
    known = units.si(unit)
    if name not in CHANNELS:
        return known if known is not None else (1.0, unit)
    allowed = CHANNELS[name].units
    if known is not None and known[1] in allowed:
        return known
    for target in allowed:
        try:
            return units.factor(unit, target), target
        except InvalidInput:
            continue
    raise InvalidInput(f"channel {name!r} is in {' or '.join(allowed)}, not {unit or 'no unit'}")


def _grid_of(table: CurveTable) -> tuple[int, int] | None:
    """Rows and columns where every cell of the grid has one curve, row by row."""
    row, column = table["row"], table["column"]
    if not len(row) or row.min() < 0 or column.min() < 0:
        return None
    n_rows, n_columns = int(row.max()) + 1, int(column.max()) + 1
    if n_rows * n_columns != len(row):
        return None
    if (row * n_columns + column == np.arange(len(row))).all():
        return n_rows, n_columns
    return None
