"""Deployments and the server around them, as far as no server is needed."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from checks.parameters import LARGEST_NUMBER, LONGEST_TEXT, TEXT_PATTERN, parameter_values_refusal
from deployments.catalogue import strict_schema
from deployments.flow_runs import FlowRuns
from deployments.outcomes import told_outcome
from deployments.own_postgres import OwnPostgres, names_a_dead_process, running_postgres
from deployments.past_runs import read_past_run
from deployments.place import place_of, server_environment, worker_environment
from deployments.processes import flow_run_processes
from deployments.serve import _is_taken
from recovery.errors import Interrupted, SettingsInvalid
from recovery.settings import Settings
from tests.waiting import until

ROOT = Path(__file__).parents[2]
NEVER = 2**22  # no process has this id


def settings(tmp_path: Path, **server: object) -> Settings:
    return Settings.model_validate(
        {
            "site": {"state_dir": str(tmp_path)},
            "backup": {"encryption_key": "0123456789", "primary": {"bucket": "bucket"}},
            "server": server,
        }
    )


def deployments() -> list[dict[str, object]]:
    found: list[dict[str, object]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    return found


def test_every_runbook_is_deployed_under_its_own_name() -> None:
    runbooks = {
        f"flows.{file.stem}.{match[1]}"
        for file in (ROOT / "flows").glob("*.py")
        for match in re.finditer(r"^@runbook\(.*\)\ndef (\w+)", file.read_text(), re.MULTILINE)
    }
    assert {one["entrypoint"] for one in deployments()} == runbooks
    for one in deployments():
        assert str(one["entrypoint"]).rpartition(".")[2].replace("_", "-") == one["name"]


def test_every_schedule_has_a_name_and_says_utc() -> None:
    for one in deployments():
        schedules = one.get("schedules", [])
        assert isinstance(schedules, list)
        for schedule in schedules:
            assert schedule["slug"]
            assert schedule["timezone"] == "UTC"
            assert "UTC" in str(one["description"])


def test_address_open_to_others_needs_a_password(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        place_of(settings(tmp_path, host="0.0.0.0"), None)
    assert str(refused.value) == (
        "server.host is 0.0.0.0: whoever reaches it could start a restore without a password\n"
        "NEXT: set api_password in [server], or leave host at 127.0.0.1 and use an ssh tunnel"
    )
    place = place_of(settings(tmp_path, host="0.0.0.0"), "operator:long-secret")
    assert place.url == "http://127.0.0.1:4200"
    assert server_environment(place, "postgresql://")["PREFECT_SERVER_API_AUTH_STRING"] == "operator:long-secret"
    assert worker_environment(place)["PREFECT_API_AUTH_STRING"] == "operator:long-secret"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_loopback_needs_no_password(tmp_path: Path, host: str) -> None:
    assert "PREFECT_SERVER_API_AUTH_STRING" not in server_environment(place_of(settings(tmp_path, host=host), None), "")


def test_settings_of_the_user_s_own_prefect_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "of-somebody")
    monkeypatch.setenv("PREFECT_API_URL", "https://elsewhere.example/api")
    environment = worker_environment(place_of(settings(tmp_path), None))
    assert "PREFECT_API_KEY" not in environment
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert environment["PREFECT_HOME"] == str(tmp_path / "prefect" / "home")


@pytest.mark.parametrize("password", ["no-colon", ":no-user", "no-password:"])
def test_a_password_without_its_user_is_refused(tmp_path: Path, password: str) -> None:
    with pytest.raises(SettingsInvalid, match="api_password is not of the form user:password"):
        place_of(settings(tmp_path), password)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "postmaster.pid"


def program(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()", *words], stdin=subprocess.PIPE)


def test_the_postgresql_that_wrote_the_lock_file_is_waited_for(lock: Path) -> None:
    with program("-D", str(lock.parent)) as postgres:
        lock.write_text(f"{postgres.pid}\n{lock.parent}\n1\n")  # the clock was set: it seems to have begun later
        assert until(lambda: running_postgres(lock)) == postgres.pid  # its command shows a moment after it began
        postgres.kill()
    assert running_postgres(lock) is None


def test_a_program_that_has_its_number_by_now_is_not(lock: Path) -> None:
    with program() as other:
        lock.write_text(f"{other.pid}\n{lock.parent}\n{time.time() - 3600}\n")
        assert running_postgres(lock) is None
        lock.write_text(f"{other.pid}\n{lock.parent}\n{time.time() + 1}\n")  # its command may be written otherwise
        assert running_postgres(lock) == other.pid
        other.kill()


@pytest.mark.parametrize("text", ["", "1", "x\n/data\n1\n", "-1\n/data\n1\n", "0\n/data\n1\n"])
def test_a_lock_file_that_says_nothing_names_nobody(lock: Path, text: str) -> None:
    assert running_postgres(lock) is None
    lock.write_text(text)
    assert running_postgres(lock) is None
    assert not names_a_dead_process(lock)


def test_a_lock_file_that_cannot_be_read_is_no_lock_of_nobody(lock: Path) -> None:
    """Its server may be running: who takes it for gone removes the lock from under it."""
    lock.mkdir()
    for look in (running_postgres, names_a_dead_process):
        with pytest.raises(SettingsInvalid) as refused:
            look(lock)
        assert refused.value.problem.startswith(f"{lock} cannot be read: ")


def test_runs_are_not_taken_for_dead_when_the_kernel_could_not_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All file descriptors in use: every process seemed gone, and every run was set to Crashed."""

    def read_bytes(path: Path) -> bytes:
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(OSError, match="Too many open files"):
        flow_run_processes(tmp_path)


def test_what_names_a_process_that_is_gone_is_left_to_postgresql(lock: Path) -> None:
    lock.write_text(f"{NEVER}\n/data\n1\n")
    assert names_a_dead_process(lock)
    lock.write_text(f"{os.getpid()}\n/data\n1\n")
    assert not names_a_dead_process(lock)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "", "::"])
def test_a_port_is_taken_while_somebody_listens(host: str) -> None:
    family = socket.AF_INET6 if host == "::" else socket.AF_INET
    try:
        listener = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener:
        port = listener.getsockname()[1]
        assert _is_taken(host, port)
    assert not _is_taken(host, port)
    assert not _is_taken("no-such-host.invalid", port)


def journal(folder: Path, *entries: dict[str, object]) -> Path:
    folder.mkdir()
    lines = [json.dumps({"at": f"2020-01-15T10:30:0{n}+00:00", **entry}) for n, entry in enumerate(entries)]
    (folder / "journal.jsonl").write_text("\n".join(lines) + "\n")
    return folder


BEGIN = {"event": "run begin", "runbook": "backup_check", "parameters": {"repo": "1"}, "pid": NEVER}


@pytest.mark.parametrize(
    ("end", "state", "message"),
    [
        ({"event": "run done"}, "COMPLETED", "run without the server"),
        ({"event": "run failed", "error": "GateRefused: no"}, "FAILED", "GateRefused: no"),
        ({"event": "run failed", "error": "Stopped: stopped by Ctrl-C"}, "CANCELLED", "Stopped: stopped by Ctrl-C"),
        ({"event": "note"}, "CRASHED", "its process was gone before it ended (run without the server)"),
    ],
)
def test_past_run_is_read_from_its_journal(tmp_path: Path, end: dict[str, object], state: str, message: str) -> None:
    run = read_past_run(journal(tmp_path / "one", BEGIN, end))
    assert run is not None
    assert (run.flow, run.parameters, run.state, run.message) == ("backup-check", {"repo": "1"}, state, message)
    assert (run.end - run.begin).total_seconds() == 1


def test_run_that_goes_on_is_not_past(tmp_path: Path) -> None:
    now = {"at": datetime.now(UTC).isoformat()}
    assert read_past_run(journal(tmp_path / "one", BEGIN | {"pid": os.getpid()} | now, {"event": "note"} | now)) is None


def test_later_process_with_the_same_id_is_not_the_run(tmp_path: Path) -> None:
    run = read_past_run(journal(tmp_path / "one", BEGIN | {"pid": os.getpid()}, {"event": "note"}))
    assert run is not None
    assert run.state == "CRASHED"


def test_the_end_that_the_server_did_not_hear_is_in_the_journal(tmp_path: Path) -> None:
    """A restore that was done while the server was away was shown as crashed."""
    journal(tmp_path / "one", BEGIN | {"flow_run_id": "other"}, {"event": "note"})
    journal(tmp_path / "two", BEGIN | {"flow_run_id": "this"}, {"event": "run done"})
    assert told_outcome(tmp_path, "this") == ("COMPLETED", "")
    assert told_outcome(tmp_path, "other") == ("", "")
    assert told_outcome(tmp_path / "none", "this") == ("", "")


def cancelled(pid: object, run_id: str = "this") -> dict[str, Any]:
    return {
        "id": run_id, "name": "restore", "tags": ["command"], "state": {"type": "CANCELLING"},
        "infrastructure_pid": f"{socket.gethostname()}:{pid}", "created": datetime.now(UTC).isoformat(),
    }  # fmt: skip


def test_only_the_process_that_its_journal_names_is_stopped_for_a_cancelled_run(tmp_path: Path) -> None:
    """Any process of a user could be ended by who may create a run in the server."""
    flow_runs = FlowRuns(place_of(settings(tmp_path), None))
    runs = tmp_path / "runs"
    runs.mkdir()
    with program() as bystander, program() as command:
        now = {"at": datetime.now(UTC).isoformat(), "flow_run_id": "this", "pid": command.pid}
        flow_runs._stop_cancelled_commands([cancelled(bystander.pid)])
        journal(runs / "one", BEGIN | now)
        flow_runs._stop_cancelled_commands([cancelled(bystander.pid), cancelled(bystander.pid, "other")])
        flow_runs._stop_cancelled_commands([cancelled("none"), cancelled("-1"), cancelled(NEVER)])
        assert (bystander.poll(), command.poll()) == (None, None)
        flow_runs._stop_cancelled_commands([cancelled(command.pid)])
        until(lambda: command.poll() is not None)
        assert bystander.poll() is None
        bystander.kill()


def test_a_stop_ends_the_wait_for_an_older_postgresql(tmp_path: Path) -> None:
    """`recover serve` could not be stopped for two and a half minutes."""
    postgres = OwnPostgres(place_of(settings(tmp_path), None))
    postgres.data_dir.mkdir(parents=True)
    with program("-D", str(postgres.data_dir)) as older:
        lock = postgres.data_dir / "postmaster.pid"
        lock.write_text(f"{older.pid}\n{postgres.data_dir}\n{time.time() + 1}\n")
        until(lambda: running_postgres(lock))
        with pytest.raises(Interrupted, match="asked to stop while starting"):
            postgres.start(given_up=lambda: True)
        older.kill()


def test_run_made_inside_prefect_is_not_shown_twice(tmp_path: Path) -> None:
    assert read_past_run(journal(tmp_path / "one", BEGIN | {"flow_run_id": "x"}, {"event": "run done"})) is None


def test_the_server_refuses_by_the_schema_what_the_runbook_would() -> None:
    shown = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    choice = {"enum": ["all", "1"], "type": "string"}
    number = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    strict = strict_schema({"type": "object", "properties": {"text": shown, "repo": choice, "number": number}})
    text = {"minLength": 1, "maxLength": LONGEST_TEXT, "pattern": TEXT_PATTERN}
    assert strict["properties"] == {
        "text": shown | text,
        "repo": choice,
        "number": number | {"minimum": 1, "maximum": LARGEST_NUMBER},
    }
    assert strict["propertyNames"] == {"enum": ["text", "repo", "number"]}


@pytest.mark.parametrize(
    "text", ["", " ", "a\x00b", "\ud800", "\x1b[2J", "\x85", " \n", "x", "two\nlines", "日本", "a\n"]
)
def test_the_schema_and_the_runbook_refuse_the_same_texts(text: str) -> None:
    by_schema = not text or not re.search(TEXT_PATTERN, text)
    assert by_schema == (parameter_values_refusal({"text": text}) is not None)
