"""The command ``nrm``. Each command has a module of its own, imported when it is called."""

from __future__ import annotations

import io
import logging
import sys
from importlib import import_module
from typing import Any

import click

from nrm_plugin import __version__
from nrm_plugin.errors import DaqUnavailable, NrmError, UnknownFormat

_COMMANDS = {
    "info": "Say what is in files.",
    "convert": "Convert files to .h5 or other formats, or join them.",
    "merge": "Pair what two recorders wrote of one experiment.",
    "lockin": "Demodulate a raw lateral signal: X and Y of a recording.",
    "experiment": "Write an experiment file: what was found, what is missing.",
    "calibrate": "Turn volts into newtons: sensitivities, stiffness, dither, phase.",
    "check": "Say what is doubtful in curves, calibration and results.",
    "potential": "Look at a potentiostat's log, or find its clock by its shape.",
    "process": "Find contacts and moduli.",
    "study": "Propose a study file for a folder.",
    "run": "Process, compare and report a whole study.",
    "fea": "Finite elements: forces, shape factor, layers, inversion.",
    "plot": "Draw figures: curves, profiles, densities, maps.",
    "view": "Look at curves and results in the browser, and decide on them.",
    "report": "Write a report: one HTML file with everything.",
    "plugins": "List plugins and what they add.",
    "demo": "Show the whole of it on sample data.",
    "recipe": "Write a recipe: what process does, with every default.",
}


class SuggestingGroup(click.Group):
    """A group that names the nearest command where there is none of the name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See click."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from nrm_plugin.vocabulary import nearest

            near = nearest(args[0], self.list_commands(ctx))
            raise click.UsageError(f"{error.message}{near}", ctx) from None


class Commands(SuggestingGroup):
    """Commands by name: our own are imported when called, those of plugins are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, our own first."""
        self._ask_plugins()
        return [*_COMMANDS, *sorted(set(self.commands) - set(_COMMANDS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Command by name."""
        if cmd_name in _COMMANDS:
            module = import_module(f"nrm_plugin.cli.{cmd_name}")
            command: click.Command = module.command
            return command
        self._ask_plugins()
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands in the help text, without importing them."""
        rows = []
        for name in self.list_commands(ctx):
            other = self.commands.get(name)
            rows.append(
                (name, _COMMANDS.get(name) or (other.get_short_help_str() if other else ""))
            )
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _ask_plugins(self) -> None:
        from nrm_plugin import plugins

        if not self.commands:
            plugins.add_commands(plugins.installed(), self)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error of ours becomes one sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except NrmError as error:
            click.echo(f"nrm: {error}", err=True)
            ctx.exit(exit_code(error))
        except (KeyboardInterrupt, click.Abort):
            click.echo("nrm: stopped with Ctrl-C", err=True)
            ctx.exit(130)


def exit_code(error: NrmError) -> int:
    """Exit code for an error that ended everything."""
    if isinstance(error, UnknownFormat):
        return 3
    return 4 if isinstance(error, DaqUnavailable) else 1


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nrm")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no warnings.")
@click.option("-v", "--verbose", is_flag=True, help="Say more about what is done.")
@click.pass_context
def main(ctx: click.Context, quiet: bool, verbose: bool) -> None:
    """Nano-rheology of interphases from AFM force curves.

    Data go to the standard output, messages and progress to the standard error.
    Exit codes: 0 done, 1 a file failed, 2 wrong usage, 3 the file is of no known kind,
    4 hardware or driver is absent.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name or a µ that the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    if callable(ctx.obj):  # all that the command needs to begin has been imported
        ctx.obj()
    level = logging.ERROR if quiet else logging.DEBUG if verbose else logging.WARNING
    logging.basicConfig(level=level, format="nrm: %(message)s")
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # dates of fonts in a PDF
    ctx.obj = {"quiet": quiet, "verbose": verbose}
