"""Every deployment by the API: its parameters do what they say, and a wrong one is refused with the reason."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.fix_prefect import Served


def done(served: Served, deployment: str, **parameters: Any) -> dict[str, Any]:
    """The run, which must succeed."""
    run = served.wait(served.submit(f"{deployment}/{deployment}", **parameters))
    assert run["state_type"] == "COMPLETED", "\n".join(served.logs(run["id"]))
    return run


def sets(served: Served) -> list[dict[str, Any]]:
    told = served.recover("backup", "list", "--json")
    assert told.returncode == 0, told.stderr
    found: list[dict[str, Any]] = json.loads(told.stdout)
    return found


@pytest.mark.works(
    "deployment site-prepare apply restart first_backup",
    "deployment backup kind repo",
    "deployment backup-expire backup_id repo dry_run",
)
@pytest.mark.long
def test_a_first_backup_another_one_and_that_one_dropped(served: Served) -> None:
    before = {(one["label"], one["repo"]) for one in sets(served)}
    done(served, "site-prepare", apply=True, restart=True, first_backup=True)
    first = [one for one in sets(served) if (one["label"], one["repo"]) not in before]
    assert sorted((one["kind"], one["repo"]) for one in first) == [("full", 1), ("full", 2)]
    done(served, "backup", kind="diff", repo="2")
    [taken] = [one for one in sets(served) if (one["label"], one["repo"]) not in before and one not in first]
    assert (taken["kind"], taken["repo"]) == ("diff", 2)
    done(served, "backup-expire", backup_id=taken["label"], repo="2", dry_run=True)
    assert taken in sets(served)
    done(served, "backup-expire", backup_id=taken["label"], repo="2", dry_run=False)
    assert taken["label"] not in {one["label"] for one in sets(served)}


@pytest.mark.works(
    "deployment restore backup_id source_region source_bucket target_timeline validate_only",
    "deployment restore-test level moment repo",
    "deployment backup-check repo read_files",
    "deployment data-check database",
)
@pytest.mark.long
def test_what_is_there_is_proven_from_where_it_was_told(served: Served) -> None:
    if not [one for one in sets(served) if one["repo"] == 2]:
        done(served, "backup", kind="full", repo="2")
    newest = next(one for one in sets(served) if one["repo"] == 2)
    done(served, "backup-check", repo="2", read_files=True)
    west = {"source_region": "us-west-2", "source_bucket": "clickview-backups-west"}
    done(served, "restore", backup_id=newest["label"], target_timeline=1, validate_only="restore", **west)
    proven = next(one for one in sets(served) if (one["label"], one["repo"]) == (newest["label"], 2))
    assert proven["annotations"]["verified-level"] == "restore"
    done(served, "restore-test", level="restore", moment="newest", repo="2")
    assert not list((served.state_dir / "scratch").glob("*"))
    done(served, "data-check", database="clickview")


@pytest.mark.parametrize(
    ("deployment", "parameters", "said"),
    [
        ("backup", {"repo": "3"}, "'3' is not one of ['all', '1', '2']"),
        ("backup-check", {"read_files": "some"}, "'some' is not of type 'boolean'"),
        ("backup-expire", {"dry_run": "perhaps"}, "'perhaps' is not of type 'boolean'"),
        ("data-check", {"database": 7}, "7 is not "),
        ("restore", {"validate_only": "maybe"}, "'maybe' is not one of ['no', 'files', 'restore', 'data']"),
        ("restore-test", {"moment": "tomorrow"}, "'tomorrow' is not one of ['newest', 'random', 'longest']"),
        ("site-prepare", {"apply": "perhaps"}, "'perhaps' is not of type 'boolean'"),
    ],
)
@pytest.mark.refuses(
    "deployment backup repo",
    "deployment backup-check read_files",
    "deployment backup-expire dry_run",
    "deployment data-check database",
    "deployment restore validate_only",
    "deployment restore-test moment",
    "deployment site-prepare apply",
)
def test_a_wrong_value_is_refused_with_the_reason(
    served: Served, deployment: str, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        served.submit(f"{deployment}/{deployment}", **parameters)
    assert refused.value.response.status_code == 409
    assert said in refused.value.response.text


@pytest.mark.refuses("deployment site-prepare first_backup", "deployment restore target_time target_database")
def test_what_contradicts_itself_fails_before_anything_is_done(served: Served) -> None:
    before = sets(served)
    for deployment, parameters, said in (
        ("site-prepare", {"first_backup": True}, "--first-backup does nothing without --apply"),
        ("restore", {"target_time": "yesterday"}, "'yesterday' is not a moment"),
        (
            "restore",
            {"target_database": "x", "validate_only": "data"},
            "keeps nothing, so there would be no database x",
        ),
    ):
        run = served.wait(served.submit(f"{deployment}/{deployment}", **parameters))
        assert (run["state_type"], said in run["state"]["message"]) == ("FAILED", True), run["state"]["message"]
    assert sets(served) == before
