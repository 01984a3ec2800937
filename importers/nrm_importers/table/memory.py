"""Table maps that were given once, remembered by the heading of their table."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from nrm_importers.table.table_map import TableMap, parse_map
from nrm_plugin.errors import NrmError, OutputError
from nrm_plugin.files import replacing

#: Set to 1, nothing is remembered and nothing that was is used.
OFF = "NRM_NO_MEMORY"


def folder() -> Path | None:
    """Return the folder of the remembered maps; None where there is to be no memory."""
    if os.environ.get(OFF, "") not in ("", "0"):
        return None
    from platformdirs import user_config_path

    return user_config_path("nrm-plugin", appauthor=False) / "tables"


def _file(heading: str) -> Path | None:
    where = folder()
    return where and where / f"{hashlib.sha256(heading.encode()).hexdigest()[:32]}.toml"


def remembered(heading: str) -> tuple[TableMap, Path] | None:
    """Map that was kept for a heading, and its file; None without one that can be read."""
    path = _file(heading)
    try:
        if path is None or not path.is_file():
            return None
        text = path.read_text("utf-8")
        return parse_map(text, str(path)), path
    except (OSError, UnicodeDecodeError, NrmError):
        return None


def remember(heading: str, text: str) -> Path | None:
    """Keep the text of a map for a heading; None where that is not wanted or not possible."""
    path = _file(heading)
    if path is None:
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, overwrite=True) as part:
            part.write_text(text, "utf-8")
    except (OSError, OutputError):
        return None
    return path
