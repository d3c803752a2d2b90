"""From a role to its service: the locator in the settings says what plays it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from recovery.adapters.local_user import needed_prefix
from recovery.adapters.process import Host
from recovery.adapters.services.compose import ComposeService
from recovery.adapters.services.docker import DockerContainer
from recovery.adapters.services.kubernetes import KubernetesService
from recovery.adapters.services.process import PostgresProcess
from recovery.adapters.services.reached import Patience
from recovery.adapters.services.redis_answer import Endpoint
from recovery.adapters.services.redis_process import RedisProcess
from recovery.adapters.services.systemd import SystemdUnit
from recovery.errors import SettingsInvalid
from recovery.roles import Service, Workloads
from recovery.settings import Settings
from recovery.settings.services import Role


@dataclass(frozen=True)
class Means:
    """What a service may need of the rest of the site, got when it is needed."""

    workloads: Callable[[], Workloads]
    reveal: Callable[[SecretStr | None], str | None]


def locate_service(settings: Settings, role: Role, means: Means) -> Service:
    """The service that plays a role.

    Raises: SettingsInvalid when the settings name none, or one of a kind that cannot play it.
    """
    locator = getattr(settings.services, role)
    if locator is None:
        raise SettingsInvalid(f"services.{role} is not set", f"write {role} = … in [services]: docs/services.md")
    kind, _, name = locator.partition(":")
    host, patience = service_host(settings, role), _patience(settings)
    match kind:
        case "systemd":
            return SystemdUnit(host, name, patience)
        case "docker":
            return DockerContainer(host, name, patience)
        case "compose":
            return ComposeService(
                host, name, patience, _compose_file(settings, role), settings.services.compose_project
            )
        case "kubernetes":
            rollout = Patience(settings.kubernetes.rollout_seconds, settings.services.stop_seconds)
            kind, _, name = name.partition("/")
            return KubernetesService(means.workloads(), kind, name, rollout)
    return _process(settings, role, host, means)


def service_host(settings: Settings, role: Role) -> Host:
    """Where the commands of a role's service run."""
    prefix = getattr(settings.services.prefixes, role)
    if prefix is None and role == "database":
        prefix = settings.database.command_prefix
    if prefix is None and role == "standby" and settings.standby:
        prefix = settings.standby.command_prefix
    return Host(needed_prefix(prefix or ()))


def _patience(settings: Settings) -> Patience:
    return Patience(settings.services.start_seconds, settings.services.stop_seconds)


def _compose_file(settings: Settings, role: Role) -> Path:
    if settings.services.compose_file is None:
        raise SettingsInvalid(
            f"services.{role} is a service of a compose file, and services.compose_file is not set",
            'write compose_file = "/…/docker-compose.yml" in [services]',
        )
    return settings.services.compose_file


def _process(settings: Settings, role: Role, host: Host, means: Means) -> Service:
    locator = getattr(settings.services, role)
    directory, patience = Path(locator.partition(":")[2]), _patience(settings)
    if role in ("database", "standby"):
        cluster = settings.database if role == "database" else settings.standby
        log_file = cluster.log_file if cluster else None
        return PostgresProcess(host, settings.database.bin_dir, directory, patience, log_file=log_file)
    if role == "redis":
        redis = settings.redis

        def endpoint() -> Endpoint:
            return Endpoint(redis.host, redis.port, means.reveal(redis.password))

        return RedisProcess(host, directory, patience, endpoint, log_file=redis.log_file)
    raise SettingsInvalid(
        f"services.{role}: {locator} can be PostgreSQL or Redis only", "write systemd:UNIT, docker:… or kubernetes:…"
    )
