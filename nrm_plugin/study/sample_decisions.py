"""Decisions about a sample: copied once from the study's file to where its results lie."""

from __future__ import annotations

from pathlib import Path

from nrm_plugin.errors import MissingFile
from nrm_plugin.files import replacing, sha256


def placed_decisions(given: Path | None, beside: Path, copied: str) -> tuple[str, str]:
    """Copy a file of decisions to results that have none yet, or the earlier copy unchanged.

    What is decided while looking at the results is written beside them, and stays.

    Parameters
    ----------
    given : Path or None
        File that the study names.
    beside : Path
        Where decisions about the results lie.
    copied : str
        SHA-256 of what was copied before; empty for nothing.

    Returns
    -------
    copied : str
        SHA-256 of what was copied last.
    message : str
        Where the two differ because both were changed; else empty.

    Raises
    ------
    MissingFile, OutputError
    """
    if given is None:
        return "", ""
    wanted, there = sha256(given), sha256(beside)
    if not wanted:
        raise MissingFile(given, "the file of decisions cannot be read")
    if there == wanted or (there and copied == wanted):
        return wanted, ""
    if there and there != copied:
        return copied, (
            f"both {given.name} and {beside.name} beside the results were changed: the one beside "
            "the results counts. Remove it to have the other copied"
        )
    with replacing(beside, overwrite=True) as part:
        part.write_bytes(given.read_bytes())
    return wanted, ""
