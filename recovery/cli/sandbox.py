"""recover sandbox …"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from recovery.cli.output import Json, print_json, table

app = typer.Typer(help="A throwaway ClickView site of real servers.", no_args_is_help=True, add_completion=False)

Folder = Annotated[
    Path | None,
    typer.Option("--dir", help="its folder; unset: ~/.clickview-sandbox (root: /var/lib/clickview-sandbox)"),
]


@app.command()
def up(
    directory: Folder = None,
    size: Annotated[str, typer.Option(help="how much data, for example 10MB or 1GB")] = "10MB",
    rate: Annotated[float, typer.Option(min=0.1, help="transactions a second of the writer")] = 50.0,
    prepare: Annotated[bool, typer.Option(help="make it ready for backups, as `recover site prepare` does")] = True,
    first_backup: Annotated[bool, typer.Option("--first-backup", help="also take the first full backups")] = False,
    strange: Annotated[
        bool, typer.Option("--strange", help="a database as other people have it: odd names, …")
    ] = False,
    strange_tables: Annotated[int | None, typer.Option(min=0, help="--strange: how many small tables; 3000")] = None,
    as_json: Json = False,
) -> None:
    """Bring up a whole site: PostgreSQL with a standby, Redis, S3 in two regions, the application."""
    from sandbox import site
    from sandbox.strange import TABLES

    if first_backup and not prepare:
        raise typer.BadParameter("there is no backup of a site that is not prepared", param_hint="--first-backup")
    if strange_tables is not None and not strange:
        raise typer.BadParameter("there are no such tables without --strange", param_hint="--strange-tables")
    began = time.monotonic()
    made = site.up(
        directory,
        size=size,
        prepare=prepare,
        first_backup=first_backup,
        transactions_per_second=rate,
        strange_tables=(TABLES if strange_tables is None else strange_tables) if strange else None,
    )
    if as_json:
        print_json({"folder": str(made.folder), "settings": str(made.settings_file), "ports": made.ports})
        return
    print(f"The sandbox is up in {made.folder} ({time.monotonic() - began:.1f} s).")
    option = "" if directory is None else f" --dir {made.folder}"
    print(f'Use it in this shell: eval "$(recover sandbox env{option})"')


@app.command()
def status(directory: Folder = None, as_json: Json = False) -> None:
    """Show every server: does it run, where does it answer. Ends with 1 when one is down."""
    from sandbox import site
    from sandbox.layout import load

    sandbox = load(directory)
    states, faults = site.status(sandbox), site.active_faults(sandbox)
    if as_json:
        print_json({"folder": str(sandbox.folder), "services": [vars(state) for state in states], "faults": faults})
    else:
        rows = [(s.name, s.state, str(s.pid or ""), str(s.port or "")) for s in states]
        table(("server", "state", "pid", "port"), rows, title=str(sandbox.folder))
        if faults:
            print(f"Broken on purpose: {', '.join(faults)}")
    if any(state.state != "up" for state in states):
        sys.exit(1)


@app.command()
def down(directory: Folder = None) -> None:
    """Stop everything and remove it. Idempotent."""
    from sandbox import site

    print("The sandbox is gone." if site.down(directory) else "There is no sandbox.")


@app.command()
def env(directory: Folder = None) -> None:
    """Print the variables of this sandbox for `eval`."""
    import shlex

    from sandbox.layout import load
    from sandbox.settings_file import environment

    for name, value in environment(load(directory)).items():
        print(f"export {name}={shlex.quote(value)}")


@app.command("break")
def break_(
    fault: Annotated[str, typer.Argument(help="kill-primary, drop-table, …; none: list them")] = "",
    directory: Folder = None,
    undo: Annotated[bool, typer.Option("--undo", help="mend it instead")] = False,
    of: Annotated[str | None, typer.Option("--table", help="table or index")] = None,
    rows: Annotated[int, typer.Option(min=1, help="delete-rows: how many")] = 500,
    server: Annotated[str, typer.Option(help="corrupt-*: primary, standby or both")] = "both",
    repo: Annotated[int | None, typer.Option(min=1, max=2, help="repository 1 or 2")] = None,
    segment: Annotated[str | None, typer.Option(help="lose-wal-segment: its name")] = None,
    delay: Annotated[int, typer.Option(min=1, help="s3-slow: milliseconds")] = 200,
    cut: Annotated[bool, typer.Option("--cut", help="s3-down: reset connections instead of freezing")] = False,
    free: Annotated[str, typer.Option(help="disk-full: what is left")] = "1MB",
    as_json: Json = False,
) -> None:
    """Break the site on purpose, and say what was done."""
    from sandbox import faults
    from sandbox.fill import parse_size
    from sandbox.layout import load

    if not fault:
        known = {name: one.summary for name, one in faults.FAULTS.items()}
        print_json(known) if as_json else table(("fault", "what it does"), list(known.items()))
        return
    sandbox = load(directory)
    if undo:
        mended = faults.undo(sandbox, fault)
        print_json({"fault": fault, "said": mended}) if as_json else print(mended)
        return
    if server not in ("primary", "standby", "both"):
        raise typer.BadParameter("primary, standby or both", param_hint="--server")
    options = faults.Options(
        table=of,
        rows=rows,
        server=server,
        repo=repo,
        segment=segment,
        delay_ms=delay,
        cut=cut,
        free_bytes=parse_size(free),
    )
    done = faults.break_it(sandbox, fault, options)
    if as_json:
        print_json({"fault": fault, "said": done.said, **done.details})
    else:
        print(done.said)
