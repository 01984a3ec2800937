"""A comparison as a table for the supplement: CSV, LaTeX or Markdown."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from nrm_plugin.statistics.comparison_types import Comparison

if TYPE_CHECKING:
    import pandas as pd


def comparison_table(comparison: Comparison) -> pd.DataFrame:
    """All contrasts, one per row, in SI; empty cells where something means nothing."""
    import pandas as pd

    rows = [
        {
            "question": one.question.label,
            "first": one.first,
            "second": one.second,
            "kind": one.kind,
            "condition": one.condition,
            "primary": one.primary,
            "ratio": one.ratio,
            "p": one.p,
        }
        for one in (*comparison.contrasts, *comparison.thickness)
    ]
    return pd.DataFrame(rows)


def write_table(comparison: Comparison, path: str | PathLike[str]) -> None:
    """Write the table by the suffix of the path: ``.csv``, ``.tex`` or ``.md``."""
    raise NotImplementedError
