"""What the source broke already when its backup was taken is a warning; what it held then, and the copy does not, is a failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from checks.as_recorded import Source
from recovery.facts import CheckReport, CheckResult, CheckStatus, DatabaseAddress
from recovery.site import site
from tasks.data import _known_from_live, check_data
from tests.fix_data import damage, failures, recorded
from tests.fix_postgres import READER

pytestmark = pytest.mark.usefixtures("checker")
REACHES = "the data reaches up to the recovery target"
BEAT = "UPDATE clickview_recovery.heartbeat SET at = now()"


def warnings(report: CheckReport) -> dict[str, str]:
    return {one.name: one.found for one in report.warnings}


def test_a_collation_that_is_older_than_the_operating_system(database: DatabaseAddress) -> None:
    damage(database, BEAT, "UPDATE pg_database SET datcollversion = '1.0' WHERE datname = current_database()")
    facts = recorded(database)
    assert facts.stale_collations == ("database broken",)
    report = check_data(database, Source(facts, exact=True), target=datetime.now(UTC))
    assert failures(report) == {}
    assert "collation versions are current" in warnings(report)


def test_what_could_not_be_looked_for_at_the_source_is_not_taken_for_sound(database: DatabaseAddress) -> None:
    asked = "EXECUTE ON FUNCTION pg_database_collation_actual_version(oid)"
    damage(
        database,
        BEAT,
        "UPDATE pg_database SET datcollversion = '1.0' WHERE datname = current_database()",
        f"REVOKE {asked} FROM public",
    )
    facts = recorded(replace(database, user=READER))
    assert facts.stale_collations is None
    damage(database, f"GRANT {asked} TO public")
    report = check_data(database, Source(facts, exact=True), target=datetime.now(UTC))
    assert failures(report) == {}
    assert warnings(report)["collation versions are those recorded"].endswith(
        "nobody could look when the backup was taken"
    )


def test_one_rule_that_cannot_be_asked_does_not_hide_the_others(database: DatabaseAddress) -> None:
    damage(
        database,
        BEAT,
        "UPDATE users SET email = 'nobody', first_name = 'x' WHERE id = (SELECT id FROM users LIMIT 1)",
        "ALTER TABLE users ADD CONSTRAINT numbered CHECK (first_name::int > 0) NOT VALID",
    )
    facts = recorded(database)
    assert [one.rule for one in facts.unasked] == ["users: numbered holds"]
    report = check_data(database, Source(facts, exact=True), target=datetime.now(UTC))
    assert failures(report) == {}
    assert "1 broke it when the backup was taken" in warnings(report)["every user has a mail address"]


def test_a_condition_that_its_own_rows_outgrew(database: DatabaseAddress) -> None:
    damage(
        database,
        BEAT,
        "CREATE TABLE bookings (ends_at timestamptz NOT NULL)",
        "INSERT INTO bookings VALUES (now() - interval '1 day')",
        "ALTER TABLE bookings ADD CONSTRAINT to_come CHECK (ends_at > now()) NOT VALID",
        "UPDATE pg_constraint SET convalidated = true WHERE conname = 'to_come'",
    )
    report = check_data(database, Source(recorded(database), exact=True), target=datetime.now(UTC))
    assert failures(report) == {}
    assert "bookings: to_come holds" in warnings(report)


def test_a_heartbeat_that_stood_still_is_no_loss_but_one_that_went_back_is(database: DatabaseAddress) -> None:
    damage(database, "UPDATE clickview_recovery.heartbeat SET at = now() - interval '3 hours'")
    facts = recorded(database)
    assert facts.heartbeat_at is not None
    known = Source(facts, proven=True, later=True)
    report = check_data(database, known, target=datetime.now(UTC))
    assert failures(report) == {}
    assert "the heartbeat went on up to the recovery target" in warnings(report)
    damage(database, "UPDATE clickview_recovery.heartbeat SET at = now() - interval '4 hours'")
    assert set(failures(check_data(database, known, target=datetime.now(UTC)))) == {REACHES}
    damage(database, "DELETE FROM clickview_recovery.heartbeat")
    assert set(failures(check_data(database, replace(known, later=False), target=datetime.now(UTC)))) == {REACHES}


def test_a_promise_that_the_live_database_breaks_too(
    database: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan = "UPDATE widgets SET dashboard_id = gen_random_uuid() WHERE id = (SELECT id FROM widgets LIMIT 1)"
    name = "widgets.dashboard_id points at a row of dashboards"
    damage(database, BEAT, orphan)
    sound = replace(database, name="pristine")
    known, now = Source(same_line=True), datetime.now(UTC)
    monkeypatch.setattr(type(site()), "reader_address", lambda _: sound)
    assert set(failures(check_data(database, known, target=now))) == {name}
    monkeypatch.setattr(type(site()), "reader_address", lambda _: replace(sound, port=1))
    assert set(failures(check_data(database, known, target=now))) == {name}
    monkeypatch.setattr(type(site()), "reader_address", lambda _: database)
    report = check_data(database, known, target=now)
    assert failures(report) == {}
    assert warnings(report)[name].endswith("so it is in the live database: 1 found")


@pytest.mark.parametrize(("here", "there", "explained"), [(3, 3, True), (3, 9, True), (4, 3, False), (0, 3, False)])
def test_only_so_many_rows_as_the_live_database_breaks_are_explained_by_it(
    here: int, there: int, explained: bool
) -> None:
    """No rows: PostgreSQL could not read them, which no orphan elsewhere explains."""
    one = CheckResult("key", "foreign keys", CheckStatus.FAILED, "none", f"{here} found", rows=here)
    told = _known_from_live(one, replace(one, rows=there, found=f"{there} found"))
    assert (told.status is CheckStatus.WARNING) is explained
    assert _known_from_live(one, None) == one
