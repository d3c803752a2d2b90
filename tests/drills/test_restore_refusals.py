"""A restore that cannot give what was asked is refused, before anything is written, with the way out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from recovery.adapters.postgres.databases import SiteDatabases
from recovery.adapters.postgres.properties import read_properties
from tests.fix_drills import Drill, text

REFUSED = 14
RESTORE = ("backup", "restore")
WRITE_A_MOMENT = (
    "NEXT: write it with seconds and a zone, e.g. 2024-01-15T10:30:00Z or '2024-01-15 10:30:00 Europe/Berlin'"
)
OTHER_NAME = "NEXT: choose another name for --target-database"


@pytest.fixture(autouse=True)
def _nothing_is_left(drill: Drill):
    yield
    assert drill.leftovers() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target-time", "2026-11-24 01:00:00"), f"'2026-11-24 01:00:00' has no zone\n{WRITE_A_MOMENT}"),
        (("--target-time", "yesterday"), f"'yesterday' is not a moment\n{WRITE_A_MOMENT}"),
        (
            ("--target-time", "2026-10-25 02:30:00 Europe/Berlin"),
            "'2026-10-25 02:30:00 Europe/Berlin' is not one moment: clocks in Europe/Berlin change there\n"
            "NEXT: write 2026-10-25T00:30:00Z or 2026-10-25T01:30:00Z",
        ),
        (
            ("--target-time", "2026-11-24T01:00:00Z", "--target-lsn", "0/5000060"),
            "more than one target was given\nNEXT: give one of --target-time, --target-lsn, --target-name",
        ),
        (("--target-lsn", "xx"), "'xx' is not an LSN\nNEXT: write it as PostgreSQL does, e.g. 0/5000060"),
        (
            ("--backup-id", "../../etc"),
            "'../../etc' is not the id of a backup\nNEXT: recover backup list shows the ids",
        ),
        (
            ("--target-name", "n" * 64),
            f"'{'n' * 64}' cannot be the name of a restore point\n"
            "NEXT: use the name given to pg_create_restore_point: at most 63 bytes, without line breaks",
        ),
        (("--target-database", "clickview"), f"clickview is the live database\n{OTHER_NAME}"),
        (("--target-database", "postgres"), f"postgres belongs to PostgreSQL itself\n{OTHER_NAME}"),
        (
            ("--target-database", "x\nDROP TABLE users"),
            f"'x\\nDROP TABLE users' cannot be the name of a database (1 to 63 bytes, without line breaks)\n{OTHER_NAME}",
        ),
        (
            ("--source-region", "eu-nowhere-1"),
            "any bucket in eu-nowhere-1 is not a repository of this site\n"
            "NEXT: known are clickview-backups in us-east-1, clickview-backups-west in us-west-2; "
            "add it to recovery.toml as [backup.secondary]",
        ),
        (
            ("--source-bucket", "elsewhere"),
            "elsewhere in any region is not a repository of this site\n"
            "NEXT: known are clickview-backups in us-east-1, clickview-backups-west in us-west-2; "
            "add it to recovery.toml as [backup.secondary]",
        ),
        (
            ("--validate-only", "--target-database", "clickview_restored"),
            "--validate-only keeps nothing, so there would be no database clickview_restored\n"
            "NEXT: leave out --validate-only or --target-database",
        ),
        (
            ("--accept-failed-checks", "it must be", "--drop-failed"),
            "a copy that fails its checks cannot be accepted and dropped\nNEXT: leave one of the two out",
        ),
        (("--target-timeline", "9"), "timeline 9 is not in the archive\nNEXT: name one of: 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
@pytest.mark.refuses(
    "backup restore --target-time --target-lsn --target-name --backup-id --target-database --target-timeline",
    "backup restore --source-region --source-bucket --validate-only --accept-failed-checks --drop-failed",
)
def test_what_cannot_be_meant_is_refused(drill: Drill, options: tuple[str, ...], said: str) -> None:
    assert drill.refusal(*RESTORE, *options, status=REFUSED) == said


def test_an_empty_reason_is_a_wrong_option(drill: Drill) -> None:
    said = drill.usage_error("backup", "restore", "--accept-failed-checks", " ")
    assert said == "Invalid value for '--accept-failed-checks': is empty"


def test_before_the_first_backup(drill: Drill) -> None:
    stops = [datetime.fromisoformat(one["stopped_at"]) for one in drill.done("backup", "list", "--json").json]
    first, early = min(stops), min(stops) - timedelta(hours=1)
    reachable = first + timedelta(seconds=1)
    assert drill.refusal(*RESTORE, "--target-time", text(early), status=REFUSED) == (
        f"{early:%Y-%m-%d %H:%M:%S.%f} UTC is before the first backup, which ended at {first:%Y-%m-%d %H:%M:%S} UTC\n"
        f"NEXT: the earliest reachable moment is {reachable:%Y-%m-%d %H:%M:%S} UTC: "
        f"--target-time='{reachable:%Y-%m-%dT%H:%M:%SZ}'"
    )


def test_in_the_future(drill: Drill) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    assert drill.refusal(*RESTORE, "--target-time", text(later), status=REFUSED) == (
        f"{later:%Y-%m-%d %H:%M:%S.%f} UTC is in the future\n"
        "NEXT: name a moment that has passed, or leave out --target-time for the newest"
    )


def test_an_unknown_backup_names_the_newest(drill: Drill) -> None:
    newest = drill.done("backup", "latest").stdout.strip()
    assert drill.refusal(*RESTORE, "--backup-id", "20200101-000000F", status=REFUSED) == (
        f"there is no backup 20200101-000000F\nNEXT: recover backup list shows them; the newest is {newest}"
    )


def test_an_existing_database_is_not_overwritten(drill: Drill) -> None:
    live = drill.sandbox.admin_address()
    SiteDatabases(drill.sandbox.admin_address(database="postgres")).create("taken", read_properties(live))
    assert drill.refusal(*RESTORE, "--target-database", "taken", status=REFUSED) == (
        f"a database taken exists on the site's server; nothing is overwritten\n{OTHER_NAME}"
    )


def test_too_little_disk(drill: Drill) -> None:
    tight = drill.variant("restore", space_factor=1e9)
    said = tight.refusal(*RESTORE, status=REFUSED)
    assert said.startswith("the restore needs ")
    assert said.endswith(" GB are free\nNEXT: free disk space, or point restore.scratch_dir at a larger disk")


def test_never_into_a_live_data_directory(drill: Drill) -> None:
    data = drill.sandbox.data_dir("primary")
    inside = drill.variant("restore", scratch_dir=str(data / "base"))
    assert inside.refusal(*RESTORE, status=REFUSED) == (
        f"restore.scratch_dir {data}/base lies in the live data directory {data}\n"
        "NEXT: set restore.scratch_dir to a directory of its own"
    )
    above = drill.variant("restore", scratch_dir=str(data.parent))
    assert above.refusal(*RESTORE, status=REFUSED) == (
        f"the live data directory {data} lies in restore.scratch_dir {data.parent}\n"
        "NEXT: set restore.scratch_dir to a directory of its own"
    )
