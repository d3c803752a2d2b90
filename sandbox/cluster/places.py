"""Where the cluster keeps what in a sandbox's folder, and the names that its knobs have."""

from __future__ import annotations

from pathlib import Path

NAMESPACE = "clickview"
LOAD = "sandbox.clickview/load"  # on the backend's Service: how many pods' worth of load there is
METRICS = "sandbox.clickview/metrics"  # on the Namespace: "absent" takes the metrics API away
LIVENESS = "sandbox.clickview/liveness"  # on a Node: "off" has its kubelet not ask whether pods live


def cluster_folder(folder: Path) -> Path:
    """All of the cluster's own files."""
    return folder / "kubernetes"


def state_file(folder: Path) -> Path:
    """What stands in for etcd."""
    return cluster_folder(folder) / "state.json"


def kubeconfig(folder: Path, who: str) -> Path:
    """The kubeconfig of `admin` or `recovery`."""
    return cluster_folder(folder) / f"{who}.kubeconfig"


def endpoints_file(folder: Path) -> Path:
    """Which pods the backend's Service sends requests to, for its proxy."""
    return cluster_folder(folder) / "endpoints.json"


def pod_folder(folder: Path, uid: str) -> Path:
    """What the kubelet keeps of a pod."""
    return cluster_folder(folder) / "pods" / uid


def log_file(folder: Path, uid: str, run: int) -> Path:
    """What a container wrote in its first, second, … run."""
    return pod_folder(folder, uid) / f"{run}.log"
