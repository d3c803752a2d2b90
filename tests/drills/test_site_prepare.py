"""Site prepare on servers that somebody else set up: what is as good stays, what is somebody's is not taken away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fix_stock import ROOT, RUNUSER, VERSION, Stock, make_cluster, shell, write
from tests.waiting import until

REFUSED = 14
AS_ROOT = True
THEIRS = """
wal_level = logical
archive_mode = always
archive_command = 'SECRET_KEY=theirs wal-g wal-push %p'
archive_timeout = 7
"""
READER_IN_ITS_SCHEMA = """
SELECT has_function_privilege('clickview_recovery_reader', '"Odd Schema".bt_index_check(regclass)', 'EXECUTE')
"""


def setting(stock: Stock, name: str) -> str:
    value: str = stock.sql(f"SELECT current_setting('{name}')")
    return value


def planned(stock: Stock, *options: str) -> str:
    """What prepare would do, or did."""
    changes = stock.done("site", "prepare", *options, "--json", as_root=AS_ROOT).json["changes"]
    return "\n".join(f"{one['what']} ({one['why']})" for one in changes)


@pytest.mark.long
@pytest.mark.works("site prepare --apply --replace-archive-command --restart")
@pytest.mark.refuses("site prepare --replace-archive-command --upgrade-stanza")
def test_what_somebody_set_up_stays_or_is_named_before_it_goes(new_stock: Callable[..., Stock]) -> None:
    stock = new_stock(tables=False, state_name="re co'very")
    stock.set_prefix(*RUNUSER)
    stock.make_state_dir()
    stock.configure(THEIRS)
    stock.restart()
    stock.sql("SELECT pg_create_logical_replication_slot('theirs', 'test_decoding')")
    for statement in (
        "REVOKE CONNECT ON DATABASE clickview, postgres FROM PUBLIC",
        'CREATE SCHEMA "Odd Schema"',
        'CREATE EXTENSION amcheck SCHEMA "Odd Schema"',
    ):
        stock.sql(statement)

    for option in ("--replace-archive-command", "--upgrade-stanza"):
        said = stock.recover("site", "prepare", option, as_root=AS_ROOT)
        assert (said.status, said.said.splitlines()[0]) == (REFUSED, f"{option} does nothing without --apply")
    plan = planned(stock)
    assert "(instead of archive_command = wal-g …, whose archive gets no WAL" in plan
    assert "let clickview_recovery_reader connect to database clickview" in plan
    assert "let clickview_recovery_backup connect to database postgres" in plan
    assert "wal_level" not in plan and "archive_mode" not in plan and "archive_timeout" not in plan

    refused = stock.recover("site", "prepare", "--apply", as_root=AS_ROOT)
    assert refused.status == REFUSED
    assert refused.said.splitlines()[0] == (
        "WAL is archived by somebody else: archive_command = wal-g …."
        " With our command that archive gets no WAL any more"
    )
    assert stock.sql("SELECT count(*) FROM pg_roles WHERE rolname ~ '^clickview_recovery'") == 0
    assert "wal-g" in setting(stock, "archive_command")

    stock.done("site", "prepare", "--apply", "--restart", "--replace-archive-command", as_root=AS_ROOT)
    assert "nothing to change" in stock.done("site", "prepare", "--apply", as_root=AS_ROOT).stdout
    assert (setting(stock, "wal_level"), setting(stock, "archive_mode")) == ("logical", "always")
    assert setting(stock, "archive_timeout") == "7s"
    assert stock.sql("SELECT count(*) FROM pg_replication_slots") == 1
    assert stock.sql(READER_IN_ITS_SCHEMA) is True
    stock.done("site", "heartbeat", "--once", as_root=AS_ROOT)
    segment = stock.sql("SELECT pg_walfile_name(pg_switch_wal())")
    archived = "SELECT last_archived_wal FROM pg_stat_archiver"
    until(lambda: (stock.sql(archived) or "") >= segment, what=f"archiving of {segment}, past a blank and a quote")

    right_is_lost(stock)
    password_is_changed(stock)
    no_way_in(stock)


def right_is_lost(stock: Stock) -> None:
    """The right to connect is taken from a role that had it: no right is not no answer."""
    stock.sql("REVOKE CONNECT ON DATABASE clickview FROM clickview_recovery_backup")
    told = "let clickview_recovery_backup connect to database clickview (not every role may, there)"
    assert planned(stock) == told
    assert planned(stock, "--apply") == told


def password_is_changed(stock: Stock) -> None:
    """The password in recovery.toml is another one now: it is found, and set."""
    write(stock.settings.parent / "secrets" / "reader", "another, with '\"\\ and :")
    assert planned(stock) == (
        "reload the server, and set the password of role clickview_recovery_reader where that does not help"
        " (the server does not take the one in recovery.toml)"
    )
    planned(stock, "--apply")
    assert planned(stock) == ""


def no_way_in(stock: Stock) -> None:
    """Somebody closes the server, with a mistake in the file: it is named, and only then is a line written."""
    closed = "local all dba peer\nhost all dba 127.0.0.1/32 scram-sha-256\nlocal all postgres peer\nhost all all all\n"
    before = shell("cat", stock.hba_file)
    set_hba(stock, closed)
    said = stock.recover("site", "prepare", as_root=AS_ROOT)
    assert said.status == REFUSED
    assert said.said.startswith(f"{stock.hba_file} line 4: ")
    set_hba(stock, closed.replace("host all all all", "host all all all reject"))
    said = stock.recover("site", "prepare", "--apply", as_root=AS_ROOT)
    assert said.status == REFUSED
    kind = "hostssl" if setting(stock, "ssl") == "on" else "host"
    line = f"{kind} all clickview_recovery_backup 127.0.0.1/32 scram-sha-256"
    assert said.said.splitlines()[0] == (
        f"{stock.hba_file} line 4 (host all all all reject) shuts role clickview_recovery_backup out on purpose;"
        f" it would need this line before it: {line}"
    )
    set_hba(stock, closed.replace("host all all all", "host all all all ident"))
    plan = planned(stock, "--apply")
    assert f"{stock.hba_file}, at its end: local all clickview_recovery_backup scram-sha-256" in plan
    line = f"{kind} all clickview_recovery_reader 127.0.0.1/32 scram-sha-256"
    assert f"{stock.hba_file}, before line 4 (host all all all ident): {line}" in plan
    assert planned(stock) == ""
    set_hba(stock, before)


def set_hba(stock: Stock, text: str) -> None:
    file = stock.folder / "hba"
    file.write_text(text)
    shell("cp", file, stock.hba_file)
    stock.sql("SELECT pg_reload_conf()")


@pytest.mark.long
@pytest.mark.works("site prepare --upgrade-stanza")
def test_a_new_cluster_takes_the_place_of_the_old_only_when_told_what_that_means(
    new_stock: Callable[..., Stock], tmp_path: Path
) -> None:
    stock = new_stock(tables=False)
    stock.set_prefix(*RUNUSER)
    stock.make_state_dir()
    stock.sql("CREATE TABLE which AS SELECT 'the old one' AS cluster")
    stock.done("site", "prepare", "--apply", "--restart", "--first-backup", as_root=AS_ROOT)
    [old, _] = stock.done("backup", "list", "--json", as_root=AS_ROOT).json
    shell("pg_dropcluster", "--stop", VERSION, stock.name, prefix=ROOT)
    make_cluster(stock, tables=False)
    stock.sql("CREATE TABLE which AS SELECT 'the new one' AS cluster")

    assert "stanza-upgrade in repository 1: from PostgreSQL 15 with system identifier" in planned(stock)
    refused = stock.recover("site", "prepare", "--apply", "--restart", as_root=AS_ROOT)
    assert refused.status == REFUSED
    assert refused.said.startswith("stanza-upgrade: repository 1 and 2 holds the backups of another cluster")
    assert stock.sql("SELECT count(*) FROM pg_roles WHERE rolname ~ '^clickview_recovery'") == 0

    options = ("--apply", "--restart", "--upgrade-stanza", "--first-backup")
    stock.done("site", "prepare", *options, as_root=AS_ROOT)
    labels = {one["label"] for one in stock.done("backup", "list", "--json", as_root=AS_ROOT).json}
    assert len(labels) == 4 and old["label"] in labels
    stock.done("backup", "check", "--quick", as_root=AS_ROOT)
    assert restored(stock) == "the new one"
    assert restored(stock, f"--backup-id={old['label']}") == "the old one"
    assert "nothing to change" in stock.done("site", "prepare", "--apply", as_root=AS_ROOT).stdout
    dropped = stock.done("backup", "expire", "--backup-id", old["label"], "--yes", "--json", as_root=AS_ROOT).json
    assert [one["label"] for one in dropped["sets"]] == [old["label"]]
    assert old["label"] not in {one["label"] for one in stock.done("backup", "list", "--json", as_root=AS_ROOT).json}


@pytest.mark.long
@pytest.mark.parametrize("new", ["primary", "secondary"])
def test_a_new_cluster_takes_over_where_one_repository_is_new_too(new_stock: Callable[..., Stock], new: str) -> None:
    stock = new_stock(tables=False)
    stock.set_prefix(*RUNUSER)
    stock.make_state_dir()
    stock.done("site", "prepare", "--apply", "--restart", as_root=AS_ROOT)
    shell("pg_dropcluster", "--stop", VERSION, stock.name, prefix=ROOT)
    make_cluster(stock, tables=False)
    before, section, after = stock.settings.read_text().partition(f"[backup.{new}]")
    write(stock.settings, before + section + after.replace(f'path = "/{stock.name}"', 'path = "/moved"', 1))

    assert "would: write the configuration" in stock.done("site", "prepare", as_root=AS_ROOT).stderr
    refused = stock.recover("site", "prepare", "--apply", "--restart", as_root=AS_ROOT)
    assert refused.status == REFUSED
    assert refused.said.startswith(f"stanza-upgrade: repository {2 if new == 'primary' else 1} holds the backups")

    options = ("--apply", "--restart", "--upgrade-stanza", "--first-backup")
    stock.done("site", "prepare", *options, as_root=AS_ROOT)
    assert len(stock.done("backup", "list", "--json", as_root=AS_ROOT).json) == 2
    assert not (stock.state_dir / "pgbackrest" / "one-repository").exists()

    shell("rm", stock.state_dir / "pgbackrest" / "conf.d" / "secrets.conf", prefix=ROOT)
    assert "write the configuration" in planned(stock)
    stock.note_as_pushed()  # as another cluster does whose settings were here in between
    planned(stock, "--apply")
    assert planned(stock) == ""


def restored(stock: Stock, *options: str) -> str:
    """Which cluster a restore brings back."""
    report = stock.done("backup", "restore", *options, "--json", as_root=AS_ROOT).json
    place = report["address"]
    query = ("psql", "-h", place["host"], "-p", str(place["port"]), "-Atc", "SELECT cluster FROM which", "clickview")
    told = shell(*query, prefix=(*ROOT, *RUNUSER)).strip()
    stock.done("backup", "drop-copy", report["copy"], as_root=AS_ROOT)
    return told
