"""The README to the letter, on a server as Debian makes it: as root, as postgres, and in turn."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    "users",
    [
        pytest.param((True,), id="as root"),
        pytest.param((False,), id="as postgres", marks=pytest.mark.long),
        pytest.param((True, False), id="in turn", marks=pytest.mark.long),
    ],
)
def test_the_readme_holds_on_a_stock_server(new_stock: Callable[..., Stock], users: tuple[bool, ...]) -> None:
    stock = new_stock()
    turns: Iterator[bool] = itertools.cycle(users)

    def typed(line: str) -> str:
        as_root = next(turns)
        stock.set_prefix(*(RUNUSER if as_root else ()))
        words = shlex.split(line)
        assert words[0] == "recover", line
        return stock.done(*words[1:], as_root=as_root).stdout

    for line in section("Settings"):
        typed(line)
    folder, look, prepare, backup, test, heartbeat = section("Prepare an existing site")
    shell(*shlex.split(folder.replace("/var/lib/clickview-recovery", str(stock.state_dir))))
    assert "pg_hba.conf" in typed(look)
    assert stock.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'clickview_recovery%%'") == 0
    assert "Restart the database" in typed(prepare)
    stock.restart()
    typed(prepare)
    assert "nothing to change" in typed(prepare)
    typed(backup)
    typed("recover backup check")
    typed(test)
    typed("recover backup restore --target-database=clickview_restored")
    assert heartbeat == "recover site heartbeat"
    user, words = unit_command("clickview-heartbeat.service")
    assert user == "postgres"
    before = stock.sql(BEAT)
    stock.set_prefix()
    stock.done(*words[0:], "--once", as_root=False)
    assert stock.sql(BEAT) == before + 1
    if len(users) > 1:
        typed("recover backup list")
    belongs_to_postgres(stock)


def belongs_to_postgres(stock: Stock) -> None:
    """Nothing in the state folder belongs to anybody else."""
    others = shell("find", stock.state_dir, "!", "-user", "postgres", prefix=ROOT)
    assert others == ""
