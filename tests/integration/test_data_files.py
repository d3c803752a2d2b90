"""Damage in the files themselves is seen, and the reader of a live server sees what it may."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.as_recorded import Source
from recovery.adapters.postgres.connection import connect
from recovery.facts import DatabaseAddress
from tasks.data import check_data
from tests.fix_data import damage, failures, recorded
from tests.fix_postgres import PASSWORD, READER, Cluster

pytestmark = pytest.mark.usefixtures("checker")


def break_file(cluster: Cluster, database: DatabaseAddress, relation: str, *, block: int, offset: int) -> None:
    """Overwrite part of a page on disk."""
    with connect(database) as connection:
        connection.execute("CHECKPOINT")
        path = connection.execute("SELECT pg_relation_filepath(%s)", (relation,)).fetchone()[0]  # type: ignore[index]
    cluster.stop()
    with (cluster.data_dir / path).open("r+b") as file:
        file.seek(block * 8192 + offset)
        file.write(b"\xde\xad\xbe\xef" * 16)
    cluster.start()


def test_a_damaged_index_page(cluster: Cluster, database: DatabaseAddress) -> None:
    break_file(cluster, database, "widgets_dashboard_id_idx", block=1, offset=4000)
    report = check_data(database, Source(), target=None)
    assert "public.widgets_dashboard_id_idx is not damaged" in failures(report)


def test_a_damaged_table_page(cluster: Cluster, database: DatabaseAddress) -> None:
    break_file(cluster, database, "widgets", block=0, offset=4000)
    report = check_data(database, Source(), target=None)
    broken = failures(report)
    assert "public.widgets is not damaged" in broken
    assert "invalid page in block 0" in broken["widgets.dashboard_id points at a row of dashboards"].found


def test_an_index_that_lost_entries(database: DatabaseAddress) -> None:
    damage(
        database,
        "UPDATE pg_index SET indisready = false, indisvalid = false WHERE indexrelid = 'organization_members_user_id_idx'::regclass",
        "INSERT INTO organization_members (organization_id, user_id, role)"
        " SELECT o.id, u.id, 'lost' FROM organizations o, users u ON CONFLICT DO NOTHING",
    )
    damage(
        database,
        "UPDATE pg_index SET indisready = true, indisvalid = true"
        " WHERE indexrelid = 'organization_members_user_id_idx'::regclass",
    )
    report = check_data(database, Source(), target=None)
    assert set(failures(report)) == {"public.organization_members_user_id_idx is not damaged"}


def test_the_copy_stays_what_it_was(database: DatabaseAddress) -> None:
    check_data(database, Source(), target=None)
    with connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'").fetchone() == (0,)


def reader_of(database: DatabaseAddress) -> DatabaseAddress:
    return replace(database, user=READER, password=PASSWORD)


def test_the_reader_of_a_live_server(database: DatabaseAddress) -> None:
    facts = recorded(database)
    damage(database, "UPDATE clickview_recovery.heartbeat SET at = now()")
    report = check_data(reader_of(database), Source(facts, exact=True), target=None, copy=False)
    assert report.failures == ()
    assert [(r.suite, r.found) for r in report.not_checked] == [
        ("physical", "the server has no amcheck extension (run: recover site prepare --apply)")
    ]
    damage(database, "CREATE EXTENSION amcheck")
    facts = recorded(database)
    report = check_data(reader_of(database), Source(facts, exact=True), target=None, copy=False)
    assert report.not_checked[0].found.startswith(f"role {READER} may not run bt_index_check")
    damage(database, f"GRANT EXECUTE ON FUNCTION bt_index_check(regclass) TO {READER}")
    report = check_data(reader_of(database), Source(facts, exact=True), target=None, copy=False)
    assert report.not_checked == ()
    assert report.passed


def test_the_reader_sees_a_damaged_index(cluster: Cluster, database: DatabaseAddress) -> None:
    damage(database, "CREATE EXTENSION amcheck", f"GRANT EXECUTE ON FUNCTION bt_index_check(regclass) TO {READER}")
    break_file(cluster, database, "widgets_dashboard_id_idx", block=1, offset=4000)
    report = check_data(reader_of(database), Source(), target=None, copy=False)
    assert "widgets_dashboard_id_idx is not damaged" in failures(report)


def test_a_reader_that_row_security_would_fool(database: DatabaseAddress) -> None:
    facts = recorded(database)
    damage(database, f"ALTER ROLE {READER} NOBYPASSRLS")
    try:
        report = check_data(reader_of(database), Source(facts, exact=True), target=None, copy=False)
    finally:
        damage(database, f"ALTER ROLE {READER} BYPASSRLS")
    (said,) = [result.found for result in report.not_checked if result.name == "audit_logs has its rows"]
    assert 'query would be affected by row-level security policy for table "audit_logs"' in said
