"""The kinds of figures of ``nrm plot``, each with its settings.

Their names and descriptions are where they are registered, in `nrm_plugin.builtin`. matplotlib is
imported when the first is drawn.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, NonNegativeInt

from nrm_plugin import figures, units
from nrm_plugin.errors import InvalidInput
from nrm_plugin.parameters import MethodSettings, Unit

if TYPE_CHECKING:
    import xarray as xr

    from nrm_plugin.statistics import Regions


def potentials(given: Any) -> Any:
    """Potentials in V of a text with commas between them, or of several such texts."""
    if isinstance(given, str):
        return [units.parse(part, "V") for part in given.split(",")]
    if isinstance(given, list | tuple) and all(isinstance(part, str) for part in given):
        return [value for part in given for value in potentials(part)]
    return given


Length = Annotated[float, Unit("m", "nm")]
Potentials = Annotated[tuple[float, ...], BeforeValidator(potentials)]
Numbers = tuple[NonNegativeInt, ...]
By = Literal["region+visit", "region", "visit"]

_NUMBER = "number of a curve, from 0; may be repeated"
_VARIABLE = "what is drawn: storage_modulus, shear_modulus_magnitude, viscosity, ..."
_DISTANCE = "distance from the electrode, in m, or as 5nm"
_VISIT = "number of a visit, from 1; may be repeated"
_RELIEF = "contour lines of the topography over the maps"
_MODULUS, _GRADIENT = "shear_modulus_magnitude", "force_gradient_in_phase"


class _OfCurves(MethodSettings):
    curve: Numbers = Field((), description=_NUMBER)
    results: Any = Field(None, description="results of these curves, for their contacts")


class _OfOneCurve(MethodSettings):
    curve: Numbers = Field((), description=_NUMBER)


class _ByRegion(MethodSettings):
    edges: Potentials = Field(
        (), description="potentials in V between which the regions lie, 2,1.5,1,0.5,0.005"
    )
    potential: Any = Field(None, description="the potentiostat's log")
    kept: Any = Field(None, description="potential and current that the results keep")
    sweep: Literal["cathodic", "anodic", "any"] | None = Field(
        None, description="pass of the voltammogram; the cathodic one where there are both"
    )
    cycle: str | None = Field(None, description="number of the cycle, or any; by default the first")
    surface: Literal["any", "hard", "yielding"] = Field(
        "any", description="class of the surface, by the slope of the wall"
    )
    run: Literal["all", "before", "after"] = Field(
        "all", description="part of the run before or after the instrument's step"
    )


class _OfMaps(_ByRegion):
    depth: Length = Field(5e-9, description=_DISTANCE)
    by: By | None = Field(
        None, description="a map for each region+visit, region (mean over visits) or visit"
    )
    visit: Numbers = Field((), description=_VISIT)
    relief: bool = Field(False, description=_RELIEF)


class _OfMap(_OfMaps):
    variable: str = Field(_MODULUS, description="the same, or thickness, contact_height, quality")


class _OfDifferences(_ByRegion):
    variable: str = Field(_MODULUS, description="the same, or thickness, contact_height")
    depth: Length = Field(5e-9, description=_DISTANCE)
    visit: Numbers = Field((), description=_VISIT)
    relief: bool = Field(False, description=_RELIEF)


class _OfTopography(MethodSettings):
    variable: str | None = Field(None, description="name of the image")
    visit: Numbers = Field((), description=_VISIT)


class _OfVoltammogram(_ByRegion):
    curves: Any = Field(None, description="curves with a channel of the current")


class _OfProfiles(_ByRegion):
    variable: str = Field(_GRADIENT, description=_VARIABLE)


class _OfViolin(_ByRegion):
    variable: str = Field(_MODULUS, description=_VARIABLE)


class _OfThickness(_ByRegion):
    modulus: Annotated[float, Unit("Pa", "MPa")] | None = Field(
        None,
        description="|G*| at which regions are compared, 0.1MPa; their largest detection limit if "
        "not given",
    )


class _Densities(MethodSettings):
    log: bool = Field(False, description="densities over the logarithm of the modulus")
    conditional: bool = Field(False, description="densities at each distance, not over all")


class _OfDensity(_Densities, _OfViolin):
    pass


class _OfFigure4(_Densities, _OfProfiles, _OfVoltammogram):
    pass


@dataclass(frozen=True, kw_only=True)
class FigureKind:
    """A kind of figure that a function draws: see `nrm_plugin.hookspecs.Figure`.

    Attributes
    ----------
    needs : str
    function : callable
        Of data and settings, and of ``ax`` or ``figure``, on which it draws.
    Settings : type
    wide : bool, or callable
        Whether it is as wide as a page; a function of data and settings where that depends.
    several : bool
        Whether it has several panels.
    """

    needs: str
    function: Callable[..., Any]
    Settings: type[BaseModel] = MethodSettings
    wide: bool | Callable[[Any, Any], bool] = False
    several: bool = False

    def draw(self, data: Any, ax: Any, settings: Any = None) -> Any:
        """Draw on axes; several panels share the place of the axes."""
        if not self.several:
            return self.function(data, settings or self.Settings(), ax=ax)
        place = ax.get_subplotspec()
        if place is None:
            raise InvalidInput("this figure has several panels: give axes of a grid (subplots)")
        part = ax.figure.add_subfigure(place)
        ax.remove()
        return self.draw_figure(data, part, settings)

    def draw_figure(self, data: Any, figure: Any, settings: Any = None) -> Any:
        """Fill an empty figure, and set its height."""
        return self.function(data, settings or self.Settings(), figure=figure)


def cycle_number(text: str | None) -> int | str | None:
    """Cycle that is meant by an option: a number, ``any``, or None."""
    return int(text) if text is not None and text.strip().isdecimal() else text


def _regions(results: xr.Dataset, settings: Any) -> Regions:
    """Regions between the edges; all curves as one where no curve has a potential."""
    from nrm_plugin.figures.panels import has_potential
    from nrm_plugin.statistics import DEFAULT_EDGES, regions
    from nrm_plugin.statistics.regions import everything

    chosen = {"surface": settings.surface, "run": settings.run}
    if not has_potential(results):
        return everything(results, **chosen)
    cycle = cycle_number(settings.cycle)
    found = regions(results, settings.edges or DEFAULT_EDGES, settings.sweep, cycle, **chosen)
    for text in found.warnings:
        warnings.warn(text, stacklevel=2)
    if found.outside:
        warnings.warn(f"curves outside the edges: {found.outside}", stacklevel=2)
    if found.surface != "any" or found.run != "all":
        warnings.warn(f"shown: {found.note}", stacklevel=2)
    return found


def _trace(results: xr.Dataset, settings: Any) -> Any:
    """Potential and current of the log, or else of the curves."""
    trace = None
    if settings.potential is not None:
        trace = figures.log_trace(settings.potential, results)
    elif settings.curves is not None:
        trace = figures.recorded_trace(settings.curves, results)
    asked = settings.potential is not None or settings.curves is not None
    trace = settings.kept if trace is None else trace
    if trace is None and asked:
        warnings.warn("there is no current: potentials are shown over time", stacklevel=2)
    return trace


def _raw(curves: Any, of: Any, **on: Any) -> Any:
    return figures.raw(curves, of.curve or None, results=of.results, **on)


def _referenced(curves: Any, of: Any, **on: Any) -> Any:
    return figures.referenced(curves, of.curve or None, results=of.results, **on)


def _curve(results: Any, of: Any, **on: Any) -> Any:
    return figures.curve(results, of.curve[0] if of.curve else None, **on)


def _voltammogram(results: Any, of: Any, **on: Any) -> Any:
    return figures.voltammogram(results, _regions(results, of), trace=_trace(results, of), **on)


def _profiles(results: Any, of: Any, **on: Any) -> Any:
    return figures.profiles(results, _regions(results, of), of.variable, **on)


def _density(results: Any, of: Any, **on: Any) -> Any:
    options = {"log": of.log, "conditional": of.conditional}
    return figures.density(results, _regions(results, of), of.variable, **options, **on)


def _violin(results: Any, of: Any, **on: Any) -> Any:
    return figures.violin(results, _regions(results, of), variable=of.variable, **on)


def _thickness(results: Any, of: Any, **on: Any) -> Any:
    return figures.thickness(results, _regions(results, of), threshold=of.modulus, **on)


def _map(results: Any, of: Any, ax: Any = None, figure: Any = None) -> Any:
    if ax is not None:
        return figures.map(results, of.variable, of.depth, relief=of.relief, ax=ax)
    options = {"relief": of.relief, "figure": figure}
    return figures.maps(results, of.variable, of.depth, **_split(results, of), **options)


def _maps(results: Any, of: Any, **on: Any) -> Any:
    split = _split(results, of) | {"by": of.by or "region+visit"}
    return figures.region_maps(results, depth=of.depth, **split, relief=of.relief, **on)


def _differences(results: Any, of: Any, **on: Any) -> Any:
    chosen: dict[str, Any] = {"regions": _regions(results, of), "visits": of.visit or None}
    return figures.differences(results, of.variable, of.depth, **chosen, relief=of.relief, **on)


def _split(results: xr.Dataset, of: Any) -> dict[str, Any]:
    """Into which maps results are split."""
    from nrm_plugin.statistics.regions import everything

    if of.by == "visit":
        regions = everything(results, surface=of.surface, run=of.run)
    else:
        regions = _regions(results, of)
    return {"by": of.by, "regions": regions, "visits": of.visit or None}


def _several_maps(results: xr.Dataset, of: Any) -> bool:
    from nrm_plugin.statistics import map_parts

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        how = _split(results, of)
    return len(map_parts(results, **how | {"by": of.by or "region+visit"}).parts) > 1


def _several_visits(source: Any, of: Any) -> bool:
    from nrm_plugin.statistics import map_parts

    return _are_results(source) and len(map_parts(source, "visit").parts) > 1


def _are_results(source: Any) -> bool:
    return hasattr(source, "data_vars")


def _quality(results: Any, of: Any, **on: Any) -> Any:
    return figures.quality(results, **on)


def _topography(source: Any, of: Any, ax: Any = None, figure: Any = None) -> Any:
    if ax is not None or not _are_results(source):
        return figures.topography(source, of.variable, ax=ax, figure=figure)
    return figures.maps(source, "topography", visits=of.visit or None, figure=figure)


def _figure4(results: Any, of: Any, **on: Any) -> Any:
    shown, trace = _regions(results, of), _trace(results, of)
    options = {"variable": of.variable, "log": of.log, "conditional": of.conditional}
    return figures.figure4(results, shown, trace=trace, **options, **on)


RAW = FigureKind(needs="curves", function=_raw, Settings=_OfCurves)
REFERENCED = FigureKind(needs="curves", function=_referenced, Settings=_OfCurves)
CURVE = FigureKind(needs="results", function=_curve, Settings=_OfOneCurve, several=True)
VOLTAMMOGRAM = FigureKind(needs="results", function=_voltammogram, Settings=_OfVoltammogram)
PROFILES = FigureKind(needs="results", function=_profiles, Settings=_OfProfiles)
DENSITY = FigureKind(
    needs="results", function=_density, Settings=_OfDensity, wide=True, several=True
)
VIOLIN = FigureKind(needs="results", function=_violin, Settings=_OfViolin, wide=True, several=True)
THICKNESS = FigureKind(needs="results", function=_thickness, Settings=_OfThickness)
MAP = FigureKind(needs="results", function=_map, Settings=_OfMap, wide=_several_maps)
MAPS = FigureKind(needs="results", function=_maps, Settings=_OfMaps, wide=True, several=True)
DIFFERENCES = FigureKind(
    needs="results", function=_differences, Settings=_OfDifferences, wide=True, several=True
)
QUALITY = FigureKind(needs="results", function=_quality, wide=True, several=True)
TOPOGRAPHY = FigureKind(
    needs="either", function=_topography, Settings=_OfTopography, wide=_several_visits
)
FIGURE4 = FigureKind(
    needs="results", function=_figure4, Settings=_OfFigure4, wide=True, several=True
)
