"""What pgBackRest 2.45 printed about a real site (tests/unit/captured), sound and damaged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recovery.adapters.pgbackrest.information import (
    damage_found,
    explain,
    first_error,
    read_archive,
    read_history,
    read_sets,
    read_system_identifier,
)
from recovery.errors import CommandFailed, SettingsInvalid, VerificationFailed
from recovery.wal import Segment
from tests.unit.build import SEGMENT_BYTES, at

CAPTURED = Path(__file__).parent / "captured"
FULL = "20261124-013820F"
INCR = "20261124-013820F_20261124-013839I"


def captured(name: str) -> str:
    return (CAPTURED / name).read_text()


# info ---------------------------------------------------------------------------------------------


def test_sets() -> None:
    full, incr = read_sets(captured("info-sound.json"), 1, "main")
    assert (full.label, full.kind, full.repo, full.damaged, full.prior, full.references) == (
        *(FULL, "full", 1, False),
        *(None, ()),
    )
    assert (incr.label, incr.kind, incr.prior, incr.references, incr.full_label) == (INCR, "incr", FULL, (FULL,), FULL)
    assert (full.started_at, full.stopped_at) == (
        datetime(2026, 11, 24, 1, 38, 20, tzinfo=UTC),
        datetime(2026, 11, 24, 1, 38, 23, tzinfo=UTC),
    )
    assert (full.start_lsn, full.stop_lsn, full.timeline) == (0x5000838, 0x511D440, 1)
    assert (full.wal_start, full.wal_stop) == ("000000010000000000000005", "000000010000000000000005")
    assert (full.database_bytes, full.copied_bytes, full.repo_bytes) == (42818121, 42818121, 7994416)
    assert (incr.database_bytes, incr.copied_bytes, incr.repo_bytes) == (44071497, 6553866, 1768640)
    assert full.annotations["application-version"] == "2.3.0"


def changed(**fields: object) -> str:
    value = json.loads(captured("info-sound.json"))
    value[0]["backup"][0] |= fields
    return json.dumps(value)


def test_set_with_page_errors() -> None:
    assert [one.damaged for one in read_sets(changed(error=True), 1, "main")] == [True, False]


def test_sets_of_another_repository_are_not_ours() -> None:
    text = changed(database={"id": 1, "repo-key": 2})
    assert [one.label for one in read_sets(text, 1, "main")] == [INCR]


def test_set_without_annotations() -> None:
    assert read_sets(changed(annotation=None), 1, "main")[0].annotations == {}


def test_wrong_key_is_said_without_the_bytes_it_made() -> None:
    with pytest.raises(SettingsInvalid) as refused:
        read_sets(captured("info-wrong-key.json"), 1, "main")
    assert str(refused.value) == (
        "repository 1 cannot be read: its files make no sense with this encryption key\n"
        "NEXT: check the encryption key (BACKUP_ENCRYPTION_KEY), the S3 keys and the bucket; "
        "then run: recover site prepare --apply"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "repository 1 has no stanza main"),
        (
            '[{"name":"main","backup":[],"repo":[{"key":1,"status":{"code":1,"message":"missing stanza path"}}],'
            '"status":{"code":1,"message":"missing stanza path"}}]',
            "repository 1 has no stanza main: missing stanza path",
        ),
        (
            '[{"name":"main","backup":[],"status":{"code":99,"message":"other\\nmore"}}]',
            "repository 1 cannot be read: other",
        ),
    ],
)
def test_repository_that_is_not_ready(text: str, problem: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        read_sets(text, 1, "main")
    assert refused.value.problem == problem


def test_no_backup_yet_is_no_error() -> None:
    text = '[{"name":"main","backup":[],"repo":[{"key":1,"status":{"code":2,"message":"no valid backups"}}],"status":{"code":2,"message":"no valid backups"}}]'
    assert read_sets(text, 1, "main") == ()


@pytest.mark.parametrize("text", ["", "P00 ERROR", "[{"])
def test_answer_that_is_not_json(text: str) -> None:
    with pytest.raises(VerificationFailed, match="pgBackRest's answer is not JSON"):
        read_sets(text, 1, "main")


# repo-ls ------------------------------------------------------------------------------------------


def test_archive() -> None:
    listing = read_archive(captured("repo-ls.json"), SEGMENT_BYTES)
    names = [one.segment.name(SEGMENT_BYTES) for one in listing.segments]
    assert names == [f"0000000100000000000000{n:02X}" for n in range(2, 2 + len(names))]
    assert len(names) > 8 and listing.history_files == {}
    assert all(one.archived_at.year == 2026 and one.repo_bytes > 0 for one in listing.segments)


def test_what_is_a_segment_and_what_is_not() -> None:
    sha = "e0ce08628761bd13633329f9145fb3d6bfc5ee57"
    folder = "15-1/0000000200000000"
    files = {
        f"{folder}/000000020000000000000006-{sha}.zst": 10,
        f"{folder}/000000020000000000000007-{sha}": 11,
        f"{folder}/000000020000000000000008-{sha}.lz4": 12,
        f"{folder}/000000020000000000000009.partial-{sha}.zst": 13,
        f"{folder}/000000020000000000000006.00000028.backup": 14,
        f"{folder}/00000002000000000000000A-{sha}.zst.pgbackrest.tmp": 15,
        "15-1/00000002.history": 16,
        "15-1/archive.info": 17,
    }
    text = json.dumps(
        {"15-1": {"type": "path"}} | {p: {"type": "file", "size": s, "time": 0} for p, s in files.items()}
    )
    listing = read_archive(text, SEGMENT_BYTES)
    assert [(one.segment, one.repo_bytes) for one in listing.segments] == [
        (Segment(2, 6), 10),
        (Segment(2, 7), 11),
        (Segment(2, 8), 12),
    ]
    assert listing.history_files == {2: ("15-1/00000002.history", datetime(1970, 1, 1, tzinfo=UTC))}


def test_empty_archive() -> None:
    assert read_archive("{}", SEGMENT_BYTES).segments == ()


def test_damaged_history_is_an_error_of_ours() -> None:
    with pytest.raises(VerificationFailed) as refused:
        read_history(2, "1\t�garbage\tno recovery target specified", at(0))
    assert refused.value.problem == "the history file of timeline 2 is damaged: '�garbage' is not an LSN"


# verify: its exit status is 0 whatever it found -----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("sound", []),
        ("corrupt", [f"backup: {INCR}: 1 checksum invalid"]),
        (
            "bundle",
            ["archiveId: 15-1: 1 other", f"backup: {FULL}: 8 missing", f"backup: {INCR}: 5 missing"],
        ),
        (
            "manifest",
            ["archiveId: 15-1: 1 other", f"backup: {FULL}: 8 missing", f"backup: {INCR}: manifest missing"],
        ),
        ("key", ["No usable backup.info file", "No usable archive.info file"]),
    ],
)
def test_damage(name: str, damage: list[str]) -> None:
    assert damage_found(captured(f"verify-{name}.txt")) == damage


@pytest.mark.parametrize(
    ("text", "damage"),
    [
        ("", ["verify said nothing that can be trusted: no output"]),
        ("\n  \nP00   WARN: odd\n", ["verify said nothing that can be trusted: P00   WARN: odd"]),
        ("stanza: main\nstatus: error\n", ["verify ended with status error"]),
        ("stanza: main\nstatus: error\n  P00 ERROR: [028]: no such file\n", ["[028]: no such file"]),
    ],
)
def test_silence_is_no_proof(text: str, damage: list[str]) -> None:
    assert damage_found(text) == damage


# errors -------------------------------------------------------------------------------------------


def failure(status: int) -> CommandFailed:
    return CommandFailed(f"pgbackrest ended with status {status}", "look", ("pgbackrest", "backup"), status, "")


@pytest.mark.parametrize(
    ("status", "output", "problem", "next_step"),
    [
        (
            64,
            "P00  ERROR: [064]: raised from local-1: unable to write '/x': [28] No space left on device\n",
            "pgbackrest: [064]: raised from local-1: unable to write '/x': [28] No space left on device",
            "free disk space where it writes (df -h), then run this again",
        ),
        (
            29,
            "P00  ERROR: [029]: unable to load info file '/b':\n FormatError: key/value \ufffd\x04\x08 found\n",
            "pgbackrest: [029]: unable to load info file '/b': it cannot be read with this encryption key",
            "check the encryption key (BACKUP_ENCRYPTION_KEY), then run: recover site prepare --apply",
        ),
        (
            56,
            "P00  ERROR: [056]: unable to find primary cluster - cannot proceed\n",
            "pgbackrest: [056]: unable to find primary cluster - cannot proceed",
            "no running primary was found: bring the database up, then run this again",
        ),
        *(
            (
                55,
                f"P00  ERROR: [055]: unable to load info file '/a/archive.info' or '/a/archive.info.copy': {why}\n",
                f"pgbackrest: [055]: unable to load info file '/a/archive.info' or '/a/archive.info.copy': {why}",
                next_step,
            )
            for why, next_step in (
                (
                    "HostConnectError: unable to connect to '127.0.0.1:9'",
                    "check that the S3 endpoint answers; --source-region restores from the other region",
                ),
                ("ProtocolError: HTTP request failed with 403 (Forbidden)", "correct the S3 keys in recovery.toml"),
                (
                    "FileMissingError: unable to open missing file '/a/archive.info' for read",
                    "the repository has no stanza: run recover site prepare --apply",
                ),
            )
        ),
        (99, "", "pgbackrest: pgbackrest ended with status 99", "look"),
    ],
)
def test_failures_say_what_to_do(status: int, output: str, problem: str, next_step: str) -> None:
    said = explain(failure(status), output)
    assert (said.problem, said.next_step, said.status) == (problem, next_step, status)


def test_first_error_is_one_line_without_raw_bytes() -> None:
    assert first_error("2026-01-15 10:00:00 P00  ERROR: [101]: TLS\x00 error\n  more\n2026-01-15 P00 INFO: x") == (
        "[101]: TLS error more"
    )


# whose WAL it is -----------------------------------------------------------------------------------


def test_whose_wal_the_archive_takes() -> None:
    value = json.loads(captured("info-sound.json"))
    known = value[0]["db"]
    assert read_system_identifier(json.dumps(value), "main") == known[-1]["system-id"]
    value[0]["db"] = [*known, {"id": 2, "repo-key": 1, "system-id": 7000000000000000007, "version": "16"}, known[0]]
    assert read_system_identifier(json.dumps(value), "main") == 7000000000000000007


def test_an_archive_that_cannot_be_asked_does_not_say_whose_it_is() -> None:
    with pytest.raises(SettingsInvalid) as refused:
        read_system_identifier(captured("info-wrong-key.json"), "main")
    assert refused.value.problem == (
        "no repository says whose WAL it holds: its files make no sense with this encryption key"
    )
    with pytest.raises(SettingsInvalid) as refused:
        read_system_identifier("[]", "main")
    assert refused.value.problem == "no repository says whose WAL it holds: there is no stanza main"
