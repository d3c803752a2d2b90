"""The services of a sandbox, by the locators in its recovery.toml: recovery and sandbox see the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from recovery.settings import load_settings
from recovery.settings.services import Role
from recovery.site import Site
from sandbox import services, site
from sandbox.layout import Sandbox
from tests.fix_sandbox import ask
from tests.waiting import until

SERVERS: dict[Role, str] = {"database": "primary", "standby": "standby", "redis": "redis"}


def seen(sandbox: Sandbox) -> dict[str, tuple[str, int | None]]:
    return {one.name: (one.state, one.pid) for one in site.status(sandbox)}


@pytest.fixture
def at(sandbox: Sandbox) -> Iterator[Site]:
    yield Site(load_settings(sandbox.settings_file, {}))
    for name in SERVERS.values():
        site.start_service(sandbox, name)
    site.wait_until_healthy(sandbox)


@pytest.mark.parametrize("role", ["redis", "standby"])
def test_what_recovery_stops_and_restarts_the_sandbox_sees_and_the_other_way_round(
    sandbox: Sandbox, at: Site, role: Role
) -> None:
    service, name = at.service(role), SERVERS[role]
    facts = service.read_facts()
    assert (facts.state, facts.pid) == ("running", seen(sandbox)[name][1])

    service.stop()
    assert service.read_facts().state == "stopped"
    assert seen(sandbox)[name] == ("down", None)
    service.restart()
    pid = service.read_facts().pid
    until(lambda: seen(sandbox)[name] == ("up", pid), what=f"{name} to answer")

    services.stop(services.find(sandbox, name))
    assert service.read_facts().state == "stopped"
    site.start_service(sandbox, name)
    until(lambda: service.read_facts().state == "running", what=f"{name} to run again")
    assert service.read_facts().pid == seen(sandbox)[name][1]
    assert service.read_log(lines=3)


def test_after_a_restart_the_data_is_there_and_the_application_works(sandbox: Sandbox, at: Site) -> None:
    client = redis.Redis(port=sandbox.ports["redis"], password=sandbox.secret("redis"))
    client.set("of-a-test", "kept")
    at.service("redis").restart()
    assert client.getdel("of-a-test") == b"kept"
    at.service("standby").restart()
    until(lambda: ask(sandbox, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"), what="the stream")
    site.wait_until_healthy(sandbox)
