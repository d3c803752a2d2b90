"""A stanza that had another cluster before: whose sets and WAL are meant, and what taking over means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from checks.readiness import other_clusters, stanza_changes, stanza_refusal
from checks.retention import expired_by, full_sets_kept
from recovery.adapters.pgbackrest.information import read_archive, read_cluster
from recovery.facts import ArchivedCluster
from tests.unit.build import SEGMENT_BYTES, backup, repo, server

OURS, OTHER = ArchivedCluster(1, 2, "7", "15"), ArchivedCluster(2, 1, "6", "14")
SHA = "e0ce08628761bd13633329f9145fb3d6bfc5ee57"


def info(*clusters: tuple[int, int, int]) -> str:
    known: list[dict[str, Any]] = [
        {"repo-key": key, "id": number, "system-id": system, "version": "15"} for key, number, system in clusters
    ]
    return json.dumps([{"name": "main", "db": known}])


def test_a_repository_is_of_the_cluster_that_came_last_to_it() -> None:
    text = info((1, 1, 6), (1, 2, 7), (2, 1, 6), (2, 3, 8))
    assert read_cluster(text, 1, "main") == OURS
    assert read_cluster(text, 2, "main") == ArchivedCluster(2, 3, "8", "15")
    assert read_cluster(text, 3, "main") is None
    assert read_cluster(text, 1, "other") is None


def test_each_cluster_has_an_archive_of_its_own() -> None:
    names = {1: "000000010000000000000001", 2: "000000010000000000000009"}
    files = {f"15-{n}/0000000100000000/{name}-{SHA}.zst": {"type": "file"} for n, name in names.items()}
    for number, name in names.items():
        found = read_archive(json.dumps(files), SEGMENT_BYTES, number).segments
        assert [one.segment.name(SEGMENT_BYTES) for one in found] == [name]


def test_another_cluster_is_refused_until_it_is_said_that_this_one_took_its_place() -> None:
    assert other_clusters([OURS], server()) == []
    assert stanza_refusal([OURS], server(), upgrade=False) is None
    assert stanza_refusal([OURS, OTHER], server(), upgrade=True) is None
    assert stanza_refusal([OURS, OTHER], server(), upgrade=False) == (
        "stanza-upgrade: repository 2 holds the backups of another cluster (system identifier 6, PostgreSQL 14);"
        " this one has 7, PostgreSQL 15"
    )
    [change] = stanza_changes([OURS, OTHER], server())
    assert "full backup is due" in change.why and "there is no way back" in change.why


@pytest.mark.parametrize(("keep", "going"), [(1, ["old", "new1"]), (2, ["old"]), (3, [])])
def test_to_the_retention_the_sets_of_the_cluster_before_are_the_oldest(keep: int, going: list[str]) -> None:
    facts = repo(backup("new1", 10), backup("new2", 20), other_sets=(backup("old", 1),))
    kept = full_sets_kept(facts.every_set, keep)
    assert [one.label for one in expired_by(facts.every_set, kept)] == going
