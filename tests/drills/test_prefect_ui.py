"""A person at the browser: forms are filled, runs are seen to complete, artifacts are read.

SCREENSHOTS=folder keeps the pictures of docs/prefect-ui.md.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from recovery.adapters.postgres.connection import connect, one_row
from tests.fix_prefect import Served
from tests.waiting import until


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("SCREENSHOTS", tmp_path))


@pytest.mark.works("deployment restore target_time validate_only")
def test_restore_is_started_from_its_form(served: Served, page: Any, pictures: Path) -> None:
    run = served.wait(served.submit("backup/backup", kind="full", repo="1"))
    assert run["state_type"] == "COMPLETED", served.logs(run["id"])
    reached = moment_in_the_archive(served)

    found = served.ask("GET", "/deployments/name/restore/restore")
    page.goto(f"/v2/deployments/deployment/{found['id']}?tab=Description")
    page.get_by_text("always into something new").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Custom run").click()
    page.get_by_text("A moment with seconds and zone").wait_for()
    page.get_by_role("tab", name="str").first.click()
    page.locator("textarea").fill(reached)
    page.get_by_role("button", name="Select validate_only").click()
    page.get_by_role("option", name="restore", exact=True).click()
    page.get_by_text("target_time (Optional)").scroll_into_view_if_needed()
    page.screenshot(path=pictures / "restore-form.png")
    before = runs_of(served, "restore")
    page.get_by_role("button", name="Submit", exact=True).click()

    [submitted] = until(lambda: runs_of(served, "restore") - before, what="the run that was submitted")
    done = served.wait(submitted)
    assert done["state_type"] == "COMPLETED", "\n".join(served.logs(done["id"]))
    assert done["parameters"]["target_time"] == reached
    assert done["parameters"]["validate_only"] == "restore"
    page.goto(f"/v2/runs/flow-run/{done['id']}")
    page.get_by_text("Completed").first.wait_for()
    page.screenshot(path=pictures / "restore-run.png")
    # Not its log: a list that holds the lines in sight only. Nor the timeline: a canvas without text.
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("Report of the restore").first.wait_for()
    page.screenshot(path=pictures / "restore-artifacts.png")
    page.goto(artifact_of(served, submitted, "restore-report"))
    page.get_by_role("cell", name="Recovery point").wait_for()
    page.screenshot(path=pictures / "restore-report.png")


def test_artifacts_are_shown(served: Served, page: Any, pictures: Path) -> None:
    run = served.wait(served.submit("show/show"))
    until(lambda: len(links(served, run["id"])) == 2, what=lambda: str(served.logs(run["id"])))
    table, document = links(served, run["id"])
    page.goto(table)
    page.get_by_role("cell", name="20261123-185652F").wait_for()
    page.screenshot(path=pictures / "table.png")
    page.goto(document)
    page.get_by_role("heading", name="Plan").first.wait_for()
    page.get_by_test_id("markdown-display").get_by_text("pgbackrest info").wait_for()
    bars = served.ask("POST", "/artifacts/filter", {"artifacts": {"key": {"any_": ["copying"]}}})
    assert [bar["data"] for bar in bars] == [100.0]


def test_schedules_are_shown_and_described(served: Served, page: Any, pictures: Path) -> None:
    found = served.ask("GET", "/deployments/name/backup/backup")
    page.goto(f"/v2/deployments/deployment/{found['id']}?tab=Description")
    for schedule in ("At 30 minutes past the hour", "At 02:00 AM", "At 03:00 AM, only on Sunday"):
        page.get_by_text(schedule, exact=True).wait_for()
    page.get_by_role("cell", name="every day at 02:00").wait_for()
    page.screenshot(path=pictures / "backup-deployment.png")


def runs_of(served: Served, flow: str) -> set[str]:
    """The runs of this flow so far."""
    found = served.ask("POST", "/flow_runs/filter", {"flows": {"name": {"any_": [flow]}}})
    return {run["id"] for run in found}


def artifact_of(served: Served, run_id: str, key: str) -> str:
    """The page of an artifact of this run."""
    wanted = {"artifacts": {"flow_run_id": {"any_": [run_id]}, "key": {"any_": [key]}}}
    [made] = until(lambda: served.ask("POST", "/artifacts/filter", wanted), what=key)
    return f"/v2/artifacts/artifact/{made['id']}"


def links(served: Served, run_id: str) -> list[str]:
    """The artifact pages that the run's log leads to. Prefect sends log lines a moment late."""
    return [match[0] for line in served.logs(run_id) if (match := re.search(r"http\S+/artifacts/\S+", line))]


def moment_in_the_archive(served: Served) -> str:
    """A moment that can be restored to: commits after it have been archived."""
    moment = datetime.now(UTC)
    with connect(served.sandbox.admin_address()) as connection:
        until(lambda: one_row(connection, "SELECT now() > %s + interval '2 s'", (moment,))[0])
        segment = one_row(connection, "SELECT pg_walfile_name(pg_switch_wal())")[0]
        sql = "SELECT coalesce(last_archived_wal, '') >= %s FROM pg_stat_archiver"
        until(lambda: one_row(connection, sql, (segment,))[0])
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
