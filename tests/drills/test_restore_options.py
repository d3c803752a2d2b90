"""Every option of a restore brings what it says; what it refuses is in test_restore_refusals.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recovery.adapters.postgres.databases import SiteDatabases
from recovery.wal import parse_lsn
from tests.fix_drills import Drill

FAILED = 15
RESTORED = "clickview_of_the_drill"


@pytest.fixture
def distrusted(drill: Drill, tmp_path: Path) -> Drill:
    """The same site with a rule of its own that its data breaks."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "nobody.sql").write_text("-- nobody is registered\nSELECT id FROM users LIMIT 1;\n")
    return drill.variant("checks", rules=str(rules))


@pytest.fixture
def kept(drill: Drill) -> Iterator[list[dict[str, Any]]]:
    """The copies that were there before; those that came are dropped."""
    before = copies(drill)
    yield before
    for one in copies(drill):
        if one not in before:
            drill.done("backup", "drop-copy", one["name"])


def copies(drill: Drill) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = drill.done("backup", "copies", "--json").json
    return found


@pytest.mark.works(
    "backup restore --target-lsn --source-region --source-bucket --target-timeline --validate-only --level --json"
)
def test_to_a_position_on_a_timeline_from_one_region_and_nothing_kept(drill: Drill) -> None:
    position = drill.sql("SELECT pg_current_wal_insert_lsn()::text")
    drill.assert_live_and_archiving()  # what follows it has arrived
    before = copies(drill)
    report = drill.restored(
        *("--target-lsn", position, "--target-timeline", "1"),
        *("--source-region", "us-west-2", "--source-bucket", "clickview-backups-west"),
        *("--validate-only", "--level", "restore"),
    )
    plan, reached = report["plan"], report["reached"]
    assert (plan["backup"]["repo"], plan["timeline"], plan["target"]["lsn"]) == (2, 1, parse_lsn(position))
    assert reached["lsn"] >= parse_lsn(position)
    assert (report["level"], report["checks"], report["copy"]) == ("restore", None, None)
    assert copies(drill) == before


@pytest.mark.works("backup restore --validate-only --level")
def test_the_files_of_one_repository_are_proven_without_a_copy(drill: Drill) -> None:
    report = drill.restored("--validate-only", "--level", "files", "--source-region", "us-west-2")
    assert (report["level"], report["plan"]["backup"]["repo"], report["reached"]) == ("files", 2, None)


@pytest.mark.works(
    "backup restore --backup-id --target-database --accept-failed-checks", "backup verify --database --json"
)
def test_a_set_goes_into_a_database_of_that_name_although_a_person_knows_that_checks_fail(
    drill: Drill, distrusted: Drill
) -> None:
    oldest = drill.sets("--repo", "1")[-1]["label"]
    options = ("--backup-id", oldest, "--target-database", RESTORED, "--source-region", "us-east-1")
    there = SiteDatabases(drill.sandbox.admin_address(database="postgres"))
    try:
        report = distrusted.restored(*options, "--accept-failed-checks", "the rule is wrong")
        assert report["plan"]["backup"]["label"] == oldest
        assert (report["database"], report["accepted"], report["copy"]) == (RESTORED, "the rule is wrong", None)
        restored = drill.sandbox.admin_address(database=RESTORED)
        assert drill.sql("SELECT count(*) FROM users", address=restored) > 0
        checked = drill.done("backup", "verify", "--database", RESTORED, "--json").json
        assert checked["database"] == RESTORED
    finally:
        there.drop(RESTORED)


@pytest.mark.works("backup copies --json", "backup drop-copy NAME", "backup restore --drop-failed")
@pytest.mark.long
def test_a_copy_that_fails_its_checks_is_kept_and_marked_unless_it_was_to_be_dropped(
    drill: Drill, distrusted: Drill, kept: list[dict[str, Any]]
) -> None:
    options = ("backup", "restore", "--backup-id", drill.sets("--repo", "1")[-1]["label"])
    said = distrusted.refusal(*options, "--drop-failed", status=FAILED)
    assert "nothing was kept" in said
    assert copies(drill) == kept
    assert "is kept: psql" in distrusted.refusal(*options, status=FAILED)
    [marked] = [one for one in copies(drill) if one not in kept]
    assert marked["state"].startswith("failed checks (")
    drill.done("backup", "drop-copy", marked["name"])
    assert copies(drill) == kept
    assert not (drill.sandbox.state_dir / "scratch" / marked["name"]).exists()


@pytest.mark.refuses("backup drop-copy NAME")
def test_only_a_copy_is_dropped(drill: Drill) -> None:
    for name in ("nobody", "../primary", ""):
        assert drill.refusal("backup", "drop-copy", name, status=11).startswith(f"there is no restored copy {name!r}\n")
    assert drill.sandbox.data_dir("primary").is_dir()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--target-timeline", "0"), "Invalid value for '--target-timeline': "),
        (("--level", "deep", "--validate-only"), "Invalid value for '--level': "),
        (("--level", "files"), "Invalid value for --level: says how deep --validate-only proves: add that"),
        (("--accept-failed-checks", ""), "Invalid value for '--accept-failed-checks': is empty"),
        (("--source-bucket", ""), "Invalid value for '--source-bucket': is empty"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
@pytest.mark.refuses("backup restore --target-timeline --level --accept-failed-checks --source-bucket")
def test_words_that_say_nothing_are_refused(drill: Drill, options: tuple[str, ...], said: str) -> None:
    assert drill.usage_error("backup", "restore", *options).startswith(said)
    assert drill.leftovers() == []
