"""What a restore is asked for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from checks.restore_request import Wish, database_name_refusal, proof_refusal, read_target, source_repositories
from recovery.facts import RecoveryTarget, Refusal, TargetKind
from tests.unit.build import settings

LABEL = "20260115-100000F_20260115-110000I"


@pytest.mark.parametrize(
    ("wish", "target"),
    [
        (Wish(), RecoveryTarget(TargetKind.LATEST)),
        (Wish(backup_id=LABEL), RecoveryTarget(TargetKind.BACKUP)),
        (
            Wish(target_time="2024-01-15T10:30:00Z", backup_id=LABEL),
            RecoveryTarget(TargetKind.TIME, moment=datetime(2024, 1, 15, 10, 30, tzinfo=UTC)),
        ),
        (Wish(target_lsn="0/5000060"), RecoveryTarget(TargetKind.LSN, lsn=0x5000060)),
        *(
            (Wish(target_name=name), RecoveryTarget(TargetKind.NAME, name=name))
            for name in ("before release 2.4", 'x\'; DROP TABLE "users" \\', "größe ☂", " a ", "a\u00a0b", "n" * 63)
        ),
    ],
)
def test_targets(wish: Wish, target: RecoveryTarget) -> None:
    assert read_target(wish) == target


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        (
            Wish(target_time="2024-01-15T10:30:00Z", target_lsn="0/1"),
            Refusal("more than one target was given", "give one of --target-time, --target-lsn, --target-name"),
        ),
        (
            Wish(backup_id="../../etc"),
            Refusal("'../../etc' is not the id of a backup", "recover backup list shows the ids"),
        ),
        (
            Wish(backup_id=f"{LABEL}\n"),
            Refusal(f"'{LABEL}\\n' is not the id of a backup", "recover backup list shows the ids"),
        ),
        (Wish(target_lsn="5000060"), Refusal("'5000060' is not an LSN", "write it as PostgreSQL does, e.g. 0/5000060")),
        *(
            (
                Wish(target_name=name),
                Refusal(
                    f"{name!r} cannot be the name of a restore point",
                    "use the name given to pg_create_restore_point: at most 63 bytes, without line breaks",
                ),
            )
            for name in ("a\nb", "a\0", "n" * 64, "ü" * 32, "\udce4")
        ),
    ],
)
def test_refusals(wish: Wish, refusal: Refusal) -> None:
    assert read_target(wish) == refusal


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("clickview_restored", None),
        ("clickview", "clickview is the live database"),
        ("template1", "template1 belongs to PostgreSQL itself"),
        ("taken", "a database taken exists on the site's server; nothing is overwritten"),
        ("Clickview", None),
        ("""it's "odd", ünd.co 100 %=\\""", None),
        ("ü" * 31, None),
        (
            "recovering_copy_1",
            "recovering_copy_1 would be taken for a database that is not loaded to its end, and dropped",
        ),
        *(
            (name, f"{name!r} cannot be the name of a database (1 to 63 bytes, without line breaks)")
            for name in ("restored\n", "", " ", "a\0", "a" * 64, "ü" * 32, "\udce4")
        ),
    ],
)
def test_names_of_restored_databases(name: str, refusal: str | None) -> None:
    assert database_name_refusal(name, settings(), ("clickview", "taken")) == refusal


def test_a_live_database_that_was_dropped_may_come_back_under_its_own_name() -> None:
    assert database_name_refusal("clickview", settings(), ("taken",)) is None


TWO = settings(
    backup={
        "encryption_key": "key-of-the-repository",
        "primary": {"bucket": "east-bucket", "region": "us-east-1"},
        "secondary": {"bucket": "west-bucket", "region": "us-west-2"},
        "primary_bucket": "west-bucket",
    }
)


@pytest.mark.parametrize(
    ("wish", "repos"),
    [
        (Wish(), [1, 2]),
        (Wish(source_region="us-west-2"), [2]),
        (Wish(source_region="us-east-1"), [1]),
        (Wish(source_bucket="east-bucket"), [1]),
        (Wish(source_region="us-west-2", source_bucket="west-bucket"), [2]),
    ],
)
def test_repositories(wish: Wish, repos: list[int]) -> None:
    assert source_repositories(wish, TWO) == repos


def test_repository_that_is_none_of_ours() -> None:
    assert source_repositories(Wish(source_region="us-west-2", source_bucket="east-bucket"), TWO) == Refusal(
        "east-bucket in us-west-2 is not a repository of this site",
        "known are east-bucket in us-east-1, west-bucket in us-west-2; add it to recovery.toml as [backup.secondary]",
    )


def test_what_keeps_nothing_makes_no_database() -> None:
    wish = Wish(target_database="clickview_restored")
    assert proof_refusal(wish, kept=True) is None
    assert proof_refusal(Wish(), kept=False) is None
    assert proof_refusal(wish, kept=False) == (
        "--validate-only keeps nothing, so there would be no database clickview_restored"
    )
