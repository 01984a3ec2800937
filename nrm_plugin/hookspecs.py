"""The hooks by which a plugin adds importers, exporters, methods, figures and commands.

A plugin is a module that a distribution names in its entry points, in the group ``nrm_plugin``.
It implements any of the hooks below with ``@nrm_plugin.hookimpl``. Each hook returns a list of
objects; using one is then a plain method call.

Every object has a ``name`` (one lower-case word) and a ``description`` (one line). One that can be
tuned has ``Settings``, a pydantic model with a default for every field: recipes, commands and
``nrm recipe`` are made from it. Whatever calls it passes ``settings``, an instance of that model,
or None for the defaults; an object without ``Settings`` is never passed any.

This module imports nothing heavy, and a plugin's registering module should not either: `Deferred`
names an object that is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pluggy

if TYPE_CHECKING:
    import click

    from nrm_plugin.calibration import Estimate
    from nrm_plugin.model import CurveSet
    from nrm_plugin.potential.log import Log

GROUP = "nrm_plugin"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class Deferred:
    """An object of a hook that is imported when it is first used.

    Parameters
    ----------
    name, description : str
        Those of the object.
    where : str
        Where it is: ``"my_package.contact:METHOD"``.

    Examples
    --------
    >>> method = Deferred("two-line", "the paper's rule", "nrm_plugin.engine.methods:TWO_LINE")
    >>> method.Settings().wall
    0.3
    """

    def __init__(self, name: str, description: str, where: str) -> None:
        self.name, self.description, self.where = name, description, where

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):  # copying and pickling look for these
            raise AttributeError(attribute)
        return getattr(self.target(), attribute)

    def target(self) -> Any:
        """Return the object itself."""
        module, _, name = self.where.partition(":")
        return getattr(import_module(module), name)

    def __repr__(self) -> str:
        return f"Deferred({self.name!r}, {self.where!r})"


def settings_model(offer: Any) -> Any:
    """Return the ``Settings`` of a hook's object, None if it has none."""
    return getattr(offer, "Settings", None)


def with_settings(offer: Any, settings: Any = None) -> tuple[Any, ...]:
    """Arguments by which an object gets its settings: none at all if it has no ``Settings``."""
    model = settings_model(offer)
    return () if model is None else (model() if settings is None else settings,)


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
    page : str, optional
        The page of the documentation that tells more, for the table of formats.
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

    One may also have:

    - ``results`` (bool): it writes results, too. ``folder`` (bool): it writes a folder.
    - ``views`` (bool): it also writes `nrm_plugin.statistics.result_views.ResultViews`, results
      as volumes, images and graphs; ``largest`` (int), the bytes that a file of it can hold.
    - ``show(path)``: shows the file in the program that it is for, and returns a sentence.
    """

    name: str
    description: str
    suffix: str

    def write(self, data: Any, path: Path) -> None:
        """Write a `CurveSet` (or results) to a temporary path.

        The caller has made an empty file there and moves the finished one to its final name.
        """


@dataclass(frozen=True, kw_only=True)
class ContactFound:
    """The solid contact of a curve, and how it was found; what is not known is nan or None.

    Results, flags and figures use the details that are there, and nothing in place of others.
    Without `lines`, forces and distances count from a baseline that the engine fits.

    Attributes
    ----------
    height, stderr : float
        Height of the contact and its standard error, in m.
    baseline, wall : (float, float) or None
        Heights (m) from and to which the baseline and the wall were fitted.
    lines : (float, float, float, float) or None
        Offset (m) and slope of the baseline, offset (m) and slope of the wall: deflection is
        offset + slope x height.
    noise : float
        Standard deviation of the deflection, in m.
    """

    height: float
    stderr: float = nan
    baseline: tuple[float, float] | None = None
    wall: tuple[float, float] | None = None
    lines: tuple[float, float, float, float] | None = None
    noise: float = nan


@runtime_checkable
class ContactMethod(Protocol):
    """Finds the solid-solid contact of a curve; recipes name it as ``contact.method``.

    Its ``Settings``, where it has some, stand in a recipe under ``[contact.NAME]``;
    `nrm_plugin.parameters` has what they are made of. A method may also have
    ``find_block(block, settings)``, which is then called instead of `find`, with many curves in an
    `nrm_plugin.engine.contact.ContactBlock`; it returns what ``block.prepared()`` returns, with
    contacts filled in.

    Attributes
    ----------
    name, description : str
    """

    name: str
    description: str

    def find(
        self, height: Any, deflection: Any, settings: Any = None
    ) -> tuple[float, float] | ContactFound:
        """Contact height of one curve and its standard error, in m; nan where there is none.

        Parameters
        ----------
        height, deflection : (n,) arrays
            In m, samples from far away to the surface; spikes and a common fringe are taken out.
        settings : Settings, optional
            Passed to methods that have ``Settings``.
        """


@runtime_checkable
class DerivativeMethod(Protocol):
    """Differentiates a force by the distance; recipes name it as ``derivative.method``.

    Its ``Settings``, where it has some, stand in a recipe under ``[derivative.NAME]``. A method may
    also have ``gradient_block(block, settings)``, which is then called instead of `gradient`, with
    many curves in an `nrm_plugin.engine.compiled.ReferencedBlock`; it returns `Profiles` of them.

    Attributes
    ----------
    name, description : str
    """

    name: str
    description: str

    def gradient(self, z: Any, force: Any, at: Any, settings: Any = None) -> tuple[Any, Any]:
        """Derivative of a force at distances, and its standard error; nan where there is none.

        Parameters
        ----------
        z : (n,) array
            Distances from the electrode in m, from far away to the electrode, not quite sorted.
        force : (n,) array
            In N.
        at : (m,) array
            Distances in m, ascending.
        settings : Settings, optional
            Passed to methods that have ``Settings``.

        Returns
        -------
        gradient, stderr : (m,) arrays
            In N/m.
        """


@runtime_checkable
class Figure(Protocol):
    """Draws one kind of figure; ``nrm plot --kind NAME``.

    Every field of its ``Settings`` is an option of ``nrm plot``: ``half_width`` is
    ``--half-width TEXT``, a ``bool`` a flag, a ``Literal`` a choice, and a list
    or tuple may be repeated.
    Fields with the names ``curves`` (CurveSet), ``results`` (Dataset) and ``potential``
    (`nrm_plugin.potential.Log`) get what else was opened: with ``--curves``, as FILE, and with
    ``--potential``. Those with the names of options that ``nrm plot`` has (``width``, ``output``,
    ...) keep their defaults. A warning (`warnings.warn`) becomes a message.

    A kind may offer ``draw_figure(data, figure, settings=None)`` beside `draw`, for several panels
    or a height of its own: ``nrm plot`` then calls that with an empty matplotlib Figure. With
    ``wide = True`` the figure is as wide as a page unless a width is given, else as a column.

    Attributes
    ----------
    name, description : str
    needs : str
        "curves", "results", or "either" for what the file holds.
    """

    name: str
    description: str
    needs: str

    def draw(self, data: Any, ax: Any, settings: Any = None) -> Any:
        """Draw curves or results into axes, and return what was drawn.

        Parameters
        ----------
        data : CurveSet or xarray.Dataset
        ax : matplotlib Axes
        settings : Settings, optional
            Passed to kinds that have ``Settings``.
        """


@runtime_checkable
class Calibration(Protocol):
    """Turns a measurement into a calibrated value; ``nrm calibrate NAME``.

    Its command has an option for each field of ``Settings``, and the class's docstring as help.
    A field without a default is an option that must be given.

    Attributes
    ----------
    name : str
        One lower-case word, or two: ``lateral wedge`` is a method of ``nrm calibrate lateral``.
    description : str
    needs : str, optional
        "curves" (the default), or "table" for text files with titles and units.
    """

    name: str
    description: str

    def estimate(self, inputs: Sequence[Any], settings: Any = None) -> Estimate | Sequence[Any]:
        """Estimate values from curves or tables.

        Parameters
        ----------
        inputs : sequence of CurveSet or TextTable
            One per file; curves have known values in their metadata. Where there are no curves, a
            set without curves holds these.

        Returns
        -------
        Estimate or sequence of Estimate

        Raises
        ------
        NrmError
            That says which value is missing, or which assumption is broken.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class LockInSettings:
    """What a lock-in amplifier is set to, in SI; None where it is not known.

    Attributes
    ----------
    identity : str
        What the instrument calls itself; empty for values that a person gave.
    convention : str
        Whether sensitivity and X and Y are "rms" or "peak" values.
    sensitivity : float
        Full scale in V, by that convention.
    time_constant : float
        In s.
    poles : int
        6 dB per octave each.
    offset_x, offset_y : float
        Of the outputs, as fractions of full scale.
    expand_x, expand_y : float
    output_x, output_y : bool
        Whether the outputs that are recorded carry X and Y, and not something else.
    reference_frequency : float
        In Hz.
    harmonic : int
        Of the reference, at which the signal is detected.
    phase : float
        Shift of the reference in rad. This is not ``lockin_phase``, which also holds what actuator,
        detector and cables do and is found by calibration.
    sine_amplitude : float
        Of the instrument's own oscillator, in V rms.
    internal_reference, synchronous : bool
        Whether it uses its own oscillator, and whether its synchronous filter is on.
    input : str
        What is connected: A, A-B or current.
    """

    identity: str = ""
    convention: str = "rms"
    sensitivity: float | None = None
    time_constant: float | None = None
    poles: int | None = None
    offset_x: float | None = None
    offset_y: float | None = None
    expand_x: float | None = None
    expand_y: float | None = None
    output_x: bool | None = None
    output_y: bool | None = None
    reference_frequency: float | None = None
    harmonic: int | None = None
    phase: float | None = None
    sine_amplitude: float | None = None
    internal_reference: bool | None = None
    synchronous: bool | None = None
    input: str | None = None


class ConnectedLockIn(Protocol):
    """A lock-in amplifier that has been reached, and is only read.

    Its methods are called from several threads, and raise `DaqUnavailable` where the instrument
    does not answer. A slow one may also have ``watched()``, which is asked instead of `settings`
    during a recording and reads only sensitivity, time constant, poles, offsets, expands and phase.
    """

    def settings(self) -> LockInSettings:
        """Read the settings: at the start, at the end, and about twice a second in between."""

    def status(self) -> Mapping[str, bool]:
        """Read what spoils a recording and has happened since this was last asked.

        Each fault by its name, such as "input overload", and whether it has happened.
        """

    def close(self) -> None:
        """Close the connection; the instrument stays as it is."""


@runtime_checkable
class LockInModel(Protocol):
    """A model of lock-in amplifier; a DAQ configuration names it as ``lock_in.model``.

    Attributes
    ----------
    name, description : str
    Settings : type
        Pydantic model of how it is reached, with a default for every field. One field is
        ``address`` (str): the instrument is asked where it is not empty. The configuration has
        them in ``[lock_in]``.
    """

    name: str
    description: str
    Settings: Any

    def connect(self, settings: Any) -> ConnectedLockIn:
        """Reach the instrument.

        Raises
        ------
        DaqUnavailable
            If it is not there, or is another one.
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

        A reader of files that may leave out units has the attribute ``takes_units = True``, and
        takes a further keyword ``units``, a mapping such as ``{"potential": "mV"}`` or None.

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
def nrm_derivative_methods() -> Sequence[DerivativeMethod]:
    """Return methods that differentiate a force by the distance."""
    raise NotImplementedError


@hookspec
def nrm_figures() -> Sequence[Figure]:
    """Return kinds of figures."""
    raise NotImplementedError


@hookspec
def nrm_calibrations() -> Sequence[Calibration]:
    """Return calibration methods."""
    raise NotImplementedError


@hookspec
def nrm_lockins() -> Sequence[LockInModel]:
    """Return lock-in amplifiers."""
    raise NotImplementedError


@hookspec
def nrm_potential_logs() -> Sequence[PotentialLog]:
    """Return readers of potentiostat logs."""
    raise NotImplementedError


@hookspec
def nrm_commands(cli: click.Group) -> None:
    """Add commands to the command line."""
