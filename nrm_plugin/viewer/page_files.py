"""The files of the page: a fixed list, and nothing else is served from the disk."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "page"

#: What is said of a file, by its ending.
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


def page_files(folder: Path = FOLDER) -> dict[str, tuple[Path, str]]:
    """Files and their media types by the address below the page's own; "" is the page itself."""
    found = {
        path.relative_to(folder).as_posix(): (path, _KINDS[path.suffix])
        for path in sorted([*folder.glob("*"), *folder.glob("lib/*")])
        if path.suffix in _KINDS and path.is_file()
    }
    if "index.html" in found:
        found[""] = found["index.html"]
    return found
