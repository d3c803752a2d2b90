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
from recovery.facts import Request
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
    request = _waiting(approvals, incident, plan)
    minutes = site().settings.approval.valid_minutes
    said = approvals.answer(
        request.plan if request else plan or "",
        granted=not refuse,
        by=by,
        reason=reason,
        user=who_types(),
        way="recover approve",
        valid=timedelta(minutes=minutes),
    )
    if as_json:
        print_json(said)
        return
    word = "Approved" if said.granted else "Refused"
    print(f"{word}: plan {said.plan[:12]}{f' ({request.summary})' if request else ''}, by {said.by}.")


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


def _waiting(approvals: Approvals, incident: str, plan: str | None) -> Request | None:
    """The plan that is meant. Raises: GateRefused when none is named, and none or several wait."""
    waiting = approvals.waiting()
    if plan:
        return next((one for one in waiting if one.plan.startswith(plan)), None)
    if len(waiting) == 1:
        return waiting[0]
    if not waiting:
        raise GateRefused(
            f"nothing waits for an approval in incident {incident}", "recover incident show says what became of it"
        )
    shown = ", ".join(f"{one.plan[:12]} ({one.summary})" for one in waiting)
    raise GateRefused(f"several plans wait in incident {incident}: {shown}", "name one with --plan")
