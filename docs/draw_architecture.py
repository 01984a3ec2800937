"""Draws the floors of the project into ARCHITECTURE.md, from what the import rules allow.

    python docs/draw_architecture.py            write them
    python docs/draw_architecture.py --check    say whether they are as drawn (exit code 1 if not)

Floors come from the layers in pyproject.toml, which `python3 run.py check` holds; the line beside
each room is the first line of its docstring.
"""

import ast
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- floors: drawn by docs/draw_architecture.py -->", "<!-- end of floors -->"
SOURCES = {"nrm_importers": ROOT / "importers", "nrm_daq": ROOT / "daq"}


def floors() -> list[list[str]]:
    """Rooms of the core by floor, the top floor first."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = tables["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c["id"] == "layers")
    return [layer.replace("|", ":").replace(" ", "").split(":") for layer in layers]


def summary(room: str, folder: Path) -> str:
    """First line of a room's docstring."""
    file = folder / f"{room}.py"
    if not file.exists():
        file = folder / room / "__init__.py"
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0].rstrip(".") if text else ""


def drawing() -> str:
    """The floors as text."""
    lines = ["```text"]
    for name, folder in SOURCES.items():
        lines.append(f"      {name:14}  {summary(name, folder)}")
    lines += ["      (plugins of the distribution itself: the core never imports them)", ""]
    stack = floors()
    for number, rooms in enumerate(stack):
        floor = len(stack) - number
        for i, room in enumerate(rooms):
            head = f"{floor:4}  " if i == 0 else "      "
            lines.append(f"{head}{room:14}  {summary(room, ROOT / 'nrm_plugin')}")
    return "\n".join([*lines, "```"])


def redrawn(page: str) -> str:
    """The page with its floors drawn anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{drawing()}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Draw or check."""
    page = PAGE.read_text(encoding="utf-8")
    if "--check" in arguments:
        if redrawn(page) == page:
            return 0
        print("ARCHITECTURE.md shows other floors: run python docs/draw_architecture.py")
        return 1
    PAGE.write_text(redrawn(page), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
