"""Programs that stand in for docker, systemctl and journalctl, in a folder of the test (tests/stand_in_program.py)."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recovery.adapters.process import Host

_PROGRAM = Path(__file__).parent / "stand_in_program.py"


@dataclass(frozen=True)
class StandIns:
    """Where they are, what they see, how they were called."""

    folder: Path

    @property
    def host(self) -> Host:
        return Host(("env", f"PATH={self.folder}:/usr/bin:/bin"))

    def see(self, **state: Any) -> None:
        """From now on they see this."""
        (self.folder / "state").write_text(json.dumps(state))

    def install(self, *programs: str) -> None:
        for program in programs:
            file = self.folder / program
            file.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {_PROGRAM} {self.folder}/state {program} "$@"\n')
            file.chmod(0o755)

    def calls(self, *without: str) -> list[str]:
        """Every call since the last time this was asked, but for those that only look."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.write_text("")
        return [line for line in lines if not any(word in line for word in without)]


@pytest.fixture
def stand_ins(tmp_path: Path) -> StandIns:
    made = StandIns(tmp_path)
    made.install("docker", "systemctl", "journalctl")
    return made
