"""A real control plane without nodes: etcd, kube-apiserver and kube-controller-manager of KUBEBUILDER_ASSETS.

Loopback only, tokens from a file, RBAC as shipped. A stand-in for the kubelet says of every pod that it is ready,
unless its image is one that cannot be had.
"""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client

from recovery.ports import release_ports, reserve_ports

_GROUP = "system:masters"
_RECOVERY = "system:serviceaccount:clickview:clickview-recovery"
_SHIPPED = Path(__file__).parent.parent / "deployments" / "kubernetes"
_GOOD_IMAGES = ("registry.k8s.io/pause", "busybox", "clickview/")


class RealCluster:
    """Started on entry, stopped in the right order on exit."""

    def __init__(self, assets: Path) -> None:
        self._assets, self._folder = assets, Path(tempfile.mkdtemp(prefix="cvt-kube-"))
        self._running: list[subprocess.Popen[bytes]] = []
        self._over = threading.Event()
        self.admin_token, self.recovery_token = secrets.token_hex(16), secrets.token_hex(16)
        ports = reserve_ports(self._folder, ("etcd", "peer", "api", "controllers"))
        self._ports = ports
        self.server = f"https://127.0.0.1:{ports['api']}"
        self.ca_file = self._folder / "certificates" / "apiserver.crt"

    def __enter__(self) -> RealCluster:
        try:
            self._start_control_plane()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start_control_plane(self) -> None:
        folder, etcd = self._folder, f"http://127.0.0.1:{self._ports['etcd']}"
        peer = f"http://127.0.0.1:{self._ports['peer']}"
        tokens = folder / "tokens"
        tokens.write_text(
            f'{self.admin_token},admin,1,"{_GROUP}"\n{self.recovery_token},{_RECOVERY},2,"system:serviceaccounts"\n'
        )
        key = folder / "sa.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True, timeout=60)
        self._start("etcd", f"--data-dir={folder / 'etcd'}", f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
                    f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}")  # fmt: skip
        self._start("kube-apiserver", f"--etcd-servers={etcd}", f"--secure-port={self._ports['api']}", "--bind-address=127.0.0.1",
                    f"--cert-dir={folder / 'certificates'}", f"--token-auth-file={tokens}", "--authorization-mode=Node,RBAC",
                    "--service-cluster-ip-range=10.0.0.0/24", f"--service-account-key-file={key}",
                    f"--service-account-signing-key-file={key}", "--service-account-issuer=https://kubernetes.default.svc",
                    "--disable-admission-plugins=ServiceAccount")  # fmt: skip

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for process in reversed(self._running):  # the controllers first, etcd last
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()
        release_ports(self._folder)

    def begin(self, api: Any) -> None:
        """Start the controllers, which do not wait for an API; make what is shipped; have somebody play the kubelet."""
        folder = self._folder
        config = folder / "controllers.kubeconfig"
        config.write_text(yaml.safe_dump(self._kubeconfig()))
        self._start("kube-controller-manager", f"--kubeconfig={config}", f"--service-account-private-key-file={folder / 'sa.key'}",
                    "--use-service-account-credentials=false", "--leader-elect=false",
                    "--horizontal-pod-autoscaler-sync-period=2s", f"--secure-port={self._ports['controllers']}")  # fmt: skip
        core, rights = client.CoreV1Api(api), client.RbacAuthorizationV1Api(api)
        core.create_namespace({"metadata": {"name": "clickview"}})
        core.create_node({"metadata": {"name": "node-1"}})
        make = {
            "ServiceAccount": core.create_namespaced_service_account,
            "Role": rights.create_namespaced_role,
            "RoleBinding": rights.create_namespaced_role_binding,
        }
        for file in sorted(_SHIPPED.glob("*.yaml")):
            for thing in yaml.safe_load_all(file.read_text()):
                make[thing["kind"]]("clickview", thing)
        threading.Thread(target=self._play_kubelet, args=(core,), daemon=True).start()

    def _play_kubelet(self, core: Any) -> None:
        while not self._over.wait(0.2):
            for pod in core.list_pod_for_all_namespaces().items:
                with contextlib.suppress(client.ApiException):  # changed or gone meanwhile: the next look sees it
                    _tend(core, pod)

    def _start(self, program: str, *options: str) -> None:
        with (self._folder / f"{program}.log").open("wb") as log:
            argv = [str(self._assets / program), *options]
            self._running.append(subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL))

    def _kubeconfig(self) -> dict[str, Any]:
        reach = {"server": self.server, "insecure-skip-tls-verify": True}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "real", "cluster": reach}],
            "users": [{"name": "admin", "user": {"token": self.admin_token}}],
            "contexts": [{"name": "real", "context": {"cluster": "real", "user": "admin"}}],
            "current-context": "real",
        }


def _tend(core: Any, pod: Any) -> None:
    name, namespace = pod.metadata.name, pod.metadata.namespace
    if pod.metadata.deletion_timestamp:
        core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)
    elif not pod.spec.node_name:
        target = {"metadata": {"name": name}, "target": {"kind": "Node", "apiVersion": "v1", "name": "node-1"}}
        core.create_namespaced_binding(namespace, target, _preload_content=False)
    elif pod.status.phase == "Pending":
        container = pod.spec.containers[0]
        well = container.image.startswith(_GOOD_IMAGES)
        state = {"running": {}} if well else {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
        told = {
            "name": container.name,
            "image": container.image,
            "imageID": "",
            "ready": well,
            "restartCount": 0,
            "state": state,
        }
        ready = {"type": "Ready", "status": "True" if well else "False"}
        status = {"phase": "Running" if well else "Pending", "conditions": [ready], "containerStatuses": [told]}
        core.patch_namespaced_pod_status(name, namespace, {"status": status})
