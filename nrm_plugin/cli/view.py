"""``nrm view``: the page in the browser."""

from __future__ import annotations

import json
import time
import webbrowser
from pathlib import Path

import click

from nrm_plugin.cli.batch import with_files

STOPPED = 130


@click.command("view")
@with_files
@click.option(
    "--curves",
    "originals",
    metavar="ORIGINAL",
    multiple=True,
    help="The curves that results were made from, if they are not beside them. May be repeated.",
)
@click.option("--recipe", metavar="R.toml", help="What curves without results are processed by.")
@click.option(
    "--experiment",
    metavar="E.toml",
    help="Experiment file: wiring, lock-in settings, calibrations.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=0,
    help="By default a free one.",
)
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print address and files as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    files: tuple[str, ...],
    originals: tuple[str, ...],
    recipe: str | None,
    experiment: str | None,
    port: int,
    no_browser: bool,
    as_json: bool,
) -> None:
    """Look at curves, results or both in the browser, and decide on them.

    The page is served on this computer alone, until Ctrl-C. Results find their curves by what they
    say of their origin: beside them, or where they were.
    """
    from nrm_plugin.viewer.opening import opened
    from nrm_plugin.viewer.page_server import serve
    from nrm_plugin.viewer.sessions import Session

    view = opened(
        [Path(file) for file in files],
        [Path(file) for file in originals],
        recipe=recipe,
        experiment=experiment,
    )
    session = Session(view)
    session.desk.decisions  # noqa: B018  a mistake in their file is said before a page opens
    server = serve(session, port)
    session.begin()
    try:
        if as_json:
            names = [one["name"] for one in view.files]
            click.echo(json.dumps({"url": server.url, "port": server.port, "files": names}))
        else:
            click.echo(server.url)
        if not ctx.obj["quiet"] and not as_json:
            for message in view.messages:
                click.echo(f"nrm: {message}", err=True)
        if not (no_browser or as_json) and not webbrowser.open(server.url):
            click.echo("nrm: no browser was found: open the address above", err=True)
        while not server.wait(0.5):
            time.sleep(0)
    except KeyboardInterrupt:
        click.echo("nrm: stopped; decisions are saved", err=True)
        ctx.exit(STOPPED)
    finally:
        server.stop()
