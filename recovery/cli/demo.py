"""recover demo: a whole site, backups in two regions, a loss on purpose, and the way back, proven."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recovery.cli.output import table
from recovery.environment import our_environment
from recovery.settings.load import settings_environment

if TYPE_CHECKING:
    from sandbox.layout import Sandbox
    from sandbox.notes import Comparison

app = typer.Typer(add_completion=False)

_STEP_SECONDS = 600
_RESTORED = "clickview_restored"


@app.command()
def demo(
    directory: Annotated[Path | None, typer.Option("--dir", help="its folder; unset: the sandbox's own")] = None,
    down: Annotated[bool, typer.Option("--down", help="stop and remove all of it")] = False,
) -> None:
    """Bring up a site, back it up, lose rows on purpose, get them back to the second, and prove it."""
    place = ["--dir", str(directory)] if directory else []
    if down:
        _take_down(place)
        return
    _title("A ClickView site of real servers")
    _recover("sandbox", "up", *place)
    sandbox = point_at(directory)
    _recover("serve", "--detach")
    _title("Three backups, each in two regions")
    for kind in ("full", "incr", "diff"):
        _recover("backup", "run", "--type", kind)
    _recover("backup", "list")
    _title("A disaster: somebody deletes rows")
    moment = _lose_rows(place)
    _title("The way back: to the moment before, beside the live site")
    _recover("backup", "restore", f"--target-time={moment.isoformat()}", f"--target-database={_RESTORED}")
    _prove(sandbox, moment)
    _recover("serve", "--status")
    print("Open it to see the runs; try a restore of your own from the form. When you are done: make demo-down")


def _prove(sandbox: Sandbox, moment: datetime) -> None:
    """Compare the restored rows with the writer's own notes, and what was promised with what was measured."""
    compared, report = _compared(sandbox, moment), _report(sandbox)
    _title("Expected and actual")
    rows = [(row["metric"], row["target"], row["actual"]) for row in report]
    rows.append(
        ("Rows acknowledged before that moment", str(compared.expected), str(compared.expected - compared.lost_rows))
    )
    rows.append(("Rows from after that moment", "0", str(compared.extra_rows)))
    table(("what", "expected", "actual"), rows)
    if not compared.exact:
        print("recover: the restored rows are not the ones that were acknowledged", file=sys.stderr)
        sys.exit(15)


def _compared(sandbox: Sandbox, moment: datetime) -> Comparison:
    from recovery.site import site
    from sandbox import notes

    return notes.compare(site().reader_address(_RESTORED), notes.read_notes(sandbox.notes_file), moment)


def _report(sandbox: Sandbox) -> list[dict[str, str]]:
    """The report that the newest restore left beside its journal."""
    newest = max((sandbox.state_dir / "runs").glob("*-restore-*/restore-report.md"))
    lines = [line for line in newest.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if "---" not in line]
    return [dict(zip(cells[0], row, strict=False)) for row in cells[1:]]


def _lose_rows(place: list[str]) -> datetime:
    """Delete rows; returns the millisecond before the deletion was committed."""
    lost = json.loads(_recover("sandbox", "break", "delete-rows", *place, "--json", capture=True))
    print(lost["said"])
    return datetime.fromisoformat(lost["committed_at"]) - timedelta(milliseconds=1)


def _take_down(place: list[str]) -> None:
    from recovery.errors import RecoveryError

    try:
        point_at(Path(place[1]) if place else None)
        _recover("serve", "--stop")
    except RecoveryError:
        print("There is no server to stop.")
    _recover("sandbox", "down", *place)


def point_at(directory: Path | None) -> Sandbox:
    """Make the sandbox the site of all further commands."""
    from recovery.settings.model import ENVIRONMENT
    from sandbox.layout import load
    from sandbox.settings_file import environment

    sandbox = load(directory)
    for name in ENVIRONMENT:  # those of the shell are of another site
        os.environ.pop(name, None)
    os.environ.update(environment(sandbox))
    return sandbox


def _recover(*words: str, capture: bool = False) -> str:
    """Run a command of this tool as a user would, and show it; a failure ends the demo with its status."""
    print(f"\n$ recover {' '.join(words)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "recovery", *words],
        env=our_environment(settings_environment()),
        check=False,
        timeout=_STEP_SECONDS,
        stdout=subprocess.PIPE if capture else None,
        text=True,
    )
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout or ""


def _title(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)
