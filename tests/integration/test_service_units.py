"""systemd:UNIT against programs that stand in for systemctl and journalctl.

systemd does not run on the machines where these tests do. What the stand-ins print is as systemctl(1),
systemd.exec(5), journalctl(1) and the D-Bus interface org.freedesktop.systemd1(5) say; the messages of
a machine without systemd were seen on the real programs (systemd 252).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from recovery.adapters.services.reached import Patience
from recovery.adapters.services.systemd import SystemdUnit
from recovery.errors import CommandFailed, GateRefused, SettingsInvalid, VerificationFailed
from tests.fix_stand_ins import StandIns

ENOUGH = Patience(120, 30, steady=0)
SOON = Patience(1, 1, steady=0.4)
NO_SYSTEMD = "System has not been booted with systemd as init system (PID 1). Can't operate.\nFailed to connect to bus: Host is down"
HINT = (
    "Hint: You are currently not seeing messages from other users and the system.\n"
    "      Users in groups 'adm', 'systemd-journal' can see all messages.\n"
    "      Pass -q to turn off this notice."
)


def unit(active: str = "active", sub: str = "running", **other: str) -> dict[str, str]:
    """As `systemctl show` shows a service that runs, but for what is told."""
    shown = {"Id": "redis-server.service", "LoadState": "loaded", "ActiveState": active, "SubState": sub}
    shown |= {"Result": "success", "NRestarts": "0", "MainPID": "812", "ExecMainStatus": "0"}
    shown |= {"ActiveEnterTimestamp": "Sun 2026-11-29 11:10:37 UTC", "RemainAfterExit": "no", "ConsistsOf": ""}
    return shown | {"StateChangeTimestamp": "Sun 2026-11-29 11:12:00 UTC"} | other


RUNS = unit()
AGAIN = unit(MainPID="901", ActiveEnterTimestamp="Sun 2026-11-29 11:20:00 UTC")
DEAD = unit("inactive", "dead", MainPID="0")
FAILED = unit("failed", "failed", MainPID="0", Result="exit-code", ExecMainStatus="3", NRestarts="5")
LOOPS = unit("activating", "auto-restart", MainPID="0", Result="exit-code", ExecMainStatus="3", NRestarts="7")
MASKED = unit("inactive", "dead", MainPID="0", LoadState="masked")
GROUP = unit("active", "exited", MainPID="0", RemainAfterExit="yes", ConsistsOf="postgresql@15-main.service")


def service(
    stand_ins: StandIns, patience: Patience = ENOUGH, journal: list[str] | None = None, **one: Any
) -> SystemdUnit:
    stand_ins.see(units={"redis-server": one}, journal=journal or [])
    return SystemdUnit(stand_ins.host, "redis-server", patience)


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (RUNS, ("running", 812, None, "")),
        (unit("reloading", "reload"), ("running", 812, None, "")),
        (unit("activating", "start"), ("starting", 812, None, "")),
        (LOOPS, ("restarting", None, 3, "systemd starts it again after exit-code, it ended with 3")),
        (unit("deactivating", "stop-sigterm"), ("stopping", 812, None, "")),
        (DEAD, ("stopped", None, 0, "")),
        (MASKED, ("stopped", None, 0, "it is masked")),
        (unit(LoadState="masked"), ("running", 812, None, "it is masked")),
        (FAILED, ("failed", None, 3, "exit-code, it ended with 3")),
        (unit("active", "exited", MainPID="0"), ("running", None, None, "its program has ended; systemd counts that as running")),
    ],
)  # fmt: skip
def test_what_systemd_shows_of_a_unit_is_told_apart(
    stand_ins: StandIns, shown: dict[str, str], told: tuple[object, ...]
) -> None:
    facts = service(stand_ins, looks=[shown]).read_facts()
    assert (facts.state, facts.pid, facts.exit_code, facts.detail) == told
    moment = datetime(2026, 11, 29, 11, 12 if facts.state in ("stopped", "failed", "restarting") else 10, tzinfo=UTC)
    assert facts.since is not None and facts.since.replace(second=0) == moment


def test_a_unit_is_stopped_started_and_restarted_and_what_is_so_already_is_left_alone(stand_ins: StandIns) -> None:
    one = service(stand_ins, looks=[RUNS], stop=[unit("deactivating", "stop-sigterm"), DEAD], start=[AGAIN])
    one.start()
    assert stand_ins.calls("show") == []
    one.stop()
    one.stop()
    assert stand_ins.calls("show") == ["systemctl --no-ask-password stop redis-server"]
    one.start()
    assert stand_ins.calls("show") == ["systemctl --no-ask-password start redis-server"]
    one = service(stand_ins, looks=[RUNS], restart=[RUNS, unit("activating", "start"), AGAIN])
    one.restart()
    assert one.read_facts().pid == 901


def test_one_that_failed_too_often_is_started_all_the_same(stand_ins: StandIns) -> None:
    one = service(stand_ins, looks=[FAILED], start=[AGAIN], restart=[AGAIN])
    one.start()
    assert stand_ins.calls("show") == [
        "systemctl --no-ask-password reset-failed redis-server",
        "systemctl --no-ask-password start redis-server",
    ]


def test_one_that_systemd_starts_again_and_again_does_not_run(stand_ins: StandIns) -> None:
    looks = [unit(MainPID=str(900 + number)) if number % 2 else LOOPS for number in range(40)]
    line = "2026-11-29T11:12:00+0000 cache1 redis-server[901]: Can't open the append-only file"
    with pytest.raises(VerificationFailed) as told:
        service(stand_ins, SOON, looks=looks, journal=[line]).start()
    assert told.value.problem.startswith("systemd:redis-server does not run: it is r")
    assert told.value.problem.endswith(f"its last log lines:\n{line}")


def test_a_start_that_fails_and_a_stop_that_hangs_are_told_with_log_lines(stand_ins: StandIns) -> None:
    said = "Job for redis-server.service failed because the control process exited with error code."
    with pytest.raises(VerificationFailed) as told:
        service(stand_ins, looks=[DEAD], start=[FAILED], **{"start says": said}).start()
    assert told.value.problem == (
        f"systemd:redis-server does not run: it is failed, exit-code, it ended with 3\n{said}\nits log is empty"
    )
    with pytest.raises(VerificationFailed, match="did not stop: it is stopping"):
        service(stand_ins, SOON, looks=[RUNS], stop=[unit("deactivating", "stop-sigterm")]).stop()


def test_a_masked_unit_is_not_started(stand_ins: StandIns) -> None:
    one = service(stand_ins, looks=[MASKED])
    for act in (one.start, one.restart):
        with pytest.raises(GateRefused) as told:
            act()
        assert told.value.next_step == "if that is over: systemctl unmask redis-server"
    assert stand_ins.calls("show") == []


def test_debians_postgresql_is_as_well_as_the_cluster_that_it_groups(stand_ins: StandIns) -> None:
    """postgresql.service is /bin/true with RemainAfterExit: it counts as active when its cluster is down."""
    member = {
        "looks": [unit("failed", "failed", Result="exit-code", ExecMainStatus="1")],
        "start": [RUNS],
        "stop": [DEAD],
    }
    stand_ins.see(units={"postgresql": {"looks": [GROUP]}, "postgresql@15-main.service": member})
    one = SystemdUnit(stand_ins.host, "postgresql", ENOUGH)
    assert (one.read_facts().state, one.read_facts().detail) == ("failed", "exit-code, it ended with 1")
    one.start()
    assert one.read_facts().pid == 812
    one.stop()
    names = "postgresql postgresql@15-main.service"
    assert stand_ins.calls("show") == [
        f"systemctl --no-ask-password reset-failed {names}",
        f"systemctl --no-ask-password start {names}",
        f"systemctl --no-ask-password stop {names}",
    ]
    assert one.read_facts().state == "stopped"
    one.read_log(lines=5)
    assert stand_ins.calls("show") == [
        "journalctl -u postgresql -u postgresql@15-main.service -n 5 -o short-iso --no-pager"
    ]


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [
        (NO_SYSTEMD, SettingsInvalid, "systemd does not run where systemctl is asked"),
        ("Failed to connect to bus: Permission denied", SettingsInvalid, "systemd does not run where"),
        ("Failed to get properties: Access denied", CommandFailed, "systemctl ended with status 1"),
    ],
)
def test_what_cannot_be_looked_at_is_an_error_and_not_stopped(
    stand_ins: StandIns, says: str, error: type[Exception], words: str
) -> None:
    stand_ins.see(says=says)
    one = SystemdUnit(stand_ins.host, "redis-server", ENOUGH)
    for act in (one.read_facts, one.start, one.stop, one.restart):
        with pytest.raises(error, match=words):
            act()
    assert stand_ins.calls("show") == []


def test_a_unit_that_is_not_there_is_a_wrong_setting(stand_ins: StandIns) -> None:
    stand_ins.see(units={})
    with pytest.raises(SettingsInvalid, match="systemd knows no unit redis-server"):
        SystemdUnit(stand_ins.host, "redis-server", ENOUGH).stop()


def test_a_refusal_by_systemd_is_told(stand_ins: StandIns) -> None:
    says = "Failed to stop redis-server.service: Interactive authentication required."
    with pytest.raises(VerificationFailed, match="Interactive authentication required"):
        service(stand_ins, looks=[RUNS], **{"stop says": says}).stop()


def test_the_journal_is_read_and_one_that_may_not_be_read_is_not_empty(stand_ins: StandIns) -> None:
    lines = [f"2026-11-29T11:12:0{number}+0000 cache1 redis-server[901]: line {number}" for number in range(5)]
    one = service(stand_ins, looks=[RUNS], journal=lines)
    assert one.read_log(lines=2, since=datetime(2026, 11, 29, 11, 12, tzinfo=UTC)) == "\n".join(lines[-2:])
    assert stand_ins.calls("show") == [
        "journalctl -u redis-server -n 2 -o short-iso --no-pager --since 2026-11-29 11:12:00"
    ]
    assert service(stand_ins, looks=[RUNS]).read_log(lines=2) == ""
    stand_ins.see(units={"redis-server": {"looks": [RUNS]}}, hint=HINT)
    with pytest.raises(SettingsInvalid, match="this user may not read the journal"):
        one.read_log(lines=2)
