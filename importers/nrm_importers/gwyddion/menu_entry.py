"""``nrm gwyddion``: our files in the File menu of Gwyddion 2."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from nrm_plugin.errors import InvalidInput, OutputError
from nrm_plugin.files import replacing


@click.group("gwyddion")
def command() -> None:
    """Put results into Gwyddion's File menu."""


@command.command("install")
def install() -> None:
    """Put a small script into Gwyddion's folder of plug-ins (~/.gwyddion/plugins/file)."""
    from nrm_importers.gwyddion.file_plug_in import PATTERNS, is_ours, plug_in_path, script
    from nrm_importers.gwyddion.gwyddion_window import program

    if sys.platform == "win32":
        raise InvalidInput(
            "Gwyddion for Windows starts plug-ins that are .exe files only, and there is none: "
            "show files with nrm convert FILE -o X.gwy --open"
        )
    path = plug_in_path(Path.home())
    if path.exists() and not is_ours(path):
        raise OutputError(path, "it is there and not ours: it stays as it is")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(path, error.strerror or error) from None
    with replacing(path, overwrite=True) as part:
        part.write_text(script(sys.executable), encoding="utf-8")
        part.chmod(0o755)
    click.echo(
        f"nrm: {path} written: start Gwyddion anew, and File > Open takes its files", err=True
    )
    click.echo(f"nrm: by their names {' and '.join(PATTERNS)}; others by the type nrm", err=True)
    found = program()
    if found is None:
        click.echo("nrm: Gwyddion was not found here; the script waits for it", err=True)
    elif Path(found).stem == "gwyddion3":
        click.echo(
            "nrm: Gwyddion 3, which is here, has no plug-ins any more: use nrm convert ... --open",
            err=True,
        )


@command.command("uninstall")
def uninstall() -> None:
    """Remove the script."""
    from nrm_importers.gwyddion.file_plug_in import is_ours, plug_in_path

    path = plug_in_path(Path.home())
    if not path.exists():
        click.echo(f"nrm: there is no {path}: nothing to remove", err=True)
        return
    if not is_ours(path):
        raise OutputError(path, "it is not ours: it stays as it is")
    try:
        path.unlink()
    except OSError as error:
        raise OutputError(path, error.strerror or error) from None
    click.echo(f"nrm: {path} removed", err=True)
