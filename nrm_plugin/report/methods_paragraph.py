"""What a paper must state of a study as a paragraph, and how to give what is not known."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nrm_plugin import __version__
from nrm_plugin.experiment.stated import Facts
from nrm_plugin.report.conditions import lag_is_corrected, samples_per_metre
from nrm_plugin.report.elements import HtmlTable, Part, Section, headings, words
from nrm_plugin.report.facts import facts_of, recipe_of
from nrm_plugin.report.self_checks import checks_of
from nrm_plugin.statistics.comparison_types import Comparison, StudySample
from nrm_plugin.statistics.selection import LEFT_OUT, excluded, select
from nrm_plugin.text import counted, printable, significant

#: What to cite: of the method, its forerunner in three dimensions, and of the program.
CITATIONS = (
    "The method: Atomic force nanorheology for in-situ exploration of nanoscale SEI layers in "
    "real-life rechargeable batteries electrodes, Faraday Discussions (2026), "
    "doi:10.1039/D6FD00053C.",
    "The method it comes from, 3D-NRM: Chen et al., Nature Communications 14 (2023) 1321, "
    "doi:10.1038/s41467-023-37033-7.",
    f"The program: nrm-plugin, version {__version__}; name the version, and give the recipe and "
    "the table of the comparison in the supplement.",
)


@dataclass(frozen=True, kw_only=True)
class MethodFact:
    """One of the things that a paper must state.

    Attributes
    ----------
    name : str
    text : str
        What is known, as part of a sentence; empty where nothing is.
    how : str
        How to give it.
    """

    name: str
    text: str
    how: str

    @property
    def in_words(self) -> str:
        """The statement, or that it is not stated, and how to give it."""
        return self.text or f"{self.name}: not stated ({self.how})"


def method_facts(samples: Sequence[StudySample], comparison: Comparison) -> list[MethodFact]:
    """All that a paper must state, in the order of the paragraph."""
    known = _Known(samples)
    told = _told
    return [
        MethodFact(
            name="tip force at the electrode (F_max)",
            text=known.common(_force, "distances count from where the tip stopped at F_max = {}"),
            how="`spring_constant` in the experiment file",
        ),
        MethodFact(
            name="ramp speed",
            text=known.common(told("approach_speed"), "the tip approached at {}"),
            how="`approach_speed` in the experiment file",
        ),
        MethodFact(
            name="samples per nanometre",
            text=known.common(_sampling, "curves had {} points per nm"),
            how="processing the curves again with this version",
        ),
        MethodFact(
            name="lever",
            text=known.common(lambda one: one.lever, "levers: {}"),
            how="`lever` of each sample in the study file; name type and maker in the paper",
        ),
        MethodFact(
            name="normal spring constant",
            text=known.common(_with_method("spring_constant"), "the spring constant was {}"),
            how="`nrm calibrate thermal` or `nrm calibrate sader`",
        ),
        MethodFact(
            name="lateral stiffness",
            text=known.common(_with_method("lateral_stiffness"), "the lateral stiffness was {}"),
            how="`nrm calibrate lateral geometry`",
        ),
        MethodFact(
            name="lateral sensitivity",
            text=known.common(
                _with_method("lateral_sensitivity"), "the lateral sensitivity was {}"
            ),
            how="`nrm calibrate lateral lock-in`; none is needed where the signal is in newtons",
        ),
        MethodFact(
            name="tip radius",
            text=known.common(told("tip_radius"), "the tip had a radius of {} (before or after)"),
            how="`tip_radius` in the experiment file",
        ),
        MethodFact(
            name="half-angle of the cone",
            text=known.common(told("tip_half_angle"), "a cone of half-angle {}"),
            how="`tip_half_angle` in the experiment file",
        ),
        MethodFact(
            name="tip radius and cone before and after",
            text="",
            how="no file holds both: write the second value into the paper by hand",
        ),
        MethodFact(
            name="stick or slip on the electrode",
            text=known.common(_stick, "on the electrode the tip {}"),
            how="`dither_amplitude`, `lateral_stiffness`, `spring_constant`: a self-check says it",
        ),
        MethodFact(
            name="detection limit X",
            text=_limit(comparison),
            how="`[thickness] modulus` in the study file",
        ),
        MethodFact(
            name="rule below the tip radius",
            text=_rule(known),
            how="`tip_radius` in the experiment file",
        ),
        MethodFact(
            name="shape factor r_g",
            text=known.common(_attribute("shape_factor_source"), "the shape factor r_g was {}"),
            how="`shape_factor` in the recipe",
        ),
        MethodFact(
            name="Poisson ratio",
            text=known.common(_poisson, "Poisson's ratio was taken as {}"),
            how="`poisson_ratio` in the experiment file",
        ),
        MethodFact(
            name="dither: amplitude and frequency",
            text=known.common(_dither, "the dither was {}"),
            how="`dither_amplitude` and `dither_frequency` in the experiment file",
        ),
        MethodFact(
            name="dither axis and crosstalk",
            text="",
            how="no file holds them: state the axis against the lever and the measured crosstalk",
        ),
        MethodFact(
            name="instrument's phase",
            text=known.common(_with_method("lockin_phase"), "the instrument's phase was {}"),
            how="`nrm calibrate phase`",
        ),
        MethodFact(
            name="lag of the lock-in",
            text=known.common(_lag, "the delay of the lock-in was {}"),
            how="`lockin_time_constant` and `lockin_poles` in the experiment file",
        ),
        MethodFact(
            name="temperature",
            text=known.common(told("temperature"), "the temperature was {}"),
            how="`temperature` in the experiment file",
        ),
        MethodFact(
            name="atmosphere (H2O, O2)",
            text="",
            how="no file holds it: state the glove box's H2O and O2 in ppm",
        ),
        MethodFact(
            name="electrode and electrolyte",
            text=known.common(_chemistry, "electrode and electrolyte: {}"),
            how="`electrode` and `electrolyte` in the experiment file",
        ),
        MethodFact(
            name="reference electrode",
            text=known.common(told("reference_electrode"), "potentials are against {}"),
            how="`reference_electrode` in the experiment file; state iR and scan rate as well",
        ),
        MethodFact(name="curves excluded", text=_exclusions(samples), how="the study"),
        MethodFact(
            name="moduli",
            text="E* = E' + iE'' is the complex Young's modulus, G* = E*/2(1 + nu) the shear "
            "modulus, and eta' = G''/(2 pi f) the viscosity at the frequency of the dither",
            how="",
        ),
        MethodFact(name="program", text=_program(samples), how=""),
    ]


class _Known:
    """What samples say, each value with the samples that it holds for."""

    def __init__(self, samples: Sequence[StudySample]) -> None:
        self.samples = samples

    def common(self, value_of: Callable[[StudySample], str], sentence: str) -> str:
        """The sentence with the value of all samples, or with each value and its samples."""
        groups: dict[str, list[str]] = {}
        for one in self.samples:
            groups.setdefault(printable(value_of(one)), []).append(printable(one.name))
        if not any(groups):
            return ""
        if len(groups) == 1:
            return sentence.format(next(iter(groups)))
        parts = [
            f"{value or 'not stated'} ({_names(names)})" for value, names in groups.items() if names
        ]
        return sentence.format(", ".join(parts))


def _names(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _facts(one: StudySample) -> Facts:
    return facts_of(one.results)


def _told(key: str) -> Callable[[StudySample], str]:
    def of(one: StudySample) -> str:
        facts = _facts(one)
        return facts[key].text if key in facts else ""

    return of


def _attribute(name: str) -> Callable[[StudySample], str]:
    return lambda one: str(one.results.attrs.get(name, ""))


def _with_method(key: str) -> Callable[[StudySample], str]:
    """Value with its error and where it comes from."""

    def of(one: StudySample) -> str:
        for name, text, source in _facts(one).rows():
            if name == key:
                text = text.replace(" ± unknown", ", error not known")
                return f"{text}{f' ({source})' if source else ''}"
        return ""

    return of


def _force(one: StudySample) -> str:
    found = re.search(r"F_max = ([^:;,]+)", str(one.results.attrs.get("electrode", "")))
    return found[1].strip() if found else ""


def _sampling(one: StudySample) -> str:
    density = samples_per_metre(one.analysis.results)
    return "" if density is None else significant(density * 1e-9, 2)


def _stick(one: StudySample) -> str:
    said = [check for check in checks_of(one.results) if check.name == "stick"]
    if not said or said[0].verdict == "unknown":
        return ""
    return said[0].found_in_words


def _limit(comparison: Comparison) -> str:
    modulus = comparison.thickness_modulus
    if not comparison.thickness or not np.isfinite(modulus):
        return ""
    return f"thickness was compared at |G*| = {significant(modulus * 1e-6)} MPa in all samples"


def _rule(known: _Known) -> str:
    def of(one: StudySample) -> str:
        radius = _facts(one).number("tip_radius")
        return "" if radius is None else f"{significant(radius * 1e9)} nm"

    return known.common(
        of,
        "moduli at distances below the tip radius, {}, are apparent: the electrode is felt there",
    )


def _poisson(one: StudySample) -> str:
    value = one.results.attrs.get("poisson_ratio")
    source = str(one.results.attrs.get("poisson_ratio_source", ""))
    return "" if value is None else f"{float(value):g}{f' ({source})' if source else ''}"


def _dither(one: StudySample) -> str:
    facts = _facts(one)
    keys = ("dither_amplitude", "dither_frequency")
    parts = [
        facts[key].text + (" (peak)" if key == keys[0] else "") for key in keys if key in facts
    ]
    return " at ".join(parts)


def _lag(one: StudySample) -> str:
    if recipe_of(one.results) is None:
        return ""
    facts = _facts(one)
    told = [facts[key].text for key in ("lockin_time_constant", "lockin_poles") if key in facts]
    of = f" ({told[0]}, {told[1]} poles)" if len(told) == 2 else ""
    return f"{'corrected' if lag_is_corrected(one.results) else 'not corrected'}{of}"


def _chemistry(one: StudySample) -> str:
    facts = _facts(one)
    return " in ".join(facts[key].text for key in ("electrode", "electrolyte") if key in facts)


def _exclusions(samples: Sequence[StudySample]) -> str:
    total = by_rule = by_hand = 0
    for one in samples:
        results = one.analysis.results
        total += results.sizes["curve"]
        by_hand += int(excluded(results).sum())
        by_rule += select(results)[1]
    rules = " or ".join(name.replace("_", " ") for name in LEFT_OUT)
    reasons = ", with reasons that are listed" if by_hand else ""
    return (
        f"of {counted(total)} {by_rule} were left out by rule ({rules}) and {by_hand} by hand"
        f"{reasons}"
    )


def _program(samples: Sequence[StudySample]) -> str:
    versions = sorted({str(one.results.attrs.get("nrm_plugin_version", "")) for one in samples})
    named = ", ".join(version for version in versions if version) or "of an unknown version"
    return f"curves were processed by nrm-plugin {named}"


def methods_section(samples: Sequence[StudySample], comparison: Comparison) -> Section:
    """The paragraph, what is missing in it, and what to cite."""
    made = method_facts(samples, comparison)
    known = [one.text for one in made if one.text]
    paragraph = ". ".join(text[:1].upper() + text[1:] for text in known) + "."
    absent = [one for one in made if not one.text]
    section = Section(title="Methods, for the paper", anchor="methods", words=[paragraph])
    if absent:
        rows = [
            [words(one.name), words("not stated", "doubtful"), words(one.how)] for one in absent
        ]
        section.tables.append(
            HtmlTable(
                "What a paper must state and the study does not",
                headings("What", "Here", "How to give it"),
                [[a, b, words(_plain(c.text))] for a, b, c in rows],
            )
        )
    section.parts = [Part(title="What to cite", words=list(CITATIONS))]
    return section


def _plain(text: str) -> str:
    """Text of a cell, in which nothing is marked as typed."""
    return text.replace("`", "")
