"""The post-mortem document: everything that is known, nothing that a name could do to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from checks.incident_view import view_of
from recovery.approval import Approvals
from recovery.facts import IncidentEvent, Moment
from recovery.incident import IncidentFolder, open_incident_folder
from recovery.journal import open_journal
from recovery.redaction import remember_secret
from recovery.site import site
from tasks.incident_report.contents import post_mortem
from tasks.incident_report.document import Bar, Lane, Timeline
from tasks.incident_report.drawing import draw
from tasks.incident_report.gathered import gather
from tasks.incident_report.markdown import as_markdown
from tasks.incident_report.page import as_page
from tasks.incident_report.sentences import sentence

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
PLAN = "3f9a" * 16
ODD = "a|b `c` <b>\"d\"</b> <script>alert('e')</script> &amp; [f](http://g) \u202eturned\u0007"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IncidentFolder]:
    (tmp_path / "recovery.toml").write_text(
        f'[site]\nstate_dir = "{tmp_path}/state"\n[backup]\nencryption_key = "key-of-the-repository"\n'
        '[backup.primary]\nbucket = "clickview-backups"\n'
    )
    monkeypatch.setenv("RECOVERY_CONFIG", str(tmp_path / "recovery.toml"))
    site.cache_clear()
    yield open_incident_folder(site().incidents_dir, "INC-1")
    site.cache_clear()


def moment(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat()


def documents(folder: IncidentFolder) -> tuple[str, str]:
    """The report as Markdown and as HTML."""
    now = datetime.now(UTC)
    document = post_mortem(gather(view_of(folder.read(), site().settings, now), look_in_bucket=False), now)
    return as_markdown(document), as_page(document)


class Page(HTMLParser):
    """What a browser would make of it: tags in balance, texts, and whatever would load or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def story(folder: IncidentFolder, word: str = "users wait") -> None:
    """An incident with everything in it; `word` wherever a text may stand."""
    journal = open_journal(site().runs_dir, "application-failure")
    journal.write("run begin", name="recover the application")
    journal.write("begin", kind="probe", step="read_application")
    journal.write("done", kind="probe", step="read_application", seconds=1.5)
    journal.write("warning", message=word)
    journal.write("begin", kind="action", step="roll_back")
    journal.write("failed", kind="action", step="roll_back", seconds=2, error=word)
    journal.write("begin", kind="verify", step="verify_healthy")
    folder.note("opened", scenario="application-failure", severity="SEV-2", summary=word)
    folder.note("run", by="root", phase="begin", run=journal.run_id, machine="ops1", pid=7, runbook=word)
    for minutes, one in enumerate(Moment):
        folder.note(one.value, by=word, moment=moment(minutes), data_loss_seconds=0)
    folder.note(
        "plan", digest=PLAN, chosen=[{"name": word, "title": word}], rejected=[{"name": "scale-up", "rejected": word}]
    )
    folder.note(
        "plan", digest=PLAN, chosen=[word], rejected={"scale-up": word}, facts={word: word, "cause": "bad image"}
    )
    folder.note("approval asked", digest=PLAN, summary=word)
    folder.note("approval", by=word, digest=PLAN, granted=True, user="root", reason=word, way="terminal")
    folder.note("action", name=word, what=word, seconds=2, outcome=word)
    folder.note("option", option=word, seconds=60, outcome="recovered")
    folder.note("evidence", name=word, file="evidence/run/pod.log", sha256="ab" * 32, bytes=7)
    folder.note("handed over", to="database-failure", reason=word)
    folder.note("open task", name=word, command="recover application scale-back")
    folder.note("never heard of", word=word, more=[word, {"deep": word}])


def test_everything_that_is_known_is_in_both(folder: IncidentFolder) -> None:
    story(folder)
    markdown, html = documents(folder)
    text = " ".join(Page(html).texts)
    for known in (
        "SEV-2: Partial outage affecting >50% users",
        "within 15 min, 2026-01-15 12:16:00 UTC, met",
        "Slack #infra",
        "Time to Acknowledgment",
        "roll back",
        "failed: users wait",
        "never ended",
        "approved",
        "root, terminal",
        "ab" * 32,
        "users wait: recover application scale-back",
        "post-mortem by 2026-01-20",
        "handed over to database-failure",
        "it was killed, or still runs",
        "scale-up: users wait",
        "bad image",
    ):
        assert known in text, known
        assert known.replace("#", r"#") in markdown.replace("\\", "").replace("&lt;", "<"), known
    for left in ("Causes", "What went well, what did not", "What we change"):
        assert f"**{left}:**" in markdown
        assert f"{left}:" in text


def test_a_name_does_nothing_to_the_page(folder: IncidentFolder) -> None:
    story(folder, ODD)
    markdown, html = documents(folder)
    page = Page(html)
    assert page.tags.isdisjoint({"script", "a", "img", "link", "iframe", "object", "b>"})
    assert not {one for one in page.attributes if one.startswith("on") or one in ("src", "href", "xlink:href")}
    assert "default-src 'none'" in html
    assert "\u202e" not in html + markdown
    assert "\u0007" not in html + markdown
    assert "<script" not in markdown
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in markdown.splitlines() if line.startswith("| Plan ")}
    assert len(widths) == 2, widths  # plans and approvals: of each, head and rows alike
    for table in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_no_secret_that_another_machine_did_not_know(folder: IncidentFolder) -> None:
    folder.note("opened", summary='it said pa"ss-0815-word & more')
    remember_secret('pa"ss-0815-word')
    for text in documents(folder):
        assert "0815" not in text


def test_an_incident_of_which_nothing_is_known(folder: IncidentFolder) -> None:
    folder.note("note", message="somebody called")
    markdown, html = documents(folder)
    assert "When it occurred is not known" in markdown
    assert "| Time to Recovery | &lt; 4 h | not known |  |" in markdown
    assert "Nothing to draw yet" in " ".join(Page(html).texts)


def test_a_closed_one_has_its_causes(folder: IncidentFolder) -> None:
    folder.note("opened", scenario="cache-failure")
    folder.note("closed", by="ada", causes="a full disk\nand no alert")
    markdown, html = documents(folder)
    assert "a full disk and no alert" in markdown
    assert "a full disk\nand no alert" in html
    assert "**Causes:**" not in markdown


def test_an_approval_that_no_run_has_heard_is_read_from_its_file(folder: IncidentFolder) -> None:
    folder.note("opened", scenario="cache-failure")
    folder.note("approval asked", digest=PLAN)
    approvals = Approvals(folder.folder / "approvals")
    approvals.ask(PLAN, "roll back", wait=timedelta(hours=1))
    assert "not answered" in documents(folder)[0]
    approvals.answer(
        PLAN, granted=False, by="ada", reason="not now", user="ada", way="command", valid=timedelta(hours=1)
    )
    rows = re.findall(rf"^\| {PLAN[:12]} \|.*$", documents(folder)[0], re.MULTILINE)
    assert len(rows) == 1
    assert "refused" in rows[0] and "not now" in rows[0]


def test_evidence_that_was_changed_is_said(folder: IncidentFolder) -> None:
    for name in ("sound.log", "changed.log", "gone.log"):
        path, kept = folder.keep("run-1", name, "it was full")
        where = path.relative_to(folder.folder).as_posix()
        folder.note("evidence", name=name, file=where, sha256=kept.sha256, bytes=kept.bytes)
    (folder.folder / "evidence" / "run-1" / "changed.log").write_text("all was well")
    (folder.folder / "evidence" / "run-1" / "gone.log").unlink()
    for file in ("../INC-2/secret", "/etc/passwd", "evidence/../../x/y", "evidence/run-1/..", 7, None):
        folder.note("evidence", name="odd", file=file, sha256="ab")
    found = gather(view_of(folder.read(), site().settings, NOON), look_in_bucket=False).evidence
    assert [one.today for one in found] == ["as noted", "CHANGED", *["not on this machine"] * 7]
    assert "| changed.log |" in documents(folder)[0]


def test_a_run_that_handed_over_is_one_run_from_its_first_step_on(folder: IncidentFolder) -> None:
    journal = open_journal(site().runs_dir, "application-failure")
    journal.write("done", kind="probe", step="read_health", seconds=0.5)
    for scenario in ("application-failure", "database-failure"):
        folder.note("run", run=journal.run_id, phase="begin", scenario=scenario)
    folder.note("run", run=journal.run_id, phase="end", outcome="done")
    [run] = gather(view_of(folder.read(), site().settings, NOON), look_in_bucket=False).runs
    assert run.begin.isoformat() == journal.entries()[0]["at"]
    assert (run.outcome, len(run.steps)) == ("done", 1)


@pytest.mark.parametrize("run", ["../../../etc/passwd", "", "no-such-run", "x" * 300, None, 7])
def test_a_run_whose_journal_is_nowhere(folder: IncidentFolder, run: Any) -> None:
    folder.note("run", run=run, phase="begin")
    assert "Its journal is not on this machine" in documents(folder)[0]


def test_a_journal_with_rubbish_in_it(folder: IncidentFolder) -> None:
    journal = open_journal(site().runs_dir, "application-failure")
    folder.note("run", run=journal.run_id, phase="begin")
    lines = [
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"at": 7}',
        b"[" * 50_000,
        json.dumps({"at": moment(0), "event": "done"}).encode(),
    ]
    journal.file.write_bytes(b"\n".join(lines))
    assert "never ended" not in documents(folder)[0]


def test_a_long_journal_is_cut_and_says_so(folder: IncidentFolder) -> None:
    journal = open_journal(site().runs_dir, "application-failure")
    folder.note("run", run=journal.run_id, phase="begin")
    entry = {"at": moment(0), "event": "done", "kind": "probe", "step": "look", "seconds": 1}
    journal.file.write_text(f"{json.dumps(entry)}\n" * 301)
    assert "And 1 more: see its journal." in documents(folder)[0]


@pytest.mark.parametrize(
    ("event", "details", "said"),
    [
        ("opened", {"scenario": "cache-failure", "drill": True}, "opened as a drill of cache-failure"),
        ("plan", {"digest": PLAN, "chosen": ["restart"], "rejected": {"scale-up": "no capacity"}},
         "plan 3f9a3f9a3f9a · chosen: restart · rejected: scale-up: no capacity"),
        ("approval", {"plan": PLAN, "granted": False, "way": "the UI"}, "plan 3f9a3f9a3f9a was refused by the UI"),
        ("option", {"option": "restart", "seconds": 61, "outcome": "recovered"}, "option restart recovered after 1 min 1 s"),
        ("recovered", {"moment": NOON.isoformat(), "data_loss_seconds": 60},
         "recovered: the application's own health is green at 2026-01-15 12:00:00 UTC; data lost: 1 min"),
        ("task done", {"task": "scale-back", "deployment": "backend"}, "done: scale-back of backend"),
        ("approval unanswered", {"digest": PLAN}, "nobody answered for plan 3f9a3f9a3f9a in time"),
        ("lease", {"holder": "run-1", "token": 7, "reason": "it is dead"},
         "the site is held by run-1 (token 7, taken over: it is dead)"),
        ("else", {"a": 1, "b": None, "c": ["x", {"y": True}]}, "else a: 1, c: x; y: true"),
        ("action", {"seconds": "soon"}, "action"),
        ("plan", {"chosen": 7, "rejected": None}, "plan  · chosen: 7"),
    ],
)  # fmt: skip
def test_what_an_event_says(event: str, details: dict[str, Any], said: str) -> None:
    assert sentence(IncidentEvent(NOON, event, details)) == said


def timeline(*bars: Bar) -> Timeline:
    return Timeline((Lane("recovery & <more>", bars),))


@pytest.mark.parametrize("length", [0, 0.01, 7, 3600, 86400 * 3, 86400 * 365 * 40])
def test_a_timeline_of_any_length_is_a_picture(length: float) -> None:
    begin = NOON.timestamp()
    drawn = ElementTree.fromstring(
        draw(timeline(Bar(begin, begin + length, "run", '<"tip">'), Bar(begin + length, None, "failed", "")))
    )
    whole, last = drawn.findall("rect")
    assert 230 < float(whole.attrib["x"]) < float(last.attrib["x"]) + float(last.attrib["width"]) <= 960
    assert float(last.attrib["width"]) >= 3
    assert "unended" in last.attrib["class"]
    assert len(drawn.findall("line")) <= 9
    assert whole.findtext("title") == '<"tip">'


def test_nothing_is_no_picture() -> None:
    assert draw(Timeline(())) == draw(timeline()) == ""
