"""A comparison as tables for the supplement: CSV, LaTeX or Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrm_plugin.errors import InvalidInput
from nrm_plugin.files import write_text
from nrm_plugin.statistics.comparison_types import Comparison, Contrast, SampleValue
from nrm_plugin.text import NOTHING, printable, with_unit

if TYPE_CHECKING:
    import pandas as pd

#: Numbers of a contrast that the table has by their names, in SI.
_NUMBERS = (
    "n_first",
    "n_second",
    "first_mean",
    "second_mean",
    "ratio",
    "ratio_low",
    "ratio_high",
    "difference",
    "difference_low",
    "difference_high",
    "effect_size",
    "effect_size_low",
    "effect_size_high",
    "freedom",
    "p",
    "p_holm",
    "calibration",
)

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "µ": r"\textmu{}",
    "–": "--",
}

_COLUMNS = (
    "quantity",
    "distance_low",
    "distance_high",
    "region",
    "kind",
    "condition",
    "first",
    "second",
    "primary",
    "unit",
    "level",
    *_NUMBERS,
    "sentence",
)

_SAMPLE_COLUMNS = (
    "sample",
    "condition",
    "quantity",
    "distance_low",
    "distance_high",
    "region",
    "unit",
    "mean",
    "stderr",
    "low",
    "high",
    "n",
    "n_effective",
    "note",
)

#: Characters with which a spreadsheet takes a text for a formula.
_FORMULA = ("=", "+", "-", "@")


def comparison_table(comparison: Comparison) -> pd.DataFrame:
    """All contrasts, one per row, in SI; empty cells where something means nothing."""
    import pandas as pd

    rows = [_row(one, _COLUMNS) for one in (*comparison.contrasts, *comparison.thickness)]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def sample_table(comparison: Comparison) -> pd.DataFrame:
    """Return the values of samples, one per sample and question, in SI."""
    import pandas as pd

    rows = [_row(one, _SAMPLE_COLUMNS) for one in comparison.sample_values]
    return pd.DataFrame(rows, columns=list(_SAMPLE_COLUMNS))


def _row(one: Contrast | SampleValue, columns: Sequence[str]) -> list[Any]:
    """Values of a contrast or a sample; some are those of its question."""
    question = one.question
    low, high = question.distance or (None, None)
    asked = {
        "quantity": question.quantity,
        "distance_low": low,
        "distance_high": high,
        "region": question.region,
    }
    return [asked[name] if name in asked else getattr(one, name) for name in columns]


def write_table(comparison: Comparison, path: str | PathLike[str]) -> None:
    """Write the contrasts by the suffix of the path, whatever is there.

    ``.csv`` has all numbers in SI; ``.tex`` and ``.md`` have the values of the samples besides, and
    the sentences, with units for readers. LaTeX needs no package.

    Raises
    ------
    InvalidInput
        For another suffix.
    OutputError
    """
    path = Path(path)
    made = {".csv": _csv, ".tex": _latex, ".md": _markdown}.get(path.suffix.lower())
    if made is None:
        raise InvalidInput(f"a table is written as .csv, .tex or .md, not {path.suffix or path}")
    write_text(path, made(comparison))


def _csv(comparison: Comparison) -> str:
    table = comparison_table(comparison)
    for name in ("region", "condition", "first", "second", "sentence"):
        if name in table:
            table[name] = [_no_formula(printable(text)) for text in table[name]]
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


_HEAD = (
    "question",
    "first / second",
    "samples",
    "ratio (interval)",
    "difference (interval)",
    "g (interval)",
    "p",
    "p (Holm)",
)
_SAMPLE_HEAD = ("sample", "condition", "question", "mean (interval)", "curves", "effective")


def _cells(one: Contrast) -> tuple[str, ...]:
    where = one.question.label
    if one.paired:
        where = where.rsplit(", ", 1)[0] + f", within {one.condition}"
    return (
        where + (" (primary)" if one.primary else ""),
        f"{one.first} / {one.second}",
        f"{one.n_first} / {one.n_second}",
        _interval(one.ratio, one.ratio_low, one.ratio_high, ""),
        _interval(one.difference, one.difference_low, one.difference_high, one.unit),
        _interval(one.effect_size, one.effect_size_low, one.effect_size_high, ""),
        _p(one.p),
        _p(one.p_holm),
    )


def _sample_cells(one: SampleValue) -> tuple[str, ...]:
    mean = _interval(one.mean, one.low, one.high, one.unit)
    return (
        one.sample,
        one.condition,
        one.question.label,
        f"{mean} ({one.note})" if one.note else mean,
        str(one.n),
        f"{one.n_effective:.3g}" if math.isfinite(one.n_effective) else NOTHING,
    )


def _interval(value: float | None, low: float | None, high: float | None, unit: str) -> str:
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return NOTHING if low is None else f"> {with_unit(low, unit, 3)}"
    text = with_unit(value, unit, 3)
    if low is None or high is None or math.isnan(low + high):
        return text
    return f"{text} ({with_unit(low, unit, 3)} to {with_unit(high, unit, 3)})"


def _p(p: float | None) -> str:
    if p is None:
        return NOTHING
    return f"{p:.2g}" if p >= 1e-3 else "< 0.001"


def _tables(comparison: Comparison) -> list[tuple[Sequence[str], list[tuple[str, ...]]]]:
    contrasts = [_cells(one) for one in (*comparison.contrasts, *comparison.thickness)]
    samples = [_sample_cells(one) for one in comparison.sample_values]
    return [(head, rows) for head, rows in ((_HEAD, contrasts), (_SAMPLE_HEAD, samples)) if rows]


def _notes(comparison: Comparison) -> list[str]:
    of_all: list[Any] = [*comparison.contrasts, *comparison.thickness, *comparison.profiles]
    about = f"Intervals are at {100 * comparison.level:.3g} %; g is Hedges' effect size."
    return list(dict.fromkeys([about, *comparison.statements, *(one.sentence for one in of_all)]))


def _latex(comparison: Comparison) -> str:
    lines = []
    for head, rows in _tables(comparison):
        lines += [rf"\begin{{tabular}}{{{'l' * len(head)}}}", r"\hline"]
        lines += [_latex_row(head), r"\hline", *map(_latex_row, rows), r"\hline"]
        lines += [r"\end{tabular}", ""]
    notes = [escaped(one) for one in _notes(comparison) if one]
    return "\n".join([*lines, *(f"{one}\n" for one in notes)])


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"


def escaped(text: str) -> str:
    r"""Return a text as LaTeX shows it, on one line.

    Examples
    --------
    >>> escaped("1 M NaPF6_a & 5 %")
    '1 M NaPF6\\_a \\& 5 \\%'
    """
    return "".join(_LATEX.get(character, character) for character in printable(text))


def _markdown(comparison: Comparison) -> str:
    lines = []
    for head, rows in _tables(comparison):
        lines += [_markdown_row(head), _markdown_row(["---"] * len(head))]
        lines += [*map(_markdown_row, rows), ""]
    lines += [f"- {_plain(one)}" for one in _notes(comparison) if one]
    return "\n".join(lines) + "\n"


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: str) -> str:
    """Text that Markdown does not take for markup."""
    text = printable(text)
    for character in "\\`*_{}[]<>|#":
        text = text.replace(character, f"\\{character}")
    return text
