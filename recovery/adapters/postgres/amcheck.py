"""Look for damage in tables and indexes with PostgreSQL's own amcheck."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from recovery.adapters.postgres.connection import Connection, connect, one_row
from recovery.adapters.postgres.event_triggers import kept_still
from recovery.adapters.postgres.seen import unseen
from recovery.adapters.postgres.session import session_options
from recovery.adapters.process import Host
from recovery.catalog import TableName, spoken
from recovery.environment import NO_FILE
from recovery.errors import CommandFailed
from recovery.facts import CheckResult, CheckStatus, DatabaseAddress

_SUITE = "physical"
_NAME = "no table and no index is damaged"
_EXPECTED = "amcheck finds nothing"
_EXAMPLES = 10
_DAMAGED = 2  # pg_amcheck's exit status when it did its work and found something

# What pg_amcheck finds is damage, unless the server kept it from looking.
_KEPT_AWAY = re.compile(
    r"ERROR:\s+(canceling|permission denied|terminating|out of memory|could not (extend|write)|.*No space left)"
)
# A limit that the database sets for its users would be taken for damage; the words are compared with ours.
_SESSION = {"lc_messages": "C"}

# All of a copy was looked at, heapallindexed.
_WHOLE = CheckResult(_NAME, _SUITE, CheckStatus.PASSED, _EXPECTED, "no damage found", of_rows=False)

# heap table "db.schema.table", block 3, offset 1: … · btree index "db.schema.index": … The names are not quoted.
_HEADING = re.compile(
    r'^(?P<kind>heap table|btree index) "(?P<name>.*?)"(?P<place>(?:, \w+ \d+)*):[ ]*$', re.MULTILINE | re.DOTALL
)
_ERROR = "ERROR: "  # so begins what an index's own check could not get past


_Relation = tuple[TableName, int | None]  # its name, and the number of an index


def check_copy(host: Host, program: Path, address: DatabaseAddress, *, jobs: int, seconds: float) -> list[CheckResult]:
    """Look at every table, every index and what they say of each other; needs a superuser.

    The extension is installed when it is missing, and taken away again: the copy stays what it was.
    """
    with connect(address, statement_seconds=seconds) as connection:
        # The database's owner may have put functions of theirs into its search path: a superuser must not find them.
        connection.execute("SET search_path = pg_catalog")
        missing = not _installed(connection)
        if missing and one_row(connection, "SELECT pg_is_in_recovery()")[0]:
            return [
                not_looked("the copy is read-only and has no amcheck extension (run: recover site prepare --apply)")
            ]
        if missing:
            with kept_still(connection):
                connection.execute("CREATE EXTENSION amcheck SCHEMA pg_catalog")
        try:
            damaged = _run(host, program, address, jobs, seconds)
            return _results(connection, address.name, damaged) if damaged else [_WHOLE]
        finally:
            if missing:
                with kept_still(connection):
                    connection.execute("DROP EXTENSION amcheck")


def check_live(address: DatabaseAddress, *, seconds: float) -> list[CheckResult]:
    """Look at every index of a live server, as far as its reader may; nothing is written."""
    with connect(address, read_only=True, statement_seconds=seconds) as connection:
        if not _installed(connection):
            return [not_looked("the server has no amcheck extension (run: recover site prepare --apply)")]
        allowed = one_row(
            connection,
            "SELECT has_function_privilege(p.oid, 'EXECUTE') FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid"
            " JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'amcheck'"
            " WHERE p.proname = 'bt_index_check' AND p.pronargs = 1",
        )[0]
        if not allowed:
            return [not_looked(f"role {address.user} may not run bt_index_check (run: recover site prepare --apply)")]
        return _check_indexes(connection)


def proves_indexes(results: Sequence[CheckResult]) -> bool:
    """Whether these results say that every table is whole and that every index has all of its rows, in order."""
    return tuple(results) == (_WHOLE,)


def not_looked(why: str, *, name: str = _NAME) -> CheckResult:
    """The result when nobody looked, with the reason."""
    return CheckResult(name, _SUITE, CheckStatus.NOT_CHECKED, "", why)


def _installed(connection: Connection) -> bool:
    return bool(one_row(connection, "SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'")[0])


def _run(host: Host, program: Path, address: DatabaseAddress, jobs: int, seconds: float) -> dict[str, list[str]]:
    # --database takes a pattern, in which quotes and dots mean something; what is no option is a connection string.
    database = make_conninfo(dbname=address.name)
    argv = [
        *(str(program), "--host", address.host, "--port", str(address.port), "--username", address.user),
        *("--jobs", str(jobs), "--heapallindexed", "--no-password", database),
    ]
    if address.password is not None:
        # By standard input: arguments and environment of a process can be read by others.
        argv = ["sh", "-c", 'IFS= read -r PGPASSWORD; export PGPASSWORD; exec "$@"', "sh", *argv]
    stdin = None if address.password is None else address.password + "\n"
    env = {"PGOPTIONS": session_options(_SESSION, bare=address.bare, superuser=True), "PGPASSFILE": NO_FILE}
    done = host.run(argv, timeout_seconds=seconds, stdin=stdin, env=env, check=False)
    damaged = damaged_relations(done.stdout)
    if (done.status, bool(damaged)) not in ((0, False), (_DAMAGED, True)):
        raise CommandFailed(
            f"pg_amcheck ended with status {done.status}",
            "read its last lines above; the copy's server must run and its superuser must be let in",
            tuple(argv),
            done.status,
            done.last_lines,
        )
    return damaged


def damaged_relations(output: str) -> dict[str, list[str]]:
    """What pg_amcheck said, by relation as it writes it: `database.schema.name`."""
    damaged: dict[str, list[str]] = {}
    headings = list(_HEADING.finditer(output))
    ends = [heading.start() for heading in headings[1:]] + [len(output)]
    for heading, end in zip(headings, ends, strict=False):
        text = " ".join(output[heading.end() : end].split())
        place = heading["place"].strip(", ")
        damaged.setdefault(heading["name"], []).append(f"{place}: {text}" if place else text)
    return damaged


def _results(connection: Connection, database: str, damaged: dict[str, list[str]]) -> list[CheckResult]:
    """What was said of each relation, under the name that it has."""
    rows = connection.execute(
        "SELECT n.nspname, c.relname, CASE c.relkind WHEN 'i' THEN c.oid END FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE concat_ws('.', %s::text, n.nspname, c.relname) = ANY(%s) ORDER BY 1, 2",
        (database, list(damaged)),
    ).fetchall()
    known: dict[str, list[_Relation]] = {}
    for schema, name, index in rows:
        known.setdefault(f"{database}.{schema}.{name}", []).append((TableName(schema, name), index))
    found = [_said(connection, raw, said, known.get(raw, [])) for raw, said in damaged.items()]
    if any(one.status is CheckStatus.FAILED for one in found):
        return found
    return [*found, replace(_WHOLE, found="no damage found in all others")]


def _said(connection: Connection, raw: str, said: list[str], known: list[_Relation]) -> CheckResult:
    # a.b.c may be two; that neither is passed over, both are named.
    relation = " or ".join(f"{spoken(one.schema)}.{spoken(one.name)}" for one, _ in known) or raw
    if len(said) == 1:
        kept_away = said[0] if _KEPT_AWAY.search(said[0]) else ""
        index = known[0][1] if len(known) == 1 else None
        if index and not kept_away and said[0].startswith(_ERROR):
            kept_away = _no_damage(connection, index)
        if kept_away:
            return not_looked(f"{relation}: {kept_away}", name=f"{relation} is not damaged")
    return _damage(relation, said)


def _no_damage(connection: Connection, index: int) -> str:
    """What an error that ended the check of an index says instead of damage, or nothing.

    An index on an expression calls functions of the application; what they need may be missing here.
    """
    where = (
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'amcheck'"
    )
    schema = sql.Identifier(one_row(connection, where)[0])
    try:
        connection.execute(sql.SQL("SELECT {}.bt_index_check({}::regclass, true)").format(schema, index))
    except psycopg.Error as error:
        if connection.closed:
            raise
        seen = unseen(error)
        return "" if seen.damage else seen.problem
    return ""


def _damage(relation: str, said: list[str]) -> CheckResult:
    found = f"{len(said)} sign{'' if len(said) == 1 else 's'} of damage"
    return CheckResult(
        f"{relation} is not damaged", _SUITE, CheckStatus.FAILED, _EXPECTED, found, tuple(said[:_EXAMPLES])
    )


def _check_indexes(connection: Connection) -> list[CheckResult]:
    indexes = connection.execute(
        "SELECT x.indexrelid::regclass::text FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid"
        " JOIN pg_am a ON a.oid = c.relam JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence = 'p' AND x.indisvalid AND x.indisready"
        " AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema') ORDER BY 1"
    ).fetchall()
    found = []
    for (index,) in indexes:
        try:
            connection.execute("SELECT bt_index_check(%s::regclass)", (index,))
        except psycopg.Error as error:
            if connection.closed:
                raise
            seen = unseen(error)
            words = [" ".join(str(error).split())]
            name = f"{index} is not damaged"
            found.append(_damage(index, words) if seen.damage else not_looked(seen.problem, name=name))
    looked = f"no damage in {len(indexes) - len(found)} indexes (live server: tables are not read)"
    whole = CheckResult("no index is damaged", _SUITE, CheckStatus.PASSED, _EXPECTED, looked, of_rows=False)
    damaged = any(result.status is CheckStatus.FAILED for result in found)
    return found if damaged else [*found, whole]
