"""A research object (RO-Crate) for a repository such as Zenodo: data, recipe, report, provenance.

RO-Crate 1.1, https://w3id.org/ro/crate/1.1: a folder, here in a ZIP file, with a description of
what is in it in JSON-LD that repositories and other programs read.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import mimetypes
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nrm_plugin import __version__
from nrm_plugin.errors import InvalidInput
from nrm_plugin.files import replacing, time_of_writing

#: The article that describes the method.
METHOD = "https://doi.org/10.1039/D6FD00053C"

_CONTEXT = "https://w3id.org/ro/crate/1.1/context"
_TYPES = {
    ".h5": "application/x-hdf5",
    ".html": "text/html",
    ".md": "text/markdown",
    ".toml": "application/toml",
}


def write_crate(
    path: Path,
    *,
    results: xr.Dataset,
    file: Path,
    report: Path,
    originals: Iterable[Path] = (),
    overwrite: bool = False,
) -> list[str]:
    """Write a research object as a ZIP file.

    Parameters
    ----------
    path : Path
        Of the ``.zip``.
    results : Dataset
        Opened from `file`.
    file : Path
        Of the results.
    report : Path
        HTML page about them.
    originals : iterable of Path
        Files that the results were made from, to be put in as they are.
    overwrite : bool

    Returns
    -------
    list of str
        What the crate lacks, and how to give it; originals that have changed since.

    Raises
    ------
    InvalidInput
        If two files of one name would be put in.
    OutputError
    """
    given = list(originals)
    wanted = [file, report, *given]
    decisions = file.with_name(f"{file.stem}.decisions.toml")
    if decisions.is_file() and "decisions" in results.attrs:
        wanted.append(decisions)
    names = [f"data/{p.name}" if p in given else p.name for p in wanted]
    if len(set(names)) < len(names):
        raise InvalidInput("two files of one name cannot lie in one crate")
    sources = _originals(results)
    texts = {
        "recipe.toml": str(results.attrs.get("recipe", "")),
        "experiment.toml": str(results.attrs.get("experiment", "")),
    }
    with replacing(path, overwrite=overwrite) as part, zipfile.ZipFile(part, "w") as archive:
        parts = [_put(archive, name, source) for name, source in zip(names, wanted, strict=True)]
        for name, text in texts.items():
            if text:
                archive.writestr(name, text, zipfile.ZIP_DEFLATED)
                parts.append(_entity(name, len(text.encode()), _hash(text.encode())))
        graph = _graph(results, file, parts, report.name)
        about = json.dumps({"@context": _CONTEXT, "@graph": graph}, indent=2, ensure_ascii=False)
        archive.writestr("ro-crate-metadata.json", about, zipfile.ZIP_DEFLATED)
    lacks = ["no licence and no author are stated: the repository asks for them when you upload"]
    copied = {part["name"]: part["sha256"] for part in parts if part["@id"].startswith("data/")}
    for name, digest in copied.items():
        hashes = [sha256 for one, sha256 in sources if one == name]
        if not hashes:
            lacks.append(f"{name} is not named by the results as their original")
        elif digest not in hashes and all(hashes):
            lacks.append(f"{name} is another file than the one that the results were made from")
    missing = sorted({name for name, _ in sources} - set(copied))
    if missing:
        some = f"{', '.join(missing[:3])}{', ...' if missing[3:] else ''}"
        lacks.append(f"the originals are not in it ({some}): give them with --curves")
    return lacks


def _put(archive: zipfile.ZipFile, name: str, source: Path) -> dict[str, Any]:
    """Copy a file into the archive, piece by piece, and describe it."""
    digest = hashlib.sha256()
    packed = source.suffix.lower() in (".html", ".toml", ".md", ".txt", ".csv")
    info = zipfile.ZipInfo.from_file(source, name, strict_timestamps=False)
    info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    size = 0
    with source.open("rb") as original, archive.open(info, "w", force_zip64=True) as copy:
        while piece := original.read(1 << 20):
            digest.update(piece)
            copy.write(piece)
            size += len(piece)
    return _entity(name, size, digest.hexdigest())


def _entity(name: str, size: int, sha256: str) -> dict[str, Any]:
    suffix = Path(name).suffix.lower()
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return {
        "@id": name.replace(" ", "%20"),
        "@type": "File",
        "name": Path(name).name,
        "contentSize": str(size),
        "encodingFormat": kind,
        "sha256": sha256,
    }


def _graph(
    results: xr.Dataset, file: Path, parts: list[dict[str, Any]], report: str
) -> list[dict[str, Any]]:
    """Everything that the crate says about itself."""
    written = time_of_writing().isoformat(timespec="seconds")
    title = str(results.attrs.get("title") or file.stem)
    simulated = " All of it is simulated." if results.attrs.get("simulated") else ""
    by_id = {part["@id"]: part for part in parts}
    own = file.name.replace(" ", "%20")
    sources = []
    for number, (name, sha256) in enumerate(_originals(results)):
        at = f"data/{name}".replace(" ", "%20")
        if at not in by_id:
            at = f"#original-{number}"
            by_id[at] = {"@id": at, "@type": "CreativeWork", "name": name}
            if sha256:
                by_id[at]["sha256"] = sha256
        sources.append({"@id": at})
    inputs = sources + [
        {"@id": name} for name in ("recipe.toml", "experiment.toml") if name in by_id
    ]
    own_version = str(results.attrs.get("nrm_plugin_version", "unknown"))
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": "Depth-resolved rheology (1D-NRM): storage and loss moduli of "
        f"{results.sizes['curve']} force curves against the distance from the electrode, with what "
        f"they were made of, how, and the report about them.{simulated}",
        "datePublished": written,
        "hasPart": [{"@id": part["@id"]} for part in parts],
        "mainEntity": {"@id": own},
        "citation": {"@id": METHOD},
        "mentions": [{"@id": "#processing"}],
    }
    return [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        },
        root,
        *by_id.values(),
        {
            "@id": "#processing",
            "@type": "CreateAction",
            "name": "Moduli from force curves",
            "instrument": {"@id": "#nrm-plugin"},
            "object": inputs,
            "result": [{"@id": own}, {"@id": report.replace(" ", "%20")}],
        },
        {
            "@id": "#nrm-plugin",
            "@type": "SoftwareApplication",
            "name": "nrm-plugin",
            "softwareVersion": own_version,
            "description": f"results by version {own_version}, report by version {__version__}",
        },
        {
            "@id": METHOD,
            "@type": "ScholarlyArticle",
            "name": "Atomic force nanorheology for in-situ exploration of nanoscale SEI layers in "
            "real-life rechargeable batteries electrodes",
        },
    ]


def _originals(results: xr.Dataset) -> list[tuple[str, str]]:
    """Names and hashes of the files that results were made from; a hash is empty where unknown."""
    names = [str(name) for name in np.atleast_1d(results.attrs.get("source_name", []))]
    hashes = [str(one) for one in np.atleast_1d(results.attrs.get("source_sha256", []))]
    return list(itertools.zip_longest(names, hashes[: len(names)], fillvalue=""))


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
