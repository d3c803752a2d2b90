"""The cluster: its API in threads, its controllers and kubelet one after the other in this one."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from sandbox.cluster.api import Api
from sandbox.cluster.autoscaler import sync_autoscalers
from sandbox.cluster.budgets import sync_budgets
from sandbox.cluster.deployments import Deployments
from sandbox.cluster.endpoints import Endpoints
from sandbox.cluster.events import forget_old
from sandbox.cluster.handler import Server
from sandbox.cluster.kubelet import Kubelet
from sandbox.cluster.manifests import apply_manifests
from sandbox.cluster.places import NAMESPACE, cluster_folder, state_file
from sandbox.cluster.quotas import sync_quotas
from sandbox.cluster.rbac import ADMINISTRATOR, service_account
from sandbox.cluster.replicasets import ReplicaSets
from sandbox.cluster.scheduler import schedule
from sandbox.cluster.store import Store
from sandbox.cluster.usage import Usage
from sandbox.cluster.workloads import sweep
from sandbox.layout import load

_SOON_SECONDS, _LATER_SECONDS = 0.1, 1.0
_DEADLINES_SECONDS = 1.0  # a rollout or a refused pod also gets on by time alone
_STEPS = 20  # one change brings the next: a deployment its ReplicaSet, that its pods


def main(folder: str) -> None:
    """Run until killed. What it held is there when it is started again; pods live on meanwhile."""
    sandbox = load(Path(folder))
    cluster_folder(sandbox.folder).mkdir(mode=0o700, exist_ok=True)
    store = Store(state_file(sandbox.folder))
    if store.is_new:
        apply_manifests(store, sandbox)
    kubelet = Kubelet(store, sandbox.folder)
    users = {
        sandbox.secret("kubernetes_admin"): ADMINISTRATOR,
        sandbox.secret("kubernetes_recovery"): service_account(NAMESPACE, "clickview-recovery"),
    }
    api = Api(store, sandbox.folder, Usage(store, kubelet))
    server = Server(sandbox.ports["cluster"], api, users, sandbox.tls_dir)
    signal.signal(signal.SIGTERM, _leave)
    for work in (server.serve_forever, store.keep_saving):
        threading.Thread(target=work, daemon=True).start()
    try:
        control(store, kubelet, Endpoints(store, sandbox.folder))
    finally:
        store.save()


def control(store: Store, kubelet: Kubelet, endpoints: Endpoints) -> None:
    """Have every controller look again and again at what there is; never returns."""
    deployments, replicasets = Deployments(store), ReplicaSets(store)
    seen, due = -1, 0.0
    while True:
        for _ in range(_STEPS):
            with store.at_once():
                before = store.version
                if before != seen or time.monotonic() >= due:  # else only processes can be other than before
                    sync_autoscalers(store)
                    deployments.sync()
                    replicasets.sync()
                    schedule(store)
                    sweep(store)
                    sync_quotas(store)
                    sync_budgets(store)
                    due = time.monotonic() + _DEADLINES_SECONDS
                kubelet.sync()
                endpoints.sync(kubelet)
                forget_old(store)
                seen = before
            if store.version == before:
                break
        pause = _SOON_SECONDS if kubelet.in_motion() else _LATER_SECONDS
        with store.changed:
            store.changed.wait_for(_is_other(store, seen), timeout=pause)


def _is_other(store: Store, seen: int) -> Callable[[], bool]:
    return lambda: store.version != seen


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
