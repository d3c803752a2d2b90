"""A run's name says what it does."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.run_names import (
    LONGEST,
    backup_check_name,
    backup_expire_name,
    backup_name,
    data_check_name,
    restore_name,
    restore_test_name,
    site_prepare_name,
)
from recovery.redaction import MASK, remember_secret
from tasks.step import _fit
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
FLOWS = [file.stem for file in sorted((ROOT / "flows").glob("*.py")) if file.stem != "__init__"]


@pytest.mark.parametrize(
    ("named", "parameters", "name"),
    [
        (backup_name, {}, "incr backup"),
        (backup_name, {"kind": "full", "repo": "2"}, "full backup into repository 2"),
        (backup_check_name, {}, "backup check"),
        (backup_check_name, {"repo": "1", "read_files": False}, "backup check of repository 1, lists only"),
        (backup_expire_name, {"dry_run": False}, "expire backups"),
        (backup_expire_name, {"backup_id": "20261127-094735F"}, "expire backup 20261127-094735F, only shown"),
        (data_check_name, {}, "data check of the live database"),
        (data_check_name, {"database": "clickview_restored"}, "data check of clickview_restored"),
        (restore_name, {}, "restore to the newest moment"),
        (restore_name, {"target_time": "2026-11-27T09:47:35Z"}, "restore to 2026-11-27 09:47:35Z"),
        (restore_name, {"target_time": "2026-11-27 10:47:35.25 +01:00"}, "restore to 2026-11-27 09:47:35.250000Z"),
        (restore_name, {"target_time": "yesterday"}, "restore to yesterday"),
        (restore_name, {"target_lsn": "0/5000060", "target_timeline": 2}, "restore to LSN 0/5000060 on timeline 2"),
        (restore_name, {"target_name": "before release"}, "restore to restore point before release"),
        (
            restore_name,
            {"backup_id": "20261127-094735F", "validate_only": "data", "source_region": "us-west-2"},
            "restore of backup 20261127-094735F from us-west-2, only proven (data)",
        ),
        (
            restore_name,
            {"target_database": "clickview_restored", "source_bucket": "west"},
            "restore to the newest moment from west as clickview_restored",
        ),
        (restore_test_name, {}, "restore test, random moment"),
        (
            restore_test_name,
            {"level": "restore", "moment": "longest", "repo": "2"},
            "restore test of repository 2, longest moment, rows not checked",
        ),
        (site_prepare_name, {}, "prepare the site, only shown"),
        (
            site_prepare_name,
            {"apply": True, "restart": True, "first_backup": True},
            "prepare the site with restart and first backup",
        ),
    ],
)
def test_it_says_what_the_run_does(named: Callable[..., str], parameters: dict[str, object], name: str) -> None:
    assert named(**parameters) == name


@pytest.mark.parametrize("flow", FLOWS)
def test_every_runbook_has_a_name_for_every_parameter(flow: str) -> None:
    """A parameter that the name does not know would fail the run before it began."""
    function = getattr(importlib.import_module(f"flows.{flow}"), flow)
    function = getattr(function, "fn", function)
    known, wanted = inspect.signature(function.run_name).parameters, inspect.signature(function).parameters
    assert [(one.name, one.default) for one in known.values()] == [(one.name, one.default) for one in wanted.values()]


@given(st.text(max_size=300))
def test_no_text_that_somebody_types_keeps_a_run_from_its_name(text: str) -> None:
    assert 0 < len(_fit(restore_name(target_time=text, target_lsn=text, target_name=text))) <= LONGEST


def test_a_name_is_one_line_without_a_secret() -> None:
    secret = remember_secret("k9-Tz.4q+Wm_of-a-name")
    assert _fit(f"restore to restore point a\n b {secret}") == f"restore to restore point a b {MASK}"


def test_a_step_has_no_tags() -> None:
    """For each tag of a task Prefect asks the server for a slot: with a dead server every step would fail."""
    code = (
        "import prefect; from tasks import backups, step\n"
        "print([step._as_task(kind, backups.read_server, True).tags for kind in ('probe', 'action', 'verify')])"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert told.stdout == "[set(), set(), set()]\n", told.stderr
