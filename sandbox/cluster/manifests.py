"""What a new cluster holds: manifests in the shape of the real ClickView's, and the recovery system's rights."""

from __future__ import annotations

import base64
from importlib.resources import files
from importlib.resources.abc import Traversable

import yaml

from sandbox.cluster.answers import Object
from sandbox.cluster.operations import Operations
from sandbox.cluster.places import NAMESPACE
from sandbox.cluster.resources import BY_KIND
from sandbox.cluster.store import Store
from sandbox.connections import connections
from sandbox.layout import BUCKETS, Sandbox

_FIRST = ("Namespace", "Node")


def apply_manifests(store: Store, sandbox: Sandbox) -> None:
    """Make everything that a new cluster holds."""
    found = [*_objects(files("sandbox.cluster") / "manifests"), *_objects(files("deployments") / "kubernetes")]
    found += [secret(sandbox)]
    for thing in sorted(found, key=lambda one: one["kind"] not in _FIRST):
        if thing["kind"] == "ConfigMap":
            thing["data"] |= configuration(sandbox)
        resource = BY_KIND[thing["kind"]]
        status = thing.get("status")
        made = Operations(store).create(resource, NAMESPACE if resource.namespaced else "", thing)
        if status:
            store.replace(resource.plural, made | {"status": status})


def configuration(sandbox: Sandbox) -> dict[str, str]:
    """What the ConfigMap says of this sandbox's own servers."""
    ports = {"DB_PORT": sandbox.ports["pods-primary"], "REDIS_PORT": sandbox.ports["pods-redis"]}
    return {name: str(port) for name, port in ports.items()} | {"DB_NAME": sandbox.database}


def secret(sandbox: Sandbox) -> Object:
    """The Secret with what the real one holds: the way to the database stands in it, and not in the ConfigMap."""
    values = connections(sandbox, "pods-primary", "pods-redis")
    own = {name: values[name] for name in values if name not in ("DB_PORT", "DB_NAME", "REDIS_PORT")}
    own |= {
        "JWT_SECRET": sandbox.secret("jwt"),
        "JWT_REFRESH_SECRET": sandbox.secret("jwt_refresh"),
        "ENCRYPTION_KEY": sandbox.secret("application_key"),
        "BACKUP_ENCRYPTION_KEY": sandbox.secret("backup_key"),
        "BACKUP_S3_BUCKET": BUCKETS["east"],
        "OPENAI_API_KEY": "",
        "CLICKUP_CLIENT_ID": "",
        "CLICKUP_CLIENT_SECRET": "",
        "SMTP_HOST": "",
        "SMTP_USER": "",
        "SMTP_PASSWORD": "",
        "SLACK_WEBHOOK_URL": "",
    }
    data = {name: base64.b64encode(value.encode()).decode() for name, value in own.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "clickview-secrets"}, "data": data}


def _objects(folder: Traversable) -> list[Object]:
    texts = [
        one.read_text() for one in sorted(folder.iterdir(), key=lambda one: one.name) if one.name.endswith(".yaml")
    ]
    return [thing for text in texts for thing in yaml.safe_load_all(text) if thing]
