"""The sections with results: by potential, and over the sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from nrm_plugin import figures
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.figures.panels import has_potential
from nrm_plugin.model import CurveSet
from nrm_plugin.report import regional
from nrm_plugin.report.elements import (
    HtmlTable,
    Part,
    Section,
    count,
    headings,
    interval,
    missing,
    number,
    words,
)
from nrm_plugin.report.pictures import Picture, panels, picture
from nrm_plugin.statistics import Regions, trend
from nrm_plugin.statistics.intervals import NOT_IN_IT
from nrm_plugin.statistics.selection import Analysis, column, excluded, select
from nrm_plugin.statistics.summary import thickness_rows
from nrm_plugin.text import counted

_NO_LATERAL = (
    "The curves have no lateral signal: contacts and heights are given, moduli are not. Say which "
    "channels hold the lock-in's X and Y, and how it was set (`nrm experiment`)."
)

#: What the voltammogram shows, without and with a current.
_PASS = (
    "The electrode potential while the curves were taken",
    "Current against the electrode potential",
)

_NO_POTENTIAL = (
    "No curve has an electrode potential, so all curves are taken together. Give the "
    "potentiostat's log to `nrm process` with `--potential`."
)


def potential_section(
    analysis: Analysis,
    found: Regions,
    thickness: xr.Dataset | None,
    rows: Sequence[Mapping[str, Any]],
    trace: Any,
    curves: CurveSet | None,
) -> Section:
    """Figure 4 and its tables; all curves as one where there is no potential."""
    results = analysis.results
    potential = has_potential(results)
    title = "Results by potential" if potential else "Results"
    section = Section(title=title, anchor="results")
    section.words += _sorted_into(found) if potential else [_NO_POTENTIAL]
    section.words += [found.not_separable] if found.not_separable else []
    if "storage_modulus" not in results or not _used(results, found):
        section.missing = True
        section.words.append(_nothing(results, found))
        if potential:
            section.pictures.append(_voltammogram(results, found, trace))
        section.tables.append(regional.thickness_table(results, found, None))
        return section
    section.pictures += _main(analysis, found, trace, potential)
    numbers = Part(
        title="Numbers",
        download=regional.as_download(
            [*rows, *([] if thickness is None else thickness_rows(thickness, found))]
        ),
        words=_of_thickness(thickness),
        pictures=[_thickness(analysis, found)],
        tables=[
            regional.thickness_table(results, found, thickness),
            *([] if thickness is None else [regional.edges_table(found, thickness)]),
            regional.summary_table(rows, found),
        ],
    )
    section.parts = [
        numbers,
        _more_profiles(analysis, found),
        _more_densities(analysis, found),
        _single(results, curves),
    ]
    return section


def _thickness(analysis: Analysis, found: Regions) -> Picture:
    return picture(
        lambda: figures.thickness(analysis, found),
        "Mean thickness of the regions (grey: bounds, where it is not measurable), their outermost "
        f"edges, and the distances at which |G*| falls below one common modulus.{_shown(found)}",
        "Thickness by region, with intervals; the numbers are in the tables below.",
    )


def _of_thickness(thickness: xr.Dataset | None) -> list[str]:
    """Sentences on what the thickness of the regions can tell."""
    if thickness is None:
        return []
    lines = [str(thickness.attrs["growth"]), *str(thickness.attrs["warnings"]).splitlines()]
    return [f"{line[:1].upper()}{line[1:].removesuffix('.')}." for line in lines if line]


def normal_part(results: xr.Dataset, found: Regions) -> Part:
    """The normal channel by region, of both directions where there are both."""
    title = "Normal force"
    if "normal_onset" not in results:
        return missing(title, "Results of an earlier version do not hold the normal channel.")
    return Part(title=title, tables=[regional.normal_table(results, found)])


def _used(results: xr.Dataset, found: Regions) -> int:
    """Curves that averages are made of."""
    return sum(len(select(results, region.curves)[0]) for region in found)


def _nothing(results: xr.Dataset, found: Regions) -> str:
    """Why there are no averages."""
    if not results.sizes["curve"]:
        return "There are no curves."
    if "storage_modulus" not in results:
        return _NO_LATERAL
    if results.sizes["curve"] and excluded(results).all():
        return "There is nothing to average: all curves were excluded by hand."
    if not sum(len(region) for region in found):
        return (
            "There is nothing to average: no curve was taken at these potentials. Either the edges "
            "of the regions are elsewhere, or the log's clock differs from the microscope's."
        )
    return (
        "There is nothing to average: all curves in the regions are left out for their flags. The "
        "section on quality says why, and what to change."
    )


def _sorted_into(found: Regions) -> list[str]:
    inside = sum(len(region) for region in found)
    direction = f" ({found.caption})" if found.caption else ""
    parts = [f"In the {len(found)} regions below{direction}: {counted(inside)}"]
    if found.outside:
        parts.append(f"outside of all regions: {found.outside}")
    if found.other_pass:
        parts.append(f"in other passes, which are not mixed in: {found.other_pass}")
    if found.without_potential:
        parts.append(f"without a potential: {found.without_potential}")
    return ["; ".join(parts) + "."]


def _voltammogram(results: xr.Dataset, found: Regions, trace: Any) -> Picture:
    return picture(
        lambda: figures.voltammogram(results, found, trace=trace),
        f"{_PASS[trace is not None]}, with the regions shaded.",
        "Potential against time or current against potential, with shaded regions; their curves "
        "are counted in the table.",
    )


def _shown(found: Regions) -> str:
    """Sentence for a caption: which curves were selected."""
    return f" Curves: {found.caption}." if found.caption else ""


def _factor(results: xr.Dataset) -> str:
    """Sentence for a caption: by which shape factor the moduli are."""
    source = str(results.attrs.get("shape_factor_source", "")) or "unknown"
    own = "" if results.attrs.get("shape_factor_note") is None else ", whatever the tip"
    return f" Moduli by r_g = {source}{own}."


def _main(analysis: Analysis, found: Regions, trace: Any, potential: bool) -> list[Picture]:
    """Figure 4, or its panels where there is no potential."""
    profiles = (
        "Mean in-phase derivative of the lateral force, Re dF/dz, with the 95 % interval of "
        f"the mean ({NOT_IN_IT})"
    )
    density = (
        "Density of |G*| over the distance from the electrode: darker where more curves are. "
        "Dashed: what noise alone shows; hatched: most values are below three times their noise"
    )
    violin = (
        "Distribution of |G*| over the curves within bins of distance. Box: quartiles; dot: "
        "median; dashed: what noise alone shows"
    )
    factor = _shown(found) + _factor(analysis.results)
    if potential:
        return [
            picture(
                lambda: figures.figure4(analysis, found, trace=trace),
                f"(a) {_PASS[trace is not None]}, with the regions. "
                f"(b) {profiles}. (c) {density}. (d) {violin}.{factor}",
                "Four rows of panels by region of the electrode potential: potential, mean "
                "profiles, densities of the shear modulus over depth, violins. Their numbers are "
                "in the tables below.",
            )
        ]
    return [
        picture(
            lambda: figures.profiles(analysis, found),
            f"{profiles}.{_shown(found)}",
            "Mean profile of all curves with its interval.",
        ),
        picture(
            lambda: figures.density(analysis, found, width=figures.COLUMN),
            f"{density}.{factor}",
            "Density of the shear modulus over depth, all curves.",
        ),
        picture(
            lambda: figures.violin(analysis, found),
            f"{violin}.{factor}",
            "Violins of the shear modulus in bins of depth, all curves.",
        ),
    ]


def _more_profiles(analysis: Analysis, found: Regions) -> Part:
    results = analysis.results
    names = ["force_gradient_quadrature", "storage_modulus", "loss_modulus"]
    if "viscosity" in results and np.isfinite(results["viscosity"].values).any():
        names.append("viscosity")
    draws = [partial(_profile, analysis, found, name) for name in names]
    one = picture(
        lambda: panels(draws, 2, 0.062, figures.PAGE),
        f"Means with their 95 % intervals ({NOT_IN_IT}): out-of-phase derivative of the lateral "
        "force, storage and loss modulus"
        + (", viscosity at the dither's frequency." if len(names) > 3 else ".")
        + _shown(found)
        + _factor(results),
        "Mean profiles by region: " + ", ".join(n.replace("_", " ") for n in names) + ".",
    )
    return Part(title="Loss, moduli and viscosity", pictures=[one])


def _profile(analysis: Analysis, found: Regions, name: str, ax: Any) -> None:
    figures.profiles(analysis, found, name, ax=ax)


def _more_densities(analysis: Analysis, found: Regions) -> Part:
    width = figures.PAGE if len(found) > 1 else figures.COLUMN
    one = picture(
        lambda: figures.density(analysis, found, conditional=True, log=True, width=width),
        "Density of |G*| at each distance (its integral over the modulus is 1 everywhere), on a "
        "logarithmic scale: small populations far from the electrode show here."
        + _shown(found)
        + _factor(analysis.results),
        "Conditional densities of the logarithm of the shear modulus over depth, one panel per "
        "region.",
    )
    return Part(title="Densities at each distance", pictures=[one])


def _single(results: xr.Dataset, curves: CurveSet | None) -> Part:
    """From the recorded curve to the derivative."""
    shown = []
    if curves is not None:
        shown += [
            picture(
                lambda: figures.raw(curves, results=results),
                "Deflection against height of single curves. The line of the baseline and that of "
                "the wall cross at the solid contact.",
                "Deflection is flat far away and rises along a straight wall on the electrode.",
            ),
            picture(
                lambda: figures.referenced(curves, results=results),
                "Distance of the tip from the electrode, sample by sample, for some curves: each "
                "has its own solid contact as origin.",
                "Every curve comes down to the same origin, whatever its height.",
            ),
        ]
    shown.append(
        picture(
            lambda: figures.curve(results),
            "Lateral force of a single curve and its derivative, in phase and out of phase, with "
            "95 % intervals of the noise. Grey: next to the electrode there is no estimate.",
            "Lateral force rises towards the electrode; its derivative shows the layers.",
        )
    )
    return Part(title="Single curves", pictures=shown)


def sample_section(analysis: Analysis, regions: Regions, curves: CurveSet | None) -> Section:
    """Maps, topography, and what repeated ramps do."""
    results = analysis.results
    section = Section(title="Over the sample", anchor="sample")
    x, y = column(results, "x"), column(results, "y")
    if x is None or y is None or not np.isfinite(np.asarray(x) + np.asarray(y)).any():
        section.words.append("The curves have no positions: there are no maps.")
        section.missing = True
    else:
        lateral = "storage_modulus" in results and len(select(results)[0])
        section.pictures.append(
            picture(
                lambda: figures.maps(analysis, figures.TOPOGRAPHY),
                "Height of the solid contact above its plane: the topography of the electrode "
                "below the interphase. Sa, Sq: roughness of the area; Rq: of the lines.",
                "Map of the heights of the solid contact.",
            )
        )
        if lateral:
            section.pictures += [
                picture(
                    partial(_maps, analysis, regions, depth=depth),
                    f"|G*| at {depth * 1e9:.3g} nm from the electrode, for every region of the "
                    "potential and every visit to the same places. Hatched: below three times its "
                    "standard error. Where more than half of a map is hatched, what is left is the "
                    "upper tail of the noise, and biased upwards: the tables have the magnitude of "
                    f"the mean, which is not.{_factor(results)}",
                    "Map of the shear modulus at a fixed distance from the electrode.",
                )
                for depth in (figures.DEPTH, 2.0 * figures.DEPTH)
            ] + [
                picture(
                    lambda: _maps(analysis, regions, "thickness"),
                    "Distance from the electrode at which the interphase is first felt.",
                    "Map of the thickness.",
                ),
            ]
        if curves is not None and any(image.unit == "m" for image in curves.images):
            section.pictures.append(
                picture(
                    lambda: figures.topography(curves),
                    "Topography as the microscope recorded it, above its plane.",
                    "Map of heights recorded with the curves.",
                )
            )
    section.parts = [_repeats(analysis)]
    return section


def _maps(
    analysis: Analysis,
    regions: Regions,
    what: str = "shear_modulus_magnitude",
    depth: float = figures.DEPTH,
) -> list[Axes]:
    """Maps of every region and visit; the mean over visits where they would fill no page."""
    try:
        return figures.maps(analysis, what, depth, regions=regions)
    except InvalidInput:
        return figures.maps(analysis, what, depth, by="region", regions=regions)


def _repeats(analysis: Analysis) -> Part:
    title = "Repeated ramps at one place"
    if "storage_modulus" not in analysis.results:
        return missing(title, "Without moduli there is no trend to look for.")
    rows, notes = [], []
    for name, shown, factor, unit in (
        ("shear_modulus_magnitude", "|G*|, first 5 nm", 1e-6, "MPa"),
        ("thickness", "thickness", 1e9, "nm"),
        ("contact_height", "height of the solid contact", 1e9, "nm"),
    ):
        try:
            result = trend(analysis, name)
        except NrmError as error:
            notes.append(f"{shown}: {error}.")
            continue
        if not result.n_places:
            return missing(
                title,
                "No place was measured more than once: nothing can be said "
                "about damage by the tip.",
            )
        notes += result.warnings
        rows.append(
            [
                words(f"{shown} ({unit})"),
                interval(result.per_ramp, result.low, result.high, factor),
                number(result.relative, 100.0, 2, "%"),
                number(result.p, digits=2),
                count(result.n_places),
                count(result.n_curves),
            ]
        )
    numbers = ("Change per ramp, 95 % interval", "Relative", "p (no change)", "Places", "Curves")
    columns = headings("Variable", *numbers, numbers=numbers)
    tables = (
        [HtmlTable("What one more ramp at the same place changes", columns, rows)] if rows else []
    )
    return Part(title=title, words=list(dict.fromkeys(notes)), tables=tables)
