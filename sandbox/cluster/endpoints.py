"""Which pods a Service sends requests to: written for its proxy, a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

from sandbox.cluster.answers import Object
from sandbox.cluster.container import port_of
from sandbox.cluster.kubelet import Kubelet
from sandbox.cluster.places import LOAD, NAMESPACE, endpoints_file
from sandbox.cluster.selectors import by_specification
from sandbox.cluster.store import Store

BACKEND = "clickview-backend"


class Endpoints:
    """Follows the ready pods of the backend's Service."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._file = store, endpoints_file(folder)
        self._written = ""

    def sync(self, kubelet: Kubelet) -> None:
        """Write them down when they are others than before."""
        service = self._store.find("services", NAMESPACE, BACKEND)
        told = {"pods": self._ports(service, kubelet), "load": load(service)}
        text = json.dumps(told)
        if text != self._written:
            beside = self._file.with_suffix(".new")
            beside.write_text(text)
            beside.replace(self._file)
            self._written = text

    def _ports(self, service: Object | None, kubelet: Kubelet) -> list[int]:
        if service is None or not service["spec"].get("selector"):
            return []
        chosen = by_specification({"matchLabels": service["spec"]["selector"]})
        ports = []
        for pod in self._store.list("pods", NAMESPACE):
            run = kubelet.runs.get(pod["metadata"]["uid"])
            if run and run.ready and chosen(pod) and "deletionTimestamp" not in pod["metadata"]:
                ports.append(port_of(run.folder))
        return sorted(port for port in ports if port)


def load(service: Object | None) -> float:
    """How many pods' worth of requests come in."""
    annotations: Object = ((service or {}).get("metadata") or {}).get("annotations") or {}
    try:
        return float(annotations.get(LOAD, 0))
    except ValueError:
        return 0.0
