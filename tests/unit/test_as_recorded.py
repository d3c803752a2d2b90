"""What differs between the source and its copy, and when that is no news."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter

from checks.as_recorded import (
    Source,
    as_recorded,
    asked_of_nobody,
    known_to_be_behind,
    known_to_be_invalid,
    with_what_is_known,
)
from checks.clickview import clickview_suite
from checks.expectation import rows_meet
from checks.restored_data import INVALID, NOT_VALID, Freshness, restored_data_suite
from recovery.adapters.expectations.verdict import verdict
from recovery.adapters.postgres.seen import Seen
from recovery.catalog import (
    Catalog,
    CheckConstraint,
    Column,
    Extension,
    ForeignKey,
    Index,
    Policy,
    Sequence,
    Table,
    TableName,
    UniqueKey,
)
from recovery.expectation import Expectation, ExpectationKind
from recovery.facts import (
    BrokenRule,
    CheckReport,
    CheckResult,
    CheckStatus,
    RecordedFacts,
    TableCount,
    UnaskedRule,
    Witness,
)

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
USERS, NOTES = TableName("public", "users"), TableName("app", 'no,"tes')
INDEX, COUNTER = TableName("public", "users_email"), TableName("public", "users_id_seq")

SOURCE = Catalog(
    "clickview",
    150000,
    in_recovery=False,
    superuser=True,
    tables=(
        Table(USERS, (Column("id", "integer", True), Column("email", "text", False)), "clickview"),
        Table(NOTES, (Column("user_id", "integer", False),), "clickview"),
    ),
    foreign_keys=(ForeignKey("notes_user", NOTES, ("user_id",), USERS, ("id",)),),
    check_constraints=(CheckConstraint("filled", USERS, "email <> ''"),),
    sequences=(Sequence(COUNTER, USERS, "id"),),
    indexes=(Index(INDEX, USERS, True, "CREATE INDEX users_email ON users (email)"),),
    policies=(Policy("own", USERS, "PERMISSIVE ALL TO public USING (true)"),),
    extensions=(Extension("plpgsql", "1.0"),),
)
RECORD = RecordedFacts(1, NOW, True, (TableCount(USERS, 3),), SOURCE)

without_notes = replace(SOURCE, tables=SOURCE.tables[:1], foreign_keys=())
DIFFERENCES: dict[str, tuple[Catalog, str, str]] = {
    "a table is gone": (without_notes, "no table is missing", 'app."no,""tes" is missing'),
    "a table is new": (
        replace(SOURCE, tables=(*SOURCE.tables, Table(TableName("public", "x"), ()))),
        "no table is new",
        "x is new",
    ),
    "a column is gone": (
        replace(SOURCE, tables=(replace(SOURCE.tables[0], columns=SOURCE.tables[0].columns[:1]), SOURCE.tables[1])),
        "columns are as recorded",
        "users.email is missing",
    ),
    "a type changed": (
        replace(
            SOURCE, tables=(SOURCE.tables[0], replace(SOURCE.tables[1], columns=(Column("user_id", "bigint", True),)))
        ),
        "columns are as recorded",
        'app."no,""tes".user_id was integer, is bigint not null',
    ),
    "a foreign key is gone": (
        replace(SOURCE, foreign_keys=()),
        "foreign keys are as recorded",
        'app."no,""tes": notes_user is missing',
    ),
    "a foreign key is not valid": (
        replace(SOURCE, foreign_keys=(replace(SOURCE.foreign_keys[0], validated=False),)),
        "foreign keys are as recorded",
        'app."no,""tes": notes_user was user_id → users (id), is user_id → users (id) not valid',
    ),
    "a condition changed": (
        replace(SOURCE, check_constraints=(CheckConstraint("filled", USERS, "true"),)),
        "check constraints are as recorded",
        "users: filled was email <> '', is true",
    ),
    "an index is gone": (replace(SOURCE, indexes=()), "indexes are as recorded", "users_email is missing"),
    "a sequence is gone": (replace(SOURCE, sequences=()), "sequences are as recorded", "users_id_seq is missing"),
    "a policy is gone": (replace(SOURCE, policies=()), "policies are as recorded", "users: own is missing"),
    "an owner changed": (
        replace(SOURCE, tables=(replace(SOURCE.tables[0], owner="eve", row_security=True), SOURCE.tables[1])),
        "owners are as recorded",
        "users was clickview, is eve, row level security",
    ),
    "an extension is older": (
        replace(SOURCE, extensions=(Extension("plpgsql", "0.9"),)),
        "extensions are as recorded",
        "plpgsql was 1.0, is 0.9",
    ),
}


def differing(catalog: Catalog, *, exact: bool) -> list[Expectation]:
    return [one for one in as_recorded(catalog, Source(RECORD, exact=exact)) if one.differences]


@pytest.mark.parametrize("what", DIFFERENCES)
def test_a_difference_is_named_once_and_fails_only_at_the_same_position(what: str) -> None:
    catalog, name, difference = DIFFERENCES[what]
    (exact,) = differing(catalog, exact=True)
    assert (exact.name, exact.differences, exact.known) == (name, (difference,), "")
    (since,) = differing(catalog, exact=False)
    assert since.known == "changed since the record of 2026-07-01 12:00:00 UTC: by the application, or lost"


@pytest.mark.parametrize("what", DIFFERENCES)
def test_a_difference_that_the_live_database_shows_as_well_was_made_there(what: str) -> None:
    catalog, name, difference = DIFFERENCES[what]
    same = [one for one in as_recorded(catalog, Source(RECORD, live=Witness(catalog))) if one.differences]
    assert [(one.name, one.differences) for one in same] == [(f"{name}: changed since", (difference,))]
    assert same[0].known == "changed since the record of 2026-07-01 12:00:00 UTC; so is the live database"
    other = [one for one in as_recorded(catalog, Source(RECORD, live=Witness(SOURCE))) if one.differences]
    assert [bool(one.known) for one in other] == [difference.endswith("is new")]  # nothing is lost by what is new


def test_a_catalog_that_is_the_same_has_no_differences() -> None:
    assert differing(SOURCE, exact=True) == []
    assert len(as_recorded(SOURCE, Source(RECORD, exact=True))) == 11


def test_an_index_that_lost_its_validity() -> None:
    broken = replace(SOURCE, indexes=(replace(SOURCE.indexes[0], valid=False),))
    index = broken.indexes[0]
    (one,) = differing(broken, exact=True)
    assert (one.name, one.differences) == ("valid indexes stayed valid", ("users_email is no longer valid",))
    assert known_to_be_invalid(index, Source(RECORD, exact=True)) == ""
    assert "cut short since" in known_to_be_invalid(index, Source(RECORD))
    assert "so is the live database" in known_to_be_invalid(index, Source(RECORD, live=Witness(broken)))
    assert known_to_be_invalid(index, Source(RECORD, live=Witness(SOURCE))) == ""


def test_without_a_recorded_catalog_that_is_said() -> None:
    (one,) = as_recorded(SOURCE, Source(replace(RECORD, catalog=None), exact=True))
    assert one.expected == "no catalog was recorded with this backup"
    assert as_recorded(SOURCE, Source()) == (one,)


def test_what_was_so_at_the_source_is_no_news() -> None:
    broken = replace(SOURCE.indexes[0], valid=False)
    before = replace(RECORD, catalog=replace(SOURCE, indexes=(broken,)), behind=(COUNTER,))
    assert known_to_be_invalid(broken, Source(before)) == "it was so when the backup was taken"
    assert known_to_be_invalid(replace(broken, name=USERS), Source(before)) == "it was made after the backup's record"
    assert known_to_be_invalid(broken, Source()) == ""
    assert known_to_be_behind(COUNTER, Source(before, exact=True)) == "it was so when the backup was taken"
    assert known_to_be_behind(COUNTER, Source(RECORD, exact=True)) == ""
    assert "set back since" in known_to_be_behind(COUNTER, Source(RECORD))
    assert known_to_be_behind(COUNTER, Source()) == ""
    assert "so is the live" in known_to_be_behind(COUNTER, Source(RECORD, live=Witness(SOURCE, (COUNTER,))))
    assert known_to_be_behind(COUNTER, Source(RECORD, live=Witness(SOURCE))) == ""


WORDS = "changed since the record of 2026-07-01 12:00:00 UTC; so is the live database"


def judged(copy: Catalog, live: Catalog, record: RecordedFacts = RECORD) -> list[tuple[tuple[str, ...], bool]]:
    """The differences of a copy, and whether the live database explains them."""
    found = as_recorded(copy, Source(record, live=Witness(live)))
    return [(one.differences, one.known == WORDS) for one in found if one.differences]


def widened(type_name: str) -> Catalog:
    columns = (Column("id", "uuid", True), Column("email", type_name, True))
    return replace(SOURCE, tables=(replace(SOURCE.tables[0], columns=columns), *SOURCE.tables[1:]))


def test_what_was_changed_twice_since_is_explained() -> None:
    """It was varchar(50) in the record, is varchar(100) in the copy and text in the live database."""
    copy, live = widened("character varying(100)"), widened("text")
    assert [known for _, known in judged(copy, live)] == [True]
    assert [known for _, known in judged(copy, SOURCE)] == [False]
    gone = replace(SOURCE, tables=SOURCE.tables[1:])
    assert [known for _, known in judged(copy, gone)] == [True]  # altered, then dropped


def test_a_table_that_was_dropped_and_made_again_is_explained() -> None:
    before = replace(SOURCE, tables=tuple(replace(one, oid=100) for one in SOURCE.tables))
    again = replace(SOURCE, tables=(replace(SOURCE.tables[0], oid=200), *before.tables[1:]))
    record = replace(RECORD, catalog=before)
    missing = (f"{SOURCE.tables[0].name} is missing",)
    copy = replace(before, tables=before.tables[1:])
    assert judged(copy, again, record)[0] == (missing, True)
    assert judged(copy, before, record)[0] == (missing, False)
    # An older record has no such numbers: then the name alone counts.
    assert judged(replace(SOURCE, tables=SOURCE.tables[1:]), again)[0] == (missing, False)


def test_an_index_that_is_gone_from_the_live_database_is_explained() -> None:
    broken = replace(SOURCE, indexes=(replace(SOURCE.indexes[0], valid=False),))
    gone = replace(SOURCE, indexes=())
    assert judged(broken, gone) == [(("users_email is no longer valid",), True)]
    assert known_to_be_invalid(broken.indexes[0], Source(RECORD, live=Witness(gone))).endswith("has it no more")


def test_what_nobody_could_look_at_is_no_proof_that_it_was_sound() -> None:
    unseen = replace(RECORD, unseen=(COUNTER,), unasked=(UnaskedRule(USERS, "rule"),))
    assert known_to_be_behind(COUNTER, Source(unseen, exact=True)).startswith("nobody could look")
    assert "set back since" in known_to_be_behind(COUNTER, Source(RECORD, live=Witness(SOURCE, unseen=(COUNTER,))))
    rule = rows_meet("ClickView", "rule", "x", USERS, "c.email IS NULL", shown=())
    (one,) = with_what_is_known([rule], Source(unseen))
    assert one.known.startswith("nobody could ask")


def test_a_table_that_nobody_could_count_was_not_asked_about_its_rules_either() -> None:
    rule = rows_meet("ClickView", "rule", "x", USERS, "c.email IS NULL", shown=())
    (one,) = with_what_is_known([rule], Source(replace(RECORD, uncounted=(USERS,))))
    assert one.known.startswith("nobody could ask")


def test_at_the_same_position_no_more_rows_are_known_than_were_counted() -> None:
    rule = rows_meet("ClickView", "rule", "x", USERS, "c.email IS NULL", shown=())
    record = replace(RECORD, broken=(BrokenRule(USERS, "rule", 3),))
    (exact,) = with_what_is_known([rule], Source(record, exact=True))
    (later,) = with_what_is_known([rule], Source(record))
    assert (exact.known_rows, later.known_rows) == (3, None)
    statuses = [verdict(one, Seen(rows), met=False).status for one in (exact, later) for rows in (3, 4)]
    assert statuses == [CheckStatus.WARNING, CheckStatus.FAILED, CheckStatus.WARNING, CheckStatus.WARNING]


def test_when_every_table_was_loaded_anew_names_alone_tell_them_apart() -> None:
    before = replace(SOURCE, tables=tuple(replace(one, oid=100 + n) for n, one in enumerate(SOURCE.tables)))
    loaded = replace(SOURCE, tables=tuple(replace(one, oid=200 + n) for n, one in enumerate(SOURCE.tables)))
    copy = replace(before, tables=before.tables[1:])
    assert judged(copy, loaded, replace(RECORD, catalog=before))[0][1] is False


def test_only_what_promises_rows_is_asked_of_the_live_database() -> None:
    made = restored_data_suite(SOURCE, Source(RECORD, exact=True, same_line=True), Freshness(NOW, NOW))
    asked = {one.suite for one in made if asked_of_nobody(one, RECORD)}
    assert asked == {"foreign keys"}
    unrecorded = {one.kind for one in made if asked_of_nobody(one, None)}
    assert ExpectationKind.ROW_COUNT not in unrecorded and ExpectationKind.AGREED not in unrecorded


def test_without_a_record_a_copy_is_not_blamed_for_what_nobody_noted() -> None:
    invalid = replace(SOURCE.indexes[0], valid=False)
    assert known_to_be_invalid(invalid, Source(proven=True)) == "nobody noted whether it was so at the source"
    assert known_to_be_behind(COUNTER, Source(proven=True)) == "nobody noted whether it was so at the source"


def test_a_rule_that_the_source_broke_is_no_news() -> None:
    rule = rows_meet("ClickView", "every user can log in", "x", USERS, "c.email IS NULL", shown=())
    record = replace(RECORD, broken=(BrokenRule(USERS, "every user can log in", 1234),))
    (known,) = with_what_is_known([rule], Source(record))
    assert known.known == "1,234 broke it when the backup was taken"
    for one, told in ((replace(rule, name="another"), record), (rule, None)):
        assert with_what_is_known([one], Source(told)) == (one,)


def test_a_rule_in_place_of_a_key_that_the_source_never_had_is_no_news() -> None:
    sessions = TableName("public", "user_sessions")
    columns = (Column("id", "uuid", True), Column("user_id", "uuid", True))
    users = Table(USERS, (Column("id", "uuid", True),))
    keyless = Catalog("x", 150000, in_recovery=False, superuser=True, tables=(users, Table(sessions, columns)))
    key = ForeignKey("k", sessions, ("user_id",), USERS, ("id",))
    (rule,) = [one for one in clickview_suite(keyless) if one.name == "no session outlives its user"]
    (known,) = with_what_is_known([rule], Source(replace(RECORD, catalog=keyless)))
    assert known.known == "no key of the source promised it"
    (lost,) = with_what_is_known([rule], Source(replace(RECORD, catalog=replace(keyless, foreign_keys=(key,)))))
    assert lost.known == ""


def test_keys_that_are_not_valid_promise_nothing() -> None:
    loose = replace(
        SOURCE,
        foreign_keys=(replace(SOURCE.foreign_keys[0], validated=False),),
        check_constraints=(replace(SOURCE.check_constraints[0], validated=False),),
    )
    made = restored_data_suite(loose, Source(), Freshness(None, None))
    assert {one.name for one in made if one.known == NOT_VALID} == {
        'app."no,""tes".user_id points at a row of users',
        "users: filled holds",
    }


def test_an_invalid_index_promises_nothing() -> None:
    key = UniqueKey("users_email", USERS, ("email",), ("email",), valid=False)
    made = restored_data_suite(replace(SOURCE, unique_keys=(key,)), Source(), Freshness(None, None))
    (one,) = [one for one in made if one.name == "users: users_email is unique"]
    assert one.known == INVALID


def test_files_alone_prove_nothing_about_rows() -> None:
    whole = CheckResult("files", "physical", CheckStatus.PASSED, "", "no damage", of_rows=False)
    rows = CheckResult("rows", "rows", CheckStatus.NOT_CHECKED, "", "the checker ended")
    report = CheckReport("db", NOW, 1.0, (whole, rows))
    assert (report.passed, report.verdict, report.worst) == (False, "not checked", "rows: the checker ended")
    assert replace(report, results=(whole, replace(rows, status=CheckStatus.PASSED))).passed


def test_a_record_survives_the_way_into_the_bucket_and_back() -> None:
    whole = replace(RECORD, behind=(COUNTER,), broken=(BrokenRule(NOTES, "ä", 1),))
    adapter = TypeAdapter(RecordedFacts)
    assert adapter.validate_json(adapter.dump_json(whole)) == whole


def test_a_record_of_an_older_version_is_read_and_differs_in_nothing() -> None:
    adapter = TypeAdapter(RecordedFacts)
    document = json.loads(adapter.dump_json(RECORD))
    for part, later in {"tables": ("only", "oid"), "foreign_keys": ("operators", "period")}.items():
        for one in document["catalog"][part]:
            for field in later:
                del one[field]
    for one in (column for table in document["catalog"]["tables"] for column in table["columns"]):
        del one["validated"]
    del document["counts"][0]["own"]
    for field in ("uncounted", "unseen", "unasked", "stale_collations", "heartbeat_at"):
        del document[field]
    older = adapter.validate_json(json.dumps(document))
    assert older == RECORD
    users, notes = SOURCE.tables
    now = replace(
        SOURCE,
        tables=(
            replace(users, only=True, columns=(replace(users.columns[0], validated=False), users.columns[1])),
            notes,
        ),
        foreign_keys=(replace(SOURCE.foreign_keys[0], operators=("pg_catalog.=",), period=True),),
    )
    assert [one.differences for one in as_recorded(now, Source(older, exact=True)) if one.differences] == []


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (Source(RECORD, exact=True, proven=True), "nobody could look when the backup was taken"),
        (Source(None, proven=True), "nobody noted whether it was so at the source"),
        (Source(replace(RECORD, stale_collations=()), exact=True, proven=True), ""),
        (Source(), ""),  # a live site
    ],
)
def test_an_old_collation_that_nobody_could_look_for_at_the_source_is_no_blame(known: Source, why: str) -> None:
    suite = {one.name: one for one in restored_data_suite(SOURCE, known, Freshness(None, None))}
    assert suite["collation versions are those recorded"].known == why
    assert "collation versions are current" not in suite
