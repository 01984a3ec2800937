"""Opens and writes files of any kind that a plugin knows."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrm_plugin import plugins
from nrm_plugin.errors import (
    CorruptFile,
    InvalidInput,
    MissingFile,
    NrmError,
    RecipeError,
    UnknownFormat,
)
from nrm_plugin.files import (
    HEAD,
    decode,
    read_settings,
    read_start,
    replacing,
    replacing_folder,
    system_reason,
)
from nrm_plugin.foreign import foreign_kind
from nrm_plugin.hookspecs import Importer, settings_model

if TYPE_CHECKING:
    from nrm_plugin.experiment import Experiment
    from nrm_plugin.model import CurveSet

#: Score from which on a file in a folder is taken.
_SURE = 50

#: Longest file with settings, bytes.
_LONGEST_SETTINGS = 1 << 20


def open(
    path: str | PathLike[str], importer: str | None = None, *, settings: Any = None
) -> CurveSet:
    """Open any file that an importer knows, without reading its samples.

    Parameters
    ----------
    path : str or Path
    importer : str, optional
        Name of the importer to use; by default the one that is surest of the file.
    settings : mapping, path or Settings, optional
        Of an importer that has such: for ``table`` the table map, as a TOML file or a mapping.

    Returns
    -------
    CurveSet

    Raises
    ------
    MissingFile
        If there is nothing at the path, or a folder.
    UnknownFormat
        If no importer knows the file.
    CorruptFile
        If the file is damaged or cut short.
    RecipeError
        For settings that make no sense, or for an importer that has none.
    """
    from nrm_plugin.model import CurveSet, Origin

    path = Path(path)
    head = read_start(path, HEAD)
    if not head:
        raise UnknownFormat(path, hint="The file is empty.")
    doubts: list[str] = []
    registry = plugins.installed()
    if importer is not None:
        chosen: Importer = registry.choose("importers", importer)
    else:
        name, scores, doubts = registry.surest("importers", head, path)
        if name is None:
            raise UnknownFormat(path, scores, _hint(path, head, registry))
        chosen = registry.importers[name]
    given = () if settings is None else (settings_for(chosen, settings),)
    try:
        curves = chosen.open(path, *given)
        if not isinstance(curves, CurveSet):
            raise TypeError(f"it returned a {type(curves).__name__}")
    except NrmError:
        raise
    except Exception as error:  # a fault of the importer; the rest of a batch must go on
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        raise CorruptFile(
            path, None, f"a file that the importer {chosen.name} can read", what
        ) from error
    named = curves.origins or (Origin(path.name, path=str(path.absolute())),)
    origins = tuple(
        replace(o, importer=o.importer or chosen.name, version=registry.version_of(chosen.name))
        if not o.version
        else o
        for o in named
    )
    return replace(
        curves, origins=origins, warnings=(*curves.warnings, *doubts), importer=chosen.name
    )


def open_with(path: str | PathLike[str], table_map: str | PathLike[str] | None) -> CurveSet:
    """Open a file; a table map, where there is one, says what the columns of a table mean."""
    return open(path, "table", settings=table_map) if table_map else open(path)


def as_told(
    curves: CurveSet,
    experiment: Experiment | None,
    names: Mapping[str, str],
    settings: Mapping[str, Any],
    source: str,
) -> CurveSet:
    """Return curves with what a person tells of them; single settings outrank the experiment file.

    Parameters
    ----------
    curves : CurveSet
    experiment : Experiment or None
        Applied first.
    names : mapping
        Channels by the vendor's names.
    settings : mapping
        Metadata in SI.
    source : str
        What is remembered as the source of the settings.
    """
    if experiment is not None:
        curves = experiment.apply(curves)
    if names and curves.n_curves:
        curves = curves.with_names(dict(names))
    return curves.with_metadata(settings, source) if settings else curves


def settings_for(offer: Any, given: Any) -> Any:
    """Settings of an object that can be tuned, from a mapping, a TOML file or such settings.

    Raises
    ------
    MissingFile, RecipeError
    """
    model = settings_model(offer)
    if model is None:
        raise RecipeError(f"{offer.name} has no settings")
    if isinstance(given, model):
        return given
    if isinstance(given, str | PathLike):
        name = str(given)
        text, _ = decode(read_settings(name, _LONGEST_SETTINGS, "a TOML file"), name)
        return settings_of(model, text, name)
    return settings_of(model, given, f"the settings of {offer.name}")


def settings_of(model: Any, given: Any, name: str) -> Any:
    """Settings of a pydantic model from a mapping, or from the text of a TOML file.

    Raises
    ------
    RecipeError
        Naming `name`, the key, and what is wrong with it.
    """
    import tomllib

    from pydantic import ValidationError

    from nrm_plugin.statements import parsed

    try:
        values = parsed(given) if isinstance(given, str) else given
        return model.model_validate(values)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{name}: {error}") from None
    except RecursionError:
        raise RecipeError(f"{name}: it is nested too deeply") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise RecipeError(f"{name}: {where}: {what}" if where else f"{name}: {what}") from None


def save(data: Any, path: str | PathLike[str], *, overwrite: bool = True) -> None:
    """Write curves or results to a file; the suffix says which kind.

    Parameters
    ----------
    data : CurveSet or xarray.Dataset
    path : str or Path
        Its suffix names an exporter: ``.h5``, ``.csv``, or what plugins add. Results may go to an
        address, ``s3://bucket/map.zarr``.
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    OutputError
        If the place cannot be written; whatever was there before is then untouched.
    InvalidInput
        If no exporter knows the suffix.
    """
    given, path = fspath(path), Path(path)
    exporter = plugins.installed().exporter_of(path)
    if exporter is None:
        known = ", ".join(sorted(plugins.installed().exporters))
        raise InvalidInput(f"{path}: no exporter writes {path.suffix or 'no suffix'} ({known})")
    from nrm_plugin.model import CurveSet

    if not isinstance(data, CurveSet) and not getattr(exporter, "results", False):
        raise InvalidInput(f"{path}: {exporter.name} holds curves; results are written as .h5")
    if "://" in given:
        to_address = getattr(exporter, "to_address", None)
        if to_address is None or isinstance(data, CurveSet):
            raise InvalidInput(f"{given}: only results as .zarr go to an address")
        to_address(data, given, overwrite)
        return
    whole = replacing_folder if getattr(exporter, "folder", False) else replacing
    with whole(path, overwrite=overwrite) as part:
        exporter.write(data, part)


def expanded(paths: Iterable[str | PathLike[str]]) -> list[Path]:
    """Files for folders and patterns (``data/fv*.spm``); a file stands for itself.

    Of a folder, those files are taken that an importer, or the reader of a potentiostat's log,
    is sure of: its other files are passed over, and so are folders in it. The order is that of
    the names, numbers in them by their value.

    Raises
    ------
    MissingFile
        For a single folder or pattern without a file; among others it stands for itself, and is
        an error when it is opened.
    """
    out: list[Path] = []
    every = [Path(path) for path in paths]
    for given in every:
        try:
            if given.is_dir():
                found = [p for p in given.iterdir() if p.is_file() and is_ours(p)]
                reason = "there is no file in this folder that an importer knows"
            elif not given.exists() and any(sign in str(given) for sign in "*?["):
                found = [Path(p) for p in glob.glob(str(given)) if Path(p).is_file()]  # noqa: PTH207
                reason = "no file has such a name"
            else:
                out.append(given)
                continue
        except (OSError, ValueError) as error:
            raise MissingFile(given, f"it cannot be read ({system_reason(error)})") from None
        if not found and len(every) == 1:
            raise MissingFile(given, reason)
        out += [] if found else [given]
        out += sorted(found, key=by_number)
    return list(dict.fromkeys(out))


def is_ours(path: Path) -> bool:
    """Whether an importer is sure of a file."""
    try:
        head = read_start(path, HEAD)
    except NrmError:
        return False
    scores = plugins.installed().surest("importers", head, path)[1]
    return bool(head) and max(scores.values(), default=0) >= _SURE


def by_number(path: Path) -> tuple[str, list[tuple[int, str]]]:
    """Key of a name by which fv.2 comes before fv.10."""
    pieces = re.split(r"(\d+)", path.name.lower())
    return str(path.parent), [(int(p), "") if p.isdecimal() else (-1, p) for p in pieces]


def _hint(path: Path, head: bytes, found: plugins.Plugins) -> str:
    """What may help with a file that nobody knows."""
    foreign = foreign_kind(head, path)
    near = [n for n, i in found.importers.items() if path.suffix.lower() in i.suffixes]
    hint = ""
    if foreign is not None:
        hint = f"It is {foreign.what}: {foreign.way_in}."
    elif near:
        hint = f"By its suffix it may be a damaged file of: {', '.join(near)}."
    broken = [p.name for p in found.found if p.failure]
    if broken:
        hint += f" Plugins that are not loaded: {', '.join(broken)} (see nrm plugins)."
    return hint
