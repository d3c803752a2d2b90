"""recover approve: a person's answer to a plan that waits, from any shell of this machine; no server is needed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from recovery.approval import Approvals
from recovery.cli.options import text
from recovery.cli.output import Json, print_json
from recovery.cli.user import who_types
from recovery.errors import GateRefused
from recovery.incident import IncidentFolder, incident_folders

app = typer.Typer(add_completion=False)


@app.command()
def approve(
    incident: Annotated[str, typer.Argument(help="the incident whose plan waits")],
    by: Annotated[str, text(help="who you are")],
    reason: Annotated[str, text(help="why; it is kept with the incident")],
    plan: Annotated[
        str | None, text(help="the plan's hash, or how it begins; needed when several wait", metavar="HASH")
    ] = None,
    refuse: Annotated[bool, typer.Option("--refuse", help="say no: nothing is changed")] = False,
    as_json: Json = False,
) -> None:
    """Approve the plan that waits in an incident, or refuse it. The first answer counts, whichever way it comes."""
    from recovery.site import site

    approvals = Approvals(_folder(site().incidents_dir, incident).folder / "approvals")
    said = approvals.answer(
        plan or _only_one_waiting(approvals, incident),
        granted=not refuse,
        by=by,
        reason=reason,
        user=who_types(),
        way="recover approve",
        valid=timedelta(minutes=site().settings.approval.valid_minutes),
    )
    if as_json:
        print_json(said)
        return
    summary = next(one.summary for one in approvals.requests() if one.plan == said.plan)
    print(f"{'Approved' if said.granted else 'Refused'}: plan {said.plan[:12]} ({summary}), by {said.by}.")


def _folder(incidents_dir: Path, incident: str) -> IncidentFolder:
    """The incident's folder on this machine. Raises: GateRefused naming those in which something waits."""
    known = incident_folders(incidents_dir)
    found = next((one for one in known if one.id == incident), None)
    if found is None:
        waiting = [one.id for one in known if Approvals(one.folder / "approvals").waiting()]
        raise GateRefused(
            f"there is no incident {incident} on this machine; what waits here: {', '.join(waiting) or 'nothing'}",
            "approve it on the machine that recovers, as the user that the state folder belongs to",
        )
    return found


def _only_one_waiting(approvals: Approvals, incident: str) -> str:
    """The plan that is meant when none is named. Raises: GateRefused when none or several wait."""
    waiting = approvals.waiting()
    if len(waiting) == 1:
        return waiting[0].plan
    if not waiting:
        raise GateRefused(
            f"nothing waits for an approval in incident {incident}", "recover incident show says what became of it"
        )
    shown = ", ".join(f"{one.plan[:12]} ({one.summary})" for one in waiting)
    raise GateRefused(f"several plans wait in incident {incident}: {shown}", "name one with --plan")
