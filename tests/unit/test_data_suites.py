"""Which expectations a catalog makes, what pg_amcheck's words mean, and what the report shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from checks.as_recorded import Source
from checks.expectation import without_repeats
from checks.restored_data import HEARTBEAT, NOT_VALID, Freshness, freshness, restored_data_suite
from recovery.adapters.expectations.messages import Count, answer_line, read_answer, read_request, request_line
from recovery.adapters.expectations.report import render_html
from recovery.adapters.expectations.verdict import verdict
from recovery.adapters.postgres.amcheck import damaged_relations
from recovery.adapters.postgres.seen import Seen
from recovery.catalog import (
    Catalog,
    CheckConstraint,
    Column,
    ForeignKey,
    Sequence,
    Table,
    TableName,
    UniqueKey,
    table_name,
)
from recovery.expectation import Expectation, ExpectationKind
from recovery.facts import CheckReport, CheckResult, CheckStatus, RecordedFacts, TableCount

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
USERS, WIDGETS = TableName("public", "users"), TableName("public", "widgets")
OPEN = Freshness(None, None)


def made(name: TableName, *columns: str) -> Table:
    return Table(
        name, tuple(Column(c, "timestamp with time zone" if c == "created_at" else "text", c == "id") for c in columns)
    )


CATALOG = Catalog(
    "clickview",
    150000,
    in_recovery=False,
    superuser=True,
    tables=(made(USERS, "id", "email", "created_at"), made(WIDGETS, "id", "user_id"), made(HEARTBEAT, "at")),
    foreign_keys=(ForeignKey("widgets_user_fkey", WIDGETS, ("user_id",), USERS, ("id",)),),
    unique_keys=(
        UniqueKey("users_pkey", USERS, ("id",), ("id",)),
        UniqueKey("users_lower", USERS, (), ("lower(email)",), predicate="(email <> '')"),
        UniqueKey("users_email", USERS, ("email",), ("email",), nulls_distinct=False),
    ),
    check_constraints=(CheckConstraint("filled", USERS, "(email <> ''::text)"),),
    sequences=(Sequence(TableName("public", "users_seq"), USERS, "id"),),
)


def suite(catalog: Catalog = CATALOG, **options: object) -> dict[str, Expectation]:
    chosen = {"recorded": None, "exact": False, "tolerance": 0.5, "fresh": OPEN, **options}
    fresh = chosen.pop("fresh")
    return {one.name: one for one in restored_data_suite(catalog, Source(**chosen), fresh)}  # type: ignore[arg-type]


def facts(rows: int) -> RecordedFacts:
    return RecordedFacts(1, NOW, True, (TableCount(USERS, rows), TableCount(HEARTBEAT, 1)))


@pytest.mark.parametrize(
    ("rows", "exact", "tolerance", "least", "most"),
    [
        (100, True, 0.5, 100, 100),
        (100, False, 0.5, 50, None),
        (101, False, 0.5, 51, None),
        (100, False, 0.0, 100, None),
        (100, False, 1.0, 1, None),
        (1, False, 0.9, 1, None),
        (0, False, 0.5, 0, None),
        (0, True, 0.5, 0, 0),
    ],
)
def test_row_counts(rows: int, exact: bool, tolerance: float, least: int, most: int | None) -> None:
    one = suite(recorded=facts(rows), exact=exact, tolerance=tolerance)["users has its rows"]
    assert (one.table, one.minimum, one.maximum) == (USERS, least, most)


def test_no_recorded_facts_are_said() -> None:
    assert suite()["row counts as recorded"].kind is ExpectationKind.NOT_CHECKED


def test_a_recorded_table_keeps_its_schema() -> None:
    assert suite(recorded=facts(3))["clickview_recovery.heartbeat has its rows"].table == HEARTBEAT
    assert (table_name("users"), table_name("a.b")) == (USERS, TableName("a", "b"))


def test_a_foreign_key_becomes_a_search_for_orphans() -> None:
    query = suite()["widgets.user_id points at a row of users"].query
    assert query == (
        'SELECT count(*) OVER () AS rows_found, c."id", c."user_id" FROM "public"."widgets" c'
        ' WHERE c."user_id" IS NOT NULL AND NOT EXISTS'
        ' (SELECT 1 FROM "public"."users" p WHERE p."id" = c."user_id") LIMIT 10'
    )


def test_orphans_are_compared_with_the_keys_own_operators() -> None:
    key = ForeignKey("k", WIDGETS, ("a", "b"), USERS, ("c", "d"), operators=("pg_catalog.=", '"Odd".==='))
    query = suite(replace(CATALOG, foreign_keys=(key,)))["widgets.a+b points at a row of users"].query
    assert 'p."c" OPERATOR(pg_catalog.=) c."a" AND p."d" OPERATOR("Odd".===) c."b") LIMIT' in query


def test_a_key_with_a_period_is_not_checked_and_said() -> None:
    key = replace(CATALOG.foreign_keys[0], period=True)
    one = suite(replace(CATALOG, foreign_keys=(key,)))["widgets.user_id points at a row of users"]
    assert (one.kind, one.expected) == (
        ExpectationKind.NOT_CHECKED,
        "the key has a PERIOD, which several rows may cover together: equality does not show it",
    )


def with_heirs(*names: TableName) -> Catalog:
    """The same database, where other tables inherit from these."""
    return replace(CATALOG, tables=tuple(replace(one, only=one.name in names) for one in CATALOG.tables))


@pytest.mark.parametrize(
    ("heirs", "child", "parent"),
    [
        ((), '"public"."widgets"', '"public"."users"'),
        ((WIDGETS,), 'ONLY "public"."widgets"', '"public"."users"'),
        ((USERS,), '"public"."widgets"', 'ONLY "public"."users"'),
        ((USERS, WIDGETS), 'ONLY "public"."widgets"', 'ONLY "public"."users"'),
    ],
)
def test_each_side_of_a_foreign_key_is_read_as_its_own_table_must_be(
    heirs: tuple[TableName, ...], child: str, parent: str
) -> None:
    query = suite(with_heirs(*heirs))["widgets.user_id points at a row of users"].query
    assert f"FROM {child} c WHERE" in query
    assert f"FROM {parent} p WHERE" in query


def test_what_is_said_of_a_table_is_said_of_its_own_rows() -> None:
    made_suite = suite(with_heirs(USERS, HEARTBEAT), fresh=Freshness(NOW, NOW))
    read = {name: one.source for name, one in made_suite.items() if one.table == USERS and not one.query}
    assert {name for name, source in read.items() if source == 'ONLY "public"."users"'} == {
        "users: users_pkey is unique",
        "users: not-null constraints hold",
        "users: filled holds",
        "users: nothing is newer than the recovery target",
        "users: every created_at is a moment",
    }
    assert set(read) - {name for name, source in read.items() if "ONLY" in source} == {"users_seq is ahead of users.id"}
    assert 'FROM ONLY "public"."users" WHERE' in made_suite["users: users_lower is unique"].query
    assert f"FROM ONLY {HEARTBEAT.sql})" in made_suite["the data reaches up to the recovery target"].query


@pytest.mark.parametrize(("own", "heirs", "only"), [(True, True, True), (True, False, False), (False, True, False)])
def test_rows_are_counted_as_the_record_counted_them(own: bool, heirs: bool, only: bool) -> None:
    record = replace(facts(3), counts=(TableCount(USERS, 3, own=own),))
    one = suite(with_heirs(*([USERS] if heirs else [])), recorded=record)["users has its rows"]
    assert one.only is only


def test_a_not_null_that_is_not_valid_is_no_promise() -> None:
    later = Column("email", "text", True, validated=False)
    users = replace(CATALOG.tables[0], columns=(Column("id", "text", True), later))
    made_suite = suite(replace(CATALOG, tables=(users,), foreign_keys=()))
    assert 'c."email"' not in made_suite["users: not-null constraints hold"].breaks
    one = made_suite["users: email not null holds"]
    assert (one.breaks, one.known) == ('num_nulls(c."email") > 0', NOT_VALID)


def test_unique_keys() -> None:
    assert suite()["users: users_pkey is unique"].kind is ExpectationKind.UNIQUE
    partial = suite()["users: users_lower is unique"].query
    assert "WHERE ((email <> '')) AND (lower(email)) IS NOT NULL GROUP BY (lower(email))" in partial
    assert "IS NOT NULL" not in suite()["users: users_email is unique"].query  # NULLS NOT DISTINCT


def test_constraints_are_one_pass_per_table() -> None:
    one = suite()["users: not-null constraints hold"]
    assert (one.kind, one.table) == (ExpectationKind.ROWS_MEET, USERS)
    assert one.breaks == 'num_nulls(c."id") > 0'
    conditions = [one for one in suite().values() if "email <> ''::text" in one.breaks]
    assert [(one.kind, one.table) for one in conditions] == [(ExpectationKind.ROWS_MEET, USERS)]
    assert "heartbeat: not-null" not in str(suite().keys())  # nothing to look at


def test_the_database_has_a_collation_version_since_15() -> None:
    name = "collation versions are those recorded"
    assert "datcollversion" in suite()[name].query
    assert "datcollversion" not in suite(replace(CATALOG, server_version=140011))[name].query


def test_freshness_around_the_target() -> None:
    hour = timedelta(hours=1)
    assert freshness(NOW, None, now=NOW, oldest=hour, live=False) == Freshness(
        NOW - hour, NOW, skew=timedelta(minutes=1)
    )
    live = freshness(None, None, now=NOW, oldest=hour, live=True)
    assert (live.not_before, live.not_after) == (NOW - hour, NOW)
    copy = freshness(None, NOW - 3 * hour, now=NOW, oldest=hour, live=False)
    assert (copy.not_before, copy.not_after) == (NOW - 4 * hour, NOW)
    assert freshness(None, None, now=NOW, oldest=hour, live=False).not_before is None


def test_freshness_is_said_in_utc_to_the_microsecond() -> None:
    target = datetime.fromisoformat("2026-07-01T14:00:00.000001+02:00")
    made_suite = suite(fresh=Freshness(target, target))
    newest = made_suite["users: nothing is newer than the recovery target"]
    assert newest.breaks.startswith("(c.\"created_at\" > TIMESTAMPTZ '2026-07-01 12:00:00.000001+00' AND")
    assert newest.expected.endswith("2026-07-01 12:00:00.000001 UTC")
    assert made_suite["clickview_recovery.heartbeat: nothing is newer than the recovery target"].table == HEARTBEAT


def test_moments_that_cannot_be_compared_are_said_and_never_fail() -> None:
    naive = Table(USERS, (Column("id", "integer", True), Column("created_at", "timestamp without time zone", True)))
    made_suite = suite(replace(CATALOG, tables=(naive, CATALOG.tables[2])), fresh=Freshness(NOW, NOW))
    assert "users: nothing is newer than the recovery target" not in made_suite
    zone = made_suite["every created_at has a time zone"]
    assert (zone.differences, bool(zone.known)) == (("users",), True)
    endless = suite(fresh=OPEN)["users: every created_at is a moment"]
    assert (endless.breaks, bool(endless.known)) == ('(NOT isfinite(c."created_at"))', True)


def test_a_sequence_is_compared_in_the_scan_of_its_table() -> None:
    one = suite()["users_seq is ahead of users.id"]
    last = 'SELECT s.last_value FROM "public"."users_seq" s'
    assert (one.kind, one.table) == (ExpectationKind.ROWS_MEET, USERS)
    assert one.breaks == f'(c."id" > ({last}) OR c."id" = ({last} WHERE NOT s.is_called))'


def test_without_a_heartbeat_freshness_is_not_checked() -> None:
    bare = replace(CATALOG, tables=CATALOG.tables[:1])
    one = suite(bare, fresh=Freshness(NOW, NOW))["the data reaches up to the recovery target"]
    assert (one.kind, one.expected) == (
        ExpectationKind.NOT_CHECKED,
        "no heartbeat table (run: recover site prepare --apply)",
    )


def test_each_thing_is_looked_at_once_under_its_first_name() -> None:
    one = Expectation("a", "first", "x", ExpectationKind.UNIQUE, USERS, ("id",))
    other = replace(one, suite="b", name="second")
    third = replace(one, columns=("email",))
    tolerant = replace(one, name="tolerant", known="the index is invalid")
    assert without_repeats([tolerant, one]) == without_repeats([one, tolerant]) == (one,)
    assert without_repeats([one, other, third]) == (one, third)


def test_messages_survive_the_way_to_the_checker_and_back() -> None:
    counts = (Count(0, 3, 0, 2**62), Count(7, 2, 0, 0))
    assert "\n" not in request_line(counts)
    assert read_request(request_line(counts)) == counts
    assert read_answer(answer_line({7, 3})) == {3, 7}


def test_what_pg_amcheck_says() -> None:
    said = (
        'heap table "db.public.users", block 3, offset 14, attribute 2:\n    attribute is broken\n'
        'heap table "db.public.users", block 4, offset 1:\n    xmin 3 is too old\n'
        'btree index "db.public.users_pkey":\n    ERROR:  item order invariant violated\nDETAIL:  Lower index tid=(1,2)\n'
    )
    assert damaged_relations(said) == {
        "db.public.users": [
            "block 3, offset 14, attribute 2: attribute is broken",
            "block 4, offset 1: xmin 3 is too old",
        ],
        "db.public.users_pkey": ["ERROR: item order invariant violated DETAIL: Lower index tid=(1,2)"],
    }
    assert damaged_relations("") == {}


ONE = Expectation("keys", "unique", "no repeats", ExpectationKind.UNIQUE, USERS, ("session_token",))


def test_damage_fails_in_the_servers_words_and_all_else_is_not_checked() -> None:
    damaged = verdict(ONE, Seen(problem="invalid page in block 0", damage=True), met=True)
    assert (damaged.status, damaged.found) == (CheckStatus.FAILED, "PostgreSQL says: invalid page in block 0")
    late = verdict(replace(ONE, known="known"), Seen(problem="canceling statement"), met=True)
    assert (late.status, late.found, late.expected) == (CheckStatus.NOT_CHECKED, "canceling statement", "no repeats")


def test_what_is_known_is_a_warning_but_damage_is_not() -> None:
    known = replace(ONE, known="it was so at the source")
    result = verdict(known, Seen(3), met=False)
    assert (result.status, result.found) == (CheckStatus.WARNING, "3 rows share a value; it was so at the source")
    assert verdict(known, Seen(), met=True).status is CheckStatus.PASSED
    assert verdict(known, Seen(problem="invalid page", damage=True), met=True).status is CheckStatus.FAILED


@pytest.mark.parametrize(
    ("kind", "rows", "found", "fine"),
    [
        (ExpectationKind.ROW_COUNT, 1234, "1,234 rows", "1,234 rows"),
        (ExpectationKind.ROWS_MEET, 2, "2 found", "none found"),
        (ExpectationKind.NO_ROWS, 2, "2 found", "none found"),
        (ExpectationKind.UNIQUE, 2, "2 rows share a value", "no repeats"),
        (ExpectationKind.AGREED, 1, "missing: x", "no difference"),
        (ExpectationKind.AGREED, 2, "2 differences", "no difference"),
    ],
)
def test_each_kind_says_what_was_found(kind: ExpectationKind, rows: int, found: str, fine: str) -> None:
    one = Expectation("s", "n", "e", kind, USERS, differences=("missing: x",))
    assert verdict(one, Seen(rows), met=False).found == found
    assert verdict(one, Seen(rows), met=True).found == fine


def test_secret_columns_are_masked_in_examples() -> None:
    secret, open_one = (("token_hash", "abc"),), (("slug", "abc"), ("lower(api_key)", "x"))
    assert verdict(ONE, Seen(2, (secret, secret)), met=False).examples == ("token_hash = •••",)
    assert verdict(ONE, Seen(2, (open_one,)), met=False).examples == ("slug = abc, lower(api_key) = •••",)


def report(*results: CheckResult) -> CheckReport:
    return CheckReport("click<view", NOW, 1.5, results, (("Role", "reader"),))


GOOD = CheckResult("fine", "rows", CheckStatus.PASSED, "3 rows", "3 rows")
BAD = CheckResult("broken & bad", "keys", CheckStatus.FAILED, "none", "2 found", ("id = <b>",))
OPEN_RESULT = CheckResult("files", "physical", CheckStatus.NOT_CHECKED, "", "no extension")


def test_the_page_shows_failures_first_and_escapes_everything() -> None:
    page = render_html(report(GOOD, BAD, OPEN_RESULT))
    assert "click&lt;view" in page
    assert "id = &lt;b&gt;" in page
    assert page.index("broken &amp; bad") < page.index("no extension") < page.index("fine</td>")
    assert "1 of 3 checks failed" in page
    assert "//" not in page  # nothing is fetched from anywhere


def test_the_page_says_what_to_do_next() -> None:
    assert "then REINDEX" in render_html(report(replace(BAD, suite="unique keys")))
    blind = replace(BAD, suite="unique keys", found="PostgreSQL says: invalid page")
    assert "nobody could look" in render_html(report(blind))
    assert "then REINDEX" not in render_html(report(blind))


def test_the_page_of_a_clean_database() -> None:
    assert "All 1 checks passed" in render_html(report(GOOD))
    assert "1 checks passed, 1 not checked" in render_html(report(GOOD, OPEN_RESULT))
    assert "Nothing was checked" in render_html(report(OPEN_RESULT))
    assert "Nothing was checked" in render_html(report())
