"""Results as volumes, images, graphs and curve maps, as programs for images and volumes hold them.

Nothing here knows a kind of file: an exporter writes what `result_views` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from nrm_plugin.columns import AnyArray, FloatArray, IntArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.images import Image
from nrm_plugin.model import CurveSet
from nrm_plugin.statistics.map_frames import MapFrame, map_frame
from nrm_plugin.statistics.maps import AT_LEAST, map_of
from nrm_plugin.statistics.profiles import mean_profile
from nrm_plugin.statistics.regions import everything, regions
from nrm_plugin.statistics.selection import (
    Analysis,
    column,
    excluded,
    flags_of,
    profile_variable,
    select,
    step,
)
from nrm_plugin.statistics.visits import VISIT, MapPart, map_parts
from nrm_plugin.text import counted
from nrm_plugin.variables import FLAGS

#: Distances from the electrode (m) of which there are maps.
MAP_DISTANCES = (2.5e-9, 5e-9, 10e-9, 20e-9)

_MODULI = ("storage_modulus", "loss_modulus", "shear_modulus_magnitude")
_VOLUMES = (*_MODULI, "force_gradient_in_phase", "force_gradient_quadrature")

#: Of all images these are to be shown at first, those nearest to this distance (m).
_SHOWN, _SHOWN_AT = ("storage_modulus", "contact_height"), 5e-9


@dataclass(frozen=True, kw_only=True)
class ResultVolume:
    """A quantity over the places and the distance from the electrode.

    Attributes
    ----------
    title, unit : str
    depth : array
        Distances in m, ascending.
    frame : MapFrame
    values : function without arguments
        Gives a (depth, rows, columns) array, row 0 with the smallest y; nan where there is none.
    shown : bool
        Whether it is shown when the file is opened.
    about : mapping of str to str
    """

    title: str
    unit: str
    depth: FloatArray
    frame: MapFrame
    values: Callable[[], FloatArray]
    shown: bool = False
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ResultImage:
    """A value of every place.

    Attributes
    ----------
    title, unit : str
    frame : MapFrame
    values : (rows, columns) array
        Row 0 has the smallest y; nan where there is none.
    marked : (rows, columns) array of bool
        Places without a value, or with a bound in its stead.
    shown : bool
        Whether it is shown when the file is opened.
    about : mapping of str to str
    """

    title: str
    unit: str
    frame: MapFrame
    values: FloatArray
    marked: NDArray[np.bool_]
    shown: bool = False
    about: Mapping[str, str] = field(default_factory=dict)

    def image(self) -> Image:
        """Return it as an image that curves may carry, and that pySPM takes (`to_pyspm`)."""
        return Image(self.title, self.values, self.unit, self.frame.size)


@dataclass(frozen=True, kw_only=True)
class ResultGraph:
    """Profiles over the distance from the electrode.

    Attributes
    ----------
    title, label, unit : str
    lines : tuple of (name, distances, values)
        A mean, then the lower and the upper end of its interval, for every region in turn; finite.
    """

    title: str
    label: str
    unit: str
    lines: tuple[tuple[str, FloatArray, FloatArray], ...]


@dataclass(frozen=True, kw_only=True)
class ResultCurves:
    """The curves of a map.

    Attributes
    ----------
    curves : CurveSet
    frame : MapFrame
        Its `cell` has the cell of each of the curves.
    title : str
    """

    curves: CurveSet
    frame: MapFrame
    title: str


@dataclass(frozen=True, kw_only=True)
class ResultViews:
    """All that is to be seen of results.

    Attributes
    ----------
    volumes, images, graphs, curve_maps : tuples
    about : mapping of str to str
        What the results were made of.
    warnings : tuple of str
    """

    volumes: tuple[ResultVolume, ...] = ()
    images: tuple[ResultImage, ...] = ()
    graphs: tuple[ResultGraph, ...] = ()
    curve_maps: tuple[ResultCurves, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of its numbers in double precision."""
        cells = [len(v.depth) * v.frame.rows * v.frame.columns for v in self.volumes]
        cells += [i.values.size for i in self.images]
        cells += [m.curves.n_samples * len(m.curves.channels) for m in self.curve_maps]
        return 8 * sum(cells)

    def without_curves(self, why: str) -> ResultViews:
        """Return the same without curve maps, and say why."""
        return replace(self, curve_maps=(), warnings=(*self.warnings, why))


def result_views(
    results: xr.Dataset,
    *,
    curves: CurveSet | None = None,
    distances: Sequence[float] | None = None,
    direction: str | None = None,
) -> ResultViews:
    """Put results into volumes, images and graphs.

    Every grid, and every visit to the same places, has volumes and images of its own. Curves with
    the flags of `selection.LEFT_OUT`, or excluded by hand, have no values in volumes and maps.
    Magnitudes are those of single curves in volumes and maps (noise raises them), and those of the
    complex mean in graphs.

    Parameters
    ----------
    results : Dataset
        From `nrm_plugin.process` or `nrm_plugin.open_results`.
    curves : CurveSet, optional
        The curves that they were made from, in the same order.
    distances : sequence of float, optional
        Distances from the electrode (m) of the maps, `MAP_DISTANCES` if not given; the nearest
        depths are taken.
    direction : str, optional
        Way of the ramp, where the results have both; by default the first.

    Raises
    ------
    InvalidInput
        For a direction, or a distance, that is not in the results, or other curves.
    """
    analysis = Analysis(results, direction)
    messages = []
    ways = [str(d) for d in results["direction"].values] if "direction" in results.dims else []
    way = direction or (ways[0] if ways else "")
    if len(ways) > 1:
        others = " and ".join(w for w in ways if w != way)
        messages.append(f"of the ways of the ramp {way} is taken, {others} is left out")
    if curves is not None and curves.n_curves != results.sizes["curve"]:
        raise InvalidInput(
            f"the results are of {results.sizes['curve']} curves, and these are {curves.n_curves}: "
            "give the curves that the results were made from"
        )
    depths = _map_depths(analysis, distances)
    parts = map_parts(analysis, VISIT).parts
    views = ResultViews(graphs=tuple(_graphs(analysis)), about=_about(analysis, way))
    off_grid = 0
    several = len(parts) > 1
    for number, part in enumerate(parts):
        everyone = np.concatenate([p.curves for p in parts if p.grid == part.grid])
        frame = map_frame(analysis.results, part.curves, np.sort(everyone))
        if frame is None:
            off_grid += len(part.curves)
            continue
        of = _PartViews(
            analysis=analysis,
            part=part,
            frame=frame,
            ending=f" [{part.name}]" if several else "",
            first=number == 0,
        )
        views = replace(
            views,
            volumes=(*views.volumes, *of.volumes()),
            images=(*views.images, *of.images(depths)),
            curve_maps=(*views.curve_maps, *([] if curves is None else [of.curve_map(curves)])),
        )
    if several and views.images:
        messages.append(
            f"the curves make {len(parts)} maps (grids, or visits to the same places): each has "
            "volumes and images of its own, named in their titles"
        )
    if off_grid:
        messages.append(
            f"{counted(off_grid)} on no grid: in the graphs only, not in volumes and images"
        )
    return replace(views, warnings=tuple(messages))


def _map_depths(analysis: Analysis, distances: Sequence[float] | None) -> list[float]:
    """Depths of the results that are nearest to the distances of maps."""
    depth = np.asarray(analysis.results["depth"].values, np.float64)
    if not len(depth):
        return []
    slack = step(analysis.results)
    out: list[float] = []
    for distance in MAP_DISTANCES if distances is None else distances:
        if depth[0] - slack <= distance <= depth[-1] + slack:
            out.append(float(depth[np.argmin(np.abs(depth - distance))]))
        elif distances is not None:
            raise InvalidInput(
                f"there is no distance of {distance * 1e9:g} nm: the results go from "
                f"{depth[0] * 1e9:g} to {depth[-1] * 1e9:g} nm"
            )
    return list(dict.fromkeys(out))


def _about(analysis: Analysis, way: str) -> dict[str, str]:
    """What the results were made of, as texts."""
    out = {"direction": way} if way else {}
    for name in ("title", "source_name", "nrm_plugin_version", "recipe"):
        value = analysis.results.attrs.get(name)
        if value is not None and len(np.atleast_1d(value)):
            texts = [str(one) for one in np.atleast_1d(value)]
            more = f" and {len(texts) - 10} more" if len(texts) > 10 else ""
            out[name] = ", ".join(texts[:10]) + more
    return out


def _graphs(analysis: Analysis) -> Iterator[ResultGraph]:
    """Mean profiles of the moduli, of every region of the potential or of all curves."""
    results = analysis.results
    potential = column(results, "potential")
    known = potential is not None and bool(np.isfinite(potential).any())
    inside = [r for r in regions(results) if len(r)] if known else []
    for variable in _MODULI:
        lines = []
        try:
            profile_variable(results, variable)
        except InvalidInput:
            continue
        for region in inside or everything(results):
            profile = mean_profile(analysis, variable, region.curves)
            n = int(profile.attrs["n_curves"])
            for name, label in (
                ("mean", f"{region.label}, {counted(n)}"),
                ("low", f"{region.label}, lower end of 95 %"),
                ("high", f"{region.label}, upper end of 95 %"),
            ):
                values = np.asarray(profile[name].values, np.float64)
                there = np.isfinite(values)
                lines.append((label, results["depth"].values[there], values[there]))
        meaning, unit = _short(profile.attrs["long_name"]), profile.attrs["units"]
        if any(len(x) for _, x, _ in lines):
            yield ResultGraph(
                title=f"mean profile of the {meaning}",
                label=meaning,
                unit=unit,
                lines=tuple(lines),
            )


def _short(meaning: str) -> str:
    """Name that is still read where it is cut: ``|G*|`` says that it is a magnitude."""
    return meaning.removeprefix("magnitude of the ")


@dataclass(frozen=True, kw_only=True)
class _PartViews:
    """Volumes and images of one map."""

    analysis: Analysis
    part: MapPart
    frame: MapFrame
    ending: str
    first: bool

    def volumes(self) -> Iterator[ResultVolume]:
        """Volumes of the distances at which any curve has a value, and where there are values."""
        results, curves = self.analysis.results, self.part.curves
        kept, _ = select(results, curves)
        cells = self.frame.cell[np.searchsorted(curves, kept)]
        chosen = []
        for variable in _VOLUMES:
            with suppress(InvalidInput):
                chosen.append(profile_variable(results, variable))
        there = [np.isfinite(c.sizes(results, kept)) for c in chosen]
        if not any(t.any() for t in there):
            return
        levels = np.flatnonzero(np.any([t.any(0) for t in there], axis=0))
        within = slice(int(levels[0]), int(levels[-1]) + 1)
        depth = np.asarray(results["depth"].values[within], np.float64)

        def table(values: AnyArray) -> FloatArray:
            frame = self.frame
            out = np.full((len(depth), frame.rows * frame.columns), np.nan)
            out[:, cells] = values[:, within].T
            return out.reshape(-1, frame.rows, frame.columns)

        for one in chosen:
            yield ResultVolume(
                title=f"{_short(one.meaning)}{self.ending}",
                unit=one.unit,
                depth=depth,
                frame=self.frame,
                values=partial(lambda v: table(v.sizes(results, kept)), one),
                shown=self.first and one.name == _MODULI[-1],
                about={"quantity": one.name, "z axis": "distance from the electrode"},
            )
        kinds = [t for i, t in enumerate(there) if not any(np.array_equal(t, o) for o in there[:i])]
        for kind in kinds:
            of = [_short(v.meaning) for v, t in zip(chosen, there, strict=True) if t is kind]
            yield ResultVolume(
                title=f"1 where there is a value{f' of the {of[0]}' if len(kinds) > 1 else ''}"
                f"{self.ending}",
                unit="",
                depth=depth,
                frame=self.frame,
                values=partial(table, kind.astype(np.float64)),
            )

    def images(self, depths: Sequence[float]) -> Iterator[ResultImage]:
        nearest = min(depths, key=lambda d: abs(d - _SHOWN_AT), default=0.0)
        for depth in depths:
            for variable in _MODULI:
                shown = variable in _SHOWN and depth == nearest
                yield from self._map(variable, f" at {depth * 1e9:.3g} nm", depth, shown)
        yield from self._map("contact_height", shown=True)
        yield from self._map("thickness")
        yield from self._marks()
        potential = column(self.analysis.results, "potential")
        if potential is not None and np.isfinite(potential[self.part.curves]).any():
            yield self._of_curves("electrode potential", "V", potential)
        yield self._of_curves("number of the curve", "", np.arange(len(self._flags())))

    def curve_map(self, curves: CurveSet) -> ResultCurves:
        title = str(curves.metadata.get("title") or "Force curves")
        return ResultCurves(
            curves=curves[self.part.curves], frame=self.frame, title=f"{title}{self.ending}"
        )

    def _map(
        self, what: str, at: str = "", depth: float | None = None, shown: bool = False
    ) -> Iterator[ResultImage]:
        """Map of a quantity; none where the results don't have it, or no curve a value."""
        frame = np.flatnonzero(np.isin(np.arange(len(self._flags())), self.frame.everyone))
        try:
            found = map_of(self.analysis, what, depth, curves=self.part.curves, frame=frame)
        except InvalidInput:
            return
        values = self.frame.turned(np.asarray(found.values, np.float64))
        if not np.isfinite(values).any():
            return
        marked = ~np.isfinite(values)
        about = {"quantity": what}
        if found.censored is not None:
            bounds = self.frame.turned(found.censored) == AT_LEAST
            marked = marked | bounds
            about["bounds"] = f"{int(bounds.sum())} marked places have a lower bound"
        if found.warnings:
            about["doubts"] = "; ".join(found.warnings)
        label = _short(found.label.partition(" at ")[0] if at else found.label)
        yield ResultImage(
            title=f"{label}{at}{self.ending}",
            unit=found.unit,
            frame=self.frame,
            values=values,
            marked=marked,
            shown=self.first and shown,
            about=about,
        )

    def _marks(self) -> Iterator[ResultImage]:
        """Flags that curves of the map have, each as 0 and 1."""
        flags = self._flags()
        for bit, name in enumerate(FLAGS):
            marks = (flags >> bit) & 1
            if marks[self.part.curves].any():
                yield self._of_curves(f"flag {name}", "", marks)
        left_out = excluded(self.analysis.results)
        if left_out[self.part.curves].any():
            yield self._of_curves("excluded by hand", "", left_out)

    def _of_curves(self, title: str, unit: str, every: AnyArray) -> ResultImage:
        """Image of a value that each curve has one of."""
        frame = self.frame
        values = np.full(frame.rows * frame.columns, np.nan)
        values[frame.cell] = every[self.part.curves]
        table = values.reshape(frame.rows, frame.columns)
        return ResultImage(
            title=f"{title}{self.ending}",
            unit=unit,
            frame=frame,
            values=table,
            marked=~np.isfinite(table),
        )

    def _flags(self) -> IntArray:
        results = self.analysis.results
        if "quality" not in results:
            return np.zeros(results.sizes["curve"], np.int64)
        return flags_of(results)
