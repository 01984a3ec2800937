"""The program Gwyddion on this computer: where it is, and a file shown in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

#: Names of Gwyddion 2 and 3.
_NAMES = ("gwyddion", "gwyddion3")


def program() -> str | None:
    """Path of Gwyddion; None where there is none.

    It is looked for among the commands, and on Windows and macOS where its installers put it.
    """
    for name in _NAMES:
        found = shutil.which(name)
        if found is not None:
            return found
    places: list[Path] = []
    if sys.platform == "win32":
        folders = (os.environ.get(n, "") for n in ("ProgramFiles", "ProgramFiles(x86)"))
        places = [Path(f) / "Gwyddion" / "bin" / "gwyddion.exe" for f in folders if f]
    elif sys.platform == "darwin":
        places = [
            Path("/opt/homebrew/bin/gwyddion"),
            Path("/opt/local/bin/gwyddion"),
            Path("/usr/local/bin/gwyddion"),
        ]
    return next((str(p) for p in places if p.is_file()), None)


def has_display() -> bool:
    """Whether a window can be opened."""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    return not sys.platform.startswith("linux") or any(os.environ.get(n) for n in names)


def show(path: Path) -> str:
    """Show a file in a running Gwyddion, or start one; returns a sentence on what was done.

    Gwyddion goes on after this process has ended.
    """
    found = program()
    if found is None:
        return (
            "Gwyddion was not found, so that the file is not shown: install it from gwyddion.net, "
            "or add its folder to PATH"
        )
    if not has_display():
        return "there is no display here, so that the file is not shown in Gwyddion"
    quiet = subprocess.DEVNULL
    subprocess.Popen(
        [found, "--remote-new", str(path.absolute())],
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
        start_new_session=True,
    )
    return f"{path.name} is shown in Gwyddion"
