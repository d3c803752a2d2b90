"""The application's pods: looked at, replaced, sized."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from recovery.errors import RecoveryError, SettingsInvalid, TargetUnreachable, VerificationFailed
from recovery.facts import ApplicationFacts, DeploymentFacts, PodFacts, PodUsage, Rollout, WorkloadEvent
from recovery.site import site
from tasks.application import Component, find_cache_problem, find_database_problem, read_health, url_of
from tasks.artifacts import ProgressArtifact
from tasks.step import ProgressReporter, action, note, probe, run_together, verify, warn

_LOG_LINES = 100  # the runbook's --tail
_LOGS = 6  # pods whose log is kept; those in trouble first


def deployment_of(component: Component) -> str:
    """The deployment that plays a role, by the settings.

    Raises: SettingsInvalid when the role is played by something else than a deployment.
    """
    locator = getattr(site().settings.services, component)
    kind, _, name = locator.removeprefix("kubernetes:").partition("/")
    if not locator.startswith("kubernetes:") or kind not in ("deployment", "deployments") or not name:
        raise SettingsInvalid(
            f"services.{component} is {locator!r}, and this runbook works on a Kubernetes deployment",
            f'write {component} = "kubernetes:deployment/NAME" in [services]',
        )
    return str(name)


@probe
def read_deployment(name: str) -> DeploymentFacts:
    """Read a deployment with its pods, versions, autoscaler and disruption budgets."""
    return site().workloads.read_deployment(name)


@probe
def read_events(deployment: DeploymentFacts) -> tuple[WorkloadEvent, ...]:
    """Read what the cluster noted of the deployment and its pods."""
    return site().workloads.read_events(deployment)


@probe
def read_usage(deployment: DeploymentFacts) -> tuple[PodUsage, ...] | None:
    """Read what the pods use."""
    return site().workloads.read_usage(deployment)


@probe
def read_missing_rights(name: str) -> tuple[str, ...]:
    """Ask the cluster what we may not do to the deployment, before anything is begun."""
    return site().workloads.missing_rights(name)


@probe
def read_logs(deployment: DeploymentFacts) -> dict[str, str]:
    """Read the last lines of the pods, those in trouble first; of one that restarted also those from before."""
    pods = sorted(deployment.pods, key=lambda one: one.ready)[:_LOGS]
    logs = run_together(*(partial(_log, pod) for pod in pods)) if pods else []
    return {pod.name: log for pod, log in zip(pods, logs, strict=True)}


def _log(pod: PodFacts) -> str:
    workloads = site().workloads
    try:
        text = workloads.read_log(pod.name, lines=_LOG_LINES)
    except RecoveryError as error:  # it is being made, or just gone
        return f"--- not read: {error.problem} ---"
    if any(one.restarts for one in pod.containers):
        with suppress(RecoveryError):
            text = f"{workloads.read_log(pod.name, lines=_LOG_LINES, previous=True)}\n--- restarted ---\n{text}"
    return text


def read_application_facts(component: Component) -> ApplicationFacts:
    """Read all that may say why the application does not serve: side by side, in seconds."""
    name, unseen = deployment_of(component), []

    def if_possible(what: str, look: Callable[[], Any], otherwise: Any) -> Callable[[], Any]:
        def looked() -> Any:
            try:
                return look()
            except RecoveryError as error:
                unseen.append(f"{what}: {error.problem.splitlines()[0]}")
                return otherwise

        return looked

    deployment, health, database, cache = run_together(
        lambda: read_deployment(name),
        lambda: read_health(component),
        if_possible("database", find_database_problem, None),
        if_possible("cache", find_cache_problem, None),
    )
    if url_of(component) is None:
        unseen.append(f"{component}'s page: application.frontend_url is not set; its pods alone say how it is")
    empty: tuple[Any, ...] = ()
    events, usage, rights, logs = run_together(
        if_possible("events", lambda: read_events(deployment), empty),
        if_possible("usage", lambda: read_usage(deployment), None),
        if_possible("rights", lambda: read_missing_rights(name), empty),
        if_possible("logs", lambda: read_logs(deployment), {}),
    )
    unseen += deployment.unseen
    for one in unseen:
        warn(f"could not look at the {one}")
    for right in rights:
        warn(f"we may not {right}: kubectl apply -f deployments/kubernetes/")
    looked_at = {"database": database, "redis": cache}
    behind = {part: problem or None for part, problem in looked_at.items() if problem is not None}
    needs = component == "backend"
    return ApplicationFacts(
        health=health,
        deployment=deployment,
        events=events,
        usage=usage,
        logs=logs,
        behind=behind if needs else {},
        seen_at=datetime.now(UTC),
        not_permitted=tuple(rights),
        unseen=tuple(unseen),
        needs_what_is_behind=needs,
    )


@action
def delete_failed_pods(name: str) -> tuple[str, ...]:
    """Delete the pods that have failed; the cluster makes new ones.

    Idempotent: pods that are gone are not looked for. Ref.: Kubernetes, Pod lifecycle.
    """
    deleted = site().workloads.delete_failed_pods(name)
    note(f"deleted {', '.join(deleted)}" if deleted else "no failed pod was left to delete")
    return deleted


@action
def restart_application(name: str, token: str) -> None:
    """Replace every pod of the deployment, one after the other.

    Idempotent: the same token restarts once, however often it is asked. Ref.: kubectl rollout restart.
    """
    site().workloads.restart(name, token)


@action
def roll_back(name: str, revision: int) -> None:
    """Have the deployment run a former version again.

    Idempotent: what runs that version already is left alone. Ref.: kubectl rollout undo.
    """
    site().workloads.roll_back(name, revision)


@action
def scale_up(name: str, replicas: int) -> None:
    """Run more pods; the autoscaler's limits are moved when they are in the way, and what was is noted.

    Idempotent. Ref.: kubectl scale; Kubernetes, Horizontal Pod Autoscaling.
    """
    site().workloads.scale(name, replicas)


@action
def scale_back(name: str) -> int | None:
    """Give the deployment its former size, and the autoscaler its former limits.

    Idempotent: nothing is noted when it was done before.
    """
    return site().workloads.scale_back(name)


@verify
def follow_rollout(name: str) -> DeploymentFacts:
    """Watch the rollout until every pod is of the newest version and ready.

    Waits: up to kubernetes.rollout_seconds. Raises: VerificationFailed with the reason when it does not get on.
    """
    bar = ProgressArtifact("rollout", f"Rollout of {name}")
    seconds = float(site().settings.kubernetes.rollout_seconds)
    try:
        rollout, deployment = site().workloads.follow_rollout(name, seconds=seconds, on_progress=ProgressReporter(bar))
    except TargetUnreachable as error:  # it was asked again and again until the deadline: not once more from the start
        raise VerificationFailed(
            error.problem, "the rollout goes on by itself; when the cluster answers, run it again"
        ) from error
    if not rollout.done:
        raise VerificationFailed(_hangs(name, rollout), "the reason is named above; run it again when it is mended")
    bar.end()
    return deployment


def _hangs(name: str, rollout: Rollout) -> str:
    ready = f"{rollout.ready} of {rollout.wanted} pods are ready"
    return f"the rollout of {name} does not get on: {rollout.cause or 'no reason is known'} ({rollout.detail}); {ready}"
