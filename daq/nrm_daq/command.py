"""``nrm acquire``: record force ramps with an NI-DAQ board."""

from __future__ import annotations

import json
import sys
import webbrowser
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nrm_plugin.errors import InvalidInput
from nrm_plugin.files import check_output, replacing
from nrm_plugin.text import with_unit
from nrm_plugin.units import parse

if TYPE_CHECKING:
    from nrm_daq.config import DaqConfig
    from nrm_daq.hardware import Device
    from nrm_daq.live_page import LivePage


@click.command("acquire", short_help="Record force ramps with an NI-DAQ board.")
@click.option(
    "-o", "--output", metavar="OUT.h5", help="The file to record, or the configuration to write."
)
@click.option(
    "--config", "config_path", metavar="DAQ.toml", help="What to record, how, and with which board."
)
@click.option("--duration", metavar="TIME", help="How long, 60s; without it until Ctrl-C.")
@click.option(
    "--simulate", is_flag=True, help="Record a simulated electrode: no board, no configuration."
)
@click.option(
    "--recover",
    "part",
    metavar="PART",
    help="Turn what a broken recording left (OUT.h5.part) into a file.",
)
@click.option("--list-devices", is_flag=True, help="List the boards that can be used.")
@click.option(
    "--write-config",
    is_flag=True,
    help="Ask the board, and write a configuration to fill in (-o DAQ.toml; else it is printed).",
)
@click.option("--check", is_flag=True, help="Check the configuration with the board, and stop.")
@click.option(
    "--live", is_flag=True, help="Show the recording in the browser, and the file afterwards."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="Of the live page; else a free one.",
)
@click.option("--no-browser", is_flag=True, help="Print the live page's address, open nothing.")
@click.option("--recipe", metavar="R.toml", help="What the live page processes finished curves by.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done, for programs.")
@click.pass_context
def command(
    ctx: click.Context,
    output: str | None,
    config_path: str | None,
    duration: str | None,
    simulate: bool,
    part: str | None,
    list_devices: bool,
    write_config: bool,
    check: bool,
    live: bool,
    port: int | None,
    no_browser: bool,
    recipe: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Record force ramps with an NI-DAQ board and cut them into curves.

    While it runs, everything goes to OUT.h5.part; Ctrl-C ends it with a complete file. With
    --live, the page then shows that file until the next Ctrl-C.
    """
    quiet = bool(ctx.obj and ctx.obj["quiet"])
    if part is not None:
        _print_report(_recovered(Path(part), output, overwrite), as_json, quiet)
        return
    if list_devices:
        _list_devices(config_path, simulate, as_json)
        return
    if write_config:
        _write_config(config_path, simulate, output, overwrite, as_json)
        return
    config = _config(config_path, simulate)
    if check:
        _check(config, as_json)
        return
    if output is None:
        raise click.UsageError("say where to: -o OUT.h5")
    if Path(output).suffix.lower() != ".h5":
        raise click.UsageError(f"a recording becomes an .h5 file, not {output!r}")
    if not live and (port is not None or no_browser or recipe is not None):
        raise click.UsageError("--port, --no-browser and --recipe go with --live")
    from nrm_daq.run import record

    page = _live_page(port or 0, recipe, no_browser) if live else None
    with page or nullcontext():
        report = record(
            config, Path(output), _seconds(duration), overwrite=overwrite, quiet=quiet, page=page
        )
        _print_report(report, as_json, quiet)
        if page is not None:
            _shown_until_ctrl_c(page, quiet)
    if report["stopped"]:
        click.echo(f"nrm: {report['stopped']}", err=True)
        ctx.exit(1)


def _live_page(port: int, recipe: str | None, no_browser: bool) -> LivePage:
    """Return what shows the recording, not begun.

    Raises
    ------
    MissingFile, RecipeError
    """
    from nrm_daq.live_page import LiveOptions, LivePage
    from nrm_plugin.recipe import as_recipe

    as_recipe(recipe)
    begin = "\n" if sys.stderr.isatty() else ""  # behind the line that is renewed

    def say(sentence: str) -> None:
        click.echo(f"{begin}nrm: {sentence}", err=True)

    def opened(url: str) -> None:
        say(f"the recording is shown at {url}")
        if not no_browser and not webbrowser.open(url):
            say("no browser was found: open the address above")

    return LivePage(LiveOptions(port, recipe), say=say, opened=opened)


def _shown_until_ctrl_c(page: LivePage, quiet: bool) -> None:
    try:
        if page.wait(0.0) and not quiet:
            click.echo("nrm: the page shows the file until Ctrl-C", err=True)
        while page.wait(0.5):
            continue
    except KeyboardInterrupt:
        return


def _config(path: str | None, simulate: bool) -> DaqConfig:
    """Return the configuration that is asked for.

    Raises
    ------
    click.UsageError, RecipeError
    """
    from nrm_daq.config import DaqConfig

    if path is None and not simulate:
        boards = ", ".join(device.name for device in _devices(None, False)) or "none"
        raise click.UsageError(
            f"say what to record with --config DAQ.toml, or try --simulate; the boards: {boards}"
        )
    if path is None:
        return DaqConfig.simulated()
    config = DaqConfig.from_toml(path)
    return config.as_simulated() if simulate else config


def _seconds(duration: str | None) -> float | None:
    if duration is None:
        return None
    try:
        seconds = parse(duration, "s")
    except InvalidInput as error:
        raise click.UsageError(f"--duration: {error}") from None
    if not 0.0 < seconds < float("inf"):
        raise click.UsageError(f"--duration: {duration} is no length of time")
    return seconds


def _recovered(part: Path, output: str | None, overwrite: bool) -> dict[str, Any]:
    from nrm_daq.recovery import recover, report_of

    if output is None and part.suffix != ".part":
        raise click.UsageError("say where to with -o OUT.h5")
    out = Path(output) if output else part.with_suffix("")
    check_output(out, overwrite=overwrite)
    curves = recover(part, out, overwrite=overwrite)
    return report_of(curves, out)


def _devices(path: str | None, simulate: bool) -> list[Device]:
    """Return the boards of a configuration's backend, by default those of this computer.

    Raises
    ------
    DaqUnavailable
    """
    from nrm_daq.hardware import connected, devices

    with connected(_backend(path, simulate)) as connection:
        return devices(connection)


def _backend(path: str | None, simulate: bool) -> DaqConfig:
    """Return a configuration whose backend says where boards are looked for."""
    from nrm_daq.config import DaqConfig

    if path is None and not simulate:
        return DaqConfig.from_values({"channels": {"deflection": {"terminal": "any"}}})
    return _config(path, simulate)


def _write_config(
    path: str | None, simulate: bool, output: str | None, overwrite: bool, as_json: bool
) -> None:
    """Write or print a configuration to fill in."""
    from nrm_daq.config_template import config_to_fill_in

    if output is not None:
        if Path(output).suffix.lower() != ".toml":
            raise click.UsageError(f"a configuration becomes a .toml file, not {output!r}")
        check_output(Path(output), overwrite=overwrite)
    text, board = config_to_fill_in(_backend(path, simulate))
    if output is not None:
        with replacing(Path(output), overwrite=overwrite) as part:
            part.write_text(text, "utf-8")
    if as_json:
        click.echo(json.dumps({"path": output, "board": vars(board), "config": text}, indent=2))
    elif output is None:
        click.echo(text, nl=False)
    else:
        click.echo(f"{output}: for {board.name}, {board.product}; fill in what is marked ???")


def _list_devices(path: str | None, simulate: bool, as_json: bool) -> None:
    devices = _devices(path, simulate)
    if as_json:
        click.echo(json.dumps([vars(device) for device in devices], indent=2))
        return
    for device in devices:
        kind = "simulated, " if device.simulated else ""
        at_once = "all at once" if device.simultaneous else "one after the other"
        click.echo(
            f"{device.name}: {device.product} ({kind}serial number {device.serial})\n"
            f"  {len(device.terminals)} analog inputs, {', '.join(device.terminals)}\n"
            f"  up to {device.largest_rate:g} samples per second, {at_once}; ranges "
            f"{', '.join(f'{r:g}' for r in device.ranges)} V"
        )
        if device.outputs:
            click.echo(f"  analog outputs: {', '.join(device.outputs)}")
    if not devices:
        click.echo("no boards were found")


def _check(config: DaqConfig, as_json: bool) -> None:
    """Try everything but recording."""
    from nrm_daq.trial import checked

    report = checked(config)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    for line in report["said"]:
        click.echo(line)


def _print_report(report: dict[str, Any], as_json: bool, quiet: bool) -> None:
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    for warning in () if quiet else report["warnings"]:
        click.echo(f"nrm: {warning}", err=True)
    simulated = " (simulated)" if report["simulated"] else ""
    click.echo(
        f"{report['path']}: {report['curves_found']} curves, {report['n_samples']} samples, "
        f"{report['duration']:.1f} s{simulated}"
    )
    if "lock_in" in report and not quiet:
        about = report["lock_in"]
        click.echo(
            f"lock-in at {with_unit(about['dither_frequency'], 'Hz', 9)}, noise bandwidth "
            f"{with_unit(about['lockin_noise_bandwidth'], 'Hz', 4)}"
        )
        for line in filter(None, about.get("lockin_intermodulation", "").split("; ")):
            click.echo(f"intermodulation {line}, noise included")
    if "raw" in report:
        raw = report["raw"]
        click.echo(f"{raw['path']}: all {raw['n_samples']} samples{simulated}")
