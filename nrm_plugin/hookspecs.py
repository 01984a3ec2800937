"""The hooks by which a plugin adds importers, exporters, methods and commands.

A plugin is a module that a distribution names in its entry points, in the group ``nrm_plugin``.
It implements any of the hooks below with ``@nrm_plugin.hookimpl``. Each hook returns a list of
objects; reading a file is then a plain method call on one of them.

This module imports nothing heavy, and a plugin's registering module should not either.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pluggy

if TYPE_CHECKING:
    import click

    from nrm_plugin.model import CurveSet
    from nrm_plugin.potential.log import Log

GROUP = "nrm_plugin"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@runtime_checkable
class Importer(Protocol):
    """Reads one kind of file.

    Attributes
    ----------
    name : str
        One lower-case word.
    description : str
        One line for ``nrm plugins``.
    suffixes : sequence of str
        Usual suffixes with their dot; a hint for people, never a condition.
    """

    name: str
    description: str
    suffixes: Sequence[str]

    def sniff(self, head: bytes, path: Path) -> int:
        """Say how sure the importer is that the file is its own, from 0 to 100.

        Parameters
        ----------
        head : bytes
            The file's first 4096 bytes, fewer if it is shorter.
        path : Path
            The file, for formats that show themselves further back. Leave it closed.
        """

    def open(self, path: Path) -> CurveSet:
        """Open the file without reading its samples.

        Raises
        ------
        CorruptFile
            If the file is damaged, cut short, or contradicts itself.
        """


@runtime_checkable
class Exporter(Protocol):
    """Writes curves or results to one kind of file.

    Attributes
    ----------
    name, description : str
    suffix : str
        With its dot; it chooses the exporter.
    """

    name: str
    description: str
    suffix: str

    def write(self, data: Any, path: Path) -> None:
        """Write a `CurveSet` (or results) to a temporary path.

        The caller has made an empty file there and moves the finished one to its final name.
        """


@runtime_checkable
class ContactMethod(Protocol):
    """Finds the solid-solid contact of a curve; recipes name it as ``contact.method``.

    Attributes
    ----------
    name : str
        One lower-case word, other than "grown" and "two-line".
    description : str
        One line for ``nrm plugins``.
    """

    name: str
    description: str

    def find(self, height: Any, deflection: Any) -> tuple[float, float]:
        """Contact height of one curve and its standard error, in m; nan where there is none.

        Parameters
        ----------
        height, deflection : (n,) arrays
            In m, samples from far away to the surface; spikes and a common fringe are taken out.
        """


@runtime_checkable
class PotentialLog(Protocol):
    """Reads one kind of a potentiostat's file.

    Attributes
    ----------
    name : str
        One lower-case word.
    description : str
        One line for ``nrm plugins``.
    suffixes : sequence of str
        Usual suffixes with their dot; a hint for people, never a condition.
    """

    name: str
    description: str
    suffixes: Sequence[str]

    def sniff(self, head: bytes, path: Path) -> int:
        """Say how sure the reader is that the file is its own, from 0 to 100; see `Importer`."""

    def read(self, path: Path) -> Log:
        """Read times and potentials.

        Raises
        ------
        CorruptFile, InvalidInput
            If the file is damaged or cut short; if it has no potential over time.
        """


@hookspec
def nrm_importers() -> Sequence[Importer]:
    """Return importers: objects that recognise and open files of one kind."""
    raise NotImplementedError


@hookspec
def nrm_exporters() -> Sequence[Exporter]:
    """Return exporters: objects that write files of one kind."""
    raise NotImplementedError


@hookspec
def nrm_contact_methods() -> Sequence[ContactMethod]:
    """Return methods that find the solid-solid contact of a curve."""
    raise NotImplementedError


@hookspec
def nrm_potential_logs() -> Sequence[PotentialLog]:
    """Return readers of potentiostat logs."""
    raise NotImplementedError


@hookspec
def nrm_commands(cli: click.Group) -> None:
    """Add commands to the command line."""
