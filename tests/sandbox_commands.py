"""`recover sandbox …` as somebody types it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recovery.environment import our_environment
from sandbox.layout import Sandbox
from tests.waiting import PATIENCE

RECOVER = [sys.executable, "-c", "from recovery.cli.main import main; main()"]


def sandbox_command(
    folder: Path, command: str, *words: str, shell: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A command on the sandbox of this folder; there need not be one yet. `shell`: what is set where it is typed."""
    argv = [*RECOVER, "sandbox", command, *words, "--dir", str(folder)]
    environment = our_environment(shell)
    return subprocess.run(argv, cwd="/", env=environment, capture_output=True, text=True, timeout=PATIENCE)


def break_(sandbox: Sandbox, fault: str, *options: str) -> dict[str, Any]:
    """What `recover sandbox break …` did to a site, or mended."""
    done = sandbox_command(sandbox.folder, "break", fault, *options, "--json")
    assert done.returncode == 0, f"sandbox break {fault} ended with {done.returncode}:\n{done.stderr}"
    told: dict[str, Any] = json.loads(done.stdout)
    return told
