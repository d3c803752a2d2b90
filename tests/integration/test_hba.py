"""pg_hba.conf on disk: every byte of the others' lines stays, no half file, and the server reads it again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recovery.adapters.postgres import hba_file
from recovery.adapters.postgres.connection import connect
from recovery.adapters.process import Host
from recovery.admission import HbaLine
from recovery.errors import CommandFailed, VerificationFailed
from recovery.facts import DatabaseAddress
from tests.fix_postgres import Cluster

LATIN = b'local all "m\xfcller" reject\n'
LINE = HbaLine("local all knocking trust", "the tests", 0)


@pytest.fixture
def knocking(cluster: Cluster) -> Iterator[DatabaseAddress]:
    """A role whom the server's pg_hba.conf shuts out."""
    hba = cluster.data_dir / "pg_hba.conf"
    before = hba.read_bytes()
    with connect(cluster.admin) as connection:
        connection.execute("CREATE ROLE knocking LOGIN PASSWORD 'knock'")
    hba.write_bytes(LATIN + b"local all knocking peer\n" + before)
    hba_file.reload(cluster.admin)
    yield replace(cluster.admin, user="knocking", password="knock")
    hba.write_bytes(before)
    hba_file.reload(cluster.admin)
    with connect(cluster.admin) as connection:
        connection.execute("DROP ROLE knocking")


def kept(cluster: Cluster) -> list[Path]:
    return sorted(cluster.data_dir.glob("pg_hba.conf.2*"))


def test_a_line_is_added_read_and_nothing_else_changes(cluster: Cluster, knocking: DatabaseAddress) -> None:
    hba = cluster.data_dir / "pg_hba.conf"
    before, known = hba.read_bytes(), kept(cluster)
    assert not hba_file.comes_in(knocking)
    first = hba_file.add_lines(cluster.host, cluster.admin, [LINE])
    assert hba_file.comes_in(knocking)
    assert hba.read_bytes() == b"# Added by `recover site prepare`: the tests.\nlocal all knocking trust\n" + before
    second = hba_file.add_lines(cluster.host, cluster.admin, [LINE])
    assert kept(cluster) == sorted([*known, first, second]) and first != second
    assert first.read_bytes() == before


def test_what_was_written_by_hand_counts_after_a_reload(cluster: Cluster, knocking: DatabaseAddress) -> None:
    hba = cluster.data_dir / "pg_hba.conf"
    hba.write_bytes(b"local all knocking scram-sha-256\n" + hba.read_bytes())
    assert not hba_file.comes_in(knocking)
    hba_file.reload(cluster.admin)
    assert hba_file.comes_in(knocking)


def test_a_line_that_the_server_does_not_take_goes_again(cluster: Cluster, knocking: DatabaseAddress) -> None:
    hba = cluster.data_dir / "pg_hba.conf"
    before = hba.read_bytes()
    with pytest.raises(VerificationFailed, match="the old file is back"):
        hba_file.add_lines(cluster.host, cluster.admin, [HbaLine("local all knocking nonsense", "the tests", 0)])
    assert hba.read_bytes() == before


@pytest.mark.parametrize("whose", ["ours", "somebody else's"])
def test_on_a_full_disk_the_old_file_is_there_and_nothing_beside_it(whose: str, cluster: Cluster) -> None:
    folder = cluster.folder / f"full-{whose[:4]}"
    cluster.host.run(["mkdir", folder], timeout_seconds=60)
    file = folder / "pg_hba.conf"
    file.write_bytes(LATIN)
    file.chmod(0o666)
    if whose == "ours":
        os.chown(file, folder.stat().st_uid, folder.stat().st_gid)
    elif os.geteuid() != 0:
        pytest.skip("only root can make a file that is somebody else's")
    full = Host((*cluster.host.prefix, "prlimit", f"--fsize={len(LATIN) + 10}", "--"))
    with pytest.raises(CommandFailed), hba_file.kept_if_it_fails(full, file) as (old, content):
        hba_file.replace_content(full, file, content * 2)
    assert file.read_bytes() == LATIN
    assert sorted(folder.iterdir()) == sorted([file, old])

    owner = file.stat().st_uid
    with hba_file.kept_if_it_fails(cluster.host, file) as (_, content):
        hba_file.replace_content(cluster.host, file, content * 2)
    assert (file.read_bytes(), file.stat().st_uid, file.stat().st_mode & 0o777) == (LATIN * 2, owner, 0o666)


def test_a_file_that_was_cut_short_comes_back(cluster: Cluster) -> None:
    file = cluster.folder / "cut"
    cluster.host.run(["tee", file], stdin="the old one\n", timeout_seconds=60)
    with pytest.raises(KeyboardInterrupt), hba_file.kept_if_it_fails(cluster.host, file):
        _cut_and_stop(cluster, file)
    assert file.read_text() == "the old one\n"


def _cut_and_stop(cluster: Cluster, file: Path) -> None:
    cluster.host.run(["truncate", "--size=3", file], timeout_seconds=60)
    raise KeyboardInterrupt
