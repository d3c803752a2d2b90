"""Faults of the sandbox's servers and their data: each is seen, and undone where that makes sense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from recovery.adapters.postgres.connection import connect
from recovery.errors import GateRefused, RecoveryError, VerificationFailed
from sandbox import faults, notes, processes, site
from sandbox.layout import Sandbox
from tests.fix_sandbox import ask
from tests.sandbox_commands import break_, sandbox_command
from tests.waiting import until


def test_kill_primary_leaves_no_process_and_the_application_says_so(broken: Sandbox) -> None:
    faults.break_it(broken, "kill-primary")
    assert not processes.data_dir_pids(broken.data_dir("primary"))
    told = site.health(broken)  # of a pod, or of the Service when none is ready any more
    assert '"message": "down: ' in told or "503 Service Temporarily Unavailable" in told
    with pytest.raises(GateRefused, match="kill-primary was made already"):
        faults.break_it(broken, "kill-primary")
    faults.undo(broken, "kill-primary")
    site.wait_until_healthy(broken)
    # The writer goes on by itself, and nothing it was told is lost.
    since = datetime.now(UTC)
    until(lambda: notes.committed_after(notes.read_notes(broken.notes_file), since), what="a write after the crash")
    writes = notes.read_notes(broken.notes_file)
    assert notes.compare(broken.admin_address(), writes, since).lost_rows == 0


@pytest.mark.works("sandbox break FAULT --dir --rows --json")
@pytest.mark.refuses("sandbox break --undo")
def test_delete_rows_tells_the_moment_and_the_notes_count_the_loss(broken: Sandbox) -> None:
    until(lambda: noted_dashboards(broken) >= 40, what="40 dashboards of the writer")
    before, begin = ask(broken, "SELECT count(*) FROM dashboards"), ask(broken, "SELECT clock_timestamp()")
    done = break_(broken, "delete-rows", "--rows", "30")
    committed_at = datetime.fromisoformat(done["committed_at"])
    assert begin <= committed_at <= datetime.now(UTC)
    assert done["rows"] == 30
    assert ask(broken, "SELECT count(*) FROM dashboards") >= before - 30  # the writer goes on
    just_before = committed_at - timedelta(microseconds=1)
    # The writer notes a commit after it: what was visible to the fault may not be noted yet.
    until(lambda: notes.committed_after(notes.read_notes(broken.notes_file), committed_at), what="a later write")
    found = notes.compare(broken.admin_address(), notes.read_notes(broken.notes_file), just_before)
    # Each of the newest dashboards is the writer's, with two widgets.
    assert len(found.lost["dashboards"]) == 30
    assert len(found.lost["widgets"]) == 60
    undone = sandbox_command(broken.folder, "break", "delete-rows", "--undo")
    assert (undone.returncode, "delete-rows can't be undone" in undone.stderr) == (14, True)


def test_corrupt_heap_page_is_seen_on_both_servers_and_undone(broken: Sandbox) -> None:
    done = faults.break_it(broken, "corrupt-heap-page")
    for server in ("primary", "standby"):
        with pytest.raises(VerificationFailed, match=f"invalid page in block {done.details['page']}"):
            ask(broken, "SELECT sum(length(title)) FROM widgets", server=server)
    faults.undo(broken, "corrupt-heap-page")
    for server in ("primary", "standby"):
        assert ask(broken, "SELECT sum(length(title)) FROM widgets", server=server) > 0


@pytest.mark.works("sandbox break FAULT --table --server --undo")
def test_corrupt_heap_page_of_the_named_table_on_the_named_server(broken: Sandbox) -> None:
    damaged = break_(broken, "corrupt-heap-page", "--table", "audit_logs", "--server", "standby")
    query = "SELECT sum(length(action)) FROM audit_logs"
    assert damaged["relation"] == "audit_logs"
    assert ask(broken, query) > 0
    with pytest.raises(VerificationFailed, match=f"invalid page in block {damaged['page']}"):
        ask(broken, query, server="standby")
    break_(broken, "corrupt-heap-page", "--undo")
    assert ask(broken, query, server="standby") > 0


def test_corrupt_index_is_seen_by_amcheck_only_and_undone(broken: Sandbox) -> None:
    ask(broken, "SELECT count(*) FROM pg_class")
    with connect(broken.admin_address()) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
    done = faults.break_it(broken, "corrupt-index")
    check = f"SELECT bt_index_check('{done.details['relation']}', true)::text"
    with pytest.raises(RecoveryError, match="item order invariant violated"):
        ask(broken, check)
    # Its checksum is right: reading every page finds nothing.
    assert ask(broken, "SELECT count(*) FROM widgets") > 0
    faults.undo(broken, "corrupt-index")
    assert ask(broken, check) == ""


def test_drop_table_tells_the_moment(broken: Sandbox) -> None:
    done = faults.break_it(broken, "drop-table", faults.Options(table="filter_presets"))
    assert done.committed_at is not None
    assert ask(broken, "SELECT to_regclass('filter_presets')::text") is None
    with pytest.raises(GateRefused, match="there is no table filter_presets"):
        faults.break_it(broken, "drop-table", faults.Options(table="filter_presets"))


def test_an_unknown_fault_is_refused_with_the_known_ones(broken: Sandbox) -> None:
    with pytest.raises(GateRefused) as refused:
        faults.break_it(broken, "meteor")
    assert str(refused.value).startswith("there is no fault meteor\nNEXT: choose one of kill-primary, drop-table,")


def noted_dashboards(sandbox: Sandbox) -> int:
    writes = notes.read_notes(sandbox.notes_file)
    return len(notes.acknowledged_until(writes, datetime.now(UTC)).get("dashboards", ()))
