"""The WAL archive without a copy: a segment that is there, one that is not, and an archive that cannot be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from recovery.adapters.pgbackrest.archive import ArchivedWal
from recovery.adapters.pgbackrest.copies import RestoredCopies
from recovery.adapters.postgres.connection import connect, one_row
from recovery.adapters.postgres.server import PostgresServer
from recovery.adapters.process import Host
from recovery.adapters.secrets import Secrets
from recovery.errors import CommandFailed, RecoveryError
from recovery.settings import Settings, load_settings
from recovery.wal import Segment, parse_lsn
from sandbox.layout import Sandbox
from tests.waiting import PATIENCE

SEGMENT_BYTES = 16 * 1024**2
MakeArchive = Callable[[Settings], ArchivedWal]


@pytest.fixture
def settings(sandbox: Sandbox) -> Settings:
    return load_settings(sandbox.settings_file, {})


@pytest.fixture
def make_archive() -> Iterator[MakeArchive]:
    made: list[tuple[RestoredCopies, object]] = []

    def make(settings: Settings) -> ArchivedWal:
        copies = RestoredCopies(settings, Host(settings.database.command_prefix), Secrets(settings.aws))
        places = copies.prepare("none", "test", tuple(settings.backup.repos))
        made.append((copies, places))
        return copies.archived_wal(places, SEGMENT_BYTES)

    yield make
    for copies, places in made:
        copies.remove(places)  # type: ignore[arg-type]


def archived_points(sandbox: Sandbox, *names: str) -> tuple[Segment, list[int], object]:
    """Make restore points and have their segment archived: the segment, where each ends, and the moment before."""
    with connect(sandbox.admin_address()) as connection:
        before = one_row(connection, "SELECT pg_switch_wal(), clock_timestamp()")[1]
        ends = [
            parse_lsn(one_row(connection, "SELECT pg_create_restore_point(%s)::text", (name,))[0]) for name in names
        ]
    server = PostgresServer(sandbox.admin_address())
    closed = server.switch_wal()
    server.wait_until_archived(closed, seconds=PATIENCE)
    return Segment.parse(closed, SEGMENT_BYTES), ends, before


def test_restore_points_of_a_run_with_their_moments(
    sandbox: Sandbox, settings: Settings, make_archive: MakeArchive
) -> None:
    names = ("first", 'it\'s "so" \\ $HOME ☂')
    last, ends, before = archived_points(sandbox, *names)
    wal = make_archive(settings)
    wal.prepare()
    run = [replace(last, number=number) for number in range(last.number - 2, last.number + 1)]
    # Under the names of another timeline, as after a switch.
    kept = [replace(one, timeline=7) for one in run]
    assert [wal.fetch(one.name(SEGMENT_BYTES), under) for one, under in zip(run, kept, strict=True)] == [True] * 3
    dumped = wal.restore_points(kept[0], kept[-1])
    assert dumped.broken is None
    found = [point for point in dumped.points if point.name in names]
    assert [point.name for point in found] == list(names)
    for point, end in zip(found, ends, strict=True):
        assert 0 < end - point.lsn < 256
        dated = wal.dated(point, 7).made_at
        assert dated is not None
        assert before <= dated < before + timedelta(seconds=PATIENCE)  # type: ignore[operator]


def test_a_segment_that_is_not_there_and_one_that_is_broken(
    sandbox: Sandbox, settings: Settings, make_archive: MakeArchive
) -> None:
    last, _, _ = archived_points(sandbox, "sound")
    wal = make_archive(settings)
    wal.prepare()
    assert not wal.fetch(replace(last, number=last.number + 1000).name(SEGMENT_BYTES), last)
    assert wal.fetch(last.name(SEGMENT_BYTES), last)
    # The next one is the same file again: its pages say that they belong elsewhere.
    after = replace(last, number=last.number + 1)
    assert wal.fetch(last.name(SEGMENT_BYTES), after)
    dumped = wal.restore_points(last, after)
    assert "sound" in [point.name for point in dumped.points]
    assert dumped.broken == after.number
    with pytest.raises(CommandFailed):
        wal.restore_points(replace(last, number=last.number + 50), replace(last, number=last.number + 51))


def test_an_archive_that_cannot_be_asked_is_an_error(
    sandbox: Sandbox, settings: Settings, make_archive: MakeArchive
) -> None:
    last, _, _ = archived_points(sandbox, "there")
    wal = make_archive(settings)
    with pytest.raises(CommandFailed):  # the folder passes for no server yet
        wal.fetch(last.name(SEGMENT_BYTES), last)
    other_key = settings.model_copy(
        update={"backup": settings.backup.model_copy(update={"encryption_key": settings.database.password})}
    )
    closed = make_archive(other_key)
    with pytest.raises(RecoveryError):
        closed.prepare()
    with pytest.raises(CommandFailed):
        closed.fetch(last.name(SEGMENT_BYTES), last)
