"""What a scenario notes of its incident: on this disk at once, whatever the bucket does."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recovery.errors import GateRefused, TargetUnreachable
from recovery.facts import Moment
from recovery.incident import IncidentFolder, open_incident_folder
from recovery.journal import Journal, open_journal, writing_to
from recovery.redaction import remember_secret
from recovery.settings.model import ENVIRONMENT
from recovery.site import site
from tasks.clock import scaled_in
from tasks.incident_copies import IncidentCopies
from tasks.incidents import (
    in_incident,
    keep_evidence,
    leave_incident,
    note_event,
    note_moment,
    open_incident,
    past_incidents,
    publish_metrics,
    read_incident,
    recovered,
    set_severity,
)
from tasks.known_incidents import read_incidents
from tests.waiting import PATIENCE

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
SETTINGS = """
[site]
state_dir = "{state}"
[backup]
encryption_key = "key-of-the-repository"
[backup.primary]
bucket = "clickview-backups"
endpoint = "127.0.0.1"
port = {port}
access_key_id = "AKIANOBODY"
secret_access_key = "secret-of-nobody"
"""


def use_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "recovery.toml").write_text(SETTINGS.format(state=tmp_path / "state", port=port))
    monkeypatch.setenv("RECOVERY_CONFIG", str(tmp_path / "recovery.toml"))
    site.cache_clear()


@pytest.fixture(autouse=True)
def _a_site_whose_bucket_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    use_settings(tmp_path, monkeypatch, port=1)
    if "bucket" not in request.node.name:  # nobody waits for it where it is not what is tested
        monkeypatch.setattr("tasks.incidents.noted_elsewhere", lambda _incident, seconds: {})
        monkeypatch.setattr("tasks.incident_copies.IncidentCopies._start", lambda _copies: None)
    yield
    site.cache_clear()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with writing_to(open_journal(tmp_path / "state" / "runs", "application-failure")) as made:
        yield made


def warnings(journal: Journal) -> list[str]:
    return [one["message"] for one in journal.entries() if one["event"] == "warning"]


def kinds(folder: IncidentFolder) -> list[str]:
    return [one.event for one in folder.read().events]


def test_outside_of_an_incident_nothing_is_noted(tmp_path: Path) -> None:
    note_moment(Moment.DETECTED)
    note_event("plan", digest="ab")
    recovered(None, None)
    leave_incident("done")
    assert set_severity("SEV-2") == "SEV-2"
    assert keep_evidence("a.log", "text").bytes == 4
    assert not (tmp_path / "state").exists()


def test_a_run_tells_its_incident_from_beginning_to_end(journal: Journal) -> None:
    with in_incident("application-failure", None, summary="no pod answers") as folder:
        note_moment(Moment.OCCURRED, NOON)
        note_moment(Moment.DETECTED, NOON + timedelta(minutes=2))
        note_event("plan", digest="ab" * 32, chosen=["restart"])
        assert set_severity("SEV-2") == "SEV-2"
        recovered(NOON, timedelta(0))
    known = read_incident(folder)
    assert (known.scenario, known.summary, known.severity, known.drill) == (
        "application-failure",
        "no pod answers",
        "SEV-2",
        False,
    )
    assert kinds(folder) == ["opened", "run", "occurred", "detected", "plan", "severity", "recovered", "run"]
    begin, end = known.of_kind("run")
    assert (begin.details["run"], begin.details["phase"]) == (journal.run_id, "begin")
    assert (end.details["outcome"], end.details["phase"]) == ("done", "end")
    assert publish_metrics(known)[0] == {
        "Metric": "Time to Detection",
        "Target": "< 5 min",
        "Actual": "2 min",
        "Met": "yes",
    }
    assert "not known" in (journal.folder / "incident-metrics.md").read_text()


def test_how_a_run_failed_is_noted(journal: Journal) -> None:
    with pytest.raises(GateRefused), in_incident("application-failure", "INC-1"):
        raise GateRefused("no", "look")
    end = open_incident_folder(site().incidents_dir, "INC-1").read().of_kind("run")[-1]
    assert end.details["outcome"] == "failed: GateRefused: no\nNEXT: look"


def test_the_same_incident_goes_on(journal: Journal) -> None:
    open_incident("application-failure", "INC-1")
    note_moment(Moment.DETECTED, NOON)
    again = open_incident("application-failure", "INC-1")
    assert kinds(again) == ["opened", "run", "detected", "run"]
    assert read_incident(again).moments == {Moment.DETECTED: NOON}


def test_another_scenarios_incident_is_refused_unless_it_handed_over(journal: Journal) -> None:
    open_incident("application-failure", "INC-1")
    with pytest.raises(GateRefused) as refused:
        open_incident("database-failure", "INC-1")
    assert refused.value.problem == (
        "INC-1 is an incident of application-failure, and nothing was handed over to database-failure"
    )
    note_event("handed over", to="database-failure", reason="the database does not answer")
    folder = open_incident("database-failure", "INC-1")
    assert [one.details["scenario"] for one in read_incident(folder).of_kind("run")] == [
        "application-failure",
        "database-failure",
    ]
    assert read_incident(folder).scenario == "application-failure"


def test_no_drill_in_a_real_incident(journal: Journal) -> None:
    open_incident("application-failure", "INC-1")
    with pytest.raises(GateRefused, match="a drill would break what is being recovered"):
        open_incident("application-failure", "INC-1", drill=True)
    open_incident("application-failure", "DRILL-1", drill=True)
    assert read_incident(open_incident("application-failure", "DRILL-1")).drill


def test_a_closed_one_is_opened_again(journal: Journal) -> None:
    folder = open_incident("application-failure", "INC-1")
    folder.note("closed", by="ada", causes="a full disk")
    assert read_incident(folder).closed_at
    assert read_incident(open_incident("application-failure", "INC-1")).closed_at is None


def test_what_an_earlier_run_had_open_is_not_the_next_ones(journal: Journal, tmp_path: Path) -> None:
    folder = open_incident("application-failure", "INC-1")
    with writing_to(open_journal(tmp_path / "state" / "runs", "backup")):
        note_event("note", message="of a backup")
    assert kinds(folder) == ["opened", "run"]


def test_a_run_raises_the_severity_and_never_lowers_it(journal: Journal) -> None:
    open_incident("application-failure", "INC-1")
    assert [set_severity(one) for one in ("SEV-3", "SEV-1", "SEV-4")] == ["SEV-3", "SEV-1", "SEV-1"]


def test_who_looks_again_at_what_stayed_well_makes_it_no_longer(journal: Journal) -> None:
    folder = open_incident("application-failure", "INC-1")
    recovered(None, timedelta(0))
    first = read_incident(folder).moments[Moment.RECOVERED]
    recovered(None, timedelta(0))
    assert read_incident(folder).moments[Moment.RECOVERED] == first
    note_event("action", name="restart", outcome="done")
    recovered(None, timedelta(0))
    assert read_incident(folder).moments[Moment.RECOVERED] > first


def test_evidence_is_kept_as_it_was_with_secrets_masked(journal: Journal) -> None:
    remember_secret("never-to-be-seen-4711")
    folder = open_incident("application-failure", "INC-1")
    kept = keep_evidence("pod/backend-1.log", "it said never-to-be-seen-4711\n")
    [file] = (folder.folder / "evidence" / journal.run_id).iterdir()
    assert file.read_text() == "it said •••\n"
    assert kept.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (kept.name, kept.bytes) == ("pod/backend-1.log", file.stat().st_size)
    [noted] = read_incident(folder).of_kind("evidence")
    assert noted.details["sha256"] == kept.sha256
    assert folder.folder / noted.details["file"] == file


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "/etc/passwd", "..", "", ".", "a\0b", "x" * 400, "größe\n|<b>", ".hidden"]
)
def test_a_name_leads_nowhere_else_and_two_of_one_name_are_two(journal: Journal, name: str) -> None:
    folder = open_incident("application-failure", "INC-1")
    for content in (b"one", b"\xff\xfetwo"):
        keep_evidence(name, content)
    place = folder.folder / "evidence" / journal.run_id
    assert sorted(one.read_bytes() for one in place.iterdir()) == [b"one", b"\xff\xfetwo"]
    assert len([one for one in folder.folder.rglob("*") if one.is_file()]) == 3


def test_a_dead_bucket_is_one_warning(journal: Journal) -> None:
    with in_incident("application-failure", None) as folder:
        for number in range(20):
            note_event("note", number=number)
        keep_evidence("a.log", "text")
    assert len(folder.read().of_kind("note")) == 20
    [said] = warnings(journal)
    assert said.startswith(f"incident {folder.id} is noted on this machine only for now: bucket clickview-backups")


def test_the_history_of_this_machine_is_there_without_the_bucket(journal: Journal, tmp_path: Path) -> None:
    open_incident_folder(site().incidents_dir, "INC-0").note("opened", scenario="cache-failure")
    assert [one.id for one in past_incidents()] == ["INC-0"]
    [said] = warnings(journal)
    assert said.startswith("estimates are made without some former incidents: what other machines noted: bucket ")
    with writing_to(open_journal(tmp_path / "state" / "runs", "application-failure")) as later:
        open_incident("application-failure", "INC-1")
        assert [one.id for one in past_incidents()] == ["INC-1", "INC-0"]
    assert [one.split(":")[0] for one in warnings(later) if "noted on this machine only" not in one] == [
        "what other machines noted of INC-1 could not be read"
    ]


@pytest.fixture
def hung_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        use_settings(tmp_path, monkeypatch, port=server.getsockname()[1])
        yield


@pytest.mark.usefixtures("hung_bucket")
def test_a_hung_bucket_holds_up_no_recovery(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("tasks.incidents._LOOK_SECONDS", "tasks.incident_copies._LAST_SECONDS"):
        monkeypatch.setattr(place, 0.5)
    begin = time.monotonic()
    with in_incident("application-failure", "INC-1"):
        note_event("note")
    assert time.monotonic() - begin < 15  # and not the 50 seconds of the client
    assert warnings(journal) == [
        "what other machines noted of INC-1 could not be read: bucket clickview-backups did not answer within 0 s",
        "incident INC-1 is noted on this machine only for now: the bucket did not answer within 0 s",
    ]


def test_a_full_disk_ends_no_recovery(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = open_incident("application-failure", "INC-1")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("recovery.incident.open_ours", full)
    note_event("action", name="restart")
    note_event("action", name="restart")
    monkeypatch.setattr("recovery.evidence.make_ours", full)
    assert keep_evidence("a.log", "text").sha256 == hashlib.sha256(b"text").hexdigest()
    assert warnings(journal)[-2:] == [
        f"incident INC-1: “action” was not noted: {folder.events_file} cannot be written: No space left on device",
        "evidence a.log was not kept: [Errno 28] No space left on device",
    ]
    assert kinds(folder) == ["opened", "run"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_notes_belongs_to_whom_the_state_folder_belongs(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 4711, 4712)
    folder = open_incident("application-failure", "INC-1")
    note_event("note")
    keep_evidence("a.log", "text")
    folder.learn({"events.other-00000000.jsonl": b"{}\n"})
    everything = [tmp_path / "state", *(tmp_path / "state").rglob("*")]
    assert {(one.lstat().st_uid, one.lstat().st_gid) for one in everything} == {(4711, 4712)}
    assert len(everything) == 9


class Bucket:
    """Documents in memory; `fail` has the next so many calls refused."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.fail = 0

    def keep(self, name: str, content: bytes) -> None:
        self._perhaps_fail()
        self.kept[name] = content

    def sizes(self) -> dict[str, int]:
        self._perhaps_fail()
        return {name: len(content) for name, content in self.kept.items()}

    def _perhaps_fail(self) -> None:
        if self.fail:
            self.fail -= 1
            raise TargetUnreachable("it does not answer", "look")


def test_a_bucket_that_comes_back_has_everything_in_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bucket = Bucket()
    monkeypatch.setattr("recovery.site.Site.incident_documents", lambda _site, _incident: bucket)
    folder = open_incident_folder(site().incidents_dir, "INC-1")
    folder.note("opened")
    path, _ = folder.keep("run-1", "a.log", "text")
    bucket.fail = 2
    copies = IncidentCopies(folder)
    copies.copy_all()
    assert (copies.finish(PATIENCE), bucket.kept) == ("it does not answer", {})
    bucket.fail = 0
    for number in range(50):
        folder.note("note", number=number)
        copies.copy(folder.events_file)
        copies.copy_all()
    assert copies.finish(PATIENCE) is None
    assert bucket.kept == {
        folder.events_file.name: folder.events_file.read_bytes(),
        path.relative_to(folder.folder).as_posix(): b"text",
    }


def test_a_task_of_another_machines_incident_is_done_once(monkeypatch: pytest.MonkeyPatch, journal: Journal) -> None:
    opened = [{"event": "opened"}, *[{"event": "open task", "task": "scale-back", "deployment": "backend"}] * 2]
    lines = [json.dumps({"at": NOON.isoformat(), **one}) for one in opened]
    noted = {"events.other-00000000.jsonl": "\n".join(lines).encode()}
    monkeypatch.setattr("tasks.known_incidents._noted_there", lambda *_: ({"INC-9": noted}, []))
    scaled_in(None, "frontend")
    assert not (site().incidents_dir / "INC-9").exists()
    for _ in range(2):
        scaled_in(None, "backend")
    folder = open_incident_folder(site().incidents_dir, "INC-9")
    assert [one.details["deployment"] for one in folder.read().events] == ["backend"]


def test_another_user_is_told_what_may_not_be_looked_at() -> None:
    """In a process of its own, as a user to whom nothing here belongs."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # one that others may pass through to
    try:
        folder.chmod(0o755)
        for name in ("INC-1", "INC-2"):
            open_incident_folder(folder / "incidents", name).note("opened")
        (folder / "incidents" / "INC-1").chmod(0o755)
        (events,) = (folder / "incidents" / "INC-1").iterdir()
        events.chmod(0o644)
        here = site().settings
        site().settings = here.model_copy(update={"site": here.site.model_copy(update={"state_dir": folder})})
        reading, writing = os.pipe()
        if not (child := os.fork()):
            try:
                os.setgroups([])
                os.setgid(4711)
                os.setuid(4711)
                found = read_incidents(seconds=None)
                os.write(writing, json.dumps([[one.id for one in found.incidents], found.unseen]).encode())
            finally:
                os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        assert json.loads(os.read(reading, 10_000)) == [
            ["INC-1"],
            [f"INC-2: user 4711 may not read {folder}/incidents/INC-2, which belongs to root"],
        ]
    finally:
        shutil.rmtree(folder)
