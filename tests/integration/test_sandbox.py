"""The sandbox: a whole site comes up, says how it is, breaks as asked, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.process import HERE, Host
from recovery.adapters.secrets import Secrets
from recovery.environment import our_environment
from recovery.errors import GateRefused, RecoveryError, SettingsInvalid, VerificationFailed
from recovery.settings import load_settings
from sandbox import faults, notes, processes, services, site
from sandbox.aws import aws_client, s3
from sandbox.fill import parse_size
from sandbox.layout import BUCKETS, Sandbox, load
from tests.fix_sandbox import NewSandbox
from tests.waiting import PATIENCE, until

RECOVER = [sys.executable, "-c", "from recovery.cli.main import main; main()"]
EVERYTHING = {
    "aws",
    "backend",
    "heartbeat",
    "primary",
    "proxy",
    "redis",
    "s3-east",
    "s3-west",
    "standby",
    "writer",
}


@pytest.fixture(scope="module")
def broken(new_sandbox: NewSandbox) -> Sandbox:
    """A prepared site that the faults of this module break and mend, one after the other."""
    return new_sandbox(transactions_per_second=20)


def ask(sandbox: Sandbox, query: str, *, server: str = "primary"):
    with connect(sandbox.admin_address(server)) as connection:
        return one_row(connection, query)[0]  # type: ignore[arg-type]


def pgbackrest(sandbox: Sandbox, *arguments: str, check: bool = True):
    folder = sandbox.state_dir / "pgbackrest"
    options = [f"--config={folder}/pgbackrest.conf", f"--config-include-path={folder}/conf.d", "--stanza=main"]
    argv = ["pgbackrest", *options, *arguments]
    passwords = {"PGPASSFILE": str(folder / "pgpass")}
    return Host(sandbox.prefix).run(argv, timeout_seconds=PATIENCE, env=passwords, check=check)


# The site.


def check_settings(sandbox: Sandbox, **variables: str):
    own = our_environment(site.recover_environment(sandbox) | variables)
    argv = [*RECOVER, "settings", "check", "--json"]
    checked = subprocess.run(argv, env=own, cwd="/", capture_output=True, text=True, timeout=PATIENCE)
    assert checked.returncode == 0, checked.stderr
    return json.loads(checked.stdout), checked.stderr


def test_its_settings_are_complete_and_a_weak_secret_is_a_warning(sandbox: Sandbox) -> None:
    assert check_settings(sandbox) == ({"file": str(sandbox.settings_file), "problems": [], "warnings": []}, "")
    told, said = check_settings(sandbox, DB_PASSWORD="sandbox")
    [warning] = told["warnings"]
    assert warning.startswith("database.password: a common word, ")
    assert said == f"! {warning}\n"
    assert told["file"] == str(sandbox.settings_file)


def test_every_server_runs_and_answers(sandbox: Sandbox) -> None:
    states = {state.name: state.state for state in site.status(sandbox)}
    assert states == dict.fromkeys(EVERYTHING, "up")
    assert site.health(sandbox) == "healthy"


def test_the_standby_streams_from_the_primary(sandbox: Sandbox) -> None:
    assert ask(sandbox, "SELECT pg_is_in_recovery()", server="standby") is True
    assert ask(sandbox, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == 1
    assert ask(sandbox, "SELECT active FROM pg_replication_slots WHERE slot_name = 'standby'") is True


def test_the_database_has_clickviews_shape_and_size(sandbox: Sandbox) -> None:
    tables = ask(
        sandbox, "SELECT array_agg(relname::text ORDER BY 1) FROM pg_stat_user_tables WHERE schemaname = 'public'"
    )
    assert len(tables) == 13
    assert 8e6 < ask(sandbox, "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables") < 30e6
    assert ask(sandbox, "SELECT bool_and(convalidated) FROM pg_constraint") is True


def test_no_foreign_key_of_the_filled_tables_is_orphaned(sandbox: Sandbox) -> None:
    # The fill goes past the foreign keys; adding one anew has the server check every row.
    keys = "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'"
    with connect(sandbox.admin_address(), autocommit=False) as connection:
        found = connection.execute(keys).fetchall()
        assert len(found) >= 15
        for table, definition in found:
            connection.execute(f"ALTER TABLE {table} ADD {definition}")  # type: ignore[arg-type]
        connection.rollback()


def test_row_level_security_hides_audit_logs_from_their_owner(sandbox: Sandbox) -> None:
    address = sandbox.address()
    with psycopg.connect(
        host=address.host, port=address.port, dbname=address.name, user=address.user, password=address.password
    ) as connection:
        assert connection.execute("SELECT count(*) FROM audit_logs").fetchone() == (0,)
        connection.execute("SELECT set_config('app.organization', id::text, true) FROM organizations LIMIT 1")
        row = connection.execute("SELECT count(*), count(DISTINCT organization_id) FROM audit_logs").fetchone()
    assert row is not None
    assert row[0] > 0
    assert row[1] == 1
    assert ask(sandbox, "SELECT count(*) FROM audit_logs") > row[0]


def test_the_settings_are_accepted_and_their_secrets_resolve(sandbox: Sandbox) -> None:
    settings = load_settings(sandbox.settings_file, {})
    reveal = Secrets(settings.aws).reveal
    assert reveal(settings.backup.encryption_key) == sandbox.secret("encryption_key")
    assert reveal(settings.redis.password) == sandbox.secret("redis")
    assert [repo.bucket for repo in settings.backup.repos] == list(BUCKETS.values())


def test_it_is_prepared_for_backups_by_the_same_code_as_any_site(sandbox: Sandbox) -> None:
    assert ask(sandbox, "SELECT current_setting('archive_mode')") == "on"
    again = json.loads(site.recover(sandbox, "site", "prepare", "--json"))
    assert again["changes"] == []


def test_wal_reaches_both_regions(sandbox: Sandbox) -> None:
    ask(sandbox, "SELECT pg_switch_wal()")
    for side, bucket in BUCKETS.items():
        listed = s3(sandbox, side).list_objects_v2(Bucket=bucket, Prefix="pgbackrest/archive/main/")
        assert listed["KeyCount"] >= 1


def test_the_hosted_zone_has_the_apis_record_set(sandbox: Sandbox) -> None:
    zone = load_settings(sandbox.settings_file, {}).aws.zone_id
    records = aws_client(sandbox, "route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert [r["ResourceRecords"] for r in records if r["Name"] == "api.clickview.app."] == [[{"Value": "127.0.0.1"}]]


def test_the_application_writes_and_reads(sandbox: Sandbox) -> None:
    base = f"http://127.0.0.1:{sandbox.ports['backend']}/api"
    request = urllib.request.Request(f"{base}/dashboards", data=b'{"name": "of the test"}', method="POST")
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        made = json.loads(answer.read())
    assert answer.status == 201
    assert ask(sandbox, f"SELECT name FROM dashboards WHERE id = '{made['id']}'") == "of the test"
    with urllib.request.urlopen(f"{base}/counts", timeout=PATIENCE) as answer:
        assert json.loads(answer.read())["dashboards"] >= 1


def test_the_writers_notes_are_what_the_database_holds(sandbox: Sandbox) -> None:
    moment = datetime.now(UTC)
    until(lambda: notes.committed_after(notes.read_notes(sandbox.notes_file), moment), what="a later write")
    found = notes.compare(sandbox.admin_address(), notes.read_notes(sandbox.notes_file), datetime.now(UTC))
    assert found.expected > 0
    assert found.lost_rows == 0
    # As of an earlier moment the rows written since are too many: the count can tell them apart.
    assert notes.compare(sandbox.admin_address(), notes.read_notes(sandbox.notes_file), moment).extra_rows > 0


def test_the_variables_are_the_runbooks_own(sandbox: Sandbox) -> None:
    script = (
        f'eval "$({" ".join(RECOVER[:1])} -c "$1" sandbox env --dir {sandbox.folder})" && '
        'psql -h "$DB_HOST" -p "$DB_PORT" -U "$DB_USER" -d "$DB_NAME" -Atc "SELECT 1" && echo "$RECOVERY_CONFIG $ZONE_ID"'
    )
    told = subprocess.run(
        ["sh", "-c", script, "sh", RECOVER[2]], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert told.stdout.split()[:2] == ["1", str(sandbox.settings_file)]
    assert len(told.stdout.split()) == 3


# Up and down.


def test_two_sandboxes_run_side_by_side_and_one_goes_without_the_other(
    sandbox: Sandbox, new_sandbox: NewSandbox
) -> None:
    other = new_sandbox(prepare=False)
    assert not set(other.ports.values()) & set(sandbox.ports.values())
    assert site.health(other) == "healthy"
    pids = processes.all_pids(other.folder)
    assert len(pids) > 10
    assert site.down(other.folder) is True
    assert not any(processes.is_running(pid) for pid in pids)
    assert not other.folder.exists()
    assert site.health(sandbox) == "healthy"
    assert site.down(other.folder) is False


@pytest.mark.parametrize("after", ["services/redis/pid", "primary/data/postmaster.pid"])
def test_down_removes_what_a_killed_up_left(sandbox_room: Path, after: str) -> None:
    folder = sandbox_room / "killed"
    starting = subprocess.Popen(
        [*RECOVER, "sandbox", "up", "--dir", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until((folder / after).exists, what=after)
    starting.kill()
    starting.wait(10)
    pids = processes.all_pids(folder)
    assert pids
    assert site.down(folder) is True
    assert not folder.exists()
    assert not processes.all_pids(folder)
    assert not any(processes.is_running(pid) for pid in pids)


def test_down_lets_a_stranger_in_the_folder_live(sandbox_room: Path) -> None:
    folder = sandbox_room / "visited"
    folder.mkdir()
    (folder / "sandbox.json").write_text("{}")
    stranger = subprocess.Popen(["sleep", "60"], cwd=folder)
    try:
        (folder / "services" / "redis").mkdir(parents=True)
        # The pid of a process that ended long ago, and that is the stranger's today.
        (folder / "services" / "redis" / "pid").write_text(f"{stranger.pid}\n1\n")
        assert site.down(folder) is True
        assert stranger.poll() is None
        assert not folder.exists()
    finally:
        stranger.kill()
        stranger.wait(10)


def test_down_refuses_a_folder_that_is_no_sandbox(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    with pytest.raises(SettingsInvalid, match="is not a sandbox; nothing was removed"):
        site.down(tmp_path)
    assert (tmp_path / "precious").read_text() == "data"


def test_up_refuses_a_folder_in_use_and_a_path_too_long(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(GateRefused, match="there is a sandbox in"):
        site.up(sandbox.folder)
    (tmp_path / "precious").write_text("data")
    with pytest.raises(GateRefused, match="is not an empty folder"):
        site.up(tmp_path)
    with pytest.raises(GateRefused, match="is too long a path: a Unix socket in it"):
        site.up(tmp_path / ("x" * 80))
    assert site.health(sandbox) == "healthy"


def test_status_as_json_and_its_exit_status(broken: Sandbox) -> None:
    argv = [*RECOVER, "sandbox", "status", "--dir", str(broken.folder), "--json"]
    told = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert told.returncode == 0, told.stderr
    assert {service["name"] for service in json.loads(told.stdout)["services"]} == EVERYTHING
    services.stop(services.find(broken, "backend"))
    told = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert told.returncode == 1
    assert [s["name"] for s in json.loads(told.stdout)["services"] if s["state"] != "up"] == ["backend"]
    site.start_service(broken, "backend")
    site.wait_until_healthy(broken)


@pytest.mark.parametrize(
    ("text", "size"), [("10MB", 10_000_000), ("1GB", 10**9), ("1.5g", 1_500_000_000), ("7", 7), ("20 kb", 20_000)]
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_what_is_no_size_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="lots is not a size"):
        parse_size("lots")


# Faults.


def test_kill_primary_leaves_no_process_and_the_application_says_so(broken: Sandbox) -> None:
    faults.break_it(broken, "kill-primary")
    assert not processes.data_dir_pids(broken.data_dir("primary"))
    assert '"database": "down' in site.health(broken)
    with pytest.raises(GateRefused, match="kill-primary was made already"):
        faults.break_it(broken, "kill-primary")
    faults.undo(broken, "kill-primary")
    site.wait_until_healthy(broken)
    # The writer goes on by itself, and nothing it was told is lost.
    since = datetime.now(UTC)
    until(lambda: notes.committed_after(notes.read_notes(broken.notes_file), since), what="a write after the crash")
    writes = notes.read_notes(broken.notes_file)
    assert notes.compare(broken.admin_address(), writes, since).lost_rows == 0


def test_delete_rows_tells_the_moment_and_the_notes_count_the_loss(broken: Sandbox) -> None:
    until(lambda: noted_dashboards(broken) >= 40, what="40 dashboards of the writer")
    before, begin = ask(broken, "SELECT count(*) FROM dashboards"), ask(broken, "SELECT clock_timestamp()")
    done = faults.break_it(broken, "delete-rows", faults.Options(rows=30))
    assert done.committed_at is not None
    assert begin <= done.committed_at <= datetime.now(UTC)
    assert done.details["rows"] == 30
    assert ask(broken, "SELECT count(*) FROM dashboards") >= before - 30  # the writer goes on
    just_before = done.committed_at - timedelta(microseconds=1)
    # The writer notes a commit after it: what was visible to the fault may not be noted yet.
    until(lambda: notes.committed_after(notes.read_notes(broken.notes_file), done.committed_at), what="a later write")
    found = notes.compare(broken.admin_address(), notes.read_notes(broken.notes_file), just_before)
    # Each of the newest dashboards is the writer's, with two widgets.
    assert len(found.lost["dashboards"]) == 30
    assert len(found.lost["widgets"]) == 60
    with pytest.raises(GateRefused, match="delete-rows can't be undone"):
        faults.undo(broken, "delete-rows")


def test_corrupt_heap_page_is_seen_on_both_servers_and_undone(broken: Sandbox) -> None:
    done = faults.break_it(broken, "corrupt-heap-page")
    for server in ("primary", "standby"):
        with pytest.raises(VerificationFailed, match=f"invalid page in block {done.details['page']}"):
            ask(broken, "SELECT sum(length(title)) FROM widgets", server=server)
    faults.undo(broken, "corrupt-heap-page")
    for server in ("primary", "standby"):
        assert ask(broken, "SELECT sum(length(title)) FROM widgets", server=server) > 0


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


def test_lose_wal_segment_takes_it_from_both_regions_and_undo_brings_it_back(broken: Sandbox) -> None:
    done = faults.break_it(broken, "lose-wal-segment")
    segment = str(done.details["segment"])
    archived = {side: segments(broken, side) for side in BUCKETS}
    for found in archived.values():
        assert segment not in found
        assert min(found) < segment < max(found)
    faults.undo(broken, "lose-wal-segment")
    assert all(segment in segments(broken, side) for side in BUCKETS)


def test_corrupt_repo_file_is_seen_by_a_verify_and_undone(broken: Sandbox) -> None:
    with pytest.raises(GateRefused, match="repo2 holds no backup set"):
        faults.break_it(broken, "corrupt-repo-file", faults.Options(repo=2))
    pgbackrest(broken, "backup", "--repo=1", "--type=full")
    done = faults.break_it(broken, "corrupt-repo-file")
    verify = ("verify", "--repo=1", "--output=text", "--log-level-console=warn")
    said = pgbackrest(broken, *verify).stdout
    assert "checksum invalid: 1" in said
    assert str(done.details["label"]) in said
    faults.undo(broken, "corrupt-repo-file")
    assert "invalid" not in pgbackrest(broken, *verify).stdout


def test_wrong_cipher_key_makes_the_repositories_unreadable_until_undone(broken: Sandbox) -> None:
    read = ("repo-get", "backup/main/backup.info")
    assert "backrest-format" in pgbackrest(broken, *read).stdout
    faults.break_it(broken, "wrong-cipher-key")
    assert pgbackrest(broken, *read, check=False).status != 0
    faults.undo(broken, "wrong-cipher-key")
    assert "backrest-format" in pgbackrest(broken, *read).stdout


@pytest.mark.parametrize(("cut", "least"), [(False, 1.0), (True, 0.0)])
def test_s3_down_hangs_or_cuts_one_region_only(broken: Sandbox, cut: bool, least: float) -> None:
    faults.break_it(broken, "s3-down", faults.Options(cut=cut))
    assert knock(broken, "west") is not None
    begin = time.monotonic()
    assert knock(broken, "east", seconds=2) is None
    assert time.monotonic() - begin >= least
    frozen = [state.name for state in site.status(broken) if state.state == "frozen"]
    assert frozen == ([] if cut else ["s3-east"])
    faults.undo(broken, "s3-down")
    until(lambda: knock(broken, "east"), what="an answer of S3")


def test_s3_slow_delays_every_answer_of_one_region(broken: Sandbox) -> None:
    faults.break_it(broken, "s3-slow", faults.Options(repo=2, delay_ms=2000))
    slow = knock(broken, "west")
    assert slow is not None
    assert slow > 2.0
    until(lambda: answers_within(broken, "east", 2.0), what="an answer of the other region that is not delayed")
    faults.undo(broken, "s3-slow")
    until(lambda: answers_within(broken, "west", 2.0), what="an answer without the delay")


@pytest.mark.skipif(os.geteuid() != 0, reason="disk-full takes root")
def test_disk_full_gives_a_real_no_space_left(broken: Sandbox) -> None:
    scratch = load_settings(broken.settings_file, {}).scratch_dir
    faults.break_it(broken, "disk-full", faults.Options(free_bytes=200_000))
    full = HERE.run(
        ["dd", "if=/dev/zero", f"of={scratch}/file", "bs=1k", "count=400"], timeout_seconds=PATIENCE, check=False
    )
    assert full.status != 0
    assert "No space left on device" in full.stderr
    faults.undo(broken, "disk-full")
    HERE.run(["dd", "if=/dev/zero", f"of={scratch}/file", "bs=1k", "count=400"], timeout_seconds=PATIENCE)


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


def test_down_also_removes_a_broken_site(new_sandbox: NewSandbox) -> None:
    made = new_sandbox(prepare=False)
    faults.break_it(made, "kill-primary")
    faults.break_it(made, "s3-down")
    if os.geteuid() == 0:
        faults.break_it(made, "disk-full")
    writer = services.running_pid(services.find(made, "writer"))
    assert writer is not None
    os.kill(writer, signal.SIGSTOP)
    assert load(made.folder) == made
    site.down(made.folder)
    assert not made.folder.exists()
    assert not processes.all_pids(made.folder)
    assert str(made.folder) not in Path("/proc/self/mountinfo").read_text()


def noted_dashboards(sandbox: Sandbox) -> int:
    writes = notes.read_notes(sandbox.notes_file)
    return len(notes.acknowledged_until(writes, datetime.now(UTC)).get("dashboards", ()))


def segments(sandbox: Sandbox, side: str) -> set[str]:
    listed = s3(sandbox, side).list_objects_v2(Bucket=BUCKETS[side], Prefix="pgbackrest/archive/main/")
    names = (item["Key"].rpartition("/")[2] for item in listed["Contents"])
    return {name[:24] for name in names if len(name) > 60}


def knock(sandbox: Sandbox, side: str, *, seconds: float = PATIENCE) -> float | None:
    """Seconds that a request to a region takes, through its proxy; None when it gets no answer."""
    url = f"https://127.0.0.1:{sandbox.ports[f'proxy-{side}']}/"
    trusted = ssl.create_default_context(cafile=str(sandbox.ca_file))
    begin = time.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=seconds, context=trusted):
            pass
    except urllib.error.HTTPError:
        pass  # it answers that nobody may list the buckets without a key
    except OSError:
        return None
    return time.monotonic() - begin


def answers_within(sandbox: Sandbox, side: str, seconds: float) -> bool:
    took = knock(sandbox, side)
    return took is not None and took < seconds
