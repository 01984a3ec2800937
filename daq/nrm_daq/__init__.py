"""Recording with an NI-DAQ board: ``nrm acquire``, an ordinary plugin.

NI's package and PyVISA are the extra ``daq``. What was recorded is recovered without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nrm_plugin.errors import DaqUnavailable, MissingPackage
from nrm_plugin.hookspecs import Deferred, hookimpl

if TYPE_CHECKING:
    import click


class MissingDaqPackage(MissingPackage, DaqUnavailable):
    """A package of the extra ``daq`` is needed for recording and not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(package, "daq")


@hookimpl
def nrm_commands(cli: click.Group) -> None:
    """Add ``nrm acquire`` and ``nrm dither``."""
    from nrm_daq.command import command
    from nrm_daq.dither_command import command as dither

    cli.add_command(command)
    cli.add_command(dither)


@hookimpl
def nrm_lockins() -> list[Deferred]:
    """Return the lock-ins of Stanford Research Systems and of Zurich Instruments."""
    return [
        Deferred("sr830", "Stanford Research SR830 over VISA, read only", "nrm_daq.sr830:SR830"),
        Deferred("sr844", "Stanford Research SR844 over VISA, read only", "nrm_daq.sr844:SR844"),
        Deferred("sr860", "Stanford Research SR860 over VISA, read only", "nrm_daq.sr860:SR860"),
        Deferred("sr865a", "Stanford Research SR865A over VISA, read only", "nrm_daq.sr860:SR865A"),
        Deferred(
            "zurich",
            "Zurich Instruments MFLI or HF2LI through LabOne, read only",
            "nrm_daq.zurich:ZurichLockIn",
        ),
    ]


def brief(error: Exception) -> str:
    """What a driver's error says, in one line; its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
