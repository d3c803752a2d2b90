"""Who restarts the database's unit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recovery.adapters.process import Host
from recovery.adapters.services import locate_service
from tests.unit.build import settings


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("prefix", "who"),
    [
        (("setpriv", "--reuid=4711", "--clear-groups", "--"), "0"),
        (("runuser", "-u", "postgres", "--"), "0"),
        (("env", "setpriv", "--reuid=4711", "--clear-groups", "--"), "4711"),  # docker exec, ssh: another place
        # A program after it may lead to another machine, where this unit is another.
        (("setpriv", "--reuid=4711", "--clear-groups", "--", "env"), "4711"),
        (("setpriv", "--reuid", "4711", "--clear-groups", "env", "--"), "4711"),
        (("setpriv", "--reuid", "4711", "--clear-groups"), "0"),
        ((), "0"),
    ],
)
def test_a_unit_is_restarted_by_root_where_root_types_it(
    prefix: tuple[str, ...], who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, program = Path("/tmp") / f"restarted-{os.getpid()}", tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$(id -u) $*" >{told}\n')
    program.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o005 != 0o005:  # the other user passes through
            folder.chmod(0o755)
    told.touch()
    told.chmod(0o666)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    try:
        locate_service("systemd:postgresql", Host(prefix), settings().database).restart()
        assert told.read_text() == f"{who} restart postgresql\n"
    finally:
        told.unlink()
