"""Which cluster, and as whom: from a kubeconfig file, or as this pod's service account. Nothing of the shell is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from recovery.adapters.kubernetes.exec_plugin import with_fetched_credentials
from recovery.adapters.kubernetes.fields import items, part, plain, text
from recovery.environment import forget_the_shell, program_environment
from recovery.errors import SettingsInvalid
from recovery.redaction import remember_secret
from recovery.settings.services import KubernetesSettings

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# By this name every pod finds the API server, and its certificate carries it. (The variable KUBERNETES_SERVICE_HOST
# is not handed on to programs that we start.)
_SERVER_OF_PODS = {"KUBERNETES_SERVICE_HOST": "kubernetes.default.svc", "KUBERNETES_SERVICE_PORT": "443"}
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_CORRECT = "correct kubeconfig and context in [kubernetes] of recovery.toml"


@dataclass(frozen=True)
class Access:
    """How to reach a cluster."""

    configuration: Any
    namespace: str
    source: str

    @property
    def server(self) -> str:
        return plain(str(self.configuration.host))


def find_access(settings: KubernetesSettings, account: Path = _ACCOUNT) -> Access:
    """The cluster of the settings; unset: that of this pod, else that of ~/.kube/config."""
    named = settings.kubeconfig or settings.context
    access = _of_pod(account) if not named and (account / "token").is_file() else _of_file(settings)
    for held in access.configuration.api_key.values():
        remember_secret(str(held).partition(" ")[2])
    namespace = settings.namespace or access.namespace
    if not _NAMESPACE.fullmatch(namespace):
        raise SettingsInvalid(f"{plain(namespace)!r} of {access.source} cannot be a namespace", _CORRECT)
    return Access(access.configuration, namespace, access.source)


def _configuration() -> Any:
    from kubernetes.client import Configuration

    forget_the_shell()  # it would ask the shell's proxy for a server of this machine, too
    # An attempt is repeated by the step, which writes it down. And what names no server must not mean localhost.
    return Configuration(retries=False, host="")


def _of_pod(account: Path) -> Access:
    from kubernetes.config import ConfigException
    from kubernetes.config.incluster_config import InClusterConfigLoader

    made = _configuration()
    loader = InClusterConfigLoader(str(account / "token"), str(account / "ca.crt"), environ=_SERVER_OF_PODS)
    try:
        loader.load_and_set(made)
        namespace = (account / "namespace").read_text().strip() if (account / "namespace").is_file() else ""
    except (ConfigException, OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(
            f"this pod's service account ({account}) cannot be used: {plain(str(error))}",
            "mount a service account's token into the pod, or name a kubeconfig in recovery.toml",
        ) from error
    return Access(made, namespace or "default", "this pod's service account")


def _of_file(settings: KubernetesSettings) -> Access:
    from kubernetes.config import ConfigException
    from kubernetes.config.kube_config import KubeConfigLoader

    file = settings.kubeconfig or Path(program_environment()["HOME"]) / ".kube" / "config"
    content = _read(file)
    context = _context(content, settings.context, file)
    content = with_fetched_credentials(
        content, text(context, "context", "user"), file.parent, seconds=settings.request_seconds
    )
    made = _configuration()
    try:
        KubeConfigLoader(content, active_context=context["name"], config_base_path=str(file.parent)).load_and_set(made)
    except ConfigException as error:
        raise SettingsInvalid(f"kubeconfig {file} cannot be used: {plain(str(error))}", _CORRECT) from error
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:  # texts that may hold what it holds
        raise SettingsInvalid(f"kubeconfig {file} cannot be used: {type(error).__name__}", _CORRECT) from error
    if not _is_address(str(made.host)):
        raise SettingsInvalid(f"kubeconfig {file} cannot be used: its cluster has no server's address", _CORRECT)
    return Access(
        made, text(context, "context", "namespace") or "default", f"{file} (context {plain(context['name'])})"
    )


def _is_address(server: str) -> bool:
    try:
        return urlsplit(server).scheme in ("http", "https") and bool(urlsplit(server).hostname)
    except ValueError:
        return False


def _read(file: Path) -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped,unused-ignore]

    try:
        content = yaml.safe_load(file.read_text())
    except FileNotFoundError as error:
        raise SettingsInvalid(
            f"there is no kubeconfig {file}",
            "name the file in [kubernetes] of recovery.toml, or run this in the cluster with a service account",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(
            f"kubeconfig {file} cannot be read: {type(error).__name__}", "check its owner and mode"
        ) from error
    except yaml.YAMLError:  # its text shows the line, which may be a token
        content = None
    if not isinstance(content, dict):
        raise SettingsInvalid(f"kubeconfig {file} is no kubeconfig: it cannot be read as YAML with keys", _CORRECT)
    return content


def _context(content: dict[str, Any], wanted: str | None, file: Path) -> dict[str, Any]:
    """The context to use, which is there: the client's own error does not say which ones there are."""
    name = wanted or content.get("current-context") or ""
    known = [one for one in items(content, "contexts") if isinstance(one.get("name"), str)]
    found = next((one for one in known if one["name"] == name), None)
    if found is None or not part(found, "context"):
        names = ", ".join(plain(one["name"]) for one in known) or "none"
        problem = f"has no context {plain(str(name))}" if name else "names no current context"
        raise SettingsInvalid(f"kubeconfig {file} {problem}; its contexts: {names}", _CORRECT)
    return found
