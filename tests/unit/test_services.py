"""From a locator to a service: which settings name one, where its commands run, who types them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from recovery.adapters.process import Host
from recovery.adapters.services import Means, locate_service
from recovery.adapters.services.compose import ComposeService
from recovery.adapters.services.docker import DockerContainer
from recovery.adapters.services.kubernetes import KubernetesService
from recovery.adapters.services.locator import service_host
from recovery.adapters.services.log_lines import last_lines, lines_since
from recovery.adapters.services.process import PostgresProcess
from recovery.adapters.services.reached import Patience
from recovery.adapters.services.redis_process import RedisProcess
from recovery.adapters.services.systemd import SystemdUnit
from recovery.errors import SettingsInvalid
from recovery.settings import Settings
from recovery.settings.services import Role, ServicesSettings
from tests.unit.build import settings

NOTHING: Any = Means(lambda: None, lambda _secret: None)  # type: ignore[arg-type,return-value]


def site(**services: Any) -> Settings:
    return settings(services=services)


@pytest.mark.parametrize(
    "locator",
    [
        "postgresql",
        "",
        "systemd:",
        "systemd:--now",
        "systemd:a b",
        "docker:-it",
        "docker:db;reboot",
        "docker:dätabase",
        "compose:",
        "kubernetes:clickview-backend",
        "kubernetes:pod/clickview-backend",
        "kubernetes:deployment/Backend",
        "process:data",
        "process:/var/lib\n/x",
        "podman:db",
    ],
)
def test_a_locator_that_names_no_service_is_a_wrong_setting(locator: str) -> None:
    with pytest.raises(ValidationError, match="write docker:CONTAINER, compose:SERVICE, systemd:UNIT, kubernetes"):
        ServicesSettings(redis=locator)


@pytest.mark.parametrize(
    ("role", "locator", "kind"),
    [
        ("database", "systemd:postgresql@15-main", SystemdUnit),
        ("database", "docker:clickview-db", DockerContainer),
        ("database", "process:/var/lib/postgresql/15/main", PostgresProcess),
        ("standby", "process:/var/lib/postgresql/15/main", PostgresProcess),
        ("redis", "process:/var/lib/redis", RedisProcess),
        ("redis", "systemd:redis-server", SystemdUnit),
        ("backend", "compose:backend", ComposeService),
        ("frontend", "kubernetes:deployment/clickview-frontend", KubernetesService),
    ],
)
def test_each_kind_has_its_adapter(role: Role, locator: str, kind: type) -> None:
    found = locate_service(site(**{role: locator}, compose_file="/srv/compose.yml"), role, NOTHING)
    assert type(found) is kind
    assert found.locator == locator


@pytest.mark.parametrize(
    ("role", "services", "problem"),
    [
        ("standby", {}, "services.standby is not set"),
        ("backend", {"backend": "compose:backend"}, "services.compose_file is not set"),
        ("backend", {"backend": "process:/srv/backend"}, "services.backend: process:/srv/backend can be PostgreSQL or Redis only"),
        ("redis", {"redis": "kubernetes:statefulset/redis"}, "kubernetes:statefulset/redis cannot be looked at"),
    ],
)  # fmt: skip
def test_what_cannot_play_a_role_is_refused(role: Role, services: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsInvalid) as told:
        locate_service(site(**services), role, NOTHING)
    assert problem in told.value.problem


def test_a_command_runs_where_the_service_is() -> None:
    ssh = ("ssh", "db1")
    made = settings(
        database={"command_prefix": ssh},
        standby={"command_prefix": ("ssh", "db2")},
        services={"prefixes": {"redis": ("ssh", "cache1"), "frontend": ()}},
    )
    prefixes = {
        role: service_host(made, role).prefix for role in ("database", "standby", "redis", "backend", "frontend")
    }
    assert prefixes == {
        "database": ssh,
        "standby": ("ssh", "db2"),
        "redis": ("ssh", "cache1"),
        "backend": (),
        "frontend": (),
    }
    here = settings(database={"command_prefix": ssh}, services={"prefixes": {"database": ()}})
    assert service_host(here, "database").prefix == ()


def test_log_lines_are_few_short_and_without_odd_bytes() -> None:
    text = "one\r\ntwo\x00\x1b[31m\u2028\tthree\n" + "x" * 5000 + "\n"
    assert last_lines(text, 3).split("\n") == ["one", "two\ufffd\ufffd[31m\ufffd\tthree", "x" * 4000 + " …"]
    assert last_lines("", 3) == ""
    assert last_lines("a\nb", 1) == "b"


def test_log_lines_before_a_moment_are_left_out_where_lines_tell_theirs() -> None:
    lines = ["DETAIL: of before", "2026-11-29 11:10:00.500 UTC [1] LOG: a", "  more of a"]
    lines += ["2026-11-29 11:11:00 UTC [1] LOG: b", "  more of b"]
    assert lines_since(lines, datetime(2026, 11, 29, 11, 10, 30, tzinfo=UTC)) == lines[3:]
    assert lines_since(lines, datetime(2026, 11, 29, 11, 12, tzinfo=UTC)) == []
    assert lines_since(lines, None) == lines
    unsaid = ["1:M 29 Nov 2026 11:30:22.885 # bye", "2026-11-29 11:10:00 CET [1] LOG: a", "2026-99-99 11:10:00 UTC x"]
    assert lines_since(unsaid, datetime(2026, 11, 30, tzinfo=UTC)) == unsaid


_SHOWS = r"LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=1%d\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("prefix", "who"),
    [
        (("setpriv", "--reuid=4711", "--clear-groups", "--"), "0"),
        (("runuser", "-u", "postgres", "--"), "0"),
        (("env", "setpriv", "--reuid=4711", "--clear-groups", "--"), "4711"),  # docker exec, ssh: another place
        # A program after it may lead to another machine, where this unit is another.
        (("setpriv", "--reuid=4711", "--clear-groups", "--", "env"), "4711"),
        (("setpriv", "--reuid", "4711", "--clear-groups", "env", "--"), "4711"),
        (("setpriv", "--reuid", "4711", "--clear-groups"), "0"),
        ((), "0"),
    ],
)
def test_a_unit_is_restarted_by_root_where_root_types_it(
    prefix: tuple[str, ...], who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program stands in for systemctl: it notes who called it, and shows another process after a restart."""
    told, program = Path("/tmp") / f"restarted-{os.getpid()}", tmp_path / "systemctl"
    show = f'if [ "$1" = show ]; then printf "{_SHOWS}" $(wc -l <{told}); else'
    program.write_text(f'#!/bin/sh\n{show} echo "$(id -u) $*" >>{told}; fi\n')
    program.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o005 != 0o005:  # the other user passes through
            folder.chmod(0o755)
    told.touch()
    told.chmod(0o666)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    try:
        SystemdUnit(Host(prefix), "postgresql", Patience(120, 120, steady=0)).restart()
        assert told.read_text() == f"{who} --no-ask-password restart postgresql\n"
    finally:
        told.unlink()
