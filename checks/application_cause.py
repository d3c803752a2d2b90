"""Why the application does not serve its users: told apart from what was seen, the first that explains the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from checks.rollout import judge_rollout
from recovery.facts import ApplicationFacts, DeploymentFacts, PodFacts, RevisionFacts, RolloutCause

SLOW_SECONDS = 3.0
_BUSY = 0.9  # of its limit
_YOUNG = timedelta(seconds=45)  # a pod of this age may still be coming up

_NEWS = timedelta(minutes=2)  # a line of the log that is older tells of another trouble
_WRITTEN = re.compile(r"\[?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:Z|[+-]\d\d:\d\d)?)")

# How a program says that what it needs does not answer.
_AWAY = r"(?:down|unavailable|unreachable|refused|timed? ?out|ECONNREFUSED|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH|could not connect|connection failed)"
_SAYS = {
    "database": re.compile(
        rf"(?i)\b(?:database|postgres\w*|pg|:5432)\b.*\b{_AWAY}\b|\b{_AWAY}\b.*(?:postgres|:5432)\b"
    ),
    "redis": re.compile(rf"(?i)\b(?:redis|cache|:6379)\b.*\b{_AWAY}\b|\b{_AWAY}\b.*(?:redis|:6379)\b"),
}


class Cause(StrEnum):
    """What is wrong with the application."""

    NOTHING = "nothing"
    DATABASE = "database"
    CACHE = "cache"
    DATABASE_PATH = "path to the database"
    CACHE_PATH = "path to the cache"
    DATABASE_TOLD = "database, by the application's word"
    CACHE_TOLD = "cache, by the application's word"
    STOPPED = "scaled to none"
    PAUSED = "rollout paused"
    IMAGE = "image"
    CRASH = "crash"
    CONFIGURATION = "configuration"
    MEMORY = "memory"
    QUOTA = "quota"
    NODE = "node"
    ROLLOUT = "rollout under way"
    FAILED_PODS = "failed pods"
    HUNG = "hung"
    PATH = "path to the application"
    OVERLOAD = "capacity"
    UNKNOWN = "unknown"


_CAUSES: dict[RolloutCause, Cause] = {
    "image": Cause.IMAGE,
    "crash": Cause.CRASH,
    "memory": Cause.MEMORY,
    "quota": Cause.QUOTA,
    "node": Cause.NODE,
    "probe": Cause.HUNG,
    "unknown": Cause.UNKNOWN,
}
_OF_ITS_VERSION = frozenset({Cause.IMAGE, Cause.CONFIGURATION, Cause.CRASH, Cause.MEMORY})
_CANNOT_START = frozenset({Cause.IMAGE, Cause.CONFIGURATION})
# Causes whose begin stands in their pods.
_DATED = frozenset({Cause.IMAGE, Cause.CRASH, Cause.CONFIGURATION, Cause.MEMORY, Cause.NODE})


@dataclass(frozen=True)
class Diagnosis:
    """The cause, in a sentence, with the pods it is seen at."""

    cause: Cause
    detail: str
    pods: tuple[str, ...] = ()
    good_revision: int | None = None  # the version before the one that does not come up


def diagnose(facts: ApplicationFacts) -> Diagnosis:
    """What is wrong, most fundamental first: what stands behind the application, its size, its version, its pods."""
    for judge in (_behind, _size, _version, _short_of_pods, _underway, _hung, _overload, _failed):
        if found := judge(facts):
            if found.cause is Cause.HUNG and found.good_revision is None:
                return _overload(facts) or found  # pods that have too much to do fail their probes, too
            return found
    if facts.health.green and facts.health.seconds < SLOW_SECONDS:
        return Diagnosis(Cause.NOTHING, f"the health check is green ({facts.health.seconds:.1f} s), every pod is ready")
    return Diagnosis(Cause.UNKNOWN, f"every pod is ready, and still {_outside(facts)}")


def first_trace(facts: ApplicationFacts, diagnosis: Diagnosis) -> datetime | None:
    """When it began, as far as the pods in trouble show it: the first of their ends, or when they were made."""
    ill = [pod for pod in facts.deployment.pods if pod.name in diagnosis.pods]
    ends = [one.last_ended_at for pod in ill for one in pod.containers if one.last_ended_at]
    made = [pod.created_at for pod in ill if pod.created_at and not any(one.last_ended_at for one in pod.containers)]
    return min([*ends, *made], default=None) if diagnosis.cause in _DATED else None


def is_of_its_version(deployment: DeploymentFacts, diagnosis: Diagnosis) -> bool:
    """Whether it is the version that is bad: it never came up. One that ran before fails for something else."""
    return diagnosis.cause in _OF_ITS_VERSION and not deployment.has_run


def _behind(facts: ApplicationFacts) -> Diagnosis | None:
    """The database or the cache, seen from here and from the application: restarts cure neither."""
    names = {
        "database": (Cause.DATABASE, Cause.DATABASE_PATH, Cause.DATABASE_TOLD),
        "redis": (Cause.CACHE, Cause.CACHE_PATH, Cause.CACHE_TOLD),
    }
    for part, (down, cut_off, told_of) in names.items():
        problem, told = facts.behind.get(part), _told_by_the_application(facts, part)
        if problem and not facts.health.green:
            return Diagnosis(down, f"the {part} does not answer from here: {problem}")
        if told and part in facts.behind and not facts.health.green:
            return Diagnosis(cut_off, f"the {part} answers from here, and not from the application: {told}")
        if told and facts.needs_what_is_behind and not facts.health.green:  # that we could not look is no word for it
            return Diagnosis(told_of, f"{told}; from here the {part} could not be looked at")
    return None


def _told_by_the_application(facts: ApplicationFacts, part: str) -> str | None:
    if part in facts.health.failed_parts:
        return f"its health check says {part}: fail"
    if facts.deployment.ready:
        return None
    for pod in facts.deployment.pods_that_stay:
        line = _last_complaint(facts.logs.get(pod.name, ""))
        if not pod.ready and _SAYS[part].search(line) and _is_news(line, facts.seen_at):
            return f"{pod.name} says “{line.strip()[:200]}”"
    return None


def _last_complaint(log: str) -> str:
    """The last line that says of anything behind the application that it does not answer: what was before may be over."""
    lines = [line for line in log.splitlines()[-20:] if any(says.search(line) for says in _SAYS.values())]
    return lines[-1] if lines else ""


def _is_news(line: str, now: datetime) -> bool:
    """Whether a line is of now; one that does not say when it was written is taken for news."""
    found = _WRITTEN.match(line)
    if not found:
        return True
    try:
        at = datetime.fromisoformat(found[1].replace("Z", "+00:00").replace(",", "."))
    except ValueError:  # the 30th of February
        return True
    return now - (at if at.tzinfo else at.replace(tzinfo=UTC)) < _NEWS


def _size(facts: ApplicationFacts) -> Diagnosis | None:
    deployment = facts.deployment
    if deployment.wanted == 0:
        return Diagnosis(Cause.STOPPED, f"{deployment.name} is scaled to 0: somebody stopped it")
    if deployment.paused and not deployment.rolled_out:
        return Diagnosis(Cause.PAUSED, f"the rollout of {deployment.name} is paused")
    return None


def _version(facts: ApplicationFacts) -> Diagnosis | None:
    """Pods of the newest version that cannot be made, find no room, or do not come up."""
    deployment = facts.deployment
    rollout = judge_rollout(deployment, facts.events)
    if rollout.cause is None or (rollout.cause == "unknown" and not deployment.pods_that_stay):
        return None
    cause = _CAUSES[rollout.cause]
    if cause is Cause.QUOTA and _failed(facts):
        return None  # a quota that counts pods counts the failed ones, too
    if cause is Cause.CRASH and "Config" in rollout.detail.partition("):")[0]:
        cause = Cause.CONFIGURATION
    ill = [pod for pod in deployment.current_pods if not pod.ready]
    if rollout.cause == "probe" and ill and all(_starts_first(pod, facts) for pod in ill):
        return None  # what starts slowly fails its first probes, too
    good = version_before(deployment, cause)
    return Diagnosis(cause, rollout.detail, _names(ill), good.number if good else None)


def version_before(deployment: DeploymentFacts, cause: Cause) -> RevisionFacts | None:
    """The version to return to when the newest one never came up; None when that is not what is seen.

    While pods of an older version are kept, the newest has never replaced them. Where none are kept, only pods that
    do not come up speak against the version; that all of one that has run hang or crash today does not: what it needs
    has changed, and an older one may not know the database's tables any more.
    """
    newest = deployment.revision
    if newest is None or any(pod.ready for pod in deployment.current_pods):
        return None
    if deployment.has_run and cause not in _CANNOT_START:
        return None
    kept = [one for one in deployment.older if one.wanted]
    if not kept and cause not in _OF_ITS_VERSION:
        return None
    return max(kept or deployment.older, key=lambda one: one.number, default=None)


def _short_of_pods(facts: ApplicationFacts) -> Diagnosis | None:
    """Pods that have failed, and are missed; those that only lie about are looked at last."""
    return _failed(facts) if facts.deployment.ready < facts.deployment.wanted else None


def _failed(facts: ApplicationFacts) -> Diagnosis | None:
    failed = [pod for pod in facts.deployment.pods if pod.failed and not pod.deleting]
    if not failed:
        return None
    why = failed[0].reason or "its containers ended"
    return Diagnosis(
        Cause.FAILED_PODS, f"{len(failed)} pods have failed ({why}{_more(failed[0].message)})", _names(failed)
    )


def _underway(facts: ApplicationFacts) -> Diagnosis | None:
    deployment = facts.deployment
    starting = [pod for pod in deployment.pods_that_stay if not pod.ready and _starts(pod, facts)]
    if starting or not deployment.settled or deployment.updated < deployment.wanted:
        return Diagnosis(Cause.ROLLOUT, f"{deployment.ready} of {deployment.wanted} pods are ready", _names(starting))
    return None


def _starts(pod: PodFacts, facts: ApplicationFacts) -> bool:
    """Whether it is only on its way: something in it does not run yet, or again, or only just does.

    What ends again and again is told apart by whoever follows the rollout; a restart would begin it anew.
    """
    since = [pod.created_at, *(one.last_ended_at for one in pod.containers)]
    young = any(facts.seen_at - at < _YOUNG for at in since if at)
    return young or any(one.state != "running" for one in pod.containers)


def _starts_first(pod: PodFacts, facts: ApplicationFacts) -> bool:
    """Whether it is on its way for the first time."""
    return _starts(pod, facts) and not any(one.restarts for one in pod.containers)


def _hung(facts: ApplicationFacts) -> Diagnosis | None:
    deployment = facts.deployment
    waiting = [pod for pod in deployment.pods_that_stay if not pod.ready]
    if waiting:
        return Diagnosis(
            Cause.HUNG, f"{len(waiting)} of {deployment.wanted} pods run and are not ready", _names(waiting)
        )
    if facts.health.status == 0 and facts.health.down:
        return Diagnosis(Cause.PATH, f"every pod is ready, and from here {_outside(facts)}")
    if facts.health.down and facts.health.status in (502, 504):
        return Diagnosis(
            Cause.HUNG, f"every pod counts as ready, and {_outside(facts)}", _names(deployment.current_pods)
        )
    return None


def _overload(facts: ApplicationFacts) -> Diagnosis | None:
    busy = [
        one.pod
        for one in facts.usage or ()
        if one.cpu_limit_millicores and one.cpu_millicores >= _BUSY * one.cpu_limit_millicores
    ]
    slow = facts.health.seconds >= SLOW_SECONDS or not facts.health.green
    if not slow:
        return None
    if not facts.usage or len(busy) * 2 < len(facts.usage):
        return None  # what could not be looked at is no proof
    deployment = facts.deployment
    ready = "every pod is" if deployment.ready >= deployment.wanted else f"{deployment.ready} pods are"
    used = f"{len(busy)} of {len(facts.usage)} pods use all of their CPU"
    return Diagnosis(Cause.OVERLOAD, f"{ready} ready, {used}, and {_outside(facts)}", tuple(busy))


def _outside(facts: ApplicationFacts) -> str:
    health = facts.health
    if not health.status:
        return f"the health check does not answer: {health.problem}"
    return f"the health check answers {health.status} after {health.seconds:.1f} s"


def _names(pods: Iterable[PodFacts]) -> tuple[str, ...]:
    return tuple(pod.name for pod in pods)


def _more(message: str) -> str:
    return f": {' '.join(message.split())[:200]}" if message else ""
