"""What Gwyddion's menu File > Open does with files that it does not know: ``nrm gwyddion``.

Gwyddion 2 starts executables of its plug-in folder: with ``register`` they say which files they
open, with ``load DUMP FILE`` they write images to DUMP. A dump holds images only. So it gets one,
and the whole, with curve map and volume data, is converted and shown beside, by Gwyddion's own
``--remote-existing``. Gwyddion 3 has no plug-ins.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from nrm_importers.gwyddion.gwyddion_window import has_display, program
from nrm_importers.gwyddion.tree import Node, open_tree

#: Files that Gwyddion 2 does not open by itself, or not their curves.
PATTERNS = ("*.h5", "*.ardf")

#: In the script, and by which it is known.
_OURS = "written by nrm gwyddion install"

#: Seconds for which Gwyddion may be busy before the whole file is given up.
_PATIENCE = 120.0


def plug_in_path(home: Path) -> Path:
    """Where Gwyddion 2 looks for the plug-in, in a home folder."""
    return home / ".gwyddion" / "plugins" / "file" / "nrm"


def script(python: str) -> str:
    """Text of the plug-in: it registers by itself, and leaves the rest to this package."""
    quoted = "'" + python.replace("'", "'\\''") + "'"
    patterns = " ".join(PATTERNS)
    return f"""#!/bin/sh
# {_OURS}; removed by nrm gwyddion uninstall
case "$1" in
register) printf '%s\\n' nrm 'Nano-rheology (nrm-plugin)' '{patterns}' load '' ;;
load) exec {quoted} -m nrm_importers.gwyddion.file_plug_in "$2" "$3" ;;
*) exit 1 ;;
esac
"""


def is_ours(path: Path) -> bool:
    """Whether a file is the plug-in as this package writes it."""
    try:
        return _OURS in path.read_text(encoding="utf-8", errors="replace")[:400]
    except OSError:
        return False


def load(dump: Path, source: Path) -> int:
    """Convert a file, write one of its images to the dump, and let Gwyddion open the whole."""
    folder = Path(tempfile.mkdtemp(prefix="nrm-gwyddion-"))
    made = folder / f"{source.stem}.gwy"
    command = [sys.executable, "-m", "nrm_plugin", "convert", str(source), "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not made.is_file():
        sys.stderr.write(done.stderr)
        return done.returncode or 1
    dump.write_bytes(first_image(made))
    quiet = subprocess.DEVNULL
    subprocess.Popen(
        [sys.executable, "-m", "nrm_importers.gwyddion.file_plug_in", "--show", str(made)],
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
        start_new_session=True,
    )
    return 0


def show_whole(path: Path) -> int:
    """Hand a file to the running Gwyddion as soon as it listens."""
    found, end = program(), time.monotonic() + _PATIENCE
    while found is not None and has_display() and time.monotonic() < end:
        asked = subprocess.run([found, "--remote-query"], capture_output=True, check=False)
        if asked.returncode == 0:
            command = [found, "--remote-existing", str(path)]
            return subprocess.run(command, capture_output=True, check=False).returncode
        time.sleep(0.5)
    return 1


def first_image(path: Path) -> bytes:
    """Dump of the image that a file shows first: a map, or the preview of a curve map."""
    with open_tree(path) as (root, _):
        shown = [
            key
            for key, item in root.items.items()
            if key.endswith("/data") and item.code == "o" and _flag(root, f"{key}/visible")
        ]
        previews = [key for key in root.items if key.endswith("/preview")]
        node = root.child((shown or previews or [""])[0])
        title = root.text(f"{shown[0]}/title") if shown else "preview"
        if node is None:  # graphs alone
            return _dump(f"{path.name} has no image: see its graphs", np.zeros((2, 2)), {})
        rows, columns = node.integer("yres"), node.integer("xres")
        data = node.array("data")
        about = {
            "xreal": repr(node.number("xreal", 1.0)),
            "yreal": repr(node.number("yreal", 1.0)),
            "unit-xy": _unit(node, "si_unit_xy"),
            "unit-z": _unit(node, "si_unit_z"),
        }
    values = np.zeros((rows, columns)) if data is None else data.reshape(rows, columns)
    return _dump(f"{title} (all of {path.name} opens beside)", values, about)


def _dump(title: str, values: np.ndarray, about: dict[str, str]) -> bytes:
    """One image as Gwyddion's plug-ins exchange it: ``key=value`` lines, and raw doubles."""
    rows, columns = values.shape
    lines = {"xres": str(columns), "yres": str(rows), "xreal": "1", "yreal": "1", **about}
    lines["title"] = title.replace("\n", " ")
    head = "".join(f"/0/data/{key}={value}\n" for key, value in lines.items() if value)
    raw = np.ascontiguousarray(values, "<f8").tobytes()
    return head.encode() + b"/0/data=[\n[" + raw + b"]]\n"


def _flag(node: Node, name: str) -> bool:
    item = node.items.get(name)
    return item is not None and item.code == "b" and node.source.take(item.offset, 1) != b"\0"


def _unit(node: Node, name: str) -> str:
    child = node.child(name)
    return "" if child is None else child.text("unitstr")


if __name__ == "__main__":
    first, second = sys.argv[1:3]
    sys.exit(show_whole(Path(second)) if first == "--show" else load(Path(first), Path(second)))
