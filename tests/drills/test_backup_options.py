"""Every option of `recover backup`, but for those of a restore: what it does to the repositories, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.fix_drills import Drill
from tests.sandbox_commands import break_

REFUSED, FAILED = 14, 15
WEST = ("--repo", "2")


def labels(sets: list[dict[str, Any]]) -> list[str]:
    return [one["label"] for one in sets]


@pytest.fixture
def newest_in_the_west(drill: Drill) -> Iterator[dict[str, Any]]:
    """An incremental set that stands in the second region only, and is gone afterwards."""
    [taken] = drill.done("backup", "run", "--type", "incr", *WEST, "--json").json
    yield taken
    drill.run("backup", "expire", "--backup-id", taken["label"], "--yes")  # refused when the test has dropped it


@pytest.mark.works(
    "backup run --type --repo --json", "backup list --repo --json", "backup latest --repo --json", "backup stats --json"
)
def test_a_set_is_taken_where_and_as_it_was_told_and_seen_only_there(
    drill: Drill, newest_in_the_west: dict[str, Any]
) -> None:
    label = newest_in_the_west["label"]
    assert (newest_in_the_west["kind"], newest_in_the_west["repo"]) == ("incr", 2)
    west_sets, every_set = drill.sets(*WEST), drill.sets()
    assert {one["repo"] for one in west_sets} == {2}
    assert [one for one in every_set if one["repo"] == 2] == west_sets
    assert [one["repo"] for one in every_set if one["label"] == label] == [2]
    assert drill.done("backup", "latest", *WEST, "--json").json == west_sets[0]
    assert west_sets[0]["label"] == label
    east, west = drill.done("backup", "stats", "--json").json
    assert (east["repo"], west["repo"]) == (1, 2)
    assert west["full"] + west["diff"] + west["incr"] == len(west_sets)
    assert datetime.fromisoformat(west["newest"]) == datetime.fromisoformat(newest_in_the_west["stopped_at"])


@pytest.mark.works("backup expire --backup-id --repo --dry-run --yes --json")
def test_one_set_is_dropped_when_that_is_meant_and_shown_before(
    drill: Drill, newest_in_the_west: dict[str, Any]
) -> None:
    label = newest_in_the_west["label"]
    words = ("backup", "expire", "--backup-id", label, *WEST, "--json")
    would = drill.done(*words, "--dry-run").json
    assert (labels(would["sets"]), would["dropped"]) == ([label], False)
    before = labels(drill.sets(*WEST))
    assert label in before
    gone = drill.done(*words, "--yes").json
    assert (labels(gone["sets"]), gone["dropped"]) == ([label], True)
    assert labels(drill.sets(*WEST)) == [one for one in before if one != label]


@pytest.mark.refuses("backup expire --backup-id --dry-run --yes")
def test_the_last_full_set_is_never_dropped_whoever_says_yes(drill: Drill) -> None:
    before = drill.sets()
    full = labels(before)[-1]
    for told in ("--yes", "--dry-run"):
        said = drill.refusal("backup", "expire", "--backup-id", full, told, status=REFUSED)
        assert said.startswith(f"{full} carries the last ")
    assert drill.refusal("backup", "expire", "--backup-id", "20200101-000000F", "--yes", status=REFUSED) == (
        "there is no backup 20200101-000000F\nNEXT: recover backup list shows the ids"
    )
    assert drill.sets() == before


@pytest.mark.works("backup check --repo --quick --json", "sandbox break FAULT --dir --repo --undo --json")
def test_a_check_reads_every_file_of_that_repository_but_not_a_quick_one(drill: Drill) -> None:
    broken = break_(drill.sandbox, "corrupt-repo-file", *WEST)
    try:
        [quick] = drill.done("backup", "check", "--quick", *WEST, "--json").json["repos"]
        assert (quick["repo"], quick["failures"]) == (2, [])
        assert quick["newest_set"]
        assert broken["label"] in drill.refusal("backup", "check", *WEST, status=FAILED)
        assert [one["repo"] for one in drill.done("backup", "check", "--repo", "1", "--json").json["repos"]] == [1]
    finally:
        mended = break_(drill.sandbox, "corrupt-repo-file", "--undo")
    assert mended == {"fault": "corrupt-repo-file", "said": f"{broken['key']} is sound again"}
    drill.done("backup", "check", *WEST)


@pytest.mark.refuses("backup check --quick")
def test_a_quick_check_still_fails_what_it_sees(drill: Drill) -> None:
    changed = drill.variant("backup", compress_level=9)
    said = changed.refusal("backup", "check", "--quick", status=FAILED)
    assert "it is generated from recovery.toml and differs" in said


@pytest.mark.works("backup test --level --moment --repo --json")
def test_a_test_restores_as_deeply_and_from_where_it_was_told_and_keeps_nothing(drill: Drill) -> None:
    words = ("backup", "test", "--level", "restore", "--moment", "newest", *WEST, "--json")
    [report] = drill.done(*words).json["reports"]
    assert (report["plan"]["backup"]["repo"], report["level"], report["checks"]) == (2, "restore", None)
    assert report["reached"]
    proven = next(one for one in drill.sets(*WEST) if one["label"] == report["plan"]["backup"]["label"])
    assert proven["annotations"]["verified-level"] == "restore"
    assert drill.leftovers() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--type", "whole"), "Invalid value for '--type': "),
        (("run", "--repo", "3"), "Invalid value for '--repo': "),
        (("verify", "--database", ""), "Invalid value for '--database': is empty"),
        (("expire", "--backup-id", "", "--yes"), "Invalid value for '--backup-id': is empty"),
        (("test", "--level", "files"), "Invalid value for --level: a test restores: choose restore or data"),
        (("test", "--moment", "tomorrow"), "Invalid value for '--moment': "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
@pytest.mark.refuses("backup run --type --repo", "backup verify --database", "backup test --level --moment")
def test_what_cannot_be_meant_is_refused(drill: Drill, words: tuple[str, ...], said: str) -> None:
    assert drill.usage_error("backup", *words).startswith(said)


@pytest.mark.refuses(
    "backup run --repo",
    "backup list --repo",
    "backup latest --repo",
    "backup check --repo",
    "backup test --repo",
    "backup expire --repo",
)
def test_a_repository_that_the_site_has_not_is_not_an_empty_one(drill: Drill) -> None:
    """A backup into it was a success that took none, a check of it found nothing wrong."""
    one = drill.without("backup.secondary")
    for words in (("run",), ("list",), ("latest",), ("check", "--quick"), ("test",), ("expire", "--yes")):
        assert one.refusal("backup", *words, *WEST, status=REFUSED).startswith("this site has no repository 2\n"), words
