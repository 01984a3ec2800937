"""Depth-resolved rheology of interphases from force curves with lateral lock-in channels.

The public names are imported when they are first used, so that ``import nrm_plugin`` and
``nrm --help`` cost nothing.

Examples
--------
>>> import nrm_plugin as nrm
>>> curves = nrm.open("volume.spm")                        # doctest: +SKIP
>>> curves.read("deflection", [0, 1])                      # doctest: +SKIP
"""

from __future__ import annotations

TYPE_CHECKING = False  # without `typing`, whose import takes longer than all else here
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.2.0"

_HOME = {
    "open": "nrm_plugin.formats",
    "save": "nrm_plugin.formats",
    "CurveSet": "nrm_plugin.model",
    "Channel": "nrm_plugin.model",
    "Image": "nrm_plugin.images",
    "join": "nrm_plugin.joining",
    "merge": "nrm_plugin.pairing",
    "Recipe": "nrm_plugin.recipe",
    "process": "nrm_plugin.engine.pipeline",
    "check": "nrm_plugin.engine.checking",
    "with_potential": "nrm_plugin.potential",
    "read_log": "nrm_plugin.potential",
    "Log": "nrm_plugin.potential",
    "open_results": "nrm_plugin.store.read_results",
    "view": "nrm_plugin.viewer.notebook",
    "hookimpl": "nrm_plugin.hookspecs",
    "NrmError": "nrm_plugin.errors",
    "MissingFile": "nrm_plugin.errors",
    "UnknownFormat": "nrm_plugin.errors",
    "CorruptFile": "nrm_plugin.errors",
    "ChangedFile": "nrm_plugin.errors",
    "InvalidInput": "nrm_plugin.errors",
    "UnknownChannel": "nrm_plugin.errors",
    "MissingCalibration": "nrm_plugin.errors",
    "MissingPackage": "nrm_plugin.errors",
    "OutputError": "nrm_plugin.errors",
    "RecipeError": "nrm_plugin.errors",
    "DaqUnavailable": "nrm_plugin.errors",
}

#: Rooms that are there on access: ``nrm.figures`` and so on.
_ROOMS = ("calibration", "experiment", "fea", "figures", "simulate", "statistics")

__all__ = [*sorted(_HOME), *_ROOMS, "__version__"]

if TYPE_CHECKING:
    from nrm_plugin import calibration as calibration
    from nrm_plugin import experiment as experiment
    from nrm_plugin import fea as fea
    from nrm_plugin import figures as figures
    from nrm_plugin import simulate as simulate
    from nrm_plugin import statistics as statistics
    from nrm_plugin.engine.checking import check as check
    from nrm_plugin.engine.pipeline import process as process
    from nrm_plugin.errors import ChangedFile as ChangedFile
    from nrm_plugin.errors import CorruptFile as CorruptFile
    from nrm_plugin.errors import DaqUnavailable as DaqUnavailable
    from nrm_plugin.errors import InvalidInput as InvalidInput
    from nrm_plugin.errors import MissingCalibration as MissingCalibration
    from nrm_plugin.errors import MissingFile as MissingFile
    from nrm_plugin.errors import MissingPackage as MissingPackage
    from nrm_plugin.errors import NrmError as NrmError
    from nrm_plugin.errors import OutputError as OutputError
    from nrm_plugin.errors import RecipeError as RecipeError
    from nrm_plugin.errors import UnknownChannel as UnknownChannel
    from nrm_plugin.errors import UnknownFormat as UnknownFormat
    from nrm_plugin.formats import open as open
    from nrm_plugin.formats import save as save
    from nrm_plugin.hookspecs import hookimpl as hookimpl
    from nrm_plugin.images import Image as Image
    from nrm_plugin.joining import join as join
    from nrm_plugin.model import Channel as Channel
    from nrm_plugin.model import CurveSet as CurveSet
    from nrm_plugin.pairing import merge as merge
    from nrm_plugin.potential import Log as Log
    from nrm_plugin.potential import read_log as read_log
    from nrm_plugin.potential import with_potential as with_potential
    from nrm_plugin.recipe import Recipe as Recipe
    from nrm_plugin.store.read_results import open_results as open_results
    from nrm_plugin.viewer.notebook import view as view


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _ROOMS:
        return import_module(f"nrm_plugin.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
