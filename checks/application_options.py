"""What can be done for the application, in which order, and why the other ways are not taken."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from datetime import timedelta

from checks.application_cause import Cause, Diagnosis, version_before
from recovery.facts import ApplicationFacts, DeploymentFacts, Option, Plan, PlanFact, PlannedAction, Refusal
from recovery.settings.approval import PolicySettings

BEST = "best"  # the one that fits the cause
WAYS = ("wait", "delete-failed-pods", "restart", "roll-back", "scale-up")

# What cures which cause, in the order in which it is tried.
_CURES: dict[Cause, tuple[str, ...]] = {
    Cause.ROLLOUT: ("wait",),  # and then another look
    Cause.FAILED_PODS: ("delete-failed-pods", "restart"),
    Cause.HUNG: ("roll-back", "restart"),
    Cause.UNKNOWN: ("restart", "scale-up"),
    Cause.OVERLOAD: ("scale-up", "restart"),
    Cause.IMAGE: ("roll-back",),
    Cause.CONFIGURATION: ("roll-back",),
    Cause.CRASH: ("roll-back", "restart"),
    Cause.MEMORY: ("roll-back", "restart"),
}
# The rights that a step needs, as `missing_rights` says them. {}: the deployment.
_RIGHTS = {
    "delete_failed_pods": ("delete pods",),
    "restart_application": ("patch deployments/{}",),
    "roll_back": ("patch deployments/{}",),
    "scale_up": ("patch deployments/{}", "patch deployments/{}/scale"),
}
_AUTOSCALER_RIGHT = "patch horizontalpodautoscalers"
_BEHIND = frozenset(
    {
        Cause.DATABASE,
        Cause.CACHE,
        Cause.DATABASE_PATH,
        Cause.CACHE_PATH,
        Cause.DATABASE_TOLD,
        Cause.CACHE_TOLD,
    }
)
_MOST_PODS = 1000
_START = timedelta(seconds=20)  # of one pod, where nothing was measured yet


@dataclass(frozen=True)
class Wanted:
    """What a person asked for, and where."""

    site: str
    incident: str
    severity: str
    replicas: int
    option: str = BEST
    bad: Set[str] = frozenset()  # versions that this incident found bad: no way leads back to them


def application_plan(
    facts: ApplicationFacts,
    diagnosis: Diagnosis,
    wanted: Wanted,
    policies: PolicySettings,
    measured: Mapping[str, timedelta],
) -> Plan:
    """Every way of the runbook, the chosen ones first and in their order, each other one with the reason against it."""
    chosen = (wanted.option,) if wanted.option != BEST else _CURES.get(diagnosis.cause, ())
    options = []
    for name in sorted(WAYS, key=lambda way: chosen.index(way) if way in chosen else len(chosen)):
        option = _option(name, facts.deployment, diagnosis, wanted)
        option = _judged(_measured(option, measured), policies, wanted.severity)
        option = _asked_first(option) if diagnosis.cause is Cause.UNKNOWN else option
        option = _permitted(option, facts)
        if option.rejected is None and name not in chosen:
            option = option.without(_why_not(name, diagnosis))
        options.append(option)
    return Plan(
        scenario="application-failure",
        site=wanted.site,
        incident=wanted.incident,
        severity=wanted.severity,
        made_at=facts.seen_at,
        facts=_facts(facts, diagnosis),
        options=tuple(options),
    )


def replicas_refusal(replicas: int) -> str | None:
    """Why nobody can mean so many pods, or None."""
    return None if 1 <= replicas <= _MOST_PODS else f"{replicas} pods: 1 to {_MOST_PODS}"


def closed_way(plan: Plan, option: str) -> Refusal | None:
    """Why the way that a person asked for cannot be gone, or None."""
    closed = next((one for one in plan.options if one.name == option and one.rejected), None)
    return (
        Refusal(f"{closed.name}: {closed.rejected}", "leave out --option: the plan says what would help")
        if closed
        else None
    )


def no_way(plan: Plan, diagnosis: Diagnosis, deployment: DeploymentFacts) -> Refusal | None:
    """Why nothing that we do would help, with what does; None when there is a way, or nothing is wrong."""
    if plan.chosen or diagnosis.cause is Cause.NOTHING:
        return None
    name, namespace = deployment.name, deployment.namespace
    kubectl = f"kubectl -n {namespace}"
    advice = {
        Cause.DATABASE: "recover the database (runbook, scenario 1); restarts of the application do not cure it",
        Cause.CACHE: "recover the cache (runbook, scenario 3); restarts of the application do not cure it",
        Cause.DATABASE_PATH: f"look at the network between them: {kubectl} get networkpolicies; and at DATABASE_URL",
        Cause.CACHE_PATH: f"look at the network between them: {kubectl} get networkpolicies; and at REDIS_URL",
        Cause.DATABASE_TOLD: "see why it could not be looked at from here, and look at the database (runbook, scenario 1)",
        Cause.CACHE_TOLD: "see why it could not be looked at from here, and look at the cache (runbook, scenario 3)",
        Cause.PATH: "look at the way to it: DNS, certificate, load balancer, ingress; and at application.health_url",
        Cause.STOPPED: f"when it may run again: {kubectl} scale deployment/{name} --replicas=3",
        Cause.PAUSED: f"when it may go on: {kubectl} rollout resume deployment/{name}",
        Cause.QUOTA: f"raise the quota: {kubectl} describe resourcequota; then run this again",
        Cause.NODE: "add a node, or free one: kubectl get nodes; kubectl describe node NAME; then run this again",
        Cause.IMAGE: f"put an image there that exists: {kubectl} set image deployment/{name} …",
        Cause.CONFIGURATION: f"put there what it misses: {kubectl} describe pod {_first(diagnosis)}",
        Cause.MEMORY: f"give it more: {kubectl} set resources deployment/{name} --limits=memory=…",
        Cause.CRASH: f"read what it says: {kubectl} logs {_first(diagnosis)} --previous",
    }
    refused = [f"{one.title}: {one.rejected}" for one in plan.options if one.name in _CURES.get(diagnosis.cause, ())]
    told = [advice[diagnosis.cause]] if diagnosis.cause in advice else []
    return Refusal(f"{diagnosis.cause}: {diagnosis.detail}", "; ".join([*told, *refused]) or "see the plan")


def handed_to(cause: Cause) -> str | None:
    """The scenario that cures what stands behind the application."""
    return {Cause.DATABASE: "database-failure", Cause.CACHE: "cache-failure"}.get(cause)


def _option(name: str, deployment: DeploymentFacts, diagnosis: Diagnosis, wanted: Wanted) -> Option:
    size = max(1, deployment.wanted)
    match name:
        case "wait":
            rejected = None if diagnosis.cause is Cause.ROLLOUT or wanted.option != BEST else "no rollout is under way"
            return _made(name, "Wait for the rollout", (), _START * size, rejected)
        case "delete-failed-pods":
            failed = [pod.name for pod in deployment.pods if pod.failed]
            step = PlannedAction("delete_failed_pods", f"delete {', '.join(failed)}", irreversible=True)
            return _made(name, "Delete failed pods", (step,), _START, None if failed else "no pod has failed")
        case "restart":
            step = PlannedAction("restart_application", f"replace every pod of {deployment.name}, one after the other")
            return _made(name, "Restart by rollout", (step,), _START * size, None)
        case "scale-up":
            return _scale_up(deployment, wanted)
        case _:
            return _roll_back(deployment, diagnosis, wanted)


def _scale_up(deployment: DeploymentFacts, wanted: Wanted) -> Option:
    limits, what = deployment.autoscaler, f"run {wanted.replicas} pods instead of {deployment.wanted}"
    if limits:
        what += f", and have {limits.name} ({limits.minimum} to {limits.maximum}) keep that"
    enough = f"{deployment.wanted} pods are wanted already" if deployment.wanted >= wanted.replicas else None
    return _made("scale-up", "Scale up", (PlannedAction("scale_up", what, wanted.replicas),), _START, enough)


def _roll_back(seen: DeploymentFacts, diagnosis: Diagnosis, wanted: Wanted) -> Option:
    bad = [one for one in seen.revisions if one.name in wanted.bad and one != seen.revision]
    deployment = replace(seen, revisions=tuple(one for one in seen.revisions if one not in bad))
    before = next((one for one in deployment.revisions if one.number == diagnosis.good_revision), None)
    before = before or version_before(deployment, diagnosis.cause)
    if before is None and wanted.option == "roll-back":  # a version can be bad and come up
        before = max(deployment.older, key=lambda one: one.number, default=None)
    if before is None:
        newest = deployment.revision
        shown = f"the newest version ({newest.number}) has run" if newest else "no version is known"
        if bad:
            shown += f"; found bad before: {', '.join(str(one.number) for one in bad)}"
        return _made("roll-back", "Roll back to the former version", (), _START, f"{shown}, or none is before it")
    what = f"run version {before.number} ({', '.join(before.images)}) again"
    step = PlannedAction("roll_back", what, before.number)
    return _made("roll-back", "Roll back to the former version", (step,), _START * max(1, deployment.wanted), None)


def _made(
    name: str, title: str, actions: tuple[PlannedAction, ...], expected: timedelta, rejected: str | None
) -> Option:
    basis = "20 s a pod; nothing was measured here yet"
    return Option(name, title, actions, expected, timedelta(0), basis, rejected)


def _measured(option: Option, measured: Mapping[str, timedelta]) -> Option:
    if option.name not in measured:
        return option
    return replace(option, expected_recovery=measured[option.name], basis="median of this site's own recoveries")


def _judged(option: Option, policies: PolicySettings, severity: str) -> Option:
    """The option with what the settings say of each of its steps."""
    actions = tuple(replace(one, policy=policies.of(one.name, severity)) for one in option.actions)
    forbidden = next((one.name for one in actions if one.policy == "never"), None)
    judged = replace(option, actions=actions)
    if forbidden and option.rejected is None:
        return judged.without(f"[approval.policy] {forbidden} = never")
    return judged


def _asked_first(option: Option) -> Option:
    """What is not understood is not acted on unasked."""
    return replace(
        option,
        actions=tuple(replace(one, policy="approve" if one.policy == "auto" else one.policy) for one in option.actions),
    )


def _permitted(option: Option, facts: ApplicationFacts) -> Option:
    """The option without what the cluster does not let us do: nothing is begun that stops half way."""
    name, limits = facts.deployment.name, facts.deployment.autoscaler
    needed = {right.format(name) for one in option.actions for right in _RIGHTS.get(one.name, ())}
    size = next((one.value for one in option.actions if one.name == "scale_up"), None)
    if limits and size and (limits.minimum, limits.maximum) != (size, max(size, limits.maximum)):
        needed.add(_AUTOSCALER_RIGHT)
    missing = next((one for one in facts.not_permitted if one in needed), None)
    if missing is None or option.rejected:
        return option
    return option.without(f"we may not {missing}: kubectl apply -f deployments/kubernetes/")


def _why_not(name: str, diagnosis: Diagnosis) -> str:
    """Why a way that could be gone is not taken."""
    match name, diagnosis.cause:
        case _, Cause.NOTHING:
            return "nothing is wrong"
        case _, cause if cause in _BEHIND:
            return "does not cure what stands behind the application"
        case "restart", Cause.IMAGE | Cause.CONFIGURATION:
            return "a new pod would not start either"
        case "restart", Cause.QUOTA | Cause.NODE:
            return "a new pod would find no room either"
        case "scale-up", _:
            return f"more pods do not cure this: {diagnosis.cause}"
        case _:
            return f"not for this cause: {diagnosis.cause}"


def _facts(facts: ApplicationFacts, diagnosis: Diagnosis) -> tuple[PlanFact, ...]:
    deployment, health = facts.deployment, facts.health
    answer = f"{health.status} after {health.seconds:.1f} s" if health.status else f"none: {health.problem}"
    limits = deployment.autoscaler
    version = str(deployment.revision.number) if deployment.revision else "unknown"
    return (
        PlanFact("cause", diagnosis.cause, decisive=True),
        PlanFact("deployment", f"{deployment.namespace}/{deployment.name}", decisive=True),
        PlanFact("seen", diagnosis.detail),
        PlanFact("health check", answer),
        PlanFact("pods ready", f"{deployment.ready} of {deployment.wanted}"),
        PlanFact("version", version, decisive=True),
        PlanFact("image", ", ".join(deployment.images), decisive=True),
        *((PlanFact("autoscaler", f"{limits.name}: {limits.minimum} to {limits.maximum}"),) if limits else ()),
        *(
            PlanFact(
                "disruption budget", f"{one.name}: {one.disruptions_allowed} of {one.healthy} pods may be evicted now"
            )
            for one in deployment.budgets
        ),
        *(PlanFact("not permitted", one) for one in facts.not_permitted),
        *(PlanFact("not seen", one) for one in facts.unseen),
    )


def _first(diagnosis: Diagnosis) -> str:
    return next(iter(diagnosis.pods), "POD")
