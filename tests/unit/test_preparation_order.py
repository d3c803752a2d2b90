"""In which order a site is prepared: what is asked with which configuration, and who waits for whom."""

from __future__ import annotations

import pytest

from flows import site_prepare as flow
from recovery.errors import GateRefused
from recovery.facts import ArchivedCluster, Change
from tests.unit.build import server

WRITE = Change("write", "it differs")
OTHER = ArchivedCluster(1, 1, "6", "14")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, in order, on a site whose generated files are of before."""
    done: list[str] = []

    def nothing() -> list[Change]:
        return []

    def read() -> list[ArchivedCluster]:
        done.append("asked")
        return [OTHER]

    for name in ("missing_roles", "missing_heartbeat", "missing_index_check", "differing_settings", "closed_entrances"):
        monkeypatch.setattr(flow, f"find_{name}", nothing)
    monkeypatch.setattr(flow, "find_stale_configuration", lambda: [] if "written" in done else [WRITE])
    monkeypatch.setattr(flow, "forget_pushed_wal", lambda: done.append("forgotten"))
    monkeypatch.setattr(flow, "write_backup_configuration", lambda: done.append("written"))
    monkeypatch.setattr(flow, "read_archived_clusters", read)
    monkeypatch.setattr(flow, "find_missing_roles", lambda: done.append("roles") or [])
    return done


def test_repositories_are_not_asked_with_the_files_of_before(done: list[str]) -> None:
    assert flow.changes_of(server(), False, False) == ([WRITE], [])
    assert done == ["roles"]


def test_the_files_are_written_before_the_repositories_are_asked_and_all_else_comes_after(done: list[str]) -> None:
    with pytest.raises(GateRefused, match="repository 1 holds the backups of another cluster"):
        flow.changes_of(server(), True, False)
    assert done == ["forgotten", "written", "asked"]
    found, clusters = flow.changes_of(server(), True, True)
    assert (len(found), clusters) == (1, [OTHER])
    assert done == ["forgotten", "written", "asked", "asked", "roles"]
