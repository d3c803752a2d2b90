"""The command: `recover …`. Each group of commands is a module; it is imported when it is called."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from recovery.cli.options import text
from recovery.errors import Interrupted

# Group or command, the module that has it, and the line that --help shows (nothing is imported for it).
_GROUPS = {
    "backup": ("recovery.cli.backup", "Take, list, prove, restore and expire backups."),
    "application-failure": (
        "recovery.cli.application_failure",
        "Bring the application back: scenario 2 of the runbook.",
    ),
    "application": ("recovery.cli.application", "What is left to do for the application: scale back."),
    "approve": ("recovery.cli.approve", "Approve a plan that waits, or refuse it."),
    "drill": ("recovery.cli.drill", "Break a sandbox on purpose, recover it, and measure."),
    "site": ("recovery.cli.site", "Make a site ready to be protected; write its heartbeat."),
    "incident": ("recovery.cli.incident", "Incidents: list, show, report, acknowledge, close."),
    "metrics": ("recovery.cli.metrics", "What was promised and what was measured, over all incidents and drills."),
    "settings": ("recovery.cli.settings", "Check and show the settings."),
    "sandbox": ("recovery.cli.sandbox", "A throwaway ClickView site of real servers."),
    "demo": ("recovery.cli.demo", "A site, backups, a loss on purpose, and the way back."),
    "serve": ("recovery.cli.serve", "Run the Prefect server, the deployments and a worker on this machine."),
}


class _Groups(TyperGroup):
    """Imports a group only when it is called, so that help comes at once."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_GROUPS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _GROUPS:
            return None
        if not _called(cmd_name):
            return TyperCommand(cmd_name, short_help=_GROUPS[cmd_name][1])
        made = typer.main.get_command(importlib.import_module(_GROUPS[cmd_name][0]).app)
        made.name = cmd_name
        return made

    def invoke(self, ctx: Any) -> Any:
        """Call the command. Typer would end with 130 on Ctrl-C, and without a word."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise stopped(stop) from stop


def stopped(stop: BaseException) -> Interrupted:
    """What is said of a command that somebody stopped and that changes nothing by itself."""
    return Interrupted(str(stop) or "stopped", "run the same command again; it goes on where it is safe")


def _called(name: str) -> bool:
    return name in sys.argv[1:] or name in os.environ.get("COMP_WORDS", "").split()


app = typer.Typer(
    cls=_Groups,
    help="ClickView's disaster recovery: the runbook as commands. Works with no Prefect server running.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _options(
    config: Annotated[str | None, text(help="settings file instead of recovery.toml")] = None,
    no_server: Annotated[
        bool, typer.Option("--no-server", help="run here, even when a Prefect server answers")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="show every command that is run")] = False,
) -> None:
    from recovery.environment import forget_the_shell

    forget_the_shell()  # before there are threads: each connection finds it done
    if config:
        os.environ["RECOVERY_CONFIG"] = config
    if no_server:
        os.environ["RECOVERY_NO_SERVER"] = "1"
    _show_commands(verbose)


def _show_commands(verbose: bool) -> None:
    """On a terminal: every command that is run, when asked for, and nothing that a library logs.

    Prefect and others hand their lines on to the root's handlers whatever the root's own level is.
    """
    handler = logging.StreamHandler()
    handler.setLevel(logging.DEBUG if verbose else logging.CRITICAL)
    handler.addFilter(lambda record: record.name.startswith("recovery"))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.CRITICAL, format="%(message)s", handlers=[handler])
