"""The kubelet of all nodes: a pod that has a node is a local process, asked how it is and started again."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

from sandbox.cluster import pace
from sandbox.cluster.amounts import amount
from sandbox.cluster.answers import Object
from sandbox.cluster.container import Container, port_of
from sandbox.cluster.events import note
from sandbox.cluster.images import program
from sandbox.cluster.places import LIVENESS, cluster_folder, log_file, pod_folder
from sandbox.cluster.pod_status import pod_status
from sandbox.cluster.run import Run
from sandbox.cluster.store import Store
from sandbox.cluster.variables import Missing, variables

_ENDED = ("Failed", "Succeeded")


class Kubelet:
    """Pods to processes and back."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder
        self.runs: dict[str, Run] = {}

    def sync(self) -> None:
        """Take every pod a step on."""
        pods = {pod["metadata"]["uid"]: pod for pod in self._store.list("pods") if pod["spec"].get("nodeName")}
        self._forget(set(pods))
        for uid, pod in pods.items():
            run = self.runs.get(uid) or self.runs.setdefault(uid, Run.taken_up(pod_folder(self._folder, uid), pod))
            if "deletionTimestamp" in pod["metadata"]:
                if self._is_over(pod, run):
                    continue
            elif pod["status"].get("phase") in _ENDED:
                if run.container:
                    run.container.kill()
                    run.ended(137, again=False)
            else:
                self._tend(pod, run)
            self._report(pod, run)

    def in_motion(self) -> bool:
        """Whether a pod is starting or ending: it is worth looking again soon."""
        return any(run.kill_at or run.is_starting for run in self.runs.values())

    def _forget(self, alive: set[str]) -> None:
        left = cluster_folder(self._folder) / "pods"
        known = set(self.runs) | ({one.name for one in left.iterdir()} if left.exists() else set())
        for uid in known - alive:  # deleted without its time to end, or nobody wrote down that it was made
            run, folder = self.runs.pop(uid, None), pod_folder(self._folder, uid)
            container = run.container if run else Container.adopt(folder)
            if container:
                container.kill()
            shutil.rmtree(folder, ignore_errors=True)

    def _tend(self, pod: Object, run: Run) -> None:
        if run.container is None:
            if not run.final and time.monotonic() >= run.not_before:
                self._start(pod, run)
            return
        code = run.container.ended()
        if code is not None:
            self._ended(pod, run, code)
            return
        specification = pod["spec"]["containers"][0]
        limit = amount((specification["resources"].get("limits") or {}).get("memory"))
        if limit and run.container.memory_bytes() > limit:
            run.why = "OOMKilled"
            run.container.kill()
        if run.kill_at:
            self._press(run)
        else:
            self._ask(pod, run)

    def _start(self, pod: Object, run: Run) -> None:
        specification, uid = pod["spec"]["containers"][0], pod["metadata"]["uid"]
        told = program(specification, run.folder)
        if told is None:
            self._no_image(pod, run, specification["image"])
            return
        argv, image = told
        try:
            environment = variables(self._store, pod, specification, image, str(self._folder))
        except Missing as missing:
            run.waiting, run.not_before = (
                ("CreateContainerConfigError", str(missing)),
                time.monotonic() + pace.PULL_SECONDS,
            )
            self._note(pod, "Failed", f"Error: {missing}", warning=True)
            return
        log = log_file(self._folder, uid, run.number + run.has_run)
        try:
            container = Container.start(argv, environment, run.folder, log)
        except OSError as error:
            run.waiting = "RunContainerError", f"exec: {error.strerror}: {argv[0] if argv else ''}"
            run.not_before = time.monotonic() + pace.PULL_SECONDS
            self._note(pod, "Failed", f"Error: {run.waiting[1]}", warning=True)
            return
        run.started(container, specification)
        self._note(pod, "Pulled", f'Container image "{specification["image"]}" already present on machine')
        self._note(pod, "Created", f"Created container: {specification['name']}")
        self._note(pod, "Started", f"Started container {specification['name']}")

    def _no_image(self, pod: Object, run: Run, image: str) -> None:
        repository = image.partition(":")[0]
        why = f'failed to pull and unpack image "{image}": {repository}: not found'
        if run.waiting[0] == "ErrImagePull":
            run.waiting = "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {why}'
            self._note(pod, "BackOff", f'Back-off pulling image "{image}"')
        else:
            run.waiting = "ErrImagePull", why
            self._note(pod, "Failed", f'Failed to pull image "{image}": {why}', warning=True)
        run.not_before = time.monotonic() + pace.PULL_SECONDS

    def _ended(self, pod: Object, run: Run, code: int) -> None:
        policy = pod["spec"]["restartPolicy"]
        again = policy == "Always" or (policy == "OnFailure" and code != 0)
        run.ended(code, again=again)
        if again and run.not_before > time.monotonic():
            name, metadata = pod["spec"]["containers"][0]["name"], pod["metadata"]
            wait = f"back-off {pace.back_off(run.crashes):.0f}s restarting failed container={name}"
            run.waiting = (
                "CrashLoopBackOff",
                f"{wait} pod={metadata['name']}_{metadata['namespace']}({metadata['uid']})",
            )
            text = f"Back-off restarting failed container {name} in pod {metadata['name']}_{metadata['namespace']}"
            self._note(pod, "BackOff", text, warning=True)

    def _ask(self, pod: Object, run: Run) -> None:
        port = port_of(run.folder)
        if run.readiness:
            before, looked = run.readiness.failures, run.readiness.look(port)
            run.ready = run.ready if looked is None else looked
            if run.readiness.failures > before:
                self._note(pod, "Unhealthy", f"Readiness probe failed: {run.readiness.said}", warning=True)
        node = self._store.find("nodes", "", pod["spec"]["nodeName"]) or {"metadata": {}}
        if not run.liveness or (node["metadata"].get("annotations") or {}).get(LIVENESS) == "off":
            return
        before, looked = run.liveness.failures, run.liveness.look(port)
        if run.liveness.failures > before:
            self._note(pod, "Unhealthy", f"Liveness probe failed: {run.liveness.said}", warning=True)
        if looked is False:
            name = pod["spec"]["containers"][0]["name"]
            self._note(pod, "Killing", f"Container {name} failed liveness probe, will be restarted")
            self._begin_end(pod, run)

    def _begin_end(self, pod: Object, run: Run) -> None:
        seconds = pod["metadata"].get("deletionGracePeriodSeconds", pod["spec"]["terminationGracePeriodSeconds"])
        run.ready, now = False, time.monotonic()
        run.kill_at = now + pace.grace(seconds)
        run.terminate_at = min(run.kill_at, now + pace.pre_stop(pod["spec"]["containers"][0]))

    def _press(self, run: Run) -> None:
        if not run.container:
            return
        now = time.monotonic()
        if run.terminate_at and now >= run.terminate_at:
            run.terminate_at = None
            run.container.signal(signal.SIGTERM)
        if run.kill_at and now >= run.kill_at:
            run.container.kill()

    def _is_over(self, pod: Object, run: Run) -> bool:
        """End a pod that is being deleted; whether it is gone."""
        if run.container and run.container.ended() is None:
            if run.kill_at is None:
                self._begin_end(pod, run)
                self._note(pod, "Killing", f"Stopping container {pod['spec']['containers'][0]['name']}")
            self._press(run)
            return False
        self._store.remove("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
        shutil.rmtree(run.folder, ignore_errors=True)
        self.runs.pop(pod["metadata"]["uid"], None)
        return True

    def _report(self, pod: Object, run: Run) -> None:
        status = pod_status(pod, run)
        if status != pod["status"]:
            self._store.change(
                "pods", pod["metadata"]["namespace"], pod["metadata"]["name"], lambda one: one.update(status=status)
            )

    def _note(self, pod: Object, reason: str, message: str, *, warning: bool = False) -> None:
        note(self._store, pod, reason, message, by="kubelet", warning=warning)
