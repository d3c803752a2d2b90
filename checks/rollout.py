"""Whether a rollout is done, or hangs for a reason that waiting does not cure: by its own pods, not by a condition of before."""

from __future__ import annotations

from recovery.facts import ContainerFacts, DeploymentFacts, PodFacts, Rollout, RolloutCause, WorkloadEvent

# It ended badly more than once: the first time may have been the order in which things came up.
_TELLING_RESTARTS = 2
# A registry, or an object that a container refers to, may come back at once.
_IMAGE_PATIENCE = 10
# What the old pods hold is freed when they go; a node may become free.
_QUOTA_PATIENCE = 15
_NODE_PATIENCE = 20
# A program that starts slowly fails its first probes, too.
_TELLING_PROBES = 3
_PROBE_PATIENCE = 30
# The condition stays until there is progress: it may be of a rollout of before.
_STALLED_PATIENCE = 15

_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_NO_START = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError")
_CRASHED = ("CrashLoopBackOff", "Error", "ContainerCannotRun", *_NO_START)
_OUT_OF_MEMORY = "OOMKilled"
_NODE_COMES = "TriggeredScaleUp"
_PROBE_FAILED = "Unhealthy"


def judge_rollout(facts: DeploymentFacts, events: tuple[WorkloadEvent, ...] = ()) -> Rollout:
    """How far it is; with the cause when it hangs, and with whom it waits for when it does not. `events`: of its pods."""
    pods = _pods_of_newest(facts)
    ready = sum(1 for one in pods if one.ready)
    if _is_done(facts, pods):
        return Rollout(True, ready, facts.wanted)
    found = _hang(facts, pods, events)
    if found is None:
        return Rollout(False, ready, facts.wanted, detail=_waiting_for(facts, pods, events))
    cause, detail, patience = found
    return Rollout(False, ready, facts.wanted, cause, detail, patience)


_Hang = tuple[RolloutCause, str, float]


def _pods_of_newest(facts: DeploymentFacts) -> tuple[PodFacts, ...]:
    return tuple(one for one in facts.current_pods if one in facts.pods_that_stay)


def _is_done(facts: DeploymentFacts, pods: tuple[PodFacts, ...]) -> bool:
    """The numbers of its status may be older than its pods, so both must say it."""
    return facts.rolled_out and len(pods) == facts.wanted and all(one.ready for one in pods)


def _hang(facts: DeploymentFacts, pods: tuple[PodFacts, ...], events: tuple[WorkloadEvent, ...]) -> _Hang | None:
    """The first reason that tells most."""
    if facts.paused:
        return "unknown", f"deployment {facts.name} is paused: kubectl rollout resume deployment/{facts.name}", 0
    if not facts.settled:
        return None  # what is there to see is of before
    for pod in pods:
        for container in () if pod.ready else pod.containers:
            if found := _container_hang(pod, container, events):
                return found
    return _no_pod(facts, pods) or _no_node(pods, events) or _no_answer(facts, pods, events) or _stalled(facts)


def _container_hang(pod: PodFacts, one: ContainerFacts, events: tuple[WorkloadEvent, ...]) -> _Hang | None:
    at = f"pod {pod.name}, container {one.name}"
    if one.state == "waiting" and one.reason in _NO_IMAGE:
        return "image", f"{at}: image {one.image} ({one.reason}): {one.message}", _IMAGE_PATIENCE
    if one.state == "waiting" and one.reason in _NO_START and not one.last_reason:
        return "crash", f"{at} cannot start ({one.reason}): {one.message}", _IMAGE_PATIENCE
    down = one.state == "terminated" or (one.state == "waiting" and one.reason in _CRASHED)
    if not down or one.restarts < _TELLING_RESTARTS:
        return None
    if _OUT_OF_MEMORY in (one.reason, one.last_reason):
        return "memory", f"{at} was killed for using more memory than its limit, {one.restarts} times", 0
    if killed := next((e for e in _probes(pod, events) if e.message.startswith("Liveness")), None):
        return "probe", f"{at} was restarted {one.restarts} times: {killed.message}", 0
    return "crash", f"{at} ended {_how(one)}, {one.restarts} times", 0


def _how(one: ContainerFacts) -> str:
    """Of the last end: while it waits for its next start, what it says itself is only how long it waits."""
    over = one.state == "terminated"
    code, message = (one.exit_code, one.message) if over else (one.last_exit_code, one.last_message)
    said = "badly" if code is None else f"with exit code {code}"
    return f"{said} ({message})" if message else said


def _no_pod(facts: DeploymentFacts, pods: tuple[PodFacts, ...]) -> _Hang | None:
    message = facts.revision.message if facts.revision else ""
    if not message or len(pods) >= facts.wanted:
        return None
    cause: RolloutCause = "quota" if "quota" in message.lower() or "limit" in message.lower() else "unknown"
    return cause, f"the cluster makes no more pods for {facts.name}: {message}", _QUOTA_PATIENCE


def _no_node(pods: tuple[PodFacts, ...], events: tuple[WorkloadEvent, ...]) -> _Hang | None:
    waiting = next((one for one in pods if one.unschedulable and not _node_comes(one, events)), None)
    return ("node", f"no node takes pod {waiting.name}: {waiting.unschedulable}", _NODE_PATIENCE) if waiting else None


def _no_answer(facts: DeploymentFacts, pods: tuple[PodFacts, ...], events: tuple[WorkloadEvent, ...]) -> _Hang | None:
    for pod in pods:
        if pod.ready or not _all_run(pod):
            continue
        probes = _probes(pod, events)
        if facts.stalled:
            why = _said(probes) or facts.stalled
            return "probe", f"pod {pod.name} runs, and is not ready: {why}", _STALLED_PATIENCE
        if sum(one.count for one in probes) >= _TELLING_PROBES:
            return "probe", f"pod {pod.name} runs, and is not ready: {_said(probes)}", _PROBE_PATIENCE
    return None


def _stalled(facts: DeploymentFacts) -> _Hang | None:
    said = f"the cluster has given up on {facts.name}: {facts.stalled}"
    return ("unknown", said, _STALLED_PATIENCE) if facts.stalled else None


def _all_run(pod: PodFacts) -> bool:
    return bool(pod.containers) and all(one.state == "running" for one in pod.containers)


def _probes(pod: PodFacts, events: tuple[WorkloadEvent, ...]) -> list[WorkloadEvent]:
    return [one for one in events if one.reason == _PROBE_FAILED and one.about == f"pod/{pod.name}"]


def _said(probes: list[WorkloadEvent]) -> str:
    return probes[-1].message if probes else ""


def _node_comes(pod: PodFacts, events: tuple[WorkloadEvent, ...]) -> bool:
    """A cluster that adds nodes by itself takes minutes, and says that it does."""
    return any(one.reason == _NODE_COMES and one.about == f"pod/{pod.name}" for one in events)


def _waiting_for(facts: DeploymentFacts, pods: tuple[PodFacts, ...], events: tuple[WorkloadEvent, ...]) -> str:
    if not facts.settled or (facts.revision is None and facts.wanted):
        return "waiting for the cluster to take it up"
    unready = next((one for one in pods if not one.ready), None)
    if unready:
        return f"waiting for pod {unready.name}: {_state(unready, events)}"
    leaving = next((one for one in facts.pods if one not in pods), None)
    if leaving:
        return f"waiting for pod {leaving.name} to go"
    return "waiting for pods to be made" if len(pods) < facts.wanted else "waiting for them to count as available"


def _state(pod: PodFacts, events: tuple[WorkloadEvent, ...]) -> str:
    """How it is, with the last warning about it: that a volume is not there is written nowhere else."""
    if pod.unschedulable:
        return "a node is being added for it" if _node_comes(pod, events) else pod.unschedulable
    one = next((one for one in pod.containers if not one.ready), None)
    state = pod.phase if one is None else _spoken(one)
    warned = [event for event in events if event.warning and event.about == f"pod/{pod.name}"]
    return f"{state} ({warned[-1].reason}: {warned[-1].message})" if warned else state


def _spoken(one: ContainerFacts) -> str:
    return "runs, not ready yet" if one.state == "running" else (one.reason or one.state)
