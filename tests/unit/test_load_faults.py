"""What pg_restore and psql say of what they could not make, as they say it."""

from __future__ import annotations

from recovery.adapters.postgres.load_faults import (
    Fault,
    errors_of_dump,
    faults_in,
    faults_of_psql,
    listed,
    named,
    roles_missing,
    to_type,
)

SAID = """pg_restore: connecting to database for restore
pg_restore: creating TABLE "public.kept"
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 215; 1259 16500 TABLE kept leaving
pg_restore: error: could not execute query: ERROR:  role "leaving" does not exist
Command was: ALTER TABLE public.kept OWNER TO leaving;

pg_restore: from TOC entry 3402; 0 16501 TABLE DATA orders, of "may" postgres
pg_restore: error: COPY failed for table "orders": ERROR:  relation "factors" does not exist
CONTEXT:  SQL function "rate" during inlining
pg_restore: from TOC entry 3500; 0 0 ACL TABLE kept leaving
pg_restore: error: could not execute query: ERROR:  role "leaving" does not exist
pg_restore: warning: errors ignored on restore: 3
"""


def test_each_error_belongs_to_its_entry() -> None:
    owner, rows, rights = faults_in(SAID)
    assert owner == Fault(215, 16500, "TABLE kept leaving", 'role "leaving" does not exist')
    assert (owner.missing_role, owner.of_rows, owner.of_rights) == ("leaving", False, False)
    assert (rows.oid, rows.of_rows, rows.missing_role) == (16501, True, None)
    assert rows.words == 'COPY failed for table "orders": ERROR:  relation "factors" does not exist'
    assert rights.of_rights
    assert roles_missing([owner, rows, rights]) == {"leaving": 1}


def test_an_error_before_any_entry_is_of_none() -> None:
    (fault,) = faults_in("pg_restore: error: connection to server failed\n")
    assert (fault.entry, fault.what) == (0, "")


def test_what_psql_says_of_entries_of_one_kind() -> None:
    said = (
        'psql:<stdin>:20: ERROR:  role "leaving" does not exist\n'
        'psql:<stdin>:24: ERROR:  relation "lost" does not exist\nLINE 1: …\n'
        "FATAL:  the database system is shutting down\n"
    )
    found = faults_of_psql(said, "ACL ")
    assert [one.words for one in found[1:]] == [
        'relation "lost" does not exist',
        "the database system is shutting down",
    ]
    assert (found[0].missing_role, found[0].of_rights) == ("leaving", True)


def test_a_policy_of_a_missing_role_is_missing_itself() -> None:
    assert Fault(1, 0, "POLICY orders own postgres", 'role "leaving" does not exist').missing_role is None


def test_what_pg_dump_could_not_read() -> None:
    assert errors_of_dump('pg_dump: error: Dumping the contents of table "a" failed\npg_restore: error: x\n') == [
        'Dumping the contents of table "a" failed'
    ]


def test_an_entry_and_what_to_type_for_it() -> None:
    contents = listed(";\n; Archive created\n;\n3423; 0 18122 MATERIALIZED VIEW DATA app forlorn postgres\n")
    assert list(contents) == [3423]
    assert named(contents[3423]) == "MATERIALIZED VIEW DATA app forlorn postgres"
    assert named("9; 3079 18121 EXTENSION - postgis ") == "EXTENSION postgis"
    script = (
        "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET statement_timeout = 0;\n"
        "SELECT pg_catalog.set_config('search_path', '', false);\n\nREFRESH MATERIALIZED VIEW\n    app.forlorn;\n\n--\n"
    )
    assert to_type(script) == "REFRESH MATERIALIZED VIEW app.forlorn;"
