"""docker:NAME and compose:SERVICE against programs that stand in for docker and docker-compose.

What they print was copied from docker 20.10.24 and docker-compose 1.29.2 (Debian 12) with containers
that run, crash, ignore SIGTERM, fail their health check, cannot be started: the same adapter was run
against that dockerd. `docker compose` (version 2) is as its reference says.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from recovery.adapters.process import Host
from recovery.adapters.services.compose import ComposeService
from recovery.adapters.services.containers import container_facts, outside
from recovery.adapters.services.docker import DockerContainer
from recovery.adapters.services.reached import Patience
from recovery.errors import CommandFailed, SettingsInvalid, TargetUnreachable, VerificationFailed
from tests.fix_stand_ins import StandIns

ENOUGH = Patience(120, 30, steady=0)
SOON = Patience(1, 1, steady=0.4)
LOOKS = ("inspect", "logs", "version", "ps --all")
NEVER = "0001-01-01T00:00:00Z"
FILE = Path("/srv/clickview/docker-compose.yml")


def container(restarts: int = 0, health: dict[str, Any] | None = None, **state: Any) -> dict[str, Any]:
    """As `docker container inspect` shows one that runs, but for what is told."""
    running = {"Status": "running", "Running": True, "Paused": False, "Restarting": False, "OOMKilled": False}
    running |= {"Dead": False, "Pid": 5945, "ExitCode": 0, "Error": ""}
    running |= {"StartedAt": "2026-11-29T11:16:03.428636412Z", "FinishedAt": NEVER}
    return {"State": running | state | ({"Health": health} if health else {}), "RestartCount": restarts}


def ended(code: int = 0, **state: Any) -> dict[str, Any]:
    finished = {"FinishedAt": "2026-11-29T11:16:23.455695971Z"}
    return container(**{"Status": "exited", "Running": False, "Pid": 0, "ExitCode": code} | finished | state)


RUNS = container()
AGAIN = container(Pid=7894, StartedAt="2026-11-29T11:16:27.557511728Z")
CRASHES = container(8, Status="restarting", Restarting=True, Pid=0, ExitCode=3)
PAUSED = container(Status="paused", Paused=True)
CREATED = ended(Status="created", StartedAt=NEVER, FinishedAt=NEVER)
NO_PROGRAM = 'failed to create shim task: exec: "/nosuch": stat /nosuch: no such file or directory: unknown'
UNHEALTHY = {"Status": "unhealthy", "Log": [{"ExitCode": 1, "Output": "cat: can't open '/tmp/ok'\n"}]}


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (RUNS, ("running", None, None, "")),
        (container(3), ("running", None, None, "dockerd started it again 3 times")),
        (container(health={"Status": "starting", "Log": []}), ("starting", None, None, "its health check has not passed yet")),
        (container(health={"Status": "healthy", "Log": []}), ("running", True, None, "")),
        (container(health=UNHEALTHY), ("running", False, None, "its health check fails: cat: can't open '/tmp/ok'")),
        (CRASHES, ("restarting", None, None, "dockerd started it again 8 times; it ended with 3 the last time")),
        (PAUSED, ("paused", None, None, "frozen by docker pause")),
        (CREATED, ("stopped", None, None, "it was never started")),
        (ended(127, Status="created", Error=NO_PROGRAM, FinishedAt=NEVER), ("failed", None, None, NO_PROGRAM)),
        (ended(0), ("stopped", None, 0, "")),
        (ended(143), ("stopped", None, 143, "")),
        (ended(3), ("failed", None, 3, "it ended with 3")),
        (ended(137), ("failed", None, 137, "it was killed (SIGKILL)")),
        (ended(137, OOMKilled=True), ("failed", None, 137, "it was killed: out of memory")),
        (container(Status="removing"), ("stopping", None, None, "it is being removed")),
        (ended(0, Status="dead"), ("failed", None, 0, "it ended with 0")),
    ],
)  # fmt: skip
def test_what_docker_shows_of_a_container_is_told_apart(shown: dict[str, Any], told: tuple[object, ...]) -> None:
    facts = container_facts(shown, "docker:clickview-db")
    assert (facts.state, facts.healthy, facts.exit_code, facts.detail) == told


def test_since_is_when_it_started_or_ended() -> None:
    assert container_facts(RUNS, "").since == datetime(2026, 11, 29, 11, 16, 3, 428636, tzinfo=UTC)
    assert container_facts(ended(), "").since == datetime(2026, 11, 29, 11, 16, 23, 455695, tzinfo=UTC)
    assert container_facts(CREATED, "").since is None
    assert (container_facts(RUNS, "").pid, container_facts(ended(), "").pid) == (5945, None)


def docker(stand_ins: StandIns, patience: Patience = ENOUGH, **one: Any) -> DockerContainer:
    stand_ins.see(containers={"clickview-db": {"log": [], **one}})
    return DockerContainer(stand_ins.host, "clickview-db", patience)


def test_a_container_is_stopped_started_and_restarted_and_what_is_so_already_is_left_alone(stand_ins: StandIns) -> None:
    service = docker(stand_ins, looks=[RUNS], stop=[ended()], start=[AGAIN], restart=[RUNS, AGAIN])
    service.start()
    assert stand_ins.calls(*LOOKS) == []
    service.stop()
    service.stop()
    assert stand_ins.calls(*LOOKS) == ["docker stop -t 30 clickview-db"]
    service.start()
    assert stand_ins.calls(*LOOKS) == ["docker start clickview-db"]
    assert service.read_facts().pid == 7894
    service = docker(stand_ins, looks=[RUNS], restart=[RUNS, RUNS, AGAIN])
    service.restart()  # and it waits until another process runs
    assert stand_ins.calls(*LOOKS) == ["docker restart -t 30 clickview-db"]
    assert service.read_facts().pid == 7894


def test_a_paused_container_is_thawed_and_one_that_crashes_is_not_taken_for_running(stand_ins: StandIns) -> None:
    docker(stand_ins, looks=[PAUSED], unpause=[RUNS]).start()
    assert stand_ins.calls(*LOOKS) == ["docker unpause clickview-db"]

    between = [container(number, Pid=6000 + number) if number % 2 else CRASHES for number in range(40)]
    log = [["out", "2026-11-29T11:16:11.350443178Z dying"], ["err", "2026-11-29T11:16:11.350443179Z for good"]]
    with pytest.raises(VerificationFailed) as told:
        docker(stand_ins, SOON, looks=between, log=log).start()
    assert told.value.problem.startswith("docker:clickview-db does not run: it is r")
    assert told.value.problem.endswith(
        "its last log lines:\n2026-11-29T11:16:11.350443178Z dying\n2026-11-29T11:16:11.350443179Z for good"
    )
    assert stand_ins.calls(*LOOKS) == []  # dockerd starts it by itself


def test_one_that_ends_at_once_or_cannot_be_started_or_is_not_healthy_is_told(stand_ins: StandIns) -> None:
    with pytest.raises(VerificationFailed, match="does not run: it is failed, it ended with 3\nits log is empty"):
        docker(stand_ins, looks=[ended(3)]).start()
    said = f"Error response from daemon: {NO_PROGRAM}\nError: failed to start containers: clickview-db"
    with pytest.raises(VerificationFailed, match="Error: failed to start containers: clickview-db\nits log"):
        docker(stand_ins, looks=[ended(127, Error=NO_PROGRAM)], **{"start says": said}).start()
    with pytest.raises(VerificationFailed, match="it is running, its health check fails: cat"):
        docker(stand_ins, SOON, looks=[container(health=UNHEALTHY)]).start()
    with pytest.raises(VerificationFailed, match="did not stop: it is running"):
        docker(stand_ins, SOON, looks=[RUNS]).stop()


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
         TargetUnreachable, "dockerd does not answer: Cannot connect"),
        ("permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: dial",
         SettingsInvalid, "this user may not ask dockerd"),
        ("Error response from daemon: something else", CommandFailed, "docker ended with status 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_looked_at_is_an_error_and_not_stopped(
    stand_ins: StandIns, says: str, error: type[Exception], words: str
) -> None:
    stand_ins.see(says=says)
    service = DockerContainer(stand_ins.host, "clickview-db", ENOUGH)
    for act in (service.read_facts, service.start, service.stop, service.restart):
        with pytest.raises(error, match=words):
            act()
    assert stand_ins.calls(*LOOKS) == []


def test_a_container_that_is_not_there_is_a_wrong_setting(stand_ins: StandIns) -> None:
    stand_ins.see(containers={})
    with pytest.raises(SettingsInvalid, match="No such container: clickview-db"):
        DockerContainer(stand_ins.host, "clickview-db", ENOUGH).stop()
    (stand_ins.folder / "docker").unlink()
    nowhere = Host(("env", f"PATH={stand_ins.folder}:/nowhere", "/usr/bin/env"))
    with pytest.raises(SettingsInvalid, match=r"setpriv|docker"):
        DockerContainer(nowhere, "clickview-db", ENOUGH).read_facts()


def test_log_lines_of_both_streams_are_in_the_order_of_their_moments(stand_ins: StandIns) -> None:
    lines = [["out", f"2026-11-29T11:16:0{number}.000000000Z line {number}"] for number in range(0, 9, 2)]
    lines += [["err", f"2026-11-29T11:16:0{number}.000000000Z line {number} \x1b[0m"] for number in range(1, 9, 2)]
    service = docker(stand_ins, looks=[RUNS], log=lines)
    said = service.read_log(lines=3, since=datetime(2026, 11, 29, 11, 16, tzinfo=UTC)).splitlines()
    assert [line.partition(" ")[2] for line in said] == ["line 6", "line 7 \ufffd[0m", "line 8"]
    assert stand_ins.calls("inspect") == ["docker logs --timestamps --tail 3 --since 2026-11-29T11:16:00Z clickview-db"]


@pytest.mark.parametrize(
    ("prefix", "left"),
    [
        (("docker", "exec", "-u", "postgres", "db"), ()),
        (("ssh", "db1", "docker", "exec", "db"), ("ssh", "db1")),
        (("env", "DOCKER_HOST=ssh://db1", "docker", "exec", "db"), ("env", "DOCKER_HOST=ssh://db1")),
        (("sudo", "-n"), ("sudo", "-n")),
    ],
)
def test_docker_is_asked_outside_of_the_container_that_the_prefix_leads_into(
    prefix: tuple[str, ...], left: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 26)
    assert outside(Host(prefix)).prefix == left


def compose(stand_ins: StandIns, *, plugin: bool, **state: Any) -> ComposeService:
    if not plugin:
        stand_ins.install("docker-compose")
    stand_ins.see(file=str(FILE), plugin=plugin, **state)
    return ComposeService(stand_ins.host, "backend", ENOUGH, FILE, "clickview")


@pytest.mark.parametrize("plugin", [True, False])
def test_a_service_of_a_compose_file_is_made_started_stopped_and_restarted(stand_ins: StandIns, plugin: bool) -> None:
    one = {"looks": [CREATED], "start": [RUNS], "stop": [ended()], "restart": [AGAIN], "log": []}
    service = compose(
        stand_ins, plugin=plugin, services={"backend": []}, made={"backend": ["c1"]}, containers={"c1": one}
    )
    program = "docker compose" if plugin else "docker-compose"
    project = f"{program} -f {FILE} -p clickview"
    facts = service.read_facts()
    assert (facts.state, facts.detail) == ("stopped", "it has no container")
    service.start()
    assert stand_ins.calls(*LOOKS) == [f"{project} up --detach --no-deps --no-recreate backend"]
    service.start()
    service.stop()
    service.stop()
    assert stand_ins.calls(*LOOKS) == ["docker stop -t 30 c1"]
    service.restart()
    assert stand_ins.calls(*LOOKS) == ["docker restart -t 30 c1"]


def test_one_of_two_containers_is_down(stand_ins: StandIns) -> None:
    containers = {"c1": {"looks": [RUNS], "log": []}, "c2": {"looks": [ended(3)], "start": [AGAIN], "log": []}}
    names = {"backend": ["c1", "c2"]}
    service = compose(stand_ins, plugin=True, services=names, made=names, containers=containers)
    facts = service.read_facts()
    assert (facts.state, facts.healthy, facts.detail) == ("running", False, "1 of 2 run, it ended with 3")
    service.start()
    assert (service.read_facts().state, service.read_facts().detail) == ("running", "2 of 2 run")


def test_compose_that_is_not_there_and_a_service_that_is_not_in_its_file(stand_ins: StandIns) -> None:
    with pytest.raises(SettingsInvalid, match="No such service: backend"):
        compose(stand_ins, plugin=True, services={}).read_facts()
    stand_ins.see(plugin=False)
    with pytest.raises(SettingsInvalid, match="docker compose is not installed where it should run"):
        ComposeService(stand_ins.host, "backend", ENOUGH, FILE).read_facts()
