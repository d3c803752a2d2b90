"""What runs: the cache, the application, what plays which role, and our own server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from recovery.settings.section import Port, Seconds, Section


class RedisSettings(Section):
    """The cache."""

    host: str = Field("localhost", description="address of the Redis server")
    port: Port = Field(6379, description="its TCP port")
    password: SecretStr | None = Field(None, description="its password or a reference")
    user: str | None = Field(None, description="its ACL user; unset: the default one")
    tls: bool = Field(False, description="whether it is reached by TLS, as ElastiCache often is")
    ca_file: Path | None = Field(None, description="certificate authority of that; unset: the system's")
    log_file: Path | None = Field(
        None, description="its log; unset: the logfile of redis.conf, else redis.log beside it"
    )


# What a locator of each kind may name; nothing that a program could take for an option.
_LOCATORS = {
    "docker": r"[A-Za-z0-9][\w.-]*",
    "compose": r"[A-Za-z0-9][\w.-]*",
    "systemd": r"[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\@-]*",
    "kubernetes": r"(deployment|statefulset)/[a-z0-9]([-a-z0-9.]*[a-z0-9])?",
    "process": r"/[^\x00-\x1f]+",
}
_FORMS = "docker:CONTAINER, compose:SERVICE, systemd:UNIT, kubernetes:deployment/NAME or process:/DIRECTORY"


def _locator(text: str) -> str:
    kind, _, name = text.partition(":")
    if kind not in _LOCATORS or not re.fullmatch(_LOCATORS[kind], name, re.ASCII):
        raise PydanticCustomError("locator", "No service is written like this: write {forms}", {"forms": _FORMS})
    return text


Locator = Annotated[str, AfterValidator(_locator)]
Role = Literal["database", "standby", "redis", "backend", "frontend"]
_Prefix = tuple[str, ...] | None


class ServicePrefixes(Section):
    """How a command is run where each service is, e.g. ["ssh", "cache1"]."""

    database: _Prefix = Field(None, description="of the primary's service; unset: database.command_prefix")
    standby: _Prefix = Field(None, description="of the standby's service; unset: standby.command_prefix")
    redis: _Prefix = Field(None, description="of the cache; unset: here")
    backend: _Prefix = Field(None, description="of the backend; unset: here")
    frontend: _Prefix = Field(None, description="of the frontend; unset: here")


class ServicesSettings(Section):
    """What plays each role, as KIND:NAME (docker, compose, systemd, kubernetes, process)."""

    database: Locator = Field("systemd:postgresql", description="the primary's service")
    standby: Locator | None = Field(None, description="the standby's service")
    redis: Locator = Field("kubernetes:deployment/clickview-redis", description="the cache")
    backend: Locator = Field("kubernetes:deployment/clickview-backend", description="the backend")
    frontend: Locator = Field("kubernetes:deployment/clickview-frontend", description="the frontend")
    compose_file: Path | None = Field(None, description="the compose file of compose:SERVICE, where the command runs")
    compose_project: str | None = Field(
        None, pattern=r"^[a-z0-9][a-z0-9_-]*$", description="its project; unset: the name of the file's folder"
    )
    start_seconds: Seconds = Field(300, description="how long a start may take, with crash recovery or loading")
    stop_seconds: Seconds = Field(
        120, description="how long a stop in order may take; docker kills what does not end by then"
    )
    prefixes: ServicePrefixes = Field(ServicePrefixes(), description="how a command is run where each service is")


class KubernetesSettings(Section):
    """The cluster that the application runs in."""

    kubeconfig: Path | None = Field(
        None, description="kubeconfig file; unset: this pod's service account, else ~/.kube/config"
    )
    context: str | None = Field(None, description="context of the kubeconfig; unset: its current one")
    namespace: str | None = Field(
        None,
        pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        description="namespace of the application; unset: that of the context",
    )
    request_seconds: Seconds = Field(10, description="how long one answer of the API server may take")
    rollout_seconds: Seconds = Field(600, description="how long a rollout may take")


class ApplicationSettings(Section):
    """The application as its users see it."""

    health_url: str = Field("https://api.clickview.app/health", pattern=r"^https?://", description="health check")
    frontend_url: str | None = Field(
        None, pattern=r"^https?://", description="a page of the frontend; unset: its pods alone say how it is"
    )
    version: str | None = Field(None, description="version noted on backups; unset: asked of the health check")


class ServerSettings(Section):
    """The Prefect server of `recover serve`."""

    host: str = Field("127.0.0.1", description="address to listen on; another than loopback needs api_password")
    port: Port = Field(4200, description="port of the UI and the API")
    api_password: SecretStr | None = Field(None, description="user:password that the API asks for, or a reference")
    run_as: str | None = Field(
        None, description="user of its own PostgreSQL when root serves (state_dir is root's); unset: postgres"
    )
