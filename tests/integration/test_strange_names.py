"""Names, types and keys as other people have them: a sound database shows no fault, a damaged one is called by its name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.as_recorded import Source
from recovery.adapters.postgres.connection import one_row
from recovery.adapters.postgres.record import snapshot
from recovery.catalog import TableName
from recovery.facts import CheckReport, DatabaseAddress
from tasks.data import check_data
from tasks.records import facts_of
from tests.fix_data import damage, failures, recorded
from tests.fix_postgres import READER

pytestmark = pytest.mark.usefixtures("checker")


def test_a_sound_copy_shows_no_fault(strange: DatabaseAddress) -> None:
    with snapshot(replace(strange, user=READER)) as source:
        facts = facts_of(source)
        # A server has room for some thousand locks; when we hold them the application gets none.
        held = (
            "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation > 16383"
        )
        assert one_row(source.connection, held)[0] == 0
    assert (facts.uncounted, facts.unseen, facts.unasked, facts.broken, facts.behind) == ((), (), (), (), ())
    rows = {one.table: one.rows for one in facts.counts}
    assert rows[TableName("odd", "a,b")] == rows[TableName("odd", "line\nbreak")] == 7
    assert rows[TableName("val", "no_columns")] == 4
    assert TableName("val", "not_logged") not in rows  # it comes back empty
    report = check_data(strange, Source(facts, exact=True), target=None)
    assert (failures(report), report.warnings) == ({}, ())
    # Its function finds what it needs by a search_path that amcheck does not have.
    assert unproven(report) == {
        "public.path_index is not damaged": "public.path_index: function path_low(text) does not exist"
    }
    assert "no table and no index is damaged" in {one.name for one in report.results if one.passed}


def unproven(report: CheckReport) -> dict[str, str]:
    """The relations of which nobody could say whether they are whole, and why."""
    return {one.name: one.found for one in report.not_checked if one.suite == "physical"}


LOST = {
    """DELETE FROM odd."a,b" WHERE id = 7""": """odd."a,b" has its rows""",
    """DELETE FROM odd."q""uote x" WHERE id > 5""": """odd."q""uote x" has its rows""",
    """DELETE FROM a."b.c" WHERE id = 1""": """a."b.c" has its rows""",
    """DELETE FROM "a.b".c WHERE id < 3""": """"a.b".c has its rows""",
    """DELETE FROM "a.b.c" WHERE id = 1""": """"a.b.c" has its rows""",
    """DELETE FROM odd.U&"line\\000Abreak" WHERE id > 5""": """odd.U&"line\\+00000Abreak" has its rows""",
    """DELETE FROM "many, of them"."t, 7" """: """"many, of them"."t, 7" has its rows""",
    """DELETE FROM "sch""ema, ünd.co %"."par""ent" WHERE "a,1" = 3""": """odd."ch'ild"."x""y"+"x y" points at a row of """
    """"sch""ema, ünd.co %"."par""ent\"""",
    """UPDATE odd."%s" SET id = 1 WHERE id = 2""": """odd."%s": "%s_pkey" is unique""",
    """INSERT INTO odd."%(name)s" VALUES (100, 'x')""": """odd."%(name)s_id_seq" is ahead of odd."%(name)s".id""",
}


# An index, a row that it shall not hear of, and what it is called.
BROKEN = (
    (
        """odd."ind""ex, ünd.x\"""",
        """odd."q""uote x" (id, "q""uote x") VALUES (900, 'lost')""",
        """odd."ind""ex, ünd.x" is not damaged""",
    ),
    (
        """"sch""ema, ünd.co %"."a: b_pkey\"""",
        """"sch""ema, ünd.co %"."a: b" VALUES (900, 'lost')""",
        """"sch""ema, ünd.co %"."a: b_pkey" is not damaged""",
    ),
    (
        """odd."line\nbreak_pkey\"""",
        """odd."line\nbreak" (id, "line\nbreak") VALUES (900, 'lost')""",
        """odd.U&"line\\+00000Abreak_pkey" is not damaged""",
    ),
    # amcheck writes a.b.c_pkey, and that may be either.
    (""""a.b".c_pkey""", """"a.b".c VALUES (900)""", """a."b.c_pkey" or "a.b".c_pkey is not damaged"""),
)


def test_what_is_damaged_is_called_by_its_name(strange: DatabaseAddress) -> None:
    known = Source(recorded(replace(strange, user=READER)), exact=True)
    damage(strange, """UPDATE pg_index SET indisready = false WHERE indrelid = 'odd."%s"'::regclass""", *LOST)
    damage(strange, """UPDATE pg_index SET indisready = true WHERE indrelid = 'odd."%s"'::regclass""")
    for index, row, _ in BROKEN:
        lose_entry(strange, index, row)
    failed = failures(check_data(strange, known, target=None))
    assert {*LOST.values(), *(name for _, _, name in BROKEN)} <= set(failed)


def lose_entry(database: DatabaseAddress, index: str, row: str) -> None:
    """Insert a row that an index does not hear of."""
    ready = "UPDATE pg_index SET indisready = {0}, indisvalid = {0} WHERE indexrelid = $i${1}$i$::regclass"
    damage(database, ready.format("false", index), f"INSERT INTO {row}")
    damage(database, ready.format("true", index))


def test_an_index_on_a_function_of_the_application_that_fails(strange: DatabaseAddress) -> None:
    """Who broke the function broke no row."""
    damage(
        strange,
        "CREATE OR REPLACE FUNCTION shape.fold(text) RETURNS text IMMUTABLE STRICT LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'not today'; END $$",
        "DROP INDEX path_index",
    )
    report = check_data(strange, Source(), target=None)
    assert failures(report) == {}
    assert unproven(report) == {"shape.folded is not damaged": "shape.folded: not today"}
