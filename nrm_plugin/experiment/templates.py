"""Writes an experiment file to fill in: what files gave, what is missing, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nrm_plugin.errors import InvalidInput
from nrm_plugin.experiment.schema import BY_KEY, ENTRIES, FIRST, LEFT_OUT, SECTIONS, Entry
from nrm_plugin.experiment.validation import UNFILLED, checked
from nrm_plugin.requirements import NEEDS, Missing, missing, when_needed
from nrm_plugin.text import as_toml, commented, quoted
from nrm_plugin.vocabulary import CHANNELS, LATERAL_PAIRS, METADATA, calibrated_by

if TYPE_CHECKING:
    from nrm_plugin.model import Channel, CurveSet

_HEAD = """\
# Experiment file: what the experimenter knows and the microscope's file does not.
# A number has its unit in quotes, "0.2 N/m"; a number without a unit is in SI.
# Lines that begin with # are not read: fill in the dots and take the # away.
# These values replace those in the microscope's files, for every file they are used with.
"""

_MATTERS = """\
# What moduli stand or fall with: eight values, and what each does to moduli if it is wrong.
# These lines stay above the first [section].
"""
_REST = """\
# The rest, by section. The signals have names in [channels]."""


def template(curves: CurveSet | None = None) -> str:
    """Return the text of an experiment file with all that curves bring, for the rest to fill in.

    Values that curves have are there with their source. What moduli still need is commented out,
    marked NEEDED, and says why; so is what is optional. A channel of which the file does not say
    what it is gets no suggestion.

    Parameters
    ----------
    curves : CurveSet, optional
        Without curves, everything is listed, and when it is needed.

    Returns
    -------
    str
        TOML, which `read` accepts as it is.
    """
    lines = [_HEAD.rstrip()]
    if curves is None:
        needed = {n.key: f"NEEDED {n.when}".rstrip() + f": {n.why}" for n in NEEDS}
    else:
        gaps = missing(curves)
        needed = {gap.key: f"NEEDED: {gap.why}" for gap in gaps}
        lines += ["#", *_summary(curves, gaps)]
    lines += ["", _MATTERS.rstrip()]
    for key, mistake in FIRST.items():
        lines += ["", *_matters(BY_KEY[key], mistake, curves, needed)]
    lines += ["", _REST]
    for section, meaning in SECTIONS.items():
        lines += ["", f"[{section}]", f"# {meaning}"]
        if section == "channels":
            lines += _channels(curves, needed)
        if section == "measurement" and curves is not None:
            lines += _only_in_the_file(curves)
        lines += [
            line
            for entry in ENTRIES
            if entry.section == section and (calibrated_by(entry.key) or entry.key) not in FIRST
            for line in _line(entry, curves, needed)
        ]
    return "\n".join(lines) + "\n"


def _summary(curves: CurveSet, gaps: list[Missing]) -> list[str]:
    """What the files are, and what moduli need, as comments."""
    files = ", ".join(origin.name for origin in curves.origins[:20])
    more = f" and {len(curves.origins) - 20} more" if len(curves.origins) > 20 else ""
    noun = "curve" if curves.n_curves == 1 else "curves"
    lines = [f"From: {files or 'curves in memory'}{more}"]
    if curves.metadata.get("simulated"):
        lines.append("The data are simulated.")
    if curves.n_curves:
        lines.append(f"{curves.n_curves} {noun}, {curves.n_samples} samples")
    else:
        lines.append("no curves: there is nothing to get moduli from")
    for image in curves.images[:50]:
        lines.append(f"image: {image.name} {image.direction}, in {image.unit or 'no unit'}")
    if curves.n_curves and not gaps:
        lines.append("Nothing is missing for moduli.")
    if curves.n_curves and gaps:
        lines.append("Missing for moduli, each marked NEEDED below:")
        lines += [f"  {gap.key}{_place(gap)}" for gap in gaps]
    if curves.warnings:
        lines.append("Warnings, from reading the files:")
        lines += [f"  {warning}" for warning in curves.warnings[:50]]
    return [f"# {'  ' if line.startswith('  ') else ''}{commented(line)}" for line in lines]


def _place(gap: Missing) -> str:
    if gap.is_channel:
        return ": [channels]"
    return "" if gap.key in FIRST else f": {BY_KEY[gap.key].place}"


def _only_in_the_file(curves: CurveSet) -> list[str]:
    """Metadata that has no place in an experiment file, as comments."""
    lines = []
    for key, value in curves.metadata.items():
        if key in LEFT_OUT or key not in METADATA:
            unit = METADATA[key].unit if key in METADATA else ""
            value = float(f"{value:.6g}") if isinstance(value, float) else value
            text = as_toml(value, unit).strip('"')
            source = curves.metadata_source.get(key, "")
            lines.append("# " + commented(f"{key} is {text}" + f" ({source})" * bool(source)))
    return lines


def _matters(
    entry: Entry, mistake: str, curves: CurveSet | None, needed: dict[str, str]
) -> list[str]:
    """Lines of a key that stands above all sections: what it is, what a mistake does, its value."""
    what, _, need = _about(entry, needed, "recommended").partition(". ")
    about = [f"# {what[:1].upper() + what[1:]}. {need}.", f"#   If wrong: {mistake}."]
    beside = [e for e in ENTRIES if calibrated_by(e.key) == entry.key]
    values = [
        _value_line(one, curves, one.key)
        for one in (entry, *beside)
        if curves is not None and one.key in curves.metadata
    ]
    return about + (values or [_blank(entry, entry.key)])


def _line(entry: Entry, curves: CurveSet | None, needed: dict[str, str]) -> list[str]:
    """The line of a key: its value, or a place for it."""
    if curves is not None and entry.key in curves.metadata:
        return [_value_line(entry, curves, entry.name)]
    if (entry.varies and entry.key != "comment") or calibrated_by(entry.key):
        return []
    return [f"{_blank(entry, entry.name)}  # {_about(entry, needed)}"]


def _about(entry: Entry, needed: dict[str, str], otherwise: str = "optional") -> str:
    """What a key means, and whether it is needed."""
    when = when_needed(entry.key)
    need = needed.get(entry.key) or (f"needed {when}" if when else otherwise)
    text = "; ".join(part for part in (need, entry.use) if part)
    return f"{METADATA[entry.key].meaning}. {text}"


def _blank(entry: Entry, name: str) -> str:
    """A place for a value."""
    wanted = " or ".join(METADATA[entry.key].words) or entry.unit
    filling = f"{UNFILLED} {wanted}".rstrip()
    return f'# {name} = "{filling}"'


def _value_line(entry: Entry, curves: CurveSet, name: str) -> str:
    """A value of the files. One that may differ from file to file is shown only."""
    value, unit = curves.metadata[entry.key], METADATA[entry.key].unit
    mark = "# " if entry.varies else ""
    try:
        checked(entry, value)
    except InvalidInput:
        mark = "# "
    if entry.varies and isinstance(value, float):
        value = float(f"{value:.6g}")
    source = commented(curves.metadata_source.get(entry.key, ""))
    return f"{mark}{name} = {as_toml(value, unit)}" + (f"  # {source}" if source else "")


def _channels(curves: CurveSet | None, needed: dict[str, str]) -> list[str]:
    lines = ['# One line each, with a name that nrm knows: "Input1" = "lockin_output_x"']
    names = [f"#   {name}: {quantity.meaning}" for name, quantity in CHANNELS.items()]
    if curves is None:
        wanted = " or ".join(f"{a} and {b}" for a, b in LATERAL_PAIRS)
        return [*lines, *names, f"# NEEDED: height and deflection; {wanted}"]
    known = [c for c in curves.channels.values() if c.name in CHANNELS]
    unknown = [c for c in curves.channels.values() if c.name not in CHANNELS]
    if known:
        lines.append("# Recognised; nothing to do:")
        lines += [f"#   {c.name} ({_unit(c)}): {_called(c)}" for c in known]
    if unknown:
        lines.append("# The file does not say what these are:")
        lines += [
            f'# {quoted(c.original or c.name)} = "{UNFILLED}"  # in {_unit(c)}' for c in unknown
        ]
        lines += ["# Names that nrm knows:", *names]
    lines += [f"# {name} {needed[name]}" for name in CHANNELS if name in needed]
    return lines


def _called(channel: Channel) -> str:
    named = [quoted(channel.original)] if channel.original else []
    return ", ".join([*named, commented(channel.source)]).strip(", ")


def _unit(channel: Channel) -> str:
    return commented(channel.unit) or "no unit"
