"""The kubeconfigs of a sandbox: the administrator's, for faults, and that of the recovery system."""

from __future__ import annotations

import base64

import yaml

from sandbox.cluster.places import NAMESPACE, cluster_folder, kubeconfig
from sandbox.layout import Sandbox

WHO = ("admin", "recovery")


def write_kubeconfigs(sandbox: Sandbox) -> None:
    """Write both; the certificates must be there."""
    cluster_folder(sandbox.folder).mkdir(mode=0o700, exist_ok=True)
    authority = base64.b64encode(sandbox.ca_file.read_bytes()).decode()
    server = f"https://127.0.0.1:{sandbox.ports['cluster']}"
    for who in WHO:
        name = f"clickview-{who}"
        values = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "sandbox", "cluster": {"server": server, "certificate-authority-data": authority}},
            ],
            "users": [{"name": name, "user": {"token": sandbox.secret(f"kubernetes_{who}")}}],
            "contexts": [
                {"name": "sandbox", "context": {"cluster": "sandbox", "user": name, "namespace": NAMESPACE}},
            ],
            "current-context": "sandbox",
        }
        file = kubeconfig(sandbox.folder, who)
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(values, sort_keys=False))
