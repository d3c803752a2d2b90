"""Wait for a person's yes to a plan: in the Prefect UI, at the terminal, or from another shell, whichever comes first."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from recovery import stopping
from recovery.approval import WAYS, Approvals, Way
from recovery.errors import GateRefused, NotApproved, SettingsInvalid
from recovery.facts import Answer, Mode, Moment, Plan, Request
from recovery.incident import IncidentFolder
from recovery.site import site
from tasks.approval_form import ApprovalForm
from tasks.incidents import note_event, note_moment
from tasks.plans import plan_in_short
from tasks.step import call_out, in_flow_run, note, warn

_LOOK_SECONDS = 0.5


def await_approval(plan: Plan, incident: IncidentFolder, mode: Mode) -> bool:
    """Wait until a person has said yes to this plan, when one of its steps needs that.

    Waits: as long as [approval] wait_minutes says; then nobody has answered. The answer is a file in the incident's
    folder that can be made once: the first one counts, whichever way it came. Returns whether it was waited for: what
    was seen before may have changed meanwhile, so look again.
    Raises: NotApproved; nothing was changed.
    """
    needed = plan.to_approve
    if not needed:
        note_moment(Moment.DECIDED)
        return False
    approvals = Approvals(incident.folder / "approvals")
    if known := approvals.granted(plan.digest):
        note(f"this very plan was approved by {known.by} at {known.at:%H:%M:%S} UTC")
        if not _is_noted(known, incident):  # the run that asked was killed before it could
            _note_answer(known)
        return False
    steps = ", ".join(step.name for step in needed)
    if mode == "auto":
        raise NotApproved(
            f"{steps}: [approval.policy] wants a person, and --mode=auto asks none",
            "run it with --mode=approve, or let the policy allow it",
        )
    _act_on(_asked(approvals, plan, incident, steps), plan)
    return True


def _asked(approvals: Approvals, plan: Plan, incident: IncidentFolder, steps: str) -> Answer | None:
    """Ask by every way there is, and return the first answer."""
    wait = timedelta(seconds=site().settings.approval.wait_seconds)
    ways: list[Way] = [*([ApprovalForm(plan_in_short(plan))] if in_flow_run() else []), *WAYS]
    opened: list[Way] = []
    answer = None
    request = approvals.ask(plan.digest, steps, wait=wait)
    try:
        note_event("approval asked", digest=plan.digest, steps=steps, until=request.until)
        call_out(
            f"waiting for a yes to {steps} until {request.until:%H:%M:%S} UTC. From another shell: "
            f'recover approve {incident.id} --by NAME --reason "…"'
        )
        for way in ways:
            opened.append(way)
            way.open(plan, request)
        _wait_for_answer(approvals, request, opened)
    finally:
        with stopping.finishing():
            answer = _no_more(approvals, request)
            for way in opened:
                way.close(answer)
    return answer


def _no_more(approvals: Approvals, request: Request) -> Answer | None:
    """Have nothing left that somebody could still answer; the answer that was given, if any."""
    try:
        return approvals.withdraw(request)
    except SettingsInvalid as error:
        warn(f"the question could not be taken back: {error.problem}")
        return approvals.answer_of(request)


def _wait_for_answer(approvals: Approvals, request: Request, ways: list[Way]) -> None:
    deadline = time.monotonic() + (request.until - datetime.now(UTC)).total_seconds()
    while time.monotonic() < deadline:
        if approvals.answer_of(request):
            return
        for way in ways:
            if (said := way.heard()) is not None:
                _keep(approvals, request, way, said)
        time.sleep(_LOOK_SECONDS)


def _keep(approvals: Approvals, request: Request, way: Way, said: Answer) -> None:
    """Make what one way heard the answer, unless another one was faster; what is no answer is asked again."""
    try:
        approvals.answer(
            request.plan,
            granted=said.granted,
            by=said.by,
            reason=said.reason,
            user=said.user,
            way=said.way,
            valid=timedelta(minutes=site().settings.approval.valid_minutes),
        )
    except GateRefused as error:
        if approvals.answer_of(request) is None:
            warn(error.problem)
            way.ask_again(error.problem)


def _act_on(answer: Answer | None, plan: Plan) -> None:
    if answer is None:
        note_event("approval unanswered", digest=plan.digest)
        raise NotApproved(
            f"nobody answered for plan {plan.digest[:12]} in time", "run it again; it looks and asks anew"
        )
    _note_answer(answer)
    if not answer.granted:
        raise NotApproved(f"plan {plan.digest[:12]} was refused by {answer.by}: {answer.reason}", "nothing was changed")
    note(f"approved by {answer.by} ({answer.way}): {answer.reason}")


def _is_noted(answer: Answer, incident: IncidentFolder) -> bool:
    noted = incident.read().of_kind("approval")
    return any((one.by, one.details.get("digest")) == (answer.by, answer.plan) and one.at >= answer.at for one in noted)


def _note_answer(answer: Answer) -> None:
    note_event(
        "approval",
        by=answer.by,
        digest=answer.plan,
        granted=answer.granted,
        reason=answer.reason,
        user=answer.user,
        way=answer.way,
    )
    if answer.granted:
        note_moment(Moment.ACKNOWLEDGED, answer.at, by=answer.by)
        note_moment(Moment.DECIDED, answer.at, by=answer.by)
