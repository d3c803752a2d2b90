"""Incidents as machines and people tell them: two machines, one bucket on a real S3 server, and none at all."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recovery.facts import Moment
from recovery.incident import IncidentFolder
from recovery.journal import open_journal, writing_to
from recovery.site import site
from sandbox.layout import Sandbox
from tasks.incidents import in_incident, keep_evidence, note_event, note_moment, recovered
from tests.fix_drills import Ended
from tests.here import recover_here
from tests.waiting import PATIENCE, until

REFUSED, WRONG = 14, 11


class Machine:
    """A machine of its own: its state folder, and what somebody types there."""

    def __init__(self, settings: Path, state_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.settings, self.state_dir, self._capsys = settings, state_dir, capsys

    def run(self, *words: str) -> Ended:
        return recover_here(self._capsys, self.settings, *words)

    def done(self, *words: str) -> Ended:
        ended = self.run(*words)
        assert ended.status == 0, f"{ended.stderr}{ended.stdout}"
        return ended

    def incident(self, *words: str) -> Any:
        """What `recover incident … --json` says."""
        return self.done("incident", *words, "--json").json

    def refusal(self, *words: str, status: int = REFUSED) -> str:
        ended = self.run(*words)
        assert ended.status == status, f"{ended.status}: {ended.stderr}{ended.stdout}"
        return ended.said

    def usage_error(self, *words: str) -> str:
        ended = self.run(*words)
        assert (ended.status, ended.stdout) == (2, ""), f"{ended.stderr}{ended.stdout}"
        return ended.stderr

    def folder(self, incident: str) -> Path:
        return self.state_dir / "incidents" / incident


@pytest.fixture(autouse=True)
def _a_busy_machine_is_not_what_is_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    for deadline in ("tasks.incident_copies._LAST_SECONDS", "tasks.incidents._LOOK_SECONDS"):
        monkeypatch.setattr(deadline, PATIENCE)


@pytest.fixture
def new_machine(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Machine]]:
    """Make machines of one site; the bucket of this test is its own. `dead`: none reaches it."""
    prefix = re.sub(r"\W", "-", tmp_path.name)

    def make(name: str, *, dead: bool = False) -> Machine:
        text = sandbox.settings_file.read_text().replace(str(sandbox.state_dir), str(tmp_path / name))
        text += f'\n[evidence]\nprefix = "{prefix}"\n'
        if dead:
            text = re.sub(r"^port = \d+$", "port = 1", text, flags=re.MULTILINE)
        file = tmp_path / f"{name}.toml"
        file.touch(mode=0o600)
        file.write_text(text)
        return Machine(file, tmp_path / name, capsys)

    yield make
    site.cache_clear()


@pytest.fixture
def ops(new_machine: Callable[..., Machine]) -> Machine:
    return new_machine("ops")


@pytest.fixture
def laptop(new_machine: Callable[..., Machine]) -> Machine:
    """It has seen nothing of what the other did."""
    return new_machine("laptop")


def recovery_on(machine: Machine, incident: str | None, monkeypatch: pytest.MonkeyPatch, *, drill: bool = False) -> str:
    """A run of a scenario on this machine, as a flow notes it; the incident's name."""
    monkeypatch.setenv("RECOVERY_CONFIG", str(machine.settings))
    site.cache_clear()
    now = datetime.now(UTC)
    journal = open_journal(site().runs_dir, "application-failure")
    with writing_to(journal), in_incident("application-failure", incident, drill=drill, summary="502") as folder:
        note_moment(Moment.OCCURRED, now - timedelta(seconds=20))
        note_moment(Moment.DETECTED, now)
        keep_evidence("backend.log", "it was full\n")
        note_event("option", option="restart", seconds=12, outcome="recovered")
        recovered(now, timedelta(0))
        note_event("open task", name="scale back", command="recover application scale-back")
    return folder.id


def moment(seconds_ago: float, now: datetime | None = None) -> str:
    return f"{(now or datetime.now(UTC)) - timedelta(seconds=seconds_ago):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.works("incident list --json", "incident show INCIDENT --json", "incident ack INCIDENT --by --json")
def test_a_machine_that_did_not_see_it_shows_it_and_both_tell_one_story(
    ops: Machine, laptop: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    recovery_on(ops, "INC-1", monkeypatch)
    assert [(one["incident"], one["state"]) for one in laptop.incident("list")] == [("INC-1", "recovered")]
    shown = laptop.incident("show", "INC-1")
    assert shown["open_tasks"][0]["name"] == "scale back"
    assert not laptop.state_dir.exists()

    assert laptop.incident("ack", "INC-1", "--by", "Ada")["acknowledged_by"] == "Ada"
    assert ops.incident("show", "INC-1")["acknowledged_by"] == "Ada"
    again = ops.done("incident", "ack", "INC-1", "--by", "Bob")
    assert re.fullmatch(r"INC-1 was acknowledged by Ada at .* UTC: the first counts\.\n", again.stdout)

    recovery_on(ops, "INC-1", monkeypatch)
    known = laptop.incident("show", "INC-1")
    assert [one["event"] for one in known["events"]].count("opened") == 1
    assert len({one["writer"] for one in known["events"]}) == 1  # both have one host name
    assert len(list(ops.folder("INC-1").glob("events.*.jsonl"))) == 1
    assert len(list((ops.folder("INC-1") / "elsewhere").iterdir())) == 1


@pytest.mark.works("incident ack --at", "incident close INCIDENT --by --causes --json", "incident list --open")
@pytest.mark.refuses("incident close INCIDENT", "incident ack INCIDENT --at")
def test_acknowledged_at_a_moment_and_closed_with_its_causes(ops: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    ops.incident("open", "--incident", "INC-1", "--detected", moment(600, now))
    early = ops.refusal("incident", "ack", "INC-1", "--by", "Ada", "--at", moment(900))
    assert "is before detected at" in early
    assert "recover incident open --incident ID" in early
    late = ops.refusal("incident", "ack", "INC-1", "--by", "Ada", "--at", moment(-900))
    assert late.startswith("acknowledged lies in the future: ")
    assert "has no zone" in ops.refusal("incident", "ack", "INC-1", "--by", "Ada", "--at", "2026-01-15 12:00:00")

    acked = ops.incident("ack", "INC-1", "--by", "Ada", "--at", moment(300, now))
    assert acked["metrics"][1]["actual_seconds"] == 300
    assert [one["incident"] for one in ops.incident("list", "--open")] == ["INC-1"]
    closed = ops.incident("close", "INC-1", "--by", "Ada", "--causes", "a full disk")
    assert (closed["state"], closed["causes"]) == ("closed", "a full disk")
    assert closed["said"] == "INC-1 is closed. It was never noted as recovered."
    assert ops.incident("list", "--open") == []
    assert ops.done("incident", "list", "--open").stdout == "No incident is open.\n"
    assert len(ops.incident("list")) == 1

    for words in (("ack", "INC-1", "--by", "Bob"), ("close", "INC-1", "--by", "Bob", "--causes", "another")):
        assert ops.refusal("incident", *words).startswith("INC-1 was closed by Ada at ")
    recovery_on(ops, "INC-1", monkeypatch)
    assert ops.incident("show", "INC-1")["state"] == "recovered"


@pytest.mark.works(
    "incident open --incident --scenario --severity --occurred --detected --summary --by --json",
)
@pytest.mark.refuses("incident open --incident --scenario --severity --occurred --detected --summary --by")
def test_a_person_who_is_called_before_any_run_opens_it(ops: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--scenario", "application-failure", "--severity", "SEV-2", "--summary", "502 | <b>all</b>", "--by", "Ada")
    now = datetime.now(UTC)
    times = ("--occurred", moment(400, now), "--detected", moment(200, now))
    opened = ops.incident("open", "--incident", "INC-2", *words, *times)
    assert (opened["scenario"], opened["severity"], opened["summary"]) == (
        "application-failure",
        "SEV-2",
        "502 | <b>all</b>",
    )
    assert opened["metrics"][0]["actual_seconds"] == 200
    recovery_on(ops, "INC-2", monkeypatch)
    known = ops.incident("show", "INC-2")
    assert known["metrics"][2]["actual_seconds"] >= 400
    assert [one["by"] for one in known["events"] if one["event"] == "opened"] == ["Ada"]

    # Nothing but its name, and more of it later.
    bare = ops.incident("open")
    assert re.fullmatch(r"INC-\d{8}T\d{6}Z-[0-9a-f]{4}", bare["incident"])
    assert bare["moments"]["detected"]
    more = ops.done("incident", "open", "--incident", bare["incident"], "--occurred", moment(60), "--severity", "SEV-1")
    assert more.stdout == f"Noted with incident {bare['incident']}.\n"
    assert ops.incident("show", bare["incident"])["severity"] == "SEV-1"
    # A typing error is corrected, in both directions.
    for typed in (moment(9000, now), moment(30, now)):
        corrected = ops.incident("open", "--incident", bare["incident"], "--occurred", typed)["moments"]["occurred"]
        assert datetime.fromisoformat(corrected) == datetime.fromisoformat(typed)

    for said, refused in {
        "'../x' is no incident's name": ("--incident", "../x"),
        "INC-2 is an incident of application-failure": ("--incident", "INC-2", "--scenario", "cache-failure"),
        "occurred lies in the future": ("--occurred", moment(-600)),
        "'now' is not a moment": ("--detected", "now"),
        "detected at": ("--occurred", moment(100), "--detected", moment(200)),
        "--summary has 1001 characters": ("--summary", "x" * 1001),
        "--by holds a character that cannot be shown": ("--by", "Ada\x1b[2J"),
    }.items():
        status = WRONG if said.startswith("'../x'") else REFUSED
        assert ops.refusal("incident", "open", *refused, status=status).startswith(said)
    for option in ("--scenario", "--severity"):
        assert "is not one of" in ops.usage_error("incident", "open", option, "bad")
    for option in ("--incident", "--occurred", "--detected", "--summary", "--by"):
        assert "is empty" in ops.usage_error("incident", "open", option, " ")


@pytest.mark.works("incident report INCIDENT --out --json")
@pytest.mark.refuses("incident report INCIDENT --out")
def test_the_report_of_what_another_machine_did(
    ops: Machine, laptop: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recovery_on(ops, "INC-3", monkeypatch)
    written = laptop.incident("report", "INC-3", "--out", str(tmp_path / "reports" / "of 2026"))
    assert written == {
        "markdown": str(tmp_path / "reports" / "of 2026" / "INC-3.md"),
        "html": str(tmp_path / "reports" / "of 2026" / "INC-3.html"),
    }
    assert not laptop.state_dir.exists()
    markdown = Path(written["markdown"]).read_text()
    [sha256] = re.findall(r"[0-9a-f]{64}", markdown)
    assert "scale back: recover application scale-back" in markdown
    kept = ops.done("incident", "report", "INC-3")
    assert kept.stdout == f"{ops.folder('INC-3')}/INC-3.md\n{ops.folder('INC-3')}/INC-3.html\n"

    monkeypatch.setenv("RECOVERY_CONFIG", str(laptop.settings))
    site.cache_clear()
    there = site().incident_documents("INC-3").names()
    assert {"INC-3.md", "INC-3.html"} <= set(there)
    [log] = [name for name in there if name.endswith("/backend.log")]
    assert site().incident_documents("INC-3").read(log) == b"it was full\n"
    assert IncidentFolder("INC-3", ops.folder("INC-3")).read().of_kind("evidence")[0].details["sha256"] == sha256

    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        assert ops.refusal("incident", "report", "INC-3", "--out", str(place)).startswith(f"{place} is no folder")
    assert "is empty" in ops.usage_error("incident", "report", "INC-3", "--out", "")


@pytest.mark.refuses(
    "incident show INCIDENT", "incident report INCIDENT", "incident ack --by", "incident close --by --causes"
)
def test_what_nobody_knows_is_named_with_those_that_are_known(
    ops: Machine, laptop: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ops.done("incident", "list").stdout == "No incident is known.\n"
    assert ops.refusal("incident", "show", "INC-1") == (
        "there is no incident 'INC-1'; known: none\nNEXT: choose one of: recover incident list"
    )
    documents = site_of(ops, monkeypatch).incident_documents()
    for number in range(12):
        event = {"at": f"2026-01-15T12:{number:02d}:00Z", "event": "opened"}
        documents.keep(f"INC-{number:02d}/events.other.jsonl", json.dumps(event).encode())
    for command, unknown, *options in (
        ("show", "INC-99"),
        ("show", " "),
        ("report", "../../etc"),
        ("ack", "INC-99", "--by", "Ada"),
        ("close", "INC-99", "--by", "Ada", "--causes", "x"),
    ):
        said = laptop.refusal("incident", command, unknown, *options)
        assert said.startswith(f"there is no incident {unknown!r}; known: INC-11, INC-10, ")
        assert "INC-02 and 2 more" in said
    for words in (("ack", "INC-01"), ("close", "INC-01", "--causes", "x")):
        assert "is empty" in ops.usage_error("incident", *words, "--by", " ")
        assert ops.refusal("incident", *words, "--by", "x" * 1001).startswith("--by has 1001 characters")
    assert "is empty" in ops.usage_error("incident", "close", "INC-01", "--by", "Ada", "--causes", "")
    assert ops.refusal("incident", "close", "INC-01", "--by", "Ada", "--causes", "\x1b[2J").startswith("--causes holds")


@pytest.mark.works("metrics --json")
def test_metrics_count_all_machines_and_drills_apart(
    ops: Machine, laptop: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ops.done("metrics").stdout == "No incident and no drill is known.\n"
    recovery_on(ops, None, monkeypatch)
    recovery_on(laptop, None, monkeypatch)
    recovery_on(laptop, None, monkeypatch, drill=True)
    rows = {(one["kind"], one["metric"]): one for one in ops.done("metrics", "--json").json}
    assert len(rows) == 8
    detection = rows["incident", "Time to Detection"]
    assert (detection["count"], detection["known"], detection["met"], detection["worst_seconds"]) == (2, 2, 2, 20.0)
    assert rows["drill", "Data Loss"]["median_seconds"] == 0.0
    assert rows["drill", "Time to Acknowledgment"]["median_seconds"] is None
    shown = laptop.done("metrics").stdout
    assert "2 incidents" in shown and "1 drill" in shown and "2 of 2" in shown and "not known" in shown


def test_with_a_dead_bucket_all_works_and_says_so_and_the_bucket_has_it_later(
    new_machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off = new_machine("ops", dead=True)
    recovery_on(cut_off, "INC-1", monkeypatch)
    for words in (("list",), ("show", "INC-1"), ("report", "INC-1"), ("ack", "INC-1", "--by", "Ada")):
        ended = cut_off.done("incident", *words)
        assert ended.stderr.startswith("recover: not looked at: what other machines noted"), words
        assert "does not answer: EndpointConnectionError" in ended.stderr
    assert "1 incident" in cut_off.done("metrics").stdout
    unknown = cut_off.refusal("incident", "show", "INC-9")
    assert unknown.startswith("there is no incident 'INC-9' (what other machines noted of INC-9: bucket ")
    assert unknown.split("; known: ")[1].startswith("INC-1\n")

    again = new_machine("ops")
    again.incident("close", "INC-1", "--by", "Ada", "--causes", "the network")
    shutil.rmtree(again.state_dir)
    known = new_machine("laptop").incident("show", "INC-1")
    assert (known["acknowledged_by"], known["causes"]) == ("Ada", "the network")
    names = site_of(again, monkeypatch).incident_documents("INC-1").names()
    assert [name.rpartition("/")[2] for name in names if name.startswith("evidence/")] == ["backend.log"]


def site_of(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("RECOVERY_CONFIG", str(machine.settings))
    site.cache_clear()
    return site()


def test_rubbish_in_the_bucket_spoils_nothing(ops: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    recovery_on(ops, "INC-1", monkeypatch)
    documents = site_of(ops, monkeypatch).incident_documents()
    for name, content in {
        "INC-1/events.other.jsonl": b"\xff\xfe\n[]\n{",
        "INC-2/events.other.jsonl": b"",
        "../events.x.jsonl": b"{}",
        ".hidden/events.x.jsonl": b"{}",
        "stray": b"x",
        "INC-3/evidence/run/events.log": b"x",
    }.items():
        documents.keep(name, content)
    assert [one["incident"] for one in ops.incident("list")] == ["INC-1"]
    assert ops.done("incident", "list").stderr == ""


def test_what_is_noted_is_in_the_bucket_while_the_run_goes_on(ops: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that dies in the middle has told the others."""
    documents = site_of(ops, monkeypatch).incident_documents("INC-1")
    with in_incident("application-failure", "INC-1"):
        note_moment(Moment.DETECTED)
        keep_evidence("backend.log", "text")

        def told() -> bool:
            noted = [documents.read(name) or b"" for name in documents.names() if name.startswith("events.")]
            return any(b'"evidence"' in one and b'"detected"' in one for one in noted)

        until(told, what="the notes in the bucket")
        assert json.loads(next(iter(documents.read(name) or b"" for name in documents.names())).splitlines()[0])
