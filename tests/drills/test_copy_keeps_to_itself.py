"""Nothing that the source was set to reaches a restored copy: it proves where it stopped, and touches nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recovery.adapters.postgres.connection import connect
from recovery.adapters.process import Host
from sandbox import postgres, services
from tests.fix_drills import Drill, address_of, text
from tests.waiting import until

pytestmark = pytest.mark.long  # a site of its own, started three times

RAISED = 300


def restart(drill: Drill) -> None:
    services.stop(services.find(drill.sandbox, "primary"))
    postgres.start_server(drill.sandbox, "primary")


def do(drill: Drill, *statements: str, database: str = "clickview") -> None:
    with connect(drill.sandbox.admin_address(database=database)) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def make_hostile(drill: Drill, folder: Path) -> None:
    """As a server may be set up, and as an intruder would do it."""
    system = {
        "log_min_messages": "panic",
        "log_destination": "csvlog",
        "logging_collector": "on",
        "log_directory": f"{folder}/logs",
        "log_statement": "all",
        "log_line_prefix": "theirs ",
        "archive_cleanup_command": f"touch {folder}/cleanup",
        "recovery_end_command": f"touch {folder}/end",
        "external_pid_file": f"{folder}/pid",
        "shared_preload_libraries": "auto_explain",
        "default_transaction_isolation": "serializable",
        "cluster_name": "theirs",
        "datestyle": "German",
        "timezone": "Asia/Kathmandu",
    }
    do(drill, *(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in system.items()))
    do(
        drill,
        "CREATE SUBSCRIPTION theirs CONNECTION 'host=127.0.0.1 port=1 dbname=none' PUBLICATION p WITH (connect = false)",
        "ALTER SUBSCRIPTION theirs ENABLE",
    )
    restart(drill)


def close_to_everybody(drill: Drill) -> None:
    """What sessions would run under; a library that is not on this machine keeps everybody out."""
    do(
        drill,
        "ALTER DATABASE clickview SET default_transaction_read_only = on",
        "ALTER DATABASE clickview SET statement_timeout = '1ms'",
        "ALTER ROLE ALL SET default_transaction_read_only = on",
        "ALTER DATABASE clickview SET session_preload_libraries = 'of_another_machine'",
        database="postgres",
    )


def test_a_hostile_source_is_restored_to_a_moment_with_proof(new_drill: Callable[..., Drill]) -> None:
    drill = new_drill()
    Host(drill.sandbox.prefix).run(
        ["mkdir", "-m", "0755", drill.sandbox.folder / "primary" / "theirs"], timeout_seconds=60
    )
    folder = drill.sandbox.folder / "primary" / "theirs"
    make_hostile(drill, folder)
    drill.done("backup", "run", "--type", "incr")
    assert (folder / "pid").exists()
    (folder / "pid").unlink()

    # The primary raises a limit after the backup, by far more than anybody would guess, and lowers it after the moment.
    do(drill, f"ALTER SYSTEM SET max_connections = {RAISED}")
    restart(drill)
    do(drill, "CREATE TABLE told (id int PRIMARY KEY)", "INSERT INTO told VALUES (1)")
    close_to_everybody(drill)
    moment = datetime.now(UTC)
    do(drill, "CREATE TABLE later (id int)", database="postgres")
    outside = drill.sandbox.admin_address(database="postgres")
    segment = drill.sql("SELECT pg_walfile_name(pg_switch_wal())", address=outside)
    until(
        lambda: (drill.sql("SELECT last_archived_wal FROM pg_stat_archiver", address=outside) or "") >= segment,
        what=f"archiving of {segment}",
    )

    do(drill, "ALTER SYSTEM RESET max_connections", database="postgres")
    restart(drill)
    live_pid = (folder / "pid").read_text()

    report = drill.restored("--target-time", text(moment))
    where = address_of(report)
    assert report["reached"]["proof"].startswith("recovery stopping before commit of transaction ")
    assert drill.sql("SELECT count(*) FROM told", address=where) == 1
    unseen = [
        one for one in report["checks"]["results"] if one["status"] not in ("passed", "warning") and one["expected"]
    ]
    assert unseen == []
    told = {
        "max_connections": str(RAISED),
        "archive_mode": "off",
        "archive_cleanup_command": "",
        "recovery_end_command": "",
        "shared_preload_libraries": "",
        "external_pid_file": "",
        "log_destination": "stderr",
        "logging_collector": "off",
        "log_min_messages": "log",
        "log_statement": "none",
        "max_logical_replication_workers": "0",
        "cluster_name": "restored copy",
        "TimeZone": "UTC",
        "track_commit_timestamp": "on",
    }
    with connect(where) as connection:
        shown = {name: (connection.execute(f"SHOW {name}".encode()).fetchone() or [None])[0] for name in told}
        workers = connection.execute(
            "SELECT backend_type FROM pg_stat_activity WHERE backend_type LIKE 'logical replication%'"
        ).fetchall()
    assert (shown, workers) == (told, [])
    assert not (folder / "end").exists()
    assert not (folder / "cleanup").exists()
    assert (folder / "pid").read_text() == live_pid
    copy = drill.sandbox.state_dir / "scratch" / report["copy"]
    original = copy / "source.postgresql.auto.conf"
    assert "recovery_end_command" in original.read_text() and original.stat().st_mode & 0o777 == 0o600
    # Neither the backup nor the live server knows how much was needed in between: the replay said it.
    assert "If recovery is unpaused, the server will shut down." in (copy / "server.log.before").read_text()
    drill.drop(report)
