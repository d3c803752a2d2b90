"""Every command, in a shell in which everything is set that could lead it astray: it does what it does without that.

PGBACKREST_PG1_PATH redirected a restore, into the live data if it had named that; PGPASSWORD broke the backup,
PGSERVICE the checks.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from recovery.adapters.postgres.databases import SiteDatabases
from recovery.cli.main import _GROUPS
from recovery.environment import our_environment
from recovery.ports import reserve_ports
from sandbox import notes, site
from sandbox.layout import load
from tests.fix_drills import RECOVER, Drill, address_of, seconds_ago, text
from tests.fix_prefect import LINK, Served
from tests.hostile import hostile_shell, leave_files_in_home
from tests.waiting import PATIENCE

_FILES = ("postgresql.auto.conf", "PG_VERSION", "pg_hba.conf", "pg_ident.conf", "postmaster.pid")


@pytest.fixture(scope="module")
def shell(sandbox_room: Path) -> dict[str, str]:
    """The environment of whoever calls, with a home that has files to lead us astray, too."""
    home = Path(tempfile.mkdtemp(prefix="home-", dir=sandbox_room))
    leave_files_in_home(home)
    return hostile_shell(sandbox_room / "hostile" / "primary" / "data") | {"HOME": str(home)}


@pytest.fixture(scope="module")
def astray(sandbox_room: Path, shell: dict[str, str]) -> Iterator[Drill]:
    """A site that was itself made in that shell, with a full backup in each region."""
    folder = sandbox_room / "hostile"
    try:
        made = recover(shell, "sandbox", "up", "--dir", str(folder), "--first-backup", "--rate", "10")
        assert made.returncode == 0, made.stderr
        sandbox = load(folder)
        port = reserve_ports(folder, ["prefect"])["prefect"]
        with sandbox.settings_file.open("a") as file:
            file.write(f"\n[server]\nport = {port}\n")
        yield Drill(sandbox, sandbox.settings_file, shell)
    finally:
        site.down(folder)


def recover(shell: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RECOVER, *words], env=our_environment(shell), cwd="/", capture_output=True, text=True, timeout=PATIENCE
    )


def clean(drill: Drill) -> Drill:
    """The same site, seen from a shell in which nothing is set."""
    return Drill(drill.sandbox, drill.settings)


# What every command leaves as it was -----------------------------------------------------------------


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


@pytest.fixture
def live_site_stays_what_it_was(astray: Drill) -> Iterator[None]:
    before, begin = state_of_the_live_server(astray), datetime.now(UTC)
    yield
    if not astray.sandbox.folder.exists():  # it was taken down
        return
    assert state_of_the_live_server(astray) == before
    lost = notes.compare(astray.sandbox.admin_address(), astray.notes(), begin)
    assert lost.expected > 0
    assert lost.lost == {table: set() for table in lost.lost}
    assert not Path("/nonsense").exists()


# A drill for every command ------------------------------------------------------------------------


def only_looks(*words: str) -> Callable[[Drill], None]:
    """A command that says the same in both shells."""

    def drill_it(drill: Drill) -> None:
        assert drill.done(*words, "--json").json == clean(drill).done(*words, "--json").json

    return drill_it


def prepares(drill: Drill) -> None:
    assert drill.done("site", "prepare", "--apply", "--json").json["changes"] == []


def beats(drill: Drill) -> None:
    begin = drill.sql("SELECT clock_timestamp()")
    drill.done("site", "heartbeat", "--once")
    assert drill.sql("SELECT at FROM clickview_recovery.heartbeat") > begin


def backs_up_and_expires(drill: Drill) -> None:
    before = labels(drill)
    drill.done("backup", "run", "--type", "incr")
    made = labels(drill) - before
    assert sorted(repo for repo, _ in made) == [1, 2]
    assert drill.done("backup", "expire", "--yes", "--json").json["sets"] == []
    [newest] = [label for repo, label in made if repo == 1]
    drill.done("backup", "expire", "--backup-id", newest, "--repo", "1", "--yes")
    assert labels(drill) == before | (made - {(1, newest)})


def labels(drill: Drill) -> set[tuple[int, str]]:
    return {(one["repo"], one["label"]) for one in clean(drill).done("backup", "list", "--json").json}


def names_the_newest(drill: Drill) -> None:
    assert drill.done("backup", "latest").stdout == clean(drill).done("backup", "latest").stdout


def counts(drill: Drill) -> None:
    said = drill.done("backup", "stats").stdout
    assert all(repo in said for repo in ("clickview-backups", "clickview-backups-west"))


def verifies(drill: Drill) -> None:
    report = drill.done("backup", "verify", "--json").json
    assert (
        report["database"],
        {one["status"] for one in report["results"]} - {"passed", "not checked", "warning"},
    ) == (
        "clickview",
        set(),
    )


def checks(drill: Drill) -> None:
    drill.done("backup", "check", "--json")


def restores(drill: Drill) -> None:
    """To a moment, exactly, where it says; its server has heard nothing of the shell."""
    moment = seconds_ago(1)
    report = drill.restored("--target-time", text(moment))
    assert drill.compared(report, moment).exact
    folder = drill.sandbox.state_dir / "scratch" / report["copy"]
    data_dir = drill.sql("SELECT current_setting('data_directory')", address=address_of(report))
    assert data_dir == str(folder / "data")
    pid = (folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0]
    heard = dict(line.split("=", 1) for line in Path(f"/proc/{pid}/environ").read_text().split("\0") if line)
    assert {name for name in heard if drill.more.get(name) == heard[name]} <= {"HOME"}
    assert [one["name"] for one in drill.done("backup", "copies", "--json").json] == [report["copy"]]
    drill.drop(report)
    assert not folder.exists()
    assert drill.leftovers() == []


def restores_into_the_site(drill: Drill) -> None:
    """The database under a new name on the live server, through a pipe of two of PostgreSQL's programs."""
    moment = seconds_ago(1)
    drill.done("backup", "restore", "--target-time", text(moment), "--target-database", "came_back")
    address = drill.sandbox.admin_address(database="came_back")
    assert notes.compare(address, drill.notes(), moment).exact
    SiteDatabases(drill.sandbox.admin_address(database="postgres")).drop("came_back")


def proves_backups(drill: Drill) -> None:
    tested = drill.done("backup", "test", "--level", "restore", "--moment", "newest", "--json").json
    assert [one["plan"]["backup"]["repo"] for one in tested["reports"]] == [1, 2]
    assert drill.leftovers() == []


def breaks(drill: Drill) -> None:
    here = ("--dir", str(drill.sandbox.folder))
    assert json.loads(drill.done("sandbox", "break", "s3-slow", *here, "--json").stdout)["fault"] == "s3-slow"
    drill.done("sandbox", "break", "s3-slow", "--undo", *here)


def tells(drill: Drill) -> None:
    here = ("--dir", str(drill.sandbox.folder))
    shown = drill.done("sandbox", "status", *here, "--json").json
    assert {one["state"] for one in shown["services"]} == {"up"}
    assert drill.done("sandbox", "env", *here).stdout == clean(drill).done("sandbox", "env", *here).stdout


def serves(drill: Drill) -> None:
    """The server, a command that is seen in it, and a restore that its worker starts."""
    url = drill.done("serve", "--detach").stdout.strip()
    try:
        served = Served(url, drill.sandbox, drill.settings, drill.more, datetime.now(UTC))
        assert "answers" in drill.done("serve", "--status").stdout
        seen = Drill(drill.sandbox, drill.settings, drill.more | {"RECOVERY_NO_SERVER": ""})
        [run_id] = LINK.findall(seen.done("site", "prepare").stderr)
        assert served.wait(run_id)["state_type"] == "COMPLETED"
        run = served.wait(served.submit("restore/restore", validate_only="data"))
        assert run["state_type"] == "COMPLETED", served.logs(run["id"])
        assert drill.leftovers() == []
    finally:
        drill.done("serve", "--stop")


def came_up_and_goes(drill: Drill) -> None:
    """It was made in this shell. The demo's way to take it down is `serve --stop` and `sandbox down`."""
    assert site.health(drill.sandbox) == "healthy"
    gone = recover(drill.more, "demo", "--down", "--dir", str(drill.sandbox.folder))
    assert gone.returncode == 0, gone.stderr
    assert not drill.sandbox.folder.exists()


# In this order: the last one takes the site away.
DRILLS: dict[str, tuple[Callable[[Drill], None], tuple[str, ...]]] = {
    "settings check": (only_looks("settings", "check"), ("settings check",)),
    "settings show": (only_looks("settings", "show"), ("settings show",)),
    "sandbox status": (tells, ("sandbox status", "sandbox env")),
    "sandbox break": (breaks, ("sandbox break",)),
    "site prepare": (prepares, ("site prepare",)),
    "site heartbeat": (beats, ("site heartbeat",)),
    "backup run": (backs_up_and_expires, ("backup run", "backup expire")),
    "backup list": (only_looks("backup", "list"), ("backup list",)),
    "backup latest": (names_the_newest, ("backup latest",)),
    "backup stats": (counts, ("backup stats",)),
    "backup verify": (verifies, ("backup verify",)),
    "backup check": (checks, ("backup check",)),
    "backup restore": (restores, ("backup restore", "backup copies", "backup drop-copy")),
    "backup restore --target-database": (restores_into_the_site, ("backup restore",)),
    "backup test": (proves_backups, ("backup test",)),
    "serve": (serves, ("serve",)),
    "sandbox up and down": (came_up_and_goes, ("sandbox up", "sandbox down", "demo")),
}


@pytest.mark.usefixtures("live_site_stays_what_it_was")
@pytest.mark.parametrize("name", DRILLS)
def test_what_a_command_does(astray: Drill, name: str) -> None:
    DRILLS[name][0](astray)


def test_every_command_has_its_drill() -> None:
    """The list is made from the commands' own definition: a new one without its drill fails here."""
    covered = {command for _, commands in DRILLS.values() for command in commands}
    assert covered == set(commands_of_the_tool())


def commands_of_the_tool() -> Iterator[str]:
    for group, (module, _) in _GROUPS.items():
        made = typer.main.get_command(importlib.import_module(module).app)
        if isinstance(made, typer.core.TyperGroup):
            yield from (f"{group} {name}" for name in made.commands)
        else:
            yield group
