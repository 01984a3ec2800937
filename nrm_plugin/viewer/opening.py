"""Files on the command line: which are results, which are curves, and which belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import xarray as xr

from nrm_plugin import formats
from nrm_plugin.columns import FileStamp
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.files import sha256
from nrm_plugin.joining import join
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe
from nrm_plugin.store.read_curves import holds_results
from nrm_plugin.store.read_results import open_results
from nrm_plugin.store.results_file import decisions_left_behind
from nrm_plugin.viewer.told_metadata import ToldMetadata
from nrm_plugin.viewer.viewed import Viewed, file_name

#: Most files beside results that are looked into for their curves.
_LOOKED_INTO = 200


def opened(
    files: Sequence[Path],
    originals: Sequence[Path] = (),
    *,
    recipe: str | PathLike[str] | None = None,
    experiment: str | PathLike[str] | None = None,
) -> Viewed:
    """Open results, curves or both.

    Parameters
    ----------
    files : paths
        One file of results at most; the others are curves, merged.
    originals : paths
        Curves that the results were made from.
    recipe, experiment : path, optional

    Raises
    ------
    InvalidInput
        For several files of results, or curves that are not those of the results.
    NrmError
    """
    made = [path for path in files if holds_results(path)]
    if len(made) > 1:
        raise InvalidInput(
            f"{made[0]} and {made[1]} are both results: look at one of them at a time, or process "
            "their curves together (nrm process A B -o BOTH.h5)"
        )
    given = [path for path in files if path not in made] + formats.expanded(map(str, originals))
    curves = together(list(map(Path, given))) if given else None
    if not made:
        assert curves is not None
        view = viewed(None, curves, recipe=recipe, experiment=experiment, beside=Path(given[0]))
        view.stamps = [FileStamp.of(Path(path)) for path in given]
        return view
    if recipe is not None:
        raise InvalidInput(
            f"{made[0]} has the recipe that it was made by: try another on the page, or give the "
            "curves without results"
        )
    results = open_results(made[0], decisions=False)
    messages = []
    if curves is None:
        curves, sentence = found_by_origin(results, made[0])
        messages += [sentence] if sentence else []
    else:
        check_same(results, curves)
    view = viewed(results, curves, experiment=experiment, path=made[0])
    view.messages += messages
    view.messages += decisions_left_behind(made[0], results.attrs.get("source_sha256", ""))
    return view


def viewed(
    results: xr.Dataset | None,
    curves: CurveSet | None,
    *,
    recipe: str | PathLike[str] | None = None,
    experiment: str | PathLike[str] | None = None,
    path: Path | None = None,
    beside: Path | None = None,
) -> Viewed:
    """Put results and curves together.

    Parameters
    ----------
    results, curves, recipe, experiment
        See `opened`.
    path : Path, optional
        File of the results.
    beside : Path, optional
        File beside which results of curves alone would be written.
    """
    if experiment is not None and curves is not None:
        from nrm_plugin.experiment import read

        curves = read(experiment).apply(curves)
    elif curves is not None and results is not None:
        curves = told_the_same(curves, results)
    chosen = None if recipe is None else Recipe.from_toml(recipe)
    out = path
    if results is None and beside is not None:
        out = beside.with_name(f"{beside.stem}-results.h5")
    view = Viewed(results, curves, chosen, out)
    if path is not None:
        view.files.append({"name": path.name, "importer": "results"})
        view.stamps.append(FileStamp.of(path))
    for origin in () if curves is None else curves.origins:
        view.files.append({"name": file_name(origin.name), "importer": origin.importer})
    return view


def together(paths: Sequence[Path]) -> CurveSet:
    """Open files of curves, merged in this order."""
    opened_sets = []
    been: set[Path] = set()
    for path in paths:
        if path.absolute() in been:
            continue
        curves = formats.open(path)
        been |= {Path(origin.path) for origin in curves.origins if origin.path}
        opened_sets.append(curves)
    return opened_sets[0] if len(opened_sets) == 1 else join(opened_sets)


def check_same(results: xr.Dataset, curves: CurveSet) -> None:
    """Raise if results cannot be of these curves.

    Raises
    ------
    InvalidInput
    """
    n = results.sizes["curve"]
    if n != curves.n_curves:
        raise InvalidInput(
            f"the results are of {n} curves, and these are {curves.n_curves}: give the curves that "
            "the results were made from"
        )


def changed_originals(results: xr.Dataset, curves: CurveSet, most: int) -> list[str]:
    """Sentences on original files that are not those that the results were made from.

    Parameters
    ----------
    results : Dataset
    curves : CurveSet
    most : int
        Bytes that are hashed together; what is larger is taken to be right.
    """
    names, hashes = (_texts(results, f"source_{key}") for key in ("name", "sha256"))
    wanted = dict(zip(names, hashes, strict=False))
    sentences = []
    for origin in curves.origins:
        path = Path(origin.path) if origin.path else None
        found = origin.sha256
        if not found and path is not None and path.is_file() and wanted.get(origin.name):
            most -= path.stat().st_size
            found = sha256(str(path)) if most >= 0 else ""
        if found and wanted.get(origin.name) and found != wanted[origin.name]:
            sentences.append(
                f"{origin.name} is not the file that the results were made from: its contents are "
                "others. Curves and results may not belong together"
            )
    return sentences


def told_the_same(curves: CurveSet, results: xr.Dataset) -> CurveSet:
    """Curves with the metadata that their results were made with.

    They may have come from the command line or from an experiment file, and then are not in the
    curves' own file.
    """
    from nrm_plugin.vocabulary import METADATA

    made_with = ToldMetadata(results, None)
    values: dict[str, Any] = {}
    for key, told in made_with.written.items():
        known = METADATA.get(key)
        if known is None:
            continue
        value = (
            told
            if known.text or known.words or key == "simulated"
            else made_with.number(key, known.unit)
        )
        if value is not None and curves.metadata.get(key) != value:
            values[key] = value
    try:
        return curves.with_metadata(values, "the results") if values else curves
    except NrmError:
        return curves


def found_by_origin(results: xr.Dataset, path: Path) -> tuple[CurveSet | None, str]:
    """Curves that results were made from: beside them, or where they were.

    Returns
    -------
    curves : CurveSet or None
    sentence : str
        Why there are none; empty if there are.
    """
    names, where = (_texts(results, name) for name in ("source_name", "source_path"))
    if not names:
        return (
            None,
            "the results do not say what they were made from: give the curves with --curves",
        )
    n = results.sizes["curve"]
    paths = [_place(path, name, where[i] if i < len(where) else "") for i, name in enumerate(names)]
    known = [p for p in paths if p is not None]
    if len(known) == len(names):
        try:
            curves = together(known)
        except NrmError as error:
            return None, f"the curves cannot be opened: {error}"
        if curves.n_curves == n:
            return curves, ""
    for beside in sorted(path.absolute().parent.glob("*.h5"))[:_LOOKED_INTO]:
        curves_of = _common_file(beside, names, n)
        if curves_of is not None:
            return curves_of, ""
    lost = ", ".join(name for name, p in zip(names, paths, strict=True) if p is None)
    if not lost:
        return None, f"{', '.join(names)} beside the results has other curves: give --curves"
    return None, (
        f"the curves are not beside the results ({lost}): profiles are shown, curves are not. Give "
        "them with --curves"
    )


def _place(results: Path, name: str, recorded: str) -> Path | None:
    """Where an original is: beside the results, else where it was when they were made."""
    folder = results.absolute().parent
    candidates = [folder / Path(name).name] if name else []
    if recorded:
        candidates.append(folder / recorded)
    return next((c for c in candidates if c.is_file() and not holds_results(c)), None)


def _common_file(path: Path, names: Sequence[str], n: int) -> CurveSet | None:
    """Curves of a common file, if it holds those of these originals."""
    from nrm_plugin.store.read_curves import open_curves

    if holds_results(path):
        return None
    try:
        curves = open_curves(path)
    except NrmError:
        return None
    same = [origin.name for origin in curves.origins] == list(names)
    if not same or curves.n_curves != n:
        return None
    return replace(curves, importer="nrm")


def _texts(results: xr.Dataset, name: str) -> list[str]:
    told = results.attrs.get(name, [])
    return [told] if isinstance(told, str) else [str(one) for one in told]
