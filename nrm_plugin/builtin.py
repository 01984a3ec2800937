"""What our own distribution registers: the common file, text tables, methods, figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrm_plugin.hookspecs import Deferred, Exporter, Importer, hookimpl

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet


class _CommonFile:
    name = "nrm"
    description = "the common file of nrm-plugin (NeXus-like HDF5)"
    suffixes: Sequence[str] = (".h5",)
    page = "common-file.md"
    suffix = ".h5"
    results = True

    def sniff(self, head: bytes, path: Path) -> int:
        if not head.startswith(b"\x89HDF\r\n\x1a\n"):
            return 0
        from nrm_plugin.store import is_common_file

        return 100 if is_common_file(path) else 0

    def open(self, path: Path) -> CurveSet:
        from nrm_plugin.store import open_curves

        return open_curves(path)

    def write(self, data: Any, path: Path) -> None:
        from nrm_plugin.model import CurveSet
        from nrm_plugin.store import write_curves

        if isinstance(data, CurveSet):
            write_curves(data, path)
            return
        from nrm_plugin.store.write_results import write_results

        write_results(data, path)


@dataclass(kw_only=True)
class _Export:
    """Exporter whose writers are imported when they are called.

    Attributes
    ----------
    curves, of_results : str
        ``module:function`` of the package that writes curves, and results; empty where neither.
    folder : bool
        Whether it writes a folder.
    """

    name: str
    description: str
    suffix: str
    curves: str = ""
    of_results: str = ""
    folder: bool = False

    @property
    def results(self) -> bool:
        """Whether results can be written."""
        return bool(self.of_results)

    def write(self, data: Any, path: Path) -> None:
        """See `nrm_plugin.hookspecs.Exporter`."""
        from importlib import import_module

        from nrm_plugin.errors import InvalidInput
        from nrm_plugin.model import CurveSet

        is_curves = isinstance(data, CurveSet)
        writer = self.curves if is_curves else self.of_results
        if not writer:
            what, others = ("results", "curves") if is_curves else ("curves", "results")
            raise InvalidInput(f"{self.suffix} holds {what}; {others} are written as .h5 or .csv")
        module, _, name = writer.partition(":")
        getattr(import_module(f"nrm_plugin.{module}"), name)(data, path)


class _Zarr(_Export):
    """Zarr, also at addresses of object storage."""

    def to_address(self, data: Any, address: str, overwrite: bool) -> None:
        """Write results to an address."""
        from nrm_plugin.store.zarr_results import save_zarr

        save_zarr(data, address, overwrite=overwrite)


_COMMON = _CommonFile()

_EXPORTS: tuple[Exporter, ...] = (
    _Export(
        name="csv",
        description="text: curves one line per sample, results one per curve and distance; SI",
        suffix=".csv",
        curves="store.write_csv:write_csv",
        of_results="store.export_results:write_results_csv",
    ),
    _Export(
        name="parquet",
        description="results as a table, a row per curve and distance; SI (extra tables)",
        suffix=".parquet",
        of_results="store.export_results:write_results_parquet",
    ),
    _Export(
        name="netcdf",
        description="results as netCDF 4, for xarray and others",
        suffix=".nc",
        of_results="store.export_results:write_netcdf",
    ),
    _Zarr(
        name="zarr",
        description="results as a folder of Zarr, in pieces of curves (extra dask)",
        suffix=".zarr",
        of_results="store.export_results:write_zarr",
        folder=True,
    ),
    _Export(
        name="xlsx",
        description="results as a workbook: regions, curves, what they were made of (extra excel)",
        suffix=".xlsx",
        of_results="statistics.workbook:write_workbook",
    ),
    _Export(
        name="npz",
        description="curves as NumPy's archive: channels in SI, segments, table, metadata",
        suffix=".npz",
        curves="store.export_curves:write_npz",
    ),
    _Export(
        name="afmformats",
        description="curves as the HDF5 that afmformats, nanite and PyJibe open",
        suffix=".afm.h5",
        curves="store.export_curves:write_afmformats",
    ),
)


@hookimpl
def nrm_importers() -> list[Importer]:
    """Return the importer of our own files."""
    return [_COMMON]


@hookimpl
def nrm_exporters() -> list[Exporter]:
    """Return the exporters of the core."""
    return [_COMMON, *_EXPORTS]


@hookimpl
def nrm_calibrations() -> list[Any]:
    """Return our calibrations; a name of two words is a method of a quantity."""
    return [Deferred(n, about, f"nrm_plugin.calibration.{at}") for n, about, at in _CALIBRATIONS]


_CALIBRATIONS = (
    (
        "deflection",
        "Deflection sensitivity from the wall of curves on a stiff sample.",
        "deflection:DEFLECTION",
    ),
    ("thermal", "Spring constant from thermal noise.", "spring:THERMAL"),
    ("sader", "Spring constant from plan view, resonance and quality factor.", "spring:SADER"),
    ("lateral geometry", "Lateral stiffness of a rectangular cantilever.", "lateral:GEOMETRY"),
    (
        "lateral lock-in",
        "Lateral sensitivity, from the dither on a hard sample.",
        "lateral_sensitivity:LOCK_IN",
    ),
    ("lateral loop", "Lateral sensitivity, from friction loops.", "lateral_sensitivity:LOOP"),
    ("lateral wedge", "Lateral sensitivity, from friction loops on two slopes.", "wedge:WEDGE"),
    ("lateral given", "Lateral sensitivity, as given.", "lateral_sensitivity:GIVEN_SENSITIVITY"),
    (
        "dither drive",
        "Amplitude of the dither, from drive x sensitivity x response.",
        "dither:DRIVE_DITHER",
    ),
    (
        "dither hard",
        "Amplitude of the dither, from a tip that sticks to a hard sample.",
        "dither:HARD_CONTACT_DITHER",
    ),
    (
        "phase hard",
        "Phase of the instrument, from a tip that sticks to a hard sample.",
        "phase:HARD_CONTACT_PHASE",
    ),
    (
        "phase elastomer",
        "Phase of the instrument, from a reference of known loss tangent.",
        "phase:ELASTOMER_PHASE",
    ),
    ("phase given", "Phase of the instrument, as given.", "phase:GIVEN_PHASE"),
    (
        "response",
        "Resonances of the scanner, and a safe band for the dither.",
        "response:RESPONSE",
    ),
)


@hookimpl
def nrm_contact_methods() -> list[Any]:
    """Return our contact methods."""
    return [Deferred(n, about, f"nrm_plugin.engine.methods:{at}") for n, about, at in _CONTACT]


@hookimpl
def nrm_derivative_methods() -> list[Any]:
    """Return our derivative methods."""
    return [Deferred(n, about, f"nrm_plugin.engine.methods:{at}") for n, about, at in _DERIVATIVE]


_CONTACT = (
    ("grown", "windows that grow as long as the data agree with a line", "GROWN"),
    ("two-line", "the paper's rule: fixed parts of the samples and of the force", "TWO_LINE"),
)

_DERIVATIVE = (
    ("local-linear", "a line around each distance", "LOCAL_LINEAR"),
    ("savitzky-golay", "parabolas on a regular grid, at the same resolution", "SAVITZKY_GOLAY"),
    ("total-variation", "layers, each of one gradient (no standard errors)", "TOTAL_VARIATION"),
)


@hookimpl
def nrm_figures() -> list[Deferred]:
    """Return the kinds of figures of `nrm_plugin.figures`."""
    return [
        Deferred(name, description, f"nrm_plugin.figures.kinds:{name.upper()}")
        for name, description in _FIGURES.items()
    ]


_FIGURES = {
    "raw": "deflection against height, with baseline, wall and solid contact",
    "referenced": "distance of the tip from the electrode, one curve after the other",
    "curve": "lateral force of one curve and its derivative",
    "voltammogram": "current against potential, or potential over time, with the regions",
    "profiles": "mean profile of every region with its confidence interval",
    "density": "density of a modulus over distance, a panel per region",
    "violin": "distribution over the curves of every region, in bins of distance",
    "thickness": "thickness of every region, its outermost edge, and the distance at one modulus",
    "map": "a modulus at a distance, the thickness, the contact height or flags at every place",
    "maps": "all of these for every region of the potential and every visit, a row each",
    "differences": "what changed at the same places from one region to the next",
    "quality": "how many curves carry each flag, and where they are",
    "topography": "heights of the surface with Sa, Sq and Rq",
    "figure4": "voltammogram, profiles, densities and violins in one figure",
}
