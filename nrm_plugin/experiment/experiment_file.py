"""What the experimenter knows and the microscope's file doesn't."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nrm_plugin.errors import InvalidInput, RecipeError, UnknownChannel
from nrm_plugin.text import as_html, with_unit
from nrm_plugin.vocabulary import METADATA, calibrated_by

if TYPE_CHECKING:
    from nrm_plugin.model import CurveSet

#: Source of values that outrank an experiment file.
COMMAND_LINE = "--set"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A checked experiment file.

    Attributes
    ----------
    name : str
        Name of the file.
    metadata : dict
        SI floats and strings under the names of ``vocabulary.METADATA``.
    channels : dict
        From the vendor's channel name to the canonical one.
    text : str
        The file, verbatim.
    lines : mapping
        Line of each section and key, for errors.
    """

    name: str
    metadata: Mapping[str, float | str | bool] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    text: str = field(default="", repr=False)
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict, repr=False)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        values = [
            (key, with_unit(value, METADATA[key].unit if key in METADATA else ""))
            for key, value in self.metadata.items()
        ]
        wired = ", ".join(f"{old} = {new}" for old, new in self.channels.items())
        return as_html(f"Experiment {self.name}", [("channels", wired), *values])

    @property
    def source(self) -> str:
        """What is remembered as the source of its values."""
        return f"experiment file {self.name}"

    def apply(self, curves: CurveSet) -> CurveSet:
        """Return a copy of curves with channels renamed and metadata set.

        The file's values replace those of the vendor's file. A value that was given with ``--set``
        stays, with a warning where the two differ.

        Raises
        ------
        RecipeError
            If curves lack a channel that the file names, or its unit does not fit.
        """
        if curves.n_curves and self.channels:
            curves = self._renamed(curves)
        told = {k for k, source in curves.metadata_source.items() if source == COMMAND_LINE}
        for key in [key for key in self.metadata if key in told]:
            unit = METADATA[key].unit
            here, there = (with_unit(m[key], unit) for m in (self.metadata, curves.metadata))
            if self.metadata[key] != curves.metadata[key]:
                curves = curves.with_warning(
                    f"{key} = {here} in {self.source} is not used: {there} was given with "
                    f"{COMMAND_LINE}"
                )
        values = {k: v for k, v in self.metadata.items() if not {k, calibrated_by(k)} & told}
        return curves.with_metadata(values, self.source)

    def _renamed(self, curves: CurveSet) -> CurveSet:
        try:
            return curves.with_names(self.channels)
        except (UnknownChannel, InvalidInput) as error:
            culprit = next((old for old in self.channels if self._fails(curves, old)), "")
            line = self.lines.get(("channels", culprit), self.lines.get(("channels",)))
            where = self.name if line is None else f"{self.name}, line {line}"
            raise RecipeError(f"{where}: [channels] {error}") from error

    def _fails(self, curves: CurveSet, old: str) -> bool:
        try:
            curves.with_names({old: self.channels[old]})
        except (UnknownChannel, InvalidInput):
            return True
        return False
