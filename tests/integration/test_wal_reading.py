"""Restore points read by the real pg_waldump, across the switch from one timeline to the next."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.postgres.waldump import Dumped, dump_restore_points, read_moment
from recovery.adapters.process import Host
from recovery.wal import History, RestorePoint, Segment, parse_lsn
from tests.conftest import require_programs
from tests.fix_postgres import BIN, Cluster
from tests.waiting import until

SEGMENT_BYTES = 1024**2


@pytest.fixture
def promoted() -> Iterator[Cluster]:
    """A server that was promoted in the middle of a segment, with restore points before and after that."""
    require_programs(str(BIN / "pg_waldump"))
    as_root = os.geteuid() == 0
    prefix = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--") if as_root else ()
    folder = Path(tempfile.mkdtemp(prefix="cvwal", dir="/tmp"))
    if as_root:
        shutil.chown(folder, "postgres", "postgres")
    made = Cluster(folder, Host(prefix))
    try:
        made.run("initdb", "-D", str(made.data_dir), "-U", "postgres", "-A", "trust", "--no-sync", "--wal-segsize=1")
        made.start()
        points(made, "first", switch=True)
        points(made, "before the switch")
        made.stop()
        made.host.run(["touch", made.data_dir / "standby.signal"], timeout_seconds=60)
        made.start()
        with connect(made.admin) as connection:
            assert one_row(connection, "SELECT pg_promote()")[0]
        points(made, "after the switch", switch=True)
        points(made, "last", switch=True)
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


def points(made: Cluster, name: str, *, switch: bool = False) -> None:
    with connect(made.admin) as connection:
        connection.execute("ALTER SYSTEM SET wal_keep_size = '512MB'")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("SELECT pg_create_restore_point(%s)", (name,))
        connection.execute("SELECT pg_switch_wal()" if switch else "CHECKPOINT")  # either has it on the disk


def test_one_reading_goes_across_the_switch(promoted: Cluster) -> None:
    wal = promoted.data_dir / "pg_wal"
    history = History.parse(2, until((wal / "00000002.history").read_text))
    with connect(promoted.admin) as connection:
        now = parse_lsn(one_row(connection, "SELECT pg_current_wal_lsn()::text")[0]) // SEGMENT_BYTES
    one_way = promoted.folder / "way"
    promoted.host.run(["mkdir", one_way], timeout_seconds=60)
    first = history.switches[0].lsn // SEGMENT_BYTES - 1
    for number in range(first, now):
        read = Segment(history.timeline_read_at(number, SEGMENT_BYTES), number)
        kept = one_way / Segment(2, number).name(SEGMENT_BYTES)
        promoted.host.run(["cp", wal / read.name(SEGMENT_BYTES), kept], timeout_seconds=60)

    dumped = dumped_from(promoted, one_way, Segment(2, first), Segment(2, now - 1))
    assert dumped.broken is None
    assert [one.name for one in dumped.points] == ["first", "before the switch", "after the switch", "last"]
    moments = [moment(promoted, one_way, point) for point in dumped.points]
    assert None not in moments
    assert moments == sorted(moments)  # type: ignore[type-var]


def dumped_from(made: Cluster, folder: Path, first: Segment, last: Segment) -> Dumped:
    return dump_restore_points(
        made.host, BIN / "pg_waldump", folder, (first, last), segment_bytes=SEGMENT_BYTES, seconds=60
    )


def moment(made: Cluster, folder: Path, point: RestorePoint) -> object:
    file = folder / Segment.holding(2, point.lsn, SEGMENT_BYTES).name(SEGMENT_BYTES)
    return read_moment(made.host, file, point, segment_bytes=SEGMENT_BYTES)
