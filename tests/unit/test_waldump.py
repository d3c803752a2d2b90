"""What pg_waldump says: the restore points, and whether it stopped at the WAL or could not read it."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.adapters.postgres.waldump import broken_segment, dump_restore_points, moment_in_record
from recovery.adapters.process import HERE, Completed
from recovery.errors import CommandFailed, SettingsInvalid
from recovery.wal import RestorePoint, Segment
from tests.unit.build import SEGMENT_BYTES

RUN = (Segment(1, 12), Segment(1, 14))
MOMENT = datetime(2026, 11, 28, 17, 32, 5, 123456, tzinfo=UTC)
LINE = "rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: {}, prev 0/0C009340, desc: {}\n"


def waldump(tmp_path: Path, script: str) -> Path:
    program = tmp_path / "pg_waldump"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def dump(program: Path) -> object:
    return dump_restore_points(HERE, program, Path("/wal"), RUN, segment_bytes=SEGMENT_BYTES, seconds=60)


def test_names_as_they_were_given(tmp_path: Path) -> None:
    said = tmp_path / "said"
    said.write_text(
        LINE.format("0/0C009368", "RESTORE_POINT  spaces ")
        + LINE.format("0/0C009400", "SWITCH ")
        + LINE.format("0/0C009500", "CHECKPOINT_ONLINE redo 0/C009468; tli 1")
        + LINE.format("0/0D009C08", "RESTORE_POINT a, lsn: 0/1, prev 0/0, desc: RESTORE_POINT größe")
    )
    dumped = dump(waldump(tmp_path, f'test "$LC_ALL" = C && cat {said}'))
    assert dumped.broken is None  # type: ignore[attr-defined]
    assert dumped.points == (  # type: ignore[attr-defined]
        RestorePoint(0xC009368, " spaces "),
        RestorePoint(0xD009C08, "a, lsn: 0/1, prev 0/0, desc: RESTORE_POINT größe"),
    )


@pytest.mark.parametrize(
    ("said", "broken"),
    [
        ("error: error in WAL record at 0/C009CD8: invalid record length at 0/D000098: wanted 24, got 0", 13),
        (
            "error: error in WAL record at 0/C009CD8: invalid magic number 0000 in log segment "
            "00000001000000000000000E, offset 0",
            14,
        ),
        (
            "error: error in WAL record at 0/C009CD8: unexpected pageaddr 0/5000000 in WAL segment "
            "00000001000000000000000D, LSN 0/D000000, offset 0",
            13,
        ),
        (
            "fatal: error in WAL record at 0/D009CD8: incorrect resource manager data checksum in record at 0/D009D00",
            13,
        ),
        ("error: could not find a valid record after 0/C000000", 12),
        (
            'error: WAL segment size must be a power of two between 1 MB and 1 GB, but the WAL file "…" header '
            "specifies 0 bytes",
            12,
        ),
        # What it read of another place never leads out of the run.
        ("error: error in WAL record at 0/E009CD8: invalid record length at 0/F000098: wanted 24, got 0", 14),
        ('error: could not locate WAL file "0000000100000000000000AA"', None),
        ('error: could not open file "/wal/00000001000000000000000C": Permission denied', None),
        ("error: could not read from file 00000001000000000000000C, offset 0: read 0 of 8192", None),
    ],
)
def test_where_the_wal_is_broken_and_where_it_could_not_be_read(said: str, broken: int | None) -> None:
    assert broken_segment(Completed(1, "", f"pg_waldump: {said}\n"), RUN, SEGMENT_BYTES) == broken


def test_what_could_not_be_read_is_an_error(tmp_path: Path) -> None:
    program = waldump(tmp_path, 'echo "pg_waldump: error: could not open directory \\"/wal\\"" >&2; exit 1')
    with pytest.raises(CommandFailed):
        dump(program)
    with pytest.raises(SettingsInvalid):
        dump(tmp_path / "not-there")


@pytest.mark.parametrize("begin", [0x9368, 8192 - 24, 8192 - 26, 8192 - 28, 2 * 8192 - 33, 8192 - 34])
def test_the_moment_in_a_record_also_across_two_pages(begin: int) -> None:
    microseconds = (MOMENT - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    record = b"h" * 24 + b"\xff\x48" + struct.pack("<q", microseconds)
    here = min(len(record), 8192 - begin % 8192)
    content = bytes(begin) + record[:here]
    if here < len(record):
        content += b"p" * 24 + record[here:]
    assert moment_in_record(lambda at, count: content[at : at + count], begin, SEGMENT_BYTES) == MOMENT


def test_a_record_that_goes_on_in_the_next_segment_has_no_moment_here() -> None:
    assert moment_in_record(lambda _at, count: bytes(count), SEGMENT_BYTES - 8, SEGMENT_BYTES) is None
