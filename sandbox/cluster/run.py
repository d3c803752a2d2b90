"""What the kubelet knows of a pod's container: how often it ran, how it ended, why it waits."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.cluster import pace
from sandbox.cluster.answers import Object
from sandbox.cluster.container import Container
from sandbox.cluster.probes import Probe
from sandbox.cluster.store import now_text


@dataclass
class Run:
    """One pod's container, through all its restarts."""

    folder: Path
    number: int = 0  # of restarts
    container: Container | None = None
    started_at: str = ""
    ready: bool = False
    waiting: tuple[str, str] = ("ContainerCreating", "")
    last: Object | None = None  # how the run before ended
    final: Object | None = None  # how the last one ended, when there will be no other
    not_before: float = 0.0
    crashes: int = 0
    why: str = ""  # it is ended for this reason
    terminate_at: float | None = None
    kill_at: float | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def taken_up(cls, folder: Path, pod: Object) -> Run:
        """Of a pod that an earlier kubelet may have started."""
        folder.mkdir(parents=True, exist_ok=True)
        run = cls(folder)
        told = next(iter(pod["status"].get("containerStatuses") or ()), None)
        if told is None:
            return run
        run.number, run.last = told["restartCount"], (told.get("lastState") or {}).get("terminated")
        state: Object = told["state"]
        if "running" in state:
            run.started_at = state["running"]["startedAt"]
            run.container = Container.adopt(folder) or Container(_NOBODY)
            run.ready = told["ready"]
            run.watch(pod["spec"]["containers"][0])
        elif "waiting" in state:
            run.waiting = state["waiting"].get("reason", ""), state["waiting"].get("message", "")
            run.number = max(0, run.number)
        else:
            run.final = state["terminated"]
        return run

    @property
    def has_run(self) -> bool:
        return bool(self.container or self.last or self.final)

    @property
    def is_starting(self) -> bool:
        """Whether it has yet to be ready for the first time in this run, or to run at all."""
        if self.container is None:
            return self.final is None
        return bool(self.readiness and not self.readiness.passed_once)

    def started(self, container: Container, specification: Object) -> None:
        """A process was started for it."""
        self.number += self.has_run
        self.container, self.started_at, self.ready = container, now_text(), False
        self.why, self.terminate_at, self.kill_at = "", None, None
        self.watch(specification)
        self.ready = self.readiness is None

    def watch(self, specification: Object) -> None:
        """Begin to ask it how it is."""
        self.began = time.monotonic()
        ready, alive = specification.get("readinessProbe"), specification.get("livenessProbe")
        self.readiness = Probe(ready, self.began) if ready and "httpGet" in ready else None
        self.liveness = Probe(alive, self.began) if alive and "httpGet" in alive else None
        if self.liveness:
            self.liveness.due = self.began + self.liveness.specification["periodSeconds"] * pace.PROBES

    def ended(self, code: int, *, again: bool) -> Object:
        """Its process is gone; it waits for its next run, if there is one."""
        reason = self.why or ("Completed" if code == 0 else "Error")
        if self.container and self.container.is_adopted and not self.why:
            reason = "ContainerStatusUnknown"
        ending: Object = {"exitCode": code, "reason": reason, "startedAt": self.started_at, "finishedAt": now_text()}
        ran = time.monotonic() - self.began
        self.crashes = 1 if ran > pace.FORGIVEN_SECONDS else self.crashes + 1
        self.container, self.ready, self.readiness, self.liveness = None, False, None, None
        self.terminate_at = self.kill_at = None
        if again:
            self.last = ending
            self.not_before = time.monotonic() + pace.back_off(self.crashes)
        else:
            self.final = ending
        return ending

    def status(self, specification: Object) -> Object:
        """How the API shows it."""
        image = specification["image"]
        told: Object = {"name": specification["name"], "image": image, "imageID": f"sandbox://{image}"}
        told |= {"ready": self.ready, "started": self.container is not None, "restartCount": self.number}
        told["lastState"] = {"terminated": self.last} if self.last else {}
        if self.final:
            told["state"] = {"terminated": self.final}
        elif self.container:
            told["state"] = {"running": {"startedAt": self.started_at}}
        else:
            reason, message = self.waiting
            told["state"] = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        return told


_NOBODY = 2**31 - 1  # no process has this pid: the run is over, its end was not seen
