"""The options of the command line about the electrode potential."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import click
import numpy as np

from nrm_plugin.cli.options import log_units_of
from nrm_plugin.errors import InvalidInput
from nrm_plugin.model import CurveSet
from nrm_plugin.potential import Log, read_log, with_potential
from nrm_plugin.potential.moments import moment, zone
from nrm_plugin.units import parse
from nrm_plugin.vocabulary import METADATA


@dataclass(frozen=True)
class PotentialOptions:
    """Where the potential of every curve comes from.

    Attributes
    ----------
    logs : list of Log
        Empty: from what was recorded with the curves.
    settings : dict
        Arguments of `with_potential`.
    """

    logs: list[Log] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        logs: tuple[str, ...],
        offset: str | None,
        time_zone: str | None,
        start: str | None,
        units: tuple[str, ...] = (),
    ) -> PotentialOptions:
        """Read the options, and the logs.

        Raises
        ------
        click.UsageError
        MissingFile, CorruptFile, InvalidInput
            From the logs.
        """
        settings: dict[str, Any] = {}
        try:
            if offset is not None:
                key = METADATA["clock_offset"]
                settings["clock_offset"] = key.check("clock_offset", parse(offset, key.unit))
            if time_zone is not None:
                settings["time_zone"] = zone(time_zone).key
            if start is not None:
                settings["start"] = moment(start)
        except InvalidInput as error:
            raise click.UsageError(str(error)) from None
        if (settings or units) and not logs:
            raise click.UsageError(
                "--clock-offset, --time-zone, --log-start and --log-unit are for a log: give one "
                "with --potential"
            )
        given = log_units_of(units)
        return cls([read_log(path, units=given) for path in logs], settings)

    def apply(self, curves: CurveSet) -> CurveSet:
        """Return curves with their potentials, where there is anything to take them from."""
        if self.logs:
            return with_potential(curves, self.logs, **self.settings)
        column = curves.curve_table.get("potential")
        known = column is not None and bool(np.isfinite(column).any())
        return with_potential(curves) if known or "potential" in curves.channels else curves
