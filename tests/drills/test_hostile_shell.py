"""The shell in which the drills type their commands is hostile: nothing of it is heard, nothing is written elsewhere.

PGBACKREST_PG1_PATH redirected a restore, into the live data if it had named that; PGPASSWORD broke the backup,
PGSERVICE the checks. All drills of the shared site run in that shell (tests/fix_drills.py, tests/hostile.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox import notes
from tests.fix_drills import Drill, address_of, seconds_ago, text
from tests.hostile import SHELL

_FILES = ("postgresql.auto.conf", "PG_VERSION", "pg_hba.conf", "pg_ident.conf", "postmaster.pid")


def clean(drill: Drill) -> Drill:
    """The same site, seen from a shell in which nothing is set."""
    return Drill(drill.sandbox, drill.settings)


def state_of_the_live_server(drill: Drill) -> dict[str, Any]:
    data_dir = drill.sandbox.data_dir("primary")
    files = {name: (data_dir / name).stat() for name in _FILES}
    return {
        "server": drill.sql(
            "SELECT (system_identifier, pg_postmaster_start_time(), pg_is_in_recovery())::text FROM pg_control_system()"
        ),
        "files": {name: (stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in files.items()},
        "signs of a restore": sorted(one.name for one in data_dir.glob("*.signal")),
        "tablespaces": sorted(one.name for one in (data_dir / "pg_tblspc").iterdir()),
        "names": sorted(one.name for one in data_dir.iterdir() if not one.name.endswith(".lock")),
    }


@pytest.fixture(autouse=True)
def live_site_stays_what_it_was(drill: Drill) -> Iterator[None]:
    before, begin = state_of_the_live_server(drill), datetime.now(UTC)
    yield
    assert state_of_the_live_server(drill) == before
    drill.commit_seen_after(begin)
    lost = notes.compare(drill.sandbox.admin_address(), drill.notes(), begin)
    assert lost.expected > 0
    assert lost.lost == {table: set() for table in lost.lost}
    assert not Path("/nonsense").exists()


def test_it_is_hostile(drill: Drill) -> None:
    assert set(SHELL) <= set(drill.more)
    assert drill.more["PGBACKREST_PG1_PATH"] == str(drill.sandbox.data_dir("primary"))
    assert (Path(drill.more["HOME"]) / ".pgpass").exists()


@pytest.mark.parametrize(
    "words", ["settings check", "settings show", "backup list", "backup latest", "incident list", "metrics"]
)
def test_a_command_that_only_looks_says_the_same_in_both_shells(drill: Drill, words: str) -> None:
    assert drill.done(*words.split(), "--json").json == clean(drill).done(*words.split(), "--json").json


def test_a_restore_goes_where_it_says_and_its_server_has_heard_nothing(drill: Drill) -> None:
    moment = seconds_ago(1)
    report = drill.restored("--target-time", text(moment))
    assert drill.compared(report, moment).exact
    folder = drill.sandbox.state_dir / "scratch" / report["copy"]
    data_dir = drill.sql("SELECT current_setting('data_directory')", address=address_of(report))
    assert data_dir == str(folder / "data")
    pid = (folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0]
    heard = dict(line.split("=", 1) for line in Path(f"/proc/{pid}/environ").read_text().split("\0") if line)
    assert {name for name in heard if drill.more.get(name) == heard[name]} <= {"HOME"}
    drill.drop(report)
    assert not folder.exists()
    assert drill.leftovers() == []
