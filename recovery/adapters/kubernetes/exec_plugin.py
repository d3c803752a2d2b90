"""Credentials that a program hands out (`aws eks get-token`), as the kubeconfig says.

The client would start it with the shell's environment and wait for it without end; here it has a deadline, and an
environment made from nothing. Ref.: Kubernetes, client-go credential plugins.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from recovery.adapters.kubernetes.fields import items, part, plain, text
from recovery.adapters.process import HERE
from recovery.errors import SettingsInvalid
from recovery.redaction import remember_secret


def with_fetched_credentials(content: dict[str, Any], user: str, folder: Path, *, seconds: float) -> dict[str, Any]:
    """The kubeconfig, with the credentials of a user that has them from a program; any other as it is."""
    users = items(content, "users")
    found = next((one for one in users if one.get("name") == user), None)
    if part(found, "user", "auth-provider"):
        raise SettingsInvalid(
            f"user {plain(user)} of the kubeconfig signs in by an auth-provider, which has no deadline",
            "let it use a program (exec) or a service account's token",
        )
    if not part(found, "user", "exec"):
        return content
    fetched = {"name": user, "user": _as_user(_run(part(found, "user", "exec"), folder, seconds))}
    return content | {"users": [fetched if one is found else one for one in users]}


def _run(program: dict[str, Any], folder: Path, seconds: float) -> dict[str, Any]:
    command = text(program, "command")
    # A path with a slash is meant from the kubeconfig's folder.
    argv = [str(folder / command) if "/" in command else command, *map(str, program.get("args") or ())]
    info = {"apiVersion": program.get("apiVersion"), "kind": "ExecCredential", "spec": {"interactive": False}}
    added = {text(one, "name"): str(one.get("value", "")) for one in items(program, "env")}
    said = HERE.run(argv, timeout_seconds=seconds, env=added | {"KUBERNETES_EXEC_INFO": json.dumps(info)}).stdout
    try:
        status = part(json.loads(said), "status")
    except ValueError:
        status = {}
    if not (status.get("token") or status.get("clientCertificateData")):
        raise SettingsInvalid(
            f"the kubeconfig's program {plain(command)} gave no credentials",
            "run it by hand, as the user who runs this: it should print an ExecCredential",
        )
    return status


def _as_user(status: dict[str, Any]) -> dict[str, str]:
    user = {}
    if status.get("token"):
        user["token"] = remember_secret(str(status["token"]))
    for given, key in (("clientCertificateData", "client-certificate-data"), ("clientKeyData", "client-key-data")):
        if status.get(given):
            user[key] = base64.b64encode(str(status[given]).encode()).decode()
    return user
