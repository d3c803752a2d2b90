"""recover site …"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from recovery.cli.output import Json, print_json, show_run, table

app = typer.Typer(
    help="Make a site ready to be protected; write its heartbeat.", no_args_is_help=True, add_completion=False
)


@app.command()
def prepare(
    apply: Annotated[bool, typer.Option("--apply", help="make the changes instead of only showing them")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="also restart the database when a setting needs it")
    ] = False,
    first_backup: Annotated[
        bool, typer.Option("--first-backup", help="take the first full backup when all is ready")
    ] = False,
    replace_archive_command: Annotated[
        bool,
        typer.Option("--replace-archive-command", help="archive with our command where somebody else's does it today"),
    ] = False,
    upgrade_stanza: Annotated[
        bool,
        typer.Option("--upgrade-stanza", help="use repositories that hold another cluster's backups for this one"),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show, and with --apply make, what this site needs to be protected. Idempotent."""
    found = show_run(
        "flows.site_prepare",
        "site_prepare",
        as_json,
        apply=apply,
        restart=restart,
        first_backup=first_backup,
        replace_archive_command=replace_archive_command,
        upgrade_stanza=upgrade_stanza,
    )
    if as_json:
        print_json(found)
        return
    table(("what", "found", "advice"), [(o.what, o.found, o.advice) for o in found.observations], title="This site")
    rows = [(c.what, c.why, "restart" if c.needs_restart else "") for c in found.changes]
    if rows:
        table(
            ("change", "why", "needs"), rows, title="done" if found.applied else "to be done (run again with --apply)"
        )
    if found.waits_for_restart and found.applied:
        print("Restart the database when it suits you (or use --restart), then run this again.")
    elif not rows:
        print("This site is ready: nothing to change.")


@app.command()
def heartbeat(
    every: Annotated[
        float | None, typer.Option(min=0.2, help="seconds between beats; unset: backup.heartbeat_seconds")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="write one and end")] = False,
) -> None:
    """Write the heartbeat row for ever: it keeps every moment recoverable and lets a loss be measured.

    To be stopped is its only end, so SIGTERM and Ctrl-C end it with 0.
    """
    if once and every is not None:
        raise typer.BadParameter("one beat has no interval: leave out --once or --every", param_hint="--every")
    try:
        _beat(every, once=once)
    except KeyboardInterrupt:
        if once:
            raise


def _beat(every: float | None, *, once: bool) -> None:
    from recovery.adapters.postgres.server import PostgresServer
    from recovery.site import site

    server = PostgresServer(site().backup_address())
    if once:
        print(server.beat().isoformat())
        return
    server.keep_beating(every_seconds=every or site().settings.backup.heartbeat_seconds, on_trouble=_complain)


def _complain(trouble: str) -> None:
    print(f"no heartbeat: {trouble}", file=sys.stderr, flush=True)
