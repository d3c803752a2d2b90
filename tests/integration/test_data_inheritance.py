"""Tables that inherit, as PostgreSQL did it before partitions: each answers for its own rows, as its keys do."""

from __future__ import annotations

import json

import pytest
from pydantic import TypeAdapter

from checks.as_recorded import Source
from recovery.facts import CheckReport, DatabaseAddress, RecordedFacts
from tasks.data import check_data
from tests.fix_data import damage, failures, recorded

pytestmark = pytest.mark.usefixtures("checker")

# Nothing here breaks a rule: keys are not inherited, and a child keeps what its parent must not.
_EVENTS = (
    "CREATE TABLE owners (id int PRIMARY KEY)",
    "CREATE TABLE events (id int PRIMARY KEY, owner int REFERENCES owners, at timestamptz, label text,"
    " CONSTRAINT empty CHECK (false) NO INHERIT)",
    "CREATE UNIQUE INDEX events_label ON events (lower(label))",
    "CREATE TABLE events_2023 () INHERITS (events)",
    "CREATE TABLE events_2024 () INHERITS (events)",
    "INSERT INTO events_2023 VALUES (1, 99, now(), 'a'), (1, 99, now(), 'A')",
    "INSERT INTO events_2024 VALUES (1, 98, now(), 'a')",
)


def check(database: DatabaseAddress, facts: RecordedFacts | None = None, *, exact: bool = False) -> CheckReport:
    return check_data(database, Source(facts, exact=exact), target=None)


def as_older_versions_wrote(facts: RecordedFacts, rows: dict[str, int]) -> RecordedFacts:
    """A record without the fields that came later, in which a parent has its children's rows."""
    adapter = TypeAdapter(RecordedFacts)
    document = json.loads(adapter.dump_json(facts))
    for one in document["counts"]:
        one.pop("own", None)
        one["rows"] = rows.get(one["table"]["name"], one["rows"])
    for one in document["catalog"]["tables"]:
        one.pop("only", None)
    for one in document["catalog"]["foreign_keys"]:
        one.pop("operators", None)
        one.pop("period", None)
    return adapter.validate_json(json.dumps(document))


def test_what_a_child_may_hold_is_no_fault_of_its_parent(database: DatabaseAddress) -> None:
    damage(database, *_EVENTS)
    facts = recorded(database)
    assert failures(check(database, facts, exact=True)) == {}
    assert {one.table.name: one.rows for one in facts.counts if one.table.name.startswith("events")} == {
        "events": 0,
        "events_2023": 2,
        "events_2024": 1,
    }


def test_a_child_answers_for_itself(database: DatabaseAddress) -> None:
    damage(
        database,
        *_EVENTS,
        "ALTER TABLE events_2024 ADD UNIQUE (id)",
        "ALTER TABLE events_2024 ADD FOREIGN KEY (owner) REFERENCES owners NOT VALID",
        "UPDATE pg_constraint SET convalidated = true WHERE conname = 'events_2024_owner_fkey'",
    )
    assert set(failures(check(database))) == {"events_2024.owner points at a row of owners"}


def test_a_childs_row_hides_no_orphan(database: DatabaseAddress) -> None:
    damage(
        database,
        *_EVENTS,
        "CREATE TABLE former_owners () INHERITS (owners)",
        "INSERT INTO former_owners VALUES (7)",
        "CREATE TABLE pets (id int PRIMARY KEY, owner int REFERENCES owners)",
        "INSERT INTO pets VALUES (1, 7)",
    )
    broken = failures(check(database))
    assert set(broken) == {"pets.owner points at a row of owners"}
    assert broken["pets.owner points at a row of owners"].examples == ("id = 1, owner = 7",)


def test_rows_that_went_from_a_parent_to_its_child_are_missed(database: DatabaseAddress) -> None:
    damage(database, *_EVENTS, "CREATE TABLE former_owners () INHERITS (owners)", "INSERT INTO owners VALUES (1), (2)")
    facts = recorded(database)
    damage(
        database, "WITH gone AS (DELETE FROM ONLY owners RETURNING id) INSERT INTO former_owners SELECT id FROM gone"
    )
    assert set(failures(check(database, facts, exact=True))) == {"owners has its rows", "former_owners has its rows"}


def test_an_older_record_counted_the_childrens_rows_too(database: DatabaseAddress) -> None:
    damage(database, *_EVENTS)
    older = as_older_versions_wrote(recorded(database), {"events": 3})
    assert failures(check(database, older, exact=True)) == {}
    damage(database, "DELETE FROM events_2023")
    assert set(failures(check(database, older, exact=True))) == {"events has its rows", "events_2023 has its rows"}


def test_the_rows_of_a_partitioned_table_are_in_its_partitions(database: DatabaseAddress) -> None:
    damage(
        database,
        "CREATE TABLE owners (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE owners_low PARTITION OF owners FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE pets (id int PRIMARY KEY, owner int REFERENCES owners) PARTITION BY RANGE (id)",
        "CREATE TABLE pets_low PARTITION OF pets FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE fleas (id int, owner int REFERENCES owners_low, CHECK (id > 0))",
        "INSERT INTO owners VALUES (1)",
        "INSERT INTO pets VALUES (1, 1), (2, 1)",
        "INSERT INTO fleas VALUES (1, 1)",
    )
    facts = recorded(database)
    assert failures(check(database, facts, exact=True)) == {}
    damage(database, "UPDATE pets SET owner = 5 WHERE id = 2", "DELETE FROM pets WHERE id = 1")
    assert set(failures(check(database, facts, exact=True))) == {
        "pets.owner points at a row of owners",
        "pets has its rows",
    }


def test_a_sequence_gives_numbers_to_the_children_too(database: DatabaseAddress) -> None:
    damage(
        database,
        "CREATE TABLE tickets (id serial PRIMARY KEY)",
        "CREATE TABLE old_tickets (PRIMARY KEY (id)) INHERITS (tickets)",
        "INSERT INTO old_tickets VALUES (5)",
    )
    assert set(failures(check(database))) == {"tickets_id_seq is ahead of tickets.id"}
