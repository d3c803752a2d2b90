"""What a cluster says of an application's deployment: its pods, its versions, what limits it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ContainerState = Literal["running", "waiting", "terminated"]


@dataclass(frozen=True)
class ContainerFacts:
    """A container of a pod as it is now, and how it ended the last time."""

    name: str
    image: str
    state: ContainerState
    ready: bool
    restarts: int
    reason: str = ""  # CrashLoopBackOff, ImagePullBackOff, OOMKilled, …
    message: str = ""
    exit_code: int | None = None
    last_reason: str = ""  # of the previous one: OOMKilled, Error, Completed
    last_message: str = ""  # its own last words, where it is set to leave some
    last_exit_code: int | None = None
    last_ended_at: datetime | None = None


@dataclass(frozen=True)
class PodFacts:
    """One pod."""

    name: str
    uid: str
    phase: str  # Pending, Running, Succeeded, Failed, Unknown
    ready: bool
    deleting: bool
    revision: str  # the ReplicaSet it belongs to
    node: str = ""
    reason: str = ""  # Evicted, NodeLost, …
    message: str = ""
    unschedulable: str = ""  # what the scheduler says of it; empty when it has a node
    created_at: datetime | None = None
    containers: tuple[ContainerFacts, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether it is one of those that `--field-selector=status.phase=Failed` finds."""
        return self.phase == "Failed"


@dataclass(frozen=True)
class RevisionFacts:
    """One version of a deployment: a ReplicaSet."""

    name: str
    number: int
    images: tuple[str, ...]
    wanted: int
    ready: int
    created_at: datetime | None = None
    message: str = ""  # why it cannot make pods (quota), as its condition says
    same_as_newest: bool = False  # the newest version is this one restarted


@dataclass(frozen=True)
class AutoscalerFacts:
    """A HorizontalPodAutoscaler that sizes the deployment."""

    name: str
    minimum: int
    maximum: int
    current: int
    desired: int


@dataclass(frozen=True)
class BudgetFacts:
    """A PodDisruptionBudget that covers its pods."""

    name: str
    disruptions_allowed: int
    wanted_healthy: int
    healthy: int


@dataclass(frozen=True)
class DeploymentFacts:
    """A deployment, with all that belongs to it."""

    name: str
    namespace: str
    selector: str  # app=clickview,component=backend: the deployment's own
    wanted: int
    updated: int
    ready: int
    available: int
    settled: bool  # the controller has seen the newest specification
    paused: bool
    images: tuple[str, ...]
    revision: RevisionFacts | None  # that of its template
    revisions: tuple[RevisionFacts, ...] = ()  # newest first
    pods: tuple[PodFacts, ...] = ()
    autoscaler: AutoscalerFacts | None = None
    budgets: tuple[BudgetFacts, ...] = ()
    scaled_from: int | None = None  # what `scale` noted on it: its former size
    scaled_autoscaler: tuple[int, int] | None = None  # the autoscaler's former limits, noted with it
    came_up: bool = False  # all pods of its newest version were there once, by its Progressing condition
    stalled: str = ""  # what its Progressing condition says when its own deadline has passed
    unseen: tuple[
        str, ...
    ] = ()  # what could not be looked at (autoscaler, budgets), and why: that it is None is no news

    @property
    def older(self) -> tuple[RevisionFacts, ...]:
        """The versions before its newest; one that is the same but for a restart is none."""
        newest = self.revision.number if self.revision else 0
        return tuple(one for one in self.revisions if one.number < newest and not one.same_as_newest)

    @property
    def has_run(self) -> bool:
        """Whether its newest version was there with all its pods once, as far as the cluster tells.

        Of one that was restarted since it tells nothing: then that no older version has kept a pod.
        """
        restarted = any(one.same_as_newest and one != self.revision for one in self.revisions)
        return self.came_up or (restarted and not any(one.wanted for one in self.older))

    @property
    def current_pods(self) -> tuple[PodFacts, ...]:
        """The pods of its newest version that are to stay."""
        name = self.revision.name if self.revision else ""
        return tuple(one for one in self.pods if one.revision == name and not one.deleting)

    @property
    def rolled_out(self) -> bool:
        """Whether all of its pods are of the newest version, and available."""
        return (
            self.settled and self.updated == self.wanted == self.available and len(self.pods_that_stay) == self.wanted
        )

    @property
    def pods_that_stay(self) -> tuple[PodFacts, ...]:
        """All pods but those that are being deleted and those that have ended."""
        return tuple(one for one in self.pods if not one.deleting and one.phase not in ("Failed", "Succeeded"))


@dataclass(frozen=True)
class WorkloadEvent:
    """Something that the cluster noted of one of its objects."""

    at: datetime
    warning: bool
    reason: str  # FailedScheduling, BackOff, Unhealthy, Killing, FailedCreate, …
    about: str  # pod/clickview-backend-…
    message: str
    count: int = 1


@dataclass(frozen=True)
class PodUsage:
    """What a pod uses, by the metrics API, and what its containers may use at most."""

    pod: str
    cpu_millicores: int
    memory_bytes: int
    cpu_limit_millicores: int | None = None
    memory_limit_bytes: int | None = None


RolloutCause = Literal["image", "crash", "memory", "quota", "node", "probe", "unknown"]


@dataclass(frozen=True)
class Rollout:
    """How far a rollout is, or why it does not get on."""

    done: bool
    ready: int
    wanted: int
    cause: RolloutCause | None = None
    detail: str = ""
    patience_seconds: float = 0  # how long the cause has to stand before it counts as a hang
