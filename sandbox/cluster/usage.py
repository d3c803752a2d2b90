"""The metrics API: what pods use. A cluster need not have one."""

from __future__ import annotations

import time
from collections.abc import Callable

from sandbox.cluster.amounts import amount
from sandbox.cluster.answers import Object, no_such_path, not_found
from sandbox.cluster.container import Container
from sandbox.cluster.endpoints import BACKEND, load
from sandbox.cluster.kubelet import Kubelet
from sandbox.cluster.places import METRICS, NAMESPACE
from sandbox.cluster.run import Run
from sandbox.cluster.selectors import by_specification
from sandbox.cluster.store import Store, now_text


class Usage:
    """Looks at the processes; with load on the Service, the CPU is what that load costs."""

    def __init__(self, store: Store, kubelet: Kubelet) -> None:
        self._store, self._kubelet = store, kubelet
        self._seen: dict[int, tuple[float, float]] = {}

    def listed(self, namespace: str, chosen: Callable[[Object], bool]) -> Object:
        """A PodMetricsList.

        Raises: Refused with 404 when this cluster has no metrics.
        """
        items = [self._of(pod) for pod in self._store.list("pods", namespace) if chosen(pod) and self._runs(pod)]
        self._require_metrics(namespace)
        head = {"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1"}
        return {**head, "metadata": {}, "items": items}

    def get(self, namespace: str, name: str) -> Object:
        """The PodMetrics of one pod."""
        self._require_metrics(namespace)
        pod = self._store.find("pods", namespace, name)
        if pod is None or not self._runs(pod):
            raise not_found("podmetrics.metrics.k8s.io", f"{namespace}/{name}")
        return self._of(pod)

    def _require_metrics(self, namespace: str) -> None:
        home = self._store.find("namespaces", "", namespace or NAMESPACE) or {"metadata": {}}
        if (home["metadata"].get("annotations") or {}).get(METRICS) == "absent":
            raise no_such_path()

    def _runs(self, pod: Object) -> Run | None:
        run = self._kubelet.runs.get(pod["metadata"]["uid"])
        return run if run and run.container else None

    def _of(self, pod: Object) -> Object:
        run, specification = self._runs(pod), pod["spec"]["containers"][0]
        assert run and run.container
        limit = amount((specification["resources"].get("limits") or {}).get("cpu")) or 1.0
        used = {"cpu": f"{max(1, round(self._cpu(pod, run.container, limit) * 1000))}m"}
        used["memory"] = f"{run.container.memory_bytes() // 1024}Ki"
        metadata = {key: pod["metadata"].get(key) for key in ("name", "namespace", "labels")}
        head = {"kind": "PodMetrics", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": metadata}
        containers = [{"name": specification["name"], "usage": used}]
        return {**head, "timestamp": now_text(), "window": "15s", "containers": containers}

    def _cpu(self, pod: Object, container: Container, limit: float) -> float:
        now, used = time.monotonic(), container.cpu_seconds()
        then, before = self._seen.get(container.pid, (now - 60.0, 0.0))
        self._seen[container.pid] = now, used
        real = max(0.0, used - before) / max(now - then, 1.0)
        return min(limit, max(real, limit * self._share_of_load(pod)))

    def _share_of_load(self, pod: Object) -> float:
        service = self._store.find("services", NAMESPACE, BACKEND)
        if service is None or not by_specification({"matchLabels": service["spec"].get("selector") or {}})(pod):
            return 0.0
        chosen = by_specification({"matchLabels": service["spec"]["selector"]})
        ready = [
            one for one in self._store.list("pods", NAMESPACE) if chosen(one) and (run := self._runs(one)) and run.ready
        ]
        return load(service) / max(1, len(ready))
