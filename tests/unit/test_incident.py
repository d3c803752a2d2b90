"""An incident is what its events tell, whoever wrote them."""

from __future__ import annotations

import json
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
    assert [one.event for one in known.events] == ["detected", "opened"]
    assert known.moments[Moment.DETECTED] == NOON + timedelta(minutes=1)


def test_a_closed_one_may_be_opened_again(folder: IncidentFolder) -> None:
    folder.note("closed", causes="a full disk")
    assert folder.read().closed_at is not None
    folder.note("opened again")
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
