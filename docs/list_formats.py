"""Draws the table of formats into README.md and docs/index.md, from what plugins register.

    python docs/list_formats.py            write it
    python docs/list_formats.py --check    say whether it is as drawn (exit code 1 if not)

Only plugins of this distribution count. An importer's row is its description and its suffixes;
``page``, where it has one, is the page in ``docs/`` that tells more.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nrm_plugin import plugins

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "index.md")
BEGIN, END = "<!-- formats: drawn by docs/list_formats.py -->", "<!-- end of formats -->"
OURS = "nrm-plugin"


def table() -> str:
    """The formats of this distribution, as a table in Markdown."""
    found = plugins.installed()
    ours = {
        (kind, name)
        for plugin in found.found
        if plugin.distribution == OURS
        for kind, names in plugin.adds.items()
        for name in names
    }
    written = {name for kind, name in ours if kind == "exporters"}
    importers = [found.importers[name] for kind, name in sorted(ours) if kind == "importers"]
    rows = ["| format | files | read | written |", "| --- | --- | --- | --- |"]
    for importer in importers:
        writes = [s for s in importer.suffixes if s in written]
        rows.append(_row(importer, _see(importer, "yes"), _listed(writes) or "no"))
    logs = [found.potential_logs[name] for kind, name in sorted(ours) if kind == "potential_logs"]
    for log in logs:
        rows.append(_row(log, "[as a log of the potential](docs/potential.md)", "no"))
    rows.append(
        "| yours | | [write an importer](docs/writing-plugins.md) | "
        "[write an exporter](docs/plugin-hooks.md) |"
    )
    return "\n".join(rows)


def _row(offer: Any, read: str, written: str) -> str:
    return f"| {offer.description} | {_listed(offer.suffixes)} | {read} | {written} |"


def _listed(suffixes: Sequence[str]) -> str:
    return ", ".join(f"`{suffix}`" for suffix in suffixes)


def _see(importer: Any, text: str) -> str:
    page = getattr(importer, "page", "")
    return f"[{text}](docs/{page})" if page else text


def drawn(page: Path) -> str:
    """A page's text with the table as the registry has it."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    rows = table() if page.parent == ROOT else table().replace("](docs/", "](")
    return f"{before}{BEGIN}\n\n{rows}\n\n{END}{rest.split(END)[1]}"


def main() -> int:
    """Write the table, or say that it is not as the registry has it."""
    changed = [page for page in PAGES if page.read_text(encoding="utf-8") != drawn(page)]
    for page in changed:
        if "--check" in sys.argv:
            print(f"{page.name}: run python docs/list_formats.py", file=sys.stderr)
        else:
            page.write_text(drawn(page), encoding="utf-8")
    return int(bool(changed) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
