"""What an API server says no with, as an error that tells what to do."""

from __future__ import annotations

from dataclasses import dataclass

from recovery.adapters.kubernetes.fields import plain, text
from recovery.errors import GateRefused, RecoveryError, SettingsInvalid, TargetUnreachable

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 401, 403, 404, 409
_LATER = (410, 429)  # a list that grew too old between two of its pages; too many requests


class NotPermitted(SettingsInvalid):
    """The credentials are good, but may not do this."""


class NotThere(GateRefused):
    """There is no such object, or the server has no such kind of object."""


@dataclass(frozen=True)
class Asked:
    """What was asked of which server, as whom."""

    verb: str
    what: str
    namespace: str
    server: str
    source: str


def refusal(status: int, told: object, reason: str, asked: Asked) -> RecoveryError:
    """The error for an answer that is none of 2xx. `told` is its body as JSON, `reason` the word of its status line."""
    said = text(told, "message") or plain(reason) or f"status {status}"
    doing = f"{asked.verb} {asked.what} in namespace {asked.namespace}"
    if status == _UNAUTHORIZED:
        return SettingsInvalid(
            f"the API server {asked.server} does not accept the credentials of {asked.source}",
            "renew them, or correct kubeconfig and context in [kubernetes] of recovery.toml",
        )
    if status == _FORBIDDEN and f" cannot {asked.verb} resource" in said:
        return NotPermitted(
            f"we may not {doing}: {said}",
            "check the namespace, and have somebody who may apply deployments/kubernetes/role.yaml there",
        )
    if status == _NOT_FOUND:
        return NotThere(f"cannot {doing}: {said}", "check the name and the namespace")
    if status == _CONFLICT:
        return GateRefused(
            f"cannot {doing}: {said}", "somebody changed it at the same moment: look, and run this again"
        )
    if status >= 500 or status in _LATER:
        return TargetUnreachable(
            f"the API server {asked.server} cannot {doing} now ({status}): {said}",
            "look at the control plane's state; what the cluster runs goes on without it",
        )
    return GateRefused(
        f"the cluster refuses to {doing} ({status}): {said}", "see which rule or policy of the cluster refuses it"
    )


def no_api(what: str, server: str) -> TargetUnreachable:
    """The error for something that answers, but not as an API server does."""
    return TargetUnreachable(
        f"{server} does not answer as a Kubernetes API server does: {what}",
        "check the server's address in the kubeconfig: something else answers there",
    )
