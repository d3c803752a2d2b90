"""An incident is what its events tell, whoever wrote them."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from checks.objectives import incident_metrics
from checks.severity import owner_of, post_mortem_due, response_due, severity_of
from recovery.errors import SettingsInvalid
from recovery.facts import Moment
from recovery.incident import IncidentFolder, incident_folders, new_incident_id, open_incident_folder
from recovery.redaction import remember_secret
from recovery.settings import ObjectivesSettings
from recovery.settings.promises import SEVERITY

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> IncidentFolder:
    return open_incident_folder(tmp_path / "incidents", "INC-1")


def at(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat()


def test_it_tells_what_happened_and_when(folder: IncidentFolder) -> None:
    folder.note("opened", scenario="application-failure", severity="SEV-2", summary="no pod answers")
    folder.note("occurred", moment=at(0))
    folder.note("detected", moment=at(2))
    folder.note("acknowledged", by="ada", moment=at(5))
    folder.note("recovered", moment=at(30), recovery_point=at(-1), data_loss_seconds=60)
    known = folder.read()
    assert (known.scenario, known.severity, known.summary) == ("application-failure", "SEV-2", "no pod answers")
    assert known.recovery_point == NOON - timedelta(minutes=1)
    rows = [(one.metric, one.actual, one.met) for one in incident_metrics(ObjectivesSettings(), known)]
    assert rows == [
        ("Time to Detection", timedelta(minutes=2), True),
        ("Time to Acknowledgment", timedelta(minutes=3), True),
        ("Time to Recovery", timedelta(minutes=30), True),
        ("Data Loss", timedelta(minutes=1), True),
    ]


def test_what_is_not_known_is_not_met(folder: IncidentFolder) -> None:
    folder.note("opened", scenario="application-failure", severity="SEV-1")
    assert {one.met for one in incident_metrics(ObjectivesSettings(), folder.read())} == {None}
    assert response_due(folder.read(), SEVERITY) is None
    assert post_mortem_due(folder.read()) is None


def test_it_began_with_the_first_that_told_and_ended_with_the_last(folder: IncidentFolder) -> None:
    folder.note("detected", moment=at(3))
    folder.note("detected", moment=at(1))
    folder.note("recovered", moment=at(10))
    folder.note("recovered", moment=at(40))
    moments = folder.read().moments
    assert moments == {Moment.DETECTED: NOON + timedelta(minutes=1), Moment.RECOVERED: NOON + timedelta(minutes=40)}


def test_two_machines_tell_one_story(folder: IncidentFolder) -> None:
    folder.note("opened", scenario="application-failure", severity="SEV-1")
    of_another = json.dumps({"at": at(1), "event": "detected", "by": "prometheus"}).encode()
    cut_short = of_another + b'\n{"at": "2026'
    known = folder.read({"events.another.jsonl": cut_short, folder.events_file.name: b"of before", "report.md": b"#"})
    assert [(one.event, one.writer) for one in known.events] == [
        ("detected", "another"),
        ("opened", known.events[1].writer),
    ]
    assert known.moments[Moment.DETECTED] == NOON + timedelta(minutes=1)


def line(minutes: float, event: str, **details: object) -> bytes:
    return json.dumps({"at": at(minutes), "event": event, **details}).encode() + b"\n"


def test_what_one_wrote_later_came_later_whatever_its_clock_said(folder: IncidentFolder) -> None:
    """Its clock was set back between the two lines, and another machine's is five minutes behind."""
    of_one = line(10, "opened") + line(3, "action") + line(11, "recovered")
    of_other = line(5, "approval")
    known = folder.read({"events.one.jsonl": of_one, "events.other.jsonl": of_other})
    assert [one.event for one in known.events] == ["approval", "opened", "action", "recovered"]


def test_opened_again_undoes_the_closing_that_it_names_whatever_the_clocks_say(folder: IncidentFolder) -> None:
    closed = line(10, "closed", causes="a full disk")
    again = line(4, "opened again", closing=at(10))
    assert folder.read({"events.one.jsonl": closed}).closed_at == NOON + timedelta(minutes=10)
    assert folder.read({"events.one.jsonl": closed, "events.other.jsonl": again}).closed_at is None
    twice = closed + line(20, "closed", causes="the disk again")
    assert folder.read({"events.one.jsonl": twice, "events.other.jsonl": again}).closed_at == NOON + timedelta(
        minutes=20
    )


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff\xfe\0garbage",
        b"[" * 100_000,
        b"[]",
        b"null",
        b'"text"',
        b"1e999",
        b'{"event": "recovered"}',
        b'{"at": "yesterday", "event": "recovered"}',
        b'{"at": null, "event": "recovered"}',
        b'{"at": 7, "event": "recovered"}',
        b'{"at": "2026-01-15T12:00:00+00:00", "event": ["recovered"]}',
        b'{"at": "2026-01-15T12:00:00+00:00"',
    ],
)
def test_a_line_that_is_none_spoils_no_other(folder: IncidentFolder, rubbish: bytes) -> None:
    folder.note("opened", scenario="cache-failure")
    with folder.events_file.open("ab") as out:
        out.write(rubbish)
    folder.note("detected", moment=at(1))
    known = folder.read({"events.other.jsonl": rubbish + b"\n" + line(2, "note") + rubbish})
    assert sorted(one.event for one in known.events) == ["detected", "note", "opened"]
    assert known.moments == {Moment.DETECTED: NOON + timedelta(minutes=1)}


@pytest.mark.parametrize(
    "value", ["soon", None, [], {}, float("nan"), float("inf"), 1e300, "0001-01-01T00:00:00+23:00"]
)
def test_a_value_that_is_none_is_not_known(folder: IncidentFolder, value: object) -> None:
    folder.note("opened", scenario=value, drill=value)
    folder.note("recovered", moment=value, recovery_point=value, data_loss_seconds=value)
    known = folder.read()
    assert (known.recovery_point, known.data_loss, known.drill) == (None, None, False)
    assert known.moments[Moment.RECOVERED] == known.events[1].at


def test_a_moment_without_a_zone_is_utc(folder: IncidentFolder) -> None:
    folder.note("occurred", moment="2026-01-15T12:00:00")
    assert folder.read().moments == {Moment.OCCURRED: NOON}


def test_what_contradicts_itself_is_not_known_and_never_nothing(folder: IncidentFolder) -> None:
    folder.note("detected", moment=at(10))
    folder.note("acknowledged", moment=at(7))
    known = folder.read()
    assert known.took(Moment.DETECTED, Moment.ACKNOWLEDGED) is None
    folder.note("acknowledged", moment=at(9.9))  # never mind: the earliest counts
    assert folder.read().took(Moment.DETECTED, Moment.ACKNOWLEDGED) is None


def test_clocks_that_differ_by_seconds_contradict_nothing(folder: IncidentFolder) -> None:
    folder.note("occurred", moment=at(10.1))
    folder.note("detected", moment=at(10))
    assert folder.read().took(Moment.OCCURRED, Moment.DETECTED) == timedelta(0)


def test_two_state_folders_of_one_machine_never_write_the_same_file(tmp_path: Path) -> None:
    one, other = (open_incident_folder(tmp_path / place / "incidents", "INC-1") for place in ("a", "b"))
    one.note("opened")
    other.note("detected")
    assert one.events_file.name != other.events_file.name
    assert one.events_file == one.events_file
    one.learn(other.noted())
    assert [one.event for one in one.read().events] == ["opened", "detected"]
    assert list(one.noted()) == [one.events_file.name]


def test_many_at_once_spoil_nobodys_line(folder: IncidentFolder) -> None:
    folder.note("opened")
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda number: folder.note("note", number=number, text="x" * 20_000), range(80)))
    assert sorted(one.details["number"] for one in folder.read().of_kind("note")) == list(range(80))


def test_what_was_learned_only_grows(folder: IncidentFolder) -> None:
    folder.learn({"events.other.jsonl": line(1, "detected") + line(2, "note"), "../../escape.jsonl": b"x"})
    folder.learn({"events.other.jsonl": line(1, "detected")})
    assert [one.event for one in folder.read().events] == ["detected", "note"]
    assert [one.name for one in folder.elsewhere.iterdir()] == ["events.other.jsonl"]


def test_a_link_in_the_folder_is_no_events_file(folder: IncidentFolder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(line(1, "detected"))
    (folder.folder / "events.link.jsonl").symlink_to(tmp_path / "secret")
    assert folder.read().events == ()
    assert folder.noted() == {"events.link.jsonl": b""}


def test_a_folder_that_may_not_be_read_is_said(folder: IncidentFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(SettingsInvalid, match=r"may not read .*/INC-1, which belongs to"):
        folder.read()


def test_a_name_of_a_machine_is_a_name_of_a_file(folder: IncidentFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "db1.größe/../x y")
    folder.note("opened")
    assert [one.event for one in folder.read().events] == ["opened"]
    assert folder.events_file.parent == folder.folder


def test_a_closed_one_may_be_opened_again(folder: IncidentFolder) -> None:
    folder.note("closed", causes="a full disk")
    closed_at = folder.read().closed_at
    assert closed_at is not None
    folder.note("opened again", closing=closed_at.isoformat())
    assert (folder.read().closed_at, folder.read().causes) == (None, "a full disk")


def test_no_secret_is_noted(folder: IncidentFolder) -> None:
    remember_secret('pass"wörter-0815')
    folder.note("note", message='it said pass"wörter-0815 loudly')
    assert "0815" not in folder.events_file.read_text()


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "INC 1", "x" * 65, ".hidden", "INC-1\n"])
def test_what_cannot_name_a_folder_names_no_incident(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsInvalid, match="is no incident's name"):
        open_incident_folder(tmp_path / "incidents", name)
    assert incident_folders(tmp_path / "incidents") == []


def test_every_incident_has_a_name_of_its_own(tmp_path: Path) -> None:
    names = sorted({new_incident_id() for _ in range(50)})
    assert len(names) == 50
    for name in names[:3]:
        open_incident_folder(tmp_path / "incidents", name)
    assert [one.id for one in incident_folders(tmp_path / "incidents")] == names[:3]


@pytest.mark.parametrize(
    ("answering", "wanted", "healthy", "level"),
    [
        (0, 3, False, "SEV-1"),
        (3, 3, False, "SEV-1"),
        (1, 3, True, "SEV-2"),
        (2, 3, True, "SEV-3"),
        (3, 3, True, "SEV-4"),
    ],
)
def test_the_level_is_what_users_see(answering: int, wanted: int, healthy: bool, level: str) -> None:
    assert severity_of(answering, wanted, healthy) == level


def test_what_is_due_by_the_level(folder: IncidentFolder) -> None:
    folder.note("opened", scenario="cache-failure", severity="SEV-2")
    folder.note("detected", moment=at(0))
    folder.note("recovered", moment=at(30))
    known = folder.read()
    assert response_due(known, SEVERITY) == NOON + timedelta(minutes=15)
    assert post_mortem_due(known) == NOON + timedelta(minutes=30, days=5)
    assert (owner_of("database-failure"), owner_of("unheard-of")) == ("database_admin", "on_call")


def test_a_drill_has_no_post_mortem(folder: IncidentFolder) -> None:
    folder.note("opened", scenario="cache-failure", severity="SEV-1", drill=True)
    folder.note("recovered", moment=at(30))
    assert post_mortem_due(folder.read()) is None
