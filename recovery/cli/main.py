"""The command: `recover …`. Each group of commands is a module; it is imported when it is called."""

from __future__ import annotations

import importlib
import io
import json
import logging
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from recovery.cli.options import text
from recovery.errors import Interrupted, RecoveryError

# Group or command, the module that has it, and the line that --help shows (nothing is imported for it).
_GROUPS = {
    "backup": ("recovery.cli.backup", "Take, list, prove, restore and expire backups."),
    "site": ("recovery.cli.site", "Make a site ready to be protected; write its heartbeat."),
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
        except KeyboardInterrupt:
            raise Interrupted("stopped by you", "run the same command again; it goes on where it is safe") from None


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


def main() -> None:
    """Run a command; every failure is one message and a stable exit status."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us: what is done matters, not what is said
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - until the end
        elif isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a shell of another alphabet: what is done matters
    try:
        _run()
    except BaseException as end:
        if server_runs := sys.modules.get("recovery.cli.server_runs"):
            server_runs.leave_in_time(end.code or 0 if isinstance(end, SystemExit) else 1)
        raise


def _run() -> None:
    try:
        app()
    except RecoveryError as error:
        _say(error)
        sys.exit(error.exit_code)


def _say(error: RecoveryError) -> None:
    if "--json" in sys.argv:
        answer: dict[str, Any] = {
            "error": type(error).__name__,
            "problem": error.problem,
            "next": error.next_step,
            "exit_code": error.exit_code,
        }
        print(json.dumps(answer))
    print(f"recover: {error}", file=sys.stderr)
