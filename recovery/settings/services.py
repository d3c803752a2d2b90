"""What runs: the cache, the application, what plays which role, and our own server."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from recovery.settings.section import Port, Seconds, Section


class RedisSettings(Section):
    """The cache."""

    host: str = Field("localhost", description="address of the Redis server")
    port: Port = Field(6379, description="its TCP port")
    password: SecretStr | None = Field(None, description="its password or a reference")


class ServicesSettings(Section):
    """What plays each role, as KIND:NAME (docker, compose, systemd, kubernetes, process)."""

    database: str = Field("systemd:postgresql", description="the primary's service")
    standby: str | None = Field(None, description="the standby's service")
    redis: str = Field("kubernetes:deployment/clickview-redis", description="the cache")
    backend: str = Field("kubernetes:deployment/clickview-backend", description="the backend")
    frontend: str = Field("kubernetes:deployment/clickview-frontend", description="the frontend")


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
    version: str | None = Field(None, description="version noted on backups; unset: asked of the health check")


class ServerSettings(Section):
    """The Prefect server of `recover serve`."""

    host: str = Field("127.0.0.1", description="address to listen on; another than loopback needs api_password")
    port: Port = Field(4200, description="port of the UI and the API")
    api_password: SecretStr | None = Field(None, description="user:password that the API asks for, or a reference")
    run_as: str | None = Field(
        None, description="user of its own PostgreSQL when root serves (state_dir is root's); unset: postgres"
    )
