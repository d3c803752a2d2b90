"""The README to the letter, on a server as Debian makes it: as root, as postgres, and in turn."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from recovery.adapters.postgres.connection import connect, one_row
from tests.fix_drills import Ended
from tests.fix_stock import ROOT, RUNUSER, Stock, shell

HERE = Path(__file__).parent.parent.parent
BEAT = "SELECT beat FROM clickview_recovery.heartbeat"


def section(title: str) -> list[str]:
    """The commands of a section of the README."""
    text = (HERE / "README.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    block = text.split("```bash\n")[1].split("```")[0]
    return [line.partition("#")[0].strip() for line in block.splitlines()]


def unit_command(name: str) -> tuple[str, list[str]]:
    """The user of a systemd unit, and the words of `recover` that it starts."""
    text = (HERE / "deployments" / "systemd" / name).read_text()
    values = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    words = shlex.split(values["ExecStart"])
    assert words[0] == "/usr/local/bin/recover"
    return values["User"], words[1:]


@dataclass
class Typist:
    """Somebody who types what the README says, by turns as root (True) and as postgres."""

    stock: Stock
    users: Iterator[bool]

    def types(self, line: str) -> Ended:
        """A line that must succeed."""
        as_root = next(self.users)
        words = shlex.split(line)
        assert words[0] == "recover", line
        ended = self.stock.done(*words[1:], as_root=as_root)
        print(f"{ended.seconds:.1f} s: {line}\n{ended.stderr}")
        return ended

    def prepares(self) -> list[str]:
        """The README up to the prepared site; returns the lines that come after."""
        for line in section("Settings"):
            self.types(line)
        folder, look, prepare, restart, again, *others = section("Prepare an existing site")
        shell(*shlex.split(folder.replace("/var/lib/clickview-recovery", str(self.stock.state_dir))))
        before = shell("cat", self.stock.hba_file)
        planned = self.types(look).stderr
        assert "local all clickview_recovery_backup scram-sha-256" in planned
        assert "(local all all peer)" in planned
        assert roles_of(self.stock) == 0
        assert shell("cat", self.stock.hba_file) == before
        assert "Restart the database" in self.types(prepare).stdout
        assert restart == "systemctl restart postgresql"  # no systemd runs here: what it does is done
        self.stock.restart()
        self.types(again)
        assert "nothing to change" in self.types(again).stdout
        [kept] = self.stock.hba_file.parent.glob("pg_hba.conf.2*")
        assert shell("cat", kept) == before
        return others

    def beats(self) -> None:
        """The unit's own command, as its own user."""
        user, words = unit_command("clickview-heartbeat.service")
        assert user == "postgres"
        before = self.stock.sql(BEAT)
        self.stock.done(*words, "--once", as_root=False)
        assert self.stock.sql(BEAT) == before + 1


@pytest.mark.long
def test_root_and_postgres_prepare_a_stock_server_in_turn(new_stock: Callable[..., Stock]) -> None:
    stock = new_stock(tables=False)
    stock.make_state_dir()
    stock.note_as_pushed()  # as a cluster of the same names left it that was here before
    said = stock.recover("site", "prepare", as_root=True)
    assert (said.status, said.said.splitlines()[0]) == (
        14,
        "this is run as root, and with database.command_prefix empty pgBackRest would be, too",
    )
    stock.set_prefix(*RUNUSER)
    typist = Typist(stock, itertools.cycle((True, False)))
    typist.prepares()
    typist.beats()
    owner = shell("stat", "-c", "%U:%G %a", stock.hba_file).strip()
    assert owner == "postgres:postgres 640"
    belongs_to_postgres(stock)


@pytest.mark.long
@pytest.mark.parametrize("users", [(True,), (False,), (True, False, True)], ids=["root", "postgres", "in turn"])
def test_the_readme_holds_on_a_stock_server(new_stock: Callable[..., Stock], users: tuple[bool, ...]) -> None:
    typist = Typist(new_stock(), itertools.cycle(users))
    typist.stock.set_prefix(*(RUNUSER if True in users else ()))
    backup, test, heartbeat = typist.prepares()
    assert heartbeat == "recover site heartbeat"
    typist.types(backup)
    typist.types("recover backup check")
    typist.types(test)
    typist.types("recover backup restore --target-database=clickview_restored")
    typist.beats()
    sets = typist.types("recover backup list --json").json
    assert {one["repo"] for one in sets} == {1, 2}
    counted = typist.stock.sql("SELECT count(*) FROM users")
    restored = replace(typist.stock.admin, name="clickview_restored")
    with connect(restored) as connection:
        assert one_row(connection, "SELECT count(*) FROM users")[0] == counted
    belongs_to_postgres(typist.stock)


def roles_of(stock: Stock) -> int:
    count: int = stock.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'clickview\\_recovery%'")
    return count


def belongs_to_postgres(stock: Stock) -> None:
    """Nothing in the state folder belongs to anybody else."""
    others = shell("find", stock.state_dir, "!", "-user", "postgres", prefix=ROOT)
    assert others == ""
