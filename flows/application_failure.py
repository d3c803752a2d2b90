"""Bring the application back: replace its pods, undo a bad version, give it more room; or say who has to act."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from checks.application_cause import Cause, Diagnosis, diagnose, first_trace, is_of_its_version
from checks.application_options import Wanted, application_plan, closed_way, handed_to, no_way, replicas_refusal
from checks.incident import parts_of
from checks.run_names import application_failure_name
from checks.severity import severity_of
from recovery.errors import RecoveryError, TargetUnreachable, VerificationFailed
from recovery.facts import (
    ApplicationFacts,
    DeploymentFacts,
    Incident,
    Mode,
    Outcome,
    Plan,
    PlannedAction,
    RecoveryReport,
)
from recovery.gate import granted, require
from recovery.incident import IncidentFolder, new_incident_id
from recovery.site import site
from recovery.waiting import wait_until
from tasks.application import COMPONENTS, Component, verify_application_healthy
from tasks.application_evidence import keep_application_facts
from tasks.approval import await_approval
from tasks.clock import Clock, incident_under_way, is_known, known_incident, note_clock, read_clock
from tasks.history import measured_recoveries
from tasks.incidents import in_incident, note_event, publish_metrics, recovered, set_severity, worst_severity
from tasks.plans import show_plan
from tasks.site_lease import holding_site
from tasks.step import note, runbook, warn
from tasks.ways import go_ways
from tasks.workloads import (
    delete_failed_pods,
    follow_rollout,
    read_application_facts,
    restart_application,
    roll_back,
    scale_up,
)

SCENARIO = "application-failure"
Way = Literal["best", "wait", "delete-failed-pods", "restart", "roll-back", "scale-up"]
_HEALTHY_SECONDS = 120.0
_CHANGED_SECONDS = 60.0  # two rounds of a crash loop that has just begun


@dataclass(frozen=True)
class Request:
    """What a run was asked for."""

    mode: Mode
    component: Component
    option: Way
    replicas: int
    clock: Clock


@runbook("Application server failure", application_failure_name)
def application_failure(
    mode: Mode = "approve",
    incident: str | None = None,
    option: Way = "best",
    replicas: int = 5,
    component: Component = "backend",
    occurred: str | None = None,
    detected: str | None = None,
    started_by: str | None = None,
    take_over: str | None = None,
    drill: bool = False,
) -> RecoveryReport:
    """Bring the application back: tell the cause apart, do what cures it, and prove it by its own health check.

    A database or a cache that is down is not cured by restarts: that is said, and nothing is changed.

    Args:
        mode: plan only looks and says what it would do; approve asks a person where the settings say so; auto asks nobody.
        incident: the incident's name in your tracker; a new one is opened when it is left out.
        option: the way to go; best is the one that fits the cause.
        replicas: how many pods to run when more are needed.
        component: backend or frontend.
        occurred: when it began, e.g. 2026-01-15T10:30:00Z, when you know it.
        detected: when it was noticed; left out, now.
        started_by: who answered the alert; it counts as acknowledged.
        take_over: why this run takes the site from another recovery that is dead.
        drill: it was broken on purpose.
    """
    require(replicas_refusal(replicas), next_step="as many as there is room for")
    request = Request(mode, component, option, replicas, read_clock(occurred, detected, started_by))
    known = incident or incident_under_way(SCENARIO, component, drill=drill)
    if mode == "plan":
        return looked(request, known)
    name = known or new_incident_id()
    with holding_site(name, take_over=take_over):
        facts = first_look(request, name, goes_on=known is not None, drill=drill)
        diagnosis = diagnose(facts)
        if diagnosis.cause is Cause.NOTHING and option == "best" and not (known and is_known(known)):
            return report("healthy", None, diagnosis, plan_of(facts, diagnosis, request, None, "SEV-4"))
        with in_incident(SCENARIO, name, drill=drill, summary=diagnosis.detail, part=component) as opened:
            note_clock(request.clock, first_trace(facts, diagnosis))
            return recover(facts, request, opened)


def first_look(request: Request, incident: str, *, goes_on: bool, drill: bool) -> ApplicationFacts:
    """Look; a cluster that does not answer, or an incident that goes on, is noted as such before the run ends."""
    try:
        return read_application_facts(request.component)
    except RecoveryError as error:
        silent = isinstance(error, TargetUnreachable)
        if silent or (goes_on and is_known(incident)):
            part = request.component if silent else ""  # what is wrong may be the component's name
            with in_incident(SCENARIO, incident, drill=drill, summary=error.problem, part=part):
                note_clock(request.clock, None)
                raise
        raise


def looked(request: Request, incident: str | None) -> RecoveryReport:
    """Look, say what would be done, and stop."""
    facts = read_application_facts(request.component)
    diagnosis, known = diagnose(facts), known_incident(incident)
    plan = plan_of(facts, diagnosis, request, known, worst_severity(severity_seen(facts), known))
    show_plan(plan)
    return report("planned", None, diagnosis, plan)


def recover(
    facts: ApplicationFacts, request: Request, opened: IncidentFolder, *, waited: bool = False
) -> RecoveryReport:
    """Plan, ask, act, prove. A rollout that was waited for and hangs is looked at once more: now it says why."""
    diagnosis = diagnose(facts)
    plan = plan_of(facts, diagnosis, request, opened.read(), set_severity(severity_seen(facts)))
    keep_application_facts(facts)
    show_plan(plan)
    if is_of_its_version(facts.deployment, diagnosis):
        note_bad_version(facts.deployment, opened)
    refuse_what_does_not_help(plan, diagnosis, facts, request.option)
    if await_approval(plan, opened, request.mode) and (now := seen_otherwise(plan, facts, request, opened)):
        note("the site has changed since the approval was asked: another plan")
        return recover(now, request, opened)
    deployment = facts.deployment
    if not plan.chosen:  # a run before this one has done it
        prove(deployment.name, request.component)
    try:
        done = go_ways(
            plan, lambda step: act(step, deployment, opened), lambda: prove(deployment.name, request.component)
        )
    except VerificationFailed as error:
        if waited or request.option != "best" or [one.name for one in plan.chosen] != ["wait"]:
            raise
        note(f"{error.problem}; looking again")
        return recover(read_application_facts(request.component), request, opened, waited=True)
    if not still_ill(opened, request.component):
        recovered(None, timedelta(0))  # the application's pods hold no data: nothing can be lost here
    return report("recovered", opened, diagnosis, plan, done)


def seen_otherwise(
    plan: Plan, before: ApplicationFacts, request: Request, opened: IncidentFolder
) -> ApplicationFacts | None:
    """What is seen now when this plan is not what it asks for any more, else None.

    A pod that crashes again and again runs in between: while its version is the same, it is looked at for a while.
    """

    def look() -> ApplicationFacts | None:
        facts = read_application_facts(request.component)
        same = plan_of(facts, diagnose(facts), request, opened.read(), plan.severity).digest == plan.digest
        return None if same else facts

    def sure(now: ApplicationFacts | None) -> bool:
        return now is None or version_of(now) != version_of(before) or is_well(now)

    return wait_until(look, _CHANGED_SECONDS, so=sure, pause=1)


def version_of(facts: ApplicationFacts) -> str:
    """The name of the version that runs."""
    return facts.deployment.revision.name if facts.deployment.revision else ""


def is_well(facts: ApplicationFacts) -> bool:
    """Whether nothing is wrong with it."""
    return diagnose(facts).cause is Cause.NOTHING


def still_ill(opened: IncidentFolder, component: Component) -> list[Component]:
    """The other components that this incident is about and that are not seen to be well: its clock goes on."""
    ill: list[Component] = []
    for other in COMPONENTS:
        if other == component or other not in parts_of(opened.read()):
            continue
        try:
            found = diagnose(read_application_facts(other))
            trouble = "" if found.cause is Cause.NOTHING else found.detail
        except RecoveryError as error:
            trouble = error.problem
        if trouble:
            ill.append(other)
            then = f"recover {SCENARIO} --component={other} --incident={opened.id}"
            warn(f"the {other} is not known to be well ({trouble}): incident {opened.id} is not recovered. {then}")
    return ill


def severity_seen(facts: ApplicationFacts) -> str:
    """How bad it is by what users see."""
    return severity_of(facts.deployment.ready, facts.deployment.wanted, not facts.health.down)


def plan_of(
    facts: ApplicationFacts, diagnosis: Diagnosis, request: Request, known: Incident | None, severity: str
) -> Plan:
    """The plan for what was seen."""
    wanted = Wanted(
        site=site().settings.site.name,
        incident=known.id if known else "none",
        severity=severity,
        replicas=request.replicas,
        option=request.option,
        bad=bad_versions(known),
    )
    return application_plan(facts, diagnosis, wanted, site().settings.approval.policy, measured_recoveries(SCENARIO))


def refuse_what_does_not_help(plan: Plan, diagnosis: Diagnosis, facts: ApplicationFacts, option: Way) -> None:
    """End the run when nothing that this runbook does would cure it; hand it over to who does."""
    if refusal := closed_way(plan, option) or no_way(plan, diagnosis, facts.deployment):
        if other := handed_to(diagnosis.cause):
            note_event("handed over", to=other, reason=diagnosis.detail)
        granted(refusal)


def act(step: PlannedAction, deployment: DeploymentFacts, opened: IncidentFolder) -> None:
    """Do one step. Each first asks whether it is so already."""
    name = deployment.name
    match step.name:
        case "delete_failed_pods":
            delete_failed_pods(name)
        case "restart_application":
            restart_application(name, restart_token(opened))
        case "roll_back":
            note_bad_version(deployment, opened)
            roll_back(name, step.value or 0)
        case "scale_up":
            note_event("open task", task="scale-back", deployment=name, command="recover application scale-back")
            scale_up(name, step.value or 0)


def prove(name: str, component: Component) -> None:
    """Every pod is new and ready, and the application's own health check is green."""
    follow_rollout(name)
    verify_application_healthy(_HEALTHY_SECONDS, component)


def note_bad_version(deployment: DeploymentFacts, opened: IncidentFolder) -> None:
    """Note that no way leads back to the version that runs now."""
    if deployment.revision and deployment.revision.name not in bad_versions(opened.read()):
        note_event("bad version", version=deployment.revision.name, images=deployment.images)


def bad_versions(known: Incident | None) -> frozenset[str]:
    """The versions that this incident found bad."""
    return frozenset(str(one.details.get("version")) for one in known.of_kind("bad version")) if known else frozenset()


def restart_token(opened: IncidentFolder) -> str:
    """The mark of this restart: a run that was killed in it and starts again restarts nothing twice."""
    ended = [one for one in opened.read().of_kind("option") if one.details.get("option") == "restart"]
    return f"{opened.id}-{1 + len(ended)}"


def report(
    outcome: Outcome, opened: IncidentFolder | None, diagnosis: Diagnosis, plan: Plan, done: tuple[str, ...] = ()
) -> RecoveryReport:
    """What the run came to; of an incident with the runbook's metrics table."""
    note(f"{diagnosis.cause}: {diagnosis.detail}" if outcome == "healthy" else outcome)
    metrics = tuple(publish_metrics(opened.read())) if opened else ()
    incident = opened.id if opened else None
    return RecoveryReport(SCENARIO, incident, outcome, diagnosis.cause, diagnosis.detail, plan, done, metrics)
